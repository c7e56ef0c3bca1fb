//! Kinds of input and of folders, as messages name them.

use std::fmt;

/// The actual or expected kind of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputKind {
    /// A docker archive or an OCI archive.
    Archive,
    /// A docker archive.
    DockerArchive,
    /// An OCI layout in a tar.
    OciArchive,
    /// An OCI layout in a folder.
    OciDirectory,
    /// An OCI layout, in a tar or in a folder.
    OciLayout,
    /// A root filesystem, in a tar or in a folder.
    Rootfs,
    /// A tar with any content.
    Tar,
    /// An archive including the document that names its images.
    WholeArchive,
}

impl fmt::Display for InputKind {
    /// Formats the kind with an article.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Archive => "an archive",
            Self::DockerArchive => "a docker archive",
            Self::OciArchive => "an OCI archive",
            Self::OciDirectory => "an OCI layout in a folder",
            Self::OciLayout => "an OCI layout",
            Self::Rootfs => "a root filesystem",
            Self::Tar => "a tar",
            Self::WholeArchive => "a whole archive of images",
        })
    }
}

/// Kinds of folder, told apart by the names in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Folder {
    /// An OCI layout, or the remains of one.
    Layout,
    /// The members of a docker archive.
    DockerArchive,
    /// An image of skopeo's transport `dir:`.
    Skopeo,
    /// An empty folder.
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
