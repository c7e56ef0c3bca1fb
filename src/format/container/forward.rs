//! A compressed tar in a file: it can be read again, but only from the start.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::error::{Error, Place, Result};
use crate::event::Watch;
use crate::format::container::index::MemberIndex;
use crate::format::container::repeated::check_control_files;
use crate::format::container::{Blob, Bytes, Container, Member};
use crate::stream::{
    Compression, CopyError, DecodeError, FileSlice, GrowingFile, Leftover, ProgressReader,
    SNIFF_LENGTH, Unpacked, begins_as_json, copy, read_head, spool_in, unpacked,
};
use crate::tar_stream::{Skip, SkipByReading, TarReader};

/// Maximum size of a member that is kept from the first pass if it looks like JSON: the
/// documents of an image, which are needed before its layers.
const KEPT_MAX: u64 = 1024 * 1024;

/// Maximum total size of the kept members. Others are read again.
const KEPT_TOTAL_MAX: u64 = 32 * 1024 * 1024;

/// A tar that is unpacked once to index its members, and again to read them in their
/// order. Any other order is possible, and costs a pass for each step back.
pub(crate) struct ForwardTar {
    file: Arc<File>,
    start: u64,
    compression: Compression,
    index: MemberIndex,
    /// The bytes after the end of the compressed stream.
    leftover: Arc<Leftover>,
    /// Kept members, by position.
    kept: HashMap<u64, Vec<u8>>,
    compressions: HashMap<u64, Compression>,
    /// The position of the last reader.
    cursor: Mutex<Option<Cursor>>,
    /// The unpacked file, if random access was needed.
    unpacked: OnceLock<File>,
}

struct Cursor {
    stream: Unpacked<FileSlice<Arc<File>>>,
    position: u64,
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Damage of the stream around a member is reported when the archive is opened.
        let length = self.stream.read(buffer).map_err(DecodeError::unwrap)?;
        self.position += length as u64;
        Ok(length)
    }
}

impl ForwardTar {
    /// Unpacks the whole tar, which starts at `start` in the file, once.
    pub(crate) fn open(
        file: File,
        start: u64,
        compression: Compression,
        watch: &Watch<'_>,
    ) -> Result<Self> {
        let mut faults = Vec::new();
        let tar = Self::open_damaged(file, start, compression, &mut faults, watch)?;
        faults.into_iter().next().map_or(Ok(tar), Err)
    }

    /// Indexes the members that can be unpacked; faults are added to `faults`.
    pub(crate) fn open_damaged(
        file: File,
        start: u64,
        compression: Compression,
        faults: &mut Vec<Error>,
        watch: &Watch<'_>,
    ) -> Result<Self> {
        let mut tar = Self {
            file: Arc::new(file),
            start,
            compression,
            index: MemberIndex::default(),
            leftover: Arc::default(),
            kept: HashMap::new(),
            compressions: HashMap::new(),
            cursor: Mutex::new(None),
            unpacked: OnceLock::new(),
        };
        let counted = ProgressReader::new(tar.packed()?, *watch);
        let stream = unpacked(compression, counted)?;
        tar.leftover = stream.get_ref().leftover();
        let mut reader = TarReader::new(SkipByReading(stream));
        let looked_up = tar.look_up(&mut reader, faults);
        tar.index.end.cut_off_at = reader.cut_off_at();
        match looked_up {
            // The checksum at the end of a compressed stream shows that it is complete.
            Ok(()) => match reader.trailing() {
                Ok(trailing) => tar.index.end.trailing = trailing,
                Err(error) => faults.push(error.into()),
            },
            Err(error) => faults.push(error),
        }
        check_control_files(&tar, &tar.index, faults)?;
        Ok(tar)
    }

    /// Indexes all members, and keeps those that look like documents.
    ///
    /// # Errors
    ///
    /// Fails if the stream cannot be read to its end.
    fn look_up(
        &mut self,
        reader: &mut TarReader<impl Skip>,
        faults: &mut Vec<Error>,
    ) -> Result<()> {
        let mut kept_total = 0;
        while let Some(member) = reader.next_member()? {
            let fits = member.size <= KEPT_MAX && kept_total + member.size <= KEPT_TOTAL_MAX;
            let mut start = read_head(&mut *reader, SNIFF_LENGTH)?;
            self.compressions
                .insert(member.position, Compression::sniff(&start));
            if fits && begins_as_json(&start) {
                reader.read_to_end(&mut start)?;
                kept_total += member.size;
                self.kept.insert(member.position, start);
            }
            faults.extend(self.index.add(&member, member.position).err());
        }
        Ok(())
    }

