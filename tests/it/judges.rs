//! Docker, skopeo, podman and umoci read what `restow` writes, and see what went in.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::codec::digest;
use crate::support::engine::{Loaded, unique};
use crate::support::image::{Image, Store, facts, strings, text};
use crate::support::judge::Format;
use crate::support::tools::{exclusive, has_engine, is_installed, is_root, skip, succeed, tool};
use crate::support::{Sandbox, make, own, testdata};

/// Docker-archives of several producers, whose layers are plain or gzip: all that Docker 20.10 loads.
const FIXTURES: [&str; 6] = [
    "crane__edge.tarball.tar",
    "docker20__dup.tar",
    "docker20__edge.tar",
    "docker29-containerd__edge.tar",
    "docker29-graphdriver__names.tar",
    "podman43__multi-tags.docker.tar",
];

/// A sandbox with a fixture converted to `out`, under one tag of its own, and the image that it holds.
#[track_caller]
fn converted(fixture: &str, to: Format) -> (Sandbox, Image, String) {
    let sandbox = Sandbox::new();
    let source = Format::Docker.at(testdata(fixture));
    let tag = format!("{}:1", unique());
    let output = sandbox.run(&["convert", "--tag", &tag, &source, &to.at("out")]);
    output.silent();
    let image = Store::open(&testdata(fixture)).docker_images().remove(0);
    (sandbox, image, tag)
}

/// What the engine shows of a tag is what the image's config says.
#[track_caller]
fn assert_engine_has(tag: &str, tags: &[String], image: &Image) {
    let shown = tool("docker", &["image", "inspect", tag]);
    let shown: Value = serde_json::from_slice(&shown).expect("docker prints JSON");
    let shown = &shown[0];
    assert_eq!(text(&shown["Id"]), image.id());
    let mut shown_tags = strings(&shown["RepoTags"]);
    // Another user of this engine may have the same image under names of their own.
    shown_tags.retain(|it| it.starts_with("restow-test-"));
    assert_eq!(shown_tags, tags);
    assert_eq!(strings(&shown["RootFS"]["Layers"]), image.diff_ids());
    let config: Value = serde_json::from_str(&image.config).expect("a config is JSON");
    for field in ["Architecture", "Os", "Created"] {
        assert_eq!(shown[field], config[field.to_lowercase()], "{field}");
    }
    let config = &config["config"];
    for field in [
        "Cmd",
        "Entrypoint",
        "Env",
        "ExposedPorts",
        "Healthcheck",
        "Labels",
        "OnBuild",
        "StopSignal",
        "Volumes",
    ] {
        assert_eq!(shown["Config"][field], config[field], "{field}");
    }
    for field in ["User", "WorkingDir"] {
        let expected = config[field].as_str().unwrap_or_default();
        assert_eq!(text(&shown["Config"][field]), expected, "{field}");
    }
}

#[test]
fn docker_loads_what_is_written() {
    if !has_engine() {
        return skip("docker_loads_what_is_written", "no Docker engine answers");
    }
    let _store = exclusive();
    for fixture in FIXTURES {
        let (sandbox, image, tag) = converted(fixture, Format::Docker);
        let _loaded = Loaded::load(&sandbox.read("out"), std::slice::from_ref(&tag));
        assert_engine_has(&tag, std::slice::from_ref(&tag), &image);
    }
}

#[test]
fn docker_loads_what_has_been_a_layout() {
    if !has_engine() {
        return skip(
            "docker_loads_what_has_been_a_layout",
            "no Docker engine answers",
        );
    }
    let _store = exclusive();
    for to in [Format::Oci, Format::OciArchive] {
        for compress in ["keep", "none", "gzip"] {
            let (sandbox, image, tag) = converted("docker20__edge.tar", to);
            let arguments = ["convert", "--compress", compress, &to.at("out"), "back.tar"];
            sandbox.run(&arguments).silent();
            let _loaded = Loaded::load(&sandbox.read("back.tar"), std::slice::from_ref(&tag));
            assert_engine_has(&tag, std::slice::from_ref(&tag), &image);
        }
    }
}

#[test]
fn what_docker_saves_becomes_a_layout_and_loads_again() {
    if !has_engine() {
        let test = "what_docker_saves_becomes_a_layout_and_loads_again";
        return skip(test, "no Docker engine answers");
    }
    let _store = exclusive();
    let sandbox = Sandbox::new();
    let repository = unique();
    let tags = ["1", "two"].map(|it| format!("{repository}:{it}"));
    let made = make::Image::new(
        &tags.each_ref().map(String::as_str),
        &["dir a\nfile a/b c", "file d e"],
    );
    let archive = make::tar(&make::docker(std::slice::from_ref(&made)));
    let loaded = Loaded::load(&archive, &tags);
    let save = |arguments: &[&str]| {
        let tags = tags.clone();
        sandbox.restow(arguments).stdin_from(move |pipe| {
            let mut command = Command::new("docker");
            command.arg("save").args(tags).stdout(Stdio::piped());
            let mut child = command.spawn()?;
            io::copy(&mut child.stdout.take().expect("stdout is piped"), pipe)?;
            child.wait().map(|_| ())
        })
    };
    save(&["convert", "-", "oci:out"]).run().silent();
    let layout = own::layout(&sandbox.path("out"));
    own::assert_names_and_types(&layout, &[]);
    assert_eq!(facts(&layout.host_images()), [made.facts()]);

    let again = save(&["convert", "-", "-"]).run().data("");
    drop(loaded);
    let _loaded = Loaded::load(&again, &tags);
    let image = Store::from_tar(&archive).docker_images().remove(0);
    assert_engine_has(&tags[0], &tags, &image);
}

