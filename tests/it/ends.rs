//! The end of an archive, and the smallest tars: all commands agree on both.

use crate::support::codec::{Codec, digest};
use crate::support::layer;
use crate::support::make::{self, Image};
use crate::support::sandbox::Sandbox;

/// The commands that read any input, and the same through a pipe.
const COMMANDS: [&[&str]; 6] = [
    &["images", "IN"],
    &["inspect", "IN"],
    &["history", "IN"],
    &["convert", "IN", "oci:out"],
    &["convert", "IN", "docker-archive:out.tar"],
    &["export", "IN", "out.tar"],
];

fn archive() -> Vec<u8> {
    let image = Image::new(&["app:1"], &["file a 1"]);
    make::tar(&make::docker(&[image]))
}

fn rootfs() -> Vec<u8> {
    layer::tar(&crate::support::entry::entries("etc/ etc/hosts=localhost"))
}

fn ended(line: &str) -> String {
    format!("{line}\n")
}

fn warning_line(warning: &str) -> String {
    format!("warning: {warning}\n")
}

/// Runs a command on the bytes as a file and as a pipe, and returns what both ended with:
/// the code, and standard error without the line that names the input.
#[track_caller]
fn said(command: &[&str], input: &[u8]) -> (Option<i32>, String) {
    let [file, pipe] = [false, true].map(|is_pipe| {
        let sandbox = Sandbox::new();
        let source = if is_pipe { "-" } else { "in" };
        let words: Vec<&str> = command
            .iter()
            .map(|word| if *word == "IN" { source } else { word })
            .collect();
        let run = sandbox.restow(&words);
        let output = if is_pipe {
            run.stdin_pipe(input.to_vec()).run()
        } else {
            sandbox.write("in", input);
            run.run()
        };
        let lines = output.stderr.lines();
        let lines = lines.filter(|line| !line.starts_with("error: cannot read "));
        (output.code, lines.map(ended).collect())
    });
    assert_eq!(file, pipe, "{command:?}");
    file
}

/// The findings of `verify`.
#[track_caller]
fn findings(input: &[u8]) -> Vec<String> {
    let sandbox = Sandbox::new();
    sandbox.write("in", input);
    let output = sandbox.run(&["verify", "in"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines = text.lines().filter(|line| line.contains("] "));
    lines.map(str::to_owned).collect()
}

/// Checks that all commands that read an archive warn of this, and go on.
#[track_caller]
fn warns(name: &str, input: &[u8], warnings: &[&str], found: &[&str]) {
    let warned: String = warnings.iter().map(|it| warning_line(it)).collect();
    for command in COMMANDS {
        assert_eq!(said(command, input), (Some(0), warned.clone()), "{name}");
    }
    assert_eq!(findings(input), found, "{name}");
}

#[test]
fn bytes_after_the_end_of_an_archive_are_told() {
    let layout = {
        let mut layout = make::Layout::default();
        layout.add(&Image::new(&["app:1"], &["file a 1"]));
        make::tar(&layout.members())
    };
    for (kind, tar) in [("docker", archive()), ("oci", layout), ("rootfs", rootfs())] {
        let second = rootfs();
        let size = second.len();
        let padding = vec![0; 20_480];
        let another =
            format!("another tar follows the end of the first one; its {size} bytes are ignored");
        let junk = "2048 bytes follow the end of the tar; they are ignored";
        let cases = [
            ("padding", [tar.clone(), padding.clone()].concat(), None),
            (
                "a tar",
                [tar.clone(), second.clone()].concat(),
                Some(another.as_str()),
            ),
            (
                "padding and a tar",
                [tar.clone(), padding.clone(), second.clone()].concat(),
                Some(another.as_str()),
            ),
            ("junk", [tar.clone(), vec![7; 2048]].concat(), Some(junk)),
        ];
        for (name, bytes, warning) in cases {
            for codec in [Codec::Plain, Codec::Gzip, Codec::Zstd] {
                let name = format!("{kind}, {name}, {codec:?}");
                let found = warning.map(|it| format!("warning[archive-trailing] {it}"));
                let found: Vec<&str> = found.iter().map(String::as_str).collect();
                let warnings: Vec<&str> = warning.into_iter().collect();
                warns(&name, &codec.compress(&bytes), &warnings, &found);
            }
        }
        // `cat` of two compressed archives is one stream of two members.
        for codec in [Codec::Gzip, Codec::Zstd] {
            let joined = [codec.compress(&tar), codec.compress(&second)].concat();
            let found = format!("warning[archive-trailing] {another}");
            warns(kind, &joined, &[&another], &[&found]);
        }
    }
}

#[test]
fn bytes_after_the_end_of_a_gzip_stream_are_told() {
    let zipped = Codec::Gzip.compress(&archive());
    let padded = [zipped.as_slice(), &[0; 1000]].concat();
    let followed = [zipped.as_slice(), b"junk"].concat();
    // gzip(1) takes zeros there; skopeo, and Docker without `unpigz`, do not.
    let found = |size: usize| {
        format!(
            "warning[archive-compression-trailing] {size} bytes follow the end of its gzip stream"
        )
    };
    warns("zeros", &padded, &[], &[&found(1000)]);
    let warning = "4 bytes follow the end of the compressed stream; they are ignored";
    warns("junk", &followed, &[warning], &[&found(4)]);
    let plain = make::layer("file a 1");
    for after in [&[0; 1000][..], b"junk"] {
        let mut image = Image::of_layers(&["app:1"], vec![plain.clone()]);
        image.layers = vec![[Codec::Gzip.compress(&plain).as_slice(), after].concat()];
        let found = format!(
            "error[compression-trailing] layer 1 of 1 of `app:1`: {} bytes follow the end of its gzip stream",
            after.len()
        );
        assert_eq!(findings(&make::tar(&make::docker(&[image]))), [found]);
    }
}

/// Bytes after the end of a layer are part of it.
#[test]
fn bytes_after_the_end_of_a_layer_are_passed_on() {
    let tail = [make::layer("file a 1"), rootfs()].concat();
    let image = Image::of_layers(&["app:1"], vec![tail.clone()]);
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&make::docker(&[image])));
    sandbox.run(&["convert", "in.tar", "oci:out"]).silent();
    let stored = sandbox
        .path("out/blobs/sha256")
        .join(&digest(&tail)["sha256:".len()..]);
    assert_eq!(std::fs::read(stored).expect("the layer is there"), tail);
}

