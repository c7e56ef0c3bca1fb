//! All integration tests, in one binary. They drive the command, and judge what it
//! writes with readers of their own and with other tools.

// `UPDATE_EXPECT=1` writes each text as a raw string, on lines of its own, and a table of
// texts may be long.
#![expect(
    clippy::needless_raw_string_hashes,
    clippy::too_many_lines,
    reason = "texts are written by expect-test"
)]

mod support;

mod append;
mod architecture;
mod atomic;
mod carry;
mod cat;
mod changes;
mod coming_from;
mod config;
mod convert;
mod corpus;
mod damage;
mod delta;
mod determinism;
mod diff;
mod edits;
mod ends;
mod engine;
mod examples;
mod extract;
mod files;
mod fixtures;
mod help;
mod hostile;
mod hybrids;
mod import;
mod inputs;
mod json_fields;
mod judges;
mod kills;
mod layouts;
mod limits;
mod look;
mod machine;
mod memory;
mod merge_cases;
mod messages;
mod mistaken;
mod overlay;
mod partial;
mod platforms;
mod readme;
mod rebase;
mod referrers;
mod remove;
mod reports;
mod roundtrip;
mod session;
mod several;
mod sha512;
mod shells;
mod spools;
mod squash;
mod streaming;
mod streams;
mod suffixes;
mod terminal;
mod tips;
mod unknown_documents;
mod verified;
mod verify;
mod waste;

use std::collections::BTreeSet;

/// A file that is not in the list above would silently not be tested.
#[test]
fn every_file_is_in_the_module_list() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
    let entries = std::fs::read_dir(directory).expect("the tests' directory can be read");
    let found: BTreeSet<String> = entries
        .filter_map(|entry| {
            let name = entry.expect("the directory can be read").file_name();
            let name = name
                .into_string()
                .expect("a file of the tests has a plain name");
            let name = name.strip_suffix(".rs").unwrap_or(&name).to_owned();
            (name != "main").then_some(name)
        })
        .collect();
    let listed: BTreeSet<String> = include_str!("main.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect();
    assert_eq!(listed, found);
}
