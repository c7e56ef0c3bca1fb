//! Requests that are refused: nothing changes, as the sandbox checks after each failure.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use super::write;
use crate::support::codec::{digest, hex};
use crate::support::make::{self, Image, Layout};
use crate::support::sandbox::Sandbox;

/// A layout of two images, one of them with two names and in an index.
fn prepared() -> (Sandbox, Layout, [String; 3]) {
    let mut layout = Layout::default();
    let app = layout.image(&Image::new(&["app:1"], &["file a 1"]));
    let tool = layout.image(&Image::new(&["tool:1"], &["file t 1"]));
    let arm = layout.image(&Image::new(&["arm:1"], &["file arm 1"]));
    let multi = layout.nested(std::slice::from_ref(&arm));
    layout.add_named(&app, "app:1");
    layout.add_named(&app, "app:2");
    layout.add_named(&tool, "tool:1");
    layout.add_named(&multi, "multi:1");
    let sandbox = Sandbox::new();
    write(&sandbox, "lay", &layout);
    let digests = [&app, &tool, &arm].map(|it| it["digest"].as_str().expect("a digest").to_owned());
    (sandbox, layout, digests)
}

#[test]
fn a_request_that_is_not_clear_changes_nothing() {
    let (sandbox, _, [app, tool, arm]) = prepared();
    let short = |digest: &str| hex(digest)[..12].to_owned();
    let multi = super::index(&sandbox.path("lay"))[3]["digest"].to_string();
    let multi = short(multi.trim_matches('"'));
    let available = format!(
        "  hint: available: `app:1` ({0}), `app:2` ({0}), `tool:1` ({1}), `multi:1` ({multi})\n",
        short(&app),
        short(&tool),
    );
    sandbox
        .run(&["remove", "lay", "tool:1", "app:3"])
        .fails(&format!("error: no image `app:3` in `lay`\n{available}"));
    sandbox
        .run(&["remove", "--untagged", "lay", "#9"])
        .fails(&format!("error: no image `#9` in `lay`\n{available}"));
    // A few digits are no id here: a number without its sign.
    for few in [&hex(&tool)[..1], &hex(&tool)[..3]] {
        let hint = available.trim_start_matches("  hint: ");
        let is_number = few.bytes().all(|it| it.is_ascii_digit());
        let number = if is_number {
            format!("to choose by number: `'#{few}'`; ")
        } else {
            String::new()
        };
        sandbox.run(&["remove", "lay", few]).fails(&format!(
            "error: no image `{few}` in `lay`\n  hint: {number}{hint}"
        ));
    }
    let hint = available.trim_start_matches("  hint: ");
    sandbox.run(&["remove", "lay", "7"]).fails(&format!(
        "error: no image `7` in `lay`\n  hint: to choose by number: `'#7'`; {hint}"
    ));
    sandbox
        .run(&["remove", "--dry-run", "-q", "lay", &hex(&tool)[..4]])
        .data("");
    sandbox.run(&["remove", "lay", &app]).fails(&format!(
        "error: `{app}` has several names in `lay`: `app:1`, `app:2`\n  \
         hint: name one of them, or use `--force` to remove all\n"
    ));
    sandbox.run(&["remove", "lay", &arm]).fails(&format!(
        "error: `{arm}` is a part of `multi:1`\n  hint: name the index, or copy the platforms to \
         keep: `restow convert --platform PLATFORM SRC NEW`\n"
    ));
}

/// The message at a blob with these bytes instead of its own.
fn unreadable(broken: &str, bytes: &[u8]) -> String {
    format!(
        "error: cannot read `lay`\n  caused by: cannot read blob {broken}\n  caused by: blob does \
         not match its digest: expected {broken}, got {}\n  hint: nobody knows which blobs it \
         needs: remove the image with it, or copy those to keep into a new layout: `restow convert \
         --image REF oci:DIR oci:NEW`\n",
        digest(bytes)
    )
}

