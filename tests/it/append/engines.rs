//! Engines take the results, and see the tree of the layers.

use std::process::Command;

use super::{BASE, age, base, files};
use crate::support::engine::{Docker, Loaded, unique};
use crate::support::entry::entries;
use crate::support::judge::Format;
use crate::support::layer;
use crate::support::naive::replay;
use crate::support::sandbox::Sandbox;
use crate::support::squash::read;
use crate::support::tools;
use crate::support::tree::{Strictness, difference};

/// Paths that Docker itself adds to a container.
const OF_DOCKER: [&str; 10] = [
    ".dockerenv",
    "dev",
    "dev/console",
    "dev/pts",
    "dev/shm",
    "etc/hostname",
    "etc/mtab",
    "etc/resolv.conf",
    "proc",
    "sys",
];

#[test]
fn docker_exports_the_tree_of_the_layers() {
    for engine in Docker::found("docker_exports_the_tree_of_the_layers") {
        let sandbox = Sandbox::new();
        let source = base(&sandbox, Format::Docker, BASE);
        files(&sandbox, &[("f", "new", 0o4755), ("d/s/b", "2", 0o640)]);
        age(&sandbox, "d/s");
        sandbox.write(
            "l.tar",
            layer::tar(&entries("srv/ srv/new=1(5:6) u/(0711)")),
        );
        let tag = unique();
        let words = [
            "append", &source, "out", "-t", &tag, "d:/lib", "f:/tmp/", "l.tar",
        ];
        let words = [&words[..], &["--delete", "srv/f", "-c", "CMD [\"/f\"]"]].concat();
        sandbox.run(&words).silent();
        let written = read(&sandbox, "out", Format::Docker);
        let loaded = engine.load(&sandbox.read("out"), std::slice::from_ref(&tag));
        let mut expected = replay(&written.stored);
        let mut got = replay(&[engine.export(&tag)]);
        drop(loaded);
        for tree in [&mut expected, &mut got] {
            tree.remove_root();
            tree.remove_all(&OF_DOCKER);
            tree.remove_all(&["etc/hosts"]);
        }
        // The engine makes files in `etc` and so changes its time.
        let etc = |tree: &mut crate::support::naive::Tree| tree.remove_all(&["etc"]);
        etc(&mut expected);
        etc(&mut got);
        let difference = difference(&expected, &got, Strictness::All);
        assert!(difference.is_empty(), "{difference}");
    }
}

/// A static program in an image of its own runs.
#[test]
fn an_image_of_one_program_runs_in_docker() {
    const TEST: &str = "an_image_of_one_program_runs_in_docker";
    // The other engines of the tests start no containers.
    let engine = Docker::Machine;
    if engine.answers(TEST) {
        let sandbox = Sandbox::new();
        sandbox.write(
            "hello.c",
            "#include <stdio.h>\nint main() { puts(\"hello\"); }\n",
        );
        let mut compiler = Command::new("cc");
        compiler.current_dir(sandbox.path(""));
        compiler.args(["-static", "-o", "hello", "hello.c"]);
        if !compiler.output().is_ok_and(|it| it.status.success()) {
            tools::skip(TEST, "no C compiler makes static programs");
            return;
        }
        let tag = unique();
        let entrypoint = "ENTRYPOINT [\"/bin/hello\"]";
        let words = [
            "append",
            "scratch",
            "out",
            "./hello:/bin/",
            "-t",
            &tag,
            "-c",
            entrypoint,
        ];
        sandbox.run(&words).silent();
        let _loaded = engine.load(&sandbox.read("out"), std::slice::from_ref(&tag));
        assert!(engine.creates(&tag));
        let said = engine.run(&["run", "--rm", "--network", "none", &tag]);
        assert_eq!(said, b"hello\n");
    }
}

/// `COPY` of Docker's own builder puts files at the same paths, with the same metadata, except
/// for times, and for setuid, which that builder loses.
#[test]
fn copy_in_a_dockerfile_puts_the_same_files_there() {
    const TEST: &str = "copy_in_a_dockerfile_puts_the_same_files_there";
    let engine = Docker::Machine;
    if !engine.answers(TEST) {
        return;
    }
    for (layer, copy) in [
        ("f:/lib/new", "COPY f /lib/new"),
        ("f:/lib", "COPY f /lib"),
        ("f:/data/deep/er/", "COPY f /data/deep/er/"),
        ("f:/link/x", "COPY f /link/x"),
        ("f:/data/f", "COPY f /data/f"),
        ("f:/tmp/x", "COPY f /tmp/x"),
        ("d:/lib", "COPY d /lib"),
        ("d:/made/here", "COPY d /made/here"),
        ("d", "COPY d /"),
    ] {
        let sandbox = Sandbox::new();
        let layers = format!("{BASE} | link->no/where no/ no/where/ srv/s/(0700)");
        let source = base(&sandbox, Format::Docker, &layers);
        files(&sandbox, &[("f", "new", 0o755), ("d/s/b", "2", 0o640)]);
        let (from, tag, other) = (unique(), unique(), unique());
        sandbox
            .run(&["convert", &source, "from", "-t", &from])
            .silent();
        let _from = engine.load(&sandbox.read("from"), std::slice::from_ref(&from));
        sandbox.write("Dockerfile", format!("FROM {from}\n{copy}\n"));
        let folder = sandbox.path("");
        let folder = folder.to_str().expect("a plain path");
        let _built = Loaded::names(engine, std::slice::from_ref(&other));
        let mut builder = engine.command(&["build", "-q", "-t", &other, folder]);
        drop(tools::succeed(builder.env("DOCKER_BUILDKIT", "0")));
        sandbox
            .run(&["append", &source, "out", layer, "-t", &tag])
            .silent();
        let _loaded = engine.load(&sandbox.read("out"), std::slice::from_ref(&tag));
        let [mut got, mut expected] = [&tag, &other].map(|it| replay(&[engine.export(it)]));
        for tree in [&mut got, &mut expected] {
            tree.remove_root();
            tree.remove_all(&OF_DOCKER);
            tree.remove_all(&["etc"]);
            tree.edit(|meta| meta.mtime = 0);
        }
        let difference = difference(&expected, &got, Strictness::All);
        assert!(difference.is_empty(), "{copy}: {difference}");
    }
}
