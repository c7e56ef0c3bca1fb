//! The squashes that would drop hidden files, from the planner of `squash`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use crate::error::Result;
use crate::merge::KeptChanges;
use crate::ops::squash::known::plan_known;
use crate::ops::squash::range::ranges_in;
use crate::ops::stack::layer_stack::LayerStack;
use crate::ops::waste::report::{HiddenFile, WastePlan, WasteRemedy};

/// Maximum number of plans of one kind. Each costs a merge of all layers.
const PLANS_MAX: usize = 10;

/// More layers than any engine takes.
const MANY_LAYERS: usize = 128;

/// Plans the squashes that make a difference.
pub(super) fn plans(
    layers: &LayerStack<'_>,
    changes: &[KeptChanges],
    hidden: &[HiddenFile],
) -> Result<Vec<WastePlan>> {
    let remedies = by_start(hidden).into_iter();
    let remedies = remedies.chain(by_count(layers, hidden)?);
    let plan = |remedy: WasteRemedy| {
        Ok(WastePlan {
            layers: remedy,
            squash: plan_known(layers, changes, &remedy.into())?,
        })
    };
    remedies.map(plan).collect()
}

/// The layers from which a squash of all above would drop more than from the next one:
/// those that have hidden files.
fn by_start(hidden: &[HiddenFile]) -> Vec<WasteRemedy> {
    let mut gains: BTreeMap<usize, u64> = BTreeMap::new();
    for file in hidden {
        add(gains.entry(file.layer).or_default(), file.size);
    }
    let starts = best(gains.into_iter().collect()).into_iter();
    starts.map(|it| WasteRemedy::From(number(it))).collect()
}

/// The numbers of layers to leave with which a squash would drop more than with the next
/// higher one, except for 1, which is the same as to start at the lowest layer.
fn by_count(layers: &LayerStack<'_>, hidden: &[HiddenFile]) -> Result<Vec<WasteRemedy>> {
    let mut pairs: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    for file in hidden {
        let pair = (file.layer - 1, file.hidden_by - 1);
        add(pairs.entry(pair).or_default(), file.size);
    }
    let count = layers.count();
    // To choose layers takes the square of their number.
    let numbers = (2..count).filter(|it| count < MANY_LAYERS || it.is_power_of_two());
    let (mut gains, mut next) = (Vec::new(), 0);
    for most in numbers.rev() {
        let remedy = WasteRemedy::AtMost(number(most));
        // A file is dropped if one range has both its layer and the one that hides it.
        let ranges = ranges_in(&remedy.into(), &layers.image.layers)?;
        let is_dropped = |(stored, by): (usize, usize)| {
            let at = ranges.partition_point(|range| *range.end() < by);
            ranges.get(at).is_some_and(|range| *range.start() <= stored)
        };
        let mut freed = 0;
        for (_, bytes) in pairs.iter().filter(|(pair, _)| is_dropped(**pair)) {
            add(&mut freed, *bytes);
        }
        gains.push((most, freed.saturating_sub(next)));
        next = freed;
    }
    gains.retain(|(_, gain)| *gain > 0);
    let counts = best(gains).into_iter();
    Ok(counts.map(|it| WasteRemedy::AtMost(number(it))).collect())
}

/// The numbers that gain most, in their order.
fn best(mut gains: Vec<(usize, u64)>) -> Vec<usize> {
    gains.sort_by_key(|(number, gain)| (Reverse(*gain), *number));
    gains.truncate(PLANS_MAX);
    let mut best: Vec<usize> = gains.into_iter().map(|(number, _)| number).collect();
    best.sort_unstable();
    best
}

/// Sizes may be those that a malicious image claims.
fn add(sum: &mut u64, bytes: u64) {
    *sum = sum.saturating_add(bytes);
}

/// A number of layers, or of a layer, which is at least 1.
fn number(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN)
}
