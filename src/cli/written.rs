//! What a command says of what it has written.

use std::ffi::OsStr;

use restow::ops::{WriteReport, WrittenImage};
use serde_json::{Map, Value, json};

use crate::cli::failure::Failure;
use crate::cli::images;
use crate::cli::location::{Location, Place};
use crate::cli::look::{digest_json, fields, typed};

/// Refuses `--json` where the output itself goes to standard output.
pub(super) fn check_json(is_json: bool, destination: &Location) -> Result<(), Failure> {
    if is_json && destination.place == Place::Standard {
        return Err(Failure::Usage {
            message: "`--json` prints to standard output, where the image goes".to_owned(),
            hint: Some("name a file as DST"),
        });
    }
    Ok(())
}

/// What was written, for programs: the same fields from every command that writes
/// images.
pub(super) fn to_json(
    source: &OsStr,
    destination: Option<&OsStr>,
    report: Option<&WriteReport>,
) -> Map<String, Value> {
    let written = report.map_or(&[][..], |report| &report.images);
    fields(json!({
        "source": typed(source),
        "destination": destination.filter(|_| report.is_some()).map(typed),
        "format": report.map(|report| report.format.transport()),
        "images": written.iter().map(image_json).collect::<Vec<_>>(),
    }))
}

fn image_json(image: &WrittenImage) -> Value {
    let references = image.references.iter().map(ToString::to_string);
    json!({
        "references": references.collect::<Vec<_>>(),
        "labels": image.labels,
        "kind": images::name(image.kind),
        "id": digest_json(image.id.as_ref()),
        "digest": image.digest.to_string(),
        "media_type": image.media_type,
        "platform": image.platform.as_ref().map(ToString::to_string),
        "layers": image.layers,
        "size": image.size,
    })
}
