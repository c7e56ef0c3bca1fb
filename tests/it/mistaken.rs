//! Files that are easily taken for a root filesystem and are none, and root filesystems
//! that look like an image.

use serde_json::{Value, json};

use crate::support::codec::Codec;
use crate::support::layer::{self, Dialect};
use crate::support::make::{self, Image, Layout, Member};
use crate::support::sandbox::Sandbox;

const INSIST: &str = "use `rootfs:PATH` if it really is a root filesystem";

fn app() -> Image {
    Image::new(&["app:1"], &["file a 1"])
}

fn layout() -> Vec<Member> {
    let mut layout = Layout::default();
    layout.add(&app());
    layout.members()
}

/// The members below a folder.
fn below(folder: &str, members: Vec<Member>) -> Vec<Member> {
    let inside = |member| match member {
        Member::Directory(name) => Member::Directory(format!("{folder}/{name}")),
        Member::File(name, content) => Member::File(format!("{folder}/{name}"), content),
        other => other,
    };
    members.into_iter().map(inside).collect()
}

/// Checks what each command says of the bytes: as a file, and, with `-`, as a pipe.
fn refused_by_all(input: &[u8], expected: &str) {
    let commands: [&[&str]; 9] = [
        &["images", "in"],
        &["inspect", "in"],
        &["history", "in"],
        &["verify", "in"],
        &["convert", "in", "oci:out"],
        &["export", "in", "out"],
        &["squash", "--all", "in", "out"],
        &["import", "in", "out"],
        &["convert", "-", "oci:out"],
    ];
    for command in commands {
        let sandbox = Sandbox::new();
        sandbox.write("in", input);
        let run = sandbox.restow(command);
        if command.contains(&"-") {
            let said = run.stdin_pipe(input.to_vec()).run().refuses();
            assert_eq!(
                said,
                format!("error: cannot read standard input\n{expected}")
            );
        } else {
            let said = run.run().refuses();
            assert_eq!(
                said,
                format!("error: cannot read `in`\n{expected}"),
                "{command:?}"
            );
        }
    }
    let sandbox = Sandbox::new();
    let run = sandbox.restow(&["import", "-", "out"]);
    let said = run.stdin_pipe(input.to_vec()).run().refuses();
    assert_eq!(
        said,
        format!("error: cannot read standard input\n{expected}")
    );
    // With the user's word for it, it is one.
    sandbox.write("in", input);
    for command in ["convert", "import"] {
        sandbox
            .run(&[command, "rootfs:in", &format!("oci:{command}")])
            .silent();
    }
}

#[test]
fn images_below_a_folder_are_no_root_filesystem() {
    let pack = |folder: &str| {
        format!(
            "  hint: unpack it with `tar -x` and pack the content of the folder: `tar -C {folder} -cf NEW.tar .`; {INSIST}\n"
        )
    };
    let name = |folder: &str| {
        format!("  hint: unpack it with `tar -x` and name the folder: `oci:{folder}`; {INSIST}\n")
    };
    let cause = |kind: &str, folder: &str| {
        format!(
            "  caused by: it has {kind} in the folder `{folder}`, where no reader looks for it\n"
        )
    };
    let docker = || make::docker(&[app()]);
    let (archive, oci) = ("a docker archive", "an OCI layout");
    let two = [below("one", layout()), below("two", docker())].concat();
    let cases = [
        (below("img", docker()), cause(archive, "img") + &pack("img")),
        (
            below("./img", docker()),
            cause(archive, "img") + &pack("img"),
        ),
        (
            below("a/b/img", make::crane(&[app()])),
            cause(archive, "a/b/img") + &pack("a/b/img"),
        ),
        (below("lay", layout()), cause(oci, "lay") + &name("lay")),
        (
            below("img", make::hybrid(&[app()])),
            cause(archive, "img") + &pack("img"),
        ),
        (two, cause(oci, "one") + &name("one")),
        // No name of a folder gets into a command that somebody pastes.
        (
            below("a; b", layout()),
            cause(oci, "a; b") + &name("FOLDER"),
        ),
    ];
    for (members, expected) in cases {
        let tar = make::tar(&members);
        refused_by_all(&tar, &expected);
        refused_by_all(&Codec::Gzip.compress(&tar), &expected);
    }
}

