//! `restow import`: what becomes of a root filesystem tar.

mod folder;

use std::fs;
use std::process::Command;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::support::codec::{Codec, decompress, digest};
use crate::support::engine::{self, Loaded};
use crate::support::image::{Image, Store};
use crate::support::judge::Format;
use crate::support::layer;
use crate::support::make;
use crate::support::sandbox::{Output, Sandbox};
use crate::support::tools;

/// A small root filesystem. Its newest entry is of 1970-01-01T00:01:40Z.
fn rootfs() -> Vec<u8> {
    layer::tar(&crate::support::entry::entries(
        "etc/(@5) etc/hosts=localhost(@100.5) bin->usr/bin",
    ))
}

/// The image that was imported to `out`, its config, and its layer as it is stored.
#[track_caller]
fn imported(sandbox: &Sandbox, format: Format) -> (Image, Value, Vec<u8>) {
    let path = sandbox.path("out");
    let images = format.images(&path);
    let [image] = images.as_slice() else {
        panic!("one image was imported, {} are there", images.len());
    };
    let store = Store::open(&path);
    let mut layers = store.stored(image);
    assert_eq!(layers.len(), 1, "an import has one layer");
    let config = serde_json::from_str(&image.config).expect("a config is JSON");
    (image.clone(), config, layers.remove(0))
}

fn import(sandbox: &Sandbox, arguments: &[&str], stdin: Option<Vec<u8>>) -> Output {
    let arguments = [&["import"], arguments].concat();
    let run = sandbox.restow(&arguments);
    match stdin {
        Some(bytes) => run.stdin_pipe(bytes).run(),
        None => run.run(),
    }
}

#[test]
fn the_layer_is_the_tar_whatever_it_is_wrapped_in() {
    let tar = rootfs();
    for codec in Codec::ALL {
        for format in Format::ALL {
            for is_piped in [false, true] {
                let sandbox = Sandbox::new();
                let packed = codec.compress(&tar);
                sandbox.write("in", &packed);
                let out = format.at("out");
                let source = if is_piped { "-" } else { "in" };
                let stdin = is_piped.then_some(packed);
                // Neither a file nor a pipe into a file needs any space beside it.
                let arguments = ["--tmpdir", "missing", "--tag", "app:1", source, &out];
                import(&sandbox, &arguments, stdin).silent();
                let (image, config, layer) = imported(&sandbox, format);
                assert!(layer == tar, "{codec:?} {format:?}");
                assert_eq!(image.diff_ids(), [digest(&tar)]);
                assert_eq!(config["rootfs"]["diff_ids"], json!([digest(&tar)]));
                // A layout has the whole name.
                assert!(image.tags[0].ends_with("app:1"), "{:?}", image.tags);
            }
        }
    }
}

#[test]
fn the_layer_is_compressed_where_that_is_wanted() {
    let tar = rootfs();
    for (how, codec) in [
        ("none", Codec::Plain),
        ("gzip", Codec::Gzip),
        ("zstd:19", Codec::Zstd),
    ] {
        let sandbox = Sandbox::new();
        let arguments = ["--compress", how, "-", "oci:out"];
        import(&sandbox, &arguments, Some(tar.clone())).silent();
        let (image, _, layer) = imported(&sandbox, Format::Oci);
        assert_eq!((Codec::of(&layer), image.layers[0].codec), (codec, codec));
        assert!(decompress(&layer) == tar);
        assert_eq!(image.diff_ids(), [digest(&tar)]);
    }
}

#[test]
fn a_stream_takes_what_it_is_first_and_a_file_needs_no_space_for_that() {
    let sandbox = Sandbox::new();
    sandbox.write("in", rootfs());
    let run = sandbox.restow(&["import", "--tmpdir", "missing", "in", "-"]);
    let archive = run.run().data("");
    let names = crate::support::listing::names(&archive);
    let of = |name: &str| names.iter().position(|it| it == name);
    let layer = format!("blobs/sha256/{}", &digest(&rootfs())["sha256:".len()..]);
    assert!(of("manifest.json") < of(&layer), "{names:?}");
    let image = &Store::from_tar(&archive).docker_images()[0];
    assert_eq!(image.diff_ids(), [digest(&rootfs())]);

    let piped = import(&sandbox, &["-", "-"], Some(rootfs())).data("");
    let same = &Store::from_tar(&piped).docker_images()[0];
    assert_eq!(image.facts(), same.facts());
}

