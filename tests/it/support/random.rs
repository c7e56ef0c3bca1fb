//! Random stacks of layers, made from numbers.
//!
//! A number means something only in the place where it is used, so that a list
//! of numbers is a stack whatever it is, and shrinks well. What would make a
//! layer invalid, or mean different things to different readers of the spec, is
//! left out on the way: `builder.rs` says what that is.

mod builder;
mod stack;

use proptest::collection::vec;
use proptest::prelude::*;

pub(crate) use stack::{Flavour, Stack};

use super::layer::Dialect;
use stack::Numbers;

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
