//! The changes of a layer during construction: its tree so far, and paths in it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::layer::{
    Ambiguity, Budget, EntryFault, EntryPath, Metadata, NodeKind, components, display_start,
};
use crate::limits::{ENTRIES_MAX, LINK_COMPONENTS_MAX, RETAINED_BYTES_MAX, SYMLINKS_MAX};
use crate::merge::ambiguities::Ambiguities;
use crate::merge::inodes::Inodes;
use crate::merge::tree::{Child, Directory, DirectoryId, InodeId, ROOT, Tree};

/// The changes of one layer: a tree with whiteouts.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    /// The tree; its inodes are numbered from 0.
    pub(in crate::merge) tree: Tree,
    /// The inodes of the layer.
    pub(in crate::merge) inodes: Inodes,
    /// Hard links to files in a lower layer, in their order.
    pub(in crate::merge) far_links: Vec<LowerLink>,
    /// Names that the layer has and that its tree lacks.
    pub(in crate::merge) dropped: Vec<Dropped>,
    /// The ambiguities of the layer.
    pub(in crate::merge) ambiguities: Ambiguities,
}

/// A name of an inode that the layer itself takes away.
#[derive(Clone, Debug)]
pub(in crate::merge) struct Dropped {
    /// The name.
    pub(in crate::merge) path: Vec<u8>,
    /// The inode, as numbered in [`Changes`].
    pub(in crate::merge) inode: InodeId,
    /// True if it belongs to AUFS or eStargz, and not to the image.
    pub(in crate::merge) is_bookkeeping: bool,
}

/// A hard link to a file that only a lower layer has, or to such a link.
#[derive(Clone, Debug)]
pub(in crate::merge) struct LowerLink {
    /// The inode that represents the target.
    pub(in crate::merge) inode: InodeId,
    /// The link.
    pub(in crate::merge) path: EntryPath,
    /// Its target, if that is in a lower layer.
    pub(in crate::merge) target: Option<EntryPath>,
    /// The metadata of its entry, which apply to the target.
    pub(in crate::merge) metadata: Metadata,
}

/// Builds [`Changes`], entry by entry.
#[derive(Debug)]
pub(crate) struct ChangesBuilder {
    pub(super) layer: u32,
    pub(super) changes: Changes,
    pub(super) whiteouts: Vec<Deletion>,
    /// Inodes that represent files in a lower layer.
    pub(super) far: HashSet<InodeId>,
    /// The number of hard links to each inode, if there are any.
    pub(super) links: HashMap<InodeId, u32>,
    pub(super) budget: Arc<Budget>,
    /// Number of components that symbolic links may still add to paths.
    pub(super) detours: u64,
    /// The directory of the last entry, which is usually also that of the next one.
    pub(super) last: Option<Last>,
}

/// A whiteout. In their order, that of a directory precedes those in it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deletion {
    /// The directory of the whiteout, as a literal path without symbolic links.
    pub(super) parent: Vec<u8>,
    /// The deleted name; absent for an opaque whiteout.
    pub(super) name: Option<Box<[u8]>>,
    /// The number of the entry.
    pub(super) entry: u32,
}

/// The directory of the last entry.
#[derive(Debug)]
pub(super) struct Last {
    /// The directory in the entry's name.
    path: Vec<u8>,
    directory: DirectoryId,
    /// True if the path goes through an absolute symbolic link of the layer.
    is_through_absolute: bool,
}

/// The resolved path of a directory.
#[derive(Debug)]
pub(super) struct Route {
    /// The literal path, without symbolic links.
    pub(super) path: Vec<u8>,
    /// The directories on that path that the layer has, the root first.
    pub(super) known: Vec<DirectoryId>,
    /// A path on the way, escaped, that is not a directory.
    pub(super) obstacle: Option<String>,
    /// True if the path goes through an absolute symbolic link of the layer.
    is_through_absolute: bool,
    /// True if the path goes through a symbolic link to something that the layer lacks.
    is_through_dangling: bool,
    /// True if a symbolic link of the layer leads above the root.
    pub(super) is_above_root: bool,
}

impl ChangesBuilder {
    /// Starts the changes of a layer, whose number counts from 0. Implied directories
    /// are charged to the budget.
    pub(crate) fn new(layer: u32, budget: Arc<Budget>) -> Self {
        let mut tree = Tree::new();
        *tree.get_mut(ROOT) = Directory::implied(layer);
        Self {
            layer,
            changes: Changes {
                tree,
                inodes: Inodes::default(),
                far_links: Vec::new(),
                dropped: Vec::new(),
                ambiguities: Ambiguities::default(),
            },
            whiteouts: Vec::new(),
            far: HashSet::new(),
            links: HashMap::new(),
            budget,
            detours: LINK_COMPONENTS_MAX,
            last: None,
        }
    }

    /// Records an ambiguity of an entry.
    pub(super) fn note(&mut self, ambiguity: Ambiguity, path: &EntryPath) {
        self.changes.ambiguities.note(ambiguity, path.as_bytes());
    }

    pub(super) fn child(&self, directory: DirectoryId, name: &[u8]) -> Option<Child> {
        let children = &self.changes.tree.get(directory).children;
        children.get(name).copied()
    }

    /// Makes a directory without an entry, at a path of this many bytes.
    pub(super) fn imply(
        &mut self,
        at: DirectoryId,
        name: &[u8],
        path_length: usize,
    ) -> Result<DirectoryId, EntryFault> {
        if !self.budget.claim_entry() {
            return Err(EntryFault::TooManyDirectories { limit: ENTRIES_MAX });
        }
        // It may have to be written with its whole path.
        self.hold(path_length)?;
        let new = self.changes.tree.add(Directory::implied(self.layer));
        let children = &mut self.changes.tree.get_mut(at).children;
        children.insert(name.into(), Child::Directory(new));
        Ok(new)
    }

