//! The report of `restow diff`, for people and for programs.

use std::ffi::OsString;

use restow::{
    ChangeCount, ComparedImage, DiffKind, DiffReport, EntryType, FieldChange, FileEntry, Format,
    LinkChange, PathChange, TextDiff, TextDifference, XattrChange,
};
use serde_json::{Value, json};

use crate::cli::entry::{entry_json, path_json, rooted};
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::terminal::Terminal;
use crate::cli::text::{count, escaped, escaped_bytes, json_text, short, size};
use crate::cli::view::{digest_json, fact_lines};

/// Prints the summary, and a line for each difference unless `is_short`.
pub(super) fn print_text(
    output: &Output,
    sources: [&OsString; 2],
    report: &DiffReport,
    is_short: bool,
) -> Result<(), Failure> {
    output.stream(|out| {
        // As the lines below it, the summary is not cut to the width of a terminal.
        let terminal = Terminal {
            width: None,
            ..Terminal::of_stdout()
        };
        for line in fact_lines(&summary(sources, report), terminal) {
            writeln!(out, "{line}")?;
        }
        if is_short || report.is_same() {
            return Ok(());
        }
        writeln!(out)?;
        for field in report.fields() {
            let path = escaped(&field.path);
            writeln!(
                out,
                "{} {path}  {}",
                letter(field.kind()),
                field_text(field)
            )?;
        }
        for change in &report.files {
            let path = rooted(change.path());
            let facts = facts(change).join(", ");
            writeln!(out, "{} {path}  {facts}", letter(change.kind))?;
        }
        Ok(())
    })
}

/// A name as git and patch(1) have it in a heading: one that could be taken for something
/// else is in quotes, with escapes.
fn quoted(name: &[u8]) -> Vec<u8> {
    let is_plain = |byte: &u8| !byte.is_ascii_control() && !b"\"\\".contains(byte);
    if name.iter().all(is_plain) {
        return name.to_vec();
    }
    let mut text = b"\"".to_vec();
    for byte in name {
        match byte {
            b'\n' => text.extend(b"\\n"),
            b'\t' => text.extend(b"\\t"),
            b'"' | b'\\' => text.extend([b'\\', *byte]),
            byte if is_plain(byte) => text.push(*byte),
            byte => text.extend(format!("\\{byte:03o}").bytes()),
        }
    }
    text.push(b'"');
    text
}

/// A name whose end patch(1) finds although there is a space in it.
fn with_tab(mut name: Vec<u8>) -> Vec<u8> {
    if name.contains(&b' ') {
        name.push(b'\t');
    }
    name
}

/// A unified diff with its headings, which are those of git.
pub(super) fn unified(text: &TextDiff) -> Vec<u8> {
    let name = |side: &str, path: &Option<Vec<u8>>| match path {
        Some(path) => quoted(&[side.as_bytes(), b"/", path].concat()),
        None => b"/dev/null".to_vec(),
    };
    let (a, b) = (name("a", &text.a), name("b", &text.b));
    match &text.difference {
        TextDifference::Hunks(hunks) => {
            let (a, b) = (with_tab(a), with_tab(b));
            [b"--- ", &a[..], b"\n+++ ", &b, b"\n", hunks].concat()
        }
        TextDifference::None => Vec::new(),
        TextDifference::Presence => {
            let (only, path) = match (&text.a, &text.b) {
                (Some(path), _) => ("A", path.as_slice()),
                (None, path) => ("B", path.as_deref().unwrap_or_default()),
            };
            let path = quoted(&[b"/", path].concat());
            let only = [b"only in ", only.as_bytes(), b": "].concat();
            [&only[..], &path, b", an empty file\n"].concat()
        }
        _ => [b"binary files ", &a[..], b" and ", &b, b" differ\n"].concat(),
    }
}

