//! Engines load partial archives where the base is, and nothing happens where it is not.

use serde_json::Value;

use super::report;
use crate::support::Sandbox;
use crate::support::ctr::Ctr;
use crate::support::engine::{Docker, Loaded, unique};
use crate::support::make::{self, Image};
use crate::support::podman::Podman;
use crate::support::reference::full;
use crate::support::tools::{Place, is_root, skip};

/// A base and a new image with names of their own, in archives of the engine's own form.
struct Pair {
    sandbox: Sandbox,
    base: Vec<u8>,
    tags: [String; 2],
    new: Image,
}

fn pair(compress: &str) -> Pair {
    let sandbox = Sandbox::new();
    let name = unique();
    let tags = [format!("{name}:1"), format!("{name}:2")];
    // Content of its own, so that no engine has these layers already.
    let lower = [
        format!("dir a\nfile a/name {name}"),
        format!("file b {name}2"),
    ];
    let layers: Vec<&str> = lower.iter().map(String::as_str).collect();
    let base = Image::new(&[&tags[0]], &layers);
    let new = Image::new(&[&tags[1]], &[&layers[..], &["file c 3"]].concat());
    for (name, image) in [("base.tar", &base), ("new.tar", &new)] {
        let images = std::slice::from_ref(image);
        sandbox.write("in.tar", make::tar(&make::docker(images)));
        let arguments = ["convert", "--compress", compress, "in.tar", name];
        drop(sandbox.run(&arguments).reports());
    }
    drop(report(
        &sandbox,
        &["--without", "base.tar", "new.tar", "part.tar"],
    ));
    let base = sandbox.read("base.tar");
    Pair {
        sandbox,
        base,
        tags,
        new,
    }
}

/// The names that an engine has, of a repository.
fn names(engine: Docker, tag: &str) -> Vec<String> {
    let name = tag.rsplit_once(':').map_or(tag, |(name, _)| name);
    let list = [
        "image",
        "ls",
        "--format",
        "{{.Repository}}:{{.Tag}} {{.ID}}",
        name,
    ];
    let list = String::from_utf8(engine.run(&list)).expect("it is text");
    let mut names: Vec<String> = list.lines().map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn docker_loads_it_where_the_base_is() {
    for engine in Docker::found("docker_loads_it_where_the_base_is") {
        let _alone = engine.alone();
        for compress in ["none", "gzip"] {
            let Pair {
                sandbox,
                base,
                tags,
                new,
            } = pair(compress);
            let what = format!("{engine:?} {compress}");
            let part = sandbox.read("part.tar");
            let shown = report(
                &sandbox,
                &["--force", "--without", "base.tar", "new.tar", "p.tar"],
            );
            // The name that the engine has already stays where it is.
            let old = Image::new(&[&tags[1]], &["file old 1"]);
            let old = make::tar(&make::docker(&[old]));
            let _old = engine.load(&old, &tags[1..]);
            let before = names(engine, &tags[0]);
            let _ = engine.try_load(&part, &[]);
            assert_eq!(names(engine, &tags[0]), before, "{what}");
            assert!(engine.creates(&tags[1]), "{what}");

            let _base = engine.load(&base, &tags[..1]);
            let before = names(engine, &tags[0]);
            let _part: Loaded = engine.load(&part, &[]);
            assert_eq!(names(engine, &tags[0]), before, "{what}");
            let image = &shown["left_out"]["images"][0];
            let id = if engine.has_containerd_store() {
                &image["digest"]
            } else {
                &image["id"]
            };
            let id = id.as_str().expect("an id");
            let name = format!("{}:3", tags[0].rsplit_once(':').expect("a tag").0);
            let _named = Loaded::names(engine, std::slice::from_ref(&name));
            drop(engine.run(&["tag", id, &name]));
            let seen = engine.see(&name);
            assert_eq!(seen.diff_ids(), new.diff_ids, "{what}");
            assert!(engine.creates(&name), "{what}");
            // The engine writes it whole again.
            sandbox.write("saved.tar", engine.save(&[&name]));
            drop(sandbox.run(&["diff", "saved.tar", "new.tar"]).data(""));

            // What the engine prints of its images is an inventory.
            sandbox.write("have.json", engine.run(&["image", "inspect", &tags[0]]));
            let shown = report(
                &sandbox,
                &["--without", "have.json", "new.tar", "by-list.tar"],
            );
            assert_eq!(shown["left_out"]["layers"], 2, "{what}");
            if !engine.has_containerd_store() {
                let _again = engine.load(&sandbox.read("by-list.tar"), &[]);
            }
        }
    }
}

#[test]
fn podman_loads_it_where_the_base_is() {
    const TEST: &str = "podman_loads_it_where_the_base_is";
    if !is_root() {
        return skip(TEST, "podman is only tested as root");
    }
    for place in Place::with("podman", TEST) {
        let Pair {
            sandbox, tags, new, ..
        } = pair("none");
        let podman = Podman::new(place);
        let path = |name: &str| sandbox.path(name).display().to_string();
        let load = |name: &str| {
            let mut command = podman.command(&["load", "--input", &path(name)]);
            command.output().expect("podman can be started")
        };
        assert!(!load("part.tar").status.success(), "{place:?}");
        let listed = podman.run(&["image", "ls", "--quiet"]);
        assert_eq!(String::from_utf8_lossy(&listed), "", "{place:?}");
        assert!(load("base.tar").status.success(), "{place:?}");
        let loaded = load("part.tar");
        let said = String::from_utf8_lossy(&loaded.stderr).into_owned();
        assert!(loaded.status.success(), "{place:?}: {said}");
        let id = new.id().replace("sha256:", "");
        let shown = podman.run(&["image", "inspect", &id]);
        let shown: Value = serde_json::from_slice(&shown).expect("podman prints JSON");
        assert_eq!(
            shown[0]["RootFS"]["Layers"],
            serde_json::json!(new.diff_ids)
        );
        drop(podman.run(&["tag", &id, &tags[1]]));
        sandbox.write("have.json", podman.run(&["image", "inspect", &tags[0]]));
        let shown = report(
            &sandbox,
            &["--without", "have.json", "new.tar", "by-list.tar"],
        );
        assert_eq!(shown["left_out"]["layers"], 2, "{place:?}");
    }
}

#[test]
fn containerd_registers_nothing_without_the_base() {
    let Some(ctr) = Ctr::found("containerd_registers_nothing_without_the_base") else {
        return;
    };
    let Pair { sandbox, tags, .. } = pair("gzip");
    let part = sandbox.path("part.tar").display().to_string();
    let _ = ctr.try_run(&[
        "images",
        "import",
        "--digests",
        "--base-name",
        "part",
        &part,
    ]);
    assert_eq!(ctr.names(), Vec::<String>::new());
    let base = sandbox.path("base.tar").display().to_string();
    drop(ctr.run(&["images", "import", &base]));
    assert_eq!(ctr.names(), [full(&tags[0])]);
    drop(ctr.run(&[
        "images",
        "import",
        "--digests",
        "--base-name",
        "part",
        &part,
    ]));
    let names = ctr.names();
    let new = names
        .iter()
        .find(|it| it.starts_with("part@"))
        .expect("it is there");
    let check = String::from_utf8(ctr.run(&["images", "check"])).expect("it is text");
    let line = check
        .lines()
        .find(|it| it.starts_with(new.as_str()))
        .expect("a line");
    assert!(line.contains("complete"), "{line}");
}
