//! The reader of the operations of a tar-diff.

use std::io::{self, BufRead, Read};

use crate::limits::TAR_DIFF_PATH_MAX;
use crate::stream::{Compression, Unpacked, unpacked};
use crate::tar_diff::{
    ADD_DATA, COPY, DATA, FRAME, MAGIC_1, MAGIC_2, OPEN, SEEK, TarDiffFault as Fault,
};

/// An operation. The data of those that have some is read from the [`Operations`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Emits the data, of this size.
    Data(u64),
    /// Opens the file with this path, at its start.
    Open(Vec<u8>),
    /// Emits this many bytes of the open file.
    Copy(u64),
    /// Emits the sum of the data, of this size, and of bytes of the open file.
    AddData(u64),
    /// Sets the position in the open file.
    Seek(u64),
    /// Emits the content of a zstd frame of this size.
    Frame(u64),
}

/// Reads the operations of a tar-diff in sequence. Data is never held in memory.
pub(crate) struct Operations<R: Read> {
    input: Unpacked<R>,
    /// The number of unread bytes in the data of the current operation.
    left: u64,
    has_frames: bool,
}

impl<R: Read> Operations<R> {
    /// Reads the start of a tar-diff.
    pub(crate) fn new(mut input: R) -> io::Result<Self> {
        let mut magic = [0; 8];
        input
            .read_exact(&mut magic)
            .map_err(|error| cut(error, Fault::Magic))?;
        let has_frames = &magic == MAGIC_2;
        if !has_frames && &magic != MAGIC_1 {
            return Err(Fault::Magic.into());
        }
        Ok(Self {
            input: unpacked(Compression::Zstd, input)?,
            left: 0,
            has_frames,
        })
    }

    /// Goes to the next operation; `None` at the end. The unread data of the current one
    /// is skipped.
    pub(crate) fn next_operation(&mut self) -> io::Result<Option<Operation>> {
        let unread = self.left;
        if io::copy(&mut (&mut *self).take(unread), &mut io::sink())? < unread {
            return Err(Fault::Truncated.into());
        }
        let Some(kind) = self.byte()? else {
            return Ok(None);
        };
        let size = self.number()?;
        let operation = match kind {
            DATA => Operation::Data(size),
            OPEN => return self.path(size).map(Some),
            COPY => return Ok(Some(Operation::Copy(size))),
            ADD_DATA => Operation::AddData(size),
            SEEK => return Ok(Some(Operation::Seek(size))),
            FRAME if self.has_frames => Operation::Frame(size),
            kind => return Err(Fault::Operation(kind).into()),
        };
        self.left = size;
        Ok(Some(operation))
    }

    fn path(&mut self, size: u64) -> io::Result<Operation> {
        if size > TAR_DIFF_PATH_MAX {
            return Err(Fault::PathTooLong(size).into());
        }
        let mut path = Vec::new();
        self.left = size;
        self.read_to_end(&mut path)?;
        let clean = clean_path(&path);
        if clean.is_empty() || is_above(&path) {
            let path = String::from_utf8_lossy(&path).escape_debug().to_string();
            return Err(Fault::Path(path).into());
        }
        Ok(Operation::Open(clean))
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let buffer = self
            .input
            .fill_buf()
            .map_err(|error| cut(error, Fault::Truncated))?;
        let byte = buffer.first().copied();
        self.input.consume(usize::from(byte.is_some()));
        Ok(byte)
    }

    fn number(&mut self) -> io::Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?.ok_or(Fault::Truncated)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Fault::Number.into())
    }
}

/// Reads the data of the current operation, and fails if it is truncated.
impl<R: Read> Read for Operations<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit = usize::try_from(self.left).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(limit);
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.input.read(&mut buffer[..wanted]);
        let length = read.map_err(|error| cut(error, Fault::Truncated))?;
        if length == 0 {
            return Err(Fault::Truncated.into());
        }
        self.left -= length as u64;
        Ok(length)
    }
}

/// Reports an early end as a fault of the tar-diff.
fn cut(error: io::Error, fault: Fault) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => fault.into(),
        _ => error,
    }
}

/// The names on a path, without those that mean nothing.
fn names(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let names = path.split(|byte| *byte == b'/');
    names.filter(|name| !name.is_empty() && *name != b".")
}

/// A path without `.`, `..` and needless slashes. It never leads out of the root.
pub(crate) fn clean_path(path: &[u8]) -> Vec<u8> {
    let mut clean: Vec<&[u8]> = Vec::new();
    for name in names(path) {
        if name == b".." {
            clean.pop();
        } else {
            clean.push(name);
        }
    }
    clean.join(&b'/')
}

/// True if a path leads out of the root on its way.
fn is_above(path: &[u8]) -> bool {
    let mut depth = 0_usize;
    names(path).any(|name| {
        if name != b".." {
            depth += 1;
            return false;
        }
        let is_above = depth == 0;
        depth = depth.saturating_sub(1);
        is_above
    })
}
