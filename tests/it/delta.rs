//! `delta` and `apply`: the new image comes back as `convert` writes it, byte for byte.

mod by_content;
mod cases;
mod foreign;
mod judged;
mod memory;
mod platforms;

use std::fmt::Write;

use expect_test::expect;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::codec::Codec;
use crate::support::judge::{FIXTURES, Format};
use crate::support::make::{self, Image, Member};
use crate::support::random::{Flavour, stacks};
use crate::support::squash::put;
use crate::support::{Sandbox, random_cases, testdata};

/// Makes a delta, applies it, and compares the result with that of `convert`.
#[track_caller]
fn assert_comes_back(sandbox: &Sandbox, old: &str, new: &str, delta: &str) {
    let (converted, _) = sandbox
        .run(&["convert", "-q", new, "-"])
        .data_and_warnings();
    let made = sandbox.run(&["delta", "-q", old, new, delta]);
    made.data_and_warnings();
    let (applied, _) = sandbox
        .run(&["apply", "-q", old, delta, "-"])
        .data_and_warnings();
    assert!(applied == converted, "{old} to {new} by {delta}");
}

#[test]
fn every_fixture_comes_back_from_any_other() {
    for old in ["docker20__edge.tar", "buildkit__multi.oci.tar"] {
        let old = testdata(old);
        for (name, format) in FIXTURES {
            let sandbox = Sandbox::new();
            let new = format.at(testdata(name));
            assert_comes_back(&sandbox, &old.to_string_lossy(), &new, "delta");
        }
    }
}

fn codec() -> impl Strategy<Value = Codec> {
    proptest::sample::select([Codec::Plain, Codec::Gzip, Codec::Zstd].as_slice())
}

fn format() -> impl Strategy<Value = Format> {
    proptest::sample::select(Format::ALL.as_slice())
}

proptest! {
    // Every case starts several processes.
    #![proptest_config(random_cases(48))]

    #[test]
    fn random_images_come_back_in_every_pair_of_forms(
        old in stacks(Flavour::Any, 1..4),
        new in stacks(Flavour::Any, 0..4),
        kept in 0..3_usize,
        codecs in (codec(), codec()),
        formats in (format(), format()),
        is_folder in any::<bool>(),
    ) {
        let (old, mut new) = (old.tars(), new.tars());
        // A common start, as an image and its successor have it.
        new.splice(0..0, old.iter().take(kept).cloned());
        let sandbox = Sandbox::new();
        let old = Image::of_layers(&["app:1"], old).stored_as(codecs.0);
        let new = Image::of_layers(&["app:2"], new).stored_as(codecs.1);
        let old = put(&sandbox, "old", formats.0, &old);
        let new = put(&sandbox, "new", formats.1, &new);
        let delta = if is_folder { "oci:delta" } else { "delta" };
        assert_comes_back(&sandbox, &old, &new, delta);
    }
}

/// An old image and a new one, which is changed in one file of its second layer.
fn pair(codec: Codec) -> (Image, Image) {
    let base = make::layer("dir etc\nfile etc/hosts 127.0.0.1 localhost\nlink etc/copy etc/hosts");
    let large: Vec<u8> = (0..40_000_u32)
        .flat_map(|n| (n * n).to_le_bytes())
        .collect();
    let mut changed = large.clone();
    changed[70_000..70_004].copy_from_slice(b"new!");
    let tar = |content: Vec<u8>| make::tar(&[Member::file("usr/lib.so", content)]);
    let old = Image::of_layers(&["app:1"], vec![base.clone(), tar(large)]);
    let new = Image::of_layers(&["app:2", "app:latest"], vec![base, tar(changed)]);
    (old.stored_as(codec), new.stored_as(codec))
}

fn written(sandbox: &Sandbox, codec: Codec) {
    let (old, new) = pair(codec);
    sandbox.write("old.tar", make::tar(&make::docker(&[old])));
    sandbox.write("new.tar", make::tar(&make::hybrid(&[new])));
}

