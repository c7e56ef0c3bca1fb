//! JSON as Docker's Go structs write it.
//!
//! The id of an image from before Docker 1.10 is the digest of a config that the engine
//! makes when it loads the image. For restow to compute the same id, the bytes must be
//! the same: the order of fields in Go's structs, its zero values, its times and its
//! escapes. The rules are from the source of Docker Engine 20.10.24 (`image/image.go`,
//! `image/v1/imagev1.go`, `api/types/container/config.go`), and were compared with the
//! output of that engine.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::format::docker_archive::manifest_json::field;
use crate::image::{go_json, push_go};

/// The zero time in Go's format.
const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// The type of a field in a struct.
#[derive(Clone, Copy)]
enum Type {
    Text,
    Bool,
    /// A list of strings, or null.
    Texts,
    /// A map, or null. Go sorts its keys.
    Map,
    /// A map whose values are all `{}`.
    Set,
    Time,
    /// A nested struct, which may be absent.
    Config,
    /// Written unchanged.
    Any,
}

struct Field {
    name: &'static str,
    holds: Type,
    /// True if a zero value is omitted.
    omit_empty: bool,
}

const fn always(name: &'static str, holds: Type) -> Field {
    Field {
        name,
        holds,
        omit_empty: false,
    }
}

const fn if_any(name: &'static str, holds: Type) -> Field {
    Field {
        omit_empty: true,
        ..always(name, holds)
    }
}

/// `image.V1Image`, without the fields that are dropped immediately.
const V1_IMAGE: &[Field] = &[
    if_any("comment", Type::Text),
    always("created", Type::Time),
    if_any("container", Type::Text),
    always("container_config", Type::Config),
    if_any("docker_version", Type::Text),
    if_any("author", Type::Text),
    if_any("config", Type::Config),
    if_any("architecture", Type::Text),
    if_any("variant", Type::Text),
    if_any("os", Type::Text),
];

/// `container.Config`.
const CONFIG: &[Field] = &[
    always("Hostname", Type::Text),
    always("Domainname", Type::Text),
    always("User", Type::Text),
    always("AttachStdin", Type::Bool),
    always("AttachStdout", Type::Bool),
    always("AttachStderr", Type::Bool),
    if_any("ExposedPorts", Type::Set),
    always("Tty", Type::Bool),
    always("OpenStdin", Type::Bool),
    always("StdinOnce", Type::Bool),
    always("Env", Type::Texts),
    always("Cmd", Type::Texts),
    if_any("Healthcheck", Type::Any),
    if_any("ArgsEscaped", Type::Bool),
    always("Image", Type::Text),
    always("Volumes", Type::Set),
    always("WorkingDir", Type::Text),
    always("Entrypoint", Type::Texts),
    if_any("NetworkDisabled", Type::Bool),
    if_any("MacAddress", Type::Text),
    always("OnBuild", Type::Texts),
    always("Labels", Type::Map),
    if_any("StopSignal", Type::Text),
    if_any("StopTimeout", Type::Any),
    if_any("Shell", Type::Texts),
];

/// The JSON of a v1 image, after decoding into Go's struct and encoding again.
pub(super) fn v1_image(json: &Value) -> Value {
    through_struct(json, V1_IMAGE)
}

fn through_struct(json: &Value, fields: &[Field]) -> Value {
    let mut out = Map::new();
    for Field {
        name,
        holds,
        omit_empty,
    } in fields
    {
        let value = convert(field(json, name).unwrap_or(&Value::Null), *holds);
        let is_zero = match &value {
            Value::Null => true,
            Value::Bool(value) => !value,
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            Value::Number(_) => false,
        };
        if matches!(holds, Type::Config) && value.is_null() && !omit_empty {
            out.insert((*name).to_owned(), through_struct(&Value::Null, CONFIG));
        } else if !(*omit_empty && is_zero) {
            out.insert((*name).to_owned(), value);
        }
    }
    Value::Object(out)
}

/// A string; as in Go, null is the empty one.
fn text_or_empty(value: &Value) -> Value {
    value.as_str().unwrap_or_default().into()
}

fn convert(value: &Value, holds: Type) -> Value {
    match holds {
        Type::Text => text_or_empty(value),
        Type::Bool => value.as_bool().unwrap_or_default().into(),
        Type::Texts => match value {
            // Old commands can be a single string.
            Value::String(text) => vec![text.as_str()].into(),
            Value::Array(texts) => texts.iter().map(text_or_empty).collect(),
            _ => Value::Null,
        },
        Type::Map | Type::Set => match value {
            Value::Object(map) => {
                let sorted: BTreeMap<_, _> = map.iter().collect();
                let value = |value: &Value| match holds {
                    Type::Set => Value::Object(Map::new()),
                    _ => text_or_empty(value),
                };
                let fields = sorted.into_iter();
                Value::Object(fields.map(|(k, v)| (k.clone(), value(v))).collect())
            }
            _ => Value::Null,
        },
        Type::Time => time_or_zero(value).into(),
        Type::Config if value.is_null() => Value::Null,
        Type::Config => through_struct(value, CONFIG),
        Type::Any => value.clone(),
    }
}

