//! A merged tree that can only be walked, in little memory.

use std::collections::HashMap;

use crate::layer::{Device, Metadata, NodeKind, Records};
use crate::merge::packed::{Packer, Unpacker};
use crate::merge::range::Merge;
use crate::merge::tree::{DirectoryId, EntryPlace, Inode, InodeId, Names};
use crate::merge::view::{TreeEntry, TreeNode};
use crate::tar_stream::Time;

/// The entries of a tree in their order, packed: a small part of what they take in a
/// [`Merge`].
#[derive(Debug)]
pub(crate) struct Listing {
    bytes: Vec<u8>,
    names: Names,
    /// The inodes with several names, which are not repeated for each of them.
    linked: HashMap<InodeId, Inode>,
}

/// The kind of a packed entry.
mod tag {
    pub(super) const IMPLIED_DIRECTORY: u8 = 0;
    pub(super) const DIRECTORY: u8 = 1;
    pub(super) const LINKED: u8 = 2;
    pub(super) const FILE: u8 = 3;
    pub(super) const SYMLINK: u8 = 4;
    pub(super) const CHAR_DEVICE: u8 = 5;
    pub(super) const BLOCK_DEVICE: u8 = 6;
    pub(super) const FIFO: u8 = 7;

    /// The bits of the kind.
    pub(super) const KIND: u8 = 0b111;
    /// Set if the layer is that of the last entry.
    pub(super) const SAME_LAYER: u8 = 0b1000;
    /// Set if the content is at the place of the entry.
    pub(super) const OWN_CONTENT: u8 = 0b1_0000;
    /// Set if the mode and the owner are those of the last entry with metadata, and the
    /// rest is the time in whole seconds.
    pub(super) const SAME_METADATA: u8 = 0b10_0000;
}

/// The values of the last entry: those of the next one are often near them.
#[derive(Debug)]
struct Last {
    place: EntryPlace,
    directory: u32,
    inode: u32,
    mode: u16,
    uid: i64,
    gid: i64,
    seconds: i64,
}

impl Last {
    fn new() -> Self {
        Self {
            place: EntryPlace { layer: 0, entry: 0 },
            directory: 0,
            inode: 0,
            mode: 0,
            uid: 0,
            gid: 0,
            seconds: 0,
        }
    }
}

/// Writes a number as its difference from the last one.
fn put_near(number: u32, last: &mut u32, packer: &mut Packer) {
    packer.signed(i64::from(number) - i64::from(*last));
    *last = number;
}

/// Reads what [`put_near`] wrote.
fn near(last: &mut u32, unpacker: &mut Unpacker<'_>) -> u32 {
    let number = i64::from(*last) + unpacker.signed();
    *last = u32::try_from(number).expect("it was one of 32 bits");
    *last
}

impl Merge {
    /// Packs the tree.
    pub(crate) fn into_listing(self) -> Listing {
        let mut packer = Packer::default();
        let mut linked = HashMap::new();
        let mut last_path = Vec::new();
        let mut last = Last::new();
        let mut entries = self.entries();
        while let Some((node, place)) = entries.advance() {
            let path = entries.path();
            let same = path.iter().zip(&last_path).take_while(|(a, b)| a == b);
            let same = same.count();
            packer.number(same as u64);
            packer.text(&path[same..]);
            last_path.truncate(same);
            last_path.extend_from_slice(&path[same..]);
            let is_linked = match node {
                TreeNode::Node(id, inode) if self.links(id) > 1 => {
                    linked.entry(id).or_insert_with(|| inode.clone());
                    true
                }
                _ => false,
            };
            put_node(node, place, is_linked, &mut last, &mut packer);
        }
        packer.0.shrink_to_fit();
        Listing {
            bytes: packer.0,
            names: self.names_in_range,
            linked,
        }
    }
}

fn put_node(
    node: TreeNode<'_>,
    place: EntryPlace,
    is_linked: bool,
    last: &mut Last,
    packer: &mut Packer,
) {
    let metadata = node.metadata().filter(|_| !is_linked);
    let mut tag = match node {
        TreeNode::Directory(_, None) => tag::IMPLIED_DIRECTORY,
        TreeNode::Directory(_, Some(_)) => tag::DIRECTORY,
        TreeNode::Node(..) if is_linked => tag::LINKED,
        TreeNode::Node(_, inode) => match inode.kind {
            NodeKind::File(_) => tag::FILE,
            NodeKind::Symlink(_) => tag::SYMLINK,
            NodeKind::CharDevice(_) => tag::CHAR_DEVICE,
            NodeKind::BlockDevice(_) => tag::BLOCK_DEVICE,
            NodeKind::Fifo => tag::FIFO,
        },
    };
    let is_same_layer = place.layer == last.place.layer;
    if is_same_layer {
        tag |= tag::SAME_LAYER;
    }
    let content = match node {
        TreeNode::Node(_, inode) if !is_linked && inode.place != place => Some(inode.place),
        _ => {
            tag |= tag::OWN_CONTENT;
            None
        }
    };
    let is_like_last = |metadata: &&Metadata| {
        let owner = (metadata.uid, metadata.gid);
        let is_same = metadata.mode == last.mode && owner == (last.uid, last.gid);
        is_same && metadata.mtime.nanoseconds == 0 && metadata.attributes.is_empty()
    };
    if metadata.as_ref().is_some_and(is_like_last) {
        tag |= tag::SAME_METADATA;
    }
    packer.0.push(tag);
    if !is_same_layer {
        packer.number(place.layer);
        last.place.layer = place.layer;
    }
    put_near(place.entry, &mut last.place.entry, packer);
    match node {
        TreeNode::Directory(id, _) => put_near(id.0, &mut last.directory, packer),
        TreeNode::Node(id, inode) => {
            put_near(id.0, &mut last.inode, packer);
            if let Some(content) = content {
                packer.number(content.layer);
                packer.number(content.entry);
            }
            if !is_linked {
                put_kind(&inode.kind, packer);
            }
        }
    }
    if let Some(metadata) = metadata {
        put_metadata(metadata, tag & tag::SAME_METADATA != 0, last, packer);
    }
}

