//! A folder that becomes visible completely, or not at all, and locks on folders.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::progress::Progress;
use crate::stream::open::open_directory;
use crate::stream::remove::{names, remove_all};
use crate::stream::temporary::{Kind, make, prefix_of, remove_abandoned};

/// The number of descriptors that removing a folder needs at once.
const SPARE: usize = 3;

/// A folder that is removed with its content, unless it is renamed.
///
/// It is locked while it lives, so that other processes can distinguish a folder in use
/// from one that a killed process left.
#[derive(Debug)]
#[must_use = "the folder is removed when this is dropped"]
pub(crate) struct PendingDirectory {
    path: PathBuf,
    /// The folder, open and locked.
    open: File,
    /// Descriptors that are free once the folder is removed, even if the process may have
    /// no more of them.
    spare: Vec<File>,
    is_renamed: bool,
}

impl PendingDirectory {
    /// Makes a folder in `parent` that will be named `name`, and removes those for the
    /// same name that killed processes left there.
    pub(crate) fn create_in(parent: &Path, name: &str) -> io::Result<Self> {
        Self::clear_in(parent, name);
        let (open, path) = make(parent, &prefix_of(name), make_open, |path| {
            fs::remove_dir(path)
        })?;
        let mut made = Self {
            path,
            open,
            spare: Vec::new(),
            is_renamed: false,
        };
        for _ in 0..SPARE {
            match made.open.try_clone() {
                Ok(spare) => made.spare.push(spare),
                Err(error) => {
                    let _ = fs::remove_dir(&made.path);
                    return Err(error);
                }
            }
        }
        Ok(made)
    }

    /// Removes the folders for this name that killed processes left, if none is made.
    pub(crate) fn clear_in(parent: &Path, name: &str) {
        remove_abandoned(parent, &prefix_of(name), Kind::Directory);
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder itself, open.
    pub(crate) fn open(&self) -> BorrowedFd<'_> {
        self.open.as_fd()
    }

    /// Gives it its final name, which must not be that of a file or a non-empty folder.
    ///
    /// On failure it is returned with the error.
    pub(crate) fn rename(mut self, target: &Path) -> Result<(), (Self, io::Error)> {
        match fs::rename(self.path(), target) {
            Ok(()) => {
                self.is_renamed = true;
                Ok(())
            }
            Err(error) => Err((self, error)),
        }
    }
}

impl Drop for PendingDirectory {
    fn drop(&mut self) {
        if self.is_renamed {
            return;
        }
        self.spare.clear();
        // Nobody can do anything about a failure.
        let open = self.open.as_fd();
        let _ = names(open).and_then(|names| remove_all(open, names));
        let _ = fs::remove_dir(&self.path);
    }
}

/// Makes a folder and opens it.
fn make_open(path: &Path) -> io::Result<File> {
    DirBuilder::new().create(path)?;
    open_directory(path).inspect_err(|_| {
        // It is empty, and nobody else knows of it.
        let _ = fs::remove_dir(path);
    })
}

/// The time to wait before a lock is tried again.
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// The time to wait before somebody is told.
const PATIENCE: Duration = Duration::from_secs(1);

/// Locks a folder for as long as the returned value lives, after waiting for other
/// holders; `None` if the caller stopped the operation meanwhile. A wait that takes a
/// while is told once by `tell`.
///
/// The lock is advisory, and on the folder itself, so that no lock file remains.
pub(crate) fn lock_directory(
    path: &Path,
    progress: &dyn Progress,
    tell: &dyn Fn(),
) -> io::Result<Option<File>> {
    let directory = open_directory(path)?;
    let start = Instant::now();
    let mut is_told = false;
    while !progress.is_interrupted() {
        match directory.try_lock() {
            Ok(()) => return Ok(Some(directory)),
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_INTERVAL),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if !is_told && start.elapsed() >= PATIENCE {
            is_told = true;
            tell();
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_dropped_folder_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let pending = PendingDirectory::create_in(directory.path(), "b").unwrap();
        fs::write(pending.path().join("half"), "x").unwrap();
        drop(pending);
        assert!(listed(directory.path()).is_empty());
    }

    /// A folder of an earlier version is only removed if it has what no layout has.
    #[test]
    fn an_abandoned_folder_is_removed_and_others_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let others = [
            ".apple.restow-0123456789abcdef9f9f5111/blobs",
            ".app.restow-mine/blobs",
            ".app.restow-backup/blobs",
            ".app.restow-v20260/index.json",
            ".app.restow-empty1",
            ".app.restow-3123456789abcdef0e831dc7/of a user",
        ];
        let abandoned = [
            ".app.restow-0123456789abcdef9f9f5111/blobs/sha256",
            ".app.restow-1123456789abcdeff63ef108",
            ".app.restow-j1k2l3/part-7",
            ".app.restow-m4n5o6/arriving/3",
        ];
        for name in others.iter().chain(&abandoned) {
            fs::create_dir_all(path(name)).unwrap();
        }
        let file = path(".app.restow-2123456789abcdeff870067d");
        fs::write(&file, "a file").unwrap();
        let one = PendingDirectory::create_in(directory.path(), "app").unwrap();
        let two = PendingDirectory::create_in(directory.path(), "app").unwrap();
        assert!(one.path().exists() && two.path().exists());
        let there = |names: &[&'static str]| -> Vec<&str> {
            names
                .iter()
                .copied()
                .filter(|name| path(name).exists())
                .collect()
        };
        assert_eq!(there(&abandoned), Vec::<&str>::new());
        assert_eq!(there(&others), others);
        assert!(file.exists());
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
        assert_eq!(listed(directory.path()), ["layout"]);
    }
}
