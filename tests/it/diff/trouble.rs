//! Everything that is no comparison ends with exit code 2, and a comparison never does.

use std::fmt::Write as _;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use expect_test::expect;

use super::{compared, image, sandbox};
use crate::support::Sandbox;
use crate::support::codec::Codec;
use crate::support::judge::Format;
use crate::support::layer::stack;
use crate::support::make::{self, Image, Layout};
use crate::support::squash::put;

/// Images `a` and `b`, and other things that are no images.
fn prepared() -> Sandbox {
    let sandbox = sandbox(&image("f=1"), &image("f=2"));
    sandbox.write("text", "not an image");
    sandbox.write("empty", "");
    sandbox.write("folder/file", "x");
    let mut several = Layout::default();
    several.add(&image("f=1"));
    several.add(&Image {
        tags: vec!["other:1".to_owned()],
        ..image("f=2")
    });
    sandbox.write("several", make::tar(&several.members()));
    let cut = image("f=1 g=2").stored_as(Codec::Gzip);
    let mut cut = cut;
    let length = cut.layers[0].len();
    cut.layers[0].truncate(length - 9);
    put(&sandbox, "cut", Format::Docker, &cut);
    let members = make::docker(&[image("f=1")]);
    let members: Vec<_> = members
        .into_iter()
        .filter(|it| !it.name().ends_with("layer.tar"))
        .collect();
    sandbox.write("lost", make::tar(&members));
    sandbox
}

