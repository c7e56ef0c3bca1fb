//! The options of every command.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anstream::ColorChoice;
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

    /// When to use colors
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = ColorMode::Auto,
        hide_default_value = true,
        value_name = "WHEN"
    )]
    pub(super) color: ColorMode,

    /// Suppress progress, reports and warnings
    ///
    /// `images` and `history` print ids only, `files` paths only, `--dry-run` its plan, `diff`,
    /// `verify` and `waste` nothing.
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,

    // Replaces the option of clap, which would be among the options of the command.
    /// Print help (`-h` short, `--help` with examples)
    #[arg(long, short, global = true, action = ArgAction::Help)]
    help: Option<bool>,
}

/// The form of progress on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProgressMode {
    /// The default: a bar if stderr is a terminal, but not with `--quiet` or if stdout is a pipe
    Auto,
    /// A bar if stderr is a terminal, else lines
    Bar,
    /// A line every five seconds, for logs
    Plain,
    /// JSON Lines on stderr, for programs
    Json,
    /// No progress
    None,
}

/// The condition for coloured text.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ColorMode {
    /// The default: on a terminal, unless `NO_COLOR` is set or TERM is `dumb`
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl ColorMode {
    /// Applies it to all output, including the help of clap, which uses the same setting.
    pub(super) fn apply(self) {
        let choice = match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        };
        choice.write_global();
    }

    /// Its name on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}
