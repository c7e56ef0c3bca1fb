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
use crate::tar_diff::pair::Pair;
use crate::tar_stream::{Kind, Skip, TarError, TarReader, read_full};

/// Number of bytes of a file that are compared with an old one at a time.
const BLOCK: usize = 64 * 1024;

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
        blocks: [vec![0; BLOCK], vec![0; BLOCK]],
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
    /// Room for a piece of a file, and for that of an old one.
    blocks: [Vec<u8>; 2],
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
        if size == 0 {
            // Whoever applies it need not open a file for that.
            return Ok(());
        }
        let replaced = self.finder.at(path).filter(|old| old.size() == size);
        let like = self.finder.like(path, size);
        let source = like.filter(|old| old.size() <= TAR_DIFF_SOURCE_MAX);
        let in_memory = |size| usize::try_from(size).unwrap_or_default();
        let (old_size, new_size) = (
            in_memory(source.map_or(0, |old| old.size())),
            in_memory(size),
        );
        let pair = if let Some(old) = replaced {
            let (same, rest) = self.same_start(old, content)?;
            if same == size {
                return self.write(|writer| writer.copy(old, 0, size));
            }
            self.write(|writer| writer.make_room(old_size + new_size))?;
            let start = old.stream().take(same).chain(rest.as_slice());
            Pair::read(old_size, new_size, &mut start.chain(content))?
        } else {
            self.write(|writer| writer.make_room(old_size + new_size))?;
            Pair::read(old_size, new_size, content)?
        };
        let is_whole = pair.new_content().len() == new_size;
        if !is_whole {
            return self.write(|writer| writer.data(pair.new_content()));
        }
        if let Some(same) = self.finder.same(pair.new_content(), replaced)? {
            return self.write(|writer| writer.copy(same, 0, same.size()));
        }
        match like {
            Some(old) if old.size() > TAR_DIFF_SOURCE_MAX => {
                self.chunks(old, &mut pair.new_content())
            }
            Some(old) => self.write(|writer| writer.changed(pair, old)),
            None => self.write(|writer| writer.data(pair.new_content())),
        }
    }

    /// Writes the content of a file that is not held in memory.
    fn large_file(&mut self, path: &[u8], size: u64, content: &mut dyn Read) -> io::Result<()> {
        if let Some(old) = self.finder.like(path, size) {
            let (same, rest) = self.same_start(old, content)?;
            self.write(|writer| writer.copy(old, 0, same))?;
            return self.chunks(old, &mut rest.chain(content));
        }
        each_chunk(content, self.progress, |chunk| {
            self.write(|writer| writer.data(chunk))
        })
    }

    /// The number of bytes at the start that a file has in common with an old one, and the
    /// bytes after them that were read.
    fn same_start(&mut self, old: &OldFile, content: &mut dyn Read) -> io::Result<(u64, Vec<u8>)> {
        let [block, old_block] = &mut self.blocks;
        let mut offset = 0;
        loop {
            if self.progress.is_interrupted() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let length = read_full(content, block)?;
            let block = &block[..length];
            let is_within = offset + length as u64 <= old.size();
            if length == 0 || !is_within {
                return Ok((offset, block.to_vec()));
            }
            let old_block = &mut old_block[..length];
            old.read_at(offset, old_block)?;
            if old_block != block {
                return Ok((offset, block.to_vec()));
            }
            offset += length as u64;
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
