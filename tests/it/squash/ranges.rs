//! Which layers become one.

use super::{image_of, layers};
use crate::support::Sandbox;
use crate::support::codec::{Codec, digest, hex};
use crate::support::image::Store;
use crate::support::judge::Format;
use crate::support::make::Image;
use crate::support::naive::replay;
use crate::support::squash::{put, squashed};
use crate::support::testdata;
use crate::support::tree::{Strictness, assert_same};

/// Squashes an image by these arguments, and shows its layers.
#[track_caller]
fn squash(image: &Image, arguments: &[&str]) -> String {
    let sandbox = Sandbox::new();
    let source = put(&sandbox, "in", Format::OciArchive, image);
    let arguments = [&["squash"], arguments, &[&source, "oci-archive:out"]].concat();
    let squashed = squashed(&sandbox, sandbox.run(&arguments), "out", Format::OciArchive);
    let (original, got) = (replay(&image.layers), replay(&squashed.stored));
    assert_same(&original, &got, Strictness::All, arguments.join(" "));
    layers(image, &squashed)
}

#[test]
fn layers_are_chosen_by_number() {
    let four = image_of(&[1, 2, 3, 4]);
    for (arguments, expected) in [
        (["--all", "--jobs=1"], "[1 2 3 4]"),
        (["--last", "2"], "1 2 [3 4]"),
        (["--last", "4"], "[1 2 3 4]"),
        (["--layers", "2..3"], "1 [2 3] 4"),
        (["--layers", "1..2"], "[1 2] 3 4"),
        (["--layers", "3.."], "1 2 [3 4]"),
        (["--layers", "..3"], "[1 2 3] 4"),
        (["--layers", ".."], "[1 2 3 4]"),
        // One layer by itself stays as it is, unless just that is asked for.
        (["--last", "1"], "1 2 3 4"),
        (["--layers", "2"], "1 [2] 3 4"),
        (["--layers", "2..2"], "1 [2] 3 4"),
        (["--layers", "4.."], "1 2 3 [4]"),
    ] {
        assert_eq!(squash(&four, &arguments), expected, "{arguments:?}");
    }
    assert_eq!(squash(&image_of(&[1]), &["--all"]), "1");
}

#[test]
fn layers_are_chosen_by_name() {
    // The digest of what is stored is another name than that of what it unpacks to.
    let four = image_of(&[1, 2, 3, 4]).stored_as(Codec::Gzip);
    let digests: Vec<String> = four.layers.iter().map(|it| digest(it)).collect();
    let [diff_id, digest] = [&four.diff_ids[1], &digests[2]];
    let prefix = |name: &str, length: usize| hex(name)[..length].to_owned();
    for (range, expected) in [
        (format!("{diff_id}..{digest}"), "1 [2 3] 4"),
        (
            format!("{}..{}", prefix(diff_id, 12), prefix(digest, 20)),
            "1 [2 3] 4",
        ),
        (format!("sha256:{}..", prefix(digest, 12)), "1 2 [3 4]"),
        (format!("..{}", prefix(diff_id, 12)), "[1 2] 3 4"),
        (format!("1..{diff_id}"), "[1 2] 3 4"),
        (prefix(diff_id, 64), "1 [2] 3 4"),
    ] {
        assert_eq!(squash(&four, &["--layers", &range]), expected, "{range}");
    }
}

