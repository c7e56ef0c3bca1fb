//! The kinds of things that an input can hold and an index list.

use crate::format::source::Content;
use crate::image::Descriptor;

/// The kinds of things that are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FoundKind {
    /// An image for one platform.
    Image,
    /// Several images, or further indexes.
    Index,
    /// An attestation as `BuildKit` makes them.
    Attestation,
    /// A manifest that is no image: a signature, a chart.
    Artifact,
    /// An image that an index lists, and that the input does not hold.
    Absent,
    /// A blob that is none of these.
    Other,
}

impl FoundKind {
    /// Whether an engine shows it under an id.
    pub(crate) fn has_id(self) -> bool {
        matches!(self, Self::Image | Self::Index)
    }

    /// The kind of this content.
    pub(crate) fn of(content: &Content) -> Self {
        let is_unknown =
            |descriptor: &Descriptor| descriptor.platform().is_some_and(|it| it.is_unknown());
        match content {
            Content::Image(_) => Self::Image,
            Content::Index(_) => Self::Index,
            Content::Artifact(artifact) if artifact.is_attestation() => Self::Attestation,
            Content::Artifact(artifact) if artifact.is_image_without_config() => Self::Absent,
            Content::Artifact(_) => Self::Artifact,
            Content::Opaque { descriptor, .. } if is_unknown(descriptor) => Self::Attestation,
            Content::Opaque { blob: None, .. } => Self::Absent,
            Content::Opaque { .. } => Self::Other,
        }
    }
}
