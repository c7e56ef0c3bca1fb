//! What is said to a person on standard error, and data on standard output.

use std::io::{self, IsTerminal, Write};

use anstyle::Style;
use restow::{Error, Event, Place};
use serde_json::{Value, json};

use crate::cli::failure::Failure;
use crate::cli::global::{Global, ProgressMode};
use crate::cli::hint::hint_for_warning;
use crate::cli::progress::Progress;
use crate::cli::terminal::{ERROR, NOTE, Terminal, WARNING, is_piped};
use crate::cli::text::{escaped, json_text, without_error_numbers};

/// A word before a text, and its style.
type Label = (Style, &'static str);

const HINT: Label = (NOTE, "hint:");

/// Everything that is said while a command runs.
#[derive(Debug)]
pub(super) struct Output {
    progress: Progress,
    stderr: Terminal,
    is_quiet: bool,
    is_json: bool,
}

impl Output {
    /// Sets up what the options ask for.
    pub(super) fn new(global: &Global) -> Self {
        Self {
            progress: Progress::new(global.progress, global.quiet),
            stderr: Terminal::of_stderr(),
            is_quiet: global.quiet,
            is_json: global.progress == ProgressMode::Json,
        }
    }

    /// The output for a command line that is wrong, to a program or to a person.
    pub(super) fn of_usage(is_json: bool) -> Self {
        Self {
            progress: Progress::hidden(),
            stderr: Terminal::of_stderr(),
            is_quiet: false,
            is_json,
        }
    }

    /// True if a program reads events on standard error.
    pub(super) fn is_json(&self) -> bool {
        self.is_json
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
                self.labelled("", (WARNING, "warning:"), &message);
                if let Some(hint) = hint_for_warning(warning) {
                    self.labelled("  ", HINT, &hint);
                }
            }
            event => {
                if let Some(line) = self.progress.event(event) {
                    self.line(&line);
                }
            }
        }
    }

    /// Says something to a person; a program that reads events has no use for it.
    pub(super) fn say(&self, text: &str) {
        if !self.is_quiet && !self.is_json {
            self.end();
            self.line(&escaped(text));
        }
    }

    /// Tells a person who watches what was done; a script can see that it was. After a pipe the
    /// command that reads it tells what became of the output.
    pub(super) fn tell(&self, text: &str) {
        if self.stderr.is_real && !is_piped() {
            self.say(text);
        }
    }

    /// Ends the progress of a job that is done, before its report.
    fn end(&self) {
        if let Some(line) = self.progress.end() {
            self.line(&line);
        }
    }

    /// Ends the progress; nothing of a bar stays.
    pub(super) fn finish(&self, is_done: bool) {
        if let Some(line) = self.progress.finish(is_done) {
            self.line(&line);
        }
    }

    /// Prints an error with its causes and its hint.
    pub(super) fn error(&self, message: &str, causes: &[String], hint: Option<&str>) {
        if self.is_json {
            self.json(&json!({
                "event": "error", "message": message, "causes": causes, "hint": hint,
            }));
            return;
        }
        self.labelled("", (ERROR, "error:"), message);
        for cause in causes {
            self.labelled("  ", (ERROR, "caused by:"), cause);
        }
        if let Some(hint) = hint {
            self.labelled("  ", HINT, hint);
        }
    }

    /// Prints data to standard output, and ends its last line.
    pub(super) fn data(&self, text: &str) -> Result<(), Failure> {
        self.end();
        Ok(print_data(text)?)
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
        self.end();
        Ok(taken(
            stdout.write_all(&shown).and_then(|()| stdout.flush()),
        )?)
    }

    fn json(&self, object: &Value) {
        self.line(&json_text(object));
    }

    /// Prints a text with a label, which has a colour on a terminal.
    fn labelled(&self, indent: &str, (style, label): Label, text: &str) {
        let label = self.stderr.styled(style, label);
        self.line(&format!("{indent}{label} {}", escaped(text)));
    }

    /// Prints a line that steers no terminal, while no bar is in the way.
    fn line(&self, text: &str) {
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
