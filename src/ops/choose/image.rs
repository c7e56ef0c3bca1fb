//! The one image that an operation works on.

use crate::digest::Digest;
use crate::error::{ChoiceError, Error, Place, Result};
use crate::event::Watch;
use crate::format::root::{Root, targets, with_target_of};
use crate::format::source::{Artifact, Content, Image, ImageSource};
use crate::image::media_type::is_encrypted;
use crate::image::{Descriptor, Reference};
use crate::ops::Selector;
use crate::ops::choose::item::load_chosen;
use crate::ops::choose::platform::{PlatformChoice, select_platform};
use crate::ops::choose::selector::{Selection, candidates, select};
use crate::transfer::Context;
use crate::transfer::item::TransferItem;

/// An image for one platform, and its place in the input.
#[derive(Debug)]
pub(in crate::ops) struct ChosenImage<'a> {
    /// Its name in messages.
    pub(in crate::ops) name: String,
    /// The image.
    pub(in crate::ops) image: Image,
    /// The descriptor that points to it, if it is a blob.
    pub(in crate::ops) descriptor: Option<Descriptor>,
    /// Digests of the indexes that contain it, and of their other images.
    pub(in crate::ops) left: Vec<Digest>,
    /// Its names in the input.
    pub(in crate::ops) roots: Vec<&'a Root>,
}

impl ChosenImage<'_> {
    /// Its names that are references with a tag.
    pub(in crate::ops) fn references(&self) -> Vec<Reference> {
        let roots = self.roots.iter();
        roots.filter_map(|root| root.reference.clone()).collect()
    }

    /// Its other names, which only a layout has.
    pub(in crate::ops) fn labels(&self) -> Vec<String> {
        let roots = self.roots.iter().filter(|root| root.reference.is_none());
        roots.filter_map(|root| root.label.clone()).collect()
    }

    /// The descriptor of its manifest, if the input has one.
    pub(in crate::ops) fn manifest(&self) -> Option<&Descriptor> {
        let descriptor = self.descriptor.as_ref();
        descriptor.filter(|_| self.image.manifest.is_some())
    }
}

/// Finds the image to work on: the one that `selector` names, or the only one; if it is
/// for several platforms, the host's unless `reason` names another.
///
/// # Errors
///
/// Fails if there are several images and none is named, or if the named thing is not an
/// image.
pub(in crate::ops) fn choose_image<'a>(
    source: &'a dyn ImageSource,
    selector: Option<&Selector>,
    reason: PlatformChoice<'_>,
    context: Context<'_>,
) -> Result<ChosenImage<'a>> {
    let watch = match reason {
        PlatformChoice::OneImage => context.watch,
        _ => context.watch.silent(),
    };
    let item = choose_item(source, selector, &watch)?;
    let item = select_platform(item, reason, &context.watch)?;
    let Content::Image(image) = item.content else {
        return Err(Error::NoImage);
    };
    Ok(ChosenImage {
        name: item.name,
        image,
        descriptor: item.descriptor,
        left: item.left_out,
        roots: item.roots,
    })
}

/// Finds the image to work on as [`choose_image`] does, but for all of its platforms.
pub(in crate::ops) fn choose_item<'a>(
    source: &'a dyn ImageSource,
    selector: Option<&Selector>,
    watch: &Watch<'_>,
) -> Result<TransferItem<'a>> {
    let selection = match selector {
        Some(_) => select(source, selector)?,
        None => Selection::whole(only_image(source)?),
    };
    let item = load_chosen(source, selection, watch)?;
    if let Content::Artifact(artifact) = &item.content {
        refuse_encrypted(artifact, &item.name)?;
    }
    if !matches!(item.content, Content::Image(_) | Content::Index(_)) {
        let (name, kind) = (item.name, item.content.kind());
        return Err(ChoiceError::ArtifactChosen { name, kind }.into());
    }
    Ok(item)
}

/// Refuses an image with encrypted layers (ocicrypt), which cannot be used as an image
/// without the key.
fn refuse_encrypted(artifact: &Artifact, name: &str) -> Result<()> {
    let layers = &artifact.manifest.view().layers;
    let is_encrypted = |layer: &Descriptor| is_encrypted(layer.media_type());
    let Some(at) = layers.iter().position(is_encrypted) else {
        return Ok(());
    };
    Err(Error::LayerEncrypted.while_reading(Place::Layer {
        position: at + 1,
        count: layers.len(),
        image: name.to_owned(),
    }))
}

/// The roots of the only image. Referrers and things other than images are ignored.
fn only_image(source: &dyn ImageSource) -> Result<Vec<&Root>> {
    let roots: Vec<&Root> = source.roots()?.iter().collect();
    let targets = targets(&roots);
    if targets.len() == 1 {
        return Ok(roots);
    }
    let mut images = Vec::new();
    for target in targets {
        let is_image = match TransferItem::load(source, vec![target]) {
            // It may be the wanted one.
            Err(error) if error.absence().is_some() => true,
            item => {
                let item = item?;
                let is_image = matches!(item.content, Content::Image(_) | Content::Index(_));
                is_image && !item.is_referrer()
            }
        };
        if is_image {
            images.push(target);
        }
    }
    match images.as_slice() {
        [] => Err(Error::NoImage),
        [only] => Ok(with_target_of(&roots, only)),
        several => Err(ChoiceError::OneImage {
            input: source.place().cloned(),
            count: several.len(),
            have: candidates(source, several, &roots),
        }
        .into()),
    }
}
