//! The layer that turns one tree into another.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use crate::layer::{Metadata, is_writable_name};
use crate::merge::range::{IMPLIED_MODE, Merge};
use crate::merge::tree::{Child, Directory, DirectoryId, InodeId, Names, ROOT, Tree};
use crate::merge::view::TreeNode;
use crate::tar_stream::Time;

/// The things of a new tree that differ from those at the same paths of an old one.
///
/// A layer cannot link to a file outside of it, so that a file with several names is in
/// the layer with all of them, or with none.
#[derive(Debug)]
pub(crate) struct Differences {
    /// True for each inode of the new tree that differs.
    inodes: Vec<bool>,
    /// The inode of the old tree that all names of one of the new tree have, as far as
    /// they were seen.
    origins: Vec<Option<InodeId>>,
    /// The directories of both trees whose metadata differ, by their numbers in the new
    /// tree.
    directories: HashSet<u32>,
    has_any: bool,
}

impl Differences {
    /// Starts without any difference to this new tree.
    pub(crate) fn new(new: &Merge) -> Self {
        let count = new.inodes.next().0 as usize;
        Self {
            inodes: vec![false; count],
            origins: vec![None; count],
            directories: HashSet::new(),
            has_any: false,
        }
    }

    /// Adds a path that only the old tree has.
    pub(crate) fn add_deleted(&mut self) {
        self.has_any = true;
    }

    /// Adds a path that only the new tree has.
    pub(crate) fn add_new(&mut self, new: TreeNode<'_>) {
        self.has_any = true;
        if let TreeNode::Node(id, _) = new {
            self.inodes[id.0 as usize] = true;
        }
    }

    /// Adds a path of both trees, at which the things differ, or not.
    pub(crate) fn add(&mut self, old: TreeNode<'_>, new: TreeNode<'_>, differs: bool) {
        self.has_any |= differs;
        match (old, new) {
            (_, TreeNode::Directory(id, _)) if differs => {
                self.directories.insert(id.0);
            }
            (_, TreeNode::Directory(..)) => {}
            (TreeNode::Node(old, _), TreeNode::Node(new, _)) if !differs => {
                let origin = self.origins[new.0 as usize].get_or_insert(old);
                if *origin != old {
                    self.differ(new);
                }
            }
            (_, TreeNode::Node(new, _)) => self.differ(new),
        }
    }

    /// Compares the names that share a file, after all paths: of the files of the new
    /// tree that are one file in the old one, only one can remain.
    pub(crate) fn settle(&mut self, old: &Merge, new: &Merge) {
        let mut remaining: HashMap<InodeId, InodeId> = HashMap::new();
        for id in 0..self.inodes.len() {
            let Some(origin) = self.origins[id].filter(|_| !self.inodes[id]) else {
                continue;
            };
            if old.links(origin) < 2 {
                continue;
            }
            let id = InodeId(u32::try_from(id).expect("entries are limited"));
            match remaining.entry(origin) {
                Entry::Vacant(entry) => {
                    entry.insert(id);
                }
                Entry::Occupied(mut entry) => {
                    // The fewest names are written.
                    let loser = if new.links(id) > new.links(*entry.get()) {
                        entry.insert(id)
                    } else {
                        id
                    };
                    self.differ(loser);
                }
            }
        }
    }

    /// True if the trees are equal.
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_any
    }

    fn differ(&mut self, new: InodeId) {
        self.has_any = true;
        self.inodes[new.0 as usize] = true;
    }
}

impl Merge {
    /// Makes the layer above this tree, as a range, that turns it into another. `made` is
    /// the time of a directory without an entry that takes the place of something else.
    ///
    /// Directories above something in the layer have an entry, too, as they are in either
    /// tree: Docker's overlay2 gives an owner and a mode of its own to a directory that a
    /// layer only implies.
    pub(crate) fn turned_into(self, new: Self, differences: &Differences, made: Time) -> Self {
        let mut comparison = Comparison {
            old: &self.range,
            new: &new.range,
            differences,
            made,
            visits: Vec::new(),
            layer: Tree::new(),
        };
        comparison.run();
        let layer = comparison.layer;
        Self {
            is_lowest: self.range.get(ROOT).children.is_empty(),
            inodes: new.inodes,
            below: Some(self.range),
            range: layer,
            first_layer: 0,
            names_below: Names::default(),
            names_in_range: Names::default(),
            first_inode: InodeId(0),
            copies: HashMap::new(),
            is_copy: HashSet::new(),
        }
    }
}

