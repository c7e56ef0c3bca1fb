//! The config of an image on another base.

use serde_json::{Map, Value, json};

use crate::digest::DiffId;
use crate::image::config::history::{aligned, is_empty_layer};
use crate::image::json::DocumentError;
use crate::image::{Config, Document};

/// Edits a config for an image whose lowest layers, this many, are replaced by those of
/// another base.
///
/// The history of the base precedes that of the other layers. If the config of the old
/// base is known, its own entries without a layer go with its layers, and every setting
/// that was inherited from it unchanged becomes that of the new base; otherwise all
/// settings stay.
pub(crate) fn rebase_config(
    config: &Document<Config>,
    replaced: usize,
    base: &Document<Config>,
    old: Option<&Document<Config>>,
) -> Result<Document<Config>, DocumentError> {
    let base_value = base.value()?;
    let old_value = old.map(Document::value).transpose()?;
    let diff_ids = config.view().diff_ids.iter().skip(replaced);
    let diff_ids: Vec<&DiffId> = base.view().diff_ids.iter().chain(diff_ids).collect();
    let count = config.view().diff_ids.len();
    config.edit(|value| {
        let own = aligned(value["history"].take(), count);
        let old_history = old_value.as_ref().map(|old| old["history"].clone());
        let old_history = old_history.map(|history| aligned(history, replaced));
        let skipped = entries_of_base(&own, replaced, old_history.as_deref());
        let history = aligned(base_value["history"].clone(), base.view().diff_ids.len());
        let history = history.into_iter().chain(own.into_iter().skip(skipped));
        value["history"] = history.map(|it| it.unwrap_or_else(|| json!({}))).collect();
        let diff_ids = diff_ids.iter().map(|id| Value::from(id.to_string()));
        value["rootfs"]["diff_ids"] = diff_ids.collect();
        if let Some(old) = &old_value {
            let run = inherited(&value["config"], &old["config"], &base_value["config"]);
            value["config"] = run;
        }
        // The version of Windows is that of the files in the base.
        for name in ["os.version", "os.features"] {
            set(value, name, base_value.get(name).cloned());
        }
    })
}

/// The number of history entries that belong to the replaced layers.
fn entries_of_base(own: &[Option<Value>], replaced: usize, old: Option<&[Option<Value>]>) -> usize {
    if let Some(old) = old
        && own.starts_with(old)
    {
        return old.len();
    }
    let is_layer = |entry: &Option<Value>| !entry.as_ref().is_some_and(is_empty_layer);
    let layers = own.iter().enumerate().filter(|(_, entry)| is_layer(entry));
    let last = layers.take(replaced).last();
    last.map_or(0, |(at, _)| at + 1)
}

fn set(object: &mut Value, name: &str, new: Option<Value>) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    match new {
        Some(new) => drop(fields.insert(name.to_owned(), new)),
        None => drop(fields.shift_remove(name)),
    }
}

/// The settings of an image, in which those that equal the old base's are the new base's.
fn inherited(own: &Value, old: &Value, new: &Value) -> Value {
    let Some(fields) = own.as_object() else {
        return one(own, old, new).clone();
    };
    let of_new = new.as_object().into_iter().flat_map(Map::keys);
    let names = fields
        .keys()
        .chain(of_new.filter(|name| !fields.contains_key(*name)));
    let has_own_entrypoint = !is_same(member(own, "Entrypoint"), member(old, "Entrypoint"));
    let mut merged = Map::new();
    for name in names {
        let [own, old, new] = [own, old, new].map(|it| member(it, name));
        let setting = match name.as_str() {
            "Env" => variables(own, old, new),
            "ExposedPorts" | "Labels" | "Volumes" => members(own, old, new),
            // It belongs to the entrypoint.
            "Cmd" if has_own_entrypoint => own.clone(),
            _ => one(own, old, new).clone(),
        };
        if !setting.is_null() || fields.get(name) == Some(&Value::Null) {
            merged.insert(name.clone(), setting);
        }
    }
    Value::Object(merged)
}

