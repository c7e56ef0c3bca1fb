//! A layout that is the source and the destination.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use super::{base, entry, parsed};
use crate::support::Sandbox;
use crate::support::codec::digest;
use crate::support::image::Store;
use crate::support::judge::Format;
use crate::support::make::{self, Image};
use crate::support::squash::put;

/// The name, digest pairs in the index of the layout.
fn listed(sandbox: &Sandbox) -> Vec<(String, String)> {
    let index = parsed(sandbox.read("lay/index.json"));
    let manifests = index["manifests"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = |it: &Value| text(&it["annotations"]["org.opencontainers.image.ref.name"]);
    manifests
        .map(|it| (name(it), text(&it["digest"])))
        .collect()
}

/// The path of a layer in the layout.
fn blob(layer: &[u8]) -> String {
    format!("lay/blobs/sha256/{}", &digest(layer)["sha256:".len()..])
}

#[test]
fn in_place_the_tag_moves_and_no_layer_is_touched() {
    let sandbox = Sandbox::new();
    let lay = put(&sandbox, "lay", Format::Oci, &base());
    let old = listed(&sandbox)[0].1.clone();
    let state = |layer: &Vec<u8>| {
        let metadata = fs::metadata(sandbox.path(&blob(layer))).expect("it is there");
        (metadata.ino(), metadata.mtime_nsec())
    };
    let layers = base().layers;
    let before: Vec<_> = layers.iter().map(state).collect();
    sandbox
        .run(&["config", "--label", "a=b", &lay, &lay])
        .warns(&format!(
            "warning: `app:1` moved from {old}, which stays in the layout without this name\n"
        ));
    assert_eq!(layers.iter().map(state).collect::<Vec<_>>(), before);
    let after = listed(&sandbox);
    assert_eq!((after.len(), &after[0]), (2, &(String::new(), old)));
    assert_eq!(after[1].0, "app:1");
    let config = sandbox.run(&["inspect", "--raw", "config", "oci:lay:app:1"]);
    let config = parsed(config.data(""));
    assert_eq!(
        config["config"]["Labels"],
        json!({"l": "1", "k.x": "2", "a": "b"})
    );
    assert_eq!(entry(&config)["created_by"], "restow config --label a=b");
    drop(sandbox.run(&["verify", "oci:lay"]).data_and_warnings());
}

/// The content of a layer that is not read may be anything of the same size.
#[test]
fn in_place_no_layer_is_read() {
    let convert = [
        "convert", "--image", "app:1", "--tag", "app:2", "oci:lay", "oci:lay",
    ];
    let config = [
        "config",
        "--annotation",
        "x=y",
        "oci:lay:app:1",
        "oci:lay:app:2",
    ];
    let linked = ["convert", "oci:lay", "oci:linked"];
    for arguments in [&convert[..], &config, &linked] {
        let sandbox = Sandbox::new();
        drop(put(&sandbox, "lay", Format::Oci, &base()));
        let layer = &base().layers[1];
        // The same length and, for the detection of compression, the same start.
        let mut garbage = layer.clone();
        garbage[600..700].fill(b'!');
        sandbox.write(&blob(layer), &garbage);
        if arguments == linked {
            // The same files in two layouts, as `cp -al` makes them.
            for member in make_folders(&sandbox) {
                let (from, to) = (format!("lay/{member}"), format!("linked/{member}"));
                fs::hard_link(sandbox.path(&from), sandbox.path(&to)).expect("it can be linked");
            }
        }
        sandbox.run(arguments).silent();
        assert!(sandbox.read(&blob(layer)) == garbage);
        // Elsewhere it is read.
        let copied = sandbox.run(&["convert", "--image", "app:1", "oci:lay", "oci:other"]);
        let said = copied.refuses();
        assert!(said.contains("digest"), "{said}");
    }
}

/// Makes the folders of a second layout, and returns the files of the first.
fn make_folders(sandbox: &Sandbox) -> Vec<String> {
    fs::create_dir_all(sandbox.path("linked/blobs/sha256")).expect("it can be created");
    let tree = sandbox.tree();
    let names = tree.keys().filter_map(|name| name.strip_prefix("lay/"));
    let files = names.filter(|name| !name.is_empty() && !name.ends_with('/'));
    files.map(str::to_owned).collect()
}

/// A squash in place reads the layers that it merges, and checks the others.
#[test]
fn in_place_a_layer_that_matters_is_read() {
    let sandbox = Sandbox::new();
    let image = Image::new(&["app:1"], &["file a 1", "file b 2", "file c 3"]);
    drop(put(&sandbox, "lay", Format::Oci, &image));
    let mut garbage = image.layers[0].clone();
    garbage[600..700].fill(b'!');
    sandbox.write(&blob(&image.layers[0]), &garbage);
    let squash = ["squash", "--last", "2", "oci:lay", "oci:lay"];
    drop(sandbox.run(&squash).refuses());
    // A file that is another one is still compared with its digest, and replaced.
    let other = Sandbox::new();
    drop(put(&other, "lay", Format::Oci, &image));
    other.write(&blob(&image.layers[0]), &garbage);
    other.write(
        "in.tar",
        make::tar(&make::docker(std::slice::from_ref(&image))),
    );
    let warnings = other.run(&["convert", "in.tar", "oci:lay"]).warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(other.read(&blob(&image.layers[0])) == image.layers[0]);
}

#[test]
fn a_new_tag_leaves_the_old_one() {
    let sandbox = Sandbox::new();
    drop(put(&sandbox, "lay", Format::Oci, &base()));
    let old = listed(&sandbox);
    let config = [
        "config",
        "-c",
        "USER x",
        "-t",
        "app:2",
        "oci:lay:app:1",
        "oci:lay",
    ];
    sandbox.run(&config).silent();
    let after = listed(&sandbox);
    assert_eq!(
        (after.len(), &after[0], after[1].0.as_str()),
        (2, &old[0], "app:2")
    );
    // Only the config and the manifest are new.
    let blobs = Store::open(&sandbox.path("lay")).blobs();
    assert_eq!(blobs.len(), 2 + 2 + base().layers.len());
}

#[test]
fn the_report_says_what_was_written() {
    let sandbox = Sandbox::new();
    let lay = put(&sandbox, "lay", Format::Oci, &base());
    let run = sandbox.run(&[
        "config", "--json", "--label", "a=b", "-t", "app:2", &lay, "oci:lay",
    ]);
    let report = parsed(run.data(""));
    let after = listed(&sandbox);
    assert_eq!(report["source"], json!("oci:lay"));
    assert_eq!(report["images"][0]["references"], json!(["app:2"]));
    assert_eq!(report["images"][0]["digest"], json!(after[1].1));
    assert_eq!(report["images"][0]["platform"], json!("linux/amd64"));
}
