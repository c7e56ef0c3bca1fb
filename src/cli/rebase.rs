//! `restow rebase`: from the command line to the operation, and its report.

use std::ffi::{OsStr, OsString};
use std::iter;

use clap::Args;
use restow::{BaseFound, ChoiceError, Error, Images, Place, RebaseOptions, RebaseReport, Selector};
use serde_json::{Map, Value, json};

use crate::cli::append::SCRATCH;
use crate::cli::argument::{Argument, Role, destination_of};
use crate::cli::destination::{DestinationArgument, ImageOptions};
use crate::cli::failure::Failure;
use crate::cli::hint::advise_ref;
use crate::cli::location::Location;
use crate::cli::options::source_date_epoch;
use crate::cli::process::Process;
use crate::cli::source::{Choice, SourceArgument, selector};
use crate::cli::text::{count, json_text};
use crate::cli::view::fields;
use crate::cli::written;

/// Put the upper layers of an image on another base
///
/// The layers of the old base are replaced by those of the new one, which may be compressed
/// in another way. All layers keep their bytes. The settings of the image that it has from its old base
/// become those of the new one, if OLDBASE is given or found; otherwise all settings stay.
/// Warns of changed files of the new base that the upper layers hide.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,

    #[command(flatten)]
    destination: DestinationArgument,

    /// The new base: an image, as SRC, or `scratch`
    ///
    /// Of an image for several platforms, the platform of SRC is taken. With `scratch`, only
    /// the layers above the old base remain.
    #[arg(long, value_name = "NEWBASE")]
    onto: OsString,

    /// The old base, whose layers are the lowest of SRC, or `scratch`
    ///
    /// With `scratch`, all layers of SRC are its own. By default, the base in the annotations of SRC, if SRC or NEWBASE holds it; otherwise
    /// the lowest layers that SRC and NEWBASE have in common.
    #[arg(long, value_name = "OLDBASE")]
    from: Option<OsString>,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    images: ImageOptions,
}

const ONTO: Argument = Argument {
    name: "NEWBASE",
    role: Role::Option("--onto"),
};

const FROM: Argument = Argument {
    name: "OLDBASE",
    role: Role::Option("--from"),
};

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let report = rebase(arguments, process)?;
    let output = &process.output;
    let (source, destination) = (arguments.source.typed(), arguments.destination.typed());
    if arguments.images.json {
        let mut object = to_json(&report);
        let target = Some(destination);
        object.append(&mut written::to_json(source, target, Some(&report.written)));
        return output.data(&json_text(&Value::Object(object)));
    }
    output.say(&to_text(&report));
    output.tell(&written::to_text(destination, &report.written));
    Ok(())
}

fn rebase(arguments: &Arguments, process: &Process) -> Result<RebaseReport, Failure> {
    let source = arguments.source.location("restow rebase … - DST")?;
    let argument = destination_of("restow rebase …", "SRC");
    let (destination, names) = arguments
        .images
        .destination(arguments.destination.typed(), argument)?;
    let onto = base(&arguments.onto, &[&source], ONTO)?;
    let others: Vec<&Location> = iter::once(&source).chain(&onto).collect();
    let from = arguments.from.as_ref();
    let from = from.map(|from| base(from, &others, FROM)).transpose()?;
    let mut options = RebaseOptions::default();
    options.image = arguments.choice.selector(&source)?;
    options.platform.clone_from(&arguments.choice.platform);
    options.onto = onto.as_ref().map(selector).transpose()?.flatten();
    let old = from.as_ref().and_then(Option::as_ref);
    options.from = old.map(selector).transpose()?.flatten();
    options.names = names;
    options.compress = arguments.images.compress;
    let session = process.session(source_date_epoch()?);
    let open = |input: &Location| process.open_beside(input, &destination.location);
    let input = open(&source)?;
    let onto = onto.as_ref().map(open).transpose()?;
    let open = |from: &Option<Location>| from.as_ref().map(open).transpose();
    let from = from.as_ref().map(open).transpose()?;
    // Checks the output before it reads the inputs, which may be large.
    let output = session.begin(process.create(&destination)?)?;
    let images = session.open(input)?;
    let open = |base: Option<_>| base.map_or_else(|| Ok(Images::scratch()), |it| session.open(it));
    let onto = open(onto)?;
    let from = from.map(open).transpose()?;
    let report = session.rebase(&images, &onto, from.as_ref(), output, &options);
    report.map_err(|error| advise(error, &source, options.image.as_ref()))
}

/// Parses the argument for a base, which must not be the same stream as others; `None` is
/// the word `scratch`.
fn base(
    text: &OsStr,
    others: &[&Location],
    argument: Argument,
) -> Result<Option<Location>, Failure> {
    if text == SCRATCH {
        return Ok(None);
    }
    let parsed = others.iter().map(|other| other.beside(text, argument));
    let parsed: Vec<Location> = parsed.collect::<Result<_, _>>()?;
    Ok(parsed.into_iter().next())
}

/// Adds the hint for several images, which depends on the input that holds them: one of SRC is
/// chosen by an option, and one of the others by its path.
fn advise(error: Error, source: &Location, image: Option<&Selector>) -> Failure {
    let (input, is_of_source) = match &error {
        Error::Choice(ChoiceError::SeveralImages { input, wanted, .. }) => {
            (input, image == Some(&Selector::Name(wanted.clone())))
        }
        Error::Choice(ChoiceError::OneImage { input, .. }) => (input, image.is_none()),
        _ => return error.into(),
    };
    let path = match input {
        Some(Place::Path(path)) => Some(path.as_path()),
        _ => None,
    };
    if is_of_source && path == source.path() {
        return error.into();
    }
    advise_ref(error)
}

fn to_text(report: &RebaseReport) -> String {
    if report.written.is_unchanged {
        return format!(
            "nothing changed: `{}` is based on `{}` already",
            report.image, report.base
        );
    }
    let found = match &report.found {
        BaseFound::Annotated(name) => format!(" of `{name}`"),
        BaseFound::Common => " in common".to_owned(),
        _ => String::new(),
    };
    format!(
        "`{}`: replaced {}{found} by {} of `{}`, kept {} above",
        report.image,
        count(report.layers_before, "layer"),
        report.layers_after,
        report.base,
        report.layers_kept,
    )
}

fn to_json(report: &RebaseReport) -> Map<String, Value> {
    let (found, name) = match &report.found {
        BaseFound::Given => ("given", None),
        BaseFound::Annotated(name) => ("annotation", Some(name)),
        _ => ("common", None),
    };
    fields(json!({
        "image": report.image,
        "base": report.base,
        "old_base": name,
        "old_base_found": found,
        "layers_before": report.layers_before,
        "layers_after": report.layers_after,
        "layers_kept": report.layers_kept,
    }))
}
