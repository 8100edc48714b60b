//! Values made from the fuzzer's bytes, as long as there are any; then zeros and empty ones.
//!
//! Every input means something, so that no mutation is lost, and small inputs give small values.

/// What is left of an input.
#[derive(Debug, Clone)]
pub struct Given<'a>(&'a [u8]);

impl<'a> Given<'a> {
    /// All of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether all that follows will be zeros.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is left.
    #[must_use]
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        byte
    }

    /// Up to `count` bytes.
    pub fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Less than `count`, which is at least 1.
    pub fn below(&mut self, count: usize) -> usize {
        let number = if count <= 256 {
            usize::from(self.byte())
        } else {
            usize::from(self.byte()) << 8 | usize::from(self.byte())
        };
        number % count.max(1)
    }

    /// One of `all`, which is not empty.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// A whole number; those at the ends of types are frequent.
    pub fn number(&mut self) -> u64 {
        const ENDS: [u64; 12] = [
            u64::MAX,
            u64::MAX - 1,
            i64::MAX as u64,
            i64::MAX as u64 + 1,
            u32::MAX as u64,
            u32::MAX as u64 + 1,
            i32::MAX as u64,
            u16::MAX as u64,
            u8::MAX as u64,
            1 << 53,
            (1 << 53) + 1,
            1 << 12,
        ];
        match self.byte() {
            small @ 0..=127 => u64::from(small),
            end @ 128..=191 => ENDS[usize::from(end) % ENDS.len()],
            _ => self.bytes(8).iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
        }
    }

    /// A number with a fraction; often one of the odd ones.
    pub fn float(&mut self) -> f64 {
        const ODD: [f64; 12] = [
            0.0,
            -0.0,
            1.0,
            -1.5,
            0.1,
            1e15,
            1e308,
            5e-324,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
            9_007_199_254_740_993.0,
        ];
        if self.once_in(3) { f64::from_bits(self.number()) } else { self.one_of(&ODD) }
    }

    /// Text of up to `bytes_max` bytes; what is no UTF-8 is replaced.
    pub fn text(&mut self, bytes_max: usize) -> String {
        let count = self.below(bytes_max + 1);
        String::from_utf8_lossy(self.bytes(count)).into_owned()
    }

    /// How many there are of something: mostly few, at most `most`.
    pub fn count(&mut self, most: usize) -> usize {
        if self.is_empty() {
            return 0;
        }
        let few = self.below(8);
        if few == 7 { self.below(most + 1) } else { few.min(most) }
    }
}
