//! Random stacks of layers, made from numbers.
//!
//! A number means something only in the place where it is used, so that a list
//! of numbers is a stack whatever it is, and shrinks well. What would make a
//! layer invalid, or mean different things to different readers of the spec, is
//! left out on the way: `builder.rs` says what that is.

mod builder;

use proptest::collection::vec;
use proptest::prelude::*;

use builder::Builder;

use super::entry::{Entry, Kind};
use super::layer::{self, Dialect};
use super::naive::{Contents, Tree};

/// The numbers that an entry is made of.
pub(crate) type Numbers = [u32; 5];

/// The layers that stacks are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// All that the spec defines.
    Any,
    /// What Docker loads, and understands as the spec says.
    Docker,
}

/// A stack as it is generated.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    pub(crate) layers: Vec<Vec<Entry>>,
    dialect: Dialect,
}

impl Stack {
    /// The layers as tars.
    pub(crate) fn tars(&self) -> Vec<Vec<u8>> {
        let layers = self.layers.iter();
        layers.map(|it| layer::tar_in(self.dialect, it)).collect()
    }

    /// The stack with the markers of each layer in other places among its entries.
    pub(crate) fn with_markers_moved(&self, numbers: &[u32]) -> Self {
        let mut moved = self.clone();
        for layer in &mut moved.layers {
            let is_marker = |it: &Entry| it.is_marker() || it.kind == Kind::Char(0, 0);
            let (mut markers, mut entries): (Vec<_>, Vec<_>) = layer.drain(..).partition(is_marker);
            markers.reverse();
            for (marker, number) in markers.into_iter().zip(numbers.iter().cycle()) {
                entries.insert(*number as usize % (entries.len() + 1), marker);
            }
            *layer = entries;
        }
        moved
    }
}

/// Stacks of `count` layers.
pub(crate) fn stacks(
    flavour: Flavour,
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = Stack> {
    let layer = vec(any::<Numbers>(), 0..14);
    let dialect = proptest::sample::select([Dialect::Pax, Dialect::Gnu].as_slice());
    (vec(layer, count), dialect).prop_map(move |(layers, dialect)| {
        let mut below = Tree::default();
        let mut stack = Vec::new();
        for (number, numbers) in layers.iter().enumerate() {
            let mut builder = Builder::new(flavour, &below, number);
            for numbers in numbers {
                builder.add(numbers);
            }
            let layer = builder.finish();
            let contents = Contents::read(&layer).expect("the builder makes valid layers");
            below
                .apply(&contents, number, None)
                .expect("the builder makes valid layers");
            stack.push(layer);
        }
        Stack {
            layers: stack,
            dialect,
        }
    })
}
