//! `restow images`: the images in inputs, in a table or as JSON.

use std::ffi::OsString;

use clap::Args;
use restow::{
    Digest, Error, Format, Found, FoundImage, FoundKind, ImagesOptions, ImagesReport, Listed,
    Reference, ReferencePattern, SizeChoice,
};
use serde_json::{Value, json};

use crate::cli::argument::source_of;
use crate::cli::failure::Failure;
use crate::cli::location::Location;
use crate::cli::options::source_date_epoch;
use crate::cli::process::Process;
use crate::cli::report::report;
use crate::cli::source::selector;
use crate::cli::table::{Content, Table};
use crate::cli::text::json_text;
use crate::cli::view::{NONE, Sizes, Style, TableStyle, digest_json, fields, size_columns};

/// List the images in archives and layouts, as `docker images` does
///
/// Prints a line for each tag, and below an index a line for each of its platforms. Any
/// name, id or digest in the table selects its line with `--image` in the other commands,
/// and so does #N.
///
/// IMAGE ID is the digest of the config: the id in podman and in Docker's classic stores.
/// DIGEST is the digest of the manifest or the index: the id in Docker's containerd store,
/// the default since Docker 29. SIZE is the size of the files in the layers, as in Docker's
/// classic stores; STORED is the size of the layers as stored.
///
/// Reads only documents, and headers of uncompressed layers. For compressed layers, and in a
/// compressed archive, SIZE is `?` unless `--size` unpacks them. A pipe and a compressed
/// archive are read to their end, where the documents may be, and a root filesystem, since
/// its id is computed from all of it.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Sources: archives, OCI layouts, or - for stdin
    #[arg(value_name = "SRC", required = true)]
    sources: Vec<OsString>,

    /// Show only matching images: reference=PATTERN or dangling=BOOL (repeatable)
    #[arg(long = "filter", short, value_name = "FILTER", value_parser = parse_filter)]
    filters: Vec<Filter>,

    /// Show full digests of manifests and indexes
    #[arg(long, help_heading = "Output")]
    digests: bool,

    #[command(flatten)]
    sizes: Sizes,

    #[command(flatten)]
    shown: TableStyle,

    /// Print a JSON object; `restow help json` lists the fields
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// Number of inputs that are open at once: enough to keep all cores busy, and far fewer than a
/// process may open.
const OPEN_MOST: usize = 64;

/// The value of `--filter`.
#[derive(Clone, Debug)]
enum Filter {
    Reference(ReferencePattern),
    Dangling(bool),
}

fn parse_filter(text: &str) -> Result<Filter, String> {
    match text.split_once('=') {
        Some(("reference", pattern)) => {
            let pattern = pattern.parse::<ReferencePattern>();
            pattern
                .map(Filter::Reference)
                .map_err(|error| error.to_string())
        }
        Some(("dangling", "true" | "1")) => Ok(Filter::Dangling(true)),
        Some(("dangling", "false" | "0")) => Ok(Filter::Dangling(false)),
        _ => Err("expected reference=PATTERN, dangling=true or dangling=false".to_owned()),
    }
}

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let output = &process.output;
    let sources = &arguments.sources;
    let locations = Location::parse_all(sources, source_of("restow images -"))?;
    let mut reports = Vec::new();
    let mut failure = None;
    let inputs: Vec<(&OsString, &Location)> = sources.iter().zip(&locations).collect();
    for inputs in inputs.chunks(OPEN_MOST) {
        let results = look(process, inputs, arguments)?;
        for ((source, _), result) in inputs.iter().zip(results) {
            match result {
                Ok(report) => reports.push((source.to_string_lossy(), report)),
                Err(error) if sources.len() == 1 || is_final(&error) => return Err(error),
                Err(error) => {
                    // The other inputs are listed nevertheless.
                    report(output, &error);
                    failure = Some(Failure::Reported);
                }
            }
        }
    }
    if !reports.is_empty() {
        let style = arguments.shown.style();
        let reports = reports.iter().map(|it| (it.0.as_ref(), &it.1));
        let reports: Vec<(&str, &ImagesReport)> = reports.collect();
        if arguments.json {
            let images = reports.iter().flat_map(|it| to_json(it.0, it.1));
            let images: Value = images.collect();
            output.data(&json_text(&json!({ "images": images })))?;
        } else if process.global.quiet {
            output.lines(&ids(&reports, style))?;
        } else {
            let table = to_table(&reports, style, arguments.digests);
            output.lines(&table.lines(style.terminal()))?;
        }
    }
    failure.map_or(Ok(()), Err)
}

/// True if no further input is read after this failure.
fn is_final(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Library(Error::Interrupted) | Failure::Usage { .. }
    )
}

