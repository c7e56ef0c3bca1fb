//! The old base: given, annotated, or in common.

use serde_json::{Value, json};

use super::{image, put};
use crate::support::Sandbox;
use crate::support::codec::Codec;
use crate::support::make::{self, Layout};

/// The report of a rebase of `app.tar` onto `new.tar`.
#[track_caller]
fn report(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let arguments = [&["rebase", "--force", "--json"], arguments, &["out.tar"]].concat();
    let (stdout, _) = sandbox.run(&arguments).reports();
    serde_json::from_slice(&stdout).expect("the report is JSON")
}

fn found(report: &Value) -> String {
    let [how, name] = ["old_base_found", "old_base"].map(|it| report[it].as_str());
    let [before, after, kept] =
        ["layers_before", "layers_after", "layers_kept"].map(|it| &report[it]);
    let how = how.expect("it is a text");
    format!("{how} {} {before} {after} {kept}", name.unwrap_or("-"))
}

/// The layers and the settings of an archive.
fn outcome(sandbox: &Sandbox, name: &str) -> (usize, Value) {
    let config = super::shown(sandbox, "config", name);
    let layers = config["rootfs"]["diff_ids"].as_array().expect("a list");
    (layers.len(), config["config"].clone())
}

#[test]
fn scratch_is_a_base_without_layers_and_settings() {
    let sandbox = Sandbox::new();
    let with = |tag: &str, words: &str, config: Value| {
        image(tag, words).with_config(|it| it["config"] = config.clone())
    };
    let of_base = json!({"Env": ["A=1"], "Cmd": ["sh"]});
    let of_app = json!({"Env": ["A=1", "B=2"], "Cmd": ["app"]});
    put(&sandbox, "base.tar", &with("base:1", "os lib", of_base));
    put(&sandbox, "app.tar", &with("app:1", "os lib app", of_app));
    put(
        &sandbox,
        "own.tar",
        &with("own:1", "app", json!({"Cmd": ["app"]})),
    );
    let cases: [(&[&str], &str, usize, Value); 3] = [
        (
            &["--from", "scratch", "--onto", "base.tar", "own.tar"],
            "given - 0 2 1",
            3,
            json!({"Env": ["A=1"], "Cmd": ["app"]}),
        ),
        (
            &["--from", "base.tar", "--onto", "scratch", "app.tar"],
            "given - 2 0 1",
            1,
            json!({"Env": ["B=2"], "Cmd": ["app"]}),
        ),
        (
            &["--from", "scratch", "--onto", "scratch", "own.tar"],
            "given - 0 0 1",
            1,
            json!({"Cmd": ["app"]}),
        ),
    ];
    for (arguments, expected, layers, config) in cases {
        let report = report(&sandbox, arguments);
        assert_eq!(found(&report), expected, "{arguments:?}");
        let base = arguments[3].replace("base.tar", "base:1");
        assert_eq!(report["base"], base, "{arguments:?}");
        let outcome = outcome(&sandbox, "out.tar");
        assert_eq!(outcome, (layers, config), "{arguments:?}");
        sandbox.run(&["verify", "-q", "out.tar"]).silent();
    }
    sandbox
        .run(&["rebase", "--onto", "scratch", "app.tar", "other.tar"])
        .refuses();
}

