//! An image with merged layers: its documents and its delivery.

use std::ops::RangeInclusive;

use crate::error::Result;
use crate::format::sink::ImageSink;
use crate::format::source::{Content, Image, ImageSource, Layer, LayerBytes};
use crate::image::{Squashed, Timestamp, squash_config};
use crate::ops::choose::image::ChosenImage;
use crate::ops::edited::{Edited, edited_manifest, forget_base, own_document};
use crate::ops::squash::options::SquashOptions;
use crate::ops::squash::plan::{Merged, NewLayer};
use crate::stream::Workers;
use crate::transfer::Context;
use crate::transfer::compression::{CompressionChoice, CompressionPolicy};
use crate::transfer::report::WriteReport;

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
    let edited = Edited {
        source,
        sink,
        names: &options.names,
        keeps_fields: chosen.left.is_empty() && options.platform.is_none(),
        policy: CompressionPolicy::new(CompressionChoice::Keep, sink.format()),
        workers,
        context,
    };
    let changed = if made.is_empty() {
        None
    } else {
        let image = squashed(&chosen.image, made, options, context.created)?;
        Some(Content::Image(image))
    };
    edited.deliver(chosen.into(), changed)
}

/// Makes the image with merged layers.
fn squashed(
    image: &Image,
    made: &[Merged],
    options: &SquashOptions,
    created: Option<Timestamp>,
) -> Result<Image> {
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
            keeps_compression: false,
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
        edited_manifest(manifest, |value| {
            if starts_at_base {
                forget_base(value);
            }
        })
    });
    Ok(Image {
        manifest: manifest.transpose()?,
        config: squash_config(&image.config, &story).map_err(own_document)?,
        layers,
        annotations: image.annotations.clone(),
    })
}

fn default_comment(range: &RangeInclusive<usize>) -> String {
    let (first, last) = (range.start() + 1, range.end() + 1);
    if first == last {
        return format!("layer {first} rewritten");
    }
    format!("layers {first} to {last} merged")
}
