//! The report of `append`.

use crate::digest::{DiffId, Digest};
use crate::error::Place;
use crate::transfer::report::WriteReport;

/// The result of adding layers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppendReport {
    /// The name of the image in messages.
    pub image: String,
    /// The number of layers before.
    pub layers_before: usize,
    /// The new layers, the lowest first.
    pub layers: Vec<AppendedLayer>,
    /// The sources for which no layer was added, since nothing in them is new.
    pub unchanged: Vec<Place>,
    /// The image as written, and other things written with it.
    pub written: WriteReport,
}

/// A new layer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppendedLayer {
    /// Its number, counted from 1, the lowest of the image.
    pub number: usize,
    /// The digest of its bytes as stored.
    pub digest: Digest,
    /// Its diff_id.
    pub diff_id: DiffId,
    /// Its size as stored, in bytes.
    pub size: u64,
    /// Its size unpacked, in bytes.
    pub unpacked_size: u64,
}
