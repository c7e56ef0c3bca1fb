//! What Docker, podman, skopeo, umoci and crane see of a changed config, and what they make of
//! the same image themselves.

use serde_json::{Map, Value, json};

use super::parsed;
use crate::support::Sandbox;
use crate::support::engine::{Docker, Loaded, unique};
use crate::support::judge::Format;
use crate::support::make::{self, Image};
use crate::support::podman::Podman;
use crate::support::registry::Registry;
use crate::support::squash::put;
use crate::support::tools::{Place, succeed};

/// A path in a sandbox, as another program takes it.
fn path(sandbox: &Sandbox, name: &str) -> String {
    let path = sandbox.path(name);
    path.to_str().expect("a plain path").to_owned()
}

/// An image with settings that every tool knows.
fn base(tag: &str) -> Image {
    Image::new(&[tag], &["file a 1", "file b 2"]).with_config(|config| {
        config["author"] = json!("you");
        config["config"] = json!({
            "Cmd": ["c"], "Entrypoint": ["e"], "Env": ["A=1", "B=2", "PATH=/bin"],
            "ExposedPorts": {"80/tcp": {}}, "Labels": {"l": "1", "k.x": "2"},
            "StopSignal": "SIGINT", "User": "u", "Volumes": {"/v": {}}, "WorkingDir": "/w",
        });
        config
            .as_object_mut()
            .expect("an object")
            .shift_remove("docker_version");
    })
}

/// The settings in a `config` object. What is empty is the same as what is absent.
fn settings(config: &Value) -> Value {
    const FIELDS: [&str; 12] = [
        "Cmd",
        "Entrypoint",
        "Env",
        "ExposedPorts",
        "Healthcheck",
        "Labels",
        "OnBuild",
        "Shell",
        "StopSignal",
        "User",
        "Volumes",
        "WorkingDir",
    ];
    let says = |value: &&Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    };
    let fields = FIELDS.iter().filter_map(|field| {
        let value = config.get(*field).filter(says)?;
        Some(((*field).to_owned(), value.clone()))
    });
    Value::Object(fields.collect::<Map<_, _>>())
}

/// What `docker image inspect` shows.
fn shown(engine: Docker, tag: &str) -> Value {
    parsed(engine.run(&["image", "inspect", tag]))[0].clone()
}

/// Each instruction that `docker commit` takes. STOPSIGNAL is one since Docker 25.
const COMMITS: [&[&str]; 18] = [
    &["CMD [\"x\", \"y z\"]"],
    &["CMD x $A"],
    &["ENTRYPOINT [\"x\"]"],
    &["ENTRYPOINT x y"],
    &["ENTRYPOINT [\"x\"]", "CMD [\"y\"]"],
    &["ENV A=3 C=\"4 $B\""],
    &["ENV A=3", "ENV D=$A"],
    &["EXPOSE 81/udp 90-92"],
    &["HEALTHCHECK --interval=5s --retries=3 CMD [\"up\"]"],
    &["HEALTHCHECK NONE"],
    &["LABEL m=$A l=\"x y\""],
    &["ONBUILD RUN z"],
    &["USER v:w"],
    &["STOPSIGNAL SIGKILL"],
    &["VOLUME /x /y"],
    &["VOLUME [\"/x\"]"],
    &["WORKDIR x/../z"],
    &["WORKDIR /z", "USER q", "EXPOSE 7"],
];

