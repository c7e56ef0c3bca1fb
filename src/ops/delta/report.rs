//! The report of a delta.

use crate::digest::Digest;
use crate::format::Format;
use crate::image::Reference;

/// A delta as written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeltaReport {
    /// The format of the output.
    pub format: Format,
    /// The new images, in their order.
    pub images: Vec<DeltaImage>,
    /// Total size of the blobs of the delta, in bytes.
    pub size: u64,
}

/// One new image of a delta.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeltaImage {
    /// Its names that are references with a tag.
    pub references: Vec<Reference>,
    /// Its image id: the digest of its config.
    pub id: Digest,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The image id of the old image.
    pub old_id: Digest,
    /// Its layers, the lowest first.
    pub layers: Vec<DeltaLayer>,
}

/// One layer of a new image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeltaLayer {
    /// Its digest.
    pub digest: Digest,
    /// Its size as stored in the new image, in bytes.
    pub size: u64,
    /// Its way into the delta.
    pub way: LayerWay,
    /// Its size in the delta, in bytes.
    pub delta_size: u64,
    /// Its size with [`DeltaOptions::by_content`](crate::DeltaOptions::by_content), if it
    /// is compressed and went in whole.
    pub by_content_size: Option<u64>,
}

/// The way of a layer into a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayerWay {
    /// The old image has it.
    Reused,
    /// As a tar-diff.
    Difference,
    /// As it is.
    Whole,
    /// It is not in the new image's archive, but may be fetched from elsewhere.
    Elsewhere,
}
