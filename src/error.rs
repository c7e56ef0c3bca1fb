//! Everything that can go wrong, in the user's terms.
//!
//! Rules:
//!
//! 1. A variant is a fact, not the name of the dependency that noticed it.
//! 2. It carries the place. Each level adds only the place that it knows, so that a
//!    chain reads from the outside in and repeats nothing. Positions count from 1.
//! 3. The text is a lower-case fragment without a final period. Literals are in
//!    backticks, digests bare and in full. The expected value comes before the actual one.
//! 4. `Display` is this level alone; `source` returns the cause.
//! 5. Errors give no advice. The binary adds hints.
//! 6. Callers need neither downcast nor look at the system's error number to find out
//!    who is to blame: [`Error::cause`] returns it.
//!
//! Names from an archive are escaped where they enter a message
//! (`tar_stream::display_name`), or where the message is printed.

mod cause;
mod choice;
mod from;
mod input_kind;
mod limit;
mod place;

use std::io;
use std::path::PathBuf;

pub use cause::Cause;
pub use choice::{Candidate, ChoiceError};
pub use input_kind::{Folder, InputKind};
pub use limit::LimitError;
pub use place::Place;

use crate::digest::{DiffId, Digest};
use crate::dockerfile::ChangeError;
use crate::image::DocumentError;
use crate::layer::LayerError;
use crate::progress::Progress;
use crate::stream::{Compression, CopyError, FileKind};
use crate::tar_stream::TarError;