#[test]
fn times_and_comments_are_those_that_were_asked_for() {
    let cases: [(&[&str], Option<&str>, &str, &str); 9] = [
        (&[], None, "1970-01-01T00:01:40Z", "Imported from -"),
        (
            &["--created", "-8"],
            None,
            "1969-12-31T23:59:52Z",
            "Imported from -",
        ),
        (&[], Some("7"), "1970-01-01T00:00:07Z", "Imported from -"),
        (
            &["--created", "8"],
            Some("7"),
            "1970-01-01T00:00:08Z",
            "Imported from -",
        ),
        (
            &["--created", "2020-02-02T03:04:05+01:00"],
            None,
            "2020-02-02T02:04:05Z",
            "Imported from -",
        ),
        (
            &["--created", "2020-02-02T03:04:05.250+01:00"],
            None,
            "2020-02-02T02:04:05.25Z",
            "Imported from -",
        ),
        (
            &["--created=-1"],
            None,
            "1969-12-31T23:59:59Z",
            "Imported from -",
        ),
        (
            &["-m", "from the moon"],
            None,
            "1970-01-01T00:01:40Z",
            "from the moon",
        ),
        (&["--message", ""], None, "1970-01-01T00:01:40Z", ""),
    ];
    for (arguments, epoch, created, comment) in cases {
        let sandbox = Sandbox::new();
        sandbox.write("in", rootfs());
        let arguments = [&["import", "in", "oci:out"], arguments].concat();
        let mut run = sandbox.restow(&arguments);
        if let Some(epoch) = epoch {
            run = run.env("SOURCE_DATE_EPOCH", epoch);
        }
        run.run().silent();
        let (_, config, _) = imported(&sandbox, Format::Oci);
        assert_eq!(config["created"], created);
        assert_eq!(config["comment"], comment);
        assert_eq!(
            config["history"],
            json!([{"created": created, "comment": comment}])
        );
    }
}

#[test]
fn the_platform_is_the_hosts_or_another() {
    for (platform, expected) in [
        (None, json!(["linux", null, null])),
        (Some("linux/arm/v6"), json!(["linux", "arm", "v6"])),
        (Some("freebsd/amd64"), json!(["freebsd", "amd64", null])),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("in", rootfs());
        let mut arguments = vec!["in", "docker-archive:out"];
        if let Some(platform) = platform {
            arguments.extend(["--platform", platform]);
        }
        import(&sandbox, &arguments, None).silent();
        let store = Store::open(&sandbox.path("out"));
        let image = &store.docker_images()[0];
        let config: Value = serde_json::from_str(&image.config).expect("a config is JSON");
        let mut got = json!([config["os"], config["architecture"], config["variant"]]);
        if platform.is_none() {
            assert!(got[1].is_string());
            got[1] = Value::Null;
        }
        assert_eq!(got, expected);
    }
}

