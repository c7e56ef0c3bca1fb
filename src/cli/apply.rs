//! `restow apply`: from the command line to the operation.

use std::ffi::OsString;

use clap::Args;
use restow::ConvertOptions;

use crate::cli::argument::{Argument, Role};
use crate::cli::destination::ImageOptions;
use crate::cli::failure::Failure;
use crate::cli::hint::advise_ref;
use crate::cli::location::Location;
use crate::cli::options::source_date_epoch;
use crate::cli::process::Process;
use crate::cli::written;

/// Make the new image of a delta from the old one
///
/// Writes NEW as `convert` writes the original, byte for byte, with all tags and digests. Before
/// any work OLD is compared with the image that the delta is from; everything that is made is
/// verified.
///
/// Deltas of containers/oci-delta apply, too. They do not tell how layers were compressed, which
/// therefore become uncompressed: the image id stays, but not the digests.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The image that the delta is from: an archive, an OCI layout, or - for stdin
    #[arg(value_name = "OLD")]
    old: OsString,

    /// The delta, as `restow delta OLD NEW DELTA` wrote it, or - for stdin
    #[arg(value_name = "DELTA")]
    delta: OsString,

    /// Destination: a file, a folder for an OCI layout, or - for stdout
    #[arg(value_name = "NEW")]
    new: OsString,

    #[command(flatten)]
    images: ImageOptions,
}

const OLD: Argument = Argument {
    name: "OLD",
    role: Role::Images("restow apply - DELTA NEW"),
};

const DELTA: Argument = Argument {
    name: "DELTA",
    role: Role::Images("restow apply OLD - NEW"),
};

const NEW: Argument = Argument {
    name: "NEW",
    role: Role::Output("restow apply OLD", "DELTA"),
};

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let old = Location::parse(&arguments.old, OLD)?;
    let delta = old.beside(&arguments.delta, DELTA)?;
    for location in [&old, &delta] {
        // The delta itself tells which image it is from, and what it makes.
        if location.format.is_some() {
            location.reference()?;
        }
    }
    if delta.format.is_some() && delta.reference()?.is_some() {
        return Err(Failure::usage(
            "DELTA takes no name: all of its images are made".to_owned(),
        ));
    }
    let images = &arguments.images;
    let (destination, names) = images.destination(&arguments.new, NEW)?;
    let mut options = ConvertOptions::default();
    options.names = names;
    options.compress = images.compress;
    let session = process.session(source_date_epoch()?);
    let old = process.open_beside(&old, &destination.location)?;
    let delta = process.open_beside(&delta, &destination.location)?;
    let output = process.create(&destination)?;
    let report = session.apply(old, delta, output, &options);
    let report = report.map_err(advise_ref)?;
    let (source, target) = (&arguments.delta, &arguments.new);
    written::say(&process.output, images.json, source, target, &report)
}
