//! Plans for layers whose changes are known.

use std::ops::{Range, RangeInclusive};

use crate::error::{Error, Result};
use crate::merge::{Changes, KeptChanges, Merge, Plan};
use crate::ops::squash::plan::{NewLayer, Stack, merge_ranges};
use crate::ops::squash::range::{LayerChoice, ranges_in};
use crate::ops::squash::report::{SquashReport, report};
use crate::ops::stack::layer_stack::LayerStack;
use crate::transfer::compression::kept;

/// Plans a squash of an image whose layers have these changes, as
/// [`Session::plan_squash`](crate::Session::plan_squash) does with the default options,
/// but without reading the layers again, and without warnings.
pub(in crate::ops) fn plan_known(
    layers: &LayerStack<'_>,
    changes: &[KeptChanges],
    choice: &LayerChoice,
) -> Result<SquashReport> {
    let ranges = ranges_in(choice, &layers.image.layers)?;
    let made = merge_ranges(&KnownStack { layers, changes }, &ranges)?;
    Ok(report(layers.name, &layers.image.layers, &made))
}

/// Layers whose changes are known.
struct KnownStack<'a> {
    layers: &'a LayerStack<'a>,
    changes: &'a [KeptChanges],
}

impl KnownStack<'_> {
    /// A copy of the changes of a layer, since a merge consumes them.
    fn changes(&self, at: usize) -> Result<Changes> {
        if self.layers.context.watch.is_interrupted() {
            return Err(Error::Interrupted);
        }
        Ok(self.changes[at].changes())
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
