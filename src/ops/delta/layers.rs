//! The way of each layer of a new image into a delta.

use std::collections::HashMap;
use std::io::{self, Write};
use std::thread;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::event::{Event, Step};
use crate::format::CapturedSink;
use crate::format::sink::ImageSink;
use crate::format::source::ImageSource;
use crate::ops::delta::old_image::OldImage;
use crate::ops::delta::options::DeltaOptions;
use crate::ops::delta::report::LayerWay;
use crate::ops::stack::checks::Checks;
use crate::stream::{Compression, CopyError, Encoding, HashWriter, Hashed, copy};
use crate::tar_diff::{DifferenceError, OldFiles, write_difference};
use crate::transfer::Context;
use crate::transfer::blob::Transfer;
use crate::transfer::blob_job::BlobJob;
use crate::transfer::read::{read_hashed, read_unpacked};

/// The way of one blob of the new images.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// The number of the old image that a layer comes from.
    pub(super) old: Option<usize>,
    /// The blob.
    pub(super) blob: Hashed,
    /// The diff_ids that it has, if it is a layer.
    pub(super) diff_id: Option<Digest>,
    /// The way of a layer; `None` for any other blob, which is passed on as it is.
    pub(super) kind: Option<LayerWay>,
    /// The tar-diff.
    pub(super) difference: Option<Hashed>,
    /// The size of the tar-diff that `--by-content` would write.
    pub(super) by_content: Option<u64>,
}

impl Way {
    /// The way of a blob that is no layer.
    fn other(blob: Hashed) -> Self {
        Self {
            old: None,
            blob,
            diff_id: None,
            kind: None,
            difference: None,
            by_content: None,
        }
    }
}

/// Finds the ways.
pub(super) struct LayerMaker<'a> {
    old: &'a dyn ImageSource,
    olds: &'a [OldImage<'a>],
    transfer: Transfer<'a>,
    captured: &'a CapturedSink,
    options: &'a DeltaOptions,
    /// Starts the checks of the layers of an old image.
    check: &'a dyn Fn(usize) -> &'a Checks<'a>,
    /// The files of the old images that were needed so far.
    files: HashMap<usize, OldFiles>,
}

