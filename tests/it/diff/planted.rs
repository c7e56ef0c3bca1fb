//! One difference in two trees, of each kind: it is named, and nothing else is.

use std::fmt::Write as _;

use expect_test::expect;

use super::{differences, image, sandbox};

/// Compares two stacks, and adds the report to a text.
#[track_caller]
fn tell(text: &mut String, what: &str, a: &str, b: &str, arguments: &[&str]) {
    let sandbox = sandbox(&image(a), &image(b));
    let report = differences(&sandbox, &[&["a", "b"], arguments].concat());
    let _ = write!(text, "# {what}\n{report}");
}

/// The tree around each difference.
const COMMON: &str = "etc/(700,1:2,@7) etc/passwd=root etc/shadow=>etc/passwd bin->usr/bin \
                      usr/bin/sh=x(4755,user.a=00) dev/null(c1:3) dev/sda(b8:0) run/p(p)";

#[track_caller]
fn planted(cases: &[(&str, &str, &str)]) -> String {
    let mut text = String::new();
    for (what, a, b) in cases {
        let with = |words: &str| format!("{COMMON} | {words}");
        tell(&mut text, what, &with(a), &with(b), &[]);
    }
    text
}

#[test]
fn metadata() {
    let found = planted(&[
        ("mode of a file", "f(644)", "f(600)"),
        ("mode of a directory", "d/(755)", "d/(1777)"),
        ("setuid", "f(755)", "f(4755)"),
        ("mode of a device", "n(c1:5,600)", "n(c1:5,666)"),
        (
            "mode of a symbolic link, which no file system has",
            "l->x(777)",
            "l->x(755)",
        ),
        ("owner", "f(644,0:0)", "f(644,5:0)"),
        ("group", "f(644,0:0)", "f(644,0:5)"),
        (
            "owner and mode of a symbolic link",
            "l->x(777,0:0)",
            "l->x(700,0:9)",
        ),
        ("time", "f(@1)", "f(@2)"),
        ("fraction of a time", "f(@1)", "f(@1.000000001)"),
        ("time before 1970", "f(@-1.5)", "f(@-1)"),
        ("time after 9999", "f(@1)", "f(@999999999999)"),
        ("time of a directory", "d/(@1)", "d/(@2)"),
        ("time of a symbolic link", "l->x(@1)", "l->x(@2)"),
        ("value of an attribute", "f(user.a=6162)", "f(user.a=6163)"),
        (
            "binary value of an attribute",
            "f(user.a=00)",
            "f(user.a=01)",
        ),
        ("empty attribute", "f(user.a=)", "f(user.a=00)"),
        (
            "missing attribute",
            "f(user.a=61,user.b=62)",
            "f(user.a=61)",
        ),
        (
            "added attribute",
            "f(user.a=61)",
            "f(user.a=61,security.x=62)",
        ),
        (
            "everything at once",
            "f(644,1:2,@1,user.a=61)",
            "f(755,3:4,@2,user.a=62)",
        ),
    ]);
    expect![[r#"
        # mode of a file
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /f  mode 0644 -> 0600
        exit 1
        # mode of a directory
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /d  mode 0755 -> 1777
        exit 1
        # setuid
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /f  mode 0755 -> 4755
        exit 1
        # mode of a device
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /n  mode 0600 -> 0666
        exit 1
        # mode of a symbolic link, which no file system has
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          14 same
        exit 0
        # owner
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /f  uid 0 -> 5
        exit 1
        # group
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /f  gid 0 -> 5
        exit 1
        # owner and mode of a symbolic link
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /l  gid 0 -> 9
        exit 1
        # time
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /f  mtime 1970-01-01T00:00:01Z -> 1970-01-01T00:00:02Z
        exit 1
        # fraction of a time
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /f  mtime 1970-01-01T00:00:01Z -> 1970-01-01T00:00:01.000000001Z
        exit 1
        # time before 1970
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /f  mtime 1969-12-31T23:59:58.5Z -> 1969-12-31T23:59:59Z
        exit 1
        # time after 9999
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /f  mtime 1970-01-01T00:00:01Z -> @999999999999
        exit 1
        # time of a directory
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /d  mtime 1970-01-01T00:00:01Z -> 1970-01-01T00:00:02Z
        exit 1
        # time of a symbolic link
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /l  mtime 1970-01-01T00:00:01Z -> 1970-01-01T00:00:02Z
        exit 1
        # value of an attribute
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /f  xattr user.a `ab` -> `ac`
        exit 1
        # binary value of an attribute
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /f  xattr user.a 0x00 -> 0x01
        exit 1
        # empty attribute
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /f  xattr user.a `` -> 0x00
        exit 1
        # missing attribute
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /f  xattr user.b `b` -> none
        exit 1
        # added attribute
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /f  xattr security.x none -> `b`
        exit 1
        # everything at once
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 13 same
        m /f  mode 0644 -> 0755, uid 1 -> 3, gid 2 -> 4, mtime 1970-01-01T00:00:01Z -> 1970-01-01T00:00:02Z, xattr user.a `a` -> `b`
        exit 1
    "#]]
    .assert_eq(&found);
}

#[test]
fn content() {
    let found = planted(&[
        ("size", "f=abc", "f=abcde"),
        ("same size", "f=abc", "f=abd"),
        ("empty", "f=a", "f="),
        ("content and mode", "f=abc(644)", "f=abd(600)"),
        ("target", "l->x", "l->y"),
        ("device number", "n(c1:5)", "n(c1:6)"),
        ("number of a block device", "n(b8:1)", "n(b9:1)"),
        ("kind of device", "n(c1:5)", "n(b1:5)"),
        ("file and directory", "t(755)", "t/(755)"),
        ("directory with files and file", "t/(755) t/a t/b", "t(755)"),
        ("file and symbolic link", "t=x", "t->x"),
        ("file and named pipe", "t(644)", "t(p,644)"),
    ]);
    expect![[r#"
        # size
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 changed (3B to 5B), 13 same
        M /f  size 3 -> 5
        exit 1
        # same size
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 changed (3B to 3B), 13 same
        M /f  content
        exit 1
        # empty
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 changed (1B to 0B), 13 same
        M /f  size 1 -> 0
        exit 1
        # content and mode
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 changed (3B to 3B), 13 same
        M /f  content, mode 0644 -> 0600
        exit 1
        # target
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 changed (0B to 0B), 13 same
        M /l  target x -> y
        exit 1
        # device number
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 changed (0B to 0B), 13 same
        M /n  device 1:5 -> 1:6
        exit 1
        # number of a block device
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 changed (0B to 0B), 13 same
        M /n  device 8:1 -> 9:1
        exit 1
        # kind of device
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 changed (0B to 0B), 13 same
        M /n  character device 1:5 -> block device 1:5
        exit 1
        # file and directory
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 changed (0B to 0B), 13 same
        M /t  file, size 0 -> directory
        exit 1
        # directory with files and file
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          2 deleted (0B), 1 changed (0B to 0B), 13 same
        M /t  directory -> file, size 0
        D /t/a  file, size 0
        D /t/b  file, size 0
        exit 1
        # file and symbolic link
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 changed (1B to 0B), 13 same
        M /t  file, size 1 -> symbolic link to x
        exit 1
        # file and named pipe
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 changed (0B to 0B), 13 same
        M /t  file, size 0 -> named pipe
        exit 1
    "#]]
    .assert_eq(&found);
}

#[test]
fn added_and_deleted() {
    let found = planted(&[
        ("added file", "", "f=abc"),
        ("deleted file", "f=abc", ""),
        ("added tree", "", "d/ d/e/ d/e/f=abc d/l->e d-x"),
        ("deleted by a whiteout", "", ".wh.run"),
        ("added device and pipe", "", "n(c1:5) m(b8:1) p(p)"),
        ("renamed", "a=abc", "b=abc"),
        ("names that are no text", "\\xff \\x0a", "\\xfe \\x1b[31m"),
        ("added file with two names", "", "f=abc g=>f"),
        ("added name of a file", "f=abc", "f=abc g=>f"),
        ("added name before the others", "f=abc", "a=abc f=>a"),
        ("deleted name of a file", "f=abc g=>f", "f=abc"),
    ]);
    expect![[r#"
        # added file
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 added (3B), 13 same
        A /f  file, size 3
        exit 1
        # deleted file
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 deleted (3B), 13 same
        D /f  file, size 3
        exit 1
        # added tree
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          5 added (3B), 13 same
        A /d  directory
        A /d/e  directory
        A /d/e/f  file, size 3
        A /d/l  symbolic link to e
        A /d-x  file, size 0
        exit 1
        # deleted by a whiteout
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          2 deleted (0B), 11 same
        D /run  directory
        D /run/p  named pipe
        exit 1
        # added device and pipe
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          3 added (0B), 13 same
        A /m  block device 8:1
        A /n  character device 1:5
        A /p  named pipe
        exit 1
        # renamed
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 added (3B), 1 deleted (3B), 13 same
        D /a  file, size 3
        A /b  file, size 3
        exit 1
        # names that are no text
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          2 added (0B), 2 deleted (0B), 13 same
        D /\n  file, size 0
        A /\u{1b}[31m  file, size 0
        A /\xfe  file, size 0
        D /\xff  file, size 0
        exit 1
        # added file with two names
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          2 added (3B), 13 same
        A /f  file, size 3
        A /g  hard link to /f
        exit 1
        # added name of a file
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 added (0B), 14 same
        A /g  hard link to /f
        exit 1
        # added name before the others
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 added (0B), 14 same
        A /a  hard link to /f
        exit 1
        # deleted name of a file
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 deleted (0B), 14 same
        D /g  hard link to /f
        exit 1
    "#]]
    .assert_eq(&found);
}

#[test]
fn hard_links() {
    let found = planted(&[
        ("broken", "f=abc g=>f", "f=abc g=abc"),
        ("made", "f=abc g=abc", "f=abc g=>f"),
        ("other name first", "f=abc g=>f h=>f", "h=abc g=>h f=>h"),
        ("regrouped", "a=x b=>a c=x d=>c", "a=x c=>a b=x d=>b"),
        ("one of three broken", "a=x b=>a c=>a", "a=x b=>a c=x"),
        (
            "one of three is now a symbolic link",
            "a=x b=>a c=>a",
            "a=x b=>a c->a",
        ),
        ("broken with other content", "f=abc g=>f", "f=abc g=abd"),
        ("symbolic links", "f->x g=>f(777)", "f->x g->x"),
        (
            "mode of a file with two names",
            "f=abc(644) g=>f(644)",
            "f=abc(600) g=>f(600)",
        ),
        (
            "many names",
            "a=x b=>a c=>a d=>a e=>a f=>a",
            "a=x b=x c=x d=x e=x f=x",
        ),
    ]);
    expect![[r#"
        # broken
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 14 same
        m /f  hard links /f = /g -> /f, /g
        exit 1
        # made
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 14 same
        m /f  hard links /f, /g -> /f = /g
        exit 1
        # other name first
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          16 same
        exit 0
        # regrouped
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 16 same
        m /a  hard links /a = /b, /c = /d -> /a = /c, /b = /d
        exit 1
        # one of three broken
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 15 same
        m /a  hard links /a = /b = /c -> /a = /b, /c
        exit 1
        # one of three is now a symbolic link
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 changed (1B to 0B), 15 same
        M /c  file, size 1 -> symbolic link to a
        exit 1
        # broken with other content
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 changed (3B to 3B), 1 with other metadata, 13 same
        m /f  hard links /f = /g -> /f, /g
        M /g  content
        exit 1
        # symbolic links
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 14 same
        m /f  hard links /f = /g -> /f, /g
        exit 1
        # mode of a file with two names
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          2 with other metadata, 13 same
        m /f  mode 0644 -> 0600
        m /g  mode 0644 -> 0600
        exit 1
        # many names
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 18 same
        m /a  hard links /a = /b = /c = /d = 2 more -> /a, /b, /c, /d, 2 more
        exit 1
    "#]]
    .assert_eq(&found);
}

#[test]
fn directories_without_an_entry() {
    let found = planted(&[
        (
            "an entry like the default, at any time",
            "d/f",
            "d/(755,0:0,@5) d/f",
        ),
        ("an entry with another mode", "d/f", "d/(700,0:0,@5) d/f"),
        ("an entry with another owner", "d/(755,1:0) d/f", "d/f"),
        (
            "an entry with an attribute",
            "d/f",
            "d/(755,0:0,user.a=61) d/f",
        ),
        ("the root", "d/f", "./(700,0:0,@9) d/f"),
        ("the root like the default", "d/f", "./(755,0:0,@9) d/f"),
        ("added", "", "d/f"),
    ]);
    expect![[r#"
        # an entry like the default, at any time
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          15 same
        exit 0
        # an entry with another mode
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 14 same
        m /d  mode 0755 -> 0700
        exit 1
        # an entry with another owner
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 14 same
        m /d  uid 1 -> 0
        exit 1
        # an entry with an attribute
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 14 same
        m /d  xattr user.a none -> `a`
        exit 1
        # the root
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          1 with other metadata, 14 same
        m /  mode 0755 -> 0700
        exit 1
        # the root like the default
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          15 same
        exit 0
        # added
        Layers         1 shared, of 2 in A and 2 in B
        Config         same
        Files          2 added (0B), 13 same
        A /d  directory
        A /d/f  file, size 0
        exit 1
    "#]]
    .assert_eq(&found);
}

#[test]
fn what_makes_no_difference() {
    let mut text = String::new();
    for (what, a, b) in [
        ("the order of entries", "a b/ b/c d=>a", "b/ b/c a d=>a"),
        ("the division into layers", "a=1 b=2 | b=3 .wh.a", "b=3"),
        ("a deletion of nothing", "a", "a .wh.b"),
        ("an entry twice", "a=1 | a=2", "a=2"),
        (
            "opaque directories",
            "d/ d/a | d/.wh..wh..opq d/b",
            "d/ d/b",
        ),
    ] {
        tell(&mut text, what, a, b, &[]);
    }
    expect![[r#"
        # the order of entries
        Layers         0 shared, of 1 in A and 1 in B
        Config         same
        Files          5 same
        exit 0
        # the division into layers
        Layers         0 shared, of 2 in A and 1 in B
        Config         same
        Files          2 same
        exit 0
        # a deletion of nothing
        Layers         0 shared, of 1 in A and 1 in B
        Config         same
        Files          2 same
        exit 0
        # an entry twice
        Layers         0 shared, of 2 in A and 1 in B
        Config         same
        Files          2 same
        exit 0
        # opaque directories
        Layers         0 shared, of 2 in A and 1 in B
        Config         same
        Files          3 same
        exit 0
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_part_that_is_ignored_makes_no_difference() {
    let (a, b) = (
        "f=x(644,1:2,@1,user.a=61) g=>f(644,1:2,@1,user.a=61)",
        "f=x(755,3:4,@2,user.a=62) g=x(755,3:4,@2,user.a=62)",
    );
    let mut text = String::new();
    for ignored in ["mode", "owner", "mtime", "xattrs", "links", "config"] {
        tell(&mut text, ignored, a, b, &["--ignore", ignored]);
    }
    let all = ["--ignore", "mode,owner", "--ignore", "mtime,xattrs,links"];
    tell(&mut text, "all", a, b, &all);
    tell(&mut text, "semantic", a, b, &["--semantic"]);
    expect![[r#"
        # mode
        Layers         0 shared, of 1 in A and 1 in B
        Config         same
        Files          2 with other metadata, 1 same
        m /f  uid 1 -> 3, gid 2 -> 4, mtime 1970-01-01T00:00:01Z -> 1970-01-01T00:00:02Z, xattr user.a `a` -> `b`, hard links /f = /g -> /f, /g
        m /g  uid 1 -> 3, gid 2 -> 4, mtime 1970-01-01T00:00:01Z -> 1970-01-01T00:00:02Z, xattr user.a `a` -> `b`
        exit 1
        # owner
        Layers         0 shared, of 1 in A and 1 in B
        Config         same
        Files          2 with other metadata, 1 same
        m /f  mode 0644 -> 0755, mtime 1970-01-01T00:00:01Z -> 1970-01-01T00:00:02Z, xattr user.a `a` -> `b`, hard links /f = /g -> /f, /g
        m /g  mode 0644 -> 0755, mtime 1970-01-01T00:00:01Z -> 1970-01-01T00:00:02Z, xattr user.a `a` -> `b`
        exit 1
        # mtime
        Layers         0 shared, of 1 in A and 1 in B
        Config         same
        Files          2 with other metadata, 1 same
        m /f  mode 0644 -> 0755, uid 1 -> 3, gid 2 -> 4, xattr user.a `a` -> `b`, hard links /f = /g -> /f, /g
        m /g  mode 0644 -> 0755, uid 1 -> 3, gid 2 -> 4, xattr user.a `a` -> `b`
        exit 1
        # xattrs
        Layers         0 shared, of 1 in A and 1 in B
        Config         same
        Files          2 with other metadata, 1 same
        m /f  mode 0644 -> 0755, uid 1 -> 3, gid 2 -> 4, mtime 1970-01-01T00:00:01Z -> 1970-01-01T00:00:02Z, hard links /f = /g -> /f, /g
        m /g  mode 0644 -> 0755, uid 1 -> 3, gid 2 -> 4, mtime 1970-01-01T00:00:01Z -> 1970-01-01T00:00:02Z
        exit 1
        # links
        Layers         0 shared, of 1 in A and 1 in B
        Config         same
        Files          2 with other metadata, 1 same
        m /f  mode 0644 -> 0755, uid 1 -> 3, gid 2 -> 4, mtime 1970-01-01T00:00:01Z -> 1970-01-01T00:00:02Z, xattr user.a `a` -> `b`
        m /g  mode 0644 -> 0755, uid 1 -> 3, gid 2 -> 4, mtime 1970-01-01T00:00:01Z -> 1970-01-01T00:00:02Z, xattr user.a `a` -> `b`
        exit 1
        # config
        Layers         0 shared, of 1 in A and 1 in B
        Config         not compared
        Files          2 with other metadata, 1 same
        m /f  mode 0644 -> 0755, uid 1 -> 3, gid 2 -> 4, mtime 1970-01-01T00:00:01Z -> 1970-01-01T00:00:02Z, xattr user.a `a` -> `b`, hard links /f = /g -> /f, /g
        m /g  mode 0644 -> 0755, uid 1 -> 3, gid 2 -> 4, mtime 1970-01-01T00:00:01Z -> 1970-01-01T00:00:02Z, xattr user.a `a` -> `b`
        exit 1
        # all
        Layers         0 shared, of 1 in A and 1 in B
        Config         same
        Files          3 same
        exit 0
        # semantic
        Layers         0 shared, of 1 in A and 1 in B
        Config         same
        Files          2 with other metadata, 1 same
        m /f  mode 0644 -> 0755, uid 1 -> 3, gid 2 -> 4, xattr user.a `a` -> `b`, hard links /f = /g -> /f, /g
        m /g  mode 0644 -> 0755, uid 1 -> 3, gid 2 -> 4, xattr user.a `a` -> `b`
        exit 1
    "#]]
    .assert_eq(&text);
}