fn put_kind(kind: &NodeKind, packer: &mut Packer) {
    match kind {
        NodeKind::CharDevice(device) | NodeKind::BlockDevice(device) => {
            packer.signed(device.major);
            packer.signed(device.minor);
        }
        NodeKind::File(size) => packer.number(*size),
        NodeKind::Symlink(target) => packer.text(target),
        NodeKind::Fifo => {}
    }
}

fn put_metadata(metadata: &Metadata, is_like_last: bool, last: &mut Last, packer: &mut Packer) {
    let Metadata {
        mode,
        uid,
        gid,
        mtime,
        attributes,
    } = metadata;
    packer.signed(mtime.seconds.wrapping_sub(last.seconds));
    last.seconds = mtime.seconds;
    if is_like_last {
        return;
    }
    packer.number(*mode);
    packer.signed(*uid);
    packer.signed(*gid);
    packer.number(mtime.nanoseconds);
    packer.number(attributes.len() as u64);
    for (key, value) in &**attributes {
        packer.text(key);
        packer.text(value);
    }
    (last.mode, last.uid, last.gid) = (*mode, *uid, *gid);
}

fn metadata(is_like_last: bool, last: &mut Last, unpacker: &mut Unpacker<'_>) -> Metadata {
    last.seconds = last.seconds.wrapping_add(unpacker.signed());
    let (mut nanoseconds, mut attributes) = (0, Records::default());
    if !is_like_last {
        last.mode = u16::try_from(unpacker.number()).expect("it was one of 16 bits");
        last.uid = unpacker.signed();
        last.gid = unpacker.signed();
        nanoseconds = unpacker.short();
        let count = 0..unpacker.number();
        let record = |_| (unpacker.text().to_vec(), unpacker.text().to_vec());
        attributes = count.map(record).collect();
    }
    Metadata {
        mode: last.mode,
        uid: last.uid,
        gid: last.gid,
        mtime: Time {
            seconds: last.seconds,
            nanoseconds,
        },
        attributes,
    }
}

impl Listing {
    /// The number of names of an inode.
    pub(crate) fn links(&self, inode: InodeId) -> u32 {
        self.names.count(inode)
    }

    /// Starts before the root.
    pub(crate) fn walk(&self) -> ListingWalk<'_> {
        ListingWalk {
            listing: self,
            rest: Unpacker(&self.bytes),
            path: Vec::new(),
            last: Last::new(),
            node: None,
        }
    }
}

/// The current entry of a walk.
#[derive(Debug)]
enum Unpacked {
    Directory(DirectoryId, Option<Metadata>),
    Node(InodeId, Inode),
    Linked(InodeId),
}

/// A walk through the entries of a [`Listing`], in their order.
#[derive(Debug)]
pub(crate) struct ListingWalk<'a> {
    listing: &'a Listing,
    rest: Unpacker<'a>,
    path: Vec<u8>,
    /// The current entry is the last one that was read.
    last: Last,
    node: Option<Unpacked>,
}

