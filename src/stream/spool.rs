//! Copies of streams in temporary files, which save the work to read them again.
//!
//! A copy costs space on disk, and nothing depends on it: where there is no space, the
//! stream is read again instead.

use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::stream::kernel::{free_disk_space, open_files_max};
use crate::stream::{COPY_BUFFER, FileSlice, GrowingFile, spool_in};

/// Maximum size of a copy as a multiple of the size of the stream as stored, and the size
/// that is permitted for any stream: a stream that unpacks to more is cheap to unpack
/// again, or meant to fill the disk.
const RATIO_MAX: u64 = 16;
const SIZE_FREE: u64 = 16 << 20;

/// Maximum number of copies at a time: each is an open file.
const FILES_MAX: u64 = 256;

/// The number of open files that are left to everything else, with half of the rest.
const FILES_LEFT: u64 = 64;

/// Number of bytes of space that a copy claims at a time.
const CLAIM: u64 = 8 << 20;

/// The space for copies, which several streams share.
#[derive(Debug)]
pub(crate) struct SpoolSpace {
    folder: PathBuf,
    /// The number of bytes that may still be claimed.
    bytes: AtomicU64,
    /// The number of files that may still be made.
    files: AtomicU64,
}

impl SpoolSpace {
    /// Half of the free space of the disk with this folder, and half of the files that may
    /// be open.
    pub(crate) fn new(folder: &Path) -> Arc<Self> {
        Arc::new(Self {
            folder: folder.to_owned(),
            bytes: AtomicU64::new(free_disk_space(folder) / 2),
            files: AtomicU64::new(files_for_copies(open_files_max())),
        })
    }

    /// True if this many further bytes fit on the disk.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        free_disk_space(&self.folder) >= bytes
    }
}

/// The number of copies at a time, for this limit of open files.
fn files_for_copies(open_max: Option<u64>) -> u64 {
    let half = |max: u64| max.saturating_sub(FILES_LEFT) / 2;
    open_max.map_or(FILES_MAX, |max| half(max).min(FILES_MAX))
}

/// Takes a part of what is left, if that is enough.
fn claim(left: &AtomicU64, part: u64) -> bool {
    let relaxed = Ordering::Relaxed;
    let rest = left.fetch_update(relaxed, relaxed, |left| left.checked_sub(part));
    rest.is_ok()
}

/// The copy of a stream, in a file without a name.
#[derive(Debug)]
pub(crate) struct Spool {
    file: GrowingFile,
    size: u64,
    claimed: u64,
    space: Arc<SpoolSpace>,
}

impl Spool {
    /// Starts a copy, unless that is impossible for any reason.
    fn start(space: &Arc<SpoolSpace>) -> Option<Self> {
        let is_full = space.bytes.load(Ordering::Relaxed) < CLAIM;
        if is_full || !claim(&space.files, 1) {
            return None;
        }
        let Ok(file) = spool_in(&space.folder) else {
            space.files.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        Some(Self {
            file: GrowingFile::new(file),
            size: 0,
            claimed: 0,
            space: Arc::clone(space),
        })
    }

    /// Adds bytes, and returns false if that is impossible for any reason.
    fn append(&mut self, bytes: &[u8]) -> bool {
        let size = self.size + bytes.len() as u64;
        while self.claimed < size {
            if !claim(&self.space.bytes, CLAIM) {
                return false;
            }
            self.claimed += CLAIM;
        }
        let is_written = self.file.write_all(bytes).is_ok();
        self.size = size;
        is_written
    }

    /// Its bytes.
    pub(crate) fn slice(&self) -> FileSlice<&File> {
        FileSlice::new(self.file.file(), 0, self.size)
    }
}

/// The file has no name, so that its space is free, too.
impl Drop for Spool {
    fn drop(&mut self) {
        self.space.bytes.fetch_add(self.claimed, Ordering::Relaxed);
        self.space.files.fetch_add(1, Ordering::Relaxed);
    }
}

/// A reader that makes a copy of all that is read, while there is space for it.
#[derive(Debug)]
pub(crate) struct SpoolingReader<R> {
    input: R,
    buffer: Box<[u8]>,
    /// The range of the buffer that was read but not consumed.
    held: Range<usize>,
    spool: Option<Spool>,
    /// The largest copy that is made.
    size_max: u64,
}

impl<R: Read> SpoolingReader<R> {
    /// Wraps a reader of a stream that has this size as stored.
    pub(crate) fn new(input: R, stored_size: u64, space: &Arc<SpoolSpace>) -> Self {
        Self {
            input,
            buffer: vec![0; COPY_BUFFER].into(),
            held: 0..0,
            spool: Spool::start(space),
            size_max: SIZE_FREE.saturating_add(stored_size.saturating_mul(RATIO_MAX)),
        }
    }

