//! Configs: the command that an image runs, and the diff_ids of its layers.

mod append;
mod edit;
mod history;
mod import;
mod rebase;
mod squash;

use serde_json::Value;

use crate::digest::DiffId;
use crate::image::json::{DocumentError, Node};
use crate::image::{Platform, View, types};
use crate::limits::DESCRIPTORS_MAX;

pub(crate) use append::{LayerRecord, append_config, scratch_config};
pub(crate) use edit::{ConfigEdit, set_platform};
pub use history::HistoryEntry;
pub(crate) use history::history;
pub(crate) use import::ImportedConfig;
pub(crate) use rebase::rebase_config;
pub(crate) use squash::{Squashed, squash_config};

/// An image config, OCI's or Docker's: the same document except for additional fields.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The platform, if the config has it.
    pub platform: Option<Platform>,
    /// The layers' diff_ids, the lowest first.
    pub diff_ids: Vec<DiffId>,
}

impl View for Config {
    const SCHEMA: types::Type = types::CONFIG;

    fn read(value: &Value, faults: &mut Vec<DocumentError>) -> Option<Self> {
        let diff_ids = diff_ids(value);
        let diff_ids = diff_ids.map_err(|error| faults.push(error)).ok()?;
        Some(Self {
            platform: Platform::from_json(value),
            diff_ids,
        })
    }
}

fn diff_ids(config: &Value) -> Result<Vec<DiffId>, DocumentError> {
    let rootfs = Node::root(config).required("rootfs", "an object")?;
    let diff_ids = rootfs.list("diff_ids", DESCRIPTORS_MAX)?;
    let diff_ids = diff_ids.iter();
    diff_ids.map(|node| node.digest().map(DiffId)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Document;

    #[test]
    fn a_config_without_rootfs_is_none() {
        for (text, message) in [
            ("{}", "`rootfs` is not an object"),
            (
                r#"{"rootfs": {"diff_ids": ["x"]}}"#,
                "`rootfs.diff_ids[0]` is not a digest",
            ),
        ] {
            let error = Document::<Config>::parse(text.into()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}
