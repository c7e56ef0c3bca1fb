//! Where a squashed image goes, and as what.

use serde_json::{Value, json};

use super::{image_of, layers};
use crate::support::codec::Codec;
use crate::support::image::{Store, facts, strings};
use crate::support::judge::Format;
use crate::support::make::{self, Image, Layout};
use crate::support::sandbox::Tree;
use crate::support::squash::{put, read, squashed};
use crate::support::{Sandbox, testdata};

/// What a file or directory is, by its content.
#[track_caller]
fn format_of(sandbox: &Sandbox, name: &str) -> Format {
    let path = sandbox.path(name);
    if path.is_dir() {
        return Format::Oci;
    }
    match Store::open(&path).get("manifest.json") {
        Some(_) => Format::Docker,
        None => Format::OciArchive,
    }
}

#[test]
fn the_output_is_of_the_format_that_was_asked_for_whatever_the_input_is() {
    let three = image_of(&[1, 2, 3]);
    for from in Format::ALL {
        for (options, target, expected) in [
            (&[][..], "out", Format::Docker),
            (&["--to", "docker-archive"], "out", Format::Docker),
            (&["--to", "oci"], "out", Format::Oci),
            (&["--to", "oci-archive"], "out", Format::OciArchive),
            (&[], "docker-archive:out", Format::Docker),
            (&[], "oci:out", Format::Oci),
            (&[], "oci-archive:out", Format::OciArchive),
            (&[], "out/", Format::Oci),
        ] {
            let sandbox = Sandbox::new();
            let source = put(&sandbox, "in", from, &three);
            let arguments = [&["squash", "--last", "2"], options, &[&source, target]].concat();
            drop(sandbox.run(&arguments).reports());
            let what = format!("{from:?} {options:?} {target}");
            assert_eq!(format_of(&sandbox, "out"), expected, "{what}");
            let squashed = read(&sandbox, "out", expected);
            assert_eq!(layers(&three, &squashed), "1 [2 3]", "{what}");
            assert_eq!(squashed.image.tags, ["docker.io/library/app:1"], "{what}");
        }
    }
}

#[test]
fn pipes_are_inputs_and_outputs_of_every_format() {
    let three = image_of(&[1, 2, 3]);
    for from in [Format::Docker, Format::OciArchive] {
        for to in [Format::Docker, Format::OciArchive] {
            let sandbox = Sandbox::new();
            drop(put(&sandbox, "in", from, &three));
            let bytes = sandbox.read("in");
            let target = to.at("-");
            for source in ["-".to_owned(), from.at("-")] {
                let run = sandbox.restow(&["squash", "--last", "2", &source, &target]);
                let (out, _) = run.stdin_pipe(bytes.clone()).run().reports();
                sandbox.write("out", out);
                assert_eq!(layers(&three, &read(&sandbox, "out", to)), "1 [2 3]");
            }
            // Every engine loads it, whatever it was.
            let run = sandbox.restow(&["squash", "--last", "2", "-", "-"]);
            let (out, _) = run.stdin_pipe(bytes).run().reports();
            sandbox.write("out", out);
            assert_eq!(format_of(&sandbox, "out"), Format::Docker);
        }
    }
}

/// The media type of a layer that is stored so.
fn media_type(codec: Codec) -> &'static str {
    match codec {
        Codec::Plain => "application/vnd.oci.image.layer.v1.tar",
        Codec::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
        Codec::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        Codec::Xz | Codec::Bzip2 => panic!("OCI has no media type for {codec:?}"),
    }
}

