//! Times in documents: strict RFC 3339.

use std::fmt;
use std::str::FromStr;

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime, UtcOffset};

/// A point in time in the years 0 to 9999, the range of RFC 3339.
///
/// Times are ordered chronologically, whatever their offsets from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// The time this many seconds after 1970, in UTC; `None` if it is outside of the
    /// supported years.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        let time = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        (0..=9999).contains(&time.year()).then_some(Self(time))
    }

    /// Seconds since 1970, without a fraction.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.unix_timestamp()
    }
}

/// Formats the time in UTC, without trailing zeros in the fraction, as Go does. A time
/// that is outside of the years 0 to 9999 in UTC keeps its offset.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = self.0.checked_to_offset(UtcOffset::UTC);
        let text = utc.and_then(|utc| utc.format(&Rfc3339).ok());
        let text = text.or_else(|| self.0.format(&Rfc3339).ok());
        f.write_str(&text.ok_or(fmt::Error)?)
    }
}

/// A text that is not a [`Timestamp`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an RFC 3339 time, such as `2026-11-23T12:00:00Z`")]
pub struct TimestampError(String);

/// Parses what Go's strict parser accepts: a day that the month has, no hour 24, no
/// leap second, `T` and `Z` as capitals, and offsets up to 23:59. Nine digits of a
/// fraction count.
impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let time = is_shaped(text).then(|| OffsetDateTime::parse(text, &Rfc3339).ok());
        match time.flatten() {
            Some(time) => Ok(Self(time)),
            None => Err(TimestampError(text.to_owned())),
        }
    }
}

/// Returns true if a text has exactly the form of RFC 3339. The numbers are checked
/// elsewhere, except for leap seconds.
fn is_shaped(text: &str) -> bool {
    const SHAPE: &str = "0000-00-00T00:00:00";
    let has_shape = |text: &str, shape: &str| {
        let mut pairs = text.bytes().zip(shape.bytes());
        text.len() == shape.len()
            && pairs.all(|(byte, wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                wanted => byte == wanted,
            })
    };
    let Some((seconds, rest)) = text.split_at_checked(SHAPE.len()) else {
        return false;
    };
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
        None => rest,
    };
    has_shape(seconds, SHAPE)
        && !seconds.ends_with("60")
        && (zone == "Z" || has_shape(zone, "+00:00") || has_shape(zone, "-00:00"))
}

/// Returns true if Go reads a text as a time that RFC 3339 does not allow: with a comma
/// before the fraction, an hour of one digit, or an offset of up to 24 hours and 60
/// minutes.
///
/// Docker and containerd still accept these (golang/go#54580), others do not.
pub(crate) fn is_lax_time(text: &str) -> bool {
    let mut text = text.replacen(',', ".", 1);
    if text.get(11..13).is_some_and(|hour| hour.ends_with(':')) {
        text.insert(11, '0');
    }
    let offset = text.len().checked_sub("+00:00".len());
    if let Some((time, offset)) = offset.and_then(|at| text.split_at_checked(at))
        && let [b'+' | b'-', b'0'..=b'2', _, b':', b'0'..=b'6', _] = offset.as_bytes()
    {
        let number = |digits: &str| digits.parse::<u8>().ok();
        let is_at_most = |digits, most| number(digits).is_some_and(|number| number <= most);
        if is_at_most(&offset[1..3], 24) && is_at_most(&offset[4..], 60) {
            text = format!("{time}Z");
        }
    }
    text.parse::<Timestamp>().is_ok()
}

