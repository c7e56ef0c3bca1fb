//! Packing a folder as a layer: its entries in the order of their names, each directory
//! before those in it, as `tar -C FOLDER --sort=name -c .` has them.
//!
//! The layer depends on nothing but the folder: not on access times, names of users, the
//! order of a directory or the numbers of inodes.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::vec;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Stat, fstat, major, minor, openat, readlinkat, statat,
};
use rustix::io::Errno;

use crate::folder::attributes::Holder;
use crate::folder::beneath::Beneath;
use crate::folder::fault::{at, display};
use crate::layer::{Device, EntrySink, Landing, LayerWriter, Metadata, NodeKind, is_whiteout};
use crate::stream::{COPY_BUFFER, names, open_directory};
use crate::tar_stream::Time;

/// Changes to the entries of a folder that is packed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PackOptions {
    /// The owner and the group of all entries, instead of their own.
    pub(crate) owner: Option<(u32, u32)>,
    /// The time that replaces later ones.
    pub(crate) latest: Option<Time>,
}

/// Sockets, which no layer can have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sockets {
    /// The first of them, escaped.
    pub(crate) first: String,
    /// Their number.
    pub(crate) count: u64,
}

/// Packs a folder, without the end of the archive, and returns the sockets in it, which
/// are left out. With a landing its content is put there, and the folder itself is no
/// entry.
///
/// Links are not followed, but `folder` itself may be one. Memory is one record for each
/// entry of the directories on the way to the current one, and for each file with several
/// names.
///
/// # Errors
///
/// Fails if an entry cannot be read, is a whiteout in an image, or is a file that changes
/// its size meanwhile.
pub(super) fn pack<W: Write>(
    folder: &Path,
    options: PackOptions,
    landing: Option<&Landing>,
    writer: &mut LayerWriter<W>,
) -> io::Result<Sockets> {
    let root = OwnedFd::from(open_directory(folder)?);
    let packer = Packer {
        tree: Beneath::new(root),
        options,
        landing,
        writer,
        linked: HashMap::new(),
        sockets: Sockets::default(),
        buffer: vec![0; COPY_BUFFER],
    };
    packer.run()
}

struct Packer<'a, W> {
    tree: Beneath,
    options: PackOptions,
    landing: Option<&'a Landing>,
    writer: &'a mut LayerWriter<W>,
    /// The first names of files with several names, by their device and inode.
    linked: HashMap<(u64, u64), Vec<u8>>,
    sockets: Sockets,
    buffer: Vec<u8>,
}

/// A directory whose entries are being packed.
struct Directory {
    path: Vec<u8>,
    names: vec::IntoIter<Vec<u8>>,
}

/// The flags with which something is opened: not a terminal to control, and without
/// waiting for the other end of a pipe that took the place of a file.
const OPEN: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOCTTY)
    .union(OFlags::NONBLOCK);

impl<W: Write> Packer<'_, W> {
    fn run(mut self) -> io::Result<Sockets> {
        let root = self.directory(Vec::new()).map_err(|error| at(b"", error))?;
        let mut open = vec![root];
        while let Some(directory) = open.last_mut() {
            let Some(name) = directory.names.next() else {
                open.pop();
                continue;
            };
            let path = match &*directory.path {
                b"" => name,
                parent => [parent, b"/", &name].concat(),
            };
            let inner = self.entry(&path).map_err(|error| at(&path, error))?;
            open.extend(inner);
        }
        Ok(self.sockets)
    }

    /// Writes a directory, and reads the names in it.
    fn directory(&mut self, path: Vec<u8>) -> io::Result<Directory> {
        let directory = self.tree.directory(&path)?;
        let stat = fstat(directory)?;
        let metadata = self.options.metadata(&stat, Holder::Open(directory))?;
        let mut names = names(directory)?;
        names.sort_unstable();
        match self.landing {
            Some(landing) if path.is_empty() => landing.write(self.writer)?,
            _ => self.writer.directory(&self.place(&path), &metadata)?,
        }
        let names = names.into_iter();
        Ok(Directory { path, names })
    }

    /// Writes an entry, unless it is a directory, which is returned.
    fn entry(&mut self, path: &[u8]) -> io::Result<Option<Directory>> {
        let (parent, name) = self.tree.parent_of(path)?;
        if is_whiteout(name) {
            let reason = "in an image, a name that begins with `.wh.` deletes files";
            return Err(io::Error::other(reason));
        }
        let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => return self.directory(path.to_vec()).map(Some),
            FileType::RegularFile => None,
            FileType::Symlink => {
                let target = readlinkat(parent, name, Vec::new())?;
                Some(NodeKind::Symlink(target.into_bytes().into()))
            }
            FileType::CharacterDevice if stat.st_rdev == 0 => {
                let reason = "in an image, a character device 0:0 deletes a file";
                return Err(io::Error::other(reason));
            }
            FileType::CharacterDevice => Some(NodeKind::CharDevice(device(&stat))),
            FileType::BlockDevice => Some(NodeKind::BlockDevice(device(&stat))),
            FileType::Fifo => Some(NodeKind::Fifo),
            FileType::Socket => {
                if self.sockets.count == 0 {
                    self.sockets.first = display(path);
                }
                self.sockets.count += 1;
                return Ok(None);
            }
            FileType::Unknown => return Err(io::Error::other("its type is unknown")),
        };
        let inode = (stat.st_dev, stat.st_ino);
        if let Some(first) = self.linked.get(&inode) {
            let metadata = self.options.metadata(&stat, Holder::Named(parent, name))?;
            let (link, first) = (self.place(path), self.place(first));
            self.writer.hard_link(&link, &first, &metadata)?;
            return Ok(None);
        }
        if stat.st_nlink > 1 {
            self.linked.insert(inode, path.to_vec());
        }
        if let Some(kind) = kind {
            let metadata = self.options.metadata(&stat, Holder::Named(parent, name))?;
            let place = self.place(path);
            self.writer.node(&place, &kind, &metadata)?;
        } else {
            let file = open_file(parent, name, &stat)?;
            let place = self.place(path);
            write_file(&place, file, self.options, &mut self.buffer, self.writer)?;
        }
        Ok(None)
    }

    /// The path of an entry in the layer.
    fn place(&self, path: &[u8]) -> Vec<u8> {
        self.landing
            .map_or_else(|| path.to_vec(), |landing| landing.at(path))
    }
}

