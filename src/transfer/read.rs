//! Reading and verifying blobs, for any use of their content.

use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::event::Watch;
use crate::format::Container;
use crate::stream::{Compression, Hashed, Hashes, ProgressReader, TeeReader, unpacked};
use crate::transfer::blob_job::BlobJob;
use crate::transfer::scanned::ScannedHashes;

/// Starts to read a blob.
pub(crate) fn open<'a>(
    container: &'a dyn Container,
    job: &'a BlobJob,
    watch: Watch<'a>,
) -> Result<TeeReader<impl Read + use<'a>>> {
    let stream = container.blob(&job.member).open();
    let stream = stream.map_err(|error| error.while_reading(job.place.clone()))?;
    Ok(TeeReader::new(ProgressReader::new(stream, watch)))
}

/// Unpacks a blob for `read`, and verifies all of it, whichever part `read` uses.
///
/// # Errors
///
/// Fails if `read` fails, but with the digest mismatch if that is the reason.
pub(crate) fn read_unpacked<T>(
    container: &dyn Container,
    job: &BlobJob,
    watch: Watch<'_>,
    read: impl FnOnce(&mut dyn BufRead) -> Result<T>,
) -> Result<T> {
    let (result, _) = read_hashed(container, job, watch, read)?;
    Ok(result)
}

/// The same with the hashes of the blob.
pub(crate) fn read_hashed<T>(
    container: &dyn Container,
    job: &BlobJob,
    watch: Watch<'_>,
    read: impl FnOnce(&mut dyn BufRead) -> Result<T>,
) -> Result<(T, ScannedHashes)> {
    let looked = read_whole(container, job, watch, read)?;
    // If a stream is damaged, a wrong digest is the first thing to report.
    job.verify(&looked.stored, None)?;
    let unpacked = looked.unpacked?;
    job.verify(&looked.stored, Some(&unpacked.digest))?;
    let hashes = ScannedHashes {
        stored: looked.stored,
        unpacked: unpacked.digest,
        leftover: looked.leftover,
    };
    Ok((looked.result?, hashes))
}

/// A blob that was read to its end, whatever its content.
pub(crate) struct WholeRead<T> {
    /// The hash of the stored bytes.
    pub(crate) stored: Hashed,
    /// The hash of the unpacked bytes, if it could be unpacked.
    pub(crate) unpacked: Result<Hashed>,
    /// The number of bytes after the end of its compressed stream.
    pub(crate) leftover: u64,
    /// The result of `read`.
    pub(crate) result: Result<T>,
}

/// Reads a blob to its end without comparing hashes, while `read` uses its unpacked
/// bytes. Unpacking and hashing run in parallel, on threads of their own.
///
/// # Errors
///
/// Fails if the blob cannot be read.
pub(crate) fn read_whole<T>(
    container: &dyn Container,
    job: &BlobJob,
    watch: Watch<'_>,
    read: impl FnOnce(&mut dyn BufRead) -> Result<T>,
) -> Result<WholeRead<T>> {
    let mut stored = open(container, job, watch)?;
    stored.hash(job.stored_algorithm()).map_err(Error::Thread)?;
    let is_plain = job.compression == Compression::None;
    if is_plain && job.stored_algorithm() == job.unpacked_algorithm() {
        let (reached_end, result) = with_reader_thread(&mut stored, read)?;
        reached_end.map_err(|error| damaged(job, error))?;
        let (stored, ..) = hashes(job, stored)?;
        return Ok(WholeRead {
            unpacked: Ok(stored.clone()),
            stored,
            leftover: 0,
            result,
        });
    }
    let unpacked = unpacked(job.compression, &mut stored).map_err(|error| damaged(job, error))?;
    let leftover = unpacked.get_ref().leftover();
    let mut unpacked = TeeReader::new(unpacked);
    unpacked
        .hash(job.unpacked_algorithm())
        .map_err(Error::Thread)?;
    let (reached_end, result) = with_reader_thread(&mut unpacked, read)?;
    let unpacked = reached_end
        .and_then(|()| unpacked.finish())
        .map(|hashes| hashes.stored)
        .map_err(|error| damaged(job, error));
    let (stored, ..) = hashes(job, stored)?;
    Ok(WholeRead {
        stored,
        unpacked,
        leftover: leftover.size(),
        result,
    })
}