/// The engines take turns.
#[test]
fn docker_shows_what_it_would_commit() {
    let engines = Docker::found("docker_shows_what_it_would_commit");
    for (number, engine) in engines.iter().copied().enumerate() {
        let _store = engine.alone();
        let sandbox = Sandbox::new();
        let tag = format!("{}:1", unique());
        let (ours, theirs) = (format!("{}:2", unique()), format!("{}:3", unique()));
        let source = put(&sandbox, "in.tar", Format::Docker, &base(&tag));
        let _base = engine.load(&sandbox.read("in.tar"), std::slice::from_ref(&tag));
        let container = engine.run(&["create", "--pull", "never", &tag]);
        let container = String::from_utf8(container).expect("an id is text");
        let container = container.trim();
        for values in COMMITS.into_iter().skip(number).step_by(engines.len()) {
            if values[0].starts_with("STOPSIGNAL") && !engine.is_todays() {
                continue;
            }
            let what = format!("{engine:?} {values:?}");
            let changes: Vec<&str> = values.iter().flat_map(|it| ["--change", *it]).collect();
            let common = [&["--author", "me", "--message", "why"], &changes[..]].concat();
            let commit = [&["commit"], &common[..], &[container, &theirs]].concat();
            let _theirs = Loaded::names(engine, std::slice::from_ref(&theirs));
            drop(engine.run(&commit));
            let config = ["config", "--force", "-t", &ours, &source, "out.tar"];
            sandbox
                .run(&[&config[..1], &common[..], &config[1..]].concat())
                .silent();
            let _ours = engine.load(&sandbox.read("out.tar"), std::slice::from_ref(&ours));
            let facts = |tag: &str| {
                let shown = shown(engine, tag);
                let config = settings(&shown["Config"]);
                [config, shown["Author"].clone(), shown["Comment"].clone()]
            };
            assert_eq!(facts(&ours), facts(&theirs), "{what}");
        }
        drop(engine.run(&["rm", container]));
    }
}

/// `docker commit` does not take SHELL; a build does.
#[test]
fn docker_shows_what_it_would_build() {
    for engine in Docker::found("docker_shows_what_it_would_build") {
        let _store = engine.alone();
        let sandbox = Sandbox::new();
        let tag = format!("{}:1", unique());
        let (ours, theirs) = (format!("{}:2", unique()), format!("{}:3", unique()));
        let source = put(&sandbox, "in.tar", Format::Docker, &base(&tag));
        let _base = engine.load(&sandbox.read("in.tar"), std::slice::from_ref(&tag));
        for lines in [
            &["SHELL [\"/bin/ash\", \"$A\"]"][..],
            &["SHELL [ \"a\",\"b c\" ]", "CMD x", "ENTRYPOINT y z"],
            &["SHELL [\"a\"]", "SHELL [\"b\"]", "HEALTHCHECK CMD x"],
            &["SHELL [\"a\"]", "CMD [\"b\"]", "STOPSIGNAL 9"],
        ] {
            let what = format!("{engine:?} {lines:?}");
            sandbox.write(
                "context/Dockerfile",
                format!("FROM {tag}\n{}\n", lines.join("\n")),
            );
            let context = path(&sandbox, "context");
            let mut build = engine.command(&["build", "--quiet", "-t", &theirs, &context]);
            let _theirs = Loaded::names(engine, std::slice::from_ref(&theirs));
            drop(succeed(build.env("DOCKER_BUILDKIT", "0")));
            let changes: Vec<&str> = lines.iter().flat_map(|it| ["-c", *it]).collect();
            let config = ["config", "--force", "-t", &ours, &source, "out.tar"];
            sandbox
                .run(&[&config[..1], &changes[..], &config[1..]].concat())
                .silent();
            let _ours = engine.load(&sandbox.read("out.tar"), std::slice::from_ref(&ours));
            let config = |tag: &str| settings(&shown(engine, tag)["Config"]);
            assert_eq!(config(&ours), config(&theirs), "{what}");
        }
    }
}

/// The changes for podman, skopeo and an engine that loads what was written.
const CHANGES: [&str; 14] = [
    "--change",
    "CMD [\"x\"]",
    "--change",
    "ENV C=3",
    "--change",
    "EXPOSE 81/udp",
    "--change",
    "STOPSIGNAL SIGKILL",
    "--unset",
    "USER",
    "--label",
    "m=$A",
    "--author",
    "me",
];

