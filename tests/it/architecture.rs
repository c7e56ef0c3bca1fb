//! The picture in `src/lib.rs` as a table: which module may use which.
//!
//! A line of code that reaches across it fails here, before it becomes habit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each module, with those that it may use. Itself it may always use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("digest", &[]),
    (
        "error",
        &[
            "digest",
            "image",
            "layer",
            "progress",
            "stream",
            "tar_stream",
        ],
    ),
    ("event", &["digest", "error", "layer", "progress"]),
    ("finding", &["digest"]),
    ("limits", &[]),
    ("progress", &[]),
    ("stream", &["digest", "limits", "progress"]),
    ("tar_stream", &["limits"]),
    (
        "layer",
        &["finding", "limits", "progress", "stream", "tar_stream"],
    ),
    (
        "merge",
        &["layer", "limits", "progress", "stream", "tar_stream"],
    ),
    ("image", &["digest", "limits", "stream"]),
    (
        "format",
        &[
            "digest",
            "error",
            "event",
            "finding",
            "image",
            "limits",
            "stream",
            "tar_stream",
        ],
    ),
    (
        "transfer",
        &[
            "digest", "error", "event", "format", "image", "limits", "stream",
        ],
    ),
    (
        "ops",
        &[
            "digest",
            "error",
            "event",
            "finding",
            "format",
            "image",
            "layer",
            "limits",
            "merge",
            "stream",
            "tar_stream",
            "transfer",
        ],
    ),
    (
        "session",
        &[
            "digest", "error", "event", "format", "image", "ops", "transfer",
        ],
    ),
    // Only for `fuzz/`: it looks behind every door.
    (
        "fuzzing",
        &[
            "digest",
            "error",
            "event",
            "format",
            "image",
            "layer",
            "merge",
            "ops",
            "session",
            "stream",
            "tar_stream",
            "transfer",
        ],
    ),
    // The binary is a crate of its own: its `crate::` is itself alone.
    ("cli", &[]),
    ("main", &["cli"]),
];

/// All sources, each with the module that it belongs to.
fn sources() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("src can be read") {
            let path = entry.expect("src can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let relative = path.strip_prefix(&root).expect("it is under src");
                let first = relative.iter().next().expect("it has a name");
                let module = first.to_string_lossy().trim_end_matches(".rs").to_owned();
                files.push((module, path));
            }
        }
    }
    files.sort();
    files
}

/// The modules that a text uses by `crate::`, or the parts of one that it uses by `crate::one::`.
fn used(text: &str, by: &str) -> BTreeSet<String> {
    let code = text.lines().map(str::trim_start);
    let code = code.filter(|line| !line.starts_with("//"));
    let code = code.collect::<Vec<_>>().join("\n");
    let climbs = code.contains("super::super");
    assert!(!climbs, "`super::super` hides what is used");
    let mut used = BTreeSet::new();
    for rest in code.split(by).skip(1) {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
        let is_hidden = name.is_empty() && by == "crate::";
        assert!(!is_hidden, "`use crate::{{…}}` hides what is used");
        used.insert(name);
    }
    used
}

/// What of a module's uses the table does not allow.
fn offences(module: &str, text: &str, table: &[(&str, &[&str])]) -> Vec<String> {
    let allowed = table.iter().find(|(name, _)| *name == module);
    let Some((_, allowed)) = allowed else {
        return vec![format!("`{module}` is not in the table")];
    };
    let is_allowed = |name: &str| name == module || allowed.contains(&name);
    let forbidden = used(text, "crate::")
        .into_iter()
        .filter(|name| !is_allowed(name));
    forbidden
        .map(|name| format!("`{module}` uses `{name}`"))
        .collect()
}

/// A module from which the table leads back to itself.
fn circle<'a>(table: impl IntoIterator<Item = (&'a str, Vec<&'a str>)>) -> Option<String> {
    let edges: BTreeMap<&str, Vec<&str>> = table.into_iter().collect();
    let reaches_itself = |start: &str| {
        let mut open = vec![start];
        let mut seen = BTreeSet::new();
        while let Some(module) = open.pop() {
            for next in edges.get(module).into_iter().flatten() {
                if *next == start {
                    return true;
                }
                if seen.insert(*next) {
                    open.push(next);
                }
            }
        }
        false
    };
    let found = edges.keys().find(|module| reaches_itself(module));
    found.map(|module| (*module).to_owned())
}

/// What the parts of a module use of each other: its files, and its folders as one each.
/// What only gathers them, `mod.rs`, is none.
fn parts(module: &str, sources: &[(String, PathBuf)]) -> BTreeMap<String, BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src")
        .join(module);
    let mut parts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let own = sources.iter().filter(|(of, _)| of == module);
    for path in own.filter_map(|(_, path)| path.strip_prefix(&folder).ok()) {
        let first = path.iter().next().expect("it has a name");
        let part = first.to_string_lossy().trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(folder.join(path)).expect("a source can be read");
        let uses = used(&text, &format!("crate::{module}::"));
        parts.entry(part).or_default().extend(uses);
    }
    parts.remove("mod");
    let names: BTreeSet<String> = parts.keys().cloned().collect();
    for (part, uses) in &mut parts {
        uses.retain(|it| it != part && names.contains(it));
    }
    parts
}

#[test]
fn modules_use_only_what_the_table_allows() {
    let mut found = Vec::new();
    for (module, path) in sources() {
        let text = fs::read_to_string(&path).expect("a source can be read");
        // The crate root only lists the modules.
        if module != "lib" {
            found.extend(offences(&module, &text, MAY_USE));
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_table_has_no_circle() {
    let table = MAY_USE
        .iter()
        .map(|(module, uses)| (*module, uses.to_vec()));
    assert_eq!(circle(table), None);
}

#[test]
fn the_parts_of_a_module_use_each_other_in_one_direction() {
    let sources = sources();
    let mut found = Vec::new();
    for (module, _) in MAY_USE {
        let parts = parts(module, &sources);
        let edges = parts.iter().map(|(part, uses)| {
            let uses = uses.iter().map(String::as_str).collect();
            (part.as_str(), uses)
        });
        found.extend(circle(edges).map(|part| format!("{module}::{part}")));
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_checks_see_a_planted_fault() {
    let table: &[(&str, &[&str])] = &[("low", &[]), ("high", &["low"])];
    let text = "// crate::ignored\nuse crate::high::Thing;";
    assert_eq!(offences("low", text, table), ["`low` uses `high`"]);
    assert_eq!(offences("high", "use crate::low::x;", table), [""; 0]);
    assert_eq!(offences("new", "", table), ["`new` is not in the table"]);
    let parts = used(
        "use crate::ops::plan::Jobs;\nuse crate::plan::Other;",
        "crate::ops::",
    );
    assert_eq!(parts, BTreeSet::from(["plan".to_owned()]));
    let circular = [("a", vec!["b"]), ("b", vec!["c"]), ("c", vec!["a"])];
    assert_eq!(circle(circular), Some("a".to_owned()));
}
