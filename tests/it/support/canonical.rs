//! Properties of every layer and every rootfs tar that `restow` writes.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{Entry, Kind, Meta, SECOND, is_marker};
use super::layer::{read, read_pax};
use super::naive::{Tree, is_inside};

/// The largest owner that fits into a header.
const OCTAL_ID: u64 = 0o7_777_777;

/// The largest time in seconds that fits into a header.
const OCTAL_TIME: i128 = 0o77_777_777_777;

/// Checks the bytes of a tar: one dialect, no names of owners, records only where they are needed.
#[track_caller]
pub(crate) fn assert_bytes(tar: &[u8]) {
    assert_eq!(tar.len() % 512, 0, "whole blocks");
    let mut records: Option<Vec<(String, Vec<u8>)>> = None;
    let mut entries = read(tar).into_iter();
    let mut rest = tar;
    while rest.len() > 1024 {
        let (header, behind) = rest.split_at(512);
        let name = header[..100].escape_ascii();
        assert_eq!(&header[257..265], b"ustar\x0000", "{name}: magic");
        assert_eq!(header[265..329], [0; 64], "{name}: names of the owner");
        let size = number(&header[124..136]);
        let (content, behind) = behind.split_at(size.next_multiple_of(512));
        assert!(content[size..].iter().all(|it| *it == 0), "{name}: padding");
        rest = behind;
        if header[156] == b'x' {
            assert_eq!(records, None, "{name}: records twice");
            records = Some(read_pax(&content[..size]));
            continue;
        }
        let entry = entries.next().expect("the readers agree");
        assert!((b'0'..=b'6').contains(&header[156]), "{name}: type");
        assert!(number(&header[100..108]) <= 0o7777, "{name}: mode");
        if !matches!(entry.kind, Kind::Char(..) | Kind::Block(..)) {
            let device = [number(&header[329..337]), number(&header[337..345])];
            assert_eq!(device, [0, 0], "{name}: device");
        }
        assert_records(&entry, records.take().as_deref());
    }
    assert_eq!(
        rest, [0; 1024],
        "two blocks of zeros end the tar, and nothing is behind them"
    );
}

/// A number in a header that `restow` wrote: digits, then a NUL.
#[track_caller]
fn number(field: &[u8]) -> usize {
    let digits = std::str::from_utf8(field).expect("digits");
    let digits = digits.trim_end_matches(['\0', ' ']);
    usize::from_str_radix(digits, 8).unwrap_or_else(|_| panic!("`{digits}` is not octal"))
}

#[track_caller]
fn assert_records(entry: &Entry, records: Option<&[(String, Vec<u8>)]>) {
    let word = entry.shown();
    let Some(records) = records else { return };
    let keys: Vec<&str> = records.iter().map(|(key, _)| key.as_str()).collect();
    assert!(!keys.is_empty(), "{word}: records without any");
    assert!(keys.is_sorted(), "{word}: {keys:?} are sorted");
    let target = match &entry.kind {
        Kind::Link(target) | Kind::Symlink(target) => target.len(),
        _ => 0,
    };
    // A record is UTF-8 unless it is declared not to be.
    let value = |key: &str| {
        records
            .iter()
            .find(|it| it.0 == key)
            .map(|it| it.1.as_slice())
    };
    let names = [value("path"), value("linkpath")].into_iter().flatten();
    let is_binary = names.map(str::from_utf8).any(|it| it.is_err());
    let charset = value("hdrcharset");
    assert_eq!(
        charset,
        is_binary.then_some(b"BINARY".as_slice()),
        "{word}: charset"
    );
    let Meta {
        uid, gid, mtime, ..
    } = entry.meta;
    for key in keys {
        let is_needed = match key {
            "hdrcharset" => is_binary,
            "path" => !fits(&entry.name),
            "linkpath" => target > 100,
            "uid" => uid > OCTAL_ID,
            "gid" => gid > OCTAL_ID,
            "mtime" => mtime < 0 || mtime % SECOND != 0 || mtime / SECOND > OCTAL_TIME,
            _ => key.starts_with("SCHILY.xattr."),
        };
        assert!(is_needed, "{word}: `{key}`");
    }
}

/// Returns true if a name fits into a ustar header: 100 bytes, and 155 of directories before a
/// slash.
fn fits(name: &[u8]) -> bool {
    let slashes = name.iter().enumerate().filter(|(_, it)| **it == b'/');
    let mut rests = slashes.map(|(at, _)| (at, name.len() - at - 1));
    name.len() <= 100
        || rests.any(|(at, rest)| (1..=155).contains(&at) && (1..=100).contains(&rest))
}

