//! Comparison of trees: with each other, and with those in `testdata/expected`.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::codec::{digest, hex};
use super::entry::{Entry, Kind, SECOND, to_hex};
use super::naive::Tree;

/// The parts that two trees must have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// Everything.
    All,
    /// Everything except the times of directories for which no layer has an entry.
    DefinedOnly,
}

/// The differences between two trees, one per line; empty if they are equal.
pub(crate) fn difference(expected: &Tree, got: &Tree, strictness: Strictness) -> String {
    let (mut ours, mut theirs) = (expected.entries(), got.entries());
    if strictness == Strictness::DefinedOnly {
        for path in expected.implied() {
            if let (Some(ours), Some(theirs)) = (ours.get_mut(path), theirs.get_mut(path)) {
                theirs.meta.mtime = ours.meta.mtime;
            }
        }
    }
    let mut text = String::new();
    for (path, entry) in &ours {
        match theirs.remove(path) {
            Some(other) if other == *entry => {}
            Some(other) => {
                let _ = writeln!(text, "expected {}, got {}", entry.word(), other.word());
            }
            None => {
                let _ = writeln!(text, "expected {}, got nothing", entry.word());
            }
        }
    }
    for entry in theirs.values() {
        let _ = writeln!(text, "expected nothing, got {}", entry.word());
    }
    text
}

/// Fails if two trees differ.
#[track_caller]
pub(crate) fn assert_same(expected: &Tree, got: &Tree, strictness: Strictness, what: impl Display) {
    let difference = difference(expected, got, strictness);
    assert!(difference.is_empty(), "{what}:\n{difference}");
}

/// The content of a file of `testdata/expected`, by path.
#[track_caller]
pub(crate) fn expected(lines: &str) -> BTreeMap<String, Value> {
    let line = |line: &str| -> (String, Value) {
        serde_json::from_str(line).expect("a line is a path and what is there")
    };
    lines.lines().map(line).collect()
}

/// The content of such a file for a tree: without implied directories, and with times in whole
/// seconds.
pub(crate) fn facts(tree: &Tree) -> BTreeMap<String, Value> {
    let implied = tree.implied();
    let entries = tree.entries();
    let explicit = entries.iter().filter(|(path, _)| !implied.contains(path));
    explicit
        .map(|(path, entry)| {
            let names = tree.names_of(path);
            let first = names.first().expect("it has this name at least");
            let facts = facts_of(entry, &entries[first.as_slice()], &names);
            (escaped(path), facts)
        })
        .collect()
}

fn facts_of(entry: &Entry, first: &Entry, names: &[&Vec<u8>]) -> Value {
    let meta = &entry.meta;
    let xattrs = meta.xattrs.iter();
    let xattrs: Map<String, Value> = xattrs
        .map(|(name, value)| (name.clone(), json!(to_hex(value))))
        .collect();
    let mut facts = json!({
        "mode": meta.mode,
        "uid": meta.uid,
        "gid": meta.gid,
        "mtime": i64::try_from(meta.mtime.div_euclid(SECOND)).expect("a time is not so far away"),
        "xattr": xattrs,
    });
    let mut add = |key: &str, value: Value| facts[key] = value;
    let letter = match &first.kind {
        Kind::Directory => "d",
        Kind::File(content) => {
            add("size", json!(content.len()));
            add("sha", json!(hex(&digest(content))));
            "f"
        }
        Kind::Symlink(target) => {
            add("to", json!(escaped(target)));
            "l"
        }
        Kind::Char(major, minor) => {
            add("dev", json!([major, minor]));
            "c"
        }
        Kind::Block(major, minor) => {
            add("dev", json!([major, minor]));
            "b"
        }
        Kind::Fifo => "p",
        Kind::Link(_) => unreachable!("the first name is no link"),
    };
    add("type", json!(letter));
    if names.len() > 1 {
        add("links", names.iter().map(|it| json!(escaped(it))).collect());
    }
    facts
}

/// A name as text: bytes that are not UTF-8 are written as `\xNN`.
pub(crate) fn escaped(name: &[u8]) -> String {
    name.utf8_chunks().fold(String::new(), |mut text, chunk| {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
        text
    })
}

/// The path of an entry in JSON output, without the slash at its start.
#[track_caller]
pub(crate) fn path_of(entry: &Value) -> Vec<u8> {
    let bytes = match entry["path_base64"].as_str() {
        Some(base64) => STANDARD.decode(base64).expect("it is base64"),
        None => entry["path"].as_str().expect("it has a path").into(),
    };
    bytes[1..].to_vec()
}
