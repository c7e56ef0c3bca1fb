//! The plan of the layer that a range becomes: its entries and their order.
//!
//! The order is that of the content in the input, so that each layer is read once, from
//! start to end. Directories come before the entries in them, and their whiteouts
//! directly after them.

use std::collections::{HashMap, HashSet};

use crate::layer::{Metadata, NodeKind, is_writable_name};
use crate::merge::range::{IMPLIED_MODE, Merge};
use crate::merge::tree::{Child, Directory, DirectoryId, EntryPlace, Inode, InodeId, ROOT};
use crate::tar_stream::Time;

/// The entries of the layer that a range becomes.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    merge: &'a Merge,
    /// One for each directory of the range that still exists.
    folders: Vec<Option<PlannedDirectory<'a>>>,
    /// In the order of writing.
    steps: Vec<Step<'a>>,
    /// The inodes with several names.
    linked: HashSet<InodeId>,
}

/// One entry, or a directory with its whiteouts, at its turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    /// The place in the input that determines its turn.
    pub(super) place: EntryPlace,
    /// Its parent directory.
    pub(super) parent: DirectoryId,
    /// Its name there.
    pub(super) name: &'a [u8],
    /// Its content.
    pub(super) what: Action,
    /// The number of steps before it in the order of names.
    turn: u32,
}

/// The content of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// A directory, unless it was already written because of something in it.
    Directory(DirectoryId),
    /// The first name of a node.
    Node(InodeId),
    /// Another name of a node.
    Link(InodeId),
}

/// A directory in the plan.
#[derive(Debug)]
pub(super) struct PlannedDirectory<'a> {
    /// Its parent directory; that of the root is the root.
    pub(super) parent: DirectoryId,
    /// Its name there.
    pub(super) name: &'a [u8],
    /// True if it gets an entry of its own, made up if the input has none.
    pub(super) has_entry: bool,
    /// True if it hides lower layers.
    pub(super) is_opaque: bool,
    /// The names of lower layers that are deleted in it, sorted.
    pub(super) whiteouts: Vec<&'a [u8]>,
    /// The written content of it.
    contents: Filling,
    /// The directory of the layers below the range.
    below: Lower,
}

/// The written content of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Filling {
    /// Nothing.
    Nothing,
    /// Only directories for which no layer has an entry.
    MadeUp,
    /// Something for which a layer has an entry.
    Given,
}

/// The directory in the layers below the range, for a directory of the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lower {
    /// There is no directory, or it is hidden.
    Nothing,
    /// This directory.
    Directory(DirectoryId),
    /// The lower layers are unknown.
    Unknown,
}

impl Merge {
    /// Makes the plan of the range.
    pub(crate) fn plan(&self) -> Plan<'_> {
        let mut planner = Planner {
            merge: self,
            folders: (0..self.range.len()).map(|_| None).collect(),
            order: Vec::new(),
            steps: Vec::new(),
            names: HashMap::new(),
        };
        planner.walk();
        planner.fill();
        planner.put_directories();
        planner.put_links();
        let Planner {
            folders,
            mut steps,
            names,
            ..
        } = planner;
        sort(&mut steps);
        Plan {
            merge: self,
            folders,
            steps,
            linked: names.into_keys().collect(),
        }
    }
}

/// Sorts steps by their places; those with the same place remain in the order of names.
/// Unlike a stable sort, this needs no memory.
fn sort(steps: &mut [Step<'_>]) {
    steps.sort_unstable_by_key(|step| (step.place, step.turn));
}

/// The turn of a step with this number.
fn turn(at: usize) -> u32 {
    u32::try_from(at).expect("entries are limited")
}

struct Planner<'a> {
    merge: &'a Merge,
    folders: Vec<Option<PlannedDirectory<'a>>>,
    /// Directories, each before those in it.
    order: Vec<DirectoryId>,
    steps: Vec<Step<'a>>,
    /// The steps that write names of the same inode, if there are several.
    names: HashMap<InodeId, Vec<usize>>,
}

impl<'a> Planner<'a> {
    /// Visits every directory and every name, and decides which whiteouts remain.
    fn walk(&mut self) {
        let first_inode = self.merge.first_inode.0 as usize;
        let mut first_names = vec![None; self.merge.inodes.next().0 as usize - first_inode];
        let below = match &self.merge.below {
            _ if self.merge.is_lowest => Lower::Nothing,
            Some(_) => Lower::Directory(ROOT),
            None => Lower::Unknown,
        };
        let mut pending = vec![(ROOT, ROOT, &b""[..], below, false)];
        while let Some((id, parent, name, below, must_hide)) = pending.pop() {
            let directory = self.merge.range.get(id);
            let hides = directory.is_opaque || must_hide;
            let is_new = directory.is_new || must_hide;
            let folder = self.folder(id, (parent, name), below, hides, is_new);
            // Below an opaque directory there is nothing left to hide.
            let inner = if folder.is_opaque {
                Lower::Nothing
            } else {
                below
            };
            // Overlay engines ignore an opaque root: whatever it hides is deleted by
            // name, also in directories that are made again.
            let must_hide = id == ROOT && hides && !folder.is_opaque;
            for (name, child) in directory.children.iter().rev() {
                match child {
                    Child::Directory(child) => {
                        let below = self.merge.below_under(inner, name);
                        pending.push((*child, id, name, below, must_hide));
                    }
                    Child::Node(inode, place) => {
                        let at = self.steps.len();
                        self.steps.push(Step {
                            place: *place,
                            parent: id,
                            name,
                            what: Action::Node(*inode),
                            turn: turn(at),
                        });
                        match &mut first_names[inode.0 as usize - first_inode] {
                            Some(first) => {
                                let first = *first;
                                let names = self.names.entry(*inode);
                                names.or_insert_with(|| vec![first]).push(at);
                            }
                            none => *none = Some(at),
                        }
                    }
                    Child::Whiteout => {}
                }
            }
            self.order.push(id);
            self.folders[id.0 as usize] = Some(folder);
        }
    }