/// Checks the entries of a tar: each occurs once, and after those that it needs.
///
/// `below` is the tree under the layer; `None` for a tar that is unpacked into an empty directory,
/// which has no markers and an entry for each directory.
#[track_caller]
pub(crate) fn assert_entries(entries: &[Entry], below: Option<&Tree>) {
    let mut seen: BTreeMap<&[u8], &Entry> = BTreeMap::new();
    let mut opaque: BTreeSet<&[u8]> = BTreeSet::new();
    let names: BTreeSet<&[u8]> = entries.iter().map(path).collect();
    let mut last: Option<(&[u8], &[u8])> = None;
    for entry in entries {
        let path = path(entry);
        let word = entry.shown();
        let is_clean = path.is_empty()
            || path
                .split(|it| *it == b'/')
                .all(|it| !matches!(it, b"" | b"." | b".."));
        assert!(is_clean, "{word}: clean names only");
        assert!(seen.insert(path, entry).is_none(), "{word}: each path once");
        for (parent, _) in path.iter().enumerate().filter(|(_, it)| **it == b'/') {
            let parent = &path[..parent];
            let is_there = seen.contains_key(parent);
            assert!(
                is_there || !names.contains(parent),
                "{word}: behind its directory"
            );
            assert!(
                is_there || below.is_some(),
                "{word}: every directory is written"
            );
        }
        if let Kind::Link(target) = &entry.kind {
            let first = seen.get(target.as_slice());
            let first = first.unwrap_or_else(|| panic!("{word}: behind its target"));
            let is_first = !matches!(first.kind, Kind::Link(_) | Kind::Directory);
            assert!(is_first, "{word}: the target is the first name");
            assert_eq!(first.meta, entry.meta, "{word}: as its target");
        }
        assert!(
            !matches!(entry.kind, Kind::Char(0, 0)),
            "{word}: no such device"
        );
        if !is_marker(&entry.name) {
            last = None;
            continue;
        }
        let below = below.unwrap_or_else(|| panic!("{word}: a marker above nothing"));
        let zero = Meta {
            mode: 0,
            ..Meta::implied()
        };
        assert_eq!(
            (&entry.kind, &entry.meta),
            (&Kind::File(Vec::new()), &zero),
            "{word}"
        );
        let end = path.iter().rposition(|it| *it == b'/');
        let (directory, name) = end.map_or((b"".as_slice(), path), |end| {
            (&path[..end], &path[end + 1..])
        });
        let is_hidden = opaque
            .iter()
            .any(|it| directory == *it || is_inside(directory, it));
        assert!(!is_hidden, "{word}: in an opaque directory");
        if name == b".wh..wh..opq" {
            assert!(!directory.is_empty(), "{word}: at the root");
            assert!(below.has_children(directory), "{word}: hides nothing");
            opaque.insert(directory);
        } else {
            let removed = [&path[..path.len() - name.len()], &name[4..]].concat();
            assert!(below.has(&removed), "{word}: removes nothing");
            assert!(
                !names.contains(removed.as_slice()),
                "{word}: and what it removes"
            );
        }
        if let Some((other, before)) = last {
            assert!(
                other != directory || before < name,
                "{word}: markers are sorted"
            );
        } else {
            let other = seen
                .keys()
                .find(|it| is_inside(it, directory) && **it != path);
            assert_eq!(other, None, "{word}: markers come first in their directory");
        }
        last = Some((directory, name));
    }
}

/// The path of an entry: its name without slashes at the ends, empty for the root.
fn path(entry: &Entry) -> &[u8] {
    let name = entry.name.strip_suffix(b"/").unwrap_or(&entry.name);
    if name == b"." { b"" } else { name }
}

/// Checks that the order of files is that of their content in the input, which begins with
/// `LAYER.ENTRY `.
#[track_caller]
pub(crate) fn assert_order(entries: &[Entry]) {
    let places = entries.iter().filter_map(|entry| {
        let Kind::File(content) = &entry.kind else {
            return None;
        };
        let text = std::str::from_utf8(content).expect("the content is text");
        let (layer, number) = text.split(' ').next()?.split_once('.')?;
        let parse = |it: &str| it.parse::<usize>().expect("a number");
        Some((parse(layer), parse(number)))
    });
    let places: Vec<_> = places.collect();
    assert!(
        places.is_sorted(),
        "content is read once, in sequence: {places:?}"
    );
}
