//! One entry of a layer: its kind, its metadata and its path.

use crate::layer::path::EntryPath;
use crate::layer::records::Records;
use crate::layer::whiteout::Whiteout;
use crate::tar_stream::Time;

/// The mode bits that a layer carries: permissions, setuid, setgid, sticky. Docker
/// writes the type into the higher bits, which other readers ignore.
const MODE_MASK: i64 = 0o7777;

/// An entry, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path in the tree.
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
    /// A node, which can have several names.
    Node(NodeKind),
    /// An entry that is not part of the image: it deletes, or belongs to AUFS.
    Whiteout(Whiteout),
}

impl EntryKind {
    /// True if engines use only the entry's name, and ignore its type, target and
    /// attributes.
    pub(crate) fn is_name_only(&self) -> bool {
        matches!(self, Self::Whiteout(whiteout) if *whiteout != Whiteout::Device)
    }
}

/// The kind of a node other than a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// A regular file with this size in bytes, including holes.
    File(u64),
    /// A symbolic link to this path, which can be anything.
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
    /// The owner's uid. Names of owners are not part of an image.
    pub(crate) uid: i64,
    /// The group's gid.
    pub(crate) gid: i64,
    /// The modification time of its content.
    pub(crate) mtime: Time,
    /// Extended attributes, as PAX records, sorted by key.
    pub(crate) attributes: Records,
}

impl Metadata {
    /// The metadata of a directory without an entry of its own: those that engines give
    /// to a directory that exists only because it contains something.
    pub(crate) fn implied(mode: u16, mtime: Time) -> Self {
        Self {
            mode,
            uid: 0,
            gid: 0,
            mtime,
            attributes: Records::default(),
        }
    }

    /// The mode with only the bits of [`MODE_MASK`].
    pub(crate) fn masked(mode: i64) -> u16 {
        u16::try_from(mode & MODE_MASK).expect("the mask has 12 bits")
    }
}
