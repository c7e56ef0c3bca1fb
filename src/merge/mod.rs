//! Merging many layers into one tree, and that into a layer: the overlay rules.
//!
//! First all headers are read, and each layer becomes its [`Changes`]. They are added
//! to a [`Merge`], the lowest first: whiteouts apply to the layers below theirs,
//! wherever they are among the entries, then come the entries, of which the last for a
//! path wins. The result is a [`Plan`] with the entries of the new layer, their order,
//! and the whiteouts that are still needed for the layers below. A [`Replay`] writes
//! the plan while the layers are read a second time, for the content.
//!
//! Memory: one record for each entry of the layers, and one for each directory without
//! an entry. Content is never held.

mod ambiguities;
mod changes;
mod check;
mod delta;
mod inodes;
mod listing;
mod name;
mod packed;
mod plan;
mod range;
mod replay;
mod select;
mod story;
mod tree;
mod view;

pub(crate) use ambiguities::Ambiguities;
pub(crate) use changes::{Changes, ChangesBuilder, KeptChanges};
pub(crate) use check::BrokenLink;
pub(crate) use delta::Differences;
pub(crate) use listing::{Listing, ListingWalk};
pub(crate) use plan::Plan;
pub(crate) use range::{IMPLIED_MODE, Merge, Savings};
pub(crate) use replay::{Replay, ReplayError};
pub use select::PathPattern;
pub(crate) use select::is_at_or_below;
pub(crate) use story::{LayerChange, LayerEvent};
pub(crate) use tree::{EntryPlace, Inode, InodeId};
pub(crate) use view::{Entries, PathFault, TreeEntry, TreeNode};
