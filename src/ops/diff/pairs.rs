//! Two trees walked side by side.

use std::cmp::Ordering;

use crate::merge::{
    Entries, EntryPlace, InodeId, Listing, ListingWalk, Merge, TreeEntry, TreeNode,
};
use crate::ops::stack::paths::tree_order;

/// The things at one path of two trees.
pub(in crate::ops) enum Pair<'a> {
    /// Only the first tree has the path.
    A(TreeEntry<'a>),
    /// Only the second tree has the path.
    B(TreeEntry<'a>),
    /// Both trees have the path.
    Both(TreeEntry<'a>, TreeEntry<'a>),
}

/// A tree that can be compared with another.
pub(in crate::ops) trait Comparable {
    /// The number of names of an inode.
    fn links(&self, inode: InodeId) -> u32;

    /// Starts before the root.
    fn walk(&self) -> Box<dyn Walk + '_>;
}

/// A walk through a tree: parents before children, and the names in a directory in the
/// order of their bytes.
pub(in crate::ops) trait Walk {
    /// Goes to the next entry.
    fn advance(&mut self);

    /// The path of the current entry; `None` before the first, and after the last.
    fn path(&self) -> Option<&[u8]>;

    /// The current entry; `None` before the first, and after the last.
    fn entry(&self) -> Option<TreeEntry<'_>>;
}

impl Comparable for Listing {
    fn links(&self, inode: InodeId) -> u32 {
        self.links(inode)
    }

    fn walk(&self) -> Box<dyn Walk + '_> {
        Box::new(self.walk())
    }
}

impl Walk for ListingWalk<'_> {
    fn advance(&mut self) {
        self.advance();
    }

    fn path(&self) -> Option<&[u8]> {
        self.path()
    }

    fn entry(&self) -> Option<TreeEntry<'_>> {
        self.entry()
    }
}

impl Comparable for Merge {
    fn links(&self, inode: InodeId) -> u32 {
        self.links(inode)
    }

    fn walk(&self) -> Box<dyn Walk + '_> {
        Box::new(MergeWalk {
            entries: self.entries(),
            current: None,
        })
    }
}

/// A walk through a [`Merge`].
struct MergeWalk<'a> {
    entries: Entries<'a>,
    current: Option<(TreeNode<'a>, EntryPlace)>,
}

impl Walk for MergeWalk<'_> {
    fn advance(&mut self) {
        self.current = self.entries.advance();
    }

    fn path(&self) -> Option<&[u8]> {
        self.current.map(|_| self.entries.path())
    }

    fn entry(&self) -> Option<TreeEntry<'_>> {
        let (node, place) = self.current?;
        let path = self.entries.path().to_vec();
        Some(TreeEntry { path, place, node })
    }
}

/// All paths of two trees, in their order.
pub(in crate::ops) struct Pairs<'a> {
    a: Box<dyn Walk + 'a>,
    b: Box<dyn Walk + 'a>,
    /// The tree whose path comes first, or both.
    order: Ordering,
}

impl<'a> Pairs<'a> {
    /// Starts before the roots.
    pub(in crate::ops) fn new(a: &'a dyn Comparable, b: &'a dyn Comparable) -> Self {
        Self {
            a: a.walk(),
            b: b.walk(),
            order: Ordering::Equal,
        }
    }

    /// Goes to the next path, and returns it; `None` after the last.
    pub(in crate::ops) fn advance(&mut self) -> Option<&[u8]> {
        if self.order.is_le() {
            self.a.advance();
        }
        if self.order.is_ge() {
            self.b.advance();
        }
        self.order = match (self.a.path(), self.b.path()) {
            (Some(a), Some(b)) => tree_order(a, b),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        match self.order {
            Ordering::Greater => self.b.path(),
            _ => self.a.path(),
        }
    }

    /// The things at the current path.
    pub(in crate::ops) fn pair(&self) -> Option<Pair<'_>> {
        match self.order {
            Ordering::Less => self.a.entry().map(Pair::A),
            Ordering::Greater => self.b.entry().map(Pair::B),
            Ordering::Equal => Some(Pair::Both(self.a.entry()?, self.b.entry()?)),
        }
    }
}
