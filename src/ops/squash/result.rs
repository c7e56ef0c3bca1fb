//! An image with merged layers: its documents and its delivery.

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::format::sink::ImageSink;
use crate::format::source::{Content, Image, ImageSource, Layer, LayerBytes};
use crate::image::{Squashed, Timestamp, squash_config};
use crate::limits::DOCUMENTS_MAX;
use crate::ops::choose::image::ChosenImage;
use crate::ops::squash::options::SquashOptions;
use crate::ops::squash::plan::{Merged, NewLayer};
use crate::stream::Workers;
use crate::transfer::Context;
use crate::transfer::compression::{CompressionChoice, CompressionPolicy};
use crate::transfer::deliver::Delivery;
use crate::transfer::item::TransferItem;
use crate::transfer::referrers::add_referrers;
use crate::transfer::report::WriteReport;

/// Annotations of a manifest that name the base image (image-spec, annotations.md).
/// They are invalid once the lowest layer is merged.
const BASE_ANNOTATIONS: [&str; 2] = [
    "org.opencontainers.image.base.digest",
    "org.opencontainers.image.base.name",
];

/// Writes the image with its new layers, and returns the report.
pub(super) fn deliver(
    source: &dyn ImageSource,
    sink: &dyn ImageSink,
    chosen: ChosenImage<'_>,
    made: &[Merged],
    options: &SquashOptions,
    workers: &Workers,
    context: Context<'_>,
) -> Result<WriteReport> {
    let is_of_index = !chosen.left.is_empty();
    let mut items = vec![TransferItem {
        name: chosen.name,
        left_out: chosen.left,
        descriptor: chosen.descriptor,
        content: Content::Image(chosen.image),
        roots: chosen.roots,
    }];
    add_referrers(source, &mut items, DOCUMENTS_MAX, context)?;
    if !made.is_empty() {
        let item = &mut items[0];
        // Referrers of the image name its old digest, and so another image.
        item.left_out.extend(item.digests());
        if let Content::Image(image) = &mut item.content {
            *image = squashed(image, made, options, context.created)?;
        }
    }
    let delivery = Delivery {
        source,
        sink,
        workers,
        names: &options.names,
        keeps_fields: !is_of_index && options.platform.is_none(),
        policy: CompressionPolicy::new(CompressionChoice::Keep, sink.format()),
        context,
    };
    delivery.run(items)
}

/// Makes the image with merged layers.
fn squashed(
    image: &Image,
    made: &[Merged],
    options: &SquashOptions,
    created: Option<Timestamp>,
) -> Result<Image> {
    let own = |source| Error::Document {
        what: "a document of the image".to_owned(),
        source,
    };
    let mut layers = image.layers.clone();
    let mut story = Vec::new();
    for Merged { range, layer, .. } in made.iter().rev() {
        let NewLayer {
            encoding,
            written: Some((blob, diff_id)),
            ..
        } = layer
        else {
            continue;
        };
        let new = Layer {
            diff_id: diff_id.clone(),
            bytes: LayerBytes::Written(blob.clone()),
            compression: encoding.compression(),
            position: layers[*range.end()].position,
        };
        layers.splice(range.clone(), std::iter::once(new));
        let comment = options.message.clone();
        story.push(Squashed {
            layers: range.clone(),
            diff_id: diff_id.clone(),
            created: created.map(|created| created.to_string()),
            comment: comment.unwrap_or_else(|| default_comment(range)),
        });
    }
    story.reverse();
    let starts_at_base = story
        .first()
        .is_some_and(|range| *range.layers.start() == 0);
    let manifest = image.manifest.as_ref().map(|manifest| {
        manifest.edit(|value| {
            if let Some(fields) = value.as_object_mut() {
                // It referred to something as a manifest with the old digest.
                fields.shift_remove("subject");
            }
            let annotations = value.get_mut("annotations").and_then(Value::as_object_mut);
            if let Some(annotations) = annotations.filter(|_| starts_at_base) {
                for key in BASE_ANNOTATIONS {
                    annotations.shift_remove(key);
                }
            }
        })
    });
    Ok(Image {
        manifest: manifest.transpose().map_err(own)?,
        config: squash_config(&image.config, &story).map_err(own)?,
        layers,
    })
}

fn default_comment(range: &RangeInclusive<usize>) -> String {
    let (first, last) = (range.start() + 1, range.end() + 1);
    if first == last {
        return format!("layer {first} rewritten");
    }
    format!("layers {first} to {last} merged")
}