/// The letter of a kind of difference.
fn letter(kind: DiffKind) -> char {
    match kind {
        DiffKind::Added => 'A',
        DiffKind::Deleted => 'D',
        DiffKind::Metadata => 'm',
        _ => 'M',
    }
}

/// The summary: facts, each with its value.
fn summary(sources: [&OsString; 2], report: &DiffReport) -> Vec<(&'static str, Vec<String>)> {
    let (a, b) = (&report.a, &report.b);
    let mut facts = vec![
        ("A", image(sources[0], a)),
        ("B", image(sources[1], b)),
        ("Layers", {
            let shared = report.shared_layers;
            format!(
                "{shared} shared, of {} in A and {} in B",
                a.layers, b.layers
            )
        }),
    ];
    let differences = |fields: &[FieldChange]| match fields.len() {
        0 => "same".to_owned(),
        number => count(number, "difference"),
    };
    let config = report.config.as_deref().map(differences);
    facts.push(("Config", config.unwrap_or_else(|| no_config(report))));
    let others = [
        ("History", &report.history),
        ("Names", &report.names),
        ("Stored layers", &report.layers),
    ];
    for (name, fields) in others {
        facts.extend(fields.as_deref().map(|fields| (name, differences(fields))));
    }
    facts.push(("Files", files(report)));
    let facts = facts.into_iter();
    facts.map(|(name, value)| (name, vec![value])).collect()
}

/// The reason why the config was not compared.
fn no_config(report: &DiffReport) -> String {
    let is_rootfs = |image: &ComparedImage| image.format == Format::Rootfs;
    let reason = match (is_rootfs(&report.a), is_rootfs(&report.b)) {
        (true, true) => ": A and B have none",
        (true, false) => ": A has none",
        (false, true) => ": B has none",
        (false, false) => "",
    };
    format!("not compared{reason}")
}

/// An image in the summary.
fn image(source: &OsString, image: &ComparedImage) -> String {
    let mut parts = Vec::new();
    if image.format == Format::Rootfs {
        parts.push("a root filesystem".to_owned());
    } else {
        parts.extend(image.references.iter().map(ToString::to_string));
        parts.extend(image.labels.iter().cloned());
        parts.extend(image.platform.as_ref().map(ToString::to_string));
        parts.push(format!("image id {}", short(&image.id)));
    }
    format!("{}: {}", source.to_string_lossy(), parts.join(", "))
}