    /// Claims memory for data other than names and attributes.
    pub(super) fn hold(&self, bytes: usize) -> Result<(), EntryFault> {
        if self.budget.claim_bytes(bytes) {
            return Ok(());
        }
        Err(EntryFault::TooMuchHeld {
            limit: RETAINED_BYTES_MAX,
        })
    }

    /// The directory of an entry, which is made if it does not exist; true if its path
    /// goes through an absolute symbolic link of this layer.
    pub(super) fn parent(
        &mut self,
        path: &[u8],
        entry: &EntryPath,
    ) -> Result<(DirectoryId, bool), EntryFault> {
        if let Some(last) = &self.last
            && last.path == path
        {
            return Ok((last.directory, last.is_through_absolute));
        }
        let route = self.route(path)?;
        self.note_route(&route, entry);
        if let Some(parent) = route.obstacle {
            return Err(EntryFault::NotInDirectory { parent });
        }
        let mut directory = *route.known.last().expect("the root is never left");
        for name in components(&route.path).skip(route.known.len() - 1) {
            directory = self.imply(directory, name, route.path.len())?;
        }
        self.last = Some(Last {
            path: path.to_vec(),
            directory,
            is_through_absolute: route.is_through_absolute,
        });
        Ok((directory, route.is_through_absolute))
    }

    /// True if a symbolic link in this directory leads to something that the layer has
    /// so far.
    pub(super) fn leads_somewhere(&mut self, parent: &[u8], target: &[u8]) -> bool {
        let path = match target {
            [b'/', ..] => target.to_vec(),
            _ => [parent, b"/", target].concat(),
        };
        let Ok(route) = self.route(&path) else {
            return false;
        };
        // The end of a path may be an obstacle, since it need not be a directory.
        let unknown = 1 + components(&route.path).count() - route.known.len();
        unknown == usize::from(route.obstacle.is_some())
    }

    /// Records ambiguities on the way to an entry.
    pub(super) fn note_route(&mut self, route: &Route, entry: &EntryPath) {
        if route.is_above_root {
            self.note(Ambiguity::AboveRoot, entry);
        }
        if route.is_through_dangling {
            self.note(Ambiguity::ThroughDanglingLink, entry);
        }
    }

    /// Resolves the path of a directory in the layer so far: through the symbolic links
    /// of this layer only, and never above the root.
    pub(super) fn route(&mut self, path: &[u8]) -> Result<Route, EntryFault> {
        let mut route = Route {
            path: Vec::with_capacity(path.len()),
            known: vec![ROOT],
            obstacle: None,
            is_through_absolute: false,
            is_through_dangling: false,
            is_above_root: false,
        };
        let mut depth = 0;
        let mut rest: Vec<Vec<u8>> = Vec::new();
        let mut names = components(path);
        let (mut symlinks, mut taken) = (0, 0);
        loop {
            let owned = rest.pop();
            let name = match &owned {
                Some(name) => name.as_slice(),
                None => match names.next() {
                    Some(name) => {
                        taken += 1;
                        name
                    }
                    None => return Ok(route),
                },
            };
            let is_known = route.known.len() == depth + 1;
            let child = match (name, route.known.last()) {
                (b"" | b".", _) => continue,
                (b"..", _) => {
                    // Engines resolve any absolute link inside the root.
                    route.is_above_root |= depth == 0 && !route.is_through_absolute;
                    depth = usize::saturating_sub(depth, 1);
                    route.known.truncate(depth + 1);
                    let end = route.path.iter().rposition(|byte| *byte == b'/');
                    route.path.truncate(end.unwrap_or(0));
                    continue;
                }
                (_, Some(at)) if is_known => self.child(*at, name),
                _ => None,
            };
            if let Some(Child::Node(inode, _)) = child {
                let inode = &self.changes.inodes[inode];
                if let NodeKind::Symlink(target) = &inode.kind {
                    symlinks += 1;
                    let names = target.split(|byte| *byte == b'/');
                    let detour = self.detours.checked_sub(names.clone().count() as u64);
                    let (Some(left), ..=SYMLINKS_MAX) = (detour, symlinks) else {
                        return Err(EntryFault::SymlinkLoop);
                    };
                    self.detours = left;
                    if target.starts_with(b"/") {
                        depth = 0;
                        route.known.truncate(1);
                        route.path.clear();
                        route.is_through_absolute = true;
                    }
                    rest.extend(names.rev().map(<[u8]>::to_vec));
                    continue;
                }
                let way: Vec<&[u8]> = components(path).take(taken).collect();
                route.obstacle = Some(display_start(&way.join(&b'/')));
            }
            if let Some(Child::Directory(id)) = child {
                route.known.push(id);
            } else if child.is_none() {
                route.is_through_dangling |= is_known && owned.is_some();
            }
            depth += 1;
            if !route.path.is_empty() {
                route.path.push(b'/');
            }
            route.path.extend_from_slice(name);
        }
    }
}

impl Deletion {
    /// The path that is deleted, or that of the directory that becomes opaque.
    pub(super) fn path(&self) -> Vec<u8> {
        match (&self.name, self.parent.as_slice()) {
            (None, parent) => parent.to_vec(),
            (Some(name), b"") => name.to_vec(),
            (Some(name), parent) => [parent, b"/", name].concat(),
        }
    }
}
