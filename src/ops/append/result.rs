//! New layers, and the documents of an image that has them.

use crate::digest::DiffId;
use crate::error::Result;
use crate::format::source::{Image, Layer, LayerBytes, LayerPosition};
use crate::image::{Document, LayerRecord, Timestamp, append_config};
use crate::ops::append::options::AppendOptions;
use crate::ops::append::report::AppendedLayer;
use crate::ops::edited::{edited_manifest, own_document};
use crate::stream::{Compression, Hashed};

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

/// Reports new layers on top of this many.
pub(super) fn reported(added: &[Added], layers_before: usize) -> Vec<AppendedLayer> {
    let layers = added.iter().enumerate();
    let layers = layers.map(|(at, layer)| AppendedLayer {
        number: layers_before + at + 1,
        digest: layer.blob.digest.clone(),
        diff_id: layer.diff_id(),
        size: layer.blob.size,
        unpacked_size: layer.unpacked.size,
    });
    layers.collect()
}

/// Makes the image with new layers on top; `None` if nothing changes.
pub(super) fn appended(
    image: &Image,
    added: &[Added],
    options: &AppendOptions,
    created: Option<Timestamp>,
) -> Result<Option<Image>> {
    if added.is_empty() && options.changes.is_empty() {
        return Ok(None);
    }
    let count = image.layers.len() + added.len();
    let new = added.iter().enumerate().map(|(at, layer)| Layer {
        diff_id: layer.diff_id(),
        bytes: LayerBytes::Written(layer.blob.clone()),
        compression: layer.compression,
        position: LayerPosition::new(image.layers.len() + at, count),
        keeps_compression: false,
    });
    let records = added.iter().map(|layer| LayerRecord {
        diff_id: layer.diff_id(),
        newest: layer.newest,
    });
    let records: Vec<LayerRecord> = records.collect();
    let comment = options.message.as_deref();
    let mut config =
        append_config(&image.config, &records, created, comment).map_err(own_document)?;
    if !options.changes.is_empty() {
        let mut value = config.value().map_err(own_document)?;
        options.changes.apply(&mut value["config"])?;
        config = Document::from_value(&value).map_err(own_document)?;
    }
    let manifest = image.manifest.as_ref();
    let manifest = manifest.map(|manifest| edited_manifest(manifest, |_| ()));
    Ok(Some(Image {
        manifest: manifest.transpose()?,
        config,
        layers: image.layers.iter().cloned().chain(new).collect(),
        annotations: image.annotations.clone(),
        others: image.others.clone(),
    }))
}
