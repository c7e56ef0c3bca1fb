//! `append --changed` and `--only-new`: the new layer makes the tree what it should be, and
//! nothing can be taken out of it.

mod random;

use std::fs;

use serde_json::{Value, json};

use crate::support::Sandbox;
use crate::support::codec::decompress;
use crate::support::engine::{Docker, unique};
use crate::support::entry::{Kind, entries, words};
use crate::support::judge::Format;
use crate::support::layer;
use crate::support::make::Image;
use crate::support::naive::replay;
use crate::support::squash::{Squashed, put, read};
use crate::support::testdata;
use crate::support::tree::{Strictness, difference};

/// Writes an image with these layers, and returns its name on the command line.
#[track_caller]
fn base(sandbox: &Sandbox, layers: &str) -> String {
    let image = Image::of_layers(&["app:1"], layer::stack(layers));
    put(sandbox, "in", Format::Docker, &image)
}

/// Runs the command, and returns the words of the new layers, or the warnings.
#[track_caller]
fn append(sandbox: &Sandbox, arguments: &[&str], before: usize) -> String {
    let arguments = [&["append", "-q"], arguments].concat();
    sandbox.run(&arguments).silent();
    added(&read(sandbox, "out", Format::Docker), before)
}

fn added(written: &Squashed, before: usize) -> String {
    let layers = written.stored[before..].iter();
    let words = layers.map(|it| words(&layer::read(&decompress(it))));
    words.collect::<Vec<_>>().join(" | ")
}

#[test]
fn paths_of_a_layer_may_go_up_and_down() {
    let sandbox = Sandbox::new();
    let source = base(&sandbox, "a");
    sandbox.write("l", layer::tar(&entries("x/ x/../y=1 x/../a=2")));
    assert_eq!(
        append(&sandbox, &[&source, "out", "--only-new", "l"], 1),
        "x/ y=1 a=2"
    );
}

#[test]
fn the_layer_has_the_differences_and_the_directories_above() {
    let cases = [
        ("a=1 b=2", "a=1 b=3", "b=3"),
        ("a=1 b=2", "a=1", ".wh.b"),
        ("a=1", "a=1 d/ d/e/ d/e/f=2", "d/ d/e/ d/e/f=2"),
        ("a=1(0600)", "a=1(0644)", "a=1"),
        ("a=1(@1)", "a=1(@2)", "a=1(@2)"),
        ("a=1(1:2)", "a=1", "a=1"),
        ("d/(0700) d/a=1 d/b=2", "d/(0700) d/a=1", "d/(0700) d/.wh.b"),
        ("d/(0700) d/a=1", "d/(0755) d/a=1", "d/"),
        ("d/ d/a=1 d/e/ d/e/f=1", "d=1", "d=1"),
        ("d=1", "d/ d/a=2", "d/ d/a=2"),
        ("l->a", "l->b", "l->b"),
        ("l->a", "l/ l/a=1", "l/ l/a=1"),
        ("a=1 b=>a", "a=1 b=>a c=>a", "a=1 b=>a c=>a"),
        ("a=1 b=>a c=>a", "a=1 b=>a", ".wh.c"),
        ("a=1 b=>a c=>a", "a=1 b=>a c=1", "c=1"),
        ("a=1 b=1", "a=1 b=>a", "a=1 b=>a"),
        ("a=1 b=>a c=>a d=>a", "a=1 b=>a c=1 d=>c", "c=1 d=>c"),
        ("a=1 b=>a", "a=2 b=>a", "a=2 b=>a"),
        // A directory without an entry has no time, and the usual mode and owner.
        ("d/(0700,@5) d/a=1", "d/a=1", "d/(@5)"),
        ("d/(@5) d/a=1", "d/a=2", "d/(@5) d/a=2"),
        ("d/a=1", "d/(@5) d/a=1", ""),
        ("d/a=1", "d/a=2", "d/a=2"),
        ("d/a=1 | d/.wh.a", "x=1", ".wh.d x=1"),
        ("d=1", "d/a=1", "d/(@0) d/a=1"),
        ("./(0700) a=1", "./(0711) a=1", "./(0711)"),
        ("a=1 | b=2", "b=2 c=3", "c=3 .wh.a"),
    ];
    for (image, rootfs, expected) in cases {
        let sandbox = Sandbox::new();
        let source = base(&sandbox, image);
        let before = layer::stack(image).len();
        sandbox.write("rootfs", layer::tar(&entries(rootfs)));
        let got = append(&sandbox, &[&source, "out", "--changed", "rootfs"], before);
        let sorted = |text: &str| {
            let mut words: Vec<_> = text.split(' ').map(str::to_owned).collect();
            words.sort();
            words
        };
        let what = format!("{image} to {rootfs}: {got}");
        assert_eq!(sorted(&got), sorted(expected), "{what}");
        let compared = sandbox.run(&["diff", "out", "rootfs:rootfs"]);
        assert_eq!(compared.code, Some(0), "{what}");
        drop(compared);
    }
}

#[test]
fn nothing_is_written_if_nothing_changed() {
    let sandbox = Sandbox::new();
    let image = Image::of_layers(&["app:1"], layer::stack("a=1 d/ d/b=2"));
    let source = put(&sandbox, "in", Format::Docker, &image);
    sandbox.write("rootfs", layer::tar(&entries("d/ d/b=2 a=1")));
    for arguments in [&["--changed", "rootfs"][..], &["rootfs", "--only-new"]] {
        let arguments = [&["append", &source, "out", "-f", "--json"], arguments].concat();
        let report: Value = serde_json::from_slice(&sandbox.run(&arguments).reports().0)
            .expect("the report is JSON");
        assert_eq!(report["unchanged"], json!(["rootfs"]));
        assert_eq!(report["added"], json!([]));
        let written = read(&sandbox, "out", Format::Docker);
        assert_eq!(written.image.id(), image.id());
        assert_eq!(written.stored.len(), 1);
    }
}

