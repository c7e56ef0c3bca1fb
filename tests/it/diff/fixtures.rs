//! Images that engines made of one Dockerfile: each difference has a known reason.

use expect_test::{Expect, expect};

use crate::support::{Sandbox, testdata};

/// Compares two fixtures; the report is without the lines that name them.
#[track_caller]
fn check(arguments: &[&str], a: &str, b: &str, expected: &Expect) {
    let paths = [a, b].map(|name| testdata(name).display().to_string());
    let arguments = [&["diff"], arguments, &[&paths[0], &paths[1]]].concat();
    let output = Sandbox::new().run(&arguments);
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert!(
        lines.iter().all(|it| it.starts_with("warning: ")),
        "{lines:?}"
    );
    let text = String::from_utf8(output.stdout).expect("the report is UTF-8");
    let mut lines: Vec<&str> = text.lines().skip(2).collect();
    lines.retain(|line| !line.is_empty());
    let code = output.code.expect("no signal ends it");
    expected.assert_eq(&format!("{}\nexit {code}\n", lines.join("\n")));
}

/// Docker added the files that it mounts into a container, which changed /etc, and wrote
/// times that do not fit into its headers as 0.
#[test]
fn docker_export() {
    check(
        &[],
        "docker20__edge.tar",
        "docker20__edge-export.tar",
        &expect![[r#"
            Layers         0 shared, of 21 in A and 1 in B
            Config         not compared: B has none
            Files          11 added (0B), 3 with other metadata, 155 same
            A /.dockerenv  file, size 0
            A /dev  directory
            A /dev/console  file, size 0
            A /dev/pts  directory
            A /dev/shm  directory
            m /etc  mtime 2026-11-21T17:13:13Z -> 2026-11-21T17:31:21Z
            A /etc/hostname  file, size 0
            A /etc/hosts  file, size 0
            A /etc/mtab  symbolic link to /proc/mounts
            A /etc/resolv.conf  file, size 0
            A /proc  directory
            A /sys  directory
            m /t/neg  mtime 1969-12-31T00:00:00Z -> 1970-01-01T00:00:00Z
            m /t/y2286  mtime 2286-11-20T17:46:39Z -> 1970-01-01T00:00:00Z
            exit 1
        "#]],
    );
}

/// They copied the image, in other archives.
#[test]
fn copies_by_other_tools() {
    check(
        &["--history"],
        "docker20__edge.tar",
        "skopeo19__edge.docker.tar",
        &expect![[r#"
            Layers         21 shared, of 21 in A and 21 in B
            Config         same
            History        same
            Files          158 same
            exit 0
        "#]],
    );
    check(
        &["--history"],
        "docker20__edge.tar",
        "crane__edge.tarball.tar",
        &expect![[r#"
            Layers         21 shared, of 21 in A and 21 in B
            Config         same
            History        same
            Files          158 same
            exit 0
        "#]],
    );
    check(
        &["--history"],
        "buildkit__edge.docker-zstd.tar",
        "docker29-containerd__edge.tar",
        &expect![[r#"
            Layers         21 shared, of 21 in A and 21 in B
            Config         same
            History        same
            Files          161 same
            exit 0
        "#]],
    );
}

/// Another build, so that only times differ: the files of eStargz are not part of the tree.
#[test]
fn estargz_and_gzip() {
    check(
        &["--semantic", "--history"],
        "buildkit__edge.oci-estargz.tar",
        "buildkit__edge.oci-dockermt.tar",
        &expect![[r#"
            Layers         0 shared, of 21 in A and 21 in B
            Config         same
            History        same
            Files          161 same
            exit 0
        "#]],
    );
}

/// The classic builder leaves out the directories that the runtime mounts, and BuildKit
/// copies a file that is linked to across layers.
#[test]
fn the_classic_builder_and_buildkit() {
    check(
        &["--semantic"],
        "docker20__edge.tar",
        "docker29-containerd__edge.tar",
        &expect![[r#"
            Layers         0 shared, of 21 in A and 21 in B
            Config         1 difference
            Files          3 added (0B), 1 with other metadata, 157 same
            A .config.ArgsEscaped  true
            m /data/small/0001  hard links /data/small/0001 = /hl/fromdata -> /data/small/0001, /hl/fromdata
            A /dev  directory
            A /proc  directory
            A /sys  directory
            exit 1
        "#]],
    );
}

/// Podman has no health checks in OCI's format, drops the empty layer of WORKDIR, adds a label,
/// and keeps attributes of users and the targets of its mounts.
#[test]
fn podman_and_docker() {
    check(
        &["--semantic"],
        "podman43__edge.oci.tar",
        "docker20__edge.tar",
        &expect![[r#"
            Layers         0 shared, of 20 in A and 21 in B
            Config         3 differences
            Files          2 added (0B), 5 deleted (0B), 2 with other metadata, 154 same
            A .config.Healthcheck.Interval  5000000000
            A .config.Healthcheck.Test  ["CMD","/e","/x"]
            D .config.Labels["io.buildah.version"]  "1.28.2"
            D /dev  directory
            D /etc/hostname  file, size 0
            D /proc  directory
            D /run  directory
            D /sys  directory
            A /wd  directory
            A /wd/sub  directory
            m /x/user  xattr user.comment `hello` -> none
            m /x/userdir  xattr user.d `dirvalue` -> none
            exit 1
        "#]],
    );
}
