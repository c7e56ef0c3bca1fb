//! Random stacks of layers: whatever is squashed, the tree stays what it was.
//!
//! The judge is the naive replay of `support/naive.rs`. What the spec does not
//! say is not generated (`support/random.rs`), and the time of a directory that no
//! layer has an entry for is not compared above a base.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::canonical::{assert_bytes, assert_entries, assert_order};
use crate::support::codec::decompress;
use crate::support::entry::{Entry, Kind, stack, words};
use crate::support::judge::Format;
use crate::support::make::Image;
use crate::support::naive::{entries, is_inside, path_of, replay, replay_for};
use crate::support::random::{Flavour, Stack, stacks};
use crate::support::squash::{Squashed, put, range_argument, read};
use crate::support::tree::{Strictness, assert_same};
use crate::support::{Sandbox, layer, random_cases};

/// The stack in words, for messages.
fn shown(stack: &Stack) -> String {
    let layers: Vec<String> = stack.layers.iter().map(|it| words(it)).collect();
    layers.join(" | ")
}

/// Every range of so many layers, from 0.
fn ranges(count: usize) -> impl Iterator<Item = Range> {
    (0..count).flat_map(move |start| (start..count).map(move |end| start..=end))
}

/// A range of layers, from 0.
type Range = std::ops::RangeInclusive<usize>;

/// Squashes an image by these arguments, and returns the outcome with the report on it.
#[track_caller]
fn squash(sandbox: &Sandbox, source: &str, arguments: &[&str]) -> (Squashed, Value) {
    let arguments = [
        &["squash", "--json"],
        arguments,
        &[source, "docker-archive:out"],
    ]
    .concat();
    let (report, _) = sandbox.run(&arguments).reports();
    let squashed = read(sandbox, "out", Format::Docker);
    std::fs::remove_file(sandbox.path("out")).expect("the output can be removed");
    let report = serde_json::from_slice(&report).expect("the report is JSON");
    (squashed, report)
}

/// Checks a squash of ranges of a stack, the lowest first, against the naive replay.
#[track_caller]
fn assert_squashed(
    stack: &Stack,
    image: &Image,
    ranges: &[Range],
    squashed: &Squashed,
    report: &Value,
) {
    let what = format!("{ranges:?} of {}", shown(stack));
    let ids = squashed.image.diff_ids();
    // The layers of the input that have not been met in the output yet.
    let mut next = 0;
    for (at, stored) in squashed.stored.iter().enumerate() {
        let Some(number) = ranges.iter().position(|it| *it.start() == next) else {
            assert_eq!(
                ids[at], image.diff_ids[next],
                "{what}: a layer that is not merged"
            );
            assert_eq!(
                *stored, image.layers[next],
                "{what}: a layer that is not merged"
            );
            next += 1;
            continue;
        };
        let range = &ranges[number];
        let below = replay(&squashed.stored[..at]);
        assert_bytes(&decompress(stored));
        let new = entries(stored);
        assert_entries(&new, (next > 0).then_some(&below));
        assert_order(&new);
        if next > 0 {
            assert_nothing_is_made_up(&stack.layers[range.clone()], &new, &what);
        }
        assert_savings(image, ranges, range, &report["ranges"][number], &what);
        next = range.end() + 1;
    }
    assert_eq!(next, image.layers.len(), "{what}: all layers are there");
    assert_history(image, squashed, &what);

    let is_whole = ranges.iter().all(|it| *it.start() == 0);
    let strictness = if is_whole {
        Strictness::All
    } else {
        Strictness::DefinedOnly
    };
    let original = replay_for(&image.layers, ranges);
    assert_same(&original, &replay(&squashed.stored), strictness, &what);
}

/// What the report says that a range has saved is what no name leads to any more.
#[track_caller]
fn assert_savings(image: &Image, ranges: &[Range], range: &Range, report: &Value, what: &str) {
    let (start, end) = (*range.start(), *range.end());
    let before = replay_for(&image.layers[..start], ranges);
    let after = replay_for(&image.layers[..=end], ranges);
    let gone = after
        .lost_files()
        .filter(|(layer, _)| range.contains(layer));
    let gone: u64 = gone.map(|(_, size)| size).sum();
    let mut held: Vec<_> = after
        .lost_files()
        .filter(|(layer, _)| *layer < start)
        .collect();
    for file in before.lost_files() {
        let at = held.iter().position(|it| *it == file);
        held.swap_remove(at.expect("what was lost below is lost above"));
    }
    let from = held.iter().map(|(layer, _)| layer + 1).min();
    let held: u64 = held.iter().map(|(_, size)| size).sum();
    let got = ["first", "last", "hidden", "held_below", "held_from"].map(|key| &report[key]);
    let expected = [
        json!(start + 1),
        json!(end + 1),
        json!(gone),
        json!(held),
        json!(from),
    ];
    assert_eq!(got, expected.each_ref(), "{what}");
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
    // What was deleted or replaced is made again, and not what it was below.
    let gone: Vec<Vec<u8>> = range.iter().flatten().filter_map(deleted).collect();
    // So is all that an opaque root hides.
    if range
        .iter()
        .flatten()
        .any(|it| path_of(&it.name) == b".wh..wh..opq")
    {
        return;
    }
    // A name that leads through a symlink is not the path of what it names.
    let mut symlinks = range.iter().flatten();
    if symlinks.any(|it| matches!(it.kind, Kind::Symlink(_))) {
        return;
    }
    for directory in directories(new) {
        let mut inside = new.iter().filter(|it| is_inside(&it.name, &directory));
        let shows = inside.any(|it| it.kind != Kind::Directory);
        let is_gone = |path: &Vec<u8>| *path == directory || is_inside(&directory, path);
        let is_known = explicit.contains(&directory) || gone.iter().any(is_gone);
        let is_made_up = !is_known && shows;
        assert!(!is_made_up, "{what}: {}", directory.escape_ascii());
    }
}

