//! `restow images`: what inputs hold, in a table or as JSON.

use std::ffi::OsString;

use clap::Args;
use restow::digest::Digest;
use restow::error::Error;
use restow::image::ReferencePattern;
use restow::ops::{self, Found, FoundImage, FoundKind, ImagesOptions, ImagesReport, Listed};
use serde_json::{Value, json};

use crate::cli::Global;
use crate::cli::argument::source_of;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::location::{Location, Place};
use crate::cli::look::{
    Looking, NONE, Shown, Style, add_sizes, digest_json, fields, print_ids, repository_and_tag,
    typed,
};
use crate::cli::options::selector;
use crate::cli::output::{Output, json_text};
use crate::cli::report::report;
use crate::cli::table::{Column, Content, Spacing, Table};

/// List the images that archives and layouts hold, as `docker images` does
///
/// One line for each tag. An index shows its platforms under it. Of an archive that
/// is not compressed only documents and headers are read; layers that are compressed
/// are unpacked, to know the size that Docker would show.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where images are: files, OCI layouts, or - for standard input
    #[arg(value_name = "SRC", required = true)]
    sources: Vec<OsString>,

    /// List only what fits: reference=PATTERN, dangling=true or dangling=false (repeatable)
    #[arg(long = "filter", short, value_name = "FILTER", value_parser = parse_filter)]
    filters: Vec<Filter>,

    /// Show digests of manifests and indexes
    #[arg(long)]
    digests: bool,

    #[command(flatten)]
    shown: Shown,

    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// What is listed.
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
        _ => Err("reference=PATTERN, dangling=true or dangling=false was expected".to_owned()),
    }
}

/// Runs the command.
pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let sources = &arguments.sources;
    let argument = source_of("restow images -");
    let locations = sources.iter().map(|it| Location::parse(it, argument));
    let locations = locations.collect::<Result<Vec<Location>, Failure>>()?;
    let standard = locations.iter().filter(|it| it.place == Place::Standard);
    if standard.count() > 1 {
        return Err(Failure::Usage {
            message: "standard input can be read once, and SRC names it more often".to_owned(),
            hint: None,
        });
    }
    let looking = Looking {
        global,
        output,
        interrupt,
    };
    let mut reports = Vec::new();
    let mut failure = None;
    for (source, location) in sources.iter().zip(&locations) {
        match look(&looking, location, &arguments.filters) {
            Ok(report) => reports.push((typed(source), report)),
            Err(error) if sources.len() == 1 || is_final(&error) => return Err(error),
            Err(error) => {
                // One of several: the others are listed all the same.
                report(output, &error);
                failure = Some(Failure::Reported);
            }
        }
    }
    if !reports.is_empty() {
        let reports = reports
            .iter()
            .map(|(source, report)| (source.as_ref(), report));
        if arguments.json {
            let images = reports.flat_map(|(source, report)| to_json(source, report));
            let images: Value = images.collect();
            output.data(&json_text(&json!({ "images": images })))?;
        } else if global.quiet {
            let style = arguments.shown.style();
            print_ids(&ids(reports, style), output)?;
        } else {
            let style = arguments.shown.style();
            let table = to_table(reports, style, arguments.digests);
            output.data(&table.lines(style.terminal()).join("\n"))?;
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Whether nothing further is to be looked at.
fn is_final(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Library(Error::Interrupted) | Failure::Usage { .. }
    )
}

fn look(
    looking: &Looking<'_>,
    location: &Location,
    filters: &[Filter],
) -> Result<ImagesReport, Failure> {
    let mut options = ImagesOptions {
        image: selector(location, None)?,
        ..ImagesOptions::default()
    };
    for filter in filters {
        match filter {
            Filter::Reference(pattern) => options.references.push(pattern.clone()),
            Filter::Dangling(dangling) => options.dangling = Some(*dangling),
        }
    }
    looking.at(location, None, |source, context| {
        ops::images(source, &options, context)
    })
}

/// The id of each image, once for each of its names, as `docker images --quiet` prints them.
fn ids<'a>(
    reports: impl Iterator<Item = (&'a str, &'a ImagesReport)>,
    style: Style,
) -> Vec<String> {
    let listed = reports.flat_map(|(_, report)| &report.listed);
    let ids = listed.filter_map(|listed| match listed.found.kind {
        FoundKind::Image | FoundKind::Index => id(&listed.found),
        _ => None,
    });
    ids.map(|id| style.digest(id)).collect()
}

/// What stands in the column of ids.
fn id(found: &Found) -> Option<&Digest> {
    let image = found.image.as_ref();
    image.map(|image| &image.id).or(found.digest.as_ref())
}

