//! What one layer changes, read from its entries.
//!
//! Whiteouts concern the layers below only, wherever they stand among the entries
//! (OCI layer.md): they are collected first and put in when all else is known. The
//! path of each is the one that its name means where it stands: a symbolic link
//! before it leads elsewhere, one after it does not.

mod whiteouts;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::layer::Ambiguity;
use crate::layer::{
    Budget, Entry, EntryFault, EntryKind, EntryPath, LayerError, Metadata, NodeKind, Whiteout,
    components, display_start, is_aufs_name, size_of_attributes,
};
use crate::limits::{
    ATTRIBUTES_MAX, DETOURS_PER_ENTRY, ENTRIES_MAX, LINK_COMPONENTS_MAX, RETAINED_BYTES_MAX,
    SYMLINKS_MAX,
};
use crate::merge::ambiguities::Ambiguities;
use crate::merge::changes::whiteouts::Deletion;
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

/// The most names that a file has on ext4, where most engines keep their layers.
const LINKS_MAX: u32 = 65_000;

/// What one layer changes: a tree with whiteouts in it.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    /// The tree; its inodes are numbered from 0.
    pub(super) tree: Tree,
    /// The inodes that the layer has.
    pub(super) inodes: Inodes,
    /// Hard links to something in a lower layer, in their order.
    pub(super) far_links: Vec<LowerLink>,
    /// What engines understand differently.
    pub(super) ambiguities: Ambiguities,
}

/// A hard link to what only a lower layer has, or to such a link.
#[derive(Clone, Debug)]
pub(super) struct LowerLink {
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
    /// How many names hard links have given to each inode that has some.
    links: HashMap<InodeId, u32>,
    budget: Arc<Budget>,
    /// Components that symbolic links may still add to paths.
    detours: u64,
    /// Where the last entry was put: mostly the next one goes there too.
    last: Option<Last>,
}

/// Where an entry was put.
#[derive(Debug)]
struct Last {
    /// The directory as the entry's name has it.
    path: Vec<u8>,
    directory: DirectoryId,
    /// Whether an absolute symbolic link of the layer leads there.
    is_through_absolute: bool,
}

/// Where the path of a directory leads.
#[derive(Debug)]
struct Route {
    /// The same path to the letter: through no symbolic link.
    path: Vec<u8>,
    /// The directories on that path which the layer has, the root first.
    known: Vec<DirectoryId>,
    /// What is in the way, escaped, and no directory.
    obstacle: Option<String>,
    /// Whether an absolute symbolic link of the layer leads there.
    is_through_absolute: bool,
    /// Whether a symbolic link of the layer leads to what the layer does not have.
    is_through_dangling: bool,
    /// Whether a symbolic link of the layer leads above the root.
    is_above_root: bool,
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

    /// Notes all that is odd about an entry itself.
    pub(crate) fn note_all(&mut self, ambiguities: &[Ambiguity], path: &EntryPath) {
        for ambiguity in ambiguities {
            self.note(*ambiguity, path);
        }
    }

