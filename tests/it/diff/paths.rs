//! Paths and patterns that select what is compared.

use std::fmt::Write as _;

use expect_test::expect;

use super::{differences, image, sandbox};

#[test]
fn only_the_files_at_and_below_the_paths_are_compared() {
    let a = image("etc/ etc/a=1 etc/b=1 usr/lib/x=1 lib->usr/lib f=1 g=>f one d/x only/a")
        .with_config(|config| config["config"]["User"] = "a".into());
    let b = image("etc/ etc/a=2 etc/b=1 usr/lib/x=2 lib->usr/lib f=1 g=1 one/x d only/b");
    let sandbox = sandbox(&a, &b);
    let mut text = String::new();
    for paths in [
        "/etc",
        "etc/a etc/b",
        "/etc/b",
        "/etc/?",
        "**/x",
        "/lib/x",
        "/lib",
        "/f",
        "/f /g",
        "/one",
        "/one/x",
        "/d/",
        "/only/a",
        "/",
        "/etc /etc/a /e*",
    ] {
        let paths: Vec<&str> = paths.split(' ').collect();
        let report = differences(&sandbox, &[&["a", "b"], &paths[..]].concat());
        let _ = write!(text, "# {}\n{report}", paths.join(" "));
    }
    expect![[r#"
        # /etc
        Layers         0 shared, of 1 in A and 1 in B
        Config         not compared
        Files          1 changed (1B to 1B), 2 same
        M /etc/a  content
        exit 1
        # etc/a etc/b
        Layers         0 shared, of 1 in A and 1 in B
        Config         not compared
        Files          1 changed (1B to 1B), 1 same
        M /etc/a  content
        exit 1
        # /etc/b
        Layers         0 shared, of 1 in A and 1 in B
        Config         not compared
        Files          1 same
        exit 0
        # /etc/?
        Layers         0 shared, of 1 in A and 1 in B
        Config         not compared
        Files          1 changed (1B to 1B), 1 same
        M /etc/a  content
        exit 1
        # **/x
        Layers         0 shared, of 1 in A and 1 in B
        Config         not compared
        Files          1 added (0B), 1 deleted (0B), 1 changed (1B to 1B), 0 same
        D /d/x  file, size 0
        A /one/x  file, size 0
        M /usr/lib/x  content
        exit 1
        # /lib/x
        Layers         0 shared, of 1 in A and 1 in B
        Config         not compared
        Files          1 changed (1B to 1B), 0 same
        M /usr/lib/x  content
        exit 1
        # /lib
        Layers         0 shared, of 1 in A and 1 in B
        Config         not compared
        Files          1 same
        exit 0
        # /f
        Layers         0 shared, of 1 in A and 1 in B
        Config         not compared
        Files          1 same
        exit 0
        # /f /g
        Layers         0 shared, of 1 in A and 1 in B
        Config         not compared
        Files          1 with other metadata, 1 same
        m /f  hard links /f = /g -> /f, /g
        exit 1
        # /one
        Layers         0 shared, of 1 in A and 1 in B
        Config         not compared
        Files          1 added (0B), 1 changed (0B to 0B), 0 same
        M /one  file, size 0 -> directory, mode 0644 -> 0755
        A /one/x  file, size 0
        exit 1
        # /one/x
        Layers         0 shared, of 1 in A and 1 in B
        Config         not compared
        Files          1 added (0B), 0 same
        A /one/x  file, size 0
        exit 1
        # /d/
        Layers         0 shared, of 1 in A and 1 in B
        Config         not compared
        Files          1 deleted (0B), 1 changed (0B to 0B), 0 same
        M /d  directory -> file, size 0, mode 0755 -> 0644
        D /d/x  file, size 0
        exit 1
        # /only/a
        Layers         0 shared, of 1 in A and 1 in B
        Config         not compared
        Files          1 deleted (0B), 0 same
        D /only/a  file, size 0
        exit 1
        # /
        Layers         0 shared, of 1 in A and 1 in B
        Config         not compared
        Files          2 added (0B), 2 deleted (0B), 4 changed (2B to 2B), 1 with other metadata, 8 same
        M /d  directory -> file, size 0, mode 0755 -> 0644
        D /d/x  file, size 0
        M /etc/a  content
        m /f  hard links /f = /g -> /f, /g
        M /one  file, size 0 -> directory, mode 0644 -> 0755
        A /one/x  file, size 0
        D /only/a  file, size 0
        A /only/b  file, size 0
        M /usr/lib/x  content
        exit 1
        # /etc /etc/a /e*
        Layers         0 shared, of 1 in A and 1 in B
        Config         not compared
        Files          1 changed (1B to 1B), 2 same
        M /etc/a  content
        exit 1
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_path_that_neither_image_has_is_trouble() {
    let sandbox = sandbox(&image("etc/a"), &image("etc/a"));
    let mut text = String::new();
    for path in ["/ect", "etc/a/b", "/etc/*.conf", "\u{1b}", "/etc /x"] {
        let paths: Vec<&str> = path.split(' ').collect();
        let output = sandbox.run(&[&["diff", "a", "b"], &paths[..]].concat());
        assert_eq!((output.code, output.stdout.as_slice()), (Some(2), &b""[..]));
        text.push_str(&output.stderr);
    }
    expect![[r#"
        error: no `/ect` in `a:app:1` or `b:app:1`
          hint: `restow files SRC '**/ect'` looks in every folder
        error: no `/etc/a/b` in `a:app:1` or `b:app:1`
          hint: `restow files SRC` lists the files of the image
        error: no path in `a:app:1` or `b:app:1` matches `/etc/*.conf`
        error: no `/\u{1b}` in `a:app:1` or `b:app:1`
          hint: `restow files SRC` lists the files of the image
        error: no `/x` in `a:app:1` or `b:app:1`
          hint: `restow files SRC '**/x'` looks in every folder
    "#]]
    .assert_eq(&text);
}
