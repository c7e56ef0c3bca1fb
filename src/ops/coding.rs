//! How layers are compressed in the output.

use crate::format::Format;
use crate::format::source::{Image, Layer};
use crate::stream::{Compression, Recoding};

/// What to do with the compression of layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compress {
    /// Leave it, so that a layer's bytes and its digest stay.
    #[default]
    Keep,
    /// Change it.
    To {
        /// What it shall be.
        recoding: Recoding,
        /// Whether layers that are so already are compressed once more.
        always: bool,
    },
}

/// How layers get into the output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coding {
    compress: Compress,
    format: Format,
}

impl Coding {
    pub(super) fn new(compress: Compress, format: Format) -> Self {
        Self { compress, format }
    }

    /// How a layer's compression changes, if it does.
    ///
    /// OCI has no media type for xz and bzip2, so these never stay: they become
    /// zstd, or gzip in a docker archive, which every Docker can load. Layers
    /// that may be fetched from elsewhere stay as they are there.
    pub(super) fn recoding(self, layer: &Layer) -> Option<Recoding> {
        if layer.blob.is_none() || layer.may_be_absent() {
            return None;
        }
        match self.compress {
            Compress::To { recoding, always } => {
                let is_so = recoding.compression() == layer.compression;
                (always || !is_so).then_some(recoding)
            }
            Compress::Keep => match layer.compression {
                Compression::None | Compression::Gzip | Compression::Zstd => None,
                Compression::Xz | Compression::Bzip2 if self.format == Format::DockerArchive => {
                    Some(Recoding::Gzip(None))
                }
                Compression::Xz | Compression::Bzip2 => Some(Recoding::Zstd(None)),
            },
        }
    }

    pub(super) fn changes(self, image: &Image) -> bool {
        image
            .layers
            .iter()
            .any(|layer| self.recoding(layer).is_some())
    }
}
