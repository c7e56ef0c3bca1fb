//! The roots of an input: its names, and the target of each.

use std::collections::HashMap;

use crate::digest::{Algorithm, Digest};
use crate::image::{CONTAINERD_NAME, Descriptor, REF_NAME, Reference};

/// One thing in an input, under one name or under none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Root {
    /// Its documents.
    pub target: Target,
    /// Its descriptor in `index.json`, with the annotations there.
    pub descriptor: Option<Descriptor>,
    /// Its name, if that is a reference with a tag.
    pub reference: Option<Reference>,
    /// Its name in a layout, which may be anything.
    pub label: Option<String>,
}

/// The documents of a root.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    /// A blob: a manifest or an index.
    Blob(Descriptor),
    /// An element of `manifest.json`, by its number from 0, that has no OCI manifest.
    Element(usize),
    /// The whole input.
    Whole,
}

impl Root {
    /// The only root of an input that is an image as a whole, without a name.
    pub(crate) fn whole() -> Self {
        Self {
            target: Target::Whole,
            descriptor: None,
            reference: None,
            label: None,
        }
    }

    /// The root of a descriptor in an `index.json`, with its names there.
    pub(crate) fn from_index(descriptor: &Descriptor) -> Self {
        let label = descriptor.annotation(REF_NAME);
        let parse = |text: &str| text.parse::<Reference>().ok().filter(Reference::is_tagged);
        let containerd_name = descriptor.annotation(CONTAINERD_NAME).and_then(parse);
        let written = label.and_then(parse);
        // containerd's annotation always has the full name; the other one shows how it
        // was written, if it is complete.
        let reference = match (containerd_name, written) {
            (Some(full), Some(written)) if full == written => Some(written),
            (Some(full), _) => Some(full.into_familiar()),
            (None, written) => written,
        };
        Self {
            target: Target::Blob(descriptor.clone()),
            reference,
            label: label.map(str::to_owned),
            descriptor: Some(descriptor.clone()),
        }
    }

    /// True if its descriptor in `index.json` gives it this name, including for Docker
    /// and containerd.
    pub(crate) fn is_named_in_index(&self) -> bool {
        let name = |descriptor: &Descriptor| {
            let name = descriptor.annotation(CONTAINERD_NAME)?;
            name.parse::<Reference>().ok()
        };
        self.reference.is_some() && self.descriptor.as_ref().and_then(name) == self.reference
    }

    /// The digest of its target, if that is a blob.
    pub(crate) fn target_digest(&self) -> Option<&Digest> {
        match &self.target {
            Target::Blob(descriptor) => Some(descriptor.digest()),
            Target::Element(_) | Target::Whole => None,
        }
    }

    /// Its name in messages: its reference, its label, or its digest.
    pub(crate) fn display_name(&self) -> String {
        match (&self.reference, &self.label, &self.target) {
            (Some(reference), _, _) => reference.to_string(),
            (None, Some(label), _) => label.clone(),
            (None, None, Target::Blob(descriptor)) => descriptor.digest().to_string(),
            (None, None, Target::Element(number)) => format!("#{}", number + 1),
            (None, None, Target::Whole) => "rootfs".to_owned(),
        }
    }

    /// The image that the name of a signature is made of, as cosign and registries without
    /// the API for referrers do: `sha256-….sig`.
    pub(crate) fn signed(&self) -> Option<Digest> {
        let tag = self.reference.as_ref().and_then(Reference::tag);
        let tag = tag.or(self.label.as_deref())?;
        let (algorithm, rest) = tag.split_once('-')?;
        let algorithms = [Algorithm::Sha256, Algorithm::Sha512];
        let is_known = algorithms.iter().any(|it| it.name() == algorithm);
        let hex = rest.split('.').next()?;
        let digest = is_known.then(|| format!("{algorithm}:{hex}").parse());
        digest?.ok()
    }

    /// True if both are names of the same thing.
    pub(crate) fn has_target_of(&self, other: &Root) -> bool {
        self.target_key() == other.target_key()
    }

    /// The identity of the target, equal for all of its names: the digest of a blob, or
    /// the number of an element.
    fn target_key(&self) -> (Option<&Digest>, Option<usize>) {
        let number = match self.target {
            Target::Element(number) => Some(number),
            Target::Blob(_) | Target::Whole => None,
        };
        (self.target_digest(), number)
    }
}

/// The first root of each image.
pub(crate) fn targets<'a>(roots: &[&'a Root]) -> Vec<&'a Root> {
    let images = by_target(roots).into_iter();
    images.map(|names| names[0]).collect()
}

/// All roots of one image.
pub(crate) fn with_target_of<'a>(roots: &[&'a Root], of: &Root) -> Vec<&'a Root> {
    let roots = roots.iter().copied();
    roots.filter(|root| root.has_target_of(of)).collect()
}

/// The roots of each image, in the order of the first of each.
pub(crate) fn by_target<'a>(roots: &[&'a Root]) -> Vec<Vec<&'a Root>> {
    let mut places = HashMap::new();
    let mut images: Vec<Vec<&Root>> = Vec::new();
    for root in roots {
        let place = *places.entry(root.target_key()).or_insert(images.len());
        match images.get_mut(place) {
            Some(names) => names.push(root),
            None => images.push(vec![root]),
        }
    }
    images
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_signature_has_the_digest_of_its_image() {
        let digest = Digest::of(b"image");
        let hex = digest.hex();
        let cases = [
            (format!("sha256-{hex}.sig"), true),
            (format!("sha256-{hex}.att"), true),
            (format!("sha256-{hex}"), true),
            (format!("reg.example/app:sha256-{hex}.sbom"), true),
            (format!("sha512-{hex}.sig"), false),
            (format!("sha256-{}.sig", &hex[1..]), false),
            (format!("app:{hex}"), false),
            ("app:1".to_owned(), false),
        ];
        for (name, is_signature) in cases {
            let descriptor = Descriptor::new("a/b", Digest::of(b"signature"), 1);
            let descriptor = descriptor.with_annotation(REF_NAME, Some(name.clone()));
            let signed = Root::from_index(&descriptor).signed();
            assert_eq!(signed.as_ref() == Some(&digest), is_signature, "{name}");
        }
    }
}
