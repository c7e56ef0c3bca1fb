//! Engines load and run an image on its new base.

use super::{image, put, read, shown};
use crate::support::engine::{Docker, unique};
use crate::support::image::strings;
use crate::support::judge::Format;
use crate::support::naive::replay;
use crate::support::podman::Podman;
use crate::support::tools::Place;
use crate::support::{Sandbox, make};

/// An image on its new base, under a name of its own.
fn rebased(sandbox: &Sandbox, tag: &str) {
    let with = |words: &str, name: &str| {
        image(name, words).with_config(|it| {
            it["config"] = serde_json::json!({"Env": ["PATH=/bin"], "Cmd": ["/app"]});
        })
    };
    put(sandbox, "app.tar", &with("os app more", "app:1"));
    put(sandbox, "base.tar", &with("os", "base:1"));
    let new = crate::support::codec::Codec::Gzip;
    sandbox.write(
        "new.tar",
        make::tar(&make::crane(&[with("os2 lib2", "base:2").stored_as(new)])),
    );
    let arguments = [
        "rebase", "-q", "--onto", "new.tar", "--from", "base.tar", "-t", tag, "app.tar", "out.tar",
    ];
    sandbox.run(&arguments).silent();
}

#[test]
fn docker_loads_and_shows_it() {
    let test = "docker_loads_and_shows_it";
    for docker in Docker::found(test) {
        let sandbox = Sandbox::new();
        let tag = format!("{}:rebased", unique());
        rebased(&sandbox, &tag);
        let (image, _) = read(&sandbox, "out.tar", Format::Docker);
        let _alone = docker.alone();
        let _loaded = docker.load(&sandbox.read("out.tar"), std::slice::from_ref(&tag));
        let seen = docker.see(&tag);
        assert_eq!(seen.diff_ids(), image.diff_ids(), "{docker:?}");
        assert_eq!(seen.facts["Config"]["Cmd"], serde_json::json!(["/app"]));
        let tree = replay(&[docker.export(&tag)]);
        for name in ["os2", "lib2", "app", "more"] {
            assert!(tree.has(name.as_bytes()), "{docker:?}: {name}");
        }
        assert!(!tree.has(b"os"), "{docker:?}");
    }
}

#[test]
fn podman_and_skopeo_read_it() {
    let test = "podman_and_skopeo_read_it";
    let sandbox = Sandbox::new();
    rebased(&sandbox, "app:rebased");
    let config = shown(&sandbox, "config", "out.tar");
    for place in Place::with("skopeo", test) {
        let mut skopeo = place.command("skopeo");
        let source = format!("docker-archive:{}", sandbox.path("out.tar").display());
        let arguments = ["--insecure-policy", "inspect", "--config", "--raw", &source];
        let seen = crate::support::tools::succeed(skopeo.args(arguments));
        let seen: serde_json::Value = serde_json::from_slice(&seen).expect("JSON");
        assert_eq!(seen, config, "{place:?}");
    }
    for place in Place::with("podman", test) {
        let podman = Podman::new(place);
        let archive = sandbox.path("out.tar");
        drop(podman.run(&["load", "-q", "-i", &archive.to_string_lossy()]));
        let format = "{{json .RootFS.Layers}}";
        let seen = podman.run(&["image", "inspect", "--format", format, "app:rebased"]);
        let seen: serde_json::Value = serde_json::from_slice(&seen).expect("JSON");
        assert_eq!(
            strings(&seen),
            strings(&config["rootfs"]["diff_ids"]),
            "{place:?}"
        );
    }
}