/// A time as Go writes it: with nine digits of its fraction, without trailing zeros,
/// and with `Z` for a zero offset.
pub(super) fn time(text: &str) -> String {
    let (text, zone) = match text.strip_suffix("+00:00").or(text.strip_suffix("-00:00")) {
        Some(text) => (text, "Z"),
        None => text.split_at(text.rfind(['Z', '+', '-']).unwrap_or(text.len())),
    };
    match text.split_once('.') {
        Some((seconds, fraction)) => {
            match fraction.get(..9).unwrap_or(fraction).trim_end_matches('0') {
                "" => format!("{seconds}{zone}"),
                fraction => format!("{seconds}.{fraction}{zone}"),
            }
        }
        None => format!("{text}{zone}"),
    }
}

/// The time, or the zero time for an image without a creation time.
pub(super) fn time_or_zero(value: &Value) -> String {
    time(value.as_str().unwrap_or(ZERO_TIME))
}

/// Writes an object as Go writes a map: keys sorted, and values unchanged except for
/// white space between their parts.
pub(super) fn sorted_object(fields: &BTreeMap<String, Box<RawValue>>) -> String {
    let mut out = String::from("{");
    for (at, (key, value)) in fields.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        let key = go_json(&Value::String(key.clone()));
        out.push_str(&String::from_utf8_lossy(&key));
        out.push(':');
        compact_into(&mut out, value.get());
    }
    out.push('}');
    out
}

/// Go's `json.Compact`, with the escapes that it uses for raw values.
fn compact_into(out: &mut String, json: &str) {
    let mut is_in_string = false;
    let mut is_escaped = false;
    for character in json.chars() {
        if is_in_string {
            let ends = character == '"' && !is_escaped;
            is_escaped = character == '\\' && !is_escaped;
            is_in_string = !ends;
            push_go(out, character);
        } else if !character.is_ascii_whitespace() {
            is_in_string = character == '"';
            out.push(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_lose_the_zeros_at_their_end() {
        for (text, expected) in [
            (
                "2015-04-17T22:01:12.62756842Z",
                "2015-04-17T22:01:12.62756842Z",
            ),
            ("2015-04-17T22:01:12.100Z", "2015-04-17T22:01:12.1Z"),
            (
                "2015-04-17T22:01:12.1234567899Z",
                "2015-04-17T22:01:12.123456789Z",
            ),
            ("2015-04-17T22:01:12.000+02:00", "2015-04-17T22:01:12+02:00"),
            ("2015-04-17T22:01:12Z", "2015-04-17T22:01:12Z"),
            ("2015-04-17T22:01:12.50+00:00", "2015-04-17T22:01:12.5Z"),
            ("2015-04-17T22:01:12-07:00", "2015-04-17T22:01:12-07:00"),
        ] {
            assert_eq!(time(text), expected);
        }
    }

    #[test]
    fn a_struct_has_all_fields_in_order_and_no_others() {
        let json = json!({
            "id": "x", "unknown": 1, "author": "", "OS": "linux",
            "config": {"Labels": {"b": "2", "a": "1"}, "Cmd": "sh", "Memory": 5,
                       "ExposedPorts": {"80/tcp": null}},
        });
        let config = r#""Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"#;
        let expected = format!(
            "{{\"created\":\"0001-01-01T00:00:00Z\",\"container_config\":{{{config}\"Tty\":false,\
             \"OpenStdin\":false,\"StdinOnce\":false,\"Env\":null,\"Cmd\":null,\"Image\":\"\",\
             \"Volumes\":null,\"WorkingDir\":\"\",\"Entrypoint\":null,\"OnBuild\":null,\
             \"Labels\":null}},\"config\":{{{config}\"ExposedPorts\":{{\"80/tcp\":{{}}}},\
             \"Tty\":false,\"OpenStdin\":false,\"StdinOnce\":false,\"Env\":null,\"Cmd\":[\"sh\"],\
             \"Image\":\"\",\"Volumes\":null,\"WorkingDir\":\"\",\"Entrypoint\":null,\
             \"OnBuild\":null,\"Labels\":{{\"a\":\"1\",\"b\":\"2\"}}}},\"os\":\"linux\"}}"
        );
        assert_eq!(v1_image(&json).to_string(), expected);
    }

    #[test]
    fn raw_values_are_compacted_and_not_touched_otherwise() {
        let mut out = String::new();
        compact_into(
            &mut out,
            r#"{ "a" : "x \" <&> é \u00e9", "b" : [ 1.0 , 2 ] }"#,
        );
        assert_eq!(
            out,
            r#"{"a":"x \" \u003c\u0026\u003e é \u00e9","b":[1.0,2]}"#
        );
    }
}
