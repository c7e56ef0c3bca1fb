//! The comparison of two trees.

use std::collections::{HashMap, HashSet};

use crate::digest::DiffId;
use crate::error::{ChoiceError, Error, Result};
use crate::event::Watch;
use crate::layer::{Metadata, NodeKind};
use crate::merge::{
    EntryPlace, IMPLIED_MODE, InodeId, Merge, PathPattern, TreeEntry, TreeNode, is_at_or_below,
};
use crate::ops::diff::links::{Grouping, Links, Side, linked};
use crate::ops::diff::options::{Aspect, DiffOptions};
use crate::ops::diff::pairs::{Comparable, Pair, Pairs};
use crate::ops::diff::report::{ChangeCount, DiffKind, PathChange, XattrChange};
use crate::ops::stack::contents::{FileHashes, FilePlaces};
use crate::ops::stack::file_entry::FileEntry;
use crate::ops::stack::held_paths::HeldPaths;
use crate::ops::stack::paths::tree_order;
use crate::tar_stream::Time;

/// The prefix of a PAX record that holds an extended attribute.
const XATTR: &[u8] = b"SCHILY.xattr.";

/// The literal paths of the topmost entries of a tree that each of some paths and patterns
/// stands for; `None` if there are none.
pub(super) type Found = Vec<Option<Vec<Vec<u8>>>>;

/// Finds what paths and patterns stand for in a tree.
pub(super) fn find(tree: &Merge, paths: &[PathPattern]) -> Found {
    let find = |path: &PathPattern| {
        let entries = tree.select(path).ok()?.into_iter();
        Some(entries.map(|entry| entry.path).collect())
    };
    paths.iter().map(find).collect()
}

/// Joins what was found in two trees; the root if nothing was looked for.
///
/// # Errors
///
/// Fails if a path stands for nothing in both. `images` are their names.
pub(super) fn select(
    trees: [Found; 2],
    images: [&str; 2],
    paths: &[PathPattern],
) -> Result<Vec<Vec<u8>>> {
    if paths.is_empty() {
        return Ok(vec![Vec::new()]);
    }
    let mut selected = Vec::new();
    let [of_a, of_b] = trees;
    for (path, found) in paths.iter().zip(of_a.into_iter().zip(of_b)) {
        if let (None, None) = found {
            let [a, b] = images;
            let image = format!("{a}` or `{b}");
            return Err(if path.is_pattern() {
                let pattern = path.to_string();
                ChoiceError::NoPathMatches { image, pattern }.into()
            } else {
                ChoiceError::NoSuchPath {
                    image,
                    path: path.to_string(),
                    missing: None,
                    deleted_by: None,
                }
                .into()
            });
        }
        let (of_a, of_b) = found;
        selected.extend(of_a.into_iter().chain(of_b).flatten());
    }
    selected.sort_by(|one, other| tree_order(one, other));
    selected.dedup_by(|later, earlier| is_at_or_below(later, earlier));
    Ok(selected)
}

/// Two trees.
pub(in crate::ops) struct Trees<'a> {
    pub(in crate::ops) a: &'a dyn Comparable,
    pub(in crate::ops) b: &'a dyn Comparable,
    /// The diff_ids of the layers of each.
    pub(in crate::ops) layers_a: &'a [&'a DiffId],
    pub(in crate::ops) layers_b: &'a [&'a DiffId],
    pub(in crate::ops) options: &'a DiffOptions,
    /// The literal paths of the topmost entries that are compared, in the order of the
    /// trees.
    pub(in crate::ops) selected: &'a [Vec<u8>],
}

/// The parts of two trees that are known from a first walk.
#[derive(Debug, Default)]
pub(in crate::ops) struct Survey {
    /// The files whose content has to be compared.
    pub(in crate::ops) files_a: FilePlaces,
    pub(in crate::ops) files_b: FilePlaces,
    links: Links,
}

/// The differences between two trees.
#[derive(Debug, Default)]
pub(super) struct TreeChanges {
    pub(super) files: Vec<PathChange>,
    pub(super) added: ChangeCount,
    pub(super) deleted: ChangeCount,
    pub(super) changed: ChangeCount,
    pub(super) metadata: ChangeCount,
    pub(super) same: u64,
}