#[test]
fn images_in_a_tar_are_no_root_filesystem() {
    let plain = make::tar(&make::docker(&[app()]));
    let packed = Codec::Zstd.compress(&make::tar(&layout()));
    let expected = |more: &str, file: &str| {
        format!(
            "  caused by: it is a tar that contains an image archive, `{file}`{more}\n  hint: unpack it with `tar -x` and name `{file}`; {INSIST}\n"
        )
    };
    let one = vec![Member::file("app.tar", plain.clone())];
    let two = vec![
        Member::Directory("images/".to_owned()),
        Member::file("images/a.tar.zst", packed),
        Member::file("images/b.tar", plain),
    ];
    let cases = [
        (one, expected("", "app.tar")),
        (two, expected(" and 1 more", "images/a.tar.zst")),
    ];
    for (members, expected) in cases {
        let tar = make::tar(&members);
        refused_by_all(&tar, &expected);
        refused_by_all(&Codec::Gzip.compress(&tar), &expected);
    }
}

/// A Docker host, a source tree and an image that carries another one have such files, too.
#[test]
fn a_root_filesystem_may_hold_images() {
    let archive = make::tar(&make::docker(&[app()]));
    let host = [
        vec![Member::file("etc/hostname", "host")],
        below("var/lib/images/app", make::docker(&[app()])),
        below("srv/layout", layout()),
    ];
    let cases: [(&str, Vec<Member>); 6] = [
        ("a host", host.concat()),
        (
            "a source tree",
            vec![
                Member::file("testdata/app.tar", archive.clone()),
                Member::file("main.go", "package main"),
            ],
        ),
        (
            "a file beside",
            vec![
                Member::file("app.tar", archive.clone()),
                Member::file("run", ""),
            ],
        ),
        (
            "a link beside",
            vec![
                Member::file("app.tar", archive),
                Member::Symlink("latest".to_owned(), "app.tar".to_owned()),
            ],
        ),
        (
            "a tar of something else",
            vec![Member::file("src.tar", make::layer("file a 1"))],
        ),
        (
            "a manifest of something else",
            below(
                "app",
                vec![
                    Member::file("manifest.json", r#"{"name":"app","icons":["icon.png"]}"#),
                    Member::file("icon.png", "png"),
                ],
            ),
        ),
    ];
    for (name, members) in cases {
        let tar = make::tar(&members);
        for bytes in [tar.clone(), Codec::Gzip.compress(&tar)] {
            let sandbox = Sandbox::new();
            sandbox.write("in", &bytes);
            sandbox.run(&["convert", "in", "oci:converted"]).silent();
            sandbox.run(&["import", "in", "oci:imported"]).silent();
            let list = sandbox.run(&["images", "--json", "in"]).data("");
            let list: Value = serde_json::from_slice(&list).expect("JSON");
            assert_eq!(list["images"][0]["format"], "rootfs", "{name}: {list}");
        }
    }
}

/// Looking into each of many folders would take hours where all lead to one large document.
#[test]
fn many_folders_with_a_manifest_are_a_root_filesystem() {
    let large = format!("[{}]", " ".repeat(20_000_000));
    let mut members = vec![Member::file("large.json", large)];
    members.extend(
        (0..50_000)
            .map(|at| Member::Symlink(format!("{at}/manifest.json"), "../large.json".to_owned())),
    );
    let sandbox = Sandbox::new();
    sandbox.write("in", make::tar(&members));
    let list = sandbox.run(&["images", "--json", "in"]).data("");
    let list: Value = serde_json::from_slice(&list).expect("JSON");
    assert_eq!(list["images"][0]["format"], "rootfs", "{list}");
    sandbox.run(&["import", "in", "oci:imported"]).silent();
}

#[test]
fn import_refuses_an_image_and_says_what_takes_it() {
    let hint = format!(
        "  hint: `restow convert` copies images, and `restow export` makes a root filesystem of one; {INSIST}\n"
    );
    let docker = format!("  caused by: it is a docker archive, not a root filesystem\n{hint}");
    let oci = format!("  caused by: it is an OCI archive, not a root filesystem\n{hint}");
    let cases = [
        ("docker", make::docker(&[app()]), &docker),
        ("hybrid", make::hybrid(&[app()]), &docker),
        ("crane", make::crane(&[app()]), &docker),
        ("layout", layout(), &oci),
    ];
    for (name, members, expected) in cases {
        let tar = make::tar(&members);
        for bytes in [tar.clone(), Codec::Gzip.compress(&tar)] {
            let sandbox = Sandbox::new();
            sandbox.write("in", &bytes);
            let said = sandbox.run(&["import", "in", "out"]).refuses();
            assert_eq!(
                said,
                format!("error: cannot read `in`\n{expected}"),
                "{name}"
            );
            let run = sandbox
                .restow(&["import", "-", "oci:out"])
                .stdin_pipe(bytes);
            let said = run.run().refuses();
            assert_eq!(
                said,
                format!("error: cannot read standard input\n{expected}")
            );
            drop(sandbox.run(&["import", "rootfs:in", "out"]).warnings());
        }
    }
    let sandbox = Sandbox::new();
    for member in layout() {
        if let Member::File(name, content) = member {
            sandbox.write(&format!("lay/{name}"), content);
        }
    }
    let said = sandbox.run(&["import", "lay", "out"]).refuses();
    let expected = "error: cannot read `lay`\n  caused by: it is an OCI layout in a folder; \
         expected a root filesystem\n  hint: `restow export oci:lay` makes a tar of it; use \
         `rootfs:PATH` if it really is a root filesystem\n";
    assert_eq!(said, expected);
}

/// A `manifest.json` that names members of the archive makes it one, whatever is wrong
/// with the file.
#[test]
fn a_manifest_of_wrong_shape_is_one_all_the_same() {
    let image = app();
    let good = json!({"Config": "c.json", "RepoTags": ["app:1"], "Layers": ["l.tar"]});
    let with = |field: &str, value: Value| {
        let mut element = good.clone();
        element[field] = value;
        json!([element])
    };
    let cases = [
        (
            with("RepoTags", json!("app:1")),
            "`[0].RepoTags` is not a list of strings",
        ),
        (
            with("RepoTags", json!([1])),
            "`[0].RepoTags` is not a list of strings",
        ),
        (
            with("Layers", json!("l.tar")),
            "`[0].Layers` is not a list of strings",
        ),
        (
            with("Layers", json!(5)),
            "`[0].Layers` is not a list of strings",
        ),
        (with("Config", Value::Null), "`[0].Config` is not a string"),
        (
            with("Config", json!(["c.json"])),
            "`[0].Config` is not a string",
        ),
        (good.clone(), "`the document` is not a list of images"),
        (json!([null]), "`[0]` is not an object"),
    ];
    for (manifest, what) in cases {
        let members = [
            Member::file("c.json", image.config.clone()),
            Member::file("l.tar", image.layers[0].clone()),
            Member::file("manifest.json", manifest.to_string()),
        ];
        let sandbox = Sandbox::new();
        sandbox.write("in", make::tar(&members));
        let expected = format!(
            "error: cannot read `in`\n  caused by: cannot parse `manifest.json`\n  caused by: {what}\n"
        );
        for source in ["in", "docker-archive:in"] {
            sandbox.run(&["convert", source, "out"]).fails(&expected);
            sandbox.run(&["images", source]).fails(&expected);
        }
        let output = sandbox.run(&["verify", "in"]);
        let found = String::from_utf8_lossy(&output.stdout);
        let first = found.lines().next();
        // Of a list that field is told that has another type.
        let what = match &manifest[0]["RepoTags"] {
            Value::Array(tags) if tags[0].is_number() => "`[0].RepoTags[0]` is not a string",
            _ => what,
        };
        let expected = format!("error[manifest-invalid] `manifest.json`: {what}");
        assert_eq!((output.code, first), (Some(1), Some(expected.as_str())));
        drop(sandbox.run(&["import", "in", "out"]).refuses());
    }
}

/// A member as other tars have them: a type flag, some fields, and data.
fn raw(name: &str, flag: u8, data: &[u8], edit: impl FnOnce(&mut [u8; 512])) -> Vec<u8> {
    let mut header = layer::header(name.as_bytes(), flag, Dialect::Gnu);
    layer::set(&mut header[100..108], 0o644);
    layer::set(&mut header[124..136], data.len() as i128);
    edit(&mut header);
    let mut tar = Vec::new();
    layer::member(&mut tar, header, data);
    tar
}

#[test]
fn import_refuses_what_no_engine_takes_and_warns_of_what_some_do_not() {
    let file = |name: &str| raw(name, b'0', b"1", |_| ());
    let sparse = raw("sp", b'S', b"hello", |header| {
        layer::set(&mut header[386..398], 4096);
        layer::set(&mut header[398..410], 5);
        layer::set(&mut header[483..495], 4101);
    });
    let link = raw("b", b'1', b"", |header| header[157] = b'a');
    let anew =
        "  hint: `restow export rootfs:PATH NEW.tar` rewrites the tar so that engines accept it\n";
    let again = "  hint: unpack it with `tar -x` and pack it again with `tar -c`\n";
    let of_type = |name: &str, flag: char| {
        format!(
            "entry `{name}`: its type is `{flag}`, which a layer cannot have; Docker refuses the image\n{again}"
        )
    };
    let refused = [
        (
            sparse,
            format!(
                "entry `sp`: a sparse file in the old GNU format; Docker refuses the image\n{anew}"
            ),
        ),
        (
            raw("a", b'7', b"1", |_| ()),
            format!(
                "entry `a`: its type is `7`, which Docker does not support; Docker refuses the image\n{anew}"
            ),
        ),
        (
            [raw("label", b'V', b"", |_| ()), file("a")].concat(),
            of_type("label", 'V'),
        ),
        (
            [raw("dir/", b'D', b"", |_| ()), file("dir/a")].concat(),
            of_type("dir/", 'D'),
        ),
        (
            [raw("a", b'M', b"", |_| ()), file("b")].concat(),
            of_type("a", 'M'),
        ),
        (
            [raw("x", b'X', b"12 path=abc\n", |_| ()), file("b")].concat(),
            of_type("x", 'X'),
        ),
        (
            [link.clone(), file("a")].concat(),
            format!(
                "entry `b`: a hard link precedes its target; every engine refuses the image\n{again}"
            ),
        ),
        (
            link,
            format!(
                "entry `b`: a hard link to `a`, which does not exist; every engine refuses the image\n{again}"
            ),
        ),
    ];
    for (members, why) in refused {
        let tar = [members.as_slice(), &[0; 1024]].concat();
        let sandbox = Sandbox::new();
        sandbox.write("in", &tar);
        for out in ["out", "oci:out"] {
            let expected = format!("error: cannot read `in`\n  caused by: {why}");
            sandbox.run(&["import", "in", out]).fails(&expected);
            let run = sandbox
                .restow(&["import", "-", out])
                .stdin_pipe(tar.clone());
            run.run().fails(&format!(
                "error: cannot read standard input\n  caused by: {why}"
            ));
        }
        // `convert` passes the bytes on, since some reader may want them.
        for (name, bytes) in [("in", tar.clone()), ("packed", Codec::Gzip.compress(&tar))] {
            sandbox.write(name, bytes);
            let out = format!("oci:{name}-out");
            sandbox
                .run(&["convert", name, &out])
                .warns(&format!("warning: {why}"));
        }
    }
    // The store of Docker 29 takes a path twice, that of Docker 28 does not.
    let twice = [file("a"), file("a"), vec![0; 1024]].concat();
    let sandbox = Sandbox::new();
    sandbox.write("in", &twice);
    let why = "entry `a`: a layer has the same path more than once; the classic stores of Docker and podman refuse the image\n";
    for command in ["import", "convert"] {
        let run = sandbox.run(&[command, "in", &format!("{command}.tar")]);
        run.warns(&format!("warning: {why}{anew}"));
    }
    // The way out that the hint names.
    drop(sandbox.run(&["export", "rootfs:in", "new.tar"]).warnings());
    sandbox.run(&["import", "new.tar", "good.tar"]).silent();
}
