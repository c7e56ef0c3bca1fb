//! A command line that cannot be understood, and what is said of it.

use std::ffi::OsString;

use clap::ValueEnum;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::global::ColorMode;
use crate::cli::output::Output;
use crate::cli::report::ExitStatus;

/// How clap shows the options of squash of which one has to be given.
const LAYER_CHOICE: &str = "<--all|";

/// The choice that most users of squash want.
const USUAL_LAYER_CHOICE: &str = "usually `--all`";

/// What `--format` of skopeo and podman is here, which clap takes for `--force`.
const FORMAT_OPTION: &str = "`convert`, `squash` and `import` write the format that `--to` says";

/// Whether these words set an option to a value, as far as words that are wrong elsewhere
/// can tell.
fn asks_for(words: &[OsString], option: &str, value: &str) -> bool {
    let options = words.iter().take_while(|word| *word != "--");
    let options: Vec<&OsString> = options.collect();
    let whole = format!("{option}={value}");
    options.iter().any(|word| **word == *whole)
        || options
            .windows(2)
            .any(|pair| pair[0] == option && pair[1] == value)
}

/// Prints what clap says of a command line, which may be help, and says how the process
/// ends.
pub(super) fn report_usage(mut error: clap::Error, words: &[OsString]) -> ExitStatus {
    let modes = ColorMode::value_variants().iter();
    for mode in modes.filter(|mode| asks_for(words, "--color", mode.name())) {
        mode.apply();
    }
    let status = if error.use_stderr() {
        ExitStatus::Usage
    } else {
        ExitStatus::Done
    };
    if lacks_layer_choice(&error) {
        let tip = vec![USUAL_LAYER_CHOICE.into()];
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tip));
    }
    if suggests_force(&error) {
        // Who followed that would lose a file.
        error.remove(ContextKind::SuggestedArg);
        error.remove(ContextKind::Usage);
        let tip = vec![FORMAT_OPTION.into()];
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tip));
    }
    if status == ExitStatus::Usage && asks_for(words, "--progress", "json") {
        let (message, hint) = parts(&error.render().to_string());
        Output::of_events().error(&message, &[], hint.as_deref());
    } else {
        // A closed standard output is no reason to complain about help.
        let _ = error.print();
    }
    status
}

fn suggests_force(error: &clap::Error) -> bool {
    let is =
        |kind, name: &str| matches!(error.get(kind), Some(ContextValue::String(it)) if it == name);
    is(ContextKind::InvalidArg, "--format") && is(ContextKind::SuggestedArg, "--force")
}

fn lacks_layer_choice(error: &clap::Error) -> bool {
    let is_choice = |name: &String| name.starts_with(LAYER_CHOICE);
    error.kind() == ErrorKind::MissingRequiredArgument
        && matches!(
            error.get(ContextKind::InvalidArg),
            Some(ContextValue::Strings(names)) if names.iter().any(is_choice)
        )
}

/// The message and the tips of what clap says, without its layout and the usage.
fn parts(text: &str) -> (String, Option<String>) {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let (message, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let words: Vec<&str> = message.split_whitespace().collect();
    let tips: Vec<&str> = rest
        .lines()
        .filter_map(|line| line.trim().strip_prefix("tip: "))
        .collect();
    let hint = (!tips.is_empty()).then(|| tips.join("; "));
    (words.join(" "), hint)
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
