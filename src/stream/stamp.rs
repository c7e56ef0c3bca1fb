//! The state of a file at one time, to notice that somebody else writes to it.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

/// The state of a file of the input, which is another one after a change.
///
/// A store through a shared mapping (`mmap`) into a page that is already dirty changes no
/// time, and is not noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    /// The time of the last change of anything, names included. Programs cannot set it, as
    /// they can set the other one.
    touched: (i64, i64),
}

impl Stamp {
    /// The state of an open file.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            touched: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// True if something was written to the file, as far as its times tell.
    pub(crate) fn was_written(&self, later: &Self) -> bool {
        let written = |it: &Self| (it.file, it.size, it.modified);
        written(self) != written(later)
    }

    /// Compares the state of a file with that of now.
    ///
    /// # Errors
    ///
    /// Fails if the file was written to.
    pub(crate) fn compare(&self, file: &File) -> io::Result<Self> {
        let now = Self::of(file)?;
        if self.was_written(&now) {
            return Err(changed());
        }
        Ok(now)
    }
}

/// The error for a file that was written to between two readings.
pub(crate) fn changed() -> io::Error {
    io::Error::other("the file changed while it was read")
}