/// The differences in files in the summary.
fn files(report: &DiffReport) -> String {
    let paths = |count: ChangeCount, what: &str, bytes: String| {
        let bytes = if bytes.is_empty() {
            bytes
        } else {
            format!(" ({bytes})")
        };
        (count.paths > 0).then(|| format!("{} {what}{bytes}", count.paths))
    };
    let ChangeCount {
        bytes_a, bytes_b, ..
    } = report.changed;
    let parts = [
        paths(report.added, "added", size(report.added.bytes_b)),
        paths(report.deleted, "deleted", size(report.deleted.bytes_a)),
        paths(
            report.changed,
            "changed",
            format!("{} to {}", size(bytes_a), size(bytes_b)),
        ),
        paths(report.metadata, "with other metadata", String::new()),
        Some(format!("{} same", report.same)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A difference in a document.
fn field_text(field: &FieldChange) -> String {
    match (&field.a, &field.b) {
        (Some(a), Some(b)) => format!("{} -> {}", json_text(a), json_text(b)),
        (a, b) => a.as_ref().or(b.as_ref()).map(json_text).unwrap_or_default(),
    }
}

/// The facts that differ at a path.
fn facts(change: &PathChange) -> Vec<String> {
    let (a, b) = match (&change.a, &change.b) {
        (Some(a), Some(b)) => (a, b),
        (a, b) => {
            let entry = a.as_ref().or(b.as_ref());
            let link = change.link_to.as_ref();
            let link = link.map(|name| format!("hard link to {}", rooted(name)));
            return link.or(entry.map(thing)).into_iter().collect();
        }
    };
    let mut facts = Vec::new();
    if change.kind == DiffKind::Content {
        facts.push(content(a, b));
    }
    if change.mode {
        facts.push(format!("mode {:04o} -> {:04o}", a.mode, b.mode));
    }
    for (name, a, b) in [("uid", a.uid, b.uid), ("gid", a.gid, b.gid)] {
        if change.owner && a != b {
            facts.push(format!("{name} {a} -> {b}"));
        }
    }
    if let (true, Some(a), Some(b)) = (change.mtime, a.mtime, b.mtime) {
        facts.push(format!("mtime {a} -> {b}"));
    }
    facts.extend(change.xattrs.iter().map(xattr));
    facts.extend(change.links.as_ref().map(links));
    facts
}

/// A thing that only one image has.
fn thing(entry: &FileEntry) -> String {
    match &entry.kind {
        EntryType::File(size) => format!("file, size {size}"),
        EntryType::Symlink(target) => format!("symbolic link to {}", escaped_bytes(target)),
        EntryType::CharDevice(major, minor) | EntryType::BlockDevice(major, minor) => {
            format!("{} {major}:{minor}", type_name(&entry.kind))
        }
        kind => type_name(kind).to_owned(),
    }
}

fn type_name(kind: &EntryType) -> &'static str {
    match kind {
        EntryType::Directory => "directory",
        EntryType::Symlink(_) => "symbolic link",
        EntryType::CharDevice(..) => "character device",
        EntryType::BlockDevice(..) => "block device",
        EntryType::Fifo => "named pipe",
        _ => "file",
    }
}

/// A difference in content.
fn content(a: &FileEntry, b: &FileEntry) -> String {
    match (&a.kind, &b.kind) {
        (EntryType::File(a), EntryType::File(b)) if a == b => "content".to_owned(),
        (EntryType::File(a), EntryType::File(b)) => format!("size {a} -> {b}"),
        (EntryType::Symlink(a), EntryType::Symlink(b)) => {
            format!("target {} -> {}", escaped_bytes(a), escaped_bytes(b))
        }
        (EntryType::CharDevice(a, c), EntryType::CharDevice(b, d))
        | (EntryType::BlockDevice(a, c), EntryType::BlockDevice(b, d)) => {
            format!("device {a}:{c} -> {b}:{d}")
        }
        _ => format!("{} -> {}", thing(a), thing(b)),
    }
}

/// Maximum length of an attribute in a line, in bytes.
const VALUE_MAX: usize = 40;

fn xattr(change: &XattrChange) -> String {
    let value = |value: &Option<Vec<u8>>| {
        let Some(value) = value else {
            return "none".to_owned();
        };
        let shown = &value[..value.len().min(VALUE_MAX)];
        let text = if value.iter().all(u8::is_ascii_graphic) {
            format!("`{}`", String::from_utf8_lossy(shown))
        } else {
            let bytes = shown.iter().map(|byte| format!("{byte:02x}"));
            format!("0x{}", bytes.collect::<String>())
        };
        if value.len() > VALUE_MAX {
            format!("{text}… ({} bytes)", value.len())
        } else {
            text
        }
    };
    let name = escaped_bytes(&change.name);
    format!("xattr {name} {} -> {}", value(&change.a), value(&change.b))
}

/// Maximum number of names and of groups of hard links in a line.
const NAMES_MAX: usize = 4;

fn links(change: &LinkChange) -> String {
    let groups = |groups: &[Vec<Vec<u8>>]| {
        let group = |names: &Vec<Vec<u8>>| listed(names, " = ", |name| rooted(name));
        listed(groups, ", ", group)
    };
    format!("hard links {} -> {}", groups(&change.a), groups(&change.b))
}

/// The first items of a list, and the number of the others.
fn listed<T>(items: &[T], separator: &str, text: impl Fn(&T) -> String) -> String {
    let mut listed: Vec<String> = items.iter().take(NAMES_MAX).map(text).collect();
    if items.len() > NAMES_MAX {
        listed.push(format!("{} more", items.len() - NAMES_MAX));
    }
    listed.join(separator)
}

/// Prints the report for programs. The differences in files are printed one by one, since
/// there may be many.
pub(super) fn print_json(
    output: &Output,
    sources: [&OsString; 2],
    report: &DiffReport,
) -> Result<(), Failure> {
    let count = |count: ChangeCount| json!({"paths": count.paths, "size_a": count.bytes_a, "size_b": count.bytes_b});
    let fields = |fields: &Option<Vec<FieldChange>>| {
        let fields = fields.as_ref().map(|it| it.iter().map(field_json));
        fields.map(Iterator::collect::<Vec<Value>>)
    };
    let head = json!({
        "a": image_json(sources[0], &report.a),
        "b": image_json(sources[1], &report.b),
        "same": report.is_same(),
        "shared_layers": report.shared_layers,
        "config": fields(&report.config),
        "history": fields(&report.history),
        "names": fields(&report.names),
        "layers": fields(&report.layers),
        "added": count(report.added),
        "deleted": count(report.deleted),
        "changed": count(report.changed),
        "metadata": count(report.metadata),
        "unchanged": report.same,
    });
    let head = json_text(&head);
    output.stream(|out| {
        // All but the closing brace.
        write!(out, "{},\"files\":[", &head[..head.len() - 1])?;
        for (at, change) in report.files.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(out, "{comma}{}", json_text(&change_json(change)))?;
        }
        writeln!(out, "]}}")
    })
}

fn image_json(source: &OsString, image: &ComparedImage) -> Value {
    let references = image.references.iter().map(ToString::to_string);
    json!({
        "source": source.to_string_lossy(),
        "format": image.format.transport(),
        "references": references.collect::<Vec<_>>(),
        "labels": image.labels,
        "id": image.id.to_string(),
        "digest": digest_json(image.digest.as_ref()),
        "platform": image.platform.as_ref().map(ToString::to_string),
        "layers": image.layers,
    })
}

/// The name of a kind of difference.
fn kind_name(kind: DiffKind) -> &'static str {
    match kind {
        DiffKind::Added => "added",
        DiffKind::Deleted => "deleted",
        DiffKind::Metadata => "metadata",
        _ => "content",
    }
}

