//! The README, and the files that it names: their commands are run.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::markdown::blocks;
use crate::support::sandbox::Sandbox;
use crate::support::tools::{self, Place};

const README: &str = include_str!("../../README.md");

/// More than a newcomer reads.
const LINES_MAX: usize = 130;

/// A sandbox that has `testdata`, as the clone has.
fn clone() -> Sandbox {
    let sandbox = Sandbox::new();
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    symlink(testdata, sandbox.path("testdata")).expect("a link can be made");
    sandbox
}

/// A line for a shell that finds the built restow.
fn script(line: &str) -> String {
    let restow = Path::new(env!("CARGO_BIN_EXE_restow"));
    let folder = restow.parent().expect("it is in a folder").display();
    format!("set -eu; PATH={folder}:$PATH; {line}")
}

/// Runs a line, which must succeed.
#[track_caller]
fn paste(sandbox: &Sandbox, line: &str) {
    let mut shell = sandbox.command(Path::new("bash"));
    let output = shell.args(["-o", "pipefail", "-c", &script(line)]).output();
    let output = output.expect("a shell can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {said}");
    assert!(!said.contains("error"), "{line}: {said}");
}

#[test]
fn the_readme_is_short() {
    let lines = README.lines().count();
    assert!(lines <= LINES_MAX, "{lines} lines");
}

#[test]
fn the_examples_work_when_pasted() {
    let sandbox = clone();
    let has_engine = tools::has_engine();
    let _alone = has_engine.then(tools::exclusive);
    let blocks = blocks(README, "sh");
    assert_eq!(blocks.len(), 2, "the quick start and the recipes");
    if has_engine {
        let archive = "testdata/docker20__edge.tar";
        paste(&sandbox, &format!("docker load -i {archive}"));
    }
    let lines = blocks.iter().flat_map(|it| it.lines());
    for line in lines.filter(|it| !it.starts_with("# ")) {
        let (command, _) = line.split_once(" # ").unwrap_or((line, ""));
        if command.contains("docker ") && !has_engine {
            tools::skip(&format!("README: {line}"), "no Docker engine was found");
            continue;
        }
        paste(&sandbox, line);
    }
    if has_engine {
        drop(tools::tool("docker", &["image", "rm", "edge:1"]));
    }
}

/// The output of a line on a terminal of 100 columns.
fn on_terminal(sandbox: &Sandbox, line: &str) -> String {
    let mut command = sandbox.command("script".as_ref());
    let line = script(&format!("stty cols 100; {line}"));
    command.args(["-qec", &line, "/dev/null"]);
    // No bar and no colours, which a text cannot show.
    command.env("TERM", "dumb").env("NO_COLOR", "1");
    let output = command.output().expect("script can be run");
    let shown = String::from_utf8(output.stdout).expect("it is UTF-8");
    assert!(output.status.success(), "{line}: {shown}");
    shown.replace("\r\n", "\n")
}

/// `UPDATE_EXPECT=1` rewrites what the README shows.
#[test]
fn the_terminal_at_the_top_shows_what_restow_prints() {
    if !Place::Machine.has("script", "the terminal at the top of the README") {
        return;
    }
    let sandbox = clone();
    let shown = blocks(README, "console")[0];
    let commands = shown.lines().filter_map(|it| it.strip_prefix("$ "));
    let run = |line: &str| format!("$ {line}\n{}", on_terminal(&sandbox, line));
    let got: String = commands.map(run).collect();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
        fs::write(path, README.replace(shown, &got)).expect("the README can be written");
    } else {
        assert_eq!(got, shown);
    }
}

/// The two commands for a fresh machine: the arguments of the first are run with the built
/// restow, and the gate runs the second.
#[test]
fn the_commands_of_cargo_are_those_of_the_gate() {
    let block = blocks(README, "console")[1];
    let lines: Vec<&str> = block.lines().collect();
    let [run, test] = lines[..] else {
        panic!("two commands: {block}");
    };
    let arguments = run.strip_prefix("$ cargo run --release -- ");
    let arguments = arguments.expect("the first runs restow");
    paste(&clone(), &format!("restow {arguments}"));
    let gate = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run");
    let gate = fs::read_to_string(gate).expect("the gate can be read");
    let test = test.strip_prefix("$ ").expect("a command follows");
    assert!(gate.lines().any(|it| it.ends_with(test)), "{test}");
}

/// The paths in a text that begin so, between backticks.
fn paths(text: &'static str, start: &'static str) -> impl Iterator<Item = &'static str> {
    let words = text.split('`').skip(1).step_by(2);
    words.filter(move |it| it.starts_with(start) && !it.contains(['*', ' ']))
}

#[test]
fn the_tests_that_hold_a_promise_are_there() {
    let text = include_str!("../../SECURITY.md");
    let (_, promises) = text
        .split_once("## Promises\n")
        .expect("there are promises");
    let (promises, _) = promises.split_once("\n## ").expect("the section ends");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let holds_tests = |path: &str| {
        let file = fs::read_to_string(root.join(path));
        let file = file.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(file.contains("#[test]"), "{path} has no test");
    };
    let items: Vec<&str> = promises
        .lines()
        .filter(|it| it.starts_with("- **"))
        .collect();
    assert!(items.len() >= 9, "{promises}");
    for promise in items {
        assert!(paths(promise, "tests/it/").count() > 0, "{promise}");
    }
    paths(promises, "tests/it/").for_each(holds_tests);
}

/// The targets of links to files.
fn links(text: &'static str) -> impl Iterator<Item = &'static str> {
    let targets = text.split("](").skip(1);
    let targets = targets.filter_map(|it| Some(it.split_once(')')?.0));
    targets.filter(|it| !it.starts_with("http"))
}

#[test]
fn files_that_are_named_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let texts = [
        README,
        include_str!("../../SECURITY.md"),
        include_str!("../../docs/coming-from.md"),
        include_str!("../../docs/reference.md"),
        include_str!("../../src/lib.rs"),
        include_str!("../../src/limits.rs"),
    ];
    let starts = [
        "benches/",
        "docs/",
        "tests/",
        "src/",
        ".ci/",
        "README.md",
        "CHANGELOG.md",
        "SECURITY.md",
    ];
    for text in texts {
        for start in starts {
            for path in paths(text, start) {
                assert!(root.join(path).exists(), "{path}");
            }
        }
    }
    for link in links(README) {
        assert!(root.join(link).exists(), "{link}");
    }
}
