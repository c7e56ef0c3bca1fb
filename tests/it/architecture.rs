//! The picture in `src/lib.rs` as a table: which module may use which. And in each folder,
//! its parts use each other in one direction.
//!
//! A line of code that reaches across it fails here, before it becomes habit.

mod folders;
mod planted;
mod sources;
mod uses;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use self::folders::Arrow;
use self::sources::Files;
use self::uses::Tree;

/// Each module, with those that it may use. Itself it may always use.
const MAY_USE: &[(&str, &str)] = &[
    ("digest", ""),
    ("progress", ""),
    ("finding", "digest"),
    ("glob", ""),
    ("json", ""),
    ("limits", ""),
    ("stream", "digest limits progress"),
    ("tar_stream", "limits stream"),
    ("tar_diff", "digest limits progress stream tar_stream"),
    ("layer", "finding limits progress stream tar_stream"),
    ("merge", "glob layer limits progress stream tar_stream"),
    ("folder", "layer limits progress stream tar_stream"),
    ("dockerfile", ""),
    ("image", "digest glob limits stream"),
    (
        "error",
        "digest dockerfile image layer progress stream tar_stream",
    ),
    ("event", "digest error layer progress"),
    (
        "format",
        "digest error event finding image limits stream tar_stream",
    ),
    ("transfer", "digest error event format image limits stream"),
    (
        "ops",
        "digest dockerfile error event finding folder format image layer limits merge progress stream tar_diff tar_stream transfer",
    ),
    (
        "session",
        "digest error event format image merge ops transfer",
    ),
    // Only for `fuzz/`: it looks behind every door.
    (
        "fuzzing",
        "digest dockerfile error event format image layer merge ops session stream tar_diff tar_stream transfer",
    ),
    // The binary is a crate of its own: its `crate::` is itself alone.
    ("cli", ""),
    ("main", "cli"),
];

/// All sources.
fn files() -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src")];
    let mut files = Files::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("src can be read") {
            let path = entry.expect("src can be read").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(root).expect("it is under the root");
            let text = fs::read_to_string(&path).expect("a source can be read");
            files.insert(name.to_string_lossy().into_owned(), text);
        }
    }
    files
}

/// The module at the top that a module is in. The root of the library only lists them.
fn top(tree: &Tree, module: usize) -> Option<&str> {
    let module = &tree.modules[module];
    let is_binary = module.file == "src/main.rs";
    let root = is_binary.then_some("main");
    module.path.first().map(String::as_str).or(root)
}

/// The uses that the table does not allow, and the modules that it does not have.
fn forbidden(tree: &Tree, table: &[(&str, &str)]) -> Vec<String> {
    let allowed = |top: &str| table.iter().find(|(name, _)| *name == top).map(|it| it.1);
    let tops: BTreeSet<&str> = (0..tree.modules.len())
        .filter_map(|it| top(tree, it))
        .collect();
    let missing = tops.iter().filter(|it| allowed(it).is_none());
    let missing = missing.map(|it| format!("{it} is not in the table"));
    let mut found: BTreeSet<String> = BTreeSet::new();
    for it in tree.uses() {
        let Some(from) = top(tree, it.from) else {
            continue;
        };
        let Some(allowed) = allowed(from) else {
            continue;
        };
        let reached = it.through.iter().chain([&it.to]);
        for used in reached.filter_map(|it| top(tree, *it)) {
            if used != from && !allowed.split(' ').any(|name| name == used) {
                let arrow = Arrow::new(tree, &it, "src", used);
                found.insert(format!("{arrow}, but {from} may not use {used}"));
            }
        }
    }
    missing.chain(found).collect()
}

/// All that is wrong with sources.
fn faults(tree: &Tree, table: &[(&str, &str)]) -> Vec<String> {
    let circles = folders::folders(tree).into_iter();
    let circles = circles.flat_map(|(folder, arrows)| folders::told(&folder, &arrows));
    forbidden(tree, table).into_iter().chain(circles).collect()
}

/// With `RESTOW_STRUCTURE` and `--nocapture`, it prints figures and circles of each folder.
#[test]
#[expect(clippy::print_stdout, reason = "it is for a person")]
fn modules_use_only_what_is_below_them() {
    let tree = Tree::read(&files());
    if std::env::var_os("RESTOW_STRUCTURE").is_some() {
        let circles = folders::folders(&tree).into_iter();
        let circles = circles.flat_map(|(folder, arrows)| folders::told(&folder, &arrows));
        let lines: Vec<String> = folders::figures(&tree).into_iter().chain(circles).collect();
        println!("{}", lines.join("\n"));
    }
    let faults = faults(&tree, MAY_USE);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_table_has_no_circle() {
    let uses = |(module, used): &(&'static str, &'static str)| {
        let module = *module;
        used.split_whitespace().map(move |used| (module, used))
    };
    let edges = folders::edges(MAY_USE.iter().flat_map(uses));
    assert_eq!(folders::circles(&edges), BTreeSet::new());
}

/// Maximum number of lines of a source.
const LINES_MAX: usize = 600;

#[test]
fn no_source_is_too_long() {
    let files = files();
    let lines = files
        .iter()
        .map(|(name, text)| (text.lines().count(), name));
    let long: Vec<_> = lines.filter(|(lines, _)| *lines > LINES_MAX).collect();
    assert!(long.is_empty(), "{long:?}");
}
