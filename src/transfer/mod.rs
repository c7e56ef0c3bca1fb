//! One image from a source to a sink: the plan, the transfer of blobs, the documents,
//! the names.
//!
//! This module never reads the entries of a layer.

pub(crate) mod blob;
pub(crate) mod blob_job;
pub(crate) mod compression;
pub(crate) mod deliver;
pub(crate) mod documents;
pub(crate) mod host;
pub(crate) mod item;
pub(crate) mod kind;
pub(crate) mod naming;
pub(crate) mod parallel;
pub(crate) mod plan;
pub(crate) mod read;
pub(crate) mod referrers;
pub(crate) mod report;
pub(crate) mod scanned;

use std::num::NonZeroUsize;
use std::path::Path;

use crate::error::{Error, Result};
use crate::event::Watch;
use crate::format::sink::ImageSink;
use crate::format::{Opening, Tolerance};
use crate::image::Timestamp;
use crate::stream::Workers;

/// The settings that every operation needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    /// The caller, which receives events and may stop the operation.
    pub watch: Watch<'a>,
    /// The number of blobs copied, and of blocks compressed, in parallel.
    pub jobs: NonZeroUsize,
    /// The folder for a temporary file, if an input can only be read from its start but
    /// is needed in another order.
    pub temporary_directory: &'a Path,
    /// The creation time of new content, if the caller sets it.
    pub created: Option<Timestamp>,
}

impl<'a> Context<'a> {
    /// Starts the threads that compress, for as many blocks in parallel as `jobs` says.
    ///
    /// # Errors
    ///
    /// Fails if a thread cannot be started.
    pub(crate) fn workers(&self) -> Result<Workers> {
        let workers = Workers::start(self.jobs).map_err(Error::Thread)?;
        Ok(workers.interrupted_by(self.watch.interrupt()))
    }

    /// The same for the layers of an output, which may be compressed as a whole, too.
    pub(crate) fn workers_for(&self, sink: &dyn ImageSink) -> Result<Workers> {
        let workers = self.workers()?;
        Ok(if sink.is_compressed() {
            workers.in_archive()
        } else {
            workers
        })
    }

    /// The options for opening a further input, which an operation reads several times.
    pub(crate) fn opening(&self) -> Opening<'a> {
        Opening {
            format: None,
            staging: None,
            temporary_directory: self.temporary_directory,
            measures: false,
            is_read_once: false,
            tolerance: Tolerance::None,
            is_completed: false,
            platform: None,
            created: self.created,
            watch: self.watch,
        }
    }
}
