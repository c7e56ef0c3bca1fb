//! Errors in reading a layer, or in merging it with others.

use std::io;

use crate::finding::Code;
use crate::layer::path::PathError;
use crate::layer::whiteout::WhiteoutError;
use crate::tar_stream::{TarError, display_name};

/// A fault of a layer, and its place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// One entry is faulty.
    #[error("entry `{entry}`: {fault}")]
    Entry {
        /// Its name exactly as in the tar, escaped.
        entry: String,
        /// Its fault.
        fault: EntryFault,
    },
    /// The tar cannot be read beyond an entry.
    #[error("after entry `{entry}`: {fault}")]
    Behind {
        /// The last readable entry, escaped.
        entry: String,
        /// The fault of the tar.
        fault: TarError,
    },
    /// The tar cannot be read from its start.
    #[error(transparent)]
    Tar(TarError),
    /// The layers have too many entries.
    #[error("this layer and the others exceed the limit of {limit} entries")]
    TooManyEntries {
        /// The limit.
        limit: u64,
    },
    /// The layer is for Windows.
    #[error("it is a Windows layer, which restow cannot merge")]
    Windows,
}

impl LayerError {
    /// Returns the error for a fault of an entry.
    pub(crate) fn entry(name: &[u8], fault: impl Into<EntryFault>) -> Self {
        Self::Entry {
            entry: display_start(name),
            fault: fault.into(),
        }
    }
}

impl EntryFault {
    /// The code of a finding about it.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::AttributeMalformed { .. }
            | Self::AttributeName { .. }
            | Self::AttributeTooLong { .. } => Code::AttributeInvalid,
            Self::LinkToDirectory { .. } => Code::LinkToDirectory,
            Self::LinkToItself => Code::LinkToItself,
            Self::LinkToNothing { .. } | Self::LinkToUnknown { .. } => Code::LinkMissing,
            Self::NotInDirectory { .. } => Code::EntryInFile,
            Self::Path(PathError::Escapes | PathError::Nul) => Code::EntryPath,
            Self::Root => Code::EntryRoot,
            Self::SymlinkLoop => Code::SymlinkLoop,
            Self::TargetEmpty => Code::TargetEmpty,
            Self::Tar(_) | Self::Changed => Code::TarDamaged,
            Self::Type { .. } => Code::EntryType,
            Self::Whiteout(_) => Code::WhiteoutInvalid,
            Self::AttributesTooLarge { .. }
            | Self::Path(PathError::TooDeep | PathError::TooLong { .. })
            | Self::Sparse { .. }
            | Self::TargetTooLong { .. }
            | Self::TooManyDirectories { .. }
            | Self::TooMuchHeld { .. } => Code::EntryLimit,
        }
    }
}

/// Maximum length of a name in a message, in bytes: enough for any real name.
const SHOWN_MAX: usize = 1024;

/// A name for display, truncated where it would be long enough to hide the rest of the
/// message.
pub(crate) fn display_start(name: &[u8]) -> String {
    match name.get(..SHOWN_MAX) {
        Some(start) if name.len() > SHOWN_MAX => format!("{}…", display_name(start)),
        _ => display_name(name),
    }
}

/// A fault of an entry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntryFault {
    /// Linux refuses the value of an attribute.
    #[error("its attribute `{name}` is malformed")]
    AttributeMalformed {
        /// Its name, escaped.
        name: String,
    },
    /// The name of an attribute is invalid.
    #[error("its attribute `{name}` has a name that Linux does not accept")]
    AttributeName {
        /// The name, escaped.
        name: String,
    },
    /// An attribute is larger than Linux allows.
    #[error("its attribute `{name}` has {length} bytes, more than the limit of {limit}")]
    AttributeTooLong {
        /// Its name, escaped.
        name: String,
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The attributes are larger than any file system can store.
    #[error("its attributes exceed the limit of {limit} bytes")]
    AttributesTooLarge {
        /// The limit.
        limit: usize,
    },
    /// The input has changed since its headers were read.
    #[error("it changed while it was read")]
    Changed,
    /// A hard link to a directory, which can have only one name.
    #[error("a hard link to the directory `{target}`")]
    LinkToDirectory {
        /// The directory, escaped.
        target: String,
    },
    /// A hard link to itself.
    #[error("a hard link to itself")]
    LinkToItself,
    /// The target of a hard link is neither before it nor in a lower layer.
    #[error("a hard link to `{target}`, which does not exist")]
    LinkToNothing {
        /// The target, escaped.
        target: String,
    },
    /// The target of a hard link may be in an unknown layer.
    #[error("a hard link to `{target}`, which may only exist in a layer that restow cannot read")]
    LinkToUnknown {
        /// The target, escaped.
        target: String,
    },
    /// Something that is not a directory contains an entry.
    #[error("its parent `{parent}` is not a directory")]
    NotInDirectory {
        /// The path of that parent, escaped.
        parent: String,
    },
    /// The name is not a valid path in an image.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The root is not a directory.
    #[error("the root is not a directory")]
    Root,
    /// Sparse files have more holes than may be written as zeros.
    #[error("the holes of sparse files exceed the limit of {limit} bytes")]
    Sparse {
        /// The limit for all layers together.
        limit: u64,
    },
    /// Symbolic links form a circle or a too long chain.
    #[error("its path has a symbolic link loop")]
    SymlinkLoop,
    /// The tar is damaged here.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// The target of a symbolic link is empty.
    #[error("a symbolic link without a target")]
    TargetEmpty,
    /// The target of a symbolic link is longer than any file system can store.
    #[error("its target has {length} bytes, more than the limit of {limit}")]
    TargetTooLong {
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// Entries imply too many directories.
    #[error("the entries and the directories that they imply exceed the limit of {limit}")]
    TooManyDirectories {
        /// The limit.
        limit: u64,
    },
    /// Names and attributes of all entries together are too large.
    #[error("the names and attributes of all entries exceed the limit of {limit} bytes")]
    TooMuchHeld {
        /// The limit.
        limit: u64,
    },
    /// No engine accepts this kind of entry.
    #[error("its type is `{flag}`, which a layer cannot have")]
    Type {
        /// The type flag of the header, escaped.
        flag: String,
    },
    /// The name of a whiteout deletes nothing, or too much.
    #[error(transparent)]
    Whiteout(#[from] WhiteoutError),
}

impl EntryFault {
    /// Converts an error from reading an entry's content.
    pub(crate) fn read(error: io::Error) -> Self {
        Self::Tar(error.into())
    }
}
