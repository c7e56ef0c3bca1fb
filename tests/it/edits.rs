//! Any sequence of edits makes the tree and the labels that a naive model of it predicts.

mod engines;

use std::collections::BTreeMap;
use std::panic::catch_unwind;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use crate::support::codec::{Codec, decompress};
use crate::support::entry::{Entry, Kind};
use crate::support::judge::Format;
use crate::support::layer;
use crate::support::make::Image;
use crate::support::naive::{Path, Tree, join, replay, replay_for};
use crate::support::random::{Flavour, Numbers, Stack, layer_on, stacks};
use crate::support::squash::{put, range_argument, read};
use crate::support::tree::{Strictness, assert_same};
use crate::support::{Sandbox, random_cases};

/// One edit: its kind, and the numbers that say the rest.
#[derive(Clone, Debug)]
struct Step {
    edit: Edit,
    entries: Vec<Numbers>,
    numbers: (u8, u8),
    codec: Codec,
    format: Format,
}

#[derive(Clone, Copy, Debug)]
enum Edit {
    Append,
    Delete,
    Config,
    Squash,
    Rebase,
}

/// The kinds of edits, as often as they are tried.
const EDITS: &[Edit] = &[
    Edit::Append,
    Edit::Append,
    Edit::Delete,
    Edit::Config,
    Edit::Squash,
    Edit::Rebase,
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        proptest::sample::select(EDITS),
        vec(any::<Numbers>(), 0..8),
        any::<(u8, u8)>(),
        proptest::sample::select([Codec::Plain, Codec::Gzip, Codec::Zstd].as_slice()),
        proptest::sample::select(Format::ALL.as_slice()),
    );
    let step = step.prop_map(|(edit, entries, numbers, codec, format)| Step {
        edit,
        entries,
        numbers,
        codec,
        format,
    });
    vec(step, 1..6)
}

/// What an image should be.
struct Model {
    /// Its layers, as they are stored.
    layers: Vec<Vec<u8>>,
    tree: Tree,
    labels: BTreeMap<String, Value>,
}

/// The command of a step, and the image that it should make; `None` if the step has no sense
/// here.
fn command(
    sandbox: &Sandbox,
    model: &Model,
    step: &Step,
    other: &Stack,
    number: usize,
) -> Option<(Vec<String>, Model)> {
    let (first, second) = (usize::from(step.numbers.0), usize::from(step.numbers.1));
    let count = model.layers.len();
    let words = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect();
    let mut next = Model {
        layers: model.layers.clone(),
        tree: model.tree.clone(),
        labels: model.labels.clone(),
    };
    let command = match step.edit {
        Edit::Append => {
            let entries = layer_on(Flavour::Docker, &model.tree, count, &step.entries);
            let layer = step.codec.compress(&layer::tar(&entries));
            sandbox.write("layer", &layer);
            next.layers.push(layer);
            next.tree = replay(&next.layers);
            words(&["append", "SRC", "DST", "layer"])
        }
        Edit::Delete => {
            let entries = model.tree.entries();
            let paths = entries.keys().filter(|path| !path.is_empty());
            let paths: Vec<&Path> = paths.collect();
            let victim = paths.get(first.checked_rem(paths.len())?)?;
            let name = String::from_utf8((*victim).clone()).ok()?;
            let at = victim.iter().rposition(|byte| *byte == b'/');
            let (parent, base) = at.map_or((&b""[..], &victim[..]), |at| {
                (&victim[..at], &victim[at + 1..])
            });
            let whiteout = join(parent, &[b".wh.", base].concat());
            let whiteout = Entry::new(whiteout, Kind::File(Vec::new()));
            next.layers.push(layer::tar(&[whiteout]));
            next.tree = replay(&next.layers);
            let path = format!("/{name}");
            words(&["append", "SRC", "DST", "--delete", &path])
        }
        Edit::Config => {
            let (key, value) = (format!("key{}", first % 3), format!("value {second}"));
            next.labels.insert(key.clone(), value.clone().into());
            let label = format!("{key}={value}");
            words(&["config", "SRC", "DST", "--label", &label])
        }
        Edit::Squash => {
            let (from, to) = (first % count, second % count);
            let range = from.min(to)..=from.max(to);
            next.tree = replay_for(&model.layers, std::slice::from_ref(&range));
            words(&["squash", "SRC", "DST", "--layers", &range_argument(&range)])
        }
        Edit::Rebase => {
            let keep = first % count;
            let base = other.tars();
            let base = &base[..second % (base.len() + 1)];
            if keep == 0 || base.is_empty() {
                return None;
            }
            let old = Image::of_layers(&["old:1"], unpacked(&model.layers[..keep]));
            let old = put(sandbox, &format!("old{number}"), Format::OciArchive, &old);
            let new = Image::of_layers(&["new:1"], base.to_vec()).stored_as(step.codec);
            let new = put(sandbox, &format!("new{number}"), Format::Docker, &new);
            next.layers
                .splice(..keep, base.iter().map(|it| step.codec.compress(it)));
            // What a layer links to must be below it.
            next.tree = catch_unwind(|| replay(&next.layers)).ok()?;
            words(&["rebase", "SRC", "DST", "--from", &old, "--onto", &new])
        }
    };
    Some((command, next))
}

fn unpacked(layers: &[Vec<u8>]) -> Vec<Vec<u8>> {
    layers.iter().map(|it| decompress(it)).collect()
}

proptest! {
    // Every case starts several processes.
    #![proptest_config(random_cases(32))]

    #[test]
    fn any_sequence_of_edits_makes_what_a_naive_model_of_it_predicts(
        stack in stacks(Flavour::Docker, 1..4),
        other in stacks(Flavour::Docker, 1..3),
        steps in steps(),
    ) {
        let sandbox = Sandbox::new();
        let image = Image::of_layers(&["app:1"], stack.tars());
        let mut source = put(&sandbox, "image", Format::Docker, &image);
        let labels = serde_json::from_slice::<Value>(&image.config).expect("it is JSON");
        let labels = labels["config"]["Labels"].as_object().expect("it has labels").clone();
        let mut model = Model {
            tree: replay(&image.layers),
            layers: image.layers,
            labels: labels.into_iter().collect(),
        };
        for (number, step) in steps.iter().enumerate() {
            let made = command(&sandbox, &model, step, &other, number);
            let Some((mut words, next)) = made else {
                continue;
            };
            let name = format!("step{number}");
            words[1].clone_from(&source);
            words[2] = step.format.at(&name);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            // Warnings are for the tests of each command.
            sandbox.run(&words).reports();
            let made = read(&sandbox, &name, step.format);
            let what = format!("{words:?} after {number} steps");
            assert_same(&next.tree, &replay(&made.stored), Strictness::DefinedOnly, &what);
            let config: Value = serde_json::from_str(&made.image.config).expect("it is JSON");
            let labels = config["config"]["Labels"].as_object().expect("it has labels").clone();
            prop_assert_eq!(&labels.into_iter().collect::<BTreeMap<_, _>>(), &next.labels);
            // Layers that an edit does not concern keep their bytes.
            if !matches!(step.edit, Edit::Squash) {
                let kept = unpacked(&next.layers);
                let kept = kept.iter().zip(unpacked(&made.stored)).filter(|(a, b)| *a == b);
                let new = usize::from(matches!(step.edit, Edit::Delete));
                prop_assert_eq!(kept.count() + new, next.layers.len(), "{}", what);
            }
            sandbox.run(&["verify", "-q", &step.format.at(&name)]).silent();
            source = step.format.at(&name);
            model = Model { layers: made.stored, ..next };
        }
    }
}
