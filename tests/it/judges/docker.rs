//! Each Docker engine sees in what `restow` writes what it sees in the original.

use std::io;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::codec::Codec;
use crate::support::engine::{Docker, Loaded, Seen, unique};
use crate::support::entry::SECOND;
use crate::support::image::{Image, Store, facts};
use crate::support::judge::Format;
use crate::support::naive::Tree;
use crate::support::reference::full;
use crate::support::retag::{Retagged, digest_of, retagged};
use crate::support::tree::{Strictness, difference};
use crate::support::{Sandbox, fixture, make, own, testdata};

/// The archives that are converted; a layout is one that only the containerd store loads.
const FIXTURES: [&str; 11] = [
    "buildkit__edge.docker-zstd.tar",
    "buildkit__multi.oci.tar",
    "crane__edge.tarball.tar",
    "ctr__edge-nomanifest.tar",
    "docker20__dup.tar",
    "docker20__edge.tar",
    "docker29-containerd__edge-deep-multi.tar",
    "docker29-containerd__multiplatform-provenance.tar",
    "docker29-graphdriver__names.tar",
    "podman43__edge.oci.tar",
    "podman43__multi-tags.docker.tar",
];

/// How a conversion is told to write.
type Form = (&'static str, &'static str);

/// Every form and compression that an engine loads, the one that keeps all first.
const FORMS: [Form; 6] = [
    ("docker-archive:out", "keep"),
    ("docker-archive:out", "gzip"),
    ("docker-archive:out", "zstd"),
    ("oci-archive:out", "keep"),
    ("oci-archive:out", "gzip"),
    ("oci-archive:out", "zstd"),
];

/// What an engine puts into each container; `wd` is the working directory of the fixtures.
const PLACEHOLDERS: [&str; 6] = [".dockerenv", "dev", "etc", "proc", "sys", "wd"];

/// A tree without what is another one in each container.
fn without_placeholders(tree: &Tree) -> Tree {
    let mut tree = tree.clone();
    tree.edit(|meta| meta.mtime = meta.mtime / SECOND * SECOND);
    tree.remove_all(&PLACEHOLDERS);
    tree
}

/// Fails unless two images are the same to an engine, whatever their ids.
#[track_caller]
fn assert_same(expected: &Seen, got: &Seen, what: &str) {
    assert_eq!(got.facts, expected.facts, "{what}");
    assert_eq!(got.history, expected.history, "{what}");
    let trees = [expected, got].map(|it| without_placeholders(&it.tree));
    let difference = difference(&trees[0], &trees[1], Strictness::All);
    assert!(difference.is_empty(), "{what}:\n{difference}");
}

/// Fails unless an engine shows of an image what its config says.
#[track_caller]
fn assert_is(engine: Docker, seen: &Seen, image: &Image, what: &str) {
    if !engine.has_containerd_store() {
        assert_eq!(seen.id, image.id(), "{what}");
    }
    assert_eq!(seen.diff_ids(), image.diff_ids(), "{what}");
    let config: Value = serde_json::from_str(&image.config).expect("a config is JSON");
    for field in ["Architecture", "Os", "Created"] {
        let expected = &config[field.to_lowercase()];
        assert_eq!(seen.facts[field], *expected, "{what}: {field}");
    }
    let (shown, config) = (&seen.facts["Config"], &config["config"]);
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
        // Today's engine leaves out what is empty.
        let is_nothing = |it: &Value| *it == Value::Null || *it == json!([]) || *it == json!({});
        let is_same = shown[field] == config[field]
            || (is_nothing(&shown[field]) && is_nothing(&config[field]));
        assert!(
            is_same,
            "{what}: {field}: {} for {}",
            shown[field], config[field]
        );
    }
    for field in ["User", "WorkingDir"] {
        let [shown, expected] = [shown, config].map(|it| it[field].as_str().unwrap_or_default());
        assert_eq!(shown, expected, "{what}: {field}");
    }
}

/// Whether an engine loads an archive of this kind.
fn is_for(engine: Docker, store: &Store) -> bool {
    let is_layout = store.get("manifest.json").is_none();
    let has_zstd = || {
        let mut names = store.names().into_iter();
        names.any(|it| Codec::of(store.file(it)) == Codec::Zstd)
    };
    (!is_layout || engine.has_containerd_store()) && (engine.is_todays() || !has_zstd())
}

