//! An image with new layers: its documents and its delivery.

use crate::digest::DiffId;
use crate::error::Result;
use crate::event::Warning;
use crate::format::LAYERS_MAX;
use crate::format::sink::ImageSink;
use crate::format::source::{Content, Image, ImageSource, Layer, LayerBytes, LayerPosition};
use crate::image::{LayerRecord, Timestamp, append_config};
use crate::ops::append::options::AppendOptions;
use crate::ops::append::report::{AppendReport, AppendedLayer};
use crate::ops::choose::image::ChosenImage;
use crate::ops::edited::{Edited, edited_manifest, own_document};
use crate::stream::{Compression, Hashed, Workers};
use crate::transfer::Context;
use crate::transfer::compression::{CompressionChoice, CompressionPolicy};

/// A layer that was written to the output.
#[derive(Debug)]
pub(super) struct Added {
    /// The hash of its bytes as stored.
    pub(super) blob: Hashed,
    /// The hash of its unpacked bytes.
    pub(super) unpacked: Hashed,
    /// Its compression.
    pub(super) compression: Compression,
    /// The time of its newest entry, in seconds since 1970.
    pub(super) newest: i64,
}

impl Added {
    /// Its diff_id.
    pub(super) fn diff_id(&self) -> DiffId {
        DiffId(self.unpacked.digest.clone())
    }
}

/// Writes the image with its new layers, and returns the report.
pub(super) fn deliver(
    source: &dyn ImageSource,
    sink: &dyn ImageSink,
    chosen: ChosenImage<'_>,
    (added, unchanged): (&[Added], Vec<String>),
    options: &AppendOptions,
    workers: &Workers,
    context: Context<'_>,
) -> Result<AppendReport> {
    let edited = Edited {
        source,
        sink,
        names: &options.names,
        keeps_fields: chosen.left.is_empty() && options.platform.is_none(),
        policy: CompressionPolicy::new(CompressionChoice::Keep, sink.format()),
        workers,
        context,
    };
    let name = chosen.name.clone();
    let layers_before = chosen.image.layers.len();
    let count = layers_before + added.len();
    if count > LAYERS_MAX && !added.is_empty() {
        let max = LAYERS_MAX;
        context.watch.warn(Warning::TooManyLayers { count, max });
    }
    let is_edited = !added.is_empty() || !options.changes.is_empty();
    let image = is_edited.then(|| appended(&chosen.image, added, options, context.created));
    let image = image.transpose()?.map(Content::Image);
    let written = edited.deliver(chosen.into(), image)?;
    let reported = added.iter().enumerate().map(|(at, layer)| AppendedLayer {
        number: layers_before + at + 1,
        digest: layer.blob.digest.clone(),
        diff_id: DiffId(layer.unpacked.digest.clone()),
        size: layer.blob.size,
        unpacked_size: layer.unpacked.size,
    });
    Ok(AppendReport {
        image: name,
        layers_before,
        layers: reported.collect(),
        unchanged,
        written,
    })
}

/// Makes the image with new layers on top.
fn appended(
    image: &Image,
    added: &[Added],
    options: &AppendOptions,
    created: Option<Timestamp>,
) -> Result<Image> {
    let count = image.layers.len() + added.len();
    let new = added.iter().enumerate().map(|(at, layer)| Layer {
        diff_id: DiffId(layer.unpacked.digest.clone()),
        bytes: LayerBytes::Written(layer.blob.clone()),
        compression: layer.compression,
        position: LayerPosition::new(image.layers.len() + at, count),
        keeps_compression: false,
    });
    let records = added.iter().map(|layer| LayerRecord {
        diff_id: DiffId(layer.unpacked.digest.clone()),
        newest: layer.newest,
    });
    let records: Vec<LayerRecord> = records.collect();
    let comment = options.message.as_deref();
    let mut config =
        append_config(&image.config, &records, created, comment).map_err(own_document)?;
    if !options.changes.is_empty() {
        let mut value = config.value().map_err(own_document)?;
        options.changes.apply(&mut value["config"])?;
        config = crate::image::Document::from_value(&value).map_err(own_document)?;
    }
    let manifest = image.manifest.as_ref();
    let manifest = manifest.map(|manifest| edited_manifest(manifest, |_| ()));
    Ok(Image {
        manifest: manifest.transpose()?,
        config,
        layers: image.layers.iter().cloned().chain(new).collect(),
        annotations: image.annotations.clone(),
    })
}
