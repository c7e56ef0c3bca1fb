//! Kernel calls that copy, share, free and reserve parts of files.

use std::fs::File;
use std::io;
use std::path::Path;

#[cfg(target_os = "linux")]
use rustix::fs::{
    FallocateFlags, SeekFrom, copy_file_range, fallocate, ioctl_ficlone, seek, statfs,
};
#[cfg(target_os = "linux")]
use rustix::io::Errno;
#[cfg(target_os = "linux")]
use rustix::process::{Resource, getrlimit};

/// Copies bytes within the kernel from a position in one file to a position in another,
/// so that they do not pass through this process, and are shared if the file system
/// supports that.
///
/// Returns the number of bytes copied, which is 0 if that is not possible for any
/// reason: copying them in the process reports the error.
#[cfg(target_os = "linux")]
pub(crate) fn copy_between(
    (from, mut start): (&File, u64),
    (to, mut at): (&File, u64),
    size: u64,
) -> u64 {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let copied = copy_file_range(from, Some(&mut start), to, Some(&mut at), size);
    copied.map_or(0, |copied| copied as u64)
}

/// Other systems have no such call.
#[cfg(not(target_os = "linux"))]
pub(crate) fn copy_between(_: (&File, u64), _: (&File, u64), _: u64) -> u64 {
    0
}

/// Makes an empty file a copy of another that shares its bytes, and returns true if the
/// file system supports that (btrfs and XFS do, ext4 and tmpfs do not).
#[cfg(target_os = "linux")]
pub(crate) fn share_bytes(from: &File, to: &File) -> bool {
    ioctl_ficlone(to, from).is_ok()
}

/// Other systems have other calls.
#[cfg(not(target_os = "linux"))]
pub(crate) fn share_bytes(_: &File, _: &File) -> bool {
    false
}

/// Frees the space of a part of a file, if the file system supports that. The part then
/// reads as zeros.
#[cfg(target_os = "linux")]
pub(crate) fn free_range(file: &File, start: u64, size: u64) {
    // If it fails, the space is freed with the whole file.
    let _ = fallocate(
        file,
        FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
        start,
        size,
    );
}

/// Other systems have other calls.
#[cfg(not(target_os = "linux"))]
pub(crate) fn free_range(_: &File, _: u64, _: u64) {}

/// The position of the next stored bytes of a file, from a position on; absent if only
/// a hole follows. If the file system does not know, this is the same position.
#[cfg(target_os = "linux")]
pub(crate) fn next_data(file: &File, position: u64) -> Option<u64> {
    match seek(file, SeekFrom::Data(position)) {
        Ok(data) => Some(data),
        Err(Errno::NXIO) => None,
        Err(_) => Some(position),
    }
}

/// Other systems have other calls.
#[cfg(not(target_os = "linux"))]
pub(crate) fn next_data(_: &File, position: u64) -> Option<u64> {
    Some(position)
}

/// The free space of the disk with a folder, in bytes; 0 if it is in memory.
#[cfg(target_os = "linux")]
pub(super) fn free_disk_space(folder: &Path) -> u64 {
    const TMPFS: u64 = 0x0102_1994;
    const RAMFS: u64 = 0x8584_58f6;
    let Ok(system) = statfs(folder) else {
        return 0;
    };
    match u64::try_from(system.f_type) {
        Ok(TMPFS | RAMFS) => 0,
        _ => u64::try_from(system.f_bsize).map_or(0, |size| size.saturating_mul(system.f_bavail)),
    }
}

/// Other systems have other calls.
#[cfg(not(target_os = "linux"))]
pub(super) fn free_disk_space(_: &Path) -> u64 {
    0
}

/// The number of files that this process may have open at a time, if that is limited.
#[cfg(target_os = "linux")]
pub(super) fn open_files_max() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Other systems have other calls.
#[cfg(not(target_os = "linux"))]
pub(super) fn open_files_max() -> Option<u64> {
    Some(0)
}

/// The length of the hole that is made to test for holes.
const PROBE: u64 = 256 * 1024;

/// Makes a hole after the end of a file to test whether the file system supports holes,
/// and removes it.
#[cfg(target_os = "linux")]
pub(super) fn can_have_holes(file: &File) -> io::Result<bool> {
    let position = rustix::fs::tell(file)?;
    let end = file.metadata()?.len();
    if file.set_len(end + PROBE).is_err() {
        return Ok(false);
    }
    let hole = seek(file, SeekFrom::Hole(end));
    file.set_len(end)?;
    seek(file, SeekFrom::Start(position))?;
    // A file system without holes reports the first one at the end of the file.
    Ok(hole.is_ok_and(|hole| hole < end + PROBE))
}

/// Other systems have other calls.
#[cfg(not(target_os = "linux"))]
pub(super) fn can_have_holes(_: &File) -> io::Result<bool> {
    Ok(true)
}

/// Allocates the space of a file on disk, and fails if there is not enough.
#[cfg(target_os = "linux")]
pub(super) fn allocate(file: &File, length: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, length) {
        Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(error.into()),
        // If that is not supported, writing allocates it.
        _ => Ok(()),
    }
}

/// Other systems have other calls.
#[cfg(not(target_os = "linux"))]
pub(super) fn allocate(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn the_system_copies_between_places_or_says_that_it_did_not() {
        let [from, to] = [(); 2].map(|()| tempfile::tempfile().unwrap());
        from.write_all_at(b"some bytes in a file", 0).unwrap();
        to.write_all_at(b"others", 0).unwrap();
        let copied = copy_between((&from, 5), (&to, 7), 5);
        if copied > 0 {
            let mut got = [0; 12];
            to.read_exact_at(&mut got, 0).unwrap();
            assert_eq!(&got, b"others\0bytes");
        }
        assert_eq!(copy_between((&from, 20), (&to, 0), 5), 0, "past the end");
        let full = File::open("/dev/full").unwrap();
        assert_eq!(copy_between((&full, 0), (&to, 0), 5), 0, "no file");
    }

    #[test]
    fn a_file_that_shares_the_bytes_of_another_has_all_of_them() {
        let [from, to] = [(); 2].map(|()| tempfile::tempfile().unwrap());
        from.write_all_at(b"some bytes in a file", 0).unwrap();
        let expected: &[u8] = if share_bytes(&from, &to) {
            b"some bytes in a file"
        } else {
            b""
        };
        let mut got = Vec::new();
        (&to).read_to_end(&mut got).unwrap();
        assert_eq!(got, expected);
        assert!(!share_bytes(&File::open("/dev/null").unwrap(), &to));
    }
}
