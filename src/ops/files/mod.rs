//! `files`: the entries of the merged tree, and those of single layers.

mod story;

use std::iter;

use crate::error::Result;
use crate::event::Event;
use crate::format::source::ImageSource;
use crate::image::Platform;
use crate::merge::{Entries, Merge, PathPattern, TreeEntry};
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
        let entries = self.tops().flat_map(|top| self.tree().entries_from(top));
        entries.map(|entry| FileEntry::new(self.tree(), entry))
    }

    /// The selected entries, in the same order, as runs that several threads can read.
    pub fn runs(&self) -> impl Iterator<Item = FileRun<'_>> {
        let mut tops = self.tops();
        let mut entries = None;
        iter::from_fn(move || {
            let mut run = FileRun::new(self.tree());
            while run.count < RUN {
                let Some(open) = &mut entries else {
                    let Some(top) = tops.next() else {
                        break;
                    };
                    entries = Some(self.tree().entries_from(top));
                    continue;
                };
                let start = open.clone();
                match open.pass(RUN - run.count) {
                    0 => entries = None,
                    count => {
                        run.count += count;
                        run.walks.push((start, count));
                    }
                }
            }
            (run.count > 0).then_some(run)
        })
    }

    fn tree(&self) -> &Merge {
        &self.finder.tree
    }

    /// The topmost selected entries.
    fn tops(&self) -> impl Iterator<Item = TreeEntry<'_>> {
        let tops = self.selected.tops().iter();
        tops.filter_map(|path| self.tree().resolve(path, false).ok())
    }
}

/// The number of entries in a run: a few can keep several threads busy, and the lines of one fit
/// into the cache of a core.
const RUN: usize = 1024;

/// Entries of a [`FileTree`], one directly after the other.
#[derive(Clone, Debug)]
pub struct FileRun<'a> {
    tree: &'a Merge,
    /// The starts of walks, each with its number of entries.
    walks: Vec<(Entries<'a>, usize)>,
    count: usize,
}

impl<'a> FileRun<'a> {
    fn new(tree: &'a Merge) -> Self {
        Self {
            tree,
            walks: Vec::new(),
            count: 0,
        }
    }

    /// Sees each entry. This takes less time than an iterator, since all use the same
    /// memory.
    pub fn each(&self, mut see: impl FnMut(&FileEntry)) {
        let mut seen = FileEntry::new(self.tree, self.tree.root());
        for (mut entries, count) in self.walks.clone() {
            for _ in 0..count {
                let Some((node, place)) = entries.advance() else {
                    break;
                };
                seen.path.clear();
                seen.path.extend_from_slice(entries.path());
                seen.set(self.tree, node, place);
                see(&seen);
            }
        }
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
