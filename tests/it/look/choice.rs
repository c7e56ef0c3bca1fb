//! What a line of `images` shows chooses that line, in every command.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect;
use serde_json::{Value, json};

use super::json;
use crate::support::judge::FIXTURES;
use crate::support::make::{self, Image, Layout};
use crate::support::{Sandbox, fixture};

/// A line of the table: something with a name, or a part of an index.
#[derive(Clone, Debug)]
struct Line {
    shown: Value,
    /// Its number, if it has names of its own.
    number: Option<u64>,
}

impl Line {
    fn kind(&self) -> &str {
        self.shown["kind"].as_str().expect("a kind")
    }

    /// What tells it from others.
    fn key(&self) -> String {
        let digest = self.shown["digest"].as_str();
        digest.map_or_else(|| format!("#{:?}", self.number), str::to_owned)
    }

    /// All that the line shows of ids: whole, without the hash function, as short as tables print
    /// them, with and without the hash function.
    fn ids(&self) -> BTreeSet<String> {
        let ids = ["id", "digest", "containerd_id"];
        let ids = ids.iter().filter_map(|name| self.shown[name].as_str());
        let forms = |id: &str| {
            let hex = &id[7..];
            let short = &hex[..12];
            [
                id.to_owned(),
                hex.to_owned(),
                short.to_owned(),
                format!("sha256:{short}"),
            ]
        };
        ids.flat_map(forms).collect()
    }
}

fn lines(sandbox: &Sandbox, source: &str) -> Vec<Line> {
    fn add(shown: &Value, number: Option<u64>, lines: &mut Vec<Line>) {
        let shown_alone = shown.clone();
        lines.push(Line {
            shown: shown_alone,
            number,
        });
        for child in shown["children"].as_array().into_iter().flatten() {
            add(child, None, lines);
        }
    }
    let list = json(sandbox.run(&["images", "--json", "--no-trunc", source]));
    let mut found = Vec::new();
    for shown in list["images"].as_array().expect("a list") {
        add(shown, shown["number"].as_u64(), &mut found);
    }
    found
}

/// Checks every id of every line of an input.
#[track_caller]
fn assert_all_choose(sandbox: &Sandbox, source: &str) {
    let lines = lines(sandbox, source);
    assert!(!lines.is_empty(), "{source}");
    // One thing may stand in several lines, and one id in the lines of several things.
    let mut meant: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut by_key = BTreeMap::new();
    for line in &lines {
        let number = line.number.map(|number| format!("#{number}"));
        for id in line.ids().into_iter().chain(number) {
            meant.entry(id).or_default().insert(line.key());
        }
        by_key.entry(line.key()).or_insert_with(|| line.clone());
    }
    for (id, keys) in meant {
        let line = &by_key[keys.first().expect("a key")];
        if keys.len() == 1 {
            assert_chooses(sandbox, source, &id, line);
        } else {
            assert_ambiguous(sandbox, source, &id, &keys);
        }
    }
}

