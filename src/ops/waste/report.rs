//! The report on hidden files.

use std::fmt;
use std::num::NonZeroUsize;

use crate::digest::{DiffId, Digest};
use crate::image::{Platform, Reference};
use crate::ops::{LayerChoice, LayerName, SquashReport};

/// The files of an image that nobody sees, and the squashes that would drop them.
///
/// Sizes of files are those of their content, unpacked; a file with several names counts
/// once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WasteReport {
    /// The name of the image in messages.
    pub image: String,
    /// Its names in the input that are references with a tag.
    pub references: Vec<Reference>,
    /// Its other names, which only a layout has.
    pub labels: Vec<String>,
    /// The digest of its config.
    pub id: Digest,
    /// The digest of its manifest, if the input has one.
    pub digest: Option<Digest>,
    /// Its platform, if its config has one.
    pub platform: Option<Platform>,
    /// Its layers, the lowest first.
    pub layers: Vec<WasteLayer>,
    /// The hidden files, the largest first; empty files are left out.
    pub hidden: Vec<HiddenFile>,
    /// The squashes that would drop any of them: at first by the lowest layer to merge,
    /// then by the number of layers to leave; of each kind at most the ten that gain
    /// most over the next smaller one.
    pub plans: Vec<WastePlan>,
}

/// A layer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WasteLayer {
    /// The digest of its unpacked form.
    pub diff_id: DiffId,
    /// Its digest as stored, if known.
    pub digest: Option<Digest>,
    /// Its size as stored, in bytes.
    pub stored_size: u64,
    /// The size of all files in it, hidden ones included.
    pub files_size: u64,
    /// The command in the history that made it; may be empty.
    pub created_by: String,
}

/// A file that nobody sees.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HiddenFile {
    /// Its last name, without a slash at either end. If the layer that hides it takes
    /// away several names at once, the first of them. Names are bytes.
    pub path: Vec<u8>,
    /// Its size in bytes.
    pub size: u64,
    /// The layer that has its content, counted from 1, the lowest.
    pub layer: usize,
    /// The layer that takes away its last name.
    pub hidden_by: usize,
    /// The reason.
    pub reason: HiddenReason,
}

/// The reason why a file is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum HiddenReason {
    /// A whiteout deletes it, or a directory that contains it.
    Deleted,
    /// Something else takes its place: a file with other content, or another kind of
    /// entry.
    Overwritten,
    /// A file with the same content, but another mode, owner or other attributes takes
    /// its place, as after `chmod` or `chown`.
    MetadataOnly,
    /// A file that is the same except for its time, at most, takes its place.
    SameContent,
    /// A later entry of the same layer takes its place.
    Repeated,
    /// It serves AUFS or eStargz, and is not a file of the image.
    Bookkeeping,
}

/// A squash that would drop hidden files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WastePlan {
    /// The layers to merge.
    pub layers: WasteRemedy,
    /// The result, as [`Session::plan_squash`](crate::Session::plan_squash) reports it.
    pub squash: SquashReport,
}

/// The layers that a squash merges to drop hidden files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WasteRemedy {
    /// This layer, counted from 1, and all above it.
    From(NonZeroUsize),
    /// Adjacent layers, the smallest first, until this many are left.
    AtMost(NonZeroUsize),
}

impl From<WasteRemedy> for LayerChoice {
    fn from(remedy: WasteRemedy) -> Self {
        match remedy {
            WasteRemedy::From(layer) => Self::Between(Some(LayerName::Number(layer)), None),
            WasteRemedy::AtMost(most) => Self::AtMost(most),
        }
    }
}

impl WasteReport {
    /// The size of all layers as stored, in bytes.
    #[must_use]
    pub fn stored_size(&self) -> u64 {
        sum(self.layers.iter().map(|layer| layer.stored_size))
    }

    /// The size of all files in all layers.
    #[must_use]
    pub fn files_size(&self) -> u64 {
        sum(self.layers.iter().map(|layer| layer.files_size))
    }

    /// The size of the hidden files.
    #[must_use]
    pub fn hidden_size(&self) -> u64 {
        sum(self.hidden.iter().map(|file| file.size))
    }

    /// The size of the files that a container sees.
    #[must_use]
    pub fn seen_size(&self) -> u64 {
        self.files_size().saturating_sub(self.hidden_size())
    }

    /// The size of all files in the layers above the lowest, which is taken for the base
    /// of the image.
    #[must_use]
    pub fn user_files_size(&self) -> u64 {
        sum(self.layers.iter().skip(1).map(|layer| layer.files_size))
    }

    /// The size of the files that layers above the lowest hide, wherever they are
    /// stored.
    #[must_use]
    pub fn user_hidden_size(&self) -> u64 {
        let files = self.hidden.iter().filter(|file| file.hidden_by > 1);
        sum(files.map(|file| file.size))
    }
}

impl HiddenReason {
    /// The name for programs; it never changes its meaning.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Overwritten => "overwritten",
            Self::MetadataOnly => "metadata-only",
            Self::SameContent => "same-content",
            Self::Repeated => "repeated",
            Self::Bookkeeping => "bookkeeping",
        }
    }
}

impl fmt::Display for HiddenReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deleted => "deleted",
            Self::Overwritten => "overwritten",
            Self::MetadataOnly => "metadata only",
            Self::SameContent => "same content twice",
            Self::Repeated => "twice in the layer",
            Self::Bookkeeping => "bookkeeping",
        })
    }
}

impl WastePlan {
    /// The size of the files that it would drop.
    #[must_use]
    pub fn freed(&self) -> u64 {
        sum(self.squash.ranges.iter().map(|range| range.hidden))
    }
}

/// Sizes may be those that a malicious image claims.
fn sum(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}
