//! Deltas in the exact form in which containers/oci-delta writes them: the order of the archive,
//! labels that are always OCI's and gzip's, a manifest without a media type. The program itself is
//! not here (see `testdata/README.md`).

use serde_json::{Value, json};

use crate::support::Sandbox;
use crate::support::codec::{Codec, decompress, digest};
use crate::support::image::Store;
use crate::support::make::{self, Image, Layout, Member};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const TAR_DIFF: &str = "application/vnd.tar-diff";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// The way in which a layer goes into the delta.
#[derive(Clone)]
enum Way {
    /// The old image has its diff_id.
    Reused,
    /// As these operations.
    Difference(&'static [u8; 8], Vec<Vec<u8>>),
    /// As a blob: the original, or, from a store that only has the content, another one.
    Original(Vec<u8>),
}

/// An operation of a tar-diff.
fn operation(kind: u8, mut size: usize, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    while size >= 0x80 {
        bytes.push(u8::try_from(size & 0x7f).expect("7 bits") | 0x80);
        size >>= 7;
    }
    bytes.push(u8::try_from(size).expect("7 bits"));
    [&bytes, data].concat()
}

fn data(bytes: &[u8]) -> Vec<u8> {
    operation(0, bytes.len(), bytes)
}

fn open(path: &str) -> Vec<u8> {
    operation(1, path.len(), path.as_bytes())
}

/// The parts of an OCI image.
struct Target {
    descriptor: Value,
    manifest: Vec<u8>,
    value: Value,
    config: Vec<u8>,
}

fn target(image: &Image, edit: impl FnOnce(&mut Value)) -> Target {
    let mut layout = Layout::default();
    let descriptor = layout.image(image);
    let manifest = &layout.blobs[text(&descriptor["digest"])];
    let mut value: Value = serde_json::from_slice(manifest).expect("it is JSON");
    edit(&mut value);
    let manifest = value.to_string().into_bytes();
    Target {
        descriptor: described(MANIFEST, &manifest),
        manifest,
        value,
        config: image.config.clone(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("it is a text")
}

fn described(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest(bytes), "size": bytes.len()})
}

/// The delta of an image as the program writes it, under a name if one was given.
fn delta(old: &Image, new: &Target, ways: &[Way], name: Option<&str>) -> Vec<u8> {
    let content = |mut descriptor: Value, content: &str, to: Option<&Value>| {
        descriptor["annotations"] = json!({"io.github.containers.delta.content": content});
        if let Some(to) = to {
            descriptor["annotations"]["io.github.containers.delta.to"] = to.clone();
        }
        descriptor
    };
    let mut blobs = vec![new.manifest.clone(), new.config.clone()];
    let mut layers = vec![
        content(described(MANIFEST, &new.manifest), "image-manifest", None),
        content(described(CONFIG, &new.config), "image-config", None),
    ];
    let config: Value = serde_json::from_slice(&new.config).expect("it is JSON");
    let (mut reused, mut reused_diff_ids) = (Vec::new(), Vec::new());
    for (at, way) in ways.iter().enumerate() {
        let to = &new.value["layers"][at]["digest"];
        let (media_type, blob) = match way {
            Way::Reused => {
                reused.push(to.clone());
                reused_diff_ids.push(config["rootfs"]["diff_ids"][at].clone());
                continue;
            }
            Way::Difference(magic, operations) => {
                let stream = zstd::encode_all(operations.concat().as_slice(), 3);
                let stream = stream.expect("it is memory");
                (TAR_DIFF, [magic.as_slice(), &stream].concat())
            }
            Way::Original(blob) => (GZIP, blob.clone()),
        };
        layers.push(content(
            described(media_type, &blob),
            "image-layer",
            Some(to),
        ));
        blobs.push(blob);
    }
    // A signature of cosign.
    let signed = b"{\"critical\":{}}".to_vec();
    let signature = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": described(CONFIG, b"{\"a\":1}"),
        "layers": [described("application/vnd.dev.cosign.simplesigning.v1+json", &signed)],
    });
    let signature = signature.to_string().into_bytes();
    layers.push(content(
        described(MANIFEST, &signature),
        "cosign-signature",
        None,
    ));
    for blob in [b"{\"a\":1}".to_vec(), signed] {
        layers.push(content(
            described(CONFIG, &blob),
            "cosign-signature-content",
            None,
        ));
        blobs.push(blob);
    }
    blobs.insert(blobs.len() - 2, signature);
    let mut annotations = json!({
        "io.github.containers.delta.source": format!("sha256:{}", "0".repeat(64)),
        "io.github.containers.delta.source-config": digest(&old.config),
        "io.github.containers.delta.target": new.descriptor["digest"],
    });
    if !reused.is_empty() {
        annotations["io.github.containers.delta.reused"] = json!(json!(reused).to_string());
        annotations["io.github.containers.delta.reused-diff-id"] =
            json!(json!(reused_diff_ids).to_string());
    }
    let artifact = json!({
        "schemaVersion": 2,
        "artifactType": "application/vnd.io.github.containers.oci-delta.v1",
        "config": described(EMPTY, b"{}"),
        "layers": layers,
        "subject": described(MANIFEST, &new.manifest),
        "annotations": annotations,
    });
    let artifact = artifact.to_string().into_bytes();
    blobs.extend([b"{}".to_vec(), artifact.clone()]);
    let mut root = described(MANIFEST, &artifact);
    if let Some(name) = name {
        root["annotations"] = json!({"org.opencontainers.image.ref.name": name});
    }
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [root],
    });
    let mut members = vec![
        Member::file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#),
        Member::Directory("blobs/".to_owned()),
        Member::Directory("blobs/sha256/".to_owned()),
    ];
    for blob in blobs {
        let hex = digest(&blob).split_off("sha256:".len());
        members.push(Member::file(format!("blobs/sha256/{hex}"), blob));
    }
    members.push(Member::file("index.json", index.to_string()));
    make::tar(&members)
}

