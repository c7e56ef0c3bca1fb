//! Faults of archives, layouts and their documents.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use expect_test::expect;
use serde_json::{Value, json};

use super::{app, check, check_members, edit, edit_json, without};
use crate::support::codec::{Codec, digest, hex};
use crate::support::make::{self, Image, Layout, Member};

/// The archive of `app` as Docker before 25 writes it.
fn docker() -> Vec<Member> {
    make::docker(&[app()])
}

fn config_name() -> String {
    format!("{}.json", hex(&app().id()))
}

pub(super) fn blob(digest: &str) -> String {
    format!("blobs/sha256/{}", hex(digest))
}

/// A layout that holds `app`, with what is done to it.
fn layout(change: impl FnOnce(&mut Layout)) -> Vec<Member> {
    let mut layout = Layout::default();
    layout.add(&app());
    change(&mut layout);
    layout.members()
}

/// A layout whose only manifest is changed, and named by its new digest.
pub(super) fn with_manifest(change: impl FnOnce(&mut Value)) -> Vec<Member> {
    let mut layout = Layout::default();
    let descriptor = layout.image(&app());
    let bytes = layout
        .blobs
        .remove(descriptor["digest"].as_str().expect("a digest"));
    let mut manifest = serde_json::from_slice(&bytes.expect("it is there")).expect("JSON");
    change(&mut manifest);
    let descriptor = layout.put(make::MANIFEST, manifest.to_string());
    layout.add_named(&descriptor, "app:1");
    layout.members()
}

/// A docker archive whose config is changed.
fn with_config(change: impl FnOnce(&mut Value)) -> Vec<Member> {
    make::docker(&[app().with_config(change)])
}

#[test]
fn what_is_sound_is_found_to_be_so() {
    check_members("docker", &docker(), expect![""]);
    check_members("hybrid", &make::hybrid(&[app()]), expect![""]);
    check_members("layout", &layout(|_| ()), expect![""]);
    check_members("crane", &make::crane(&[app()]), expect![""]);
    check_members("jib", &make::jib(&app()), expect![""]);
    let several = [
        app(),
        Image::new(&["b:1", "b:2"], &["file b 2"]),
        Image::new(&[], &["file z 1"]),
    ];
    check_members("several", &make::docker(&several), expect![""]);
}

