//! `restow convert`: from the command line to the operation.

use std::ffi::OsString;

use clap::Args;
use restow::{ConvertOptions, MediaTypes};

use crate::cli::argument::destination_of;
use crate::cli::destination::{ImageOptions, compress_help};
use crate::cli::failure::Failure;
use crate::cli::options::{parse_media_types, source_date_epoch};
use crate::cli::process::Process;
use crate::cli::source::{Choice, SourceArgument};
use crate::cli::stdio;
use crate::cli::written;

/// Convert images from any format to any other
///
/// All images of SRC are taken, with all their names. What need not change is
/// passed on byte for byte, so that digests stay.
#[derive(Debug, Args)]
#[command(
    mut_arg("source", |it| it.help("Where the images are: a file, an OCI layout, or - for standard input")),
    mut_arg("image", |it| it.help("Take one image: a reference, a digest, an image id, a prefix of one, or #N")),
    mut_arg("platform", |it| it.help("Take one platform of each image: OS/ARCH[/VARIANT], OS or ARCH")),
    mut_arg("compress", |it| compress_help(
        it,
        "layers",
        "By default layers stay as they are. Without a level, those that have the wanted \
         compression stay too. Levels are 1 to 12 for gzip and 1 to 19 for zstd.",
    ))
)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,

    /// Where they go: a file, a folder for an OCI layout, or - for standard output
    #[arg(value_name = "DST", index = 2)]
    destination: OsString,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    images: ImageOptions,

    /// Media types of manifests, configs and layers: keep, oci or docker
    ///
    /// By default they stay as they are, and a manifest that changes for another reason
    /// gets OCI's. Others give the manifest, and so the image, another digest.
    #[arg(long, value_name = "FAMILY", default_value = "keep", value_parser = parse_media_types)]
    media_types: MediaTypes,
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
    let output = stdio::create(&destination, interrupt)?;
    let report = session.convert(input, output, &options)?;
    let (source, target) = (arguments.source.typed(), &arguments.destination);
    written::say(&process.output, images.json, source, target, &report)
}
