//! `restow files`: the file system of an image, or the entries of its layers, as `ls -l` shows
//! them.

use std::cmp::Reverse;
use std::ffi::OsString;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::thread;

use clap::{ArgAction, Args, ValueEnum};
use restow::{ChangeKind, FileChange, FileEntry, FileRun, FileTree, FilesOptions, LayerName};
use serde_json::{Value, json};

use crate::cli::entry::{Columns, entry_json, path_json, rooted};
use crate::cli::failure::Failure;
use crate::cli::location::Location;
use crate::cli::options::{image_path, patterns, source_date_epoch};
use crate::cli::order;
use crate::cli::process::Process;
use crate::cli::source::{Choice, SourceArgument};
use crate::cli::text::json_text;

/// List the files of an image with their layers, as `ls -l` does
///
/// Shows what a container of the image would see, with the layer that each entry comes from,
/// counted from 1, the lowest, as in `inspect`. A PATH shows only that entry and everything below
/// it; `*`, `?` and `[a-z]` stop at slashes, `**` does not. Times are in UTC, owners are numbers,
/// and `+` after the mode stands for extended attributes.
///
/// `--layer` and `--all-layers` show what layers store, with the change to the layers below: `A`
/// added, `M` other content, `m` other metadata only, `=` unchanged, `D` deleted.
///
/// Layers are not verified; use `verify` for that. Only headers of an uncompressed archive are
/// read; compressed layers are unpacked.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,

    /// Paths or patterns in the image [default: all]
    #[arg(value_name = "PATH", index = 2, value_parser = image_path())]
    paths: Vec<OsString>,

    /// Show what one layer stores: its number, diff_id or digest
    #[arg(long, value_name = "LAYER", conflicts_with = "all_layers")]
    layer: Option<LayerName>,

    /// Show what each layer stores: the history of a PATH
    #[arg(long)]
    all_layers: bool,

    #[command(flatten)]
    form: Form,

    #[command(flatten)]
    choice: Choice,
}

/// The order and the form of the list.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct Form {
    /// Order of the list; size: largest first
    #[arg(
        long,
        value_name = "BY",
        value_enum,
        default_value_t = Order::Path,
        hide_default_value = true
    )]
    sort: Order,

    /// Human-readable sizes
    ///
    /// By default sizes are in bytes.
    #[arg(
        long,
        short = 'H',
        value_name = "BOOL",
        action = ArgAction::Set,
        default_value_t = false,
        hide_default_value = true,
        num_args = 0..=1,
        default_missing_value = "true",
        require_equals = true
    )]
    human: bool,

    /// Print paths only, each followed by a NUL byte, for `xargs -0`
    #[arg(long = "null", short = '0')]
    null: bool,

    /// Print a JSON object a line; `restow help json` lists the fields
    #[arg(long, conflicts_with = "null")]
    json: bool,
}

/// The order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Order {
    /// By path
    Path,
    /// By size, the largest first
    Size,
    /// By layer, then by path
    Layer,
}

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let source = arguments.source.location("restow files -")?;
    let later = arguments.paths.iter().map(OsString::as_os_str);
    files(arguments, &source, process)
        .map_err(|failure| order::advise(failure, &source, later, "restow files SRC PATH"))
}

fn files(arguments: &Arguments, source: &Location, process: &Process) -> Result<(), Failure> {
    let mut options = FilesOptions::default();
    options.image = arguments.choice.selector(source)?;
    options.platform.clone_from(&arguments.choice.platform);
    options.paths = patterns(&arguments.paths);
    let session = process.session(source_date_epoch()?);
    let input = process.open(source)?;
    if arguments.layer.is_none() && !arguments.all_layers {
        let tree = session.files(input, &options)?;
        let shown = show_tree(arguments, process, &tree);
        // The process is about to end, which gives back all of its memory at once.
        std::mem::forget(tree);
        return shown;
    }
    let mut changes = session.file_changes(input, arguments.layer.as_ref(), &options)?;
    let size = |change: &FileChange| change.entry.as_ref().map_or(0, FileEntry::size);
    match arguments.form.sort {
        Order::Path if arguments.layer.is_some() => {}
        // The history of each path, in the order of the tree.
        Order::Path => changes.sort_by(|one, other| {
            let [one, other] = [one, other].map(|it| it.path.split(|byte| *byte == b'/'));
            one.cmp(other)
        }),
        Order::Size => changes.sort_by_key(|change| Reverse(size(change))),
        Order::Layer => {}
    }
    show_changes(arguments, process, &changes)
}

