//! Archives with names of their own, so that an engine can load them without touching those of its
//! user.

use serde_json::{Value, json};

use super::engine::unique;
use super::image::{Store, strings};
use super::make::{self, Member};
use super::reference::{full, split};

/// An archive whose names no other test uses, and which is otherwise unchanged.
#[derive(Debug)]
pub(crate) struct Retagged {
    /// The archive, as an uncompressed tar.
    pub(crate) archive: Vec<u8>,
    /// The names, sorted.
    pub(crate) tags: Vec<String>,
}

/// The annotations of a descriptor that give a name.
const NAMES: [&str; 2] = [
    "io.containerd.image.name",
    "org.opencontainers.image.ref.name",
];

/// Renames the images of an archive in every document that names them.
#[track_caller]
pub(crate) fn retagged(archive: &[u8]) -> Retagged {
    let store = Store::from_tar(archive);
    let repository = unique();
    let mut known: Vec<String> = Vec::new();
    let mut renamed = |name: &str| {
        let name = full(name);
        let at = known.iter().position(|it| *it == name);
        let at = at.unwrap_or_else(|| {
            known.push(name);
            known.len() - 1
        });
        format!("{repository}:{at}")
    };
    let mut members = Vec::new();
    for name in store.names() {
        let mut content = store.file(name).to_vec();
        match name {
            "repositories" => continue,
            "manifest.json" => {
                let mut manifest = store.json(name);
                for element in manifest.as_array_mut().expect("an array") {
                    let tags = strings(&element["RepoTags"]);
                    let tags: Vec<String> = tags.iter().map(|it| renamed(it)).collect();
                    element["RepoTags"] = json!(tags);
                }
                content = manifest.to_string().into_bytes();
            }
            "index.json" => {
                let mut index = store.json(name);
                for descriptor in index["manifests"].as_array_mut().expect("an array") {
                    rename(&mut descriptor["annotations"], &mut renamed);
                }
                content = index.to_string().into_bytes();
            }
            _ => {}
        }
        members.push(Member::file(name, content));
    }
    let mut tags: Vec<String> = (0..known.len())
        .map(|at| format!("{repository}:{at}"))
        .collect();
    tags.sort();
    Retagged {
        archive: make::tar(&members),
        tags,
    }
}

/// Changes the names of an image in its annotations; a bare tag remains one.
fn rename(annotations: &mut Value, renamed: &mut impl FnMut(&str) -> String) {
    let name = NAMES.iter().find_map(|it| annotations[*it].as_str());
    let Some(new) = name.filter(|it| split(it).is_some()).map(renamed) else {
        return;
    };
    for key in NAMES {
        let Some(old) = annotations[key].as_str() else {
            continue;
        };
        let (_, bare) = split(&new).expect("a tag");
        let is_bare = split(old).is_none();
        // Docker does not treat a reference other than the full one as a name of its own.
        annotations[key] = json!(if is_bare { bare.to_owned() } else { full(&new) });
    }
}

/// The digest of a name in `index.json` of an archive.
#[track_caller]
pub(crate) fn digest_of(archive: &[u8], tag: &str) -> String {
    let index = Store::from_tar(archive).json("index.json");
    let mut descriptors = index["manifests"].as_array().expect("an array").iter();
    let is_named = |it: &&Value| {
        NAMES.iter().any(|key| {
            let name = it["annotations"][*key].as_str();
            name.is_some_and(|name| split(name).is_some() && full(name) == full(tag))
        })
    };
    let found = descriptors.find(is_named);
    let found = found.unwrap_or_else(|| panic!("`{tag}` is not in index.json: {index}"));
    found["digest"].as_str().expect("a digest").to_owned()
}
