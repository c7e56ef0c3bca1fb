//! `restow convert` from every format to every format, and its options.

use expect_test::expect;
use serde_json::Value;

use crate::support::codec::Codec;
use crate::support::image::{Facts, Store, facts};
use crate::support::judge::{FIXTURES, Format, assert_kept};
use crate::support::{Sandbox, fixture, make, own, reference, testdata};

/// The way that an input comes: its name, its wrapping, and whether through a pipe.
const WAYS: [(&str, Codec, bool); 7] = [
    ("file", Codec::Plain, false),
    ("pipe", Codec::Plain, true),
    ("file.gz", Codec::Gzip, false),
    ("pipe.gz", Codec::Gzip, true),
    ("file.zst", Codec::Zstd, false),
    ("file.xz", Codec::Xz, false),
    ("file.bz2", Codec::Bzip2, false),
];

/// Converts every fixture, in every way that it can come.
///
/// What is made from the plain file is compared with the file by an
/// independent reader. What is made in the other ways must be the same bytes.
#[track_caller]
fn convert_every_fixture(to: Format) {
    for (name, from) in FIXTURES {
        let sandbox = Sandbox::new();
        let bytes = fixture(name);
        for (way, codec, is_piped) in WAYS {
            let input = codec.compress(&bytes);
            // Without a suffix that says how it is compressed.
            let out = format!("out-{}", way.replace('.', "-"));
            let target = to.at(&out);
            let output = if is_piped {
                let run = sandbox.restow(&["convert", &from.at("-"), &target]);
                run.stdin_pipe(input).run()
            } else {
                sandbox.write(way, &input);
                sandbox.run(&["convert", &from.at(way), &target])
            };
            drop(output.warnings());
            if way == "file" {
                assert_kept(&Store::from_tar(&bytes), from, &sandbox.path(&out), to);
            }
        }
        let tree = sandbox.tree();
        let outputs = |way: &str| -> Vec<_> {
            let prefix = format!("out-{}", way.replace('.', "-"));
            let is_part = |path: &str| path == prefix || path.starts_with(&format!("{prefix}/"));
            let parts = tree.iter().filter(|(path, _)| is_part(path));
            parts
                .map(|(path, what)| (&path[prefix.len()..], what))
                .collect()
        };
        for (way, ..) in WAYS {
            assert_eq!(
                outputs(way),
                outputs("file"),
                "{name} by {way} as {}",
                to.at("")
            );
        }
    }
}

#[test]
fn every_fixture_becomes_a_layout() {
    convert_every_fixture(Format::Oci);
}

#[test]
fn every_fixture_becomes_an_archive_of_a_layout() {
    convert_every_fixture(Format::OciArchive);
}

#[test]
fn every_fixture_becomes_a_docker_archive() {
    convert_every_fixture(Format::Docker);
}

/// Two images with a layer in common, and three tags.
fn pair() -> [make::Image; 2] {
    let base = "dir etc\nfile etc/hosts 127.0.0.1 localhost\nlink etc/copy etc/hosts";
    [
        make::Image::new(&["app:1", "app:latest"], &[base, "file app 1"]),
        make::Image::new(
            &["localhost/tool:2"],
            &[base, "file tool 2", "file tool.conf x"],
        ),
    ]
}

/// A sandbox with the two images in `pair.tar` (docker-archive) and `pair.oci.tar` (layout).
fn with_pair() -> (Sandbox, [make::Image; 2]) {
    let (sandbox, pair) = (Sandbox::new(), pair());
    sandbox.write("pair.tar", make::tar(&make::docker(&pair)));
    let mut layout = make::Layout::default();
    for image in &pair {
        layout.add(image);
    }
    sandbox.write("pair.oci.tar", make::tar(&layout.members()));
    (sandbox, pair)
}

/// The facts of what a docker-archive of the sandbox holds.
#[track_caller]
fn archive_facts(sandbox: &Sandbox, name: &str) -> Vec<Facts> {
    facts(&own::archive(&sandbox.path(name)))
}

/// The facts of what a layout of the sandbox holds.
#[track_caller]
fn layout_facts(sandbox: &Sandbox, name: &str) -> Vec<Facts> {
    facts(&own::layout(&sandbox.path(name)).host_images())
}