/// The result type of nearly everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A way from a tar with an entry that engines refuse to one that they accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// The root filesystem can be rewritten by an export.
    Export,
    /// The layer can be written anew with
    /// [`only_new`](crate::AppendOptions::only_new).
    OnlyNew,
    /// Its files can be packed again.
    Repack,
}

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An instruction cannot be applied to a config.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The request cannot be fulfilled.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// A blob is compressed in a way that cannot be read.
    #[error("its {compression} stream is damaged")]
    Compression {
        /// The compression.
        compression: Compression,
        /// The decoder's error.
        source: io::Error,
    },
    /// A delta is from another image than the one that was given.
    #[error(
        "the delta is from the image with the id {expected}, which {old} does not hold: {}; give \
         the image that the delta was made from as OLD",
        have.join(", ")
    )]
    DeltaOfOther {
        /// The digest of the config of the image that it is from.
        expected: Digest,
        /// The input with the old images.
        old: Place,
        /// The images that were given.
        have: Vec<String>,
    },
    /// An input holds deltas of different archives, which do not become one.
    #[error("it holds several deltas; give each its own file or folder")]
    SeveralDeltas,
    /// A delta does not have this layer of the new image, and the old image does not have
    /// it in the same bytes.
    #[error(
        "layer {layer} is neither in the delta nor, in the same bytes, in {old}; was that \
         compressed anew? give it as it was when the delta was made"
    )]
    DeltaLayerAbsent {
        /// The digest of the layer.
        layer: Digest,
        /// The input with the old image.
        old: Place,
    },
    /// Two members have this name but different content.
    #[error("it has two different members named `{0}`")]
    ControlFileTwice(String),
    /// A blob's content does not match its digest.
    #[error("blob does not match its digest: expected {expected}, got {got}")]
    DigestMismatch {
        /// The digest in its name.
        expected: Digest,
        /// The digest of its bytes.
        got: Digest,
    },
    /// An unpacked layer does not match the diff_id in the config.
    #[error("layer does not match its diff_id: expected {expected}, got {got}")]
    DiffIdMismatch {
        /// The diff_id in the config.
        expected: Digest,
        /// The digest of the unpacked bytes.
        got: Digest,
    },
    /// This folder exists, and is neither empty nor a layout.
    #[error("`{0}` is neither an OCI layout nor empty")]
    DirectoryInTheWay(PathBuf),
    /// A document is malformed.
    #[error("cannot parse {what}")]
    Document {
        /// The document, as messages call it.
        what: String,
        /// The fault in it.
        source: DocumentError,
    },
    /// An image does not have this document.
    #[error("`{name}` has no {document} in the input")]
    DocumentAbsent {
        /// The image.
        name: String,
        /// The document, as messages call it.
        document: &'static str,
    },
    /// The images are below a folder of a tar, where no reader looks for them.
    #[error("it has {kind} in the folder `{folder}`, where no reader looks for it")]
    ImageBelow {
        /// The kind of image.
        kind: InputKind,
        /// The folder.
        folder: String,
    },
    /// Images of this kind were given where a root filesystem is wanted.
    #[error("it is {0}, not a root filesystem")]
    ImageGiven(InputKind),
    /// The input is a tar of files, each of which is an archive of images.
    #[error("it is a tar that contains an image archive, `{file}`{}", more(*others))]
    ImageInside {
        /// The first of these files.
        file: String,
        /// The number of further files.
        others: usize,
    },
    /// The input is empty.
    #[error("it is empty")]
    Empty,
    /// Engines refuse an entry of a root filesystem.
    #[error("{fault}")]
    EntryUnfit {
        /// The entry, what is wrong with it, and the consequence.
        fault: String,
        /// The way to mend it, if there is one.
        remedy: Option<Remedy>,
    },
    /// Bytes follow the end of a compressed layer that was to be kept as it is.
    #[error("{size} bytes follow the end of its {compression} stream; engines refuse such a layer")]
    AfterLayer {
        /// The number of bytes.
        size: u64,
        /// The compression of the layer.
        compression: Compression,
    },
    /// This folder of a layout, or its `index.json`, is a symbolic link, so that others may
    /// share it.
    #[error("`{name}` in it is a symbolic link: other layouts may share {}", shared_by(.0), name = .0)]
    BlobsElsewhere(&'static str),
    /// Another process has removed this blob, which the output still had when this run
    /// found it.
    #[error("another process has removed the blob {digest} from `{}`", layout.display())]
    BlobRemoved {
        /// The blob.
        digest: Digest,
        /// The output.
        layout: PathBuf,
    },
    /// A layout is also an unpacked docker archive, with this file.
    #[error("it is also an unpacked docker archive: `{0}` refers to its blobs")]
    LayoutOfArchive(&'static str),
    /// The version in `oci-layout` is this one, which is not supported.
    #[error("its layout version is `{0}`; only `1.0.0` is supported")]
    LayoutVersion(String),
    /// This folder exists and is not empty.
    #[error("`{0}` is not empty")]
    FolderNotEmpty(PathBuf),
    /// The caller stopped the operation.
    #[error("interrupted")]
    Interrupted,
    /// The caller stopped a removal whose images are no longer listed, while blobs were
    /// deleted.
    #[error("interrupted while blobs were deleted")]
    DeletionInterrupted,
    /// A layer is encrypted.
    #[error("it is encrypted")]
    LayerEncrypted,
    /// `manifest.json` does not name this layer.
    #[error(
        "`manifest.json` does not name it: only an engine that already has this layer can load the archive"
    )]
    LayerLeftOut,
    /// The entries of a layer cannot be read or merged.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// An image describes this layer, but the input does not have it.
    #[error("its blob is not in the input")]
    LayerAbsent,
    /// This partial archive was made without a layer.
    #[error("it was left out on purpose: {0} is a partial archive")]
    LayerNotCarried(Place),
    /// The bases of a partial archive lack layers that were left out of it.
    #[error("{}", lacking(image, *count, layers))]
    BaseLacksLayers {
        /// The first image that needs such a layer.
        image: String,
        /// The number of its layers.
        count: usize,
        /// The numbers, counted from 1, and diff_ids of the layers that are lacking.
        layers: Vec<(usize, DiffId)>,
    },
    /// A list of images, which has no layers, was given where layers are needed.
    #[error("it is a list of images, which has no layers")]
    InventoryWithoutLayers,
    /// An inventory is JSON, but not a list of images.
    #[error(
        "it is JSON, but no image in it has `RootFS.Layers`, as `docker image inspect` prints it"
    )]
    NoInventory,
    /// The number of layers differs from the number of diff_ids.
    #[error("`{name}` has {layers} layers, but its config lists {diff_ids} diff_ids")]
    LayerCount {
        /// The image.
        name: String,
        /// The number of layers.
        layers: usize,
        /// The number of diff_ids in the config.
        diff_ids: usize,
    },
    /// The input exceeds a limit.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Links between members of an archive are broken; this is the first of them.
    #[error("member `{0}` is a dangling link")]
    LinkBroken(String),
    /// A member of an archive is a sparse file.
    #[error("member `{0}` is a sparse file, which restow does not read")]
    MemberSparse(String),
    /// A document names something that does not exist.
    #[error("{document} names `{name}`, which is missing")]
    MemberAbsent {
        /// The document.
        document: String,
        /// The missing name.
        name: String,
    },
    /// This path of a member contains `..`.
    #[error("member `{0}`: the path leads out of the archive")]
    MemberEscapes(String),
    /// The input holds no image.
    #[error("it contains no image")]
    NoImage,
    /// The input holds no delta.
    #[error("it contains no delta; `restow delta OLD NEW DELTA` writes one")]
    NotADelta,
    /// The input is not an image.
    #[error(
        "it is not a container image ({}); expected a docker archive, an OCI layout or a tar",
        seen(*kind)
    )]
    NotAnImage {
        /// The kind of file, if known.
        kind: Option<FileKind>,
    },
    /// The input is not a tar, but a root filesystem was expected.
    #[error("it is not a tar ({})", seen(*kind))]
    NotATar {
        /// The kind of file, if known.
        kind: Option<FileKind>,
    },
    /// The user named a layout in a folder, and this is a file.
    #[error("it is a file; expected an OCI layout in a folder")]
    NotAFolder,
    /// The input does not have the format that the user named.
    #[error("it is not {expected}: {missing} is missing")]
    NotOfFormat {
        /// The format.
        expected: InputKind,
        /// The part whose absence rules the format out.
        missing: &'static str,
    },
    /// A folder is not of the expected kind.
    #[error("it is {folder}; expected {expected}")]
    OtherFolder {
        /// The kind of folder.
        folder: Folder,
        /// The kind of input that was expected.
        expected: InputKind,
    },
    /// The format of this transport cannot be written there.
    #[error("`{0}` cannot be written here")]
    NotWritable(&'static str),
    /// This output already exists.
    #[error("`{0}` already exists")]
    OutputExists(PathBuf),
    /// Something cannot be read.
    #[error("cannot read {what}")]
    Read {
        /// The thing that was written.
        what: Place,
        /// The cause.
        source: Box<Error>,
    },
    /// This image is a Docker manifest of schema 1.
    #[error("`{0}` is a Docker schema 1 image, which has no diff_ids")]
    Schema1(String),
    /// The size of a blob differs from the one in its descriptor.
    #[error("blob has the wrong size: expected {expected} bytes, got {got}")]
    SizeMismatch {
        /// The size in the descriptor.
        expected: u64,
        /// The actual size.
        got: u64,
    },
    /// A system call failed.
    #[error(transparent)]
    System(io::Error),
    /// The bytes are not a tar.
    #[error(transparent)]
    Tar(TarError),
    /// A thread could not be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// This v1 image is, through its parents, its own ancestor.
    #[error("image {0} is its own ancestor")]
    V1Circle(String),
    /// The files of this image are for Windows, and are not a root filesystem.
    #[error("`{0}` is a Windows image, whose layers cannot be merged")]
    WindowsImage(String),
    /// Something cannot be written.
    #[error("cannot write {what}")]
    Write {
        /// The thing that was written.
        what: Place,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// The thing that others share through a symbolic link of this name in a layout.
fn shared_by(name: &str) -> &'static str {
    if name == "index.json" {
        "it"
    } else {
        "the blobs there"
    }
}

/// The clause that describes a file of an unexpected kind.
fn seen(kind: Option<FileKind>) -> String {
    match kind {
        Some(kind) => format!("looks like {kind}"),
        None => "unknown file format".to_owned(),
    }
}

impl Error {
    /// Returns the error for a failure to read `what`.
    pub fn read(what: Place, source: impl Into<Self>) -> Self {
        let source = Box::new(source.into());
        Self::Read { what, source }
    }

    /// Returns the error for a failure to write `what`.
    #[must_use]
    pub fn write(what: Place, source: io::Error) -> Self {
        Self::Write { what, source }
    }

    /// Returns the error for a malformed document, which messages call `what`.
    pub(crate) fn document(what: impl Into<String>, source: DocumentError) -> Self {
        let what = what.into();
        Self::Document { what, source }
    }

    /// An error at the end of a copy that failed.
    pub(crate) fn copy(from: Place, to: Place, error: CopyError) -> Self {
        match error {
            CopyError::Read(source) => Self::from(source).while_reading(from),
            CopyError::Write(source) => Self::write(to, source),
            CopyError::Interrupted => Self::Interrupted,
        }
    }

    /// The party that can do something about the error.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self {
            Self::Change(_)
            | Self::Choice(_)
            | Self::DirectoryInTheWay(_)
            | Self::FolderNotEmpty(_)
            | Self::NotWritable(_)
            | Self::OutputExists(_) => Cause::Choice,
            Self::Interrupted | Self::DeletionInterrupted => Cause::Interrupted,
            Self::Layer(error) => Cause::of_layer(error),
            Self::Read { source, .. } => source.cause(),
            Self::System(error) => Cause::of_io(error),
            Self::Tar(error) => Cause::of_tar(error),
            Self::BlobRemoved { .. } | Self::Thread(_) | Self::Write { .. } => Cause::Machine,
            _ => Cause::Input,
        }
    }

    /// True if the error did not happen at the thing that was being read.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(
            self,
            Self::BlobRemoved { .. }
                | Self::Interrupted
                | Self::DeletionInterrupted
                | Self::Write { .. }
                | Self::Thread(_)
        )
    }

    /// A description of what is missing, if the error is that the input lacks
    /// something.
    pub(crate) fn absence(&self) -> Option<String> {
        match self {
            Self::MemberAbsent { .. } => Some(self.to_string()),
            Self::Read {
                what: Place::Layer {
                    position, count, ..
                },
                source,
            } if matches!(**source, Self::LayerAbsent) => {
                Some(format!("layer {position} of {count} is not in the input"))
            }
            Self::Read { source, .. } => source.absence(),
            _ => None,
        }
    }

    /// [`Self::Interrupted`] if the caller stopped the operation, since any later
    /// failure is a consequence of that; otherwise the error itself.
    pub(crate) fn or_interrupted(self, progress: &dyn Progress) -> Self {
        if progress.is_interrupted() && !matches!(self, Self::DeletionInterrupted) {
            return Self::Interrupted;
        }
        self
    }

    /// Adds what was being read when the error happened.
    ///
    /// An interruption and a failure to write remain unchanged.
    pub(crate) fn while_reading(self, what: Place) -> Self {
        if self.is_elsewhere() {
            return self;
        }
        Self::read(what, self)
    }
}

