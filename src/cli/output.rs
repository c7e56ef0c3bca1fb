//! What is said to a person on standard error, and data on standard output.

use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal, Write};

use restow::{Error, Event, Place};
use serde_json::{Value, json};

use crate::cli::failure::Failure;
use crate::cli::global::{Global, ProgressMode};
use crate::cli::hint::hint_for_warning;
use crate::cli::progress::Progress;

/// Everything that is said while a command runs.
#[derive(Debug)]
pub(super) struct Output {
    progress: Progress,
    is_quiet: bool,
    is_json: bool,
}

impl Output {
    /// Sets up what the options ask for.
    pub(super) fn new(global: &Global) -> Self {
        Self {
            progress: Progress::new(global.progress, global.quiet),
            is_quiet: global.quiet,
            is_json: global.progress == ProgressMode::Json,
        }
    }

    /// What says why the command line is wrong, to a program.
    pub(super) fn of_events() -> Self {
        Self {
            progress: Progress::Hidden,
            is_quiet: false,
            is_json: true,
        }
    }

    /// Takes an event of an operation.
    pub(super) fn event(&self, event: &Event<'_>) {
        match event {
            Event::Warning(_) if self.is_quiet => {}
            Event::Warning(warning) if self.is_json => {
                self.json(&json!({"event": "warning", "message": warning.to_string()}));
            }
            Event::Warning(warning) => {
                self.line(&format!("warning: {warning}"));
                if let Some(hint) = hint_for_warning(warning) {
                    self.line(&format!("  hint: {hint}"));
                }
            }
            event => self.progress.event(event, |object| self.json(object)),
        }
    }

    /// Says something to a person; a program that reads events has no use for it.
    pub(super) fn say(&self, text: &str) {
        if !self.is_quiet && !self.is_json {
            self.line(&text);
        }
    }

    /// Tells a person who watches what was done; a script can see that it was.
    pub(super) fn tell(&self, text: &str) {
        if io::stderr().is_terminal() {
            self.say(text);
        }
    }

    /// Ends the progress; nothing of a bar stays.
    pub(super) fn finish(&self, is_done: bool) {
        self.progress.finish(is_done, |object| self.json(object));
    }

    /// Prints an error with its causes and its hint.
    pub(super) fn error(&self, message: &str, causes: &[String], hint: Option<&str>) {
        if self.is_json {
            self.json(&json!({
                "event": "error", "message": message, "causes": causes, "hint": hint,
            }));
            return;
        }
        self.line(&format!("error: {message}"));
        for cause in causes {
            self.line(&format!("  caused by: {cause}"));
        }
        if let Some(hint) = hint {
            self.line(&format!("  hint: {hint}"));
        }
    }

    /// Prints data to standard output, and ends its last line.
    pub(super) fn data(&self, text: &str) -> Result<(), Failure> {
        let mut result = Ok(());
        self.progress.suspend(|| result = print_data(text));
        Ok(result?)
    }

    /// Prints lines of data; nothing if there is none.
    pub(super) fn lines(&self, lines: &[String]) -> Result<(), Failure> {
        if lines.is_empty() {
            return Ok(());
        }
        self.data(&lines.join("\n"))
    }

    /// Prints bytes of an archive to standard output, as they are unless it is a
    /// terminal.
    pub(super) fn raw(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout();
        let shown = if stdout.is_terminal() {
            let text = String::from_utf8_lossy(bytes);
            let lines: Vec<String> = text.split('\n').map(escaped).collect();
            lines.join("\n").into_bytes()
        } else {
            bytes.to_vec()
        };
        let mut result = Ok(());
        self.progress.suspend(|| {
            result = taken(stdout.write_all(&shown).and_then(|()| stdout.flush()));
        });
        Ok(result?)
    }

    fn json(&self, object: &Value) {
        self.line(object);
    }

    /// Prints a line, above the bar if there is one.
    fn line(&self, text: &dyn Display) {
        let text = escaped(&text.to_string());
        self.progress.suspend(|| {
            // There is nobody left to tell that this failed.
            let _ = writeln!(io::stderr().lock(), "{text}");
        });
    }
}

/// Prints a line of data to standard output.
///
/// # Errors
///
/// Fails if nobody takes it, unless the reader has gone: that is its own choice.
pub(super) fn print_data(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    taken(writeln!(stdout, "{text}").and_then(|()| stdout.flush()))
}

fn taken(written: io::Result<()>) -> Result<(), Error> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::write(Place::StandardOutput, error))
        }
        _ => Ok(()),
    }
}

/// A number of things, in words that fit.
pub(super) fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// A value as JSON on one line, in which nothing steers a terminal.
pub(super) fn json_text(value: &Value) -> String {
    let text = value.to_string();
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_bidirectional(character) {
            // All of these are in a string, and have four digits.
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    out
}

/// A number of bytes as Docker prints it: decimal units, three digits that count.
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

/// Escapes what an archive could use to take a terminal over: names go into
/// messages, and control characters have no business in either.
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

/// Characters that change the direction of what follows, and so can make a name
/// look like another.
fn is_bidirectional(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
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
    fn nothing_that_steers_a_terminal_gets_through() {
        assert_eq!(escaped("app ü"), "app ü");
        assert_eq!(
            escaped("a\x1b[31m\n\u{9b}\u{202e}"),
            "a\\u{1b}[31m\\n\\u{9b}\\u{202e}"
        );
    }
}
