//! Tars with one oddity each: magic, names, numbers, records, and their order.

use crate::tar_stream::fixture::{end, header, member, padded, patched, pax};

/// A tar and its oddity.
type Oddity = (String, Vec<u8>);

const MAGICS: [(&str, &[u8]); 9] = [
    ("ustar", b"ustar\x0000"),
    ("old go", b"ustar\0 \0"),
    ("no version", b"ustar\0\0\0"),
    ("go 1.7", b"ustar\x000 "),
    ("junk version", b"ustar\0zz"),
    ("gnu", b"ustar  \0"),
    ("half gnu", b"ustar 00"),
    ("none", b"\0\0\0\0\0\0\0\0"),
    ("junk", b"USTAR\x0000"),
];

/// All of them.
pub(super) fn oddities() -> Vec<Oddity> {
    let mut all = names();
    all.extend(numbers());
    all.extend(records());
    all.extend(sparse_files());
    all.extend(sequences());
    all.extend(ends());
    all
}

/// A tar of these parts, followed by an entry that must not be lost.
fn tar(parts: &[&[u8]]) -> Vec<u8> {
    [parts.concat(), member("next", b'0', b"n"), end()].concat()
}

fn names() -> Vec<Oddity> {
    const LONG: &[u8] = &[b'n'; 100];
    let prefixes: [(&str, &[u8]); 12] = [
        ("no prefix", b""),
        ("prefix", b"d1/ppp"),
        ("slash prefix", b"d1/"),
        ("full prefix", &[b'p'; 155]),
        ("131 bytes", &[b'p'; 131]),
        ("132 bytes", &[b'p'; 132]),
        ("times", b"01234567012\x0001234567012\0"),
        ("first time", b"01234567012\0zzz"),
        ("second time", b"\0\0\0\0\0\0\0\0\0\0\0\0zzz"),
        ("digits", b"0123"),
        ("bytes", b"d\xff/p"),
        ("text", "dé/p".as_bytes()),
    ];
    let names: [(&str, &[u8]); 5] = [
        ("name", b"file"),
        ("slash", b"file/"),
        ("no name", b""),
        ("long name", LONG),
        ("bytes name", b"f\xff\0rest"),
    ];
    let mut all = Vec::new();
    for (magic_name, magic) in MAGICS {
        for (prefix_name, prefix) in prefixes {
            for (name_name, name) in names {
                for (flag, trailer) in [(b'0', ""), (0, ""), (b'5', ""), (b'0', "tar\0")] {
                    let patches: [(usize, &[u8]); 4] = [
                        (0, name),
                        (257, magic),
                        (345, prefix),
                        (508, trailer.as_bytes()),
                    ];
                    let odd = patched(&header("", flag, 0), &patches);
                    let star = if trailer.is_empty() { "" } else { ", star" };
                    let what =
                        format!("{magic_name}{star}, {prefix_name}, {name_name}, type {flag}");
                    all.push((what, tar(&[&odd])));
                }
            }
        }
    }
    for flag in (0..=255).filter(|flag| !b"xgLKS".contains(flag)) {
        let odd = header("a", flag, 0);
        all.push((format!("type {flag}"), tar(&[&odd])));
        let odd = member("a", flag, b"data");
        all.push((format!("type {flag} with data"), tar(&[&odd])));
        let odd = header("a/", flag, 4);
        all.push((format!("type {flag}, slash, with a size"), tar(&[&odd])));
        let odd = member("a/", flag, b"data");
        all.push((format!("type {flag}, slash, with data"), tar(&[&odd])));
    }
    all
}

