//! The chosen item, loaded: a whole image, or a part of an index.

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::event::{Warning, Watch};
use crate::format::absence;
use crate::format::source::{Content, ImageSource, IndexContent};
use crate::image::Descriptor;
use crate::ops::choose::selector::Selection;
use crate::transfer::item::TransferItem;

/// Loads the one item that was chosen.
///
/// A part of an index keeps the names of the index, if the part is an image or an
/// index; a warning reports that its attestations are left out.
pub(in crate::ops) fn load_chosen<'a>(
    source: &dyn ImageSource,
    selection: Selection<'a>,
    watch: &Watch<'_>,
) -> Result<TransferItem<'a>> {
    let item = TransferItem::load(source, selection.roots)?;
    match selection.part {
        Some(part) => part_of(item, &part, watch),
        None => Ok(item),
    }
}

/// Extracts a part of an index.
fn part_of<'a>(
    whole: TransferItem<'a>,
    part: &Digest,
    watch: &Watch<'_>,
) -> Result<TransferItem<'a>> {
    let mut left_out = whole.digests();
    let Content::Index(index) = whole.content else {
        return Err(Error::NoImage);
    };
    let is_attested = has_attestation(&index, part);
    let (content, descriptor) = find_part(*index, part).ok_or(Error::NoImage)?;
    if let Some(absence) = absence(&content, &whole.name) {
        return Err(absence);
    }
    let is_image = matches!(content, Content::Image(_) | Content::Index(_));
    if is_attested && is_image {
        watch.warn(Warning::LeftOut {
            what: "the attestations".to_owned(),
            name: whole.name.clone(),
            reason: "only one manifest of its index was chosen",
        });
    }
    let mut item = TransferItem {
        name: format!("{}@{part}", whole.name),
        descriptor: Some(descriptor),
        content,
        left_out: Vec::new(),
        roots: whole.roots,
    };
    // An attestation or a signature was chosen as such.
    if is_image {
        let kept = item.digests();
        left_out.retain(|digest| !kept.contains(digest));
        item.left_out = left_out;
    }
    Ok(item)
}

/// Returns true if an index has an attestation of one of its parts.
fn has_attestation(index: &IndexContent, part: &Digest) -> bool {
    let descriptors = &index.index.view().manifests;
    let is_attested = |it: &Descriptor| it.attested().as_ref() == Some(part);
    descriptors.iter().any(is_attested)
        || index.children.iter().any(|child| match child {
            Content::Index(index) => has_attestation(index, part),
            _ => false,
        })
}

/// Extracts a part of an index, at any depth.
fn find_part(index: IndexContent, part: &Digest) -> Option<(Content, Descriptor)> {
    let descriptors = index.index.view().manifests.clone();
    let mut children = index.children.into_iter().zip(descriptors);
    children.find_map(|(child, descriptor)| match child {
        child if descriptor.digest() == part => Some((child, descriptor)),
        Content::Index(index) => find_part(*index, part),
        _ => None,
    })
}
