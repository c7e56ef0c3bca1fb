//! The changes of one layer, read from its entries.
//!
//! Whiteouts only affect lower layers, wherever they are among the entries (OCI
//! layer.md): they are collected first, and added after everything else. The path of
//! each is resolved at its position: through symbolic links before it, but not those
//! after it.

mod builder;
mod kept;
mod whiteouts;

use crate::layer::{
    Ambiguity, Entry, EntryFault, EntryKind, EntryPath, Interpreter, LayerError, Metadata,
    NodeKind, Whiteout, WhiteoutError, components, display_start, is_aufs_name,
};
use crate::limits::DETOURS_PER_ENTRY;
use crate::merge::changes::builder::LowerLink;
use crate::merge::tree::{Child, Directory, DirectoryId, EntryPlace, Inode, InodeId, ROOT};

pub(super) use builder::Dropped;
pub(crate) use builder::{Changes, ChangesBuilder};
pub(crate) use kept::KeptChanges;

/// Files at the root of an eStargz layer that belong to its compression, and not to the
/// image (stargz-snapshotter, docs/estargz.md).
const ESTARGZ: [&[u8]; 3] = [
    b"stargz.index.json",
    b".prefetch.landmark",
    b".no.prefetch.landmark",
];

/// An attribute that makes a directory opaque for an overlay file system, and so for
/// Docker. It is not in the specification.
const OVERLAY_OPAQUE: &[u8] = b"SCHILY.xattr.trusted.overlay.opaque";

/// Maximum number of names of a file on ext4, where most engines store their layers.
const LINKS_MAX: u32 = 65_000;

impl ChangesBuilder {
    /// Adds the next entry, which is the current one of this interpreter.
    pub(crate) fn add(&mut self, entry: Entry, current: &Interpreter) -> Result<(), EntryFault> {
        let number = current.position();
        let place = EntryPlace {
            layer: self.layer,
            entry: number,
        };
        let Entry {
            path,
            kind,
            metadata,
        } = entry;
        for ambiguity in current.ambiguities() {
            self.note(*ambiguity, &path);
        }
        self.detours = self.detours.saturating_add(DETOURS_PER_ENTRY);
        if path.is_root() {
            self.note_opaque_attribute(&path, &metadata);
            self.put_directory(ROOT, &path, metadata, place);
            return Ok(());
        }
        // Engines keep AUFS's files for the links to them, and nothing else.
        let is_bookkeeping = components(path.as_bytes()).next().is_some_and(is_aufs_name);
        if is_bookkeeping && is_link_or_special(&kind) {
            self.note(Ambiguity::BookkeepingLeftOut, &EntryPath::default());
            return Ok(());
        }
        match kind {
            EntryKind::Directory | EntryKind::Whiteout(Whiteout::AufsDirectory) => {
                self.add_directory(&path, metadata, place)
            }
            EntryKind::HardLink(target) => self.add_link(&path, target, metadata, place),
            EntryKind::Node(kind) => self.add_node(&path, kind, metadata, place),
            EntryKind::Whiteout(Whiteout::AufsFile(size)) => {
                self.add_node(&path, NodeKind::File(size), metadata, place)
            }
            EntryKind::Whiteout(Whiteout::Name(name)) => {
                self.delete_later(&path, Some(name), number)
            }
            EntryKind::Whiteout(Whiteout::Opaque) => self.delete_later(&path, None, number),
            EntryKind::Whiteout(Whiteout::Device) => {
                self.note(Ambiguity::DeviceWhiteout, &path);
                let name = path.split_last().1.into();
                self.delete_later(&path, Some(name), number)
            }
            EntryKind::Whiteout(Whiteout::Invalid) => Err(WhiteoutError.into()),
        }
    }

    fn add_directory(
        &mut self,
        path: &EntryPath,
        metadata: Metadata,
        place: EntryPlace,
    ) -> Result<(), EntryFault> {
        let (parent, name) = path.split_last();
        let (directory, _) = self.parent(parent, path)?;
        self.note_opaque_attribute(path, &metadata);
        let id = if let Some(Child::Directory(id)) = self.child(directory, name) {
            id
        } else {
            let new = self.changes.tree.add(Directory::implied(self.layer));
            self.put(directory, name, Child::Directory(new), path)?;
            new
        };
        self.put_directory(id, path, metadata, place);
        Ok(())
    }

    fn add_node(
        &mut self,
        path: &EntryPath,
        kind: NodeKind,
        metadata: Metadata,
        place: EntryPlace,
    ) -> Result<(), EntryFault> {
        let (parent, name) = path.split_last();
        let (directory, is_through_absolute) = self.parent(parent, path)?;
        if is_through_absolute && matches!(kind, NodeKind::File(1..)) {
            self.note(Ambiguity::ThroughAbsoluteLink, path);
        }
        if let NodeKind::Symlink(target) = &kind
            && has_attribute(&metadata)
            && !self.leads_somewhere(parent, target)
        {
            self.note(Ambiguity::AttributeOnLink, path);
        }
        let inode = self.new_inode(kind, metadata, place);
        self.put(directory, name, Child::Node(inode, place), path)
    }

