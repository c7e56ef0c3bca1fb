//! The origin of an input.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::PathBuf;

use crate::error::Place;
use crate::format::Format;

/// An input that was not opened yet: a file, a folder, or a pipe.
///
/// Its format is detected from its content, unless [`format`](Self::format) sets it.
pub struct Input {
    pub(crate) format: Option<Format>,
    place: Place,
    pub(super) bytes: InputBytes,
}

/// The bytes of an input.
pub(super) enum InputBytes {
    /// The bytes of a file or a folder.
    Path(PathBuf),
    /// The bytes of an open file, from its current position on.
    File(File),
    /// The bytes from a pipe.
    Pipe(Box<dyn Read + Send>),
}

/// The bytes of an input, ready to be read.
pub(super) enum OpenBytes {
    /// A folder.
    Folder(PathBuf),
    /// A file, and the offset of the input in it.
    File(File, u64),
    /// A stream that can be read once.
    Pipe(Box<dyn Read + Send>),
}

impl InputBytes {
    /// Opens them.
    pub(super) fn open(self) -> io::Result<OpenBytes> {
        match self {
            Self::Path(path) => {
                let metadata = fs::metadata(&path)?;
                if metadata.is_dir() {
                    return Ok(OpenBytes::Folder(path));
                }
                let file = File::open(path)?;
                if metadata.is_file() {
                    Ok(OpenBytes::File(file, 0))
                } else {
                    Ok(OpenBytes::Pipe(Box::new(file)))
                }
            }
            Self::File(mut file) => {
                let start = file.stream_position()?;
                Ok(OpenBytes::File(file, start))
            }
            Self::Pipe(stream) => Ok(OpenBytes::Pipe(stream)),
        }
    }
}

impl Input {
    fn new(place: Place, bytes: InputBytes) -> Self {
        Self {
            format: None,
            place,
            bytes,
        }
    }

    /// A file or a folder.
    #[must_use]
    pub fn path(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self::new(Place::Path(path.clone()), InputBytes::Path(path))
    }

    /// An open regular file, such as standard input; the input starts at its current
    /// position. `place` is its name in messages.
    #[must_use]
    pub fn file(file: File, place: Place) -> Self {
        Self::new(place, InputBytes::File(file))
    }

    /// A stream that can be read once, such as a pipe. `place` is its name in messages.
    #[must_use]
    pub fn pipe(stream: impl Read + Send + 'static, place: Place) -> Self {
        Self::new(place, InputBytes::Pipe(Box::new(stream)))
    }

    /// Sets the expected format; an input of any other is refused. Any tar can be read
    /// as a root filesystem.
    #[must_use]
    pub fn format(mut self, format: impl Into<Option<Format>>) -> Self {
        self.format = format.into();
        self
    }

    /// Its name in messages.
    pub(crate) fn place(&self) -> Place {
        self.place.clone()
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("format", &self.format)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
