//! One blob from the input to the output: verified, and compressed anew where
//! that is wanted.

use std::io::{BufRead, Read};

use crate::digest::{Algorithm, DiffId, Digest};
use crate::error::{Error, Place, Result};
use crate::event::{Event, Step, Warning, Watch};
use crate::format::sink::ImageSink;
use crate::format::source::Layer;
use crate::format::{Container, Measured, Member};
use crate::ops::Context;
use crate::stream::{
    Compression, CopyError, Counted, Decoder, Encoder, HashWriter, Hashed, Recoding, Tapped,
    Workers, copy,
};

/// A blob that has to get into the output.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// Where it is.
    pub(super) member: Member,
    /// How it is compressed.
    pub(super) compression: Compression,
    /// How it shall be, if otherwise.
    pub(super) recoding: Option<Recoding>,
    /// Its digest, where a document says it.
    pub(super) digest: Option<Digest>,
    /// What it must unpack to, and which layer says so.
    pub(super) diff_ids: Vec<(DiffId, Place)>,
    /// What a message calls it.
    pub(super) place: Place,
    /// Whether no other job reads the member.
    pub(super) is_only_reader: bool,
}

impl Job {
    /// Takes a layer, whose blob is there.
    pub(super) fn of_layer(
        layer: &Layer,
        member: &Member,
        recoding: Option<Recoding>,
        place: Place,
    ) -> Self {
        let descriptor = layer.descriptor.as_ref();
        Self {
            member: member.clone(),
            compression: layer.compression,
            recoding,
            digest: descriptor.map(|descriptor| descriptor.digest().clone()),
            diff_ids: vec![(layer.diff_id.clone(), place.clone())],
            place,
            is_only_reader: false,
        }
    }

    /// The blob that will be written, if that is known before it is read.
    ///
    /// A plain layer is its own unpacked form, so its diff_id is its digest.
    pub(super) fn known(&self) -> Option<Hashed> {
        if self.recoding.is_some() {
            return None;
        }
        let plain = || match self.compression {
            Compression::None => self.diff_ids.first().map(|(diff_id, _)| diff_id.0.clone()),
            _ => None,
        };
        Some(Hashed {
            digest: self.digest.clone().or_else(plain)?,
            size: self.member.size,
        })
    }

    fn stored_algorithm(&self) -> Algorithm {
        match self.known() {
            Some(known) => known.digest.algorithm(),
            None => self
                .digest
                .as_ref()
                .map_or(Algorithm::Sha256, Digest::algorithm),
        }
    }

    fn unpacked_algorithm(&self) -> Algorithm {
        let first = self.diff_ids.first();
        first.map_or(Algorithm::Sha256, |(diff_id, _)| diff_id.0.algorithm())
    }

    /// Compares what came with what the documents say.
    fn verify(&self, stored: &Hashed, unpacked: Option<&Digest>) -> Result<()> {
        if let Some(expected) = &self.digest
            && *expected != stored.digest
        {
            let error = Error::DigestMismatch {
                expected: expected.clone(),
                got: stored.digest.clone(),
            };
            return Err(error.while_reading(self.place.clone()));
        }
        for (diff_id, place) in &self.diff_ids {
            if let Some(got) = unpacked
                && diff_id.0 != *got
            {
                let error = Error::DiffIdMismatch {
                    expected: diff_id.0.clone(),
                    got: got.clone(),
                };
                return Err(error.while_reading(place.clone()));
            }
        }
        Ok(())
    }
}

/// The two ends between which blobs are moved.
#[derive(Clone, Copy)]
pub(super) struct Transfer<'a> {
    pub(super) container: &'a dyn Container,
    pub(super) sink: &'a dyn ImageSink,
    pub(super) workers: &'a Workers,
    pub(super) context: Context<'a>,
}

