//! Inputs that are refused.

use expect_test::expect;
use serde_json::{Value, json};

use super::{TO_ARCHIVE, TO_LAYOUT, app, case, check, layout};
use crate::support::codec::Codec;
use crate::support::layer;
use crate::support::make::{self, Layout, Member};
use crate::support::sandbox::Sandbox;

/// The members of a docker archive of [`app`], changed.
fn docker(change: impl Fn(&mut Member)) -> Vec<u8> {
    let mut members = make::docker(&[app()]);
    members.iter_mut().for_each(change);
    make::tar(&members)
}

/// Another content for the member of this name.
fn with(name: &'static str, content: &'static str) -> impl Fn(&mut Member) {
    move |member| {
        if let Member::File(of, bytes) = member
            && of.ends_with(name)
        {
            *bytes = content.as_bytes().to_vec();
        }
    }
}

/// Another `manifest.json`.
fn manifest_json(text: &'static str) -> Vec<u8> {
    docker(with("manifest.json", text))
}

/// A layout of one document of this kind.
fn document(media_type: &'static str, text: &'static str) -> Vec<u8> {
    layout(|layout| {
        let descriptor = layout.put(media_type, text);
        layout.index.push(descriptor);
    })
}

/// A layout of [`app`] whose descriptor in the index was changed.
fn descriptor(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    layout(|layout| {
        layout.add(&app());
        change(&mut layout.index[0]);
    })
}

/// A layout of [`app`] without the blob that is `nth` by its digest, or with
/// another content for it.
fn blob(of: impl Fn(&[u8]) -> bool, content: Option<&'static str>) -> Vec<u8> {
    layout(|layout| {
        layout.add(&app());
        let found = layout.blobs.iter().find(|(_, bytes)| of(bytes));
        let digest = found.expect("there is such a blob").0.clone();
        match content {
            Some(content) => drop(layout.blobs.insert(digest, content.into())),
            None => drop(layout.blobs.remove(&digest)),
        }
    })
}

fn is_manifest(bytes: &[u8]) -> bool {
    bytes.windows(8).any(|window| window == b"\"layers\"") && bytes[0] == b'{' && !is_config(bytes)
}

fn is_config(bytes: &[u8]) -> bool {
    bytes.windows(8).any(|window| window == b"diff_ids")
}

