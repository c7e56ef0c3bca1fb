//! Platforms by any of their names: which image of an index is taken, and what is
//! written of it.

use std::process::Stdio;

use expect_test::expect;
use serde_json::{Value, json};

use crate::support::engine::{Docker, Loaded, unique};
use crate::support::image::Store;
use crate::support::make::{self, Image, Layout};
use crate::support::sandbox::Sandbox;

/// The fields of a platform as a document has them.
fn platform(text: &str) -> Value {
    let words: Vec<&str> = text.split('/').collect();
    let mut platform = json!({"os": words[0], "architecture": words[1]});
    if let Some(variant) = words.get(2) {
        platform["variant"] = (*variant).into();
    }
    platform
}

/// An index of images for these platforms, as `in.tar`.
fn index_of(platforms: &[&str]) -> Sandbox {
    let mut layout = Layout::default();
    let mut descriptors = Vec::new();
    for text in platforms {
        let fields = platform(text);
        let image = Image::new(&[], &["file a 1"]).with_config(|config| {
            for (key, value) in fields.as_object().expect("it is an object") {
                config[key] = value.clone();
            }
        });
        let mut descriptor = layout.image(&image);
        descriptor["platform"] = fields;
        descriptors.push(descriptor);
    }
    let index = layout.nested(&descriptors);
    layout.add_named(&index, "app:1");
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&layout.members()));
    sandbox
}

const SUBSTITUTED: &str = "which runs there";

/// The platform of the image that is taken, as its document says it, and whether
/// `convert` warns of another one than was asked for.
fn taken(sandbox: &Sandbox, wanted: &str) -> (String, Vec<String>) {
    let arguments = ["inspect", "--platform", wanted, "--json", "in.tar"];
    let stdout = sandbox.run(&arguments).data("");
    let told: Value = serde_json::from_slice(&stdout).expect("it is JSON");
    let platform = told["platform"].as_str().expect("a text").to_owned();
    let arguments = [
        "convert",
        "--force",
        "--platform",
        wanted,
        "in.tar",
        "out.tar",
    ];
    let mut warnings = sandbox.run(&arguments).warnings();
    warnings.retain(|warning| warning.contains(SUBSTITUTED));
    (platform, warnings)
}

#[test]
fn documents_with_other_names_are_found_and_keep_them() {
    let platforms = [
        "linux/x86_64",
        "linux/aarch64/v8",
        "linux/armhf",
        "Linux/I386",
    ];
    let sandbox = index_of(&platforms);
    for (wanted, expected) in [
        ("linux/amd64", "linux/x86_64"),
        ("x86-64", "linux/x86_64"),
        ("LINUX/AMD64/v1", "linux/x86_64"),
        ("linux/arm64", "linux/aarch64/v8"),
        ("linux/arm64/8", "linux/aarch64/v8"),
        ("arm64", "linux/aarch64/v8"),
        ("linux/arm", "linux/armhf"),
        ("linux/arm/7", "linux/armhf"),
        ("linux/386", "Linux/I386"),
    ] {
        assert_eq!(taken(&sandbox, wanted), (expected.to_owned(), vec![]));
        let out = wanted.replace('/', "-");
        let target = format!("oci:{out}");
        let arguments = ["convert", "--platform", wanted, "in.tar", &target];
        drop(sandbox.run(&arguments).warnings());
        let store = Store::open(&sandbox.path(&out));
        let [image] = &store.layout().images(expected)[..] else {
            panic!("{wanted}: one image was asked for");
        };
        let config: Value = serde_json::from_str(&image.config).expect("a config is JSON");
        let fields = platform(expected);
        for key in ["os", "architecture", "variant"] {
            assert_eq!(config[key], fields[key], "{wanted}");
        }
    }
    sandbox.run(&["convert", "in.tar", "oci:all"]).silent();
    let source = Store::open(&sandbox.path("in.tar"));
    let all = Store::open(&sandbox.path("all"));
    assert_eq!(source.blobs(), all.blobs());
}

