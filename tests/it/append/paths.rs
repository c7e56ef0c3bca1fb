//! Where new content lands.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::{BASE, added, age, append, base, files};
use crate::support::codec::Codec;
use crate::support::entry::entries;
use crate::support::judge::Format;
use crate::support::layer;
use crate::support::naive::replay;
use crate::support::sandbox::Sandbox;
use crate::support::squash::read;
use crate::support::tree::{Strictness, assert_same};

/// A sandbox with files to add.
fn prepared() -> Sandbox {
    let sandbox = Sandbox::new();
    files(
        &sandbox,
        &[
            ("f", "new", 0o644),
            ("x", "run", 0o755),
            ("d/a", "1", 0o600),
            ("d/s/b", "2", 0o644),
        ],
    );
    for (name, mode) in [("d/s", 0o750), ("d", 0o711)] {
        let path = sandbox.path(name);
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode can be set");
        age(&sandbox, name);
    }
    sandbox.write(
        "l.tar",
        layer::tar(&entries(
            "./(0700) q/(0700) q/f=1 q/l=>q/f q/.wh.gone .wh..wh..opq",
        )),
    );
    sandbox
}

#[test]
fn content_lands_where_a_container_finds_its_path() {
    let cases: [(&[&str], &str); 20] = [
        (&["f:/f"], "f=new"),
        (&["./f:/tmp/g"], "tmp/(01777,@5) tmp/g=new"),
        (&["x:/tmp"], "tmp/(01777,@5) tmp/x=run(0755)"),
        (&["f:/new/dir/"], "new/(@9) new/dir/(@9) new/dir/f=new"),
        (&["f:/new/dir"], "new/(@9) new/dir=new"),
        (&["f:/"], "f=new"),
        (&["f:/lib/f"], "usr/ usr/lib/(0750,3:4) usr/lib/f=new"),
        (&["f:/lib"], "usr/ usr/lib/(0750,3:4) usr/lib/f=new"),
        (&["f:/data/f"], "srv/ srv/f=new"),
        (&["f:/data/../etc/./h"], "etc/ etc/h=new"),
        (&["f:/link/h"], "no/(@9) no/where/(@9) no/where/h=new"),
        (&["f:/link"], "no/(@9) no/where=new"),
        (&["d"], "a=1(0600) s/(0750) s/b=2"),
        (
            &["d:/lib"],
            "usr/ usr/lib/(0750,3:4) usr/lib/a=1(0600) usr/lib/s/(0750) usr/lib/s/b=2",
        ),
        (
            &["d:/n/m"],
            "n/(@9) n/m/(@9) n/m/a=1(0600) n/m/s/(0750) n/m/s/b=2",
        ),
        (
            &["--at", "/data", "d"],
            "srv/ srv/a=1(0600) srv/s/(0750) srv/s/b=2",
        ),
        (&["--at", "/", "d"], "a=1(0600) s/(0750) s/b=2"),
        (
            &["--at", "data/n", "l.tar"],
            "srv/ srv/n/(@9) srv/n/q/(0700) srv/n/q/f=1 srv/n/q/l=>srv/n/q/f srv/n/q/.wh.gone \
             srv/n/.wh..wh..opq",
        ),
        (
            &["--owner", "5:6", "f:/g", "d:/"],
            "g=new(5:6) | a=1(0600,5:6) s/(0750,5:6) s/b=2(5:6)",
        ),
        (
            &["f:/way/f", "x:/way"],
            "way/(@9) way/f=new | way/(@9) way/x=run(0755)",
        ),
    ];
    for (words, expected) in cases {
        let sandbox = prepared();
        let layers = format!("{BASE} | link->no/where");
        let source = base(&sandbox, Format::Docker, &layers);
        let written = append(&sandbox, &[&[&*source, "out"], words].concat());
        assert_eq!(added(&written, 3), expected, "{words:?}");
    }
}