/// A walk through the directories of the new tree, with those at the same paths of the old
/// one.
struct Comparison<'a> {
    old: &'a Tree,
    new: &'a Tree,
    differences: &'a Differences,
    made: Time,
    /// The directories so far, each after its parent.
    visits: Vec<Visit<'a>>,
    layer: Tree,
}

/// A directory of the new tree.
#[derive(Clone, Copy)]
struct Visit<'a> {
    /// The position of its parent; that of the root is the root.
    parent: usize,
    name: &'a [u8],
    new: DirectoryId,
    /// The directory at its path in the old tree, if that has one.
    old: Option<DirectoryId>,
    /// True if the old tree has something else there.
    replaces: bool,
    /// The directory in the layer, if it has one.
    in_layer: Option<DirectoryId>,
}

impl<'a> Comparison<'a> {
    fn run(&mut self) {
        let root = Visit {
            parent: 0,
            name: b"",
            new: ROOT,
            old: Some(ROOT),
            replaces: false,
            in_layer: Some(ROOT),
        };
        if self.differences.directories.contains(&ROOT.0) {
            *self.layer.get_mut(ROOT) = self.directory(&root);
        }
        self.visits.push(root);
        let mut next = 0;
        while let Some(visit) = self.visits.get(next).copied() {
            self.visit(next, visit);
            next += 1;
        }
    }

    fn visit(&mut self, at: usize, visit: Visit<'a>) {
        let new = self.new.get(visit.new);
        let old = visit.old.map(|id| self.old.get(id));
        if old.is_none() || self.differences.directories.contains(&visit.new.0) {
            self.open(at);
        }
        for (name, child) in &new.children {
            let lower = old.and_then(|old| old.children.get(name)).copied();
            match *child {
                Child::Node(id, _) if self.differences.inodes[id.0 as usize] => {
                    self.put(at, name, *child);
                }
                Child::Node(..) | Child::Whiteout => {}
                Child::Directory(id) => self.visits.push(Visit {
                    parent: at,
                    name,
                    new: id,
                    old: match lower {
                        Some(Child::Directory(id)) => Some(id),
                        _ => None,
                    },
                    replaces: matches!(lower, Some(Child::Node(..))),
                    in_layer: None,
                }),
            }
        }
        for (name, _) in old.iter().flat_map(|old| &old.children) {
            if !new.children.contains_key(name) {
                self.put(at, name, Child::Whiteout);
            }
        }
    }

    fn put(&mut self, at: usize, name: &[u8], child: Child) {
        let directory = self.open(at);
        let children = &mut self.layer.get_mut(directory).children;
        children.insert(name.into(), child);
    }

    /// The directory in the layer, which is added, with those above it, if it is missing.
    fn open(&mut self, at: usize) -> DirectoryId {
        let mut missing = Vec::new();
        let mut here = at;
        let mut parent = loop {
            match self.visits[here].in_layer {
                Some(id) => break id,
                None => missing.push(here),
            }
            here = self.visits[here].parent;
        };
        for at in missing.into_iter().rev() {
            let visit = self.visits[at];
            let directory = self.directory(&visit);
            let id = self.layer.add(directory);
            let children = &mut self.layer.get_mut(parent).children;
            children.insert(visit.name.into(), Child::Directory(id));
            self.visits[at].in_layer = Some(id);
            parent = id;
        }
        parent
    }

    /// A directory of the layer, without anything in it.
    fn directory(&self, visit: &Visit<'_>) -> Directory {
        let new = self.new.get(visit.new);
        let old = visit.old.map(|id| self.old.get(id));
        let of_old = old.and_then(|old| old.metadata.as_ref());
        let metadata = match (&new.metadata, of_old) {
            (Some(metadata), _) => Some(metadata.clone()),
            // An implied directory has no time, so that it keeps the one that it has.
            (None, Some(old)) if self.differences.directories.contains(&visit.new.0) => {
                Some(Box::new(Metadata::implied(IMPLIED_MODE, old.mtime)))
            }
            (None, Some(old)) => Some(old.clone()),
            (None, None) if visit.replaces => {
                Some(Box::new(Metadata::implied(IMPLIED_MODE, self.made)))
            }
            (None, None) => None,
        };
        Directory {
            metadata: metadata.filter(|_| is_writable_name(visit.name)),
            place: new.place,
            ..Directory::implied(0)
        }
    }
}
