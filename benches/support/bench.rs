//! Common parts of the benchmarks: arguments, runs and report.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;

use clap::{Args, value_parser};
use serde_json::{Value, json};

use super::measure::{Comparison, alternate};

pub(crate) type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

pub(crate) const MB: u64 = 1_000_000;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Run only the work whose name contains this text
    filter: Option<String>,
    /// Use this docker-archive instead of a generated one; outputs are written beside it
    #[arg(long, value_name = "PATH")]
    pub(crate) image: Option<PathBuf>,
    /// Size of the generated image, in MB
    #[arg(long, value_name = "MB", default_value_t = 1800, value_parser = value_parser!(u64).range(1..))]
    pub(crate) size: u64,
    /// Number of timed runs of every command, after an untimed one
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u64).range(1..))]
    runs: u64,
    /// Compare with another restow, such as one built before a change, instead of peers
    #[arg(long, value_name = "BINARY")]
    before: Option<PathBuf>,
    /// Print one JSON document instead of the table
    #[arg(long)]
    json: bool,
    /// Only make an image at this path; the benchmark calls itself with this option
    #[arg(long, hide = true)]
    pub(crate) make: Option<PathBuf>,
    /// Passed by cargo to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// Converts the result of a benchmark to an exit code.
pub(crate) fn exit_code(result: Result<()>) -> ExitCode {
    if let Err(error) = result {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The requirements of commands besides the image.
pub(crate) struct Prepared<T> {
    /// Environment variables.
    pub(crate) variables: Vec<(&'static str, OsString)>,
    /// Resources that are removed when the work is done.
    pub(crate) kept: T,
}

/// For work that needs only the image.
pub(crate) const NOTHING: Prepared<()> = Prepared {
    variables: vec![],
    kept: (),
};

/// Runs work and collects the results; failed and omitted work is noted.
pub(crate) struct Bench<'a> {
    arguments: &'a Arguments,
    image: PathBuf,
    rows: Vec<Value>,
    notes: Vec<String>,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(arguments: &'a Arguments, image: PathBuf) -> Self {
        Self {
            arguments,
            image,
            rows: vec![],
            notes: vec![],
        }
    }

    /// Runs work whose commands use `$IMAGE` and the variables of [`Prepared`].
    ///
    /// Nothing is prepared for work that is not selected.
    pub(crate) fn run<T>(
        &mut self,
        work: &[Comparison],
        prepare: impl FnOnce(&Path) -> Result<Prepared<T>>,
    ) {
        let before = self.arguments.before.as_deref();
        let work: Vec<Comparison> = match before {
            Some(_) => with_before(work),
            None => work.to_vec(),
        };
        let selected = || {
            work.iter()
                .filter(|work| is_selected(*work, self.arguments))
        };
        if selected().next().is_none() {
            return;
        }
        let Prepared {
            mut variables,
            kept,
        } = match prepare(&self.image) {
            Ok(prepared) => prepared,
            Err(error) => {
                let notes = selected().map(|work| format!("{work}: skipped: {error}"));
                self.notes.extend(notes);
                return;
            }
        };
        variables.push(("IMAGE", self.image.clone().into_os_string()));
        for work in selected() {
            eprintln!("running: {work}");
            match alternate(work, &self.image, &variables, self.arguments.runs, before) {
                Ok(row) => self.rows.push(row),
                Err(error) => self.notes.push(format!("{work}: {error}")),
            }
        }
        drop(kept);
    }

    /// Prints a table of sizes, if there is one, all rows, and the tools: commands that print a
    /// version, and more.
    pub(crate) fn report(&self, sizes: &[Value], tools: &[&[&str]], more: &str) -> Result<()> {
        let cores = thread::available_parallelism()?;
        let size = self.image.metadata()?.len() / MB;
        let runs = self.arguments.runs;
        let mut setting = format!("{cores} cores, image of {size} MB, median of {runs} runs{more}");
        for tool in tools {
            if let Ok(output) = Command::new(tool[0]).args(&tool[1..]).output() {
                let version = String::from_utf8_lossy(&output.stdout);
                let version = version.lines().next().unwrap_or("no version");
                let _ = write!(setting, ", {version}");
            }
        }
        let (rows, notes) = (&self.rows, &self.notes);
        if self.arguments.json {
            let mut document = json!({ "setting": setting, "rows": rows, "notes": notes });
            if !sizes.is_empty() {
                document["sizes"] = sizes.into();
            }
            println!("{document:#}");
        } else {
            println!("{setting}\n");
            for rows in [sizes, rows].into_iter().filter(|rows| !rows.is_empty()) {
                println!("{}", table(rows));
            }
            println!("{}", notes.join("\n"));
        }
        Ok(())
    }
}

/// The commands of restow, each once, compared with the same command of another restow.
fn with_before(work: &[Comparison]) -> Vec<Comparison> {
    let mut seen = HashSet::new();
    let work = work.iter().filter(|work| seen.insert(work.restow));
    work.map(Comparison::with_before).collect()
}

/// True if the arguments select the work with this name.
pub(crate) fn is_selected(work: &impl ToString, arguments: &Arguments) -> bool {
    let filter = arguments.filter.as_deref().unwrap_or_default();
    work.to_string().contains(filter)
}

/// Formats rows in columns under their keys.
fn table(rows: &[Value]) -> String {
    let objects: Vec<_> = rows.iter().filter_map(Value::as_object).collect();
    let head = objects
        .iter()
        .take(1)
        .map(|object| object.keys().cloned().collect());
    let body = objects
        .iter()
        .map(|object| object.values().map(cell).collect());
    let lines: Vec<Vec<String>> = head.chain(body).collect();
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].len())
            .max()
            .unwrap_or(0)
    };
    let mut text = String::new();
    for line in &lines {
        for (column, cell) in line.iter().enumerate() {
            let _ = write!(text, "{cell:<width$}  ", width = width(column));
        }
        text = text.trim_end().to_owned() + "\n";
    }
    text
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(is_met) => if *is_met { "yes" } else { "no" }.to_owned(),
        Value::String(text) => text.clone(),
        number if number.is_u64() => number.to_string(),
        number => format!("{:.2}", number.as_f64().unwrap_or(f64::NAN)),
    }
}