#[test]
fn a_folder_in_a_layer_is_a_way_for_the_next_one() {
    let sandbox = prepared();
    let source = base(&sandbox, Format::Docker, BASE);
    sandbox.write("l", layer::tar(&entries("way->/srv/deep srv/deep/(0700)")));
    let written = append(&sandbox, &[&source, "out", "l", "f:/way/f"]);
    let expected = "way->/srv/deep srv/deep/(0700) | srv/ srv/deep/(0700) srv/deep/f=new";
    assert_eq!(added(&written, 2), expected);
}

#[test]
fn deletions_are_one_layer_below_the_others() {
    let cases: [(&[&str], &str); 6] = [
        (&["--delete", "/srv/f"], "srv/ srv/.wh.f"),
        // A link on the way is followed, and one at the end is not.
        (&["--delete", "data/f"], "srv/ srv/.wh.f"),
        (&["--delete", "data"], ".wh.data"),
        (
            &[
                "--delete", "srv", "--delete", "/etc/*", "--delete", "/srv/f",
            ],
            "etc/ etc/.wh.hosts .wh.srv",
        ),
        (
            &["--delete", "/usr/lib", "f:/usr/lib/f"],
            "usr/ usr/.wh.lib | usr/ usr/lib/(@9) usr/lib/f=new",
        ),
        (
            &["--delete", "lib", "f:/lib/f"],
            ".wh.lib | lib/(@9) lib/f=new",
        ),
    ];
    for (words, expected) in cases {
        let sandbox = prepared();
        let source = base(&sandbox, Format::Docker, BASE);
        let written = append(&sandbox, &[&[&*source, "out"], words].concat());
        assert_eq!(added(&written, 2), expected, "{words:?}");
    }
}

/// The naive model agrees with the tree that restow exports of the result.
#[test]
fn the_tree_is_that_of_the_layers() {
    let sandbox = prepared();
    let source = base(&sandbox, Format::Oci, BASE);
    let words = [
        "append",
        &source,
        "oci:out",
        "d:/lib",
        "l.tar",
        "f:/etc/hosts",
    ];
    sandbox
        .run(&[&words[..], &["--delete", "tmp"]].concat())
        .warnings();
    let written = read(&sandbox, "out", Format::Oci);
    sandbox.run(&["export", "oci:out", "flat.tar"]).warnings();
    let flat = replay(&[sandbox.read("flat.tar")]);
    let mut expected = replay(&written.stored);
    expected.remove_root();
    let mut flat = flat;
    flat.remove_root();
    assert_same(&expected, &flat, Strictness::All, "the tree");
}

/// What follows the tar, or is missing at its end, is not dropped in silence.
#[test]
fn the_end_of_a_tar_that_is_moved_is_told_of() {
    let tar = layer::tar(&entries("a=1"));
    let gzip = Codec::Gzip.compress(&tar);
    let cases = [
        [&tar[..], &tar].concat(),
        [&tar[..], &[1; 512]].concat(),
        tar[..1024].to_vec(),
        [&gzip[..], b"junk"].concat(),
    ];
    for (number, bytes) in cases.iter().enumerate() {
        let sandbox = Sandbox::new();
        let source = base(&sandbox, Format::Docker, BASE);
        sandbox.write("l", bytes);
        let run = |words: &[&str]| {
            let words = [&["append", "--force", &source, "out", "l"], words].concat();
            let run = sandbox.run(&words);
            assert_eq!(run.code, Some(0), "{number}: {}", run.stderr);
            run.stderr
        };
        // A kept layer with bytes after its stream is refused.
        let plain = run(&["--compress", "gzip:6"]);
        assert!(plain.starts_with("warning: "), "{number}: {plain}");
        for words in [
            &["--at", "/n"][..],
            &["--at", "/"],
            &["--at", "/", "--only-new"],
        ] {
            assert_eq!(run(words), plain, "{number} {words:?}");
        }
    }
}
