//! Random stacks of layers: whatever is squashed, the tree stays what it was.
//!
//! The judge is the naive replay of `support/naive.rs`. What the spec does not
//! say is not generated (`support/random.rs`), and the metadata of a directory
//! that no layer has an entry for is not compared above a base.

use proptest::prelude::*;
use serde_json::Value;

use crate::support::canonical::{assert_bytes, assert_entries, assert_order};
use crate::support::codec::decompress;
use crate::support::entry::{Entry, Kind, stack, words};
use crate::support::judge::Format;
use crate::support::make::Image;
use crate::support::naive::{entries, is_inside, path_of, replay, replay_for};
use crate::support::random::{Flavour, Stack, stacks};
use crate::support::squash::{Squashed, put, squash};
use crate::support::tree::{Strictness, assert_same};
use crate::support::{Sandbox, layer, random_cases};

/// The stack in words, for messages.
fn shown(stack: &Stack) -> String {
    let layers: Vec<String> = stack.layers.iter().map(|it| words(it)).collect();
    layers.join(" | ")
}

/// Every range of so many layers, from 0.
fn ranges(count: usize) -> impl Iterator<Item = std::ops::RangeInclusive<usize>> {
    (0..count).flat_map(move |start| (start..count).map(move |end| start..=end))
}

/// Checks one squash of a stack against the naive replay.
#[track_caller]
fn assert_squashed(
    stack: &Stack,
    image: &Image,
    range: &std::ops::RangeInclusive<usize>,
    squashed: &Squashed,
) {
    let what = format!("{range:?} of {}", shown(stack));
    let (start, end) = (*range.start(), *range.end());

    let ids = squashed.image.diff_ids();
    assert_eq!(ids[..start], image.diff_ids[..start], "{what}: below");
    assert_eq!(ids[start + 1..], image.diff_ids[end + 1..], "{what}: above");
    assert_eq!(
        squashed.stored[..start],
        image.layers[..start],
        "{what}: below"
    );
    assert_eq!(
        squashed.stored[start + 1..],
        image.layers[end + 1..],
        "{what}: above"
    );
    assert_history(image, squashed, &what);

    let (new, base) = (&squashed.stored[start], replay(&image.layers[..start]));
    assert_bytes(&decompress(new));
    let new = entries(new);
    assert_entries(&new, (start > 0).then_some(&base));
    assert_order(&new);
    if start > 0 {
        assert_nothing_is_made_up(&stack.layers[start..=end], &new, &what);
    }

    let strictness = if start == 0 {
        Strictness::All
    } else {
        Strictness::DefinedOnly
    };
    let original = replay_for(&image.layers, range);
    assert_same(&original, &replay(&squashed.stored), strictness, &what);
}

/// As many entries of the history as layers are not empty, and those that were there are there still.
#[track_caller]
fn assert_history(image: &Image, squashed: &Squashed, what: &str) {
    let history = |config: &[u8]| -> Vec<Value> {
        let config: Value = serde_json::from_slice(config).expect("a config is JSON");
        config["history"].as_array().expect("a history").clone()
    };
    let (before, after) = (
        history(&image.config),
        history(squashed.image.config.as_bytes()),
    );
    let filled = after.iter().filter(|it| it["empty_layer"] != true).count();
    assert_eq!(filled, squashed.image.layers.len(), "{what}: {after:?}");
    let story = |entries: &[Value]| -> Vec<String> {
        entries
            .iter()
            .map(|it| it["created_by"].to_string())
            .collect()
    };
    let (before, after) = (story(&before), story(&after));
    let mut left = after.iter();
    for entry in &before {
        assert!(
            left.any(|it| it == entry),
            "{what}: {before:?} is in {after:?}"
        );
    }
}

