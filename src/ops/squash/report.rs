//! The report of a squash.

use crate::digest::{DiffId, Digest};
use crate::format::source::Layer;
use crate::merge::Savings;
use crate::ops::squash::plan::Merged;
use crate::stream::{Compression, Encoding};
use crate::transfer::report::WriteReport;

/// The effect of a squash, done or planned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SquashReport {
    /// The image.
    pub image: String,
    /// The merged ranges of layers. Empty if there was nothing to merge.
    pub ranges: Vec<SquashedRange>,
    /// The number of layers before.
    pub layers_before: usize,
    /// The number of layers after.
    pub layers_after: usize,
    /// Total size of its layers as stored before, in bytes.
    pub size_before: u64,
    /// Total size of its layers as stored after, in bytes; unknown if new layers were
    /// not compressed yet, or if others had to be recompressed, such as those in xz.
    pub size_after: Option<u64>,
    /// The image as written, and other things written with it; `None` without an
    /// output.
    pub written: Option<WriteReport>,
}

/// A range of layers merged into one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SquashedRange {
    /// The lowest, counted from 1.
    pub first: usize,
    /// The uppermost.
    pub last: usize,
    /// Total size of these layers as stored, in bytes.
    pub size_before: u64,
    /// Size of the new layer as stored, in bytes; unknown if it was not compressed yet.
    pub size_after: Option<u64>,
    /// Size of the new layer unpacked, in bytes.
    pub unpacked_size: u64,
    /// The new layer; absent if it was not written.
    pub layer: Option<(Digest, DiffId)>,
    /// Bytes of files that were replaced or deleted within the range, and are therefore
    /// dropped.
    pub hidden: u64,
    /// Bytes of files that the range replaces or deletes, but that remain because they
    /// are in a lower layer.
    pub held_below: u64,
    /// The layer at which a range would have to start to drop those, counted from 1.
    pub held_from: Option<usize>,
}

/// Makes the report for an image of which ranges of layers were merged, or would be.
pub(super) fn report(name: &str, layers: &[Layer], made: &[Merged]) -> SquashReport {
    let sizes: Vec<u64> = layers.iter().map(Layer::stored_size).collect();
    let sum = |sizes: &[u64]| sizes.iter().copied().fold(0, u64::saturating_add);
    let before = sum(&sizes);
    let mut after = Some(before);
    let mut layers_after = sizes.len();
    let mut ranges = Vec::new();
    for made in made {
        let size_before = sum(&sizes[made.range.clone()]);
        let size_after = match &made.layer.written {
            Some((blob, _)) => Some(blob.size),
            None if made.layer.encoding == Encoding::Plain => Some(made.layer.unpacked_size),
            None => None,
        };
        let all = after.zip(size_after);
        after = all.map(|(after, new)| after.saturating_sub(size_before).saturating_add(new));
        layers_after -= made.range.end() - made.range.start();
        let Savings {
            hidden,
            below,
            lowest,
        } = made.savings;
        let new = made.layer.written.as_ref();
        ranges.push(SquashedRange {
            first: made.range.start() + 1,
            last: made.range.end() + 1,
            size_before,
            size_after,
            unpacked_size: made.layer.unpacked_size,
            layer: new.map(|(blob, diff_id)| (blob.digest.clone(), diff_id.clone())),
            hidden,
            held_below: below,
            held_from: lowest.map(|layer| layer as usize + 1),
        });
    }
    SquashReport {
        image: name.to_owned(),
        ranges,
        layers_before: sizes.len(),
        layers_after,
        size_before: before,
        size_after: after.filter(|_| !changes_others(layers, made)),
        written: None,
    }
}

/// Returns true if layers outside the ranges cannot remain as they are, since OCI has
/// no name for their compression.
fn changes_others(layers: &[Layer], made: &[Merged]) -> bool {
    let is_merged = |at: &usize| made.iter().any(|made| made.range.contains(at));
    let others = layers.iter().enumerate().filter(|(at, _)| !is_merged(at));
    let mut compressions = others.map(|(_, layer)| layer.compression);
    compressions.any(|it| matches!(it, Compression::Xz | Compression::Bzip2))
}
