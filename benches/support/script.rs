//! Inputs of benchmarks that a script makes.

use std::process::Command;

use tempfile::TempDir;

use super::bench::{Prepared, Result};

/// A folder below `target/tmp` that is removed when the work is done.
pub(crate) fn temporary() -> Result<TempDir> {
    Ok(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?)
}

/// Runs a script that makes files in the folder, whose paths become variables.
pub(crate) fn shell(
    script: &str,
    prepared: &mut Prepared<TempDir>,
    files: &[&'static str],
) -> Result<()> {
    let folder = prepared.kept.path();
    let files = files.iter().map(|name| (*name, folder.join(name).into()));
    prepared.variables.extend(files);
    let mut shell = Command::new("sh");
    shell.args(["-ec", script]);
    shell.env("RESTOW", env!("CARGO_BIN_EXE_restow"));
    shell.envs(prepared.variables.iter().cloned());
    if shell.status()?.success() {
        return Ok(());
    }
    Err("the script that makes its inputs failed".into())
}
