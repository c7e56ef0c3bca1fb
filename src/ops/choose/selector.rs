//! The selection of images in an input.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

use crate::digest::{Algorithm, Digest};
use crate::error::{Candidate, ChoiceError, Error, Result};
use crate::format::root::{Root, by_target, targets, with_target_of};
use crate::format::source::{Content, ImageSource, IndexContent};
use crate::image::Reference;
use crate::ops::choose::containerd::containerd_id;

/// A user's way to name one image of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// By a reference, a name in a layout, a digest or an image id, or by an
    /// unambiguous prefix of one of the last two. Parts of an index are also found by
    /// their digests and image ids.
    Name(String),
    /// By its number, counted from 1.
    Number(NonZeroUsize),
}

/// A text that is not a [`Selector`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not name an image: expected a reference, a digest, an image id or `#N`")]
pub struct SelectorError(String);

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let wrong = || SelectorError(text.to_owned());
        match text.strip_prefix('#') {
            Some(number) => number.parse().map(Self::Number).map_err(|_| wrong()),
            None if text.is_empty() => Err(wrong()),
            None => Ok(Self::Name(text.to_owned())),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Number(number) => write!(f, "#{number}"),
        }
    }
}

/// The images that a selector selects.
#[derive(Clone, Debug)]
pub(in crate::ops) struct Selection<'a> {
    /// Its names, or those of the indexes that contain it; all names of the input
    /// without a selector.
    pub(in crate::ops) roots: Vec<&'a Root>,
    /// The selected manifest or index, if it is a part of an index.
    pub(in crate::ops) part: Option<Digest>,
}

impl<'a> Selection<'a> {
    /// Everything under these names, as a whole.
    pub(in crate::ops) fn whole(roots: Vec<&'a Root>) -> Self {
        Self { roots, part: None }
    }

    /// Splits it into things with names of their own.
    pub(in crate::ops) fn each(self) -> Vec<Self> {
        if self.part.is_some() {
            return vec![self];
        }
        let images = by_target(&self.roots).into_iter();
        images.map(Self::whole).collect()
    }
}

/// Finds the images that a selector selects; everything without one.
pub(in crate::ops) fn select<'a>(
    source: &'a dyn ImageSource,
    selector: Option<&Selector>,
) -> Result<Selection<'a>> {
    select_by_digits(source, selector, 1)
}

/// As [`select`], where the first digits of a digest without its algorithm select only if
/// they are at least this many.
pub(in crate::ops) fn select_by_digits<'a>(
    source: &'a dyn ImageSource,
    selector: Option<&Selector>,
    digits_min: usize,
) -> Result<Selection<'a>> {
    let roots: Vec<&Root> = source.roots()?.iter().collect();
    match selector {
        None => Ok(Selection::whole(roots)),
        Some(Selector::Number(number)) => {
            let targets = targets(&roots);
            let Some(first) = targets.get(number.get() - 1) else {
                return Err(no_such_image(source, &format!("#{number}"), &roots).into());
            };
            Ok(Selection::whole(with_target_of(&roots, first)))
        }
        Some(Selector::Name(name)) => by_name(source, &roots, name, digits_min),
    }
}

/// Finds images by name: first by a digest with its algorithm, then by the literal
/// name, by the meaning of the name, by a tag that only one image has, and by the
/// digits of a digest.
fn by_name<'a>(
    source: &dyn ImageSource,
    roots: &[&'a Root],
    name: &str,
    digits_min: usize,
) -> Result<Selection<'a>> {
    let prefix = Prefix::parse(name);
    if let Some(prefix) = prefix.filter(|prefix| prefix.algorithm.is_some())
        && let Some(selection) = by_digest(source, roots, name, prefix)?
    {
        return Ok(selection);
    }
    let reference = name.parse::<Reference>().ok().map(Reference::or_latest);
    let is_literal = |root: &Root| root.label.as_deref() == Some(name);
    let is_meant = |root: &Root| {
        let label = root.label.as_deref().and_then(|label| label.parse().ok());
        let label = label.filter(Reference::is_tagged);
        reference.is_some() && (root.reference == reference || label == reference)
    };
    let is_tag = |root: &Root| root.reference.as_ref().and_then(Reference::tag) == Some(name);
    let rules: [&dyn Fn(&Root) -> bool; 3] = [&is_literal, &is_meant, &is_tag];
    for rule in rules {
        let found: Vec<&Root> = roots.iter().copied().filter(|root| rule(root)).collect();
        match targets(&found).len() {
            0 => {}
            1 => return Ok(Selection::whole(found)),
            count => {
                return Err(ChoiceError::SeveralImages {
                    input: source.place().cloned(),
                    wanted: name.to_owned(),
                    count,
                    have: candidates(source, &found, roots),
                }
                .into());
            }
        }
    }
    let is_bare = |it: &Prefix<'_>| it.algorithm.is_none() && it.digits.len() >= digits_min;
    if let Some(prefix) = prefix.filter(is_bare)
        && let Some(selection) = by_digest(source, roots, name, prefix)?
    {
        return Ok(selection);
    }
    match by_pinned_name(source, roots, name)? {
        Some(selection) => Ok(selection),
        None => Err(no_such_image(source, name, roots).into()),
    }
}

