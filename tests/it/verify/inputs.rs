//! Every form of input, what real engines wrote, and what is printed.

use std::fs;

use expect_test::expect;
use serde_json::Value;

use super::{app, found};
use crate::support::codec::Codec;
use crate::support::entry::entries;
use crate::support::judge::Format;
use crate::support::layer::tar;
use crate::support::make;
use crate::support::sandbox::Sandbox;
use crate::support::squash::put;
use crate::support::tied::refusal;
use crate::support::{fixture, testdata};

/// What is wrong with the fixtures, by the reference of formats: umoci refuses Docker's
/// media types in a layout, containerd leaves out what it does not have, and Docker 29
/// leaves a name out of `manifest.json` where two images have one config.
fn expected(name: &str) -> Option<(&'static str, usize)> {
    match name {
        "buildkit__edge.oci-dockermt.tar" => Some(("warning[docker-media-type]", 1)),
        "docker29-containerd__two-builds.tar" => Some(("warning[hybrid-incomplete]", 1)),
        "ctr__edge-nomanifest.tar" => Some(("note[index-part-absent]", 1)),
        _ => None,
    }
}

#[test]
fn nothing_is_wrong_with_what_real_engines_wrote() {
    let mut checked = 0;
    for entry in fs::read_dir(testdata("")).expect("testdata can be read") {
        let path = entry.expect("testdata can be read").path();
        if path.extension().is_none_or(|it| it != "tar") {
            continue;
        }
        let name = path
            .file_name()
            .expect("a file has a name")
            .to_string_lossy()
            .into_owned();
        let sandbox = Sandbox::new();
        let output = sandbox.run(&["verify", &path.to_string_lossy()]);
        let found = found(&output);
        match expected(&name) {
            None => assert_eq!(found, [""; 0], "{name}"),
            Some((code, count)) => {
                assert_eq!(found.len(), count, "{name}: {found:?}");
                assert!(
                    found.iter().all(|it| it.starts_with(code)),
                    "{name}: {found:?}"
                );
            }
        }
        let refusal = refusal(&sandbox, &path.to_string_lossy());
        assert_eq!(refusal, None, "{name}");
        checked += 1;
    }
    assert!(checked >= 18, "{checked} fixtures");
}

#[test]
fn every_form_of_input_is_checked() {
    let summary = "1 image, 3 layers, 6.14kB read: OK\n";
    for (format, transport) in [
        (Format::Docker, "docker-archive"),
        (Format::OciArchive, "oci-archive"),
        (Format::Oci, "oci"),
    ] {
        let sandbox = Sandbox::new();
        let source = put(&sandbox, "in", format, &app());
        let output = sandbox.run(&["verify", &source]).data("");
        let text = String::from_utf8(output).expect("UTF-8");
        assert!(
            text.starts_with(&format!("{transport}: 1 image, 3 layers, ")),
            "{text}"
        );
        assert!(text.ends_with(" read: OK\n"), "{text}");
    }
    let archive = make::tar(&make::docker(&[app()]));
    for codec in Codec::ALL {
        let sandbox = Sandbox::new();
        let packed = codec.compress(&archive);
        sandbox.write("in.tar", &packed);
        let expected = format!("docker-archive: {summary}");
        let file = sandbox.run(&["verify", "in.tar"]).data("");
        assert_eq!(String::from_utf8_lossy(&file), expected, "{codec:?}");
        let pipe = sandbox
            .restow(&["verify", "-"])
            .stdin_pipe(packed)
            .run()
            .data("");
        assert_eq!(String::from_utf8_lossy(&pipe), expected, "{codec:?}");
        let stdin = sandbox
            .restow(&["verify", "-"])
            .stdin_file(&sandbox.path("in.tar"));
        assert_eq!(
            String::from_utf8_lossy(&stdin.run().data("")),
            expected,
            "{codec:?}"
        );
        let rootfs = sandbox.run(&["verify", "rootfs:in.tar"]).data("");
        let text = String::from_utf8_lossy(&rootfs);
        assert!(text.starts_with("rootfs: 1 image, 1 layer, "), "{text}");
    }
}