/// Prints the entries of a tree.
fn show_tree(arguments: &Arguments, process: &Process, tree: &FileTree) -> Result<(), Failure> {
    let mut sorted = match arguments.form.sort {
        Order::Path => None,
        Order::Size | Order::Layer => Some(tree.entries().collect::<Vec<_>>()),
    };
    if let Some(entries) = &mut sorted {
        match arguments.form.sort {
            Order::Size => entries.sort_by_key(|entry| Reverse(entry.size())),
            _ => entries.sort_by_key(|entry| entry.layer),
        }
    }
    let entries = || -> Box<dyn Iterator<Item = FileEntry> + '_> {
        match &sorted {
            Some(entries) => Box::new(entries.iter().cloned()),
            None => Box::new(tree.entries()),
        }
    };
    process.output.stream(|out| {
        if arguments.form.null || (process.global.quiet && !arguments.form.json) {
            return entries().try_for_each(|entry| put_path(out, &entry.path, arguments.form.null));
        }
        if arguments.form.json {
            return entries().try_for_each(|entry| {
                let object = entry_json(&entry);
                writeln!(out, "{}", json_text(&Value::Object(object)))
            });
        }
        let mut columns = Columns::new(arguments.form.human, false);
        let Some(entries) = &sorted else {
            let runs = measured_runs(tree, &mut columns, process.jobs());
            writeln!(out, "{}", columns.heading())?;
            return put_runs(out, &runs, &columns, process.jobs());
        };
        for entry in entries {
            columns.measure(entry);
        }
        writeln!(out, "{}", columns.heading())?;
        let mut line = Vec::new();
        entries.iter().try_for_each(|entry| {
            line.clear();
            columns.put(entry, &mut line);
            out.write_all(&line)
        })
    })
}

/// Returns the entries of a tree as runs, after several threads have made the columns wide enough
/// for them.
fn measured_runs<'a>(
    tree: &'a FileTree,
    columns: &mut Columns,
    jobs: NonZeroUsize,
) -> Vec<FileRun<'a>> {
    let left = Mutex::new((tree.runs(), Vec::new()));
    let next = || {
        let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
        let run = left.0.next()?;
        left.1.push(run.clone());
        Some(run)
    };
    let measure = |mut columns: Columns| {
        while let Some(run) = next() {
            run.each(|entry| columns.measure(entry));
        }
        columns
    };
    thread::scope(|scope| {
        let start = || {
            let columns = columns.clone();
            let measure = &measure;
            thread::Builder::new().spawn_scoped(scope, move || measure(columns))
        };
        // If no more threads can be started, the existing ones do all the work.
        let others: Vec<_> = (1..jobs.get().min(THREADS_MAX))
            .map_while(|_| start().ok())
            .collect();
        *columns = measure(columns.clone());
        for other in others {
            let other = other.join().unwrap_or_else(|panic| resume_unwind(panic));
            columns.widen(&other);
        }
    });
    let (_, runs) = left.into_inner().unwrap_or_else(PoisonError::into_inner);
    runs
}

