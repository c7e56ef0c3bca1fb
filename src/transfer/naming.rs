//! The names of images in the output.

use std::collections::HashMap;
use std::str::FromStr;

use crate::event::{Warning, Watch};
use crate::format::root::Root;
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

/// A name to replace by another one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retag {
    /// The name in the input: a reference, or a name in a layout, written literally.
    pub old: String,
    /// The new name.
    pub new: Reference,
}

/// A text that is not a [`Retag`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected OLD=NEW, two names of images{0}")]
pub struct RetagError(String);

impl FromStr for Retag {
    type Err = RetagError;

    fn from_str(text: &str) -> Result<Self, RetagError> {
        let (old, new) = text
            .split_once('=')
            .filter(|(old, _)| !old.is_empty())
            .ok_or_else(|| RetagError(String::new()))?;
        let new = new.parse::<Reference>();
        let new = new.map_err(|error| RetagError(format!(": {error}")))?;
        let new = new.or_latest();
        if !new.is_tagged() {
            return Err(RetagError(format!(
                ": `{new}` has a digest; an image is named NAME:TAG"
            )));
        }
        let old = old.to_owned();
        Ok(Self { old, new })
    }
}

impl Retag {
    /// True if a root has the old name: to the letter, or in meaning.
    pub(crate) fn is_of(&self, root: &Root) -> bool {
        let old = self.old.parse::<Reference>().ok();
        let is_meant = || old.is_some() && root.reference == old.map(Reference::or_latest);
        root.label.as_deref() == Some(&self.old) || is_meant()
    }
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
