//! The config of an image with other settings.

use serde_json::{Value, json};

use crate::image::config::history::aligned;
use crate::image::json::DocumentError;
use crate::image::{Config, Document, Platform, Timestamp};

/// Changes to a config, apart from those to its `config` object.
#[derive(Clone, Debug)]
pub(crate) struct ConfigEdit<'a> {
    /// The author. An empty one removes the author.
    pub(crate) author: Option<&'a str>,
    /// The platform.
    pub(crate) platform: Option<&'a Platform>,
    /// The creation time, as RFC 3339.
    pub(crate) created: Option<&'a str>,
    /// The creation time if anything changes; by default the image keeps its time, and
    /// the new history entry gets the latest time in the config.
    pub(crate) changed: Option<&'a str>,
    /// The command in the history entry.
    pub(crate) created_by: &'a str,
    /// The comment in the history entry.
    pub(crate) comment: Option<&'a str>,
}

impl ConfigEdit<'_> {
    /// Edits a config, whose `config` object becomes `run` if that is given, and adds a
    /// history entry for it, which stands for no layer. `None` if nothing changes,
    /// unless it `must`.
    ///
    /// The history then has as many other entries as layers, as after a squash.
    pub(crate) fn apply(
        &self,
        config: &Document<Config>,
        run: Option<Value>,
        must: bool,
    ) -> Result<Option<Document<Config>>, DocumentError> {
        let before = config.value()?;
        let mut value = before.clone();
        if let Some(run) = run {
            value["config"] = run;
        }
        match self.author {
            Some("") => drop(value.as_object_mut().map(|it| it.shift_remove("author"))),
            Some(author) => value["author"] = author.into(),
            None => {}
        }
        if let Some(platform) = self.platform {
            set_platform(&mut value, platform);
        }
        if let Some(created) = self.created {
            value["created"] = created.into();
        }
        if value == before && !must {
            return Ok(None);
        }
        if let Some(changed) = self.created.or(self.changed) {
            value["created"] = changed.into();
        }
        let mut history = aligned(value["history"].take(), config.view().diff_ids.len());
        let created = value["created"].clone();
        let created = match self.created.or(self.changed) {
            Some(_) => Some(created),
            None => latest(std::iter::once(&created).chain(times(&history))),
        };
        history.push(Some(self.entry(created)));
        let history = history.into_iter();
        value["history"] = history.map(|it| it.unwrap_or_else(|| json!({}))).collect();
        Document::from_value(&value).map(Some)
    }

    /// The history entry.
    fn entry(&self, created: Option<Value>) -> Value {
        let mut entry = json!({});
        if let Some(created) = created {
            entry["created"] = created;
        }
        entry["created_by"] = self.created_by.into();
        for (key, text) in [("author", self.author), ("comment", self.comment)] {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                entry[key] = text.into();
            }
        }
        entry["empty_layer"] = true.into();
        entry
    }
}

/// The times in a history.
fn times(history: &[Option<Value>]) -> impl Iterator<Item = &Value> {
    let entries = history.iter().flatten();
    entries.filter_map(|entry| entry.get("created"))
}

/// The latest of these times, exactly as it is written.
fn latest<'v>(times: impl Iterator<Item = &'v Value>) -> Option<Value> {
    let times = times.filter_map(|it| Some((it.as_str()?.parse::<Timestamp>().ok()?, it)));
    times
        .max_by_key(|(time, _)| *time)
        .map(|(_, text)| text.clone())
}

/// Sets the fields of a platform in a config, or in the platform object of a
/// descriptor, which has the same fields.
pub(crate) fn set_platform(value: &mut Value, platform: &Platform) {
    let Some(fields) = value.as_object_mut() else {
        return;
    };
    fields.insert("architecture".into(), platform.architecture.as_str().into());
    let is_other_system = fields
        .insert("os".into(), platform.os.as_str().into())
        .is_some_and(|os| os != platform.os.as_str());
    if is_other_system {
        // These describe the former operating system in more detail.
        for key in ["os.version", "os.features"] {
            fields.shift_remove(key);
        }
    }
    match &platform.variant {
        Some(variant) => drop(fields.insert("variant".into(), variant.as_str().into())),
        None => drop(fields.shift_remove("variant")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn config(layers: usize, history: &Value) -> Document<Config> {
        let id = |at: usize| Digest::of(&[u8::try_from(at).unwrap()]).to_string();
        let ids: Vec<String> = (0..layers).map(id).collect();
        let value = json!({
            "created": "2020-01-01T00:00:00Z", "author": "you", "unknown": {"kept": [1.10]},
            "os": "linux", "architecture": "amd64", "variant": "v2", "os.version": "5",
            "config": {"User": "u"}, "rootfs": {"diff_ids": ids}, "history": history,
        });
        Document::from_value(&value).unwrap()
    }

    const NOTHING: ConfigEdit<'_> = ConfigEdit {
        author: None,
        platform: None,
        created: None,
        changed: None,
        created_by: "restow config",
        comment: None,
    };

    #[test]
    fn what_changes_nothing_is_no_edit() {
        let config = config(1, &json!([{}]));
        let platform: Platform = "linux/amd64/v2".parse().unwrap();
        let same = ConfigEdit {
            author: Some("you"),
            platform: Some(&platform),
            created: Some("2020-01-01T00:00:00Z"),
            changed: Some("2022-01-01T00:00:00Z"),
            comment: Some("why"),
            ..NOTHING
        };
        let run = Some(json!({"User": "u"}));
        assert!(same.apply(&config, run.clone(), false).unwrap().is_none());
        assert!(same.apply(&config, run, true).unwrap().is_some());
    }

    #[test]
    fn fields_are_set_and_told_in_the_history() {
        let config = config(2, &json!([{"created": "2021-01-01T00:00:00+01:00"}]));
        let platform: Platform = "windows/arm64".parse().unwrap();
        let edit = ConfigEdit {
            author: Some("me"),
            platform: Some(&platform),
            comment: Some("why"),
            ..NOTHING
        };
        let edited = edit.apply(&config, None, false).unwrap().unwrap();
        let expected = json!({
            "created": "2020-01-01T00:00:00Z", "author": "me", "unknown": {"kept": [1.10]},
            "os": "windows", "architecture": "arm64",
            "config": {"User": "u"}, "rootfs": config.value().unwrap()["rootfs"],
            "history": [
                {"created": "2021-01-01T00:00:00+01:00"},
                {},
                {
                    "created": "2021-01-01T00:00:00+01:00", "created_by": "restow config",
                    "author": "me", "comment": "why", "empty_layer": true,
                },
            ],
        });
        assert_eq!(edited.value().unwrap().to_string(), expected.to_string());
        let without = ConfigEdit {
            author: Some(""),
            changed: Some("2022-01-01T00:00:00Z"),
            ..NOTHING
        };
        let edited = without.apply(&config, None, false).unwrap().unwrap();
        let value = edited.value().unwrap();
        assert_eq!(value.get("author"), None);
        assert_eq!(value["created"], "2022-01-01T00:00:00Z");
        assert_eq!(
            value["history"][2],
            json!({
                "created": "2022-01-01T00:00:00Z", "created_by": "restow config",
                "empty_layer": true,
            })
        );
    }
}
