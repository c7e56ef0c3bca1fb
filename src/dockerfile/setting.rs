//! Single settings of a config, which are removed or set without a Dockerfile's syntax.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use crate::dockerfile::{ChangeError, ChangeFault};

/// The type of a setting's field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It has no parts.
    Whole,
    /// A list of `NAME=VALUE`.
    Pairs,
    /// An object.
    Members,
}

/// Each setting: the instruction that makes it, its field, and the field's type.
const SETTINGS: [(&str, &str, Kind); 12] = [
    ("CMD", "Cmd", Kind::Whole),
    ("ENTRYPOINT", "Entrypoint", Kind::Whole),
    ("ENV", "Env", Kind::Pairs),
    ("EXPOSE", "ExposedPorts", Kind::Members),
    ("HEALTHCHECK", "Healthcheck", Kind::Whole),
    ("LABEL", "Labels", Kind::Members),
    ("ONBUILD", "OnBuild", Kind::Whole),
    ("SHELL", "Shell", Kind::Whole),
    ("STOPSIGNAL", "StopSignal", Kind::Whole),
    ("USER", "User", Kind::Whole),
    ("VOLUME", "Volumes", Kind::Members),
    ("WORKDIR", "WorkingDir", Kind::Whole),
];

/// A setting to remove from a config: an instruction such as `CMD`, or one of its parts,
/// such as `ENV.NAME`, `LABEL.KEY`, `EXPOSE.80/tcp` or `VOLUME./path`.
///
/// ```
/// use restow::Unset;
///
/// let unset: Unset = "env.HOME".parse()?;
/// assert_eq!(unset.to_string(), "ENV.HOME");
/// # Ok::<(), restow::UnsetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unset {
    word: &'static str,
    field: &'static str,
    kind: Kind,
    /// The part; all of them if it is absent.
    part: Option<String>,
}

/// A text that is not an [`Unset`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct UnsetError(&'static str);

impl FromStr for Unset {
    type Err = UnsetError;

    fn from_str(text: &str) -> Result<Self, UnsetError> {
        let split = text.split_once('.');
        let (word, part) = split.map_or((text, None), |(word, part)| (word, Some(part)));
        let mut all = SETTINGS.into_iter();
        let found = all.find(|(name, ..)| name.eq_ignore_ascii_case(word));
        let Some((word, field, kind)) = found else {
            return Err(UnsetError(
                "CMD, ENTRYPOINT, ENV[.NAME], EXPOSE[.PORT], HEALTHCHECK, LABEL[.KEY], ONBUILD, \
                 SHELL, STOPSIGNAL, USER, VOLUME[.PATH] or WORKDIR",
            ));
        };
        match (kind, part) {
            (Kind::Whole, Some(_)) => Err(UnsetError(
                "a part of ENV, EXPOSE, LABEL or VOLUME, or an instruction without parts",
            )),
            (_, Some("")) => Err(UnsetError("a name after the dot")),
            _ => Ok(Self {
                word,
                field,
                kind,
                part: part.map(str::to_owned),
            }),
        }
    }
}

impl fmt::Display for Unset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word)?;
        match &self.part {
            Some(part) => write!(f, ".{part}"),
            None => Ok(()),
        }
    }
}

impl Unset {
    /// Removes it from the `config` object of a config, and returns whether it was
    /// there. What is empty counts as absent.
    pub(crate) fn apply(&self, config: &mut Value) -> Result<bool, ChangeError> {
        let removed = self.remove(config);
        removed.map_err(|fault| fault.of(&format!("--unset {self}")))
    }

    fn remove(&self, config: &mut Value) -> Result<bool, ChangeFault> {
        let Some(fields) = fields(config)? else {
            return Ok(false);
        };
        let Some(value) = fields.get_mut(self.field) else {
            return Ok(false);
        };
        let is_there = match &self.part {
            None => !is_empty(value),
            Some(part) => remove_part(value, self.field, self.kind, part)?,
        };
        if is_there && (self.part.is_none() || is_empty(value)) {
            fields.shift_remove(self.field);
        }
        if is_there && matches!(self.word, "CMD" | "ENTRYPOINT") {
            // It describes the command line that was there.
            fields.shift_remove("ArgsEscaped");
        }
        Ok(is_there)
    }

