//! Odd configs and `manifest.json`s: values of wrong types, missing ones, wrong counts, odd times.

use serde_json::{Value, json};

use super::super::Seed;
use super::super::codec::{digest, hex};
use super::super::make::{self, Member};
use super::{Odd, at, id, once_in, pick, sound};

/// The fields of a config, as JSON pointers.
const CONFIG: [&str; 52] = [
    "/architecture",
    "/author",
    "/comment",
    "/config",
    "/config/ArgsEscaped",
    "/config/AttachStdin",
    "/config/Cmd",
    "/config/Domainname",
    "/config/Entrypoint",
    "/config/Env",
    "/config/Env/0",
    "/config/ExposedPorts",
    "/config/Healthcheck",
    "/config/Healthcheck/Interval",
    "/config/Healthcheck/Retries",
    "/config/Healthcheck/Test",
    "/config/Hostname",
    "/config/Image",
    "/config/Labels",
    "/config/Labels/n",
    "/config/MacAddress",
    "/config/NetworkDisabled",
    "/config/OnBuild",
    "/config/OpenStdin",
    "/config/Shell",
    "/config/StopSignal",
    "/config/StopTimeout",
    "/config/Tty",
    "/config/Unknown",
    "/config/User",
    "/config/Volumes",
    "/config/WorkingDir",
    "/container",
    "/container_config",
    "/created",
    "/docker_version",
    "/history",
    "/history/0",
    "/history/0/author",
    "/history/0/comment",
    "/history/0/created",
    "/history/0/created_by",
    "/history/0/empty_layer",
    "/id",
    "/os",
    "/os.features",
    "/os.version",
    "/parent",
    "/rootfs",
    "/rootfs/diff_ids",
    "/rootfs/type",
    "/variant",
];

/// The fields of `manifest.json`.
const MANIFEST: [&str; 9] = [
    "",
    "/0",
    "/0/Config",
    "/0/Layers",
    "/0/Layers/0",
    "/0/LayerSources",
    "/0/Parent",
    "/0/RepoTags",
    "/0/RepoTags/0",
];

/// Times, most of which Go does not read.
const TIMES: [&str; 18] = [
    "2024-02-03T04:05:06Z",
    "2024-02-03T04:05:06.123456789Z",
    "2024-02-03T04:05:06+01:00",
    "2024-02-03T04:05:06",
    "2024-02-03 04:05:06Z",
    "2024-02-03t04:05:06z",
    "2024-02-30T04:05:06Z",
    "2024-02-03T24:00:00Z",
    "2024-02-03T04:05:60Z",
    "2024-2-3T04:05:06Z",
    "2024-02-03T04:05:06,5Z",
    "2024-02-03T04:05:06.Z",
    "2024-02-03T04:05:06+25:00",
    "2024-02-03T04:05:06+0100",
    "0000-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "2024-02-03T4:05:06Z",
    "",
];

