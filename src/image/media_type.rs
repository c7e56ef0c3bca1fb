//! Media types: their names and meanings.

use crate::stream::Compression;

/// An OCI image index.
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An OCI image manifest.
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An OCI image config.
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// A Docker manifest list, which corresponds to an OCI index.
pub(crate) const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// A Docker manifest, schema 2.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// A Docker image config, which is an OCI config with further fields.
pub(crate) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// An uncompressed layer.
pub(crate) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// An uncompressed layer that archives need not contain.
const OCI_FOREIGN: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";
/// An uncompressed layer in a Docker manifest.
pub(crate) const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
/// An uncompressed layer in a Docker manifest that archives need not contain.
const DOCKER_FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar";
/// A layer compressed with gzip in a Docker manifest.
pub(crate) const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// An attestation by `BuildKit`.
pub(crate) const IN_TOTO: &str = "application/vnd.in-toto+json";
/// The common prefix of the types of Docker manifests of schema 1, signed or not.
const DOCKER_SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+";

/// A family of media types, with names for the same documents and layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// `application/vnd.oci.…`
    Oci,
    /// `application/vnd.docker.…`
    Docker,
}

impl Family {
    /// The family of a media type; `None` if it belongs to neither.
    pub(crate) fn of(media_type: &str) -> Option<Self> {
        if media_type.starts_with("application/vnd.oci.") {
            return Some(Self::Oci);
        }
        let is_docker = media_type.starts_with("application/vnd.docker.");
        is_docker.then_some(Self::Docker)
    }

    /// The media type of an index.
    pub(crate) fn index(self) -> &'static str {
        match self {
            Self::Oci => OCI_INDEX,
            Self::Docker => DOCKER_INDEX,
        }
    }

    /// The media type of a manifest.
    pub(crate) fn manifest(self) -> &'static str {
        match self {
            Self::Oci => OCI_MANIFEST,
            Self::Docker => DOCKER_MANIFEST,
        }
    }

    /// The media type of an image's config.
    pub(crate) fn config(self) -> &'static str {
        match self {
            Self::Oci => OCI_CONFIG,
            Self::Docker => DOCKER_CONFIG,
        }
    }

    /// The media type of a layer with these properties; `None` if its compression has
    /// no name in the family.
    pub(crate) fn layer(self, layer: LayerType) -> Option<String> {
        let (plain, foreign, joint) = match self {
            Self::Oci => (OCI_LAYER, OCI_FOREIGN, '+'),
            Self::Docker => (DOCKER_LAYER, DOCKER_FOREIGN, '.'),
        };
        let base = if layer.is_foreign { foreign } else { plain };
        match layer.compression {
            Compression::None => Some(base.to_owned()),
            Compression::Gzip => Some(format!("{base}{joint}gzip")),
            Compression::Zstd => Some(format!("{base}{joint}zstd")),
            Compression::Xz | Compression::Bzip2 => None,
        }
    }
}

/// The kind of document that a descriptor of an index points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DocumentKind {
    /// An index, or a Docker manifest list.
    Index,
    /// A manifest.
    Manifest,
    /// A Docker manifest of schema 1, whose layers have no diff_ids.
    Schema1,
    /// An unknown type, which the specification allows.
    Other,
}

impl DocumentKind {
    /// The kind according to a descriptor's media type.
    pub(crate) fn of(media_type: &str) -> Self {
        match media_type {
            OCI_INDEX | DOCKER_INDEX => Self::Index,
            OCI_MANIFEST | DOCKER_MANIFEST => Self::Manifest,
            _ if media_type.starts_with(DOCKER_SCHEMA_1) => Self::Schema1,
            _ => Self::Other,
        }
    }
}

/// The manifest of a draft of image-spec 1.1, with blobs in place of layers.
const ARTIFACT_MANIFEST: &str = "application/vnd.oci.artifact.manifest.v1+json";
/// The manifest of ORAS from which that draft came.
const ORAS_MANIFEST: &str = "application/vnd.cncf.oras.artifact.manifest.v1+json";

