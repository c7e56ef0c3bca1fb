//! The files of the bases that the upper layers hide, compared.

use std::collections::BTreeMap;

use crate::error::{Error, Result, more};
use crate::event::Warning;
use crate::format::source::{Image, ImageSource};
use crate::layer::{Metadata, NodeKind, display_start};
use crate::merge::{LayerEvent, Merge, TreeNode};
use crate::ops::choose::image::ChosenImage;
use crate::ops::stack::layer_stack::{LayerStack, StoryReader};
use crate::transfer::Context;

/// The number of names in a warning.
const NAMED: usize = 3;

/// Compares what the upper layers hide of the old and of the new base, the lowest layers
/// of both images, this many. Warns of files that differ, and of deletions without effect.
///
/// Only headers are read, of compressed layers everything: files are compared by size,
/// time and other metadata. Nothing is compared if the input lacks a layer of the old
/// base, or if the old image cannot be merged.
///
/// # Errors
///
/// Fails if the upper layers need something of the old base that the new one lacks, the
/// target of a hard link.
pub(super) fn compare_trees(
    source: &dyn ImageSource,
    before: &ChosenImage<'_>,
    after: &Image,
    (old, new): (usize, usize),
    context: Context<'_>,
) -> Result<()> {
    let after = ChosenImage {
        name: before.name.clone(),
        image: after.clone(),
        descriptor: None,
        left: Vec::new(),
        roots: Vec::new(),
    };
    let has_all = |image: &Image| image.layers.iter().all(|layer| layer.blob().is_some());
    if before.image.layers.len() == old || !has_all(&before.image) || !has_all(&after.image) {
        return Ok(());
    }
    // What is odd in the layers does not change.
    let watch = context.watch;
    let context = Context {
        watch: watch.silent(),
        ..context
    };
    let was = match hidden(source, before, old, context) {
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        // It is for Windows, or broken before.
        Err(_) => return Ok(()),
        Ok(seen) => seen,
    };
    let is = hidden(source, &after, new, context)?;
    let (was_hidden, is_hidden) = (was.hidden, is.hidden);
    let image = || before.name.clone();
    let linked = is.linked.iter();
    let linked = linked.filter(|(path, file)| was.linked.get(*path) != Some(file));
    if let Some(paths) = named(linked.map(|it| it.0)) {
        let image = image();
        watch.warn(Warning::BaseLinked { image, paths });
    }
    let changed = is_hidden.iter().filter(|(path, thing)| {
        let old = was_hidden.get(*path).map(|it| &it.file);
        old != Some(&thing.file)
    });
    if let Some(paths) = named(changed.map(|it| it.0)) {
        let image = image();
        watch.warn(Warning::BaseHidden { image, paths });
    }
    let missed = was_hidden.iter().filter(|(_, thing)| thing.is_deleted);
    let missed = missed.filter(|(path, _)| !is_hidden.contains_key(*path));
    if let Some(paths) = named(missed.map(|it| it.0)) {
        let image = image();
        watch.warn(Warning::NothingToDelete { image, paths });
    }
    Ok(())
}

/// The first of these paths, quoted, and the number of the others.
fn named<'a>(paths: impl Iterator<Item = &'a Vec<u8>>) -> Option<String> {
    let mut names = Vec::new();
    let mut others = 0;
    for path in paths {
        if names.len() < NAMED {
            names.push(format!("`{}`", display_start(path)));
        } else {
            others += 1;
        }
    }
    (!names.is_empty()).then(|| names.join(", ") + &more(others))
}

/// The things that a base has and the layers above it hide.
type Hidden = BTreeMap<Vec<u8>, Thing>;

/// The properties of something other than a directory.
type File = (NodeKind, Metadata);

/// A thing of a base.
#[derive(Debug, PartialEq)]
struct Thing {
    /// Its properties; `None` for a directory.
    file: Option<File>,
    /// True if it is deleted, and not replaced.
    is_deleted: bool,
}

fn hidden(
    source: &dyn ImageSource,
    chosen: &ChosenImage<'_>,
    base: usize,
    context: Context<'_>,
) -> Result<Seen> {
    let layers = LayerStack::new(source, chosen, context)?;
    layers.prepare()?;
    let all: Vec<usize> = (0..layers.count()).collect();
    let mut seen = Seen {
        base,
        hidden: Hidden::new(),
        linked: BTreeMap::new(),
    };
    layers.merge_watched(&mut Merge::new(), &all, &mut seen)?;
    Ok(seen)
}

/// Collects what upper layers hide of a base of this many layers, and what they link to.
struct Seen {
    base: usize,
    hidden: Hidden,
    /// The files of the base to which upper layers have hard links, by the paths of these.
    linked: BTreeMap<Vec<u8>, File>,
}

impl StoryReader for Seen {
    fn wants(&self, layer: usize) -> bool {
        layer >= self.base
    }

    fn see(&mut self, _layer: usize, _below: &Merge, event: LayerEvent<'_>) {
        let LayerEvent::Change(change) = event else {
            return;
        };
        match &change.after {
            Some((TreeNode::Node(_, inode), _)) if (inode.place.layer as usize) < self.base => {
                let file = (inode.kind.clone(), inode.metadata.clone());
                self.linked.insert(change.path.clone(), file);
            }
            // It hides a link of an upper layer.
            _ => drop(self.linked.remove(&change.path)),
        }
        let Some((node, place)) = change.before else {
            return;
        };
        let stays = node.is_directory() && change.after.is_some_and(|it| it.0.is_directory());
        if place.layer as usize >= self.base || stays {
            return;
        }
        let file = match node {
            TreeNode::Directory(..) => None,
            TreeNode::Node(_, inode) => Some((inode.kind.clone(), inode.metadata.clone())),
        };
        let is_deleted = change.after.is_none();
        self.hidden.insert(change.path, Thing { file, is_deleted });
    }
}
