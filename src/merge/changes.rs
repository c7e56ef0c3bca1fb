//! What one layer changes, read from its entries.
//!
//! Whiteouts concern the layers below only, wherever they stand among the entries
//! (OCI layer.md): they are collected first and put in when all else is known.

use std::collections::HashSet;
use std::sync::Arc;

use crate::event::Oddity;
use crate::layer::{
    Budget, Entry, EntryFault, EntryKind, EntryPath, LayerError, Metadata, NodeKind, Whiteout,
    components, display_start, is_aufs_name, size_of_attributes,
};
use crate::limits::{
    ATTRIBUTES_MAX, DETOURS_MAX, DETOURS_PER_ENTRY, ENTRIES_MAX, HELD_MAX, SYMLINKS_MAX,
};
use crate::merge::oddities::Oddities;
use crate::merge::tree::{
    Child, Directory, DirectoryId, Inode, InodeId, Inodes, Place, ROOT, Tree,
};

/// Files at the root of an eStargz layer that belong to its compression, and not to
/// the image (stargz-snapshotter, docs/estargz.md).
const ESTARGZ: [&[u8]; 3] = [
    b"stargz.index.json",
    b".prefetch.landmark",
    b".no.prefetch.landmark",
];

/// An attribute by which an overlay file system, and so Docker, takes a directory
/// for opaque. Nothing in the specification says so.
const OVERLAY_OPAQUE: &[u8] = b"SCHILY.xattr.trusted.overlay.opaque";

/// What one layer changes: a tree with whiteouts in it.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    /// The tree; its inodes are numbered from 0.
    pub(super) tree: Tree,
    /// The inodes that the layer has.
    pub(super) inodes: Inodes,
    /// Hard links to something in a lower layer, in their order.
    pub(super) far_links: Vec<FarLink>,
    /// What engines understand differently.
    pub(super) oddities: Oddities,
}

/// A hard link to what only a lower layer has, or to such a link.
#[derive(Clone, Debug)]
pub(super) struct FarLink {
    /// The inode that stands for the target.
    pub(super) inode: InodeId,
    /// The link.
    pub(super) path: EntryPath,
    /// What it is a link to, if that is in a lower layer.
    pub(super) target: Option<EntryPath>,
    /// What its entry says, which counts for the target.
    pub(super) metadata: Metadata,
}

/// Builds [`Changes`], entry by entry.
#[derive(Debug)]
pub(crate) struct ChangesBuilder {
    layer: u32,
    changes: Changes,
    whiteouts: Vec<Deletion>,
    /// Inodes that stand for something in a lower layer.
    far: HashSet<InodeId>,
    budget: Arc<Budget>,
    /// Components that symbolic links may still add to paths.
    detours: u64,
    /// Where the last entry was put: mostly the next one goes there too.
    last: Option<(Vec<u8>, DirectoryId)>,
}

/// A whiteout that was met.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Deletion {
    parent: Vec<u8>,
    /// What is deleted in it; absent for an opaque whiteout.
    name: Option<Vec<u8>>,
    /// The number of the entry.
    entry: u32,
}

impl ChangesBuilder {
    /// Begins the changes of a layer, which is counted from 0. What it implies is
    /// claimed from the budget.
    pub(crate) fn new(layer: u32, budget: Arc<Budget>) -> Self {
        let mut tree = Tree::new();
        *tree.get_mut(ROOT) = Directory::implied(layer);
        Self {
            layer,
            changes: Changes {
                tree,
                inodes: Inodes::new(),
                far_links: Vec::new(),
                oddities: Oddities::default(),
            },
            whiteouts: Vec::new(),
            far: HashSet::new(),
            budget,
            detours: DETOURS_MAX,
            last: None,
        }
    }

    /// Notes something about an entry that is worth a warning.
    pub(crate) fn note(&mut self, oddity: Oddity, path: &EntryPath) {
        self.changes.oddities.note(oddity, path.as_bytes());
    }

