//! The report of `squash` on what it did, or would do.

use restow::{SquashReport, SquashedRange};
use serde_json::{Map, Value, json};

use crate::cli::text::{count, size};
use crate::cli::view::fields;

/// The report for people, a line each.
pub(super) fn to_text(report: &SquashReport, is_dry_run: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for range in &report.ranges {
        lines.extend(range_to_text(range, is_dry_run));
    }
    if report.ranges.is_empty() {
        lines.push("nothing to merge".to_owned());
    }
    let after = match report.size_after {
        Some(after) => size(after),
        None => "a size that only compressing tells".to_owned(),
    };
    lines.push(format!(
        "`{}`: {} of {} before, {} of {} after",
        report.image,
        count(report.layers_before, "layer"),
        size(report.size_before),
        report.layers_after,
        after,
    ));
    lines
}

fn range_to_text(range: &SquashedRange, is_dry_run: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let verb = if is_dry_run { "would become" } else { "became" };
    let after = match range.size_after {
        Some(after) => size(after),
        None => format!("{} before compression", size(range.unpacked_size)),
    };
    let before = size(range.size_before);
    lines.push(if range.first == range.last {
        format!("layer {} of {before} {verb} one of {after}", range.first)
    } else {
        let (first, last) = (range.first, range.last);
        format!("layers {first} to {last} of {before} {verb} one of {after}")
    });
    if range.hidden > 0 {
        let hidden = size(range.hidden);
        lines.push(if is_dry_run {
            format!("  {hidden} of files are hidden inside the range, and would be gone")
        } else {
            format!("  {hidden} of files were hidden inside the range, and are gone")
        });
    }
    if let Some(from) = range.held_from {
        let held = size(range.held_below);
        let verb = if is_dry_run { "would stay" } else { "stay" };
        lines.push(format!(
            "  {held} of hidden files {verb}, because layers below hold them; merging from layer {from} on would free them"
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