/// Above a base, a directory is written only if the range has it, or if nothing else shows that it is there.
#[track_caller]
fn assert_nothing_is_made_up(range: &[Vec<Entry>], new: &[Entry], what: &str) {
    let directories = |entries: &[Entry]| -> Vec<Vec<u8>> {
        let directories = entries.iter().filter(|it| it.kind == Kind::Directory);
        directories.map(|it| path_of(&it.name)).collect()
    };
    let explicit: Vec<Vec<u8>> = range.iter().flat_map(|it| directories(it)).collect();
    // A name that leads through a symlink is not the path of what it names.
    let mut symlinks = range.iter().flatten();
    if symlinks.any(|it| matches!(it.kind, Kind::Symlink(_))) {
        return;
    }
    for directory in directories(new) {
        let mut inside = new.iter().filter(|it| is_inside(&it.name, &directory));
        let shows = inside.any(|it| it.kind != Kind::Directory);
        let is_made_up = !explicit.contains(&directory) && shows;
        assert!(!is_made_up, "{what}: {}", directory.escape_ascii());
    }
}

proptest! {
    // Every case starts a process per range.
    #![proptest_config(random_cases(48))]

    #[test]
    fn every_range_keeps_the_tree(stack in stacks(Flavour::Any, 2..7)) {
        let sandbox = Sandbox::new();
        let image = Image::of_layers(&["app:1"], stack.tars());
        let source = put(&sandbox, "in", Format::Docker, &image);
        for range in ranges(image.layers.len()) {
            let squashed = squash(&sandbox, &source, &range, Format::Docker);
            assert_squashed(&stack, &image, &range, &squashed);
            std::fs::remove_file(sandbox.path("out")).expect("the output can be removed");
        }
    }

    #[test]
    fn an_export_is_the_tree(stack in stacks(Flavour::Any, 1..7)) {
        let sandbox = Sandbox::new();
        let image = Image::of_layers(&["app:1"], stack.tars());
        let source = put(&sandbox, "in", Format::Docker, &image);
        let (tar, _) = sandbox.run(&["export", &source]).reports();
        assert_bytes(&tar);
        let entries = entries(&tar);
        assert_entries(&entries, None);
        assert_order(&entries);
        let (original, got) = (replay(&image.layers), replay(&[tar]));
        assert_same(&original, &got, Strictness::All, &shown(&stack));
    }

    /// The judge is judged: what it says of a stack is what it says of a flat tar of that.
    #[test]
    fn the_naive_replay_of_a_flat_tar_is_the_tree(stack in stacks(Flavour::Any, 1..7)) {
        let original = replay(&stack.tars());
        let flat: Vec<Entry> = original.entries().into_values().collect();
        assert_entries(&flat, None);
        assert_same(&original, &replay(&[layer::tar(&flat)]), Strictness::All, &shown(&stack));
    }

    #[test]
    fn the_place_of_a_marker_does_not_matter(
        stack in stacks(Flavour::Any, 2..5),
        places in proptest::collection::vec(any::<u32>(), 8),
    ) {
        let moved = stack.with_markers_moved(&places);
        let sandbox = Sandbox::new();
        let sources = [&stack, &moved].map(|it| Image::of_layers(&["app:1"], it.tars()));
        let sources = [("in", &sources[0]), ("moved", &sources[1])]
            .map(|(name, image)| (put(&sandbox, name, Format::Docker, image), image));
        for range in ranges(stack.layers.len()) {
            let new = sources.each_ref().map(|(source, _)| {
                let squashed = squash(&sandbox, source, &range, Format::Docker);
                std::fs::remove_file(sandbox.path("out")).expect("the output can be removed");
                squashed.stored[*range.start()].clone()
            });
            let [one, other] = new.each_ref().map(|it| words(&entries(it)));
            prop_assert_eq!(one, other, "{:?} of {} and {}", range, shown(&stack), shown(&moved));
            prop_assert!(new[0] == new[1]);
        }
    }
}