    /// Plans the entries of a directory, which has this name in `parent`, except for
    /// those in it.
    fn folder(
        &self,
        id: DirectoryId,
        (parent, name): (DirectoryId, &'a [u8]),
        below: Lower,
        hides: bool,
        is_new: bool,
    ) -> PlannedDirectory<'a> {
        let directory = self.merge.range.get(id);
        let lower = match (below, &self.merge.below) {
            (Lower::Directory(id), Some(tree)) => Some(tree.get(id)),
            _ => None,
        };
        let has_lower_children = lower.is_some_and(|lower| !lower.children.is_empty());
        let is_opaque = hides
            && match below {
                Lower::Nothing => false,
                Lower::Directory(_) => has_lower_children && id != ROOT,
                Lower::Unknown => true,
            };
        let names_of = |directory: &'a Directory| directory.children.iter();
        let whiteouts = if is_opaque || below == Lower::Nothing {
            Vec::new()
        } else if let (true, Some(lower)) = (hides, lower) {
            let deleted = names_of(lower).map(|(name, _)| &**name);
            let child = |name: &[u8]| directory.children.get(name);
            let stays = |name: &&[u8]| matches!(child(name), Some(Child::Whiteout) | None);
            deleted.filter(stays).collect()
        } else {
            let deleted = names_of(directory).filter(|(_, child)| **child == Child::Whiteout);
            let is_there =
                |name: &[u8]| lower.is_none_or(|lower| lower.children.contains_key(name));
            let deleted = deleted.map(|(name, _)| &**name);
            deleted.filter(|name| is_there(name)).collect()
        };
        // A deleted directory that is only implied again is like any implied one, but
        // lower layers would show a different one, or may.
        let shows_another = is_new
            && match below {
                Lower::Nothing => false,
                Lower::Directory(_) => lower.is_some_and(is_unlike_implied),
                Lower::Unknown => true,
            };
        PlannedDirectory {
            parent,
            name,
            has_entry: directory.metadata.is_some() || shows_another,
            contents: Filling::Nothing,
            is_opaque,
            whiteouts,
            below,
        }
    }

    /// Determines which directories have content, and which of those without an entry
    /// need one.
    fn fill(&mut self) {
        for step in &self.steps {
            met(&mut self.folders, step.parent).contents = Filling::Given;
        }
        for id in self.order.iter().rev() {
            let folder = met(&mut self.folders, *id);
            let is_given = folder.writes_something() || folder.contents == Filling::Given;
            // In the lowest layer an entry cannot override anything. Above others it is
            // only needed for a directory that an engine would make because of an
            // unnecessary whiteout, and for no other reason.
            let is_needed = self.merge.is_lowest || (!is_given && folder.below == Lower::Nothing);
            let may_have_entry = *id != ROOT && is_writable_name(folder.name);
            folder.has_entry |= is_needed && may_have_entry;
            let is_written = folder.writes_something() || folder.contents > Filling::Nothing;
            let contents = match (is_given, is_written) {
                (true, _) => Filling::Given,
                (false, true) => Filling::MadeUp,
                (false, false) => Filling::Nothing,
            };
            let parent = folder.parent;
            if *id != ROOT {
                let parent = met(&mut self.folders, parent);
                parent.contents = parent.contents.max(contents);
            }
        }
    }

    /// Adds a step for each directory, unless it is only written because of its
    /// content.
    fn put_directories(&mut self) {
        for id in &self.order {
            let directory = self.merge.range.get(*id);
            let folder = met(&mut self.folders, *id);
            let has_turn = directory.metadata.is_some() || folder.contents == Filling::Nothing;
            if has_turn && folder.writes_something() {
                self.steps.push(Step {
                    place: directory.place,
                    parent: folder.parent,
                    name: folder.name,
                    what: Action::Directory(*id),
                    turn: turn(self.steps.len()),
                });
            }
        }
    }

