//! The error and the hint for a wrong command line.
//!
//! clap parses; restow writes the texts, so that every error has the same form, and so that
//! hints do more than correct the spelling.

mod meant;
mod message;
mod options;
mod words;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Command, ValueEnum};

use crate::cli::global::ColorMode;
use crate::cli::output::{Output, print_help};
use crate::cli::report::{ExitStatus, report};

pub(super) use self::message::unknown_command;

/// All words of other tools.
#[cfg(test)]
pub(super) fn known_words() -> Vec<&'static str> {
    words::words().collect()
}

/// All hints for users of other tools.
#[cfg(test)]
pub(super) fn hints() -> Vec<&'static str> {
    words::hints().chain(options::hints()).collect()
}

/// True if these words set an option to a value. The command line may be wrong elsewhere.
fn asks_for(words: &[OsString], option: &str, value: &str) -> bool {
    let options = words.iter().take_while(|word| *word != "--");
    let options: Vec<&OsString> = options.collect();
    let whole = format!("{option}={value}");
    options.iter().any(|word| **word == *whole)
        || options
            .windows(2)
            .any(|pair| pair[0] == option && pair[1] == value)
}

/// Prints the help or the error that clap returned for a command line, and returns the exit
/// status.
pub(super) fn report_usage(error: &clap::Error, words: &[OsString], root: &Command) -> ExitStatus {
    let modes = ColorMode::value_variants().iter();
    for mode in modes.filter(|mode| asks_for(words, "--color", mode.name())) {
        mode.apply();
    }
    let has_json_progress = asks_for(words, "--progress", "json");
    if !error.use_stderr() {
        return match print_help(error) {
            Ok(()) => ExitStatus::Done,
            Err(error) => {
                let status = report(&Output::of_usage(has_json_progress), &error.into());
                // Its status 1 is that of images that differ.
                let is_diff = command_of(words, root).get_name() == "diff";
                if is_diff { ExitStatus::Usage } else { status }
            }
        };
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && !has_json_progress {
        let _ = error.print();
        return ExitStatus::Usage;
    }
    let wrong = message::of(error, words, command_of(words, root), root);
    let output = Output::of_usage(has_json_progress);
    output.error(&wrong.message, &[], wrong.hint.as_deref());
    if let Some(usage) = wrong.usage {
        output.say(&format!("  usage: {usage}"));
    }
    ExitStatus::Usage
}

/// The subcommand in these words, or else the root.
fn command_of<'a>(words: &[OsString], root: &'a Command) -> &'a Command {
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        let word = word.to_string_lossy();
        if takes_value(&word, root) {
            words.next();
        } else if !word.starts_with('-') {
            return root.find_subcommand(word.as_ref()).unwrap_or(root);
        }
    }
    root
}

/// True if the word after this one is the value of a global option.
fn takes_value(word: &str, root: &Command) -> bool {
    let option = word.strip_prefix("--").and_then(|name| {
        root.get_arguments()
            .find(|it| it.get_long().is_some_and(|long| long == name))
    });
    option.is_some_and(|it| it.get_action().takes_values())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_asked_for_by_two_words_or_one() {
        let asks = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            asks_for(&words, "--progress", "json")
        };
        assert!(asks(&[
            "restow",
            "convert",
            "--progress",
            "json",
            "--wrong"
        ]));
        assert!(asks(&["restow", "--progress=json"]));
        assert!(!asks(&["restow", "convert", "--progress", "bar", "json"]));
        assert!(!asks(&["restow", "convert", "--", "--progress", "json"]));
        assert!(!asks(&["restow"]));
    }
}
