//! The interface of outputs: blobs, then the index that makes them images.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;

use crate::digest::{DiffId, Digest};
use crate::error::{Error, Place, Result};
use crate::event::Watch;
use crate::format::source::DockerPart;
use crate::format::{Blob, Format};
use crate::image::{Descriptor, Document, Index, Reference, compact, new_index};
use crate::stream::{COPY_BUFFER, Hashed, ProgressReader, copy};

/// The ways in which outputs store data.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OutputKind<'a> {
    /// A folder: it accepts blobs in any order and several in parallel.
    Folder {
        /// A folder on its file system. A file there can be moved to become a blob.
        staging: &'a Path,
    },
    /// A file, in which the header of a blob can be written after its bytes.
    File,
    /// A stream. A blob with unknown properties must first be stored elsewhere.
    Stream,
}

/// The state of a blob in an output.
#[derive(Debug)]
pub(crate) enum Held {
    /// The output does not have it.
    Absent,
    /// This run has written it.
    Written,
    /// The output had a blob with this name and size before this run.
    Before(File),
}

/// An output of images. They are not visible before [`finish`](Self::finish), except
/// for data that was already written to standard output.
pub(crate) trait ImageSink: Sync {
    fn format(&self) -> Format;

    /// The name of the output in messages.
    fn place(&self) -> Place;

    /// The way in which it stores data.
    fn kind(&self) -> OutputKind<'_>;

    /// True if it is compressed as a whole.
    fn is_compressed(&self) -> bool {
        false
    }

    /// Looks for a blob.
    fn find(&self, blob: &Hashed) -> Result<Held>;

    /// Reserves room for blobs that will be written, in this order, so that they can be
    /// written in parallel. Returns false if that is not possible: for a stream, and
    /// for a file on a file system without holes. `preallocate` also allocates the
    /// space on disk, so that a lack of space is noticed before anything is copied.
    fn reserve(&self, blobs: &[Hashed], preallocate: bool) -> Result<bool> {
        let _ = (blobs, preallocate);
        Ok(false)
    }

    /// Stores a blob that need not be read, in the cheapest way that its place permits,
    /// and releases it. `from` is its name in messages.
    fn put(&self, blob: Blob<'_>, hashed: &Hashed, from: &Place, watch: &Watch<'_>) -> Result<()>;

    /// Begins a blob, whose name and size need not be known.
    fn begin_blob(&self, known: Option<&Hashed>) -> Result<Box<dyn BlobWriter + '_>>;

    /// True if the documents precede the blobs, provided that everything in them is
    /// known: in an archive, as long as it has none, so that a reader that gets them
    /// first needs only one pass.
    fn takes_documents_first(&self) -> bool {
        false
    }

    /// Stores all documents: the index that describes the blobs, and those that are
    /// blobs themselves.
    fn put_documents(&self, index: &OutputIndex, documents: Documents) -> Result<()>;

    /// Makes everything visible. Returns the names that the output did not give.
    fn finish(self: Box<Self>, watch: &Watch<'_>) -> Result<Vec<WithheldName>>;
}

impl dyn ImageSink + '_ {
    /// The folder in which members of a stream may become files before they are
    /// identified, if the output can contain files.
    pub(crate) fn staging(&self) -> Option<&Path> {
        match self.kind() {
            OutputKind::Folder { staging } => Some(staging),
            OutputKind::File | OutputKind::Stream => None,
        }
    }
}

/// A writer of one blob's bytes.
#[must_use = "a blob is only there after `finish`"]
pub(crate) trait BlobWriter: Write {
    /// The name of the destination in messages.
    fn place(&self) -> Place;

    /// Becomes a copy of a whole file that shares its bytes, if the file system
    /// supports it, and opens the copy for reading. Nothing may have been written
    /// before.
    fn share(&mut self, file: &File) -> Option<File> {
        let _ = file;
        None
    }

