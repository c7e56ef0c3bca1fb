//! The removal of images from a layout.

use std::path::Path;

use crate::error::Result;
use crate::format::{Format, Input, LockedLayout};
use crate::ops::{self, RemoveOptions, RemoveReport};
use crate::session::{Images, Session};

impl Session<'_> {
    /// Takes images, or some of their names, out of an OCI layout in a folder, and deletes
    /// every blob that nothing in the layout refers to any more.
    ///
    /// The layout is locked meanwhile against writers of this crate, and complete at any
    /// moment: its `index.json` is replaced first. A run that was stopped after that is
    /// completed by any later one, such as one without an image in the options. Memory is
    /// bounded by the digests in the documents of the layout.
    ///
    /// # Errors
    ///
    /// Fails if the folder is not a layout, or not one alone; if there is no such image, or
    /// it has several names and [`RemoveOptions::force`] is not set; or if a document of an
    /// image that stays cannot be read. Nothing has changed then. Also fails, after all
    /// else is done, if a blob cannot be deleted, and with
    /// [`DeletionInterrupted`](crate::Error::DeletionInterrupted) if it is stopped while
    /// blobs are deleted.
    pub fn remove(
        &self,
        layout: impl AsRef<Path>,
        options: &RemoveOptions,
    ) -> Result<RemoveReport> {
        let path = layout.as_ref();
        let removed = LockedLayout::open(path, &self.watch()).and_then(|layout| {
            // Without a request, a layout may be empty.
            let images = (!options.images.is_empty()).then(|| {
                let input = Input::path(path).format(Format::OciDirectory);
                Images::read(input, self.opening_documents(None))
            });
            let images = images.transpose()?;
            let source = images.as_ref().map(Images::source);
            ops::remove(&layout, source, options, self.context())
        });
        self.or_interrupted(removed)
    }
}
