//! The documents of an image: JSON in, JSON out; no files, no tar.
//!
//! Field names and rules are those of the [OCI image specification] 1.1.1 and of
//! the Docker formats that it grew from. A document keeps the bytes it came in,
//! so that its digest stays true; what must change is edited as JSON, so that
//! fields that are not modelled here survive.
//!
//! [OCI image specification]: https://github.com/opencontainers/image-spec/tree/v1.1.1

mod change;
mod config;
mod descriptor;
mod document;
mod history;
mod index;
mod json;
mod manifest;
pub mod media_type;
mod pattern;
mod platform;
mod reference;
mod run_config;
mod time;

pub use change::{ChangeError, ChangeFault, Changes};
pub use config::Config;
pub(crate) use config::{Provenance, Squashed, squash_config};
pub use descriptor::Descriptor;
pub use document::{Document, View};
pub use history::{HistoryEntry, history};
pub use index::Index;
pub(crate) use index::new_index;
pub use json::DocumentError;
pub(crate) use json::{compact, go_json};
pub use manifest::Manifest;
pub(crate) use manifest::new_manifest;
pub use pattern::{PatternError, ReferencePattern};
pub use platform::{Platform, PlatformError};
pub use reference::{Reference, ReferenceError};
pub use run_config::RunConfig;
pub use time::{parse_time, rfc3339};

/// The annotation of an index descriptor that names an image.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The annotation by which containerd, and so Docker, names an image in full.
pub const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// The most bytes that a document may have. Registries and engines stop at 4 to
/// 20 MiB; a config of that size would already be absurd.
pub const DOCUMENT_MAX: u64 = 32 * 1024 * 1024;

/// The most bytes that all documents of an input may have together: they are held
/// in memory while the input is read.
pub const DOCUMENTS_MAX: u64 = 128 * 1024 * 1024;

/// The most values that a document may have: each takes some hundred bytes while
/// it is parsed. Ten thousand descriptors have some hundred thousand.
pub const VALUES_MAX: usize = 500_000;

/// The most descriptors that one document may list, layers among them.
pub const DESCRIPTORS_MAX: usize = 10_000;

/// How deep indexes may be nested. Two levels occur.
pub const NESTING_MAX: usize = 8;