/// The path that an entry deletes below, or replaces by something that is no directory.
fn deleted(entry: &Entry) -> Option<Vec<u8>> {
    let path = path_of(&entry.name);
    let name = entry.base_name().strip_prefix(b".wh.");
    match (name, &entry.kind) {
        (Some(b".wh..opq"), _) | (None, Kind::Directory) => None,
        (Some(name), _) => Some([&path[..path.len() - name.len() - 4], name].concat()),
        (None, _) => Some(path),
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
            let layers = range_argument(&range);
            let (squashed, report) = squash(&sandbox, &source, &["--layers", &layers]);
            assert_squashed(&stack, &image, &[range], &squashed, &report);
        }
    }

    #[test]
    fn every_number_of_layers_keeps_the_tree(stack in stacks(Flavour::Any, 3..7)) {
        let sandbox = Sandbox::new();
        let image = Image::of_layers(&["app:1"], stack.tars());
        let source = put(&sandbox, "in", Format::Docker, &image);
        for most in 1..image.layers.len() {
            let (squashed, report) = squash(&sandbox, &source, &["--max-layers", &most.to_string()]);
            prop_assert_eq!(squashed.stored.len(), most);
            let number = |value: &Value| value.as_u64().and_then(|it| usize::try_from(it).ok());
            let number = |value| number(value).expect("a number of a layer") - 1;
            let ranges = report["ranges"].as_array().expect("a list").iter();
            let ranges = ranges.map(|it| number(&it["first"])..=number(&it["last"]));
            assert_squashed(&stack, &image, &ranges.collect::<Vec<_>>(), &squashed, &report);
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
        assert_same(&original, &got, Strictness::All, shown(&stack));
    }

    /// The judge is judged: what it says of a stack is what it says of a flat tar of that.
    #[test]
    fn the_naive_replay_of_a_flat_tar_is_the_tree(stack in stacks(Flavour::Any, 1..7)) {
        let original = replay(&stack.tars());
        let flat: Vec<Entry> = original.entries().into_values().collect();
        assert_entries(&flat, None);
        assert_same(&original, &replay(&[layer::tar(&flat)]), Strictness::All, shown(&stack));
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
                let layers = range_argument(&range);
                let (squashed, _) = squash(&sandbox, source, &["--layers", &layers]);
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
            let odd = stack.layers.iter().flat_map(|it| odd_places(it));
            odd.for_each(|(what, is_there)| count(what, usize::from(is_there)));
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
            "whiteouts before a link on their path",
            "whiteouts in what is deleted",
            "whiteouts in what is no directory",
            "whiteouts through a link",
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
            "whiteouts before a link on their path",
            "whiteouts in what is deleted",
            "whiteouts in what is no directory",
            "whiteouts of something",
            "whiteouts through a link",
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

/// What is odd about the places of a layer's markers, each as often as it is there.
fn odd_places(layer: &[Entry]) -> Vec<(&'static str, bool)> {
    let is_marker = |it: &Entry| it.is_marker() || it.kind == Kind::Char(0, 0);
    let victims: Vec<Vec<u8>> = layer
        .iter()
        .filter(|it| is_marker(it))
        .filter_map(deleted)
        .collect();
    let mut odd = Vec::new();
    for (place, marker) in layer.iter().enumerate().filter(|(_, it)| is_marker(it)) {
        let path = path_of(&marker.name);
        let in_way = |it: &Entry| is_inside(&path, &path_of(&it.name));
        let is_link = |it: &Entry| matches!(it.kind, Kind::Symlink(_));
        let (before, after) = (&layer[..place], &layer[place + 1..]);
        let any = |entries: &[Entry], is: &dyn Fn(&Entry) -> bool| {
            entries.iter().any(|it| in_way(it) && is(it))
        };
        let is_node = |it: &Entry| !is_marker(it) && !is_link(it) && it.kind != Kind::Directory;
        odd.push((
            "whiteouts before a link on their path",
            any(after, &is_link),
        ));
        odd.push(("whiteouts through a link", any(before, &is_link)));
        odd.push(("whiteouts in what is no directory", any(layer, &is_node)));
        let is_in = |victim: &Vec<u8>| is_inside(&path, victim);
        odd.push(("whiteouts in what is deleted", victims.iter().any(is_in)));
    }
    odd
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
            let layers = range_argument(&range);
            let (squashed, _) = squash(&sandbox, &source, &["--layers", &layers]);
            let is_whole = *range.start() == 0;
            let strictness = if is_whole {
                Strictness::All
            } else {
                Strictness::DefinedOnly
            };
            let original = replay_for(&image.layers, &[range]);
            assert_same(&original, &replay(&squashed.stored), strictness, text);
        }
    }
}
