//! `restow cat`: the content of files of an image.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};

use clap::Args;
use restow::{Error, FilesOptions, LayerName, Place};

use crate::cli::failure::Failure;
use crate::cli::location::Location;
use crate::cli::options::{image_path, patterns, source_date_epoch};
use crate::cli::order;
use crate::cli::output::EscapingWriter;
use crate::cli::process::Process;
use crate::cli::source::{Choice, SourceArgument};

/// Print files of an image
///
/// Prints what a container of the image would see, one file after the other. Symbolic links are
/// followed inside the image. Control characters are escaped on a terminal.
///
/// Layers are not verified; use `verify` for that. Of an uncompressed archive only headers and the
/// files are read; compressed layers are unpacked.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,

    /// Files in the image
    #[arg(value_name = "PATH", index = 2, required = true, value_parser = image_path())]
    paths: Vec<OsString>,

    /// Print the file that this layer stores: its number, diff_id or digest
    #[arg(long, value_name = "LAYER")]
    layer: Option<LayerName>,

    #[command(flatten)]
    choice: Choice,
}

const OUTPUT: Place = Place::StandardOutput;

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let source = arguments.source.location("restow cat - PATH")?;
    let later = arguments.paths.iter().map(OsString::as_os_str);
    cat(arguments, &source, process)
        .map_err(|failure| order::advise(failure, &source, later, "restow cat SRC PATH"))
}

fn cat(arguments: &Arguments, source: &Location, process: &Process) -> Result<(), Failure> {
    let mut options = FilesOptions::default();
    options.image = arguments.choice.selector(source)?;
    options.platform.clone_from(&arguments.choice.platform);
    options.paths = patterns(&arguments.paths);
    let session = process.session(source_date_epoch()?);
    let input = process.open(source)?;
    let layer = arguments.layer.as_ref();
    let mut failure = None;
    let copy = |to: &mut dyn Write| match session.cat(input, layer, &options, to, &OUTPUT) {
        Err(Error::Write { source, .. }) => Err(source),
        Err(error) => {
            failure = Some(error);
            Ok(())
        }
        Ok(()) => Ok(()),
    };
    process.output.stream(|out| {
        if !io::stdout().is_terminal() {
            return copy(out);
        }
        let mut escaping = EscapingWriter::new(out);
        copy(&mut escaping)?;
        escaping.finish()
    })?;
    failure.map_or(Ok(()), |error| Err(error.into()))
}
