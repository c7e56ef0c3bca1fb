//! From an index to the image of one platform.

use std::collections::HashSet;

use crate::digest::Digest;
use crate::error::{ChoiceError, Error, Result};
use crate::event::{Warning, Watch};
use crate::format::source::{Content, Image, IndexContent};
use crate::image::media_type::OCI_INDEX;
use crate::image::{Descriptor, Platform};
use crate::transfer::host::best;
use crate::transfer::item::TransferItem;

/// The reason why an output contains one platform of each image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops) enum PlatformChoice<'a> {
    /// The operation works on one image, by default the host's.
    OneImage,
    /// The operation works on the content of one image, and nobody expects it to keep
    /// the others.
    OneTree,
    /// The operation works on the content of one image, preferably for this platform.
    Preferred(&'a Platform),
    /// The user named this platform.
    Asked(&'a Platform),
}

impl PlatformChoice<'_> {
    /// The reason that a warning gives for the images left out; `None` if no warning is
    /// due.
    fn text(self) -> Option<&'static str> {
        match self {
            Self::OneImage => Some("only one platform is used"),
            Self::OneTree | Self::Preferred(_) => None,
            Self::Asked(_) => Some("another platform was requested"),
        }
    }
}

/// Reduces an item to the image for the platform. A warning names the rest of an index;
/// items other than images are unchanged.
pub(in crate::ops) fn select_platform<'a>(
    item: TransferItem<'a>,
    reason: PlatformChoice<'_>,
    watch: &Watch<'_>,
) -> Result<TransferItem<'a>> {
    match &item.content {
        Content::Image(image) => {
            check_platform(image, &item, reason, watch)?;
            Ok(item)
        }
        Content::Index(index) if !is_of_images(index) => Ok(item),
        Content::Index(_) => select_from_index(item, reason, watch),
        Content::Artifact(_) | Content::Opaque { .. } => Ok(item),
    }
}

/// Reduces an item to the images for several platforms: an index to those, and their
/// attestations. A warning names the rest.
pub(in crate::ops) fn select_platforms<'a>(
    item: TransferItem<'a>,
    platforms: &[Platform],
    watch: &Watch<'_>,
) -> Result<TransferItem<'a>> {
    match &item.content {
        Content::Image(image) => {
            let platform = image.platform_under(item.descriptor.as_ref());
            let is_for = |platform: &Platform| {
                let mut wanted = platforms.iter();
                wanted.any(|wanted| platform.rank_for(wanted).is_some())
            };
            match platform {
                Some(platform) if !is_for(&platform) => {
                    Err(no_such_platform(&item.name, &platforms[0], &[&platform]))
                }
                _ => Ok(item),
            }
        }
        Content::Index(index) if is_of_images(index) => keep_platforms(item, platforms, watch),
        _ => Ok(item),
    }
}

fn no_such_platform(name: &str, wanted: &Platform, have: &[&Platform]) -> Error {
    ChoiceError::NoSuchPlatform {
        name: name.to_owned(),
        wanted: wanted.clone(),
        have: have.iter().map(ToString::to_string).collect(),
    }
    .into()
}

/// The best image for each of these platforms, by their numbers, and others for the same
/// platform as that: they are compressed in another way, or for another version of the
/// system. `have` are the platforms of the images.
pub(in crate::ops) fn best_of_each(
    name: &str,
    platforms: &[Platform],
    have: &[Option<Platform>],
    watch: &Watch<'_>,
) -> Result<HashSet<usize>> {
    let mut chosen = HashSet::new();
    for wanted in platforms {
        let Some((rank, at)) = best(have.len(), |at| have[at].as_ref()?.rank_for(wanted)) else {
            let have: Vec<&Platform> = have.iter().flatten().collect();
            return Err(no_such_platform(name, wanted, &have));
        };
        if let Some(taken) = &have[at] {
            warn_of_substitute(rank, name, wanted, taken, watch);
        }
        let same = (0..have.len())
            .filter(|other| is_same_platform(have[at].as_ref(), have[*other].as_ref()));
        chosen.extend(same);
    }
    Ok(chosen)
}

/// True if two images are for the same platform, if they have any.
fn is_same_platform(one: Option<&Platform>, other: Option<&Platform>) -> bool {
    one.is_some() && one.map(Platform::normalized) == other.map(Platform::normalized)
}

