//! What `images`, `inspect` and `history` refuse and warn of.

use expect_test::expect;
use serde_json::Value;

use super::{app, layout};
use crate::support::codec::Codec;
use crate::support::expected::Expected;
use crate::support::make::{self, Image, Layout, Member};
use crate::support::sandbox::Sandbox;

/// Checks what a command says of an archive, and how it ends.
#[track_caller]
fn says(input: &[u8], arguments: &[&str], code: i32, expected: impl Expected) {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", input);
    let output = sandbox.run(arguments);
    assert_eq!(output.code, Some(code), "{}", output.command);
    expected.check(&output.stderr, &output.command);
    assert_eq!(output.stdout.is_empty(), code != 0, "{}", output.command);
}

#[test]
fn a_layer_that_cannot_be_read_leaves_its_size_unknown() {
    let image = |first: Vec<u8>| {
        let image = app();
        let mut layers = image.layers.clone();
        layers[1] = first;
        make::tar(&make::docker(&[Image { layers, ..image }]))
    };
    let mut cut = make::layer(&format!("file b {}", "x".repeat(1000)));
    cut.truncate(1100);
    let mut packed = Codec::Gzip.compress(&make::layer("file b 2"));
    let end = packed.len() - 4;
    packed.truncate(end);
    for command in ["images", "inspect", "history"] {
        says(
            &image(cut.clone()),
            &[command, "in.tar"],
            0,
            expect![[r#"
                warning: cannot read layer 2 of 3 of `app:1`, so its size is unknown: the tar is truncated at byte 1100 (at least 412 bytes missing)
            "#]],
        );
    }
    // Compressed layers are not read unless that is asked for.
    says(&image(packed.clone()), &["images", "in.tar"], 0, "");
    says(
        &image(packed),
        &["images", "--size", "in.tar"],
        0,
        expect![[r#"
            warning: cannot read layer 2 of 3 of `app:1`, so its size is unknown: its gzip stream is damaged: unexpected end of file
        "#]],
    );
    says(&image(cut), &["--quiet", "images", "in.tar"], 0, "");
}

/// Commands that need the layer refuse the image; those that look show it, and all others.
#[test]
fn a_layer_of_the_wrong_size_is_a_fault_of_its_image_alone() {
    let other = Image::new(&["tool:2"], &["file t 1"]);
    let images = [app(), other];
    let mut layout = Layout::default();
    for image in &images {
        layout.add(image);
    }
    for members in [make::hybrid(&images), layout.members()] {
        let damaged = format!("blobs/sha256/{}", &images[0].diff_ids[1]["sha256:".len()..]);
        let members = members.into_iter().map(|member| match member {
            Member::File(name, content) if name == damaged => {
                Member::File(name, content[..512].to_vec())
            }
            member => member,
        });
        let sandbox = Sandbox::new();
        sandbox.write("in.tar", make::tar(&members.collect::<Vec<_>>()));
        let unknown = "cannot read layer 2 of 3 of `app:1`, so its size is unknown: \
                       blob has the wrong size: expected 2048 bytes, got 512";
        let unknown = [format!("warning: {unknown}")];
        let chosen = ["--image", "app:1"];
        for (command, size) in [
            (&["images", "--json"][..], "/images/0/content_size"),
            (&["images", "--json", "--size"], "/images/0/content_size"),
            (&["inspect", "--json"], "/layers/1/unpacked_size"),
            (&["history", "--json"], "/history/1/content_size"),
        ] {
            let choice = if command[0] == "images" {
                &[]
            } else {
                &chosen[..]
            };
            let output = sandbox.run(&[command, choice, &["in.tar"]].concat());
            let (printed, warnings) = output.data_and_warnings();
            assert_eq!(warnings, unknown, "{command:?}");
            let printed: Value = serde_json::from_slice(&printed).expect("JSON");
            assert_eq!(printed.pointer(size), Some(&Value::Null), "{command:?}");
            if command[0] == "images" {
                assert_eq!(printed["images"][1]["content_size"], 1, "{command:?}");
            }
        }
        let refusal = format!(
            "error: cannot read `in.tar`\n  \
               caused by: cannot read blob {}\n  \
               caused by: blob has the wrong size: expected 2048 bytes, got 512\n",
            images[0].diff_ids[1]
        );
        let convert = ["convert", "in.tar", "out.tar"];
        sandbox.run(&convert).fails(refusal.as_str());
    }
}

#[test]
fn what_cannot_be_shown() {
    let docker = make::tar(&make::docker(&[app()]));
    let flat = layout(|layout| layout.add(&app()));
    let two = make::tar(&make::docker(&[
        app(),
        Image::new(&["tool:2"], &["file t 1"]),
    ]));
    says(
        &docker,
        &["inspect", "--raw", "manifest", "in.tar"],
        1,
        expect![[r#"
            error: `app:1` has no manifest in the input
        "#]],
    );
    says(
        &docker,
        &["inspect", "--raw", "index", "in.tar"],
        1,
        expect![[r#"
            error: `app:1` has no index in the input
        "#]],
    );
    says(
        &flat,
        &["inspect", "--format", ".config.Envs", "in.tar"],
        1,
        expect![[r#"
            error: no field `.config.Envs`
              hint: `.config` has `Cmd`, `Env`, `Healthcheck`, `Labels`, `OnBuild`
        "#]],
    );
    says(
        &flat,
        &["inspect", "--format", ".layers[3].digest", "in.tar"],
        1,
        expect![[r#"
            error: no field `.layers[3]`
              hint: `.layers` has members `[0]` to `[2]`
        "#]],
    );
    for command in ["inspect", "history"] {
        says(
            &two,
            &[command, "in.tar"],
            1,
            expect![[r#"
                error: `in.tar` holds 2 images
                  hint: choose one with `--image REF`: `app:1` (8a281ca82878), `tool:2` (624dbbfee1fc)
            "#]],
        );
    }
    says(
        b"no archive",
        &["images", "in.tar"],
        1,
        expect![[r#"
            error: cannot read `in.tar`
              caused by: it is not a container image (looks like a text file); expected a docker archive, an OCI layout or a tar
        "#]],
    );
}

#[test]
fn wrong_usage_of_the_commands_that_look() {
    for (arguments, expected) in [
        (
            &["images", "-", "docker-archive:-"][..],
            expect![[r#"
                error: standard input can be read only once
            "#]],
        ),
        (
            &["images", "docker-archive:"],
            expect![[r#"
            error: SRC has no path
        "#]],
        ),
        (
            &["inspect", "docker-archive:in.tar:"],
            expect![[r#"
                error: SRC ends in a colon, but no reference follows
            "#]],
        ),
        (
            &["inspect", "in.tar:"],
            expect![[r#"
                error: `in.tar:`: unknown transport `in.tar`
                  hint: to name a file, type `./in.tar:`
            "#]],
        ),
        (
            &["images", "--filter", "label=x", "in.tar"],
            expect![[r#"
                error: invalid value `label=x` for `--filter`: expected reference=PATTERN, dangling=true or dangling=false
            "#]],
        ),
        (
            &["images", "--filter", "reference=[a", "in.tar"],
            expect![[r#"
                error: invalid value `reference=[a` for `--filter`: `[a` is not a valid pattern: it has an unclosed bracket or a trailing backslash
            "#]],
        ),
        (
            &["inspect", "--format", "config", "in.tar"],
            expect![[r#"
                error: invalid value `config` for `--format`: expected a path such as `.config.Env`, `.layers[0].digest` or `.config.Labels["a.b"]`
            "#]],
        ),
        (
            &["inspect", "--json", "--raw", "config", "in.tar"],
            expect![[r#"
                error: `--json` cannot be used with `--raw`
            "#]],
        ),
        (
            &["history", "--image", "#0", "in.tar"],
            expect![[r#"
                error: invalid value `#0` for `--image`: `#0` does not name an image: expected a reference, a digest, an image id or `#N`
            "#]],
        ),
    ] {
        says(b"", arguments, 2, expected);
    }
}
