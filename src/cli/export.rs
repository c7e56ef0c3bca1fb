//! `restow export`: from the command line to the operation.

use std::ffi::OsString;

use clap::Args;
use restow::Encoding;
use restow::event::{Event, Watch};
use restow::format::{self, Format, Opening, RootfsSink};
use restow::ops::{self, CompressionChoice, Context, ExportOptions};

use crate::cli::Global;
use crate::cli::argument::{Argument, Role, source_of};
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::location::Location;
use crate::cli::options::{Choice, is_folder, parse_compress, selector, source_date_epoch};
use crate::cli::output::Output;
use crate::cli::stdio::{self, Writing};
use crate::cli::suffix;

/// Write the merged tree of an image as a root filesystem in a tar
///
/// What all layers show together, as `docker export` writes it: `tar -x`, `docker
/// import` and `podman import` take it. The image's config is not part of it.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where the image is: a file, an OCI layout, or - for standard input
    #[arg(value_name = "SRC")]
    source: OsString,

    /// Where the tar goes: a file, or - for standard output
    #[arg(value_name = "DST", default_value = "-")]
    destination: OsString,

    #[command(flatten)]
    choice: Choice,

    /// Compress the tar: none, gzip[:LEVEL] or zstd[:LEVEL] [default: as DST ends]
    ///
    /// A DST called .gz, .tgz, .zst or .tzst is compressed so, and any other not.
    #[arg(long, value_name = "HOW", value_parser = parse_recoding)]
    compress: Option<Encoding>,

    /// Replace an output file that exists
    #[arg(long, short)]
    force: bool,
}

fn parse_recoding(text: &str) -> Result<Encoding, String> {
    match parse_compress(text)? {
        CompressionChoice::To { encoding, .. } => Ok(encoding),
        CompressionChoice::Keep => Err("a tree is made anew, and has nothing to keep".to_owned()),
    }
}

const DESTINATION: Argument = Argument {
    name: "DST",
    role: Role::Tree("restow export SRC"),
};

/// How the tar is compressed: as the name of the output says, and no other than that.
fn compression(asked: Option<Encoding>, destination: &Location) -> Result<Encoding, Failure> {
    let named = suffix::encoding(destination, Format::Rootfs)?;
    match (asked, named) {
        (Some(asked), Some(named)) if asked.compression() != named.compression() => {
            Err(Failure::Usage {
                message: format!(
                    "the name of DST says {}, and `--compress` says {}",
                    named.compression(),
                    asked.compression()
                ),
                hint: Some("leave `--compress` out, or give DST another name"),
            })
        }
        (Some(encoding), _) | (None, Some(encoding)) => Ok(encoding),
        (None, None) => Ok(Encoding::Plain),
    }
}

/// Runs the command.
pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let source = Location::parse(&arguments.source, source_of("restow export - DST"))?;
    let destination = Location::parse(&arguments.destination, DESTINATION)?;
    if destination
        .format
        .is_some_and(|format| format != Format::Rootfs)
    {
        return Err(Failure::Usage {
            message: "`export` writes a root filesystem, and DST names an image".to_owned(),
            hint: Some("`convert` writes images"),
        });
    }
    if let Some(path) = destination.path().filter(|path| is_folder(path)) {
        let (path, typed) = (path.display(), arguments.source.to_string_lossy());
        return Err(Failure::Name {
            message: format!("`{path}` is a folder, and `export` writes a tar"),
            hint: format!("`restow export {typed} | tar -xp -C {path}` unpacks it there"),
        });
    }
    let created = source_date_epoch()?;
    let options = ExportOptions {
        image: selector(&source, arguments.choice.image.clone())?,
        platform: arguments.choice.platform.clone(),
        compress: compression(arguments.compress, &destination)?,
        created: created.unwrap_or(0),
    };
    let observer = |event: Event<'_>| output.event(&event);
    let watch = Watch::new(&observer, interrupt.flag());
    let temporary_directory = global.temporary_directory();
    let input = stdio::open(&source, Some(&destination), interrupt)?;
    // If the output is in the way, nothing was read for nothing.
    let writing = Writing {
        replace: arguments.force,
        // The tree is compressed while it is written.
        encoding: None,
        jobs: global.jobs(),
    };
    let sink = RootfsSink::create(stdio::create(&destination, writing, interrupt)?)?;
    let opening = Opening {
        format: source.format,
        staging: None,
        temporary_directory: &temporary_directory,
        measures: false,
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
    ops::export(source.as_ref(), sink, &options, context)?;
    Ok(())
}
