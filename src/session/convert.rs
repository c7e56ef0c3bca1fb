//! Conversions, of one source or of several.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Place, Result};
use crate::format::Opening;
use crate::ops::{self, CompressionChoice, ConvertOptions, ConvertSource, Selector, WriteReport};
use crate::session::{Images, Session, Source, Target};

impl Session<'_> {
    /// Copies images of several sources into one output, in the order of the sources. Of
    /// a source with a selector, that image is taken, and of the others those that the
    /// options select.
    ///
    /// An image that several sources have is written once, with all of its names, and so
    /// is a layer. Memory is that of [`convert`](Self::convert), with the documents of
    /// all images.
    ///
    /// # Errors
    ///
    /// Fails as [`convert`](Self::convert) does, if no source has a selected image, and
    /// if two sources have the same name for different images.
    pub fn convert_all(
        &self,
        sources: Vec<(Source<'_>, Option<Selector>)>,
        target: impl Into<Target>,
        options: &ConvertOptions,
    ) -> Result<WriteReport> {
        let sink = self.sink(target)?;
        let staging = sink.staging().map(Path::to_owned);
        let result = (|| {
            let mut opened = Vec::new();
            for (at, (source, image)) in sources.into_iter().enumerate() {
                let staging = staging.as_deref().map(|it| staging_of(it, at));
                let staging = staging.transpose()?;
                let opening = Opening {
                    staging: staging.as_deref(),
                    measures: options.compress == CompressionChoice::Keep,
                    ..self.opening(options.platforms.first())
                };
                let images = match source {
                    Source::Images(images) => Opened::Before(images),
                    Source::Input(input) => Opened::Now(Images::read(input, opening)?),
                };
                opened.push((images, image));
            }
            let sources = opened.iter().map(|(images, image)| ConvertSource {
                images: match images {
                    Opened::Before(images) => images.source(),
                    Opened::Now(images) => images.source(),
                },
                image: image.as_ref(),
            });
            let sources: Vec<ConvertSource<'_>> = sources.collect();
            ops::convert(&sources, sink, options, self.context())
        })();
        self.or_interrupted(result)
    }
}

/// Images that were open before, or were opened for this operation.
enum Opened<'a> {
    Before(&'a Images),
    Now(Images),
}

/// The folder in which the source with this number is split into its members: each has
/// its own.
fn staging_of(staging: &Path, at: usize) -> Result<PathBuf> {
    if at == 0 {
        return Ok(staging.to_owned());
    }
    let folder = staging.join(format!("source{at}"));
    fs::create_dir(&folder).map_err(|error| Error::write(Place::Path(folder.clone()), error))?;
    Ok(folder)
}
