//! A tree of files in a folder: written from the entries of a merged tree, and packed as
//! a layer.
//!
//! Whatever an image holds, and whatever happens in the folder meanwhile, nothing outside
//! of it is read or written: each path is opened below the open root, and never through a
//! symbolic link.

mod attributes;
mod beneath;
mod fault;
mod metadata;
mod pack;
mod packed;
mod pending;
mod unpack;

pub(crate) use metadata::Shortfall;
pub(crate) use pack::{PackOptions, Sockets};
pub(crate) use packed::PackedLayer;
pub(crate) use pending::{Obstacle, PendingTree};
