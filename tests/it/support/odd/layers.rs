//! Odd layers: entries that no builder writes, mixed with entries that all builders write.

use std::fmt::Write as _;

use super::super::Seed;
use super::super::codec::Codec;
use super::super::layer::{self, Dialect, header, member, pax, set};
use super::super::make::{self, Image};
use super::{Odd, once_in, pick};

/// The names of most entries; the lowest layer has the first ones.
const NAMES: [&str; 14] = [
    "a",
    "b",
    "d",
    "d/x",
    "d/e",
    "d/e/f",
    "l",
    "la",
    "n",
    "n/x",
    "d/y",
    "l/x",
    "la/y",
    "dangling/x",
];

/// Names that need special care.
const ODD_NAMES: [&str; 26] = [
    "./a",
    "/a",
    "d//x",
    "../a",
    "d/../a",
    "d/../../a",
    ".",
    "./",
    "/",
    "..",
    "d/.",
    "d/..",
    "a/",
    "a/x",
    "n\n",
    "n\\x",
    " ",
    "n ",
    "\u{e4}",
    "d/e/",
    "b/",
    "./d/./x",
    "//n",
    "l/",
    "l/n/o",
    "p/q/r",
];

/// Markers, and names like them.
const MARKERS: [&str; 24] = [
    ".wh.a",
    ".wh.d",
    ".wh.l",
    ".wh.none",
    "d/.wh.x",
    "d/.wh.e",
    "d/.wh.none",
    "d/e/.wh.f",
    ".wh..wh..opq",
    "d/.wh..wh..opq",
    "d/e/.wh..wh..opq",
    "n/.wh..wh..opq",
    "a/.wh.x",
    "a/.wh..wh..opq",
    "l/.wh.x",
    "la/.wh.x",
    "l/.wh..wh..opq",
    ".wh.",
    "d/.wh.",
    ".wh..",
    "d/.wh...",
    ".wh..wh.plnk",
    ".wh..wh..wh.a",
    ".wh.d/x",
];

/// Names below something that a previous entry added or removed.
const BELOW: [&str; 6] = ["x", "e/f", "e/", ".wh.x", ".wh..wh..opq", "e/.wh.f"];

/// Targets of links.
const TARGETS: [&str; 22] = [
    "a",
    "d/x",
    "b",
    "d",
    "l",
    "l/x",
    "la/x",
    "none",
    "",
    "/",
    "/a",
    "./a",
    "../a",
    "../../d/x",
    "d/../a",
    "n",
    "n/x",
    "d/e/f",
    ".",
    "..",
    "/none",
    "dangling",
];

/// Types of entries: those of POSIX, and those of some tar.
const FLAGS: [u8; 22] = [
    b'0', 0, b'1', b'2', b'3', b'4', b'5', b'6', b'7', b'g', b'A', b'D', b'I', b'K', b'L', b'M',
    b'N', b'S', b'V', b'X', b'x', b'9',
];

/// Records of a PAX header, with their values.
const RECORDS: [(&str, &[u8]); 40] = [
    ("path", b""),
    ("path", b"p\0q"),
    ("path", b"/d/z"),
    ("path", b"../z"),
    ("linkpath", b""),
    ("linkpath", b"a\0"),
    ("size", b"0"),
    ("size", b"x"),
    ("size", b"-1"),
    ("size", b"99999999999999999999"),
    ("mtime", b"1.5"),
    ("mtime", b"-1"),
    ("mtime", b"x"),
    ("mtime", b""),
    ("mtime", b"1e9"),
    ("mtime", b"99999999999999"),
    ("atime", b"x"),
    ("ctime", b"1,5"),
    ("uid", b"x"),
    ("uid", b"-1"),
    ("gid", b"4294967296"),
    ("uname", b"root\0"),
    ("comment", b"\xff"),
    ("hdrcharset", b"BINARY"),
    ("GNU.sparse.major", b"1"),
    ("SCHILY.xattr.user.a", b"b"),
    ("SCHILY.xattr.user.a", b""),
    ("SCHILY.xattr.", b"b"),
    ("SCHILY.xattr.a", b"b"),
    ("SCHILY.xattr.user.", b"b"),
    ("SCHILY.xattr.trusted.a", b"b"),
    ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
    (
        "SCHILY.xattr.security.selinux",
        b"system_u:object_r:bin_t:s0\0",
    ),
    (
        "SCHILY.xattr.security.capability",
        b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    ),
    ("SCHILY.xattr.security.capability", b"\x01\0\0\x02\0"),
    ("SCHILY.xattr.security.capability", b""),
    ("SCHILY.xattr.system.posix_acl_access", b"x"),
    ("SCHILY.xattr.system.posix_acl_default", b"\x02\0\0\0"),
    ("LIBARCHIVE.xattr.user.a", b"Yg=="),
    ("SCHILY.fflags", b"nodump"),
];

