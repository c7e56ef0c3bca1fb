//! Features of a layer that engines interpret differently.

use crate::finding::Code;

/// A feature of a layer that engines interpret differently, or that a merge cannot
/// preserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Ambiguity {
    /// A path goes above the root.
    #[error("its path or link target leads out of the root; resolved from the root")]
    AboveRoot,
    /// An attribute of a symbolic link whose target is not in its layer.
    #[error(
        "a symbolic link with an attribute, which Docker 28 sets on the target of the link; the target is not in the layer, so Docker refuses the image"
    )]
    AttributeOnLink,
    /// Names at the root that belong to AUFS or to the compression of eStargz.
    #[error("internal data of AUFS or eStargz, which is not part of the image; skipped")]
    BookkeepingLeftOut,
    /// A layer both deletes a path and contains it.
    #[error(
        "the layer both deletes and contains it; its content in lower layers counts as deleted, which Docker and containerd may interpret differently"
    )]
    WhiteoutAndEntry,
    /// A layer deletes a path twice.
    #[error("the layer deletes it more than once, which overlay engines refuse")]
    DeletedTwice,
    /// A character device 0:0.
    #[error("a character device 0:0; treated as a whiteout, as Docker does")]
    DeviceWhiteout,
    /// An entry that is not a directory replaces one.
    #[error("it replaces a directory of the same layer, which engines refuse; the last entry wins")]
    DirectoryReplaced,
    /// A hard link to a file of a lower layer.
    #[error("a hard link to a file of a lower layer, which Docker refuses; resolved")]
    LowerLink,
    /// An attribute that no file on Linux can have.
    #[error(
        "an attribute that Linux does not know, which Docker 28 refuses and others ignore; skipped"
    )]
    ForeignAttribute,
    /// A directory that a layer only implies, over one with a special owner or mode.
    #[error(
        "the layer has no entry for this directory; it keeps its owner and mode, which Docker's overlay2 resets to 0755"
    )]
    ImpliedDirectory,
    /// Hard links to the same file with different metadata.
    #[error(
        "a hard link whose owner, mode or time differs from its target; the last entry wins, as in Docker"
    )]
    LinkMetadata,
    /// The attribute of an overlay file system that makes a directory opaque.
    #[error(
        "`trusted.overlay.opaque` is kept as an attribute; Docker also hides the content of the directory in lower layers"
    )]
    OpaqueAttribute,
    /// An opaque whiteout at the root.
    #[error("an opaque whiteout at the root; applied, though overlay engines ignore it")]
    OpaqueRoot,
    /// The same path twice.
    #[error("the layer has it more than once, which some engines refuse; the last entry wins")]
    Repeated,
    /// Attributes of tools that run without root.
    #[error("attributes in which rootless tools record owners; skipped")]
    RootlessAttributes,
    /// A path leads through an absolute symbolic link of the same layer.
    #[error(
        "its path leads through an absolute symbolic link of the layer, which Docker's classic store cannot save; written to the target of the link"
    )]
    ThroughAbsoluteLink,
    /// A path leads through a symbolic link of the same layer to a directory that the
    /// layer lacks.
    #[error(
        "its path leads through a symbolic link of the layer to a directory that the layer does not have; written there, as newer engines do"
    )]
    ThroughDanglingLink,
    /// A path leads through a file of a lower layer.
    #[error("lower layers have a file there; replaced by a directory, as overlay engines do")]
    ParentIsFile,
    /// A path leads through a symbolic link of a lower layer.
    #[error(
        "lower layers have a symbolic link there; replaced by a directory, as overlay engines do"
    )]
    ThroughSymlink,
    /// A file with more names than ext4 allows.
    #[error("a file with more than 65,000 names in the layer, which engines on ext4 refuse")]
    TooManyLinks,
    /// A whiteout in a directory that the same layer deletes.
    #[error(
        "a whiteout inside a directory that the layer deletes, which overlay engines refuse; skipped"
    )]
    WhiteoutInDeleted,
    /// A whiteout in something that is not a directory in the same layer.
    #[error("a whiteout inside something that is not a directory, which engines refuse; skipped")]
    WhiteoutInFile,
}

impl Ambiguity {
    /// The code of a finding about it.
    pub(crate) fn code(self) -> Code {
        match self {
            Self::AboveRoot => Code::EntryPath,
            Self::AttributeOnLink => Code::AttributeOnLink,
            Self::BookkeepingLeftOut => Code::Bookkeeping,
            Self::WhiteoutAndEntry => Code::WhiteoutAndEntry,
            Self::DeletedTwice => Code::EntryTwice,
            Self::DeviceWhiteout => Code::WhiteoutDevice,
            Self::DirectoryReplaced | Self::WhiteoutInFile => Code::EntryInFile,
            Self::LowerLink => Code::LinkBelow,
            Self::ForeignAttribute => Code::AttributeForeign,
            Self::ImpliedDirectory => Code::DirectoryImplied,
            Self::LinkMetadata => Code::LinkMetadata,
            Self::OpaqueAttribute => Code::OverlayAttribute,
            Self::OpaqueRoot => Code::WhiteoutOpaqueRoot,
            Self::Repeated => Code::EntryReplaced,
            Self::RootlessAttributes => Code::RootlessAttribute,
            Self::ThroughAbsoluteLink => Code::ThroughAbsoluteLink,
            Self::ThroughDanglingLink => Code::ThroughDanglingLink,
            Self::ParentIsFile => Code::ParentIsFile,
            Self::ThroughSymlink => Code::ThroughSymlink,
            Self::TooManyLinks => Code::TooManyLinks,
            Self::WhiteoutInDeleted => Code::WhiteoutInDeleted,
        }
    }
}
