//! A merged tree that can only be walked, in little memory.

use std::collections::HashMap;

use crate::layer::{Device, Metadata, NodeKind};
use crate::merge::packed::{Packer, Unpacker};
use crate::merge::range::Merge;
use crate::merge::tree::{DirectoryId, EntryPlace, Inode, InodeId, Names};
use crate::merge::view::{TreeEntry, TreeNode};
use crate::tar_stream::Time;

/// The entries of a tree in their order, packed: about 45 bytes for each, in place of
/// about 190 in a [`Merge`].
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
}

impl Merge {
    /// Packs the tree.
    pub(crate) fn into_listing(self) -> Listing {
        let mut packer = Packer::default();
        let mut linked = HashMap::new();
        let mut last = Vec::new();
        let mut entries = self.entries();
        while let Some((node, place)) = entries.advance() {
            let path = entries.path();
            let same = path.iter().zip(&last).take_while(|(a, b)| a == b).count();
            packer.number(same as u64);
            packer.text(&path[same..]);
            last.truncate(same);
            last.extend_from_slice(&path[same..]);
            packer.number(place.layer);
            packer.number(place.entry);
            match node {
                TreeNode::Directory(id, metadata) => {
                    packer.0.push(match metadata {
                        None => tag::IMPLIED_DIRECTORY,
                        Some(_) => tag::DIRECTORY,
                    });
                    packer.number(id.0);
                    if let Some(metadata) = metadata {
                        put_metadata(metadata, &mut packer);
                    }
                }
                TreeNode::Node(id, inode) if self.links(id) > 1 => {
                    packer.0.push(tag::LINKED);
                    packer.number(id.0);
                    linked.entry(id).or_insert_with(|| inode.clone());
                }
                TreeNode::Node(id, inode) => {
                    put_kind(&inode.kind, &mut packer);
                    packer.number(id.0);
                    packer.number(inode.place.layer);
                    packer.number(inode.place.entry);
                    put_metadata(&inode.metadata, &mut packer);
                }
            }
        }
        packer.0.shrink_to_fit();
        Listing {
            bytes: packer.0,
            names: self.names_in_range,
            linked,
        }
    }
}

fn put_kind(kind: &NodeKind, packer: &mut Packer) {
    let mut device = |tag: u8, device: &Device| {
        packer.0.push(tag);
        packer.signed(device.major);
        packer.signed(device.minor);
    };
    match kind {
        NodeKind::CharDevice(it) => device(tag::CHAR_DEVICE, it),
        NodeKind::BlockDevice(it) => device(tag::BLOCK_DEVICE, it),
        NodeKind::File(size) => {
            packer.0.push(tag::FILE);
            packer.number(*size);
        }
        NodeKind::Symlink(target) => {
            packer.0.push(tag::SYMLINK);
            packer.text(target);
        }
        NodeKind::Fifo => packer.0.push(tag::FIFO),
    }
}

fn put_metadata(metadata: &Metadata, packer: &mut Packer) {
    let Metadata {
        mode,
        uid,
        gid,
        mtime,
        attributes,
    } = metadata;
    packer.number(*mode);
    packer.signed(*uid);
    packer.signed(*gid);
    packer.signed(mtime.seconds);
    packer.number(mtime.nanoseconds);
    packer.number(attributes.len() as u64);
    for (key, value) in attributes {
        packer.text(key);
        packer.text(value);
    }
}

fn metadata(unpacker: &mut Unpacker<'_>) -> Metadata {
    Metadata {
        mode: u16::try_from(unpacker.number()).expect("it was one of 16 bits"),
        uid: unpacker.signed(),
        gid: unpacker.signed(),
        mtime: Time {
            seconds: unpacker.signed(),
            nanoseconds: unpacker.short(),
        },
        attributes: {
            let count = 0..unpacker.number();
            let record = |_| (unpacker.text().to_vec(), unpacker.text().to_vec());
            count.map(record).collect()
        },
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
            place: EntryPlace { layer: 0, entry: 0 },
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
    place: EntryPlace,
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
        self.place = place(rest);
        let (tag, after) = rest.0.split_first().expect("records are complete");
        rest.0 = after;
        let kind = match *tag {
            tag::IMPLIED_DIRECTORY => {
                self.node = Some(Unpacked::Directory(DirectoryId(rest.short()), None));
                return;
            }
            tag::DIRECTORY => {
                let id = DirectoryId(rest.short());
                self.node = Some(Unpacked::Directory(id, Some(metadata(rest))));
                return;
            }
            tag::LINKED => {
                self.node = Some(Unpacked::Linked(InodeId(rest.short())));
                return;
            }
            tag::FILE => NodeKind::File(rest.number()),
            tag::SYMLINK => NodeKind::Symlink(rest.text().into()),
            tag::CHAR_DEVICE => NodeKind::CharDevice(device(rest)),
            tag::BLOCK_DEVICE => NodeKind::BlockDevice(device(rest)),
            _ => NodeKind::Fifo,
        };
        let id = InodeId(rest.short());
        let place = place(rest);
        let metadata = metadata(rest);
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
            place: self.place,
            node,
        })
    }

    /// The path of the current entry; `None` before the first, and after the last.
    pub(crate) fn path(&self) -> Option<&[u8]> {
        self.node.as_ref().map(|_| self.path.as_slice())
    }
}

fn place(unpacker: &mut Unpacker<'_>) -> EntryPlace {
    let layer = unpacker.short();
    let entry = unpacker.short();
    EntryPlace { layer, entry }
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
            metadata.attributes.push((name.to_vec(), b"value".to_vec()));
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
