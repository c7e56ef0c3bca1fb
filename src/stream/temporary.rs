//! Temporaries: their names, how they are made, and which of them are abandoned.
//!
//! The name of a temporary begins with that of its target and ends with a mark: a random
//! number and a check of it, which no file of a user has by chance.

use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::digest::Digest;
use crate::stream::open::{open_directory, open_regular};
use crate::stream::remove::{PART, names, remove_all};

/// A part of the names of all temporaries.
const TEMPORARY: &str = ".restow-";

/// The number of bytes of the target's name in that of its temporary. Together with the
/// mark it is a name that every file system permits.
const NAME_MAX: usize = 100;

/// The folder in a [`PendingDirectory`](super::PendingDirectory) for members of a stream.
pub(crate) const ARRIVING: &str = "arriving";

/// Permitted names in an abandoned [`PendingDirectory`](super::PendingDirectory), besides
/// those that begin with [`PART`]: a folder with anything else in it belongs to somebody,
/// whatever its name.
const PARTS: [&str; 4] = [ARRIVING, "blobs", "index.json", "oci-layout"];

/// The number of times that a temporary is made, if another process removes it at once.
const ATTEMPTS: usize = 16;

/// The kind of a temporary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
}

/// The start of the names of temporaries for a target of this name.
pub(super) fn prefix_of(name: &str) -> String {
    match name.trim_start_matches('.') {
        "" => TEMPORARY.to_owned(),
        name => {
            let mut ends = (0..=NAME_MAX.min(name.len())).rev();
            let end = ends.find(|&at| name.is_char_boundary(at));
            format!(".{}{TEMPORARY}", &name[..end.unwrap_or(0)])
        }
    }
}

/// A mark that no name in the folder has yet.
fn mark() -> String {
    let number = format!("{:016x}", RandomState::new().hash_one(TEMPORARY));
    let check = check(&number);
    number + &check
}

/// The second part of a mark.
fn check(number: &str) -> String {
    let digest = Digest::of(number.as_bytes());
    digest.hex()[..8].to_owned()
}

/// True if a text is a mark.
fn is_mark(text: &str) -> bool {
    let parts = text.split_at_checked(16);
    parts.is_some_and(|(number, rest)| rest == check(number))
}

/// True if a text can be the mark of version 0.2 and before, or a word of a user.
fn is_former_mark(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Returns true if a file in a folder may be a temporary of some output.
pub(crate) fn is_temporary(name: &str) -> bool {
    let mark = name.rsplit_once(TEMPORARY).map(|(_, mark)| mark);
    mark.is_some_and(|mark| is_mark(mark) || is_former_mark(mark))
}

/// Makes a temporary in a folder by `make`, and locks it, so that no other process
/// considers it abandoned. `discard` removes one that may not be ours.
///
/// After some attempts it is taken as it is: if it is removed after all, the output
/// fails, and nothing else.
pub(super) fn make(
    folder: &Path,
    prefix: &str,
    make: impl Fn(&Path) -> io::Result<File>,
    discard: fn(&Path) -> io::Result<()>,
) -> io::Result<(File, PathBuf)> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let path = folder.join(format!("{prefix}{}", mark()));
        match make(&path) {
            Ok(open) if is_ours(&open, &path) || attempt == ATTEMPTS => return Ok((open, path)),
            Ok(_) => {
                let _ = discard(&path);
            }
            // Another process has removed a folder before it could be opened.
            Err(error)
                if attempt < ATTEMPTS
                    && [io::ErrorKind::AlreadyExists, io::ErrorKind::NotFound]
                        .contains(&error.kind())
                    && folder.is_dir() => {}
            Err(error) => return Err(without_temporary_name(folder, error)),
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

/// Removes temporaries that are not locked by any process.
///
/// This is best effort: something that cannot be removed, or no longer exists, is not
/// an error.
pub(super) fn remove_abandoned(parent: &Path, prefix: &str, kind: Kind) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(mark) = name.to_str().and_then(|name| name.strip_prefix(prefix)) else {
            continue;
        };
        let path = entry.path();
        // Other files are not even opened: that could block for ever.
        let is_abandoned = entry.file_type().is_ok_and(|it| match kind {
            Kind::File => it.is_file() && is_mark(mark),
            Kind::Directory => {
                let is_former = is_former_mark(mark);
                it.is_dir() && (is_mark(mark) || is_former) && holds_only_parts(&path, is_former)
            }
        });
        let open = || match kind {
            Kind::File => open_regular(&path),
            Kind::Directory => open_directory(&path),
        };
        let open = || open().ok().filter(|it| it.try_lock().is_ok());
        if let Some(free) = is_abandoned.then(open).flatten() {
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
/// process can be killed at any moment. `is_certain` also requires one that a layout of a
/// user does not have.
fn holds_only_parts(folder: &Path, is_certain: bool) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    let mut is_certain = !is_certain;
    for entry in entries {
        let name = entry.map(|entry| entry.file_name());
        let Some(name) = name.as_ref().ok().and_then(|name| name.to_str()) else {
            return false;
        };
        if !PARTS.contains(&name) && !name.starts_with(PART) {
            return false;
        }
        is_certain |= name == ARRIVING || name.starts_with(PART);
    }
    is_certain
}

/// Makes a file for a stream that must be stored: because it must be read out of order,
/// or because its size must be known before it can be written. It has no name, so that
/// it cannot be left over.
pub(crate) fn spool_in(folder: &Path) -> io::Result<File> {
    tempfile::tempfile_in(folder).map_err(|error| without_temporary_name(folder, error))
}

/// An error without the name of the temporary file, which nobody has chosen: the error of
/// the folder, if it has one, or else that of the system.
fn without_temporary_name(folder: &Path, error: io::Error) -> io::Error {
    if let Err(error) = fs::metadata(folder) {
        return error;
    }
    if error.raw_os_error().is_some() {
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn the_start_of_a_name_is_that_of_the_target() {
        let long = "ü".repeat(127);
        for (name, expected) in [
            ("out.tar", ".out.tar.restow-".to_owned()),
            (".hidden", ".hidden.restow-".to_owned()),
            ("", ".restow-".to_owned()),
            (&long, format!(".{}.restow-", "ü".repeat(50))),
            (&format!("a{long}"), format!(".a{}.restow-", "ü".repeat(49))),
        ] {
            assert_eq!(prefix_of(name), expected);
            assert!(is_temporary(&format!("{expected}{}", mark())));
        }
        for name in ["out.tar", ".out.restow-", ".out.restow-of a user"] {
            assert!(!is_temporary(name), "{name}");
        }
        assert_ne!(mark(), mark());
    }

    /// Another process removes each one at once, or the file system gives a file another
    /// number by its name.
    #[test]
    fn a_temporary_is_not_made_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let made = Cell::new(0);
        let removed = |path: &Path| {
            made.set(made.get() + 1);
            let file = File::create(path)?;
            fs::remove_file(path)?;
            Ok(file)
        };
        make(directory.path(), "a", removed, |_| Ok(())).unwrap();
        assert_eq!(made.take(), ATTEMPTS);
        let absent = |_: &Path| {
            made.set(made.get() + 1);
            Err(io::ErrorKind::NotFound.into())
        };
        let error = make(directory.path(), "a", absent, |_| Ok(())).unwrap_err();
        let made = made.take();
        assert_eq!((error.kind(), made), (io::ErrorKind::NotFound, ATTEMPTS));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
