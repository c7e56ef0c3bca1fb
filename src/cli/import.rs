//! `restow import`: from the command line to the operation.

use std::ffi::OsString;
use std::path::Path;

use clap::Args;
use restow::{Format, ImportOptions, Platform, Timestamp};

use crate::cli::argument::{Argument, Role, destination_of};
use crate::cli::destination::{DestinationArgument, ImageOptions, compress_help};
use crate::cli::failure::Failure;
use crate::cli::hint::advise_ref;
use crate::cli::location::Location;
use crate::cli::options::{ChangeOption, parse_created, parse_owner, source_date_epoch};
use crate::cli::process::Process;
use crate::cli::source::selector;
use crate::cli::written;

/// Create a single-layer image from a root filesystem tar or folder
///
/// A tar, decompressed, becomes the layer byte for byte. A folder is packed as it is, sorted by
/// name, so that the same folder always becomes the same image; times after
/// `SOURCE_DATE_EPOCH`, if set, are set to it. The config is the one that
/// `docker import` writes, or that of another image with `--config-from`. Image archives
/// and OCI layouts are refused unless named as `rootfs:PATH`, and so are entries that every
/// engine refuses.
#[derive(Debug, Args)]
#[command(
    mut_arg("tags", |it| it.help("Name the image REF (repeatable)")),
    mut_arg("compress", |it| compress_help(
        it,
        "By default the layer is not compressed.",
    ))
)]
pub(super) struct Arguments {
    /// Root filesystem: a tar, plain or compressed, a folder, or - for stdin
    #[arg(value_name = "ROOTFS", index = 1)]
    source: OsString,

    #[command(flatten)]
    destination: DestinationArgument,

    /// Copy the config of this image, except for its layers and history
    #[arg(long, value_name = "IMAGE")]
    config_from: Option<OsString>,

    #[command(flatten)]
    changes: ChangeOption,

    /// Comment for the history entry
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,

    /// Owner of all files of a folder: UID:GID [default: as on disk]
    #[arg(long, value_name = "UID:GID", value_parser = parse_owner)]
    owner: Option<(u32, u32)>,

    /// Platform of the image: OS/ARCH[/VARIANT] [default: the host's]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,

    /// Creation time: RFC 3339 or Unix seconds
    ///
    /// By default `SOURCE_DATE_EPOCH`, else the newest mtime in ROOTFS.
    #[arg(long, value_name = "TIME", value_parser = parse_created, allow_negative_numbers = true)]
    created: Option<Timestamp>,

    #[command(flatten)]
    images: ImageOptions,
}

const ROOTFS: Argument = Argument {
    name: "ROOTFS",
    role: Role::Rootfs("restow import - DST"),
};

const CONFIG_FROM: Argument = Argument {
    name: "IMAGE",
    role: Role::Option("--config-from"),
};

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let source = Location::parse(&arguments.source, ROOTFS)?;
    if source.format.is_some_and(|format| format != Format::Rootfs) {
        return Err(Failure::Usage {
            message: "ROOTFS is an image; expected a root filesystem".to_owned(),
            hint: Some("`convert` reads images, and `export` makes a root filesystem of one"),
        });
    }
    if arguments.owner.is_some() && !source.path().is_some_and(Path::is_dir) {
        return Err(Failure::Usage {
            message: "`--owner` applies to a folder, but ROOTFS is not one".to_owned(),
            hint: Some("a tar becomes a layer as it is: set the owner when you pack it"),
        });
    }
    let argument = destination_of("restow import", "ROOTFS");
    let images = &arguments.images;
    let (destination, names) = images.destination(arguments.destination.typed(), argument)?;
    let config_from = arguments.config_from.as_ref();
    let config_from = config_from.map(|image| source.beside(image, CONFIG_FROM));
    let config_from = config_from.transpose()?;
    let mut options = ImportOptions::default();
    options.names = names;
    options.compress = images.compress;
    options.platform.clone_from(&arguments.platform);
    options.message.clone_from(&arguments.message);
    options.changes = arguments.changes.parse()?;
    options.owner = arguments.owner;
    options.latest = source_date_epoch()?;
    let session = process.session(arguments.created.or(options.latest));
    let open = |input: &Location| process.open_beside(input, &destination.location);
    let input = open(&source)?;
    let config_from = config_from.map(|it| Ok::<_, Failure>((open(&it)?, it)));
    let config_from = config_from.transpose()?;
    // Checks the output before it reads the config of another image.
    let output = session.begin(process.create(&destination)?)?;
    if let Some((input, location)) = config_from {
        let image = selector(&location)?;
        let platform = options.platform.as_ref();
        let config = session.config(input, image.as_ref(), platform);
        options.config = Some(config.map_err(advise_ref)?);
    }
    let report = session.import(input, output, &options)?;
    let (source, target) = (&arguments.source, arguments.destination.typed());
    written::say(&process.output, images.json, source, target, &report)
}
