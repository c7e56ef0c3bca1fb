//! `remove`: which names, images and blobs a layout loses, and that it loses nothing else.

mod beside;
mod cases;
mod faults;
mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::make::Layout;
use crate::support::sandbox::{Sandbox, tree};

/// Writes a layout as a folder.
fn write(sandbox: &Sandbox, name: &str, layout: &Layout) {
    for member in layout.members() {
        if let crate::support::make::Member::File(path, content) = member {
            sandbox.write(&format!("{name}/{path}"), content);
        }
    }
}

/// The items of the `index.json` of a layout.
fn index(folder: &Path) -> Vec<Value> {
    let bytes = fs::read(folder.join("index.json")).expect("a layout has an index");
    let index: Value = serde_json::from_slice(&bytes).expect("an index is JSON");
    index["manifests"].as_array().expect("a list").clone()
}

/// The name of an item; its digest if it has none.
fn name(item: &Value) -> String {
    let name = item["annotations"]["org.opencontainers.image.ref.name"].as_str();
    let name = name.or(item["digest"].as_str());
    name.expect("an item has a digest").to_owned()
}

/// The files of a layout other than `index.json`, those of blobs by their digests.
fn files(folder: &Path) -> BTreeSet<String> {
    let files = tree(folder).into_keys();
    let files = files.filter(|it| !it.ends_with('/') && it != "index.json");
    files
        .map(|it| match it.strip_prefix("blobs/sha256/") {
            Some(hex) if hex.len() == 64 => format!("sha256:{hex}"),
            _ => it,
        })
        .collect()
}

/// The naive model: everything below these items, by searching each document for digests of
/// blobs that are there, except for the subject.
fn reachable(blobs: &BTreeMap<String, Vec<u8>>, items: &[Value]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut pending: Vec<String> = items
        .iter()
        .map(|it| it["digest"].as_str().expect("a digest").to_owned())
        .collect();
    while let Some(digest) = pending.pop() {
        let Some(bytes) = blobs.get(&digest) else {
            continue;
        };
        if found.insert(digest)
            && let Ok(mut document) = serde_json::from_slice::<Value>(bytes)
            && (document.get("manifests").is_some() || document.get("layers").is_some())
        {
            document["subject"] = Value::Null;
            let text = document.to_string();
            pending.extend(blobs.keys().filter(|it| text.contains(*it)).cloned());
        }
    }
    found
}
