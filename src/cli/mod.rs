//! What the user sees. The only place that knows of clap, indicatif, signals,
//! the environment and a terminal.

mod ago;
mod argument;
mod completions;
mod convert;
mod descriptor;
mod destination;
mod elsewhere;
mod export;
mod failure;
mod field;
mod global;
mod hint;
mod history;
mod images;
mod import;
mod inspect;
mod interrupt;
mod location;
mod man;
mod options;
mod output;
mod process;
mod progress;
mod report;
mod source;
mod squash;
mod squash_report;
mod stdio;
mod suffix;
mod table;
mod terminal;
mod text;
mod usage;
mod verify;
mod view;
mod written;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::cli::failure::Failure;
use crate::cli::global::Global;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::Output;
use crate::cli::process::Process;
use crate::cli::report::{ExitStatus, report};
use crate::cli::usage::{asks_for_json_progress, report_usage};

/// Convert, squash, export, import, look into and check container images offline, without an engine, a registry or root
///
/// Images are named as skopeo and podman name them (containers-transports(5)):
/// docker-archive:PATH[:REF], oci:DIR[:REF], oci-archive:PATH[:REF], rootfs:PATH.
/// A bare PATH is looked into to find out what it is; as an output it is a docker
/// archive, or an OCI layout if it is a folder or ends in /. An archive that is called
/// .gz, .tgz, .zst or .tzst is compressed as a whole. `-` is standard input or output.
#[derive(Debug, Parser)]
#[command(name = "restow", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

#[derive(Debug, Subcommand)]
enum Command {
    Completions(completions::Arguments),
    Convert(convert::Arguments),
    Export(export::Arguments),
    History(history::Arguments),
    Images(images::Arguments),
    Import(import::Arguments),
    Inspect(inspect::Arguments),
    Man(man::Arguments),
    Squash(squash::Arguments),
    Verify(verify::Arguments),
}

/// Runs the command line that this process was given.
pub(crate) fn run() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let has_json_progress = asks_for_json_progress(&words);
    let arguments = match Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) => return report_usage(error, has_json_progress).into(),
    };
    let output = Output::new(&arguments.global);
    let interrupt = match Interrupt::listen() {
        Ok(interrupt) => interrupt,
        Err(error) => return report(&output, &Failure::Signals(error)).into(),
    };
    let process = Process {
        global: arguments.global,
        output,
        interrupt,
    };
    let result = match &arguments.command {
        Command::Completions(it) => completions::run(it, Arguments::command(), &process),
        Command::Convert(convert) => convert::run(convert, &process),
        Command::Export(export) => export::run(export, &process),
        Command::History(history) => history::run(history, &process),
        Command::Images(images) => images::run(images, &process),
        Command::Import(import) => import::run(import, &process),
        Command::Inspect(inspect) => inspect::run(inspect, &process),
        Command::Man(man) => man::run(man, Arguments::command(), &process),
        Command::Squash(squash) => squash::run(squash, &process),
        Command::Verify(verify) => verify::run(verify, &process),
    };
    process.output.finish(result.is_ok());
    match result {
        Ok(()) => ExitStatus::Done.into(),
        Err(failure) => {
            let status = report(&process.output, &failure);
            process.interrupt.die_if_interrupted();
            status.into()
        }
    }
}
