//! `restow delta`: from the command line to the operation, and its report.

use std::ffi::OsString;

use clap::Args;
use restow::{DeltaImage, DeltaOptions, DeltaReport, Encoding, Format, LayerWay, Platform};
use serde_json::{Value, json};

use crate::cli::argument::{Argument, Role};
use crate::cli::destination::{Destination, Replacing, check_json, is_folder};
use crate::cli::elsewhere;
use crate::cli::failure::Failure;
use crate::cli::hint::advise_ref;
use crate::cli::location::{Location, Place};
use crate::cli::options::source_date_epoch;
use crate::cli::process::Process;
use crate::cli::source::selector;
use crate::cli::suffix;
use crate::cli::text::{count, json_text, short, size};

/// Write only what changed between two images, for `apply`
///
/// The delta holds layers that OLD lacks as differences from the files of OLD. `restow apply OLD
/// DELTA NEW` makes NEW again from it, with all digests, where OLD is. Compressed layers cannot
/// be made again bit for bit, so those that changed go in whole; see `--by-content`.
///
/// A delta is an OCI artifact of the format of containers/oci-delta, in a tar, or in a layout if
/// DELTA is a folder. All images and platforms of NEW go in, each from the image of OLD for the
/// same platform, or else from the first. To select one, let its name follow the path, as in
/// `docker-archive:app.tar:app:1.0`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The image that the other side has: an archive, an OCI layout, or - for stdin
    #[arg(value_name = "OLD")]
    old: OsString,

    /// The image that it shall get
    #[arg(value_name = "NEW")]
    new: OsString,

    /// Destination: a file, a folder for an OCI layout, or - for stdout
    #[arg(value_name = "DELTA")]
    delta: OsString,

    /// Write compressed layers as differences, too
    ///
    /// NEW then comes back with uncompressed layers: the image id stays, but the digests of the
    /// layers and of the manifest change. `restow apply --compress` compresses them again.
    #[arg(long)]
    by_content: bool,

    /// Compression level of zstd, 1 to 19
    ///
    /// Levels above 9 need more memory than others.
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = parse_level)]
    level: i32,

    /// Select a platform: OS/ARCH[/VARIANT], OS or ARCH [default: all]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,

    /// Print the report as JSON on stdout
    ///
    /// `restow help json` lists the fields.
    #[arg(long, help_heading = "Output")]
    json: bool,

    #[command(flatten)]
    replacing: Replacing,
}

const OLD: Argument = Argument {
    name: "OLD",
    role: Role::Images("restow delta - NEW DELTA"),
};

const NEW: Argument = Argument {
    name: "NEW",
    role: Role::Images("restow delta OLD - DELTA"),
};

const DELTA: Argument = Argument {
    name: "DELTA",
    role: Role::Output("restow delta OLD", "NEW"),
};

fn parse_level(text: &str) -> Result<i32, String> {
    let levels = Encoding::ZSTD_LEVELS;
    let level = text.parse().ok().filter(|level| levels.contains(level));
    level.ok_or_else(|| {
        format!(
            "expected a level from {} to {}",
            levels.start(),
            levels.end()
        )
    })
}

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let old = Location::parse(&arguments.old, OLD)?;
    let new = old
        .beside(&arguments.new, NEW)
        .map_err(|failure| elsewhere::advise_image(failure, &arguments.old, &arguments.new))?;
    let destination = destination(arguments)?;
    let mut options = DeltaOptions::default();
    options.old = selector(&old)?;
    options.new = selector(&new)?;
    options.platform.clone_from(&arguments.platform);
    options.by_content = arguments.by_content;
    options.level = arguments.level;
    let session = process.session(source_date_epoch()?);
    let old = process.open_beside(&old, &destination.location)?;
    let new = process.open_beside(&new, &destination.location)?;
    let output = process.create(&destination)?;
    let report = session.delta(old, new, output, &options);
    let report = report.map_err(advise_ref)?;
    if arguments.json {
        return process
            .output
            .data(&json_text(&to_json(arguments, &report)));
    }
    for line in to_text(&report) {
        process.output.say(&line);
    }
    process.output.tell(&wrote(arguments, &report));
    Ok(())
}

