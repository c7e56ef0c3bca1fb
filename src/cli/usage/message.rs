//! The text for each kind of wrong command line.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use crate::cli::spelling::nearest;
use crate::cli::usage::{meant, options, words};

/// An error in a command line.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// The usage line of the command, if it helps.
    pub(super) usage: Option<String>,
}

impl Wrong {
    fn new(message: impl Into<String>, hint: Option<String>) -> Self {
        Self {
            message: message.into(),
            hint,
            usage: None,
        }
    }

    fn with_usage(mut self, error: &clap::Error) -> Self {
        let usage = error.get(ContextKind::Usage).map(ToString::to_string);
        self.usage = usage.map(|it| it.trim_start_matches("Usage:").trim().to_owned());
        self
    }
}

/// The texts for an error of clap in a command line of these words.
pub(super) fn of(
    error: &clap::Error,
    typed: &[OsString],
    command: &Command,
    root: &Command,
) -> Wrong {
    let text = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let argument = text(ContextKind::InvalidArg);
    match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            let hint = "`restow --help` lists the commands".to_owned();
            Wrong::new("no command given", Some(hint))
        }
        ErrorKind::InvalidSubcommand => {
            let (message, hint) = unknown_command(&text(ContextKind::InvalidSubcommand), root);
            Wrong::new(message, Some(hint))
        }
        ErrorKind::UnknownArgument if argument == "-=" => {
            let message = match meant::valued(typed, command, root) {
                Some((option, value)) => format!("`{option}` does not take a value: `{value}`"),
                None => "a short option does not take a value after an equals sign".to_owned(),
            };
            Wrong::new(message, None)
        }
        ErrorKind::UnknownArgument if argument.starts_with('-') => {
            let hint = option_hint(&argument, command, root);
            Wrong::new(format!("unknown option `{argument}`"), Some(hint))
        }
        ErrorKind::UnknownArgument => {
            let hint = meant::superfluous(typed, command.get_name());
            let hint = hint.or_else(|| words::superfluous(command.get_name()).map(str::to_owned));
            Wrong::new(format!("unexpected argument `{argument}`"), hint).with_usage(error)
        }
        ErrorKind::MissingRequiredArgument => missing(error, typed, command).with_usage(error),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => invalid_value(error, command),
        ErrorKind::ArgumentConflict => conflict(error, command),
        ErrorKind::NoEquals => {
            let name = plain(&argument);
            Wrong::new(
                format!("`{name}` needs an equals sign before its value: `{argument}`"),
                None,
            )
        }
        ErrorKind::TooManyValues => {
            let value = text(ContextKind::InvalidValue);
            Wrong::new(
                format!("`{}` does not take a value: `{value}`", plain(&argument)),
                None,
            )
        }
        ErrorKind::InvalidUtf8 => Wrong::new("an argument is not valid UTF-8", None),
        _ => {
            let text = error.render().to_string();
            let line = text.lines().next().unwrap_or_default();
            Wrong::new(line.trim_start_matches("error: "), None)
        }
    }
}

/// The error and the hint for a word that is not a command.
pub(in crate::cli) fn unknown_command(word: &str, root: &Command) -> (String, String) {
    let names = || root.get_subcommands().map(Command::get_name);
    let part = word.split('-').find(|part| names().any(|it| it == *part));
    let hint = match (words::command(word), part) {
        (Some(tip), _) => tip.to_owned(),
        (None, Some(part)) => format!("did you mean `restow {part}`?"),
        (None, None) if word.contains(['.', '/', ':']) => {
            format!(
                "the command must come first: `restow images {word}` lists the images in an archive or layout"
            )
        }
        (None, None) => {
            let near = nearest(word, names()).into_iter();
            did_you_mean(near.map(|it| format!("restow {it}")))
                .unwrap_or_else(|| "`restow --help` lists the commands".to_owned())
        }
    };
    (format!("unknown command `{word}`"), hint)
}

/// The hint for an unknown option: the equivalent in restow, else the right spelling, else the
/// commands that have it.
fn option_hint(option: &str, command: &Command, root: &Command) -> String {
    if let Some(tip) = options::tip(option, command.get_name()) {
        return tip;
    }
    if let Some(tip) = words::option(command.get_name(), option) {
        return tip.to_owned();
    }
    let longs = |command: &Command| -> Vec<String> {
        let longs = command.get_arguments().filter_map(Arg::get_long);
        longs.map(str::to_owned).collect()
    };
    // Only the root has the global options until clap has parsed.
    let known = [longs(command), longs(root)].concat();
    // A short option has other meanings in other commands, and no similar spelling.
    if let Some(name) = option.strip_prefix("--") {
        let near = nearest(name, known.iter().map(String::as_str)).into_iter();
        if let Some(hint) = did_you_mean(near.map(|it| format!("--{it}"))) {
            return hint;
        }
        if let Some(hint) = hint_by_owner(name, root) {
            return hint;
        }
    }
    match command.get_name() {
        "restow" => "`restow --help` lists the options".to_owned(),
        name => format!("`restow {name} --help` lists the options"),
    }
}

