//! The change of an image's base.

use crate::error::Result;
use crate::ops::{self, RebaseOptions, RebaseReport, Scratch};
use crate::session::{Images, Session, Target};

impl Images {
    /// The base without layers and settings, on or from which an image can be
    /// [rebased](Session::rebase).
    #[must_use]
    pub fn scratch() -> Self {
        Self::of(Box::new(Scratch::new()))
    }
}

impl Session<'_> {
    /// Replaces the lowest layers of an image, those of its old base, by the layers of
    /// another base, and writes the result. All other layers, and those of the new base,
    /// keep their bytes.
    ///
    /// Layers are compared by their diff_ids. Without `from`, the old base is the one in
    /// the annotations of the manifest, `org.opencontainers.image.base.digest` or
    /// `.name`, if `onto` or `images` has it, or else the layers that the image has in
    /// common with the new base. The history of the new base precedes that of the other
    /// layers. If the old base was found as an image, the settings that the image has
    /// unchanged from there become those of the new base; otherwise all settings stay.
    ///
    /// Memory is bounded by one record for each entry of the layers; content is never held
    /// in memory.
    ///
    /// # Errors
    ///
    /// Fails if the image is not based on the old base, if the old base is unknown, if the
    /// new base is for another platform, or if a layer is missing, damaged, or has a hard
    /// link to a file that the new base does not have. Nothing is visible then, except what
    /// was already written to a stream.
    pub fn rebase(
        &self,
        images: &Images,
        onto: &Images,
        from: Option<&Images>,
        target: impl Into<Target>,
        options: &RebaseOptions,
    ) -> Result<RebaseReport> {
        let sink = self.sink(target)?;
        let from = from.map(Images::source);
        let (source, onto) = (images.source(), onto.source());
        self.or_interrupted(ops::rebase(
            source,
            onto,
            from,
            sink,
            options,
            self.context(),
        ))
    }
}
