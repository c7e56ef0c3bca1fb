//! Faults of layers: their tars, their entries, and what they do to each other.

use expect_test::expect;

use super::check;
use crate::support::entry::{Entry, Kind, entries};
use crate::support::expected::Expected;
use crate::support::layer::{Dialect, header, member, pax, set, tar};
use crate::support::make::{self, Image};

/// An archive of these layers.
pub(super) fn archive(layers: Vec<Vec<u8>>) -> Vec<u8> {
    make::tar(&make::docker(&[Image::of_layers(&["app:1"], layers)]))
}

/// Checks what is found in a stack of layers, given in words; each line is what stands
/// behind the name of the image.
#[track_caller]
fn check_stack(stack: &str, expected: impl Expected) {
    let layers = stack.split('|').map(|layer| tar(&entries(layer)));
    check(stack, &archive(layers.collect()), expected);
}

/// A layer with a member as it is between two entries.
fn with(member: &[u8]) -> Vec<u8> {
    let mut bytes = tar(&entries("a"));
    bytes.truncate(bytes.len() - 1024);
    bytes.extend(member);
    bytes.extend(tar(&entries("z")));
    bytes
}

pub(super) fn raw(name: &[u8], flag: u8, edit: impl FnOnce(&mut [u8; 512])) -> Vec<u8> {
    let mut header = header(name, flag, Dialect::Pax);
    set(&mut header[100..108], 0o644);
    set(&mut header[124..136], 0);
    edit(&mut header);
    let mut bytes = Vec::new();
    member(&mut bytes, header, b"");
    bytes
}

/// Checks what is found in a layer with this member.
#[track_caller]
fn check_member(name: &str, member: &[u8], expected: impl Expected) {
    check(name, &archive(vec![with(member)]), expected);
}

#[test]
fn what_every_engine_takes_is_sound() {
    for stack in [
        "a/ a/b=1 c=>a/b l->a",
        "a=1 | .wh.a | a=2",
        "a/ a/old | a/ a/.wh..wh..opq a/new",
        "f/ f/x | f=file",
        "usr/ usr/lib/ lib->usr/lib lib/foo",
        "k | .wh.nothing",
    ] {
        check_stack(stack, expect![""]);
    }
}

