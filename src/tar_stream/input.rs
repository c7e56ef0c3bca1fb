//! The input of a tar reader.

use std::borrow::Borrow;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::ops::Range;

use crate::stream::FileSlice;

/// A reader that can skip bytes, if necessary by reading them.
pub(crate) trait Skip: Read {
    /// Skips `amount` bytes, and returns the number of bytes skipped. If it goes beyond
    /// the end without noticing, the next read reports it.
    fn skip(&mut self, amount: u64) -> io::Result<u64>;
}

/// Skips by reading.
#[derive(Debug)]
pub(crate) struct SkipByReading<R>(pub R);

impl<R: Read> Read for SkipByReading<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: BufRead> BufRead for SkipByReading<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.0.consume(amount);
    }
}

impl<R: Read> Skip for SkipByReading<R> {
    fn skip(&mut self, amount: u64) -> io::Result<u64> {
        io::copy(&mut (&mut self.0).take(amount), &mut io::sink())
    }
}

/// Skips within a buffer, so that nothing is copied.
#[derive(Debug)]
pub(crate) struct Buffered<R>(pub R);

impl<R: Read> Read for Buffered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: BufRead> Skip for Buffered<R> {
    fn skip(&mut self, amount: u64) -> io::Result<u64> {
        let mut left = amount;
        while left > 0 {
            let available = match self.0.fill_buf() {
                Ok([]) => break,
                Ok(buffer) => buffer.len(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let length = usize::try_from(left).map_or(available, |left| left.min(available));
            self.0.consume(length);
            left -= length as u64;
        }
        Ok(amount - left)
    }
}

/// Number of bytes of a [`Section`] read at once, minimum and maximum.
///
/// It should be small if files are large, since most of it is skipped, and large if
/// they are small, since a system call costs more than the bytes of some files. It is
/// adjusted according to the preceding skips.
///
/// The minimum has a header, and before it an extended header with one block.
const SECTION_LEAST: usize = 3 * 512;
const SECTION_MOST: usize = 64 * 1024;

/// Maximum number of bytes beyond the buffer of a [`Section`] in a skip of files that are
/// small.
const NEAR: u64 = 4096;

impl<F: Borrow<File>> Skip for FileSlice<F> {
    fn skip(&mut self, amount: u64) -> io::Result<u64> {
        let leap = amount.min(self.size);
        self.start += leap;
        self.size -= leap;
        Ok(leap)
    }
}

/// A part of a file of which only the needed bytes are read.
#[derive(Debug)]
pub(crate) struct Section {
    /// The part that is not in the buffer yet.
    rest: FileSlice,
    buffer: Box<[u8]>,
    /// The range of the buffer that was read but not consumed.
    held: Range<usize>,
    /// The number of bytes for the next read.
    window: usize,
}

impl Section {
    /// A section of a whole part.
    pub(crate) fn new(slice: FileSlice) -> Self {
        Self {
            rest: slice,
            buffer: vec![0; SECTION_MOST].into(),
            held: 0..0,
            window: SECTION_LEAST,
        }
    }
}

impl BufRead for Section {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.held.is_empty() {
            let length = self.rest.read(&mut self.buffer[..self.window])?;
            self.held = 0..length;
            self.window = (self.window * 2).min(SECTION_MOST);
        }
        Ok(&self.buffer[self.held.clone()])
    }

    fn consume(&mut self, amount: usize) {
        self.held.start += amount;
    }
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl Skip for Section {
    fn skip(&mut self, amount: u64) -> io::Result<u64> {
        let held = self.held.len() as u64;
        if amount <= held {
            self.held.start += usize::try_from(amount).expect("less than is held");
            return Ok(amount);
        }
        self.held = 0..0;
        if amount - held > NEAR {
            // Divided by four, because the last read has doubled it.
            self.window = (self.window / 4).max(SECTION_LEAST);
        }
        Ok(held + self.rest.skip(amount - held)?)
    }
}

/// Fills the buffer, unless the stream ends before that.
pub(crate) fn read_full(input: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match input.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_section_reads_what_lies_between_its_ends_and_leaps() {
        let bytes: Vec<u8> = (0..40_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let mut section = Section::new(FileSlice::new(file, 1_000, 100_000));
        let mut four = [0; 4];
        for (skip, at) in [(0, 0), (6, 10), (30_000, 30_014), (2, 30_020)] {
            assert_eq!(section.skip(skip).unwrap(), skip);
            section.read_exact(&mut four).unwrap();
            assert_eq!(four, bytes[1_000 + at..][..4]);
        }
        assert_eq!(section.skip(80_000).unwrap(), 100_000 - 30_024);
        assert_eq!(section.read(&mut four).unwrap(), 0);
    }

    #[test]
    fn what_is_passed_over_in_a_buffer_ends_with_the_input() {
        let bytes: Vec<u8> = (0..100).collect();
        let mut buffered = Buffered(io::BufReader::with_capacity(7, &bytes[..]));
        let mut one = [0];
        for (skip, skipped, at) in [(0, 0, 0), (5, 5, 6), (20, 20, 27)] {
            assert_eq!(buffered.skip(skip).unwrap(), skipped);
            buffered.read_exact(&mut one).unwrap();
            assert_eq!(one, [at]);
        }
        assert_eq!(buffered.skip(u64::MAX).unwrap(), 72);
        assert_eq!(buffered.read(&mut one).unwrap(), 0);
    }
}
