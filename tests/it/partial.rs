//! Inputs of which a part is missing, or need not be understood: it hides nothing else.

use expect_test::expect;
use serde_json::{Value, json};

use crate::support::Sandbox;
use crate::support::codec::digest;
use crate::support::make::{self, CONFIG, Image, LAYER, Layout, MANIFEST, Member};

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

fn image(name: &str) -> Image {
    Image::new(&[&format!("{name}:1")], &[&format!("file {name} 1")])
}

/// What `images` shows: the name, the kind, the image id.
#[track_caller]
fn shown(sandbox: &Sandbox, source: &str) -> Vec<(String, String, Value)> {
    let list = sandbox.run(&["images", "--json", source]).data("");
    let list: Value = serde_json::from_slice(&list).expect("it is JSON");
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let images = list["images"].as_array().expect("a list").iter();
    images
        .map(|it| (text(&it["reference"]), text(&it["kind"]), it["id"].clone()))
        .collect()
}

fn line(name: &str, kind: &str, id: Value) -> (String, String, Value) {
    (name.to_owned(), kind.to_owned(), id)
}

fn write_folder(sandbox: &Sandbox, name: &str, layout: &Layout) {
    for member in layout.members() {
        if let Member::File(path, content) = member {
            sandbox.write(&format!("{name}/{path}"), content);
        }
    }
}

#[test]
fn an_image_that_is_not_there_hides_no_other_image_of_a_layout() {
    let mut layout = Layout::default();
    for name in ["good", "manifest", "config"] {
        layout.add(&image(name));
    }
    let manifest = layout.index[1]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    layout.blobs.remove(&manifest);
    let config = image("config").id();
    layout.blobs.remove(&config);
    let path = |digest: &str| format!("blobs/sha256/{}", &digest[7..]);
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&layout.members()));
    write_folder(&sandbox, "in", &layout);
    let good = line("good:1", "image", image("good").id().into());
    for source in ["in.tar", "in"] {
        let absent = |name| line(name, "absent", Value::Null);
        let all = [good.clone(), absent("manifest:1"), absent("config:1")];
        assert_eq!(shown(&sandbox, source), all);
        let no_manifest = format!(
            "`index.json` names `{}`, which is missing\n",
            path(&manifest)
        );
        let no_config = format!(
            "the manifest of `config:1` names `{}`, which is missing\n",
            path(&config)
        );
        for output in ["oci-archive:out.tar", "docker-archive:out.tar"] {
            sandbox
                .run(&["convert", "--force", source, output])
                .warns(&format!(
                    "warning: skipped `manifest:1`: {no_manifest}\
                 warning: skipped `config:1`: {no_config}"
                ));
            assert_eq!(
                shown(&sandbox, "out.tar"),
                std::slice::from_ref(&good),
                "{output}"
            );
        }
        for (name, reason) in [("manifest:1", &no_manifest), ("config:1", &no_config)] {
            for command in ["inspect", "history", "export", "convert"] {
                let target: &[&str] = match command {
                    "export" => &["-"],
                    "convert" => &["oci-archive:none.tar"],
                    _ => &[],
                };
                let arguments = [&[command, "--image", name, source], target].concat();
                let expected = format!("error: cannot read `{source}`\n  caused by: {reason}");
                sandbox.run(&arguments).fails(&expected);
            }
        }
        // Nobody knows that it is not the one that is missing.
        let said = sandbox.run(&["export", source, "-"]).refuses();
        assert!(
            said.starts_with(&format!("error: `{source}` holds 3 images\n")),
            "{said}"
        );
        let tree = sandbox
            .run(&["export", "--image", "good:1", source, "-"])
            .data("");
        assert!(tree.starts_with(b"good\0"));
    }
    // Where nothing else is there, that is why.
    layout.index.remove(0);
    sandbox.write("in.tar", make::tar(&layout.members()));
    sandbox
        .run(&["convert", "in.tar", "oci-archive:none.tar"])
        .fails(&format!(
            "error: cannot read `in.tar`\n  caused by: `index.json` names `{}`, which is missing\n",
            path(&manifest)
        ));
}

/// Removes the layer of an image from a layout.
fn without_layer(layout: &mut Layout, image: &Image) {
    layout
        .blobs
        .remove(&image.diff_ids[0])
        .expect("it is there");
}