/// The layers of an image that no base has, as a sentence.
fn lacking(image: &str, count: usize, layers: &[(usize, DiffId)]) -> String {
    const SHOWN: usize = 3;
    let shown = layers.iter().take(SHOWN);
    let shown = shown.map(|(number, diff_id)| format!("layer {number} of {count} ({diff_id})"));
    let shown = shown.collect::<Vec<_>>().join(", ");
    let others = more(layers.len().saturating_sub(SHOWN));
    format!("no BASE has these layers of `{image}`: {shown}{others}")
}

/// The number of further items, as the end of a clause: ` and 2 more`.
pub(crate) fn more(others: usize) -> String {
    match others {
        0 => String::new(),
        others => format!(" and {others} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors that need too much data, or a fault of the machine, to be provoked by a
    /// command.
    #[test]
    fn the_text_of_what_is_hard_to_provoke() {
        let limit = 10;
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let cases = [
            (
                LimitError::DocumentsTooLarge(10).into(),
                "its metadata exceeds the limit of 10 bytes",
            ),
            (
                Error::NotWritable("rootfs"),
                "`rootfs` cannot be written here",
            ),
            (Error::Thread(full()), "cannot start a thread"),
            (
                Error::BlobRemoved {
                    digest: Digest::of(b""),
                    layout: "lay".into(),
                },
                "another process has removed the blob sha256:e3b0c44298fc1c149afbf4c8996fb924\
                 27ae41e4649b934ca495991b7852b855 from `lay`",
            ),
            (
                LimitError::TooManyLayers {
                    id: "a".to_owned(),
                    limit,
                }
                .into(),
                "image a exceeds the limit of 10 layers",
            ),
            (
                LimitError::TooManyMembers(limit).into(),
                "it exceeds the limit of 10 archive members",
            ),
            (
                Error::write(Place::StandardOutput, full()),
                "cannot write standard output",
            ),
        ];
        for (error, text) in cases {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn the_cause_is_told_through_every_level() {
        let of_format = || io::Error::other("bad");
        let of_system = || io::Error::from_raw_os_error(5);
        let layer = |error| {
            let fault = TarError::Io(error);
            let entry = "a".to_owned();
            Error::from(LayerError::Behind { entry, fault })
        };
        let choice = ChoiceError::TooFewLayers {
            wanted: 2,
            count: 1,
        };
        let limit = LimitError::TooManyMembers(1);
        let cases = [
            (Error::from(of_format()), Cause::Input),
            (of_system().into(), Cause::Machine),
            (TarError::Io(of_system()).into(), Cause::Machine),
            (layer(of_format()), Cause::Input),
            (layer(of_system()), Cause::Machine),
            (Error::Thread(of_format()), Cause::Machine),
            (choice.into(), Cause::Choice),
            (limit.into(), Cause::Input),
            (Error::Interrupted, Cause::Interrupted),
        ];
        for (error, cause) in cases {
            assert_eq!(error.cause(), cause, "{error}");
            let inner = Error::read(Place::Member("a".to_owned()), error);
            let outer = Error::read(Place::StandardInput, inner);
            assert_eq!(outer.cause(), cause, "{outer}");
        }
        let written = Error::write(Place::StandardOutput, of_format());
        assert_eq!(written.cause(), Cause::Machine);
    }
}