#[test]
fn what_is_no_archive_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "text",
        "not an archive, and long enough to be one\n".repeat(50),
    );
    sandbox.run(&["verify", "text"]).fails(expect![[r#"
        error: cannot read `text`
          caused by: it is not a container image (looks like a text file); expected a docker archive, an OCI layout or a tar
    "#]]);
    sandbox.write("empty", "");
    sandbox.run(&["verify", "empty"]).fails(expect![[r#"
        error: cannot read `empty`
          caused by: it is empty
    "#]]);
    sandbox.run(&["verify", "missing.tar"]).fails(expect![[r#"
        error: cannot read `missing.tar`
          caused by: No such file or directory
    "#]]);
    let output = sandbox.run(&["verify", "oci:a:b"]);
    assert_eq!(output.code, Some(2));
    expect![[r#"
        error: `verify` checks the whole input, but SRC names one image
          hint: name only the file or folder
    "#]]
    .assert_eq(&output.stderr);
}

#[test]
fn of_a_cut_archive_it_is_told_once() {
    let sandbox = Sandbox::new();
    let whole = fixture("docker29-graphdriver__names.tar");
    // Its documents come last, so that only folders come before the cut.
    sandbox.write("whole.tar", &whole);
    sandbox
        .run(&["squash", "--quiet", "--all", "whole.tar", "squashed.tar"])
        .silent();
    for whole in [whole, sandbox.read("squashed.tar")] {
        for codec in [Codec::Plain, Codec::Gzip] {
            let mut cut = codec.compress(&whole);
            cut.truncate(cut.len() / 2);
            sandbox.write("in.tar", &cut);
            let found = found(&sandbox.run(&["verify", "in.tar"]));
            assert!(found[0].starts_with("error[archive-damaged] "), "{found:?}");
            assert_eq!(found.len(), 1, "{found:?}");
        }
    }
}

#[test]
fn of_a_cut_root_filesystem_it_is_told_once() {
    let sandbox = Sandbox::new();
    let mut cut = make::layer("file a 1\nfile b 2");
    cut.truncate(1536);
    sandbox.write("in.tar", &cut);
    let found = found(&sandbox.run(&["verify", "in.tar"]));
    assert!(found[0].starts_with("error[tar-damaged] "), "{found:?}");
    assert_eq!(found.len(), 1, "{found:?}");
}

/// A frame of some bytes whose header asks for a window of 1 GiB, as `zstd --long=30` does.
#[test]
fn a_window_beyond_the_limit_is_no_damage() {
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x01, 0x00, 0x00];
    let mut image = make::Image::new(&["app:1"], &["file a 1"]);
    image.layers = vec![frame.to_vec()];
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&make::docker(&[image])));
    let limit = "unpacking its zstd stream exceeds a limit";
    let window = "its window exceeds the limit of 134217728 bytes";
    let found = found(&sandbox.run(&["verify", "in.tar"]));
    let expected = format!("error[compression-limit] layer 1 of 1 of `app:1`: {limit}: {window}");
    assert!(found.contains(&expected), "{found:?}");
    sandbox.write("in.zst", frame);
    for command in [&["images", "in.zst"][..], &["import", "in.zst", "out"]] {
        sandbox.run(command).fails(&format!(
            "error: cannot read `in.zst`\n  caused by: {limit}\n  caused by: {window}\n  hint: recompress it: `zstd -dc --long=31 FILE | zstd -o NEW`\n"
        ));
    }
}

#[test]
fn programs_get_an_object() {
    let sandbox = Sandbox::new();
    let layer =
        crate::support::layer::tar(&crate::support::entry::entries("a a b\x1b[31m b\x1b[31m"));
    let image = make::Image::of_layers(&["app:1"], vec![layer]);
    sandbox.write("in.tar", make::tar(&make::docker(&[image])));
    let output = sandbox.run(&["verify", "--json", "in.tar"]);
    assert_eq!(output.code, Some(1));
    expect![[r#"
        error: verification failed: 1 error
    "#]]
    .assert_eq(&output.stderr);
    let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let expected = serde_json::json!({
        "format": "docker-archive", "images": 1, "layers": 1, "size": 3072,
        "errors": 1, "warnings": 0, "notes": 0,
        "findings": [{
            "severity": "error", "code": "entry-twice", "file": null, "image": "app:1",
            "layer": 1, "entry": "a", "others": 1,
            "message": "a layer has the same path more than once",
            "consequence": "the classic stores of Docker and podman refuse the image",
        }],
    });
    assert_eq!(value, expected);
}

#[test]
fn what_an_archive_says_does_not_steer_a_terminal() {
    let sandbox = Sandbox::new();
    let image = make::Image::new(&["app:1"], &["file a 1"]);
    let members = super::edit_json(make::docker(&[image]), "manifest.json", |it| {
        it[0]["RepoTags"] = serde_json::json!(["\u{1b}[31m\u{202e}"]);
    });
    sandbox.write(
        "in.tar",
        make::tar(&super::without(members, "repositories")),
    );
    let found = found(&sandbox.run(&["verify", "in.tar"]));
    expect![[r#"
        error[tag-invalid] `\u{1b}[31m\u{202e}`: `\u{1b}[31m\u{202e}`
    "#]]
    .assert_eq(&super::listed(&found));
}

#[test]
fn many_images_are_checked_in_their_order_and_each_layer_once() {
    let base = tar(&entries("a/ a/b=1 a/b=2"));
    let mut layout = make::Layout::default();
    for at in 0..20 {
        // Every other image has the layer of the one before; each has two files of one name,
        // or links to what is not there.
        let name = at / 2 * 2;
        let own = match at / 2 % 2 {
            0 => format!("f{name}=1 f{name}=2"),
            _ => format!("f{name}=>nothing"),
        };
        let layers = vec![base.clone(), tar(&entries(&own))];
        layout.add(&make::Image::of_layers(&[&format!("app:{at}")], layers));
    }
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&layout.members()));
    let verify = |jobs: &str| {
        let output = sandbox.run(&["verify", "--json", "--jobs", jobs, "in.tar"]);
        let found: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
        found
    };
    let one = verify("1");
    assert_eq!(one["layers"], 11);
    assert_eq!(one["findings"].as_array().map(Vec::len), Some(11));
    for jobs in ["2", "5", "16"] {
        assert_eq!(verify(jobs), one, "{jobs}");
    }
}