/// Reads a stream to its end on another thread, while `read` uses a copy of it on this
/// one. Returns whether the end was reached, and the result of `read`.
///
/// # Errors
///
/// Fails at once if `read` fails for a reason outside of the stream, whose rest is then
/// irrelevant.
fn with_reader_thread<R: Read + Send, T>(
    stream: &mut TeeReader<R>,
    read: impl FnOnce(&mut dyn BufRead) -> Result<T>,
) -> Result<(io::Result<()>, Result<T>)> {
    let mut teed = stream.tee();
    let is_abandoned = AtomicBool::new(false);
    let pass = || {
        // Whatever happens, the other reader must not wait for more.
        let stream = EndTee(stream);
        let stream = &mut *stream.0;
        while !is_abandoned.load(Ordering::Relaxed) {
            let length = stream.fill_buf()?.len();
            if length == 0 {
                break;
            }
            stream.consume(length);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("read".to_owned());
        let passing = builder.spawn_scoped(scope, pass).map_err(Error::Thread)?;
        let result = read(&mut teed);
        let is_elsewhere = result.as_ref().is_err_and(Error::is_elsewhere);
        is_abandoned.store(is_elsewhere, Ordering::Relaxed);
        drop(teed);
        let passed = passing
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("a reading thread panicked")));
        match result {
            Err(error) if is_elsewhere => Err(error),
            result => Ok((passed, result)),
        }
    })
}

/// Ends the tee of a stream when it is dropped.
struct EndTee<'a, R: Read>(&'a mut TeeReader<R>);

impl<R: Read> Drop for EndTee<'_, R> {
    fn drop(&mut self) {
        self.0.end_tee();
    }
}

/// Reads a blob as stored, and compares it with its digest, if that is known. A compressed
/// one is not unpacked.
pub(crate) fn verify_stored(
    container: &dyn Container,
    job: &BlobJob,
    watch: Watch<'_>,
) -> Result<()> {
    let Some(known) = job.known() else {
        return Ok(());
    };
    let mut stream = open(container, job, watch)?;
    stream
        .hash(known.digest.algorithm())
        .map_err(Error::Thread)?;
    if job.compression == Compression::None {
        hash_unpacked(job, &mut stream)?;
    }
    let (stored, unpacked, _) = hashes(job, stream)?;
    job.verify(&stored, unpacked.as_ref())
}

/// Also hashes the unpacked bytes of a layer, unless they are the stored bytes.
pub(crate) fn hash_unpacked<R: Read>(job: &BlobJob, stream: &mut TeeReader<R>) -> Result<()> {
    let algorithm = job.unpacked_algorithm();
    let is_plain = job.compression == Compression::None;
    if job.diff_ids.is_empty() || (is_plain && algorithm == job.stored_algorithm()) {
        return Ok(());
    }
    stream
        .hash_unpacked(job.compression, algorithm)
        .map_err(Error::Thread)
}

fn damaged(job: &BlobJob, source: std::io::Error) -> Error {
    Error::from(source).while_reading(job.place.clone())
}

/// The hash of the stored bytes, and of the unpacked bytes if that was requested; then also
/// the number of bytes after the end of the compressed stream.
pub(crate) fn hashes<R: Read>(
    job: &BlobJob,
    stream: TeeReader<R>,
) -> Result<(Hashed, Option<Digest>, u64)> {
    let Hashes {
        stored,
        unpacked,
        leftover,
    } = stream.finish().map_err(|error| damaged(job, error))?;
    let unpacked = match unpacked {
        Some(unpacked) => Some(unpacked.map_err(|error| damaged(job, error))?.digest),
        None if job.compression == Compression::None => Some(stored.digest.clone()),
        None => None,
    };
    Ok((stored, unpacked, leftover))
}
