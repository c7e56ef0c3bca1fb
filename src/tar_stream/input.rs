//! What a tar is read from.

use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom};

/// A reader that can pass over bytes, if need be by reading them.
pub(crate) trait Skip: Read {
    /// Passes over `amount` bytes. It may go beyond the end, and tell only at
    /// the next read.
    fn skip(&mut self, amount: u64) -> io::Result<()>;
}

/// Skips by reading.
#[derive(Debug)]
pub(crate) struct Skippable<R>(pub R);

impl<R: Read> Read for Skippable<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: BufRead> BufRead for Skippable<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.0.consume(amount);
    }
}

impl<R: Read> Skip for Skippable<R> {
    fn skip(&mut self, amount: u64) -> io::Result<()> {
        io::copy(&mut (&mut self.0).take(amount), &mut io::sink()).map(drop)
    }
}

impl Skip for &File {
    fn skip(&mut self, amount: u64) -> io::Result<()> {
        let amount = i64::try_from(amount).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.seek(SeekFrom::Current(amount)).map(drop)
    }
}

/// Fills the buffer, unless the stream ends before.
pub(super) fn read_full(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
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
