//! The `manifest.json` of several inputs as one.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::format::control_files::MANIFEST;
use crate::format::docker_archive::manifest_json::parse_values;
use crate::format::source::DockerPart;
use crate::image::compact;

/// The documents of these inputs as one, the elements of the first input first; `None`
/// if no input has any.
pub(in crate::format) fn joined_part<'a>(
    parts: impl Iterator<Item = Option<&'a DockerPart>>,
) -> Result<Option<DockerPart>> {
    let mut elements = Vec::new();
    let mut images = Vec::new();
    for part in parts.flatten() {
        let (values, _) = parse_values(&part.manifest)
            .map_err(|source| Error::document(format!("`{MANIFEST}`"), source))?;
        // Each image belongs to the element with its number.
        elements.extend(values.into_iter().take(part.images.len()));
        images.extend(part.images.iter().cloned());
    }
    if elements.is_empty() {
        return Ok(None);
    }
    let mut manifest = compact(&Value::Array(elements));
    manifest.push(b'\n');
    Ok(Some(DockerPart {
        manifest,
        images,
        repositories: None,
        is_joined: true,
    }))
}
