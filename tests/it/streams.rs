//! Open files as inputs and outputs: standard streams by their paths, other descriptors,
//! fifos, devices, and streams that are closed.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::process::Stdio;

use expect_test::expect;

use crate::support::Sandbox;
use crate::support::codec::digest;
use crate::support::expected::Expected;
use crate::support::make::{self, Image};
use crate::support::tools;

/// A folder with an archive, and what `convert` and `export` write of it.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let image = Image::new(&["app:1"], &["dir etc\nfile etc/hosts h", "file b 2"]);
    sandbox.write("in.tar", make::tar(&make::docker(&[image])));
    for (command, out) in [("convert", "converted"), ("export", "exported")] {
        sandbox.run(&[command, "in.tar", out]).silent();
    }
    sandbox
}

/// What a shell, in which `restow` is the command, says and how it ends.
fn shell(sandbox: &Sandbox, script: &str) -> (Option<i32>, String) {
    let mut command = sandbox.command("bash".as_ref());
    let script = script.replace("restow", env!("CARGO_BIN_EXE_restow"));
    let output = command.args(["-c", &script]).output();
    let output = output.expect("bash can be run");
    assert_eq!(output.stdout, b"", "{script}");
    let said = String::from_utf8(output.stderr).expect("stderr is UTF-8");
    (output.status.code(), said)
}

/// Checks that a script ends with this code and says just that on standard error.
#[track_caller]
fn says_so(sandbox: &Sandbox, script: &str, code: i32, expected: impl Expected) {
    let (got, said) = shell(sandbox, script);
    assert_eq!(got, Some(code), "{script}: {said}");
    expected.check(&said, script);
}

