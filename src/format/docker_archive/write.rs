//! The documents that make an OCI layout in a tar a docker archive too.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::format::oci_layout::blob_path;
use crate::format::sink::{OutputImage, OutputIndex};
use crate::image::compact;

/// Returns `manifest.json`, and `repositories` if any image has a tag.
///
/// Both end in a line feed, as Docker's own do. Images that are there under
/// several tags share an element.
pub(in crate::format) fn docker_documents(index: &OutputIndex) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut elements: Vec<(&OutputImage, Vec<String>)> = Vec::new();
    let mut repositories: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for root in &index.roots {
        let Some(image) = &root.image else {
            continue;
        };
        let at = elements
            .iter()
            .position(|(of, _)| *of == image)
            .unwrap_or_else(|| {
                elements.push((image, Vec::new()));
                elements.len() - 1
            });
        let Some(reference) = &root.reference else {
            continue;
        };
        elements[at].1.push(reference.to_string());
        // The engines of 25 and later put the diff_id of the top layer here.
        if let (Some(tag), Some(top)) = (reference.tag(), image.layers.last()) {
            let tags = repositories.entry(reference.familiar_name()).or_default();
            tags.insert(tag.to_owned(), top.diff_id.0.hex().to_owned());
        }
    }
    let elements: Vec<Value> = elements
        .into_iter()
        .map(|(image, tags)| element(image, &tags))
        .collect();
    let manifest = line(&Value::Array(elements));
    let repositories = (!repositories.is_empty()).then(|| line(&json!(repositories)));
    (manifest, repositories)
}

fn element(image: &OutputImage, tags: &[String]) -> Value {
    let layers: Vec<_> = image
        .layers
        .iter()
        .map(|layer| blob_path(&layer.digest))
        .collect();
    let mut element = json!({
        "Config": blob_path(&image.config),
        "RepoTags": if tags.is_empty() { Value::Null } else { json!(tags) },
        "Layers": layers,
    });
    let foreign: Map<String, Value> = image
        .layers
        .iter()
        .filter_map(|layer| {
            let source = serde_json::from_str(layer.source.as_deref()?).ok()?;
            Some((layer.diff_id.to_string(), source))
        })
        .collect();
    if !foreign.is_empty() {
        element["LayerSources"] = Value::Object(foreign);
    }
    element
}

fn line(value: &Value) -> Vec<u8> {
    let mut bytes = compact(value);
    bytes.push(b'\n');
    bytes
}
