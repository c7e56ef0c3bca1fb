//! The id that Docker's containerd image store gives to an image: the digest of its
//! manifest, or of the index over it.
//!
//! An archive of a classic store has neither; containerd makes a manifest for it then,
//! with Docker's media types, of the config and the files that `manifest.json` names
//! (core/images/archive/importer.go).

use crate::digest::Digest;
use crate::format::source::{Content, Image, ImageSource, Layer, Root, Target};
use crate::image::media_type::{DOCKER_CONFIG, DOCKER_LAYER, DOCKER_LAYER_GZIP, DOCKER_MANIFEST};
use crate::image::{Descriptor, compact, new_manifest};
use crate::stream::Compression;

/// The id that an image gets when Docker loads the input into its containerd store.
///
/// `None` where that store takes nothing else than a layout, or where the digest of a
/// layer is only known once all of it was read.
pub(super) fn containerd_id(
    source: &dyn ImageSource,
    root: &Root,
    content: &Content,
) -> Option<Digest> {
    match (&root.target, content) {
        (Target::Blob(descriptor), _) => Some(descriptor.digest().clone()),
        (_, Content::Image(image)) => image_containerd_id(source, root, image),
        (Target::Element(_) | Target::Whole, _) => None,
    }
}

/// The same of an image that a root is a name of, or an index that it was taken from.
pub(super) fn image_containerd_id(
    source: &dyn ImageSource,
    root: &Root,
    image: &Image,
) -> Option<Digest> {
    let is_there = |path| matches!(source.container().find(path), Ok(Some(_)));
    match &root.target {
        Target::Blob(descriptor) => Some(descriptor.digest().clone()),
        // Where a layout lies in the archive, `manifest.json` is not looked at.
        Target::Element(_) if is_there("manifest.json") && !is_there("oci-layout") => {
            made_manifest(image)
        }
        Target::Element(_) | Target::Whole => None,
    }
}

/// The digest of the manifest that containerd makes.
fn made_manifest(image: &Image) -> Option<Digest> {
    let layers: Option<Vec<_>> = image.layers.iter().map(layer).collect();
    let config = image.config.descriptor(DOCKER_CONFIG);
    let mut manifest = new_manifest(&config, &layers?);
    manifest["mediaType"] = DOCKER_MANIFEST.into();
    Some(Digest::of(&compact(&manifest)))
}

/// What that says of a layer, which may be compressed in any way.
fn layer(layer: &Layer) -> Option<Descriptor> {
    let blob = layer.blob.as_ref()?;
    let diff_id = &layer.diff_id.0;
    if layer.compression == Compression::None {
        return Some(Descriptor::new(DOCKER_LAYER, diff_id.clone(), blob.size));
    }
    // Named by what it unpacks to, it has another digest.
    let digest = digest_in_name(&blob.path).filter(|it| it != diff_id)?;
    Some(Descriptor::new(DOCKER_LAYER_GZIP, digest, blob.size))
}

/// The digest that a file of an archive is named by: `blobs/sha256/HEX`, `HEX.tar.gz`,
/// `sha256:HEX`.
fn digest_in_name(path: &str) -> Option<Digest> {
    let name = path.rsplit('/').next()?;
    let name = name.split('.').next()?;
    let hex = name.strip_prefix("sha256:").unwrap_or(name);
    format!("sha256:{hex}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_a_digest_in_the_ways_of_its_writers() {
        let hex = "3".repeat(64);
        let digest = format!("sha256:{hex}").parse().ok();
        for (path, expected) in [
            (format!("blobs/sha256/{hex}"), &digest),
            (format!("{hex}.tar.gz"), &digest),
            (format!("{hex}.tar"), &digest),
            (format!("sha256:{hex}"), &digest),
            (format!("{hex}/layer.tar"), &None),
            ("layer.tar.gz".to_owned(), &None),
            (format!("{}.tar.gz", "A".repeat(64)), &None),
        ] {
            assert_eq!(digest_in_name(&path), *expected, "{path}");
        }
    }
}