/// The command lines that write what `converted` and `exported` hold, to an output.
fn writers(to: &str) -> [(String, &'static str); 3] {
    [
        (format!("restow convert in.tar {to}"), "converted"),
        (
            format!("restow convert in.tar docker-archive:{to}"),
            "converted",
        ),
        (format!("restow export in.tar {to}"), "exported"),
    ]
}

#[test]
fn an_open_file_is_written_on_from_where_it_stands() {
    let sandbox = sandbox();
    symlink("/dev/stdout", sandbox.path("link")).expect("a link can be made");
    for (to, redirection) in [
        ("-", ""),
        ("/dev/stdout", ""),
        ("--force /dev/stdout", ""),
        ("/dev/fd/1", ""),
        ("/proc/self/fd/1", ""),
        ("link", ""),
        ("/dev/stderr", "2>&1"),
        ("/dev/fd/3", "3>&1"),
        ("--force /dev/fd/17", "17>&1"),
    ] {
        for (command, expected) in writers(to) {
            // The transport comes after the option.
            let command = command.replace("docker-archive:--force ", "--force docker-archive:");
            let script = format!("(echo head; {command} {redirection}; echo tail) > out");
            assert_eq!(shell(&sandbox, &script), (Some(0), String::new()));
            let mut whole = b"head\n".to_vec();
            whole.extend_from_slice(&sandbox.read(expected));
            whole.extend_from_slice(b"tail\n");
            assert_eq!(digest(&sandbox.read("out")), digest(&whole), "{script}");
        }
    }
    assert!(sandbox.path("link").is_symlink());
    sandbox.assert_no_temporaries();
}

#[test]
fn an_open_file_is_read_from_where_it_stands() {
    let sandbox = sandbox();
    sandbox.write("long", [b"head\n", &*sandbox.read("in.tar")].concat());
    for (from, redirection) in [
        ("-", "<&3"),
        ("/dev/stdin", "<&3"),
        ("/dev/fd/0", "<&3"),
        ("/dev/fd/3", ""),
        ("/proc/self/fd/3", ""),
        ("docker-archive:/dev/fd/3", ""),
    ] {
        let script =
            format!("exec 3<long; read -u 3; restow convert --force {from} out {redirection}");
        assert_eq!(
            shell(&sandbox, &script),
            (Some(0), String::new()),
            "{script}"
        );
        assert_eq!(sandbox.read("out"), sandbox.read("converted"), "{script}");
        let script = format!("cat in.tar | restow convert --force {from} out 3<&0");
        let (code, said) = shell(&sandbox, &script);
        assert_eq!((code, said.as_str()), (Some(0), ""), "{script}");
        assert_eq!(sandbox.read("out"), sandbox.read("converted"), "{script}");
    }
}

/// The next command would otherwise read what is after the end of the archive: an empty root
/// filesystem, if there is padding.
#[test]
fn an_open_file_stays_where_it_stands() {
    let sandbox = sandbox();
    let padded = [&*sandbox.read("in.tar"), &[0; 10_240]].concat();
    sandbox.write("in.tar", padded);
    sandbox.run(&["convert", "in.tar", "in.tar.gz"]).silent();
    for name in ["in.tar", "in.tar.gz", "exported"] {
        let script = format!(
            "exec 3<{name}; for each in images files verify waste; do
                restow $each /dev/fd/3 > said 2>&1; done
            restow cat /dev/fd/3 etc/hosts > said
            restow export /dev/fd/3 > tree; restow import --force /dev/fd/3 base
            restow diff --quiet /dev/fd/3 /dev/fd/3 && restow diff --quiet /dev/fd/3 {name} &&
            restow convert --force /dev/fd/3 /dev/fd/3 again && restow convert --force {name} once"
        );
        let (code, said) = shell(&sandbox, &script);
        assert_eq!(code, Some(0), "{script}: {said}");
        assert_eq!(sandbox.read("again"), sandbox.read("once"), "{name}");
        assert_eq!(sandbox.read("tree"), sandbox.read("exported"), "{name}");
    }
}

#[test]
fn what_means_standard_input_or_output_counts_as_that() {
    let sandbox = sandbox();
    for (command, says) in [
        (
            "restow import --config-from /dev/stdin - out < in.tar",
            expect![[r#"
                error: ROOTFS and IMAGE cannot both be standard input
            "#]],
        ),
        (
            "restow squash --above - /dev/fd/0 out < in.tar",
            expect![[r#"
                error: SRC and BASE cannot both be standard input
            "#]],
        ),
        (
            "restow squash --all --json in.tar /dev/stdout > out",
            expect![[r#"
                error: `--json` cannot be used when the image goes to standard output
                  hint: name a file as DST
            "#]],
        ),
        (
            "restow convert in.tar oci:/dev/stdout > out",
            expect![[r#"
                error: an OCI layout is a folder and cannot be written to standard output
                  hint: `oci-archive:-` writes a tar of one
            "#]],
        ),
        (
            "restow images /dev/stdin - < in.tar",
            expect![[r#"
                error: standard input can be read only once
            "#]],
        ),
    ] {
        says_so(&sandbox, command, 2, says);
    }
}

#[test]
fn a_stream_that_is_closed_is_a_failure() {
    let sandbox = sandbox();
    let closed = expect![[r#"
        error: cannot write standard output
          caused by: the stream is closed
          hint: use `/dev/null` as DST to discard the output
    "#]];
    for to in ["-", "/dev/stdout", "/dev/fd/1"] {
        for (command, _) in writers(to) {
            let script = format!("{command} >&-");
            says_so(&sandbox, &script, 1, &closed);
        }
    }
    let before = sandbox.tree();
    for (script, says) in [
        (
            "restow convert - out <&-",
            expect![[r#"
            error: cannot read standard input
              caused by: the stream is closed
        "#]],
        ),
        (
            "restow import /dev/stdin out <&-",
            expect![[r#"
            error: cannot read standard input
              caused by: the stream is closed
        "#]],
        ),
        (
            "restow convert in.tar /dev/fd/9",
            expect![[r#"
                error: cannot write `/dev/fd/9`
                  caused by: Bad file descriptor
            "#]],
        ),
        (
            "restow convert /dev/fd/9 out",
            expect![[r#"
                error: cannot read `/dev/fd/9`
                  caused by: Bad file descriptor
            "#]],
        ),
        (
            "restow convert in.tar /dev/fd/3 3<converted",
            expect![[r#"
                error: cannot write `/dev/fd/3`
                  caused by: Bad file descriptor
            "#]],
        ),
    ] {
        says_so(&sandbox, script, 1, says);
    }
    assert_eq!(sandbox.tree(), before);
    // What is only told needs nobody who listens.
    let script = "restow verify in.tar >&-";
    assert_eq!(shell(&sandbox, script), (Some(0), String::new()));
    // To write to nowhere is something else.
    for script in [
        "restow convert in.tar - >/dev/null",
        "restow export in.tar >/dev/null",
        "restow export in.tar /dev/null",
        "restow export in.tar /dev/null >&-",
    ] {
        assert_eq!(
            shell(&sandbox, script),
            (Some(0), String::new()),
            "{script}"
        );
    }
}

#[test]
fn fifos_and_devices_are_written_to_and_stay() {
    let sandbox = sandbox();
    drop(tools::tool("mkfifo", &[sandbox.path("fifo").as_os_str()]));
    for (command, expected) in writers("fifo") {
        let mut reader = sandbox.command("cat".as_ref());
        let reader = reader.arg("fifo").stdout(Stdio::piped()).spawn();
        let reader = reader.expect("cat can be run");
        assert_eq!(
            shell(&sandbox, &command),
            (Some(0), String::new()),
            "{command}"
        );
        let got = reader.wait_with_output().expect("cat ends").stdout;
        assert_eq!(digest(&got), digest(&sandbox.read(expected)), "{command}");
        let kind = fs::symlink_metadata(sandbox.path("fifo")).expect("it is there");
        assert!(kind.file_type().is_fifo(), "{command}");
    }
    fs::remove_file(sandbox.path("fifo")).expect("it can be removed");
    for (command, _) in writers("/dev/null") {
        assert_eq!(
            shell(&sandbox, &command),
            (Some(0), String::new()),
            "{command}"
        );
        let kind = fs::metadata("/dev/null").expect("it is there").file_type();
        assert!(kind.is_char_device(), "{command}");
    }
}

/// As mktemp(1) makes one, to be written to by name.
#[test]
fn an_empty_file_may_be_replaced() {
    let sandbox = sandbox();
    for (command, expected) in writers("out") {
        sandbox.write("out", "");
        assert_eq!(
            shell(&sandbox, &command),
            (Some(0), String::new()),
            "{command}"
        );
        assert_eq!(sandbox.read("out"), sandbox.read(expected), "{command}");
        let says = if command.contains("convert") {
            expect![[r#"
                error: `out` already exists
                  hint: use `--force` to overwrite it; if it is another SRC, name DST after it
            "#]]
        } else {
            expect![[r#"
                error: `out` already exists
                  hint: use `--force` to overwrite it
            "#]]
        };
        says_so(&sandbox, &command, 1, says);
    }
    // What is refused leaves it as it is.
    sandbox.write("out", "");
    sandbox.write("cut.tar", &sandbox.read("in.tar")[..2000]);
    drop(sandbox.run(&["convert", "cut.tar", "out"]).refuses());
    assert_eq!(sandbox.read("out"), b"");
}

/// Whoever opens a file to write it on, or names a file of a layout, may mean another one;
/// the input would be gone.
#[test]
fn an_output_that_would_spoil_the_input_is_refused() {
    let sandbox = sandbox();
    sandbox.run(&["convert", "in.tar", "oci:lay"]).silent();
    let before = sandbox.tree();
    let open = expect![[r#"
        error: DST and SRC are the same file, which would be overwritten while it is read
          hint: name the file itself as the output, with `--force`: it is replaced once the new one is complete
    "#]];
    let part = expect![[r#"
        error: DST is inside the layout that is SRC
          hint: choose a file outside the layout
    "#]];
    let base = expect![[r#"
        error: DST is inside the layout that is BASE
          hint: choose a file outside the layout
    "#]];
    for (script, says) in [
        ("restow convert in.tar - >> in.tar", &open),
        ("restow squash --all in.tar - 1<> in.tar", &open),
        ("restow export in.tar 1<> in.tar", &open),
        ("restow convert - - < in.tar 1<> in.tar", &open),
        (
            "restow convert /dev/fd/5 /dev/fd/7 5< in.tar 7>> in.tar",
            &open,
        ),
        ("restow convert --force lay lay/index.json", &part),
        (
            "restow squash --all --force oci:lay ./lay/oci-layout",
            &part,
        ),
        ("restow export lay lay/blobs/sha256/new", &part),
        ("restow convert lay oci:lay/blobs/new", &part),
        (
            "restow convert --force --with lay in.tar lay/index.json",
            &base,
        ),
    ] {
        says_so(&sandbox, script, 2, says);
    }
    assert_eq!(sandbox.tree(), before);
    // What is replaced when it is whole spoils nothing.
    for script in [
        "restow convert --force - in.tar < in.tar",
        "restow convert --force /dev/fd/5 in.tar 5< in.tar",
        "restow convert lay oci:lay",
        "cd lay && restow convert . new.tar",
    ] {
        assert_eq!(
            shell(&sandbox, script),
            (Some(0), String::new()),
            "{script}"
        );
    }
}

/// A fifo that nobody opens at the other end, and one that nobody reads from.
#[test]
fn one_signal_ends_what_waits_for_the_other_end() {
    let sandbox = sandbox();
    // A pipe holds a megabyte at the most.
    let image = Image::new(
        &["app:1"],
        &[&format!("file big {}", "x".repeat(2_000_000))],
    );
    sandbox.write("in.tar", make::tar(&make::docker(&[image])));
    let before = sandbox.tree();
    drop(tools::tool("mkfifo", &[sandbox.path("fifo").as_os_str()]));
    for (script, says) in [
        ("restow convert in.tar fifo", expect![""]),
        ("restow export --compress gzip in.tar fifo", expect![""]),
        (
            "restow convert fifo out",
            expect![[r#"
            error: interrupted
        "#]],
        ),
        (
            "restow verify fifo",
            expect![[r#"
            error: interrupted
        "#]],
        ),
        ("exec 3<> fifo; restow convert in.tar fifo", expect![""]),
        ("exec 3<> fifo; restow export in.tar - > fifo", expect![""]),
    ] {
        let script = script.replace("restow", "timeout --kill-after 60 1 restow");
        // 137 would be that of the second signal, which cannot be ignored.
        says_so(&sandbox, &script, 124, says);
    }
    fs::remove_file(sandbox.path("fifo")).expect("it can be removed");
    assert_eq!(sandbox.tree(), before);
    sandbox.assert_no_temporaries();
}

/// A tar without an end is complete to many readers, and a pipe carries no exit code.
#[test]
fn a_tree_that_fails_halfway_is_refused_by_its_readers() {
    for size in 0..8 {
        // More than is held back before the first byte is written.
        let content = "x".repeat(1_000_000 + 100 * size);
        let image = Image::new(&["app:1"], &[&format!("file a {content}"), "file b 2"]);
        // The config names the layer as it was.
        let mut damaged = image.clone();
        damaged.layers[0][1000] ^= 1;
        let sandbox = Sandbox::new();
        sandbox.write("in.tar", make::tar(&make::docker(&[damaged])));
        let run = sandbox.restow(&["export", "in.tar", "-"]).run();
        assert_eq!(run.code, Some(1), "{size}: {}", run.stderr);
        assert!(!run.stdout.is_empty(), "{size}: nothing was written");
        sandbox.write("tree.tar", &run.stdout);
        drop(sandbox.run(&["import", "tree.tar", "out.tar"]).refuses());
        let mut tar = sandbox.command("tar".as_ref());
        let listed = tar.args(["-tf", "tree.tar"]).output();
        assert!(!listed.expect("tar can be run").status.success(), "{size}");
    }
}
