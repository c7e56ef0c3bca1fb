//! The entries of single layers, and what each changes in the tree below it.

use crate::error::{ChoiceError, Result};
use crate::merge::{
    EntryPlace, Inode, InodeId, LayerChange, LayerEvent, Merge, PathPattern, TreeEntry, TreeNode,
};
use crate::ops::stack::contents::FilePlaces;
use crate::ops::stack::file_entry::FileEntry;
use crate::ops::stack::layer_stack::{LayerStack, StoryReader};

/// A change that a layer makes to an entry of the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileChange {
    /// The layer, counted from 1, the lowest.
    pub layer: usize,
    /// The path from the root, without a slash at either end; empty for the root.
    pub path: Vec<u8>,
    /// The kind of change.
    pub kind: ChangeKind,
    /// The entry in the layer; `None` if the layer deletes it.
    pub entry: Option<FileEntry>,
    /// The entry in the file system of the layers below; `None` if there is nothing.
    pub before: Option<FileEntry>,
}

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeKind {
    /// The layers below have no such entry.
    Added,
    /// The content, the target of a link, the type or the device is another one.
    Content,
    /// Only the mode, the owner, the time or extended attributes differ.
    Metadata,
    /// The layer repeats an entry without any change.
    Unchanged,
    /// The layer deletes the entry, with everything in it, or would if there were one.
    Deleted,
}

/// Reads the changes of one layer, counted from 0, or of all.
///
/// # Errors
///
/// Fails if there are paths, and one of them is not in any of these layers.
pub(super) fn read(
    layers: &LayerStack<'_>,
    layer: Option<usize>,
    paths: &[PathPattern],
) -> Result<Vec<FileChange>> {
    let mut story = Story::new(layer, paths);
    let mut tree = Merge::new();
    let last = layer.map_or(layers.count(), |layer| layer + 1);
    let all: Vec<usize> = (0..last).collect();
    layers.merge_watched(&mut tree, &all, &mut story)?;
    if let Some(at) = story.is_found.iter().position(|is_found| !is_found) {
        // In a container the path may lead through symbolic links, which are those of
        // the whole tree.
        let mut literal = paths.to_vec();
        for path in &mut literal {
            if let Ok(entry) = tree.resolve(path.as_bytes(), false)
                && entry.path != path.as_bytes()
            {
                *path = PathPattern::new(&entry.path);
            }
        }
        if literal != paths {
            return read(layers, layer, &literal);
        }
        return Err(ChoiceError::NotInLayer {
            path: paths[at].to_string(),
            layer: layer.map(|layer| (layer + 1, layers.count())),
            is_deleted: false,
        }
        .into());
    }
    story.finish(layers)
}

/// The changes so far.
struct Story<'p> {
    layer: Option<usize>,
    paths: &'p [PathPattern],
    /// True for each path that a layer has.
    is_found: Vec<bool>,
    changes: Vec<Draft>,
    /// The first change of the current layer.
    start: usize,
}

/// A change before the content of files is compared.
struct Draft {
    change: FileChange,
    /// The inode in the layer.
    inode: Option<InodeId>,
    /// The places of two files of the same size, which may have the same content.
    files: Option<(EntryPlace, EntryPlace, u64)>,
}

impl<'p> Story<'p> {
    fn new(layer: Option<usize>, paths: &'p [PathPattern]) -> Self {
        Self {
            layer,
            paths,
            is_found: vec![false; paths.len()],
            changes: Vec::new(),
            start: 0,
        }
    }

    /// True if a path is among the wanted ones.
    fn covers(&mut self, path: &[u8]) -> bool {
        let mut is_wanted = self.paths.is_empty();
        for (pattern, is_found) in self.paths.iter().zip(&mut self.is_found) {
            let covers = pattern.covers(path);
            *is_found |= covers;
            is_wanted |= covers;
        }
        is_wanted
    }

    fn add(&mut self, layer: usize, below: &Merge, change: LayerChange<'_>) {
        if !self.covers(&change.path) {
            return;
        }
        let entry = |(node, place): (TreeNode<'_>, EntryPlace)| {
            let path = change.path.clone();
            FileEntry::new(below, TreeEntry { path, place, node })
        };
        let (before, after) = (change.before.map(entry), change.after.map(entry));
        let kind = match (&before, &after) {
            (_, None) => ChangeKind::Deleted,
            (None, Some(_)) => ChangeKind::Added,
            (Some(before), Some(after)) if before.kind != after.kind => ChangeKind::Content,
            (Some(before), Some(after)) if before.has_metadata_of(after) => ChangeKind::Unchanged,
            (Some(_), Some(_)) => ChangeKind::Metadata,
        };
        let files = match (file(change.before), file(change.after)) {
            (Some(before), Some(after)) if before.size() == after.size() => {
                let is_other = before.place != after.place && after.size() > 0;
                is_other.then_some((before.place, after.place, after.size()))
            }
            _ => None,
        };
        let inode = match change.after {
            Some((TreeNode::Node(inode, _), _)) => Some(inode),
            _ => None,
        };
        let layer = layer + 1;
        self.changes.push(Draft {
            change: FileChange {
                layer,
                path: change.path,
                kind,
                entry: after,
                before,
            },
            inode,
            files,
        });
    }

    /// Compares the content of files, and returns the changes.
    fn finish(self, layers: &LayerStack<'_>) -> Result<Vec<FileChange>> {
        let mut places = FilePlaces::new();
        for (before, after, size) in self.changes.iter().filter_map(|draft| draft.files) {
            places.extend([(before, size), (after, size)]);
        }
        let hashes = layers.digests(&places)?;
        let changes = self.changes.into_iter().map(|draft| {
            let mut change = draft.change;
            if let Some((before, after, _)) = draft.files
                && hashes.get(before) != hashes.get(after)
            {
                change.kind = ChangeKind::Content;
            }
            change
        });
        Ok(changes.collect())
    }
}

/// The inode of a regular file.
fn file(node: Option<(TreeNode<'_>, EntryPlace)>) -> Option<&Inode> {
    Some(node?.0.file()?.1)
}

fn is_directory(node: Option<(TreeNode<'_>, EntryPlace)>) -> bool {
    node.is_some_and(|(node, _)| node.is_directory())
}

impl StoryReader for Story<'_> {
    fn wants(&self, layer: usize) -> bool {
        self.layer.is_none_or(|wanted| wanted == layer)
    }

    fn see(&mut self, layer: usize, below: &Merge, event: LayerEvent<'_>) {
        let LayerEvent::Change(change) = event else {
            return;
        };
        self.add(layer, below, change.clone());
        let is_removed = is_directory(change.before) && !is_directory(change.after);
        // Everything in a deleted directory is deleted, which is of interest for the
        // story of a single path.
        if let Some((node, place)) = change.before
            && is_removed
            && !self.paths.is_empty()
        {
            let path = change.path;
            let directory = TreeEntry { path, place, node };
            for entry in below.entries_from(directory).skip(1) {
                let deleted = LayerChange {
                    path: entry.path,
                    before: Some((entry.node, entry.place)),
                    after: None,
                };
                self.add(layer, below, deleted);
            }
        }
    }

    fn added(&mut self, _layer: usize, tree: &Merge) {
        for draft in &mut self.changes[self.start..] {
            if let (Some(inode), Some(entry)) = (draft.inode, &mut draft.change.entry) {
                entry.set_inode(tree, inode);
            }
        }
        self.start = self.changes.len();
    }
}
