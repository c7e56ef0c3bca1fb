//! The report of an operation on the images that it has written.

use std::collections::HashMap;

use crate::digest::Digest;
use crate::format::Format;
use crate::format::sink::{OutputIndex, WithheldName};
use crate::format::source::Content;
use crate::image::{Descriptor, Platform, REF_NAME, Reference};
use crate::transfer::kind::FoundKind;

/// The images that an operation has written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteReport {
    /// The format of the output.
    pub format: Format,
    /// The images that were added to it, in the order of its index, without those that
    /// a layout already had.
    pub images: Vec<WrittenImage>,
    /// True if an operation that changes an image found nothing to change in it.
    pub is_unchanged: bool,
    /// The layers that were left out, if that was requested.
    pub left_out: Option<LeftOut>,
    /// The layers that were put back, if that was requested.
    pub completed: Option<Completed>,
}

/// The layers that were left out of an output, since the other side has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// The number of layers that were left out, each counted once.
    pub layers: usize,
    /// Their total size as stored in the input, in bytes.
    pub size: u64,
    /// The number of layers of all images in the input.
    pub layers_before: usize,
    /// Their total size as stored in the input, in bytes.
    pub size_before: u64,
    /// True if only the diff_ids of layers on the other side are known, so that they
    /// are assumed to be stored without compression there.
    pub is_assumed: bool,
    /// The number of layers that the other side has in another compression, which
    /// changes the digest of the manifest.
    pub recompressed: usize,
    /// The images without these layers, with the names that they do not have in the
    /// output.
    pub images: Vec<LeftOutImage>,
}

/// An image in an output from which layers were left out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOutImage {
    /// The digest of the config, which is the image id in Docker's classic stores and
    /// in podman; for an index that of the image that `manifest.json` names, if any.
    pub id: Option<Digest>,
    /// The digest of the manifest or the index, which is the image id in Docker's
    /// containerd store.
    pub digest: Digest,
    /// The names that are kept aside.
    pub references: Vec<Reference>,
}

/// The layers that were put back into images of a partial archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Completed {
    /// The number of layers, each counted once.
    pub layers: usize,
    /// Their total size as stored, in bytes.
    pub size: u64,
    /// The number of layers that the base has in another compression than the one that
    /// was left out, which changes the digest of the manifest.
    pub recompressed: usize,
}

/// An image, or something else that an index can list, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrittenImage {
    /// Its names that are references with a tag.
    pub references: Vec<Reference>,
    /// Its other names, which only a layout has.
    pub labels: Vec<String>,
    /// Its kind.
    pub kind: FoundKind,
    /// The digest of the config, which is the image id in Docker's classic stores and
    /// in podman; for an index that of the image that `manifest.json` names, if any.
    pub id: Option<Digest>,
    /// The digest of the manifest or the index, which is the image id in Docker's
    /// containerd store.
    pub digest: Digest,
    /// The media type of that manifest or index.
    pub media_type: String,
    /// The platform, if known.
    pub platform: Option<Platform>,
    /// The number of layers of an image.
    pub layers: Option<usize>,
    /// Total size of its layers as stored, in bytes, without those that were left out.
    pub size: Option<u64>,
}

impl WrittenImage {
    /// The report on some content, whose layers have this total size as stored, before its
    /// names are known.
    pub(crate) fn new(content: &Content, descriptor: &Descriptor, size: u64) -> Self {
        let image = match content {
            Content::Image(image) => Some(image),
            _ => None,
        };
        let platform = image.and_then(|image| image.platform().cloned());
        Self {
            references: Vec::new(),
            labels: Vec::new(),
            kind: FoundKind::of(content),
            id: image.map(|image| image.config.digest().clone()),
            digest: descriptor.digest().clone(),
            media_type: descriptor.media_type().to_owned(),
            platform: descriptor.platform().or(platform),
            layers: image.map(|image| image.layers.len()),
            size: image.map(|_| size),
        }
    }
}

impl WriteReport {
    /// The report on an index, whose roots are described by `written`.
    pub(crate) fn new(format: Format, index: &OutputIndex, mut written: Vec<WrittenImage>) -> Self {
        // Two elements of an archive may have become one.
        let mut places: HashMap<Digest, usize> = HashMap::new();
        written.retain(|image| {
            let place = places.len();
            *places.entry(image.digest.clone()).or_insert(place) == place
        });
        for root in &index.roots {
            let Some(at) = places.get(root.descriptor.digest()) else {
                continue;
            };
            let image = &mut written[*at];
            match (&root.reference, root.descriptor.annotation(REF_NAME)) {
                (Some(reference), _) if !image.references.contains(reference) => {
                    image.references.push(reference.clone());
                }
                (None, Some(label)) => image.labels.push(label.to_owned()),
                _ => {}
            }
            if let (None, Some(named)) = (&image.id, &root.image) {
                image.id = Some(named.config.clone());
            }
        }
        Self {
            format,
            images: written,
            is_unchanged: false,
            left_out: None,
            completed: None,
        }
    }

    /// Removes names that the output did not give.
    pub(crate) fn withhold(&mut self, names: &[WithheldName]) {
        for WithheldName { name, digest } in names {
            let mut images = self.images.iter_mut();
            if let Some(image) = images.find(|it| it.digest == *digest) {
                image.references.retain(|it| it.to_string() != *name);
                image.labels.retain(|it| it != name);
            }
        }
    }

    /// Adds the images that have layers left out, with the names that they have in the
    /// report of the whole output.
    pub(crate) fn without_names_of(mut self, whole: Self) -> Self {
        let is_image = |image: &WrittenImage| image.kind.has_id();
        let images = whole.images.into_iter().filter(is_image);
        let images = images.map(|image| LeftOutImage {
            id: image.id,
            digest: image.digest,
            references: image.references,
        });
        self.left_out = Some(LeftOut {
            images: images.collect(),
            ..LeftOut::default()
        });
        self
    }
}
