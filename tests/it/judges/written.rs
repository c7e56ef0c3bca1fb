//! Archives of today's engines and tools, and of those of this machine, are read, and nothing in
//! them is lost.

use serde_json::Value;

use crate::support::Sandbox;
use crate::support::ctr::Ctr;
use crate::support::engine::{Docker, Loaded, unique};
use crate::support::image::Store;
use crate::support::judge::{Format, assert_kept};
use crate::support::make::{self, Image};
use crate::support::podman::Podman;
use crate::support::reference::full;
use crate::support::registry::Registry;
use crate::support::retag::retagged;
use crate::support::tools::{Place, is_root, skip, succeed};
use crate::support::{fixture, testdata};

/// A path in a sandbox, as another program takes it.
fn path(sandbox: &Sandbox, name: &str) -> String {
    let path = sandbox.path(name);
    path.to_str().expect("a plain path").to_owned()
}

/// Fails unless an archive or layout is sound, and every conversion keeps what it holds.
#[track_caller]
fn assert_read(sandbox: &Sandbox, name: &str, format: Format, what: &str) {
    let source = format.at(name);
    let verified = sandbox.run(&["verify", &source]);
    let findings = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert_eq!(verified.code, Some(0), "{what}: {findings}");
    let store = Store::open(&sandbox.path(name));
    for to in Format::ALL {
        let output = format!("{name}-{to:?}");
        let converted = sandbox.run(&["convert", &source, &to.at(&output)]);
        drop(converted.warnings());
        assert_kept(&store, format, &sandbox.path(&output), to);
    }
}

/// The names that `images` finds, each with all that it prints of it.
#[track_caller]
fn images(sandbox: &Sandbox, source: &str) -> Vec<Value> {
    let (list, _) = sandbox.run(&["images", "--json", source]).reports();
    let list: Value = serde_json::from_slice(&list).expect("a list is JSON");
    list["images"].as_array().expect("a list").clone()
}

/// What is said of a name, and of what it leads to.
fn said_of(images: &[Value], tag: &str) -> String {
    let is_named = |it: &&Value| it.to_string().contains(&format!("\"{tag}\""));
    let named: Vec<String> = images
        .iter()
        .filter(is_named)
        .map(Value::to_string)
        .collect();
    named.join("\n")
}

/// An archive that an engine saved is read, and what is made of it loads as it did.
#[track_caller]
fn assert_saved(engine: Docker, tags: &[String], what: &str) {
    let names: Vec<&str> = tags.iter().map(String::as_str).collect();
    let sandbox = Sandbox::new();
    let saved = engine.save(&names);
    sandbox.write("in.tar", &saved);
    assert_read(&sandbox, "in.tar", Format::Docker, what);
    let images = images(&sandbox, "in.tar");
    for tag in tags {
        let seen = engine.see(tag);
        let said = said_of(&images, tag);
        assert!(
            said.contains(&seen.id),
            "{what}, {tag}: {} in {said}",
            seen.id
        );
        let (inspected, _) = sandbox
            .run(&["inspect", "--json", "--image", tag, "in.tar"])
            .reports();
        let inspected: Value = serde_json::from_slice(&inspected).expect("JSON");
        assert_eq!(inspected["created"], seen.facts["Created"], "{what}");
        let layers = inspected["layers"].as_array().expect("a list").iter();
        let layers: Vec<&str> = layers.filter_map(|it| it["diff_id"].as_str()).collect();
        assert_eq!(layers, seen.diff_ids(), "{what}");
        let (told, _) = sandbox
            .run(&["history", "--json", "--image", tag, "in.tar"])
            .reports();
        let told: Value = serde_json::from_slice(&told).expect("JSON");
        let told = told["history"].as_array().or(told.as_array()).map(Vec::len);
        assert_eq!(told, Some(seen.story().len()), "{what}");
    }
}

/// A folder with a Dockerfile that needs no network.
fn put_context(sandbox: &Sandbox, salt: &str) {
    sandbox.write("context/a/file", salt);
    sandbox.write("context/b", "b");
    let dockerfile =
        "FROM scratch\nLABEL by=restow\nCOPY a /a\nWORKDIR /a\nCOPY b /\nCMD [\"/b\"]\n";
    sandbox.write("context/Dockerfile", dockerfile);
}

#[test]
fn what_docker_saves_is_read() {
    for engine in Docker::found("what_docker_saves_is_read") {
        let _alone = engine.alone();
        let repository = unique();
        let tags = ["1", "two", "other"].map(|it| format!("{repository}:{it}"));
        let layers = [
            "dir a\nfile a/b c\nlink a/d a/b",
            "file a/.wh.b\nsymlink e a",
        ];
        let images = [
            Image::new(&[&tags[0], &tags[1]], &layers),
            Image::new(&[&tags[2]], &layers[..1]),
        ];
        let _loaded = engine.load(&make::tar(&make::docker(&images)), &tags);
        assert_saved(engine, &tags, &format!("{engine:?}"));
    }
}

