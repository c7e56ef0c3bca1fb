//! `restow convert`: from the command line to the operation.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap::ValueEnum;
use restow::Recoding;
use restow::event::{Event, Watch};
use restow::format::{self, Format, Opening};
use restow::image::{Platform, Reference};
use restow::ops::{self, Compress, Context, ConvertOptions, Name, Selector};

use crate::cli::Global;
use crate::cli::interrupt::Interrupt;
use crate::cli::location::{Location, Place};
use crate::cli::output::Output;
use crate::cli::report::Failure;
use crate::cli::standard;

/// Convert images from any format to any other
///
/// All images of SRC are taken, with all their names. What need not change is
/// passed on byte for byte, so that digests and image ids stay.
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

    /// Take one platform of each image, as OS/ARCH[/VARIANT]
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
    compress: Compress,

    /// Replace an output file that exists
    #[arg(long, short)]
    force: bool,
}

/// The formats that can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum To {
    /// What `docker save` writes, and an OCI layout too, in one tar
    DockerArchive,
    /// An OCI image layout in a folder
    Oci,
    /// An OCI image layout in a tar
    OciArchive,
}

impl From<To> for Format {
    fn from(to: To) -> Self {
        match to {
            To::DockerArchive => Self::DockerArchive,
            To::Oci => Self::OciDirectory,
            To::OciArchive => Self::OciArchive,
        }
    }
}

fn parse_compress(text: &str) -> Result<Compress, String> {
    let (name, level) = match text.split_once(':') {
        Some((name, level)) => (name, Some(level)),
        None => (text, None),
    };
    let leveled = |levels: RangeInclusive<i32>, make: fn(Option<i32>) -> Recoding| {
        let Some(text) = level else {
            return Ok(Compress::To {
                recoding: make(None),
                always: false,
            });
        };
        match text.parse().ok().filter(|level| levels.contains(level)) {
            Some(level) => Ok(Compress::To {
                recoding: make(Some(level)),
                always: true,
            }),
            None => Err(format!(
                "a level of {name} is a number from {} to {}",
                levels.start(),
                levels.end()
            )),
        }
    };
    match (name, level) {
        ("keep", None) => Ok(Compress::Keep),
        ("none", None) => Ok(Compress::To {
            recoding: Recoding::None,
            always: false,
        }),
        ("gzip", _) => leveled(Recoding::GZIP_LEVELS, Recoding::Gzip),
        ("zstd", _) => leveled(Recoding::ZSTD_LEVELS, Recoding::Zstd),
        _ => Err("keep, none, gzip, gzip:LEVEL, zstd or zstd:LEVEL was expected".to_owned()),
    }
}

/// Runs the command.
pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let source = Location::parse(&arguments.source);
    let destination = Location::parse(&arguments.destination);
    for (name, location) in [("SRC", &source), ("DST", &destination)] {
        if location.place == Place::Path(PathBuf::new()) {
            return Err(Failure::Usage {
                message: format!("{name} has no path"),
                hint: None,
            });
        }
    }
    let format = output_format(&destination, arguments.to)?;
    let options = ConvertOptions {
        image: selector(&source, arguments.image.clone())?,
        platform: arguments.platform.clone(),
        names: names(&destination, format, &arguments.tags)?,
        compress: arguments.compress,
    };
    let observer = |event: Event<'_>| output.event(&event);
    let watch = Watch::new(&observer, interrupt.flag());
    let temporary_directory = global.temporary_directory();
    let place = match destination.place {
        Place::Standard => format::Output::Stream(standard::output()?),
        Place::Path(path) => format::Output::Path {
            path,
            replace: arguments.force,
        },
    };
    let input = match source.place {
        Place::Standard => standard::input(interrupt)?,
        Place::Path(path) => standard::named(path, interrupt)?,
    };
    // The output first: if it is in the way, nothing was read for nothing.
    let sink = format::create(format, place, &temporary_directory)?;
    let opening = Opening {
        format: source.format,
        staging: sink.staging(),
        temporary_directory: &temporary_directory,
        platform: options.platform.as_ref(),
        created: source_date_epoch()?,
        watch,
    };
    let context = Context {
        watch,
        jobs: global.jobs(),
    };
    let source = format::open(input, &opening)?;
    ops::convert(source.as_ref(), sink, &options, context)?;
    Ok(())
}

