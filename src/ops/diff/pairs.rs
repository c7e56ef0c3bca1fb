//! Two trees walked side by side.

use std::cmp::Ordering;
use std::iter::Peekable;

use crate::merge::{Entries, Merge, TreeEntry};
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

impl Pair<'_> {
    /// The path.
    pub(in crate::ops) fn path(&self) -> &[u8] {
        match self {
            Self::A(entry) | Self::B(entry) | Self::Both(entry, _) => &entry.path,
        }
    }
}

/// All paths of two trees: parents before children, and the names in a directory in the
/// order of their bytes.
pub(in crate::ops) struct Pairs<'a> {
    a: Peekable<Entries<'a>>,
    b: Peekable<Entries<'a>>,
}

impl<'a> Pairs<'a> {
    /// Starts at the roots.
    pub(in crate::ops) fn new(a: &'a Merge, b: &'a Merge) -> Self {
        Self {
            a: a.entries().peekable(),
            b: b.entries().peekable(),
        }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        let order = match (self.a.peek(), self.b.peek()) {
            (Some(a), Some(b)) => tree_order(&a.path, &b.path),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        match order {
            Ordering::Less => self.a.next().map(Pair::A),
            Ordering::Greater => self.b.next().map(Pair::B),
            Ordering::Equal => Some(Pair::Both(self.a.next()?, self.b.next()?)),
        }
    }
}
