//! One blob from the input to the output: verified, and compressed anew where
//! that is wanted.

use std::fs::File;
use std::io::Read;

use crate::digest::{Algorithm, Digest};
use crate::error::{Error, Result};
use crate::event::{Event, Step, Warning, Watch};
use crate::format::sink::{BlobWriter, ImageSink};
use crate::format::{Blob, Container, FileSlice, KnownHashes};
use crate::stream::{
    Compression, CopyError, Encoder, Encoding, HashWriter, Hashed, ProgressReader, TeeReader,
    Workers, copy,
};
use crate::transfer::Context;
use crate::transfer::blob_job::BlobJob;
use crate::transfer::read::{damaged, hash_unpacked, hashes, open, read_unpacked, verify_stored};

/// How much the system copies between two looks at whether the caller wants the end.
const PIECE: u64 = 8 * 1024 * 1024;

/// Copies a part of a file, without a look at the bytes where the output can have it so.
fn copy_slice(
    slice: &FileSlice,
    writer: &mut dyn BlobWriter,
    watch: &Watch<'_>,
) -> Result<(), CopyError> {
    let mut done = 0;
    while done < slice.size && !watch.is_interrupted() {
        let item = PIECE.min(slice.size - done);
        let copied = writer.copy_from(&slice.file, slice.start + done, item);
        if copied == 0 {
            break;
        }
        watch.send(Event::Advanced(copied));
        done += copied;
    }
    let rest = ProgressReader::new(slice.read_from(done), *watch);
    copy(&mut TeeReader::new(rest), writer, watch).map(drop)
}

/// The two ends between which blobs are moved.
#[derive(Clone, Copy)]
pub(crate) struct Transfer<'a> {
    pub(crate) container: &'a dyn Container,
    pub(crate) sink: &'a dyn ImageSink,
    pub(crate) workers: &'a Workers,
    pub(crate) context: Context<'a>,
}

