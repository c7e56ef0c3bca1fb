//! Lists of images as engines print them.

use serde_json::{Value, json};

use super::{pair, report};
use crate::support::make::Image;

/// The diff_ids of the base.
fn diff_ids() -> Vec<String> {
    Image::new(&[], &["file a 1", "file b 2"]).diff_ids
}

/// What `docker image inspect` prints, with what matters.
fn docker() -> Value {
    json!([{
        "Id": "sha256:00", "RepoTags": ["app:1"], "Config": {"Env": ["A=1"]},
        "GraphDriver": {"Name": "overlay2", "Data": {"MergedDir": "/x"}},
        "RootFS": {"Type": "layers", "Layers": diff_ids()},
    }])
}

#[test]
fn what_engines_print_is_an_inventory() {
    let lines = format!(
        "{}\n{}\n",
        docker()[0],
        json!({"RootFS": {"Type": "layers"}})
    );
    let text = docker().to_string();
    let utf_16: Vec<u8> = std::iter::once(0xfeff)
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let nerdctl = json!([{"ID": "x", "Manifest": {"layers": []},
        "ImageConfig": {"rootfs": {"type": "layers", "diff_ids": diff_ids()}}}]);
    let cases: [(&str, Vec<u8>); 7] = [
        ("docker", text.clone().into_bytes()),
        ("indented", format!(" \n{:#}\n", docker()).into_bytes()),
        (
            "podman",
            json!([{"Id": "00", "Digest": "sha256:00", "NamesHistory": ["app:1"],
            "RootFS": {"Type": "layers", "Layers": diff_ids()}}])
            .to_string()
            .into_bytes(),
        ),
        ("nerdctl", nerdctl.to_string().into_bytes()),
        ("a line for each", lines.into_bytes()),
        ("PowerShell", utf_16),
        ("a mark", [b"\xef\xbb\xbf", text.as_bytes()].concat()),
    ];
    for (name, json) in cases {
        let sandbox = pair();
        sandbox.write("have.json", json);
        let report = report(&sandbox, &["--without", "have.json", "new.tar", "part.tar"]);
        assert_eq!(report["left_out"]["layers"], 2, "{name}");
        assert_eq!(report["left_out"]["assumed"], true, "{name}");
    }
}

#[test]
fn what_images_prints_is_an_inventory() {
    let sandbox = pair();
    let list = sandbox.run(&["images", "--json", "base.tar"]).data("");
    let parsed: Value = serde_json::from_slice(&list).expect("it is JSON");
    assert_eq!(parsed["images"][0]["diff_ids"], json!(diff_ids()));
    // From a pipe, too.
    let run = sandbox
        .restow(&["convert", "--json", "--without", "-", "new.tar", "part.tar"])
        .stdin_pipe(list)
        .run();
    let (report, warnings) = run.reports();
    assert_eq!(
        warnings,
        [
            "warning: the compression of the layers on the other side is unknown, and assumed to be \
          none: a containerd store needs the same"
        ]
    );
    let report: Value = serde_json::from_slice(&report).expect("it is JSON");
    assert_eq!(report["left_out"]["layers"], 2);
    sandbox
        .run(&["convert", "new.tar", "expected.tar"])
        .silent();
    drop(
        sandbox
            .run(&["convert", "--with", "base.tar", "part.tar", "whole.tar"])
            .reports(),
    );
    assert!(sandbox.read("whole.tar") == sandbox.read("expected.tar"));
}

/// Of a compressed layer, whose form on the other side is unknown, the plain one is described.
#[test]
fn an_unknown_form_is_the_plain_one() {
    let sandbox = pair();
    drop(
        sandbox
            .run(&["convert", "--compress", "gzip", "new.tar", "oci:gzip"])
            .reports(),
    );
    sandbox.write("have.json", docker().to_string());
    let report = report(&sandbox, &["--without", "have.json", "gzip", "part.tar"]);
    assert_eq!(report["left_out"]["recompressed"], 2);
    let shown = sandbox.run(&["inspect", "--json", "part.tar"]).data("");
    let shown: Value = serde_json::from_slice(&shown).expect("it is JSON");
    let layers = shown["layers"].as_array().expect("a list");
    let facts = |layer: &Value| (layer["digest"].clone(), layer["left_out"] == json!(true));
    let got: Vec<(Value, bool)> = layers.iter().map(facts).collect();
    for (got, diff_id) in got.iter().zip(diff_ids()) {
        assert_eq!(*got, (json!(diff_id), true));
    }
    assert!(!got[2].1);
    // The compressed base has other blobs: they come back as they are there.
    drop(
        sandbox
            .run(&["convert", "--with", "gzip", "part.tar", "whole.tar"])
            .reports(),
    );
    assert_eq!(
        sandbox.run(&["verify", "--quiet", "whole.tar"]).code,
        Some(0)
    );
    // And the plain ones give what was described.
    drop(
        sandbox
            .run(&["convert", "--with", "base.tar", "part.tar", "plain.tar"])
            .reports(),
    );
    assert_eq!(
        sandbox.run(&["verify", "--quiet", "plain.tar"]).code,
        Some(0)
    );
}

#[test]
fn other_json_is_refused() {
    let cases = [
        (
            "[]",
            "it is JSON, but no image in it has `RootFS.Layers`, as `docker image inspect` prints it",
        ),
        (
            "{\"images\": [{\"layers\": 3}]}",
            "it is JSON, but no image in it has `RootFS.Layers`, as `docker image inspect` prints it",
        ),
        ("[{\"RootFS\": ", "cannot parse the list of images"),
        (
            "[{\"RootFS\": {\"Layers\": [\"sha256:1\"]}}]",
            "`RootFS.Layers` is not a list of digests",
        ),
    ];
    for (json, expected) in cases {
        let sandbox = pair();
        sandbox.write("have.json", json);
        let arguments = ["convert", "--without", "have.json", "new.tar", "part.tar"];
        let said = sandbox.run(&arguments).refuses();
        assert!(said.starts_with("error: cannot read `have.json`"), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}