fn numbers() -> Vec<Oddity> {
    let fields = [
        ("mode", 100, 8),
        ("uid", 108, 8),
        ("gid", 116, 8),
        ("size", 124, 12),
        ("mtime", 136, 12),
        ("devmajor", 329, 8),
        ("devminor", 337, 8),
    ];
    let values: [&[u8]; 26] = [
        b"0000000",
        b"7",
        b"  7 ",
        b"\0\0 7\0",
        b"7\0garbage",
        b"7 \0x",
        b"7 7",
        b"8",
        b"-1",
        b"+1",
        b"0x1",
        b"x",
        b"\t7",
        b"7\t",
        b"777777777777",
        b"\x80\0\0\0\0\0\0\x07\0\0\0\0",
        b"\x80\0\0\0\0\0\0\0\0\0\0\x07",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff\xfe",
        b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xbf\xff\xff\xff\xff\xff\xff\xff",
        b"\xc0\0\0\0\0\0\0\0",
        b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x80\0\0\0\x80\0\0\0\0\0\0\0",
        b"",
        b"            ",
    ];
    let mut all = Vec::new();
    for (name, at, width) in fields {
        for value in values {
            for (magic_name, magic) in [MAGICS[0], MAGICS[5], MAGICS[7]] {
                for flag in [b'0', b'3', b'5'] {
                    let mut field = value.to_vec();
                    field.resize(width, 0);
                    let odd = patched(&header("a", flag, 0), &[(257, magic), (at, &field)]);
                    let value = value.escape_ascii();
                    let what = format!("{name} `{value}`, {magic_name}, type {flag}");
                    all.push((what, tar(&[&odd])));
                }
            }
        }
    }
    for (name, at) in [("atime", 476), ("ctime", 488)] {
        for value in [b"x".as_slice(), b"7", b"\xff", b"", b"8"] {
            let odd = patched(&header("a", b'0', 0), &[(508, b"tar\0"), (at, value)]);
            let what = format!("star's {name} `{}`", value.escape_ascii());
            all.push((what, tar(&[&odd])));
        }
    }
    all.extend(checksums());
    all
}

fn checksums() -> Vec<Oddity> {
    let plain = header("a", b'0', 0);
    let high = header("\u{e9}\u{e9}", b'0', 0);
    let sum = |header: &[u8], of: fn(u8) -> i64| {
        let rest = [&header[..148], &[b' '; 8], &header[156..]].concat();
        rest.into_iter().map(of).sum::<i64>()
    };
    let unsigned = sum(&high, i64::from);
    let signed = sum(&high, |byte| i64::from(byte.cast_signed()));
    let plain_sum = sum(&plain, i64::from);
    let fields = [
        ("unsigned", &high, format!("{unsigned:06o}\0 ").into_bytes()),
        ("signed", &high, format!("{signed:06o}\0 ").into_bytes()),
        (
            "off by one",
            &high,
            format!("{:06o}\0 ", signed + 1).into_bytes(),
        ),
        (
            "spaces first",
            &plain,
            format!("  {plain_sum:o}\0\0\0").into_bytes(),
        ),
        (
            "NULs first",
            &plain,
            format!("\0\0{plain_sum:o}").into_bytes(),
        ),
        ("no end", &plain, format!("{plain_sum:08o}").into_bytes()),
        ("blank", &plain, b"        ".to_vec()),
        ("empty", &plain, vec![0; 8]),
        ("letters", &plain, b"zzzzzz\0 ".to_vec()),
        (
            "binary",
            &plain,
            [&[0x80][..], &plain_sum.to_be_bytes()[1..]].concat(),
        ),
        ("decimal", &plain, format!("{plain_sum:06}\0 ").into_bytes()),
    ];
    let odd = fields.into_iter().map(|(name, header, mut field)| {
        field.resize(8, 0);
        let odd = [&header[..148], &field, &header[156..]].concat();
        (format!("checksum: {name}"), tar(&[&odd]))
    });
    odd.collect()
}

/// Data of PAX headers, most of it malformed.
const MALFORMED: [&[u8]; 16] = [
    b"",
    b"\n",
    b"8 a=bcd\n",
    b"8 a=bcde\n",
    b"7 a=bcd\n",
    b"8a=bcde\n",
    b"x a=b\n",
    b"6 a=b\nrest",
    b"6 a=b\0",
    b"5 a=\n",
    b"5 =b\n",
    b"4 =\n",
    b"6 abc\n",
    b"-6 a=b\n",
    b"06 a=b\n",
    b"7 a==b\n",
];