    /// Takes the next entry, which has this number.
    pub(crate) fn add(&mut self, entry: Entry, number: u32) -> Result<(), EntryFault> {
        let place = Place {
            layer: self.layer,
            entry: number,
        };
        let Entry {
            path,
            kind,
            metadata,
        } = entry;
        self.detours = self.detours.saturating_add(DETOURS_PER_ENTRY);
        if path.is_root() {
            self.note_opaque_attribute(&path, &metadata);
            self.put_directory(ROOT, &path, metadata, place);
            return Ok(());
        }
        let (parent, name) = path.split_last();
        let is_aufs = parent.is_empty() && is_aufs_name(name);
        if let (false, Some(whiteout)) = (is_aufs, Whiteout::parse(name)?) {
            self.hold(path.as_bytes().len())?;
            self.whiteouts.push(Deletion {
                parent: parent.to_vec(),
                name: match whiteout {
                    Whiteout::Name(name) => Some(name.to_vec()),
                    Whiteout::Opaque => None,
                },
                entry: number,
            });
            return Ok(());
        }
        if is_overlay_whiteout(&kind) {
            self.note(Oddity::DeviceWhiteout, &path);
            self.hold(path.as_bytes().len())?;
            self.whiteouts.push(Deletion {
                parent: parent.to_vec(),
                name: Some(name.to_vec()),
                entry: number,
            });
            return Ok(());
        }
        let directory = self.parent(parent)?;
        match kind {
            EntryKind::Directory => {
                self.note_opaque_attribute(&path, &metadata);
                let id = if let Some(Child::Directory(id)) = self.child(directory, name) {
                    id
                } else {
                    let new = self.changes.tree.add(Directory::implied(self.layer));
                    self.put(directory, name, Child::Directory(new), &path);
                    new
                };
                self.put_directory(id, &path, metadata, place);
            }
            EntryKind::Node(kind) => {
                let inode = self.new_inode(kind, metadata, place);
                self.put(directory, name, Child::Node(inode, place), &path);
            }
            EntryKind::HardLink(target) => {
                let inode = self.link(&path, target, metadata, place)?;
                self.put(directory, name, Child::Node(inode, place), &path);
            }
        }
        Ok(())
    }

    /// Ends the layer. `is_estargz` says that it has files of its compression.
    pub(crate) fn finish(mut self, is_estargz: bool) -> Result<Changes, LayerError> {
        // Their order must not matter, so they get one.
        let mut whiteouts = std::mem::take(&mut self.whiteouts);
        whiteouts.sort();
        for deletion in whiteouts {
            let parent = self.reach(&deletion.parent, true);
            match parent {
                Ok(Some(parent)) => self.delete(parent, &deletion),
                // It lies in something that this layer replaces by a file.
                Ok(None) | Err(EntryFault::NotInDirectory { .. }) => {}
                Err(fault) => return Err(LayerError::entry(&deletion.path(), fault)),
            }
        }
        let root = self.changes.tree.get_mut(ROOT);
        let before = root.children.len();
        let is_foreign = |name: &[u8]| is_aufs_name(name) || (is_estargz && is_estargz_name(name));
        root.children.retain(|name, _| !is_foreign(name));
        if root.children.len() < before {
            self.note(Oddity::BookkeepingLeftOut, &EntryPath::default());
        }
        Ok(self.changes)
    }

    /// Whether the layer has a file at its root that may belong to eStargz.
    pub(crate) fn may_be_estargz(&self) -> bool {
        let root = self.changes.tree.get(ROOT);
        ESTARGZ.iter().any(|name| root.children.contains_key(*name))
    }

    fn delete(&mut self, parent: DirectoryId, deletion: &Deletion) {
        let directory = self.changes.tree.get_mut(parent);
        let Some(name) = &deletion.name else {
            directory.is_opaque = true;
            if parent == ROOT {
                self.note(Oddity::OpaqueRoot, &EntryPath::default());
            }
            return;
        };
        let is_ambiguous = match directory.children.get(name.as_slice()).copied() {
            None => {
                let name = name.clone().into_boxed_slice();
                directory.children.insert(name, Child::Whiteout);
                false
            }
            Some(Child::Whiteout) => false,
            // The node replaces what is below anyway.
            Some(Child::Node(_, place)) => place.entry < deletion.entry,
            Some(Child::Directory(id)) => {
                let directory = self.changes.tree.get_mut(id);
                directory.is_opaque = true;
                directory.is_new = true;
                true
            }
        };
        if is_ambiguous {
            let path = deletion.path();
            self.changes.oddities.note(Oddity::DeletedAndMade, &path);
        }
    }

