//! podman with a store of its own, which is always removed at the end.

use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::tools::{Place, succeed, write_program};

/// runc, without the limits that podman asks for, and that root cannot set inside of a
/// container.
const RUNTIME: &str = r#"#!/bin/sh
for word; do
  if [ "$last" = --bundle ]; then sed -i 's/,"rlimits":\[[^]]*\]//' "$word/config.json"; fi
  last=$word
done
exec runc "$@"
"#;

/// podman and its store.
#[derive(Debug)]
pub(crate) struct Podman {
    place: Place,
    store: TempDir,
}

impl Podman {
    /// A podman with an empty store.
    pub(crate) fn new(place: Place) -> Self {
        let store = tempfile::Builder::new()
            .prefix("restow-test-podman-")
            .tempdir();
        let store = store.expect("a temporary directory can be made");
        Self { place, store }
    }

    /// A run of podman.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command("podman");
        // The driver that needs nothing of the machine and mounts nothing.
        command.args(["--storage-driver", "vfs"]);
        command.arg("--root").arg(self.store.path().join("root"));
        command.arg("--runroot").arg(self.store.path().join("run"));
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// The place where it runs.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The output of a container of an image that podman has, which must succeed.
    #[track_caller]
    pub(crate) fn run_image(&self, image: &str) -> Vec<u8> {
        let runtime = self.store.path().join("runtime");
        write_program(&runtime, RUNTIME);
        let runtime = runtime.to_string_lossy();
        self.run(&[
            "--cgroup-manager",
            "cgroupfs",
            "--runtime",
            &runtime,
            "run",
            "--rm",
            "--network",
            "none",
            image,
        ])
    }

    /// The output of podman, which must succeed.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Vec<u8> {
        succeed(&mut self.command(arguments))
    }
}
