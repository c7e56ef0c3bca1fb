//! `export`: the merged tree of an image as a root filesystem in a tar.

use std::io::{self, BufWriter};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::format::RootfsSink;
use crate::format::source::ImageSource;
use crate::image::{Platform, Reference};
use crate::layer::LayerWriter;
use crate::merge::Merge;
use crate::ops::Selector;
use crate::ops::choose::image::choose_image;
use crate::ops::choose::platform::PlatformChoice;
use crate::ops::stack::layer_stack::LayerStack;
use crate::stream::{COPY_BUFFER, Encoder};
use crate::transfer::Context;

/// The choice of the image to export.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ExportOptions {
    /// The image, if there are several.
    pub image: Option<Selector>,
    /// Its platform; by default the host's.
    pub platform: Option<Platform>,
}

/// The result of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportReport {
    /// The name of the image in messages.
    pub image: String,
    /// Its names in the input that are references with a tag.
    pub references: Vec<Reference>,
    /// Its other names, which only a layout has.
    pub labels: Vec<String>,
    /// The digest of its config.
    pub id: Digest,
    /// The digest of its manifest, if the input has one.
    pub digest: Option<Digest>,
    /// Its platform, if its config has one.
    pub platform: Option<Platform>,
    /// The number of layers.
    pub layers: usize,
    /// The number of entries in the tree.
    pub entries: u64,
    /// The number of bytes written, after any compression.
    pub size: u64,
}

/// Implements [`Session::export`](crate::Session::export).
pub(crate) fn export(
    source: &dyn ImageSource,
    mut sink: RootfsSink,
    options: &ExportOptions,
    context: Context<'_>,
) -> Result<ExportReport> {
    let platform = options.platform.as_ref();
    let reason = platform.map_or(PlatformChoice::OneTree, PlatformChoice::Asked);
    let chosen = choose_image(source, options.image.as_ref(), reason, context)?;
    let layers = LayerStack::new(source, &chosen, context)?;
    let all = layers.begin()?;
    let place = sink.place();
    let workers = context.workers()?;
    let finished = layers.checked(|layers| {
        let mut merge = Merge::new();
        layers.merge(&mut merge, &all)?;
        let plan = merge.plan();
        let encoder = Encoder::new(sink.encoding, &mut sink, &workers);
        let output = BufWriter::with_capacity(COPY_BUFFER, encoder);
        let writer = layers.write(&plan, &all, LayerWriter::new(output), &place)?;
        let entries = writer.entries();
        let output = writer.finish();
        let encoder = output.and_then(|it| it.into_inner().map_err(io::IntoInnerError::into_error));
        let finished = encoder.and_then(Encoder::finish);
        finished.map_err(|error| Error::write(place.clone(), error))?;
        Ok(entries)
    });
    let entries = finished.inspect_err(|_| sink.spoil())?;
    let size = sink.finish(&context.watch)?;
    Ok(ExportReport {
        references: chosen.references(),
        labels: chosen.labels(),
        id: chosen.image.config.digest().clone(),
        digest: chosen.manifest().map(|it| it.digest().clone()),
        platform: chosen.image.platform().cloned(),
        layers: layers.count(),
        entries,
        size,
        image: chosen.name,
    })
}
