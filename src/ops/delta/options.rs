//! The options of a delta.

use crate::image::Platform;
use crate::ops::Selector;

/// The images of a delta, and the level of its compression.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeltaOptions {
    /// The one old image; by default all.
    pub old: Option<Selector>,
    /// The one new image; by default all.
    pub new: Option<Selector>,
    /// The one platform of each; by default all.
    pub platform: Option<Platform>,
    /// True to write compressed layers as the differences of their content, too. The new
    /// image that comes of it has plain layers: its id stays, but not the digests of its
    /// layers and its manifest.
    pub by_content: bool,
    /// The level of zstd, from 1 to 19.
    pub level: i32,
}

impl Default for DeltaOptions {
    /// All images, and level 9.
    fn default() -> Self {
        Self {
            old: None,
            new: None,
            platform: None,
            by_content: false,
            level: 9,
        }
    }
}
