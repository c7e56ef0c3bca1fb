//! `restow import`: from the command line to the operation.

use std::ffi::OsString;

use clap::Args;
use restow::dockerfile::Changes;
use restow::event::{Event, Watch};
use restow::format::{self, Format, Input, Opening, RootfsInput};
use restow::image::{Config, Document, Platform, Reference, Timestamp};
use restow::ops::{self, CompressionChoice, Context, ImportOptions};

use crate::cli::Global;
use crate::cli::argument::{Argument, Role, destination_of};
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::location::{Location, Place};
use crate::cli::options::{To, names, output_format, parse_compress, selector, source_date_epoch};
use crate::cli::output::Output;
use crate::cli::stdio::{self, Writing};
use crate::cli::suffix;
use crate::cli::written::{self, check_json};

/// Make an image of one layer from a root filesystem in a tar
///
/// The bytes of the tar, unpacked, become the layer. The config is the one that
/// `docker import` writes, or that of another image with --config-from. An image archive
/// is refused, unless it is named as `rootfs:PATH`, and so are entries that no engine
/// takes.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where the tar is: a file, plain or compressed, or - for standard input
    #[arg(value_name = "ROOTFS")]
    source: OsString,

    /// Where the image goes: a file, a folder for an OCI layout, or - for standard output
    #[arg(value_name = "DST")]
    destination: OsString,

    /// Take the config of this image, all but its layers and history
    #[arg(long, value_name = "IMAGE")]
    config_from: Option<OsString>,

    /// Change the config by a Dockerfile instruction (repeatable)
    ///
    /// CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER,
    /// VOLUME or WORKDIR, as for `docker import`. All of them are read together, as
    /// lines of one Dockerfile.
    #[arg(long = "change", short, value_name = "INSTRUCTION")]
    changes: Vec<String>,

    /// Say this in the history
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,

    /// Make an image for this platform: OS/ARCH[/VARIANT], OS or ARCH [default: the host's]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,

    /// Say that it was made then: a time as 2026-11-23T12:00:00Z, or seconds since 1970
    ///
    /// By default that in `SOURCE_DATE_EPOCH`, or that of the newest entry.
    #[arg(long, value_name = "TIME", value_parser = parse_created, allow_negative_numbers = true)]
    created: Option<Timestamp>,

    /// Give the image this reference (repeatable)
    #[arg(long = "tag", value_name = "REF")]
    tags: Vec<Reference>,

    /// Write this format where DST is a bare path [default: docker-archive, or oci for a folder]
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: Option<To>,

    /// Compress the layer: keep, none, gzip[:LEVEL] or zstd[:LEVEL]
    ///
    /// By default it is what the tar unpacks to.
    #[arg(long, value_name = "HOW", default_value = "keep", value_parser = parse_compress)]
    compress: CompressionChoice,

    /// Print what was written as a JSON object, on standard output
    #[arg(long)]
    json: bool,

    /// Replace an output file that exists
    #[arg(long, short)]
    force: bool,
}

fn parse_created(text: &str) -> Result<Timestamp, String> {
    let wrong = || {
        "a time as 2026-11-23T12:00:00Z, or a number of seconds since 1970, in the years 0 to 9999, was expected"
            .to_owned()
    };
    match text.parse() {
        Ok(seconds) => Timestamp::from_seconds(seconds).ok_or_else(wrong),
        Err(_) => text.parse().map_err(|_| wrong()),
    }
}

const ROOTFS: Argument = Argument {
    name: "ROOTFS",
    role: Role::Rootfs("restow import - DST"),
};

const CONFIG_FROM: Argument = Argument {
    name: "IMAGE",
    role: Role::Option("--config-from"),
};

/// Runs the command.
pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let source = Location::parse(&arguments.source, ROOTFS)?;
    let destination = Location::parse(
        &arguments.destination,
        destination_of("restow import", "ROOTFS"),
    )?;
    if source.format.is_some_and(|format| format != Format::Rootfs) {
        return Err(Failure::Usage {
            message: "ROOTFS names an image, and a root filesystem was expected".to_owned(),
            hint: Some("`convert` reads images, and `export` makes root filesystems of them"),
        });
    }
    check_json(arguments.json, &destination)?;
    let image = arguments.config_from.as_ref();
    let image = image.map(|image| config_location(image, &source));
    let image = image.transpose()?;
    let format = output_format(&destination, arguments.to)?;
    let writing = Writing {
        replace: arguments.force,
        encoding: suffix::encoding(&destination, format)?,
        jobs: global.jobs(),
    };
    let names = names(&destination, format, &arguments.tags)?;
    let changes = Changes::parse(&arguments.changes).map_err(|error| Failure::Usage {
        message: error.to_string(),
        hint: None,
    })?;
    let created = match arguments.created {
        Some(created) => Some(created),
        None => source_date_epoch()?.and_then(Timestamp::from_seconds),
    };
    let observer = |event: Event<'_>| output.event(&event);
    let watch = Watch::new(&observer, interrupt.flag());
    let temporary_directory = global.temporary_directory();
    let context = Context {
        watch,
        jobs: global.jobs(),
        temporary_directory: &temporary_directory,
    };
    let input = stdio::open(&source, Some(&destination), interrupt)?;
    let image = match image {
        Some(location) => {
            let input = stdio::open(&location, None, interrupt)?;
            Some((location, input))
        }
        None => None,
    };
    let place = stdio::create(&destination, writing, interrupt)?;
    // If the output is in the way, nothing was read for nothing.
    let sink = format::create(format, place, &temporary_directory)?;
    let config = match image {
        Some((location, input)) => Some(config_from(&location, input, arguments, context)?),
        None => None,
    };
    let options = ImportOptions {
        names,
        compress: arguments.compress,
        platform: arguments.platform.clone(),
        created,
        message: arguments.message.clone(),
        config,
        changes,
    };
    let input = RootfsInput::new(input, source.format.is_some())?;
    let report = ops::import(input, sink, &options, context)?;
    let (source, target) = (&arguments.source, &arguments.destination);
    written::say(output, arguments.json, source, target, &report)
}

/// Where the image is whose config is taken.
fn config_location(image: &OsString, rootfs: &Location) -> Result<Location, Failure> {
    let location = Location::parse(image, CONFIG_FROM)?;
    if location.place == Place::Standard && rootfs.place == Place::Standard {
        return Err(Failure::Usage {
            message: "ROOTFS and IMAGE cannot both be standard input".to_owned(),
            hint: None,
        });
    }
    Ok(location)
}

/// The config of the image that was named.
fn config_from(
    location: &Location,
    input: Input,
    arguments: &Arguments,
    context: Context<'_>,
) -> Result<Document<Config>, Failure> {
    let selector = selector(location, None)?;
    let opening = Opening {
        format: location.format,
        staging: None,
        temporary_directory: context.temporary_directory,
        measures: false,
        platform: None,
        created: None,
        watch: context.watch,
    };
    let source = format::open(input, &opening)?;
    let platform = arguments.platform.as_ref();
    Ok(ops::config(
        source.as_ref(),
        selector.as_ref(),
        platform,
        context,
    )?)
}
