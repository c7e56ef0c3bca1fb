//! `convert --index`: a multi-platform index of single-platform images.

use serde_json::{Value, json};

use super::{blobs, image, names};
use crate::support::codec::Codec;
use crate::support::fixture;
use crate::support::image::Store;
use crate::support::make::{self, Image, Layout};
use crate::support::sandbox::Sandbox;

/// An image for a platform.
fn image_for(architecture: &str, variant: Option<&str>) -> Image {
    image("app:1", architecture).with_config(|config| {
        config["architecture"] = architecture.into();
        if let Some(variant) = variant {
            config["variant"] = variant.into();
        }
    })
}

/// A sandbox with an archive of one image for each of three platforms.
pub(super) fn three() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "amd64.tar",
        make::tar(&make::docker(&[image_for("amd64", None)])),
    );
    let mut layout = Layout::default();
    layout.add(&image_for("arm64", Some("v8")));
    sandbox.write("arm64.tar", make::tar(&layout.members()));
    sandbox.write(
        "arm.tar",
        make::tar(&make::hybrid(&[image_for("arm", Some("v7"))])),
    );
    sandbox
}

/// The only index of an output.
#[track_caller]
fn index_of(store: &Store) -> Value {
    let index = store.json("index.json");
    assert_eq!(index["manifests"].as_array().map(Vec::len), Some(1));
    serde_json::from_slice(store.blob(&index["manifests"][0]).unwrap()).unwrap()
}

#[test]
fn an_index_lists_an_image_for_each_platform() {
    let sandbox = three();
    for output in ["out.tar", "oci:out", "oci-archive:out.oci.tar"] {
        let sources = ["amd64.tar", "arm64.tar", "arm.tar"];
        let line = [&["convert", "--index", "app"][..], &sources, &[output]].concat();
        sandbox.run(&line).silent();
        let path = output.split_once(':').map_or(output, |(_, path)| path);
        assert_eq!(names(&sandbox, path), ["app:latest"]);
        let store = Store::open(&sandbox.path(path));
        let index = index_of(&store);
        // What a conversion of each alone makes.
        let single = |source: &str| {
            let to = format!("oci:single-{source}");
            sandbox.run(&["convert", source, &to]).silent();
            let store = Store::open(&sandbox.path(&to[4..]));
            let index = store.json("index.json");
            index["manifests"][0].clone()
        };
        let platforms = [
            json!({"architecture": "amd64", "os": "linux"}),
            json!({"architecture": "arm64", "os": "linux", "variant": "v8"}),
            json!({"architecture": "arm", "os": "linux", "variant": "v7"}),
        ];
        let expected = sources.iter().zip(platforms).map(|(source, platform)| {
            let single = single(source);
            json!({
                "mediaType": single["mediaType"],
                "digest": single["digest"],
                "size": single["size"],
                "platform": platform,
            })
        });
        let manifests: Value = expected.collect();
        assert_eq!(
            index,
            json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "manifests": manifests,
            })
        );
        for source in sources {
            std::fs::remove_dir_all(sandbox.path(&format!("single-{source}"))).unwrap();
        }
        // The index, and for each image a manifest, a config, a layer, and the common one.
        assert_eq!(blobs(&sandbox, path).len(), 1 + 3 * 3 + 1);
        if path == "out.tar" {
            let manifest = store.json("manifest.json");
            assert_eq!(manifest.as_array().map(Vec::len), Some(1));
            assert_eq!(manifest[0]["RepoTags"], json!(["app:latest"]));
        }
    }
}