#[test]
fn the_new_layer_is_compressed_as_the_uppermost_was_or_as_is_said() {
    let codecs = [Codec::Plain, Codec::Gzip, Codec::Zstd, Codec::Gzip];
    let mut four = image_of(&[1000, 2000, 3000, 4000]);
    for (layer, codec) in four.layers.iter_mut().zip(codecs) {
        *layer = codec.compress(layer);
    }
    for (range, compress, expected) in [
        ("1..2", "keep", Codec::Gzip),
        ("2..3", "keep", Codec::Zstd),
        ("3..4", "keep", Codec::Gzip),
        ("1..4", "none", Codec::Plain),
        ("2..3", "none", Codec::Plain),
        ("1..2", "gzip:9", Codec::Gzip),
        ("3..4", "zstd", Codec::Zstd),
        ("1", "zstd:19", Codec::Zstd),
        ("1", "keep", Codec::Plain),
    ] {
        for to in Format::ALL {
            let what = format!("{range} {compress} to {to:?}");
            let sandbox = Sandbox::new();
            let source = put(&sandbox, "in", Format::OciArchive, &four);
            let target = to.at("out");
            let arguments = [
                "squash",
                "--layers",
                range,
                "--compress",
                compress,
                &source,
                &target,
            ];
            drop(sandbox.run(&arguments).reports());
            let squashed = read(&sandbox, "out", to);
            let start = range
                .split('.')
                .next()
                .and_then(|it| it.parse::<usize>().ok());
            let start = start.expect("a range begins with a number") - 1;
            let count = 4 - squashed.stored.len();
            let mut expected_codecs = codecs.to_vec();
            expected_codecs.splice(start..=start + count, [expected]);
            let got: Vec<Codec> = squashed.image.layers.iter().map(|it| it.codec).collect();
            assert_eq!(got, expected_codecs, "{what}");
            assert_eq!(squashed.stored[..start], four.layers[..start], "{what}");
            assert_eq!(
                squashed.stored[start + 1..],
                four.layers[start + count + 1..],
                "{what}"
            );
            if to != Format::Docker {
                let types = squashed
                    .image
                    .layers
                    .iter()
                    .map(|it| it.media_type.as_str());
                let expected = expected_codecs.iter().map(|it| media_type(*it));
                assert!(types.eq(expected), "{what}: {:?}", squashed.image.layers);
            }
        }
    }
}

#[test]
fn tags_stay_unless_others_are_given() {
    let mut two = image_of(&[1, 2]);
    two.tags = vec!["app:1".to_owned(), "reg.example:5000/x/app:2".to_owned()];
    let full = ["docker.io/library/app:1", "reg.example:5000/x/app:2"];
    for format in Format::ALL {
        for (options, expected) in [
            (&[][..], &full[..]),
            (&["--tag", "new:3"], &["docker.io/library/new:3"]),
            (
                &["--tag", "b", "--tag", "a:2"],
                &["docker.io/library/a:2", "docker.io/library/b:latest"],
            ),
        ] {
            let sandbox = Sandbox::new();
            let source = put(&sandbox, "in", Format::Docker, &two);
            let target = format.at("out");
            let arguments = [&["squash", "--all"], options, &[&source, &target]].concat();
            drop(sandbox.run(&arguments).reports());
            assert_eq!(
                read(&sandbox, "out", format).image.tags,
                expected,
                "{format:?}"
            );
        }
    }
}

#[test]
fn a_dry_run_reads_everything_and_writes_nothing() {
    let three = image_of(&[1, 2, 3]);
    let sandbox = Sandbox::new();
    let source = put(&sandbox, "in", Format::Docker, &three);
    sandbox.write("there", "as it was");
    let before: Tree = sandbox.tree();
    for target in [
        &[][..],
        &["out"],
        &["oci:out"],
        &["there"],
        &["-"],
        &["missing/out"],
    ] {
        for json in [&[][..], &["--json"]] {
            let arguments = [&["squash", "--all", "--dry-run"], json, &[&source], target].concat();
            let stdout = sandbox.run(&arguments).data("");
            let is_json = serde_json::from_slice::<Value>(&stdout).is_ok();
            assert_eq!((is_json, stdout.is_empty()), (!json.is_empty(), false));
            assert_eq!(sandbox.tree(), before, "{arguments:?}");
        }
    }
    let mut broken = three;
    broken.layers[1].truncate(513);
    let broken = Image::of_layers(&["app:1"], broken.layers);
    let source = put(&sandbox, "broken", Format::Docker, &broken);
    let said = sandbox
        .run(&["squash", "--all", "--dry-run", &source])
        .refuses();
    assert!(
        said.starts_with("error: cannot read layer 2 of 3 of `app:1`\n"),
        "{said}"
    );
}

