//! Layers in files, compared with their digests on threads of their own while they are
//! merged.
//!
//! A hash needs all bytes of a layer in their order; a merge skips most layers' bytes, or
//! waits for its output. Neither has to wait for the other: layers are hashed in parallel,
//! and the end of the output waits for all of them.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::digest::Algorithm;
use crate::error::{Error, Place, Result};
use crate::event::Watch;
use crate::format::Container;
use crate::ops::stack::layer_tar::streams;
use crate::progress::Progress;
use crate::stream::{
    COPY_BUFFER, FileSlice, Hashed, ProgressReader, Spool, SpoolSpace, Stamp, changed, hash,
};
use crate::transfer::Context;
use crate::transfer::blob_job::BlobJob;
use crate::transfer::parallel::STREAMS_MAX;

/// The checks of the layers of one image.
#[derive(Debug)]
pub(in crate::ops) struct Checks<'a> {
    container: &'a dyn Container,
    watch: Watch<'a>,
    /// The space for copies of layers that are not in files.
    pub(super) space: Arc<SpoolSpace>,
    state: Mutex<State>,
    /// Signals every change of the state.
    changed: Condvar,
    is_over: AtomicBool,
    /// The number of threads that work at a time, and that scan layers.
    jobs: usize,
    scanners: usize,
}

#[derive(Debug, Default)]
struct State {
    /// The number of layers that are still to be scanned.
    scans: usize,
    /// The number of checks that other threads are doing.
    active: usize,
    /// The checks that nobody has begun.
    queue: VecDeque<Check>,
    /// The results, `None` until they are known, by the positions of the layers.
    results: HashMap<usize, Option<Result<Option<Reading>>>>,
    /// The copies of layers.
    spools: HashMap<usize, Arc<Spool>>,
}

/// A layer to check.
#[derive(Debug)]
struct Check {
    at: usize,
    job: BlobJob,
    bytes: CheckedBytes,
}

/// The place of the unpacked bytes of a layer.
#[derive(Debug)]
enum CheckedBytes {
    /// The input: an uncompressed layer in a file.
    Input,
    /// A copy, which was made when the stored bytes were hashed.
    Spool(Arc<Spool>, Hashed),
}

/// The states of a file before and after it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    before: Stamp,
    after: Stamp,
}

impl Reading {
    /// Ends the reading of a file.
    ///
    /// # Errors
    ///
    /// Fails if the file was written to.
    pub(super) fn end(before: Stamp, file: &File, place: &Place) -> Result<Self> {
        let after = before.compare(file);
        let after = after.map_err(|error| Error::read(place.clone(), error))?;
        Ok(Self { before, after })
    }

    /// The same reading, if it goes on until now.
    ///
    /// # Errors
    ///
    /// Fails if the file was written to.
    pub(super) fn until_now(&self, file: &File, place: &Place) -> Result<Self> {
        Self::end(self.before, file, place)
    }

    /// Compares the readings of one layer. Returns whether the file was the same during
    /// both, and else it was touched: its name, say, or its content and its time.
    ///
    /// # Errors
    ///
    /// Fails if the file was written to.
    pub(super) fn is_as_steady_as(&self, other: &Self, place: &Place) -> Result<bool> {
        if self.before.was_written(&other.before) {
            return Err(Error::read(place.clone(), changed()));
        }
        let all = [self.after, other.before, other.after];
        Ok(all.iter().all(|stamp| *stamp == self.before))
    }
}

impl<'a> Checks<'a> {
    pub(in crate::ops) fn new(container: &'a dyn Container, context: Context<'a>) -> Self {
        Self {
            container,
            watch: context.watch,
            space: SpoolSpace::new(context.temporary_directory),
            state: Mutex::default(),
            changed: Condvar::new(),
            is_over: AtomicBool::new(false),
            jobs: context.jobs.get(),
            scanners: streams(container, context).get(),
        }
    }

