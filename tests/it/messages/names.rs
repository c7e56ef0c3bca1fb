//! Names of images that are in no file, and what is said of them.

use std::fs;

use expect_test::{Expect, expect};

use super::app;
use crate::support::expected::Expected;
use crate::support::make;
use crate::support::sandbox::Sandbox;

/// A folder with an archive, a layout and a root filesystem.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&make::docker(&[app()])));
    sandbox.run(&["convert", "in.tar", "oci:layout"]).silent();
    sandbox.run(&["export", "in.tar", "rootfs.tar"]).silent();
    sandbox
}

/// Checks that a command line is wrong, that this is said of it, and that nothing came of it.
#[track_caller]
fn is_refused(sandbox: &Sandbox, arguments: &[&str], says: impl Expected) {
    sandbox.run(arguments).ends(2, says);
}

/// Every place of every command where an image is named.
const PLACES: [&[&str]; 16] = [
    &["convert", "NAME", "out.tar"],
    &["convert", "in.tar", "NAME"],
    &["convert", "--force", "in.tar", "NAME"],
    &["convert", "--to", "oci", "in.tar", "NAME"],
    &["export", "NAME"],
    &["export", "in.tar", "NAME"],
    &["import", "NAME", "out.tar"],
    &["import", "rootfs.tar", "NAME"],
    &["import", "--config-from", "NAME", "rootfs.tar", "out.tar"],
    &["squash", "--all", "NAME", "out.tar"],
    &["squash", "--all", "in.tar", "NAME"],
    &["squash", "--above", "NAME", "in.tar", "out.tar"],
    &["images", "in.tar", "NAME"],
    &["inspect", "NAME"],
    &["history", "NAME"],
    &["verify", "NAME"],
];

#[test]
fn a_word_before_a_colon_is_never_a_part_of_a_file_name() {
    let sandbox = sandbox();
    let names = [
        "docker-daemon:app:1",
        "containers-storage:app",
        "docker:app",
        "docker://app:1",
        "dir:in.tar",
        "sif:out.sif",
        "ostree:app@/repo",
        "oci-dir:layout",
        "OCI:layout",
        "docker-archve:in.tar",
        "https://example.org/in.tar",
        "app:1",
        "a:b.tar",
        "out.tar:app:1",
        "ordner-ä:x",
        ":x",
        "x:",
    ];
    for name in names {
        // Not even if there is a file of that name.
        if !name.contains('/') {
            sandbox.write(name, sandbox.read("in.tar"));
        }
        for place in PLACES {
            let fill = |word: &&'static str| if *word == "NAME" { name } else { *word };
            let arguments: Vec<&str> = place.iter().map(fill).collect();
            let output = sandbox.run(&arguments);
            assert_eq!(output.code, Some(2), "{output:?}");
            assert_eq!(output.stdout, b"", "{output:?}");
            assert!(output.stderr.contains("transport"), "{output:?}");
        }
    }
}

#[test]
fn a_path_is_a_file_whatever_colons_are_in_it() {
    let sandbox = sandbox();
    fs::create_dir(sandbox.path("a:b")).expect("a directory can be made");
    let absolute = sandbox.path("c:d.tar");
    let absolute = absolute.to_str().expect("the path is UTF-8");
    for name in ["./docker-daemon:app:1", "./a:b.tar", "./a:b/c:d", absolute] {
        sandbox.run(&["convert", "in.tar", name]).silent();
        assert!(sandbox.path(name).is_file(), "{name}");
        sandbox.run(&["convert", name, "oci:layout"]).silent();
        let tree = sandbox.run(&["export", name, "-"]).data("");
        assert_eq!(tree, sandbox.read("rootfs.tar"), "{name}");
    }
}

