//! A fragment of a Dockerfile as lines: comments, continuations and directives.

use crate::dockerfile::ChangeError;

/// The escape character, unless a directive changes it.
const ESCAPE: char = '\\';

/// Splits a fragment into the character that escapes and continues lines, and the lines
/// that have content, with continued ones joined.
pub(super) fn parse(text: &str) -> Result<(char, Vec<String>), ChangeError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let escape = escape(text)?;
    let mut left = text.lines();
    let mut lines = Vec::new();
    while let Some(first) = left.next() {
        let first = first.trim_start();
        if is_comment(first) {
            continue;
        }
        let (part, mut is_open) = continued(first, escape);
        let mut line = part.to_owned();
        while is_open && let Some(next) = left.next() {
            // Comments and blank lines do not end the instruction.
            if is_comment(next) || next.trim_start().is_empty() {
                continue;
            }
            let part;
            (part, is_open) = continued(next, escape);
            line.push_str(part);
        }
        // A lone escape continues nothing. Docker treats it as an instruction without a
        // name.
        if !line.trim().is_empty() {
            lines.push(line);
        }
    }
    Ok((escape, lines))
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// Splits off the character that continues a line. A doubled one does not continue it.
fn continued(line: &str, escape: char) -> (&str, bool) {
    match line.trim_end_matches([' ', '\t']).strip_suffix(escape) {
        Some(rest) if !rest.ends_with(escape) => (rest, true),
        _ => (line, false),
    }
}

/// Parses the directives, which precede everything else. Only the escape matters here.
fn escape(text: &str) -> Result<char, ChangeError> {
    let mut escape = None;
    for line in text.lines().map(str::trim) {
        let Some((name, value)) = directive(line) else {
            break;
        };
        if name != "escape" {
            continue;
        }
        escape = match (escape, value) {
            (None, "\\") => Some('\\'),
            (None, "`") => Some('`'),
            _ => {
                let line = line.to_owned();
                return Err(ChangeError::Directive(line));
            }
        };
    }
    Ok(escape.unwrap_or(ESCAPE))
}

/// Parses `# NAME = VALUE`, if the name is a known one.
fn directive(line: &str) -> Option<(String, &str)> {
    let (name, value) = line.strip_prefix('#')?.split_once('=')?;
    let name = name.trim().to_ascii_lowercase();
    let is_known = matches!(name.as_str(), "check" | "escape" | "syntax");
    let value = value.trim();
    (is_known && !value.is_empty()).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_becomes_lines() {
        let cases: [(&str, char, &[&str]); 23] = [
            ("", '\\', &[]),
            (" \n# x\n\t#y\n", '\\', &[]),
            ("A a\n\n  B b \r\nC", '\\', &["A a", "B b ", "C"]),
            ("\u{feff}A", '\\', &["A"]),
            ("A \\\n  b", '\\', &["A   b"]),
            ("A\\\nb\\  \nc", '\\', &["Abc"]),
            ("A \\\n# x\n\n  # y\nb\nC", '\\', &["A b", "C"]),
            ("A \\\n", '\\', &["A "]),
            ("A \\", '\\', &["A "]),
            ("\\\n  A", '\\', &["  A"]),
            ("\\", '\\', &[]),
            ("A\n \\\n", '\\', &["A"]),
            ("A\\\\\nB", '\\', &["A\\\\", "B"]),
            ("A\\\\\\\nB", '\\', &["A\\\\\\", "B"]),
            ("A # x", '\\', &["A # x"]),
            ("# escape=`\nA `\nb \\\nC", '`', &["A b \\", "C"]),
            ("  #\tEscape = `  \nA", '`', &["A"]),
            ("# syntax=x\n# check=y\n# escape=`\nA", '`', &["A"]),
            ("# escape=\\\nA", '\\', &["A"]),
            ("# x\n# escape=`\nA", '\\', &["A"]),
            ("\n# escape=`\nA", '\\', &["A"]),
            ("# escaped=`\n# escape=`\nA", '\\', &["A"]),
            ("# escape=\n# escape=`\nA", '\\', &["A"]),
        ];
        for (text, escape, lines) in cases {
            let lines = lines.iter().map(|line| (*line).to_owned()).collect();
            assert_eq!(parse(text), Ok((escape, lines)), "{text:?}");
        }
    }
}
