//! What people see: tables, terminals, single values, documents.

use serde_json::json;

use super::{json, look, text};
use crate::support::codec::{Codec, digest};
use crate::support::make::{self, Image, Layout, Member};
use crate::support::{Sandbox, screen, tools};

/// An image whose texts are long, and meant to take a terminal over.
fn hostile() -> Image {
    Image::new(&["app:1"], &["file a 1", "file b 2"]).with_config(|config| {
        config["config"]["Labels"] = json!({"evil\u{9b}31m": "\u{1b}]0;title\u{7}", "a.b": "c"});
        config["config"]["Env"] = json!(["A=\u{202e}x\n", "B=2"]);
        config["history"][0]["created_by"] =
            json!("tab\tand \u{1b}[31mred\nand more text than fits");
        config["history"][1]["comment"] = json!("\u{1b}[2J");
        config["created"] = json!("\u{1b}[31m");
        config["author"] = json!("me \u{7f}");
    })
}

fn write(sandbox: &Sandbox, images: &[Image]) {
    sandbox.write("in.tar", make::tar(&make::docker(images)));
}

#[test]
fn nothing_from_an_archive_steers_a_terminal() {
    let sandbox = Sandbox::new();
    write(&sandbox, &[hostile()]);
    let mut layout = Layout::default();
    let descriptor = layout.image(&hostile());
    layout.add_named(&descriptor, "name\u{1b}[31m\u{202e}");
    sandbox.write("layout.tar", make::tar(&layout.members()));
    for input in ["in.tar", "layout.tar"] {
        for command in ["images", "inspect", "history"] {
            for option in ["--no-trunc", "--json"] {
                let printed = text(sandbox.run(&[command, option, input]));
                let is_harmful = |c: &char| (c.is_control() && *c != '\n') || *c == '\u{202e}';
                let harmful = printed.chars().find(is_harmful);
                assert_eq!(harmful, None, "{command} {option} {input}: {printed}");
            }
        }
    }
    let history = text(sandbox.run(&["history", "in.tar"]));
    assert_eq!(
        history
            .lines()
            .last()
            .map(|line| line.split_once("ago  ").expect("a date").1),
        Some("tab and \\u{1b}[31mred\\nand more text than fits  1B    2.05kB")
    );
    // Programs get what is there.
    let inspection = look(&sandbox, "inspect");
    assert_eq!(
        inspection["config"]["Labels"]["evil\u{9b}31m"],
        "\u{1b}]0;title\u{7}"
    );
    let bytes = sandbox
        .run(&["inspect", "--format", ".config.Env[0]", "in.tar"])
        .data("");
    assert_eq!(bytes, "A=\u{202e}x\n\n".as_bytes());
}

/// What a command prints to a terminal of some width.
#[track_caller]
fn on_terminal(sandbox: &Sandbox, line: &str, width: usize, variables: &[(&str, &str)]) -> String {
    screen::on_terminal(sandbox, &format!("restow {line}"), width, variables)
}

#[test]
fn on_a_terminal_a_severity_has_a_colour() {
    if !tools::is_installed("script") {
        return tools::skip("colours of `verify`", "script(1) is not installed");
    }
    let sandbox = Sandbox::new();
    write(
        &sandbox,
        &[hostile()
            .stored_as(Codec::Zstd)
            .with_config(|it| it["created"] = json!(null))],
    );
    let plain = "warning[compression-unusual]";
    let coloured = on_terminal(&sandbox, "verify in.tar", 80, &[]);
    assert!(
        coloured.starts_with(&format!("\u{1b}[1m\u{1b}[33m{plain}\u{1b}[0m `app:1`: ")),
        "{coloured}"
    );
    let without = on_terminal(&sandbox, "verify in.tar", 80, &[("NO_COLOR", "1")]);
    assert!(
        without.starts_with(&format!("{plain} `app:1`: ")),
        "{without}"
    );
}