/// Seconds since 1970 as RFC 3339 in UTC: `1970-01-01T00:00:00Z`.
///
/// Years after 9999, which the format cannot express, become the last second of that
/// year; times before the year 0 become its first.
pub(crate) fn rfc3339(seconds: i64) -> String {
    const YEAR_0: i64 = -62_167_219_200;
    const YEAR_9999_END: i64 = 253_402_300_799;
    let since_1970 = Duration::seconds(seconds.clamp(YEAR_0, YEAR_9999_END));
    Timestamp(OffsetDateTime::UNIX_EPOCH + since_1970).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_that_date_prints_the_same() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-62_135_596_800, "0001-01-01T00:00:00Z"),
            (-62_167_219_200, "0000-01-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
            assert_eq!(
                text.parse::<Timestamp>().map(Timestamp::seconds),
                Ok(seconds)
            );
        }
        assert_eq!(rfc3339(i64::MAX), "9999-12-31T23:59:59Z");
        assert_eq!(rfc3339(i64::MIN), "0000-01-01T00:00:00Z");
        for seconds in [253_402_300_800, -62_167_219_201, i64::MAX, i64::MIN] {
            assert_eq!(Timestamp::from_seconds(seconds), None);
        }
    }

    /// `docker load` of Docker 28.5 accepts each of these as `created` of a config.
    #[test]
    fn times_are_read_with_their_fraction_and_offset() {
        for (text, seconds, shown) in [
            (
                "2023-11-14T22:13:20Z",
                1_700_000_000,
                "2023-11-14T22:13:20Z",
            ),
            (
                "2023-11-14T22:13:20.500Z",
                1_700_000_000,
                "2023-11-14T22:13:20.5Z",
            ),
            (
                "2023-11-14T22:13:20.123456789123Z",
                1_700_000_000,
                "2023-11-14T22:13:20.123456789Z",
            ),
            (
                "2023-11-15T00:13:20+02:00",
                1_700_000_000,
                "2023-11-14T22:13:20Z",
            ),
            (
                "2023-11-14T20:43:20.25-01:30",
                1_700_000_000,
                "2023-11-14T22:13:20.25Z",
            ),
            (
                "2023-11-14T22:13:20-00:00",
                1_700_000_000,
                "2023-11-14T22:13:20Z",
            ),
            (
                "2023-11-15T22:12:20+23:59",
                1_700_000_000,
                "2023-11-14T22:13:20Z",
            ),
            (
                "2024-02-29T00:00:00Z",
                1_709_164_800,
                "2024-02-29T00:00:00Z",
            ),
            ("2000-02-29T00:00:00Z", 951_782_400, "2000-02-29T00:00:00Z"),
            (
                "9999-12-31T23:59:59.999999999Z",
                253_402_300_799,
                "9999-12-31T23:59:59.999999999Z",
            ),
            (
                "0000-01-01T00:00:00+23:59",
                -62_167_305_540,
                "0000-01-01T00:00:00+23:59",
            ),
            (
                "9999-12-31T23:59:59-23:59",
                253_402_387_139,
                "9999-12-31T23:59:59-23:59",
            ),
        ] {
            let time: Timestamp = text.parse().unwrap();
            assert_eq!(
                (time.seconds(), time.to_string().as_str()),
                (seconds, shown)
            );
        }
    }

    #[test]
    fn times_are_ordered_as_they_happen() {
        let times = [
            "0000-01-01T00:00:00+23:59",
            "0000-01-01T00:00:00Z",
            "2020-12-31T23:00:00.5Z",
            "2021-01-01T00:00:01+01:00",
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59-23:59",
        ];
        let times = times.map(|text| text.parse::<Timestamp>().unwrap());
        assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    }

    /// `docker load` of Docker 28.5 refuses each of these as `created` of a config or
    /// of a history entry.
    #[test]
    fn whatever_go_refuses_is_no_time() {
        for text in [
            "",
            "yesterday",
            "2023-11-14",
            "2023-11-14T22:13Z",
            "2023-11-14T22:13:20",
            "2023-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2023-02-31T01:01:01Z",
            "2023-04-31T00:00:00Z",
            "2023-00-10T00:00:00Z",
            "2023-13-14T22:13:20Z",
            "2023-01-00T00:00:00Z",
            "2023-02-28T24:00:00Z",
            "2023-02-28T23:60:00Z",
            "2023-02-28T23:59:60Z",
            "2016-12-31T23:59:60Z",
            "2023-02-31T25:61:61Z",
            "2023-02-28 01:00:00Z",
            "2023-02-28t01:00:00Z",
            "2023-02-28T01:00:00z",
            "2023-02-28T01:00:00.Z",
            "2023-02-28T01:00:00.Zé",
            "2023-02-28T01:00:00.5,5Z",
            "2023-02-28T01:00:00+25:00",
            "2023-02-28T01:00:00+24:61",
            "2023-02-28T01:00:00-0100",
            "2023-02-28T01:00:00-01",
            "2023-2-28T01:00:00Z",
            "+023-11-14T22:13:20Z",
            "-001-01-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
            " 2023-02-28T01:00:00Z",
            "2023-02-28T01:00:00Z ",
            "2023-02-28T01:00:00Zx",
            "2023-02-28T01:00:00é00:00",
            "2023-02-28é:00:00Z",
            "2023-02-28T:00:00Z",
            "éééééééééééééééééééé",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
            assert!(!is_lax_time(text), "{text}");
        }
    }

    proptest! {
        /// If one character of a time is replaced, nothing panics, and any result that
        /// is a time can still be parsed from its formatted form.
        #[test]
        fn any_text_is_a_time_or_none(
            at in 0..26_usize, with in "[0-9TZtz:.,+é -]{0,2}", lax in any::<bool>(),
        ) {
            let time = if lax { "2024-02-29T3:59:59,25+24:00" } else { "2024-02-29T23:59:59.5+23:59" };
            let text = format!("{}{with}{}", &time[..at], &time[at + 1..]);
            let _ = is_lax_time(&text);
            if let Ok(time) = text.parse::<Timestamp>() {
                prop_assert_eq!(time.to_string().parse(), Ok(time));
            }
        }
    }

    /// `docker load` of Docker 28.5 accepts each of these, although it is not RFC 3339.
    #[test]
    fn some_times_are_read_by_go_alone() {
        for text in [
            "2023-02-28T01:00:00,5Z",
            "2023-02-28T1:00:00Z",
            "2023-02-28T01:00:00+24:00",
            "2023-02-28T01:00:00-23:60",
            "2023-02-28T01:00:00+24:60",
            "2023-02-28T1:00:00,5+24:00",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
            assert!(is_lax_time(text), "{text}");
        }
    }
}
