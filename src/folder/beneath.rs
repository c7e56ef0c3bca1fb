//! Opening directories below a root, never through a symbolic link.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::{Errno, Result};

use crate::layer::components;

/// The flags with which a directory is opened.
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// An open root, and the directory below it that was used last.
#[derive(Debug)]
pub(super) struct Beneath {
    root: OwnedFd,
    /// Consecutive entries are mostly in the same directory.
    last: Option<(Vec<u8>, OwnedFd)>,
}

impl Beneath {
    /// The directories below an open one.
    pub(super) fn new(root: OwnedFd) -> Self {
        Self { root, last: None }
    }

    /// The root itself.
    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// The directory with a clean path.
    pub(super) fn directory(&mut self, path: &[u8]) -> Result<BorrowedFd<'_>> {
        if path.is_empty() {
            return Ok(self.root.as_fd());
        }
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            self.last = Some((path.to_vec(), self.open(path)?));
        }
        let (_, directory) = self.last.as_ref().expect("it was just set");
        Ok(directory.as_fd())
    }

    /// The directory that contains an entry, and the name of the entry in it.
    pub(super) fn parent_of<'p>(&mut self, path: &'p [u8]) -> Result<(BorrowedFd<'_>, &'p [u8])> {
        let (parent, name) = split(path);
        Ok((self.directory(parent)?, name))
    }

    /// Opens the directory with a clean path, which is not that of the root.
    pub(super) fn open(&self, path: &[u8]) -> Result<OwnedFd> {
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match openat2(&self.root, path, DIRECTORY, Mode::empty(), resolve) {
            // The kernel has no openat2, or a sandbox refuses it, or the path is too long for one
            // call, or a directory was renamed meanwhile.
            Err(Errno::NOSYS | Errno::PERM | Errno::NAMETOOLONG | Errno::AGAIN) => {
                self.open_each(path)
            }
            opened => opened,
        }
    }

    /// Opens each directory on the way to it, from the one that was used last if that is
    /// on the way.
    fn open_each(&self, path: &[u8]) -> Result<OwnedFd> {
        let below_last = self.last.as_ref().and_then(|(last, directory)| {
            let rest = path.strip_prefix(&**last)?;
            rest.starts_with(b"/").then_some((directory, rest))
        });
        let (start, rest) = below_last.unwrap_or((&self.root, path));
        let mut names = components(rest);
        let first = names.next().unwrap_or(b".");
        let mut directory = openat(start, first, DIRECTORY, Mode::empty())?;
        for name in names {
            directory = openat(&directory, name, DIRECTORY, Mode::empty())?;
        }
        Ok(directory)
    }
}

/// The path of the parent directory, and the name in it.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    use super::*;

    /// Both ways to open a directory.
    fn opens(beneath: &Beneath, path: &str) -> (bool, bool) {
        let path = path.as_bytes();
        (beneath.open(path).is_ok(), beneath.open_each(path).is_ok())
    }

    #[test]
    fn directories_are_opened_and_links_are_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b/c")).unwrap();
        fs::create_dir(outside.path().join("x")).unwrap();
        symlink(outside.path(), root.path().join("out")).unwrap();
        symlink("b", root.path().join("a/in")).unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let beneath = Beneath::new(File::open(root.path()).unwrap().into());
        for (path, is_opened) in [
            ("a", true),
            ("a/b/c", true),
            ("out", false),
            ("out/x", false),
            ("a/in", false),
            ("a/in/c", false),
            ("file", false),
            ("nothing", false),
        ] {
            assert_eq!(opens(&beneath, path), (is_opened, is_opened), "{path}");
        }
    }

    #[test]
    fn a_path_that_is_too_long_for_one_call_is_opened() {
        let root = tempfile::tempdir().unwrap();
        let name = "n".repeat(250);
        let mut directory: OwnedFd = File::open(root.path()).unwrap().into();
        for _ in 0..20 {
            rustix::fs::mkdirat(&directory, &*name, Mode::RWXU).unwrap();
            directory = openat(&directory, &*name, DIRECTORY, Mode::empty()).unwrap();
        }
        let mut beneath = Beneath::new(File::open(root.path()).unwrap().into());
        let path = vec![name.as_str(); 20].join("/");
        assert!(path.len() > 4096);
        let (parent, _) = split(path.as_bytes());
        assert!(beneath.directory(parent).is_ok());
        assert!(
            beneath.directory(path.as_bytes()).is_ok(),
            "from its parent"
        );
        assert!(beneath.directory(&path.as_bytes()[..250]).is_ok());
        assert!(beneath.directory(path.as_bytes()).is_ok(), "from above");
        assert!(beneath.directory(&path.as_bytes()[1..]).is_err());
    }
}
