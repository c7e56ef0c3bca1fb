//! A table of requests, with everything that the layout has before and after.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{files, index, name, write};
use crate::support::codec::hex;
use crate::support::make::{self, Image, Layout};
use crate::support::sandbox::Sandbox;

/// A layout of several images, and a word for each blob and each item.
struct Sample {
    layout: Layout,
    words: BTreeMap<String, &'static str>,
}

impl Sample {
    /// ```text
    /// app:1 app:2   an image of the layers base and app
    /// tool:1        an image of the layers base and tool, with a signature by its name
    /// multi:1       an index of two images, one of them app's, and an attestation
    /// -             an image without a name, of the layers base and old
    /// - -           a signature of app's manifest, and a signature of that
    /// - -           a signature of tool's manifest, and one of something that is not there
    /// chart         an artifact
    /// ```
    fn new() -> Self {
        let mut layout = Layout::default();
        let mut words = BTreeMap::new();
        let base = make::layer("dir etc\nfile etc/os base");
        let image = |layout: &mut Layout, words: &mut BTreeMap<_, _>, at: [&'static str; 3]| {
            let layer = make::layer(&format!("file {} x", at[2]));
            let image = Image::of_layers(&[at[0]], vec![base.clone(), layer.clone()]);
            let descriptor = layout.image(&image);
            words.insert(image.id(), at[1]);
            words.insert(crate::support::codec::digest(&layer), at[2]);
            words.insert(text(&descriptor), at[0]);
            descriptor
        };
        let app = image(&mut layout, &mut words, ["app", "app.config", "app.layer"]);
        let tool = image(
            &mut layout,
            &mut words,
            ["tool", "tool.config", "tool.layer"],
        );
        let arm = image(&mut layout, &mut words, ["arm", "arm.config", "arm.layer"]);
        let old = image(&mut layout, &mut words, ["old", "old.config", "old.layer"]);
        words.insert(crate::support::codec::digest(&base), "base");
        let known = layout.blobs.clone();
        let attestation = layout.attestation(&arm);
        let multi = layout.nested(&[app.clone(), arm, attestation]);
        let signed = layout.referrer(&app);
        let signed_again = layout.referrer(&signed);
        let tool_signed = layout.referrer(&tool);
        let elsewhere = json!({"mediaType": make::MANIFEST, "size": 2,
            "digest": crate::support::codec::digest(b"elsewhere")});
        let lost = layout.referrer(&elsewhere);
        let cosigned = layout.document(&json!({
            "schemaVersion": 2, "mediaType": make::MANIFEST, "layers": [],
            "config": {"mediaType": "application/x", "size": 2,
                "digest": crate::support::codec::digest(b"{}")},
        }));
        let chart = layout.put("application/x-chart", "a chart");
        for (descriptor, word) in [
            (&multi, "multi"),
            (&signed, "signed"),
            (&signed_again, "signed.signed"),
            (&tool_signed, "tool.signed"),
            (&lost, "lost.signed"),
            (&cosigned, "tool.cosigned"),
            (&chart, "chart"),
        ] {
            words.insert(text(descriptor), word);
        }
        for (digest, bytes) in &layout.blobs {
            let word = match bytes.as_slice() {
                b"{}" => "empty",
                b"signed" => "signature",
                bytes if bytes.starts_with(br#"{"_type"#) => "statement",
                bytes if bytes.starts_with(br#"{"architecture":"unknown"#) => "statement.config",
                _ if known.contains_key(digest) => continue,
                _ => "attestation",
            };
            words.entry(digest.clone()).or_insert(word);
        }
        for (descriptor, name) in [
            (&app, "app:1"),
            (&tool, "tool:1"),
            (&app, "app:2"),
            (&multi, "multi:1"),
            (&chart, "chart"),
        ] {
            layout.add_named(descriptor, name);
        }
        let tag = format!("sha256-{}.sig", hex(&text(&tool)));
        layout.add_named(&cosigned, &tag);
        layout
            .index
            .extend([old, signed_again, signed, tool_signed, lost]);
        words.insert(tag, "cosign-tag");
        layout.put("application/x", "an orphan");
        words.insert(crate::support::codec::digest(b"an orphan"), "orphan");
        Self { layout, words }
    }

    fn word(&self, digest: &str) -> String {
        self.words.get(digest).copied().unwrap_or(digest).to_owned()
    }

    /// The sample in a folder, with files that belong to somebody else.
    fn folder(&self) -> Sandbox {
        let sandbox = Sandbox::new();
        write(&sandbox, "lay", &self.layout);
        for name in FOREIGN {
            sandbox.write(&format!("lay/{name}"), "mine");
        }
        sandbox
    }

    /// The names in `index.json`, and the words of all blobs.
    #[track_caller]
    fn state(&self, sandbox: &Sandbox) -> (Vec<String>, BTreeSet<String>) {
        let items = index(&sandbox.path("lay"));
        let names = items.iter().map(|it| self.word(&name(it))).collect();
        let mut files = files(&sandbox.path("lay"));
        for name in FOREIGN.into_iter().chain(["oci-layout"]) {
            assert!(files.remove(name), "{name} is gone");
        }
        (names, files.iter().map(|it| self.word(it)).collect())
    }

    /// An argument with the digests of the items in braces in place of their words.
    fn argument(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (digest, word) in &self.words {
            text = text.replace(&format!("{{{word}}}"), digest);
        }
        text
    }

    /// What a command prints, with words in place of digests.
    fn said(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (digest, word) in &self.words {
            if digest.starts_with("sha256:") {
                text = text.replace(digest, &format!("{{{word}}}"));
                text = text.replace(hex(digest), &format!("{{{word}}}"));
                text = text.replace(&hex(digest)[..12], &format!("{{{word}}}"));
            }
        }
        text
    }
}

const FOREIGN: [&str; 5] = [
    "notes.txt",
    "blobs/README",
    "blobs/sha256/README",
    "blobs/sha256/.tmp-1",
    "blobs/blake3/0000000000000000000000000000000000000000000000000000000000000000",
];

fn text(descriptor: &Value) -> String {
    descriptor["digest"].as_str().expect("a digest").to_owned()
}

#[test]
fn a_layout_loses_what_was_asked_for_and_what_nothing_needs() {
    let sample = Sample::new();
    let (names, blobs) = sample.state(&sample.folder());
    assert_eq!(
        names.join(" "),
        "app:1 tool:1 app:2 multi:1 chart cosign-tag old signed.signed signed tool.signed lost.signed"
    );
    let app = "app:1 app:2 signed signed.signed";
    // The words, the removed items, the deleted blobs besides the orphan, and the report without
    // its last line.
    let cases: &[(&str, &str, &str, &str)] = &[
        ("", "", "", ""),
        (
            "app:1",
            "app:1",
            "",
            "removed app:1 ({app}), which stays under another name or in an index\n",
        ),
        (
            "app:1 app:2",
            "app:1 app:2",
            "",
            "removed app:1 ({app}), which stays under another name or in an index\n\
             removed app:2 ({app}), which stays under another name or in an index\n",
        ),
        (
            "--force #1",
            "app:1 app:2",
            "",
            "removed app:1 ({app}), which stays under another name or in an index\n\
             removed app:2 ({app}), which stays under another name or in an index\n",
        ),
        (
            "multi:1",
            "multi:1",
            "multi arm arm.config arm.layer attestation statement statement.config",
            "removed multi:1 ({multi})\n",
        ),
        (
            "multi:1 app:1 app:2",
            &format!("multi:1 {app}"),
            "multi arm arm.config arm.layer attestation statement statement.config \
             app app.config app.layer signed signed.signed",
            "removed app:1 ({app})\nremoved app:2 ({app})\nremoved multi:1 ({multi})\n\
             removed {signed.signed}, which refers to {signed}\nremoved {signed}, which refers to {app}\n",
        ),
        (
            "tool:1",
            "tool:1 cosign-tag tool.signed",
            "tool tool.config tool.layer tool.signed tool.cosigned",
            "removed tool:1 ({tool})\nremoved sha256-{tool}.sig ({tool.cosigned}), which refers to {tool}\n\
             removed {tool.signed}, which refers to {tool}\n",
        ),
        (
            "{tool}",
            "tool:1 cosign-tag tool.signed",
            "tool tool.config tool.layer tool.signed tool.cosigned",
            "removed tool:1 ({tool})\nremoved sha256-{tool}.sig ({tool.cosigned}), which refers to {tool}\n\
             removed {tool.signed}, which refers to {tool}\n",
        ),
        (
            "{tool.config}",
            "tool:1 cosign-tag tool.signed",
            "tool tool.config tool.layer tool.signed tool.cosigned",
            "removed tool:1 ({tool})\nremoved sha256-{tool}.sig ({tool.cosigned}), which refers to {tool}\n\
             removed {tool.signed}, which refers to {tool}\n",
        ),
        (
            "{signed}",
            "signed signed.signed",
            "signed signed.signed",
            "removed {signed.signed}, which refers to {signed}\nremoved {signed}, which refers to {app}\n",
        ),
        ("chart", "chart", "chart", "removed chart ({chart})\n"),
        (
            "{old}",
            "old",
            "old old.config old.layer",
            "removed {old}\n",
        ),
        (
            "--untagged",
            "old lost.signed",
            "old old.config old.layer lost.signed",
            "removed {old}\nremoved {lost.signed}, which refers to ELSEWHERE\n",
        ),
        (
            "--untagged tool:1 chart",
            "old lost.signed tool:1 cosign-tag tool.signed chart",
            "old old.config old.layer lost.signed tool tool.config tool.layer tool.signed tool.cosigned chart",
            "removed tool:1 ({tool})\nremoved chart ({chart})\n\
             removed sha256-{tool}.sig ({tool.cosigned}), which refers to {tool}\nremoved {old}\n\
             removed {tool.signed}, which refers to {tool}\nremoved {lost.signed}, which refers to ELSEWHERE\n",
        ),
    ];
    let elsewhere = hex(&crate::support::codec::digest(b"elsewhere"))[..12].to_owned();
    for (words, items, gone, said) in cases {
        let sandbox = sample.folder();
        let words: Vec<String> = words
            .split_whitespace()
            .map(|it| sample.argument(it))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let size = |word: &&str| {
            let found = sample
                .layout
                .blobs
                .iter()
                .find(|(it, _)| sample.word(it) == **word);
            found
                .unwrap_or_else(|| panic!("no blob is `{word}`"))
                .1
                .len()
        };
        let gone: Vec<&str> = gone.split_whitespace().chain(["orphan"]).collect();
        let bytes: usize = gone.iter().map(size).sum();

        // A dry run says the same, and changes nothing.
        let before = sandbox.tree();
        let arguments = [&["remove", "--dry-run", "lay"], words.as_slice()].concat();
        let planned = String::from_utf8(sandbox.run(&arguments).data("")).expect("UTF-8");
        assert_eq!(sandbox.tree(), before, "{words:?}");
        // The plan is all that was asked for.
        let quiet = [&arguments[..], &["--quiet"]].concat();
        let quiet = sandbox.run(&quiet).data("");
        assert_eq!(String::from_utf8(quiet).as_ref(), Ok(&planned), "{words:?}");
        let arguments = [&["remove", "--dry-run", "--json", "lay"], words.as_slice()].concat();
        let object: Value =
            serde_json::from_slice(&sandbox.run(&arguments).data("")).expect("JSON");
        assert_eq!(object["size"], bytes, "{words:?}");
        assert_eq!(object["blobs"], gone.len(), "{words:?}");

        let output = sandbox.run(&[&["remove", "lay"], words.as_slice()].concat());
        assert_eq!(
            (output.code, output.stdout.as_slice()),
            (Some(0), &b""[..]),
            "{output:?}"
        );
        let done = output.stderr.replace(&elsewhere, "ELSEWHERE");
        let (lines, last) = done
            .trim_end()
            .rsplit_once('\n')
            .unwrap_or(("", done.trim_end()));
        assert_eq!(sample.said(lines), said.trim_end(), "{words:?}");
        assert!(
            last.starts_with("freed ") && last.contains(&format!(", {} blob", gone.len())),
            "{last}"
        );
        let undone = planned
            .replace("would remove", "removed")
            .replace("would free", "freed");
        assert_eq!(undone, output.stderr, "{words:?}");

        let removed: Vec<&str> = items.split_whitespace().collect();
        let kept = names.iter().filter(|it| !removed.contains(&it.as_str()));
        let left = blobs.iter().filter(|it| !gone.contains(&it.as_str()));
        let expected = (kept.cloned().collect(), left.cloned().collect());
        assert_eq!(sample.state(&sandbox), expected, "{words:?}");
        // There is nothing left to do.
        sandbox.run(&["remove", "lay"]).warns("freed 0B, 0 blobs\n");
    }
}

#[test]
fn a_name_moves_within_a_layout() {
    let sample = Sample::new();
    let sandbox = sample.folder();
    let arguments = [
        "convert", "--image", "app:1", "--tag", "app:3", "oci:lay", "oci:lay",
    ];
    sandbox.run(&arguments).silent();
    let names: Vec<String> = index(&sandbox.path("lay")).iter().map(name).collect();
    assert!(
        names.contains(&"app:1".to_owned()) && names.contains(&"app:3".to_owned()),
        "{names:?}"
    );
    sandbox
        .run(&["remove", "-q", "lay", "app:1", "app:2"])
        .silent();
    let arguments = [
        "convert", "--image", "tool:1", "--tag", "app:3", "oci:lay", "oci:lay",
    ];
    drop(sandbox.run(&arguments).warnings());
    sandbox.run(&["remove", "-q", "--untagged", "lay"]).silent();
    let digest = |wanted: &str| {
        let items = index(&sandbox.path("lay"));
        let found = items.iter().find(|it| name(it) == wanted);
        found.map(|it| sample.word(&text(it)))
    };
    assert_eq!(digest("app:1"), None);
    assert_eq!(digest("app:3").as_deref(), Some("tool"));
    assert_eq!(digest("tool:1").as_deref(), Some("tool"));
}

#[test]
fn a_listed_document_of_an_unknown_type_keeps_what_it_names() {
    let mut layout = Layout::default();
    let app = layout.image(&Image::new(&["app:1"], &["file a 1"]));
    let tool = layout.image(&Image::new(&["tool:1"], &["file t 1"]));
    let sbom = layout.put("application/x-sbom", "an sbom");
    let deep = layout.put("application/x-deep", "deep");
    let artifact = layout.document(&json!({
        "mediaType": "application/vnd.cncf.oras.artifact.manifest.v1+json",
        "artifactType": "application/x-sbom", "blobs": [sbom],
    }));
    let other = layout.put("application/x", json!({"parts": {"one": deep}}).to_string());
    let media_types = [
        "application/vnd.cncf.oras.artifact.manifest.v1+json",
        "application/x",
    ];
    for (mut descriptor, media_type) in [artifact, other].into_iter().zip(media_types) {
        descriptor["mediaType"] = json!(media_type);
        layout.index.push(descriptor);
    }
    layout.add_named(&app, "app:1");
    layout.add_named(&tool, "tool:1");
    let sandbox = Sandbox::new();
    write(&sandbox, "lay", &layout);
    let before = files(&sandbox.path("lay"));
    sandbox.run(&["remove", "-q", "lay", "tool:1"]).silent();
    let gone: BTreeSet<String> = before
        .difference(&files(&sandbox.path("lay")))
        .cloned()
        .collect();
    assert_eq!(
        gone.len(),
        3,
        "the manifest, config and layer of tool: {gone:?}"
    );
    assert!(gone.contains(&text(&tool)), "{gone:?}");
    for kept in [&sbom, &deep] {
        assert!(!gone.contains(&text(kept)), "{gone:?}");
    }
}
