//! Deltas between images.

use crate::error::Result;
use crate::format::Opening;
use crate::ops::{self, ConvertOptions, DeltaOptions, DeltaReport, WriteReport};
use crate::session::{Session, Source, Target};

impl Session<'_> {
    /// Writes the way from old images to new ones: an artifact that
    /// [`apply`](Self::apply) turns into the new images, where the old ones are. Layers
    /// that the old images have are left out, and others are written as tar-diffs, from
    /// the files that the old images show.
    ///
    /// Memory is bounded by one record for each entry of the old layers, and by two files
    /// of [`TAR_DIFF_SOURCE_MAX`](crate::limits::TAR_DIFF_SOURCE_MAX) bytes. The tar-diffs,
    /// and the files of old layers that are compressed, are kept in temporary files.
    ///
    /// # Errors
    ///
    /// Fails if a layer cannot be read, or if one that is written does not match its
    /// digest and diff_id. Nothing is visible then, except what was already written to a
    /// stream.
    pub fn delta<'s>(
        &self,
        old: impl Into<Source<'s>>,
        new: impl Into<Source<'s>>,
        target: impl Into<Target>,
        options: &DeltaOptions,
    ) -> Result<DeltaReport> {
        let sink = self.sink(target)?;
        let opening = || Opening {
            is_read_once: false,
            ..self.opening(options.platform.as_ref())
        };
        self.with(old, opening(), |old, context| {
            self.with(new, opening(), |new, _| {
                ops::delta(old, new, sink, options, context)
            })
        })
    }

    /// Makes the new images of a [`delta`](Self::delta), and writes them as
    /// [`convert`](Self::convert) writes the originals, byte for byte.
    ///
    /// Memory is that of [`delta`](Self::delta), and more for deltas that other programs
    /// made of larger files: these may have
    /// [`TAR_DIFF_FRAME_MAX`](crate::limits::TAR_DIFF_FRAME_MAX) bytes. The files that a
    /// delta needs from old layers that are compressed are kept in a temporary file.
    ///
    /// # Errors
    ///
    /// Fails if the delta is damaged or from other images, and if anything that it makes
    /// does not match its digest and diff_id. Nothing is visible then, except what was
    /// already written to a stream.
    pub fn apply<'s>(
        &self,
        old: impl Into<Source<'s>>,
        delta: impl Into<Source<'s>>,
        target: impl Into<Target>,
        options: &ConvertOptions,
    ) -> Result<WriteReport> {
        let sink = self.sink(target)?;
        let opening = || Opening {
            is_read_once: false,
            ..self.opening(None)
        };
        self.with(old, opening(), |old, context| {
            self.with(delta, opening(), |delta, _| {
                ops::apply(old, delta, sink, options, context)
            })
        })
    }
}
