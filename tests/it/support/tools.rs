//! Other programs that judge the output of `restow`: on this machine, and in a root with current
//! versions.
//!
//! `.ci/engines` sets them up. If one is not installed, the test that needs it reports that and
//! passes. If `RESTOW_REQUIRE_TOOLS` is 1, as in continuous integration, it fails instead.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::engine::{Alone, Docker};

/// Writes a program that can be run at once.
///
/// Another process writes it: what a test beside this one starts meanwhile would inherit the
/// open file, and the system runs no file that anybody has open for writing.
#[track_caller]
pub(crate) fn write_program(path: &Path, script: &str) {
    let mut writer = Command::new("sh");
    writer
        .args(["-c", "cat > \"$0\" && chmod 755 \"$0\""])
        .arg(path);
    let mut writer = writer.stdin(Stdio::piped()).spawn().expect("sh starts");
    let mut input = writer.stdin.take().expect("it is a pipe");
    input.write_all(script.as_bytes()).expect("sh reads it");
    drop(input);
    let status = writer.wait().expect("sh can be waited for");
    assert!(status.success(), "{} was not written", path.display());
}

/// The way to what a skipped test needs.
pub(crate) const SET_UP: &str = "`.ci/engines` sets up all engines and tools";

/// The place where a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On this machine, in the version of its distribution.
    Machine,
    /// In the root of current engines and tools that `.ci/engines` makes.
    Today,
}

impl Place {
    /// The places that have a program. The others are reported as skipped.
    #[track_caller]
    pub(crate) fn with(program: &str, test: &str) -> Vec<Self> {
        let mut places = vec![Self::Machine, Self::Today];
        places.retain(|place| place.has(program, test));
        places
    }

    /// True if a program is installed there. Otherwise it is reported as skipped.
    #[track_caller]
    pub(crate) fn has(self, program: &str, test: &str) -> bool {
        let mut command = self.command("sh");
        command.args(["-c", "command -v \"$0\"", program]);
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        let status = command.stderr(Stdio::null()).status();
        let is_there = status.is_ok_and(|it| it.success());
        match self {
            _ if is_there => {}
            Self::Machine => skip(test, &format!("{program} is not installed; {SET_UP}")),
            Self::Today => skip(
                test,
                &format!("{} has no {program} of today; {SET_UP}", root()),
            ),
        }
        is_there
    }

    /// A run of a program.
    pub(crate) fn command(self, program: &str) -> Command {
        match self {
            Self::Machine => Command::new(program),
            Self::Today => {
                let mut command = Command::new(PathBuf::from(root()).join("inside"));
                command.arg(program);
                command
            }
        }
    }
}

/// The root of current engines and tools, as in `.ci/engines`.
pub(crate) fn root() -> String {
    std::env::var("RESTOW_ENGINES").unwrap_or_else(|_| "/opt/restow-sid".to_owned())
}

/// Reports that a test was skipped, on a line of its own that the test runner does not capture.
///
/// # Panics
///
/// If tools are required.
#[track_caller]
pub(crate) fn skip(test: &str, reason: &str) {
    let required = std::env::var("RESTOW_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    assert!(!required, "{test}: {reason}, and RESTOW_REQUIRE_TOOLS is 1");
    report(test, reason);
}

/// Reports that a test was skipped, even if tools are required.
pub(crate) fn report(test: &str, reason: &str) {
    // A closed standard error is not a reason to fail.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {reason}");
}

/// Reports that a part of a test was skipped, since a folder beside the clone is missing.
pub(crate) fn lacks(test: &str, name: &str, what: &str) {
    let reason = format!("needs ../shared/{name}, {what} that are not part of the repository");
    report(test, &reason);
}

/// Returns true if a program is installed.
pub(crate) fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Returns true if the machine's Docker engine responds.
pub(crate) fn has_engine() -> bool {
    Docker::Machine.is_there()
}

/// Returns true if the tests run as root.
pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0)
}

/// Exclusive use of the machine's engine (or podman).
pub(crate) fn exclusive() -> Alone {
    Docker::Machine.alone()
}

/// Runs a tool, which must succeed, and returns its standard output.
#[track_caller]
pub(crate) fn tool<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Vec<u8> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    succeed(&mut command)
}

/// Runs a prepared command, which must succeed, and returns its standard output.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("the tool can be started");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    output.stdout
}