#[test]
fn a_document_that_cannot_be_read_ends_it() {
    let (sandbox, layout, [app, tool, arm]) = prepared();
    let blob = |digest: &str| format!("lay/blobs/sha256/{}", hex(digest));
    for bytes in [&b"{"[..], b"{}", b"[]"] {
        for broken in [&app, &arm] {
            write(&sandbox, "lay", &layout);
            sandbox.write(&blob(broken), bytes);
            let said = sandbox.run(&["remove", "lay", "tool:1"]).refuses();
            assert_eq!(said, unreadable(broken, bytes));
        }
        // What is broken can be removed.
        write(&sandbox, "lay", &layout);
        sandbox.write(&blob(&tool), bytes);
        sandbox.run(&["remove", "-q", "lay", "tool:1"]).silent();
        assert!(!sandbox.path(&blob(&tool)).exists());
    }
    // One that no image has is left behind by a copy.
    let mut backup = layout.clone();
    let named = backup.index.pop().expect("it lists images");
    write(&sandbox, "lay", &backup);
    let mut index: Value = serde_json::from_slice(&sandbox.read("lay/index.json")).expect("JSON");
    index["backup"] = json!([named]);
    sandbox.write("lay/index.json", index.to_string());
    let broken = named["digest"].as_str().expect("a digest");
    sandbox.write(&blob(broken), "{");
    let said = sandbox.run(&["remove", "lay"]).refuses();
    assert_eq!(said, unreadable(broken, b"{"));
    drop(
        sandbox
            .run(&["convert", "--image", "app:1", "oci:lay", "oci:new"])
            .reports(),
    );
    sandbox.run(&["remove", "-q", "new"]).silent();
    // Its layers are not read, and what is not there leads nowhere.
    write(&sandbox, "lay", &layout);
    sandbox.remove(&blob(&arm));
    sandbox.write(&blob(&digest(&make::layer("file a 1"))), "broken");
    sandbox.run(&["remove", "-q", "lay", "tool:1"]).silent();
    sandbox.write("lay/index.json", "{");
    let said = sandbox.run(&["remove", "lay"]).refuses();
    assert!(said.contains("index.json"), "{said}");
}

#[test]
fn a_listed_json_document_beyond_the_limits_ends_it() {
    let (sandbox, mut layout, _) = prepared();
    let named = layout.put("application/x-blob", "named");
    let many = vec![0; 200_000];
    let large = "x".repeat(33 << 20);
    let documents = [
        json!({"blobs": [named], "many": many}),
        json!({"one": named, "pad": large}),
    ];
    for document in documents {
        let listed = layout.put("application/x-list", document.to_string());
        layout.index.push(listed);
        write(&sandbox, "lay", &layout);
        let said = sandbox.run(&["remove", "lay", "tool:1"]).refuses();
        assert!(said.contains("error: cannot read `lay`"), "{said}");
        layout.index.pop();
    }
}

#[test]
fn only_a_layout_of_its_own_is_changed() {
    let (sandbox, layout, _) = prepared();
    sandbox.write("lay.tar", make::tar(&layout.members()));
    sandbox.write("folder/file", "x");
    fs::create_dir(sandbox.path("empty")).expect("a folder can be made");
    write(&sandbox, "saved", &layout);
    sandbox.write("saved/manifest.json", "[]");
    write(&sandbox, "linked", &layout);
    fs::rename(sandbox.path("linked/blobs"), sandbox.path("store")).expect("it can be moved");
    symlink("../store", sandbox.path("linked/blobs")).expect("a link can be made");
    write(&sandbox, "listed", &layout);
    fs::rename(
        sandbox.path("listed/index.json"),
        sandbox.path("shared.json"),
    )
    .expect("moved");
    symlink("../shared.json", sandbox.path("listed/index.json")).expect("a link can be made");
    let copy = "  hint: copy the images to keep into a new layout: \
                `restow convert --image REF oci:DIR oci:NEW`\n";
    let cases = [
        (
            "missing",
            "error: cannot read `missing`\n  caused by: No such file or directory\n".to_owned(),
        ),
        (
            "lay.tar",
            "error: cannot read `lay.tar`\n  caused by: it is a file; expected an OCI layout in a \
             folder\n  hint: `restow convert --image REF lay.tar NEW` copies an image to keep\n"
                .to_owned(),
        ),
        (
            "saved",
            format!(
                "error: cannot read `saved`\n  caused by: it is also an unpacked docker archive: \
                 `manifest.json` refers to its blobs\n{copy}"
            ),
        ),
        (
            "linked",
            format!(
                "error: cannot read `linked`\n  caused by: `blobs` in it is a symbolic link: other \
                 layouts may share the blobs there\n{copy}"
            ),
        ),
        (
            "listed",
            format!(
                "error: cannot read `listed`\n  caused by: `index.json` in it is a symbolic link: \
                 other layouts may share it\n{copy}"
            ),
        ),
    ];
    for (name, said) in cases {
        sandbox.run(&["remove", name, "app:1"]).fails(&said);
        sandbox
            .run(&["remove", &format!("oci:{name}"), "app:1"])
            .fails(&said);
    }
    for name in ["folder", "empty"] {
        let said = sandbox.run(&["remove", name]).refuses();
        assert!(said.contains("expected an OCI layout"), "{said}");
    }
    for name in ["-", "oci-archive:lay.tar"] {
        let said = "error: LAYOUT must be an OCI layout in a folder\n";
        sandbox.run(&["remove", name, "app:1"]).ends(2, said);
    }
    // The folder itself may be found by a link.
    symlink("lay", sandbox.path("current")).expect("a link can be made");
    sandbox
        .run(&["remove", "-q", "oci:current:tool:1", "app:1"])
        .silent();
    assert_eq!(super::index(&sandbox.path("lay")).len(), 2);
}
