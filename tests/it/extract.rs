//! `restow extract`: what is in the folder afterwards, and what is not.

mod outside;
mod paths;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use expect_test::expect;
use proptest::prelude::*;
use serde_json::Value;

use super::fixtures::{Fixture, fixtures, shared};
use crate::support::entry::{Entry, Kind, SECOND, entries};
use crate::support::folder::found_in;
use crate::support::judge::Format;
use crate::support::layer::{stack, tar};
use crate::support::make::Image;
use crate::support::naive::{Tree, replay};
use crate::support::random::{Flavour, stacks};
use crate::support::sandbox::Run;
use crate::support::squash::put;
use crate::support::tools::{Place, is_installed, is_root, skip, succeed};
use crate::support::tree::{Strictness, assert_same, difference};
use crate::support::{Sandbox, random_cases};

/// A user without any privilege.
const NOBODY: u32 = 65534;

/// Runs a command as that user.
const AS_NOBODY: [&str; 4] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
];

/// True if the tests run as root, and so can set all that an image has.
#[track_caller]
fn can_set_owners(test: &str) -> bool {
    if !is_root() {
        skip(test, "only root can set owners and make devices");
    }
    is_root()
}

/// Extracts a fixture, and exports it for comparison: the tree of the export.
#[track_caller]
fn extracted(sandbox: &Sandbox, fixture: &Fixture) -> Tree {
    let (id, source) = (fixture.image.id(), fixture.format.at(&fixture.path));
    let arguments = ["export", "--image", &id, &source, "out.tar"];
    drop(sandbox.run(&arguments).reports());
    let arguments = ["extract", "--image", &id, &source, "out"];
    drop(sandbox.run(&arguments).reports());
    replay(&[sandbox.read("out.tar")])
}

/// Compares a folder with a tree, which may have nothing about its root.
#[track_caller]
fn assert_folder(folder: &Path, expected: &Tree, what: &str) {
    let mut got = found_in(folder);
    if !expected.has(b"") {
        got.remove_root();
    }
    assert_same(expected, &got, Strictness::All, what);
}

/// Each fixture, with what tar makes of its export.
#[track_caller]
fn assert_extracts(fixtures: &[Fixture]) {
    for fixture in fixtures {
        let sandbox = Sandbox::new();
        let expected = extracted(&sandbox, fixture);
        assert_folder(&sandbox.path("out"), &expected, &fixture.name());

        // What tar makes of the export, apart from ACLs: it has a record of its own for them.
        fs::create_dir(sandbox.path("tar")).expect("a folder can be made");
        let mut command = Command::new("tar");
        command.current_dir(sandbox.path("tar"));
        command.args(["-xpf", "../out.tar", "--numeric-owner", "--same-owner"]);
        command.args(["--xattrs", "--xattrs-include=*", "--acls"]);
        command.arg("--delay-directory-restore");
        drop(succeed(&mut command));
        assert_folder(&sandbox.path("tar"), &expected, &fixture.name());
    }
}

#[test]
fn fixtures_become_the_files_of_their_export() {
    if can_set_owners("fixtures_become_the_files_of_their_export") {
        assert_extracts(&fixtures());
    }
}

#[test]
fn shared_fixtures_become_the_files_of_their_export() {
    let test = "shared_fixtures_become_the_files_of_their_export";
    if can_set_owners(test) {
        assert_extracts(&shared(test, "fixtures"));
    }
}

#[test]
fn the_corpus_becomes_the_files_of_its_export() {
    let test = "the_corpus_becomes_the_files_of_its_export";
    if can_set_owners(test) {
        assert_extracts(&shared(test, "corpus"));
    }
}

