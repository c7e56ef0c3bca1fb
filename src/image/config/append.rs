//! The config of an image with new layers on top.

use serde_json::{Value, json};

use crate::digest::DiffId;
use crate::image::config::history::aligned;
use crate::image::json::DocumentError;
use crate::image::{Config, Document, Platform, Timestamp, rfc3339};

/// The program in the history entry of a new layer.
const CREATED_BY: &str = "restow append";

/// A new layer, and what the config records about it.
#[derive(Clone, Debug)]
pub(crate) struct LayerRecord {
    /// Its diff_id.
    pub(crate) diff_id: DiffId,
    /// The time of its newest entry, in seconds since 1970; 0 if it has no time.
    pub(crate) newest: i64,
}

/// Edits a config for new layers, the lowest first.
///
/// Each gets an entry in the history, which then has as many non-empty entries as there
/// are layers, even if that was not so before. All have the time `created`, by default
/// that of their newest entry or, if that has none, of the image below. The image has
/// the latest of these times.
pub(crate) fn append_config(
    config: &Document<Config>,
    layers: &[LayerRecord],
    created: Option<Timestamp>,
    comment: Option<&str>,
) -> Result<Document<Config>, DocumentError> {
    let view = config.view();
    let mut diff_ids = view.diff_ids.clone();
    config.edit(|value| {
        let mut latest = value["created"].clone();
        let mut history = aligned(value["history"].take(), diff_ids.len());
        for layer in layers {
            let time = match created {
                Some(created) => created.to_string().into(),
                None if layer.newest > 0 => rfc3339(layer.newest).into(),
                None => latest.clone(),
            };
            let mut entry = json!({});
            if time.is_string() {
                entry["created"] = time.clone();
            }
            entry["created_by"] = CREATED_BY.into();
            if let Some(comment) = comment {
                entry["comment"] = comment.into();
            }
            history.push(Some(entry));
            diff_ids.push(layer.diff_id.clone());
            if created.is_some() || is_later(&time, &latest) {
                latest = time;
            }
        }
        if latest.is_string() {
            value["created"] = latest;
        }
        let history = history.into_iter().map(|entry| entry.unwrap_or(json!({})));
        value["history"] = history.collect();
        let diff_ids = diff_ids.iter().map(|id| Value::from(id.to_string()));
        value["rootfs"]["diff_ids"] = diff_ids.collect();
    })
}

/// Returns true if the first time is later, or if there is no second one.
fn is_later(one: &Value, other: &Value) -> bool {
    let time = |value: &Value| value.as_str().and_then(|it| it.parse::<Timestamp>().ok());
    time(one).is_some_and(|one| time(other).is_none_or(|other| one > other))
}

/// The config of an image without layers and without anything to run.
pub(crate) fn scratch_config(platform: &Platform) -> Result<Document<Config>, DocumentError> {
    let mut value = json!({
        "architecture": platform.architecture,
        "config": {},
        "os": platform.os,
        "rootfs": {"type": "layers", "diff_ids": []},
    });
    if let Some(variant) = &platform.variant {
        value["variant"] = variant.as_str().into();
    }
    Document::from_value(&value)
}