    /// Announces that this many layers will be scanned.
    pub(super) fn begin_scans(&self, layers: usize) {
        self.state().scans = layers;
    }

    /// Tells that one of them was scanned.
    pub(super) fn end_scan(&self) {
        let mut state = self.state();
        state.scans = state.scans.saturating_sub(1);
        self.changed.notify_all();
    }

    /// Adds a layer whose blob is uncompressed and in a file. Returns false if it cannot
    /// be checked here.
    pub(super) fn add_file(&self, at: usize, job: BlobJob) -> bool {
        let (stored, unpacked) = (job.stored_algorithm(), job.unpacked_algorithm());
        if stored != unpacked {
            return false;
        }
        let known = self.container.blob(&job.member).known();
        if let Some(known) = known.filter(|it| it.stored.digest.algorithm() == stored) {
            let digest = &known.stored.digest;
            let result = job.verify(&known.stored, Some(digest)).map(|()| None);
            self.watch.advance(job.member.size);
            self.state().results.insert(at, Some(result));
            return true;
        }
        let bytes = CheckedBytes::Input;
        self.add(Check { at, job, bytes });
        true
    }

    /// Adds a layer that was copied when its stored bytes were hashed.
    pub(super) fn add_spool(&self, at: usize, job: BlobJob, spool: Spool, stored: Hashed) {
        let spool = Arc::new(spool);
        self.state().spools.insert(at, Arc::clone(&spool));
        let bytes = CheckedBytes::Spool(spool, stored);
        self.add(Check { at, job, bytes });
    }

    fn add(&self, check: Check) {
        let mut state = self.state();
        state.results.insert(check.at, None);
        state.queue.push_back(check);
        self.changed.notify_all();
    }

    /// True if a layer is checked here.
    pub(super) fn has(&self, at: usize) -> bool {
        self.state().results.contains_key(&at)
    }

    /// The copy of a layer, if there is one. It is kept until the caller drops it.
    pub(super) fn take_spool(&self, at: usize) -> Option<Arc<Spool>> {
        self.state().spools.remove(&at)
    }

    /// Gives up the copies unless there is room for an output of this size, too, wherever
    /// that is: a copy must not be the reason that it does not fit.
    pub(super) fn leave_room(&self, output_size: u64) {
        if self.state().spools.is_empty() || self.space.has_room_for(output_size) {
            return;
        }
        let copied: Vec<usize> = self.state().spools.drain().map(|(at, _)| at).collect();
        for at in copied {
            // The layer is read again, and compared with its digests then.
            drop(self.wait(at));
        }
    }

