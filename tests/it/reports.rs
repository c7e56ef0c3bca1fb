//! What commands that write images say of them with `--json`: names, ids, sizes.

use std::sync::Mutex;

use expect_test::expect;
use restow::{ConvertOptions, Event, Input, Output, Session};
use serde_json::{Value, json};

use crate::support::codec::Codec;
use crate::support::image::Store;
use crate::support::judge::Format;
use crate::support::make::{self, Image, Layout};
use crate::support::sandbox::Sandbox;
use crate::support::{screen, tools};

fn app() -> Image {
    Image::new(
        &["app:1", "reg.example:5000/x/app:2"],
        &["file a 1", "file b 2"],
    )
    .stored_as(Codec::Gzip)
}

fn report(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let (stdout, _) = sandbox.run(arguments).data_and_warnings();
    serde_json::from_slice(&stdout).expect("the report is JSON")
}

/// The one image that was written to `out`, in the words of a report.
fn written(sandbox: &Sandbox, format: Format, references: &[&str]) -> Value {
    let path = sandbox.path("out");
    let store = Store::open(&path);
    let images = format.images(&path);
    let [image] = images.as_slice() else {
        panic!("there are {} images", images.len());
    };
    let stored = store.stored(image);
    let listed = &store.json("index.json")["manifests"][0];
    let config: Value = serde_json::from_str(&image.config).expect("a config is JSON");
    let word = |key| config[key].as_str().expect("a text");
    json!({
        "references": references,
        "labels": [],
        "kind": "image",
        "id": image.id(),
        "digest": listed["digest"],
        "media_type": "application/vnd.oci.image.manifest.v1+json",
        "platform": format!("{}/{}", word("os"), word("architecture")),
        "layers": stored.len(),
        "size": stored.iter().map(Vec::len).sum::<usize>(),
    })
}

#[test]
fn every_command_tells_the_ids_of_what_it_wrote() {
    let kept = &["app:1", "reg.example:5000/x/app:2"][..];
    let cases: [(&[&str], &str, &[&str]); 6] = [
        (&["convert"], "in.tar", kept),
        (&["convert", "--compress", "zstd"], "in.tar", kept),
        (
            &["convert", "--tag", "new", "--tag", "new:latest"],
            "in.tar",
            &["new:latest"],
        ),
        (&["import", "--tag", "new:1"], "root.tar", &["new:1"]),
        (&["import", "--compress", "gzip"], "root.tar", &[]),
        (&["squash", "--all", "--tag", "new:1"], "in.tar", &["new:1"]),
    ];
    for format in Format::ALL {
        for (command, source, references) in cases {
            let sandbox = Sandbox::new();
            sandbox.write("in.tar", make::tar(&make::docker(&[app()])));
            sandbox.write("root.tar", make::layer("file a 1"));
            let target = format.at("out");
            let arguments = [command, &["--json", source, &target]].concat();
            let mut got = report(&sandbox, &arguments);
            let object = got.as_object_mut().expect("an object");
            // The rest of what squash tells has tests of its own.
            object.retain(|key, _| {
                ["source", "destination", "format", "images"].contains(&key.as_str())
            });
            let expected = json!({
                "source": source,
                "destination": target,
                "format": target.split(':').next(),
                "images": [written(&sandbox, format, references)],
            });
            assert_eq!(got, expected, "{arguments:?}");
        }
    }
}

#[test]
fn what_is_passed_on_whole_is_told_as_what_it_is() {
    let mut layout = Layout::default();
    let manifest = layout.image(&app());
    let index = layout.nested(std::slice::from_ref(&manifest));
    let referrer = layout.referrer(&manifest);
    layout.add_named(&index, "app:1");
    layout.add_named(&index, "a label");
    layout.add_named(&manifest, "1.0");
    layout.index.push(referrer.clone());
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&layout.members()));
    let told = report(&sandbox, &["convert", "--json", "in.tar", "oci:out"]);
    let images = told["images"].as_array().expect("a list");
    let facts = |image: &Value| {
        let keys = ["references", "labels", "kind", "id", "digest", "layers"];
        Value::from(keys.map(|key| image[key].clone()).to_vec())
    };
    let got: Vec<Value> = images.iter().map(facts).collect();
    let digest = |descriptor: &Value| descriptor["digest"].clone();
    let expected = [
        json!([["app:1"], ["a label"], "index", null, digest(&index), null]),
        json!([[], ["1.0"], "image", app().id(), digest(&manifest), 2]),
        json!([[], [], "artifact", null, digest(&referrer), null]),
    ];
    assert_eq!(got, expected);
}

