//! Every form of input, and several images in one.

use expect_test::expect;
use serde_json::{Value, json};

use super::{json, look, text};
use crate::support::codec::Codec;
use crate::support::make::{self, Image, Layout, Member};
use crate::support::{Sandbox, layer};

const LAYERS: [&str; 3] = [
    "dir etc\nfile etc/hosts localhost\nsymlink bin usr/bin",
    "file etc/.wh.hosts\nlink copy etc/other\nfile a 12345",
    "dir d",
];

/// Bytes of files and targets in each of the layers.
const CONTENT: [u64; 3] = [9 + 7, 5, 0];

fn app() -> Image {
    Image::new(&["app:1"], &LAYERS)
}

/// The sizes that are known without `--size`.
#[derive(Clone, Copy)]
struct Known {
    /// True if that of the files is.
    content: bool,
    /// True if that of the unpacked layers is.
    unpacked: bool,
}

/// Checks what all commands say of the image, wherever it is: `--size` makes no difference to
/// sizes that are known without it.
#[track_caller]
fn assert_app(
    source: &str,
    sandbox: &Sandbox,
    arguments: &[&str],
    pipe: Option<&[u8]>,
    known: Known,
) {
    let run = |command: &str, options: &[&str]| {
        let arguments = [&[command, "--json"], options, arguments].concat();
        let run = sandbox.restow(&arguments);
        let run = match pipe {
            Some(bytes) => run.stdin_pipe(bytes.to_vec()),
            None => run,
        };
        json(run.run())
    };
    let id = app().id();
    let contents = |list: &Value| -> Vec<u64> {
        let sizes = list.as_array().into_iter().flatten();
        sizes
            .filter(|it| it["layer"].is_u64())
            .map(|it| it["content_size"].as_u64().expect("a number"))
            .collect()
    };
    let unpacked: usize = app().layers.iter().map(Vec::len).sum();
    let if_known = |is_known: bool, size: Value| if is_known { size } else { Value::Null };
    let expected = (
        if_known(known.content, json!(CONTENT.iter().sum::<u64>())),
        if_known(known.unpacked, json!(unpacked)),
    );
    for command in ["images", "inspect", "history"] {
        let told = run(command, &[]);
        let (told, expected) = match command {
            "images" => (&told["images"][0], expected.clone()),
            "inspect" => (&told, expected.clone()),
            _ => (
                &told["history"][1],
                (
                    if_known(known.content, json!(CONTENT[1])),
                    if_known(known.unpacked, json!(app().layers[1].len())),
                ),
            ),
        };
        let sizes = (told["content_size"].clone(), told["unpacked_size"].clone());
        assert_eq!(sizes, expected, "{source}, {command} without --size");
    }
    let run = |command: &str| run(command, &["--size"]);
    let images = run("images");
    let image = &images["images"][0];
    assert_eq!(image["id"], id, "{source}");
    assert_eq!(
        image["content_size"],
        CONTENT.iter().sum::<u64>(),
        "{source}"
    );
    assert_eq!(image["layers"], 3, "{source}");
    assert_eq!(
        image["created"], "2024-02-03T04:05:06.789012345Z",
        "{source}"
    );
    assert_eq!(image["unpacked_size"], unpacked, "{source}");
    let inspection = run("inspect");
    assert_eq!(inspection["id"], id, "{source}");
    assert_eq!(contents(&inspection["layers"]), CONTENT, "{source}");
    assert_eq!(inspection["unpacked_size"], unpacked, "{source}");
    assert_eq!(
        inspection["layers"][1]["diff_id"],
        app().diff_ids[1],
        "{source}"
    );
    assert_eq!(
        inspection["layers"][1]["created_by"], "COPY 2 <&> /",
        "{source}"
    );
    let history = run("history");
    assert_eq!(history["id"], id, "{source}");
    let mut newest_first = CONTENT;
    newest_first.reverse();
    assert_eq!(contents(&history["history"]), newest_first, "{source}");
}

