//! Deltas of images for several platforms: the image of each is made from the old one for the same
//! platform, even if they share layers.

use serde_json::{Value, json};

use super::assert_comes_back;
use super::judged::{apply, files};
use crate::support::Sandbox;
use crate::support::codec::{Codec, digest};
use crate::support::image::Store;
use crate::support::make::{self, Image, Layout, Member};

const PLATFORMS: [&str; 2] = ["amd64", "arm64"];

/// An index with an image of these layers for each platform.
fn index(tag: &str, codec: Codec, layers: [Vec<Vec<u8>>; 2]) -> Vec<u8> {
    let mut layout = Layout::default();
    let mut manifests = Vec::new();
    for (architecture, layers) in PLATFORMS.iter().zip(layers) {
        let image = Image::of_layers(&[], layers).with_config(|config| {
            config["architecture"] = json!(architecture);
            config["os"] = json!("linux");
        });
        let mut descriptor = layout.image(&image.stored_as(codec));
        descriptor["platform"] = json!({"architecture": architecture, "os": "linux"});
        manifests.push(descriptor);
    }
    let index = layout.nested(&manifests);
    layout.add_named(&index, tag);
    make::tar(&layout.members())
}

/// Bytes that are different for each seed, and do not compress.
fn noise(seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    };
    (0..20_000).map(|_| next()).collect()
}

fn tar(name: &str, content: Vec<u8>) -> Vec<u8> {
    make::tar(&[Member::file(name, content)])
}

/// The new images share a layer whose best source differs between the old ones, and one that
/// only one of the old ones has.
fn pair(sandbox: &Sandbox, codec: Codec) {
    let mut changed = noise(1);
    changed[10_000] ^= 1;
    let shared = tar("usr/lib.so", changed);
    let common = tar("usr/common", noise(4));
    let old = [
        vec![tar("usr/lib.so", noise(1)), common.clone()],
        vec![tar("usr/lib.so", noise(2))],
    ];
    let new = PLATFORMS.map(|it| {
        vec![
            make::layer(&format!("file {it} x")),
            shared.clone(),
            common.clone(),
        ]
    });
    sandbox.write("old.tar", index("app:1", codec, old));
    sandbox.write("new.tar", index("app:2", codec, new));
}

#[test]
fn a_shared_layer_comes_from_the_old_image_of_each_platform() {
    for codec in [Codec::Plain, Codec::Gzip, Codec::Zstd] {
        let sandbox = Sandbox::new();
        pair(&sandbox, codec);
        assert_comes_back(&sandbox, "old.tar", "new.tar", "delta");
        // What one old image lacks, the delta of the other does not name.
        sandbox
            .run(&["delta", "-q", "--by-content", "old.tar", "new.tar", "small"])
            .silent();
        sandbox
            .run(&["apply", "-q", "old.tar", "small", "made.tar"])
            .silent();
        sandbox.run(&["verify", "-q", "made.tar"]).silent();
    }
}

/// Each artifact can be applied by a program that only has the old image of that platform.
#[test]
fn each_artifact_needs_its_own_old_image_only() {
    let sandbox = Sandbox::new();
    pair(&sandbox, Codec::Plain);
    sandbox
        .run(&["delta", "-q", "old.tar", "new.tar", "delta"])
        .silent();
    let store = Store::open(&sandbox.path("delta"));
    let artifacts = store.json("index.json")["manifests"].clone();
    assert_eq!(artifacts.as_array().map(Vec::len), Some(2));
    for (at, architecture) in PLATFORMS.iter().enumerate() {
        let platform = format!("linux/{architecture}");
        let arguments = ["export", "-q", "--platform", &platform, "old.tar", "-"];
        let (export, _) = sandbox.run(&arguments).data_and_warnings();
        let files = files(&export);
        let artifact = store.blob(&artifacts[at]).expect("the artifact is there");
        let artifact: Value = serde_json::from_slice(artifact).expect("it is JSON");
        let mut made = 0;
        for layer in artifact["layers"].as_array().expect("it has layers") {
            if layer["mediaType"] == "application/vnd.tar-diff" {
                let content = apply(store.blob(layer).expect("it is there"), &files);
                let to = &layer["annotations"]["io.github.containers.delta.to"];
                assert_eq!(to, &Value::from(digest(&content)));
                made += 1;
            }
        }
        // One of the old images has the layer that both new ones have.
        assert_eq!(made, 2 + at, "{platform}");
    }
}

#[test]
fn an_old_image_of_one_platform_serves_all_new_ones() {
    let sandbox = Sandbox::new();
    pair(&sandbox, Codec::Gzip);
    sandbox
        .run(&[
            "convert",
            "-q",
            "--platform",
            "linux/arm64",
            "old.tar",
            "one.tar",
        ])
        .silent();
    assert_comes_back(&sandbox, "one.tar", "new.tar", "delta");
    assert_comes_back(&sandbox, "old.tar", "one.tar", "back");
    // An archive with one of the two old images is not enough for both.
    sandbox
        .run(&["delta", "-q", "old.tar", "new.tar", "both"])
        .silent();
    let said = sandbox
        .run(&["apply", "one.tar", "both", "out.tar"])
        .refuses();
    assert!(said.contains("which `one.tar` does not hold"), "{said}");
}
