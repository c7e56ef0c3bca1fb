//! The content of an input: named roots, and the graph of documents under each.

use std::collections::HashSet;
use std::fmt;

use crate::digest::{DiffId, Digest};
use crate::error::{Error, Place, Result};
use crate::format::root::Root;
use crate::format::{Container, Format, Member};
use crate::image::delta::{DELTA_KIND, is_delta};
use crate::image::media_type::{self, LayerType, is_image_config};
use crate::image::{Config, Descriptor, Document, Index, Manifest, Platform};
use crate::stream::{Compression, Hashed};

/// Images, and the container of their blobs.
pub(crate) trait ImageSource: fmt::Debug + Send + Sync {
    fn format(&self) -> Format;

    /// The container of the blobs.
    fn container(&self) -> &dyn Container;

    /// All items, with and without a name, in the input's order. An image with several
    /// names occurs several times.
    ///
    /// # Errors
    ///
    /// Fails if there are none.
    fn roots(&self) -> Result<&[Root]>;

    /// Reads the documents under a root.
    fn load(&self, root: &Root) -> Result<Content>;

    /// The source to which a root belongs, if this one joins several.
    fn owner(&self, root: &Root) -> Option<&dyn ImageSource> {
        let _ = root;
        None
    }

    /// The order in which the blobs of a partial archive are written once it is whole;
    /// empty if that is the order in the input.
    fn blob_order(&self) -> &[Digest] {
        &[]
    }

    /// The input, as messages name it, if it is one.
    fn place(&self) -> Option<&Place> {
        None
    }

    /// The `index.json` that lists the roots, if there is one. In a docker archive
    /// `manifest.json` may name more.
    fn index(&self) -> Option<&Document<Index>> {
        None
    }

    /// The `manifest.json` that lists the images, if there is one.
    fn docker_part(&self) -> Option<&DockerPart> {
        None
    }
}

/// The part of a docker archive that engines with a graph driver read.
#[derive(Clone, Debug)]
pub(crate) struct DockerPart {
    /// The bytes of `manifest.json`.
    pub manifest: Vec<u8>,
    /// The images that its elements describe, in their order.
    pub images: Vec<DockerImage>,
    /// The bytes of `repositories`.
    pub repositories: Option<Vec<u8>>,
    /// True if it is of several inputs, some of which may have none.
    pub is_joined: bool,
}

impl DockerPart {
    /// The numbers of the images that were built on one of the input that is not among
    /// these configs.
    pub(crate) fn orphans(&self, configs: &HashSet<&Digest>) -> HashSet<usize> {
        let own: HashSet<&Digest> = self.images.iter().map(|image| &image.config).collect();
        let is_lost = |parent: &Digest| own.contains(parent) && !configs.contains(parent);
        let images = self.images.iter().enumerate();
        images
            .filter(|(_, image)| image.parent.as_ref().is_some_and(is_lost))
            .map(|(at, _)| at)
            .collect()
    }
}

/// An image in `manifest.json`, without names and layers.
#[derive(Clone, Debug)]
pub(crate) struct DockerImage {
    pub config: Digest,
    /// The config of its parent image.
    pub parent: Option<Digest>,
}

/// The documents under a root, or under a descriptor of an index.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are images, and there are few"
)]
pub(crate) enum Content {
    /// An image for one platform.
    Image(Image),
    /// Several manifests, or further indexes.
    Index(Box<IndexContent>),
    /// A manifest that is not an image: an attestation, a signature, a chart.
    Artifact(Box<Artifact>),
    /// Something that the input lacks, or that is of an unknown kind.
    Opaque {
        /// The descriptor that points to it.
        descriptor: Descriptor,
        /// The blob, if the input has it.
        blob: Option<Member>,
        /// The content of the blob, if that is JSON.
        document: Option<Box<UnknownDocument>>,
    },
}

/// A blob that a document names, and its bytes if the input has it.
pub(crate) type NamedBlob = (Descriptor, Option<Member>);

/// A document of an unknown type.
#[derive(Clone, Debug)]
pub(crate) struct UnknownDocument {
    /// The document that it refers to, if it is a referrer.
    pub subject: Option<Descriptor>,
    /// The blobs to which it leads.
    pub blobs: Vec<NamedBlob>,
}

