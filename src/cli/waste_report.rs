//! The report of `waste`, for people and for programs.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;

use restow::{HiddenFile, HiddenReason, Selector, WasteLayer, WastePlan, WasteRemedy, WasteReport};
use serde_json::{Number, Value, json};

use crate::cli::entry::{path_json, rooted};
use crate::cli::hint::word_or;
use crate::cli::source::Choice;
use crate::cli::squash_report;
use crate::cli::table::{Content, Table};
use crate::cli::text::{count, json_text};
use crate::cli::threshold::{percent, ratio};
use crate::cli::view::{Style, digest_json, fact_lines, fields, text_json};

/// Maximum number of command lines of each kind; those that drop most come first.
const PLANS_MAX: usize = 5;

/// The way to show a report.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) style: Style,
    /// The number of lines for files or folders.
    pub(super) top: usize,
    /// The number of names of a path by which files are summed up.
    pub(super) depth: Option<usize>,
    /// SRC as typed.
    pub(super) source: &'a str,
    /// The choice of the image as typed.
    pub(super) choice: &'a Choice,
}

/// The report for people, in lines.
pub(super) fn to_text(report: &WasteReport, shown: &Shown<'_>) -> Vec<String> {
    let style = shown.style;
    let terminal = style.terminal();
    let size = |bytes| style.size(Some(bytes));
    let (files, hidden) = (report.files_size(), report.hidden_size());
    let part = percent(hidden, files);
    let seen = report.seen_size();
    let stored = size(report.stored_size());
    let efficiency = if files == 0 {
        "100%".to_owned()
    } else {
        percent(seen, files)
    };
    let facts = [
        ("Image ID", vec![report.id.to_string()]),
        (
            "Layers",
            vec![format!("{}, {stored} as stored", report.layers.len())],
        ),
        ("Files", vec![format!("{} uncompressed", size(files))]),
        ("Seen", vec![size(seen)]),
        ("Hidden", vec![format!("{} ({part})", size(hidden))]),
        ("Efficiency", vec![efficiency]),
    ];
    let mut lines = fact_lines(&facts, terminal);
    if report.hidden.is_empty() {
        return lines;
    }
    let (table, rest) = match shown.depth {
        Some(depth) => folders(report, depth, shown),
        None => files_table(report, shown),
    };
    for table in [layers(report, style), table] {
        lines.push(String::new());
        lines.extend(table.lines(terminal));
    }
    if rest > 0 {
        lines.push(format!("{rest} more; `--top N` shows N"));
    }
    lines.push(String::new());
    lines.extend(plans(report, shown).lines(terminal));
    lines
}

/// The layers that hide files, the lowest first.
fn layers(report: &WasteReport, style: Style) -> Table {
    let columns = [
        ("LAYER", Content::Whole),
        ("HIDES", Content::Whole),
        ("FILES", Content::Dispensable),
        ("REASONS", Content::Text),
        ("CREATED BY", Content::Text),
    ];
    let mut table = Table::new(columns.to_vec());
    let mut hiders: BTreeMap<usize, BTreeMap<HiddenReason, Sum>> = BTreeMap::new();
    for file in &report.hidden {
        let reasons = hiders.entry(file.hidden_by).or_default();
        reasons.entry(file.reason).or_default().add(file.size);
    }
    for (layer, reasons) in hiders {
        let mut all = Sum::default();
        for sum in reasons.values() {
            all.files += sum.files;
            all.bytes = all.bytes.saturating_add(sum.bytes);
        }
        let mut reasons: Vec<(HiddenReason, Sum)> = reasons.into_iter().collect();
        reasons.sort_by_key(|(reason, sum)| (Reverse(sum.bytes), *reason));
        let reason = |(reason, sum): &(HiddenReason, Sum)| {
            let bytes = style.size(Some(sum.bytes));
            format!("{reason} {bytes}")
        };
        let reasons: Vec<String> = match reasons.as_slice() {
            [(reason, _)] => vec![reason.to_string()],
            several => several.iter().map(reason).collect(),
        };
        table.row(vec![
            layer.to_string(),
            style.size(Some(all.bytes)),
            all.files.to_string(),
            reasons.join(", "),
            style.created_by(&report.layers[layer - 1].created_by),
        ]);
    }
    table
}

/// Files, summed up.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    files: usize,
    bytes: u64,
}

