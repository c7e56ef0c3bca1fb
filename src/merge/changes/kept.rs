//! The changes of a layer that are merged several times.

use crate::merge::changes::Changes;
use crate::merge::packed::{Packer, Unpacker};
use crate::merge::tree::{Child, Children, DirectoryId, EntryPlace, InodeId};

/// The changes of a layer with the names in them packed: about 25 bytes for each, in place
/// of about 80 in a map. The inodes are those of every copy.
#[derive(Debug)]
pub(crate) struct KeptChanges {
    /// The changes, without any names.
    nameless: Changes,
    /// The number of names in each directory, and the names.
    names: Vec<u8>,
}

impl KeptChanges {
    /// Packs changes.
    pub(crate) fn new(mut changes: Changes) -> Self {
        let mut packer = Packer::default();
        for directory in changes.tree.iter_mut() {
            let children = std::mem::take(&mut directory.children);
            packer.number(children.len() as u64);
            for (name, child) in &children {
                packer.text(name);
                pack(*child, &mut packer);
            }
        }
        packer.0.shrink_to_fit();
        let mut nameless = changes.clone();
        nameless.inodes = changes.inodes.unshared();
        Self {
            nameless,
            names: packer.0,
        }
    }

    /// A copy of the changes, for a merge.
    pub(crate) fn changes(&self) -> Changes {
        let mut changes = self.nameless.clone();
        let mut unpacker = Unpacker(&self.names);
        for directory in changes.tree.iter_mut() {
            let names = 0..unpacker.number();
            let names = names.map(|_| (unpacker.text().into(), unpack(&mut unpacker)));
            // Of names in their order, a map is made with full nodes.
            directory.children = names.collect::<Children>();
        }
        changes
    }
}

fn pack(child: Child, packer: &mut Packer) {
    match child {
        Child::Whiteout => packer.number(0_u64),
        Child::Directory(id) => packer.number((u64::from(id.0) << 2) | 1),
        Child::Node(id, place) => {
            packer.number((u64::from(id.0) << 2) | 2);
            packer.number(place.layer);
            packer.number(place.entry);
        }
    }
}

fn unpack(unpacker: &mut Unpacker<'_>) -> Child {
    let number = unpacker.number();
    let id = u32::try_from(number >> 2).expect("it was one of 32 bits");
    match number & 3 {
        0 => Child::Whiteout,
        1 => Child::Directory(DirectoryId(id)),
        _ => {
            let layer = unpacker.short();
            let entry = unpacker.short();
            Child::Node(InodeId(id), EntryPlace { layer, entry })
        }
    }
}
