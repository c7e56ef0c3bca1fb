//! The command line: the only module that uses clap, signals, the environment and a terminal.

mod ago;
mod append;
mod apply;
mod argument;
mod cat;
mod completions;
mod config;
mod convert;
mod delta;
mod descriptor;
mod destination;
mod diff;
mod diff_report;
mod drawing;
mod elsewhere;
mod entry;
mod explain;
mod export;
mod extract;
mod failure;
mod field;
mod files;
mod global;
mod help;
mod hint;
mod history;
mod images;
mod import;
mod inspect;
mod interrupt;
mod location;
mod man;
mod meter;
mod options;
mod order;
mod output;
mod partial;
mod process;
mod progress;
mod rebase;
mod remove;
mod report;
mod source;
mod spelling;
mod squash;
mod squash_report;
mod stdio;
mod suffix;
mod table;
mod terminal;
mod text;
mod threshold;
mod usage;
mod verify;
mod view;
mod waste;
mod waste_report;
mod written;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::cli::failure::Failure;
use crate::cli::global::Global;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::Output;
use crate::cli::process::Process;
use crate::cli::report::{ExitStatus, report};
use crate::cli::usage::report_usage;

/// Convert, squash, inspect and verify container images offline: no engine, registry or root needed
#[derive(Debug, Parser)]
#[command(
    name = "restow",
    version,
    disable_help_flag = true,
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

#[derive(Debug, Subcommand)]
enum Command {
    Append(append::Arguments),
    Apply(apply::Arguments),
    Cat(cat::Arguments),
    Completions(completions::Arguments),
    Config(config::Arguments),
    Convert(convert::Arguments),
    Delta(delta::Arguments),
    Diff(diff::Arguments),
    Export(export::Arguments),
    Extract(extract::Arguments),
    Files(files::Arguments),
    Help(help::Arguments),
    History(history::Arguments),
    Images(images::Arguments),
    Import(import::Arguments),
    Inspect(inspect::Arguments),
    Man(man::Arguments),
    Rebase(rebase::Arguments),
    Remove(remove::Arguments),
    Squash(squash::Arguments),
    Verify(verify::Arguments),
    Waste(waste::Arguments),
}

impl Command {
    /// The exit status after a failure. That of `diff` is 1 only if the images differ, as
    /// in diff(1).
    fn status(&self, failure: &Failure, status: ExitStatus) -> ExitStatus {
        match (self, failure) {
            (Self::Diff(_), Failure::Different) => ExitStatus::Failed,
            (Self::Diff(_), _) => ExitStatus::Usage,
            _ => status,
        }
    }
}

/// The command line of restow, with its complete help.
fn command() -> clap::Command {
    help::complete(Arguments::command())
}

/// Parses a command line.
fn parse(words: &[OsString]) -> Result<Arguments, clap::Error> {
    let parse = |root: clap::Command| {
        let matches = root.try_get_matches_from(words)?;
        Arguments::from_arg_matches(&matches)
    };
    let arguments = match parse(convert::loosened(command())) {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => return Err(error),
        Err(_) => return parse(command()),
    };
    match &arguments.command {
        Command::Convert(it) if it.places().is_none() => parse(convert::of_one(command())),
        _ => Ok(arguments),
    }
}

/// Runs the command line of this process.
pub(crate) fn run() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let arguments = match parse(&words) {
        Ok(arguments) => arguments,
        Err(error) => return report_usage(&error, &words, &command()).into(),
    };
    arguments.global.color.apply();
    let output = Output::new(&arguments.global);
    let interrupt = match Interrupt::listen() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            let failure = Failure::Signals(error);
            let status = report(&output, &failure);
            return arguments.command.status(&failure, status).into();
        }
    };
    let process = Process {
        global: arguments.global,
        output,
        interrupt,
    };
    let result = match &arguments.command {
        Command::Append(append) => append::run(append, &process),
        Command::Apply(apply) => apply::run(apply, &process),
        Command::Cat(cat) => cat::run(cat, &process),
        Command::Completions(it) => completions::run(it, command(), &process),
        Command::Config(config) => config::run(config, &process),
        Command::Convert(convert) => convert::run(convert, &process),
        Command::Delta(delta) => delta::run(delta, &process),
        Command::Diff(diff) => diff::run(diff, &process),
        Command::Export(export) => export::run(export, &process),
        Command::Extract(extract) => extract::run(extract, &process),
        Command::Files(files) => files::run(files, &process),
        Command::Help(help) => help::run(help, command(), &process.output),
        Command::History(history) => history::run(history, &process),
        Command::Images(images) => images::run(images, &process),
        Command::Import(import) => import::run(import, &process),
        Command::Inspect(inspect) => inspect::run(inspect, &process),
        Command::Man(man) => man::run(man, command(), &process),
        Command::Rebase(rebase) => rebase::run(rebase, &process),
        Command::Remove(remove) => remove::run(remove, &process),
        Command::Squash(squash) => squash::run(squash, &process),
        Command::Verify(verify) => verify::run(verify, &process),
        Command::Waste(waste) => waste::run(waste, &process),
    };
    process.output.finish(result.is_ok());
    match result {
        Ok(()) => ExitStatus::Done.into(),
        Err(failure) => {
            let status = report(&process.output, &failure);
            process.interrupt.die_if_interrupted();
            arguments.command.status(&failure, status).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_finds_no_fault() {
        command().debug_assert();
    }

    #[test]
    fn each_command_is_in_one_group() {
        let mut root = command();
        let help = root.render_help().to_string();
        let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
        let listed: Vec<String> = help.lines().filter_map(first).collect();
        for subcommand in root.get_subcommands() {
            let name = subcommand.get_name();
            let count = listed.iter().filter(|it| *it == name).count();
            assert_eq!(count, 1, "{name}");
        }
    }

    #[test]
    fn a_word_of_another_tool_is_not_a_command() {
        let mut words = usage::known_words();
        let root = command();
        for word in &words {
            assert!(root.find_subcommand(word).is_none(), "{word}");
        }
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count, "a word has two hints");
    }

    /// The command lines of restow in a hint.
    fn command_lines(hint: &str) -> impl Iterator<Item = &str> {
        let quoted = hint.split('`').skip(1).step_by(2);
        let parts = quoted.flat_map(|it| it.split(['|', '(', ';']));
        parts.filter_map(|it| Some(it.split_once("restow ")?.1.trim_end_matches(')').trim()))
    }

    #[test]
    fn hints_name_commands_and_options_that_exist() {
        let root = command();
        let mut count = 0;
        for hint in usage::hints() {
            for line in command_lines(hint) {
                let mut words = line.split_whitespace().peekable();
                let name = words.next().unwrap_or_default();
                if name == "COMMAND" || name.starts_with("--") {
                    continue;
                }
                let subcommand = root.find_subcommand(name);
                let subcommand = subcommand.unwrap_or_else(|| panic!("`{line}` in: {hint}"));
                for option in words.filter_map(|word| word.strip_prefix("--")) {
                    let longs = subcommand.get_arguments().filter_map(clap::Arg::get_long);
                    assert!(longs.into_iter().any(|it| it == option), "{line}: {option}");
                }
                count += 1;
            }
        }
        assert!(count > 40, "{count} command lines");
    }
}
