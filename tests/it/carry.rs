//! `convert --without` and `convert --with`: archives without layers that the other side has, and
//! back. Archives that lack something by accident are in `partial.rs`.

mod engines;
mod faults;
mod inventories;
mod random;
mod shown;

use serde_json::Value;

use crate::support::Sandbox;
use crate::support::make::{self, Image};

/// An archive of an image with layers `base 1`, `base 2`, and one with a layer more, both named
/// `app`.
fn pair() -> Sandbox {
    let sandbox = Sandbox::new();
    let base = Image::new(&["app:1"], &["file a 1", "file b 2"]);
    let new = Image::new(&["app:2"], &["file a 1", "file b 2", "file c 3"]);
    sandbox.write("base.tar", make::tar(&make::docker(&[base])));
    sandbox.write("new.tar", make::tar(&make::docker(&[new])));
    sandbox
}

/// The same, with `part.tar`, which is the second without the layers of the first.
fn part() -> Sandbox {
    let sandbox = pair();
    let arguments = ["convert", "--without", "base.tar", "new.tar", "part.tar"];
    drop(sandbox.run(&arguments).reports());
    sandbox
}

/// The report of a conversion.
#[track_caller]
fn report(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let run = sandbox.run(&[&["convert", "--json"], arguments].concat());
    let (report, _) = run.reports();
    serde_json::from_slice(&report).expect("it is JSON")
}

/// The whole archive, without layers and with them again, equals its conversion.
#[track_caller]
fn assert_same_again(sandbox: &Sandbox, base: &str, new: &str) {
    drop(
        sandbox
            .run(&["convert", new, "docker-archive:expected"])
            .reports(),
    );
    drop(
        sandbox
            .run(&["convert", "--without", base, new, "docker-archive:part"])
            .reports(),
    );
    drop(
        sandbox
            .run(&["convert", "--with", base, "part", "docker-archive:whole"])
            .reports(),
    );
    assert!(
        sandbox.read("whole") == sandbox.read("expected"),
        "{new} without and with {base}"
    );
    for name in ["expected", "part", "whole"] {
        sandbox.remove(name);
    }
}
