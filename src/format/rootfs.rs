//! A plain tar of a root filesystem, taken as an image of one layer.

use crate::digest::DiffId;
use crate::error::{Error, Result};
use crate::format::Format;
use crate::format::container::{Container, WholeStream};
use crate::format::source::{Content, Image, ImageSource, Layer, Root, Target};
use crate::image::{Config, Document, Platform, import_config, rfc3339};
use crate::stream::Compression;

/// An image that is made from a tar.
#[derive(Debug)]
pub(super) struct Rootfs {
    stream: WholeStream,
    config: Document<Config>,
    roots: [Root; 1],
}

impl Rootfs {
    /// Makes the image: one layer, whose bytes are the (unpacked) tar, and a
    /// config with nothing to run.
    pub(super) fn new(
        stream: WholeStream,
        platform: Option<&Platform>,
        created: Option<i64>,
    ) -> Result<Self> {
        let platform = platform.cloned().unwrap_or_else(Platform::host);
        let created = rfc3339(created.unwrap_or_else(|| stream.newest_mtime()));
        let diff_id = DiffId(stream.unpacked().digest.clone());
        let config = import_config(&platform, &created, &diff_id);
        let config = Document::from_value(&config).map_err(|source| Error::Document {
            what: "the config of `rootfs`".to_owned(),
            source,
        })?;
        Ok(Self {
            stream,
            config,
            roots: [Root {
                target: Target::Whole,
                descriptor: None,
                reference: None,
                label: None,
            }],
        })
    }
}

impl ImageSource for Rootfs {
    fn format(&self) -> Format {
        Format::Rootfs
    }

    fn container(&self) -> &dyn Container {
        &self.stream
    }

    fn roots(&self) -> Result<&[Root]> {
        Ok(&self.roots)
    }

    fn load(&self, _: &Root) -> Result<Content> {
        Ok(Content::Image(Image {
            manifest: None,
            config: self.config.clone(),
            layers: vec![Layer {
                diff_id: DiffId(self.stream.unpacked().digest.clone()),
                blob: Some(self.stream.member()),
                descriptor: None,
                compression: Compression::None,
            }],
        }))
    }
}