/// Has an engine load an archive, and shows each of its tags.
#[track_caller]
fn seen(engine: Docker, archive: &[u8], tags: &[String]) -> Vec<Seen> {
    let _loaded: Loaded = engine.load(archive, tags);
    tags.iter().map(|it| engine.see(it)).collect()
}

/// Converts an archive, and compares what an engine sees in both.
#[track_caller]
fn assert_converted(engine: Docker, name: &str, original: &Retagged, before: &[Seen], form: Form) {
    let (target, compress) = form;
    let what = format!("{engine:?}, {name} to {target} {compress}");
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", &original.archive);
    let arguments = ["convert", "--compress", compress, "in.tar", target];
    drop(sandbox.run(&arguments).warnings());
    let archive = sandbox.read("out");
    let after = seen(engine, &archive, &original.tags);
    let source = Store::from_tar(&original.archive);
    let images = match source.get("manifest.json") {
        Some(_) => source.docker_images(),
        None => source.layout().host_images(),
    };
    for ((tag, before), after) in original.tags.iter().zip(before).zip(&after) {
        assert_same(before, after, &format!("{what}, {tag}"));
        assert_eq!(after.tags, before.tags, "{what}");
        let mut images = images.iter();
        let image = images.find(|it| it.tags.contains(&full(tag)));
        assert_is(engine, after, image.expect("it has the tag"), &what);
        // The id of a graph driver is the config's. That of the containerd store changes with
        // the layers' bytes, and where `manifest.json` was all there was.
        let is_kept = compress == "keep" && source.get("index.json").is_some();
        if !engine.has_containerd_store() || is_kept {
            assert_eq!(after.id, before.id, "{what}, {tag}");
        }
        if engine.has_containerd_store() {
            assert_eq!(after.id, digest_of(&archive, tag), "{what}, {tag}");
        }
    }
}

/// Every fixture in the form that keeps all, and in another one; the others take turns.
#[track_caller]
fn assert_conversions(test: &str, engine: Docker) {
    if !engine.answers(test) {
        return;
    }
    let _alone = engine.alone();
    let mut turn = 0;
    for name in FIXTURES {
        let archive = fixture(name);
        if !is_for(engine, &Store::from_tar(&archive)) {
            continue;
        }
        let original = retagged(&archive);
        assert!(!original.tags.is_empty(), "{name} has names");
        let before = seen(engine, &original.archive, &original.tags);
        let can = |(target, compress): &&Form| {
            (engine.has_containerd_store() || target.starts_with("docker"))
                && (engine.is_todays() || *compress != "zstd")
        };
        let forms: Vec<Form> = FORMS.iter().filter(can).copied().collect();
        turn += 1;
        let other = forms[1 + turn % (forms.len() - 1)];
        for form in [forms[0], other] {
            assert_converted(engine, name, &original, &before, form);
        }
    }
}

#[test]
fn the_machines_engine_sees_what_the_original_has() {
    assert_conversions(
        "the_machines_engine_sees_what_the_original_has",
        Docker::Machine,
    );
}

#[test]
fn the_classic_engine_sees_what_the_original_has() {
    assert_conversions(
        "the_classic_engine_sees_what_the_original_has",
        Docker::Classic,
    );
}

#[test]
fn the_containerd_engine_sees_what_the_original_has() {
    assert_conversions(
        "the_containerd_engine_sees_what_the_original_has",
        Docker::Containerd,
    );
}

#[test]
fn docker_loads_what_has_been_a_layout() {
    for engine in Docker::found("docker_loads_what_has_been_a_layout") {
        let _alone = engine.alone();
        let mut compressions = vec!["keep", "none", "gzip"];
        if engine.is_todays() {
            compressions.push("zstd");
        }
        let source = testdata("docker20__edge.tar");
        let image = Store::open(&source).docker_images().remove(0);
        for (compress, to) in compressions
            .into_iter()
            .zip([Format::Oci, Format::OciArchive].into_iter().cycle())
        {
            let sandbox = Sandbox::new();
            let tags = [format!("{}:1", unique())];
            let source = Format::Docker.at(&source);
            let layout = to.at("layout");
            sandbox
                .run(&["convert", "--tag", &tags[0], &source, &layout])
                .silent();
            let run = sandbox.run(&["convert", "--compress", compress, &layout, "back.tar"]);
            drop(run.warnings());
            let seen = seen(engine, &sandbox.read("back.tar"), &tags);
            assert_is(
                engine,
                &seen[0],
                &image,
                &format!("{engine:?} {to:?} {compress}"),
            );
        }
    }
}

