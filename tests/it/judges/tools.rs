//! Today's tools and those of this machine read what `restow` writes, in every form.

use std::path::Path;

use serde_json::Value;

use crate::support::codec::digest;
use crate::support::ctr::Ctr;
use crate::support::engine::unique;
use crate::support::image::{Image, Store, strings, text};
use crate::support::judge::Format;
use crate::support::podman::Podman;
use crate::support::reference::full;
use crate::support::retag::digest_of;
use crate::support::tools::{Place, is_root, skip, succeed};
use crate::support::{Sandbox, testdata};

/// Docker-archives of several producers.
const FIXTURES: [&str; 6] = [
    "crane__edge.tarball.tar",
    "docker20__dup.tar",
    "docker20__edge.tar",
    "docker29-containerd__edge.tar",
    "docker29-graphdriver__names.tar",
    "podman43__multi-tags.docker.tar",
];

/// A sandbox with a fixture converted to `out`, under one tag of its own, and the image that it
/// holds.
#[track_caller]
fn converted(fixture: &str, to: Format, compress: &str) -> (Sandbox, Image, String) {
    let sandbox = Sandbox::new();
    let source = Format::Docker.at(testdata(fixture));
    let tag = format!("{}:1", unique());
    let target = to.at("out");
    let arguments = [
        "convert",
        "--compress",
        compress,
        "--tag",
        &tag,
        &source,
        &target,
    ];
    let output = sandbox.run(&arguments);
    // Attestations do not go with a manifest that changes.
    if compress == "keep" {
        output.silent();
    } else {
        drop(output.warnings());
    }
    let image = Store::open(&testdata(fixture)).docker_images().remove(0);
    (sandbox, image, tag)
}

/// Each fixture in each format, whose compressions take turns, for each place that has a tool.
fn conversions(
    places: &[Place],
    formats: &[Format],
) -> impl Iterator<Item = (Place, &'static str, Format, &'static str)> {
    let mut turn = 0;
    let mut all = Vec::new();
    for place in places {
        for (number, fixture) in FIXTURES.into_iter().enumerate() {
            for format in formats {
                turn += 1;
                // The tools of this machine know all of them, too.
                let compress = ["keep", "gzip", "zstd", "none"][(turn + number) % 4];
                all.push((*place, fixture, *format, compress));
            }
        }
    }
    all.into_iter()
}

#[test]
fn skopeo_reads_what_is_written() {
    let places = Place::with("skopeo", "skopeo_reads_what_is_written");
    for (place, fixture, to, compress) in conversions(&places, &Format::ALL) {
        let (sandbox, image, tag) = converted(fixture, to, compress);
        let out = sandbox.path("out");
        let source = format!("{}:{tag}", to.at(&out));
        let what = format!("{place:?}, {fixture} {compress}, {source}");
        let skopeo = |arguments: &[&str]| {
            let mut command = place.command("skopeo");
            succeed(command.arg("--insecure-policy").args(arguments))
        };
        let config = skopeo(&["inspect", "--config", "--raw", &source]);
        assert_eq!(digest(&config), image.id(), "{what}");

        // It calls the layers of a docker-archive by their diff_ids.
        let shown: Value =
            serde_json::from_slice(&skopeo(&["inspect", &source])).expect("skopeo prints JSON");
        let expected = match to {
            Format::Docker => image.diff_ids(),
            _ => to.images(&out)[0].digests(),
        };
        assert_eq!(strings(&shown["Layers"]), expected, "{what}");

        // A copy to its own kind changes no config.
        let copy = sandbox.path("copy");
        let target = format!("{}:{tag}", to.at(&copy));
        drop(skopeo(&["copy", "--quiet", &source, &target]));
        let copied = Store::open(&copy);
        let copied = match to {
            Format::Docker => copied.docker_images(),
            _ => copied.layout().host_images(),
        };
        assert_eq!(copied[0].config, image.config, "{what}");
        assert_eq!(copied[0].diff_ids(), image.diff_ids(), "{what}");
    }
}

