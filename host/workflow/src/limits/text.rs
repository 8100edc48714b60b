//! Limits as people write and read them.

use super::{Limit, LimitUnit};
use crate::DurationMs;
use crate::definition::{parse_bytes, parse_duration};

/// A text or number that is no value of a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Not of the limit's unit.
    #[error("`{}` must be {}", limit, expected(*limit))]
    Unit {
        /// Which limit.
        limit: Limit,
    },
    /// Below the least or above the largest.
    #[error(
        "`{limit}` must be from {} to {}",
        limit.show(limit.spec().least),
        limit.show(limit.spec().largest)
    )]
    Range {
        /// Which limit.
        limit: Limit,
    },
}

const fn expected(limit: Limit) -> &'static str {
    match limit.spec().unit {
        LimitUnit::Bytes => "a size, such as `64KiB`, `256MiB` or a number of bytes",
        LimitUnit::PowerOfTwoBytes => "a size that is a power of two, such as `512KiB` or `4MiB`",
        LimitUnit::Milliseconds => "a duration, such as `250ms`, `30s`, `5m` or `1h30m`",
        LimitUnit::Count => "a whole number",
    }
}

impl Limit {
    /// A value as people write it, with its unit.
    ///
    /// # Errors
    /// If it is not of the limit's unit, or out of its bounds.
    pub fn parse(self, text: &str) -> Result<u64, LimitError> {
        let value = match self.spec().unit {
            LimitUnit::Bytes | LimitUnit::PowerOfTwoBytes => parse_bytes(text),
            LimitUnit::Milliseconds => parse_duration(text).map(|span| span.0),
            LimitUnit::Count => text.parse().ok(),
        };
        self.check(value.ok_or(LimitError::Unit { limit: self })?)
    }

    /// A value that is written as a number alone.
    ///
    /// # Errors
    /// If the limit is a duration, or the number is out of bounds.
    pub fn from_number(self, number: u64) -> Result<u64, LimitError> {
        match self.spec().unit {
            LimitUnit::Milliseconds => Err(LimitError::Unit { limit: self }),
            LimitUnit::Bytes | LimitUnit::PowerOfTwoBytes | LimitUnit::Count => self.check(number),
        }
    }

    fn check(self, value: u64) -> Result<u64, LimitError> {
        let spec = self.spec();
        if !(spec.least..=spec.largest).contains(&value) {
            return Err(LimitError::Range { limit: self });
        }
        if spec.unit == LimitUnit::PowerOfTwoBytes && !value.is_power_of_two() {
            return Err(LimitError::Unit { limit: self });
        }
        Ok(value)
    }

    /// A value as people write it: `64MiB`, `30s`, `256`.
    #[must_use]
    pub fn show(self, value: u64) -> String {
        match self.spec().unit {
            LimitUnit::Bytes | LimitUnit::PowerOfTwoBytes => show_bytes(value),
            LimitUnit::Milliseconds => DurationMs(value).to_string(),
            LimitUnit::Count => value.to_string(),
        }
    }
}

/// Without loss: what is no whole number of a larger unit is in bytes.
fn show_bytes(value: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| value >= *unit && value.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", value / unit),
        None => format!("{value}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_in_their_unit_and_held_to_their_bounds() {
        let good = |limit: Limit, text, value| assert_eq!(limit.parse(text), Ok(value), "{text}");
        good(Limit::Memory, "64MiB", 64 << 20);
        good(Limit::Memory, "1000", 1000);
        good(Limit::CpuTime, "1m30s", 90_000);
        good(Limit::Handles, "10", 10);
        good(Limit::Stack, "2MiB", 2 << 20);
        let bad = |limit: Limit, text, message: &str| {
            let error = limit.parse(text).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        };
        bad(Limit::Memory, "lots", "`memory` must be a size");
        bad(Limit::Memory, "33GiB", "`memory` must be from 1B to 32GiB");
        bad(Limit::CpuTime, "10", "`cpu_time` must be a duration");
        bad(Limit::Handles, "64KiB", "`handles` must be a whole number");
        bad(Limit::Handles, "0", "`handles` must be from 1 to 4096");
        bad(Limit::Stack, "3MiB", "power of two");
        assert_eq!(Limit::CpuTime.from_number(5), Err(LimitError::Unit { limit: Limit::CpuTime }));
        assert_eq!(Limit::Log.from_number(5), Ok(5));
    }
}
