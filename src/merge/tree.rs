//! Directories and the names in them, of one layer or several, and the rules of
//! precedence.
//!
//! This module does no I/O. A [`Tree`] is the merged view of a stack of layers, or the
//! changes of one layer (or a range); in the latter case it has whiteouts and opaque
//! directories. Nodes are stored separately
//! ([`Inodes`](crate::merge::inodes::Inodes)), because one may have several
//! names.

use std::collections::BTreeMap;

use crate::layer::{EntryFault, EntryPath, Metadata, NodeKind, components, size_of_attributes};
use crate::limits::ATTRIBUTES_MAX;
use crate::merge::name::Name;
use crate::tar_stream::PaxRecord;

/// A place in the input. Places are ordered as they are read, and so as they are
/// written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct EntryPlace {
    /// The layer, counted from 0, the lowest.
    pub(crate) layer: u32,
    /// The entry in it, counted from 1; 0 for something without an entry, such as a
    /// directory that exists only because it contains something.
    pub(crate) entry: u32,
}

/// The number of an inode in [`Inodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct InodeId(pub(crate) u32);

/// The number of a directory in its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DirectoryId(pub(crate) u32);

/// The root of every tree.
pub(crate) const ROOT: DirectoryId = DirectoryId(0);

/// A file, a link, a device: anything that may have several names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inode {
    /// Its kind.
    pub(crate) kind: NodeKind,
    /// Owner, mode, time, attributes, which all of its names share.
    pub(crate) metadata: Metadata,
    /// The entry with its content.
    pub(crate) place: EntryPlace,
}

impl Inode {
    /// The size of its content in bytes.
    pub(crate) fn size(&self) -> u64 {
        match self.kind {
            NodeKind::File(size) => size,
            _ => 0,
        }
    }

    /// Applies the metadata of a hard link to it, and returns true if that changed
    /// anything.
    ///
    /// Attributes in the link's entry are set, and none is removed.
    pub(crate) fn apply_link_metadata(
        &mut self,
        mut metadata: Metadata,
    ) -> Result<bool, EntryFault> {
        if !self.metadata.attributes.is_empty() {
            let given = &metadata.attributes;
            let is_kept = |record: &&PaxRecord| {
                let found = given.binary_search_by(|it| it.0.cmp(&record.0));
                found.is_err()
            };
            let kept = self.metadata.attributes.iter().filter(is_kept);
            let mut all: Vec<PaxRecord> = given.iter().chain(kept).cloned().collect();
            all.sort();
            metadata.attributes = all.into();
        }
        if size_of_attributes(&metadata.attributes) > ATTRIBUTES_MAX {
            let limit = ATTRIBUTES_MAX;
            return Err(EntryFault::AttributesTooLarge { limit });
        }
        let has_changed = metadata != self.metadata;
        self.metadata = metadata;
        Ok(has_changed)
    }
}

/// The target of a name in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Child {
    /// A directory.
    Directory(DirectoryId),
    /// A name of an inode, and its entry.
    Node(InodeId, EntryPlace),
    /// Nothing: it deletes the name in lower layers.
    Whiteout,
}

/// The names in a directory, sorted.
pub(crate) type Children = BTreeMap<Name, Child>;

/// A directory.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    /// The metadata of its entry; absent if it has none.
    pub(crate) metadata: Option<Box<Metadata>>,
    /// The place of its entry, or the layer in which it was last implied.
    pub(crate) place: EntryPlace,
    /// True if it hides its content in lower layers.
    pub(crate) is_opaque: bool,
    /// True if it also hides the lower directory itself, which was deleted, including
    /// its metadata.
    pub(crate) is_new: bool,
    /// The names in it.
    pub(crate) children: Children,
}

impl Directory {
    /// A directory that is only implied by something in this layer.
    pub(crate) fn implied(layer: u32) -> Self {
        Self {
            metadata: None,
            place: EntryPlace { layer, entry: 0 },
            is_opaque: false,
            is_new: false,
            children: BTreeMap::new(),
        }
    }
}

/// A tree of directories.
///
/// They are in one list and refer to each other by number, so that no depth is too
/// great. Deleted ones remain in the list, unreferenced.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    directories: Vec<Directory>,
}

/// The target of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// This child.
    Child(Child),
    /// Nothing, whatever lower layers have.
    Nothing,
    /// Nothing here, so that lower layers are visible.
    Lower,
}

impl Tree {
    /// An empty tree.
    pub(crate) fn new() -> Self {
        Self {
            directories: vec![Directory::implied(0)],
        }
    }

    /// The number of directories, including deleted ones.
    pub(crate) fn len(&self) -> usize {
        self.directories.len()
    }

    /// One of the directories.
    pub(crate) fn get(&self, id: DirectoryId) -> &Directory {
        &self.directories[id.0 as usize]
    }

    /// One of the directories, mutable.
    pub(crate) fn get_mut(&mut self, id: DirectoryId) -> &mut Directory {
        &mut self.directories[id.0 as usize]
    }

