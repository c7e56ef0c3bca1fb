//! Differences in the config, the history, the names and the layers.

use std::fmt::Write as _;

use expect_test::expect;
use serde_json::{Value, json};

use super::{compared, differences, image, sandbox};
use crate::support::codec::Codec;
use crate::support::make::Image;

/// A description, and the values of a field in A and in B; null takes the field away.
type Case<'a> = (&'a str, &'a str, Value, Value);

/// The image with a field of its config set; `path` is a JSON pointer whose parent exists.
fn with(path: &str, value: &Value) -> Image {
    image("f").with_config(|config| {
        let (parent, name) = path.rsplit_once('/').expect("a pointer has a slash");
        let parent = config.pointer_mut(parent).expect("the parent exists");
        let fields = parent.as_object_mut().expect("it is an object");
        if *value == json!("(none)") {
            fields.remove(name);
        } else {
            fields.insert(name.to_owned(), value.clone());
        }
    })
}

/// Compares images with other values of a field, and adds the reports to a text.
#[track_caller]
fn planted(cases: &[Case<'_>], arguments: &[&str]) -> String {
    let mut text = String::new();
    for (what, path, a, b) in cases {
        let sandbox = sandbox(&with(path, a), &with(path, b));
        let report = differences(&sandbox, &[&["a", "b"], arguments].concat());
        let _ = write!(text, "# {what}\n{report}");
    }
    text
}

fn none() -> Value {
    json!("(none)")
}

#[test]
fn the_run_configuration() {
    let found = planted(
        &[
            ("text", "/config/User", json!("a"), json!("b")),
            ("text added", "/config/WorkingDir", none(), json!("/w")),
            ("list", "/config/Cmd", json!(["a", "b"]), json!(["a", "c"])),
            ("list removed", "/config/Entrypoint", json!(["a"]), none()),
            (
                "order of a list",
                "/config/Cmd",
                json!(["a", "b"]),
                json!(["b", "a"]),
            ),
            (
                "text in place of a list",
                "/config/Cmd",
                json!(["a"]),
                json!("a"),
            ),
            ("a list as config", "/config", json!([1]), json!({})),
            ("boolean", "/config/Tty", json!(true), json!(false)),
            ("number", "/config/StopTimeout", json!(1), json!(2)),
            (
                "zero that is not none",
                "/config/StopTimeout",
                json!(0),
                none(),
            ),
            (
                "member of a map",
                "/config/ExposedPorts",
                json!({"80/tcp": {}}),
                json!({"80/tcp": {}, "53/udp": {}}),
            ),
            (
                "map removed",
                "/config/Volumes",
                json!({"/v": {}, "/w.x": {}}),
                none(),
            ),
            (
                "field of an object",
                "/config/Healthcheck/Interval",
                json!(1),
                json!(2),
            ),
            (
                "object removed",
                "/config/Healthcheck",
                json!({"Test": ["NONE"]}),
                none(),
            ),
            (
                "variable",
                "/config/Env",
                json!(["A=1", "B=2"]),
                json!(["A=1", "B=3"]),
            ),
            (
                "variable added",
                "/config/Env",
                json!(["A=1"]),
                json!(["A=1", "B=2"]),
            ),
            (
                "variable removed",
                "/config/Env",
                json!(["A=1", "B.c=2"]),
                json!(["A=1"]),
            ),
            (
                "order of variables",
                "/config/Env",
                json!(["A=1", "B=2"]),
                json!(["B=2", "A=1"]),
            ),
            (
                "variable given twice",
                "/config/Env",
                json!(["A=1", "A=2"]),
                json!(["A=2", "A=1"]),
            ),
            (
                "variable without a value",
                "/config/Env",
                json!(["A"]),
                json!(["A="]),
            ),
            (
                "malformed environment",
                "/config/Env",
                json!(["A=1", 7]),
                json!(["A=1", 8]),
            ),
            (
                "label",
                "/config/Labels",
                json!({"a": "1", "b": "2"}),
                json!({"b": "2", "a": "3"}),
            ),
            (
                "label added",
                "/config/Labels",
                json!({}),
                json!({"org.example.k\u{1b}": "v"}),
            ),
            (
                "empty label removed",
                "/config/Labels",
                json!({"a": ""}),
                json!({}),
            ),
            ("unknown field", "/config/New", json!(false), none()),
            (
                "unknown object",
                "/config/New",
                json!({"a": [1], "b": 1}),
                json!({"a": [2], "b": 1}),
            ),
            ("unknown field of the image", "/new", json!(1), json!(1.0)),
            (
                "platform",
                "/architecture",
                json!("amd64"),
                json!("riscv64"),
            ),
            ("variant", "/variant", none(), json!("v3")),
            ("version of the system", "/os.version", none(), json!("1.2")),
            ("missing platform", "/os", json!("linux"), none()),
        ],
        &[],
    );
    expect![[r##"
        # text
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        M .config.User  "a" -> "b"
        exit 1
        # text added
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        A .config.WorkingDir  "/w"
        exit 1
        # list
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        M .config.Cmd  ["a","b"] -> ["a","c"]
        exit 1
        # list removed
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        D .config.Entrypoint  ["a"]
        exit 1
        # order of a list
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        M .config.Cmd  ["a","b"] -> ["b","a"]
        exit 1
        # text in place of a list
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        M .config.Cmd  ["a"] -> "a"
        exit 1
        # a list as config
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        M .config  [1] -> {}
        exit 1
        # boolean
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        D .config.Tty  true
        exit 1
        # number
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        M .config.StopTimeout  1 -> 2
        exit 1
        # zero that is not none
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        D .config.StopTimeout  0
        exit 1
        # member of a map
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        A .config.ExposedPorts.53/udp  {}
        exit 1
        # map removed
        Layers         1 shared, of 1 in A and 1 in B
        Config         2 differences
        Files          2 same
        D .config.Volumes./v  {}
        D .config.Volumes["/w.x"]  {}
        exit 1
        # field of an object
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        M .config.Healthcheck.Interval  1 -> 2
        exit 1
        # object removed
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        D .config.Healthcheck.Test  ["NONE"]
        exit 1
        # variable
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        M .config.Env.B  "2" -> "3"
        exit 1
        # variable added
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        A .config.Env.B  "2"
        exit 1
        # variable removed
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        D .config.Env["B.c"]  "2"
        exit 1
        # order of variables
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        Files          2 same
        exit 0
        # variable given twice
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        M .config.Env.A  ["1","2"] -> ["2","1"]
        exit 1
        # variable without a value
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        M .config.Env.A  null -> ""
        exit 1
        # malformed environment
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        M .config.Env  ["A=1",7] -> ["A=1",8]
        exit 1
        # label
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        M .config.Labels.a  "1" -> "3"
        exit 1
        # label added
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        A .config.Labels["org.example.k\u{1b}"]  "v"
        exit 1
        # empty label removed
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        D .config.Labels.a  ""
        exit 1
        # unknown field
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        D .config.New  false
        exit 1
        # unknown object
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        M .config.New.a  [1] -> [2]
        exit 1
        # unknown field of the image
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        M .new  1 -> 1.0
        exit 1
        # platform
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        M .platform  "linux/amd64" -> "linux/riscv64"
        exit 1
        # variant
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        M .platform  "linux/amd64" -> "linux/amd64/v3"
        exit 1
        # version of the system
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        A ["os.version"]  "1.2"
        exit 1
        # missing platform
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        Files          2 same
        D .os  "linux"
        exit 1
    "##]]
    .assert_eq(&found);
}

#[test]
fn empty_values_of_known_fields_are_none() {
    for (path, zero) in [
        ("/config", json!({})),
        ("/config", json!(null)),
        ("/config/User", json!("")),
        ("/config/Cmd", json!(null)),
        ("/config/Cmd", json!([])),
        ("/config/Tty", json!(false)),
        ("/config/Env", json!([])),
        ("/config/Labels", json!({})),
        ("/config/Healthcheck", json!({})),
        ("/config/ExposedPorts", json!(null)),
        ("/config/Volumes", json!({})),
        ("/config/MemorySwap", json!(0)),
        ("/config/StopTimeout", json!(null)),
        ("/config/Healthcheck/Retries", json!(0)),
        ("/variant", json!("")),
        ("/variant", json!(null)),
    ] {
        let sandbox = sandbox(&with(path, &zero), &with(path, &none()));
        let (_, code) = compared(&sandbox, &["-q", "a", "b"]);
        assert_eq!(code, 0, "{path} {zero}");
    }
}

#[test]
fn other_spellings_of_a_platform_are_the_same() {
    let cases = [
        ("/architecture", "amd64", "x86_64"),
        ("/os", "linux", "Linux"),
    ];
    for (path, one, other) in cases {
        let sandbox = sandbox(&with(path, &json!(one)), &with(path, &json!(other)));
        let (_, code) = compared(&sandbox, &["-q", "a", "b"]);
        assert_eq!(code, 0, "{path} {other}");
    }
}

/// Fields that say how an image was made.
fn making() -> Vec<Case<'static>> {
    let step = |text: &str| json!([{"created": "2024-01-01T00:00:00Z", "created_by": text}]);
    let at = |time: &str| json!([{"created": time, "created_by": "RUN a"}]);
    vec![
        (
            "time",
            "/created",
            json!("2024-01-01T00:00:00Z"),
            json!("2025-01-01T00:00:00Z"),
        ),
        ("author", "/author", json!("a"), none()),
        ("builder", "/docker_version", json!("20"), json!("29")),
        (
            "build cache",
            "/moby.buildkit.cache.v0",
            json!("a"),
            json!("b"),
        ),
        ("container", "/container", json!("a"), json!("b")),
        (
            "container config",
            "/container_config",
            json!({"Cmd": ["a"], "Tty": false}),
            json!({"Cmd": ["b"]}),
        ),
        ("command of a step", "/history", step("a"), step("b")),
        (
            "time of a step",
            "/history",
            at("2024-01-01T00:00:00Z"),
            at("2025-01-01T00:00:00Z"),
        ),
        (
            "steps added",
            "/history",
            step("a"),
            json!([step("a")[0], {"created_by": "ENV", "empty_layer": true}]),
        ),
        (
            "zero values",
            "/history",
            json!([{"created_by": "a"}]),
            json!([{"created_by": "a", "comment": "", "empty_layer": false}]),
        ),
    ]
}

#[test]
fn the_history() {
    let found = planted(&making(), &["--history"]);
    expect![[r##"
        # time
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        1 difference
        Files          2 same
        M .created  "2024-01-01T00:00:00Z" -> "2025-01-01T00:00:00Z"
        exit 1
        # author
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        1 difference
        Files          2 same
        D .author  "a"
        exit 1
        # builder
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        1 difference
        Files          2 same
        M .docker_version  "20" -> "29"
        exit 1
        # build cache
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        1 difference
        Files          2 same
        M ["moby.buildkit.cache.v0"]  "a" -> "b"
        exit 1
        # container
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        1 difference
        Files          2 same
        M .container  "a" -> "b"
        exit 1
        # container config
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        1 difference
        Files          2 same
        M .container_config.Cmd  ["a"] -> ["b"]
        exit 1
        # command of a step
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        1 difference
        Files          2 same
        M .history[0].created_by  "a" -> "b"
        exit 1
        # time of a step
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        1 difference
        Files          2 same
        M .history[0].created  "2024-01-01T00:00:00Z" -> "2025-01-01T00:00:00Z"
        exit 1
        # steps added
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        1 difference
        Files          2 same
        A .history[1]  {"created_by":"ENV","empty_layer":true}
        exit 1
        # zero values
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        same
        Files          2 same
        exit 0
    "##]]
    .assert_eq(&found);
    for (what, path, a, b) in making() {
        let sandbox = sandbox(&with(path, &a), &with(path, &b));
        let (_, code) = compared(&sandbox, &["-q", "a", "b"]);
        assert_eq!(code, 0, "{what} counts only with --history");
    }
}

#[test]
fn a_rebuild() {
    let mut cases = making();
    let label = |name: &str, value: &str| json!({name: value, "own": "1"});
    let created = "org.opencontainers.image.created";
    cases.extend([
        (
            "label with the time",
            "/config/Labels",
            label(created, "a"),
            label(created, "b"),
        ),
        (
            "label of another kind",
            "/config/Labels",
            label("revision", "a"),
            label("revision", "b"),
        ),
        (
            "id of the image below",
            "/config/Image",
            json!("sha256:a"),
            json!("sha256:b"),
        ),
        (
            "name of the container",
            "/config/Hostname",
            json!("a"),
            json!("b"),
        ),
    ]);
    let found = planted(&cases, &["--history", "--semantic"]);
    expect![[r##"
        # time
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        same
        Files          2 same
        exit 0
        # author
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        1 difference
        Files          2 same
        D .author  "a"
        exit 1
        # builder
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        1 difference
        Files          2 same
        M .docker_version  "20" -> "29"
        exit 1
        # build cache
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        1 difference
        Files          2 same
        M ["moby.buildkit.cache.v0"]  "a" -> "b"
        exit 1
        # container
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        same
        Files          2 same
        exit 0
        # container config
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        1 difference
        Files          2 same
        M .container_config.Cmd  ["a"] -> ["b"]
        exit 1
        # command of a step
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        1 difference
        Files          2 same
        M .history[0].created_by  "a" -> "b"
        exit 1
        # time of a step
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        same
        Files          2 same
        exit 0
        # steps added
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        1 difference
        Files          2 same
        A .history[1]  {"created_by":"ENV","empty_layer":true}
        exit 1
        # zero values
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        same
        Files          2 same
        exit 0
        # label with the time
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        same
        Files          2 same
        exit 0
        # label of another kind
        Layers         1 shared, of 1 in A and 1 in B
        Config         1 difference
        History        same
        Files          2 same
        M .config.Labels.revision  "a" -> "b"
        exit 1
        # id of the image below
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        same
        Files          2 same
        exit 0
        # name of the container
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        History        same
        Files          2 same
        exit 0
    "##]]
    .assert_eq(&found);
}

#[test]
fn names() {
    let named = |tags: &[&str]| Image {
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..image("f")
    };
    let sandbox = sandbox(&named(&["app:1", "app:2"]), &named(&["app:1", "new:1"]));
    expect![[r#"
        Layers         1 shared, of 1 in A and 1 in B
        Config         same
        Names          2 differences
        Files          2 same
        D .names  "app:2"
        A .names  "new:1"
        exit 1
    "#]]
    .assert_eq(&differences(&sandbox, &["--names", "a", "b"]));
    let (_, code) = compared(&sandbox, &["-q", "a", "b"]);
    assert_eq!(code, 0, "names count only with --names");
}

#[test]
fn layers() {
    let mut text = String::new();
    for (what, a, b) in [
        ("one merged", image("a | b | c"), image("a | b c")),
        (
            "one in the middle",
            image("a | b=1 | b=3 c"),
            image("a | b=2 | b=3 c"),
        ),
        ("same", image("a | b"), image("a | b")),
        (
            "other compression",
            image("a | b"),
            image("a | b").stored_as(Codec::Gzip),
        ),
    ] {
        let sandbox = sandbox(&a, &b);
        let _ = writeln!(text, "# {what}");
        text.push_str(&differences(&sandbox, &["--layers", "a", "b"]));
        let (_, code) = compared(&sandbox, &["-q", "a", "b"]);
        assert_eq!(code, 0, "layers count only with --layers");
    }
    expect![[r##"
        # one merged
        Layers         1 shared, of 3 in A and 2 in B
        Config         same
        Stored layers  3 differences
        Files          4 same
        D .layers[1]  {"diff_id":"sha256:49a34eeec22e4a5415dcff7f53815726632f9ca5d76e13c430afcc6db4995437","digest":"sha256:49a34eeec22e4a5415dcff7f53815726632f9ca5d76e13c430afcc6db4995437","compression":"none"}
        D .layers[2]  {"diff_id":"sha256:85fb739ee589bea833f8a428f4e0a9307249368236f67427386e8a90c8e1f293","digest":"sha256:85fb739ee589bea833f8a428f4e0a9307249368236f67427386e8a90c8e1f293","compression":"none"}
        A .layers[1]  {"diff_id":"sha256:77cbb2a02398978186ca80e1d19fd73964cef914c67d93a92fea1c0e85930d72","digest":"sha256:77cbb2a02398978186ca80e1d19fd73964cef914c67d93a92fea1c0e85930d72","compression":"none"}
        exit 1
        # one in the middle
        Layers         1 shared, of 3 in A and 3 in B
        Config         same
        Stored layers  2 differences
        Files          4 same
        M .layers[1].diff_id  "sha256:05073f8c274aec517517f66cd5eab43e29c60b87ba4771b897892c72a2ab7884" -> "sha256:2cb000a19ec31f1782ac57ef0683ea5c8f15bcc7a9e1b81cc736d57209753604"
        M .layers[1].digest  "sha256:05073f8c274aec517517f66cd5eab43e29c60b87ba4771b897892c72a2ab7884" -> "sha256:2cb000a19ec31f1782ac57ef0683ea5c8f15bcc7a9e1b81cc736d57209753604"
        exit 1
        # same
        Layers         2 shared, of 2 in A and 2 in B
        Config         same
        Stored layers  same
        Files          3 same
        exit 0
        # other compression
        Layers         2 shared, of 2 in A and 2 in B
        Config         same
        Stored layers  2 differences
        Files          3 same
        M .layers[0].compression  "none" -> "gzip"
        M .layers[1].compression  "none" -> "gzip"
        exit 1
    "##]]
    .assert_eq(&text);
}

#[test]
fn a_root_filesystem_has_no_config() {
    let sandbox = sandbox(&image("f=1"), &image("f=1"));
    sandbox.run(&["export", "-q", "a", "rootfs.tar"]).silent();
    let (text, code) = compared(&sandbox, &["a", "rootfs.tar"]);
    assert_eq!(code, 0);
    expect![[r#"
        A              a: app:1, linux/amd64, image id fb732484875e
        B              rootfs.tar: a root filesystem
        Layers         0 shared, of 1 in A and 1 in B
        Config         not compared: B has none
        Files          2 same
    "#]]
    .assert_eq(&text);
    let (text, code) = compared(&sandbox, &["--history", "--names", "rootfs.tar", "a"]);
    assert_eq!(code, 1);
    expect![[r#"
        A              rootfs.tar: a root filesystem
        B              a: app:1, linux/amd64, image id fb732484875e
        Layers         0 shared, of 1 in A and 1 in B
        Config         not compared: A has none
        History        3 differences
        Names          1 difference
        Files          2 same

        A .created  "2024-02-03T04:05:06.789012345Z"
        A .docker_version  "20.10.24"
        A .history[0]  {"created":"2024-02-03T04:05:06.789012345Z","created_by":"COPY 1 <&> /"}
        A .names  "app:1"
    "#]]
    .assert_eq(&text);
}
