//! Open files as inputs and outputs: standard streams by their paths, other descriptors,
//! fifos, devices, and streams that are closed.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::process::Stdio;

use crate::support::Sandbox;
use crate::support::codec::digest;
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

#[test]
fn what_means_standard_input_or_output_counts_as_that() {
    let sandbox = sandbox();
    for (command, says) in [
        (
            "restow import --config-from /dev/stdin - out < in.tar",
            "error: ROOTFS and IMAGE cannot both be standard input\n",
        ),
        (
            "restow squash --above - /dev/fd/0 out < in.tar",
            "error: SRC and BASE cannot both be standard input\n",
        ),
        (
            "restow squash --all --json in.tar /dev/stdout > out",
            "error: `--json` prints to standard output, where the image goes\n  hint: name a file as DST\n",
        ),
        (
            "restow convert in.tar oci:/dev/stdout > out",
            "error: an OCI layout is a folder, and cannot be written to standard output\n  hint: `oci-archive:-` is a tar of one\n",
        ),
        (
            "restow images /dev/stdin - < in.tar",
            "error: standard input can be read once, and SRC names it more often\n",
        ),
    ] {
        assert_eq!(
            shell(&sandbox, command),
            (Some(2), says.to_owned()),
            "{command}"
        );
    }
}

#[test]
fn a_stream_that_is_closed_is_a_failure() {
    let sandbox = sandbox();
    let closed = "error: cannot write standard output\n  caused by: it is closed\n  hint: name `/dev/null` as DST to write to nowhere\n";
    for to in ["-", "/dev/stdout", "/dev/fd/1"] {
        for (command, _) in writers(to) {
            let script = format!("{command} >&-");
            assert_eq!(
                shell(&sandbox, &script),
                (Some(1), closed.to_owned()),
                "{script}"
            );
        }
    }
    let before = sandbox.tree();
    for (script, says) in [
        (
            "restow convert - out <&-",
            "error: cannot read standard input\n  caused by: it is closed\n",
        ),
        (
            "restow import /dev/stdin out <&-",
            "error: cannot read standard input\n  caused by: it is closed\n",
        ),
        (
            "restow convert in.tar /dev/fd/9",
            "error: cannot write `/dev/fd/9`\n  caused by: Bad file descriptor (os error 9)\n",
        ),
        (
            "restow convert /dev/fd/9 out",
            "error: cannot read `/dev/fd/9`\n  caused by: Bad file descriptor (os error 9)\n",
        ),
        (
            "restow convert in.tar /dev/fd/3 3<converted",
            "error: cannot write `/dev/fd/3`\n  caused by: Bad file descriptor (os error 9)\n",
        ),
    ] {
        let got = shell(&sandbox, script);
        assert_eq!(got, (Some(1), says.to_owned()), "{script}");
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
        let says = "error: `out` exists\n  hint: pass `--force` to replace it\n";
        assert_eq!(
            shell(&sandbox, &command),
            (Some(1), says.to_owned()),
            "{command}"
        );
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
    let open = "error: DST is the file that SRC is, and would be written while it is read\n  \
                hint: name the file itself as the output, with `--force`: it is replaced when the new one is whole\n";
    let part = "error: DST is a part of the layout that SRC is\n  \
                hint: name a file that is not in the layout\n";
    for (script, says) in [
        ("restow convert in.tar - >> in.tar", open),
        ("restow squash --all in.tar - 1<> in.tar", open),
        ("restow export in.tar 1<> in.tar", open),
        ("restow convert - - < in.tar 1<> in.tar", open),
        (
            "restow convert /dev/fd/5 /dev/fd/7 5< in.tar 7>> in.tar",
            open,
        ),
        ("restow convert --force lay lay/index.json", part),
        ("restow squash --all --force oci:lay ./lay/oci-layout", part),
        ("restow export lay lay/blobs/sha256/new", part),
        ("restow convert lay oci:lay/blobs/new", part),
    ] {
        assert_eq!(
            shell(&sandbox, script),
            (Some(2), says.to_owned()),
            "{script}"
        );
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
        ("restow convert in.tar fifo", ""),
        ("restow export --compress gzip in.tar fifo", ""),
        ("restow convert fifo out", "error: interrupted\n"),
        ("restow verify fifo", "error: interrupted\n"),
        ("exec 3<> fifo; restow convert in.tar fifo", ""),
        ("exec 3<> fifo; restow export in.tar - > fifo", ""),
    ] {
        let script = script.replace("restow", "timeout --kill-after 60 1 restow");
        // 137 would be that of the second signal, which cannot be ignored.
        let got = shell(&sandbox, &script);
        assert_eq!(got, (Some(124), says.to_owned()), "{script}");
    }
    fs::remove_file(sandbox.path("fifo")).expect("it can be removed");
    assert_eq!(sandbox.tree(), before);
    sandbox.assert_no_temporaries();
}
