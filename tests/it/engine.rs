//! The Docker engine is asked: what it makes of a squashed image is what it made of the original.
//!
//! The stacks are random, of all that Docker loads and understands as the spec
//! says. Its export of the original must be what the naive replay sees, so that
//! the engine also judges the judge.

use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::support::engine::{self, Loaded, unique};
use crate::support::entry::{Kind, Meta, SECOND, words};
use crate::support::image::{Image, Store};
use crate::support::judge::Format;
use crate::support::naive::{Tree, replay};
use crate::support::random::{Flavour, Stack, stacks};
use crate::support::squash::{put, range_argument, squashed};
use crate::support::tools::{exclusive, has_engine, is_installed, is_root, skip, succeed};
use crate::support::tree::{Strictness, difference};
use crate::support::{Sandbox, layer, make, random_cases};

/// What the engine puts into each container; `wd` is the working directory of the fixtures.
const PLACEHOLDERS: [&str; 6] = [".dockerenv", "dev", "etc", "proc", "sys", "wd"];

/// What the engine keeps of a tree: times in whole seconds that are not too long ago or ahead,
/// and of the attributes the capabilities.
///
/// Which names are one file is not compared: fuse-overlayfs, the engine's driver
/// where it is not allowed a better one, does not always know.
fn kept(mut tree: Tree) -> Tree {
    tree.edit(|meta| {
        meta.xattrs.retain(|name, _| name == "security.capability");
        let is_kept = (0..=i64::MAX.into()).contains(&meta.mtime);
        meta.mtime = if is_kept {
            meta.mtime / SECOND * SECOND
        } else {
            0
        };
    });
    tree.split(|kind| *kind != Kind::Directory);
    tree.remove_all(&PLACEHOLDERS);
    tree
}

/// What is wrong with the tree that the engine exports of an image, but for what the engine does to it.
#[track_caller]
fn exported_difference(tag: &str, expected: &Tree) -> String {
    let got = kept(replay(&[engine::export(tag)]));
    difference(&kept(expected.clone()), &got, Strictness::All)
}

fn shown(stack: &Stack) -> String {
    let layers: Vec<String> = stack.layers.iter().map(|it| words(it)).collect();
    layers.join(" | ")
}

/// Squashes the archive of an image under its tag, and has the engine load the outcome.
#[track_caller]
fn load_squashed(archive: &[u8], tag: &str, arguments: &[&str]) -> (Loaded, Image) {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", archive);
    let arguments = [&["squash"], arguments, &["--tag", tag, "in.tar", "out.tar"]].concat();
    let squashed = squashed(&sandbox, sandbox.run(&arguments), "out.tar", Format::Docker);
    let tags = [tag.to_owned()];
    (
        Loaded::load(&sandbox.read("out.tar"), &tags),
        squashed.image,
    )
}

/// The engine saves an image that it has loaded: every file is where the layer says.
#[track_caller]
fn assert_saved(tag: &str, image: &Image) {
    let saved = Store::from_tar(&engine::save(tag))
        .docker_images()
        .remove(0);
    assert_eq!(saved.diff_ids(), image.diff_ids());
    assert_eq!(saved.id(), image.id());
}

proptest! {
    #![proptest_config(Config {
        // Stacks that meet a fault of the engine's driver.
        max_global_rejects: 4,
        // Every step loads two images.
        max_shrink_iters: 60,
        ..random_cases(16)
    })]

    /// Stacks of which the engine does not see what the spec says are left out; there are few.
    #[test]
    fn docker_exports_the_same_tree_of_a_squashed_image(
        stack in stacks(Flavour::Docker, 2..6),
        numbers in any::<[usize; 2]>(),
    ) {
        if !has_engine() {
            skip("docker_exports_the_same_tree_of_a_squashed_image", "no Docker engine answers");
            return Ok(());
        }
        let _store = exclusive();
        let layers = stack.tars();
        let expected = replay(&layers);
        let tags = [(); 2].map(|()| format!("{}:1", unique()));
        let original = make::Image::of_layers(&[&tags[0]], layers);
        let archive = make::tar(&make::docker(std::slice::from_ref(&original)));
        let _loaded = Loaded::load(&archive, &tags[..1]);
        prop_assume!(exported_difference(&tags[0], &expected).is_empty());

        let count = original.layers.len();
        let end = 1 + numbers[0] % (count - 1);
        let start = numbers[1] % (end + 1);
        let range = range_argument(&(start..=end));
        let (_loaded, image) = load_squashed(&archive, &tags[1], &["--layers", &range]);
        let difference = exported_difference(&tags[1], &expected);
        prop_assert!(difference.is_empty(), "{range} of {}\n{difference}", shown(&stack));
        assert_saved(&tags[1], &image);
    }
}

