//! The second reading of layers: for their content, and to compare them with their
//! digests.

use std::io::{self, BufRead};
use std::sync::Arc;
use std::thread;

use crate::error::{Error, Place, Result};
use crate::event::{Event, Step};
use crate::layer::{EntrySink, LayerReader};
use crate::merge::{Plan, Replay, ReplayError};
use crate::ops::stack::checks::{Checks, Reading};
use crate::ops::stack::layer_stack::LayerStack;
use crate::ops::stack::layer_tar::{LayerTar, blame_compression};
use crate::stream::{FileSlice, Stamp};
use crate::transfer::blob_job::BlobJob;
use crate::transfer::read::read_unpacked;

impl LayerStack<'_> {
    /// Calls `work` with the same layers, which it merges and writes. Meanwhile, layers in
    /// files are compared with their digests on other threads. Others are copied to
    /// temporary files when they are merged, if there is space, so that they are only
    /// unpacked once.
    pub(in crate::ops) fn checked<T>(
        &self,
        work: impl FnOnce(&LayerStack<'_>) -> Result<T>,
    ) -> Result<T> {
        let checks = Checks::new(self.container, self.context);
        thread::scope(|scope| {
            let _end = checks.until_dropped();
            checks.start(scope);
            work(&self.with_checks(&checks))
        })
    }

    /// Writes the result of a plan, reading the lower layers that it needs and those of
    /// the range, lowest first, all of which are verified then. Returns the sink.
    pub(in crate::ops) fn write<S: EntrySink>(
        &self,
        plan: &Plan<'_>,
        range: &[usize],
        sink: S,
        to: &Place,
    ) -> Result<S> {
        if let Some(checks) = self.checks {
            checks.leave_room(plan.content_size());
        }
        let below = plan.layers().into_iter().map(|layer| layer as usize);
        let below = below.filter(|at| !range.contains(at));
        let all: Vec<usize> = below.chain(range.iter().copied()).collect();
        let mut replay = Replay::new(plan, sink, self.created());
        let mut readings = Vec::with_capacity(all.len());
        for at in &all {
            match self.replay_once(*at, &mut replay, to) {
                Ok(reading) => readings.push(reading),
                Err(error) if error.is_elsewhere() => return Err(error),
                Err(error) => {
                    // If a stream is damaged, a wrong digest is the first thing to report.
                    self.settle(&all, &readings)?;
                    self.settle(&[*at], &[None])?;
                    return Err(error);
                }
            }
        }
        self.settle(&all, &readings)?;
        replay
            .finish()
            .map_err(|error| Error::write(to.clone(), error))
    }

    /// Reads a layer again and writes the surviving entries, verifying all of it.
    pub(in crate::ops) fn replay<S: EntrySink>(
        &self,
        at: usize,
        replay: &mut Replay<'_, S>,
        to: &Place,
    ) -> Result<()> {
        let reading = self.replay_once(at, replay, to)?;
        self.settle(&[at], &[reading])
    }

    /// Waits for the checks of layers, as far as they have these readings, and compares the
    /// files that were checked with those that were read. One that was touched meanwhile is
    /// checked once more.
    fn settle(&self, layers: &[usize], readings: &[Option<Reading>]) -> Result<()> {
        let Some(checks) = self.checks else {
            return Ok(());
        };
        for (at, read) in layers.iter().zip(readings) {
            let checked = checks.wait(*at)?;
            if let (Some(read), Some(checked)) = (read, checked)
                && !read.is_as_steady_as(&checked, &self.place(*at))?
            {
                let (layer, blob) = self.blob(*at)?;
                let job = BlobJob::of_layer(layer, blob, None, self.place(*at));
                read_unpacked(self.container, &job, self.context.watch, |_| Ok(()))?;
            }
        }
        Ok(())
    }

    /// Waits for the checks of all layers, and verifies those that are not checked.
    pub(in crate::ops) fn finish_checks(&self, checks: &Checks<'_>) -> Result<()> {
        for at in 0..self.count() {
            let (layer, blob) = self.blob(at)?;
            let place = self.place(at);
            let is_verified = if !checks.has(at) {
                false
            } else if let Some(checked) = checks.wait(at)? {
                let slice = self.container.blob(blob).slice()?;
                let file = slice.ok_or(Error::LayerAbsent)?.file;
                let read = match self.stamp(at) {
                    Some(before) => Reading::end(before, &file, &place)?,
                    None => checked.until_now(&file, &place)?,
                };
                read.is_as_steady_as(&checked, &place)?
            } else {
                true
            };
            if !is_verified {
                let job = BlobJob::of_layer(layer, blob, None, place);
                read_unpacked(self.container, &job, self.context.watch, |_| Ok(()))?;
            }
        }
        Ok(())
    }

    /// Reads a layer again and writes the surviving entries. Verifies all of it, unless it
    /// is checked on other threads. Returns the states of the input's file if that was
    /// read directly.
    fn replay_once<S: EntrySink>(
        &self,
        at: usize,
        replay: &mut Replay<'_, S>,
        to: &Place,
    ) -> Result<Option<Reading>> {
        let (layer, blob) = self.blob(at)?;
        let watch = self.context.watch;
        let place = self.place(at);
        watch.send(Event::Step(Step::Merging(&place.to_string())));
        let mut read = |tar: LayerTar<'_>| {
            let mut reader = LayerReader::new(tar, Arc::default());
            let result = replay.layer(self.number(at), &mut reader, &watch);
            result.map_err(|error| match error {
                ReplayError::Layer(error) => {
                    let error = blame_compression(error.into());
                    error.while_reading(self.place(at))
                }
                ReplayError::Write(error) => Error::write(to.clone(), error),
                ReplayError::Interrupted => Error::Interrupted,
            })
        };
        let failed = |error: io::Error| Error::from(error).while_reading(self.place(at));
        let Some(checks) = self.checks.filter(|checks| checks.has(at)) else {
            let job = BlobJob::of_layer(layer, blob, None, place);
            read_unpacked(self.container, &job, watch, |stream: &mut dyn BufRead| {
                read(LayerTar::of_stream(stream))
            })?;
            if let (Some(before), Some(slice)) =
                (self.stamp(at), self.container.blob(blob).slice()?)
            {
                Reading::end(before, &slice.file, &self.place(at))?;
            }
            return Ok(None);
        };
        if let Some(spool) = checks.take_spool(at) {
            let slice = spool.slice();
            let file = slice.file.try_clone().map_err(failed)?;
            read(LayerTar::of_file(FileSlice::new(file, 0, slice.size)))?;
            return Ok(None);
        }
        let slice = self.container.blob(blob).slice()?;
        let slice = slice.ok_or(Error::LayerAbsent)?;
        let file = slice.file.try_clone().map_err(failed)?;
        // Its headers were read before, and its content must be of the same layer.
        let before = match self.stamp(at) {
            Some(before) => before,
            None => Stamp::of(&file).map_err(failed)?,
        };
        read(LayerTar::of_file(slice))?;
        Reading::end(before, &file, &self.place(at)).map(Some)
    }
}