impl<'a> Trees<'a> {
    /// Walks the trees side by side, and stops at each selected path.
    pub(in crate::ops) fn each_pair(
        &self,
        watch: &Watch<'_>,
        mut each: impl FnMut(Pair<'_>),
    ) -> Result<()> {
        let mut pairs = Pairs::new(self.a, self.b);
        while let Some(path) = pairs.advance() {
            check(watch)?;
            let is_before = |top: &Vec<u8>| tree_order(top, path).is_le();
            let after = self.selected.partition_point(is_before);
            let top = after.checked_sub(1).map(|at| &self.selected[at]);
            if top.is_some_and(|top| is_at_or_below(path, top))
                && let Some(pair) = pairs.pair()
            {
                each(pair);
            }
        }
        Ok(())
    }

    /// Walks the trees for the first time.
    pub(in crate::ops) fn survey(&self, watch: &Watch<'_>) -> Result<Survey> {
        let mut survey = Survey::default();
        self.each_pair(watch, |pair| {
            survey.links.add(self.a, self.b, &pair);
            if let Pair::Both(a, b) = &pair
                && let (Some((_, a)), Some((_, b))) = (a.node.file(), b.node.file())
                && a.size() == b.size()
                && a.size() > 0
                && !self.is_one_entry(a.place, b.place)
            {
                survey.files_a.insert(a.place, a.size());
                survey.files_b.insert(b.place, b.size());
            }
        })?;
        Ok(survey)
    }

    /// True if two places are the same entry of the same layer.
    fn is_one_entry(&self, a: EntryPlace, b: EntryPlace) -> bool {
        let layer = |layers: &[&'a DiffId], place: EntryPlace| layers[place.layer as usize];
        a.entry == b.entry && layer(self.layers_a, a) == layer(self.layers_b, b)
    }

    /// Walks the trees again, with the hashes of the surveyed files.
    pub(super) fn compare(
        &self,
        survey: &Survey,
        hashes: [&FileHashes; 2],
        watch: &Watch<'_>,
    ) -> Result<TreeChanges> {
        let mut walk = Walk {
            trees: self,
            links: &survey.links,
            hashes,
            changes: TreeChanges::default(),
            groupings: HashMap::new(),
            counted: HashSet::new(),
            held: HeldPaths::default(),
        };
        self.each_pair(watch, |pair| walk.add(pair))?;
        walk.finish()
    }

    /// The difference between two things at the same path, apart from hard links.
    fn change(&self, a: &TreeEntry<'_>, b: &TreeEntry<'_>, hashes: [&FileHashes; 2]) -> PathChange {
        let mut change = PathChange::new(DiffKind::Metadata);
        if self.has_other_content(a.node, b.node, hashes) {
            change.kind = DiffKind::Content;
        }
        self.compare_metadata(a, b, &mut change);
        change
    }

    /// True if two things at the same path differ, apart from hard links.
    pub(in crate::ops) fn differ(
        &self,
        a: &TreeEntry<'_>,
        b: &TreeEntry<'_>,
        hashes: [&FileHashes; 2],
    ) -> bool {
        !self.change(a, b, hashes).is_none()
    }

    fn has_other_content(
        &self,
        a: TreeNode<'_>,
        b: TreeNode<'_>,
        [of_a, of_b]: [&FileHashes; 2],
    ) -> bool {
        let (TreeNode::Node(_, a), TreeNode::Node(_, b)) = (a, b) else {
            return a.is_directory() != b.is_directory();
        };
        if a.kind != b.kind {
            return true;
        }
        let is_empty = !matches!(a.kind, NodeKind::File(1..));
        if is_empty || self.is_one_entry(a.place, b.place) {
            return false;
        }
        // Content that cannot be read counts as another one.
        let hashes = of_a.get(a.place).zip(of_b.get(b.place));
        hashes.is_none_or(|(a, b)| a != b)
    }

    fn compare_metadata(&self, a: &TreeEntry<'_>, b: &TreeEntry<'_>, change: &mut PathChange) {
        let implied = Metadata::implied(IMPLIED_MODE, Time::default());
        let (given_a, given_b) = (a.node.metadata(), b.node.metadata());
        let (of_a, of_b) = (given_a.unwrap_or(&implied), given_b.unwrap_or(&implied));
        // The kernel only keeps this many bits.
        let is_owner = |a: i64, b: i64| a & 0xffff_ffff == b & 0xffff_ffff;
        let has_mode = |node: TreeNode<'_>| match node {
            TreeNode::Node(_, inode) => !matches!(inode.kind, NodeKind::Symlink(_)),
            TreeNode::Directory(..) => true,
        };
        change.mode = self.options.counts(Aspect::Mode)
            && has_mode(a.node)
            && has_mode(b.node)
            && of_a.mode != of_b.mode;
        change.owner = self.options.counts(Aspect::Owner)
            && !(is_owner(of_a.uid, of_b.uid) && is_owner(of_a.gid, of_b.gid));
        change.mtime = self.options.counts(Aspect::Mtime)
            && given_a.is_some()
            && given_b.is_some()
            && of_a.mtime != of_b.mtime;
        if self.options.counts(Aspect::Xattrs) {
            change.xattrs = xattrs(of_a, of_b);
        }
    }
}

/// The second walk.
struct Walk<'a, 'b> {
    trees: &'b Trees<'a>,
    links: &'b Links,
    hashes: [&'b FileHashes; 2],
    changes: TreeChanges,
    /// The differences in hard links by their numbers, each with the number of the
    /// change that gets it.
    groupings: HashMap<usize, (usize, Grouping)>,
    /// Files with several names that were counted, under names with this kind of
    /// difference.
    counted: HashSet<(Side, InodeId, DiffKind)>,
    /// The paths in the changes.
    held: HeldPaths,
}

impl Walk<'_, '_> {
    fn add(&mut self, pair: Pair<'_>) {
        let linked = linked(self.trees.a, self.trees.b, &pair);
        match pair {
            Pair::A(entry) => self.add_single(entry, Side::A),
            Pair::B(entry) => self.add_single(entry, Side::B),
            Pair::Both(a, b) => self.add_both(a, b, linked),
        }
    }

