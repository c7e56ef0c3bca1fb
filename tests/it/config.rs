//! `restow config`: other documents, the same layers.

mod engines;
mod indexes;
mod places;
mod refused;

use serde_json::{Value, json};

use crate::support::Sandbox;
use crate::support::judge::Format;
use crate::support::make::{self, Image};
use crate::support::squash::{put, read};

/// An image whose config has each setting.
fn base() -> Image {
    Image::new(&["app:1"], &["file a 1", "file b 2"]).with_config(|config| {
        config["author"] = json!("you");
        config["unknown"] = json!({"kept": [1]});
        config["config"] = json!({
            "Cmd": ["c"], "Entrypoint": ["e"], "Env": ["A=1", "B=2"],
            "ExposedPorts": {"80/tcp": {}}, "Labels": {"l": "1", "k.x": "2"},
            "Healthcheck": {"Test": ["CMD", "/up"], "Interval": 1_000_000_000},
            "OnBuild": ["RUN x"], "Shell": ["/bin/ash", "-c"], "StopSignal": "SIGINT",
            "User": "u", "Volumes": {"/v": {}}, "WorkingDir": "/w", "Unknown": [1],
        });
    })
}

/// The config of an image, as JSON.
fn parsed(config: impl AsRef<[u8]>) -> Value {
    serde_json::from_slice(config.as_ref()).expect("a config is JSON")
}

/// Runs `config` on the base image, and returns the new config. The layers must be the same.
#[track_caller]
fn edited(options: &[&str]) -> Value {
    let sandbox = Sandbox::new();
    let source = put(&sandbox, "in", Format::Oci, &base());
    let arguments = [&["config"], options, &[&source, "oci:out"]].concat();
    sandbox.run(&arguments).silent();
    let edited = read(&sandbox, "out", Format::Oci);
    assert!(edited.stored == base().layers, "{options:?}");
    parsed(edited.image.config)
}

/// `config`, with fields of its `config` object replaced, or removed where null.
fn with(mut config: Value, fields: &Value) -> Value {
    let run = config["config"].as_object_mut().expect("it is an object");
    for (field, value) in fields.as_object().expect("it is an object") {
        match value {
            Value::Null => drop(run.shift_remove(field)),
            value => drop(run.insert(field.clone(), value.clone())),
        }
    }
    config
}

/// The last entry of the history.
#[track_caller]
fn entry(config: &Value) -> Value {
    let history = config["history"].as_array().expect("there is a history");
    history.last().expect("it has an entry").clone()
}

#[test]
fn removals_may_overlap() {
    let expected = &edited(&["--unset", "ENV"])["config"];
    for names in [["ENV.A", "ENV"], ["ENV", "ENV.A"], ["ENV", "ENV"]] {
        let options = ["--unset", names[0], "--unset", names[1]];
        assert_eq!(&edited(&options)["config"], expected, "{names:?}");
    }
}

/// Docker takes what is no JSON as a text for the shell, without a word.
#[test]
fn a_list_that_is_not_json_is_told() {
    for (instruction, is_told) in [
        ("CMD [\"x\"", true),
        ("CMD ['x', 'y']", true),
        ("CMD [x]", true),
        ("CMD [ x, y ]", false),
        ("CMD [ -e /f ] && x", false),
        ("CMD [\"x\"]", false),
        ("CMD x [y", false),
        ("ENTRYPOINT [\"x\" \"y\"]", true),
        ("HEALTHCHECK --retries=1 CMD [\"x\"", true),
        ("HEALTHCHECK CMD [ -e /f ]", false),
        ("ONBUILD RUN [\"x\"", true),
        ("VOLUME [\"/x\"", true),
        ("ENV A=[\"x\"", false),
        ("USER [x", false),
    ] {
        let sandbox = Sandbox::new();
        let source = put(&sandbox, "in", Format::Oci, &base());
        let run = sandbox.run(&["config", "-c", instruction, &source, "oci:out"]);
        let warning =
            format!("warning: `{instruction}` is not a JSON list, so it is taken as plain text\n");
        run.warns(if is_told { &warning } else { "" });
    }
}

