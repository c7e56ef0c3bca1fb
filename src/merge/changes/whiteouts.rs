//! The whiteouts of one layer: taken where they stand, put in when all else is known.

use crate::layer::Ambiguity;
use crate::layer::{EntryFault, EntryPath, LayerError, components};
use crate::merge::changes::ChangesBuilder;
use crate::merge::tree::{Child, DirectoryId, ROOT};

/// A whiteout that was met. In their order, what deletes a directory comes before what
/// deletes something in it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deletion {
    /// The directory that it is in, to the letter: through no symbolic link.
    parent: Vec<u8>,
    /// What is deleted in it; absent for an opaque whiteout.
    name: Option<Vec<u8>>,
    /// The number of the entry.
    entry: u32,
}

impl ChangesBuilder {
    /// Puts in all whiteouts.
    pub(super) fn put_whiteouts(&mut self) -> Result<(), LayerError> {
        // Their order must not matter, so they get one.
        let mut whiteouts = std::mem::take(&mut self.whiteouts);
        whiteouts.sort();
        let mut last: Option<&Deletion> = None;
        for deletion in &whiteouts {
            let is_same = |last: &Deletion| last.names_same(deletion);
            if last.is_some_and(is_same) {
                // A directory may be made opaque again, by another name.
                let ambiguity = match deletion.name {
                    Some(_) => Ambiguity::DeletedTwice,
                    None => Ambiguity::Repeated,
                };
                self.changes.ambiguities.note(ambiguity, &deletion.path());
                continue;
            }
            last = Some(deletion);
            let parent = self.directory_of(deletion);
            let parent = parent.map_err(|fault| LayerError::entry(&deletion.path(), fault))?;
            if let Some(parent) = parent {
                self.delete(parent, deletion);
            }
        }
        Ok(())
    }

    /// Takes a whiteout, which deletes this name beside it; `None` is all that is there.
    pub(super) fn delete_later(
        &mut self,
        path: &EntryPath,
        name: Option<&[u8]>,
        number: u32,
    ) -> Result<(), EntryFault> {
        let route = self.route(path.split_last().0)?;
        self.note_route(&route, path);
        if route.obstacle.is_some() {
            self.note(Ambiguity::WhiteoutInFile, path);
        }
        let parent = route.path;
        self.hold(parent.len() + name.map_or(0, <[u8]>::len))?;
        self.whiteouts.push(Deletion {
            parent,
            name: name.map(<[u8]>::to_vec),
            entry: number,
        });
        Ok(())
    }

    /// The directory that a whiteout is in. Engines make it for the whiteout's sake
    /// where it is not there; `None` if nothing of lower layers can be there any more.
    fn directory_of(&mut self, deletion: &Deletion) -> Result<Option<DirectoryId>, EntryFault> {
        let mut at = ROOT;
        for name in components(&deletion.parent) {
            at = match self.child(at, name) {
                Some(Child::Directory(id)) => id,
                Some(Child::Node(..)) => return Ok(None),
                Some(Child::Whiteout) => {
                    let path = deletion.path();
                    self.changes
                        .ambiguities
                        .note(Ambiguity::WhiteoutInDeleted, &path);
                    return Ok(None);
                }
                None => self.imply(at, name, deletion.parent.len())?,
            };
        }
        Ok(Some(at))
    }

    fn delete(&mut self, parent: DirectoryId, deletion: &Deletion) {
        let directory = self.changes.tree.get_mut(parent);
        let Some(name) = &deletion.name else {
            directory.is_opaque = true;
            if parent == ROOT {
                self.note(Ambiguity::OpaqueRoot, &EntryPath::default());
            }
            return;
        };
        let is_ambiguous = match directory.children.get(name.as_slice()).copied() {
            None => {
                let name = name.clone().into_boxed_slice();
                directory.children.insert(name, Child::Whiteout);
                false
            }
            Some(Child::Whiteout) => false,
            // The node replaces what is below anyway.
            Some(Child::Node(_, place)) => place.entry < deletion.entry,
            Some(Child::Directory(id)) => {
                let directory = self.changes.tree.get_mut(id);
                directory.is_opaque = true;
                directory.is_new = true;
                true
            }
        };
        if is_ambiguous {
            let path = deletion.path();
            self.changes
                .ambiguities
                .note(Ambiguity::WhiteoutAndEntry, &path);
        }
    }
}

impl Deletion {
    /// Whether both delete the same.
    fn names_same(&self, other: &Self) -> bool {
        (&self.parent, &self.name) == (&other.parent, &other.name)
    }

    /// The path of what is deleted, or of the directory that becomes opaque.
    fn path(&self) -> Vec<u8> {
        match (&self.name, self.parent.as_slice()) {
            (None, parent) => parent.to_vec(),
            (Some(name), b"") => name.clone(),
            (Some(name), parent) => [parent, b"/", name].concat(),
        }
    }
}
