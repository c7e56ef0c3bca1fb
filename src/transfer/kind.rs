//! The kinds of things that an input can contain or an index can list.

use crate::format::source::Content;
use crate::image::Descriptor;

/// The kind of something in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FoundKind {
    /// An image for one platform.
    Image,
    /// Several images, or other indexes.
    Index,
    /// An attestation by `BuildKit`.
    Attestation,
    /// A manifest that is not an image: a signature, a chart.
    Artifact,
    /// An image that an index lists, but that the input lacks.
    Absent,
    /// A blob of any other kind.
    Other,
}

impl FoundKind {
    /// True if an engine shows it with an id.
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
