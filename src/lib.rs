//! Container images on disk: read, converted and written without an engine, a registry
//! or root privileges.
//!
//! # The shape
//!
//! ```text
//!               digest                 names of content
//!     progress   finding   limits      progress, interruption · results of a check · limits of input
//!                 glob                 patterns of names
//!                stream                bytes: hash, compress, spool, commit
//!              tar_stream              members of a tar
//!               tar_diff               a tar as a difference from other files
//!             ╱          ╲
//!         layer          image         inside one tar │ the JSON documents        dockerfile
//!           │           error          │ errors
//!           │           event          │ events and warnings
//!         merge          format        many layers → one tree │ images on disk
//!         folder           │           a tree as files below a folder, written and packed
//!           │              │
//!           │           transfer       one image from a source to a sink
//!             ╲          ╱
//!                 ops                  convert, squash, export, extract, import, …
//!                  │
//!               session                the entry point: shared settings, inputs and outputs
//!                  │
//!             main + cli               the only place that knows clap, a terminal
//! ```
//!
//! Each line uses only lines above it, in its own column; `error` and `event`, which
//! describe failures and warnings of either column, also use `layer`. The left column
//! is the content of layers, the right one the storage of images; they meet only in
//! `ops`. `dockerfile`, which parses `--change` and `--unset`, uses nothing. `tar_stream`, the syntax
//! shared by the tar inside a layer and the tar around an image, is above both.
//! `tests/it/architecture.rs` holds the picture as a table, and fails on any use that
//! it does not allow and on a circle in any folder.
//!
//! # The flow of data
//!
//! A [`Session`] is the entry point. It opens an [`Input`], whose format it detects,
//! and begins an [`Output`]; [`Session::convert`] copies images from one to the other,
//! [`Session::squash`] merges layers and [`Session::configure`] changes the config on
//! the way. [`Session::export`] writes the
//! merged root filesystem of an image as a tar, [`Session::extract`] as files, and
//! [`Session::import`] makes an image of one. [`Session::append`] adds layers on top of one.
//! Everything that is read is verified against its digest, size and diff_id in the same
//! pass, and no part of an output is visible before it is complete; [`limits`] lists
//! the sizes beyond which input is refused. [`Session::verify`] goes on after the first
//! fault, and returns all of them.
//!
//! [`Session::images`], [`Session::inspect`] and [`Session::history`] read only
//! documents, which are verified, and the headers of uncompressed layers, which are not;
//! they unpack a layer only if [`SizeChoice::All`] asks for it.
//! [`Session::convert`] reads no entries of layers, except those of a bare root
//! filesystem.
//!
//! ```no_run
//! use restow::{ConvertOptions, Input, Output, Session};
//!
//! # fn main() -> restow::Result<()> {
//! let session = Session::new();
//! let (input, output) = (Input::path("app.tar"), Output::layout("layout"));
//! let report = session.convert(input, output, &ConvertOptions::default())?;
//! println!("{} images", report.images.len());
//! # Ok(())
//! # }
//! ```
//!
//! # The commands
//!
//! The command line of each command, its text and its JSON are in `src/cli/`, in the
//! file named after it. Its work is in `src/ops/`:
//!
//! | command | library | work |
//! | --- | --- | --- |
//! | `append` | [`Session::append`], [`Session::append_to_scratch`] | `ops/append/`, `folder/`, `image/config/append.rs` |
//! | `cat` | [`Session::cat`] | `ops/cat.rs`, `ops/stack/`, `merge/` |
//! | `config` | [`Session::configure`] | `ops/config/`, `dockerfile/`, `image/config/edit.rs` |
//! | `apply` | [`Session::apply`] | `ops/apply/`, `tar_diff/` |
//! | `convert` | [`Session::convert`] | `ops/convert.rs`, `transfer/` |
//! | `delta` | [`Session::delta`] | `ops/delta/`, `tar_diff/`, `ops/stack/` |
//! | `convert` | [`Session::convert`], [`Session::complete`], [`Session::inventory`] | `ops/convert.rs`, `ops/partial/`, `transfer/` |
//! | `diff` | [`Session::diff`], [`Session::diff_text`] | `ops/diff/`, `ops/stack/`, `merge/` |
//! | `export` | [`Session::export`] | `ops/export.rs`, `ops/stack/`, `merge/` |
//! | `extract` | [`Session::extract`] | `ops/extract.rs`, `ops/stack/`, `merge/`, `folder/` |
//! | `files` | [`Session::files`], [`Session::file_changes`] | `ops/files/`, `ops/stack/`, `merge/` |
//! | `history` | [`Session::history`] | `ops/history.rs`, `ops/inspect.rs` |
//! | `images` | [`Session::images`] | `ops/images.rs` |
//! | `import` | [`Session::import`] | `ops/import.rs`, `folder/`, `image/config/import.rs` |
//! | `inspect` | [`Session::inspect`], [`Session::raw_document`] | `ops/inspect.rs` |
//! | `squash` | [`Session::squash`], [`Session::plan_squash`] | `ops/squash/`, `ops/stack/`, `merge/` |
//! | `verify` | [`Session::verify`] | `ops/verify/`, `format/survey/` |
//!
//! The formats are in `src/format/`; `ops/choose/` finds the image that `--image` and
//! `--platform` select.
//!
//! # Promises
//!
//! The library never prints, reads no environment variables and does not end the
//! process. Memory is bounded by the documents of the images and a fixed number of
//! buffers. Merging or verifying layers, and reading a root filesystem as an image,
//! also need one record for each entry, regardless of its size.

