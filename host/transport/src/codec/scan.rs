//! The shape of a MessagePack text, looked at without making a value of it.
//!
//! Never recurses and never allocates: a frame of arbitrary bytes costs at most one walk over it.

/// Checks that `bytes` is exactly one value, nested at most `depth_max` and made of at most
/// `values_max` values. Says what is wrong otherwise.
pub(super) fn check(bytes: &[u8], depth_max: usize, values_max: usize) -> Result<(), &'static str> {
    debug_assert!(depth_max < OPEN, "the stack below holds every permitted depth");
    let mut scan = Scan { bytes, at: 0 };
    // How many values are still to come on each level.
    let mut open = [0_u64; OPEN];
    let mut depth = 0;
    let mut values = 0;
    open[0] = 1;
    loop {
        while open[depth] == 0 {
            if depth == 0 {
                return if scan.at == bytes.len() { Ok(()) } else { Err("bytes after the end") };
            }
            depth -= 1;
        }
        open[depth] -= 1;
        values += 1;
        if values > values_max {
            return Err("too many values");
        }
        let inner = scan.value()?;
        if inner > 0 {
            if depth == depth_max {
                return Err("nested too deeply");
            }
            depth += 1;
            open[depth] = inner;
        }
    }
}

const OPEN: usize = 64;
const ENDS: &str = "ends within a value";

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    /// Steps over one value's head (and text); returns how many values are inside of it.
    fn value(&mut self) -> Result<u64, &'static str> {
        let marker = *self.bytes.get(self.at).ok_or(ENDS)?;
        self.at += 1;
        match marker {
            // Small numbers, nil, booleans.
            0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => Ok(0),
            0x80..=0x8f => Ok(u64::from(marker & 0x0f) * 2),
            0x90..=0x9f => Ok(u64::from(marker & 0x0f)),
            0xa0..=0xbf => self.skip(u64::from(marker & 0x1f)),
            0xc4 | 0xd9 => self.text(1),
            0xc5 | 0xda => self.text(2),
            0xc6 | 0xdb => self.text(4),
            0xcc | 0xd0 => self.skip(1),
            0xcd | 0xd1 => self.skip(2),
            0xca | 0xce | 0xd2 => self.skip(4),
            0xcb | 0xcf | 0xd3 => self.skip(8),
            0xdc => self.length(2),
            0xdd => self.length(4),
            0xde => Ok(self.length(2)? * 2),
            0xdf => Ok(self.length(4)? * 2),
            // Extensions and the marker that is never used: none of our messages has them.
            0xc1 | 0xc7..=0xc9 | 0xd4..=0xd8 => Err("an extension"),
        }
    }

    fn text(&mut self, length_bytes: usize) -> Result<u64, &'static str> {
        let length = self.length(length_bytes)?;
        self.skip(length)
    }

    fn skip(&mut self, length: u64) -> Result<u64, &'static str> {
        let left = self.bytes.len() - self.at;
        let length = usize::try_from(length).ok().filter(|length| *length <= left).ok_or(ENDS)?;
        self.at += length;
        Ok(0)
    }

    fn length(&mut self, length_bytes: usize) -> Result<u64, &'static str> {
        let digits = self.bytes.get(self.at..self.at + length_bytes).ok_or(ENDS)?;
        self.at += length_bytes;
        Ok(digits.iter().fold(0, |length, digit| length << 8 | u64::from(*digit)))
    }
}
