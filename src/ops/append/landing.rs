//! The directory of an image in which new content lands, as a container finds it: through
//! the symbolic links of the image.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::error::{ChoiceError, Result};
use crate::layer::{EntryPath, Landing, Metadata, components, display_start};
use crate::merge::{IMPLIED_MODE, PathFault, PathPattern, TreeEntry};
use crate::ops::stack::paths::PathFinder;
use crate::tar_stream::Time;

/// The path of a new entry: clean, and inside the image.
///
/// # Errors
///
/// Fails if it leads out of the root, or is none.
pub(super) fn clean(path: &[u8]) -> Result<Vec<u8>> {
    let clean = EntryPath::parse(path).map_err(|reason| ChoiceError::PathUnfit {
        path: display_start(path),
        reason,
    });
    Ok(clean?.as_bytes().to_vec())
}

/// Finds the directory with a clean path in the image, or where it is to be made.
///
/// # Errors
///
/// Fails if the path leads through something that is not a directory, or through a
/// symbolic link that leads nowhere.
pub(super) fn landing(finder: &PathFinder, path: &[u8], time: Time) -> Result<Landing> {
    let mut landing = Landing::new(time);
    let mut names = components(path);
    while let Some(name) = names.next() {
        let next = landing.at(name);
        match finder.tree.resolve(&next, true) {
            Ok(entry) if entry.node.is_directory() => {
                landing = present(finder, &entry.path, time);
            }
            Ok(entry) => return Err(fault(finder, path, PathFault::NotADirectory(entry.path))),
            Err(PathFault::Absent(missing)) if missing == next => {
                landing.enter(name, None);
                for name in names.by_ref() {
                    landing.enter(name, None);
                }
            }
            Err(other) => return Err(fault(finder, path, other)),
        }
    }
    Ok(landing)
}

/// A directory of the image with this literal path.
pub(super) fn present(finder: &PathFinder, path: &[u8], time: Time) -> Landing {
    let mut landing = Landing::new(time);
    for name in components(path) {
        let entry = finder.tree.resolve(&landing.at(name), false).ok();
        landing.enter(name, entry.map(|entry| metadata_of(&entry, time)));
    }
    landing
}

/// The place of a file: the directory in which it lands, and its name there.
pub(super) fn landing_of_file(
    finder: &PathFinder,
    file: &Path,
    path: &[u8],
    time: Time,
) -> Result<(Landing, Vec<u8>)> {
    let target = clean(path)?;
    let own_name = file.file_name().map(OsStr::as_bytes).unwrap_or_default();
    if path.ends_with(b"/") || target.is_empty() {
        return Ok((landing(finder, &target, time)?, own_name.to_vec()));
    }
    match finder.tree.resolve(&target, true) {
        Ok(entry) if entry.node.is_directory() => {
            Ok((present(finder, &entry.path, time), own_name.to_vec()))
        }
        // A file that a symbolic link leads to is replaced, and not the link.
        Ok(entry) => {
            let (parent, name) = split(&entry.path);
            Ok((present(finder, parent, time), name.to_vec()))
        }
        Err(_) => {
            let (parent, name) = split(&target);
            Ok((landing(finder, parent, time)?, name.to_vec()))
        }
    }
}

/// The metadata of an entry of the image, which a new entry for it repeats.
fn metadata_of(entry: &TreeEntry<'_>, time: Time) -> Metadata {
    let metadata = entry.node.metadata().cloned();
    metadata.unwrap_or_else(|| Metadata::implied(IMPLIED_MODE, time))
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

fn fault(finder: &PathFinder, path: &[u8], fault: PathFault) -> crate::error::Error {
    finder.fault(&PathPattern::new(path), fault).into()
}
