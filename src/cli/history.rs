//! `restow history`: the steps that created the layers of an image.

use clap::Args;
use restow::{HistoryEntry, HistoryReport, HistoryStep, InspectOptions};
use serde_json::{Value, json};

use crate::cli::failure::Failure;
use crate::cli::options::source_date_epoch;
use crate::cli::process::Process;
use crate::cli::source::{Choice, SourceArgument};
use crate::cli::table::{Content, Table};
use crate::cli::text::json_text;
use crate::cli::view::{
    Sizes, Style, TableStyle, digest_json, fact_lines, fields, id_facts, size_columns, text_json,
};

/// Show the history of an image, as `docker history` does
///
/// The newest step comes first. LAYER is the number for `squash --layers`, SIZE the size of
/// the files in the layer, as in Docker's classic stores, STORED its size as stored. Reads
/// the same parts as `images`; SIZE is `?` where `--size` must unpack the layer for it.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    sizes: Sizes,

    #[command(flatten)]
    shown: TableStyle,

    /// Print a JSON object; `restow help json` lists the fields
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let source = arguments.source.location("restow history -")?;
    let mut options = InspectOptions::default();
    options.image = arguments.choice.selector(&source)?;
    options.platform.clone_from(&arguments.choice.platform);
    let is_quiet = process.global.quiet && !arguments.json;
    options.sizes = arguments.sizes.choice(!is_quiet);
    let session = process.session(source_date_epoch()?);
    let report = session.history(process.open(&source)?, &options)?;
    let output = &process.output;
    if arguments.json {
        return output.data(&json_text(&to_json(&report)));
    }
    let style = arguments.shown.style();
    if process.global.quiet {
        // Only the id of the newest step is known, as in an engine that loaded the image.
        let mut ids = vec![style.digest(&report.id)];
        if style.is_whole {
            ids.resize(report.steps.len().max(1), "<missing>".to_owned());
        }
        return output.lines(&ids);
    }
    let terminal = style.terminal();
    let ids = id_facts(
        &report.id,
        report.digest.as_ref(),
        report.index.as_ref(),
        report.containerd_id.as_ref(),
    );
    let mut lines = fact_lines(&ids, terminal);
    lines.push(String::new());
    lines.extend(to_table(&report, style).lines(terminal));
    output.lines(&lines)
}

fn to_table(report: &HistoryReport, style: Style) -> Table {
    let created = if style.is_human {
        "CREATED"
    } else {
        "CREATED AT"
    };
    let is_known = |step: &HistoryStep| step.entry.layer.is_none() || content_size(step).is_some();
    let [size, stored] = size_columns(report.steps.iter().all(is_known));
    let columns = [
        ("LAYER", Content::Whole),
        (created, Content::Dispensable),
        ("CREATED BY", Content::Text),
        size,
        stored,
        ("COMMENT", Content::Text),
    ];
    let mut table = Table::new(columns.to_vec());
    for step in &report.steps {
        let entry = &step.entry;
        let layer = entry.layer.map(|layer| layer.to_string());
        let (size, stored) = match entry.layer {
            Some(_) => (content_size(step), step.stored_size),
            None => (Some(0), Some(0)),
        };
        table.row(vec![
            layer.unwrap_or_default(),
            style.created(entry.created.as_deref(), true),
            style.created_by(&entry.created_by),
            style.size(size),
            style.size(stored),
            entry.comment.clone(),
        ]);
    }
    table
}

/// The size of the files in the layer of a step, if known.
fn content_size(step: &HistoryStep) -> Option<u64> {
    step.size.and_then(|size| size.content)
}

fn to_json(report: &HistoryReport) -> Value {
    let step = |(at, step): (usize, &HistoryStep)| {
        let mut object = entry_json(&step.entry);
        let diff_id = step.diff_id.as_ref().map(|diff_id| &diff_id.0);
        object.append(&mut fields(json!({
            "id": digest_json((at == 0).then_some(&report.id)),
            "diff_id": digest_json(diff_id),
            "size": step.stored_size,
            "unpacked_size": step.size.map(|it| it.unpacked),
            "content_size": content_size(step),
        })));
        Value::Object(object)
    };
    let references = report.references.iter().map(ToString::to_string);
    json!({
        "id": report.id.to_string(),
        "digest": digest_json(report.digest.as_ref()),
        "index": digest_json(report.index.as_ref()),
        "containerd_id": digest_json(report.containerd_id.as_ref()),
        "references": references.collect::<Vec<_>>(),
        "history": report.steps.iter().enumerate().map(step).collect::<Vec<_>>(),
    })
}

/// A step of the history in the config, as JSON.
pub(super) fn entry_json(entry: &HistoryEntry) -> serde_json::Map<String, Value> {
    fields(json!({
        "layer": entry.layer,
        "empty_layer": entry.is_empty,
        "created": entry.created,
        "created_by": text_json(&entry.created_by),
        "author": text_json(&entry.author),
        "comment": text_json(&entry.comment),
    }))
}
