//! A folder that gets its files all at once, or not at all.
//!
//! The tree is written below a temporary folder, in a root that only this user can enter.
//! For a new folder that is beside it, and at the end the root gets the final name. For
//! an empty one that exists it is inside, and at the end the entries at the top move up:
//! the folder may be a mount point, or the current directory of a shell. A directory that
//! moves changes, so that one without write permission gets its mode afterwards.
//!
//! If anything fails, the temporary folder is removed, and everything that already left
//! it. Whatever takes the place of the folder around it meanwhile, the tree appears in the
//! one that was there at the start. What a killed process left is removed by the next one
//! with the same target.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    CWD, Mode, OFlags, RenameFlags, fchmod, fremovexattr, fstat, mkdirat, openat, renameat,
    renameat_with,
};
use rustix::io::Errno;
use rustix::path::Arg;

use crate::folder::unpack::{FolderWriter, WrittenTree};
use crate::layer::Metadata;
use crate::progress::Progress;
use crate::stream::{PendingDirectory, is_temporary, move_into, names, open_directory, remove_all};
use crate::tar_stream::Time;

/// The name of the root in the temporary folder: that of a part of an output.
const ROOT: &str = "part-root";

/// The mode of a new folder, if the image has no entry for its root.
const IMPLIED_MODE: u16 = 0o755;

/// The attributes that are inherited from the parent directory.
const INHERITED: [&str; 2] = ["system.posix_acl_access", "system.posix_acl_default"];

/// A folder that gets its files at [`commit`](Self::commit).
#[derive(Debug)]
#[must_use = "the files only appear at `commit`"]
pub(crate) struct PendingTree {
    temporary: PendingDirectory,
    root: OwnedFd,
    /// It is dropped last: the path of the temporary folder leads through it.
    target: Target,
}

/// The folder as it was found.
#[derive(Debug)]
enum Target {
    /// It does not exist: the open directory that will contain it, and its name there.
    New(OwnedFd, OsString),
    /// It is empty, and open.
    Empty(OwnedFd),
}

/// The reason why files cannot be written to a folder.
#[derive(Debug)]
pub(crate) enum Obstacle {
    /// It is not empty.
    NotEmpty,
    /// It cannot be made or used.
    Io(io::Error),
}

impl<E: Into<io::Error>> From<E> for Obstacle {
    fn from(error: E) -> Self {
        Self::Io(error.into())
    }
}

