//! What a squash did, as facts.

use crate::digest::{DiffId, Digest};
use crate::merge::Savings;
use crate::ops::squash::result::Merged;
use crate::stream::Encoding;
use crate::transfer::report::WriteReport;

/// What a squash did, or would do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SquashReport {
    /// The image.
    pub image: String,
    /// What layers became one. Empty if there was nothing to merge.
    pub ranges: Vec<SquashedRange>,
    /// How many layers the image had.
    pub layers_before: usize,
    /// How many it has now.
    pub layers_after: usize,
    /// How many bytes its layers had, as they were stored.
    pub size_before: u64,
    /// How many they have now; not known where new layers were not compressed yet, or
    /// others had to be compressed anew, as those in xz.
    pub size_after: Option<u64>,
    /// The image as it is now, and what was written beside it; nothing without an
    /// output.
    pub written: Option<WriteReport>,
}

/// Layers that became one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SquashedRange {
    /// The lowest, counted from 1.
    pub first: usize,
    /// The uppermost.
    pub last: usize,
    /// How many bytes they had, as they were stored.
    pub size_before: u64,
    /// How many the new layer has; not known if it was not compressed yet.
    pub size_after: Option<u64>,
    /// How many bytes the new layer has when it is unpacked.
    pub unpacked_size: u64,
    /// The new layer; absent if it was not written.
    pub layer: Option<(Digest, DiffId)>,
    /// Bytes of files that were replaced or deleted inside the range, and are gone.
    pub hidden: u64,
    /// Bytes of files that the range replaces or deletes, and that stay because a
    /// layer below has them.
    pub held_below: u64,
    /// The layer from which a range would have to start to free those, counted from 1.
    pub held_from: Option<usize>,
}

/// Sums up what was merged of an image whose layers had these sizes.
pub(super) fn report(name: &str, sizes: &[u64], made: &[Merged]) -> SquashReport {
    let sum = |sizes: &[u64]| sizes.iter().copied().fold(0, u64::saturating_add);
    let before = sum(sizes);
    let mut after = Some(before);
    let mut layers_after = sizes.len();
    let mut ranges = Vec::new();
    for made in made {
        let size_before = sum(&sizes[made.range.clone()]);
        let size_after = match &made.written {
            Some((blob, _)) => Some(blob.size),
            None if made.encoding == Encoding::Plain => Some(made.unpacked_size),
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
        let new = made.written.as_ref();
        ranges.push(SquashedRange {
            first: made.range.start() + 1,
            last: made.range.end() + 1,
            size_before,
            size_after,
            unpacked_size: made.unpacked_size,
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
        size_after: after,
        written: None,
    }
}
