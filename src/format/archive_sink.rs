//! Writing the tar around images: an OCI layout, and the parts that also make it a
//! docker archive.
//!
//! Every member has the same owner, mode and time, so that the bytes depend on the
//! images alone.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tar::EntryType;

use crate::digest::Digest;
use crate::error::{Error, Place, Result};
use crate::event::{Event, Step, Watch};
use crate::format::Format;
use crate::format::container::Blob;
use crate::format::control_files::{INDEX, MANIFEST, MARKER, REPOSITORIES};
use crate::format::destination::Destination;
use crate::format::docker_archive::docker_documents;
use crate::format::oci_layout::{MARKER_CONTENT, blob_path};
use crate::format::output::Output;
use crate::format::sink::{
    BlobWriter, Documents, Held, ImageSink, OutputIndex, OutputKind, WithheldName, copy_in, put_all,
};
use crate::stream::{Ahead, COPY_BUFFER, GrowingFile, Hashed, spool_in};
use crate::tar_stream::{BLOCK, EMPTY_BLOCK, NewHeader, OCTAL_11_MAX, padding, pax_record};

/// An archive that is being written.
pub(super) struct ArchiveSink {
    format: Format,
    place: Place,
    temporary_directory: PathBuf,
    writer: Mutex<TarWriter>,
}

struct TarWriter {
    target: Destination,
    written: HashSet<Digest>,
    /// The positions of blobs for which room was reserved.
    reserved: HashMap<Digest, u64>,
    folders: HashSet<String>,
    is_index_written: bool,
}

impl ArchiveSink {
    /// Begins an archive in one of the two formats that are a tar.
    pub(super) fn create(
        output: Output,
        jobs: NonZeroUsize,
        interrupt: &Arc<AtomicBool>,
        temporary_directory: &Path,
    ) -> Result<Self> {
        let format = output.format;
        let (place, target) = Destination::open(output, jobs, interrupt)?;
        Ok(Self {
            format,
            place,
            temporary_directory: temporary_directory.to_owned(),
            writer: Mutex::new(TarWriter {
                target,
                written: HashSet::new(),
                reserved: HashMap::new(),
                folders: HashSet::new(),
                is_index_written: false,
            }),
        })
    }

    fn writer(&self) -> MutexGuard<'_, TarWriter> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::write(self.place.clone(), error)
    }

    fn temporary_place(&self) -> Place {
        Place::Temporary(self.temporary_directory.clone())
    }
}

impl TarWriter {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.target.write_all(bytes)
    }

    fn append(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let size = bytes.len() as u64;
        self.write_all(&file_header(path, size))?;
        self.write_all(bytes)?;
        self.write_all(padding(size))
    }

    /// Writes the folders of a blob, once.
    fn append_folders(&mut self, algorithm: &str) -> io::Result<()> {
        for folder in ["blobs/".to_owned(), format!("blobs/{algorithm}/")] {
            if self.folders.insert(folder.clone()) {
                self.write_all(&header(&folder, EntryType::Directory, 0o755, 0))?;
            }
        }
        Ok(())
    }

    /// Writes the header of a blob, and its folders.
    fn begin(&mut self, blob: &Hashed) -> io::Result<()> {
        self.append_folders(blob.digest.algorithm().name())?;
        self.write_all(&blob_header(blob))
    }

    /// Writes the header of a blob into a file and skips the room after it, unless that
    /// was done before.
    fn reserve(&mut self, blob: &Hashed) -> io::Result<()> {
        if self.written.contains(&blob.digest) || self.reserved.contains_key(&blob.digest) {
            return Ok(());
        }
        self.begin(blob)?;
        let Destination::File(file) = &mut self.target else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let position = file.stream_position()?;
        // Skipped bytes are zero, as padding must be.
        let room = blob.size.next_multiple_of(BLOCK);
        file.seek(SeekFrom::Start(position.saturating_add(room)))?;
        self.reserved.insert(blob.digest.clone(), position);
        Ok(())
    }

    /// Reserves room for all of these; false if that is not possible.
    fn reserve_all(&mut self, blobs: &[Hashed], preallocate: bool) -> io::Result<bool> {
        match &self.target {
            Destination::File(file) if file.keeps_holes()? => {}
            _ => return Ok(false),
        }
        for blob in blobs {
            self.reserve(blob)?;
        }
        if let (true, Destination::File(file)) = (preallocate, &mut self.target) {
            let end = file.stream_position()?;
            file.allocate(end)?;
        }
        Ok(true)
    }

    /// Another handle on the file that is written.
    fn file(&self) -> io::Result<File> {
        match &self.target {
            Destination::File(file) => file.try_clone(),
            Destination::Stream(_) | Destination::Compressed(_) => {
                Err(io::ErrorKind::Unsupported.into())
            }
        }
    }

    /// Writes the documents that describe the blobs.
    fn append_index(&mut self, documents: &[(&str, Vec<u8>)]) -> io::Result<()> {
        for (path, bytes) in documents {
            self.append(path, bytes)?;
        }
        self.is_index_written = true;
        Ok(())
    }
}

