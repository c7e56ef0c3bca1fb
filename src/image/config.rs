//! Configs: what an image runs, and what its layers unpack to.

use serde_json::{Value, json};

use crate::digest::DiffId;
use crate::image::json::{DocumentError, Node};
use crate::image::{DESCRIPTORS_MAX, Platform, View};

/// An image config, OCI's or Docker's: the same document but for further fields.
#[derive(Clone, Debug)]
pub struct Config {
    /// The platform, where the config says it.
    pub platform: Option<Platform>,
    /// The layers' diff_ids, the lowest first.
    pub diff_ids: Vec<DiffId>,
}

impl View for Config {
    fn from_json(value: &Value) -> Result<Self, DocumentError> {
        let root = Node::root(value);
        let rootfs = root.required("rootfs", "an object")?;
        let diff_ids = rootfs.list("diff_ids", DESCRIPTORS_MAX)?;
        Ok(Self {
            platform: Platform::from_json(value),
            diff_ids: diff_ids
                .iter()
                .map(|node| node.digest().map(DiffId))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// The config of an image made of one rootfs tar, with nothing to run.
///
/// History has one entry, with the comment that `docker import` writes when it
/// is given a stream. `created` is RFC 3339.
#[must_use]
pub(crate) fn import_config(platform: &Platform, created: &str, diff_id: &DiffId) -> Value {
    let mut config = json!({
        "created": created,
        "architecture": platform.architecture,
        "os": platform.os,
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [diff_id.to_string()]},
        "history": [{"created": created, "comment": "Imported from -"}],
    });
    if let Some(variant) = &platform.variant {
        config["variant"] = variant.as_str().into();
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::image::Document;

    #[test]
    fn an_import_reads_back_as_a_config() {
        let platform: Platform = "linux/arm/v6".parse().unwrap();
        let diff_id = DiffId(Digest::of(b"layer"));
        let value = import_config(&platform, "1970-01-01T00:00:00Z", &diff_id);
        let config = Document::<Config>::from_value(&value).unwrap();
        assert_eq!(config.view().platform, Some(platform));
        assert_eq!(config.view().diff_ids, [diff_id]);
    }

    #[test]
    fn a_config_without_rootfs_is_none() {
        for (text, message) in [
            ("{}", "`rootfs` is not an object"),
            (
                r#"{"rootfs": {"diff_ids": ["x"]}}"#,
                "`rootfs.diff_ids[0]` is no digest",
            ),
        ] {
            let error = Document::<Config>::parse(text.into()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}
