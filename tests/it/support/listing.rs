//! A tar as text, one line per entry, for the golden files of archives.

use std::fmt::Write;
use std::fs;

use super::codec::{decompress, digest, hex};
use super::testdata;

/// Lists a tar: kind, mode, owner, mtime, path, then the link target or the size and digest.
///
/// Names are escaped, so that every entry is one line.
#[track_caller]
pub(crate) fn listing(tar: &[u8]) -> String {
    let mut text = String::new();
    let plain = decompress(tar);
    let mut archive = tar::Archive::new(plain.as_slice());
    for entry in archive.entries().expect("the tar can be read") {
        let mut entry = entry.expect("the tar can be read");
        let header = entry.header();
        let kind = char::from(match header.entry_type().as_byte() {
            0 | b'0' => b'f',
            b'1' => b'h',
            b'2' => b'l',
            b'5' => b'd',
            other => other,
        });
        let number = "a number in a header can be read";
        let mode = header.mode().expect(number);
        let uid = header.uid().expect(number);
        let gid = header.gid().expect(number);
        let mtime = header.mtime().expect(number);
        let path = entry.path_bytes().escape_ascii().to_string();
        write!(text, "{kind} {mode:04o} {uid}:{gid} {mtime} {path}").expect("text can grow");
        if let Some(target) = entry.link_name_bytes() {
            write!(text, " -> {}", target.escape_ascii()).expect("text can grow");
        } else if kind == 'f' {
            let mut content = Vec::new();
            std::io::copy(&mut entry, &mut content).expect("the entry can be read");
            let digest = digest(&content);
            write!(text, " {} {}", content.len(), hex(&digest)).expect("text can grow");
        }
        text.push('\n');
    }
    text
}

/// The names of a tar's entries, in their order.
#[track_caller]
pub(crate) fn names(tar: &[u8]) -> Vec<String> {
    let plain = decompress(tar);
    let mut archive = tar::Archive::new(plain.as_slice());
    let entries = archive.entries().expect("the tar can be read");
    entries
        .map(|entry| {
            let entry = entry.expect("the tar can be read");
            entry.path_bytes().escape_ascii().to_string()
        })
        .collect()
}

/// Compares with `testdata/golden/<name>`, or writes it when `UPDATE_EXPECT` is set.
#[track_caller]
pub(crate) fn assert_golden(name: &str, got: &str) {
    let path = testdata("golden").join(name);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::create_dir_all(testdata("golden")).expect("the directory can be made");
        fs::write(&path, got).expect("the golden can be written");
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "cannot read {}: {error}; UPDATE_EXPECT=1 makes it",
            path.display()
        )
    });
    assert_eq!(got, expected, "not as in {}", path.display());
}
