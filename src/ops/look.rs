//! What `images`, `inspect` and `history` tell of an image.

use crate::digest::Digest;
use crate::format::source::{Image, Layer};
use crate::image::Descriptor;
use crate::stream::Compression;

/// When an image was made, as its config says it.
pub(super) fn created(image: &Image) -> Option<String> {
    let config = image.config.value().ok()?;
    config["created"].as_str().map(str::to_owned)
}

/// How many bytes a layer has as it is stored, if it is here or somebody says it.
pub(super) fn stored(layer: &Layer) -> Option<u64> {
    let described = layer.descriptor.as_ref().map(Descriptor::size);
    layer.blob.as_ref().map(|blob| blob.size).or(described)
}

/// How many bytes layers have together as they are stored.
pub(super) fn stored_size(layers: &[Layer]) -> u64 {
    let sizes = layers.iter().filter_map(stored);
    sizes.fold(0, u64::saturating_add)
}

/// The digest of a layer as it is stored, if a document says it: a plain layer is its
/// own unpacked form.
pub(super) fn digest(layer: &Layer) -> Option<Digest> {
    let described = layer.descriptor.as_ref().map(|it| it.digest().clone());
    described.or_else(|| (layer.compression == Compression::None).then(|| layer.diff_id.0.clone()))
}
