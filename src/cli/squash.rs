//! `restow squash`: from the command line to the operation, and its report.

use std::ffi::OsString;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use restow::digest::DiffId;
use restow::error::Error;
use restow::event::{Event, Watch};
use restow::format::sink::ImageSink;
use restow::format::source::ImageSource;
use restow::format::{self, Format, Opening};
use restow::image::Reference;
use restow::ops::{self, Compress, Context, LayerChoice, SquashOptions, SquashReport};
use serde_json::Value;

use crate::cli::Global;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::location::{Location, Place};
use crate::cli::look::typed;
use crate::cli::options::{
    Choice, To, check_paths, names, output_format, parse_compress, parse_positive, selector,
    source_date_epoch,
};
use crate::cli::output::{Output, escaped, json_text};
use crate::cli::squash_report::{to_json, to_text};
use crate::cli::standard;
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

    /// Write this format where DST is a bare path [default: that of SRC]
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: Option<To>,

    /// Compress the new layer: keep, none, gzip[:LEVEL] or zstd[:LEVEL]
    ///
    /// By default it is compressed as the uppermost layer of the range was. Other
    /// layers stay as they are.
    #[arg(long, value_name = "HOW", default_value = "keep", value_parser = parse_compress)]
    compress: Compress,

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

/// Runs the command.
pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let source = Location::parse(&arguments.source);
    let destination = match &arguments.destination {
        Some(destination) if !arguments.dry_run => Some(Location::parse(destination)),
        _ => None,
    };
    check_paths(&[("SRC", &source)])?;
    if let Some(destination) = &destination {
        check_paths(&[("DST", destination)])?;
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
    let report = command.run(source, destination.as_ref(), watch)?;
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
    } else if !global.quiet {
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
        source: Location,
        destination: Option<&Location>,
        watch: Watch<'_>,
    ) -> Result<SquashReport, Failure> {
        let image = selector(&source, self.arguments.choice.image.clone())?;
        let format = match destination {
            Some(destination) => output_format(destination, self.arguments.to)?,
            None => None,
        };
        // The output first, if its format is known: if it is in the way, nothing was
        // read for nothing.
        let mut sink = match (destination, format) {
            (Some(destination), Some(format)) => Some(self.create(destination, format)?),
            (Some(destination), None) => {
                self.check_absent(destination)?;
                None
            }
            (None, _) => None,
        };
        let layers = self.layers(watch)?;
        let staging = sink.as_ref().and_then(|sink| sink.staging());
        let opened = self.open(source, staging, watch)?;
        let format = format.unwrap_or_else(|| default_format(opened.as_ref(), destination));
        if let (None, Some(destination)) = (&sink, destination) {
            sink = Some(self.create(destination, format)?);
        }
        let names = match destination {
            Some(destination) => names(destination, format, &self.arguments.tags)?,
            None => Vec::new(),
        };
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

    fn layers(&self, watch: Watch<'_>) -> Result<LayerChoice, Failure> {
        let range = &self.arguments.range;
        if let Some(layers) = &range.layers {
            return Ok(layers.clone());
        }
        if let Some(base) = &range.above {
            return self.base(base, watch).map(LayerChoice::Above);
        }
        Ok(match (range.last, range.max_layers) {
            (Some(last), _) => LayerChoice::Last(last),
            (_, Some(most)) => LayerChoice::AtMost(most),
            _ => LayerChoice::All,
        })
    }

    /// The layers of the image that was named as the base.
    fn base(&self, base: &OsString, watch: Watch<'_>) -> Result<Vec<DiffId>, Failure> {
        let base = Location::parse(base);
        check_paths(&[("BASE", &base)])?;
        if base.place == Place::Standard && self.arguments.source.as_os_str() == "-" {
            return Err(Failure::Usage {
                message: "SRC and BASE cannot both be standard input".to_owned(),
                hint: None,
            });
        }
        let image = selector(&base, None)?;
        let platform = self.arguments.choice.platform.as_ref();
        let opened = self.open(base, None, watch)?;
        let context = self.context(watch);
        let diff_ids = ops::diff_ids(opened.as_ref(), image.as_ref(), platform, context)?;
        Ok(diff_ids)
    }

    fn open(
        &self,
        location: Location,
        staging: Option<&Path>,
        watch: Watch<'_>,
    ) -> Result<Box<dyn ImageSource>, Failure> {
        let input = standard::open(location.place, self.interrupt)?;
        let opening = Opening {
            format: location.format,
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
        let place = standard::create(destination.place.clone(), self.arguments.force)?;
        Ok(format::create(format, place, &self.temporary_directory)?)
    }

    /// Refuses an output that is in the way before the input is read, where the
    /// format is not known yet.
    fn check_absent(&self, destination: &Location) -> Result<(), Failure> {
        match &destination.place {
            Place::Standard => standard::output().map(drop),
            Place::Path(path) => {
                let is_file = |metadata: fs::Metadata| metadata.is_file();
                if !self.arguments.force && fs::metadata(path).is_ok_and(is_file) {
                    return Err(Error::OutputExists { path: path.clone() }.into());
                }
                Ok(())
            }
        }
    }
}

/// The format of the input, where that is one of images and fits the output.
fn default_format(source: &dyn ImageSource, destination: Option<&Location>) -> Format {
    let is_stream = destination.is_some_and(|it| it.place == Place::Standard);
    match source.format() {
        Format::Rootfs => Format::DockerArchive,
        Format::OciDirectory if is_stream => Format::OciArchive,
        format => format,
    }
}
