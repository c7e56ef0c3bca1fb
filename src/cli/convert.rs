//! `restow convert`: from the command line to the operation.

use std::ffi::OsString;

use clap::{ArgAction, Args};
use restow::{
    ConvertOptions, Error, Input, MediaTypes, Name, Platform, Reference, Retag, Selector, Source,
};

use crate::cli::argument::{destination_of, source_of};
use crate::cli::destination::{ImageOptions, check_name};
use crate::cli::failure::Failure;
use crate::cli::location::Location;
use crate::cli::options::{parse_media_types, source_date_epoch};
use crate::cli::order;
use crate::cli::partial::{Base, PartialOptions};
use crate::cli::process::Process;
use crate::cli::source::selector;
use crate::cli::written;

/// Convert images from any format to any other
///
/// Copies all images with all their tags. Whatever need not change is copied byte for
/// byte, so digests and image ids are preserved. Writing into an existing OCI layout adds
/// to it.
///
/// The images of several SRC go into one DST. An image that several have is written once,
/// and so is a layer; a name that two SRC give to different images is an error.
#[derive(Debug, Args)]
#[command(
    mut_arg("tags", |it| it.conflicts_with_all(["retag", "index"]))
)]
pub(super) struct Arguments {
    /// Sources: archives, OCI layouts, or - for stdin
    #[arg(value_name = "SRC", required = true)]
    sources: Vec<OsString>,

    /// Destination: a file, a folder for an OCI layout, or - for stdout
    // See `loosened` for its other form.
    #[arg(value_name = "DST", required = true, num_args = 1, action = ArgAction::Set)]
    destination: Vec<OsString>,

    /// Select an image by reference, digest, id or #N (repeatable)
    ///
    /// `restow images SRC` lists all of these. Unique prefixes of digests and ids are enough.
    /// Of several SRC, it is taken from each that has it. The selection may also follow SRC, as
    /// in `oci:DIR:app:1.0`.
    #[arg(long = "image", value_name = "REF", help_heading = "Image selection")]
    images: Vec<Selector>,

    /// Keep a platform: OS/ARCH[/VARIANT] (repeatable) [default: all]
    ///
    /// With one platform, an index becomes the image for it. With several, it remains an index
    /// of these, and a docker-archive names the first for engines that use one.
    #[arg(
        long = "platform",
        value_name = "PLATFORM",
        help_heading = "Image selection"
    )]
    platforms: Vec<Platform>,

    /// Replace the name OLD by NEW (repeatable)
    #[arg(
        long,
        value_name = "OLD=NEW",
        help_heading = "Output",
        conflicts_with = "index"
    )]
    retag: Vec<Retag>,

    /// Make one multi-platform index NAME of all images
    ///
    /// There must be one image for each platform. Images in an index of SRC are taken out of it,
    /// with their attestations.
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    index: Option<Reference>,

    /// Media types: keep, oci or docker
    ///
    /// The media types of manifests, configs and layers. By default they are left as they are, and a manifest that changes for another reason
    /// gets OCI media types. Other media types change the digest of the manifest.
    #[arg(long, value_name = "FAMILY", default_value = "keep", value_parser = parse_media_types)]
    media_types: MediaTypes,

    #[command(flatten)]
    output: ImageOptions,

    #[command(flatten)]
    partial: PartialOptions,
}

/// The command line of restow, in a form in which options may stand between the SRC and DST.
///
/// clap takes the argument before an option for the last one. So all arguments become SRC here,
/// and [`Arguments::places`] takes the last for DST. The result is only for parsing: its help and
/// its errors would be misleading.
pub(super) fn loosened(root: clap::Command) -> clap::Command {
    root.mut_subcommand("convert", |convert| {
        let convert = convert.override_usage("restow convert [OPTIONS] <SRC>... <DST>");
        let convert = convert.mut_arg("sources", |it| it.required(false));
        convert.mut_arg("destination", |it| {
            let it = it.required(false).last(true);
            it.num_args(1..).action(ArgAction::Append)
        })
    })
}

