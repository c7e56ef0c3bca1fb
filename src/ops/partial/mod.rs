//! Partial archives: `convert --without` leaves out layers that the other side has, and
//! `convert --with` puts them back.

pub(in crate::ops) mod complete;
pub(crate) mod inventory;
pub(in crate::ops) mod leave_out;

use std::io;

use crate::digest::{Algorithm, DiffId, Digest};
use crate::error::{Error, Result};
use crate::event::Watch;
use crate::format::Container;
use crate::format::source::{Content, Image, Layer};
use crate::stream::copy;
use crate::transfer::blob_job::BlobJob;
use crate::transfer::read::{hashes, open};

/// Identifies a layer together with all layers below it, as Docker's chain id does: the
/// stores of engines know a layer only on top of those.
#[derive(Clone, Debug, Default)]
struct Chain(Option<Digest>);

impl Chain {
    /// Adds the next layer, and returns the identity of the chain with it.
    fn push(&mut self, diff_id: &DiffId) -> Digest {
        let next = match &self.0 {
            None => diff_id.0.clone(),
            Some(below) => Digest::of(format!("{below} {diff_id}").as_bytes()),
        };
        self.0 = Some(next.clone());
        next
    }
}

/// The digest of a layer as it is stored. Old docker archives do not have those of
/// compressed layers, which must be read for it.
fn stored_digest(
    layer: &Layer,
    name: &str,
    container: &dyn Container,
    watch: Watch<'_>,
) -> Result<Option<Digest>> {
    let (digest, blob) = (layer.digest(), layer.blob());
    let (None, Some(blob)) = (&digest, blob) else {
        return Ok(digest);
    };
    let job = BlobJob::new(blob, layer.place(name));
    let mut stream = open(container, &job, watch.silent())?;
    stream.hash(Algorithm::Sha256).map_err(Error::Thread)?;
    let place = &job.place;
    copy(&mut stream, &mut io::sink(), &watch)
        .map_err(|error| Error::copy(place.clone(), place.clone(), error))?;
    let (stored, ..) = hashes(&job, stream)?;
    Ok(Some(stored.digest))
}

/// All images in some content.
fn images_of<'a>(content: &'a Content, images: &mut Vec<&'a Image>) {
    match content {
        Content::Image(image) => images.push(image),
        Content::Index(index) => index.children.iter().for_each(|it| images_of(it, images)),
        Content::Artifact(_) | Content::Opaque { .. } => {}
    }
}

/// All images in some content, to be changed.
fn images_of_mut<'a>(content: &'a mut Content, images: &mut Vec<&'a mut Image>) {
    match content {
        Content::Image(image) => images.push(image),
        Content::Index(index) => {
            let children = index.children.iter_mut();
            children.for_each(|child| images_of_mut(child, images));
        }
        Content::Artifact(_) | Content::Opaque { .. } => {}
    }
}
