//! The naive replay: layers into a map of paths, by the letter of the spec and at any cost.
//!
//! A layer is first read for itself. Then what it removes is removed from the
//! layers below, and then what it has is put there. Nothing is kept of how a
//! directory came about, so this model and a squash have nothing in common but
//! the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::codec::decompress;
use super::entry::{Entry, Kind, Meta};
use super::layer;

/// A path without leading and trailing slashes; empty for the root.
pub(crate) type Path = Vec<u8>;

/// What there is at the paths of a file system.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    /// The place in `inodes` of what is at each path.
    paths: BTreeMap<Path, usize>,
    inodes: Vec<Inode>,
}

/// What several paths share if they are hard links.
#[derive(Clone, Debug)]
struct Inode {
    kind: Kind,
    /// None for a directory that is there because something is in it.
    meta: Option<Meta>,
    /// The layer that it came with.
    layer: usize,
    /// The inode below the range that it is a copy of.
    copy_of: Option<usize>,
}

/// What a layer has, before it meets the layers below.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    nodes: BTreeMap<Path, Node>,
    files: Vec<Content>,
    /// The metadata of each file, in the order of the entries: the last counts.
    metas: Vec<(usize, Meta)>,
    /// The directory that each marker is in, and the name that it removes; none for all.
    markers: BTreeSet<(Path, Option<Vec<u8>>)>,
}

/// What a layer has at a path.
#[derive(Clone, Debug)]
enum Node {
    Implied,
    Directory(Meta),
    /// The place in `files`.
    File(usize),
}

/// What a file of a layer is.
#[derive(Clone, Debug)]
enum Content {
    New(Kind),
    /// A hard link to this path of the layers below.
    Below(Path),
}

/// Why a layer is not valid.
pub(crate) type Refusal = String;

/// Attributes that stand for metadata which a layer has otherwise.
const FOREIGN_XATTRS: [&str; 2] = ["user.rootlesscontainers", "user.containers.override_stat"];

/// What AUFS left behind at the root of a layer.
const LEFT_OVER: [&[u8]; 3] = [b".wh..wh.aufs", b".wh..wh.orph", b".wh..wh.plnk"];

/// Replays layers as they are stored, lowest first.
#[track_caller]
pub(crate) fn replay(stored: &[Vec<u8>]) -> Tree {
    replay_for(stored, &[])
}

/// Replays layers for a comparison with a squash of ranges of them (from 0).
///
/// A hard link of a range to a file below it is a copy there: a layer cannot
/// link to what it does not have. So it is one here.
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

