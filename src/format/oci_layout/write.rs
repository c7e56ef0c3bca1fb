//! Writing a layout into a folder: a new one, or an existing one with concurrent
//! writers.

use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::digest::Digest;
use crate::error::{Error, Place, Result};
use crate::event::{Event, Step, Watch};
use crate::format::Format;
use crate::format::container::{Blob, Container, Directory};
use crate::format::control_files::{INDEX, MARKER};
use crate::format::oci_layout::join::join;
use crate::format::oci_layout::read::{check_marker, find_index};
use crate::format::oci_layout::{MARKER_CONTENT, blob_path};
use crate::format::reader::Opener;
use crate::format::sink::{
    BlobWriter, Documents, Held, ImageSink, OutputIndex, OutputKind, WithheldName, copy_in, put_all,
};
use crate::stream::{
    ARRIVING, GrowingFile, Hashed, PART, PendingDirectory, is_still_there, is_temporary,
    open_regular, share_bytes,
};

/// A layout being written.
///
/// Everything is first written to a folder of its own, on the same file system. A new
/// layout is that folder, renamed. For an existing one the blobs are moved into it,
/// each by a rename, and finally `index.json` is replaced, under a lock: the layout is
/// complete at any moment, and two writers lose none of their names. If that fails, the
/// blobs are taken back.
#[derive(Debug)]
pub(in crate::format) struct LayoutSink {
    target: PathBuf,
    staging: PendingDirectory,
    /// The folder in which members of a stream become files.
    arriving: PathBuf,
    exists: bool,
    parts: AtomicU64,
    written: Mutex<HashSet<Digest>>,
    unlinked: Mutex<Vec<Hashed>>,
    index: Mutex<OutputIndex>,
}

/// The number of times that a blob is looked for which others replace at the same time.
const ATTEMPTS: usize = 16;

impl LayoutSink {
    /// Begins a layout at `target`, or adds to an existing one.
    pub(in crate::format) fn create(target: &Path) -> Result<Self> {
        let failed = |error| Error::write(Place::Path(target.to_owned()), error);
        let exists = match fs::metadata(target) {
            Ok(metadata) if metadata.is_dir() => {
                check_target(target)?;
                true
            }
            Ok(_) => return Err(failed(io::ErrorKind::NotADirectory.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(failed(error)),
        };
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let staging = if exists {
            PendingDirectory::create_in(target, "")
        } else {
            let parent = target
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            PendingDirectory::create_in(parent.unwrap_or(Path::new(".")), &name)
        };
        let staging = staging.map_err(failed)?;
        let arriving = staging.path().join(ARRIVING);
        fs::create_dir_all(&arriving).map_err(failed)?;
        fs::create_dir_all(staging.path().join("blobs/sha256")).map_err(failed)?;
        Ok(Self {
            target: target.to_owned(),
            staging,
            arriving,
            exists,
            parts: AtomicU64::new(0),
            written: Mutex::default(),
            unlinked: Mutex::default(),
            index: Mutex::default(),
        })
    }

    /// Moves a finished file to its final name.
    fn settle(&self, file: &Path, digest: &Digest) -> Result<()> {
        let path = self.staging.path().join(blob_path(digest));
        let folder = path.parent().expect("a blob is in a folder");
        fs::create_dir_all(folder)
            .and_then(|()| fs::rename(file, &path))
            .map_err(|error| self.failed(error))?;
        self.written().insert(digest.clone());
        Ok(())
    }

    /// Gives a blob of the layout a second name in the staging folder, from where it
    /// returns if another process removes it. Returns false if that is not possible.
    fn keep(&self, file: &File, digest: &Digest) -> bool {
        let path = blob_path(digest);
        let (held, staged) = (self.target.join(&path), self.staging.path().join(&path));
        let folder = staged.parent().expect("a blob is in a folder");
        let linked = fs::create_dir_all(folder).and_then(|()| fs::hard_link(&held, &staged));
        match linked {
            // A symbolic link, or a file that has come in between, is not the blob.
            Ok(()) if is_still_there(file, &staged) => true,
            Ok(()) => {
                let _ = fs::remove_file(&staged);
                false
            }
            // This run has looked for it before, and keeps what it found then.
            Err(error) => error.kind() == io::ErrorKind::AlreadyExists,
        }
    }

    /// The blobs of the layout that this run needs and cannot keep.
    fn unlinked(&self) -> MutexGuard<'_, Vec<Hashed>> {
        self.unlinked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The blobs that this run has written.
    fn written(&self) -> MutexGuard<'_, HashSet<Digest>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::write(self.place(), error)
    }
}

/// Refuses a folder that is neither empty nor a layout.
///
/// It is listed before its files are read: another writer makes a folder a layout
/// before it adds anything else.
fn check_target(target: &Path) -> Result<()> {
    let failed = |error| Error::read(Place::Path(target.to_owned()), error);
    let mut is_empty = true;
    for entry in fs::read_dir(target).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        is_empty &= is_temporary(&name.to_string_lossy()) || name == "lost+found";
    }
    let container = Directory::new(target);
    if !is_empty && container.find(INDEX)?.is_none() && container.find(MARKER)?.is_none() {
        return Err(Error::DirectoryInTheWay(target.to_owned()));
    }
    check_marker(&mut Opener::new(&container))
        .and_then(|_| find_index(&container))
        .map(drop)
        .map_err(|error| error.while_reading(Place::Path(target.to_owned())))
}

