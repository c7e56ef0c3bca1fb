//! The naive replay: layers into a map of paths, by the letter of the spec and at any cost.
//!
//! A layer is first read on its own. Then the paths that it removes are removed from the layers
//! below, and then its own are added. The origin of a directory is not recorded, so this model and
//! a squash have nothing in common except for the rules.

mod contents;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

pub(crate) use contents::Contents;
use contents::{Content, Node};

use super::codec::decompress;
use super::entry::{Entry, Kind, Meta};
use super::layer;

/// A path without leading and trailing slashes; empty for the root.
pub(crate) type Path = Vec<u8>;

/// The content of a file system, by path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    /// The index in `inodes` of each path.
    paths: BTreeMap<Path, usize>,
    inodes: Vec<Inode>,
}

/// The data shared by hard links.
#[derive(Clone, Debug)]
struct Inode {
    kind: Kind,
    /// `None` for a directory that exists only because it contains something.
    meta: Option<Meta>,
    /// The layer that added it.
    layer: usize,
    /// The inode below the range of which it is a copy.
    copy_of: Option<usize>,
}

/// The reason why a layer is not valid.
pub(crate) type Refusal = String;

/// Replays stored layers, lowest first.
#[track_caller]
pub(crate) fn replay(stored: &[Vec<u8>]) -> Tree {
    replay_for(stored, &[])
}

/// Replays layers for a comparison with a squash of ranges of them (from 0).
///
/// A hard link of a range to a file below it is a copy there, since a layer cannot link to a file
/// that it does not have. So it is one here.
#[track_caller]
pub(crate) fn replay_for(stored: &[Vec<u8>], ranges: &[RangeInclusive<usize>]) -> Tree {
    let mut tree = Tree::default();
    for (number, stored) in stored.iter().enumerate() {
        let contents = Contents::read(&entries(stored));
        let contents = contents.unwrap_or_else(|refusal| panic!("layer {number}: {refusal}"));
        let range = ranges.iter().find(|it| it.contains(&number));
        tree.apply(&contents, number, range)
            .unwrap_or_else(|refusal| panic!("layer {number}: {refusal}"));
    }
    tree
}

/// The entries of a stored layer, without those that only serve readers of eStargz.
#[track_caller]
pub(crate) fn entries(stored: &[u8]) -> Vec<Entry> {
    let mut entries = layer::read(&decompress(stored));
    // The last member of such a gzip is empty except for a field with the place of the index.
    let is_estargz = stored.starts_with(&[0x1f, 0x8b]) && {
        let end = &stored[stored.len().saturating_sub(51)..];
        end.windows(7)
            .any(|it| it == b"STARGZ\0" || it == b"STARGZ")
    };
    let control = [
        "stargz.index.json",
        ".prefetch.landmark",
        ".no.prefetch.landmark",
    ];
    entries.retain(|it| !is_estargz || !control.iter().any(|name| name.as_bytes() == it.name));
    entries
}

/// The path of a name, without resolving symlinks.
pub(crate) fn path_of(name: &[u8]) -> Path {
    let components = name.split(|it| *it == b'/');
    let components: Vec<&[u8]> = components.filter(|it| !matches!(*it, b"" | b".")).collect();
    components.join(&b'/')
}

/// The path of a name in a directory.
pub(crate) fn join(parent: &[u8], name: &[u8]) -> Path {
    match parent {
        [] => name.to_vec(),
        _ => [parent, b"/", name].concat(),
    }
}

/// Returns true if a path is inside a directory, at any depth; everything except the root is in the
/// root.
pub(crate) fn is_inside(path: &[u8], directory: &[u8]) -> bool {
    match directory {
        [] => !path.is_empty(),
        _ => path
            .strip_prefix(directory)
            .is_some_and(|it| it.starts_with(b"/")),
    }
}

impl Tree {
    /// Adds a layer on top, with the number `layer`.
    pub(crate) fn apply(
        &mut self,
        contents: &Contents,
        layer: usize,
        range: Option<&RangeInclusive<usize>>,
    ) -> Result<(), Refusal> {
        for (directory, name) in &contents.markers {
            match name {
                None => self.paths.retain(|it, _| !is_inside(it, directory)),
                Some(name) => self.remove(&join(directory, name)),
            }
        }
        let mut inodes = Vec::new();
        for content in &contents.files {
            inodes.push(match content {
                Content::New(kind) => self.inode(kind.clone(), None, layer),
                Content::Below(target) => {
                    let Some(&inode) = self.paths.get(target) else {
                        return Err("a hard link to nothing".to_owned());
                    };
                    if self.inodes[inode].kind == Kind::Directory {
                        return Err("a hard link to a directory".to_owned());
                    }
                    self.linked(inode, layer, range)
                }
            });
        }
        for (file, meta) in &contents.metas {
            let there = &mut self.inodes[inodes[*file]].meta;
            let mut meta = meta.clone();
            // A hard link sets its own attributes, and so adds them to those of its target.
            for (name, value) in there.iter().flat_map(|it| &it.xattrs) {
                let value = || value.clone();
                meta.xattrs.entry(name.clone()).or_insert_with(value);
            }
            *there = Some(meta);
        }
        for (path, node) in &contents.nodes {
            let there = self.paths.get(path).copied();
            let directory = there.filter(|it| self.inodes[*it].kind == Kind::Directory);
            match (node, directory) {
                (Node::File(file), _) => {
                    self.remove(path);
                    self.paths.insert(path.clone(), inodes[*file]);
                }
                (Node::Implied, Some(_)) => {}
                (Node::Directory(meta), Some(inode)) => {
                    self.inodes[inode].meta = Some(meta.clone());
                }
                (Node::Implied, None) => {
                    let inode = self.inode(Kind::Directory, None, layer);
                    self.paths.insert(path.clone(), inode);
                }
                (Node::Directory(meta), None) => {
                    let inode = self.inode(Kind::Directory, Some(meta.clone()), layer);
                    self.paths.insert(path.clone(), inode);
                }
            }
        }
        Ok(())
    }

