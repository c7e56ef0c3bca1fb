//! `restow verify`: from the command line to the operation, and its report.

use std::ffi::OsString;

use anstyle::Style;
use clap::Args;
use restow::{Finding, Severity, Verification};
use serde_json::{Value, json};

use crate::cli::argument::source_of;
use crate::cli::explain;
use crate::cli::failure::Failure;
use crate::cli::global::ProgressMode;
use crate::cli::location::Location;
use crate::cli::process::Process;
use crate::cli::terminal::{ERROR, NOTE, Terminal, WARNING};
use crate::cli::text::{count, escaped, json_text, size};

/// Verify an archive or layout: every digest, size, link and entry
///
/// Reads everything and reports each problem with a code, its location and its consequence.
/// The exit code is 1 if there is an error. Warnings and notes do not affect the exit code.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Source: an archive, an OCI layout, or - for stdin
    #[arg(value_name = "SRC", required_unless_present = "explain")]
    source: Option<OsString>,

    /// Explain a code, or list all codes
    ///
    /// Prints the severity of the code, its meaning, its consequence and the remedy.
    #[arg(
        long,
        value_name = "CODE",
        num_args = 0..=1,
        default_missing_value = explain::LIST,
        conflicts_with = "source"
    )]
    explain: Option<String>,

    /// Print a JSON object; `restow help json` lists the fields
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let (source, code) = (arguments.source.as_ref(), arguments.explain.as_ref());
    let Some(source) = source else {
        let code = code.map_or(explain::LIST, String::as_str);
        return explain::run(code, arguments.json, &process.output);
    };
    let source = Location::parse(source, source_of("restow verify -"))?;
    if source.reference.is_some() {
        return Err(Failure::Usage {
            message: "`verify` checks the whole input, but SRC names one image".to_owned(),
            hint: Some("name only the file or folder"),
        });
    }
    let input = process.open(&source)?;
    let verification = process.session(None).verify(input)?;
    let output = &process.output;
    if arguments.json {
        output.data(&json_text(&to_json(&verification)))?;
    } else if !process.global.quiet {
        output.lines(&to_text(&verification, Terminal::of_stdout()))?;
    }
    let is_silent = process.global.quiet && process.global.progress != ProgressMode::Json;
    match verification.count(Severity::Error) {
        0 => Ok(()),
        // The exit code is the report.
        _ if is_silent => Err(Failure::Reported),
        errors => Err(Failure::Unsound(errors)),
    }
}

/// The findings for people: a line for each, and a line for its consequence.
fn to_text(verification: &Verification, terminal: Terminal) -> Vec<String> {
    let mut lines = Vec::new();
    for finding in &verification.findings {
        let Finding {
            code,
            site,
            message,
            ..
        } = finding;
        let severity = code.severity();
        let site = match site.to_string() {
            site if site.is_empty() => site,
            site => format!("{site}: "),
        };
        let label = terminal.styled(style_of(severity), &format!("{severity}[{code}]"));
        lines.push(format!("{label} {}", escaped(&format!("{site}{message}"))));
        lines.push(format!("  {}", code.consequence()));
    }
    let counted = |severity: Severity| match verification.count(severity) {
        0 => None,
        number => Some(count(number, &severity.to_string())),
    };
    let severities = [Severity::Error, Severity::Warning, Severity::Note];
    let found: Vec<String> = severities.into_iter().filter_map(counted).collect();
    let found = match found.join(", ") {
        found if found.is_empty() => "OK".to_owned(),
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

fn style_of(severity: Severity) -> Style {
    match severity {
        Severity::Error => ERROR,
        Severity::Warning => WARNING,
        Severity::Note => NOTE,
    }
}

/// The findings for programs.
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