/// Returns true if a document of this type lists descriptors in `blobs`, and nothing else.
pub(crate) fn is_artifact_manifest(media_type: &str) -> bool {
    matches!(media_type, ARTIFACT_MANIFEST | ORAS_MANIFEST)
}

/// Returns true if a manifest's config is that of an image, and not of another
/// artifact.
pub(crate) fn is_image_config(media_type: &str) -> bool {
    matches!(media_type, OCI_CONFIG | DOCKER_CONFIG)
}

/// Returns true if a layer's media type declares that it is encrypted (ocicrypt).
pub(crate) fn is_encrypted(media_type: &str) -> bool {
    media_type.ends_with("+encrypted")
}

/// The properties of a layer in its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayerType {
    /// The declared compression. The bytes may differ.
    pub compression: Compression,
    /// True if archives and registries need not contain it (a "foreign" or
    /// "non-distributable" layer), so that its blob may be absent.
    pub is_foreign: bool,
}

impl LayerType {
    /// A layer with this compression that archives must contain.
    pub(crate) fn new(compression: Compression) -> Self {
        Self {
            compression,
            is_foreign: false,
        }
    }

    /// Reads a layer's media type; `None` if it is not one, as with attestations.
    pub(crate) fn of(media_type: &str) -> Option<Self> {
        [
            (OCI_LAYER, false),
            (OCI_FOREIGN, true),
            (DOCKER_LAYER, false),
            (DOCKER_FOREIGN, true),
        ]
        .into_iter()
        .find_map(|(prefix, is_foreign)| {
            let compression = match media_type.strip_prefix(prefix)? {
                "" => Compression::None,
                "+gzip" | ".gzip" => Compression::Gzip,
                "+zstd" | ".zstd" => Compression::Zstd,
                _ => return None,
            };
            Some(Self {
                compression,
                is_foreign,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layer_types_of_both_families_are_known() {
        let cases = [
            (
                "application/vnd.oci.image.layer.v1.tar",
                Some((Compression::None, false)),
            ),
            (
                "application/vnd.oci.image.layer.v1.tar+gzip",
                Some((Compression::Gzip, false)),
            ),
            (
                "application/vnd.oci.image.layer.v1.tar+zstd",
                Some((Compression::Zstd, false)),
            ),
            (
                "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
                Some((Compression::Gzip, true)),
            ),
            (
                "application/vnd.docker.image.rootfs.diff.tar",
                Some((Compression::None, false)),
            ),
            (
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
                Some((Compression::Gzip, false)),
            ),
            (
                "application/vnd.docker.image.rootfs.diff.tar.zstd",
                Some((Compression::Zstd, false)),
            ),
            (
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                Some((Compression::Gzip, true)),
            ),
            ("application/vnd.in-toto+json", None),
            ("application/vnd.oci.image.layer.v1.tar+encrypted", None),
        ];
        for (text, expected) in cases {
            let layer = LayerType::of(text).map(|layer| (layer.compression, layer.is_foreign));
            assert_eq!(layer, expected, "{text}");
        }
    }

    #[test]
    fn what_a_family_has_a_name_for_is_read_back_the_same() {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            for family in [Family::Oci, Family::Docker] {
                for is_foreign in [false, true] {
                    let layer = LayerType {
                        compression,
                        is_foreign,
                    };
                    let name = family.layer(layer).unwrap();
                    assert_eq!(LayerType::of(&name), Some(layer), "{name}");
                    assert_eq!(Family::of(&name), Some(family), "{name}");
                }
            }
        }
        for family in [Family::Oci, Family::Docker] {
            for name in [family.index(), family.manifest(), family.config()] {
                assert_eq!(Family::of(name), Some(family), "{name}");
            }
        }
        assert_eq!(Family::of(IN_TOTO), None);
        let gzip = LayerType::new(Compression::Gzip);
        let name = Family::Docker.layer(gzip);
        assert_eq!(name.as_deref(), Some(DOCKER_LAYER_GZIP));
    }
}
