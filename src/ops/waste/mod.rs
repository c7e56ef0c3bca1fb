//! `waste`: the files of an image that nobody sees, since later layers delete or replace
//! them.

mod remedy;
pub(in crate::ops) mod report;
mod story;

use crate::error::{Error, Place, Result};
use crate::event::Event;
use crate::format::source::{ImageSource, Layer};
use crate::image::{Platform, history};
use crate::merge::{InodeId, KeptChanges, Merge};
use crate::ops::Selector;
use crate::ops::choose::image::{ChosenImage, choose_image};
use crate::ops::choose::platform::PlatformChoice;
use crate::ops::stack::contents::FilePlaces;
use crate::ops::stack::layer_stack::LayerStack;
use crate::ops::waste::remedy::plans;
use crate::ops::waste::report::{HiddenFile, HiddenReason, WasteLayer, WasteReport};
use crate::ops::waste::story::{Cause, Hidden, WasteStory};
use crate::transfer::Context;

/// The choice of the image to look at.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WasteOptions {
    /// The image, if there are several.
    pub image: Option<Selector>,
    /// Its platform; by default the host's.
    pub platform: Option<Platform>,
}

/// Implements [`Session::waste`](crate::Session::waste).
pub(crate) fn waste(
    source: &dyn ImageSource,
    options: &WasteOptions,
    context: Context<'_>,
) -> Result<WasteReport> {
    let platform = options.platform.as_ref();
    let reason = platform.map_or(PlatformChoice::OneTree, PlatformChoice::Asked);
    // A warning about other platforms is useless when only one is looked at.
    let silent = Context {
        watch: context.watch.silent(),
        ..context
    };
    let chosen = choose_image(source, options.image.as_ref(), reason, silent)?;
    let layers = LayerStack::new(source, &chosen, context)?;
    layers.prepare()?;
    let all: Vec<usize> = (0..layers.count()).collect();
    let bytes = all.iter().map(|at| layers.size_to_scan(*at));
    let bytes = bytes.fold(0, u64::saturating_add);
    if bytes > 0 {
        context.watch.send(Event::Started {
            // Layers may have to be read again, to compare the content of files.
            bytes: bytes.saturating_mul(2),
            images: Some(1),
            steps: None,
        });
    }
    let changes = layers.changes_as(&all, KeptChanges::new)?;
    let mut merge = Merge::new();
    let mut story = WasteStory::default();
    for (at, changes) in changes.iter().enumerate() {
        layers.put_watched(&mut merge, at, changes.changes(), &mut story)?;
    }
    let mut report_layers = describe(&chosen)?;
    for (_, inode) in merge.inodes().iter_from(InodeId(0)) {
        let layer = &mut report_layers[inode.place.layer as usize];
        layer.files_size = layer.files_size.saturating_add(inode.size());
    }
    drop(merge);
    let hidden = explain(&layers, story.finish()?)?;
    Ok(WasteReport {
        plans: plans(&layers, &changes, &hidden)?,
        id: chosen.image.config.digest().clone(),
        digest: chosen.manifest().map(|it| it.digest().clone()),
        platform: chosen.image.platform().cloned(),
        layers: report_layers,
        hidden,
        references: chosen.references(),
        labels: chosen.labels(),
        image: chosen.name.clone(),
    })
}

/// The layers, without the sizes of the files in them.
fn describe(chosen: &ChosenImage<'_>) -> Result<Vec<WasteLayer>> {
    let image = &chosen.image;
    let config = image.config.value().map_err(|source| Error::Document {
        what: Place::Config(chosen.name.clone()).to_string(),
        source,
    })?;
    let describe = |layer: &Layer| WasteLayer {
        diff_id: layer.diff_id.clone(),
        digest: layer.digest(),
        stored_size: layer.stored_size(),
        files_size: 0,
        created_by: String::new(),
    };
    let mut layers: Vec<WasteLayer> = image.layers.iter().map(describe).collect();
    for entry in history(&config, layers.len()) {
        if let Some(layer) = entry.layer {
            layers[layer - 1].created_by = entry.created_by;
        }
    }
    Ok(layers)
}

/// Finds the reason for each file, the largest file first. Files that were replaced by
/// one of the same size are compared with it.
fn explain(layers: &LayerStack<'_>, hidden: Vec<Hidden>) -> Result<Vec<HiddenFile>> {
    let mut places = FilePlaces::new();
    for file in &hidden {
        if let Cause::SameSize { place, .. } = file.cause {
            places.insert(file.place, file.size);
            places.insert(place, file.size);
        }
    }
    let hashes = layers.digests(&places)?;
    let explain = |file: Hidden| {
        let reason = match file.cause {
            Cause::Certain(reason) => reason,
            Cause::SameSize { place, .. } if hashes.get(file.place) != hashes.get(place) => {
                HiddenReason::Overwritten
            }
            Cause::SameSize {
                has_same_metadata: true,
                ..
            } => HiddenReason::SameContent,
            Cause::SameSize { .. } => HiddenReason::MetadataOnly,
        };
        HiddenFile {
            path: file.path,
            size: file.size,
            layer: file.place.layer as usize + 1,
            hidden_by: file.by + 1,
            reason,
        }
    };
    let mut files: Vec<HiddenFile> = hidden.into_iter().map(explain).collect();
    // The sort is stable: files of the same size remain in the order of the layers that
    // hide them, and of their paths.
    files.sort_by_key(|file| std::cmp::Reverse(file.size));
    Ok(files)
}
