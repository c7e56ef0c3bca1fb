//! `restow waste`: from the command line to the operation, and the limits that it checks.

use std::num::NonZeroUsize;

use clap::Args;
use restow::{WasteOptions, WasteReport};

use crate::cli::failure::Failure;
use crate::cli::global::ProgressMode;
use crate::cli::options::{parse_positive, source_date_epoch};
use crate::cli::process::Process;
use crate::cli::source::{Choice, SourceArgument};
use crate::cli::text::size;
use crate::cli::threshold::{
    Limit, Ratio, Switchable, parse_limit, parse_switchable_size, percent, ratio,
};
use crate::cli::view::TableStyle;
use crate::cli::waste_report::{Shown, efficiency, to_json, to_text};

/// Show files that later layers hide, and what would free them
///
/// A file is hidden once a layer deletes or replaces its last name; it stays in the image,
/// but no container sees it. It counts once, for the layer that hides it, with the size of
/// its content, uncompressed. `metadata only` is a file of which only the mode, owner or
/// attributes changed, `same content twice` one of which at most the time changed.
///
/// The last table shows what `squash` would drop, as its planner says: the five command lines
/// of each kind that drop most. Digests are not verified; use `verify` for that.
#[derive(Debug, Args)]
#[command(mut_arg("human", |it| {
    it.help("Human-readable sizes").long_help(
        "Human-readable sizes\n\n`--human=false` prints sizes in bytes.",
    )
}))]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,

    /// List the N largest files or folders [default: 10]
    #[arg(long, value_name = "N", value_parser = parse_positive)]
    top: Option<NonZeroUsize>,

    /// Sum up files by the first N names of their paths
    #[arg(long, value_name = "N", value_parser = parse_positive)]
    depth: Option<NonZeroUsize>,

    #[command(flatten)]
    limits: Limits,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    shown: TableStyle,

    /// Print a JSON object; `restow help json` lists the fields
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// The limits for CI. Three have the names that dive gives them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Checks (exit code 1 if one fails)")]
struct Limits {
    /// Fail if more than this is hidden
    ///
    /// A size such as 50MB or 64MiB, or a percentage of the bytes of all files in all layers,
    /// such as 5%.
    #[arg(long, value_name = "SIZE|PERCENT", value_parser = parse_limit)]
    fail_above: Option<Limit>,

    /// Fail if the efficiency is lower, as in dive
    ///
    /// From 0 to 1: the bytes of the files that a container sees, divided by those of all
    /// files in all layers; 1 if there are none. `off`, `false` and `disabled` switch this
    /// check off, as in dive, and so they do in the next two.
    #[arg(
        long = "lowestEfficiency",
        alias = "lowest-efficiency",
        value_name = "RATIO"
    )]
    lowest_efficiency: Option<Switchable<Ratio>>,

    /// Fail if more bytes are hidden, as in dive
    #[arg(
        long = "highestWastedBytes",
        alias = "highest-wasted-bytes",
        value_name = "SIZE",
        value_parser = parse_switchable_size
    )]
    highest_wasted_bytes: Option<Switchable<u64>>,

    /// Fail if layers above the lowest hide more, as in dive
    ///
    /// From 0 to 1: the bytes of the files that these layers hide, wherever they are stored,
    /// divided by the bytes of the files in these layers.
    #[arg(
        long = "highestUserWastedPercent",
        alias = "highest-user-wasted-percent",
        value_name = "RATIO"
    )]
    highest_user_wasted_percent: Option<Switchable<Ratio>>,
}

/// The number of lines for files, by default.
const TOP: NonZeroUsize = NonZeroUsize::new(10).expect("it is not zero");

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let source = arguments.source.location("restow waste -")?;
    let mut options = WasteOptions::default();
    options.image = arguments.choice.selector(&source)?;
    options.platform.clone_from(&arguments.choice.platform);
    let session = process.session(source_date_epoch()?);
    let report = session.waste(process.open(&source)?, &options)?;
    let output = &process.output;
    if arguments.json {
        output.data(&to_json(arguments.source.typed(), &report))?;
    } else if !process.global.quiet {
        let shown = Shown {
            style: arguments.shown.style(),
            top: arguments.top.unwrap_or(TOP).get(),
            depth: arguments.depth.map(NonZeroUsize::get),
            source: &arguments.source.typed().to_string_lossy(),
            choice: &arguments.choice,
        };
        output.lines(&to_text(&report, &shown))?;
    }
    let is_silent = process.global.quiet && process.global.progress != ProgressMode::Json;
    match arguments.limits.check(&report) {
        None => Ok(()),
        // The exit code is the report.
        Some(_) if is_silent => Err(Failure::Reported),
        Some(failed) => Err(Failure::Wasteful(failed)),
    }
}

impl Limits {
    /// The limits that are not kept, in words.
    fn check(&self, report: &WasteReport) -> Option<String> {
        let (files, hidden) = (report.files_size(), report.hidden_size());
        let found = format!(
            "{} of {} of files are hidden ({})",
            size(hidden),
            size(files),
            percent(hidden, files)
        );
        let mut failed = Vec::new();
        if let Some(limit) = self.fail_above {
            let is_exceeded = match limit {
                Limit::Size(most) => hidden > most,
                Limit::Part(most) => most.is_exceeded_by(hidden, files),
            };
            if is_exceeded {
                failed.push(format!("{found}, and `--fail-above` allows {limit}"));
            }
        }
        if let Some(Switchable(Some(least))) = self.lowest_efficiency {
            let seen = report.seen_size();
            if least.is_missed_by(seen, files) {
                failed.push(format!(
                    "the efficiency is {}, and `--lowestEfficiency` asks for {least}",
                    efficiency(report)
                ));
            }
        }
        if let Some(Switchable(Some(most))) = self.highest_wasted_bytes
            && hidden > most
        {
            failed.push(format!(
                "{found}, and `--highestWastedBytes` allows {}",
                size(most)
            ));
        }
        if let Some(Switchable(Some(most))) = self.highest_user_wasted_percent {
            let (hidden, files) = (report.user_hidden_size(), report.user_files_size());
            if most.is_exceeded_by(hidden, files) {
                let ratio = ratio(hidden, files).map(|ratio| format!(" (ratio {ratio})"));
                failed.push(format!(
                    "layers above the lowest hide {} and add {} of files{}, and \
                     `--highestUserWastedPercent` allows {most}",
                    size(hidden),
                    size(files),
                    ratio.unwrap_or_default()
                ));
            }
        }
        (!failed.is_empty()).then(|| failed.join("; "))
    }
}
