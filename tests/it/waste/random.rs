//! `waste` of random stacks, against a naive count and the planner of `squash`.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::{number, report};
use crate::support::codec::Codec;
use crate::support::entry::{Entry, Kind, Meta, SECOND};
use crate::support::judge::Format;
use crate::support::layer;
use crate::support::make::Image;
use crate::support::naive::{Tree, is_inside, replay};
use crate::support::random::{Flavour, stacks};
use crate::support::squash::put;
use crate::support::tree::path_of;
use crate::support::{Sandbox, random_cases};

/// The number of files of each layer, size, and layer that hides them, all from 1.
type Counts = BTreeMap<(u64, u64, u64), usize>;

/// The naive count: what a tree has lost with each further layer.
fn naive_counts(trees: &[Tree]) -> Counts {
    let mut counts = Counts::new();
    let mut before: BTreeMap<(usize, u64), usize> = BTreeMap::new();
    for (at, tree) in trees.iter().enumerate() {
        let mut lost: BTreeMap<(usize, u64), usize> = BTreeMap::new();
        for file in tree.lost_files() {
            *lost.entry(file).or_default() += 1;
        }
        for ((layer, size), count) in &lost {
            let more = count - before.get(&(*layer, *size)).copied().unwrap_or(0);
            if more > 0 {
                counts.insert((*layer as u64 + 1, *size, at as u64 + 1), more);
            }
        }
        before = lost;
    }
    counts
}

fn reported_counts(report: &Value) -> Counts {
    let mut counts = Counts::new();
    for file in report["hidden"].as_array().expect("it is a list") {
        let [layer, size, by] = ["layer", "size", "hidden_by"].map(|it| number(&file[it]));
        *counts.entry((layer, size, by)).or_default() += 1;
    }
    counts
}

/// The reason why a path of one tree is not what it was in another.
fn naive_reason(before: &Tree, after: &Tree, path: &[u8]) -> &'static str {
    let (old, old_meta) = before.file(path).expect("it was a file");
    let timeless = |meta: Option<&Meta>| {
        meta.map(|it| Meta {
            mtime: 0,
            ..it.clone()
        })
    };
    if let Some((new, meta)) = after.file(path) {
        return match (old == new, timeless(old_meta) == timeless(meta)) {
            (false, _) => "overwritten",
            (true, false) => "metadata-only",
            (true, true) => "same-content",
        };
    }
    let entries = after.entries();
    let is_obstacle =
        |(at, entry): (&Vec<u8>, &Entry)| is_inside(path, at) && entry.kind != Kind::Directory;
    if after.has(path) || entries.iter().any(is_obstacle) {
        "overwritten"
    } else {
        "deleted"
    }
}

fn check_reasons(report: &Value, trees: &[Tree]) {
    for file in report["hidden"].as_array().expect("it is a list") {
        let [layer, by] = ["layer", "hidden_by"].map(|it| number(&file[it]));
        let by = usize::try_from(by).expect("it is small") - 1;
        let expected = if layer == by as u64 + 1 {
            "repeated"
        } else {
            naive_reason(&trees[by - 1], &trees[by], &path_of(file))
        };
        assert_eq!(file["reason"], expected, "{file}");
    }
}

/// The plan of `squash` with these options.
#[track_caller]
fn planned(sandbox: &Sandbox, source: &str, options: &[String]) -> Value {
    let mut arguments = vec!["squash", "--dry-run", "--json"];
    arguments.extend(options.iter().map(String::as_str));
    arguments.push(source);
    let (stdout, _) = sandbox.run(&arguments).reports();
    serde_json::from_slice(&stdout).expect("it is JSON")
}

/// The bytes that a plan of `squash` would drop.
fn dropped(plan: &Value) -> u64 {
    let ranges = plan["ranges"].as_array().expect("it is a list");
    ranges.iter().map(|it| number(&it["hidden"])).sum()
}