#[test]
fn a_delta_goes_through_pipes() {
    let sandbox = Sandbox::new();
    written(&sandbox, Codec::Plain);
    let (old, new) = (sandbox.read("old.tar"), sandbox.read("new.tar"));
    let (converted, _) = sandbox
        .run(&["convert", "new.tar", "-"])
        .data_and_warnings();
    let run = sandbox.restow(&["delta", "old.tar", "-", "-"]);
    let output = run.stdin_pipe(new).run();
    let ways = ": 1 layer reused, 1 as differences (";
    assert!(output.stderr.contains(ways), "{}", output.stderr);
    let delta = output.reports().0;
    assert!(delta.len() < 20_000, "{}", delta.len());
    sandbox.write("delta", &delta);
    let run = sandbox.restow(&["apply", "-", "delta", "-"]);
    let (applied, _) = run.stdin_pipe(old).run().data_and_warnings();
    assert!(applied == converted);
    let run = sandbox.restow(&["apply", "old.tar", "-", "-"]);
    let (applied, _) = run.stdin_pipe(delta).run().data_and_warnings();
    assert!(applied == converted);
    sandbox.assert_no_temporaries();
}

#[test]
fn the_same_image_and_one_without_layers_come_back() {
    let sandbox = Sandbox::new();
    written(&sandbox, Codec::Gzip);
    let none = Image::of_layers(&["none:1"], Vec::new());
    sandbox.write("none.tar", make::tar(&make::hybrid(&[none])));
    let layer = make::layer("file a same");
    let twice = Image::of_layers(&["twice:1"], vec![layer.clone(), layer]);
    sandbox.write("twice.tar", make::tar(&make::docker(&[twice])));
    for (number, (old, new)) in [
        ("old.tar", "old.tar"),
        ("old.tar", "none.tar"),
        ("none.tar", "old.tar"),
        ("none.tar", "twice.tar"),
        ("twice.tar", "twice.tar"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_comes_back(&sandbox, old, new, &format!("delta{number}"));
    }
}

#[test]
fn compressed_layers_go_in_whole_or_by_content() {
    let sandbox = Sandbox::new();
    written(&sandbox, Codec::Gzip);
    let output = sandbox.run(&["delta", "--json", "old.tar", "new.tar", "whole"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let layers = &report["images"][0]["layers"];
    // The digests of gzip layers in this old archive are in no document.
    assert_eq!(layers[1]["way"], "whole");
    assert_eq!(layers[1]["delta_size"], layers[1]["size"]);
    assert!(layers[1]["by_content_size"].as_u64() < layers[1]["size"].as_u64());
    let output = sandbox.run(&[
        "delta",
        "--by-content",
        "--json",
        "old.tar",
        "new.tar",
        "small",
    ]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let ways: Vec<_> = (0..2)
        .map(|at| report["images"][0]["layers"][at]["way"].clone())
        .collect();
    assert_eq!(ways, ["reused", "difference"]);
    assert!(sandbox.read("small").len() < sandbox.read("whole").len() / 4);
    sandbox
        .run(&["apply", "-q", "old.tar", "small", "applied.tar"])
        .silent();
    sandbox
        .run(&[
            "convert",
            "-q",
            "--compress",
            "none",
            "new.tar",
            "plain.tar",
        ])
        .silent();
    let (expected, _) = sandbox
        .run(&["convert", "-q", "plain.tar", "-"])
        .data_and_warnings();
    assert!(sandbox.read("applied.tar") == expected);
}

#[test]
fn another_image_than_the_old_one_is_refused() {
    let sandbox = Sandbox::new();
    written(&sandbox, Codec::Plain);
    sandbox
        .run(&["delta", "-q", "old.tar", "new.tar", "delta"])
        .silent();
    let said = sandbox
        .run(&["apply", "new.tar", "delta", "out.tar"])
        .refuses();
    assert!(
        said.contains("which `new.tar` does not hold: `app:2` is sha256:"),
        "{said}"
    );
    let said = sandbox
        .run(&["apply", "old.tar", "new.tar", "out.tar"])
        .refuses();
    assert!(said.contains("it contains no delta"), "{said}");
    assert!(!sandbox.path("out.tar").exists());
    sandbox.assert_no_temporaries();
}

#[test]
fn a_damaged_delta_leaves_nothing() {
    let sandbox = Sandbox::new();
    written(&sandbox, Codec::Plain);
    sandbox
        .run(&["delta", "-q", "old.tar", "new.tar", "delta"])
        .silent();
    let delta = sandbox.read("delta");
    let (converted, _) = sandbox
        .run(&["convert", "-q", "new.tar", "-"])
        .data_and_warnings();
    for at in (600..delta.len()).step_by(delta.len() / 40) {
        let mut damaged = delta.clone();
        damaged[at] ^= 0x20;
        for bytes in [&damaged[..], &delta[..at]] {
            sandbox.write("damaged", bytes);
            let output = sandbox.run(&["apply", "-q", "old.tar", "damaged", "out.tar"]);
            if sandbox.path("out.tar").exists() {
                // Padding, or a field of a header that nobody needs.
                assert!(sandbox.read("out.tar") == converted, "{at}");
                sandbox.remove("out.tar");
            } else {
                output.refuses();
            }
            sandbox.assert_no_temporaries();
        }
    }
}

/// Every layer of the old image is compared with its digest if any of them is read.
#[test]
fn a_damaged_layer_of_the_old_image_is_told() {
    let mut told = String::new();
    for codec in [Codec::Plain, Codec::Gzip, Codec::Zstd] {
        let (old, new) = pair(codec);
        for layer in [0, 1] {
            let sandbox = Sandbox::new();
            let mut archive = make::tar(&make::docker(std::slice::from_ref(&old)));
            let blob = &old.layers[layer];
            let found = archive.windows(blob.len()).position(|it| it == blob);
            let start = found.expect("the archive has the layer");
            archive[start + blob.len() / 2] ^= 1;
            sandbox.write("old.tar", &archive);
            sandbox.write(
                "new.tar",
                make::tar(&make::hybrid(std::slice::from_ref(&new))),
            );
            for input in ["old.tar", "-"] {
                let run = sandbox.restow(&["delta", input, "new.tar", "delta"]);
                let said = run.stdin_pipe(archive.clone()).run().refuses();
                writeln!(told, "{codec:?}: {said}").expect("memory does not fail");
                assert!(!sandbox.path("delta").exists());
                sandbox.assert_no_temporaries();
            }
        }
    }
    expect![[r#"
        Plain: error: cannot read `old.tar`
          caused by: cannot read layer 1 of 2 of `app:1`
          caused by: layer does not match its diff_id: expected sha256:be5c2d501bb41615d6baee1a1b51ebd44183bc0d18b0ba489622aae852a7ce38, got sha256:a442af1578698b05e548f0eca3ce7e7c0d368b474b2fdd7b9086987e55364736

        Plain: error: cannot read standard input
          caused by: cannot read layer 1 of 2 of `app:1`
          caused by: layer does not match its diff_id: expected sha256:be5c2d501bb41615d6baee1a1b51ebd44183bc0d18b0ba489622aae852a7ce38, got sha256:a442af1578698b05e548f0eca3ce7e7c0d368b474b2fdd7b9086987e55364736

        Plain: error: cannot read `old.tar`
          caused by: cannot read layer 2 of 2 of `app:1`
          caused by: layer does not match its diff_id: expected sha256:2be71e38681ed493c15f6fd415d223db06b5ce5d97edbe27e22d98c173186991, got sha256:02894dfd21cf22cc37e252c729eeec09a9bf617b9cbd33b3f67aa2225ae0eaa9

        Plain: error: cannot read standard input
          caused by: cannot read layer 2 of 2 of `app:1`
          caused by: layer does not match its diff_id: expected sha256:2be71e38681ed493c15f6fd415d223db06b5ce5d97edbe27e22d98c173186991, got sha256:02894dfd21cf22cc37e252c729eeec09a9bf617b9cbd33b3f67aa2225ae0eaa9

        Gzip: error: cannot read `old.tar`
          caused by: cannot read layer 1 of 2 of `app:1`
          caused by: after entry `etc/`: invalid tar header at byte 512: wrong checksum

        Gzip: error: cannot read standard input
          caused by: cannot read layer 1 of 2 of `app:1`
          caused by: after entry `etc/`: invalid tar header at byte 512: wrong checksum

        Gzip: error: cannot read `old.tar`
          caused by: cannot read layer 2 of 2 of `app:1`
          caused by: its gzip stream is damaged
          caused by: corrupt gzip stream does not have a matching checksum

        Gzip: error: cannot read standard input
          caused by: cannot read layer 2 of 2 of `app:1`
          caused by: its gzip stream is damaged
          caused by: corrupt gzip stream does not have a matching checksum

        Zstd: error: cannot read `old.tar`
          caused by: cannot read layer 1 of 2 of `app:1`
          caused by: invalid tar header at byte 0: wrong checksum

        Zstd: error: cannot read standard input
          caused by: cannot read layer 1 of 2 of `app:1`
          caused by: invalid tar header at byte 0: wrong checksum

        Zstd: error: cannot read `old.tar`
          caused by: cannot read layer 2 of 2 of `app:1`
          caused by: layer does not match its diff_id: expected sha256:2be71e38681ed493c15f6fd415d223db06b5ce5d97edbe27e22d98c173186991, got sha256:2bfac319515ecdd298179a6d7d24948545a59fed0715bcd15869588ae70ca711

        Zstd: error: cannot read standard input
          caused by: cannot read layer 2 of 2 of `app:1`
          caused by: layer does not match its diff_id: expected sha256:2be71e38681ed493c15f6fd415d223db06b5ce5d97edbe27e22d98c173186991, got sha256:2bfac319515ecdd298179a6d7d24948545a59fed0715bcd15869588ae70ca711

    "#]].assert_eq(&told);
}

/// Small and large files, some of which change: they are compressed in parallel.
fn many_files() -> (Image, Image) {
    let tar = |is_new: bool| {
        let files = (0..60_u32).map(|number| {
            let size = if number % 20 == 7 {
                700_000
            } else {
                number * 700
            };
            let mut content: Vec<u8> = (0..size / 4)
                .flat_map(|n| n.wrapping_mul(n ^ number).to_le_bytes())
                .collect();
            if is_new && number % 3 == 1 {
                let middle = content.len() / 2;
                content.splice(middle..middle, *b"changed");
            }
            Member::file(format!("srv/{number}"), content)
        });
        make::tar(&files.collect::<Vec<_>>())
    };
    let image = |tag: &str, is_new| Image::of_layers(&[tag], vec![tar(is_new)]);
    (image("app:1", false), image("app:2", true))
}

#[test]
fn the_number_of_jobs_does_not_matter() {
    let (old, new) = many_files();
    for codec in [Codec::Plain, Codec::Gzip] {
        let sandbox = Sandbox::new();
        for (name, image) in [("old.tar", &old), ("new.tar", &new)] {
            let image = image.clone().stored_as(codec);
            sandbox.write(name, make::tar(&make::docker(&[image])));
        }
        let [one, two, eight] = ["1", "2", "8"].map(|jobs| {
            let words = ["delta", "-q", "--by-content", "--jobs", jobs];
            let words = [&words[..], &["old.tar", "new.tar", "-"]].concat();
            sandbox.run(&words).data_and_warnings().0
        });
        assert!(one == two && two == eight, "{codec:?}");
        assert_comes_back(&sandbox, "old.tar", "new.tar", "delta");
    }
}

#[test]
fn a_layout_that_collects_images_takes_the_new_one() {
    let sandbox = Sandbox::new();
    written(&sandbox, Codec::Plain);
    sandbox
        .run(&["delta", "-q", "old.tar", "new.tar", "delta"])
        .silent();
    for (image, store) in [
        ("old.tar", "oci:store"),
        ("old.tar", "oci:both"),
        ("new.tar", "oci:both"),
    ] {
        sandbox.run(&["convert", "-q", image, store]).silent();
    }
    sandbox
        .run(&["apply", "-q", "oci:store:app:1", "delta", "oci:store"])
        .silent();
    assert!(sandbox.read("store/index.json") == sandbox.read("both/index.json"));
    sandbox.run(&["verify", "-q", "oci:store"]).silent();
}

#[test]
fn an_old_image_that_was_compressed_anew_is_told() {
    let sandbox = Sandbox::new();
    written(&sandbox, Codec::Gzip);
    sandbox
        .run(&["convert", "-q", "old.tar", "oci:old"])
        .silent();
    sandbox
        .run(&["delta", "-q", "oci:old", "oci:old", "delta"])
        .silent();
    let recompressed = ["convert", "-q", "--compress", "zstd", "oci:old", "oci:zstd"];
    sandbox.run(&recompressed).silent();
    let said = sandbox
        .run(&["apply", "oci:zstd", "delta", "out.tar"])
        .refuses();
    assert!(
        said.contains("in `zstd`; was that compressed anew?"),
        "{said}"
    );
    assert!(!sandbox.path("out.tar").exists());
}

#[test]
fn an_input_without_a_whole_image_is_told_apart() {
    let sandbox = Sandbox::new();
    written(&sandbox, Codec::Plain);
    sandbox
        .run(&["delta", "-q", "old.tar", "new.tar", "delta"])
        .silent();
    sandbox
        .run(&["convert", "-q", "--without", "old.tar", "new.tar", "part"])
        .silent();
    let message = |arguments: &[&str]| {
        let output = sandbox.run(arguments);
        assert_eq!(output.code, Some(1), "{arguments:?}");
        output.stderr
    };
    for arguments in [
        ["delta", "part", "new.tar", "out"],
        ["delta", "old.tar", "part", "out"],
        ["apply", "part", "delta", "out"],
    ] {
        let shown = message(&arguments);
        assert!(shown.starts_with("error: cannot read `part`\n"), "{shown}");
        assert!(
            shown.contains("cannot read layer 1 of 2 of `sha256:"),
            "{shown}"
        );
        assert!(
            shown.contains("hint: `restow convert --with BASE PART"),
            "{shown}"
        );
    }
    let hint = "  hint: `restow apply OLD DELTA NEW` makes the image\n";
    for arguments in [
        ["delta", "delta", "new.tar", "out"],
        ["delta", "old.tar", "delta", "out"],
        ["apply", "delta", "delta", "out"],
    ] {
        let shown = message(&arguments);
        assert!(shown.starts_with("error: cannot read `delta`\n"), "{shown}");
        assert!(shown.contains("is not an image but a delta\n"), "{shown}");
        assert!(shown.ends_with(hint), "{shown}");
    }
    let shown = message(&["inspect", "delta"]);
    assert!(shown.ends_with(hint), "{shown}");
}

#[test]
fn deltas_of_several_archives_are_not_mixed() {
    let sandbox = Sandbox::new();
    written(&sandbox, Codec::Plain);
    for new in ["new.tar", "old.tar"] {
        sandbox
            .run(&["delta", "-q", "old.tar", new, "oci:deltas"])
            .silent();
    }
    sandbox
        .run(&["apply", "old.tar", "oci:deltas", "out"])
        .fails(expect![[r#"
            error: cannot read `deltas`
              caused by: it holds several deltas; give each its own file or folder
        "#]]);
    let output = sandbox.run(&["apply", "old.tar", "oci:deltas:app:2", "out"]);
    assert_eq!(output.code, Some(2));
    assert!(!sandbox.path("out").exists());
}

/// The image that a delta makes is not beside it, which is as it should be.
#[test]
fn a_delta_is_verified_without_its_image() {
    let sandbox = Sandbox::new();
    written(&sandbox, Codec::Plain);
    sandbox
        .run(&["delta", "-q", "old.tar", "new.tar", "delta"])
        .silent();
    let output = sandbox.run(&["verify", "delta"]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.ends_with(": OK\n"), "{shown}");
}

#[test]
fn a_delta_takes_no_name_from_an_image() {
    let sandbox = Sandbox::new();
    let image = |text| Image::new(&["app:1"], &[&format!("file a {text}")]);
    let old = put(&sandbox, "old", Format::Oci, &image("1"));
    let new = put(&sandbox, "new", Format::Docker, &image("2"));
    let listed = |layout: &str| -> Vec<Value> {
        let index: Value = serde_json::from_slice(&sandbox.read(&format!("{layout}/index.json")))
            .expect("an index is JSON");
        let manifests = index["manifests"].as_array().expect("it lists manifests");
        let name = "org.opencontainers.image.ref.name";
        manifests
            .iter()
            .map(|it| it["annotations"][name].clone())
            .collect()
    };
    let (_, said) = sandbox.run(&["delta", &old, &new, "oci:old"]).reports();
    let warning =
        "warning: `app:1` is an image in the layout, and keeps this name; the delta has none there";
    assert_eq!(said[0], warning);
    assert_eq!(listed("old"), [Value::from("app:1"), Value::Null]);
    // It is found without a name, and the new image has its own.
    sandbox
        .run(&["apply", "-q", "oci:old:app:1", "oci:old", "out.tar"])
        .silent();
    let converted = sandbox.run(&["convert", &new, "-"]).data("");
    assert!(sandbox.read("out.tar") == converted);
    // A copy of a delta is reported with the names that it has there.
    let references = |layout: &str| {
        let run = sandbox.run(&["convert", "--json", "delta.tar", layout]);
        let (report, _) = run.data_and_warnings();
        let report: Value = serde_json::from_slice(&report).expect("a report is JSON");
        report["images"][0]["references"].clone()
    };
    sandbox
        .run(&["delta", "-q", &old, &new, "delta.tar"])
        .silent();
    put(&sandbox, "copy", Format::Oci, &image("1"));
    assert_eq!(references("oci:copy"), json!([]));
    assert_eq!(references("oci:other"), json!(["app:1"]));
    // A newer delta replaces an older one, as ever.
    drop(sandbox.run(&["delta", &old, &new, "oci:deltas"]).reports());
    assert_eq!(listed("deltas"), ["app:1"]);
}
