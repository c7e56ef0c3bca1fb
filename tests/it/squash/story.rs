//! What the config of a squashed image tells: all that it told before.

use serde_json::{Map, Value, json};

use super::image_of;
use crate::support::Sandbox;
use crate::support::judge::Format;
use crate::support::make::Image;
use crate::support::squash::{put, squashed};

/// A history from words: a word is the command of an entry, in brackets if it made no layer.
fn history(words: &str) -> Value {
    let entry = |word: &str| {
        let name = word.trim_matches(['(', ')']);
        let mut entry =
            json!({"created": "2021-01-01T00:00:00Z", "created_by": name, "odd": [1.0]});
        if word.starts_with('(') {
            entry["empty_layer"] = true.into();
        }
        entry
    };
    words.split_whitespace().map(entry).collect()
}

/// A history in words; `+` is an entry with our comment, `-` one that says nothing.
#[track_caller]
fn words(config: &Value) -> String {
    let entries = config["history"].as_array().expect("there is a history");
    let word = |entry: &Value| {
        let name = match (entry["comment"].as_str(), entry["created_by"].as_str()) {
            (Some("less is more"), _) => "+",
            (_, Some(name)) => name,
            _ => "-",
        };
        match entry.get("empty_layer") {
            None => name.to_owned(),
            Some(Value::Bool(true)) => format!("({name})"),
            Some(other) => panic!("empty_layer is {other}"),
        }
    };
    let words: Vec<String> = entries.iter().map(word).collect();
    words.join(" ")
}

/// Squashes layers of an image with a comment, and returns its config.
#[track_caller]
fn squash(image: &Image, format: Format, layers: &str) -> Value {
    let sandbox = Sandbox::new();
    let source = put(&sandbox, "in", format, image);
    let target = format.at("out");
    let arguments = [
        "squash",
        "--layers",
        layers,
        "--message",
        "less is more",
        &source,
        &target,
    ];
    let squashed = squashed(&sandbox, sandbox.run(&arguments), "out", format);
    serde_json::from_str(&squashed.image.config).expect("a config is JSON")
}

#[test]
fn the_story_stays_and_the_new_layer_is_told() {
    for (before, layers, after) in [
        // An entry for each layer.
        ("a b c d", "1..4", "(a) (b) (c) (d) +"),
        ("a b c d", "2..3", "a (b) (c) + d"),
        ("a b c d", "3..4", "a b (c) (d) +"),
        ("a b c d", "2", "a (b) + c d"),
        // Entries that made no layer, before, between and behind.
        (
            "(x) a (y) b (z) c (v) d (w)",
            "1..4",
            "(x) (a) (y) (b) (z) (c) (v) (d) + (w)",
        ),
        (
            "(x) a (y) b (z) c (v) d (w)",
            "2..3",
            "(x) a (y) (b) (z) (c) + (v) d (w)",
        ),
        // Too many: those at the end made none either.
        ("a b c d e f", "2..3", "a (b) (c) + d (e) (f)"),
        ("a b c d e", "3..4", "a b (c) (d) + (e)"),
        // Too few, or none: of some layers there is nothing to tell.
        ("a b", "1..2", "(a) (b) + - -"),
        ("a b", "2..3", "a (b) + -"),
        ("a b", "3..4", "a b +"),
        ("(x)", "1..3", "(x) + -"),
        ("", "2..3", "- + -"),
    ] {
        for format in [Format::Docker, Format::OciArchive] {
            let image = image_of(&[1, 2, 3, 4]).with_config(|it| it["history"] = history(before));
            let config = squash(&image, format, layers);
            assert_eq!(words(&config), after, "{before}, {layers}");
        }
    }
    for none in [Value::Null, json!([])] {
        let image = image_of(&[1, 2]).with_config(|it| it["history"] = none.clone());
        assert_eq!(
            words(&squash(&image, Format::Docker, "1..2")),
            "+",
            "{none}"
        );
    }
    let image = image_of(&[1, 2]).with_config(|it| {
        it.as_object_mut()
            .expect("an object")
            .shift_remove("history");
    });
    assert_eq!(words(&squash(&image, Format::Docker, "1..2")), "+");
}

