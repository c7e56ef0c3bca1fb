//! The options of every command.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use crate::cli::options::parse_positive;

/// The options of every command, last in its help.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Number of parallel jobs [default: number of cores]
    #[arg(long, global = true, value_name = "N", value_parser = parse_positive)]
    pub(super) jobs: Option<NonZeroUsize>,

    /// Directory for temporary files [default: $TMPDIR or /tmp]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) tmpdir: Option<PathBuf>,

    /// How to show progress
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = ProgressMode::Auto,
        hide_default_value = true,
        value_name = "HOW"
    )]
    pub(super) progress: ProgressMode,

    /// Suppress progress, reports and warnings
    ///
    /// `images` and `history` print ids only, and `verify` prints errors only.
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,

    // In place of clap's own, which would be under the options of the command.
    /// Print help (`-h` short, `--help` with examples)
    #[arg(long, short, global = true, action = ArgAction::Help)]
    help: Option<bool>,
}

/// How to show progress, on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProgressMode {
    /// The default: a bar if stderr is a terminal, but not with `--quiet` or if stdout is a pipe
    Auto,
    /// A bar if stderr is a terminal
    Bar,
    /// JSON Lines on stderr, for programs
    Json,
    /// No progress
    None,
}
