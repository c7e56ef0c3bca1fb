//! Archives and layers that are made to do harm, through every command.
//!
//! Each is refused with one clear message by all commands that look as far, or it is
//! taken as what it is; and whatever becomes of it costs less than two seconds and
//! 64 MiB, and leaves nothing behind. What is said, to the letter, is with
//! `messages` and, for what is inside a layer, in the other half of this module.

use serde_json::{Value, json};

use super::{edited, extended, with};
use crate::support::Sandbox;
use crate::support::codec::Codec;
use crate::support::commands::{COMMANDS, Depth};
use crate::support::entry::entries;
use crate::support::judge::Format;
use crate::support::layer::{pax, set, tar};
use crate::support::make::{self, Image, Layout, Member};
use crate::support::tied::assert_tied;

/// Two seconds of the processor (six where nothing is optimized), and as much memory
/// as 64 MiB and the stacks of all threads come to. A process that wants more is
/// killed, or aborts.
const LIMITS: [&str; 4] = [
    "/bin/sh",
    "-c",
    if cfg!(debug_assertions) {
        "ulimit -t 6 && ulimit -d 98304 && exec timeout 60 \"$@\""
    } else {
        "ulimit -t 2 && ulimit -d 98304 && exec timeout 60 \"$@\""
    },
    "sh",
];

/// What is to become of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Commands that look so far refuse it; others may.
    Refused(Depth),
    /// Commands that merge layers refuse it; nothing is wrong with it.
    Unmergeable,
    /// Every command takes it, but `verify` knows of an engine that does not.
    Unsound,
    /// Every command takes it.
    Taken,
    /// Every command takes it or refuses it: it depends on what they need of it.
    Either,
}

use Fate::{Either, Refused, Taken, Unmergeable, Unsound};

/// An input.
struct Item {
    /// What is wrong with it.
    name: &'static str,
    format: Format,
    bytes: Vec<u8>,
    fate: Fate,
}

/// A docker-archive.
fn docker(name: &'static str, members: &[Member], fate: Fate) -> Item {
    Item {
        name,
        format: Format::Docker,
        bytes: make::tar(members),
        fate,
    }
}

/// A layout, in a tar.
fn layout(name: &'static str, fate: Fate, make: impl FnOnce(&mut Layout)) -> Item {
    let mut layout = Layout::default();
    make(&mut layout);
    Item {
        name,
        format: Format::OciArchive,
        bytes: make::tar(&layout.members()),
        fate,
    }
}

/// An image with this layer between two others, in both forms.
fn layer(name: &'static str, layer: Vec<u8>, fate: Fate) -> [Item; 2] {
    let image = super::image(layer);
    let docker = docker(name, &make::docker(std::slice::from_ref(&image)), fate);
    [
        docker,
        self::layout(name, fate, |layout| layout.add(&image)),
    ]
}

fn app() -> Image {
    Image::new(&["app:1"], &["dir etc\nfile etc/hosts h", "file b 2"])
}

/// The archive of [`app`] with members before its own, or behind them.
fn around(before: &[Member], behind: &[Member]) -> Vec<Member> {
    [before, &make::docker(&[app()]), behind].concat()
}

/// The archive of [`app`] with another `manifest.json`.
fn manifest(edit: impl FnOnce(&mut Value)) -> Vec<Member> {
    let mut members = make::docker(&[app()]);
    for member in &mut members {
        if let Member::File(name, bytes) = member
            && name == "manifest.json"
        {
            let mut value = serde_json::from_slice(bytes).expect("it is JSON");
            edit(&mut value);
            *bytes = value.to_string().into_bytes();
            break;
        }
    }
    members
}

/// A layout of [`app`] whose descriptor was changed as text.
fn descriptor(name: &'static str, fate: Fate, from: &str, to: &str) -> Item {
    let mut layout = Layout::default();
    layout.add(&app());
    let mut members = layout.members();
    for member in &mut members {
        if let Member::File(name, bytes) = member
            && name == "index.json"
        {
            let text = String::from_utf8(bytes.clone()).expect("it is text");
            assert!(text.contains(from), "{text}");
            *bytes = text.replace(from, to).into_bytes();
        }
    }
    Item {
        name,
        format: Format::OciArchive,
        bytes: make::tar(&members),
        fate,
    }
}

