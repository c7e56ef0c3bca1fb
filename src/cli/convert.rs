//! `restow convert`: from the command line to the operation.

use std::ffi::OsString;

use clap::Args;
use restow::{ConvertOptions, MediaTypes};

use crate::cli::argument::destination_of;
use crate::cli::destination::{ImageOptions, compress_help};
use crate::cli::failure::Failure;
use crate::cli::options::{parse_media_types, source_date_epoch};
use crate::cli::partial::{self, PartialOptions};
use crate::cli::process::Process;
use crate::cli::source::{Choice, SourceArgument};
use crate::cli::stdio;
use crate::cli::written;

/// Convert images from any format to any other
///
/// Copies all images with all their tags. Whatever need not change is copied byte for
/// byte, so digests and image ids are preserved. Writing into an existing OCI layout adds
/// to it.
#[derive(Debug, Args)]
#[command(
    mut_arg("platform", |it| it.help("Select a platform: OS/ARCH[/VARIANT], OS or ARCH [default: all]")),
    mut_arg("compress", |it| compress_help(
        it,
        "By default layers are left as they are. Without a level, layers already in that format \
         are not recompressed.",
    ))
)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,

    /// Destination: a file, a folder for an OCI layout, or - for stdout
    #[arg(value_name = "DST", index = 2)]
    destination: OsString,

    /// Media types: keep, oci or docker
    ///
    /// The media types of manifests, configs and layers. By default they are left as they are, and a manifest that changes for another reason
    /// gets OCI media types. Other media types change the digest of the manifest.
    #[arg(long, value_name = "FAMILY", default_value = "keep", value_parser = parse_media_types)]
    media_types: MediaTypes,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    images: ImageOptions,

    #[command(flatten)]
    partial: PartialOptions,
}

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let source = arguments.source.location("restow convert - DST")?;
    let argument = destination_of("restow convert", "SRC");
    let images = &arguments.images;
    let (destination, names) = images.destination(&arguments.destination, argument)?;
    let mut options = ConvertOptions::default();
    options.image = arguments.choice.selector(&source)?;
    options.platform.clone_from(&arguments.choice.platform);
    options.names = names;
    options.compress = images.compress;
    options.media_types = arguments.media_types;
    let session = process.session(source_date_epoch()?);
    let interrupt = &process.interrupt;
    let input = stdio::open(&source, Some(&destination.location), interrupt)?;
    let bases = arguments.partial.bases(std::slice::from_ref(&source))?;
    let output = session.begin(stdio::create(&destination, interrupt)?)?;
    options.without = arguments.partial.inventory(&bases, process, &session)?;
    let report = if arguments.partial.completes() {
        let bases = partial::open(&bases, process)?;
        session.complete(input, bases, output, &options)?
    } else {
        session.convert(input, output, &options)?
    };
    let (source, target) = (arguments.source.typed(), &arguments.destination);
    written::say(&process.output, images.json, source, target, &report)
}
