//! The id that Docker's containerd image store gives to an image: the digest of its
//! manifest, or of the index over it.
//!
//! An archive from a classic store has neither. In that case containerd makes a
//! manifest with Docker's media types, from the config and the files that
//! `manifest.json` names (core/images/archive/importer.go).

use crate::digest::Digest;
use crate::format::MARKER;
use crate::format::root::{Root, Target};
use crate::format::source::{Content, Image, ImageSource, Layer};
use crate::image::media_type::{DOCKER_LAYER, DOCKER_LAYER_GZIP, Family};
use crate::image::{Descriptor, compact, new_manifest};
use crate::stream::Compression;

/// The id that an image gets when Docker loads the input into its containerd store.
///
/// `None` if that store accepts only a layout, or if the digest of a layer is not known
/// before all of it was read.
pub(in crate::ops) fn containerd_id(
    source: &dyn ImageSource,
    root: &Root,
    content: &Content,
) -> Option<Digest> {
    match content {
        Content::Image(image) => image_containerd_id(source, root, image),
        _ => root.target_digest().cloned(),
    }
}

/// The same for an image that a root names, or for an index that contains the image.
pub(in crate::ops) fn image_containerd_id(
    source: &dyn ImageSource,
    root: &Root,
    image: &Image,
) -> Option<Digest> {
    let source = source.owner(root).unwrap_or(source);
    match &root.target {
        Target::Blob(descriptor) => Some(descriptor.digest().clone()),
        Target::Element(_) => made_manifest(source, image).map(|it| Digest::of(&it)),
        Target::Whole => None,
    }
}

/// Total size of all blobs as stored, in bytes, including documents: the CONTENT SIZE
/// in Docker's containerd store, which counts repeated blobs repeatedly, and ignores
/// indexes.
pub(in crate::ops) fn blobs_size(source: &dyn ImageSource, content: &Content) -> Option<u64> {
    let sizes: Vec<u64> = match content {
        Content::Image(image) => {
            let manifest = match &image.manifest {
                Some(manifest) => manifest.size(),
                None => made_manifest(source, image)?.len() as u64,
            };
            let layers = image.layers.iter().filter_map(Layer::blob);
            let layers = layers.map(|blob| blob.size);
            let documents = [manifest, image.config.size()];
            documents.into_iter().chain(layers).collect()
        }
        Content::Artifact(artifact) => {
            let manifest = &artifact.manifest;
            let named = std::iter::once(&manifest.view().config).chain(&manifest.view().layers);
            let is_held = |it: &&Descriptor| {
                let mut blobs = artifact.blobs.iter();
                blobs.any(|(blob, held)| held.is_some() && blob.digest() == it.digest())
            };
            let blobs = named.filter(is_held).map(Descriptor::size);
            std::iter::once(manifest.size()).chain(blobs).collect()
        }
        Content::Index(index) => {
            let sizes = index.children.iter().map(|child| blobs_size(source, child));
            sizes.flatten().collect()
        }
        Content::Opaque { .. } => return None,
    };
    Some(sizes.into_iter().fold(0, u64::saturating_add))
}

/// The manifest that containerd makes for an image without one.
fn made_manifest(source: &dyn ImageSource, image: &Image) -> Option<Vec<u8>> {
    source.docker_part()?;
    // If the archive contains a layout, containerd ignores `manifest.json`.
    if let Ok(Some(_)) = source.container().find(MARKER) {
        return None;
    }
    let layers: Option<Vec<_>> = image.layers.iter().map(layer).collect();
    let config = image.config.descriptor(Family::Docker.config());
    Some(compact(&new_manifest(Family::Docker, &config, &layers?)))
}

/// The descriptor of a layer in that manifest. The layer may be compressed in any way.
fn layer(layer: &Layer) -> Option<Descriptor> {
    let blob = layer.blob()?;
    let diff_id = &layer.diff_id.0;
    if layer.compression == Compression::None {
        return Some(Descriptor::new(DOCKER_LAYER, diff_id.clone(), blob.size));
    }
    // If it is named by its diff_id, its digest is a different one.
    let digest = digest_in_name(&blob.path).filter(|it| it != diff_id)?;
    Some(Descriptor::new(DOCKER_LAYER_GZIP, digest, blob.size))
}

/// The digest in the name of a file in an archive: `blobs/sha256/HEX`, `HEX.tar.gz`,
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
