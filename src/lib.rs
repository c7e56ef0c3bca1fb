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
//!             main + cli               the only place that knows clap, indicatif, a terminal
//! ```
//!
//! Each line uses only lines above it, in its own column; `error` and `event`, which
//! have what either column may fail with or warn of, also look at `layer`. The left column is what is in
//! a layer, the right one how images are stored; they never meet before `ops`.
//! `tar_stream`, the syntax that the tar inside a layer and the tar around an image
//! share, is above both. `tests/it/architecture.rs` holds the picture as a table and
//! fails on what it does not allow.
//!
//! # The way of the data
//!
//! [`format::open`] finds out what an input is and returns a
//! [`format::source::ImageSource`]; [`format::create`] begins an output, a
//! [`format::sink::ImageSink`]; [`ops::convert()`] moves images from one to the
//! other, and [`ops::squash()`] merges layers on the way. [`ops::export()`] writes
//! what all layers show together, and [`ops::import()`] makes an image of that.
//! Everything that is read is verified against its digest, size and diff_id while it
//! passes by, and nothing of an output is visible before all of it is there;
//! [`limits`] says what is refused for being too much. [`ops::verify()`] goes on
//! after the first fault, and returns all of them.
//!
//! [`ops::images()`], [`ops::inspect()`] and [`ops::history()`] only look: at
//! documents, which are verified, and at the headers of layers, which are not.
//! [`ops::convert()`] looks at no entry of a layer, but at those of a bare root
//! filesystem.
//!
//! ```no_run
//! use std::num::NonZeroUsize;
//! use std::path::Path;
//! use std::sync::atomic::AtomicBool;
//!
//! use restow::event::Watch;
//! use restow::format::{self, Format, Input, Opening, Output};
//! use restow::ops::{self, Context, ConvertOptions};
//!
//! # fn main() -> restow::Result<()> {
//! let interrupt = AtomicBool::new(false);
//! let watch = Watch::new(&|_| (), &interrupt);
//! let path = "layout".into();
//! let output = Output::Path { path, replace: false };
//! let sink = format::create(Format::OciDirectory, output, Path::new("/tmp"))?;
//! let opening = Opening {
//!     format: None,
//!     staging: sink.staging(),
//!     temporary_directory: Path::new("/tmp"),
//!     measures: true,
//!     platform: None,
//!     created: None,
//!     watch,
//! };
//! let source = format::open(Input::Path("app.tar".into()), &opening)?;
//! let temporary_directory = Path::new("/tmp");
//! let context = Context { watch, jobs: NonZeroUsize::MIN, temporary_directory };
//! let report = ops::convert(source.as_ref(), sink, &ConvertOptions::default(), context)?;
//! println!("{} images", report.images.len());
//! # Ok(())
//! # }
//! ```
//!
//! # Promises
//!
//! The library never prints, reads no environment and ends no process. Memory is
//! bounded by the documents of the images and a fixed number of buffers, and where
//! layers are merged or verified, or a root filesystem is taken for an image, by one
//! record for each of their entries, whatever they weigh.

pub mod digest;
pub mod error;
pub mod event;
pub mod finding;
pub mod limits;
mod progress;

mod stream;
mod tar_stream;

mod layer;
mod merge;

pub mod dockerfile;
pub mod image;

pub mod format;

mod transfer;

pub mod ops;

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;

pub use error::{Error, Result};
pub use layer::{Ambiguity, EntryFault, LayerError, PathError, WhiteoutError};
pub use stream::{Compression, DecodeLimit, Encoding, FileKind, FileSlice, Hashed};
pub use tar_stream::{TarError, Trailing};
