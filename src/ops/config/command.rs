//! The changes as a command line, for the history.

use std::borrow::Cow;

use crate::ops::config::options::ConfigOptions;

/// The command that makes the changes to the config, as a shell would take it.
pub(super) fn command(options: &ConfigOptions) -> String {
    let mut words = vec![Cow::Borrowed("restow config")];
    let mut add = |option: &'static str, value: &str| {
        words.push(option.into());
        words.push(quoted(value).into_owned().into());
    };
    for unset in &options.unset {
        add("--unset", &unset.to_string());
    }
    for text in options.changes.texts() {
        add("--change", text);
    }
    for (key, value) in &options.labels {
        add("--label", &format!("{key}={value}"));
    }
    if let Some(author) = &options.author {
        add("--author", author);
    }
    if let Some(created) = options.created {
        add("--created", &created.to_string());
    }
    if let Some(platform) = &options.set_platform {
        add("--set-platform", &platform.to_string());
    }
    words.join(" ")
}

/// A word that a shell reads as this text.
fn quoted(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/+:@%=,-".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', r"'\''")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dockerfile::Changes;

    #[test]
    fn the_command_can_be_typed() {
        let options = ConfigOptions {
            unset: vec!["env.A".parse().unwrap()],
            changes: Changes::parse(&["CMD [\"it's\"]", "USER me"]).unwrap(),
            labels: vec![("a".to_owned(), "b".to_owned())],
            annotations: vec![("x".to_owned(), "y".to_owned())],
            author: Some(String::new()),
            created: Some("2020-01-01T00:00:00Z".parse().unwrap()),
            set_platform: Some("linux/arm64".parse().unwrap()),
            ..ConfigOptions::default()
        };
        assert_eq!(
            command(&options),
            r#"restow config --unset ENV.A --change 'CMD ["it'\''s"]' --change 'USER me' --label a=b --author '' --created 2020-01-01T00:00:00Z --set-platform linux/arm64"#
        );
    }
}
