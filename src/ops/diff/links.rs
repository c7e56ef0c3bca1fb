//! The names that share a file, in two trees.

use std::collections::HashMap;

use crate::merge::{InodeId, TreeNode};
use crate::ops::diff::pairs::{Comparable, Pair};
use crate::ops::diff::report::LinkChange;

/// A side of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Side {
    A,
    B,
}

/// The inodes with several names, of both trees: those that are connected by names that
/// both trees have, and the name by which each is known.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// The number of each inode in `parents`.
    numbers: HashMap<(Side, InodeId), usize>,
    /// For each inode another one with which it is connected, and at last itself.
    parents: Vec<usize>,
    /// The number of inodes that are connected, at the last one.
    sizes: Vec<usize>,
    /// The first name of each inode: of those that both trees have, if there are any.
    known_as: HashMap<(Side, InodeId), Name>,
}

/// A name of an inode.
#[derive(Debug)]
struct Name {
    path: Vec<u8>,
    /// True if both trees have it, as things of the same type.
    is_common: bool,
}

/// The inodes of a pair of things of the same type other than directories, if any of
/// them has several names.
pub(super) fn linked(
    a: &dyn Comparable,
    b: &dyn Comparable,
    pair: &Pair<'_>,
) -> Option<(InodeId, InodeId)> {
    let Pair::Both(of_a, of_b) = pair else {
        return None;
    };
    let (TreeNode::Node(id_a, inode_a), TreeNode::Node(id_b, inode_b)) = (of_a.node, of_b.node)
    else {
        return None;
    };
    let is_same_type =
        std::mem::discriminant(&inode_a.kind) == std::mem::discriminant(&inode_b.kind);
    (is_same_type && (a.links(id_a) > 1 || b.links(id_b) > 1)).then_some((id_a, id_b))
}

impl Links {
    /// Adds a path.
    pub(super) fn add(&mut self, a: &dyn Comparable, b: &dyn Comparable, pair: &Pair<'_>) {
        let linked = linked(a, b, pair);
        if let Some((id_a, id_b)) = linked {
            self.connect((Side::A, id_a), (Side::B, id_b));
        }
        let (of_a, of_b) = match pair {
            Pair::A(entry) => (Some(entry), None),
            Pair::B(entry) => (None, Some(entry)),
            Pair::Both(of_a, of_b) => (Some(of_a), Some(of_b)),
        };
        for (side, tree, entry) in [(Side::A, a, of_a), (Side::B, b, of_b)] {
            let Some(entry) = entry else {
                continue;
            };
            if let TreeNode::Node(id, _) = entry.node
                && tree.links(id) > 1
            {
                self.name((side, id), &entry.path, linked.is_some());
            }
        }
    }

    fn name(&mut self, inode: (Side, InodeId), path: &[u8], is_common: bool) {
        let is_better = |known: &Name| is_common && !known.is_common;
        if self.known_as.get(&inode).is_none_or(is_better) {
            let path = path.to_vec();
            self.known_as.insert(inode, Name { path, is_common });
        }
    }

    fn number(&mut self, inode: (Side, InodeId)) -> usize {
        *self.numbers.entry(inode).or_insert_with(|| {
            self.parents.push(self.parents.len());
            self.sizes.push(1);
            self.parents.len() - 1
        })
    }

    fn connect(&mut self, one: (Side, InodeId), other: (Side, InodeId)) {
        let (one, other) = (self.number(one), self.number(other));
        let (one, other) = (self.last(one), self.last(other));
        if one == other {
            return;
        }
        let (from, into) = if self.sizes[one] < self.sizes[other] {
            (one, other)
        } else {
            (other, one)
        };
        self.parents[from] = into;
        self.sizes[into] += self.sizes[from];
    }

    /// The last of the inodes with which one is connected. The larger set is always
    /// joined by the smaller, so that the way is short.
    fn last(&self, mut number: usize) -> usize {
        while self.parents[number] != number {
            number = self.parents[number];
        }
        number
    }

    /// The name of an inode by which it is known, if it is not this one.
    pub(super) fn other_name(&self, inode: (Side, InodeId), path: &[u8]) -> Option<&[u8]> {
        let known = self.known_as.get(&inode)?;
        (known.path != path).then_some(known.path.as_slice())
    }

    /// The number of the connected inodes with this one, if the trees group their names
    /// in different ways: one inode has names of several of the other tree.
    pub(super) fn change(&self, a: InodeId) -> Option<usize> {
        let number = self.last(*self.numbers.get(&(Side::A, a))?);
        (self.sizes[number] > 2).then_some(number)
    }
}

/// A [`LinkChange`] that is being made.
#[derive(Debug, Default)]
pub(super) struct Grouping {
    change: LinkChange,
    /// The position of the group of each inode.
    groups: HashMap<(Side, InodeId), usize>,
}

impl Grouping {
    /// Adds a name that both trees have.
    pub(super) fn add(&mut self, path: &[u8], a: InodeId, b: InodeId) {
        for (side, id, groups) in [
            (Side::A, a, &mut self.change.a),
            (Side::B, b, &mut self.change.b),
        ] {
            let at = *self.groups.entry((side, id)).or_insert(groups.len());
            if at == groups.len() {
                groups.push(Vec::new());
            }
            groups[at].push(path.to_vec());
        }
    }

    /// The change, after the last name.
    pub(super) fn finish(self) -> LinkChange {
        self.change
    }
}
