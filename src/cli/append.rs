//! `restow append`: from the command line to the operation.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use clap::Args;
use restow::{AppendOptions, AppendReport, Error, NewLayer, Place as InputPlace};
use serde_json::{Value, json};

use crate::cli::argument::{Argument, Role, destination_of};
use crate::cli::destination::{DestinationArgument, ImageOptions, compress_help};
use crate::cli::failure::Failure;
use crate::cli::hint::{hint_for, plain_or};
use crate::cli::location::{Location, Place};
use crate::cli::options::{ChangeOption, image_path, parse_owner, patterns, source_date_epoch};
use crate::cli::process::Process;
use crate::cli::source::{Choice, SourceArgument};
use crate::cli::stdio;
use crate::cli::text::json_text;
use crate::cli::view::fields;
use crate::cli::written;

/// Add layers on top of an image: tars, folders, single files, deletions
///
/// Each LAYER becomes one layer, in this order. A tar keeps its bytes, and its entries are
/// checked as `verify` checks them. A folder or a file is packed as `COPY` in a Dockerfile
/// does: it belongs to root, and lands where a container finds its path, through symbolic
/// links of the image. SRC may be `scratch`, for an image without any other layer.
#[derive(Debug, Args)]
#[command(
    mut_arg("source", |it| it.help("Source: an archive, an OCI layout, - for stdin, or `scratch`")),
    mut_arg("image", |it| it.help_heading("Image selection")),
    mut_arg("platform", |it| it.long_help(
        "Select a platform: OS/ARCH[/VARIANT], OS or ARCH [default: the host's]\n\n\
         With `scratch`, the platform of the new image.",
    )),
    mut_arg("compress", |it| compress_help(
        it,
        "By default a tar keeps its compression, and other new layers are compressed like the topmost \
         layer of SRC. Layers of SRC are not changed.",
    ))
)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,

    #[command(flatten)]
    destination: DestinationArgument,

    /// Layers: a tar, a folder, `FILE:/PATH/IN/IMAGE`, or - for a tar from stdin
    ///
    /// A tar may be compressed. `FILE:/PATH` puts one file at that path, or into it if it ends in
    /// `/` or is a directory of the image; the content of a folder lands in it. Directories that
    /// are missing are made, with mode 0755.
    #[arg(value_name = "LAYER", index = 3, required_unless_present_any = ["delete", "changed"])]
    layers: Vec<OsString>,

    /// Delete a path or pattern from the image (repeatable)
    ///
    /// The deletions become one layer, below the other new ones. A path that the image does not
    /// have is an error.
    #[arg(long, value_name = "PATH", value_parser = image_path())]
    delete: Vec<OsString>,

    /// Add a layer that turns the image into ROOTFS
    ///
    /// ROOTFS is a tar, a folder, or - for a tar from stdin. The new layer has what `diff` finds, additions, changes and deletions, and the directories
    /// above, like the layer of `docker commit`. The owners in a folder are kept, unless there
    /// is `--owner`.
    #[arg(long, value_name = "ROOTFS", conflicts_with_all = ["layers", "delete", "at", "only_new"])]
    changed: Option<OsString>,

    /// Leave out entries of LAYER that the image already has just so
    ///
    /// Nothing is deleted, except by whiteouts in a LAYER. The entries of a tar are then written
    /// anew. No layer is added for a LAYER without anything new.
    #[arg(long, requires = "layers")]
    only_new: bool,

    /// Put the content of tars and folders below this directory of the image
    ///
    /// The entries of a tar are then written anew.
    #[arg(long, value_name = "PATH", value_parser = image_path())]
    at: Option<OsString>,

    /// Owner of packed folders and files: UID:GID [default: 0:0]
    #[arg(long, value_name = "UID:GID", value_parser = parse_owner)]
    owner: Option<(u32, u32)>,

    #[command(flatten)]
    changes: ChangeOption,

    /// Comment for the history entries of the new layers
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    images: ImageOptions,
}

const LAYER: Argument = Argument {
    name: "LAYER",
    role: Role::Rootfs("restow append SRC DST -"),
};

const CHANGED: Argument = Argument {
    name: "ROOTFS",
    role: Role::Rootfs("restow append SRC DST --changed -"),
};

/// The word for an image without layers, as in a Dockerfile.
pub(super) const SCRATCH: &str = "scratch";

/// A LAYER, as given on the command line.
#[derive(Debug, PartialEq, Eq)]
enum LayerArgument {
    /// A tar or a folder.
    Content(Location),
    /// A file or a folder, and its path in the image.
    At(PathBuf, Vec<u8>),
}

impl LayerArgument {
    /// The file that should be a tar.
    fn file(&self) -> Option<PathBuf> {
        match self {
            Self::Content(location) => location.path().map(Path::to_owned),
            Self::At(..) => None,
        }
    }

