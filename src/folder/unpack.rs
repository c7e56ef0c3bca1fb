//! Writing the entries of a merged tree as files.
//!
//! Every file and directory is private until it is complete: first its content, then its
//! owner, attributes, mode and time, in an order in which none undoes another. Those of
//! directories come last, the deepest first.
//!
//! What only root may do is done if it is allowed, and otherwise counted as a
//! [`Shortfall`]: an owner remains that of this process, an attribute is not set, and a
//! device is left out. In its place `umoci unpack --rootless` makes an empty file, which
//! nothing distinguishes from one in the image.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, CWD, Dev, FileType, Gid, Mode, OFlags, RawMode, Timespec, Timestamps, Uid, chmodat,
    chownat, fchmod, fchown, fstat, futimens, linkat, makedev, mkdirat, mknodat, openat, statat,
    symlinkat, utimensat,
};
use rustix::io::{Errno, Result};

use crate::folder::attributes::{Holder, attribute_of};
use crate::folder::beneath::{Beneath, split};
use crate::folder::fault::{at, display};
use crate::layer::{Device, EntrySink, Metadata, NodeKind, components};
use crate::progress::Progress;
use crate::tar_stream::{Time, display_name};

/// Zeros become a hole if at least this many bytes are written at once.
const HOLE_MIN: usize = 32 * 1024;

/// Writes entries as files in a folder, apart from the metadata of the directories.
#[derive(Debug)]
#[must_use = "directories only get their metadata at the end"]
pub(crate) struct FolderWriter {
    tree: Beneath,
    /// The current file.
    file: Option<OpenFile>,
    /// All directories except the root, each before those in it.
    directories: Vec<(Vec<u8>, Metadata)>,
    /// The metadata of the root, if it has an entry.
    root: Option<Metadata>,
    owners: Owners,
    /// The paths of nodes that could not be created.
    left_out: HashSet<Vec<u8>>,
    shortfalls: Shortfalls,
    /// The number of entries.
    entries: u64,
    /// The number of bytes in files.
    size: u64,
}

/// A tree of files that was written.
#[derive(Debug)]
pub(crate) struct WrittenTree {
    /// The number of entries.
    pub(crate) entries: u64,
    /// The number of bytes in files.
    pub(crate) size: u64,
    /// Everything that the folder lacks.
    pub(crate) shortfalls: Shortfalls,
}

/// Things in the image that the folder lacks, since this process may not make them or
/// the file system does not support them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shortfalls {
    /// Entries that belong to this process instead of their owner.
    pub(crate) owners: Shortfall,
    /// Extended attributes that are not set.
    pub(crate) attributes: Shortfall,
    /// Devices and pipes that are left out, each of their names counted.
    pub(crate) nodes: Shortfall,
}

/// The number of things that are missing, and the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shortfall {
    /// Their number.
    pub(crate) count: u64,
    /// The first entry, escaped.
    pub(crate) entry: String,
    /// The attribute, escaped; empty for an owner or a node.
    pub(crate) attribute: String,
    /// The error of the system.
    pub(crate) reason: String,
}

impl Shortfall {
    fn note(&mut self, path: &[u8], attribute: &[u8], error: Errno) {
        if self.count == 0 {
            self.entry = display(path);
            self.attribute = display_name(attribute);
            let reason = io::Error::from(error).to_string();
            let text = reason.split(" (os error").next().unwrap_or_default();
            text.clone_into(&mut self.reason);
        }
        self.count += 1;
    }
}

/// The owners that this process can give to files.
#[derive(Debug)]
struct Owners {
    /// The owner of all that it creates.
    own: (i64, i64),
    /// Those that it may not give, with the error.
    refused: Vec<((i64, i64), Errno)>,
}

/// A file that is being written.
#[derive(Debug)]
struct OpenFile {
    file: File,
    path: Vec<u8>,
    metadata: Metadata,
    /// True if the bytes written last are a hole.
    ends_in_hole: bool,
}

/// An inode whose metadata are set.
#[derive(Clone, Copy)]
enum Target<'a> {
    /// An open file or directory.
    Open(BorrowedFd<'a>),
    /// A symbolic link with this name in a directory.
    Link(BorrowedFd<'a>, &'a [u8]),
    /// Any other node with this name in a directory, which is not opened.
    Node(BorrowedFd<'a>, &'a [u8]),
}

