//! What an input holds: named roots, and the graph of documents under each.

use std::collections::HashSet;
use std::fmt;

use crate::digest::{DiffId, Digest};
use crate::error::{Place, Result};
use crate::format::root::Root;
use crate::format::{Container, Format, Member};
use crate::image::media_type::{self, LayerType, is_image_config};
use crate::image::{Config, Descriptor, Document, Index, Manifest, Platform};
use crate::stream::{Compression, Hashed};

/// Images, and the container that their blobs are in.
pub(crate) trait ImageSource: fmt::Debug + Send + Sync {
    fn format(&self) -> Format;

    /// Where the blobs are.
    fn container(&self) -> &dyn Container;

    /// All that has a name, and all that has none, in the input's order. An image
    /// with several names is there several times.
    ///
    /// # Errors
    ///
    /// Fails if there is nothing.
    fn roots(&self) -> Result<&[Root]>;

    /// Reads the documents under a root.
    fn load(&self, root: &Root) -> Result<Content>;

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
}

impl DockerPart {
    /// Which of the images were built on one of the input that is not among these
    /// configs.
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

/// An image as an element of `manifest.json` describes it, without names and layers.
#[derive(Clone, Debug)]
pub(crate) struct DockerImage {
    pub config: Digest,
    /// The config of the image that it was built on.
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
    /// A manifest that is no image: an attestation, a signature, a chart.
    Artifact(Box<Artifact>),
    /// Something that the input does not hold, or of a kind that is not known.
    Opaque {
        /// What points to it.
        descriptor: Descriptor,
        /// The blob, if it is there.
        blob: Option<Member>,
    },
}

impl Content {
    /// What it speaks of, if it is a referrer.
    pub(crate) fn subject(&self) -> Option<&Descriptor> {
        match self {
            Self::Image(image) => image.manifest.as_ref()?.view().subject.as_ref(),
            Self::Artifact(artifact) => artifact.manifest.view().subject.as_ref(),
            Self::Index(index) => index.index.view().subject.as_ref(),
            Self::Opaque { .. } => None,
        }
    }

    /// The digests of the configs of all images in it.
    pub(crate) fn configs(&self) -> Box<dyn Iterator<Item = &Digest> + '_> {
        match self {
            Self::Image(image) => Box::new(std::iter::once(image.config.digest())),
            Self::Index(index) => Box::new(index.children.iter().flat_map(Self::configs)),
            Self::Artifact(_) | Self::Opaque { .. } => Box::new(std::iter::empty()),
        }
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

    /// How many bytes its documents have.
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
    /// Its manifest; a docker archive before 25 has none.
    pub manifest: Option<Document<Manifest>>,
    pub config: Document<Config>,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
}

impl Image {
    /// The platform, where the config says it.
    pub(crate) fn platform(&self) -> Option<&Platform> {
        self.config.view().platform.as_ref()
    }

    /// The platform that a descriptor of it says, or else the config.
    pub(crate) fn platform_under(&self, descriptor: Option<&Descriptor>) -> Option<Platform> {
        let described = descriptor.and_then(Descriptor::platform);
        described.or_else(|| self.platform().cloned())
    }

    /// When it was made, as its config says it.
    pub(crate) fn created(&self) -> Option<String> {
        let config = self.config.value().ok()?;
        config["created"].as_str().map(str::to_owned)
    }

    /// How many bytes its layers have together as they are stored.
    pub(crate) fn stored_size(&self) -> u64 {
        let sizes = self.layers.iter().map(Layer::stored_size);
        sizes.fold(0, u64::saturating_add)
    }

    /// Whether all layers are there, but for those that may stay elsewhere.
    pub(crate) fn is_whole(&self) -> bool {
        let is_missing = |layer: &Layer| matches!(layer.bytes, LayerBytes::Missing(_));
        !self.layers.iter().any(is_missing)
    }

    /// Whether an operation made any of its layers.
    pub(crate) fn has_new_layer(&self) -> bool {
        let is_new = |layer: &Layer| matches!(layer.bytes, LayerBytes::Written(_));
        self.layers.iter().any(is_new)
    }
}

/// One layer of an image.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// What it unpacks to.
    pub diff_id: DiffId,
    /// Its bytes as they are stored.
    pub bytes: LayerBytes,
    /// How its bytes are compressed; what the manifest says if they are not there.
    pub compression: Compression,
    /// Its place in the image of the input; of a new layer that of the uppermost that it
    /// was made of.
    pub position: LayerPosition,
}

/// The place of a layer in its image, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayerPosition {
    /// Its number, counted from 1, the lowest.
    pub number: usize,
    /// How many layers the image has.
    pub count: usize,
}

impl LayerPosition {
    /// That of the layer with this number, counted from 0, of this many.
    pub(crate) fn new(at: usize, count: usize) -> Self {
        let number = at + 1;
        Self { number, count }
    }
}

