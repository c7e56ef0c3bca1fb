//! The bytes of one member, and the cheapest ways to access them.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Place, Result};
use crate::format::container::{KnownHashes, Member};
use crate::stream::{Compression, FileSlice, SNIFF_LENGTH, free_range, open_regular, read_head};

/// The bytes of a member, and known facts about them. Creating it costs nothing: a file
/// is only opened when the bytes are needed.
pub(crate) struct Blob<'a> {
    member: &'a Member,
    bytes: Bytes<'a>,
    known: Option<&'a KnownHashes>,
    compression: Option<Compression>,
    is_temporary: bool,
}

/// The place of a blob's bytes.
pub(crate) enum Bytes<'a> {
    /// A part of a file, starting at this offset.
    Slice(&'a File, u64),
    /// A file with these bytes only.
    File(PathBuf),
    /// A stream, which can only be read from its start. The function opens it.
    Stream(Box<dyn Fn() -> Result<Box<dyn Read + Send + 'a>> + Send + Sync + 'a>),
    /// Memory.
    Memory(&'a [u8]),
}

impl<'a> Blob<'a> {
    /// The blob of a member with these bytes.
    pub(crate) fn new(member: &'a Member, bytes: Bytes<'a>) -> Self {
        Self {
            member,
            bytes,
            known: None,
            compression: None,
            is_temporary: false,
        }
    }

    /// Sets the compression of its bytes, so that it need not be detected.
    pub(crate) fn with_compression(self, compression: Option<Compression>) -> Self {
        Self {
            compression,
            ..self
        }
    }

    /// Marks it as a temporary file of this run, which computed these hashes when
    /// writing it.
    pub(crate) fn temporary(self, known: Option<&'a KnownHashes>) -> Self {
        Self {
            known,
            is_temporary: true,
            ..self
        }
    }

    /// Marks it as shared with other readers, so that it remains in place.
    pub(crate) fn shared(self) -> Self {
        Self {
            is_temporary: false,
            ..self
        }
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.member.size
    }

    /// The hashes of its bytes, if this run wrote them.
    pub(crate) fn known(&self) -> Option<&'a KnownHashes> {
        self.known
    }

    /// True if it is in a temporary file of this run, so that releasing it frees space.
    pub(crate) fn is_temporary(&self) -> bool {
        self.is_temporary
    }

    /// True if parts of it can be skipped without reading.
    pub(crate) fn is_seekable(&self) -> bool {
        matches!(self.bytes, Bytes::Slice(..) | Bytes::File(_))
    }

    /// Starts to read it.
    pub(crate) fn open(&self) -> Result<Box<dyn Read + Send + 'a>> {
        Ok(match &self.bytes {
            Bytes::Slice(file, start) => Box::new(FileSlice::new(*file, *start, self.size())),
            Bytes::File(path) => Box::new(open_regular(path).map_err(|error| self.failed(error))?),
            Bytes::Stream(open) => open()?,
            Bytes::Memory(bytes) => Box::new(*bytes),
        })
    }

    /// Its part of a file, if it is in one.
    pub(crate) fn slice(&self) -> Result<Option<FileSlice>> {
        let (file, start) = match &self.bytes {
            Bytes::Slice(file, start) => (file.try_clone(), *start),
            Bytes::File(path) => (open_regular(path), 0),
            Bytes::Stream(_) | Bytes::Memory(_) => return Ok(None),
        };
        let file = file.map_err(|error| self.failed(error))?;
        Ok(Some(FileSlice::new(file, start, self.size())))
    }

    /// The file with its bytes only, if that may be moved.
    pub(crate) fn movable_file(&self) -> Option<&Path> {
        match &self.bytes {
            Bytes::File(path) if self.is_temporary => Some(path),
            _ => None,
        }
    }

    /// Its compression, detected from its first bytes.
    pub(crate) fn compression(&self) -> Result<Compression> {
        if let Some(compression) = self.compression {
            return Ok(compression);
        }
        let start = read_head(self.open()?, SNIFF_LENGTH);
        Ok(Compression::sniff(
            &start.map_err(|error| self.failed(error))?,
        ))
    }

    /// Releases its space in a temporary file. It cannot be read again.
    pub(crate) fn release(self) {
        match &self.bytes {
            Bytes::Slice(file, start) if self.is_temporary => {
                free_range(file, *start, self.size());
            }
            Bytes::File(path) if self.is_temporary => {
                // Otherwise it is removed with the whole folder.
                let _ = fs::remove_file(path);
            }
            _ => {}
        }
    }

    fn failed(&self, error: std::io::Error) -> Error {
        Error::read(Place::Member(self.member.path.clone()), error)
    }
}