/// The table of what several inputs hold.
fn to_table<'a>(
    reports: impl Iterator<Item = (&'a str, &'a ImagesReport)>,
    style: Style,
    digests: bool,
) -> Table {
    let mut columns = vec![
        ("REPOSITORY", Content::Text),
        ("TAG", Content::Whole),
        ("DIGEST", Content::Whole),
        ("IMAGE ID", Content::Whole),
        ("CREATED", Content::Whole),
        ("SIZE", Content::Whole),
        ("PLATFORM", Content::Whole),
        ("LAYERS", Content::Whole),
        ("SOURCE", Content::Text),
    ];
    if !digests {
        columns.remove(DIGEST);
    }
    let column = |(heading, content)| Column { heading, content };
    let mut rows = Rows {
        table: Table::new(columns.into_iter().map(column).collect(), Spacing::DOCKER),
        style,
        digests,
    };
    for (source, report) in reports {
        for listed in &report.listed {
            // Behind it the number that `--image` takes.
            let source = match report.count {
                1 => source.to_owned(),
                _ => format!("{source} #{}", listed.number),
            };
            rows.add(listed, source);
        }
    }
    rows.table
}

/// The place of the column that is only there with `--digests`.
const DIGEST: usize = 2;

struct Rows {
    table: Table,
    style: Style,
    digests: bool,
}

impl Rows {
    /// Adds the line of a name, and what is under it.
    fn add(&mut self, listed: &Listed, source: String) {
        let found = &listed.found;
        let (repository, tag) =
            repository_and_tag(listed.reference.as_ref(), listed.label.as_deref());
        let platform = match (found.kind, &found.platform) {
            (FoundKind::Image, Some(platform)) => platform.to_string(),
            (FoundKind::Image, None) => "?".to_owned(),
            (kind, _) => name(kind).to_owned(),
        };
        self.row(repository, tag, found, platform, source);
        self.add_children(found, "");
    }

    /// Adds what an index lists, each behind a branch.
    fn add_children(&mut self, found: &Found, indent: &str) {
        let count = found.children.len();
        for (number, child) in (1..).zip(&found.children) {
            let (branch, below) = if number < count {
                ("├─ ", "│  ")
            } else {
                ("└─ ", "   ")
            };
            let title = format!("{indent}{branch}{}", name(child.kind));
            let platform = platform_of(child, &found.children);
            self.row(title, String::new(), child, platform, String::new());
            self.add_children(child, &format!("{indent}{below}"));
        }
    }

    fn row(&mut self, title: String, tag: String, found: &Found, platform: String, source: String) {
        let style = self.style;
        let digest = found.digest.as_ref();
        let image = found.image.as_ref();
        let id = id(found);
        let or_nothing = |text: Option<String>| text.unwrap_or_default();
        let created = |image: &FoundImage| style.created(image.created.as_deref(), false);
        let size = |image: &FoundImage| style.size(image.size.map(|size| size.content));
        let mut cells = vec![
            title,
            tag,
            digest.map_or(NONE.to_owned(), ToString::to_string),
            or_nothing(id.map(|id| style.digest(id))),
            or_nothing(image.map(created)),
            or_nothing(image.map(size)),
            platform,
            or_nothing(image.map(|image| image.layers.to_string())),
            source,
        ];
        if !self.digests {
            cells.remove(DIGEST);
        }
        self.table.row(cells);
    }
}

/// The platform of something in an index; of an attestation, that of its image.
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
pub(super) fn name(kind: FoundKind) -> &'static str {
    match kind {
        FoundKind::Image => "image",
        FoundKind::Index => "index",
        FoundKind::Attestation => "attestation",
        FoundKind::Artifact => "artifact",
        FoundKind::Absent => "absent",
        _ => "other",
    }
}

/// What an input holds, for programs.
fn to_json(source: &str, report: &ImagesReport) -> Vec<Value> {
    let listed = |listed: &Listed| {
        let reference = listed.reference.as_ref();
        let mut object = fields(json!({
            "source": source,
            "format": report.format.transport(),
            "number": listed.number,
            "reference": reference.map(ToString::to_string),
            "repository": reference.map(restow::image::Reference::familiar_name),
            "tag": reference.and_then(|reference| reference.tag()),
            "label": listed.label,
        }));
        object.append(&mut fields(found_json(&listed.found)));
        Value::Object(object)
    };
    report.listed.iter().map(listed).collect()
}

fn found_json(found: &Found) -> Value {
    let image = found.image.as_ref();
    let mut object = fields(json!({
        "kind": name(found.kind),
        "id": digest_json(image.map(|image| &image.id)),
        "digest": digest_json(found.digest.as_ref()),
        "media_type": found.media_type,
        "platform": found.platform.as_ref().map(ToString::to_string),
        "subject": digest_json(found.subject.as_ref()),
        "created": image.and_then(|image| image.created.as_deref()),
        "layers": image.map(|image| image.layers),
        "size": image.map(|image| image.stored_size),
    }));
    add_sizes(&mut object, image.and_then(|image| image.size));
    let children = found.children.iter().map(found_json);
    object.insert("children".to_owned(), children.collect());
    Value::Object(object)
}
