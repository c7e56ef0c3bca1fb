//! Writing the entries of a merged tree as files.
//!
//! Every file and directory is private until it is complete: first its content, then its
//! owner, attributes, mode and time, in an order in which none undoes another. Those of
//! directories come last, the deepest first.
//!
//! Operations that only root may do are tried, and if they fail counted as a
//! [shortfall](Shortfalls): an owner remains that of this process, an attribute is not set, and a
//! device is left out. In its place `umoci unpack --rootless` makes an empty file, which
//! nothing distinguishes from one in the image.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, Dev, FileType, Mode, OFlags, RawMode, fstat, linkat, makedev, mkdirat, mknodat,
    openat, symlinkat,
};
use rustix::io::{Errno, Result};

use crate::folder::beneath::{Beneath, split};
use crate::folder::fault::at;
use crate::folder::metadata::{MetadataSetter, Shortfalls, Target, is_not_allowed};
use crate::layer::{Device, EntrySink, Metadata, NodeKind, components};
use crate::progress::Progress;

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
    setter: MetadataSetter,
    /// The paths of nodes that could not be created.
    left_out: HashSet<Vec<u8>>,
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

/// A file that is being written.
#[derive(Debug)]
struct OpenFile {
    file: File,
    path: Vec<u8>,
    metadata: Metadata,
    /// True if the bytes written last are a hole.
    ends_in_hole: bool,
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
            setter: MetadataSetter::new(&stat),
            left_out: HashSet::new(),
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
            self.setter
                .set(target, path, metadata)
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
        let root = self.tree.root();
        let set = fstat(root).and_then(|stat| {
            self.setter.continue_with(&stat);
            self.setter.set(Target::Open(root), b"", &metadata)
        });
        set.map_err(|error| at(b"", error))
    }

    /// The facts about the tree.
    pub(super) fn into_written(self) -> WrittenTree {
        WrittenTree {
            entries: self.entries,
            size: self.size,
            shortfalls: self.setter.shortfalls,
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
                    self.setter.shortfalls.nodes.note(path, b"", error);
                    self.left_out.insert(path.to_vec());
                    return Ok(());
                }
                Target::Node(parent, name)
            }
        };
        self.setter.set(target, path, metadata)
    }

    fn link(&mut self, path: &[u8], target: &[u8]) -> Result<()> {
        if self.left_out.contains(target) {
            self.setter.shortfalls.nodes.count += 1;
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
        self.setter.set(target, &file.path, &file.metadata)
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

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
