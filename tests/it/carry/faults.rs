//! What cannot be left out or put back.

use expect_test::expect;

use super::{part, report};
use crate::support::image::Store;
use crate::support::make::{self, Image};

#[test]
fn a_wrong_base_is_told_apart() {
    let sandbox = part();
    let other = Image::new(&["other:1"], &["file a 1"]);
    sandbox.write("other.tar", make::tar(&make::docker(&[other])));
    sandbox
        .run(&["convert", "--with", "other.tar", "part.tar", "whole.tar"])
        .fails(expect![[r#"
            error: no BASE has these layers of `app:2`: layer 2 of 3 (sha256:32a2d1d088b32648d4e89c5c1696217ff08a0cff9e8cd1f1a2e24bb3a35c2347)
              hint: name an archive or a layout that has them: `--with` may be repeated
        "#]]);
    sandbox.write("have.json", "[]");
    sandbox
        .run(&["convert", "--with", "have.json", "part.tar", "whole.tar"])
        .fails(expect![[r#"
            error: cannot read `have.json`
              caused by: it is a list of images, which has no layers
              hint: `docker save` writes an archive with the layers
        "#]]);
    // Two bases may have it together.
    let second = Image::new(&["other:2"], &["file b 2"]);
    sandbox.write("second.tar", make::tar(&make::docker(&[second])));
    let bases = ["--with", "other.tar", "--with", "second.tar"];
    let shown = report(&sandbox, &[&bases[..], &["part.tar", "whole.tar"]].concat());
    assert_eq!(shown["put_back"]["layers"], 2);
}

#[test]
fn a_damaged_base_damages_nothing() {
    let sandbox = part();
    let mut base = sandbox.read("base.tar");
    let at = base
        .windows(2)
        .rposition(|it| it == b"a\0")
        .expect("the name of an entry");
    base[at + 0x100] ^= 1;
    let layer = make::layer("file a 1");
    let at = base
        .windows(512)
        .position(|it| it == &layer[..512])
        .unwrap_or(at);
    base[at + 512] ^= 1;
    sandbox.write("base.tar", base);
    let arguments = ["convert", "--with", "base.tar", "part.tar", "whole.tar"];
    let said = sandbox.run(&arguments).refuses();
    assert!(said.contains("of `app:2`"), "{said}");
}

#[test]
fn command_lines_that_make_no_sense() {
    let sandbox = part();
    let cases: [(&[&str], i32); 6] = [
        (
            &[
                "--without",
                "base.tar",
                "--with",
                "base.tar",
                "new.tar",
                "x",
            ],
            2,
        ),
        (&["--without", "-", "-", "x"], 2),
        (&["--with", "base.tar", "part.tar", "new.tar", "x"], 2),
        (&["--without", "base.tar", "new.tar", "oci:x"], 1),
        (&["--without", "base.tar", "new.tar", "oci-archive:x"], 1),
        (&["--without", "none.tar", "new.tar", "x"], 1),
    ];
    let mut said = String::new();
    for (arguments, code) in cases {
        let output = sandbox.run(&[&["convert"], arguments].concat());
        assert_eq!(output.code, Some(code), "{arguments:?}: {}", output.stderr);
        said += &output.stderr;
    }
    expect![[r#"
        error: `--without` cannot be used with `--with`
        error: SRC and BASE cannot both be standard input
        error: `--with` completes one SRC at a time
          hint: complete each, and convert the results into one DST
        error: layers can be left out of a docker archive only, which is an OCI archive, too
          hint: name a file as DST
        error: layers can be left out of a docker archive only, which is an OCI archive, too
          hint: name a file as DST
        error: cannot read `none.tar`
          caused by: No such file or directory
    "#]]
    .assert_eq(&said);
}

/// The documents that are kept aside are read like any others.
#[test]
fn damaged_annotations_are_told_apart() {
    let sandbox = part();
    let store = Store::open(&sandbox.path("part.tar"));
    let mut said = String::new();
    for (key, text) in [
        ("restow.whole.index", "{"),
        ("restow.whole.index", "[]"),
        ("restow.whole.manifest", "{}"),
        ("restow.whole.blobs", "x y"),
    ] {
        let mut index = store.json("index.json");
        index["annotations"][key] = text.into();
        let members = store.names().into_iter().map(|name| match name {
            "index.json" => make::Member::file(name, index.to_string()),
            name => make::Member::file(name, store.file(name)),
        });
        sandbox.write("damaged.tar", make::tar(&members.collect::<Vec<_>>()));
        let arguments = ["convert", "--with", "base.tar", "damaged.tar", "-"];
        said += &sandbox.run(&arguments).stderr;
        drop(sandbox.run(&["images", "damaged.tar"]).data(""));
    }
    expect![[r#"
        error: cannot read `damaged.tar`
          caused by: cannot parse `index.json`
          caused by: it is not valid JSON
          caused by: EOF while parsing an object at line 1 column 1
        error: cannot read `damaged.tar`
          caused by: cannot parse `index.json`
          caused by: `the document` is not an object
        error: cannot read `damaged.tar`
          caused by: cannot parse `manifest.json`
          caused by: `the document` is not a list of images
        put back 2 layers, 4.1kB
    "#]]
    .assert_eq(&said);
}
