//! Bytes: hashing, compressing, copying, spooling, committing.
//!
//! This module knows nothing of images or of tar. Readers and writers here only adapt,
//! and return plain [`std::io::Error`]; the caller adds the meaning of a failure.

mod block;
mod commit;
mod compress;
mod copy;
mod counting;
mod decompress;
mod file_kind;
mod file_slice;
mod growing;
mod hash;
mod hash_writer;
mod head;
mod kernel;
mod open;
mod pending_directory;
mod remove;
mod replaced;
mod spool;
mod stamp;
mod temporary;

pub(crate) use block::{Permits, Workers};
pub(crate) use commit::PendingFile;
pub use commit::write_file;
pub(crate) use compress::Encoder;
pub use compress::Encoding;
pub(crate) use copy::{COPY_BUFFER, CopyError, ProgressReader, copy};
pub(crate) use counting::CountingReader;
pub use decompress::{Compression, DecodeLimit};
pub(crate) use decompress::{DecodeError, Decoder, Leftover, SNIFF_LENGTH, Unpacked, unpacked};
pub use file_kind::FileKind;
pub(crate) use file_kind::HEAD_LENGTH;
pub(crate) use file_slice::FileSlice;
pub(crate) use growing::{Ahead, GrowingFile, OpenedFile};
pub(crate) use hash::{Hashed, Hashes, TeeReader, hash};
pub(crate) use hash_writer::HashWriter;
pub(crate) use head::{begins_as_json, read_head};
pub(crate) use kernel::{free_range, next_data, share_bytes};
pub(crate) use open::open_directory;
pub use open::open_regular;
pub(crate) use pending_directory::{PendingDirectory, lock_directory};
pub(crate) use remove::{PART, move_into, names, remove_all};
pub(crate) use replaced::pass_on_rights;
pub(crate) use spool::{Spool, SpoolSpace, SpoolingReader};
pub(crate) use stamp::{Stamp, changed};
pub(crate) use temporary::{ARRIVING, is_still_there, is_temporary, spool_in};
