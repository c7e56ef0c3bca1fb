//! Documents of unknown types go with everything that they name, wherever a layout is
//! read.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::make::{self, Image, Layout};
use crate::support::sandbox::Sandbox;

/// ORAS's manifest of an artifact, which readers of today do not know.
const ORAS: &str = "application/vnd.cncf.oras.artifact.manifest.v1+json";
/// The same of a draft of image-spec.
const DRAFT: &str = "application/vnd.oci.artifact.manifest.v1+json";

/// A layout, and the words for its blobs by their digests.
#[derive(Default)]
struct Sample {
    layout: Layout,
    words: Vec<(String, String)>,
}

impl Sample {
    fn note(&mut self, word: &str, descriptor: &Value) -> Value {
        let digest = descriptor["digest"].as_str().expect("it has a digest");
        self.words.push((digest.to_owned(), word.to_owned()));
        descriptor.clone()
    }

    /// Adds a blob with this word as its content.
    fn blob(&mut self, word: &str) -> Value {
        let descriptor = self.layout.put("application/x-blob", word);
        self.note(word, &descriptor)
    }

    /// Adds a document of any type.
    fn document(&mut self, word: &str, media_type: &str, document: &Value) -> Value {
        let descriptor = self.layout.put(media_type, document.to_string());
        self.note(word, &descriptor)
    }

    /// Adds an image with one layer, whose manifest has these further fields.
    fn image(&mut self, word: &str, further: &[(&str, Value)]) -> Value {
        let image = Image::new(&[], &[&format!("file {word} 1")]);
        let known = self.layout.image(&image);
        let digest = known["digest"].as_str().expect("it has a digest");
        let bytes = self.layout.blobs.remove(digest).expect("it is there");
        let mut manifest: Value = serde_json::from_slice(&bytes).expect("it is JSON");
        for (name, value) in further {
            manifest[name] = value.clone();
        }
        let (config, layer) = (manifest["config"].clone(), manifest["layers"][0].clone());
        self.note(&format!("{word}'s config"), &config);
        self.note(&format!("{word}'s layer"), &layer);
        self.document(word, make::MANIFEST, &manifest)
    }

    fn write(&self, sandbox: &Sandbox) {
        sandbox.write("in.tar", make::tar(&self.layout.members()));
    }

    /// The words for the blobs in an archive or a layout, sorted.
    fn held(&self, files: &BTreeSet<String>) -> Vec<&str> {
        let words = self.words.iter();
        let held = words.filter(|(digest, _)| {
            let (_, hex) = digest.split_once(':').expect("it is a digest");
            files.contains(hex)
        });
        let mut held: Vec<&str> = held.map(|(_, word)| word.as_str()).collect();
        held.sort_unstable();
        held
    }
}

/// The names of the blobs in a layout below the sandbox, or in an archive.
fn blobs(sandbox: &Sandbox, name: &str) -> BTreeSet<String> {
    if sandbox.path(name).is_file() {
        let mut archive = tar::Archive::new(std::io::Cursor::new(sandbox.read(name)));
        let entries = archive.entries().expect("it is a tar");
        let paths = entries.map(|entry| {
            let entry = entry.expect("the tar can be read");
            entry.path().expect("a path").display().to_string()
        });
        let blobs = paths.filter_map(|path| path.strip_prefix("blobs/sha256/").map(str::to_owned));
        return blobs.filter(|it| !it.is_empty()).collect();
    }
    let entries = std::fs::read_dir(sandbox.path(&format!("{name}/blobs/sha256")));
    let names = entries.expect("the layout has blobs").map(|entry| {
        let name = entry.expect("the folder can be read").file_name();
        name.into_string().expect("names of blobs are plain")
    });
    names.collect()
}

/// Everything that can name a blob.
fn sample() -> Sample {
    let mut sample = Sample::default();
    let further = sample.blob("further");
    let app = sample.image("app", &[("x-further", json!([further]))]);
    let tool = sample.image("tool", &[]);
    let sbom = sample.blob("sbom");
    let signature = sample.blob("signature");
    let deep = sample.blob("deep");
    let bare = sample.blob("bare");
    let inner = sample.document(
        "inner",
        DRAFT,
        &json!({"mediaType": DRAFT, "blobs": [deep]}),
    );
    let oras = sample.document(
        "oras",
        ORAS,
        &json!({"mediaType": ORAS, "blobs": [sbom, inner], "subject": app}),
    );
    let of_oras = sample.document(
        "of oras",
        DRAFT,
        &json!({"mediaType": DRAFT, "blobs": [signature], "subject": oras}),
    );
    let listing = sample.document(
        "listing",
        "application/x-list",
        &json!({"a": {"b": [{"digest": bare["digest"]}]}, "manifests": [tool]}),
    );
    let child = sample.document("child", "application/x-child", &json!({"one": further}));
    let index = json!({"schemaVersion": 2, "mediaType": make::INDEX, "manifests": [app, child]});
    let index = sample.document("index", make::INDEX, &index);
    let layout = &mut sample.layout;
    layout.index.extend([of_oras, oras]);
    layout.add_named(&index, "app:1");
    layout.add_named(&listing, "list:1");
    sample
}

