//! The types into which Go readers decode the documents of an image.
//!
//! Docker, containerd, podman and skopeo are written in Go and decode a document into
//! a struct: if one field has another type, the whole document is refused (`json:
//! cannot unmarshal …`). The tables follow moby 20.10.24 and 28.5.2
//! (`image/image.go`, `image/rootfs.go`, `api/types/container/config.go`,
//! `image/tarexport/tarexport.go`) and image-spec 1.1.1 (`specs-go/v1`). The table
//! includes fields that only some of these structs have.
//!
//! The rules are those of `encoding/json`: a key is accepted in any case, the last of
//! repeated keys counts, unknown keys are allowed, null is the zero value of every
//! type, and an integer has neither fraction nor exponent.

use std::borrow::Cow;

use base64::Engine as _;
use serde_json::{Map, Value};

use crate::image::Timestamp;
use crate::image::time::is_lax_time;

/// A type of Go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Type {
    /// `string`, and every type based on it.
    Text,
    /// `bool`.
    Bool,
    /// `int`, `int64`, and `time.Duration`, which is nanoseconds.
    Integer,
    /// `time.Time`, or a pointer to it: RFC 3339.
    Time,
    /// `[]byte`, which is base64.
    Bytes,
    /// `strslice.StrSlice` of Docker: a list of strings, or a single string. All others
    /// use `[]string`.
    Command,
    /// A list.
    List(&'static Self),
    /// A map from strings.
    Map(&'static Self),
    /// A struct, or a pointer to one.
    Struct(&'static [Field]),
}

/// A field of a struct: its key, and its type.
pub(crate) type Field = (&'static str, Type);

const TEXTS: Type = Type::List(&Type::Text);
const TEXT_MAP: Type = Type::Map(&Type::Text);
/// `map[string]struct{}`.
const SET: Type = Type::Map(&Type::Struct(&[]));

/// `container.HealthConfig`.
const HEALTHCHECK: Type = Type::Struct(&[
    ("Test", TEXTS),
    ("Interval", Type::Integer),
    ("Timeout", Type::Integer),
    ("StartPeriod", Type::Integer),
    ("StartInterval", Type::Integer),
    ("Retries", Type::Integer),
]);

/// `container.Config`.
const RUN_CONFIG: Type = Type::Struct(&[
    ("Hostname", Type::Text),
    ("Domainname", Type::Text),
    ("User", Type::Text),
    ("AttachStdin", Type::Bool),
    ("AttachStdout", Type::Bool),
    ("AttachStderr", Type::Bool),
    ("ExposedPorts", SET),
    ("Tty", Type::Bool),
    ("OpenStdin", Type::Bool),
    ("StdinOnce", Type::Bool),
    ("Env", TEXTS),
    ("Cmd", Type::Command),
    ("Healthcheck", HEALTHCHECK),
    ("ArgsEscaped", Type::Bool),
    ("Image", Type::Text),
    ("Volumes", SET),
    ("WorkingDir", Type::Text),
    ("Entrypoint", Type::Command),
    ("NetworkDisabled", Type::Bool),
    ("MacAddress", Type::Text),
    ("OnBuild", TEXTS),
    ("Labels", TEXT_MAP),
    ("StopSignal", Type::Text),
    ("StopTimeout", Type::Integer),
    ("Shell", Type::Command),
]);

/// `image.History`, and image-spec's.
const HISTORY: Type = Type::Struct(&[
    ("created", Type::Time),
    ("created_by", Type::Text),
    ("author", Type::Text),
    ("comment", Type::Text),
    ("empty_layer", Type::Bool),
]);

/// `image.Image` with `image.V1Image`, and image-spec's.
pub(crate) const CONFIG: Type = Type::Struct(&[
    ("id", Type::Text),
    ("parent", Type::Text),
    ("comment", Type::Text),
    ("created", Type::Time),
    ("container", Type::Text),
    ("container_config", RUN_CONFIG),
    ("docker_version", Type::Text),
    ("author", Type::Text),
    ("config", RUN_CONFIG),
    ("architecture", Type::Text),
    ("variant", Type::Text),
    ("os", Type::Text),
    ("os.version", Type::Text),
    ("os.features", TEXTS),
    ("Size", Type::Integer),
    (
        "rootfs",
        Type::Struct(&[("type", Type::Text), ("diff_ids", TEXTS)]),
    ),
    ("history", Type::List(&HISTORY)),
]);

/// A descriptor.
pub(crate) const DESCRIPTOR: Type = Type::Struct(&[
    ("mediaType", Type::Text),
    ("digest", Type::Text),
    ("size", Type::Integer),
    ("urls", TEXTS),
    ("annotations", TEXT_MAP),
    ("data", Type::Bytes),
    (
        "platform",
        Type::Struct(&[
            ("architecture", Type::Text),
            ("os", Type::Text),
            ("os.version", Type::Text),
            ("os.features", TEXTS),
            ("variant", Type::Text),
        ]),
    ),
    ("artifactType", Type::Text),
]);

/// A manifest or an index.
pub(crate) const MANIFEST_OR_INDEX: Type = Type::Struct(&[
    ("schemaVersion", Type::Integer),
    ("mediaType", Type::Text),
    ("artifactType", Type::Text),
    ("config", DESCRIPTOR),
    ("layers", Type::List(&DESCRIPTOR)),
    ("manifests", Type::List(&DESCRIPTOR)),
    ("subject", DESCRIPTOR),
    ("annotations", TEXT_MAP),
]);

/// `manifest.json`.
pub(crate) const MANIFEST_ITEMS: Type = Type::List(&MANIFEST_ITEM);

/// `manifestItem`: an element of `manifest.json`.
pub(crate) const MANIFEST_ITEM: Type = Type::Struct(&[
    ("Config", Type::Text),
    ("RepoTags", TEXTS),
    ("Layers", TEXTS),
    ("Parent", Type::Text),
    ("LayerSources", Type::Map(&DESCRIPTOR)),
]);

/// `repositories`: from name to tag to id.
pub(crate) const REPOSITORIES: Type = Type::Map(&TEXT_MAP);

/// `oci-layout`.
pub(crate) const LAYOUT_MARKER: Type = Type::Struct(&[("imageLayoutVersion", Type::Text)]);

/// A field with the wrong type.
#[derive(Clone, Debug)]
pub(crate) struct WrongField<'a> {
    /// Its path.
    pub(crate) path: String,
    /// The expected type.
    pub(crate) expected: Type,
    /// Its value.
    pub(crate) value: Cow<'a, Value>,
}

impl WrongField<'_> {
    /// True if it is a time that Go accepts, but RFC 3339 does not allow.
    pub(crate) fn is_lax_time(&self) -> bool {
        matches!(self.expected, Type::Time) && self.value.as_str().is_some_and(is_lax_time)
    }

    /// True if some engine accepts it nevertheless: a time that only Go accepts, or a
    /// command that is a string.
    fn is_taken_by_some(&self) -> bool {
        match (self.expected, self.value.as_ref()) {
            (Type::Time, _) => self.is_lax_time(),
            (Type::Command, Value::String(_)) => true,
            _ => false,
        }
    }

    /// True if it is below one of the fields of the document.
    pub(crate) fn is_in(&self, field: &str) -> bool {
        let rest = self.path.strip_prefix(field);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

impl std::fmt::Display for WrongField<'_> {
    /// `` `config.Env` is not a list of strings ``.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = match self.path.as_str() {
            "" => "the document",
            path => path,
        };
        write!(f, "`{path}` is not {}", self.expected.description())
    }
}

