//! A terminal for `restow` to run on, which script(1) makes.

use std::path::Path;

use super::sandbox::Sandbox;

/// Clears the line of a bar.
pub(crate) const CLEAR: &str = "\r\u{1b}[J";

/// The output of a shell command line on a terminal of this width, in which `restow` is the tested
/// program, whatever the exit code.
#[track_caller]
pub(crate) fn on_terminal(
    sandbox: &Sandbox,
    line: &str,
    width: usize,
    variables: &[(&str, &str)],
) -> String {
    let restow = Path::new(env!("CARGO_BIN_EXE_restow"));
    let folder = restow.parent().expect("it is in a folder");
    let mut command = sandbox.command("script".as_ref());
    command
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .env("TERM", "xterm")
        .envs(variables.iter().copied())
        .args(["-qc", &format!("stty cols {width}; {line}"), "/dev/null"]);
    let output = command.output().expect("script can be run");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("it is UTF-8");
    text.replace("\r\n", "\n")
}

/// A text without the numbers and units that differ between runs.
pub(crate) fn without_figures(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        let is_figure = character.is_ascii_digit() || character == '.';
        let is_after_figure = shown.ends_with('#');
        if is_figure && !is_after_figure {
            shown.push('#');
        } else if !(is_figure || is_after_figure && "kMG".contains(character)) {
            shown.push(character);
        }
    }
    shown
}
