//! What is larger than is accepted.

use crate::stream::{Compression, DecodeLimit};

/// Nothing need be wrong with an input, but it is larger than is accepted (see
/// [`crate::limits`]).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// Nothing is wrong with a compressed stream, but it takes too much to unpack it.
    #[error("its {compression} stream takes more to unpack than is accepted")]
    Compression {
        /// Which one.
        compression: Compression,
        /// The limit that it goes beyond.
        source: DecodeLimit,
    },
    /// A document is larger than any image needs.
    #[error("{what} has {size} bytes, and {limit} are the most that is accepted")]
    DocumentTooLarge {
        /// Which document.
        what: String,
        /// Its size.
        size: u64,
        /// The most that is accepted.
        limit: u64,
    },
    /// All documents together have more bytes than this, the most that is accepted.
    #[error("its documents have more than {0} bytes in all, which is the most that is accepted")]
    DocumentsTooLarge(u64),
    /// More documents than this, the most that is accepted, hang together.
    #[error("indexes are nested too deep, or list more than {0} documents in all")]
    IndexTooLarge(usize),
    /// An image has more layers than any engine can stack.
    #[error("image {id} has more than {limit} layers, which is the most that is accepted")]
    TooManyLayers {
        /// The image.
        id: String,
        /// The most that is accepted.
        limit: usize,
    },
    /// An archive has more members than this, the most that is accepted.
    #[error("it has more than {0} members, which no archive of images has")]
    TooManyMembers(usize),
}
