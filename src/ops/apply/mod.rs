//! `apply`: a new image from an old one and a delta.
//!
//! Pass 1 over the tar-diffs verifies them, and lists the files of the old image that they
//! need. Those are then accessible in any order, and the new image is an archive whose
//! blobs are made while they are read: `convert` verifies and writes it like any other.

mod parts;
mod rebuilt;
mod verified;

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use crate::error::{Error, Place, Result};
use crate::event::{Event, Step, Watch};
use crate::format::sink::ImageSink;
use crate::format::source::{Content, ImageSource};
use crate::format::{Format, Member, open_container};
use crate::image::Descriptor;
use crate::image::delta::is_delta;
use crate::ops::apply::parts::{Delta, read_delta};
use crate::ops::apply::rebuilt::Rebuilt;
use crate::ops::apply::verified::verified;
use crate::ops::convert::{ConvertOptions, ConvertSource, convert};
use crate::ops::delta::old_image::{OldImage, located, old_images, random_access};
use crate::tar_diff::{OldFiles, Operation, Operations};
use crate::transfer::Context;
use crate::transfer::report::WriteReport;

/// Implements [`Session::apply`](crate::Session::apply).
pub(crate) fn apply(
    old: &dyn ImageSource,
    delta: &dyn ImageSource,
    sink: Box<dyn ImageSink>,
    options: &ConvertOptions,
    context: Context<'_>,
) -> Result<WriteReport> {
    random_access(delta, context)?;
    let deltas = deltas(delta, &context.watch)?;
    let olds = old_images(old, None, None, context)?;
    let from = deltas.iter().map(|delta| old_of(delta, &olds));
    let from: Vec<usize> = from.collect::<Result<_>>()?;
    let mut needed: HashMap<usize, HashSet<Vec<u8>>> = HashMap::new();
    for (part, at) in deltas.iter().zip(&from) {
        let paths = needed.entry(*at).or_default();
        for difference in &part.differences {
            collect_paths(delta, &difference.blob, paths, context)?;
        }
    }
    let mut files: HashMap<usize, Arc<OldFiles>> = HashMap::new();
    for (at, paths) in &needed {
        let found = olds[*at].files(Some(paths), None, context);
        let found = found.map_err(|error| located(old, error))?;
        files.insert(*at, Arc::new(found));
    }
    let place = delta.place().cloned().unwrap_or(Place::StandardInput);
    let made = Place::Made {
        old: Box::new(olds[0].place()),
        delta: Box::new(place.clone()),
    };
    let failed = |error| match error {
        Error::Choice(_) | Error::DeltaLayerAbsent { .. } => error,
        error => error.while_reading(made.clone()),
    };
    let mut rebuilt = Rebuilt::new(old.container(), delta.container());
    for (part, at) in deltas.iter().zip(&from) {
        let added = rebuilt.add(part, &olds[*at], &files[at], context);
        added.map_err(failed)?;
    }
    let format = rebuilt.finish();
    let source = open_container(Box::new(rebuilt), format, place, &context.opening())?;
    let source = ConvertSource {
        images: source.as_ref(),
        image: None,
    };
    convert(&[source], sink, options, context).map_err(failed)
}

/// The deltas of a source, each once.
fn deltas(source: &dyn ImageSource, watch: &Watch<'_>) -> Result<Vec<Delta>> {
    let none = || located(source, Error::NotADelta);
    if source.format() == Format::Rootfs {
        return Err(none());
    }
    let mut seen = HashSet::new();
    let mut deltas = Vec::new();
    for root in source.roots()? {
        let digest = root.target_digest().cloned();
        let content = match root.target_digest() {
            Some(_) if seen.insert(digest) => source.load(root)?,
            _ => continue,
        };
        if let Content::Artifact(artifact) = content
            && is_delta(artifact.manifest.view())
        {
            let delta = read_delta(source, root, *artifact, watch);
            deltas.push(delta.map_err(|error| located(source, error))?);
        }
    }
    if deltas.is_empty() {
        return Err(none());
    }
    // Each archive has an index of its own, of which only one can be that of the output.
    let mut files = HashMap::new();
    for (path, bytes) in deltas.iter().flat_map(|delta| &delta.files) {
        let other = files.insert(path, bytes);
        if other.is_some_and(|other| other != bytes) {
            return Err(located(source, Error::SeveralDeltas));
        }
    }
    Ok(deltas)
}

/// The number of the image that a delta is from.
fn old_of(delta: &Delta, olds: &[OldImage<'_>]) -> Result<usize> {
    let at = olds
        .iter()
        .position(|old| *old.config() == delta.source_config);
    at.ok_or_else(|| Error::DeltaOfOther {
        expected: delta.source_config.clone(),
        old: olds[0].place(),
        have: olds.iter().map(OldImage::display).collect(),
    })
}

/// Collects the paths that a tar-diff opens, and compares it with its digest.
fn collect_paths(
    source: &dyn ImageSource,
    (descriptor, member): &(Descriptor, Member),
    paths: &mut HashSet<Vec<u8>>,
    context: Context<'_>,
) -> Result<()> {
    let place = Place::Blob(descriptor.digest().clone());
    context
        .watch
        .send(Event::Step(Step::Reading(&place.to_string())));
    let container = source.container();
    let read = |stream: &mut dyn io::Read| -> io::Result<()> {
        let mut operations = Operations::new(stream)?;
        while let Some(operation) = operations.next_operation()? {
            if context.watch.is_interrupted() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if let Operation::Open(path) = operation {
                paths.insert(path);
            }
        }
        Ok(())
    };
    let result = verified(container, member, descriptor.digest(), context, read);
    result.map_err(|error| located(source, error.while_reading(place)))
}