    /// Adds a path that only one tree has.
    fn add_single(&mut self, entry: TreeEntry<'_>, side: Side) {
        let kind = match side {
            Side::A => DiffKind::Deleted,
            Side::B => DiffKind::Added,
        };
        let link_to = match entry.node {
            TreeNode::Node(id, _) if self.counts(Aspect::Links) => {
                self.links.other_name((side, id), &entry.path)
            }
            _ => None,
        };
        let bytes = match link_to {
            Some(_) => 0,
            None => self.bytes(&entry, side, kind),
        };
        let mut change = PathChange::new(kind);
        change.link_to = link_to.map(<[u8]>::to_vec);
        match side {
            Side::A => change.a = Some(facts(self.trees.a, entry)),
            Side::B => change.b = Some(facts(self.trees.b, entry)),
        }
        let (bytes_a, bytes_b) = match side {
            Side::A => (bytes, 0),
            Side::B => (0, bytes),
        };
        self.push(change, bytes_a, bytes_b);
    }

    /// Adds a path that both trees have.
    fn add_both(&mut self, a: TreeEntry<'_>, b: TreeEntry<'_>, linked: Option<(InodeId, InodeId)>) {
        let mut change = self.trees.change(&a, &b, self.hashes);
        let is_first_of_links = self.group(&a.path, linked);
        if change.is_none() && !is_first_of_links {
            self.changes.same += 1;
            return;
        }
        let bytes_a = self.bytes(&a, Side::A, change.kind);
        let bytes_b = self.bytes(&b, Side::B, change.kind);
        change.a = Some(facts(self.trees.a, a));
        change.b = Some(facts(self.trees.b, b));
        self.push(change, bytes_a, bytes_b);
    }