#[test]
fn every_form_of_input_tells_the_same() {
    for codec in Codec::ALL {
        let image = app().stored_as(codec);
        let images = std::slice::from_ref(&image);
        let mut layout = Layout::default();
        layout.add(&image);
        let forms = [
            ("docker", make::docker(images)),
            ("hybrid", make::hybrid(images)),
            ("oci", layout.members()),
        ];
        for (name, members) in forms {
            // OCI has no name for these.
            if name != "docker" && matches!(codec, Codec::Xz | Codec::Bzip2) {
                continue;
            }
            let sandbox = Sandbox::new();
            let tar = make::tar(&members);
            let name = format!("{name}, {codec:?}");
            let is_plain = codec == Codec::Plain;
            let in_place = Known {
                content: is_plain,
                unpacked: is_plain,
            };
            let in_stream = Known {
                content: false,
                unpacked: is_plain,
            };
            let check = |form: &str, source: &str, pipe: Option<&[u8]>, known| {
                assert_app(&format!("{name}{form}"), &sandbox, &[source], pipe, known);
            };
            sandbox.write("in.tar", &tar);
            check("", "in.tar", None, in_place);
            check(", pipe", "-", Some(&tar), in_place);
            let wrapped = Codec::Gzip.compress(&tar);
            sandbox.write("in.tar.gz", &wrapped);
            check(", gzip", "in.tar.gz", None, in_stream);
            check(", gzip, pipe", "-", Some(&wrapped), in_stream);
            for member in members {
                if let Member::File(path, content) = member {
                    sandbox.write(&format!("layout/{path}"), content);
                }
            }
            if !name.starts_with("docker") {
                check(", folder", "oci:layout", None, in_place);
            }
        }
    }
}

#[test]
fn a_file_that_is_standard_input_is_read_where_it_lies() {
    let sandbox = Sandbox::new();
    let tar = make::tar(&make::docker(&[app()]));
    sandbox.write("in.tar", &tar);
    let run = sandbox.restow(&["images", "--json", "-"]);
    let list = json(run.stdin_file(&sandbox.path("in.tar")).run());
    assert_eq!(list["images"][0]["source"], "-");
}

#[test]
fn archives_of_the_first_age_and_root_filesystems_are_looked_into() {
    let sandbox = Sandbox::new();
    let layer = make::layer("file a 123\nsymlink b a");
    let about = json!({
        "id": "1".repeat(64), "created": "2014-02-03T04:05:06Z", "os": "linux",
        "architecture": "amd64", "container_config": {"Cmd": ["make", "it"]},
        "config": {"Env": ["A=1"]},
    });
    let tags = [("old:1", "1".repeat(64))];
    sandbox.write(
        "in.tar",
        make::tar(&make::v1(&[(about, layer.clone())], &tags)),
    );
    let image = &look(&sandbox, "images")["images"][0];
    assert_eq!(
        (
            &image["reference"],
            &image["content_size"],
            &image["created"]
        ),
        (&json!("old:1"), &json!(4), &json!("2014-02-03T04:05:06Z"))
    );
    let inspection = look(&sandbox, "inspect");
    assert_eq!(inspection["config"]["Env"], json!(["A=1"]));
    assert_eq!(inspection["layers"][0]["created_by"], "make it");

    sandbox.write("in.tar", &layer);
    let image = &look(&sandbox, "images")["images"][0];
    assert_eq!(
        (
            &image["format"],
            &image["reference"],
            &image["content_size"]
        ),
        (&json!("rootfs"), &Value::Null, &json!(4))
    );
    let history = look(&sandbox, "history");
    assert_eq!(history["history"][0]["comment"], "Imported from -");
    assert_eq!(history["history"][0]["size"], layer.len());
}

/// Two platforms, what is attested of one, and a third that is not there.
fn platforms() -> (Layout, [Value; 3]) {
    let mut layout = Layout::default();
    let mut amd = layout.image(&app());
    amd["platform"] = json!({"os": "linux", "architecture": "amd64"});
    let mut arm = layout.image(
        &Image::new(&[], &["file arm 1"]).with_config(|it| it["architecture"] = "arm64".into()),
    );
    arm["platform"] = json!({"os": "linux", "architecture": "arm64", "variant": "v8"});
    let absent = json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 7,
        "digest": format!("sha256:{}", "0".repeat(64)),
        "platform": {"os": "linux", "architecture": "s390x"},
    });
    let attestation = layout.attestation(&arm);
    let index = layout.nested(&[amd.clone(), arm.clone(), absent, attestation]);
    layout.add_named(&index, "app:1");
    (layout, [index, amd, arm])
}