    /// All directories, mutable, in the order of their numbers.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Directory> {
        self.directories.iter_mut()
    }

    /// Adds a directory, to which nothing refers yet.
    pub(crate) fn add(&mut self, directory: Directory) -> DirectoryId {
        let id = u32::try_from(self.directories.len()).expect("entries are limited");
        self.directories.push(directory);
        DirectoryId(id)
    }

    /// The directory with this name in a directory, if it is one.
    pub(crate) fn subdirectory(&self, of: DirectoryId, name: &[u8]) -> Option<DirectoryId> {
        match self.get(of).children.get(name) {
            Some(Child::Directory(id)) => Some(*id),
            _ => None,
        }
    }

    /// Follows a literal path: no symbolic link is resolved.
    pub(crate) fn find(&self, path: &EntryPath) -> Found {
        let mut child = Child::Directory(ROOT);
        let mut is_hidden = false;
        for name in components(path.as_bytes()) {
            let Child::Directory(id) = child else {
                return Found::Nothing;
            };
            let directory = self.get(id);
            is_hidden |= directory.is_opaque;
            child = match directory.children.get(name) {
                Some(child) => *child,
                None if is_hidden => return Found::Nothing,
                None => return Found::Lower,
            };
        }
        match child {
            Child::Whiteout => Found::Nothing,
            child => Found::Child(child),
        }
    }

    /// Adds a layer, or the changes of a range, on top.
    ///
    /// If `hides_all`, there is nothing below this tree, so that whiteouts need not be
    /// kept. `number` maps inodes of the upper tree to those of this one, and `names`
    /// counts the names of each inode.
    ///
    /// The cost is proportional to the size of the upper tree and of what it deletes.
    pub(crate) fn apply(
        &mut self,
        upper: Self,
        hides_all: bool,
        number: impl Fn(InodeId) -> InodeId,
        names: &mut Names,
    ) {
        let mut upper = upper.directories;
        let mut pending = vec![(ROOT, ROOT, hides_all)];
        while let Some((into, from, hides)) = pending.pop() {
            let nothing = Directory::implied(0);
            let from = std::mem::replace(&mut upper[from.0 as usize], nothing);
            let directory = self.get_mut(into);
            if from.metadata.is_some() || from.is_new || directory.metadata.is_none() {
                directory.metadata = from.metadata;
                directory.place = from.place;
            }
            directory.is_opaque |= from.is_opaque;
            directory.is_new |= from.is_new;
            let hides = hides || directory.is_opaque;
            let mut children = std::mem::take(&mut directory.children);
            if from.is_opaque {
                self.forget(std::mem::take(&mut children).into_values(), names);
            }
            if children.is_empty() {
                children = self.adopt(from.children, hides, &mut pending, &number, names);
                self.get_mut(into).children = children;
                continue;
            }
            for (name, child) in from.children {
                match child {
                    Child::Whiteout if hides => self.forget(children.remove(&name), names),
                    Child::Whiteout => self.forget(children.insert(name, child), names),
                    Child::Node(inode, place) => {
                        let inode = number(inode);
                        names.add(inode);
                        self.forget(children.insert(name, Child::Node(inode, place)), names);
                    }
                    Child::Directory(from) => {
                        let into = match children.get(&name) {
                            Some(Child::Directory(into)) => *into,
                            lower => {
                                // Content that was deleted or replaced below must not
                                // be visible in the directory that is made again.
                                let is_new = lower.is_some();
                                let new = self.add(Directory {
                                    is_opaque: is_new,
                                    is_new,
                                    ..Directory::implied(0)
                                });
                                let lower = children.insert(name, Child::Directory(new));
                                self.forget(lower, names);
                                new
                            }
                        };
                        pending.push((into, from, hides));
                    }
                }
            }
            self.get_mut(into).children = children;
        }
    }

    /// Takes over what an upper directory has, for one with nothing in it.
    fn adopt(
        &mut self,
        mut children: Children,
        hides: bool,
        pending: &mut Vec<(DirectoryId, DirectoryId, bool)>,
        number: &impl Fn(InodeId) -> InodeId,
        names: &mut Names,
    ) -> Children {
        let mut has_whiteouts = false;
        for child in children.values_mut() {
            match child {
                Child::Whiteout => has_whiteouts = true,
                Child::Node(inode, _) => {
                    *inode = number(*inode);
                    names.add(*inode);
                }
                Child::Directory(id) => {
                    let into = self.add(Directory::implied(0));
                    pending.push((into, *id, hides));
                    *id = into;
                }
            }
        }
        if hides && has_whiteouts {
            children.retain(|_, child| *child != Child::Whiteout);
        }
        children
    }

    /// Removes the names of everything that is no longer referenced.
    fn forget(&mut self, children: impl IntoIterator<Item = Child>, names: &mut Names) {
        let mut pending: Vec<Child> = children.into_iter().collect();
        while let Some(child) = pending.pop() {
            match child {
                Child::Directory(id) => {
                    pending.extend(std::mem::take(&mut self.get_mut(id).children).into_values());
                }
                Child::Node(inode, _) => names.remove(inode),
                Child::Whiteout => {}
            }
        }
    }
}

/// The number of names of each inode in a tree.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// The first counted inode: the tree only has later ones.
    first: u32,
    counts: Vec<u32>,
    /// Inodes that have lost a name.
    losers: Vec<InodeId>,
}

impl Names {
    /// Counts inodes from this number on.
    pub(crate) fn from(first: InodeId) -> Self {
        Self {
            first: first.0,
            ..Self::default()
        }
    }

    /// The number of names of an inode.
    pub(crate) fn count(&self, inode: InodeId) -> u32 {
        let at = (inode.0 - self.first) as usize;
        self.counts.get(at).copied().unwrap_or(0)
    }

    /// The inodes that have lost a name since the last call, some of them repeatedly.
    pub(crate) fn take_losers(&mut self) -> Vec<InodeId> {
        std::mem::take(&mut self.losers)
    }

    fn add(&mut self, inode: InodeId) {
        let at = (inode.0 - self.first) as usize;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += 1;
    }

    fn remove(&mut self, inode: InodeId) {
        self.counts[(inode.0 - self.first) as usize] -= 1;
        self.losers.push(inode);
    }
}
