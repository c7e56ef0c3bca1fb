//! What one layer has, read for itself.

use std::collections::{BTreeMap, BTreeSet};

use super::super::entry::{Entry, Kind, Meta};
use super::{Path, Refusal, is_inside, join};

/// What a layer has, before it meets the layers below.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    pub(super) nodes: BTreeMap<Path, Node>,
    pub(super) files: Vec<Content>,
    /// The metadata of each file, in the order of the entries: the last counts.
    pub(super) metas: Vec<(usize, Meta)>,
    /// The directory that each marker is in, and the name that it removes; none for all.
    pub(super) markers: BTreeSet<(Path, Option<Vec<u8>>)>,
}

/// What a layer has at a path.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Implied,
    Directory(Meta),
    /// The place in `files`.
    File(usize),
}

/// What a file of a layer is.
#[derive(Clone, Debug)]
pub(super) enum Content {
    New(Kind),
    /// A hard link to this path of the layers below.
    Below(Path),
}

/// Attributes that stand for metadata which a layer has otherwise.
const FOREIGN_XATTRS: [&str; 2] = ["user.rootlesscontainers", "user.containers.override_stat"];

/// What AUFS left behind at the root of a layer.
const LEFT_OVER: [&[u8]; 3] = [b".wh..wh.aufs", b".wh..wh.orph", b".wh..wh.plnk"];

/// The components of a name.
fn components(name: &[u8]) -> Result<Vec<&[u8]>, Refusal> {
    let components = name.split(|it| *it == b'/');
    let components: Vec<&[u8]> = components.filter(|it| !matches!(*it, b"" | b".")).collect();
    if components.contains(&b"..".as_slice()) {
        return Err("a name goes up".to_owned());
    }
    Ok(components)
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
