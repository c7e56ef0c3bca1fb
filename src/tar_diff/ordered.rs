//! The parts of a tar-diff in their order, while files are compressed on other threads.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use crate::limits::TAR_DIFF_SOURCE_MAX;
use crate::progress::Progress;
use crate::stream::{Permits, Workers};
use crate::tar_diff::frame;
use crate::tar_diff::old_files::OldFile;
use crate::tar_diff::pair::Pair;
use crate::tar_diff::writer::Writer;

/// Number of bytes that an operation with a source takes at most beside its frame.
const OVERHEAD: usize = 24;

/// A frame that is this many times smaller than its content is smaller than what data is
/// usually compressed to.
const CLEAR_GAIN: usize = 4;

/// Number of bytes that wait for their turn at most, unless a single pair of files has more.
const WAITING_MAX: usize = 24 << 20;

/// A pair of this many bytes is compressed where it was read: the allocator keeps the tables
/// of the largest pair for each thread that had one, and those of smaller pairs are half as
/// large at most. At the highest levels it would take too long to be interrupted.
const LARGE_PAIR: usize = 16 << 20;

/// Data that waits is held in pieces of about this size, in bytes.
const PIECE: usize = 256 * 1024;

/// The time after which a thread that waits looks for an interrupt.
const PATIENCE: Duration = Duration::from_millis(50);

/// The two ways in which making a tar-diff fails.
#[derive(Debug)]
pub(crate) enum DifferenceError {
    /// The new tar, or a file of the old tree, cannot be read.
    Read(io::Error),
    /// The tar-diff cannot be written.
    Write(io::Error),
}

/// A part of a tar-diff.
enum Part {
    Data(Vec<u8>),
    /// An old file, an offset in it, and a size.
    Copy(Arc<OldFile>, u64, u64),
    Changed(ChangedFile),
}

/// A file that is being compressed after an old one.
struct ChangedFile {
    old: Arc<OldFile>,
    size: usize,
    compressed: Receiver<io::Result<Compressed>>,
}

/// A changed file as it goes into a tar-diff.
enum Compressed {
    Frame(Vec<u8>),
    /// A frame would take more room than the content of this.
    Data(Pair),
}

/// Compresses a file, when there is memory for it.
fn compress(
    mut pair: Pair,
    old: &OldFile,
    level: i32,
    memory: &Arc<Permits>,
) -> io::Result<Compressed> {
    let needed = frame::memory(pair.new_content().len(), pair.old().len(), level);
    let _permit = memory.take(needed.min(memory_max(level)));
    pair.read_old(old)?;
    let frame = frame::compress(pair.new_content(), pair.old(), level)?;
    Ok(match frame {
        Some(frame) if pays(&frame, pair.new_content())? => Compressed::Frame(frame),
        _ => Compressed::Data(pair),
    })
}

/// True if a frame takes less room than its content as data.
fn pays(frame: &[u8], content: &[u8]) -> io::Result<bool> {
    let size = frame.len() + OVERHEAD;
    Ok(size < content.len() / CLEAR_GAIN || (size as u64) < frame::size_alone(content)?)
}

/// The memory that compressing takes at most, beside what waits: that for the largest file.
fn memory_max(level: i32) -> usize {
    let largest = usize::try_from(TAR_DIFF_SOURCE_MAX).expect("it is held in memory");
    frame::memory(largest, largest, level)
}

/// Writes a tar-diff, whose changed files are compressed on all cores. The output is the
/// same for any number of them.
#[must_use = "the last parts are only written at `finish`"]
pub(super) struct OrderedWriter<'a, W: Write> {
    writer: Writer<W>,
    workers: &'a Workers,
    level: i32,
    progress: &'a dyn Progress,
    /// A file that is being compressed, and the parts after it.
    waiting: VecDeque<Part>,
    /// The number of bytes that wait.
    size: usize,
    /// The bytes of memory that compressing may take.
    memory: Arc<Permits>,
}

impl<'a, W: Write> OrderedWriter<'a, W> {
    /// Begins a tar-diff with this level of zstd.
    pub(super) fn new(
        output: W,
        level: i32,
        workers: &'a Workers,
        progress: &'a dyn Progress,
    ) -> Result<Self, DifferenceError> {
        Ok(Self {
            writer: Writer::new(output, level).map_err(DifferenceError::Write)?,
            workers,
            level,
            progress,
            waiting: VecDeque::new(),
            size: 0,
            memory: Permits::new(memory_max(level)),
        })
    }

