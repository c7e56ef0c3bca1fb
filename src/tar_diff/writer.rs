//! The writer of a tar-diff.

use std::io::{self, Write};

use zstd::stream::write::Encoder;

use crate::tar_diff::frame::TWO_TABLES_MAX;
use crate::tar_diff::{COPY, DATA, FRAME, MAGIC_2, OPEN, SEEK};

/// Data is collected up to this many bytes for one operation.
const DATA_MOST: usize = 256 * 1024;

/// Up to the level at which frames are made of two tables, the level of the stream around
/// them, at most: most of it are frames, which do not become smaller, and a higher level
/// takes twice the time or more for three in a thousand bytes of the rest.
const LEVEL_MOST: i32 = 6;

/// Writes a tar-diff.
#[must_use = "the end is only written at `finish`"]
pub(super) struct Writer<W: Write> {
    output: Encoder<'static, W>,
    data: Vec<u8>,
    /// The open file, and the position in it.
    open: Option<(Vec<u8>, u64)>,
    /// The end of a copy that is not written yet, and its size.
    copy: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a tar-diff with this level of zstd.
    pub(super) fn new(mut output: W, level: i32) -> io::Result<Self> {
        output.write_all(MAGIC_2)?;
        let level = match level {
            ..=TWO_TABLES_MAX => level.min(LEVEL_MOST),
            level => level,
        };
        Ok(Self {
            output: Encoder::new(output, level)?,
            data: Vec::with_capacity(DATA_MOST),
            open: None,
            copy: 0,
        })
    }

    /// Emits these bytes.
    pub(super) fn data(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if !bytes.is_empty() {
            self.flush_copy()?;
        }
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(DATA_MOST - self.data.len()));
            self.data.extend_from_slice(now);
            if self.data.len() == DATA_MOST {
                self.flush_data()?;
            }
            bytes = later;
        }
        Ok(())
    }

    /// Emits a part of the file with this path.
    pub(super) fn copy(&mut self, path: &[u8], offset: u64, size: u64) -> io::Result<()> {
        if size == 0 {
            return Ok(());
        }
        self.flush_data()?;
        self.open_at(path, Some(offset))?;
        self.copy += size;
        if let Some((_, position)) = &mut self.open {
            *position += size;
        }
        Ok(())
    }

    /// Emits the content of a zstd frame whose prefix is the file with this path and size.
    pub(super) fn frame(&mut self, path: &[u8], size: u64, frame: &[u8]) -> io::Result<()> {
        self.flush_data()?;
        self.open_at(path, None)?;
        self.flush_copy()?;
        self.operation(FRAME, frame.len() as u64)?;
        self.output.write_all(frame)?;
        if let Some((_, position)) = &mut self.open {
            *position = size;
        }
        Ok(())
    }

    /// Writes the rest, and returns the output.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.flush_copy()?;
        self.flush_data()?;
        self.output.finish()
    }

    /// Opens a file unless it is open, and goes to an offset in it.
    fn open_at(&mut self, path: &[u8], offset: Option<u64>) -> io::Result<()> {
        if self.open.as_ref().is_none_or(|(open, _)| open != path) {
            self.flush_copy()?;
            self.operation(OPEN, path.len() as u64)?;
            self.output.write_all(path)?;
            self.open = Some((path.to_vec(), 0));
        }
        let position = self.open.as_ref().map(|(_, position)| *position);
        if let Some(offset) = offset.filter(|offset| Some(*offset) != position) {
            self.flush_copy()?;
            self.operation(SEEK, offset)?;
            self.open = Some((path.to_vec(), offset));
        }
        Ok(())
    }

    fn flush_copy(&mut self) -> io::Result<()> {
        if self.copy > 0 {
            self.operation(COPY, self.copy)?;
            self.copy = 0;
        }
        Ok(())
    }

    fn flush_data(&mut self) -> io::Result<()> {
        if !self.data.is_empty() {
            self.operation(DATA, self.data.len() as u64)?;
            self.output.write_all(&self.data)?;
            self.data.clear();
        }
        Ok(())
    }

    fn operation(&mut self, kind: u8, mut size: u64) -> io::Result<()> {
        let mut bytes = vec![kind];
        while size >= 0x80 {
            bytes.push(u8::try_from(size & 0x7f).expect("7 bits") | 0x80);
            size >>= 7;
        }
        bytes.push(u8::try_from(size).expect("7 bits"));
        self.output.write_all(&bytes)
    }
}