#[test]
fn a_folder_and_a_pipe_are_root_filesystems() {
    let sandbox = Sandbox::new();
    let source = base(&sandbox, "a=1 d/ d/b=2");
    let tar = layer::tar(&entries("a=1 c=3"));
    let arguments = ["append", "-q", &source, "out", "--changed", "-"];
    sandbox.restow(&arguments).stdin_pipe(tar).run().silent();
    let written = read(&sandbox, "out", Format::Docker);
    assert_eq!(added(&written, 1), ".wh.d c=3");
    fs::create_dir(sandbox.path("folder")).expect("a folder can be made");
    let extract = ["extract", "-q", "out", "tree"];
    drop(sandbox.run(&extract));
    fs::write(sandbox.path("tree/new"), "5").expect("a file can be written");
    let arguments = ["append", "-q", "out", "again", "--changed", "tree"];
    sandbox.run(&arguments).silent();
    let again = read(&sandbox, "again", Format::Docker);
    let words = added(&again, 2);
    assert!(words.contains("new=5") && !words.contains("a="), "{words}");
}

#[test]
fn everything_is_new_on_scratch() {
    let sandbox = Sandbox::new();
    sandbox.write("rootfs", layer::tar(&entries("d/a=1 b=>d/a")));
    let arguments = ["scratch", "out", "--changed", "rootfs", "--tag", "app:1"];
    assert_eq!(append(&sandbox, &arguments, 0), "d/(@0) d/a=1 b=>d/a");
}

#[test]
fn only_what_is_new_is_in_the_layer() {
    let cases = [
        (&["a=1 b=2"][..], "a=1 c=3"),
        (&["a=2 c=3"], ""),
        (&["a=2", "a=1", "a=1"], "a=1"),
        (&["d/ d/.wh..wh..opq d/y=1", "b=7"], ""),
    ];
    let expected = ["b=2", "a=2 c=3", "a=2 | a=1", "d/ d/.wh.x d/y=1 | b=7"];
    for ((layers, more), expected) in cases.into_iter().zip(expected) {
        let sandbox = Sandbox::new();
        let source = base(
            &sandbox,
            &format!(
                "a=1 c=9 d/ d/x=1 | {}",
                if more.is_empty() { "e=1" } else { more }
            ),
        );
        let names: Vec<String> = (0..layers.len()).map(|at| format!("l{at}")).collect();
        for (name, layer) in names.iter().zip(layers) {
            sandbox.write(name, layer::tar(&entries(layer)));
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let arguments = [&[&source, "out", "--only-new"][..], &names].concat();
        assert_eq!(append_loud(&sandbox, &arguments, 2), expected, "{layers:?}");
    }
}

#[test]
fn docker_exports_the_root_filesystem() {
    let rootfs = "d/(0700,3:4,@7) d/e/(0711,@8) d/e/a=2(04755,5:6) l->d b=>d/e/a u=1";
    for engine in Docker::found("docker_exports_the_root_filesystem") {
        let sandbox = Sandbox::new();
        let source = base(
            &sandbox,
            "d/(0700,3:4,@7) d/e/(0711,@8) d/e/a=1 d/e/gone=1 | l/ l/x=1 u=1",
        );
        sandbox.write("rootfs", layer::tar(&entries(rootfs)));
        let tag = unique();
        let arguments = [
            "append",
            "-q",
            &source,
            "out",
            "--changed",
            "rootfs",
            "-t",
            &tag,
        ];
        sandbox.run(&arguments).silent();
        let loaded = engine.load(&sandbox.read("out"), std::slice::from_ref(&tag));
        let mut expected = replay(&[layer::tar(&entries(rootfs))]);
        let mut got = replay(&[engine.export(&tag)]);
        drop(loaded);
        for tree in [&mut expected, &mut got] {
            tree.remove_root();
            tree.remove_all(&[".dockerenv", "dev", "etc", "proc", "sys"]);
            // fuse-overlayfs does not always know which names are one file.
            tree.split(|kind| *kind != Kind::Directory);
        }
        let difference = difference(&expected, &got, Strictness::All);
        assert!(difference.is_empty(), "{difference}");
    }
}

#[track_caller]
fn append_loud(sandbox: &Sandbox, arguments: &[&str], before: usize) -> String {
    drop(
        sandbox
            .run(&[&["append", "-q"], arguments].concat())
            .reports(),
    );
    added(&read(sandbox, "out", Format::Docker), before)
}

#[test]
fn an_archive_of_images_is_no_root_filesystem() {
    let sandbox = Sandbox::new();
    let source = base(&sandbox, "a=1");
    let arguments = ["append", &source, "out", "--changed", &source];
    let error = sandbox.run(&arguments).refuses();
    assert!(error.contains("docker archive"), "{error}");
}

#[test]
fn an_export_of_one_fixture_on_another() {
    let pairs = [
        ("docker20__edge.tar", "docker20__edge-export.tar"),
        ("skopeo19__edge.docker.tar", "docker20__edge-export.tar"),
    ];
    for (image, rootfs) in pairs {
        let sandbox = Sandbox::new();
        let [image, rootfs] = [image, rootfs].map(|it| testdata(it).display().to_string());
        let arguments = ["append", "-q", &image, "out", "--changed", &rootfs];
        drop(sandbox.run(&arguments).reports());
        let compared = sandbox.run(&["diff", "-q", "out", &format!("rootfs:{rootfs}")]);
        assert_eq!(compared.code, Some(0), "{}", compared.stderr);
        drop(compared);
    }
}
