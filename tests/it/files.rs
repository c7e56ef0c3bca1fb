//! `files`: the merged tree, and the entries of single layers.

use std::collections::BTreeMap;
use std::path::Path;

use expect_test::expect;
use proptest::prelude::*;
use restow::{ChangeKind, EntryType, FileEntry, FilesOptions, Input, Session};

use crate::support::codec::Codec;
use crate::support::judge::Format;
use crate::support::layer::stack;
use crate::support::make::{self, Image};
use crate::support::random::{Flavour, stacks};
use crate::support::sandbox::Sandbox;
use crate::support::squash::put;

/// A stack in which every kind of entry and of change occurs.
const STACK: &str = "\
    bin->usr/bin dev/ dev/null(c1:3,0666) dev/sda(b8:1,0660,0:6) dev/pipe(p) etc/ etc/hosts=localhost \
    etc/old=1 etc/passwd=root(0640,0:42) srv/a/b=1 tmp/(01777) usr/bin/sh=shell(04755,@-1.5) \
    usr/bin/tool=>usr/bin/sh x(user.a=00ff) | \
    etc/hosts=LOCALHOST etc/.wh.old etc/passwd=root(0600) srv/.wh.a usr/bin/sh=shell(04755,@-1.5) | \
    etc/ etc/old=2 srv/.wh..wh..opq srv/new srv/.wh.nothing x/ x/y";

/// A sandbox with that stack in `in.tar`.
fn prepared() -> Sandbox {
    prepared_with(STACK)
}

fn prepared_with(text: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let image = Image::of_layers(&["app:1"], stack(text));
    put(&sandbox, "in.tar", Format::Docker, &image);
    sandbox
}

/// The output of a command.
#[track_caller]
fn printed(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let (data, _) = sandbox.run(arguments).data_and_warnings();
    String::from_utf8(data).expect("it is UTF-8")
}