#[test]
fn on_a_terminal_tables_fit_and_headings_stand_out() {
    if !tools::is_installed("script") {
        return tools::skip("tables on a terminal", "script(1) is not installed");
    }
    let sandbox = Sandbox::new();
    let long = Image::new(
        &["registry.example/a/very/long/name/of/an/image:1"],
        &["file a 1"],
    );
    let long = long.with_config(|config| {
        config["history"][0]["created_by"] = "x".repeat(100).into();
        config["history"][0]["comment"] = "y".repeat(100).into();
        config["config"]["Labels"] = json!({"label": "z".repeat(200)});
    });
    write(&sandbox, &[long]);
    let plain = |text: &str| {
        let parts = text.split('\u{1b}').enumerate();
        let parts = parts.map(|(at, part)| {
            if at == 0 {
                part
            } else {
                part.split_once('m').expect("SGR").1
            }
        });
        parts.collect::<String>()
    };
    for (command, width) in [("images", 80), ("inspect", 80), ("history", 80)] {
        let line = format!("{command} in.tar");
        let coloured = on_terminal(&sandbox, &line, width, &[]);
        assert!(coloured.contains("\u{1b}[1m"), "{coloured}");
        let plain = plain(&coloured);
        let widths = plain.lines().map(|line| line.chars().count());
        assert_eq!(widths.max(), Some(width), "{plain}");
        for variable in [("NO_COLOR", "1"), ("TERM", "dumb")] {
            let without = on_terminal(&sandbox, &line, width, &[variable]);
            assert_eq!(without, plain, "{variable:?}");
        }
        assert_eq!(
            on_terminal(&sandbox, &line, width, &[("NO_COLOR", "")]),
            coloured
        );
        let piped = text(sandbox.run(&[command, "in.tar"]));
        assert!(
            piped.lines().any(|line| line.chars().count() > width),
            "{piped}"
        );
        let whole = on_terminal(&sandbox, &format!("{line} --no-trunc"), width, &[]);
        assert!(!whole.contains('…'), "{whole}");
    }
    let inspection = on_terminal(&sandbox, "inspect in.tar", 120, &[]);
    assert!(
        inspection.contains("\u{1b}[36m█████\u{1b}[0m"),
        "{inspection}"
    );
    write(&sandbox, &[hostile()]);
    for line in [
        "inspect --format .config.Env[0] in.tar",
        "inspect --raw config in.tar",
    ] {
        let shown = on_terminal(&sandbox, line, 80, &[]);
        assert!(!shown.contains(['\u{202e}', '\u{9b}']), "{shown}");
    }
}

#[test]
fn a_terminal_of_80_columns_has_room_for_ordinary_images() {
    if !tools::is_installed("script") {
        return tools::skip("a table on a terminal", "script(1) is not installed");
    }
    let sandbox = Sandbox::new();
    let mut layout = Layout::default();
    let image = Image::new(&[], &["file a 1"]);
    let mut arm = layout.image(&image);
    arm["platform"] = json!({"os": "linux", "architecture": "arm64", "variant": "v8"});
    let attestation = layout.attestation(&arm);
    let index = layout.nested(&[arm, attestation]);
    layout.add_named(&index, "ghcr.io/team/app:1.25");
    layout.add(&Image::new(&["myapp:latest"], &["file b 1"]));
    sandbox.write("in.tar", make::tar(&layout.members()));
    let shown = on_terminal(&sandbox, "images in.tar", 80, &[("NO_COLOR", "1")]);
    let lines: Vec<&str> = shown.lines().collect();
    assert!(
        lines.iter().all(|line| line.chars().count() <= 80),
        "{shown}"
    );
    assert!(!shown.contains('…'), "{shown}");
    for start in ["1  ghcr.io/team/app:1.25  ", "2  myapp:latest  "] {
        assert!(lines.iter().any(|line| line.starts_with(start)), "{shown}");
    }
    for heading in ["#  ", "IMAGE ID", "DIGEST", "SIZE", "PLATFORM"] {
        assert!(lines[0].contains(heading), "{shown}");
    }
}

