//! Times relative to the present, as Docker prints them.

use std::time::{SystemTime, UNIX_EPOCH};

/// The longest time that Go's durations hold, in seconds: 292 years.
const LONGEST: i64 = i64::MAX / 1_000_000_000;

/// The present, in seconds since 1970.
///
/// `SOURCE_DATE_EPOCH` does not apply: it sets the time of new documents, not of the present.
pub(super) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}

/// A time relative to `now`, in words: `3 weeks ago`, `in 3 weeks`.
///
/// Docker prints `Less than a second ago` for any future time.
pub(super) fn ago(then: i64, now: i64) -> String {
    let words = |span: i64| in_words(span.min(LONGEST));
    if then > now {
        return format!("in {}", words(then.saturating_sub(now)).to_lowercase());
    }
    format!("{} ago", words(now.saturating_sub(then)))
}

/// A time span, as `HumanDuration` of go-units formats it.
fn in_words(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, (seconds + 1800) / 3600);
    match () {
        () if seconds < 1 => "Less than a second".to_owned(),
        () if seconds == 1 => "1 second".to_owned(),
        () if seconds < 60 => format!("{seconds} seconds"),
        () if minutes == 1 => "About a minute".to_owned(),
        () if minutes < 60 => format!("{minutes} minutes"),
        () if hours == 1 => "About an hour".to_owned(),
        () if hours < 48 => format!("{hours} hours"),
        () if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        () if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        () if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        () => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_in_the_words_of_docker() {
        const HOUR: i64 = 3600;
        const DAY: i64 = 24 * HOUR;
        for (seconds, words) in [
            (0, "Less than a second ago"),
            (1, "1 second ago"),
            (2, "2 seconds ago"),
            (59, "59 seconds ago"),
            (60, "About a minute ago"),
            (119, "About a minute ago"),
            (120, "2 minutes ago"),
            (HOUR - 1, "59 minutes ago"),
            (HOUR, "About an hour ago"),
            (HOUR + HOUR / 2 - 1, "About an hour ago"),
            (HOUR + HOUR / 2, "2 hours ago"),
            (47 * HOUR, "47 hours ago"),
            (2 * DAY - HOUR / 2, "2 days ago"),
            (14 * DAY - HOUR, "13 days ago"),
            (14 * DAY, "2 weeks ago"),
            (60 * DAY - HOUR, "8 weeks ago"),
            (60 * DAY, "2 months ago"),
            (730 * DAY - HOUR, "24 months ago"),
            (730 * DAY, "2 years ago"),
            (20_000 * DAY, "54 years ago"),
            (i64::MAX, "292 years ago"),
        ] {
            assert_eq!(
                ago(1_800_000_000_i64.saturating_sub(seconds), 1_800_000_000),
                words
            );
        }
        assert_eq!(ago(i64::MIN, i64::MAX), "292 years ago");
    }

    #[test]
    fn a_time_in_the_future_is_told_as_one() {
        for (seconds, words) in [
            (1, "in 1 second"),
            (100, "in about a minute"),
            (3600, "in about an hour"),
            (3 * 3600, "in 3 hours"),
            (i64::MAX, "in 292 years"),
        ] {
            assert_eq!(ago(seconds, 0), words);
        }
        assert_eq!(ago(i64::MAX, i64::MIN), "in 292 years");
    }
}
