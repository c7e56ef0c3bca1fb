//! An entry of an image's file system, as reports show it.

use std::fmt;

use crate::image::Timestamp;
use crate::layer::{Metadata, NodeKind};
use crate::merge::{EntryPlace, IMPLIED_MODE, InodeId, Merge, TreeEntry, TreeNode};
use crate::tar_stream::Time;

/// The prefix of a PAX record that holds an extended attribute.
const XATTR: &[u8] = b"SCHILY.xattr.";

/// An entry of the file system of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileEntry {
    /// Its path from the root, without a slash at either end; empty for the root. Names
    /// are bytes.
    pub path: Vec<u8>,
    /// Its kind.
    pub kind: EntryType,
    /// Permissions, setuid, setgid and sticky.
    pub mode: u16,
    /// The owner's uid.
    pub uid: i64,
    /// The group's gid.
    pub gid: i64,
    /// The modification time. `None` for a directory for which no layer has an entry:
    /// it exists because of its content, with the time of its creation in an engine.
    pub mtime: Option<FileTime>,
    /// Extended attributes, sorted by name.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// The number of its names; 1 for a directory.
    pub links: u32,
    /// The number of its inode, if it has several names: all of them have the same.
    pub inode: Option<u32>,
    /// The layer that made it under this name, counted from 1, the lowest.
    pub layer: usize,
}

/// The kind of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryType {
    /// A regular file with this size in bytes, including holes.
    File(u64),
    /// A directory.
    Directory,
    /// A symbolic link to this target.
    Symlink(Vec<u8>),
    /// A character device with these numbers, major and minor.
    CharDevice(i64, i64),
    /// A block device with these numbers.
    BlockDevice(i64, i64),
    /// A named pipe.
    Fifo,
}

/// A modification time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct FileTime {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds, from 0 to 999,999,999, to add to the seconds.
    pub nanoseconds: u32,
}

/// Formats the time in UTC, as RFC 3339; in seconds after an `@`, as date(1) reads it, if
/// its year is out of range.
impl fmt::Display for FileTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = match self.nanoseconds {
            0 => String::new(),
            nanoseconds => format!(".{nanoseconds:09}"),
        };
        let fraction = fraction.trim_end_matches('0');
        match Timestamp::from_seconds(self.seconds) {
            Some(time) => {
                let time = time.to_string();
                write!(f, "{}{fraction}Z", time.trim_end_matches('Z'))
            }
            None => write!(f, "@{}{fraction}", self.seconds),
        }
    }
}

impl FileEntry {
    /// The size of the content in bytes: of a regular file, or of the target of a
    /// symbolic link, as `ls` shows it; 0 for anything else.
    #[must_use]
    pub fn size(&self) -> u64 {
        match &self.kind {
            EntryType::File(size) => *size,
            EntryType::Symlink(target) => target.len() as u64,
            _ => 0,
        }
    }

    /// The facts about an entry of a tree.
    pub(in crate::ops) fn new(tree: &Merge, entry: TreeEntry<'_>) -> Self {
        Self::with_links(entry, |inode| tree.links(inode))
    }

    /// The facts about an entry of a tree in which inodes have these numbers of names.
    pub(in crate::ops) fn with_links(entry: TreeEntry<'_>, links: impl Fn(InodeId) -> u32) -> Self {
        let mut facts = Self {
            path: entry.path,
            kind: EntryType::Directory,
            mode: 0,
            uid: 0,
            gid: 0,
            mtime: None,
            xattrs: Vec::new(),
            links: 1,
            inode: None,
            layer: 1,
        };
        facts.fill(entry.node, entry.place, links);
        facts
    }

    /// Makes this the entry of something else in a tree. Its path stays.
    pub(in crate::ops) fn set(&mut self, tree: &Merge, node: TreeNode<'_>, place: EntryPlace) {
        self.fill(node, place, |inode| tree.links(inode));
    }

    fn fill(&mut self, node: TreeNode<'_>, place: EntryPlace, links: impl Fn(InodeId) -> u32) {
        let implied = Metadata::implied(IMPLIED_MODE, Time::default());
        let given = node.metadata();
        let metadata = given.unwrap_or(&implied);
        self.layer = place.layer as usize + 1;
        self.kind = match node {
            TreeNode::Directory(..) => EntryType::Directory,
            TreeNode::Node(_, inode) => EntryType::of(&inode.kind),
        };
        (self.mode, self.uid, self.gid) = (metadata.mode, metadata.uid, metadata.gid);
        self.mtime = given.map(|metadata| FileTime {
            seconds: metadata.mtime.seconds,
            nanoseconds: metadata.mtime.nanoseconds,
        });
        self.xattrs.clear();
        let xattrs = metadata.attributes.iter().filter_map(|(key, value)| {
            let name = key.strip_prefix(XATTR)?;
            Some((name.to_vec(), value.clone()))
        });
        self.xattrs.extend(xattrs);
        (self.links, self.inode) = (1, None);
        if let TreeNode::Node(id, _) = node {
            self.count_names(id, links(id));
        }
    }

    /// Counts the names that its inode has in a tree.
    pub(in crate::ops) fn set_inode(&mut self, tree: &Merge, inode: InodeId) {
        self.count_names(inode, tree.links(inode));
    }

    fn count_names(&mut self, inode: InodeId, links: u32) {
        self.links = links.max(1);
        self.inode = (self.links > 1).then_some(inode.0);
    }

    /// True if mode, owner, time and extended attributes are those of another entry. A
    /// directory without an entry has any time.
    pub(in crate::ops) fn has_metadata_of(&self, other: &Self) -> bool {
        let times = self.mtime.zip(other.mtime);
        (self.mode, self.uid, self.gid) == (other.mode, other.uid, other.gid)
            && self.xattrs == other.xattrs
            && times.is_none_or(|(one, other)| one == other)
    }
}

impl EntryType {
    fn of(kind: &NodeKind) -> Self {
        match kind {
            NodeKind::File(size) => Self::File(*size),
            NodeKind::Symlink(target) => Self::Symlink(target.to_vec()),
            NodeKind::CharDevice(device) => Self::CharDevice(device.major, device.minor),
            NodeKind::BlockDevice(device) => Self::BlockDevice(device.major, device.minor),
            NodeKind::Fifo => Self::Fifo,
        }
    }
}
