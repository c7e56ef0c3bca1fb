//! Making a tar-diff of a new tar.

use std::cell::RefCell;
use std::io::{self, BufRead, Read, Write};
use std::rc::Rc;
use std::sync::Arc;

use crate::limits::TAR_DIFF_SOURCE_MAX;
use crate::progress::Progress;
use crate::stream::Workers;
use crate::tar_diff::chunks::{Chunks, each_chunk};
use crate::tar_diff::old_files::{Finder, OldFile, OldFiles};
use crate::tar_diff::operations::clean_path;
use crate::tar_diff::ordered::{DifferenceError, OrderedWriter};
use crate::tar_stream::{Kind, Skip, TarError, TarReader};

/// Number of bytes of a large file that are compared with an old one at a time.
const BLOCK: u64 = 64 * 1024;

/// Writes the tar-diff that makes a stream, which should be a tar, from old files. The
/// workers compress changed files, and the output is the same for any number of them.
/// Returns the output, and the size of the stream.
pub(crate) fn write_difference<W: Write>(
    stream: &mut dyn BufRead,
    files: &OldFiles,
    level: i32,
    workers: &Workers,
    progress: &dyn Progress,
    output: W,
) -> Result<(W, u64), DifferenceError> {
    let writer = OrderedWriter::new(output, level, workers, progress)?;
    let shared = Rc::new(RefCell::new(Shared {
        writer,
        is_paused: false,
        size: 0,
        failure: None,
    }));
    let result = Difference {
        shared: shared.clone(),
        finder: Finder::new(files),
        progress,
    }
    .run(stream);
    let shared = Rc::into_inner(shared)
        .expect("the reader is gone")
        .into_inner();
    if let Some(failure) = shared.failure {
        return Err(failure);
    }
    result.map_err(DifferenceError::Read)?;
    Ok((shared.writer.finish()?, shared.size))
}

/// The writer, which gets what the reader of the tar reads.
struct Shared<'a, W: Write> {
    writer: OrderedWriter<'a, W>,
    /// True while bytes are read that are written in another way.
    is_paused: bool,
    /// The number of bytes that were read.
    size: u64,
    /// The reason why nothing more is written.
    failure: Option<DifferenceError>,
}

impl<'a, W: Write> Shared<'a, W> {
    /// Writes something, and remembers a failure.
    fn write(
        &mut self,
        write: impl FnOnce(&mut OrderedWriter<'a, W>) -> Result<(), DifferenceError>,
    ) -> io::Result<()> {
        if self.failure.is_none() {
            self.failure = write(&mut self.writer).err();
        }
        match self.failure {
            // Not the kind of it: reading goes on after some.
            Some(_) => Err(io::ErrorKind::Other.into()),
            None => Ok(()),
        }
    }
}

/// The new tar, of which everything that is read becomes data unless that is paused.
struct Capture<'a, W: Write> {
    input: &'a mut dyn BufRead,
    shared: Rc<RefCell<Shared<'a, W>>>,
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

struct Difference<'a, W: Write> {
    shared: Rc<RefCell<Shared<'a, W>>>,
    finder: Finder<'a>,
    progress: &'a dyn Progress,
}

impl<'a, W: Write> Difference<'a, W> {
    fn run(mut self, stream: &'a mut dyn BufRead) -> io::Result<()> {
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

    fn write(
        &self,
        write: impl FnOnce(&mut OrderedWriter<'a, W>) -> Result<(), DifferenceError>,
    ) -> io::Result<()> {
        self.shared.borrow_mut().write(write)
    }

    /// Writes the content of a file.
    fn file(&mut self, path: &[u8], size: u64, content: &mut dyn Read) -> io::Result<()> {
        if size > TAR_DIFF_SOURCE_MAX {
            return self.large_file(path, size, content);
        }
        let size = usize::try_from(size).unwrap_or_default();
        self.write(|writer| writer.make_room(size))?;
        let mut bytes = Vec::with_capacity(size);
        content.read_to_end(&mut bytes)?;
        if let Some(same) = self.finder.same(path, &bytes)? {
            return self.write(|writer| writer.copy(same, 0, same.size()));
        }
        match self.finder.like(path, size as u64) {
            Some(old) if old.size() > TAR_DIFF_SOURCE_MAX => {
                self.chunks(old, &mut bytes.as_slice())
            }
            Some(old) => self.write(|writer| writer.changed(bytes, old)),
            None => self.write(|writer| writer.data(&bytes)),
        }
    }

    /// Writes the content of a file that is not held in memory.
    fn large_file(&self, path: &[u8], size: u64, content: &mut dyn Read) -> io::Result<()> {
        if let Some(old) = self.finder.like(path, size) {
            let rest = self.same_start(old, content)?;
            return self.chunks(old, &mut rest.chain(content));
        }
        each_chunk(content, self.progress, |chunk| {
            self.write(|writer| writer.data(chunk))
        })
    }

    /// Copies the start that a file has in common with an old one. Returns the bytes after
    /// it that were read.
    fn same_start(
        &self,
        old: &Arc<OldFile>,
        content: &mut dyn Read,
    ) -> io::Result<io::Cursor<Vec<u8>>> {
        let mut offset = 0;
        loop {
            if self.progress.is_interrupted() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let mut block = Vec::new();
            let length = (&mut *content).take(BLOCK).read_to_end(&mut block)? as u64;
            let is_same = offset + length <= old.size() && old.has(offset, &block)?;
            if length == 0 || !is_same {
                return Ok(io::Cursor::new(block));
            }
            self.write(|writer| writer.copy(old, offset, length))?;
            offset += length;
        }
    }

    /// Writes content as the chunks of an old file that it has.
    fn chunks(&self, old: &Arc<OldFile>, content: &mut dyn Read) -> io::Result<()> {
        let mut chunks = None;
        each_chunk(content, self.progress, |chunk| {
            let chunks = match &mut chunks {
                Some(chunks) => chunks,
                None => chunks.insert(Chunks::of(old, self.progress)?),
            };
            match chunks.find(chunk)? {
                Some(offset) => {
                    let size = chunk.len() as u64;
                    self.write(|writer| writer.copy(old, offset, size))
                }
                None => self.write(|writer| writer.data(chunk)),
            }
        })
    }
}