/// Records, each alone.
const RECORDS: [(&str, &[u8]); 62] = [
    ("path", b"p"),
    ("path", b"p/"),
    ("path", b""),
    ("path", b"a\0b"),
    ("path", b"\xff"),
    ("linkpath", b"l"),
    ("linkpath", b""),
    ("linkpath", b"a\0b"),
    ("uname", b"a\0b"),
    ("gname", b"a\0b"),
    ("size", b"0"),
    ("size", b"1"),
    ("size", b"4"),
    ("size", b"-1"),
    ("size", b"x"),
    ("size", b""),
    ("size", b"9223372036854775808"),
    ("size", b"1 "),
    ("size", b"0x1"),
    ("uid", b"7"),
    ("uid", b"4294967296"),
    ("uid", b"-1"),
    ("uid", b"+1"),
    ("uid", b"007"),
    ("uid", b"1_0"),
    ("uid", b"x"),
    ("uid", b"9223372036854775807"),
    ("uid", b"9223372036854775808"),
    ("gid", b"7"),
    ("gid", b"x"),
    ("gid", b" 7"),
    ("mtime", b"7"),
    ("mtime", b"7.5"),
    ("mtime", b"7."),
    ("mtime", b".5"),
    ("mtime", b"-7"),
    ("mtime", b"-7.5"),
    ("mtime", b"+7"),
    ("mtime", b"7.1234567891"),
    ("mtime", b"-7.1234567891"),
    ("mtime", b"7.x"),
    ("mtime", b"7,5"),
    ("mtime", b"1e9"),
    ("mtime", b"x"),
    ("mtime", b""),
    ("atime", b"7.5"),
    ("atime", b"x"),
    ("atime", b""),
    ("ctime", b"x"),
    ("ctime", b"7"),
    ("SCHILY.devmajor", b"9"),
    ("SCHILY.devminor", b"9"),
    ("SCHILY.devmajor", b"x"),
    ("SCHILY.xattr.user.a", b"\0\n="),
    ("SCHILY.xattr.user.\0a", b"v"),
    ("k\0", b"v"),
    ("hdrcharset", b"BINARY"),
    ("mode", b"x"),
    ("linkname", b"l"),
    ("GNU.sparse.realsize", b"9"),
    ("GNU.sparse.size", b"9"),
    ("GNU.sparse.name", b"other"),
];

fn records() -> Vec<Oddity> {
    let bodies = [
        ("file", member("a", b'0', b"data")),
        ("old file", member("a", 0, b"data")),
        ("directory", header("a/", b'5', 0)),
        ("symlink", patched(&header("a", b'2', 0), &[(157, b"own")])),
        (
            "device",
            patched(
                &header("a", b'3', 0),
                &[(329, b"0000003"), (337, b"0000004")],
            ),
        ),
    ];
    let mut all = Vec::new();
    for (key, value) in RECORDS {
        for (name, body) in &bodies {
            let shown = value.escape_ascii();
            let extended = pax(&[(key, value)]);
            let what = format!("record `{}={shown}` of a {name}", key.escape_default());
            all.push((what, tar(&[&extended, body])));
        }
        let global = patched(&pax(&[(key, value)])[..512], &[(156, b"g")]);
        let global = [&global, &pax(&[(key, value)])[512..]].concat();
        let shown = value.escape_ascii();
        let what = format!("global record `{}={shown}`", key.escape_default());
        all.push((what, tar(&[&global, &bodies[0].1])));
    }
    for data in MALFORMED {
        for flag in [b'x', b'g'] {
            let extended = member("e", flag, data);
            let what = format!("{} of `{}`", char::from(flag), data.escape_ascii());
            all.push((what, tar(&[&extended, &bodies[0].1])));
        }
    }
    all
}

