//! What is said of partial archives, and to whom.

use expect_test::expect;

use super::{assert_same_again, pair, part, report};
use crate::support::image::Store;
use crate::support::make::{self, Image, Layout};
use crate::support::testdata;

#[test]
fn the_report_says_who_can_load_it() {
    let sandbox = pair();
    sandbox
        .run(&["convert", "--without", "base.tar", "new.tar", "part.tar"])
        .warns(expect![[r#"
            left out 2 of 3 layers, 4.1kB of 6.14kB
              Docker with a graph driver loads it if it has these layers
              Docker with the containerd store, containerd and podman load it if they have these layers with the same digests
              `restow convert --with BASE part.tar whole.tar` makes it whole for any other
              after loading: `docker tag sha256:1831163ff55f2568b80b3c04dad71b4e4da52b917d50271336d37781bb9a88d1 app:2`, or with the containerd store `docker tag sha256:a6e392d91fcde357ddcc5ac7a255fa0897f401c2499b4a033a157e89cec2fd09 app:2`
        "#]]);
    sandbox
        .run(&["convert", "--with", "base.tar", "part.tar", "whole.tar"])
        .warns(expect![[r#"
            put back 2 layers, 4.1kB
        "#]]);
    sandbox
        .run(&[
            "convert",
            "-t",
            "b:1",
            "--without",
            "base.tar",
            "new.tar",
            "named.tar",
        ])
        .warns(expect![[r#"
            left out 2 of 3 layers, 4.1kB of 6.14kB
              Docker with a graph driver loads it if it has these layers
              Docker with the containerd store, containerd and podman load it if they have these layers with the same digests
              `restow convert --with BASE named.tar whole.tar` makes it whole for any other
              it has names: Docker with the containerd store moves them to a broken image where the layers are absent
        "#]]);
    sandbox
        .run(&["convert", "--without", "new.tar", "base.tar", "all.tar"])
        .warns(expect![[r#"
            left out all 2 layers, 4.1kB
              Docker with a graph driver loads it if it has these layers
              Docker with the containerd store, containerd and podman load it if they have these layers with the same digests
              `restow convert --with BASE all.tar whole.tar` makes it whole for any other
              after loading: `docker tag sha256:d818249f76e3fe7ba3d0ad5e897b4fbfd02c8c8b3b4742af9f9a0f6d03e7cd24 app:1`, or with the containerd store `docker tag sha256:0c2381955f435b7d9d8d99a9c3fb06c6ce4e5d9d4af9f321afe8f429242f7f6d app:1`
        "#]]);
    let other = Image::new(&["other:1"], &["file x 1"]);
    sandbox.write("other.tar", make::tar(&make::docker(&[other])));
    sandbox
        .run(&["convert", "--without", "other.tar", "other.tar", "one.tar"])
        .warns(expect![[r#"
            left out the only layer, 2.05kB
              Docker with a graph driver loads it if it has these layers
              Docker with the containerd store, containerd and podman load it if they have these layers with the same digests
              `restow convert --with BASE one.tar whole.tar` makes it whole for any other
              after loading: `docker tag sha256:11599162da9394ba053b09a67f4e6525ed882dd20b807a4fe8e6d12841536583 other:1`, or with the containerd store `docker tag sha256:c52a8afba902ed68349a7a1b934cadd6ed3c228743d36b708375477747d7af38 other:1`
        "#]]);
    sandbox
        .run(&["convert", "--without", "other.tar", "new.tar", "none.tar"])
        .warns(expect![[r#"
            left out nothing: BASE does not have the lowest layer of any image
        "#]]);
    sandbox.run(&["convert", "new.tar", "plain.tar"]).silent();
    assert!(sandbox.read("none.tar") == sandbox.read("plain.tar"));
    sandbox
        .run(&["convert", "--with", "base.tar", "new.tar", "same.tar"])
        .warns(expect![[r#"
            no layer was missing
        "#]]);
    assert!(sandbox.read("same.tar") == sandbox.read("plain.tar"));
}

#[test]
fn commands_that_look_show_what_it_is() {
    let sandbox = part();
    let mut shown = String::new();
    for arguments in [
        &["images", "part.tar"][..],
        &["inspect", "part.tar"],
        &["history", "part.tar"],
        &["verify", "part.tar"],
        &["files", "part.tar"],
        &["export", "part.tar", "x.tar"],
        &["extract", "part.tar", "x"],
        &["squash", "--all", "part.tar", "x.tar"],
        &["squash", "--last", "1", "part.tar", "x.tar"],
        &["convert", "part.tar", "oci:x"],
        &["waste", "part.tar"],
        &["diff", "part.tar", "new.tar"],
    ] {
        let output = sandbox.run(arguments);
        shown += "$ restow ";
        shown += &arguments.join(" ");
        shown += "\n";
        shown += &String::from_utf8_lossy(&output.stdout);
        shown += &output.stderr;
    }
    for years in 2..10 {
        shown = shown.replace(&format!("{years} years ago"), "N years ago");
    }
    expect![[r#"
        $ restow images part.tar
        IMAGE   IMAGE ID      DIGEST        CREATED      SIZE  STORED  PLATFORM     LAYERS
        <none>  1831163ff55f  a6e392d91fcd  N years ago  ?     2.05kB  linux/amd64  3, 2 left out
        $ restow inspect part.tar
        Reference      <none>
        Image ID       sha256:1831163ff55f2568b80b3c04dad71b4e4da52b917d50271336d37781bb9a88d1
        Digest         sha256:a6e392d91fcde357ddcc5ac7a255fa0897f401c2499b4a033a157e89cec2fd09
        Containerd ID  sha256:a6e392d91fcde357ddcc5ac7a255fa0897f401c2499b4a033a157e89cec2fd09
        Platform       linux/amd64
        Created        2024-02-03T04:05:06.789012345Z
        Format         docker-archive
        Size           2.05kB stored
        Env            PATH=/bin:/usr/bin
        Labels         tags=app:2
        Healthcheck    ["CMD","/up"]

        LAYER  DIFF ID       DIGEST        TYPE           STORED  UNPACKED  CREATED BY
        1      bdbd15132ae3  bdbd15132ae3  tar, left out  0B      ?         COPY 1 <&> /
        2      32a2d1d088b3  32a2d1d088b3  tar, left out  0B      ?         COPY 2 <&> /
        3      acb2abf3dc22  acb2abf3dc22  tar            2.05kB  2.05kB    COPY 3 <&> /
        $ restow history part.tar
        Image ID       sha256:1831163ff55f2568b80b3c04dad71b4e4da52b917d50271336d37781bb9a88d1
        Digest         sha256:a6e392d91fcde357ddcc5ac7a255fa0897f401c2499b4a033a157e89cec2fd09
        Containerd ID  sha256:a6e392d91fcde357ddcc5ac7a255fa0897f401c2499b4a033a157e89cec2fd09

        LAYER  CREATED      CREATED BY    SIZE  STORED  COMMENT
        3      N years ago  COPY 3 <&> /  1B    2.05kB
        2      N years ago  COPY 2 <&> /  ?     0B
        1      N years ago  COPY 1 <&> /  ?     0B
        $ restow verify part.tar
        note[layer-left-out] layer 1 of 3 of `sha256:a6e392d91fcde357ddcc5ac7a255fa0897f401c2499b4a033a157e89cec2fd09`: sha256:bdbd15132ae3b3471acee5614c1cc26a578107c5a7585609a785bd5475bedda0 is missing (and 1 more layer)
          only an engine that already has the layer can load the image
        docker-archive: 1 image, 1 layer, 2.05kB read: 1 note
        $ restow files part.tar
        error: cannot read layer 1 of 3 of `sha256:a6e392d91fcde357ddcc5ac7a255fa0897f401c2499b4a033a157e89cec2fd09`
          caused by: it was left out on purpose: `part.tar` is a partial archive
          hint: `restow convert --with BASE PART whole.tar` puts the layers back, where BASE has them
        $ restow export part.tar x.tar
        error: cannot read layer 1 of 3 of `sha256:a6e392d91fcde357ddcc5ac7a255fa0897f401c2499b4a033a157e89cec2fd09`
          caused by: it was left out on purpose: `part.tar` is a partial archive
          hint: `restow convert --with BASE PART whole.tar` puts the layers back, where BASE has them
        $ restow extract part.tar x
        error: cannot read layer 1 of 3 of `sha256:a6e392d91fcde357ddcc5ac7a255fa0897f401c2499b4a033a157e89cec2fd09`
          caused by: it was left out on purpose: `part.tar` is a partial archive
          hint: `restow convert --with BASE PART whole.tar` puts the layers back, where BASE has them
        $ restow squash --all part.tar x.tar
        error: cannot read layer 1 of 3 of `sha256:a6e392d91fcde357ddcc5ac7a255fa0897f401c2499b4a033a157e89cec2fd09`
          caused by: it was left out on purpose: `part.tar` is a partial archive
          hint: `restow convert --with BASE PART whole.tar` puts the layers back, where BASE has them
        $ restow squash --last 1 part.tar x.tar
        error: cannot read layer 1 of 3 of `sha256:a6e392d91fcde357ddcc5ac7a255fa0897f401c2499b4a033a157e89cec2fd09`
          caused by: it was left out on purpose: `part.tar` is a partial archive
          hint: `restow convert --with BASE PART whole.tar` puts the layers back, where BASE has them
        $ restow convert part.tar oci:x
        error: cannot read layer 1 of 3 of `sha256:a6e392d91fcde357ddcc5ac7a255fa0897f401c2499b4a033a157e89cec2fd09`
          caused by: it was left out on purpose: `part.tar` is a partial archive
          hint: `restow convert --with BASE PART whole.tar` puts the layers back, where BASE has them
        $ restow waste part.tar
        error: cannot read layer 1 of 3 of `sha256:a6e392d91fcde357ddcc5ac7a255fa0897f401c2499b4a033a157e89cec2fd09`
          caused by: it was left out on purpose: `part.tar` is a partial archive
          hint: `restow convert --with BASE PART whole.tar` puts the layers back, where BASE has them
        $ restow diff part.tar new.tar
        error: cannot read layer 1 of 3 of `sha256:a6e392d91fcde357ddcc5ac7a255fa0897f401c2499b4a033a157e89cec2fd09`
          caused by: it was left out on purpose: `part.tar` is a partial archive
          hint: `restow convert --with BASE PART whole.tar` puts the layers back, where BASE has them
    "#]].assert_eq(&shown);
}

#[test]
fn a_pipe_is_named_as_such() {
    let sandbox = part();
    let part = sandbox.read("part.tar");
    sandbox
        .restow(&["files", "-"])
        .stdin_pipe(part)
        .run()
        .fails(expect![[r#"
            error: cannot read layer 1 of 3 of `sha256:a6e392d91fcde357ddcc5ac7a255fa0897f401c2499b4a033a157e89cec2fd09`
              caused by: it was left out on purpose: standard input is a partial archive
              hint: `restow convert --with BASE PART whole.tar` puts the layers back, where BASE has them
        "#]]);
}

/// A layer that was lost is an error, beside those that were left out.
#[test]
fn what_was_lost_is_an_error() {
    let sandbox = part();
    let store = Store::open(&sandbox.path("part.tar"));
    let lost = make::layer("file c 3");
    let members = store
        .names()
        .into_iter()
        .filter(|name| store.file(name) != lost);
    let members = members.map(|name| make::Member::file(name, store.file(name)));
    sandbox.write("lost.tar", make::tar(&members.collect::<Vec<_>>()));
    let output = sandbox.run(&["verify", "lost.tar"]);
    assert_eq!(output.code, Some(1));
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        shown.contains("note[layer-left-out] layer 1 of 3"),
        "{shown}"
    );
    assert!(
        shown.contains("error[layer-missing] layer 3 of 3"),
        "{shown}"
    );
}

/// A higher layer that the other side has stays: only a prefix can be missing.
#[test]
fn only_the_lowest_layers_are_left_out() {
    let sandbox = pair();
    let upper = Image::new(&["upper:1"], &["file z 9", "file b 2", "file c 3"]);
    sandbox.write("upper.tar", make::tar(&make::docker(&[upper])));
    let shown = report(&sandbox, &["--without", "upper.tar", "new.tar", "part.tar"]);
    assert_eq!(shown["left_out"]["layers"], 0);
    // Two bases together.
    let arguments = [
        "--without",
        "upper.tar",
        "--without",
        "base.tar",
        "new.tar",
        "both.tar",
    ];
    assert_eq!(report(&sandbox, &arguments)["left_out"]["layers"], 2);
}

/// A partial archive that was loaded is a base for the next one.
#[test]
fn a_partial_archive_is_a_base() {
    let sandbox = pair();
    let third = Image::new(
        &["app:3"],
        &["file a 1", "file b 2", "file c 3", "file d 4"],
    );
    sandbox.write("third.tar", make::tar(&make::docker(&[third])));
    drop(report(
        &sandbox,
        &["--without", "base.tar", "new.tar", "2.tar"],
    ));
    let shown = report(&sandbox, &["--without", "2.tar", "third.tar", "3.tar"]);
    assert_eq!(shown["left_out"]["layers"], 3);
    let arguments = [
        "--with",
        "base.tar",
        "--with",
        "2.tar",
        "3.tar",
        "whole.tar",
    ];
    assert_eq!(report(&sandbox, &arguments)["put_back"]["layers"], 3);
    sandbox
        .run(&["convert", "third.tar", "expected.tar"])
        .silent();
    assert!(sandbox.read("whole.tar") == sandbox.read("expected.tar"));
}

/// Each form of the base, pipes, an image of several, and the folder of a layout as output.
#[test]
fn bases_come_in_every_form() {
    let sandbox = pair();
    drop(sandbox.run(&["convert", "base.tar", "oci:base"]).reports());
    drop(
        sandbox
            .run(&["convert", "base.tar", "base.tar.gz"])
            .reports(),
    );
    drop(
        sandbox
            .run(&["convert", "base.tar", "oci-archive:base.oci"])
            .reports(),
    );
    for base in ["base", "oci:base:app:1", "base.tar.gz", "base.oci"] {
        assert_same_again(&sandbox, base, "new.tar");
    }
    let read = |name: &str| sandbox.read(name);
    let part = sandbox
        .restow(&["convert", "--without", "base", "-", "-"])
        .stdin_pipe(read("new.tar"))
        .run();
    let (part, _) = part.reports();
    sandbox.write("part.tar", &part);
    for (base, source, input) in [("base.tar", "-", part), ("-", "part.tar", read("base.tar"))] {
        let whole = sandbox
            .restow(&["convert", "--with", base, source, "-"])
            .stdin_pipe(input)
            .run();
        sandbox
            .run(&["convert", "--force", "new.tar", "expected.tar"])
            .silent();
        assert!(whole.reports().0 == read("expected.tar"));
    }
    drop(
        sandbox
            .run(&["convert", "--with", "base", "part.tar", "oci:whole"])
            .reports(),
    );
    drop(
        sandbox
            .run(&["convert", "expected.tar", "oci:expected"])
            .reports(),
    );
    assert_eq!(
        crate::support::sandbox::tree(&sandbox.path("whole")),
        crate::support::sandbox::tree(&sandbox.path("expected"))
    );
    // Into the layout that has the base.
    let report = report(&sandbox, &["--with", "base", "part.tar", "oci:base"]);
    assert_eq!(report["images"][0]["references"][0], "app:2");
    assert_eq!(sandbox.run(&["verify", "--quiet", "base"]).code, Some(0));
}

/// Several platforms and attestations, with names in the index.
#[test]
fn an_index_keeps_its_digest() {
    let sandbox = pair();
    let mut layout = Layout::default();
    let base = Image::new(&["app:1"], &["file a 1", "file b 2"]);
    let other = base
        .clone()
        .with_config(|it| it["architecture"] = "arm64".into());
    let manifests = [layout.image(&base), layout.image(&other)];
    let attestation = layout.attestation(&manifests[0]);
    let [one, two] = manifests;
    let index = layout.nested(&[one, two, attestation]);
    layout.add_named(&index, "app:1");
    sandbox.write("multi.tar", make::tar(&layout.members()));
    assert_same_again(&sandbox, "base.tar", "multi.tar");
    let shown = report(
        &sandbox,
        &["--without", "base.tar", "multi.tar", "part.tar"],
    );
    assert_eq!(shown["images"][0]["digest"], index["digest"]);
    assert_eq!(shown["left_out"]["layers"], 2);
    // One of its images only.
    let shown = report(
        &sandbox,
        &[
            "--platform",
            "arm64",
            "--with",
            "base.tar",
            "part.tar",
            "arm.tar",
        ],
    );
    assert_eq!(shown["images"][0]["platform"], "linux/arm64");
    let fixture = testdata("docker29-containerd__multiplatform-provenance.tar");
    let fixture = fixture.display().to_string();
    assert_same_again(&sandbox, &fixture, &fixture);
}
