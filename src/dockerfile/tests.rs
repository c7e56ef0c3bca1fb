//! The effect of each instruction on a config, and the messages for wrong ones.

mod commands;
mod words;

use serde_json::{Value, json};

use super::Changes;

/// The changed config, or the message of the error.
fn changed(config: Value, values: &[&str]) -> Result<Value, String> {
    let mut config = config;
    let changes = Changes::parse(values).map_err(|error| error.to_string())?;
    changes
        .apply(&mut config)
        .map_err(|error| error.to_string())?;
    Ok(config)
}

/// Checks that each list of values makes exactly this of an empty config.
#[track_caller]
fn check(cases: impl IntoIterator<Item = (&'static str, Value)>) {
    for (fragment, expected) in cases {
        assert_eq!(changed(json!({}), &[fragment]), Ok(expected), "{fragment}");
    }
}

/// Checks that each fragment is refused with exactly this text after its last line.
#[track_caller]
fn refused(cases: &[(&str, &str)]) {
    for (fragment, expected) in cases {
        let last = fragment.lines().last().unwrap();
        let message = format!("`{last}`: {expected}");
        assert_eq!(changed(json!({}), &[fragment]), Err(message));
    }
}

const ACCEPTED: &str = "expected CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, \
                        SHELL, STOPSIGNAL, USER, VOLUME or WORKDIR";

#[test]
fn nothing_changes_nothing() {
    let none = Changes::parse::<&str>(&[]).unwrap();
    assert!(none.is_empty());
    let mut config = Value::Null;
    none.apply(&mut config).unwrap();
    assert_eq!(config, Value::Null);
    assert!(!Changes::parse(&["USER a"]).unwrap().is_empty());
    assert_eq!(changed(Value::Null, &["USER a"]), Ok(json!({"User": "a"})));
}

#[test]
fn what_changes_no_config_is_refused() {
    let others = [
        "RUN a",
        "FROM a",
        "COPY a b",
        "ADD a b",
        "ARG a",
        "MAINTAINER a",
        "foo",
        "CMD\u{a0}a",
    ];
    for line in others {
        let message = format!("`{line}`: unsupported instruction; {ACCEPTED}");
        assert_eq!(Changes::parse(&[line]).unwrap_err().to_string(), message);
    }
    let heredoc = Changes::parse(&["CMD cat <<EOF\nhello \\\n  you\nEOF"]);
    let message = format!("`hello   you`: unsupported instruction; {ACCEPTED}");
    assert_eq!(heredoc.unwrap_err().to_string(), message);
    for nothing in ["", "# CMD a", "\n \n", "\\"] {
        let message = format!("no instruction given; {ACCEPTED}");
        assert_eq!(Changes::parse(&[nothing]).unwrap_err().to_string(), message);
    }
    for (fragment, line) in [
        ("# escape=x\nCMD a", "# escape=x"),
        ("#escape = `` \nCMD a", "#escape = ``"),
        ("# escape=`\n# escape=`\nCMD a", "# escape=`"),
    ] {
        let error = Changes::parse(&[fragment]).unwrap_err();
        let expected = "expected a backslash or a backtick as the escape character, given once";
        assert_eq!(error.to_string(), format!("`{line}`: {expected}"));
    }
}

#[test]
fn values_are_one_fragment() {
    let values = ["ENV A=1 \\", "", "# B=2", "  C=3", "CMD a", "LABEL x=$C"];
    let expected = json!({
        "Env": ["A=1", "C=3"], "Cmd": ["/bin/sh", "-c", "a"], "Labels": {"x": "3"},
    });
    assert_eq!(changed(json!({}), &values), Ok(expected));
}

#[test]
fn what_a_config_says_is_changed_as_a_build_would() {
    let base = json!({
        "Unknown": [1.10], "User": "u", "ArgsEscaped": true, "Cmd": ["c"], "Entrypoint": ["e"],
        "Env": ["A=1", "B", "A=2"], "Healthcheck": {"Test": ["CMD", "h"], "Interval": 7, "X": 1},
        "OnBuild": ["RUN a"], "WorkingDir": "/w", "Labels": null, "Shell": ["/bin/ash", "-ec"],
        "ExposedPorts": {"80/tcp": {}},
    });
    let cases: [(&str, Value); 12] = [
        (
            "CMD x",
            json!({"Cmd": ["/bin/ash", "-ec", "x"], "ArgsEscaped": null}),
        ),
        ("CMD []", json!({"Cmd": [], "ArgsEscaped": null})),
        (
            "ENTRYPOINT x",
            json!({"Entrypoint": ["/bin/ash", "-ec", "x"], "Cmd": null, "ArgsEscaped": null}),
        ),
        (
            "ENTRYPOINT []",
            json!({"Entrypoint": null, "Cmd": null, "ArgsEscaped": null}),
        ),
        (
            "CMD [\"x\"]\nENTRYPOINT []",
            json!({"Entrypoint": null, "Cmd": ["x"], "ArgsEscaped": null}),
        ),
        ("ENV B=3 C=$A", json!({"Env": ["A=1", "B=3", "A=2", "C=2"]})),
        ("ENV A=3", json!({"Env": ["A=3", "B"]})),
        (
            "HEALTHCHECK --timeout=1ms CMD x",
            json!({"Healthcheck": {
                "Test": ["CMD-SHELL", "x"], "Interval": 7, "X": 1, "Timeout": 1_000_000,
            }}),
        ),
        (
            "HEALTHCHECK NONE",
            json!({"Healthcheck": {"Test": ["NONE"], "Interval": 7, "X": 1}}),
        ),
        ("ONBUILD RUN b", json!({"OnBuild": ["RUN a", "RUN b"]})),
        ("WORKDIR x/../y", json!({"WorkingDir": "/w/y"})),
        (
            "LABEL a=b\nEXPOSE 81 80\nUSER \"\"",
            json!({
                "Labels": {"a": "b"}, "User": null, "ExposedPorts": {"80/tcp": {}, "81/tcp": {}},
            }),
        ),
    ];
    for (fragment, fields) in cases {
        let mut expected = base.clone();
        let map = expected.as_object_mut().unwrap();
        for (field, value) in fields.as_object().unwrap() {
            match value {
                Value::Null => map.shift_remove(field),
                value => map.insert(field.clone(), value.clone()),
            };
        }
        let result = changed(base.clone(), &[fragment]).unwrap();
        assert_eq!(result, expected, "{fragment}");
        // The order of fields affects the digest of the document.
        let order = |value: &Value| {
            value
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(order(&result), order(&expected), "{fragment}");
    }
}

#[test]
fn a_config_of_another_shape_is_refused_and_stays() {
    for (config, fragment, message) in [
        (
            json!([]),
            "USER a",
            "`config` of the config is not an object",
        ),
        (
            json!({"Env": {}}),
            "USER a",
            "`config.Env` of the config is not a list of strings",
        ),
        (
            json!({"OnBuild": [1]}),
            "USER a\nONBUILD RUN a",
            "`config.OnBuild` of the config is not a list of strings",
        ),
        (
            json!({"Labels": []}),
            "LABEL a=b",
            "`config.Labels` of the config is not an object",
        ),
        (
            json!({"Healthcheck": 1}),
            "USER a",
            "`config.Healthcheck` of the config is not an object",
        ),
    ] {
        let changes = Changes::parse(&[fragment]).unwrap();
        let mut edited = config.clone();
        let error = changes.apply(&mut edited).unwrap_err();
        let last = fragment.lines().last().unwrap();
        assert_eq!(error.to_string(), format!("`{last}`: {message}"));
        assert_eq!(edited, config, "{fragment}");
    }
}
