//! `files`: the entries of the merged tree, and those of single layers.

mod story;

use crate::error::Result;
use crate::event::Event;
use crate::format::source::ImageSource;
use crate::image::Platform;
use crate::merge::PathPattern;
use crate::ops::choose::image::choose_image;
use crate::ops::choose::platform::PlatformChoice;
use crate::ops::squash::range::find_layer;
use crate::ops::stack::file_entry::FileEntry;
use crate::ops::stack::layer_stack::LayerStack;
use crate::ops::stack::paths::{PathFinder, Selected};
use crate::ops::{LayerName, Selector};
use crate::transfer::Context;

pub use story::{ChangeKind, FileChange};

/// The choice of the image, and of the paths in it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FilesOptions {
    /// The image, if there are several.
    pub image: Option<Selector>,
    /// Its platform; by default the host's.
    pub platform: Option<Platform>,
    /// Only these entries, and everything below them; by default all.
    pub paths: Vec<PathPattern>,
}

/// The file system that a container of an image sees.
#[derive(Debug)]
pub struct FileTree {
    finder: PathFinder,
    selected: Selected,
}

impl FileTree {
    /// The selected entries: parents before children, and the names in a directory in
    /// the order of their bytes.
    pub fn entries(&self) -> impl Iterator<Item = FileEntry> {
        let tree = &self.finder.tree;
        let tops = self.selected.tops().iter();
        let tops = tops.filter_map(|path| tree.resolve(path, false).ok());
        let entries = tops.flat_map(|top| tree.entries_from(top));
        entries.map(|entry| FileEntry::new(tree, entry))
    }
}

/// Implements [`Session::files`](crate::Session::files).
pub(crate) fn files(
    source: &dyn ImageSource,
    options: &FilesOptions,
    context: Context<'_>,
) -> Result<FileTree> {
    with_layers(source, options, context, |layers| {
        announce(&layers, 0..layers.count());
        let finder = PathFinder::new(&layers, &options.paths)?;
        let selected = finder.select(&options.paths)?;
        Ok(FileTree { finder, selected })
    })
}

/// Implements [`Session::file_changes`](crate::Session::file_changes).
pub(crate) fn file_changes(
    source: &dyn ImageSource,
    layer: Option<&LayerName>,
    options: &FilesOptions,
    context: Context<'_>,
) -> Result<Vec<FileChange>> {
    with_layers(source, options, context, |layers| {
        let layer = find_layer(layer, &layers.image.layers)?;
        let end = layer.map_or(layers.count(), |layer| layer + 1);
        announce(&layers, 0..end);
        story::read(&layers, layer, &options.paths)
    })
}

/// Opens the layers of the chosen image.
pub(in crate::ops) fn with_layers<T>(
    source: &dyn ImageSource,
    options: &FilesOptions,
    context: Context<'_>,
    work: impl FnOnce(LayerStack<'_>) -> Result<T>,
) -> Result<T> {
    let platform = options.platform.as_ref();
    let reason = platform.map_or(PlatformChoice::OneTree, PlatformChoice::Asked);
    let chosen = choose_image(source, options.image.as_ref(), reason, context)?;
    let layers = LayerStack::new(source, &chosen, context)?;
    layers.prepare()?;
    work(layers)
}

/// Reports the amount of data to be read for the headers of some layers.
pub(in crate::ops) fn announce(layers: &LayerStack<'_>, which: std::ops::Range<usize>) {
    let sizes = which.clone().map(|at| layers.size_to_scan(at));
    layers.context.watch.send(Event::Started {
        bytes: sizes.fold(0, u64::saturating_add),
        images: Some(1),
        steps: Some(which.len()),
    });
}