    fn add_link(
        &mut self,
        path: &EntryPath,
        target: EntryPath,
        metadata: Metadata,
        place: EntryPlace,
    ) -> Result<(), EntryFault> {
        let (parent, name) = path.split_last();
        let (directory, _) = self.parent(parent, path)?;
        let inode = self.link(path, target, metadata, place)?;
        let links = self.links.entry(inode).or_default();
        *links += 1;
        // The file also has a name of its own.
        if *links >= LINKS_MAX {
            self.note(Ambiguity::TooManyLinks, path);
        }
        self.put(directory, name, Child::Node(inode, place), path)
    }

    /// Ends the layer. `is_estargz` means that it has files of that compression.
    pub(crate) fn finish(mut self, is_estargz: bool) -> Result<Changes, LayerError> {
        self.put_whiteouts()?;
        let root = self.changes.tree.get_mut(ROOT);
        let is_foreign =
            |name: &[u8]| is_aufs_name(name) || (is_estargz && ESTARGZ.contains(&name));
        let mut foreign = Vec::new();
        root.children.retain(|name, child| {
            let is_foreign = is_foreign(name);
            if is_foreign {
                foreign.push((name.to_vec(), *child));
            }
            !is_foreign
        });
        if !foreign.is_empty() {
            self.note(Ambiguity::BookkeepingLeftOut, &EntryPath::default());
        }
        for (name, child) in foreign {
            let dropped = self.drop_names(child, name.clone(), true);
            dropped.map_err(|fault| LayerError::entry(&name, fault))?;
        }
        Ok(self.changes)
    }

    /// Returns true if a file at the root may belong to eStargz.
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
        place: EntryPlace,
    ) {
        let directory = self.changes.tree.get_mut(id);
        directory.place = place;
        let replaced = directory.metadata.replace(Box::new(metadata));
        if replaced.is_some() {
            self.note(Ambiguity::Repeated, path);
        }
    }

    /// Sets the target of a name; the last one in a layer wins.
    fn put(
        &mut self,
        directory: DirectoryId,
        name: &[u8],
        child: Child,
        path: &EntryPath,
    ) -> Result<(), EntryFault> {
        let children = &mut self.changes.tree.get_mut(directory).children;
        let Some(replaced) = children.insert(name.into(), child) else {
            return Ok(());
        };
        self.last = None;
        self.note(Ambiguity::Repeated, path);
        if let (Child::Directory(id), Child::Node(..)) = (replaced, child)
            && self.has_directory_entry(id)
        {
            self.note(Ambiguity::DirectoryReplaced, path);
        }
        self.drop_names(replaced, path.as_bytes().to_vec(), false)
    }

    /// Records that the names of a child are no longer in the tree.
    fn drop_names(
        &mut self,
        child: Child,
        path: Vec<u8>,
        is_bookkeeping: bool,
    ) -> Result<(), EntryFault> {
        self.hold(path.len())?;
        let mut pending = vec![(child, path)];
        while let Some((child, path)) = pending.pop() {
            match child {
                Child::Directory(id) => {
                    for (name, child) in &self.changes.tree.get(id).children {
                        let path = [path.as_slice(), b"/", name].concat();
                        self.hold(path.len())?;
                        pending.push((*child, path));
                    }
                }
                Child::Node(inode, _) => {
                    self.changes.dropped.push(Dropped {
                        path,
                        inode,
                        is_bookkeeping,
                    });
                }
                Child::Whiteout => {}
            }
        }
        Ok(())
    }

    /// Returns true if the layer has an entry for a directory, or for one in it.
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

    fn new_inode(&mut self, kind: NodeKind, metadata: Metadata, place: EntryPlace) -> InodeId {
        self.changes.inodes.push(Inode {
            kind,
            metadata,
            place,
        })
    }

    /// The inode that a hard link names: one of this layer, or one that represents a
    /// lower one.
    fn link(
        &mut self,
        path: &EntryPath,
        target: EntryPath,
        metadata: Metadata,
        place: EntryPlace,
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
                // Docker and containerd apply the metadata of the link's entry to its
                // target; tar does not. The result is the same if these are equal.
                let inode = &mut self.changes.inodes[id];
                if inode.apply_link_metadata(metadata)? {
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
}

fn is_link_or_special(kind: &EntryKind) -> bool {
    match kind {
        EntryKind::HardLink(_) => true,
        EntryKind::Node(kind) => !matches!(kind, NodeKind::File(_)),
        EntryKind::Directory | EntryKind::Whiteout(_) => false,
    }
}

fn has_attribute(metadata: &Metadata) -> bool {
    let mut attributes = metadata.attributes.iter();
    attributes.any(|(key, _)| key.starts_with(b"SCHILY.xattr."))
}
