//! The inodes of several layers, by their numbers.

use std::ops::{Index, IndexMut};
use std::sync::Arc;

use crate::merge::tree::{Inode, InodeId};

/// The number of inodes in a part: the first one is small, as most layers are.
const PART_LEAST: usize = 32;
const PART_MOST: usize = 1024;

/// A list of inodes, in parts that are never copied when it grows, and that clones
/// share until one of them changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inodes {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
struct Part {
    /// The number of its first inode.
    first: u32,
    /// At least one.
    inodes: Arc<Vec<Inode>>,
}

impl Part {
    /// The number of the inode that could be added to it.
    fn end(&self) -> u32 {
        self.first + number(self.inodes.len())
    }
}

impl Inodes {
    /// The number of the next inode, and so how many there are.
    pub(crate) fn next(&self) -> InodeId {
        InodeId(self.parts.last().map_or(0, Part::end))
    }

    /// Adds an inode.
    pub(crate) fn push(&mut self, inode: Inode) -> InodeId {
        let id = self.next();
        if let Some(part) = self.parts.last_mut()
            && let Some(inodes) = Arc::get_mut(&mut part.inodes)
            && inodes.len() < inodes.capacity()
        {
            inodes.push(inode);
            return id;
        }
        let last = self.parts.last().map_or(0, |part| part.inodes.len());
        let mut inodes = Vec::with_capacity((2 * last).clamp(PART_LEAST, PART_MOST));
        inodes.push(inode);
        self.parts.push(Part {
            first: id.0,
            inodes: Arc::new(inodes),
        });
        id
    }

    /// A copy that shares nothing with this list.
    pub(crate) fn unshared(&self) -> Self {
        let copy = |part: &Part| Part {
            first: part.first,
            inodes: Arc::new(part.inodes.to_vec()),
        };
        Self {
            parts: self.parts.iter().map(copy).collect(),
        }
    }

    /// Adds the inodes of another list, in their order.
    pub(crate) fn append(&mut self, other: Self) {
        let InodeId(offset) = self.next();
        self.parts.extend(other.parts.into_iter().map(|part| Part {
            first: offset + part.first,
            ..part
        }));
    }

    /// The inodes from this number on, each with its number.
    pub(crate) fn iter_from(&self, from: InodeId) -> impl Iterator<Item = (InodeId, &Inode)> {
        let parts = self.parts.iter().filter(move |part| part.end() > from.0);
        let inodes = parts.flat_map(|part| (part.first..).map(InodeId).zip(&*part.inodes));
        inodes.skip_while(move |(id, _)| *id < from)
    }

    /// The part with an inode, and its position there.
    fn find(&self, id: InodeId) -> (usize, usize) {
        let at = self.parts.partition_point(|part| part.first <= id.0) - 1;
        (at, (id.0 - self.parts[at].first) as usize)
    }
}

impl Index<InodeId> for Inodes {
    type Output = Inode;

    fn index(&self, id: InodeId) -> &Inode {
        let (part, at) = self.find(id);
        &self.parts[part].inodes[at]
    }
}

impl IndexMut<InodeId> for Inodes {
    fn index_mut(&mut self, id: InodeId) -> &mut Inode {
        let (part, at) = self.find(id);
        &mut Arc::make_mut(&mut self.parts[part].inodes)[at]
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("entries are limited")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::{Metadata, NodeKind};
    use crate::merge::tree::EntryPlace;
    use crate::tar_stream::Time;

    fn inode(size: u64) -> Inode {
        Inode {
            kind: NodeKind::File(size),
            metadata: Metadata::implied(0o644, Time::default()),
            place: EntryPlace { layer: 0, entry: 1 },
        }
    }

    fn list(sizes: std::ops::Range<u64>) -> Inodes {
        let mut inodes = Inodes::default();
        for (at, size) in (0..).zip(sizes) {
            assert_eq!(inodes.push(inode(size)), InodeId(at));
        }
        inodes
    }

    #[test]
    fn lists_are_joined_in_their_order() {
        let mut inodes = list(0..3);
        inodes.append(list(3..3));
        inodes.append(list(3..5000));
        let shared = inodes.clone();
        assert_eq!(inodes.push(inode(5000)), InodeId(5000));
        assert_eq!(inodes.next(), InodeId(5001));
        for from in [0, 2, 3, 36, 4999, 5000, 5001] {
            let sizes = inodes.iter_from(InodeId(from));
            let sizes = sizes.map(|(id, inode)| (u64::from(id.0), inode.size()));
            let expected = (u64::from(from)..5001).map(|at| (at, at));
            assert!(sizes.eq(expected), "{from}");
        }
        inodes[InodeId(4000)].kind = NodeKind::File(7);
        assert_eq!(inodes[InodeId(4000)].size(), 7);
        assert_eq!(shared[InodeId(4000)].size(), 4000);
        assert_eq!(shared.next(), InodeId(5000));
    }
}