/// What tar finds in a directory: names, contents, and which names are one file.
#[track_caller]
fn found_in(directory: &std::path::Path) -> Tree {
    let mut command = Command::new("tar");
    command.current_dir(directory);
    let format = [
        "--create",
        "--format=posix",
        "--file=-",
        "--numeric-owner",
        "--sort=name",
    ];
    let mut found = replay(&[succeed(command.args(format).arg("."))]);
    found.remove_root();
    found
}

/// A tree without anything but names, contents and links between files; tar forgets those
/// between devices.
fn bare(mut tree: Tree) -> Tree {
    tree.split(|kind| matches!(kind, Kind::Char(..) | Kind::Block(..) | Kind::Fifo));
    tree.edit(|meta| *meta = Meta::implied());
    tree
}

/// Unpacks the only image of a layout by umoci, which takes the spec to the letter.
#[track_caller]
fn unpacked_by_umoci(sandbox: &Sandbox, layout: &str, tag: &str) -> Tree {
    let image = format!("{}:{tag}", sandbox.path(layout).display());
    let bundle = sandbox.path(&format!("{layout}-bundle"));
    let mut command = Command::new("umoci");
    command.args(["unpack", "--image", &image]).arg(&bundle);
    drop(succeed(&mut command));
    bare(found_in(&bundle.join("rootfs")))
}

proptest! {
    #![proptest_config(Config { max_shrink_iters: 100, ..random_cases(16) })]

    /// Unlike the engine's, the file system that umoci unpacks to always knows its hard links.
    #[test]
    fn umoci_unpacks_the_same_files_and_links(
        stack in stacks(Flavour::Docker, 2..6),
        numbers in any::<[usize; 2]>(),
    ) {
        if !is_installed("umoci") || !is_root() {
            skip("umoci_unpacks_the_same_files_and_links", "umoci is only tried as root");
            return Ok(());
        }
        let layers = stack.tars();
        let expected = bare(replay(&layers));
        let sandbox = Sandbox::new();
        let original = make::Image::of_layers(&["app:1"], layers);
        let source = put(&sandbox, "in", Format::Oci, &original);
        let count = original.layers.len();
        let end = 1 + numbers[0] % (count - 1);
        let start = numbers[1] % (end + 1);
        let range = range_argument(&(start..=end));
        let run = sandbox.run(&["squash", "--layers", &range, &source, "oci:out"]);
        drop(squashed(&sandbox, run, "out", Format::Oci));
        for layout in ["in", "out"] {
            let got = unpacked_by_umoci(&sandbox, layout, "app:1");
            let difference = difference(&expected, &got, Strictness::All);
            prop_assert!(difference.is_empty(), "{layout}, {range} of {}\n{difference}", shown(&stack));
        }
    }
}

/// Docker-archives of several producers, whose layers are plain or gzip: all that Docker 20.10 loads.
const FIXTURES: [&str; 7] = [
    "crane__edge.tarball.tar",
    "docker20__dup.tar",
    "docker20__edge.tar",
    "docker29-containerd__edge.tar",
    "docker29-graphdriver__names.tar",
    "podman43__multi-tags.docker.tar",
    "skopeo19__edge.docker.tar",
];

#[test]
fn docker_exports_the_same_trees_of_squashed_fixtures() {
    if !has_engine() {
        let test = "docker_exports_the_same_trees_of_squashed_fixtures";
        return skip(test, "no Docker engine answers");
    }
    let _store = exclusive();
    for fixture in FIXTURES {
        let archive = crate::support::fixture(fixture);
        let store = Store::from_tar(&archive);
        let expected = replay(&store.stored(&store.docker_images()[0]));
        for arguments in [&["--all"][..], &["--last", "3"], &["--layers", "2..4"]] {
            let tag = format!("{}:1", unique());
            let (_loaded, image) = load_squashed(&archive, &tag, arguments);
            let difference = exported_difference(&tag, &expected);
            assert!(
                difference.is_empty(),
                "{fixture} {arguments:?}:\n{difference}"
            );
            assert_saved(&tag, &image);
        }
    }
}

