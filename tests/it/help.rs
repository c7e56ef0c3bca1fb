//! `--help`, `restow help` and `restow verify --explain`.

use std::fs;
use std::path::Path;

use expect_test::expect;

use crate::support::entry::entries;
use crate::support::layer::tar;
use crate::support::make::{self, Image};
use crate::support::sandbox::Sandbox;
use crate::support::tools::write_program;

/// The standard output of a command that succeeds in silence.
#[track_caller]
pub(super) fn printed(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let output = sandbox.run(arguments);
    assert_eq!(
        (output.code, output.stderr.as_str()),
        (Some(0), ""),
        "{arguments:?}"
    );
    String::from_utf8(output.stdout).expect("the output is UTF-8")
}

/// The groups of `restow --help`, each with its commands.
fn groups() -> Vec<(String, Vec<String>)> {
    let help = printed(&Sandbox::new(), &["--help"]);
    let (_, groups) = help.split_once("<COMMAND>\n\n").expect("there is a usage");
    let (groups, _) = groups
        .split_once("Global options:")
        .expect("there are options");
    let group = |text: &str| {
        let (name, commands) = text.split_once(":\n").expect("a group has a heading");
        let commands = commands
            .lines()
            .filter_map(|it| it.split_whitespace().next());
        (name.to_owned(), commands.map(str::to_owned).collect())
    };
    groups.trim_end().split("\n\n").map(group).collect()
}

fn commands() -> Vec<String> {
    groups().into_iter().flat_map(|it| it.1).collect()
}

#[test]
fn commands_are_listed_in_groups() {
    let groups = groups();
    let names: Vec<&str> = groups.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(names, ["Move", "Change", "Look", "Help"]);
    let sandbox = Sandbox::new();
    for command in commands() {
        printed(&sandbox, &[&command, "--help"]);
    }
}

#[test]
fn every_way_to_ask_for_help_works() {
    let sandbox = Sandbox::new();
    let long = printed(&sandbox, &["--help"]);
    assert_eq!(printed(&sandbox, &["help"]), long);
    for command in commands() {
        let long = printed(&sandbox, &[&command, "--help"]);
        assert_eq!(printed(&sandbox, &["help", &command]), long);
        let short = printed(&sandbox, &[&command, "-h"]);
        assert!(short.lines().count() < long.lines().count(), "{command}");
    }
    let nothing = sandbox.run(&[]);
    let short = printed(&sandbox, &["-h"]);
    assert_eq!(
        (nothing.code, nothing.stderr, nothing.stdout),
        (Some(2), short, Vec::new())
    );
}

#[test]
fn short_help_has_a_line_for_each_option() {
    let sandbox = Sandbox::new();
    for command in commands() {
        let help = printed(&sandbox, &[&command, "-h"]);
        let (_, options) = help.split_once("\n\n").expect("a usage follows");
        for line in options.lines().filter(|line| line.starts_with("  ")) {
            let indent = line.len() - line.trim_start().len();
            assert!(indent <= 6, "{command}: a line goes on: {line}");
        }
    }
}

/// The examples at the end of a command's help: each a description and a command line.
fn examples(sandbox: &Sandbox, command: &str) -> Vec<String> {
    let help = printed(sandbox, &[command, "--help"]);
    let (_, examples) = help
        .split_once("\nExamples:\n")
        .unwrap_or_else(|| panic!("`{command}` has no examples"));
    let example = |text: &str| {
        let (description, line) = text.split_once('\n').expect("it has two lines");
        assert!(description.starts_with("  # "), "{description}");
        line.to_owned()
    };
    examples.trim_end().split("\n\n").map(example).collect()
}

/// Puts a program into the folder `bin`.
pub(super) fn put_program(sandbox: &Sandbox, name: &str, script: &str) {
    fs::create_dir_all(sandbox.path("bin")).expect("the folder can be made");
    let script = format!("#!/bin/sh\nset -eu\n{script}");
    write_program(&sandbox.path(&format!("bin/{name}")), &script);
}

/// A folder with the files that the examples name, and with programs in place of an engine
/// and of a host.
pub(super) fn prepared() -> Sandbox {
    let sandbox = Sandbox::new();
    let base = Image::new(&["base:1.0"], &["dir etc\nfile etc/os-release base"]);
    let app = Image::new(
        &["app:1.0"],
        &[
            "dir etc\nfile etc/os-release base",
            "file app 1",
            "file app 2",
        ],
    );
    sandbox.write(
        "app.tar",
        make::tar(&make::docker(std::slice::from_ref(&app))),
    );
    sandbox.write("base.tar", make::tar(&make::docker(&[base])));
    let new = Image::new(&["base:2.0"], &["dir etc\nfile etc/os-release new"]);
    sandbox.write("newbase.tar", make::tar(&make::docker(&[new])));
    let next = Image::new(
        &["app:1.1"],
        &["file etc/version 1.1", "file app/run changed"],
    );
    sandbox.write("next.tar", make::tar(&make::docker(&[next])));
    sandbox.run(&["convert", "app.tar", "oci:lay"]).silent();
    sandbox.run(&["convert", "base.tar", "oci:lay"]).silent();
    sandbox.write("rootfs.tar", make::layer("dir bin\nfile bin/sh x"));
    sandbox.write("rootdir/bin/sh", "x");
    sandbox.write("hello", "x");
    let docker = "case $1 in\n\
        save) cat app.tar ;;\n\
        load) restow images - | grep -q app:1.0 || exit 1 ;;\n\
        *) exit 1 ;;\n\
        esac\n";
    put_program(&sandbox, "docker", &docker.replace("app:1.0", "app:"));
    put_program(&sandbox, "ssh", "shift\nexec \"$@\"\n");
    sandbox
}

