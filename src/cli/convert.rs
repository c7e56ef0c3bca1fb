//! `restow convert`: from the command line to the operation.

use std::ffi::OsString;

use clap::Args;
use restow::event::{Event, Watch};
use restow::format::{self, Opening};
use restow::image::{Platform, Reference};
use restow::ops::{self, CompressionChoice, Context, ConvertOptions, MediaTypes, Selector};

use crate::cli::Global;
use crate::cli::argument::{destination_of, source_of};
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::location::Location;
use crate::cli::options::{
    To, names, output_format, parse_compress, parse_media_types, selector, source_date_epoch,
};
use crate::cli::output::Output;
use crate::cli::stdio::{self, Writing};
use crate::cli::suffix;
use crate::cli::written::{self, check_json};

/// Convert images from any format to any other
///
/// All images of SRC are taken, with all their names. What need not change is
/// passed on byte for byte, so that digests stay.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where the images are: a file, an OCI layout, or - for standard input
    #[arg(value_name = "SRC")]
    source: OsString,

    /// Where they go: a file, a folder for an OCI layout, or - for standard output
    #[arg(value_name = "DST")]
    destination: OsString,

    /// Take one image: a reference, a digest, an image id, a prefix of one, or #N
    #[arg(long, value_name = "REF")]
    image: Option<Selector>,

    /// Take one platform of each image: OS/ARCH[/VARIANT], OS or ARCH
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,

    /// Give the image this reference, in place of those it has (repeatable)
    #[arg(long = "tag", value_name = "REF")]
    tags: Vec<Reference>,

    /// Write this format where DST is a bare path [default: docker-archive, or oci for a folder]
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: Option<To>,

    /// Compress layers: keep, none, gzip[:LEVEL] or zstd[:LEVEL]
    ///
    /// By default layers stay as they are. Without a level, those that have the
    /// wanted compression stay too. Levels are 1 to 12 for gzip and 1 to 19 for
    /// zstd.
    #[arg(long, value_name = "HOW", default_value = "keep", value_parser = parse_compress)]
    compress: CompressionChoice,

    /// Media types of manifests, configs and layers: keep, oci or docker
    ///
    /// By default they stay as they are, and a manifest that changes for another reason
    /// gets OCI's. Others give the manifest, and so the image, another digest.
    #[arg(long, value_name = "FAMILY", default_value = "keep", value_parser = parse_media_types)]
    media_types: MediaTypes,

    /// Print what was written as a JSON object, on standard output
    #[arg(long)]
    json: bool,

    /// Replace an output file that exists
    #[arg(long, short)]
    force: bool,
}

/// Runs the command.
pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let source = Location::parse(&arguments.source, source_of("restow convert - DST"))?;
    let destination = Location::parse(
        &arguments.destination,
        destination_of("restow convert", "SRC"),
    )?;
    check_json(arguments.json, &destination)?;
    let format = output_format(&destination, arguments.to)?;
    let writing = Writing {
        replace: arguments.force,
        encoding: suffix::encoding(&destination, format)?,
        jobs: global.jobs(),
    };
    let options = ConvertOptions {
        image: selector(&source, arguments.image.clone())?,
        platform: arguments.platform.clone(),
        names: names(&destination, format, &arguments.tags)?,
        compress: arguments.compress,
        media_types: arguments.media_types,
    };
    let created = source_date_epoch()?;
    let observer = |event: Event<'_>| output.event(&event);
    let watch = Watch::new(&observer, interrupt.flag());
    let temporary_directory = global.temporary_directory();
    let input = stdio::open(&source, Some(&destination), interrupt)?;
    // If the output is in the way, nothing was read for nothing.
    let place = stdio::create(&destination, writing, interrupt)?;
    let sink = format::create(format, place, &temporary_directory)?;
    let opening = Opening {
        format: source.format,
        staging: sink.staging(),
        temporary_directory: &temporary_directory,
        measures: options.compress == CompressionChoice::Keep,
        platform: options.platform.as_ref(),
        created,
        watch,
    };
    let context = Context {
        watch,
        jobs: global.jobs(),
        temporary_directory: &temporary_directory,
    };
    let source = format::open(input, &opening)?;
    let report = ops::convert(source.as_ref(), sink, &options, context)?;
    let (source, target) = (&arguments.source, &arguments.destination);
    written::say(output, arguments.json, source, target, &report)
}