    /// Waits for the result of a layer; `None` if it is not checked here. Meanwhile this
    /// thread checks layers, too.
    pub(super) fn wait(&self, at: usize) -> Result<Option<Reading>> {
        loop {
            let mut state = self.state();
            match state.results.get(&at) {
                None => return Ok(None),
                Some(None) => {}
                Some(Some(_)) => {
                    let result = state.results.remove(&at).flatten();
                    return result.unwrap_or(Ok(None));
                }
            }
            if let Some(check) = state.queue.pop_front() {
                drop(state);
                self.check(&check);
            } else {
                let waited = self.changed.wait(state);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    /// Starts the threads that check layers.
    pub(in crate::ops) fn start<'s>(&'s self, scope: &'s thread::Scope<'s, '_>) {
        for _ in 0..self.jobs.min(STREAMS_MAX.get()) {
            let builder = thread::Builder::new().name("hash".to_owned());
            // If no thread can be started, the thread that waits for the checks does them.
            if builder.spawn_scoped(scope, || self.work()).is_err() {
                break;
            }
        }
    }

    /// Checks layers until all is over, with the processors that scans leave: the merge
    /// has to wait for all scans, and uses only one processor after them.
    fn work(&self) {
        let mut state = self.state();
        while !self.is_over.load(Ordering::Relaxed) {
            let scanners = state.scans.min(self.scanners);
            let is_free = scanners + state.active < self.jobs;
            let next = if is_free {
                state.queue.pop_front()
            } else {
                None
            };
            if let Some(check) = next {
                state.active += 1;
                drop(state);
                self.check(&check);
                state = self.state();
                state.active -= 1;
                self.changed.notify_all();
            } else {
                let waited = self.changed.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Ends the work of other threads when the value is dropped.
    pub(in crate::ops) fn until_dropped(&self) -> impl Drop + use<'_, 'a> {
        EndChecks(self)
    }

    fn check(&self, check: &Check) {
        let result = catch_unwind(AssertUnwindSafe(|| self.result(check)));
        // Others wait for the result, whatever happened.
        let result = result.unwrap_or_else(|_| {
            let panicked = io::Error::other("a hashing thread panicked");
            Err(Error::read(check.job.place.clone(), panicked))
        });
        let mut state = self.state();
        state.results.insert(check.at, Some(result));
        self.changed.notify_all();
    }

    fn result(&self, check: &Check) -> Result<Option<Reading>> {
        let job = &check.job;
        let failed = |error| Error::from(error).while_reading(job.place.clone());
        match &check.bytes {
            CheckedBytes::Input => {
                let blob = self.container.blob(&job.member);
                let slice = blob.slice()?.ok_or(Error::LayerAbsent)?;
                let before = Stamp::of(&slice.file).map_err(failed)?;
                let algorithm = job.stored_algorithm();
                let hashed = self.hash(slice.after(0), algorithm, job).map_err(failed)?;
                job.verify(&hashed, Some(&hashed.digest))?;
                Reading::end(before, &slice.file, &job.place).map(Some)
            }
            CheckedBytes::Spool(spool, stored) => {
                job.verify(stored, None)?;
                let algorithm = job.unpacked_algorithm();
                let hashed = self.hash(spool.slice(), algorithm, job).map_err(failed)?;
                job.verify(stored, Some(&hashed.digest))?;
                Ok(None)
            }
        }
    }

    fn hash(
        &self,
        slice: FileSlice<&File>,
        algorithm: Algorithm,
        job: &BlobJob,
    ) -> io::Result<Hashed> {
        let progress = ScaledProgress {
            checks: self,
            size: slice.size,
            read: AtomicU64::new(0),
            stored_size: job.member.size,
        };
        let stream = ProgressReader::new(slice, progress);
        hash(
            &mut BufReader::with_capacity(COPY_BUFFER, stream),
            algorithm,
        )
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends checks when it is dropped.
struct EndChecks<'c, 'a>(&'c Checks<'a>);

impl Drop for EndChecks<'_, '_> {
    fn drop(&mut self) {
        let _state = self.0.state();
        self.0.is_over.store(true, Ordering::Relaxed);
        self.0.changed.notify_all();
    }
}

/// Counts the bytes of a layer as if they were those stored, of which the total is known
/// from the start.
struct ScaledProgress<'c, 'a> {
    checks: &'c Checks<'a>,
    /// The size of the layer in bytes, and the number of them that were read.
    size: u64,
    read: AtomicU64,
    stored_size: u64,
}

impl ScaledProgress<'_, '_> {
    fn scaled(&self, read: u64) -> u64 {
        let scaled = u128::from(read) * u128::from(self.stored_size);
        let scaled = scaled / u128::from(self.size.max(1));
        u64::try_from(scaled).unwrap_or(self.stored_size)
    }
}

impl Progress for ScaledProgress<'_, '_> {
    fn advance(&self, bytes: u64) {
        let before = self.read.fetch_add(bytes, Ordering::Relaxed);
        let counted = self.scaled(before + bytes) - self.scaled(before);
        self.checks.watch.advance(counted);
    }

    fn is_interrupted(&self) -> bool {
        self.checks.watch.is_interrupted() || self.checks.is_over.load(Ordering::Relaxed)
    }
}
