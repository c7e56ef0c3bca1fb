//! One layer: a hostile tar, read and rewritten.

use std::io::Write;
use std::sync::Arc;

use super::headers::check_repaired;
use super::merging::{SIZE_MAX, merged_whole};
use crate::event::Watch;
use crate::layer::{
    Entry, EntryKind, EntrySink, LayerError, LayerReader, LayerWriter, NodeKind, Whiteout,
};
use crate::stream::{CopyError, FileSlice};
use crate::tar_stream::{Section, Skip, SkipByReading};

/// Uses the bytes as a layer, unchanged and with repaired checksums.
///
/// Content is skipped in a stream as in a file. An accepted layer is written
/// canonically, reads back the same with its content, and is then written to the same
/// bytes; so is the result of a merge.
pub fn layer(data: &[u8]) {
    check_repaired(data, check);
}

fn check(tar: &[u8]) {
    let streamed = headers(LayerReader::new(SkipByReading(tar), Arc::default()));
    let sought = headers(LayerReader::new(section(tar), Arc::default()));
    assert_eq!(streamed, sought, "a stream and a file are read alike");
    if let Ok(first) = streamed.map(|_| rewritten(tar)) {
        let Ok(Some((tar, entries))) = first else {
            return;
        };
        let second = rewritten(&tar);
        let (again, entries_again) = second
            .expect("what was written can be read")
            .expect("it is no longer than it was");
        assert_eq!(
            entries_again, entries,
            "what was written reads back the same"
        );
        assert!(again == tar, "what was written is canonical");
    }
    check_merge(tar);
}

/// Checks the merge of the layer.
fn check_merge(tar: &[u8]) {
    let Ok(made) = merged_whole(&[tar.to_vec()]) else {
        return;
    };
    if !made.is_empty() {
        let again = merged_whole(std::slice::from_ref(&made));
        let again = again.expect("what was merged can be merged");
        assert!(again == made, "a merge of what was merged is the same");
    }
}

/// All entries, or the reason why they cannot be read.
fn headers<R: Skip>(mut reader: LayerReader<R>) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry().map_err(|error| error.to_string())? {
        entries.push(entry);
        assert_eq!(entries.len(), reader.interpreter().position() as usize);
    }
    Ok(entries)
}

fn section(tar: &[u8]) -> Section {
    let mut file = tempfile::tempfile().expect("there is a place for temporary files");
    file.write_all(tar).expect("there is room for it");
    Section::new(FileSlice::from(file, 0).expect("it has a size"))
}

/// Rewrites the entries with their content, and also returns them; `None` if that would
/// be too long.
#[expect(clippy::type_complexity, reason = "it is used once")]
fn rewritten(tar: &[u8]) -> Result<Option<(Vec<u8>, Vec<Entry>)>, LayerError> {
    let because = "memory takes everything";
    let interrupt = Arc::default();
    let watch = Watch::new(&|_| (), &interrupt);
    let mut reader = LayerReader::new(SkipByReading(tar), Arc::default());
    let mut writer = LayerWriter::new(Vec::new());
    let mut entries = Vec::new();
    let mut left = SIZE_MAX;
    while let Some(entry) = reader.next_entry()? {
        let (path, metadata) = (entry.path.as_bytes(), &entry.metadata);
        let node = match &entry.kind {
            EntryKind::Directory | EntryKind::Whiteout(Whiteout::AufsDirectory) => {
                writer.directory(path, metadata).expect(because);
                None
            }
            EntryKind::HardLink(target) => {
                let written = writer.hard_link(path, target.as_bytes(), metadata);
                written.expect(because);
                None
            }
            EntryKind::Node(kind) => Some(kind.clone()),
            EntryKind::Whiteout(Whiteout::AufsFile(size)) => Some(NodeKind::File(*size)),
            // It is written like any other whiteout.
            EntryKind::Whiteout(Whiteout::Device) => continue,
            EntryKind::Whiteout(Whiteout::Name(_) | Whiteout::Opaque | Whiteout::Invalid) => {
                Some(NodeKind::File(0))
            }
        };
        if let Some(kind) = node {
            writer.node(path, &kind, metadata).expect(because);
            if let NodeKind::File(size @ 1..) = kind {
                let Some(rest) = left.checked_sub(size) else {
                    return Ok(None);
                };
                left = rest;
                match reader.copy_content(writer.content(), &watch) {
                    Ok(copied) => assert_eq!(copied, size, "a file has its size"),
                    Err(CopyError::Read(_)) => return Ok(None),
                    Err(error) => panic!("{because}: {error:?}"),
                }
                writer.end_of_content(size).expect(because);
            }
        }
        entries.push(entry);
    }
    Ok(Some((writer.finish().expect(because), entries)))
}
