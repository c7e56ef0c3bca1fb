//! A stack of layers that is checked rather than merged: broken hard links are reported
//! and left out.

use std::collections::HashSet;

use crate::layer::{EntryFault, EntryPath, LayerError};
use crate::merge::ambiguities::Ambiguities;
use crate::merge::changes::Changes;
use crate::merge::range::Merge;
use crate::merge::tree::{Child, Found};

/// A hard link that no engine can resolve, and the reason.
#[derive(Debug)]
pub(crate) struct BrokenLink {
    /// The link.
    pub(crate) path: EntryPath,
    /// The reason; absent if its target is after it in the same layer.
    pub(crate) fault: Option<EntryFault>,
}

impl Changes {
    /// Returns true if the layer has hard links whose targets are not before them in
    /// it.
    pub(crate) fn has_far_links(&self) -> bool {
        !self.far_links.is_empty()
    }

    /// The ambiguities of the layer itself, which are reported once.
    pub(crate) fn take_ambiguities(&mut self) -> Ambiguities {
        std::mem::take(&mut self.ambiguities)
    }
}

impl Merge {
    /// Adds the next layer of the range, without its broken hard links.
    pub(crate) fn put_checked(
        &mut self,
        mut changes: Changes,
    ) -> Result<(Ambiguities, Vec<BrokenLink>), LayerError> {
        let mut broken = Vec::new();
        let mut inodes = HashSet::new();
        for link in &changes.far_links {
            let Some(target) = &link.target else {
                continue;
            };
            let is_forward = match changes.tree.find(target) {
                Found::Child(Child::Node(inode, _)) => inode != link.inode,
                _ => false,
            };
            let fault = match self.target(target, true) {
                Ok(_) if !is_forward => continue,
                Ok(_) => None,
                Err(_) if is_forward => None,
                Err(fault) => Some(fault),
            };
            inodes.insert(link.inode);
            broken.push(BrokenLink {
                path: link.path.clone(),
                fault,
            });
        }
        changes
            .far_links
            .retain(|link| !inodes.contains(&link.inode));
        self.put_in_range(changes)
            .map(|ambiguities| (ambiguities, broken))
    }
}
