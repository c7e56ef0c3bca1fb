//! OCI layouts as inputs: all that an index may lead to, and what a docker-archive cannot hold.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::codec::{Codec, hex};
use crate::support::image::{Store, facts};
use crate::support::judge::{Format, assert_kept};
use crate::support::make::{self, Layout, Member};
use crate::support::{Sandbox, own};

/// Converts a layout to a layout, a tar of one, and back: nothing may be different.
///
/// Then converts it to a docker-archive and returns the sandbox with that as
/// `out.tar`, and the warnings.
#[track_caller]
fn kept(layout: &Layout) -> (Sandbox, Vec<String>) {
    let sandbox = Sandbox::new();
    let tar = make::tar(&layout.members());
    let source = Store::from_tar(&tar);
    sandbox.write("in.tar", &tar);
    sandbox
        .run(&["convert", "oci-archive:in.tar", "oci:dir"])
        .silent();
    assert_kept(
        &source,
        Format::OciArchive,
        &sandbox.path("dir"),
        Format::Oci,
    );
    sandbox
        .run(&["convert", "oci:dir", "oci-archive:again.tar"])
        .silent();
    assert_kept(
        &source,
        Format::Oci,
        &sandbox.path("again.tar"),
        Format::OciArchive,
    );
    sandbox
        .run(&["convert", "oci-archive:again.tar", "oci:again"])
        .silent();
    assert_kept(
        &source,
        Format::OciArchive,
        &sandbox.path("again"),
        Format::Oci,
    );
    let piped = sandbox.restow(&["convert", "-", "oci:piped"]);
    piped.stdin_pipe(tar).run().silent();
    assert_kept(
        &source,
        Format::OciArchive,
        &sandbox.path("piped"),
        Format::Oci,
    );

    let output = sandbox.run(&["convert", "in.tar", "docker-archive:out.tar"]);
    let warnings = output.warnings();
    assert_kept(
        &source,
        Format::OciArchive,
        &sandbox.path("out.tar"),
        Format::Docker,
    );
    (sandbox, warnings)
}

fn image(tags: &[&str], content: &str) -> make::Image {
    make::Image::new(tags, &["dir etc\nfile etc/hosts h", content]).stored_as(Codec::Gzip)
}

/// A descriptor with a platform.
fn for_platform(mut descriptor: Value, os: &str, architecture: &str) -> Value {
    descriptor["platform"] = json!({"architecture": architecture, "os": os});
    descriptor
}

#[test]
fn an_index_in_an_index_keeps_all_platforms_and_attestations() {
    let mut layout = Layout::default();
    let (amd64, arm64) = (image(&[], "file amd64 1"), image(&[], "file arm64 1"));
    let manifests = [
        for_platform(layout.image(&amd64), "linux", "amd64"),
        for_platform(layout.image(&arm64), "linux", "arm64"),
    ];
    let attestations = manifests.each_ref().map(|it| layout.attestation(it));
    let all = [manifests, attestations].concat();
    let inner = layout.nested(&all);
    let outer = layout.nested(&[inner]);
    layout.add_named(&outer, "app:1");
    let (sandbox, warnings) = kept(&layout);
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(own::archive(&sandbox.path("out.tar")).len(), 1);
}

#[test]
fn platforms_whose_blobs_are_elsewhere_stay_elsewhere() {
    let mut layout = Layout::default();
    let (amd64, arm64) = (image(&[], "file amd64 1"), image(&[], "file arm64 1"));
    let here = for_platform(layout.image(&amd64), "linux", "amd64");
    let before = layout.blobs.clone();
    let elsewhere = for_platform(layout.image(&arm64), "linux", "arm64");
    layout.blobs = before;
    let index = layout.nested(&[here, elsewhere]);
    layout.add_named(&index, "app:1");
    let sandbox = Sandbox::new();
    let tar = make::tar(&layout.members());
    sandbox.write("in.tar", &tar);
    for to in Format::ALL {
        let out = format!("{to:?}");
        drop(sandbox.run(&["convert", "in.tar", &to.at(&out)]).warnings());
        assert_kept(
            &Store::from_tar(&tar),
            Format::OciArchive,
            &sandbox.path(&out),
            to,
        );
    }
    // The one that is not there cannot be asked for.
    let arguments = ["convert", "--platform", "linux/arm64", "in.tar", "none.tar"];
    drop(sandbox.run(&arguments).refuses());
}

#[test]
fn artifacts_and_referrers_are_kept() {
    let mut layout = Layout::default();
    let image = image(&["app:1"], "file a 1");
    layout.add(&image);
    let subject = layout.image(&image);
    let referrer = layout.referrer(&subject);
    layout.index.push(referrer);
    let sandbox = Sandbox::new();
    let tar = make::tar(&layout.members());
    let source = Store::from_tar(&tar);
    sandbox.write("in.tar", &tar);
    for to in Format::ALL {
        let out = format!("{to:?}");
        sandbox.run(&["convert", "in.tar", &to.at(&out)]).silent();
        assert_kept(&source, Format::OciArchive, &sandbox.path(&out), to);
    }
    assert_eq!(
        facts(&own::archive(&sandbox.path("Docker"))),
        [image.facts()]
    );
}

