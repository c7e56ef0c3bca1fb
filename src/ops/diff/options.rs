//! The choice of the images to compare, and of the parts that count.

use std::collections::BTreeSet;

use crate::image::Platform;
use crate::merge::PathPattern;
use crate::ops::Selector;

/// The choice of the images to compare, and of the parts that count. By default these
/// are the parts that a container sees: the tree, the platform and the run
/// configuration.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DiffOptions {
    /// The first image, if its input has several.
    pub image_a: Option<Selector>,
    /// The second image, if its input has several.
    pub image_b: Option<Selector>,
    /// The platform of both images; by default the host's.
    pub platform: Option<Platform>,
    /// The parts that do not count.
    pub ignore: BTreeSet<Aspect>,
    /// True if nothing counts that every rebuild of the same sources changes: times of
    /// files, fields and labels with the time of the build, and fields with ids that
    /// Docker's classic builder makes up.
    pub semantic: bool,
    /// The details that count, too, although no container sees them.
    pub details: BTreeSet<Detail>,
    /// The paths that are compared, with everything below them. If there are any, only
    /// files are compared.
    pub paths: Vec<PathPattern>,
}

/// A part of an image in which two can differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Aspect {
    /// The platform and the run configuration.
    Config,
    /// The names that share a file.
    Links,
    /// Permissions, setuid, setgid and sticky. Those of a symbolic link never count,
    /// since no file system has them.
    Mode,
    /// The modification time. A directory for which no layer has an entry has none, so
    /// that its time never counts.
    Mtime,
    /// The owner and the group.
    Owner,
    /// Extended attributes, and other attributes that a tar can hold.
    Xattrs,
}

/// A part of an image that no container sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Detail {
    /// The history, and the fields of the config that say how the image was made.
    History,
    /// The layers: their diff_ids, and their bytes as stored.
    Layers,
    /// The names of the image.
    Names,
}

impl DiffOptions {
    /// True if this part counts.
    pub(super) fn counts(&self, aspect: Aspect) -> bool {
        let is_rebuilt = self.semantic && aspect == Aspect::Mtime;
        !is_rebuilt && !self.ignore.contains(&aspect)
    }
}