/// Every option, and its effect on the `config` object.
#[test]
fn each_change_is_made_and_nothing_else() {
    let cases: [(&[&str], Value); 27] = [
        (&["-c", "CMD [\"x\"]"], json!({"Cmd": ["x"]})),
        (
            &["-c", "CMD x y"],
            json!({"Cmd": ["/bin/ash", "-c", "x y"]}),
        ),
        (
            &["-c", "ENTRYPOINT [\"x\"]"],
            json!({"Entrypoint": ["x"], "Cmd": null}),
        ),
        (
            &["-c", "ENTRYPOINT [\"x\"]", "-c", "CMD [\"y\"]"],
            json!({"Entrypoint": ["x"], "Cmd": ["y"]}),
        ),
        (
            &["--change", "ENV A=3 C=$B"],
            json!({"Env": ["A=3", "B=2", "C=2"]}),
        ),
        (
            &["-c", "EXPOSE 81/udp"],
            json!({"ExposedPorts": {"80/tcp": {}, "81/udp": {}}}),
        ),
        (
            &["-c", "HEALTHCHECK NONE"],
            json!({"Healthcheck": {"Test": ["NONE"], "Interval": 1_000_000_000}}),
        ),
        (
            &["-c", "LABEL m=$A"],
            json!({"Labels": {"l": "1", "k.x": "2", "m": "1"}}),
        ),
        (
            &["-c", "ONBUILD RUN y"],
            json!({"OnBuild": ["RUN x", "RUN y"]}),
        ),
        (
            &["-c", "SHELL [\"a\", \"$A\"]"],
            json!({"Shell": ["a", "$A"]}),
        ),
        (
            &["-c", "SHELL [\"a\"]", "-c", "CMD x"],
            json!({"Shell": ["a"], "Cmd": ["a", "x"]}),
        ),
        (&["-c", "STOPSIGNAL 9"], json!({"StopSignal": "9"})),
        (&["-c", "USER v"], json!({"User": "v"})),
        (
            &["-c", "VOLUME /w"],
            json!({"Volumes": {"/v": {}, "/w": {}}}),
        ),
        (&["-c", "WORKDIR x"], json!({"WorkingDir": "/w/x"})),
        (
            &["--label", "m=$A = x", "-l", "l="],
            json!({"Labels": {"l": "", "k.x": "2", "m": "$A = x"}}),
        ),
        (&["--unset", "CMD"], json!({"Cmd": null})),
        (&["--unset", "env.A"], json!({"Env": ["B=2"]})),
        (
            &["--unset", "ENV.A", "--unset", "ENV.B"],
            json!({"Env": null}),
        ),
        (&["--unset", "Label.k.x"], json!({"Labels": {"l": "1"}})),
        (&["--unset", "EXPOSE.80"], json!({"ExposedPorts": null})),
        (&["--unset", "VOLUME./v"], json!({"Volumes": null})),
        (
            &["--unset", "healthcheck", "--unset", "user"],
            json!({"Healthcheck": null, "User": null}),
        ),
        (
            &["--unset", "WORKDIR", "--unset", "STOPSIGNAL"],
            json!({"WorkingDir": null, "StopSignal": null}),
        ),
        (
            &["--unset", "ONBUILD", "--unset", "SHELL"],
            json!({"OnBuild": null, "Shell": null}),
        ),
        (
            &["--unset", "SHELL", "-c", "CMD x"],
            json!({"Shell": null, "Cmd": ["/bin/sh", "-c", "x"]}),
        ),
        (
            &["--label", "l=3", "-c", "LABEL l=2", "--unset", "LABEL"],
            json!({"Labels": {"l": "3"}}),
        ),
    ];
    for (options, fields) in cases {
        let mut config = edited(options);
        let entry = entry(&config);
        let history = config["history"].as_array_mut().expect("a history");
        history.pop();
        assert_eq!(config, with(parsed(base().config), &fields), "{options:?}");
        assert_eq!(entry["empty_layer"], json!(true), "{options:?}");
    }
}

#[test]
fn fields_beside_the_config_object_are_set() {
    let config = edited(&["--author", "me", "-m", "why", "-l", "t=it's"]);
    assert_eq!(config["author"], json!("me"));
    let expected = json!({
        "created": "2024-02-03T04:05:06.789012345Z",
        "created_by": r"restow config --label 't=it'\''s' --author me",
        "author": "me", "comment": "why", "empty_layer": true,
    });
    assert_eq!(entry(&config).to_string(), expected.to_string());
    assert_eq!(edited(&["--author", ""]).get("author"), None);

    let config = edited(&["--created", "2020-02-02T03:04:05+01:00"]);
    assert_eq!(config["created"], json!("2020-02-02T02:04:05Z"));
    assert_eq!(entry(&config)["created"], config["created"]);
    assert_eq!(
        edited(&["--created", "9"])["created"],
        json!("1970-01-01T00:00:09Z")
    );

    let config = edited(&["--set-platform", "windows/arm64/v8"]);
    let platform = ["os", "architecture", "variant"].map(|it| config[it].clone());
    assert_eq!(platform, ["windows", "arm64", "v8"]);
}

#[test]
fn the_time_is_the_newest_of_what_went_in_or_that_of_the_environment() {
    let image = base().with_config(|config| {
        config["history"][1]["created"] = json!("2025-01-01T00:00:00+01:00");
    });
    let times = |environment: &str| {
        let sandbox = Sandbox::new();
        let source = put(&sandbox, "in", Format::Docker, &image);
        let run = ["config", "--label", "a=b", &source, "out"];
        let run = sandbox.restow(&run).env("SOURCE_DATE_EPOCH", environment);
        run.run().silent();
        let config = parsed(read(&sandbox, "out", Format::Docker).image.config);
        let bytes = sandbox.read("out");
        (
            bytes,
            config["created"].clone(),
            entry(&config)["created"].clone(),
        )
    };
    let (bytes, created, told) = times("");
    assert_eq!(created, json!("2024-02-03T04:05:06.789012345Z"));
    assert_eq!(told, json!("2025-01-01T00:00:00+01:00"));
    assert!(bytes == times("").0, "two runs differ");
    let (_, created, told) = times("7");
    assert_eq!(
        (created, told),
        (json!("1970-01-01T00:00:07Z"), json!("1970-01-01T00:00:07Z"))
    );
}

