//! The report of a command about its output.

use std::ffi::{OsStr, OsString};

use restow::{
    Digest, ExportReport, ExtractReport, Format, Platform, Reference, WriteReport, WrittenImage,
};
use serde_json::{Map, Value, json};

use crate::cli::failure::Failure;
use crate::cli::images;
use crate::cli::output::Output;
use crate::cli::partial;
use crate::cli::text::{count, json_text, short, size};
use crate::cli::view::{digest_json, fields};

/// Reports the output: as JSON if requested, otherwise to a person at a terminal.
pub(super) fn say(
    output: &Output,
    is_json: bool,
    source: &OsStr,
    destination: &OsStr,
    report: &WriteReport,
) -> Result<(), Failure> {
    if is_json {
        let mut object = to_json(source, Some(destination), Some(report));
        partial::add_json(&mut object, report);
        return output.data(&json_text(&Value::Object(object)));
    }
    // Layers that were left out or put back are reported whether a person reads it or not.
    for line in partial::to_text(destination, report) {
        output.say(&line);
    }
    output.tell(&to_text(destination, report));
    Ok(())
}

/// Reports the output of several sources in the same way. The object has `sources` then,
/// and of one source `source`.
pub(super) fn say_all(
    output: &Output,
    is_json: bool,
    sources: &[&OsString],
    destination: &OsStr,
    report: &WriteReport,
) -> Result<(), Failure> {
    let source = sources.first().map_or(OsStr::new(""), |it| it.as_os_str());
    if sources.len() == 1 || !is_json {
        return say(output, is_json, source, destination, report);
    }
    let sources = sources.iter().map(|it| it.to_string_lossy());
    let mut object = fields(json!({ "sources": sources.collect::<Vec<_>>() }));
    let others = to_json(source, Some(destination), Some(report)).into_iter();
    object.extend(others.filter(|(key, _)| key != "source"));
    partial::add_json(&mut object, report);
    output.data(&json_text(&Value::Object(object)))
}

/// Reports an exported root filesystem in the same way.
pub(super) fn say_tree(
    output: &Output,
    is_json: bool,
    source: &OsStr,
    destination: &OsStr,
    report: &ExportReport,
) -> Result<(), Failure> {
    if is_json {
        let object = tree_to_json(source, destination, report);
        return output.data(&json_text(&object));
    }
    let image = (name(&report.references, &report.labels), &report.id);
    let tree = (report.platform.as_ref(), report.entries, report.size);
    tell_tree(output, destination, image, tree);
    Ok(())
}

/// Reports extracted files in the same way.
pub(super) fn say_files(
    output: &Output,
    is_json: bool,
    source: &OsStr,
    destination: &OsStr,
    report: &ExtractReport,
) -> Result<(), Failure> {
    if is_json {
        let object = files_to_json(source, destination, report);
        return output.data(&json_text(&object));
    }
    let image = (name(&report.references, &report.labels), &report.id);
    let tree = (report.platform.as_ref(), report.entries, report.size);
    tell_tree(output, destination, image, tree);
    Ok(())
}

/// Reports the tree of an image to a person: its platform, entries and bytes.
fn tell_tree(
    output: &Output,
    destination: &OsStr,
    (name, id): (String, &Digest),
    (platform, entries, bytes): (Option<&Platform>, u64, u64),
) {
    let mut facts = vec![name];
    facts.extend(platform.map(ToString::to_string));
    facts.push(format!("image id {}", short(id)));
    facts.push(match entries {
        1 => "1 entry".to_owned(),
        entries => format!("{entries} entries"),
    });
    facts.push(size(bytes));
    output.tell(&wrote(destination, &facts));
}

/// The report on one line, for people.
pub(super) fn to_text(destination: &OsStr, report: &WriteReport) -> String {
    let [image] = report.images.as_slice() else {
        return wrote(destination, &[count(report.images.len(), "image")]);
    };
    let mut facts = vec![name(&image.references, &image.labels)];
    facts.extend(image.platform.as_ref().map(ToString::to_string));
    let id = image.id.as_ref();
    facts.extend(id.map(|id| format!("image id {}", short(id))));
    facts.push(format!("digest {}", short(&image.digest)));
    facts.extend(image.layers.map(|layers| count(layers, "layer")));
    facts.extend(image.size.map(size));
    wrote(destination, &facts)
}

fn wrote(destination: &OsStr, facts: &[String]) -> String {
    let destination = match destination.to_string_lossy() {
        standard if standard == "-" => "to standard output".into(),
        destination => destination,
    };
    format!("wrote {destination}: {}", facts.join(", "))
}

/// The first name of an image, and the number of its other names.
fn name(references: &[Reference], labels: &[String]) -> String {
    let references = references.iter().map(ToString::to_string);
    let names: Vec<String> = references.chain(labels.iter().cloned()).collect();
    match names.as_slice() {
        [] => "untagged".to_owned(),
        [name] => name.clone(),
        [name, others @ ..] => format!("{name} and {}", count(others.len(), "other name")),
    }
}

fn tree_to_json(source: &OsStr, destination: &OsStr, report: &ExportReport) -> Value {
    let references = report.references.iter().map(ToString::to_string);
    json!({
        "source": source.to_string_lossy(),
        "destination": destination.to_string_lossy(),
        "format": Format::Rootfs.transport(),
        "references": references.collect::<Vec<_>>(),
        "labels": report.labels,
        "id": report.id.to_string(),
        "digest": digest_json(report.digest.as_ref()),
        "platform": report.platform.as_ref().map(ToString::to_string),
        "layers": report.layers,
        "entries": report.entries,
        "size": report.size,
    })
}

fn files_to_json(source: &OsStr, destination: &OsStr, report: &ExtractReport) -> Value {
    let references = report.references.iter().map(ToString::to_string);
    json!({
        "source": source.to_string_lossy(),
        "destination": destination.to_string_lossy(),
        "references": references.collect::<Vec<_>>(),
        "labels": report.labels,
        "id": report.id.to_string(),
        "digest": digest_json(report.digest.as_ref()),
        "platform": report.platform.as_ref().map(ToString::to_string),
        "layers": report.layers,
        "entries": report.entries,
        "size": report.size,
        "owners_mapped": report.owners_mapped,
        "attributes_skipped": report.attributes_skipped,
        "times_changed": report.times_changed,
        "nodes_skipped": report.nodes_skipped,
    })
}

/// The report for programs, with the same fields for every command that writes images.
pub(super) fn to_json(
    source: &OsStr,
    destination: Option<&OsStr>,
    report: Option<&WriteReport>,
) -> Map<String, Value> {
    let written = report.map_or(&[][..], |report| &report.images);
    fields(json!({
        "source": source.to_string_lossy(),
        "destination": destination.filter(|_| report.is_some()).map(OsStr::to_string_lossy),
        "format": report.map(|report| report.format.transport()),
        "images": written.iter().map(image_json).collect::<Vec<_>>(),
    }))
}

fn image_json(image: &WrittenImage) -> Value {
    let references = image.references.iter().map(ToString::to_string);
    json!({
        "references": references.collect::<Vec<_>>(),
        "labels": image.labels,
        "kind": images::kind_name(image.kind),
        "id": digest_json(image.id.as_ref()),
        "digest": image.digest.to_string(),
        "media_type": image.media_type,
        "platform": image.platform.as_ref().map(ToString::to_string),
        "layers": image.layers,
        "size": image.size,
    })
}
