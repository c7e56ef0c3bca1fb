//! The current containerd through its own client, in a namespace that is removed at the end.

use std::process::{Command, Stdio};

use super::engine::unique;
use super::tools::{Place, SET_UP, skip, succeed};

/// A namespace of containerd.
#[derive(Debug)]
pub(crate) struct Ctr(String);

impl Ctr {
    /// A namespace of its own, if containerd responds. Otherwise it is reported as skipped.
    #[track_caller]
    pub(crate) fn found(test: &str) -> Option<Self> {
        let ctr = Self(unique());
        let mut command = ctr.command(&["version"]);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        if command.status().is_ok_and(|it| it.success()) {
            return Some(ctr);
        }
        skip(
            test,
            &format!("today's containerd does not answer; {SET_UP}"),
        );
        None
    }

    /// The name of the namespace.
    pub(crate) fn namespace(&self) -> &str {
        &self.0
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Place::Today.command("ctr");
        command.args(["--address", "/run/restow/containerd.sock"]);
        command.args(["--namespace", &self.0]).args(arguments);
        command.stdin(Stdio::null());
        command
    }

    /// The output of `ctr`, which must succeed.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Vec<u8> {
        succeed(&mut self.command(arguments))
    }

    /// True if `ctr` succeeds.
    pub(crate) fn try_run(&self, arguments: &[&str]) -> bool {
        let mut command = self.command(arguments);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|it| it.success())
    }

    /// The names of the existing images.
    pub(crate) fn names(&self) -> Vec<String> {
        let output = self.command(&["images", "ls", "--quiet"]).output();
        // Without `ctr`, the list is empty.
        let output = output.map(|it| it.stdout).unwrap_or_default();
        let names = String::from_utf8_lossy(&output).into_owned();
        names.lines().map(str::to_owned).collect()
    }
}

impl Drop for Ctr {
    fn drop(&mut self) {
        let quiet = |command: &mut Command| {
            let command = command.stdout(Stdio::null()).stderr(Stdio::null());
            // There may be nothing to remove.
            let _ = command.status();
        };
        let names = self.names();
        if !names.is_empty() {
            // Waits until the layers and snapshots are removed; otherwise the namespace remains.
            let mut remove = self.command(&["images", "rm", "--sync"]);
            quiet(remove.args(names));
        }
        quiet(&mut self.command(&["namespaces", "rm", &self.0]));
    }
}
