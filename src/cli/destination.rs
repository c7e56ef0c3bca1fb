//! DST: the output on the command line.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::{Args, ValueEnum};
use restow::{CompressionChoice, Encoding, Format, Name, Reference};

use crate::cli::argument::{Argument, Role};
use crate::cli::failure::Failure;
use crate::cli::location::{Location, Place};
use crate::cli::options::parse_compress;
use crate::cli::suffix;

/// The argument that names the output of images.
#[derive(Debug, Args)]
pub(super) struct DestinationArgument {
    /// Destination: a file, a folder for an OCI layout, or - for stdout
    #[arg(value_name = "DST", index = 2)]
    destination: OsString,
}

impl DestinationArgument {
    /// The argument as typed.
    pub(super) fn typed(&self) -> &OsStr {
        &self.destination
    }
}

/// The output options of the commands that write images.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct ImageOptions {
    /// Name the image REF, replacing its tags (repeatable)
    #[arg(long = "tag", short, value_name = "REF")]
    tags: Vec<Reference>,

    /// Output format
    ///
    /// By default docker-archive, or oci if DST is an existing folder or ends in `/`. A prefix
    /// of DST, such as `oci:`, chooses the format as well.
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: Option<To>,

    // `compress_help` replaces the rules in this help by those of a command that makes layers.
    #[arg(
        long,
        value_name = "HOW",
        default_value = "keep",
        value_parser = parse_compress,
        help = COMPRESS_HELP,
        long_help = compress_long_help(
            "By default layers are left as they are. Without a level, layers already in that \
             format are not recompressed.",
        )
    )]
    pub(super) compress: CompressionChoice,

    /// Print the report as JSON on stdout
    ///
    /// `restow help json` lists the fields.
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    replacing: Replacing,
}

/// The option of all commands that write a file.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Replacing {
    /// Overwrite the output if it exists
    #[arg(long, short)]
    force: bool,
}

/// The formats that images are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum To {
    /// A `docker save` archive that is also an OCI layout, in one tar
    DockerArchive,
    /// An OCI image layout, a folder
    Oci,
    /// A tar of an OCI image layout
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

/// An output, as given on the command line.
#[derive(Debug)]
pub(super) struct Destination {
    /// Its place.
    pub(super) location: Location,
    /// Its format.
    pub(super) format: Format,
    /// The compression of the whole file.
    pub(super) encoding: Encoding,
    /// True if it may replace a file that exists.
    pub(super) replace: bool,
}

impl ImageOptions {
    /// Parses DST; also returns the names for its image.
    pub(super) fn destination(
        &self,
        text: &OsStr,
        argument: Argument,
    ) -> Result<(Destination, Vec<Name>), Failure> {
        let location = Location::parse(text, argument)?;
        if self.json {
            check_json(&location)?;
        }
        let format = output_format(&location, self.to)?;
        let encoding = suffix::encoding(&location, format)?.unwrap_or(Encoding::Plain);
        let names = names(&location, format, &self.tags)?;
        let destination = Destination {
            location,
            format,
            encoding,
            replace: self.replacing.force,
        };
        Ok((destination, names))
    }
}

impl Replacing {
    /// An output for images in a format, with the compression of the whole file.
    pub(super) fn images(
        &self,
        location: Location,
        format: Format,
        encoding: Option<Encoding>,
    ) -> Destination {
        Destination {
            location,
            format,
            encoding: encoding.unwrap_or(Encoding::Plain),
            replace: self.force,
        }
    }

    /// An output for the tree of an image, with this compression.
    pub(super) fn tree(&self, location: Location, encoding: Encoding) -> Destination {
        Destination {
            location,
            format: Format::Rootfs,
            encoding,
            replace: self.force,
        }
    }
}

/// Refuses `--json` if the output of the command goes to standard output.
pub(super) fn check_json(destination: &Location) -> Result<(), Failure> {
    if destination.place != Place::Standard {
        return Ok(());
    }
    let what = match destination.argument.role {
        Role::Tree(_) => "tar",
        _ => "image",
    };
    Err(Failure::Usage {
        message: format!("`--json` cannot be used when the {what} goes to standard output"),
        hint: Some("name a file as DST"),
    })
}

/// The help of `--compress`, in one line.
const COMPRESS_HELP: &str = "Compression: keep, none, gzip[:LEVEL] or zstd[:LEVEL]";

/// Sets the help of `--compress` to the rules of a command.
pub(super) fn compress_help(argument: clap::Arg, rules: &str) -> clap::Arg {
    argument.long_help(compress_long_help(rules))
}

fn compress_long_help(rules: &str) -> String {
    let levels = "Levels are 1 to 12 for gzip and 1 to 19 for zstd.";
    format!("{COMPRESS_HELP}\n\n{rules} {levels}")
}

/// The format of DST: the requested one, else a layout for a folder, else a docker archive.
fn output_format(destination: &Location, to: Option<To>) -> Result<Format, Failure> {
    let to = to.map(Format::from);
    let wrong = |message: String, hint| Err(Failure::Usage { message, hint });
    let format = match (destination.format, to) {
        (Some(format), Some(to)) if format != to => {
            return wrong(format!("DST is `{format}:`, but `--to` is `{to}`"), None);
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
            "`rootfs:` cannot be a destination here".to_owned(),
            Some(
                "use `docker-archive:`, `oci:` or `oci-archive:`; `restow export` writes root filesystems",
            ),
        ),
        (Format::OciDirectory, Place::Standard) => wrong(
            "an OCI layout is a folder and cannot be written to standard output".to_owned(),
            Some("`oci-archive:-` writes a tar of one"),
        ),
        _ => Ok(format),
    }
}

/// True for a folder that exists, and for a path that ends in a slash.
pub(super) fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// The names of the output, from `--tag` or the end of DST.
fn names(destination: &Location, format: Format, tags: &[Reference]) -> Result<Vec<Name>, Failure> {
    tags.iter().try_for_each(check_name)?;
    let tags = tags.iter().cloned().map(Reference::or_latest);
    let tags = tags.map(Name::Reference);
    let Some(text) = destination.reference()? else {
        return Ok(tags.collect());
    };
    let reference = text.parse::<Reference>();
    let name = match (format, reference) {
        (_, Ok(reference)) if reference.is_tagged() => Name::Reference(reference),
        (Format::DockerArchive, Ok(reference)) if reference.clone().or_latest().is_tagged() => {
            Name::Reference(reference.or_latest())
        }
        (Format::DockerArchive, Ok(pinned)) => return Err(Failure::usage(pinned_message(&pinned))),
        (Format::DockerArchive, Err(error)) => return Err(Failure::usage(error.to_string())),
        // In a layout a name may be anything, such as a bare tag.
        _ => Name::Label(text.to_owned()),
    };
    Ok(std::iter::once(name).chain(tags).collect())
}

/// Refuses what cannot be the name of an image in an output.
pub(super) fn check_name(name: &Reference) -> Result<(), Failure> {
    if !name.clone().or_latest().is_tagged() {
        return Err(Failure::usage(pinned_message(name)));
    }
    if looks_like_digest(name) {
        return Err(Failure::usage(format!(
            "`{name}` looks like a digest, which cannot be the name of an image"
        )));
    }
    Ok(())
}

/// True if the repository has the name of a digest algorithm, as in `sha256:…`.
fn looks_like_digest(name: &Reference) -> bool {
    let text = name.to_string();
    text.split(':').next() == Some("sha256")
}

fn pinned_message(pinned: &Reference) -> String {
    format!("`{pinned}` has a digest; an image is named NAME:TAG")
}
