//! `restow squash`: from the command line to the operation, and its report.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use restow::digest::DiffId;
use restow::event::{Event, Watch};
use restow::format::sink::ImageSink;
use restow::format::source::ImageSource;
use restow::format::{self, Format, Input, Opening};
use restow::image::Reference;
use restow::ops::{self, CompressionChoice, Context, LayerChoice, SquashOptions, SquashReport};
use serde_json::Value;

use crate::cli::Global;
use crate::cli::argument::{Argument, Role, destination_of, source_of};
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::location::{Location, Place};
use crate::cli::options::{
    Choice, To, names, output_format, parse_compress, parse_positive, selector, source_date_epoch,
};
use crate::cli::output::{Output, escaped, json_text};
use crate::cli::squash_report::{to_json, to_text};
use crate::cli::stdio::{self, Writing};
use crate::cli::suffix;
use crate::cli::view::typed;
use crate::cli::written::{self, check_json};

/// Merge a range of an image's layers into one
///
/// Layers are counted from 1, the lowest. Those outside the range keep their bytes,
/// and what the image shows stays the same. The history keeps its entries, and gets
/// one for the new layer.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where the image is: a file, an OCI layout, or - for standard input
    #[arg(value_name = "SRC")]
    source: OsString,

    /// Where it goes: a file, a folder for an OCI layout, or - for standard output
    #[arg(value_name = "DST", required_unless_present = "dry_run")]
    destination: Option<OsString>,

    #[command(flatten)]
    range: RangeArguments,

    /// Say this in the history, as the comment of the new layer
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,

    #[command(flatten)]
    choice: Choice,

    /// Give the image this reference, in place of those it has (repeatable)
    #[arg(long = "tag", value_name = "REF")]
    tags: Vec<Reference>,

    /// Write this format where DST is a bare path [default: docker-archive, or oci for a folder]
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: Option<To>,

    /// Compress the new layer: keep, none, gzip[:LEVEL] or zstd[:LEVEL]
    ///
    /// By default it is compressed as the uppermost layer of the range was. Other
    /// layers stay as they are.
    #[arg(long, value_name = "HOW", default_value = "keep", value_parser = parse_compress)]
    compress: CompressionChoice,

    /// Only print, on standard output, what would be merged and saved
    ///
    /// Headers are read, and nothing is verified.
    #[arg(long)]
    dry_run: bool,

    /// Print the report as a JSON object, on standard output
    #[arg(long)]
    json: bool,

    /// Replace an output file that exists
    #[arg(long, short)]
    force: bool,
}

/// The ways to say which layers.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct RangeArguments {
    /// Merge all layers
    #[arg(long)]
    all: bool,

    /// Merge the N uppermost layers
    #[arg(long, value_name = "N", value_parser = parse_positive)]
    last: Option<NonZeroUsize>,

    /// Merge layers A to B: numbers, diff_ids, digests, or prefixes of those
    ///
    /// Either end may be left out. A single one is written anew, without what a
    /// layer does not need.
    #[arg(long, value_name = "A..B")]
    layers: Option<LayerChoice>,

    /// Merge the layers above those of another image, which stays shared
    #[arg(long, value_name = "BASE")]
    above: Option<OsString>,

    /// Merge neighbouring layers, the smallest first, until N are left
    #[arg(long, value_name = "N", value_parser = parse_positive)]
    max_layers: Option<NonZeroUsize>,
}

const ABOVE: Argument = Argument {
    name: "BASE",
    role: Role::Option("--above"),
};

/// Runs the command.
pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let source = Location::parse(&arguments.source, source_of("restow squash … - DST"))?;
    let argument = destination_of("restow squash …", "SRC");
    let destination = match &arguments.destination {
        Some(destination) => Some(Location::parse(destination, argument)?),
        None => None,
    };
    let destination = destination.filter(|_| !arguments.dry_run);
    if let Some(destination) = &destination {
        check_json(arguments.json, destination)?;
    }
    let command = Command {
        arguments,
        global,
        interrupt,
        created: source_date_epoch()?,
        temporary_directory: global.temporary_directory(),
    };
    let observer = |event: Event<'_>| output.event(&event);
    let watch = Watch::new(&observer, interrupt.flag());
    let report = command.run(&source, destination.as_ref(), watch)?;
    if arguments.json {
        let mut object = to_json(&report);
        let written = report.written.as_ref();
        let target = arguments.destination.as_deref();
        object.append(&mut written::to_json(&arguments.source, target, written));
        output.data(&json_text(&Value::Object(object)))?;
    } else if !arguments.dry_run {
        for line in to_text(&report, false) {
            output.say(&line);
        }
        if let (Some(destination), Some(written)) = (&arguments.destination, &report.written) {
            output.tell(&written::to_text(&typed(destination), written));
        }
    } else {
        // The plan is all that was asked for.
        let lines: Vec<String> = to_text(&report, true)
            .iter()
            .map(|it| escaped(it))
            .collect();
        output.data(&lines.join("\n"))?;
    }
    Ok(())
}