#[test]
fn podman_loads_what_is_written() {
    if !is_root() {
        return skip(
            "podman_loads_what_is_written",
            "podman is only tested as root",
        );
    }
    for place in Place::with("podman", "podman_loads_what_is_written") {
        for (fixture, to, compress) in [
            ("docker20__dup.tar", Format::Docker, "keep"),
            (
                "docker29-graphdriver__names.tar",
                Format::OciArchive,
                "keep",
            ),
            ("docker29-containerd__edge.tar", Format::Docker, "zstd"),
            ("docker20__edge.tar", Format::OciArchive, "gzip"),
        ] {
            let (sandbox, image, tag) = converted(fixture, to, compress);
            let what = format!("{place:?}, {fixture} to {to:?} {compress}");
            let podman = Podman::new(place);
            let out = sandbox.path("out");
            drop(podman.run(&["load", "--input", out.to_str().expect("the path is text")]));
            let shown = podman.run(&["image", "inspect", &tag]);
            let shown: Value = serde_json::from_slice(&shown).expect("podman prints JSON");
            let id = format!("sha256:{}", text(&shown[0]["Id"]));
            assert_eq!(id, image.id(), "{what}");
            assert_eq!(
                strings(&shown[0]["RootFS"]["Layers"]),
                image.diff_ids(),
                "{what}"
            );
            let names = strings(&shown[0]["RepoTags"]);
            let [local, on_docker_hub] =
                ["localhost", "docker.io/library"].map(|it| format!("{it}/{tag}"));
            assert!(
                names == [local] || names == [on_docker_hub],
                "{what}: {names:?}"
            );
        }
    }
}

#[test]
fn umoci_unpacks_what_is_written() {
    if !is_root() {
        return skip(
            "umoci_unpacks_what_is_written",
            "only root can unpack devices",
        );
    }
    for place in Place::with("umoci", "umoci_unpacks_what_is_written") {
        for (fixture, path, compress) in [
            ("crane__edge.tarball.tar", "etc/passwd", "keep"),
            ("docker20__edge.tar", "etc/passwd", "gzip"),
            ("docker29-graphdriver__names.tar", "n/wh.", "none"),
            ("podman43__multi-tags.docker.tar", "etc/passwd", "keep"),
        ] {
            let (sandbox, _, tag) = converted(fixture, Format::Oci, compress);
            let image = format!("{}:{tag}", sandbox.path("out").display());
            let bundle = sandbox.path("bundle");
            let unpack: [&Path; 4] = [
                "unpack".as_ref(),
                "--image".as_ref(),
                image.as_ref(),
                &bundle,
            ];
            drop(succeed(place.command("umoci").args(unpack)));
            for path in [path, "e"] {
                assert!(
                    bundle.join("rootfs").join(path).exists(),
                    "{place:?}, {fixture} has {path}"
                );
            }
        }
    }
}

#[test]
fn crane_validates_what_is_written() {
    let test = "crane_validates_what_is_written";
    if !Place::Today.has("crane", test) {
        return;
    }
    let crane = |arguments: &[&str]| succeed(Place::Today.command("crane").args(arguments));
    for fixture in FIXTURES {
        // crane reads no zstd here, and no layout in a tar.
        for compress in ["keep", "gzip"] {
            let (sandbox, image, tag) = converted(fixture, Format::Docker, compress);
            let out = sandbox.path("out");
            let out = out.to_str().expect("a plain path");
            drop(crane(&["validate", "--tarball", out]));
            let config = Store::open(&sandbox.path("out")).docker_images().remove(0);
            assert_eq!(config.id(), image.id(), "{fixture} {compress} {tag}");
        }
    }
}

#[test]
fn containerd_imports_what_is_written() {
    for (number, fixture) in FIXTURES.into_iter().enumerate() {
        for to in [Format::Docker, Format::OciArchive] {
            let compress = ["keep", "gzip", "zstd", "none"][number % 4];
            let Some(ctr) = Ctr::found("containerd_imports_what_is_written") else {
                return;
            };
            let (sandbox, _, tag) = converted(fixture, to, compress);
            let what = format!("{fixture} to {to:?} {compress}");
            let out = sandbox.path("out");
            let out = out.to_str().expect("a plain path");
            drop(ctr.run(&["images", "import", "--all-platforms", out]));
            let name = full(&tag);
            assert_eq!(ctr.names(), [name.as_str()], "{what}");
            let listed = ctr.run(&["images", "ls", &format!("name=={name}")]);
            let listed = String::from_utf8(listed).expect("a list is text");
            let id = digest_of(&sandbox.read("out"), &tag);
            assert!(listed.contains(&id), "{what}: {id}, {listed}");
            // It is whole, and its layers are unpacked.
            let checked = ctr.run(&["images", "check", &format!("name=={name}")]);
            let checked = String::from_utf8(checked).expect("a list is text");
            assert!(checked.contains(" complete ("), "{what}: {checked}");
            assert!(checked.trim_end().ends_with("true"), "{what}: {checked}");
        }
    }
}