/// Applies a delta, and compares the image with the new one.
#[track_caller]
fn assert_makes(old: &Image, new: &Image, delta: &[u8], names: &[&str]) -> Vec<Codec> {
    let sandbox = Sandbox::new();
    let mut layout = Layout::default();
    layout.add(old);
    sandbox.write("old.tar", make::tar(&layout.members()));
    sandbox.write("delta", delta);
    sandbox
        .run(&["apply", "-q", "old.tar", "delta", "oci:made"])
        .silent();
    sandbox.run(&["verify", "-q", "oci:made"]).silent();
    let made = Store::open(&sandbox.path("made")).layout();
    let found: Vec<_> = made.found.iter().map(|it| it.annotations.clone()).collect();
    let name = |it: &Value| {
        it["org.opencontainers.image.ref.name"]
            .as_str()
            .map(str::to_owned)
    };
    let found: Vec<_> = found.iter().filter_map(name).collect();
    assert_eq!(found, names);
    let made = &made.found[0].image;
    assert_eq!(made.id(), new.id());
    let layers = new.layers.iter().map(|layer| digest(&decompress(layer)));
    assert_eq!(made.diff_ids(), layers.collect::<Vec<_>>());
    made.layers.iter().map(|layer| layer.codec).collect()
}

/// An old image and a new one, which is changed in one file of its second layer.
fn pair(codec: Codec) -> (Image, Image) {
    let base = make::layer("dir etc\nfile etc/hosts 127.0.0.1 localhost\nlink etc/copy etc/hosts");
    let tar = |content: &[u8]| make::tar(&[Member::file("usr/lib.so", content)]);
    let old = Image::of_layers(&["app:1"], vec![base.clone(), tar(&content(0))]);
    let new = Image::of_layers(&["app:2"], vec![base, tar(&content(7))]);
    (old.stored_as(codec), new.stored_as(codec))
}