    /// Writes the content of each node at its place in the input, under the first of
    /// its names.
    fn put_links(&mut self) {
        for (inode, names) in &self.names {
            let first = names.iter().min_by_key(|at| self.steps[**at].place);
            for at in names {
                if Some(at) != first {
                    self.steps[*at].what = Action::Link(*inode);
                }
            }
        }
        for step in &mut self.steps {
            if let Action::Node(inode) = step.what {
                let inode = &self.merge.inodes[inode];
                if matches!(inode.kind, NodeKind::File(_)) {
                    step.place = inode.place;
                }
            }
        }
    }
}

/// Returns true for a directory that differs from those that engines make without an
/// entry.
fn is_unlike_implied(directory: &Directory) -> bool {
    directory.metadata.as_ref().is_some_and(|metadata| {
        let implied = Metadata::implied(IMPLIED_MODE, metadata.mtime);
        **metadata != implied
    })
}

/// A directory that the walk has visited.
fn met<'f, 'a>(
    folders: &'f mut [Option<PlannedDirectory<'a>>],
    id: DirectoryId,
) -> &'f mut PlannedDirectory<'a> {
    let folder = folders[id.0 as usize].as_mut();
    folder.expect("all directories that are asked for were met")
}

impl PlannedDirectory<'_> {
    /// True if anything is written for the directory itself.
    fn writes_something(&self) -> bool {
        self.has_entry || self.is_opaque || !self.whiteouts.is_empty()
    }
}

impl Merge {
    /// The lower directory with this name in a directory.
    fn below_under(&self, below: Lower, name: &[u8]) -> Lower {
        match (below, &self.below) {
            (Lower::Directory(id), Some(tree)) => tree
                .subdirectory(id, name)
                .map_or(Lower::Nothing, Lower::Directory),
            (below, _) => below,
        }
    }
}

impl<'a> Plan<'a> {
    pub(super) fn steps(&self) -> &[Step<'a>] {
        &self.steps
    }

    pub(super) fn inode(&self, id: InodeId) -> &'a Inode {
        &self.merge.inodes[id]
    }

    pub(super) fn folder(&self, id: DirectoryId) -> &PlannedDirectory<'a> {
        self.folders[id.0 as usize]
            .as_ref()
            .expect("all directories of the plan were met")
    }

    /// The metadata in the entry of a directory, which may have to be made up.
    pub(super) fn metadata(&self, id: DirectoryId, created: Time) -> Metadata {
        let directory = self.merge.range.get(id);
        let metadata = directory.metadata.as_deref().cloned();
        metadata.unwrap_or_else(|| Metadata::implied(IMPLIED_MODE, created))
    }

    /// True if an inode has several names.
    pub(super) fn is_linked(&self, id: InodeId) -> bool {
        self.linked.contains(&id)
    }

    /// The size of the content of all files, in bytes.
    pub(crate) fn content_size(&self) -> u64 {
        let size = |step: &Step<'_>| match step.what {
            Action::Node(id) => self.inode(id).size(),
            Action::Directory(_) | Action::Link(_) => 0,
        };
        self.steps.iter().map(size).fold(0, u64::saturating_add)
    }

    /// The number of directories in the tree of the range, including former ones.
    pub(super) fn directory_count(&self) -> usize {
        self.folders.len()
    }

    /// Restricts the plan to the paths for which `is_wanted` returns true, and to the
    /// directories above them. It is called once for each path except for directories
    /// that no layer has an entry for.
    pub(crate) fn retain(&mut self, mut is_wanted: impl FnMut(&[u8]) -> bool) {
        let steps = std::mem::take(&mut self.steps);
        let mut written = HashSet::new();
        for mut step in steps {
            let path = match step.what {
                Action::Directory(id) => self.directory_path(id),
                Action::Node(_) | Action::Link(_) => self.path(step.parent, step.name),
            };
            if !is_wanted(&path) {
                continue;
            }
            if let Action::Node(id) | Action::Link(id) = step.what {
                // The first name may be unwanted.
                if written.insert(id) {
                    step.what = Action::Node(id);
                    let inode = self.inode(id);
                    if matches!(inode.kind, NodeKind::File(_)) {
                        step.place = inode.place;
                    }
                }
            }
            self.steps.push(step);
        }
        sort(&mut self.steps);
    }

    /// The layers, counted from 0, whose content is needed.
    pub(crate) fn layers(&self) -> Vec<u32> {
        let with_content = self.steps.iter().filter(|step| match step.what {
            Action::Node(inode) => matches!(self.inode(inode).kind, NodeKind::File(_)),
            _ => false,
        });
        let mut layers: Vec<u32> = with_content.map(|step| step.place.layer).collect();
        layers.dedup();
        layers
    }

    /// The path of a name in a directory.
    pub(super) fn path(&self, parent: DirectoryId, name: &'a [u8]) -> Vec<u8> {
        let mut names = vec![name];
        let mut at = parent;
        while at != ROOT {
            let folder = self.folder(at);
            names.push(folder.name);
            at = folder.parent;
        }
        names.reverse();
        names.join(&b'/')
    }

    /// The path of a directory.
    pub(super) fn directory_path(&self, id: DirectoryId) -> Vec<u8> {
        match id {
            ROOT => Vec::new(),
            id => {
                let folder = self.folder(id);
                self.path(folder.parent, folder.name)
            }
        }
    }
}
