//! Headers that lie, are malformed, or are too many or too large.

use super::{check, edited, extended, with};
use crate::support::entry::entries;
use crate::support::layer::{pax, set, tar};

#[test]
fn headers_that_lie() {
    let long = [pax("path", b"a"), pax("size", b"9223372036854775807")].concat();
    check(vec![
        (
            "size",
            with(
                "a",
                &edited("b", b'0', b"", |it| set(&mut it[124..136], 5000)),
            ),
            "behind entry `b`: the tar ends early: 3976 more bytes were expected at byte 2048",
        ),
        (
            "exabytes",
            with(
                "a",
                &edited("b", b'0', b"", |it| set(&mut it[124..136], 1 << 62)),
            ),
            "behind entry `b`: the tar ends early: 4611686018427386880 more bytes were expected at byte 2048",
        ),
        (
            "more than i64",
            with(
                "a",
                &edited("b", b'0', b"", |it| set(&mut it[124..136], 1 << 64)),
            ),
            "behind entry `a`: the tar header at byte 512 has no valid size",
        ),
        (
            "negative size",
            with(
                "a",
                &edited("b", b'0', b"", |it| set(&mut it[124..136], -1)),
            ),
            "behind entry `a`: the tar header at byte 512 has no valid size",
        ),
        (
            "no number",
            with("a", &edited("b", b'0', b"", |it| it[124..136].fill(b'9'))),
            "behind entry `a`: the tar header at byte 512 has no valid size",
        ),
        (
            "PAX size",
            with("a", &extended("b", &long)),
            "behind entry `a`: the tar ends early: 9223372036854774783 more bytes were expected at byte 3072",
        ),
        (
            "negative PAX size",
            with("a", &extended("b", &pax("size", b"-1"))),
            "behind entry `a`: the tar header at byte 1536 has no valid size",
        ),
        (
            "checksum",
            {
                let mut layer = with("a", &edited("b", b'0', b"", |_| ()));
                layer[512] ^= 1;
                layer
            },
            "behind entry `a`: no tar header at byte 512: its checksum is wrong",
        ),
        (
            "no tar",
            b"this is no tar at all".repeat(100),
            "no tar header at byte 0: its checksum is wrong",
        ),
        (
            "owner",
            with("a", &edited("b", b'0', b"", |it| it[108..116].fill(b'x'))),
            "entry `b`: the tar header at byte 512 has no valid owner",
        ),
        (
            "time",
            with("a", &edited("b", b'0', b"", |it| it[136..148].fill(b'x'))),
            "entry `b`: the tar header at byte 512 has no valid modification time",
        ),
        (
            "PAX time",
            with("a", &extended("b", &pax("mtime", b"soon"))),
            "entry `b`: the PAX header at byte 512 is malformed",
        ),
    ]);
}

#[test]
fn pax_headers_that_are_malformed() {
    check(vec![
        (
            "length",
            with("a", &extended("b", b"99 path=x\n")),
            "behind entry `a`: the PAX header at byte 512 is malformed",
        ),
        (
            "no length",
            with("a", &extended("b", b"path=x\n")),
            "behind entry `a`: the PAX header at byte 512 is malformed",
        ),
        (
            "no sign",
            with("a", &extended("b", b"8 pathx\n")),
            "behind entry `a`: the PAX header at byte 512 is malformed",
        ),
        (
            "no newline",
            with("a", &extended("b", b"10 path=xy")),
            "behind entry `a`: the PAX header at byte 512 is malformed",
        ),
        (
            "NUL in a path",
            with("a", &extended("b", &pax("path", b"x\0y"))),
            "behind entry `a`: the PAX header at byte 512 is malformed",
        ),
        (
            "NUL in a target",
            with(
                "a",
                &[
                    edited("x", b'x', &pax("linkpath", b"x\0y"), |_| ()),
                    edited("b", b'2', b"", |_| ()),
                ]
                .concat(),
            ),
            "behind entry `a`: the PAX header at byte 512 is malformed",
        ),
    ]);
}

