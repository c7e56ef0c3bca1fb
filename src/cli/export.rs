//! `restow export`: from the command line to the operation.

use std::ffi::OsString;

use clap::Args;
use restow::{CompressionChoice, Encoding, ExportOptions, Format};

use crate::cli::argument::{Argument, Role};
use crate::cli::destination::{Replacing, check_json, is_folder};
use crate::cli::elsewhere;
use crate::cli::failure::Failure;
use crate::cli::location::Location;
use crate::cli::options::{parse_compress, source_date_epoch};
use crate::cli::process::Process;
use crate::cli::source::{Choice, SourceArgument};
use crate::cli::suffix;
use crate::cli::written;

/// Export the merged file system of an image as a tar
///
/// The tar holds the files that a container of the image would see, as `docker export`
/// writes it, for `tar -x`, `docker import` and `podman import`. The config of the image is
/// not part of it.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,

    /// Destination: a file, or - for stdout
    #[arg(value_name = "DST", index = 2, default_value = "-")]
    destination: OsString,

    #[command(flatten)]
    choice: Choice,

    /// Compression of the tar [default: by suffix]
    ///
    /// One of `none`, `gzip[:LEVEL]` and `zstd[:LEVEL]`. A DST named .gz, .tgz, .zst or .tzst is
    /// compressed accordingly, any other is not. Levels are 1 to 12 for gzip and 1 to 19 for
    /// zstd.
    #[arg(
        long,
        value_name = "HOW",
        value_parser = parse_encoding,
        help_heading = "Output",
        help = "Compression: none, gzip[:LEVEL] or zstd[:LEVEL] [default: by suffix]"
    )]
    compress: Option<Encoding>,

    /// Print the report as JSON on stdout
    ///
    /// `restow help json` lists the fields.
    #[arg(long, help_heading = "Output")]
    json: bool,

    #[command(flatten)]
    replacing: Replacing,
}

fn parse_encoding(text: &str) -> Result<Encoding, String> {
    match parse_compress(text) {
        Ok(CompressionChoice::To { encoding, .. }) => Ok(encoding),
        Ok(CompressionChoice::Keep) => Err("`keep` does not apply to export".to_owned()),
        Err(expected) => Err(expected.replacen("keep, ", "", 1)),
    }
}

const DESTINATION: Argument = Argument {
    name: "DST",
    role: Role::Tree("restow export SRC"),
};

/// The compression of the tar: that of the suffix of DST, which `--compress` must not contradict.
fn encoding(asked: Option<Encoding>, destination: &Location) -> Result<Encoding, Failure> {
    let named = suffix::encoding(destination, Format::Rootfs)?;
    match (asked, named) {
        (Some(asked), Some(named)) if asked.compression() != named.compression() => {
            Err(Failure::Usage {
                message: format!(
                    "the suffix of DST selects {}, but `--compress` selects {}",
                    named.compression(),
                    asked.compression()
                ),
                hint: Some("omit `--compress`, or rename DST"),
            })
        }
        (Some(encoding), _) | (None, Some(encoding)) => Ok(encoding),
        (None, None) => Ok(Encoding::Plain),
    }
}

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let source = arguments.source.location("restow export - DST")?;
    let location = Location::parse(&arguments.destination, DESTINATION);
    let location = location.map_err(|failure| {
        elsewhere::advise_image(failure, arguments.source.typed(), &arguments.destination)
    })?;
    if location
        .format
        .is_some_and(|format| format != Format::Rootfs)
    {
        return Err(Failure::Usage {
            message: "`export` writes a root filesystem, but DST is an image".to_owned(),
            hint: Some("`convert` writes images"),
        });
    }
    if let Some(path) = location.path().filter(|path| is_folder(path)) {
        let typed = arguments.source.typed().to_string_lossy();
        let path = path.display();
        return Err(Failure::Name {
            message: format!("`{path}` is a folder, but `export` writes a tar"),
            hint: format!("`restow extract {typed} {path}` writes the files there"),
        });
    }
    if arguments.json {
        check_json(&location)?;
    }
    let session = process.session(source_date_epoch()?);
    let mut options = ExportOptions::default();
    options.image = arguments.choice.selector(&source)?;
    options.platform.clone_from(&arguments.choice.platform);
    let encoding = encoding(arguments.compress, &location)?;
    let destination = arguments.replacing.tree(location, encoding);
    let input = process.open_beside(&source, &destination.location)?;
    let output = process.create(&destination)?;
    let report = session.export(input, output, &options)?;
    let (source, target) = (arguments.source.typed(), &arguments.destination);
    written::say_tree(&process.output, arguments.json, source, target, &report)
}
