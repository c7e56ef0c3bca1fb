//! Container images on disk: read, converted and written without an engine, a
//! registry or root.
//!
//! # The shape
//!
//! ```text
//!               digest                 names of content
//!     progress   finding   limits      bytes counted, a stop · what a check says · what is accepted
//!                stream                bytes: hash, compress, spool, commit
//!              tar_stream              members of a tar
//!             ╱          ╲
//!         layer          image         inside one tar │ the JSON documents        dockerfile
//!           │           error          │ what went wrong
//!           │           event          │ what is going on
//!         merge          format        many layers → one tree │ images on disk
//!           │              │
//!           │           transfer       one image from a source to a sink
//!             ╲          ╱
//!                 ops                  convert, squash, export, import, look, verify
//!                  │
//!               session                the front door: what operations share, inputs and outputs
//!                  │
//!             main + cli               the only place that knows clap, a terminal
//! ```
//!
//! Each line uses only lines above it, in its own column; `error` and `event`, which
//! have what either column may fail with or warn of, also look at `layer`. The left
//! column is what is in a layer, the right one how images are stored; they never meet
//! before `ops`. `dockerfile`, which reads `--change`, uses nothing. `tar_stream`, the
//! syntax that the tar inside a layer and the tar around an image share, is above both.
//! `tests/it/architecture.rs` holds the picture as a table, and fails on what it does not
//! allow and on a circle in any folder.
//!
//! # The way of the data
//!
//! A [`Session`] is the way in. It opens an [`Input`], whose format it finds out, and
//! begins an [`Output`]; [`Session::convert`] moves images from one to the other, and
//! [`Session::squash`] merges layers on the way. [`Session::export`] writes what all
//! layers show together, and [`Session::import`] makes an image of that. Everything that
//! is read is verified against its digest, size and diff_id while it passes by, and
//! nothing of an output is visible before all of it is there; [`limits`] says what is
//! refused for being too much. [`Session::verify`] goes on after the first fault, and
//! returns all of them.
//!
//! [`Session::images`], [`Session::inspect`] and [`Session::history`] only look: at
//! documents, which are verified, and at the headers of layers, which are not.
//! [`Session::convert`] looks at no entry of a layer, but at those of a bare root
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
//! The command line of each command, and its text and JSON, are in `src/cli/`, in the
//! file with its name. Its work is in `src/ops/`:
//!
//! | command | library | work |
//! | --- | --- | --- |
//! | `convert` | [`Session::convert`] | `ops/convert.rs`, `transfer/` |
//! | `export` | [`Session::export`] | `ops/export.rs`, `ops/stack/`, `merge/` |
//! | `history` | [`Session::history`] | `ops/history.rs`, `ops/inspect.rs` |
//! | `images` | [`Session::images`] | `ops/images.rs` |
//! | `import` | [`Session::import`] | `ops/import.rs`, `image/config/import.rs` |
//! | `inspect` | [`Session::inspect`], [`Session::raw_document`] | `ops/inspect.rs` |
//! | `squash` | [`Session::squash`], [`Session::plan_squash`] | `ops/squash/`, `ops/stack/`, `merge/` |
//! | `verify` | [`Session::verify`] | `ops/verify/`, `format/survey/` |
//!
//! The formats are in `src/format/`; `ops/choose/` finds the image that `--image` and
//! `--platform` mean.
//!
//! # Promises
//!
//! The library never prints, reads no environment and ends no process. Memory is
//! bounded by the documents of the images and a fixed number of buffers, and where
//! layers are merged or verified, or a root filesystem is taken for an image, by one
//! record for each of their entries, whatever they weigh.

mod digest;
mod error;
mod event;
mod finding;
pub mod limits;
mod progress;

mod stream;
mod tar_stream;

mod layer;
mod merge;

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
pub use dockerfile::{ChangeError, ChangeFault, Changes};
pub use error::{
    Candidate, Cause, ChoiceError, Error, Folder, InputKind, LimitError, Place, Result,
};
pub use event::{Event, Step, Warning};
pub use finding::{Code, Finding, Severity, Site};
pub use format::{Format, Input, Output};
pub use image::{
    DocumentError, HistoryEntry, PatternError, Platform, PlatformError, Reference, ReferenceError,
    ReferencePattern, RunConfig, Timestamp, TimestampError,
};
pub use layer::{Ambiguity, EntryFault, LayerError, PathError, WhiteoutError};
pub use ops::{
    CompressionChoice, ConvertOptions, ExportOptions, ExportReport, Found, FoundImage, FoundKind,
    HistoryReport, HistoryStep, ImageConfig, ImagesOptions, ImagesReport, ImportOptions,
    InspectOptions, InspectedLayer, Inspection, LayerChoice, LayerName, LayerRangeError, LayerSize,
    Listed, MediaTypes, Name, RawDocument, Selector, SelectorError, SquashOptions, SquashReport,
    SquashedRange, Verification, WriteReport, WrittenImage,
};
pub use session::{Images, PendingOutput, Session, Source, Target};
pub use stream::{Compression, DecodeLimit, Encoding, FileKind};
pub use tar_stream::TarError;
