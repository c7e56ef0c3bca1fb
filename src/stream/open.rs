//! Opening what a path is expected to lead to, and nothing else: a named pipe in its place
//! would block for ever, and a device can do anything.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};

/// Opens a regular file for reading.
///
/// # Errors
///
/// Fails if it is of another type, without waiting.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let other = || io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
    // Even to open a device can have an effect.
    if !fs::metadata(path)?.is_file() {
        return Err(other());
    }
    // It can be replaced in between.
    let file = open_by(path, OFlags::NONBLOCK | OFlags::NOCTTY)?;
    if !file.metadata()?.is_file() {
        return Err(other());
    }
    Ok(file)
}

/// Opens a directory.
///
/// # Errors
///
/// Fails if it is of another type, without waiting.
pub(crate) fn open_directory(path: &Path) -> io::Result<File> {
    open_by(path, OFlags::DIRECTORY)
}

fn open_by(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | flags;
    Ok(open(path, flags, Mode::empty())?.into())
}