    /// Adds a name to the difference in hard links of which it is part. Returns true if
    /// it is the first, whose change must exist.
    fn group(&mut self, path: &[u8], linked: Option<(InodeId, InodeId)>) -> bool {
        if !self.counts(Aspect::Links) {
            return false;
        }
        let Some((id_a, id_b)) = linked else {
            return false;
        };
        let Some(number) = self.links.change(id_a) else {
            return false;
        };
        let next = (self.changes.files.len(), Grouping::default());
        let (at, grouping) = self.groupings.entry(number).or_insert(next);
        grouping.add(path, id_a, id_b);
        *at == self.changes.files.len()
    }

    fn counts(&self, aspect: Aspect) -> bool {
        self.trees.options.counts(aspect)
    }

    /// The bytes of a file, unless it was counted under another name.
    fn bytes(&mut self, entry: &TreeEntry<'_>, side: Side, kind: DiffKind) -> u64 {
        let Some((id, inode)) = entry.node.file() else {
            return 0;
        };
        let tree = match side {
            Side::A => self.trees.a,
            Side::B => self.trees.b,
        };
        let is_counted = tree.links(id) > 1 && !self.counted.insert((side, id, kind));
        if is_counted { 0 } else { inode.size() }
    }

    fn push(&mut self, change: PathChange, bytes_a: u64, bytes_b: u64) {
        let count = match change.kind {
            DiffKind::Added => &mut self.changes.added,
            DiffKind::Deleted => &mut self.changes.deleted,
            DiffKind::Content => &mut self.changes.changed,
            DiffKind::Metadata => &mut self.changes.metadata,
        };
        count.paths += 1;
        count.bytes_a = count.bytes_a.saturating_add(bytes_a);
        count.bytes_b = count.bytes_b.saturating_add(bytes_b);
        let paths = [&change.a, &change.b].into_iter().flatten();
        if self.held.hold(paths.map(|entry| entry.path.len()).sum()) {
            self.changes.files.push(change);
        }
    }

    fn finish(self) -> Result<TreeChanges> {
        self.held.check("what differs")?;
        let mut changes = self.changes;
        for (at, grouping) in self.groupings.into_values() {
            changes.files[at].links = Some(grouping.finish());
        }
        Ok(changes)
    }
}

impl PathChange {
    /// A change without any difference yet.
    fn new(kind: DiffKind) -> Self {
        Self {
            kind,
            a: None,
            b: None,
            link_to: None,
            mode: false,
            owner: false,
            mtime: false,
            xattrs: Vec::new(),
            links: None,
        }
    }

    /// True if nothing differs.
    fn is_none(&self) -> bool {
        *self == Self::new(DiffKind::Metadata)
    }
}

fn facts(tree: &dyn Comparable, entry: TreeEntry<'_>) -> FileEntry {
    FileEntry::with_links(entry, |inode| tree.links(inode))
}

/// The attributes that differ. Those that engines do not read have their whole key as
/// name.
fn xattrs(a: &Metadata, b: &Metadata) -> Vec<XattrChange> {
    // Almost no entry has any.
    if a.attributes == b.attributes {
        return Vec::new();
    }
    let name = |key: &[u8]| key.strip_prefix(XATTR).unwrap_or(key).to_vec();
    let of_a: HashMap<_, _> = a
        .attributes
        .iter()
        .map(|(key, value)| (key, value))
        .collect();
    let of_b: HashMap<_, _> = b
        .attributes
        .iter()
        .map(|(key, value)| (key, value))
        .collect();
    let mut keys: Vec<_> = of_a.keys().chain(of_b.keys()).copied().collect();
    keys.sort();
    keys.dedup();
    let keys = keys
        .into_iter()
        .filter(|key| of_a.get(key) != of_b.get(key));
    let change = |key: &Vec<u8>| XattrChange {
        name: name(key),
        a: of_a.get(key).map(|value| (*value).clone()),
        b: of_b.get(key).map(|value| (*value).clone()),
    };
    keys.map(change).collect()
}

fn check(watch: &Watch<'_>) -> Result<()> {
    if watch.is_interrupted() {
        return Err(Error::Interrupted);
    }
    Ok(())
}
