//! Failures of commands.

use std::io;

use restow::Error;

use crate::cli::text::count;

/// The failure of a command.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// An error of the library.
    #[error(transparent)]
    Library(#[from] Error),
    /// Two images differ. Nothing is printed: the report was.
    #[error("the images differ")]
    Different,
    /// An image has no such field.
    #[error("no field `{path}`")]
    NoField {
        /// The field.
        path: String,
        /// The available fields.
        hint: String,
    },
    /// Nothing is printed: all failures were reported already, or only the exit code was
    /// requested.
    #[error("some inputs could not be read")]
    Reported,
    /// Signal handlers cannot be installed.
    #[error("cannot install signal handlers")]
    Signals(#[source] io::Error),
    /// A check found this many errors, and printed them.
    #[error("verification failed: {}", count(*.0, "error"))]
    Unsound(usize),
    /// An error of the library, with a hint that depends on the command line.
    #[error("{error}")]
    Advised {
        /// The error.
        error: Box<Error>,
        /// The command line that may have been meant.
        hint: String,
    },
    /// An argument names something that restow cannot access.
    #[error("{message}")]
    Name {
        /// The problem.
        message: String,
        /// The remedy.
        hint: String,
    },
    /// An image has more waste than a limit allows.
    #[error("too much waste: {0}")]
    Wasteful(String),
    /// The command line contradicts itself, or requests something impossible.
    #[error("{message}")]
    Usage {
        /// The problem.
        message: String,
        /// The remedy.
        hint: Option<&'static str>,
    },
}

impl Failure {
    /// A wrong command line, without a hint.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            hint: None,
        }
    }
}