/// The documents that describe the blobs, by their paths.
pub(super) fn index_documents(
    index: &OutputIndex,
    format: Format,
) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let marker = (MARKER, MARKER_CONTENT.to_vec());
    let mut documents = vec![marker, (INDEX, index.bytes()?)];
    if format == Format::DockerArchive {
        let (manifest, repositories) = docker_documents(index)?;
        documents.push((MANIFEST, manifest));
        documents.extend(repositories.map(|repositories| (REPOSITORIES, repositories)));
    }
    Ok(documents)
}

/// The header of a file, in as many blocks as it needs.
fn file_header(path: &str, size: u64) -> Vec<u8> {
    header(path, EntryType::Regular, 0o644, size)
}

fn blob_header(blob: &Hashed) -> Vec<u8> {
    file_header(&blob_path(&blob.digest), blob.size)
}

/// A header without owner and time. Sizes from 8 GiB on are written in base-256, as by
/// GNU, which every reader of large archives knows. A path that does not fit, such as
/// that of a sha512 blob, gets a PAX header of its own.
fn header(path: &str, kind: EntryType, mode: u32, size: u64) -> Vec<u8> {
    let header = NewHeader {
        mode,
        size,
        is_gnu: size > OCTAL_11_MAX,
        ..NewHeader::new(kind, path.as_bytes())
    };
    let path = (!header.has_name()).then(|| pax_record(b"path", path.as_bytes()));
    header.blocks(b"pax", &path.unwrap_or_default())
}

impl ImageSink for ArchiveSink {
    fn format(&self) -> Format {
        self.format
    }

    fn place(&self) -> Place {
        self.place.clone()
    }

    fn kind(&self) -> OutputKind<'_> {
        match self.writer().target {
            Destination::File(_) => OutputKind::File,
            Destination::Stream(_) | Destination::Compressed(_) => OutputKind::Stream,
        }
    }

    fn is_compressed(&self) -> bool {
        matches!(self.writer().target, Destination::Compressed(_))
    }

    fn find(&self, blob: &Hashed) -> Result<Held> {
        if self.writer().written.contains(&blob.digest) {
            return Ok(Held::Written);
        }
        Ok(Held::Absent)
    }

    fn reserve(&self, blobs: &[Hashed], preallocate: bool) -> Result<bool> {
        let reserved = self.writer().reserve_all(blobs, preallocate);
        reserved.map_err(|error| self.failed(error))
    }

    fn put(&self, blob: Blob<'_>, hashed: &Hashed, from: &Place, watch: &Watch<'_>) -> Result<()> {
        let mut writer = self.begin_blob(Some(hashed))?;
        copy_in(&blob, writer.as_mut(), from, watch)?;
        writer.finish(hashed)?;
        blob.release();
        Ok(())
    }

    fn begin_blob(&self, known: Option<&Hashed>) -> Result<Box<dyn BlobWriter + '_>> {
        let mut writer = self.writer();
        let failed = |error| self.failed(error);
        if let Some(known) = known {
            if let Some(position) = writer.reserved.get(&known.digest).copied() {
                let file = writer.file().map_err(failed)?;
                return Ok(Box::new(Reserved {
                    sink: self,
                    file,
                    position,
                    ahead: Ahead::within(position..position + known.size),
                }));
            }
            writer.begin(known).map_err(failed)?;
            return Ok(Box::new(InPlace {
                sink: self,
                writer,
                header_at: None,
            }));
        }
        // Unknown digests are always sha256.
        writer.append_folders("sha256").map_err(failed)?;
        if let Destination::File(file) = &mut writer.target {
            let header_at = file.stream_position().map_err(failed)?;
            writer.write_all(&EMPTY_BLOCK).map_err(failed)?;
            return Ok(Box::new(InPlace {
                sink: self,
                writer,
                header_at: Some(header_at),
            }));
        }
        drop(writer);
        let spool = spool_in(&self.temporary_directory)
            .map_err(|error| Error::write(self.temporary_place(), error))?;
        Ok(Box::new(Spooled {
            sink: self,
            spool: GrowingFile::new(spool),
        }))
    }

    fn takes_documents_first(&self) -> bool {
        self.writer().written.is_empty()
    }

    fn put_documents(&self, index: &OutputIndex, mut documents: Documents) -> Result<()> {
        documents.retain(|(digest, _)| !self.writer().written.contains(digest));
        let index = index_documents(index, self.format)?;
        let append_index = || {
            let appended = self.writer().append_index(&index);
            appended.map_err(|error| self.failed(error))
        };
        if self.takes_documents_first() {
            append_index()?;
            return put_all(self, documents);
        }
        put_all(self, documents)?;
        append_index()
    }

    fn finish(self: Box<Self>, watch: &Watch<'_>) -> Result<Vec<WithheldName>> {
        watch.send(Event::Step(Step::Committing));
        let failed = |error| Error::write(self.place.clone(), error);
        let mut writer = self
            .writer
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if !writer.is_index_written {
            let documents = index_documents(&OutputIndex::default(), self.format)?;
            writer.append_index(&documents).map_err(failed)?;
        }
        writer
            .write_all(&[EMPTY_BLOCK; 2].concat())
            .map_err(failed)?;
        writer.target.commit(&self.place)?;
        Ok(Vec::new())
    }
}

