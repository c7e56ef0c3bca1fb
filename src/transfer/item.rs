//! A single item to deliver to an output.

use crate::digest::Digest;
use crate::error::{ChoiceError, Error, Result};
use crate::format::root::Root;
use crate::format::source::{Content, ImageSource};
use crate::image::Descriptor;

/// One item to deliver to the output, under all of its names.
#[derive(Debug)]
pub(crate) struct TransferItem<'a> {
    /// Its name in messages.
    pub(crate) name: String,
    /// The descriptor that points to it, if it is a blob.
    pub(crate) descriptor: Option<Descriptor>,
    /// Its content.
    pub(crate) content: Content,
    /// Digests of the parts that were left out of it.
    pub(crate) left_out: Vec<Digest>,
    /// Its names in the input.
    pub(crate) roots: Vec<&'a Root>,
}

impl<'a> TransferItem<'a> {
    /// An item with this content under these roots, which are names of the same thing.
    pub(crate) fn new(content: Content, roots: Vec<&'a Root>) -> Self {
        Self {
            name: roots[0].display_name(),
            descriptor: roots[0].descriptor.clone(),
            content,
            left_out: Vec::new(),
            roots,
        }
    }

    /// Loads the content under these roots.
    pub(crate) fn load(source: &dyn ImageSource, roots: Vec<&'a Root>) -> Result<Self> {
        Ok(Self::new(source.load(roots[0])?, roots))
    }

    /// True if there is an image in it.
    pub(crate) fn has_image(&self) -> bool {
        self.content.configs().next().is_some()
    }

    /// The error for items of which none is an image.
    pub(crate) fn no_image(items: &[Self]) -> Error {
        match items {
            [only] => Error::Choice(ChoiceError::ArtifactChosen {
                name: only.name.clone(),
                kind: only.content.kind(),
            }),
            _ => Error::NoImage,
        }
    }

    /// True if it refers to something else, as a signature does.
    pub(crate) fn is_referrer(&self) -> bool {
        self.content.subject().is_some()
    }

    /// True if it is a part of an index that is not an image, and so must not get the
    /// names of its roots, which are those of an image.
    pub(crate) fn is_nameless_part(&self) -> bool {
        let is_image = matches!(self.content, Content::Image(_) | Content::Index(_));
        let digest = self.descriptor.as_ref().map(Descriptor::digest);
        !is_image && digest != self.roots[0].target_digest()
    }

    /// The digests of all manifests and indexes in it.
    pub(crate) fn digests(&self) -> Vec<Digest> {
        let mut digests = Vec::new();
        collect_digests(&self.content, self.descriptor.as_ref(), &mut digests);
        digests
    }
}

/// Collects the digests of a manifest, or of an index and everything in it.
pub(crate) fn collect_digests(
    content: &Content,
    descriptor: Option<&Descriptor>,
    digests: &mut Vec<Digest>,
) {
    digests.extend(descriptor.map(|descriptor| descriptor.digest().clone()));
    if let Content::Index(index) = content {
        for (child, descriptor) in index.parts() {
            collect_digests(child, Some(descriptor), digests);
        }
    }
}
