//! `restow verify`: from the command line to the operation, and what it found.

use anstyle::Style;
use clap::Args;
use restow::{Finding, Severity, Verification};
use serde_json::{Value, json};

use crate::cli::failure::Failure;
use crate::cli::global::ProgressMode;
use crate::cli::process::Process;
use crate::cli::source::SourceArgument;
use crate::cli::terminal::{ERROR, NOTE, Terminal, WARNING};
use crate::cli::text::{count, escaped, json_text, size};

/// Check an archive or layout: every digest, size, link and entry
///
/// Everything is read, and everything that is wrong is said, each with a code, the
/// place and what follows from it. The exit code is 1 if there is an error; warnings
/// and notes do no harm.
#[derive(Debug, Args)]
#[command(mut_arg("source", |it| it.help("What to check: a file, an OCI layout, or - for standard input")))]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,

    /// Print what was found as a JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let source = arguments.source.location("restow verify -")?;
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
        // The exit code tells it.
        _ if is_silent => Err(Failure::Reported),
        errors => Err(Failure::Unsound(errors)),
    }
}

/// The findings for people, a line each, and one for what follows from it.
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
