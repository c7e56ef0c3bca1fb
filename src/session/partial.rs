//! Partial archives: the layers that the other side has, and the way back to the whole.

use std::path::Path;

use crate::error::{Error, Place, Result};
use crate::format::json_input::{JsonOrImages, json_or_images};
use crate::format::{Input, Opening};
use crate::ops::{
    self, Base, CompressionChoice, ConvertOptions, ConvertSource, Inventory, Selector, WriteReport,
};
use crate::session::{Images, Session, Target};

impl Session<'_> {
    /// Returns the layers that a machine has, for [`ConvertOptions::without`]: those of
    /// all images in `base`, or of the selected one. `base` may also be JSON, as
    /// `docker image inspect`, `podman image inspect`, `nerdctl image inspect` and
    /// `restow images --json` print it.
    ///
    /// Only documents are read.
    ///
    /// # Errors
    ///
    /// Fails if `base` cannot be read, or holds neither images nor a list of images.
    pub fn inventory(&self, base: Input, image: Option<&Selector>) -> Result<Inventory> {
        let place = base.place();
        let read = |json: &[u8]| {
            let read = Inventory::from_json(json);
            read.map_err(|error| error.while_reading(place.clone()))
        };
        match json_or_images(base)? {
            JsonOrImages::Json(json) => read(&json),
            JsonOrImages::Images(base) => {
                self.with(base, self.opening_documents(None), |source, context| {
                    ops::inventory(source, image, context)
                })
            }
        }
    }

    /// Converts a partial archive, as [`convert`](Self::convert) with
    /// [`ConvertOptions::without`] writes it, and puts back the layers that were left
    /// out of it, from images of `bases`. Its images have their names again, and the
    /// output equals that of the whole archive if the bases have the layers as they were
    /// left out.
    ///
    /// # Errors
    ///
    /// Fails as [`convert`](Self::convert) does, and if no base has one of the layers.
    pub fn complete(
        &self,
        (part, image): (Input, Option<Selector>),
        bases: Vec<(Input, Option<Selector>)>,
        target: impl Into<Target>,
        options: &ConvertOptions,
    ) -> Result<WriteReport> {
        let sink = self.sink(target)?;
        let staging = sink.staging().map(Path::to_owned);
        let opening = |is_completed| Opening {
            staging: staging.as_deref().filter(|_| is_completed),
            measures: options.compress == CompressionChoice::Keep,
            is_completed,
            ..self.opening(options.platforms.first())
        };
        let complete = || {
            let part = Images::read(part, opening(true))?;
            let mut opened = Vec::new();
            for (base, image) in bases {
                opened.push((read_base(base, opening(false))?, image));
            }
            let bases = opened.iter().map(|(images, image)| Base {
                source: images.source(),
                image: image.as_ref(),
            });
            let bases: Vec<Base<'_>> = bases.collect();
            let part = ConvertSource {
                images: part.source(),
                image: image.as_ref(),
            };
            ops::complete(part, &bases, sink, options, self.context())
        };
        self.or_interrupted(complete())
    }
}

/// Opens a base, which must be images: a list of them has no layers.
fn read_base(base: Input, opening: Opening<'_>) -> Result<Images> {
    let place: Place = base.place();
    match json_or_images(base)? {
        JsonOrImages::Json(_) => Err(Error::InventoryWithoutLayers.while_reading(place)),
        JsonOrImages::Images(base) => Images::read(base, opening),
    }
}
