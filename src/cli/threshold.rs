//! Limits on command lines: sizes, ratios and percentages.

use std::fmt;
use std::str::FromStr;

use crate::cli::text::size;

/// The number of decimals that a ratio may have.
const DECIMALS: usize = 9;

/// The fraction that stands for one.
const ONE: u64 = 1_000_000_000;

/// A limit that may be switched off by a word, as in dive. An empty value, which is one there,
/// is an error: an unset variable in a script switches no check off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Switchable<T>(pub(super) Option<T>);

/// A ratio from 0 to 1, exact to nine decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ratio {
    billionths: u64,
}

/// A size, or a part of a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// This many bytes.
    Size(u64),
    /// This part.
    Part(Ratio),
}

impl Ratio {
    /// True if `part` of `whole` is more than this. Nothing is no part of anything.
    pub(super) fn is_exceeded_by(self, part: u64, whole: u64) -> bool {
        u128::from(part) * u128::from(ONE) > u128::from(whole) * u128::from(self.billionths)
    }

    /// True if `part` of `whole` is less than this. All of nothing is never less.
    pub(super) fn is_missed_by(self, part: u64, whole: u64) -> bool {
        u128::from(part) * u128::from(ONE) < u128::from(whole) * u128::from(self.billionths)
    }
}

impl FromStr for Ratio {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let billionths = decimal(text, DECIMALS).filter(|it| *it <= u128::from(ONE));
        let billionths = billionths.and_then(|it| it.try_into().ok());
        let wrong = || format!("expected a ratio from 0 to 1 with at most {DECIMALS} decimals");
        Ok(Self {
            billionths: billionths.ok_or_else(wrong)?,
        })
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.billionths / ONE, self.billionths % ONE);
        let rest = format!("{rest:0DECIMALS$}");
        match rest.trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            rest => write!(f, "{whole}.{rest}"),
        }
    }
}

impl<T: FromStr> FromStr for Switchable<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        match text.trim().to_ascii_lowercase().as_str() {
            "disabled" | "off" | "false" => Ok(Self(None)),
            text => text.parse().map(|it| Self(Some(it))),
        }
    }
}

/// Reads a size: a number of bytes, with a decimal unit as in `50MB` or a binary one as in
/// `50MiB`, in capitals or not. A fraction needs a unit: one without was meant as a part.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || "expected a size such as 50MB, 1.5GB or 64MiB".to_owned();
    let end = text.find(|it: char| !it.is_ascii_digit() && it != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let unit: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" if !number.contains('.') => 1,
        "k" | "kb" => 1000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        "ti" | "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    let bytes = decimal(number, DECIMALS).map(|it| it * u128::from(unit) / u128::from(ONE));
    bytes.and_then(|it| it.try_into().ok()).ok_or_else(wrong)
}

/// Reads a size that may be switched off.
pub(super) fn parse_switchable_size(text: &str) -> Result<Switchable<u64>, String> {
    let Switchable(text) = text
        .parse::<Switchable<String>>()
        .unwrap_or(Switchable(None));
    Ok(Switchable(text.map(|it| parse_size(&it)).transpose()?))
}

/// Reads a size, or a percentage such as `5%`.
pub(super) fn parse_limit(text: &str) -> Result<Limit, String> {
    let wrong = || "expected a size such as 50MB, or a percentage from 0% to 100%".to_owned();
    let Some(percent) = text.strip_suffix('%') else {
        return parse_size(text).map(Limit::Size).map_err(|_| wrong());
    };
    let billionths = decimal(percent.trim_end(), DECIMALS - 2).filter(|it| *it <= u128::from(ONE));
    let billionths = billionths.and_then(|it| it.try_into().ok());
    let billionths = billionths.ok_or_else(wrong)?;
    Ok(Limit::Part(Ratio { billionths }))
}

/// Reads a decimal number as a multiple of a power of ten; `None` if it is not one, has too many
/// decimals, or is larger than any size.
fn decimal(text: &str, decimals: usize) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = !(whole.is_empty() && fraction.is_empty())
        && [whole, fraction]
            .iter()
            .all(|it| it.bytes().all(|digit| digit.is_ascii_digit()));
    if !is_number || fraction.len() > decimals {
        return None;
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let fraction: u128 = format!("{fraction:0<decimals$}").parse().ok()?;
    let power = u32::try_from(decimals).ok()?;
    Some(u128::from(whole) * 10_u128.pow(power) + fraction)
}

