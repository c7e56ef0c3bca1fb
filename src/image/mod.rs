//! The documents of an image: JSON in, JSON out; no files, no tar.
//!
//! Field names and rules are those of the [OCI image specification] 1.1.1 and of the
//! Docker formats from which it evolved. A document keeps its original bytes, so that
//! its digest stays valid; changes are made in the JSON, so that fields that are not
//! modelled here survive.
//!
//! [OCI image specification]: https://github.com/opencontainers/image-spec/tree/v1.1.1

mod config;
pub(crate) mod delta;
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

pub use config::HistoryEntry;
pub(crate) use config::{
    Config, ConfigEdit, ImportedConfig, LayerRecord, Squashed, append_config, history,
    rebase_config, scratch_config, set_platform, squash_config,
};
pub(crate) use descriptor::Descriptor;
pub(crate) use document::{Document, Reading, View};
pub(crate) use index::Index;
pub(crate) use index::new_index;
pub use json::DocumentError;
pub(crate) use json::{WHOLE, compact, go_json, json_text, parse_value, push_go};
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

/// The annotation of a layer with the digest of eStargz's table of contents.
pub(crate) const ESTARGZ_TOC: &str = "containerd.io/snapshot/stargz/toc.digest";

/// The annotation with the full name of an image in containerd, and so in Docker.
pub(crate) const CONTAINERD_NAME: &str = "io.containerd.image.name";