/// Checks plans of `waste` with those of `squash`: each is the same, and one that is left out
/// drops no more than the next.
fn check_plans(sandbox: &Sandbox, source: &str, report: &Value, layers: usize) {
    let plans = report["plans"].as_array().expect("it is a list");
    let mut found = 0;
    let mut check = |choices: &[String], option: &str, field: &str| {
        let mut next = 0;
        for value in choices {
            let squash = planned(sandbox, source, &[option.to_owned(), value.clone()]);
            let freed = dropped(&squash);
            let text = |it: &Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
            let plan = plans.iter().find(|it| text(&it[field]) == *value);
            assert_eq!(plan.is_some(), freed > next, "{option} {value}: {plans:?}");
            if let Some(plan) = plan {
                found += 1;
                assert_eq!(number(&plan["frees"]), freed);
                for field in [
                    "layers_before",
                    "layers_after",
                    "size_before",
                    "size_after",
                    "ranges",
                ] {
                    assert_eq!(plan[field], squash[field], "{option} {value}: {field}");
                }
            }
            next = freed;
        }
    };
    let starts: Vec<String> = (1..=layers).rev().map(|it| format!("{it}..")).collect();
    check(&starts, "--layers", "layers");
    let counts: Vec<String> = (2..layers).rev().map(|it| it.to_string()).collect();
    check(&counts, "--max-layers", "max_layers");
    assert_eq!(found, plans.len(), "{plans:?}");
}

/// A layer that writes files of a tree again: as they are, or with another time, mode or content.
fn rewritten(tree: &Tree, choices: &[u32]) -> Vec<u8> {
    let mut entries = Vec::new();
    for ((path, entry), choice) in tree.entries().iter().zip(choices.iter().cycle()) {
        let Some((content, _)) = tree.file(path) else {
            continue;
        };
        let mut content = content.to_vec();
        let mut meta = entry.meta.clone();
        match choice {
            0 => continue,
            1 => {}
            2 => meta.mtime += SECOND,
            3 => meta.mode ^= 0o1,
            4 => meta.uid += 1,
            _ => content.iter_mut().for_each(|it| *it ^= 1),
        }
        let mut entry = Entry::new(path.clone(), Kind::File(content));
        entry.meta = meta;
        entries.push(entry);
    }
    layer::tar(&entries)
}

fn sum(report: &Value, list: &str, field: &str) -> u64 {
    let list = report[list].as_array().expect("it is a list");
    list.iter().map(|it| number(&it[field])).sum()
}

proptest! {
    #![proptest_config(random_cases(60))]

    #[test]
    fn every_hidden_byte_is_counted_once(
        stack in stacks(Flavour::Any, 1..6),
        choices in vec(0..6_u32, 1..9),
        plain in any::<bool>(),
    ) {
        let mut tars = stack.tars();
        tars.push(rewritten(&replay(&tars), &choices));
        let trees: Vec<Tree> = (1..=tars.len()).map(|it| replay(&tars[..it])).collect();
        let mut image = Image::of_layers(&["app:1"], tars.clone());
        if !plain {
            image = image.stored_as(Codec::Gzip);
        }
        let sandbox = Sandbox::new();
        let source = put(&sandbox, "in", Format::OciArchive, &image);
        let report = report(&sandbox, &source);
        prop_assert_eq!(reported_counts(&report), naive_counts(&trees));
        check_reasons(&report, &trees);
        check_plans(&sandbox, &source, &report, tars.len());

        let hidden = number(&report["hidden_size"]);
        prop_assert_eq!(sum(&report, "hidden", "size"), hidden);
        prop_assert_eq!(sum(&report, "layers", "hidden_size"), hidden);
        prop_assert_eq!(sum(&report, "layers", "hides"), hidden);
        let all = planned(&sandbox, &source, &["--layers".to_owned(), "1..".to_owned()]);
        prop_assert_eq!(dropped(&all), hidden);
        // All files of the layers; and those of the tree, each once.
        let files = tars.iter().flat_map(|it| layer::read(it));
        let size = |kind: &Kind| match kind {
            Kind::File(content) => content.len() as u64,
            _ => 0,
        };
        let is_file = |it: &Entry| !it.is_marker();
        let files: u64 = files.filter(is_file).map(|it| size(&it.kind)).sum();
        let seen = trees[trees.len() - 1].entries();
        let seen: u64 = seen.values().map(|it| size(&it.kind)).sum();
        prop_assert_eq!(number(&report["files_size"]), files);
        prop_assert_eq!(number(&report["seen_size"]), seen);
        prop_assert_eq!(seen + hidden, files);
    }
}