#[test]
fn a_dry_run_has_written_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&make::docker(&[app()])));
    let command = [
        "squash",
        "--all",
        "--dry-run",
        "--json",
        "in.tar",
        "out.tar",
    ];
    let told = report(&sandbox, &command);
    assert_eq!(told["source"], "in.tar");
    assert_eq!(
        (&told["destination"], &told["format"], &told["images"]),
        (&Value::Null, &Value::Null, &json!([]))
    );
}

#[test]
fn a_report_is_not_mixed_into_an_image() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&make::docker(&[app()])));
    let archives = [
        "-",
        "docker-archive:-",
        "/dev/stdout",
        "docker-archive:/dev/fd/1",
    ];
    let trees = ["-", "rootfs:-", "/dev/stdout", "rootfs:/dev/fd/1"];
    for (command, what, targets) in [
        (&["convert"][..], "image", archives),
        (&["import"], "image", archives),
        (&["squash", "--all"], "image", archives),
        (&["export"], "tar", trees),
    ] {
        for target in targets {
            let arguments = [command, &["--json", "in.tar", target]].concat();
            let output = sandbox.run(&arguments);
            let says = format!(
                "error: `--json` cannot be used when the {what} goes to standard output\n  hint: name a file as DST\n"
            );
            assert_eq!((output.code, output.stderr), (Some(2), says));
            assert_eq!(output.stdout, b"", "{arguments:?}");
        }
    }
}

