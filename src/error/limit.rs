//! What is larger than is accepted.

use crate::stream::{Compression, DecodeLimit};

/// Nothing need be wrong with an input, but it is larger than is accepted (see
/// [`crate::limits`]).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// Nothing is wrong with a compressed stream, but it takes too much to unpack it.
    #[error("unpacking its {compression} stream exceeds a limit")]
    Compression {
        /// Which one.
        compression: Compression,
        /// The limit that it goes beyond.
        source: DecodeLimit,
    },
    /// A document is larger than any image needs.
    #[error("{what} has {size} bytes, more than the limit of {limit}")]
    DocumentTooLarge {
        /// Which document.
        what: String,
        /// Its size.
        size: u64,
        /// The most that is accepted.
        limit: u64,
    },
    /// All documents together have more bytes than this, the most that is accepted.
    #[error("its metadata exceeds the limit of {0} bytes")]
    DocumentsTooLarge(u64),
    /// More documents than this, the most that is accepted, hang together.
    #[error("its indexes are nested too deeply, or list more than {0} documents in total")]
    IndexTooLarge(usize),
    /// An image has more layers than any engine can stack.
    #[error("image {id} exceeds the limit of {limit} layers")]
    TooManyLayers {
        /// The image.
        id: String,
        /// The most that is accepted.
        limit: usize,
    },
    /// An archive has more members than this, the most that is accepted.
    #[error("it exceeds the limit of {0} archive members")]
    TooManyMembers(usize),
}
