//! `restow help`: the help of commands, and topics.

mod examples;
mod groups;

use clap::{Args, Command};

use crate::cli::failure::Failure;
use crate::cli::output::{Output, print_help};
use crate::cli::usage::unknown_command;

/// The topic `json`: the fields of all JSON output, which are also the docs of `restow::json`.
const JSON: &str = include_str!("../../json.md");

/// The topic `names`: the names of images.
const NAMES: &str = include_str!("names.md");

/// Topics that are not commands, each with its text.
const TOPICS: [(&str, &str); 2] = [("json", JSON), ("names", NAMES)];

/// Show the help of a command or a topic
///
/// The topics are `names` (the names of images) and `json` (the fields of JSON output).
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A command or a topic: names or json
    #[arg(value_name = "COMMAND")]
    name: Option<String>,
}

/// The names of all commands and topics.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    groups::commands().chain(TOPICS.iter().map(|(topic, _)| *topic))
}

/// Adds groups and examples to the help of a command.
pub(super) fn complete(command: Command) -> Command {
    groups::arrange(examples::add(command))
}

/// Prints help. `command` is the whole command line.
pub(super) fn run(
    arguments: &Arguments,
    mut command: Command,
    output: &Output,
) -> Result<(), Failure> {
    let name = arguments.name.as_deref();
    let topic = TOPICS.iter().find(|(topic, _)| Some(*topic) == name);
    if let Some((_, text)) = topic {
        return output.data(text.trim_end());
    }
    let words = match name {
        None => vec!["restow", "--help"],
        Some(name) if command.find_subcommand(name).is_some() => vec!["restow", name, "--help"],
        Some(name) => {
            let (message, hint) = unknown_command(name, &command);
            return Err(Failure::Name { message, hint });
        }
    };
    if let Err(help) = command.try_get_matches_from_mut(words) {
        print_help(&help)?;
    }
    Ok(())
}
