//! Random images and root filesystems.

use proptest::prelude::*;

use crate::diff::random::naive;
use crate::support::entry::{Entry, Kind, words};
use crate::support::judge::Format;
use crate::support::layer;
use crate::support::make::Image;
use crate::support::naive::{Tree, entries, replay};
use crate::support::random::{Flavour, Stack, stacks};
use crate::support::squash::{put, read};
use crate::support::{Sandbox, random_cases};

fn shown(stack: &Stack) -> String {
    let layers: Vec<String> = stack.layers.iter().map(|it| words(it)).collect();
    layers.join(" | ")
}

/// The tree of some layers, unless a layer links to what is not below it.
fn tree(layers: &[Vec<u8>]) -> Option<Tree> {
    std::panic::catch_unwind(|| replay(layers)).ok()
}

/// The entries of the last layer without which the tree of all layers is the same. Those
/// of directories with something in them may be there for Docker.
fn superfluous(layers: &[Vec<u8>], expected: &Tree) -> String {
    let (last, below) = layers.split_last().expect("there are layers");
    let all = entries(last);
    let path = |entry: &Entry| {
        let name = entry.name.strip_suffix(b"/").unwrap_or(&entry.name);
        name.to_vec()
    };
    let mut found = Vec::new();
    for at in 0..all.len() {
        let inner = [path(&all[at]), b"/".to_vec()].concat();
        let is_above = all
            .iter()
            .any(|it| it.name.starts_with(&inner) && it.name.len() > inner.len());
        // The model follows a link to a lower file, which overlay engines cannot.
        let is_target = |it: &Entry| matches!(&it.kind, Kind::Link(to) if *to == all[at].name);
        let is_linked = all.iter().any(is_target);
        if (all[at].kind == Kind::Directory && is_above) || is_linked {
            continue;
        }
        let mut fewer = all.clone();
        fewer.remove(at);
        let layers = [below, &[layer::tar(&fewer)]].concat();
        if tree(&layers).is_some_and(|it| naive(&it, expected).is_empty()) {
            found.push(all[at].clone());
        }
    }
    words(&found)
}

proptest! {
    // Every case starts several processes.
    #![proptest_config(random_cases(32))]

    #[test]
    fn an_image_becomes_any_root_filesystem(
        a in stacks(Flavour::Any, 1..4),
        b in stacks(Flavour::Any, 1..4),
        common in stacks(Flavour::Any, 1..3),
        is_exported in any::<bool>(),
    ) {
        let with = |stack: &Stack| [common.tars(), stack.tars()].concat();
        for (layers, rootfs) in [(with(&a), with(&b)), (a.tars(), b.tars()), (with(&a), with(&a))] {
            let rootfs = if is_exported { rootfs } else { rootfs[..1].to_vec() };
            let (Some(_), Some(expected)) = (tree(&layers), tree(&rootfs)) else {
                continue;
            };
            let sandbox = Sandbox::new();
            let image = Image::of_layers(&["app:1"], layers.clone());
            let source = put(&sandbox, "in", Format::Docker, &image);
            if is_exported {
                let image = Image::of_layers(&["rootfs:1"], rootfs);
                let other = put(&sandbox, "other", Format::Docker, &image);
                drop(sandbox.run(&["export", "-q", &other, "rootfs"]).reports());
            } else {
                sandbox.write("rootfs", &rootfs[0]);
            }
            let what = format!("{} | {} and {}", shown(&common), shown(&a), shown(&b));
            drop(sandbox.run(&["append", "-q", &source, "out", "--changed", "rootfs:rootfs"]).reports());
            let written = read(&sandbox, "out", Format::Docker);
            let got = replay(&written.stored);
            prop_assert!(naive(&got, &expected).is_empty(), "{:?} in {}", naive(&got, &expected), what);
            if written.stored.len() > layers.len() {
                prop_assert_eq!(superfluous(&written.stored, &expected), "", "{}", what);
            } else {
                prop_assert!(naive(&replay(&layers), &expected).is_empty());
            }
            let compared = sandbox.run(&["diff", "-q", "out", "rootfs:rootfs"]);
            prop_assert_eq!(compared.code, Some(0), "{}: {}", what, compared.stderr);
            drop(compared);
            drop(sandbox.run(&["append", "-q", "out", "again", "--changed", "rootfs:rootfs"]).reports());
            let again = read(&sandbox, "again", Format::Docker);
            prop_assert_eq!(again.image.config, written.image.config, "{}", what);
        }
    }

    #[test]
    fn a_layer_with_only_what_is_new_makes_the_same_tree(
        a in stacks(Flavour::Any, 2..5),
        other in stacks(Flavour::Any, 1..2),
        is_other in any::<bool>(),
    ) {
        let mut layers = a.tars();
        let new = if is_other { other.tars().remove(0) } else { layers.pop().expect("a layer") };
        let all = [layers.clone(), vec![new.clone()]].concat();
        let Some(expected) = tree(&all) else {
            return Ok(());
        };
        let sandbox = Sandbox::new();
        let image = Image::of_layers(&["app:1"], layers.clone());
        let source = put(&sandbox, "in", Format::Docker, &image);
        sandbox.write("layer", &new);
        drop(sandbox.run(&["append", "-q", &source, "out", "rootfs:layer", "--only-new"]).reports());
        let written = read(&sandbox, "out", Format::Docker);
        let got = replay(&written.stored);
        let what = format!("{} and {}", shown(&a), shown(&other));
        prop_assert!(naive(&got, &expected).is_empty(), "{:?} in {}", naive(&got, &expected), what);
        if written.stored.len() > layers.len() {
            prop_assert_eq!(superfluous(&written.stored, &expected), "", "{}", what);
        }
    }
}
