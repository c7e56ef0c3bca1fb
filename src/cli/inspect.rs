//! `restow inspect`: the facts of one image, for people or for programs.

use clap::{Args, ValueEnum};
use restow::{Compression, HistoryEntry, InspectOptions, InspectedLayer, Inspection, RawDocument};
use serde_json::{Value, json};

use crate::cli::failure::Failure;
use crate::cli::field::FieldPath;
use crate::cli::history::entry_json;
use crate::cli::options::source_date_epoch;
use crate::cli::process::Process;
use crate::cli::source::{Choice, SourceArgument};
use crate::cli::table::{Content, Table};
use crate::cli::terminal::Terminal;
use crate::cli::text::{json_text, size};
use crate::cli::view::{NONE, Sizes, Style, digest_json, fact_lines, id_facts, text_json};

/// Show the ids, config and layers of an image
///
/// Layers are counted from 1, the lowest, as in `squash --layers`. The image id is the
/// digest of the config: the id in podman and in Docker's classic stores. The containerd id
/// is the digest of the topmost manifest or index: the id in Docker's containerd store, the
/// default since Docker 29. Reads the same parts as `images`; the unpacked size of a
/// compressed layer is `?` unless `--size` unpacks it. Layers are not verified; use `verify`
/// for that.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    sizes: Sizes,

    /// Do not truncate output
    #[arg(long, help_heading = "Output")]
    no_trunc: bool,

    /// Print a JSON object; `restow help json` lists the fields
    #[arg(long, conflicts_with_all = ["raw", "format"], help_heading = "Output")]
    json: bool,

    /// Print a document verbatim
    #[arg(
        long,
        value_enum,
        value_name = "DOCUMENT",
        conflicts_with = "format",
        help_heading = "Output"
    )]
    raw: Option<Raw>,

    /// Print one field of the JSON object, such as .config.Env
    ///
    /// Strings are printed without quotes, other values as JSON.
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    format: Option<FieldPath>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Raw {
    /// The manifest of the image
    Manifest,
    /// The config of the image
    Config,
    /// The index that lists its platforms, else index.json
    Index,
}

impl From<Raw> for RawDocument {
    fn from(raw: Raw) -> Self {
        match raw {
            Raw::Manifest => Self::Manifest,
            Raw::Config => Self::Config,
            Raw::Index => Self::Index,
        }
    }
}

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let location = arguments.source.location("restow inspect -")?;
    // Only these come from the layers.
    let of_layers = |field: &str| ["layers", "unpacked_size", "content_size"].contains(&field);
    let first = arguments.format.as_ref().map(FieldPath::first);
    let mut options = InspectOptions::default();
    options.image = arguments.choice.selector(&location)?;
    options.platform.clone_from(&arguments.choice.platform);
    let is_printed = first.is_none_or(|first| first.is_none_or(of_layers));
    options.sizes = arguments.sizes.choice(is_printed);
    let session = process.session(source_date_epoch()?);
    let input = process.open(&location)?;
    let output = &process.output;
    if let Some(raw) = arguments.raw {
        return output.raw(&session.raw_document(input, raw.into(), &options)?);
    }
    let inspection = session.inspect(input, &options)?;
    let source = arguments.source.typed().to_string_lossy();
    if let Some(path) = &arguments.format {
        let object = to_json(&source, &inspection);
        return match path.find(&object)? {
            Value::String(text) => output.raw(format!("{text}\n").as_bytes()),
            value => output.data(&json_text(value)),
        };
    }
    if arguments.json {
        return output.data(&json_text(&to_json(&source, &inspection)));
    }
    let terminal = Terminal::of_stdout();
    output.lines(&to_text(&inspection, arguments.no_trunc, terminal))
}

/// The image for people, in lines.
fn to_text(inspection: &Inspection, is_whole: bool, mut terminal: Terminal) -> Vec<String> {
    terminal.width = terminal.width.filter(|_| !is_whole);
    let mut lines = fact_lines(&facts(inspection), terminal);
    lines.push(String::new());
    lines.extend(layers(inspection, is_whole, terminal).lines(terminal));
    lines
}

/// The facts of the image as a whole: names, each with its values. Facts without values are
/// left out.
fn facts(inspection: &Inspection) -> Vec<(&'static str, Vec<String>)> {
    let run = &inspection.run;
    let words = |words: &[String]| -> Vec<String> {
        let is_any = !words.is_empty();
        Vec::from_iter(is_any.then(|| json!(words).to_string()))
    };
    let text = |text: &String| Vec::from_iter((!text.is_empty()).then(|| text.clone()));
    let references = inspection.references.iter().map(ToString::to_string);
    let mut names: Vec<String> = references.chain(inspection.labels.clone()).collect();
    if names.is_empty() {
        names.push(NONE.to_owned());
    }
    let or_none = |value: Option<String>| vec![value.unwrap_or_else(|| NONE.to_owned())];
    let platform = inspection.platform.as_ref().map(ToString::to_string);
    let labels = run.labels.iter();
    let labels = labels.map(|(key, value)| format!("{key}={value}"));
    let ids = id_facts(
        &inspection.id,
        inspection.digest.as_ref(),
        inspection.index.as_ref(),
        inspection.containerd_id.as_ref(),
    );
    let facts = [
        ("Platform", or_none(platform)),
        ("Created", or_none(inspection.created.clone())),
        ("Author", Vec::from_iter(inspection.author.clone())),
        ("Format", vec![inspection.format.transport().to_owned()]),
        ("Size", vec![sizes(inspection)]),
        ("Entrypoint", words(&run.entrypoint)),
        ("Cmd", words(&run.command)),
        ("User", text(&run.user)),
        ("Workdir", text(&run.working_directory)),
        ("Env", run.environment.clone()),
        ("Ports", run.ports.clone()),
        ("Volumes", run.volumes.clone()),
        ("Labels", labels.collect()),
        ("Healthcheck", words(&run.healthcheck)),
        ("Stop signal", text(&run.stop_signal)),
    ];
    std::iter::once(("Reference", names))
        .chain(ids)
        .chain(facts)
        .filter(|(_, values)| !values.is_empty())
        .collect()
}

