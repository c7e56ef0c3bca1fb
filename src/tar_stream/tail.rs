//! Bytes after the end of a tar.
//!
//! Writers pad a tar with zeros to the size of a record, 10,240 bytes and often more.
//! No reader uses anything else after the end.

use std::io::{self, Read};

use crate::tar_stream::header::{BLOCK, EMPTY_BLOCK, is_tar_header};

/// The size of the read buffer.
const BUFFER: usize = 64 * 1024;

/// Bytes after the end of a tar that are not padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trailing {
    /// The offset of the first block that is not zero, from the start of the stream.
    pub offset: u64,
    /// The number of bytes from there on.
    pub size: u64,
    /// True if they begin with a tar header: two concatenated tars.
    pub is_tar: bool,
}

/// Checks the bytes after the end as they arrive, and keeps one block of them.
#[derive(Debug)]
pub(crate) struct Tail {
    /// The offset of the next byte, from the start of the stream.
    position: u64,
    /// The offset of the first block that is not zero, and that block.
    start: Option<(u64, Vec<u8>)>,
}

impl Tail {
    /// Starts at a position in the stream.
    pub(super) fn new(position: u64) -> Self {
        let start = None;
        Self { position, start }
    }

    /// The offset of the next byte, from the start of the stream.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// True if anything other than zeros was found, and the part of it to keep is
    /// complete.
    pub(crate) fn is_decided(&self) -> bool {
        let block = self.start.as_ref().map_or(0, |(_, block)| block.len());
        block == EMPTY_BLOCK.len()
    }

    /// Adds the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if self.start.is_none() {
            let is_used = |chunk: &[u8]| *chunk != EMPTY_BLOCK[..chunk.len()];
            let blocks = bytes.chunks(EMPTY_BLOCK.len());
            let zeros: usize = blocks
                .take_while(|chunk| !is_used(chunk))
                .map(<[u8]>::len)
                .sum();
            rest = &bytes[zeros..];
            if let Some(first) = rest.iter().position(|byte| *byte != 0) {
                let at = self.position + (zeros + first) as u64;
                // The skipped part of the block was zero.
                let before = usize::try_from(at % BLOCK).expect("less than a block");
                self.start = Some((at - before as u64, vec![0; before]));
                rest = &rest[first..];
            }
        }
        if let Some((_, block)) = &mut self.start {
            let wanted = EMPTY_BLOCK.len() - block.len();
            block.extend_from_slice(&rest[..wanted.min(rest.len())]);
        }
        self.position += bytes.len() as u64;
    }

    /// Skips bytes that are zero, or of which only the number matters.
    pub(crate) fn pass(&mut self, amount: u64) {
        self.position += amount;
    }

    /// Reads an input to its end.
    pub(super) fn read(mut self, input: &mut dyn Read) -> io::Result<Option<Trailing>> {
        let mut buffer = vec![0; BUFFER];
        loop {
            match input.read(&mut buffer) {
                Ok(0) => return Ok(self.finish()),
                Ok(length) => self.push(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the data, if there is any other than zeros.
    pub(crate) fn finish(self) -> Option<Trailing> {
        let (offset, block) = self.start?;
        Some(Trailing {
            offset,
            size: self.position - offset,
            is_tar: is_tar_header(&block),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar_stream::fixture::header;

    /// Checks that every split of the bytes into two gives the same result.
    fn seen(bytes: &[u8]) -> Option<(u64, u64, bool)> {
        let whole = |cut: usize| {
            let mut tail = Tail::new(1024);
            tail.push(&bytes[..cut]);
            tail.push(&bytes[cut..]);
            tail.finish()
        };
        let first = whole(0);
        for cut in 0..=bytes.len() {
            assert_eq!(whole(cut), first, "cut at {cut}");
        }
        let read = Tail::new(1024).read(&mut &*bytes).unwrap();
        assert_eq!(read, first);
        first.map(|it| (it.offset, it.size, it.is_tar))
    }

    #[test]
    fn zeros_are_padding_and_all_else_begins_at_a_block() {
        let zeros = |count| vec![0; count];
        let header = header("a", b'0', 0);
        let header = header.as_slice();
        assert_eq!(seen(&[]), None);
        assert_eq!(seen(&zeros(2_000)), None);
        assert_eq!(seen(b"x"), Some((1024, 1, false)));
        assert_eq!(seen(header), Some((1024, 512, true)));
        let second = [zeros(1024).as_slice(), header, b"more"].concat();
        assert_eq!(seen(&second), Some((2048, 516, true)));
        let odd = [zeros(700).as_slice(), b"x"].concat();
        assert_eq!(seen(&odd), Some((1536, 189, false)));
    }
}
