//! Deltas as a whole: the archive, the artifact in it, and its tar-diffs.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;

use serde_json::json;

use super::archive::text;
use super::archive::{Memory, assert_message, input, output, pipe};
use super::headers::check_repaired;
use super::support::entry::{Entry, Kind};
use super::support::layer;
use crate::digest::Digest;
use crate::format::{Format, Input};
use crate::ops::ConvertOptions;
use crate::session::Session;
use crate::tar_diff::OldFiles;

/// The files of the old image, in two layers.
const FILES: [(&str, &[u8]); 3] = [
    ("etc/a", b"0123456789"),
    ("etc/b", b"some content of a file"),
    ("c", b"x"),
];

/// Applies the bytes as a delta to a fixed image: unchanged and with repaired checksums,
/// or, if they are text with `=` at the start, the archive that
/// `src/fuzzing/archive/text.rs` makes of it. In the text, `~0` and `~1` are replaced by
/// the hexadecimal digits of the diff_ids of the old image, and `~2` by its id.
///
/// It fails with a message, or makes images whose configs are in the delta, and in which
/// every blob has the digest that names it. A delta is read from a pipe like from a file.
pub fn artifact(data: &[u8]) {
    let files = files();
    let tar = data.starts_with(b"=").then(|| with_digests(data));
    match tar.and_then(|text| text::tar(&text, &files)) {
        Some(tar) => check(&tar),
        None => check_repaired(data, check),
    }
}

fn check(delta: &[u8]) {
    let old = old_archive();
    let from_file = applied(input(&old), input(delta));
    let from_pipe = applied(input(&old), pipe(delta));
    assert!(from_file == from_pipe, "a pipe is read like a file");
    let Some(made) = from_file else {
        return;
    };
    let promised: BTreeSet<String> = contents(delta).iter().map(|it| hex(it)).collect();
    let mut tar = tar::Archive::new(made.as_slice());
    for entry in tar.entries().expect("it is a tar") {
        let mut entry = entry.expect("it is a tar");
        let path = entry.path_bytes().into_owned();
        let Some(name) = path
            .strip_prefix(b"blobs/sha256/")
            .filter(|it| it.len() == 64)
        else {
            continue;
        };
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("it is a tar");
        let digest = hex(&content);
        assert_eq!(name, digest.as_bytes(), "a blob has its digest");
        let value: Option<serde_json::Value> = serde_json::from_slice(&content).ok();
        if value.is_some_and(|it| it.get("rootfs").is_some()) {
            assert!(promised.contains(&digest), "the config was in the delta");
        }
    }
    let session = Session::new().jobs(1);
    let images = session.open(input(&made));
    let images = images.expect("what was made is accepted");
    let memory = Memory::default();
    let format = output(Format::OciArchive, &memory);
    let again = session.convert(&images, format, &ConvertOptions::default());
    again.expect("what was made is sound");
}

/// The images that a delta makes, if it can be applied.
fn applied(old: Input, delta: Input) -> Option<Vec<u8>> {
    let session = Session::new().jobs(1);
    let memory = Memory::default();
    let format = output(Format::OciArchive, &memory);
    let result = session.apply(old, delta, format, &ConvertOptions::default());
    match result {
        Ok(_) => Some(memory.take()),
        Err(error) => {
            assert_message(&error);
            None
        }
    }
}

/// The content of each member of a tar, as far as it can be read.
fn contents(tar: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut archive = tar::Archive::new(tar);
    for entry in archive.entries().into_iter().flatten().flatten() {
        let mut content = Vec::new();
        let size = entry.size().min(tar.len() as u64);
        // A truncated one has its digest, too.
        let _ = entry.take(size).read_to_end(&mut content);
        found.push(content);
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    Digest::of(bytes).hex().to_owned()
}

fn files() -> Arc<OldFiles> {
    super::tar_diff::files(&FILES).expect("there is a place for temporary files")
}

/// The old image.
struct Old {
    layers: [Vec<u8>; 2],
    config: Vec<u8>,
}

/// Replaces the names of digests of the old image.
fn with_digests(text: &[u8]) -> Vec<u8> {
    let Old { layers, config } = old();
    let [lower, upper] = layers;
    let digests = [lower, upper, config].map(|bytes| hex(&bytes));
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let number = after.first().and_then(|it| it.checked_sub(b'0'));
        let digest = number.and_then(|number| digests.get(usize::from(number)));
        if let Some(digest) = digest.filter(|_| *byte == b'~') {
            out.extend_from_slice(digest.as_bytes());
            rest = &after[1..];
        } else {
            out.push(*byte);
            rest = after;
        }
    }
    out
}

fn old() -> Old {
    let file = |(name, content): &(&str, &[u8])| Entry::new(*name, Kind::File(content.to_vec()));
    let layers = [&FILES[..2], &FILES[2..]].map(|files| {
        let entries: Vec<Entry> = files.iter().map(file).collect();
        layer::tar(&entries)
    });
    let diff_ids = layers.each_ref().map(|layer| Digest::of(layer).to_string());
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let config = config.to_string().into_bytes();
    Old { layers, config }
}

/// The old image, as an archive.
fn old_archive() -> Vec<u8> {
    let Old { layers, config } = old();
    let manifest = json!([{
        "Config": "config.json",
        "RepoTags": ["app:1"],
        "Layers": ["0.tar", "1.tar"],
    }]);
    let [lower, upper] = layers;
    let members = [
        ("config.json", config),
        ("0.tar", lower),
        ("1.tar", upper),
        ("manifest.json", manifest.to_string().into_bytes()),
    ];
    let members = members.map(|(name, content)| Entry::new(name, Kind::File(content)));
    layer::tar(&members)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// A seed that is refused would find little.
    #[test]
    fn the_handwritten_seeds_apply() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/artifact");
        for name in ["by_content", "frame", "own", "plain", "whole"] {
            let text = fs::read(folder.join(name)).expect("the seed is there");
            let tar = text::tar(&with_digests(&text), &files()).expect("it is text");
            assert!(
                applied(input(&old_archive()), input(&tar)).is_some(),
                "{name}"
            );
        }
    }
}
