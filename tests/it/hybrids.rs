//! An archive that is a docker archive and an OCI layout at once: both count, and what
//! goes in comes out.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::support::codec::Codec;
use crate::support::image::{Store, text};
use crate::support::judge::{Format, assert_kept};
use crate::support::make::{self, Image, Layout, Member};
use crate::support::tools::{is_installed, tool};
use crate::support::{Sandbox, fixture, own, testdata};

/// An archive of two builds of one Dockerfile: Docker 29 names the later one alone in
/// `manifest.json`.
const TWO_BUILDS: &str = "docker29-containerd__two-builds.tar";

/// The warning of every command that reads it.
fn two_builds_say() -> Expect {
    expect![[r#"
        warning: `index.json` names `app:1`, but `manifest.json` does not; using the names of both
    "#]]
}

/// What `index.json` of an output lists: the first digits of each digest, and its name.
fn listed(store: &Store) -> Vec<String> {
    let index = store.json("index.json");
    let manifests = index["manifests"].as_array().into_iter().flatten();
    let one = |descriptor: &Value| {
        let digest = &text(&descriptor["digest"])[7..13];
        let annotations = &descriptor["annotations"];
        let name = annotations["io.containerd.image.name"].as_str();
        let name = name.or(annotations["org.opencontainers.image.ref.name"].as_str());
        format!("{digest} {}", name.unwrap_or("-"))
    };
    manifests.map(one).collect()
}

/// `RepoTags` of each element.
fn repo_tags(store: &Store) -> Value {
    let manifest = store.json("manifest.json");
    let elements = manifest.as_array().into_iter().flatten();
    elements
        .map(|element| element["RepoTags"].clone())
        .collect()
}

/// Changes a document of a hybrid that `make` wrote.
fn edit(members: &mut [Member], document: &str, edit: impl FnOnce(&mut Value)) {
    let member = members.iter_mut().find(|it| it.name() == document);
    let Some(Member::File(_, content)) = member else {
        panic!("there is no `{document}`");
    };
    let mut value = serde_json::from_slice(content).expect("it is JSON");
    edit(&mut value);
    *content = value.to_string().into_bytes();
}

#[test]
fn two_builds_of_one_config_keep_their_names_and_their_indexes() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", fixture(TWO_BUILDS));
    let names = |prefixes: [&str; 2]| {
        let [one, two] = prefixes;
        vec![
            format!("{one} docker.io/library/app:1"),
            format!("{two} docker.io/library/app:2"),
        ]
    };
    for to in Format::ALL {
        let out = format!("{to:?}");
        let run = sandbox.run(&["convert", "in.tar", &to.at(&out)]);
        run.warns(two_builds_say());
        let store = Store::open(&sandbox.path(&out));
        assert_eq!(listed(&store), names(["15eda8", "37bea4"]), "{to:?}");
    }
    let written = Store::open(&sandbox.path("Docker"));
    let source = Store::open(&sandbox.path("in.tar"));
    assert_eq!(written.file("index.json"), source.file("index.json"));
    assert_eq!(repo_tags(&written), json!([["app:1", "app:2"]]));
    // What was written is right, and stays as it is.
    sandbox.run(&["convert", "Docker", "again"]).silent();
    assert_eq!(sandbox.read("Docker"), sandbox.read("again"));
    // Every command says it, and takes each name for what it is.
    let run = sandbox.run(&["convert", "--image", "app:1", "in.tar", "oci:one"]);
    run.warns(two_builds_say());
    let one = Store::open(&sandbox.path("one"));
    assert_eq!(listed(&one), ["15eda8 docker.io/library/app:1"]);
    for command in ["images", "verify"] {
        let output = sandbox.run(&[command, "in.tar"]);
        assert_eq!(output.code, Some(0));
        let said = format!(
            "{}{}",
            output.stderr,
            String::from_utf8_lossy(&output.stdout)
        );
        assert!(said.contains("app:1"), "{said}");
    }
    let shown = sandbox.run(&["images", "--digests", "--no-trunc", "in.tar"]);
    let shown = String::from_utf8_lossy(&shown.data(two_builds_say())).into_owned();
    for digest in ["15eda814ca9210fa", "37bea4aab02ddb38"] {
        assert!(shown.contains(digest), "{shown}");
    }
    for command in [
        &["inspect", "--image", "app:1", "in.tar"][..],
        &["history", "--image", "app:1", "in.tar"],
        &["export", "--image", "app:1", "in.tar", "rootfs.tar"],
    ] {
        drop(sandbox.run(command).data(two_builds_say()));
    }
    let squash = [
        "squash", "--all", "--quiet", "--image", "app:2", "in.tar", "flat.tar",
    ];
    sandbox.run(&squash).silent();
}

/// What Docker 28 and 29, and tools beside them, wrote: all goes through to the byte, and
/// comes back from an OCI layout with every digest.
#[test]
fn a_hybrid_becomes_the_same_hybrid() {
    let names = [
        "buildkit__edge.docker-zstd.tar",
        "docker28-containerd__noprov.tar",
        "docker29-containerd__edge-deep-multi.tar",
        "docker29-containerd__edge.tar",
        "docker29-containerd__multiplatform-provenance.tar",
        "docker29-containerd__names.tar",
        "docker29-graphdriver__names.tar",
    ];
    for name in names {
        let sandbox = Sandbox::new();
        let source = Store::open(&testdata(name));
        let convert = |from: &str, to: &str| {
            drop(sandbox.run(&["convert", from, to]).warnings());
        };
        convert(&Format::Docker.at(testdata(name)), "out.tar");
        convert("out.tar", "oci:lay");
        convert("oci:lay", "back.tar");
        convert("back.tar", "oci-archive:back.oci");
        let out = Store::open(&sandbox.path("out.tar"));
        let back = Store::open(&sandbox.path("back.tar"));
        for document in ["index.json", "manifest.json", "repositories"] {
            assert_eq!(
                out.get(document),
                source.get(document),
                "{name}: {document}"
            );
        }
        assert_eq!(repo_tags(&back), repo_tags(&source), "{name}");
        let expected = source.layout();
        for path in ["out.tar", "lay", "back.tar", "back.oci"] {
            let got = Store::open(&sandbox.path(path)).layout();
            assert_eq!(got.reachable, expected.reachable, "{name}: {path}");
            let digests = |store: &Store| -> Vec<String> {
                let names = listed(store).into_iter();
                names
                    .map(|it| it.split(' ').next().unwrap_or_default().to_owned())
                    .collect()
            };
            let store = Store::open(&sandbox.path(path));
            assert_eq!(digests(&store), digests(&source), "{name}: {path}");
        }
    }
}

/// A layout of an index for two platforms with attestations, a signature of it, one of
/// that, a chart with a name, and a list of nothing.
fn everything() -> Layout {
    let mut layout = Layout::default();
    let platform = |layout: &mut Layout, architecture: &str| {
        let image = Image::new(&[], &[&format!("file {architecture} 1")]);
        let image = image.with_config(|it| it["architecture"] = architecture.into());
        let mut descriptor = layout.image(&image.stored_as(Codec::Gzip));
        descriptor["platform"] = json!({"os": "linux", "architecture": architecture});
        descriptor
    };
    let images = ["amd64", "arm64"].map(|it| platform(&mut layout, it));
    let attestations = images.each_ref().map(|it| layout.attestation(it));
    let index = layout.nested(&[images, attestations].concat());
    let signature = layout.referrer(&index);
    let of_signature = layout.referrer(&signature);
    layout.index.push(of_signature);
    layout.add_named(&index, "app:1");
    layout.index.push(signature);
    let mut chart = layout.referrer(&index);
    let config = layout.put("application/vnd.cncf.helm.config.v1+json", "{}");
    let manifest = json!({
        "schemaVersion": 2, "mediaType": make::MANIFEST, "config": config, "layers": [],
    });
    chart.clone_from(&layout.document(&manifest));
    layout.add_named(&chart, "chart:1");
    let nothing = layout.nested(&[]);
    layout.index.push(nothing);
    layout
}

#[test]
fn a_docker_archive_holds_all_that_a_layout_holds() {
    let sandbox = Sandbox::new();
    let tar = make::tar(&everything().members());
    let source = Store::from_tar(&tar);
    sandbox.write("in.tar", &tar);
    let says = expect![[r#"
        warning: `chart:1` is not an image but an artifact of type `application/vnd.cncf.helm.config.v1+json`; only `index.json` lists it, and engines without a containerd image store do not see it
    "#]];
    sandbox.run(&["convert", "in.tar", "out.tar"]).warns(&says);
    let out = sandbox.path("out.tar");
    assert_kept(&source, Format::OciArchive, &out, Format::Docker);
    assert_eq!(repo_tags(&Store::open(&out)), json!([["app:1"]]));
    sandbox.run(&["convert", "out.tar", "oci:back"]).silent();
    let back = Store::open(&sandbox.path("back"));
    assert_eq!(back.layout().reachable, source.layout().reachable);
    // What speaks of the chosen image goes with it, and nothing else.
    sandbox
        .run(&["convert", "--image", "app:1", "in.tar", "one.tar"])
        .silent();
    let listed = listed(&Store::open(&sandbox.path("one.tar")));
    let names: Vec<&str> = listed.iter().map(|it| &it[7..]).collect();
    assert_eq!(names, ["-", "docker.io/library/app:1", "-"]);
    // One platform of it is asked for.
    let arguments = ["convert", "--platform", "linux/arm64", "in.tar", "arm.tar"];
    assert_eq!(sandbox.run(&arguments).warnings().len(), 4);
    let arm = Store::open(&sandbox.path("arm.tar"));
    assert_eq!(arm.docker_images().len(), 1);
    assert!(arm.docker_images()[0].config.contains("arm64"));
    // From a pipe and into one.
    let piped = sandbox.restow(&["convert", "-", "-"]).stdin_pipe(tar);
    assert_eq!(piped.run().data(&says), sandbox.read("out.tar"));
}

#[test]
fn manifest_json_names_the_only_platform_or_the_first() {
    let foreign = |architectures: &[&str]| {
        let mut layout = Layout::default();
        let mut descriptors = Vec::new();
        for architecture in architectures {
            let image = Image::new(&[], &[&format!("file {architecture} 1")]);
            let image = image.with_config(|it| it["architecture"] = (*architecture).into());
            let mut descriptor = layout.image(&image);
            descriptor["platform"] = json!({"os": "linux", "architecture": architecture});
            descriptors.push(descriptor);
        }
        let index = layout.nested(&descriptors);
        layout.add_named(&index, "app:1");
        make::tar(&layout.members())
    };
    let host = crate::support::image::host_platform();
    let first = format!(
        "warning: `app:1` has no image for {host}; `manifest.json` names the one for linux/s390x\n"
    );
    let cases = [
        (vec!["s390x", "riscv64"], first.as_str(), "s390x"),
        (vec!["s390x"], "", "s390x"),
        (vec!["s390x", &host[6..]], "", &host[6..]),
    ];
    for (architectures, says, named) in cases {
        let sandbox = Sandbox::new();
        sandbox.write("in.tar", foreign(&architectures));
        sandbox.run(&["convert", "in.tar", "out.tar"]).warns(says);
        let images = Store::open(&sandbox.path("out.tar")).docker_images();
        let configs: Vec<&str> = images.iter().map(|it| it.config.as_str()).collect();
        assert!(
            matches!(configs[..], [it] if it.contains(named)),
            "{configs:?}"
        );
    }
    let sandbox = Sandbox::new();
    let mut layout = everything();
    layout
        .index
        .retain(|it| it["annotations"]["org.opencontainers.image.ref.name"] != "app:1");
    sandbox.write("in.tar", make::tar(&layout.members()));
    sandbox.run(&["convert", "in.tar", "oci:out"]).silent();
    sandbox
        .run(&["convert", "in.tar", "out.tar"])
        .fails(expect![[r#"
            error: it contains no image
        "#]]);
}

#[test]
fn names_are_passed_on_as_they_are_written() {
    let id = "0123456789abcdef".repeat(4);
    let cases = [
        vec!["docker.io/library/app:1", "docker.io/someone/app:2"],
        vec!["docker.io/library/edge:1", "localhost/edge:1"],
        vec!["edge:1", "docker.io/library/edge:1"],
        vec!["index.docker.io/library/edge:1", "library/edge:2"],
        vec!["app:1"],
    ];
    let id_tag = format!("{id}:1");
    let cases = cases.into_iter().chain([vec![id_tag.as_str()]]);
    for tags in cases {
        for style in [make::docker as fn(&[Image]) -> Vec<Member>, make::crane] {
            let sandbox = Sandbox::new();
            let image = Image::new(&tags, &["file a 1"]);
            sandbox.write("in.tar", make::tar(&style(&[image])));
            for (from, to) in [
                ("in.tar", "out.tar"),
                ("out.tar", "oci:lay"),
                ("oci:lay", "back.tar"),
                ("in.tar", "oci-archive:in.oci"),
                ("in.oci", "again.tar"),
            ] {
                sandbox.run(&["convert", from, to]).silent();
            }
            for path in ["out.tar", "back.tar", "again.tar"] {
                let written = Store::open(&sandbox.path(path));
                assert_eq!(repo_tags(&written), json!([tags]), "{path}");
            }
        }
    }
    // In full, where `index.json` gives no other form.
    let sandbox = Sandbox::new();
    let mut members = make::docker(&[Image::new(&["app"], &["file a 1"])]);
    edit(&mut members, "manifest.json", |it| {
        it[0]["RepoTags"] = json!(["app", "x.org/y"]);
    });
    sandbox.write("in.tar", make::tar(&members));
    sandbox.run(&["convert", "in.tar", "out.tar"]).silent();
    let written = Store::open(&sandbox.path("out.tar"));
    assert_eq!(
        repo_tags(&written),
        json!([["app:latest", "x.org/y:latest"]])
    );
}

/// A change of the members of an archive.
type Change = fn(&mut Vec<Member>);

#[test]
fn names_of_both_files_count() {
    let images = ["one:1", "two:2"].map(|tag| Image::new(&[tag], &[&format!("file {tag} 1")]));
    let cases: [(Change, Expect, Value); 3] = [
        (
            |members| {
                edit(members, "manifest.json", |it| {
                    it[0]["RepoTags"] = json!(["one:1", "new:3"]);
                });
            },
            expect![[r#"
                warning: `manifest.json` names `new:3`, but `index.json` does not; using the names of both
            "#]],
            json!([["one:1", "new:3"], ["two:2"]]),
        ),
        (
            |members| {
                edit(members, "manifest.json", |it| {
                    it[0]["RepoTags"] = json!(["two:2"]);
                    it[1]["RepoTags"] = json!(["one:1"]);
                });
            },
            expect![[r#"
                warning: `index.json` and `manifest.json` list different images as `two:2`; using the one in `index.json`
                warning: `index.json` and `manifest.json` list different images as `one:1`; using the one in `index.json`
            "#]],
            json!([["one:1"], ["two:2"]]),
        ),
        (
            |members| edit(members, "manifest.json", |it| *it = json!([it[0].clone()])),
            expect![[r#"
                warning: `index.json` names `two:2`, but `manifest.json` does not; using the names of both
            "#]],
            json!([["one:1"], ["two:2"]]),
        ),
    ];
    for (change, says, tags) in cases {
        let sandbox = Sandbox::new();
        let mut members = make::hybrid(&images);
        change(&mut members);
        sandbox.write("in.tar", make::tar(&members));
        sandbox.run(&["convert", "in.tar", "out.tar"]).warns(says);
        let written = Store::open(&sandbox.path("out.tar"));
        assert_eq!(repo_tags(&written), tags);
        drop(own::archive(&sandbox.path("out.tar")));
        sandbox.run(&["convert", "out.tar", "oci:lay"]).silent();
    }
}

#[test]
fn one_image_in_two_elements_is_one() {
    let image = Image::new(&["x:1"], &["file a 1"]);
    for tags in [json!(["x:1"]), json!(["y:1"]), Value::Null] {
        let sandbox = Sandbox::new();
        let mut members = make::crane(std::slice::from_ref(&image));
        edit(&mut members, "manifest.json", |it| {
            let mut other = it[0].clone();
            other["RepoTags"] = tags.clone();
            *it = json!([it[0].clone(), other]);
        });
        sandbox.write("in.tar", make::tar(&members));
        sandbox.run(&["export", "in.tar", "rootfs.tar"]).silent();
        let squash = ["squash", "--all", "--quiet", "in.tar", "flat.tar"];
        sandbox.run(&squash).silent();
        sandbox.run(&["convert", "in.tar", "out.tar"]).silent();
        let written = own::archive(&sandbox.path("out.tar"));
        let expected: &[&str] = match tags[0].as_str() {
            Some("y:1") => &["docker.io/library/x:1", "docker.io/library/y:1"],
            _ => &["docker.io/library/x:1"],
        };
        assert_eq!(written[0].tags, expected);
    }
}

#[test]
fn the_order_of_index_json_stays_where_an_image_has_several_names() {
    let mut layout = Layout::default();
    let [one, two] = ["one", "two"].map(|it| Image::new(&[], &[&format!("file {it} 1")]));
    let [one, two] = [layout.image(&one), layout.image(&two)];
    for (descriptor, name) in [(&one, "a:1"), (&two, "b:1"), (&one, "c:1"), (&two, "a:2")] {
        layout.add_named(descriptor, name);
    }
    let tar = make::tar(&layout.members());
    let source = Store::from_tar(&tar);
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", &tar);
    for to in Format::ALL {
        let out = format!("{to:?}");
        sandbox.run(&["convert", "in.tar", &to.at(&out)]).silent();
        let written = Store::open(&sandbox.path(&out));
        let digests = |store: &Store| -> Vec<String> {
            listed(store).iter().map(|it| it[..6].to_owned()).collect()
        };
        assert_eq!(digests(&written), digests(&source), "{to:?}");
    }
    assert_eq!(
        Store::open(&sandbox.path("Oci")).file("index.json"),
        source.file("index.json")
    );
    sandbox.run(&["convert", "Docker", "oci:back"]).silent();
    let back = Store::open(&sandbox.path("back")).json("index.json");
    assert_eq!(
        back,
        Store::open(&sandbox.path("Docker")).json("index.json")
    );
}

#[test]
fn a_parent_and_unknown_fields_stay_in_manifest_json() {
    let [below, above] = [("p:1", 1), ("q:1", 2)].map(|(tag, count)| {
        let layers = ["file a 1", "file b 2"];
        Image::new(&[tag], &layers[..count])
    });
    for style in [make::docker as fn(&[Image]) -> Vec<Member>, make::hybrid] {
        let sandbox = Sandbox::new();
        let mut members = style(&[below.clone(), above.clone()]);
        edit(&mut members, "manifest.json", |it| {
            it[1]["Parent"] = below.id().into();
            it[1]["X"] = json!({"y": 1});
        });
        sandbox.write("in.tar", make::tar(&members));
        sandbox.run(&["convert", "in.tar", "out.tar"]).silent();
        sandbox
            .run(&["convert", "--compress", "gzip", "out.tar", "gzip.tar"])
            .silent();
        for path in ["out.tar", "gzip.tar"] {
            let manifest = Store::open(&sandbox.path(path)).json("manifest.json");
            assert_eq!(manifest[1]["Parent"], below.id().as_str());
            assert_eq!(manifest[1]["X"], json!({"y": 1}));
        }
        let lost = expect![[r#"
            warning: the output loses the parent image that `manifest.json` records for `q:1`
        "#]];
        let one = ["convert", "--image", "q:1", "in.tar", "one.tar"];
        sandbox.run(&one).warns(&lost);
        let manifest = Store::open(&sandbox.path("one.tar")).json("manifest.json");
        assert_eq!(manifest[0]["Parent"], Value::Null);
        assert_eq!(manifest[0]["X"], json!({"y": 1}));
        sandbox.run(&["convert", "in.tar", "oci:lay"]).warns(&lost);
        let base = ["convert", "--image", "p:1", "in.tar", "base.tar"];
        sandbox.run(&base).silent();
    }
}

/// All media types in the documents of a layout, but that of `index.json`.
fn media_types(store: &Store) -> Vec<String> {
    fn visit(store: &Store, descriptor: &Value, types: &mut Vec<String>) {
        types.push(text(&descriptor["mediaType"]).to_owned());
        if !text(&descriptor["mediaType"]).contains("json") {
            return;
        }
        let document = store.blob(descriptor).expect("the blob is there");
        let document: Value = serde_json::from_slice(document).expect("it is JSON");
        if let Some(own) = document["mediaType"].as_str() {
            types.push(own.to_owned());
        }
        for field in ["manifests", "layers"] {
            for child in document[field].as_array().into_iter().flatten() {
                visit(store, child, types);
            }
        }
        if document["config"]["digest"].is_string() {
            visit(store, &document["config"], types);
        }
    }
    let mut types = Vec::new();
    for descriptor in store.json("index.json")["manifests"]
        .as_array()
        .into_iter()
        .flatten()
    {
        visit(store, descriptor, &mut types);
    }
    types
}

#[test]
fn media_types_are_those_of_the_family_that_is_asked_for() {
    let sandbox = Sandbox::new();
    let name = "docker28-containerd__noprov.tar";
    let source = Format::Docker.at(testdata(name));
    let family = |path: &str, family: &str| {
        let types = media_types(&Store::open(&sandbox.path(path)));
        let prefix = format!("application/vnd.{family}.");
        assert!(
            types.iter().all(|it| it.starts_with(&prefix)),
            "{path}: {types:?}"
        );
    };
    let convert = |media_types: &str, from: &str, to: &str| {
        let arguments = ["convert", "--media-types", media_types, from, to];
        sandbox.run(&arguments).silent();
    };
    convert("keep", &source, "oci:kept");
    family("kept", "docker");
    convert("oci", &source, "oci:oci");
    family("oci", "oci");
    convert("docker", "oci:oci", "oci:docker");
    family("docker", "docker");
    convert("docker", "oci:docker", "oci:same");
    assert_eq!(
        sandbox.read("same/index.json"),
        sandbox.read("docker/index.json")
    );
    convert("oci", "oci:docker", "oci:back");
    assert_eq!(
        sandbox.read("back/index.json"),
        sandbox.read("oci/index.json")
    );
    convert("oci", &source, "oci.tar");
    family("oci.tar", "oci");
    convert(
        "docker",
        &Format::Docker.at(testdata("docker20__dup.tar")),
        "dup.tar",
    );
    family("dup.tar", "docker");
    // Compressed anew, it gets OCI's without being asked.
    let arguments = ["convert", "--compress", "none", &source, "oci:none"];
    sandbox.run(&arguments).silent();
    family("none", "oci");
    // An index, and what speaks of its images.
    let multi = Format::OciArchive.at(testdata(
        "docker29-containerd__multiplatform-provenance.tar",
    ));
    let arguments = ["convert", "--media-types", "docker", &multi, "oci:multi"];
    let warnings = sandbox.run(&arguments).warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    family("multi", "docker");
    if is_installed("umoci") {
        let image = format!("{}:bk:1", sandbox.path("oci").display());
        let bundle = sandbox.path("bundle").display().to_string();
        drop(tool(
            "umoci",
            &["unpack", "--rootless", "--image", &image, &bundle],
        ));
        assert!(sandbox.path("bundle/rootfs/f").is_file());
    }
}

/// What the index of a layout lists: the platform of each image, and whether it is marked
/// as one with zstd.
fn marks(store: &Store) -> Vec<String> {
    let index = store.json("index.json");
    let index = store
        .blob(&index["manifests"][0])
        .expect("the index is there");
    let index: Value = serde_json::from_slice(index).expect("it is JSON");
    let one = |descriptor: &Value| {
        let mark = &descriptor["annotations"]["io.github.containers.compression.zstd"];
        let mark = mark.as_str().unwrap_or("-");
        format!("{} {mark}", text(&descriptor["platform"]["architecture"]))
    };
    let manifests = index["manifests"].as_array().expect("it lists manifests");
    manifests.iter().map(one).collect()
}

#[test]
fn an_index_marks_images_with_zstd_as_podman_and_skopeo_do() {
    let source = Format::OciArchive.at(testdata("podman58__gzip-and-zstd.oci.tar"));
    let cases: [(&str, &[&str]); 4] = [
        ("keep", &["arm64 -", "amd64 -", "arm64 true", "amd64 true"]),
        ("gzip:1", &["arm64 -", "amd64 -"]),
        ("none", &["arm64 -", "amd64 -"]),
        ("zstd:1", &["arm64 true", "amd64 true"]),
    ];
    for (compress, expected) in cases {
        let sandbox = Sandbox::new();
        let arguments = ["convert", "--compress", compress, &source, "oci:out"];
        sandbox.run(&arguments).silent();
        assert_eq!(
            marks(&Store::open(&sandbox.path("out"))),
            expected,
            "{compress}"
        );
    }
    // One of them becomes zstd, and the mark of the other stays.
    let sandbox = Sandbox::new();
    let arguments = ["convert", "--compress", "zstd", &source, "oci:out"];
    sandbox.run(&arguments).silent();
    let marks = marks(&Store::open(&sandbox.path("out")));
    assert_eq!(
        marks,
        ["arm64 true", "amd64 true", "arm64 true", "amd64 true"]
    );
}