#[test]
fn an_image_whose_layer_is_not_there_hides_no_other_image_of_a_layout() {
    let mut layout = Layout::default();
    let [good, poor] = ["good", "poor"].map(image);
    layout.add(&good);
    layout.add(&poor);
    without_layer(&mut layout, &poor);
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&layout.members()));
    write_folder(&sandbox, "in", &layout);
    let skipped = "warning: skipped `poor:1`: layer 1 of 1 is not in the input\n";
    let only_good = [line("good:1", "image", good.id().into())];
    for source in ["in.tar", "in"] {
        for output in ["oci-archive:out.tar", "docker-archive:out.tar"] {
            let convert = ["convert", "--force", source, output];
            sandbox.run(&convert).warns(skipped);
            assert_eq!(shown(&sandbox, "out.tar"), only_good, "{source} {output}");
        }
        // It was asked for.
        sandbox
            .run(&["convert", "--image", "poor:1", source, "none.tar"])
            .fails(
                "error: cannot read layer 1 of 1 of `poor:1`\n  caused by: its blob is not in the input\n",
            );
    }
    // Another source has it.
    sandbox.write(
        "poor.tar",
        make::tar(&make::docker(std::slice::from_ref(&poor))),
    );
    sandbox
        .run(&["convert", "in.tar", "poor.tar", "all.tar"])
        .silent();
    let both = [&only_good[..], &[line("poor:1", "image", poor.id().into())]].concat();
    assert_eq!(shown(&sandbox, "all.tar"), both);
    // Nothing can be copied of a source in which there is nothing else, or no other image.
    layout.index.remove(0);
    let artifact = manifest_of(&mut layout, "{}");
    for is_alone in [true, false] {
        if !is_alone {
            layout.add_named(&artifact, "artifact:1");
        }
        sandbox.write("in.tar", make::tar(&layout.members()));
        sandbox.write(
            "good.tar",
            make::tar(&make::docker(std::slice::from_ref(&good))),
        );
        for sources in [&["in.tar"][..], &["good.tar", "in.tar"]] {
            let arguments = [&["convert"], sources, &["none.tar"]].concat();
            sandbox.run(&arguments).fails(
                "error: cannot read layer 1 of 1 of `poor:1`\n  caused by: its blob is not in the input\n",
            );
        }
    }
}

#[test]
fn an_image_that_is_not_there_hides_no_other_image_of_a_docker_archive() {
    let images = ["good", "config", "layer"].map(image);
    let members = make::docker(&images);
    let layers = |member: &Member| match member {
        Member::File(_, content) => digest(content) == images[2].diff_ids[0],
        _ => false,
    };
    let is_config = |member: &Member| member.name().starts_with(&images[1].id()[7..]);
    let members: Vec<Member> = members
        .into_iter()
        .filter(|it| !layers(it) && !is_config(it))
        .collect();
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&members));
    let no_config = format!(
        "warning: skipped `config:1`: `manifest.json` names `{}.json`, which is missing\n",
        &images[1].id()[7..]
    );
    let list = sandbox
        .run(&["images", "--json", "in.tar"])
        .data(&no_config);
    let list: Value = serde_json::from_slice(&list).expect("it is JSON");
    let kinds = list["images"].as_array().expect("a list").iter();
    let kinds: Vec<_> = kinds.map(|it| (&it["reference"], &it["kind"])).collect();
    assert_eq!(
        kinds,
        [
            (&json!("good:1"), &json!("image")),
            (&json!("layer:1"), &json!("absent"))
        ]
    );
    let warnings = sandbox
        .run(&["convert", "in.tar", "docker-archive:out.tar"])
        .warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[1].starts_with("warning: skipped `layer:1`: `manifest.json` names `"));
    let good = line("good:1", "image", images[0].id().into());
    assert_eq!(shown(&sandbox, "out.tar"), [good]);
    let tree = sandbox
        .run(&["export", "--image", "good:1", "in.tar", "-"])
        .data(&no_config);
    assert!(tree.starts_with(b"good\0"));
}

#[test]
fn what_only_the_oci_part_of_a_hybrid_lists_may_be_missing() {
    let mut members = make::hybrid(&[image("good")]);
    for member in &mut members {
        if let Member::File(name, content) = member
            && name == "index.json"
        {
            let mut index: Value = serde_json::from_slice(content).expect("it is JSON");
            let absent = json!({
                "mediaType": MANIFEST, "size": 7, "digest": format!("sha256:{}", "0".repeat(64)),
            });
            index["manifests"]
                .as_array_mut()
                .expect("a list")
                .push(absent);
            *content = index.to_string().into_bytes();
        }
    }
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&members));
    let good = line("good:1", "image", image("good").id().into());
    assert_eq!(
        shown(&sandbox, "in.tar"),
        [good, line("-", "absent", Value::Null)]
    );
}

