//! A count of the bytes that are read.

use std::io::{self, BufRead, Read};

/// Counts the bytes that are read from a reader.
#[derive(Debug)]
pub(crate) struct CountingReader<R> {
    input: R,
    count: u64,
}

impl<R> CountingReader<R> {
    /// Wraps a reader.
    pub(crate) fn new(input: R) -> Self {
        Self { input, count: 0 }
    }

    /// The number of bytes read.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.input.read(buffer)?;
        self.count += length as u64;
        Ok(length)
    }
}

impl<R: BufRead> BufRead for CountingReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.count += amount as u64;
        self.input.consume(amount);
    }
}
