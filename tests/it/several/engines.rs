//! What engines make of several images in one archive, and of a new index.

use super::index::three;
use super::sandbox;
use crate::support::engine::{Docker, unique};
use crate::support::image::host_platform;
use crate::support::tools::{Place, tool};

const TEST: &str = "several::engines";

#[test]
fn docker_loads_every_image_of_a_joined_archive() {
    for docker in Docker::found(TEST) {
        let sandbox = sandbox();
        let [a, b] = ["a", "b"].map(|name| format!("several-{name}-{}:1", unique()));
        let retag = [format!("a:1={a}"), format!("b:1={b}")];
        let line = [
            "convert",
            "--retag",
            &retag[0],
            "a.tar",
            "b.oci.tar",
            "--retag",
            &retag[1],
            "all.tar",
        ];
        sandbox.run(&line).silent();
        let loaded = docker.load(&sandbox.read("all.tar"), &[a.clone(), b.clone()]);
        let [one, other] = [&a, &b].map(|name| docker.see(name).diff_ids());
        assert_eq!(one[0], other[0], "they share a layer");
        assert_ne!(one[1], other[1]);
        drop(loaded);
    }
}

#[test]
fn docker_loads_an_index() {
    for docker in Docker::found(TEST) {
        let sandbox = three();
        let name = format!("several-index-{}:1", unique());
        let line = [
            "convert",
            "--index",
            &name,
            "arm64.tar",
            "amd64.tar",
            "arm.tar",
            "all.tar",
        ];
        sandbox.run(&line).silent();
        drop(docker.load(&sandbox.read("all.tar"), std::slice::from_ref(&name)));
    }
}

#[test]
fn skopeo_takes_each_platform_of_an_index() {
    for place in Place::with("skopeo", TEST) {
        if place != Place::Machine {
            continue;
        }
        let sandbox = three();
        let line = [
            "convert",
            "--index",
            "app:1",
            "amd64.tar",
            "arm64.tar",
            "oci:lay",
        ];
        sandbox.run(&line).silent();
        let layout = format!("oci:{}:app:1", sandbox.path("lay").display());
        for architecture in ["amd64", "arm64"] {
            let inspected = tool(
                "skopeo",
                &[
                    "--override-arch",
                    architecture,
                    "inspect",
                    "--config",
                    &layout,
                ],
            );
            let config: serde_json::Value = serde_json::from_slice(&inspected).unwrap();
            assert_eq!(config["architecture"], architecture, "{}", host_platform());
        }
    }
}
