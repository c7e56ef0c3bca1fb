//! The destination of an output.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use crate::error::Place;
use crate::format::Format;
use crate::stream::{Encoding, OpenedFile};

/// An output that was not begun yet: a file, a folder, or a stream.
///
/// At a path nothing appears before the output is complete.
pub struct Output {
    pub(crate) format: Format,
    pub(super) place: Place,
    pub(super) to: OutputTo,
    pub(super) encoding: Encoding,
}

/// The destination of an output's bytes.
pub(super) enum OutputTo {
    /// To a file or a folder.
    Path {
        /// Its path.
        path: PathBuf,
        /// True if an existing file may be replaced.
        replace: bool,
    },
    /// A writer, which receives the bytes immediately.
    Stream(Box<dyn Write + Send>),
}

impl Output {
    /// A file, or a folder if the format is [`Format::OciDirectory`].
    #[must_use]
    pub fn path(format: Format, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            format,
            place: Place::Path(path.clone()),
            to: OutputTo::Path {
                path,
                replace: false,
            },
            encoding: Encoding::Plain,
        }
    }

    /// A docker archive in a file.
    #[must_use]
    pub fn archive(path: impl Into<PathBuf>) -> Self {
        Self::path(Format::DockerArchive, path)
    }

    /// An OCI layout in a folder. Images are added to an existing layout.
    #[must_use]
    pub fn layout(path: impl Into<PathBuf>) -> Self {
        Self::path(Format::OciDirectory, path)
    }

    /// A writer, such as standard output, which receives bytes before the output is
    /// complete. `place` is its name in messages. A layout in a folder cannot be
    /// written to it.
    #[must_use]
    pub fn stream(format: Format, stream: impl Write + Send + 'static, place: Place) -> Self {
        Self {
            format,
            place,
            to: OutputTo::Stream(Box::new(stream)),
            encoding: Encoding::Plain,
        }
    }

    /// An open file, such as standard output, which receives bytes like any other
    /// [`stream`](Self::stream). One that is still empty grows faster: space on the disk is
    /// allocated ahead of the writer.
    #[must_use]
    pub fn file(format: Format, file: File, place: Place) -> Self {
        match OpenedFile::new(file) {
            Ok(file) => Self::stream(format, file, place),
            Err(file) => Self::stream(format, file, place),
        }
    }

    /// Allows an existing file to be replaced; by default it is not.
    #[must_use]
    pub fn replace(mut self, is_allowed: bool) -> Self {
        if let OutputTo::Path { replace, .. } = &mut self.to {
            *replace = is_allowed;
        }
        self
    }

    /// Compresses the tar as a whole; by default it is uncompressed, whatever its name.
    /// A layout in a folder cannot be compressed.
    #[must_use]
    pub fn compressed(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("format", &self.format)
            .field("place", &self.place)
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}
