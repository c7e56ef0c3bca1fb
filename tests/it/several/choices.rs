//! `--image`, `--platform`, `--retag`, and what is refused.

use serde_json::Value;

use super::{image, names, sandbox};
use crate::support::fixture;
use crate::support::image::Store;
use crate::support::make::{self, Layout};
use crate::support::sandbox::Sandbox;

#[test]
fn images_are_taken_from_the_sources_that_have_them() {
    let sandbox = sandbox();
    sandbox
        .run(&["convert", "a.tar", "b.tar", "both.tar"])
        .silent();
    for (arguments, expected) in [
        (&["--image", "a:1", "a.tar", "b.tar"][..], &["a:1"][..]),
        (
            &["--image", "b:1", "--image", "a:1", "a.tar", "b.tar"],
            &["a:1", "b:1"],
        ),
        (&["--image", "b:1", "both.tar", "b.oci.tar"], &["b:1"]),
        (
            &["--image", "#1", "--image", "b:1", "both.tar"],
            &["a:1", "b:1"],
        ),
        (
            &["docker-archive:both.tar:b:1", "a.oci.tar"],
            &["b:1", "a:1"],
        ),
        (
            &["a.oci.tar", "--image", "a:1", "docker-archive:both.tar:b:1"],
            &["a:1", "b:1"],
        ),
        (
            &["--tag", "new:2", "oci-archive:a.oci.tar:a:1", "a.tar"],
            &["new:2"],
        ),
    ] {
        let mut line = vec!["convert", "--force"];
        line.extend(arguments);
        line.push("out.tar");
        sandbox.run(&line).silent();
        assert_eq!(names(&sandbox, "out.tar"), expected, "{arguments:?}");
    }
}

#[test]
fn options_may_stand_anywhere() {
    let sandbox = sandbox();
    for line in [
        &["convert", "--force", "a.tar", "b.tar", "out.tar"][..],
        &["convert", "a.tar", "--force", "b.tar", "out.tar"],
        &["convert", "a.tar", "b.tar", "--force", "out.tar"],
        &["convert", "a.tar", "b.tar", "out.tar", "--force"],
        &["convert", "--force", "--", "a.tar", "b.tar", "out.tar"],
        &["convert", "a.tar", "--force", "--", "b.tar", "out.tar"],
    ] {
        sandbox.run(line).silent();
        assert_eq!(names(&sandbox, "out.tar"), ["a:1", "b:1"], "{line:?}");
        sandbox.write("out.tar", "");
    }
}

#[test]
fn a_name_is_replaced() {
    let sandbox = sandbox();
    sandbox
        .run(&["convert", "a.tar", "b.tar", "oci:both"])
        .silent();
    sandbox
        .run(&["convert", "oci:both:a:1", "oci:label:v1"])
        .silent();
    for (arguments, expected) in [
        (
            &["a.tar", "b.tar", "--retag", "a:1=c:3"][..],
            &["c:3", "b:1"][..],
        ),
        (
            &["oci:both", "--retag", "docker.io/library/a:1=c"],
            &["c:latest", "b:1"],
        ),
        (
            &["oci:both", "--retag", "a:1=b:1", "--retag", "b:1=a:1"],
            &["b:1", "a:1"],
        ),
        (&["oci:label", "--retag", "v1=a:2"], &["a:2"]),
    ] {
        for output in ["out.tar", "oci:out"] {
            let mut line = vec!["convert", "--force"];
            line.extend(arguments);
            line.push(output);
            sandbox.run(&line).silent();
            let path = output.strip_prefix("oci:").unwrap_or(output);
            assert_eq!(names(&sandbox, path), expected, "{line:?}");
        }
        std::fs::remove_dir_all(sandbox.path("out")).unwrap();
    }
}

#[test]
fn an_index_keeps_the_named_platforms_and_their_attestations() {
    let sandbox = sandbox();
    sandbox.write("multi.tar", fixture("buildkit__multi.oci.tar"));
    let line = [
        "convert",
        "--platform",
        "arm64",
        "--platform",
        "linux/amd64",
        "multi.tar",
        "out.tar",
    ];
    let said = sandbox.run(&line).warnings();
    assert_eq!(
        said,
        [
            "warning: skipped the images for linux/arm/v7 of `multi:1`: other platforms were requested"
        ]
    );
    let store = Store::open(&sandbox.path("out.tar"));
    let index = store.json("index.json");
    let index: Value = serde_json::from_slice(store.blob(&index["manifests"][0]).unwrap()).unwrap();
    let before = Store::from_tar(&fixture("buildkit__multi.oci.tar"));
    let whole = before.json("index.json");
    let mut whole: Value =
        serde_json::from_slice(before.blob(&whole["manifests"][0]).unwrap()).unwrap();
    let manifests = whole["manifests"].as_array_mut().unwrap();
    let arm = manifests
        .iter()
        .find(|it| it["platform"]["variant"] == "v7")
        .unwrap();
    let arm = arm["digest"].clone();
    manifests.retain(|it| {
        it["digest"] != arm && it["annotations"]["vnd.docker.reference.digest"] != arm
    });
    assert_eq!(manifests.len(), 4);
    assert_eq!(index, whole);
    // Engines that use one platform get the one that was named first.
    let manifest = store.json("manifest.json");
    let config = manifest[0]["Config"].as_str().unwrap();
    let config = store.json(config);
    assert_eq!(config["architecture"], "arm64");
}