impl Transfer<'_> {
    /// Moves one blob, and returns what was written.
    pub(crate) fn run(&self, job: &BlobJob) -> Result<Hashed> {
        let known = job.known();
        if let Some(known) = &known {
            if self.sink.has(&known.digest) {
                self.verify_source(job)?;
                self.verify_again(job)?;
                return Ok(known.clone());
            }
            if self.is_held(job, known)? {
                self.verify_source(job)?;
                return Ok(known.clone());
            }
        }
        self.context.watch.send(Event::Step(Step::Copying {
            blob: &job.place.to_string(),
            is_recompressed: job.encoding.is_some(),
        }));
        match (job.encoding, self.measured(job)) {
            (None, Some(measured)) => self.pass_on(job, measured),
            (None, None) => self.keep(job, known.as_ref()),
            (Some(encoding), _) => self.recode(job, encoding),
        }
    }

    /// Hashes a blob that has to be named before it can be written.
    pub(crate) fn identify(&self, job: &BlobJob) -> Result<Digest> {
        if let Some(measured) = self.measured(job) {
            return Ok(measured.stored.digest.clone());
        }
        let mut stream = self.open(job)?;
        stream.hash(Algorithm::Sha256).map_err(Error::Thread)?;
        let (stored, _) = self.drain(job, stream)?;
        Ok(stored.digest)
    }

    /// The blob of a job, which stays where it is if another job reads it too.
    fn blob<'b>(&'b self, job: &'b BlobJob) -> Blob<'b> {
        let blob = self.container.blob(&job.member);
        if job.is_last_use { blob } else { blob.shared() }
    }

    fn open<'b>(&'b self, job: &'b BlobJob) -> Result<TeeReader<impl Read + use<'b>>> {
        open(self.container, job, self.context.watch)
    }

    /// The part of a file that a blob is, if it is one.
    fn slice(&self, job: &BlobJob) -> Result<Option<FileSlice>> {
        let slice = self.blob(job).slice();
        slice.map_err(|error| error.while_reading(job.place.clone()))
    }

    /// Reads a blob that need not be written, if something was made of what is in it.
    fn verify_source(&self, job: &BlobJob) -> Result<()> {
        if job.is_always_read {
            verify_stored(self.container, job, self.context.watch)?;
        }
        Ok(())
    }

    /// Reads a blob that was written for another job, if this one has more to say of
    /// what it unpacks to, or cannot be the same.
    fn verify_again(&self, job: &BlobJob) -> Result<()> {
        let says_no_more = job.diff_ids.is_empty() || job.compression == Compression::None;
        if says_no_more && !job.has_conflicting_size {
            return Ok(());
        }
        let mut stream = self.open(job)?;
        stream.hash(job.stored_algorithm()).map_err(Error::Thread)?;
        hash_unpacked(job, &mut stream)?;
        let (stored, unpacked) = self.drain(job, stream)?;
        job.verify(&stored, unpacked.as_ref())
    }

    /// Whether the output had the blob before. It is hashed, since it will be
    /// part of what this run vouches for; a damaged one is written anew.
    fn is_held(&self, job: &BlobJob, known: &Hashed) -> Result<bool> {
        let Some(file) = self.sink.held(&known.digest, known.size)? else {
            return Ok(false);
        };
        match self.hash_file(job, file) {
            Ok((stored, unpacked)) if stored.digest == known.digest => {
                job.verify(&stored, unpacked.as_ref())?;
                Ok(true)
            }
            Err(Error::Interrupted) => Err(Error::Interrupted),
            _ => {
                let digest = known.digest.clone();
                let warning = Warning::DamagedBlobReplaced { digest };
                self.context.watch.warn(warning);
                Ok(false)
            }
        }
    }

    /// Hashes a file that should be the blob.
    fn hash_file(&self, job: &BlobJob, file: File) -> Result<(Hashed, Option<Digest>)> {
        let mut stream = TeeReader::new(ProgressReader::new(file, self.context.watch));
        stream.hash(job.stored_algorithm()).map_err(Error::Thread)?;
        hash_unpacked(job, &mut stream)?;
        self.drain(job, stream)
    }

    /// Reads a stream to its end for the sake of its hashes.
    fn drain<R: Read>(
        &self,
        job: &BlobJob,
        mut stream: TeeReader<R>,
    ) -> Result<(Hashed, Option<Digest>)> {
        copy(&mut stream, &mut std::io::sink(), &self.context.watch)
            .map_err(|error| Error::copy(job.place.clone(), job.place.clone(), error))?;
        hashes(job, stream)
    }

    /// Passes a blob on byte for byte.
    fn keep(&self, job: &BlobJob, known: Option<&Hashed>) -> Result<Hashed> {
        let slice = self.slice(job)?;
        let mut writer = self.sink.begin_blob(known)?;
        let shared = slice
            .filter(FileSlice::is_whole)
            .and_then(|slice| writer.share(&slice.file));
        let (stored, unpacked) = match shared {
            // What is hashed is the copy, whatever becomes of the input meanwhile.
            Some(copy) => self.hash_file(job, copy)?,
            None => self.copy(job, writer.as_mut())?,
        };
        job.verify(&stored, unpacked.as_ref())?;
        writer.finish(&stored)?;
        self.blob(job).release();
        Ok(stored)
    }

    /// Copies a blob and hashes it meanwhile.
    fn copy(&self, job: &BlobJob, writer: &mut dyn BlobWriter) -> Result<(Hashed, Option<Digest>)> {
        let mut stream = self.open(job)?;
        stream.hash(job.stored_algorithm()).map_err(Error::Thread)?;
        hash_unpacked(job, &mut stream)?;
        copy(&mut stream, writer, &self.context.watch)
            .map_err(|error| Error::copy(job.place.clone(), writer.place(), error))?;
        hashes(job, stream)
    }

    /// Unpacks a blob and compresses it anew.
    fn recode(&self, job: &BlobJob, encoding: Encoding) -> Result<Hashed> {
        let watch = self.context.watch;
        let writer = self.sink.begin_blob(None)?;
        let to = writer.place();
        let output = HashWriter::new(writer).map_err(Error::Thread)?;
        let mut encoder = Encoder::new(encoding, output, self.workers);
        read_unpacked(self.container, job, watch, |unpacked| {
            copy(unpacked, &mut encoder, &watch).map_err(|error| match error {
                CopyError::Read(error) => damaged(job, error),
                error => Error::copy(job.place.clone(), to.clone(), error),
            })
        })?;
        let finished = encoder.finish().and_then(HashWriter::finish);
        let (writer, written) = finished.map_err(|error| Error::write(to, error))?;
        writer.finish(&written)?;
        self.blob(job).release();
        Ok(written)
    }

    /// Whether a job will move bytes, and not only a file.
    pub(crate) fn moves_bytes(&self, job: &BlobJob) -> bool {
        self.looks_at(job) || !self.moves_file(&self.blob(job))
    }

    /// Whether the blob of a job is in a temporary file, which gives its space back.
    pub(crate) fn frees_space(&self, job: &BlobJob) -> bool {
        self.container.blob(&job.member).is_temporary()
    }

    /// Whether a blob is a file that the output can take as it is.
    fn moves_file(&self, blob: &Blob<'_>) -> bool {
        self.sink.staging().is_some() && blob.movable_file().is_some()
    }

    /// Whether a job has to look at the bytes.
    pub(crate) fn looks_at(&self, job: &BlobJob) -> bool {
        job.encoding.is_some() || self.measured(job).is_none()
    }

    /// What a blob was found to be when it arrived. What was not hashed in the right way
    /// then, or did not unpack, has to be read once more.
    fn measured<'b>(&'b self, job: &'b BlobJob) -> Option<&'b KnownHashes> {
        let is_of = |hashed: &Hashed, algorithm| hashed.digest.algorithm() == algorithm;
        let measured = self.blob(job).known()?;
        let unpacked = measured.unpacked.as_ref();
        let is_verifiable = job.diff_ids.is_empty()
            || unpacked.is_some_and(|unpacked| is_of(unpacked, job.unpacked_algorithm()));
        (is_verifiable && is_of(&measured.stored, job.stored_algorithm())).then_some(measured)
    }

    /// Passes on a blob that was hashed when it arrived, and need not be looked at.
    fn pass_on(&self, job: &BlobJob, measured: &KnownHashes) -> Result<Hashed> {
        let KnownHashes { stored, unpacked } = measured;
        job.verify(stored, unpacked.as_ref().map(|unpacked| &unpacked.digest))?;
        let blob = self.blob(job);
        if let Some(file) = blob.movable_file().filter(|_| self.moves_file(&blob)) {
            self.sink.adopt(file, stored)?;
            return Ok(stored.clone());
        }
        let Some(slice) = self.slice(job)? else {
            return self.keep(job, Some(stored));
        };
        let mut writer = self.sink.begin_blob(Some(stored))?;
        copy_slice(&slice, writer.as_mut(), &self.context.watch)
            .map_err(|error| Error::copy(job.place.clone(), writer.place(), error))?;
        writer.finish(stored)?;
        self.blob(job).release();
        Ok(stored.clone())
    }
}
