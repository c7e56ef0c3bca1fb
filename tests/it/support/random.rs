//! Random stacks of layers, made from numbers.
//!
//! A number has a meaning only in the place where it is used, so that any list of numbers is a
//! stack, and shrinks well. Entries that would make a layer invalid, or that readers of the spec
//! interpret differently, are left out on the way: `builder.rs` lists them.

mod builder;
mod stack;

use proptest::collection::vec;
use proptest::prelude::*;

pub(crate) use stack::{Flavour, Numbers, Stack, layer_on};

use super::layer::Dialect;

/// Stacks of `count` layers.
pub(crate) fn stacks(
    flavour: Flavour,
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = Stack> {
    let layer = vec(any::<Numbers>(), 0..14);
    let dialect = proptest::sample::select([Dialect::Pax, Dialect::Gnu].as_slice());
    (vec(layer, count), dialect)
        .prop_map(move |(layers, dialect)| Stack::new(flavour, dialect, &layers))
}
