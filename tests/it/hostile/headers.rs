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
            "after entry `b`: the tar is truncated at byte 2048 (at least 3976 bytes missing)",
        ),
        (
            "exabytes",
            with(
                "a",
                &edited("b", b'0', b"", |it| set(&mut it[124..136], 1 << 62)),
            ),
            "after entry `b`: the tar is truncated at byte 2048 (at least 4611686018427386880 bytes missing)",
        ),
        (
            "more than i64",
            with(
                "a",
                &edited("b", b'0', b"", |it| set(&mut it[124..136], 1 << 64)),
            ),
            "after entry `a`: the tar header at byte 512 has no valid size",
        ),
        (
            "negative size",
            with(
                "a",
                &edited("b", b'0', b"", |it| set(&mut it[124..136], -1)),
            ),
            "after entry `a`: the tar header at byte 512 has no valid size",
        ),
        (
            "no number",
            with("a", &edited("b", b'0', b"", |it| it[124..136].fill(b'9'))),
            "after entry `a`: the tar header at byte 512 has no valid size",
        ),
        (
            "PAX size",
            with("a", &extended("b", &long)),
            "after entry `a`: the tar is truncated at byte 3072 (at least 9223372036854774783 bytes missing)",
        ),
        (
            "negative PAX size",
            with("a", &extended("b", &pax("size", b"-1"))),
            "after entry `a`: the tar header at byte 1536 has no valid size",
        ),
        (
            "checksum",
            {
                let mut layer = with("a", &edited("b", b'0', b"", |_| ()));
                layer[512] ^= 1;
                layer
            },
            "after entry `a`: invalid tar header at byte 512: wrong checksum",
        ),
        (
            "no tar",
            b"this is no tar at all".repeat(100),
            "invalid tar header at byte 0: wrong checksum",
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
            "after entry `a`: the PAX header at byte 512 is malformed",
        ),
        (
            "no length",
            with("a", &extended("b", b"path=x\n")),
            "after entry `a`: the PAX header at byte 512 is malformed",
        ),
        (
            "no sign",
            with("a", &extended("b", b"8 pathx\n")),
            "after entry `a`: the PAX header at byte 512 is malformed",
        ),
        (
            "no newline",
            with("a", &extended("b", b"10 path=xy")),
            "after entry `a`: the PAX header at byte 512 is malformed",
        ),
        (
            "NUL in a path",
            with("a", &extended("b", &pax("path", b"x\0y"))),
            "after entry `a`: the PAX header at byte 512 is malformed",
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
            "after entry `a`: the PAX header at byte 512 is malformed",
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
            "after entry `a`: the extended tar header at byte 512 has 4294967296 bytes, more than the limit of 1048576",
        ),
        (
            "PAX header of megabytes",
            with("a", &extended("b", &pax("comment", &vec![b'c'; 2 << 20]))),
            "after entry `a`: the extended tar header at byte 512 has 2097169 bytes, more than the limit of 1048576",
        ),
        (
            "long name of gigabytes",
            with(
                "a",
                &edited("x", b'L', b"", |it| set(&mut it[124..136], 4 << 30)),
            ),
            "after entry `a`: the extended tar header at byte 512 has 4294967296 bytes, more than the limit of 1048576",
        ),
        (
            "many PAX headers",
            with("a", &[many, edited("b", b'0', b"", |_| ())].concat()),
            "after entry `a`: with the extended tar header at byte 2321920, those of one member exceed the limit of 2097152 bytes",
        ),
        (
            "empty PAX headers",
            with("a", &[empty, edited("b", b'0', b"", |_| ())].concat()),
            "after entry `a`: with the extended tar header at byte 2097664, those of one member exceed the limit of 2097152 bytes",
        ),
        (
            "many long names",
            with("a", &[names, edited("b", b'0', b"", |_| ())].concat()),
            "after entry `a`: with the extended tar header at byte 4153856, those of one member exceed the limit of 2097152 bytes",
        ),
        (
            "20,000 components",
            tar(&entries(&format!("a {}x", &deep[..40_000]))),
            "…: the path exceeds the limit of 2048 components",
        ),
        (
            "100,000 components",
            tar(&entries(&format!("a {deep}x"))),
            "…: the path has 200001 bytes, more than the limit of 65536",
        ),
        (
            "a long path",
            tar(&entries(&format!("a {long}"))),
            "…: the path has 70000 bytes, more than the limit of 65536",
        ),
        (
            "a long target",
            tar(&entries(&format!("a b=>{long}"))),
            "entry `b`: the path has 70000 bytes, more than the limit of 65536",
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
            "entry `b`: the holes of sparse files exceed the limit of 68719476736 bytes",
        ),
        (
            "PAX 1.0",
            with("a", &map("1\n1152921504606846976\n0\n")),
            "entry `b`: the holes of sparse files exceed the limit of 68719476736 bytes",
        ),
        (
            "a map that overlaps",
            with("a", &map("2\n0\n100\n50\n100\n")),
            "entry `b`: the sparse file at byte 1536 of the tar has no valid sparse map",
        ),
        (
            "a map without an end",
            with("a", &map("999999999\n0\n0\n")),
            "entry `b`: the sparse file at byte 1536 of the tar has no valid sparse map",
        ),
        (
            "a map that is none",
            with("a", &map("x")),
            "entry `b`: the sparse file at byte 1536 of the tar has no valid sparse map",
        ),
    ]);
}
