//! The documents that also make an OCI layout in a tar a docker archive.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value, json};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::format::control_files::MANIFEST;
use crate::format::docker_archive::manifest_json::{field, parse_values, texts};
use crate::format::oci_layout::blob_path;
use crate::format::sink::{OutputImage, OutputIndex, OutputLayer};
use crate::image::{Reference, compact, parse_value};

/// An image, with all of its names.
struct NamedImage<'a> {
    image: &'a OutputImage,
    names: Vec<&'a Reference>,
    /// The number of its element in the input.
    before: Option<usize>,
}

/// Returns `manifest.json`, and `repositories` if any image has a tag.
///
/// Both end in a line feed, like Docker's own. Images with several tags have one
/// element. If the input has an element for an image, it keeps its place and its
/// fields, except for those that are no longer true; if all of them are still true,
/// both documents are copied byte for byte.
pub(in crate::format) fn docker_documents(
    index: &OutputIndex,
) -> Result<(Vec<u8>, Option<Vec<u8>>)> {
    let (before, goes_on) = before(index)?;
    let images = named_images(index, &before);
    let configs: HashSet<&Digest> = images.iter().map(|named| &named.image.config).collect();
    let part = index.docker.as_ref();
    let orphans = part.map(|part| part.orphans(&configs)).unwrap_or_default();
    let element = |named: &NamedImage<'_>| match named.before {
        Some(at) => changed_element(&before[at], named, orphans.contains(&at)),
        None => new_element(named),
    };
    let elements: Vec<Value> = images.iter().map(element).collect();
    let mut repositories: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for named in &images {
        // Engines since 25 use the diff_id of the top layer here.
        let Some(top) = named.image.layers.last() else {
            continue;
        };
        for name in &named.names {
            let tags = repositories.entry(name.written_name()).or_default();
            tags.insert(name.tag().unwrap_or_default(), top.diff_id.0.hex());
        }
    }
    let repositories = (!repositories.is_empty()).then(|| json!(repositories));
    if let Some(part) = part
        && elements == before
        && !goes_on
    {
        // Docker's containerd store does not write `repositories`.
        let held = part.repositories.as_ref().map(|held| {
            let is_same = parse_value(held).ok() == repositories;
            let made = || repositories.as_ref().map(line);
            if is_same { Some(held.clone()) } else { made() }
        });
        return Ok((part.manifest.clone(), held.flatten()));
    }
    let repositories = repositories.as_ref().map(line);
    Ok((line(&Value::Array(elements)), repositories))
}

/// The elements of the input's `manifest.json`, and true if bytes follow them.
fn before(index: &OutputIndex) -> Result<(Vec<Value>, bool)> {
    let Some(part) = &index.docker else {
        return Ok((Vec::new(), false));
    };
    parse_values(&part.manifest).map_err(|source| Error::document(format!("`{MANIFEST}`"), source))
}

/// The images of an output, those of the input's `manifest.json` first.
fn named_images<'a>(index: &'a OutputIndex, before: &[Value]) -> Vec<NamedImage<'a>> {
    let mut elements: HashMap<&Digest, Vec<usize>> = HashMap::new();
    if let Some(part) = &index.docker {
        for (at, image) in part.images.iter().enumerate().rev() {
            elements.entry(&image.config).or_default().push(at);
        }
    }
    let mut images: Vec<NamedImage<'a>> = Vec::new();
    let mut places: HashMap<&OutputImage, usize> = HashMap::new();
    for root in &index.roots {
        let Some(image) = &root.image else {
            continue;
        };
        let at = *places.entry(image).or_insert_with(|| {
            images.push(NamedImage {
                image,
                names: Vec::new(),
                before: elements.get_mut(&image.config).and_then(Vec::pop),
            });
            images.len() - 1
        });
        images[at].names.extend(&root.reference);
    }
    // Of several inputs, one without elements keeps its place.
    if !index.docker.as_ref().is_some_and(|part| part.is_joined) {
        images.sort_by_key(|named| named.before.unwrap_or(usize::MAX));
    }
    for named in &mut images {
        let mut seen = HashSet::new();
        named.names.retain(|name| seen.insert(name.written()));
        if let Some(at) = named.before {
            let tags = texts(&before[at], "RepoTags").unwrap_or_default();
            let place = |name: &&Reference| tags.iter().position(|tag| *tag == name.written());
            let places: Option<Vec<usize>> = named.names.iter().map(place).collect();
            // The order of the input, unless something is added to it.
            if let Some(places) = places {
                let mut names: Vec<_> = places.into_iter().zip(&named.names).collect();
                names.sort_by_key(|(place, _)| *place);
                named.names = names.into_iter().map(|(_, name)| *name).collect();
            }
        }
    }
    images
}