/// The entries of a stored layer, without those that an eStargz has for its readers only.
#[track_caller]
pub(crate) fn entries(stored: &[u8]) -> Vec<Entry> {
    let mut entries = layer::read(&decompress(stored));
    // The last member of such a gzip is empty but for a field that says where the index is.
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

/// The components of a name.
fn components(name: &[u8]) -> Result<Vec<&[u8]>, Refusal> {
    let components = name.split(|it| *it == b'/');
    let components: Vec<&[u8]> = components.filter(|it| !matches!(*it, b"" | b".")).collect();
    if components.contains(&b"..".as_slice()) {
        return Err("a name goes up".to_owned());
    }
    Ok(components)
}

/// The path that a name means, symlinks apart.
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

/// Whether a path is inside a directory, at any depth; everything but the root is in the root.
pub(crate) fn is_inside(path: &[u8], directory: &[u8]) -> bool {
    match directory {
        [] => !path.is_empty(),
        _ => path
            .strip_prefix(directory)
            .is_some_and(|it| it.starts_with(b"/")),
    }
}

impl Contents {
    /// Reads the entries of one layer.
    pub(crate) fn read(entries: &[Entry]) -> Result<Self, Refusal> {
        let mut contents = Self::default();
        for entry in entries {
            contents.push(entry)?;
        }
        contents
            .nodes
            .retain(|path, _| !LEFT_OVER.iter().any(|it| path == it || is_inside(path, it)));
        Ok(contents)
    }

    /// Takes the next entry, and returns the path that it is about, symlinks followed.
    pub(crate) fn push(&mut self, entry: &Entry) -> Result<Path, Refusal> {
        let mut meta = entry.meta.clone();
        meta.xattrs
            .retain(|name, _| !FOREIGN_XATTRS.contains(&name.as_str()));
        let components = components(&entry.name)?;
        let Some((name, parents)) = components.split_last() else {
            if entry.kind != Kind::Directory {
                return Err("the root is no directory".to_owned());
            }
            self.nodes.insert(Path::new(), Node::Directory(meta));
            return Ok(Path::new());
        };
        let is_left_over = parents.is_empty() && LEFT_OVER.contains(name);
        let parent = self.resolve(parents)?;
        self.imply(&parent);
        if !is_left_over && name.starts_with(b".wh.") {
            let marker = match name.strip_prefix(b".wh.").unwrap_or_default() {
                b".wh..opq" => None,
                b"" | b"." | b".." => return Err("a whiteout of nothing".to_owned()),
                name => Some(name.to_vec()),
            };
            self.markers.insert((parent.clone(), marker));
            return Ok(join(&parent, name));
        }
        if entry.kind == Kind::Char(0, 0) {
            self.markers.insert((parent.clone(), Some(name.to_vec())));
            return Ok(join(&parent, name));
        }
        let path = join(&parent, name);
        let file = match &entry.kind {
            Kind::Directory => {
                if let Some(Node::File(_)) = self.nodes.get(&path) {
                    self.nodes.remove(&path);
                }
                self.nodes.insert(path.clone(), Node::Directory(meta));
                return Ok(path);
            }
            Kind::Link(target) => self.link(&path, target)?,
            kind => self.file(Content::New(kind.clone())),
        };
        self.metas.push((file, meta));
        self.nodes
            .retain(|it, _| *it != path && !is_inside(it, &path));
        self.nodes.insert(path.clone(), Node::File(file));
        Ok(path)
    }

    fn file(&mut self, content: Content) -> usize {
        self.files.push(content);
        self.files.len() - 1
    }

    /// The file that a hard link at `path` shares.
    fn link(&mut self, path: &[u8], target: &[u8]) -> Result<usize, Refusal> {
        let components = components(target)?;
        let Some((name, parents)) = components.split_last() else {
            return Err("a hard link to the root".to_owned());
        };
        let target = join(&self.resolve(parents)?, name);
        if target == path {
            return Err("a hard link to itself".to_owned());
        }
        match self.nodes.get(&target) {
            Some(Node::File(file)) => Ok(*file),
            Some(_) => Err("a hard link to a directory".to_owned()),
            None => Ok(self.file(Content::Below(target))),
        }
    }

    /// Follows the symlinks of this layer.
    fn resolve(&self, components: &[&[u8]]) -> Result<Path, Refusal> {
        let mut left: Vec<Vec<u8>> = components.iter().rev().map(|it| it.to_vec()).collect();
        let mut path = Path::new();
        let mut followed = 0;
        while let Some(component) = left.pop() {
            match component.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    let end = path.iter().rposition(|it| *it == b'/').unwrap_or(0);
                    path.truncate(end);
                    continue;
                }
                _ => {}
            }
            let next = join(&path, &component);
            match self.nodes.get(&next) {
                None | Some(Node::Implied | Node::Directory(_)) => path = next,
                Some(Node::File(file)) => {
                    let Content::New(Kind::Symlink(target)) = &self.files[*file] else {
                        return Err("a file is the parent of an entry".to_owned());
                    };
                    followed += 1;
                    if followed > 40 {
                        return Err("symlinks in a loop".to_owned());
                    }
                    if target.starts_with(b"/") {
                        path.clear();
                    }
                    left.extend(target.split(|it| *it == b'/').rev().map(<[u8]>::to_vec));
                }
            }
        }
        Ok(path)
    }

    /// Makes a directory, and those that it is in, where there is none.
    fn imply(&mut self, directory: &[u8]) {
        let ends = directory.iter().enumerate().filter(|(_, it)| **it == b'/');
        let ends: Vec<usize> = ends.map(|(end, _)| end).chain([directory.len()]).collect();
        for end in ends.into_iter().filter(|end| *end > 0) {
            self.nodes
                .entry(directory[..end].to_vec())
                .or_insert(Node::Implied);
        }
    }

    /// The path of the layers below that the last hard link was to.
    pub(crate) fn last_below(&self) -> Option<&Path> {
        match self.files.last() {
            Some(Content::Below(path)) => Some(path),
            _ => None,
        }
    }
}

impl Tree {
    /// Puts a layer on top, which is number `layer`.
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
            // A hard link sets what it says, and so adds its attributes to those of its target.
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

    /// What a hard link of `layer` to something that was there before shares.
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

    /// Removes paths and what is in them.
    pub(crate) fn remove_all(&mut self, paths: &[&str]) {
        for path in paths {
            self.remove(path.as_bytes());
        }
    }

    /// Forgets the metadata of the root.
    pub(crate) fn remove_root(&mut self) {
        self.paths.remove(b"".as_slice());
    }

    /// Makes a copy for each name of what is of such a kind.
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

    /// Everything in the tree, by path, as the entries that a flat tar of it has in that order.
    ///
    /// The first name of a file has its content, the others are hard links to
    /// that. The metadata of an implied directory is [`Meta::implied`].
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

    /// The directories that are there because something is in them.
    pub(crate) fn implied(&self) -> BTreeSet<&Path> {
        let is_implied = |inode: &usize| self.inodes[*inode].meta.is_none();
        let implied = self.paths.iter().filter(|(_, inode)| is_implied(inode));
        implied.map(|(path, _)| path).collect()
    }

    /// The files that no name leads to any more: the layer of each, and how many bytes it has.
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

    /// All names of what is at a path.
    pub(crate) fn names_of(&self, path: &[u8]) -> Vec<&Path> {
        let inode = self.paths.get(path);
        let same = self.paths.iter().filter(|(_, it)| Some(*it) == inode);
        same.map(|(path, _)| path).collect()
    }

    /// Whether there is a directory at a path, and something in it. The root is always there.
    pub(crate) fn has_children(&self, path: &[u8]) -> bool {
        self.paths.keys().any(|it| is_inside(it, path))
    }

    /// Whether there is anything at a path.
    pub(crate) fn has(&self, path: &[u8]) -> bool {
        self.paths.contains_key(path)
    }

    /// The tree as text, a word of [`Entry`] a line.
    pub(crate) fn text(&self) -> String {
        let entries = self.entries();
        entries.values().map(|it| it.word() + "\n").collect()
    }
}
