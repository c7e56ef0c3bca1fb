//! The directory of an image in which new content lands, as a container finds it: through
//! the symbolic links of the image.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::error::{ChoiceError, Error, Result};
use crate::layer::{
    EntryPath, Landing, Metadata, NodeKind, components, display_start, is_whiteout,
};
use crate::limits::SYMLINKS_MAX;
use crate::merge::{IMPLIED_MODE, PathFault, PathPattern, TreeNode};
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

/// The directory that a container finds at a clean path, or that is to be made there.
///
/// # Errors
///
/// Fails if the path leads through something that is not a directory, or through too many
/// symbolic links, or has a name that deletes files.
pub(super) fn landing(finder: &PathFinder, path: &[u8], time: Time) -> Result<Landing> {
    let literal = follow(finder, path)?;
    refuse_whiteouts(&literal)?;
    match finder.tree.resolve(&literal, false) {
        Ok(entry) if !entry.node.is_directory() => {
            Err(fault(finder, path, PathFault::NotADirectory(literal)))
        }
        _ => Ok(at(finder, &literal, time)),
    }
}

/// The place of a file: the directory in which it lands, and its name there.
///
/// # Errors
///
/// Fails as [`landing`] does.
pub(super) fn landing_of_file(
    finder: &PathFinder,
    file: &Path,
    path: &[u8],
    time: Time,
) -> Result<(Landing, Vec<u8>)> {
    let target = clean(path)?;
    let literal = follow(finder, &target)?;
    let found = finder.tree.resolve(&literal, false);
    let is_directory = found.is_ok_and(|entry| entry.node.is_directory());
    if is_directory || path.ends_with(b"/") {
        let name = file.file_name().map(OsStr::as_bytes);
        let name = name.unwrap_or_default().to_vec();
        let landing = landing(finder, &target, time)?;
        refuse_whiteouts(&landing.at(&name))?;
        return Ok((landing, name));
    }
    refuse_whiteouts(&literal)?;
    let (parent, name) = split(&literal);
    Ok((at(finder, parent, time), name.to_vec()))
}

/// The directory with a literal path, all of whose existing parts are directories.
pub(super) fn at(finder: &PathFinder, path: &[u8], time: Time) -> Landing {
    let mut landing = Landing::new(time);
    for name in components(path) {
        let entry = finder.tree.resolve(&landing.at(name), false).ok();
        // A new entry repeats what the image has.
        let own = entry.map(|entry| match entry.node.metadata() {
            Some(metadata) => metadata.clone(),
            None => Metadata::implied(IMPLIED_MODE, time),
        });
        landing.enter(name, own);
    }
    landing
}

/// The literal path to which a path leads through the symbolic links of the image. What
/// the image does not have leads to itself.
fn follow(finder: &PathFinder, path: &[u8]) -> Result<Vec<u8>> {
    let mut literal: Vec<u8> = Vec::new();
    let mut rest: Vec<Vec<u8>> = components(path).map(<[u8]>::to_vec).collect();
    rest.reverse();
    let mut links = 0;
    while let Some(name) = rest.pop() {
        match &*name {
            b"" | b"." => continue,
            b".." => {
                literal.truncate(split(&literal).0.len());
                continue;
            }
            _ => {}
        }
        let parent = literal.len();
        if parent > 0 {
            literal.push(b'/');
        }
        literal.extend_from_slice(&name);
        let Ok(entry) = finder.tree.resolve(&literal, false) else {
            continue;
        };
        let TreeNode::Node(_, inode) = entry.node else {
            continue;
        };
        if let NodeKind::Symlink(target) = &inode.kind {
            links += 1;
            if links > SYMLINKS_MAX {
                return Err(fault(finder, path, PathFault::Loop(literal)));
            }
            literal.truncate(if target.starts_with(b"/") { 0 } else { parent });
            let names = target.split(|byte| *byte == b'/').rev();
            rest.extend(names.map(<[u8]>::to_vec));
        } else if !rest.is_empty() {
            return Err(fault(finder, path, PathFault::NotADirectory(literal)));
        }
    }
    Ok(literal)
}

/// Refuses a path with a name that engines would take for a whiteout.
fn refuse_whiteouts(path: &[u8]) -> Result<()> {
    if components(path).any(is_whiteout) {
        return Err(ChoiceError::PathDeletes(display_start(path)).into());
    }
    Ok(())
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

fn fault(finder: &PathFinder, path: &[u8], fault: PathFault) -> Error {
    finder.fault(&PathPattern::new(path), fault).into()
}