#[test]
fn the_base_can_be_any_image() {
    let four = image_of(&[1, 2, 3, 4]);
    let base = |count: usize| {
        let layers = four.layers[..count].to_vec();
        Image::of_layers(&["base:1"], layers)
            .with_config(|it| it["created"] = "2001-01-01T00:00:00Z".into())
    };
    let other = Image::new(&["other:1"], &["file a 1"]);
    for (count, expected) in [
        (1, "1 [2 3 4]"),
        (2, "1 2 [3 4]"),
        (3, "1 2 3 4"),
        (4, "1 2 3 4"),
    ] {
        for format in Format::ALL {
            for codec in [Codec::Plain, Codec::Zstd] {
                let sandbox = Sandbox::new();
                let source = put(&sandbox, "in", Format::Docker, &four);
                let base = put(&sandbox, "base", format, &base(count).stored_as(codec));
                let arguments = ["squash", "--above", &base, &source, "docker-archive:out"];
                let squashed = squashed(&sandbox, sandbox.run(&arguments), "out", Format::Docker);
                assert_eq!(
                    layers(&four, &squashed),
                    expected,
                    "{count} {format:?} {codec:?}"
                );
            }
        }
    }
    // One of several, by its name.
    let sandbox = Sandbox::new();
    let source = put(&sandbox, "in", Format::Docker, &four);
    sandbox.write(
        "bases",
        crate::support::make::tar(&crate::support::make::docker(&[other, base(2)])),
    );
    let arguments = [
        "squash",
        "--above",
        "docker-archive:bases:base:1",
        &source,
        "docker-archive:out",
    ];
    let run = squashed(&sandbox, sandbox.run(&arguments), "out", Format::Docker);
    assert_eq!(layers(&four, &run), "1 2 [3 4]");
    // A root filesystem is an image of one layer.
    sandbox.write("rootfs.tar", &four.layers[0]);
    let arguments = [
        "squash",
        "--force",
        "--above",
        "rootfs:rootfs.tar",
        &source,
        "docker-archive:out",
    ];
    let run = squashed(&sandbox, sandbox.run(&arguments), "out", Format::Docker);
    assert_eq!(layers(&four, &run), "1 [2 3 4]");
}

#[test]
fn a_base_that_is_none_is_refused() {
    let four = image_of(&[1, 2, 3, 4]);
    let reversed: Vec<Vec<u8>> = four.layers.iter().rev().cloned().collect();
    let longer = [&four.layers[..], &four.layers[..1]].concat();
    for layers in [reversed, longer, four.layers[1..3].to_vec()] {
        let sandbox = Sandbox::new();
        let source = put(&sandbox, "in", Format::Docker, &four);
        let base = put(
            &sandbox,
            "base",
            Format::Docker,
            &Image::of_layers(&["base:1"], layers),
        );
        let arguments = ["squash", "--above", &base, &source, "out"];
        let said = sandbox.run(&arguments).refuses();
        assert!(
            said.starts_with("error: the image is not based on that base"),
            "{said}"
        );
    }
}

#[test]
fn the_cheapest_neighbours_are_merged_first() {
    const KB: usize = 1 << 10;
    let five = image_of(&[50 * KB, KB, 2 * KB, 30 * KB, KB]);
    for (most, expected) in [
        ("9", "1 2 3 4 5"),
        ("5", "1 2 3 4 5"),
        ("4", "1 [2 3] 4 5"),
        ("3", "1 [2 3] [4 5]"),
        ("2", "1 [2 3 4 5]"),
        ("1", "[1 2 3 4 5]"),
    ] {
        assert_eq!(squash(&five, &["--max-layers", most]), expected, "{most}");
    }
}

#[test]
fn as_many_layers_as_an_engine_takes() {
    let sandbox = Sandbox::new();
    let path = testdata("docker29-containerd__edge-deep-multi.tar");
    let store = Store::open(&path);
    let deep = store.docker_images().remove(1);
    assert_eq!(deep.layers.len(), 65);
    let original = replay(&store.stored(&deep));
    let source = Format::Docker.at(&path);
    for most in [64, 20, 3] {
        let out = format!("out-{most}");
        let number = most.to_string();
        let arguments = [
            "squash",
            "--image",
            "#2",
            "--max-layers",
            &number,
            &source,
            &out,
        ];
        let squashed = squashed(&sandbox, sandbox.run(&arguments), &out, Format::Docker);
        assert_eq!(squashed.image.layers.len(), most);
        let got = replay(&squashed.stored);
        assert_same(&original, &got, Strictness::DefinedOnly, &number);
        let kept = squashed.image.digests();
        let kept = kept.iter().filter(|it| deep.digests().contains(it)).count();
        // Of 65 layers, the merged ones leave so many that were not touched.
        assert!(
            kept + 1 >= most.saturating_sub(65 - most),
            "{kept} of {most}"
        );
    }
}