#[test]
fn a_bare_path_says_what_it_is_by_content_and_what_it_becomes_by_place() {
    let (sandbox, pair) = with_pair();
    let expected: Vec<_> = pair.iter().map(make::Image::facts).collect();
    for (number, source) in ["pair.tar", "pair.oci.tar"].into_iter().enumerate() {
        let name = |end: &str| format!("{number}-{end}");

        let archive = name("archive");
        sandbox.run(&["convert", source, &archive]).silent();
        assert_eq!(archive_facts(&sandbox, &archive), expected);

        let layout = name("layout/");
        sandbox.run(&["convert", source, &layout]).silent();
        assert_eq!(layout_facts(&sandbox, &layout), expected);

        let existing = name("existing");
        std::fs::create_dir(sandbox.path(&existing)).expect("a directory can be made");
        sandbox.run(&["convert", source, &existing]).silent();
        assert_eq!(layout_facts(&sandbox, &existing), expected);

        for format in ["oci", "oci-archive"] {
            let named = name(format);
            sandbox
                .run(&["convert", "--to", format, source, &named])
                .silent();
            assert_eq!(layout_facts(&sandbox, &named), expected);
        }

        let input = sandbox.read(source);
        let run = sandbox.restow(&["convert", "-", "-"]);
        let bytes = run.stdin_pipe(input.clone()).run().data("");
        assert_eq!(bytes, sandbox.read(&archive), "{source} through both pipes");
        let run = sandbox.restow(&["convert", "--to", "oci-archive", "-", "-"]);
        let bytes = run.stdin_pipe(input).run().data("");
        assert_eq!(
            bytes,
            sandbox.read(&name("oci-archive")),
            "{source} through both pipes"
        );
    }
    // A name means nothing: this is a docker-archive.
    sandbox.write("index.json", sandbox.read("pair.tar"));
    sandbox
        .run(&["convert", "index.json", "from-odd-name"])
        .silent();
    assert_eq!(archive_facts(&sandbox, "from-odd-name"), expected);
    // A layout directory is one too, and so is a tar on standard input that is a file.
    sandbox
        .run(&["convert", "0-layout", "from-layout"])
        .silent();
    assert_eq!(archive_facts(&sandbox, "from-layout"), expected);
    let run = sandbox.restow(&["convert", "-", "from-stdin-file"]);
    run.stdin_file(&sandbox.path("pair.tar")).run().silent();
    assert_eq!(sandbox.read("from-stdin-file"), sandbox.read("0-archive"));
}

#[test]
fn a_layout_with_manifest_json_is_a_docker_archive_unless_it_is_called_a_layout() {
    for name in [
        "docker29-containerd__multiplatform-provenance.tar",
        "docker29-graphdriver__names.tar",
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("in.tar", fixture(name));
        for to in Format::ALL {
            let [bare, named] = ["bare", "named"].map(|it| format!("{it}-{to:?}"));
            drop(
                sandbox
                    .run(&["convert", "in.tar", &to.at(&bare)])
                    .warnings(),
            );
            drop(
                sandbox
                    .run(&["convert", "docker-archive:in.tar", &to.at(&named)])
                    .warnings(),
            );
            assert_eq!(
                Store::open(&sandbox.path(&bare)),
                Store::open(&sandbox.path(&named))
            );
            assert_kept(
                &Store::open(&sandbox.path("in.tar")),
                Format::Docker,
                &sandbox.path(&bare),
                to,
            );
        }
    }
}

#[test]
fn quiet_says_nothing_and_progress_json_says_it_in_objects() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", fixture("buildkit__edge.docker-zstd.tar"));
    let warning = expect![[r#"
        warning: `edge:dk` has layers compressed with zstd, which Docker before 23 cannot load
    "#]];
    sandbox.run(&["convert", "in.tar", "1.tar"]).warns(&warning);
    sandbox
        .run(&["convert", "--progress", "none", "in.tar", "3.tar"])
        .warns(&warning);
    sandbox
        .run(&["convert", "--quiet", "in.tar", "4.tar"])
        .silent();
    let output = sandbox.run(&["convert", "--progress", "json", "in.tar", "5.tar"]);
    let events: Vec<Value> = output
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("`{line}`: {error}")))
        .collect();
    assert!(events.iter().all(Value::is_object), "{events:?}");
    assert_eq!((output.code, output.stdout), (Some(0), Vec::new()));
}

