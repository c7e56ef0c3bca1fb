//! `restow squash`: from the command line to the operation, and its report.

use std::ffi::OsString;
use std::num::NonZeroUsize;

use clap::Args;
use restow::{Input, LayerChoice, Session, SquashOptions, SquashReport};
use serde_json::Value;

use crate::cli::argument::{Argument, Role, destination_of};
use crate::cli::destination::{ImageOptions, compress_help};
use crate::cli::failure::Failure;
use crate::cli::hint::advise_ref;
use crate::cli::location::Location;
use crate::cli::options::{parse_positive, source_date_epoch};
use crate::cli::process::Process;
use crate::cli::source::{Choice, SourceArgument, selector};
use crate::cli::squash_report::{to_json, to_text};
use crate::cli::text::{escaped, json_text};
use crate::cli::written;

/// Merge a range of layers into one
///
/// Layers are counted from 1, the lowest, as `inspect` shows them. Layers outside the range
/// are not changed, nor is the resulting file system. The history keeps its entries, and
/// the new layer adds one.
#[derive(Debug, Args)]
#[command(
    mut_arg("compress", |it| compress_help(
        it,
        "By default the new layer is compressed like the topmost layer of the range. Other layers are not \
         changed.",
    ))
)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,

    /// Destination: a file, a folder for an OCI layout, or - for stdout
    #[arg(value_name = "DST", index = 2, required_unless_present = "dry_run")]
    destination: Option<OsString>,

    #[command(flatten)]
    range: RangeArguments,

    /// Comment for the history entry of the new layer
    #[arg(long, short, value_name = "TEXT", help_heading = OWN)]
    message: Option<String>,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    images: ImageOptions,

    /// Report what would be merged and saved; write nothing
    ///
    /// Reads headers only, and does not verify digests. DST may be omitted.
    #[arg(long, help_heading = OWN)]
    dry_run: bool,
}

/// The heading of the other options of `squash`, after those that select layers.
const OWN: &str = "Options";

/// The options that select layers.
#[derive(Debug, Args)]
#[command(next_help_heading = "Layer selection (exactly one)")]
#[group(required = true, multiple = false)]
struct RangeArguments {
    /// Merge all layers
    #[arg(long)]
    all: bool,

    /// Merge the topmost N layers
    #[arg(long, value_name = "N", value_parser = parse_positive)]
    last: Option<NonZeroUsize>,

    /// Merge layers A to B: numbers, diff_ids or digests
    ///
    /// Unique prefixes of diff_ids and digests are enough. Either end may be omitted. A single layer is rewritten without redundant entries.
    #[arg(long, value_name = "A..B")]
    layers: Option<LayerChoice>,

    /// Merge the layers above those of the image BASE
    ///
    /// The layers of BASE stay as they are, so that images can share them.
    #[arg(long, value_name = "BASE")]
    above: Option<OsString>,

    /// Merge adjacent layers until at most N remain
    ///
    /// The smallest layers are merged first.
    #[arg(long, value_name = "N", value_parser = parse_positive)]
    max_layers: Option<NonZeroUsize>,
}

const ABOVE: Argument = Argument {
    name: "BASE",
    role: Role::Option("--above"),
};

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let output = &process.output;
    let report = squash(arguments, process)?;
    if arguments.images.json {
        let mut object = to_json(&report);
        let (source, target) = (arguments.source.typed(), arguments.destination.as_deref());
        let mut written = written::to_json(source, target, report.written.as_ref());
        object.append(&mut written);
        output.data(&json_text(&Value::Object(object)))?;
    } else if !arguments.dry_run {
        for line in to_text(&report, false) {
            output.say(&line);
        }
        if let (Some(destination), Some(written)) = (&arguments.destination, &report.written) {
            output.tell(&written::to_text(destination, written));
        }
    } else {
        // A dry run ends with the plan.
        let lines = to_text(&report, true);
        let lines: Vec<String> = lines.iter().map(|it| escaped(it)).collect();
        output.lines(&lines)?;
    }
    Ok(())
}

fn squash(arguments: &Arguments, process: &Process) -> Result<SquashReport, Failure> {
    let source = arguments.source.location("restow squash … - DST")?;
    let argument = destination_of("restow squash …", "SRC");
    let mut options = SquashOptions::default();
    let destination = match &arguments.destination {
        Some(destination) if !arguments.dry_run => {
            let images = &arguments.images;
            let (destination, names) = images.destination(destination, argument)?;
            options.names = names;
            Some(destination)
        }
        Some(destination) => {
            Location::parse(destination, argument)?;
            None
        }
        None => None,
    };
    options.image = arguments.choice.selector(&source)?;
    options.platform.clone_from(&arguments.choice.platform);
    options.compress = arguments.images.compress;
    options.message.clone_from(&arguments.message);
    let session = process.session(source_date_epoch()?);
    let base = arguments.range.above.as_ref();
    let base = base.map(|base| source.beside(base, ABOVE)).transpose()?;
    let open = |input: &Location| match &destination {
        Some(destination) => process.open_beside(input, &destination.location),
        None => process.open(input),
    };
    let input = open(&source)?;
    let base = base.map(|it| Ok::<_, Failure>((open(&it)?, it)));
    let base = base.transpose()?;
    // Checks the output before it reads the base, which may be large.
    let output = destination.as_ref().map(|it| process.create(it));
    let output = output
        .transpose()?
        .map(|it| session.begin(it))
        .transpose()?;
    options.layers = layers(arguments, base, &session)?;
    Ok(match output {
        Some(output) => session.squash(input, output, &options)?,
        None => session.plan_squash(input, &options)?,
    })
}

fn layers(
    arguments: &Arguments,
    base: Option<(Input, Location)>,
    session: &Session<'_>,
) -> Result<LayerChoice, Failure> {
    let range = &arguments.range;
    if let Some(layers) = &range.layers {
        return Ok(layers.clone());
    }
    if let Some((input, location)) = base {
        let image = selector(&location)?;
        let platform = arguments.choice.platform.as_ref();
        let diff_ids = session.diff_ids(input, image.as_ref(), platform);
        return Ok(LayerChoice::Above(diff_ids.map_err(advise_ref)?));
    }
    Ok(match (range.last, range.max_layers) {
        (Some(last), _) => LayerChoice::Last(last),
        (_, Some(most)) => LayerChoice::AtMost(most),
        _ => LayerChoice::All,
    })
}
