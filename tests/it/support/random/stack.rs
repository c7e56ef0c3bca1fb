//! A random stack of layers, from any source of numbers.

use super::super::entry::{Entry, Kind};
use super::super::layer::{self, Dialect};
use super::super::naive::{Contents, Tree};
use super::builder::Builder;

/// The numbers that define an entry.
pub(crate) type Numbers = [u32; 5];

/// The kind of layers in a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// Everything that the spec defines.
    Any,
    /// Everything that Docker loads, and interprets according to the spec.
    Docker,
}

/// A generated stack.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    pub(crate) layers: Vec<Vec<Entry>>,
    dialect: Dialect,
}

impl Stack {
    /// A stack with one layer for each list of numbers.
    pub(crate) fn new(flavour: Flavour, dialect: Dialect, layers: &[Vec<Numbers>]) -> Self {
        let mut below = Tree::default();
        let mut stack = Vec::new();
        for (number, numbers) in layers.iter().enumerate() {
            let layer = layer_on(flavour, &below, number, numbers);
            let contents = Contents::read(&layer).expect("the builder makes valid layers");
            below
                .apply(&contents, number, None)
                .expect("the builder makes valid layers");
            stack.push(layer);
        }
        Self {
            layers: stack,
            dialect,
        }
    }

    /// The layers as tars.
    pub(crate) fn tars(&self) -> Vec<Vec<u8>> {
        let layers = self.layers.iter();
        layers.map(|it| layer::tar_in(self.dialect, it)).collect()
    }

    /// The stack with the markers of each layer in other places among its entries, where they have
    /// the same meaning: they must not move across a symlink of the layer.
    pub(crate) fn with_markers_moved(&self, numbers: &[u32]) -> Self {
        let mut moved = self.clone();
        for layer in &mut moved.layers {
            let before = layer.clone();
            let is_marker = |it: &Entry| it.is_marker() || it.kind == Kind::Char(0, 0);
            let (mut markers, mut entries): (Vec<_>, Vec<_>) = layer.drain(..).partition(is_marker);
            markers.reverse();
            for (marker, number) in markers.into_iter().zip(numbers.iter().cycle()) {
                entries.insert(*number as usize % (entries.len() + 1), marker);
            }
            let meant = |layer: &[Entry]| {
                let contents = Contents::read(layer);
                contents.map(|it| it.markers().clone())
            };
            if meant(&entries) == meant(&before) {
                *layer = entries;
            } else {
                *layer = before;
            }
        }
        moved
    }
}

/// A layer for a tree, with the number `number`.
pub(crate) fn layer_on(
    flavour: Flavour,
    below: &Tree,
    number: usize,
    numbers: &[Numbers],
) -> Vec<Entry> {
    let there = below.entries();
    let mut builder = Builder::new(flavour, &there, number);
    for numbers in numbers {
        builder.add(numbers);
    }
    builder.finish()
}