#[test]
fn image_takes_one_by_reference_id_digest_prefix_or_number() {
    let (sandbox, [app, tool]) = with_pair();
    let digest_of = |image: &make::Image| {
        let mut layout = make::Layout::default();
        layout.image(image)["digest"]
            .as_str()
            .expect("a digest")
            .to_owned()
    };
    let (id, digest) = (app.id(), digest_of(&app));
    let mut cases = vec![
        ("pair.tar", "app:1", &app),
        ("pair.tar", "docker.io/library/app:latest", &app),
        ("pair.tar", "app", &app),
        ("pair.tar", id.as_str(), &app),
        ("pair.tar", &id["sha256:".len()..], &app),
        ("pair.tar", &id["sha256:".len()..][..12], &app),
        ("pair.tar", "#1", &app),
        ("pair.tar", "#2", &tool),
        ("pair.tar", "localhost/tool:2", &tool),
    ];
    cases.extend([
        ("pair.oci.tar", "app:1", &app),
        ("pair.oci.tar", id.as_str(), &app),
        ("pair.oci.tar", digest.as_str(), &app),
        ("pair.oci.tar", &digest["sha256:".len()..][..12], &app),
        ("pair.oci.tar", "localhost/tool:2", &tool),
    ]);
    for (number, (source, choice, expected)) in cases.into_iter().enumerate() {
        let out = format!("{number}.tar");
        sandbox
            .run(&["convert", "--image", choice, source, &out])
            .silent();
        let (mut tags, config, diff_ids) = expected.facts();
        if tags.len() > 1 && choice.contains("app") {
            // A reference takes the image with that name, not with its other names.
            tags = vec![reference::full(if choice == "app" {
                "app:latest"
            } else {
                choice
            })];
        }
        let got = archive_facts(&sandbox, &out);
        assert_eq!(
            got,
            [(tags, config, diff_ids)],
            "{source} with --image {choice}"
        );
    }
    for choice in ["app:2", "tool:2", "#3", "ffffffffffff"] {
        drop(
            sandbox
                .run(&["convert", "--image", choice, "pair.tar", "none.tar"])
                .refuses(),
        );
    }
    for choice in ["#0", ""] {
        let output = sandbox.run(&["convert", "--image", choice, "pair.tar", "none.tar"]);
        assert_eq!(output.code, Some(2), "{output:?}");
    }
}

#[test]
fn a_reference_after_the_source_takes_that_image() {
    let (sandbox, [_, tool]) = with_pair();
    for (number, source) in [
        "docker-archive:pair.tar:localhost/tool:2",
        "oci-archive:pair.oci.tar:localhost/tool:2",
    ]
    .into_iter()
    .enumerate()
    {
        let out = format!("{number}.tar");
        sandbox.run(&["convert", source, &out]).silent();
        assert_eq!(archive_facts(&sandbox, &out), [tool.facts()]);
    }
}

#[test]
fn tag_replaces_all_tags() {
    let (sandbox, [_, tool]) = with_pair();
    let tags = ["--tag", "new", "--tag", "example.org:5000/ns/new:3"];
    let expected = ["docker.io/library/new:latest", "example.org:5000/ns/new:3"];
    for (number, source) in ["docker-archive:pair.tar", "oci-archive:pair.oci.tar"]
        .iter()
        .enumerate()
    {
        let source = format!("{source}:localhost/tool:2");
        for to in Format::ALL {
            let out = format!("{number}-{to:?}");
            let target = to.at(&out);
            let mut arguments = vec!["convert", &source, &target];
            arguments.extend(tags);
            sandbox.run(&arguments).silent();
            let got = facts(&to.images(&sandbox.path(&out)));
            let (_, config, diff_ids) = tool.facts();
            assert_eq!(
                got,
                [(expected.map(str::to_owned).to_vec(), config, diff_ids)]
            );
        }
    }
    // One tag cannot name two images.
    drop(
        sandbox
            .run(&["convert", "--tag", "new:1", "pair.tar", "out.tar"])
            .refuses(),
    );
}

