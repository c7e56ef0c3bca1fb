//! `restow diff`: from the command line to the operation.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use clap::{Args, ValueEnum};
use restow::{Aspect, Detail, DiffOptions, PathPattern, TextDifference};

use crate::cli::argument::{Argument, Role};
use crate::cli::diff_report::{print_json, print_text, unified};
use crate::cli::elsewhere;
use crate::cli::failure::Failure;
use crate::cli::hint::advise_ref;
use crate::cli::location::Location;
use crate::cli::options::{image_path, patterns, source_date_epoch};
use crate::cli::process::Process;
use crate::cli::source::Choice;

/// Compare two images: their files, platforms and run configurations
///
/// Prints a summary, and then a line for each difference, from A to B: `A` added, `D` deleted,
/// `M` other content, `m` other metadata only. Compares what a container sees: the order of
/// entries, the format of the tar and the division into layers make no difference. Exit codes: 0
/// same, 1 different, 2 trouble; with `--quiet` they are all that is reported.
///
/// A directory for which no layer has an entry is 0755, owned by root, and its time does not
/// count, since engines create it when they unpack the image. The mode of a symbolic link does
/// not count. Variables of `Env` and labels are compared by name. In known fields of the config
/// an empty value is the same as none; unknown fields count, too. A root filesystem has no
/// config, so that only files are compared with it.
///
/// Layers with the same diff_id count as the same, and layers are not verified; use `verify` for
/// that. Headers are read, and files of the same size from different layers.
#[derive(Debug, Args)]
#[command(mut_arg("image", |it| {
    it.help("Select an image of A and of B by reference, digest, id or #N").long_help(
        "Select an image of A and of B by reference, digest, id or #N\n\n`restow images A` lists \
         all of these. Unique prefixes of digests and ids are enough. To select another one of \
         each, let it follow the path, as in `oci:DIR:app:1.0`.",
    )
}))]
pub(super) struct Arguments {
    /// First image: an archive, an OCI layout, a root filesystem tar, or - for stdin
    #[arg(value_name = "A")]
    a: OsString,

    /// Second image
    #[arg(value_name = "B")]
    b: OsString,

    /// Compare only these files, not the config: paths or patterns, with everything below them
    ///
    /// Patterns are those of `files`. A path that only one image has is a difference.
    #[arg(value_name = "PATH", value_parser = image_path())]
    paths: Vec<OsString>,

    /// Ignore differences in these: config, links, mode, mtime, owner, xattrs
    ///
    /// A list separated by commas, and repeatable. `links` are hard links: the names that share a
    /// file. `config` is the platform and the run configuration.
    #[arg(
        long,
        value_name = "WHAT",
        value_enum,
        value_delimiter = ',',
        hide_possible_values = true
    )]
    ignore: Vec<Ignored>,

    /// Ignore what any rebuild of the same sources changes
    ///
    /// These are: the mtime of every file; the labels `org.opencontainers.image.created` and
    /// `org.label-schema.build-date`; the fields Hostname and Image of the run configuration, in
    /// which Docker's classic builder stores ids; with `--history` also all times, and the ids of
    /// the container and the parent image. Nothing else: logs, caches and compiled files
    /// with times in them still differ.
    #[arg(long)]
    semantic: bool,

    #[command(flatten)]
    details: Details,

    #[command(flatten)]
    form: Form,

    #[command(flatten)]
    choice: Choice,
}

/// The options for parts that no container sees.
#[derive(Debug, Args)]
struct Details {
    /// Compare the history, too
    ///
    /// And the fields of the config that say how the image was made, such as author and created.
    #[arg(long)]
    history: bool,

    /// Compare the names of the images, too
    #[arg(long)]
    names: bool,

    /// Compare the layers, too: diff_ids, and digests as stored
    #[arg(long)]
    layers: bool,
}

impl Details {
    fn chosen(&self) -> BTreeSet<Detail> {
        let details = [
            (self.history, Detail::History),
            (self.names, Detail::Names),
            (self.layers, Detail::Layers),
        ];
        details
            .into_iter()
            .filter(|it| it.0)
            .map(|it| it.1)
            .collect()
    }
}

/// The options for the form of the report.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct Form {
    /// Compare the lines of this text file, and nothing else
    ///
    /// Prints a unified diff, as `diff -u` does. Symbolic links are followed, never out of the
    /// image. Of a file that is no text it only says that it differs.
    #[arg(
        long,
        value_name = "PATH",
        value_parser = image_path(),
        conflicts_with_all = [
            "paths", "json", "stat", "ignore", "semantic", "history", "names", "layers",
        ]
    )]
    text: Option<OsString>,

    /// Print only the summary
    #[arg(long)]
    stat: bool,

    /// Print a JSON object; `restow help json` lists the fields
    #[arg(long, conflicts_with = "stat")]
    json: bool,
}

/// A part that `--ignore` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Ignored {
    Config,
    Links,
    Mode,
    Mtime,
    Owner,
    Xattrs,
}

impl From<Ignored> for Aspect {
    fn from(ignored: Ignored) -> Self {
        match ignored {
            Ignored::Config => Self::Config,
            Ignored::Links => Self::Links,
            Ignored::Mode => Self::Mode,
            Ignored::Mtime => Self::Mtime,
            Ignored::Owner => Self::Owner,
            Ignored::Xattrs => Self::Xattrs,
        }
    }
}

const A: Argument = Argument {
    name: "A",
    role: Role::Images("restow diff - B"),
};

const B: Argument = Argument {
    name: "B",
    role: Role::Images("restow diff A -"),
};

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let a = Location::parse(&arguments.a, A)?;
    let b = a.beside(&arguments.b, B);
    let b = b.map_err(|failure| elsewhere::advise_image(failure, &arguments.a, &arguments.b))?;
    let mut options = DiffOptions::default();
    options.image_a = arguments.choice.selector(&a)?;
    options.image_b = arguments.choice.selector(&b)?;
    options.platform.clone_from(&arguments.choice.platform);
    options.ignore = arguments.ignore.iter().map(|it| (*it).into()).collect();
    options.semantic = arguments.semantic;
    options.details = arguments.details.chosen();
    options.paths = patterns(&arguments.paths);
    let session = process.session(source_date_epoch()?);
    if let Some(path) = &arguments.form.text {
        let path = PathPattern::new(path.as_bytes());
        let (a, b) = (process.open(&a)?, process.open(&b)?);
        let text = session.diff_text(a, b, &path, &options);
        let text = text.map_err(advise_ref)?;
        if !process.global.quiet {
            process.output.raw(&unified(&text))?;
        }
        return match text.difference {
            TextDifference::None => Ok(()),
            _ => Err(Failure::Different),
        };
    }
    let report = session.diff(process.open(&a)?, process.open(&b)?, &options);
    let report = report.map_err(advise_ref)?;
    let sources = [&arguments.a, &arguments.b];
    if arguments.form.json {
        print_json(&process.output, sources, &report)?;
    } else if !process.global.quiet {
        print_text(&process.output, sources, &report, arguments.form.stat)?;
    }
    if report.is_same() {
        Ok(())
    } else {
        Err(Failure::Different)
    }
}
