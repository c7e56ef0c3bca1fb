//! Random stacks of layers: `diff` finds what the naive model finds, and nothing between an
//! image and its squash.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Value;

use crate::support::codec::Codec;
use crate::support::entry::{Entry, Kind, Meta, words};
use crate::support::judge::Format;
use crate::support::make::Image;
use crate::support::naive::{Path, Tree, replay, replay_for};
use crate::support::random::{Flavour, Stack, stacks};
use crate::support::squash::{put, range_argument, read};
use crate::support::{Sandbox, random_cases};

/// A difference at a path: its kind, the parts that differ, and the groups of hard links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    kind: &'static str,
    differs: BTreeSet<String>,
    links: Option<[Groups; 2]>,
}

/// Groups of names that share a file.
type Groups = BTreeSet<BTreeSet<Path>>;

/// The order of a walk through a tree.
fn order(path: &Path) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/')
        .map(<[u8]>::to_vec)
        .collect()
}

/// A tree with what is at each path; hard links are what they link to.
struct Things<'a> {
    tree: &'a Tree,
    entries: BTreeMap<Path, Entry>,
}

impl<'a> Things<'a> {
    fn of(tree: &'a Tree) -> Self {
        let entries = tree.entries();
        let thing = |(path, entry): (&Path, &Entry)| {
            let mut thing = entry.clone();
            if let Kind::Link(first) = &entry.kind {
                thing.kind = entries[first].kind.clone();
            }
            (path.clone(), thing)
        };
        let mut entries: BTreeMap<Path, Entry> = entries.iter().map(thing).collect();
        // The root exists even if nothing is in it.
        let root = || Entry {
            meta: Meta::implied(),
            ..Entry::new("./", Kind::Directory)
        };
        entries.entry(Path::new()).or_insert_with(root);
        Self { tree, entries }
    }

    /// True for a directory for which no layer has an entry.
    fn is_implied(&self, path: &Path) -> bool {
        !self.tree.has(path) || self.tree.implied().contains(path)
    }

    /// The names of the file at a path that are in a set.
    fn names(&self, path: &Path, of: &BTreeSet<Path>) -> BTreeSet<Path> {
        let names = self.tree.names_of(path).into_iter().cloned();
        names.filter(|name| of.contains(name)).collect()
    }
}

/// The differences between two trees, found without any cleverness.
pub(crate) fn naive(a: &Tree, b: &Tree) -> BTreeMap<Path, Change> {
    let (things_a, things_b) = (Things::of(a), Things::of(b));
    let paths: BTreeSet<&Path> = things_a
        .entries
        .keys()
        .chain(things_b.entries.keys())
        .collect();
    let mut changes: BTreeMap<Path, Change> = BTreeMap::new();
    let mut common = BTreeSet::new();
    for path in paths {
        let (of_a, of_b) = match (things_a.entries.get(path), things_b.entries.get(path)) {
            (Some(of_a), Some(of_b)) => (of_a, of_b),
            (of_a, _) => {
                let kind = if of_a.is_some() { "deleted" } else { "added" };
                changes.insert(
                    path.clone(),
                    Change {
                        kind,
                        ..Change::default()
                    },
                );
                continue;
            }
        };
        let is_implied = things_a.is_implied(path) || things_b.is_implied(path);
        let is_symlink = |entry: &Entry| matches!(entry.kind, Kind::Symlink(_));
        let (meta_a, meta_b) = (&of_a.meta, &of_b.meta);
        let parts = [
            ("content", of_a.kind != of_b.kind),
            (
                "mode",
                meta_a.mode != meta_b.mode && !is_symlink(of_a) && !is_symlink(of_b),
            ),
            (
                "owner",
                (meta_a.uid, meta_a.gid) != (meta_b.uid, meta_b.gid),
            ),
            ("mtime", meta_a.mtime != meta_b.mtime && !is_implied),
            ("xattrs", meta_a.xattrs != meta_b.xattrs),
        ];
        let differs = parts.iter().filter(|it| it.1).map(|it| it.0.to_owned());
        let differs: BTreeSet<String> = differs.collect();
        let is_type = std::mem::discriminant(&of_a.kind) == std::mem::discriminant(&of_b.kind);
        if is_type && of_a.kind != Kind::Directory {
            common.insert(path.clone());
        }
        if !differs.is_empty() {
            let kind = if differs.contains("content") {
                "content"
            } else {
                "metadata"
            };
            changes.insert(
                path.clone(),
                Change {
                    kind,
                    differs,
                    links: None,
                },
            );
        }
    }
    let mut seen = BTreeSet::new();
    for path in &common {
        let mut connected = BTreeSet::from([path.clone()]);
        loop {
            let more: BTreeSet<Path> = connected
                .iter()
                .flat_map(|name| [things_a.names(name, &common), things_b.names(name, &common)])
                .flatten()
                .collect();
            if more == connected {
                break;
            }
            connected = more;
        }
        let groups = [&things_a, &things_b].map(|things| -> Groups {
            connected
                .iter()
                .map(|name| things.names(name, &common))
                .collect()
        });
        let is_new = connected.iter().all(|name| seen.insert(name.clone()));
        if is_new && groups[0] != groups[1] {
            let first = connected.iter().min_by_key(|name| order(name));
            let first = first.expect("it has this name at least");
            let change = changes.entry(first.clone()).or_default();
            if change.kind.is_empty() {
                change.kind = "metadata";
            }
            change.differs.insert("links".to_owned());
            change.links = Some(groups);
        }
    }
    changes
}