/// One empty block may end a tar, but nothing may follow it: every engine refuses that.
#[test]
fn anything_after_a_lone_empty_block_is_an_error() {
    let end = |tar: Vec<u8>| [&tar[..tar.len() - 512], &[7; 512]].concat();
    let (archive, rootfs) = (archive(), rootfs());
    let layer = make::layer("file a 1");
    let image = Image::of_layers(&["app:1"], vec![end(layer.clone())]);
    for (tar, is_layer) in [
        (end(archive), false),
        (end(rootfs), false),
        (make::tar(&make::docker(&[image])), true),
    ] {
        let found = findings(&tar);
        let says = "after an end-of-archive block";
        assert!(
            found[0].starts_with("error[") && found[0].contains(says),
            "{found:?}"
        );
        for command in [COMMANDS[3], COMMANDS[5]] {
            // `convert` does not look into layers.
            if is_layer && command[0] == "convert" {
                continue;
            }
            let (code, said) = said(command, &tar);
            assert!(
                code == Some(1) && said.contains(says),
                "{command:?}: {said}"
            );
        }
    }
}

/// A hole of terabytes after the end costs nothing, and what is after it is seen.
#[test]
fn holes_after_the_end_are_passed_over() {
    use std::os::unix::fs::FileExt;
    let sandbox = Sandbox::new();
    let end = 1_u64 << 40;
    for (after, expected) in [
        (None, ""),
        (
            Some(rootfs()),
            "warning: another tar follows the end of the first one; its 2560 bytes are ignored\n",
        ),
    ] {
        sandbox.write("in.tar", archive());
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(sandbox.path("in.tar"));
        let file = file.expect("the archive can be opened");
        if file.set_len(end).is_err() {
            return crate::support::tools::skip(
                "holes_after_the_end_are_passed_over",
                "the file system has no files of a terabyte",
            );
        }
        if let Some(after) = &after {
            file.write_all_at(after, end).expect("it can be written");
        }
        // The sandbox would read all of the file to see that it stays as it is.
        let output = sandbox.restow(&["images", "in.tar"]).command().output();
        let output = output.expect("the command can be started");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*said), (Some(0), expected));
    }
}

/// A name, the tar, the warning of the commands, and the finding of `verify`.
type BareTar = (
    &'static str,
    Vec<u8>,
    Option<&'static str>,
    Option<&'static str>,
);

