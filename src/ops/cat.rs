//! `cat`: the content of a file of the merged tree, or of one layer.

use std::io::Write;
use std::thread;

use crate::error::{ChoiceError, Place, Result};
use crate::format::source::ImageSource;
use crate::layer::NodeKind;
use crate::merge::{Inode, LayerEvent, Merge, PathPattern, TreeNode};
use crate::ops::LayerName;
use crate::ops::files::{FilesOptions, announce, with_layers};
use crate::ops::squash::range::find_layer;
use crate::ops::stack::layer_stack::{LayerStack, StoryReader};
use crate::ops::stack::paths::PathFinder;
use crate::transfer::Context;

/// Implements [`Session::cat`](crate::Session::cat).
pub(crate) fn cat(
    source: &dyn ImageSource,
    layer: Option<&LayerName>,
    options: &FilesOptions,
    output: &mut dyn Write,
    to: &Place,
    context: Context<'_>,
) -> Result<()> {
    with_layers(source, options, context, |layers| {
        let layer = find_layer(layer, &layers.image.layers)?;
        let last = layer.map_or(layers.count(), |layer| layer + 1);
        announce(&layers, 0..last);
        // All are found before anything is written.
        let files = match layer {
            Some(layer) => in_layer(&layers, layer, &options.paths)?,
            None => in_tree(&layers, &options.paths)?,
        };
        let files: Vec<_> = files.iter().map(|it| (it.place, it.size())).collect();
        layers.copy_files(&files, output, to)
    })
}

/// Finds files in the merged tree.
fn in_tree(layers: &LayerStack<'_>, paths: &[PathPattern]) -> Result<Vec<Inode>> {
    let finder = PathFinder::new(layers, paths)?;
    let mut files = Vec::new();
    for path in paths {
        let entry = finder.find(path, true)?;
        files.push(file(path, entry.node)?.clone());
    }
    // Nothing waits for the end of this: a large tree takes longer than most files. If no
    // thread can be started, this one does it.
    let _ = thread::Builder::new().spawn(|| drop(finder));
    Ok(files)
}

/// Finds files among the entries of one layer.
fn in_layer(layers: &LayerStack<'_>, layer: usize, paths: &[PathPattern]) -> Result<Vec<Inode>> {
    let mut search = Search {
        image: layers.name,
        layer,
        paths,
        found: vec![None; paths.len()],
    };
    let all: Vec<usize> = (0..=layer).collect();
    layers.merge_watched(&mut Merge::new(), &all, &mut search)?;
    let found = search.found.into_iter().zip(paths);
    let files = found.map(|(found, path)| match found {
        Some(Found::File(inode)) => Ok(inode),
        Some(Found::Other(error)) => Err(error.into()),
        found => Err(ChoiceError::NotInLayer {
            path: path.to_string(),
            layer: Some((layer + 1, layers.count())),
            is_deleted: found.is_some(),
        }
        .into()),
    });
    files.collect()
}

/// A search for files in one layer.
struct Search<'p> {
    /// The name of the image in messages.
    image: &'p str,
    layer: usize,
    paths: &'p [PathPattern],
    found: Vec<Option<Found>>,
}

#[derive(Clone, Debug)]
enum Found {
    File(Inode),
    Deleted,
    Other(ChoiceError),
}

impl StoryReader for Search<'_> {
    fn wants(&self, layer: usize) -> bool {
        layer == self.layer
    }

    fn see(&mut self, _layer: usize, _below: &Merge, event: LayerEvent<'_>) {
        let LayerEvent::Change(change) = event else {
            return;
        };
        for (path, found) in self.paths.iter().zip(&mut self.found) {
            if path.as_bytes() == change.path {
                *found = Some(match change.after {
                    None => Found::Deleted,
                    Some((node, _)) => match file(path, node) {
                        Ok(_) if path.names_directory() => {
                            Found::Other(ChoiceError::NotADirectory {
                                image: self.image.to_owned(),
                                path: path.to_string(),
                                obstacle: path.to_string().trim_end_matches('/').to_owned(),
                            })
                        }
                        Ok(inode) => Found::File(inode.clone()),
                        Err(error) => Found::Other(error),
                    },
                });
            }
        }
    }
}

/// The inode of a regular file.
pub(in crate::ops) fn file<'a>(
    path: &PathPattern,
    node: TreeNode<'a>,
) -> Result<&'a Inode, ChoiceError> {
    let kind = match node {
        TreeNode::Directory(..) => "a directory",
        TreeNode::Node(_, inode) => match &inode.kind {
            NodeKind::File(_) => return Ok(inode),
            NodeKind::Symlink(_) => "a symbolic link",
            NodeKind::CharDevice(_) => "a character device",
            NodeKind::BlockDevice(_) => "a block device",
            NodeKind::Fifo => "a named pipe",
        },
    };
    Err(ChoiceError::NotAFile {
        path: path.to_string(),
        kind,
    })
}
