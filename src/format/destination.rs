//! The destination of output in a single file: a file that appears when it is complete,
//! or a stream that cannot wait.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::error::{Error, Place, Result};
use crate::format::output::{Output, OutputTo};
use crate::stream::{Encoder, Encoding, PendingFile, Workers};

/// An output that is being written.
pub(super) enum Destination {
    /// A file, in which a header can be written after its data.
    File(PendingFile),
    /// A stream, in which it cannot.
    Stream(Box<dyn Write + Send>),
    /// One of these, compressed as a whole, in which it cannot either.
    Compressed(Box<Encoder<Destination>>),
}

impl Destination {
    /// Begins an output, and returns its name in messages. If it is compressed, `jobs`
    /// blocks are compressed in parallel, until the flag is set.
    ///
    /// # Errors
    ///
    /// Fails if the output exists and may not be replaced.
    pub(super) fn open(
        output: Output,
        jobs: NonZeroUsize,
        interrupt: &Arc<AtomicBool>,
    ) -> Result<(Place, Self)> {
        let target = match output.to {
            OutputTo::Stream(stream) => Self::Stream(stream),
            OutputTo::Path { path, replace } => open_path(&path, replace)?,
        };
        if output.encoding == Encoding::Plain {
            return Ok((output.place, target));
        }
        let workers = Workers::start(jobs).map_err(Error::Thread)?;
        let workers = workers.interrupted_by(interrupt).of_archive();
        let encoder = Encoder::new(output.encoding, target, &workers);
        Ok((output.place, Self::Compressed(Box::new(encoder))))
    }

    /// Makes it visible.
    pub(super) fn commit(self, place: &Place) -> Result<()> {
        let failed = |error| Error::write(place.clone(), error);
        match self {
            Self::File(file) => file.commit().map_err(|error| match (error.kind(), place) {
                (io::ErrorKind::AlreadyExists, Place::Path(path)) => {
                    Error::OutputExists(path.clone())
                }
                _ => failed(error),
            }),
            Self::Stream(mut stream) => stream.flush().map_err(failed),
            Self::Compressed(encoder) => encoder.finish().map_err(failed)?.commit(place),
        }
    }
}

impl Write for Destination {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(buffer),
            Self::Stream(stream) => stream.write(buffer),
            Self::Compressed(encoder) => encoder.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stream(stream) => stream.flush(),
            Self::Compressed(encoder) => encoder.flush(),
        }
    }
}

/// A file that will be renamed, or a device, pipe etc., which must be written in place.
///
/// A symbolic link is followed: its target is replaced, and the link remains.
fn open_path(path: &Path, replace: bool) -> Result<Destination> {
    let failed = |error| Error::write(Place::Path(path.to_owned()), error);
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        Ok(metadata) if !metadata.is_file() => {
            let device = OpenOptions::new().write(true).open(path).map_err(failed)?;
            return Ok(Destination::Stream(Box::new(device)));
        }
        // An empty file may be replaced, like those made by mktemp(1).
        Ok(metadata) if metadata.len() == 0 => {}
        // A link that leads nowhere is something that exists, too.
        _ if !replace && fs::symlink_metadata(path).is_ok() => {
            return Err(Error::OutputExists(path.to_owned()));
        }
        _ => {}
    }
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    PendingFile::create(&target, replace)
        .map(Destination::File)
        .map_err(failed)
}
