//! Which of the images of an input are meant.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::str::FromStr;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::format::source::{ImageSource, Root, Target};
use crate::image::Reference;

/// How a user names one image of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// By a reference, a name of a layout, a digest or an image id, or by a prefix
    /// of those two that fits one image.
    Name(String),
    /// By its number, counted from 1.
    Number(NonZeroUsize),
}

/// A text that is not a [`Selector`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not name an image: a reference, a digest, an image id or `#N` was expected")]
pub struct SelectorError(String);

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let wrong = || SelectorError(text.to_owned());
        match text.strip_prefix('#') {
            Some(number) => match number.parse() {
                Ok(number) => Ok(Self::Number(number)),
                Err(_) => Err(wrong()),
            },
            None if text.is_empty() => Err(wrong()),
            None => Ok(Self::Name(text.to_owned())),
        }
    }
}

/// Returns the roots that a selector means, which are names of one image; all
/// roots without a selector.
pub(super) fn select<'a>(
    source: &'a dyn ImageSource,
    selector: Option<&Selector>,
) -> Result<Vec<&'a Root>> {
    let roots: Vec<&Root> = source.roots()?.iter().collect();
    match selector {
        None => Ok(roots),
        Some(Selector::Number(number)) => {
            let targets = targets(&roots);
            let Some(first) = targets.get(number.get() - 1) else {
                return Err(no_such_image(&format!("#{number}"), &roots));
            };
            Ok(with_target_of(&roots, first))
        }
        Some(Selector::Name(name)) => by_name(source, &roots, name),
    }
}

/// Finds images by name: to the letter first, then by what the name means, then
/// by a tag that only one has, then by digest.
fn by_name<'a>(source: &dyn ImageSource, roots: &[&'a Root], name: &str) -> Result<Vec<&'a Root>> {
    let reference = name.parse::<Reference>().ok().map(Reference::or_latest);
    let is_literal = |root: &Root| root.label.as_deref() == Some(name);
    let is_meant = |root: &Root| {
        let label = root.label.as_deref().and_then(|label| label.parse().ok());
        let label = label.filter(Reference::is_tagged);
        reference.is_some() && (root.reference == reference || label == reference)
    };
    let is_tag = |root: &Root| {
        root.reference
            .as_ref()
            .is_some_and(|r| r.tag() == Some(name))
    };
    let rules: [&dyn Fn(&Root) -> bool; 3] = [&is_literal, &is_meant, &is_tag];
    for rule in rules {
        let found: Vec<&Root> = roots.iter().copied().filter(|root| rule(root)).collect();
        if !found.is_empty() {
            return one_image(name, found);
        }
    }
    let algorithms = ["sha256:", "sha512:"];
    let prefix = algorithms
        .iter()
        .find_map(|algorithm| name.strip_prefix(algorithm));
    let prefix = prefix.unwrap_or(name);
    if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(no_such_image(name, roots));
    }
    let is_meant = |digest: &Digest| digest.hex().starts_with(prefix);
    let is_named = |root: &&&Root| root.target_digest().is_some_and(is_meant);
    let mut found: Vec<&Root> = roots.iter().filter(is_named).copied().collect();
    // A whole digest can only mean one; a prefix might mean an image id as well.
    let is_whole = found.iter().any(|root| {
        let digest = root.target_digest();
        digest.is_some_and(|digest| digest.hex() == prefix)
    });
    if !is_whole {
        for root in roots {
            let is_new = !found.contains(root);
            if is_new && source.load(root)?.configs().any(is_meant) {
                found.push(root);
            }
        }
    }
    if found.is_empty() {
        return Err(no_such_image(name, roots));
    }
    one_image(name, found)
}

fn one_image<'a>(name: &str, found: Vec<&'a Root>) -> Result<Vec<&'a Root>> {
    let targets = targets(&found);
    if targets.len() == 1 {
        return Ok(found);
    }
    Err(Error::SeveralImages {
        wanted: name.to_owned(),
        count: targets.len(),
        have: names(&found),
    })
}

/// The first root of each image.
pub(super) fn targets<'a>(roots: &[&'a Root]) -> Vec<&'a Root> {
    let mut seen = HashSet::new();
    let roots = roots.iter().copied();
    roots.filter(|root| seen.insert(target_key(root))).collect()
}

/// All roots of one image.
pub(super) fn with_target_of<'a>(roots: &[&'a Root], of: &Root) -> Vec<&'a Root> {
    let mut roots = roots.to_vec();
    roots.retain(|root| is_same_target(root, of));
    roots
}

/// Whether two roots are names of one thing.
pub(super) fn is_same_target(one: &Root, other: &Root) -> bool {
    target_key(one) == target_key(other)
}

/// What is the same for all names of one thing: the digest of a blob, or the number of
/// an element.
fn target_key(root: &Root) -> (Option<&Digest>, Option<usize>) {
    match &root.target {
        Target::Blob(descriptor) => (Some(descriptor.digest()), None),
        Target::Element(number) => (None, Some(*number)),
        Target::Whole => (None, None),
    }
}

fn no_such_image(wanted: &str, roots: &[&Root]) -> Error {
    Error::NoSuchImage {
        wanted: wanted.to_owned(),
        have: names(roots),
    }
}

/// What messages call these.
pub(super) fn names(roots: &[&Root]) -> Vec<String> {
    roots.iter().map(|root| root.display_name()).collect()
}
