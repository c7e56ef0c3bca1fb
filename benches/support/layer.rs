//! Writes the tar of one layer, and generates the content of its files.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tar::{EntryType, Header};

/// Appends the entries of one layer, each after its parent directories.
pub(crate) struct LayerWriter {
    pub(crate) tar: tar::Builder<BufWriter<File>>,
    folders: HashSet<PathBuf>,
}

impl LayerWriter {
    /// Begins a layer in a temporary file of this folder.
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        let out = BufWriter::with_capacity(1 << 20, tempfile::tempfile_in(folder)?);
        Ok(Self {
            tar: tar::Builder::new(out),
            folders: HashSet::new(),
        })
    }

    pub(crate) fn parents(&mut self, path: &Path) -> io::Result<()> {
        let parent = path.parent().unwrap_or(path);
        if parent.as_os_str().is_empty() || self.folders.contains(parent) {
            return Ok(());
        }
        self.parents(parent)?;
        self.folders.insert(parent.to_owned());
        self.tar
            .append_data(&mut header(EntryType::Directory, 0), parent, io::empty())
    }

    pub(crate) fn file(
        &mut self,
        path: impl AsRef<Path>,
        data: impl AsRef<[u8]>,
    ) -> io::Result<()> {
        self.parents(path.as_ref())?;
        put(&mut self.tar, path, data)
    }

    /// Returns the file, positioned at its end.
    pub(crate) fn finish(self) -> io::Result<File> {
        Ok(self.tar.into_inner()?.into_inner()?)
    }
}

pub(crate) fn put(
    tar: &mut tar::Builder<impl Write>,
    path: impl AsRef<Path>,
    data: impl AsRef<[u8]>,
) -> io::Result<()> {
    let data = data.as_ref();
    tar.append_data(
        &mut header(EntryType::Regular, data.len() as u64),
        path,
        data,
    )
}

pub(crate) fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(if kind.is_dir() { 0o755 } else { 0o644 });
    header.set_size(size);
    header
}

/// Deterministic numbers (xorshift64*); the seed must not be 0.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }
}

/// Generates the content of a file: half of them are text, a third records, and the rest noise.
pub(crate) fn content(random: &mut Random, size: u64) -> Vec<u8> {
    let words = [
        "layer", "of", "image", "once", "read", "engine", "that", "seldom\n",
    ];
    let kind = random.next() % 6;
    let mut data = Vec::new();
    while (data.len() as u64) < size {
        let [first, second, third, rest @ ..] = random.next().to_le_bytes();
        match kind {
            0..3 => data.extend(format!("{} {second} ", words[usize::from(first % 8)]).bytes()),
            3..5 => data.extend([first, second, 0, 0, third % 8, 0, 0, 0]),
            _ => data.extend(&rest[..4]),
        }
    }
    data
}
