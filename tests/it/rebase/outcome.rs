//! The image on its new base: layers, config, annotations, tree.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{gzipped, image, layers, put, read, shown};
use crate::support::codec::digest;
use crate::support::judge::Format;
use crate::support::make::{self, Image, Layout};
use crate::support::naive::{entries, replay};
use crate::support::random::{Flavour, stacks};
use crate::support::tree::{Strictness, assert_same};
use crate::support::{Sandbox, random_cases};

#[test]
fn every_layer_keeps_its_bytes_in_every_format() {
    let app = gzipped(image("app:1", "os lib app more"));
    // The same layers as in the base of the image, stored in another way.
    let (base, new) = (image("base:1", "os lib"), image("base:2", "os new"));
    for new in [new.clone(), gzipped(new)] {
        for from in Format::ALL {
            for to in Format::ALL {
                let sandbox = Sandbox::new();
                let source = crate::support::squash::put(&sandbox, "app", from, &app);
                let onto = crate::support::squash::put(&sandbox, "new", to, &new);
                let old = crate::support::squash::put(&sandbox, "base", Format::Docker, &base);
                let out = to.at("out");
                let arguments = ["rebase", "--onto", &onto, "--from", &old, &source, &out];
                sandbox
                    .run(&arguments)
                    .warns("`app:1`: replaced 2 layers by 2 of `base:2`, kept 2 above\n");
                let (rebased, stored) = read(&sandbox, "out", to);
                let expected = [&new.layers[..], &app.layers[2..]].concat();
                assert_eq!(stored, expected, "{from:?} {to:?}");
                let ids = [&new.diff_ids[..], &app.diff_ids[2..]].concat();
                assert_eq!(rebased.diff_ids(), ids);
                assert_eq!(rebased.tags, ["docker.io/library/app:1"]);
                drop(sandbox.run(&["verify", &out]).data(""));
            }
        }
    }
}

#[test]
fn a_layout_takes_the_result_beside_its_sources() {
    let mut layout = Layout::default();
    for (tag, words) in [
        ("app:1", "os app"),
        ("base:1", "os"),
        ("base:2", "os2 lib2"),
    ] {
        layout.add(&image(tag, words));
    }
    let sandbox = Sandbox::new();
    sandbox.write("lay.tar", make::tar(&layout.members()));
    drop(sandbox.run(&["convert", "lay.tar", "oci:lay"]));
    let arguments = [
        "rebase",
        "-q",
        "--onto",
        "oci:lay:base:2",
        "--from",
        "oci:lay:base:1",
        "-t",
        "app:2",
        "oci:lay:app:1",
        "oci:lay",
    ];
    sandbox.run(&arguments).silent();
    let images = Format::Oci.images(&sandbox.path("lay"));
    let tags: Vec<&str> = images
        .iter()
        .flat_map(|it| &it.tags)
        .map(String::as_str)
        .collect();
    let expected =
        ["app:1", "base:1", "base:2", "app:2"].map(|it| format!("docker.io/library/{it}"));
    assert_eq!(tags, expected);
    let ids: Vec<String> = layers("os2 lib2 app").iter().map(|it| digest(it)).collect();
    assert_eq!(images[3].diff_ids(), ids);
    drop(sandbox.run(&["verify", "lay"]).data(""));
    // Pipes are fine, too.
    let piped = sandbox.restow(&["rebase", "-q", "--onto", "oci:lay:base:2", "-", "-"]);
    let app = make::tar(&make::docker(&[image("app:1", "os2 app")]));
    let out = piped.stdin_pipe(app).run().data("");
    sandbox.write("out.tar", out);
    let (rebased, _) = read(&sandbox, "out.tar", Format::Docker);
    assert_eq!(rebased.diff_ids(), ids);
}

/// A config with a history from a word: a letter for each entry, lower case if it has no layer.
fn told(image: Image, word: &str, run: &Value, more: &Value) -> Image {
    let entry = |letter: char| {
        let mut entry =
            json!({"created": "2024-01-01T00:00:00Z", "created_by": letter.to_string()});
        if letter.is_lowercase() {
            entry["empty_layer"] = true.into();
        }
        entry
    };
    image.with_config(|it| {
        it["history"] = word.chars().map(entry).collect();
        it["config"] = run.clone();
        for (name, value) in more.as_object().expect("an object") {
            it[name] = value.clone();
        }
    })
}

