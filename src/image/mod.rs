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
mod index;
mod json;
mod manifest;
pub(crate) mod media_type;
mod pattern;
mod platform;
mod reference;
mod repeated;
mod run_config;
mod time;
pub(crate) mod types;

pub use change::{ChangeError, ChangeFault, Changes};
pub use config::HistoryEntry;
pub(crate) use config::{Config, ImportedConfig, Squashed, history, squash_config};
pub(crate) use descriptor::Descriptor;
pub(crate) use document::{Document, View};
pub(crate) use index::Index;
pub(crate) use index::new_index;
pub use json::DocumentError;
pub(crate) use json::{compact, go_json, json_text, parse_value};
pub(crate) use manifest::Manifest;
pub(crate) use manifest::new_manifest;
pub use pattern::{PatternError, ReferencePattern};
pub use platform::{Platform, PlatformError};
pub use reference::{Reference, ReferenceError};
pub use run_config::RunConfig;
pub(crate) use time::rfc3339;
pub use time::{Timestamp, TimestampError};

/// The annotation of an index descriptor that names an image.
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The annotation by which containerd, and so Docker, names an image in full.
pub(crate) const CONTAINERD_NAME: &str = "io.containerd.image.name";
