//! What speaks of an image goes where the image goes, and is left out where what it
//! speaks of is.

use serde_json::Value;

use crate::support::make::{self, Image, Layout};
use crate::support::sandbox::Sandbox;

/// A layout of an image, a signature of it, a signature of that signature, and
/// another image, in an order in which nothing stands behind what it speaks of.
fn signed() -> Vec<u8> {
    let mut layout = Layout::default();
    let image = layout.image(&Image::new(&["app:1"], &["file a 1"]));
    let signature = layout.referrer(&image);
    let of_signature = layout.referrer(&signature);
    layout.index.push(of_signature);
    layout.index.push(signature);
    layout.add_named(&image, "app:1");
    layout.add(&Image::new(&["tool:2"], &["file t 1"]));
    make::tar(&layout.members())
}

/// The names in the index of a layout, an empty one for what has none.
fn names(sandbox: &Sandbox, layout: &str) -> Vec<String> {
    let bytes = sandbox.read(&format!("{layout}/index.json"));
    let index: Value = serde_json::from_slice(&bytes).expect("an index is JSON");
    let manifests = index["manifests"].as_array().expect("it lists manifests");
    let name = |descriptor: &Value| {
        let name = descriptor["annotations"]["org.opencontainers.image.ref.name"].as_str();
        name.unwrap_or_default().to_owned()
    };
    manifests.iter().map(name).collect()
}

#[test]
fn signatures_follow_the_chosen_image() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", signed());
    sandbox
        .run(&["convert", "--image", "app:1", "in.tar", "oci:out"])
        .silent();
    assert_eq!(names(&sandbox, "out"), ["", "", "app:1"]);
    sandbox
        .run(&["convert", "--image", "tool:2", "in.tar", "oci:tool"])
        .silent();
    assert_eq!(names(&sandbox, "tool"), ["tool:2"]);
}

#[test]
fn signatures_by_name_that_stay_behind_are_told() {
    let sandbox = Sandbox::new();
    let mut layout = Layout::default();
    let image = layout.image(&Image::new(&["app:1"], &["file a 1"]));
    let hex = image["digest"]
        .as_str()
        .expect("a digest")
        .replace(':', "-");
    let signature = layout.image(&Image::new(&[], &["file signature 1"]));
    let attestation = layout.image(&Image::new(&[], &["file attestation 1"]));
    layout.add_named(&image, "app:1");
    layout.add(&Image::new(&["tool:2"], &["file t 1"]));
    let [sig, att] = ["sig", "att"].map(|it| format!("reg.example/app:{hex}.{it}"));
    layout.add_named(&signature, &sig);
    layout.add_named(&attestation, &att);
    sandbox.write("in.tar", make::tar(&layout.members()));
    let convert = |images: &[&str], output: &str| {
        let mut arguments = vec!["convert", "in.tar", output];
        arguments.extend(images.iter().flat_map(|image| ["--image", image]));
        sandbox.run(&arguments)
    };
    convert(&["app:1"], "oci:app").warns(&format!(
        "warning: skipped `{sig}` and 1 more, by name a signature of `app:1` or the like\n"
    ));
    convert(&["app:1", &sig], "oci:signed").warns(&format!(
        "warning: skipped `{att}`, by name a signature of `app:1` or the like\n"
    ));
    convert(&["app:1", &sig, &att], "oci:both").silent();
    convert(&["tool:2"], "oci:tool").silent();
    convert(&[], "oci:all").silent();
}

#[test]
fn a_new_name_is_for_the_image_alone() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", signed());
    let arguments = [
        "convert", "--image", "app:1", "--tag", "new:3", "in.tar", "oci:out",
    ];
    sandbox.run(&arguments).silent();
    assert_eq!(names(&sandbox, "out"), ["", "", "new:3"]);
}

