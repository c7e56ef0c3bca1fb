//! File descriptors named by a path: `/dev/stdout`, `/dev/fd/3`.
//!
//! Such a path means the open file with its position, not the file of that name.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::path::Path;

use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};

/// Standard input.
pub(super) const STDIN: RawFd = 0;
/// Standard output.
pub(super) const STDOUT: RawFd = 1;
/// Standard error.
const STDERR: RawFd = 2;

/// Maximum number of symbolic links to follow, as in Linux.
const LINKS_MAX: usize = 40;

/// The descriptor of this process that a path names, directly or through symbolic links.
pub(super) fn of_path(path: &Path) -> Option<RawFd> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        if let Some(descriptor) = named(&path) {
            return Some(descriptor);
        }
        let target = fs::read_link(&path).ok()?;
        path = path.parent()?.join(target);
    }
    None
}

fn named(path: &Path) -> Option<RawFd> {
    let text = path.to_str()?;
    let number = match text {
        "/dev/stdin" => "0",
        "/dev/stdout" => "1",
        "/dev/stderr" => "2",
        _ => text
            .strip_prefix("/dev/fd/")
            .or_else(|| text.strip_prefix("/proc/self/fd/"))?,
    };
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|_| is_number)
}

/// Duplicates a descriptor; the duplicate shares its position.
///
/// # Errors
///
/// Fails if it is not open.
pub(super) fn duplicate(descriptor: RawFd, path: &Path) -> io::Result<File> {
    let standard = |stream: BorrowedFd<'_>| stream.try_clone_to_owned().map(File::from);
    match descriptor {
        STDIN => standard(io::stdin().as_fd()),
        STDOUT => standard(io::stdout().as_fd()),
        STDERR => standard(io::stderr().as_fd()),
        _ => duplicate_any(descriptor, path),
    }
}

/// Safe Rust cannot use a bare number, but the kernel hands out the files of any process that the
/// caller may debug, and a process may debug itself. If a sandbox forbids that, opening the path
/// has the same effect, except for files, which would be opened at their beginning.
#[cfg(target_os = "linux")]
fn duplicate_any(descriptor: RawFd, path: &Path) -> io::Result<File> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    let own = pidfd_open(getpid(), PidfdFlags::empty());
    match own.and_then(|own| pidfd_getfd(own, descriptor, PidfdGetfdFlags::empty())) {
        Ok(duplicate) => Ok(duplicate.into()),
        Err(rustix::io::Errno::BADF) => Err(rustix::io::Errno::BADF.into()),
        Err(error) if fs::metadata(path)?.is_file() => Err(error.into()),
        Err(_) => open(path),
    }
}

/// Elsewhere opening the path duplicates the descriptor.
#[cfg(not(target_os = "linux"))]
fn duplicate_any(_: RawFd, path: &Path) -> io::Result<File> {
    open(path)
}

fn open(path: &Path) -> io::Result<File> {
    let to_write = OpenOptions::new().write(true).open(path);
    to_write.or_else(|_| File::open(path))
}

/// True if a standard stream was closed when this process started.
///
/// The standard library then opens `/dev/null` in its place, for reading and writing; a shell
/// opens `> /dev/null` only for writing. Some programs also open it for both (Python's
/// `DEVNULL`), and cannot be distinguished.
pub(super) fn was_closed(stream: impl AsFd) -> bool {
    let is_both_ways = fcntl_getfl(&stream).is_ok_and(|flags| flags.contains(OFlags::RDWR));
    let null = fs::metadata("/dev/null").map(|null| std::os::unix::fs::MetadataExt::rdev(&null));
    is_both_ways
        && fstat(stream).is_ok_and(|it| {
            let is_device = FileType::from_raw_mode(it.st_mode) == FileType::CharacterDevice;
            is_device && null.is_ok_and(|null| null == it.st_rdev)
        })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn paths_name_descriptors() {
        for (path, descriptor) in [
            ("/dev/stdin", Some(0)),
            ("/dev/stdout", Some(1)),
            ("/dev/stderr", Some(2)),
            ("/dev/fd/17", Some(17)),
            ("/proc/self/fd/3", Some(3)),
            ("/dev/fd/", None),
            ("/dev/fd/-1", None),
            ("/dev/fd/+1", None),
            ("/dev/fd/99999999999", None),
            ("/dev/null", None),
            ("stdout", None),
        ] {
            assert_eq!(of_path(Path::new(path)), descriptor, "{path}");
        }
    }

    #[test]
    fn a_link_to_such_a_path_names_the_descriptor() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| -> PathBuf { directory.path().join(name) };
        std::os::unix::fs::symlink("/dev/fd/7", path("link")).unwrap();
        std::os::unix::fs::symlink("link", path("of-link")).unwrap();
        std::os::unix::fs::symlink("circle", path("circle")).unwrap();
        assert_eq!(of_path(&path("of-link")), Some(7));
        assert_eq!(of_path(&path("circle")), None);
    }
}
