//! The content of one layer, read on its own.

use std::collections::{BTreeMap, BTreeSet};

use super::super::entry::{Entry, Kind, Meta};
use super::{Path, Refusal, is_inside, join};

/// The content of a layer, independent of the layers below.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    pub(super) nodes: BTreeMap<Path, Node>,
    pub(super) files: Vec<Content>,
    /// The metadata of each file, in the order of the entries: the last counts.
    pub(super) metas: Vec<(usize, Meta)>,
    /// The directory of each marker, and the name that it removes; `None` for all names.
    pub(super) markers: BTreeSet<(Path, Option<Vec<u8>>)>,
}

/// The content of a layer at a path.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Implied,
    Directory(Meta),
    /// The index in `files`.
    File(usize),
}

/// The content of a file of a layer.
#[derive(Clone, Debug)]
pub(super) enum Content {
    New(Kind),
    /// A hard link to this path in the layers below.
    Below(Path),
}

/// Attributes that represent metadata for which layers have other fields.
const FOREIGN_XATTRS: [&str; 2] = ["user.rootlesscontainers", "user.containers.override_stat"];

/// Files of AUFS at the root of a layer.
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

/// A directory and its parents, the highest first, without the root.
fn directories(directory: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = directory.iter().enumerate().filter(|(_, it)| **it == b'/');
    let ends = ends.map(|(end, _)| end).chain([directory.len()]);
    ends.filter(|end| *end > 0).map(|end| &directory[..end])
}

impl Contents {
    /// Reads the entries of one layer.
    pub(crate) fn read(entries: &[Entry]) -> Result<Self, Refusal> {
        let mut contents = Self::default();
        for entry in entries {
            contents.push(entry)?;
        }
        contents.settle();
        contents
            .nodes
            .retain(|path, _| !LEFT_OVER.iter().any(|it| path == it || is_inside(path, it)));
        Ok(contents)
    }

    /// Adds the next entry, and returns its path, with symlinks resolved.
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
        let is_marker = !is_left_over && name.starts_with(b".wh.");
        if is_marker || entry.kind == Kind::Char(0, 0) {
            return self.marker(parents, name, is_marker);
        }
        let parent = self.resolve(parents, false)?;
        self.imply(&parent);
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

    /// Adds a marker: its directory is resolved at this place in the layer.
    fn marker(
        &mut self,
        parents: &[&[u8]],
        name: &[u8],
        has_prefix: bool,
    ) -> Result<Path, Refusal> {
        let parent = self.resolve(parents, true)?;
        let removed = match name.strip_prefix(b".wh.").filter(|_| has_prefix) {
            Some(b".wh..opq") => None,
            Some(b"" | b"." | b"..") => return Err("a whiteout of nothing".to_owned()),
            Some(name) => Some(name.to_vec()),
            None => Some(name.to_vec()),
        };
        self.markers.insert((parent.clone(), removed));
        Ok(join(&parent, name))
    }

    /// Drops the markers in paths that the layer has as files, or deletes without an entry, and
    /// makes the directories of the others.
    fn settle(&mut self) {
        let removed = |path: &[u8]| match path.iter().rposition(|it| *it == b'/') {
            Some(end) => (path[..end].to_vec(), Some(path[end + 1..].to_vec())),
            None => (Path::new(), Some(path.to_vec())),
        };
        let is_void = |directory: &Path| {
            directories(directory).any(|path| match self.nodes.get(path) {
                Some(Node::File(_)) => true,
                Some(Node::Implied | Node::Directory(_)) => false,
                None => self.markers.contains(&removed(path)),
            })
        };
        let mut markers = self.markers.clone();
        markers.retain(|(directory, _)| !is_void(directory));
        for (directory, _) in &markers {
            self.imply(directory);
        }
        self.markers = markers;
    }

    /// Returns true if a marker removes a path of lower layers.
    pub(crate) fn removes(&self, path: &[u8]) -> bool {
        self.markers
            .iter()
            .any(|(directory, name)| match name.as_ref() {
                None => is_inside(path, directory),
                Some(name) => {
                    let removed = join(directory, name);
                    *path == removed || is_inside(path, &removed)
                }
            })
    }

    /// Returns true if there is a marker inside a path, which is then a directory.
    pub(crate) fn has_marker_in(&self, path: &Path) -> bool {
        let mut markers = self.markers.iter();
        markers.any(|(directory, _)| directory == path || is_inside(directory, path))
    }

    /// The meanings of the markers.
    pub(crate) fn markers(&self) -> &BTreeSet<(Path, Option<Vec<u8>>)> {
        &self.markers
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
        let target = join(&self.resolve(parents, false)?, name);
        if target == path {
            return Err("a hard link to itself".to_owned());
        }
        match self.nodes.get(&target) {
            Some(Node::File(file)) => Ok(*file),
            Some(_) => Err("a hard link to a directory".to_owned()),
            None => Ok(self.file(Content::Below(target))),
        }
    }

    /// Resolves the symlinks of this layer; files count as directories if `through_files`.
    fn resolve(&self, components: &[&[u8]], through_files: bool) -> Result<Path, Refusal> {
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
                        if through_files {
                            path = next;
                            continue;
                        }
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

    /// Makes a directory and its parents, if they do not exist.
    fn imply(&mut self, directory: &[u8]) {
        for path in directories(directory) {
            self.nodes.entry(path.to_vec()).or_insert(Node::Implied);
        }
    }

    /// The path in the layers below to which the last hard link points.
    pub(crate) fn last_below(&self) -> Option<&Path> {
        match self.files.last() {
            Some(Content::Below(path)) => Some(path),
            _ => None,
        }
    }
}