/// The tar of the archive of [`app`], with raw members before it.
fn raw(name: &'static str, before: &[u8], fate: Fate) -> Item {
    let archive = make::tar(&make::docker(&[app()]));
    Item {
        name,
        format: Format::Docker,
        bytes: [before, &archive].concat(),
        fate,
    }
}

/// Zeros behind the end of a tar, which are of no use to anybody.
fn padded(size: usize) -> Vec<u8> {
    let mut bytes = tar(&entries("a"));
    bytes.resize(bytes.len() + size, 0);
    bytes
}

/// Names and paths in the tar around the images.
fn members() -> Vec<Item> {
    let documents = Refused(Depth::Documents);
    let file = |name: &str| Member::file(name, "x");
    vec![
        docker("up", &around(&[file("../up")], &[]), documents),
        docker("up inside", &around(&[file("a/../../up")], &[]), documents),
        docker("absolute", &around(&[file("/etc/passwd")], &[]), Taken),
        docker("drive", &around(&[file("C:\\Windows")], &[]), Taken),
        docker(
            "control characters",
            &around(&[file("\u{1b}]0;x\u{7}")], &[]),
            Taken,
        ),
        docker(
            "a link out of it",
            &around(&[Member::Symlink("x".into(), "/etc/passwd".into())], &[]),
            Taken,
        ),
        docker(
            "two documents",
            &around(&[Member::file("manifest.json", "[]")], &[]),
            documents,
        ),
        docker(
            "two layers of one name",
            &around(&[], &[file("x"), file("x")]),
            Taken,
        ),
        raw(
            "NUL in a name",
            &extended("x", &pax("path", b"a\0b")),
            documents,
        ),
        raw(
            "PAX header of gigabytes",
            &edited("x", b'x', b"", |it| set(&mut it[124..136], 4 << 30)),
            documents,
        ),
        raw(
            "long name of gigabytes",
            &edited("x", b'L', b"", |it| set(&mut it[124..136], 4 << 30)),
            documents,
        ),
        raw(
            "exabytes",
            &edited("x", b'0', b"", |it| set(&mut it[124..136], 1 << 62)),
            documents,
        ),
        raw(
            "negative size",
            &edited("x", b'0', b"", |it| set(&mut it[124..136], -1)),
            documents,
        ),
        raw(
            "bad checksum",
            &{
                let mut member = edited("x", b'0', b"", |_| ());
                member[0] ^= 1;
                member
            },
            documents,
        ),
        raw(
            "a device and a fifo",
            &[
                edited("x", b'3', b"", |_| ()),
                edited("y", b'6', b"", |_| ()),
            ]
            .concat(),
            Taken,
        ),
        raw(
            "a type that nobody knows",
            &edited("x", b'Z', b"", |_| ()),
            Taken,
        ),
    ]
}

/// A member that one reader takes for the data of another (CVE-2025-62518,
/// CVE-2026-33055, GHSA-3cv2-h65g-fgmm): Go's reader sees no other `manifest.json`.
fn smuggled() -> Vec<Item> {
    let hidden = |members: &[Member]| {
        let mut bytes = make::tar(members);
        bytes.truncate(bytes.len() - 1024);
        bytes
    };
    let hidden = hidden(&[Member::file("manifest.json", "[]")]);
    let size = pax("size", hidden.len().to_string().as_bytes());
    let records = edited("x", b'x', &size, |_| ());
    let of_size = |size: i128| edited("inner", b'0', b"", |it| set(&mut it[124..136], size));
    let long_name = edited("././@LongLink", b'L', b"inner\0", |_| ());
    vec![
        raw(
            "PAX size, none in the header",
            &[records.as_slice(), &of_size(0), &hidden].concat(),
            Taken,
        ),
        raw(
            "PAX size, another in the header",
            &[records.as_slice(), &of_size(512), &hidden].concat(),
            Taken,
        ),
        raw(
            "PAX size before a long name",
            &[records.as_slice(), &long_name, &of_size(0), &hidden].concat(),
            Taken,
        ),
    ]
}