/// Lists the images of several inputs, in their order.
fn look(
    process: &Process,
    inputs: &[(&OsString, &Location)],
    arguments: &Arguments,
) -> Result<Vec<Result<ImagesReport, Failure>>, Failure> {
    let session = process.session(source_date_epoch()?);
    let is_quiet = process.global.quiet && !arguments.json;
    let sizes = arguments.sizes.choice(!is_quiet);
    let mut opened = Vec::new();
    let open = |(_, location): &(&OsString, &Location)| {
        let options = options(location, &arguments.filters, sizes)?;
        opened.push((process.open(location)?, options));
        Ok(())
    };
    let results: Vec<Result<(), Failure>> = inputs.iter().map(open).collect();
    let mut reports = session.images_of_all(opened).into_iter();
    let report = |opened: Result<(), Failure>| {
        opened?;
        let report = reports.next().unwrap_or(Err(Error::Interrupted));
        Ok(report?)
    };
    Ok(results.into_iter().map(report).collect())
}

fn options(
    location: &Location,
    filters: &[Filter],
    sizes: SizeChoice,
) -> Result<ImagesOptions, Failure> {
    let mut options = ImagesOptions::default();
    options.image = selector(location)?;
    options.sizes = sizes;
    for filter in filters {
        match filter {
            Filter::Reference(pattern) => options.references.push(pattern.clone()),
            Filter::Dangling(dangling) => options.dangling = Some(*dangling),
        }
    }
    Ok(options)
}

/// The id of each image, once for each of its names, as `docker images --quiet` prints them.
fn ids(reports: &[(&str, &ImagesReport)], style: Style) -> Vec<String> {
    let listed = reports.iter().flat_map(|(_, report)| &report.listed);
    let ids = listed.filter_map(|listed| match listed.found.kind {
        FoundKind::Image | FoundKind::Index => id(&listed.found),
        _ => None,
    });
    ids.map(|id| style.digest(id)).collect()
}

/// The id that docker prints: the digest of the config of an image, or of the index itself.
fn id(found: &Found) -> Option<&Digest> {
    let image = found.image.as_ref();
    image.map(|image| &image.id).or(found.digest.as_ref())
}

/// The table of the images in several inputs.
fn to_table(reports: &[(&str, &ImagesReport)], style: Style, digests: bool) -> Table {
    let layout = Layout {
        numbers: reports.iter().any(|(_, report)| report.count > 1),
        sources: reports.len() > 1,
    };
    let listed = reports.iter().flat_map(|(_, report)| &report.listed);
    let [size, stored] = size_columns(listed.map(|it| &it.found).all(has_size));
    let columns = layout.of(
        ("#", Content::Whole),
        vec![
            ("IMAGE", Content::Name),
            ("IMAGE ID", Content::Whole),
            (
                "DIGEST",
                if digests {
                    Content::Whole
                } else {
                    Content::Dispensable
                },
            ),
            ("CREATED", Content::Spare),
            size,
            stored,
            ("PLATFORM", Content::Dispensable),
            ("LAYERS", Content::Spare),
        ],
        ("SOURCE", Content::Text),
    );
    let mut rows = Rows {
        table: Table::new(columns),
        layout,
        style,
        digests,
    };
    for (source, report) in reports {
        for listed in &report.listed {
            rows.add(listed, report.format, source);
        }
    }
    rows.table
}

/// The size of the files of an image, if known.
fn content_size(image: &FoundImage) -> Option<u64> {
    image.size.and_then(|size| size.content)
}

/// True if the size of the files of each image in it is known.
fn has_size(found: &Found) -> bool {
    let image = found.image.as_ref();
    image.is_none_or(|image| content_size(image).is_some()) && found.children.iter().all(has_size)
}

/// The optional columns.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// True if any input holds several images, so that they have numbers.
    numbers: bool,
    /// True for several inputs.
    sources: bool,
}

impl Layout {
    /// Adds the optional cells to a row.
    fn of<T>(self, number: T, mut cells: Vec<T>, source: T) -> Vec<T> {
        if self.numbers {
            cells.insert(0, number);
        }
        if self.sources {
            cells.push(source);
        }
        cells
    }
}

struct Rows {
    table: Table,
    layout: Layout,
    style: Style,
    digests: bool,
}

impl Rows {
    /// Adds the line of a name, and the lines below it.
    fn add(&mut self, listed: &Listed, format: Format, source: &str) {
        let found = &listed.found;
        let reference = listed.reference.as_ref().map(ToString::to_string);
        let name = reference.or_else(|| listed.label.clone());
        let platform = match (found.kind, &found.platform) {
            (FoundKind::Image, Some(platform)) => platform.to_string(),
            (FoundKind::Image, None) => "?".to_owned(),
            (kind, _) => kind_name(kind).to_owned(),
        };
        let unnamed = match format {
            // Any tar may be one, and nothing else in the line says that it is not an image.
            Format::Rootfs => "<rootfs>",
            _ => NONE,
        };
        let name = name.unwrap_or_else(|| unnamed.to_owned());
        let number = listed.number.to_string();
        self.row(&number, name, found, platform, source);
        self.add_children(found, "");
    }

