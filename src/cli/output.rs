//! What is said to a person on standard error, and data on standard output.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use restow::{Error, Event, Place};
use serde_json::{Value, json};

use crate::cli::failure::Failure;
use crate::cli::global::{Global, ProgressMode};
use crate::cli::hint::hint_for_warning;
use crate::cli::progress::Progress;
use crate::cli::text::{escaped, without_error_numbers};

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

    /// The output for a command line that is wrong, to a program or to a person.
    pub(super) fn of_usage(is_json: bool) -> Self {
        Self {
            progress: Progress::Hidden,
            is_quiet: false,
            is_json,
        }
    }

    /// Takes an event of an operation.
    pub(super) fn event(&self, event: &Event<'_>) {
        match event {
            Event::Warning(_) if self.is_quiet => {}
            Event::Warning(warning) => {
                let message = without_error_numbers(&warning.to_string());
                if self.is_json {
                    self.json(&json!({"event": "warning", "message": message}));
                    return;
                }
                self.line(&format!("warning: {message}"));
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