#[test]
fn everything_else_in_a_config_stays_as_it_was() {
    let image = image_of(&[1, 2, 3]).with_config(|it| {
        let odd = r#"{"z": 1, "a": {"": null, "\u00e9": [1.0, 1e400, -0, 18446744073709551616]}}"#;
        it["x-odd"] = serde_json::from_str(odd).expect("it is JSON");
        it["config"]["ArgsEscaped"] = true.into();
        it["config"]["Shell"] = json!(["/bin/odd", "-c"]);
        it["container_config"] = json!({"Cmd": ["x"]});
        it["rootfs"]["odd"] = "kept".into();
        it["history"] = history("a (x) b c");
    });
    let before: Value = serde_json::from_slice(&image.config).expect("a config is JSON");
    let after = squash(&image, Format::Docker, "2..3");
    let mut expected = before.clone();
    let new = json!({
        "created": "2021-01-01T00:00:00Z", "created_by": "restow squash", "comment": "less is more",
    });
    expected["history"] = history("a (x) (b) (c)");
    expected["history"]
        .as_array_mut()
        .expect("a list")
        .push(new);
    let diff_ids = [
        before["rootfs"]["diff_ids"][0].clone(),
        after["rootfs"]["diff_ids"][1].clone(),
    ];
    expected["rootfs"]["diff_ids"] = diff_ids.into_iter().collect();
    // As text, so that the order of the keys and the digits of the numbers count.
    assert_eq!(after.to_string(), expected.to_string());
}

#[test]
fn a_config_is_kept_to_the_byte_where_nothing_is_merged() {
    let mut image = image_of(&[1, 2]);
    // With spaces that no writer of JSON would put there.
    image.config = String::from_utf8(image.config)
        .expect("text")
        .replace(',', " ,\n")
        .into_bytes();
    for arguments in [["--last", "1"], ["--max-layers", "2"]] {
        let sandbox = Sandbox::new();
        let source = put(&sandbox, "in", Format::Docker, &image);
        let arguments = [
            &["squash"],
            &arguments[..],
            &[&source, "docker-archive:out"],
        ]
        .concat();
        let squashed = squashed(&sandbox, sandbox.run(&arguments), "out", Format::Docker);
        assert_eq!(squashed.image.facts(), image.facts());
    }
}

/// The time of the new entry, under these times of the old ones and in this environment.
#[track_caller]
fn created(times: &[Option<&str>], epoch: Option<&str>) -> Option<String> {
    let entry = |time: Option<&str>| -> Value {
        let mut entry = Map::new();
        if let Some(time) = time {
            entry.insert("created".to_owned(), time.into());
        }
        entry.into()
    };
    let sizes: Vec<usize> = (1..=times.len()).collect();
    let image = image_of(&sizes).with_config(|it| {
        it["history"] = times.iter().copied().map(entry).collect();
        it["created"] = "2011-11-11T11:11:11Z".into();
    });
    let sandbox = Sandbox::new();
    let source = put(&sandbox, "in", Format::Docker, &image);
    let mut run = sandbox.restow(&["squash", "--all", &source, "docker-archive:out"]);
    if let Some(epoch) = epoch {
        run = run.env("SOURCE_DATE_EPOCH", epoch);
    }
    let squashed = squashed(&sandbox, run.run(), "out", Format::Docker);
    let config: Value = serde_json::from_str(&squashed.image.config).expect("a config is JSON");
    assert_eq!(
        config["created"], "2011-11-11T11:11:11Z",
        "that of the image stays"
    );
    let entries = config["history"].as_array().expect("a history");
    let new = entries.last().expect("there is the new one");
    new["created"].as_str().map(str::to_owned)
}

#[test]
fn the_time_of_the_new_entry_is_not_now() {
    let (early, late) = (
        "2021-01-01T00:00:00+09:00",
        "2020-12-31T23:00:00.123456789Z",
    );
    for (times, epoch, expected) in [
        (vec![Some(early), Some(late)], None, late),
        (vec![Some(late), Some(early)], None, late),
        (vec![Some(early), None], None, early),
        // Nothing is told of the layers, so it is that of the image.
        (vec![None, None], None, "2011-11-11T11:11:11Z"),
        (
            vec![Some(early), Some(late)],
            Some("86400"),
            "1970-01-02T00:00:00Z",
        ),
        (vec![None, None], Some("0"), "1970-01-01T00:00:00Z"),
    ] {
        assert_eq!(
            created(&times, epoch).as_deref(),
            Some(expected),
            "{times:?} {epoch:?}"
        );
    }
}

#[test]
fn the_time_of_implied_directories_is_that_of_the_environment() {
    let layers = crate::support::layer::stack("a/b | a/c");
    let image = Image::of_layers(&["app:1"], layers);
    let sandbox = Sandbox::new();
    let source = put(&sandbox, "in", Format::Docker, &image);
    for (epoch, expected) in [
        ("", "a/(@0) a/b a/c"),
        ("1234567890", "a/(@1234567890) a/b a/c"),
    ] {
        let mut run = sandbox.restow(&["export", &source]);
        if !epoch.is_empty() {
            run = run.env("SOURCE_DATE_EPOCH", epoch);
        }
        let (tar, _) = run.run().reports();
        let entries = crate::support::naive::entries(&tar);
        assert_eq!(crate::support::entry::words(&entries), expected);
    }
}
