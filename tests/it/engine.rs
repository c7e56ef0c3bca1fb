//! Engines are asked: what they make of a squashed image is what they made of the original.
//!
//! The stacks are random, of all that Docker loads and understands as the spec
//! says. Its export of the original must be what the naive replay sees, so that
//! the engine also judges the judge.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::support::codec::decompress;
use crate::support::engine::{Docker, Loaded, unique};
use crate::support::entry::{Kind, Meta, SECOND, words};
use crate::support::image::{Image, Store};
use crate::support::judge::Format;
use crate::support::naive::{Tree, replay};
use crate::support::podman::Podman;
use crate::support::random::{Flavour, Stack, stacks};
use crate::support::retag::retagged;
use crate::support::squash::{put, range_argument, squashed};
use crate::support::tools::{Place, is_installed, is_root, skip, succeed};
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
fn exported_difference(engine: Docker, tag: &str, expected: &Tree) -> String {
    let got = kept(replay(&[engine.export(tag)]));
    difference(&kept(expected.clone()), &got, Strictness::All)
}

fn shown(stack: &Stack) -> String {
    let layers: Vec<String> = stack.layers.iter().map(|it| words(it)).collect();
    layers.join(" | ")
}

/// Squashes the archive of an image under its tag, and has the engine load the outcome.
#[track_caller]
fn load_squashed(engine: Docker, archive: &[u8], tag: &str, arguments: &[&str]) -> (Loaded, Image) {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", archive);
    sandbox.write("base.tar", base_of(archive));
    let arguments = [&["squash"], arguments, &["--tag", tag, "in.tar", "out.tar"]].concat();
    let squashed = squashed(&sandbox, sandbox.run(&arguments), "out.tar", Format::Docker);
    let tags = [tag.to_owned()];
    (engine.load(&sandbox.read("out.tar"), &tags), squashed.image)
}

/// The archive of an image of the lower half of the layers of one.
#[track_caller]
fn base_of(archive: &[u8]) -> Vec<u8> {
    let store = Store::from_tar(archive);
    let mut layers = store.stored(&store.docker_images()[0]);
    layers.truncate(layers.len() / 2);
    let layers = layers.iter().map(|it| decompress(it)).collect();
    make::tar(&make::docker(&[make::Image::of_layers(
        &["base:1"],
        layers,
    )]))
}

/// The engine saves an image that it has loaded: every file is where the layer says.
#[track_caller]
fn assert_saved(engine: Docker, tag: &str, image: &Image) {
    let saved = Store::from_tar(&engine.save(&[tag]))
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
        ..random_cases(24)
    })]

    /// Stacks of which the engine does not see what the spec says are left out; there are few.
    /// The engines take turns.
    #[test]
    fn docker_exports_the_same_tree_of_a_squashed_image(
        stack in stacks(Flavour::Docker, 2..6),
        numbers in any::<[usize; 3]>(),
    ) {
        static FOUND: LazyLock<Vec<Docker>> =
            LazyLock::new(|| Docker::found("docker_exports_the_same_tree_of_a_squashed_image"));
        let Some(&engine) = FOUND.get(numbers[2] % FOUND.len().max(1)) else {
            return Ok(());
        };
        let _alone = engine.alone();
        let layers = stack.tars();
        let expected = replay(&layers);
        let tags = [(); 2].map(|()| format!("{}:1", unique()));
        let original = make::Image::of_layers(&[&tags[0]], layers);
        let archive = make::tar(&make::docker(std::slice::from_ref(&original)));
        let _loaded = engine.load(&archive, &tags[..1]);
        prop_assume!(exported_difference(engine, &tags[0], &expected).is_empty());

        let count = original.layers.len();
        let end = 1 + numbers[0] % (count - 1);
        let start = numbers[1] % (end + 1);
        let range = range_argument(&(start..=end));
        let (_loaded, image) = load_squashed(engine, &archive, &tags[1], &["--layers", &range]);
        let difference = exported_difference(engine, &tags[1], &expected);
        prop_assert!(difference.is_empty(), "{engine:?}, {range} of {}\n{difference}", shown(&stack));
        assert_saved(engine, &tags[1], &image);
    }
}