impl LayerMaker<'_> {
    /// Calls `work` with a maker. Meanwhile, all layers of each old image whose files are
    /// read are compared with their digests on other threads.
    pub(super) fn run<T>(
        old: &dyn ImageSource,
        olds: &[OldImage<'_>],
        transfer: Transfer<'_>,
        captured: &CapturedSink,
        options: &DeltaOptions,
        work: impl FnOnce(&mut LayerMaker<'_>) -> Result<T>,
    ) -> Result<T> {
        // The progress is that of the new layers.
        let context = Context {
            watch: transfer.context.watch.silent(),
            ..transfer.context
        };
        let checks: Vec<_> = olds.iter().map(|old| old.checks(context)).collect();
        thread::scope(|scope| {
            let _ends: Vec<_> = checks.iter().map(Checks::until_dropped).collect();
            let check = |at: usize| {
                let checks = &checks[at];
                checks.start(scope);
                checks
            };
            let mut maker = LayerMaker {
                old,
                olds,
                transfer,
                captured,
                options,
                check: &check,
                files: HashMap::new(),
            };
            let result = work(&mut maker)?;
            let mut read: Vec<_> = maker.files.keys().copied().collect();
            read.sort_unstable();
            for at in read {
                let finished = olds[at].finish_checks(&checks[at], context);
                finished.map_err(|error| maker.blame_old(error))?;
            }
            Ok(result)
        })
    }

    /// Passes on a blob that is no layer.
    pub(super) fn make_other(&self, job: &mut BlobJob) -> Result<Way> {
        Ok(Way::other(self.pass(job)?))
    }

    /// Finds the way of a layer from each of these old images: several platforms may share
    /// it. Everything that is read is verified.
    pub(super) fn make_layer(&mut self, job: &mut BlobJob, olds: &[usize]) -> Result<Vec<Way>> {
        let mut passed = None;
        let ways = olds.iter().map(|old| self.way(job, *old, &mut passed));
        ways.collect()
    }

    /// Finds the way of a layer from one old image. `passed` is its blob if that goes in
    /// whole already.
    fn way(&mut self, job: &mut BlobJob, old: usize, passed: &mut Option<Hashed>) -> Result<Way> {
        let Some(diff_id) = job.diff_ids.first().map(|(diff_id, _)| diff_id.0.clone()) else {
            return self.make_other(job);
        };
        let is_plain = match job.encoding {
            Some(encoding) => encoding == Encoding::Plain,
            None => job.compression == Compression::None,
        };
        let way = |blob, kind| Way {
            old: Some(old),
            diff_id: Some(diff_id.clone()),
            kind: Some(kind),
            ..Way::other(blob)
        };
        if let Some(reused) = self.reused(job, old, &diff_id, is_plain)? {
            return Ok(way(reused, LayerWay::Reused));
        }
        if is_plain {
            let (difference, size) = self.difference(job, old)?;
            let digest = job.known().map_or(diff_id.clone(), |known| known.digest);
            return Ok(Way {
                difference: Some(difference),
                ..way(Hashed { digest, size }, LayerWay::Difference)
            });
        }
        let by_content = match self.olds[old].layer(&diff_id, Some(&diff_id)) {
            Some(_) => 0,
            None => self.difference_size(job, old)?,
        };
        let blob = match passed {
            Some(blob) => blob.clone(),
            None => passed.insert(self.pass(job)?).clone(),
        };
        Ok(Way {
            by_content: Some(by_content),
            ..way(blob, LayerWay::Whole)
        })
    }

    /// Passes on a blob as it is, or recompressed because the format wants it.
    fn pass(&self, job: &mut BlobJob) -> Result<Hashed> {
        if job.encoding.is_some() {
            return self.transfer.run(job);
        }
        if job.known().is_none() {
            job.digest = Some(self.transfer.identify(job)?);
        }
        job.known().ok_or(Error::LayerAbsent)
    }

    /// The blob, if the old image has it.
    fn reused(
        &self,
        job: &BlobJob,
        old: usize,
        diff_id: &Digest,
        is_plain: bool,
    ) -> Result<Option<Hashed>> {
        let known = job.known();
        let plain = is_plain.then(|| diff_id.clone());
        let Some(digest) = known.as_ref().map(|it| it.digest.clone()).or(plain) else {
            return Ok(None);
        };
        let diff_id = is_plain.then_some(diff_id);
        let Some(layer) = self.olds[old].layer(&digest, diff_id) else {
            return Ok(None);
        };
        let size = match known {
            Some(known) => known.size,
            None if layer.compression == Compression::None => layer.stored_size(),
            None => self.unpacked_size(job)?,
        };
        Ok(Some(Hashed { digest, size }))
    }

    fn unpacked_size(&self, job: &BlobJob) -> Result<u64> {
        let watch = self.transfer.context.watch;
        read_unpacked(self.transfer.container, job, watch, |stream| {
            let copied = copy(stream, &mut io::sink(), &watch);
            let place = || job.place.clone();
            copied.map_err(|error| Error::copy(place(), place(), error))
        })
    }

    fn files(&mut self, old: usize) -> Result<()> {
        if !self.files.contains_key(&old) {
            let checks = (self.check)(old);
            let files = self.olds[old].files(None, Some(checks), self.transfer.context);
            let files = files.map_err(|error| self.blame_old(error))?;
            self.files.insert(old, files);
        }
        Ok(())
    }

    fn blame_old(&self, error: Error) -> Error {
        match self.old.place() {
            Some(place) => error.while_reading(place.clone()),
            None => error,
        }
    }

    /// Writes the tar-diff of a layer, and returns it and the size of the layer.
    fn difference(&mut self, job: &BlobJob, old: usize) -> Result<(Hashed, u64)> {
        let writer = self.captured.begin_blob(None)?;
        let output = HashWriter::new(writer).map_err(Error::Thread)?;
        // The room of a tar-diff that fails is used again.
        let (output, size) = self.write(job, old, output)?;
        let to = self.captured.place();
        let finished = output.finish();
        let (writer, difference) = finished.map_err(|error| Error::write(to, error))?;
        writer.finish(&difference)?;
        Ok((difference, size))
    }

    /// The size of the tar-diff of a layer.
    fn difference_size(&mut self, job: &BlobJob, old: usize) -> Result<u64> {
        let (counter, _) = self.write(job, old, Counter(0))?;
        Ok(counter.0)
    }

    fn write<W: Write>(&mut self, job: &BlobJob, old: usize, output: W) -> Result<(W, u64)> {
        self.files(old)?;
        let files = &self.files[&old];
        let watch = self.transfer.context.watch;
        watch.send(Event::Step(Step::Reading(&job.place.to_string())));
        let level = self.options.level;
        let container = self.transfer.container;
        let workers = self.transfer.workers;
        let (written, hashes) = read_hashed(container, job, watch, |stream| {
            let written = write_difference(stream, files, level, workers, &watch, output);
            written.map_err(|error| {
                let error = match error {
                    _ if watch.is_interrupted() => return Error::Interrupted,
                    DifferenceError::Read(error) => CopyError::Read(error),
                    DifferenceError::Write(error) => CopyError::Write(error),
                };
                let place = self.captured.place();
                Error::copy(job.place.clone(), place, error)
            })
        })?;
        if let Some(scanned) = self.transfer.scanned {
            scanned.add(job, hashes);
        }
        Ok(written)
    }
}

/// Counts the bytes written to it.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0 += buffer.len() as u64;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