/// The content of the file: 4,096 bytes with one that differs.
fn content(different: u8) -> Vec<u8> {
    let mut content: Vec<u8> = (0..4096_u32)
        .flat_map(|n| (n * n).to_le_bytes())
        .step_by(4)
        .collect();
    content[2_000] ^= different;
    content
}

/// The second layer of the new image as bsdiff writes it: sums with the old file, new data, and
/// a place to go on, some of them empty.
fn bsdiff(new: &Image) -> Way {
    let tar = decompress(&new.layers[1]);
    let (before, after) = (content(0), content(7));
    let sum: Vec<u8> = after
        .iter()
        .zip(&before)
        .map(|(a, b)| a.wrapping_sub(*b))
        .collect();
    Way::Difference(
        b"tardf1\n\0",
        vec![
            data(&tar[..512]),
            open("usr/lib.so"),
            operation(3, 3_000, &sum[..3_000]),
            data(&after[3_000..3_010]),
            operation(4, 3_010, b""),
            operation(3, 0, b""),
            operation(2, 0, b""),
            operation(3, 1_086, &sum[3_010..]),
            operation(4, 4_096, b""),
            data(&tar[512 + 4_096..]),
        ],
    )
}

#[test]
fn a_delta_of_oci_delta_applies() {
    for codec in [Codec::Gzip, Codec::Plain, Codec::Zstd] {
        let (old, new) = pair(codec);
        let target = target(&new, |_| ());
        let ways = [Way::Reused, bsdiff(&new)];
        for (name, names) in [(None, vec![]), (Some("app:2"), vec!["app:2"])] {
            let delta = delta(&old, &target, &ways, name);
            let codecs = assert_makes(&old, &new, &delta, &names);
            assert_eq!(codecs, [codec, Codec::Plain]);
        }
    }
}

/// Signatures are not passed on, which is told.
#[test]
fn signatures_in_a_delta_are_told() {
    let (old, new) = pair(Codec::Plain);
    let ways = [Way::Reused, bsdiff(&new)];
    let sandbox = Sandbox::new();
    let mut layout = Layout::default();
    layout.add(&old);
    sandbox.write("old.tar", make::tar(&layout.members()));
    sandbox.write("delta", delta(&old, &target(&new, |_| ()), &ways, None));
    let output = sandbox.run(&["apply", "old.tar", "delta", "new.tar"]);
    let (_, warnings) = output.data_and_warnings();
    assert_eq!(
        warnings,
        [
            "warning: skipped 3 parts of the delta, of kinds that are not supported: \
             `cosign-signature`, `cosign-signature-content`"
        ]
    );
}

/// An old image that is not what its digests say makes another layer: both inputs are named.
#[test]
fn a_layer_that_is_made_wrong_names_both_inputs() {
    let (old, new) = pair(Codec::Plain);
    let ways = [Way::Reused, bsdiff(&new)];
    let sandbox = Sandbox::new();
    let mut layout = Layout::default();
    layout.add(&old);
    let mut archive = make::tar(&layout.members());
    let content = content(0);
    let found = archive.windows(64).position(|it| it == &content[..64]);
    archive[found.expect("the archive has the file") + 100] ^= 1;
    sandbox.write("old.tar", archive);
    sandbox.write("delta", delta(&old, &target(&new, |_| ()), &ways, None));
    let output = sandbox.run(&["apply", "-q", "old.tar", "delta", "new.tar"]);
    let said = output.refuses();
    let start = "error: cannot read what `delta` makes of `old.tar`\n  caused by: cannot read layer 2 of 2 of `";
    assert!(said.starts_with(start), "{said}");
}

