//! One entry of a layer: what it is, and what belongs to it.

use crate::layer::path::EntryPath;
use crate::layer::whiteout::Whiteout;
use crate::tar_stream::{PaxRecord, Time};

/// The mode bits that a layer carries: permissions, setuid, setgid, sticky. Docker
/// writes the type into the higher ones, where other readers ignore it.
const MODE_MASK: i64 = 0o7777;

/// An entry, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its place in the tree.
    pub(crate) path: EntryPath,
    /// Its kind.
    pub(crate) kind: EntryKind,
    /// Owner, mode, time, attributes.
    pub(crate) metadata: Metadata,
}

/// The kind of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    /// A directory.
    Directory,
    /// Another name of the node at this path.
    HardLink(EntryPath),
    /// Something that can have several names.
    Node(NodeKind),
    /// No part of the image: it deletes, or belongs to AUFS.
    Whiteout(Whiteout),
}

impl EntryKind {
    /// Tells an entry of which engines look at no type, target or attribute.
    pub(crate) fn is_name_only(&self) -> bool {
        matches!(self, Self::Whiteout(whiteout) if *whiteout != Whiteout::Device)
    }
}

/// The kind of a node that is no directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// A regular file of this many bytes, holes included.
    File(u64),
    /// A symbolic link to this path, which may be anything.
    Symlink(Box<[u8]>),
    /// A character device.
    CharDevice(Device),
    /// A block device.
    BlockDevice(Device),
    /// A named pipe.
    Fifo,
}

/// The numbers of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    /// The driver.
    pub(crate) major: i64,
    /// The device of that driver.
    pub(crate) minor: i64,
}

/// Owner, mode, time and attributes, which every entry has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// Permissions, setuid, setgid and sticky.
    pub(crate) mode: u16,
    /// The owner's number. Names of owners are not part of an image.
    pub(crate) uid: i64,
    /// The group's number.
    pub(crate) gid: i64,
    /// The time of the last change of its content.
    pub(crate) mtime: Time,
    /// Extended attributes, as the PAX records that carry them, sorted by key.
    /// Nearly no entry has any.
    pub(crate) attributes: Vec<PaxRecord>,
}

impl Metadata {
    /// The metadata of an entry that nobody wrote: that which engines give to a
    /// directory that is only there because something is in it.
    pub(crate) fn implied(mode: u16, mtime: Time) -> Self {
        Self {
            mode,
            uid: 0,
            gid: 0,
            mtime,
            attributes: Vec::new(),
        }
    }

    /// The mode without the bits that are no part of it.
    pub(crate) fn masked(mode: i64) -> u16 {
        u16::try_from(mode & MODE_MASK).expect("the mask has 12 bits")
    }
}
