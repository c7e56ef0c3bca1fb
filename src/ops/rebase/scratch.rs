//! The base that has nothing.

use crate::error::Result;
use crate::format::root::Root;
use crate::format::source::{Content, Image, ImageSource};
use crate::format::{Blob, Bytes, Container, Format, Member};
use crate::image::Document;
use crate::ops::edited::own_document;

/// An image without layers and settings, for every platform.
#[derive(Debug)]
pub(crate) struct Scratch {
    roots: [Root; 1],
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            roots: [Root {
                label: Some("scratch".to_owned()),
                ..Root::whole()
            }],
        }
    }
}

impl ImageSource for Scratch {
    fn format(&self) -> Format {
        Format::Rootfs
    }

    fn container(&self) -> &dyn Container {
        self
    }

    fn roots(&self) -> Result<&[Root]> {
        Ok(&self.roots)
    }

    fn load(&self, _: &Root) -> Result<Content> {
        let config = br#"{"config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#;
        Ok(Content::Image(Image {
            manifest: None,
            config: Document::parse(config.to_vec()).map_err(own_document)?,
            layers: Vec::new(),
            annotations: Vec::new(),
            others: Vec::new(),
        }))
    }
}

impl Container for Scratch {
    fn find(&self, _: &str) -> Result<Option<Member>> {
        Ok(None)
    }

    fn blob<'a>(&'a self, member: &'a Member) -> Blob<'a> {
        Blob::new(member, Bytes::Memory(&[]))
    }
}
