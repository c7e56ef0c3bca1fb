//! Archives from before Docker 1.10: a folder for each image, and no config.
//!
//! Every image is one layer on top of its parent. Its config is made here, as Docker
//! makes it when it loads such an archive (`image/tarexport/load.go`, engines 1.10 to
//! 28), so that the image gets the same id.

mod go_json;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::digest::DiffId;
use crate::error::{Error, LimitError, Result};
use crate::event::Watch;
use crate::format::container::{Container, Member, find_document, spend, unpacked_digest};
use crate::format::control_files::REPOSITORIES;
use crate::format::docker_archive::manifest_json::{Element, check_count, field};
use crate::image::{Config, Document, DocumentError, go_json, json_text, parse_value};
use crate::limits::{DESCRIPTORS_MAX, DOCUMENTS_MAX};
use crate::tar_stream::TarError;

/// Since this version Docker keeps unknown fields of a v1 image.
const KEEPS_UNKNOWN_FIELDS: [u64; 3] = [1, 8, 3];

/// Keys of a v1 image that do not belong to its config.
const NOT_IN_CONFIG: [&str; 6] = ["id", "parent", "Size", "parent_id", "layer_id", "throwaway"];

/// Returns true if there are images in folders.
pub(in crate::format) fn is_v1_archive(container: &dyn Container) -> bool {
    let paths = container.paths();
    image_ids(&paths).next().is_some()
}

/// The names of top-level folders with an image.
fn image_ids<'a>(paths: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let has = |path: String| paths.binary_search(&path.as_str()).is_ok();
    paths
        .iter()
        .filter_map(|path| path.strip_suffix("/layer.tar"))
        .filter(move |id| !id.contains('/') && has(format!("{id}/json")))
}

/// Finds the images with a tag, and those that are not a parent of others, and makes
/// their configs.
pub(in crate::format) fn read_elements(
    container: &dyn Container,
    watch: &Watch<'_>,
) -> Result<Vec<(Element, Document<Config>)>> {
    // No document lists the members, so the end must be present.
    if let Some(offset) = container.end().cut_off_at {
        return Err(TarError::EndMissing { offset }.into());
    }
    let mut tags = read_repositories(container)?;
    let paths = container.paths();
    let mut images = BTreeMap::new();
    let mut budget = DOCUMENTS_MAX;
    for id in image_ids(&paths) {
        let bytes = find_document(container, &format!("{id}/json"))?.unwrap_or_default();
        budget = spend(budget, bytes.len() as u64)?;
        images.insert(id.to_owned(), parse_image(id, &bytes)?);
    }
    let parents: BTreeSet<_> = images
        .values()
        .filter_map(parent)
        .map(str::to_owned)
        .collect();
    for id in images.keys() {
        let is_listed = tags.iter().any(|(listed, _)| listed == id);
        if !is_listed && !parents.contains(id) {
            tags.push((id.clone(), Vec::new()));
        }
    }
    let mut chains = Vec::new();
    for (id, tags) in tags {
        chains.push((chain(&images, &id)?, tags));
    }
    let diff_ids = diff_ids(container, &chains, watch)?;
    let element = |(chain, tags): (Vec<String>, Vec<String>)| {
        let top = chain.last().expect("a chain has the image itself");
        let path = format!("{top}/json");
        let config = make_config(&images, &chain, &diff_ids)
            .map_err(|source| Error::document(format!("`{path}`"), source))?;
        let element = Element {
            config: path,
            tags,
            layers: chain.iter().map(|id| layer_path(id)).collect(),
            sources: BTreeMap::new(),
            parent: None,
        };
        Ok((element, config))
    };
    chains.into_iter().map(element).collect()
}

fn layer_path(id: &str) -> String {
    format!("{id}/layer.tar")
}

/// `repositories`: name → tag → id of the image. Returns ids with their references.
fn read_repositories(container: &dyn Container) -> Result<Vec<(String, Vec<String>)>> {
    let Some(bytes) = find_document(container, REPOSITORIES)? else {
        return Ok(Vec::new());
    };
    let malformed = |source| Error::document(format!("`{REPOSITORIES}`"), source);
    let names = parse_value(&bytes).map_err(malformed)?;
    let wrong = || {
        malformed(DocumentError::Field {
            field: "the document".to_owned(),
            expected: "an object",
        })
    };
    let names = names.as_object().ok_or_else(wrong)?;
    let tags = names.values().filter_map(Value::as_object).map(Map::len);
    check_count("the document", tags.sum()).map_err(malformed)?;
    let mut ids: Vec<(String, Vec<String>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (name, tags) in names {
        let wrong = || {
            malformed(DocumentError::Field {
                field: name.clone(),
                expected: "a list of tags",
            })
        };
        for (tag, id) in tags.as_object().ok_or_else(wrong)? {
            let id = id.as_str().ok_or_else(wrong)?;
            let reference = format!("{name}:{tag}");
            let place = *places.entry(id).or_insert(ids.len());
            if place == ids.len() {
                ids.push((id.to_owned(), Vec::new()));
            }
            ids[place].1.push(reference);
        }
    }
    Ok(ids)
}

/// The JSON of a v1 image, twice: parsed, and raw to be kept.
struct V1Image {
    value: Value,
    raw: BTreeMap<String, Box<RawValue>>,
}

fn parse_image(id: &str, bytes: &[u8]) -> Result<V1Image> {
    let parse = || {
        let text = json_text(bytes)?;
        Ok(V1Image {
            value: serde_json::from_str(&text)?,
            raw: serde_json::from_str(&text)?,
        })
    };
    parse().map_err(|source| Error::document(format!("`{id}/json`"), source))
}

fn parent(image: &V1Image) -> Option<&str> {
    let parent = field(&image.value, "parent")?.as_str()?;
    (!parent.is_empty()).then_some(parent)
}

/// The ancestors of an image and the image itself, the lowest first.
fn chain<'a>(images: &'a BTreeMap<String, V1Image>, id: &'a str) -> Result<Vec<String>> {
    let mut chain = vec![id.to_owned()];
    let mut seen = BTreeSet::from([id]);
    let mut named_by = format!("`{REPOSITORIES}`");
    let mut current = id;
    loop {
        let image = images.get(current).ok_or_else(|| Error::MemberAbsent {
            document: named_by,
            name: format!("{current}/json"),
        })?;
        let Some(parent) = parent(image) else {
            break;
        };
        if !seen.insert(parent) {
            return Err(Error::V1Circle(parent.to_owned()));
        }
        if chain.len() >= DESCRIPTORS_MAX {
            return Err(LimitError::TooManyLayers {
                id: id.to_owned(),
                limit: DESCRIPTORS_MAX,
            }
            .into());
        }
        named_by = format!("`{current}/json`");
        chain.push(parent.to_owned());
        current = parent;
    }
    chain.reverse();
    Ok(chain)
}