/// Removes all images from an index, except those for these platforms.
fn keep_platforms<'a>(
    item: TransferItem<'a>,
    platforms: &[Platform],
    watch: &Watch<'_>,
) -> Result<TransferItem<'a>> {
    let mut left_out = item.digests();
    let Content::Index(index) = item.content else {
        return Err(Error::NoImage);
    };
    let mut images = Vec::new();
    collect_platforms(&index, &mut images);
    let have: Vec<Option<Platform>> = images.iter().map(|(_, it)| it.clone()).collect();
    let chosen = best_of_each(&item.name, platforms, &have, watch)?;
    let mut kept = HashSet::new();
    let mut others = Vec::new();
    for (at, (digest, platform)) in images.into_iter().enumerate() {
        if chosen.contains(&at) {
            kept.insert(digest);
        } else {
            others.push(platform.map_or("unknown".to_owned(), |it| it.to_string()));
        }
    }
    if !others.is_empty() {
        watch.warn(Warning::LeftOut {
            what: format!("the images for {}", others.join(", ")),
            name: item.name.clone(),
            reason: "other platforms were requested",
        });
    }
    let media_type = item.descriptor.as_ref().map(Descriptor::media_type);
    let media_type = media_type.unwrap_or(OCI_INDEX).to_owned();
    let mut artifacts = 0;
    let index = reduced(*index, &kept, &mut artifacts)?;
    if artifacts > 0 {
        watch.warn(Warning::LeftOut {
            what: "the artifacts".to_owned(),
            name: item.name.clone(),
            reason: "only what belongs to the requested platforms is kept",
        });
    }
    let item = TransferItem {
        descriptor: Some(match item.descriptor {
            Some(held) => held.pointing_to(&media_type, index.index.digest(), index.index.size()),
            None => index.index.descriptor(&media_type),
        }),
        content: Content::Index(Box::new(index)),
        ..item
    };
    let digests = item.digests();
    left_out.retain(|digest| !digests.contains(digest));
    Ok(TransferItem { left_out, ..item })
}

/// Collects the digests of all images in an index, and their platforms.
fn collect_platforms(index: &IndexContent, images: &mut Vec<(Digest, Option<Platform>)>) {
    for (child, descriptor) in index.parts() {
        match child {
            Content::Image(image) => {
                let platform = image.platform_under(Some(descriptor));
                images.push((descriptor.digest().clone(), platform));
            }
            Content::Index(index) => collect_platforms(index, images),
            Content::Artifact(_) | Content::Opaque { .. } => {}
        }
    }
}

/// An index with only these images, and what describes them. Counts what is left out, and
/// belongs to none of its images.
fn reduced(
    index: IndexContent,
    kept: &HashSet<Digest>,
    artifacts: &mut usize,
) -> Result<IndexContent> {
    let mut children = Vec::new();
    let mut descriptors = Vec::new();
    let held = index.index.view().manifests.clone();
    for (child, descriptor) in index.children.into_iter().zip(held) {
        let subject = child.subject().map(|it| it.digest().clone());
        let described = descriptor.attested().or(subject);
        let (child, descriptor) = match child {
            Content::Index(inner) => {
                let inner = reduced(*inner, kept, artifacts)?;
                if inner.children.is_empty() {
                    continue;
                }
                let (digest, size) = (inner.index.digest(), inner.index.size());
                let descriptor = descriptor.pointing_to(descriptor.media_type(), digest, size);
                (Content::Index(Box::new(inner)), descriptor)
            }
            child if kept.contains(described.as_ref().unwrap_or(descriptor.digest())) => {
                (child, descriptor)
            }
            Content::Artifact(_) | Content::Opaque { blob: Some(_), .. } => {
                *artifacts += usize::from(described.is_none());
                continue;
            }
            _ => continue,
        };
        children.push(child);
        descriptors.push(descriptor);
    }
    if descriptors == index.index.view().manifests {
        return Ok(IndexContent { children, ..index });
    }
    let edited = index.index.edit(|value| {
        value["manifests"] = descriptors.iter().map(Descriptor::to_json).collect();
    });
    Ok(IndexContent {
        index: edited.map_err(|source| Error::document("an index", source))?,
        children,
        kept: None,
        others: index.others,
    })
}

/// Returns true if an index lists anything that is an image, or could be one.
fn is_of_images(index: &IndexContent) -> bool {
    index.children.iter().any(|child| match child {
        Content::Image(_) | Content::Opaque { .. } => true,
        Content::Index(index) => is_of_images(index),
        Content::Artifact(_) => false,
    })
}

