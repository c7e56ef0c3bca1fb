//! `convert --with`: the layers that were left out of a partial archive are put back.

use std::collections::HashMap;

use crate::digest::{DiffId, Digest};
use crate::error::{Error, Result};
use crate::event::{Warning, Watch};
use crate::format::Member;
use crate::format::source::{Image, ImageSource, Layer, LayerBytes};
use crate::image::Descriptor;
use crate::ops::Selector;
use crate::ops::choose::item::load_chosen;
use crate::ops::choose::selector::select;
use crate::ops::partial::{Chain, images_of, images_of_mut, stored_digest};
use crate::stream::Compression;
use crate::transfer::Context;
use crate::transfer::item::TransferItem;
use crate::transfer::report::Completed;

/// An input that has layers which a partial archive lacks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base<'a> {
    /// The input.
    pub(crate) source: &'a dyn ImageSource,
    /// The one image of it that is used.
    pub(crate) image: Option<&'a Selector>,
}

/// A layer in a base.
#[derive(Clone, Debug)]
struct BaseLayer {
    blob: Member,
    descriptor: Option<Descriptor>,
    compression: Compression,
}

/// The layers of all bases.
#[derive(Debug, Default)]
struct BaseLayers {
    by_digest: HashMap<Digest, BaseLayer>,
    by_chain: HashMap<Digest, BaseLayer>,
}

impl BaseLayers {
    /// Finds the layers of the bases, whose numbers in a joined source start at 1.
    fn find(bases: &[Base<'_>], watch: &Watch<'_>) -> Result<Self> {
        let mut layers = Self::default();
        for (base, origin) in bases.iter().zip(1..) {
            for selection in select(base.source, base.image)?.each() {
                let mut item = match load_chosen(base.source, selection, &watch.silent()) {
                    Err(error) if error.absence().is_some() && base.image.is_none() => continue,
                    item => item?,
                };
                item.content.set_origin(origin);
                let mut images = Vec::new();
                images_of(&item.content, &mut images);
                for image in images {
                    layers.add(image, base, &item.name, watch)?;
                }
            }
        }
        Ok(layers)
    }

    fn add(&mut self, image: &Image, base: &Base<'_>, name: &str, watch: &Watch<'_>) -> Result<()> {
        let container = base.source.container();
        let mut chain = Chain::default();
        for layer in &image.layers {
            let chain = chain.push(&layer.diff_id);
            let LayerBytes::Input { blob, descriptor } = &layer.bytes else {
                continue;
            };
            let found = BaseLayer {
                blob: blob.clone(),
                descriptor: descriptor.clone(),
                compression: layer.compression,
            };
            if let Some(digest) = stored_digest(layer, name, container, *watch)? {
                let same = self.by_digest.entry(digest);
                same.or_insert_with(|| found.clone());
            }
            self.by_chain.entry(chain).or_insert(found);
        }
        Ok(())
    }

    /// Puts back the layers that an image lacks. Returns those that no base has.
    fn put_back(&self, image: &mut Image, completed: &mut Added) -> Result<Vec<(usize, DiffId)>> {
        let mut lacking = Vec::new();
        let mut chain = Chain::default();
        for layer in &mut image.layers {
            let chain = chain.push(&layer.diff_id);
            let (descriptor, is_needed) = match &layer.bytes {
                LayerBytes::LeftOut(descriptor, _) => (descriptor.clone(), true),
                LayerBytes::Missing(descriptor) => (descriptor.clone(), false),
                _ => continue,
            };
            let same = self.by_digest.get(descriptor.digest());
            let Some(found) = same.or_else(|| self.by_chain.get(&chain)) else {
                if is_needed {
                    lacking.push((layer.position.number, layer.diff_id.clone()));
                }
                continue;
            };
            let is_other = same.is_none();
            completed.add(found, is_other);
            layer.compression = found.compression;
            layer.bytes = LayerBytes::Input {
                blob: found.blob.clone(),
                descriptor: if is_other {
                    found.descriptor.clone()
                } else {
                    Some(descriptor)
                },
            };
        }
        let wrong = image.layers.iter().find_map(Layer::wrong_size);
        wrong.map_or(Ok(lacking), Err)
    }
}

/// The layers that were put back, each blob once.
#[derive(Debug, Default)]
struct Added {
    layers: HashMap<Member, bool>,
}

impl Added {
    fn add(&mut self, layer: &BaseLayer, is_other: bool) {
        *self.layers.entry(layer.blob.clone()).or_default() |= is_other;
    }
}

/// Puts back all layers that were left out of these items.
///
/// # Errors
///
/// Fails if no base has one of them.
pub(in crate::ops) fn put_back(
    items: &mut [TransferItem<'_>],
    bases: &[Base<'_>],
    watch: &Watch<'_>,
) -> Result<Completed> {
    let layers = BaseLayers::find(bases, watch)?;
    let mut added = Added::default();
    for item in items {
        let mut images = Vec::new();
        images_of_mut(&mut item.content, &mut images);
        for image in images {
            let lacking = layers.put_back(image, &mut added)?;
            if !lacking.is_empty() {
                return Err(Error::BaseLacksLayers {
                    image: item.name.clone(),
                    count: image.layers.len(),
                    layers: lacking,
                });
            }
        }
    }
    let recompressed = added.layers.values().filter(|is_other| **is_other).count();
    if recompressed > 0 {
        watch.warn(Warning::BaseCompressedOtherwise(recompressed));
    }
    let sizes = added.layers.keys().map(|blob| blob.size);
    Ok(Completed {
        layers: added.layers.len(),
        size: sizes.fold(0, u64::saturating_add),
        recompressed,
    })
}

/// Unpacks compressed inputs of which layers are needed in another order than they have
/// them: each step back would cost a pass.
pub(in crate::ops) fn unpack_unordered(
    inputs: &[&dyn ImageSource],
    items: &[TransferItem<'_>],
    order: &[Digest],
    context: Context<'_>,
) -> Result<()> {
    let places: HashMap<&Digest, usize> = order.iter().zip(0..).collect();
    let place = |layer: &Layer| layer.digest().and_then(|it| places.get(&it).copied());
    let mut images = Vec::new();
    for item in items {
        images_of(&item.content, &mut images);
    }
    let layers = images.into_iter().flat_map(|image| &image.layers);
    let layers = layers.filter_map(|layer| Some((place(layer), layer.blob()?)));
    let mut layers: Vec<(Option<usize>, &Member)> = layers.collect();
    layers.sort();
    for (input, origin) in inputs.iter().zip(0..) {
        let container = input.container();
        let own = layers.iter().filter(|(_, blob)| blob.origin == origin);
        if container.is_sequential() && !own.is_sorted_by_key(|(_, blob)| blob.position) {
            container.unpack_to(context.temporary_directory, &context.watch)?;
        }
    }
    Ok(())
}
