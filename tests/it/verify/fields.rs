//! The types of fields: what a Go reader cannot decode is found, and what it can is not.
//!
//! One table is held against what `verify` says, and against what the engine does.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::{app, check_members, edit_json};
use crate::support::codec::hex;
use crate::support::engine::{Docker, unique};
use crate::support::image::Store;
use crate::support::make::{self, Image, Layout, Member};
use crate::support::sandbox::Sandbox;

/// The document that is changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Config,
    Manifest,
    /// The descriptor in `index.json`.
    Descriptor,
    Index,
    /// The element of `manifest.json`.
    Element,
}

use Part::{Config, Descriptor, Element, Index, Manifest};

/// Which of Docker's stores refuse the archive, or cannot make a container of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refused {
    Nowhere,
    /// The graph drivers' alone.
    Classic,
    /// containerd's alone.
    Containerd,
    Everywhere,
}

use Refused::{Classic, Containerd, Everywhere, Nowhere};

/// What is merged into a document, what `verify` says of it, and who refuses it.
type Case = (Part, &'static str, Expect, Refused);

const CASES: &[Case] = &[
    (Config, "{}", expect![""], Nowhere),
    (
        Config,
        r#"{"config": []}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config` is not an object
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"config": {"User": 5}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.User` is not a string
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"config": {"Hostname": 5}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.Hostname` is not a string
        "#]],
        Classic,
    ),
    (
        Config,
        r#"{"config": {"Tty": "true"}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.Tty` is not true or false
        "#]],
        Classic,
    ),
    (
        Config,
        r#"{"config": {"ArgsEscaped": 1}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.ArgsEscaped` is not true or false
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"config": {"Env": "A=1"}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.Env` is not a list of strings
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"config": {"ENV": {"A": "1"}}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.Env` is not a list of strings
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"config": {"Cmd": ["x", 1, 2]}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.Cmd[1]` is not a string
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"config": {"Cmd": "x"}}"#,
        expect![[r#"
            warning[command-text] `x:1`: `config.Cmd` is a string
        "#]],
        Containerd,
    ),
    (
        Config,
        r#"{"config": {"Entrypoint": {}}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.Entrypoint` is not a list of strings
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"config": {"OnBuild": "RUN x"}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.OnBuild` is not a list of strings
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"config": {"Labels": ["a=b"]}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.Labels` is not an object of strings
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"config": {"Labels": {"n": 7}}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.Labels.n` is not a string
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"config": {"Volumes": ["/v"]}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.Volumes` is not an object of empty objects
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"config": {"ExposedPorts": {"80/tcp": 1}}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.ExposedPorts.80/tcp` is not an object
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"config": {"StopTimeout": "10"}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.StopTimeout` is not a whole number
        "#]],
        Classic,
    ),
    (
        Config,
        r#"{"config": {"StopTimeout": 9223372036854775808}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.StopTimeout` is not a whole number
        "#]],
        Classic,
    ),
    (
        Config,
        r#"{"config": {"Healthcheck": {"Test": "x"}}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.Healthcheck.Test` is not a list of strings
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"config": {"Healthcheck": {"Interval": "5s"}}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.Healthcheck.Interval` is not a whole number
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"config": {"Healthcheck": {"Interval": 1.0}}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.Healthcheck.Interval` is not a whole number
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"config": {"Healthcheck": {"Retries": 1e3}}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `config.Healthcheck.Retries` is not a whole number
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"container_config": "x"}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `container_config` is not an object
        "#]],
        Classic,
    ),
    (
        Config,
        r#"{"container_config": {"Image": 1}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `container_config.Image` is not a string
        "#]],
        Classic,
    ),
    (
        Config,
        r#"{"author": 1}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `author` is not a string
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"comment": 1}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `comment` is not a string
        "#]],
        Classic,
    ),
    (
        Config,
        r#"{"variant": 7}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `variant` is not a string
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"os.features": "a"}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `os.features` is not a list of strings
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"size": "1"}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `Size` is not a whole number
        "#]],
        Classic,
    ),
    (
        Config,
        r#"{"rootfs": {"type": 5}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `rootfs.type` is not a string
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"history": {}}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `history` is not a list
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"history": [7]}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `history[0]` is not an object
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"history": [{"created_by": ["a"]}]}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `history[0].created_by` is not a string
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"history": [{"empty_layer": "true"}]}"#,
        expect![[r#"
            error[config-invalid] `x:1`: `history[0].empty_layer` is not true or false
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"history": [{"created": 1}]}"#,
        expect![[r#"
            error[created-invalid] `x:1`: `history[0].created` is 1
        "#]],
        Everywhere,
    ),
    (
        Config,
        r#"{"created": "yesterday"}"#,
        expect![[r#"
            error[created-invalid] `x:1`: `created` is "yesterday"
        "#]],
        Everywhere,
    ),
    // Null is the zero value of everything, an unknown field is free, and so is the case.
    (
        Config,
        r#"{"config": {"Env": null, "Labels": {"a": null}, "Volumes": {"/v": null}, "Cmd": [null]}}"#,
        expect![""],
        Nowhere,
    ),
    (
        Config,
        r#"{"config": null, "container_config": null, "created": null, "Size": null}"#,
        expect![""],
        Nowhere,
    ),
    (
        Config,
        r#"{"history": [{"created": null, "comment": null, "empty_layer": null}]}"#,
        expect![""],
        Nowhere,
    ),
    (
        Config,
        r#"{"x": 1e400, "config": {"Memory": "x", "ExposedPorts": {"80/tcp": {"a": 1}}}}"#,
        expect![""],
        Nowhere,
    ),
    (
        Config,
        r#"{"config": {"StopTimeout": -1, "Healthcheck": {"Interval": 9223372036854775807}}}"#,
        expect![""],
        Nowhere,
    ),
    (
        Config,
        r#"{"history": [{"EMPTY_LAYER": true}, {}]}"#,
        expect![""],
        Nowhere,
    ),
    (
        Manifest,
        r#"{"annotations": {"a": 1}}"#,
        expect![[r#"
            error[document-invalid] `x:1`: `annotations.a` is not a string
        "#]],
        Containerd,
    ),
    (
        Manifest,
        r#"{"schemaVersion": "2"}"#,
        expect![[r#"
            error[document-invalid] `x:1`: `schemaVersion` is not a whole number
        "#]],
        Containerd,
    ),
    (
        Manifest,
        r#"{"artifactType": 5}"#,
        expect![[r#"
            error[document-invalid] `x:1`: `artifactType` is not a string
        "#]],
        Containerd,
    ),
    (
        Manifest,
        r#"{"subject": "x"}"#,
        expect![[r#"
            error[descriptor-invalid] `x:1`: `subject` is not an object
        "#]],
        Containerd,
    ),
    (
        Manifest,
        r#"{"MEDIATYPE": "application/vnd.docker.distribution.manifest.v2+json"}"#,
        expect![[r#"
            warning[media-type-differs] `x:1`: its `mediaType` is `application/vnd.docker.distribution.manifest.v2+json`, but its descriptor says `application/vnd.oci.image.manifest.v1+json`
        "#]],
        Nowhere,
    ),
    (
        Descriptor,
        r#"{"annotations": {"a": 1}}"#,
        expect![[r#"
            error[descriptor-invalid] `index.json`: `manifests[0].annotations.a` is not a string
        "#]],
        Containerd,
    ),
    (
        Descriptor,
        r#"{"platform": "linux/amd64"}"#,
        expect![[r#"
            error[descriptor-invalid] `index.json`: `manifests[0].platform` is not an object
        "#]],
        Containerd,
    ),
    (
        Descriptor,
        r#"{"urls": "http://x"}"#,
        expect![[r#"
            error[descriptor-invalid] `index.json`: `manifests[0].urls` is not a list of strings
        "#]],
        Containerd,
    ),
    (
        Descriptor,
        r#"{"data": "%"}"#,
        expect![[r#"
            error[descriptor-invalid] `index.json`: `manifests[0].data` is not base64
        "#]],
        Containerd,
    ),
    (
        Descriptor,
        r#"{"size": "1"}"#,
        expect![[r#"
            error[descriptor-invalid] `index.json`: `manifests[0].size` is not a whole number
        "#]],
        Containerd,
    ),
    (
        Descriptor,
        r#"{"x": 1, "data": null, "urls": null, "platform": null}"#,
        expect![""],
        Nowhere,
    ),
    (
        Index,
        r#"{"annotations": "x"}"#,
        expect![[r#"
            error[document-invalid] `index.json`: `annotations` is not an object of strings
        "#]],
        Containerd,
    ),
    (
        Index,
        r#"{"mediaType": 5}"#,
        expect![[r#"
            error[document-invalid] `index.json`: `mediaType` is not a string
        "#]],
        Containerd,
    ),
    (
        Index,
        r#"{"annotations": null, "x": []}"#,
        expect![""],
        Nowhere,
    ),
    (
        Element,
        r#"{"Parent": 5}"#,
        expect![[r#"
            error[manifest-invalid] `manifest.json`: `[0].Parent` is not a string
        "#]],
        Classic,
    ),
    (
        Element,
        r#"{"LayerSources": "x"}"#,
        expect![[r#"
            error[manifest-invalid] `manifest.json`: `[0].LayerSources` is not an object
        "#]],
        Classic,
    ),
    (
        Element,
        r#"{"LayerSources": {"sha256:00": {"size": "1"}}}"#,
        expect![[r#"
            error[manifest-invalid] `manifest.json`: `[0].LayerSources.sha256:00.size` is not a whole number
        "#]],
        Classic,
    ),
    (
        Element,
        r#"{"Parent": null, "LayerSources": {"sha256:00": {}}, "x": 1}"#,
        expect![""],
        Nowhere,
    ),
];

/// Puts the fields of a patch in their places.
fn merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, patch) => *into = patch.clone(),
    }
}

/// A hybrid of an image whose only layer has this file, with one document changed.
fn archive(tag: &str, salt: &str, part: Part, patch: &str) -> Vec<Member> {
    let patch: Value = serde_json::from_str(patch).expect("a patch is JSON");
    let change = |of: Part, value: &mut Value| {
        if of == part {
            merge(value, &patch);
        }
    };
    let image = Image::new(&[tag], &[&format!("file salt {salt}")]);
    let image = image.with_config(|config| change(Config, config));
    let mut layout = Layout::default();
    let descriptor = layout.image(&image);
    let digest = descriptor["digest"].as_str().expect("a digest");
    let bytes = layout.blobs.remove(digest).expect("the manifest is there");
    let mut manifest = serde_json::from_slice(&bytes).expect("JSON");
    change(Manifest, &mut manifest);
    let mut descriptor = layout.put(make::MANIFEST, manifest.to_string());
    descriptor["annotations"] = json!({
        "io.containerd.image.name": format!("docker.io/library/{tag}"),
        "org.opencontainers.image.ref.name": "1",
    });
    change(Descriptor, &mut descriptor);
    layout.index.push(descriptor);
    let blob = |digest: &str| format!("blobs/sha256/{}", hex(digest));
    let mut element = json!({
        "Config": blob(&image.id()), "RepoTags": [tag], "Layers": [blob(&image.diff_ids[0])],
    });
    change(Element, &mut element);
    let mut members = edit_json(layout.members(), "index.json", |it| change(Index, it));
    members.push(Member::file("manifest.json", json!([element]).to_string()));
    members
}

#[test]
fn a_field_of_another_type_is_found_and_named() {
    for (part, patch, expected, _) in CASES {
        check_members(patch, &archive("x:1", "a", *part, patch), expected);
    }
    for (_, patch, expected, refused) in CASES {
        let found = expected.data();
        let is_refused = !found.is_empty() && !found.contains("differs");
        assert_eq!(is_refused, *refused != Nowhere, "{patch}");
    }
}

#[test]
fn the_engine_refuses_the_same_fields() {
    for engine in Docker::found("the_engine_refuses_the_same_fields") {
        let _alone = engine.alone();
        let refuses = if engine.has_containerd_store() {
            [Containerd, Everywhere]
        } else {
            [Classic, Everywhere]
        };
        for (part, patch, _, refused) in CASES {
            let repository = unique();
            let tag = format!("{repository}:1");
            let members = archive(&tag, &repository, *part, patch);
            let loaded = engine.try_load(&make::tar(&members), std::slice::from_ref(&tag));
            // containerd's store does not look into a config before it is run.
            let is_taken = loaded.is_ok_and(|_loaded| engine.creates(&tag));
            assert_eq!(!is_taken, refuses.contains(refused), "{engine:?}: {patch}");
        }
    }
}

#[test]
fn half_a_surrogate_pair_does_no_harm() {
    let image = app().with_config(|it| it["author"] = json!("QQ"));
    let with = |text: &str| {
        let config = String::from_utf8(image.config.clone()).expect("UTF-8");
        let config = config.replace("QQ", text).into_bytes();
        make::docker(&[Image {
            config,
            ..image.clone()
        }])
    };
    check_members("lone", &with(r"\ud800"), expect![""]);
    check_members("pair", &with(r"\ud83d\ude00"), expect![""]);
    check_members("key", &with(r#"", "a\udc00": ""#), expect![""]);
}

#[test]
fn keys_count_in_any_case() {
    let renamed = app().with_config(|it| {
        let fields = it.as_object_mut().expect("an object");
        for (name, other) in [("rootfs", "RootFS"), ("history", "HISTORY"), ("os", "Os")] {
            let value = fields.remove(name).expect("it is there");
            fields.insert(other.to_owned(), value);
        }
    });
    check_members(
        "docker",
        &make::docker(std::slice::from_ref(&renamed)),
        expect![""],
    );
    check_members(
        "hybrid",
        &make::hybrid(std::slice::from_ref(&renamed)),
        expect![""],
    );
    // What is edited is written by the usual keys, and once.
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&make::docker(&[renamed])));
    sandbox.run(&["convert", "in.tar", "oci:layout"]).silent();
    for input in ["in.tar", "oci:layout"] {
        let squash = ["squash", "--all", "--quiet", "--force", input, "out.tar"];
        sandbox.run(&squash).silent();
        let squashed = sandbox.run(&["verify", "out.tar"]);
        assert_eq!(super::found(&squashed), [""; 0]);
        let images = Store::open(&sandbox.path("out.tar")).docker_images();
        let config: Value = serde_json::from_str(&images[0].config).expect("JSON");
        assert_eq!(
            config["rootfs"]["diff_ids"].as_array().map(Vec::len),
            Some(1)
        );
        assert_eq!(config["RootFS"], Value::Null);
    }
}
