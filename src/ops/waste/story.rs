//! The moments when files leave the merged tree.

use std::collections::HashSet;

use crate::error::Result;
use crate::layer::Metadata;
use crate::merge::{EntryPlace, InodeId, LayerChange, LayerEvent, Merge, TreeEntry, TreeNode};
use crate::ops::stack::held_paths::HeldPaths;
use crate::ops::stack::layer_stack::StoryReader;
use crate::ops::waste::report::HiddenReason;

/// A file that no name of the tree leads to any more.
#[derive(Clone, Debug)]
pub(super) struct Hidden {
    /// The name that the layer took away; the first of several.
    pub(super) path: Vec<u8>,
    /// Its size in bytes; never 0.
    pub(super) size: u64,
    /// The entry with its content.
    pub(super) place: EntryPlace,
    /// The layer that hides it, counted from 0.
    pub(super) by: usize,
    /// The reason, as far as it is known without reading any content.
    pub(super) cause: Cause,
}

/// The way in which a name was lost.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause {
    /// For this reason.
    Certain(HiddenReason),
    /// A file of the same size replaced it.
    SameSize {
        /// The entry with the content of that file.
        place: EntryPlace,
        /// True if it has the same mode, owner and attributes.
        has_same_metadata: bool,
    },
}

/// A name that a layer takes away.
#[derive(Debug)]
struct Lost {
    path: Vec<u8>,
    inode: InodeId,
    cause: Cause,
}

/// Collects the files that layers hide. A file is hidden once the last of its names is
/// lost, by the layer that does that.
#[derive(Debug, Default)]
pub(super) struct WasteStory {
    /// The hidden files so far, in the order of the layers that hide them.
    hidden: Vec<Hidden>,
    /// Names that the current layer takes from the tree.
    lost: Vec<Lost>,
    /// Names that the current layer has, and takes away itself.
    dropped: Vec<Lost>,
    /// All these paths.
    held: HeldPaths,
}

impl WasteStory {
    /// The hidden files, in the order of the layers that hide them.
    ///
    /// # Errors
    ///
    /// Fails if their paths need too much memory.
    pub(super) fn finish(self) -> Result<Vec<Hidden>> {
        self.held.check("the hidden files")?;
        Ok(self.hidden)
    }

    fn lose(&mut self, path: Vec<u8>, inode: InodeId, cause: Cause) {
        if self.held.hold(path.len()) {
            self.lost.push(Lost { path, inode, cause });
        }
    }

    fn drop(&mut self, path: Vec<u8>, inode: InodeId, reason: HiddenReason) {
        let cause = Cause::Certain(reason);
        if self.held.hold(path.len()) {
            self.dropped.push(Lost { path, inode, cause });
        }
    }

    fn change(&mut self, below: &Merge, change: LayerChange<'_>) {
        let LayerChange {
            path,
            before,
            after,
        } = change;
        let Some((node, place)) = before else {
            return;
        };
        let after = after.map(|(node, _)| node);
        let reason = match after {
            None => HiddenReason::Deleted,
            Some(_) => HiddenReason::Overwritten,
        };
        match (node, after) {
            // Names in it are lost one by one.
            (TreeNode::Directory(..), Some(TreeNode::Directory(..))) => {}
            (TreeNode::Directory(..), _) => {
                let directory = TreeEntry { path, place, node };
                for entry in below.entries_from(directory) {
                    if let TreeNode::Node(inode, _) = entry.node {
                        self.lose(entry.path, inode, Cause::Certain(reason));
                    }
                }
            }
            (TreeNode::Node(one, _), Some(TreeNode::Node(other, _))) if one == other => {}
            (TreeNode::Node(inode, _), _) => {
                let files = node.file().zip(after.and_then(|after| after.file()));
                let rival = files.filter(|((_, one), (_, other))| one.size() == other.size());
                let cause = match rival {
                    Some(((_, one), (_, other))) => Cause::SameSize {
                        place: other.place,
                        has_same_metadata: is_same_but_time(&one.metadata, &other.metadata),
                    },
                    None => Cause::Certain(reason),
                };
                self.lose(path, inode, cause);
            }
        }
    }
}

impl StoryReader for WasteStory {
    fn see(&mut self, _layer: usize, below: &Merge, event: LayerEvent<'_>) {
        match event {
            LayerEvent::Change(change) => self.change(below, change),
            LayerEvent::Dropped(path, inode) => self.drop(path, inode, HiddenReason::Repeated),
            LayerEvent::Bookkeeping(path, inode) => {
                self.drop(path, inode, HiddenReason::Bookkeeping);
            }
        }
    }

    fn added(&mut self, layer: usize, tree: &Merge) {
        let mut seen = HashSet::new();
        for Lost { path, inode, cause } in self.lost.drain(..).chain(self.dropped.drain(..)) {
            let file = &tree.inodes()[inode];
            let size = file.size();
            let is_hidden = size > 0 && tree.links(inode) == 0 && seen.insert(inode);
            if !is_hidden {
                self.held.release(path.len());
                continue;
            }
            self.hidden.push(Hidden {
                path,
                size,
                place: file.place,
                by: layer,
                cause,
            });
        }
    }
}

/// Compares the metadata of two files.
fn is_same_but_time(one: &Metadata, other: &Metadata) -> bool {
    let key = |it: &Metadata| (it.mode, it.uid, it.gid);
    key(one) == key(other) && one.attributes == other.attributes
}
