//! `images`, `inspect` and `history`: what they print of any input, and what they read for it.

mod choice;
mod containerd;
mod engine;
mod forms;
mod goldens;
mod headers;
mod printed;
mod quiet;

use serde_json::Value;

use crate::support::Sandbox;
use crate::support::sandbox::Output;

/// What a run printed as JSON, which it had nothing to say about.
#[track_caller]
fn json(output: Output) -> Value {
    let text = text(output);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What a run printed, which it had nothing to say about.
#[track_caller]
fn text(output: Output) -> String {
    String::from_utf8(output.data("")).expect("it is UTF-8")
}

/// What a command says of the only image of `in.tar`.
#[track_caller]
fn look(sandbox: &Sandbox, command: &str) -> Value {
    json(sandbox.run(&[command, "--json", "in.tar"]))
}
