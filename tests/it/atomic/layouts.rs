//! Layouts that exist, and runs into them that fail at their end: everything that came in
//! leaves again, and what was there is back. That the tree is the same is checked by the
//! sandbox after every run that fails.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::codec::{digest, hex};
use crate::support::make::{self, Image, Layout, Member};
use crate::support::{Sandbox, tools};

/// The image that is added.
fn added() -> Image {
    let layers: Vec<String> = (0..6).map(|at| format!("file added/{at} {at}")).collect();
    let layers: Vec<&str> = layers.iter().map(String::as_str).collect();
    Image::new(&["added:1"], &layers)
}

/// A sandbox with that image in an archive, and a layout with another one.
fn prepared() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&make::docker(&[added()])));
    let mut layout = Layout::default();
    layout.add(&Image::new(&["held:1"], &["file held 1", "file added/0 0"]));
    for member in layout.members() {
        if let Member::File(path, content) = member {
            sandbox.write(&format!("lay/{path}"), content);
        }
    }
    sandbox
}

/// The names of the blobs that a run into the layout adds.
fn new_blobs(sandbox: &Sandbox) -> Vec<String> {
    let blobs = |layout: &str| -> Vec<String> {
        let entries = fs::read_dir(sandbox.path(layout).join("blobs/sha256"));
        let entries = entries.expect("a layout has blobs");
        let names = entries.map(|it| it.expect("an entry").file_name());
        names
            .map(|it| it.into_string().expect("hexadecimal digits"))
            .collect()
    };
    sandbox.run(&["convert", "in.tar", "oci:other"]).silent();
    let (before, mut new) = (blobs("lay"), blobs("other"));
    sandbox.remove("other");
    new.retain(|name| !before.contains(name));
    assert_eq!(new.len(), 7, "five layers, a config and a manifest");
    new
}

#[test]
fn a_blob_that_cannot_be_moved_takes_the_others_back() {
    let sandbox = prepared();
    for blob in new_blobs(&sandbox) {
        let path = format!("lay/blobs/sha256/{blob}");
        sandbox.write(&format!("{path}/of a user"), "x");
        sandbox
            .run(&["convert", "in.tar", "oci:lay"])
            .fails("error: cannot write `lay`\n  caused by: Is a directory\n");
        sandbox.remove(&path);
    }
    // Without the marker, it is made, and taken back as well.
    sandbox.remove("lay/oci-layout");
    let blob = &new_blobs(&sandbox)[0];
    sandbox.write(&format!("lay/blobs/sha256/{blob}/of a user"), "x");
    drop(sandbox.run(&["convert", "in.tar", "oci:lay"]).refuses());
}

/// A damaged blob is replaced, and is back if the run fails.
#[test]
fn a_blob_that_was_replaced_is_back() {
    let sandbox = prepared();
    let layer = make::layer("file added/0 0");
    let shared = format!("lay/blobs/sha256/{}", hex(&digest(&layer)));
    let mut damaged = layer.clone();
    damaged[0] ^= 1;
    sandbox.write(&shared, &damaged);
    let blobs = new_blobs(&sandbox);
    for blob in &blobs {
        let path = format!("lay/blobs/sha256/{blob}");
        sandbox.write(&format!("{path}/of a user"), "x");
        drop(sandbox.run(&["convert", "in.tar", "oci:lay"]).refuses());
        sandbox.remove(&path);
    }
    // It keeps its mode when it is replaced.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(sandbox.path(&shared), mode).expect("the mode can be set");
    let warning = format!(
        "warning: {} was damaged in the output; replaced\n",
        digest(&layer)
    );
    sandbox
        .run(&["convert", "in.tar", "oci:lay"])
        .warns(&warning);
    assert_eq!(sandbox.tree()[&shared], format!("600 {}", digest(&layer)));
}

/// The new `index.json` is larger than any file may be.
#[test]
fn an_index_that_cannot_be_written_takes_the_blobs_back() {
    let sandbox = prepared();
    let read =
        |name: &str| -> Value { serde_json::from_slice(&sandbox.read(name)).expect("it is JSON") };
    let mut index = read("lay/index.json");
    index["annotations"] = json!({"long": "x".repeat(40_000)});
    sandbox.write("lay/index.json", index.to_string());
    for without_marker in [false, true] {
        if without_marker {
            sandbox.remove("lay/oci-layout");
        }
        let launcher = ["/bin/sh", "-c", "ulimit -f 40; exec \"$@\"", "sh"];
        let run = sandbox.restow(&["convert", "in.tar", "oci:lay"]);
        run.by(&launcher)
            .run()
            .fails("error: cannot write `lay`\n  caused by: File too large\n");
    }
    sandbox.run(&["convert", "in.tar", "oci:lay"]).silent();
}

/// Neither a blob nor a manual page is waited for.
#[test]
fn a_pipe_in_the_place_of_a_file_is_not_opened() {
    let sandbox = prepared();
    sandbox.run(&["convert", "in.tar", "oci:lay"]).silent();
    let clean = sandbox.tree();
    let blobs = sandbox.path("lay/blobs/sha256");
    let entries = fs::read_dir(&blobs).expect("a folder");
    let paths: Vec<_> = entries.map(|it| it.expect("an entry").path()).collect();
    let put_pipe = |path: &Path| drop(tools::tool("mkfifo", &[path.as_os_str()]));
    let launcher = ["timeout", "-s", "KILL", "20"];
    let mut replaced = 0;
    for path in paths {
        let content = fs::read(&path).expect("a blob");
        fs::remove_file(&path).expect("it can be removed");
        put_pipe(&path);
        let run = sandbox.restow(&["convert", "in.tar", "oci:lay"]);
        run.by(&launcher).run().silent();
        // The blobs of the other image are not looked at.
        if fs::symlink_metadata(&path).is_ok_and(|it| it.is_file()) {
            replaced += 1;
        } else {
            fs::remove_file(&path).expect("it can be removed");
            fs::write(&path, content).expect("it can be written");
        }
        assert_eq!(sandbox.tree(), clean);
    }
    assert_eq!(replaced, 8);
    fs::create_dir(sandbox.path("man")).expect("a folder can be made");
    put_pipe(&sandbox.path("man/restow.1"));
    let run = sandbox.restow(&["man", "man"]).by(&launcher).run();
    run.fails("error: `man/restow.1` already exists\n  hint: use `--force` to overwrite it\n");
}