impl Transfer<'_> {
    /// Moves one blob, and returns what was written.
    pub(super) fn run(&self, job: &Job) -> Result<Hashed> {
        let known = job.known();
        if let Some(known) = &known {
            if self.sink.has(&known.digest) {
                self.verify_again(job)?;
                return Ok(known.clone());
            }
            if self.is_held(job, known)? {
                return Ok(known.clone());
            }
        }
        self.context.watch.send(Event::Step(Step::Copying {
            blob: &job.place.to_string(),
            recoding: job.recoding.is_some(),
        }));
        match (job.recoding, self.adoptable(job)) {
            (None, true) => self.adopt(job),
            (None, false) => self.keep(job, known.as_ref()),
            (Some(recoding), _) => self.recode(job, recoding),
        }
    }

    /// Hashes a blob that has to be named before it can be written.
    pub(super) fn identify(&self, job: &Job) -> Result<Digest> {
        let mut stream = self.open(job)?;
        stream.hash(Algorithm::Sha256).map_err(Error::Thread)?;
        let (stored, _) = self.drain(job, stream)?;
        Ok(stored.digest)
    }

    fn open(&self, job: &Job) -> Result<Tapped<impl Read>> {
        open(self.container, job, self.context.watch)
    }

    /// Reads a blob that was written for another job, if this one has more to say of
    /// what it unpacks to.
    fn verify_again(&self, job: &Job) -> Result<()> {
        if job.diff_ids.is_empty() || job.compression == Compression::None {
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
    fn is_held(&self, job: &Job, known: &Hashed) -> Result<bool> {
        let Some(file) = self.sink.held(&known.digest, known.size)? else {
            return Ok(false);
        };
        let mut stream = Tapped::new(Counted::new(file, self.context.watch));
        stream
            .hash(known.digest.algorithm())
            .map_err(Error::Thread)?;
        hash_unpacked(job, &mut stream)?;
        match self.drain(job, stream) {
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

    /// Reads a stream to its end for the sake of its hashes.
    fn drain<R: Read>(&self, job: &Job, mut stream: Tapped<R>) -> Result<(Hashed, Option<Digest>)> {
        copy(&mut stream, &mut std::io::sink(), &self.context.watch)
            .map_err(|error| Error::copy(job.place.clone(), job.place.clone(), error))?;
        hashes(job, stream)
    }

    /// Passes a blob on byte for byte.
    fn keep(&self, job: &Job, known: Option<&Hashed>) -> Result<Hashed> {
        let mut stream = self.open(job)?;
        stream.hash(job.stored_algorithm()).map_err(Error::Thread)?;
        hash_unpacked(job, &mut stream)?;
        let mut writer = self.sink.begin_blob(known)?;
        copy(&mut stream, &mut writer, &self.context.watch)
            .map_err(|error| Error::copy(job.place.clone(), writer.place(), error))?;
        let (stored, unpacked) = hashes(job, stream)?;
        job.verify(&stored, unpacked.as_ref())?;
        writer.finish(&stored)?;
        Ok(stored)
    }

    /// Unpacks a blob and compresses it anew.
    fn recode(&self, job: &Job, recoding: Recoding) -> Result<Hashed> {
        let watch = self.context.watch;
        let writer = self.sink.begin_blob(None)?;
        let to = writer.place();
        let mut encoder = Encoder::new(recoding, HashWriter::new(writer), self.workers);
        read_unpacked(self.container, job, watch, |unpacked| {
            copy(unpacked, &mut encoder, &watch).map_err(|error| match error {
                CopyError::Read(error) => damaged(job, error),
                error => Error::copy(job.place.clone(), to.clone(), error),
            })
        })?;
        let output = encoder.finish().map_err(|error| Error::write(to, error))?;
        let (writer, written) = output.finish();
        writer.finish(&written)?;
        if job.is_only_reader {
            self.container.release(&job.member);
        }
        Ok(written)
    }

    /// Whether a job will read its blob, and not only move a file.
    pub(super) fn reads(&self, job: &Job) -> bool {
        job.recoding.is_some() || !self.adoptable(job)
    }

    /// Whether the blob already lies on the output's file system.
    fn adoptable(&self, job: &Job) -> bool {
        let Some(arrival) = self.container.arrival(&job.member) else {
            return false;
        };
        let Measured { stored, unpacked } = arrival.measured;
        let is_of = |hashed: &Hashed, algorithm| hashed.digest.algorithm() == algorithm;
        // What was not hashed in the right way when it came, or did not unpack, has
        // to be read once more.
        let is_verifiable = job.diff_ids.is_empty()
            || unpacked.is_some_and(|unpacked| is_of(&unpacked, job.unpacked_algorithm()));
        self.sink.staging().is_some()
            && job.is_only_reader
            && is_of(&stored, job.stored_algorithm())
            && is_verifiable
    }

    /// Moves a file that arrived to its place.
    fn adopt(&self, job: &Job) -> Result<Hashed> {
        let Some(arrival) = self.container.arrival(&job.member) else {
            return self.keep(job, job.known().as_ref());
        };
        let unpacked = arrival.measured.unpacked.map(|unpacked| unpacked.digest);
        job.verify(&arrival.measured.stored, unpacked.as_ref())?;
        self.sink.adopt(&arrival.path, &arrival.measured.stored)?;
        Ok(arrival.measured.stored)
    }
}

fn open<'a>(
    container: &'a dyn Container,
    job: &Job,
    watch: Watch<'a>,
) -> Result<Tapped<impl Read + use<'a>>> {
    let stream = container.open(&job.member);
    let stream = stream.map_err(|error| error.while_reading(job.place.clone()))?;
    Ok(Tapped::new(Counted::new(stream, watch)))
}

/// Reads what a blob unpacks to, and verifies all of it, whatever part `read` looks
/// at.
///
/// # Errors
///
/// Fails if `read` does, unless the reason is that the blob is not what its digest
/// says.
pub(super) fn read_unpacked<T>(
    container: &dyn Container,
    job: &Job,
    watch: Watch<'_>,
    read: impl FnOnce(&mut dyn BufRead) -> Result<T>,
) -> Result<T> {
    let mut stored = open(container, job, watch)?;
    stored.hash(job.stored_algorithm()).map_err(Error::Thread)?;
    let is_plain = job.compression == Compression::None;
    if is_plain && job.stored_algorithm() == job.unpacked_algorithm() {
        let result = unless_hopeless(read(&mut stored))?;
        let (stored, unpacked) = hashes(job, stored)?;
        job.verify(&stored, unpacked.as_ref())?;
        return result;
    }
    let decoder =
        Decoder::new(job.compression, &mut stored).map_err(|error| damaged(job, error))?;
    let mut unpacked = Tapped::new(decoder);
    unpacked
        .hash(job.unpacked_algorithm())
        .map_err(Error::Thread)?;
    let result = unless_hopeless(read(&mut unpacked))?;
    let unpacked = unpacked
        .finish()
        .and_then(|mut hashes| hashes.remove(0))
        .map_err(|error| damaged(job, error));
    let (stored, _) = hashes(job, stored)?;
    // A damaged stream is first of all one whose digest is wrong.
    job.verify(&stored, None)?;
    let result = result?;
    job.verify(&stored, Some(&unpacked?.digest))?;
    Ok(result)
}

/// Reads a blob as it is stored, and compares it with its digest, if that is known.
pub(super) fn verify_stored(container: &dyn Container, job: &Job, watch: Watch<'_>) -> Result<()> {
    let Some(known) = job.known() else {
        return Ok(());
    };
    let mut stream = open(container, job, watch)?;
    stream
        .hash(known.digest.algorithm())
        .map_err(Error::Thread)?;
    let (stored, unpacked) = hashes(job, stream)?;
    job.verify(&stored, unpacked.as_ref())
}

/// Fails at once where reading on could not tell why it failed.
fn unless_hopeless<T>(result: Result<T>) -> Result<Result<T>> {
    match result {
        Err(error @ (Error::Interrupted | Error::Write { .. } | Error::Thread(_))) => Err(error),
        result => Ok(result),
    }
}

/// Adds the hash of what a layer unpacks to, unless it is that of the stored bytes.
fn hash_unpacked<R: Read>(job: &Job, stream: &mut Tapped<R>) -> Result<()> {
    let algorithm = job.unpacked_algorithm();
    let is_plain = job.compression == Compression::None;
    if job.diff_ids.is_empty() || (is_plain && algorithm == job.stored_algorithm()) {
        return Ok(());
    }
    stream
        .hash_unpacked(job.compression, algorithm)
        .map_err(Error::Thread)
}

fn damaged(job: &Job, source: std::io::Error) -> Error {
    Error::unreadable(job.compression, source).while_reading(job.place.clone())
}

/// The hash of the stored bytes, and of what they unpack to if that was asked.
fn hashes<R: Read>(job: &Job, stream: Tapped<R>) -> Result<(Hashed, Option<Digest>)> {
    let read_error = |error: std::io::Error| Error::read(job.place.clone(), error);
    let mut hashes = stream.finish().map_err(read_error)?.into_iter();
    let stored = hashes.next().transpose().map_err(read_error)?;
    let stored = stored.ok_or_else(|| read_error(std::io::Error::other("nothing was hashed")))?;
    let unpacked = match hashes.next() {
        Some(unpacked) => Some(unpacked.map_err(|error| damaged(job, error))?.digest),
        None if job.compression == Compression::None => Some(stored.digest.clone()),
        None => None,
    };
    Ok((stored, unpacked))
}