/// Hashes the layers of all chains, each once, in the order of the archive.
fn diff_ids(
    container: &dyn Container,
    chains: &[(Vec<String>, Vec<String>)],
    watch: &Watch<'_>,
) -> Result<BTreeMap<String, DiffId>> {
    let mut layers: Vec<(Member, &str)> = Vec::new();
    let ids: BTreeSet<&String> = chains.iter().flat_map(|(chain, _)| chain).collect();
    for id in ids {
        let member = container.find(&layer_path(id))?;
        let member = member.ok_or_else(|| Error::MemberAbsent {
            document: format!("`{id}/json`"),
            name: layer_path(id),
        })?;
        layers.push((member, id));
    }
    layers.sort();
    let mut diff_ids = BTreeMap::new();
    for (member, id) in layers {
        let digest = unpacked_digest(container, &member, watch)?;
        diff_ids.insert(id.to_owned(), DiffId(digest));
    }
    Ok(diff_ids)
}

/// The config that Docker makes for an image and its ancestors.
fn make_config(
    images: &BTreeMap<String, V1Image>,
    chain: &[String],
    diff_ids: &BTreeMap<String, DiffId>,
) -> Result<Document<Config>, DocumentError> {
    let history: Vec<Value> = chain
        .iter()
        .map(|id| history_entry(&images[id].value))
        .collect();
    let of_layers: Vec<_> = chain.iter().map(|id| diff_ids[id].to_string()).collect();
    let rootfs = json!({"type": "layers", "diff_ids": of_layers});
    let top = &images[chain.last().expect("a chain has the image itself")];
    let raw = |value: &Value| {
        let json = String::from_utf8_lossy(&go_json(value)).into_owned();
        RawValue::from_string(json)
    };
    let mut fields = BTreeMap::new();
    if keeps_unknown_fields(&top.value) {
        for (key, value) in &top.raw {
            fields.insert(key.clone(), value.clone());
        }
    } else if let Value::Object(known) = go_json::v1_image(&top.value) {
        for (key, value) in &known {
            fields.insert(key.clone(), raw(value)?);
        }
    }
    for key in NOT_IN_CONFIG {
        fields.remove(key);
    }
    fields.insert("rootfs".to_owned(), raw(&rootfs)?);
    fields.insert("history".to_owned(), raw(&Value::Array(history))?);
    Document::parse(go_json::sorted_object(&fields).into_bytes())
}

fn history_entry(image: &Value) -> Value {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let command = field(image, "container_config").and_then(|config| field(config, "Cmd"));
    let words: Vec<&str> = match command {
        Some(Value::String(word)) => vec![word],
        Some(Value::Array(words)) => words
            .iter()
            .map(|word| word.as_str().unwrap_or_default())
            .collect(),
        _ => Vec::new(),
    };
    let mut entry = Map::new();
    let created = go_json::time_or_zero(image.get("created").unwrap_or(&Value::Null));
    entry.insert("created".to_owned(), created.into());
    for (key, value) in [
        ("author", text(image.get("author"))),
        ("created_by", words.join(" ")),
        ("comment", text(image.get("comment"))),
    ] {
        if !value.is_empty() {
            entry.insert(key.to_owned(), value.into());
        }
    }
    Value::Object(entry)
}

/// Compares versions as Docker does: numbers between dots, where anything else counts
/// as 0.
fn keeps_unknown_fields(image: &Value) -> bool {
    let version = image.get("docker_version").and_then(Value::as_str);
    let mut parts = version
        .unwrap_or_default()
        .split('.')
        .map(|part| part.parse().unwrap_or(0));
    let version: [u64; 3] = std::array::from_fn(|_| parts.next().unwrap_or(0));
    version >= KEEPS_UNKNOWN_FIELDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_docker_does() {
        for (version, keeps) in [
            ("1.8.2", false),
            ("1.8.3", true),
            ("1.10", true),
            ("1.8.3-rc1", false),
            ("1.9.1-foo", true),
            ("", false),
        ] {
            let image = json!({"docker_version": version});
            assert_eq!(keeps_unknown_fields(&image), keeps, "{version}");
        }
        assert!(!keeps_unknown_fields(&json!({})));
    }
}