/// The findings of `verify` that are not about an unknown media type.
fn findings(sandbox: &Sandbox, input: &str) -> Vec<String> {
    let stdout = sandbox.run(&["verify", "--json", input]).stdout;
    let found: Value = serde_json::from_slice(&stdout).expect("it is JSON");
    let findings = found["findings"].as_array().expect("it lists findings");
    let codes = findings
        .iter()
        .map(|it| it["code"].as_str().unwrap_or_default());
    let codes = codes.filter(|code| *code != "media-type-unknown");
    codes.map(str::to_owned).collect()
}

#[test]
fn everything_that_a_document_names_is_copied() {
    let sample = sample();
    let sandbox = Sandbox::new();
    sample.write(&sandbox);
    let all = blobs(&sandbox, "in.tar");
    assert_eq!(findings(&sandbox, "in.tar"), [""; 0]);
    sandbox.run(&["convert", "in.tar", "oci:lay"]).silent();
    sandbox
        .run(&["convert", "in.tar", "oci-archive:oci.tar"])
        .silent();
    sandbox.run(&["convert", "in.tar", "out.tar"]).warns(
        "warning: `list:1` is not an image but a `application/x-list`; only `index.json` lists it, \
         and engines without a containerd image store do not see it\n",
    );
    let piped = sandbox.restow(&["convert", "-", "oci:piped"]);
    piped.stdin_pipe(sandbox.read("in.tar")).run().silent();
    for output in ["lay", "oci.tar", "out.tar", "piped"] {
        assert_eq!(blobs(&sandbox, output), all, "{output}");
        assert_eq!(findings(&sandbox, output), [""; 0], "{output}");
    }
}

#[test]
fn a_delta_has_everything_that_a_document_names() {
    let sample = sample();
    let sandbox = Sandbox::new();
    sample.write(&sandbox);
    let old = Image::new(&["old:1"], &["file a 1"]);
    sandbox.write("old.tar", make::tar(&make::hybrid(&[old])));
    drop(
        sandbox
            .run(&["delta", "old.tar", "in.tar", "d.tar"])
            .reports(),
    );
    drop(
        sandbox
            .run(&["apply", "old.tar", "d.tar", "oci:out"])
            .reports(),
    );
    assert_eq!(blobs(&sandbox, "out"), blobs(&sandbox, "in.tar"));
    assert_eq!(findings(&sandbox, "out"), [""; 0]);
}

#[test]
fn a_referrer_of_any_type_follows_the_chosen_image() {
    let sample = sample();
    let sandbox = Sandbox::new();
    sample.write(&sandbox);
    sandbox
        .run(&["convert", "--image", "app:1", "in.tar", "oci:lay"])
        .silent();
    let held = sample.held(&blobs(&sandbox, "lay"));
    let others = ["bare", "listing", "tool", "tool's config", "tool's layer"];
    let expected = sample.held(&blobs(&sandbox, "in.tar"));
    let expected = expected.into_iter().filter(|word| !others.contains(word));
    assert_eq!(held, expected.collect::<Vec<_>>());
}

#[test]
fn a_referrer_of_any_type_is_left_out_with_what_changes() {
    let sample = sample();
    let sandbox = Sandbox::new();
    sample.write(&sandbox);
    let lost = "warning: skipped a `application/vnd.cncf.oras.artifact.manifest.v1+json` of \
         `sha256:";
    for command in [
        &["config", "--image", "app:1", "--label", "a=b"][..],
        &["convert", "--image", "app:1", "--compress", "gzip"],
        &["append", "--image", "app:1", "--delete", "app"],
    ] {
        let output = command[0];
        let to = format!("oci:{output}");
        let warnings = sandbox
            .run(&[command, &["in.tar", &to]].concat())
            .warnings();
        assert!(
            warnings.iter().any(|it| it.starts_with(lost)),
            "{warnings:?}"
        );
        let held = sample.held(&blobs(&sandbox, output));
        // Unknown fields of the manifest stay, and so does what they name.
        assert!(held.contains(&"further"), "{output}: {held:?}");
        for gone in ["oras", "sbom", "of oras", "signature"] {
            assert!(!held.contains(&gone), "{output}: {held:?}");
        }
        assert_eq!(findings(&sandbox, output), [""; 0], "{output}");
    }
}