    /// The bytes after the end of the compressed stream.
    pub(crate) fn leftover(&self) -> Arc<Leftover> {
        Arc::clone(&self.leftover)
    }

    fn packed(&self) -> io::Result<FileSlice<Arc<File>>> {
        FileSlice::from(Arc::clone(&self.file), self.start)
    }

    /// Starts to read a member, at the position of the last reader if possible, or else
    /// from the start.
    fn open_stream(&self, member: &Member) -> Result<Box<dyn Read + Send + '_>> {
        let mut cursor = self.cursor_before(member.position)?;
        SkipByReading(&mut cursor.stream)
            .skip(member.position - cursor.position)
            .map_err(|error| Error::read(Place::Member(member.path.clone()), error))?;
        cursor.position = member.position;
        Ok(Box::new(ForwardReader {
            tar: self,
            cursor: Some(cursor),
            remaining: member.size,
        }))
    }

    fn last_cursor(&self) -> MutexGuard<'_, Option<Cursor>> {
        self.cursor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last reader's position if it is not after the member, otherwise the start.
    fn cursor_before(&self, position: u64) -> Result<Cursor> {
        let last = self.last_cursor().take();
        match last {
            Some(cursor) if cursor.position <= position => Ok(cursor),
            _ => Ok(Cursor {
                stream: unpacked(self.compression, self.packed()?)?,
                position: 0,
            }),
        }
    }
}

impl std::fmt::Debug for ForwardTar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForwardTar")
            .field("file", &self.file)
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}

impl Container for ForwardTar {
    fn index(&self) -> Option<&MemberIndex> {
        Some(&self.index)
    }

    fn blob<'a>(&'a self, member: &'a Member) -> Blob<'a> {
        let position = member.position;
        let bytes = if let Some(unpacked) = self.unpacked.get() {
            Bytes::Slice(unpacked, position)
        } else if let Some(bytes) = self.kept.get(&position) {
            Bytes::Memory(bytes)
        } else {
            Bytes::Stream(Box::new(move || self.open_stream(member)))
        };
        let compression = self.compressions.get(&position).copied();
        Blob::new(member, bytes).with_compression(compression)
    }

    fn is_sequential(&self) -> bool {
        self.unpacked.get().is_none()
    }

    fn unpack_to(&self, directory: &Path, watch: &Watch<'_>) -> Result<()> {
        let place = || Place::Temporary(directory.to_owned());
        let failed = |error| Error::write(place(), error);
        let mut spool = GrowingFile::new(spool_in(directory).map_err(failed)?);
        let stream = ProgressReader::new(self.packed()?, *watch);
        let mut stream = unpacked(self.compression, stream)?;
        copy(&mut stream, &mut spool, watch).map_err(|error| match error {
            CopyError::Read(error) => error.into(),
            error => Error::copy(place(), place(), error),
        })?;
        let mut spool = spool.finish().map_err(failed)?;
        spool.rewind().map_err(failed)?;
        // Nobody else has set it meanwhile, or else to the same content.
        let _ = self.unpacked.set(spool);
        Ok(())
    }
}

/// Reads one member, and returns the stream for the next one when it is dropped.
struct ForwardReader<'a> {
    tar: &'a ForwardTar,
    cursor: Option<Cursor>,
    remaining: u64,
}

impl Read for ForwardReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(cursor) = &mut self.cursor else {
            return Ok(0);
        };
        let limit = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        let length = buffer.len().min(limit);
        if length == 0 {
            return Ok(0);
        }
        let length = cursor.read(&mut buffer[..length])?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.remaining -= length as u64;
        Ok(length)
    }
}

/// Does no work and cannot fail: the stream is returned, so that the next reader
/// continues at its position.
impl Drop for ForwardReader<'_> {
    fn drop(&mut self) {
        *self.tar.last_cursor() = self.cursor.take();
    }
}
