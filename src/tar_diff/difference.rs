//! Making a tar-diff of a new tar.

use std::cell::RefCell;
use std::io::{self, BufRead, Read, Write};
use std::rc::Rc;

use crate::limits::TAR_DIFF_SOURCE_MAX;
use crate::progress::Progress;
use crate::tar_diff::chunks::{Chunks, each_chunk};
use crate::tar_diff::frame;
use crate::tar_diff::old_files::{Finder, OldFiles};
use crate::tar_diff::operations::clean_path;
use crate::tar_diff::writer::Writer;
use crate::tar_stream::{Kind, Skip, TarError, TarReader};

/// Number of bytes that an operation with a source takes at most beside its frame.
const OVERHEAD: usize = 24;

/// A frame that is this many times smaller than its content is smaller than what data is
/// usually compressed to.
const CLEAR_GAIN: usize = 6;

/// The two ways in which making a tar-diff fails.
#[derive(Debug)]
pub(crate) enum DifferenceError {
    /// The new tar, or a file of the old tree, cannot be read.
    Read(io::Error),
    /// The tar-diff cannot be written.
    Write(io::Error),
}

/// Writes the tar-diff that makes a stream, which should be a tar, from old files.
/// Returns the output, and the size of the stream.
pub(crate) fn write_difference<W: Write>(
    stream: &mut dyn BufRead,
    files: &OldFiles,
    level: i32,
    progress: &dyn Progress,
    output: W,
) -> Result<(W, u64), DifferenceError> {
    let writer = Writer::new(output, level).map_err(DifferenceError::Write)?;
    let shared = Rc::new(RefCell::new(Shared {
        writer,
        is_paused: false,
        size: 0,
        failure: None,
    }));
    let result = Difference {
        shared: shared.clone(),
        finder: Finder::new(files),
        level,
        progress,
    }
    .run(stream);
    let shared = Rc::into_inner(shared)
        .expect("the reader is gone")
        .into_inner();
    if let Some(failure) = shared.failure {
        return Err(DifferenceError::Write(failure));
    }
    result.map_err(DifferenceError::Read)?;
    let output = shared.writer.finish().map_err(DifferenceError::Write)?;
    Ok((output, shared.size))
}

/// The writer, which gets what the reader of the tar reads.
struct Shared<W: Write> {
    writer: Writer<W>,
    /// True while bytes are read that are written in another way.
    is_paused: bool,
    /// The number of bytes that were read.
    size: u64,
    /// The reason why the writer failed.
    failure: Option<io::Error>,
}

impl<W: Write> Shared<W> {
    /// Writes something, and remembers a failure.
    fn write(&mut self, write: impl FnOnce(&mut Writer<W>) -> io::Result<()>) -> io::Result<()> {
        write(&mut self.writer).map_err(|error| {
            let kind = error.kind();
            self.failure = Some(error);
            kind.into()
        })
    }
}

/// The new tar, of which everything that is read becomes data unless that is paused.
struct Capture<'a, W: Write> {
    input: &'a mut dyn BufRead,
    shared: Rc<RefCell<Shared<W>>>,
}

impl<W: Write> Read for Capture<'_, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.input.read(buffer)?;
        let mut shared = self.shared.borrow_mut();
        shared.size += length as u64;
        if !shared.is_paused {
            shared.write(|writer| writer.data(&buffer[..length]))?;
        }
        Ok(length)
    }
}

impl<W: Write> Skip for Capture<'_, W> {
    fn skip(&mut self, amount: u64) -> io::Result<u64> {
        io::copy(&mut self.take(amount), &mut io::sink())
    }
}

/// The content of a member, which may be truncated: that is for others to notice.
struct UntilEnd<'a>(&'a mut dyn Read);

impl Read for UntilEnd<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).or_else(|error| {
            let inner = error.get_ref();
            let is_end = inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<TarError>);
            if is_end { Ok(0) } else { Err(error) }
        })
    }
}

/// True if a frame takes less room than its content as data.
fn pays(frame: &[u8], content: &[u8]) -> io::Result<bool> {
    let size = frame.len() + OVERHEAD;
    Ok(size < content.len() / CLEAR_GAIN || (size as u64) < frame::size_alone(content)?)
}

struct Difference<'a, W: Write> {
    shared: Rc<RefCell<Shared<W>>>,
    finder: Finder<'a>,
    level: i32,
    progress: &'a dyn Progress,
}

impl<W: Write> Difference<'_, W> {
    fn run(mut self, stream: &mut dyn BufRead) -> io::Result<()> {
        let input = Capture {
            input: stream,
            shared: self.shared.clone(),
        };
        let mut tar = TarReader::new(input);
        loop {
            if self.progress.is_interrupted() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            match tar.next_member() {
                Ok(Some(member)) if member.kind == Kind::File && member.size > 0 => {
                    let path = clean_path(&member.path);
                    self.shared.borrow_mut().is_paused = true;
                    let written = self.file(&path, member.size, &mut UntilEnd(&mut tar));
                    self.shared.borrow_mut().is_paused = false;
                    written?;
                }
                Ok(Some(_)) => {}
                // Whatever it is, the rest of it is data.
                Ok(None) | Err(_) => break,
            }
        }
        let mut input = tar.into_inner();
        io::copy(&mut input, &mut io::sink())?;
        Ok(())
    }

    fn write(&self, write: impl FnOnce(&mut Writer<W>) -> io::Result<()>) -> io::Result<()> {
        self.shared.borrow_mut().write(write)
    }

    /// Writes the content of a file.
    fn file(&mut self, path: &[u8], size: u64, content: &mut dyn Read) -> io::Result<()> {
        if size > TAR_DIFF_SOURCE_MAX {
            return self.large_file(path, size, content);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        content.read_to_end(&mut bytes)?;
        if let Some(same) = self.finder.same(path, &bytes)? {
            return self.write(|writer| writer.copy(same.path(), 0, same.size()));
        }
        match self.finder.like(path, size) {
            Some(old) if old.size() > TAR_DIFF_SOURCE_MAX => {
                let chunks = Chunks::of(old, self.progress)?;
                self.chunks(&chunks, &mut bytes.as_slice())
            }
            Some(old) => {
                let frame = frame::compress(&bytes, &old.read()?, self.level)?;
                match frame {
                    Some(frame) if pays(&frame, &bytes)? => {
                        self.write(|writer| writer.frame(old.path(), old.size(), &frame))
                    }
                    _ => self.write(|writer| writer.data(&bytes)),
                }
            }
            None => self.write(|writer| writer.data(&bytes)),
        }
    }

    /// Writes the content of a file that is not held in memory.
    fn large_file(&self, path: &[u8], size: u64, content: &mut dyn Read) -> io::Result<()> {
        if let Some(old) = self.finder.like(path, size) {
            let chunks = Chunks::of(old, self.progress)?;
            return self.chunks(&chunks, content);
        }
        each_chunk(content, self.progress, |chunk| {
            self.write(|writer| writer.data(chunk))
        })
    }

    fn chunks(&self, chunks: &Chunks<'_>, content: &mut dyn Read) -> io::Result<()> {
        each_chunk(content, self.progress, |chunk| {
            match chunks.find(chunk)? {
                Some(offset) => {
                    let size = chunk.len() as u64;
                    self.write(|writer| writer.copy(chunks.path(), offset, size))
                }
                None => self.write(|writer| writer.data(chunk)),
            }
        })
    }
}
