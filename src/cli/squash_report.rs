//! The report of `squash`, after a run or a dry run.

use restow::{SquashReport, SquashedRange};
use serde_json::{Map, Value, json};

use crate::cli::text::{count, size};
use crate::cli::view::fields;

/// The report for people, in lines.
pub(super) fn to_text(report: &SquashReport, is_dry_run: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for range in &report.ranges {
        lines.extend(range_to_text(range, report.layers_before, is_dry_run));
    }
    if report.ranges.is_empty() {
        lines.push("nothing to merge".to_owned());
    }
    let after = match report.size_after {
        Some(after) => size(after),
        None => "size unknown before compression".to_owned(),
    };
    let verb = if is_dry_run { "would go" } else { "went" };
    lines.push(format!(
        "`{}` {verb} from {} ({}) to {} ({after})",
        report.image,
        count(report.layers_before, "layer"),
        size(report.size_before),
        count(report.layers_after, "layer"),
    ));
    lines
}

/// The lines about one range of an image with this number of layers.
fn range_to_text(range: &SquashedRange, layers: usize, is_dry_run: bool) -> Vec<String> {
    let either = |plan, done| if is_dry_run { plan } else { done };
    let (first, last) = (range.first, range.last);
    let what = if first == last {
        let verb = either("would rewrite", "rewrote");
        format!("{verb} layer {first}")
    } else {
        let verb = either("would merge", "merged");
        format!("{verb} layers {first} to {last}")
    };
    let before = size(range.size_before);
    let after = match range.size_after {
        Some(after) => size(after),
        None => format!("{} before compression", size(range.unpacked_size)),
    };
    let mut lines = vec![format!("{what}: {before} to {after}")];
    if range.hidden > 0 {
        let (verb, hidden) = (either("would drop", "dropped"), size(range.hidden));
        lines.push(format!(
            "  {verb} {hidden} of files that later layers delete or replace"
        ));
    }
    if let Some(from) = range.held_from {
        let (verb, held) = (either("would remain", "remain"), size(range.held_below));
        let end = (last < layers).then(|| last.to_string());
        let end = end.unwrap_or_default();
        lines.push(format!(
            "  {held} of deleted files {verb} in lower layers; `--layers {from}..{end}` would free them"
        ));
    }
    lines
}

/// The report for programs.
pub(super) fn to_json(report: &SquashReport) -> Map<String, Value> {
    let range = |range: &SquashedRange| {
        let (digest, diff_id) = match &range.layer {
            Some((digest, diff_id)) => (Some(digest.to_string()), Some(diff_id.to_string())),
            None => (None, None),
        };
        json!({
            "first": range.first,
            "last": range.last,
            "size_before": range.size_before,
            "size_after": range.size_after,
            "unpacked_size": range.unpacked_size,
            "digest": digest,
            "diff_id": diff_id,
            "hidden": range.hidden,
            "held_below": range.held_below,
            "held_from": range.held_from,
        })
    };
    fields(json!({
        "image": report.image,
        "layers_before": report.layers_before,
        "layers_after": report.layers_after,
        "size_before": report.size_before,
        "size_after": report.size_after,
        "ranges": report.ranges.iter().map(range).collect::<Vec<_>>(),
    }))
}
