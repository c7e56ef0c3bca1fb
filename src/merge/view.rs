//! The merged tree as a container sees it: its entries in the order of their names, and
//! the resolution of paths in it.

use std::collections::btree_map;

use crate::layer::{Metadata, NodeKind, components};
use crate::limits::SYMLINKS_MAX;
use crate::merge::inodes::Inodes;
use crate::merge::name::Name;
use crate::merge::range::Merge;
use crate::merge::tree::{Child, DirectoryId, EntryPlace, Inode, InodeId, ROOT, Tree};

/// An entry of a tree.
#[derive(Clone, Debug)]
pub(crate) struct TreeEntry<'a> {
    /// Its path, without a slash at either end; empty for the root.
    pub(crate) path: Vec<u8>,
    /// The layer and the entry that made it, under this name. A directory without an
    /// entry has the layer that implies it.
    pub(crate) place: EntryPlace,
    /// The thing itself.
    pub(crate) node: TreeNode<'a>,
}

/// The thing at a path of a tree.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TreeNode<'a> {
    /// A directory, with the metadata of its entry; absent if no layer has one.
    Directory(DirectoryId, Option<&'a Metadata>),
    /// Anything else.
    Node(InodeId, &'a Inode),
}

impl<'a> TreeNode<'a> {
    /// Its metadata; absent for a directory without an entry.
    pub(crate) fn metadata(&self) -> Option<&'a Metadata> {
        match self {
            Self::Directory(_, metadata) => *metadata,
            Self::Node(_, inode) => Some(&inode.metadata),
        }
    }

    /// True for a directory.
    pub(crate) fn is_directory(&self) -> bool {
        matches!(self, Self::Directory(..))
    }

    /// The inode of a regular file.
    pub(crate) fn file(&self) -> Option<(InodeId, &'a Inode)> {
        match self {
            Self::Node(id, inode) if matches!(inode.kind, NodeKind::File(_)) => Some((*id, inode)),
            _ => None,
        }
    }
}

/// The reason why a path leads to nothing. Paths are literal ones, without symbolic
/// links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathFault {
    /// Nothing is at this path, which is the wanted one, one on the way to it, or the
    /// target of a symbolic link.
    Absent(Vec<u8>),
    /// The thing at this path, on the way to the wanted one, is not a directory.
    NotADirectory(Vec<u8>),
    /// There are too many symbolic links, probably in a circle; this is one of them.
    Loop(Vec<u8>),
    /// A pattern matches nothing.
    NoMatch,
}

impl Merge {
    /// The number of names of an inode.
    pub(crate) fn links(&self, inode: InodeId) -> u32 {
        self.names_in_range.count(inode)
    }

    /// The inodes of all layers, with and without a name in the tree, in the order of
    /// their numbers.
    pub(crate) fn inodes(&self) -> &Inodes {
        &self.inodes
    }