/// With `--binary-diff zstd`: a frame without the size of its content, in the second version.
#[test]
fn a_delta_with_frames_applies() {
    let (old, new) = pair(Codec::Gzip);
    let tar = decompress(&new.layers[1]);
    let (before, after) = (content(0), content(7));
    let encoder = zstd::stream::write::Encoder::with_ref_prefix(Vec::new(), 3, &before);
    let mut encoder = encoder.expect("it is memory");
    std::io::Write::write_all(&mut encoder, &after).expect("it is memory");
    let frame = encoder.finish().expect("it is memory");
    let operations = vec![
        data(&tar[..512]),
        open("usr/lib.so"),
        operation(5, frame.len(), &frame),
        data(&tar[512 + 4_096..]),
    ];
    let ways = [Way::Reused, Way::Difference(b"tardf2\n\0", operations)];
    let delta = delta(&old, &target(&new, |_| ()), &ways, None);
    assert_makes(&old, &new, &delta, &[]);
}

/// A layer that is in the image twice is in the archive and in the artifact twice.
#[test]
fn a_layer_that_is_there_twice_applies() {
    let (old, _) = pair(Codec::Gzip);
    let layer = make::layer("file new content");
    let new = Image::of_layers(&["app:2"], vec![layer.clone(), layer]).stored_as(Codec::Gzip);
    let original = Way::Original(new.layers[0].clone());
    let target = target(&new, |_| ());
    let archive = delta(&old, &target, &[original.clone(), original], None);
    assert_eq!(assert_makes(&old, &new, &archive, &[]), [Codec::Gzip; 2]);
    let tar = decompress(&new.layers[0]);
    let difference = Way::Difference(b"tardf1\n\0", vec![data(&tar)]);
    let archive = delta(&old, &target, &[difference.clone(), difference], None);
    assert_eq!(assert_makes(&old, &new, &archive, &[]), [Codec::Plain; 2]);
}

/// The manifest and config are always labelled as OCI's, and blobs as gzip.
#[test]
fn labels_that_are_wrong_do_no_harm() {
    for codec in [Codec::Plain, Codec::Zstd, Codec::Gzip] {
        let (old, new) = pair(codec);
        let docker = |value: &mut Value| {
            value["mediaType"] = json!("application/vnd.docker.distribution.manifest.v2+json");
            value["config"]["mediaType"] = json!("application/vnd.docker.container.image.v1+json");
            let suffix = match codec {
                Codec::Plain => "",
                Codec::Gzip => ".gzip",
                _ => ".zstd",
            };
            for layer in value["layers"].as_array_mut().expect("it has layers") {
                let label = format!("application/vnd.docker.image.rootfs.diff.tar{suffix}");
                layer["mediaType"] = json!(label);
            }
        };
        for target in [target(&new, |_| ()), target(&new, docker)] {
            let ways = [Way::Reused, Way::Original(new.layers[1].clone())];
            let delta = delta(&old, &target, &ways, Some("app:2"));
            assert_eq!(assert_makes(&old, &new, &delta, &["app:2"]), [codec; 2]);
        }
    }
}

/// From containers-storage, which only keeps the content of layers, an original is compressed anew.
#[test]
fn an_original_that_was_compressed_anew_applies() {
    let (old, new) = pair(Codec::Zstd);
    let anew = Codec::Gzip.compress(&decompress(&new.layers[1]));
    let delta = delta(
        &old,
        &target(&new, |_| ()),
        &[Way::Reused, Way::Original(anew)],
        None,
    );
    let codecs = assert_makes(&old, &new, &delta, &[]);
    assert_eq!(codecs, [Codec::Zstd, Codec::Gzip]);
}

/// Reused means that the diff_ids are the same, however the layers are compressed.
#[test]
fn a_reused_layer_may_be_compressed_otherwise() {
    let (old, _) = pair(Codec::Zstd);
    let (_, new) = pair(Codec::Gzip);
    let ways = [Way::Reused, bsdiff(&new)];
    let delta = delta(&old, &target(&new, |_| ()), &ways, None);
    let codecs = assert_makes(&old, &new, &delta, &[]);
    assert_eq!(codecs, [Codec::Plain; 2]);
}

