//! What cannot be left out or put back.

use expect_test::expect;

use super::{pair, report};
use crate::support::make::{self, Image};

#[test]
fn a_wrong_base_is_told_apart() {
    let sandbox = pair();
    drop(
        sandbox
            .run(&["convert", "--without", "base.tar", "new.tar", "part.tar"])
            .reports(),
    );
    let other = Image::new(&["other:1"], &["file a 1"]);
    sandbox.write("other.tar", make::tar(&make::docker(&[other])));
    sandbox
        .run(&["convert", "--with", "other.tar", "part.tar", "whole.tar"])
        .fails(expect![[r#""#]]);
    sandbox.write("have.json", "[]");
    sandbox
        .run(&["convert", "--with", "have.json", "part.tar", "whole.tar"])
        .fails(expect![[r#""#]]);
    // Two bases may have it together.
    let second = Image::new(&["other:2"], &["file b 2"]);
    sandbox.write("second.tar", make::tar(&make::docker(&[second])));
    let arguments = [
        "--with",
        "other.tar",
        "--with",
        "second.tar",
        "part.tar",
        "whole.tar",
    ];
    assert_eq!(report(&sandbox, &arguments)["put_back"]["layers"], 2);
}

#[test]
fn a_damaged_base_damages_nothing() {
    let sandbox = pair();
    drop(
        sandbox
            .run(&["convert", "--without", "base.tar", "new.tar", "part.tar"])
            .reports(),
    );
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
    let sandbox = pair();
    drop(
        sandbox
            .run(&["convert", "--without", "base.tar", "new.tar", "part.tar"])
            .reports(),
    );
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
    expect![[r#""#]].assert_eq(&said);
}