/// The command line of restow, with one SRC and one DST: its errors name the missing one.
pub(super) fn of_one(root: clap::Command) -> clap::Command {
    root.mut_subcommand("convert", |convert| {
        let convert = convert.override_usage("restow convert <SRC>... <DST>");
        let convert = convert.mut_arg("sources", |it| it.num_args(1).action(ArgAction::Set));
        // `mut_arg` moves an argument to the end, and SRC comes first.
        convert.mut_arg("destination", |it| it)
    })
}

impl Arguments {
    /// All SRC, and DST, if both are there.
    pub(super) fn places(&self) -> Option<(Vec<&OsString>, &OsString)> {
        let mut places: Vec<&OsString> = self.sources.iter().chain(&self.destination).collect();
        let destination = places.pop()?;
        (!places.is_empty()).then_some((places, destination))
    }
}

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let Some((typed, target)) = arguments.places() else {
        return Err(Failure::usage("SRC or DST is missing"));
    };
    let sources = Location::parse_all(&typed, source_of("restow convert - DST"))?;
    let argument = destination_of("restow convert", "SRC");
    let output = &arguments.output;
    let (destination, names) = output.destination(target, argument)?;
    let mut options = options(arguments, names)?;
    let partial = &arguments.partial;
    let bases = partial.bases(&sources)?;
    let selectors = selectors(arguments, &sources)?;
    let session = process.session(source_date_epoch()?);
    let open = |input: &Location| process.open_beside(input, &destination.location);
    let inputs = sources.iter().map(open);
    let inputs = inputs.collect::<Result<Vec<Input>, Failure>>()?;
    let bases = bases.iter().map(|it| Ok((open(it)?, selector(it)?)));
    let bases = bases.collect::<Result<Vec<Base>, Failure>>()?;
    let pending = session.begin(process.create(&destination)?);
    let pending = pending.map_err(|error| advise(error, &sources))?;
    let mut inputs: Vec<(Input, Option<Selector>)> = inputs.into_iter().zip(selectors).collect();
    let part = inputs.pop_if(|_| partial.completes());
    let report = if let Some(part) = part {
        session.complete(part, bases, pending, &options)?
    } else {
        options.without = partial.inventory(bases, &session)?;
        let inputs = inputs.into_iter();
        let inputs = inputs.map(|(input, image)| (Source::from(input), image));
        session.convert_all(inputs.collect(), pending, &options)?
    };
    written::say_all(&process.output, output.json, &typed, target, &report)
}

/// Adds the hint for an output that exists and may be another SRC, if DST was forgotten.
fn advise(error: Error, sources: &[Location]) -> Failure {
    let Error::OutputExists(path) = &error else {
        return error.into();
    };
    if order::kind(path).is_none() || sources.iter().any(|it| it.path() == Some(path)) {
        return error.into();
    }
    let error = Box::new(error);
    let hint = "use `--force` to overwrite it; if it is another SRC, name DST after it".to_owned();
    Failure::Advised { error, hint }
}

/// The selectors at the ends of the SRC.
fn selectors(
    arguments: &Arguments,
    sources: &[Location],
) -> Result<Vec<Option<Selector>>, Failure> {
    let selectors = sources.iter().map(selector);
    let selectors = selectors.collect::<Result<Vec<Option<Selector>>, Failure>>()?;
    if !arguments.images.is_empty() && selectors.iter().all(Option::is_some) {
        let name = sources[0].argument.name;
        let message = format!("{name} and `--image` both name an image");
        return Err(Failure::usage(message));
    }
    Ok(selectors)
}

fn options(arguments: &Arguments, names: Vec<Name>) -> Result<ConvertOptions, Failure> {
    for retag in &arguments.retag {
        check_name(&retag.new)?;
    }
    let index = arguments.index.clone().map(Reference::or_latest);
    if let Some(index) = &index {
        check_name(index)?;
    }
    if !names.is_empty() && (index.is_some() || !arguments.retag.is_empty()) {
        let option = if index.is_some() {
            "--index"
        } else {
            "--retag"
        };
        let message = format!("DST and `{option}` both name the images");
        return Err(Failure::usage(message));
    }
    let mut options = ConvertOptions::default();
    options.images.clone_from(&arguments.images);
    options.platforms.clone_from(&arguments.platforms);
    options.retag.clone_from(&arguments.retag);
    options.index = index;
    options.names = names;
    options.compress = arguments.output.compress;
    options.media_types = arguments.media_types;
    Ok(options)
}
