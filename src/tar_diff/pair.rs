//! The content of a new file in memory, and that of the old one that it is like.

use std::io::{self, Read};

use crate::tar_diff::old_files::OldFile;
use crate::tar_stream::read_full;

/// A buffer of this many bytes is large.
const LARGE: usize = 2 << 20;

/// Memory of this many bytes is given back when it is freed, and only costs the pages that
/// are used. Of less, glibc keeps as much as was once freed, which nobody may need again.
const GIVEN_BACK: usize = 33 << 20;

/// A buffer of at least this many bytes, zeros, for content that is soon freed.
pub(super) fn buffer(size: usize) -> Vec<u8> {
    let is_large = size >= LARGE;
    vec![0; if is_large { size.max(GIVEN_BACK) } else { size }]
}

/// Gives the unused end of a buffer back.
pub(super) fn shrink(buffer: &mut Vec<u8>) {
    // What is large may only be given back as a whole.
    if buffer.len() < LARGE {
        buffer.shrink_to_fit();
    }
}

/// Two contents, the old one first. zstd searches them faster if they are adjacent.
#[derive(Debug)]
pub(super) struct Pair {
    bytes: Vec<u8>,
    old_size: usize,
}

impl Pair {
    /// Reads a new content of at most `size` bytes. There is room for an old one of
    /// `old_size` bytes before it.
    pub(super) fn read(old_size: usize, size: usize, content: &mut dyn Read) -> io::Result<Self> {
        let both = old_size + size;
        let mut bytes = buffer(both);
        let length = read_full(content, &mut bytes[old_size..both])?;
        bytes.truncate(old_size + length);
        Ok(Self { bytes, old_size })
    }

    /// Reads the old content.
    pub(super) fn read_old(&mut self, old: &OldFile) -> io::Result<()> {
        old.read_at(0, &mut self.bytes[..self.old_size])
    }

    /// The old content.
    pub(super) fn old(&self) -> &[u8] {
        &self.bytes[..self.old_size]
    }

    /// The new content.
    pub(super) fn new_content(&self) -> &[u8] {
        &self.bytes[self.old_size..]
    }

    /// The size of both together.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }
}
