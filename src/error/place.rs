//! Inputs, outputs and their parts, as messages name them.

use std::fmt;
use std::path::PathBuf;

use crate::digest::Digest;

/// Something that is read or written, as messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// A blob that is not a layer.
    Blob(Digest),
    /// The config of this image.
    Config(String),
    /// A layer of an image.
    Layer {
        /// Its position, counted from 1, the lowest.
        position: usize,
        /// The number of layers in the image.
        count: usize,
        /// The image.
        image: String,
    },
    /// The images that a delta makes from an old image.
    Made {
        /// The input with the old image.
        old: Box<Self>,
        /// The delta.
        delta: Box<Self>,
    },
    /// A member of an archive, or a file of a layout.
    Member(String),
    /// A file or a folder.
    Path(PathBuf),
    /// Standard input.
    StandardInput,
    /// Standard output.
    StandardOutput,
    /// A temporary file in this folder.
    Temporary(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blob(digest) => write!(f, "blob {digest}"),
            Self::Config(image) => write!(f, "the config of `{image}`"),
            Self::Layer {
                position,
                count,
                image,
            } => write!(f, "layer {position} of {count} of `{image}`"),
            Self::Made { old, delta } => write!(f, "what {delta} makes of {old}"),
            Self::Member(name) => write!(f, "`{name}`"),
            Self::Path(path) => write!(f, "`{}`", path.display()),
            Self::StandardInput => f.write_str("standard input"),
            Self::StandardOutput => f.write_str("standard output"),
            Self::Temporary(directory) => {
                write!(f, "a temporary file in `{}`", directory.display())
            }
        }
    }
}
