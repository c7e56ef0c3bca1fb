//! From an index to the image of one platform.

use crate::error::{Error, Result};
use crate::event::{Warning, Watch};
use crate::format::source::{Content, Image, IndexContent};
use crate::image::{Descriptor, Platform};
use crate::ops::plan::Piece;

/// Why an output takes one platform of each image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason<'a> {
    /// Its format has no place for more; the host's is taken.
    Format,
    /// It is about one image; the host's is taken.
    OneImage,
    /// It is about what one image holds, and nobody expects more of it.
    OneTree,
    /// It is about what one image holds, best for this platform.
    Preferred(&'a Platform),
    /// The user named one.
    Asked(&'a Platform),
}

impl Reason<'_> {
    /// What a warning says of the rest; nothing where none is due.
    fn text(self) -> Option<&'static str> {
        match self {
            Self::Format => Some("a docker archive takes one platform of each image"),
            Self::OneImage => Some("one image is taken"),
            Self::OneTree | Self::Preferred(_) => None,
            Self::Asked(_) => Some("another platform was asked for"),
        }
    }
}

/// Reduces a piece to the image for the platform.
///
/// `None` is something that is no image, which was said in a warning. What else
/// an index holds is named in one too.
pub(super) fn narrow<'a>(
    piece: Piece<'a>,
    reason: Reason<'_>,
    watch: &Watch<'_>,
) -> Result<Option<Piece<'a>>> {
    let kind = match &piece.content {
        Content::Image(image) => {
            check_platform(image, &piece, reason)?;
            return Ok(Some(piece));
        }
        Content::Index(_) => return pick(piece, reason, watch).map(Some),
        Content::Artifact(artifact) => artifact.kind(),
        Content::Opaque { descriptor, .. } => format!("a `{}`", descriptor.media_type()),
    };
    watch.warn(Warning::ArtifactLeftOut {
        name: piece.name,
        kind,
    });
    Ok(None)
}

/// Refuses an image for another platform than the one that was named.
fn check_platform(image: &Image, piece: &Piece<'_>, reason: Reason<'_>) -> Result<()> {
    let described = piece.descriptor.as_ref().and_then(Descriptor::platform);
    let platform = described.or_else(|| image.platform().cloned());
    let (Reason::Asked(wanted), Some(platform)) = (reason, platform) else {
        return Ok(());
    };
    if platform.fitness(wanted).is_some() {
        return Ok(());
    }
    Err(Error::NoSuchPlatform {
        name: piece.name.clone(),
        wanted: wanted.clone(),
        have: vec![platform.to_string()],
    })
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

/// Takes the image for the platform out of an index.
fn pick<'a>(piece: Piece<'a>, reason: Reason<'_>, watch: &Watch<'_>) -> Result<Piece<'a>> {
    let name = &piece.name;
    let mut gone = piece.digests();
    let mut candidates = Candidates::default();
    if let Content::Index(index) = piece.content {
        candidates.add(*index);
    }
    let images = &candidates.images;
    let host = Platform::host();
    let wanted = match reason {
        Reason::Asked(platform) | Reason::Preferred(platform) => platform,
        _ => &host,
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
    let is_asked = matches!(reason, Reason::Asked(_));
    let only = (!is_asked && images.len() == 1).then_some(0);
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
            name: name.clone(),
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
        if let Some(reason) = reason.text() {
            watch.warn(Warning::LeftOut {
                what,
                name: name.clone(),
                reason,
            });
        }
    }
    let (image, descriptor) = candidates.images.swap_remove(at);
    gone.retain(|digest| digest != descriptor.digest());
    Ok(Piece {
        name: piece.name,
        descriptor: Some(descriptor),
        content: Content::Image(image),
        gone,
        roots: piece.roots,
    })
}
