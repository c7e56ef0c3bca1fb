//! A multi-platform index of single-platform images.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::error::{ChoiceError, Error, Result};
use crate::event::{Warning, Watch};
use crate::format::root::Root;
use crate::format::source::{Content, Image, ImageSource, IndexContent};
use crate::image::media_type::{OCI_INDEX, OCI_MANIFEST};
use crate::image::{
    CONTAINERD_NAME, Descriptor, Document, Platform, REF_NAME, Reference, new_index,
};
use crate::ops::choose::platform::best_of_each;
use crate::ops::edited::own_document;
use crate::transfer::item::TransferItem;

/// Fields of a config that the platform in a descriptor has, in its order.
const PLATFORM_FIELDS: [&str; 5] = ["architecture", "os", "os.version", "os.features", "variant"];

/// The making of one index.
pub(super) struct MultiPlatform<'a> {
    pub(super) source: &'a dyn ImageSource,
    /// The name of the index.
    pub(super) name: &'a Reference,
    /// The platforms to take; all if empty.
    pub(super) platforms: &'a [Platform],
    pub(super) watch: &'a Watch<'a>,
}

/// A manifest of the new index.
struct Part<'a> {
    content: Content,
    descriptor: Descriptor,
    /// Its item, for messages.
    name: String,
    root: &'a Root,
}

/// The parts of the items.
#[derive(Default)]
struct Parts<'a> {
    images: Vec<Part<'a>>,
    attestations: Vec<Part<'a>>,
    /// Names and kinds of other things.
    others: Vec<(String, String)>,
}

impl MultiPlatform<'_> {
    /// Makes one index of the images of all items, and of those in their indexes. The
    /// attestations of these come along at the end, as `docker buildx imagetools create`
    /// does; referrers stay items of their own.
    pub(super) fn of<'a>(&self, items: Vec<TransferItem<'a>>) -> Result<Vec<TransferItem<'a>>> {
        let mut parts = Parts::default();
        let mut referrers = Vec::new();
        let mut left_out = Vec::new();
        let mut roots = Vec::new();
        for item in items {
            if item.is_referrer() {
                referrers.push(item);
                continue;
            }
            left_out.extend(item.digests());
            left_out.extend(item.left_out.iter().cloned());
            roots.extend(item.roots.first().copied());
            parts.add(item);
        }
        for (name, kind) in &parts.others {
            self.watch.warn(Warning::LeftOut {
                what: kind.clone(),
                name: name.clone(),
                reason: "only images and their attestations go into an index",
            });
        }
        // Of a platform that is not wanted there may be two.
        self.keep_platforms(&mut parts.images)?;
        let mut images = self.distinct(parts.images)?;
        let Some(first) = roots.first().copied() else {
            return Err(Error::NoImage);
        };
        if images.is_empty() {
            return Err(Error::NoImage);
        }
        let held: HashSet<&Digest> = images.iter().map(|it| it.descriptor.digest()).collect();
        let mut seen = HashSet::new();
        parts.attestations.retain(|it| {
            let attested = it.descriptor.attested();
            attested.is_some_and(|it| held.contains(&it))
                && seen.insert(it.descriptor.digest().clone())
        });
        images.extend(parts.attestations);
        let (children, descriptors): (Vec<Content>, Vec<Descriptor>) = images
            .into_iter()
            .map(|part| (part.content, part.descriptor))
            .unzip();
        let index = Document::from_value(&new_index(&descriptors)).map_err(own_document)?;
        let item = TransferItem {
            name: self.name.to_string(),
            descriptor: Some(index.descriptor(OCI_INDEX)),
            content: Content::Index(Box::new(IndexContent {
                index,
                children,
                kept: None,
                others: Vec::new(),
            })),
            left_out: Vec::new(),
            roots: vec![first],
        };
        let kept = item.digests();
        left_out.retain(|digest| !kept.contains(digest));
        let mut items = vec![TransferItem { left_out, ..item }];
        items.extend(referrers);
        Ok(items)
    }

    /// Removes repeated images, and refuses two for one platform.
    fn distinct<'a>(&self, images: Vec<Part<'a>>) -> Result<Vec<Part<'a>>> {
        let mut distinct: Vec<Part<'_>> = Vec::new();
        let mut by_platform: HashMap<String, usize> = HashMap::new();
        let mut seen = HashSet::new();
        for part in images {
            let Content::Image(image) = &part.content else {
                continue;
            };
            let Some(key) = platform_key(image, &part.descriptor) else {
                return Err(ChoiceError::NoPlatform(part.name).into());
            };
            if !seen.insert(part.descriptor.digest().clone()) {
                continue;
            }
            let at = *by_platform.entry(key).or_insert(distinct.len());
            let Some(held) = distinct.get(at) else {
                distinct.push(part);
                continue;
            };
            let (is_same, have_manifests) = match &held.content {
                Content::Image(held) => (
                    held.config.digest() == image.config.digest(),
                    held.manifest.is_some() && image.manifest.is_some(),
                ),
                _ => (false, false),
            };
            if is_same && have_manifests {
                // Its layers are compressed in another way, for clients that know how to
                // choose.
                distinct.push(part);
            } else if !is_same {
                let platform = image.platform_under(Some(&part.descriptor));
                return Err(ChoiceError::PlatformTwice {
                    platform: platform.map_or_else(String::new, |it| it.to_string()),
                    images: [self.place(held), self.place(&part)],
                }
                .into());
            }
        }
        Ok(distinct)
    }

    /// Keeps the images for the wanted platforms, if any are named.
    fn keep_platforms(&self, images: &mut Vec<Part<'_>>) -> Result<()> {
        if self.platforms.is_empty() {
            return Ok(());
        }
        let have: Vec<Option<Platform>> = images
            .iter()
            .map(|part| part.descriptor.platform())
            .collect();
        let name = self.name.to_string();
        let chosen = best_of_each(&name, self.platforms, &have, self.watch)?;
        let mut at = 0;
        images.retain(|_| {
            at += 1;
            chosen.contains(&(at - 1))
        });
        Ok(())
    }

    /// The name of an image, and the input that has it.
    fn place(&self, part: &Part<'_>) -> String {
        let owner = self.source.owner(part.root).unwrap_or(self.source);
        match owner.place() {
            Some(place) => format!("`{}` in {place}", part.name),
            None => format!("`{}`", part.name),
        }
    }
}

