//! Inside one layer: the entries of a tar and their meaning.
//!
//! This module knows nothing of images or of other layers. The rules are those of the
//! OCI image specification's [layer.md] and, where it is silent, the behaviour of
//! Docker and containerd.
//!
//! [layer.md]: https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md

mod ambiguity;
mod attribute;
mod budget;
mod entry;
mod error;
mod landing;
mod landmarks;
mod path;
mod reader;
mod records;
mod sink;
mod whiteout;
mod writer;

pub use ambiguity::Ambiguity;
pub(crate) use budget::Budget;
pub(crate) use entry::{Device, Entry, EntryKind, Metadata, NodeKind};
pub(crate) use error::display_start;
pub use error::{EntryFault, LayerError};
pub(crate) use landing::Landing;
pub(crate) use landmarks::Landmarks;
pub use path::PathError;
pub(crate) use path::{EntryPath, components};
pub(crate) use reader::{Interpreter, LayerReader, size_of_attributes};
pub(crate) use records::Records;
pub(crate) use sink::EntrySink;
pub use whiteout::WhiteoutError;
pub(crate) use whiteout::{Whiteout, is_aufs_name, is_whiteout};
pub(crate) use writer::{LayerWriter, is_writable_name};
