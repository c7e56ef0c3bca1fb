//! What `squash` and `export` refuse, warn of, and report.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::layout;
use crate::support::codec::Codec;
use crate::support::expected::Expected;
use crate::support::layer;
use crate::support::make::{self, Image};
use crate::support::sandbox::Sandbox;

/// An archive of `app:1`, whose layers are words as in `support/entry.rs`.
fn archive(stack: &str) -> Vec<u8> {
    make::tar(&make::docker(&[image(stack)]))
}

fn image(stack: &str) -> Image {
    Image::of_layers(&["app:1"], layer::stack(stack))
}

/// Checks how a command ends on `in.tar`, and all that it says.
#[track_caller]
fn check(input: &[u8], arguments: &[&str], code: i32, says: impl Expected) {
    check_plan(input, arguments, code, says, "");
}

/// The same for a command that prints a plan on standard output.
#[track_caller]
fn check_plan(
    input: &[u8],
    arguments: &[&str],
    code: i32,
    says: impl Expected,
    plan: impl Expected,
) {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", input);
    sandbox.write("there.tar", "an older output");
    sandbox.write("base.tar", archive("a | x"));
    let output = sandbox.run(arguments);
    assert_eq!(output.code, Some(code), "{}", output.command);
    says.check(&output.stderr, &output.command);
    let printed = String::from_utf8_lossy(&output.stdout);
    plan.check(&printed, &output.command);
}

