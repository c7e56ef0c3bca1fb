//! The config of a squashed image.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use crate::digest::DiffId;
use crate::image::config::history::{aligned, is_empty_layer, mark_empty};
use crate::image::json::DocumentError;
use crate::image::{Config, Document, Timestamp};

/// A range of layers merged into one, and what the config records about it.
#[derive(Clone, Debug)]
pub(crate) struct Squashed {
    /// The layers, counted from 0.
    pub(crate) layers: RangeInclusive<usize>,
    /// The diff_id of the new layer.
    pub(crate) diff_id: DiffId,
    /// The creation time, as RFC 3339; by default the latest time of the history
    /// entries of its layers, or else that of the image.
    pub(crate) created: Option<String>,
    /// The comment of the history entry.
    pub(crate) comment: String,
}

/// Edits a config for ranges of layers merged into one each, the lowest first.
///
/// The history is kept, as `docker build --squash` does: entries of merged layers stay
/// and are marked `empty_layer`, and an entry for the new layer follows the last of
/// them. Afterwards there are as many non-empty entries as layers, even if that was not
/// so before: surplus ones become empty, and layers without one get a blank entry.
pub(crate) fn squash_config(
    config: &Document<Config>,
    squashed: &[Squashed],
) -> Result<Document<Config>, DocumentError> {
    let mut diff_ids = config.view().diff_ids.clone();
    let count = diff_ids.len();
    config.edit(|value| {
        let created = value["created"].clone();
        let mut history = aligned(value["history"].take(), count);
        for range in squashed.iter().rev() {
            squash_history(&mut history, range, &created);
            let new = std::iter::once(range.diff_id.clone());
            diff_ids.splice(range.layers.clone(), new);
        }
        let history = history
            .into_iter()
            .map(|entry| entry.unwrap_or_else(|| json!({})));
        value["history"] = history.collect();
        let diff_ids = diff_ids.iter().map(|id| Value::from(id.to_string()));
        value["rootfs"]["diff_ids"] = diff_ids.collect();
    })
}

/// Marks the entries of a range as empty, and inserts one for the new layer after them.
fn squash_history(history: &mut Vec<Option<Value>>, range: &Squashed, image_created: &Value) {
    let mut latest: Option<(Timestamp, Value)> = None;
    let mut layer = 0;
    let mut behind = 0;
    for (at, entry) in history.iter_mut().enumerate() {
        if entry.as_ref().is_some_and(is_empty_layer) {
            continue;
        }
        if range.layers.contains(&layer) {
            behind = at + 1;
            if let Some(entry) = entry {
                let created = entry["created"].as_str().and_then(|it| it.parse().ok());
                if let Some(created) = created
                    && latest.as_ref().is_none_or(|(latest, _)| created > *latest)
                {
                    latest = Some((created, entry["created"].clone()));
                }
                mark_empty(entry);
            }
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
    history.insert(behind, Some(entry));
    // Layers without an entry have no history to keep. They are the last ones.
    let nothing = (0..behind).rev().take(range.layers.clone().count());
    let nothing: Vec<usize> = nothing.filter(|at| history[*at].is_none()).collect();
    for at in nothing {
        history.remove(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn config(layers: usize, history: Value) -> Document<Config> {
        let id = |at: usize| Digest::of(&[u8::try_from(at).unwrap()]).to_string();
        let ids: Vec<String> = (0..layers).map(id).collect();
        let mut value = json!({
            "created": "2020-01-01T00:00:00Z", "unknown": {"kept": [1]},
            "rootfs": {"type": "layers", "diff_ids": ids},
        });
        if !history.is_null() {
            value["history"] = history;
        }
        Document::from_value(&value).unwrap()
    }

    fn squash(config: &Document<Config>, ranges: &[RangeInclusive<usize>]) -> Value {
        let new = DiffId(Digest::of(b"new"));
        let squashed = ranges.iter().map(|layers| Squashed {
            layers: layers.clone(),
            diff_id: new.clone(),
            created: None,
            comment: "why".to_owned(),
        });
        let squashed: Vec<_> = squashed.collect();
        let edited = squash_config(config, &squashed).unwrap();
        edited.value().unwrap()
    }

    /// A history as a word: a letter for each entry, lower case if it is empty, `+` for
    /// a new entry, and `-` for a blank one.
    fn word(config: &Value) -> String {
        let letter = |entry: &Value| {
            if entry["comment"] == "why" {
                return "+".to_owned();
            }
            let Some(name) = entry["created_by"].as_str() else {
                return "-".to_owned();
            };
            let is_empty = entry["empty_layer"] == true;
            if is_empty {
                name.to_lowercase()
            } else {
                name.to_owned()
            }
        };
        config["history"]
            .as_array()
            .unwrap()
            .iter()
            .map(letter)
            .collect()
    }

    #[test]
    fn the_story_stays_and_counts_as_many_entries_as_layers() {
        let history = |word: &str| -> Value {
            let entry = |letter: char| {
                let mut entry = json!({"created_by": letter.to_ascii_uppercase().to_string()});
                if letter.is_lowercase() {
                    entry["empty_layer"] = true.into();
                }
                entry
            };
            word.chars().map(entry).collect()
        };
        let cases: [(usize, &str, &[RangeInclusive<usize>], &str); 10] = [
            (3, "ABC", &[0..=2], "abc+"),
            (3, "ABC", &[1..=2], "Abc+"),
            (3, "aBbCcD", &[0..=1], "abbc+cD"),
            (4, "ABCD", &[0..=1, 2..=3], "ab+cd+"),
            (4, "ABCD", &[1..=1], "Ab+CD"),
            (2, "ABCD", &[0..=1], "ab+cd"),
            (2, "ABCD", &[0..=0], "a+Bcd"),
            (4, "AB", &[1..=2], "Ab+-"),
            (4, "A", &[1..=2], "A+-"),
            (2, "", &[0..=1], "+"),
        ];
        for (layers, before, ranges, after) in cases {
            let edited = squash(&config(layers, history(before)), ranges);
            assert_eq!(word(&edited), after, "{before} {ranges:?}");
            let entries = edited["history"].as_array().unwrap();
            let full = entries
                .iter()
                .filter(|entry| !is_empty_layer(entry))
                .count();
            let ids = edited["rootfs"]["diff_ids"].as_array().unwrap();
            assert_eq!(full, ids.len(), "{before} {ranges:?}");
        }
        assert_eq!(word(&squash(&config(2, Value::Null), &[0..=1])), "+");
    }

    #[test]
    fn the_time_of_a_merge_is_the_latest_of_what_went_in() {
        let created = |times: &[&str]| {
            let history: Value = times.iter().map(|time| json!({"created": time})).collect();
            let edited = squash(&config(times.len(), history), &[0..=1]);
            edited["history"][2]["created"].as_str().unwrap().to_owned()
        };
        let (early, late) = ("2021-01-01T00:00:00+09:00", "2020-12-31T23:00:00.5Z");
        assert_eq!(created(&[early, late, "2022-01-01T00:00:00Z"]), late);
        assert_eq!(created(&[late, early]), late);
        assert_eq!(created(&["2023-02-31T00:00:00Z", early]), early);
        assert_eq!(created(&["yesterday", ""]), "2020-01-01T00:00:00Z");
    }
}