#[test]
fn config_and_history_are_those_of_the_image_and_of_its_new_base() {
    let sandbox = Sandbox::new();
    let old =
        json!({"Env": ["PATH=/bin", "OS=1"], "Cmd": ["sh"], "Labels": {"os": "1"}, "User": "root"});
    let run = json!({"Env": ["PATH=/bin", "OS=1", "APP=1"], "Cmd": ["app"], "User": "root",
        "Labels": {"os": "1", "app": "x"}, "WorkingDir": "/app"});
    let new = json!({"Env": ["PATH=/usr/bin", "OS=2", "TLS=1"], "Cmd": ["bash"], "Labels": {"os": "2"},
        "StopSignal": "SIGINT"});
    let app = told(
        image("app:1", "os app"),
        "OcAp",
        &run,
        &json!({"author": "me", "unknown": [1]}),
    );
    put(&sandbox, "app.tar", &app);
    put(
        &sandbox,
        "base.tar",
        &told(image("base:1", "os"), "Oc", &old, &json!({})),
    );
    put(
        &sandbox,
        "new.tar",
        &told(
            image("base:2", "os2 tls"),
            "NxT",
            &new,
            &json!({"created": "2025-01-01T00:00:00Z"}),
        ),
    );
    let config = |arguments: &[&str]| {
        let arguments = [
            &["rebase", "-q", "-f", "--onto", "new.tar"],
            arguments,
            &["app.tar", "out.tar"],
        ];
        sandbox.run(&arguments.concat()).silent();
        shown(&sandbox, "config", "out.tar")
    };
    let words = |config: &Value| -> String {
        let entries = config["history"].as_array().expect("a list");
        entries
            .iter()
            .filter_map(|it| it["created_by"].as_str())
            .collect()
    };
    let rebased = config(&["--from", "base.tar"]);
    assert_eq!(words(&rebased), "NxTAp");
    let mut expected: Value = serde_json::from_slice(&app.config).expect("JSON");
    expected["history"] = rebased["history"].clone();
    let ids: Vec<String> = layers("os2 tls app").iter().map(|it| digest(it)).collect();
    expected["rootfs"]["diff_ids"] = json!(ids);
    expected["config"] = json!({
        "Env": ["PATH=/usr/bin", "OS=2", "TLS=1", "APP=1"], "Cmd": ["app"],
        "Labels": {"os": "2", "app": "x"}, "WorkingDir": "/app", "StopSignal": "SIGINT",
    });
    assert_eq!(rebased, expected);
    // Without the config of the old base, all settings stay, as with `crane rebase`.
    put(
        &sandbox,
        "new.tar",
        &told(
            image("base:2", "os tls"),
            "NxT",
            &json!({"User": "x"}),
            &json!({}),
        ),
    );
    let rebased = config(&[]);
    assert_eq!(words(&rebased), "NxTcAp");
    assert_eq!(rebased["config"], run);
}

#[test]
fn the_manifest_names_the_new_base() {
    let sandbox = Sandbox::new();
    let mut layout = Layout::default();
    let base = layout.image(&image("base:2", "os lib"));
    layout.add_named(&base, "base:2");
    let nameless = layout.image(&image("none", "os other"));
    layout.index.push(nameless.clone());
    let mut app = layout.image(&image("app:1", "os app"));
    let mut manifest: Value =
        serde_json::from_slice(&layout.blobs[app["digest"].as_str().expect("a digest")])
            .expect("JSON");
    manifest["annotations"] = json!({"mine": "x", "org.opencontainers.image.base.name": "old"});
    manifest["subject"] = base.clone();
    app = layout.document(&manifest);
    layout.add_named(&app, "app:1");
    let signature = layout.referrer(&app);
    layout.index.push(signature);
    sandbox.write("lay.tar", make::tar(&layout.members()));
    let number = format!(
        "oci-archive:lay.tar:{}",
        nameless["digest"].as_str().expect("a digest")
    );
    let cases = [
        (
            "oci-archive:lay.tar:base:2",
            json!({"mine": "x",
            "org.opencontainers.image.base.name": "docker.io/library/base:2",
            "org.opencontainers.image.base.digest": base["digest"]}),
        ),
        (
            &number,
            json!({"mine": "x", "org.opencontainers.image.base.digest": nameless["digest"]}),
        ),
    ];
    for (onto, expected) in cases {
        let arguments = [
            "rebase",
            "-f",
            "--onto",
            onto,
            "oci-archive:lay.tar:app:1",
            "out.tar",
        ];
        let (_, warnings) = sandbox.run(&arguments).reports();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("an artifact of type"), "{warnings:?}");
        let manifest = shown(&sandbox, "manifest", "out.tar");
        assert_eq!(manifest["annotations"], expected);
        assert_eq!(manifest.get("subject"), None);
    }
}

