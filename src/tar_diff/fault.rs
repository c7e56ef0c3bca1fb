//! Faults of a tar-diff.

use std::io;

use crate::limits::{TAR_DIFF_FRAME_MAX, TAR_DIFF_PATH_MAX};

/// A fault of a tar-diff, or a file that it needs and that is not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TarDiffFault {
    #[error("it is not a tar-diff")]
    Magic,
    #[error("the tar-diff is truncated")]
    Truncated,
    #[error("the tar-diff has a number of more than 64 bits")]
    Number,
    #[error("the tar-diff has an operation of the unknown kind {0}")]
    Operation(u8),
    #[error("the tar-diff opens a path of {0} bytes; at most {TAR_DIFF_PATH_MAX} are supported")]
    PathTooLong(u64),
    #[error("the tar-diff opens the path `{0}`, which is not one of a file below the root")]
    Path(String),
    #[error("the tar-diff needs the file `{0}`, which the old image does not have")]
    NoSuchFile(String),
    #[error("the tar-diff reads from a file, but has not opened any")]
    NothingOpen,
    #[error("the tar-diff reads beyond the end of a file of the old image")]
    PastEnd,
    #[error(
        "a zstd frame of the tar-diff needs a file of {0} bytes or more in memory; at most \
         {TAR_DIFF_FRAME_MAX} are supported, which oci-delta only exceeds with \
         `--max-zstd-diff-size`"
    )]
    FrameTooLarge(u64),
    #[error("the tar-diff makes more than {0} bytes from files of the old image")]
    TooLarge(u64),
    #[error("a zstd frame of the tar-diff is damaged")]
    Frame,
}

impl From<TarDiffFault> for io::Error {
    fn from(fault: TarDiffFault) -> Self {
        Self::new(io::ErrorKind::InvalidData, fault)
    }
}
