//! `--without` and `--with` of `convert`, and the report on them.

use std::ffi::{OsStr, OsString};

use clap::Args;
use restow::{
    Completed, Input, Inventory, LeftOut, LeftOutImage, Selector, Session, WriteReport,
    WrittenImage,
};
use serde_json::{Map, Value, json};

use crate::cli::argument::{Argument, Role};
use crate::cli::failure::Failure;
use crate::cli::hint::advise_ref;
use crate::cli::location::{Location, Place};
use crate::cli::text::{count, size};
use crate::cli::view::{digest_json, fields};

/// The options for archives without layers that the other side has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Partial archives")]
pub(super) struct PartialOptions {
    /// Leave out the layers of BASE, which the other side has (repeatable)
    ///
    /// BASE is an archive or a layout, or what `docker image inspect`, `podman image inspect`,
    /// `nerdctl image inspect` or `restow images --json` prints. The lowest layers of each image
    /// are left out, as far as BASE has them all. The archive loads only where these layers are.
    /// It has no names unless `--tag` gives one; the report shows how to add them after loading.
    #[arg(long, value_name = "BASE", conflicts_with = "with")]
    without: Vec<OsString>,

    /// Put back layers that were left out of SRC, from BASE (repeatable)
    ///
    /// BASE is an archive or a layout. The images have their names again.
    #[arg(long, value_name = "BASE")]
    with: Vec<OsString>,
}

/// An opened BASE, and the image in it.
pub(super) type Base = (Input, Option<Selector>);

impl PartialOptions {
    /// True if layers are to be put back.
    pub(super) fn completes(&self) -> bool {
        !self.with.is_empty()
    }

    /// Parses each BASE. Only one input can be the standard one.
    pub(super) fn bases(&self, sources: &[Location]) -> Result<Vec<Location>, Failure> {
        let (option, bases) = if self.completes() {
            ("--with", &self.with)
        } else {
            ("--without", &self.without)
        };
        let argument = Argument {
            name: "BASE",
            role: Role::Option(option),
        };
        if self.completes() && sources.len() > 1 {
            return Err(Failure::Usage {
                message: "`--with` completes one SRC at a time".to_owned(),
                hint: Some("complete each, and convert the results into one DST"),
            });
        }
        let bases = bases.iter().map(|base| Location::parse(base, argument));
        let bases = bases.collect::<Result<Vec<Location>, Failure>>()?;
        let all = sources.iter().chain(&bases);
        let standard = all.filter(|it| it.place == Place::Standard);
        if standard.count() > 1 {
            let message = match bases
                .iter()
                .filter(|it| it.place == Place::Standard)
                .count()
            {
                0 | 1 => "SRC and BASE cannot both be standard input",
                _ => "standard input can be read only once",
            };
            return Err(Failure::usage(message));
        }
        Ok(bases)
    }

    /// Reads the layers to leave out, if there is a BASE for them.
    pub(super) fn inventory(
        &self,
        bases: Vec<Base>,
        session: &Session<'_>,
    ) -> Result<Option<Inventory>, Failure> {
        if self.without.is_empty() {
            return Ok(None);
        }
        let mut inventory = Inventory::default();
        for (base, image) in bases {
            let read = session.inventory(base, image.as_ref());
            inventory.extend(read.map_err(advise_ref)?);
        }
        Ok(Some(inventory))
    }
}

/// The report for people, in lines.
pub(super) fn to_text(destination: &OsStr, report: &WriteReport) -> Vec<String> {
    let completed = report.completed.as_ref().map(completed_to_text);
    let left_out = report.left_out.as_ref();
    let left_out = left_out.map(|it| left_out_to_text(destination, it, report));
    completed
        .into_iter()
        .chain(left_out.into_iter().flatten())
        .collect()
}

fn completed_to_text(completed: &Completed) -> String {
    match completed.layers {
        0 => "no layer was missing".to_owned(),
        layers => format!(
            "put back {}, {}",
            count(layers, "layer"),
            size(completed.size)
        ),
    }
}

fn left_out_to_text(destination: &OsStr, it: &LeftOut, report: &WriteReport) -> Vec<String> {
    if it.layers == 0 {
        return vec![
            "left out nothing: BASE does not have the lowest layer of any image".to_owned(),
        ];
    }
    let all = count(it.layers_before, "layer");
    let what = match it.layers {
        1 if it.layers_before == 1 => format!("the only layer, {}", size(it.size)),
        layers if layers == it.layers_before => format!("all {all}, {}", size(it.size)),
        layers => format!(
            "{layers} of {all}, {} of {}",
            size(it.size),
            size(it.size_before)
        ),
    };
    let mut lines = vec![format!("left out {what}")];
    if it.recompressed > 0 {
        let verb = if it.recompressed == 1 { "is" } else { "are" };
        lines.push(format!(
            "  {} of them {verb} compressed otherwise there: the digest of the manifest changes, \
             the image id does not",
            it.recompressed
        ));
    }
    lines.push("  Docker with a graph driver loads it if it has these layers".to_owned());
    lines.push(
        "  Docker with the containerd store, containerd and podman load it if they have these \
         layers with the same digests"
            .to_owned(),
    );
    let part = match destination.to_string_lossy() {
        standard if standard == "-" => "PART".into(),
        destination => destination,
    };
    lines.push(format!(
        "  `restow convert --with BASE {part} whole.tar` makes it whole for any other"
    ));
    let is_named = |image: &WrittenImage| !image.references.is_empty();
    if report.images.iter().any(is_named) {
        lines.push(
            "  it has names: Docker with the containerd store moves them to a broken image where \
             the layers are absent"
                .to_owned(),
        );
    }
    lines.extend(it.images.iter().flat_map(|it| tags(it, report)));
    lines
}

/// The commands that give an image its names after it was loaded.
fn tags(image: &LeftOutImage, report: &WriteReport) -> Vec<String> {
    let is_named = report
        .images
        .iter()
        .any(|it| it.digest == image.digest && !it.references.is_empty());
    if is_named {
        return Vec::new();
    }
    let tag = |reference| {
        let id = image.id.as_ref().unwrap_or(&image.digest);
        format!(
            "  after loading: `docker tag {id} {reference}`, or with the containerd store \
             `docker tag {} {reference}`",
            image.digest
        )
    };
    image.references.iter().map(tag).collect()
}

/// Adds the report for programs, if one of the options was given.
pub(super) fn add_json(object: &mut Map<String, Value>, report: &WriteReport) {
    if let Some(it) = &report.left_out {
        let images = it.images.iter().map(|image| {
            let references = image.references.iter().map(ToString::to_string);
            json!({
                "references": references.collect::<Vec<_>>(),
                "id": digest_json(image.id.as_ref()),
                "digest": image.digest.to_string(),
            })
        });
        object.append(&mut fields(json!({ "left_out": {
            "layers": it.layers,
            "size": it.size,
            "layers_before": it.layers_before,
            "size_before": it.size_before,
            "recompressed": it.recompressed,
            "assumed": it.is_assumed,
            "images": images.collect::<Vec<_>>(),
        }})));
    }
    if let Some(it) = &report.completed {
        object.append(&mut fields(json!({ "put_back": {
            "layers": it.layers,
            "size": it.size,
            "recompressed": it.recompressed,
        }})));
    }
}