#[test]
fn an_index_of_one_index_has_its_images_and_attestations() {
    let sandbox = Sandbox::new();
    sandbox.write("multi.tar", fixture("buildkit__multi.oci.tar"));
    sandbox.run(&["convert", "multi.tar", "oci:multi"]).silent();
    for platform in ["amd64", "arm64", "arm/v7"] {
        let name = platform.replace('/', "");
        let wanted = format!("linux/{platform}");
        let to = format!("oci:{name}");
        drop(
            sandbox
                .run(&["convert", "--platform", &wanted, "multi.tar", &to])
                .warnings(),
        );
    }
    let before = index_of(&Store::open(&sandbox.path("multi")));
    sandbox
        .run(&["convert", "--index", "again:1", "oci:multi", "oci:again"])
        .silent();
    let again = index_of(&Store::open(&sandbox.path("again")));
    let is_attestation = |it: &&Value| !it["annotations"]["vnd.docker.reference.type"].is_null();
    let manifests = before["manifests"].as_array().unwrap();
    let mut expected: Vec<&Value> = manifests.iter().filter(|it| !is_attestation(it)).collect();
    expected.extend(manifests.iter().filter(is_attestation));
    let got: Vec<&Value> = again["manifests"].as_array().unwrap().iter().collect();
    assert_eq!(got, expected);
    // The same images without their attestations.
    let line = [
        "convert",
        "--index",
        "again:1",
        "oci:amd64",
        "oci:arm64",
        "oci:armv7",
        "oci:parts",
    ];
    sandbox.run(&line).silent();
    let parts = index_of(&Store::open(&sandbox.path("parts")));
    let parts = parts["manifests"].as_array().unwrap();
    let digests = |list: &[&Value]| {
        list.iter()
            .map(|it| it["digest"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        digests(&parts.iter().collect::<Vec<_>>()),
        digests(&expected[..parts.len()])
    );
    // An image that is there twice is there once.
    let line = [
        "convert",
        "--index",
        "again:1",
        "oci:multi",
        "oci:amd64",
        "oci:twice",
    ];
    sandbox.run(&line).silent();
    assert_eq!(index_of(&Store::open(&sandbox.path("twice"))), again);
    // Two of the platforms.
    let line = [
        "convert",
        "--index",
        "again:1",
        "--platform",
        "arm64",
        "--platform",
        "amd64",
        "oci:multi",
        "oci:two",
    ];
    sandbox.run(&line).silent();
    let two = index_of(&Store::open(&sandbox.path("two")));
    assert_eq!(two["manifests"].as_array().map(Vec::len), Some(4));
}

#[test]
fn a_new_compression_changes_the_images_of_the_index() {
    let sandbox = three();
    let line = [
        "convert",
        "--index",
        "app:1",
        "--compress",
        "zstd",
        "amd64.tar",
        "arm64.tar",
        "oci:out",
    ];
    sandbox.run(&line).silent();
    let index = index_of(&Store::open(&sandbox.path("out")));
    let manifests = index["manifests"].as_array().unwrap();
    let platform = |it: &Value| it["platform"]["architecture"].clone();
    assert_eq!(
        manifests.iter().map(platform).collect::<Vec<_>>(),
        ["amd64", "arm64"]
    );
    sandbox.run(&["verify", "oci:out"]).data_and_warnings();
}

/// Images that differ only in the compression of their layers are for clients that know how
/// to choose.
#[test]
fn all_images_for_a_wanted_platform_are_taken() {
    let sandbox = Sandbox::new();
    let mut layout = Layout::default();
    let arm64 = layout.image(&image_for("arm64", None));
    let two = [Codec::Gzip, Codec::Zstd].map(|codec| {
        let image = image_for("amd64", None).stored_as(codec);
        layout.image(&image)
    });
    let index = layout.nested(&[two[0].clone(), arm64, two[1].clone()]);
    layout.add_named(&index, "app:1");
    sandbox.write("in.tar", make::tar(&layout.members()));
    let digests = |name: &str| -> Vec<Value> {
        let index = index_of(&Store::open(&sandbox.path(name)));
        let manifests = index["manifests"].as_array().expect("a list").iter();
        manifests.map(|it| it["digest"].clone()).collect()
    };
    let expected: Vec<Value> = two.iter().map(|it| it["digest"].clone()).collect();
    let both = ["--platform", "linux/amd64", "--platform", "linux/arm64"];
    let line = [&["convert"], &both[..], &["in.tar", "oci:both"]].concat();
    sandbox.run(&line).silent();
    assert_eq!(digests("both").len(), 3);
    let line = [
        &["convert", "--index", "new:1"],
        &both[..2],
        &["in.tar", "oci:new"],
    ]
    .concat();
    sandbox.run(&line).silent();
    assert_eq!(digests("new"), expected);
    sandbox
        .run(&["convert", "--platform", "linux/amd64", "in.tar", "oci:one"])
        .warns(
            "warning: skipped further images for linux/amd64 of `app:1`: only one image is used\n\
             warning: skipped the images for linux/arm64 of `app:1`: another platform was requested\n",
        );
}

#[test]
fn what_is_not_wanted_may_be_there_twice() {
    let sandbox = three();
    let other = image_for("arm64", Some("v8")).with_config(|it| it["author"] = json!("you"));
    sandbox.write("other.tar", make::tar(&make::docker(&[other])));
    let sources = ["amd64.tar", "arm64.tar", "other.tar", "oci:out"];
    let line = [&["convert", "--index", "app"][..], &sources].concat();
    let said = sandbox.run(&line).refuses();
    assert!(said.contains("linux/arm64"), "{said}");
    let line = [&line[..], &["--platform", "linux/amd64"]].concat();
    sandbox.run(&line).silent();
    let index = index_of(&Store::open(&sandbox.path("out")));
    assert_eq!(index["manifests"][0]["platform"]["architecture"], "amd64");
    assert_eq!(index["manifests"].as_array().map(Vec::len), Some(1));
}