/// A source has the path that its layer has, which leads through a symbolic link of another one.
#[test]
fn a_source_may_be_behind_a_symbolic_link() {
    let base = make::layer("dir usr\ndir usr/lib\nsymlink lib usr/lib");
    let old = Image::of_layers(
        &["app:1"],
        vec![base.clone(), make::layer("file lib/a 12345")],
    );
    let layer = make::layer("file lib/b 12345");
    let new = Image::of_layers(&["app:2"], vec![base, layer.clone()]);
    let operations = vec![
        data(&layer[..512]),
        open("lib/a"),
        operation(2, 5, b""),
        data(&layer[517..]),
    ];
    let ways = [Way::Reused, Way::Difference(b"tardf1\n\0", operations)];
    let delta = delta(&old, &target(&new, |_| ()), &ways, None);
    assert_makes(&old, &new, &delta, &[]);
}

/// Errors name the delta and its blob, and nothing is written.
#[test]
fn what_a_delta_cannot_do_is_refused() {
    let (old, new) = pair(Codec::Gzip);
    let tar = decompress(&new.layers[1]);
    let start = || vec![data(&tar[..512]), open("usr/lib.so")];
    let with = |more: Vec<u8>| [start(), vec![more]].concat();
    let cases = [
        (
            with(operation(2, 4_097, b"")),
            "reads beyond the end of a file of the old image",
        ),
        (
            with(operation(2, 1 << 60, b"")),
            "reads beyond the end of a file of the old image",
        ),
        (
            with(operation(3, 8 << 30, b"x")),
            "the tar-diff is truncated",
        ),
        (
            with(open("../x")),
            "opens the path `../x`, which is not one of a file below the root",
        ),
        (
            with(open("etc")),
            "needs the file `etc`, which the old image does not have",
        ),
        (
            with(open("absent")),
            "needs the file `absent`, which the old image does not have",
        ),
        (
            with(operation(7, 0, b"")),
            "has an operation of the unknown kind 7",
        ),
        (with(data(b"other")), "blob has the wrong size"),
    ];
    let sandbox = Sandbox::new();
    let mut layout = Layout::default();
    layout.add(&old);
    sandbox.write("old.tar", make::tar(&layout.members()));
    let refused = |delta: Vec<u8>, expected: &str| {
        sandbox.write("delta", delta);
        for output in ["out.tar", "oci:out"] {
            let said = sandbox
                .run(&["apply", "old.tar", "delta", output])
                .refuses();
            assert!(said.contains(expected), "{said}: {expected}");
            let names_it = said.contains("`delta`") || expected.contains("`old.tar`");
            assert!(names_it, "{said}");
        }
        assert!(!sandbox.path("out.tar").exists() && !sandbox.path("out").exists());
        sandbox.assert_no_temporaries();
    };
    let plain = new.clone().stored_as(Codec::Plain);
    for (operations, expected) in cases {
        // The target is plain, so that the size of what is made is known.
        let plain = Image {
            layers: vec![new.layers[0].clone(), tar.clone()],
            ..plain.clone()
        };
        let ways = [Way::Reused, Way::Difference(b"tardf2\n\0", operations)];
        refused(delta(&old, &target(&plain, |_| ()), &ways, None), expected);
    }
    // A size in the manifest of the new image that is not that of the layer.
    let plain = Image {
        layers: vec![new.layers[0].clone(), tar.clone()],
        ..new.clone()
    };
    for wrong in [tar.len() - 1, tar.len() + 1] {
        let target = target(&plain, |value| value["layers"][1]["size"] = json!(wrong));
        let ways = [Way::Reused, bsdiff(&new)];
        refused(delta(&old, &target, &ways, None), "blob has the wrong size");
    }
    // A layer that neither has.
    let (_, other) = pair(Codec::Zstd);
    let ways = [Way::Reused, Way::Reused];
    refused(
        delta(&old, &target(&other, |_| ()), &ways, None),
        "in `old.tar`; was that",
    );
}
