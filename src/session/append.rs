//! New layers on top of an image.

use std::path::Path;

use super::{Session, Source, Target};
use crate::error::Result;
use crate::format::Opening;
use crate::ops::{self, AppendOptions, AppendReport, NewLayer};

impl Session<'_> {
    /// Adds layers on top of an image, in their order, and writes the result.
    ///
    /// The image's own layers are not changed. A tar becomes a layer byte for byte, in
    /// its own compression, unless the options move its entries or change the
    /// compression. Folders and files are packed as `COPY` in a Dockerfile does: they
    /// belong to root, and land where a container finds their path, through symbolic
    /// links of the image; what they share with other layers is not left out.
    ///
    /// The headers of the image's layers are read only if a path in it is wanted. Memory
    /// is bounded by one record for each entry of those and of the new layers; content is
    /// never held in memory.
    ///
    /// # Errors
    ///
    /// Fails if a new layer cannot be read, is an archive of images, has an entry that
    /// leads out of the root or that every engine refuses, or if a path to delete does
    /// not exist. Nothing is visible then, except what was already written to a stream.
    pub fn append<'s>(
        &self,
        source: impl Into<Source<'s>>,
        target: impl Into<Target>,
        layers: Vec<NewLayer>,
        options: &AppendOptions,
    ) -> Result<AppendReport> {
        let sink = self.sink(target)?;
        let staging = sink.staging().map(Path::to_owned);
        let opening = Opening {
            staging: staging.as_deref(),
            ..self.opening(options.platform.as_ref())
        };
        self.with(source, opening, |source, context| {
            ops::append(source, sink, layers, options, context)
        })
    }

    /// Makes an image of these layers alone, for the platform in the options or the
    /// host's, as [`append`](Self::append) adds them to another.
    ///
    /// # Errors
    ///
    /// Fails as [`append`](Self::append) does.
    pub fn append_to_scratch(
        &self,
        target: impl Into<Target>,
        layers: Vec<NewLayer>,
        options: &AppendOptions,
    ) -> Result<AppendReport> {
        let sink = self.sink(target)?;
        let appended = ops::append_to_scratch(sink, layers, options, self.context());
        self.or_interrupted(appended)
    }
}
