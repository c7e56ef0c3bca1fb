//! The planner: ranges of layers are merged one after the other, the lowest first.

use std::ops::{Range, RangeInclusive};

use crate::digest::DiffId;
use crate::error::{Error, Result};
use crate::merge::{Changes, Merge, Plan, Savings};
use crate::ops::squash::range::{LayerChoice, ranges_in};
use crate::ops::squash::report::{SquashReport, report};
use crate::ops::stack::layer_stack::LayerStack;
use crate::stream::{Encoding, Hashed};
use crate::transfer::compression::kept;

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

/// Plans a squash of an image whose layers have these changes, as
/// [`Session::plan_squash`](crate::Session::plan_squash) does with the default options,
/// but without reading the layers again, and without warnings.
pub(in crate::ops) fn plan_known(
    layers: &LayerStack<'_>,
    changes: &[Changes],
    choice: &LayerChoice,
) -> Result<SquashReport> {
    let ranges = ranges_in(choice, &layers.image.layers)?;
    let made = merge_ranges(&KnownStack { layers, changes }, &ranges)?;
    Ok(report(layers.name, &layers.image.layers, &made))
}

/// Layers whose changes are known.
struct KnownStack<'a> {
    layers: &'a LayerStack<'a>,
    changes: &'a [Changes],
}

impl KnownStack<'_> {
    /// A copy of the changes of a layer, since a merge consumes them.
    fn changes(&self, at: usize) -> Result<Changes> {
        if self.layers.context.watch.is_interrupted() {
            return Err(Error::Interrupted);
        }
        Ok(self.changes[at].clone())
    }
}

impl Stack for KnownStack<'_> {
    fn put_below(&self, merge: &mut Merge, mut range: Range<usize>) -> Result<()> {
        range.try_for_each(|at| {
            let put = merge.put_below(self.changes(at)?);
            put.map_err(|error| self.layers.failed(at, error))?;
            Ok(())
        })
    }

    fn put_in_range(&self, merge: &mut Merge, mut range: RangeInclusive<usize>) -> Result<()> {
        range.try_for_each(|at| {
            let put = merge.put_in_range(self.changes(at)?);
            put.map_err(|error| self.layers.failed(at, error))?;
            Ok(())
        })
    }

    fn make(&self, plan: &Plan<'_>, range: &RangeInclusive<usize>) -> Result<NewLayer> {
        let uppermost = &self.layers.image.layers[*range.end()];
        Ok(NewLayer {
            unpacked_size: plan.measure(),
            encoding: kept(uppermost.compression, None),
            written: None,
        })
    }
}
