//! What the user sees. The only place that knows of clap, indicatif, signals,
//! the environment and a terminal.

mod ago;
mod argument;
mod convert;
mod descriptor;
mod destination;
mod elsewhere;
mod export;
mod failure;
mod field;
mod hint;
mod history;
mod images;
mod import;
mod inspect;
mod interrupt;
mod location;
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
mod usage;
mod verify;
mod view;
mod written;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::options::parse_positive;
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
    Convert(convert::Arguments),
    Export(export::Arguments),
    History(history::Arguments),
    Images(images::Arguments),
    Import(import::Arguments),
    Inspect(inspect::Arguments),
    Squash(squash::Arguments),
    Verify(verify::Arguments),
}

/// Where the options that every command has stand in its help: behind its own.
const LAST: usize = 100;

/// Options that every command has.
#[derive(Debug, Args)]
struct Global {
    /// Work on so many blobs, and compress so many blocks, at once [default: all cores]
    #[arg(
        long,
        global = true,
        display_order = LAST,
        value_name = "N",
        value_parser = parse_positive
    )]
    jobs: Option<NonZeroUsize>,

    /// Put temporary files here, where they are needed [default: $TMPDIR]
    #[arg(long, global = true, display_order = LAST, value_name = "DIR")]
    tmpdir: Option<PathBuf>,

    /// Show what is being done
    #[arg(
        long,
        global = true,
        display_order = LAST,
        value_enum,
        default_value_t = ProgressMode::Auto,
        value_name = "HOW"
    )]
    progress: ProgressMode,

    /// Print only errors and what was asked for; with `images` and `history` ids alone
    #[arg(long, short, global = true, display_order = LAST)]
    quiet: bool,
}

/// How progress is shown, on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ProgressMode {
    /// A bar on a terminal; nothing elsewhere, with --quiet, or if standard output is a pipe
    Auto,
    /// A bar on a terminal
    Bar,
    /// An object on each line, for programs
    Json,
    /// Nothing
    None,
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
        Command::Convert(convert) => convert::run(convert, &process),
        Command::Export(export) => export::run(export, &process),
        Command::History(history) => history::run(history, &process),
        Command::Images(images) => images::run(images, &process),
        Command::Import(import) => import::run(import, &process),
        Command::Inspect(inspect) => inspect::run(inspect, &process),
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
