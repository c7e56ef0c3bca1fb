//! The options of `append`.

use std::path::PathBuf;

use crate::dockerfile::Changes;
use crate::format::Input;
use crate::image::{Platform, Timestamp};
use crate::merge::PathPattern;
use crate::ops::Selector;
use crate::transfer::compression::CompressionChoice;
use crate::transfer::naming::Name;

/// The source of a new layer.
#[derive(Debug)]
#[non_exhaustive]
pub enum NewLayer {
    /// A tar, plain or compressed, or a folder, whose content becomes that of the layer.
    Content(Input),
    /// A root filesystem, in a tar or a folder: the layer turns the tree of the image,
    /// with the new layers before it, into this one. It has everything that
    /// [`diff`](crate::Session::diff) finds, with the directories above it, and nothing
    /// else.
    Changed(Input),
    /// A file or a folder on disk, at a path in the image.
    ///
    /// A file lands in the directory of that path, through symbolic links of the image.
    /// If the path ends in a slash, or is a directory in the image, the file lands in it
    /// under its own name. The content of a folder lands in the directory of that path.
    At {
        /// The file or the folder. A symbolic link to it is followed.
        source: PathBuf,
        /// The path in the image.
        path: Vec<u8>,
    },
}

/// The choice of the image to which layers are added, and the properties of the result.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AppendOptions {
    /// The image, if there are several.
    pub image: Option<Selector>,
    /// Its platform; by default the host's.
    pub platform: Option<Platform>,
    /// The names in the output, instead of those in the input.
    pub names: Vec<Name>,
    /// The paths to delete. Their whiteouts are a layer of their own, below the others.
    pub delete: Vec<PathPattern>,
    /// The directory of the image in which the content of tars and folders lands; by
    /// default the root. It is made if the image does not have it.
    pub at: Option<Vec<u8>>,
    /// True to leave out entries that the image, with the new layers before, already has
    /// just so, and whiteouts that hide nothing. The others are written anew.
    pub only_new: bool,
    /// The uid and gid of all entries of folders and files; by default 0 and 0, and their
    /// own for [`NewLayer::Changed`]. A tar is not changed.
    pub owner: Option<(u32, u32)>,
    /// The time that replaces later ones of entries of folders and files. A tar is not
    /// changed.
    pub latest: Option<Timestamp>,
    /// The comment of the history entries.
    pub message: Option<String>,
    /// The changes to the config.
    pub changes: Changes,
    /// The compression of the new layers. By default a tar keeps its own, and other
    /// layers have that of the topmost layer of the image. Layers of the image are not
    /// changed.
    pub compress: CompressionChoice,
}