#[test]
fn the_image_is_the_same_whatever_it_comes_from_and_goes_to() {
    let options = ["config", "--label", "a=b", "--annotation", "x=y"];
    let mut all = Vec::new();
    for from in Format::ALL {
        for to in Format::ALL {
            for piped in [false, true] {
                if piped && from == Format::Oci {
                    continue;
                }
                let sandbox = Sandbox::new();
                let source = put(&sandbox, "in", from, &base());
                let source = if piped { "-" } else { &source };
                let out = to.at("out");
                let arguments = [&options[..], &["-t", "app:2", source, &out]].concat();
                let mut run = sandbox.restow(&arguments);
                if piped {
                    run = run.stdin_pipe(sandbox.read("in"));
                }
                run.run().silent();
                let edited = read(&sandbox, "out", to);
                assert!(edited.stored == base().layers);
                assert_eq!(edited.image.tags, ["docker.io/library/app:2"]);
                let raw = ["inspect", "--raw", "manifest", &out];
                let manifest = parsed(sandbox.run(&raw).data(""));
                assert_eq!(manifest["annotations"], json!({"x": "y"}));
                all.push(edited.image.config);
            }
        }
    }
    all.dedup();
    assert_eq!(all.len(), 1);
}

#[test]
fn layers_are_recompressed_if_that_is_wanted() {
    let sandbox = Sandbox::new();
    let source = put(&sandbox, "in", Format::Docker, &base());
    let options = ["config", "--label", "a=b", "--compress", "gzip"];
    sandbox
        .run(&[&options[..], &[&source, "oci:out"]].concat())
        .silent();
    let edited = read(&sandbox, "out", Format::Oci);
    assert!(
        edited
            .image
            .layers
            .iter()
            .all(|it| it.media_type.ends_with("+gzip"))
    );
    assert_eq!(edited.image.diff_ids(), base().diff_ids);
}

#[test]
fn a_history_fits_its_layers_afterwards() {
    for (history, expected) in [
        (json!(null), json!([{}, {}, "+"])),
        (
            json!([{"created_by": "x"}]),
            json!([{"created_by": "x"}, {}, "+"]),
        ),
        (
            json!([{"empty_layer": true}, {}, {}, {"created_by": "y"}]),
            json!([{"empty_layer": true}, {}, {}, {"created_by": "y", "empty_layer": true}, "+"]),
        ),
    ] {
        let sandbox = Sandbox::new();
        let image = base().with_config(|config| config["history"] = history.clone());
        let source = put(&sandbox, "in", Format::Docker, &image);
        sandbox
            .run(&["config", "--label", "a=b", &source, "out"])
            .silent();
        let mut config = parsed(read(&sandbox, "out", Format::Docker).image.config);
        *config["history"]
            .as_array_mut()
            .unwrap()
            .last_mut()
            .unwrap() = json!("+");
        assert_eq!(config["history"], expected, "{history}");
    }
}

#[test]
fn what_changes_nothing_keeps_the_image() {
    for from in Format::ALL {
        let sandbox = Sandbox::new();
        let source = put(&sandbox, "in", from, &base());
        let options = [
            "config",
            "--label",
            "l=1",
            "-c",
            "ENV A=1",
            "--author",
            "you",
            "--set-platform",
            "linux/amd64",
            "--created",
            "2024-02-03T04:05:06.789012345Z",
            &source,
            "oci:out",
        ];
        sandbox.run(&options).silent();
        sandbox.run(&["convert", &source, "oci:plain"]).silent();
        let index = |name: &str| sandbox.read(&format!("{name}/index.json"));
        assert_eq!(index("out"), index("plain"), "{from:?}");
        sandbox
            .run(&["config", "--annotation", "x=y", "oci:out", "oci:once"])
            .silent();
        sandbox
            .run(&["config", "--annotation", "x=y", "oci:once", "oci:twice"])
            .silent();
        assert_eq!(index("once"), index("twice"), "{from:?}");
        let once = read(&sandbox, "once", Format::Oci);
        assert_eq!(once.image.config.as_bytes(), base().config, "{from:?}");
    }
}

#[test]
fn an_image_of_several_is_chosen() {
    let sandbox = Sandbox::new();
    let other = Image::new(&["b:2"], &["file c 3"]);
    sandbox.write("in.tar", make::tar(&make::docker(&[base(), other])));
    let run = sandbox.run(&["config", "--label", "a=b", "in.tar", "out"]);
    let said = run.refuses();
    assert!(said.contains("holds 2 images"), "{said}");
    let options = [
        "config", "--label", "a=b", "--image", "b:2", "in.tar", "out",
    ];
    sandbox.run(&options).silent();
    let edited = read(&sandbox, "out", Format::Docker);
    assert_eq!(edited.image.tags, ["docker.io/library/b:2"]);
}