/// Export and import lose nothing if the config goes along.
#[test]
fn a_config_is_taken_over_whole() {
    let image = make::Image::new(&["app:1"], &["file a 1", "file b 2"]).with_config(|config| {
        config["config"] = json!({"Cmd": ["/b"], "Env": ["A=1"], "X": {"kept": [1.10]}});
        config["author"] = "somebody".into();
        config["unknown"] = json!({"z": 1, "a": [null]});
        config["variant"] = "v2".into();
    });
    let before: Value = serde_json::from_slice(&image.config).expect("a config is JSON");
    for (format, platform) in [
        (Format::Docker, None),
        (Format::Oci, Some("linux/amd64/v3")),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write(
            "app.tar",
            make::tar(&make::docker(std::slice::from_ref(&image))),
        );
        let tree = sandbox.run(&["export", "app.tar"]).data("");
        let out = format.at("out");
        let mut arguments = vec!["--config-from", "app.tar", "-", &out];
        if let Some(platform) = platform {
            arguments.extend(["--platform", platform]);
        }
        import(&sandbox, &arguments, Some(tree.clone())).silent();
        let (_, config, layer) = imported(&sandbox, format);
        assert!(layer == tree);
        let mut expected = before.clone();
        expected["rootfs"] = json!({"type": "layers", "diff_ids": [digest(&tree)]});
        let told = json!({"created": before["created"], "comment": "Imported from -"});
        expected["history"] = json!([told]);
        if platform.is_some() {
            expected["variant"] = "v3".into();
        }
        assert_eq!(config, expected);
    }
}

/// What each instruction means is tested in `changes.rs`.
#[test]
fn instructions_change_the_config_that_was_made_or_taken_over() {
    let sandbox = Sandbox::new();
    sandbox.write("in", rootfs());
    let changes = ["-c", "ENV A=1 B=$A", "--change", "workdir /w\nCMD run $A"];
    let arguments = [&["in", "oci:out"], &changes[..]].concat();
    import(&sandbox, &arguments, None).silent();
    let (_, config, _) = imported(&sandbox, Format::Oci);
    let config = &config["config"];
    assert_eq!(config["Env"], json!(["A=1", "B="]));
    assert_eq!(config["WorkingDir"], "/w");
    assert_eq!(config["Cmd"], json!(["/bin/sh", "-c", "run $A"]));
    assert_eq!(
        (&config["User"], &config["Tty"]),
        (&json!(""), &json!(false))
    );

    let base = make::Image::new(&["app:1"], &["file a 1"]).with_config(|config| {
        config["config"] = json!({"Env": ["A=base"], "WorkingDir": "/app", "X": 1});
    });
    let sandbox = Sandbox::new();
    sandbox.write("base.tar", make::tar(&make::docker(&[base])));
    let changes = ["-c", "ENV B=$A", "-c", "WORKDIR bin"];
    let from = ["--config-from", "base.tar", "-", "docker-archive:out"];
    let arguments = [&from[..], &changes].concat();
    import(&sandbox, &arguments, Some(rootfs())).silent();
    let (_, config, _) = imported(&sandbox, Format::Docker);
    let expected = json!({"Env": ["A=base", "B=base"], "WorkingDir": "/app/bin", "X": 1});
    assert_eq!(config["config"], expected);
}

#[test]
fn what_is_no_root_filesystem_is_refused() {
    let words = "etc/ etc/hosts=localhost bin->usr/bin";
    let tar = layer::tar(&crate::support::entry::entries(words));
    let gzip = Codec::Gzip.compress(&tar);
    let twice = Codec::Gzip.compress(&gzip);
    let mut damaged = tar.clone();
    damaged[512 + 3] ^= 1;
    let cases: [(Vec<u8>, &str); 7] = [
        (vec![], "it is empty"),
        (Codec::Gzip.compress(b""), "it is empty"),
        (
            b"root filesystem".to_vec(),
            "it is not a tar (looks like a text file)",
        ),
        (
            twice.clone(),
            "it is not a tar (looks like a stream compressed with gzip)\n  hint: it is compressed twice: unpack it once",
        ),
        (
            tar[..1030].to_vec(),
            "the tar is truncated at byte 1030 (at least 3 bytes missing)",
        ),
        (
            gzip[..gzip.len() - 10].to_vec(),
            "its gzip stream is damaged\n  caused by: incomplete deflate stream",
        ),
        (damaged, "invalid tar header at byte 512: wrong checksum"),
    ];
    for (bytes, why) in cases {
        for out in ["docker-archive:out", "oci:out", "oci-archive:out"] {
            let sandbox = Sandbox::new();
            sandbox.write("in", &bytes);
            let says = format!("error: cannot read `in`\n  caused by: {why}\n");
            import(&sandbox, &["in", out], None).fails(&says);
            let says = format!("error: cannot read standard input\n  caused by: {why}\n");
            import(&sandbox, &["-", out], Some(bytes.clone())).fails(&says);
        }
    }
}