/// Finds an image by a name and a digest, `app:1@sha256:…`, as messages call a part of
/// an index, and engines a pulled image. The tag may be omitted.
fn by_pinned_name<'a>(
    source: &dyn ImageSource,
    roots: &[&'a Root],
    pinned: &str,
) -> Result<Option<Selection<'a>>> {
    let Some((name, digest)) = pinned.rsplit_once('@') else {
        return Ok(None);
    };
    let Some(prefix) = Prefix::parse(digest).filter(|it| it.algorithm.is_some()) else {
        return Ok(None);
    };
    let Some(mut selection) = by_digest(source, roots, pinned, prefix)? else {
        return Ok(None);
    };
    let reference = name.parse::<Reference>().ok();
    let is_called = |root: &Root| match (&root.reference, &reference) {
        (Some(own), Some(reference)) => {
            own.familiar_name() == reference.familiar_name()
                && reference.tag().is_none_or(|tag| own.tag() == Some(tag))
        }
        _ => false,
    };
    let is_meant = |root: &&Root| is_called(root) || root.display_name() == name;
    selection.roots.retain(is_meant);
    Ok(Some(selection).filter(|selection| !selection.roots.is_empty()))
}

/// The first digits of a digest, or all of them.
#[derive(Clone, Copy, Debug)]
struct Prefix<'a> {
    /// The hash function, if given.
    algorithm: Option<Algorithm>,
    digits: &'a str,
}

impl<'a> Prefix<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let of = |algorithm: Algorithm| {
            let digits = text.strip_prefix(algorithm.name())?.strip_prefix(':')?;
            Some((Some(algorithm), digits))
        };
        let algorithms = [Algorithm::Sha256, Algorithm::Sha512];
        let (algorithm, digits) = algorithms.into_iter().find_map(of).unwrap_or((None, text));
        let is_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then_some(Self { algorithm, digits })
    }

    fn fits(self, digest: &Digest) -> bool {
        let is_of = |algorithm| digest.algorithm() == algorithm;
        self.algorithm.is_none_or(is_of) && digest.hex().starts_with(self.digits)
    }

    /// Returns true if it is the whole digest.
    fn is(self, digest: &Digest) -> bool {
        self.fits(digest) && digest.hex() == self.digits
    }
}

