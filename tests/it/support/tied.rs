//! The connection between `verify` and the commands that open an input: if one of them refuses it,
//! the report has an error, and every exception has a reason.

use super::sandbox::{Output, Sandbox};

/// The message of a command for an input in which `verify` finds no error, and the reason why that
/// is right.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "it contains no image",
        "an archive of nothing is whole; there is nothing in it to take",
    ),
    (
        "is not an image but an artifact",
        "what is no image may lie in a layout; `inspect` was asked for an image",
    ),
    (
        "it is encrypted",
        "whoever has the key can use it; without the key nobody can see its entries",
    ),
];

/// Opens an input in each possible way, and returns the first message that refuses it.
#[track_caller]
pub(crate) fn refusal(sandbox: &Sandbox, input: &str) -> Option<String> {
    let commands: [&[&str]; 3] = [
        &["images", input],
        &["inspect", "--image", "#1", input],
        &["convert", input, "oci-archive:tied.tar"],
    ];
    for arguments in commands {
        let output = sandbox.run(arguments);
        if output.code != Some(0) {
            return Some(output.stderr.clone());
        }
        drop(output);
    }
    std::fs::remove_file(sandbox.path("tied.tar")).expect("there is an output");
    None
}

/// Checks that the report of `verify` on an input has an error if a command refuses it.
///
/// `verify` does not report on an unreadable input, but refuses it with the same message.
#[track_caller]
pub(crate) fn assert_tied(name: &str, sandbox: &Sandbox, input: &str, report: &Output) {
    let text = String::from_utf8_lossy(&report.stdout);
    if text.lines().any(|line| line.starts_with("error[")) {
        return;
    }
    if let Some(refusal) = refusal(sandbox, input) {
        let is_known = EXCEPTIONS.iter().any(|(text, _)| refusal.contains(text));
        assert!(
            is_known || report.stderr == refusal,
            "{name}: {refusal}\n{report:?}"
        );
    }
}
