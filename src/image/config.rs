//! Configs: what an image runs, and what its layers unpack to.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use crate::digest::DiffId;
use crate::image::json::{DocumentError, Node};
use crate::image::time::{Instant, parse_rfc3339};
use crate::image::{DESCRIPTORS_MAX, Document, Platform, View};

/// An image config, OCI's or Docker's: the same document but for further fields.
#[derive(Clone, Debug)]
pub struct Config {
    /// The platform, where the config says it.
    pub platform: Option<Platform>,
    /// The layers' diff_ids, the lowest first.
    pub diff_ids: Vec<DiffId>,
}

impl View for Config {
    fn from_json(value: &Value) -> Result<Self, DocumentError> {
        let root = Node::root(value);
        let rootfs = root.required("rootfs", "an object")?;
        let diff_ids = rootfs.list("diff_ids", DESCRIPTORS_MAX)?;
        Ok(Self {
            platform: Platform::from_json(value),
            diff_ids: diff_ids
                .iter()
                .map(|node| node.digest().map(DiffId))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// The config of an image made of one rootfs tar, with nothing to run.
///
/// History has one entry, with the comment that `docker import` writes when it
/// is given a stream. `created` is RFC 3339.
#[must_use]
pub(crate) fn import_config(platform: &Platform, created: &str, diff_id: &DiffId) -> Value {
    let mut config = json!({
        "created": created,
        "architecture": platform.architecture,
        "os": platform.os,
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [diff_id.to_string()]},
        "history": [{"created": created, "comment": "Imported from -"}],
    });
    if let Some(variant) = &platform.variant {
        config["variant"] = variant.as_str().into();
    }
    config
}

/// What a config has to say of layers that became one.
#[derive(Clone, Debug)]
pub(crate) struct Squashed {
    /// The layers, counted from 0.
    pub(crate) layers: RangeInclusive<usize>,
    /// What the new layer unpacks to.
    pub(crate) diff_id: DiffId,
    /// When it was made, as RFC 3339; by default the latest time of the history
    /// entries of its layers, or else that of the image.
    pub(crate) created: Option<String>,
    /// Why.
    pub(crate) comment: String,
}

/// Edits a config for ranges of layers that became one each, the lowest first.
///
/// The history keeps its story, as `docker build --squash` keeps it: entries of
/// merged layers stay and are marked `empty_layer`, and behind the last of them
/// stands one for the new layer. Afterwards as many entries are not empty as there
/// are layers, also where that was not so before: surplus ones become empty, and
/// layers without one get an entry that says nothing.
pub(crate) fn squash_config(
    config: &Document<Config>,
    squashed: &[Squashed],
) -> Result<Document<Config>, DocumentError> {
    let mut diff_ids = config.view().diff_ids.clone();
    let count = diff_ids.len();
    config.edit(|value| {
        let created = value["created"].clone();
        let history = match value["history"].take() {
            Value::Array(history) => history,
            _ => Vec::new(),
        };
        let mut history = aligned(history, count);
        for range in squashed.iter().rev() {
            squash_history(&mut history, range, &created);
            let new = std::iter::once(range.diff_id.clone());
            diff_ids.splice(range.layers.clone(), new);
        }
        value["history"] = history.into();
        let diff_ids = diff_ids.iter().map(|id| Value::from(id.to_string()));
        value["rootfs"]["diff_ids"] = diff_ids.collect();
    })
}

fn is_empty_layer(entry: &Value) -> bool {
    entry["empty_layer"] == true
}

/// Gives a history exactly one entry that is not empty for each layer.
fn aligned(mut history: Vec<Value>, count: usize) -> Vec<Value> {
    let mut left = count;
    for entry in history.iter_mut().filter(|entry| !is_empty_layer(entry)) {
        if left == 0 {
            mark_empty(entry);
        }
        left = left.saturating_sub(1);
    }
    history.extend(std::iter::repeat_n(json!({}), left));
    history
}

fn mark_empty(entry: &mut Value) {
    if !entry.is_object() {
        *entry = json!({});
    }
    entry["empty_layer"] = true.into();
}

/// Marks the entries of a range as empty, and puts one for the new layer behind.
fn squash_history(history: &mut Vec<Value>, range: &Squashed, image_created: &Value) {
    let mut latest: Option<(Instant, Value)> = None;
    let mut layer = 0;
    let mut behind = 0;
    for (at, entry) in history.iter_mut().enumerate() {
        if is_empty_layer(entry) {
            continue;
        }
        if range.layers.contains(&layer) {
            let created = entry["created"].as_str().and_then(parse_rfc3339);
            if let Some(created) = created
                && latest.as_ref().is_none_or(|(latest, _)| created > *latest)
            {
                latest = Some((created, entry["created"].clone()));
            }
            mark_empty(entry);
            behind = at + 1;
        }
        layer += 1;
    }
    let mut entry = json!({});
    let given = range.created.as_deref().map(Value::from);
    let created = given.or_else(|| latest.map(|(_, created)| created));
    let created = created.unwrap_or_else(|| image_created.clone());
    if created.is_string() {
        entry["created"] = created;
    }
    entry["created_by"] = "restow squash".into();
    entry["comment"] = range.comment.as_str().into();
    history.insert(behind, entry);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    fn an_import_reads_back_as_a_config() {
        let platform: Platform = "linux/arm/v6".parse().unwrap();
        let diff_id = DiffId(Digest::of(b"layer"));
        let value = import_config(&platform, "1970-01-01T00:00:00Z", &diff_id);
        let config = Document::<Config>::from_value(&value).unwrap();
        assert_eq!(config.view().platform, Some(platform));
        assert_eq!(config.view().diff_ids, [diff_id]);
    }

    #[test]
    fn a_config_without_rootfs_is_none() {
        for (text, message) in [
            ("{}", "`rootfs` is not an object"),
            (
                r#"{"rootfs": {"diff_ids": ["x"]}}"#,
                "`rootfs.diff_ids[0]` is no digest",
            ),
        ] {
            let error = Document::<Config>::parse(text.into()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}
