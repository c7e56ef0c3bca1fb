//! Inputs beyond a limit.

use crate::stream::{Compression, DecodeLimit};

/// An input that may be intact, but exceeds a limit (see [`crate::limits`]).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// A compressed stream needs too much memory or space to be unpacked.
    #[error("unpacking its {compression} stream exceeds a limit")]
    Compression {
        /// The compression.
        compression: Compression,
        /// The limit that it exceeds.
        source: DecodeLimit,
    },
    /// A document is larger than any image needs.
    #[error("{what} has {size} bytes, more than the limit of {limit}")]
    DocumentTooLarge {
        /// The document, as messages call it.
        what: String,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// All documents together exceed this limit, in bytes.
    #[error("its metadata exceeds the limit of {0} bytes")]
    DocumentsTooLarge(u64),
    /// Indexes are nested too deep, or list more documents in total than this limit.
    #[error("its indexes are nested too deeply, or list more than {0} documents in total")]
    IndexTooLarge(usize),
    /// An image has more layers than any engine supports.
    #[error("image {id} exceeds the limit of {limit} layers")]
    TooManyLayers {
        /// The image.
        id: String,
        /// The limit.
        limit: usize,
    },
    /// The paths in a report need too much memory.
    #[error("the paths of {what} exceed the limit of {limit} bytes")]
    PathsTooLong {
        /// The files with these paths.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// A file has more lines than can be compared.
    #[error("`{file}` exceeds the limit of {limit} lines")]
    TooManyLines {
        /// The file.
        file: String,
        /// The limit.
        limit: usize,
    },
    /// The number of members in an archive exceeds this limit.
    #[error("it exceeds the limit of {0} archive members")]
    TooManyMembers(usize),
}
