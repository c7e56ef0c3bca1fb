//! What is meant for Docker, and what it wrote itself.

use expect_test::expect;
use serde_json::{Value, json};

use super::documents::{blob, with_manifest};
use super::{app, check_members, edit_json, without};
use crate::support::codec::{Codec, digest};
use crate::support::engine::{Docker, unique};
use crate::support::make::{self, Image, Layout, Member};

#[test]
fn what_docker_alone_refuses_is_a_warning_in_a_layout() {
    let of = |image: &Image| {
        let mut layout = Layout::default();
        layout.add(image);
        layout.members()
    };
    let on = |os: &str| app().with_config(|it| it["os"] = json!(os));
    check_members(
        "another system",
        &of(&on("freebsd")),
        expect![[r#"
            warning[os-unusual] `app:1`: it is for `freebsd`
        "#]],
    );
    check_members("Windows", &of(&on("windows")), expect![""]);
    let refused = expect![[r#"
        error[os-refused] `app:1`: it is for `windows`
    "#]];
    check_members(
        "Windows for Docker",
        &make::docker(&[on("windows")]),
        &refused,
    );
    check_members(
        "Windows in a hybrid",
        &make::hybrid(&[on("windows")]),
        &refused,
    );
    // In an index it is for other engines.
    let mut layout = Layout::default();
    let mut parts = Vec::new();
    for (image, os) in [(app(), "linux"), (on("windows"), "windows")] {
        let mut part = layout.image(&image);
        part["platform"] = json!({"os": os, "architecture": "amd64"});
        parts.push(part);
    }
    let index = layout.nested(&parts);
    layout.add_named(&index, "app:1");
    let mut members = make::hybrid(&[app()]);
    members.retain(|it| it.name() == "manifest.json");
    members.extend(layout.members());
    check_members("Windows for others", &members, expect![""]);
    // Only Docker 20.10 minds the case.
    let linux = [on("Linux")];
    check_members(
        "another case",
        &make::docker(&linux),
        expect![[r#"
            warning[os-unusual] `app:1`: it is for `Linux`
        "#]],
    );
    check_members(
        "many layers",
        &of(&Image::new(&["app:1"], &vec!["file a 1"; 126])),
        expect![[r#"
            warning[too-many-layers] `app:1`: it has 126 layers; the maximum is 125
        "#]],
    );
    let without_rootfs =
        app().with_config(|it| drop(it.as_object_mut().expect("an object").remove("rootfs")));
    check_members(
        "no rootfs",
        &of(&without_rootfs),
        expect![[r#"
            warning[rootfs-missing] `app:1`: the config of an image lists no layers
        "#]],
    );
    check_members(
        "no rootfs for Docker",
        &make::docker(&[without_rootfs]),
        expect![[r#"
            error[config-invalid] `app:1`: `rootfs` is not an object
        "#]],
    );
    let foreign = with_manifest(|it| {
        it["layers"][1]["mediaType"] =
            json!("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
    });
    check_members(
        "foreign",
        &without(foreign, &blob(&app().diff_ids[1])),
        expect![[r#"
            warning[docker-media-type] `app:1`: a layout has Docker media types
            note[layer-foreign] layer 2 of 3 of `app:1`: a layer must be downloaded from elsewhere
        "#]],
    );
}

#[test]
fn layers_that_are_left_to_an_engine() {
    let layer = |at: usize| blob(&app().diff_ids[at]);
    let partial = without(without(make::hybrid(&[app()]), &layer(0)), &layer(1));
    check_members(
        "a hybrid",
        &partial,
        expect![[r#"
            error[layer-missing] layer 1 of 3 of `app:1`: sha256:… is missing (and 1 more layer)
        "#]],
    );
    let left_out = edit_json(make::hybrid(&[app()]), "manifest.json", |it| {
        it[0]["Layers"][0] = json!("");
    });
    check_members(
        "no name",
        &left_out,
        expect![[r#"
            error[layer-missing] layer 1 of 3 of `app:1`: it has no name: the archive relies on the store of an engine
        "#]],
    );
    let no_name = edit_json(make::crane(&[app()]), "manifest.json", |it| {
        let layers = it[0]["Layers"].as_array_mut().expect("a list");
        layers[0] = json!("");
        layers[1] = json!("");
    });
    let sandbox = crate::support::Sandbox::new();
    sandbox.write("in.tar", make::tar(&no_name));
    let told = super::found(&sandbox.run(&["verify", "in.tar"]));
    expect![[r#"
            error[layer-missing] layer 1 of 3 of `app:1`: it has no name: the archive relies on the store of an engine (and 1 more layer)
        "#]].assert_eq(&super::listed(&told[..1]));
    // One layer that several images have is missed once.
    let other = Image::new(&["b:1"], &["file a 1", "file z 9"]);
    check_members(
        "shared",
        &without(make::hybrid(&[app(), other]), &layer(0)),
        expect![[r#"
            error[layer-missing] layer 1 of 3 of `app:1`: sha256:… is missing
        "#]],
    );
    check_members(
        "a config",
        &without(make::hybrid(&[app()]), &blob(&app().id())),
        expect![[r#"
            error[blob-missing] `app:1`: sha256:… is missing
        "#]],
    );
}

#[test]
fn layers_of_a_kind_that_is_not_known_are_named() {
    let nydus = with_manifest(|it| {
        it["layers"][1]["mediaType"] = json!("application/vnd.oci.image.layer.nydus.blob.v1");
    });
    check_members(
        "nydus",
        &nydus,
        expect![[r#"
            note[media-type-unknown] layer 2 of 3 of `app:1`: its media type is `application/vnd.oci.image.layer.nydus.blob.v1`
        "#]],
    );
}

#[test]
fn what_docker_itself_writes_is_no_warning() {
    let packed = app().stored_as(Codec::Zstd);
    check_members("zstd in a hybrid", &make::hybrid(&[packed]), expect![""]);
    let mut layout = Layout::default();
    let descriptor = layout.image(&app());
    let bytes = &layout.blobs[descriptor["digest"].as_str().expect("a digest")];
    let text = String::from_utf8(bytes.clone()).expect("UTF-8");
    let docker_types = text.replace(
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar",
    );
    layout.index = vec![layout.put(make::MANIFEST, docker_types)];
    let mut members = make::hybrid(&[app()]);
    for member in layout.members() {
        if members.iter().all(|it| it.name() != member.name()) {
            members.push(member);
        }
    }
    let index = layout.index.clone();
    let members = edit_json(members, "index.json", |it| {
        let name = it["manifests"][0]["annotations"].clone();
        it["manifests"][0] = index[0].clone();
        it["manifests"][0]["annotations"] = name;
    });
    check_members(
        "Docker's media types",
        &without(
            members,
            &blob(descriptor["digest"].as_str().expect("a digest")),
        ),
        expect![""],
    );
    // Docker's classic store has such a document for each layer.
    let v1 =
        json!({"id": "0".repeat(64), "created": "1970-01-01T00:00:00Z", "os": "linux"}).to_string();
    let with_v1 = [
        make::hybrid(&[app()]),
        vec![Member::file(blob(&digest(v1.as_bytes())), v1)],
    ];
    check_members("v1 documents", &with_v1.concat(), expect![""]);
}

/// An image of two layers that no other test has.
fn image_of(repository: &str, salt: &str) -> Image {
    let lines = [
        format!("file base {repository}"),
        format!("file {salt} {repository}"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    Image::new(&[&format!("{repository}:1")], &lines)
}

/// A case, its archive, and whether the stores of graph drivers and of containerd load it.
type Case = (&'static str, Vec<Member>, bool, bool);

fn cases(repository: &str) -> [Case; 8] {
    let tag = format!("{repository}:1");
    let image = |salt: &str| image_of(repository, salt);
    let listed = |salt: &str, change: &dyn Fn(&mut Value)| {
        edit_json(make::docker(&[image(salt)]), "manifest.json", |it| {
            change(&mut it[0]);
        })
    };
    let of_many = Image::new(
        &[&tag],
        &vec![format!("file many {repository}").as_str(); 126],
    );
    [
        ("whole", make::docker(&[image("w")]), true, true),
        (
            "Windows",
            make::docker(&[image("o").with_config(|it| it["os"] = json!("windows"))]),
            false,
            true,
        ),
        ("126 layers", make::docker(&[of_many]), false, true),
        (
            "no name",
            listed("n", &|it| it["Layers"][1] = json!("")),
            false,
            false,
        ),
        (
            "not there",
            listed("g", &|it| it["Layers"][1] = json!("gone/layer.tar")),
            false,
            false,
        ),
        (
            "with a digest",
            listed("d", &|it| {
                it["RepoTags"] = json!([format!("{tag}@{}", digest(b""))]);
            }),
            true,
            true,
        ),
        (
            "an unusual path",
            listed("p", &|it| {
                let path = it["Layers"][1].as_str().expect("a path").to_owned();
                it["Layers"][1] = json!(format!("x/../{path}"));
            }),
            true,
            false,
        ),
        (
            "null",
            vec![
                Member::file("manifest.json", "null"),
                Member::file(format!("{}.json", "0".repeat(64)), "{}"),
            ],
            false,
            false,
        ),
    ]
}

#[test]
fn the_engine_judges_what_is_meant_for_it() {
    for engine in Docker::found("the_engine_judges_what_is_meant_for_it") {
        let _alone = engine.alone();
        let repository = unique();
        let tag = format!("{repository}:1");
        let image = |salt: &str| image_of(&repository, salt);
        for (name, members, classic, containerd) in cases(&repository) {
            let archive = make::tar(&members);
            let id = members
                .iter()
                .find_map(|it| it.name().strip_suffix(".json").filter(|it| it.len() == 64));
            let names = [
                tag.clone(),
                id.expect("a config").to_owned(),
                format!("{repository}@{}", digest(b"")),
            ];
            let loaded = engine.try_load(&archive, &names);
            // 20.10 took null for an empty list.
            if name != "null" {
                assert_eq!(
                    loaded.is_ok(),
                    if engine.has_containerd_store() {
                        containerd
                    } else {
                        classic
                    },
                    "{engine:?}: {name}"
                );
            }
            drop(loaded);
            let sandbox = crate::support::Sandbox::new();
            sandbox.write("in.tar", &archive);
            let is_sound = sandbox.run(&["verify", "in.tar"]).code == Some(0);
            assert_eq!(is_sound, classic, "{name}");
        }
        // Where the layers are, what is without them is loaded.
        let base = Image::new(
            &[&format!("{repository}:base")],
            &[&format!("file base {repository}")],
        );
        let partial = without(make::hybrid(&[image("top")]), &blob(&base.diff_ids[0]));
        let partial = make::tar(&partial);
        let tags = [tag.clone()];
        assert!(
            engine.try_load(&partial, &tags).is_err() || engine.has_containerd_store(),
            "without its base"
        );
        let _base = engine.load(
            &make::tar(&make::hybrid(&[base])),
            &[format!("{repository}:base")],
        );
        let _partial = engine.load(&partial, &tags);
        assert!(engine.creates(&tag), "with its base");
    }
}