/// PAX headers of sparse files.
fn sparse_records() -> Vec<(&'static str, Vec<u8>)> {
    let size = ("GNU.sparse.size", "10");
    let real = ("GNU.sparse.realsize", "10");
    let blocks = ("GNU.sparse.numblocks", "2");
    let map = ("GNU.sparse.map", "0,2,6,2");
    let major = |text| ("GNU.sparse.major", text);
    let minor = |text| ("GNU.sparse.minor", text);
    let offset = |text| ("GNU.sparse.offset", text);
    let length = |text| ("GNU.sparse.numbytes", text);
    let name = ("GNU.sparse.name", "real");
    let cases: [(&str, &[(&str, &str)]); 24] = [
        ("0.1", &[size, blocks, map]),
        ("0.1, named", &[size, blocks, map, name]),
        (
            "0.1, versioned",
            &[size, blocks, map, major("0"), minor("1")],
        ),
        (
            "0.1, empty, versioned",
            &[
                ("GNU.sparse.size", "4"),
                ("GNU.sparse.numblocks", "0"),
                major("0"),
                minor("1"),
            ],
        ),
        ("0.1, realsize", &[real, blocks, map]),
        ("0.1, no size", &[blocks, ("GNU.sparse.map", "0,2,2,2")]),
        ("0.1, no size, too long", &[blocks, map]),
        ("0.1, no numblocks", &[size, map]),
        (
            "0.1, wrong numblocks",
            &[size, map, ("GNU.sparse.numblocks", "3")],
        ),
        (
            "0.0",
            &[
                size,
                blocks,
                offset("0"),
                length("2"),
                offset("6"),
                length("2"),
            ],
        ),
        (
            "0.0, no numblocks",
            &[size, offset("0"), length("2"), offset("6"), length("2")],
        ),
        ("0.0, order", &[size, blocks, length("2"), offset("0")]),
        (
            "0.0, odd",
            &[size, blocks, offset("0"), length("2"), offset("6")],
        ),
        (
            "0.0 and 0.1",
            &[
                size,
                blocks,
                map,
                offset("0"),
                length("2"),
                offset("6"),
                length("2"),
            ],
        ),
        ("nothing but a size", &[size, name]),
        ("nothing but a real size", &[real, name]),
        (
            "version 2",
            &[size, blocks, map, major("2"), minor("0"), name],
        ),
        (
            "version 1.1",
            &[size, blocks, map, major("1"), minor("1"), name],
        ),
        ("version 1.", &[size, blocks, map, major("1"), name]),
        ("version .1", &[size, blocks, map, minor("1"), name]),
        (
            "overlapping",
            &[size, blocks, ("GNU.sparse.map", "0,2,1,2")],
        ),
        ("beyond", &[size, blocks, ("GNU.sparse.map", "0,2,9,2")]),
        ("less data", &[size, blocks, ("GNU.sparse.map", "0,2,6,1")]),
        (
            "size that is none",
            &[("GNU.sparse.size", "x"), blocks, map],
        ),
    ];
    let cases = cases.into_iter().map(|(what, records)| {
        let records = records.iter();
        let records: Vec<(&str, &[u8])> = records
            .map(|(key, value)| (*key, value.as_bytes()))
            .collect();
        (what, pax(&records))
    });
    cases.collect()
}

fn sparse_files() -> Vec<Oddity> {
    let mut all = Vec::new();
    for (what, records) in sparse_records() {
        for (of, body) in [
            ("file", member("a", b'0', b"aabb")),
            ("directory", header("a/", b'5', 0)),
            ("symlink", header("a", b'2', 0)),
        ] {
            all.push((format!("sparse {what}, a {of}"), tar(&[&records, &body])));
        }
    }
    let version: [(&str, &[u8]); 4] = [
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.realsize", b"10"),
        ("GNU.sparse.name", b"real"),
    ];
    for map in [
        "2\n0\n2\n6\n2\n",
        "2\n0\n2\n6\n",
        "x",
        "0\n",
        "1\n0\n4\n",
        "-1\n",
    ] {
        let data = [padded(map.as_bytes()), b"aabb".to_vec()].concat();
        let what = format!("sparse 1.0 of `{}`", map.escape_default());
        all.push((what, tar(&[&pax(&version), &member("a", b'0', &data)])));
    }
    for (magic_name, magic) in MAGICS {
        let patches: [(usize, &[u8]); 4] = [
            (257, magic),
            (
                386,
                b"00000000000\x0000000000002\x0000000000006\x0000000000002\0",
            ),
            (482, b"\0"),
            (483, b"00000000012\0"),
        ];
        let odd = patched(&header("a", b'S', 4), &patches);
        all.push((
            format!("old sparse, {magic_name}"),
            tar(&[&odd, &padded(b"aabb")]),
        ));
    }
    all
}

