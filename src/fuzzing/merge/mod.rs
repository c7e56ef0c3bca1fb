//! The merge: whiteouts, replacement, hard links, over several layers.

mod wild;

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use crate::fuzzing::merging::{merged, merged_whole, shown};
use crate::fuzzing::support::canonical::{assert_bytes, assert_entries, assert_order};
use crate::fuzzing::support::layer::Dialect;
use crate::fuzzing::support::naive::{entries, replay, replay_for};
use crate::fuzzing::support::random::{Flavour, Numbers, Stack};
use crate::fuzzing::support::tree::{Strictness, assert_same};
use crate::merge::Savings;

/// Maximum number of layers in a stack.
const LAYERS_MAX: usize = 6;

/// Maximum number of entries in a layer.
const ENTRIES_MAX: usize = 24;

/// Makes a stack of layers from the bytes, and merges ranges of it.
///
/// All of it, as in `export`, and one or two ranges, as in `squash`, have the same tree
/// as the naive replay of the tests, in canonical bytes, without whiteouts that delete
/// nothing. The reported savings are the files without any name left. The position of a
/// whiteout in its layer does not matter. Above unknown layers the tree is the same,
/// with more whiteouts.
///
/// If one bit of the first byte is set, the layers are arbitrary, and may be refused.
/// `wild.rs` lists the properties that hold nevertheless.
pub fn merge(data: &[u8]) {
    let Some((head, numbers)) = data.split_first_chunk::<4>() else {
        return;
    };
    if head[0] & 4 != 0 {
        return wild::check(&layers(numbers), &ranges(*head, layers(numbers).len()));
    }
    let dialect = [Dialect::Pax, Dialect::Gnu][usize::from(head[0] & 1)];
    let is_blind = head[0] & 2 != 0;
    let stack = Stack::new(Flavour::Any, dialect, &layers(numbers));
    let tars = stack.tars();
    let shown = shown(&stack.layers);

    let whole = exported(&tars, &shown);
    let ranges = ranges(*head, tars.len());
    let made = squashed(&tars, &ranges, is_blind, &shown);

    if head[3] & 2 == 0 {
        return;
    }
    let moved = stack.with_markers_moved(&head.map(u32::from)).tars();
    let what = "the place of a marker does not matter";
    assert_eq!(exported(&moved, &shown), whole, "{what}: {shown}");
    let made_of_moved = squashed(&moved, &ranges, is_blind, &shown);
    assert_eq!(made_of_moved, made, "{what}: {ranges:?} of {shown}");
}

/// Each entry has ten bytes; the second one also determines whether a layer begins with
/// it.
fn layers(bytes: &[u8]) -> Vec<Vec<Numbers>> {
    let mut layers = vec![Vec::new()];
    for entry in bytes.chunks_exact(10) {
        let number = |at: usize| u32::from(u16::from_le_bytes([entry[at], entry[at + 1]]));
        if entry[1] >= 0xc0 && layers.len() < LAYERS_MAX {
            layers.push(Vec::new());
        }
        let layer = layers.last_mut().expect("there is one");
        if layer.len() < ENTRIES_MAX {
            layer.push([0, 2, 4, 6, 8].map(number));
        }
    }
    layers
}

/// One or two ranges of this many layers.
fn ranges(head: [u8; 4], count: usize) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut from = 0;
    for byte in [head[1], head[2]] {
        let left = count - from;
        if left > 0 {
            let start = from + usize::from(byte & 0xf) % left;
            let end = start + 1 + usize::from(byte >> 4) % (count - start);
            ranges.push(start..end);
            from = end;
        }
    }
    ranges.truncate(1 + usize::from(head[3] & 1));
    ranges
}

/// Merges all layers, and returns the result.
fn exported(tars: &[Vec<u8>], shown: &impl Display) -> Vec<u8> {
    let tar = merged_whole(tars).unwrap_or_else(|error| panic!("{error}: {shown}"));
    assert_bytes(&tar);
    let written = entries(&tar);
    assert_entries(&written, None);
    assert_order(&written);
    let (original, got) = (replay(tars), replay(std::slice::from_ref(&tar)));
    assert_same(&original, &got, Strictness::All, shown);
    tar
}

/// Merges ranges, and returns the new layers.
fn squashed(
    tars: &[Vec<u8>],
    ranges: &[Range<usize>],
    is_blind: bool,
    shown: &impl Display,
) -> Option<Vec<(Vec<u8>, Savings)>> {
    let what = format_args!("{ranges:?} of {shown}");
    let made = match merged(tars, ranges, is_blind) {
        Ok(made) => made,
        // A hard link to something in an unknown layer.
        Err(_) if is_blind => return None,
        Err(error) => panic!("{error}: {what}"),
    };
    let inclusive: Vec<RangeInclusive<usize>> = ranges
        .iter()
        .map(|range| range.start..=range.end - 1)
        .collect();
    let mut stack = Vec::new();
    let mut next = 0;
    for (range, (layer, savings)) in ranges.iter().zip(&made) {
        stack.extend_from_slice(&tars[next..range.start]);
        assert_bytes(layer);
        let written = entries(layer);
        if !is_blind || range.start == 0 {
            let below = replay(&stack);
            assert_entries(&written, (range.start > 0).then_some(&below));
            assert_savings(tars, &inclusive, range, savings, &what);
        }
        assert_order(&written);
        stack.push(layer.clone());
        next = range.end;
    }
    stack.extend_from_slice(&tars[next..]);
    let strictness = match ranges {
        [range] if range.start == 0 => Strictness::All,
        _ => Strictness::DefinedOnly,
    };
    let original = replay_for(tars, &inclusive);
    assert_same(&original, &replay(&stack), strictness, what);
    Some(made)
}

/// Checks that the savings of a range are the files without any name left.
fn assert_savings(
    tars: &[Vec<u8>],
    ranges: &[RangeInclusive<usize>],
    range: &Range<usize>,
    savings: &Savings,
    what: &impl Display,
) {
    let before = replay_for(&tars[..range.start], ranges);
    let after = replay_for(&tars[..range.end], ranges);
    let hidden = after
        .lost_files()
        .filter(|(layer, _)| range.contains(layer));
    let hidden: u64 = hidden.map(|(_, size)| size).sum();
    let below = after.lost_files().filter(|(layer, _)| *layer < range.start);
    let mut below: Vec<(usize, u64)> = below.collect();
    for file in before.lost_files() {
        let at = below.iter().position(|it| *it == file);
        below.swap_remove(at.expect("what was lost below is lost above"));
    }
    let lowest = below.iter().map(|(layer, _)| *layer).min();
    let below: u64 = below.iter().map(|(_, size)| size).sum();
    let got = (
        savings.hidden,
        savings.below,
        savings.lowest.map(|it| it as usize),
    );
    assert_eq!(got, (hidden, below, lowest), "{what}");
}
