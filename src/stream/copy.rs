//! The one copy loop: buffers in, bytes out, and the stop.

use std::fs::File;
use std::io::{self, BufRead, Read, Write};

#[cfg(target_os = "linux")]
use rustix::fs::{FallocateFlags, copy_file_range, fallocate, ioctl_ficlone};

use crate::event::{Event, Watch};

/// Why a copy ended early.
#[derive(Debug)]
pub(crate) enum CopyError {
    /// The input failed.
    Read(io::Error),
    /// The output failed.
    Write(io::Error),
    /// The caller wanted it to end.
    Interrupted,
}

/// Copies to the end of the input and returns how many bytes there were.
pub(crate) fn copy(
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    watch: &Watch<'_>,
) -> Result<u64, CopyError> {
    let mut total = 0;
    loop {
        if watch.is_interrupted() {
            return Err(CopyError::Interrupted);
        }
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CopyError::Read(error)),
        };
        let length = buffer.len();
        if length == 0 {
            return Ok(total);
        }
        output.write_all(buffer).map_err(CopyError::Write)?;
        input.consume(length);
        total += length as u64;
    }
}

/// Has the system copy bytes from a place in one file to a place in another, so that
/// they do not pass through this process, and are shared where the file system can.
///
/// Returns how many it copied, which is 0 where it cannot, whatever the reason:
/// who copies them by hand finds out what is wrong.
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

/// No other system has such a call.
#[cfg(not(target_os = "linux"))]
pub(crate) fn copy_between(_: (&File, u64), _: (&File, u64), _: u64) -> u64 {
    0
}

/// Makes an empty file a copy of another that shares its bytes with it, and says whether
/// the file system could do that (btrfs and XFS can, ext4 and tmpfs cannot).
#[cfg(target_os = "linux")]
pub(crate) fn share_bytes(from: &File, to: &File) -> bool {
    ioctl_ficlone(to, from).is_ok()
}

/// Other systems have other calls.
#[cfg(not(target_os = "linux"))]
pub(crate) fn share_bytes(_: &File, _: &File) -> bool {
    false
}

/// Gives back the space that a part of a file takes, where the file system can do that.
/// What was there reads as zeros then.
#[cfg(target_os = "linux")]
pub(crate) fn free_range(file: &File, start: u64, size: u64) {
    // Where it fails the space comes back with that of the whole file.
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

/// Where the next bytes of a file are that are stored, from a position on; absent if
/// only a hole follows. Where the file system does not know, they are there.
#[cfg(target_os = "linux")]
pub(crate) fn next_data(file: &File, position: u64) -> Option<u64> {
    use rustix::fs::{SeekFrom, seek};
    use rustix::io::Errno;

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

/// A reader that reports what is read through it as [`Event::Advanced`], and that
/// fails once the caller wants the end.
#[derive(Debug)]
pub(crate) struct Counted<'a, R> {
    input: R,
    watch: Watch<'a>,
}

impl<'a, R: Read> Counted<'a, R> {
    /// Wraps a reader.
    pub(crate) fn new(input: R, watch: Watch<'a>) -> Self {
        Self { input, watch }
    }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.watch.is_interrupted() {
            return Err(io::Error::other("interrupted"));
        }
        let length = self.input.read(buffer)?;
        self.watch.send(Event::Advanced(length as u64));
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

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

    #[test]
    fn a_copy_stops_when_told_and_a_reader_counts() {
        let advanced = Mutex::new(0);
        let observer = |event: Event<'_>| {
            if let Event::Advanced(bytes) = event {
                *advanced.lock().unwrap() += bytes;
            }
        };
        let interrupt = AtomicBool::new(false);
        let watch = Watch::new(&observer, &interrupt);
        let mut output = Vec::new();
        let mut input = io::BufReader::new(Counted::new(&b"abcdef"[..], watch));
        assert_eq!(copy(&mut input, &mut output, &watch).unwrap(), 6);
        assert_eq!(output, b"abcdef");
        assert_eq!(*advanced.lock().unwrap(), 6);

        interrupt.store(true, Ordering::Relaxed);
        let result = copy(&mut &b"abcdef"[..], &mut output, &watch);
        assert!(matches!(result, Err(CopyError::Interrupted)));
    }
}
