//! `--change`: instructions, and their effect on a config.

use serde_json::{Value, json};

use crate::dockerfile::Changes;
use crate::image::{Config, Document};

/// Uses the bytes as a config and instructions, with a NUL before each.
///
/// A failure leaves the config unchanged. A changed config is still a config, fields
/// that no instruction affects are kept, and the result is no larger than the
/// instructions and the limit for variables permit. Instructions mean the same one by
/// one and in one text.
pub fn change(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.split('\0');
    let base = parts.next().unwrap_or_default();
    let base: Value = serde_json::from_str(base).unwrap_or(Value::Null);
    let values: Vec<&str> = parts.collect();

    let changes = match Changes::parse(&values) {
        Ok(changes) => changes,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(changes.is_empty(), values.is_empty());
    let mut config = base.clone();
    if let Err(error) = changes.apply(&mut config) {
        assert!(!error.to_string().is_empty());
        assert_eq!(config, base, "a failure changes nothing");
        return;
    }
    if values.is_empty() {
        assert_eq!(config, base);
        return;
    }
    let joined = Changes::parse(&[values.join("\n")]).expect("it was taken in parts");
    let mut again = base.clone();
    joined.apply(&mut again).expect("it was taken in parts");
    assert_eq!(again, config);
    assert_config(&config, &base);
    let added = config.to_string().len();
    assert!(added <= ADDED_MAX + 64 * data.len(), "{added} bytes");
}

/// The limit for variables, multiplied by the growth of a character in JSON, and that
/// of a range of ports as names.
const ADDED_MAX: usize = 6 * 4 * 1024 * 1024 + 65_536 * 16;

/// The fields that instructions may change.
const CHANGED: [&str; 12] = [
    "ArgsEscaped",
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "Labels",
    "OnBuild",
    "StopSignal",
    "User",
    "Volumes",
    "WorkingDir",
];

fn assert_config(config: &Value, base: &Value) {
    let whole = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": []},
    });
    let document = Document::<Config>::from_value(&whole);
    let document = document.expect("it is a config still");
    assert_eq!(document.value().expect("it is JSON"), whole);
    let fields = config.as_object().expect("it is an object");
    for (name, value) in base.as_object().into_iter().flatten() {
        let is_kept = fields.get(name) == Some(value);
        assert!(is_kept || CHANGED.contains(&name.as_str()), "{name}");
    }
    for (name, value) in fields {
        if base.get(name) == Some(value) {
            continue;
        }
        let is_right = match name.as_str() {
            "Cmd" | "Entrypoint" | "Env" | "OnBuild" => value
                .as_array()
                .is_some_and(|words| words.iter().all(Value::is_string)),
            "ExposedPorts" | "Healthcheck" | "Labels" | "Volumes" => value.is_object(),
            "StopSignal" | "User" => value.as_str().is_some_and(|text| !text.is_empty()),
            "WorkingDir" => value.as_str().is_some_and(|path| path.starts_with('/')),
            _ => false,
        };
        assert!(is_right, "{name}: {value}");
    }
}
