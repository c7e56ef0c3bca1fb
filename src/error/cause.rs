//! The party that can do something about an error.

use std::io;

use crate::layer::{EntryFault, LayerError};
use crate::tar_stream::TarError;

/// The party that can do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The input is damaged, incomplete, beyond a limit, or not what was expected. It
    /// will fail again.
    Input,
    /// The system refused to open, read or write something, or to start a thread.
    Machine,
    /// The requested thing does not exist, is not unique, or is not possible; or the
    /// output cannot be created.
    Choice,
    /// The caller stopped the operation.
    Interrupted,
}

impl Cause {
    /// Blames the machine for errors with an error number of the system, and the input
    /// for the others, which come from decoders and parsers.
    pub(crate) fn of_io(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(_) => Self::Machine,
            None => Self::Input,
        }
    }

    /// Blames the machine if the stream of a tar failed, otherwise the input.
    pub(crate) fn of_tar(error: &TarError) -> Self {
        match error {
            TarError::Io(error) => Self::of_io(error),
            _ => Self::Input,
        }
    }

    /// Blames the machine if the stream of a layer failed, otherwise the input.
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