impl<'a> Parts<'a> {
    fn add(&mut self, item: TransferItem<'a>) {
        let root = item.roots[0];
        let descriptor = item.descriptor.map(|it| {
            it.with_annotation(REF_NAME, None)
                .with_annotation(CONTAINERD_NAME, None)
        });
        self.add_content(item.content, descriptor, &item.name, root);
    }

    fn add_content(
        &mut self,
        content: Content,
        descriptor: Option<Descriptor>,
        name: &str,
        root: &'a Root,
    ) {
        let part = |content, descriptor| Part {
            content,
            descriptor,
            name: name.to_owned(),
            root,
        };
        match content {
            Content::Image(image) => {
                let descriptor = descriptor_of(&image, descriptor);
                self.images.push(part(Content::Image(image), descriptor));
            }
            Content::Index(index) => {
                let descriptors = index.index.view().manifests.clone();
                for (child, descriptor) in index.children.into_iter().zip(descriptors) {
                    self.add_content(child, Some(descriptor), name, root);
                }
            }
            content => match descriptor {
                Some(descriptor) if descriptor.attested().is_some() => {
                    self.attestations.push(part(content, descriptor));
                }
                _ => self.others.push((name.to_owned(), content.kind())),
            },
        }
    }
}

/// The descriptor of an image in the new index: the one that it has, with its platform.
fn descriptor_of(image: &Image, held: Option<Descriptor>) -> Descriptor {
    // Without a manifest, one is made for the output.
    let new = || match &image.manifest {
        Some(manifest) => manifest.descriptor(OCI_MANIFEST),
        None => image.config.descriptor(OCI_MANIFEST),
    };
    let descriptor = held.unwrap_or_else(new);
    if descriptor.platform().is_some() {
        return descriptor;
    }
    let Ok(Value::Object(config)) = image.config.value() else {
        return descriptor;
    };
    let fields = PLATFORM_FIELDS.iter().filter_map(|field| {
        let value = config.get(*field).filter(|it| !is_empty(it))?;
        Some(((*field).to_owned(), value.clone()))
    });
    let platform: Map<String, Value> = fields.collect();
    descriptor.with("platform", Some(Value::Object(platform)))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// The platform of an image, as two of one index must not share it.
fn platform_key(image: &Image, descriptor: &Descriptor) -> Option<String> {
    let platform = image.platform_under(Some(descriptor))?.normalized();
    let config = image.config.value().ok()?;
    Some(format!(
        "{platform} {} {}",
        config["os.version"], config["os.features"]
    ))
}
