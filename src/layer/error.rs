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
    #[error("after entry `{entry}`: {fault}")]
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
    #[error("this layer and the others exceed the limit of {limit} entries")]
    TooManyEntries {
        /// The most that is accepted.
        limit: u64,
    },
    /// The layer is for Windows.
    #[error("it is a Windows layer, which restow cannot merge")]
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
    #[error("its attribute `{name}` is malformed")]
    AttributeMalformed {
        /// Its name, escaped.
        name: String,
    },
    /// The name of an attribute is none.
    #[error("its attribute `{name}` has a name that Linux does not accept")]
    AttributeName {
        /// The name, escaped.
        name: String,
    },
    /// An attribute is larger than Linux takes.
    #[error("its attribute `{name}` has {length} bytes, more than the limit of {limit}")]
    AttributeTooLong {
        /// Its name, escaped.
        name: String,
        /// Its length.
        length: usize,
        /// The most that is accepted.
        limit: usize,
    },
    /// Attributes are larger than any file system can store.
    #[error("its attributes exceed the limit of {limit} bytes")]
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
    #[error("a hard link to `{target}`, which does not exist")]
    LinkToNothing {
        /// The target, escaped.
        target: String,
    },
    /// The target of a hard link may be in a layer of which nothing is known.
    #[error(
        "a hard link to `{target}`, which only a layer that restow cannot look inside may have"
    )]
    LinkToUnknown {
        /// The target, escaped.
        target: String,
    },
    /// Something that is no directory has something in it.
    #[error("its parent `{parent}` is not a directory")]
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
    #[error("the holes of sparse files exceed the limit of {limit} bytes")]
    Sparse {
        /// The most that is accepted, in all layers together.
        limit: u64,
    },
    /// Symbolic links lead in a circle, or on and on.
    #[error("its path has a symbolic link loop")]
    SymlinkLoop,
    /// The tar is damaged here.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// A symbolic link has to lead somewhere.
    #[error("a symbolic link without a target")]
    TargetEmpty,
    /// The target of a symbolic link is longer than any file system can store.
    #[error("its target has {length} bytes, more than the limit of {limit}")]
    TargetTooLong {
        /// Its length.
        length: usize,
        /// The most that is accepted.
        limit: usize,
    },
    /// Entries imply more directories than any image has.
    #[error("the entries and the directories that they imply exceed the limit of {limit}")]
    TooManyDirectories {
        /// The most that is accepted.
        limit: u64,
    },
    /// Names and attributes of all entries are more than any image has.
    #[error("the names and attributes of all entries exceed the limit of {limit} bytes")]
    TooMuchHeld {
        /// The most that is accepted.
        limit: u64,
    },
    /// A kind of entry that no engine takes.
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
    /// Takes an error of an entry's content.
    pub(crate) fn read(error: io::Error) -> Self {
        Self::Tar(error.into())
    }
}
