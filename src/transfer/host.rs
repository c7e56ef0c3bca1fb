//! The image for the host, for engines that use one platform of several.

use crate::event::{Warning, Watch};
use crate::format::source::{Content, Image};
use crate::image::{Descriptor, Platform};

/// The image that represents all platforms for engines that use only one: that for the
/// preferred platform, or the host's, or else the first. Images that are incomplete in the input are skipped.
pub(crate) fn image_for_host<'a>(
    content: &'a Content,
    name: &str,
    preferred: Option<&Platform>,
    watch: &Watch<'_>,
) -> Option<&'a Image> {
    if let Content::Image(image) = content {
        return Some(image);
    }
    let mut images = Vec::new();
    collect_images(content, None, &mut images);
    images.retain(|(image, _)| image.is_whole());
    let host = Platform::host();
    let asked = preferred
        .and_then(|wanted| best(images.len(), |at| images[at].1.as_ref()?.rank_for(wanted)));
    let best = asked.or_else(|| best(images.len(), |at| images[at].1.as_ref()?.rank_on(&host)));
    let best = best.map(|(_, at)| at);
    if let ([(_, Some(taken)), _, ..], None) = (images.as_slice(), best) {
        watch.warn(Warning::OtherPlatformNamed {
            name: name.to_owned(),
            wanted: host.to_string(),
            taken: taken.to_string(),
        });
    }
    let (image, _) = images.get(best.unwrap_or(0))?;
    Some(image)
}

/// Collects all images, and the platform of each.
fn collect_images<'a>(
    content: &'a Content,
    descriptor: Option<&Descriptor>,
    images: &mut Vec<(&'a Image, Option<Platform>)>,
) {
    match content {
        Content::Image(image) => images.push((image, image.platform_under(descriptor))),
        Content::Index(index) => {
            let descriptors = index.kept.as_ref();
            let descriptors = descriptors.unwrap_or(&index.index.view().manifests);
            for (child, descriptor) in index.children.iter().zip(descriptors) {
                collect_images(child, Some(descriptor), images);
            }
        }
        Content::Artifact(_) | Content::Opaque { .. } => {}
    }
}

/// The first item with the lowest rank among this many, and its rank.
pub(crate) fn best(count: usize, rank: impl Fn(usize) -> Option<usize>) -> Option<(usize, usize)> {
    (0..count).filter_map(|at| Some((rank(at)?, at))).min()
}
