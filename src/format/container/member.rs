//! A byte string in a container, and the end of a tar of them.

use crate::tar_stream::Trailing;

/// One of the byte strings in a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Member {
    /// The order in which a container that is read forward has it. The same for
    /// all where order does not matter.
    pub position: u64,
    /// Its path: the one that it lies under, if it was found through a link.
    pub path: String,
    /// How many bytes it has.
    pub size: u64,
}

/// The end of a tar.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TarEnd {
    /// Where it ended without an end-of-archive block, if it did: then more may have been
    /// meant to follow.
    pub cut_off_at: Option<u64>,
    /// The bytes after it but for zeros, as far as they were looked for.
    pub(crate) trailing: Option<Trailing>,
}