#[test]
fn a_platform_is_taken_without_documents_of_unknown_types() {
    let sandbox = Sandbox::new();
    sample().write(&sandbox);
    for platforms in [
        &["--platform", "linux/amd64"][..],
        &["--platform", "linux/amd64", "--platform", "linux/amd64/v1"],
    ] {
        let arguments = [
            &["convert", "--image", "app:1"],
            platforms,
            &["in.tar", "oci:lay"],
        ];
        let warnings = sandbox.run(&arguments.concat()).warnings();
        assert!(
            warnings[0].starts_with("warning: skipped the artifacts of `app:1`: "),
            "{warnings:?}"
        );
    }
}

#[test]
fn what_an_artifact_lists_and_nobody_has_is_reported() {
    let mut sample = Sample::default();
    let sbom = sample.blob("sbom");
    let app = sample.image("app", &[]);
    let oras = json!({"mediaType": ORAS, "blobs": [sbom], "subject": app});
    let oras = sample.document("oras", ORAS, &oras);
    let sum = sbom["digest"].as_str().expect("it has a digest");
    sample.layout.blobs.remove(sum);
    sample.layout.add_named(&app, "app:1");
    sample.layout.add_named(&oras, "sbom:1");
    let sandbox = Sandbox::new();
    sample.write(&sandbox);
    assert_eq!(findings(&sandbox, "in.tar"), ["blob-missing"]);
    sandbox
        .run(&["convert", "in.tar", "oci:lay"])
        .warns(&format!(
            "warning: `sbom:1` refers to {sum}, which is not in the input; copied unchanged\n"
        ));
    assert_eq!(findings(&sandbox, "lay"), ["blob-missing"]);
}

#[test]
fn a_listed_blob_that_is_not_json_may_name_others() {
    let mut sample = Sample::default();
    let text = sample.blob("text");
    let app = sample.image("app", &[]);
    sample.layout.add_named(&app, "app:1");
    sample.layout.add_named(&text, "text:1");
    let sandbox = Sandbox::new();
    sample.write(&sandbox);
    sandbox.run(&["convert", "in.tar", "oci:lay"]).warns(
        "warning: `text:1` has a `application/x-blob`, which cannot be read as JSON; copied \
         without any blobs that it refers to\n",
    );
    assert_eq!(blobs(&sandbox, "lay"), blobs(&sandbox, "in.tar"));
}

#[test]
fn several_layouts_together_have_all_that_a_document_names() {
    let mut sample = Sample::default();
    let blobs_of = ["one", "two"].map(|word| sample.blob(word));
    let list = sample.document("list", ORAS, &json!({"mediaType": ORAS, "blobs": blobs_of}));
    let app = sample.image("app", &[]);
    sample.layout.add_named(&app, "app:1");
    sample.layout.add_named(&list, "list:1");
    let sandbox = Sandbox::new();
    for (name, lost) in ["one.tar", "two.tar"].into_iter().zip(&blobs_of) {
        let mut layout = sample.layout.clone();
        layout
            .blobs
            .remove(lost["digest"].as_str().expect("it has a digest"));
        sandbox.write(name, make::tar(&layout.members()));
    }
    sandbox
        .run(&["convert", "one.tar", "two.tar", "oci:lay"])
        .silent();
    assert_eq!(findings(&sandbox, "lay"), [""; 0]);
}

#[test]
fn what_only_unknown_fields_of_the_index_name_stays_where_it_is() {
    let mut sample = Sample::default();
    let app = sample.image("app", &[]);
    let tool = sample.image("tool", &[]);
    let [note, another] = ["note", "another"].map(|word| sample.blob(word));
    let deep = sample.document(
        "deep",
        make::INDEX,
        &json!({"schemaVersion": 2, "mediaType": make::INDEX, "manifests": [tool]}),
    );
    sample.layout.add_named(&app, "app:1");
    sample.layout.add_named(&tool, "tool:1");
    let members = sample.layout.members().into_iter().map(|it| match it {
        make::Member::File(path, content) if path == "index.json" => {
            let mut index: Value = serde_json::from_slice(&content).expect("it is JSON");
            index["x-notes"] = json!([note, {"more": [another, deep, app]}]);
            make::Member::File(path, index.to_string().into_bytes())
        }
        other => other,
    });
    let members: Vec<make::Member> = members.collect();
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&members));
    let sum = note["digest"].as_str().expect("it has a digest");
    let warning = format!(
        "warning: `index.json` refers to {sum} and 2 more in a field that is not known; not \
         copied\n"
    );
    for output in ["oci:lay", "oci-archive:oci.tar", "out.tar"] {
        sandbox.run(&["convert", "in.tar", output]).warns(&warning);
    }
    for member in members {
        if let make::Member::File(path, content) = member {
            sandbox.write(&format!("in/{path}"), content);
        }
    }
    let before = blobs(&sandbox, "in");
    drop(sandbox.run(&["remove", "in", "tool:1"]).reports());
    assert_eq!(blobs(&sandbox, "in"), before);
}