#[test]
fn one_value_is_printed_bare_or_as_json() {
    let sandbox = Sandbox::new();
    let image = hostile();
    write(&sandbox, std::slice::from_ref(&image));
    for (path, expected) in [
        (".id", format!("{}\n", image.id())),
        (".references[0]", "app:1\n".to_owned()),
        (
            "{{.config.Env}}",
            "[\"A=\\u202ex\\n\",\"B=2\"]\n".to_owned(),
        ),
        (".config.Labels[\"a.b\"]", "c\n".to_owned()),
        (".digest", "null\n".to_owned()),
        (".content_size", "2\n".to_owned()),
        (".layers[1].layer", "2\n".to_owned()),
        (".layers[0].diff_id", format!("{}\n", image.diff_ids[0])),
    ] {
        let printed = text(sandbox.run(&["inspect", "--format", path, "in.tar"]));
        assert_eq!(printed, expected, "{path}");
    }
    let all = text(sandbox.run(&["inspect", "--format", ".", "in.tar"]));
    assert_eq!(all, text(sandbox.run(&["inspect", "--json", "in.tar"])));
}

#[test]
fn documents_are_printed_to_the_byte() {
    let sandbox = Sandbox::new();
    let image = Image::new(&["app:1"], &["file a 1"]);
    let odd = [b" \n".as_slice(), &image.config, b"\n\n"].concat();
    let image = Image {
        config: odd,
        ..image
    };
    let mut layout = Layout::default();
    let manifest = layout.image(&image);
    layout.add_named(&manifest, "app:1");
    sandbox.write("plain.tar", make::tar(&layout.members()));
    let index = layout.nested(std::slice::from_ref(&manifest));
    layout.index.clear();
    layout.add_named(&index, "app:1");
    sandbox.write("nested.tar", make::tar(&layout.members()));
    let raw =
        |document: &str, input: &str| sandbox.run(&["inspect", "--raw", document, input]).data("");
    for input in ["plain.tar", "nested.tar"] {
        assert_eq!(raw("config", input), image.config);
        assert_eq!(digest(&raw("manifest", input)), manifest["digest"]);
    }
    assert_eq!(digest(&raw("index", "nested.tar")), index["digest"]);
    let listed: serde_json::Value =
        serde_json::from_slice(&raw("index", "plain.tar")).expect("it is JSON");
    assert_eq!(listed["manifests"][0]["digest"], manifest["digest"]);
    let hybrid = make::hybrid(&[Image::new(&["app:1"], &["file a 1"])]);
    sandbox.write("hybrid.tar", make::tar(&hybrid));
    let listed = hybrid.iter().find_map(|member| match member {
        Member::File(name, content) if name == "index.json" => Some(content),
        _ => None,
    });
    assert_eq!(Some(&raw("index", "hybrid.tar")), listed);
}

/// `images`, `inspect` and `history` show what a document says, and `convert` keeps it.
#[test]
fn a_time_that_is_none_is_shown_as_it_is() {
    let odd = "2023-02-31T25:61:61Z\u{9b}";
    let shown = "2023-02-31T25:61:61Z\\u{9b}";
    let sandbox = Sandbox::new();
    let image = Image::new(&["app:1"], &["file a 1"]).with_config(|config| {
        config["created"] = odd.into();
        config["history"] = json!([{"created": odd, "created_by": "x"}]);
    });
    write(&sandbox, std::slice::from_ref(&image));
    for arguments in [
        &["images"][..],
        &["images", "--human=false"],
        &["inspect"],
        &["history"],
        &["history", "--human=false"],
    ] {
        let printed = text(sandbox.run(&[arguments, &["in.tar"]].concat()));
        assert!(printed.contains(shown), "{arguments:?}: {printed}");
    }
    let told = |command| json(sandbox.run(&[command, "--json", "in.tar"]));
    assert_eq!(told("images")["images"][0]["created"], odd);
    assert_eq!(told("inspect")["created"], odd);
    assert_eq!(told("history")["history"][0]["created"], odd);
    sandbox.run(&["convert", "in.tar", "out.tar"]).silent();
    let kept = &crate::support::image::Store::open(&sandbox.path("out.tar")).docker_images()[0];
    assert_eq!(kept.id(), image.id());
}

