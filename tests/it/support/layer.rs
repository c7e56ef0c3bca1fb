//! Layers: entries to a tar and back, by hand and with the `tar` crate.

use std::collections::BTreeMap;
use std::io::Read;

use super::entry::{Entry, Kind, Meta, SECOND, nanoseconds, seconds};

/// The way in which a tar stores values that do not fit into its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// In PAX records, as in Docker.
    Pax,
    /// In GNU's long names and binary numbers; attributes and fractions are PAX records
    /// nevertheless.
    Gnu,
}

/// Writes entries as a tar, in their order, valid or not.
pub(crate) fn tar(entries: &[Entry]) -> Vec<u8> {
    tar_in(Dialect::Pax, entries)
}

/// Writes the layers of a stack that is given in words.
#[track_caller]
pub(crate) fn stack(text: &str) -> Vec<Vec<u8>> {
    super::entry::stack(text).iter().map(|it| tar(it)).collect()
}

/// Writes entries as a tar in a dialect.
pub(crate) fn tar_in(dialect: Dialect, entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        append(&mut bytes, dialect, entry);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// The largest owner in octal fields; that of a time has room for four more digits.
const OCTAL_ID: u64 = 0o7_777_777;

fn append(tar: &mut Vec<u8>, dialect: Dialect, entry: &Entry) {
    let Meta {
        mode,
        uid,
        gid,
        mtime,
        xattrs,
    } = &entry.meta;
    let none: &[u8] = &[];
    let (flag, target, content): (u8, &[u8], &[u8]) = match &entry.kind {
        Kind::File(content) => (b'0', none, content),
        Kind::Link(target) => (b'1', target, none),
        Kind::Symlink(target) => (b'2', target, none),
        Kind::Char(..) => (b'3', none, none),
        Kind::Block(..) => (b'4', none, none),
        Kind::Directory => (b'5', none, none),
        Kind::Fifo => (b'6', none, none),
    };
    let mut records: Vec<(String, Vec<u8>)> = Vec::new();
    let mut record = |key: &str, value: &[u8]| records.push((key.to_owned(), value.to_vec()));
    for (key, flag, text) in [
        ("path", b'L', entry.name.as_slice()),
        ("linkpath", b'K', target),
    ] {
        match dialect {
            _ if text.len() <= 100 => {}
            Dialect::Pax => record(key, text),
            Dialect::Gnu => {
                let text = [text, &[0]].concat();
                let mut header = header(b"././@LongLink", flag, dialect);
                set(&mut header[124..136], text.len() as i128);
                member(tar, header, &text);
            }
        }
    }
    let mut header = header(&entry.name[..entry.name.len().min(100)], flag, dialect);
    header[157..157 + target.len().min(100)].copy_from_slice(&target[..target.len().min(100)]);
    set(&mut header[100..108], i128::from(*mode));
    for (key, field, id) in [("uid", 108..116, *uid), ("gid", 116..124, *gid)] {
        let fits = id <= OCTAL_ID || dialect == Dialect::Gnu;
        set(&mut header[field], if fits { id.into() } else { 0 });
        if !fits {
            record(key, id.to_string().as_bytes());
        }
    }
    set(&mut header[124..136], content.len() as i128);
    let fits = mtime % SECOND == 0 && (*mtime >= 0 || dialect == Dialect::Gnu);
    set(&mut header[136..148], if fits { mtime / SECOND } else { 0 });
    if !fits {
        record("mtime", seconds(*mtime).as_bytes());
    }
    if let Kind::Char(major, minor) | Kind::Block(major, minor) = entry.kind {
        set(&mut header[329..337], major.into());
        set(&mut header[337..345], minor.into());
    }
    for (name, value) in xattrs {
        record(&format!("SCHILY.xattr.{name}"), value);
    }
    if !records.is_empty() {
        let records: Vec<u8> = records
            .iter()
            .flat_map(|(key, value)| pax(key, value))
            .collect();
        let mut extension = self::header(b"PaxHeaders/x", b'x', dialect);
        set(&mut extension[124..136], records.len() as i128);
        member(tar, extension, &records);
    }
    member(tar, header, content);
}

/// A record of a PAX header. Its length includes itself.
pub(crate) fn pax(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
    let mut length = rest.len();
    while length.to_string().len() + rest.len() != length {
        length = length.to_string().len() + rest.len();
    }
    [length.to_string().into_bytes(), rest].concat()
}

/// A header without numbers and without a checksum.
pub(crate) fn header(name: &[u8], flag: u8, dialect: Dialect) -> [u8; 512] {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name);
    header[156] = flag;
    let magic: &[u8; 8] = match dialect {
        Dialect::Pax => b"ustar\x0000",
        Dialect::Gnu => b"ustar  \0",
    };
    header[257..265].copy_from_slice(magic);
    header
}

/// Writes a number into a field: in octal digits if they fit, otherwise in binary.
pub(crate) fn set(field: &mut [u8], number: i128) {
    let digits = field.len() - 1;
    let octal = format!("{number:0digits$o}");
    if number >= 0 && octal.len() == digits {
        field[..digits].copy_from_slice(octal.as_bytes());
    } else {
        let binary = number.to_be_bytes();
        field.copy_from_slice(&binary[binary.len() - field.len()..]);
        field[0] |= 0x80;
    }
}