/// Command lines that name an image elsewhere, and what is said of each.
const ELSEWHERE: [(&[&str], Expect); 31] = [
    (
        &["convert", "docker-daemon:app:1", "out.tar"],
        expect![[r#"
            error: `docker-daemon:app:1`: unknown transport `docker-daemon`
              hint: restow only reads files; pipe the image in: `docker save app:1 | restow convert - DST`
        "#]],
    ),
    (
        &["convert", "in.tar", "docker-daemon:app:1"],
        expect![[r#"
            error: `docker-daemon:app:1`: unknown transport `docker-daemon`
              hint: pipe it to the engine: `restow convert --tag app:1 SRC - | docker load`
        "#]],
    ),
    (
        &["export", "in.tar", "docker-daemon:app:1"],
        expect![[r#"
            error: `docker-daemon:app:1`: unknown transport `docker-daemon`
              hint: pipe it to the engine: `restow export SRC | docker import - app:1`
        "#]],
    ),
    (
        &["import", "rootfs.tar", "docker-daemon:app:1"],
        expect![[r#"
            error: `docker-daemon:app:1`: unknown transport `docker-daemon`
              hint: pipe it to the engine: `restow import --tag app:1 ROOTFS - | docker load`
        "#]],
    ),
    (
        &["import", "docker-daemon:app:1", "out.tar"],
        expect![[r#"
            error: `docker-daemon:app:1`: unknown transport `docker-daemon`
              hint: restow only reads files; pipe the image in: `docker export CONTAINER | restow import - DST`
        "#]],
    ),
    (
        &[
            "squash",
            "--above",
            "docker-daemon:base",
            "in.tar",
            "out.tar",
        ],
        expect![[r#"
            error: `docker-daemon:base`: unknown transport `docker-daemon`
              hint: restow only reads files; pipe the image in: `docker save base > FILE`, and `--above FILE`
        "#]],
    ),
    (
        &["inspect", "containers-storage:No Name"],
        expect![[r#"
            error: `containers-storage:No Name`: unknown transport `containers-storage`
              hint: restow only reads files; pipe the image in: `podman save NAME | restow inspect -`
        "#]],
    ),
    (
        &["squash", "--all", "in.tar", "containers-storage:app"],
        expect![[r#"
            error: `containers-storage:app`: unknown transport `containers-storage`
              hint: pipe it to the engine: `restow squash … --tag app SRC - | podman load`
        "#]],
    ),
    (
        &["verify", "docker:nginx"],
        expect![[r#"
            error: `docker:nginx`: unknown transport `docker`
              hint: restow only reads files; pipe the image in: `docker save nginx | restow verify -`
        "#]],
    ),
    (
        &["images", "docker://nginx"],
        expect![[r#"
            error: `docker://nginx`: unknown transport `docker`
              hint: restow only reads files; pipe the image in: `docker save nginx | restow images -`, after `docker pull nginx`
        "#]],
    ),
    (
        &["convert", "in.tar", "docker://example.org/app:1"],
        expect![[r#"
            error: `docker://example.org/app:1`: unknown transport `docker`
              hint: restow does not push to registries: `restow convert SRC oci:DIR`, then `skopeo copy oci:DIR docker://example.org/app:1`
        "#]],
    ),
    (
        &["history", "nginx:latest"],
        expect![[r#"
            error: `nginx:latest`: unknown transport `nginx`
              hint: restow only reads files; pipe the image in: `docker save nginx:latest | restow history -`; to name a file, type `./nginx:latest`
        "#]],
    ),
    (
        &["convert", "localhost:5000/app:1", "out.tar"],
        expect![[r#"
            error: `localhost:5000/app:1`: unknown transport `localhost`
              hint: restow only reads files; pipe the image in: `docker save localhost:5000/app:1 | restow convert - DST`; to name a file, type `./localhost:5000/app:1`
        "#]],
    ),
    (
        &["convert", "https://example.org/app.tar", "out.tar"],
        expect![[r#"
            error: `https://example.org/app.tar`: unknown transport `https`
              hint: restow does not download: `curl -fL https://example.org/app.tar | restow convert - DST`
        "#]],
    ),
    (
        &["convert", "in.tar", "https://example.org/app.tar"],
        expect![[r#"
            error: `https://example.org/app.tar`: unknown transport `https`
              hint: restow does not upload: write a file and upload it
        "#]],
    ),
    (
        &["convert", "file:///srv/app.tar", "out.tar"],
        expect![[r#"
            error: `file:///srv/app.tar`: unknown transport `file`
              hint: use only the path: `/srv/app.tar`
        "#]],
    ),
    (
        &["convert", "dir:saved", "oci:out"],
        expect![[r#"
            error: `dir:saved`: unknown transport `dir`
              hint: `dir:` is not supported: `skopeo copy dir:saved oci:DIR` converts it to a layout
        "#]],
    ),
    (
        &["convert", "in.tar", "dir:saved"],
        expect![[r#"
            error: `dir:saved`: unknown transport `dir`
              hint: `dir:` is not supported: `restow convert SRC oci:DIR`, then `skopeo copy oci:DIR dir:saved`
        "#]],
    ),
    (
        &["export", "in.tar", "dir:saved"],
        expect![[r#"
            error: `dir:saved`: unknown transport `dir`
              hint: `dir:` is not supported, and `export` writes a tar
        "#]],
    ),
    (
        &["convert", "in.tar", "sif:app.sif"],
        expect![[r#"
            error: `sif:app.sif`: unknown transport `sif`
              hint: `sif:` is not supported: `restow convert SRC FILE`, then `apptainer build app.sif docker-archive:FILE`
        "#]],
    ),
    (
        &["convert", "in.tar", "docker-archve:out.tar"],
        expect![[r#"
            error: `docker-archve:out.tar`: unknown transport `docker-archve`
              hint: did you mean `docker-archive:out.tar`? To name a file, type `./docker-archve:out.tar`
        "#]],
    ),
    (
        &["convert", "OCI:layout:app:1", "out.tar"],
        expect![[r#"
            error: `OCI:layout:app:1`: unknown transport `OCI`
              hint: did you mean `oci:layout:app:1`? To name a file, type `./OCI:layout:app:1`
        "#]],
    ),
    (
        &["images", "oci-layout:layout"],
        expect![[r#"
            error: `oci-layout:layout`: unknown transport `oci-layout`
              hint: did you mean `oci:layout`? To name a file, type `./oci-layout:layout`
        "#]],
    ),
    (
        &["images", "oic-archive:in.tar"],
        expect![[r#"
            error: `oic-archive:in.tar`: unknown transport `oic-archive`
              hint: did you mean `oci-archive:in.tar`? To name a file, type `./oic-archive:in.tar`
        "#]],
    ),
    (
        &["inspect", "layout:app:1"],
        expect![[r#"
            error: `layout:app:1`: unknown transport `layout`
              hint: to name an image in a layout, type `oci:layout:app:1`; to name a file, type `./layout:app:1`
        "#]],
    ),
    (
        &["inspect", "in.tar:app:1"],
        expect![[r#"
            error: `in.tar:app:1`: unknown transport `in.tar`
              hint: to name an image in an archive, type `docker-archive:in.tar:app:1`; to name a file, type `./in.tar:app:1`
        "#]],
    ),
    (
        &["convert", "in.tar", "new:1"],
        expect![[r#"
            error: `new:1`: unknown transport `new`
              hint: to name the image, type `restow convert --tag new:1 SRC FILE`; to name a file, type `./new:1`
        "#]],
    ),
    (
        &["import", "rootfs.tar", "new:1"],
        expect![[r#"
            error: `new:1`: unknown transport `new`
              hint: to name the image, type `restow import --tag new:1 ROOTFS FILE`; to name a file, type `./new:1`
        "#]],
    ),
    (
        &["import", "rootfs.tar", "user/new:1"],
        expect![[r#"
            error: `user/new:1` looks like the name of an image, but DST is a file
              hint: to name the image, type `restow import --tag user/new:1 ROOTFS FILE`
        "#]],
    ),
    (
        &["export", "in.tar", "out.tar:app:1"],
        expect![[r#"
            error: `out.tar:app:1`: unknown transport `out.tar`
              hint: to name a file, type `./out.tar:app:1`
        "#]],
    ),
    (
        &["export", "in.tar", ":x"],
        expect![[r#"
            error: `:x`: the transport before the colon is missing
              hint: to name a file, type `./:x`
        "#]],
    ),
];

#[test]
fn who_names_an_engine_is_told_the_pipe() {
    let sandbox = sandbox();
    for (arguments, says) in ELSEWHERE {
        is_refused(&sandbox, arguments, says);
    }
}

#[test]
fn who_names_what_is_not_there_is_told_what_may_have_been_meant() {
    let sandbox = sandbox();
    let cases: [(&[&str], Expect); 16] = [
        (
            &["convert", "nginx", "out.tar"],
            expect![[r#"
                error: cannot read `nginx`
                  caused by: No such file or directory
                  hint: if that is the name of an image: `docker save nginx | restow convert - DST`
            "#]],
        ),
        (
            &["convert", "nginx", "oci:layout"],
            expect![[r#"
                error: cannot read `nginx`
                  caused by: No such file or directory
                  hint: if that is the name of an image: `docker save nginx | restow convert - DST`
            "#]],
        ),
        (
            &["inspect", "ghcr.io/user/app:1"],
            expect![[r#"
                error: cannot read `ghcr.io/user/app:1`
                  caused by: No such file or directory
                  hint: if that is the name of an image: `docker save ghcr.io/user/app:1 | restow inspect -`
            "#]],
        ),
        (
            &["inspect", "./layout:app:1"],
            expect![[r#"
                error: cannot read `./layout:app:1`
                  caused by: No such file or directory
                  hint: to name an image in it, type `oci:./layout:app:1`
            "#]],
        ),
        (
            &["inspect", "./in.tar:app:1"],
            expect![[r#"
                error: cannot read `./in.tar:app:1`
                  caused by: No such file or directory
                  hint: to name an image in it, type `docker-archive:./in.tar:app:1`
            "#]],
        ),
        (
            &["convert", "new.tar", "in.tar"],
            expect![[r#"
                error: cannot read `new.tar`
                  caused by: No such file or directory
                  hint: `in.tar` exists: are SRC and DST swapped?
            "#]],
        ),
        (
            &["convert", "--force", "docker-archive:new.tar", "in.tar"],
            expect![[r#"
                error: cannot read `new.tar`
                  caused by: No such file or directory
                  hint: `in.tar` exists: are SRC and DST swapped?
            "#]],
        ),
        (
            &["squash", "--all", "new.tar", "oci:layout"],
            expect![[r#"
                error: cannot read `new.tar`
                  caused by: No such file or directory
                  hint: `layout` exists: are SRC and DST swapped?
            "#]],
        ),
        (
            &["export", "new.tar", "in.tar"],
            expect![[r#"
                error: cannot read `new.tar`
                  caused by: No such file or directory
                  hint: `in.tar` exists: are SRC and DST swapped?
            "#]],
        ),
        (
            &["import", "new.tar", "in.tar"],
            expect![[r#"
                error: cannot read `new.tar`
                  caused by: No such file or directory
                  hint: `in.tar` exists: are ROOTFS and DST swapped?
            "#]],
        ),
        (
            &["apply", "in.tar", "new.tar", "in.tar"],
            expect![[r#"
                error: cannot read `new.tar`
                  caused by: No such file or directory
                  hint: `in.tar` exists: are DELTA and NEW swapped?
            "#]],
        ),
        (
            &["rebase", "--onto", "new.tar", "in.tar", "in.tar"],
            expect![[r#"
                error: cannot read `new.tar`
                  caused by: No such file or directory
            "#]],
        ),
        (
            &["convert", "new.tar", "out.tar"],
            expect![[r#"
                error: cannot read `new.tar`
                  caused by: No such file or directory
            "#]],
        ),
        (
            &["convert", "/new", "out.tar"],
            expect![[r#"
                error: cannot read `/new`
                  caused by: No such file or directory
            "#]],
        ),
        (
            &["convert", "./new", "out.tar"],
            expect![[r#"
                error: cannot read `./new`
                  caused by: No such file or directory
            "#]],
        ),
        (
            &["convert", "layout/new", "out.tar"],
            expect![[r#"
                error: cannot read `layout/new`
                  caused by: No such file or directory
            "#]],
        ),
    ];
    for (arguments, says) in cases {
        sandbox.run(arguments).fails(says);
    }
}