/// Documents of a docker-archive.
fn docker_documents() -> Vec<Item> {
    let documents = Refused(Depth::Documents);
    // As something that is not there.
    let listed = Refused(Depth::Blobs);
    let path = |path: &str| {
        let path = path.to_owned();
        manifest(move |it| it[0]["Layers"][0] = path.into())
    };
    let v1 = |id: &str| {
        let image = json!({"id": id, "os": "linux", "architecture": "amd64"});
        make::v1(&[(image, tar(&entries("a")))], &[("app:1", id.to_owned())])
    };
    let text = |text: &str| {
        let mut members = make::docker(&[app()]);
        members.retain(|it| it.name() != "manifest.json");
        members.push(Member::file("manifest.json", text));
        members
    };
    vec![
        docker("layer up", &path("../../etc/passwd"), documents),
        docker("layer of the host", &path("/etc/passwd"), listed),
        docker("layer is a folder", &path("etc"), listed),
        docker("v1 id is a path", &v1("../../x"), documents),
        docker("deep JSON", &text(&"[".repeat(1 << 20)), documents),
        docker(
            "deep JSON that ends",
            &text(&["[", "]"].map(|it| it.repeat(100_000)).concat()),
            documents,
        ),
        docker(
            "many values",
            &text(&format!("[{}1]", "1,".repeat(2 << 20))),
            documents,
        ),
        docker(
            "no UTF-8",
            &around(&[], &[])
                .into_iter()
                .map(not_text)
                .collect::<Vec<_>>(),
            documents,
        ),
        docker("no array", &text("{}"), documents),
        docker("null", &text("null"), documents),
        docker(
            "many tags",
            &manifest(|it| {
                let tag = |number| Value::from(format!("app:{number}"));
                it[0]["RepoTags"] = (0..100_000).map(tag).collect::<Vec<_>>().into();
            }),
            documents,
        ),
        docker("many v1 images", &many_v1(), documents),
        docker("huge", &text(&" ".repeat(33 << 20)), documents),
        docker(
            "control characters in a tag",
            &manifest(|it| it[0]["RepoTags"][0] = "app:\u{1b}[31m1".into()),
            Unsound,
        ),
        docker(
            "fewer layers than the config has",
            &manifest(|it| drop(it[0]["Layers"].as_array_mut().map(Vec::pop))),
            documents,
        ),
        docker(
            "more history than layers",
            &make::docker(&[app().with_config(|it| {
                let entry = it["history"][0].clone();
                it["history"]
                    .as_array_mut()
                    .expect("a list")
                    .extend(vec![entry; 50]);
            })]),
            Unsound,
        ),
        docker(
            "history is no list",
            &make::docker(&[app().with_config(|it| it["history"] = json!({"a": 1}))]),
            Either,
        ),
        docker(
            "diff_ids are no digests",
            &make::docker(&[
                app().with_config(|it| it["rootfs"]["diff_ids"][0] = "sha256:../../x".into())
            ]),
            documents,
        ),
    ]
}

/// A v1 archive whose `repositories` names very many images, none of which is there.
fn many_v1() -> Vec<Member> {
    let image = json!({"id": "a", "os": "linux", "architecture": "amd64"});
    let mut members = make::v1(&[(image, tar(&entries("a")))], &[]);
    let tag = |number| format!("\"{number}\":\"{number:064x}\"");
    let tags: Vec<String> = (0..190_000).map(tag).collect();
    members.retain(|it| it.name() != "repositories");
    let repositories = format!("{{\"app\":{{{}}}}}", tags.join(","));
    members.push(Member::file("repositories", repositories));
    members
}

/// A document with a byte that no text has.
fn not_text(member: Member) -> Member {
    match member {
        Member::File(name, mut bytes) if name == "manifest.json" => {
            bytes[0] = 0xff;
            Member::File(name, bytes)
        }
        other => other,
    }
}