#[test]
fn the_examples_of_every_help_work() {
    let restow = Path::new(env!("CARGO_BIN_EXE_restow"));
    let folder = restow.parent().expect("it is in a folder").display();
    for command in commands() {
        let all = examples(&Sandbox::new(), &command);
        assert!((2..=4).contains(&all.len()), "{command}: {}", all.len());
        for line in all {
            let names_it = line.contains(&format!("restow {command}"));
            assert!(
                names_it,
                "an example of `{command}` does not show it: {line}"
            );
            let sandbox = prepared();
            let script = format!("set -eu\nPATH=$PWD/bin:{folder}:$PATH\n{line}");
            let mut shell = sandbox.command(Path::new("/bin/bash"));
            let output = shell.args(["-o", "pipefail", "-c", &script]).output();
            let output = output.expect("a shell can be run");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{line}: {said}");
            let is_report = |line: &str| !line.starts_with("error") && !line.starts_with("warning");
            assert!(said.lines().all(is_report), "{line}: {said}");
        }
    }
}

#[test]
fn a_code_is_explained() {
    let sandbox = Sandbox::new();
    expect![[r#"
        compression-unusual

          Severity     warning (the exit code is not affected)
          Meaning      some engines cannot read the compression of a layer
          Consequence  containerd refuses xz and bzip2, Docker before 23 refuses zstd
          Remedy       `restow convert --compress gzip SRC DST` compresses the layers with gzip
    "#]]
    .assert_eq(&printed(
        &sandbox,
        &["verify", "--explain", "compression-unusual"],
    ));
    let plain = printed(&sandbox, &["verify", "--explain", "blob-missing"]);
    let pasted = printed(&sandbox, &["verify", "--explain", "error[blob-missing]"]);
    assert_eq!(pasted, plain);

    let list = printed(&sandbox, &["verify", "--explain"]);
    assert_eq!(printed(&sandbox, &["verify", "--explain", "list"]), list);
    let codes: Vec<&str> = list
        .lines()
        .filter_map(|it| it.split_whitespace().next())
        .collect();
    assert!(codes.len() > 80, "{} codes", codes.len());
    for code in codes {
        let text = printed(&sandbox, &["verify", "--explain", code]);
        assert_eq!(text.lines().count(), 6, "{text}");
    }
}

#[test]
fn a_code_that_is_unknown_has_similar_ones() {
    let sandbox = Sandbox::new();
    let said = |code: &str| {
        let output = sandbox.run(&["verify", "--explain", code]);
        assert_eq!((output.code, output.stdout.as_slice()), (Some(2), &b""[..]));
        output.stderr
    };
    expect![[r#"
        error: unknown code `layer-mising`
          hint: similar codes: `layer-missing`; `restow verify --explain list` lists all codes
    "#]]
    .assert_eq(&said("layer-mising"));
    expect![[r#"
        error: unknown code `symlink`
          hint: similar codes: `symlink-loop`, `through-symlink`; `restow verify --explain list` lists all codes
    "#]]
    .assert_eq(&said("symlink"));
    expect![[r#"
        error: unknown code `E0308`
          hint: `restow verify --explain list` lists all codes
    "#]]
    .assert_eq(&said("E0308"));
}

/// Faults of layers that a remedy says `squash` removes: the code, a stack of layers, and
/// the range.
const MENDED: [(&str, &str, &str); 14] = [
    ("attribute-foreign", "a | b(com.a=00)", "2"),
    ("directory-implied", "d/(700) | d/b", "1..2"),
    ("entry-replaced", "a | b=1 /b=2", "2"),
    ("entry-twice", "a | b=1 b=2", "2"),
    ("link-below", "a=1 | b=>a", "2"),
    ("link-metadata", "a | b=1 c=>b(600)", "2"),
    (
        "rootless-attribute",
        "a | b(user.rootlesscontainers=00)",
        "2",
    ),
    ("through-absolute-link", "a | d/ l->/d l/x=1", "2"),
    ("through-dangling-link", "a | l->d l/x", "2"),
    ("through-file", "a=1 | a/b", "1..2"),
    ("through-symlink", "d/ l->d | l/b", "1..2"),
    ("whiteout-and-entry", "a | b=1 .wh.b", "2"),
    ("whiteout-in-deleted", "a | .wh.d d/.wh.x", "2"),
    ("whiteout-opaque-root", "a | .wh..wh..opq", "2"),
];

#[test]
fn squash_removes_the_faults_of_which_a_remedy_says_so() {
    for (code, stack, range) in MENDED {
        let sandbox = Sandbox::new();
        let remedy = printed(&sandbox, &["verify", "--explain", code]);
        assert!(remedy.contains("`restow squash --layers "), "{remedy}");
        let layers = stack.split('|').map(|layer| tar(&entries(layer)));
        let image = Image::of_layers(&["app:1"], layers.collect());
        sandbox.write("in.tar", make::tar(&make::docker(&[image])));
        let squash = ["squash", "-q", "--layers", range, "in.tar", "out.tar"];
        assert_eq!(sandbox.run(&squash).code, Some(0), "{code}");
        for (archive, is_found) in [("in.tar", true), ("out.tar", false)] {
            let found = sandbox.run(&["verify", archive]).stdout;
            let found = String::from_utf8_lossy(&found);
            let has_code = found.contains(&format!("[{code}]"));
            assert_eq!(has_code, is_found, "{code} in {archive}: {found}");
        }
    }
}