impl FolderWriter {
    /// Starts to write below an open, empty directory.
    pub(super) fn new(root: OwnedFd) -> Result<Self> {
        let stat = fstat(&root)?;
        Ok(Self {
            tree: Beneath::new(root),
            file: None,
            directories: Vec::new(),
            root: None,
            owners: Owners {
                own: (stat.st_uid.into(), stat.st_gid.into()),
                refused: Vec::new(),
            },
            left_out: HashSet::new(),
            shortfalls: Shortfalls::default(),
            entries: 0,
            size: 0,
        })
    }

    /// Sets the metadata of the directories at least this far below the root, and
    /// forgets these directories.
    pub(super) fn end_directories(
        &mut self,
        depth: usize,
        progress: &dyn Progress,
    ) -> io::Result<()> {
        let directories = std::mem::take(&mut self.directories);
        let is_deep = |(path, _): &(Vec<u8>, Metadata)| components(path).count() >= depth;
        let (deep, others) = directories.into_iter().partition(is_deep);
        self.directories = others;
        let deep: Vec<_> = deep;
        for (path, metadata) in deep.iter().rev() {
            if progress.is_interrupted() {
                return Err(io::Error::other("interrupted"));
            }
            let opened = self.tree.open(path).map_err(|error| at(path, error))?;
            let target = Target::Open(opened.as_fd());
            self.owners
                .finish(target, path, metadata, &mut self.shortfalls)
                .map_err(|error| at(path, error))?;
        }
        Ok(())
    }

    /// Continues below another root, to which the entries at the top were moved.
    pub(super) fn move_to(&mut self, root: OwnedFd) {
        self.tree = Beneath::new(root);
    }

    /// Sets the metadata of the root: those of its entry, or `other`.
    pub(super) fn end_root(&mut self, other: Option<Metadata>) -> io::Result<()> {
        let Some(metadata) = self.root.take().or(other) else {
            return Ok(());
        };
        let target = Target::Open(self.tree.root());
        self.owners
            .finish(target, b"", &metadata, &mut self.shortfalls)
            .map_err(|error| at(b"", error))
    }

    /// The facts about the tree.
    pub(super) fn into_written(self) -> WrittenTree {
        WrittenTree {
            entries: self.entries,
            size: self.size,
            shortfalls: self.shortfalls,
        }
    }

    fn make_node(&mut self, path: &[u8], kind: &NodeKind, metadata: &Metadata) -> Result<()> {
        let (parent, name) = self.tree.parent_of(path)?;
        let target = match kind {
            NodeKind::File(_) => {
                let flags = OFlags::WRONLY
                    | OFlags::CREATE
                    | OFlags::EXCL
                    | OFlags::NOFOLLOW
                    | OFlags::CLOEXEC;
                let file = openat(parent, name, flags, Mode::RUSR | Mode::WUSR)?;
                self.file = Some(OpenFile {
                    file: file.into(),
                    path: path.to_vec(),
                    metadata: metadata.clone(),
                    ends_in_hole: false,
                });
                return Ok(());
            }
            NodeKind::Symlink(target) => {
                symlinkat(&**target, parent, name)?;
                Target::Link(parent, name)
            }
            NodeKind::CharDevice(_) | NodeKind::BlockDevice(_) | NodeKind::Fifo => {
                if let Err(error) = make_special(parent, name, kind, metadata.mode) {
                    if !is_not_allowed(error) {
                        return Err(error);
                    }
                    self.shortfalls.nodes.note(path, b"", error);
                    self.left_out.insert(path.to_vec());
                    return Ok(());
                }
                Target::Node(parent, name)
            }
        };
        self.owners
            .finish(target, path, metadata, &mut self.shortfalls)
    }

    fn link(&mut self, path: &[u8], target: &[u8]) -> Result<()> {
        if self.left_out.contains(target) {
            self.shortfalls.nodes.count += 1;
            return Ok(());
        }
        let (directory, first) = split(target);
        let (parent, name) = self.tree.parent_of(path)?;
        if directory == split(path).0 {
            return linkat(parent, first, parent, name, AtFlags::empty());
        }
        let parent = parent.try_clone_to_owned().map_err(|error| errno(&error))?;
        let directory = self.tree.directory(directory)?;
        linkat(directory, first, parent, name, AtFlags::empty())
    }