/// An image with something of everything, loaded under a tag of its own.
#[track_caller]
fn load_sample() -> (Loaded, String, Vec<Vec<u8>>) {
    let tag = format!("{}:1", unique());
    let layers = layer::stack(
        "a/(0711) a/x=1 a/y=2(04755,3:4) a/z=>a/y l->a/x | a/(0711) a/.wh.x b/ b/p(p,0600) b/n(c1:3) \
         | b/ b/f=1(security.capability=0100000200200000000000000000000000000000)",
    );
    let image = make::Image::of_layers(&[&tag], layers.clone());
    let archive = make::tar(&make::docker(&[image]));
    (
        Loaded::load(&archive, std::slice::from_ref(&tag)),
        tag,
        layers,
    )
}

#[test]
fn what_docker_saves_is_squashed_in_a_pipe_and_loads_again() {
    if !has_engine() {
        let test = "what_docker_saves_is_squashed_in_a_pipe_and_loads_again";
        return skip(test, "no Docker engine answers");
    }
    let _store = exclusive();
    let (loaded, tag, layers) = load_sample();
    let saved = engine::save(&tag);
    drop(loaded);
    let sandbox = Sandbox::new();
    let run = sandbox
        .restow(&["squash", "--all", "-", "-"])
        .stdin_pipe(saved);
    let (squashed, _) = run.run().reports();
    let _loaded = Loaded::load(&squashed, std::slice::from_ref(&tag));
    assert_eq!(exported_difference(&tag, &replay(&layers)), "");
    let image = Store::from_tar(&squashed).docker_images().remove(0);
    assert_eq!(image.layers.len(), 1);
    assert_saved(&tag, &image);
}

/// A sample of an export, as a file.
#[track_caller]
fn exported_sample(sandbox: &Sandbox) -> Tree {
    let layers = layer::stack(
        "a/(0711) a/x=1 a/y=2(04755,3:4) a/z=>a/y l->a/x | a/(0711) a/.wh.x b/ b/p(p,0600) b/n(c1:3) \
         | b/ c/d/e n\\xff=\\x00 t(@1234567890)",
    );
    let image = make::Image::of_layers(&["app:1"], layers.clone());
    let source = put(sandbox, "in", Format::Docker, &image);
    drop(sandbox.run(&["export", &source, "rootfs.tar"]).reports());
    let rootfs = sandbox.read("rootfs.tar");
    let (expected, got) = (replay(&layers), replay(&[rootfs]));
    assert_eq!(difference(&expected, &got, Strictness::All), "");
    expected
}

#[test]
fn docker_imports_an_export() {
    if !has_engine() {
        return skip("docker_imports_an_export", "no Docker engine answers");
    }
    let _store = exclusive();
    let sandbox = Sandbox::new();
    let expected = exported_sample(&sandbox);
    let tag = format!("{}:1", unique());
    let _loaded = engine::import(&sandbox.path("rootfs.tar"), &tag);
    assert_eq!(exported_difference(&tag, &expected), "");
}

#[test]
fn podman_imports_an_export() {
    if !is_installed("podman") {
        return skip("podman_imports_an_export", "podman is not installed");
    }
    if !is_root() {
        return skip("podman_imports_an_export", "podman is only tried as root");
    }
    let sandbox = Sandbox::new();
    let expected = exported_sample(&sandbox);
    let podman = |arguments: &[&str]| {
        let mut command = Command::new("podman");
        command.args(["--storage-driver", "vfs"]);
        command.arg("--root").arg(sandbox.path("podman"));
        command.arg("--runroot").arg(sandbox.path("podman-run"));
        command.current_dir(sandbox.path("")).args(arguments);
        succeed(command.stdin(Stdio::null()))
    };
    drop(podman(&["import", "--quiet", "rootfs.tar", "imported:1"]));
    drop(podman(&[
        "save",
        "--quiet",
        "--output",
        "saved.tar",
        "imported:1",
    ]));
    let store = Store::open(&sandbox.path("saved.tar"));
    let got = replay(&store.stored(&store.docker_images()[0]));
    assert_eq!(difference(&kept(expected), &kept(got), Strictness::All), "");
}

#[test]
fn tar_unpacks_an_export() {
    if !is_installed("tar") || !is_root() {
        return skip(
            "tar_unpacks_an_export",
            "tar is only tried as root, which can make devices",
        );
    }
    let sandbox = Sandbox::new();
    let expected = exported_sample(&sandbox);
    std::fs::create_dir(sandbox.path("unpacked")).expect("a directory can be made");
    let mut command = Command::new("tar");
    command.current_dir(sandbox.path("unpacked"));
    command.args([
        "--extract",
        "--preserve-permissions",
        "--same-owner",
        "--file",
        "../rootfs.tar",
    ]);
    assert_eq!(succeed(&mut command), b"");
    let got = found_in(&sandbox.path("unpacked"));
    assert_eq!(difference(&kept(expected), &kept(got), Strictness::All), "");
}
