//! The paths that a user named, in the tree of an image.

use std::cmp::Ordering;

use crate::error::{ChoiceError, Result};
use crate::layer::{components, display_start};
use crate::merge::{
    LayerEvent, Merge, PathFault, PathPattern, TreeEntry, TreeNode, is_at_or_below,
};
use crate::ops::stack::layer_stack::{LayerStack, StoryReader};

/// The literal paths of the topmost selected entries, in the order of the tree.
#[derive(Clone, Debug)]
pub(in crate::ops) struct Selected(Vec<Vec<u8>>);

impl Selected {
    /// The paths.
    pub(in crate::ops) fn tops(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// True if a literal path is selected, or below one that is.
    pub(in crate::ops) fn covers(&self, path: &[u8]) -> bool {
        let end = self
            .0
            .partition_point(|top| tree_order(top, path) != Ordering::Greater);
        let before = end.checked_sub(1).map(|at| &self.0[at]);
        before.is_some_and(|top| is_at_or_below(path, top))
    }
}

/// The tree of an image, in which paths are looked up.
#[derive(Debug)]
pub(in crate::ops) struct PathFinder {
    /// The merged tree.
    pub(in crate::ops) tree: Merge,
    /// The name of the image in messages.
    image: String,
    layers: usize,
    gone: Vec<Gone>,
}

/// A wanted path, and the layer that has deleted it.
#[derive(Debug)]
struct Gone {
    path: PathPattern,
    was_there: bool,
    /// The layer, counted from 0.
    deleted_by: Option<usize>,
}

impl PathFinder {
    /// Reads the headers of all layers, and notes which of them delete these paths.
    pub(in crate::ops) fn new(layers: &LayerStack<'_>, paths: &[PathPattern]) -> Result<Self> {
        let gone = paths.iter().map(|path| Gone {
            path: path.clone(),
            was_there: false,
            deleted_by: None,
        });
        let mut finder = Self {
            tree: Merge::new(),
            image: layers.name.to_owned(),
            layers: layers.count(),
            gone: gone.collect(),
        };
        let mut tree = Merge::new();
        let all: Vec<usize> = (0..layers.count()).collect();
        layers.merge_watched(&mut tree, &all, &mut finder)?;
        finder.tree = tree;
        Ok(finder)
    }

    /// Finds the entry at a path, following a symbolic link at its end if `follows`.
    pub(in crate::ops) fn find(&self, path: &PathPattern, follows: bool) -> Result<TreeEntry<'_>> {
        let found = self.tree.resolve(path.as_bytes(), follows);
        let found = found.and_then(|entry| match entry.node {
            TreeNode::Node(..) if path.names_directory() => {
                Err(PathFault::NotADirectory(entry.path))
            }
            _ => Ok(entry),
        });
        Ok(found.map_err(|fault| self.fault(path, fault))?)
    }

    /// Finds the entries that some paths and patterns stand for; all if there are none.
    ///
    /// # Errors
    ///
    /// Fails if one of them stands for nothing.
    pub(in crate::ops) fn select(&self, paths: &[PathPattern]) -> Result<Selected> {
        if paths.is_empty() {
            return Ok(Selected(vec![Vec::new()]));
        }
        let mut selected = Vec::new();
        for path in paths {
            let found = self.tree.select(path);
            let found = found.map_err(|fault| self.fault(path, fault))?;
            selected.extend(found.into_iter().map(|entry| entry.path));
        }
        selected.sort_by(|one, other| tree_order(one, other));
        selected.dedup_by(|later, earlier| is_at_or_below(later, earlier));
        Ok(Selected(selected))
    }

    /// The error for a path that leads to nothing.
    pub(in crate::ops) fn fault(&self, path: &PathPattern, fault: PathFault) -> ChoiceError {
        let image = self.image.clone();
        let rooted = |path: &[u8]| format!("/{}", display_start(path));
        match fault {
            PathFault::Absent(missing) => {
                let gone = self.gone.iter().find(|it| it.path == *path);
                let deleted_by = gone.and_then(|it| it.deleted_by);
                let (path, missing) = (path.to_string(), rooted(&missing));
                ChoiceError::NoSuchPath {
                    image,
                    missing: (missing != path).then_some(missing),
                    path,
                    deleted_by: deleted_by.map(|at| (at + 1, self.layers)),
                }
            }
            PathFault::NotADirectory(obstacle) => ChoiceError::NotADirectory {
                image,
                path: path.to_string(),
                obstacle: rooted(&obstacle),
            },
            PathFault::Loop(link) => ChoiceError::LinkLoop {
                image,
                path: path.to_string(),
                link: rooted(&link),
            },
            PathFault::NoMatch => ChoiceError::NoPathMatches {
                image,
                pattern: path.to_string(),
            },
        }
    }
}

impl StoryReader for PathFinder {
    fn wants(&self, _layer: usize) -> bool {
        false
    }

    fn see(&mut self, _layer: usize, _below: &Merge, _event: LayerEvent<'_>) {}

    fn added(&mut self, layer: usize, tree: &Merge) {
        for gone in &mut self.gone {
            let is_there = tree.resolve(gone.path.as_bytes(), false).is_ok();
            if gone.was_there && !is_there {
                gone.deleted_by = Some(layer);
            }
            gone.was_there = is_there;
        }
    }
}

/// The order of two paths in a tree: a directory is directly before the entries in it.
pub(in crate::ops) fn tree_order(one: &[u8], other: &[u8]) -> Ordering {
    components(one).cmp(components(other))
}
