//! The name of a byte string in a container.

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
