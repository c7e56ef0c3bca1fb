//! What can go wrong, as facts of the user's world.
//!
//! Rules of the house:
//!
//! 1. A variant is a fact, not the name of a dependency that noticed it.
//! 2. It carries the place, and each level adds only the place that it knows, so
//!    that a chain reads from the outside in and nothing is said twice.
//!    Positions count from 1.
//! 3. The text is a lower-case fragment without a final period; literals stand in
//!    backticks, digests bare and in full; what was expected comes before what
//!    came.
//! 4. `Display` is this level alone; `source` has the cause.
//! 5. Advice is not given here. The binary adds hints.
//! 6. Nobody looks into a box, or for the error number of the system, to find out who is
//!    to blame: [`Error::cause`] says it.
//!
//! Names from an archive are escaped where they enter a message
//! (`tar_stream::display_name`), or where it is printed.

mod cause;
mod choice;
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

use crate::digest::Digest;
use crate::dockerfile::ChangeError;
use crate::image::DocumentError;
use crate::layer::LayerError;
use crate::progress::Progress;
use crate::stream::{Compression, CopyError, DecodeError, FileKind};
use crate::tar_stream::TarError;

/// The result of nearly everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An instruction cannot be applied to a config.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// What was asked for cannot be had.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// The compression of a blob is not one that can be read.
    #[error("its {compression} stream is damaged")]
    Compression {
        /// Which one.
        compression: Compression,
        /// What the decoder says.
        source: io::Error,
    },
    /// Two members with this name, and not the same content.
    #[error("it has two different members named `{0}`")]
    ControlFileTwice(String),
    /// A blob is not what its name says.
    #[error("blob does not match its digest: expected {expected}, got {got}")]
    DigestMismatch {
        /// The name.
        expected: Digest,
        /// What the bytes hash to.
        got: Digest,
    },
    /// A layer unpacks to something else than the config says.
    #[error("layer does not match its diff_id: expected {expected}, got {got}")]
    DiffIdMismatch {
        /// What the config says.
        expected: Digest,
        /// What the unpacked bytes hash to.
        got: Digest,
    },
    /// This folder, which is there, is neither empty nor a layout.
    #[error("`{0}` is neither an OCI layout nor empty")]
    DirectoryInTheWay(PathBuf),
    /// A document is malformed.
    #[error("cannot parse {what}")]
    Document {
        /// Which document.
        what: String,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// An image has no such document.
    #[error("`{name}` has no {document} in the input")]
    DocumentAbsent {
        /// The image.
        name: String,
        /// Which document.
        document: &'static str,
    },
    /// Images lie below a folder of a tar, where no reader looks for them.
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
    /// A tar of files each of which is an archive of images.
    #[error("it is a tar that contains an image archive, `{file}`{}", more(*others))]
    ImageInside {
        /// The first of them.
        file: String,
        /// How many there are besides.
        others: usize,
    },
    /// The input has no byte.
    #[error("it is empty")]
    Empty,
    /// An entry of a root filesystem is one that engines refuse.
    #[error("{fault}")]
    EntryUnfit {
        /// The entry, what is wrong with it, and what follows.
        fault: String,
        /// Whether the tar can be written anew without it.
        is_readable: bool,
    },
    /// The layout is of this version, as `oci-layout` says, and not of the one that is known.
    #[error("its layout version is `{0}`; only `1.0.0` is supported")]
    LayoutVersion(String),
    /// The caller asked for the end.
    #[error("interrupted")]
    Interrupted,
    /// A layer is encrypted.
    #[error("it is encrypted")]
    LayerEncrypted,
    /// `manifest.json` has no name for a layer.
    #[error(
        "`manifest.json` does not name it: only an engine that already has this layer can load the archive"
    )]
    LayerLeftOut,
    /// The entries of a layer cannot be read, or not be merged.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// A layer is described by an image, and not in the input.
    #[error("its blob is not in the input")]
    LayerAbsent,
    /// The number of layers is not that of the diff_ids.
    #[error("`{name}` has {layers} layers, but its config lists {diff_ids} diff_ids")]
    LayerCount {
        /// The image.
        name: String,
        /// How many layers there are.
        layers: usize,
        /// How many the config describes.
        diff_ids: usize,
    },
    /// It is more than is accepted.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Links among the members of an archive, of which this is the first, lead nowhere.
    #[error("member `{0}` is a dangling link")]
    LinkBroken(String),
    /// Something is named by a document, and not there.
    #[error("{document} names `{name}`, which is missing")]
    MemberAbsent {
        /// The document.
        document: String,
        /// What it names.
        name: String,
    },
    /// This path of a member has `..` in it.
    #[error("member `{0}`: the path leaves the archive")]
    MemberEscapes(String),
    /// The input holds nothing to take.
    #[error("it contains no image")]
    NoImage,
    /// The input is something else.
    #[error(
        "it is not a container image ({}); expected a docker archive, an OCI layout or a tar",
        seen(*kind)
    )]
    NotAnImage {
        /// The kind of file, if it is known.
        kind: Option<FileKind>,
    },
    /// A root filesystem was expected.
    #[error("it is not a tar ({})", seen(*kind))]
    NotATar {
        /// The kind of file, if it is known.
        kind: Option<FileKind>,
    },
    /// The input is not of the format that the user named.
    #[error("it is not {expected}: {missing} is missing")]
    NotOfFormat {
        /// The format.
        expected: InputKind,
        /// What makes one.
        missing: &'static str,
    },
    /// A folder is something else than was expected.
    #[error("it is {folder}; expected {expected}")]
    OtherFolder {
        /// The kind of folder.
        folder: Folder,
        /// The kind of input that was expected.
        expected: InputKind,
    },
    /// The format that this transport means cannot be written there.
    #[error("`{0}` cannot be written here")]
    NotWritable(&'static str),
    /// This output is there already.
    #[error("`{0}` already exists")]
    OutputExists(PathBuf),
    /// Something cannot be read.
    #[error("cannot read {what}")]
    Read {
        /// What.
        what: Place,
        /// Why.
        source: Box<Error>,
    },
    /// This image is a Docker manifest of schema 1.
    #[error("`{0}` is a Docker schema 1 image, which has no diff_ids")]
    Schema1(String),
    /// A blob is shorter than its descriptor says, or longer.
    #[error("blob has the wrong size: expected {expected} bytes, got {got}")]
    SizeMismatch {
        /// What the descriptor says.
        expected: u64,
        /// How many there are.
        got: u64,
    },
    /// The system said no.
    #[error(transparent)]
    System(io::Error),
    /// The bytes are not a tar.
    #[error(transparent)]
    Tar(TarError),
    /// A thread could not be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// This v1 image is one of those that are built on themselves.
    #[error("image {0} is its own ancestor")]
    V1Circle(String),
    /// The files of this image, for Windows, are not those of a root filesystem.
    #[error("`{0}` is a Windows image, whose layers cannot be merged")]
    WindowsImage(String),
    /// Something cannot be written.
    #[error("cannot write {what}")]
    Write {
        /// What.
        what: Place,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The clause that names a file that is something else.
fn seen(kind: Option<FileKind>) -> String {
    match kind {
        Some(kind) => format!("looks like {kind}"),
        None => "unknown file format".to_owned(),
    }
}

impl From<io::Error> for Error {
    /// Tells a stream that cannot be unpacked, or is no tar, from what the system said.
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
    /// A tar that cannot be read is no malformed one.
    fn from(error: TarError) -> Self {
        match error {
            TarError::Io(error) => error.into(),
            error => Self::Tar(error),
        }
    }
}

impl Error {
    /// Says that reading `what` failed, and why.
    pub fn read(what: Place, source: impl Into<Self>) -> Self {
        let source = Box::new(source.into());
        Self::Read { what, source }
    }

    /// Says that writing `what` failed, and why.
    #[must_use]
    pub fn write(what: Place, source: io::Error) -> Self {
        Self::Write { what, source }
    }

    /// Says that the document that messages call `what` is malformed, and why.
    pub(crate) fn document(what: impl Into<String>, source: DocumentError) -> Self {
        let what = what.into();
        Self::Document { what, source }
    }

    /// Says which end of a copy failed.
    pub(crate) fn copy(from: Place, to: Place, error: CopyError) -> Self {
        match error {
            CopyError::Read(source) => Self::from(source).while_reading(from),
            CopyError::Write(source) => Self::write(to, source),
            CopyError::Interrupted => Self::Interrupted,
        }
    }

    /// Who can do something about it.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self {
            Self::Change(_)
            | Self::Choice(_)
            | Self::DirectoryInTheWay(_)
            | Self::NotWritable(_)
            | Self::OutputExists(_) => Cause::Choice,
            Self::Interrupted => Cause::Interrupted,
            Self::Layer(error) => Cause::of_layer(error),
            Self::Read { source, .. } => source.cause(),
            Self::System(error) => Cause::of_io(error),
            Self::Tar(error) => Cause::of_tar(error),
            Self::Thread(_) | Self::Write { .. } => Cause::Machine,
            _ => Cause::Input,
        }
    }

    /// Whether it happened elsewhere than at what was being read.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(
            self,
            Self::Interrupted | Self::Write { .. } | Self::Thread(_)
        )
    }

    /// The text of what is missing, if the input does not hold something.
    pub(crate) fn absence(&self) -> Option<String> {
        match self {
            Self::MemberAbsent { .. } => Some(self.to_string()),
            Self::Read { source, .. } => source.absence(),
            _ => None,
        }
    }

    /// What really happened, if the caller wanted the end: whatever fails after
    /// that fails because of it.
    pub(crate) fn or_interrupted(self, progress: &dyn Progress) -> Self {
        if progress.is_interrupted() {
            return Self::Interrupted;
        }
        self
    }

    /// Adds what was being read when it happened.
    ///
    /// An interruption stays what it is, and so does a failure to write.
    pub(crate) fn while_reading(self, what: Place) -> Self {
        if self.is_elsewhere() {
            return self;
        }
        Self::read(what, self)
    }
}

/// How many more there are, after the first.
pub(crate) fn more(others: usize) -> String {
    match others {
        0 => String::new(),
        others => format!(" and {others} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What takes too much, or a fault of the machine, to be provoked by a command.
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
