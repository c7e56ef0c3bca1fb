//! The config of an imported image: new, or based on another one.

use serde_json::{Value, json};

use crate::digest::DiffId;
use crate::image::config::edit::set_platform;
use crate::image::json::DocumentError;
use crate::image::{Config, Document, Platform};

/// The comment that `docker import` writes for a layer from a stream.
const IMPORT_COMMENT: &str = "Imported from -";

/// The facts from which the config of an imported image is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImportedConfig<'a> {
    /// The diff_id of the only layer.
    pub(crate) diff_id: &'a DiffId,
    /// The platform; by default that of the base config, or the host's.
    pub(crate) platform: Option<&'a Platform>,
    /// The creation time of the image, as RFC 3339; by default that of the base config,
    /// or else [`newest`](Self::newest).
    pub(crate) created: Option<&'a str>,
    /// The time of the newest entry of the layer, as RFC 3339.
    pub(crate) newest: &'a str,
    /// The comment of the history entry.
    pub(crate) comment: Option<&'a str>,
}

impl ImportedConfig<'_> {
    /// Makes the config of the image.
    ///
    /// It is `base` with another rootfs and history, if there is a base. Otherwise it
    /// has nothing to run and is as `docker import` writes it (Engine 20.10), but
    /// without `container_config` and `docker_version`, which newer engines omit.
    pub(crate) fn config(
        &self,
        base: Option<&Document<Config>>,
    ) -> Result<Document<Config>, DocumentError> {
        let mut value = match base {
            Some(base) => base.value()?,
            None => self.new_config(),
        };
        if let Some(platform) = self.platform {
            set_platform(&mut value, platform);
        }
        if let Some(created) = self.created {
            value["created"] = created.into();
        }
        let created = value["created"].as_str().unwrap_or(self.newest);
        let comment = self.comment.unwrap_or(IMPORT_COMMENT);
        value["history"] = json!([{"created": created, "comment": comment}]);
        if let Some(comment) = self.comment {
            value["comment"] = comment.into();
        }
        let diff_id = self.diff_id.to_string();
        value["rootfs"] = json!({"type": "layers", "diff_ids": [diff_id]});
        Document::from_value(&value)
    }

    fn new_config(&self) -> Value {
        let host = Platform::host();
        json!({
            "architecture": host.architecture,
            "comment": IMPORT_COMMENT,
            "config": {
                "Hostname": "", "Domainname": "", "User": "",
                "AttachStdin": false, "AttachStdout": false, "AttachStderr": false,
                "Tty": false, "OpenStdin": false, "StdinOnce": false,
                "Env": null, "Cmd": null, "Image": "", "Volumes": null, "WorkingDir": "",
                "Entrypoint": null, "OnBuild": null, "Labels": null,
            },
            "created": self.newest,
            "os": host.os,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    fn an_import_is_what_docker_writes_or_what_it_takes_over() {
        let platform: Platform = "linux/arm/v6".parse().unwrap();
        let diff_id = DiffId(Digest::of(b"layer"));
        let imported = ImportedConfig {
            diff_id: &diff_id,
            platform: Some(&platform),
            created: None,
            newest: "1970-01-01T00:00:09Z",
            comment: None,
        };
        let config = imported.config(None).unwrap();
        assert_eq!(config.view().platform, Some(platform.clone()));
        assert_eq!(config.view().diff_ids, std::slice::from_ref(&diff_id));
        let value = config.value().unwrap();
        let rootfs = json!({"type": "layers", "diff_ids": [diff_id.to_string()]});
        let told = json!({"created": "1970-01-01T00:00:09Z", "comment": "Imported from -"});
        assert_eq!(value["history"], json!([told]));
        assert_eq!(
            (&value["rootfs"], &value["comment"]),
            (&rootfs, &told["comment"])
        );

        let base = json!({
            "os": "linux", "architecture": "arm", "variant": "v7", "author": "me",
            "created": "2020-01-01T00:00:00Z", "config": {"Cmd": ["x"]}, "comment": "old",
            "history": [{}, {}], "rootfs": {"diff_ids": []},
        });
        let base = Document::from_value(&base).unwrap();
        let kept = ImportedConfig {
            platform: None,
            ..imported
        };
        let kept = kept.config(Some(&base)).unwrap().value().unwrap();
        let told = json!({"created": "2020-01-01T00:00:00Z", "comment": "Imported from -"});
        let mut expected = base.value().unwrap();
        expected["history"] = json!([told]);
        expected["rootfs"] = rootfs.clone();
        assert_eq!(kept, expected);

        let changed = ImportedConfig {
            created: Some("2022-02-02T00:00:00Z"),
            comment: Some("new"),
            ..imported
        };
        let changed = changed.config(Some(&base)).unwrap().value().unwrap();
        expected["variant"] = "v6".into();
        expected["created"] = "2022-02-02T00:00:00Z".into();
        expected["comment"] = "new".into();
        expected["history"] = json!([{"created": "2022-02-02T00:00:00Z", "comment": "new"}]);
        assert_eq!(changed, expected);
    }

    #[test]
    fn another_system_has_not_the_version_of_the_first() {
        let base = json!({
            "os": "windows", "architecture": "amd64", "os.version": "10.0.17763",
            "os.features": ["win32k"], "rootfs": {"diff_ids": []},
        });
        let base = Document::from_value(&base).unwrap();
        let diff_id = DiffId(Digest::of(b"layer"));
        for (platform, expected) in [
            (
                "windows/arm64",
                json!(["windows", "arm64", "10.0.17763", ["win32k"]]),
            ),
            ("linux/amd64", json!(["linux", "amd64", null, null])),
        ] {
            let imported = ImportedConfig {
                diff_id: &diff_id,
                platform: Some(&platform.parse().unwrap()),
                created: None,
                newest: "1970-01-01T00:00:09Z",
                comment: None,
            };
            let config = imported.config(Some(&base)).unwrap().value().unwrap();
            let keys = ["os", "architecture", "os.version", "os.features"];
            assert_eq!(json!(keys.map(|key| &config[key])), expected);
        }
    }
}
