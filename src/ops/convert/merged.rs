//! The same image from several sources, or selected several times.

use std::collections::{HashMap, HashSet};

use crate::digest::Digest;
use crate::format::root::Root;
use crate::format::source::{Content, ImageSource};
use crate::transfer::item::TransferItem;

/// Merges items that are the same, with all their names: by the digest of the manifest
/// or index, and across sources by the image id, if one has no manifest.
pub(super) fn merge_same<'a>(source: &dyn ImageSource, items: &mut Vec<TransferItem<'a>>) {
    let mut merged: Vec<TransferItem<'a>> = Vec::new();
    let mut by_digest: HashMap<Digest, usize> = HashMap::new();
    for mut item in items.drain(..) {
        let digest = item.descriptor.as_ref().map(|it| it.digest().clone());
        let same = digest.as_ref().and_then(|it| by_digest.get(it)).copied();
        let same = same.or_else(|| merged.iter().position(|it| is_same(source, it, &item)));
        let at = same.unwrap_or(merged.len());
        by_digest.extend(digest.map(|digest| (digest, at)));
        if let Some(held) = merged.get_mut(at) {
            // One with all layers rather than one with a manifest.
            let worth = |item: &TransferItem<'_>| {
                let is_whole = item.content.absence(&item.name).is_none();
                (is_whole, item.descriptor.is_some())
            };
            if worth(held) < worth(&item) {
                std::mem::swap(held, &mut item);
            }
            held.roots.extend(item.roots);
        } else {
            merged.push(item);
        }
    }
    *items = merged;
    for item in items {
        remove_repeated(source, &mut item.roots);
    }
}

/// True if two sources have the same image, and one of them has no manifest for it.
fn is_same(source: &dyn ImageSource, one: &TransferItem<'_>, other: &TransferItem<'_>) -> bool {
    let (Content::Image(image), Content::Image(twin)) = (&one.content, &other.content) else {
        return false;
    };
    (image.manifest.is_none() || twin.manifest.is_none())
        && image.config.digest() == twin.config.digest()
        && !have_one_owner(source, one.roots[0], other.roots[0])
}

/// True if two roots are of one source.
pub(super) fn have_one_owner(source: &dyn ImageSource, one: &Root, other: &Root) -> bool {
    match (source.owner(one), source.owner(other)) {
        (Some(one), Some(other)) => std::ptr::addr_eq(one, other),
        _ => true,
    }
}

/// Removes the names of an image that another source has already given it.
fn remove_repeated(source: &dyn ImageSource, roots: &mut Vec<&Root>) {
    let mut seen = HashSet::new();
    roots.retain(|root| seen.insert(std::ptr::from_ref(*root)));
    let name = |root: &Root| {
        let label = root.label.clone();
        let label = label.filter(|_| root.reference.is_none());
        (root.reference.clone(), label)
    };
    let all = roots.clone();
    let is_repeated = |at: usize, root: &Root| {
        let own = name(root);
        let is_nameless = own == (None, None);
        let mut others = all.iter().enumerate();
        others.any(|(place, other)| {
            let has_name = is_nameless && name(other) != own;
            (has_name || (place < at && name(other) == own)) && !have_one_owner(source, root, other)
        })
    };
    let mut at = 0;
    roots.retain(|root| {
        at += 1;
        !is_repeated(at - 1, root)
    });
}
