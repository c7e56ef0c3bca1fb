//! A layout in a folder that is changed in place.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::{Error, InputKind, Place, Result};
use crate::event::Watch;
use crate::format::Format;
use crate::format::container::{Container, Directory};
use crate::format::control_files::{INDEX, MANIFEST, MARKER, REPOSITORIES};
use crate::format::folder::check_declared;
use crate::format::oci_layout::read::{check_marker, find_index};
use crate::format::oci_layout::{BLOBS, blob_path, lock};
use crate::format::reader::Opener;
use crate::format::sink::with_manifests;
use crate::image::{Descriptor, Document, Index};
use crate::stream::{PendingDirectory, PendingFile, write_file};

/// A layout, locked against writers: none of them lists an image meanwhile, or moves a
/// blob into it.
///
/// `index.json` is replaced before blobs are deleted, so that the layout is complete at
/// any moment.
pub(crate) struct LockedLayout {
    path: PathBuf,
    index: Document<Index>,
    /// The folder, open and locked.
    lock: File,
}

impl fmt::Debug for LockedLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LockedLayout").field(&self.path).finish()
    }
}

impl LockedLayout {
    /// Opens a layout, after waiting for writers.
    ///
    /// # Errors
    ///
    /// Fails if it is not a layout, or if its blobs may also belong to something else.
    pub(crate) fn open(path: &Path, watch: &Watch<'_>) -> Result<Self> {
        let opened = Self::open_folder(path, watch);
        opened.map_err(|error| error.while_reading(Place::Path(path.to_owned())))
    }

    fn open_folder(path: &Path, watch: &Watch<'_>) -> Result<Self> {
        if !fs::metadata(path)?.is_dir() {
            return Err(Error::NotAFolder);
        }
        check_declared(path, Some(Format::OciDirectory))?;
        let lock = lock(path, watch)?.ok_or(Error::Interrupted)?;
        let container = Directory::new(path);
        check_marker(&mut Opener::new(&container))?;
        let index = find_index(&container)?.ok_or(Error::NotOfFormat {
            expected: InputKind::OciLayout,
            missing: "`index.json`",
        })?;
        check_owned(path)?;
        Ok(Self {
            path: path.to_owned(),
            index,
            lock,
        })
    }

    /// `index.json`.
    pub(crate) fn index(&self) -> &Document<Index> {
        &self.index
    }

    /// The items of `index.json`.
    pub(crate) fn entries(&self) -> &[Descriptor] {
        &self.index.view().manifests
    }

    /// The layout, as messages name it.
    pub(crate) fn place(&self) -> Place {
        Place::Path(self.path.clone())
    }

    /// Its files.
    pub(crate) fn container(&self) -> Directory {
        Directory::new(&self.path)
    }

    /// The blobs that `is_kept` rejects, with their sizes. Files with other names than
    /// those of blobs are passed over.
    pub(crate) fn blobs_without(
        &self,
        is_kept: impl Fn(&Digest) -> bool,
    ) -> Result<Vec<(Digest, u64)>> {
        let mut found = Vec::new();
        for path in self.container().files()? {
            let parts = path
                .strip_prefix(BLOBS)
                .map(|it| it.trim_start_matches('/'));
            let digest = parts.and_then(|it| it.replacen('/', ":", 1).parse::<Digest>().ok());
            let Some(digest) = digest.filter(|digest| !is_kept(digest)) else {
                continue;
            };
            match fs::symlink_metadata(self.path.join(&path)) {
                Ok(it) if it.is_file() => found.push((digest, it.len())),
                // The file that the link leads to stays.
                Ok(it) if it.is_symlink() => found.push((digest, 0)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::read(Place::Member(path), error)),
            }
        }
        found.sort();
        Ok(found)
    }

    /// Lists exactly these items in `index.json`.
    pub(crate) fn list(&self, entries: &[Descriptor]) -> Result<()> {
        if entries == self.entries() {
            return Ok(());
        }
        let failed = |error| Error::write(self.place(), error);
        let bytes = with_manifests(&self.index, entries)?;
        write_file(&self.path.join(INDEX), &bytes, true).map_err(failed)?;
        // After a crash of the machine, too, no blob is gone that is still listed.
        self.lock.sync_all().map_err(failed)
    }

    /// Deletes blobs, which nothing that is listed may need.
    ///
    /// # Errors
    ///
    /// Fails if one cannot be deleted, after the others were. A later run can delete it.
    pub(crate) fn delete(&self, blobs: &[(Digest, u64)], watch: &Watch<'_>) -> Result<()> {
        let mut failure = None;
        for (digest, _) in blobs {
            if watch.is_interrupted() {
                return Err(Error::DeletionInterrupted);
            }
            let path = self.path.join(blob_path(digest));
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    failure.get_or_insert_with(|| Error::write(Place::Path(path), error));
                }
                _ => {}
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Removes what killed writers left.
    pub(crate) fn clear(&self) {
        PendingDirectory::clear_in(&self.path, "");
        for name in [INDEX, MARKER] {
            PendingFile::clear(&self.path.join(name));
        }
    }
}

/// Refuses a layout whose blobs may be needed by something other than its `index.json`.
fn check_owned(path: &Path) -> Result<()> {
    for name in [MANIFEST, REPOSITORIES] {
        if fs::symlink_metadata(path.join(name)).is_ok() {
            return Err(Error::LayoutOfArchive(name));
        }
    }
    for name in [BLOBS, "blobs/sha256", "blobs/sha512", INDEX] {
        if fs::symlink_metadata(path.join(name)).is_ok_and(|it| it.is_symlink()) {
            return Err(Error::BlobsElsewhere(name));
        }
    }
    Ok(())
}