/// Checks what one id of a line chooses.
#[track_caller]
fn assert_chooses(sandbox: &Sandbox, source: &str, id: &str, line: &Line) {
    let what = format!("{source}: {id}: {line:?}");
    let inspect =
        |format: &str| sandbox.run(&["inspect", "--image", id, "--format", format, source]);
    let convert = [
        "convert",
        "--force",
        "--image",
        id,
        source,
        "oci-archive:out.tar",
    ];
    match line.kind() {
        "image" => {
            for field in ["id", "digest"] {
                let expected = line.shown[field].as_str().unwrap_or("null");
                let printed = inspect(&format!(".{field}")).data("");
                assert_eq!(
                    printed,
                    format!("{expected}\n").into_bytes(),
                    "{what}: {field}"
                );
            }
        }
        "attestation" | "artifact" | "other" => {
            let said = inspect(".id").refuses();
            if said.contains("which is missing") {
                return;
            }
            assert!(said.contains("is not an image but a"), "{what}: {said}");
        }
        "absent" => {
            for run in [inspect(".id"), sandbox.run(&convert)] {
                let said = run.refuses();
                assert!(said.contains("which is missing"), "{what}: {said}");
            }
            return;
        }
        kind => assert_eq!(kind, "index", "{what}"),
    }
    // A prefix means the same in every command.
    if id.len() < "sha256:".len() + 64 && !id.starts_with('#') {
        return;
    }
    // A copy has this, and not what is around it.
    drop(sandbox.run(&convert).warnings());
    let copy = json(sandbox.run(&["images", "--json", "out.tar"]));
    let copies = copy["images"].as_array().expect("a list");
    let subject = copies.iter().find(|it| it["kind"] == line.shown["kind"]);
    let copy = subject.unwrap_or_else(|| panic!("{what}: {copies:?}"));
    for field in ["id", "digest", "children"] {
        let is_new = line.shown["digest"].is_null() && field == "digest";
        assert!(
            is_new || copy[field] == line.shown[field],
            "{what}: {field}: {copy}"
        );
    }
    // An image keeps the names that it has, or that its index has.
    if let (Some(_), Some(reference)) = (line.number, line.shown["reference"].as_str()) {
        assert!(
            copies.iter().any(|it| it["reference"] == reference),
            "{what}: {copies:?}"
        );
    }
}

#[track_caller]
fn assert_ambiguous(sandbox: &Sandbox, source: &str, id: &str, keys: &BTreeSet<String>) {
    let said = sandbox.run(&["inspect", "--image", id, source]).refuses();
    let path = source.split_once(':').map_or(source, |(_, path)| path);
    let count = keys.len();
    let start = format!("error: `{id}` matches {count} images in `{path}`\n");
    assert!(said.starts_with(&start), "{source}: {said}");
    for digest in keys.iter().filter_map(|key| key.strip_prefix("sha256:")) {
        assert!(said.contains(&digest[..12]), "{source}: {said}");
    }
}

#[test]
fn every_id_of_every_line_of_real_archives_chooses_that_line() {
    let names: BTreeSet<&str> = FIXTURES.iter().map(|(name, _)| *name).collect();
    for name in names {
        let sandbox = Sandbox::new();
        sandbox.write(name, fixture(name));
        assert_all_choose(&sandbox, name);
    }
}

fn image(name: &str, tags: &[&str]) -> Image {
    Image::new(tags, &[&format!("file {name} 1")])
        .with_config(|it| it["config"]["Labels"] = json!({"which": name}))
}

fn platform(descriptor: &Value, architecture: &str) -> Value {
    let mut descriptor = descriptor.clone();
    descriptor["platform"] = json!({"os": "linux", "architecture": architecture});
    descriptor
}

/// A layout in which one manifest has a name of its own and is under two indexes, one of them
/// nested, beside an image with another manifest of the same config, an attestation, and what is
/// not there.
fn shared() -> Layout {
    let mut layout = Layout::default();
    let amd = platform(&layout.image(&image("amd", &[])), "amd64");
    let arm = platform(&layout.image(&image("arm", &[])), "arm64");
    let twin = Image {
        layers: image("arm", &[])
            .stored_as(crate::support::codec::Codec::Zstd)
            .layers,
        ..image("arm", &[])
    };
    let twin = platform(&layout.image(&twin), "arm64");
    let absent = json!({
        "mediaType": make::MANIFEST, "size": 7, "digest": format!("sha256:{}", "0".repeat(64)),
        "platform": {"os": "linux", "architecture": "s390x"},
    });
    let attestation = layout.attestation(&arm);
    let inner = layout.nested(&[arm, twin, absent, attestation]);
    let outer = layout.nested(&[amd.clone(), inner]);
    let other = layout.nested(std::slice::from_ref(&amd));
    layout.add_named(&outer, "app:1");
    layout.add_named(&other, "app:2");
    layout.add_named(&amd, "plain:1");
    layout
}

#[test]
fn every_id_of_every_line_of_nested_and_shared_parts_chooses_that_line() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&shared().members()));
    assert_all_choose(&sandbox, "in.tar");
}

