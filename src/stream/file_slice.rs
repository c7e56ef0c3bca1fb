//! A part of a file, read without moving the file's own position.

use std::borrow::Borrow;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

/// A part of a file, which may be owned, borrowed or shared: several may be read in
/// parallel, each at its own position.
///
/// Reading shortens the part from its start.
#[derive(Debug)]
pub(crate) struct FileSlice<F = File> {
    /// The file.
    pub(crate) file: F,
    /// The start of the part, in bytes.
    pub(crate) start: u64,
    /// Its size in bytes.
    pub(crate) size: u64,
}

impl<F: Borrow<File>> FileSlice<F> {
    /// The same part of another handle of the file.
    pub(crate) fn try_clone(&self) -> io::Result<FileSlice> {
        let file = self.file.borrow().try_clone()?;
        Ok(FileSlice::new(file, self.start, self.size))
    }

    /// `size` bytes from `start` on.
    pub(crate) fn new(file: F, start: u64, size: u64) -> Self {
        Self { file, start, size }
    }

    /// The rest of a file from `start` on, up to its current end.
    ///
    /// # Errors
    ///
    /// Fails if the size of the file cannot be determined.
    pub(crate) fn from(file: F, start: u64) -> io::Result<Self> {
        let size = file.borrow().metadata()?.len().saturating_sub(start);
        Ok(Self::new(file, start, size))
    }

    /// True if it is the whole file.
    pub(crate) fn is_whole(&self) -> bool {
        let has_size = |metadata: Metadata| metadata.len() == self.size;
        self.start == 0 && self.file.borrow().metadata().is_ok_and(has_size)
    }

    /// The part without its first `offset` bytes.
    pub(crate) fn after(&self, offset: u64) -> FileSlice<&File> {
        FileSlice::new(self.file.borrow(), self.start + offset, self.size - offset)
    }
}

impl<F: Borrow<File>> Read for FileSlice<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit = usize::try_from(self.size).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(limit);
        if wanted == 0 {
            return Ok(0);
        }
        let file = self.file.borrow();
        let length = file.read_at(&mut buffer[..wanted], self.start)?;
        if length == 0 {
            let text = "the file shrank while it was read";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        self.start += length as u64;
        self.size -= length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_part_is_read_to_its_end_and_a_file_must_not_become_shorter() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"some bytes in a file").unwrap();
        let mut text = String::new();
        let mut slice = FileSlice::from(&file, 5).unwrap();
        assert!(!slice.is_whole());
        slice.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), slice.size), ("bytes in a file", 0));
        let whole = FileSlice::from(&file, 0).unwrap();
        assert!(whole.is_whole());
        let mut rest = whole.after(15);
        file.set_len(10).unwrap();
        let error = rest.read(&mut [0; 4]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