fn new_element(image: &NamedImage<'_>) -> Value {
    let mut element = json!({
        "Config": blob_path(&image.image.config),
        "RepoTags": repo_tags(image),
        "Layers": layers(image),
    });
    if let Some(sources) = layer_sources(image) {
        element["LayerSources"] = sources;
    }
    element
}

/// The element of the input, with its fields updated for the output.
fn changed_element(before: &Value, image: &NamedImage<'_>, loses_parent: bool) -> Value {
    let mut element = before.clone();
    let Value::Object(fields) = &mut element else {
        return new_element(image);
    };
    // Engines accept a name in any case, and use the last of several. Others do not.
    let is_odd = |name: &str| {
        let mut keys = before.as_object().into_iter().flat_map(Map::keys);
        keys.any(|key| key != name && key.eq_ignore_ascii_case(name))
    };
    let mut set = |name: &str, value: Option<Value>| {
        fields.retain(|key, _| key == name || !key.eq_ignore_ascii_case(name));
        match value {
            Some(value) => drop(fields.insert(name.to_owned(), value)),
            None => drop(fields.shift_remove(name)),
        }
    };
    let config = blob_path(&image.image.config);
    if is_odd("Config") || field(before, "Config").and_then(Value::as_str) != Some(&config) {
        set("Config", Some(config.into()));
    }
    if is_odd("RepoTags") || texts(before, "RepoTags") != Some(image.tags()) {
        set("RepoTags", Some(repo_tags(image)));
    }
    if is_odd("Layers") || texts(before, "Layers").as_ref() != Some(&layers(image)) {
        set("Layers", Some(layers(image).into()));
        set("LayerSources", layer_sources(image));
    }
    if loses_parent {
        set("Parent", None);
    } else if is_odd("Parent") {
        set("Parent", field(before, "Parent").cloned());
    }
    element
}

impl NamedImage<'_> {
    /// Its names, as originally written.
    fn tags(&self) -> Vec<String> {
        self.names.iter().map(|name| name.written()).collect()
    }
}

fn repo_tags(image: &NamedImage<'_>) -> Value {
    match image.tags() {
        tags if tags.is_empty() => Value::Null,
        tags => json!(tags),
    }
}

fn layers(image: &NamedImage<'_>) -> Vec<String> {
    let layers = image.image.layers.iter();
    layers.map(|layer| blob_path(&layer.digest)).collect()
}

/// The descriptors of layers that the archive does not contain, if any.
fn layer_sources(image: &NamedImage<'_>) -> Option<Value> {
    let source = |layer: &OutputLayer| {
        let source = serde_json::from_str(layer.source.as_deref()?).ok()?;
        Some((layer.diff_id.to_string(), source))
    };
    let foreign: Map<String, Value> = image.image.layers.iter().filter_map(source).collect();
    (!foreign.is_empty()).then_some(Value::Object(foreign))
}

fn line(value: &Value) -> Vec<u8> {
    let mut bytes = compact(value);
    bytes.push(b'\n');
    bytes
}
