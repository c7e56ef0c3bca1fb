//! The planner: ranges of layers are merged one after the other, the lowest first.

use std::ops::{Range, RangeInclusive};

use crate::digest::DiffId;
use crate::error::Result;
use crate::merge::{Merge, Plan, Savings};
use crate::stream::{Encoding, Hashed};

/// A merged range of layers.
#[derive(Debug)]
pub(super) struct Merged {
    /// The layers, counted from 0.
    pub(super) range: RangeInclusive<usize>,
    /// The bytes that the merge dropped or kept.
    pub(super) savings: Savings,
    /// The new layer.
    pub(super) layer: NewLayer,
}

/// The layer that a range becomes.
#[derive(Debug)]
pub(super) struct NewLayer {
    /// Its size unpacked, in bytes.
    pub(super) unpacked_size: u64,
    /// Its compression.
    pub(super) encoding: Encoding,
    /// Its stored bytes and its diff_id, if it was written.
    pub(super) written: Option<(Hashed, DiffId)>,
}

/// The layers of an image, counted from 0, for the planner.
pub(super) trait Stack {
    /// Adds layers that are kept, so that it is known what they contain.
    fn put_below(&self, merge: &mut Merge, range: Range<usize>) -> Result<()>;

    /// Adds the layers of a range.
    fn put_in_range(&self, merge: &mut Merge, range: RangeInclusive<usize>) -> Result<()>;

    /// Makes the layer that a range becomes, or measures it.
    fn make(&self, plan: &Plan<'_>, range: &RangeInclusive<usize>) -> Result<NewLayer>;
}

/// Merges ranges, the lowest first.
pub(super) fn merge_ranges(
    stack: &dyn Stack,
    ranges: &[RangeInclusive<usize>],
) -> Result<Vec<Merged>> {
    let mut merge = Merge::new();
    let mut below = 0;
    let mut made = Vec::new();
    for range in ranges {
        stack.put_below(&mut merge, below..*range.start())?;
        stack.put_in_range(&mut merge, range.clone())?;
        let layer = stack.make(&merge.plan(), range)?;
        let count = u32::try_from(range.clone().count()).expect("layers are limited");
        made.push(Merged {
            range: range.clone(),
            savings: merge.end_range(count),
            layer,
        });
        below = range.end() + 1;
    }
    Ok(made)
}