/// Documents of a layout.
fn layout_documents() -> Vec<Item> {
    let documents = Refused(Depth::Documents);
    let size = format!("\"size\":{}", {
        let mut layout = Layout::default();
        layout.image(&app())["size"].clone()
    });
    let sized = |name, to: &str| descriptor(name, documents, &size, &format!("\"size\":{to}"));
    let digest_of = |name, to: &str| descriptor(name, documents, "\"sha256:", &format!("\"{to}"));
    vec![
        sized("size of less than nothing", "-1"),
        sized("size of a fraction", "1.5"),
        sized("size beyond all numbers", "1e400"),
        sized("size in text", "\"100\""),
        sized("size of exabytes", "9223372036854775807"),
        sized("size beyond that", "9223372036854775808"),
        sized("size of nothing", "0"),
        digest_of("digest is a path", "sha256:../../../etc/passwd"),
        digest_of("digest without an algorithm", ""),
        digest_of("digest of another algorithm", "md5:"),
        digest_of("digest in capitals", "SHA256:"),
        digest_of("digest with a NUL", "sha256:\\u0000"),
        descriptor(
            "a key twice, the last of which counts",
            Taken,
            &size,
            &format!("\"size\":1,{size}"),
        ),
        layout("manifests and layers", documents, |layout| {
            let image = layout.image(&app());
            let both = json!({
                "schemaVersion": 2, "mediaType": make::MANIFEST,
                "config": image, "layers": [image], "manifests": [image],
            });
            let both = layout.document(&both);
            layout.add_named(&both, "app:1");
        }),
        layout("nested too deep", documents, |layout| {
            let mut descriptor = layout.image(&app());
            for _ in 0..9 {
                descriptor = layout.nested(&[descriptor]);
            }
            layout.add_named(&descriptor, "app:1");
        }),
        layout("ways without number", documents, |layout| {
            let mut descriptor = layout.image(&Image::new(&[], &[]));
            for _ in 0..8 {
                descriptor = layout.nested(&vec![descriptor; 100]);
            }
            layout.add_named(&descriptor, "app:1");
        }),
        layout("too many manifests", documents, |layout| {
            let descriptor = layout.image(&app());
            let index = layout.nested(&vec![descriptor; 10_001]);
            layout.add_named(&index, "app:1");
        }),
        layout("many names of one image", Taken, |layout| {
            let descriptor = layout.image(&app());
            for number in 0..2_000 {
                layout.add_named(&descriptor, &format!("app:{number}"));
            }
        }),
        layout("huge", documents, |layout| {
            let mut image = app();
            image.config.resize(33 << 20, b' ');
            layout.add(&image);
        }),
        // It is listed, as something that is not there.
        layout("a folder for a blob", Refused(Depth::Blobs), |layout| {
            layout.add(&app());
            let digest = layout.index[0]["digest"].as_str().expect("text").to_owned();
            layout.blobs.remove(&digest);
        }),
    ]
}

/// Layers that are not what the documents say of them.
fn blobs() -> Vec<Item> {
    let blobs = Refused(Depth::Blobs);
    let other = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut image = app();
        edit(&mut image.layers[1]);
        make::docker(&[image])
    };
    let bomb = |codec: Codec| codec.compress(&padded(100 << 20));
    // A dictionary of 1.5 GiB is claimed by the header of the first block.
    let mut greedy = Codec::Xz.compress(&tar(&entries("a")));
    greedy[16] = 38;
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00].to_vec();
    let mut items = vec![
        docker("a bit of a layer", &other(&|it| it[512] ^= 1), blobs),
        docker("a longer layer", &other(&|it| it.extend([0; 512])), blobs),
        docker("a shorter layer", &other(&|it| it.truncate(1024)), blobs),
        docker("an empty layer", &other(&|it| it.clear()), blobs),
        docker(
            "a layer of text",
            &other(&|it| *it = b"text".to_vec()),
            blobs,
        ),
        docker(
            "a window of gigabytes",
            &other(&|it| it.clone_from(&frame)),
            blobs,
        ),
        docker(
            "a dictionary of gigabytes",
            &other(&|it| it.clone_from(&greedy)),
            blobs,
        ),
    ];
    for codec in [Codec::Gzip, Codec::Zstd, Codec::Xz, Codec::Bzip2] {
        let packed = bomb(codec);
        items.push(docker(
            "a bomb",
            &other(&|it| it.clone_from(&packed)),
            blobs,
        ));
    }
    // What unpacks to what it should is a layer of zeros, and costs what it has.
    let zeros = padded(100 << 20);
    let image = Image::of_layers(&["app:1"], vec![zeros]).stored_as(Codec::Zstd);
    items.push(docker("zeros without end", &make::docker(&[image]), Taken));
    items
}

