//! Words, sizes and names, formatted for people and terminals.

use std::fmt::Write as _;

use restow::Digest;
use serde_json::Value;

/// A number with its noun, in the singular or plural.
pub(super) fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// A value as JSON on one line, with all control characters escaped.
pub(super) fn json_text(value: &Value) -> String {
    let text = value.to_string();
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_bidirectional(character) {
            // All of these are inside strings, and fit into four digits.
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    out
}

/// A number of bytes as Docker prints it: decimal units, three significant digits.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut whole, mut thousandths, mut unit) = (bytes, 0, 0);
    while whole >= 1000 {
        (whole, thousandths, unit) = (whole / 1000, whole % 1000, unit + 1);
    }
    let digits = match whole {
        0..10 => 2,
        10..100 => 1,
        _ => 0,
    };
    let scale = 10_u64.pow(3 - digits);
    let rounded = (whole * 1000 + thousandths + scale / 2) / scale;
    let parts = 10_u64.pow(digits);
    let fraction = format!("{:0width$}", rounded % parts, width = digits as usize);
    let number = match fraction.trim_end_matches('0') {
        "" => (rounded / parts).to_string(),
        fraction => format!("{}.{fraction}", rounded / parts),
    };
    format!("{number}{}", UNITS[unit])
}

/// Escapes the control characters with which a name in an archive could control the terminal.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_bidirectional(character) {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// True if nothing has to be escaped, as in nearly all names.
pub(super) fn is_plain(name: &[u8]) -> bool {
    name.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// A name, with control characters and bytes that are not UTF-8 escaped.
pub(super) fn escaped_bytes(name: &[u8]) -> String {
    if is_plain(name) {
        return String::from_utf8_lossy(name).into_owned();
    }
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        text.push_str(&escaped(chunk.valid()));
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// True for characters that change the direction of text, and so can make a name look like
/// another.
fn is_bidirectional(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A message without the error numbers that Rust adds to the texts of the system:
/// `No such file or directory (os error 2)`.
pub(super) fn without_error_numbers(text: &str) -> String {
    const NUMBER: &str = " (os error ";
    let mut parts = text.split(NUMBER);
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(')') {
            Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                clean.push_str(rest);
            }
            _ => clean.extend([NUMBER, part]),
        }
    }
    clean
}

/// The number of digits in Docker's short form of a digest.
const SHORT: usize = 12;

/// The start of a digest, as engines show it.
pub(super) fn short(digest: &Digest) -> String {
    digest.hex().chars().take(SHORT).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sizes_have_decimal_units() {
        for (bytes, text) in [
            (0, "0B"),
            (999, "999B"),
            (1000, "1kB"),
            (1234, "1.23kB"),
            (1299, "1.3kB"),
            (12_345, "12.3kB"),
            (123_456, "123kB"),
            (999_900, "1000kB"),
            (1_842_000_000, "1.84GB"),
            (u64::MAX, "18.4EB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn json_stays_json_and_steers_nothing() {
        let value = json!({"a\u{9b}": "\u{7f}\u{202e}\u{1b}ü\n"});
        let text = json_text(&value);
        assert_eq!(text, r#"{"a\u009b":"\u007f\u202e\u001bü\n"}"#);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn messages_have_no_error_numbers() {
        for (text, clean) in [
            (
                "No such file or directory (os error 2)",
                "No such file or directory",
            ),
            ("a (os error 5); b (os error 28)", "a; b"),
            ("a (os error x) (os error", "a (os error x) (os error"),
            ("a", "a"),
        ] {
            assert_eq!(without_error_numbers(text), clean);
        }
    }

    #[test]
    fn nothing_that_steers_a_terminal_gets_through() {
        assert_eq!(escaped("app ü"), "app ü");
        assert_eq!(
            escaped("a\x1b[31m\n\u{9b}\u{202e}"),
            "a\\u{1b}[31m\\n\\u{9b}\\u{202e}"
        );
    }
}