impl Content {
    /// The document that it refers to, if it is a referrer.
    pub(crate) fn subject(&self) -> Option<&Descriptor> {
        match self {
            Self::Image(image) => image.manifest.as_ref()?.view().subject.as_ref(),
            Self::Artifact(artifact) => artifact.manifest.view().subject.as_ref(),
            Self::Index(index) => index.index.view().subject.as_ref(),
            Self::Opaque { document, .. } => document.as_ref()?.subject.as_ref(),
        }
    }

    /// All images in it.
    pub(crate) fn images(&self) -> Box<dyn Iterator<Item = &Image> + '_> {
        match self {
            Self::Image(image) => Box::new(std::iter::once(image)),
            Self::Index(index) => Box::new(index.children.iter().flat_map(Self::images)),
            Self::Artifact(_) | Self::Opaque { .. } => Box::new(std::iter::empty()),
        }
    }

    /// The digests of the configs of all images in it.
    pub(crate) fn configs(&self) -> impl Iterator<Item = &Digest> {
        self.images().map(|image| image.config.digest())
    }

    /// The error of a layer that the input lacks, if there is one and no image in it has all
    /// of its layers. `name` is its name in messages.
    pub(crate) fn absence(&self, name: &str) -> Option<Error> {
        if self.images().any(Image::is_whole) {
            return None;
        }
        let mut layers = self.images().flat_map(|image| &image.layers);
        let layer = layers.find(|layer| layer.is_absent())?;
        Some(layer.absence().while_reading(layer.place(name)))
    }

    /// The kind of content with its article, for a message.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Image(_) => "an image".to_owned(),
            Self::Index(_) => "an index".to_owned(),
            Self::Artifact(artifact) => artifact.kind(),
            Self::Opaque { descriptor, .. } => format!("a `{}`", descriptor.media_type()),
        }
    }

    /// Total size of its documents, in bytes.
    pub(crate) fn document_size(&self) -> u64 {
        match self {
            Self::Image(image) => {
                image.config.size() + image.manifest.as_ref().map_or(0, Document::size)
            }
            Self::Index(index) => {
                let children = index.children.iter().map(Self::document_size);
                index.index.size() + children.sum::<u64>()
            }
            Self::Artifact(artifact) => artifact.manifest.size(),
            Self::Opaque { .. } => 0,
        }
    }
}

/// An image for one platform.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// Its manifest; a docker archive from before Docker 25 has none.
    pub manifest: Option<Document<Manifest>>,
    pub config: Document<Config>,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
    /// Annotations that an operation adds to its manifest.
    pub annotations: Vec<(String, String)>,
    /// The blobs in fields of its manifest that are unknown.
    pub others: Vec<NamedBlob>,
}

impl Image {
    /// The platform, if the config has it.
    pub(crate) fn platform(&self) -> Option<&Platform> {
        self.config.view().platform.as_ref()
    }

    /// The platform in a descriptor of it, or else in the config.
    pub(crate) fn platform_under(&self, descriptor: Option<&Descriptor>) -> Option<Platform> {
        let described = descriptor.and_then(Descriptor::platform);
        described.or_else(|| self.platform().cloned())
    }

    /// The creation time, exactly as in its config.
    pub(crate) fn created(&self) -> Option<String> {
        let config = self.config.value().ok()?;
        config["created"].as_str().map(str::to_owned)
    }

    /// Total size of its layers as stored, in bytes.
    pub(crate) fn stored_size(&self) -> u64 {
        let sizes = self.layers.iter().map(Layer::stored_size);
        sizes.fold(0, u64::saturating_add)
    }

    /// True if the input has all layers, except for those that may be elsewhere.
    pub(crate) fn is_whole(&self) -> bool {
        !self.layers.iter().any(Layer::is_absent)
    }

    /// True if an operation made any of its layers.
    pub(crate) fn has_new_layer(&self) -> bool {
        let is_new = |layer: &Layer| matches!(layer.bytes, LayerBytes::Written(_));
        self.layers.iter().any(is_new)
    }
}