/// An archive of two or three layers, of which the upper ones have an oddity.
pub(super) fn archive(numbers: &mut Seed, tag: &str, salt: &str) -> Odd {
    let base = "d/ d/x=1 d/e/ d/e/f=2 a=3 b=>a l->d la->/d dangling->none";
    let mut what = String::new();
    let mut layers = layer::stack(base);
    for _ in 0..=usize::from(once_in(numbers, 4)) {
        what.push_str(if what.is_empty() { "" } else { " | " });
        let mut tar = Vec::new();
        append(&mut tar, b"salt", b'0', b"", &[], salt.as_bytes());
        let mut before = Vec::new();
        for _ in 0..=numbers.below(3) {
            before = entry(numbers, &mut tar, &before, &mut what);
        }
        end(numbers, &mut tar, &mut what);
        layers.push(tar);
    }
    let mut image = Image::of_layers(&[tag], layers);
    let top = image.layers.last_mut().expect("there are layers");
    match numbers.below(16) {
        0 => {
            *top = Codec::Gzip.compress(top);
            what.push_str(" gzip");
            match numbers.below(4) {
                0 => tail(top, &mut what, "+zeros", &[0; 700]),
                1 => tail(top, &mut what, "+junk", b"junk"),
                2 => {
                    top.truncate(top.len() - 5);
                    what.push_str("-cut");
                }
                _ => {}
            }
        }
        1 => *top = Codec::Zstd.compress(top),
        2 => *top = Codec::Xz.compress(top),
        3 => *top = Codec::Bzip2.compress(top),
        _ => {}
    }
    Odd {
        what,
        id: image.id(),
        archive: make::tar(&make::docker(&[image])),
    }
}

fn tail(bytes: &mut Vec<u8>, what: &mut String, word: &str, tail: &[u8]) {
    bytes.extend(tail);
    what.push_str(word);
}

/// Appends a member like a correct writer.
fn append(tar: &mut Vec<u8>, name: &[u8], flag: u8, target: &[u8], records: &[u8], content: &[u8]) {
    if !records.is_empty() {
        let mut extension = header(b"PaxHeaders/x", b'x', Dialect::Pax);
        set(&mut extension[124..136], records.len() as i128);
        member(tar, extension, records);
    }
    let header = sound(name, flag, target, content.len());
    member(tar, header, content);
}

/// A header like that of a correct writer.
fn sound(name: &[u8], flag: u8, target: &[u8], size: usize) -> [u8; 512] {
    let mut header = header(name, flag, Dialect::Pax);
    header[157..157 + target.len()].copy_from_slice(target);
    set(
        &mut header[100..108],
        if flag == b'5' { 0o755 } else { 0o644 },
    );
    set(&mut header[108..116], 0);
    set(&mut header[116..124], 0);
    set(&mut header[124..136], size as i128);
    set(&mut header[136..148], 1);
    header
}

/// Appends an entry, which may be odd in any way, and returns its name.
///
/// It often has the same path as the previous entry.
fn entry(numbers: &mut Seed, tar: &mut Vec<u8>, before: &[u8], what: &mut String) -> Vec<u8> {
    let before = String::from_utf8_lossy(before).replace(".wh.", "");
    let before = before.trim_end_matches('/');
    let mut name = match numbers.below(20) {
        0 | 1 => pick(numbers, &ODD_NAMES).as_bytes().to_vec(),
        2..=5 => pick(numbers, &MARKERS).as_bytes().to_vec(),
        6 if once_in(numbers, 4) => [b"d/".as_slice(), &[b'n'; 255]].concat(),
        6 if once_in(numbers, 4) => [b"d/".as_slice(), &[b'n'; 256]].concat(),
        6 if once_in(numbers, 4) => b"d/".repeat(2100),
        7..=10 if !before.is_empty() => format!("{before}/{}", pick(numbers, &BELOW)).into_bytes(),
        11 if !before.is_empty() => before.as_bytes().to_vec(),
        _ => pick(numbers, &NAMES).as_bytes().to_vec(),
    };
    let is_marker = super::super::entry::is_marker(&name);
    let flag = match numbers.below(20) {
        0 if once_in(numbers, 2) => pick(numbers, &FLAGS),
        _ if is_marker && !once_in(numbers, 6) => b'0',
        1..=3 => b'5',
        4..=6 => b'1',
        7..=10 => b'2',
        11 => pick(numbers, b"346"),
        _ => b'0',
    };
    if flag == b'5' && !name.ends_with(b"/") && !once_in(numbers, 8) {
        name.push(b'/');
    }
    let target: &[u8] = match flag {
        b'1' | b'2' => pick(numbers, &TARGETS).as_bytes(),
        _ => b"",
    };
    let content: &[u8] = match flag {
        b'0' | b'7' if !is_marker || once_in(numbers, 6) => b"content",
        _ => b"",
    };
    let _ = write!(what, "{}", if what.is_empty() { "" } else { " " });
    let shown = &name[..name.len().min(30)];
    let _ = write!(what, "`{}`", shown.escape_ascii());
    if name.len() > shown.len() {
        let _ = write!(what, "({} bytes)", name.len());
    }
    if flag != b'0' {
        let _ = write!(what, "[{}", char::from(flag).escape_default());
        let _ = write!(what, "{}]", target.escape_ascii());
    }
    if is_marker && !content.is_empty() {
        what.push_str("=data");
    }
    let mut records = Vec::new();
    let whole = name.clone();
    if name.len() > 100 {
        records.extend(pax("path", &name));
        name.truncate(100);
    }
    if once_in(numbers, 12) {
        records.extend(record(numbers, what));
    }
    if !records.is_empty() {
        let mut extension = header(b"PaxHeaders/x", b'x', Dialect::Pax);
        set(&mut extension[124..136], records.len() as i128);
        member(tar, extension, &records);
    }
    let mut header = sound(&name, flag, target, content.len());
    if once_in(numbers, 12) {
        spoil(numbers, &mut header, what);
    }
    member(tar, header, content);
    if once_in(numbers, 200) {
        let end = tar.len();
        tar[end - 512..][..8].fill(b'x');
        what.push_str("{sum}");
    }
    whole
}