/// A path in a report.
fn path(value: &Value) -> Path {
    use base64::Engine as _;
    let bytes = value["path_base64"].as_str().map(|text| {
        let decoded = base64::engine::general_purpose::STANDARD.decode(text);
        decoded.expect("it is base64")
    });
    let text = || value["path"].as_str().expect("a path").as_bytes().to_vec();
    let path = bytes.unwrap_or_else(text);
    path.strip_prefix(b"/")
        .expect("it begins at the root")
        .to_vec()
}

/// Compares two inputs, and returns the differences in files; their order is checked.
#[track_caller]
fn reported(sandbox: &Sandbox, a: &str, b: &str) -> BTreeMap<Path, Change> {
    let output = sandbox.run(&["diff", "--json", a, b]);
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", output.stderr));
    let is_same = report["same"].as_bool().expect("a bool");
    assert_eq!(output.code, Some(i32::from(!is_same)));
    let no_fields = report["config"].as_array().is_none_or(Vec::is_empty);
    let files = report["files"].as_array().expect("a list");
    assert_eq!(is_same, files.is_empty() && no_fields);
    let paths: Vec<Path> = files.iter().map(path).collect();
    assert!(paths.is_sorted_by_key(order), "{paths:?}");
    let count = |kind: &str| files.iter().filter(|file| file["change"] == kind).count();
    for (field, kind) in [
        ("added", "added"),
        ("deleted", "deleted"),
        ("changed", "content"),
        ("metadata", "metadata"),
    ] {
        assert_eq!(report[field]["paths"], count(kind), "{field}");
    }
    let groups = |value: &Value| -> Groups {
        let groups = value.as_array().expect("groups").iter();
        let names = |group: &Value| group.as_array().expect("names").iter().map(path).collect();
        groups.map(names).collect()
    };
    let change = |file: &Value| {
        let differs = file["differs"].as_array().expect("a list").iter();
        let links = file["links"].as_object();
        let kinds = ["added", "deleted", "content", "metadata"];
        let kind = kinds.into_iter().find(|kind| file["change"] == *kind);
        Change {
            kind: kind.expect("a kind"),
            differs: differs
                .map(|it| it.as_str().expect("a word").to_owned())
                .collect(),
            links: links.map(|it| [groups(&it["a"]), groups(&it["b"])]),
        }
    };
    let changes = paths.iter().cloned().zip(files.iter().map(change));
    changes.collect()
}

fn shown(stack: &Stack) -> String {
    let layers: Vec<String> = stack.layers.iter().map(|it| words(it)).collect();
    layers.join(" | ")
}

/// The forms in which layers are stored.
fn codecs() -> impl Strategy<Value = Codec> {
    proptest::sample::select([Codec::Plain, Codec::Gzip, Codec::Zstd].as_slice())
}

