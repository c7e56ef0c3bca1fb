//! Output that becomes visible completely, or not at all.
//!
//! Everything is written under a temporary name in the final folder, and renamed when
//! it is complete. A failure, or a signal that the binary turns into one, drops the
//! value and removes the temporary. A killed process leaves a temporary, which the next
//! [`PendingFile`] or [`PendingDirectory`] of the same name removes: it is locked while
//! its process lives.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use tempfile::{NamedTempFile, TempDir};

use crate::progress::Progress;
use crate::stream::growing::Ahead;
use crate::stream::kernel::{allocate, can_have_holes};
use crate::stream::remove::{PART, names, remove_all};

/// A part of the names of all temporaries.
const TEMPORARY: &str = ".restow-";

/// Permitted names in an abandoned [`PendingDirectory`], besides those that begin with
/// [`PART`]: a folder with anything else in it belongs to somebody, whatever its name.
const PARTS: [&str; 4] = ["arriving", "blobs", "index.json", "oci-layout"];

/// A file that does not have its final name yet.
#[derive(Debug)]
#[must_use = "the file only appears at `commit`"]
pub(crate) struct PendingFile {
    temporary: NamedTempFile,
    ahead: Ahead,
    target: PathBuf,
    replace: bool,
}

impl PendingFile {
    /// Begins a file at `target`, which may replace an existing one if `replace` is set
    /// or if that is empty, and removes temporaries that killed processes left for the
    /// same target. Its mode will be 0666 minus the umask.
    pub(crate) fn create(target: &Path, replace: bool) -> io::Result<Self> {
        let (folder, prefix) = (folder_of(target), prefix_of(target));
        remove_abandoned(folder, &prefix, Kind::File);
        loop {
            let temporary = tempfile::Builder::new()
                .prefix(&prefix)
                .permissions(Permissions::from_mode(0o666))
                .tempfile_in(folder)
                .map_err(|error| without_temporary_name(folder, &error))?;
            if is_ours(temporary.as_file(), temporary.path()) {
                return Ok(Self {
                    temporary,
                    ahead: Ahead::new(),
                    target: target.to_owned(),
                    replace,
                });
            }
        }
    }

    /// Removes temporaries that killed processes left for the same target, if nothing
    /// will be written there.
    pub(crate) fn clear(target: &Path) {
        remove_abandoned(folder_of(target), &prefix_of(target), Kind::File);
    }

    /// Another handle on the file, to write at other positions.
    pub(crate) fn try_clone(&self) -> io::Result<File> {
        self.temporary.as_file().try_clone()
    }

    /// Returns true if the file system supports holes, so that writing far after the
    /// end costs nothing. FAT, for example, fills everything before that with zeros.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be restored to its previous state.
    pub(crate) fn keeps_holes(&self) -> io::Result<bool> {
        can_have_holes(self.temporary.as_file())
    }

    /// Allocates `length` bytes on the disk, if the file system supports that.
    ///
    /// # Errors
    ///
    /// Fails if there is not enough space.
    pub(crate) fn allocate(&self, length: u64) -> io::Result<()> {
        allocate(self.temporary.as_file(), length)
    }

    /// Truncates the file to `length` bytes.
    pub(crate) fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.temporary.as_file().set_len(length)
    }

    /// Makes the file visible.
    ///
    /// The file that it replaces is only removed when the new bytes are on the disk.
    pub(crate) fn commit(mut self) -> io::Result<()> {
        self.ahead.trim(self.temporary.as_file())?;
        if self.replace && self.target.exists() {
            self.temporary.as_file().sync_data()?;
        }
        let result = if self.replace || is_empty_file(&self.target) {
            self.temporary.persist(&self.target)
        } else {
            self.temporary.persist_noclobber(&self.target)
        };
        result.map(drop).map_err(|error| error.error)
    }
}

fn is_empty_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0)
}

impl Write for PendingFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let mut file = self.temporary.as_file();
        self.ahead
            .prepare(file, file.stream_position()?, buffer.len());
        file.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.as_file_mut().flush()
    }
}

impl Seek for PendingFile {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.temporary.as_file_mut().seek(position)
    }
}

/// A folder that is removed with its content, unless it is renamed.
///
/// It is locked while it lives, so that other processes can distinguish a folder in use
/// from one that a killed process left.
#[derive(Debug)]
#[must_use = "the folder is removed when this is dropped"]
pub(crate) struct PendingDirectory {
    temporary: TempDir,
    /// The folder, open and locked.
    open: File,
}