    /// The inode of a hard link in `layer` to a lower file.
    fn linked(
        &mut self,
        inode: usize,
        layer: usize,
        range: Option<&RangeInclusive<usize>>,
    ) -> usize {
        let is_below = |it: &RangeInclusive<usize>| self.inodes[inode].layer < *it.start();
        let Some(range) = range.filter(|it| is_below(it)) else {
            return inode;
        };
        let is_copy = |it: &Inode| it.copy_of == Some(inode) && range.contains(&it.layer);
        if let Some(copy) = self.inodes.iter().position(is_copy) {
            return copy;
        }
        let Inode { kind, meta, .. } = self.inodes[inode].clone();
        let copy = self.inode(kind, meta, layer);
        self.inodes[copy].copy_of = Some(inode);
        copy
    }

    fn inode(&mut self, kind: Kind, meta: Option<Meta>, layer: usize) -> usize {
        self.inodes.push(Inode {
            kind,
            meta,
            layer,
            copy_of: None,
        });
        self.inodes.len() - 1
    }

    fn remove(&mut self, path: &[u8]) {
        self.paths
            .retain(|it, _| it != path && !is_inside(it, path));
    }

    /// Removes paths and their content.
    pub(crate) fn remove_all(&mut self, paths: &[&str]) {
        for path in paths {
            self.remove(path.as_bytes());
        }
    }

    /// Removes the metadata of the root.
    pub(crate) fn remove_root(&mut self) {
        self.paths.remove(b"".as_slice());
    }

    /// Makes a separate copy for each name of everything of such a kind.
    pub(crate) fn split(&mut self, is_split: impl Fn(&Kind) -> bool) {
        for inode in self.paths.values_mut() {
            if is_split(&self.inodes[*inode].kind) {
                self.inodes.push(self.inodes[*inode].clone());
                *inode = self.inodes.len() - 1;
            }
        }
    }

    /// Changes the metadata of everything in the tree.
    pub(crate) fn edit(&mut self, edit: impl FnMut(&mut Meta)) {
        self.inodes
            .iter_mut()
            .filter_map(|it| it.meta.as_mut())
            .for_each(edit);
    }

    /// Everything in the tree, by path, as the entries of a flat tar in that order.
    ///
    /// The first name of a file has its content, the others are hard links to it. The metadata of
    /// an implied directory is [`Meta::implied`].
    pub(crate) fn entries(&self) -> BTreeMap<Path, Entry> {
        let mut first: BTreeMap<usize, &Path> = BTreeMap::new();
        let mut entries = BTreeMap::new();
        for (path, number) in &self.paths {
            let inode = &self.inodes[*number];
            let first = *first.entry(*number).or_insert(path);
            let name = match (&inode.kind, path.as_slice()) {
                (Kind::Directory, []) => b"./".to_vec(),
                (Kind::Directory, path) => [path, b"/"].concat(),
                (_, path) => path.to_vec(),
            };
            let kind = if first == path {
                inode.kind.clone()
            } else {
                Kind::Link(first.clone())
            };
            let meta = inode.meta.clone().unwrap_or_else(Meta::implied);
            entries.insert(path.clone(), Entry { name, kind, meta });
        }
        entries
    }

    /// The directories that exist only because they contain something.
    pub(crate) fn implied(&self) -> BTreeSet<&Path> {
        let is_implied = |inode: &usize| self.inodes[*inode].meta.is_none();
        let implied = self.paths.iter().filter(|(_, inode)| is_implied(inode));
        implied.map(|(path, _)| path).collect()
    }

    /// The files without any name left: the layer of each, and its size in bytes.
    pub(crate) fn lost_files(&self) -> impl Iterator<Item = (usize, u64)> {
        let inodes = self.inodes.iter().enumerate();
        inodes.filter_map(|(number, inode)| {
            let Kind::File(content) = &inode.kind else {
                return None;
            };
            let is_lost = !self.paths.values().any(|it| *it == number);
            let is_own = inode.copy_of.is_none() && !content.is_empty();
            (is_lost && is_own).then_some((inode.layer, content.len() as u64))
        })
    }

    /// The content and the metadata of the file at a path.
    pub(crate) fn file(&self, path: &[u8]) -> Option<(&[u8], Option<&Meta>)> {
        let inode = &self.inodes[*self.paths.get(path)?];
        match &inode.kind {
            Kind::File(content) => Some((content, inode.meta.as_ref())),
            _ => None,
        }
    }

    /// All names of the file at a path.
    pub(crate) fn names_of(&self, path: &[u8]) -> Vec<&Path> {
        let inode = self.paths.get(path);
        let same = self.paths.iter().filter(|(_, it)| Some(*it) == inode);
        same.map(|(path, _)| path).collect()
    }

    /// Returns true if there is a non-empty directory at a path. The root always exists.
    pub(crate) fn has_children(&self, path: &[u8]) -> bool {
        self.paths.keys().any(|it| is_inside(it, path))
    }

    /// Returns true if there is anything at a path.
    pub(crate) fn has(&self, path: &[u8]) -> bool {
        self.paths.contains_key(path)
    }

    /// The tree as text, one word of [`Entry`] per line.
    pub(crate) fn text(&self) -> String {
        let entries = self.entries();
        entries.values().map(|it| it.word() + "\n").collect()
    }
}
