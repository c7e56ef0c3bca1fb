//! `diff`: what it finds, what it says of it, and how it ends.

mod fields;
mod fixtures;
mod many;
mod paths;
mod planted;
pub(crate) mod random;
mod text;
mod trouble;

use crate::support::Sandbox;
use crate::support::judge::Format;
use crate::support::layer::stack;
use crate::support::make::Image;
use crate::support::squash::put;

/// The output of a comparison that found differences or none: standard output and the exit
/// code. Standard error is empty.
#[track_caller]
fn compared(sandbox: &Sandbox, arguments: &[&str]) -> (String, i32) {
    let output = sandbox.run(&[&["diff"], arguments].concat());
    assert_eq!(output.stderr, "", "{}", output.command);
    let code = output.code.expect("no signal ends it");
    let text = String::from_utf8(output.stdout).expect("the report is UTF-8");
    (text, code)
}

/// A report without the lines that name the images, with the exit code at its end.
#[track_caller]
fn differences(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let (text, code) = compared(sandbox, arguments);
    let mut lines: Vec<&str> = text.lines().collect();
    let images: Vec<&str> = lines.drain(..2).collect();
    assert!(images[0].starts_with("A  ") && images[1].starts_with("B  "));
    lines.retain(|line| !line.is_empty());
    format!("{}\nexit {code}\n", lines.join("\n"))
}

/// The image of a stack in words.
fn image(words: &str) -> Image {
    Image::of_layers(&["app:1"], stack(words))
}

/// A sandbox with two images: `a` and `b`, docker archives.
fn sandbox(a: &Image, b: &Image) -> Sandbox {
    let sandbox = Sandbox::new();
    put(&sandbox, "a", Format::Docker, a);
    put(&sandbox, "b", Format::Docker, b);
    sandbox
}