    /// Parses an argument after this DST: whatever exists under the whole name is a tar or a folder.
    fn parse(text: &OsStr, destination: &Path) -> Result<Self, Failure> {
        if text != "-" && Path::new(text).exists() {
            return Ok(Self::Content(on_disk(Path::new(text))));
        }
        let bytes = text.as_bytes();
        let colons = bytes.windows(2).enumerate().filter(|(_, it)| *it == b":/");
        let splits = colons.map(|(at, _)| (&bytes[..at], &bytes[at + 1..]));
        let mut splits = splits.filter(|(file, _)| !file.is_empty());
        let first = splits.clone().next();
        let is_there = |(file, _): &(&[u8], &[u8])| Path::new(OsStr::from_bytes(file)).exists();
        if let Some((file, path)) = splits.find(is_there) {
            let file = OsString::from_vec(file.to_vec());
            return Ok(Self::At(file.into(), path.to_vec()));
        }
        let is_rootfs = bytes.starts_with(b"rootfs:");
        if let Some(colon) = bytes
            .iter()
            .position(|byte| *byte == b':')
            .filter(|_| !is_rootfs)
        {
            let file = Path::new(OsStr::from_bytes(&bytes[..colon]));
            if first.is_none() && file.exists() {
                let message = format!(
                    "LAYER `{}`: the path in the image must begin with a slash",
                    text.to_string_lossy()
                );
                return Err(Failure::Usage {
                    message,
                    hint: Some(FORMS),
                });
            }
        }
        match first {
            Some((file, _)) if !is_rootfs => Err(Failure::Usage {
                message: format!(
                    "LAYER `{}`: there is no `{}`",
                    text.to_string_lossy(),
                    String::from_utf8_lossy(file)
                ),
                hint: Some(FORMS),
            }),
            _ => {
                let location = Location::parse(text, LAYER)?;
                if location.path().is_some_and(|path| !path.exists()) {
                    return Err(Failure::Usage {
                        message: format!("LAYER `{}` does not exist", text.to_string_lossy()),
                        hint: Some(if destination.exists() { ORDER } else { FORMS }),
                    });
                }
                Ok(Self::Content(location))
            }
        }
    }
}

/// A file or a folder whose name is taken as it is.
fn on_disk(path: &Path) -> Location {
    Location {
        format: None,
        place: Place::Path(path.to_owned()),
        reference: None,
        argument: LAYER,
    }
}

const FORMS: &str =
    "a LAYER is a tar, a folder, FILE:/PATH/IN/IMAGE, or - for a tar from standard input";

const ORDER: &str = "DST comes before the layers, as in `restow append SRC DST LAYER`; a LAYER is a tar, a folder, \
     FILE:/PATH/IN/IMAGE, or - for a tar from standard input";

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let report = append(arguments, process)?;
    let (source, target) = (arguments.source.typed(), arguments.destination.typed());
    if arguments.images.json {
        let object = to_json(source, target, &report);
        return process.output.data(&json_text(&object));
    }
    for source in &report.unchanged {
        let note = format!("nothing changed: no layer was added for {source}");
        process.output.tell(&note);
    }
    process
        .output
        .tell(&written::to_text(target, &report.written));
    Ok(())
}

fn append(arguments: &Arguments, process: &Process) -> Result<AppendReport, Failure> {
    let source = match arguments.source.typed().to_str() {
        Some(SCRATCH) => None,
        _ => Some(arguments.source.location("restow append - DST LAYER")?),
    };
    let layers = arguments.layers.iter();
    let target = Path::new(arguments.destination.typed());
    let layers = layers.map(|it| LayerArgument::parse(it, target));
    let layers: Vec<LayerArgument> = layers.collect::<Result<_, _>>()?;
    let changed = arguments.changed.as_ref();
    let changed = changed.map(|it| Location::parse(it, CHANGED)).transpose()?;
    check(arguments, source.as_ref(), &layers, changed.as_ref())?;
    let argument = destination_of("restow append", "SRC");
    let images = &arguments.images;
    let (destination, names) = images.destination(arguments.destination.typed(), argument)?;
    let mut options = AppendOptions::default();
    options.names = names;
    options.image = match &source {
        Some(source) => arguments.choice.selector(source)?,
        None => None,
    };
    options.platform.clone_from(&arguments.choice.platform);
    options.delete = patterns(&arguments.delete);
    options.at = arguments.at.as_ref().map(|at| at.as_bytes().to_vec());
    options.owner = arguments.owner;
    options.only_new = arguments.only_new;
    options.latest = source_date_epoch()?;
    options.message.clone_from(&arguments.message);
    options.changes = arguments.changes.parse()?;
    options.compress = images.compress;
    let session = process.session(options.latest);
    let location = &destination.location;
    let open = |input: &Location| process.open_beside(input, location);
    let input = source.as_ref().map(open).transpose()?;
    let files: Vec<PathBuf> = layers.iter().filter_map(LayerArgument::file).collect();
    let layers = layers.into_iter().map(|layer| match layer {
        LayerArgument::Content(it) => open(&it).map(NewLayer::Content),
        LayerArgument::At(source, path) => {
            stdio::check_apart(&on_disk(&source), location)?;
            Ok(NewLayer::At { source, path })
        }
    });
    let changed = changed.map(|it| open(&it).map(NewLayer::Changed));
    let layers: Vec<NewLayer> = layers.chain(changed).collect::<Result<_, _>>()?;
    let output = session.begin(process.create(&destination)?)?;
    let report = match input {
        Some(input) => session.append(input, output, layers, &options),
        None => session.append_to_scratch(output, layers, &options),
    };
    report.map_err(|error| advise(error, &files))
}