/// Packs one file with this name in a directory of an image, without the end of the
/// archive. A link to it is followed.
///
/// # Errors
///
/// Fails if it is not a regular file, cannot be read, or changes its size meanwhile.
pub(super) fn pack_file<W: Write>(
    file: &Path,
    name: &[u8],
    options: PackOptions,
    landing: &Landing,
    writer: &mut LayerWriter<W>,
) -> io::Result<()> {
    let open = rustix::fs::open(file, OPEN - OFlags::NOFOLLOW, Mode::empty())?;
    if FileType::from_raw_mode(fstat(&open)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it is not a regular file"));
    }
    landing.write(writer)?;
    let mut buffer = vec![0; COPY_BUFFER];
    write_file(&landing.at(name), open.into(), options, &mut buffer, writer)
}

/// Writes a file with its content. Holes are written as zeros.
fn write_file<W: Write>(
    path: &[u8],
    mut file: File,
    options: PackOptions,
    buffer: &mut [u8],
    writer: &mut LayerWriter<W>,
) -> io::Result<()> {
    let stat = fstat(&file)?;
    let size = u64::try_from(stat.st_size).unwrap_or_default();
    let metadata = options.metadata(&stat, Holder::Open(file.as_fd()))?;
    writer.node(path, &NodeKind::File(size), &metadata)?;
    let mut left = size;
    loop {
        // At the end, one more byte would be too much.
        let most = usize::try_from(left.max(1)).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let length = match file.read(&mut buffer[..most]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            length => length?,
        };
        match (length, left.checked_sub(length as u64)) {
            (0, _) if left == 0 => return writer.end_of_content(size),
            (1.., Some(rest)) => left = rest,
            _ => return Err(io::Error::other("its size changed while it was read")),
        }
        writer.content().write_all(&buffer[..length])?;
    }
}

impl PackOptions {
    fn metadata(&self, stat: &Stat, holder: Holder<'_>) -> io::Result<Metadata> {
        let mtime = Time {
            seconds: stat.st_mtime,
            nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or_default(),
        };
        let (uid, gid) = self.owner.unwrap_or((stat.st_uid, stat.st_gid));
        Ok(Metadata {
            mode: Metadata::masked(stat.st_mode.into()),
            uid: uid.into(),
            gid: gid.into(),
            mtime: self.latest.map_or(mtime, |latest| mtime.min(latest)),
            attributes: holder.records()?.into(),
        })
    }
}

/// Opens a file, which must be the one that was found.
fn open_file(parent: BorrowedFd<'_>, name: &[u8], found: &Stat) -> io::Result<File> {
    let changed = || io::Error::other("it was replaced while it was read");
    let file = match openat(parent, name, OPEN, Mode::empty()) {
        Err(Errno::LOOP) => return Err(changed()),
        file => file?,
    };
    let stat = fstat(&file)?;
    if (stat.st_dev, stat.st_ino) != (found.st_dev, found.st_ino) {
        return Err(changed());
    }
    Ok(file.into())
}

fn device(stat: &Stat) -> Device {
    Device {
        major: major(stat.st_rdev).into(),
        minor: minor(stat.st_rdev).into(),
    }
}