#[test]
fn the_report_tells_what_was_written() {
    let image = image_of(&[10_000, 20_000, 30_000]).stored_as(Codec::Gzip);
    for format in Format::ALL {
        let sandbox = Sandbox::new();
        let source = put(&sandbox, "in", Format::Docker, &image);
        let target = format.at("out");
        let arguments = ["squash", "--last", "2", "--json", &source, &target];
        let (stdout, _) = sandbox.run(&arguments).reports();
        let mut report: Value = serde_json::from_slice(&stdout).expect("the report is JSON");
        let object = report.as_object_mut().expect("the report is an object");
        // What was written is told as by every command.
        object.retain(|key, _| {
            !["source", "destination", "format", "images"].contains(&key.as_str())
        });
        let squashed = read(&sandbox, "out", format);
        let new = &squashed.image.layers[1];
        let sizes = |layers: &[Vec<u8>]| -> usize { layers.iter().map(Vec::len).sum() };
        let unpacked = crate::support::codec::decompress(&squashed.stored[1]).len();
        let expected = json!({
            "image": "app:1",
            "layers_before": 3,
            "layers_after": 2,
            "size_before": sizes(&image.layers),
            "size_after": sizes(&squashed.stored),
            "ranges": [{
                "first": 2,
                "last": 3,
                "size_before": sizes(&image.layers[1..]),
                "size_after": squashed.stored[1].len(),
                "unpacked_size": unpacked,
                "digest": new.digest,
                "diff_id": new.diff_id,
                "hidden": 0,
                "held_below": 0,
                "held_from": null,
            }],
        });
        assert_eq!(report, expected, "{format:?}");
    }
}

#[test]
fn a_file_is_squashed_in_its_place_when_forced() {
    let three = image_of(&[1, 2, 3]);
    for format in [Format::Docker, Format::OciArchive] {
        let sandbox = Sandbox::new();
        let source = put(&sandbox, "in", format, &three);
        drop(
            sandbox
                .run(&["squash", "--all", &source, &source])
                .refuses(),
        );
        drop(
            sandbox
                .run(&["squash", "--all", "--force", &source, &source])
                .reports(),
        );
        assert_eq!(layers(&three, &read(&sandbox, "in", format)), "[1 2 3]");
        assert_eq!(sandbox.tree().len(), 1);
    }
}

#[test]
fn one_image_of_several_is_squashed_and_the_others_are_left_alone() {
    let three = image_of(&[1, 2, 3]);
    let layers_of_other = [&three.layers[..2], &image_of(&[1, 2, 3, 4]).layers[3..]].concat();
    let other = Image::of_layers(&["other:1"], layers_of_other);
    let sandbox = Sandbox::new();
    sandbox.write(
        "in",
        make::tar(&make::docker(&[three.clone(), other.clone()])),
    );
    let arguments = ["squash", "--all", "--image", "app:1", "in", "out"];
    drop(sandbox.run(&arguments).reports());
    assert_eq!(
        layers(&three, &read(&sandbox, "out", Format::Docker)),
        "[1 2 3]"
    );

    // Into a layout that has both: the tag moves, and the other image keeps its layers.
    sandbox.run(&["convert", "in", "oci:both"]).silent();
    let arguments = ["squash", "--all", "--image", "app:1", "in", "oci:both"];
    drop(sandbox.run(&arguments).reports());
    let images = Store::open(&sandbox.path("both")).layout().host_images();
    let found = facts(&images);
    assert!(found.contains(&other.facts()), "{found:#?}");
    let tagged = images
        .iter()
        .filter(|it| it.tags == ["docker.io/library/app:1"]);
    let counts: Vec<usize> = tagged.map(|it| it.layers.len()).collect();
    assert_eq!(counts, [1]);
}