    /// Returns the reader, and the copy of what was read, if there was space for it.
    pub(crate) fn finish(mut self) -> (R, Option<Spool>) {
        if let Some(spool) = &mut self.spool {
            // If that fails, the space is freed with the file.
            let _ = spool.file.trim();
        }
        (self.input, self.spool)
    }
}

impl<R: Read> BufRead for SpoolingReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.held.is_empty() {
            let length = self.input.read(&mut self.buffer)?;
            self.held = 0..length;
            let bytes = &self.buffer[..length];
            let is_kept = self
                .spool
                .as_mut()
                .is_some_and(|spool| spool.append(bytes) && spool.size <= self.size_max);
            if !is_kept {
                self.spool = None;
            }
        }
        Ok(&self.buffer[self.held.clone()])
    }

    fn consume(&mut self, amount: usize) {
        self.held.start += amount;
    }
}

impl<R: Read> Read for SpoolingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(bytes: u64, files: u64) -> Arc<SpoolSpace> {
        Arc::new(SpoolSpace {
            folder: std::env::temp_dir(),
            bytes: AtomicU64::new(bytes),
            files: AtomicU64::new(files),
        })
    }

    fn left(space: &SpoolSpace) -> (u64, u64) {
        let load = |left: &AtomicU64| left.load(Ordering::Relaxed);
        (load(&space.bytes), load(&space.files))
    }

    /// Reads all of a stream, which is as stored, and returns its copy.
    fn spooled(bytes: &[u8], stored_size: u64, space: &Arc<SpoolSpace>) -> Option<Spool> {
        let mut reader = SpoolingReader::new(bytes, stored_size, space);
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert!(read == bytes, "a reader gets all bytes in any case");
        reader.finish().1
    }

    #[test]
    fn a_copy_has_all_bytes_and_gives_back_its_space() {
        let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let space = space(3 * CLAIM, 2);
        let spool = spooled(&bytes, bytes.len() as u64, &space).unwrap();
        assert_eq!(left(&space), (CLAIM, 1));
        let mut copy = Vec::new();
        spool.slice().read_to_end(&mut copy).unwrap();
        assert!(copy == bytes);
        assert!(spooled(&bytes, bytes.len() as u64, &space).is_none());
        assert_eq!(left(&space), (CLAIM, 1), "a copy that did not fit");
        drop(spool);
        assert_eq!(left(&space), (3 * CLAIM, 2));
        let empty = spooled(b"", 0, &space).unwrap();
        assert_eq!(empty.slice().size, 0);
    }

    #[test]
    fn copies_leave_open_files_to_everything_else() {
        let limits = [Some(0), Some(64), Some(256), Some(1024), None];
        let copies = limits.map(files_for_copies);
        assert_eq!(copies, [0, 0, 96, 256, 256]);
    }

    #[test]
    fn no_copy_is_made_where_it_cannot_be() {
        assert!(spooled(b"some", 4, &space(CLAIM - 1, 1)).is_none(), "full");
        assert!(spooled(b"some", 4, &space(CLAIM, 0)).is_none(), "files");
        let zeros = vec![0; 40 << 20];
        let small = space(u64::MAX, 1);
        assert!(spooled(&zeros, 1 << 20, &small).is_none(), "a bomb");
        let missing = Arc::new(SpoolSpace {
            folder: "/missing".into(),
            bytes: AtomicU64::new(CLAIM),
            files: AtomicU64::new(1),
        });
        assert!(spooled(b"some", 4, &missing).is_none());
        assert_eq!(left(&missing), (CLAIM, 1));
        assert_eq!(left(&SpoolSpace::new(Path::new("/missing"))).0, 0);
        assert_eq!(left(&SpoolSpace::new(Path::new("/proc"))).0, 0);
    }
}