#[test]
fn an_older_variant_will_do_and_is_told() {
    let sandbox = index_of(&[
        "linux/arm/v5",
        "linux/arm/v6",
        "linux/arm/v8",
        "linux/amd64/v2",
        "linux/amd64",
        "linux/386",
        "linux/arm64/v8.2",
        "linux/arm64/v9",
    ]);
    for (wanted, expected, is_told) in [
        ("linux/arm", "linux/arm/v6", true),
        ("linux/arm/v8", "linux/arm/v8", false),
        ("linux/arm/v5", "linux/arm/v5", false),
        ("linux/amd64/v4", "linux/amd64/v2", true),
        ("linux/amd64", "linux/amd64", false),
        ("linux/arm64/v9.2", "linux/arm64/v9", true),
        ("linux/arm64/v8.5", "linux/arm64/v8.2", true),
    ] {
        let told = format!(
            "warning: `app:1` has no image for {wanted}; using the one for {expected}, {SUBSTITUTED}"
        );
        let told: Vec<String> = is_told.then_some(told).into_iter().collect();
        assert_eq!(taken(&sandbox, wanted), (expected.to_owned(), told));
    }
    // A newer variant or another architecture is not what was asked for, though
    // machines for arm64 run most of it.
    for wanted in ["linux/arm64", "linux/arm/v4", "linux/riscv64"] {
        let arguments = ["inspect", "--platform", wanted, "in.tar"];
        let said = sandbox.run(&arguments).refuses();
        let expected = format!("error: `app:1` has no image for {wanted}\n");
        assert!(said.starts_with(&expected), "{said}");
    }
}

#[test]
fn a_single_image_is_for_what_was_asked_for() {
    let image = Image::new(&["app:1"], &["file a 1"]).with_config(|config| {
        config["architecture"] = "armhf".into();
    });
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&make::docker(&[image])));
    let convert = |wanted| sandbox.run(&["convert", "--platform", wanted, "in.tar", "oci:out"]);
    convert("linux/arm").silent();
    convert("arm/v8").fails(expect![[r#"
        error: `app:1` has no image for arm/v8
          hint: choose one with `--platform PLATFORM`: `linux/armhf`
    "#]]);
    convert("linux/arm/v8").warns(expect![[r#"
        warning: `app:1` has no image for linux/arm/v8; using the one for linux/armhf, which runs there
    "#]]);
}

/// Docker from 28 on reads all of a platform where it imports; before, the system alone.
#[test]
fn docker_import_writes_the_same_platform() {
    let engine = Docker::Classic;
    if !engine.answers("platforms: docker import") {
        return;
    }
    let _alone = engine.alone();
    let sandbox = Sandbox::new();
    sandbox.write("in", make::layer("file a 1"));
    let tag = format!("{}:1", unique());
    let rootfs = sandbox.path("in");
    let rootfs = rootfs.to_str().expect("a plain path");
    for text in [
        "linux/x86_64",
        "Linux/AMD64/V2",
        "aarch64",
        "linux/arm64/v8",
        "linux/arm64/8",
        "linux/arm",
        "linux/arm/7",
        "linux/armel",
        "linux/i386/v2",
        "riscv64",
        "linux",
        "linux/foo",
        "linux/",
        "foo",
        "linux/arm/v7/x",
        "linux /arm",
    ] {
        let mut command = engine.command(&["import", "--platform", text, rootfs, &tag]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let is_taken = command.status().expect("docker runs").success();
        let ours = sandbox.run(&["import", "--platform", text, "--force", "in", "out"]);
        assert_eq!(ours.code == Some(0), is_taken, "{text}: {}", ours.stderr);
        if !is_taken {
            continue;
        }
        let loaded = Loaded::names(engine, std::slice::from_ref(&tag));
        let format = "{{.Os}}/{{.Architecture}}/{{.Variant}}";
        let theirs = engine.run(&["image", "inspect", "--format", format, &tag]);
        let theirs = String::from_utf8(theirs).expect("it is text");
        let store = Store::open(&sandbox.path("out"));
        let config: Value =
            serde_json::from_str(&store.docker_images()[0].config).expect("a config is JSON");
        let field = |key| config[key].as_str().unwrap_or_default();
        let ours = [field("os"), field("architecture"), field("variant")].join("/");
        assert_eq!(ours, theirs.trim(), "{text}");
        drop(loaded);
    }
}
