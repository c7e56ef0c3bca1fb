//! What the engine shows of the same images.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::{json, text};
use crate::support::judge::FIXTURES;
use crate::support::{Sandbox, engine, testdata, tools};

/// All archives of images that are here: those of `testdata`, and those of a folder beside the
/// repository, if that is there.
fn archives() -> Vec<PathBuf> {
    let names: BTreeSet<&str> = FIXTURES.iter().map(|(name, _)| *name).collect();
    let mut paths: Vec<PathBuf> = names.into_iter().map(testdata).collect();
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures");
    match std::fs::read_dir(shared) {
        Ok(entries) => {
            let found = entries.map(|it| it.expect("the directory can be read").path());
            let is_new = |path: &PathBuf| {
                let name = path.file_name().expect("a file").to_string_lossy();
                name.ends_with(".tar") && !name.contains("-export") && !testdata(&name).exists()
            };
            paths.extend(found.filter(is_new));
        }
        Err(_) => tools::lacks("images in the engine", "fixtures", "images of many engines"),
    }
    paths
}

/// What the engine's own command prints, in UTC as restow.
#[track_caller]
fn docker(arguments: &[&str]) -> String {
    let mut command = Command::new("docker");
    let output = tools::succeed(command.args(arguments).env("TZ", "UTC"));
    String::from_utf8(output).expect("it is UTF-8")
}

/// A table without the column that the engine does not have.
fn without_stored(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let top = lines.iter().position(|line| line.contains("STORED"));
    let lines = &lines[top.expect("it has that column")..];
    let [begin, end] = ["STORED", "COMMENT"].map(|it| lines[0].find(it).expect("a heading"));
    let without = |line: &&str| {
        let kept = |(at, character)| (!(begin..end).contains(&at)).then_some(character);
        line.chars()
            .enumerate()
            .filter_map(kept)
            .collect::<String>()
    };
    lines.iter().map(without).collect::<Vec<_>>().join("\n")
}

/// The words of a table without the columns before a heading, and without the lines above it.
fn from(text: &str, heading: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let top = lines.iter().position(|line| line.contains(heading));
    let lines = &lines[top.expect("it has that column")..];
    let begin = lines[0].find(heading).expect("it has that column");
    let rest = |line: &&str| line.chars().skip(begin).collect::<String>();
    let words = |line: String| line.split_whitespace().collect::<Vec<_>>().join(" ");
    lines.iter().map(rest).map(words).collect()
}

/// The cells of the only row of a table, under their headings. Cells of one row are never empty.
fn cells(text: &str) -> BTreeMap<&str, &str> {
    fn parts(line: &str) -> Vec<&str> {
        let parts = line.split("  ").map(str::trim);
        parts.filter(|it| !it.is_empty()).collect()
    }
    let lines: Vec<Vec<&str>> = text.lines().map(parts).collect();
    assert_eq!((lines.len(), lines[0].len()), (2, lines[1].len()), "{text}");
    lines[0]
        .iter()
        .copied()
        .zip(lines[1].iter().copied())
        .collect()
}

/// An absent value is as good as an empty one: the engine fills in what an image does not say.
fn is_nothing(value: &Value) -> bool {
    [json!(null), json!(""), json!([]), json!({})].contains(value)
}

#[test]
fn the_engine_shows_the_same_ids_sizes_dates_and_commands() {
    if !tools::has_engine() {
        return tools::skip("images in the engine", "no Docker engine was found");
    }
    let _alone = tools::exclusive();
    let mut known = BTreeMap::new();
    for path in archives() {
        let sandbox = Sandbox::new();
        let source = path.to_str().expect("a plain path");
        let list = json(sandbox.run(&["images", "--json", source]));
        let images = list["images"].as_array().expect("a list");
        let count = images.iter().filter_map(|it| it["number"].as_u64()).max();
        for number in 1..=count.unwrap_or(0) {
            assert_same(&sandbox, source, number, &mut known);
        }
    }
}