fn destination(arguments: &Arguments) -> Result<Destination, Failure> {
    let location = Location::parse(&arguments.delta, DELTA)?;
    if arguments.json {
        check_json(&location)?;
    }
    let format = match (location.format, &location.place) {
        (Some(format @ (Format::OciArchive | Format::OciDirectory)), _) => format,
        (Some(format), _) => {
            return Err(Failure::Usage {
                message: format!("a delta cannot be a `{format}:`"),
                hint: Some("use `oci-archive:`, `oci:` or a path: a delta is an OCI artifact"),
            });
        }
        (None, Place::Path(path)) if is_folder(path) => Format::OciDirectory,
        (None, _) => Format::OciArchive,
    };
    if (format, &location.place) == (Format::OciDirectory, &Place::Standard) {
        return Err(Failure::Usage {
            message: "an OCI layout is a folder and cannot be written to standard output"
                .to_owned(),
            hint: Some("`oci-archive:-` writes a tar of one"),
        });
    }
    if location.reference()?.is_some() {
        return Err(Failure::usage(
            "DELTA gets the names of NEW, and no other".to_owned(),
        ));
    }
    let encoding = suffix::encoding(&location, format)?;
    Ok(arguments.replacing.images(location, format, encoding))
}

/// The ways of the layers, whether a person reads it or not.
fn to_text(report: &DeltaReport) -> Vec<String> {
    let mut lines: Vec<String> = report.images.iter().map(image_to_text).collect();
    let layers = || report.images.iter().flat_map(|image| &image.layers);
    let whole: Vec<_> = layers().filter(|it| it.by_content_size.is_some()).collect();
    let sizes = whole.iter().fold((0, 0), |(now, then), layer| {
        let by_content = layer.by_content_size.unwrap_or(layer.delta_size);
        (now + layer.delta_size, then + by_content)
    });
    if sizes.1 < sizes.0 {
        lines.push(format!(
            "{} went in whole ({}); `--by-content` would make {} of that",
            count(whole.len(), "compressed layer"),
            size(sizes.0),
            size(sizes.1),
        ));
    }
    lines
}

/// The output, for a person.
fn wrote(arguments: &Arguments, report: &DeltaReport) -> String {
    let destination = match arguments.delta.to_string_lossy() {
        standard if standard == "-" => "to standard output".into(),
        destination => destination,
    };
    format!("wrote {destination}: {}", size(report.size))
}

fn image_to_text(image: &DeltaImage) -> String {
    let of = |way| image.layers.iter().filter(move |layer| layer.way == way);
    let name = match image.references.first() {
        Some(reference) => format!("`{reference}`"),
        None => short(&image.id),
    };
    let mut parts = vec![format!(
        "{} reused",
        count(of(LayerWay::Reused).count(), "layer")
    )];
    for (way, what) in [
        (LayerWay::Difference, "as differences"),
        (LayerWay::Whole, "whole"),
    ] {
        let number = of(way).count();
        if number > 0 {
            let before = of(way).fold(0, |sum, layer| sum + layer.size);
            let after = of(way).fold(0, |sum, layer| sum + layer.delta_size);
            parts.push(match way {
                LayerWay::Difference => {
                    format!("{number} {what} ({} of {})", size(after), size(before))
                }
                _ => format!("{number} {what} ({})", size(after)),
            });
        }
    }
    format!("{name} from {}: {}", short(&image.old_id), parts.join(", "))
}

/// The report for programs.
fn to_json(arguments: &Arguments, report: &DeltaReport) -> Value {
    let image = |image: &DeltaImage| {
        let references = image.references.iter().map(ToString::to_string);
        let layers = image.layers.iter().map(|layer| {
            json!({
                "digest": layer.digest.to_string(),
                "way": way_name(layer.way),
                "size": layer.size,
                "delta_size": layer.delta_size,
                "by_content_size": layer.by_content_size,
            })
        });
        json!({
            "references": references.collect::<Vec<_>>(),
            "id": image.id.to_string(),
            "digest": image.digest.to_string(),
            "old_id": image.old_id.to_string(),
            "layers": layers.collect::<Vec<_>>(),
        })
    };
    json!({
        "old": arguments.old.to_string_lossy(),
        "new": arguments.new.to_string_lossy(),
        "destination": arguments.delta.to_string_lossy(),
        "format": report.format.transport(),
        "size": report.size,
        "images": report.images.iter().map(image).collect::<Vec<_>>(),
    })
}

fn way_name(way: LayerWay) -> &'static str {
    match way {
        LayerWay::Reused => "reused",
        LayerWay::Difference => "difference",
        LayerWay::Whole => "whole",
        _ => "elsewhere",
    }
}
