//! What an output takes: blobs, then the index that makes them images.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use crate::digest::{DiffId, Digest};
use crate::error::{Error, Place, Result};
use crate::event::Watch;
use crate::format::source::DockerPart;
use crate::format::{Blob, Format};
use crate::image::{Descriptor, Document, Index, Reference, compact, new_index};
use crate::stream::{Hashed, ProgressReader, TeeReader, copy};

/// The ways in which outputs take what they are given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OutputKind<'a> {
    /// A folder: it takes blobs in any order and several at once.
    Folder {
        /// A folder on its file system. A file there can become a blob by being moved.
        staging: &'a Path,
    },
    /// A file, in which the header of a blob can be written after its bytes.
    File,
    /// A stream. What was not told of a blob before can only be written once the blob was
    /// kept elsewhere.
    Stream,
}

/// The answer of an output about a blob.
#[derive(Debug)]
pub(crate) enum Held {
    /// It does not have it.
    Absent,
    /// This run has put it there.
    Written,
    /// A blob of this name and size was there before this run.
    Before(File),
}

/// Takes images. Nothing of them is visible before [`finish`](Self::finish), but
/// for what standard output has taken.
pub(crate) trait ImageSink: Sync {
    fn format(&self) -> Format;

    /// What a message calls the output.
    fn place(&self) -> Place;

    /// How it takes what it is given.
    fn kind(&self) -> OutputKind<'_>;

    /// Looks for a blob.
    fn find(&self, blob: &Hashed) -> Result<Held>;

    /// Sets places aside for blobs that will be written, in this order, so that they can
    /// be written at once, and says whether it did: a stream cannot, nor a file on a file
    /// system without holes. `preallocate` has it take the room for them on the disk, so
    /// that a disk that is too small is noticed before anything is copied.
    fn reserve(&self, blobs: &[Hashed], preallocate: bool) -> Result<bool> {
        let _ = (blobs, preallocate);
        Ok(false)
    }

    /// Takes a blob that need not be looked at, in the cheapest way that there is from
    /// where it is, and releases it. A message calls it `from`.
    fn put(&self, blob: Blob<'_>, hashed: &Hashed, from: &Place, watch: &Watch<'_>) -> Result<()>;

    /// Begins a blob, whose name and size may be known or not.
    fn begin_blob(&self, known: Option<&Hashed>) -> Result<Box<dyn BlobWriter + '_>>;

    /// Whether the documents belong in front of the blobs, where all that they say of
    /// these is known: in an archive, as long as it holds none, so that a reader who gets
    /// them first can do with one pass.
    fn takes_documents_first(&self) -> bool {
        false
    }

    /// Takes all documents: the index that says what the blobs are, and those that are
    /// blobs themselves.
    fn put_documents(&self, index: &OutputIndex, documents: Documents) -> Result<()>;

    /// Makes everything visible.
    fn finish(self: Box<Self>, watch: &Watch<'_>) -> Result<()>;
}

impl dyn ImageSink + '_ {
    /// The folder in which members of a stream may become files before they are known,
    /// if the output can take files.
    pub(crate) fn staging(&self) -> Option<&Path> {
        match self.kind() {
            OutputKind::Folder { staging } => Some(staging),
            OutputKind::File | OutputKind::Stream => None,
        }
    }
}

/// Takes the bytes of one blob.
#[must_use = "a blob is only there after `finish`"]
pub(crate) trait BlobWriter: Write {
    /// What a message calls the place where the bytes go.
    fn place(&self) -> Place;

    /// Copies a blob that need not be looked at. A message calls it `from`.
    fn fill(&mut self, blob: &Blob<'_>, from: &Place, watch: &Watch<'_>) -> Result<()> {
        let stream = blob
            .open()
            .map_err(|error| error.while_reading(from.clone()))?;
        copy_in(stream, self, from, watch)
    }

    /// Becomes a copy of a whole file which shares its bytes with it, if the file system
    /// can do that, and opens the copy for reading. Nothing was written before.
    fn share(&mut self, file: &File) -> Option<File> {
        let _ = file;
        None
    }

    /// Ends the blob, whose name and size are known now.
    fn finish(self: Box<Self>, hashed: &Hashed) -> Result<()>;
}

/// Manifests, indexes and configs, which are blobs too, by their digests.
pub(crate) type Documents = Vec<(Digest, Vec<u8>)>;

/// Copies a stream into a blob.
pub(super) fn copy_in<W: BlobWriter + ?Sized>(
    stream: impl Read,
    mut writer: &mut W,
    from: &Place,
    watch: &Watch<'_>,
) -> Result<()> {
    let mut stream = TeeReader::new(ProgressReader::new(stream, *watch));
    let copied = copy(&mut stream, &mut writer, watch);
    copied.map_err(|error| Error::copy(from.clone(), writer.place(), error))?;
    Ok(())
}

/// Writes blobs that are in memory.
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

/// All roots of an output.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutputIndex {
    /// In their order.
    pub roots: Vec<OutputRoot>,
    /// The index of the input, whose other fields stay.
    pub base: Option<Document<Index>>,
    /// The documents of the input for engines with a graph driver, of which as much stays
    /// as is still true.
    pub docker: Option<DockerPart>,
}

impl OutputIndex {
    /// The bytes of `index.json`: those of the input's if nothing changed.
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

/// The bytes of an `index.json` that lists these: its own if nothing changed.
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

/// One thing that an output holds, under one name or under none.
#[derive(Clone, Debug)]
pub(crate) struct OutputRoot {
    /// Its descriptor, with its names as annotations.
    pub descriptor: Descriptor,
    /// Its name, where that is a reference with a tag.
    pub reference: Option<Reference>,
    /// The image that `manifest.json` names for it: itself, or of an index the one for
    /// engines that take one platform.
    pub image: Option<OutputImage>,
}

/// An image, as `manifest.json` describes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OutputImage {
    pub config: Digest,
    /// The layers, the lowest first.
    pub layers: Vec<OutputLayer>,
}

/// A layer, as `manifest.json` describes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OutputLayer {
    /// What it unpacks to.
    pub diff_id: DiffId,
    pub digest: Digest,
    /// The descriptor of a layer that is not in the archive, as JSON.
    pub source: Option<String>,
}