#[test]
fn the_old_base_is_the_one_that_is_given_or_what_is_in_common() {
    let sandbox = Sandbox::new();
    put(&sandbox, "app.tar", &image("app:1", "os lib app more"));
    put(&sandbox, "base.tar", &image("base:1", "os lib"));
    put(&sandbox, "os.tar", &image("os:1", "os"));
    put(&sandbox, "new.tar", &image("base:2", "os new lib"));
    put(&sandbox, "other.tar", &image("other:1", "x y"));
    put(&sandbox, "none.tar", &image("none:1", ""));
    let gzip = image("base:1", "os lib").stored_as(Codec::Gzip);
    sandbox.write("gzip.tar", make::tar(&make::crane(&[gzip])));
    let cases: [(&[&str], &str); 8] = [
        (
            &["--onto", "new.tar", "--from", "base.tar"],
            "given - 2 3 2",
        ),
        (
            &["--onto", "new.tar", "--from", "gzip.tar"],
            "given - 2 3 2",
        ),
        (
            &["--onto", "other.tar", "--from", "os.tar"],
            "given - 1 2 3",
        ),
        (
            &["--onto", "new.tar", "--from", "none.tar"],
            "given - 0 3 4",
        ),
        (
            &["--onto", "none.tar", "--from", "base.tar"],
            "given - 2 0 2",
        ),
        (
            &["--onto", "other.tar", "--from", "app.tar"],
            "given - 4 2 0",
        ),
        (&["--onto", "new.tar"], "common - 1 3 3"),
        (&["--onto", "gzip.tar"], "common - 2 2 2"),
    ];
    for (arguments, expected) in cases {
        let arguments = [arguments, &["app.tar"]].concat();
        assert_eq!(
            found(&report(&sandbox, &arguments)),
            expected,
            "{arguments:?}"
        );
    }
    sandbox.remove("out.tar");
    sandbox
        .run(&[
            "rebase",
            "--onto",
            "new.tar",
            "--from",
            "other.tar",
            "app.tar",
            "out.tar",
        ])
        .fails(
            "error: the image is not based on that base: layer 1 differs (the base has 2 layers, \
             the image 4)\n",
        );
    sandbox
        .run(&[
            "rebase", "--onto", "base.tar", "--from", "new.tar", "app.tar", "out.tar",
        ])
        .fails(
            "error: the image is not based on that base: layer 2 differs (the base has 3 layers, \
             the image 4)\n",
        );
    sandbox
        .run(&["rebase", "--onto", "other.tar", "app.tar", "out.tar"])
        .fails(
            "error: `app:1` and `other:1` have no layer in common, so the old base is unknown\n  \
             hint: name it with `--from OLDBASE`\n",
        );
}

#[test]
fn annotations_lead_to_an_old_base_that_one_of_the_inputs_has() {
    let [name, digest] = ["name", "digest"].map(|it| format!("org.opencontainers.image.base.{it}"));
    let mut layout = Layout::default();
    let base = layout.image(&image("base:1", "os lib"));
    let moved = layout.image(&image("base:2", "os lib new"));
    let app = image("app:1", "os lib app");
    let plain = layout.image(&app);
    let plain: Value = {
        let bytes = &layout.blobs[plain["digest"].as_str().expect("a digest")];
        serde_json::from_slice(bytes).expect("JSON")
    };
    let base_digest = base["digest"].as_str().expect("a digest").to_owned();
    let moved_digest = moved["digest"].as_str().expect("a digest").to_owned();
    let absent = crate::support::codec::digest(b"absent");
    let cases = [
        // With both, the digest counts.
        (
            json!({&digest: base_digest, &name: "base:2"}),
            Ok(format!("annotation {base_digest} 2 3 1")),
        ),
        (
            json!({&name: "base:1"}),
            Ok("annotation base:1 2 3 1".to_owned()),
        ),
        (
            json!({&name: "docker.io/library/base:1"}),
            Ok("annotation docker.io/library/base:1 2 3 1".to_owned()),
        ),
        // The name has moved, and the digest is nowhere.
        (
            json!({&digest: absent, &name: "base:2"}),
            Ok("common - 2 3 1".to_owned()),
        ),
        (
            json!({&digest: "x", &name: ""}),
            Ok("common - 2 3 1".to_owned()),
        ),
        (
            json!({&digest: moved_digest}),
            Err(format!(
                "error: `app:1` is not based on {moved_digest}, which its annotation `{digest}` \
                 names: layer 3 differs\n  hint: name the old base with `--from OLDBASE`\n"
            )),
        ),
    ];
    for (annotations, expected) in cases {
        let mut layout = layout.clone();
        let mut manifest = plain.clone();
        manifest["annotations"] = annotations.clone();
        let app = layout.document(&manifest);
        layout.add_named(&app, "app:1");
        layout.add_named(&base, "base:1");
        layout.add_named(&moved, "base:2");
        let sandbox = Sandbox::new();
        sandbox.write("lay.tar", make::tar(&layout.members()));
        let arguments = [
            "--onto",
            "oci-archive:lay.tar:base:2",
            "oci-archive:lay.tar:app:1",
        ];
        match expected {
            Ok(expected) => {
                assert_eq!(
                    found(&report(&sandbox, &arguments)),
                    expected,
                    "{annotations}"
                );
            }
            Err(expected) => {
                let arguments = [&["rebase"], &arguments[..], &["out.tar"]].concat();
                let said = sandbox.run(&arguments).refuses();
                assert_eq!(said, expected);
            }
        }
    }
}