mod digest;
mod error;
mod event;
mod finding;
mod glob;
#[doc = include_str!("json.md")]
pub mod json {}
pub mod limits;
mod progress;

mod stream;
mod tar_diff;
mod tar_stream;

mod layer;
mod merge;

mod folder;

mod dockerfile;
mod image;

mod format;

mod transfer;

mod ops;

mod session;

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;

pub use digest::{Algorithm, DiffId, Digest, DigestError};
pub use dockerfile::{ChangeError, ChangeFault, Changes, Unset, UnsetError};
pub use error::{
    Candidate, Cause, ChoiceError, Error, Folder, InputKind, LimitError, Place, Remedy, Result,
};
pub use event::{Event, Step, Warning};
pub use finding::{Code, Finding, Severity, Site};
pub use format::{Format, Input, Output};
pub use image::{
    DocumentError, HistoryEntry, PatternError, Platform, PlatformError, Reference, ReferenceError,
    ReferencePattern, RunConfig, Timestamp, TimestampError,
};
pub use layer::{Ambiguity, EntryFault, LayerError, PathError, WhiteoutError};
pub use merge::PathPattern;
pub use ops::{
    AppendOptions, AppendReport, AppendedLayer, Aspect, BaseFound, ChangeCount, ChangeKind,
    ComparedImage, Completed, CompressionChoice, ConfigOptions, ConvertOptions, DeltaImage,
    DeltaLayer, DeltaOptions, DeltaReport, Detail, DiffKind, DiffOptions, DiffReport, EntryType,
    ExportOptions, ExportReport, ExtractOptions, ExtractReport, FieldChange, FileChange, FileEntry,
    FileRun, FileTime, FileTree, FilesOptions, Found, FoundImage, FoundKind, HiddenFile,
    HiddenReason, HistoryReport, HistoryStep, ImageConfig, ImagesOptions, ImagesReport,
    ImportOptions, InspectOptions, InspectedLayer, Inspection, Inventory, LayerChoice, LayerName,
    LayerRangeError, LayerSize, LayerWay, LeftOut, LeftOutImage, LinkChange, Listed, MediaTypes,
    Name, NewLayer, PathChange, RawDocument, RebaseOptions, RebaseReport, RemoveOptions,
    RemoveReport, RemovedItem, Retag, RetagError, Selector, SelectorError, SizeChoice,
    SquashOptions, SquashReport, SquashedRange, TextDiff, TextDifference, Verification, WasteLayer,
    WasteOptions, WastePlan, WasteRemedy, WasteReport, WriteReport, WrittenImage, XattrChange,
};
pub use session::{Images, PendingOutput, Session, Source, Target};
pub use stream::{Compression, DecodeLimit, Encoding, FileKind};
#[doc(hidden)]
pub use stream::{open_regular, write_file};
pub use tar_stream::TarError;