#[test]
fn archives_and_control_files() {
    let whole = make::tar(&docker());
    let mut damaged = whole.clone();
    damaged[0] ^= 1;
    let end_missing = &whole[..whole.len() - 1024];
    let twice = [docker(), vec![Member::file("manifest.json", "[]")]].concat();
    let escaping = [docker(), vec![Member::file("../x", "1")]].concat();
    let untidy = [docker(), vec![Member::file("notes.txt", "1")]].concat();
    check(
        "no end",
        end_missing,
        expect![[r#"
            warning[archive-end-missing] the archive has no end-of-archive block
        "#]],
    );
    // What stands behind the place where it breaks is gone.
    let second = whole
        .windows(512)
        .step_by(512)
        .position(|it| it.starts_with(b"manifest.json"));
    let mut broken = whole.clone();
    broken[512 * second.expect("it is there")] ^= 1;
    check(
        "broken",
        &broken,
        expect![[r#"
            error[archive-damaged] invalid tar header at byte 16896: wrong checksum
        "#]],
    );
    check_members(
        "twice",
        &twice,
        expect![[r#"
            error[member-twice] it has two different members named `manifest.json`
            warning[no-image] `manifest.json`: the input lists no images
        "#]],
    );
    check_members(
        "escaping",
        &escaping,
        expect![[r#"
            error[member-escapes] member `../x`: the path leads out of the archive
        "#]],
    );
    check_members(
        "untidy",
        &untidy,
        expect![[r#"
            note[unreferenced] `notes.txt`: no document refers to this file
        "#]],
    );
}

#[test]
fn control_files_of_docker_archives() {
    check_members(
        "trailing",
        &edit(docker(), "manifest.json", |it| it.extend(b"junk")),
        expect![[r#"
            warning[trailing-bytes] `manifest.json`: extra bytes follow the JSON value in a control file
        "#]],
    );
    check_members(
        "no element",
        &[
            Member::file("manifest.json", "[]"),
            Member::file("0.json", "{}"),
        ],
        expect![[r#"
            warning[no-image] `manifest.json`: the input lists no images
        "#]],
    );
    check_members(
        "a key twice",
        &edit(docker(), "manifest.json", |it| {
            drop(it.splice(2..2, *b"\"RepoTags\":5,"));
        }),
        expect![[r#"
            error[manifest-invalid] `manifest.json`: `[0].RepoTags` is not a list of strings
        "#]],
    );
    check_members(
        "no file",
        &[
            without(docker(), "manifest.json"),
            vec![Member::Directory("manifest.json/".to_owned())],
        ]
        .concat(),
        expect![[r#"
            error[manifest-invalid] `manifest.json`: it is not a regular file
            warning[v1-archive] the archive is in the format of Docker before 1.10
        "#]],
    );
    check_members(
        "a link that leads nowhere",
        &[
            without(docker(), "manifest.json"),
            vec![Member::Symlink(
                "manifest.json".to_owned(),
                "gone".to_owned(),
            )],
        ]
        .concat(),
        expect![[r#"
            error[manifest-missing] `manifest.json`: it is a dangling link
        "#]],
    );
    check_members(
        "null",
        &[
            Member::file("manifest.json", "null\n"),
            Member::Directory("x/".to_owned()),
        ],
        expect![[r#"
            error[manifest-invalid] `manifest.json`: it is null
        "#]],
    );
    check_members(
        "one element of two",
        &edit_json(docker(), "manifest.json", |it| {
            it.as_array_mut()
                .expect("a list")
                .push(json!({"Layers": []}));
        }),
        expect![[r#"
            error[manifest-invalid] `manifest.json`: `[1].Config` is not a string
        "#]],
    );
    check_members(
        "repositories",
        &edit(docker(), "repositories", |it| it.truncate(5)),
        expect![[r#"
            warning[repositories-invalid] `repositories`: it is not valid JSON: EOF while parsing a string at line 1 column 5
        "#]],
    );
    check_members(
        "other tags",
        &edit(docker(), "repositories", |it| {
            *it = br#"{"b":{"2":""}}"#.to_vec();
        }),
        expect![[r#"
            warning[repositories-differ] `repositories`: `manifest.json` lists `app:1`, but `repositories` does not
            warning[repositories-differ] `repositories`: `repositories` lists `b:2`, but `manifest.json` does not
        "#]],
    );
}

#[test]
fn images_of_docker_archives() {
    let layers = |members: &[Member]| -> Vec<String> {
        let names = members.iter().map(Member::name);
        let names = names.filter(|name| name.ends_with("/layer.tar"));
        names.map(str::to_owned).collect()
    };
    let second = &layers(&docker())[1];
    check_members(
        "config gone",
        &without(docker(), &config_name()),
        expect![[r#"
            error[config-missing] `app:1`: `….json` is missing
        "#]],
    );
    check_members(
        "config broken",
        &edit(docker(), &config_name(), |it| it.truncate(9)),
        expect![[r#"
            error[config-invalid] `app:1`: it is not valid JSON: EOF while parsing a string at line 1 column 9
        "#]],
    );
    check_members(
        "config renamed",
        &edit(docker(), &config_name(), |it| it.push(b' ')),
        expect![[r#"
            warning[config-name] `app:1`: `….json` is sha256:…
        "#]],
    );
    check_members(
        "layer gone",
        &without(docker(), second),
        expect![[r#"
            error[layer-missing] layer 2 of 3 of `app:1`: `…/layer.tar` is missing
        "#]],
    );
    check_members(
        "layer changed",
        &edit(docker(), second, |it| it[512] = b'x'),
        expect![[r#"
            error[diff-id-mismatch] layer 2 of 3 of `app:1`: expected sha256:…, got sha256:…
        "#]],
    );
    check_members(
        "layer left out",
        &edit_json(docker(), "manifest.json", |it| {
            it[0]["Layers"].as_array_mut().expect("a list").pop();
        }),
        expect![[r#"
            error[layer-count] `app:1`: it has 2 layers, but its config lists 3 diff_ids
        "#]],
    );
    let sources = |size: usize| {
        let layer = app().diff_ids[0].clone();
        edit_json(docker(), "manifest.json", move |it| {
            it[0]["LayerSources"] = json!({
                layer.clone(): {"mediaType": make::LAYER, "digest": layer, "size": size},
            });
        })
    };
    check_members("sources", &sources(2048), expect![""]);
    check_members(
        "other sources",
        &sources(9),
        expect![[r#"
            warning[layer-source] layer 1 of 3 of `app:1`: `LayerSources` says 9 bytes, but it has 2048
        "#]],
    );
    let foreign = edit_json(without(docker(), second), "manifest.json", |it| {
        let layer = app().diff_ids[1].clone();
        let media_type = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
        it[0]["LayerSources"] = json!({
            layer.clone(): {"mediaType": media_type, "digest": layer, "size": 9},
        });
    });
    check_members(
        "foreign",
        &foreign,
        expect![[r#"
            error[layer-missing] layer 2 of 3 of `app:1`: `…/layer.tar` is missing, and `docker load` does not fetch it
        "#]],
    );
    check_members(
        "absolute",
        &edit_json(docker(), "manifest.json", |it| {
            it[0]["Config"] = json!(format!("/{}", config_name()));
        }),
        expect![[r#"
            warning[path-unusual] `app:1`: `/….json`
        "#]],
    );
    check_members(
        "zstd",
        &make::docker(&[app().stored_as(Codec::Zstd)]),
        expect![[r#"
            warning[compression-unusual] `app:1`: 3 of its 3 layers are compressed with zstd
        "#]],
    );
    check_members(
        "gzip that is cut",
        &{
            let mut image = app().stored_as(Codec::Gzip);
            let length = image.layers[0].len();
            image.layers[0].truncate(length - 9);
            make::docker(&[image])
        },
        expect![[r#"
            error[compression-damaged] layer 1 of 3 of `app:1`: its gzip stream is damaged: incomplete deflate stream
        "#]],
    );
}

#[test]
fn tags() {
    let tagged = |tags: Value| {
        let members = edit_json(docker(), "manifest.json", |it| it[0]["RepoTags"] = tags);
        without(members, "repositories")
    };
    for tag in ["app", "App:1", "app:1@sha256:0", ""] {
        let expected = format!("error[tag-invalid] `{tag}`: `{tag}`\n");
        check_members(tag, &tagged(json!([tag])), &expected);
    }
    let pinned = format!("app:1@{}", digest(b""));
    check_members(
        "with a digest",
        &tagged(json!([pinned])),
        expect![[r#"
            warning[tag-digest] `app:1@sha256:…`: `app:1@sha256:…`
        "#]],
    );
    check_members(
        "an id with a tag",
        &tagged(json!([format!("{}:1", hex(&digest(b"")))])),
        expect![""],
    );
    check_members("none", &tagged(Value::Null), expect![""]);
    let both = [app(), Image::new(&["app:1"], &["file z 1"])];
    check_members(
        "twice",
        &make::docker(&both),
        expect![[r#"
            warning[tag-twice] `manifest.json`: `app:1`
        "#]],
    );
    let mut two = Layout::default();
    for image in &both {
        two.add(image);
    }
    check_members(
        "twice in a layout",
        &two.members(),
        expect![[r#"
            warning[tag-twice] `index.json`: `app:1`
        "#]],
    );
    check_members(
        "no name",
        &layout(|it| {
            it.index[0]["annotations"]["org.opencontainers.image.ref.name"] = json!("a b");
        }),
        expect![[r#"
            warning[name-invalid] `index.json`: `org.opencontainers.image.ref.name` is `a b`
        "#]],
    );
    check_members(
        "no name for containerd",
        &layout(|it| it.index[0]["annotations"]["io.containerd.image.name"] = json!("A:1")),
        expect![[r#"
            warning[name-invalid] `index.json`: `io.containerd.image.name` is `A:1`
        "#]],
    );
}

#[test]
fn configs() {
    let told = |history: Value| with_config(|it| it["history"] = history);
    check_members(
        "too much history",
        &told(json!([{}, {}, {}, {"empty_layer": true}, {}])),
        expect![[r#"
            error[history-count] `app:1`: its history lists 4 layers, but it has 3
        "#]],
    );
    check_members(
        "too little history",
        &told(json!([{}])),
        expect![[r#"
            note[history-short] `app:1`: its history lists 1 layers, but it has 3
        "#]],
    );
    check_members("no history", &told(Value::Null), expect![""]);
    check_members(
        "history of another kind",
        &told(json!({})),
        expect![[r#"
            error[config-invalid] `app:1`: `history` is not a list
        "#]],
    );
    check_members(
        "times",
        &with_config(|it| {
            it["created"] = json!("yesterday");
            it["history"][1]["created"] = json!(7);
        }),
        expect![[r#"
            error[created-invalid] `app:1`: `created` is "yesterday"
            error[created-invalid] `app:1`: `history[1].created` is 7
        "#]],
    );
    check_members(
        "times that no calendar has, and some that Go alone reads",
        &with_config(|it| {
            it["created"] = json!("2023-02-31T25:61:61Z");
            it["history"][0]["created"] = json!("2023-02-28T01:00:00,5Z");
            it["history"][1]["created"] = json!("2023-02-29T00:00:00Z");
            it["history"][2]["created"] = json!("2024-02-29T00:00:00.123456789012+23:59");
        }),
        expect![[r#"
            error[created-invalid] `app:1`: `created` is "2023-02-31T25:61:61Z"
            error[created-invalid] `app:1`: `history[1].created` is "2023-02-29T00:00:00Z"
            warning[created-unusual] `app:1`: `history[0].created` is "2023-02-28T01:00:00,5Z"
        "#]],
    );
    check_members(
        "rootfs of another kind",
        &with_config(|it| it["rootfs"]["type"] = json!("layers+base")),
        expect![[r#"
            warning[rootfs-type] `app:1`: `rootfs.type` is "layers+base"
        "#]],
    );
    check_members(
        "diff_id",
        &with_config(|it| it["rootfs"]["diff_ids"][0] = json!("sha256:0")),
        expect![[r#"
            error[config-invalid] `app:1`: `rootfs.diff_ids[0]` is not a digest: `sha256:0` is not a digest: expected `sha256:` and 64 lower-case hexadecimal digits
        "#]],
    );
    check_members(
        "no platform",
        &with_config(|it| drop(it.as_object_mut().expect("an object").remove("os"))),
        expect![[r#"
            note[platform-missing] `app:1`: the config has no operating system or no architecture
        "#]],
    );
    check_members(
        "another system",
        &with_config(|it| it["os"] = json!("freebsd")),
        expect![[r#"
            error[os-refused] `app:1`: it is for `freebsd`
        "#]],
    );
    let many = vec!["file a 1"; 126];
    check_members(
        "many layers",
        &make::docker(&[Image::new(&["app:1"], &many)]),
        expect![[r#"
            error[layers-refused] `app:1`: it has 126 layers; the maximum is 125
        "#]],
    );
    check_members(
        "a diff_id that no engine computes",
        &with_config(|it| {
            it["rootfs"]["diff_ids"][0] = json!(format!("sha512:{}", "0".repeat(128)));
        }),
        expect![[r#"
            error[config-invalid] `app:1`: `rootfs.diff_ids[0]` is not a sha256 digest
            error[diff-id-mismatch] layer 1 of 3 of `app:1`: expected sha512:…, got sha512:…
        "#]],
    );
}

#[test]
fn archives_from_before_docker_1_10() {
    let id = |at: u8| hex(&digest(&[at])).to_owned();
    let image = |at: u8, parent: Option<u8>| {
        let mut image = json!({"id": id(at), "created": "2015-01-01T00:00:00Z", "os": "linux", "architecture": "amd64"});
        if let Some(parent) = parent {
            image["parent"] = json!(id(parent));
        }
        (image, make::layer(&format!("file f{at} 1")))
    };
    let tags = [("old:1", id(2))];
    let whole = make::v1(&[image(1, None), image(2, Some(1))], &tags);
    check_members(
        "whole",
        &whole,
        expect![[r#"
            warning[v1-archive] the archive is in the format of Docker before 1.10
        "#]],
    );
    check_members(
        "no tags",
        &without(whole, "repositories"),
        expect![[r#"
            error[v1-repositories-missing] `repositories` is missing
            warning[v1-archive] the archive is in the format of Docker before 1.10
        "#]],
    );
    let (mut typed, layer) = image(1, None);
    typed["config"] = json!({"Env": "A=1"});
    let typed = make::v1(&[(typed, layer)], &[("old:1", id(1))]);
    check_members(
        "a field of another type",
        &typed,
        expect![[r#"
            error[config-invalid] `…/json`: `config.Env` is not a list of strings
            warning[v1-archive] the archive is in the format of Docker before 1.10
        "#]],
    );
    let broken = make::v1(&[image(2, Some(1))], &tags);
    let output = {
        let sandbox = crate::support::Sandbox::new();
        sandbox.write("in.tar", make::tar(&broken));
        sandbox.run(&["verify", "in.tar"])
    };
    expect![[r#"
        error[v1-invalid] `…/json` names `…/json`, which is missing
        warning[v1-archive] the archive is in the format of Docker before 1.10
    "#]]
    .assert_eq(&super::listed(&super::found(&output)));
}

#[test]
fn layouts_and_their_indexes() {
    let good = || layout(|_| ());
    check_members(
        "no marker",
        &without(good(), "oci-layout"),
        expect![[r#"
            error[layout-marker-missing] `oci-layout` is missing
        "#]],
    );
    check_members(
        "another version",
        &edit(good(), "oci-layout", |it| {
            *it = br#"{"imageLayoutVersion":"2.0.0"}"#.to_vec();
        }),
        expect![[r#"
            error[layout-version] `oci-layout`: the version is "2.0.0"
        "#]],
    );
    check_members(
        "a key in another case",
        &edit(good(), "oci-layout", |it| {
            *it = br#"{"IMAGELAYOUTVERSION":"1.0.0"}"#.to_vec();
        }),
        expect![""],
    );
    check_members(
        "no index",
        &[Member::file(
            "oci-layout",
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )],
        expect![[r#"
            error[index-missing] `index.json` is missing
        "#]],
    );
    check_members(
        "index broken",
        &edit(layout(|it| it.blobs.clear()), "index.json", |it| {
            it.truncate(7);
        }),
        expect![[r#"
            error[index-invalid] `index.json`: it is not valid JSON: EOF while parsing a string at line 1 column 7
        "#]],
    );
    check_members(
        "index of another version",
        &edit_json(good(), "index.json", |it| it["schemaVersion"] = json!(1)),
        expect![[r#"
            warning[schema-version] `index.json`: `schemaVersion` is 1
        "#]],
    );
    check_members(
        "an index that says that it is a manifest",
        &edit_json(good(), "index.json", |it| {
            it["mediaType"] = json!(make::MANIFEST);
        }),
        expect![[r#"
            error[media-type-mismatch] `index.json`: its `mediaType` is `application/vnd.oci.image.manifest.v1+json`
        "#]],
    );
    check_members(
        "both at once",
        &edit_json(good(), "index.json", |it| it["layers"] = json!([])),
        expect![[r#"
            error[document-ambiguous] `index.json`: a document is both a manifest and an index
        "#]],
    );
}

#[test]
fn descriptors_of_an_index() {
    check_members(
        "one bad descriptor",
        &layout(|it| {
            it.index
                .push(json!({"mediaType": "a/b", "digest": "sha256:../../x", "size": 1}));
        }),
        expect![[r#"
            error[descriptor-invalid] `index.json`: `manifests[1].digest` is not a digest: `sha256:../../x` is not a digest: expected `sha256:` and 64 lower-case hexadecimal digits
        "#]],
    );
    check_members(
        "no image",
        &Layout::default().members(),
        expect![[r#"
            warning[no-image] `index.json`: the input lists no images
        "#]],
    );
    check_members(
        "something else",
        &layout(|it| {
            let thing = it.put("application/x", "1");
            it.index.push(thing);
        }),
        expect![[r#"
            note[media-type-unknown] `sha256:…`: its media type is `application/x`
        "#]],
    );
    check_members(
        "a manifest that is called something else",
        &layout(|it| it.index[0]["mediaType"] = json!("application/x")),
        expect![[r#"
            error[media-type-mismatch] `app:1`: it is a manifest, but its descriptor says `application/x`
            note[media-type-unknown] `app:1`: its media type is `application/x`
        "#]],
    );
    check_members(
        "schema 1",
        &layout(|it| {
            let old = it.put("application/vnd.docker.distribution.manifest.v1+json", "{}");
            it.index.push(old);
        }),
        expect![[r#"
            error[schema-1] `sha256:…`: a manifest uses Docker schema 1
        "#]],
    );
    check_members(
        "nested too deep",
        &{
            let mut it = Layout::default();
            let mut inner = it.image(&app());
            for _ in 0..9 {
                inner = it.nested(&[inner]);
            }
            it.add_named(&inner, "app:1");
            // Nothing looks at what is too deep.
            let mut members = it.members();
            members.retain(|member| {
                !member.name().starts_with("blobs/sha256/") || {
                    let Member::File(_, content) = member else {
                        return true;
                    };
                    content.starts_with(b"{\"schemaVersion")
                        || content.starts_with(br#"{"manifests"#)
                }
            });
            let manifest = it.image(&app());
            without(
                members,
                &blob(manifest["digest"].as_str().expect("a digest")),
            )
        },
        expect![[r#"
            error[index-too-large] `app:1`: indexes are nested too deeply or have too many entries
        "#]],
    );
}

#[test]
fn blobs_of_layouts() {
    let good = || layout(|_| ());
    let manifest = Layout::default().image(&app());
    let manifest = blob(manifest["digest"].as_str().expect("a digest"));
    let config = blob(&app().id());
    let layer = blob(&app().diff_ids[1]);
    check_members(
        "manifest gone",
        &{
            let mut members = good();
            members.retain(|it| {
                !it.name().starts_with("blobs/sha256/") || it.name() == "blobs/sha256/"
            });
            members
        },
        expect![[r#"
            error[blob-missing] `app:1`: sha256:… is missing
        "#]],
    );
    check_members(
        "config gone",
        &without(good(), &config),
        expect![[r#"
            error[blob-missing] `app:1`: sha256:… is missing
        "#]],
    );
    check_members(
        "layer gone",
        &without(good(), &layer),
        expect![[r#"
            error[layer-missing] layer 2 of 3 of `app:1`: sha256:… is missing
        "#]],
    );
    check_members(
        "layer altered",
        &edit(good(), &layer, |it| it[512] = b'x'),
        expect![[r#"
            error[digest-mismatch] layer 2 of 3 of `app:1`: expected sha256:…, got sha256:…
        "#]],
    );
    check_members(
        "another size said",
        &with_manifest(|it| it["layers"][1]["size"] = json!(9)),
        expect![[r#"
            error[size-mismatch] layer 2 of 3 of `app:1`, `blobs/sha256/…`: expected 9 bytes, got 2048
        "#]],
    );
    check_members(
        "layer longer",
        &edit(good(), &layer, |it| it.resize(it.len() + 512, 0)),
        expect![[r#"
            error[digest-mismatch] layer 2 of 3 of `app:1`: expected sha256:…, got sha256:…; expected 2048 bytes, got 2560
        "#]],
    );
    check_members(
        "config altered",
        &edit(good(), &config, |it| it.push(b' ')),
        expect![[r#"
            error[digest-mismatch] `app:1`, `blobs/sha256/…`: expected sha256:…, got sha256:…; expected 752 bytes, got 753
        "#]],
    );
    check_members(
        "manifest altered",
        &edit(good(), &manifest, |it| {
            *it.last_mut().expect("it is not empty") = b' ';
        }),
        expect![[r#"
            error[digest-mismatch] `app:1`, `blobs/sha256/…`: expected sha256:…, got sha256:…
        "#]],
    );
    check_members(
        "embedded",
        &layout(|it| it.index[0]["data"] = json!("e30=")),
        expect![[r#"
            error[data-mismatch] `index.json`: `manifests[0].data` is not sha256:…
        "#]],
    );
    check_members(
        "nowhere else than embedded, where no engine looks",
        &layout(|it| {
            let digest = it.index[0]["digest"].as_str().expect("a digest");
            let manifest = it.blobs.remove(digest).expect("it is a blob");
            it.index[0]["data"] = json!(STANDARD.encode(manifest));
        }),
        expect![[r#"
            error[blob-missing] `app:1`: sha256:… is missing, except for a copy in its descriptor
        "#]],
    );
    check_members(
        "nobody's",
        &layout(|it| drop(it.put("a/b", "nobody's"))),
        expect![[r#"
            note[unreferenced] `blobs/sha256/…`: no document refers to this file
        "#]],
    );
    check_members(
        "nobody's, and altered",
        &[good(), vec![Member::file(blob(&digest(b"1")), "2")]].concat(),
        expect![[r#"
            error[digest-mismatch] `blobs/sha256/…`: expected sha256:…, got sha256:…
            note[unreferenced] `blobs/sha256/…`: no document refers to this file
        "#]],
    );
}

#[test]
fn manifests() {
    check_members(
        "too few layers",
        &with_manifest(|it| drop(it["layers"].as_array_mut().expect("a list").pop())),
        expect![[r#"
            error[layer-count] `app:1`: it has 2 layers, but its config lists 3 diff_ids
            note[unreferenced] `blobs/sha256/…`: no document refers to this file
        "#]],
    );
    check_members(
        "an index, too",
        &with_manifest(|it| it["manifests"] = json!([])),
        expect![[r#"
            error[document-ambiguous] `app:1`: a document is both a manifest and an index
        "#]],
    );
    check_members(
        "another type than its descriptor says",
        &with_manifest(|it| it["mediaType"] = json!(make::INDEX)),
        expect![[r#"
            error[media-type-mismatch] `app:1`: its `mediaType` is `application/vnd.oci.image.index.v1+json`, but its descriptor says `application/vnd.oci.image.manifest.v1+json`
        "#]],
    );
    check_members(
        "Docker's types",
        &with_manifest(|it| {
            it["layers"][0]["mediaType"] = json!("application/vnd.docker.image.rootfs.diff.tar");
        }),
        expect![[r#"
            warning[docker-media-type] `app:1`: a layout has Docker media types
        "#]],
    );
    check_members(
        "a wrong label",
        &with_manifest(|it| it["layers"][0]["mediaType"] = json!(format!("{}+gzip", make::LAYER))),
        expect![[r#"
            warning[layer-mislabelled] layer 1 of 3 of `app:1`: it is labelled `application/vnd.oci.image.layer.v1.tar+gzip`, but its content is not compressed
        "#]],
    );
    check_members(
        "encrypted",
        &with_manifest(|it| {
            it["layers"][0]["mediaType"] = json!(format!("{}+encrypted", make::LAYER));
        }),
        expect![[r#"
            note[layer-encrypted] layer 1 of 3 of `app:1`: a layer is encrypted
        "#]],
    );
    let mut xz = Layout::default();
    let descriptor = xz.image(&app().stored_as(Codec::Xz));
    let bytes = xz
        .blobs
        .remove(descriptor["digest"].as_str().expect("a digest"));
    let text = String::from_utf8(bytes.expect("it is there")).expect("UTF-8");
    let descriptor = xz.put(make::MANIFEST, text.replace("+xz", "+gzip"));
    xz.add_named(&descriptor, "app:1");
    check_members(
        "xz",
        &xz.members(),
        expect![[r#"
            warning[compression-unusual] layer 1 of 3 of `app:1`: it is compressed with xz
            warning[layer-mislabelled] layer 1 of 3 of `app:1`: it is labelled `application/vnd.oci.image.layer.v1.tar+gzip`, but its content is xz
            warning[compression-unusual] layer 2 of 3 of `app:1`: it is compressed with xz
            warning[layer-mislabelled] layer 2 of 3 of `app:1`: it is labelled `application/vnd.oci.image.layer.v1.tar+gzip`, but its content is xz
            warning[compression-unusual] layer 3 of 3 of `app:1`: it is compressed with xz
            warning[layer-mislabelled] layer 3 of 3 of `app:1`: it is labelled `application/vnd.oci.image.layer.v1.tar+gzip`, but its content is xz
        "#]],
    );
}

#[test]
fn a_document_of_very_many_values() {
    check_members(
        "many values",
        &with_manifest(|it| it["x"] = json!(vec![0; 200_000])),
        expect![[r#"
            error[document-too-large] `app:1`: `the document` has 200020 members, more than the limit of 200000
        "#]],
    );
}

#[test]
fn a_config_of_very_deep_values() {
    let mut deep = json!(1);
    for _ in 0..200 {
        deep = json!([deep]);
    }
    let excess = with_config(|it| it["x"] = deep);
    check_members(
        "deep values",
        &excess,
        expect![[r#"
            error[document-too-large] `app:1`: its values are nested deeper than 127 levels
        "#]],
    );
}

#[test]
fn indexes_with_platforms() {
    let arm = Image::new(&["app:1"], &["file arm 1"])
        .with_config(|it| it["architecture"] = json!("arm64"));
    let index = |change: &dyn Fn(&mut Layout, &mut Vec<Value>)| {
        let mut layout = Layout::default();
        let mut manifests = Vec::new();
        for (image, architecture) in [(app(), "amd64"), (arm.clone(), "arm64")] {
            let mut descriptor = layout.image(&image);
            descriptor["platform"] = json!({"os": "linux", "architecture": architecture});
            manifests.push(descriptor);
        }
        let attestation = layout.attestation(&manifests[0]);
        manifests.push(attestation);
        change(&mut layout, &mut manifests);
        let descriptor = layout.nested(&manifests);
        layout.add_named(&descriptor, "app:1");
        layout.members()
    };
    check_members("whole", &index(&|_, _| ()), expect![""]);
    check_members(
        "one platform absent",
        &index(&|layout, manifests| {
            let digest = manifests[1]["digest"].as_str().expect("a digest");
            layout.blobs.remove(digest);
            layout.blobs.remove(&arm.id());
            layout.blobs.remove(&arm.diff_ids[0]);
        }),
        expect![[r#"
            note[index-part-absent] `app:1`: 1 of its 3 manifests is missing: linux/arm64
        "#]],
    );
    check_members(
        "a layer of one platform absent",
        &index(&|layout, _| drop(layout.blobs.remove(&arm.diff_ids[0]))),
        expect![[r#"
            note[index-part-absent] `app:1`: 1 of its 3 manifests is missing: linux/arm64
        "#]],
    );
    check_members(
        "a layer of both absent",
        &index(&|layout, _| {
            layout.blobs.remove(&arm.diff_ids[0]);
            layout.blobs.remove(&app().diff_ids[2]);
        }),
        expect![[r#"
            error[layer-missing] layer 3 of 3 of `app:1 for linux/amd64`: sha256:… is missing
            error[layer-missing] layer 1 of 1 of `app:1 for linux/arm64`: sha256:… is missing
        "#]],
    );
    check_members(
        "another platform",
        &index(&|_, manifests| manifests[1]["platform"]["architecture"] = json!("s390x")),
        expect![[r#"
            warning[platform-mismatch] `app:1 for linux/s390x`: the index says linux/s390x, but the config says linux/arm64
        "#]],
    );
    // Other names of a platform are no other platform, and what runs there fits.
    for [said, variant] in [["aarch64", "v8"], ["arm64", "v9"], ["ARM64", ""]] {
        check_members(
            said,
            &index(&|_, manifests| {
                manifests[1]["platform"] =
                    json!({"os": "Linux", "architecture": said, "variant": variant});
            }),
            expect![""],
        );
    }
    check_members(
        "an attestation of nothing",
        &index(&|_, manifests| {
            manifests[2]["annotations"]["vnd.docker.reference.digest"] = json!(digest(b"x"));
        }),
        expect![[r#"
            note[subject-missing] `app:1`: its subject is sha256:…
        "#]],
    );
}

#[test]
fn hybrids_that_disagree_with_themselves() {
    let two = [app(), Image::new(&["b:1"], &["file b 2"])];
    let hybrid = || make::hybrid(&two);
    check_members(
        "layers in another order",
        &edit_json(hybrid(), "manifest.json", |it| {
            it[0]["Layers"].as_array_mut().expect("a list").reverse();
        }),
        expect![[r#"
            error[hybrid-differs] `app:1`: `index.json` and `manifest.json` give an image different layers
        "#]],
    );
    check_members(
        "not in index.json",
        &edit_json(hybrid(), "index.json", |it| {
            it["manifests"].as_array_mut().expect("a list").pop();
        }),
        expect![[r#"
            warning[hybrid-incomplete] `b:1`: only `manifest.json` lists it
        "#]],
    );
    check_members(
        "not in manifest.json",
        &without(
            edit_json(hybrid(), "manifest.json", |it| {
                it.as_array_mut().expect("a list").pop();
            }),
            "repositories",
        ),
        expect![[r#"
            warning[hybrid-incomplete] `b:1`: only `index.json` lists it
        "#]],
    );
    check_members(
        "another tag",
        &without(
            edit_json(hybrid(), "manifest.json", |it| {
                it[1]["RepoTags"] = json!(["b:2"]);
            }),
            "repositories",
        ),
        expect![[r#"
            warning[hybrid-incomplete] `b:2`: only `manifest.json` names it `b:2`
            warning[hybrid-incomplete] `b:2`: only `index.json` names it `b:1`
        "#]],
    );
    // skopeo and podman write such: one config, and its layers plain and packed.
    let packed = |tag: &str| {
        let mut image = app().stored_as(Codec::Gzip);
        image.tags = vec![tag.to_owned()];
        image
    };
    let codecs = || make::hybrid(&[app(), packed("b:1")]);
    check_members("one config in two compressions", &codecs(), expect![""]);
    check_members(
        "the other compression is not in manifest.json",
        &without(
            edit_json(codecs(), "manifest.json", |it| {
                it.as_array_mut().expect("a list").pop();
            }),
            "repositories",
        ),
        expect![[r#"
            warning[hybrid-incomplete] `b:1`: only `index.json` lists it
        "#]],
    );
    check_members(
        "a manifest.json that is broken",
        &edit(make::hybrid(&[app()]), "manifest.json", |it| it.truncate(9)),
        expect![[r#"
            error[manifest-invalid] `manifest.json`: it is not valid JSON: EOF while parsing a string at line 1 column 9
        "#]],
    );
}