#[test]
fn fixtures_become_the_files_that_umoci_makes() {
    let test = "fixtures_become_the_files_that_umoci_makes";
    if !can_set_owners(test) {
        return;
    }
    for place in Place::with("umoci", test) {
        for fixture in fixtures() {
            let sandbox = Sandbox::new();
            let expected = extracted(&sandbox, &fixture);
            let (id, source) = (fixture.image.id(), fixture.format.at(&fixture.path));
            let arguments = [
                "convert",
                "--image",
                &id,
                "--compress",
                "none",
                &source,
                "oci:lay:x",
            ];
            drop(sandbox.run(&arguments).reports());
            let image = format!("{}:x", sandbox.path("lay").display());
            let bundle = sandbox.path("bundle");
            let mut command = place.command("umoci");
            command.args(["unpack", "--image", &image]).arg(&bundle);
            drop(succeed(&mut command));
            let mut got = found_in(&bundle.join("rootfs"));
            let mut expected = expected;
            if !expected.has(b"") {
                got.remove_root();
            }
            for tree in [&mut got, &mut expected] {
                // The time that umoci sets in place of a far one.
                let is_far =
                    |time: i128| !(-(1 << 31) + 1..1 << 32).contains(&time.div_euclid(SECOND));
                tree.edit(|meta| meta.mtime = if is_far(meta.mtime) { 0 } else { meta.mtime });
            }
            let what = format!("{place:?}, {}", fixture.name());
            assert_same(&expected, &got, Strictness::All, what);
        }
    }
}

/// The way back: the layer of the imported folder is the tree of the export.
#[test]
fn an_extracted_folder_is_imported_as_the_same_tree() {
    if !can_set_owners("an_extracted_folder_is_imported_as_the_same_tree") {
        return;
    }
    for fixture in fixtures() {
        let sandbox = Sandbox::new();
        let expected = extracted(&sandbox, &fixture);
        drop(sandbox.run(&["import", "out", "back.tar"]).reports());
        drop(sandbox.run(&["export", "back.tar", "again.tar"]).reports());
        let mut got = replay(&[sandbox.read("again.tar")]);
        if !expected.has(b"") {
            got.remove_root();
        }
        assert_same(&expected, &got, Strictness::All, fixture.name());
    }
}

/// One entry of each kind, in two layers, and modes that keep their owner out.
const SAMPLE: &str = "./(0711,@7.5) bin/ bin/su=x(04755) bin/wall(02711,0:5) etc/(0700,3:4) \
    etc/shadow=s(0600,0:42,@1.000000001) bin/su2=>bin/su locked/(0000,@3) locked/in/(0555) \
    locked/in/file=1(0000) sticky/(01777) deleted link->../../etc/passwd(7:8,@-2.5) \
    pipe(p,0622) pipe2=>pipe dev/ dev/null(c1:3,0666) dev/sda(b8:1) dev/zero=>dev/null \
    u(user.a=00ff,user.b=) c=c(security.capability=0100000200040000000000000000000000000000) \
    t=t(trusted.a=01) a/(system.posix_acl_default=\
    0200000001000700ffffffff0400050ffffffffff) | .wh.deleted etc/new=2 locked/in/more=3";

/// The sample with valid access lists, for a user and as a default.
fn sample() -> Image {
    let acl = "0200000001000700ffffffff02000500070000000400050\
               0ffffffff10000500ffffffff20000500ffffffff";
    let text = SAMPLE.replace("0200000001000700ffffffff0400050ffffffffff", acl);
    Image::of_layers(&["app:1"], stack(&text))
}

#[track_caller]
fn put_sample(sandbox: &Sandbox) -> (String, Tree) {
    let image = sample();
    let source = put(sandbox, "in", Format::Docker, &image);
    (source, replay(&image.layers))
}