/// Returns a member of an object, or null if it has no such member.
fn member<'a>(object: &'a Value, name: &str) -> &'a Value {
    object.get(name).unwrap_or(&Value::Null)
}

/// One setting as a whole.
fn one<'a>(own: &'a Value, old: &Value, new: &'a Value) -> &'a Value {
    if is_same(own, old) { new } else { own }
}

/// True if two settings mean the same: an empty one is as good as none.
fn is_same(one: &Value, other: &Value) -> bool {
    one == other || is_empty(one) && is_empty(other)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A setting with members that are set one by one.
fn members(own: &Value, old: &Value, new: &Value) -> Value {
    let objects = [own, old, new].map(|it| it.as_object());
    if objects
        .iter()
        .zip([own, old, new])
        .any(|(it, value)| it.is_none() && !value.is_null())
    {
        return one(own, old, new).clone();
    }
    let [own_members, old_members, new_members] = objects.map(|it| it.cloned().unwrap_or_default());
    let merged = merged(&own_members, &old_members, &new_members);
    if merged.is_empty() && own.is_null() {
        return Value::Null;
    }
    Value::Object(merged)
}

/// The environment: a list of `NAME=VALUE`, set one by one. Those of the base come first.
fn variables(own: &Value, old: &Value, new: &Value) -> Value {
    let lists = [own, old, new].map(by_name);
    let [
        Some(own_variables),
        Some(old_variables),
        Some(new_variables),
    ] = lists
    else {
        return one(own, old, new).clone();
    };
    let merged = merged(&own_variables, &old_variables, &new_variables);
    let of_base = new_variables.keys().filter_map(|name| merged.get(name));
    let others = merged
        .iter()
        .filter(|(name, _)| !new_variables.contains_key(*name));
    let all: Vec<Value> = of_base.chain(others.map(|it| it.1)).cloned().collect();
    if all.is_empty() && own.is_null() {
        return Value::Null;
    }
    all.into()
}

/// Variables by their names; `None` if it is no list of variables.
fn by_name(list: &Value) -> Option<Map<String, Value>> {
    let nothing = Vec::new();
    let items = match list {
        Value::Null => &nothing,
        list => list.as_array()?,
    };
    let named = items.iter().map(|item| {
        let name = item.as_str()?.split('=').next()?;
        Some((name.to_owned(), item.clone()))
    });
    named.collect()
}

/// The own members; of those that equal the old base's, and of those that the new base
/// adds, the new base's.
fn merged(
    own: &Map<String, Value>,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
) -> Map<String, Value> {
    let mut merged = Map::new();
    for (name, value) in own {
        let value = if old.get(name) == Some(value) {
            new.get(name)
        } else {
            Some(value)
        };
        if let Some(value) = value {
            merged.insert(name.clone(), value.clone());
        }
    }
    let is_added = |name: &String| !own.contains_key(name) && !old.contains_key(name);
    let added = new.iter().filter(|(name, _)| is_added(name));
    merged.extend(added.map(|(name, value)| (name.clone(), value.clone())));
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_of_the_old_base_becomes_that_of_the_new_one() {
        // What the image, the old base and the new base have, and what comes of it.
        let cases = [
            (json!({}), json!({}), json!({}), json!({})),
            (
                json!(null),
                json!(null),
                json!({"User": "a"}),
                json!({"User": "a"}),
            ),
            (
                json!({"User": "a"}),
                json!({}),
                json!({"User": "b"}),
                json!({"User": "a"}),
            ),
            (
                json!({"User": "a"}),
                json!({"User": "a"}),
                json!({"User": "b"}),
                json!({"User": "b"}),
            ),
            (
                json!({"User": "a"}),
                json!({"User": "a"}),
                json!({}),
                json!({}),
            ),
            (
                json!({"User": ""}),
                json!({}),
                json!({"User": "b"}),
                json!({"User": "b"}),
            ),
            (
                json!({"New": 1}),
                json!({"New": 1}),
                json!({"New": 2}),
                json!({"New": 2}),
            ),
            // The command belongs to the entrypoint.
            (
                json!({"Entrypoint": ["own"], "Cmd": null}),
                json!({"Entrypoint": null, "Cmd": null}),
                json!({"Entrypoint": ["new"], "Cmd": ["sh"]}),
                json!({"Entrypoint": ["own"], "Cmd": null}),
            ),
            (
                json!({"Entrypoint": ["old"], "Cmd": ["own"]}),
                json!({"Entrypoint": ["old"], "Cmd": ["old"]}),
                json!({"Entrypoint": ["new"], "Cmd": ["new"]}),
                json!({"Entrypoint": ["new"], "Cmd": ["own"]}),
            ),
            // Variables one by one.
            (
                json!({"Env": ["PATH=/old", "V=1", "OWN=x", "GONE=1", "V2=own"]}),
                json!({"Env": ["PATH=/old", "V=1", "GONE=1", "V2=old", "UNSET=1"]}),
                json!({"Env": ["PATH=/new", "V=2", "ADDED=y", "V2=new", "UNSET=2"]}),
                json!({"Env": ["PATH=/new", "V=2", "ADDED=y", "V2=own", "OWN=x"]}),
            ),
            (
                json!({"Env": null}),
                json!({}),
                json!({"Env": ["A=1"]}),
                json!({"Env": ["A=1"]}),
            ),
            (
                json!({"Env": [1]}),
                json!({}),
                json!({"Env": ["A=1"]}),
                json!({"Env": [1]}),
            ),
            (
                json!({"Labels": {"a": "1", "b": "own"}, "Volumes": null}),
                json!({"Labels": {"a": "1", "b": "old"}}),
                json!({"Labels": {"a": "2", "b": "new", "c": "3"}, "Volumes": {"/v": {}}}),
                json!({"Labels": {"a": "2", "b": "own", "c": "3"}, "Volumes": {"/v": {}}}),
            ),
        ];
        for (own, old, new, expected) in cases {
            assert_eq!(inherited(&own, &old, &new), expected, "{own} {old} {new}");
        }
    }

    /// A history as a word: a letter for each entry, lower case if it is empty.
    fn config(layers: usize, word: &str) -> Document<Config> {
        let id = |at: usize| crate::digest::Digest::of(format!("{word} {at}").as_bytes());
        let entry = |letter: char| {
            let name = letter.to_ascii_uppercase().to_string();
            json!({"created_by": name, "empty_layer": letter.is_lowercase()})
        };
        let ids: Vec<String> = (0..layers).map(|at| id(at).to_string()).collect();
        let history: Value = word.chars().map(entry).collect();
        let value = json!({"rootfs": {"diff_ids": ids}, "history": history});
        Document::from_value(&value).unwrap()
    }

    #[test]
    fn the_history_is_that_of_the_new_base_and_then_the_images_own() {
        // The image, the number of its base's layers, the old base, and what remains of it.
        let cases = [
            (4, "AaBcCdD", 2, Some("AaB"), "cCdD"),
            (4, "AaBcCdD", 2, Some("AaBc"), "CdD"),
            (4, "AaBcCdD", 2, Some("XYz"), "cCdD"),
            (4, "AaBcCdD", 2, None, "cCdD"),
            (3, "ABC", 0, None, "ABC"),
            (3, "ABC", 3, Some("ABC"), ""),
            (3, "A", 2, None, "-"),
            (2, "", 1, None, "-"),
        ];
        for (layers, word, replaced, old, left) in cases {
            let base = config(2, "XyZ");
            let old = old.map(|old| config(replaced, old));
            let rebased = rebase_config(&config(layers, word), replaced, &base, old.as_ref());
            let value = rebased.unwrap().value().unwrap();
            let letter = |entry: &Value| match entry["created_by"].as_str() {
                Some(name) if is_empty_layer(entry) => name.to_lowercase(),
                Some(name) => name.to_owned(),
                None => "-".to_owned(),
            };
            let history: String = value["history"]
                .as_array()
                .unwrap()
                .iter()
                .map(letter)
                .collect();
            assert_eq!(history, format!("XyZ{left}"), "{word} {replaced}");
            let ids = value["rootfs"]["diff_ids"].as_array().unwrap().len();
            assert_eq!(ids, 2 + layers - replaced);
        }
    }
}