#[test]
fn a_reference_after_the_target_names_the_image() {
    let (sandbox, [_, tool]) = with_pair();
    let name = "org.opencontainers.image.ref.name";
    let source = "docker-archive:pair.tar:localhost/tool:2";
    // A layout takes any name, to the letter.
    for (out, reference) in [("1", "v1.0"), ("2", "app:3"), ("3", "example.org/x:4")] {
        for target in [
            format!("oci:dir{out}:{reference}"),
            format!("oci-archive:tar{out}:{reference}"),
        ] {
            sandbox.run(&["convert", source, &target]).silent();
        }
        for out in [format!("dir{out}"), format!("tar{out}")] {
            let layout = own::layout(&sandbox.path(&out));
            let names: Vec<_> = layout
                .found
                .iter()
                .map(|it| it.annotations[name].clone())
                .collect();
            assert_eq!(names, [reference]);
            assert_eq!(layout.found[0].image.id(), tool.id());
        }
    }
    sandbox
        .run(&["convert", source, "docker-archive:out.tar:new"])
        .silent();
    let images = own::archive(&sandbox.path("out.tar"));
    assert_eq!(images[0].tags, ["docker.io/library/new:latest"]);
    assert_eq!(images[0].id(), tool.id());
}

#[test]
fn platform_takes_one_of_an_index() {
    let sandbox = Sandbox::new();
    let source = Format::OciArchive.at(testdata("buildkit__multi.oci.tar"));
    let layout = Store::open(&testdata("buildkit__multi.oci.tar")).layout();
    for (number, (choice, platform)) in [
        ("linux/amd64", "linux/amd64"),
        ("linux/arm64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm", "linux/arm"),
        ("linux/arm/v7", "linux/arm"),
    ]
    .into_iter()
    .enumerate()
    {
        let expected = facts(&layout.images(platform));
        assert_eq!(expected.len(), 1);
        for to in Format::ALL {
            let out = format!("{number}-{to:?}");
            let output = sandbox.run(&["convert", "--platform", choice, &source, &to.at(&out)]);
            drop(output.warnings());
            let got = match to {
                Format::Docker => own::archive(&sandbox.path(&out)),
                _ => own::layout(&sandbox.path(&out)).images(platform),
            };
            assert_eq!(facts(&got), expected, "{choice} as {to:?}");
        }
    }
    for choice in [
        "linux/s390x",
        "linux/arm/v5",
        "windows/amd64",
        "unknown/unknown",
    ] {
        drop(
            sandbox
                .run(&["convert", "--platform", choice, &source, "out.tar"])
                .refuses(),
        );
    }
}

