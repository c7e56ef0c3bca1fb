//! The ids and sizes that Docker's containerd store gives to the same images.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use serde_json::Value;

use super::json;
use crate::support::codec::Codec;
use crate::support::engine::Docker;
use crate::support::judge::FIXTURES;
use crate::support::make::{self, Image};
use crate::support::{Sandbox, fixture};

const ENGINE: Docker = Docker::Containerd;

/// The content of a member of a plain tar.
fn member<'a>(archive: &'a mut [u8], name: &str) -> Option<&'a mut [u8]> {
    let mut at = 0;
    while archive.get(at).is_some_and(|byte| *byte != 0) {
        let size = str::from_utf8(&archive[at + 124..at + 135]).expect("a size");
        let size = usize::from_str_radix(size.trim(), 8).expect("a size");
        if archive[at..].starts_with(format!("{name}\0").as_bytes()) {
            return Some(&mut archive[at + 512..at + 512 + size]);
        }
        at += 512 + size.next_multiple_of(512);
    }
    None
}

/// An archive whose images have no names, so that the engine says their ids, and moves no tag. No
/// byte changes its place.
fn nameless(mut archive: Vec<u8>) -> Vec<u8> {
    if let Some(manifest) = member(&mut archive, "manifest.json") {
        // Keys mean the same in any case, and one that is not known means nothing.
        let text = String::from_utf8(manifest.to_vec()).expect("it is JSON");
        let text = text.replace("\"RepoTags\"", "\"repotogs\"");
        manifest.copy_from_slice(text.replace("\"repoTags\"", "\"repotogs\"").as_bytes());
    }
    if let Some(index) = member(&mut archive, "index.json") {
        let text = String::from_utf8(index.to_vec()).expect("it is JSON");
        let text = text.replace(
            "org.opencontainers.image.ref.name",
            "org.opencontainers.image.ref.none",
        );
        index.copy_from_slice(
            text.replace("io.containerd.image.name", "io.containerd.image.none")
                .as_bytes(),
        );
    }
    archive
}

/// The ids that the engine says of an archive that it loads; `None` if it refuses it.
fn loaded(sandbox: &Sandbox, name: &str) -> Option<BTreeSet<String>> {
    let path = sandbox.path(name);
    let load = ["load", "-i", path.to_str().expect("a plain path")];
    let output = ENGINE.command(&load).output().expect("docker can be run");
    let said = String::from_utf8(output.stdout).expect("it is UTF-8");
    let ids = said
        .lines()
        .filter_map(|line| line.strip_prefix("Loaded image ID: "));
    let ids: BTreeSet<String> = ids.map(str::to_owned).collect();
    output.status.success().then_some(ids)
}

/// Removes what was loaded.
fn remove(ids: &BTreeSet<String>) {
    let mut command = ENGINE.command(&["image", "rm"]);
    // One that has a name by now belongs to somebody else, and is not removed.
    let _ = command
        .args(ids)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// What an image is shown as: its id in the containerd store, and its CONTENT SIZE there.
type Shown = BTreeMap<String, u64>;

/// What the engine shows of images.
fn theirs(ids: &BTreeSet<String>) -> Shown {
    let mut sizes = ENGINE.api().content_sizes();
    sizes.retain(|id, _| ids.contains(id));
    sizes
}

/// What we show of the images of an archive, and whether all of it is known.
fn ours(sandbox: &Sandbox, name: &str) -> (Shown, bool) {
    let list = json(sandbox.run(&["images", "--json", name]));
    let images = list["images"].as_array().expect("a list");
    let shown = |image: &Value| {
        let id = image["containerd_id"].as_str()?.to_owned();
        Some((id, image["blobs_size"].as_u64()?))
    };
    let shown: Vec<_> = images.iter().map(shown).collect();
    let is_known = shown.iter().all(Option::is_some);
    (shown.into_iter().flatten().collect(), is_known)
}

#[test]
fn the_containerd_store_gives_the_ids_and_sizes_that_are_shown() {
    let test = "ids in the containerd store";
    if !ENGINE.answers(test) {
        return;
    }
    let _alone = ENGINE.alone();
    // Of a plain layer that it has compressed it takes that, and builds keep theirs.
    drop(ENGINE.run(&["builder", "prune", "--all", "--force"]));
    let names: BTreeSet<&str> = FIXTURES.iter().map(|(name, _)| *name).collect();
    let mut compared = 0;
    for name in names {
        let sandbox = Sandbox::new();
        sandbox.write("in.tar", nameless(fixture(name)));
        let Some(ids) = loaded(&sandbox, "in.tar") else {
            continue;
        };
        let theirs = theirs(&ids);
        let (ours, is_known) = ours(&sandbox, "in.tar");
        remove(&ids);
        assert!(is_known, "{name}: {theirs:?}");
        assert_eq!(ours, theirs, "{name}");
        compared += 1;
    }
    assert!(compared > 10, "only {compared} archives were compared");
}

#[test]
fn the_containerd_store_gives_the_ids_and_sizes_that_are_shown_of_odd_archives() {
    let test = "ids of odd archives in the containerd store";
    if !ENGINE.answers(test) {
        return;
    }
    let _alone = ENGINE.alone();
    // Of a plain layer that it has compressed it takes that, and builds keep theirs.
    drop(ENGINE.run(&["builder", "prune", "--all", "--force"]));
    let image = |layers: &[&str]| Image::new(&[], layers);
    let cases = [
        (
            "one layer twice",
            make::docker(&[image(&["file a 1", "file a 1"])]),
            true,
        ),
        ("no layer", make::docker(&[image(&[])]), true),
        (
            "two images",
            make::docker(&[image(&["file a 1"]), image(&["file b 1"])]),
            true,
        ),
        ("jib", make::jib(&image(&["file a 1", "file b 2"])), true),
        (
            "zstd under a name that says nothing",
            make::docker(&[image(&["file a 1"]).stored_as(Codec::Zstd)]),
            false,
        ),
    ];
    for (name, members, is_known) in cases {
        let sandbox = Sandbox::new();
        sandbox.write("in.tar", make::tar(&members));
        let ids = loaded(&sandbox, "in.tar").unwrap_or_else(|| panic!("{name}"));
        let theirs = theirs(&ids);
        let ours = ours(&sandbox, "in.tar");
        remove(&ids);
        let expected = if is_known { theirs } else { Shown::new() };
        assert_eq!(ours, (expected, is_known), "{name}");
    }
}
