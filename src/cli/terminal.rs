//! Standard output as a terminal, or as none.

use std::env;
use std::io::{self, IsTerminal};

use rustix::termios::tcgetwinsize;

/// What text may look like that goes to standard output.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terminal {
    /// Whether it is one.
    pub(super) is_real: bool,
    /// How many characters fit on a line, if that is known.
    pub(super) width: Option<usize>,
    /// Whether colours and the like are shown.
    pub(super) has_colour: bool,
}

impl Terminal {
    /// Looks at standard output and the environment.
    pub(super) fn of_stdout() -> Self {
        let stdout = io::stdout();
        if !stdout.is_terminal() {
            return Self::default();
        }
        let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        let size = tcgetwinsize(stdout).ok();
        let width = size.map(|size| usize::from(size.ws_col));
        Self {
            is_real: true,
            width: width.filter(|width| *width > 0),
            // no-color.org.
            has_colour: !is_set("NO_COLOR") && !is_dumb,
        }
    }

    /// Text that stands out.
    pub(super) fn bold(self, text: &str) -> String {
        self.styled("1", text)
    }

    /// Text of another colour.
    pub(super) fn coloured(self, text: &str) -> String {
        self.styled("36", text)
    }

    /// Applies a parameter of SGR (ECMA-48, 8.3.117).
    pub(super) fn styled(self, parameter: &str, text: &str) -> String {
        if self.has_colour && !text.trim().is_empty() {
            format!("\x1b[{parameter}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
