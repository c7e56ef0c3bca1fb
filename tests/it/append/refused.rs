//! Layers and paths that are refused, and what then remains: nothing.

use std::process::Command;

use expect_test::expect;

use super::{BASE, added, base, files};
use crate::support::codec::{Codec, decompress};
use crate::support::entry::entries;
use crate::support::judge::Format;
use crate::support::layer;
use crate::support::sandbox::Sandbox;
use crate::support::squash::read;

/// Layers that are refused, with and without `--at`.
#[test]
fn a_hostile_layer_is_refused_before_anything_is_written() {
    for (words, reasons) in [
        ("../x=1", ["leads out of the root"; 2]),
        (
            "a l=>nowhere",
            ["`nowhere`, which does not exist", "nowhere`, which"],
        ),
        ("l=>../../etc/passwd", ["leads out of the root"; 2]),
        (
            "a a/b",
            ["its parent `a` is not a directory", "its parent `n/a`"],
        ),
        ("d/.wh..", ["must name the path that it deletes"; 2]),
        (
            "l=>srv/f",
            ["a hard link to a file of a lower layer", "n/srv/f`, which"],
        ),
    ] {
        for (at, reason) in [(&[][..], reasons[0]), (&["--at", "/n"], reasons[1])] {
            for out in ["oci:lay", "new.tar", "oci:new", "-"] {
                let sandbox = Sandbox::new();
                let source = base(&sandbox, Format::Docker, BASE);
                sandbox.run(&["convert", &source, "oci:lay"]).silent();
                sandbox.write("l.tar", layer::tar(&entries(words)));
                let before = sandbox.tree();
                let words = [&["append"], at, &[&*source, out, "l.tar"]].concat();
                let run = sandbox.run(&words);
                assert_eq!(run.code, Some(1), "{words:?}");
                assert!(run.stderr.contains("cannot read `l.tar`"), "{}", run.stderr);
                assert!(run.stderr.contains(reason), "{}", run.stderr);
                // A stream may have begun, with the folders of an archive.
                assert!(run.stdout.len() <= 1024, "{words:?}");
                assert!(sandbox.tree() == before, "{words:?}");
            }
        }
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let sandbox = Sandbox::new();
    let source = base(&sandbox, Format::Docker, BASE);
    files(&sandbox, &[("f", "new", 0o644), ("d/a", "1", 0o600)]);
    sandbox.write("l.tar", layer::tar(&entries("a")));
    let run = |words: &[&str]| sandbox.run(&[&["append", &source, "out"], words].concat());
    run(&["--delete", "/nope"]).fails(expect![[r#"
        error: no `/nope` in `app:1`
          hint: `restow files SRC '**/nope'` looks in every folder
    "#]]);
    run(&["--delete", "/"]).fails(expect![[r"
        error: cannot delete the root of `app:1`
    "]]);
    run(&["f:/etc/hosts/x"]).fails(expect![[r"
        error: no `/etc/hosts/x` in `app:1`: `/etc/hosts` is not a directory
    "]]);
    run(&["d:/etc/hosts"]).fails(expect![[r"
        error: no `/etc/hosts` in `app:1`: `/etc/hosts` is not a directory
    "]]);
    run(&["f:/../x"]).fails(expect![[r"
        error: `/../x` is not a path in an image: the path leads out of the root
    "]]);
    run(&["in"]).fails(expect![[r"
        error: cannot read `in`
          caused by: it is a docker archive, not a root filesystem
          hint: `restow convert` copies images, and `restow export` makes a root filesystem of one; use `rootfs:PATH` if it really is a root filesystem
    "]]);
    for words in [
        &["nope"][..],
        &["nope:/x"],
        &["f:x"],
        &["word:x"],
        &["--owner", "1:1", "l.tar"],
        &["--at", "/x", "f:/y"],
        &[],
        &["-", "-"],
    ] {
        assert_eq!(run(words).code, Some(2), "{words:?}");
    }
    run(&["f:x"]).ends(
        2,
        expect![[r"
        error: LAYER `f:x`: the path in the image must begin with a slash
          hint: a LAYER is a tar, a folder, FILE:/PATH/IN/IMAGE, or - for a tar from standard input
    "]],
    );
    run(&["nope:/x"]).ends(
        2,
        expect![[r"
        error: LAYER `nope:/x`: there is no `nope`
          hint: a LAYER is a tar, a folder, FILE:/PATH/IN/IMAGE, or - for a tar from standard input
    "]],
    );
    let alone = ["append", "--image", "x", "scratch", "out", "l.tar"];
    assert_eq!(sandbox.run(&alone).code, Some(2));
    assert!(!sandbox.path("out").exists());
}

/// A file or a folder whose name would be a whiteout in the layer.
#[test]
fn no_name_of_a_file_deletes_files() {
    let cases: [(&[&str], &str); 8] = [
        (&["./.wh.hosts:/etc/"], "etc/.wh.hosts"),
        (&["./.wh.hosts:/etc"], "etc/.wh.hosts"),
        (&["f:/usr/.wh.lib"], "usr/.wh.lib"),
        (&["f:/usr/.wh.lib/"], "usr/.wh.lib"),
        (&["f:/.wh..wh..opq"], ".wh..wh..opq"),
        (&["d:/.wh.x/y"], ".wh.x/y"),
        (&["--at", ".wh.x", "d"], ".wh.x"),
        (&["--at", ".wh.x", "l.tar"], ".wh.x"),
    ];
    for (words, path) in cases {
        for only_new in [&[][..], &["--only-new"]] {
            let sandbox = Sandbox::new();
            let source = base(&sandbox, Format::Docker, BASE);
            files(
                &sandbox,
                &[
                    (".wh.hosts", "1", 0o644),
                    ("f", "1", 0o644),
                    ("d/a", "1", 0o644),
                ],
            );
            sandbox.write("l.tar", layer::tar(&entries("a")));
            let before = sandbox.tree();
            let run = sandbox.run(&[&["append", &source, "out"], only_new, words].concat());
            let reason = "in an image, a name that begins with `.wh.` deletes files";
            let expected = format!("error: cannot add `{path}`: {reason}\n");
            assert_eq!((run.code, run.stderr), (Some(1), expected), "{words:?}");
            assert!(sandbox.tree() == before, "{words:?}");
        }
    }
}

/// Docker refuses such a layer: `gzip: invalid header`.
#[test]
fn bytes_after_a_compressed_layer_are_not_kept() {
    let (tar, after) = (layer::tar(&entries("a=1")), [[0; 7], *b"garbage"]);
    for after in after {
        let sandbox = Sandbox::new();
        let source = base(&sandbox, Format::Docker, BASE);
        sandbox.write("l", [&Codec::Gzip.compress(&tar)[..], &after].concat());
        let before = sandbox.tree();
        for out in ["out", "oci:out"] {
            sandbox
                .run(&["append", &source, out, "l"])
                .fails(expect![[r"
                error: cannot read `l`
                  caused by: 7 bytes follow the end of its gzip stream; engines refuse such a layer
                  hint: `--compress gzip:6` writes it anew, without them
            "]]);
            assert!(sandbox.tree() == before);
        }
        let words = ["append", &source, "oci:out", "l", "--compress", "gzip:6"];
        let run = sandbox.run(&words);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let warning = "7 bytes follow the end of the compressed stream";
        let warns = run.stderr.contains(warning);
        assert_eq!(warns, after[0] != 0, "{}", run.stderr);
        let written = read(&sandbox, "out", Format::Oci);
        assert!(decompress(&written.stored[2]) == tar);
        sandbox.run(&["verify", "oci:out"]).reports();
    }
}

/// A file that the shell opened as the output is not written while it is read.
#[test]
fn the_file_of_a_layer_is_no_open_output() {
    let sandbox = Sandbox::new();
    let source = base(&sandbox, Format::Docker, BASE);
    files(&sandbox, &[("keep.bin", "content", 0o644)]);
    let before = sandbox.tree();
    for words in ["keep.bin:/data", "keep.bin:/", "--only-new keep.bin:/data"] {
        let script = format!(
            "{} append {source} - {words} 1<> keep.bin",
            env!("CARGO_BIN_EXE_restow")
        );
        let mut shell = Command::new("sh");
        let run = shell.args(["-c", &script]).current_dir(sandbox.path("."));
        let run = run.output().expect("a shell runs");
        assert_eq!(run.status.code(), Some(2), "{words}");
        let says = String::from_utf8_lossy(&run.stderr);
        assert!(says.contains("DST and LAYER are the same file"), "{says}");
        assert!(sandbox.tree() == before, "{words}");
    }
}

/// A made layer is judged like one that is kept.
#[test]
fn no_layer_is_made_with_names_that_no_file_system_has() {
    let deep = ["d".repeat(200).as_str(); 21].join("/");
    for path in ["n".repeat(300), format!("b/{}/c", "n".repeat(256)), deep] {
        let sandbox = Sandbox::new();
        let source = base(&sandbox, Format::Docker, BASE);
        sandbox.write("l", layer::tar(&entries(&format!("a=1 {path}=2"))));
        let before = sandbox.tree();
        let run = |words: &[&str]| {
            let run = sandbox.run(&[&["append", &source, "out"], words].concat());
            assert_eq!(run.code, Some(1), "{words:?} {}", run.stderr);
            assert!(sandbox.tree() == before, "{words:?}");
            run.stderr
        };
        let plain = run(&["l"]);
        assert!(plain.contains("longer than"), "{plain}");
        assert!(!plain.contains("hint:"), "{plain}");
        for words in [&["--only-new", "l"][..], &["--changed", "l"]] {
            assert_eq!(run(words), plain, "{words:?}");
        }
    }
}

/// A whiteout has a longer name than what it deletes.
#[test]
fn a_whiteout_of_a_long_name_is_warned_of() {
    for (length, is_long) in [(251, false), (252, true), (255, true)] {
        let name = "n".repeat(length);
        let sandbox = Sandbox::new();
        let source = base(&sandbox, Format::Docker, &format!("a {name}"));
        sandbox.write("whole", layer::tar(&entries("a")));
        for words in [&["--delete", &name][..], &["--changed", "whole"]] {
            let words = [&["append", "--force", &source, "out"], words].concat();
            let warnings = sandbox.run(&words).warnings();
            let of_name = |it: &String| it.contains("a whiteout is longer than 255 bytes");
            assert_eq!(warnings.len(), usize::from(is_long), "{warnings:?}");
            assert!(warnings.iter().all(of_name), "{warnings:?}");
        }
    }
}

#[test]
fn a_file_that_is_no_tar_may_be_meant_as_a_file() {
    let sandbox = Sandbox::new();
    let source = base(&sandbox, Format::Docker, BASE);
    sandbox.write("bin/prog", b"\x7fELF and so on");
    sandbox.run(&["append", &source, "out", "bin/prog"]).fails(
        "error: cannot read `bin/prog`\n  caused by: it is not a tar (looks like an ELF executable)\n  \
         hint: `bin/prog:/prog` adds it as a file of the image\n",
    );
}

/// A folder is packed in the one way that there is.
#[test]
fn no_hint_for_what_was_packed_here() {
    let sandbox = Sandbox::new();
    let source = base(&sandbox, Format::Docker, BASE);
    files(&sandbox, &[("d/.wh.", "x", 0o644)]);
    let run = sandbox.run(&["append", &source, "out", "d"]);
    assert_eq!(run.code, Some(1));
    assert!(!run.stderr.contains("--only-new"), "{}", run.stderr);
}

/// The way out keeps the whiteouts.
#[test]
fn a_layer_that_is_refused_can_be_written_anew() {
    let sandbox = Sandbox::new();
    let source = base(&sandbox, Format::Docker, BASE);
    sandbox.write("l", layer::tar(&entries("etc/ etc/.wh.hosts l=>srv/f")));
    let run = sandbox.run(&["append", &source, "out", "l"]);
    let hint = "  hint: with `--only-new` the layer is written anew so that engines accept it\n";
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.ends_with(hint), "{}", run.stderr);
    sandbox
        .run(&["append", &source, "oci:out", "l", "--only-new"])
        .warnings();
    let written = read(&sandbox, "out", Format::Oci);
    let expected = "srv/ srv/f=old etc/ etc/.wh.hosts l=>srv/f";
    assert_eq!(added(&written, 2), expected);
    sandbox.run(&["verify", "oci:out"]).reports();
}
