//! `restow convert` of several sources into one output.

mod choices;
mod engines;
mod index;
mod random;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::image::Store;
use crate::support::make::{self, Image, Layout};
use crate::support::sandbox::Sandbox;

/// The text of the layer that the images share.
const BASE: &str = "dir etc\nfile etc/hosts 127.0.0.1 localhost";

/// An archive of one image, in the form of Docker before 25.
fn docker(tag: &str, file: &str) -> Vec<u8> {
    make::tar(&make::docker(&[image(tag, file)]))
}

/// An image of the common layer and one of its own.
fn image(tag: &str, file: &str) -> Image {
    Image::new(&[tag], &[BASE, &format!("file {file} content")])
}

/// An archive of a layout with one image.
fn layout(tag: &str, file: &str) -> Vec<u8> {
    let mut layout = Layout::default();
    layout.add(&image(tag, file));
    make::tar(&layout.members())
}

/// A sandbox with four archives: an image `a:1` twice, once in each format, and others.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.tar", docker("a:1", "a"));
    sandbox.write("a.oci.tar", layout("a:1", "a"));
    sandbox.write("b.tar", docker("b:1", "b"));
    sandbox.write("b.oci.tar", layout("b:1", "b"));
    sandbox.write("other-a.tar", docker("a:1", "other"));
    sandbox
}

/// The names in `index.json` of an output, an empty one for what has none.
#[track_caller]
fn names(sandbox: &Sandbox, output: &str) -> Vec<String> {
    let index = Store::open(&sandbox.path(output)).json("index.json");
    let manifests = index["manifests"].as_array().expect("it lists manifests");
    let name = |descriptor: &Value| {
        let name = descriptor["annotations"]["org.opencontainers.image.ref.name"].as_str();
        name.unwrap_or_default().to_owned()
    };
    manifests.iter().map(name).collect()
}

/// The digests of an output's blobs.
#[track_caller]
fn blobs(sandbox: &Sandbox, output: &str) -> BTreeSet<String> {
    Store::open(&sandbox.path(output)).blobs()
}

#[test]
fn the_images_of_all_sources_are_in_the_output_in_their_order() {
    let sandbox = sandbox();
    for (sources, output) in [
        (["a.tar", "b.tar"], "all.tar"),
        (["a.oci.tar", "b.oci.tar"], "oci:all"),
        (["a.oci.tar", "b.tar"], "mixed.tar"),
        (["a.tar", "b.oci.tar"], "oci-archive:mixed.oci.tar"),
    ] {
        let [a, b] = sources;
        sandbox.run(&["convert", a, b, output]).silent();
        let path = output.split_once(':').map_or(output, |(_, path)| path);
        assert_eq!(names(&sandbox, path), ["a:1", "b:1"], "{sources:?}");
        // Two manifests, two configs, two layers, and the common one.
        assert_eq!(blobs(&sandbox, path).len(), 7, "{sources:?}");
        let store = Store::open(&sandbox.path(path));
        let entries = store.entries.iter();
        let entries: Vec<&String> = entries.filter(|it| it.contains("blobs/sha256/")).collect();
        let distinct: BTreeSet<&String> = entries.iter().copied().collect();
        assert_eq!(entries.len(), distinct.len(), "each blob is there once");
        if !output.contains("oci:") && !output.contains("oci-archive:") {
            let manifest = store.json("manifest.json");
            let tags: Vec<&Value> = manifest.as_array().unwrap().iter().collect();
            let tags: Vec<&Value> = tags.into_iter().map(|it| &it["RepoTags"]).collect();
            assert_eq!(tags, [&json!(["a:1"]), &json!(["b:1"])]);
        }
    }
}

#[test]
fn each_image_is_what_a_conversion_of_its_own_writes() {
    let sandbox = sandbox();
    sandbox
        .run(&["convert", "a.tar", "b.oci.tar", "oci:all"])
        .silent();
    sandbox.run(&["convert", "a.tar", "oci:each"]).silent();
    sandbox.run(&["convert", "b.oci.tar", "oci:each"]).silent();
    let tree = |name: &str| {
        let tree = sandbox.tree();
        let prefix = format!("{name}/");
        let parts = tree.iter().filter_map(|(path, what)| {
            Some((path.strip_prefix(&prefix)?.to_owned(), format!("{what:?}")))
        });
        parts.collect::<Vec<_>>()
    };
    assert_eq!(tree("all"), tree("each"));
}

