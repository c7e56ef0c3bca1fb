//! What several commands ask on the command line.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use restow::Encoding;
use restow::format::Format;
use restow::image::{Platform, Reference, Timestamp};
use restow::ops::{CompressionChoice, MediaTypes, Name, Selector};

use crate::cli::failure::Failure;
use crate::cli::location::{Location, Place};

/// Which image of several is meant, and which platform of it.
#[derive(Debug, Args)]
pub(super) struct Choice {
    /// Take this image: a reference, a digest, an image id, a prefix of one, or #N
    #[arg(long, value_name = "REF")]
    pub(super) image: Option<Selector>,

    /// Take this platform: OS/ARCH[/VARIANT], OS or ARCH [default: the host's]
    #[arg(long, value_name = "PLATFORM")]
    pub(super) platform: Option<Platform>,
}

/// The formats that can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum To {
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

/// Reads the value of `--compress`.
pub(super) fn parse_compress(text: &str) -> Result<CompressionChoice, String> {
    let (name, level) = match text.split_once(':') {
        Some((name, level)) => (name, Some(level)),
        None => (text, None),
    };
    let leveled = |levels: RangeInclusive<i32>, make: fn(Option<i32>) -> Encoding| {
        let Some(text) = level else {
            return Ok(CompressionChoice::To {
                encoding: make(None),
                always: false,
            });
        };
        match text.parse().ok().filter(|level| levels.contains(level)) {
            Some(level) => Ok(CompressionChoice::To {
                encoding: make(Some(level)),
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
        ("keep", None) => Ok(CompressionChoice::Keep),
        ("none", None) => Ok(CompressionChoice::To {
            encoding: Encoding::Plain,
            always: false,
        }),
        ("gzip", _) => leveled(Encoding::GZIP_LEVELS, Encoding::Gzip),
        ("zstd", _) => leveled(Encoding::ZSTD_LEVELS, Encoding::Zstd),
        _ => Err("keep, none, gzip, gzip:LEVEL, zstd or zstd:LEVEL was expected".to_owned()),
    }
}

/// Reads the value of `--media-types`.
pub(super) fn parse_media_types(text: &str) -> Result<MediaTypes, String> {
    match text {
        "keep" => Ok(MediaTypes::Keep),
        "oci" => Ok(MediaTypes::Oci),
        "docker" => Ok(MediaTypes::Docker),
        _ => Err("keep, oci or docker was expected".to_owned()),
    }
}

/// Reads a number of things of which there is one at least.
pub(super) fn parse_positive(text: &str) -> Result<NonZeroUsize, String> {
    let wrong = |_| "a whole number from 1 on was expected".to_owned();
    text.parse().map_err(wrong)
}

/// The format of DST: as the command line says, else a layout for a folder, else a docker
/// archive.
pub(super) fn output_format(destination: &Location, to: Option<To>) -> Result<Format, Failure> {
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
            Place::Path(path) if is_folder(path) => Format::OciDirectory,
            _ => Format::DockerArchive,
        },
    };
    match (format, &destination.place) {
        (Format::Rootfs, _) => wrong(
            "DST takes images, and `rootfs:` is none".to_owned(),
            Some("name an output as `docker-archive:`, `oci:` or `oci-archive:`"),
        ),
        (Format::OciDirectory, Place::Standard) => wrong(
            "an OCI layout is a folder, and cannot be written to standard output".to_owned(),
            Some("`oci-archive:-` is a tar of one"),
        ),
        _ => Ok(format),
    }
}

/// Whether an output is a folder: one that is there, or whose name says so.
pub(super) fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// The image that is meant, by `--image` or by the end of SRC.
pub(super) fn selector(
    source: &Location,
    image: Option<Selector>,
) -> Result<Option<Selector>, Failure> {
    let wrong = |message: String| Failure::Usage {
        message,
        hint: None,
    };
    let Some(text) = &source.reference else {
        return Ok(image);
    };
    if text.is_empty() {
        return Err(wrong(ends_in_colon(source)));
    }
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
pub(super) fn names(
    destination: &Location,
    format: Format,
    tags: &[Reference],
) -> Result<Vec<Name>, Failure> {
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
    if let Some(ambiguous) = tags.iter().find(|tag| looks_like_digest(tag)) {
        return Err(wrong(format!(
            "`{ambiguous}` reads as a digest, and Docker gives no image such a name"
        )));
    }
    let tags = tags
        .iter()
        .cloned()
        .map(|tag| Name::Reference(tag.or_latest()));
    let Some(text) = &destination.reference else {
        return Ok(tags.collect());
    };
    if text.is_empty() {
        return Err(wrong(ends_in_colon(destination)));
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

/// Whether the name of an image is that of the algorithm of digests.
fn looks_like_digest(name: &Reference) -> bool {
    let text = name.to_string();
    text.split(':').next() == Some("sha256")
}

fn ends_in_colon(location: &Location) -> String {
    let name = location.argument.name;
    format!("{name} ends in a colon, and no reference follows")
}

fn pinned_message(pinned: &Reference) -> String {
    format!("`{pinned}` has a digest, and an image is named by a tag")
}

/// The time for what is made anew (reproducible-builds.org/specs/source-date-epoch).
pub(super) fn source_date_epoch() -> Result<Option<i64>, Failure> {
    let Some(text) = std::env::var_os("SOURCE_DATE_EPOCH").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let seconds = text.to_str().and_then(|text| text.parse().ok());
    // A time that no document can say would become another one.
    let seconds = seconds.filter(|seconds| Timestamp::from_seconds(*seconds).is_some());
    seconds.map(Some).ok_or_else(|| Failure::Usage {
        message: format!(
            "SOURCE_DATE_EPOCH is `{}`, and a number of seconds since 1970, in the years 0 to 9999, was expected",
            text.to_string_lossy()
        ),
        hint: None,
    })
}
