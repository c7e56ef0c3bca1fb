//! `restow config`: from the command line to the operation.

use clap::Args;
use restow::{ConfigOptions, Platform, Timestamp, Unset};

use crate::cli::argument::destination_of;
use crate::cli::destination::{DestinationArgument, ImageOptions};
use crate::cli::failure::Failure;
use crate::cli::options::{parse_changes, parse_created, parse_pair, source_date_epoch};
use crate::cli::process::Process;
use crate::cli::source::{Choice, SourceArgument};
use crate::cli::written;

/// Change the config of an image: command, environment, labels and so on
///
/// Only documents change: layers are copied as they are, or stay in place if SRC and DST are
/// the same layout, where the tag moves to the new image. The history gets one entry. Of an
/// image for several platforms all change alike, unless `--platform` selects one. An image in
/// which nothing would change keeps its digest.
#[derive(Debug, Args)]
#[command(
    mut_arg("platform", |it| it.help("Select a platform: OS/ARCH[/VARIANT], OS or ARCH [default: all]"))
)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,

    #[command(flatten)]
    destination: DestinationArgument,

    #[command(flatten)]
    edits: Edits,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    images: ImageOptions,

    /// Comment for the history entry
    #[arg(long, short, value_name = "TEXT", help_heading = OWN)]
    message: Option<String>,
}

/// The heading of the other options of `config`, after those that change something.
const OWN: &str = "Options";

/// The options that change something.
#[derive(Debug, Args)]
#[command(next_help_heading = "Changes (at least one)")]
#[group(required = true, multiple = true)]
struct Edits {
    /// Apply a Dockerfile instruction (repeatable)
    ///
    /// CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER,
    /// VOLUME or WORKDIR, as in `docker commit`. Several are read as the lines of one
    /// Dockerfile: ENTRYPOINT clears an earlier CMD.
    #[arg(long = "change", short, value_name = "INSTRUCTION")]
    changes: Vec<String>,

    /// Remove a setting: CMD, ENV.NAME, LABEL.KEY, … (repeatable)
    ///
    /// CMD, ENTRYPOINT, ENV[.NAME], EXPOSE[.PORT], HEALTHCHECK, LABEL[.KEY], ONBUILD, SHELL,
    /// STOPSIGNAL, USER, VOLUME[.PATH] or WORKDIR. Removals precede all other changes.
    #[arg(long, value_name = "SETTING")]
    unset: Vec<Unset>,

    /// Set a label, literally (repeatable)
    #[arg(long = "label", short, value_name = "KEY=VALUE", value_parser = parse_pair)]
    labels: Vec<(String, String)>,

    /// Set an annotation of the manifest (repeatable)
    ///
    /// The config, and with it the image id, does not change for it. Of an image for several
    /// platforms the manifest of each is annotated, and the index is not.
    #[arg(long = "annotation", value_name = "KEY=VALUE", value_parser = parse_pair)]
    annotations: Vec<(String, String)>,

    /// Set the author
    #[arg(long, value_name = "NAME")]
    author: Option<String>,

    /// Set the creation time: RFC 3339 or Unix seconds
    ///
    /// By default the image keeps its own, unless `SOURCE_DATE_EPOCH` is set. That of the
    /// history entry is by default the newest in the config.
    #[arg(long, value_name = "TIME", value_parser = parse_created, allow_negative_numbers = true)]
    created: Option<Timestamp>,

    /// Declare another platform: OS/ARCH[/VARIANT]
    ///
    /// The files do not change. For an image with a wrong platform in its config.
    #[arg(long, value_name = "PLATFORM")]
    set_platform: Option<Platform>,
}

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let source = arguments.source.location("restow config … - DST")?;
    let argument = destination_of("restow config …", "SRC");
    let images = &arguments.images;
    let (destination, names) = images.destination(arguments.destination.typed(), argument)?;
    let mut options = ConfigOptions::default();
    let edits = &arguments.edits;
    options.changes = parse_changes(&edits.changes)?;
    options.unset.clone_from(&edits.unset);
    options.labels.clone_from(&edits.labels);
    options.annotations.clone_from(&edits.annotations);
    options.author.clone_from(&edits.author);
    options.created = edits.created;
    options.set_platform.clone_from(&edits.set_platform);
    options.message.clone_from(&arguments.message);
    options.image = arguments.choice.selector(&source)?;
    options.platform.clone_from(&arguments.choice.platform);
    options.names = names;
    options.compress = images.compress;
    let session = process.session(source_date_epoch()?);
    let input = process.open_beside(&source, &destination.location)?;
    let output = process.create(&destination)?;
    let report = session.configure(input, output, &options)?;
    if report.is_unchanged && !images.json {
        let note = "nothing changed: the image has these settings already";
        process.output.tell(note);
    }
    let (source, target) = (arguments.source.typed(), arguments.destination.typed());
    written::say(&process.output, images.json, source, target, &report)
}