#[test]
fn what_docker_saves_of_archives_of_others_is_read() {
    for engine in Docker::found("what_docker_saves_of_archives_of_others_is_read") {
        let _alone = engine.alone();
        for name in ["docker29-containerd__edge.tar", "crane__edge.tarball.tar"] {
            let original = retagged(&fixture(name));
            let _loaded = engine.load(&original.archive, &original.tags);
            assert_saved(engine, &original.tags, &format!("{engine:?}, {name}"));
        }
    }
}

#[test]
fn what_docker_builds_is_read() {
    for engine in Docker::found("what_docker_builds_is_read") {
        let _alone = engine.alone();
        // The builder of before BuildKit is in all of them.
        let builders = if engine.is_todays() {
            &["0", "1"][..]
        } else {
            &["0"]
        };
        for builder in builders {
            let sandbox = Sandbox::new();
            let tags = [format!("{}:1", unique())];
            put_context(&sandbox, &tags[0]);
            let _loaded = Loaded::names(engine, &tags);
            let context = path(&sandbox, "context");
            let mut command = engine.command(&["build", "--quiet", "--tag", &tags[0], &context]);
            drop(succeed(command.env("DOCKER_BUILDKIT", builder)));
            assert_saved(engine, &tags, &format!("{engine:?}, builder {builder}"));
        }
    }
}

/// Docker names the second build wrongly in `manifest.json`, and rightly in `index.json`.
#[test]
fn two_builds_of_one_dockerfile_keep_their_names_and_ids() {
    for engine in Docker::found("two_builds_of_one_dockerfile_keep_their_names_and_ids") {
        let _alone = engine.alone();
        if !engine.is_todays() {
            continue;
        }
        let sandbox = Sandbox::new();
        let repository = unique();
        let tags = ["1", "2"].map(|it| format!("{repository}:{it}"));
        put_context(&sandbox, &repository);
        let context = path(&sandbox, "context");
        let loaded = Loaded::names(engine, &tags);
        for tag in &tags {
            drop(engine.run(&["build", "--quiet", "--tag", tag, &context]));
        }
        let ids = tags.each_ref().map(|it| engine.see(it).id);
        sandbox.write("in.tar", engine.save(&tags.each_ref().map(String::as_str)));
        drop(loaded);
        let run = sandbox.run(&["convert", "in.tar", "docker-archive:out"]);
        drop(run.warnings());
        let _loaded = engine.load(&sandbox.read("out"), &tags);
        let kept = tags.each_ref().map(|it| engine.see(it).id);
        assert_eq!(kept, ids, "{engine:?}");
    }
}

#[test]
fn what_podman_saves_is_read() {
    let test = "what_podman_saves_is_read";
    if !is_root() {
        return skip(test, "podman is only tested as root");
    }
    for place in Place::with("podman", test) {
        let sandbox = Sandbox::new();
        let podman = Podman::new(place);
        let source = testdata("docker20__edge.tar");
        sandbox.write("edge.tar", std::fs::read(source).expect("it can be read"));
        drop(podman.run(&["load", "--quiet", "--input", &path(&sandbox, "edge.tar")]));
        put_context(&sandbox, "podman");
        let context = path(&sandbox, "context");
        drop(podman.run(&["build", "--quiet", "--tag", "built:1", &context]));
        drop(podman.run(&["tag", "built:1", "example.org:5000/ns/built:2"]));
        let save = |name: &str, arguments: &[&str]| {
            let to = path(&sandbox, name);
            drop(podman.run(&[&["save", "--quiet", "--output", &to], arguments].concat()));
        };
        save("edge.docker", &["edge:1"]);
        save("edge.oci", &["--format", "oci-archive", "edge:1"]);
        save("built.docker", &["built:1"]);
        save("built.oci", &["--format", "oci-archive", "built:1"]);
        save(
            "both.docker",
            &["--multi-image-archive", "edge:1", "built:1"],
        );
        let folder = path(&sandbox, "folder");
        drop(podman.run(&[
            "save", "--quiet", "--format", "oci-dir", "--output", &folder, "built:1",
        ]));
        for (name, format) in [
            ("edge.docker", Format::Docker),
            ("edge.oci", Format::OciArchive),
            ("built.docker", Format::Docker),
            ("built.oci", Format::OciArchive),
            ("both.docker", Format::Docker),
            ("folder", Format::Oci),
        ] {
            assert_read(&sandbox, name, format, &format!("{place:?}, {name}"));
        }
        let shown = podman.run(&["image", "inspect", "--format", "{{.Id}}", "built:1"]);
        let id = String::from_utf8(shown).expect("an id is text");
        let said = images(&sandbox, "built.docker");
        assert!(
            said[0].to_string().contains(id.trim()),
            "{place:?}: {said:?}"
        );
    }
}