#[test]
fn the_tree_is_shown_with_the_layer_of_each_entry() {
    let shown = printed(&prepared(), &["files", "in.tar"]);
    expect![[r#"
        MODE        LINKS OWNER SIZE MODIFIED            LAYER PATH
        drwxr-xr-x      1   0:0    0                         3 /
        lrwxrwxrwx      1   0:0    7 1970-01-01 00:00:01     1 /bin -> usr/bin
        drwxr-xr-x      1   0:0    0 1970-01-01 00:00:01     1 /dev
        crw-rw-rw-      1   0:0  1,3 1970-01-01 00:00:01     1 /dev/null
        prw-r--r--      1   0:0    0 1970-01-01 00:00:01     1 /dev/pipe
        brw-rw----      1   0:6  8,1 1970-01-01 00:00:01     1 /dev/sda
        drwxr-xr-x      1   0:0    0 1970-01-01 00:00:01     3 /etc
        -rw-r--r--      1   0:0    9 1970-01-01 00:00:01     2 /etc/hosts
        -rw-r--r--      1   0:0    1 1970-01-01 00:00:01     3 /etc/old
        -rw-------      1   0:0    4 1970-01-01 00:00:01     2 /etc/passwd
        drwxr-xr-x      1   0:0    0                         3 /srv
        -rw-r--r--      1   0:0    0 1970-01-01 00:00:01     3 /srv/new
        drwxrwxrwt      1   0:0    0 1970-01-01 00:00:01     1 /tmp
        drwxr-xr-x      1   0:0    0                         2 /usr
        drwxr-xr-x      1   0:0    0                         2 /usr/bin
        -rwsr-xr-x      1   0:0    5 1969-12-31 23:59:58     2 /usr/bin/sh
        -rw-r--r--      1   0:0    5 1970-01-01 00:00:01     1 /usr/bin/tool
        drwxr-xr-x      1   0:0    0 1970-01-01 00:00:01     3 /x
        -rw-r--r--      1   0:0    0 1970-01-01 00:00:01     3 /x/y
    "#]]
    .assert_eq(&shown);
}

#[test]
fn a_layer_is_shown_with_what_it_changes() {
    let sandbox = prepared();
    let shown = [1, 2, 3].map(|layer: i32| {
        let arguments = ["files", "--layer", &layer.to_string(), "in.tar"];
        printed(&sandbox, &arguments)
    });
    expect![[r#"
          MODE        LINKS OWNER SIZE MODIFIED            LAYER PATH
        A lrwxrwxrwx      1   0:0    7 1970-01-01 00:00:01     1 /bin -> usr/bin
        A drwxr-xr-x      1   0:0    0 1970-01-01 00:00:01     1 /dev
        A crw-rw-rw-      1   0:0  1,3 1970-01-01 00:00:01     1 /dev/null
        A prw-r--r--      1   0:0    0 1970-01-01 00:00:01     1 /dev/pipe
        A brw-rw----      1   0:6  8,1 1970-01-01 00:00:01     1 /dev/sda
        A drwxr-xr-x      1   0:0    0 1970-01-01 00:00:01     1 /etc
        A -rw-r--r--      1   0:0    9 1970-01-01 00:00:01     1 /etc/hosts
        A -rw-r--r--      1   0:0    1 1970-01-01 00:00:01     1 /etc/old
        A -rw-r-----      1  0:42    4 1970-01-01 00:00:01     1 /etc/passwd
        A drwxr-xr-x      1   0:0    0                         1 /srv
        A drwxr-xr-x      1   0:0    0                         1 /srv/a
        A -rw-r--r--      1   0:0    1 1970-01-01 00:00:01     1 /srv/a/b
        A drwxrwxrwt      1   0:0    0 1970-01-01 00:00:01     1 /tmp
        A drwxr-xr-x      1   0:0    0                         1 /usr
        A drwxr-xr-x      1   0:0    0                         1 /usr/bin
        A -rw-r--r--      2   0:0    5 1970-01-01 00:00:01     1 /usr/bin/sh
        A -rw-r--r--      2   0:0    5 1970-01-01 00:00:01     1 /usr/bin/tool
        A -rw-r--r--+     1   0:0    0 1970-01-01 00:00:01     1 /x

          MODE        LINKS OWNER SIZE MODIFIED            LAYER PATH
        M -rw-r--r--      1   0:0    9 1970-01-01 00:00:01     2 /etc/hosts
        D                                                      2 /etc/old
        m -rw-------      1   0:0    4 1970-01-01 00:00:01     2 /etc/passwd
        D                                                      2 /srv/a
        m -rwsr-xr-x      1   0:0    5 1969-12-31 23:59:58     2 /usr/bin/sh

          MODE        LINKS OWNER SIZE MODIFIED            LAYER PATH
        = drwxr-xr-x      1   0:0    0 1970-01-01 00:00:01     3 /etc
        A -rw-r--r--      1   0:0    1 1970-01-01 00:00:01     3 /etc/old
        A -rw-r--r--      1   0:0    0 1970-01-01 00:00:01     3 /srv/new
        D                                                      3 /srv/nothing
        M drwxr-xr-x      1   0:0    0 1970-01-01 00:00:01     3 /x
        A -rw-r--r--      1   0:0    0 1970-01-01 00:00:01     3 /x/y
    "#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn the_history_of_paths_is_shown() {
    let sandbox = prepared();
    let history = |paths: &[&str]| {
        let arguments = [&["files", "--all-layers", "in.tar"], paths].concat();
        printed(&sandbox, &arguments)
    };
    let shown = [
        history(&["etc/old"]),
        // Its folder is deleted.
        history(&["/srv/a/b", "/etc/hosts"]),
        // Its name leads through a symbolic link.
        history(&["/bin/sh"]),
        history(&["**/*o*"]),
    ];
    expect![[r#"
          MODE        LINKS OWNER SIZE MODIFIED            LAYER PATH
        A -rw-r--r--      1   0:0    1 1970-01-01 00:00:01     1 /etc/old
        D                                                      2 /etc/old
        A -rw-r--r--      1   0:0    1 1970-01-01 00:00:01     3 /etc/old

          MODE        LINKS OWNER SIZE MODIFIED            LAYER PATH
        A -rw-r--r--      1   0:0    9 1970-01-01 00:00:01     1 /etc/hosts
        M -rw-r--r--      1   0:0    9 1970-01-01 00:00:01     2 /etc/hosts
        A -rw-r--r--      1   0:0    1 1970-01-01 00:00:01     1 /srv/a/b
        D                                                      2 /srv/a/b

          MODE        LINKS OWNER SIZE MODIFIED            LAYER PATH
        A -rw-r--r--      2   0:0    5 1970-01-01 00:00:01     1 /usr/bin/sh
        m -rwsr-xr-x      1   0:0    5 1969-12-31 23:59:58     2 /usr/bin/sh

          MODE        LINKS OWNER SIZE MODIFIED            LAYER PATH
        A -rw-r--r--      1   0:0    9 1970-01-01 00:00:01     1 /etc/hosts
        M -rw-r--r--      1   0:0    9 1970-01-01 00:00:01     2 /etc/hosts
        A -rw-r--r--      1   0:0    1 1970-01-01 00:00:01     1 /etc/old
        D                                                      2 /etc/old
        A -rw-r--r--      1   0:0    1 1970-01-01 00:00:01     3 /etc/old
        D                                                      3 /srv/nothing
        A -rw-r--r--      2   0:0    5 1970-01-01 00:00:01     1 /usr/bin/tool
    "#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn paths_and_patterns_select_entries_and_what_is_below_them() {
    let sandbox = prepared_with(
        "a/b/c.txt a/b/d a/[x] a/x link->a up->../../a/b z.txt é \\xff | a/e/f.txt top.txt",
    );
    let selected = |paths: &[&str]| {
        let arguments = [&["files", "-q", "in.tar"], paths].concat();
        format!("{paths:?}\n{}", printed(&sandbox, &arguments))
    };
    let cases: [&[&str]; 16] = [
        &[],
        &["/"],
        &["a/b"],
        &["/a/b/", "a/b/c.txt", "/./z.txt"],
        &["link"],
        &["link/"],
        &["link/b/c.txt"],
        &["up/d"],
        &["*.txt"],
        &["**/*.txt"],
        &["a/*/"],
        &["a/[x]"],
        &[r"a/\[x\]"],
        &["link/?"],
        &["?"],
        &["a/[^x]"],
    ];
    let shown: Vec<String> = cases.into_iter().map(selected).collect();
    expect![[r#"
        []
        /
        /a
        /a/[x]
        /a/b
        /a/b/c.txt
        /a/b/d
        /a/e
        /a/e/f.txt
        /a/x
        /link
        /top.txt
        /up
        /z.txt
        /é
        /\xff

        ["/"]
        /
        /a
        /a/[x]
        /a/b
        /a/b/c.txt
        /a/b/d
        /a/e
        /a/e/f.txt
        /a/x
        /link
        /top.txt
        /up
        /z.txt
        /é
        /\xff

        ["a/b"]
        /a/b
        /a/b/c.txt
        /a/b/d

        ["/a/b/", "a/b/c.txt", "/./z.txt"]
        /a/b
        /a/b/c.txt
        /a/b/d
        /z.txt

        ["link"]
        /link

        ["link/"]
        /a
        /a/[x]
        /a/b
        /a/b/c.txt
        /a/b/d
        /a/e
        /a/e/f.txt
        /a/x

        ["link/b/c.txt"]
        /a/b/c.txt

        ["up/d"]
        /a/b/d

        ["*.txt"]
        /top.txt
        /z.txt

        ["**/*.txt"]
        /a/b/c.txt
        /a/e/f.txt
        /top.txt
        /z.txt

        ["a/*/"]
        /a/b
        /a/b/c.txt
        /a/b/d
        /a/e
        /a/e/f.txt

        ["a/[x]"]
        /a/[x]

        ["a/\\[x\\]"]
        /a/[x]

        ["link/?"]
        /a/b
        /a/b/c.txt
        /a/b/d
        /a/e
        /a/e/f.txt
        /a/x

        ["?"]
        /a
        /a/[x]
        /a/b
        /a/b/c.txt
        /a/b/d
        /a/e
        /a/e/f.txt
        /a/x
        /é
        /\xff

        ["a/[^x]"]
        /a/b
        /a/b/c.txt
        /a/b/d
        /a/e
        /a/e/f.txt
    "#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn the_order_and_the_form_can_be_chosen() {
    let sandbox = prepared_with("a=1 b=4444 c/ | b2=22 a=333");
    let shown = [
        &["files", "--sort", "size", "in.tar"][..],
        &["files", "--sort", "layer", "in.tar"],
        &["files", "--sort", "size", "--all-layers", "in.tar"],
        &["files", "-H", "in.tar", "b"],
        &["files", "--human=true", "in.tar", "b"],
        &["files", "-H=false", "in.tar", "b"],
        &["files", "-q", "--sort", "size", "in.tar"],
        &["files", "-q", "--layer", "2", "in.tar"],
        &["files", "--json", "--layer", "2", "in.tar", "a"],
        &["files", "--quiet", "--json", "in.tar", "a"],
    ];
    let shown = shown.map(|arguments| format!("{arguments:?}\n{}", printed(&sandbox, arguments)));
    expect![[r#"
        ["files", "--sort", "size", "in.tar"]
        MODE        LINKS OWNER SIZE MODIFIED            LAYER PATH
        -rw-r--r--      1   0:0    4 1970-01-01 00:00:01     1 /b
        -rw-r--r--      1   0:0    3 1970-01-01 00:00:01     2 /a
        -rw-r--r--      1   0:0    2 1970-01-01 00:00:01     2 /b2
        drwxr-xr-x      1   0:0    0                         2 /
        drwxr-xr-x      1   0:0    0 1970-01-01 00:00:01     1 /c

        ["files", "--sort", "layer", "in.tar"]
        MODE        LINKS OWNER SIZE MODIFIED            LAYER PATH
        -rw-r--r--      1   0:0    4 1970-01-01 00:00:01     1 /b
        drwxr-xr-x      1   0:0    0 1970-01-01 00:00:01     1 /c
        drwxr-xr-x      1   0:0    0                         2 /
        -rw-r--r--      1   0:0    3 1970-01-01 00:00:01     2 /a
        -rw-r--r--      1   0:0    2 1970-01-01 00:00:01     2 /b2

        ["files", "--sort", "size", "--all-layers", "in.tar"]
          MODE        LINKS OWNER SIZE MODIFIED            LAYER PATH
        A -rw-r--r--      1   0:0    4 1970-01-01 00:00:01     1 /b
        M -rw-r--r--      1   0:0    3 1970-01-01 00:00:01     2 /a
        A -rw-r--r--      1   0:0    2 1970-01-01 00:00:01     2 /b2
        A -rw-r--r--      1   0:0    1 1970-01-01 00:00:01     1 /a
        A drwxr-xr-x      1   0:0    0 1970-01-01 00:00:01     1 /c

        ["files", "-H", "in.tar", "b"]
        MODE        LINKS OWNER SIZE MODIFIED            LAYER PATH
        -rw-r--r--      1   0:0   4B 1970-01-01 00:00:01     1 /b

        ["files", "--human=true", "in.tar", "b"]
        MODE        LINKS OWNER SIZE MODIFIED            LAYER PATH
        -rw-r--r--      1   0:0   4B 1970-01-01 00:00:01     1 /b

        ["files", "-H=false", "in.tar", "b"]
        MODE        LINKS OWNER SIZE MODIFIED            LAYER PATH
        -rw-r--r--      1   0:0    4 1970-01-01 00:00:01     1 /b

        ["files", "-q", "--sort", "size", "in.tar"]
        /b
        /a
        /b2
        /
        /c

        ["files", "-q", "--layer", "2", "in.tar"]
        /a
        /b2

        ["files", "--json", "--layer", "2", "in.tar", "a"]
        {"path":"/a","path_base64":null,"type":"file","mode":"0644","uid":0,"gid":0,"size":3,"mtime":"1970-01-01T00:00:01Z","target":null,"target_base64":null,"device":null,"links":1,"inode":null,"xattrs":{},"layer":2,"change":"content"}

        ["files", "--quiet", "--json", "in.tar", "a"]
        {"path":"/a","path_base64":null,"type":"file","mode":"0644","uid":0,"gid":0,"size":3,"mtime":"1970-01-01T00:00:01Z","target":null,"target_base64":null,"device":null,"links":1,"inode":null,"xattrs":{},"layer":2}
    "#]].assert_eq(&shown.join("\n"));
    let sandbox = prepared_with("a\\x0ab\\xff x");
    let null = sandbox.run(&["files", "-0", "in.tar"]).data("");
    assert_eq!(null, b"/\0/a\nb\xff\0/x\0");
}

#[test]
fn a_long_list_is_the_same_with_any_number_of_threads() {
    let names: Vec<String> = (0..5000).map(|at| format!("{}/{at:04}", at % 3)).collect();
    let sandbox = prepared_with(&names.join(" "));
    let with_jobs = |jobs: &str| printed(&sandbox, &["files", "--jobs", jobs, "in.tar"]);
    let alone = with_jobs("1");
    let shown = alone.lines().skip(1);
    let shown = shown.filter_map(|line| line.rsplit(' ').next());
    let paths = printed(&sandbox, &["files", "-0", "in.tar"]);
    assert!(paths.split_terminator('\0').eq(shown));
    assert_eq!(alone.lines().count(), 1 + 1 + 3 + 5000);
    for jobs in ["2", "3", "16"] {
        assert!(with_jobs(jobs) == alone, "{jobs}");
    }
}

#[test]
fn names_steer_nothing() {
    let sandbox = prepared_with("a\\x1b[31m->\\x0a\\xff");
    let shown = printed(&sandbox, &["files", "in.tar"])
        + &printed(&sandbox, &["files", "--json", "in.tar", "*"]);
    expect![[r#"
        MODE        LINKS OWNER SIZE MODIFIED            LAYER PATH
        drwxr-xr-x      1   0:0    0                         1 /
        lrwxrwxrwx      1   0:0    2 1970-01-01 00:00:01     1 /a\u{1b}[31m -> \n\xff
        {"path":"/a\u001b[31m","path_base64":null,"type":"symlink","mode":"0777","uid":0,"gid":0,"size":2,"mtime":"1970-01-01T00:00:01Z","target":"\n�","target_base64":"Cv8=","device":null,"links":1,"inode":null,"xattrs":{},"layer":1}
    "#]].assert_eq(&shown);
}

#[test]
fn what_is_not_there_is_named() {
    let sandbox = prepared_with("a/b link->nowhere loop->loop l2->a/b/c | a/.wh.b c | d");
    let fails = |arguments: &[&str]| {
        let arguments = [&["files", "in.tar"], arguments].concat();
        let output = sandbox.run(&arguments);
        format!("{arguments:?}\n{}", output.refuses())
    };
    let cases: [&[&str]; 12] = [
        &["x"],
        &["c", "a/b"],
        &["a/b/c/d"],
        &["c/x"],
        &["link/x"],
        &["loop/x"],
        &["*.txt"],
        &["a/*"],
        &["--layer", "1", "c"],
        &["--layer", "4"],
        &["--all-layers", "x"],
        &["c/"],
    ];
    let shown: Vec<String> = cases.into_iter().map(fails).collect();
    expect![[r#"
        ["files", "in.tar", "x"]
        error: no `/x` in `app:1`
          hint: `restow files SRC '**/x'` looks in every folder

        ["files", "in.tar", "c", "a/b"]
        error: no `/a/b` in `app:1`: layer 2 of 3 deletes it
          hint: `restow files --all-layers SRC /a/b` shows the layers that have it

        ["files", "in.tar", "a/b/c/d"]
        error: no `/a/b/c/d` in `app:1`: there is no `/a/b`
          hint: `restow files SRC` lists the files of the image

        ["files", "in.tar", "c/x"]
        error: no `/c/x` in `app:1`: `/c` is not a directory

        ["files", "in.tar", "link/x"]
        error: no `/link/x` in `app:1`: there is no `/nowhere`
          hint: `restow files SRC` lists the files of the image

        ["files", "in.tar", "loop/x"]
        error: `/loop/x` in `app:1` leads through too many symbolic links, such as `/loop`

        ["files", "in.tar", "*.txt"]
        error: no path in `app:1` matches `/*.txt`
          hint: `'**/*.txt'` matches in every folder

        ["files", "in.tar", "a/*"]
        error: no path in `app:1` matches `/a/*`

        ["files", "in.tar", "--layer", "1", "c"]
        error: layer 1 of 3 does not have `/c`
          hint: `restow files --all-layers SRC /c` shows the layers that have it

        ["files", "in.tar", "--layer", "4"]
        error: there is no layer `4`: the image has 3 layers

        ["files", "in.tar", "--all-layers", "x"]
        error: no layer has `/x`

        ["files", "in.tar", "c/"]
        error: no `/c/` in `app:1`: `/c` is not a directory
    "#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn every_form_of_input_is_listed() {
    let expected = printed(&prepared(), &["files", "in.tar"]);
    for (format, codec) in [
        (Format::Docker, Codec::Gzip),
        (Format::Oci, Codec::Zstd),
        (Format::OciArchive, Codec::Gzip),
    ] {
        let sandbox = Sandbox::new();
        let image = Image::of_layers(&["app:1"], stack(STACK)).stored_as(codec);
        let source = put(&sandbox, "in", format, &image);
        assert_eq!(
            printed(&sandbox, &["files", &source]),
            expected,
            "{format:?}"
        );
    }
    let sandbox = prepared();
    let run = sandbox
        .restow(&["files", "-"])
        .stdin_pipe(sandbox.read("in.tar"));
    let (data, _) = run.run().data_and_warnings();
    assert_eq!(String::from_utf8(data).unwrap(), expected, "from a pipe");
    // A root filesystem is a tree of one layer.
    let sandbox = Sandbox::new();
    sandbox.write("rootfs.tar", make::layer("dir a\nfile a/b 1"));
    expect![[r#"
        MODE        LINKS OWNER SIZE MODIFIED            LAYER PATH
        drwxr-xr-x      1   0:0    0                         1 /
        drwxr-xr-x      1   0:0    0 2023-11-14 22:13:20     1 /a
        -rw-r--r--      1   0:0    1 2023-11-14 22:13:20     1 /a/b
    "#]]
    .assert_eq(&printed(&sandbox, &["files", "rootfs.tar"]));
}

/// The path, kind and metadata of each entry.
fn facts<'a>(entries: impl Iterator<Item = &'a FileEntry>) -> BTreeMap<Vec<u8>, FileEntry> {
    let plain = |entry: &FileEntry| {
        let mut entry = entry.clone();
        (entry.links, entry.inode, entry.layer) = (1, None, 1);
        (entry.path.clone(), entry)
    };
    entries.map(plain).collect()
}

/// Removes everything below a path.
fn clear(tree: &mut BTreeMap<Vec<u8>, FileEntry>, path: &[u8]) {
    let top = [path, b"/"].concat();
    tree.retain(|other, _| !other.starts_with(&top));
}

/// Applies the changes of layers, one after the other, and compares with the tree.
#[track_caller]
fn assert_changes_make_the_tree(path: &Path) {
    let session = Session::new();
    let images = session.open(Input::path(path)).expect("it can be opened");
    let options = FilesOptions::default();
    let changes = session.file_changes(&images, None, &options);
    let expected = session.files(&images, &options).expect("they can be read");
    let linked: Vec<FileEntry> = expected.entries().collect();
    let expected = facts(linked.iter());
    // The root is always there.
    let mut tree = facts(linked.iter().filter(|entry| entry.path.is_empty()));
    for change in changes.expect("the layers can be read") {
        let is_there = tree.contains_key(&change.path);
        match change.entry {
            None => {
                assert_eq!(change.kind, ChangeKind::Deleted);
                assert_eq!(change.before.is_some(), is_there, "{:?}", change.path);
                clear(&mut tree, &change.path);
                tree.remove(&change.path);
            }
            Some(entry) => {
                assert_eq!(
                    change.kind != ChangeKind::Added,
                    is_there,
                    "{:?}",
                    change.path
                );
                if entry.kind != EntryType::Directory {
                    clear(&mut tree, &change.path);
                }
                tree.extend(facts([&entry].into_iter()));
            }
        }
    }
    let names =
        |tree: &BTreeMap<Vec<u8>, FileEntry>| -> Vec<Vec<u8>> { tree.keys().cloned().collect() };
    assert_eq!(names(&tree), names(&expected));
    for (path, entry) in &tree {
        let expected = &expected[path];
        // The metadata of a file may be those of a later hard link to it.
        let is_same = match entry.kind {
            EntryType::Directory => entry == expected,
            _ => entry.kind == expected.kind,
        };
        assert!(is_same, "{}", String::from_utf8_lossy(path));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_changes_of_all_layers_make_the_tree(stack in stacks(Flavour::Any, 1..5)) {
        let sandbox = Sandbox::new();
        let image = Image::of_layers(&["app:1"], stack.tars());
        put(&sandbox, "in.tar", Format::Docker, &image);
        assert_changes_make_the_tree(&sandbox.path("in.tar"));
    }
}
