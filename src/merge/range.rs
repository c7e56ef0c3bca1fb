//! Several layers merged into one, above others that are kept.

use std::collections::{HashMap, HashSet};

use crate::layer::{Ambiguity, EntryFault, EntryPath, LayerError, NodeKind, display_start};
use crate::merge::ambiguities::Ambiguities;
use crate::merge::changes::{Changes, Dropped};
use crate::merge::inodes::Inodes;
use crate::merge::tree::{Child, Directory, DirectoryId, Found, Inode, InodeId, Names, ROOT, Tree};

/// The mode that engines give to a directory without an entry.
pub(crate) const IMPLIED_MODE: u16 = 0o755;

/// The layers of an image, added from the lowest up: those that are kept are only
/// needed for their tree, and those of the range are merged.
#[derive(Clone, Debug)]
pub(crate) struct Merge {
    pub(super) inodes: Inodes,
    /// The tree of the layers below the range; absent if they are unknown.
    pub(super) below: Option<Tree>,
    /// The tree of the range.
    pub(super) range: Tree,
    /// True if no layer is below the range.
    pub(super) is_lowest: bool,
    /// The lowest layer of the range.
    pub(super) first_layer: u32,
    /// The numbers of names of inodes, below the range and in it.
    pub(super) names_below: Names,
    pub(super) names_in_range: Names,
    /// The first inode that can belong to the range.
    pub(super) first_inode: InodeId,
    /// Nodes of lower layers of which the range has copies, since a layer cannot link
    /// to a file outside of it.
    pub(super) copies: HashMap<InodeId, InodeId>,
    /// All copies, including those of earlier ranges.
    pub(super) is_copy: HashSet<InodeId>,
}

/// The bytes of files that merging a range saves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Savings {
    /// Bytes of files that the range itself replaced or deleted.
    pub(crate) hidden: u64,
    /// Bytes of files that the range replaced or deleted, but that are in layers below
    /// it.
    pub(crate) below: u64,
    /// The lowest layer, counted from 0, with some of those.
    pub(crate) lowest: Option<u32>,
}

impl Merge {
    /// An empty merge: the first layer added is the lowest.
    pub(crate) fn new() -> Self {
        Self {
            inodes: Inodes::default(),
            below: Some(Tree::new()),
            range: Tree::new(),
            is_lowest: true,
            first_layer: 0,
            names_below: Names::default(),
            names_in_range: Names::default(),
            first_inode: InodeId(0),
            copies: HashMap::new(),
            is_copy: HashSet::new(),
        }
    }

    /// Adds a layer that is kept.
    pub(crate) fn put_below(&mut self, changes: Changes) -> Result<Ambiguities, LayerError> {
        let (tree, number, ambiguities) = self.adopt(changes, false)?;
        if let Some(below) = &mut self.below {
            below.apply(tree, true, number, &mut self.names_below);
            self.names_below.take_losers();
        }
        self.is_lowest = false;
        self.first_layer += 1;
        self.begin_range();
        Ok(ambiguities)
    }

    /// Adds this many unknown layers that are kept.
    pub(crate) fn put_unknown_below(&mut self, layers: usize) {
        self.below = None;
        self.is_lowest = false;
        self.first_layer += u32::try_from(layers).expect("layers are limited");
    }

    /// True if the layers that are kept are unknown.
    pub(crate) fn is_below_unknown(&self) -> bool {
        self.below.is_none()
    }

    /// Adds the next layer of the range.
    pub(crate) fn put_in_range(&mut self, changes: Changes) -> Result<Ambiguities, LayerError> {
        self.put(changes, |_, _, _, _| ())
    }

    /// Adds the next layer of the range. Before that, `look` sees the tree of the layer,
    /// the names that the layer drops, and the numbers of its inodes here.
    pub(super) fn put(
        &mut self,
        mut changes: Changes,
        look: impl FnOnce(&Self, &Tree, Vec<Dropped>, &dyn Fn(InodeId) -> InodeId),
    ) -> Result<Ambiguities, LayerError> {
        let dropped = std::mem::take(&mut changes.dropped);
        let mut seen = Ambiguities::default();
        self.look_below(&changes.tree, &mut seen);
        let (tree, number, mut ambiguities) = self.adopt(changes, true)?;
        ambiguities.append(seen);
        look(self, &tree, dropped, &number);
        let names = &mut self.names_in_range;
        self.range.apply(tree, self.is_lowest, number, names);
        Ok(ambiguities)
    }