/// All commands take what `docker import` takes, with a warning where it is odd.
#[test]
fn all_commands_agree_on_what_a_bare_tar_is() {
    let whole = rootfs();
    let entries = &whole[..whole.len() - 1024];
    let mut pax = Vec::new();
    let records = layer::pax("path", b"x");
    let mut extended = layer::header(b"x", b'x', layer::Dialect::Pax);
    layer::set(&mut extended[124..136], records.len() as i128);
    layer::member(&mut pax, extended, &records);
    let cut = "the tar has no end-of-archive block; it may be truncated";
    let empty = "the tar has no entries, so the root filesystem is empty";
    let found_empty = "warning[rootfs-empty] the root filesystem has no entries";
    let cases: [BareTar; 7] = [
        ("whole", whole.clone(), None, None),
        ("one end block", [entries, &[0; 512]].concat(), None, None),
        (
            "no end block",
            entries.to_vec(),
            Some(cut),
            Some(
                "warning[tar-end-missing] layer 1 of 1 of `rootfs`: the tar of a layer has no end-of-archive block",
            ),
        ),
        (
            "only a PAX header",
            [pax.as_slice(), &[0; 1024]].concat(),
            Some(empty),
            Some(found_empty),
        ),
        (
            "one zero block",
            vec![0; 512],
            Some(empty),
            Some(found_empty),
        ),
        (
            "two zero blocks",
            vec![0; 1024],
            Some(empty),
            Some(found_empty),
        ),
        ("zeros", vec![0; 100_000], Some(empty), Some(found_empty)),
    ];
    for (name, bytes, warning, found) in cases {
        for codec in [Codec::Plain, Codec::Gzip] {
            let packed = codec.compress(&bytes);
            let warnings: Vec<&str> = warning.into_iter().collect();
            let found: Vec<&str> = found.into_iter().collect();
            warns(name, &packed, &warnings, &found);
            let warned = warnings.iter().map(|it| warning_line(it));
            let imported = said(&["import", "IN", "out.tar"], &packed);
            assert_eq!(imported, (Some(0), warned.collect()), "{name}");
        }
    }
}

#[test]
fn what_is_no_tar_is_refused_by_all_commands_and_named() {
    let disk = |at: usize, mark: &[u8]| {
        let mut disk = vec![0; 200_000];
        disk[at..at + mark.len()].copy_from_slice(mark);
        disk
    };
    let cases: [(&str, Vec<u8>, &str); 7] = [
        ("empty", Vec::new(), "it is empty"),
        (
            "GPT",
            disk(512, b"EFI PART"),
            "looks like a disk image (GPT)",
        ),
        (
            "ext4",
            disk(1080, b"\x53\xef"),
            "looks like a disk image (ext4)",
        ),
        (
            "ISO",
            disk(32_769, b"CD001"),
            "looks like a disk image (ISO 9660)",
        ),
        ("unknown, later", disk(150_000, b"x"), "unknown file format"),
        (
            "zip",
            b"PK\x03\x04 and so on".to_vec(),
            "looks like a zip archive",
        ),
        (
            "PowerShell",
            b"\xff\xfea\0b\0".to_vec(),
            "looks like UTF-16 text",
        ),
    ];
    for (name, bytes, looks) in cases {
        for codec in [Codec::Plain, Codec::Gzip] {
            let packed = codec.compress(&bytes);
            let image = match name {
                "empty" => looks.to_owned(),
                _ => format!(
                    "it is not a container image ({looks}); expected a docker archive, an OCI layout or a tar"
                ),
            };
            for command in COMMANDS.iter().chain([&["verify", "IN"] as &[&str]].iter()) {
                let (code, said) = said(command, &packed);
                let first = said.lines().next().map(str::to_owned);
                let expected = Some(format!("  caused by: {image}"));
                assert_eq!((code, first), (Some(1), expected), "{command:?}: {name}");
            }
            let tar = match name {
                "empty" => looks.to_owned(),
                _ => format!("it is not a tar ({looks})"),
            };
            let (code, said) = said(&["import", "IN", "out.tar"], &packed);
            let first = said.lines().next().map(str::to_owned);
            let expected = Some(format!("  caused by: {tar}"));
            assert_eq!((code, first), (Some(1), expected), "import: {name}");
        }
    }
}
