//! Output that becomes visible whole, or not at all.
//!
//! Everything is written under a temporary name in the folder where it shall
//! stand, and renamed when it is complete. A failure, or a signal that the
//! binary turns into one, drops the value and with it the temporary. A process
//! that is killed leaves a temporary, which the next [`PendingDirectory`] of the
//! same place removes.

use std::fs::{self, File, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

/// What the names of all temporaries have in them.
const TEMPORARY: &str = ".restow-";

/// A file that does not stand at its place yet.
#[derive(Debug)]
#[must_use = "the file only appears at `commit`"]
pub struct PendingFile {
    temporary: NamedTempFile,
    target: PathBuf,
    replace: bool,
}

impl PendingFile {
    /// Begins a file that will stand at `target`, in place of what is there if
    /// `replace` says so. Its mode will be 0666 less the umask.
    pub fn create(target: &Path, replace: bool) -> io::Result<Self> {
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

    /// Cuts the file off behind `length` bytes.
    pub fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.temporary.as_file().set_len(length)
    }

    /// Makes the file visible.
    ///
    /// What it replaces is only let go when the new bytes are on the disk.
    pub fn commit(self) -> io::Result<()> {
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
pub struct PendingDirectory {
    temporary: TempDir,
    _lock: File,
}

impl PendingDirectory {
    /// Makes one in `parent` for what will be called `name`, and removes those
    /// for the same name that killed processes left there.
    pub fn create_in(parent: &Path, name: &str) -> io::Result<Self> {
        let prefix = match name.trim_start_matches('.') {
            "" => TEMPORARY.to_owned(),
            name => format!(".{name}{TEMPORARY}"),
        };
        let _guard = lock_directory(parent)?;
        remove_abandoned(parent, &prefix)?;
        let temporary = tempfile::Builder::new()
            .prefix(&prefix)
            .permissions(Permissions::from_mode(0o777))
            .tempdir_in(parent)
            .map_err(|error| without_temporary_name(parent, &error))?;
        let lock = lock_directory(temporary.path())?;
        Ok(Self {
            temporary,
            _lock: lock,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Gives it its final name, which no file and no filled folder may have.
    ///
    /// On failure it comes back, with the reason.
    pub fn rename(self, target: &Path) -> Result<(), (Self, io::Error)> {
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

/// Removes temporary folders that no process holds a lock on.
fn remove_abandoned(parent: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix)
            && entry.file_type()?.is_dir()
            && File::open(entry.path())?.try_lock().is_ok()
        {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Takes the lock of a folder, for as long as the returned value lives, and
/// waits for whoever has it.
///
/// It is advisory, and on the folder itself, so that no lock file stays behind.
pub fn lock_directory(path: &Path) -> io::Result<File> {
    let directory = File::open(path)?;
    directory.lock()?;
    Ok(directory)
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
    fn an_abandoned_folder_is_removed_and_one_in_use_is_not() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join(".app.restow-old")).unwrap();
        fs::create_dir(directory.path().join(".apple.restow-old")).unwrap();
        let one = PendingDirectory::create_in(directory.path(), "app").unwrap();
        let two = PendingDirectory::create_in(directory.path(), "app").unwrap();
        assert!(one.path().exists() && two.path().exists());
        assert!(!directory.path().join(".app.restow-old").exists());
        assert!(directory.path().join(".apple.restow-old").exists());
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