#[test]
fn too_much_of_everything() {
    let deep = "d/".repeat(100_000);
    let long = "n".repeat(70_000);
    let many: Vec<u8> = edited("x", b'x', &pax("comment", &[b'c'; 400]), |_| ()).repeat(5_000);
    let empty: Vec<u8> = edited("x", b'x', b"", |_| ()).repeat(200_000);
    let names: Vec<u8> = edited("././@LongLink", b'L', b"name\0", |_| ()).repeat(5_000);
    check(vec![
        (
            "PAX header of gigabytes",
            with(
                "a",
                &edited("x", b'x', b"", |it| set(&mut it[124..136], 4 << 30)),
            ),
            "behind entry `a`: the extended tar header at byte 512 has 4294967296 bytes, and 1048576 are the most that is accepted",
        ),
        (
            "PAX header of megabytes",
            with("a", &extended("b", &pax("comment", &vec![b'c'; 2 << 20]))),
            "behind entry `a`: the extended tar header at byte 512 has 2097169 bytes, and 1048576 are the most that is accepted",
        ),
        (
            "long name of gigabytes",
            with(
                "a",
                &edited("x", b'L', b"", |it| set(&mut it[124..136], 4 << 30)),
            ),
            "behind entry `a`: the extended tar header at byte 512 has 4294967296 bytes, and 1048576 are the most that is accepted",
        ),
        (
            "many PAX headers",
            with("a", &[many, edited("b", b'0', b"", |_| ())].concat()),
            "behind entry `a`: the extended tar header at byte 2321920 brings those of one member above 2097152 bytes, the most that is accepted",
        ),
        (
            "empty PAX headers",
            with("a", &[empty, edited("b", b'0', b"", |_| ())].concat()),
            "behind entry `a`: the extended tar header at byte 2097664 brings those of one member above 2097152 bytes, the most that is accepted",
        ),
        (
            "many long names",
            with("a", &[names, edited("b", b'0', b"", |_| ())].concat()),
            "behind entry `a`: the extended tar header at byte 4153856 brings those of one member above 2097152 bytes, the most that is accepted",
        ),
        (
            "20,000 components",
            tar(&entries(&format!("a {}x", &deep[..40_000]))),
            "…: path has more than 2048 components, which is the most that is accepted",
        ),
        (
            "100,000 components",
            tar(&entries(&format!("a {deep}x"))),
            "…: path has 200001 bytes, and 65536 are the most that is accepted",
        ),
        (
            "a long path",
            tar(&entries(&format!("a {long}"))),
            "…: path has 70000 bytes, and 65536 are the most that is accepted",
        ),
        (
            "a long target",
            tar(&entries(&format!("a b=>{long}"))),
            "entry `b`: path has 70000 bytes, and 65536 are the most that is accepted",
        ),
    ]);
}

#[test]
fn sparse_files_of_exabytes() {
    // The old GNU format: a map in the header, then the size that the file pretends to have.
    let old = edited("b", b'S', b"", |it| {
        it[257..265].copy_from_slice(b"ustar  \0");
        set(&mut it[386..398], 1 << 60);
        set(&mut it[398..410], 0);
        set(&mut it[483..495], 1 << 60);
    });
    let records = [
        pax("GNU.sparse.major", b"1"),
        pax("GNU.sparse.minor", b"0"),
        pax("GNU.sparse.name", b"b"),
        pax("GNU.sparse.realsize", b"1152921504606846976"),
    ];
    let map = |text: &str| {
        let mut map = text.as_bytes().to_vec();
        map.resize(512, 0);
        [
            edited("x", b'x', &records.concat(), |_| ()),
            edited("GNUSparseFile.0/b", b'0', &map, |_| ()),
        ]
        .concat()
    };
    check(vec![
        (
            "old GNU",
            with("a", &old),
            "entry `b`: the holes of sparse files have more than 68719476736 bytes, which is the most that is accepted",
        ),
        (
            "PAX 1.0",
            with("a", &map("1\n1152921504606846976\n0\n")),
            "entry `b`: the holes of sparse files have more than 68719476736 bytes, which is the most that is accepted",
        ),
        (
            "a map that overlaps",
            with("a", &map("2\n0\n100\n50\n100\n")),
            "entry `b`: the sparse file at byte 1536 of the tar has no valid map of its holes",
        ),
        (
            "a map without an end",
            with("a", &map("999999999\n0\n0\n")),
            "entry `b`: the sparse file at byte 1536 of the tar has no valid map of its holes",
        ),
        (
            "a map that is none",
            with("a", &map("x")),
            "entry `b`: the sparse file at byte 1536 of the tar has no valid map of its holes",
        ),
    ]);
}