/// Refuses an image for a platform other than the one that was named.
fn check_platform(
    image: &Image,
    item: &TransferItem<'_>,
    reason: PlatformChoice<'_>,
    watch: &Watch<'_>,
) -> Result<()> {
    let platform = image.platform_under(item.descriptor.as_ref());
    let (PlatformChoice::Asked(wanted), Some(platform)) = (reason, platform) else {
        return Ok(());
    };
    if let Some(rank) = platform.rank_for(wanted) {
        warn_of_substitute(rank, &item.name, wanted, &platform, watch);
        return Ok(());
    }
    Err(ChoiceError::NoSuchPlatform {
        name: item.name.clone(),
        wanted: wanted.clone(),
        have: vec![platform.to_string()],
    }
    .into())
}

/// Warns if an image does not match the wanted platform exactly.
fn warn_of_substitute(
    rank: usize,
    name: &str,
    wanted: &Platform,
    taken: &Platform,
    watch: &Watch<'_>,
) {
    if rank > 0 {
        watch.warn(Warning::PlatformSubstituted {
            name: name.to_owned(),
            wanted: wanted.to_string(),
            taken: taken.to_string(),
        });
    }
}

/// The content of an index, including nested ones.
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
                Content::Opaque {
                    descriptor, blob, ..
                } => {
                    let is_unknown = descriptor.platform().is_some_and(|p| p.is_unknown());
                    self.attestations += usize::from(is_unknown);
                    self.others += usize::from(!is_unknown && blob.is_some());
                }
            }
        }
    }
}

/// Extracts the image for the platform from an index.
fn select_from_index<'a>(
    item: TransferItem<'a>,
    reason: PlatformChoice<'_>,
    watch: &Watch<'_>,
) -> Result<TransferItem<'a>> {
    let name = &item.name;
    let mut left_out = item.digests();
    let mut candidates = Candidates::default();
    if let Content::Index(index) = item.content {
        candidates.add(*index);
    }
    let images = &candidates.images;
    let host = Platform::host();
    let wanted = match reason {
        PlatformChoice::Asked(platform) | PlatformChoice::Preferred(platform) => platform,
        _ => &host,
    };
    // A descriptor need not have the platform; the config must.
    let platform_of =
        |(image, descriptor): &(Image, Descriptor)| image.platform_under(Some(descriptor));
    let is_asked = matches!(reason, PlatformChoice::Asked(_));
    // A named architecture is never replaced by another; the host runs whatever it can.
    let rank = |at: usize| {
        let platform = platform_of(&images[at])?;
        if is_asked {
            platform.rank_for(wanted)
        } else {
            platform.rank_on(wanted)
        }
    };
    let best = best(images.len(), rank);
    if let Some((rank, at)) = best
        && let Some(taken) = platform_of(&images[at])
    {
        warn_of_substitute(rank, name, wanted, &taken, watch);
    }
    let best = best.map(|(_, at)| at);
    // Without a named platform, the only image is the wanted one.
    let only = (!is_asked && images.len() == 1).then_some(0);
    let names = |is_named: &dyn Fn(usize) -> bool| -> Vec<String> {
        let name = |candidate| {
            platform_of(candidate).map_or("unknown".to_owned(), |platform| platform.to_string())
        };
        let named = (0..images.len()).filter(|at| is_named(*at));
        named.map(|at| name(&images[at])).collect()
    };
    let Some(at) = best.or(only) else {
        return Err(ChoiceError::NoSuchPlatform {
            name: name.clone(),
            wanted: wanted.clone(),
            have: names(&|_| true),
        }
        .into());
    };
    let taken = platform_of(&images[at]);
    let is_same =
        |other: usize| is_same_platform(taken.as_ref(), platform_of(&images[other]).as_ref());
    let others = names(&|other| other != at && !is_same(other)).join(", ");
    let same = names(&|other| other != at && is_same(other));
    if let (Some(platform), Some(_)) = (same.first(), reason.text()) {
        watch.warn(Warning::LeftOut {
            what: format!("further images for {platform}"),
            name: name.clone(),
            reason: "only one image is used",
        });
    }
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
    left_out.retain(|digest| digest != descriptor.digest());
    Ok(TransferItem {
        name: item.name,
        descriptor: Some(descriptor),
        content: Content::Image(image),
        left_out,
        roots: item.roots,
    })
}
