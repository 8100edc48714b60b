//! Numbers, read as the type that wants them.

/// The largest integer up to which a number written with a point or an exponent is exact.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// The integer that a number's text is; `3.0` and `3e2` are integers too, as in JSON Schema.
pub(super) fn integer<T: Integer>(text: &str) -> Option<T> {
    if let Ok(integer) = text.parse() {
        return Some(integer);
    }
    let float: f64 = text.parse().ok()?;
    let exact = float.fract() == 0.0 && float.abs() <= EXACT_MAX;
    if exact { format!("{}", float + 0.0).parse().ok() } else { None }
}

/// An integer type of WIT.
pub(super) trait Integer: std::str::FromStr {
    /// Whether a string of digits is one as well.
    const IN_STRINGS: bool = false;
}

impl Integer for i8 {}
impl Integer for u8 {}
impl Integer for i16 {}
impl Integer for u16 {}
impl Integer for i32 {}
impl Integer for u32 {}
impl Integer for i64 {
    const IN_STRINGS: bool = true;
}
impl Integer for u64 {
    const IN_STRINGS: bool = true;
}

/// A float type of WIT.
pub(super) trait Float: std::str::FromStr {
    const NAN: Self;
    const INFINITY: Self;
    const NEG_INFINITY: Self;
    fn is_finite(&self) -> bool;
}

impl Float for f32 {
    const NAN: Self = Self::NAN;
    const INFINITY: Self = Self::INFINITY;
    const NEG_INFINITY: Self = Self::NEG_INFINITY;
    fn is_finite(&self) -> bool {
        Self::is_finite(*self)
    }
}

impl Float for f64 {
    const NAN: Self = Self::NAN;
    const INFINITY: Self = Self::INFINITY;
    const NEG_INFINITY: Self = Self::NEG_INFINITY;
    fn is_finite(&self) -> bool {
        Self::is_finite(*self)
    }
}