impl ImageSink for LayoutSink {
    fn format(&self) -> Format {
        Format::OciDirectory
    }

    fn place(&self) -> Place {
        Place::Path(self.target.clone())
    }

    fn kind(&self) -> OutputKind<'_> {
        let staging = &self.arriving;
        OutputKind::Folder { staging }
    }

    fn find(&self, blob: &Hashed) -> Result<Held> {
        if self.written().contains(&blob.digest) {
            return Ok(Held::Written);
        }
        let path = self.target.join(blob_path(&blob.digest));
        for _ in 0..ATTEMPTS {
            let opened = open_regular(&path).ok().filter(|_| self.exists);
            let Some(file) = opened else { break };
            let opened = file.metadata().map_err(|error| self.failed(error))?;
            if opened.len() != blob.size {
                break;
            }
            if self.keep(&file, &blob.digest) {
                return Ok(Held::Before(file));
            }
            // A deleted file that is still open has no name left to come back by.
            let is_same = |there: Metadata| {
                there.nlink() > 0 && (there.dev(), there.ino()) == (opened.dev(), opened.ino())
            };
            if fs::metadata(&path).is_ok_and(is_same) {
                self.unlinked().push(blob.clone());
                return Ok(Held::Before(file));
            }
            // Another process has removed or replaced it since it was opened.
        }
        Ok(Held::Absent)
    }

    /// A file on the file system of the output is moved.
    fn put(&self, blob: Blob<'_>, hashed: &Hashed, from: &Place, watch: &Watch<'_>) -> Result<()> {
        if let Some(file) = blob.movable_file() {
            return self.settle(file, &hashed.digest);
        }
        let mut writer = self.begin_blob(Some(hashed))?;
        copy_in(&blob, writer.as_mut(), from, watch)?;
        writer.finish(hashed)?;
        blob.release();
        Ok(())
    }

    fn begin_blob(&self, _: Option<&Hashed>) -> Result<Box<dyn BlobWriter + '_>> {
        let number = self.parts.fetch_add(1, Ordering::Relaxed);
        let path = self.staging.path().join(format!("{PART}{number}"));
        let file = File::create(&path).map_err(|error| self.failed(error))?;
        Ok(Box::new(Part {
            sink: self,
            file: GrowingFile::new(file),
            path,
        }))
    }

    fn put_documents(&self, index: &OutputIndex, mut documents: Documents) -> Result<()> {
        documents.retain(|(digest, _)| !self.written().contains(digest));
        put_all(self, documents)?;
        let mut slot = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = index.clone();
        Ok(())
    }

    fn finish(self: Box<Self>, watch: &Watch<'_>) -> Result<Vec<WithheldName>> {
        watch.send(Event::Step(Step::Committing));
        let Self {
            target,
            staging,
            arriving,
            exists,
            unlinked,
            index,
            ..
        } = *self;
        let failed = |error| Error::write(Place::Path(target.clone()), error);
        let index = index.into_inner().unwrap_or_else(PoisonError::into_inner);
        let unlinked = unlinked.into_inner();
        let unlinked = unlinked.unwrap_or_else(PoisonError::into_inner);
        fs::remove_dir_all(arriving).map_err(failed)?;
        if exists {
            return join(&target, staging.path(), &unlinked, &index, watch);
        }
        fs::write(staging.path().join(MARKER), MARKER_CONTENT).map_err(failed)?;
        fs::write(staging.path().join(INDEX), index.bytes()?).map_err(failed)?;
        match staging.rename(&target) {
            Ok(()) => Ok(Vec::new()),
            // Somebody created a layout there in the meantime.
            Err((staging, _)) if target.is_dir() => {
                check_target(&target)?;
                join(&target, staging.path(), &unlinked, &index, watch)
            }
            Err((_, error)) => Err(failed(error)),
        }
    }
}

/// A blob being written.
#[derive(Debug)]
struct Part<'a> {
    sink: &'a LayoutSink,
    file: GrowingFile,
    path: PathBuf,
}

impl Write for Part<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.file.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl BlobWriter for Part<'_> {
    fn place(&self) -> Place {
        self.sink.place()
    }

    fn share(&mut self, file: &File) -> Option<File> {
        let copy = File::open(&self.path).ok()?;
        share_bytes(file, self.file.file()).then_some(copy)
    }

    fn finish(self: Box<Self>, hashed: &Hashed) -> Result<()> {
        let finished = self.file.finish();
        finished.map_err(|error| self.sink.failed(error))?;
        self.sink.settle(&self.path, &hashed.digest)
    }
}
