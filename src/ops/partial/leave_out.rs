//! `convert --without`: layers that the other side has are left out.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::event::Warning;
use crate::format::source::{Image, Layer, LayerBytes};
use crate::format::{Container, Member};
use crate::image::Descriptor;
use crate::image::media_type::{Family, LayerType};
use crate::ops::partial::inventory::{Inventory, StoredLayer};
use crate::ops::partial::{Chain, images_of, images_of_mut, stored_digest};
use crate::stream::Compression;
use crate::transfer::Context;
use crate::transfer::blob_job::BlobJob;
use crate::transfer::item::TransferItem;
use crate::transfer::read::read_unpacked;
use crate::transfer::report::{LeftOut, WriteReport};

/// Leaves out the lowest layers of images, as far as the other side has them all. A
/// higher layer stays, even if the other side has it: no engine takes an archive with
/// such a hole.
pub(in crate::ops) fn leave_out(
    items: &mut [TransferItem<'_>],
    inventory: &Inventory,
    container: &dyn Container,
    context: Context<'_>,
) -> Result<LeftOut> {
    let mut omitted: HashMap<Member, u64> = HashMap::new();
    let mut layers: HashMap<Member, u64> = HashMap::new();
    let mut kept: HashSet<Member> = HashSet::new();
    let mut plans = Vec::new();
    for item in &*items {
        let mut images = Vec::new();
        images_of(&item.content, &mut images);
        for image in images {
            let plan = lowest(image, &item.name, inventory, container, context)?;
            for (at, blob) in image.layers.iter().map(Layer::blob).enumerate() {
                layers.extend(blob.map(|blob| (blob.clone(), blob.size)));
                let blob = blob.filter(|_| !plan.contains_key(&at));
                kept.extend(blob.cloned());
            }
            plans.push(plan);
        }
    }
    let mut facts = Facts::default();
    let mut images = Vec::new();
    let contents = items.iter_mut().map(|item| &mut item.content);
    contents.for_each(|content| images_of_mut(content, &mut images));
    for (image, plan) in images.into_iter().zip(plans) {
        for (at, new) in plan {
            let layer = &mut image.layers[at];
            // One that another image needs comes along anyway.
            let Some(blob) = layer.blob().filter(|it| !kept.contains(it)).cloned() else {
                continue;
            };
            omitted.insert(blob.clone(), blob.size);
            facts.is_assumed |= new.is_assumed;
            facts.recompressed += usize::from(new.is_other);
            layer.compression = new.form.compression;
            let descriptor = new.form.descriptor;
            layer.bytes = LayerBytes::Omitted { blob, descriptor };
        }
    }
    if facts.is_assumed {
        context.watch.warn(Warning::CompressionAssumed);
    }
    let sum = |sizes: &HashMap<Member, u64>| {
        sizes
            .values()
            .fold(0, |sum: u64, size| sum.saturating_add(*size))
    };
    Ok(LeftOut {
        layers: omitted.len(),
        size: sum(&omitted),
        layers_before: layers.len(),
        size_before: sum(&layers),
        is_assumed: facts.is_assumed,
        recompressed: facts.recompressed,
        images: Vec::new(),
    })
}

/// The facts about the layers that are left out.
#[derive(Debug, Default)]
struct Facts {
    /// True if the compression of any on the other side is unknown.
    is_assumed: bool,
    /// The number of layers that the other side has in another form.
    recompressed: usize,
}

/// The form in which the other side has a layer.
struct NewForm {
    form: StoredLayer,
    /// True if only the diff_id is known of it.
    is_assumed: bool,
    /// True if it differs from that in the input.
    is_other: bool,
}

/// The lowest layers of an image that the other side has, by their places, without those that may be
/// elsewhere anyway.
fn lowest(
    image: &Image,
    name: &str,
    inventory: &Inventory,
    container: &dyn Container,
    context: Context<'_>,
) -> Result<BTreeMap<usize, NewForm>> {
    let mut chain = Chain::default();
    let mut lowest = BTreeMap::new();
    for (at, layer) in image.layers.iter().enumerate() {
        let Some(forms) = inventory.forms(&chain.push(&layer.diff_id)) else {
            break;
        };
        let form = match &layer.bytes {
            LayerBytes::Input { .. } => form_there(layer, name, forms, container, context)?,
            LayerBytes::Elsewhere(_) => continue,
            _ => break,
        };
        lowest.insert(at, form);
    }
    Ok(lowest)
}

/// The form of a layer on the other side: the layer's own if it has that, else the first
/// of those that it has. If none is known, it is assumed to be plain.
fn form_there(
    layer: &Layer,
    name: &str,
    forms: &[StoredLayer],
    container: &dyn Container,
    context: Context<'_>,
) -> Result<NewForm> {
    let own = stored_digest(layer, name, container, context.watch)?;
    let is_own = |form: &&StoredLayer| own.as_ref() == Some(form.descriptor.digest());
    let is_assumed = forms.is_empty();
    let form = match (forms.iter().find(is_own), forms.first(), &own) {
        (Some(_), _, Some(own)) => own_form(layer, own),
        (None, None, Some(own)) if *own == layer.diff_id.0 => own_form(layer, own),
        (_, Some(other), _) => other.clone(),
        (_, None, _) => plain_form(layer, name, container, context)?,
    };
    let is_other = own.as_ref() != Some(form.descriptor.digest());
    Ok(NewForm {
        form,
        is_assumed,
        is_other,
    })
}

/// The form of a layer in the input, with this digest.
fn own_form(layer: &Layer, digest: &Digest) -> StoredLayer {
    let size = layer.stored_size();
    let new = || Descriptor::new(&label(layer.compression), digest.clone(), size);
    StoredLayer {
        descriptor: layer.descriptor().cloned().unwrap_or_else(new),
        compression: layer.compression,
    }
}

/// The plain form of a compressed layer, which must be unpacked for its size.
fn plain_form(
    layer: &Layer,
    name: &str,
    container: &dyn Container,
    context: Context<'_>,
) -> Result<StoredLayer> {
    let blob = layer.blob().ok_or(Error::LayerAbsent)?;
    let job = BlobJob::of_layer(layer, blob, None, layer.place(name));
    let size = read_unpacked(container, &job, context.watch.silent(), |unpacked| {
        Ok(std::io::copy(unpacked, &mut std::io::sink())?)
    })?;
    let plain = Compression::None;
    Ok(StoredLayer {
        descriptor: Descriptor::new(&label(plain), layer.diff_id.0.clone(), size),
        compression: plain,
    })
}

/// The media type of a layer with this compression.
fn label(compression: Compression) -> String {
    let label = Family::Oci.layer(LayerType::new(compression));
    label.unwrap_or_else(|| crate::image::media_type::OCI_LAYER.to_owned())
}

/// Adds what was left out to the report of what was written.
pub(in crate::ops) fn tell(report: &mut WriteReport, mut left_out: LeftOut) {
    if let Some(told) = report.left_out.take() {
        left_out.images = told.images;
    }
    report.left_out = Some(left_out);
}
