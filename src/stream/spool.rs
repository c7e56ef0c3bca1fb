//! A stream that has to be kept: because it must be read in another order, or
//! because its size must be known before it may be written.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// A temporary file that has no name, so that nothing can leave it behind.
#[derive(Debug)]
pub struct Spool {
    file: File,
}

impl Spool {
    /// Makes an empty one in `directory`.
    pub fn new_in(directory: &Path) -> io::Result<Self> {
        Ok(Self {
            file: tempfile::tempfile_in(directory)?,
        })
    }

    /// Returns the file, at its start.
    pub fn into_file(mut self) -> io::Result<File> {
        self.file.seek(SeekFrom::Start(0))?;
        Ok(self.file)
    }
}

impl Write for Spool {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.file.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
