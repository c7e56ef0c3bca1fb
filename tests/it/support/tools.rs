//! Other programs that judge what `restow` writes.
//!
//! Where one is not installed, the test that needs it says so and passes. Where
//! `RESTOW_REQUIRE_TOOLS` is 1, as in continuous integration, it fails instead.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// Reports that a test was skipped, even where tools are required.
pub(crate) fn report(test: &str, reason: &str) {
    // A closed standard error is no reason to fail.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {reason}");
}

/// Whether a program is installed.
pub(crate) fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether a Docker engine answers.
pub(crate) fn has_engine() -> bool {
    let mut command = Command::new("docker");
    command.args(["version", "--format", "{{.Server.Version}}"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0)
}

/// One user of the engine's (or podman's) store at a time: images of the same id would mix.
pub(crate) fn exclusive() -> MutexGuard<'static, ()> {
    static STORE: Mutex<()> = Mutex::new(());
    STORE.lock().unwrap_or_else(PoisonError::into_inner)
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