    /// The entries of the tree: parents before children, and the names in a directory
    /// in the order of their bytes.
    pub(crate) fn entries(&self) -> Entries<'_> {
        self.entries_from(self.root())
    }

    /// An entry, and all those below it.
    pub(crate) fn entries_from<'a>(&'a self, entry: TreeEntry<'a>) -> Entries<'a> {
        Entries {
            merge: self,
            tree: &self.range,
            path: entry.path,
            open: Vec::new(),
            start: Some((entry.node, entry.place)),
        }
    }

    /// The entry of the root.
    pub(crate) fn root(&self) -> TreeEntry<'_> {
        self.entry(Vec::new(), Child::Directory(ROOT))
            .expect("the root is a directory")
    }

    /// Follows a path as the kernel does in a container: through symbolic links on the
    /// way, which cannot leave the root, and, if `follows_last`, through one at its end.
    /// The path of the result is the literal one.
    pub(crate) fn resolve(
        &self,
        path: &[u8],
        follows_last: bool,
    ) -> Result<TreeEntry<'_>, PathFault> {
        // The literal path so far, and the directories on it.
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut directories = vec![ROOT];
        let mut rest: Vec<Vec<u8>> = components(path).map(<[u8]>::to_vec).collect();
        rest.reverse();
        let mut end = Child::Directory(ROOT);
        let mut symlinks = 0;
        while let Some(name) = rest.pop() {
            if name.is_empty() || name == b"." {
                continue;
            }
            if directories.len() <= names.len() {
                return Err(PathFault::NotADirectory(names.join(&b'/')));
            }
            if name == b".." {
                names.pop();
                directories.truncate(names.len() + 1);
                end = Child::Directory(directories[names.len()]);
                continue;
            }
            let parent = self.range.get(directories[names.len()]);
            names.push(name);
            let name = names.last().expect("it was just added");
            let Some(child) = parent.children.get(name.as_slice()) else {
                return Err(PathFault::Absent(names.join(&b'/')));
            };
            end = *child;
            match child {
                Child::Directory(id) => directories.push(*id),
                Child::Whiteout => return Err(PathFault::Absent(names.join(&b'/'))),
                Child::Node(inode, _) => {
                    let kind = &self.inodes[*inode].kind;
                    let NodeKind::Symlink(target) = kind else {
                        continue;
                    };
                    if rest.is_empty() && !follows_last {
                        continue;
                    }
                    symlinks += 1;
                    if symlinks > SYMLINKS_MAX {
                        return Err(PathFault::Loop(names.join(&b'/')));
                    }
                    names.pop();
                    if target.starts_with(b"/") {
                        names.clear();
                        directories.truncate(1);
                    }
                    end = Child::Directory(directories[names.len()]);
                    let target = target.split(|byte| *byte == b'/');
                    rest.extend(target.rev().map(<[u8]>::to_vec));
                }
            }
        }
        let path = names.join(&b'/');
        self.entry(path, end)
            .ok_or_else(|| PathFault::Absent(names.join(&b'/')))
    }

    /// The entry of a child with this path.
    pub(super) fn entry(&self, path: Vec<u8>, child: Child) -> Option<TreeEntry<'_>> {
        let (node, place) = self.node(&self.range, child)?;
        Some(TreeEntry { path, place, node })
    }

    /// The target of a name in a tree; `None` for a whiteout.
    pub(super) fn node<'a>(
        &'a self,
        tree: &'a Tree,
        child: Child,
    ) -> Option<(TreeNode<'a>, EntryPlace)> {
        match child {
            Child::Whiteout => None,
            Child::Directory(id) => {
                let directory = tree.get(id);
                let metadata = directory.metadata.as_deref();
                Some((TreeNode::Directory(id, metadata), directory.place))
            }
            Child::Node(id, place) => Some((TreeNode::Node(id, &self.inodes[id]), place)),
        }
    }
}

/// The names in a directory that are still to come.
type Children<'a> = btree_map::Iter<'a, Name, Child>;

/// An iterator over entries of a tree.
#[derive(Clone, Debug)]
pub(crate) struct Entries<'a> {
    merge: &'a Merge,
    tree: &'a Tree,
    /// The path of the last entry.
    path: Vec<u8>,
    /// The directories on it, each with the length of its path.
    open: Vec<(usize, Children<'a>)>,
    start: Option<(TreeNode<'a>, EntryPlace)>,
}

impl<'a> Entries<'a> {
    /// Skips the rest of the directory that was entered last.
    pub(crate) fn leave(&mut self) {
        self.open.pop();
    }

    /// The path of the last entry.
    pub(crate) fn path(&self) -> &[u8] {
        &self.path
    }

    /// Passes at most this many entries, and returns their number. This takes less time
    /// than looking at them.
    pub(crate) fn pass(&mut self, most: usize) -> usize {
        for passed in 0..most {
            if self.start.is_some() {
                self.advance();
                continue;
            }
            match self.next_child() {
                Some(Child::Directory(id)) => self.open(id),
                Some(_) => {}
                None => return passed,
            }
        }
        most
    }

    /// Goes to the next entry, without a copy of its path.
    pub(crate) fn advance(&mut self) -> Option<(TreeNode<'a>, EntryPlace)> {
        let next = match self.start.take() {
            Some(start) => start,
            None => self
                .next_child()
                .and_then(|it| self.merge.node(self.tree, it))?,
        };
        if let TreeNode::Directory(id, _) = next.0 {
            self.open(id);
        }
        Some(next)
    }

    fn open(&mut self, id: DirectoryId) {
        let children = self.tree.get(id).children.iter();
        self.open.push((self.path.len(), children));
    }

    /// The next name that is not a whiteout.
    fn next_child(&mut self) -> Option<Child> {
        loop {
            let (length, children) = self.open.last_mut()?;
            let Some((name, child)) = children.next() else {
                self.open.pop();
                continue;
            };
            if *child == Child::Whiteout {
                continue;
            }
            self.path.truncate(*length);
            if !self.path.is_empty() {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(name);
            return Some(*child);
        }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = TreeEntry<'a>;

    fn next(&mut self) -> Option<TreeEntry<'a>> {
        let (node, place) = self.advance()?;
        let path = self.path.clone();
        Some(TreeEntry { path, place, node })
    }
}
