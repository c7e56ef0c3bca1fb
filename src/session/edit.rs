//! The operations that change parts of an image.

use std::path::Path;

use crate::error::Result;
use crate::format::Opening;
use crate::ops::{self, CompressionChoice, ConfigOptions, WriteReport};
use crate::session::{Session, Source, Target};

impl Session<'_> {
    /// Changes the config of an image, or its annotations, and writes the result. Only
    /// documents change; layers are copied, or left in place in a layout that is both
    /// the source and the target.
    ///
    /// In an index all images change alike, unless the options select a platform. What
    /// refers to a manifest that changes, such as an attestation, is left out with a
    /// warning. An image in which nothing would change is passed on as it is.
    ///
    /// # Errors
    ///
    /// Fails if a setting to remove is absent, if an instruction cannot be applied, or
    /// if anything that is read does not match its digest, size or `diff_id`. Nothing
    /// is visible then, except what was already written to a stream.
    pub fn configure<'s>(
        &self,
        source: impl Into<Source<'s>>,
        target: impl Into<Target>,
        options: &ConfigOptions,
    ) -> Result<WriteReport> {
        let sink = self.sink(target)?;
        let staging = sink.staging().map(Path::to_owned);
        let opening = Opening {
            staging: staging.as_deref(),
            measures: options.compress == CompressionChoice::Keep,
            ..self.opening(options.platform.as_ref())
        };
        self.with(source, opening, |source, context| {
            ops::configure(source, sink, options, context)
        })
    }
}
