//! What went wrong once.

use expect_test::expect;
use serde_json::{Value, json};

use crate::support::Sandbox;
use crate::support::codec::{Codec, digest, hex};
use crate::support::entry::words;
use crate::support::image::{Store, facts};
use crate::support::judge::Format;
use crate::support::layer;
use crate::support::make::{self, Image, Layout, Member};
use crate::support::naive;
use crate::support::squash::{put, squash};

fn image(stack: &str) -> Image {
    Image::of_layers(&["app:1"], layer::stack(stack))
}

/// A layer below the range that decides what stays deleted is verified, although the
/// output has it already.
#[test]
fn a_damaged_base_is_found_although_the_layout_holds_a_good_one() {
    let name = "d".repeat(120);
    let image = image(&format!("{name}=secret | .wh.{name} | c"));
    let sandbox = Sandbox::new();
    let good = put(&sandbox, "good", Format::Oci, &image);
    put(&sandbox, "bad", Format::Oci, &image);
    let blob = format!("blobs/sha256/{}", hex(&digest(&image.layers[0])));
    let mut bytes = sandbox.read(&format!("bad/{blob}"));
    let at = bytes.windows(5).position(|it| it == b"ddddd");
    bytes[at.expect("the name is in it")] = b'e';
    sandbox.write(&format!("bad/{blob}"), bytes);
    let held = sandbox.run(&["convert", &good, "oci:held"]);
    held.silent();
    let arguments = ["squash", "--layers", "2..3", "oci:bad", "oci:held:new"];
    let output = sandbox.run(&arguments);
    assert_eq!(output.code, Some(1));
    let says =
        "error: cannot read layer 1 of 3 of `app:1`\n  caused by: blob does not match its digest";
    assert!(output.stderr.starts_with(says), "{}", output.stderr);
}

