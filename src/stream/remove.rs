//! Removing the content of a folder, whatever the modes in it and however deep it is.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, chmodat, fchmod, openat, renameat, unlinkat};
use rustix::io::Errno;

/// The start of the names of parts of an output.
pub(crate) const PART: &str = "part-";

/// The flags with which a directory is opened.
const DIRECTORY: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Removes entries of a folder, with everything below them.
///
/// A directory in another is moved up into the folder before its content is removed, so
/// that neither paths nor open directories pile up.
///
/// # Errors
///
/// Fails at the first entry that cannot be removed.
pub(crate) fn remove_all(folder: BorrowedFd<'_>, entries: Vec<Vec<u8>>) -> io::Result<()> {
    let mut pending = entries;
    let mut moved = 0;
    while let Some(entry) = pending.pop() {
        if unlinkat(folder, &*entry, AtFlags::empty()).is_ok() {
            continue;
        }
        let directory = open_for_removal(folder, &entry)?;
        for name in names(directory.as_fd())? {
            if unlinkat(&directory, &*name, AtFlags::empty()).is_err() {
                pending.push(move_into(directory.as_fd(), &name, folder, &mut moved)?);
            }
        }
        unlinkat(folder, &*entry, AtFlags::REMOVEDIR)?;
    }
    Ok(())
}

/// The names in a directory.
pub(crate) fn names(directory: BorrowedFd<'_>) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    Ok(names)
}

/// Moves an entry to an unused name in a folder, and returns that. Names before `number`
/// are not tried.
pub(crate) fn move_into(
    directory: BorrowedFd<'_>,
    name: &[u8],
    folder: BorrowedFd<'_>,
    number: &mut u64,
) -> io::Result<Vec<u8>> {
    // Moving a directory changes its entry `..`.
    match open_for_removal(directory, name) {
        Ok(_) | Err(Errno::NOTDIR | Errno::LOOP) => {}
        Err(error) => return Err(error.into()),
    }
    loop {
        let unused = format!("{PART}removed-{number}");
        *number += 1;
        match renameat(directory, name, folder, &unused) {
            Err(Errno::EXIST | Errno::NOTEMPTY) => {}
            result => return Ok(result.map(|()| unused.into_bytes())?),
        }
    }
}

/// Opens a directory, in which entries can then be removed.
fn open_for_removal(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let open = |flags| openat(parent, name, flags | DIRECTORY, Mode::empty());
    let directory = match open(OFlags::RDONLY) {
        Err(Errno::ACCESS) => {
            let found = open(OFlags::PATH)?;
            let path = format!("/proc/self/fd/{}", found.as_raw_fd());
            chmodat(CWD, path, Mode::RWXU, AtFlags::empty())?;
            open(OFlags::RDONLY)?
        }
        opened => opened?,
    };
    // Where this is not allowed, an error follows if it is necessary.
    let _ = fchmod(&directory, Mode::RWXU);
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// Also run by users without privileges.
    #[test]
    fn modes_and_depth_are_no_obstacle_and_links_are_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("kept"), "").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let deep = "d/".repeat(1500);
        fs::create_dir_all(path(&deep)).unwrap();
        fs::create_dir_all(path("a/b/c")).unwrap();
        fs::create_dir(path("part-removed-0")).unwrap();
        fs::write(path("part-removed-0/file"), "").unwrap();
        fs::write(path("a/b/c/file"), "").unwrap();
        symlink(outside.path(), path("a/link")).unwrap();
        symlink(outside.path(), path("link")).unwrap();
        for (name, mode) in [("a/b/c", 0o000), ("a/b", 0o111), ("a", 0o000)] {
            fs::set_permissions(path(name), Permissions::from_mode(mode)).unwrap();
        }
        let open = File::open(directory.path()).unwrap();
        remove_all(open.as_fd(), names(open.as_fd()).unwrap()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        assert!(outside.path().join("kept").exists());
    }
}