/// From each form of input and into each kind of folder, whatever the umask.
#[test]
fn every_kind_of_entry_is_extracted() {
    if !can_set_owners("every_kind_of_entry_is_extracted") {
        return;
    }
    let image = sample();
    for format in Format::ALL {
        for (folder, umask) in [("new", "077"), ("empty", "000"), ("link", "027")] {
            let sandbox = Sandbox::new();
            let source = put(&sandbox, "in", format, &image);
            fs::create_dir(sandbox.path("empty")).expect("a folder can be made");
            symlink("empty", sandbox.path("link")).expect("a link can be made");
            let run = sandbox.restow(&["extract", &source, folder]).umask(umask);
            drop(run.run().reports());
            let what = format!("{source} {folder}");
            let expected = replay(&image.layers);
            assert_folder(&sandbox.path(folder).join(""), &expected, &what);
        }
    }
    let sandbox = Sandbox::new();
    let (_, expected) = put_sample(&sandbox);
    let archive = sandbox.read("in");
    let run = sandbox.restow(&["extract", "-", "out"]);
    drop(run.stdin_pipe(archive).run().reports());
    assert_folder(&sandbox.path("out"), &expected, "a pipe");

    let sandbox = Sandbox::new();
    sandbox.write("root.tar", tar(&entries("a/(0750) a/b=1(3:4)")));
    sandbox.run(&["extract", "root.tar", "out"]).silent();
    assert_folder(
        &sandbox.path("out"),
        &replay(&[sandbox.read("root.tar")]),
        "a root filesystem",
    );
}

/// Where no layer says anything about the root.
#[test]
fn a_root_without_an_entry_is_that_of_engines_or_stays() {
    if !can_set_owners("a_root_without_an_entry_is_that_of_engines_or_stays") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("root.tar", tar(&entries("a=1")));
    let run = sandbox.restow(&["extract", "root.tar", "new"]).umask("077");
    run.env("SOURCE_DATE_EPOCH", "5").run().silent();
    let root = found_in(&sandbox.path("new")).entries();
    assert_eq!(root[b"".as_slice()].word(), "./(@5)");

    fs::create_dir(sandbox.path("empty")).expect("a folder can be made");
    let private = Permissions::from_mode(0o700);
    fs::set_permissions(sandbox.path("empty"), private).expect("the mode can be set");
    chown(sandbox.path("empty"), Some(3), Some(4)).expect("the owner can be set");
    sandbox.run(&["extract", "root.tar", "empty"]).silent();
    let root = &found_in(&sandbox.path("empty")).entries()[b"".as_slice()].meta;
    assert_eq!((root.mode, root.uid, root.gid), (0o700, 3, 4));

    sandbox.remove("empty/a");
    sandbox.write("other.tar", tar(&entries("./(0755) a/")));
    sandbox.run(&["extract", "other.tar", "empty"]).silent();
    let expected = replay(&[sandbox.read("other.tar")]);
    assert_folder(&sandbox.path("empty"), &expected, "another owner");
}

/// A sandbox in which a user without privileges can work.
fn open_sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let work = sandbox.path("");
    let root = work.parent().expect("it is in the sandbox").parent();
    let root = root.filter(|it| it.join("work").exists()).or(work.parent());
    let root = root.expect("it is in the sandbox");
    fs::set_permissions(root, Permissions::from_mode(0o755)).expect("the mode can be set");
    for folder in [work.clone(), sandbox.tmp(), root.join("home")] {
        chown(folder, Some(NOBODY), Some(NOBODY)).expect("the owner can be set");
    }
    sandbox
}