#[test]
fn a_part_keeps_the_names_of_its_indexes_and_goes_alone() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&shared().members()));
    let listed = |archive: &str| -> Vec<(Value, Value, Value)> {
        let list = json(sandbox.run(&["images", "--json", archive]));
        let images = list["images"].as_array().expect("a list").iter();
        let of = |it: &Value| {
            (
                it["reference"].clone(),
                it["kind"].clone(),
                it["digest"].clone(),
            )
        };
        images.map(of).collect()
    };
    let lines = lines(&sandbox, "in.tar");
    let of_kind = |kind| {
        let mut lines = lines.iter();
        let line = lines.find(|it| it.kind() == kind).expect("there is one");
        line.shown["digest"].clone()
    };
    let arm = lines
        .iter()
        .find(|it| it.shown["platform"] == "linux/arm64");
    let arm = arm.expect("there is one").shown["digest"].clone();
    let name = arm.as_str().expect("a digest");
    sandbox
        .run(&["convert", "--image", name, "in.tar", "oci-archive:arm.tar"])
        .warns(expect![[r#"
            warning: skipped the attestations of `app:1`: only one manifest of its index was chosen
        "#]]);
    assert_eq!(
        listed("arm.tar"),
        [(json!("app:1"), json!("image"), arm.clone())]
    );
    // An attestation is no image, and does not get the name of one.
    let attestation = of_kind("attestation");
    let name = attestation.as_str().expect("a digest");
    sandbox
        .run(&["convert", "--image", name, "in.tar", "oci-archive:att.tar"])
        .silent();
    assert_eq!(
        listed("att.tar"),
        [(Value::Null, json!("attestation"), attestation.clone())]
    );
    sandbox
        .run(&[
            "convert",
            "--tag",
            "app:att",
            "--image",
            name,
            "in.tar",
            "oci:named",
        ])
        .silent();
    assert_eq!(
        listed("named"),
        [(json!("app:att"), json!("attestation"), attestation)]
    );
}

#[test]
fn a_name_with_a_digest_chooses_what_has_both() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&shared().members()));
    let shown = lines(&sandbox, "in.tar");
    let digest = |kind: &str, platform: &str| {
        let is_it = |it: &&Line| it.kind() == kind && it.shown["platform"] == platform;
        let line = shown.iter().find(is_it).expect("there is one");
        line.shown["digest"].as_str().expect("a digest").to_owned()
    };
    let arm = digest("image", "linux/arm64");
    let amd = digest("image", "linux/amd64");
    let index = shown[0].shown["digest"].as_str().expect("a digest");
    let chosen = |image: &str| {
        let inspect = ["inspect", "--format", ".digest", "--image", image, "in.tar"];
        sandbox.run(&inspect)
    };
    for (image, expected) in [
        (format!("app:1@{arm}"), &arm),
        (format!("app@{arm}"), &arm),
        (format!("docker.io/library/app@{}", &arm[..20]), &arm),
        (format!("app@{index}"), &amd),
        (format!("plain:1@{amd}"), &amd),
    ] {
        let printed = chosen(&image).data("");
        assert_eq!(printed, format!("{expected}\n").into_bytes(), "{image}");
    }
    for image in [
        format!("app:3@{arm}"),
        format!("other@{arm}"),
        format!("app@{}", digest_of_nothing()),
        format!("@{arm}"),
        "app@sha256:".to_owned(),
    ] {
        let said = chosen(&image).refuses();
        let start = format!("error: no image `{image}` in `in.tar`\n");
        assert!(said.starts_with(&start), "{said}");
    }
}

fn digest_of_nothing() -> String {
    format!("sha256:{}", "1".repeat(64))
}

