//! The story of a tree: the changes that each layer makes to the tree below it.

use std::rc::Rc;

use crate::layer::LayerError;
use crate::merge::ambiguities::Ambiguities;
use crate::merge::changes::{Changes, Dropped};
use crate::merge::range::Merge;
use crate::merge::tree::{Child, DirectoryId, EntryPlace, InodeId, ROOT, Tree};
use crate::merge::view::TreeNode;

/// An event in the story of a tree.
#[derive(Clone, Debug)]
pub(crate) enum LayerEvent<'a> {
    /// A change to a name.
    Change(LayerChange<'a>),
    /// A name of an inode that the layer has, but that does not become part of the tree,
    /// since a later entry of the same layer replaces it.
    Dropped(Vec<u8>, InodeId),
    /// A name of an inode that the layer has, but that does not become part of the tree,
    /// since it belongs to AUFS or eStargz.
    Bookkeeping(Vec<u8>, InodeId),
}

/// A change that a layer makes to one name, or an entry that repeats what is there.
#[derive(Clone, Debug)]
pub(crate) struct LayerChange<'a> {
    /// The path. If a directory is deleted or replaced, there is one change for the
    /// directory, and none for what was in it.
    pub(crate) path: Vec<u8>,
    /// The thing in the tree of the layers below, and the entry that made it.
    pub(crate) before: Option<(TreeNode<'a>, EntryPlace)>,
    /// The thing in the layer, and its entry. `None` if the layer deletes the name,
    /// even if there is nothing to delete.
    pub(crate) after: Option<(TreeNode<'a>, EntryPlace)>,
}

impl Merge {
    /// Adds the next layer of the range, and reports its changes to the tree of the
    /// range, which then is that of the layers below it.
    pub(crate) fn put_watched(
        &mut self,
        changes: Changes,
        see: &mut dyn FnMut(&Self, LayerEvent<'_>),
    ) -> Result<Ambiguities, LayerError> {
        self.put(changes, |below, layer, dropped, number| {
            compare(below, layer, dropped, number, see);
        })
    }
}

/// Compares a layer with the tree of the layers below it, before it is added. Reports
/// the names that the layer itself drops; then each of its entries and deletions, and
/// each directory that it implies and that is not there yet: parents before children,
/// names in the order of their bytes.
fn compare(
    below: &Merge,
    layer: &Tree,
    dropped: Vec<Dropped>,
    number: &dyn Fn(InodeId) -> InodeId,
    see: &mut dyn FnMut(&Merge, LayerEvent<'_>),
) {
    for name in dropped {
        let inode = number(name.inode);
        let event = if name.is_bookkeeping {
            LayerEvent::Bookkeeping(name.path, inode)
        } else {
            LayerEvent::Dropped(name.path, inode)
        };
        see(below, event);
    }
    let walk = Walk {
        below,
        layer,
        number,
    };
    let mut pending = vec![Pending {
        folder: Rc::from([]),
        name: Box::from([]),
        before: Some(Child::Directory(ROOT)),
        after: Some(Child::Directory(ROOT)),
        is_hidden: false,
    }];
    while let Some(next) = pending.pop() {
        walk.visit(next, &mut pending, see);
    }
}

struct Walk<'a> {
    below: &'a Merge,
    layer: &'a Tree,
    number: &'a dyn Fn(InodeId) -> InodeId,
}

/// A name to visit.
struct Pending {
    /// The path of the directory that has it, which all names in it share: it may be long.
    folder: Rc<[u8]>,
    name: Box<[u8]>,
    before: Option<Child>,
    after: Option<Child>,
    /// True if an opaque directory of the layer hides what is there before.
    is_hidden: bool,
}

impl Walk<'_> {
    fn visit(
        &self,
        Pending {
            folder,
            name,
            before,
            after,
            is_hidden,
        }: Pending,
        pending: &mut Vec<Pending>,
        see: &mut dyn FnMut(&Merge, LayerEvent<'_>),
    ) {
        let path = match &*folder {
            b"" => name.into_vec(),
            folder => [folder, b"/", &name].concat(),
        };
        let after = match after {
            Some(Child::Node(inode, place)) => Some(Child::Node((self.number)(inode), place)),
            after => after,
        };
        let directories = match (before, after) {
            (Some(Child::Directory(before)), Some(Child::Directory(after))) => {
                Some((Some(before), after))
            }
            (_, Some(Child::Directory(after))) => Some((None, after)),
            _ => None,
        };
        // A directory without an entry only leads to others, if it is there already.
        let is_way = directories.is_some_and(|(before, after)| {
            let after = self.layer.get(after);
            before.is_some() && !is_hidden && after.metadata.is_none() && !after.is_new
        });
        if !is_way {
            let change = LayerChange {
                path: path.clone(),
                before: before.and_then(|child| self.below.node(&self.below.range, child)),
                after: after.and_then(|child| self.below.node(self.layer, child)),
            };
            see(self.below, LayerEvent::Change(change));
        }
        if let Some((before, after)) = directories {
            self.descend(&path, before, after, is_hidden, pending);
        }
    }

    /// Adds the names in a directory, the first one last.
    fn descend(
        &self,
        path: &[u8],
        before: Option<DirectoryId>,
        after: DirectoryId,
        is_hidden: bool,
        pending: &mut Vec<Pending>,
    ) {
        let layer = self.layer.get(after);
        let is_hidden = is_hidden || layer.is_opaque;
        let below = before.map(|id| &self.below.range.get(id).children);
        let first = pending.len();
        let folder = Rc::from(path);
        let mut add = |name: &[u8], before: Option<Child>, after: Option<Child>| {
            pending.push(Pending {
                folder: Rc::clone(&folder),
                name: name.into(),
                before,
                after,
                is_hidden,
            });
        };
        for (name, after) in &layer.children {
            let before = below.and_then(|below| below.get(name)).copied();
            add(name, before, Some(*after));
        }
        if is_hidden && let Some(below) = below {
            for (name, before) in below {
                if !layer.children.contains_key(name) {
                    add(name, Some(*before), None);
                }
            }
        }
        pending[first..].sort_by(|one, other| other.name.cmp(&one.name));
    }
}