    fn note_opaque_attribute(&mut self, path: &EntryPath, metadata: &Metadata) {
        let is_opaque = |(key, value): &(Vec<u8>, Vec<u8>)| key == OVERLAY_OPAQUE && value == b"y";
        if metadata.attributes.iter().any(is_opaque) {
            self.note(Oddity::OpaqueAttribute, path);
        }
    }

    fn put_directory(
        &mut self,
        id: DirectoryId,
        path: &EntryPath,
        metadata: Metadata,
        place: Place,
    ) {
        let directory = self.changes.tree.get_mut(id);
        let is_repeated = directory.metadata.is_some();
        directory.metadata = Some(Box::new(metadata));
        directory.place = place;
        if is_repeated {
            self.note(Oddity::Repeated, path);
        }
    }

    fn child(&self, directory: DirectoryId, name: &[u8]) -> Option<Child> {
        let children = &self.changes.tree.get(directory).children;
        children.get(name).copied()
    }

    /// Gives a name a new meaning; the last one of a layer wins.
    fn put(&mut self, directory: DirectoryId, name: &[u8], child: Child, path: &EntryPath) {
        let children = &mut self.changes.tree.get_mut(directory).children;
        if children.insert(name.into(), child).is_some() {
            self.last = None;
            self.note(Oddity::Repeated, path);
        }
    }

    /// Makes a directory that no entry is for, at a path of so many bytes.
    fn imply(
        &mut self,
        at: DirectoryId,
        name: &[u8],
        path_length: usize,
    ) -> Result<DirectoryId, EntryFault> {
        if !self.budget.claim_entry() {
            return Err(EntryFault::TooManyDirectories { limit: ENTRIES_MAX });
        }
        // It may have to be written under its whole path.
        self.hold(path_length)?;
        let new = self.changes.tree.add(Directory::implied(self.layer));
        let children = &mut self.changes.tree.get_mut(at).children;
        children.insert(name.into(), Child::Directory(new));
        Ok(new)
    }

    /// Claims memory for what is remembered beside the names and attributes.
    fn hold(&self, bytes: usize) -> Result<(), EntryFault> {
        if self.budget.claim_held(bytes) {
            return Ok(());
        }
        Err(EntryFault::TooMuchHeld { limit: HELD_MAX })
    }

    fn new_inode(&mut self, kind: NodeKind, metadata: Metadata, place: Place) -> InodeId {
        let id = u32::try_from(self.changes.inodes.len()).expect("entries are limited");
        self.changes.inodes.push(Inode {
            kind,
            metadata,
            place,
        });
        InodeId(id)
    }

    /// The inode that a hard link names: one of this layer, or one that stands for
    /// something below.
    fn link(
        &mut self,
        path: &EntryPath,
        target: EntryPath,
        metadata: Metadata,
        place: Place,
    ) -> Result<InodeId, EntryFault> {
        if *path == target {
            return Err(EntryFault::LinkToItself);
        }
        if target.is_root() {
            let target = "/".to_owned();
            return Err(EntryFault::LinkToDirectory { target });
        }
        let (parent, name) = target.split_last();
        let found = match self.reach(parent, false)? {
            Some(directory) => self.child(directory, name),
            None => None,
        };
        match found {
            Some(Child::Node(inode, _)) if self.far.contains(&inode) => {
                self.hold(path.as_bytes().len())?;
                self.changes.far_links.push(FarLink {
                    inode,
                    path: path.clone(),
                    target: None,
                    metadata,
                });
                Ok(inode)
            }
            Some(Child::Node(id, _)) => {
                // Docker and containerd give the metadata of the link's entry to
                // what it links; tar does not. They agree where these are the same.
                let inode = &mut self.changes.inodes[id.0 as usize];
                if relink(inode, metadata)? {
                    self.note(Oddity::LinkMetadata, path);
                }
                Ok(id)
            }
            Some(Child::Directory(_)) => Err(EntryFault::LinkToDirectory {
                target: display_start(target.as_bytes()),
            }),
            Some(Child::Whiteout) | None => {
                self.hold(path.as_bytes().len() + target.as_bytes().len())?;
                let inode = self.new_inode(NodeKind::File(0), metadata.clone(), place);
                self.far.insert(inode);
                self.changes.far_links.push(FarLink {
                    inode,
                    path: path.clone(),
                    target: Some(target),
                    metadata,
                });
                Ok(inode)
            }
        }
    }

