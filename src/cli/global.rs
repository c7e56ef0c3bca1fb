//! The options that every command has.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anstream::ColorChoice;
use clap::{Args, ValueEnum};

use crate::cli::options::parse_positive;

/// The place where the options that every command has are in its help: after its own.
pub(super) const LAST: usize = 100;

/// Options that every command has.
#[derive(Debug, Args)]
pub(super) struct Global {
    /// Work on so many blobs, and compress so many blocks, at once [default: all cores]
    #[arg(
        long,
        global = true,
        display_order = LAST,
        value_name = "N",
        value_parser = parse_positive
    )]
    pub(super) jobs: Option<NonZeroUsize>,

    /// Put temporary files here, where they are needed [default: $TMPDIR]
    #[arg(long, global = true, display_order = LAST, value_name = "DIR")]
    pub(super) tmpdir: Option<PathBuf>,

    /// Show what is being done
    #[arg(
        long,
        global = true,
        display_order = LAST,
        value_enum,
        default_value_t = ProgressMode::Auto,
        value_name = "HOW"
    )]
    pub(super) progress: ProgressMode,

    /// When to use colors
    #[arg(
        long,
        global = true,
        display_order = LAST,
        value_enum,
        default_value_t = ColorMode::Auto,
        value_name = "WHEN"
    )]
    pub(super) color: ColorMode,

    /// Print only errors and what was asked for; with `images` and `history` ids alone
    #[arg(long, short, global = true, display_order = LAST)]
    pub(super) quiet: bool,
}

/// How progress is shown, on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProgressMode {
    /// A bar on a terminal; nothing elsewhere, with --quiet, or if standard output is a pipe
    Auto,
    /// A bar on a terminal, and lines elsewhere
    Bar,
    /// A line every five seconds, for logs
    Plain,
    /// An object on each line, for programs
    Json,
    /// Nothing
    None,
}

/// When text has colours.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ColorMode {
    /// On a terminal, unless `NO_COLOR` is set or TERM is `dumb`
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl ColorMode {
    /// Makes it so, for help and wrong command lines as well: clap looks at the same choice.
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