#[test]
fn what_cannot_be_read_hides_nothing_else() {
    let mut layout = Layout::default();
    layout.add(&image("good", &["good:1"]));
    layout.add(&image("bad", &["bad:1"]));
    let bad = layout.index[1]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    let bytes = layout.blobs.get_mut(&bad).expect("it is there");
    bytes[20] ^= 1;
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&layout.members()));
    let good = image("good", &[]).id();
    for name in ["good:1", &good, &good[7..19], "#1"] {
        let inspect = ["inspect", "--format", ".id", "--image", name, "in.tar"];
        let printed = sandbox.run(&inspect).data("");
        assert_eq!(printed, format!("{good}\n").into_bytes(), "{name}");
    }
    for name in ["bad:1", &bad, &bad[7..19], &digest_of_nothing()] {
        let said = sandbox
            .run(&["inspect", "--image", name, "in.tar"])
            .refuses();
        assert!(said.contains("does not match its digest"), "{name}: {said}");
    }
}

#[test]
fn every_command_takes_the_part_that_is_named_and_no_other() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&shared().members()));
    sandbox.write("rootfs.tar", make::layer("file r 1"));
    let arm = image("arm", &[]);
    let lines = lines(&sandbox, "in.tar");
    let digest = lines
        .iter()
        .find(|it| it.shown["id"] == arm.id())
        .expect("it is there");
    let digest = digest.shown["digest"].as_str().expect("a digest");
    let source = format!("oci-archive:in.tar:{}", &digest[7..19]);
    let ours = json(sandbox.run(&["inspect", "--json", &source]));
    assert_eq!(ours["id"], arm.id());
    let ours = json(sandbox.run(&["history", "--json", &source]));
    assert_eq!(ours["id"], arm.id());
    let ours = json(sandbox.run(&["images", "--json", &source]));
    assert_eq!(ours["images"][0]["id"], arm.id());
    assert_eq!(ours["images"].as_array().map(Vec::len), Some(1));
    let tree = sandbox.run(&["export", &source, "-"]).data("");
    assert!(tree.starts_with(b"arm\0"), "it is the other image");
    drop(
        sandbox
            .run(&["squash", "--all", &source, "docker-archive:flat.tar"])
            .reports(),
    );
    let flat = json(sandbox.run(&["inspect", "--json", "flat.tar"]));
    assert_eq!(flat["layers"][0]["diff_id"], arm.diff_ids[0]);
    let above = [
        "squash",
        "--above",
        &source,
        "--dry-run",
        "--image",
        digest,
        "in.tar",
    ];
    drop(sandbox.run(&above).reports());
    let other = ["--above", "oci-archive:in.tar:plain:1"];
    let above = [&above[..1], &other, &above[3..]].concat();
    let said = sandbox.run(&above).refuses();
    assert!(
        said.contains("the image is not based on that base"),
        "{said}"
    );
    let import = [
        "import",
        "--config-from",
        &source,
        "rootfs.tar",
        "docker-archive:made.tar",
    ];
    sandbox.run(&import).silent();
    let made = json(sandbox.run(&["inspect", "--json", "made.tar"]));
    assert_eq!(made["config"]["Labels"]["which"], "arm");
}

#[test]
fn a_platform_beside_a_part_must_be_that_of_the_part() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&shared().members()));
    let lines = lines(&sandbox, "in.tar");
    let arm = lines
        .iter()
        .find(|it| it.shown["platform"] == "linux/arm64");
    let arm = arm.expect("there is one").shown["digest"]
        .as_str()
        .expect("a digest");
    for command in [
        &["inspect", "in.tar"][..],
        &["convert", "in.tar", "oci:out"],
    ] {
        let choice = ["--image", arm, "--platform", "linux/amd64"];
        let said = sandbox
            .run(&[&command[..1], &choice, &command[1..]].concat())
            .refuses();
        let end = "  hint: choose one with `--platform PLATFORM`: `linux/arm64`\n";
        let expected = format!("error: `app:1@{arm}` has no image for linux/amd64\n{end}");
        assert!(said.ends_with(&expected), "{said}");
    }
    let agreed = [
        "inspect",
        "--image",
        arm,
        "--platform",
        "linux/arm64",
        "--format",
        ".digest",
    ];
    let printed = sandbox.run(&[&agreed[..], &["in.tar"]].concat()).data("");
    assert_eq!(printed, format!("{arm}\n").into_bytes());
}