#[test]
fn an_export_tells_which_tree_it_wrote() {
    let sandbox = Sandbox::new();
    let merged = Image::new(
        &["app:1", "app:2"],
        &["dir d\nfile d/a 1\nfile b 22", "file d/.wh.a\nlink c b"],
    );
    let mut layout = Layout::default();
    let manifest = layout.image(&merged);
    layout.add_named(&manifest, "a label");
    sandbox.write("in.tar", make::tar(&make::docker(&[merged])));
    sandbox.write("layout.tar", make::tar(&layout.members()));
    let told = |source, target| report(&sandbox, &["export", "--json", source, target]);
    let size = |name| sandbox.read(name).len().to_string();
    let told = [
        told("in.tar", "root.tar"),
        told("layout.tar", "rootfs:root.tgz"),
    ];
    let told = told.map(|it| serde_json::to_string_pretty(&it).expect("it is JSON"));
    expect![[r#"
        {
          "source": "in.tar",
          "destination": "root.tar",
          "format": "rootfs",
          "references": [
            "app:1",
            "app:2"
          ],
          "labels": [],
          "id": "sha256:38f189cd26999890d0115d7959faabc8c9d5eee6a724a3d0894cc20e3c40cbd1",
          "digest": null,
          "platform": "linux/amd64",
          "layers": 2,
          "entries": 3,
          "size": 3072
        }
        {
          "source": "layout.tar",
          "destination": "rootfs:root.tgz",
          "format": "rootfs",
          "references": [],
          "labels": [
            "a label"
          ],
          "id": "sha256:38f189cd26999890d0115d7959faabc8c9d5eee6a724a3d0894cc20e3c40cbd1",
          "digest": "sha256:b4c46e1434bbf0c7f0a55aaefa5e5786bd409c1b16372b04fda257433446ba67",
          "platform": "linux/amd64",
          "layers": 2,
          "entries": 3,
          "size": 142
        }"#]]
    .assert_eq(&told.join("\n"));
    expect!["3072 142"].assert_eq(&[size("root.tar"), size("root.tgz")].join(" "));
}

#[test]
fn an_extraction_tells_which_tree_it_wrote() {
    let sandbox = Sandbox::new();
    let merged = Image::new(
        &["app:1", "app:2"],
        &["dir d\nfile d/a 1\nfile b 22", "file d/.wh.a\nlink c b"],
    );
    sandbox.write("in.tar", make::tar(&make::docker(&[merged])));
    let output = sandbox.run(&["extract", "--json", "in.tar", "files"]);
    let told: Value = serde_json::from_slice(&output.reports().0).expect("it is JSON");
    let mut told = serde_json::to_string_pretty(&told).expect("it is JSON") + "\n";
    if !tools::is_root() {
        // All of them, and the root.
        told = told.replace("\"owners_mapped\": 4", "\"owners_mapped\": 0");
    }
    expect![[r#"
        {
          "source": "in.tar",
          "destination": "files",
          "references": [
            "app:1",
            "app:2"
          ],
          "labels": [],
          "id": "sha256:38f189cd26999890d0115d7959faabc8c9d5eee6a724a3d0894cc20e3c40cbd1",
          "digest": null,
          "platform": "linux/amd64",
          "layers": 2,
          "entries": 3,
          "size": 2,
          "owners_mapped": 0,
          "attributes_skipped": 0,
          "times_changed": 0,
          "nodes_skipped": 0
        }
    "#]]
    .assert_eq(&told);
}

#[test]
fn events_are_json_whatever_a_name_holds() {
    let mut layout = Layout::default();
    let manifest = layout.image(&app());
    layout.add_named(&manifest, "a\u{9b}31m\u{202e}\u{1b}");
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&layout.members()));
    let output = sandbox.run(&["convert", "--progress", "json", "in.tar", "out.tar"]);
    let events = output.stderr.lines().map(|line| {
        let event = serde_json::from_str::<Value>(line);
        event.unwrap_or_else(|error| panic!("{error}: {line}"))
    });
    let told = events.filter(|event| event["event"] == "warning");
    let told: Vec<String> = told.map(|event| event["message"].to_string()).collect();
    assert!(
        told.iter().any(|it| it.contains("a\u{9b}31m\u{202e}")),
        "{told:?}"
    );
    assert!(!output.stderr.contains(['\u{9b}', '\u{202e}']));
}

#[test]
fn a_person_who_watches_is_told_on_a_line() {
    if !tools::is_installed("script") {
        return tools::skip("reports on a terminal", "script(1) is not installed");
    }
    let sandbox = Sandbox::new();
    let other = Image::new(&["other:1"], &["file b 1"]);
    sandbox.write("in.tar", make::tar(&make::docker(&[app()])));
    sandbox.write("two.tar", make::tar(&make::docker(&[app(), other])));
    sandbox.write("root.tar", make::layer("file a 1"));
    let on_terminal =
        |line: &str| screen::on_terminal(&sandbox, &format!("restow {line}"), 80, &[]);
    let told = on_terminal("convert in.tar oci:out");
    let image = written(&sandbox, Format::Oci, &[]);
    let short = |key: &str| image[key].as_str().expect("a digest")[7..19].to_owned();
    assert_eq!(
        told,
        format!(
            "wrote oci:out: app:1 and 1 other name, linux/amd64, image id {}, digest {}, 2 layers, {}B\n",
            short("id"),
            short("digest"),
            image["size"]
        )
    );
    assert_eq!(
        on_terminal("convert two.tar oci:two"),
        "wrote oci:two: 2 images\n"
    );
    let told = on_terminal("import --platform arm64 root.tar 1.tar");
    assert!(
        told.starts_with("wrote 1.tar: untagged, linux/arm64, image id "),
        "{told}"
    );
    let told = on_terminal("squash --all --tag new:1 in.tar 2.tar");
    let last = told.lines().last().expect("a line");
    assert!(
        last.starts_with("wrote 2.tar: new:1, linux/amd64, image id "),
        "{told}"
    );
    let told = on_terminal("export in.tar 5.tar; restow export in.tar > 6.tar");
    expect![[r#"
        wrote 5.tar: app:1 and 1 other name, linux/amd64, image id 147d4c333386, 2 entries, 3.07kB
        wrote to standard output: app:1 and 1 other name, linux/amd64, image id 147d4c333386, 2 entries, 3.07kB
    "#]].assert_eq(&told);
    let told = on_terminal("extract in.tar 9; restow import 9 10.tar");
    let told: Vec<&str> = told
        .lines()
        .filter(|it| !it.starts_with("warning: "))
        .collect();
    let expected =
        "wrote 9: app:1 and 1 other name, linux/amd64, image id 147d4c333386, 2 entries, 2B";
    assert_eq!(told[0], expected);
    assert!(
        told[1].starts_with("wrote 10.tar: untagged, linux/amd64, "),
        "{told:?}"
    );
    if tools::is_root() {
        assert_eq!(on_terminal("extract --quiet in.tar 11"), "");
    }
    assert_eq!(on_terminal("convert --quiet in.tar 3.tar"), "");
    assert_eq!(on_terminal("export --quiet in.tar 7.tar"), "");
    // The next command may have something to say, too.
    assert_eq!(on_terminal("export in.tar | cat > 8.tar"), "");
    let json = on_terminal("convert --json in.tar 4.tar");
    assert!(json.starts_with('{') && json.lines().count() == 1, "{json}");
}

#[test]
fn a_person_is_told_that_nothing_changed() {
    if !tools::is_installed("script") {
        return tools::skip("reports on a terminal", "script(1) is not installed");
    }
    let sandbox = Sandbox::new();
    let app = Image::new(&["app:1"], &["file a 1", "file b 2"]);
    let app = app.with_config(|config| config["config"]["Labels"] = json!({"a": "b"}));
    sandbox.write("in.tar", make::tar(&make::docker(&[app])));
    sandbox.write("a.tar", make::layer("file a 1"));
    drop(sandbox.run(&["convert", "in.tar", "oci:lay"]).reports());
    let mut told = String::new();
    for line in [
        "config oci:lay oci:lay --label a=b",
        "config in.tar 1.tar --label a=b",
        "config in.tar oci:2 --label a=b --compress gzip",
        "config in.tar oci:3 --label a=c",
        "config --json oci:lay oci:lay --label a=b | tail -c 1",
        "rebase --quiet in.tar rebased.tar --onto in.tar --from in.tar",
        "rebase rebased.tar 4.tar --onto in.tar --from in.tar",
        "append oci:lay oci:lay a.tar --only-new",
        "append oci:lay oci:lay - --only-new < a.tar",
        "append --json oci:lay oci:lay - --only-new < a.tar | grep -o '\"unchanged\":[^,]*'",
        "squash oci:lay oci:lay --last 1",
    ] {
        let shown = screen::on_terminal(&sandbox, &format!("restow {line}"), 80, &[]);
        told.push_str(&["$ ", line, "\n", &shown].concat());
    }
    expect![[r#"
        $ config oci:lay oci:lay --label a=b
        nothing changed: the image has these settings already
        wrote oci:lay: app:1, linux/amd64, image id 83e5998f5b48, digest ff2194c7a3f4, 2 layers, 4.1kB
        $ config in.tar 1.tar --label a=b
        nothing changed: the image has these settings already
        wrote 1.tar: app:1, linux/amd64, image id 83e5998f5b48, digest ff2194c7a3f4, 2 layers, 4.1kB
        $ config in.tar oci:2 --label a=b --compress gzip
        wrote oci:2: app:1, linux/amd64, image id 83e5998f5b48, digest 27ba3486da6f, 2 layers, 170B
        $ config in.tar oci:3 --label a=c
        wrote oci:3: app:1, linux/amd64, image id 47805b65d5e1, digest e2e62782d4ac, 2 layers, 4.1kB
        $ config --json oci:lay oci:lay --label a=b | tail -c 1

        $ rebase --quiet in.tar rebased.tar --onto in.tar --from in.tar
        $ rebase rebased.tar 4.tar --onto in.tar --from in.tar
        nothing changed: `app:1` is based on `app:1` already
        wrote 4.tar: app:1, linux/amd64, image id 83e5998f5b48, digest e06f0f64bf52, 2 layers, 4.1kB
        $ append oci:lay oci:lay a.tar --only-new
        nothing changed: no layer was added for `a.tar`
        wrote oci:lay: app:1, linux/amd64, image id 83e5998f5b48, digest ff2194c7a3f4, 2 layers, 4.1kB
        $ append oci:lay oci:lay - --only-new < a.tar
        nothing changed: no layer was added for standard input
        wrote oci:lay: app:1, linux/amd64, image id 83e5998f5b48, digest ff2194c7a3f4, 2 layers, 4.1kB
        $ append --json oci:lay oci:lay - --only-new < a.tar | grep -o '"unchanged":[^,]*'
        "unchanged":["-"]
        $ squash oci:lay oci:lay --last 1
        nothing to merge
        `app:1` went from 2 layers (4.1kB) to 2 layers (4.1kB)
        wrote oci:lay: app:1, linux/amd64, image id 83e5998f5b48, digest ff2194c7a3f4, 2 layers, 4.1kB
    "#]].assert_eq(&told);
}

/// Takes the events of a conversion: what was said before, and the steps on blobs.
fn watched(sandbox: &Sandbox) -> (Option<usize>, Option<usize>, usize) {
    let said = Mutex::new((None, None, 0));
    let observer = |event: Event<'_>| {
        let mut said = said.lock().expect("nobody panics");
        match event {
            Event::Started { images, steps, .. } => (said.0, said.1) = (images, steps),
            Event::Step(step) if step.blob().is_some() => said.2 += 1,
            _ => {}
        }
    };
    let session = Session::new().jobs(1).on_event(observer);
    let input = Input::path(sandbox.path("in.tar"));
    let output = Output::archive(sandbox.path("out"));
    let converted = session.convert(input, output, &ConvertOptions::default());
    converted.expect("it can be converted");
    drop(session);
    said.into_inner().expect("nobody panics")
}

#[test]
fn a_watcher_can_count_what_it_was_told_before() {
    let sandbox = Sandbox::new();
    let images = [app(), Image::new(&["b:1"], &["file c 3"])];
    sandbox.write("in.tar", make::tar(&make::docker(&images)));
    assert_eq!(watched(&sandbox), (Some(2), Some(3), 3));
}
