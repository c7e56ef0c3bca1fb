//! OCI image layouts ([image-layout.md]), in a folder or in a tar.
//!
//! [image-layout.md]: https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md

pub(super) mod graph;
mod join;
mod links;
mod locked;
mod reach;
mod read;
mod write;

pub(crate) use links::blobs_of_unknown_fields;
pub(crate) use locked::LockedLayout;
pub(crate) use reach::{Reach, Reached};
pub(crate) use read::{absence, find_index};
pub(super) use read::{check_marker, is_layout, load, read_index};
pub(super) use write::LayoutSink;

use std::fs::File;
use std::io;
use std::path::Path;

use crate::digest::Digest;
use crate::event::{Warning, Watch};
use crate::stream::lock_directory;

/// The content of the file that makes a folder a layout. 1.0.0 is the only version.
pub(crate) const MARKER_CONTENT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// The folder of all blobs.
const BLOBS: &str = "blobs";

/// The path of a blob.
pub(crate) fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

/// Locks a layout against other writers for as long as the returned value lives; `None`
/// if the caller stopped the operation while it waited for one.
fn lock(path: &Path, watch: &Watch<'_>) -> io::Result<Option<File>> {
    let tell = || watch.warn(Warning::LayoutLocked(path.to_owned()));
    lock_directory(path, watch, &tell)
}
