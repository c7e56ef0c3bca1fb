//! Who can do something about an error.

use std::io;

use crate::layer::{EntryFault, LayerError};
use crate::tar_stream::TarError;

/// Who can do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The input is damaged, incomplete, beyond a limit, or something else than was
    /// expected. It will fail again.
    Input,
    /// The system refused to open, read or write something, or to start a thread.
    Machine,
    /// What was asked for is not there, not unique, or not possible; or the output is in
    /// the way.
    Choice,
    /// The caller wanted the end.
    Interrupted,
}

impl Cause {
    /// Blames the machine for what has an error number of the system, and the input for
    /// the rest, which decoders and parsers say.
    pub(crate) fn of_io(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(_) => Self::Machine,
            None => Self::Input,
        }
    }

    /// Blames the machine if the stream of a tar failed.
    pub(crate) fn of_tar(error: &TarError) -> Self {
        match error {
            TarError::Io(error) => Self::of_io(error),
            _ => Self::Input,
        }
    }

    /// Blames the machine if the stream of a layer failed.
    pub(crate) fn of_layer(error: &LayerError) -> Self {
        match error {
            LayerError::Tar(fault)
            | LayerError::Behind { fault, .. }
            | LayerError::Entry {
                fault: EntryFault::Tar(fault),
                ..
            } => Self::of_tar(fault),
            _ => Self::Input,
        }
    }
}
