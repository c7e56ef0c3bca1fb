//! The compression of layers in the output.

use crate::format::Format;
use crate::format::source::{Image, Layer};
use crate::image::media_type::{Family, OCI_INDEX, OCI_MANIFEST};
use crate::image::{Descriptor, Index, Manifest};
use crate::stream::{Compression, Encoding};

/// The compression of layers in the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompressionChoice {
    /// Keep the compression, so that a layer's bytes and its digest are unchanged.
    #[default]
    Keep,
    /// Change the compression.
    To {
        /// The new encoding.
        encoding: Encoding,
        /// True to recompress layers that already have this compression.
        always: bool,
    },
}

/// The family of media types for documents and layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MediaTypes {
    /// Keep the media types; OCI's in a manifest that changes for another reason.
    #[default]
    Keep,
    /// OCI's media types.
    Oci,
    /// Docker's media types.
    Docker,
}

/// The encoding of a layer that should keep its compression, if the format has a name
/// for that.
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

/// The rules for layers in the output.
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

    /// Adds the choice of media types.
    pub(crate) fn with_media_types(self, media_types: MediaTypes) -> Self {
        Self {
            media_types,
            ..self
        }
    }

    /// The media types of a document that is new or changed.
    pub(crate) fn family(self) -> Family {
        match self.media_types {
            MediaTypes::Keep | MediaTypes::Oci => Family::Oci,
            MediaTypes::Docker => Family::Docker,
        }
    }

    /// True if all media types of a new document are those of the family.
    pub(crate) fn relabels(self) -> bool {
        self.media_types != MediaTypes::Keep
    }

    /// True if a manifest has media types of a family other than the wanted one.
    fn renames(self, manifest: &Manifest) -> bool {
        let own = manifest.media_type.as_deref().unwrap_or(OCI_MANIFEST);
        let layers = manifest.layers.iter().map(Descriptor::media_type);
        let mut all = layers.chain([own, manifest.config.media_type()]);
        self.relabels() && all.any(|it| Family::of(it) != Some(self.family()))
    }

    /// True if an index has a media type of a family other than the wanted one.
    pub(crate) fn changes_index(self, index: &Index) -> bool {
        let own = index.media_type.as_deref().unwrap_or(OCI_INDEX);
        self.relabels() && Family::of(own) != Some(self.family())
    }

    /// The new encoding of a layer, if it changes.
    ///
    /// OCI has no media type for xz and bzip2, so these are never kept: they become
    /// zstd, or gzip in a docker archive, which every Docker can load. Layers that may
    /// be fetched from elsewhere are not changed.
    pub(crate) fn encoding(self, layer: &Layer) -> Option<Encoding> {
        if layer.blob().is_none() || layer.may_be_elsewhere() {
            return None;
        }
        let compress = if layer.keeps_compression {
            CompressionChoice::Keep
        } else {
            self.compress
        };
        match compress {
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

    /// The compression of a layer in the output.
    pub(crate) fn compression(self, layer: &Layer) -> Compression {
        self.encoding(layer)
            .map_or(layer.compression, Encoding::compression)
    }

    /// True if any layer is compressed with zstd in the output.
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
