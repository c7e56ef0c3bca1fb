//! The message and the exit code for a failure.

use std::error::Error as _;
use std::io::ErrorKind;
use std::process::ExitCode;

use restow::Error;

use crate::cli::failure::Failure;
use crate::cli::hint::hint_for;
use crate::cli::output::Output;
use crate::cli::text::without_error_numbers;

/// The exit code of the process. Part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExitStatus {
    /// Done.
    Done = 0,
    /// The input, the machine or a check failed; of `diff`, the images differ.
    Failed = 1,
    /// The command line is wrong; of `diff`, any failure.
    Usage = 2,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}

/// Prints a failure, and returns the exit code.
pub(super) fn report(output: &Output, failure: &Failure) -> ExitStatus {
    let is_reported = matches!(failure, Failure::Different | Failure::Reported);
    if is_reported || (is_closed_pipe(failure) && !output.is_json()) {
        return ExitStatus::Failed;
    }
    let mut causes = Vec::new();
    let hint = match failure {
        Failure::Usage { hint, .. } => hint.map(str::to_owned),
        Failure::Library(error) => hint_for(error),
        Failure::Advised { hint, .. }
        | Failure::Name { hint, .. }
        | Failure::NoField { hint, .. } => Some(hint.clone()),
        Failure::Different
        | Failure::Signals(_)
        | Failure::Reported
        | Failure::Unsound(_)
        | Failure::Wasteful(_) => None,
    };
    let mut source = match failure {
        Failure::Advised { error, .. } => error.source(),
        failure => failure.source(),
    };
    while let Some(cause) = source {
        causes.push(without_error_numbers(&cause.to_string()));
        source = cause.source();
    }
    output.error(&failure.to_string(), &causes, hint.as_deref());
    match failure {
        Failure::Name { .. } | Failure::Usage { .. } => ExitStatus::Usage,
        _ => ExitStatus::Failed,
    }
}

/// True if the command that reads the output has ended early, as `head` does. That is not
/// reported; the exit code shows that the output is incomplete.
fn is_closed_pipe(failure: &Failure) -> bool {
    matches!(failure, Failure::Library(Error::Write { source, .. })
        if source.kind() == ErrorKind::BrokenPipe)
}
