//! The layer that deletes paths of the image.

use std::collections::BTreeSet;
use std::io;

use crate::error::{ChoiceError, Result};
use crate::folder::{PackedLayer, Sockets};
use crate::layer::{EntrySink, Landing, components};
use crate::merge::PathPattern;
use crate::ops::append::landing::at;
use crate::ops::stack::paths::PathFinder;
use crate::tar_stream::Time;

/// Makes the layer: a whiteout for each path, after the directories above it as they are
/// in the image.
///
/// # Errors
///
/// Fails if the image does not have one of the paths, or if it is the root.
pub(super) fn deletions(
    finder: &PathFinder,
    image: &str,
    paths: &[PathPattern],
    time: Time,
) -> Result<io::Result<PackedLayer>> {
    let selected = finder.select(paths)?;
    let mut whiteouts: Vec<(Landing, Vec<u8>)> = Vec::new();
    for path in selected.tops() {
        let names: Vec<&[u8]> = components(path).collect();
        let Some((name, parents)) = names.split_last() else {
            return Err(ChoiceError::RootDeleted(image.to_owned()).into());
        };
        let directory = at(finder, &parents.join(&b'/'), time);
        whiteouts.push((directory, name.to_vec()));
    }
    Ok(PackedLayer::of(move |writer| {
        let mut written = BTreeSet::new();
        for (directory, name) in &whiteouts {
            directory.write_new(writer, &mut written)?;
            writer.whiteout(directory.path(), Some(name))?;
        }
        Ok(Sockets::default())
    }))
}