#[test]
fn what_is_refused_says_why_and_writes_nothing() {
    let sandbox = sandbox();
    sandbox.write("multi.tar", fixture("buildkit__multi.oci.tar"));
    sandbox
        .run(&["convert", "a.tar", "b.tar", "oci:lay"])
        .silent();
    let before = sandbox.tree();
    for (line, code, message) in [
        (
            "a.tar other-a.tar out.tar",
            1,
            "error: `a:1` is one image in `a.tar` and another in `other-a.tar`",
        ),
        (
            "a.tar other-a.tar oci:lay",
            1,
            "error: `a:1` is one image in `a.tar` and another in `other-a.tar`",
        ),
        (
            "a.tar b.tar --retag a:1=b:1 out.tar",
            1,
            "error: `b:1` is one image in `a.tar` and another in `b.tar`",
        ),
        (
            "oci:lay --retag a:1=b:1 out.tar",
            1,
            "error: `b:1` would be the name of two images",
        ),
        (
            "a.tar b.tar --image c out.tar",
            1,
            "error: no image `c` in any of the 2 inputs",
        ),
        (
            "a.tar b.tar --image a:1 --image c out.tar",
            1,
            "error: no image `c` in any of the 2 inputs",
        ),
        (
            "a.tar --image a:1 --image c out.tar",
            1,
            "error: no image `c` in `a.tar`",
        ),
        (
            "a.tar b.tar --retag c=d out.tar",
            1,
            "error: no image named `c` in the input",
        ),
        (
            "a.tar b.tar --tag c:1 out.tar",
            1,
            "error: cannot give 2 images the same name",
        ),
        ("a.tar none.tar out.tar", 1, "error: cannot read `none.tar`"),
        (
            "a.tar b.tar --index c out.tar",
            1,
            "error: `a:1` in `a.tar` and `b:1` in `b.tar` are both for linux/amd64",
        ),
        (
            "multi.tar --platform amd64 --platform s390x out.tar",
            1,
            "error: `multi:1` has no image for linux/s390x",
        ),
        (
            "multi.tar --index x --platform s390x out.tar",
            1,
            "error: `x:latest` has no image for linux/s390x",
        ),
        (
            "- - out.tar",
            2,
            "error: standard input can be read only once",
        ),
        ("a.tar", 2, "error: missing argument: DST"),
        ("a.tar --force", 2, "error: missing argument: DST"),
        (
            "a.tar b.tar --retag c out.tar",
            2,
            "error: invalid value `c` for `--retag`: expected OLD=NEW, two names of images",
        ),
        (
            "a.tar --index c oci:out:d",
            2,
            "error: DST and `--index` both name the images",
        ),
        (
            "a.tar --retag a:1=c oci:out:d",
            2,
            "error: DST and `--retag` both name the images",
        ),
        (
            "docker-archive:a.tar:a:1 --image a:1 out.tar",
            2,
            "error: SRC and `--image` both name an image",
        ),
    ] {
        let mut arguments = vec!["convert"];
        arguments.extend(line.split(' '));
        let output = sandbox.restow(&arguments).stdin_pipe(Vec::new()).run();
        let first = output.stderr.lines().next().unwrap_or_default();
        assert_eq!((output.code, first), (Some(code), message), "{line}");
        assert_eq!(sandbox.tree(), before, "{line}");
    }
    sandbox.assert_no_temporaries();
}

/// It would be an error alone, too.
#[test]
fn a_source_of_which_nothing_can_be_copied_is_refused() {
    let sandbox = sandbox();
    let mut members = make::docker(&[image("lost:1", "lost")]);
    members.retain(|member| !member.name().ends_with("layer.tar"));
    sandbox.write("lost.tar", make::tar(&members));
    let alone = sandbox.run(&["convert", "lost.tar", "out.tar"]).refuses();
    for sources in [["a.tar", "lost.tar"], ["lost.tar", "a.tar"]] {
        let arguments = [&["convert"], &sources[..], &["out.tar"]].concat();
        assert_eq!(sandbox.run(&arguments).refuses(), alone);
    }
}

#[test]
fn an_index_stays_whole_beside_one_of_its_images() {
    let sandbox = Sandbox::new();
    let mut layout = Layout::default();
    let part = layout.image(&image("a:1", "a"));
    let attestation = layout.attestation(&part);
    let nested = layout.nested(&[part.clone(), attestation]);
    layout.add_named(&nested, "app:1");
    sandbox.write("in.tar", make::tar(&layout.members()));
    let digest = part["digest"].as_str().expect("it is text");
    for choice in [[digest, "app:1"], ["app:1", digest]] {
        let [first, second] = choice;
        let arguments = [
            "convert", "in.tar", "oci:out", "--image", first, "--image", second,
        ];
        drop(sandbox.run(&arguments).reports());
        let index = Store::open(&sandbox.path("out")).json("index.json");
        let digests: Vec<&Value> = index["manifests"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|it| &it["digest"])
            .collect();
        assert!(
            digests.contains(&&nested["digest"]),
            "{choice:?}: {digests:?}"
        );
        sandbox.remove("out");
    }
}

#[test]
fn a_name_has_one_new_name() {
    let sandbox = sandbox();
    let arguments = ["convert", "a.tar", "out.tar"];
    let retags = ["--retag", "a:1=x:1", "--retag", "a:1=y:1"];
    sandbox
        .run(&[&arguments[..], &retags].concat())
        .fails("error: `a:1` would get two names in place of one\n");
}

#[test]
fn an_index_keeps_images_that_are_compressed_in_two_ways() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", fixture("podman58__gzip-and-zstd.oci.tar"));
    sandbox
        .run(&["convert", "in.tar", "oci:out", "--index", "two:1"])
        .silent();
    let store = Store::open(&sandbox.path("out"));
    let index = store.json("index.json");
    let nested = store.blob(&index["manifests"][0]).expect("it is there");
    let nested: Value = serde_json::from_slice(nested).expect("it is JSON");
    assert_eq!(nested["manifests"].as_array().map(Vec::len), Some(4));
}
