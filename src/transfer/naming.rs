//! The names of images in the output.

use std::collections::HashMap;

use crate::event::{Warning, Watch};
use crate::format::sink::OutputIndex;
use crate::image::{CONTAINERD_NAME, Descriptor, REF_NAME, Reference};

/// A name for the image in an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A reference.
    Reference(Reference),
    /// A name in a layout that is not a reference with a tag, written literally.
    Label(String),
}

/// A copy of the descriptor for each of these names, or one without a name.
pub(crate) fn named(
    descriptor: &Descriptor,
    names: &[Name],
) -> Vec<(Descriptor, Option<Reference>)> {
    let mut distinct: Vec<&Name> = Vec::new();
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    if distinct.is_empty() {
        return vec![with_label(descriptor, None)];
    }
    let under = |name: &Name| match name {
        Name::Reference(reference) => with_reference(descriptor, reference),
        Name::Label(label) => with_label(descriptor, Some(label)),
    };
    distinct.into_iter().map(under).collect()
}

/// Names a descriptor for all readers: skopeo and podman use the reference as
/// originally written, containerd and Docker the full one.
pub(crate) fn with_reference(
    descriptor: &Descriptor,
    reference: &Reference,
) -> (Descriptor, Option<Reference>) {
    let named = descriptor
        .clone()
        .with_annotation(REF_NAME, Some(reference.written()))
        .with_annotation(CONTAINERD_NAME, Some(reference.full()));
    (named, Some(reference.clone()))
}

pub(crate) fn with_label(
    descriptor: &Descriptor,
    label: Option<&str>,
) -> (Descriptor, Option<Reference>) {
    let named = descriptor
        .clone()
        .with_annotation(REF_NAME, label.map(str::to_owned))
        .with_annotation(CONTAINERD_NAME, None);
    (named, None)
}

/// If two images have the same reference, leaves it to the later one, as `docker load`
/// does.
pub(crate) fn remove_repeated(index: &mut OutputIndex, watch: &Watch<'_>) {
    let mut claimed: HashMap<&Reference, &Descriptor> = HashMap::new();
    let mut repeated = Vec::new();
    let mut is_same = vec![false; index.roots.len()];
    for (at, root) in index.roots.iter().enumerate().rev() {
        let Some(reference) = &root.reference else {
            continue;
        };
        let of = *claimed.entry(reference).or_insert(&root.descriptor);
        if of.digest() != root.descriptor.digest() {
            repeated.push(at);
        } else if !std::ptr::eq(of, &raw const root.descriptor) {
            // One image may have its name in several forms, each of them once.
            is_same[at] = *of == root.descriptor;
        }
    }
    for at in repeated.into_iter().rev() {
        let root = &mut index.roots[at];
        if let Some(reference) = &root.reference {
            watch.warn(Warning::ReferenceTwice(reference.to_string()));
        }
        (root.descriptor, root.reference) = with_label(&root.descriptor, None);
    }
    let mut is_same = is_same.into_iter();
    index.roots.retain(|_| !is_same.next().unwrap_or_default());
}
