//! The files of the bases that the upper layers hide, compared.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::DiffId;
use crate::error::{Error, Result, more};
use crate::event::Warning;
use crate::format::chain_of;
use crate::format::source::{Image, ImageSource};
use crate::layer::{Metadata, NodeKind, display_start};
use crate::merge::{EntryPlace, IMPLIED_MODE, LayerChange, LayerEvent, Merge, TreeEntry, TreeNode};
use crate::ops::choose::image::ChosenImage;
use crate::ops::stack::contents::{FileHashes, FilePlaces};
use crate::ops::stack::held_paths::HeldPaths;
use crate::ops::stack::layer_stack::{LayerStack, StoryReader};
use crate::tar_stream::Time;
use crate::transfer::Context;
use crate::transfer::scanned::ScannedLayers;

/// The number of names in a warning.
const NAMED: usize = 3;

/// Compares what the upper layers hide of the old and of the new base, the lowest layers
/// of both images, this many. Warns of files that differ, and of deletions without effect.
///
/// Headers are read, of compressed layers everything; the content of files only if all
/// else of them is the same. Nothing is compared if the input lacks a layer of the old
/// base, or, with a warning, if the old image cannot be merged.
///
/// # Errors
///
/// Fails if the upper layers need something of the old base that the new one lacks, the
/// target of a hard link.
pub(super) fn compare_trees(
    source: &dyn ImageSource,
    before: &ChosenImage<'_>,
    (after, base): (&Image, &str),
    (old, new): (usize, usize),
    scanned: &ScannedLayers,
    context: Context<'_>,
) -> Result<()> {
    let after = ChosenImage {
        name: format!("{} on {base}", before.name),
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
    let opened = LayerStack::new(source, before, context);
    let was = opened.and_then(|layers| Ok((Seen::of(&layers, old)?, layers)));
    let (was, old_layers) = match was {
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        // It is for Windows, or broken before.
        Err(error) => {
            let image = before.name.clone();
            let reason = chain_of(&error);
            watch.warn(Warning::BasesNotCompared { image, reason });
            return Ok(());
        }
        Ok(was) => was,
    };
    let layers = LayerStack::new(source, &after, context)?;
    let layers = layers.hashing(scanned);
    let is = Seen::of(&layers, new)?;
    let contents = Contents::of([&was, &is], [&old_layers, &layers])?;
    let is_same = |was: Option<&Thing>, is: &Thing| match (was, is) {
        (None, _) => false,
        (Some(was), is) => was.has_looks_of(is) && contents.are_same(was, is),
    };
    let image = || before.name.clone();
    let linked = is.linked.iter();
    let linked = linked.filter(|(path, file)| !is_same(was.linked.get(*path), file));
    if let Some(paths) = named(linked.map(|it| it.0)) {
        let image = image();
        watch.warn(Warning::BaseLinked { image, paths });
    }
    let changed = is.hidden.iter();
    let changed = changed.filter(|(path, (thing, _))| {
        let old = was.hidden.get(*path).map(|(old, _)| old);
        !is_same(old, thing)
    });
    let directories = is.directories.iter();
    let directories = directories.filter(|(path, (base, own))| {
        let old = was.directories.get(*path).map(|(old, _)| old);
        base != own && old != Some(base)
    });
    let changed = changed.map(|it| it.0).chain(directories.map(|it| it.0));
    let changed: BTreeSet<&Vec<u8>> = changed.collect();
    if let Some(paths) = named(changed.into_iter()) {
        let image = image();
        watch.warn(Warning::BaseHidden { image, paths });
    }
    let missed = was.hidden.iter().filter(|(_, (_, is_deleted))| *is_deleted);
    let missed = missed.filter(|(path, _)| !is.hidden.contains_key(*path));
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

/// A thing of a base.
#[derive(Debug)]
enum Thing {
    /// Something other than a directory, and the entry with its content.
    Node(NodeKind, Metadata, EntryPlace),
    /// A directory.
    Directory,
}

impl Thing {
    fn of(node: TreeNode<'_>) -> Self {
        match node {
            TreeNode::Directory(..) => Self::Directory,
            TreeNode::Node(_, inode) => {
                Self::Node(inode.kind.clone(), inode.metadata.clone(), inode.place)
            }
        }
    }

    /// True if it is equal to another one, apart from its content.
    fn has_looks_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Node(kind, metadata, _), Self::Node(other, others, _)) => {
                kind == other && metadata == others
            }
            (Self::Directory, Self::Directory) => true,
            _ => false,
        }
    }

    /// The place and size of its content, if it has any.
    fn content(&self) -> Option<(EntryPlace, u64)> {
        match self {
            Self::Node(NodeKind::File(size), _, place) if *size > 0 => Some((*place, *size)),
            _ => None,
        }
    }
}

/// The contents of files of the old base and of the new one that look the same.
struct Contents {
    /// The diff_ids of the layers.
    layers: [Vec<DiffId>; 2],
    hashes: [FileHashes; 2],
}

