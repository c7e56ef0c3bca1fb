//! Images that a message lists for choosing.

use crate::digest::Digest;

/// Something that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// A name that chooses it: a reference, a name of a layout, a digest or a number.
    pub name: String,
    /// An id that chooses it, too, if it has one.
    pub id: Option<Digest>,
}
