//! Stacks of layers that no engine would write.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::fuzzing::merging::{merged, merged_whole, shown};
use crate::fuzzing::support::canonical::{assert_bytes, assert_entries, assert_order};
use crate::fuzzing::support::entry::{Entry, Kind, Meta, words};
use crate::fuzzing::support::layer;
use crate::fuzzing::support::naive::{entries, replay};
use crate::fuzzing::support::random::Numbers;

/// Components of names; the first ones occur repeatedly.
const COMPONENTS: [&[u8]; 16] = [
    b"a",
    b"b",
    b"c",
    b"a",
    b"b",
    b"a",
    b"..",
    b".",
    b"",
    b".wh.a",
    b".wh.b",
    b".wh..wh..opq",
    b".wh.c",
    b".wh..wh.aufs",
    b".wh..wh.a",
    b".wh.",
];

/// The number of components that are not whiteouts.
const PLAIN: usize = 9;

/// Merges the layers. If they are accepted, the result is canonical, and merging in two
/// steps gives the same tree as merging at once.
pub(super) fn check(numbers: &[Vec<Numbers>], ranges: &[Range<usize>]) {
    let numbered = numbers.iter().enumerate();
    let stack: Vec<Vec<Entry>> = numbered.map(|(at, layer)| wild(at, layer)).collect();
    let shown = shown(&stack);
    let tars: Vec<Vec<u8>> = stack.iter().map(|layer| layer::tar(layer)).collect();
    let _ = merged(&tars, ranges, true);
    let Ok(whole) = merged_whole(&tars) else {
        return;
    };
    assert_bytes(&whole);
    let written = entries(&whole);
    assert_entries(&written, None);
    assert_order(&written);
    let again = merged_whole(std::slice::from_ref(&whole));
    assert_eq!(again.ok().as_ref(), Some(&whole), "{shown}");

    let what = format_args!("{ranges:?} of {shown}");
    let made = merged(&tars, ranges, false).unwrap_or_else(|error| panic!("{error}: {what}"));
    let mut squashed = Vec::new();
    let mut next = 0;
    for (range, (layer, _)) in ranges.iter().zip(made) {
        assert_bytes(&layer);
        squashed.extend_from_slice(&tars[next..range.start]);
        squashed.push(layer);
        next = range.end;
    }
    squashed.extend_from_slice(&tars[next..]);
    let squashed = merged_whole(&squashed).unwrap_or_else(|error| panic!("{error}: {what}"));
    let [one, mut other] = [whole, squashed].map(|tar| {
        let mut tree = replay(&[tar]);
        // A range has copies of the lower files to which it links.
        tree.split(|_| true);
        tree.entries()
    });
    for (path, entry) in &one {
        // The metadata of a directory without any entry are unspecified.
        if entry.kind == Kind::Directory
            && entry.meta == Meta::implied()
            && let Some(other) = other.get_mut(path)
        {
            other.meta = Meta::implied();
        }
    }
    let in_words = |tree: &BTreeMap<_, Entry>| words(&tree.values().cloned().collect::<Vec<_>>());
    assert!(
        one == other,
        "{what}:\n{}\n{}",
        in_words(&one),
        in_words(&other)
    );
}

/// Entries that may be meaningless.
fn wild(layer: usize, numbers: &[Numbers]) -> Vec<Entry> {
    let entry = |(at, numbers): (usize, &Numbers)| {
        let [kind, path, target, meta, _] = *numbers;
        let kind = match kind % 16 {
            0..=4 => Kind::File(format!("{layer}.{at} ").into_bytes()),
            5..=8 => Kind::Directory,
            9..=10 => Kind::Symlink(name(target, PLAIN)),
            11..=13 => Kind::Link(name(target, COMPONENTS.len())),
            14 => Kind::Char(0, target % 2),
            _ => Kind::Fifo,
        };
        // A hard link to something below a range is a copy there: its metadata do not
        // apply to its target.
        let mode = match kind {
            Kind::Directory => [0o755, 0o644, 0o700][meta as usize % 3],
            _ => 0o644,
        };
        let mut entry = Entry::new(name(path, COMPONENTS.len()), kind);
        entry.meta.mode = mode;
        entry
    };
    numbers.iter().enumerate().map(entry).collect()
}

/// One to three components, the last of which is one of the first `count`. The others
/// are not whiteouts, since directories with such names have no entries.
fn name(number: u32, count: usize) -> Vec<u8> {
    let number = number as usize;
    let depth = [1, 1, 2, 3][number % 4];
    let components = (1..=depth).map(|at| {
        let count = if at == depth { count } else { PLAIN };
        COMPONENTS[(number >> (4 * at - 2)) % 16 % count]
    });
    let start: &[u8] = if number >= 0xc000 { b"/" } else { b"" };
    [start, &components.collect::<Vec<_>>().join(&b'/')].concat()
}