    /// Emits these bytes.
    pub(super) fn data(&mut self, bytes: &[u8]) -> Result<(), DifferenceError> {
        self.make_room(bytes.len())?;
        if self.waiting.is_empty() {
            return self.writer.data(bytes).map_err(DifferenceError::Write);
        }
        self.size += bytes.len();
        match self.waiting.back_mut() {
            Some(Part::Data(data)) if data.len() < PIECE => data.extend_from_slice(bytes),
            _ => self.waiting.push_back(Part::Data(bytes.to_vec())),
        }
        Ok(())
    }

    /// Emits a part of an old file.
    pub(super) fn copy(
        &mut self,
        old: &Arc<OldFile>,
        offset: u64,
        size: u64,
    ) -> Result<(), DifferenceError> {
        let part = Part::Copy(Arc::clone(old), offset, size);
        if self.waiting.is_empty() {
            return self.write(part);
        }
        self.waiting.push_back(part);
        Ok(())
    }

    /// Emits the content of a file that is like an old one, which is read later.
    pub(super) fn changed(
        &mut self,
        pair: Pair,
        old: &Arc<OldFile>,
    ) -> Result<(), DifferenceError> {
        let size = pair.size();
        self.make_room(size)?;
        self.size += size;
        let (level, memory) = (self.level, Arc::clone(&self.memory));
        let source = Arc::clone(old);
        let work = move || compress(pair, &source, level, &memory);
        let compressed = if size > LARGE_PAIR && level <= frame::TWO_TABLES_MAX {
            let (sender, receiver) = sync_channel(1);
            let _ = sender.send(work());
            receiver
        } else {
            self.workers.run(work)
        };
        self.waiting.push_back(Part::Changed(ChangedFile {
            old: Arc::clone(old),
            size,
            compressed,
        }));
        Ok(())
    }

    /// Makes room for further bytes in memory: writes what is finished, and as much of the
    /// rest as necessary.
    pub(super) fn make_room(&mut self, size: usize) -> Result<(), DifferenceError> {
        while let Some(part) = self.waiting.pop_front() {
            let is_full = self.size + size > WAITING_MAX;
            if let Part::Changed(file) = part {
                match file.compressed.try_recv() {
                    Ok(compressed) => self.write_changed(&file, compressed)?,
                    Err(_) if is_full => self.write(Part::Changed(file))?,
                    Err(_) => {
                        self.waiting.push_front(Part::Changed(file));
                        break;
                    }
                }
            } else {
                self.write(part)?;
            }
        }
        Ok(())
    }

    /// Writes the rest, and returns the output.
    pub(super) fn finish(mut self) -> Result<W, DifferenceError> {
        while let Some(part) = self.waiting.pop_front() {
            self.write(part)?;
        }
        self.writer.finish().map_err(DifferenceError::Write)
    }

    /// Writes a part whose turn it is.
    fn write(&mut self, part: Part) -> Result<(), DifferenceError> {
        let written = match part {
            Part::Data(data) => {
                self.size -= data.len();
                self.writer.data(&data)
            }
            Part::Copy(old, offset, size) => self.writer.copy(old.path(), offset, size),
            Part::Changed(file) => {
                let compressed = self.wait(&file).map_err(DifferenceError::Read)?;
                return self.write_changed(&file, compressed);
            }
        };
        written.map_err(DifferenceError::Write)
    }

    fn write_changed(
        &mut self,
        file: &ChangedFile,
        compressed: io::Result<Compressed>,
    ) -> Result<(), DifferenceError> {
        self.size -= file.size;
        let (path, size) = (file.old.path(), file.old.size());
        let written = match compressed.map_err(DifferenceError::Read)? {
            Compressed::Frame(frame) => self.writer.frame(path, size, &frame),
            Compressed::Data(pair) => self.writer.data(pair.new_content()),
        };
        written.map_err(DifferenceError::Write)
    }

    /// Waits until a file is compressed.
    fn wait(&self, file: &ChangedFile) -> io::Result<io::Result<Compressed>> {
        loop {
            match file.compressed.recv_timeout(PATIENCE) {
                Ok(compressed) => return Ok(compressed),
                Err(RecvTimeoutError::Timeout) if self.progress.is_interrupted() => {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("a compressing thread panicked"));
                }
            }
        }
    }
}
