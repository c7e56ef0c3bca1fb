//! The whiteouts of one layer: collected first, and added after everything else.

use crate::layer::{Ambiguity, EntryFault, EntryPath, LayerError, components};
use crate::merge::changes::builder::{ChangesBuilder, Deletion};
use crate::merge::tree::{Child, DirectoryId, ROOT};

impl ChangesBuilder {
    /// Adds all whiteouts.
    pub(super) fn put_whiteouts(&mut self) -> Result<(), LayerError> {
        // Sorted, since their order in the tar must not matter.
        let mut whiteouts = std::mem::take(&mut self.whiteouts);
        whiteouts.sort();
        let mut last: Option<&Deletion> = None;
        for deletion in &whiteouts {
            let is_same =
                |it: &Deletion| (&it.parent, &it.name) == (&deletion.parent, &deletion.name);
            if last.is_some_and(is_same) {
                // A directory may become opaque again under another name.
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

    /// Collects a whiteout, which deletes this name in its directory, or all names if
    /// it is `None`.
    pub(super) fn delete_later(
        &mut self,
        path: &EntryPath,
        name: Option<Box<[u8]>>,
        number: u32,
    ) -> Result<(), EntryFault> {
        let route = self.route(path.split_last().0)?;
        self.note_route(&route, path);
        if route.obstacle.is_some() {
            self.note(Ambiguity::WhiteoutInFile, path);
        }
        let parent = route.path;
        self.hold(parent.len() + name.as_ref().map_or(0, |name| name.len()))?;
        self.whiteouts.push(Deletion {
            parent,
            name,
            entry: number,
        });
        Ok(())
    }

    /// The directory of a whiteout, which is made if it does not exist, as in engines;
    /// `None` if nothing of lower layers can remain there.
    fn directory_of(&mut self, deletion: &Deletion) -> Result<Option<DirectoryId>, EntryFault> {
        let mut at = ROOT;
        for name in components(&deletion.parent) {
            at = match self.child(at, name) {
                Some(Child::Directory(id)) => id,
                Some(Child::Node(..)) => return Ok(None),
                Some(Child::Whiteout) => {
                    let ambiguities = &mut self.changes.ambiguities;
                    ambiguities.note(Ambiguity::WhiteoutInDeleted, &deletion.path());
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
        let is_ambiguous = match directory.children.get(&**name).copied() {
            None => {
                let name = name.as_ref().into();
                directory.children.insert(name, Child::Whiteout);
                false
            }
            Some(Child::Whiteout) => false,
            // The node replaces anything below it in any case.
            Some(Child::Node(_, place)) => place.entry < deletion.entry,
            Some(Child::Directory(id)) => {
                let directory = self.changes.tree.get_mut(id);
                directory.is_opaque = true;
                directory.is_new = true;
                true
            }
        };
        if is_ambiguous {
            let ambiguities = &mut self.changes.ambiguities;
            ambiguities.note(Ambiguity::WhiteoutAndEntry, &deletion.path());
        }
    }
}