#[test]
fn an_existing_file_is_replaced_only_when_forced() {
    let (sandbox, pair) = with_pair();
    for to in ["docker-archive:out", "oci-archive:out", "out"] {
        sandbox.write("out", "precious");
        let refusal = expect![[r#"
            error: `out` already exists
              hint: use `--force` to overwrite it
        "#]];
        sandbox.run(&["convert", "pair.tar", to]).fails(refusal);
        sandbox
            .run(&["convert", "--force", "pair.tar", to])
            .silent();
        let facts = match to {
            "oci-archive:out" => layout_facts(&sandbox, "out"),
            _ => archive_facts(&sandbox, "out"),
        };
        assert_eq!(facts, pair.each_ref().map(make::Image::facts));
    }
}

#[test]
fn a_layout_that_exists_is_added_to() {
    let (sandbox, [app, tool]) = with_pair();
    sandbox
        .run(&["convert", "docker-archive:pair.tar:app:1", "oci:out"])
        .silent();
    sandbox
        .run(&[
            "convert",
            "docker-archive:pair.tar:localhost/tool:2",
            "oci:out",
        ])
        .silent();
    // A reference takes the image with that name, not with its other names.
    let (tags, config, diff_ids) = app.facts();
    let app = (vec![tags[0].clone()], config, diff_ids);
    assert_eq!(layout_facts(&sandbox, "out"), [app, tool.facts()]);

    // Again: nothing changes.
    let before = sandbox.tree();
    sandbox
        .run(&["convert", "docker-archive:pair.tar:app:1", "oci:out"])
        .silent();
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_tag_moves_from_the_image_that_had_it() {
    let (sandbox, [app, _]) = with_pair();
    let newer = make::Image::new(&["app:1"], &["file app newer"]);
    sandbox.write(
        "newer.tar",
        make::tar(&make::docker(std::slice::from_ref(&newer))),
    );
    sandbox
        .run(&["convert", "--image", "#1", "pair.tar", "oci:out"])
        .silent();
    let warnings = sandbox.run(&["convert", "newer.tar", "oci:out"]).warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let (tags, config, diff_ids) = app.facts();
    let left: Vec<String> = tags
        .into_iter()
        .filter(|it| !it.ends_with("app:1"))
        .collect();
    let mut expected = vec![(left, config, diff_ids), newer.facts()];
    let mut got = layout_facts(&sandbox, "out");
    expected.sort();
    got.sort();
    assert_eq!(got, expected);
}

#[test]
fn a_layer_of_two_images_is_written_once() {
    let (sandbox, pair) = with_pair();
    let mut blobs: Vec<String> = pair.iter().flat_map(|it| it.diff_ids.clone()).collect();
    blobs.sort();
    blobs.dedup();
    assert_eq!(blobs.len(), 4, "5 layers, of which 2 are the same");
    for source in ["pair.tar", "pair.oci.tar"] {
        for to in Format::ALL {
            let out = format!("{source}-{to:?}");
            sandbox.run(&["convert", source, &to.at(&out)]).silent();
            let store = Store::open(&sandbox.path(&out));
            // 4 layers, 2 configs and 2 manifests; the reader has seen that none is there twice.
            assert_eq!(store.blobs().len(), 8, "{out}");
        }
    }
}

#[test]
fn compress_changes_the_layers_and_nothing_else() {
    let (sandbox, pair) = with_pair();
    let cases = [
        ("keep", Codec::Plain),
        ("none", Codec::Plain),
        ("gzip", Codec::Gzip),
        ("gzip:9", Codec::Gzip),
        ("zstd", Codec::Zstd),
        ("zstd:19", Codec::Zstd),
    ];
    let expected = pair.each_ref().map(make::Image::facts);
    for (choice, codec) in cases {
        for source in ["pair.tar", "pair.oci.tar"] {
            for to in Format::ALL {
                let out = format!("{source}-{to:?}-{}", choice.replace(':', "-"));
                let run = sandbox.run(&["convert", "--compress", choice, source, &to.at(&out)]);
                let warnings = run.warnings();
                let images = to.images(&sandbox.path(&out));
                assert_eq!(facts(&images), expected, "{out}");
                for layer in images.iter().flat_map(|it| &it.layers) {
                    assert_eq!(layer.codec, codec, "{out}");
                }
                // Docker before 23 cannot load zstd, so that is worth a word.
                let is_zstd = codec == Codec::Zstd && to == Format::Docker;
                let expected = if is_zstd { pair.len() } else { 0 };
                assert_eq!(warnings.len(), expected, "{out}: {warnings:?}");
            }
        }
    }
}

#[test]
fn layers_in_codecs_that_oci_does_not_have_are_stored_in_one_that_it_has() {
    let sandbox = Sandbox::new();
    for codec in Codec::ALL {
        let image = make::Image::new(&["app:1"], &["file a 1", "file b 2"]).stored_as(codec);
        let input = format!("{codec:?}.tar");
        sandbox.write(
            &input,
            make::tar(&make::docker(std::slice::from_ref(&image))),
        );
        for to in Format::ALL {
            let out = format!("{codec:?}-{to:?}");
            let output = sandbox.run(&["convert", &input, &to.at(&out)]);
            drop(output.warnings());
            let images = to.images(&sandbox.path(&out));
            if to != Format::Docker {
                own::assert_names_and_types(&own::layout(&sandbox.path(&out)), &[]);
            }
            assert_eq!(facts(&images), [image.facts()], "{out}");
            let expected = match (codec, to) {
                (Codec::Xz | Codec::Bzip2, Format::Docker) => Codec::Gzip,
                (Codec::Xz | Codec::Bzip2, _) => Codec::Zstd,
                _ => codec,
            };
            for layer in &images[0].layers {
                assert_eq!(layer.codec, expected, "{out}");
            }
        }
    }
}