#[test]
fn usage_that_makes_no_sense_is_refused() {
    let cases: [(&[&str], i32, Expect); 9] = [
        (
            &["in", "out", "--change", "RUN true"],
            2,
            expect![[r#"
                error: `RUN true`: unsupported instruction; expected CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME or WORKDIR
            "#]],
        ),
        (
            &["in", "out", "-c", "ENV P=http", "-c", "EXPOSE $P"],
            1,
            expect![[r#"
                error: `EXPOSE $P`: expected a port up to 65535 or a range such as `8000-8010`, optionally with `/tcp`, `/udp` or `/sctp`, got `http`
            "#]],
        ),
        (
            &["docker-archive:in", "out"],
            2,
            expect![[r#"
                error: ROOTFS is an image; expected a root filesystem
                  hint: `convert` reads images, and `export` makes a root filesystem of one
            "#]],
        ),
        (
            &["-", "out", "--config-from", "-"],
            2,
            expect![[r#"
            error: ROOTFS and IMAGE cannot both be standard input
        "#]],
        ),
        (
            &["in", "out", "--config-from", "missing"],
            1,
            expect![[r#"
                error: cannot read `missing`
                  caused by: No such file or directory
                  hint: if that is the name of an image: `docker save missing > FILE`, and `--config-from FILE`
            "#]],
        ),
        (
            &["missing", "out"],
            1,
            expect![[r#"
                error: cannot read `missing`
                  caused by: No such file or directory
                  hint: if that is the name of a container: `docker export missing | restow import - DST`
            "#]],
        ),
        (
            &["folder", "folder/out"],
            2,
            expect![[r#"
                error: DST is inside the folder that is ROOTFS
                  hint: choose a path outside the folder
            "#]],
        ),
        (
            &["--owner", "0:0", "in", "out"],
            2,
            expect![[r#"
                error: `--owner` applies to a folder, but ROOTFS is not one
                  hint: a tar becomes a layer as it is: set the owner when you pack it
            "#]],
        ),
        (
            &["--owner", "root:root", "folder", "out"],
            2,
            expect![[r#"
                error: invalid value `root:root` for `--owner`: expected two numbers, such as 0:0 or 1000:1000
            "#]],
        ),
    ];
    for (arguments, code, says) in cases {
        let sandbox = Sandbox::new();
        sandbox.write("in", rootfs());
        sandbox.write("folder/file", "");
        import(&sandbox, arguments, None).ends(code, says);
    }
}

/// Go's `time.Parse` refuses each of these times, and no document has the others.
#[test]
fn a_time_that_is_none_is_refused() {
    for text in [
        "yesterday",
        "2023-02-31T25:61:61Z",
        "2023-02-29T00:00:00Z",
        "2023-02-28T24:00:00Z",
        "2023-02-28T23:59:60Z",
        "2023-02-28 01:00:00Z",
        "2023-02-28T01:00:00z",
        "2023-02-28T01:00:00,5Z",
        "2023-02-28T01:00:00+24:00",
        "253402300800",
        "-62167219201",
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("in", rootfs());
        let option = format!("--created={text}");
        let output = import(&sandbox, &["in", "out", &option], None);
        let says = format!(
            "error: invalid value `{text}` for `--created`: expected a time such as 2026-11-23T12:00:00Z, or seconds since 1970, in the years 0 to 9999\n"
        );
        assert_eq!((output.code, output.stderr), (Some(2), says));
    }
}

/// A root filesystem with one static program in it, if a compiler is there to make it.
fn program(sandbox: &Sandbox) -> Option<Vec<u8>> {
    let source = "#include <stdio.h>\nint main(int argc, char **argv) { for (int i = 1; i < argc; i++) puts(argv[i]); return 0; }\n";
    sandbox.write("say.c", source);
    fs::create_dir(sandbox.path("root")).expect("a folder can be made");
    let built = sandbox
        .command("cc".as_ref())
        .args(["-static", "-O1", "-o", "root/say", "say.c"])
        .output();
    if !built.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let mut tar = sandbox.command("tar".as_ref());
    Some(tools::succeed(tar.args(["-C", "root", "-cf", "-", "."])))
}

#[test]
fn an_imported_program_runs_in_the_engine() {
    if !tools::has_engine() {
        return tools::skip("import: docker run", "no Docker engine was found");
    }
    let sandbox = Sandbox::new();
    let Some(tar) = program(&sandbox) else {
        return tools::skip("import: docker run", "no C compiler was found");
    };
    let tag = format!("{}:1", engine::unique());
    let config = make::Image::new(&["app:1"], &["file a 1"]).with_config(|config| {
        config["config"] = json!({"Entrypoint": ["/say", "from"], "Cmd": ["nothing"]});
    });
    sandbox.write("app.tar", make::tar(&make::docker(&[config])));
    let change = "CMD [\"a\", \"config\"]";
    let arguments = [
        "--config-from",
        "app.tar",
        "--change",
        change,
        "--tag",
        &tag,
        "-",
        "-",
    ];
    let archive = import(&sandbox, &arguments, Some(tar)).data("");
    let _alone = tools::exclusive();
    let _loaded = Loaded::load(&archive, std::slice::from_ref(&tag));
    let mut run = Command::new("docker");
    let said = tools::succeed(run.args(["run", "--rm", "--network=none", &tag]));
    assert_eq!(String::from_utf8_lossy(&said), "from\na\nconfig\n");
}

/// The config is the one that the engine itself makes of the same tar.
#[test]
fn the_config_is_that_of_docker_import() {
    if !tools::has_engine() {
        return tools::skip("import: docker import", "no Docker engine was found");
    }
    let sandbox = Sandbox::new();
    sandbox.write("in", rootfs());
    let tag = format!("{}:1", engine::unique());
    let _alone = tools::exclusive();
    let _loaded = engine::import(&sandbox.path("in"), &tag);
    let saved = Store::from_tar(&engine::save(&tag));
    let theirs = &saved.docker_images()[0];
    let mut theirs: Value = serde_json::from_str(&theirs.config).expect("a config is JSON");
    import(&sandbox, &["in", "docker-archive:out"], None).silent();
    let (_, ours, _) = imported(&sandbox, Format::Docker);
    // The time is another one, and newer engines leave the legacy fields out.
    let fields = theirs.as_object_mut().expect("a config is an object");
    fields.remove("container_config");
    fields.remove("docker_version");
    fields.insert("created".to_owned(), ours["created"].clone());
    theirs["history"][0]["created"] = ours["created"].clone();
    assert_eq!(ours, theirs);
}

#[test]
fn podman_loads_what_was_imported() {
    if !tools::is_installed("podman") {
        return tools::skip("import: podman load", "podman was not found");
    }
    let sandbox = Sandbox::new();
    sandbox.write("in", rootfs());
    let tag = format!("localhost/{}:1", engine::unique());
    import(&sandbox, &["--tag", &tag, "in", "docker-archive:out"], None).silent();
    let out = sandbox.path("out");
    let _alone = tools::exclusive();
    let loaded = tools::succeed(Command::new("podman").arg("load").arg("-i").arg(&out));
    assert!(String::from_utf8_lossy(&loaded).contains(&tag));
    let id = tools::tool("podman", &["image", "inspect", "--format", "{{.Id}}", &tag]);
    drop(tools::tool("podman", &["image", "rm", &tag]));
    let image = &Store::open(&out).docker_images()[0];
    let id = format!("sha256:{}", String::from_utf8_lossy(&id).trim());
    assert_eq!(id, image.id());
}
