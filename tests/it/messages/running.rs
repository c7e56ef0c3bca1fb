//! What is said while it runs, and when it is ended.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};

use super::app;
use crate::support::expected::Expected;
use crate::support::make;
use crate::support::sandbox::Sandbox;
use crate::support::tools;

#[test]
fn a_program_gets_an_object_on_each_line() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&make::docker(&[app()])));
    let output = sandbox.run(&["convert", "--progress", "json", "in.tar", "oci:out"]);
    assert_eq!(output.code, Some(0));
    let lines: Vec<Value> = output
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is an object"))
        .collect();
    assert_eq!(
        lines.first(),
        Some(&json!({"event": "progress", "bytes": 0, "total": null, "step": "indexing"}))
    );
    assert_eq!(lines.last(), Some(&json!({"event": "done", "bytes": 6144})));

    let output = sandbox.run(&["convert", "--progress", "json", "missing.tar", "oci:new"]);
    output.fails(expect![[r#"
        {"event":"error","message":"cannot read `missing.tar`","causes":["No such file or directory"],"hint":null}
    "#]]);
}

/// Whatever a command has to say: reports, plans, warnings, failures, wrong usage.
#[test]
fn nothing_but_objects_is_among_the_objects() {
    let image = make::tar(&make::docker(&[app()]));
    let commands: [(&[&str], i32); 19] = [
        (&["convert", "in.tar", "1.tar"], 0),
        (&["convert", "--json", "in.tar", "2.tar"], 0),
        (&["convert", "--tag", "a", "in.tar", "oci:3:a"], 0),
        (&["export", "in.tar", "4.tar"], 0),
        (&["import", "root.tar", "5.tar"], 0),
        (&["squash", "--all", "in.tar", "6.tar"], 0),
        (&["squash", "--last", "1", "in.tar", "7.tar"], 0),
        (&["squash", "--all", "--json", "in.tar", "8.tar"], 0),
        (&["squash", "--all", "--dry-run", "in.tar"], 0),
        (&["squash", "--layers", "7", "in.tar", "no.tar"], 1),
        (&["squash", "in.tar", "no.tar"], 2),
        (&["images", "in.tar"], 0),
        (&["images", "in.tar", "missing", "absent"], 1),
        (&["inspect", "in.tar"], 0),
        (&["history", "in.tar"], 0),
        (&["verify", "in.tar"], 0),
        (&["verify", "root.tar"], 0),
        (&["convert", "in.tar"], 2),
        (&["convrt"], 2),
    ];
    for (command, code) in commands {
        for progress in [&["--progress", "json"][..], &["--progress=json"]] {
            let sandbox = Sandbox::new();
            sandbox.write("in.tar", &image);
            sandbox.write("root.tar", make::layer("file a 1"));
            let output = sandbox.run(&[progress, command].concat());
            assert_eq!(output.code, Some(code), "{output:?}");
            for line in output.stderr.lines() {
                let event: Value = serde_json::from_str(line)
                    .unwrap_or_else(|error| panic!("{command:?}: `{line}`: {error}"));
                assert!(event["event"].is_string(), "{event}");
            }
        }
    }
    let sandbox = Sandbox::new();
    let wrong = sandbox.run(&["squash", "--progress", "json", "in.tar", "out.tar"]);
    expect![[r#"
        {"event":"error","message":"missing option: one of `--all`, `--last N`, `--layers A..B`, `--above BASE` or `--max-layers N`","causes":[],"hint":"`--all` merges all layers"}
    "#]].assert_eq(&wrong.stderr);
}

#[test]
fn a_pipe_that_cannot_be_kept_is_refused() {
    let sandbox = Sandbox::new();
    let run = sandbox.restow(&["convert", "--tmpdir", "missing", "-", "out.tar"]);
    let output = run.stdin_pipe(make::tar(&make::docker(&[app()]))).run();
    output.fails(expect![[r#"
        error: cannot write a temporary file in `missing`
          caused by: No such file or directory
          hint: choose another folder with `--tmpdir DIR`; a container gets one with `docker run --tmpfs /tmp`
    "#]]);
}

#[test]
fn a_signal_ends_it_and_leaves_nothing() {
    for (name, signal) in [("INT", 2), ("TERM", 15), ("HUP", 1), ("QUIT", 3)] {
        for to in ["oci:out", "docker-archive:out", "oci-archive:out"] {
            let sandbox = Sandbox::new();
            // No core dump comes into the folder.
            let launcher = ["/bin/sh", "-c", "ulimit -c 0; exec \"$@\"", "sh"];
            let mut command = sandbox
                .restow(&["convert", "-", to])
                .by(&launcher)
                .command();
            command.stdin(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().expect("the command can be started");
            // It waits for the rest, which never comes.
            let tar = make::tar(&make::docker(&[app()]));
            let mut pipe = child.stdin.take().expect("stdin is piped");
            pipe.write_all(&tar[..3000]).expect("it is read");
            std::thread::sleep(Duration::from_millis(300));
            let id = child.id().to_string();
            let killed = Command::new("kill").args(["-s", name, &id]).status();
            assert!(killed.expect("kill can be run").success());
            let output = child.wait_with_output().expect("it ends");
            let said = String::from_utf8(output.stderr).expect("stderr is UTF-8");
            assert_eq!(output.status.signal(), Some(signal), "{name} {to}");
            expect![[r#"
                error: interrupted
            "#]]
            .check(&said, name);
            assert_eq!(sandbox.tree().len(), 0, "{name} {to}");
            sandbox.assert_no_temporaries();
        }
    }
}

#[test]
fn help_fits_the_command() {
    let sandbox = Sandbox::new();
    for (arguments, golden) in [
        (&["--help"][..], "help.txt"),
        (&["convert", "--help"], "help-convert.txt"),
        (&["convert", "-h"], "help-convert-short.txt"),
        (&["diff", "--help"], "help-diff.txt"),
        (&["diff", "-h"], "help-diff-short.txt"),
        (&["export", "--help"], "help-export.txt"),
        (&["extract", "--help"], "help-extract.txt"),
        (&["extract", "-h"], "help-extract-short.txt"),
        (&["help", "--help"], "help-help.txt"),
        (&["history", "--help"], "help-history.txt"),
        (&["images", "--help"], "help-images.txt"),
        (&["import", "--help"], "help-import.txt"),
        (&["inspect", "--help"], "help-inspect.txt"),
        (&["squash", "--help"], "help-squash.txt"),
        (&["verify", "--help"], "help-verify.txt"),
    ] {
        let output = sandbox.run(arguments);
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
        let text = String::from_utf8(output.stdout).expect("help is UTF-8");
        crate::support::listing::assert_golden(golden, &text);
    }
}

#[test]
fn an_archive_is_not_typed_and_not_written_to_a_terminal() {
    if !tools::is_installed("script") {
        return tools::skip("an archive and a terminal", "script(1) is not installed");
    }
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&make::docker(&[app()])));
    let restow = env!("CARGO_BIN_EXE_restow");
    for (arguments, expected) in [
        (
            "in.tar -",
            expect![[r#"
                error: refusing to write an archive to a terminal
                  hint: name a file, or pipe it to another command
            "#]],
        ),
        (
            "in.tar /dev/tty",
            expect![[r#"
                error: refusing to write an archive to a terminal
                  hint: name a file, or pipe it to another command
            "#]],
        ),
        (
            "in.tar /dev/fd/3 3>&1",
            expect![[r#"
                error: refusing to write an archive to a terminal
                  hint: name a file, or pipe it to another command
            "#]],
        ),
        (
            "- oci:out",
            expect![[r#"
                error: refusing to read an archive from a terminal
                  hint: name a file, or pipe one in
            "#]],
        ),
    ] {
        let line = format!("{restow} convert {arguments}");
        let mut command = sandbox.command("script".as_ref());
        let output = command.args(["-qec", &line, "/dev/null"]).output();
        let output = output.expect("script can be run");
        let said = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        assert_eq!(output.status.code(), Some(2), "{arguments}: {said}");
        expected.check(&said, arguments);
    }
}
