//! Failures in a folder, with the path of the entry.

use std::fmt;
use std::io;

use crate::layer::display_start;

/// A failure at an entry.
#[derive(Debug)]
struct EntryFailed {
    /// The path of the entry, escaped.
    entry: String,
    source: io::Error,
}

impl fmt::Display for EntryFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry `{}`: {}", self.entry, self.source)
    }
}

impl std::error::Error for EntryFailed {}

/// Adds the path of an entry to an error, whose kind remains the same.
pub(super) fn at(path: &[u8], error: impl Into<io::Error>) -> io::Error {
    let source = error.into();
    let entry = display(path);
    io::Error::new(source.kind(), EntryFailed { entry, source })
}

/// A path for display, which is not empty for the root.
pub(super) fn display(path: &[u8]) -> String {
    match path {
        b"" => "/".to_owned(),
        path => display_start(path),
    }
}