impl Sum {
    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// The largest files, and the number of those left out.
fn files_table(report: &WasteReport, shown: &Shown<'_>) -> (Table, usize) {
    let columns = [
        ("SIZE", Content::Whole),
        ("LAYER", Content::Dispensable),
        ("HIDDEN BY", Content::Dispensable),
        ("REASON", Content::Dispensable),
        ("PATH", Content::Name),
    ];
    let mut table = Table::new(columns.to_vec());
    for file in report.hidden.iter().take(shown.top) {
        table.row(vec![
            shown.style.size(Some(file.size)),
            file.layer.to_string(),
            file.hidden_by.to_string(),
            file.reason.to_string(),
            rooted(&file.path),
        ]);
    }
    (table, report.hidden.len().saturating_sub(shown.top))
}

/// The first names of paths with the largest sums, and the number of those left out.
fn folders(report: &WasteReport, depth: usize, shown: &Shown<'_>) -> (Table, usize) {
    let columns = [
        ("SIZE", Content::Whole),
        ("FILES", Content::Dispensable),
        ("PATH", Content::Name),
    ];
    let mut table = Table::new(columns.to_vec());
    let mut sums: BTreeMap<&[u8], Sum> = BTreeMap::new();
    for HiddenFile { path, size, .. } in &report.hidden {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let end = slashes.map(|(at, _)| at).nth(depth - 1);
        let start = &path[..end.unwrap_or(path.len())];
        sums.entry(start).or_default().add(*size);
    }
    let mut sums: Vec<(&[u8], Sum)> = sums.into_iter().collect();
    sums.sort_by_key(|(_, sum)| Reverse(sum.bytes));
    for (path, sum) in sums.iter().take(shown.top) {
        table.row(vec![
            shown.style.size(Some(sum.bytes)),
            sum.files.to_string(),
            rooted(path),
        ]);
    }
    (table, sums.len().saturating_sub(shown.top))
}

/// The squashes that would drop hidden files, as command lines.
fn plans(report: &WasteReport, shown: &Shown<'_>) -> Table {
    let columns = [
        ("FREES", Content::Whole),
        ("LEAVES", Content::Dispensable),
        ("COMMAND", Content::Whole),
    ];
    let mut table = Table::new(columns.to_vec());
    let mut choice = String::new();
    match &shown.choice.image {
        Some(Selector::Name(name)) => {
            choice = format!(" --image {}", word_or(name, "REF"));
        }
        Some(Selector::Number(number)) => choice = format!(" --image '#{number}'"),
        None => {}
    }
    if let Some(platform) = &shown.choice.platform {
        choice = format!("{choice} --platform {platform}");
    }
    let source = match shown.source {
        "-" => "-".to_owned(),
        source => word_or(source, "SRC"),
    };
    let is_start = |plan: &&WastePlan| matches!(plan.layers, WasteRemedy::From(_));
    let starts = report.plans.iter().filter(is_start).take(PLANS_MAX);
    let others = report.plans.iter().filter(|it| !is_start(it));
    for plan in starts.chain(others.take(PLANS_MAX)) {
        let option = match plan.layers {
            WasteRemedy::AtMost(most) => format!("--max-layers {most}"),
            remedy => format!("--layers {}", range(remedy).unwrap_or_default()),
        };
        table.row(vec![
            shown.style.size(Some(plan.freed())),
            count(plan.squash.layers_after, "layer"),
            format!("restow squash {option}{choice} {source} DST"),
        ]);
    }
    table
}

/// The value of `--layers` that chooses the layers of a remedy.
fn range(remedy: WasteRemedy) -> Option<String> {
    match remedy {
        WasteRemedy::From(layer) => Some(format!("{layer}..")),
        _ => None,
    }
}

/// The part of the bytes of all files that a container sees, from 0 to 1.
pub(super) fn efficiency(report: &WasteReport) -> Number {
    let all = || Number::from(1);
    match report.files_size() {
        0 => all(),
        files => ratio(report.seen_size(), files).unwrap_or_else(all),
    }
}

/// The report for programs, as text. The objects in long lists are made one by one.
pub(super) fn to_json(source: &OsStr, report: &WasteReport) -> String {
    let references = report.references.iter().map(ToString::to_string);
    let files = report.files_size();
    let mut sums: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for file in &report.hidden {
        let add = |sum: &mut u64| *sum = sum.saturating_add(file.size);
        add(&mut sums.entry(file.layer).or_default().0);
        add(&mut sums.entry(file.hidden_by).or_default().1);
    }
    let layer = |(at, layer): (usize, &WasteLayer)| {
        let (hidden, hides) = sums.get(&(at + 1)).copied().unwrap_or_default();
        json!({
            "layer": at + 1,
            "diff_id": layer.diff_id.to_string(),
            "digest": digest_json(layer.digest.as_ref()),
            "created_by": text_json(&layer.created_by),
            "size": layer.stored_size,
            "files_size": layer.files_size,
            "hidden_size": hidden,
            "hides": hides,
        })
    };
    let file = |file: &HiddenFile| {
        let mut object = path_json(&file.path);
        object.append(&mut fields(json!({
            "size": file.size,
            "layer": file.layer,
            "hidden_by": file.hidden_by,
            "reason": file.reason.name(),
        })));
        Value::Object(object)
    };
    let facts = json!({
        "source": source.to_string_lossy(),
        "references": references.collect::<Vec<_>>(),
        "labels": report.labels,
        "id": report.id.to_string(),
        "digest": digest_json(report.digest.as_ref()),
        "platform": report.platform.as_ref().map(ToString::to_string),
        "size": report.stored_size(),
        "files_size": files,
        "seen_size": report.seen_size(),
        "hidden_size": report.hidden_size(),
        "efficiency": efficiency(report),
        "user_files_size": report.user_files_size(),
        "user_hidden_size": report.user_hidden_size(),
        "user_wasted_percent": ratio(report.user_hidden_size(), report.user_files_size()),
    });
    let mut text = json_text(&facts);
    text.pop();
    add_list(
        &mut text,
        "layers",
        report.layers.iter().enumerate().map(layer),
    );
    add_list(&mut text, "hidden", report.hidden.iter().map(file));
    add_list(&mut text, "plans", report.plans.iter().map(plan_json));
    text.push('}');
    text
}

/// Adds a list to an object that is not closed yet.
fn add_list(object: &mut String, name: &str, items: impl Iterator<Item = Value>) {
    let _ = write!(object, ",\"{name}\":[");
    for (at, item) in items.enumerate() {
        if at > 0 {
            object.push(',');
        }
        object.push_str(&json_text(&item));
    }
    object.push(']');
}

fn plan_json(plan: &WastePlan) -> Value {
    let most = match plan.layers {
        WasteRemedy::AtMost(most) => Some(most),
        _ => None,
    };
    let mut object = fields(json!({
        "layers": range(plan.layers),
        "max_layers": most,
        "frees": plan.freed(),
    }));
    let mut squash = squash_report::to_json(&plan.squash);
    squash.shift_remove("image");
    object.append(&mut squash);
    Value::Object(object)
}
