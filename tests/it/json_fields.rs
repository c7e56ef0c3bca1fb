//! `restow help json` lists the fields that are printed, in their order.

use serde_json::Value;

use super::help::printed;
use crate::support::layer::stack;
use crate::support::make::{self, Image, Layout};
use crate::support::sandbox::Sandbox;

/// The sections of `restow help json`: a heading and the fields below it.
fn documented() -> Vec<(String, Vec<String>)> {
    let text = printed(&Sandbox::new(), &["help", "json"]);
    let mut sections: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("##") {
            let heading = heading.trim_start_matches('#').trim();
            sections.push((heading.to_owned(), Vec::new()));
        } else if let Some(item) = line.strip_prefix("- ") {
            let names = item.split_once(": ").map_or(item, |(names, _)| names);
            let names = names.split(", ").map(|it| it.trim_matches('`').to_owned());
            let section = sections.last_mut().expect("a heading comes first");
            section.1.extend(names);
        }
    }
    sections
}

/// The paths of the fields of an object, in the order in which they are printed.
fn fields(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(value, "", &mut found);
    found
}

fn collect(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        // A part of the image, and a list whose objects have fields that are listed above.
        _ if path == "config" && value.is_object() || path.ends_with("children[]") => {}
        // Other images, entries and names with fields that are listed elsewhere, or any value.
        _ if path == "b" || path.ends_with("].a") || path.ends_with("].b") => {}
        _ if path.ends_with("].links.a") || path.ends_with("].links.b") => {}
        Value::Object(object) if !object.is_empty() => {
            for (name, value) in object {
                let dot = if path.is_empty() { "" } else { "." };
                collect(value, &format!("{path}{dot}{name}"), found);
            }
            return;
        }
        Value::Array(items) => {
            for item in items {
                collect(item, &format!("{path}[]"), found);
            }
            if !items.is_empty() {
                return;
            }
        }
        _ => {}
    }
    let path = if value.is_array() && !path.ends_with("[]") {
        format!("{path}[]")
    } else {
        path.to_owned()
    };
    if !found.contains(&path) {
        found.push(path);
    }
}

/// A docker archive, a layout with an index, and a root filesystem.
fn prepared() -> Sandbox {
    let sandbox = Sandbox::new();
    let app = Image::new(&["app:1"], &["file a 1", "file b 2", "file c 3"]);
    sandbox.write(
        "app.tar",
        make::tar(&make::docker(std::slice::from_ref(&app))),
    );
    let hidden = Image::new(
        &["app:2"],
        &["file a 1", "file a 2", "file b 3", "file b 4"],
    );
    sandbox.write("hidden.tar", make::tar(&make::docker(&[hidden])));
    let mut layout = Layout::default();
    let image = layout.image(&app);
    let index = layout.nested(&[image]);
    layout.add_named(&index, "app:1");
    sandbox.write("index.tar", make::tar(&layout.members()));
    for (name, words, tag) in [
        ("linked.tar", "f=1 g=>f", "app:1"),
        ("split.tar", "f=1 | g=1", "app:2"),
    ] {
        let image = Image::of_layers(&[tag], stack(words));
        sandbox.write(name, make::tar(&make::docker(&[image])));
    }
    sandbox.run(&["convert", "hidden.tar", "oci:lay"]).silent();
    let arguments = ["convert", "--without", "app.tar", "app.tar", "part.tar"];
    drop(sandbox.run(&arguments).reports());
    sandbox.write("rootfs.tar", make::layer("file a 1"));
    let broken = make::docker(&[app]);
    let broken: Vec<_> = broken
        .into_iter()
        .filter(|it| !it.name().ends_with("layer.tar"))
        .collect();
    sandbox.write("broken.tar", make::tar(&broken));
    sandbox
}

/// The object that a command prints.
#[track_caller]
fn object(arguments: &[&str]) -> Value {
    let output = prepared().run(arguments);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", output.stderr))
}

/// The first event of this kind that a command prints.
#[track_caller]
fn event(kind: &str, arguments: &[&str]) -> Value {
    let output = prepared().run(&[&["--progress", "json"], arguments].concat());
    let events = output.stderr.lines().map(|line| {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("`{line}`: {error}"))
    });
    let mut events = events.filter(|it| it["event"] == kind);
    events
        .next()
        .unwrap_or_else(|| panic!("no {kind}: {}", output.stderr))
}