/// The sizes of the image in words, as far as they are known.
fn sizes(inspection: &Inspection) -> String {
    let unpacked = inspection.size();
    let content = unpacked.and_then(|it| it.content);
    let sizes = [
        (content, "of files"),
        (unpacked.map(|it| it.unpacked), "unpacked"),
        (Some(inspection.stored_size()), "stored"),
    ];
    let known = sizes.into_iter().filter_map(|(bytes, what)| {
        let bytes = size(bytes?);
        Some(format!("{bytes} {what}"))
    });
    known.collect::<Vec<_>>().join(", ")
}

/// The length of a bar, in characters.
const BAR: usize = 5;

fn layers(inspection: &Inspection, is_whole: bool, terminal: Terminal) -> Table {
    let style = Style {
        is_whole,
        is_human: true,
        now: 0,
        drawing: terminal.drawing,
    };
    let mut columns = vec![
        ("LAYER", Content::Whole),
        ("DIFF ID", Content::Dispensable),
        ("DIGEST", Content::Whole),
        ("TYPE", Content::Dispensable),
        ("STORED", Content::Whole),
        ("UNPACKED", Content::Dispensable),
    ];
    if terminal.is_real {
        columns.push(("", Content::Bar));
    }
    columns.push(("CREATED BY", Content::Text));
    let mut table = Table::new(columns);
    // Sizes of one kind only can be compared.
    let is_known = inspection.size().is_some();
    let weight = |layer: &InspectedLayer| match layer.size {
        Some(size) if is_known => size.unpacked,
        _ => layer.stored_size.unwrap_or(0),
    };
    let largest = inspection.layers.iter().map(weight).max().unwrap_or(0);
    for (at, layer) in inspection.layers.iter().enumerate() {
        let step = step_of(inspection, at + 1);
        let digest = layer.digest.as_ref();
        let mut cells = vec![
            (at + 1).to_string(),
            style.digest(&layer.diff_id.0),
            digest.map_or(NONE.to_owned(), |digest| style.digest(digest)),
            layer_type(layer, is_whole),
            style.size(layer.stored_size),
            style.size(layer.size.map(|size| size.unpacked)),
        ];
        if terminal.is_real {
            cells.push(terminal.drawing.bar(weight(layer), largest, BAR));
        }
        let created_by = step.map(|step| style.created_by(&step.created_by));
        cells.push(created_by.unwrap_or_default());
        table.row(cells);
    }
    table
}

/// The media type of a layer, in full or only the essential part.
fn layer_type(layer: &InspectedLayer, is_whole: bool) -> String {
    let compression = match layer.compression {
        Compression::None => "tar".to_owned(),
        compression => format!("tar+{compression}"),
    };
    match &layer.media_type {
        Some(media_type) if is_whole => media_type.clone(),
        _ if layer.is_present => compression,
        _ if layer.is_left_out => format!("{compression}, left out"),
        _ => format!("{compression}, absent"),
    }
}

/// The step of the history that created a layer.
fn step_of(inspection: &Inspection, layer: usize) -> Option<&HistoryEntry> {
    let mut history = inspection.history.iter();
    history.find(|entry| entry.layer == Some(layer))
}

/// The image for programs.
fn to_json(source: &str, inspection: &Inspection) -> Value {
    let layer = |(at, layer): (usize, &InspectedLayer)| {
        let step = step_of(inspection, at + 1);
        json!({
            "layer": at + 1,
            "diff_id": layer.diff_id.to_string(),
            "digest": digest_json(layer.digest.as_ref()),
            "media_type": layer.media_type,
            "compression": layer.compression.to_string(),
            "present": layer.is_present,
            "left_out": layer.is_left_out,
            "size": layer.stored_size,
            "unpacked_size": layer.size.map(|it| it.unpacked),
            "content_size": layer.size.and_then(|it| it.content),
            "created": step.and_then(|it| it.created.as_ref()),
            "created_by": step.and_then(|it| text_json(&it.created_by)),
        })
    };
    let references = inspection.references.iter().map(ToString::to_string);
    let size = inspection.size();
    let layers = inspection.layers.iter().enumerate().map(layer);
    let history = inspection.history.iter();
    let history = history.map(|it| Value::Object(entry_json(it)));
    json!({
        "source": source,
        "format": inspection.format.transport(),
        "references": references.collect::<Vec<_>>(),
        "labels": inspection.labels,
        "id": inspection.id.to_string(),
        "digest": digest_json(inspection.digest.as_ref()),
        "media_type": inspection.media_type,
        "index": digest_json(inspection.index.as_ref()),
        "containerd_id": digest_json(inspection.containerd_id.as_ref()),
        "platform": inspection.platform.as_ref().map(ToString::to_string),
        "created": inspection.created,
        "author": inspection.author,
        "size": inspection.stored_size(),
        "unpacked_size": size.map(|it| it.unpacked),
        "content_size": size.and_then(|it| it.content),
        "config": inspection.config,
        "layers": layers.collect::<Value>(),
        "history": history.collect::<Value>(),
    })
}
