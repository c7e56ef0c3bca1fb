//! The full text of what `convert` refuses and warns of, and of its usage.
//!
//! Every message stands here as a person sees it, since only a reader notices a
//! wrong noun or a stray backtick.

mod choices;
mod folders;
mod inputs;
mod looking;
mod merging;
mod names;
mod running;

use expect_test::Expect;

use crate::support::make::{self, Image, Layout};
use crate::support::sandbox::Sandbox;

/// An input, what is done with it, and what is said of that.
struct Case {
    /// The bytes of `in.tar`.
    input: Vec<u8>,
    /// The arguments of `restow convert`.
    arguments: &'static [&'static str],
    /// Standard error.
    says: Expect,
}

fn case(input: impl Into<Vec<u8>>, arguments: &'static [&'static str], says: Expect) -> Case {
    Case {
        input: input.into(),
        arguments,
        says,
    }
}

/// Checks that each case ends with this code and says just that.
#[track_caller]
fn check(code: i32, cases: Vec<Case>) {
    for case in cases {
        let sandbox = Sandbox::new();
        sandbox.write("in.tar", &case.input);
        sandbox.write("there.tar", "an older output");
        sandbox.write("full/file", "something else");
        let arguments = [&["convert"], case.arguments].concat();
        sandbox.run(&arguments).ends(code, case.says);
    }
}

const TO_LAYOUT: &[&str] = &["in.tar", "oci:out"];
const TO_ARCHIVE: &[&str] = &["in.tar", "docker-archive:out.tar"];

fn app() -> Image {
    Image::new(&["app:1"], &["file a 1", "file b 2", "file c 3"])
}

/// A layout with these descriptors in its index.
fn layout(make: impl FnOnce(&mut Layout)) -> Vec<u8> {
    let mut layout = Layout::default();
    make(&mut layout);
    make::tar(&layout.members())
}
