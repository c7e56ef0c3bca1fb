//! What a squash is asked to do.

use crate::image::Platform;
use crate::ops::Selector;
use crate::ops::squash::range::LayerChoice;
use crate::transfer::compression::CompressionChoice;
use crate::transfer::naming::Name;

/// What to squash, and how.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SquashOptions {
    /// The image to take, where there are several.
    pub image: Option<Selector>,
    /// The platform to take of it; by default the host's.
    pub platform: Option<Platform>,
    /// The names of the output, in place of those of the input.
    pub names: Vec<Name>,
    /// Which layers; by default all.
    pub layers: LayerChoice,
    /// The compression of new layers; by default that of the uppermost that each
    /// was made of. Other layers stay as they are.
    pub compress: CompressionChoice,
    /// The comment in the history; by default which layers there were.
    pub message: Option<String>,
}