#[test]
fn a_text_that_a_history_does_not_have_is_null() {
    let sandbox = Sandbox::new();
    let image = Image::new(&["app:1"], &["file a 1", "file b 22", "file c 3"]);
    write(
        &sandbox,
        &[image.with_config(|config| {
            config["history"] = json!([
                {"author": null, "comment": null, "created_by": null, "created": null},
                {"author": "", "comment": "", "created_by": "", "empty_layer": null},
                {"author": "me", "comment": "why", "created_by": "it", "created": "then"},
            ]);
        })],
    );
    let nothing = json!([null, null, null]);
    let mut expected = vec![nothing.clone(), nothing, json!(["me", "why", "it"])];
    let told = |command: &str| {
        let report = look(&sandbox, command);
        let steps = report["history"].as_array().expect("it is a list");
        let told = |step: &serde_json::Value| {
            assert_eq!(step["empty_layer"], false);
            json!([step["author"], step["comment"], step["created_by"]])
        };
        steps.iter().map(told).collect::<Vec<_>>()
    };
    assert_eq!(told("inspect"), expected);
    expected.reverse();
    assert_eq!(told("history"), expected);
    for command in ["inspect", "waste"] {
        let output = sandbox.run(&[command, "--json", "in.tar"]).reports().0;
        let report: serde_json::Value = serde_json::from_slice(&output).expect("it is JSON");
        let layers = report["layers"].as_array().expect("it is a list");
        let commands: Vec<_> = layers.iter().map(|it| &it["created_by"]).collect();
        assert_eq!(
            commands,
            [&json!(null), &json!(null), &json!("it")],
            "{command}"
        );
    }
}

#[test]
fn a_history_that_does_not_fit_the_layers_is_told_as_far_as_it_goes() {
    let sandbox = Sandbox::new();
    let told = |history: serde_json::Value| {
        let image = Image::new(&["app:1"], &["file a 1", "file b 22"]);
        let image = image.with_config(|config| config["history"] = history);
        write(&sandbox, &[image]);
        let printed = text(sandbox.run(&["history", "--human=false", "in.tar"]));
        // The ids stand above the table.
        let lines = printed.lines().skip_while(|it| !it.starts_with("LAYER"));
        let lines = lines.skip(1);
        let words = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words
                .into_iter()
                .filter(|it| it.len() < 12)
                .collect::<Vec<_>>()
                .join(" ")
        };
        lines.map(words).collect::<Vec<_>>()
    };
    assert_eq!(
        told(json!([{"created_by": "x"}])),
        ["2 N/A 2 2048", "1 N/A x 1 2048"]
    );
    assert_eq!(
        told(json!([{"created_by": "x"}, {"created_by": "y"}, {"created_by": "z"}])),
        ["N/A z 0 0", "2 N/A y 2 2048", "1 N/A x 1 2048"]
    );
    assert_eq!(told(json!(null)), ["2 N/A 2 2048", "1 N/A 1 2048"]);
    assert_eq!(
        told(json!([{"created": "0001-01-01T00:00:00Z"}, {"created": "1970-01-01T00:00:00Z"}])),
        ["2 2 2048", "1 N/A 1 2048"].map(str::to_owned)
    );
    assert_eq!(
        json(sandbox.run(&["history", "--json", "in.tar"]))["history"][0]["layer"],
        2
    );
}
