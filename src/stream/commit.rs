//! Output that becomes visible whole, or not at all.
//!
//! Everything is written under a temporary name in the folder where it shall
//! stand, and renamed when it is complete. A failure, or a signal that the
//! binary turns into one, drops the value and with it the temporary. A process
//! that is killed leaves a temporary: a folder is removed by the next
//! [`PendingDirectory`] of the same name, a file stays.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use tempfile::{NamedTempFile, TempDir};

use crate::event::Watch;

/// What the names of all temporaries have in them.
const TEMPORARY: &str = ".restow-";

/// A file that does not stand at its place yet.
#[derive(Debug)]
#[must_use = "the file only appears at `commit`"]
pub(crate) struct PendingFile {
    temporary: NamedTempFile,
    target: PathBuf,
    replace: bool,
}

impl PendingFile {
    /// Begins a file that will stand at `target`, in place of what is there if
    /// `replace` says so. Its mode will be 0666 less the umask.
    pub(crate) fn create(target: &Path, replace: bool) -> io::Result<Self> {
        let temporary = tempfile::Builder::new()
            .prefix(&prefix_of(target))
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder_of(target))
            .map_err(|error| without_temporary_name(folder_of(target), &error))?;
        Ok(Self {
            temporary,
            target: target.to_owned(),
            replace,
        })
    }

    /// Another handle on the file, to write at other places of it.
    pub(crate) fn try_clone(&self) -> io::Result<File> {
        self.temporary.as_file().try_clone()
    }

    /// Cuts the file off behind `length` bytes.
    pub(crate) fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.temporary.as_file().set_len(length)
    }

    /// Makes the file visible.
    ///
    /// What it replaces is only let go when the new bytes are on the disk.
    pub(crate) fn commit(self) -> io::Result<()> {
        if self.replace && self.target.exists() {
            self.temporary.as_file().sync_data()?;
        }
        let result = if self.replace {
            self.temporary.persist(&self.target)
        } else {
            self.temporary.persist_noclobber(&self.target)
        };
        result.map(drop).map_err(|error| error.error)
    }
}

impl Write for PendingFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.temporary.as_file_mut().write(buffer)
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

/// A folder that is removed with all that is in it, unless it is renamed.
///
/// It is locked while it lives, so that another process can tell a folder that
/// is being filled from one that a killed process left.
#[derive(Debug)]
#[must_use = "the folder is removed when this is dropped"]
pub(crate) struct PendingDirectory {
    temporary: TempDir,
    _lock: File,
}

impl PendingDirectory {
    /// Makes one in `parent` for what will be called `name`, and removes those
    /// for the same name that killed processes left there.
    pub(crate) fn create_in(parent: &Path, name: &str) -> io::Result<Self> {
        let prefix = match name.trim_start_matches('.') {
            "" => TEMPORARY.to_owned(),
            name => format!(".{name}{TEMPORARY}"),
        };
        remove_abandoned(parent, &prefix);
        loop {
            let temporary = tempfile::Builder::new()
                .prefix(&prefix)
                .permissions(Permissions::from_mode(0o777))
                .tempdir_in(parent)
                .map_err(|error| without_temporary_name(parent, &error))?;
            // Until it is locked, another process may take it for an abandoned one.
            let Ok(lock) = File::open(temporary.path()) else {
                continue;
            };
            if lock.try_lock().is_ok() && is_still_there(&lock, temporary.path()) {
                return Ok(Self {
                    temporary,
                    _lock: lock,
                });
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Gives it its final name, which no file and no filled folder may have.
    ///
    /// On failure it comes back, with the reason.
    pub(crate) fn rename(self, target: &Path) -> Result<(), (Self, io::Error)> {
        match fs::rename(self.path(), target) {
            Ok(()) => {
                // It is no longer there, and must not be looked for.
                let _ = self.temporary.keep();
                Ok(())
            }
            Err(error) => Err((self, error)),
        }
    }
}

/// Whether an open folder is the one that stands at a path.
fn is_still_there(open: &File, path: &Path) -> bool {
    match (open.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Removes temporary folders that no process holds a lock on.
///
/// A kindness, not a duty: what cannot be removed, or is gone already, is no
/// reason to fail.
fn remove_abandoned(parent: &Path, prefix: &str) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let suffix = name.to_str().and_then(|name| name.strip_prefix(prefix));
        // Whatever else lies there is not even opened: that may wait for ever.
        if !(suffix.is_some_and(is_random) && entry.path().join("blobs").is_dir()) {
            continue;
        }
        let lock = File::open(entry.path());
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether a text is such as ends the name of a temporary.
fn is_random(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a file in a folder is a temporary of some output.
#[must_use]
pub(crate) fn is_temporary(name: &str) -> bool {
    name.rsplit_once(TEMPORARY)
        .is_some_and(|(_, suffix)| is_random(suffix))
}

/// How long to wait before a lock is tried again.
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// Takes the lock of a folder, for as long as the returned value lives, and waits
/// for whoever has it; `None` if the caller wanted the end while it waited.
///
/// It is advisory, and on the folder itself, so that no lock file stays behind.
pub(crate) fn lock_directory(path: &Path, watch: &Watch<'_>) -> io::Result<Option<File>> {
    let directory = File::open(path)?;
    while !watch.is_interrupted() {
        match directory.try_lock() {
            Ok(()) => return Ok(Some(directory)),
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_INTERVAL),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// An error without the name of the temporary that it happened to, which nobody
/// has chosen: what is wrong with the folder, if anything is, or its kind.
pub(super) fn without_temporary_name(folder: &Path, error: &io::Error) -> io::Error {
    match fs::metadata(folder) {
        Ok(_) => error.kind().into(),
        Err(error) => error,
    }
}

/// The folder that a path is in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
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
            ".apple.restow-a1b2c3",
            ".app.restow-mine",
            ".app.restow-d4e5f6",
        ];
        fs::create_dir_all(path(".app.restow-a1b2c3/blobs")).unwrap();
        fs::create_dir_all(path(".apple.restow-a1b2c3/blobs")).unwrap();
        fs::create_dir_all(path(".app.restow-mine/blobs")).unwrap();
        fs::create_dir_all(path(".app.restow-d4e5f6/of a user")).unwrap();
        let one = PendingDirectory::create_in(directory.path(), "app").unwrap();
        fs::create_dir(one.path().join("blobs")).unwrap();
        let two = PendingDirectory::create_in(directory.path(), "app").unwrap();
        assert!(one.path().exists() && two.path().exists());
        assert!(!path(".app.restow-a1b2c3").exists());
        assert!(others.iter().all(|name| path(name).exists()));
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