/// What DST shall be.
fn output_format(destination: &Location, to: Option<To>) -> Result<Format, Failure> {
    let to = to.map(Format::from);
    let wrong = |message: String, hint| Err(Failure::Usage { message, hint });
    let format = match (destination.format, to) {
        (Some(format), Some(to)) if format != to => {
            return wrong(
                format!("DST says `{format}:`, and `--to` says `{to}`"),
                None,
            );
        }
        (Some(format), _) => format,
        (None, Some(to)) => to,
        (None, None) => match &destination.place {
            Place::Path(path) if path.is_dir() || ends_in_slash(path) => Format::OciDirectory,
            _ => Format::DockerArchive,
        },
    };
    match (format, &destination.place) {
        (Format::Rootfs, _) => wrong(
            "`convert` writes images, and `rootfs:` is none".to_owned(),
            Some("name an output as `docker-archive:`, `oci:` or `oci-archive:`"),
        ),
        (Format::OciDirectory, Place::Standard) => wrong(
            "an OCI layout is a folder, and cannot be written to standard output".to_owned(),
            Some("`oci-archive:-` is a tar of one"),
        ),
        _ => Ok(format),
    }
}

fn ends_in_slash(path: &std::path::Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// The image that is meant, by `--image` or by the end of SRC.
fn selector(source: &Location, image: Option<Selector>) -> Result<Option<Selector>, Failure> {
    let wrong = |message: String| Failure::Usage {
        message,
        hint: None,
    };
    let Some(text) = &source.reference else {
        return Ok(image);
    };
    if image.is_some() {
        return Err(wrong(
            "SRC names an image, and `--image` another".to_owned(),
        ));
    }
    // containers-transports(5) counts from 0.
    let selector = match text.strip_prefix('@').map(str::parse::<usize>) {
        Some(Ok(number)) => Ok(Selector::Number(NonZeroUsize::MIN.saturating_add(number))),
        Some(Err(_)) | None => Selector::from_str(text),
    };
    selector.map(Some).map_err(|error| wrong(error.to_string()))
}

/// The names of the output, by `--tag` or by the end of DST.
fn names(destination: &Location, format: Format, tags: &[Reference]) -> Result<Vec<Name>, Failure> {
    let wrong = |message: String| Failure::Usage {
        message,
        hint: None,
    };
    if let Some(pinned) = tags
        .iter()
        .find(|tag| !Reference::clone(tag).or_latest().is_tagged())
    {
        return Err(wrong(pinned_message(pinned)));
    }
    let tags = tags
        .iter()
        .cloned()
        .map(|tag| Name::Reference(tag.or_latest()));
    let Some(text) = &destination.reference else {
        return Ok(tags.collect());
    };
    if text.is_empty() {
        return Err(wrong(
            "DST ends in a colon, and no reference follows".to_owned(),
        ));
    }
    let reference = text.parse::<Reference>();
    let name = match (format, reference) {
        (_, Ok(reference)) if reference.is_tagged() => Name::Reference(reference),
        (Format::DockerArchive, Ok(reference)) if reference.clone().or_latest().is_tagged() => {
            Name::Reference(reference.or_latest())
        }
        (Format::DockerArchive, Ok(pinned)) => return Err(wrong(pinned_message(&pinned))),
        (Format::DockerArchive, Err(error)) => return Err(wrong(error.to_string())),
        // In a layout a name may be anything, such as a bare tag.
        _ => Name::Label(text.clone()),
    };
    Ok(std::iter::once(name).chain(tags).collect())
}

fn pinned_message(pinned: &Reference) -> String {
    format!("`{pinned}` has a digest, and an image is named by a tag")
}

/// The time for what is made anew (reproducible-builds.org/specs/source-date-epoch).
fn source_date_epoch() -> Result<Option<i64>, Failure> {
    let Some(text) = std::env::var_os("SOURCE_DATE_EPOCH").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let seconds = text.to_str().and_then(|text| text.parse().ok());
    seconds.map(Some).ok_or_else(|| Failure::Usage {
        message: format!(
            "SOURCE_DATE_EPOCH is `{}`, and a number of seconds was expected",
            text.to_string_lossy()
        ),
        hint: None,
    })
}
