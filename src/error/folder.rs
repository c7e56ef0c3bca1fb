//! Folders that are named as inputs.

use std::fmt;

/// The kinds of folder that are told apart by the names in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Folder {
    /// An OCI layout, or what is left of one.
    Layout,
    /// The members of a docker archive.
    DockerArchive,
    /// An image of skopeo's transport `dir:`.
    Skopeo,
    /// Nothing is in it.
    Empty,
    /// Anything else, such as a root filesystem.
    Other,
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Layout => "an OCI layout in a folder",
            Self::DockerArchive => "an unpacked docker archive",
            Self::Skopeo => "an image of skopeo's transport `dir:`",
            Self::Empty => "an empty folder",
            Self::Other => "a folder",
        })
    }
}