/// A value in place of the right one.
fn value(numbers: &mut Seed) -> Value {
    let values = [
        json!(null),
        json!(1),
        json!(-1),
        json!(1.5),
        json!(9_223_372_036_854_775_808_u64),
        json!(true),
        json!("text"),
        json!(""),
        json!([]),
        json!([1]),
        json!(["a"]),
        json!([null]),
        json!({}),
        json!({"a": 1}),
        json!({"a": "b"}),
        json!({"80/tcp": {}}),
        json!({"a": null}),
        json!([{}]),
        json!([["a"]]),
        json!("linux"),
        json!("windows"),
        json!("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ];
    pick(numbers, &values)
}

/// The usual value.
fn usual(pointer: &str) -> Value {
    let key = pointer.rsplit('/').next().expect("a key");
    match key {
        "ArgsEscaped" | "AttachStdin" | "NetworkDisabled" | "OpenStdin" | "Tty" => json!(true),
        "Cmd" | "Entrypoint" | "Env" | "OnBuild" | "Shell" | "Test" => json!(["a=b"]),
        "ExposedPorts" | "Volumes" => json!({"80/tcp": {}}),
        "Interval" | "Retries" | "StopTimeout" => json!(7),
        "Labels" => json!({"a": "b"}),
        "created" => json!("2024-02-03T04:05:06.5Z"),
        "empty_layer" => json!(false),
        "config" | "container_config" | "Healthcheck" => json!({}),
        "history" | "os.features" => json!([]),
        "os" => json!("linux"),
        "type" => json!("layers"),
        _ => json!("text"),
    }
}

/// Sets a value at a place that need not exist yet; without a value, removes the place.
fn put(document: &mut Value, pointer: &str, value: Option<Value>) {
    let Some((parent, key)) = pointer.rsplit_once('/') else {
        *document = value.unwrap_or(Value::Null);
        return;
    };
    let Some(parent) = document.pointer_mut(parent) else {
        return;
    };
    match (parent, value) {
        (Value::Object(fields), Some(value)) => drop(fields.insert(key.to_owned(), value)),
        (Value::Object(fields), None) => drop(fields.shift_remove(key)),
        (Value::Array(items), value) if !items.is_empty() => match value {
            Some(value) => items[0] = value,
            None => drop(items.remove(0)),
        },
        _ => {}
    }
}

/// An archive with a document that has one or two odd fields.
pub(super) fn archive(numbers: &mut Seed, tag: &str, salt: &str) -> Odd {
    let mut members = sound(tag, salt);
    let is_config = !once_in(numbers, 4);
    let (end, pointers): (&str, &[&str]) = if is_config {
        ("CONFIG", &CONFIG)
    } else {
        ("manifest.json", &MANIFEST)
    };
    let place = at(&members, end);
    let Member::File(name, content) = &members[place] else {
        panic!("a document is a file");
    };
    let old = name.clone();
    let mut document: Value = serde_json::from_slice(content).expect("a document is JSON");
    let mut what = Vec::new();
    for _ in 0..=usize::from(once_in(numbers, 6)) {
        let pointer = pick(numbers, pointers);
        let is_time = pointer.ends_with("created") && !once_in(numbers, 4);
        let new = match numbers.below(8) {
            0 => None,
            1..=3 if is_config => Some(usual(pointer)),
            _ if is_time => Some(json!(pick(numbers, &TIMES))),
            _ => Some(value(numbers)),
        };
        let shown = new.as_ref().map_or("nothing".to_owned(), Value::to_string);
        what.push(format!("{end}{pointer}: {shown}"));
        put(&mut document, pointer, new);
    }
    let mut text = document.to_string();
    let odd = match numbers.below(24) {
        0 => Some(format!("{text}junk")),
        1 => Some(format!("{text}{{}}")),
        2 => Some(format!("\u{feff}{text}")),
        3 => Some(text[..text.len() - 1].to_owned()),
        4 => Some(
            text.replace("\"Cmd\"", "\"cmd\"")
                .replace("\"os\"", "\"OS\""),
        ),
        5 => Some(text.replacen('{', "{\"os\":\"linux\",\"os\":\"linux\",", 1)),
        6 => Some(text.replacen('{', "{\"OS\":5,\"config\":{\"Env\":5},\"RepoTags\":5,", 1)),
        _ => None,
    };
    if let Some(odd) = odd {
        let [begin, end] = [
            odd.get(..20).unwrap_or_default(),
            odd.get(odd.len().saturating_sub(20)..).unwrap_or_default(),
        ];
        what.push(format!("text {begin}…{end}"));
        text = odd;
    }
    let mut new = old.clone();
    if is_config {
        new = format!("{}.json", hex(&digest(text.as_bytes())));
    }
    members[place] = Member::file(new.clone(), text);
    if new != old {
        let place = at(&members, "manifest.json");
        if let Member::File(_, content) = &mut members[place] {
            let text = String::from_utf8_lossy(content).replace(&old, &new);
            *content = text.into_bytes();
        }
    }
    Odd {
        what: what.join(", "),
        id: id(&members),
        archive: make::tar(&members),
    }
}
