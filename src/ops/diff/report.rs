//! The differences between two images.

use serde_json::Value;

use crate::digest::Digest;
use crate::format::Format;
use crate::image::{Platform, Reference};
use crate::ops::stack::file_entry::FileEntry;

/// The differences between two images.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DiffReport {
    /// The first image.
    pub a: ComparedImage,
    /// The second image.
    pub b: ComparedImage,
    /// The number of lowest layers with the same diff_ids.
    pub shared_layers: usize,
    /// The differences in the platform and the run configuration. `None` if they were
    /// not compared: a root filesystem has none.
    pub config: Option<Vec<FieldChange>>,
    /// The differences in the history, and in the fields of the config that say how the
    /// image was made; `None` if they were not compared.
    pub history: Option<Vec<FieldChange>>,
    /// The differences in the names; `None` if they were not compared.
    pub names: Option<Vec<FieldChange>>,
    /// The differences in the layers; `None` if they were not compared.
    pub layers: Option<Vec<FieldChange>>,
    /// The differences in the tree: parents before children, names in the order of
    /// their bytes.
    pub files: Vec<PathChange>,
    /// The paths that only the second image has.
    pub added: ChangeCount,
    /// The paths that only the first image has.
    pub deleted: ChangeCount,
    /// The paths with another content.
    pub changed: ChangeCount,
    /// The paths of which only metadata differs.
    pub metadata: ChangeCount,
    /// The number of paths that both images have, without a difference.
    pub same: u64,
}

/// An image that was compared.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ComparedImage {
    /// The format of its input.
    pub format: Format,
    /// Its name in messages.
    pub name: String,
    /// Its names that are references with a tag.
    pub references: Vec<Reference>,
    /// Its other names, which only a layout has.
    pub labels: Vec<String>,
    /// The digest of its config.
    pub id: Digest,
    /// The digest of its manifest, if the input has one.
    pub digest: Option<Digest>,
    /// Its platform, if its config has one.
    pub platform: Option<Platform>,
    /// The number of its layers.
    pub layers: usize,
}

/// A difference in a document.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FieldChange {
    /// The path of the field, as `restow inspect --format` takes it, such as
    /// `.config.Env.PATH`. A variable of `Env` counts as a field of its own.
    pub path: String,
    /// The value in the first image, if it has the field.
    pub a: Option<Value>,
    /// The value in the second image, if it has the field.
    pub b: Option<Value>,
}

/// A difference at one path of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathChange {
    /// The kind of difference.
    pub kind: DiffKind,
    /// The thing in the first image, if it has the path.
    pub a: Option<FileEntry>,
    /// The thing in the second image, if it has the path.
    pub b: Option<FileEntry>,
    /// For a path that only one image has: another name of the same file there, by
    /// which it is known already.
    pub link_to: Option<Vec<u8>>,
    /// True if the permissions differ.
    pub mode: bool,
    /// True if the owner or the group differs.
    pub owner: bool,
    /// True if the modification time differs.
    pub mtime: bool,
    /// The extended attributes that differ, by name.
    pub xattrs: Vec<XattrChange>,
    /// The groups of hard links that differ. They are at the first path of all names
    /// that either image groups.
    pub links: Option<LinkChange>,
}

/// A kind of difference at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DiffKind {
    /// Only the second image has it.
    Added,
    /// Only the first image has it.
    Deleted,
    /// The content differs: the bytes of a file, the target of a symbolic link, the
    /// numbers of a device, or the type. Metadata may differ, too.
    Content,
    /// Only metadata differs, or the grouping of hard links.
    Metadata,
}

/// A difference in one extended attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct XattrChange {
    /// Its name.
    pub name: Vec<u8>,
    /// The value in the first image, if it has one.
    pub a: Option<Vec<u8>>,
    /// The value in the second image, if it has one.
    pub b: Option<Vec<u8>>,
}

/// A difference in the grouping of names into files: names of one group share a file.
///
/// It has all names that are connected by groups of either image, and that both have as
/// things of the same type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkChange {
    /// The groups in the first image, each with its names in their order.
    pub a: Vec<Vec<Vec<u8>>>,
    /// The groups in the second image.
    pub b: Vec<Vec<Vec<u8>>>,
}

/// Paths with one kind of difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangeCount {
    /// The number of paths.
    pub paths: u64,
    /// The bytes of files there in the first image. A file with several of these names
    /// counts once, and under a name that was added or deleted not at all if it has
    /// others that were not.
    pub bytes_a: u64,
    /// The bytes of files there in the second image.
    pub bytes_b: u64,
}

impl ComparedImage {
    /// All names.
    pub(super) fn names(&self) -> Vec<String> {
        let references = self.references.iter().map(ToString::to_string);
        references.chain(self.labels.clone()).collect()
    }
}

impl DiffReport {
    /// True if there is no difference in anything that counts.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.files.is_empty() && self.fields().next().is_none()
    }

    /// All differences in documents.
    pub fn fields(&self) -> impl Iterator<Item = &FieldChange> {
        let documents = [&self.config, &self.history, &self.names, &self.layers];
        documents.into_iter().flatten().flatten()
    }
}

impl FieldChange {
    /// The kind of difference.
    #[must_use]
    pub fn kind(&self) -> DiffKind {
        match (&self.a, &self.b) {
            (None, _) => DiffKind::Added,
            (_, None) => DiffKind::Deleted,
            (Some(_), Some(_)) => DiffKind::Content,
        }
    }
}

impl PathChange {
    /// The path, without a slash at either end; empty for the root.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        let entry = self.a.as_ref().or(self.b.as_ref());
        entry.map_or(&[], |entry| &entry.path)
    }
}