impl PendingDirectory {
    /// Makes a folder in `parent` that will be named `name`, and removes those for the
    /// same name that killed processes left there.
    pub(crate) fn create_in(parent: &Path, name: &str) -> io::Result<Self> {
        let prefix = directory_prefix(name);
        remove_abandoned(parent, &prefix, Kind::Directory);
        loop {
            let temporary = tempfile::Builder::new()
                .prefix(&prefix)
                .permissions(Permissions::from_mode(0o777))
                .tempdir_in(parent)
                .map_err(|error| without_temporary_name(parent, &error))?;
            // Until it is locked, another process may consider it abandoned.
            let Ok(open) = File::open(temporary.path()) else {
                continue;
            };
            if is_ours(&open, temporary.path()) {
                return Ok(Self { temporary, open });
            }
        }
    }

    /// Removes the folders for this name that killed processes left, if none is made.
    pub(crate) fn clear_in(parent: &Path, name: &str) {
        remove_abandoned(parent, &directory_prefix(name), Kind::Directory);
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// The folder itself, open.
    pub(crate) fn open(&self) -> BorrowedFd<'_> {
        self.open.as_fd()
    }

    /// Gives it its final name, which must not be that of a file or a non-empty folder.
    ///
    /// On failure it is returned with the error.
    pub(crate) fn rename(self, target: &Path) -> Result<(), (Self, io::Error)> {
        match fs::rename(self.path(), target) {
            Ok(()) => {
                // It no longer exists there, and must not be removed.
                let _ = self.temporary.keep();
                Ok(())
            }
            Err(error) => Err((self, error)),
        }
    }
}

/// Locks a new temporary, and returns true if it still exists: before it was locked,
/// another process may have considered it abandoned.
///
/// If the file system has no locks, nothing is considered abandoned.
fn is_ours(open: &File, path: &Path) -> bool {
    !matches!(open.try_lock(), Err(TryLockError::WouldBlock)) && is_still_there(open, path)
}

/// Returns true if an open file or folder is the one at a path.
pub(crate) fn is_still_there(open: &File, path: &Path) -> bool {
    match (open.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// The kind of a temporary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
}

/// Removes temporaries that are not locked by any process.
///
/// This is best effort: something that cannot be removed, or no longer exists, is not
/// an error.
fn remove_abandoned(parent: &Path, prefix: &str, kind: Kind) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let suffix = name.to_str().and_then(|name| name.strip_prefix(prefix));
        if !suffix.is_some_and(is_random) {
            continue;
        }
        let path = entry.path();
        // Other files are not even opened: that could block for ever.
        let is_of_kind = entry.file_type().is_ok_and(|it| match kind {
            Kind::File => it.is_file(),
            Kind::Directory => it.is_dir() && holds_only_parts(&path),
        });
        let open = || File::open(&path).ok().filter(|it| it.try_lock().is_ok());
        if let Some(free) = is_of_kind.then(open).flatten() {
            let _ = match kind {
                Kind::File => fs::remove_file(&path),
                Kind::Directory => {
                    let free = free.as_fd();
                    let removed = names(free).and_then(|names| remove_all(free, names));
                    removed.and_then(|()| fs::remove_dir(&path))
                }
            };
        }
    }
}

/// Returns true if a folder contains only parts of an output, complete or not: a
/// process can be killed at any moment.
fn holds_only_parts(folder: &Path) -> bool {
    let is_part = |name: &str| PARTS.contains(&name) || name.starts_with(PART);
    fs::read_dir(folder).is_ok_and(|mut entries| {
        entries
            .all(|entry| entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(is_part)))
    })
}

/// Returns true if a text can be the end of a temporary's name.
fn is_random(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Returns true if a file in a folder is a temporary of some output.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.rsplit_once(TEMPORARY)
        .is_some_and(|(_, suffix)| is_random(suffix))
}