/// Adds the hint for a file among these that is not a tar, and may be one for the image.
fn advise(error: Error, files: &[PathBuf]) -> Failure {
    let file = match &error {
        Error::Read {
            what: InputPlace::Path(path),
            source,
        } if matches!(**source, Error::NotATar { .. }) => files.iter().find(|it| *it == path),
        _ => None,
    };
    let Some(file) = file.filter(|_| hint_for(&error).is_none()) else {
        return error.into();
    };
    let text = |part: &OsStr| part.to_string_lossy().into_owned();
    let [file, name] = [
        text(file.as_os_str()),
        text(file.file_name().unwrap_or_default()),
    ];
    let (file, name) = (plain_or(&file, "FILE"), plain_or(&name, "PATH"));
    let hint = format!("`{file}:/{name}` adds it as a file of the image");
    let error = Box::new(error);
    Failure::Advised { error, hint }
}

/// Refuses arguments that do not go together.
fn check(
    arguments: &Arguments,
    source: Option<&Location>,
    layers: &[LayerArgument],
    changed: Option<&Location>,
) -> Result<(), Failure> {
    let is_standard = |layer: &&LayerArgument| match layer {
        LayerArgument::Content(location) => location.place == Place::Standard,
        LayerArgument::At(..) => false,
    };
    let others = [source, changed].into_iter().flatten();
    let standard = layers.iter().filter(is_standard).count()
        + others.filter(|it| it.place == Place::Standard).count();
    if standard > 1 {
        let other = if changed.is_some() { "ROOTFS" } else { "LAYER" };
        let message = format!("only one of SRC and {other} can be standard input");
        return Err(Failure::usage(message));
    }
    let is_packed = |layer: &LayerArgument| match layer {
        LayerArgument::Content(location) => location.path().is_some_and(Path::is_dir),
        LayerArgument::At(..) => true,
    };
    let is_folder = |it: &Location| it.path().is_some_and(Path::is_dir);
    let has_packed = layers.iter().any(is_packed) || changed.is_some_and(is_folder);
    if arguments.owner.is_some() && !has_packed {
        return Err(Failure::Usage {
            message: "`--owner` applies to folders and files, but no LAYER is one".to_owned(),
            hint: Some("the entries of a tar keep their owners: set them when you pack it"),
        });
    }
    let is_content = |layer: &LayerArgument| matches!(layer, LayerArgument::Content(_));
    if arguments.at.is_some() && !layers.iter().any(is_content) {
        return Err(Failure::Usage {
            message: "`--at` applies to tars and folders, but no LAYER is one".to_owned(),
            hint: Some("FILE:/PATH/IN/IMAGE has its own path"),
        });
    }
    if source.is_none() && arguments.choice.image.is_some() {
        let message = "`--image` selects an image of SRC, but `scratch` has none".to_owned();
        return Err(Failure::usage(message));
    }
    Ok(())
}

fn to_json(source: &OsStr, destination: &OsStr, report: &AppendReport) -> Value {
    let layer = |layer: &restow::AppendedLayer| {
        json!({
            "number": layer.number,
            "digest": layer.digest.to_string(),
            "diff_id": layer.diff_id.to_string(),
            "size": layer.size,
            "unpacked_size": layer.unpacked_size,
        })
    };
    let unchanged = report.unchanged.iter().map(|source| match source {
        InputPlace::Path(path) => path.to_string_lossy(),
        _ => "-".into(),
    });
    let mut object = fields(json!({
        "image": report.image,
        "layers_before": report.layers_before,
        "added": report.layers.iter().map(layer).collect::<Vec<_>>(),
        "unchanged": unchanged.collect::<Vec<_>>(),
    }));
    object.append(&mut written::to_json(
        source,
        Some(destination),
        Some(&report.written),
    ));
    Value::Object(object)
}
