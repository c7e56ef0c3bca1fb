//! `docs/coming-from.md`: each line that replaces one of another tool is run.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::help::{prepared, put_program};
use crate::support::Sandbox;
use crate::support::engine::Docker;
use crate::support::markdown::blocks;
use crate::support::tools::{self, succeed};

const PAGE: &str = include_str!("../../docs/coming-from.md");

/// Runs a line in a folder with the files that the page names.
fn paste(sandbox: &Sandbox, line: &str) -> Output {
    let restow = Path::new(env!("CARGO_BIN_EXE_restow"));
    let folder = restow.parent().expect("it is in a folder").display();
    let script = format!("set -eu; PATH=$PWD/bin:{folder}:$PATH; {line}");
    let mut shell = sandbox.command(Path::new("bash"));
    let output = shell.args(["-o", "pipefail", "-c", &script]).output();
    output.expect("a shell can be run")
}

/// Puts podman, with a store in the sandbox, in front of the path; a stand-in where it is
/// not installed, or not to be used.
fn put_podman(sandbox: &Sandbox) {
    if tools::is_installed("podman") && tools::is_root() {
        let podman = "PATH=${PATH#*bin:}\n\
            exec podman --storage-driver vfs --root \"$TMPDIR/podman\" --runroot \"$TMPDIR/podman-run\" \"$@\"\n";
        put_program(sandbox, "podman", podman);
        drop(succeed(
            sandbox
                .command(&sandbox.path("bin/podman"))
                .args(["load", "--quiet", "--input", "app.tar"]),
        ));
    } else {
        tools::skip(
            "lines of docs/coming-from.md with podman",
            "podman is not installed, or needs root; a stand-in is used",
        );
        let docker = sandbox.read("bin/docker");
        put_program(sandbox, "podman", &String::from_utf8_lossy(&docker));
    }
}

/// Runs the lines of a section, and returns how many there are.
#[track_caller]
fn run(section: &str, has_engine: bool) -> usize {
    let sandbox = prepared();
    if section.contains("podman load") || section.contains("podman save") {
        put_podman(&sandbox);
    }
    if has_engine {
        fs::remove_file(sandbox.path("bin/docker")).expect("the stand-in is there");
    }
    let mut is_typed = false;
    let mut count = 0;
    for line in section.lines() {
        if line.starts_with("# ") {
            assert!(!is_typed, "nothing replaces the line above: {line}");
            is_typed = true;
            continue;
        }
        assert!(is_typed, "it replaces nothing: {line}");
        is_typed = false;
        let output = paste(&sandbox, line);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {said}");
        assert!(!said.contains("error"), "{line}: {said}");
        count += 1;
    }
    count
}

#[test]
fn each_line_of_the_page_works() {
    let has_engine = tools::has_engine();
    let _alone = has_engine.then(tools::exclusive);
    let names = ["app:1.0", "app:flat", "app:small", "app:above"].map(str::to_owned);
    // They are removed at the end.
    let _loaded = has_engine.then(|| Docker::Machine.load(&prepared().read("app.tar"), &names));
    if !has_engine {
        tools::skip(
            "lines of docs/coming-from.md with docker",
            "no Docker engine responds; a stand-in is used",
        );
    }
    let sections = blocks(PAGE, "sh");
    let count: usize = sections.iter().map(|it| run(it, has_engine)).sum();
    assert!(count > 50, "{count} lines");
}

/// The tools that the README promises a translation for.
#[test]
fn every_tool_has_its_section() {
    let headings = PAGE.lines().filter_map(|it| it.strip_prefix("## "));
    let tools: Vec<&str> = headings.collect();
    assert_eq!(
        tools,
        [
            "skopeo",
            "crane",
            "umoci",
            "docker-squash",
            "undocker",
            "dive",
            "container-diff",
            "docker",
            "podman",
            "oci-delta"
        ]
    );
}
