//! The options of a squash.

use crate::image::Platform;
use crate::ops::Selector;
use crate::ops::squash::range::LayerChoice;
use crate::transfer::compression::CompressionChoice;
use crate::transfer::naming::Name;

/// The choice of the layers to squash, and the properties of the result.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SquashOptions {
    /// The image, if there are several.
    pub image: Option<Selector>,
    /// Its platform; by default the host's.
    pub platform: Option<Platform>,
    /// The names in the output, instead of those in the input.
    pub names: Vec<Name>,
    /// The layers to merge; by default all.
    pub layers: LayerChoice,
    /// The compression of new layers; by default that of the uppermost layer in each.
    /// Other layers are not changed.
    pub compress: CompressionChoice,
    /// The comment in the history; by default the merged layers.
    pub message: Option<String>,
}