    /// Notes something about an entry that is worth a warning.
    fn note(&mut self, ambiguity: Ambiguity, path: &EntryPath) {
        self.changes.ambiguities.note(ambiguity, path.as_bytes());
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
            let name = match whiteout {
                Whiteout::Name(name) => Some(name),
                Whiteout::Opaque => None,
            };
            return self.delete_later(&path, name, number);
        }
        if is_overlay_whiteout(&kind) {
            self.note(Ambiguity::DeviceWhiteout, &path);
            return self.delete_later(&path, Some(name), number);
        }
        // Engines keep AUFS's files for the links to them, and nothing else.
        let is_bookkeeping = components(path.as_bytes()).next().is_some_and(is_aufs_name);
        if is_bookkeeping && !is_file_or_directory(&kind) {
            self.note(Ambiguity::BookkeepingLeftOut, &EntryPath::default());
            return Ok(());
        }
        let (directory, is_through_absolute) = self.parent(parent, &path)?;
        if is_through_absolute && matches!(kind, EntryKind::Node(NodeKind::File(1..))) {
            self.note(Ambiguity::ThroughAbsoluteLink, &path);
        }
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
                if let NodeKind::Symlink(target) = &kind
                    && has_attribute(&metadata)
                    && !self.leads_somewhere(parent, target)
                {
                    self.note(Ambiguity::AttributeOnLink, &path);
                }
                let inode = self.new_inode(kind, metadata, place);
                self.put(directory, name, Child::Node(inode, place), &path);
            }
            EntryKind::HardLink(target) => {
                let inode = self.link(&path, target, metadata, place)?;
                let links = self.links.entry(inode).or_default();
                *links += 1;
                // The file has a name beside those of its links.
                if *links >= LINKS_MAX {
                    self.note(Ambiguity::TooManyLinks, &path);
                }
                self.put(directory, name, Child::Node(inode, place), &path);
            }
        }
        Ok(())
    }

    /// Ends the layer. `is_estargz` says that it has files of its compression.
    pub(crate) fn finish(mut self, is_estargz: bool) -> Result<Changes, LayerError> {
        self.put_whiteouts()?;
        let root = self.changes.tree.get_mut(ROOT);
        let before = root.children.len();
        let is_foreign = |name: &[u8]| is_aufs_name(name) || (is_estargz && is_estargz_name(name));
        root.children.retain(|name, _| !is_foreign(name));
        if root.children.len() < before {
            self.note(Ambiguity::BookkeepingLeftOut, &EntryPath::default());
        }
        Ok(self.changes)
    }

    /// Whether the layer has a file at its root that may belong to eStargz.
    pub(crate) fn may_be_estargz(&self) -> bool {
        let root = self.changes.tree.get(ROOT);
        ESTARGZ.iter().any(|name| root.children.contains_key(*name))
    }

    fn note_opaque_attribute(&mut self, path: &EntryPath, metadata: &Metadata) {
        let is_opaque = |(key, value): &(Vec<u8>, Vec<u8>)| key == OVERLAY_OPAQUE && value == b"y";
        if metadata.attributes.iter().any(is_opaque) {
            self.note(Ambiguity::OpaqueAttribute, path);
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
            self.note(Ambiguity::Repeated, path);
        }
    }

    fn child(&self, directory: DirectoryId, name: &[u8]) -> Option<Child> {
        let children = &self.changes.tree.get(directory).children;
        children.get(name).copied()
    }

    /// Gives a name a new meaning; the last one of a layer wins.
    fn put(&mut self, directory: DirectoryId, name: &[u8], child: Child, path: &EntryPath) {
        let children = &mut self.changes.tree.get_mut(directory).children;
        let Some(replaced) = children.insert(name.into(), child) else {
            return;
        };
        self.last = None;
        self.note(Ambiguity::Repeated, path);
        if let (Child::Directory(id), Child::Node(..)) = (replaced, child)
            && self.has_directory_entry(id)
        {
            self.note(Ambiguity::DirectoryReplaced, path);
        }
    }

    /// Whether the layer has an entry for a directory, or for one in it.
    fn has_directory_entry(&self, id: DirectoryId) -> bool {
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            let directory = self.changes.tree.get(id);
            if directory.metadata.is_some() {
                return true;
            }
            let children = directory.children.values();
            pending.extend(children.filter_map(|child| match child {
                Child::Directory(id) => Some(*id),
                _ => None,
            }));
        }
        false
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
        if self.budget.claim_bytes(bytes) {
            return Ok(());
        }
        Err(EntryFault::TooMuchHeld {
            limit: RETAINED_BYTES_MAX,
        })
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
        let route = self.route(parent)?;
        if route.is_above_root {
            self.note(Ambiguity::AboveRoot, path);
        }
        if let Some(parent) = route.obstacle {
            return Err(EntryFault::NotInDirectory { parent });
        }
        let is_known = components(&route.path).count() + 1 == route.known.len();
        let directory = route.known.last().filter(|_| is_known);
        let found = directory.and_then(|directory| self.child(*directory, name));
        let target = target.moved_to(&route.path);
        match found {
            Some(Child::Node(inode, _)) if self.far.contains(&inode) => {
                self.hold(path.as_bytes().len())?;
                self.changes.far_links.push(LowerLink {
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
                if apply_link_metadata(inode, metadata)? {
                    self.note(Ambiguity::LinkMetadata, path);
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
                self.changes.far_links.push(LowerLink {
                    inode,
                    path: path.clone(),
                    target: Some(target),
                    metadata,
                });
                Ok(inode)
            }
        }
    }

    /// The directory that an entry goes into, which is made if it is not there, and
    /// whether an absolute symbolic link of this layer leads there.
    fn parent(
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

    /// Whether a symbolic link in this directory leads to what the layer has by now.
    fn leads_somewhere(&mut self, parent: &[u8], target: &[u8]) -> bool {
        let path = match target {
            [b'/', ..] => target.to_vec(),
            _ => [parent, b"/", target].concat(),
        };
        let Ok(route) = self.route(&path) else {
            return false;
        };
        // What is no directory is an obstacle, and the end of a path may be one.
        let unknown = 1 + components(&route.path).count() - route.known.len();
        unknown == usize::from(route.obstacle.is_some())
    }

    /// Notes what engines do not understand alike on the way to an entry.
    fn note_route(&mut self, route: &Route, entry: &EntryPath) {
        if route.is_above_root {
            self.note(Ambiguity::AboveRoot, entry);
        }
        if route.is_through_dangling {
            self.note(Ambiguity::ThroughDanglingLink, entry);
        }
    }

    /// Where the path of a directory leads as the layer is by now: through the symbolic
    /// links of this layer and of no other, and never above the root.
    fn route(&mut self, path: &[u8]) -> Result<Route, EntryFault> {
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
                    // Engines take an absolute link for one inside the root, whatever it says.
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
                let inode = &self.changes.inodes[inode.0 as usize];
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

/// Gives the metadata of a hard link's entry to what it links, and says whether that
/// changed anything.
///
/// Attributes are set where the entry has them, and none is removed.
pub(super) fn apply_link_metadata(
    inode: &mut Inode,
    mut metadata: Metadata,
) -> Result<bool, EntryFault> {
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

fn is_file_or_directory(kind: &EntryKind) -> bool {
    matches!(
        kind,
        EntryKind::Directory | EntryKind::Node(NodeKind::File(_))
    )
}

fn has_attribute(metadata: &Metadata) -> bool {
    let mut attributes = metadata.attributes.iter();
    attributes.any(|(key, _)| key.starts_with(b"SCHILY.xattr."))
}

fn is_estargz_name(name: &[u8]) -> bool {
    ESTARGZ.contains(&name)
}