/// A blob that is written in its reserved room, in parallel with others.
struct Reserved<'a> {
    sink: &'a ArchiveSink,
    file: File,
    position: u64,
    ahead: Ahead,
}

impl Write for Reserved<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.ahead.prepare(&self.file, self.position, buffer.len());
        let length = self.file.write_at(buffer, self.position)?;
        self.position += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for Reserved<'_> {
    fn place(&self) -> Place {
        self.sink.place()
    }

    fn finish(self: Box<Self>, hashed: &Hashed) -> Result<()> {
        self.sink.writer().written.insert(hashed.digest.clone());
        Ok(())
    }
}

/// A blob that is written at its final position.
struct InPlace<'a> {
    sink: &'a ArchiveSink,
    writer: MutexGuard<'a, TarWriter>,
    /// The position of its header, if that is not written yet.
    header_at: Option<u64>,
}

impl Write for InPlace<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.writer.target.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl InPlace<'_> {
    /// Writes the delayed header, or removes the blob if the archive already has it.
    fn complete(&mut self, hashed: &Hashed) -> io::Result<()> {
        let is_new = self.writer.written.insert(hashed.digest.clone());
        let header_at = self.header_at;
        if let (Some(header_at), Destination::File(file)) = (header_at, &mut self.writer.target) {
            let end = file.stream_position()?;
            file.seek(SeekFrom::Start(header_at))?;
            if !is_new {
                return file.truncate(header_at);
            }
            file.write_all(&blob_header(hashed))?;
            file.seek(SeekFrom::Start(end))?;
        }
        self.writer.write_all(padding(hashed.size))
    }
}

impl BlobWriter for InPlace<'_> {
    fn place(&self) -> Place {
        self.sink.place()
    }

    fn finish(mut self: Box<Self>, hashed: &Hashed) -> Result<()> {
        let sink = self.sink;
        self.complete(hashed).map_err(|error| sink.failed(error))
    }
}

/// A blob that must be complete before it can be written to a stream.
struct Spooled<'a> {
    sink: &'a ArchiveSink,
    spool: GrowingFile,
}

impl Write for Spooled<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.spool.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.spool.flush()
    }
}

impl BlobWriter for Spooled<'_> {
    fn place(&self) -> Place {
        self.sink.temporary_place()
    }

    fn finish(self: Box<Self>, hashed: &Hashed) -> Result<()> {
        let Self { sink, spool } = *self;
        let mut writer = sink.writer();
        if !writer.written.insert(hashed.digest.clone()) {
            return Ok(());
        }
        let append = || {
            let mut spool = spool.finish()?;
            spool.rewind()?;
            writer.write_all(&blob_header(hashed))?;
            let mut file = BufReader::with_capacity(COPY_BUFFER, spool);
            io::copy(&mut file, &mut writer.target)?;
            writer.write_all(padding(hashed.size))
        };
        append().map_err(|error| sink.failed(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar_stream::{SkipByReading, TarReader};

    #[test]
    fn headers_say_any_path_and_any_size() {
        let short = format!("blobs/sha256/{}", "0".repeat(64));
        let long = format!("blobs/sha512/{}", "0".repeat(128));
        for path in [&short, &long] {
            for size in [0, OCTAL_11_MAX, OCTAL_11_MAX + 1, 1 << 40] {
                let header = file_header(path, size);
                let mut reader = TarReader::new(SkipByReading(header.as_slice()));
                let member = reader.next_member().unwrap().unwrap();
                assert_eq!(
                    (member.path, member.size),
                    (path.clone().into_bytes(), size)
                );
            }
        }
    }
}