/// A manifest of the image type whose config is anything.
fn manifest_of(layout: &mut Layout, config: &str) -> Value {
    let config = layout.put(CONFIG, config);
    let layer = layout.put(LAYER, make::layer("file a 1"));
    layout.document(&json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer],
    }))
}

/// Converts a layout to another one, and compares what it lists.
#[track_caller]
fn assert_passed_on(layout: &Layout) {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&layout.members()));
    sandbox.run(&["convert", "in.tar", "oci:out"]).silent();
    for (digest, content) in &layout.blobs {
        let path = format!("out/blobs/{}", digest.replace(':', "/"));
        assert_eq!(sandbox.read(&path), *content, "{digest}");
    }
    let index: Value = serde_json::from_slice(&sandbox.read("out/index.json")).expect("JSON");
    assert_eq!(index["manifests"], json!(layout.index));
}

#[test]
fn a_config_that_says_nothing_of_layers_makes_an_artifact() {
    for config in [
        "{}",
        "",
        "not JSON",
        "[1]",
        r#"{"architecture": "amd64", "os": "linux"}"#,
        r#"{"os": "linux", "rootfs": null}"#,
    ] {
        let mut layout = Layout::default();
        let artifact = manifest_of(&mut layout, config);
        layout.add_named(&artifact, "artifact:1");
        layout.add(&image("good"));
        assert_passed_on(&layout);
        let sandbox = Sandbox::new();
        sandbox.write("in.tar", make::tar(&layout.members()));
        let good = line("good:1", "image", image("good").id().into());
        let all = [line("artifact:1", "artifact", Value::Null), good];
        assert_eq!(shown(&sandbox, "in.tar"), all, "{config}");
        // It is not an image that could be meant.
        let tree = sandbox.run(&["export", "in.tar", "-"]).data("");
        assert!(tree.starts_with(b"good\0"));
        sandbox
            .run(&["export", "--image", "artifact:1", "in.tar", "-"])
            .fails(expect![[r#"
                error: `artifact:1` is not an image but an artifact: its config has no `rootfs`
            "#]]);
    }
    // This one is an image, and damaged.
    let mut layout = Layout::default();
    let damaged = manifest_of(&mut layout, r#"{"rootfs": {"type": "layers""#);
    layout.add_named(&damaged, "damaged:1");
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&layout.members()));
    let said = sandbox.run(&["convert", "in.tar", "oci:out"]).refuses();
    assert!(said.contains("cannot parse "), "{said}");
}

#[test]
fn a_document_may_go_by_the_other_family_of_media_types() {
    for (said, own) in [
        (MANIFEST, DOCKER_MANIFEST),
        (DOCKER_MANIFEST, MANIFEST),
        (make::INDEX, DOCKER_LIST),
        (DOCKER_LIST, make::INDEX),
    ] {
        let mut layout = Layout::default();
        let mut manifest = layout.image(&image("odd"));
        let bytes = layout
            .blobs
            .remove(manifest["digest"].as_str().expect("a digest"));
        let mut document: Value =
            serde_json::from_slice(&bytes.expect("it is there")).expect("it is JSON");
        if [make::INDEX, DOCKER_LIST].contains(&own) {
            manifest = layout.document(&document);
            document = json!({"schemaVersion": 2, "manifests": [manifest]});
        }
        document["mediaType"] = own.into();
        let descriptor = layout.put(said, document.to_string());
        layout.add_named(&descriptor, "odd:1");
        layout.add(&image("good"));
        assert_passed_on(&layout);
        let sandbox = Sandbox::new();
        sandbox.write("in.tar", make::tar(&layout.members()));
        sandbox
            .run(&["convert", "in.tar", "docker-archive:out.tar"])
            .silent();
        let listed = shown(&sandbox, "out.tar");
        assert_eq!(listed[1].2, json!(image("good").id()), "{said} {own}");
        let tree = sandbox
            .run(&["export", "--image", "odd:1", "in.tar", "-"])
            .data("");
        assert!(tree.starts_with(b"odd\0"));
        // What it is must be true.
        let mut layout = Layout::default();
        let wrong = if said.contains("list") || said.contains("index") {
            MANIFEST
        } else {
            make::INDEX
        };
        document["mediaType"] = own.into();
        let descriptor = layout.put(wrong, document.to_string());
        layout.add_named(&descriptor, "odd:1");
        sandbox.write("wrong.tar", make::tar(&layout.members()));
        let said = sandbox
            .run(&["convert", "wrong.tar", "oci:wrong"])
            .refuses();
        assert!(said.contains("cannot parse "), "{said}");
    }
}
