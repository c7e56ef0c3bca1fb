//! Messages on standard error, and data on standard output.

use std::io::{self, BufWriter, IsTerminal, Write};

use anstyle::Style;
use restow::{Error, Event, Place};
use serde_json::{Value, json};

use crate::cli::failure::Failure;
use crate::cli::global::{Global, ProgressMode};
use crate::cli::hint::hint_for_warning;
use crate::cli::progress::Progress;
use crate::cli::terminal::{ERROR, NOTE, Terminal, WARNING, is_piped};
use crate::cli::text::{escaped, escaped_bytes, json_text, without_error_numbers};

/// The size of the buffer for streamed data, in bytes.
const STREAM_BUFFER: usize = 64 * 1024;

/// A word before a text, and its style.
type Label = (Style, &'static str);

const HINT: Label = (NOTE, "hint:");

/// The output of a command: messages, progress and data.
#[derive(Debug)]
pub(super) struct Output {
    progress: Progress,
    stderr: Terminal,
    is_quiet: bool,
    is_json: bool,
}

impl Output {
    /// The output that the options ask for.
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

    /// Handles an event of an operation.
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

    /// Prints a message for a person, unless a program reads events.
    pub(super) fn say(&self, text: &str) {
        if !self.is_quiet && !self.is_json {
            self.end();
            self.line(&escaped(text));
        }
    }

    /// Reports the result to a person at a terminal; a script only needs the exit code. If standard
    /// output is a pipe, the command that reads it reports the result.
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

    /// Ends the progress and removes the bar.
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

    /// Prints data to standard output, with a newline at the end.
    pub(super) fn data(&self, text: &str) -> Result<(), Failure> {
        self.end();
        Ok(print_data(text)?)
    }

    /// Prints lines of data; prints nothing for an empty list.
    pub(super) fn lines(&self, lines: &[String]) -> Result<(), Failure> {
        if lines.is_empty() {
            return Ok(());
        }
        self.data(&lines.join("\n"))
    }

    /// Prints data to standard output while it is made, without holding it. The progress
    /// ends with the first byte.
    pub(super) fn stream(
        &self,
        print: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let mut stdout = BufWriter::with_capacity(STREAM_BUFFER, DataWriter { output: self });
        Ok(taken(
            print(&mut stdout).and_then(|()| stdout.into_inner()?.flush()),
        )?)
    }

    /// Prints bytes of an archive to standard output: verbatim, or escaped for a terminal.
    pub(super) fn raw(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout();
        let shown = if stdout.is_terminal() {
            let lines = bytes.split(|byte| *byte == b'\n');
            let lines: Vec<String> = lines.map(escaped_bytes).collect();
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

    /// Prints a text after a label, which is coloured on a terminal.
    fn labelled(&self, indent: &str, (style, label): Label, text: &str) {
        let label = self.stderr.styled(style, label);
        self.line(&format!("{indent}{label} {}", escaped(text)));
    }

    /// Prints a line that is already escaped, and hides the bar meanwhile.
    fn line(&self, text: &str) {
        self.progress.suspend(|| {
            // If this fails, the failure cannot be reported either.
            let _ = writeln!(io::stderr().lock(), "{text}");
        });
    }
}

/// Standard output, and the progress that ends before the first byte.
struct DataWriter<'a> {
    output: &'a Output,
}

impl Write for DataWriter<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.output.end();
        io::stdout().write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// Writes text to a terminal that cannot control it: everything is escaped except for
/// ends of lines and tabs.
#[derive(Debug)]
pub(super) struct EscapingWriter<W: Write> {
    output: W,
    /// The start of a line.
    line: Vec<u8>,
}

impl<W: Write> EscapingWriter<W> {
    /// Wraps a writer.
    pub(super) fn new(output: W) -> Self {
        Self {
            output,
            line: Vec::new(),
        }
    }

    /// Writes the rest.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.put_line()
    }

    fn put_line(&mut self) -> io::Result<()> {
        let parts = self.line.split(|byte| *byte == b'\t');
        let parts: Vec<String> = parts.map(escaped_bytes).collect();
        self.line.clear();
        self.output.write_all(parts.join("\t").as_bytes())
    }
}

impl<W: Write> Write for EscapingWriter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        for part in buffer.split_inclusive(|byte| *byte == b'\n') {
            let text = part.strip_suffix(b"\n");
            self.line.extend_from_slice(text.unwrap_or(part));
            if text.is_some() || self.line.len() >= STREAM_BUFFER {
                self.put_line()?;
            }
            if text.is_some() {
                self.output.write_all(b"\n")?;
            }
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// Prints a line of data to standard output.
///
/// # Errors
///
/// Fails if it cannot be written. A closed pipe is not a failure: the reader chose to stop.
pub(super) fn print_data(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    taken(writeln!(stdout, "{text}").and_then(|()| stdout.flush()))
}

/// Prints help to standard output.
///
/// # Errors
///
/// As [`print_data`].
pub(super) fn print_help(help: &clap::Error) -> Result<(), Error> {
    taken(help.print().and_then(|()| io::stdout().flush()))
}

fn taken(written: io::Result<()>) -> Result<(), Error> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::write(Place::StandardOutput, error))
        }
        _ => Ok(()),
    }
}
