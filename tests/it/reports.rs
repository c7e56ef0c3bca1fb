//! What commands that write images say of them with `--json`: names, ids, sizes.

use serde_json::{Value, json};

use crate::support::codec::Codec;
use crate::support::image::Store;
use crate::support::judge::Format;
use crate::support::make::{self, Image, Layout};
use crate::support::sandbox::Sandbox;

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
    for command in [&["convert"][..], &["import"], &["squash", "--all"]] {
        for target in [
            "-",
            "docker-archive:-",
            "/dev/stdout",
            "docker-archive:/dev/fd/1",
        ] {
            let arguments = [command, &["--json", "in.tar", target]].concat();
            let output = sandbox.run(&arguments);
            let says = "error: `--json` prints to standard output, where the image goes\n  hint: name a file as DST\n";
            assert_eq!((output.code, output.stderr.as_str()), (Some(2), says));
            assert_eq!(output.stdout, b"", "{arguments:?}");
        }
    }
}
