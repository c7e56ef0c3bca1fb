//! Kernel calls that share, free and allocate parts of files.

use std::fs::File;
use std::io;
use std::path::Path;
#[cfg(target_os = "linux")]
use std::thread;

#[cfg(target_os = "linux")]
use rustix::fs::{
    FallocateFlags, SeekFrom, StatFs, fallocate, fstatfs, ioctl_ficlone, seek, statfs, tell,
};
use rustix::fs::{OFlags, fcntl_getfl};
#[cfg(target_os = "linux")]
use rustix::io::Errno;
#[cfg(target_os = "linux")]
use rustix::process::{Resource, getrlimit};

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
/// reads as zeros, now or later: a large part takes as long as writing it does, and nobody
/// waits for it while there is room for four times as much.
#[cfg(target_os = "linux")]
pub(crate) fn free_range(file: &File, start: u64, size: u64) {
    /// The size of a part that is freed in less time than a thread starts.
    const SMALL: u64 = 1 << 20;
    let free = move |file: &File| {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        // If it fails, the space is freed with the whole file.
        let _ = fallocate(file, flags, start, size);
    };
    let has_room = fstatfs(file).is_ok_and(|system| free_on_disk(&system) / 4 >= size);
    if has_room
        && size > SMALL
        && let Ok(file) = file.try_clone()
    {
        let builder = thread::Builder::new().name("free".to_owned());
        if builder.spawn(move || free(&file)).is_ok() {
            return;
        }
    }
    free(file);
}

/// Other systems have other calls.
#[cfg(not(target_os = "linux"))]
pub(crate) fn free_range(_: &File, _: u64, _: u64) {}

/// The position of the next stored bytes of a file, from a position on; absent if only
/// a hole follows. If the file system does not know, this is the same position.
///
/// The file's own position, which may belong to other processes as well, stays.
#[cfg(target_os = "linux")]
pub(crate) fn next_data(file: &File, position: u64) -> Option<u64> {
    let Ok(own) = tell(file) else {
        return Some(position);
    };
    match seek(file, SeekFrom::Data(position)) {
        Ok(data) => match seek(file, SeekFrom::Start(own)) {
            Ok(_) => Some(data),
            Err(_) => Some(position),
        },
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
    statfs(folder).map_or(0, |system| free_on_disk(&system))
}

/// The free space of a file system, in bytes; 0 if it is in memory.
#[cfg(target_os = "linux")]
fn free_on_disk(system: &StatFs) -> u64 {
    const TMPFS: u64 = 0x0102_1994;
    const RAMFS: u64 = 0x8584_58f6;
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

/// True if whatever is written to a file goes to its end, wherever that is by then.
pub(super) fn appends(file: &File) -> bool {
    fcntl_getfl(file).is_ok_and(|flags| flags.contains(OFlags::APPEND))
}

/// The length of the hole that is made to test for holes.
const PROBE: u64 = 256 * 1024;

/// Makes a hole after the end of a file to test whether the file system supports holes,
/// and removes it.
#[cfg(target_os = "linux")]
pub(super) fn can_have_holes(file: &File) -> io::Result<bool> {
    let position = tell(file)?;
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

/// Allocates a part of a file on disk, of which nothing need be written yet, without a
/// change of its size. Returns false if it did not: the file system is not ext4, has no
/// such call, or this would be much of its free space.
#[cfg(target_os = "linux")]
pub(super) fn allocate_ahead(file: &File, start: u64, size: u64) -> bool {
    const EXT4: u64 = 0xef53;
    /// The share of the free space that is not left to others.
    const SHARE: u64 = 16;
    let has_room = fstatfs(file).is_ok_and(|system| {
        u64::try_from(system.f_type) == Ok(EXT4) && free_on_disk(&system) / SHARE >= size
    });
    has_room && fallocate(file, FallocateFlags::KEEP_SIZE, start, size).is_ok()
}

/// Other systems have other calls.
#[cfg(not(target_os = "linux"))]
pub(super) fn allocate_ahead(_: &File, _: u64, _: u64) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::FileExt;

    use super::*;

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