impl PendingTree {
    /// Begins a tree in a folder that is empty, or that does not exist.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be written to, without changing anything.
    pub(crate) fn create(folder: &Path) -> Result<Self, Obstacle> {
        // The path of the temporary folder leads through the target, which is dropped last.
        let (target, temporary) = match fs::metadata(folder) {
            Ok(metadata) if !metadata.is_dir() => return Err(Errno::NOTDIR.into()),
            Ok(_) => in_empty(folder)?,
            // A link that leads nowhere is something that exists, too.
            Err(_) if fs::symlink_metadata(folder).is_ok() => return Err(Errno::EXIST.into()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            Err(_) => beside_new(folder)?,
        };
        mkdirat(temporary.open(), ROOT, Mode::RWXU)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = openat(temporary.open(), ROOT, flags, Mode::empty())?;
        for attribute in INHERITED {
            // Most parents have no such attribute, so a failure means nothing.
            let _ = fremovexattr(&root, attribute);
        }
        Ok(Self {
            temporary,
            root,
            target,
        })
    }

    /// The writer of the files.
    pub(crate) fn writer(&self) -> io::Result<FolderWriter> {
        Ok(FolderWriter::new(self.root.try_clone()?)?)
    }

    /// Makes the files visible, after it has set the metadata of directories. A root
    /// without an entry, in a new folder, is dated `created`.
    ///
    /// # Errors
    ///
    /// Fails if the folder is no longer empty, or exists meanwhile. Nothing remains then.
    pub(crate) fn commit(
        self,
        mut writer: FolderWriter,
        created: Time,
        progress: &dyn Progress,
    ) -> io::Result<WrittenTree> {
        match &self.target {
            Target::New(parent, name) => {
                writer.end_directories(1, progress)?;
                let temporary = self.temporary.open();
                move_to(temporary, ROOT, parent, name.as_os_str())?;
                let implied = Metadata::implied(IMPLIED_MODE, created);
                if let Err(error) = writer.end_root(Some(implied)) {
                    move_into(parent.as_fd(), name.as_bytes(), temporary, &mut 0)?;
                    return Err(error);
                }
            }
            Target::Empty(folder) => {
                let mut moved = Vec::new();
                let temporary = self.temporary;
                let moving = move_up(&self.root, folder, &mut moved);
                let ended = moving.and_then(|()| {
                    writer.move_to(folder.try_clone()?);
                    writer.end_directories(1, progress)?;
                    // Until it is removed, the time of the folder changes.
                    drop(temporary);
                    writer.end_root(None)
                });
                if let Err(error) = ended {
                    remove_all(folder.as_fd(), moved)?;
                    return Err(error);
                }
            }
        }
        Ok(writer.into_written())
    }
}

/// The temporary folder in an empty one.
fn in_empty(folder: &Path) -> Result<(Target, PendingDirectory), Obstacle> {
    let open = OwnedFd::from(open_directory(folder)?);
    let is_left = |name: &Vec<u8>| str::from_utf8(name).is_ok_and(is_temporary);
    if !found(&open)?.iter().all(is_left) {
        return Err(Obstacle::NotEmpty);
    }
    // It will get the mode of the root, which only its owner may set.
    fchmod(&open, Mode::from_raw_mode(fstat(&open)?.st_mode))?;
    let temporary = PendingDirectory::create_in(&path_of(&open, folder), "")?;
    // What killed processes left is removed now, if it really is that.
    match found(&open)?.len() {
        1 => Ok((Target::Empty(open), temporary)),
        _ => Err(Obstacle::NotEmpty),
    }
}

/// The names in a folder, apart from the one in every new file system.
fn found(folder: &OwnedFd) -> io::Result<Vec<Vec<u8>>> {
    let mut names = names(folder.as_fd())?;
    names.retain(|name| name != b"lost+found");
    Ok(names)
}

/// The temporary folder beside one that does not exist.
fn beside_new(folder: &Path) -> Result<(Target, PendingDirectory), Obstacle> {
    let name = folder.file_name().ok_or(Errno::NOENT)?;
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = openat(CWD, parent, flags, Mode::empty())?;
    let path = path_of(&open, parent);
    let temporary = PendingDirectory::create_in(&path, &name.to_string_lossy())?;
    Ok((Target::New(open, name.to_owned()), temporary))
}

/// A path to an open directory that leads to it also after something else has taken its
/// place, as long as it is open. Without `/proc` it is the one by which it was opened.
fn path_of(open: &OwnedFd, opened_by: &Path) -> PathBuf {
    let path = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()));
    if path.is_dir() {
        return path;
    }
    opened_by.to_owned()
}

/// Moves all entries of one directory to another, and notes their names.
fn move_up(from: &OwnedFd, to: &OwnedFd, moved: &mut Vec<Vec<u8>>) -> io::Result<()> {
    for name in names(from.as_fd())? {
        move_to(from, &*name, to, &*name)?;
        moved.push(name);
    }
    Ok(())
}

/// Moves an entry to a place where nothing is.
fn move_to<P: Arg + Copy, Q: Arg + Copy>(
    from: impl AsFd,
    name: P,
    to: impl AsFd,
    target: Q,
) -> io::Result<()> {
    let (from, to) = (from.as_fd(), to.as_fd());
    match renameat_with(from, name, to, target, RenameFlags::NOREPLACE) {
        // Some file systems have no such flag. There only a file of the same moment, or
        // an empty folder, can be replaced.
        Err(Errno::INVAL | Errno::NOSYS) => Ok(renameat(from, name, to, target)?),
        result => Ok(result?),
    }
}