fn sequences() -> Vec<Oddity> {
    let global = |records: &[(&str, &[u8])]| {
        let extended = pax(records);
        [&patched(&extended[..512], &[(156, b"g")]), &extended[512..]].concat()
    };
    let name = pax(&[("path", b"pax")]);
    let link = pax(&[("linkpath", b"pax")]);
    let long = |data: &[u8]| member("././@LongLink", b'L', data);
    let long_link = |data: &[u8]| member("././@LongLink", b'K', data);
    let comment = global(&[("comment", b"c")]);
    let file = member("own", b'0', b"data");
    let symlink = patched(&header("own", b'2', 0), &[(157, b"own")]);
    let cases: [(&str, Vec<Vec<u8>>); 24] = [
        ("x", vec![name.clone(), file.clone()]),
        (
            "x x",
            vec![name.clone(), pax(&[("uid", b"1")]), file.clone()],
        ),
        ("x g", vec![name.clone(), comment.clone(), file.clone()]),
        ("g x", vec![comment.clone(), name.clone(), file.clone()]),
        ("g path", vec![global(&[("path", b"global")]), file.clone()]),
        ("g size", vec![global(&[("size", b"1")]), file.clone()]),
        ("L", vec![long(b"long\0"), file.clone()]),
        ("L, no NUL", vec![long(b"long"), file.clone()]),
        ("L, empty", vec![long(b""), file.clone()]),
        ("L, NUL first", vec![long(b"\0long"), file.clone()]),
        ("L, slash", vec![long(b"long/\0"), file.clone()]),
        (
            "L, slash, old",
            vec![long(b"long/\0"), member("own", 0, b"data")],
        ),
        ("L L", vec![long(b"one\0"), long(b"two\0"), file.clone()]),
        (
            "L, L empty",
            vec![long(b"one\0"), long(b"\0"), file.clone()],
        ),
        ("L x", vec![long(b"long\0"), name.clone(), file.clone()]),
        ("x L", vec![name.clone(), long(b"long\0"), file.clone()]),
        ("L g", vec![long(b"long\0"), comment.clone(), file.clone()]),
        (
            "x of size, L",
            vec![pax(&[("size", b"1")]), long(b"long\0"), file.clone()],
        ),
        ("K", vec![long_link(b"long\0"), symlink.clone()]),
        ("K of a file", vec![long_link(b"long\0"), file.clone()]),
        (
            "K x",
            vec![long_link(b"long\0"), link.clone(), symlink.clone()],
        ),
        (
            "x K",
            vec![link.clone(), long_link(b"long\0"), symlink.clone()],
        ),
        (
            "K L",
            vec![long_link(b"to\0"), long(b"long\0"), symlink.clone()],
        ),
        (
            "x X",
            vec![
                patched(&name[..512], &[(156, b"X")]),
                name[512..].to_vec(),
                file.clone(),
            ],
        ),
    ];
    let cases = cases.into_iter().map(|(what, parts)| {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        (format!("sequence {what}"), tar(&parts))
    });
    let mut all: Vec<Oddity> = cases.collect();
    for (what, alone) in [("x", &name), ("g", &comment), ("L", &long(b"long\0"))] {
        all.push((
            format!("{what} at the end"),
            [alone.clone(), end()].concat(),
        ));
    }
    all
}

fn ends() -> Vec<Oddity> {
    let file = member("a", b'0', b"data");
    let empty = vec![0; 512];
    let cases: [(&str, Vec<u8>); 12] = [
        ("nothing", vec![]),
        ("one block", empty.clone()),
        ("one block and a part", vec![0; 700]),
        ("a part", vec![0; 100]),
        ("two blocks", end()),
        ("twenty blocks", vec![0; 10_240]),
        ("two blocks and junk", [end(), b"junk".to_vec()].concat()),
        ("two blocks and a member", [end(), file.clone()].concat()),
        (
            "one block and a member",
            [empty.clone(), file.clone(), end()].concat(),
        ),
        (
            "one block and junk",
            [empty.clone(), padded(b"junk")].concat(),
        ),
        (
            "one block and a part of junk",
            [empty.clone(), b"junk".to_vec()].concat(),
        ),
        ("junk", padded(b"junk")),
    ];
    let mut all: Vec<Oddity> = cases
        .into_iter()
        .map(|(what, end)| (format!("end: {what}"), [file.clone(), end].concat()))
        .collect();
    for length in [0, 1, 511, 512, 514, 516, 600] {
        let what = format!("cut off at {length}");
        all.push((what, file[..length].to_vec()));
    }
    all
}
