//! The source of an image that is entirely new.

use crate::error::{Error, Result};
use crate::format::root::Root;
use crate::format::source::{Content, ImageSource};
use crate::format::{Blob, Bytes, Container, Format, Member};

/// A source without any image or blob.
#[derive(Debug)]
pub(in crate::ops) struct Nothing;

impl ImageSource for Nothing {
    fn format(&self) -> Format {
        Format::Rootfs
    }

    fn container(&self) -> &dyn Container {
        self
    }

    fn roots(&self) -> Result<&[Root]> {
        Ok(&[])
    }

    fn load(&self, _: &Root) -> Result<Content> {
        Err(Error::NoImage)
    }
}

impl Container for Nothing {
    fn find(&self, _: &str) -> Result<Option<Member>> {
        Ok(None)
    }

    fn blob<'a>(&'a self, member: &'a Member) -> Blob<'a> {
        Blob::new(member, Bytes::Memory(&[]))
    }
}
