//! One blob from the input to the output: verified, and recompressed if that is wanted.

use std::fs::File;
use std::io::{Read, Write};

use crate::digest::{Algorithm, Digest};
use crate::error::{Error, Place, Result};
use crate::event::{Event, Step, Warning};
use crate::format::sink::{BlobWriter, Held, ImageSink};
use crate::format::{Blob, Container, KnownHashes};
use crate::stream::{
    Compression, Encoder, Encoding, FileSlice, HashWriter, Hashed, ProgressReader, TeeReader,
    Workers, copy,
};
use crate::transfer::Context;
use crate::transfer::blob_job::BlobJob;
use crate::transfer::read::{hash_unpacked, hashes, open, read_unpacked, verify_stored};
use crate::transfer::scanned::ScannedLayers;

/// The encoder of a new blob for the output.
pub(crate) type BlobEncoder<'a> = Encoder<HashWriter<Box<dyn BlobWriter + 'a>>>;

/// Makes a new blob from the bytes that `write` puts into the encoder, and returns its
/// hash and the result of `write`, whose second argument is the blob's name in
/// messages.
pub(crate) fn write_encoded<'a, T>(
    sink: &'a dyn ImageSink,
    encoding: Encoding,
    workers: &Workers,
    write: impl FnOnce(&mut BlobEncoder<'a>, &Place) -> Result<T>,
) -> Result<(Hashed, T)> {
    let writer = sink.begin_blob(None)?;
    let to = writer.place();
    let output = HashWriter::new(writer).map_err(Error::Thread)?;
    let mut encoder = Encoder::new(encoding, output, workers);
    let result = write(&mut encoder, &to)?;
    let finished = encoder.finish().and_then(HashWriter::finish);
    let (writer, written) = finished.map_err(|error| Error::write(to, error))?;
    writer.finish(&written)?;
    Ok((written, result))
}

/// The two ends of a transfer of blobs.
#[derive(Clone, Copy)]
pub(crate) struct Transfer<'a> {
    pub(crate) container: &'a dyn Container,
    pub(crate) sink: &'a dyn ImageSink,
    pub(crate) workers: &'a Workers,
    /// The layers that were read before, if any were.
    pub(crate) scanned: Option<&'a ScannedLayers>,
    pub(crate) context: Context<'a>,
}

