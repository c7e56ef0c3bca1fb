//! Why a layer cannot be read, or not be merged with others.

use std::io;

use crate::finding::Code;
use crate::layer::path::PathError;
use crate::layer::whiteout::WhiteoutError;
use crate::tar_stream::{TarError, display_name};

/// A fault of a layer, and the entry that has it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// One entry is at fault.
    #[error("entry `{entry}`: {fault}")]
    Entry {
        /// Its name as it is in the tar, escaped.
        entry: String,
        /// Its fault.
        fault: EntryFault,
    },
    /// The tar cannot be read on after an entry.
    #[error("behind entry `{entry}`: {fault}")]
    Behind {
        /// The last entry that could be read, escaped.
        entry: String,
        /// The fault of the tar.
        fault: TarError,
    },
    /// The tar cannot be read from its beginning.
    #[error(transparent)]
    Tar(TarError),
    /// There are more entries than any image has.
    #[error(
        "it and other layers have more than {limit} entries, which is the most that is accepted"
    )]
    TooManyEntries {
        /// The most that is accepted.
        limit: u64,
    },
    /// The layer is for Windows.
    #[error("it is a layer for Windows, whose files restow cannot merge")]
    Windows,
}

impl LayerError {
    /// Says what is wrong with an entry.
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

/// The most bytes of a name in a message: enough for any that somebody chose.
const SHOWN_MAX: usize = 1024;

/// A name for people, cut off where it is long enough to hide what is said of it.
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
    /// An attribute is not what Linux takes for it.
    #[error("its attribute `{name}` is malformed, and no file can have it")]
    AttributeMalformed {
        /// Its name, escaped.
        name: String,
    },
    /// The name of an attribute is none.
    #[error("its attribute `{name}` has a name that Linux does not take")]
    AttributeName {
        /// The name, escaped.
        name: String,
    },
    /// An attribute is larger than Linux takes.
    #[error("its attribute `{name}` has {length} bytes, and {limit} are the most that is accepted")]
    AttributeTooLong {
        /// Its name, escaped.
        name: String,
        /// Its length.
        length: usize,
        /// The most that is accepted.
        limit: usize,
    },
    /// Attributes are larger than any file system can store.
    #[error("its attributes have more than {limit} bytes, which is the most that is accepted")]
    AttributesTooLarge {
        /// The most that is accepted.
        limit: usize,
    },
    /// The input is not what it was when its headers were read.
    #[error("it changed while it was read")]
    Changed,
    /// A directory can have one name only.
    #[error("a hard link to the directory `{target}`")]
    LinkToDirectory {
        /// The directory, escaped.
        target: String,
    },
    /// A hard link names itself.
    #[error("a hard link to itself")]
    LinkToItself,
    /// The target of a hard link has to be before it, or in a lower layer.
    #[error("a hard link to `{target}`, which is not there")]
    LinkToNothing {
        /// The target, escaped.
        target: String,
    },
    /// The target of a hard link may be in a layer of which nothing is known.
    #[error("a hard link to `{target}`, which only a layer that cannot be looked into may have")]
    LinkToUnknown {
        /// The target, escaped.
        target: String,
    },
    /// Something that is no directory has something in it.
    #[error("`{parent}` is in its way, which is no directory")]
    NotInDirectory {
        /// The path that is in the way, escaped.
        parent: String,
    },
    /// The name cannot be a path in an image.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The root can only be a directory.
    #[error("the root is not a directory")]
    Root,
    /// Holes would have to be written as zeros.
    #[error(
        "the holes of sparse files have more than {limit} bytes, which is the most that is accepted"
    )]
    Sparse {
        /// The most that is accepted, in all layers together.
        limit: u64,
    },
    /// Symbolic links lead in a circle, or on and on.
    #[error("the symbolic links on its path do not end")]
    SymlinkLoop,
    /// The tar is damaged here.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// A symbolic link has to lead somewhere.
    #[error("a symbolic link without a target")]
    TargetEmpty,
    /// The target of a symbolic link is longer than any file system can store.
    #[error("its target has {length} bytes, and {limit} are the most that is accepted")]
    TargetTooLong {
        /// Its length.
        length: usize,
        /// The most that is accepted.
        limit: usize,
    },
    /// Entries imply more directories than any image has.
    #[error(
        "more than {limit} entries and directories are implied, which is the most that is accepted"
    )]
    TooManyDirectories {
        /// The most that is accepted.
        limit: u64,
    },
    /// Names and attributes of all entries are more than any image has.
    #[error(
        "names and attributes of all entries have more than {limit} bytes, which is the most that is accepted"
    )]
    TooMuchHeld {
        /// The most that is accepted.
        limit: u64,
    },
    /// A kind of entry that no engine takes.
    #[error("its type is `{flag}`, which no layer may have")]
    Type {
        /// The type flag of the header, escaped.
        flag: String,
    },
    /// The name of a whiteout deletes nothing, or too much.
    #[error(transparent)]
    Whiteout(#[from] WhiteoutError),
}

impl EntryFault {
    /// Takes an error of an entry's content.
    pub(crate) fn read(error: io::Error) -> Self {
        Self::Tar(error.into())
    }
}
