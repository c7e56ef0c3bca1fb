//! The documents of an image with merged layers.

use std::ops::RangeInclusive;

use crate::error::Result;
use crate::format::source::{Image, Layer, LayerBytes};
use crate::image::{Squashed, Timestamp, squash_config};
use crate::ops::edited::{edited_manifest, forget_base, own_document};
use crate::ops::squash::options::SquashOptions;
use crate::ops::squash::plan::{Merged, NewLayer};

/// Makes the image with merged layers; `None` if there are none.
pub(super) fn squashed(
    image: &Image,
    made: &[Merged],
    options: &SquashOptions,
    created: Option<Timestamp>,
) -> Result<Option<Image>> {
    if made.is_empty() {
        return Ok(None);
    }
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
    Ok(Some(Image {
        manifest: manifest.transpose()?,
        config: squash_config(&image.config, &story).map_err(own_document)?,
        layers,
        annotations: image.annotations.clone(),
        others: image.others.clone(),
    }))
}

fn default_comment(range: &RangeInclusive<usize>) -> String {
    let (first, last) = (range.start() + 1, range.end() + 1);
    if first == last {
        return format!("layer {first} rewritten");
    }
    format!("layers {first} to {last} merged")
}
