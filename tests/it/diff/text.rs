//! `--text`: a unified diff of one file.

use std::fmt::Write as _;
use std::process::Command;

use expect_test::expect;
use proptest::prelude::*;

use super::{compared, image, sandbox};
use crate::support::entry::{Entry, Kind};
use crate::support::layer::tar;
use crate::support::make::Image;
use crate::support::{Sandbox, random_cases, tools};

/// An image with these bytes in the file `f`.
fn with(content: &[u8]) -> Image {
    let entry = Entry::new("f", Kind::File(content.to_vec()));
    Image::of_layers(&["app:1"], vec![tar(&[entry])])
}

/// Compares the file `f` of two images.
#[track_caller]
fn text(a: &[u8], b: &[u8]) -> (String, i32) {
    compared(&sandbox(&with(a), &with(b)), &["--text", "f", "a", "b"])
}

#[test]
fn lines() {
    let mut all = String::new();
    for (a, b) in [
        ("a\nb\nc\n", "a\nB\nc\n"),
        (
            "1\n2\n3\n4\n5\n6\n7\n8\n9\n",
            "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n",
        ),
        ("", "new\n"),
        ("old\n", ""),
        ("a\nb", "a\nb\n"),
        ("a\n", "a\nb"),
        ("ü\u{1b}[31m\t\r\n", "\n"),
    ] {
        let (report, code) = text(a.as_bytes(), b.as_bytes());
        let _ = writeln!(all, "{report}exit {code}");
    }
    expect![[r#"
        --- a/f
        +++ b/f
        @@ -1,3 +1,3 @@
         a
        -b
        +B
         c
        exit 1
        --- a/f
        +++ b/f
        @@ -7,3 +7,4 @@
         7
         8
         9
        +10
        exit 1
        --- a/f
        +++ b/f
        @@ -0,0 +1 @@
        +new
        exit 1
        --- a/f
        +++ b/f
        @@ -1 +0,0 @@
        -old
        exit 1
        --- a/f
        +++ b/f
        @@ -1,2 +1,2 @@
         a
        -b
        \ No newline at end of file
        +b
        exit 1
        --- a/f
        +++ b/f
        @@ -1 +1,2 @@
         a
        +b
        \ No newline at end of file
        exit 1
        --- a/f
        +++ b/f
        @@ -1 +1 @@
        -üESC[31m	CR
        +
        exit 1
    "#]]
    .assert_eq(&all.replace('\u{1b}', "ESC").replace('\r', "CR"));
}

#[test]
fn the_same_and_no_text() {
    assert_eq!(text(b"a\n\0", b"a\n\0"), (String::new(), 0));
    assert_eq!(text(b"", b""), (String::new(), 0));
    let (report, code) = text(b"a\n\0", b"a\n");
    assert_eq!(
        (report.as_str(), code),
        ("binary files a/f and b/f differ\n", 1)
    );
}

/// As git writes them, and patch(1) reads them: each heading is one line with one name.
#[test]
fn odd_names_in_headings() {
    let names: [&[u8]; 5] = [
        b"a b",
        b"new\nline",
        b"\x1b[31m\t",
        b"\"q\"\\",
        "\u{fc}".as_bytes(),
    ];
    let image = |content: &[u8]| {
        let entry = |name: &&[u8]| Entry::new(*name, Kind::File(content.to_vec()));
        let mut entries: Vec<Entry> = names.iter().map(entry).collect();
        if content == b"y\n" {
            entries.push(Entry::new(*b"only\n", Kind::File(Vec::new())));
        }
        Image::of_layers(&["app:1"], vec![tar(&entries)])
    };
    let sandbox = sandbox(&image(b"x\n"), &image(b"y\n"));
    let mut all = String::new();
    let names = names.map(|it| str::from_utf8(it).expect("it is UTF-8"));
    for name in names.into_iter().chain(["only\n"]) {
        let (report, _) = compared(&sandbox, &["--text", name, "a", "b"]);
        all.push_str(&report);
    }
    expect![[r#"
        --- a/a b	
        +++ b/a b	
        @@ -1 +1 @@
        -x
        +y
        --- "a/new\nline"
        +++ "b/new\nline"
        @@ -1 +1 @@
        -x
        +y
        --- "a/\033[31m\t"
        +++ "b/\033[31m\t"
        @@ -1 +1 @@
        -x
        +y
        --- "a/\"q\"\\"
        +++ "b/\"q\"\\"
        @@ -1 +1 @@
        -x
        +y
        --- a/ü
        +++ b/ü
        @@ -1 +1 @@
        -x
        +y
        only in B: "/only\n", an empty file
    "#]]
    .assert_eq(&all);
}

#[test]
fn a_file_of_one_image_only() {
    let sandbox = sandbox(
        &image("d/a=x l->d/a e"),
        &image("d/ m->/../d/a d/a=y k->l->x"),
    );
    let mut all = String::new();
    for path in ["/d/a", "l", "m", "/e"] {
        let (report, code) = compared(&sandbox, &["--text", path, "a", "b"]);
        let _ = writeln!(all, "# {path}\n{report}exit {code}");
    }
    expect![[r#"
        # /d/a
        --- a/d/a
        +++ b/d/a
        @@ -1 +1 @@
        -x
        \ No newline at end of file
        +y
        \ No newline at end of file
        exit 1
        # l
        --- a/d/a
        +++ /dev/null
        @@ -1 +0,0 @@
        -x
        \ No newline at end of file
        exit 1
        # m
        --- /dev/null
        +++ b/d/a
        @@ -0,0 +1 @@
        +y
        \ No newline at end of file
        exit 1
        # /e
        only in A: /e, an empty file
        exit 1
    "#]]
    .assert_eq(&all);
    assert_eq!(
        compared(&sandbox, &["-q", "--text", "/d/a", "a", "b"]),
        (String::new(), 1)
    );
}

#[test]
fn what_cannot_be_compared() {
    let large = "x".repeat(4 * 1024 * 1024 + 1);
    let lines = "\\x0a".repeat(200_001);
    let sandbox = sandbox(
        &image(&format!("d/ l->l f={large} lines={lines}")),
        &image("d/ f p(p)"),
    );
    let mut all = String::new();
    for path in ["/nothing", "/d", "/l", "/f", "/p", "/f/x", "/lines"] {
        let output = sandbox.run(&["diff", "--text", path, "a", "b"]);
        assert_eq!((output.code, output.stdout.as_slice()), (Some(2), &b""[..]));
        all.push_str(&output.stderr);
    }
    expect![[r#"
        error: no `/nothing` in `a:app:1`
          hint: `restow files SRC '**/nothing'` looks in every folder
        error: `/d` is a directory, not a regular file
          hint: `restow files SRC /d` lists it
        error: `/l` in `a:app:1` leads through too many symbolic links, such as `/l`
        error: `/f` has 4194305 bytes, more than the limit of 4194304
        error: `/p` is a named pipe, not a regular file
        error: no `/f/x` in `a:app:1`: `/f` is not a directory
        error: `/lines` exceeds the limit of 200000 lines
    "#]]
    .assert_eq(&all);
}

proptest! {
    #![proptest_config(random_cases(24))]

    /// patch(1) makes one text of the other.
    #[test]
    fn a_patch_applies(
        a in proptest::collection::vec(0..4_u8, 0..40),
        b in proptest::collection::vec(0..4_u8, 0..40),
        ends in any::<(bool, bool)>(),
    ) {
        if !tools::is_installed("patch") {
            tools::skip("unified diffs", "patch(1) is not installed");
            return Ok(());
        }
        let content = |lines: &[u8], has_end: bool| {
            let lines: Vec<String> = lines.iter().map(u8::to_string).collect();
            let mut text = lines.join("\n") + "\n";
            if lines.is_empty() {
                text.clear();
            }
            if !has_end {
                text.pop();
            }
            text
        };
        let (a, b) = (content(&a, ends.0), content(&b, ends.1));
        let (report, code) = text(a.as_bytes(), b.as_bytes());
        prop_assert_eq!(code, i32::from(a != b));
        let sandbox = Sandbox::new();
        sandbox.write("f", &a);
        sandbox.write("patch", &report);
        let arguments = ["--quiet", "--strip=1", "--input=patch", "--fuzz=0"];
        let mut command: Command = sandbox.command(std::path::Path::new("patch"));
        let output = command.args(arguments).output().expect("patch can be run");
        prop_assert!(output.status.success() || report.is_empty(), "{report}{output:?}");
        let patched = std::fs::read_to_string(sandbox.path("f")).unwrap_or_default();
        prop_assert_eq!(patched, b, "{}", report);
    }
}
