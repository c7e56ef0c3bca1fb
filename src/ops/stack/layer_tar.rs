//! The opened, unpacked tar of a layer.

use std::io::{self, BufRead, Read};
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::event::Watch;
use crate::format::{Container, Member};
use crate::layer::{EntryFault, LayerError};
use crate::stream::{
    Compression, Decoder, FileSlice, Hashed, ProgressReader, Spool, SpoolSpace, SpoolingReader,
    TeeReader, unpacked,
};
use crate::tar_stream::{Buffered, Section, Skip, TarError};
use crate::transfer::Context;
use crate::transfer::blob_job::BlobJob;
use crate::transfer::parallel::STREAMS_MAX;
use crate::transfer::scanned::ScannedHashes;

/// The unpacked tar of a layer, from start to end.
pub(in crate::ops) struct LayerTar<'a> {
    input: Input<'a>,
    /// The number of its bytes that were read or skipped.
    position: u64,
}

enum Input<'a> {
    /// An uncompressed layer in a file, with this size in bytes: skipped parts are not
    /// read.
    File(Section, u64),
    /// Any other layer, which is unpacked as a stream.
    Stream(Box<dyn BufRead + 'a>),
}

/// Opens the tar of a layer for `read`. In an uncompressed layer in a file, the parts
/// that `read` skips are not read, and do not count as progress.
///
/// # Errors
///
/// Fails if the layer cannot be unpacked, or if `read` fails. An error of the unpacked
/// stream is one of the compression.
pub(in crate::ops) fn read_layer<T>(
    container: &dyn Container,
    blob: &Member,
    compression: Compression,
    watch: Watch<'_>,
    read: impl FnOnce(LayerTar<'_>) -> Result<T>,
) -> Result<T> {
    if compression == Compression::None
        && let Some(slice) = container.blob(blob).slice()?
    {
        return read(LayerTar::of_file(slice));
    }
    let stream = ProgressReader::new(container.blob(blob).open()?, watch);
    let stream = unpacked(compression, stream)?;
    read(LayerTar::of_stream(stream)).map_err(blame_compression)
}

/// Opens the tar of a layer for `read`, which must read all of it. Returns the hash of
/// its stored bytes and a copy of the unpacked ones, if there is space for it, too.
///
/// # Errors
///
/// Fails if the layer cannot be unpacked, or if `read` fails, as [`read_layer`] does.
pub(super) fn read_layer_to_spool<T>(
    container: &dyn Container,
    job: &BlobJob,
    watch: Watch<'_>,
    space: &Arc<SpoolSpace>,
    read: impl FnOnce(LayerTar<'_>) -> Result<T>,
) -> Result<(T, Hashed, Option<Spool>)> {
    let stream = container.blob(&job.member).open()?;
    let mut stream = TeeReader::new(ProgressReader::new(stream, watch));
    stream.hash(job.stored_algorithm()).map_err(Error::Thread)?;
    let decoder = Decoder::new(job.compression, &mut stream)?;
    let mut unpacked = SpoolingReader::new(decoder, job.member.size, space);
    let result = read(LayerTar::of_stream(&mut unpacked)).map_err(blame_compression)?;
    let (_, spool) = unpacked.finish();
    Ok((result, stream.finish()?.stored, spool))
}

/// Opens the tar of a layer for `read`, which must read all of it. Returns the hashes of
/// its stored and of its unpacked bytes, too.
///
/// # Errors
///
/// Fails if the layer cannot be unpacked, or if `read` fails, as [`read_layer`] does.
pub(super) fn read_layer_hashed<T>(
    container: &dyn Container,
    job: &BlobJob,
    watch: Watch<'_>,
    read: impl FnOnce(LayerTar<'_>) -> Result<T>,
) -> Result<(T, ScannedHashes)> {
    let stream = container.blob(&job.member).open()?;
    let mut stream = TeeReader::new(ProgressReader::new(stream, watch));
    stream.hash(job.stored_algorithm()).map_err(Error::Thread)?;
    let decoder = Decoder::new(job.compression, &mut stream)?;
    let leftover = decoder.leftover();
    let mut unpacked = TeeReader::new(decoder);
    let algorithm = job.unpacked_algorithm();
    unpacked.hash(algorithm).map_err(Error::Thread)?;
    let result = read(LayerTar::of_stream(&mut unpacked)).map_err(blame_compression)?;
    let unpacked = unpacked.finish()?.stored.digest;
    let stored = stream.finish()?.stored;
    let hashes = ScannedHashes {
        stored,
        unpacked,
        leftover: leftover.size(),
    };
    Ok((result, hashes))
}

/// The number of layers, or other blobs, that are read in parallel.
pub(in crate::ops) fn streams(container: &dyn Container, context: Context<'_>) -> NonZeroUsize {
    if container.is_sequential() {
        return NonZeroUsize::MIN;
    }
    context.jobs.min(STREAMS_MAX)
}

/// Reports an error of a layer that cannot be unpacked as one of its compression.
pub(super) fn blame_compression(error: Error) -> Error {
    match error {
        Error::Layer(
            LayerError::Tar(TarError::Io(source))
            | LayerError::Behind {
                fault: TarError::Io(source),
                ..
            }
            | LayerError::Entry {
                fault: EntryFault::Tar(TarError::Io(source)),
                ..
            },
        ) => source.into(),
        other => other,
    }
}

impl<'a> LayerTar<'a> {
    /// A layer in a file.
    pub(super) fn of_file(slice: FileSlice) -> Self {
        let size = slice.size;
        Self::new(Input::File(Section::new(slice), size))
    }

    /// A layer that is unpacked as a stream.
    pub(super) fn of_stream(stream: impl BufRead + 'a) -> Self {
        Self::new(Input::Stream(Box::new(stream)))
    }

    fn new(input: Input<'a>) -> Self {
        Self { input, position: 0 }
    }

    /// The size of the whole layer in bytes. The rest of it is read if necessary.
    pub(super) fn into_size(self) -> io::Result<u64> {
        match self.input {
            Input::File(_, size) => Ok(size),
            Input::Stream(mut stream) => {
                let rest = Buffered(&mut *stream).skip(u64::MAX)?;
                Ok(self.position + rest)
            }
        }
    }
}

impl Read for LayerTar<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = match &mut self.input {
            Input::File(section, _) => section.read(buffer)?,
            Input::Stream(stream) => stream.read(buffer)?,
        };
        self.position += length as u64;
        Ok(length)
    }
}

impl BufRead for LayerTar<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match &mut self.input {
            Input::File(section, _) => section.fill_buf(),
            Input::Stream(stream) => stream.fill_buf(),
        }
    }

    fn consume(&mut self, amount: usize) {
        match &mut self.input {
            Input::File(section, _) => section.consume(amount),
            Input::Stream(stream) => stream.consume(amount),
        }
        self.position += amount as u64;
    }
}

impl Skip for LayerTar<'_> {
    fn skip(&mut self, amount: u64) -> io::Result<u64> {
        let skipped = match &mut self.input {
            Input::File(section, _) => section.skip(amount)?,
            Input::Stream(stream) => Buffered(&mut **stream).skip(amount)?,
        };
        self.position += skipped;
        Ok(skipped)
    }
}
