//! The options of a change to the config.

use crate::dockerfile::{Changes, Unset};
use crate::image::{Platform, Timestamp};
use crate::ops::Selector;
use crate::transfer::compression::CompressionChoice;
use crate::transfer::naming::Name;

/// The choice of the image, and the changes to its config. By default nothing changes.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConfigOptions {
    /// The image, if there are several.
    pub image: Option<Selector>,
    /// The one platform to keep of it; by default all.
    pub platform: Option<Platform>,
    /// The names in the output, instead of those in the input.
    pub names: Vec<Name>,
    /// The settings to remove, before anything is set.
    pub unset: Vec<Unset>,
    /// The instructions to apply.
    pub changes: Changes,
    /// The labels to set, literally, after the instructions.
    pub labels: Vec<(String, String)>,
    /// The annotations to set in the manifest. They do not affect the config.
    pub annotations: Vec<(String, String)>,
    /// The author. An empty one removes the author.
    pub author: Option<String>,
    /// The creation time.
    pub created: Option<Timestamp>,
    /// The platform to declare. Of an index it can only be that of one image.
    pub set_platform: Option<Platform>,
    /// The comment of the new history entry.
    pub message: Option<String>,
    /// The compression of layers; by default they are not changed.
    pub compress: CompressionChoice,
}
