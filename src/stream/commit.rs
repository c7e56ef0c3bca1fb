//! A file that becomes visible completely, or not at all.
//!
//! Everything is written under a temporary name in the final folder, and renamed when
//! it is complete. A failure, or a signal that the binary turns into one, drops the
//! value and removes the temporary. A killed process leaves a temporary, which the next
//! [`PendingFile`] of the same name removes: it is locked while its process lives.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use crate::stream::growing::Ahead;
use crate::stream::kernel::{allocate, can_have_holes};
use crate::stream::replaced::Replaced;
use crate::stream::temporary::{Kind, make, prefix_of, remove_abandoned};

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
    /// same target. Its mode will be that of the existing file, or else 0666 minus the
    /// umask.
    pub(crate) fn create(target: &Path, replace: bool) -> io::Result<Self> {
        Self::clear(target);
        let replaced = Replaced::at(target);
        // Until it has the owner and the mode of the other one, it is nobody else's.
        let mode = if replaced.is_some() { 0o600 } else { 0o666 };
        let new = |path: &Path| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).mode(mode);
            options.open(path)
        };
        let (folder, prefix) = location_of(target);
        let (file, path) = make(folder, &prefix, new, |path| fs::remove_file(path))?;
        let temporary = NamedTempFile::from_parts(file, TempPath::try_from_path(path)?);
        if let Some(replaced) = replaced {
            replaced.pass_on(temporary.as_file())?;
        }
        Ok(Self {
            temporary,
            ahead: Ahead::new(),
            target: target.to_owned(),
            replace,
        })
    }

    /// Removes temporaries that killed processes left for the same target, if nothing
    /// will be written there.
    pub(crate) fn clear(target: &Path) {
        let (folder, prefix) = location_of(target);
        remove_abandoned(folder, &prefix, Kind::File);
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

/// Writes a file, which appears when it is complete.
///
/// # Errors
///
/// Fails if it cannot be written, or if it exists and may not be replaced.
pub fn write_file(path: &Path, bytes: &[u8], replace: bool) -> io::Result<()> {
    let mut file = PendingFile::create(path, replace)?;
    file.write_all(bytes)?;
    file.commit()
}

/// The folder of a path, and the start of the names of its temporaries.
fn location_of(path: &Path) -> (&Path, String) {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    (folder.unwrap_or(Path::new(".")), prefix_of(&name))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

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
    fn a_dropped_file_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut pending = PendingFile::create(&directory.path().join("a"), true).unwrap();
        pending.write_all(b"half").unwrap();
        drop(pending);
        assert!(names(directory.path()).is_empty());
    }

    /// The names of temporaries do not grow with that of the target.
    #[test]
    fn a_file_may_have_any_name_that_the_file_system_allows() {
        let directory = tempfile::tempdir().unwrap();
        for name in [
            "a".repeat(255),
            "ü".repeat(127),
            format!(".{}", "ü".repeat(127)),
        ] {
            let target = directory.path().join(&name);
            write_file(&target, b"new", false).unwrap();
            assert_eq!(names(directory.path()), [name]);
            fs::remove_file(target).unwrap();
        }
    }

    #[test]
    fn a_file_in_place_of_another_has_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("out.tar");
        for (content, mode) in [("", 0o600), ("old", 0o640), ("old", 0o666), ("old", 0o444)] {
            fs::write(&target, content).unwrap();
            fs::set_permissions(&target, Permissions::from_mode(mode)).unwrap();
            let pending = PendingFile::create(&target, true).unwrap();
            let mode_of = |file: &File| file.metadata().unwrap().permissions().mode() & 0o7777;
            assert_eq!(mode_of(pending.temporary.as_file()), mode);
            pending.commit().unwrap();
            assert_eq!(mode_of(&File::open(&target).unwrap()), mode);
            fs::remove_file(&target).unwrap();
        }
    }

    #[test]
    fn an_abandoned_file_is_removed_and_others_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let others = [
            ".apple.restow-0123456789abcdef9f9f5111",
            ".app.restow-backup",
            ".app.restow-a1b2c3",
            ".app.restow-0123456789abcdef9f9f5110",
            ".app.restow-20261129T063116Z20261129",
            "app.restow-0123456789abcdef9f9f5111",
        ];
        let abandoned = ".app.restow-0123456789abcdef9f9f5111";
        for name in others.iter().chain(&[abandoned]) {
            fs::write(path(name), "half").unwrap();
        }
        let one = PendingFile::create(&path("app"), false).unwrap();
        let two = PendingFile::create(&path("app"), true).unwrap();
        assert!(!path(abandoned).exists());
        assert!(others.iter().all(|name| path(name).exists()));
        one.commit().unwrap();
        two.commit().unwrap();
        assert!(path("app").exists());
        // A link is not a temporary.
        std::os::unix::fs::symlink("app", path(abandoned)).unwrap();
        drop(PendingFile::create(&path("app"), true).unwrap());
        assert!(fs::symlink_metadata(path(abandoned)).is_ok());
    }
}
