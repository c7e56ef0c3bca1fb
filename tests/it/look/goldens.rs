//! The printed forms of each fixture.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::text;
use crate::support::judge::FIXTURES;
use crate::support::listing::assert_golden;
use crate::support::{Sandbox, fixture};

/// The fixture that is no archive of images.
const ROOTFS: &str = "docker20__edge-export.tar";

/// The commands, in the form in which nothing depends on when they are run, and as JSON with all
/// sizes.
const COMMANDS: [&[&str]; 6] = [
    &["images", "--digests", "--human=false"],
    &["inspect"],
    &["history", "--human=false"],
    &["images", "--size", "--json"],
    &["inspect", "--size", "--json"],
    &["history", "--size", "--json"],
];

/// All that the commands print of an archive.
fn printed(name: &str) -> String {
    let sandbox = Sandbox::new();
    sandbox.write(name, fixture(name));
    let list = super::json(sandbox.run(&["images", "--json", name]));
    let numbers = list["images"].as_array().into_iter().flatten();
    let numbers: BTreeSet<u64> = numbers.filter_map(|it| it["number"].as_u64()).collect();
    let mut printed = String::new();
    for command in COMMANDS {
        let mut run = |options: &[&str]| {
            let arguments = [command, options, &[name]].concat();
            let text = text(sandbox.run(&arguments));
            write!(printed, "$ restow {}\n{text}\n", arguments.join(" ")).expect("text can grow");
        };
        if command[0] == "images" {
            run(&[]);
            continue;
        }
        for number in &numbers {
            let number = format!("#{number}");
            run(&["--platform", "linux/amd64", "--image", &number]);
        }
    }
    printed
}

#[test]
fn fixtures_are_shown_as_the_goldens_say() {
    let names: BTreeSet<&str> = FIXTURES.iter().map(|(name, _)| *name).collect();
    for name in names {
        let stem = name.strip_suffix(".tar").unwrap_or(name);
        assert_golden(&format!("look/{stem}.txt"), &printed(name));
    }
}

#[test]
fn a_rootfs_is_shown_as_the_golden_says() {
    let stem = ROOTFS.strip_suffix(".tar").unwrap_or(ROOTFS);
    // Its config has the architecture of this machine.
    if cfg!(target_arch = "x86_64") {
        assert_golden(&format!("look/{stem}.txt"), &printed(ROOTFS));
    }
}
