//! The report of an operation on the images that it has written.

use std::collections::HashMap;

use crate::digest::Digest;
use crate::format::Format;
use crate::format::sink::OutputIndex;
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
    /// Total size of its layers as stored, in bytes.
    pub size: Option<u64>,
}

impl WrittenImage {
    /// The report on some content, whose layers have these descriptors, before its
    /// names are known.
    pub(crate) fn new(content: &Content, descriptor: &Descriptor, layers: &[Descriptor]) -> Self {
        let image = match content {
            Content::Image(image) => Some(image),
            _ => None,
        };
        let size = |sum: u64, layer: &Descriptor| sum.saturating_add(layer.size());
        let platform = image.and_then(|image| image.platform().cloned());
        Self {
            references: Vec::new(),
            labels: Vec::new(),
            kind: FoundKind::of(content),
            id: image.map(|image| image.config.digest().clone()),
            digest: descriptor.digest().clone(),
            media_type: descriptor.media_type().to_owned(),
            platform: descriptor.platform().or(platform),
            layers: image.map(|_| layers.len()),
            size: image.map(|_| layers.iter().fold(0, size)),
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
        }
    }
}