/// Appends a member: a header, whose checksum is filled in, and the content with its padding.
pub(crate) fn member(tar: &mut Vec<u8>, mut header: [u8; 512], content: &[u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|it| u32::from(*it)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar.extend(header);
    tar.extend(content);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

/// Reads the entries of a plain tar, in their order.
///
/// The `tar` crate splits the members. The records of PAX are read here, since that crate treats a
/// newline in a value as the end of the record.
#[track_caller]
pub(crate) fn read(tar: &[u8]) -> Vec<Entry> {
    let mut archive = tar::Archive::new(tar);
    let members = archive.entries().expect("the layer is a tar").raw(true);
    let mut entries = Vec::new();
    let mut records = BTreeMap::new();
    for member in members {
        let mut member = member.expect("the layer is whole");
        let header = member.header().clone();
        let mut content = Vec::new();
        member
            .read_to_end(&mut content)
            .expect("the layer is whole");
        let long_name = |mut text: Vec<u8>| {
            let end = text.iter().position(|it| *it == 0);
            text.truncate(end.unwrap_or(text.len()));
            text
        };
        match header.as_bytes()[156] {
            b'x' => records.extend(read_pax(&content)),
            b'L' => {
                let _ = records.insert("path".to_owned(), long_name(content));
            }
            b'K' => {
                let _ = records.insert("linkpath".to_owned(), long_name(content));
            }
            // A global header does not describe an entry.
            b'g' => {}
            _ => entries.push(read_entry(&header, &std::mem::take(&mut records), content)),
        }
    }
    entries
}

/// The records of a PAX header.
#[track_caller]
pub(crate) fn read_pax(mut bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|it| *it == b' ');
        let (length, _) = bytes.split_at(space.expect("a record has a length"));
        let length: usize = String::from_utf8_lossy(length).parse().expect("a length");
        let (record, rest) = bytes.split_at(length);
        let record = record
            .strip_suffix(b"\n")
            .expect("a record ends in a newline");
        let record = &record[space.expect("a record has a length") + 1..];
        let sign = record.iter().position(|it| *it == b'=');
        let (key, value) = record.split_at(sign.expect("a record has a value"));
        let key = String::from_utf8(key.to_vec()).expect("a key is text");
        records.push((key, value[1..].to_vec()));
        bytes = rest;
    }
    records
}

#[track_caller]
fn read_entry(
    header: &tar::Header,
    records: &BTreeMap<String, Vec<u8>>,
    content: Vec<u8>,
) -> Entry {
    assert!(!records.contains_key("size"), "no test has so big a file");
    let text = |key| {
        let value = records.get(key)?;
        Some(std::str::from_utf8(value).expect("a number is text"))
    };
    let id = |key, field: &[u8]| match text(key) {
        Some(text) => text.parse().expect("a number"),
        None => u64::try_from(number(field)).expect("an owner is no negative number"),
    };
    let bytes = header.as_bytes();
    let xattr = |(key, value): (&String, &Vec<u8>)| {
        let name = key.strip_prefix("SCHILY.xattr.")?;
        Some((name.to_owned(), value.clone()))
    };
    let meta = Meta {
        mode: u32::try_from(number(&bytes[100..108])).expect("a mode is small") & 0o7777,
        uid: id("uid", &bytes[108..116]),
        gid: id("gid", &bytes[116..124]),
        mtime: text("mtime").map_or_else(|| number(&bytes[136..148]) * SECOND, nanoseconds),
        xattrs: records.iter().filter_map(xattr).collect(),
    };
    let named = |key| records.get(key).cloned();
    let mut name = named("path").unwrap_or_else(|| header.path_bytes().into_owned());
    let target = || {
        let in_header = || header.link_name_bytes().map(std::borrow::Cow::into_owned);
        named("linkpath").or_else(in_header).unwrap_or_default()
    };
    let device = || {
        let field = |place: usize| number(&bytes[place..place + 8]);
        let small = "a device has small numbers";
        (
            u32::try_from(field(329)).expect(small),
            u32::try_from(field(337)).expect(small),
        )
    };
    let kind = match bytes[156] {
        b'0' | 0 if name.ends_with(b"/") => Kind::Directory,
        b'0' | 0 => Kind::File(content),
        b'1' => Kind::Link(target()),
        b'2' => Kind::Symlink(target()),
        b'3' => Kind::Char(device().0, device().1),
        b'4' => Kind::Block(device().0, device().1),
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        other => panic!("an entry of type {other:#x}"),
    };
    if kind == Kind::Directory && !name.ends_with(b"/") {
        name.push(b'/');
    }
    Entry { name, kind, meta }
}

/// A number in a header: octal digits with any padding, or binary.
fn number(field: &[u8]) -> i128 {
    if field[0] & 0x80 == 0 {
        let digits = String::from_utf8_lossy(field);
        let digits = digits.trim_matches([' ', '\0']);
        return match digits {
            "" => 0,
            _ => i128::from_str_radix(digits, 8).expect("a number in octal digits"),
        };
    }
    let sign = if field[0] & 0x40 == 0 { 0 } else { -1 };
    field[1..]
        .iter()
        .fold(sign, |number, byte| (number << 8) | i128::from(*byte))
}

#[test]
fn entries_are_read_as_they_are_written() {
    let long = "long/".repeat(30);
    let text = format!(
        "./(0700) a/ a/y=1 l->{long}t h=>a/y c(c260:70000) b(b8:1,0600) p(p,3:4) .wh.z {long} {long}f=1 {long}l->x \
         n\\x20m\\xff t(@-1.5) u(@-3) v(04755,4294967294:2097152,user.a=00ff0a,user.b=) w(@9999999999.123456789) m(@8589934592)"
    );
    let entries = super::entry::entries(&text);
    for dialect in [Dialect::Pax, Dialect::Gnu] {
        assert_eq!(read(&tar_in(dialect, &entries)), entries, "{dialect:?}");
    }
}
