//! One image from a source to a sink: what has to be done, the copying of blobs, the
//! documents, the names.
//!
//! Nothing here looks into a layer.

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

use std::num::NonZeroUsize;
use std::path::Path;

use crate::event::Watch;
use crate::image::Timestamp;

/// What every operation needs to work at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    /// The caller, who hears of events and may end the operation.
    pub watch: Watch<'a>,
    /// How many blobs are copied at once, and how many blocks compressed.
    pub jobs: NonZeroUsize,
    /// The folder for a temporary file, if an input can only be read from its
    /// beginning and is wanted in another order.
    pub temporary_directory: &'a Path,
    /// The time of what is made anew, if the caller says it.
    pub created: Option<Timestamp>,
}
