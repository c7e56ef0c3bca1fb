//! Images for several platforms.

use serde_json::{Value, json};

use super::{entry, parsed};
use crate::support::Sandbox;
use crate::support::make::{self, Image, Layout};

/// An image for an architecture.
fn image(architecture: &str) -> Image {
    Image::new(&["app:1"], &[&format!("file {architecture} 1")]).with_config(|config| {
        config["architecture"] = json!(architecture);
        config["config"] = json!({"Env": ["A=1", format!("{architecture}=1")]});
    })
}

/// An index of two images, the attestation of one, and a descriptor of an image that is not
/// there. The index has a field of its own.
fn write_index(sandbox: &Sandbox) {
    let mut layout = Layout::default();
    let mut parts = Vec::new();
    for architecture in ["amd64", "arm64"] {
        let mut descriptor = layout.image(&image(architecture));
        descriptor["platform"] =
            json!({"architecture": architecture, "os": "linux", "os.version": "5"});
        parts.push(descriptor);
    }
    parts.push(layout.attestation(&parts[0].clone()));
    let absent = json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 2,
        "digest": format!("sha256:{}", "5".repeat(64)),
        "platform": {"architecture": "s390x", "os": "linux"},
    });
    parts.push(absent);
    let index = layout.document(&json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": parts, "annotations": {"kept": "yes"},
    }));
    layout.add_named(&index, "app:1");
    sandbox.write("in.tar", make::tar(&layout.members()));
}

/// The index in an output, and the manifest and config of each image in it.
#[track_caller]
fn written(sandbox: &Sandbox) -> (Value, Vec<(Value, Value)>) {
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().expect("a digest");
        parsed(sandbox.read(&format!("out/blobs/sha256/{}", &digest["sha256:".len()..])))
    };
    let top = parsed(sandbox.read("out/index.json"));
    let index = blob(&top["manifests"][0]);
    let manifests = index["manifests"].as_array().expect("an index").iter();
    let there = manifests.filter(|it| it["platform"]["architecture"] != "s390x");
    let images = there.map(|it| {
        let manifest = blob(it);
        let config = blob(&manifest["config"]);
        (manifest, config)
    });
    (index.clone(), images.collect())
}

#[test]
fn all_images_of_an_index_change_alike() {
    let sandbox = Sandbox::new();
    write_index(&sandbox);
    let options = [
        "--label",
        "a=b",
        "--annotation",
        "x=y",
        "--unset",
        "ENV.arm64",
    ];
    let run = sandbox.run(&[&["config"], &options[..], &["in.tar", "oci:out"]].concat());
    let warnings = run.warnings();
    assert!(
        warnings.iter().any(|it| it.contains("attestation")),
        "{warnings:?}"
    );
    let (index, images) = written(&sandbox);
    assert_eq!(index["annotations"], json!({"kept": "yes"}));
    assert_eq!(index["manifests"].as_array().map(Vec::len), Some(3));
    let platform = |at: usize| index["manifests"][at]["platform"].clone();
    assert_eq!(
        platform(1),
        json!({"architecture": "arm64", "os": "linux", "os.version": "5"})
    );
    let expected = [json!(["A=1", "amd64=1"]), json!(["A=1"])];
    assert_eq!(images.len(), 2);
    for ((manifest, config), env) in images.into_iter().zip(expected) {
        assert_eq!(manifest["annotations"], json!({"x": "y"}));
        assert_eq!(config["config"], json!({"Env": env, "Labels": {"a": "b"}}));
        assert_eq!(entry(&config)["empty_layer"], json!(true));
    }
}

#[test]
fn an_image_that_does_not_change_keeps_its_attestation() {
    let sandbox = Sandbox::new();
    write_index(&sandbox);
    let arguments = ["config", "--unset", "ENV.arm64", "in.tar", "oci:out"];
    let warnings = sandbox.run(&arguments).warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let (index, _) = written_parts(&sandbox);
    assert_eq!(index["manifests"].as_array().map(Vec::len), Some(4));
}

/// The index in an output.
fn written_parts(sandbox: &Sandbox) -> (Value, Value) {
    let top = parsed(sandbox.read("out/index.json"));
    let digest = top["manifests"][0]["digest"].as_str().expect("a digest");
    let path = format!("out/blobs/sha256/{}", &digest["sha256:".len()..]);
    (parsed(sandbox.read(&path)), top)
}

#[test]
fn one_platform_is_chosen_and_another_one_declared() {
    let sandbox = Sandbox::new();
    write_index(&sandbox);
    let options = ["--platform", "arm64", "--set-platform", "linux/arm/v7"];
    let run = sandbox.run(&[&["config"], &options[..], &["in.tar", "oci:out"]].concat());
    drop(run.warnings());
    let (manifest, top) = written_parts(&sandbox);
    assert_eq!(
        top["manifests"][0]["platform"],
        json!({"architecture": "arm", "os": "linux", "os.version": "5", "variant": "v7"})
    );
    let digest = manifest["config"]["digest"].as_str().expect("a digest");
    let config = parsed(sandbox.read(&format!("out/blobs/sha256/{}", &digest[7..])));
    let platform = ["os", "architecture", "variant"].map(|it| config[it].clone());
    assert_eq!(platform, ["linux", "arm", "v7"]);
}

#[test]
fn several_images_cannot_get_one_platform() {
    let sandbox = Sandbox::new();
    write_index(&sandbox);
    sandbox
        .run(&["config", "--set-platform", "arm", "in.tar", "oci:out"])
        .fails(
            "error: cannot set the platform of 2 images of one index to the same\n  \
             hint: choose one with `--platform PLATFORM`\n",
        );
}

/// The descriptor in `index.json` tells the platform as well.
#[test]
fn a_platform_in_the_index_of_the_layout_follows() {
    let sandbox = Sandbox::new();
    let mut layout = Layout::default();
    let mut descriptor = layout.image(&image("amd64"));
    descriptor["platform"] = json!({"architecture": "amd64", "os": "linux"});
    layout.add_named(&descriptor, "app:1");
    sandbox.write("in.tar", make::tar(&layout.members()));
    let set = |platform: &str, from: &str, to: &str| {
        sandbox
            .run(&["config", "--set-platform", platform, from, to])
            .silent();
    };
    set("linux/arm64", "in.tar", "oci:out");
    let (_, top) = written_parts(&sandbox);
    let expected = json!({"architecture": "arm64", "os": "linux"});
    assert_eq!(top["manifests"][0]["platform"], expected);
    // As `--platform` would now select it.
    let run = [
        "inspect",
        "--format",
        ".platform",
        "--platform",
        "arm64",
        "oci:out",
    ];
    assert_eq!(sandbox.run(&run).data(""), b"linux/arm64\n");
}
