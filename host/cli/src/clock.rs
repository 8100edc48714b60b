//! The command's only clock, and times as people read them.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use jiff::{Timestamp, tz::TimeZone};
use wfhost_workflow::{DurationMs, MonotonicMs, TimestampMs};

/// Milliseconds since 1970-01-01 UTC.
#[expect(clippy::disallowed_methods, reason = "the clock file of this crate")]
pub(crate) fn now() -> TimestampMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// For measuring spans.
#[expect(clippy::disallowed_methods, reason = "the clock file of this crate")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// Milliseconds since this process first asked.
pub(crate) fn monotonic() -> MonotonicMs {
    static START: LazyLock<Instant> = LazyLock::new(instant);
    let since = instant().saturating_duration_since(*START);
    MonotonicMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// In UTC, for scripts: `2026-11-23T15:24:00.123Z`.
pub(crate) fn rfc3339(time: TimestampMs) -> String {
    format!("{:.3}", timestamp(time))
}

/// In the user's zone with its offset: `2026-11-23 16:24:00 +01:00`.
pub(crate) fn local(time: TimestampMs) -> String {
    timestamp(time)
        .to_zoned_datetime(TimeZone::system())
        .strftime("%Y-%m-%d %H:%M:%S %:z")
        .to_string()
}

/// The time of day in the user's zone: `16:24:00`.
pub(crate) fn time_of_day(time: TimestampMs) -> String {
    timestamp(time).to_zoned_datetime(TimeZone::system()).strftime("%H:%M:%S").to_string()
}

fn timestamp(time: TimestampMs) -> Timestamp {
    // Times come from stored data: one that cannot be shown must not stop a list.
    i64::try_from(time.0)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or(Timestamp::MAX)
}

/// A span as a person reads it: `83ms`, `4.2s`, `3m05s`, `2h07m`, `3d04h`.
pub(crate) fn span(span: DurationMs) -> String {
    let seconds = span.0 / 1000;
    match span.0 {
        ms @ 0..1_000 => format!("{ms}ms"),
        ms @ 1_000..60_000 => format!("{}.{}s", ms / 1000, ms % 1000 / 100),
        60_000..3_600_000 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600_000..86_400_000 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Reads `90s`, `10m`, `24h`, `7d`, `250ms`.
pub(crate) fn parse_span(text: &str) -> Result<DurationMs, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("expected a number with a unit: 250ms, 90s, 10m, 24h, 7d".to_owned()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .map(DurationMs)
        .ok_or_else(|| "expected a number with a unit: 250ms, 90s, 10m, 24h, 7d".to_owned())
}

/// Reads a time, or a span until now: `2026-11-23T12:00:00Z`, `2026-11-23 12:00` (here), `2h`.
pub(crate) fn parse_since(text: &str) -> Result<TimestampMs, String> {
    since(text, now())
}

fn since(text: &str, now: TimestampMs) -> Result<TimestampMs, String> {
    if let Ok(span) = parse_span(text) {
        return Ok(TimestampMs(now.0.saturating_sub(span.0)));
    }
    let here = || -> Option<Timestamp> {
        let time: jiff::civil::DateTime = text.parse().ok()?;
        TimeZone::system().to_timestamp(time).ok()
    };
    let time = text.parse::<Timestamp>().ok().or_else(here);
    time.and_then(|time| u64::try_from(time.as_millisecond()).ok()).map(TimestampMs).ok_or_else(
        || {
            "expected a time such as 2026-11-23T12:00:00Z, or a span until now such as 2h"
                .to_owned()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        let check = |ms, text: &str| assert_eq!(span(DurationMs(ms)), text);
        check(0, "0ms");
        check(999, "999ms");
        check(4_299, "4.2s");
        check(59_999, "59.9s");
        check(185_000, "3m05s");
        check(7_620_000, "2h07m");
        check(273_600_000, "3d04h");
    }

    #[test]
    fn spans_are_read() {
        let check = |text: &str, ms| assert_eq!(parse_span(text).ok(), ms, "{text}");
        check("250ms", Some(DurationMs(250)));
        check("90s", Some(DurationMs(90_000)));
        check("7d", Some(DurationMs(604_800_000)));
        check("7", None);
        check("s", None);
        check("-1s", None);
        check("99999999999999999999d", None);
        check("18446744073709551615d", None);
    }

    #[test]
    fn a_time_is_a_point_or_a_span_until_now() {
        let now = TimestampMs(1_795_440_240_000);
        let check =
            |text: &str, at: u64| assert_eq!(since(text, now), Ok(TimestampMs(at)), "{text}");
        check("2h", now.0 - 7_200_000);
        check("2026-11-23T13:24:00Z", now.0);
        check("2026-11-23T14:24:00+01:00", now.0);
        check("99999999h", 0);
        assert!(since("2026-11-23T13:24", now).is_ok() && since("2026-11-23", now).is_ok());
        for wrong in ["", "yesterday", "12:00", "-2h"] {
            assert!(since(wrong, now).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_for_scripts_are_utc() {
        assert_eq!(rfc3339(TimestampMs(1_795_440_240_123)), "2026-11-23T13:24:00.123Z");
        assert_eq!(rfc3339(TimestampMs(0)), "1970-01-01T00:00:00.000Z");
        assert!(!rfc3339(TimestampMs(u64::MAX)).is_empty());
    }
}