/// The time to wait before a lock is tried again.
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// Locks a folder for as long as the returned value lives, after waiting for other
/// holders; `None` if the caller stopped the operation meanwhile.
///
/// The lock is advisory, and on the folder itself, so that no lock file remains.
pub(crate) fn lock_directory(path: &Path, progress: &dyn Progress) -> io::Result<Option<File>> {
    let directory = File::open(path)?;
    while !progress.is_interrupted() {
        match directory.try_lock() {
            Ok(()) => return Ok(Some(directory)),
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_INTERVAL),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// Makes a file for a stream that must be stored: because it must be read out of order,
/// or because its size must be known before it can be written. It has no name, so that
/// it cannot be left over.
pub(crate) fn spool_in(folder: &Path) -> io::Result<File> {
    tempfile::tempfile_in(folder).map_err(|error| without_temporary_name(folder, &error))
}

/// An error without the name of the temporary file, which nobody has chosen: the error of
/// the folder, if it has one, or else that of the system.
fn without_temporary_name(folder: &Path, error: &io::Error) -> io::Error {
    if let Err(error) = fs::metadata(folder) {
        return error;
    }
    // tempfile wraps the error of the system in one of its own, of the same kind.
    let system = match error.kind() {
        io::ErrorKind::NotADirectory => Errno::NOTDIR,
        io::ErrorKind::NotFound => Errno::NOENT,
        io::ErrorKind::PermissionDenied => Errno::ACCESS,
        io::ErrorKind::QuotaExceeded => Errno::DQUOT,
        io::ErrorKind::ReadOnlyFilesystem => Errno::ROFS,
        io::ErrorKind::StorageFull => Errno::NOSPC,
        kind => return kind.into(),
    };
    system.into()
}

/// The parent folder of a path.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The start of the names of temporary folders for this name.
fn directory_prefix(name: &str) -> String {
    match name.trim_start_matches('.') {
        "" => TEMPORARY.to_owned(),
        name => format!(".{name}{TEMPORARY}"),
    }
}

fn prefix_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!(".{name}{TEMPORARY}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_at_commit_and_never_before() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("out.tar");
        let mut pending = PendingFile::create(&target, false).unwrap();
        pending.write_all(b"new").unwrap();
        assert!(!target.exists());
        pending.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(names(directory.path()), ["out.tar"]);
    }

    #[test]
    fn looking_for_holes_and_taking_room_leave_the_file_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("out.tar");
        let mut pending = PendingFile::create(&target, false).unwrap();
        pending.write_all(b"some").unwrap();
        let keeps_holes = pending.keeps_holes().unwrap();
        assert_eq!(keeps_holes, pending.keeps_holes().unwrap());
        assert_eq!(pending.stream_position().unwrap(), 4);
        pending.allocate(4).unwrap();
        pending.write_all(b" more").unwrap();
        pending.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"some more");
    }

    #[test]
    fn a_file_that_came_in_between_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("out.tar");
        let pending = PendingFile::create(&target, false).unwrap();
        fs::write(&target, "old").unwrap();
        assert!(pending.commit().is_err());
        assert_eq!(fs::read(&target).unwrap(), b"old");
        assert_eq!(names(directory.path()), ["out.tar"]);
    }

    #[test]
    fn a_dropped_file_or_folder_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut pending = PendingFile::create(&directory.path().join("a"), true).unwrap();
        pending.write_all(b"half").unwrap();
        drop(pending);
        let pending = PendingDirectory::create_in(directory.path(), "b").unwrap();
        fs::write(pending.path().join("half"), "x").unwrap();
        drop(pending);
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn an_abandoned_folder_is_removed_and_others_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let others = [
            ".apple.restow-a1b2c3/blobs",
            ".app.restow-mine/blobs",
            ".app.restow-d4e5f6/of a user",
        ];
        let abandoned = [
            ".app.restow-a1b2c3/blobs/sha256",
            ".app.restow-g7h8i9",
            ".app.restow-j1k2l3/part-7",
            ".app.restow-m4n5o6/arriving/3",
        ];
        for name in others.iter().chain(&abandoned) {
            fs::create_dir_all(path(name)).unwrap();
        }
        fs::write(path(".app.restow-file01"), "a file").unwrap();
        let one = PendingDirectory::create_in(directory.path(), "app").unwrap();
        let two = PendingDirectory::create_in(directory.path(), "app").unwrap();
        assert!(one.path().exists() && two.path().exists());
        assert!(abandoned.iter().all(|name| !path(name).exists()));
        assert!(others.iter().all(|name| path(name).exists()));
        assert!(path(".app.restow-file01").exists());
    }

    #[test]
    fn an_abandoned_file_is_removed_and_others_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let others = [
            ".apple.restow-a1b2c3",
            ".app.restow-mine",
            "app.restow-a1b2c3",
        ];
        for name in others.iter().chain(&[".app.restow-a1b2c3"]) {
            fs::write(path(name), "half").unwrap();
        }
        let one = PendingFile::create(&path("app"), false).unwrap();
        let two = PendingFile::create(&path("app"), true).unwrap();
        assert!(!path(".app.restow-a1b2c3").exists());
        assert!(others.iter().all(|name| path(name).exists()));
        one.commit().unwrap();
        two.commit().unwrap();
        assert!(path("app").exists());
        // A link is not a temporary.
        std::os::unix::fs::symlink("app", path(".app.restow-d4e5f6")).unwrap();
        drop(PendingFile::create(&path("app"), true).unwrap());
        assert!(fs::symlink_metadata(path(".app.restow-d4e5f6")).is_ok());
    }

    #[test]
    fn a_folder_does_not_take_the_place_of_a_filled_one() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("layout");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("mine"), "x").unwrap();
        let pending = PendingDirectory::create_in(directory.path(), "layout").unwrap();
        let (pending, _) = pending.rename(&target).unwrap_err();
        fs::remove_file(target.join("mine")).unwrap();
        pending.rename(&target).unwrap();
        assert_eq!(names(directory.path()), ["layout"]);
    }
}
