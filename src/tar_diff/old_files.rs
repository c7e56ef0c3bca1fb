//! The files of the old tree, and the choice of the one that is most like a new file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::digest::{Algorithm, Digest};
use crate::limits::TAR_DIFF_PATH_MAX;
use crate::stream::{COPY_BUFFER, FileSlice, hash};
use crate::tar_diff::clean_path;

/// Folder whose files bootc cannot read when it applies a delta.
const OSTREE: &[u8] = b"sysroot/ostree/";

/// A file is only like another one if it is at most this many times as large.
const FACTOR: u64 = 10;

/// The number of files of one name that are compared.
const CANDIDATES_MAX: usize = 64;

/// A regular file of the old tree.
#[derive(Debug)]
pub(crate) struct OldFile {
    path: Vec<u8>,
    bytes: FileSlice<Arc<File>>,
}

impl OldFile {
    /// Its path.
    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// Its size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.bytes.size
    }

    /// Reads its content into a buffer, which only grows, and returns it.
    pub(super) fn read<'b>(&self, buffer: &'b mut Vec<u8>) -> io::Result<&'b [u8]> {
        let size = usize::try_from(self.size()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        if buffer.len() < size {
            // Never both at once.
            *buffer = Vec::new();
            *buffer = vec![0; size];
        }
        let content = &mut buffer[..size];
        self.read_at(0, content)?;
        Ok(content)
    }

    /// The digest of its content.
    fn digest(&self) -> io::Result<Digest> {
        let size = usize::try_from(self.size()).unwrap_or(COPY_BUFFER);
        let mut stream = BufReader::with_capacity(size.min(COPY_BUFFER), self.stream());
        Ok(hash(&mut stream, Algorithm::Sha256)?.digest)
    }

    /// A stream of its content.
    pub(super) fn stream(&self) -> FileSlice<Arc<File>> {
        FileSlice::new(self.bytes.file.clone(), self.bytes.start, self.bytes.size)
    }

    /// Reads a part of it, which must be there.
    pub(super) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.bytes
            .file
            .read_exact_at(buffer, self.bytes.start + offset)
    }

    /// True if it has these bytes at an offset.
    pub(super) fn has(&self, offset: u64, bytes: &[u8]) -> io::Result<bool> {
        let mut buffer = vec![0; bytes.len().min(64 * 1024)];
        for (number, piece) in bytes.chunks(64 * 1024).enumerate() {
            let buffer = &mut buffer[..piece.len()];
            self.read_at(offset + (number * 64 * 1024) as u64, buffer)?;
            if buffer != piece {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The regular files of the old tree.
#[derive(Debug, Default)]
pub(crate) struct OldFiles {
    files: Vec<Arc<OldFile>>,
    by_path: HashMap<Vec<u8>, usize>,
}

/// True if a tar-diff can name a file with this path, and everybody can then read it: bootc
/// only takes paths that are UTF-8.
pub(crate) fn is_usable(path: &[u8]) -> bool {
    path.len() as u64 <= TAR_DIFF_PATH_MAX
        && !path.is_empty()
        && str::from_utf8(path).is_ok()
        && clean_path(path) == path
        && !path.starts_with(OSTREE)
}

impl OldFiles {
    /// Adds a file.
    pub(crate) fn add(&mut self, path: Vec<u8>, bytes: FileSlice<Arc<File>>) {
        self.by_path.insert(path.clone(), self.files.len());
        self.files.push(Arc::new(OldFile { path, bytes }));
    }

    /// The size of all files together.
    pub(super) fn size(&self) -> u64 {
        let sizes = self.files.iter().map(|file| file.size());
        sizes.fold(0, u64::saturating_add)
    }

    /// The number of the file with this path.
    pub(super) fn find(&self, path: &[u8]) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    pub(super) fn get(&self, at: usize) -> &Arc<OldFile> {
        &self.files[at]
    }
}

/// The ways to find an old file for a new one.
pub(super) struct Finder<'a> {
    files: &'a OldFiles,
    by_size: HashMap<u64, Vec<usize>>,
    by_name: HashMap<&'a [u8], Vec<usize>>,
    by_stem: HashMap<&'a [u8], Vec<usize>>,
    /// The files of some sizes, by the digests of their content.
    hashed: HashMap<u64, HashMap<Digest, usize>>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(files: &'a OldFiles) -> Self {
        let mut finder = Self {
            files,
            by_size: HashMap::new(),
            by_name: HashMap::new(),
            by_stem: HashMap::new(),
            hashed: HashMap::new(),
        };
        for (at, file) in files.files.iter().enumerate() {
            let name = name(&file.path);
            finder.by_size.entry(file.size()).or_default().push(at);
            finder.by_name.entry(name).or_default().push(at);
            finder.by_stem.entry(stem(name)).or_default().push(at);
        }
        finder
    }

    /// The file with this path.
    pub(super) fn at(&self, path: &[u8]) -> Option<&'a Arc<OldFile>> {
        self.files.find(path).map(|at| self.files.get(at))
    }

    /// A file with the same content, other than one that is known to differ.
    pub(super) fn same(
        &mut self,
        content: &[u8],
        different: Option<&Arc<OldFile>>,
    ) -> io::Result<Option<&'a Arc<OldFile>>> {
        let size = content.len() as u64;
        let Some(of_size) = self.by_size.get(&size).filter(|_| size > 0) else {
            return Ok(None);
        };
        if different.is_some() && of_size.len() == 1 {
            return Ok(None);
        }
        if !self.hashed.contains_key(&size) {
            let mut hashed = HashMap::new();
            for at in of_size {
                let digest = self.files.get(*at).digest()?;
                hashed.entry(digest).or_insert(*at);
            }
            self.hashed.insert(size, hashed);
        }
        let found = self.hashed[&size].get(&Digest::of(content));
        Ok(found.map(|at| self.files.get(*at)))
    }

    /// The file that is most like one with this path and size: with the same path, else
    /// with the same name, else with the same start of the name.
    pub(super) fn like(&self, path: &[u8], size: u64) -> Option<&'a Arc<OldFile>> {
        let fits = |at: &usize| {
            let old = self.files.get(*at).size();
            old > 0 && size > 0 && old / FACTOR <= size && size / FACTOR <= old
        };
        if let Some(at) = self.files.find(path).filter(|at| fits(at)) {
            return Some(self.files.get(at));
        }
        let name = name(path);
        let groups = [self.by_name.get(name), self.by_stem.get(stem(name))];
        groups.into_iter().flatten().find_map(|group| {
            let candidates = group.iter().filter(|at| fits(at)).take(CANDIDATES_MAX);
            let best = candidates.max_by_key(|at| {
                let old = self.files.get(**at);
                let distance = old.size().abs_diff(size);
                (in_common(&old.path, path), std::cmp::Reverse(distance))
            });
            best.map(|at| self.files.get(*at))
        })
    }
}

/// The last name on a path.
fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// A name without its version: up to the first `.` or `-` before a digit, or before `so`.
fn stem(name: &[u8]) -> &[u8] {
    let ends = |at: &usize| {
        let rest = &name[at + 1..];
        b".-_".contains(&name[*at])
            && (rest.first().is_some_and(u8::is_ascii_digit) || rest.starts_with(b"so"))
    };
    let end = (1..name.len()).find(ends);
    &name[..end.unwrap_or(name.len())]
}

/// The number of bytes that two paths have in common, at their starts and ends.
fn in_common(one: &[u8], other: &[u8]) -> usize {
    let start = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let ends = one.iter().rev().zip(other.iter().rev());
    start + ends.take_while(|(a, b)| a == b).count()
}
