//! Errors of what is below, as errors of this crate.

use std::io;

use crate::error::{Error, LimitError};
use crate::stream::DecodeError;
use crate::tar_stream::TarError;

impl From<io::Error> for Error {
    /// Distinguishes errors of the system from streams that cannot be unpacked or are
    /// not a tar.
    fn from(error: io::Error) -> Self {
        match error.downcast() {
            Ok(DecodeError(compression, source)) => match source.downcast() {
                Ok(source) => Self::Limit(LimitError::Compression {
                    compression,
                    source,
                }),
                Err(source) => Self::Compression {
                    compression,
                    source,
                },
            },
            Err(error) => match error.downcast() {
                Ok(error) => Self::Tar(error),
                Err(error) => Self::System(error),
            },
        }
    }
}

impl From<TarError> for Error {
    /// A tar that cannot be read is not a malformed one.
    fn from(error: TarError) -> Self {
        match error {
            TarError::Io(error) => error.into(),
            error => Self::Tar(error),
        }
    }
}