#[test]
fn podman_shows_the_fields() {
    for place in Place::with("podman", "podman_shows_the_fields") {
        for format in [Format::Docker, Format::OciArchive] {
            let sandbox = Sandbox::new();
            let source = put(&sandbox, "in", Format::Docker, &base("app:1"));
            let out = format.at("out");
            sandbox
                .run(&[&["config"], &CHANGES[..], &[&source, &out]].concat())
                .silent();
            let podman = Podman::new(place);
            drop(podman.run(&["load", "--input", &path(&sandbox, "out")]));
            let shown = parsed(podman.run(&["image", "inspect", "app:1"]));
            let expected = json!({
                "Cmd": ["x"], "Entrypoint": ["e"], "Env": ["A=1", "B=2", "PATH=/bin", "C=3"],
                "ExposedPorts": {"80/tcp": {}, "81/udp": {}},
                "Labels": {"k.x": "2", "l": "1", "m": "$A"}, "StopSignal": "SIGKILL",
                "Volumes": {"/v": {}}, "WorkingDir": "/w",
            });
            assert_eq!(
                settings(&shown[0]["Config"]),
                expected,
                "{place:?} {format:?}"
            );
            assert_eq!(shown[0]["Author"], json!("me"), "{place:?} {format:?}");
        }
    }
}

#[test]
fn skopeo_copies_and_shows_the_fields() {
    for place in Place::with("skopeo", "skopeo_copies_and_shows_the_fields") {
        for format in Format::ALL {
            let sandbox = Sandbox::new();
            let source = put(&sandbox, "in", Format::Docker, &base("app:1"));
            let out = format.at("out");
            sandbox
                .run(&[&["config"], &CHANGES[..], &[&source, &out]].concat())
                .silent();
            let expected = sandbox.run(&["inspect", "--raw", "config", &out]).data("");
            let skopeo = |arguments: &[&str]| succeed(place.command("skopeo").args(arguments));
            let from = format.at(path(&sandbox, "out"));
            let to = format!("oci:{}:copy", path(&sandbox, "copy"));
            drop(skopeo(&["copy", "--insecure-policy", &from, &to]));
            let shown = parsed(skopeo(&["inspect", "--config", "--raw", &to]));
            assert_eq!(shown, parsed(expected), "{place:?} {format:?}");
        }
    }
}

/// Options of umoci, and those of restow for the same.
const UMOCI: [(&[&str], &[&str]); 17] = [
    (&["--config.user", "v:w"], &["-c", "USER v:w"]),
    (
        &["--config.exposedports", "81/udp"],
        &["-c", "EXPOSE 81/udp"],
    ),
    (&["--config.env", "C=3"], &["-c", "ENV C=3"]),
    (&["--config.env", "A=3"], &["-c", "ENV A=3"]),
    (
        &["--config.entrypoint", "x"],
        &["-c", "CMD [\"c\"]", "-c", "ENTRYPOINT [\"x\"]"],
    ),
    (&["--config.cmd", "x"], &["-c", "CMD [\"x\"]"]),
    (&["--config.volume", "/x"], &["-c", "VOLUME /x"]),
    (&["--config.label", "m=$A"], &["--label", "m=$A"]),
    (&["--config.workingdir", "/x"], &["-c", "WORKDIR /x"]),
    (
        &["--config.stopsignal", "SIGKILL"],
        &["-c", "STOPSIGNAL SIGKILL"],
    ),
    (&["--author", "me"], &["--author", "me"]),
    (
        &["--os", "windows", "--architecture", "arm64"],
        &["--set-platform", "windows/arm64"],
    ),
    (
        &["--created", "2020-02-02T03:04:05Z"],
        &["--created", "2020-02-02T03:04:05Z"],
    ),
    (&["--clear", "config.env"], &["--unset", "ENV"]),
    (&["--clear", "config.labels"], &["--unset", "LABEL"]),
    (&["--clear", "config.cmd"], &["--unset", "CMD"]),
    (
        &["--manifest.annotation", "x=y", "--config.user", "v"],
        &["--annotation", "x=y", "-c", "USER v"],
    ),
];

/// What a config says apart from its history and layers.
fn facts(config: &Value) -> Value {
    let mut facts = json!({"config": settings(&config["config"])});
    for field in ["author", "os", "architecture", "created"] {
        facts[field] = config[field].clone();
    }
    facts
}