/// Compares what is shown of one image of an archive.
///
/// An image that the engine has shown before, out of another archive, is not loaded again.
#[track_caller]
fn assert_same(sandbox: &Sandbox, source: &str, number: u64, known: &mut BTreeMap<String, Value>) {
    let image = format!("#{number}");
    let what = format!("{source} {image}");
    let choice = ["--image", &image, "--platform", "linux/amd64"];
    let inspect = ["inspect", "--size", "--json"];
    let ours = json(sandbox.run(&[&inspect[..], &choice, &[source]].concat()));
    let id = ours["id"].as_str().expect("an id").to_owned();
    let theirs = known
        .entry(id)
        .or_insert_with(|| shown(sandbox, source, &choice, &what));
    assert_eq!(ours["id"], theirs["Id"], "{what}");
    assert_eq!(ours["created"], theirs["Created"], "{what}");
    assert_eq!(ours["content_size"], theirs["Size"], "{what}");
    let platform = format!(
        "{}/{}",
        theirs["Os"].as_str().unwrap_or_default(),
        theirs["Architecture"].as_str().unwrap_or_default()
    );
    assert_eq!(ours["platform"], platform, "{what}");
    let layers = ours["layers"].as_array().expect("a list").iter();
    let layers: Vec<&Value> = layers.map(|layer| &layer["diff_id"]).collect();
    let expected: Vec<&Value> = theirs["RootFS"]["Layers"]
        .as_array()
        .expect("a list")
        .iter()
        .collect();
    assert_eq!(layers, expected, "{what}");
    for field in [
        "Entrypoint",
        "Cmd",
        "Env",
        "User",
        "WorkingDir",
        "ExposedPorts",
        "Volumes",
        "Labels",
        "Healthcheck",
        "StopSignal",
    ] {
        let (ours, theirs) = (&ours["config"][field], &theirs["Config"][field]);
        let both_are_nothing = is_nothing(ours) && is_nothing(theirs);
        assert!(
            both_are_nothing || ours == theirs,
            "{what}: {field}: {ours}, {theirs}"
        );
    }
}

/// Loads an image, compares what is printed of it, and returns what the engine says of it.
#[track_caller]
fn shown(sandbox: &Sandbox, source: &str, choice: &[&str], what: &str) -> Value {
    let tag = format!("{}:1", engine::unique());
    let convert = ["convert", "--compress", "none", "--force", "--tag", &tag];
    let converted = [&convert[..], choice, &[source, "docker-archive:out.tar"]].concat();
    drop(sandbox.run(&converted).warnings());
    let loaded = engine::Loaded::load(&sandbox.read("out.tar"), std::slice::from_ref(&tag));

    let own = |arguments: &[&str]| text(sandbox.run(&[arguments, &["out.tar"]].concat()));
    for options in [&[][..], &["--no-trunc"]] {
        let theirs = docker(&[&["images"], options, &[&*tag]].concat());
        let ours = own(&[&["images"], options].concat());
        let (ours, theirs) = (cells(&ours), cells(&theirs));
        for heading in ["IMAGE ID", "CREATED", "SIZE"] {
            assert_eq!(ours[heading], theirs[heading], "{what}: images {options:?}");
        }
        assert_eq!(ours["IMAGE"], tag, "{what}: images {options:?}");
    }
    // Otherwise restow leaves out what says nothing.
    for options in [&["--no-trunc"][..], &["--human=false", "--no-trunc"]] {
        let theirs = docker(&[&["history"], options, &[&*tag]].concat());
        let ours = without_stored(&own(&[&["history"], options].concat()));
        let (ours, theirs) = (from(&ours, "CREATED"), from(&theirs, "CREATED"));
        assert_eq!(ours, theirs, "{what}: history {options:?}");
    }
    let theirs: Value = serde_json::from_str(&docker(&["image", "inspect", &tag])).expect("JSON");
    drop(loaded);
    theirs[0].clone()
}