#[test]
fn sizes_of_absent_layers_may_be_anything() {
    let mut layout = Layout::default();
    let descriptor = layout.image(&image("a | b | c"));
    let manifest = &layout.blobs[descriptor["digest"].as_str().expect("a digest")];
    let mut manifest: Value = serde_json::from_slice(manifest).expect("JSON");
    let absent = json!({
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "digest": format!("sha256:{}", "0".repeat(64)), "size": i64::MAX,
    });
    manifest["layers"] = vec![absent; 3].into();
    let descriptor = layout.document(&manifest);
    layout.add_named(&descriptor, "app:1");
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&layout.members()));
    let says = expect![[r#"
        error: cannot read layer 1 of 3 of `app:1`
          caused by: its blob is not in the input
    "#]];
    sandbox.run(&["export", "in.tar", "out"]).fails(&says);
    sandbox
        .run(&["squash", "--all", "in.tar", "out"])
        .fails(&says);
}

/// A directory that was deleted, and is only implied again, is like any that is implied.
#[test]
fn a_directory_made_again_does_not_get_its_old_owner_back() {
    let cases = [
        (
            "a/(0700,3:3) a/x | .wh.a | a/n",
            "a/(@0) a/.wh..wh..opq a/n",
        ),
        (
            "a/(0700,3:3) a/x | .wh.a a/n | m",
            "a/(@0) a/.wh..wh..opq a/n m",
        ),
        (
            "a/(0700,3:3) a/x | a/ | .wh.a a/n",
            "a/(@0) a/.wh..wh..opq a/n",
        ),
        (
            "a/(0700,3:3) a/x | .wh.a | a/(0711) a/n",
            "a/(0711) a/.wh..wh..opq a/n",
        ),
        (
            "a/(0700,3:3) a/x | a/.wh..wh..opq | a/n",
            "a/.wh..wh..opq a/n",
        ),
        ("a/ a/x | .wh.a | a/n", "a/.wh..wh..opq a/n"),
    ];
    for (stack, expected) in cases {
        let sandbox = Sandbox::new();
        let source = put(&sandbox, "in", Format::Docker, &image(stack));
        let squashed = squash(&sandbox, &source, &(1..=2), Format::Docker);
        let new = naive::entries(&squashed.stored[1]);
        assert_eq!(words(&new), expected, "{stack}");
    }
}

#[test]
fn a_manifest_gets_no_fields_that_it_did_not_have() {
    for annotations in [None, Some(json!({"a": "b"}))] {
        let mut layout = Layout::default();
        let descriptor = layout.image(&image("a | b"));
        let manifest = &layout.blobs[descriptor["digest"].as_str().expect("a digest")];
        let mut manifest: Value = serde_json::from_slice(manifest).expect("JSON");
        if let Some(annotations) = &annotations {
            manifest["annotations"] = annotations.clone();
            manifest["annotations"]["org.opencontainers.image.base.name"] = "base".into();
        }
        let descriptor = layout.document(&manifest);
        layout.add_named(&descriptor, "app:1");
        let sandbox = Sandbox::new();
        sandbox.write("in.tar", make::tar(&layout.members()));
        let run = sandbox.run(&["squash", "--all", "in.tar", "oci:out"]);
        drop(run.reports());
        let store = Store::open(&sandbox.path("out"));
        let index = store.json("index.json");
        let bytes = store.blob(&index["manifests"][0]).expect("it is there");
        let after: Value = serde_json::from_slice(bytes).expect("JSON");
        let keys = |value: &Value| -> Vec<String> {
            value
                .as_object()
                .expect("an object")
                .keys()
                .cloned()
                .collect()
        };
        assert_eq!(keys(&after), keys(&manifest));
        assert_eq!(after.get("annotations"), annotations.as_ref());
    }
}

/// Messages count the layers of the input, also when some have become one.
#[test]
fn a_damaged_layer_above_the_range_has_its_own_number() {
    let sandbox = Sandbox::new();
    let image = image("a | b | c | d | e");
    let source = put(&sandbox, "in", Format::Oci, &image);
    let blob = format!("in/blobs/sha256/{}", hex(&digest(&image.layers[4])));
    let mut bytes = sandbox.read(&blob);
    bytes[1000] ^= 1;
    sandbox.write(&blob, bytes);
    let output = sandbox.run(&["squash", "--layers", "1..3", &source, "out.tar"]);
    let says = "error: cannot read layer 5 of 5 of `app:1`\n";
    assert!(output.stderr.starts_with(says), "{}", output.stderr);
}

#[test]
fn a_layout_can_be_squashed_into_a_pipe() {
    let sandbox = Sandbox::new();
    let source = put(&sandbox, "in", Format::Oci, &image("a | b"));
    let (archive, _) = sandbox.run(&["squash", "--all", &source, "-"]).reports();
    let store = Store::from_tar(&archive);
    assert_eq!(store.layout().found.len(), 1);
    assert!(
        store.get("manifest.json").is_some(),
        "it is a docker archive"
    );
}

/// Docker before 25 writes layers in the order of random names; wrapped, such an
/// archive would have to be unpacked once for each step back.
#[test]
fn wrapped_archives_may_have_their_layers_in_any_order() {
    let image = image("a=1 b=2 | .wh.a | c=3 | b=4");
    let in_order = make::docker(std::slice::from_ref(&image));
    let mut reversed = in_order.clone();
    reversed.reverse();
    let is_folder = |member: &Member| matches!(member, Member::Directory(_));
    reversed.sort_by_key(|member| !is_folder(member));
    let sandbox = Sandbox::new();
    sandbox.write("plain.tar", make::tar(&in_order));
    sandbox.write(
        "wrapped.tar.gz",
        Codec::Gzip.compress(&make::tar(&reversed)),
    );
    let run = |arguments: &[&str], source: &str| {
        let arguments = [arguments, &[source, "-"]].concat();
        sandbox.run(&arguments).reports().0
    };
    for arguments in [&["squash", "--layers", "2..3"][..], &["squash", "--all"]] {
        let images = ["plain.tar", "wrapped.tar.gz"]
            .map(|source| facts(&Store::from_tar(&run(arguments, source)).docker_images()));
        assert_eq!(images[0], images[1], "{arguments:?}");
    }
    assert!(run(&["export"], "plain.tar") == run(&["export"], "wrapped.tar.gz"));
    let arguments = ["export", "--tmpdir", "missing", "wrapped.tar.gz", "out"];
    sandbox.run(&arguments).fails(expect![[r#"
        error: cannot write a temporary file in `missing`
          caused by: No such file or directory
          hint: choose another folder with `--tmpdir DIR`; a container gets one with `docker run --tmpfs /tmp`
    "#]]);
}

/// Where nothing is known of the lowest layers, those in between are not looked into.
#[test]
fn layers_between_ranges_above_an_absent_one_stay_as_they_are() {
    let mut layout = Layout::default();
    let large = "x".repeat(3000);
    let image = image(&format!(
        "inbase | b | c | link=>inbase large={large} | e | f"
    ));
    let descriptor = layout.image(&image);
    let manifest = &layout.blobs[descriptor["digest"].as_str().expect("a digest")];
    let mut manifest: Value = serde_json::from_slice(manifest).expect("JSON");
    manifest["layers"][0]["mediaType"] =
        "application/vnd.oci.image.layer.nondistributable.v1.tar".into();
    let absent = manifest["layers"][0]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    layout.blobs.remove(&absent);
    let descriptor = layout.document(&manifest);
    layout.add_named(&descriptor, "app:1");
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&layout.members()));
    let run = sandbox.run(&["squash", "--max-layers", "4", "in.tar", "oci:out"]);
    let (_, warnings) = run.reports();
    let expected = "warning: cannot read the entries of layer 1 of 6 of `app:1`, so all whiteouts above it are kept";
    assert_eq!(warnings, [expected]);
    let arguments = ["squash", "--layers", "4..5", "in.tar", "oci:new", "--quiet"];
    sandbox.run(&arguments).fails(expect![[r#"
        error: cannot read layer 4 of 6 of `app:1`
          caused by: entry `link`: a hard link to `inbase`, which may only exist in a layer that restow cannot read
    "#]]);
}

/// What restow writes it can read: attributes of many names of one file do not add up
/// to a header that no reader takes.
#[test]
fn attributes_that_add_up_to_too_much_are_refused() {
    let attributes = |first: usize| -> String {
        let each = (first..first + 4000).map(|n| format!("user.{n:060}=00"));
        each.collect::<Vec<_>>().join(",")
    };
    let stack = format!("a({}) b=>a({}) | n", attributes(0), attributes(4000));
    let sandbox = Sandbox::new();
    let source = put(&sandbox, "in", Format::Docker, &image(&stack));
    sandbox.run(&["export", &source, "out"]).fails(expect![[r#"
        error: cannot read layer 1 of 2 of `app:1`
          caused by: entry `b`: its attributes exceed the limit of 524288 bytes
    "#]]);
}