#[test]
fn umoci_makes_the_same_config() {
    for place in Place::with("umoci", "umoci_makes_the_same_config") {
        for (theirs, ours) in UMOCI {
            let sandbox = Sandbox::new();
            let source = put(&sandbox, "in", Format::Docker, &base("app:1"));
            sandbox.run(&["convert", &source, "oci:umoci:one"]).silent();
            let image = format!("{}:one", path(&sandbox, "umoci"));
            let arguments = [&["config", "--image", &image], theirs].concat();
            drop(succeed(place.command("umoci").args(arguments)));
            sandbox
                .run(&[&["config"], ours, &[&source, "oci:restow:one"]].concat())
                .silent();
            let raw = |what: &str, layout: &str| {
                let image = format!("oci:{layout}:one");
                parsed(sandbox.run(&["inspect", "--raw", what, &image]).data(""))
            };
            let (umoci, restow) = (raw("config", "umoci"), raw("config", "restow"));
            assert_eq!(facts(&restow), facts(&umoci), "{place:?} {theirs:?}");
            let told = |config: &Value| {
                let history = config["history"].as_array().expect("a history");
                (
                    history.len(),
                    history.last().map(|it| it["empty_layer"].clone()),
                )
            };
            assert_eq!(told(&restow), told(&umoci), "{place:?} {theirs:?}");
            let annotations = |layout: &str| raw("manifest", layout)["annotations"].clone();
            assert_eq!(annotations("restow"), annotations("umoci"), "{theirs:?}");
            // umoci takes what restow has changed.
            let image = format!("{}:one", path(&sandbox, "restow"));
            drop(succeed(
                place.command("umoci").args(["stat", "--image", &image]),
            ));
        }
    }
}

/// Options of crane, and those of restow for the same.
const CRANE: [(&[&str], &[&str]); 9] = [
    (&["--user", "v"], &["-c", "USER v"]),
    (&["--workdir", "/x"], &["-c", "WORKDIR /x"]),
    (&["--env", "A=3"], &["-c", "ENV A=3"]),
    (&["--label", "m=n"], &["--label", "m=n"]),
    // crane replaces the ports that were there.
    (
        &["--exposed-ports", "81/udp"],
        &["--unset", "EXPOSE", "-c", "EXPOSE 81/udp"],
    ),
    (&["--cmd", "x,y"], &["-c", "CMD [\"x\", \"y\"]"]),
    (&["--entrypoint", "x"], &["-c", "ENTRYPOINT [\"x\"]"]),
    (
        &["--set-platform", "linux/arm64"],
        &["--set-platform", "linux/arm64"],
    ),
    (&["--annotation", "x=y"], &["--annotation", "x=y"]),
];

#[test]
fn crane_makes_the_same_config() {
    if !Place::Today.has("crane", "crane_makes_the_same_config") {
        return;
    }
    let registry = Registry::start();
    let crane = |arguments: &[&str]| succeed(Place::Today.command("crane").args(arguments));
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&make::docker(&[base("app:1")])));
    let image = |tag: &str| format!("{}/app:{tag}", registry.address);
    drop(crane(&["push", &path(&sandbox, "in.tar"), &image("1")]));
    for (theirs, ours) in CRANE {
        drop(crane(
            &[&["mutate", "-t", &image("2")], theirs, &[&image("1")]].concat(),
        ));
        let config = [&["config", "--force"], ours, &["in.tar", "out.tar"]].concat();
        sandbox.run(&config).silent();
        let config = parsed(
            sandbox
                .run(&["inspect", "--raw", "config", "out.tar"])
                .data(""),
        );
        let manifest = parsed(
            sandbox
                .run(&["inspect", "--raw", "manifest", "out.tar"])
                .data(""),
        );
        let crane_config = parsed(crane(&["config", &image("2")]));
        assert_eq!(facts(&config), facts(&crane_config), "{theirs:?}");
        let crane_manifest = parsed(crane(&["manifest", &image("2")]));
        assert_eq!(
            manifest["annotations"], crane_manifest["annotations"],
            "{theirs:?}"
        );
    }
}