#[test]
fn trouble_of_any_kind() {
    let sandbox = prepared();
    let mut text = String::new();
    for arguments in [
        "",
        "a",
        "--wrong a b",
        "--ignore everything a b",
        "--json --stat a b",
        "a missing",
        "missing b",
        "a text",
        "empty b",
        "folder b",
        "a several",
        "--image other:1 docker-archive:a:app:1 b",
        "--image other:1 a several",
        "--platform linux/riscv64 a b",
        "- -",
        "docker://a b",
        "a docker-daemon:b",
        "cut b",
        "a cut",
        "a lost",
    ] {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        for quiet in [&[][..], &["-q"]] {
            let run = sandbox.run(&[&["diff"], quiet, &arguments].concat());
            assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.stderr);
            assert_eq!(run.stdout, b"", "{arguments:?}");
            if quiet.is_empty() {
                let _ = write!(text, "# diff {}\n{}", arguments.join(" "), run.stderr);
            }
        }
    }
    expect![[r#"
        # diff 
        error: missing arguments: A and B
          hint: A and B are archives, layouts or root filesystem tars, as in `restow diff A B`; one may be `-` for stdin
          usage: restow diff <A> <B> [PATH]...
        # diff a
        error: missing argument: B
          hint: B is the image to compare A with; `docker export CONTAINER | restow diff A -` compares the files of a container with its image, as `docker diff` does
          usage: restow diff <A> <B> [PATH]...
        # diff --wrong a b
        error: unknown option `--wrong`
          hint: `restow diff --help` lists the options
        # diff --ignore everything a b
        error: invalid value `everything` for `--ignore`: expected config, links, mode, mtime, owner or xattrs
        # diff --json --stat a b
        error: `--json` cannot be used with `--stat`
        # diff a missing
        error: cannot read `missing`
          caused by: No such file or directory
          hint: if that is the name of an image: `docker save missing | restow diff A -`
        # diff missing b
        error: cannot read `missing`
          caused by: No such file or directory
          hint: if that is the name of an image: `docker save missing | restow diff - B`
        # diff a text
        error: cannot read `text`
          caused by: it is not a container image (looks like a text file); expected a docker archive, an OCI layout or a tar
        # diff empty b
        error: cannot read `empty`
          caused by: it is empty
        # diff folder b
        error: cannot read `folder`
          caused by: it is a folder; expected an OCI layout
          hint: if it is a root filesystem: `restow import folder DST`
        # diff a several
        error: `several` holds 2 images
          hint: choose one after its path, as in `oci:DIR:REF` or `docker-archive:FILE:REF`: `app:1` (9c2679431851), `other:1` (f4ba266522b0)
        # diff --image other:1 docker-archive:a:app:1 b
        error: A and `--image` both name an image
        # diff --image other:1 a several
        error: no image `other:1` in `a`
          hint: available: `app:1` (fb732484875e)
        # diff --platform linux/riscv64 a b
        error: `app:1` has no image for linux/riscv64
          hint: choose one with `--platform PLATFORM`: `linux/amd64`
        # diff - -
        error: A and B cannot both be standard input
        # diff docker://a b
        error: `docker://a`: unknown transport `docker`
          hint: restow only reads files; pipe the image in: `docker save a | restow diff - B`, after `docker pull a`
        # diff a docker-daemon:b
        error: `docker-daemon:b`: unknown transport `docker-daemon`
          hint: restow only reads files; pipe the image in: `docker save b | restow diff A -`
        # diff cut b
        error: cannot read layer 1 of 1 of `cut:app:1`
          caused by: its gzip stream is damaged
          caused by: incomplete deflate stream
        # diff a cut
        error: cannot read layer 1 of 1 of `cut:app:1`
          caused by: its gzip stream is damaged
          caused by: incomplete deflate stream
        # diff a lost
        error: cannot read `lost`
          caused by: `manifest.json` names `6c007abdf5299b8cbcd9f0e624b5004939ef541c93f6cc81b8dfa31a0cf5d664/layer.tar`, which is missing
    "#]]
    .assert_eq(&text);
}

#[test]
fn the_exit_code_is_all_that_a_quiet_run_says() {
    let sandbox = sandbox(&image("f=1"), &image("f=2"));
    assert_eq!(compared(&sandbox, &["-q", "a", "a"]), (String::new(), 0));
    assert_eq!(compared(&sandbox, &["-q", "a", "b"]), (String::new(), 1));
    assert_eq!(
        compared(&sandbox, &["-q", "--stat", "a", "b"]),
        (String::new(), 1)
    );
}

/// An image in one form, as the argument that names it.
#[test]
fn every_form_of_an_image_is_the_same() {
    let sandbox = Sandbox::new();
    let image = image("f=1 g=>f | d/ d/x=2 l->x | .wh.f");
    let stored = Image::of_layers(&["app:1"], stack("f=1 g=>f | d/ d/x=2 l->x | .wh.f"));
    let stored = stored.stored_as(Codec::Zstd);
    put(&sandbox, "docker", Format::Docker, &image);
    put(&sandbox, "archive", Format::OciArchive, &stored);
    put(&sandbox, "layout", Format::Oci, &image);
    let packed = Codec::Xz.compress(&sandbox.read("docker"));
    sandbox.write("docker.xz", packed);
    sandbox
        .run(&["export", "-q", "docker", "rootfs.tar"])
        .silent();
    let forms = [
        "docker",
        "docker-archive:docker:app:1",
        "oci-archive:archive",
        "layout",
        "oci:layout:app:1",
        "docker.xz",
        "rootfs:rootfs.tar",
        "rootfs.tar",
    ];
    for a in forms {
        for b in forms {
            assert_eq!(
                compared(&sandbox, &["-q", a, b]),
                (String::new(), 0),
                "{a} {b}"
            );
        }
    }
    for (a, b) in [("-", "layout"), ("layout", "-")] {
        for piped in ["docker", "archive", "docker.xz", "rootfs.tar"] {
            let run = sandbox.restow(&["diff", "-q", a, b]);
            let run = run.stdin_pipe(sandbox.read(piped)).run();
            assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{piped}");
        }
    }
}

#[test]
fn one_archive_may_hold_both() {
    let sandbox = Sandbox::new();
    let mut layout = Layout::default();
    layout.add(&image("f=1"));
    layout.add(&Image {
        tags: vec!["app:2".to_owned()],
        ..image("f=1 g")
    });
    sandbox.write("both", make::tar(&layout.members()));
    let (text, code) = compared(
        &sandbox,
        &["oci-archive:both:app:1", "oci-archive:both:app:2"],
    );
    assert_eq!(code, 1);
    expect![[r#"
        A              oci-archive:both:app:1: app:1, linux/amd64, image id fb732484875e
        B              oci-archive:both:app:2: app:2, linux/amd64, image id 1845157ece4f
        Layers         0 shared, of 1 in A and 1 in B
        Config         same
        Files          1 added (0B), 2 same

        A /g  file, size 0
    "#]]
    .assert_eq(&text);
    let arguments = ["--image", "app:2", "both", "both"];
    assert_eq!(compared(&sandbox, &[&["-q"], &arguments[..]].concat()).1, 0);
}

/// A reader that has read enough does not change the result.
#[test]
fn a_closed_pipe_changes_no_result() {
    let many: Vec<String> = (0..20_000)
        .map(|n| format!("file-with-a-long-name-{n}"))
        .collect();
    let sandbox = sandbox(&image("f"), &image(&many.join(" ")));
    for (pair, code) in [(["a", "b"], 1), (["b", "b"], 0)] {
        for format in ["--json", "--color=never"] {
            let mut command = sandbox
                .restow(&["diff", format, pair[0], pair[1]])
                .command();
            let child = command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn();
            let mut child = child.expect("it can be started");
            let mut first = [0];
            let mut stdout = child.stdout.take().expect("it is piped");
            stdout.read_exact(&mut first).expect("it prints something");
            drop(stdout);
            let output = child.wait_with_output().expect("it ends");
            assert_eq!(output.status.code(), Some(code), "{pair:?}");
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        }
    }
}

/// A signal ends it as one: its exit code is none of a comparison.
#[test]
fn a_signal_is_no_result() {
    let sandbox = sandbox(&image("f=1"), &image("f=2"));
    for quiet in [&[][..], &["-q"]] {
        let mut command = sandbox
            .restow(&[&["diff"], quiet, &["-", "b"]].concat())
            .command();
        let child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.expect("it can be started");
        std::thread::sleep(Duration::from_millis(300));
        let killed = Command::new("kill")
            .args(["-s", "INT", &child.id().to_string()])
            .status();
        assert!(killed.expect("kill can be run").success());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.signal(), Some(2), "{output:?}");
        sandbox.assert_no_temporaries();
    }
}

/// A report that cannot be written is trouble, as is help.
#[test]
fn a_full_disk_is_trouble() {
    let sandbox = sandbox(&image("f=1"), &image("f=2"));
    for arguments in [
        &["a", "b"][..],
        &["a", "a"],
        &["--json", "a", "b"],
        &["--help"],
    ] {
        let mut command: Command = sandbox.restow(&[&["diff"], arguments].concat()).command();
        let full = std::fs::File::create("/dev/full").expect("the device can be opened");
        let output = command.stdout(full).output().expect("it can be run");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.starts_with("error: cannot write standard output"),
            "{said}"
        );
    }
}

#[test]
fn names_do_not_steer_the_terminal() {
    let sandbox = sandbox(
        &image("f=1"),
        &image("f=1 a\\x1b[31m\\xff l->\\x07 x(user.\\x1b=1b)"),
    );
    let (text, _) = compared(&sandbox, &["a", "b"]);
    assert!(
        text.chars().all(|it| it == '\n' || !it.is_control()),
        "{text:?}"
    );
    let (text, _) = compared(&sandbox, &["--json", "a", "b"]);
    assert!(
        text.chars().all(|it| it == '\n' || !it.is_control()),
        "{text:?}"
    );
}
