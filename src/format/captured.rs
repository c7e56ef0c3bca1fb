//! An output that is not written anywhere: its documents stay in memory, and its blobs in
//! a temporary file.

use std::collections::HashMap;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::digest::Digest;
use crate::error::{Error, Place, Result};
use crate::event::Watch;
use crate::format::archive_sink::index_documents;
use crate::format::sink::{
    BlobWriter, Documents, Held, ImageSink, OutputIndex, OutputKind, WithheldName, copy_in,
};
use crate::format::{Blob, Format};
use crate::stream::{FileSlice, GrowingFile, Hashed, spool_in};

/// The documents that describe the blobs, by their paths.
pub(crate) type ControlFiles = Vec<(&'static str, Vec<u8>)>;

/// An archive as it would be written.
#[derive(Debug)]
pub(crate) struct CapturedSink {
    format: Format,
    directory: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    spool: GrowingFile,
    /// The end of the last whole blob.
    end: u64,
    /// The places of blobs in the temporary file.
    blobs: HashMap<Digest, (u64, u64)>,
    index: Option<OutputIndex>,
    documents: Documents,
}

impl CapturedSink {
    /// Begins an archive in one of the two formats that are a tar, with its blobs in this
    /// folder.
    pub(crate) fn create(format: Format, directory: PathBuf) -> Result<Self> {
        let spool = spool_in(&directory);
        let spool = spool.map_err(|error| Error::write(Place::Temporary(directory.clone()), error));
        Ok(Self {
            format,
            directory,
            state: Mutex::new(State {
                spool: GrowingFile::new(spool?),
                end: 0,
                blobs: HashMap::new(),
                index: None,
                documents: Vec::new(),
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes of a blob that was written.
    pub(crate) fn blob(&self, digest: &Digest) -> Result<Option<FileSlice>> {
        let state = self.state();
        let Some((start, size)) = state.blobs.get(digest).copied() else {
            return Ok(None);
        };
        let file = state.spool.file().try_clone();
        let file = file.map_err(|error| Error::read(self.place(), error))?;
        Ok(Some(FileSlice::new(file, start, size)))
    }

    /// The index that was put, and the documents that describe the blobs, by their paths.
    pub(crate) fn index(&self) -> Result<(OutputIndex, ControlFiles)> {
        let index = self.state().index.clone().unwrap_or_default();
        let files = index_documents(&index, self.format)?;
        Ok((index, files))
    }

    /// The documents that are blobs.
    pub(crate) fn documents(&self) -> Documents {
        self.state().documents.clone()
    }
}

impl ImageSink for CapturedSink {
    fn format(&self) -> Format {
        self.format
    }

    fn place(&self) -> Place {
        Place::Temporary(self.directory.clone())
    }

    fn kind(&self) -> OutputKind<'_> {
        OutputKind::File
    }

    fn find(&self, blob: &Hashed) -> Result<Held> {
        let is_there = self.state().blobs.contains_key(&blob.digest);
        Ok(if is_there {
            Held::Written
        } else {
            Held::Absent
        })
    }

    fn put(&self, blob: Blob<'_>, hashed: &Hashed, from: &Place, watch: &Watch<'_>) -> Result<()> {
        let mut writer = self.begin_blob(Some(hashed))?;
        copy_in(&blob, writer.as_mut(), from, watch)?;
        writer.finish(hashed)
    }

    /// A blob that is dropped leaves its room to the next one.
    fn begin_blob(&self, _: Option<&Hashed>) -> Result<Box<dyn BlobWriter + '_>> {
        let mut state = self.state();
        let end = state.end;
        let sought = state.spool.seek(SeekFrom::Start(end));
        sought.map_err(|error| Error::write(self.place(), error))?;
        Ok(Box::new(CapturedBlob { sink: self, state }))
    }

    fn put_documents(&self, index: &OutputIndex, documents: Documents) -> Result<()> {
        let mut state = self.state();
        state.index = Some(index.clone());
        state.documents = documents;
        Ok(())
    }

    fn finish(self: Box<Self>, _: &Watch<'_>) -> Result<Vec<WithheldName>> {
        Ok(Vec::new())
    }
}

/// A blob that is being written.
struct CapturedBlob<'a> {
    sink: &'a CapturedSink,
    state: MutexGuard<'a, State>,
}

impl Write for CapturedBlob<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.state.spool.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for CapturedBlob<'_> {
    fn place(&self) -> Place {
        self.sink.place()
    }

    fn finish(mut self: Box<Self>, hashed: &Hashed) -> Result<()> {
        let place = (self.state.end, hashed.size);
        self.state.blobs.insert(hashed.digest.clone(), place);
        self.state.end += hashed.size;
        Ok(())
    }
}
