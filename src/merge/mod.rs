//! Many layers become one tree, and that becomes a layer: the overlay rules.
//!
//! First all headers are read, and each layer becomes the [`Changes`] that it
//! makes. A [`Merge`] takes them in, the lowest first: inside a layer the whiteouts
//! apply to the layers below it, wherever they stand among the entries, then the
//! entries, of which the last of a path wins. What is left at the end is a [`Plan`]:
//! which entries the new layer has, in which order, and which whiteouts it still
//! needs for what lies below it. A [`Replay`] writes the plan while the layers are
//! read a second time, for the content.
//!
//! Memory: one record for each entry of the layers, and one for each directory that
//! no entry is for. Content is never held.

mod ambiguities;
mod changes;
mod check;
mod plan;
mod range;
mod replay;
mod tree;

pub(crate) use ambiguities::Ambiguities;
pub(crate) use changes::{Changes, ChangesBuilder};
pub(crate) use check::BrokenLink;
pub(crate) use plan::Plan;
pub(crate) use range::{Merge, Savings};
pub(crate) use replay::{Replay, ReplayError};
