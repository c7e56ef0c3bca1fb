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
pub mod media_type;
mod pattern;
mod platform;
mod reference;
mod repeated;
mod run_config;
mod time;
pub(crate) mod types;

pub use change::{ChangeError, ChangeFault, Changes};
pub use config::{Config, HistoryEntry, history};
pub(crate) use config::{ImportedConfig, Squashed, squash_config};
pub use descriptor::Descriptor;
pub(crate) use document::Reading;
pub use document::{Document, View};
pub use index::Index;
pub(crate) use index::new_index;
pub use json::DocumentError;
pub(crate) use json::{WHOLE, compact, go_json, json_text, parse_value};
pub use manifest::Manifest;
pub(crate) use manifest::new_manifest;
pub use pattern::{PatternError, ReferencePattern};
pub use platform::{Platform, PlatformError};
pub use reference::{Reference, ReferenceError};
pub use run_config::RunConfig;
pub use time::{Timestamp, TimestampError, rfc3339};

/// The annotation of an index descriptor that names an image.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The annotation by which containerd, and so Docker, names an image in full.
pub const CONTAINERD_NAME: &str = "io.containerd.image.name";