/// What the generator is for would be lost if it made nothing, or the same over and over.
#[test]
fn random_stacks_have_everything_in_them() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    for flavour in [Flavour::Any, Flavour::Docker] {
        let mut counts = std::collections::BTreeMap::new();
        let mut count = |what: &'static str, by: usize| *counts.entry(what).or_insert(0) += by;
        for _ in 0..300 {
            let tree = stacks(flavour, 2..7).new_tree(&mut runner);
            let stack = tree.expect("a stack can be made").current();
            let layers = stack.tars();
            let tree = replay(&layers);
            count("paths", tree.entries().len());
            let numbered = stack.layers.iter().enumerate();
            for (number, entry) in numbered.flat_map(|(n, it)| it.iter().map(move |it| (n, it))) {
                let below = replay(&layers[..number]);
                let is_opaque = entry.base_name() == b".wh..wh..opq";
                count(
                    match &entry.kind {
                        Kind::Char(0, 0) => "device markers",
                        Kind::File(_) if is_opaque => "opaque",
                        Kind::File(_) if entry.is_marker() => "whiteouts",
                        Kind::File(_) => "files",
                        Kind::Directory => "directories",
                        Kind::Symlink(_) => "symlinks",
                        Kind::Link(_) => "links",
                        Kind::Char(..) | Kind::Block(..) => "devices",
                        Kind::Fifo => "fifos",
                    },
                    1,
                );
                if let Kind::Link(target) = &entry.kind {
                    let is_here = stack.layers[number]
                        .iter()
                        .any(|it| path_of(&it.name) == path_of(target));
                    count("links to what is below", usize::from(!is_here));
                }
                if entry.is_marker() && !is_opaque {
                    let name = path_of(&entry.name);
                    let directory = &name[..name.len() - entry.base_name().len()];
                    let removed = [directory, &entry.base_name()[4..]].concat();
                    count("whiteouts of something", usize::from(below.has(&removed)));
                }
                count("long names", usize::from(entry.name.len() > 255));
                count("attributes", entry.meta.xattrs.len());
                count("times before 1970", usize::from(entry.meta.mtime < 0));
            }
            let implied = tree.implied().len();
            count("implied directories", implied);
        }
        // What Docker refuses, or understands otherwise.
        let foreign = [
            "device markers",
            "implied directories",
            "links to what is below",
        ];
        let got: Vec<&str> = counts
            .iter()
            .filter(|(_, it)| **it >= 50)
            .map(|(it, _)| *it)
            .collect();
        let mut expected = vec![
            "attributes",
            "device markers",
            "devices",
            "directories",
            "fifos",
            "files",
            "implied directories",
            "links",
            "links to what is below",
            "long names",
            "opaque",
            "paths",
            "symlinks",
            "times before 1970",
            "whiteouts",
            "whiteouts of something",
        ];
        if flavour == Flavour::Docker {
            expected.retain(|it| !foreign.contains(it));
            for what in foreign {
                assert_eq!(
                    counts.get(what).copied().unwrap_or(0),
                    0,
                    "{what}: {counts:?}"
                );
            }
        }
        assert_eq!(got, expected, "{flavour:?}: {counts:?}");
    }
}

/// Failures of the property tests, kept as they were found.
#[test]
fn stacks_that_went_wrong_once_go_right() {
    let stacks: [&str; 0] = [];
    for text in stacks {
        let sandbox = Sandbox::new();
        let layers: Vec<Vec<u8>> = stack(text).iter().map(|it| layer::tar(it)).collect();
        let image = Image::of_layers(&["app:1"], layers);
        let source = put(&sandbox, "in", Format::Docker, &image);
        for range in ranges(image.layers.len()) {
            let squashed = squash(&sandbox, &source, &range, Format::Docker);
            let strictness = if *range.start() == 0 {
                Strictness::All
            } else {
                Strictness::DefinedOnly
            };
            let original = replay_for(&image.layers, &range);
            assert_same(&original, &replay(&squashed.stored), strictness, text);
            std::fs::remove_file(sandbox.path("out")).expect("the output can be removed");
        }
    }
}
