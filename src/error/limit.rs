//! Inputs beyond a limit.

use crate::stream::{Compression, DecodeLimit};

/// An input that may be intact, but exceeds a limit (see [`crate::limits`]).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// A compressed stream needs too much memory or space to be unpacked.
    #[error("its {compression} stream takes more to unpack than is accepted")]
    Compression {
        /// The compression.
        compression: Compression,
        /// The limit that it exceeds.
        source: DecodeLimit,
    },
    /// A document is larger than any image needs.
    #[error("{what} has {size} bytes, and {limit} are the most that is accepted")]
    DocumentTooLarge {
        /// The document, as messages call it.
        what: String,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// All documents together exceed this limit, in bytes.
    #[error("its documents have more than {0} bytes in all, which is the most that is accepted")]
    DocumentsTooLarge(u64),
    /// Indexes are nested too deep, or list more documents in total than this limit.
    #[error("indexes are nested too deep, or list more than {0} documents in all")]
    IndexTooLarge(usize),
    /// An image has more layers than any engine supports.
    #[error("image {id} has more than {limit} layers, which is the most that is accepted")]
    TooManyLayers {
        /// The image.
        id: String,
        /// The limit.
        limit: usize,
    },
    /// The number of members in an archive exceeds this limit.
    #[error("it has more than {0} members, which no archive of images has")]
    TooManyMembers(usize),
}