    /// Adds the entries of an index, each after a branch.
    fn add_children(&mut self, found: &Found, indent: &str) {
        let count = found.children.len();
        let drawing = self.style.drawing;
        for (number, child) in (1..).zip(&found.children) {
            let (branch, below) = if number < count {
                (drawing.branch, drawing.stem)
            } else {
                (drawing.last_branch, "   ")
            };
            let title = format!("{indent}{branch}{}", kind_name(child.kind));
            let platform = platform_of(child, &found.children);
            self.row("", title, child, platform, "");
            self.add_children(child, &format!("{indent}{below}"));
        }
    }

    fn row(&mut self, number: &str, title: String, found: &Found, platform: String, source: &str) {
        let style = self.style;
        let image = found.image.as_ref();
        let or_nothing = |text: Option<String>| text.unwrap_or_default();
        let created = |image: &FoundImage| style.created(image.created.as_deref(), false);
        let size = |image: &FoundImage| style.size(content_size(image));
        let stored = |image: &FoundImage| style.size(Some(image.stored_size));
        // For an image without a manifest, the digest of the future manifest may be known.
        let digest = found.digest.as_ref().or(found.containerd_id.as_ref());
        let digest = digest.map(|digest| {
            if self.digests {
                digest.to_string()
            } else {
                style.digest(digest)
            }
        });
        let cells = vec![
            title,
            or_nothing(image.map(|image| style.digest(&image.id))),
            digest.unwrap_or_else(|| NONE.to_owned()),
            or_nothing(image.map(created)),
            or_nothing(image.map(size)),
            or_nothing(image.map(stored)),
            platform,
            or_nothing(image.map(layers)),
        ];
        let cells = self.layout.of(number.to_owned(), cells, source.to_owned());
        self.table.row(cells);
    }
}

/// The number of layers, and of those that a partial archive lacks on purpose.
fn layers(image: &FoundImage) -> String {
    match image.left_out {
        0 => image.layers.to_string(),
        left_out => format!("{}, {left_out} left out", image.layers),
    }
}

/// The platform of an entry of an index; for an attestation, the platform of its image.
fn platform_of(found: &Found, siblings: &[Found]) -> String {
    let subject = found.subject.as_ref().and_then(|subject| {
        let mut siblings = siblings.iter();
        siblings.find(|sibling| sibling.digest.as_ref() == Some(subject))
    });
    let platform = subject.unwrap_or(found).platform.as_ref();
    let platform = platform.filter(|platform| !platform.is_unknown());
    platform.map(ToString::to_string).unwrap_or_default()
}

/// The name of a kind, for programs and for people.
pub(super) fn kind_name(kind: FoundKind) -> &'static str {
    match kind {
        FoundKind::Image => "image",
        FoundKind::Index => "index",
        FoundKind::Attestation => "attestation",
        FoundKind::Artifact => "artifact",
        FoundKind::Absent => "absent",
        _ => "other",
    }
}

/// The images in an input, for programs.
fn to_json(source: &str, report: &ImagesReport) -> Vec<Value> {
    let listed = |listed: &Listed| {
        let reference = listed.reference.as_ref();
        let mut object = fields(json!({
            "source": source,
            "format": report.format.transport(),
            "number": listed.number,
            "reference": reference.map(ToString::to_string),
            "repository": reference.map(Reference::familiar_name),
            "tag": reference.and_then(|reference| reference.tag()),
            "label": listed.label,
        }));
        object.append(&mut fields(found_json(&listed.found)));
        Value::Object(object)
    };
    report.listed.iter().map(listed).collect()
}

fn diff_ids(image: &FoundImage) -> Vec<String> {
    image.diff_ids.iter().map(ToString::to_string).collect()
}

fn found_json(found: &Found) -> Value {
    let image = found.image.as_ref();
    json!({
        "kind": kind_name(found.kind),
        "id": digest_json(image.map(|image| &image.id)),
        "digest": digest_json(found.digest.as_ref()),
        "containerd_id": digest_json(found.containerd_id.as_ref()),
        "media_type": found.media_type,
        "platform": found.platform.as_ref().map(ToString::to_string),
        "subject": digest_json(found.subject.as_ref()),
        "created": image.and_then(|image| image.created.as_deref()),
        "layers": image.map(|image| image.layers),
        "diff_ids": image.map(diff_ids),
        "left_out": image.map(|image| image.left_out),
        "size": image.map(|image| image.stored_size),
        "unpacked_size": image.and_then(|image| image.size).map(|size| size.unpacked),
        "content_size": image.and_then(content_size),
        "blobs_size": found.blobs_size,
        "children": found.children.iter().map(found_json).collect::<Value>(),
    })
}