impl Type {
    /// The fields of a value that a Go reader refuses. In a list or a map, only the
    /// first bad member counts, and before it the first with a time that only Go
    /// accepts. `path` is the path of the value.
    pub(crate) fn wrong_fields<'a>(self, value: &'a Value, path: &str) -> Vec<WrongField<'a>> {
        let mut found = Vec::new();
        self.check(value, path, &mut found);
        found
    }

    fn check<'a>(self, value: &'a Value, path: &str, found: &mut Vec<WrongField<'a>>) {
        let is_right = match (self, value) {
            (_, Value::Null) | (Self::Text, Value::String(_)) | (Self::Bool, Value::Bool(_)) => {
                true
            }
            (Self::Integer, Value::Number(number)) => number.as_i64().is_some(),
            (Self::Time, Value::String(text)) => text.parse::<Timestamp>().is_ok(),
            (Self::Bytes, Value::String(text)) => {
                let base64 = base64::engine::general_purpose::STANDARD;
                base64.decode(text.replace(['\r', '\n'], "")).is_ok()
            }
            (Self::List(of), Value::Array(members)) => {
                let members = members.iter().enumerate();
                let members = members.map(|(at, it)| (format!("{path}[{at}]"), it));
                return of.check_members(members, found);
            }
            (Self::Command, Value::Array(_)) => return TEXTS.check(value, path, found),
            (Self::Map(of), Value::Object(members)) => {
                let members = members.iter().map(|(key, it)| (join(path, key), it));
                return of.check_members(members, found);
            }
            (Self::Struct(fields), Value::Object(members)) => {
                for (key, value) in members {
                    if let Some((name, of)) = field_of(fields, key) {
                        of.check(value, &join(path, name), found);
                    }
                }
                true
            }
            _ => false,
        };
        if !is_right {
            found.push(WrongField {
                path: path.to_owned(),
                expected: self,
                value: Cow::Borrowed(value),
            });
        }
    }

    fn check_members<'a>(
        self,
        members: impl Iterator<Item = (String, &'a Value)>,
        found: &mut Vec<WrongField<'a>>,
    ) {
        let start = found.len();
        for (path, value) in members {
            let before = found.len();
            self.check(value, &path, found);
            // One of each kind is enough.
            if !found[before..].iter().all(WrongField::is_taken_by_some) {
                break;
            }
            if before > start {
                found.truncate(before);
            }
        }
    }

    /// Changes all keys of structs to the case in the table.
    pub(crate) fn fix_keys(self, value: &mut Value) {
        match (self, value) {
            (Self::Struct(fields), Value::Object(members)) => {
                let name_of = |key: &str| field_of(fields, key).map(|(name, _)| *name);
                if members
                    .keys()
                    .any(|key| name_of(key).is_some_and(|name| name != key))
                {
                    let mut fixed = Map::new();
                    for (key, value) in std::mem::take(members) {
                        let name = name_of(&key).map(str::to_owned);
                        fixed.insert(name.unwrap_or(key), value);
                    }
                    *members = fixed;
                }
                for (name, of) in fields {
                    if let Some(value) = members.get_mut(*name) {
                        of.fix_keys(value);
                    }
                }
            }
            (Self::List(of), Value::Array(members)) => {
                for value in members {
                    of.fix_keys(value);
                }
            }
            (Self::Map(of), Value::Object(members)) => {
                for value in members.values_mut() {
                    of.fix_keys(value);
                }
            }
            _ => {}
        }
    }

    /// The name of the type, with an article.
    fn description(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Bool => "true or false",
            Self::Integer => "a whole number",
            Self::Time => "a time",
            Self::Bytes => "base64",
            Self::Command | Self::List(Self::Text) => "a list of strings",
            Self::List(_) => "a list",
            Self::Map(Self::Text) => "an object of strings",
            Self::Map(Self::Struct([])) => "an object of empty objects",
            Self::Map(_) | Self::Struct(_) => "an object",
        }
    }
}