impl Transfer<'_> {
    /// Transfers one blob, and returns the hash of the written bytes.
    pub(crate) fn run(&self, job: &BlobJob) -> Result<Hashed> {
        let written = self.transfer(job)?;
        if let Some(scanned) = self.scanned {
            scanned.compare_file(job, self.container)?;
        }
        Ok(written)
    }

    fn transfer(&self, job: &BlobJob) -> Result<Hashed> {
        let known = job.known();
        if let Some(known) = &known {
            let is_there = match self.sink.find(known)? {
                Held::Written => {
                    self.verify_again(job, known)?;
                    true
                }
                Held::Before(file) => {
                    let is_own = job.is_own_file(self.container, &file);
                    let is_there = is_own || self.is_sound(job, file, known)?;
                    if is_there {
                        self.verify_unwritten(job)?;
                    }
                    is_there
                }
                Held::Absent => false,
            };
            if is_there {
                return Ok(known.clone());
            }
        }
        self.context.watch.send(Event::Step(Step::Copying {
            blob: &job.place.to_string(),
            is_recompressed: job.encoding.is_some(),
        }));
        match (job.encoding, self.known_hashes(job)) {
            (None, Some(known)) => self.pass_on(job, known),
            (None, None) => self.keep(job, known.as_ref()),
            (Some(encoding), _) => self.recode(job, encoding),
        }
    }

    /// Hashes a blob that must be named before it can be written.
    pub(crate) fn identify(&self, job: &BlobJob) -> Result<Digest> {
        if let Some(known) = self.known_hashes(job) {
            return Ok(known.stored.digest.clone());
        }
        let mut stream = open(self.container, job, self.context.watch)?;
        stream.hash(Algorithm::Sha256).map_err(Error::Thread)?;
        let (stored, _) = self.drain(job, stream, &mut std::io::sink(), &job.place)?;
        Ok(stored.digest)
    }

    /// The blob of a job, which remains in place if another job also reads it.
    fn blob<'b>(&'b self, job: &'b BlobJob) -> Blob<'b> {
        let blob = self.container.blob(&job.member);
        if job.is_last_use { blob } else { blob.shared() }
    }

    /// Verifies a blob that was already written for another job, if this job has another
    /// copy of it, or further diff_ids for it.
    fn verify_again(&self, job: &BlobJob, known: &Hashed) -> Result<()> {
        let is_plain = job.compression == Compression::None;
        let mut diff_ids = job.diff_ids.iter();
        let says_no_more = diff_ids.all(|(it, _)| is_plain && it.0 == known.digest);
        if says_no_more && !job.has_other_copy {
            return Ok(());
        }
        self.verify_input(job)
    }

    /// Verifies the blob of a job in the input, which is not written.
    fn verify_input(&self, job: &BlobJob) -> Result<()> {
        if let Some(known) = self.known_hashes(job) {
            return self.verify_known(job, known);
        }
        let stream = open(self.container, job, self.context.watch)?;
        let (stored, unpacked) = self.hash(job, stream, &mut std::io::sink(), &job.place)?;
        job.verify(&stored, unpacked.as_ref())
    }

    /// Verifies the blob of a job in the input, which is not written since the output had it
    /// before, if its entries were looked at, or another layer was made from its content.
    fn verify_unwritten(&self, job: &BlobJob) -> Result<()> {
        match self.scanned {
            Some(scanned) if scanned.has_read(job) => match scanned.find(job) {
                Some(before) => {
                    self.warn_of_leftover(job, before.leftover);
                    Ok(())
                }
                None => self.verify_input(job),
            },
            _ if job.is_always_read => verify_stored(self.container, job, self.context.watch),
            _ => Ok(()),
        }
    }

    /// Warns of bytes after the end of a layer's compressed stream, which is kept as it is.
    fn warn_of_leftover(&self, job: &BlobJob, size: u64) {
        if size > 0 && job.encoding.is_none() {
            self.context.watch.warn(Warning::LayerTrailing {
                layer: job.place.clone(),
                size,
            });
        }
    }

    /// Returns true if a blob that the output already had is intact. It is hashed,
    /// since this run vouches for it; a damaged one is replaced.
    fn is_sound(&self, job: &BlobJob, file: File, known: &Hashed) -> Result<bool> {
        match self.hash_file(job, file) {
            Ok((stored, unpacked)) if stored.digest == known.digest => {
                job.verify(&stored, unpacked.as_ref())?;
                Ok(true)
            }
            Err(Error::Interrupted) => Err(Error::Interrupted),
            _ => {
                let digest = known.digest.clone();
                let warning = Warning::DamagedBlobReplaced(digest);
                self.context.watch.warn(warning);
                Ok(false)
            }
        }
    }

    /// Hashes a file that should be the blob.
    fn hash_file(&self, job: &BlobJob, file: File) -> Result<(Hashed, Option<Digest>)> {
        let stream = TeeReader::new(ProgressReader::new(file, self.context.watch));
        self.hash(job, stream, &mut std::io::sink(), &job.place)
    }

    /// Copies a stream that should be the blob, and returns its hashes. It is unpacked,
    /// unless the same bytes were before.
    fn hash<R: Read>(
        &self,
        job: &BlobJob,
        mut stream: TeeReader<R>,
        output: &mut dyn Write,
        to: &Place,
    ) -> Result<(Hashed, Option<Digest>)> {
        stream.hash(job.stored_algorithm()).map_err(Error::Thread)?;
        let Some(before) = self.scanned.and_then(|scanned| scanned.find(job)) else {
            hash_unpacked(job, &mut stream)?;
            return self.drain(job, stream, output, to);
        };
        let (stored, _) = self.drain(job, stream, output, to)?;
        before.verify_copy(job, &stored)?;
        self.warn_of_leftover(job, before.leftover);
        Ok((stored, Some(before.unpacked)))
    }

    /// Copies a stream to its end, and returns its hashes.
    fn drain<R: Read>(
        &self,
        job: &BlobJob,
        mut stream: TeeReader<R>,
        output: &mut dyn Write,
        to: &Place,
    ) -> Result<(Hashed, Option<Digest>)> {
        copy(&mut stream, output, &self.context.watch)
            .map_err(|error| Error::copy(job.place.clone(), to.clone(), error))?;
        let (stored, unpacked, leftover) = hashes(job, stream)?;
        self.warn_of_leftover(job, leftover);
        Ok((stored, unpacked))
    }

    /// Copies a blob byte for byte.
    fn keep(&self, job: &BlobJob, known: Option<&Hashed>) -> Result<Hashed> {
        let blob = self.blob(job);
        let slice = blob.slice();
        let slice = slice.map_err(|error| error.while_reading(job.place.clone()))?;
        let mut writer = self.sink.begin_blob(known)?;
        let shared = slice
            .filter(FileSlice::is_whole)
            .and_then(|slice| writer.share(&slice.file));
        let (stored, unpacked) = if let Some(copy) = shared {
            // The copy is hashed, whatever happens to the input meanwhile.
            self.hash_file(job, copy)?
        } else {
            let stream = open(self.container, job, self.context.watch)?;
            let to = writer.place();
            self.hash(job, stream, &mut writer, &to)?
        };
        job.verify(&stored, unpacked.as_ref())?;
        writer.finish(&stored)?;
        blob.release();
        Ok(stored)
    }

    /// Unpacks and recompresses a blob.
    fn recode(&self, job: &BlobJob, encoding: Encoding) -> Result<Hashed> {
        let watch = self.context.watch;
        let (written, _) = write_encoded(self.sink, encoding, self.workers, |encoder, to| {
            read_unpacked(self.container, job, watch, |unpacked| {
                copy(unpacked, encoder, &watch)
                    .map_err(|error| Error::copy(job.place.clone(), to.clone(), error))
            })
        })?;
        self.blob(job).release();
        Ok(written)
    }

    /// Returns true if a job will copy bytes, and not just move a file.
    pub(crate) fn moves_bytes(&self, job: &BlobJob) -> bool {
        if let Some(known) = job.known()
            && let Ok(Held::Before(file)) = self.sink.find(&known)
            && job.is_own_file(self.container, &file)
        {
            return false;
        }
        let is_moved = self.sink.staging().is_some() && self.blob(job).movable_file().is_some();
        self.looks_at(job) || !is_moved
    }

    /// Returns true if the blob of a job is in a temporary file, whose space will be
    /// released.
    pub(crate) fn frees_space(&self, job: &BlobJob) -> bool {
        self.container.blob(&job.member).is_temporary()
    }

    /// Returns true if a job has to read the bytes.
    pub(crate) fn looks_at(&self, job: &BlobJob) -> bool {
        job.encoding.is_some() || self.known_hashes(job).is_none()
    }

    /// The hashes of a blob from its arrival. `None` if it was not hashed with the
    /// right function then, or could not be unpacked, so that it must be read again.
    fn known_hashes<'b>(&'b self, job: &'b BlobJob) -> Option<&'b KnownHashes> {
        let is_of = |hashed: &Hashed, algorithm| hashed.digest.algorithm() == algorithm;
        let known = self.blob(job).known()?;
        let unpacked = known.unpacked.as_ref();
        let is_verifiable = job.diff_ids.is_empty()
            || unpacked.is_some_and(|unpacked| is_of(unpacked, job.unpacked_algorithm()));
        (is_verifiable && is_of(&known.stored, job.stored_algorithm())).then_some(known)
    }

    /// Transfers a blob that was hashed on arrival, without reading it.
    fn pass_on(&self, job: &BlobJob, known: &KnownHashes) -> Result<Hashed> {
        self.verify_known(job, known)?;
        let stored = &known.stored;
        let blob = self.blob(job);
        self.sink
            .put(blob, stored, &job.place, &self.context.watch)?;
        Ok(stored.clone())
    }

    /// Compares the hashes of a blob from its arrival with those in the documents.
    fn verify_known(&self, job: &BlobJob, known: &KnownHashes) -> Result<()> {
        let unpacked = known.unpacked.as_ref();
        job.verify(&known.stored, unpacked.map(|unpacked| &unpacked.digest))?;
        if !job.diff_ids.is_empty() {
            self.warn_of_leftover(job, known.leftover);
        }
        Ok(())
    }
}
