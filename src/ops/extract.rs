//! `extract`: the merged tree of an image as files below a folder.

use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::{Error, Place, Result};
use crate::event::{Event, Step, Warning};
use crate::folder::{Obstacle, PendingTree, Shortfall};
use crate::format::source::ImageSource;
use crate::image::{Platform, Reference};
use crate::merge::PathPattern;
use crate::ops::Selector;
use crate::ops::choose::image::choose_image;
use crate::ops::choose::platform::PlatformChoice;
use crate::ops::stack::layer_stack::LayerStack;
use crate::ops::stack::paths::PathFinder;
use crate::transfer::Context;

/// The choice of the image to extract, and of paths in it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ExtractOptions {
    /// The image, if there are several.
    pub image: Option<Selector>,
    /// Its platform; by default the host's.
    pub platform: Option<Platform>,
    /// The entries to extract, with everything below them and the directories above
    /// them; by default all.
    pub paths: Vec<PathPattern>,
}

/// The result of an extraction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExtractReport {
    /// The name of the image in messages.
    pub image: String,
    /// Its names in the input that are references with a tag.
    pub references: Vec<Reference>,
    /// Its other names, which only a layout has.
    pub labels: Vec<String>,
    /// The digest of its config.
    pub id: Digest,
    /// The digest of its manifest, if the input has one.
    pub digest: Option<Digest>,
    /// Its platform, if its config has one.
    pub platform: Option<Platform>,
    /// The number of layers.
    pub layers: usize,
    /// The number of entries in the tree, or of those chosen.
    pub entries: u64,
    /// The number of bytes in files.
    pub size: u64,
    /// The number of entries that belong to the current user instead of their owner.
    pub owners_mapped: u64,
    /// The number of extended attributes that were not set.
    pub attributes_skipped: u64,
    /// The number of entries with another time, since the file system cannot store theirs.
    pub times_changed: u64,
    /// The number of devices and pipes that were left out.
    pub nodes_skipped: u64,
}

/// A folder that is about to get the files of an image.
#[derive(Debug)]
pub(crate) struct FolderSink {
    path: PathBuf,
    pending: PendingTree,
}

impl FolderSink {
    /// Begins an output in a folder.
    ///
    /// # Errors
    ///
    /// Fails if it exists and is not empty, or cannot be written, before any work is done.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let path = path.to_owned();
        match PendingTree::create(&path) {
            Ok(pending) => Ok(Self { path, pending }),
            Err(Obstacle::NotEmpty) => Err(Error::FolderNotEmpty(path)),
            Err(Obstacle::Io(error)) => Err(Error::write(Place::Path(path), error)),
        }
    }
}

/// Implements [`Session::extract`](crate::Session::extract).
pub(crate) fn extract(
    source: &dyn ImageSource,
    sink: FolderSink,
    options: &ExtractOptions,
    context: Context<'_>,
) -> Result<ExtractReport> {
    let watch = context.watch;
    let platform = options.platform.as_ref();
    let reason = platform.map_or(PlatformChoice::OneTree, PlatformChoice::Asked);
    let chosen = choose_image(source, options.image.as_ref(), reason, context)?;
    let layers = LayerStack::new(source, &chosen, context)?;
    let all = layers.begin()?;
    let FolderSink { path, pending } = sink;
    let place = Place::Path(path);
    let failed = |error| Error::write(place.clone(), error);
    let writer = layers.checked(|layers| {
        let finder = PathFinder::new(layers, &options.paths)?;
        let mut plan = finder.tree.plan();
        if !options.paths.is_empty() {
            let selected = finder.select(&options.paths)?;
            plan.retain(|path| selected.covers(path));
        }
        let writer = pending.writer().map_err(failed)?;
        layers.write(&plan, &all, writer, &place)
    })?;
    watch.send(Event::Step(Step::Committing));
    let written = pending.commit(writer, layers.created(), &watch);
    let written = written.map_err(failed)?;
    let shortfalls = written.shortfalls;
    let warnings = [
        owners_mapped(&shortfalls.owners),
        attributes_skipped(&shortfalls.attributes),
        times_changed(&shortfalls.times),
        nodes_skipped(&shortfalls.nodes),
    ];
    for warning in warnings.into_iter().flatten() {
        watch.warn(warning);
    }
    Ok(ExtractReport {
        references: chosen.references(),
        labels: chosen.labels(),
        id: chosen.image.config.digest().clone(),
        digest: chosen.manifest().map(|it| it.digest().clone()),
        platform: chosen.image.platform().cloned(),
        layers: layers.count(),
        entries: written.entries,
        size: written.size,
        owners_mapped: shortfalls.owners.count,
        attributes_skipped: shortfalls.attributes.count,
        times_changed: shortfalls.times.count,
        nodes_skipped: shortfalls.nodes.count,
        image: chosen.name,
    })
}

fn owners_mapped(shortfall: &Shortfall) -> Option<Warning> {
    let others = shortfall.count.checked_sub(1)?;
    Some(Warning::OwnersMapped {
        entry: shortfall.entry.clone(),
        others,
        reason: shortfall.reason.clone(),
    })
}

fn attributes_skipped(shortfall: &Shortfall) -> Option<Warning> {
    let others = shortfall.count.checked_sub(1)?;
    Some(Warning::AttributesSkipped {
        attribute: shortfall.attribute.clone(),
        entry: shortfall.entry.clone(),
        others,
        reason: shortfall.reason.clone(),
    })
}

fn times_changed(shortfall: &Shortfall) -> Option<Warning> {
    let others = shortfall.count.checked_sub(1)?;
    Some(Warning::TimesChanged {
        entry: shortfall.entry.clone(),
        others,
    })
}

fn nodes_skipped(shortfall: &Shortfall) -> Option<Warning> {
    let others = shortfall.count.checked_sub(1)?;
    Some(Warning::NodesSkipped {
        entry: shortfall.entry.clone(),
        others,
        reason: shortfall.reason.clone(),
    })
}
