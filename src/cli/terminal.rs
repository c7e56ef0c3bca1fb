//! Standard output and standard error as terminals, and the colours on them.

use std::env;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use rustix::fs::{FileType, fstat};
use rustix::termios::tcgetwinsize;

use crate::cli::drawing::Drawing;

/// The heading of a column, and the name of a fact.
pub(super) const HEADING: Style = Style::new().bold();
/// A bar in a table.
pub(super) const BAR: Style = AnsiColor::Cyan.on_default();
/// An error and its causes.
pub(super) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// A warning.
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// A hint, or a note.
pub(super) const NOTE: Style = AnsiColor::Cyan.on_default().bold();

/// A stream for text: a terminal, or something else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terminal {
    /// True if it is a terminal.
    pub(super) is_real: bool,
    /// The width in characters, if known.
    pub(super) width: Option<usize>,
    /// True if text may be coloured.
    pub(super) has_colour: bool,
    /// The characters for drawings.
    pub(super) drawing: Drawing,
}

impl Terminal {
    /// Standard output.
    pub(super) fn of_stdout() -> Self {
        Self::new(&io::stdout())
    }

    /// Standard error.
    pub(super) fn of_stderr() -> Self {
        Self::new(&io::stderr())
    }

    /// Checks a stream and the environment: colours need `--color always`, or a terminal without a
    /// variable that forbids them, such as `NO_COLOR` or `TERM=dumb`.
    fn new(stream: &(impl RawStream + AsFd)) -> Self {
        let is_real = IsTerminal::is_terminal(&stream.as_fd());
        let has_colour = AutoStream::choice(stream) != ColorChoice::Never;
        Self {
            is_real,
            width: if is_real { width(stream) } else { None },
            has_colour,
            drawing: Drawing::of_locale(),
        }
    }

    /// Applies a style.
    pub(super) fn styled(self, style: Style, text: &str) -> String {
        if self.has_colour && !text.trim().is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

/// True if standard output is a pipe to another command, which may print to the same terminal.
pub(super) fn is_piped() -> bool {
    let kind = fstat(io::stdout()).map(|it| FileType::from_raw_mode(it.st_mode));
    kind == Ok(FileType::Fifo)
}

/// True if standard error is a terminal that can overwrite a line.
pub(super) fn can_draw() -> bool {
    let is_dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
    io::stderr().is_terminal() && !is_dumb
}

/// The current width of a terminal in characters.
pub(super) fn width(terminal: impl AsFd) -> Option<usize> {
    let size = tcgetwinsize(terminal).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}