    /// Ends the range, which from here on counts as a layer that is kept. Returns the
    /// savings of merging it.
    pub(crate) fn end_range(&mut self, layers: u32) -> Savings {
        let range = std::mem::replace(&mut self.range, Tree::new());
        let mut savings = Savings::default();
        for (id, inode) in self.inodes.iter_from(self.first_inode) {
            let is_of_range = inode.place.layer >= self.first_layer;
            if is_of_range && self.names_in_range.count(id) == 0 {
                savings.hidden += inode.size();
            }
        }
        if let Some(below) = &mut self.below {
            below.apply(range, true, |inode| inode, &mut self.names_below);
            let mut losers = self.names_below.take_losers();
            losers.sort();
            losers.dedup();
            // A copy was made by merging, and is not a file of the input.
            losers.retain(|id| self.names_below.count(*id) == 0 && !self.is_copy.contains(id));
            for id in losers {
                let inode = &self.inodes[id];
                if inode.size() > 0 {
                    savings.below += inode.size();
                    let lowest = savings.lowest.unwrap_or(u32::MAX);
                    savings.lowest = Some(lowest.min(inode.place.layer));
                }
            }
        }
        self.first_layer += layers;
        self.is_lowest = false;
        self.begin_range();
        savings
    }

    /// Starts the range at the next new inode.
    fn begin_range(&mut self) {
        self.first_inode = self.inodes.next();
        self.names_in_range = Names::from(self.first_inode);
        self.copies.clear();
    }

    /// Adds the inodes of a layer, and resolves its hard links to lower layers.
    fn adopt(
        &mut self,
        changes: Changes,
        is_of_range: bool,
    ) -> Result<(Tree, impl Fn(InodeId) -> InodeId + use<>, Ambiguities), LayerError> {
        let Changes {
            tree,
            inodes,
            far_links,
            dropped: _,
            mut ambiguities,
        } = changes;
        let mut targets = HashMap::new();
        for link in &far_links {
            if let Some(target) = &link.target {
                let target = self.target(target, is_of_range);
                let target = target.map_err(|f| LayerError::entry(link.path.as_bytes(), f))?;
                targets.insert(link.inode, target);
            }
        }
        let InodeId(offset) = self.inodes.next();
        self.inodes.append(inodes);
        for link in far_links {
            let path = link.path.as_bytes();
            if link.target.is_some() {
                ambiguities.note(Ambiguity::LowerLink, path);
            }
            let target = targets[&link.inode];
            let inode = &mut self.inodes[target];
            let has_changed = inode.apply_link_metadata(link.metadata);
            if has_changed.map_err(|fault| LayerError::entry(path, fault))? {
                ambiguities.note(Ambiguity::LinkMetadata, path);
            }
        }
        let number = move |inode: InodeId| match targets.get(&inode) {
            Some(target) => *target,
            None => InodeId(offset + inode.0),
        };
        Ok((tree, number, ambiguities))
    }

    /// The inode to which a hard link into a lower layer points.
    pub(super) fn target(
        &mut self,
        target: &EntryPath,
        is_of_range: bool,
    ) -> Result<InodeId, EntryFault> {
        let display = || display_start(target.as_bytes());
        let mut found = self.range.find(target);
        let is_below = found == Found::Lower;
        if let (true, Some(below)) = (is_below, &self.below) {
            found = below.find(target);
        }
        let inode = match found {
            Found::Child(Child::Node(inode, _)) => inode,
            Found::Child(_) => return Err(EntryFault::LinkToDirectory { target: display() }),
            Found::Lower if self.below.is_none() => {
                return Err(EntryFault::LinkToUnknown { target: display() });
            }
            Found::Nothing | Found::Lower => {
                return Err(EntryFault::LinkToNothing { target: display() });
            }
        };
        if !(is_below && is_of_range) {
            return Ok(inode);
        }
        if let Some(copy) = self.copies.get(&inode) {
            return Ok(*copy);
        }
        let copy = self.inodes.push(self.inodes[inode].clone());
        self.copies.insert(inode, copy);
        self.is_copy.insert(copy);
        Ok(copy)
    }