/// A record of a PAX header, or something that is not one.
fn record(numbers: &mut Seed, what: &mut String) -> Vec<u8> {
    match numbers.below(14) {
        0 => {
            let length = [60_000, 65_536, 66_000][numbers.below(3)];
            let _ = write!(what, "{{user.a: {length} bytes}}");
            pax("SCHILY.xattr.user.a", &vec![b'v'; length])
        }
        1 => {
            let length = [250, 251, 300][numbers.below(3)];
            let _ = write!(what, "{{user.: {length} bytes}}");
            let name = format!("SCHILY.xattr.user.{}", "n".repeat(length));
            pax(&name, b"v")
        }
        2 => {
            let broken: &[u8] = pick(
                numbers,
                &[
                    b"5 a=b\n".as_slice(),
                    b"6 a=b",
                    b"x a=b\n",
                    b"6 ab=\n",
                    b"5 =b\n",
                    b"\0\0\0\0",
                ],
            );
            let _ = write!(what, "{{{}}}", broken.escape_ascii());
            broken.to_vec()
        }
        _ => {
            let (key, value) = pick(numbers, &RECORDS);
            let _ = write!(what, "{{{key}={}}}", value.escape_ascii());
            pax(key, value)
        }
    }
}

/// Makes a field of a header odd.
fn spoil(numbers: &mut Seed, header: &mut [u8; 512], what: &mut String) {
    let fields: [(&str, std::ops::Range<usize>); 9] = [
        ("mode", 100..108),
        ("uid", 108..116),
        ("gid", 116..124),
        ("size", 124..136),
        ("mtime", 136..148),
        ("magic", 257..265),
        ("major", 329..337),
        ("minor", 337..345),
        ("prefix", 345..500),
    ];
    let (name, range) = pick(numbers, &fields);
    let field = &mut header[range];
    let values: &[&[u8]] = match name {
        "magic" => &[
            b"ustar  \0",
            b"ustar\0 \0",
            b"\0\0\0\0\0\0\0\0",
            b"USTAR\x0000",
            b"ustar\0\0\0",
        ],
        "prefix" => &[b"d", b"/", b"..", b"l", b"none/deep"],
        "size" => &[
            b"00000000001\0",
            b"\0",
            b"-1\0",
            b"0x10\0",
            b"\x80\0\0\0\0\0\0\0\0\0\0\x01",
            b"           7",
        ],
        _ => &[
            b"\0",
            b"x\0",
            b"-1\0",
            b"        ",
            b"7777777",
            b"\x80\0\0\0\0\0\0\x01",
            b"\xff\xff\xff\xff\xff\xff\xff\xff",
            b"  644 \0",
            b"0o644\0",
        ],
    };
    let value: &[u8] = pick(numbers, values);
    field.fill(0);
    let length = value.len().min(field.len());
    field[..length].copy_from_slice(&value[..length]);
    let _ = write!(what, "{{{name}: {}}}", value.escape_ascii());
}

/// Ends a tar, usually correctly.
fn end(numbers: &mut Seed, tar: &mut Vec<u8>, what: &mut String) {
    let zeros = |tar: &mut Vec<u8>, blocks: usize| tar.resize(tar.len() + 512 * blocks, 0);
    match numbers.below(40) {
        0 => what.push_str(" no end"),
        1 => {
            zeros(tar, 1);
            what.push_str(" half an end");
        }
        2 => {
            zeros(tar, 2);
            tail(tar, what, " +junk", b"junk");
        }
        3 => {
            zeros(tar, 1);
            append(tar, b"late", b'0', b"", &[], b"");
            zeros(tar, 2);
            what.push_str(" late entry");
        }
        4 => {
            let cut = 1 + numbers.below(600);
            tar.truncate(tar.len() - cut);
            let _ = write!(what, " cut {cut}");
        }
        5 => {
            zeros(tar, 21);
            what.push_str(" long end");
        }
        _ => zeros(tar, 2),
    }
}