/// The tests' own archives are ones that an engine takes, or they would prove nothing.
#[test]
fn docker_loads_what_the_tests_make() {
    if !has_engine() {
        return skip(
            "docker_loads_what_the_tests_make",
            "no Docker engine answers",
        );
    }
    let _store = exclusive();
    let tags = [format!("{}:1", unique())];
    let layer = "dir a\nfile a/b c\nlink a/d a/b\nsymlink e a/b";
    let made = make::Image::new(&[&tags[0]], &[layer, "file a/.wh.b", layer]);
    let images = std::slice::from_ref(&made);
    for members in [
        make::docker(images),
        make::crane(images),
        make::jib(&made),
        make::hybrid(images),
    ] {
        let archive = make::tar(&members);
        let image = Store::from_tar(&archive).docker_images().remove(0);
        assert_eq!(image.facts(), made.facts());
        let _loaded = Loaded::load(&archive, &tags);
        assert_engine_has(&tags[0], &tags, &image);
    }
}

#[test]
fn skopeo_reads_what_is_written() {
    if !is_installed("skopeo") {
        return skip("skopeo_reads_what_is_written", "skopeo is not installed");
    }
    for fixture in FIXTURES {
        for to in Format::ALL {
            let (sandbox, image, tag) = converted(fixture, to);
            let out = sandbox.path("out");
            let source = format!("{}:{tag}", to.at(&out));
            let inspect = |flags: &[&str]| {
                let mut arguments = vec!["--insecure-policy", "inspect"];
                arguments.extend(flags);
                arguments.push(&source);
                tool("skopeo", &arguments)
            };
            assert_eq!(
                digest(&inspect(&["--config", "--raw"])),
                image.id(),
                "{source}"
            );

            // It calls the layers of a docker-archive by their diff_ids.
            let shown: Value = serde_json::from_slice(&inspect(&[])).expect("skopeo prints JSON");
            let expected = match to {
                Format::Docker => image.diff_ids(),
                _ => to.images(&out)[0].digests(),
            };
            assert_eq!(strings(&shown["Layers"]), expected, "{source}");

            // A copy to its own kind changes no config.
            let copy = sandbox.path("copy");
            let target = format!("{}:{tag}", to.at(&copy));
            drop(tool(
                "skopeo",
                &["--insecure-policy", "copy", "--quiet", &source, &target],
            ));
            let copied = Store::open(&copy);
            let copied = match to {
                Format::Docker => copied.docker_images(),
                _ => copied.layout().host_images(),
            };
            assert_eq!(copied[0].config, image.config, "{source}");
            assert_eq!(copied[0].diff_ids(), image.diff_ids(), "{source}");
        }
    }
}

#[test]
fn podman_loads_what_is_written() {
    if !is_installed("podman") {
        return skip("podman_loads_what_is_written", "podman is not installed");
    }
    if !is_root() {
        return skip(
            "podman_loads_what_is_written",
            "podman is only tried as root",
        );
    }
    for fixture in ["docker20__dup.tar", "docker29-graphdriver__names.tar"] {
        for to in [Format::Docker, Format::OciArchive] {
            let (sandbox, image, tag) = converted(fixture, to);
            let store = |name: &str| sandbox.path(name).into_os_string();
            let podman = |arguments: &[&str]| {
                let mut command = Command::new("podman");
                command.args(["--storage-driver", "vfs"]);
                command.arg("--root").arg(store("podman"));
                command.arg("--runroot").arg(store("podman-run"));
                succeed(command.args(arguments).stdin(Stdio::null()))
            };
            let out = sandbox.path("out");
            drop(podman(&[
                "load",
                "--input",
                out.to_str().expect("the path is text"),
            ]));
            let name = format!("localhost/{tag}");
            let shown: Value = serde_json::from_slice(&podman(&["image", "inspect", &tag]))
                .expect("podman prints JSON");
            assert_eq!(format!("sha256:{}", text(&shown[0]["Id"])), image.id());
            assert_eq!(strings(&shown[0]["RootFS"]["Layers"]), image.diff_ids());
            let names = strings(&shown[0]["RepoTags"]);
            let on_docker_hub = format!("docker.io/library/{tag}");
            assert!(names == [name] || names == [on_docker_hub], "{names:?}");
        }
    }
}

#[test]
fn umoci_unpacks_what_is_written() {
    if !is_installed("umoci") {
        return skip("umoci_unpacks_what_is_written", "umoci is not installed");
    }
    if !is_root() {
        return skip(
            "umoci_unpacks_what_is_written",
            "only root can unpack devices",
        );
    }
    for (fixture, path) in [
        ("crane__edge.tarball.tar", "etc/passwd"),
        ("docker20__edge.tar", "etc/passwd"),
        ("docker29-graphdriver__names.tar", "n/wh."),
        ("podman43__multi-tags.docker.tar", "etc/passwd"),
    ] {
        let (sandbox, _, tag) = converted(fixture, Format::Oci);
        let image = format!("{}:{tag}", sandbox.path("out").display());
        let bundle = sandbox.path("bundle");
        let unpack: [&Path; 4] = [
            "unpack".as_ref(),
            "--image".as_ref(),
            image.as_ref(),
            &bundle,
        ];
        drop(tool("umoci", &unpack));
        assert!(
            bundle.join("rootfs").join(path).exists(),
            "{fixture} has {path}"
        );
        assert!(bundle.join("rootfs/e").exists(), "{fixture} has e");
    }
}
