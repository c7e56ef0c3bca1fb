//! A tar that is made again from a tar-diff and the files of the old tree.

use std::io::{self, Read};
use std::sync::Arc;

use crate::limits::{TAR_DIFF_FRAME_MAX, UNPACKED_MAX, UNPACKED_RATIO_MAX};
use crate::tar_diff::old_files::{OldFile, OldFiles};
use crate::tar_diff::operations::{Operation, Operations};
use crate::tar_diff::{TarDiffFault as Fault, frame};

/// Reads the new tar, while it is made.
pub(crate) struct Patched<R: Read> {
    operations: Operations<R>,
    files: Arc<OldFiles>,
    /// The number of the open file.
    open: Option<usize>,
    position: u64,
    /// The operation that goes on.
    current: Current,
    buffers: Buffers,
    /// The number of bytes that were made, and the most that are.
    made: u64,
    most: u64,
}

enum Current {
    Nothing,
    Data,
    /// A copy of this many more bytes.
    Copy(u64),
    AddData,
    /// The content of a frame, from this position on.
    Frame(usize),
}

/// A frame, its prefix and its content, in memory that is used for the next ones, too.
#[derive(Default)]
struct Buffers {
    frame: Vec<u8>,
    prefix: Vec<u8>,
    content: Vec<u8>,
}

impl<R: Read> Patched<R> {
    /// Begins to make the tar of a tar-diff.
    pub(crate) fn new(diff: R, files: Arc<OldFiles>) -> io::Result<Self> {
        let most = files.size().saturating_mul(UNPACKED_RATIO_MAX);
        Self::with_most(diff, files, most.max(UNPACKED_MAX))
    }

    /// A few bytes may copy a file again and again: at most this many bytes are made.
    pub(super) fn with_most(diff: R, files: Arc<OldFiles>, most: u64) -> io::Result<Self> {
        Ok(Self {
            operations: Operations::new(diff)?,
            made: 0,
            most,
            files,
            open: None,
            position: 0,
            current: Current::Nothing,
            buffers: Buffers::default(),
        })
    }

    /// Starts the next operation; false at the end.
    fn next(&mut self) -> io::Result<bool> {
        let Some(operation) = self.operations.next_operation()? else {
            return Ok(false);
        };
        self.current = match operation {
            Operation::Data(_) => Current::Data,
            Operation::Open(path) => {
                let found = self.files.find(&path).ok_or_else(|| {
                    let path = String::from_utf8_lossy(&path).escape_debug().to_string();
                    Fault::NoSuchFile(path)
                })?;
                self.open = Some(found);
                self.position = 0;
                Current::Nothing
            }
            Operation::Copy(size) => {
                self.check(size)?;
                Current::Copy(size)
            }
            Operation::AddData(size) => {
                self.check(size)?;
                Current::AddData
            }
            Operation::Seek(position) => {
                self.source()?;
                self.position = position;
                Current::Nothing
            }
            Operation::Frame(size) => {
                self.unpack(size)?;
                Current::Frame(0)
            }
        };
        Ok(true)
    }

    fn source(&self) -> io::Result<&OldFile> {
        let open = self.open.ok_or(Fault::NothingOpen)?;
        Ok(self.files.get(open))
    }

    /// Checks that the open file has this many more bytes.
    fn check(&self, size: u64) -> io::Result<()> {
        let left = self.source()?.size().checked_sub(self.position);
        if size > 0 && left.is_none_or(|left| left < size) {
            return Err(Fault::PastEnd.into());
        }
        Ok(())
    }

    fn unpack(&mut self, size: u64) -> io::Result<()> {
        let prefix_size = self.source()?.size();
        let largest = size.max(prefix_size);
        if largest > TAR_DIFF_FRAME_MAX {
            return Err(Fault::FrameTooLarge(largest).into());
        }
        let mut buffers = std::mem::take(&mut self.buffers);
        buffers.frame.clear();
        self.operations.read_to_end(&mut buffers.frame)?;
        let prefix = self.source()?.read(&mut buffers.prefix)?;
        frame::unpack(&buffers.frame, prefix, &mut buffers.content)?;
        self.position = prefix_size;
        self.buffers = buffers;
        Ok(())
    }

    /// Reads bytes of the open file, at the position in it.
    fn read_source(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.source()?.read_at(self.position, buffer)?;
        self.position += buffer.len() as u64;
        Ok(())
    }
}

/// Fills the buffer: most operations make few bytes, and whoever hashes and writes them has
/// the same work with a few as with many.
impl<R: Read> Read for Patched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut length = 0;
        while length < buffer.len() {
            match self.read_some(&mut buffer[length..]) {
                Ok(0) => break,
                Ok(more) => length += more,
                // The reader may go on, and needs every byte.
                Err(error) if error.kind() == io::ErrorKind::Interrupted && length > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(length)
    }
}

impl<R: Read> Patched<R> {
    /// Reads bytes of one operation, if any is left.
    fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = match &mut self.current {
                Current::Nothing => 0,
                Current::Data => self.operations.read(buffer)?,
                Current::Copy(left) => {
                    let most = usize::try_from(*left).unwrap_or(usize::MAX);
                    let length = buffer.len().min(most);
                    *left -= length as u64;
                    self.read_source(&mut buffer[..length])?;
                    length
                }
                Current::AddData => {
                    let length = self.operations.read(buffer)?;
                    let mut base = vec![0; length];
                    self.read_source(&mut base)?;
                    for (byte, base) in buffer.iter_mut().zip(base) {
                        *byte = byte.wrapping_add(base);
                    }
                    length
                }
                Current::Frame(position) => {
                    let length = (&self.buffers.content[*position..]).read(buffer)?;
                    *position += length;
                    length
                }
            };
            if length > 0 {
                self.made += length as u64;
                if self.made > self.most {
                    return Err(Fault::TooLarge(self.most).into());
                }
                return Ok(length);
            }
            self.current = Current::Nothing;
            if !self.next()? {
                return Ok(0);
            }
        }
    }
}
