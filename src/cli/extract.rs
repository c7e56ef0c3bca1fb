//! `restow extract`: from the command line to the operation.

use std::ffi::OsString;
use std::iter;

use clap::Args;
use restow::{ExtractOptions, Format};

use crate::cli::argument::{Argument, Role};
use crate::cli::elsewhere;
use crate::cli::failure::Failure;
use crate::cli::location::Location;
use crate::cli::options::{image_path, patterns, source_date_epoch};
use crate::cli::order;
use crate::cli::process::Process;
use crate::cli::source::{Choice, SourceArgument};
use crate::cli::written;

/// Extract the merged file system of an image into a folder
///
/// The folder gets the files that a container of the image would see, with their owners,
/// modes, times, extended attributes, hard links and devices. Without root, all files belong
/// to the current user, and devices are left out; warnings say so. Modes are kept whatever
/// the umask, setuid included, as by `tar -xp`. Nothing outside of the folder is written, and
/// a failed run leaves nothing.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,

    /// Destination: a folder, which must be new or empty
    #[arg(value_name = "DIR", index = 2)]
    destination: OsString,

    /// Extract only these paths or patterns, and what is below
    ///
    /// `*`, `?` and `[a-z]` match within a name, `**` matches any number of folders. The folders
    /// above a path are extracted with it. Each PATH must match something.
    #[arg(value_name = "PATH", index = 3, value_parser = image_path())]
    paths: Vec<OsString>,

    #[command(flatten)]
    choice: Choice,

    /// Print the report as JSON on stdout
    ///
    /// `restow help json` lists the fields.
    #[arg(long, help_heading = "Output")]
    json: bool,
}

const DESTINATION: Argument = Argument {
    name: "DIR",
    role: Role::Tree("restow export SRC"),
};

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let source = arguments.source.location("restow extract - DIR")?;
    let location = Location::parse(&arguments.destination, DESTINATION);
    let location = location.map_err(|failure| {
        elsewhere::advise_image(failure, arguments.source.typed(), &arguments.destination)
    })?;
    if location
        .format
        .is_some_and(|format| format != Format::Rootfs)
    {
        return Err(Failure::Usage {
            message: "`extract` writes files, but DIR is an image".to_owned(),
            hint: Some("name the folder without a prefix; `convert` writes images"),
        });
    }
    let Some(folder) = location.path() else {
        return Err(Failure::Usage {
            message: "`extract` writes files, which cannot go to standard output".to_owned(),
            hint: Some("name a folder as DIR; `restow export SRC` writes a tar"),
        });
    };
    let mut options = ExtractOptions::default();
    options.image = arguments.choice.selector(&source)?;
    options.platform.clone_from(&arguments.choice.platform);
    options.paths = patterns(&arguments.paths);
    let session = process.session(source_date_epoch()?);
    let later = iter::once(&arguments.destination).chain(&arguments.paths);
    let advise = |failure| {
        let later = later.map(OsString::as_os_str);
        order::advise(failure, &source, later, "restow extract SRC DIR PATH")
    };
    let input = process.open_beside(&source, &location);
    let report = input.and_then(|input| Ok(session.extract(input, folder, &options)?));
    let report = report.map_err(advise)?;
    let (source, target) = (arguments.source.typed(), &arguments.destination);
    written::say_files(&process.output, arguments.json, source, target, &report)
}
