//! `restow verify`: from the command line to the operation, and what it found.

use std::ffi::OsString;

use clap::Args;
use restow::event::{Event, Watch};
use restow::finding::{Finding, Severity};
use restow::format::Opening;
use restow::ops::{self, Context, Verification};
use serde_json::{Value, json};

use crate::cli::Global;
use crate::cli::argument::source_of;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::location::Location;
use crate::cli::output::{Output, count, escaped, json_text, size};
use crate::cli::stdio;
use crate::cli::terminal::Terminal;

/// Check an archive or layout: every digest, size, link and entry
///
/// Everything is read, and everything that is wrong is said, each with a code, the
/// place and what follows from it. The exit code is 1 if there is an error; warnings
/// and notes do no harm.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What to check: a file, an OCI layout, or - for standard input
    #[arg(value_name = "SRC")]
    source: OsString,

    /// Print what was found as a JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let source = Location::parse(&arguments.source, source_of("restow verify -"))?;
    if source.reference.is_some() {
        return Err(Failure::Usage {
            message: "SRC names an image, and `verify` checks all that is there".to_owned(),
            hint: Some("name the file or folder alone"),
        });
    }
    let observer = |event: Event<'_>| output.event(&event);
    let watch = Watch::new(&observer, interrupt.flag());
    let temporary_directory = global.temporary_directory();
    let opening = Opening {
        format: source.format,
        staging: None,
        temporary_directory: &temporary_directory,
        measures: false,
        platform: None,
        created: None,
        watch,
    };
    let context = Context {
        watch,
        jobs: global.jobs(),
        temporary_directory: &temporary_directory,
    };
    let input = stdio::open(&source, None, interrupt)?;
    let verification = ops::verify(input, &opening, context)?;
    if arguments.json {
        output.data(&json_text(&to_json(&verification)))?;
    } else {
        let lines = to_text(&verification, Terminal::of_stdout(), global.quiet);
        if !lines.is_empty() {
            output.data(&lines.join("\n"))?;
        }
    }
    match verification.count(Severity::Error) {
        0 => Ok(()),
        errors => Err(Failure::Unsound { errors }),
    }
}

/// The findings for people, a line each, and one for what follows from it; errors alone if
/// nothing else is wanted.
fn to_text(verification: &Verification, terminal: Terminal, is_quiet: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for finding in &verification.findings {
        let Finding {
            code,
            site,
            message,
            ..
        } = finding;
        let severity = code.severity();
        if is_quiet && severity != Severity::Error {
            continue;
        }
        let site = match site.to_string() {
            site if site.is_empty() => site,
            site => format!("{site}: "),
        };
        let label = terminal.styled(style_of(severity), &format!("{severity}[{code}]"));
        lines.push(format!("{label} {}", escaped(&format!("{site}{message}"))));
        lines.push(format!("  {}", code.consequence()));
    }
    if is_quiet {
        return lines;
    }
    let counted = |severity, name: &str| {
        let number = verification.count(severity);
        (number > 0).then(|| count(number, name))
    };
    let found = [
        counted(Severity::Error, "error"),
        counted(Severity::Warning, "warning"),
        counted(Severity::Note, "note"),
    ];
    let found: Vec<String> = found.into_iter().flatten().collect();
    let found = match found.join(", ") {
        found if found.is_empty() => "nothing is wrong".to_owned(),
        found => found,
    };
    lines.push(format!(
        "{}: {}, {}, {} read: {found}",
        verification.format,
        count(verification.images, "image"),
        count(verification.layers, "layer"),
        size(verification.size),
    ));
    lines
}

/// The parameter of SGR for a severity: red, yellow, cyan.
fn style_of(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "31",
        Severity::Warning => "33",
        Severity::Note => "36",
    }
}

/// What was found for programs.
fn to_json(verification: &Verification) -> Value {
    let finding = |finding: &Finding| {
        let site = &finding.site;
        let entry = site.entry.as_ref();
        json!({
            "severity": finding.code.severity().to_string(),
            "code": finding.code.name(),
            "file": site.file,
            "image": site.image,
            "layer": site.layer.map(|(position, _)| position),
            "entry": entry.map(|(entry, _)| entry),
            "others": entry.map_or(0, |(_, others)| *others),
            "message": finding.message,
            "consequence": finding.code.consequence(),
        })
    };
    json!({
        "format": verification.format.to_string(),
        "images": verification.images,
        "layers": verification.layers,
        "size": verification.size,
        "errors": verification.count(Severity::Error),
        "warnings": verification.count(Severity::Warning),
        "notes": verification.count(Severity::Note),
        "findings": verification.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}