/// Prints the lines of runs of entries, which several threads format in turn.
fn put_runs(
    out: &mut dyn Write,
    runs: &[FileRun<'_>],
    columns: &Columns,
    jobs: NonZeroUsize,
) -> io::Result<()> {
    let lines = |run: &FileRun<'_>, columns: &mut Columns| {
        let mut lines = Vec::with_capacity(LINES);
        run.each(|entry| columns.put(entry, &mut lines));
        lines
    };
    let threads = jobs.get().min(THREADS_MAX);
    thread::scope(|scope| {
        let start = |at| {
            let (sender, receiver) = sync_channel(1);
            let mut columns = columns.clone();
            let format = move || {
                let mut runs = runs.iter().skip(at).step_by(threads);
                // If the first one cannot be printed, nobody receives the others.
                runs.try_for_each(|run| sender.send(lines(run, &mut columns)))
            };
            // If no more threads can be started, the existing ones do all the work.
            let _ = thread::Builder::new().spawn_scoped(scope, format);
            receiver
        };
        let others: Vec<_> = (1..threads).map(start).collect();
        let mut columns = columns.clone();
        for runs in runs.chunks(threads) {
            let Some((own, theirs)) = runs.split_first() else {
                continue;
            };
            out.write_all(&lines(own, &mut columns))?;
            for (run, other) in theirs.iter().zip(&others) {
                let received = other.recv();
                out.write_all(&received.unwrap_or_else(|_| lines(run, &mut columns)))?;
            }
        }
        Ok(())
    })
}

/// Maximum number of threads that read a tree.
const THREADS_MAX: usize = 8;

/// The usual size of the lines of a run, in bytes.
const LINES: usize = 96 * 1024;

/// Prints the changes of layers.
fn show_changes(
    arguments: &Arguments,
    process: &Process,
    changes: &[FileChange],
) -> Result<(), Failure> {
    process.output.stream(|out| {
        if arguments.form.null || (process.global.quiet && !arguments.form.json) {
            let mut paths = changes.iter().map(|change| &change.path);
            return paths.try_for_each(|path| put_path(out, path, arguments.form.null));
        }
        if arguments.form.json {
            return changes
                .iter()
                .try_for_each(|change| writeln!(out, "{}", json_text(&change_json(change))));
        }
        let mut columns = Columns::new(arguments.form.human, true);
        let entries = changes.iter().filter_map(|change| change.entry.as_ref());
        entries.for_each(|entry| columns.measure(entry));
        writeln!(out, "{}", columns.heading())?;
        let mut line = Vec::new();
        changes.iter().try_for_each(|change| {
            let mark = mark(change.kind);
            line.clear();
            match &change.entry {
                Some(entry) => columns.put(entry, &mut line),
                None => columns.put_deleted(change.layer, &change.path, &mut line),
            }
            write!(out, "{mark} ")?;
            out.write_all(&line)
        })
    })
}

/// Prints a path alone: for programs with a NUL byte, for people escaped.
fn put_path(out: &mut dyn Write, path: &[u8], is_null: bool) -> io::Result<()> {
    if is_null {
        out.write_all(b"/")?;
        out.write_all(path)?;
        return out.write_all(b"\0");
    }
    writeln!(out, "{}", rooted(path))
}

/// The letter of a change.
fn mark(kind: ChangeKind) -> char {
    match kind {
        ChangeKind::Added => 'A',
        ChangeKind::Content => 'M',
        ChangeKind::Metadata => 'm',
        ChangeKind::Deleted => 'D',
        _ => '=',
    }
}

fn change_json(change: &FileChange) -> Value {
    let kind = match change.kind {
        ChangeKind::Added => "added",
        ChangeKind::Content => "content",
        ChangeKind::Metadata => "metadata",
        ChangeKind::Deleted => "deleted",
        _ => "unchanged",
    };
    let entry = change.entry.as_ref();
    let mut object = entry.map_or_else(|| path_json(&change.path), entry_json);
    object.insert("layer".to_owned(), json!(change.layer));
    object.insert("change".to_owned(), kind.into());
    Value::Object(object)
}