impl Contents {
    fn of(seen: [&Seen; 2], stacks: [&LayerStack<'_>; 2]) -> Result<Self> {
        let layers = stacks.map(|stack| {
            let layers = stack.image.layers.iter();
            layers.map(|layer| layer.diff_id.clone()).collect()
        });
        let mut contents = Self {
            layers,
            hashes: Default::default(),
        };
        let [was, is] = seen;
        let hidden = is.hidden.iter().filter_map(|(path, (is, _))| {
            let (was, _) = was.hidden.get(path)?;
            Some((was, is))
        });
        let linked = is.linked.iter();
        let linked = linked.filter_map(|(path, is)| Some((was.linked.get(path)?, is)));
        let mut places = [FilePlaces::new(), FilePlaces::new()];
        for (was, is) in hidden.chain(linked) {
            if was.has_looks_of(is) && !contents.are_of_one_entry(was, is) {
                places[0].extend(was.content());
                places[1].extend(is.content());
            }
        }
        let of_old = match stacks[0].digests(&places[0]) {
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            // What cannot be read differs; the output does not have it.
            hashes => hashes.unwrap_or_default(),
        };
        contents.hashes = [of_old, stacks[1].digests(&places[1])?];
        Ok(contents)
    }

    /// True if two files are the same entry of the same layer.
    fn are_of_one_entry(&self, was: &Thing, is: &Thing) -> bool {
        let (Some((was, _)), Some((is, _))) = (was.content(), is.content()) else {
            return true;
        };
        let layer = |side: usize, place: EntryPlace| &self.layers[side][place.layer as usize];
        was.entry == is.entry && layer(0, was) == layer(1, is)
    }

    /// True if two files that look the same have the same content.
    fn are_same(&self, was: &Thing, is: &Thing) -> bool {
        if self.are_of_one_entry(was, is) {
            return true;
        }
        let hash = |side: usize, thing: &Thing| self.hashes[side].get(thing.content()?.0).copied();
        hash(0, was) == hash(1, is)
    }
}

/// The things that upper layers hide of a base of this many layers, and those to which
/// they link.
struct Seen {
    base: usize,
    /// The hidden things; true for one that is deleted, and not replaced.
    hidden: BTreeMap<Vec<u8>, (Thing, bool)>,
    /// The files of the base to which upper layers have hard links, by the paths of these.
    linked: BTreeMap<Vec<u8>, Thing>,
    /// The directories of the base that upper layers have, too, as in the base and as in
    /// the uppermost of these. Their times are set to 0: they change with any entry.
    directories: BTreeMap<Vec<u8>, (Metadata, Metadata)>,
    /// The paths of all of them.
    held: HeldPaths,
}

impl Seen {
    fn of(layers: &LayerStack<'_>, base: usize) -> Result<Self> {
        layers.prepare()?;
        let all: Vec<usize> = (0..layers.count()).collect();
        let mut seen = Self {
            base,
            hidden: BTreeMap::new(),
            linked: BTreeMap::new(),
            directories: BTreeMap::new(),
            held: HeldPaths::default(),
        };
        layers.merge_watched(&mut Merge::new(), &all, &mut seen)?;
        seen.held.check("what the upper layers change")?;
        Ok(seen)
    }

    /// Hides something with the directory above it.
    fn hide_below(&mut self, TreeEntry { path, place, node }: TreeEntry<'_>) {
        self.linked.remove(&path);
        self.directories.remove(&path);
        if self.is_of_base(place) && self.held.hold(path.len()) {
            self.hidden.insert(path, (Thing::of(node), false));
        }
    }

    fn is_of_base(&self, place: EntryPlace) -> bool {
        (place.layer as usize) < self.base
    }
}

/// The metadata of a directory without its time.
fn timeless(metadata: Option<&Metadata>) -> Metadata {
    match metadata {
        Some(metadata) => Metadata {
            mtime: Time::default(),
            ..metadata.clone()
        },
        None => Metadata::implied(IMPLIED_MODE, Time::default()),
    }
}

impl StoryReader for Seen {
    fn wants(&self, layer: usize) -> bool {
        layer >= self.base
    }

    fn see(&mut self, _layer: usize, below: &Merge, event: LayerEvent<'_>) {
        let LayerEvent::Change(LayerChange {
            path,
            before,
            after,
        }) = event
        else {
            return;
        };
        match after {
            Some((node @ TreeNode::Node(_, inode), _)) if self.is_of_base(inode.place) => {
                if self.held.hold(path.len()) {
                    self.linked.insert(path.clone(), Thing::of(node));
                }
            }
            // It hides a link of an upper layer.
            _ => drop(self.linked.remove(&path)),
        }
        if let (
            Some((TreeNode::Directory(_, was), place)),
            Some((TreeNode::Directory(_, Some(is)), _)),
        ) = (before, after)
        {
            let is = timeless(Some(is));
            if self.is_of_base(place) && self.held.hold(path.len()) {
                self.directories.insert(path, (timeless(was), is));
            } else if let Some((_, own)) = self.directories.get_mut(&path) {
                *own = is;
            }
            return;
        }
        self.directories.remove(&path);
        let Some((node, place)) = before else {
            return;
        };
        if node.is_directory() {
            let path = path.clone();
            let entries = below.entries_from(TreeEntry { path, place, node });
            entries.skip(1).for_each(|entry| self.hide_below(entry));
        }
        if self.is_of_base(place) && self.held.hold(path.len()) {
            self.hidden.insert(path, (Thing::of(node), after.is_none()));
        }
    }
}
