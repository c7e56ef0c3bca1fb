//! Blobs that their layout names by sha512, as image-spec allows.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use serde_json::{Value, json};
use sha2::{Digest, Sha512};

use crate::support::codec::{Codec, hex, named};
use crate::support::make::{self, Image, Layout, Member};
use crate::support::sandbox::Sandbox;

/// The contents of blobs and of `index.json`, by path.
type Files = BTreeMap<String, Vec<u8>>;

/// Adds a blob under its sha512 digest, and returns its descriptor.
fn put(files: &mut Files, mut descriptor: Value, bytes: Vec<u8>) -> Value {
    let digits = hex(&named(Sha512::digest(&bytes).as_slice())).to_owned();
    descriptor["digest"] = json!(format!("sha512:{digits}"));
    descriptor["size"] = json!(bytes.len());
    files.insert(format!("blobs/sha512/{digits}"), bytes);
    descriptor
}

/// A layout with an index of one image, and with referrers of both.
fn sample() -> Files {
    let mut files = Files::new();
    let mut layout = Layout::default();
    let image = Image::new(&[], &["dir etc\nfile etc/hosts h", "file a 1"]);
    let take = |descriptor: &Value, layout: &mut Layout| {
        let digest = descriptor["digest"].as_str().expect("it has a digest");
        layout.blobs.remove(digest).expect("it is there")
    };
    let known = layout.image(&image);
    let bytes = take(&known, &mut layout);
    let mut manifest: Value = serde_json::from_slice(&bytes).expect("it is JSON");
    let bytes = take(&manifest["config"], &mut layout);
    manifest["config"] = put(&mut files, manifest["config"].clone(), bytes);
    for layer in manifest["layers"].as_array_mut().expect("it has layers") {
        let bytes = take(layer, &mut layout);
        *layer = put(&mut files, layer.clone(), bytes);
    }
    let image = put(&mut files, known, manifest.to_string().into_bytes());
    let listed = layout.nested(std::slice::from_ref(&image));
    let bytes = take(&listed, &mut layout);
    let index = put(&mut files, listed, bytes);
    let referrers = [&image, &index].map(|subject| {
        let referrer = layout.referrer(subject);
        let bytes = take(&referrer, &mut layout);
        put(&mut files, referrer, bytes)
    });
    layout.index.extend(referrers);
    layout.add_named(&index, "app:1");
    for member in layout.members() {
        if let Member::File(path, bytes) = member {
            files.insert(path, bytes);
        }
    }
    files
}

/// The names of blobs, and the digests in `index.json`.
fn facts(files: &Files) -> (Vec<&String>, Vec<Value>) {
    let index: Value = serde_json::from_slice(&files["index.json"]).expect("it is JSON");
    let listed = index["manifests"].as_array().expect("it lists manifests");
    let blobs = files.keys().filter(|path| path.starts_with("blobs/"));
    let digests = listed.iter().map(|it| it["digest"].clone());
    (blobs.collect(), digests.collect())
}

/// The files of a tar.
fn unpack(tar: Vec<u8>) -> Files {
    let mut archive = tar::Archive::new(Cursor::new(tar));
    let entries = archive.entries().expect("it is a tar");
    let files = entries.map(|entry| {
        let mut entry = entry.expect("the tar can be read");
        let path = entry.path().expect("a path").display().to_string();
        let mut bytes = Vec::new();
        let read = entry.read_to_end(&mut bytes);
        read.expect("the tar can be read");
        (path, bytes)
    });
    files.filter(|(path, _)| !path.ends_with('/')).collect()
}

#[test]
fn documents_keep_the_digests_by_which_they_are_named() {
    let sample = sample();
    let sandbox = Sandbox::new();
    let members = sample.iter();
    let members = members.map(|(path, bytes)| Member::file(path, bytes.clone()));
    sandbox.write("in.tar", make::tar(&members.collect::<Vec<_>>()));
    sandbox.run(&["verify", "--quiet", "in.tar"]).silent();
    let sources = [
        "in.tar",
        "oci:lay",
        "oci-archive:oci.tar",
        "docker-archive:out.tar",
    ];
    for (at, from) in sources.into_iter().enumerate() {
        let copied = sandbox.run(&["convert", "--force", from, sources[(at + 1) % 4]]);
        drop(copied.warnings());
        let piped = sandbox.restow(&["convert", from, "-", "--to", "oci-archive"]);
        let copy = unpack(piped.run().data(""));
        assert_eq!(facts(&copy), facts(&sample), "{from}");
        sandbox.run(&["verify", "--quiet", from]).silent();
    }
}

/// The sample in a folder.
fn put_sample(sandbox: &Sandbox, name: &str) {
    for (path, bytes) in sample() {
        sandbox.write(&format!("{name}/{path}"), bytes);
    }
}

#[test]
fn a_delta_brings_back_layers_that_are_named_by_it() {
    let sandbox = Sandbox::new();
    put_sample(&sandbox, "new");
    let [etc, other] = ["dir etc\nfile etc/hosts h", "file b 2"];
    for (old, codec) in [
        (Image::new(&["old:1"], &[etc]), Codec::Plain),
        (Image::new(&["old:1"], &[etc]), Codec::Gzip),
        (Image::new(&["old:1"], &[other]), Codec::Plain),
    ] {
        let old = old.stored_as(codec);
        sandbox.write("old.tar", make::tar(&make::hybrid(&[old])));
        assert_comes_back(&sandbox, "old.tar", "oci:new");
    }
    assert_comes_back(&sandbox, "oci:new", "oci:new");
}

/// Makes a delta, applies it, and compares the result with that of `convert`.
#[track_caller]
fn assert_comes_back(sandbox: &Sandbox, old: &str, new: &str) {
    let delta = sandbox.run(&["delta", "-q", "--force", old, new, "delta"]);
    delta.silent();
    let applied = sandbox.run(&["apply", "-q", old, "delta", "-"]).data("");
    let converted = sandbox.run(&["convert", new, "-"]);
    assert!(applied == converted.data(""), "{old}");
}

#[test]
fn layers_in_place_are_verified_by_it() {
    let sandbox = Sandbox::new();
    put_sample(&sandbox, "lay");
    for command in [
        ["append", "--delete", "/a"].as_slice(),
        &["rebase", "--from", "scratch", "--onto", "scratch"],
    ] {
        let mut arguments = command.to_vec();
        arguments.extend([
            "-q", "--image", "app:1", "-t", "new:1", "oci:lay", "oci:lay",
        ]);
        sandbox.run(&arguments).silent();
    }
}