#[test]
fn what_skopeo_copies_is_read() {
    for place in Place::with("skopeo", "what_skopeo_copies_is_read") {
        let sandbox = Sandbox::new();
        for (number, (source, target, format, options)) in [
            ("edge.docker", "docker-archive", Format::Docker, &[][..]),
            ("edge.docker", "oci", Format::Oci, &[]),
            (
                "edge.docker",
                "oci-archive",
                Format::OciArchive,
                &["--dest-compress-format", "zstd"],
            ),
            ("multi.oci", "oci", Format::Oci, &["--all"]),
            ("multi.oci", "oci-archive", Format::OciArchive, &[]),
            ("multi.oci", "docker-archive", Format::Docker, &[]),
        ]
        .into_iter()
        .enumerate()
        {
            let (transport, file) = match source {
                "multi.oci" => ("oci-archive", "buildkit__multi.oci.tar"),
                _ => ("docker-archive", "docker20__edge.tar"),
            };
            sandbox.write(source, fixture(file));
            let name = format!("{number}-{target}");
            let source = format!("{transport}:{}", path(&sandbox, source));
            let to = format!("{target}:{}:app:1", path(&sandbox, &name));
            let mut command = place.command("skopeo");
            command.args(["--insecure-policy", "copy", "--quiet"]);
            drop(succeed(command.args(options).args([&source, &to])));
            assert_read(
                &sandbox,
                &name,
                format,
                &format!("{place:?}, {source} to {to}"),
            );
        }
    }
}

#[test]
fn what_umoci_makes_is_read() {
    for place in Place::with("umoci", "what_umoci_makes_is_read") {
        let sandbox = Sandbox::new();
        sandbox.write("file", "content");
        let umoci = |arguments: &[&str]| drop(succeed(place.command("umoci").args(arguments)));
        let layout = path(&sandbox, "layout");
        let image = format!("{layout}:1");
        umoci(&["init", "--layout", &layout]);
        umoci(&["new", "--image", &image]);
        let file = path(&sandbox, "file");
        umoci(&["insert", "--rootless", "--image", &image, &file, "/file"]);
        umoci(&["config", "--image", &image, "--config.cmd", "/file"]);
        assert_read(&sandbox, "layout", Format::Oci, &format!("{place:?}"));
    }
}

#[test]
fn what_containerd_exports_is_read() {
    for name in [
        "docker20__edge.tar",
        "docker29-containerd__multiplatform-provenance.tar",
    ] {
        let Some(ctr) = Ctr::found("what_containerd_exports_is_read") else {
            return;
        };
        let sandbox = Sandbox::new();
        let original = retagged(&fixture(name));
        sandbox.write("in.tar", &original.archive);
        let input = path(&sandbox, "in.tar");
        drop(ctr.run(&["images", "import", "--all-platforms", &input]));
        let tag = full(&original.tags[0]);
        for (output, format, options) in [
            ("hybrid.tar", Format::Docker, &["--all-platforms"][..]),
            (
                "layout.tar",
                Format::OciArchive,
                &["--all-platforms", "--skip-manifest-json"],
            ),
            ("one.tar", Format::Docker, &["--platform", "linux/amd64"]),
        ] {
            let to = path(&sandbox, output);
            // The other way ends before all is written.
            drop(ctr.run(&[&["images", "export", "--local"], options, &[&to, &tag]].concat()));
            assert_read(&sandbox, output, format, &format!("{name}, {options:?}"));
        }
    }
}

#[test]
fn what_crane_pulls_is_read() {
    if !Place::Today.has("crane", "what_crane_pulls_is_read") {
        return;
    }
    let registry = Registry::start();
    let sandbox = Sandbox::new();
    let crane = |arguments: &[&str]| drop(succeed(Place::Today.command("crane").args(arguments)));
    sandbox.write("edge.tar", fixture("docker20__edge.tar"));
    let image = format!("{}/edge:1", registry.address);
    crane(&["push", &path(&sandbox, "edge.tar"), &image]);
    for (name, format) in [
        ("tarball", Format::Docker),
        ("legacy", Format::Docker),
        ("oci", Format::Oci),
    ] {
        crane(&["pull", "--format", name, &image, &path(&sandbox, name)]);
        assert_read(&sandbox, name, format, name);
    }
}