#[test]
fn the_base_is_for_the_same_platform() {
    let on = |tag: &str, words: &str, architecture: &str| {
        image(tag, words).with_config(|it| it["architecture"] = architecture.into())
    };
    let mut layout = Layout::default();
    let parts = ["amd64", "arm64"].map(|architecture| {
        let words = format!("os new-{architecture}");
        let mut descriptor = layout.image(&on("base:2", &words, architecture));
        descriptor["platform"] = json!({"os": "linux", "architecture": architecture});
        descriptor
    });
    let index = layout.nested(&parts);
    layout.add_named(&index, "base:2");
    let sandbox = Sandbox::new();
    sandbox.write("new.tar", make::tar(&layout.members()));
    put(&sandbox, "arm.tar", &on("app:1", "os app", "arm64"));
    put(&sandbox, "amd.tar", &on("base:3", "os new", "amd64"));
    put(&sandbox, "power.tar", &on("app:1", "os app", "ppc64le"));
    let silent = ["rebase", "-q", "--onto", "new.tar", "arm.tar", "out.tar"];
    sandbox.run(&silent).silent();
    let files = sandbox.run(&["files", "out.tar"]).data("");
    assert!(String::from_utf8_lossy(&files).contains("/new-arm64"));
    let said = sandbox
        .run(&["rebase", "--onto", "amd.tar", "arm.tar", "no.tar"])
        .refuses();
    assert_eq!(
        said,
        "error: the new base `base:3` is for linux/amd64; `app:1` is for linux/arm64\n"
    );
    let said = sandbox
        .run(&["rebase", "--onto", "new.tar", "power.tar", "no.tar"])
        .refuses();
    assert_eq!(
        said,
        "error: the new base `base:2` is for linux/amd64, linux/arm64; `app:1` is for linux/ppc64le\n"
    );
}

#[test]
fn one_of_several_images_is_chosen_where_it_is() {
    let mut layout = Layout::default();
    for (tag, words) in [("app:1", "os app"), ("base:1", "os"), ("base:2", "new")] {
        layout.add(&image(tag, words));
    }
    let sandbox = Sandbox::new();
    sandbox.write("lay.tar", make::tar(&layout.members()));
    let hint = |arguments: &[&str]| {
        let said = sandbox.run(&[arguments, &["out.tar"]].concat()).refuses();
        said.lines()
            .last()
            .map(|it| it.split(':').nth(1).unwrap_or_default().to_owned())
    };
    let [option, path] = [
        " choose one with `--image REF`",
        " choose one after its path, as in `oci",
    ];
    let onto = "oci-archive:lay.tar:base:2";
    let app = "oci-archive:lay.tar:app:1";
    for (arguments, expected) in [
        (&["rebase", "--onto", onto, "lay.tar"][..], option),
        (&["rebase", "--onto", "lay.tar", app], path),
        (&["rebase", "--onto", onto, "--from", "lay.tar", app], path),
    ] {
        assert_eq!(hint(arguments).as_deref(), Some(expected), "{arguments:?}");
    }
    let arguments = [
        "rebase",
        "-q",
        "--image",
        "app:1",
        "--onto",
        onto,
        "--from",
        "oci-archive:lay.tar:base:1",
        "lay.tar",
        "out.tar",
    ];
    sandbox.run(&arguments).silent();
    sandbox
        .run(&["rebase", "--onto", "-", "-", "no.tar"])
        .ends(2, "error: SRC and NEWBASE cannot both be standard input\n");
}