/// The field with this key.
pub(super) fn field_of(fields: &'static [Field], key: &str) -> Option<&'static Field> {
    let mut fields = fields.iter();
    fields.find(|(name, _)| name.eq_ignore_ascii_case(key))
}

pub(super) fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrong(of: Type, value: &Value) -> Vec<String> {
        let fields = of.wrong_fields(value, "");
        fields.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn of_a_list_or_a_map_the_first_bad_member_counts() {
        let value = json!({"History": [{}, {"created": 1, "comment": 2}, 3], "author": 4});
        let expected = [
            "`history[1].created` is not a time",
            "`history[1].comment` is not a string",
            "`author` is not a string",
        ];
        assert_eq!(wrong(CONFIG, &value), expected);
        let times = ["2023-02-28T1:00:00Z", "2023-02-28T2:00:00Z", "", "x"];
        let value = json!({"history": times.map(|created| json!({"created": created}))});
        let expected = [
            "`history[0].created` is not a time",
            "`history[2].created` is not a time",
        ];
        assert_eq!(wrong(CONFIG, &value), expected);
        let value = json!({"a": {"1": 5, "2": 6}, "b": 7});
        assert_eq!(wrong(REPOSITORIES, &value), ["`a.1` is not a string"]);
        assert_eq!(
            wrong(CONFIG, &json!([])),
            ["`the document` is not an object"]
        );
        let value = json!({"rootfs": {"type": 1}});
        let field = &CONFIG.wrong_fields(&value, "")[0];
        assert!(field.is_in("rootfs") && field.is_in("rootfs.type") && !field.is_in("root"));
    }

    #[test]
    fn integers_are_what_go_takes_for_one() {
        for (text, is_integer) in [
            ("0", true),
            ("-9223372036854775808", true),
            ("9223372036854775807", true),
            ("9223372036854775808", false),
            ("1.0", false),
            ("1e3", false),
            ("\"1\"", false),
            ("null", true),
        ] {
            let value = serde_json::from_str(text).unwrap();
            let is_right = Type::Integer.wrong_fields(&value, "").is_empty();
            assert_eq!(is_right, is_integer, "{text}");
        }
    }

    #[test]
    fn keys_get_their_case_and_the_last_counts() {
        let mut value = json!({
            "x": 1, "OS": "a", "os": "linux", "CONFIG": {"env": ["A=1"], "LABELS": {"OS": "b"}},
            "history": [{"Empty_Layer": true}], "Unknown": {"OS": 1},
        });
        CONFIG.fix_keys(&mut value);
        let expected = json!({
            "x": 1, "os": "linux", "config": {"Env": ["A=1"], "Labels": {"OS": "b"}},
            "history": [{"empty_layer": true}], "Unknown": {"OS": 1},
        });
        assert_eq!(value.to_string(), expected.to_string());
    }
}
