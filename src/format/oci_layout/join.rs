//! Adding a staged layout to one that exists, completely or not at all.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::{Error, Place, Result};
use crate::event::{Warning, Watch};
use crate::format::container::{Container, Directory};
use crate::format::control_files::{INDEX, MARKER};
use crate::format::oci_layout::read::find_index;
use crate::format::oci_layout::{BLOBS, MARKER_CONTENT, blob_path, lock};
use crate::format::root::Root;
use crate::format::sink::{OutputIndex, OutputRoot, WithheldName, with_manifests};
use crate::image::delta::is_delta_artifact;
use crate::image::{CONTAINERD_NAME, Descriptor, REF_NAME};
use crate::stream::{Hashed, PART, PendingFile, pass_on_rights, write_file};

/// Moves the blobs of a staging folder into a layout, which must still have those that
/// are needed besides, and lists the images there.
///
/// The new `index.json` is on the disk before the first blob is moved, and gets its name
/// after the last one. If anything fails, all that came into the layout leaves it again.
/// Returns the names that were not given.
pub(super) fn join(
    target: &Path,
    staging: &Path,
    needed: &[Hashed],
    index: &OutputIndex,
    watch: &Watch<'_>,
) -> Result<Vec<WithheldName>> {
    let failed = |error| Error::write(Place::Path(target.to_owned()), error);
    let lock = lock(target, watch).map_err(failed)?;
    let _lock = lock.ok_or(Error::Interrupted)?;
    let container = Directory::new(target);
    let mut additions = Additions::new(staging);
    // It first becomes a layout, so that no other writer mistakes a folder with blobs
    // for something else.
    let nothing = OutputIndex::default().bytes()?;
    for (name, content) in [(INDEX, nothing.as_slice()), (MARKER, MARKER_CONTENT)] {
        let path = target.join(name);
        if container.find(name)?.is_none() {
            let written = additions.place(&path, || write_file(&path, content, true));
            written.map_err(failed)?;
        } else {
            PendingFile::clear(&path);
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
    let held = find_index(&container);
    let held = held.map_err(|e| e.while_reading(Place::Path(target.to_owned())))?;
    let mut withheld = Vec::new();
    let bytes = match held {
        Some(held) if held.bytes() != nothing => {
            let before = &held.view().manifests;
            let after;
            (after, withheld) = joined(before, &index.roots, watch);
            let is_new = after != *before;
            is_new.then(|| with_manifests(&held, &after)).transpose()?
        }
        _ => Some(index.bytes()?),
    };
    let pending = bytes.map(|bytes| {
        let mut pending = PendingFile::create(&target.join(INDEX), true)?;
        pending.write_all(&bytes)?;
        Ok(pending)
    });
    let pending = pending.transpose().map_err(failed)?;
    let blobs = additions.move_blobs(&staging.join(BLOBS), &target.join(BLOBS));
    blobs.map_err(failed)?;
    if let Some(pending) = pending {
        pending.commit().map_err(failed)?;
    }
    additions.keep();
    Ok(withheld)
}

/// The files and folders that came into a layout, which are locked against other writers.
/// They leave it again when this is dropped, unless they are kept.
struct Additions<'a> {
    /// A folder on the same file system, for files that were replaced.
    staging: &'a Path,
    added: Vec<Added>,
}

/// Something that came into a layout.
enum Added {
    Folder(PathBuf),
    File {
        path: PathBuf,
        identity: (u64, u64),
        /// A name in the staging folder of what was there before.
        before: Option<PathBuf>,
    },
}

impl<'a> Additions<'a> {
    fn new(staging: &'a Path) -> Self {
        let added = Vec::new();
        Self { staging, added }
    }

    /// Keeps everything where it is.
    fn keep(mut self) {
        self.added.clear();
    }

    /// Moves all blobs from one folder to another.
    fn move_blobs(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.make_folder(to)?;
        for algorithm in fs::read_dir(from)? {
            let algorithm = algorithm?;
            let folder = to.join(algorithm.file_name());
            self.make_folder(&folder)?;
            for blob in fs::read_dir(algorithm.path())? {
                let blob = blob?;
                let (staged, path) = (blob.path(), folder.join(blob.file_name()));
                let identity = identity(&staged)?;
                // It was there, and has only been kept.
                if self::identity(&path).is_ok_and(|there| there == identity) {
                    continue;
                }
                self.place(&path, || {
                    pass_on_rights(&path, &staged)?;
                    fs::rename(&staged, &path)
                })?;
            }
        }
        Ok(())
    }

    fn make_folder(&mut self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Ok(()) => self.added.push(Added::Folder(path.to_owned())),
            Err(_) if path.is_dir() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Brings a file to a path by `put`, which replaces another one.
    fn place(&mut self, path: &Path, put: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let number = self.added.len();
        let before = self.staging.join(format!("{PART}before-{number}"));
        let linked = fs::hard_link(path, &before);
        put()?;
        let before = match linked {
            Ok(()) => Some(before),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            // Without a second name, what was there cannot return, and the new one stays.
            Err(_) => return Ok(()),
        };
        let (path, identity) = (path.to_owned(), identity(path)?);
        self.added.push(Added::File {
            path,
            identity,
            before,
        });
        Ok(())
    }
}

impl Drop for Additions<'_> {
    fn drop(&mut self) {
        // Nobody can do anything about a failure. What stays is in nobody's way: nothing
        // refers to it.
        while let Some(added) = self.added.pop() {
            let _ = match added {
                Added::Folder(path) => fs::remove_dir(path),
                Added::File {
                    path,
                    identity,
                    before,
                } => match self::identity(&path) {
                    Ok(there) if there == identity => match before {
                        Some(before) => fs::rename(before, path),
                        None => fs::remove_file(path),
                    },
                    // A program without the lock has replaced it.
                    _ => Ok(()),
                },
            };
        }
    }
}

/// The device and the number of a file.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// The items of an index after roots were added to it.
///
/// As with `docker load`, an existing name moves to the new image, and the previous one
/// remains without it. Items that are already listed are not changed in any field;
/// nothing is listed twice.
///
/// A delta does not take its name from an image: it is made to be sent, beside the image
/// of which it is a part, and nobody can run it. `apply` finds a delta without a name. The
/// second value has such names.
fn joined(
    before: &[Descriptor],
    roots: &[OutputRoot],
    watch: &Watch<'_>,
) -> (Vec<Descriptor>, Vec<WithheldName>) {
    let named = |descriptor: &Descriptor| (name_of(descriptor), descriptor.clone());
    let mut after: Vec<(Option<String>, Descriptor)> = before.iter().map(named).collect();
    let mut nameless = HashSet::new();
    let mut withheld = Vec::new();
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
            && let Some(name) = name.take()
        {
            watch.warn(Warning::NameOfImage(name.clone()));
            withheld.push(WithheldName {
                name,
                digest: digest.clone(),
            });
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
    (kept.map(|(_, held)| held.clone()).collect(), withheld)
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
    use crate::event::Event;

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
            let joined = joined(&list(before), &roots, &Watch::new(&observer, &interrupt));
            assert_eq!(joined, (list(expected), Vec::new()), "{before} + {new}");
            assert_eq!(*warnings.lock().unwrap(), moved, "{before} + {new}");
        }
    }
}
