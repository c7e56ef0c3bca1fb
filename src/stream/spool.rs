//! A stream that has to be kept: because it must be read in another order, or
//! because its size must be known before it may be written.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use crate::stream::commit::without_temporary_name;

/// A temporary file that has no name, so that nothing can leave it behind.
#[derive(Debug)]
pub(crate) struct Spool {
    file: File,
}

impl Spool {
    /// Makes an empty one in `directory`.
    pub(crate) fn new_in(directory: &Path) -> io::Result<Self> {
        let file = tempfile::tempfile_in(directory)
            .map_err(|error| without_temporary_name(directory, &error))?;
        Ok(Self { file })
    }

    /// Returns the file, at its start.
    pub(crate) fn into_file(mut self) -> io::Result<File> {
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