#[test]
fn an_index_shows_its_platforms_and_attestations_under_it() {
    let sandbox = Sandbox::new();
    let (mut layout, [index, amd, arm]) = platforms();
    let signature = layout.referrer(&index);
    layout.index.push(signature);
    sandbox.write("in.tar", make::tar(&layout.members()));
    let printed = text(sandbox.run(&["images", "--human=false", "in.tar"]));
    let short = |value: &Value| value["digest"].as_str().expect("a digest")[7..19].to_owned();
    let columns = |line: &str| -> Vec<String> {
        line.split("  ")
            .map(str::trim)
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let lines: Vec<Vec<String>> = printed.lines().map(columns).collect();
    assert_eq!(lines[1], ["1", "app:1", &short(&index), "index"]);
    let id = &app().id()[7..19];
    let date = "2024-02-03T04:05:06Z";
    let amd = short(&amd);
    let stored: usize = app().layers.iter().map(Vec::len).sum();
    let stored = stored.to_string();
    assert_eq!(
        lines[2],
        [
            "├─ image",
            id,
            &amd,
            date,
            "21",
            &stored,
            "linux/amd64",
            "3"
        ]
    );
    assert_eq!(lines[3][2], short(&arm));
    assert_eq!(&lines[3][3..], [date, "1", "2048", "linux/arm64/v8", "1"]);
    assert_eq!(lines[4], ["├─ absent", "000000000000", "linux/s390x"]);
    assert_eq!(
        (&*lines[5][0], &*lines[5][2]),
        ("└─ attestation", "linux/arm64/v8")
    );
    assert_eq!(lines[6][..2], ["2", "<none>"]);
    assert_eq!(lines[6][3..], ["artifact"]);
    assert_eq!(lines.len(), 7);

    let list = look(&sandbox, "images");
    let children = &list["images"][0]["children"];
    assert_eq!(children[3]["kind"], "attestation");
    assert_eq!(children[3]["subject"], arm["digest"]);
    // The number is the one that `--image` takes, and the platform is chosen as ever.
    for (options, content) in [
        (&["--platform", "linux/arm64"][..], 1),
        (&["--platform", "linux/amd64"], 21),
    ] {
        let arguments = [
            &["inspect", "--json", "--image", "#1"],
            options,
            &["in.tar"],
        ]
        .concat();
        let inspection = json(sandbox.run(&arguments));
        assert_eq!(inspection["content_size"], content);
        assert_eq!(inspection["index"], index["digest"]);
    }
}

#[test]
fn a_line_for_each_tag_of_each_image_and_filters_choose() {
    let sandbox = Sandbox::new();
    let other = Image::new(&["reg.example:5000/tool:2", "tool:latest"], &["file t 1"]);
    let nameless = Image::new(&[], &["file n 1"]);
    sandbox.write(
        "in.tar",
        make::tar(&make::docker(&[app(), other, nameless])),
    );
    let tags = |filters: &[&str]| -> Vec<String> {
        let arguments = [&["images", "--json"], filters, &["in.tar"]].concat();
        let list = json(sandbox.run(&arguments));
        let images = list["images"].as_array().expect("a list");
        images
            .iter()
            .map(|it| {
                format!(
                    "#{} {}",
                    it["number"],
                    it["reference"].as_str().unwrap_or("-")
                )
            })
            .collect()
    };
    let (app, long, tool) = ("#1 app:1", "#2 reg.example:5000/tool:2", "#2 tool:latest");
    let nameless = "#3 -";
    assert_eq!(tags(&[]), [app, long, tool, nameless]);
    assert_eq!(tags(&["--filter", "reference=app"]), [app]);
    assert_eq!(tags(&["-f", "reference=*:1"]), [app]);
    assert_eq!(tags(&["-f", "reference=*"]), [app, tool]);
    assert_eq!(tags(&["-f", "reference=*/*"]), [long]);
    assert_eq!(
        tags(&["-f", "reference=a*", "-f", "reference=*:lat?st"]),
        [app, tool]
    );
    assert_eq!(tags(&["-f", "dangling=true"]), [nameless]);
    assert_eq!(tags(&["-f", "dangling=false"]), [app, long, tool]);
    assert_eq!(tags(&["-f", "dangling=true", "-f", "reference=*"]), [""; 0]);
    let list = json(sandbox.run(&["images", "--json", "docker-archive:in.tar:tool"]));
    assert_eq!(list["images"].as_array().map(Vec::len), Some(1));
    let empty = text(sandbox.run(&["images", "-f", "reference=none", "in.tar"]));
    assert_eq!(
        empty,
        "#  IMAGE  IMAGE ID  DIGEST  CREATED  SIZE  STORED  PLATFORM  LAYERS\n"
    );
}

#[test]
fn several_inputs_are_listed_together_and_one_that_fails_does_not_stop_the_others() {
    let sandbox = Sandbox::new();
    sandbox.write("a.tar", make::tar(&make::docker(&[app()])));
    let mut layout = Layout::default();
    layout.add(&Image::new(&["tool:1"], &["file t 1"]));
    sandbox.write("b.tar", make::tar(&layout.members()));
    let list = json(sandbox.run(&["images", "--json", "a.tar", "oci-archive:b.tar"]));
    let sources = list["images"].as_array().expect("a list").iter();
    let sources: Vec<_> = sources
        .map(|it| (&it["source"], &it["reference"]))
        .collect();
    assert_eq!(
        sources,
        [
            (&json!("a.tar"), &json!("app:1")),
            (&json!("oci-archive:b.tar"), &json!("tool:1")),
        ]
    );
    sandbox.write("bad.tar", "no archive");
    let output = sandbox.run(&["images", "--json", "bad.tar", "a.tar", "gone.tar"]);
    assert_eq!(output.code, Some(1));
    expect![[r#"
        error: cannot read `bad.tar`
          caused by: it is not a container image (looks like a text file); expected a docker archive, an OCI layout or a tar
        error: cannot read `gone.tar`
          caused by: No such file or directory
    "#]].assert_eq(&output.stderr);
    let list: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(list["images"][0]["id"], app().id());
    let output = sandbox.run(&["images", "gone.tar", "bad.tar"]);
    assert_eq!((output.code, output.stdout.as_slice()), (Some(1), &b""[..]));
}

#[test]
fn layers_that_are_elsewhere_have_no_size_and_those_of_strange_shape_have_one() {
    let sandbox = Sandbox::new();
    let mut layout = Layout::default();
    let descriptor = layout.image(&app());
    layout.blobs.remove(&app().diff_ids[1]);
    layout.add_named(&descriptor, "app:1");
    sandbox.write("in.tar", make::tar(&layout.members()));
    let image = look(&sandbox, "images")["images"][0].clone();
    let stored: usize = app().layers.iter().map(Vec::len).sum();
    assert_eq!(
        (&image["content_size"], &image["size"]),
        (&Value::Null, &json!(stored))
    );
    let layers = look(&sandbox, "inspect")["layers"].clone();
    assert_eq!(
        (&layers[1]["present"], &layers[1]["unpacked_size"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(layers[0]["content_size"], CONTENT[0]);
    let printed = text(sandbox.run(&["images", "--human=false", "in.tar"]));
    assert!(
        printed
            .lines()
            .nth(1)
            .is_some_and(|it| it.contains("Z  ?  ")),
        "{printed}"
    );
    let warning = "warning: cannot read layer 2 of 3 of `app:1`, so its size is unknown: \
         its blob is not in the input\n";
    for command in ["images", "inspect", "history"] {
        drop(sandbox.run(&[command, "in.tar"]).data(""));
        drop(sandbox.run(&[command, "--size", "in.tar"]).data(warning));
    }

    // Sparse files count with their holes; devices, and whiteouts of any kind, do not.
    let mut tar = Vec::new();
    for (name, flag, content) in [
        (&b".wh.dir/"[..], b'5', &b""[..]),
        (b"d/.wh.x", b'0', b"not empty"),
        (b".wh..wh..opq", b'0', b"x"),
        (b"d/.wh.d/in", b'0', b"12"),
        (b"fifo", b'6', b""),
        (b"\xff\xfe", b'0', b"123"),
    ] {
        let mut header = layer::header(name, flag, layer::Dialect::Gnu);
        layer::set(&mut header[124..136], content.len() as i128);
        layer::member(&mut tar, header, content);
    }
    let mut sparse = layer::header(b"sparse", b'S', layer::Dialect::Gnu);
    layer::set(&mut sparse[124..136], 512);
    layer::set(&mut sparse[386..398], 1 << 20);
    layer::set(&mut sparse[398..410], 512);
    layer::set(&mut sparse[483..495], 1 << 30);
    layer::member(&mut tar, sparse, &[7; 512]);
    tar.resize(tar.len() + 1024, 0);
    let image = Image::of_layers(&["odd:1"], vec![tar]);
    sandbox.write("in.tar", make::tar(&make::docker(&[image])));
    let layers = look(&sandbox, "inspect")["layers"].clone();
    assert_eq!(layers[0]["content_size"], (1_u64 << 30) + 5);
}
