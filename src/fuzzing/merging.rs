//! A stack of layers merged in memory, as in a squash.

use std::fmt::{self, Display};
use std::io::{self, Cursor};
use std::ops::Range;
use std::sync::Arc;

use crate::event::Watch;
use crate::fuzzing::support::entry::{Entry, words};
use crate::layer::{Budget, LayerError, LayerReader, LayerWriter};
use crate::merge::{Changes, ChangesBuilder, Merge, Replay, ReplayError, Savings};
use crate::tar_stream::{SkipByReading, Time};

/// Merges ranges of the layers, the lowest first, and returns each new layer with its
/// savings. Layers outside the ranges are kept.
///
/// If `is_blind`, the layers below a range are unknown, as in an image whose lower
/// layers are encrypted.
pub(super) fn merged(
    layers: &[Vec<u8>],
    ranges: &[Range<usize>],
    is_blind: bool,
) -> Result<Vec<(Vec<u8>, Savings)>, LayerError> {
    let budget = Arc::default();
    let mut merge = Merge::new();
    let mut below = 0;
    let mut made = Vec::new();
    for range in ranges {
        if is_blind && below < range.start || merge.is_below_unknown() {
            merge.put_unknown_below(range.start - below);
        } else {
            for (at, layer) in layers.iter().enumerate().take(range.start).skip(below) {
                merge.put_below(changes(at, layer, &budget)?)?;
            }
        }
        for at in range.clone() {
            merge.put_in_range(changes(at, &layers[at], &budget)?)?;
        }
        let layer = written(&merge, layers, range)?;
        let count = u32::try_from(range.len()).expect("there are few");
        made.push((layer, merge.end_range(count)));
        below = range.end;
    }
    Ok(made)
}

/// Merges all layers, as in an export.
pub(super) fn merged_whole(layers: &[Vec<u8>]) -> Result<Vec<u8>, LayerError> {
    let all = 0..layers.len();
    let mut made = merged(layers, std::slice::from_ref(&all), false)?;
    Ok(made.remove(0).0)
}

/// A stack in words, for messages.
pub(super) fn shown(stack: &[Vec<Entry>]) -> impl Display {
    Shown(stack)
}

/// A stack that is put into words when it is shown.
struct Shown<'a>(&'a [Vec<Entry>]);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layers: Vec<String> = self.0.iter().map(|layer| words(layer)).collect();
        f.write_str(&layers.join(" | "))
    }
}

/// Reads the changes of a layer.
fn changes(at: usize, layer: &[u8], budget: &Arc<Budget>) -> Result<Changes, LayerError> {
    let mut builder = ChangesBuilder::new(number(at), budget.clone());
    let mut reader = LayerReader::new(SkipByReading(layer), budget.clone());
    while let Some(entry) = reader.next_entry()? {
        let added = builder.add(entry, reader.interpreter());
        added.map_err(|fault| reader.failed(fault))?;
    }
    builder.finish(false)
}

/// Writes the result of a range.
///
/// # Errors
///
/// Fails only if the content of a file, which the plan has not read, is faulty.
fn written(merge: &Merge, layers: &[Vec<u8>], range: &Range<usize>) -> Result<Vec<u8>, LayerError> {
    let interrupt = Arc::default();
    let watch = Watch::new(&|_| (), &interrupt);
    let plan = merge.plan();
    let size = plan.measure();
    let mut output = Cursor::new(Vec::new());
    if size > SIZE_MAX {
        return Ok(output.into_inner());
    }
    let mut replay = Replay::new(&plan, LayerWriter::new(&mut output), Time::default());
    let lower = plan.layers().into_iter().map(|layer| layer as usize);
    let lower: Vec<usize> = lower.filter(|at| !range.contains(at)).collect();
    for at in lower.into_iter().chain(range.clone()) {
        let mut reader = LayerReader::new(SkipByReading(&*layers[at]), Arc::default());
        let replayed = replay.layer(number(at), &mut reader, &watch);
        replayed.map_err(|error| match error {
            ReplayError::Layer(error) => error,
            ReplayError::Write(error) => panic!("memory takes everything: {error}"),
            ReplayError::Interrupted => panic!("nobody has interrupted it"),
        })?;
    }
    let finished: io::Result<_> = replay.finish().and_then(LayerWriter::finish);
    finished.expect("memory takes everything");
    let layer = output.into_inner();
    assert_eq!(
        layer.len() as u64,
        size,
        "a layer is as long as it was measured"
    );
    Ok(layer)
}

/// Maximum size of a written layer: a small header may claim gigabytes of holes.
pub(super) const SIZE_MAX: u64 = 1 << 20;

fn number(at: usize) -> u32 {
    u32::try_from(at).expect("there are few")
}