proptest! {
    // Every case starts several processes.
    #![proptest_config(random_cases(32))]

    #[test]
    fn an_image_is_the_same_as_its_squash(
        stack in stacks(Flavour::Any, 2..6),
        codec in codecs(),
        range in any::<(u8, u8)>(),
    ) {
        let sandbox = Sandbox::new();
        let count = stack.layers.len();
        let image = Image::of_layers(&["app:1"], stack.tars()).stored_as(codec);
        let source = put(&sandbox, "in", Format::OciArchive, &image);
        let (from, to) = (usize::from(range.0) % count, usize::from(range.1) % count);
        let range = from.min(to)..=from.max(to);
        let argument = range_argument(&range);
        let choices: [(&[&str], _); 3] = [
            (&["--all"], 0..=count - 1),
            (&["--last", "2"], count - 2..=count - 1),
            (&["--layers", &argument], range),
        ];
        for (choice, range) in choices {
            let target = "oci-archive:out";
            let squash = [&["squash", "-q"], choice, &[&source, target]].concat();
            sandbox.run(&squash).silent();
            let squashed = read(&sandbox, "out", Format::OciArchive);
            // Above a base, a hard link to a lower file is a copy of it.
            let expected = naive(&replay(&image.layers), &replay(&squashed.stored));
            let split = naive(&replay(&image.layers), &replay_for(&image.layers, std::slice::from_ref(&range)));
            prop_assert_eq!(&expected, &split, "the judges agree: {}", shown(&stack));
            prop_assert!(*range.start() > 0 || expected.is_empty(), "{}", shown(&stack));
            let found = reported(&sandbox, &source, target);
            prop_assert_eq!(found, expected, "{:?} of {}", choice, shown(&stack));
            std::fs::remove_file(sandbox.path("out")).expect("it can be removed");
        }
    }

    #[test]
    fn an_image_is_the_same_as_its_export(stack in stacks(Flavour::Any, 1..6), codec in codecs()) {
        let sandbox = Sandbox::new();
        let image = Image::of_layers(&["app:1"], stack.tars()).stored_as(codec);
        let source = put(&sandbox, "in", Format::Docker, &image);
        sandbox.run(&["export", "-q", &source, "out"]).silent();
        for pair in [[source.as_str(), "rootfs:out"], ["rootfs:out", &source]] {
            let found = reported(&sandbox, pair[0], pair[1]);
            prop_assert!(found.is_empty(), "{:?} in {}", found, shown(&stack));
        }
    }

    #[test]
    fn any_two_trees_have_the_differences_that_the_naive_model_finds(
        a in stacks(Flavour::Any, 1..4),
        b in stacks(Flavour::Any, 1..4),
        common in stacks(Flavour::Any, 1..3),
        codec in codecs(),
    ) {
        let sandbox = Sandbox::new();
        // Some have layers in common, in the same place or in others.
        let with = |stack: &Stack, at: usize| {
            let mut layers = stack.tars();
            for layer in common.tars().into_iter().rev() {
                layers.insert(at.min(layers.len()), layer);
            }
            layers
        };
        for (layers_a, layers_b) in [
            (a.tars(), b.tars()),
            (with(&a, 0), with(&b, 0)),
            (common.tars(), with(&b, 0)),
            (a.tars(), a.tars()),
        ] {
            // What a layer links to must be below it.
            let is_valid = |layers: &[Vec<u8>]| std::panic::catch_unwind(|| replay(layers)).ok();
            let (Some(tree_a), Some(tree_b)) = (is_valid(&layers_a), is_valid(&layers_b)) else {
                continue;
            };
            let image_a = Image::of_layers(&["app:1"], layers_a);
            let image_b = Image::of_layers(&["app:1"], layers_b).stored_as(codec);
            let source_a = put(&sandbox, "a", Format::Docker, &image_a);
            let source_b = put(&sandbox, "b", Format::OciArchive, &image_b);
            let found = reported(&sandbox, &source_a, &source_b);
            let expected = naive(&tree_a, &tree_b);
            prop_assert_eq!(found, expected, "{} and {}", shown(&a), shown(&b));
        }
    }
}