    /// Records directories for which a layer has no entry, and of which engines make
    /// different things depending on what is below.
    fn look_below(&self, upper: &Tree, ambiguities: &mut Ambiguities) {
        // Names on the way, each with the index of the previous one.
        let mut trail: Vec<(usize, &[u8])> = vec![(0, b"")];
        let mut pending = vec![(ROOT, Some(ROOT), self.below.as_ref().map(|_| ROOT), 0)];
        while let Some((parent_id, in_range, in_below, parent)) = pending.pop() {
            for (name, child) in &upper.get(parent_id).children {
                let Child::Directory(id) = child else {
                    continue;
                };
                trail.push((parent, name));
                let here = trail.len() - 1;
                let (lower, in_range, in_below) = if upper.get(parent_id).is_opaque {
                    (Lower::Nothing, None, None)
                } else {
                    self.lower(name, in_range, in_below)
                };
                if let Some(ambiguity) = ambiguity_of(upper.get(*id), &lower) {
                    ambiguities.note(ambiguity, &path_of(&trail, here));
                }
                // Where lower layers have nothing, they have nothing further down.
                if in_range.is_some() || in_below.is_some() {
                    pending.push((*id, in_range, in_below, here));
                }
            }
        }
    }

    /// The lower thing with this name in a directory, of which both the range and the
    /// layers below it may have a part.
    fn lower<'a>(
        &'a self,
        name: &[u8],
        in_range: Option<DirectoryId>,
        in_below: Option<DirectoryId>,
    ) -> (Lower<'a>, Option<DirectoryId>, Option<DirectoryId>) {
        let of_range = in_range.map(|id| self.range.get(id));
        let is_opaque = of_range.is_some_and(|directory| directory.is_opaque);
        let below = self.below.as_ref().filter(|_| !is_opaque);
        let of_below = in_below.zip(below).map(|(id, below)| below.get(id));
        let under = |directory: Option<&Directory>| directory?.children.get(name).copied();
        let below_directory = match under(of_below) {
            Some(Child::Directory(id)) => Some(id),
            _ => None,
        };
        match (under(of_range), under(of_below)) {
            (Some(Child::Directory(id)), _) => {
                let directory = self.range.get(id);
                let below_directory = below_directory.filter(|_| !directory.is_opaque);
                let below_metadata = below_directory.zip(below).map(|(id, below)| below.get(id));
                let metadata = directory.metadata.is_some().then_some(directory);
                let lower = Lower::Directory(metadata.or(below_metadata));
                (lower, Some(id), below_directory)
            }
            (Some(Child::Node(inode, _)), _) | (None, Some(Child::Node(inode, _))) => {
                (Lower::Node(&self.inodes[inode]), None, None)
            }
            (None, Some(Child::Directory(id))) => {
                let directory = below.map(|below| below.get(id));
                (Lower::Directory(directory), None, Some(id))
            }
            _ => (Lower::Nothing, None, None),
        }
    }
}

/// The thing below a directory of an upper layer.
enum Lower<'a> {
    /// Nothing, or something unknown.
    Nothing,
    /// A directory, and the one with its metadata.
    Directory(Option<&'a Directory>),
    /// Something else.
    Node(&'a Inode),
}

/// The ambiguity of this directory in a layer above `lower`, if any.
fn ambiguity_of(upper: &Directory, lower: &Lower<'_>) -> Option<Ambiguity> {
    if upper.metadata.is_some() {
        return None;
    }
    match lower {
        Lower::Node(inode) => Some(match inode.kind {
            NodeKind::Symlink(_) => Ambiguity::ThroughSymlink,
            _ => Ambiguity::ParentIsFile,
        }),
        Lower::Directory(Some(directory)) if !upper.is_new => {
            let metadata = directory.metadata.as_ref()?;
            let owner = (metadata.uid, metadata.gid);
            let is_default = metadata.mode == IMPLIED_MODE && owner == (0, 0);
            (!is_default).then_some(Ambiguity::ImpliedDirectory)
        }
        Lower::Directory(_) | Lower::Nothing => None,
    }
}

fn path_of(trail: &[(usize, &[u8])], mut at: usize) -> Vec<u8> {
    let mut names = Vec::new();
    while at > 0 {
        names.push(trail[at].1);
        at = trail[at].0;
    }
    names.reverse();
    names.join(&b'/')
}
