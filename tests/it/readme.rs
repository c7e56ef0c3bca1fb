//! What the README tells people to paste.

use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::sandbox::Sandbox;
use crate::support::tools;

/// The lines of the first block of shell commands.
fn examples() -> Vec<&'static str> {
    let text = include_str!("../../README.md");
    let (_, block) = text.split_once("```sh\n").expect("there is a block");
    let (block, _) = block.split_once("```").expect("the block ends");
    block.lines().collect()
}

#[test]
fn the_examples_work_when_pasted() {
    let sandbox = Sandbox::new();
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    symlink(testdata, sandbox.path("testdata")).expect("a link can be made");
    let restow = Path::new(env!("CARGO_BIN_EXE_restow"));
    let folder = restow.parent().expect("it is in a folder").display();
    let has_engine = tools::has_engine();
    let _alone = has_engine.then(tools::exclusive);
    for line in examples() {
        if line.contains("docker ") && !has_engine {
            tools::skip(&format!("README: {line}"), "no Docker engine was found");
            continue;
        }
        let script = format!("set -eu; PATH={folder}:$PATH; {line}");
        let mut command = sandbox.command(Path::new("/bin/sh"));
        let output = command.args(["-c", &script]).output();
        let output = output.expect("a shell can be run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {said}");
        assert!(!said.contains("error"), "{line}: {said}");
    }
    if has_engine {
        drop(tools::tool(
            "docker",
            &["image", "rm", "edge:1", "edge:flat"],
        ));
    }
    let made = [
        "arm.tar",
        "base.tar",
        "edge.oci.tar",
        "edge.tar",
        "edge.tar.gz",
        "few.tar",
        "flat.tar",
        "new.tar",
        "one-layer.tar",
        "one.tar",
        "part.tar",
        "rootfs.tar",
        "rootfs.tar.zst",
    ];
    for name in made {
        assert!(sandbox.path(name).is_file(), "{name}");
    }
}

/// The paths in a text that begin so, between backticks.
fn paths(text: &'static str, start: &'static str) -> impl Iterator<Item = &'static str> {
    let words = text.split('`').skip(1).step_by(2);
    words.filter(move |it| it.starts_with(start) && !it.contains(['*', ' ']))
}

#[test]
fn the_tests_that_hold_a_promise_are_there() {
    let text = include_str!("../../README.md");
    let (_, promises) = text
        .split_once("## What is promised\n")
        .expect("there are promises");
    let (promises, _) = promises.split_once("\n## ").expect("the section ends");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let holds_tests = |path: &str| {
        let file = std::fs::read_to_string(root.join(path));
        let file = file.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(file.contains("#[test]"), "{path} has no test");
    };
    for promise in promises.lines().filter(|it| it.starts_with("- **")) {
        assert!(paths(promise, "tests/it/").count() > 0, "{promise}");
    }
    paths(promises, "tests/it/").for_each(holds_tests);
}

#[test]
fn files_that_are_named_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let texts = [
        include_str!("../../README.md"),
        include_str!("../../SECURITY.md"),
        include_str!("../../src/lib.rs"),
        include_str!("../../src/limits.rs"),
    ];
    for text in texts {
        for start in ["tests/", "src/", "README.md", "CHANGELOG.md", "SECURITY.md"] {
            for path in paths(text, start) {
                assert!(root.join(path).exists(), "{path}");
            }
        }
    }
}