    /// The settings of a config among which this one was looked for: the parts of its
    /// instruction, or else all instructions.
    pub(crate) fn choices(&self, config: &Value) -> Vec<String> {
        let parts = match (&self.part, config.get(self.field)) {
            (Some(_), Some(Value::Array(pairs))) => pairs.iter().filter_map(name_of).collect(),
            (Some(_), Some(Value::Object(members))) => members.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        if !parts.is_empty() {
            let path = |part: &str| format!("{}.{part}", self.word);
            return parts.into_iter().map(path).collect();
        }
        let is_there = |field: &str| config.get(field).is_some_and(|it| !is_empty(it));
        let there = SETTINGS.into_iter().filter(|(_, field, _)| is_there(field));
        there.map(|(word, ..)| word.to_owned()).collect()
    }
}

/// Sets a label of the `config` object of a config. The value is taken literally.
pub(crate) fn set_label(config: &mut Value, name: &str, value: &str) -> Result<(), ChangeError> {
    let failed = |fault: ChangeFault| fault.of(&format!("--label {name}={value}"));
    if config.is_null() {
        *config = json!({});
    }
    let Some(fields) = fields(config).map_err(failed)? else {
        return Ok(());
    };
    let labels = fields.entry("Labels").or_insert(Value::Null);
    if labels.is_null() {
        *labels = json!({});
    }
    let Value::Object(labels) = labels else {
        return Err(failed(wrong("Labels", "an object")));
    };
    labels.insert(name.to_owned(), value.into());
    Ok(())
}

/// The fields of a `config` object; `None` if it is null.
fn fields(config: &mut Value) -> Result<Option<&mut Map<String, Value>>, ChangeFault> {
    match config {
        Value::Null => Ok(None),
        Value::Object(fields) => Ok(Some(fields)),
        _ => Err(ChangeFault::Field {
            field: "config".to_owned(),
            expected: "an object",
        }),
    }
}

/// Removes a part of a field, and returns whether it was there.
fn remove_part(
    value: &mut Value,
    field: &str,
    kind: Kind,
    part: &str,
) -> Result<bool, ChangeFault> {
    match (kind, value) {
        (_, Value::Null) => Ok(false),
        (Kind::Pairs, Value::Array(pairs)) if pairs.iter().all(Value::is_string) => {
            let before = pairs.len();
            pairs.retain(|pair| name_of(pair) != Some(part));
            Ok(pairs.len() < before)
        }
        (Kind::Members, Value::Object(members)) => {
            // A port is TCP unless it says otherwise, as in EXPOSE.
            let completed = (field == "ExposedPorts").then(|| {
                let protocol = if part.contains('/') { "" } else { "/tcp" };
                format!("{part}{protocol}").to_ascii_lowercase()
            });
            let mut names = [Some(part), completed.as_deref()].into_iter().flatten();
            Ok(names.any(|name| members.shift_remove(name).is_some()))
        }
        (Kind::Pairs, _) => Err(wrong(field, "a list of strings")),
        _ => Err(wrong(field, "an object")),
    }
}

/// The name in a text `NAME=VALUE`.
fn name_of(pair: &Value) -> Option<&str> {
    pair.as_str()?.split('=').next()
}

/// True for the zero values of Go's types, which count as absent.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn wrong(field: &str, expected: &'static str) -> ChangeFault {
    let field = format!("config.{field}");
    ChangeFault::Field { field, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Value {
        json!({
            "Env": ["A=1", "B", "C=x=y"], "Cmd": ["c"], "ArgsEscaped": true, "Entrypoint": null,
            "Labels": {"a.b": "1", "c": "2"}, "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
            "Volumes": {"/x": {}}, "User": "", "Unknown": 1,
        })
    }

    #[test]
    fn a_setting_is_removed_and_nothing_else() {
        let cases: [(&str, Value); 13] = [
            ("ENV.A", json!({"Env": ["B", "C=x=y"]})),
            ("env.B", json!({"Env": ["A=1", "C=x=y"]})),
            ("Env.C", json!({"Env": ["A=1", "B"]})),
            ("ENV", json!({"Env": null})),
            ("CMD", json!({"Cmd": null, "ArgsEscaped": null})),
            ("LABEL.a.b", json!({"Labels": {"c": "2"}})),
            ("label.c", json!({"Labels": {"a.b": "1"}})),
            ("LABEL", json!({"Labels": null})),
            ("EXPOSE.80", json!({"ExposedPorts": {"53/udp": {}}})),
            ("EXPOSE.80/tcp", json!({"ExposedPorts": {"53/udp": {}}})),
            ("expose.53/UDP", json!({"ExposedPorts": {"80/tcp": {}}})),
            ("EXPOSE", json!({"ExposedPorts": null})),
            ("VOLUME./x", json!({"Volumes": null})),
        ];
        for (text, fields) in cases {
            let mut expected = base();
            let map = expected.as_object_mut().unwrap();
            for (field, value) in fields.as_object().unwrap() {
                match value {
                    Value::Null => map.shift_remove(field),
                    value => map.insert(field.clone(), value.clone()),
                };
            }
            let mut config = base();
            let unset: Unset = text.parse().unwrap();
            assert_eq!(unset.apply(&mut config), Ok(true), "{text}");
            assert_eq!(config.to_string(), expected.to_string(), "{text}");
        }
    }

    #[test]
    fn what_is_absent_is_not_removed_and_the_others_are_told() {
        let words = ["CMD", "ENV", "EXPOSE", "LABEL", "VOLUME"];
        let cases: [(&str, &[&str]); 8] = [
            ("ENV.X", &["ENV.A", "ENV.B", "ENV.C"]),
            ("ENV.a", &["ENV.A", "ENV.B", "ENV.C"]),
            ("LABEL.a", &["LABEL.a.b", "LABEL.c"]),
            ("EXPOSE.53", &["EXPOSE.80/tcp", "EXPOSE.53/udp"]),
            ("VOLUME.x", &["VOLUME./x"]),
            ("ENTRYPOINT", &words),
            ("USER", &words),
            ("WORKDIR", &words),
        ];
        for (text, expected) in cases {
            let mut config = base();
            let unset: Unset = text.parse().unwrap();
            assert_eq!(unset.apply(&mut config), Ok(false), "{text}");
            assert_eq!(config, base(), "{text}");
            assert_eq!(unset.choices(&config), expected, "{text}");
        }
        let unset: Unset = "ENV.A".parse().unwrap();
        assert_eq!(unset.choices(&json!({"Cmd": ["x"]})), ["CMD"]);
        assert_eq!(unset.apply(&mut Value::Null), Ok(false));
        assert_eq!(unset.choices(&Value::Null), Vec::<String>::new());
    }

    #[test]
    fn only_settings_can_be_removed() {
        for (text, message) in [
            ("FOO", "expected CMD, ENTRYPOINT, ENV[.NAME], EXPOSE[.PORT]"),
            ("", "expected CMD"),
            ("RUN", "expected CMD"),
            ("CMD.x", "expected a part of ENV, EXPOSE, LABEL or VOLUME"),
            ("ENV.", "expected a name after the dot"),
        ] {
            let error = text.parse::<Unset>().unwrap_err().to_string();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }

    #[test]
    fn fields_of_another_type_are_refused() {
        for (text, config, message) in [
            ("CMD", json!(5), "`config` of the config is not an object"),
            (
                "ENV.A",
                json!({"Env": 5}),
                "`config.Env` of the config is not a list of strings",
            ),
            (
                "ENV.A",
                json!({"Env": [1]}),
                "`config.Env` of the config is not a list of strings",
            ),
            (
                "LABEL.a",
                json!({"Labels": ["a"]}),
                "`config.Labels` of the config is not an object",
            ),
        ] {
            let mut edited = config.clone();
            let error = text.parse::<Unset>().unwrap().apply(&mut edited);
            let error = error.unwrap_err().to_string();
            assert_eq!(error, format!("`--unset {text}`: {message}"));
            assert_eq!(edited, config);
        }
        let mut config = json!({"Labels": 1});
        let error = set_label(&mut config, "a", "b").unwrap_err().to_string();
        let message = "`--label a=b`: `config.Labels` of the config is not an object";
        assert_eq!(error, message);
        // Removing a field as a whole corrects it.
        let mut config = json!({"Env": 5});
        assert_eq!("ENV".parse::<Unset>().unwrap().apply(&mut config), Ok(true));
        assert_eq!(config, json!({}));
    }

    #[test]
    fn a_label_is_literal() {
        let mut config = Value::Null;
        set_label(&mut config, "a b", "$X \"").unwrap();
        set_label(&mut config, "a b", "y=z").unwrap();
        assert_eq!(config, json!({"Labels": {"a b": "y=z"}}));
    }
}
