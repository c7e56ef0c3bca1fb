//! The part of a config that defines how the image runs.

use serde_json::Value;

/// The `config` object, which defines how an image runs, for display.
///
/// Malformed fields count as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunConfig {
    /// The entrypoint.
    pub entrypoint: Vec<String>,
    /// The arguments of the entrypoint, or the command if there is no entrypoint.
    pub command: Vec<String>,
    /// The environment, `NAME=value` each.
    pub environment: Vec<String>,
    /// The user, `USER[:GROUP]`.
    pub user: String,
    /// The working directory.
    pub working_directory: String,
    /// Exposed ports, such as `80/tcp`.
    pub ports: Vec<String>,
    /// Paths of volumes.
    pub volumes: Vec<String>,
    /// Labels, in their order.
    pub labels: Vec<(String, String)>,
    /// The signal that stops it.
    pub stop_signal: String,
    /// The health check: `CMD` or `CMD-SHELL` and its words, or `NONE`.
    pub healthcheck: Vec<String>,
}

impl RunConfig {
    /// Reads the `config` object of an image's config.
    pub(crate) fn from_json(config: &Value) -> Self {
        let text = |name: &str| {
            let text = config.get(name).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let keys = |name: &str| {
            let object = config.get(name).and_then(Value::as_object);
            object
                .into_iter()
                .flat_map(|it| it.keys().cloned())
                .collect()
        };
        let labels = config.get("Labels").and_then(Value::as_object);
        let label =
            |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
        Self {
            entrypoint: words(config.get("Entrypoint")),
            command: words(config.get("Cmd")),
            environment: words(config.get("Env")),
            user: text("User"),
            working_directory: text("WorkingDir"),
            ports: keys("ExposedPorts"),
            volumes: keys("Volumes"),
            labels: labels.into_iter().flatten().filter_map(label).collect(),
            stop_signal: text("StopSignal"),
            healthcheck: words(config.get("Healthcheck").and_then(|it| it.get("Test"))),
        }
    }
}

/// The words of a list, or of a single string, as in old configs.
fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(word)) => vec![word.clone()],
        Some(Value::Array(words)) => {
            let words = words.iter().filter_map(Value::as_str);
            words.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_config_is_read_as_far_as_it_makes_sense() {
        let config = json!({
            "Entrypoint": "sh", "Cmd": ["-c", 1, "x"], "Env": null, "User": 7,
            "WorkingDir": "/w", "ExposedPorts": {"80/tcp": {}}, "Volumes": ["/x"],
            "Labels": {"b": "1", "a": "2", "c": 3}, "Healthcheck": {"Test": ["CMD", "up"]},
        });
        let strings = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect();
        let expected = RunConfig {
            entrypoint: strings(&["sh"]),
            command: strings(&["-c", "x"]),
            working_directory: "/w".to_owned(),
            ports: strings(&["80/tcp"]),
            labels: vec![("b".into(), "1".into()), ("a".into(), "2".into())],
            healthcheck: strings(&["CMD", "up"]),
            ..RunConfig::default()
        };
        assert_eq!(RunConfig::from_json(&config), expected);
        assert_eq!(RunConfig::from_json(&Value::Null), RunConfig::default());
    }
}