#[test]
fn without_the_signatures_of_what_changes_every_image_keeps_its_name() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", signed());
    let warnings = sandbox
        .run(&["convert", "--compress", "gzip", "in.tar", "oci:out"])
        .warnings();
    let [warning] = warnings.as_slice() else {
        panic!("{warnings:?}");
    };
    let start = "warning: skipped an artifact of type `application/vnd.example.signature` of `";
    let end = "` and 1 more: the manifests that they refer to are not in the output";
    assert!(warning.starts_with(start), "{warning}");
    assert!(warning.ends_with(end), "{warning}");
    assert_eq!(names(&sandbox, "out"), ["app:1", "tool:2"]);
}

#[test]
fn one_platform_keeps_the_signatures_that_are_of_it() {
    let sandbox = Sandbox::new();
    let mut layout = Layout::default();
    let image = |architecture: &str| {
        Image::new(&[], &["file a 1"]).with_config(|it| it["architecture"] = architecture.into())
    };
    let [amd64, arm64] = ["amd64", "arm64"].map(|architecture| {
        let mut descriptor = layout.image(&image(architecture));
        descriptor["platform"] = serde_json::json!({"os": "linux", "architecture": architecture});
        descriptor
    });
    let index = layout.nested(&[amd64.clone(), arm64.clone()]);
    layout.add_named(&index, "app:1");
    for subject in [&amd64, &arm64, &index] {
        let mut signature = layout.referrer(subject);
        let name = format!(
            "of {}",
            subject["platform"]["architecture"]
                .as_str()
                .unwrap_or("all")
        );
        signature["annotations"] = serde_json::json!({"org.opencontainers.image.ref.name": name});
        layout.index.push(signature);
    }
    sandbox.write("in.tar", make::tar(&layout.members()));
    let arguments = ["convert", "--platform", "linux/arm64", "in.tar", "oci:out"];
    let warnings = sandbox.run(&arguments).warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert_eq!(names(&sandbox, "out"), ["app:1", "of arm64"]);
    // What is of the index or of another platform is told as well if the image is chosen, and
    // what is of the image itself if that changes.
    let index = index["digest"].as_str().expect("a digest");
    for (command, skipped) in [
        (["convert"].as_slice(), 2),
        // It has one layer, and does not change.
        (&["squash", "--all"], 2),
        (&["append", "--delete", "/a"], 3),
        (&["config", "--label", "a=b"], 3),
        (&["rebase", "--from", "scratch", "--onto", "in.tar"], 3),
    ] {
        let mut arguments = command.to_vec();
        arguments.extend(["--image", "app:1", "--platform", "linux/arm64", "in.tar"]);
        arguments.push("changed.tar");
        let (_, said) = sandbox.run(&arguments).reports();
        let others = match skipped - 1 {
            1 => "` and 1 more: the manifests that they refer to are not in the output",
            _ => "` and 2 more: the manifests that they refer to are not in the output",
        };
        let is_told =
            |line: &String| line.contains("skipped an artifact") && line.ends_with(others);
        assert!(said.iter().any(is_told), "{command:?} of {index}: {said:?}");
        sandbox.remove("changed.tar");
    }
}

#[test]
fn what_is_found_by_its_name_needs_no_other_in_an_archive() {
    let sandbox = Sandbox::new();
    let mut layout = Layout::default();
    let image = layout.image(&Image::new(&["app:1"], &["file a 1"]));
    let digest = image["digest"].as_str().expect("a digest");
    let [signature, tag] = [".sig", ""].map(|end| format!("{}{end}", digest.replace(':', "-")));
    layout.add_named(&image, "app:1");
    let signed = layout.image(&Image::new(&[], &["file signature 1"]));
    layout.add_named(&signed, &signature);
    let referrer = layout.referrer(&image);
    let referrers = layout.nested(&[referrer]);
    layout.add_named(&referrers, &tag);
    let artifact = layout.referrer(&image);
    layout.add_named(&artifact, "sbom");
    sandbox.write("in.tar", make::tar(&layout.members()));
    sandbox.run(&["convert", "in.tar", "out.tar"]).silent();
    sandbox.run(&["convert", "out.tar", "oci:out"]).silent();
    assert_eq!(names(&sandbox, "out"), ["app:1", &signature, &tag, "sbom"]);
}