struct Command<'a> {
    arguments: &'a Arguments,
    global: &'a Global,
    interrupt: &'a Interrupt,
    created: Option<i64>,
    temporary_directory: PathBuf,
}

impl Command<'_> {
    fn run(
        &self,
        source: &Location,
        destination: Option<&Location>,
        watch: Watch<'_>,
    ) -> Result<SquashReport, Failure> {
        let image = selector(source, self.arguments.choice.image.clone())?;
        let output = match destination {
            Some(destination) => {
                let format = output_format(destination, self.arguments.to)?;
                let names = names(destination, format, &self.arguments.tags)?;
                Some((destination, format, names))
            }
            None => None,
        };
        let base = self.base_location(source)?;
        let input = stdio::open(source, destination, self.interrupt)?;
        let base = match base {
            Some(base) => {
                let input = stdio::open(&base, None, self.interrupt)?;
                Some((base, input))
            }
            None => None,
        };
        // If the output is in the way, nothing was read for nothing.
        let (sink, names) = match output {
            Some((destination, format, names)) => (Some(self.create(destination, format)?), names),
            None => (None, Vec::new()),
        };
        let layers = self.layers(base, watch)?;
        let staging = sink.as_ref().and_then(|sink| sink.staging());
        let opened = self.open(input, source.format, staging, watch)?;
        let options = SquashOptions {
            image,
            platform: self.arguments.choice.platform.clone(),
            names,
            layers,
            compress: self.arguments.compress,
            message: self.arguments.message.clone(),
            created: self.created,
        };
        let context = self.context(watch);
        Ok(ops::squash(opened.as_ref(), sink, &options, context)?)
    }

    fn context<'b>(&'b self, watch: Watch<'b>) -> Context<'b> {
        Context {
            watch,
            jobs: self.global.jobs(),
            temporary_directory: &self.temporary_directory,
        }
    }

    fn layers(
        &self,
        base: Option<(Location, Input)>,
        watch: Watch<'_>,
    ) -> Result<LayerChoice, Failure> {
        let range = &self.arguments.range;
        if let Some(layers) = &range.layers {
            return Ok(layers.clone());
        }
        if let Some((location, input)) = base {
            return self.base(&location, input, watch).map(LayerChoice::Above);
        }
        Ok(match (range.last, range.max_layers) {
            (Some(last), _) => LayerChoice::Last(last),
            (_, Some(most)) => LayerChoice::AtMost(most),
            _ => LayerChoice::All,
        })
    }

    /// Where the image is that was named as the base, if one was.
    fn base_location(&self, source: &Location) -> Result<Option<Location>, Failure> {
        let Some(base) = &self.arguments.range.above else {
            return Ok(None);
        };
        let base = Location::parse(base, ABOVE)?;
        if base.place == Place::Standard && source.place == Place::Standard {
            return Err(Failure::Usage {
                message: "SRC and BASE cannot both be standard input".to_owned(),
                hint: None,
            });
        }
        Ok(Some(base))
    }

    /// The layers of the base.
    fn base(
        &self,
        base: &Location,
        input: Input,
        watch: Watch<'_>,
    ) -> Result<Vec<DiffId>, Failure> {
        let image = selector(base, None)?;
        let platform = self.arguments.choice.platform.as_ref();
        let opened = self.open(input, base.format, None, watch)?;
        let context = self.context(watch);
        let diff_ids = ops::diff_ids(opened.as_ref(), image.as_ref(), platform, context)?;
        Ok(diff_ids)
    }

    fn open(
        &self,
        input: Input,
        format: Option<Format>,
        staging: Option<&Path>,
        watch: Watch<'_>,
    ) -> Result<Box<dyn ImageSource>, Failure> {
        let opening = Opening {
            format,
            staging,
            temporary_directory: &self.temporary_directory,
            measures: false,
            platform: self.arguments.choice.platform.as_ref(),
            created: self.created,
            watch,
        };
        Ok(format::open(input, &opening)?)
    }

    fn create(
        &self,
        destination: &Location,
        format: Format,
    ) -> Result<Box<dyn ImageSink>, Failure> {
        let writing = Writing {
            replace: self.arguments.force,
            encoding: suffix::encoding(destination, format)?,
            jobs: self.global.jobs(),
        };
        let place = stdio::create(destination, writing, self.interrupt)?;
        Ok(format::create(format, place, &self.temporary_directory)?)
    }
}
