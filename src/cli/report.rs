//! What is printed of a failure, and with which code the process ends.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use crate::cli::failure::Failure;
use crate::cli::hint::hint_for;
use crate::cli::output::Output;

/// How the process ends. Part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExitStatus {
    /// Done.
    Done = 0,
    /// The input, the machine or a check said no.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}

/// The text of a cause, without the number that the system has for it.
fn without_number(cause: &(dyn Error + 'static)) -> String {
    let text = cause.to_string();
    let system = cause.downcast_ref::<io::Error>();
    match system.and_then(io::Error::raw_os_error) {
        Some(number) => match text.strip_suffix(&format!(" (os error {number})")) {
            Some(text) => text.to_owned(),
            None => text,
        },
        None => text,
    }
}

/// Prints a failure and says how the process ends.
pub(super) fn report(output: &Output, failure: &Failure) -> ExitStatus {
    if let Failure::Reported = failure {
        return ExitStatus::Failed;
    }
    let mut causes = Vec::new();
    let hint = match failure {
        Failure::Usage { hint, .. } => hint.map(str::to_owned),
        Failure::Library(error) => hint_for(error),
        Failure::Advised { hint, .. }
        | Failure::Name { hint, .. }
        | Failure::NoField { hint, .. } => Some(hint.clone()),
        Failure::Signals(_) | Failure::Reported | Failure::Unsound(_) => None,
    };
    let mut source = match failure {
        Failure::Advised { error, .. } => error.source(),
        failure => failure.source(),
    };
    while let Some(cause) = source {
        causes.push(without_number(cause));
        source = cause.source();
    }
    output.error(&failure.to_string(), &causes, hint.as_deref());
    match failure {
        Failure::Name { .. } | Failure::Usage { .. } => ExitStatus::Usage,
        _ => ExitStatus::Failed,
    }
}