/// A part of a whole in percent, with two decimals, rounded down; all of nothing is 0%.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let hundredths = u128::from(part) * 10_000 / u128::from(whole.max(1));
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A ratio with six decimals, rounded down, for programs. Nothing of nothing is 0, and `None`
/// stands for anything else of nothing.
pub(super) fn ratio(part: u64, whole: u64) -> Option<serde_json::Number> {
    let millionths = match (part, whole) {
        (0, 0) => 0,
        (_, 0) => return None,
        _ => u128::from(part) * 1_000_000 / u128::from(whole),
    };
    let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    text.parse().ok().and_then(serde_json::Number::from_f64)
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(bytes) => f.write_str(&size(*bytes)),
            Self::Part(ratio) => {
                let percent = Ratio {
                    // At most one, so that it fits.
                    billionths: ratio.billionths * 100,
                };
                write!(f, "{percent}%")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_units_of_docker_and_of_go() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("1024", Some(1024)),
            ("7B", Some(7)),
            ("50MB", Some(50_000_000)),
            ("50 mb", Some(50_000_000)),
            ("1.5k", Some(1500)),
            (".5KB", Some(500)),
            ("1.0000001GB", Some(1_000_000_100)),
            ("0.05", None),
            ("1.0B", None),
            ("64MiB", Some(64 << 20)),
            ("2gi", Some(2 << 30)),
            ("3TB", Some(3_000_000_000_000)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("99999999TB", None),
            ("", None),
            ("MB", None),
            (".", None),
            ("-1", None),
            ("1.2.3", None),
            ("5%", None),
            ("1 M B", None),
        ] {
            assert_eq!(parse_size(text).ok(), bytes, "{text}");
        }
    }

    #[test]
    fn ratios_are_exact() {
        for (text, shown) in [
            ("0", Some("0")),
            ("1", Some("1")),
            ("1.0", Some("1")),
            (".05", Some("0.05")),
            ("0.123456789", Some("0.123456789")),
            ("1.000000001", None),
            ("0.1234567891", None),
            ("2", None),
            ("-0.1", None),
            ("1e-3", None),
            ("nan", None),
            ("", None),
        ] {
            let ratio = text.parse::<Ratio>().ok().map(|it| it.to_string());
            assert_eq!(ratio.as_deref(), shown, "{text}");
        }
        let tenth: Ratio = "0.1".parse().unwrap();
        for (part, whole, is_more, is_less) in [
            (0, 0, false, false),
            (1, 0, true, false),
            (1, 10, false, false),
            (2, 19, true, false),
            (1, 11, false, true),
            (u64::MAX, u64::MAX, true, false),
            (0, u64::MAX, false, true),
        ] {
            let found = (
                tenth.is_exceeded_by(part, whole),
                tenth.is_missed_by(part, whole),
            );
            assert_eq!(found, (is_more, is_less), "{part} of {whole}");
        }
    }

    #[test]
    fn limits_are_sizes_or_parts() {
        for (text, shown) in [
            ("50MB", Some("50MB")),
            ("5%", Some("5%")),
            ("0.05 %", Some("0.05%")),
            ("100%", Some("100%")),
            ("0%", Some("0%")),
            ("0.05", None),
            ("", None),
            ("100.1%", None),
            ("%", None),
            ("x", None),
        ] {
            let limit = parse_limit(text).ok().map(|it| it.to_string());
            assert_eq!(limit.as_deref(), shown, "{text}");
        }
        let off = |text: &str| text.parse::<Switchable<Ratio>>().map(|it| it.0.is_none());
        assert_eq!(
            ["disabled", "Off", "false"].map(off),
            [const { Ok(true) }; 3]
        );
        assert!(off("").is_err());
        assert!(parse_switchable_size("").is_err());
        assert_eq!(off("0.5"), Ok(false));
        assert!(off("none").is_err());
        assert_eq!(
            parse_switchable_size("20MB"),
            Ok(Switchable(Some(20_000_000)))
        );
        assert_eq!(parse_switchable_size("disabled"), Ok(Switchable(None)));
        assert!(parse_switchable_size("20%").is_err());
    }

    #[test]
    fn parts_are_rounded_down() {
        for (part, whole, shown, number) in [
            (0, 0, "0%", Some("0.0")),
            (1, 3, "33.33%", Some("0.333333")),
            (2, 3, "66.66%", Some("0.666666")),
            (1, 2, "50%", Some("0.5")),
            (u64::MAX, u64::MAX, "100%", Some("1.0")),
            (u64::MAX - 1, u64::MAX, "99.99%", Some("0.999999")),
            (3, 2, "150%", Some("1.5")),
        ] {
            assert_eq!(percent(part, whole), shown, "{part} of {whole}");
            let number_text = ratio(part, whole).map(|it| it.to_string());
            assert_eq!(number_text.as_deref(), number, "{part} of {whole}");
        }
    }
}