/// The hint for an option that other commands have.
fn hint_by_owner(name: &str, root: &Command) -> Option<String> {
    let has_it = |it: &&Command| {
        let mut longs = it.get_arguments().filter_map(Arg::get_long);
        longs.any(|long| long == name)
    };
    let owners = root.get_subcommands().filter(has_it);
    let owners: Vec<String> = owners.map(|it| format!("`{}`", it.get_name())).collect();
    (!owners.is_empty()).then(|| format!("it is an option of {}", list(&owners, "and")))
}

fn did_you_mean(words: impl Iterator<Item = String>) -> Option<String> {
    let words: Vec<String> = words.map(|it| format!("`{it}`")).collect();
    (!words.is_empty()).then(|| format!("did you mean {}?", list(&words, "or")))
}

/// The error for arguments and options that are missing.
fn missing(error: &clap::Error, typed: &[OsString], command: &Command) -> Wrong {
    let Some(ContextValue::Strings(names)) = error.get(ContextKind::InvalidArg) else {
        return Wrong::new("an argument is missing", None);
    };
    if let Some(choice) = names.iter().find(|it| it.starts_with("<--")) {
        let choice = choice.trim_matches(['<', '>']).replace(">|", "|");
        let choice = choice
            .split('|')
            .map(|it| format!("`{}`", it.replace(['<', '>'], "")));
        let choice: Vec<String> = choice.collect();
        let hint = meant::forced(typed, command.get_name());
        let hint = hint.or_else(|| words::missing_choice(command.get_name()));
        return Wrong::new(
            format!("missing option: one of {}", list(&choice, "or")),
            hint.map(str::to_owned),
        );
    }
    let (options, arguments): (Vec<&String>, Vec<&String>) =
        names.iter().partition(|name| name.starts_with('-'));
    let options = options
        .iter()
        .map(|it| format!("`{}`", it.replace(['<', '>'], "")));
    let arguments: Vec<String> = arguments.iter().map(|it| plain(it)).collect();
    let hint = words::missing(command.get_name(), &arguments);
    let missing: Vec<String> = arguments.iter().cloned().chain(options).collect();
    let what = match (arguments.is_empty(), missing.len()) {
        (true, 1) => "option",
        (true, _) => "options",
        (false, 1) => "argument",
        (false, _) => "arguments",
    };
    Wrong::new(
        format!("missing {what}: {}", list(&missing, "and")),
        hint.map(str::to_owned),
    )
}

/// The error for an invalid value of an option or an argument.
fn invalid_value(error: &clap::Error, command: &Command) -> Wrong {
    let text = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let argument = text(ContextKind::InvalidArg);
    let (name, value) = (plain(&argument), text(ContextKind::InvalidValue));
    if value.is_empty() && !name.starts_with('-') {
        return Wrong::new(format!("{name} is empty"), None);
    }
    if value.is_empty() {
        return Wrong::new(
            format!(
                "`{name}` needs a value: `{}`",
                argument.replace(['<', '>'], "")
            ),
            None,
        );
    }
    let message = format!("invalid value `{value}` for `{name}`");
    match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(source), _) => {
            let hint = meant::value(&name, &value, command);
            Wrong::new(format!("{message}: {source}"), hint)
        }
        (None, Some(ContextValue::Strings(valid))) => {
            let near = nearest(&value, valid.iter().map(String::as_str)).into_iter();
            let near = did_you_mean(near.map(str::to_owned));
            Wrong::new(format!("{message}: expected {}", list(valid, "or")), near)
        }
        _ => Wrong::new(message, None),
    }
}

/// The error for options that exclude each other.
fn conflict(error: &clap::Error, command: &Command) -> Wrong {
    let argument = error.get(ContextKind::InvalidArg);
    let argument = argument.map(ToString::to_string).unwrap_or_default();
    let name = plain(&argument);
    let others = match error.get(ContextKind::PriorArg) {
        Some(ContextValue::Strings(others)) => others.clone(),
        Some(other) => vec![other.to_string()],
        None => Vec::new(),
    };
    if others.contains(&argument) {
        let hint = words::repeated(command.get_name(), &name);
        return Wrong::new(
            format!("`{name}` can be given only once"),
            hint.map(str::to_owned),
        );
    }
    let others: Vec<String> = others.iter().map(|it| format!("`{}`", plain(it))).collect();
    Wrong::new(
        format!("`{name}` cannot be used with {}", list(&others, "or")),
        None,
    )
}

/// The name of an argument as it is typed: `--tag` for `--tag <REF>`, `SRC` for `<SRC>`.
fn plain(argument: &str) -> String {
    let name = argument.split([' ', '=']).next().unwrap_or_default();
    let name = name.trim_start_matches(['<', '[']).trim_end_matches("...");
    let end = name.find(['[', ']', '>']).unwrap_or(name.len());
    name[..end].to_owned()
}

/// A list of words in a sentence: `a, b and c`.
fn list(words: &[String], conjunction: &str) -> String {
    match words {
        [] => String::new(),
        [word] => word.clone(),
        [words @ .., last] => format!("{} {conjunction} {last}", words.join(", ")),
    }
}