#[test]
fn inputs_that_are_no_images() {
    let tar = make::tar(&make::docker(&[app()]));
    let gzip = Codec::Gzip.compress(&tar);
    let cut_gzip = gzip[..gzip.len() / 2].to_vec();
    check(
        1,
        vec![
            case(
                "",
                &["missing.tar", "oci:out"],
                expect![[r#"
                    error: cannot read `missing.tar`
                      caused by: No such file or directory
                "#]],
            ),
            case(
                "",
                TO_LAYOUT,
                expect![[r#"
                error: cannot read `in.tar`
                  caused by: it is empty
            "#]],
            ),
            case(
                "\x7fELF and so on",
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: it is not a container image (looks like an ELF executable); expected a docker archive, an OCI layout or a tar
                "#]],
            ),
            case(
                Codec::Gzip.compress(b"just text"),
                TO_ARCHIVE,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: it is not a container image (looks like a text file); expected a docker archive, an OCI layout or a tar
                "#]],
            ),
            case(
                tar[..700].to_vec(),
                TO_ARCHIVE,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: the tar is truncated at byte 700 (at least 324 bytes missing)
                "#]],
            ),
            case(
                cut_gzip.clone(),
                TO_ARCHIVE,
                expect![[r#"
                error: cannot read `in.tar`
                  caused by: its gzip stream is damaged
                  caused by: incomplete deflate stream
            "#]],
            ),
            case(
                cut_gzip,
                TO_LAYOUT,
                expect![[r#"
                error: cannot read `in.tar`
                  caused by: its gzip stream is damaged
                  caused by: incomplete deflate stream
            "#]],
            ),
            case(
                make::tar(&[Member::file("../up", "x")]),
                TO_ARCHIVE,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: member `../up`: the path leads out of the archive
                "#]],
            ),
            case(
                make::tar(&[Member::file("manifest.json", "[]")]),
                TO_ARCHIVE,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: it contains no image
                "#]],
            ),
            case(
                tar.clone(),
                &["full", "oci:out"],
                expect![[r#"
                    error: cannot read `full`
                      caused by: it is a folder; expected an OCI layout
                      hint: if it is a root filesystem: `restow import full DST`
                "#]],
            ),
            case(
                tar.clone(),
                &["oci-archive:in.tar", "oci:out"],
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: it is not an OCI archive: `index.json` is missing
                      hint: use the path without a prefix: the format is recognized
                "#]],
            ),
            case(
                tar.clone(),
                &["oci:in.tar", "oci:out"],
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: it is a file; expected an OCI layout in a folder
                      hint: use the path without a prefix: the format is recognized
                "#]],
            ),
            case(
                tar,
                &["docker-archive:full", "oci:out"],
                expect![[r#"
                    error: cannot read `full`
                      caused by: it is a folder; expected an archive
                      hint: if it is a root filesystem: `restow import full DST`
                "#]],
            ),
            case(
                make::tar(&[Member::file("etc/hosts", "x")]),
                &["docker-archive:in.tar", "oci:out"],
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: it is not a docker archive: `manifest.json` is missing
                      hint: use the path without a prefix: the format is recognized
                "#]],
            ),
            case(
                make::tar(&[Member::file(
                    format!("blobs/sha256/{}", "0".repeat(64)),
                    "x",
                )]),
                TO_ARCHIVE,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: it is not a whole archive of images: `manifest.json` or `index.json` is missing
                      hint: if it is a root filesystem, use `rootfs:PATH`
                "#]],
            ),
        ],
    );
}

#[test]
fn a_layer_that_was_left_to_an_engine() {
    let left_out = docker(|member| {
        if let Member::File(name, bytes) = member
            && name == "manifest.json"
        {
            let mut manifest: Value = serde_json::from_slice(bytes).expect("JSON");
            manifest[0]["Layers"][0] = "".into();
            *bytes = manifest.to_string().into_bytes();
        }
    });
    check(
        1,
        vec![case(
            left_out,
            TO_ARCHIVE,
            expect![[r#"
                error: cannot read `in.tar`
                  caused by: cannot read layer 1 of 3 of `app:1`
                  caused by: `manifest.json` does not name it: only an engine that already has this layer can load the archive
            "#]],
        )],
    );
}

#[test]
fn docker_archives_that_are_not_whole() {
    let image = app();
    let fewer = image.clone().with_config(|config| {
        config["rootfs"]["diff_ids"]
            .as_array_mut()
            .expect("a list")
            .pop();
    });
    let config = docker(|member| {
        if let Member::File(name, bytes) = member
            && name.len() > 64
            && !name.contains('/')
        {
            *bytes = b"{}".to_vec();
        }
    });
    let huge = make::tar(&[Member::file("manifest.json", vec![b' '; (32 << 20) + 1])]);
    let layers = |layer: &'static str| {
        make::tar(
            &make::docker(&[app()])
                .into_iter()
                .map(|member| match member {
                    Member::File(name, bytes)
                        if name.ends_with("layer.tar") && bytes.contains(&b'2') =>
                    {
                        Member::file(name, layer)
                    }
                    other => other,
                })
                .collect::<Vec<_>>(),
        )
    };
    let mut twice = make::docker(&[app()]);
    twice.push(Member::file("manifest.json", "[]"));
    check(
        1,
        vec![
            case(
                manifest_json("["),
                TO_ARCHIVE,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: cannot parse `manifest.json`
                      caused by: it is not valid JSON
                      caused by: EOF while parsing a list at line 1 column 1
                "#]],
            ),
            case(
                manifest_json("{}"),
                TO_ARCHIVE,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: cannot parse `manifest.json`
                      caused by: `the document` is not a list of images
                "#]],
            ),
            case(
                manifest_json(r#"[{"Layers":[]}]"#),
                TO_ARCHIVE,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: cannot parse `manifest.json`
                      caused by: `[0].Config` is not a string
                "#]],
            ),
            case(
                manifest_json(r#"[{"Config":"none.json","Layers":[]}]"#),
                TO_ARCHIVE,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: `manifest.json` names `none.json`, which is missing
                "#]],
            ),
            case(
                manifest_json(r#"[{"Config":"../c.json","Layers":[]}]"#),
                TO_ARCHIVE,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: member `../c.json`: the path leads out of the archive
                "#]],
            ),
            case(
                config,
                TO_ARCHIVE,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: cannot parse the config `8a281ca82878ff8e3c666bb78025e0ec957d154570644e48ad176db68f5b4840.json`
                      caused by: `rootfs` is not an object
                "#]],
            ),
            case(
                huge,
                TO_ARCHIVE,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: `manifest.json` has 33554433 bytes, more than the limit of 33554432
                "#]],
            ),
            case(
                make::tar(&make::docker(&[fewer])),
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: `app:1` has 3 layers, but its config lists 2 diff_ids
                "#]],
            ),
            case(
                layers("another layer"),
                TO_LAYOUT,
                expect![[r#"
                error: cannot read layer 1 of 3 of `app:1`
                  caused by: layer does not match its diff_id: expected sha256:bdbd15132ae3b3471acee5614c1cc26a578107c5a7585609a785bd5475bedda0, got sha256:0414c189c82553ffdb5f8afeefeae2139f68d12d167763d16506b198974f0906
            "#]],
            ),
            case(
                layers("another layer"),
                TO_ARCHIVE,
                expect![[r#"
                error: cannot read layer 1 of 3 of `app:1`
                  caused by: layer does not match its diff_id: expected sha256:bdbd15132ae3b3471acee5614c1cc26a578107c5a7585609a785bd5475bedda0, got sha256:0414c189c82553ffdb5f8afeefeae2139f68d12d167763d16506b198974f0906
            "#]],
            ),
            case(
                make::tar(&twice),
                TO_ARCHIVE,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: it has two different members named `manifest.json`
                "#]],
            ),
            case(
                make::tar(&looping()),
                TO_ARCHIVE,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: member `29f560e1447f32d2bb0d8933c871f3544904c0c0e1d813ad1fd1d688e8e7ebf1/layer.tar` is a dangling link
                "#]],
            ),
        ],
    );
}

/// An archive as `tar --sparse` packs it, if its layer has holes. Docker and skopeo load it.
fn sparse() -> Vec<u8> {
    let members = make::docker(&[app()]);
    let is_layer = |member: &&Member| member.name().ends_with("layer.tar");
    let mut tar = Vec::new();
    for member in members.iter().filter(is_layer) {
        let mut header = layer::header(member.name().as_bytes(), b'S', layer::Dialect::Gnu);
        layer::set(&mut header[124..136], 512);
        layer::set(&mut header[386..398], 0);
        layer::set(&mut header[398..410], 512);
        layer::set(&mut header[483..495], 2048);
        layer::member(&mut tar, header, &[0; 512]);
    }
    let others: Vec<Member> = members.iter().filter(|it| !is_layer(it)).cloned().collect();
    tar.extend(make::tar(&others));
    tar
}

#[test]
fn a_sparse_member_is_not_missing() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", sparse());
    let members = make::docker(&[app()]);
    let mut names = members.iter().map(Member::name);
    let name = names.find(|name| name.ends_with("/layer.tar"));
    let id = name.and_then(|name| name.strip_suffix("/layer.tar"));
    let id = id.expect("there is a layer");
    let said = format!(
        "error: cannot read `in.tar`\n  caused by: member `{id}/layer.tar` is a sparse file, \
         which restow does not read\n  hint: unpack it with `tar -x` and pack it again with \
         `tar -c`, without `--sparse`\n"
    );
    for command in [
        ["convert", "in.tar", "out"].as_slice(),
        &["convert", "in.tar", "oci:out"],
        &["images", "in.tar"],
        &["verify", "in.tar"],
    ] {
        assert_eq!(sandbox.run(command).refuses(), said, "{command:?}");
    }
    assert!(!sandbox.path("out").exists());
}

/// An archive whose layers are links to themselves.
fn looping() -> Vec<Member> {
    let mut looping = make::docker(&[app()]);
    for member in &mut looping {
        if let Member::File(name, _) = member
            && name.ends_with("layer.tar")
        {
            *member = Member::Symlink(name.clone(), "layer.tar".to_owned());
        }
    }
    looping
}

const NO_PARENT: &str = "";

#[test]
fn v1_archives_that_are_not_whole() {
    let (one, two) = ("1".repeat(64), "2".repeat(64));
    let image =
        |id: &str, parent: &str| (json!({"id": id, "parent": parent}), make::layer("file a 1"));
    let circle = [image(&one, &two), image(&two, &one)];
    let orphan = [image(&one, &two)];
    let mut tagless = make::v1(&[image(&one, NO_PARENT)], &[]);
    tagless.pop();
    let cut = make::tar(&tagless);
    let cut = cut[..cut.len() - 1024].to_vec();
    check(
        1,
        vec![
            case(
                make::tar(&make::v1(&circle, &[("a:1", one.clone())])),
                TO_ARCHIVE,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: image 1111111111111111111111111111111111111111111111111111111111111111 is its own ancestor
                "#]],
            ),
            case(
                make::tar(&make::v1(&orphan, &[("a:1", one.clone())])),
                TO_ARCHIVE,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: `1111111111111111111111111111111111111111111111111111111111111111/json` names `2222222222222222222222222222222222222222222222222222222222222222/json`, which is missing
                "#]],
            ),
            case(
                make::tar(&make::v1(&orphan, &[("a:1", "x".to_owned())])),
                TO_ARCHIVE,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: `repositories` names `x/json`, which is missing
                "#]],
            ),
            case(
                cut,
                TO_ARCHIVE,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: the tar has no end-of-archive block at byte 5120; it may be truncated
                "#]],
            ),
        ],
    );
}

#[test]
fn layouts_that_are_not_whole() {
    let version = |text: &'static str| {
        let mut members = layout_members();
        members.retain(|member| member.name() != "oci-layout");
        members.push(Member::file("oci-layout", text));
        make::tar(&members)
    };
    check(
        1,
        vec![
            case(
                version(r#"{"imageLayoutVersion":"2.0.0"}"#),
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: its layout version is `2.0.0`; only `1.0.0` is supported
                "#]],
            ),
            case(
                version("{}"),
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: its layout version is `none`; only `1.0.0` is supported
                "#]],
            ),
            case(
                make::tar(&[Member::file("oci-layout", "{}")]),
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: its layout version is `none`; only `1.0.0` is supported
                "#]],
            ),
            case(
                layout(|_| ()),
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: it contains no image
                "#]],
            ),
            case(
                descriptor(|it| it["mediaType"] = "appdication/x".into()),
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: cannot parse blob sha256:79a0c8675b53c951e573a6527c0e55ad0e463f49747f259b497b51857c887854
                      caused by: it is a manifest, but its descriptor says `appdication/x`
                "#]],
            ),
            case(
                blob(is_manifest, None),
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: `index.json` names `blobs/sha256/79a0c8675b53c951e573a6527c0e55ad0e463f49747f259b497b51857c887854`, which is missing
                "#]],
            ),
            case(
                blob(is_config, None),
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: the manifest of `app:1` names `blobs/sha256/8a281ca82878ff8e3c666bb78025e0ec957d154570644e48ad176db68f5b4840`, which is missing
                "#]],
            ),
            case(
                blob(|bytes| bytes.contains(&b'2') && bytes[0] == b'b', None),
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read layer 2 of 3 of `app:1`
                      caused by: its blob is not in the input
                "#]],
            ),
            case(
                blob(is_manifest, Some("short")),
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: cannot read blob sha256:79a0c8675b53c951e573a6527c0e55ad0e463f49747f259b497b51857c887854
                      caused by: blob has the wrong size: expected 697 bytes, got 5
                "#]],
            ),
            case(
                descriptor(|it| it["size"] = (-1).into()),
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: cannot parse `index.json`
                      caused by: `manifests[0].size` is not a number of bytes
                "#]],
            ),
            case(
                descriptor(|it| it["digest"] = "sha256:../../x".into()),
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: cannot parse `index.json`
                      caused by: `manifests[0].digest` is not a digest
                      caused by: `sha256:../../x` is not a digest: expected `sha256:` and 64 lower-case hexadecimal digits
                "#]],
            ),
            case(
                descriptor(|it| it["digest"] = "blake3:00".into()),
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: cannot parse `index.json`
                      caused by: `manifests[0].digest` is not a digest
                      caused by: `blake3:00` uses a hash function other than sha256 and sha512
                "#]],
            ),
            case(
                document(
                    "application/vnd.docker.distribution.manifest.v1+prettyjws",
                    "{}",
                ),
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: `sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a` is a Docker schema 1 image, which has no diff_ids
                "#]],
            ),
            case(
                document(make::MANIFEST, r#"{"config":{},"manifests":[]}"#),
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: cannot parse blob sha256:eb9e05990914761c01bd690b7b4fe7033859f87a06f773ad0f8509dda068f672
                      caused by: it has both `config` and `manifests`, so it is ambiguous
                "#]],
            ),
            case(
                document(make::INDEX, r#"{"layers":[],"manifests":[]}"#),
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: cannot parse blob sha256:f3345366d3fadf35be2a5f8eafac3ffb50a2b02a0d16bafe461ec81a08c95320
                      caused by: it has both `manifests` and `layers`, so it is ambiguous
                "#]],
            ),
            case(
                document(make::INDEX, r#"{"mediaType":"text/plain","manifests":[]}"#),
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: cannot parse blob sha256:cde667ab66edac5ef24611debfa47580b4bfddc2f74345257d3ab926a5c38c43
                      caused by: its `mediaType` is `text/plain`, but its descriptor says `application/vnd.oci.image.index.v1+json`
                "#]],
            ),
            case(
                layout(nested_nine_times),
                TO_LAYOUT,
                expect![[r#"
                    error: cannot read `in.tar`
                      caused by: its indexes are nested too deeply, or list more than 10000 documents in total
                "#]],
            ),
        ],
    );
}

fn layout_members() -> Vec<Member> {
    let mut layout = Layout::default();
    layout.add(&app());
    layout.members()
}

fn nested_nine_times(layout: &mut Layout) {
    let mut descriptor = layout.image(&app());
    for _ in 0..9 {
        descriptor = layout.nested(&[descriptor]);
    }
    layout.index.push(descriptor);
}

#[test]
fn bytes_that_are_not_what_they_are_called() {
    let mut flipped = make::docker(&[app()]);
    for member in &mut flipped {
        if let Member::File(name, bytes) = member
            && name.ends_with("layer.tar")
            && bytes[0] == b'b'
        {
            bytes[512] ^= 1;
        }
    }
    let mut stored = layout_members();
    for member in &mut stored {
        if let Member::File(_, bytes) = member
            && bytes[0] == b'b'
        {
            bytes[512] ^= 1;
        }
    }
    let mut damaged = make::crane(&[app()]);
    for member in &mut damaged {
        if let Member::File(name, bytes) = member
            && name.len() > 64
            && name.contains(".tar.gz")
        {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
    }
    let damaged = make::tar(&damaged);
    check(
        1,
        vec![
            case(
                make::tar(&flipped),
                TO_LAYOUT,
                expect![[r#"
                error: cannot read layer 2 of 3 of `app:1`
                  caused by: layer does not match its diff_id: expected sha256:32a2d1d088b32648d4e89c5c1696217ff08a0cff9e8cd1f1a2e24bb3a35c2347, got sha256:aacb50cea0458cd6ad8e9ad6a038b07b3272cb8b2341567ab5c9e0c64332e373
            "#]],
            ),
            case(
                make::tar(&flipped),
                TO_ARCHIVE,
                expect![[r#"
                error: cannot read layer 2 of 3 of `app:1`
                  caused by: layer does not match its diff_id: expected sha256:32a2d1d088b32648d4e89c5c1696217ff08a0cff9e8cd1f1a2e24bb3a35c2347, got sha256:aacb50cea0458cd6ad8e9ad6a038b07b3272cb8b2341567ab5c9e0c64332e373
            "#]],
            ),
            case(
                make::tar(&stored),
                TO_LAYOUT,
                expect![[r#"
                error: cannot read layer 2 of 3 of `app:1`
                  caused by: blob does not match its digest: expected sha256:32a2d1d088b32648d4e89c5c1696217ff08a0cff9e8cd1f1a2e24bb3a35c2347, got sha256:aacb50cea0458cd6ad8e9ad6a038b07b3272cb8b2341567ab5c9e0c64332e373
            "#]],
            ),
            case(
                damaged.clone(),
                TO_LAYOUT,
                expect![[r#"
                error: cannot read layer 1 of 3 of `app:1`
                  caused by: its gzip stream is damaged
                  caused by: corrupt gzip stream does not have a matching checksum
            "#]],
            ),
            case(
                damaged,
                &["--compress", "zstd", "in.tar", "out.tar"],
                expect![[r#"
                    error: cannot read layer 1 of 3 of `app:1`
                      caused by: its gzip stream is damaged
                      caused by: corrupt gzip stream does not have a matching checksum
                "#]],
            ),
        ],
    );
}

/// A hybrid archive, as Docker 25 and later write it, with a bit of its config
/// flipped.
fn flipped_config() -> Vec<u8> {
    let mut members = make::hybrid(&[app()]);
    for member in &mut members {
        if let Member::File(_, bytes) = member
            && is_config(bytes)
        {
            let at = bytes.windows(5).position(|word| word == b"amd64");
            bytes[at.expect("it says so")] ^= 1;
        }
    }
    make::tar(&members)
}

#[test]
fn a_config_must_be_what_its_name_says() {
    let id = app().id();
    let output = {
        let sandbox = Sandbox::new();
        sandbox.write("in.tar", flipped_config());
        sandbox.run(&["convert", "in.tar", "oci:out"])
    };
    let said = output.refuses();
    let expected = format!(
        "error: cannot read `in.tar`\n  caused by: cannot read `blobs/{}`\n  \
         caused by: blob does not match its digest: expected {id}, got ",
        id.replace(':', "/")
    );
    assert!(said.starts_with(&expected), "{said}");
}