#[test]
fn links() {
    check_stack(
        "a=1 | b=>a c=>a",
        expect![[r#"
            error[link-below] layer 2 of 2 of `app:1`, entry `b` and 1 more: a hard link to a file of a lower layer
        "#]],
    );
    check_stack(
        "b=>a a=1",
        expect![[r#"
            error[link-forward] layer 1 of 1 of `app:1`, entry `b`: a hard link precedes its target
        "#]],
    );
    check_stack(
        "a | b=>gone c=>gone/d",
        expect![[r#"
            error[link-missing] layer 2 of 2 of `app:1`, entry `b` and 1 more: a hard link to `gone`, which does not exist
        "#]],
    );
    check_stack(
        "d/ b=>d",
        expect![[r#"
            error[link-to-directory] layer 1 of 1 of `app:1`, entry `b`: a hard link to the directory `d`
        "#]],
    );
    check_stack(
        "d/ | b=>d",
        expect![[r#"
            error[link-to-directory] layer 2 of 2 of `app:1`, entry `b`: a hard link to the directory `d`
        "#]],
    );
    check_stack(
        "b=>b",
        expect![[r#"
            error[link-to-itself] layer 1 of 1 of `app:1`, entry `b`: a hard link to itself
        "#]],
    );
    check_stack(
        "a=1 b=>a(600)",
        expect![[r#"
            note[link-metadata] layer 1 of 1 of `app:1`, entry `b`: the hard links of a file differ in owner, mode or time
        "#]],
    );
    check_stack(
        "x->y y->x x/f",
        expect![[r#"
            error[symlink-loop] layer 1 of 1 of `app:1`, entry `x/f`: its path has a symbolic link loop
        "#]],
    );
}

#[test]
fn paths_and_repetitions() {
    check_stack(
        "a=1 b ./a=2 b/",
        expect![[r#"
            error[entry-twice] layer 1 of 1 of `app:1`, entry `./a` and 1 more: a layer has the same path more than once
        "#]],
    );
    for (stack, entry) in [
        ("a=1 /a=2", "a"),
        ("q/ k->q q/f=1 k/f=2", "k/f"),
        ("q/f=1 q->d", "q"),
    ] {
        let expected = format!(
            "warning[entry-replaced] layer 1 of 1 of `app:1`, entry `{entry}`: an entry replaces another entry of the same layer\n"
        );
        check_stack(stack, &expected);
    }
    check_stack(
        "q/e/ q->d",
        expect![[r#"
            error[entry-in-file] layer 1 of 1 of `app:1`, entry `q`: the parent of an entry is not a directory
            warning[entry-replaced] layer 1 of 1 of `app:1`, entry `q`: an entry replaces another entry of the same layer
        "#]],
    );
    check_stack(
        "a=1 a/b",
        expect![[r#"
            error[entry-in-file] layer 1 of 1 of `app:1`, entry `a/b`: its parent `a` is not a directory
        "#]],
    );
    check_stack(
        "a=1 | a/b",
        expect![[r#"
            warning[through-file] layer 2 of 2 of `app:1`, entry `a`: a path leads through a file of a lower layer
        "#]],
    );
    check_stack(
        "d/ l->d | l/b",
        expect![[r#"
            warning[through-symlink] layer 2 of 2 of `app:1`, entry `l`: a path leads through a symbolic link of a lower layer
        "#]],
    );
    check_stack(
        "d/(700) | d/b",
        expect![[r#"
            note[directory-implied] layer 2 of 2 of `app:1`, entry `d`: a layer has no entry for a directory whose owner or mode lower layers set
        "#]],
    );
    check_stack(
        "a=1 b=>../a d/ d/c=>../../a",
        expect![[r#"
            error[entry-path] layer 1 of 1 of `app:1`, entry `b` and 1 more: the path or link target of an entry leads out of the root or contains a NUL byte
        "#]],
    );
    check_stack(
        "../x ok",
        expect![[r#"
            error[entry-path] layer 1 of 1 of `app:1`, entry `../x`: the path leads out of the root
        "#]],
    );
    let long = |length: usize| Entry::new(vec![b'n'; length], Kind::File(Vec::new()));
    check("255", &archive(vec![tar(&[long(255)])]), expect![""]);
    let name = "n".repeat(256);
    let expected = format!(
        "error[name-too-long] layer 1 of 1 of `app:1`, entry `{name}`: a name is longer than 255 bytes, or a path longer than 4,095\n"
    );
    check("256", &archive(vec![tar(&[long(256)])]), &expected);
    // A whiteout is the name that it deletes.
    let whiteout = |length| {
        Entry::new(
            [b".wh.".as_slice(), &vec![b'n'; length]].concat(),
            Kind::File(Vec::new()),
        )
    };
    check("251", &archive(vec![tar(&[whiteout(251)])]), expect![""]);
    for length in [252, 255] {
        let expected = format!(
            "error[whiteout-too-long] layer 1 of 1 of `app:1`, entry `.wh.{}`: the name of a whiteout is longer than 255 bytes, but not the name that it deletes\n",
            "n".repeat(length)
        );
        check("252", &archive(vec![tar(&[whiteout(length)])]), &expected);
    }
    let expected = expected.replace("entry `", "entry `.wh.");
    check("256", &archive(vec![tar(&[whiteout(256)])]), &expected);
    let path = |length: usize| {
        let mut path = [[b'd'; 199].as_slice(), b"/"].concat().repeat(20);
        path.resize(length, b'f');
        Entry::new(path, Kind::File(Vec::new()))
    };
    check("4095", &archive(vec![tar(&[path(4095)])]), expect![""]);
    let got = found_in(&archive(vec![tar(&[path(4096)])]));
    assert_eq!(got.len(), 1, "{got:?}");
    assert!(got[0].starts_with("error[name-too-long]"), "{got:?}");
    let deep = Entry::new(b"d/".repeat(2100), Kind::Directory);
    let found = found_in(&archive(vec![tar(&[deep])]));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("error[entry-limit] layer 1 of 1 of `app:1`, entry `d/d/"));
    assert!(found[0].ends_with(": the path exceeds the limit of 2048 components"));
}

/// What is found in an archive.
fn found_in(archive: &[u8]) -> Vec<String> {
    let sandbox = crate::support::Sandbox::new();
    sandbox.write("in.tar", archive);
    super::found(&sandbox.run(&["verify", "in.tar"]))
}

#[test]
fn whiteouts() {
    check_stack(
        "a/ a/x | .wh.a a/ a/y",
        expect![[r#"
            error[whiteout-and-entry] layer 2 of 2 of `app:1`, entry `a`: a layer has both a path and a whiteout of it
        "#]],
    );
    check_stack(
        "a=1 | a=2 .wh.a",
        expect![[r#"
            error[whiteout-and-entry] layer 2 of 2 of `app:1`, entry `a`: a layer has both a path and a whiteout of it
        "#]],
    );
    for name in [".wh.", ".wh..", ".wh..."] {
        let expected = format!(
            "error[whiteout-invalid] layer 2 of 2 of `app:1`, entry `d/{name}`: a whiteout must name the path that it deletes\n"
        );
        check_stack(&format!("d/ | d/{name}"), &expected);
    }
    check_stack(
        "a | .wh..wh..opq b",
        expect![[r#"
            warning[whiteout-opaque-root] layer 2 of 2 of `app:1`, entry `/`: an opaque whiteout in the root directory
        "#]],
    );
    let device = Entry::new("a", Kind::Char(0, 0));
    check(
        "a device",
        &archive(vec![tar(&entries("a")), tar(&[device])]),
        expect![[r#"
            warning[whiteout-device] layer 2 of 2 of `app:1`, entry `a`: a character device 0:0
        "#]],
    );
    check_stack(
        ".wh..wh.plnk/ .wh..wh.plnk/1 b=>.wh..wh.plnk/1",
        expect![[r#"
            note[bookkeeping] layer 1 of 1 of `app:1`, entry `/`: a file of AUFS or eStargz for internal use
        "#]],
    );
}

#[test]
fn whiteouts_in_odd_places() {
    for stack in [
        "u/ u/am/ u/am/a | u/.wh.am u/am/.wh.a",
        "u/ u/am/ u/am/a | u/am/.wh.a u/.wh.am",
    ] {
        check_stack(
            stack,
            expect![[r#"
                error[whiteout-in-deleted] layer 2 of 2 of `app:1`, entry `u/am/a`: a whiteout is in a directory that the same layer deletes
            "#]],
        );
    }
    check_stack(
        "u/ u/am/ u/am/a | u/.wh.am u/am/.wh..wh..opq",
        expect![[r#"
            error[whiteout-in-deleted] layer 2 of 2 of `app:1`, entry `u/am`: a whiteout is in a directory that the same layer deletes
        "#]],
    );
    for (stack, entry) in [
        ("p=1 p/q/.wh..wh..opq", "p/q/.wh..wh..opq"),
        ("p=1 p/.wh.x", "p/.wh.x"),
    ] {
        let expected = format!(
            "error[entry-in-file] layer 1 of 1 of `app:1`, entry `{entry}`: the parent of an entry is not a directory\n"
        );
        check_stack(stack, &expected);
    }
    for (stack, entry) in [
        ("a/ a/x | a/.wh.x a/ ./a/.wh.x", "./a/.wh.x"),
        (
            "a/ a/x | a/ a/.wh..wh..opq a/.wh..wh..opq",
            "a/.wh..wh..opq",
        ),
        ("a/ a/x | a/ l->a a/.wh.x l/.wh.x", "a/x"),
        ("a | .wh.a /.wh.a", "a"),
    ] {
        let expected = format!(
            "error[entry-twice] layer 2 of 2 of `app:1`, entry `{entry}`: a layer has the same path more than once\n"
        );
        check_stack(stack, &expected);
    }
    for sound in [
        "a/ a/x | a/.wh.x a->b",
        "a/ a/x | a/.wh.x a=1",
        "a/ a/b/ a/b/x | a/ a/.wh..wh..opq a/b/.wh.x",
        "b/ b/x | b/ l->b l/.wh.x",
    ] {
        check_stack(sound, expect![""]);
    }
}

#[test]
fn paths_through_links_of_the_layer() {
    let dangling = |entry: &str| {
        format!(
            "warning[through-dangling-link] layer 2 of 2 of `app:1`, entry `{entry}`: a path leads through a symbolic link in its layer whose target may exist only in lower layers\n"
        )
    };
    for (layer, entry) in [
        ("lib->usr/lib lib/new", "lib/new"),
        ("lib->usr/lib lib/dir/ lib/dir/f", "lib/dir"),
        ("lib->usr/lib lib/q/new", "lib/q/new"),
        ("lib->usr/lib lib/.wh.x", "lib/.wh.x"),
        ("lib->nope lib/.wh..wh..opq", "lib/.wh..wh..opq"),
    ] {
        check_stack(
            &format!("usr/ usr/lib/ usr/lib/x | {layer}"),
            &dangling(entry),
        );
    }
    check_stack(
        "etc/ l->/etc k->l l/x=1 k/y=1 l/empty l/d/ l/.wh.z",
        expect![[r#"
            warning[through-absolute-link] layer 1 of 1 of `app:1`, entry `l/x` and 1 more: the path of a file leads through an absolute symbolic link in its layer
        "#]],
    );
    check_stack(
        "etc/ etc/f l->../etc l/x=1 b=>l/f l/.wh.z",
        expect![[r#"
            error[entry-path] layer 1 of 1 of `app:1`, entry `l/x` and 2 more: the path or link target of an entry leads out of the root or contains a NUL byte
        "#]],
    );
    for sound in [
        "usr/ s->usr s/q/n",
        "usr/ b/ b/l->../usr b/l/f=1",
        "usr/ l->/usr/../../usr l/empty",
        "e/ e/f=1 l->/e b=>l/f",
    ] {
        check_stack(sound, expect![""]);
    }
}

#[test]
fn more_names_than_a_file_may_have() {
    let links = |count: usize| {
        let links = (0..count).map(|n| Entry::new(format!("k/{n:05}"), Kind::Link("g".into())));
        let all: Vec<Entry> = entries("k/ g=2").into_iter().chain(links).collect();
        archive(vec![tar(&all)])
    };
    check("65,000", &links(64_999), expect![""]);
    check(
        "65,002",
        &links(65_001),
        expect![[r#"
            error[too-many-links] layer 1 of 1 of `app:1`, entry `k/64999` and 1 more: a file has more than 65,000 names
        "#]],
    );
}

#[test]
fn what_loads_and_cannot_be_saved() {
    let expected = |entry: &str| {
        format!(
            "warning[size-unexpected] layer 1 of 1 of `app:1`, entry `{entry}`: an entry without data has a size, or a whiteout has data\n"
        )
    };
    for (name, flag) in [("d/", b'5'), ("d/", 0), ("p", b'6')] {
        let odd = raw(name.as_bytes(), flag, |it| set(&mut it[124..136], 5));
        let entry = name.trim_end_matches('/');
        check_member(name, &odd, &expected(entry));
    }
    let link = raw(b"l", b'1', |it| {
        it[157] = b'a';
        set(&mut it[124..136], 5);
        set(&mut it[136..148], 1);
    });
    check_member("a hard link", &link, &expected("l"));
    check_stack(
        "b | .wh.b=data",
        &expected(".wh.b").replace("1 of 1", "2 of 2"),
    );
}

#[test]
fn a_symbolic_link_without_a_target() {
    check_stack(
        "a l->",
        expect![[r#"
            error[target-empty] layer 1 of 1 of `app:1`, entry `l`: a symbolic link without a target
        "#]],
    );
}

#[test]
fn headers() {
    check_member(
        "contiguous",
        &raw(b"c", b'7', |_| ()),
        expect![[r#"
            error[entry-type] layer 1 of 1 of `app:1`, entry `c`: its type is `7`, which Docker does not support
        "#]],
    );
    check_member(
        "a volume",
        &raw(b"c", b'V', |_| ()),
        expect![[r#"
            error[entry-type] layer 1 of 1 of `app:1`, entry `c`: its type is `V`, which a layer cannot have
        "#]],
    );
    check_member(
        "root as a file",
        &raw(b"./", b'2', |it| it[157] = b'x'),
        expect![[r#"
            error[entry-root] layer 1 of 1 of `app:1`, entry `./`: the root is not a directory
        "#]],
    );
    check_member(
        "sparse, GNU",
        &raw(b"s", b'S', |it| {
            set(&mut it[386..398], 0);
            set(&mut it[398..410], 0);
            set(&mut it[483..495], 4096);
        }),
        expect![[r#"
            error[sparse-gnu] layer 1 of 1 of `app:1`, entry `s`: a sparse file in the old GNU format
        "#]],
    );
    let records = [
        pax("GNU.sparse.map", b"4096,0"),
        pax("GNU.sparse.size", b"4096"),
        pax("GNU.sparse.numblocks", b"1"),
    ];
    let records = records.concat();
    let mut sparse = Vec::new();
    let mut extended = header(b"x", b'x', Dialect::Pax);
    set(&mut extended[124..136], records.len() as i128);
    member(&mut sparse, extended, &records);
    sparse.extend(raw(b"s", b'0', |_| ()));
    check_member(
        "sparse, PAX",
        &sparse,
        expect![[r#"
            warning[sparse-pax] layer 1 of 1 of `app:1`, entry `s`: a sparse file in PAX format
        "#]],
    );
    let mut wrong = raw(b"w", b'0', |_| ());
    wrong[0] = b'v';
    check_member(
        "a wrong sum",
        &wrong,
        expect![[r#"
            error[tar-damaged] layer 1 of 1 of `app:1`, entry `a`: after it: invalid tar header at byte 512: wrong checksum
        "#]],
    );
    check(
        "no tar at all",
        &archive(vec![vec![b'x'; 1024]]),
        expect![[r#"
            error[tar-damaged] layer 1 of 1 of `app:1`: invalid tar header at byte 0: wrong checksum
        "#]],
    );
    let mut cut = with(b"");
    cut.truncate(cut.len() - 1024);
    check(
        "no end",
        &archive(vec![cut]),
        expect![[r#"
            warning[tar-end-missing] layer 1 of 1 of `app:1`: the tar of a layer has no end-of-archive block
        "#]],
    );
    check(
        "empty",
        &archive(vec![Vec::new(), vec![0; 512], vec![0; 1024]]),
        expect![""],
    );
    let mut windows = Vec::new();
    let records = pax("MSWINDOWS.rawsd", b"x");
    let mut extended = header(b"x", b'x', Dialect::Pax);
    set(&mut extended[124..136], records.len() as i128);
    member(&mut windows, extended, &records);
    windows.extend(raw(b"Files", b'0', |_| ()));
    check_member(
        "Windows",
        &windows,
        expect![[r#"
            note[layer-windows] layer 1 of 1 of `app:1`: a layer is for Windows
        "#]],
    );
}

#[test]
fn every_fault_of_a_layer_is_told_and_a_layer_of_two_images_once() {
    let layer = tar(&entries("a=1 a=2 b=>gone .wh. ../x d/ e=>d"));
    let images = [
        Image::of_layers(&["app:1"], vec![layer.clone()]),
        Image::of_layers(&["b:1"], vec![layer, tar(&entries("z"))]),
    ];
    check(
        "many",
        &make::tar(&make::docker(&images)),
        expect![[r#"
            error[entry-path] layer 1 of 1 of `app:1`, entry `../x`: the path leads out of the root
            error[entry-twice] layer 1 of 1 of `app:1`, entry `a`: a layer has the same path more than once
            error[link-to-directory] layer 1 of 1 of `app:1`, entry `e`: a hard link to the directory `d`
            error[whiteout-invalid] layer 1 of 1 of `app:1`, entry `.wh.`: a whiteout must name the path that it deletes
            error[link-missing] layer 1 of 1 of `app:1`, entry `b`: a hard link to `gone`, which does not exist
        "#]],
    );
}

#[test]
fn headers_that_go_refuses() {
    check_member(
        "devices of a file",
        &raw(b"w", b'0', |it| it[329..332].fill(b'z')),
        expect![[r#"
            error[tar-damaged] layer 1 of 1 of `app:1`, entry `w`: the tar header at byte 512 has no valid device number
        "#]],
    );
    for (flag, key) in [(b'x', "atime"), (b'x', "ctime"), (b'g', "mtime")] {
        let records = pax(key, b"now");
        let mut extended = header(b"x", flag, Dialect::Pax);
        set(&mut extended[124..136], records.len() as i128);
        let mut odd = Vec::new();
        member(&mut odd, extended, &records);
        odd.extend(raw(b"w", b'0', |_| ()));
        let place = match flag {
            b'g' => "entry `a`: after it",
            _ => "entry `w`",
        };
        let expected = format!(
            "error[tar-damaged] layer 1 of 1 of `app:1`, {place}: the PAX header at byte 512 is malformed\n"
        );
        check_member(key, &odd, &expected);
    }
    let mut lone = with(b"");
    lone.truncate(lone.len() - 512);
    lone.extend([b'x'; 512]);
    check(
        "one block of zeros, and junk",
        &archive(vec![lone]),
        expect![[r#"
            error[tar-damaged] layer 1 of 1 of `app:1`, entry `z`: after it: the tar continues at byte 1536, after an end-of-archive block
        "#]],
    );
}