#[test]
fn layers_that_cannot_be_had() {
    let three = archive("a | b | c");
    let cases: [(&[&str], Expect); 8] = [
        (
            &["--layers", "2..7"],
            expect![[r#"
                error: there is no layer `7`: the image has 3 layers
            "#]],
        ),
        (
            &["--layers", "3..2"],
            expect![[r#"
                error: the range 3..2 is reversed
            "#]],
        ),
        (
            &["--layers", "sha256:0123"],
            expect![[r#"
                error: there is no layer `0123`: the image has 3 layers
            "#]],
        ),
        (
            &["--last", "4"],
            expect![[r#"
                error: the image has only 3 layers, not 4
            "#]],
        ),
        (
            &["--above", "base.tar"],
            expect![[r#"
                error: the image is not based on that base: layer 2 differs (the base has 2 layers, the image 3)
            "#]],
        ),
        (
            &["--above", "missing.tar"],
            expect![[r#"
                error: cannot read `missing.tar`
                  caused by: No such file or directory
            "#]],
        ),
        (
            &["--all", "--image", "none"],
            expect![[r#"
                error: no image `none` in `in.tar`
                  hint: available: `app:1` (878617289c8d)
            "#]],
        ),
        (
            &["--all", "--platform", "linux/s390x"],
            expect![[r#"
                error: `app:1` has no image for linux/s390x
                  hint: choose one with `--platform PLATFORM`: `linux/amd64`
            "#]],
        ),
    ];
    for (arguments, says) in cases {
        let arguments = [&["squash", "in.tar", "out.tar"], arguments].concat();
        check(&three, &arguments, 1, says);
    }
}

#[test]
fn squash_needs_to_be_told_what_and_where() {
    let one = archive("a | b");
    let cases: [(&[&str], Expect); 8] = [
        (
            &["in.tar", "out.tar"],
            expect![[r#"
                error: missing option: one of `--all`, `--last N`, `--layers A..B`, `--above BASE` or `--max-layers N`
                  hint: `--all` merges all layers
                  usage: restow squash <--all|--last <N>|--layers <A..B>|--above <BASE>|--max-layers <N>> <SRC> <DST>
            "#]],
        ),
        (
            &["in.tar", "out.tar", "--last", "0"],
            expect![[r#"
                error: invalid value `0` for `--last`: must be a number, at least 1
            "#]],
        ),
        (
            &["in.tar", "out.tar", "--max-layers", "few"],
            expect![[r#"
                error: invalid value `few` for `--max-layers`: must be a number, at least 1
            "#]],
        ),
        (
            &["in.tar", "-", "--all", "--json"],
            expect![[r#"
                error: `--json` cannot be used when the image goes to standard output
                  hint: name a file as DST
            "#]],
        ),
        (
            &["in.tar", "rootfs:out.tar", "--all"],
            expect![[r#"
                error: `rootfs:` cannot be a destination here
                  hint: use `docker-archive:`, `oci:` or `oci-archive:`; `restow export` writes root filesystems
            "#]],
        ),
        (
            &["in.tar", "docker-archive:", "--all"],
            expect![[r#"
            error: DST has no path
        "#]],
        ),
        (
            &["-", "out.tar", "--above", "-"],
            expect![[r#"
            error: SRC and BASE cannot both be standard input
        "#]],
        ),
        (
            &["in.tar", "out.tar", "--layers", "first"],
            expect![[r#"
                error: invalid value `first` for `--layers`: `first` does not name layers: expected `A..B`, `A..`, `..B` or `A`, where A and B are layer numbers, diff_ids or digests
            "#]],
        ),
    ];
    for (arguments, says) in cases {
        let arguments = [&["squash"], arguments].concat();
        check(&one, &arguments, 2, says);
    }
    check(
        &one,
        &["squash", "in.tar", "there.tar", "--all"],
        1,
        expect![[r#"
            error: `there.tar` already exists
              hint: use `--force` to overwrite it
        "#]],
    );
    check(
        &one,
        &["export", "in.tar", "there.tar"],
        1,
        expect![[r#"
            error: `there.tar` already exists
              hint: use `--force` to overwrite it
        "#]],
    );
    check(
        &one,
        &["export", "in.tar", "oci:out"],
        2,
        expect![[r#"
            error: `export` writes a root filesystem, but DST is an image
              hint: `convert` writes images
        "#]],
    );
    check(
        &one,
        &["export", "in.tar", "out.tar", "--compress", "keep"],
        2,
        expect![[r#"
            error: invalid value `keep` for `--compress`: `keep` does not apply to export
        "#]],
    );
}

#[test]
fn one_image_has_to_be_chosen() {
    let tool = Image::new(&["tool:2", "tool:3"], &["file t 1"]);
    let two = make::tar(&make::docker(&[image("a | b"), tool]));
    let says = expect![[r#"
        error: `in.tar` holds 2 images
          hint: choose one with `--image REF`: `app:1` (cce4031f5430), `tool:2` (6b3d4903f921)
    "#]];
    check(&two, &["export", "in.tar", "out.tar"], 1, &says);
    // `--image` does not select these.
    let says_path = expect![[r#"
        error: `in.tar` holds 2 images
          hint: choose one after its path, as in `oci:DIR:REF` or `docker-archive:FILE:REF`: `app:1` (cce4031f5430), `tool:2` (6b3d4903f921)
    "#]];
    let above = ["squash", "--above", "in.tar", "in.tar", "out.tar"];
    check(&two, &above, 1, &says_path);
    let config = ["import", "--config-from", "in.tar", "rootfs:in.tar", "out"];
    check(&two, &config, 1, &says_path);
    check(&two, &["squash", "--all", "in.tar", "out.tar"], 1, &says);
    check(&two, &["squash", "--all", "--dry-run", "in.tar"], 1, &says);
    check(
        &two,
        &["export", "--image", "tool:3", "in.tar", "out.tar"],
        0,
        "",
    );
    // What speaks of an image is not another one.
    let signed = layout(|layout| {
        let app = layout.image(&image("a | b"));
        let signature = layout.referrer(&app);
        layout.add_named(&app, "app:1");
        layout.add_named(&signature, "signature");
    });
    check(&signed, &["export", "in.tar", "out.tar"], 0, "");
    check(
        &signed,
        &["export", "--image", "signature", "in.tar", "out.tar"],
        1,
        expect![[r#"
            error: `signature` is not an image but an artifact of type `application/vnd.example.signature`
        "#]],
    );
    // What only some snapshotters read has the config of an image.
    let nydus = layout(|layout| {
        let whole = layout.image(&image("a"));
        let bytes = &layout.blobs[whole["digest"].as_str().expect("a digest")];
        let text = String::from_utf8(bytes.clone()).expect("UTF-8");
        let text = text.replace(make::LAYER, "application/vnd.oci.image.layer.nydus.blob.v1");
        let descriptor = layout.put(make::MANIFEST, text);
        layout.add_named(&descriptor, "app:1");
    });
    check(
        &nydus,
        &["export", "in.tar", "out.tar"],
        1,
        expect![[r#"
        error: `app:1` is not an image but an artifact with a layer of the unknown type `application/vnd.oci.image.layer.nydus.blob.v1`
    "#]],
    );
}

#[test]
fn layers_that_cannot_be_merged() {
    let edited = |edit: &dyn Fn(&mut Value)| {
        layout(|layout| {
            let mut descriptor = layout.image(&image("a | b | c"));
            let digest = descriptor["digest"].as_str().expect("it has one");
            let manifest = &layout.blobs[digest];
            let mut manifest: Value = serde_json::from_slice(manifest).expect("it is JSON");
            edit(&mut manifest["layers"][1]);
            descriptor = layout.document(&manifest);
            layout.add_named(&descriptor, "app:1");
        })
    };
    let encrypted = edited(&|layer| {
        layer["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted".into();
    });
    let absent = edited(&|layer| {
        layer["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar".into();
        layer["digest"] = format!("sha256:{}", "0".repeat(64)).into();
    });
    for (input, says) in [
        (
            &encrypted,
            expect![[r#"
        error: cannot read layer 2 of 3 of `app:1`
          caused by: it is encrypted
    "#]],
        ),
        (
            &absent,
            expect![[r#"
                error: cannot read layer 2 of 3 of `app:1`
                  caused by: its blob is not in the input
            "#]],
        ),
    ] {
        check(input, &["squash", "--all", "in.tar", "out.tar"], 1, &says);
        check(input, &["export", "in.tar", "out.tar"], 1, &says);
    }
    // Above such a layer nothing is known of what has to stay deleted.
    check(
        &absent,
        &["squash", "--layers", "3", "in.tar", "out.tar", "--quiet"],
        0,
        "",
    );
    check_plan(
        &absent,
        &["squash", "--layers", "3", "--dry-run", "in.tar"],
        0,
        expect![[r#"
            warning: cannot read the entries of layer 2 of 3 of `app:1`, so all whiteouts above it are kept
        "#]],
        expect![[r#"
            would rewrite layer 3: 1.54kB to 1.54kB
            `app:1` would go from 3 layers (4.61kB) to 3 layers (4.61kB)
        "#]],
    );
    let windows = image("a | b").with_config(|config| config["os"] = "windows".into());
    let windows = make::tar(&make::docker(&[windows]));
    check(
        &windows,
        &["export", "--platform", "windows/amd64", "in.tar", "out.tar"],
        1,
        expect![[r#"
            error: `app:1` is a Windows image, whose layers cannot be merged
        "#]],
    );
}

#[test]
fn what_engines_understand_differently() {
    let cases = [
        (
            "a/ a/x | .wh.a a/ a/y",
            expect![[r#"
                warning: layer 2 of 2 of `app:1`, entry `a`: the layer both deletes and contains it; its content in lower layers counts as deleted, which Docker and containerd may interpret differently
            "#]],
        ),
        (
            "x | x(c0:0)",
            expect![[r#"
                warning: layer 2 of 2 of `app:1`, entry `x`: a character device 0:0; treated as a whiteout, as Docker does
            "#]],
        ),
        (
            "a | b=>a c=>a d=>a",
            expect![[r#"
                warning: layer 2 of 2 of `app:1`, entry `b` and 2 more: a hard link to a file of a lower layer, which Docker refuses; resolved
            "#]],
        ),
        (
            "a/(0700) | a/x",
            expect![[r#"
            warning: layer 2 of 2 of `app:1`, entry `a`: the layer has no entry for this directory; it keeps its owner and mode, which Docker's overlay2 resets to 0755
        "#]],
        ),
        (
            "z | a=1 b=>a(0600)",
            expect![[r#"
                warning: layer 2 of 2 of `app:1`, entry `b`: a hard link whose owner, mode or time differs from its target; the last entry wins, as in Docker
            "#]],
        ),
        (
            "z | a/(trusted.overlay.opaque=79)",
            expect![[r#"
                warning: layer 2 of 2 of `app:1`, entry `a`: `trusted.overlay.opaque` is kept as an attribute; Docker also hides the content of the directory in lower layers
            "#]],
        ),
        (
            "x | .wh..wh..opq y",
            expect![[r#"
                warning: layer 2 of 2 of `app:1`, entry `/`: an opaque whiteout at the root; applied, though overlay engines ignore it
            "#]],
        ),
        (
            "z | x=1 x=2 x=3",
            expect![[r#"
                warning: layer 2 of 2 of `app:1`, entry `x` and 1 more: the layer has it more than once, which some engines refuse; the last entry wins
            "#]],
        ),
        (
            "z | x(user.rootlesscontainers=00)",
            expect![[r#"
                warning: layer 2 of 2 of `app:1`, entry `x`: attributes in which rootless tools record owners; skipped
            "#]],
        ),
        (
            "lib=file | lib/x",
            expect![[r#"
            warning: layer 2 of 2 of `app:1`, entry `lib`: lower layers have a file there; replaced by a directory, as overlay engines do
        "#]],
        ),
        (
            "lib->usr/lib | lib/x",
            expect![[r#"
            warning: layer 2 of 2 of `app:1`, entry `lib`: lower layers have a symbolic link there; replaced by a directory, as overlay engines do
        "#]],
        ),
        (
            "z | .wh..wh.plnk/1=x b=>.wh..wh.plnk/1",
            expect![[r#"
                warning: layer 2 of 2 of `app:1`, entry `/`: internal data of AUFS or eStargz, which is not part of the image; skipped
            "#]],
        ),
        (
            "z | a=1 b=>../a",
            expect![[r#"
                warning: layer 2 of 2 of `app:1`, entry `b`: its path or link target leads out of the root; resolved from the root
            "#]],
        ),
        (
            "z | x(com.apple.quarantine=00)",
            expect![[r#"
                warning: layer 2 of 2 of `app:1`, entry `x`: an attribute that Linux does not know, which Docker 28 refuses and others ignore; skipped
            "#]],
        ),
        (
            "z | etc/ l->/etc l/x=1",
            expect![[r#"
                warning: layer 2 of 2 of `app:1`, entry `l/x`: its path leads through an absolute symbolic link of the layer, which Docker's classic store cannot save; written to the target of the link
            "#]],
        ),
        (
            "z | l->gone l/x",
            expect![[r#"
            warning: layer 2 of 2 of `app:1`, entry `l/x`: its path leads through a symbolic link of the layer to a directory that the layer does not have; written there, as newer engines do
        "#]],
        ),
        (
            "a/ a/x | .wh.a a/.wh.x",
            expect![[r#"
                warning: layer 2 of 2 of `app:1`, entry `a/x`: a whiteout inside a directory that the layer deletes, which overlay engines refuse; skipped
            "#]],
        ),
        (
            "z | x=1 x/.wh.y",
            expect![[r#"
                warning: layer 2 of 2 of `app:1`, entry `x/.wh.y`: a whiteout inside something that is not a directory, which engines refuse; skipped
            "#]],
        ),
    ];
    for (stack, says) in cases {
        check(&archive(stack), &["export", "in.tar", "out.tar"], 0, says);
    }
}

#[test]
fn the_report_says_what_was_merged_and_what_it_saved() {
    let file = |name: &str, size: usize| format!("{name}={}", "x".repeat(size));
    let stack = [
        file("low", 1000),
        format!("{} {}", file("a", 2000), file("b", 10)),
        ".wh.a .wh.low c".to_owned(),
        "d".to_owned(),
    ]
    .join(" | ");
    let input = archive(&stack);
    let cases: [(&[&str], Expect); 4] = [
        (
            &["--layers", "2..3", "in.tar", "out.tar"],
            expect![[r#"
                merged layers 2 to 3: 7.17kB to 3.07kB
                  dropped 2kB of files that later layers delete or replace
                  1kB of deleted files remain in lower layers; `--layers 1..3` would free them
                `app:1` went from 4 layers (11.3kB) to 3 layers (7.17kB)
            "#]],
        ),
        (
            &["--layers", "4", "in.tar", "out.tar"],
            expect![[r#"
                rewrote layer 4: 1.54kB to 1.54kB
                `app:1` went from 4 layers (11.3kB) to 4 layers (11.3kB)
            "#]],
        ),
        (
            &["--last", "1", "in.tar", "out.tar"],
            expect![[r#"
                nothing to merge
                `app:1` went from 4 layers (11.3kB) to 4 layers (11.3kB)
            "#]],
        ),
        (
            &["--max-layers", "2", "in.tar", "out.tar"],
            expect![[r#"
                merged layers 1 to 2: 7.17kB to 6.14kB
                merged layers 3 to 4: 4.1kB to 3.07kB
                  3kB of deleted files remain in lower layers; `--layers 1..` would free them
                `app:1` went from 4 layers (11.3kB) to 2 layers (9.22kB)
            "#]],
        ),
    ];
    for (arguments, says) in cases {
        let arguments = [&["squash"], arguments].concat();
        check(&input, &arguments, 0, &says);
        let quiet = [&arguments[..], &["--quiet"]].concat();
        check(&input, &quiet, 0, "");
    }
    let plans: [(&[&str], Expect); 2] = [
        (
            &["--layers", "2..3"],
            expect![[r#"
                would merge layers 2 to 3: 7.17kB to 3.07kB
                  would drop 2kB of files that later layers delete or replace
                  1kB of deleted files would remain in lower layers; `--layers 1..3` would free them
                `app:1` would go from 4 layers (11.3kB) to 3 layers (7.17kB)
            "#]],
        ),
        (
            &["--last", "2", "--compress", "zstd"],
            expect![[r#"
                would merge layers 3 to 4: 4.1kB to 3.07kB before compression
                  3kB of deleted files would remain in lower layers; `--layers 1..` would free them
                `app:1` would go from 4 layers (11.3kB) to 3 layers (size unknown before compression)
            "#]],
        ),
    ];
    for (arguments, plan) in plans {
        let arguments = [&["squash", "--dry-run", "in.tar"], arguments].concat();
        check_plan(&input, &arguments, 0, "", &plan);
        // It is all that was asked for.
        let quiet = [&arguments[..], &["--quiet"]].concat();
        check_plan(&input, &quiet, 0, "", &plan);
    }
}

#[test]
fn the_report_is_there_for_programs_too() {
    let sandbox = Sandbox::new();
    let image = image("low=1 | a=22 b | .wh.a .wh.low c | d");
    sandbox.write(
        "in.tar",
        make::tar(&make::docker(&[image.clone().stored_as(Codec::Gzip)])),
    );
    let arguments = ["squash", "--layers", "2..3", "--json", "in.tar", "out.tar"];
    let stdout = sandbox.run(&arguments).data("");
    let mut report: Value = serde_json::from_slice(&stdout).expect("it is JSON");
    let written = report["images"].take();
    let digests = ["id", "digest"].map(|key| &written[0][key]);
    assert!(digests.iter().all(|it| it.is_string()), "{written}");
    let range = &mut report["ranges"][0];
    let [digest, diff_id] = ["digest", "diff_id"].map(|key| range[key].take());
    for digest in [digest, diff_id] {
        assert!(digest.as_str().is_some_and(|it| it.starts_with("sha256:")));
    }
    let keys = ["size_before", "size_after"];
    let size = |value: &mut Value| value.take().as_u64().expect("a number of bytes");
    let stored = keys.map(|key| size(&mut report["ranges"][0][key]));
    let totals = keys.map(|key| size(&mut report[key]));
    assert_eq!(totals[0] - totals[1], stored[0] - stored[1]);
    assert_eq!(
        report,
        json!({
            "image": "app:1",
            "layers_before": 4,
            "layers_after": 3,
            "size_before": null,
            "size_after": null,
            "ranges": [{
                "first": 2, "last": 3, "size_before": null, "size_after": null,
                "unpacked_size": 2560, "digest": null, "diff_id": null,
                "hidden": 2, "held_below": 1, "held_from": 1,
            }],
            "source": "in.tar",
            "destination": "out.tar",
            "format": "docker-archive",
            "images": null,
        })
    );
}