/// One layer of an image.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// Its diff_id.
    pub diff_id: DiffId,
    /// Its bytes as they are stored.
    pub bytes: LayerBytes,
    /// The compression of its bytes; that in the manifest if the input lacks them.
    pub compression: Compression,
    /// Its place in the image of the input; of a new layer that of the uppermost merged
    /// one.
    pub position: LayerPosition,
    /// True if it keeps its compression, even if that of other layers changes.
    pub keeps_compression: bool,
}

/// The place of a layer in its image, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayerPosition {
    /// Its number, counted from 1, the lowest.
    pub number: usize,
    /// The number of layers in the image.
    pub count: usize,
}

impl LayerPosition {
    /// The position of the layer with this number, counted from 0, among this many.
    pub(crate) fn new(at: usize, count: usize) -> Self {
        let number = at + 1;
        Self { number, count }
    }
}

/// The place of a layer's bytes.
#[derive(Clone, Debug)]
pub(crate) enum LayerBytes {
    /// In the input.
    Input {
        blob: Member,
        /// The descriptor in the manifest, or, for a foreign layer, in `manifest.json`.
        descriptor: Option<Descriptor>,
    },
    /// In the output: an operation made the layer, and writes it itself.
    Written(Hashed),
    /// Elsewhere, which is permitted for a foreign layer, and for one with URLs.
    Elsewhere(Descriptor),
    /// Nowhere, although the input should have them.
    Missing(Descriptor),
    /// Nowhere in the input, at this place, which says that they were left out on purpose.
    LeftOut(Descriptor, Place),
    /// Left out of the output by this operation.
    Omitted {
        /// The bytes in the input.
        blob: Member,
        /// The descriptor in the output.
        descriptor: Descriptor,
    },
}

impl LayerBytes {
    /// The bytes of a layer with a descriptor, given its blob if the input has it.
    pub(crate) fn described(blob: Option<Member>, descriptor: Descriptor) -> Self {
        match blob {
            Some(blob) => Self::Input {
                blob,
                descriptor: Some(descriptor),
            },
            None if may_be_elsewhere(&descriptor) => Self::Elsewhere(descriptor),
            None => Self::Missing(descriptor),
        }
    }
}

impl Layer {
    /// Its blob, if the input has it.
    pub(crate) fn blob(&self) -> Option<&Member> {
        match &self.bytes {
            LayerBytes::Input { blob, .. } => Some(blob),
            _ => None,
        }
    }

    /// Its descriptor in the input, if it has one.
    pub(crate) fn descriptor(&self) -> Option<&Descriptor> {
        match &self.bytes {
            LayerBytes::Input { descriptor, .. } => descriptor.as_ref(),
            LayerBytes::Written(_) => None,
            LayerBytes::Elsewhere(descriptor)
            | LayerBytes::Missing(descriptor)
            | LayerBytes::LeftOut(descriptor, _)
            | LayerBytes::Omitted { descriptor, .. } => Some(descriptor),
        }
    }

    /// Its size as stored, in bytes; that in its descriptor if the input lacks it, and 0 if
    /// it was left out on purpose.
    pub(crate) fn stored_size(&self) -> u64 {
        match &self.bytes {
            LayerBytes::Input { blob, .. } => blob.size,
            LayerBytes::Written(hashed) => hashed.size,
            LayerBytes::LeftOut(..) => 0,
            LayerBytes::Elsewhere(descriptor)
            | LayerBytes::Missing(descriptor)
            | LayerBytes::Omitted { descriptor, .. } => descriptor.size(),
        }
    }