#[test]
fn the_documented_fields_are_printed() {
    let sections = documented();
    assert!(sections.len() > 10, "{} sections", sections.len());
    for (heading, documented) in sections {
        let objects = match heading.as_str() {
            "restow images --json" => vec![object(&["images", "--json", "index.tar"])],
            "restow inspect --json" => vec![object(&["inspect", "--json", "app.tar"])],
            "restow history --json" => vec![object(&["history", "--json", "app.tar"])],
            "restow convert --json, restow import --json, restow config --json" => vec![
                object(&["convert", "--json", "app.tar", "out.tar"]),
                object(&["import", "--json", "rootfs.tar", "out.tar"]),
                object(&["config", "--label", "a=b", "--json", "app.tar", "out.tar"]),
            ],
            "restow convert --without --json" | "restow convert --with --json" => {
                let option = heading.split(' ').nth(2).expect("an option");
                let (source, field) = match option {
                    "--with" => ("part.tar", "put_back"),
                    _ => ("app.tar", "left_out"),
                };
                let mut object =
                    object(&["convert", "--json", option, "app.tar", source, "out.tar"]);
                let fields = object.as_object_mut().expect("it is an object");
                fields.retain(|name, _| name == field);
                vec![object]
            }
            "restow export --json" => {
                vec![object(&["export", "--json", "app.tar", "out.tar"])]
            }
            "restow extract --json" => {
                vec![object(&["extract", "--json", "app.tar", "out"])]
            }
            "restow delta --json" => {
                vec![object(&["delta", "--json", "app.tar", "app.tar", "delta"])]
            }
            "restow squash --json" => {
                vec![object(&["squash", "--all", "--json", "app.tar", "out.tar"])]
            }
            "restow append --json" => {
                let words = ["append", "--json", "app.tar", "out.tar", "rootfs.tar"];
                vec![object(&words)]
            }
            "restow rebase --json" => vec![object(&[
                "rebase", "--json", "--onto", "app.tar", "app.tar", "out.tar",
            ])],
            "restow remove --json" => vec![object(&["remove", "--json", "lay", "app:2"])],
            "restow files --json" => vec![object(&["files", "--json", "app.tar", "a"])],
            "restow files --layer --json" => {
                let mut object = object(&["files", "--layer", "1", "--json", "app.tar", "a"]);
                let fields = object.as_object_mut().expect("it is an object");
                fields.retain(|name, _| name == "change");
                vec![object]
            }
            "restow diff --json" => {
                let all = ["--history", "--names", "--layers"];
                let arguments = [&["diff", "--json"], &all[..], &["linked.tar", "split.tar"]];
                vec![object(&arguments.concat())]
            }
            "restow waste --json" => vec![object(&["waste", "--json", "hidden.tar"])],
            "restow verify --json" => vec![object(&["verify", "--json", "broken.tar"])],
            "restow verify --explain --json" => vec![
                object(&["verify", "--explain", "--json"]),
                object(&["verify", "--explain", "blob-missing", "--json"]),
            ],
            "progress" | "done" => vec![event(&heading, &["convert", "app.tar", "out.tar"])],
            "warning" => vec![event(
                &heading,
                &["convert", "--compress", "zstd", "app.tar", "out.tar"],
            )],
            "error" => vec![event(&heading, &["convert", "missing.tar", "out.tar"])],
            "--progress json" => Vec::new(),
            _ => panic!("nothing prints the fields of `{heading}`"),
        };
        for object in objects {
            assert_eq!(fields(&object), documented, "{heading}");
        }
    }
}

#[test]
fn the_entries_of_an_index_have_the_fields_from_kind_on() {
    let listed = object(&["images", "--json", "index.tar"]);
    let image = &listed["images"][0];
    let names = |value: &Value| -> Vec<String> {
        let object = value.as_object().expect("it is an object");
        object.keys().cloned().collect()
    };
    let from_kind = names(image);
    let from_kind = from_kind.into_iter().skip_while(|it| it != "kind");
    let from_kind: Vec<String> = from_kind.collect();
    assert_eq!(names(&image["children"][0]), from_kind);
}
