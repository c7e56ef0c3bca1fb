//! What an output takes: blobs, then the index that makes them images.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::digest::{DiffId, Digest};
use crate::error::{Error, Place, Result};
use crate::event::Watch;
use crate::format::Format;
use crate::format::source::DockerPart;
use crate::image::{Descriptor, Document, Index, Reference, compact, new_index};
use crate::stream::Hashed;

/// Takes images. Nothing of them is visible before [`finish`](Self::finish), but
/// for what standard output has taken.
pub(crate) trait ImageSink: Sync {
    /// The format that is written.
    fn format(&self) -> Format;

    /// A folder on the output's file system in which blobs may become files
    /// before they are known, if the output can take files.
    fn staging(&self) -> Option<&Path> {
        None
    }

    /// Whether several blobs can be written at once.
    fn is_parallel(&self) -> bool {
        false
    }

    /// Whether it is written as it comes, so that what was not told of a blob before
    /// can only be written once the blob was kept elsewhere.
    fn is_stream(&self) -> bool {
        false
    }

    /// Sets places aside for blobs that will be written, in this order, so that they can
    /// be written at once. Says whether it did: an output that is written as it comes
    /// cannot, nor one on a file system without holes.
    fn reserve(&self, blobs: &[Hashed]) -> Result<bool> {
        let _ = blobs;
        Ok(false)
    }

    /// Takes the room on the disk for all that was reserved, so that a disk that is too
    /// small is noticed before anything is copied.
    fn take_room(&self) -> Result<()> {
        Ok(())
    }

    /// Whether this run has put a blob there already.
    fn has(&self, digest: &Digest) -> bool;

    /// Opens a blob that was there before this run, if it has the right size.
    fn held(&self, digest: &Digest, size: u64) -> Result<Option<fs::File>> {
        let _ = (digest, size);
        Ok(None)
    }

    /// Begins a blob, whose name and size may be known or not.
    fn begin_blob(&self, known: Option<&Hashed>) -> Result<Box<dyn BlobWriter + '_>>;

    /// Takes a file of the staging folder as a blob.
    fn adopt(&self, file: &Path, hashed: &Hashed) -> Result<()> {
        let _ = hashed;
        Err(Error::write(
            Place::Path(file.to_owned()),
            io::ErrorKind::Unsupported.into(),
        ))
    }

    /// Writes a small blob, unless it is there.
    fn put_document(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        if self.has(digest) {
            return Ok(());
        }
        let hashed = Hashed {
            digest: digest.clone(),
            size: bytes.len() as u64,
        };
        let mut writer = self.begin_blob(Some(&hashed))?;
        writer
            .write_all(bytes)
            .map_err(|error| Error::write(self.place(), error))?;
        writer.finish(&hashed)
    }

    /// Says what the blobs are. Where the output is a stream it is written at
    /// this place, so that a reader who gets it first can do with one pass.
    fn put_index(&self, index: &OutputIndex) -> Result<()>;

    /// Makes everything visible.
    fn finish(self: Box<Self>, watch: &Watch<'_>) -> Result<()>;

    /// What a message calls the output.
    fn place(&self) -> Place;
}

/// Takes the bytes of one blob.
#[must_use = "a blob is only there after `finish`"]
pub(crate) trait BlobWriter: Write {
    /// What a message calls the place where the bytes go.
    fn place(&self) -> Place;

    /// Takes the next bytes from a file, `size` of them from `start` on, without their
    /// passing through this process. Returns how many it took: none where that is not
    /// possible, so that they have to be written.
    fn copy_from(&mut self, file: &fs::File, start: u64, size: u64) -> u64 {
        let _ = (file, start, size);
        0
    }

    /// Becomes a copy of a whole file which shares its bytes with it, if the file system
    /// can do that, and opens the copy for reading. Nothing was written before.
    fn share(&mut self, file: &fs::File) -> Option<fs::File> {
        let _ = file;
        None
    }

    /// Ends the blob, whose name and size are known now.
    fn finish(self: Box<Self>, hashed: &Hashed) -> Result<()>;
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
        if base.view().manifests == descriptors {
            return Ok(base.bytes().to_vec());
        }
        let manifests: Vec<_> = descriptors.iter().map(Descriptor::to_json).collect();
        let edited = base.edit(|value| value["manifests"] = manifests.into());
        let edited = edited.map_err(|source| Error::Document {
            what: "`index.json`".to_owned(),
            source,
        })?;
        Ok(edited.bytes().to_vec())
    }
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
    /// The config.
    pub config: Digest,
    /// The layers, the lowest first.
    pub layers: Vec<OutputLayer>,
}

/// A layer, as `manifest.json` describes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OutputLayer {
    /// What it unpacks to.
    pub diff_id: DiffId,
    /// The blob.
    pub digest: Digest,
    /// The descriptor of a layer that is not in the archive, as JSON.
    pub source: Option<String>,
}