/// A layout of an image whose manifest and layers have annotations.
fn annotated(three: &Image) -> Layout {
    let mut layout = Layout::default();
    let descriptor = layout.image(three);
    let digest = descriptor["digest"].as_str().expect("it has a digest");
    let mut manifest: Value = serde_json::from_slice(&layout.blobs[digest]).expect("it is JSON");
    layout.blobs.remove(digest);
    manifest["annotations"] = json!({
        "org.example.kept": "é",
        "org.opencontainers.image.base.digest": three.diff_ids[0],
        "org.opencontainers.image.base.name": "docker.io/library/base:1",
    });
    manifest["x-odd"] = json!([1.0]);
    for (at, layer) in manifest["layers"]
        .as_array_mut()
        .expect("layers")
        .iter_mut()
        .enumerate()
    {
        layer["annotations"] = json!({"org.example.layer": at + 1});
    }
    let descriptor = layout.document(&manifest);
    layout.add_named(&descriptor, "app:1");
    layout
}

#[test]
fn annotations_stay_where_they_are_still_true() {
    let three = image_of(&[1, 2, 3]);
    let base = [
        "org.opencontainers.image.base.digest",
        "org.opencontainers.image.base.name",
    ];
    for (range, has_base, expected) in [
        ("2..3", true, vec![json!(1), json!(null)]),
        ("1..2", false, vec![json!(null), json!(3)]),
        ("3", true, vec![json!(1), json!(2), json!(null)]),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("in", make::tar(&annotated(&three).members()));
        let arguments = ["squash", "--layers", range, "oci-archive:in", "oci:out"];
        drop(sandbox.run(&arguments).reports());
        let store = Store::open(&sandbox.path("out"));
        let index = store.json("index.json");
        let manifest = store
            .blob(&index["manifests"][0])
            .expect("the manifest is there");
        let manifest: Value = serde_json::from_slice(manifest).expect("it is JSON");
        assert_eq!(manifest["annotations"]["org.example.kept"], "é");
        assert_eq!(manifest["x-odd"].to_string(), "[1.0]");
        for key in base {
            assert_eq!(
                manifest["annotations"].get(key).is_some(),
                has_base,
                "{range} {key}"
            );
        }
        let layers = manifest["layers"].as_array().expect("layers");
        let layers = layers
            .iter()
            .map(|it| it["annotations"]["org.example.layer"].clone());
        assert_eq!(layers.collect::<Vec<_>>(), expected, "{range}");
    }
}

#[test]
fn an_index_names_the_config_that_the_image_has_now() {
    let sandbox = Sandbox::new();
    let source = Format::Docker.at(testdata("docker28-containerd__noprov.tar"));
    for to in Format::ALL {
        let out = format!("{to:?}");
        let squash = ["squash", "--all", "--quiet", &source, &to.at(&out)];
        sandbox.run(&squash).silent();
        let store = Store::open(&sandbox.path(&out));
        let descriptor = store.json("index.json")["manifests"][0].clone();
        let manifest = store.blob(&descriptor).expect("the manifest is there");
        let manifest: Value = serde_json::from_slice(manifest).expect("it is JSON");
        let named = &descriptor["annotations"]["config.digest"];
        assert_eq!(*named, manifest["config"]["digest"], "{to:?}");
    }
}