fn field_json(field: &FieldChange) -> Value {
    json!({
        "path": field.path,
        "change": kind_name(field.kind()),
        "a": field.a,
        "b": field.b,
    })
}

fn change_json(change: &PathChange) -> Value {
    let entry = |entry: &Option<FileEntry>| entry.as_ref().map(entry_json);
    let names = |groups: &[Vec<Vec<u8>>]| {
        let group =
            |names: &Vec<Vec<u8>>| -> Vec<_> { names.iter().map(|it| path_json(it)).collect() };
        groups.iter().map(group).collect::<Vec<_>>()
    };
    let differs = [
        ("content", change.kind == DiffKind::Content),
        ("mode", change.mode),
        ("owner", change.owner),
        ("mtime", change.mtime),
        ("xattrs", !change.xattrs.is_empty()),
        ("links", change.links.is_some()),
    ];
    let differs = differs.into_iter().filter(|it| it.1).map(|it| it.0);
    let mut object = path_json(change.path());
    object.insert("change".to_owned(), kind_name(change.kind).into());
    object.insert("differs".to_owned(), differs.collect());
    object.insert("a".to_owned(), json!(entry(&change.a)));
    object.insert("b".to_owned(), json!(entry(&change.b)));
    let link_to = change.link_to.as_ref();
    object.insert(
        "link_to".to_owned(),
        json!(link_to.map(|name| path_json(name))),
    );
    let links = change.links.as_ref();
    let links = links.map(|it| json!({"a": names(&it.a), "b": names(&it.b)}));
    object.insert("links".to_owned(), json!(links));
    Value::Object(object)
}
