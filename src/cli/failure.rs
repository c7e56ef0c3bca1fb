//! Why a command did not do what was asked.

use std::io;

use restow::Error;

use crate::cli::text::count;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The library said no.
    #[error(transparent)]
    Library(#[from] Error),
    /// An image has no such field.
    #[error("no field `{path}`")]
    NoField {
        /// The field.
        path: String,
        /// The fields that there are.
        hint: String,
    },
    /// Nothing is to be printed: each input that failed was reported already, or the exit code
    /// is all that was asked for.
    #[error("not all of the inputs could be read")]
    Reported,
    /// Signals cannot be listened to.
    #[error("cannot install signal handlers")]
    Signals(#[source] io::Error),
    /// A check found this many errors, which were printed.
    #[error("verification failed: {}", count(*.0, "error"))]
    Unsound(usize),
    /// The library said no, or would have, and the command line tells why.
    #[error("{error}")]
    Advised {
        /// The error.
        error: Box<Error>,
        /// The command line that may have been meant.
        hint: String,
    },
    /// An argument names something that restow does not reach.
    #[error("{message}")]
    Name {
        /// What is wrong.
        message: String,
        /// What would be right.
        hint: String,
    },
    /// The command line contradicts itself, or asks for what cannot be.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What would be right.
        hint: Option<&'static str>,
    },
}

impl Failure {
    /// A wrong command line of which nothing says what would be right.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            hint: None,
        }
    }
}