    /// Completes the blob, whose name and size are known now.
    fn finish(self: Box<Self>, hashed: &Hashed) -> Result<()>;
}

/// Manifests, indexes and configs, which are blobs too, by their digests.
pub(crate) type Documents = Vec<(Digest, Vec<u8>)>;

/// Copies a blob that need not be verified. `from` is its name in messages.
///
/// The system could copy between files, too, but took longer for it (Linux 6.18, ext4,
/// 1.75 GB into allocated space: 0.6 s for `copy_file_range`, 0.4 s for this), and cannot
/// share bytes between positions that differ within a block.
pub(super) fn copy_in(
    blob: &Blob<'_>,
    mut writer: &mut dyn BlobWriter,
    from: &Place,
    watch: &Watch<'_>,
) -> Result<()> {
    let stream = blob
        .open()
        .map_err(|error| error.while_reading(from.clone()))?;
    let stream = ProgressReader::new(stream, *watch);
    let mut stream = BufReader::with_capacity(COPY_BUFFER, stream);
    let copied = copy(&mut stream, &mut writer, watch);
    copied.map_err(|error| Error::copy(from.clone(), writer.place(), error))?;
    Ok(())
}

/// Writes blobs from memory.
pub(super) fn put_all(sink: &dyn ImageSink, documents: Documents) -> Result<()> {
    for (digest, bytes) in documents {
        let size = bytes.len() as u64;
        let hashed = Hashed { digest, size };
        let mut writer = sink.begin_blob(Some(&hashed))?;
        let written = writer.write_all(&bytes);
        written.map_err(|error| Error::write(sink.place(), error))?;
        writer.finish(&hashed)?;
    }
    Ok(())
}

/// A name that a root should have had, and that stays with an image of the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WithheldName {
    /// The name.
    pub name: String,
    /// The digest of the root.
    pub digest: Digest,
}

/// All roots of an output.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutputIndex {
    /// In their order.
    pub roots: Vec<OutputRoot>,
    /// The index of the input, whose other fields are kept.
    pub base: Option<Document<Index>>,
    /// The input's documents for engines with a graph driver, which are kept as far as
    /// they are still true.
    pub docker: Option<DockerPart>,
}

impl OutputIndex {
    /// The bytes of `index.json`: unchanged if nothing differs from the input.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>> {
        let descriptors: Vec<_> = self
            .roots
            .iter()
            .map(|root| root.descriptor.clone())
            .collect();
        let Some(base) = &self.base else {
            return Ok(compact(&new_index(&descriptors)));
        };
        with_manifests(base, &descriptors)
    }
}

/// The bytes of an `index.json` that lists these; unchanged if it already does.
pub(super) fn with_manifests(
    index: &Document<Index>,
    descriptors: &[Descriptor],
) -> Result<Vec<u8>> {
    if index.view().manifests == descriptors {
        return Ok(index.bytes().to_vec());
    }
    let manifests: Vec<_> = descriptors.iter().map(Descriptor::to_json).collect();
    let edited = index.edit(|value| value["manifests"] = manifests.into());
    let edited = edited.map_err(|source| Error::document("`index.json`", source))?;
    Ok(edited.bytes().to_vec())
}

/// One thing in an output, under one name or under none.
#[derive(Clone, Debug)]
pub(crate) struct OutputRoot {
    /// Its descriptor, with its names as annotations.
    pub descriptor: Descriptor,
    /// Its name, if that is a reference with a tag.
    pub reference: Option<Reference>,
    /// The image that `manifest.json` names for it: itself, or for an index the one for
    /// engines that use one platform.
    pub image: Option<OutputImage>,
}

/// An image in `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OutputImage {
    pub config: Digest,
    /// The layers, the lowest first.
    pub layers: Vec<OutputLayer>,
}

/// A layer in `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OutputLayer {
    /// Its diff_id.
    pub diff_id: DiffId,
    pub digest: Digest,
    /// The descriptor of a layer that is not in the archive, as JSON.
    pub source: Option<String>,
}