/// What tar finds in a directory: names, contents, and which names are one file.
#[track_caller]
fn found_in(directory: &Path) -> Tree {
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
fn unpacked_by_umoci(place: Place, sandbox: &Sandbox, layout: &str, tag: &str) -> Tree {
    let image = format!("{}:{tag}", sandbox.path(layout).display());
    let bundle = sandbox.path(&format!("{layout}-bundle"));
    let mut command = place.command("umoci");
    command.args(["unpack", "--image", &image]).arg(&bundle);
    drop(succeed(&mut command));
    bare(found_in(&bundle.join("rootfs")))
}

proptest! {
    #![proptest_config(Config { max_shrink_iters: 100, ..random_cases(16) })]

    /// Unlike the engine's, the file system that umoci unpacks to always knows its hard links.
    /// The umoci of this machine and today's take turns.
    #[test]
    fn umoci_unpacks_the_same_files_and_links(
        stack in stacks(Flavour::Docker, 2..6),
        numbers in any::<[usize; 3]>(),
    ) {
        static FOUND: LazyLock<Vec<Place>> = LazyLock::new(|| {
            let test = "umoci_unpacks_the_same_files_and_links";
            if !is_root() {
                skip(test, "umoci is only tested as root");
                return Vec::new();
            }
            Place::with("umoci", test)
        });
        let Some(&place) = FOUND.get(numbers[2] % FOUND.len().max(1)) else {
            return Ok(());
        };
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
            let got = unpacked_by_umoci(place, &sandbox, layout, "app:1");
            let difference = difference(&expected, &got, Strictness::All);
            prop_assert!(difference.is_empty(), "{place:?}, {layout}, {range} of {}\n{difference}", shown(&stack));
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

/// Every way to say which layers are merged.
const WAYS: [&[&str]; 5] = [
    &["--all"],
    &["--last", "3"],
    &["--layers", "2..4"],
    &["--max-layers", "5"],
    &["--above", "base.tar"],
];

/// Squashes every fixture in three ways, which take turns, and compares what an engine shows.
#[track_caller]
fn assert_squashed_fixtures(test: &str, engine: Docker) {
    if !engine.answers(test) {
        return;
    }
    let _alone = engine.alone();
    for (turn, fixture) in FIXTURES.into_iter().enumerate() {
        let original = retagged(&crate::support::fixture(fixture));
        let store = Store::from_tar(&original.archive);
        let expected = replay(&store.stored(&store.docker_images()[0]));
        let loaded = engine.load(&original.archive, &original.tags);
        let before = engine.see(&original.tags[0]);
        drop(loaded);
        for arguments in (turn..turn + 3).map(|it| WAYS[it % WAYS.len()]) {
            let what = format!("{engine:?}, {fixture} {arguments:?}");
            let tag = format!("{}:1", unique());
            let (_loaded, image) = load_squashed(engine, &original.archive, &tag, arguments);
            let after = engine.see(&tag);
            let difference = difference(
                &kept(expected.clone()),
                &kept(after.tree.clone()),
                Strictness::All,
            );
            assert!(difference.is_empty(), "{what}:\n{difference}");
            assert_eq!(
                after.facts_without_layers(),
                before.facts_without_layers(),
                "{what}"
            );
            assert_eq!(after.diff_ids(), image.diff_ids(), "{what}");
            // Every step of the story is still told, in its order.
            let mut told = after.story().into_iter();
            for step in before.story() {
                assert!(told.any(|it| it == step), "{what}: {step}");
            }
            assert_saved(engine, &tag, &image);
        }
    }
}

#[test]
fn the_machines_engine_sees_the_same_of_squashed_fixtures() {
    assert_squashed_fixtures(
        "the_machines_engine_sees_the_same_of_squashed_fixtures",
        Docker::Machine,
    );
}

#[test]
fn the_classic_engine_sees_the_same_of_squashed_fixtures() {
    assert_squashed_fixtures(
        "the_classic_engine_sees_the_same_of_squashed_fixtures",
        Docker::Classic,
    );
}

#[test]
fn the_containerd_engine_sees_the_same_of_squashed_fixtures() {
    assert_squashed_fixtures(
        "the_containerd_engine_sees_the_same_of_squashed_fixtures",
        Docker::Containerd,
    );
}

/// An image with something of everything, loaded under a tag of its own.
#[track_caller]
fn load_sample(engine: Docker) -> (Loaded, String, Vec<Vec<u8>>) {
    let tag = format!("{}:1", unique());
    let layers = layer::stack(
        "a/(0711) a/x=1 a/y=2(04755,3:4) a/z=>a/y l->a/x | a/(0711) a/.wh.x b/ b/p(p,0600) b/n(c1:3) \
         | b/ b/f=1(security.capability=0100000200200000000000000000000000000000)",
    );
    let image = make::Image::of_layers(&[&tag], layers.clone());
    let archive = make::tar(&make::docker(&[image]));
    let loaded = engine.load(&archive, std::slice::from_ref(&tag));
    (loaded, tag, layers)
}

#[test]
fn what_docker_saves_is_squashed_in_a_pipe_and_loads_again() {
    for engine in Docker::found("what_docker_saves_is_squashed_in_a_pipe_and_loads_again") {
        let _alone = engine.alone();
        let (loaded, tag, layers) = load_sample(engine);
        let saved = engine.save(&[&tag]);
        drop(loaded);
        let sandbox = Sandbox::new();
        let run = sandbox
            .restow(&["squash", "--all", "-", "-"])
            .stdin_pipe(saved);
        let (squashed, _) = run.run().reports();
        let _loaded = engine.load(&squashed, std::slice::from_ref(&tag));
        let difference = exported_difference(engine, &tag, &replay(&layers));
        assert_eq!(difference, "", "{engine:?}");
        let image = Store::from_tar(&squashed).docker_images().remove(0);
        assert_eq!(image.layers.len(), 1);
        assert_saved(engine, &tag, &image);
    }
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
    for engine in Docker::found("docker_imports_an_export") {
        let _alone = engine.alone();
        let sandbox = Sandbox::new();
        let expected = exported_sample(&sandbox);
        let tag = format!("{}:1", unique());
        let _loaded = engine.import(&sandbox.path("rootfs.tar"), &tag);
        let difference = exported_difference(engine, &tag, &expected);
        assert_eq!(difference, "", "{engine:?}");
    }
}

#[test]
fn podman_imports_an_export() {
    if !is_root() {
        return skip("podman_imports_an_export", "podman is only tested as root");
    }
    for place in Place::with("podman", "podman_imports_an_export") {
        let sandbox = Sandbox::new();
        let expected = exported_sample(&sandbox);
        let podman = Podman::new(place);
        let path = |name| {
            sandbox
                .path(name)
                .to_str()
                .expect("a plain path")
                .to_owned()
        };
        drop(podman.run(&["import", "--quiet", &path("rootfs.tar"), "imported:1"]));
        drop(podman.run(&[
            "save",
            "--quiet",
            "--output",
            &path("saved.tar"),
            "imported:1",
        ]));
        let store = Store::open(&sandbox.path("saved.tar"));
        let got = replay(&store.stored(&store.docker_images()[0]));
        let difference = difference(&kept(expected), &kept(got), Strictness::All);
        assert_eq!(difference, "", "{place:?}");
    }
}

#[test]
fn tar_unpacks_an_export() {
    if !is_installed("tar") || !is_root() {
        return skip(
            "tar_unpacks_an_export",
            "tar is only tested as root, which can make devices",
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