    fn end_file(&mut self, size: u64) -> Result<()> {
        let Some(file) = self.file.take() else {
            return Ok(());
        };
        if file.ends_in_hole {
            file.file.set_len(size).map_err(|error| errno(&error))?;
        }
        self.size += size;
        let target = Target::Open(file.file.as_fd());
        self.owners
            .finish(target, &file.path, &file.metadata, &mut self.shortfalls)
    }
}

impl EntrySink for FolderWriter {
    fn directory(&mut self, path: &[u8], metadata: &Metadata) -> io::Result<()> {
        self.entries += 1;
        if path.is_empty() {
            self.root = Some(metadata.clone());
            return Ok(());
        }
        let parent = self.tree.parent_of(path);
        parent
            .and_then(|(parent, name)| mkdirat(parent, name, Mode::RWXU))
            .map_err(|error| at(path, error))?;
        self.directories.push((path.to_vec(), metadata.clone()));
        Ok(())
    }

    fn node(&mut self, path: &[u8], kind: &NodeKind, metadata: &Metadata) -> io::Result<()> {
        self.entries += 1;
        self.make_node(path, kind, metadata)
            .map_err(|error| at(path, error))
    }

    /// The metadata were set with the first name.
    fn hard_link(&mut self, path: &[u8], target: &[u8], _: &Metadata) -> io::Result<()> {
        self.entries += 1;
        self.link(path, target).map_err(|error| at(path, error))
    }

    /// The tree of all layers has no whiteouts.
    fn whiteout(&mut self, directory: &[u8], _: Option<&[u8]>) -> io::Result<()> {
        let error = io::Error::other("a whiteout cannot be written as a file");
        Err(at(directory, error))
    }

    fn content(&mut self) -> &mut dyn Write {
        self
    }

    fn end_of_content(&mut self, size: u64) -> io::Result<()> {
        let path = self.file.as_ref().map(|it| it.path.clone());
        self.end_file(size)
            .map_err(|error| at(&path.unwrap_or_default(), error))
    }
}

/// Writes the content of the current file.
impl Write for FolderWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let Some(open) = &mut self.file else {
            return Err(io::Error::other("there is no current file"));
        };
        let length = if buffer.len() >= HOLE_MIN && is_zero(buffer) {
            open.ends_in_hole = true;
            let length = i64::try_from(buffer.len()).expect("a buffer is small");
            open.file
                .seek(SeekFrom::Current(length))
                .map(|_| buffer.len())
        } else {
            open.ends_in_hole = false;
            open.file.write(buffer)
        };
        length.map_err(|error| at(&open.path, error))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn is_zero(buffer: &[u8]) -> bool {
    let mut chunks = buffer.chunks(256);
    chunks.all(|chunk| chunk.iter().fold(0, |all, byte| all | byte) == 0)
}

impl Owners {
    /// Sets owner, attributes, mode and time, and counts those that cannot be set.
    fn finish(
        &mut self,
        target: Target<'_>,
        path: &[u8],
        metadata: &Metadata,
        shortfalls: &mut Shortfalls,
    ) -> Result<()> {
        self.set_owner(target, path, metadata, &mut shortfalls.owners)?;
        for record in &metadata.attributes {
            let Some(name) = attribute_of(record) else {
                continue;
            };
            match target.holder().set(name, &record.1) {
                Err(error) if is_attribute_refused(error) => {
                    shortfalls.attributes.note(path, name, error);
                }
                result => result?,
            }
        }
        target.set_mode(Mode::from_raw_mode(metadata.mode.into()))?;
        target.set_time(metadata.mtime)
    }

