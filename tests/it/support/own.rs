//! Properties of everything that `restow` writes, whatever its input.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::codec::{Codec, hex};
use super::image::{Image, Layout, Store, host_platform, strings, text};
use super::reference::{familiar, full, split};

/// Files of a layout besides its blobs.
const LAYOUT_FILES: [&str; 2] = ["index.json", "oci-layout"];

/// Files of a docker-archive besides its blobs; it is a layout as well.
const ARCHIVE_FILES: [&str; 4] = ["index.json", "manifest.json", "oci-layout", "repositories"];

/// Reads a layout, in a directory or a tar, that `restow` created.
#[track_caller]
pub(crate) fn layout(path: &Path) -> Layout {
    let store = Store::open(path);
    checked_layout(&store, &LAYOUT_FILES)
}

/// Reads a docker-archive that `restow` wrote.
#[track_caller]
pub(crate) fn archive(path: &Path) -> Vec<Image> {
    checked_archive(&Store::open(path))
}

/// Checks a layout that `restow` created: nothing in it is superfluous or repeated.
#[track_caller]
fn checked_layout(store: &Store, files: &[&str]) -> Layout {
    assert_eq!(
        store.file("oci-layout"),
        br#"{"imageLayoutVersion":"1.0.0"}"#
    );
    let layout = store.layout();
    assert_eq!(
        store.blobs(),
        layout.reachable,
        "a blob is there because something names it"
    );
    for name in store.names() {
        assert!(
            name.starts_with("blobs/sha256/") || files.contains(&name),
            "`{name}`"
        );
    }
    let distinct: BTreeSet<&String> = store.entries.iter().collect();
    assert_eq!(
        distinct.len(),
        store.entries.len(),
        "no entry is there twice"
    );
    layout
}

/// Checks a docker-archive that `restow` wrote: its two descriptions of the images agree.
#[track_caller]
pub(crate) fn checked_archive(store: &Store) -> Vec<Image> {
    let layout = checked_layout(store, &ARCHIVE_FILES);
    let images = store.docker_images();
    let is_same =
        |one: &Image, other: &Image| one.config == other.config && one.digests() == other.digests();
    for (at, image) in images.iter().enumerate() {
        let is_listed_before = images[..at].iter().any(|it| is_same(it, image));
        assert!(!is_listed_before, "an image is listed once");
        let same = layout.found.iter().filter(|it| is_same(&it.image, image));
        let names: BTreeSet<&String> = same.clone().flat_map(|it| &it.image.tags).collect();
        assert!(same.count() > 0, "index.json has what manifest.json names");
        for tag in &image.tags {
            assert!(names.contains(tag), "index.json has `{tag}`, too");
        }
    }
    for image in layout.images(host_platform()) {
        let has = |tag: Option<&String>| {
            let is_it = |it: &&Image| tag.is_none_or(|tag| it.tags.contains(tag));
            images
                .iter()
                .filter(is_it)
                .any(|it| it.config == image.config)
        };
        assert!(
            has(None),
            "manifest.json has what index.json has for this machine"
        );
        for tag in &image.tags {
            assert!(has(Some(tag)), "manifest.json has `{tag}`, too");
        }
    }

    let mut repositories: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let manifest = store.json("manifest.json");
    for (element, image) in manifest.as_array().into_iter().flatten().zip(&images) {
        assert_eq!(text(&element["Config"]), blob_path(&image.id()));
        let layers: Vec<String> = image.digests().iter().map(|it| blob_path(it)).collect();
        assert_eq!(strings(&element["Layers"]), layers);
        for reference in strings(&element["RepoTags"]) {
            let (repository, tag) = split(&reference).expect("RepoTags have a tag");
            // An image without layers has no layer to name.
            if let Some(top) = image.layers.last() {
                let tags = repositories.entry(repository.to_owned()).or_default();
                tags.insert(tag.to_owned(), hex(&top.diff_id).to_owned());
            }
        }
    }
    let expected = serde_json::to_value(&repositories).expect("text is JSON");
    // Docker's containerd store does not write it, and then it is not added either.
    if store.get("repositories").is_some() {
        assert_eq!(store.json("repositories"), expected, "repositories");
    }
    images
}

/// Checks the names of images and the media types of layers in a layout made from a docker-archive,
/// as far as the archive has these names.
#[track_caller]
pub(crate) fn assert_names_and_types(layout: &Layout, written: &[String]) {
    for found in &layout.found {
        let annotations = &found.annotations;
        match found.image.tags.as_slice() {
            [] => {
                for key in [
                    "io.containerd.image.name",
                    "org.opencontainers.image.ref.name",
                ] {
                    assert_eq!(
                        annotations[key],
                        Value::Null,
                        "an untagged image has no name"
                    );
                }
            }
            [tag, ..] => {
                assert_eq!(annotations["io.containerd.image.name"], full(tag).as_str());
                let name = &annotations["org.opencontainers.image.ref.name"];
                let name = text(name);
                assert_eq!(&full(name), tag);
                let is_listed = written.iter().any(|it| full(it) == *tag);
                let is_written = written.iter().any(|it| it == name);
                assert!(
                    is_written || (!is_listed && name == familiar(tag)),
                    "`{name}`"
                );
            }
        }
        for layer in &found.image.layers {
            // Those of Docker are kept if the archive is also a layout that has them.
            if !layer.media_type.starts_with("application/vnd.docker.") {
                let expected = media_type(layer.codec);
                assert_eq!(layer.media_type, expected, "{}", layer.digest);
            }
        }
    }
}

/// The media type of a layer with this storage form.
fn media_type(codec: Codec) -> &'static str {
    match codec {
        Codec::Plain => "application/vnd.oci.image.layer.v1.tar",
        Codec::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
        Codec::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        Codec::Xz | Codec::Bzip2 => panic!("OCI has no media type for {codec:?}"),
    }
}

fn blob_path(digest: &str) -> String {
    format!("blobs/sha256/{}", hex(digest))
}