#[test]
fn the_same_image_twice_is_one() {
    let sandbox = sandbox();
    for (sources, count) in [
        (["a.tar", "a.tar"], 4),
        (["a.oci.tar", "a.oci.tar"], 4),
        // The one has no manifest, so it is the image of the other.
        (["a.tar", "a.oci.tar"], 4),
        (["a.oci.tar", "a.tar"], 4),
    ] {
        let [one, other] = sources;
        let arguments = ["convert", "--force", one, other, "twice.tar"];
        sandbox.run(&arguments).silent();
        assert_eq!(names(&sandbox, "twice.tar"), ["a:1"], "{sources:?}");
        assert_eq!(blobs(&sandbox, "twice.tar").len(), count, "{sources:?}");
        let manifest = Store::open(&sandbox.path("twice.tar")).json("manifest.json");
        assert_eq!(manifest.as_array().map(Vec::len), Some(1), "{sources:?}");
    }
    // Under another name it has both.
    let mut renamed = image("a:1", "a");
    renamed.tags = vec!["c:2".to_owned()];
    sandbox.write("c.tar", make::tar(&make::docker(&[renamed])));
    sandbox
        .run(&["convert", "a.oci.tar", "c.tar", "both.tar"])
        .silent();
    assert_eq!(names(&sandbox, "both.tar"), ["a:1", "c:2"]);
    let manifest = Store::open(&sandbox.path("both.tar")).json("manifest.json");
    assert_eq!(manifest[0]["RepoTags"], json!(["a:1", "c:2"]));
    assert_eq!(manifest.as_array().map(Vec::len), Some(1));
}

#[test]
fn one_source_may_be_a_pipe_and_any_may_be_compressed() {
    let sandbox = sandbox();
    sandbox
        .run(&["convert", "a.tar", "b.tar", "oci:files"])
        .silent();
    sandbox
        .run(&["convert", "a.tar", "b.tar", "files.tar"])
        .silent();
    let gzip = |name: &str| crate::support::codec::Codec::Gzip.compress(&sandbox.read(name));
    sandbox.write("a.gz", gzip("a.tar"));
    sandbox.write("b.gz", gzip("b.tar"));
    for (at, (sources, piped)) in [
        (["-", "b.tar"], "a.tar"),
        (["a.tar", "-"], "b.tar"),
        (["a.gz", "b.gz"], "a.tar"),
        (["-", "b.gz"], "a.gz"),
        (["a.gz", "docker-archive:-"], "b.gz"),
    ]
    .into_iter()
    .enumerate()
    {
        let [one, other] = sources;
        for (expected, output) in [
            ("files", format!("oci:lay{at}")),
            ("files.tar", format!("{at}.tar")),
        ] {
            let run = sandbox.restow(&["convert", one, other, &output]);
            run.stdin_pipe(sandbox.read(piped)).run().silent();
            let path = output.strip_prefix("oci:").unwrap_or(&output);
            let [got, expected] = [path, expected].map(|it| Store::open(&sandbox.path(it)));
            assert_eq!(got, expected, "{sources:?}");
        }
    }
    sandbox.assert_no_temporaries();
}

#[test]
fn halves_of_an_index_become_whole() {
    let sandbox = Sandbox::new();
    let mut whole = Layout::default();
    let [one, other] = ["amd64", "arm64"].map(|architecture| {
        let image = image("multi:1", architecture);
        whole.image(&image.with_config(|config| config["architecture"] = architecture.into()))
    });
    let index = whole.nested(&[one.clone(), other.clone()]);
    whole.add_named(&index, "multi:1");
    // As `docker save --platform` writes them: without the blobs of the other image.
    let members = whole.members();
    let store = Store::from_tar(&make::tar(&members));
    for (name, lacking) in [("one.tar", &other), ("other.tar", &one)] {
        let manifest: Value = serde_json::from_slice(store.blob(lacking).unwrap()).unwrap();
        let own = manifest["layers"][1]["digest"].as_str().unwrap();
        let gone = [
            own,
            manifest["config"]["digest"].as_str().unwrap(),
            lacking["digest"].as_str().unwrap(),
        ];
        let gone = gone.map(|digest| format!("blobs/{}", digest.replace(':', "/")));
        let kept = members
            .iter()
            .filter(|it| !gone.iter().any(|gone| it.name() == gone));
        sandbox.write(name, make::tar(&kept.cloned().collect::<Vec<_>>()));
    }
    sandbox.write("whole.tar", make::tar(&members));
    sandbox
        .run(&["convert", "oci-archive:whole.tar", "oci:whole"])
        .silent();
    sandbox
        .run(&[
            "convert",
            "oci-archive:one.tar",
            "oci-archive:other.tar",
            "oci:joined",
        ])
        .silent();
    assert_eq!(blobs(&sandbox, "joined"), blobs(&sandbox, "whole"));
    assert_eq!(names(&sandbox, "joined"), ["multi:1"]);
}