#[test]
fn annotations_and_unknown_fields_are_kept_in_layouts() {
    let mut layout = Layout::default();
    let mut descriptor = layout.image(&image(&[], "file a 1"));
    descriptor["annotations"] = json!({
        "z": "last", "org.opencontainers.image.ref.name": "app:1", "a": "first",
    });
    descriptor["urls"] = json!(["https://example.org/x"]);
    descriptor["unknown"] = json!({"b": [1.50, 1e3], "a": null});
    layout.index.push(descriptor);
    let _ = kept(&layout);

    // The same with white space that nobody would write: `index.json` is kept to the byte.
    let mut members = layout.members();
    for member in &mut members {
        if let Member::File(name, content) = member
            && name == "index.json"
        {
            let text = String::from_utf8_lossy(content).replace(',', " ,\n\t");
            *content = format!("\n{text}\n\n").into_bytes();
        }
    }
    let sandbox = Sandbox::new();
    let tar = make::tar(&members);
    sandbox.write("in.tar", &tar);
    sandbox.run(&["convert", "in.tar", "oci:out"]).silent();
    assert_kept(
        &Store::from_tar(&tar),
        Format::OciArchive,
        &sandbox.path("out"),
        Format::Oci,
    );
}

#[test]
fn docker_media_types_stay_in_layouts() {
    let mut layout = Layout::default();
    let image = image(&[], "file a 1");
    let config = layout.put(
        "application/vnd.docker.container.image.v1+json",
        image.config.clone(),
    );
    let layers: Vec<Value> = image
        .layers
        .iter()
        .map(|it| {
            layout.put(
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
                it.clone(),
            )
        })
        .collect();
    let manifest = layout.document(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": config, "layers": layers,
    }));
    let list = layout.document(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
        "manifests": [for_platform(manifest, "linux", "amd64")],
    }));
    layout.add_named(&list, "app:1");
    let (sandbox, _) = kept(&layout);
    let images = own::archive(&sandbox.path("out.tar"));
    assert_eq!(images[0].id(), image.id());
}

#[test]
fn a_layer_with_the_wrong_label_is_read_by_its_magic_number() {
    let mut layout = Layout::default();
    let mut image = image(&["app:1"], "file a 1");
    image.layers[0] = crate::support::codec::decompress(&image.layers[0]);
    let config = layout.put(make::CONFIG, image.config.clone());
    let gzip = format!("{}+gzip", make::LAYER);
    let labels = [gzip.as_str(), make::LAYER];
    let layers: Vec<Value> = image
        .layers
        .iter()
        .zip(labels)
        .map(|(layer, label)| layout.put(label, layer.clone()))
        .collect();
    let manifest = layout.document(&json!({
        "schemaVersion": 2, "mediaType": make::MANIFEST, "config": config, "layers": layers,
    }));
    layout.add_named(&manifest, "app:1");
    let sandbox = Sandbox::new();
    let tar = make::tar(&layout.members());
    sandbox.write("in.tar", &tar);
    for to in Format::ALL {
        let out = format!("{to:?}");
        drop(sandbox.run(&["convert", "in.tar", &to.at(&out)]).warnings());
        assert_kept(
            &Store::from_tar(&tar),
            Format::OciArchive,
            &sandbox.path(&out),
            to,
        );
    }
}

#[test]
fn embedded_data_stands_for_a_blob() {
    let mut layout = Layout::default();
    let config = layout.put("application/vnd.oci.empty.v1+json", "{}");
    let mut embedded = config.clone();
    embedded["data"] = json!("e30=");
    let manifest = layout.document(&json!({
        "schemaVersion": 2, "mediaType": make::MANIFEST,
        "artifactType": "application/vnd.example", "config": embedded, "layers": [embedded],
    }));
    layout.add_named(&manifest, "artifact:1");
    for has_blob in [true, false] {
        if !has_blob {
            layout
                .blobs
                .remove(config["digest"].as_str().expect("a digest"));
        }
        let sandbox = Sandbox::new();
        let tar = make::tar(&layout.members());
        sandbox.write("in.tar", &tar);
        sandbox.run(&["convert", "in.tar", "oci:out"]).silent();
        assert_kept(
            &Store::from_tar(&tar),
            Format::OciArchive,
            &sandbox.path("out"),
            Format::Oci,
        );
    }
    // Data that is not the blob is a lie.
    let mut lying = embedded;
    lying["data"] = json!("W10=");
    let manifest = layout.document(&json!({
        "schemaVersion": 2, "mediaType": make::MANIFEST,
        "artifactType": "application/vnd.example", "config": lying, "layers": [],
    }));
    layout.index.clear();
    layout.add_named(&manifest, "artifact:1");
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&layout.members()));
    drop(sandbox.run(&["convert", "in.tar", "oci:out"]).refuses());
}