/// The place where the bytes of a layer are.
#[derive(Clone, Debug)]
pub(crate) enum LayerBytes {
    /// In the input.
    Input {
        blob: Member,
        /// The descriptor in the manifest, or, of a foreign layer, in `manifest.json`.
        descriptor: Option<Descriptor>,
    },
    /// In the output: an operation made the layer, and writes it itself.
    Written(Hashed),
    /// Outside, as is allowed of a foreign layer, and of one that says where it can be
    /// fetched.
    Elsewhere(Descriptor),
    /// Nowhere, although the input should hold them.
    Missing(Descriptor),
}

impl LayerBytes {
    /// The bytes of a layer with a descriptor, given its blob if the input holds it.
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
    /// Its blob, if the input holds it.
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
            LayerBytes::Elsewhere(descriptor) | LayerBytes::Missing(descriptor) => Some(descriptor),
        }
    }

    /// How many bytes it has as it is stored.
    pub(crate) fn stored_size(&self) -> u64 {
        match &self.bytes {
            LayerBytes::Input { blob, .. } => blob.size,
            LayerBytes::Written(hashed) => hashed.size,
            LayerBytes::Elsewhere(descriptor) | LayerBytes::Missing(descriptor) => {
                descriptor.size()
            }
        }
    }

    /// Its digest as it is stored, if that is known without reading it: a plain layer is
    /// its own unpacked form.
    pub(crate) fn digest(&self) -> Option<Digest> {
        if let LayerBytes::Written(hashed) = &self.bytes {
            return Some(hashed.digest.clone());
        }
        let described = self.descriptor().map(|it| it.digest().clone());
        described
            .or_else(|| (self.compression == Compression::None).then(|| self.diff_id.0.clone()))
    }

    /// Whether its bytes are what somebody may fetch from elsewhere, so that they must
    /// not change.
    pub(crate) fn may_be_elsewhere(&self) -> bool {
        self.descriptor().is_some_and(may_be_elsewhere)
    }

    /// The layer in a message, which calls its image so.
    pub(crate) fn place(&self, image: &str) -> Place {
        Place::Layer {
            position: self.position.number,
            count: self.position.count,
            image: image.to_owned(),
        }
    }
}

/// Whether a blob may stay outside of the archive: that of a foreign layer, or one with
/// other places to get it from.
fn may_be_elsewhere(descriptor: &Descriptor) -> bool {
    let media_type = LayerType::of(descriptor.media_type());
    descriptor.has_urls() || media_type.is_some_and(|layer| layer.is_foreign)
}

/// An index, and what is under it.
#[derive(Clone, Debug)]
pub(crate) struct IndexContent {
    pub index: Document<Index>,
    /// What its descriptors point to, in their order.
    pub children: Vec<Content>,
    /// The descriptors of the children, where some were left out.
    pub kept: Option<Vec<Descriptor>>,
}

impl IndexContent {
    /// What it lists, with the descriptors that it had in the input.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&Content, &Descriptor)> {
        self.children.iter().zip(&self.index.view().manifests)
    }
}

/// A manifest that is no image, with its blobs.
#[derive(Clone, Debug)]
pub(crate) struct Artifact {
    pub manifest: Document<Manifest>,
    /// Its config and layers, each once, and their bytes if the input holds them.
    pub blobs: Vec<(Descriptor, Option<Member>)>,
}

impl Artifact {
    /// Whether it is an attestation as `BuildKit` makes them.
    pub(crate) fn is_attestation(&self) -> bool {
        let layers = &self.manifest.view().layers;
        layers
            .iter()
            .any(|layer| layer.media_type() == media_type::IN_TOTO)
    }

    /// Whether it is an image, of which the input does not hold the config.
    pub(crate) fn is_image_without_config(&self) -> bool {
        is_image_config(self.manifest.view().config.media_type()) && !self.has_config()
    }

    /// Whether the input holds its config.
    fn has_config(&self) -> bool {
        let config = &self.manifest.view().config;
        let held = self
            .blobs
            .iter()
            .find(|(it, _)| it.digest() == config.digest());
        config.data().is_some() || held.is_some_and(|(_, blob)| blob.is_some())
    }

    /// What it is, with its article, for a message.
    pub(crate) fn kind(&self) -> String {
        if self.is_attestation() {
            return "an attestation".to_owned();
        }
        let view = self.manifest.view();
        let config = view.config.media_type();
        let artifact_type = view.artifact_type.as_deref();
        let mut layers = view.layers.iter().map(Descriptor::media_type);
        // A manifest with the config of an image was meant as one.
        if artifact_type.is_none()
            && media_type::is_image_config(config)
            && let Some(unknown) = layers.find(|it| LayerType::of(it).is_none())
        {
            return format!("an artifact with a layer of the unknown type `{unknown}`");
        }
        // Nothing else is missing for an image.
        if artifact_type.is_none() && media_type::is_image_config(config) {
            return "an artifact: its config has no `rootfs`".to_owned();
        }
        format!("an artifact of type `{}`", artifact_type.unwrap_or(config))
    }
}