#[test]
fn what_docker_saves_becomes_a_layout_and_loads_again() {
    for engine in Docker::found("what_docker_saves_becomes_a_layout_and_loads_again") {
        let _alone = engine.alone();
        let sandbox = Sandbox::new();
        let repository = unique();
        let tags = ["1", "two"].map(|it| format!("{repository}:{it}"));
        let made = make::Image::new(
            &tags.each_ref().map(String::as_str),
            &["dir a\nfile a/b c", "file d e"],
        );
        let archive = make::tar(&make::docker(std::slice::from_ref(&made)));
        let loaded = engine.load(&archive, &tags);
        let before = engine.see(&tags[0]);
        let save = |arguments: &[&str]| {
            let tags = tags.clone();
            sandbox.restow(arguments).stdin_from(move |pipe| {
                let mut command = engine.command(&["save"]);
                let mut child = command.args(tags).stdout(Stdio::piped()).spawn()?;
                io::copy(&mut child.stdout.take().expect("stdout is piped"), pipe)?;
                child.wait().map(|_| ())
            })
        };
        save(&["convert", "-", "oci:out"]).run().silent();
        let layout = own::layout(&sandbox.path("out"));
        assert_eq!(facts(&layout.host_images()), [made.facts()], "{engine:?}");

        let again = save(&["convert", "-", "-"]).run().data("");
        drop(loaded);
        for after in seen(engine, &again, &tags) {
            let what = format!("{engine:?}");
            assert_same(&before, &after, &what);
            assert_eq!(
                (&after.id, &after.tags),
                (&before.id, &before.tags),
                "{what}"
            );
            assert_eq!(after.tags, tags, "{what}");
        }
    }
}

/// The tests' own archives are ones that an engine takes, or they would prove nothing.
#[test]
fn docker_loads_what_the_tests_make() {
    for engine in Docker::found("docker_loads_what_the_tests_make") {
        let _alone = engine.alone();
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
            let seen = seen(engine, &archive, &tags);
            assert_is(engine, &seen[0], &image, &format!("{engine:?}"));
            assert_eq!(seen[0].tags, tags);
        }
    }
}

/// The engine makes the same of a rootfs tar as of what `import` makes of it.
#[test]
fn docker_sees_in_an_import_what_it_imports_itself() {
    for engine in Docker::found("docker_sees_in_an_import_what_it_imports_itself") {
        let _alone = engine.alone();
        let sandbox = Sandbox::new();
        sandbox.write("in.tar", fixture("docker20__edge-export.tar"));
        let tags = [(); 2].map(|()| format!("{}:1", unique()));
        let change = ["--change", "CMD [\"/e\", \"a\"]", "--change", "ENV A=1 B=2"];
        let input = sandbox.path("in.tar");
        let input = input.to_str().expect("a plain path");
        let _theirs = Loaded::names(engine, &tags[..1]);
        drop(engine.run(&[&["import"], &change[..], &[input, &tags[0]]].concat()));
        let arguments = ["--tag", &tags[1], "in.tar", "docker-archive:out"];
        let run = sandbox.run(&[&["import"], &change[..], &arguments].concat());
        drop(run.warnings());
        let _ours = engine.load(&sandbox.read("out"), &tags[1..]);
        let [theirs, ours] = tags.each_ref().map(|it| engine.see(it));
        let what = format!("{engine:?}");
        assert_eq!(ours.tags, [tags[1].as_str()], "{what}");
        assert_eq!(ours.diff_ids(), theirs.diff_ids(), "{what}");
        for field in ["Architecture", "Os", "Config", "Author"] {
            let [ours, theirs] = [&ours, &theirs].map(|it| &it.facts[field]);
            assert_eq!(ours, theirs, "{what}: {field}");
        }
        let trees = [&theirs, &ours].map(|it| without_placeholders(&it.tree));
        let difference = difference(&trees[0], &trees[1], Strictness::All);
        assert!(difference.is_empty(), "{what}:\n{difference}");
    }
}
