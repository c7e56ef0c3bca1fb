//! What is read for it: documents, and headers of plain layers.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use expect_test::expect;
use restow::{Event, ImagesOptions, Input, InspectOptions, Place, Session, SizeChoice};
use serde_json::{Value, json};

use crate::support::Sandbox;
use crate::support::codec::Codec;
use crate::support::cost::measure;
use crate::support::layer::{Dialect, header, set};
use crate::support::make::{self, Image, Layout, Member};

/// What the commands may take of memory for an archive of gigabytes; a binary that is not
/// optimized is four times as large itself.
const MEMORY: u64 = if cfg!(debug_assertions) { 24 } else { 16 } << 20;

const GIB: u64 = 1 << 30;

/// A header of a member of so many bytes.
fn head(name: &str, size: u64) -> [u8; 512] {
    let mut header = header(name.as_bytes(), b'0', Dialect::Gnu);
    set(&mut header[124..136], size.into());
    let sum: u32 = (0..512)
        .map(|at| {
            if (148..156).contains(&at) {
                32
            } else {
                u32::from(header[at])
            }
        })
        .sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// Writes an archive with a layer of two files of 3 GiB that take no room on disk, and are not what
/// its `diff_id` says.
fn write_huge(file: &mut File) -> std::io::Result<()> {
    let files = 2;
    let layer = files * (512 + 3 * GIB) + 1024;
    let config = json!({
        "os": "linux", "architecture": "amd64", "config": {"Cmd": ["x"]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", "1".repeat(64))]},
    })
    .to_string();
    let manifest = json!([{"Config": "c.json", "RepoTags": ["huge:1"], "Layers": ["l.tar"]}]);
    file.write_all(&head("l.tar", layer))?;
    for number in 0..files {
        file.write_all(&head(&number.to_string(), 3 * GIB))?;
        file.seek(SeekFrom::Current(3 << 30))?;
    }
    file.write_all(&[0; 1024])?;
    for (name, content) in [("c.json", config), ("manifest.json", manifest.to_string())] {
        file.write_all(&head(name, content.len() as u64))?;
        let padded = content.len().next_multiple_of(512);
        let mut content = content.into_bytes();
        content.resize(padded, 0);
        file.write_all(&content)?;
    }
    file.write_all(&[0; 1024])
}

#[test]
fn content_is_neither_read_nor_held() {
    let sandbox = Sandbox::new();
    let mut file = File::create(sandbox.path("in.tar")).expect("a file can be made");
    write_huge(&mut file).expect("it can be written");
    for command in ["images", "inspect", "history"] {
        let run = sandbox.restow(&[command, "--json", "in.tar"]);
        let read = |stdout: &mut dyn std::io::Read| {
            let mut text = String::new();
            stdout.read_to_string(&mut text).expect("it is text");
            serde_json::from_str::<Value>(&text).expect("it is JSON")
        };
        let (value, said, cost) = measure(run.command(), |_: &mut dyn Write| Ok(()), read);
        assert_eq!(said, "", "{command}");
        assert!(cost.memory < MEMORY, "{command}: {} bytes", cost.memory);
        let size = match command {
            "images" => &value["images"][0]["content_size"],
            "inspect" => &value["layers"][0]["content_size"],
            _ => &value["history"][0]["content_size"],
        };
        assert_eq!(*size, 6 * GIB, "{command}");
    }
}

/// An image with layers that begin as gzip streams and are none.
fn unreadable() -> Image {
    let mut image = Image::new(&["app:1"], &["file a 1", "file b 2"]);
    for layer in &mut image.layers {
        *layer = [&b"\x1f\x8b\x08\0"[..], &layer[..]].concat();
    }
    image
}

#[test]
fn a_compressed_layer_is_read_only_for_its_size() {
    let sandbox = Sandbox::new();
    let images = [unreadable()];
    sandbox.write("docker.tar", make::tar(&make::docker(&images)));
    sandbox.write("hybrid.tar", make::tar(&make::hybrid(&images)));
    let mut layout = Layout::default();
    layout.add(&images[0]);
    sandbox.write("oci.tar", make::tar(&layout.members()));
    sandbox.write(
        "oci.tar.gz",
        Codec::Gzip.compress(&make::tar(&layout.members())),
    );
    for member in layout.members() {
        if let Member::File(path, content) = member {
            sandbox.write(&format!("layout/{path}"), content);
        }
    }
    for source in [
        "docker.tar",
        "hybrid.tar",
        "oci.tar",
        "oci.tar.gz",
        "layout",
    ] {
        for command in [
            &["images"][..],
            &["images", "--json"],
            &["inspect"],
            &["inspect", "--format", ".layers"],
            &["history"],
            // These print no sizes.
            &["images", "--size", "--quiet"],
            &["inspect", "--size", "--format", ".id"],
            &["history", "--size", "--quiet"],
        ] {
            let output = sandbox.run(&[command, &[source]].concat());
            assert!(!output.data("").is_empty(), "{command:?} {source}");
        }
        for command in [
            &["images", "--size"][..],
            &["inspect", "--size"],
            &["inspect", "--size", "--format", ".layers"],
            &["history", "--size"],
        ] {
            let output = sandbox.run(&[command, &[source]].concat());
            let (printed, mut warnings) = output.data_and_warnings();
            assert!(!printed.is_empty(), "{command:?} {source}");
            // Two layers are read at once.
            warnings.sort();
            expect![[r#"
                warning: cannot read layer 1 of 2 of `app:1`, so its size is unknown: its gzip stream is damaged: corrupt deflate stream
                warning: cannot read layer 2 of 2 of `app:1`, so its size is unknown: its gzip stream is damaged: corrupt deflate stream"#]]
            .assert_eq(&warnings.join("\n"));
        }
    }
}

/// The number of bytes read, of which headers in place and documents are no part, by `images`,
/// `inspect` and `history`.
fn bytes_read(input: &dyn Fn() -> Input, sizes: SizeChoice) -> [u64; 3] {
    let read = AtomicU64::new(0);
    let session = Session::new().on_event(|event| {
        if let Event::Advanced(bytes) = event {
            read.fetch_add(bytes, Ordering::Relaxed);
        }
    });
    let mut images = ImagesOptions::default();
    images.sizes = sizes;
    let mut inspect = InspectOptions::default();
    inspect.sizes = sizes;
    session.images(input(), &images).expect("images");
    let first = read.swap(0, Ordering::Relaxed);
    session.inspect(input(), &inspect).expect("an inspection");
    let second = read.swap(0, Ordering::Relaxed);
    session.history(input(), &inspect).expect("a history");
    [first, second, read.swap(0, Ordering::Relaxed)]
}

#[test]
fn an_archive_is_read_no_more_than_it_must_be() {
    let sandbox = Sandbox::new();
    let plain = Image::new(&["app:1"], &["file a 1", "file b 2"]);
    let packed = plain.clone().stored_as(Codec::Gzip);
    let layers = |image: &Image| image.layers.iter().map(|it| it.len() as u64).sum::<u64>();
    let stored = layers(&packed);
    let [plain, packed] = [plain, packed].map(|it| make::tar(&make::docker(&[it])));
    let flat = make::layer("file a 1");
    let size = |bytes: &[u8]| bytes.len() as u64;
    let zipped = Codec::Gzip.compress(&packed);
    let [whole, zip, root] = [size(&packed), size(&zipped), size(&flat)];
    for (name, bytes, [in_file, with_sizes], in_pipe) in [
        ("plain", &plain, [0, 0], size(&plain)),
        ("gzip layers", &packed, [0, stored], whole),
        // The pipe is stored first.
        ("gzip archive", &zipped, [zip, zip + stored], 2 * zip),
        // Its id is a hash of all of it.
        ("rootfs", &flat, [root, root], 2 * root),
    ] {
        sandbox.write("in", bytes);
        let file = || Input::path(sandbox.path("in"));
        let pipe = || Input::pipe(io::Cursor::new(bytes.clone()), Place::StandardInput);
        for (sizes, expected) in [
            (SizeChoice::None, in_file),
            (SizeChoice::Headers, in_file),
            (SizeChoice::All, with_sizes),
        ] {
            assert_eq!(bytes_read(&file, sizes), [expected; 3], "{name}, {sizes:?}");
        }
        let read = bytes_read(&pipe, SizeChoice::Headers);
        assert_eq!(read, [in_pipe; 3], "{name}, in a pipe");
    }
}

#[test]
fn layers_of_several_inputs_are_one_job() {
    let sandbox = Sandbox::new();
    let image = |name: &str| Image::new(&[name], &["file a 1", "file b 2"]).stored_as(Codec::Gzip);
    let [one, two] = ["one:1", "two:1"].map(image);
    let stored = |image: &Image| image.layers.iter().map(|it| it.len() as u64).sum::<u64>();
    let expected = (stored(&one) + stored(&two), Some(4));
    sandbox.write("one.tar", make::tar(&make::docker(&[one])));
    let zipped = Codec::Gzip.compress(&make::tar(&make::docker(&[two])));
    sandbox.write("two.tar.gz", zipped);
    let jobs = Mutex::new(Vec::new());
    let session = Session::new().on_event(|event| {
        if let Event::Started { bytes, steps, .. } = event {
            jobs.lock().expect("no panic").push((bytes, steps));
        }
    });
    let mut options = ImagesOptions::default();
    options.sizes = SizeChoice::All;
    let inputs = ["one.tar", "missing.tar", "two.tar.gz"];
    let inputs = inputs.map(|name| (Input::path(sandbox.path(name)), options.clone()));
    let results = session.images_of_all(inputs.into());
    let names = results.into_iter().map(|result| {
        let list = result.map_err(|error| error.to_string())?;
        let image = list.listed[0].found.image.as_ref().expect("an image");
        let size = image.size.and_then(|size| size.content);
        Ok((
            list.listed[0].reference.as_ref().map(ToString::to_string),
            size,
        ))
    });
    let missing = sandbox.path("missing.tar");
    assert_eq!(
        names.collect::<Vec<Result<_, String>>>(),
        [
            Ok((Some("one:1".to_owned()), Some(2))),
            Err(format!("cannot read `{}`", missing.display())),
            Ok((Some("two:1".to_owned()), Some(2))),
        ]
    );
    assert_eq!(*jobs.lock().expect("no panic"), [expected]);
}
