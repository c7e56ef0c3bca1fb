//! Choices that cannot be had, wrong usage, and warnings.

use expect_test::expect;
use serde_json::json;

use super::{TO_ARCHIVE, TO_LAYOUT, app, case, check, layout};
use crate::support::make::{self, Image, Layout, Member};
use crate::support::sandbox::Sandbox;

#[test]
fn choices_that_cannot_be_had() {
    let two = make::tar(&make::docker(&[
        app(),
        Image::new(&["tool:2", "tool:3"], &["file t 1"]),
    ]));
    let platforms = layout(|layout| {
        let mut arm = layout.image(&app().with_config(|it| it["architecture"] = "arm64".into()));
        arm["platform"] = json!({"os": "linux", "architecture": "arm64"});
        let mut s390x = layout.image(&app().with_config(|it| it["architecture"] = "s390x".into()));
        s390x["platform"] = json!({"os": "linux", "architecture": "s390x"});
        let index = layout.nested(&[arm, s390x]);
        layout.add_named(&index, "app:1");
    });
    check(
        1,
        vec![
            case(
                two.clone(),
                &["--image", "none:1", "in.tar", "oci:out"],
                expect![[r#"
                    error: no image `none:1` in `in.tar`
                      hint: available: `app:1` (8a281ca82878), `tool:2` (6b3d4903f921), `tool:3` (6b3d4903f921)
                "#]],
            ),
            case(
                two.clone(),
                &["--image", "#3", "in.tar", "oci:out"],
                expect![[r#"
                    error: no image `#3` in `in.tar`
                      hint: available: `app:1` (8a281ca82878), `tool:2` (6b3d4903f921), `tool:3` (6b3d4903f921)
                "#]],
            ),
            case(
                two.clone(),
                &["docker-archive:in.tar:@7", "oci:out"],
                expect![[r#"
                    error: no image `#8` in `in.tar`
                      hint: available: `app:1` (8a281ca82878), `tool:2` (6b3d4903f921), `tool:3` (6b3d4903f921)
                "#]],
            ),
            case(
                two.clone(),
                &["--tag", "new:1", "in.tar", "oci:out"],
                expect![[r#"
                    error: cannot give 2 images the same name
                      hint: choose one image with `--image REF`
                "#]],
            ),
            case(
                two.clone(),
                &["in.tar", "docker-archive:there.tar"],
                expect![[r#"
                    error: `there.tar` already exists
                      hint: use `--force` to overwrite it
                "#]],
            ),
            case(
                two.clone(),
                &["in.tar", "oci:full"],
                expect![[r#"
                    error: `full` is neither an OCI layout nor empty
                      hint: choose an empty folder, or one that does not exist yet
                "#]],
            ),
            case(
                two.clone(),
                &["in.tar", "oci:there.tar"],
                expect![[r#"
                    error: cannot write `there.tar`
                      caused by: not a directory
                      hint: it is a file: choose a folder, or a path where nothing is yet
                "#]],
            ),
            case(
                two.clone(),
                &["in.tar", "docker-archive:full"],
                expect![[r#"
                error: cannot write `full`
                  caused by: is a directory
            "#]],
            ),
            case(
                two.clone(),
                &["in.tar", "missing/out.tar"],
                expect![[r#"
                    error: cannot write `missing/out.tar`
                      caused by: No such file or directory
                      hint: create the folder first: `mkdir -p missing`
                "#]],
            ),
            case(
                two.clone(),
                &["in.tar", "oci:missing/out"],
                expect![[r#"
                    error: cannot write `missing/out`
                      caused by: No such file or directory
                      hint: create the folder first: `mkdir -p missing`
                "#]],
            ),
            case(
                two.clone(),
                &["in.tar", "docker-archive:/dev/full"],
                expect![[r#"
                    error: cannot write `/dev/full`
                      caused by: No space left on device
                "#]],
            ),
            case(
                two,
                &["--platform", "linux/arm64", "in.tar", "oci:out"],
                expect![[r#"
                    error: `app:1` has no image for linux/arm64
                      hint: choose one with `--platform PLATFORM`: `linux/amd64`
                "#]],
            ),
            case(
                platforms.clone(),
                &["--platform", "linux/riscv64", "in.tar", "oci:out"],
                expect![[r#"
                    error: `app:1` has no image for linux/riscv64
                      hint: choose one with `--platform PLATFORM`: `linux/arm64`, `linux/s390x`
                "#]],
            ),
        ],
    );
    if cfg!(target_arch = "x86_64") {
        check(
            0,
            vec![case(
                platforms,
                TO_ARCHIVE,
                expect![[r#"
            warning: `app:1` has no image for linux/amd64; `manifest.json` names the one for linux/arm64
        "#]],
            )],
        );
    }
}

#[test]
fn a_tag_that_two_images_have_chooses_none() {
    check(
        1,
        vec![case(
            layout(|layout| {
                layout.add(&app());
                let tool = Image::new(&["tool:1"], &["file t 1"]);
                layout.add(&tool);
            }),
            &["--image", "1", "in.tar", "oci:out"],
            expect![[r#"
                error: `1` matches 2 images in `in.tar`
                  hint: choose one with `--image REF`: `app:1` (79a0c8675b53), `tool:1` (ee1e2ea20d97)
            "#]],
        )],
    );
}

#[test]
fn wrong_usage_ends_with_2() {
    check(
        2,
        vec![
            case(
                "",
                &["in.tar"],
                expect![[r#"
                    error: missing argument: DST
                      hint: DST is a file, `oci:DIR` for a layout, or `-` for stdout, as in `docker save NAME | restow convert - FILE`
                      usage: restow convert <SRC>... <DST>
                "#]],
            ),
            case(
                "",
                &["--compress", "gzip:13", "in.tar", "out"],
                expect![[r#"
                    error: invalid value `gzip:13` for `--compress`: the level of gzip must be from 1 to 12
                "#]],
            ),
            case(
                "",
                &["--compress", "lz4", "in.tar", "out"],
                expect![[r#"
                    error: invalid value `lz4` for `--compress`: expected keep, none, gzip, gzip:LEVEL, zstd or zstd:LEVEL
                "#]],
            ),
            case(
                "",
                &["--tag", "App", "in.tar", "out"],
                expect![[r#"
                    error: invalid value `App` for `--tag`: `App` is not a valid reference: expected NAME[:TAG] with NAME in lower case
                "#]],
            ),
            case(
                "",
                &["--image", "#0", "in.tar", "out"],
                expect![[r#"
                    error: invalid value `#0` for `--image`: `#0` does not name an image: expected a reference, a digest, an image id or `#N`
                "#]],
            ),
            case(
                "",
                &["--jobs", "0", "in.tar", "out"],
                expect![[r#"
                    error: invalid value `0` for `--jobs`: must be a number, at least 1
                "#]],
            ),
            case(
                "",
                &["--to", "oci", "in.tar", "docker-archive:out"],
                expect![[r#"
                    error: DST is `docker-archive:`, but `--to` is `oci`
                "#]],
            ),
            case(
                "",
                &["in.tar", "rootfs:out"],
                expect![[r#"
                    error: `rootfs:` cannot be a destination here
                      hint: use `docker-archive:`, `oci:` or `oci-archive:`; `restow export` writes root filesystems
                "#]],
            ),
            case(
                "",
                &["in.tar", "oci:-"],
                expect![[r#"
                    error: an OCI layout is a folder and cannot be written to standard output
                      hint: `oci-archive:-` writes a tar of one
                "#]],
            ),
            case(
                "",
                &["--tag", "sha256:abc", "in.tar", "out"],
                expect![[r#"
                    error: `sha256:abc` looks like a digest, which cannot be the name of an image
                "#]],
            ),
            case(
                "",
                &["--format", "oci", "in.tar", "out"],
                expect![[r#"
                    error: unknown option `--format`
                      hint: `--to FORMAT` chooses the output format: `docker-archive`, `oci` or `oci-archive`
                "#]],
            ),
            case(
                "",
                &["--image", "a", "oci:in.tar:b", "out"],
                expect![[r#"
                    error: SRC and `--image` both name an image
                "#]],
            ),
            case(
                "",
                &["in.tar", "docker-archive:out:No Reference"],
                expect![[r#"
                    error: `No Reference` is not a valid reference: expected NAME[:TAG] with NAME in lower case
                "#]],
            ),
            case(
                "",
                &[
                    "--tag",
                    "a@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                    "in.tar",
                    "out",
                ],
                expect![[r#"
                    error: `a@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855` has a digest; an image is named NAME:TAG
                "#]],
            ),
        ],
    );
}

#[test]
fn a_time_for_everything_that_is_none() {
    for epoch in ["now", "1.5", "253402300800", "99999999999999999999"] {
        let sandbox = Sandbox::new();
        let run = sandbox.restow(&["convert", "in.tar", "out"]);
        let output = run.env("SOURCE_DATE_EPOCH", epoch).run();
        let says = format!(
            "error: SOURCE_DATE_EPOCH is `{epoch}`; expected seconds since 1970, in the years 0 to 9999\n"
        );
        assert_eq!((output.code, output.stderr), (Some(2), says));
    }
}

#[test]
fn platforms_that_are_none() {
    check(
        2,
        vec![
            case(
                "",
                &["--platform", "linux/", "in.tar", "out"],
                expect![[r#"
                    error: invalid value `linux/` for `--platform`: `linux/` is not a platform: expected OS/ARCH[/VARIANT], OS or ARCH, such as `linux/arm64`
                "#]],
            ),
            case(
                "",
                &["--platform", "windows(10.0.17763)/amd64", "in.tar", "out"],
                expect![[r#"
                    error: invalid value `windows(10.0.17763)/amd64` for `--platform`: `windows(10.0.17763)/amd64` has a version or features of the operating system, which cannot select an image: expected OS/ARCH[/VARIANT], such as `windows/amd64`
                "#]],
            ),
            case(
                "",
                &["--platform", "amd46", "in.tar", "out"],
                expect![[r#"
                    error: invalid value `amd46` for `--platform`: `amd46` is neither a known operating system nor a known architecture: expected OS/ARCH[/VARIANT], such as `linux/arm64`
                "#]],
            ),
        ],
    );
}

#[test]
fn media_types_are_of_a_family() {
    check(
        2,
        vec![case(
            "",
            &["--media-types", "OCI", "in.tar", "out"],
            expect![[r#"
                error: invalid value `OCI` for `--media-types`: expected keep, oci or docker
            "#]],
        )],
    );
}

#[test]
fn warnings_say_what_is_otherwise() {
    let whole = make::tar(&make::docker(&[app()]));
    let without_end = whole[..whole.len() - 1024].to_vec();
    check(
        0,
        vec![
            case(
                make::tar(&odd_tags()),
                TO_LAYOUT,
                expect![[r#"
                    warning: ignoring extra bytes after the JSON value in `manifest.json`
                    warning: `App` is not a valid NAME:TAG; ignoring it
                "#]],
            ),
            case(
                without_end,
                TO_LAYOUT,
                expect![[r#"
                    warning: the tar has no end-of-archive block; it may be truncated, but all files that its metadata names are present
                "#]],
            ),
            case(attested(), TO_LAYOUT, expect![""]),
            case(attested(), TO_ARCHIVE, expect![""]),
            case(
                same_name(),
                &["--quiet", "in.tar", "docker-archive:out.tar"],
                expect![""],
            ),
            case(
                attested(),
                &["--compress", "gzip", "in.tar", "oci:out"],
                expect![[r#"
                    warning: skipped an attestation of `app:1`: the manifest that it refers to is not in the output
                    warning: skipped an artifact of type `application/vnd.example.signature` of `sha256:54fab850919d9c42d856f064fd08ac33edc94fbc3bff2f17929d76210b060742`: the manifest that it refers to is not in the output
                "#]],
            ),
            case(
                labelled(),
                TO_LAYOUT,
                expect![[r#"
                    warning: layer 1 of 3 of `1.0` is labelled `application/vnd.oci.image.layer.v1.tar+gzip`, but its content is not compressed
                "#]],
            ),
            case(
                labelled(),
                TO_ARCHIVE,
                expect![[r#"
                    warning: layer 1 of 3 of `1.0` is labelled `application/vnd.oci.image.layer.v1.tar+gzip`, but its content is not compressed
                    warning: `1.0` is a tag without a repository; the image is untagged in the docker archive
                      hint: name it with `--tag NAME:1.0`
                "#]],
            ),
            case(
                absent(),
                TO_LAYOUT,
                expect![[r#"
                    warning: `app:1` refers to sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, which is not in the input; copied unchanged
                "#]],
            ),
            case(
                same_name(),
                TO_ARCHIVE,
                expect![[r#"
                warning: `app:1` names two images of the input; the later one keeps it
            "#]],
            ),
            case(tagged_twice(), TO_ARCHIVE, expect![""]),
            case(
                whole.clone(),
                &["--compress", "zstd", "in.tar", "out.tar"],
                expect![[r#"
                    warning: `app:1` has layers compressed with zstd, which Docker before 23 cannot load
                "#]],
            ),
            // As Docker 25.0.0 wrote them: the layers in any order.
            case(
                wrong_oci_part(|layers| layers.swap(0, 1)),
                TO_LAYOUT,
                expect![[r#"
                    warning: the OCI manifest of `app:1` lists different layers than `manifest.json`; using those of `manifest.json`
                "#]],
            ),
            // As its release candidates did: some layers left out.
            case(
                wrong_oci_part(|layers| drop(layers.pop())),
                TO_LAYOUT,
                expect![[r#"
                    warning: the OCI manifest of `app:1` lists different layers than `manifest.json`; using those of `manifest.json`
                "#]],
            ),
        ],
    );
    let sandbox = Sandbox::new();
    sandbox.write("one.tar", whole);
    let other = Image::new(&["app:1"], &["file other 1"]);
    sandbox.write("two.tar", make::tar(&make::docker(&[other])));
    sandbox.run(&["convert", "one.tar", "oci:out"]).silent();
    sandbox
        .run(&["convert", "two.tar", "oci:out"])
        .warns(expect![[r#"
            warning: `app:1` moved from sha256:79a0c8675b53c951e573a6527c0e55ad0e463f49747f259b497b51857c887854, which stays in the layout without this name
        "#]]);
}

/// An archive with tags that are none, and with bytes behind `manifest.json`.
fn odd_tags() -> Vec<Member> {
    let unusable = r#"[{"Config":"CONFIG","RepoTags":["App","app"],"Layers":[LAYERS]}] junk"#;
    let mut odd = make::docker(&[app()]);
    let paths: Vec<String> = odd.iter().map(|member| member.name().to_owned()).collect();
    let config = paths
        .iter()
        .find(|path| path.len() > 64 && !path.contains('/'));
    let layers = paths.iter().filter(|path| path.ends_with("layer.tar"));
    let layers: Vec<String> = layers.map(|path| format!("\"{path}\"")).collect();
    let unusable = unusable
        .replace("CONFIG", config.expect("there is a config"))
        .replace("LAYERS", &layers.join(","));
    for member in &mut odd {
        if let Member::File(name, bytes) = member
            && name == "manifest.json"
        {
            *bytes = unusable.clone().into_bytes();
        }
    }
    odd
}

/// A layout of an image with an attestation, and a signature of both.
fn attested() -> Vec<u8> {
    layout(|layout| {
        let image = layout.image(&app());
        let attestation = layout.attestation(&image);
        let index = layout.nested(&[image.clone(), attestation]);
        layout.add_named(&index, "app:1");
        let referrer = layout.referrer(&index);
        layout.index.push(referrer);
    })
}

/// A layout whose lowest layer is labelled wrong, under a bare tag.
fn labelled() -> Vec<u8> {
    layout(|layout| {
        layout.add(&app());
        let manifest = layout.index[0]["digest"]
            .as_str()
            .expect("a digest")
            .to_owned();
        let text = String::from_utf8(layout.blobs.remove(&manifest).expect("it is there"));
        let text = text
            .expect("it is JSON")
            .replacen("v1.tar\"", "v1.tar+gzip\"", 1);
        layout.index.clear();
        let descriptor = layout.put(make::MANIFEST, text);
        layout.add_named(&descriptor, "1.0");
    })
}

/// A layout with an index that lists more than there is.
fn absent() -> Vec<u8> {
    layout(|layout| {
        let image = layout.image(&app());
        let other = json!({
            "mediaType": make::MANIFEST, "size": 7,
            "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        });
        let index = layout.nested(&[image, other]);
        layout.add_named(&index, "app:1");
    })
}

/// A layout with two images of one name.
fn same_name() -> Vec<u8> {
    layout(|layout| {
        layout.add(&app());
        layout.add(&Image::new(&["app:1"], &["file other 1"]));
    })
}

/// A docker archive that lists a tag of its image twice.
fn tagged_twice() -> Vec<u8> {
    let image = Image::new(&["app:1", "app:1"], &["file a 1"]);
    make::tar(&make::docker(&[image]))
}

/// A hybrid whose OCI manifest has other layers than `manifest.json`.
fn wrong_oci_part(change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<u8> {
    let image = app();
    let mut wrong = image.clone();
    change(&mut wrong.layers);
    let mut layout = Layout::default();
    layout.add(&image);
    layout.index.clear();
    layout.add(&wrong);
    let mut members = layout.members();
    let docker = make::hybrid(&[image]).into_iter();
    members.extend(docker.filter(|member| member.name() == "manifest.json"));
    make::tar(&members)
}

#[test]
fn a_damaged_blob_of_the_output_is_replaced() {
    let sandbox = Sandbox::new();
    let image = app();
    sandbox.write(
        "in.tar",
        make::tar(&make::docker(std::slice::from_ref(&image))),
    );
    sandbox.run(&["convert", "in.tar", "oci:out"]).silent();
    let path = format!("out/blobs/{}", image.diff_ids[1].replace(':', "/"));
    let mut bytes = sandbox.read(&path);
    bytes[600] ^= 1;
    sandbox.write(&path, bytes);
    let warning = format!(
        "warning: {} was damaged in the output; replaced\n",
        image.diff_ids[1]
    );
    sandbox
        .run(&["convert", "in.tar", "oci:out"])
        .warns(&warning);
    assert_eq!(sandbox.read(&path), image.layers[1]);
}