impl ListingWalk<'_> {
    /// Goes to the next entry.
    pub(crate) fn advance(&mut self) {
        if self.rest.is_at_end() {
            self.node = None;
            return;
        }
        let rest = &mut self.rest;
        self.path.truncate(rest.length());
        self.path.extend_from_slice(rest.text());
        let (tag, after) = rest.0.split_first().expect("records are complete");
        rest.0 = after;
        let last = &mut self.last;
        let has = |bit: u8| tag & bit != 0;
        if !has(tag::SAME_LAYER) {
            last.place.layer = rest.short();
        }
        near(&mut last.place.entry, rest);
        let kind = tag & tag::KIND;
        let is_like_last = has(tag::SAME_METADATA);
        if let tag::IMPLIED_DIRECTORY | tag::DIRECTORY = kind {
            let id = DirectoryId(near(&mut last.directory, rest));
            let is_given = kind == tag::DIRECTORY;
            let metadata = is_given.then(|| metadata(is_like_last, last, rest));
            self.node = Some(Unpacked::Directory(id, metadata));
            return;
        }
        let id = InodeId(near(&mut last.inode, rest));
        let place = if has(tag::OWN_CONTENT) {
            last.place
        } else {
            let layer = rest.short();
            let entry = rest.short();
            EntryPlace { layer, entry }
        };
        let kind = match kind {
            tag::LINKED => {
                self.node = Some(Unpacked::Linked(id));
                return;
            }
            tag::FILE => NodeKind::File(rest.number()),
            tag::SYMLINK => NodeKind::Symlink(rest.text().into()),
            tag::CHAR_DEVICE => NodeKind::CharDevice(device(rest)),
            tag::BLOCK_DEVICE => NodeKind::BlockDevice(device(rest)),
            _ => NodeKind::Fifo,
        };
        let metadata = metadata(is_like_last, last, rest);
        let inode = Inode {
            kind,
            metadata,
            place,
        };
        self.node = Some(Unpacked::Node(id, inode));
    }

    /// The current entry; `None` before the first, and after the last.
    pub(crate) fn entry(&self) -> Option<TreeEntry<'_>> {
        let node = match self.node.as_ref()? {
            Unpacked::Directory(id, metadata) => TreeNode::Directory(*id, metadata.as_ref()),
            Unpacked::Node(id, inode) => TreeNode::Node(*id, inode),
            Unpacked::Linked(id) => TreeNode::Node(*id, &self.listing.linked[id]),
        };
        Some(TreeEntry {
            path: self.path.clone(),
            place: self.last.place,
            node,
        })
    }

    /// The path of the current entry; `None` before the first, and after the last.
    pub(crate) fn path(&self) -> Option<&[u8]> {
        self.node.as_ref().map(|_| self.path.as_slice())
    }
}

fn device(unpacker: &mut Unpacker<'_>) -> Device {
    let major = unpacker.signed();
    let minor = unpacker.signed();
    Device { major, minor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::tree::{Child, Directory, ROOT, Tree};

    #[test]
    fn a_listing_has_the_entries_of_the_tree() {
        let mut merge = Merge::new();
        let mut tree = Tree::new();
        let place = |entry| EntryPlace { layer: 3, entry };
        let mut metadata = Metadata::implied(0o4755, Time::default());
        let device = Device {
            major: i64::MAX,
            minor: -1,
        };
        let kinds = [
            NodeKind::File(0),
            NodeKind::File(u64::MAX),
            NodeKind::Symlink((*b"../a").into()),
            NodeKind::CharDevice(device),
            NodeKind::BlockDevice(device),
            NodeKind::Fifo,
        ];
        let names: [&[u8]; 6] = [b"a", b"ab", b"b", b"\xff", b"b-long-name-of-a-device", b"c"];
        for (entry, (kind, name)) in (7..).zip(kinds.into_iter().zip(names)) {
            let id = merge.inodes.push(Inode {
                kind,
                metadata: metadata.clone(),
                place: place(entry + 1),
            });
            let children = &mut tree.get_mut(ROOT).children;
            children.insert(name.into(), Child::Node(id, place(entry)));
            metadata.uid = i64::MIN;
            metadata.mtime.seconds -= 1_700_000_000;
            metadata.mtime.nanoseconds = 999_999_999;
            let record = (name.to_vec(), b"value".to_vec());
            metadata.attributes = metadata
                .attributes
                .iter()
                .cloned()
                .chain([record])
                .collect();
        }
        let given = tree.add(Directory {
            metadata: Some(Box::new(metadata)),
            place: place(99),
            ..Directory::implied(3)
        });
        let implied = tree.add(Directory::implied(2));
        let link = Child::Node(InodeId(1), place(100));
        tree.get_mut(given)
            .children
            .insert((*b"ab").as_slice().into(), link);
        for (name, id) in [(b"aa".as_slice(), given), (b"d".as_slice(), implied)] {
            let children = &mut tree.get_mut(ROOT).children;
            children.insert(name.into(), Child::Directory(id));
        }
        merge
            .range
            .apply(tree, true, |id| id, &mut merge.names_in_range);

        let expected: Vec<String> = merge.entries().map(|entry| format!("{entry:?}")).collect();
        assert_eq!(expected.len(), 10);
        let links: Vec<u32> = (0..6).map(|id| merge.links(InodeId(id))).collect();
        let listing = merge.into_listing();
        let mut walk = listing.walk();
        assert_eq!(walk.path(), None);
        let mut found = Vec::new();
        loop {
            walk.advance();
            let Some(entry) = walk.entry() else {
                break;
            };
            assert_eq!(walk.path(), Some(entry.path.as_slice()));
            found.push(format!("{entry:?}"));
        }
        assert_eq!(found, expected);
        let found: Vec<u32> = (0..6).map(|id| listing.links(InodeId(id))).collect();
        assert_eq!(found, links);
        assert_eq!(links, [1, 2, 1, 1, 1, 1]);
    }
}
