//! HEALTHCHECK: its options, and durations in Go's syntax.

use serde_json::{Map, Value, json};

use crate::dockerfile::ChangeFault;
use crate::dockerfile::arguments::CommandLine;
use crate::dockerfile::words::is_blank;

/// The options that are durations, each with its field in a config.
const TIMES: [(&str, &str); 4] = [
    ("interval", "Interval"),
    ("timeout", "Timeout"),
    ("start-period", "StartPeriod"),
    ("start-interval", "StartInterval"),
];

/// The shortest duration that an engine accepts, in nanoseconds: one millisecond.
const SHORTEST: i64 = 1_000_000;

const FORM: &str = "`HEALTHCHECK [OPTION ...] CMD COMMAND` or `HEALTHCHECK NONE`";

/// A parsed HEALTHCHECK.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Health {
    test: Vec<String>,
    /// The other fields that it sets.
    fields: Map<String, Value>,
}

impl Health {
    /// Parses its arguments, split into options and the rest.
    ///
    /// Docker ignores the options of NONE. A wrong one is an error here.
    pub(super) fn parse(options: &[String], arguments: &str) -> Result<Self, ChangeFault> {
        let fields = fields(options)?;
        let split = arguments.split_once(is_blank);
        let (kind, command) = split.unwrap_or((arguments, ""));
        let line = CommandLine::parse(command.trim_start_matches(is_blank))?;
        let test = match (kind.to_ascii_uppercase().as_str(), line) {
            ("NONE", CommandLine::Shell(None)) => {
                let test = vec!["NONE".to_owned()];
                let fields = Map::new();
                return Ok(Self { test, fields });
            }
            ("CMD", CommandLine::Shell(Some(text))) => vec!["CMD-SHELL".to_owned(), text],
            ("CMD", CommandLine::Exec(words)) if !words.is_empty() => {
                std::iter::once("CMD".to_owned()).chain(words).collect()
            }
            _ => return Err(ChangeFault::Incomplete(FORM)),
        };
        Ok(Self { test, fields })
    }

    /// The object in a config. Fields that it does not set are those of `base`.
    pub(super) fn onto(&self, base: Map<String, Value>) -> Value {
        let mut health = base;
        health.insert("Test".to_owned(), json!(self.test));
        health.extend(self.fields.clone());
        Value::Object(health)
    }
}

/// Parses options as the fields that they set.
fn fields(options: &[String]) -> Result<Map<String, Value>, ChangeFault> {
    let mut fields = Map::new();
    let mut seen = Vec::new();
    for option in options {
        let wrong = || {
            let expected = "at most one of each of `--interval=`, `--timeout=`, `--start-period=`, \
                            `--start-interval=` and `--retries=`, with a value";
            ChangeFault::unexpected(expected, option)
        };
        let text = option.strip_prefix("--").ok_or_else(wrong)?;
        let (name, value) = text.split_once('=').ok_or_else(wrong)?;
        let time = TIMES.iter().find(|(option, _)| *option == name);
        if (time.is_none() && name != "retries") || seen.contains(&name) {
            return Err(wrong());
        }
        seen.push(name);
        // An empty value leaves the field unchanged.
        if value.is_empty() {
            continue;
        }
        if let Some((_, field)) = time {
            let nanoseconds = duration(value).filter(|it| *it >= SHORTEST);
            let nanoseconds = nanoseconds.ok_or_else(|| {
                let expected = "a duration of at least 1ms, such as `30s`, `1m30s` or `1.5h`";
                ChangeFault::unexpected(expected, option)
            })?;
            fields.insert((*field).to_owned(), nanoseconds.into());
        } else {
            let retries = value.parse::<i32>().ok().filter(|it| *it >= 1);
            let retries = retries.ok_or_else(|| {
                ChangeFault::unexpected("a number of retries from 1 to 2147483647", option)
            })?;
            fields.insert("Retries".to_owned(), retries.into());
        }
    }
    Ok(fields)
}

/// Parses a duration as Go's `time.ParseDuration` does, in nanoseconds.
fn duration(text: &str) -> Option<i64> {
    let is_negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0i64;
    loop {
        let (nanoseconds, behind) = duration_part(rest)?;
        total = total.checked_add(nanoseconds)?;
        if behind.is_empty() {
            return Some(if is_negative { -total } else { total });
        }
        rest = behind;
    }
}

/// Splits off a number with its unit, in nanoseconds.
fn duration_part(text: &str) -> Option<(i64, &str)> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let (number, rest) = text.split_at(text.find(|c| !is_number(c))?);
    let (unit, rest) = rest.split_at(rest.find(is_number).unwrap_or(rest.len()));
    let unit: i64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let digits = |text: &str| match text {
        "" => Some(0),
        text => text.parse::<i64>().ok(),
    };
    // Digits after the eighteenth do not make a nanosecond even in an hour.
    let fraction = fraction.get(..18).unwrap_or(fraction);
    let scale = 10i128.pow(u32::try_from(fraction.len()).ok()?);
    let part = i128::from(digits(fraction)?) * i128::from(unit) / scale;
    let nanoseconds = digits(whole)?.checked_mul(unit)?;
    Some((nanoseconds.checked_add(i64::try_from(part).ok()?)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_go_reads_them() {
        for (text, nanoseconds) in [
            ("0", Some(0)),
            ("5s", Some(5_000_000_000)),
            ("+5s", Some(5_000_000_000)),
            ("-5s", Some(-5_000_000_000)),
            ("1m30s", Some(90_000_000_000)),
            ("1h1h", Some(7_200_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            (".5s", Some(500_000_000)),
            ("5.s", Some(5_000_000_000)),
            ("0.000001h", Some(3_600_000)),
            ("1.0000000019s", Some(1_000_000_001)),
            ("0.3333333333333333333333h", Some(1_199_999_999_999)),
            ("1000us", Some(1_000_000)),
            ("1000µs", Some(1_000_000)),
            ("1000μs", Some(1_000_000)),
            ("1ms1ns", Some(1_000_001)),
            ("2562047h47m16.854775807s", Some(i64::MAX)),
            ("2562047h47m16.854775808s", None),
            ("3000000h", None),
            ("99999999999999999999s", None),
            ("", None),
            ("+", None),
            ("5", None),
            ("s", None),
            (".s", None),
            ("1.2.3s", None),
            ("1d", None),
            ("1 s", None),
            ("5s ", None),
            ("1sm", None),
        ] {
            assert_eq!(duration(text), nanoseconds, "{text}");
        }
    }
}
