//! From an index to the image of one platform.

use crate::error::{Error, Result};
use crate::event::{Warning, Watch};
use crate::format::source::{Content, Image, IndexContent};
use crate::image::{Descriptor, Platform};

/// Why an output takes one platform of each image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason<'a> {
    /// Its format has no place for more; the host's is taken.
    Format,
    /// The user named one.
    Asked(&'a Platform),
}

impl Reason<'_> {
    fn text(self) -> &'static str {
        match self {
            Self::Format => "a docker archive takes one platform of each image",
            Self::Asked(_) => "another platform was asked for",
        }
    }
}

/// Returns the image for the platform, with the descriptor that an index has for it.
///
/// `None` is something that is no image, which was said in a warning. What else
/// an index holds is named in one too.
pub(super) fn narrow(
    content: Content,
    name: &str,
    reason: Reason<'_>,
    watch: &Watch<'_>,
) -> Result<Option<(Image, Option<Descriptor>)>> {
    match content {
        Content::Image(image) => {
            let fits = |wanted: &Platform| {
                let platform = image.platform();
                platform.is_none_or(|platform| platform.fitness(wanted).is_some())
            };
            match reason {
                Reason::Asked(wanted) if !fits(wanted) => Err(Error::NoSuchPlatform {
                    name: name.to_owned(),
                    wanted: wanted.clone(),
                    have: image
                        .platform()
                        .map(ToString::to_string)
                        .into_iter()
                        .collect(),
                }),
                _ => Ok(Some((image, None))),
            }
        }
        Content::Index(index) => pick(*index, name, reason, watch).map(Some),
        Content::Artifact(artifact) => {
            left_out(name, artifact.kind(), watch);
            Ok(None)
        }
        Content::Opaque { descriptor, .. } => {
            left_out(name, format!("a `{}`", descriptor.media_type()), watch);
            Ok(None)
        }
    }
}

fn left_out(name: &str, kind: String, watch: &Watch<'_>) {
    watch.warn(Warning::ArtifactLeftOut {
        name: name.to_owned(),
        kind,
    });
}

/// What an index holds, nested ones included.
#[derive(Default)]
struct Candidates {
    images: Vec<(Image, Descriptor)>,
    attestations: usize,
    others: usize,
}

impl Candidates {
    fn add(&mut self, index: IndexContent) {
        let descriptors = index.index.view().manifests.clone();
        for (content, descriptor) in index.children.into_iter().zip(descriptors) {
            match content {
                Content::Image(image) => self.images.push((image, descriptor)),
                Content::Index(index) => self.add(*index),
                Content::Artifact(artifact) if artifact.is_attestation() => self.attestations += 1,
                Content::Artifact(_) => self.others += 1,
                Content::Opaque { descriptor, .. } => {
                    let is_unknown = descriptor.platform().is_some_and(|p| p.is_unknown());
                    self.attestations += usize::from(is_unknown);
                }
            }
        }
    }
}

fn pick(
    index: IndexContent,
    name: &str,
    reason: Reason<'_>,
    watch: &Watch<'_>,
) -> Result<(Image, Option<Descriptor>)> {
    let mut candidates = Candidates::default();
    candidates.add(index);
    let images = &candidates.images;
    let host = Platform::host();
    let wanted = match reason {
        Reason::Format => &host,
        Reason::Asked(platform) => platform,
    };
    // A descriptor need not say the platform; the config must.
    let platform_of = |(image, descriptor): &(Image, Descriptor)| {
        descriptor.platform().or_else(|| image.platform().cloned())
    };
    let fitness = |candidate: &(Image, Descriptor)| platform_of(candidate)?.fitness(wanted);
    let best = (0..images.len())
        .filter_map(|at| Some((fitness(&images[at])?, std::cmp::Reverse(at))))
        .max()
        .map(|(_, std::cmp::Reverse(at))| at);
    // Who named none wants the only one that there is.
    let only = (reason == Reason::Format && images.len() == 1).then_some(0);
    let names = |skipped: Option<usize>| -> Vec<String> {
        let name = |candidate| {
            platform_of(candidate).map_or("unknown".to_owned(), |platform| platform.to_string())
        };
        let kept = images
            .iter()
            .enumerate()
            .filter(|(at, _)| Some(*at) != skipped);
        kept.map(|(_, candidate)| name(candidate)).collect()
    };
    let Some(at) = best.or(only) else {
        return Err(Error::NoSuchPlatform {
            name: name.to_owned(),
            wanted: wanted.clone(),
            have: names(None),
        });
    };
    let others = names(Some(at)).join(", ");
    let what = [
        (!others.is_empty(), format!("the images for {others}")),
        (candidates.attestations > 0, "the attestations".to_owned()),
        (candidates.others > 0, "the artifacts".to_owned()),
    ];
    for (_, what) in what.into_iter().filter(|(is_any, _)| *is_any) {
        watch.warn(Warning::LeftOut {
            what,
            name: name.to_owned(),
            reason: reason.text(),
        });
    }
    let (image, descriptor) = candidates.images.swap_remove(at);
    Ok((image, Some(descriptor)))
}
