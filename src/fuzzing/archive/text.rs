//! Archives from text, in which digests and sizes are right despite any mutation.
//!
//! ```text
//! =L aa/layer.tar         a layer; a line below is a file, or a folder
//! etc/
//! etc/hosts
//! =Z bb/layer.tar         the same, in gzip
//! etc/passwd
//! = @2.json               a file
//! {"rootfs": {"diff_ids": ["sha256:@0", "sha256:%1"]}}
//! =S cc/layer.tar         a symbolic link
//! ../aa/layer.tar
//! =H dd/layer.tar         a hard link
//! aa/layer.tar
//! =D ee/                  a folder
//! =T diff                 a tar-diff, for a delta; below it are its operations
//! ```
//!
//! `@N` is replaced by the hexadecimal digits of the digest of member N, counted from
//! 0, and `#N` by its size; `%N` and `$N` by those of its unpacked form, which is for a
//! tar-diff the tar that it makes: in the text and the names of later members. Above 9, N is a letter, `a` for 10. Flags may precede the
//! first `=`: `c` cuts off the end of the tar, and `z` compresses it with gzip.

use std::io::{Read, Write};
use std::sync::Arc;

use crate::digest::Digest;
use crate::fuzzing::support::entry::{Entry, Kind};
use crate::fuzzing::support::layer;
use crate::tar_diff::{OldFiles, Patched};

/// The most bytes that a tar-diff makes.
const MOST: u64 = 1 << 20;

/// A member to which later ones may refer.
struct Part {
    digest: String,
    unpacked: String,
    size: String,
    unpacked_size: String,
}

/// Makes the archive, with tar-diffs from these files; `None` if the text does not have
/// this form.
pub(in crate::fuzzing) fn tar(data: &[u8], old: &Arc<OldFiles>) -> Option<Vec<u8>> {
    let start = data.iter().take(3).position(|byte| *byte == b'=')?;
    let (flags, text) = data.split_at(start);
    if flags.iter().any(|flag| !matches!(flag, b'z' | b'c')) {
        return None;
    }
    let mut parts = Vec::new();
    let mut entries = Vec::new();
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let mut at = 0;
    while let Some(head) = lines.get(at) {
        at += 1;
        let body = lines[at..]
            .iter()
            .take_while(|line| !line.starts_with(b"="));
        let body: Vec<&[u8]> = body.copied().collect();
        at += body.len();
        entries.push(member(head, &body, &mut parts, old));
    }
    let mut tar = layer::tar(&entries);
    if flags.contains(&b'c') {
        tar.truncate(tar.len() - 1024);
    }
    if flags.contains(&b'z') {
        tar = gzip(&tar);
    }
    Some(tar)
}

fn member(head: &[u8], body: &[&[u8]], parts: &mut Vec<Part>, old: &Arc<OldFiles>) -> Entry {
    let (kind, name) = match head.iter().position(|byte| *byte == b' ') {
        Some(space) => (&head[..space], &head[space + 1..]),
        None => (head, &b""[..]),
    };
    let text = || expand(&body.join(&b'\n'), parts);
    let (kind, unpacked) = match kind {
        b"=L" => (Kind::File(of_names(body)), None),
        b"=Z" => {
            let layer = of_names(body);
            (Kind::File(gzip(&layer)), Some(layer))
        }
        b"=T" => {
            let diff = tar_diff(&body.join(&b'\n'));
            let made = applied(&diff, old);
            (Kind::File(diff), Some(made))
        }
        b"=S" => (Kind::Symlink(text()), None),
        b"=H" => (Kind::Link(text()), None),
        b"=D" => (Kind::Directory, None),
        _ => (Kind::File(text()), None),
    };
    let content: &[u8] = match &kind {
        Kind::File(content) => content,
        _ => &[],
    };
    let unpacked = unpacked.as_deref().unwrap_or(content);
    parts.push(Part {
        digest: Digest::of(content).hex().to_owned(),
        unpacked: Digest::of(unpacked).hex().to_owned(),
        size: content.len().to_string(),
        unpacked_size: unpacked.len().to_string(),
    });
    Entry::new(expand(name, parts), kind)
}

/// A layer with these names, files and folders.
fn of_names(names: &[&[u8]]) -> Vec<u8> {
    let names = names.iter().filter(|name| !name.is_empty());
    let entries = names.map(|name| {
        let kind = match name.last() {
            Some(b'/') => Kind::Directory,
            _ => Kind::File(b"x".to_vec()),
        };
        Entry::new(*name, kind)
    });
    layer::tar(&entries.collect::<Vec<_>>())
}

/// A tar-diff of the second version with these operations.
fn tar_diff(operations: &[u8]) -> Vec<u8> {
    let stream = zstd::encode_all(operations, 1).expect("memory takes everything");
    [b"tardf2\n\0".as_slice(), &stream].concat()
}

/// As much of the tar as a tar-diff makes.
fn applied(diff: &[u8], old: &Arc<OldFiles>) -> Vec<u8> {
    let mut made = Vec::new();
    if let Ok(patched) = Patched::new(diff, old.clone()) {
        // What was made before a fault is as good as any other content.
        let _ = patched.take(MOST).read_to_end(&mut made);
    }
    made
}

/// Replaces the references to members.
fn expand(text: &[u8], parts: &[Part]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        let number = match behind.first() {
            Some(digit @ b'0'..=b'9') => Some(digit - b'0'),
            Some(letter @ b'a'..=b'z') => Some(letter - b'a' + 10),
            _ => None,
        };
        let part = number.and_then(|number| parts.get(usize::from(number)));
        let value = match (byte, part) {
            (b'@', Some(part)) => &part.digest,
            (b'%', Some(part)) => &part.unpacked,
            (b'#', Some(part)) => &part.size,
            (b'$', Some(part)) => &part.unpacked_size,
            _ => {
                out.push(*byte);
                continue;
            }
        };
        out.extend_from_slice(value.as_bytes());
        rest = &behind[1..];
    }
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let because = "memory takes everything";
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect(because);
    encoder.finish().expect(because)
}