    /// The directory that an entry goes into, which is made if it is not there.
    fn parent(&mut self, path: &[u8]) -> Result<DirectoryId, EntryFault> {
        if let Some((last, id)) = &self.last
            && last == path
        {
            return Ok(*id);
        }
        let reached = self.reach(path, true)?;
        let id = reached.expect("what is not there is made");
        self.last = Some((path.to_vec(), id));
        Ok(id)
    }

    /// Goes to a directory, through the symbolic links of this layer and of no other,
    /// and never above the root. What is missing is made if `make` says so; else it
    /// is `None`.
    fn reach(&mut self, path: &[u8], make: bool) -> Result<Option<DirectoryId>, EntryFault> {
        let mut stack = vec![ROOT];
        let mut rest: Vec<Vec<u8>> = Vec::new();
        let mut names = components(path);
        let (mut symlinks, mut taken) = (0, 0);
        loop {
            let at = *stack.last().expect("the root is never left");
            let owned = rest.pop();
            let name = match &owned {
                Some(name) => name.as_slice(),
                None => match names.next() {
                    Some(name) => {
                        taken += 1;
                        name
                    }
                    None => return Ok(Some(at)),
                },
            };
            match (name, self.child(at, name)) {
                (b"" | b".", _) => {}
                (b"..", _) => stack.truncate((stack.len() - 1).max(1)),
                (_, Some(Child::Directory(id))) => stack.push(id),
                (_, Some(Child::Node(inode, _))) => {
                    let inode = &self.changes.inodes[inode.0 as usize];
                    let NodeKind::Symlink(target) = &inode.kind else {
                        let way: Vec<&[u8]> = components(path).take(taken).collect();
                        let parent = display_start(&way.join(&b'/'));
                        return Err(EntryFault::NotInDirectory { parent });
                    };
                    symlinks += 1;
                    let names = target.split(|byte| *byte == b'/');
                    let detour = self.detours.checked_sub(names.clone().count() as u64);
                    let (Some(left), ..=SYMLINKS_MAX) = (detour, symlinks) else {
                        return Err(EntryFault::SymlinkLoop);
                    };
                    self.detours = left;
                    if target.starts_with(b"/") {
                        stack.truncate(1);
                    }
                    rest.extend(names.rev().map(<[u8]>::to_vec));
                }
                (_, deleted @ (Some(Child::Whiteout) | None)) if make => {
                    let new = self.imply(at, name, path.len())?;
                    // What was deleted below is made again here.
                    let is_new = deleted.is_some();
                    let directory = self.changes.tree.get_mut(new);
                    (directory.is_opaque, directory.is_new) = (is_new, is_new);
                    stack.push(new);
                }
                (_, Some(Child::Whiteout) | None) => return Ok(None),
            }
        }
    }
}

impl Deletion {
    /// The path of what is deleted, or of the directory that becomes opaque.
    fn path(&self) -> Vec<u8> {
        match (&self.name, self.parent.as_slice()) {
            (None, parent) => parent.to_vec(),
            (Some(name), b"") => name.clone(),
            (Some(name), parent) => [parent, b"/", name].concat(),
        }
    }
}

/// Gives the metadata of a hard link's entry to what it links, and says whether that
/// changed anything.
///
/// Attributes are set where the entry has them, and none is removed.
pub(super) fn relink(inode: &mut Inode, mut metadata: Metadata) -> Result<bool, EntryFault> {
    let given = metadata.attributes.len();
    for record in &inode.metadata.attributes {
        let found = metadata.attributes[..given].binary_search_by(|it| it.0.cmp(&record.0));
        if found.is_err() {
            metadata.attributes.push(record.clone());
        }
    }
    metadata.attributes.sort();
    if size_of_attributes(&metadata.attributes) > ATTRIBUTES_MAX {
        let limit = ATTRIBUTES_MAX;
        return Err(EntryFault::AttributesTooLarge { limit });
    }
    let has_changed = metadata != inode.metadata;
    inode.metadata = metadata;
    Ok(has_changed)
}

/// Whether an entry is how an overlay file system keeps a whiteout on disk: a
/// character device 0:0. Docker takes it for one.
fn is_overlay_whiteout(kind: &EntryKind) -> bool {
    matches!(kind, EntryKind::Node(NodeKind::CharDevice(device)) if device.major == 0 && device.minor == 0)
}

fn is_estargz_name(name: &[u8]) -> bool {
    ESTARGZ.contains(&name)
}