/// Finds an image, an index, or a part of an index by its id or digest.
///
/// Something that cannot be read is found by its own digest alone. `None` if nothing
/// was found.
fn by_digest<'a>(
    source: &dyn ImageSource,
    roots: &[&'a Root],
    name: &str,
    prefix: Prefix<'_>,
) -> Result<Option<Selection<'a>>> {
    let is_named = |root: &&Root| root.target_digest().is_some_and(|it| prefix.is(it));
    let named: Vec<&Root> = roots.iter().copied().filter(is_named).collect();
    if !named.is_empty() {
        return Ok(Some(Selection::whole(named)));
    }
    let mut found = Finds::default();
    let mut unreadable = None;
    for target in targets(roots) {
        let is_named = target.target_digest().is_some_and(|it| prefix.fits(it));
        match source.load(target) {
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(_) if is_named => found.whole.push(target),
            // It is treated as if the input did not list it.
            Err(error) if error.absence().is_some() => {}
            Err(error) => drop(unreadable.get_or_insert(error)),
            Ok(Content::Index(index)) => {
                if is_named {
                    found.whole.push(target);
                }
                found.add_parts(target, &index, prefix);
            }
            Ok(content) => {
                let mut ids = ids(&content, source, target);
                if is_named || ids.any(|it| prefix.fits(&it)) {
                    found.whole.push(target);
                }
            }
        }
    }
    let Finds { whole, mut parts } = found;
    // A part with names of its own is found by these.
    let is_named = |digest: &Digest| whole.iter().any(|it| it.target_digest() == Some(digest));
    parts.retain(|(_, digest)| !is_named(digest));
    let mut digests: Vec<&Digest> = parts.iter().map(|(_, digest)| digest).collect();
    digests.sort();
    digests.dedup();
    match (whole.as_slice(), digests.as_slice()) {
        ([], []) => match unreadable {
            Some(error) => Err(error),
            None => Ok(None),
        },
        ([only], []) => Ok(Some(Selection::whole(with_target_of(roots, only)))),
        ([], [only]) => {
            let is_over = |root: &&Root| parts.iter().any(|(over, _)| root.has_target_of(over));
            Ok(Some(Selection {
                roots: roots.iter().copied().filter(is_over).collect(),
                part: Some(Digest::clone(only)),
            }))
        }
        _ => {
            let mut have = candidates(source, &whole, roots);
            have.extend(digests.iter().map(|digest| Candidate {
                name: digest.to_string(),
                id: None,
            }));
            Err(ChoiceError::SeveralImages {
                input: source.place().cloned(),
                wanted: name.to_owned(),
                count: have.len(),
                have,
            }
            .into())
        }
    }
}

/// Everything that matches a digest.
#[derive(Default)]
struct Finds<'a> {
    /// Roots, which have names.
    whole: Vec<&'a Root>,
    /// Parts of indexes, by their digests, and the roots that have the names.
    parts: Vec<(&'a Root, Digest)>,
}

impl<'a> Finds<'a> {
    fn add_parts(&mut self, root: &'a Root, index: &IndexContent, prefix: Prefix<'_>) {
        for (child, descriptor) in index.parts() {
            let id = match child {
                Content::Image(image) => Some(image.config.digest()),
                _ => None,
            };
            if prefix.fits(descriptor.digest()) || id.is_some_and(|id| prefix.fits(id)) {
                self.parts.push((root, descriptor.digest().clone()));
            }
            if let Content::Index(index) = child {
                self.add_parts(root, index, prefix);
            }
        }
    }
}

/// The ids of something with names of its own, besides the digest in its descriptor.
fn ids(content: &Content, source: &dyn ImageSource, root: &Root) -> impl Iterator<Item = Digest> {
    let ids = match content {
        Content::Image(image) => [
            Some(image.config.digest().clone()),
            containerd_id(source, root, content),
        ],
        _ => [None, None],
    };
    ids.into_iter().flatten()
}

pub(in crate::ops) fn no_such_image(
    source: &dyn ImageSource,
    wanted: &str,
    roots: &[&Root],
) -> ChoiceError {
    ChoiceError::NoSuchImage {
        input: source.place().cloned(),
        wanted: wanted.to_owned(),
        have: candidates(source, roots, roots),
    }
}

/// Everything that can be selected, with names and ids that select it. `all` are the
/// roots of the input.
pub(in crate::ops) fn candidates(
    source: &dyn ImageSource,
    roots: &[&Root],
    all: &[&Root],
) -> Vec<Candidate> {
    let targets = targets(all);
    let candidate = |root: &&Root| {
        let of_image = || match source.load(root) {
            Ok(Content::Image(image)) => Some(image.config.digest().clone()),
            _ => None,
        };
        let has_name = root.reference.is_some() || root.label.is_some();
        let name = if has_name || root.target_digest().is_some() {
            root.display_name()
        } else {
            let mut targets = targets.iter();
            let at = targets.position(|target| target.has_target_of(root));
            format!("#{}", at.unwrap_or_default() + 1)
        };
        let id = root.target_digest().cloned().or_else(of_image);
        Candidate { name, id }
    };
    roots.iter().map(candidate).collect()
}