/// What is around the archive.
fn wrapped() -> Vec<Item> {
    let documents = Refused(Depth::Documents);
    let archive = make::tar(&make::docker(&[app()]));
    let of = |name, bytes: Vec<u8>, fate| Item {
        name,
        format: Format::Docker,
        bytes,
        fate,
    };
    let gzip = Codec::Gzip.compress(&archive);
    let mut items = vec![
        of("nothing", Vec::new(), documents),
        of("text", b"text".repeat(1000), documents),
        of("zeros", vec![0; 1 << 20], documents),
        of("cut off in data", archive[..1500].to_vec(), documents),
        of(
            "junk behind its end",
            [archive.as_slice(), b"junk"].concat(),
            Taken,
        ),
        of("packed twice", Codec::Gzip.compress(&gzip), documents),
        of(
            "packed and cut off",
            gzip[..gzip.len() - 9].to_vec(),
            documents,
        ),
    ];
    let bomb = [archive.as_slice(), &vec![0; 100 << 20]].concat();
    for codec in [Codec::Gzip, Codec::Zstd] {
        items.push(of("zeros behind its end", codec.compress(&bomb), Taken));
    }
    items
}

/// Entries of layers.
fn layers() -> Vec<Item> {
    let entries_ = Refused(Depth::Entries);
    let words = |words: &str| tar(&entries(words));
    let windows = extended("a", &pax("MSWINDOWS.rawsd", b"AQAEgA=="));
    let sparse = edited("b", b'S', b"", |it| {
        it[257..265].copy_from_slice(b"ustar  \0");
        set(&mut it[386..398], 1 << 60);
        set(&mut it[398..410], 0);
        set(&mut it[483..495], 1 << 60);
    });
    let small = Codec::Gzip.compress(&words("a"));
    let padding = padded(8 << 20);
    let huge_header = edited("x", b'x', b"", |it| set(&mut it[124..136], 4 << 30));
    [
        layer("up", words("a ../b"), entries_),
        layer("a link up", words("a b=>../a"), Unsound),
        layer("a link to the host", words("a b=>/etc/passwd"), entries_),
        layer("through a link", words("a->/etc a/passwd=x"), Taken),
        layer(
            "through a link that leads up",
            words("a->../../etc a/passwd=x"),
            Unsound,
        ),
        layer("the root is a link", words("./->x"), entries_),
        layer("links in a circle", words("a->b b->a a/x"), entries_),
        layer("a file and its folder", words("a a/x"), entries_),
        layer(
            "devices and setuid",
            words("a(c1:3) b(b8:1) c(p) d(04755)"),
            Taken,
        ),
        layer("control characters", words("\\x1b]0;x\\x07"), Taken),
        layer("no name", words("./"), Taken),
        layer("windows", with("b", &windows), Unmergeable),
        layer("sparse file of exabytes", with("a", &sparse), entries_),
        layer("packed twice", Codec::Gzip.compress(&small), entries_),
        layer("padding without end", padding, Taken),
        layer("PAX header of gigabytes", with("a", &huge_header), entries_),
        layer(
            "10,000 folders deep",
            words(&format!("{}x", "d/".repeat(10_000))),
            entries_,
        ),
        layer("a whiteout of nothing", words("d/ d/.wh."), entries_),
        layer("text", b"text".repeat(1000), entries_),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Runs every command on every input.
#[track_caller]
#[expect(clippy::print_stderr, reason = "it is for a person")]
fn check(items: Vec<Item>) {
    for Item {
        name,
        format,
        bytes,
        fate,
    } in items
    {
        let sandbox = Sandbox::new();
        sandbox.write("in.tar", &bytes);
        // Where the sandbox fails, this says with what.
        eprint!("{name}; ");
        let aside = Sandbox::new();
        aside.write("in.tar", &bytes);
        let input = format.at("in.tar");
        let run = aside.restow(&["delta", &input, &input, "delta"]);
        let has_delta = run.by(&LIMITS).run().code == Some(0);
        let delta = aside.path("delta");
        for command in COMMANDS {
            if command.applies() && !has_delta {
                assert_ne!(fate, Taken, "{name}");
                continue;
            }
            let arguments = command.arguments(&input, format, &delta);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            // The sandbox checks that a run which failed has left nothing.
            let run = sandbox.restow(&arguments).by(&LIMITS).run();
            let case = format!("{name}, {format:?}, {arguments:?}: {}", run.stderr);
            let is_refused = match fate {
                Refused(Depth::Entries) if command.depth == Depth::Headers => true,
                Refused(depth) => command.depth >= depth,
                Unmergeable => {
                    command.depth == Depth::Headers
                        || command.depth == Depth::Entries && command.writes()
                }
                Unsound => command.depth == Depth::Entries && !command.writes(),
                Taken | Either => false,
            };
            if is_refused || run.code != Some(0) {
                assert_eq!(run.code, Some(command.failure()), "{case}");
                assert!(is_refused || fate != Taken, "{case}");
                let errors = run.stderr.lines().filter(|it| it.starts_with("error: "));
                let errors = errors.count();
                // What only looks may have more than one thing to say.
                let is_clear = errors == 1 || errors > 1 && !command.writes();
                assert!(is_clear, "{case}");
                assert!(run.stderr.len() < 4096, "{case}");
            } else {
                sandbox.remove("out");
            }
            let is_plain = |it: char| it == '\n' || !it.is_control();
            assert!(run.stderr.chars().all(is_plain), "{case}");
            if !command.writes() {
                let shown = String::from_utf8_lossy(&run.stdout);
                assert!(shown.chars().all(is_plain), "{case}");
            }
            drop(run);
        }
        let report = sandbox.restow(&["verify", &input]).by(&LIMITS).run();
        assert_tied(name, &sandbox, &input, &report);
        drop(report);
        check_pipe(&sandbox, name, format, &bytes, fate);
        check_import(&sandbox, name);
    }
}

/// What comes through a pipe is taken apart as it comes, and is the same to all.
#[track_caller]
fn check_pipe(sandbox: &Sandbox, name: &str, format: Format, bytes: &[u8], fate: Fate) {
    let input = format.at("-");
    let run = sandbox.restow(&["convert", &input, "oci:out"]).by(&LIMITS);
    let run = run.stdin_pipe(bytes.to_vec()).run();
    let expected: &[i32] = match fate {
        Refused(depth) if depth <= Depth::Blobs => &[1],
        Refused(_) | Either => &[0, 1],
        Taken | Unmergeable | Unsound => &[0],
    };
    let is_expected = run.code.is_some_and(|code| expected.contains(&code));
    assert!(is_expected, "{name}: {run:?}");
    drop(run);
    let _ = std::fs::remove_dir_all(sandbox.path("out"));
}

/// To `import` any tar is a root filesystem: it may take it or not.
#[track_caller]
fn check_import(sandbox: &Sandbox, name: &str) {
    let arguments = ["import", "in.tar", "oci-archive:out"];
    let run = sandbox.restow(&arguments).by(&LIMITS).run();
    assert!(matches!(run.code, Some(0 | 1)), "{name}: {run:?}");
    drop(run);
}

#[test]
fn tars_around_images() {
    check(members());
    check(smuggled());
    check(wrapped());
}

#[test]
fn documents() {
    check(docker_documents());
    check(layout_documents());
}

#[test]
fn what_layers_hold() {
    check(blobs());
    check(layers());
}