#[test]
fn signatures_and_attestations_of_what_was_are_left_behind() {
    let three = image_of(&[1, 2, 3]);
    let mut layout = Layout::default();
    let mut app = layout.image(&three);
    app["platform"] = json!({"architecture": "amd64", "os": "linux"});
    let attestation = layout.attestation(&app);
    let index = layout.nested(&[app.clone(), attestation]);
    let signature = layout.referrer(&app);
    layout.index.push(signature);
    layout.add_named(&index, "app:1");
    for to in Format::ALL {
        let sandbox = Sandbox::new();
        sandbox.write("in", make::tar(&layout.members()));
        let target = to.at("out");
        let arguments = [
            "squash",
            "--all",
            "--platform",
            "linux/amd64",
            "oci-archive:in",
            &target,
        ];
        let squashed = squashed(&sandbox, sandbox.run(&arguments), "out", to);
        assert_eq!(layers(&three, &squashed), "[1 2 3]");
        assert!(!squashed.warnings.is_empty(), "{to:?}: it is said");
        let store = Store::open(&sandbox.path("out"));
        let index = store.json("index.json");
        assert_eq!(
            index["manifests"].as_array().map(Vec::len),
            Some(1),
            "{index}"
        );
    }
}

#[test]
fn layers_that_are_there_twice_are_written_once() {
    let one = image_of(&[1, 2]);
    let layers = [&one.layers[..], &one.layers[..], &one.layers[..1]].concat();
    let five = Image::of_layers(&["app:1"], layers);
    for format in Format::ALL {
        let sandbox = Sandbox::new();
        let source = put(&sandbox, "in", format, &five);
        let target = format.at("out");
        let arguments = ["squash", "--layers", "2..3", &source, &target];
        let squashed = squashed(&sandbox, sandbox.run(&arguments), "out", format);
        let ids = squashed.image.diff_ids();
        assert_eq!(ids.len(), 4);
        let kept = [&ids[0], &ids[2], &ids[3]];
        assert_eq!(kept, [&one.diff_ids[0], &one.diff_ids[1], &one.diff_ids[0]]);
        if format != Format::Oci {
            let names = Store::open(&sandbox.path("out")).entries;
            let blobs = names
                .iter()
                .filter(|it| it.starts_with("blobs/sha256/") && !it.ends_with('/'));
            // Three layers, the config and the manifest.
            assert_eq!(blobs.count(), 5, "{names:?}");
        }
        let config: Value = serde_json::from_str(&squashed.image.config).expect("JSON");
        assert_eq!(strings(&config["rootfs"]["diff_ids"]), ids);
    }
}

#[test]
fn a_new_layer_that_is_there_already_is_written_once() {
    let one = image_of(&[1]);
    let sandbox = Sandbox::new();
    let source = put(&sandbox, "one", Format::Docker, &one);
    let arguments = [
        "squash",
        "--layers",
        "1",
        &source,
        "docker-archive:canonical",
    ];
    let canonical = squashed(
        &sandbox,
        sandbox.run(&arguments),
        "canonical",
        Format::Docker,
    );
    // Another tar of the same file, so that the new layer is the one below it again.
    let layers = vec![canonical.stored[0].clone(), one.layers[0].clone()];
    let two = Image::of_layers(&["app:1"], layers);
    for format in Format::ALL {
        let name = format!("{format:?}");
        let source = put(&sandbox, &name, format, &two);
        let (out, target) = (format!("{name}-out"), format.at(format!("{name}-out")));
        let arguments = ["squash", "--layers", "2", &source, &target];
        let squashed = squashed(&sandbox, sandbox.run(&arguments), &out, format);
        let ids = squashed.image.diff_ids();
        assert_eq!(ids, [two.diff_ids[0].as_str(); 2]);
    }
}

#[test]
fn a_rootfs_tar_is_an_image_of_one_layer() {
    let one = image_of(&[1]);
    let sandbox = Sandbox::new();
    sandbox.write("rootfs.tar", &one.layers[0]);
    let arguments = ["squash", "--layers", "1", "rootfs:rootfs.tar", "out"];
    drop(sandbox.run(&arguments).reports());
    assert_eq!(format_of(&sandbox, "out"), Format::Docker);
    assert_eq!(layers(&one, &read(&sandbox, "out", Format::Docker)), "[1]");
    let arguments = ["export", "rootfs:rootfs.tar", "again.tar"];
    drop(sandbox.run(&arguments).reports());
    let again = crate::support::naive::entries(&sandbox.read("again.tar"));
    assert_eq!(crate::support::entry::words(&again), "f1=x");
}