#[test]
fn blobs_of_a_directory_may_be_symlinks() {
    let sandbox = Sandbox::new();
    let mut layout = Layout::default();
    let image = image(&["app:1"], "file a 1");
    layout.add(&image);
    for (digest, content) in &layout.blobs {
        let name = hex(digest);
        sandbox.write(&format!("store/{name}"), content);
        fs::create_dir_all(sandbox.path("in/blobs/sha256")).expect("a directory can be made");
        let link = sandbox.path(&format!("in/blobs/sha256/{name}"));
        symlink(format!("../../../store/{name}"), link).expect("a link can be made");
    }
    for member in layout.members() {
        if let Member::File(name, content) = member
            && !name.starts_with("blobs/")
        {
            sandbox.write(&format!("in/{name}"), content);
        }
    }
    for to in Format::ALL {
        let out = format!("{to:?}");
        sandbox.run(&["convert", "oci:in", &to.at(&out)]).silent();
        let images = to.images(&sandbox.path(&out));
        assert_eq!(facts(&images), [image.facts()], "{out}");
    }
    let links = sandbox.tree();
    let mut copied = links.iter().filter(|(path, _)| path.starts_with("Oci/"));
    assert!(
        copied.all(|(_, what)| !what.starts_with("->")),
        "blobs are copied, not linked"
    );
}

#[test]
fn blobs_that_nothing_refers_to_are_left_out() {
    let mut layout = Layout::default();
    layout.add(&image(&["app:1"], "file a 1"));
    let _ = layout.put("application/octet-stream", "nobody wants this");
    let _ = kept(&layout);
}

#[test]
fn a_bare_tag_names_no_repository() {
    let mut layout = Layout::default();
    let descriptor = layout.image(&image(&[], "file a 1"));
    layout.add_named(&descriptor, "1.0");
    let (sandbox, warnings) = kept(&layout);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let manifest = Store::open(&sandbox.path("out.tar")).json("manifest.json");
    assert_eq!(manifest[0]["RepoTags"], Value::Null);
}

#[test]
fn the_name_that_containerd_gives_counts_before_the_bare_tag() {
    let mut layout = Layout::default();
    let mut descriptor = layout.image(&image(&[], "file a 1"));
    descriptor["annotations"] = json!({
        "io.containerd.image.name": "docker.io/library/app:1.0",
        "org.opencontainers.image.ref.name": "1.0",
    });
    layout.index.push(descriptor);
    let (sandbox, warnings) = kept(&layout);
    assert_eq!(warnings, Vec::<String>::new());
    let manifest = Store::open(&sandbox.path("out.tar")).json("manifest.json");
    assert_eq!(manifest[0]["RepoTags"], json!(["app:1.0"]));
}

#[test]
fn a_descriptor_is_chosen_by_its_name_to_the_letter_before_its_meaning() {
    let sandbox = Sandbox::new();
    let mut layout = Layout::default();
    let images = ["one", "two", "three"].map(|it| image(&[], &format!("file {it} 1")));
    let names = ["app:1", "docker.io/library/app:1", "v1"];
    for (image, name) in images.iter().zip(names) {
        let descriptor = layout.image(image);
        layout.add_named(&descriptor, name);
    }
    let mut last = layout.index.pop().expect("three descriptors");
    last["annotations"]["io.containerd.image.name"] = json!("example.org/x:v1");
    layout.index.push(last);
    sandbox.write("in.tar", make::tar(&layout.members()));
    let cases = [
        ("app:1", 0),
        ("docker.io/library/app:1", 1),
        ("v1", 2),
        ("example.org/x:v1", 2),
    ];
    for (number, (name, expected)) in cases.into_iter().enumerate() {
        let out = format!("{number}.tar");
        let source = format!("oci-archive:in.tar:{name}");
        drop(sandbox.run(&["convert", &source, &out]).warnings());
        let got = own::archive(&sandbox.path(&out));
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].id(), images[expected].id(), "{name}");
    }
    drop(
        sandbox
            .run(&["convert", "oci-archive:in.tar:v2", "none.tar"])
            .refuses(),
    );
}

#[test]
fn recompression_rewrites_manifests_and_indexes_and_nothing_else() {
    let sandbox = Sandbox::new();
    let mut layout = Layout::default();
    let image = image(&["app:1"], "file a 1");
    let manifest = for_platform(layout.image(&image), "linux", "amd64");
    let mut index = layout.nested(&[manifest]);
    index["annotations"] = json!({
        "org.opencontainers.image.ref.name": "app:1", "org.example.kept": "yes",
    });
    index["unknown"] = json!(1.50);
    layout.index.push(index);
    sandbox.write("in.tar", make::tar(&layout.members()));
    for (choice, codec) in [("none", Codec::Plain), ("zstd", Codec::Zstd)] {
        for to in Format::ALL {
            let out = format!("{choice}-{to:?}");
            let output = sandbox.run(&["convert", "--compress", choice, "in.tar", &to.at(&out)]);
            drop(output.warnings());
            let images = to.images(&sandbox.path(&out));
            if to != Format::Docker {
                let annotations = &own::layout(&sandbox.path(&out)).found[0].annotations;
                assert_eq!(annotations["org.example.kept"], "yes", "{out}");
            }
            assert_eq!(facts(&images), [image.facts()], "{out}");
            assert!(images[0].layers.iter().all(|it| it.codec == codec), "{out}");
        }
    }
}