fn as_nobody(run: Run<'_>) -> Run<'_> {
    run.by(&AS_NOBODY)
}

#[test]
fn without_root_everything_else_is_the_same_and_the_rest_is_told() {
    let test = "without_root_everything_else_is_the_same_and_the_rest_is_told";
    if !can_set_owners(test) {
        return;
    }
    if !is_installed("setpriv") {
        return skip(test, "setpriv is not installed");
    }
    let sandbox = open_sandbox();
    let (source, mut expected) = put_sample(&sandbox);
    expected.remove_all(&["dev/null", "dev/sda", "dev/zero"]);
    expected.edit(|meta| {
        (meta.uid, meta.gid) = (NOBODY.into(), NOBODY.into());
        meta.xattrs
            .retain(|name, _| name.starts_with("user.") || name.starts_with("system."));
    });
    fs::create_dir(sandbox.path("empty")).expect("a folder can be made");
    chown(sandbox.path("empty"), Some(NOBODY), Some(NOBODY)).expect("the owner can be set");
    let says = expect![[r#"
        warning: layer 1 of 2 of `app:1`, entry `bin/su2` and 2 more: a hard link whose owner, mode or time differs from its target; the last entry wins, as in Docker
        warning: layer 2 of 2 of `app:1`, entry `etc` and 2 more: the layer has no entry for this directory; it keeps its owner and mode, which Docker's overlay2 resets to 0755
        warning: cannot set the owner of `bin/su` and 18 more; the current user stays the owner: Operation not permitted
        warning: cannot set the attribute `security.capability` of `c` and 1 more: Operation not permitted
        warning: cannot create the device or pipe `dev/null` and 2 more; left out: Operation not permitted
    "#]];
    for folder in ["new", "empty"] {
        let run = sandbox.restow(&["extract", "--json", &source, folder]);
        let output = as_nobody(run).command().output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stderr).expect("it is text");
        crate::support::expected::Expected::check(&says, &said, folder);
        let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
        let counts = [
            "entries",
            "owners_mapped",
            "attributes_skipped",
            "nodes_skipped",
        ];
        let counts = counts.map(|it| report[it].as_u64().expect("a number"));
        assert_eq!(counts, [24, 19, 2, 3]);
        assert_folder(&sandbox.path(folder), &expected, folder);
    }
}

/// The times of ext4 end in 1901 and 2446; a file system in memory has all.
#[test]
fn a_time_that_the_file_system_cannot_store_is_reported() {
    let text = "before=1(@-1) early=1(@-99999999999) d/(@99999999999) d/late->x(@99999999999)";
    let image = Image::of_layers(&["app:1"], vec![tar(&entries(text))]);
    let sandbox = Sandbox::new();
    let source = put(&sandbox, "in.tar", Format::Docker, &image);
    let run = sandbox.run(&["extract", "--json", &source, "out"]);
    let (report, warnings) = run.reports();
    let report: Value = serde_json::from_slice(&report).expect("a report");
    let wanted = [
        ("early", -99_999_999_999),
        ("d/late", 99_999_999_999),
        ("d", 99_999_999_999),
        ("before", -1),
    ];
    let is_changed = |(path, time): &(&str, i64)| {
        let found = fs::symlink_metadata(sandbox.path("out").join(path));
        found.expect("it exists").mtime() != *time
    };
    let changed: Vec<&str> = wanted
        .iter()
        .filter(|it| is_changed(it))
        .map(|it| it.0)
        .collect();
    assert_eq!(report["times_changed"], changed.len());
    let expected = match changed.len() {
        0 => vec![],
        _ => vec![format!(
            "warning: cannot set the time of `{}` and {} more, which the file system cannot store; \
             set to the nearest one",
            changed[0],
            changed.len() - 1
        )],
    };
    assert_eq!(warnings, expected);
}

/// A damaged last layer, so that all of the others is written before the failure.
#[test]
fn a_failed_run_leaves_nothing_whatever_the_modes() {
    let mut image = sample();
    let deep = "d/".repeat(1200);
    image.layers.push(tar(&entries(&format!("{deep}x=1"))));
    let last = tar(&entries("z=1"));
    image = Image::of_layers(&["app:1"], [image.layers, vec![last]].concat());
    let length = image.layers[3].len();
    image.layers[3][length - 1] ^= 1;
    for is_nobody in [false, true] {
        if is_nobody && !(is_root() && is_installed("setpriv")) {
            return skip(
                "a_failed_run_leaves_nothing_whatever_the_modes",
                "it needs setpriv",
            );
        }
        let sandbox = if is_nobody {
            open_sandbox()
        } else {
            Sandbox::new()
        };
        let source = put(&sandbox, "in", Format::Docker, &image);
        fs::create_dir(sandbox.path("empty")).expect("a folder can be made");
        if is_nobody {
            chown(sandbox.path("empty"), Some(NOBODY), Some(NOBODY)).expect("root can");
        }
        for folder in ["new", "empty"] {
            let run = sandbox.restow(&["extract", &source, folder]);
            let run = if is_nobody { as_nobody(run) } else { run };
            let said = run.run().refuses();
            assert!(said.contains("does not match its diff_id"), "{said}");
        }
    }
}

#[test]
fn a_folder_must_be_new_or_empty() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", tar(&entries("a=1")));
    sandbox.write("full/file", "");
    symlink("nowhere", sandbox.path("dangling")).expect("a link can be made");
    for (folder, says) in [
        (
            "full",
            expect![[r#"
                error: `full` is not empty
                  hint: choose an empty folder, or one that does not exist yet
            "#]],
        ),
        (
            "in.tar",
            expect![[r#"
                error: cannot write `in.tar`
                  caused by: Not a directory
                  hint: it is a file: choose a folder, or a path where nothing is yet
            "#]],
        ),
        (
            "dangling",
            expect![[r#"
                error: cannot write `dangling`
                  caused by: File exists
            "#]],
        ),
        (
            "none/new",
            expect![[r#"
                error: cannot write `none/new`
                  caused by: No such file or directory
                  hint: create the folder first: `mkdir -p none`
            "#]],
        ),
    ] {
        sandbox.run(&["extract", "in.tar", folder]).fails(says);
    }
    for (folder, says) in [
        (
            "-",
            expect![[r#"
                error: `extract` writes files, which cannot go to standard output
                  hint: name a folder as DIR; `restow export SRC` writes a tar
            "#]],
        ),
        (
            "oci:new",
            expect![[r#"
                error: `extract` writes files, but DIR is an image
                  hint: name the folder without a prefix; `convert` writes images
            "#]],
        ),
    ] {
        sandbox.run(&["extract", "in.tar", folder]).ends(2, says);
    }
}

/// The abandoned temporary in it is no reason to refuse a folder.
#[test]
fn what_a_killed_run_left_in_a_folder_is_removed() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", tar(&entries("a=1")));
    sandbox.write("empty/.restow-a1b2c3/part-root/x", "");
    let locked = sandbox.path("empty/.restow-a1b2c3/part-root");
    fs::set_permissions(locked, Permissions::from_mode(0o000)).expect("the mode can be set");
    sandbox.run(&["extract", "in.tar", "empty"]).silent();
    let names: Vec<_> = sandbox.tree().into_keys().collect();
    assert_eq!(names, ["empty/", "empty/a", "in.tar"]);

    sandbox.write("other/.restow-a1b2c3/of a user", "");
    let run = sandbox.run(&["extract", "in.tar", "other"]);
    assert!(run.refuses().contains("is not empty"));
}

/// Devices and pipes have no content, and all names of them are one.
#[test]
fn hard_links_share_their_inode() {
    if !can_set_owners("hard_links_share_their_inode") {
        return;
    }
    let sandbox = Sandbox::new();
    let (source, expected) = put_sample(&sandbox);
    drop(sandbox.run(&["extract", &source, "out"]).reports());
    let entries = expected.entries();
    let links = entries
        .values()
        .filter(|it| matches!(it.kind, Kind::Link(_)));
    assert_eq!(links.count(), 3, "{}", expected.text());
    assert_folder(&sandbox.path("out"), &expected, "links");
}

/// A default access list of the folder around is not part of the image, and neither is the group
/// that files get there.
#[test]
fn nothing_is_inherited_from_the_folder_around() {
    if !can_set_owners("nothing_is_inherited_from_the_folder_around") {
        return;
    }
    let sandbox = Sandbox::new();
    let (source, expected) = put_sample(&sandbox);
    let list = b"\x02\0\0\0\x01\0\x07\0\xff\xff\xff\xff\x04\0\x07\0\xff\xff\xff\xff\x20\0\x07\0\xff\xff\xff\xff";
    let none = rustix::fs::XattrFlags::empty();
    let work = sandbox.path("");
    let set = rustix::fs::setxattr(&work, "system.posix_acl_default", list, none);
    if set.is_err() {
        return skip(
            "nothing_is_inherited_from_the_folder_around",
            "there are no access lists",
        );
    }
    chown(&work, None, Some(7)).expect("the group can be set");
    fs::set_permissions(&work, Permissions::from_mode(0o2755)).expect("the mode can be set");
    drop(sandbox.run(&["extract", &source, "out"]).reports());
    assert_folder(
        &sandbox.path("out"),
        &expected,
        "in a folder that hands down",
    );
}

/// Paths longer than one call takes, and deeper than directories can be held open.
#[test]
fn a_deep_tree_is_extracted_and_imported() {
    let long = format!("{}/", vec![["n"; 200].concat(); 300].join("/"));
    let deep = "d/".repeat(1500);
    for (path, fits) in [(long, false), (deep, true)] {
        let text = format!("{path}(0750) {path}file=1 {path}link=>{path}file");
        let sandbox = Sandbox::new();
        sandbox.write("in.tar", tar(&entries(&text)));
        // The sandbox itself cannot look at such paths.
        let run = |arguments: &[&str]| {
            let output = sandbox.restow(arguments).command().output();
            let output = output.expect("the command can be started");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() == said.is_empty(), "{said}");
            said
        };
        assert_eq!(run(&["export", "in.tar", "flat.tar"]), "");
        assert_eq!(run(&["extract", "in.tar", "out"]), "");
        let mut command = Command::new("tar");
        command.args(["-c", "--format=posix", "--numeric-owner"]);
        command.args(["--owner=0", "--group=0", "-C"]);
        let packed = succeed(command.arg(sandbox.path("out")).arg("."));
        let said = run(&["import", "--owner", "0:0", "out", "back.tar"]);
        // Where engines cannot unpack it, it is packed as well, and then refused.
        let is_refused = said.contains("it cannot be unpacked on Linux");
        assert_eq!((fits, is_refused), (!is_refused, !fits), "{said}");
        let mut trees = vec![sandbox.read("flat.tar"), packed];
        if fits {
            assert_eq!(run(&["export", "back.tar", "again.tar"]), "");
            trees.push(sandbox.read("again.tar"));
        }
        let trees = trees.into_iter().map(|it| {
            let mut tree = replay(&[it]);
            tree.remove_root();
            assert!(tree.has(format!("{path}link").as_bytes()));
            tree
        });
        let trees: Vec<Tree> = trees.collect();
        for tree in &trees[1..] {
            assert_same(&trees[0], tree, Strictness::All, fits);
        }
        drop(succeed(
            Command::new("rm").arg("-r").arg(sandbox.path("out")),
        ));
    }
}

/// A tree without what no file system of Linux has: the modes of symlinks, and some attributes.
fn storable(tree: &Tree) -> Tree {
    let entries = tree.entries();
    let is_symlink = |entry: &Entry| match &entry.kind {
        Kind::Symlink(_) => true,
        Kind::Link(first) => matches!(entries[first].kind, Kind::Symlink(_)),
        _ => false,
    };
    let stored = |entry: &Entry| {
        let mut stored = entry.clone();
        stored.meta.xattrs.clear();
        if is_symlink(entry) {
            stored.meta.mode = 0o777;
        }
        stored
    };
    let stored: Vec<Entry> = entries.values().map(stored).collect();
    replay(&[tar(&stored)])
}

proptest! {
    #![proptest_config(random_cases(40))]

    /// Also the way back.
    #[test]
    fn random_stacks_become_the_files_of_their_tree(stack in stacks(Flavour::Any, 1..5)) {
        if can_set_owners("random_stacks_become_the_files_of_their_tree") {
            let layers = stack.tars();
            let expected = storable(&replay(&layers));
            let sandbox = Sandbox::new();
            let image = Image::of_layers(&["app:1"], layers);
            let source = put(&sandbox, "in", Format::Docker, &image);
            drop(sandbox.run(&["extract", &source, "out"]).reports());
            drop(sandbox.run(&["import", "out", "back.tar"]).reports());
            drop(sandbox.run(&["export", "back.tar", "again.tar"]).reports());
            let trees = [found_in(&sandbox.path("out")), replay(&[sandbox.read("again.tar")])];
            let trees = trees.map(|mut tree| {
                if !expected.has(b"") {
                    tree.remove_root();
                }
                storable(&tree)
            });
            for tree in &trees {
                let difference = difference(&expected, tree, Strictness::All);
                prop_assert!(difference.is_empty(), "{stack:?}\n{difference}");
            }
        }
    }
}