    fn set_owner(
        &mut self,
        target: Target<'_>,
        path: &[u8],
        metadata: &Metadata,
        shortfall: &mut Shortfall,
    ) -> Result<()> {
        let owner = (metadata.uid, metadata.gid);
        if owner == self.own {
            return Ok(());
        }
        let known = self.refused.iter().find(|(refused, _)| *refused == owner);
        if let Some((_, error)) = known {
            shortfall.note(path, b"", *error);
            return Ok(());
        }
        let given = match (id(owner.0), id(owner.1)) {
            (Some(uid), Some(gid)) => target.set_owner(Uid::from_raw(uid), Gid::from_raw(gid)),
            _ => Err(Errno::INVAL),
        };
        match given {
            // A user namespace does not have all owners.
            Err(error) if is_not_allowed(error) || error == Errno::INVAL => {
                shortfall.note(path, b"", error);
                self.refused.push((owner, error));
                Ok(())
            }
            given => given,
        }
    }
}

/// An owner that the system can have. The last number means none.
fn id(owner: i64) -> Option<u32> {
    u32::try_from(owner).ok().filter(|id| *id != u32::MAX)
}

impl<'a> Target<'a> {
    fn holder(self) -> Holder<'a> {
        match self {
            Self::Open(file) => Holder::Open(file),
            Self::Link(parent, name) | Self::Node(parent, name) => Holder::Named(parent, name),
        }
    }

    fn set_owner(self, uid: Uid, gid: Gid) -> Result<()> {
        let (uid, gid) = (Some(uid), Some(gid));
        match self {
            Self::Open(file) => fchown(file, uid, gid),
            Self::Link(parent, name) | Self::Node(parent, name) => {
                chownat(parent, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
            }
        }
    }

    /// The mode is set after the owner, which resets setuid and setgid.
    fn set_mode(self, mode: Mode) -> Result<()> {
        match self {
            Self::Open(file) => fchmod(file, mode),
            Self::Link(..) => Ok(()),
            Self::Node(parent, name) => {
                let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
                if Mode::from_raw_mode(stat.st_mode) == mode {
                    return Ok(());
                }
                // Opening a device or a pipe itself has effects.
                let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let found = openat(parent, name, flags, Mode::empty())?;
                if FileType::from_raw_mode(fstat(&found)?.st_mode) == FileType::Symlink {
                    return Err(Errno::LOOP);
                }
                let path = format!("/proc/self/fd/{}", found.as_raw_fd());
                chmodat(CWD, path, mode, AtFlags::empty())
            }
        }
    }

    fn set_time(self, time: Time) -> Result<()> {
        let time = Timespec {
            tv_sec: time.seconds,
            tv_nsec: time.nanoseconds.into(),
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        match self {
            Self::Open(file) => futimens(file, &times),
            Self::Link(parent, name) | Self::Node(parent, name) => {
                utimensat(parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)
            }
        }
    }
}

/// Makes a device or a pipe.
fn make_special(parent: BorrowedFd<'_>, name: &[u8], kind: &NodeKind, mode: u16) -> Result<()> {
    let (kind, device) = match kind {
        NodeKind::CharDevice(it) => (FileType::CharacterDevice, number(*it)?),
        NodeKind::BlockDevice(it) => (FileType::BlockDevice, number(*it)?),
        _ => (FileType::Fifo, 0),
    };
    // Without the umask this is often the final mode.
    let mode = Mode::from_raw_mode(RawMode::from(mode & 0o777));
    mknodat(parent, name, kind, mode, device)
}

/// The number of a device as the system stores it: 12 and 20 bits on Linux.
fn number(device: Device) -> Result<Dev> {
    let part = |number: i64, bits: u32| u32::try_from(number).ok().filter(|it| it >> bits == 0);
    match (part(device.major, 12), part(device.minor, 20)) {
        (Some(major), Some(minor)) => Ok(makedev(major, minor)),
        _ => Err(Errno::OPNOTSUPP),
    }
}

/// True for the errors of something that this user may not do, or this file system cannot.
fn is_not_allowed(error: Errno) -> bool {
    matches!(error, Errno::PERM | Errno::OPNOTSUPP)
}

/// True for the errors of an attribute that cannot be set, whoever is to blame. ext4 has
/// no space for a large one, however empty it is.
fn is_attribute_refused(error: Errno) -> bool {
    is_not_allowed(error)
        || matches!(
            error,
            Errno::ACCESS | Errno::INVAL | Errno::NOSPC | Errno::RANGE | Errno::TOOBIG
        )
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
