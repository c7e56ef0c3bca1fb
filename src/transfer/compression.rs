//! How layers are compressed in the output.

use crate::format::Format;
use crate::format::source::{Image, Layer};
use crate::image::media_type::{Family, OCI_INDEX, OCI_MANIFEST};
use crate::image::{Descriptor, Index, Manifest};
use crate::stream::{Compression, Encoding};

/// What to do with the compression of layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompressionChoice {
    /// Leave it, so that a layer's bytes and its digest stay.
    #[default]
    Keep,
    /// Change it.
    To {
        /// What it shall be.
        encoding: Encoding,
        /// Whether layers that are so already are compressed once more.
        always: bool,
    },
}

/// Which family of media types documents and layers get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MediaTypes {
    /// Those that they have; OCI's in a manifest that changes for another reason.
    #[default]
    Keep,
    /// OCI's.
    Oci,
    /// Docker's.
    Docker,
}

/// The encoding of a layer that should stay compressed as it is, where the format has a
/// name for that.
pub(crate) fn kept(compression: Compression, format: Option<Format>) -> Encoding {
    match compression {
        Compression::None => Encoding::Plain,
        Compression::Gzip => Encoding::Gzip(None),
        Compression::Xz | Compression::Bzip2 if format == Some(Format::DockerArchive) => {
            Encoding::Gzip(None)
        }
        Compression::Zstd | Compression::Xz | Compression::Bzip2 => Encoding::Zstd(None),
    }
}

/// How layers get into the output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompressionPolicy {
    compress: CompressionChoice,
    format: Format,
    media_types: MediaTypes,
}

impl CompressionPolicy {
    pub(crate) fn new(compress: CompressionChoice, format: Format) -> Self {
        Self {
            compress,
            format,
            media_types: MediaTypes::Keep,
        }
    }

    /// With media types of this family.
    pub(crate) fn with_media_types(self, media_types: MediaTypes) -> Self {
        Self {
            media_types,
            ..self
        }
    }

    /// The media types of a document that is made or changed.
    pub(crate) fn family(self) -> Family {
        match self.media_types {
            MediaTypes::Keep | MediaTypes::Oci => Family::Oci,
            MediaTypes::Docker => Family::Docker,
        }
    }

    /// Whether all media types of a new document are those of the family.
    pub(crate) fn relabels(self) -> bool {
        self.media_types != MediaTypes::Keep
    }

    /// Whether a manifest has media types of another family than the wanted one.
    fn renames(self, manifest: &Manifest) -> bool {
        let own = manifest.media_type.as_deref().unwrap_or(OCI_MANIFEST);
        let layers = manifest.layers.iter().map(Descriptor::media_type);
        let mut all = layers.chain([own, manifest.config.media_type()]);
        self.relabels() && all.any(|it| Family::of(it) != Some(self.family()))
    }

    /// Whether an index has a media type of another family than the wanted one.
    pub(crate) fn changes_index(self, index: &Index) -> bool {
        let own = index.media_type.as_deref().unwrap_or(OCI_INDEX);
        self.relabels() && Family::of(own) != Some(self.family())
    }

    /// How a layer's compression changes, if it does.
    ///
    /// OCI has no media type for xz and bzip2, so these never stay: they become
    /// zstd, or gzip in a docker archive, which every Docker can load. Layers
    /// that may be fetched from elsewhere stay as they are there.
    pub(crate) fn encoding(self, layer: &Layer) -> Option<Encoding> {
        if layer.blob().is_none() || layer.may_be_elsewhere() {
            return None;
        }
        match self.compress {
            CompressionChoice::To { encoding, always } => {
                let is_so = encoding.compression() == layer.compression;
                (always || !is_so).then_some(encoding)
            }
            CompressionChoice::Keep => {
                let kept = kept(layer.compression, Some(self.format));
                Some(kept).filter(|it| it.compression() != layer.compression)
            }
        }
    }

    /// How a layer is compressed in the output.
    pub(crate) fn compression(self, layer: &Layer) -> Compression {
        self.encoding(layer)
            .map_or(layer.compression, Encoding::compression)
    }

    /// Whether any layer is compressed with zstd in the output.
    pub(crate) fn has_zstd(self, image: &Image) -> bool {
        let mut layers = image.layers.iter();
        layers.any(|layer| self.compression(layer) == Compression::Zstd)
    }

    pub(crate) fn changes(self, image: &Image) -> bool {
        let manifest = image.manifest.as_ref();
        let mut layers = image.layers.iter();
        layers.any(|layer| self.encoding(layer).is_some())
            || manifest.is_some_and(|manifest| self.renames(manifest.view()))
    }
}