    /// True if the input should have it and does not, on purpose or not.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self.bytes, LayerBytes::Missing(_) | LayerBytes::LeftOut(..))
    }

    /// True if the input says that it was left out on purpose.
    pub(crate) fn is_left_out(&self) -> bool {
        matches!(self.bytes, LayerBytes::LeftOut(..))
    }

    /// The error for a layer whose bytes are needed, but not in the input.
    pub(crate) fn absence(&self) -> Error {
        match &self.bytes {
            LayerBytes::LeftOut(_, archive) => Error::LayerNotCarried(archive.clone()),
            _ => Error::LayerAbsent,
        }
    }

    /// The error for a blob of another size than its descriptor has. Most readers refuse
    /// such an image at once.
    pub(crate) fn wrong_size(&self) -> Option<Error> {
        let (expected, got) = (self.descriptor()?.size(), self.blob()?.size);
        (expected != got).then_some(Error::SizeMismatch { expected, got })
    }

    /// Its digest as stored, if that is known without reading it: the unpacked form of
    /// an uncompressed layer is the layer itself.
    pub(crate) fn digest(&self) -> Option<Digest> {
        if let LayerBytes::Written(hashed) = &self.bytes {
            return Some(hashed.digest.clone());
        }
        let described = self.descriptor().map(|it| it.digest().clone());
        described
            .or_else(|| (self.compression == Compression::None).then(|| self.diff_id.0.clone()))
    }

    /// True if its bytes may also be fetched from elsewhere, so that they must not
    /// change.
    pub(crate) fn may_be_elsewhere(&self) -> bool {
        self.descriptor().is_some_and(may_be_elsewhere)
    }

    /// The layer in messages, in which its image has this name.
    pub(crate) fn place(&self, image: &str) -> Place {
        Place::Layer {
            position: self.position.number,
            count: self.position.count,
            image: image.to_owned(),
        }
    }
}

/// Returns true if an archive need not contain a blob: that of a foreign layer, or one
/// with other locations.
fn may_be_elsewhere(descriptor: &Descriptor) -> bool {
    let media_type = LayerType::of(descriptor.media_type());
    descriptor.has_urls() || media_type.is_some_and(|layer| layer.is_foreign)
}

/// An index and its content.
#[derive(Clone, Debug)]
pub(crate) struct IndexContent {
    pub index: Document<Index>,
    /// The targets of its descriptors, in their order.
    pub children: Vec<Content>,
    /// The descriptors of the children, if some were left out.
    pub kept: Option<Vec<Descriptor>>,
    /// The blobs in fields of the index that are unknown.
    pub others: Vec<NamedBlob>,
}

impl IndexContent {
    /// Its children, with their descriptors in the input.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&Content, &Descriptor)> {
        self.children.iter().zip(&self.index.view().manifests)
    }
}

/// A manifest that is not an image, with its blobs.
#[derive(Clone, Debug)]
pub(crate) struct Artifact {
    pub manifest: Document<Manifest>,
    /// Its config and layers, and everything to which they and unknown fields lead, each
    /// once.
    pub blobs: Vec<NamedBlob>,
}

impl Artifact {
    /// True if it is an attestation by `BuildKit`.
    pub(crate) fn is_attestation(&self) -> bool {
        let layers = &self.manifest.view().layers;
        layers
            .iter()
            .any(|layer| layer.media_type() == media_type::IN_TOTO)
    }

    /// True if it is an image whose config the input lacks.
    pub(crate) fn is_image_without_config(&self) -> bool {
        is_image_config(self.manifest.view().config.media_type()) && !self.has_config()
    }

    /// True if the input has its config.
    fn has_config(&self) -> bool {
        let config = &self.manifest.view().config;
        let held = self
            .blobs
            .iter()
            .find(|(it, _)| it.digest() == config.digest());
        config.data().is_some() || held.is_some_and(|(_, blob)| blob.is_some())
    }

    /// Its kind, with its article, for a message.
    pub(crate) fn kind(&self) -> String {
        if self.is_attestation() {
            return "an attestation".to_owned();
        }
        let view = self.manifest.view();
        if is_delta(view) {
            return DELTA_KIND.to_owned();
        }
        let config = view.config.media_type();
        let artifact_type = view.artifact_type.as_deref();
        let mut layers = view.layers.iter().map(Descriptor::media_type);
        // A manifest with the config of an image was meant to be one.
        if artifact_type.is_none()
            && media_type::is_image_config(config)
            && let Some(unknown) = layers.find(|it| LayerType::of(it).is_none())
        {
            return format!("an artifact with a layer of the unknown type `{unknown}`");
        }
        // Only the config is missing for an image.
        if artifact_type.is_none() && media_type::is_image_config(config) {
            return "an artifact: its config has no `rootfs`".to_owned();
        }
        format!("an artifact of type `{}`", artifact_type.unwrap_or(config))
    }
}
