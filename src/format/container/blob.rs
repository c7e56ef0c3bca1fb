//! The bytes of one member, and the cheapest ways to get at them.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Place, Result};
use crate::format::container::{KnownHashes, Member};
use crate::stream::{Compression, FileSlice, SNIFF_LENGTH, free_range, read_head};

/// The bytes of a member, and what is known of them. It costs nothing to have one: no
/// file is opened before somebody wants the bytes.
pub(crate) struct Blob<'a> {
    member: &'a Member,
    bytes: Bytes<'a>,
    known: Option<&'a KnownHashes>,
    compression: Option<Compression>,
    is_temporary: bool,
}

/// The place where the bytes of a blob are.
pub(crate) enum Bytes<'a> {
    /// A part of a file, which begins there.
    Slice(&'a File, u64),
    /// A file that has nothing else.
    File(PathBuf),
    /// A stream, which can be read from its beginning only. The function begins to.
    Stream(Box<dyn Fn() -> Result<Box<dyn Read + Send + 'a>> + Send + Sync + 'a>),
    /// Memory.
    Memory(&'a [u8]),
}

impl<'a> Blob<'a> {
    /// Takes a member, whose bytes are there.
    pub(crate) fn new(member: &'a Member, bytes: Bytes<'a>) -> Self {
        Self {
            member,
            bytes,
            known: None,
            compression: None,
            is_temporary: false,
        }
    }

    /// With the compression of its bytes, which need not be looked at for that.
    pub(crate) fn with_compression(self, compression: Option<Compression>) -> Self {
        Self {
            compression,
            ..self
        }
    }

    /// In a temporary file of this run, which wrote it down and found out this.
    pub(crate) fn temporary(self, known: Option<&'a KnownHashes>) -> Self {
        Self {
            known,
            is_temporary: true,
            ..self
        }
    }

    /// One that stays where it is, since others read it too.
    pub(crate) fn shared(self) -> Self {
        Self {
            is_temporary: false,
            ..self
        }
    }

    /// How many bytes it has.
    pub(crate) fn size(&self) -> u64 {
        self.member.size
    }

    /// The hashes of its bytes, if this run wrote them down.
    pub(crate) fn known(&self) -> Option<&'a KnownHashes> {
        self.known
    }

    /// Whether it is in a temporary file of this run, so that it makes room when it is
    /// released.
    pub(crate) fn is_temporary(&self) -> bool {
        self.is_temporary
    }

    /// Whether parts of it can be passed over without reading.
    pub(crate) fn is_seekable(&self) -> bool {
        matches!(self.bytes, Bytes::Slice(..) | Bytes::File(_))
    }

    /// Begins to read it.
    pub(crate) fn open(&self) -> Result<Box<dyn Read + Send + 'a>> {
        Ok(match &self.bytes {
            Bytes::Slice(file, start) => Box::new(FileSlice::new(*file, *start, self.size())),
            Bytes::File(path) => Box::new(File::open(path).map_err(|error| self.failed(error))?),
            Bytes::Stream(open) => open()?,
            Bytes::Memory(bytes) => Box::new(*bytes),
        })
    }

    /// The part of a file that it is, if it is one.
    pub(crate) fn slice(&self) -> Result<Option<FileSlice>> {
        let (file, start) = match &self.bytes {
            Bytes::Slice(file, start) => (file.try_clone(), *start),
            Bytes::File(path) => (File::open(path), 0),
            Bytes::Stream(_) | Bytes::Memory(_) => return Ok(None),
        };
        let file = file.map_err(|error| self.failed(error))?;
        Ok(Some(FileSlice::new(file, start, self.size())))
    }

    /// The file that has it and nothing else, if that may be moved away.
    pub(crate) fn movable_file(&self) -> Option<&Path> {
        match &self.bytes {
            Bytes::File(path) if self.is_temporary => Some(path),
            _ => None,
        }
    }

    /// Its compression, by its first bytes.
    pub(crate) fn compression(&self) -> Result<Compression> {
        if let Some(compression) = self.compression {
            return Ok(compression);
        }
        let start = read_head(self.open()?, SNIFF_LENGTH);
        Ok(Compression::sniff(
            &start.map_err(|error| self.failed(error))?,
        ))
    }

    /// Gives the space back that it takes in a temporary file. It cannot be read again.
    pub(crate) fn release(self) {
        match &self.bytes {
            Bytes::Slice(file, start) if self.is_temporary => {
                free_range(file, *start, self.size());
            }
            Bytes::File(path) if self.is_temporary => {
                // It goes with the whole folder otherwise.
                let _ = fs::remove_file(path);
            }
            _ => {}
        }
    }

    fn failed(&self, error: std::io::Error) -> Error {
        Error::read(Place::Member(self.member.path.clone()), error)
    }
}
