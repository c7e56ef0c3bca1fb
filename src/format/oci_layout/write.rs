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
use crate::event::{Event, Step, Warning, Watch};
use crate::format::Format;
use crate::format::container::{Blob, Container, Directory};
use crate::format::control_files::{INDEX, MARKER};
use crate::format::oci_layout::read::{check_marker, find_index};
use crate::format::oci_layout::{BLOBS, MARKER_CONTENT, blob_path};
use crate::format::reader::Opener;
use crate::format::root::Root;
use crate::format::sink::{
    BlobWriter, Documents, Held, ImageSink, OutputIndex, OutputKind, OutputRoot, copy_in, put_all,
    with_manifests,
};
use crate::image::delta::is_delta_artifact;
use crate::image::{CONTAINERD_NAME, Descriptor, REF_NAME};
use crate::stream::{
    GrowingFile, Hashed, PART, PendingDirectory, PendingFile, is_still_there, is_temporary,
    lock_directory, share_bytes,
};

/// A layout being written.
///
/// Everything is first written to a folder of its own, on the same file system. A new
/// layout is that folder, renamed. For an existing one the blobs are moved into it,
/// each by a rename, and finally `index.json` is replaced, under a lock: the layout is
/// complete at any moment, and two writers lose none of their names.
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

/// The folder in the staging folder for unidentified members. It never becomes part of
/// the layout.
const ARRIVING: &str = "arriving";

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
        while self.exists
            && let Ok(file) = File::open(&path)
            && let opened = file.metadata().map_err(|error| self.failed(error))?
            && opened.len() == blob.size
        {
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

    fn finish(self: Box<Self>, watch: &Watch<'_>) -> Result<()> {
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
            Ok(()) => Ok(()),
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

/// Moves the blobs of a staging folder into a layout, which must still have those that
/// are needed besides, and lists the images there.
fn join(
    target: &Path,
    staging: &Path,
    needed: &[Hashed],
    index: &OutputIndex,
    watch: &Watch<'_>,
) -> Result<()> {
    let failed = |error| Error::write(Place::Path(target.to_owned()), error);
    let lock = lock_directory(target, watch).map_err(failed)?;
    let _lock = lock.ok_or(Error::Interrupted)?;
    let container = Directory::new(target);
    // It first becomes a layout, so that no other writer mistakes a folder with blobs
    // for something else.
    let nothing = OutputIndex::default().bytes()?;
    for (name, content) in [(INDEX, nothing.as_slice()), (MARKER, MARKER_CONTENT)] {
        if container.find(name)?.is_none() {
            replace(&target.join(name), content).map_err(failed)?;
        } else {
            PendingFile::clear(&target.join(name));
        }
    }
    for blob in needed {
        let there = fs::metadata(target.join(blob_path(&blob.digest)));
        if !there.is_ok_and(|it| it.is_file() && it.len() == blob.size) {
            return Err(Error::BlobRemoved {
                digest: blob.digest.clone(),
                layout: target.to_owned(),
            });
        }
    }
    move_blobs(&staging.join(BLOBS), &target.join(BLOBS)).map_err(failed)?;
    let held = find_index(&container);
    let held = held.map_err(|e| e.while_reading(Place::Path(target.to_owned())))?;
    let bytes = match held {
        Some(held) if held.bytes() != nothing => {
            let before = &held.view().manifests;
            let after = joined(before, &index.roots, watch);
            if after == *before {
                return Ok(());
            }
            with_manifests(&held, &after)?
        }
        _ => index.bytes()?,
    };
    replace(&target.join(INDEX), &bytes).map_err(failed)
}

fn move_blobs(from: &Path, to: &Path) -> io::Result<()> {
    for algorithm in fs::read_dir(from)? {
        let algorithm = algorithm?;
        let folder = to.join(algorithm.file_name());
        fs::create_dir_all(&folder)?;
        for blob in fs::read_dir(algorithm.path())? {
            let blob = blob?;
            fs::rename(blob.path(), folder.join(blob.file_name()))?;
        }
    }
    Ok(())
}

pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = PendingFile::create(path, true)?;
    file.write_all(bytes)?;
    file.commit()
}

/// The items of an index after roots were added to it.
///
/// As with `docker load`, an existing name moves to the new image, and the previous one
/// remains without it. Items that are already listed are not changed in any field;
/// nothing is listed twice.
///
/// A delta does not take its name from an image: it is made to be sent, beside the image
/// of which it is a part, and nobody can run it. `apply` finds a delta without a name.
fn joined(before: &[Descriptor], roots: &[OutputRoot], watch: &Watch<'_>) -> Vec<Descriptor> {
    let named = |descriptor: &Descriptor| (name_of(descriptor), descriptor.clone());
    let mut after: Vec<(Option<String>, Descriptor)> = before.iter().map(named).collect();
    let mut nameless = HashSet::new();
    for root in roots {
        let (mut name, mut new) = named(&root.descriptor);
        let digest = new.digest().clone();
        let is_same = |held: &Descriptor| *held.digest() == digest;
        let is_of_image = |(held_name, held): &(Option<String>, Descriptor)| {
            *held_name == name && !is_same(held) && !is_delta_artifact(held)
        };
        if is_delta_artifact(&new)
            && name.is_some()
            && after.iter().any(is_of_image)
            && let Some(reference) = name.take()
        {
            watch.warn(Warning::NameOfImage(reference));
            new = named_like(&new, &Descriptor::new("", digest.clone(), 0));
        }
        if name.is_some() {
            for (held_name, held) in &mut after {
                if *held_name == name && !is_same(held) {
                    watch.warn(Warning::ReferenceMoved {
                        reference: held_name.take().unwrap_or_default(),
                        previous: held.digest().clone(),
                    });
                    nameless.insert(held.digest().clone());
                    *held = named_like(held, &Descriptor::new("", held.digest().clone(), 0));
                }
            }
        }
        let mut same = after.iter_mut().filter(|(_, held)| is_same(held));
        let is_listed = same.any(|(held_name, _)| name.is_none() || *held_name == name);
        if is_listed {
            continue;
        }
        let mut same = after.iter_mut().filter(|(_, held)| is_same(held));
        match same.find(|(held_name, _)| held_name.is_none()) {
            Some((held_name, held)) => {
                *held = named_like(held, &new);
                *held_name = name;
            }
            None => after.push((name, new)),
        }
    }
    // An image that lost one of several names is still listed under the others; one that
    // lost all of them once.
    let has_name = |digest: &Digest, after: &[(Option<String>, Descriptor)]| {
        after
            .iter()
            .any(|(name, held)| name.is_some() && held.digest() == digest)
    };
    let lost = |(name, held): &(Option<String>, Descriptor)| {
        name.is_none() && nameless.contains(held.digest()) && has_name(held.digest(), &after)
    };
    let mut once = HashSet::new();
    let mut is_first = |(name, held): &(Option<String>, Descriptor)| {
        name.is_some() || !nameless.contains(held.digest()) || once.insert(held.digest().clone())
    };
    let kept = after.iter().filter(|entry| !lost(entry) && is_first(entry));
    kept.map(|(_, held)| held.clone()).collect()
}

/// A descriptor with the names of another one.
fn named_like(descriptor: &Descriptor, other: &Descriptor) -> Descriptor {
    let name = |key| other.annotation(key).map(str::to_owned);
    descriptor
        .clone()
        .with_annotation(REF_NAME, name(REF_NAME))
        .with_annotation(CONTAINERD_NAME, name(CONTAINERD_NAME))
}

/// The name that must be unique: the full reference, if known.
fn name_of(descriptor: &Descriptor) -> Option<String> {
    let root = Root::from_index(descriptor);
    root.reference
        .map(|reference| reference.to_string())
        .or(root.label)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn descriptor(content: &str, name: &str) -> Descriptor {
        let digest = Digest::of(content.as_bytes());
        let descriptor = Descriptor::new("application/x", digest, content.len() as u64);
        match name {
            "" => descriptor,
            name => descriptor.with_annotation(REF_NAME, Some(name.to_owned())),
        }
    }

    /// Descriptors from `content=name`, one word each.
    fn list(text: &str) -> Vec<Descriptor> {
        let one = |word: &str| {
            let (content, name) = word.split_once('=').unwrap();
            descriptor(content, name)
        };
        text.split_whitespace().map(one).collect()
    }

    #[test]
    fn images_are_added_and_names_move() {
        let cases = [
            ("", "a=x:1", "a=x:1", 0),
            ("a=x:1", "b=y:1", "a=x:1 b=y:1", 0),
            ("a=x:1", "a=x:1", "a=x:1", 0),
            ("a=x:1", "a=x:2", "a=x:1 a=x:2", 0),
            ("a=x:1", "b=x:1", "a= b=x:1", 1),
            ("a=x:1 a=x:2", "b=x:1", "a=x:2 b=x:1", 1),
            ("a=", "a=x:1", "a=x:1", 0),
            ("a=x:1", "a=", "a=x:1", 0),
            ("a=1.0", "b=1.0", "a= b=1.0", 1),
            ("a= b=", "c=", "a= b= c=", 0),
            ("a=x:1 a=x:2", "b=x:1 b=x:2", "a= b=x:1 b=x:2", 2),
            ("a= c=z:1 a=x:1", "b=x:1", "a= c=z:1 b=x:1", 1),
            ("a=x:1 c=x:2", "b=x:1 b=x:2", "a= c= b=x:1 b=x:2", 2),
            ("a= a=", "b=x:1", "a= a= b=x:1", 0),
        ];
        for (before, new, expected, moved) in cases {
            let warnings = Mutex::new(0);
            let observer = |_: Event<'_>| *warnings.lock().unwrap() += 1;
            let interrupt = Arc::default();
            let roots: Vec<_> = list(new)
                .into_iter()
                .map(|descriptor| OutputRoot {
                    descriptor,
                    reference: None,
                    image: None,
                })
                .collect();
            let after = joined(&list(before), &roots, &Watch::new(&observer, &interrupt));
            assert_eq!(after, list(expected), "{before} + {new}");
            assert_eq!(*warnings.lock().unwrap(), moved, "{before} + {new}");
        }
    }
}
