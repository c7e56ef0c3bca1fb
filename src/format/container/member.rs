//! A member of a container, and the end of a tar.

use crate::tar_stream::Trailing;

/// One of the named byte strings in a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Member {
    /// The number of its source among several, counted from 0.
    pub origin: u32,
    /// Its position in the order of a sequential container. The same for all members if
    /// the order does not matter.
    pub position: u64,
    /// Its path: the target's, if it was found through a link.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
}

/// The end of a tar.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TarEnd {
    /// The position of the end if there is no end-of-archive block, in which case more
    /// may have been meant to follow.
    pub cut_off_at: Option<u64>,
    /// The bytes after it other than zeros, as far as they were read.
    pub(crate) trailing: Option<Trailing>,
}
