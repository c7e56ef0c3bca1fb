//! Names of images that are in no file, and what is said of them.

use std::fs;

use super::app;
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
fn is_refused(sandbox: &Sandbox, arguments: &[&str], says: &str) {
    let output = sandbox.run(arguments);
    let got = (output.code, output.stderr.as_str());
    assert_eq!(got, (Some(2), says), "{}", output.command);
    assert_eq!(output.stdout, b"", "{}", output.command);
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
const ELSEWHERE: [(&[&str], &str); 31] = [
    (
        &["convert", "docker-daemon:app:1", "out.tar"],
        "error: `docker-daemon:app:1`: restow has no transport `docker-daemon`\n  hint: restow reaches no engine and no registry: `docker save app:1 | restow convert - DST`\n",
    ),
    (
        &["convert", "in.tar", "docker-daemon:app:1"],
        "error: `docker-daemon:app:1`: restow has no transport `docker-daemon`\n  hint: pipe it into the engine: `restow convert --tag app:1 SRC - | docker load`\n",
    ),
    (
        &["export", "in.tar", "docker-daemon:app:1"],
        "error: `docker-daemon:app:1`: restow has no transport `docker-daemon`\n  hint: pipe it into the engine: `restow export SRC | docker import - app:1`\n",
    ),
    (
        &["import", "rootfs.tar", "docker-daemon:app:1"],
        "error: `docker-daemon:app:1`: restow has no transport `docker-daemon`\n  hint: pipe it into the engine: `restow import --tag app:1 ROOTFS - | docker load`\n",
    ),
    (
        &["import", "docker-daemon:app:1", "out.tar"],
        "error: `docker-daemon:app:1`: restow has no transport `docker-daemon`\n  hint: restow reaches no engine and no registry: `docker export CONTAINER | restow import - DST`\n",
    ),
    (
        &[
            "squash",
            "--above",
            "docker-daemon:base",
            "in.tar",
            "out.tar",
        ],
        "error: `docker-daemon:base`: restow has no transport `docker-daemon`\n  hint: restow reaches no engine and no registry: `docker save base > FILE`, and `--above FILE`\n",
    ),
    (
        &["inspect", "containers-storage:No Name"],
        "error: `containers-storage:No Name`: restow has no transport `containers-storage`\n  hint: restow reaches no engine and no registry: `podman save NAME | restow inspect -`\n",
    ),
    (
        &["squash", "--all", "in.tar", "containers-storage:app"],
        "error: `containers-storage:app`: restow has no transport `containers-storage`\n  hint: pipe it into the engine: `restow squash … --tag app SRC - | podman load`\n",
    ),
    (
        &["verify", "docker:nginx"],
        "error: `docker:nginx`: restow has no transport `docker`\n  hint: restow reaches no engine and no registry: `docker save nginx | restow verify -`\n",
    ),
    (
        &["images", "docker://nginx"],
        "error: `docker://nginx`: restow has no transport `docker`\n  hint: restow reaches no engine and no registry: `docker save nginx | restow images -`, after `docker pull nginx`\n",
    ),
    (
        &["convert", "in.tar", "docker://example.org/app:1"],
        "error: `docker://example.org/app:1`: restow has no transport `docker`\n  hint: restow reaches no registry: `restow convert SRC oci:DIR`, then `skopeo copy oci:DIR docker://example.org/app:1`\n",
    ),
    (
        &["history", "nginx:latest"],
        "error: `nginx:latest`: restow has no transport `nginx`\n  hint: restow reaches no engine and no registry: `docker save nginx:latest | restow history -`; a file of that name is `./nginx:latest`\n",
    ),
    (
        &["convert", "localhost:5000/app:1", "out.tar"],
        "error: `localhost:5000/app:1`: restow has no transport `localhost`\n  hint: restow reaches no engine and no registry: `docker save localhost:5000/app:1 | restow convert - DST`; a file of that name is `./localhost:5000/app:1`\n",
    ),
    (
        &["convert", "https://example.org/app.tar", "out.tar"],
        "error: `https://example.org/app.tar`: restow has no transport `https`\n  hint: restow fetches nothing: `curl -fL https://example.org/app.tar | restow convert - DST`\n",
    ),
    (
        &["convert", "in.tar", "https://example.org/app.tar"],
        "error: `https://example.org/app.tar`: restow has no transport `https`\n  hint: restow writes files: write one, and upload that\n",
    ),
    (
        &["convert", "file:///srv/app.tar", "out.tar"],
        "error: `file:///srv/app.tar`: restow has no transport `file`\n  hint: a file is named by its path alone: `/srv/app.tar`\n",
    ),
    (
        &["convert", "dir:saved", "oci:out"],
        "error: `dir:saved`: restow has no transport `dir`\n  hint: `dir:` is not supported: `skopeo copy dir:saved oci:DIR` makes a layout of it\n",
    ),
    (
        &["convert", "in.tar", "dir:saved"],
        "error: `dir:saved`: restow has no transport `dir`\n  hint: `dir:` is not supported: `restow convert SRC oci:DIR`, then `skopeo copy oci:DIR dir:saved`\n",
    ),
    (
        &["export", "in.tar", "dir:saved"],
        "error: `dir:saved`: restow has no transport `dir`\n  hint: `dir:` is not supported, and `export` writes a tar\n",
    ),
    (
        &["convert", "in.tar", "sif:app.sif"],
        "error: `sif:app.sif`: restow has no transport `sif`\n  hint: `sif:` is not supported: `restow convert SRC FILE`, then `apptainer build app.sif docker-archive:FILE`\n",
    ),
    (
        &["convert", "in.tar", "docker-archve:out.tar"],
        "error: `docker-archve:out.tar`: restow has no transport `docker-archve`\n  hint: did you mean `docker-archive:out.tar`? A file of that name is `./docker-archve:out.tar`\n",
    ),
    (
        &["convert", "OCI:layout:app:1", "out.tar"],
        "error: `OCI:layout:app:1`: restow has no transport `OCI`\n  hint: did you mean `oci:layout:app:1`? A file of that name is `./OCI:layout:app:1`\n",
    ),
    (
        &["images", "oci-layout:layout"],
        "error: `oci-layout:layout`: restow has no transport `oci-layout`\n  hint: did you mean `oci:layout`? A file of that name is `./oci-layout:layout`\n",
    ),
    (
        &["images", "oic-archive:in.tar"],
        "error: `oic-archive:in.tar`: restow has no transport `oic-archive`\n  hint: did you mean `oci-archive:in.tar`? A file of that name is `./oic-archive:in.tar`\n",
    ),
    (
        &["inspect", "layout:app:1"],
        "error: `layout:app:1`: restow has no transport `layout`\n  hint: an image in a layout is named as `oci:layout:app:1`; a file of that name is `./layout:app:1`\n",
    ),
    (
        &["inspect", "in.tar:app:1"],
        "error: `in.tar:app:1`: restow has no transport `in.tar`\n  hint: an image in an archive is named as `docker-archive:in.tar:app:1`; a file of that name is `./in.tar:app:1`\n",
    ),
    (
        &["convert", "in.tar", "new:1"],
        "error: `new:1`: restow has no transport `new`\n  hint: an image gets its name as `restow convert --tag new:1 SRC FILE`; a file of that name is `./new:1`\n",
    ),
    (
        &["import", "rootfs.tar", "new:1"],
        "error: `new:1`: restow has no transport `new`\n  hint: an image gets its name as `restow import --tag new:1 ROOTFS FILE`; a file of that name is `./new:1`\n",
    ),
    (
        &["import", "rootfs.tar", "user/new:1"],
        "error: `user/new:1` is the name of an image, and DST a file\n  hint: an image gets its name as `restow import --tag user/new:1 ROOTFS FILE`\n",
    ),
    (
        &["export", "in.tar", "out.tar:app:1"],
        "error: `out.tar:app:1`: restow has no transport `out.tar`\n  hint: a file of that name is `./out.tar:app:1`\n",
    ),
    (
        &["export", "in.tar", ":x"],
        "error: `:x`: there is no transport before the colon\n  hint: a file of that name is `./:x`\n",
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
    let no_file = "No such file or directory (os error 2)";
    let cases: [(&[&str], &str, &str); 10] = [
        (
            &["convert", "nginx", "out.tar"],
            "nginx",
            "if that is the name of an image: `docker save nginx | restow convert - DST`",
        ),
        (
            &["convert", "nginx", "oci:layout"],
            "nginx",
            "if that is the name of an image: `docker save nginx | restow convert - DST`",
        ),
        (
            &["inspect", "ghcr.io/user/app:1"],
            "ghcr.io/user/app:1",
            "if that is the name of an image: `docker save ghcr.io/user/app:1 | restow inspect -`",
        ),
        (
            &["inspect", "./layout:app:1"],
            "./layout:app:1",
            "an image in it is named as `oci:./layout:app:1`",
        ),
        (
            &["inspect", "./in.tar:app:1"],
            "./in.tar:app:1",
            "an image in it is named as `docker-archive:./in.tar:app:1`",
        ),
        (
            &["convert", "new.tar", "in.tar"],
            "new.tar",
            "`in.tar` is there: are SRC and DST swapped?",
        ),
        (
            &["convert", "--force", "docker-archive:new.tar", "in.tar"],
            "new.tar",
            "`in.tar` is there: are SRC and DST swapped?",
        ),
        (
            &["squash", "--all", "new.tar", "oci:layout"],
            "new.tar",
            "`layout` is there: are SRC and DST swapped?",
        ),
        (
            &["export", "new.tar", "in.tar"],
            "new.tar",
            "`in.tar` is there: are SRC and DST swapped?",
        ),
        (
            &["import", "new.tar", "in.tar"],
            "new.tar",
            "`in.tar` is there: are ROOTFS and DST swapped?",
        ),
    ];
    for (arguments, name, hint) in cases {
        let says = format!("error: cannot read `{name}`\n  caused by: {no_file}\n  hint: {hint}\n");
        sandbox.run(arguments).fails(&says);
    }
    for arguments in [
        ["convert", "new.tar", "out.tar"],
        ["convert", "/new", "out.tar"],
        ["convert", "./new", "out.tar"],
        ["convert", "layout/new", "out.tar"],
    ] {
        let says = format!(
            "error: cannot read `{}`\n  caused by: {no_file}\n",
            arguments[1]
        );
        sandbox.run(&arguments).fails(&says);
    }
}
