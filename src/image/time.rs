//! Times as documents have them.

/// Seconds since 1970 as RFC 3339 in UTC: `1970-01-01T00:00:00Z`.
///
/// Years beyond 9999, which the format cannot say, become the last second of it;
/// times before the year 0 its first.
#[must_use]
pub fn rfc3339(seconds: i64) -> String {
    const YEAR_0: i64 = -62_167_219_200;
    const YEAR_9999_END: i64 = 253_402_300_799;
    let seconds = seconds.clamp(YEAR_0, YEAR_9999_END);
    let (days, second_of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days are counted from 1 March of year 0, so that the leap day comes last:
    // 146,097 days are 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (
        second_of_day / 3600,
        second_of_day / 60 % 60,
        second_of_day % 60,
    );
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Reads an RFC 3339 time as seconds since 1970, without its fraction.
#[must_use]
pub fn parse_time(text: &str) -> Option<i64> {
    parse_rfc3339(text).map(|(seconds, _)| seconds)
}

/// A point in time: seconds since 1970, and nanoseconds after that second.
pub(crate) type Instant = (i64, u32);

/// Reads an RFC 3339 time, with a fraction and an offset from UTC as it may have.
#[must_use]
pub(crate) fn parse_rfc3339(text: &str) -> Option<Instant> {
    let number = |range: std::ops::Range<usize>| {
        let digits = text.get(range)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<i64>().ok())?
    };
    let separators = [(4, "-"), (7, "-"), (13, ":"), (16, ":")];
    let is_shaped = separators
        .iter()
        .all(|(at, separator)| text.get(*at..at + 1) == Some(separator));
    if !is_shaped || !matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' ')) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let rest = text.get(19..)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
        None => ("", rest),
    };
    let nanoseconds = format!("{:0<9}", fraction.get(..9).unwrap_or(fraction));
    let offset = match zone.as_bytes() {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let hours: i64 = zone[1..3].parse().ok()?;
            let minutes: i64 = zone[4..6].parse().ok()?;
            let seconds = (hours * 60 + minutes) * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    // As above, the year begins in March.
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    Some((seconds - offset, nanoseconds.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_date_prints_the_same() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (i64::MAX, "9999-12-31T23:59:59Z"),
            (i64::MIN, "0000-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        for seconds in [
            0,
            -1,
            951_782_400,
            1_709_251_199,
            4_107_542_400,
            -62_167_219_200,
        ] {
            assert_eq!(parse_rfc3339(&rfc3339(seconds)), Some((seconds, 0)));
        }
        for (text, expected) in [
            ("2023-11-14T22:13:20.5Z", Some((1_700_000_000, 500_000_000))),
            (
                "2023-11-14T22:13:20.123456789123Z",
                Some((1_700_000_000, 123_456_789)),
            ),
            ("2023-11-15T00:13:20+02:00", Some((1_700_000_000, 0))),
            ("2023-11-14 20:43:20-01:30", Some((1_700_000_000, 0))),
            ("2023-11-14T22:13:20", None),
            ("2023-11-14", None),
            ("2023-13-14T22:13:20Z", None),
            ("+023-11-14T22:13:20Z", None),
            ("2023-11-14T22:13:20.Zé", None),
            ("", None),
        ] {
            assert_eq!(parse_rfc3339(text), expected, "{text}");
        }
    }
}
