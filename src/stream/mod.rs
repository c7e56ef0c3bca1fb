//! Bytes: hashing, compressing, copying, spooling, committing.
//!
//! Knows nothing of images or of tar. Readers and writers here only adapt and
//! return plain [`std::io::Error`]; what a failure means is said by the caller.

mod block;
mod commit;
mod compress;
mod copy;
mod decompress;
mod file_kind;
mod hash;
mod hash_writer;
mod kernel;
mod spool;

pub(crate) use block::Workers;
pub(crate) use commit::{PART, PendingDirectory, PendingFile, is_temporary, lock_directory};
pub(crate) use compress::Encoder;
pub use compress::Encoding;
pub(crate) use copy::{CopyError, ProgressReader, copy};
pub use decompress::{Compression, DecodeLimit};
pub(crate) use decompress::{Decoder, Leftover, SNIFF_LENGTH};
pub use file_kind::FileKind;
pub(crate) use file_kind::HEAD_LENGTH;
pub(crate) use hash::Hashed;
pub(crate) use hash::{TeeReader, hash};
pub(crate) use hash_writer::HashWriter;
pub(crate) use kernel::{copy_between, free_range, next_data, share_bytes};
pub(crate) use spool::Spool;

/// The size of every copy buffer: large enough that system calls and hand-overs
/// between threads cost nothing beside the work, small enough to stay in the
/// processor's cache while it is hashed.
pub(crate) const COPY_BUFFER: usize = 256 * 1024;