#[test]
fn layers_that_are_not_there_or_damaged_are_refused() {
    let sandbox = Sandbox::new();
    let [app, base] = [("app:1", "os app"), ("base:2", "os new")].map(|(tag, words)| {
        let mut layout = Layout::default();
        layout.add(&image(tag, words));
        layout
    });
    let blob = |word: &str| digest(&layers(word)[0]);
    let write = |name: &str, layout: &Layout, edit: &dyn Fn(&mut Layout)| {
        let mut layout = layout.clone();
        edit(&mut layout);
        sandbox.write(name, make::tar(&layout.members()));
    };
    let nothing: &dyn Fn(&mut Layout) = &|_| ();
    let lose = |layout: &mut Layout, word: &str| drop(layout.blobs.remove(&blob(word)));
    let arguments = ["rebase", "--onto", "new.tar", "app.tar", "out.tar"];
    write("app.tar", &app, &|it| lose(it, "app"));
    write("new.tar", &base, nothing);
    sandbox.run(&arguments).fails(
        "error: cannot read layer 2 of 2 of `app:1`\n  caused by: its blob is not in the input\n",
    );
    write("app.tar", &app, nothing);
    write("new.tar", &base, &|it| lose(it, "new"));
    sandbox.run(&arguments).fails(
        "error: cannot read layer 2 of 2 of `base:2`\n  caused by: its blob is not in the input\n",
    );
    write("new.tar", &base, &|it| {
        let bytes = it.blobs.get_mut(&blob("new")).expect("it is there");
        bytes[600] ^= 1;
    });
    let said = sandbox.run(&arguments).refuses();
    assert!(
        said.contains("cannot read layer 2 of 3 of `app:1`"),
        "{said}"
    );
    // The layers of the old base are not needed.
    write("app.tar", &app, &|it| lose(it, "os"));
    write("new.tar", &base, nothing);
    sandbox
        .run(&["rebase", "-q", "--onto", "new.tar", "app.tar", "out.tar"])
        .silent();
}

proptest! {
    #![proptest_config(random_cases(40))]

    #[test]
    fn the_tree_is_what_a_naive_model_makes_of_the_layers(
        own in stacks(Flavour::Any, 2..5), new in stacks(Flavour::Any, 1..4), cut in 0..3_usize,
    ) {
        let sandbox = Sandbox::new();
        let (own, new) = (own.tars(), new.tars());
        let cut = cut.min(own.len());
        let expected = [&new[..], &own[cut..]].concat();
        for (name, tag, layers) in [
            ("app.tar", "app:1", &own[..]), ("base.tar", "base:1", &own[..cut]), ("new.tar", "base:2", &new[..]),
        ] {
            put(&sandbox, name, &Image::of_layers(&[tag], layers.to_vec()));
        }
        let output = sandbox.run(&["rebase", "-q", "--onto", "new.tar", "--from", "base.tar", "app.tar", "out.tar"]);
        if output.code == Some(0) {
            let (_, stored) = read(&sandbox, "out.tar", Format::Docker);
            prop_assert_eq!(&stored, &expected);
            drop(sandbox.run(&["export", "-q", "out.tar", "tree.tar"]).warnings());
            let tree = replay(&[sandbox.read("tree.tar")]);
            assert_same(&replay(&expected), &tree, Strictness::DefinedOnly, "the tree");
        } else {
            // The model does not know such a stack either.
            let is_refused = std::panic::catch_unwind(|| replay(&expected)).is_err();
            prop_assert!(is_refused, "{}", output.stderr);
            let has_link = own[cut..].iter().flat_map(|it| entries(it)).any(|it| {
                matches!(it.kind, crate::support::entry::Kind::Link(_))
            });
            prop_assert!(has_link, "{}", output.stderr);
        }
    }
}

#[test]
fn what_changes_nothing_keeps_every_byte() {
    let sandbox = Sandbox::new();
    let mut app = image("app:1", "os app");
    let config: Value = serde_json::from_slice(&app.config).expect("a config is JSON");
    app.config = serde_json::to_vec_pretty(&config).expect("it can be written");
    let mut layout = Layout::default();
    layout.add(&app);
    let signature = layout.referrer(&layout.index[0].clone());
    layout.index.push(signature);
    sandbox.write("in.tar", make::tar(&layout.members()));
    let arguments = ["rebase", "-q", "--from", "scratch", "--onto", "scratch"];
    for output in ["out.tar", "oci:out"] {
        let mut arguments = arguments.to_vec();
        arguments.extend(["in.tar", output]);
        sandbox.run(&arguments).silent();
        let raw = sandbox
            .run(&["inspect", "--raw", "config", output])
            .data("");
        assert_eq!(raw, app.config, "{output}");
        let listed = sandbox.run(&["convert", "--force", output, "oci:again"]);
        listed.silent();
        let index: Value =
            serde_json::from_slice(&sandbox.read("again/index.json")).expect("an index is JSON");
        let digests = index["manifests"].as_array().expect("it lists manifests");
        let digests: Vec<&Value> = digests.iter().map(|it| &it["digest"]).collect();
        let expected: Vec<&Value> = layout.index.iter().map(|it| &it["digest"]).collect();
        assert_eq!(digests, expected, "{output}");
        sandbox.remove("again");
    }
}
