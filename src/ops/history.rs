//! `history`: the origin of an image's layers.

use crate::digest::{DiffId, Digest};
use crate::error::Result;
use crate::format::source::ImageSource;
use crate::image::{HistoryEntry, Reference};
use crate::ops::stack::size::LayerSize;
use crate::ops::{InspectOptions, inspect};
use crate::transfer::Context;

/// The history of an image.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HistoryReport {
    /// The digest of the config.
    pub id: Digest,
    /// The digest of the manifest, as [`Inspection::digest`](crate::Inspection).
    pub digest: Option<Digest>,
    /// The digest of the index that contains it, if any.
    pub index: Option<Digest>,
    /// The id in Docker's containerd store, as
    /// [`Inspection::containerd_id`](crate::Inspection).
    pub containerd_id: Option<Digest>,
    /// Its names that are references with a tag.
    pub references: Vec<Reference>,
    /// The steps, the newest first.
    pub steps: Vec<HistoryStep>,
}

/// One step.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HistoryStep {
    /// The entry in the config. A layer without one has a blank entry.
    pub entry: HistoryEntry,
    /// The diff_id of the layer that it made.
    pub diff_id: Option<DiffId>,
    /// The size of that layer as stored, in bytes.
    pub stored_size: Option<u64>,
    /// The size of that layer unpacked, as far as it is known.
    pub size: Option<LayerSize>,
}

/// Implements [`Session::history`](crate::Session::history).
pub(crate) fn history(
    source: &dyn ImageSource,
    options: &InspectOptions,
    context: Context<'_>,
) -> Result<HistoryReport> {
    let inspection = inspect(source, options, context)?;
    let layers = &inspection.layers;
    let step = |entry: HistoryEntry| {
        let layer = entry.layer.map(|layer| &layers[layer - 1]);
        HistoryStep {
            entry,
            diff_id: layer.map(|layer| layer.diff_id.clone()),
            stored_size: layer.and_then(|layer| layer.stored_size),
            size: layer.and_then(|layer| layer.size),
        }
    };
    Ok(HistoryReport {
        id: inspection.id,
        digest: inspection.digest,
        index: inspection.index,
        containerd_id: inspection.containerd_id,
        references: inspection.references,
        steps: inspection.history.into_iter().rev().map(step).collect(),
    })
}
