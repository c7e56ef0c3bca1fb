//! Compressed layers that are merged are kept unpacked in temporary files, where that is
//! possible, so that they are unpacked once. The output and the messages are the same where it
//! is not.

use std::fs;
use std::io::{Read, Write};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::support::codec::Codec;
use crate::support::cost::{MEMORY, measure};
use crate::support::judge::Format;
use crate::support::make::{self, Image, Member};
use crate::support::squash::put;
use crate::support::{Sandbox, Seed};

/// Bytes that do not become smaller.
fn noise(name: &str, size: usize) -> Vec<u8> {
    let mut seed = Seed::of(name);
    let noise = (0..size).map(|_| u8::try_from(seed.below(256)).expect("a byte"));
    noise.collect()
}

/// Three layers, of which the second replaces a file, and the third is small.
fn image() -> Image {
    let file = |name: &str, content| Member::file(name, content);
    let layers = [
        vec![
            file("low", noise("low", 300_000)),
            file("replaced", noise("replaced", 100_000)),
        ],
        vec![
            file("replaced", noise("new", 50_000)),
            file("text", vec![b'x'; 500_000]),
        ],
    ];
    let mut layers: Vec<Vec<u8>> = layers.iter().map(|it| make::tar(it)).collect();
    layers.push(make::layer("file b 2\nfile .wh.low"));
    Image::of_layers(&["app:1"], layers)
}

/// What reads the content of layers after their headers. The output is `out`.
fn readers(source: &str) -> Vec<Vec<String>> {
    [
        &["export", source, "out"][..],
        &["squash", "--all", source, "docker-archive:out"],
        &["squash", "--layers", "2..3", source, "oci-archive:out"],
        &[
            "squash",
            "--all",
            "--compress",
            "gzip",
            source,
            "oci-archive:out",
        ],
    ]
    .map(|words| words.iter().map(|&it| it.to_owned()).collect())
    .into()
}

/// The exit code, the messages, and the output, if there is one.
type Outcome = (Option<i32>, String, Option<Vec<u8>>);

/// Runs a command with this folder for temporary files, by another command if there are words.
fn run(sandbox: &Sandbox, arguments: &[String], temporary: Option<&str>, by: &[&str]) -> Outcome {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut run = sandbox.restow(&arguments);
    if let Some(temporary) = temporary {
        run = run.env("TMPDIR", temporary);
    }
    if !by.is_empty() {
        run = run.by(by);
    }
    let output = run.command().output().expect("the command can be started");
    sandbox.assert_no_temporaries();
    let written = fs::read(sandbox.path("out")).ok();
    if written.is_some() {
        sandbox.remove("out");
    }
    let said = String::from_utf8(output.stderr).expect("stderr is text");
    (output.status.code(), said, written)
}

#[test]
fn the_place_for_temporaries_makes_no_difference() {
    for codec in Codec::ALL {
        let sandbox = Sandbox::new();
        let source = put(&sandbox, "in", Format::Docker, &image().stored_as(codec));
        for arguments in readers(&source) {
            let expected = run(&sandbox, &arguments, None, &[]);
            assert_eq!(expected.0, Some(0), "{arguments:?}: {}", expected.1);
            assert!(expected.2.is_some(), "{arguments:?}");
            for temporary in ["missing", "/dev/shm", "/proc"] {
                let got = run(&sandbox, &arguments, Some(temporary), &[]);
                assert!(
                    got == expected,
                    "{codec:?}, {arguments:?} with {temporary}: {}",
                    got.1
                );
            }
        }
    }
}

/// The archive around the layers is compressed, and not each of them.
#[test]
fn a_compressed_archive_is_the_same_with_and_without_temporaries() {
    let sandbox = Sandbox::new();
    let members = make::docker(std::slice::from_ref(&image()));
    sandbox.write("in.tar.gz", Codec::Gzip.compress(&make::tar(&members)));
    for arguments in readers("in.tar.gz") {
        let expected = run(&sandbox, &arguments, None, &[]);
        assert_eq!(expected.0, Some(0), "{arguments:?}: {}", expected.1);
        let got = run(&sandbox, &arguments, Some("missing"), &[]);
        assert!(got == expected, "{arguments:?}: {}", got.1);
    }
}

#[test]
fn a_disk_that_takes_no_more_is_no_failure() {
    let sandbox = Sandbox::new();
    let stored = image().stored_as(Codec::Gzip);
    let source = put(&sandbox, "in", Format::Docker, &stored);
    let arguments = ["export", source.as_str()].map(str::to_owned);
    let export = |by: &[&str]| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut run = sandbox.restow(&arguments);
        if !by.is_empty() {
            run = run.by(by);
        }
        let output = run.command().output().expect("the command can be started");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            (output.status.code(), said.as_str()),
            (Some(0), ""),
            "{by:?}"
        );
        output.stdout
    };
    let expected = export(&[]);
    // Files of at most so many blocks of 512 bytes.
    for blocks in ["0", "8", "700"] {
        let script = format!("ulimit -f {blocks}; exec \"$@\"");
        assert!(
            export(&["/bin/sh", "-c", &script, "sh"]) == expected,
            "{blocks}"
        );
    }
}

/// Each copy is an open file, and there are more layers than files that may be open.
#[test]
fn copies_leave_open_files_to_everything_else() {
    let layers = (0..100).map(|at| make::layer(&format!("file f{at} 1")));
    let stored = Image::of_layers(&["app:1"], layers.collect()).stored_as(Codec::Gzip);
    for format in [Format::Docker, Format::Oci] {
        let sandbox = Sandbox::new();
        let source = put(&sandbox, "in", format, &stored);
        for arguments in readers(&source) {
            let expected = run(&sandbox, &arguments, None, &[]);
            assert_eq!(expected.0, Some(0), "{arguments:?}: {}", expected.1);
            for files in ["40", "80", "110"] {
                let script = format!("ulimit -n {files}; exec \"$@\"");
                let by = ["/bin/sh", "-c", &script, "sh"];
                let got = run(&sandbox, &arguments, None, &by);
                assert!(got == expected, "{files}, {arguments:?}: {}", got.1);
            }
        }
    }
}

/// Each layer has a fault in turn: its diff_id, or a byte of its blob.
#[test]
fn a_fault_is_told_in_the_same_words() {
    for codec in [Codec::Gzip, Codec::Zstd] {
        for at in 0..3 {
            let wrong_id = image().stored_as(codec).with_config(|config| {
                config["rootfs"]["diff_ids"][at] = json!(format!("sha256:{at:064}"));
            });
            let sound = image().stored_as(codec);
            for (fault, image, flipped) in [
                ("diff_id", &wrong_id, None),
                (
                    "a byte in the middle",
                    &sound,
                    Some(sound.layers[at].len() / 2),
                ),
                ("the first byte", &sound, Some(0)),
                ("the last byte", &sound, Some(sound.layers[at].len() - 1)),
            ] {
                let sandbox = Sandbox::new();
                let mut members = make::docker(std::slice::from_ref(image));
                if let Some(place) = flipped {
                    for member in &mut members {
                        if let Member::File(_, content) = member
                            && *content == image.layers[at]
                        {
                            content[place] ^= 1;
                        }
                    }
                }
                sandbox.write("in.tar", make::tar(&members));
                for arguments in readers("in.tar") {
                    let expected = run(&sandbox, &arguments, Some("missing"), &[]);
                    let case = format!("{codec:?}, layer {at}, {fault}, {arguments:?}");
                    assert_eq!((expected.0, &expected.2), (Some(1), &None), "{case}");
                    let got = run(&sandbox, &arguments, None, &[]);
                    assert_eq!(got, expected, "{case}");
                }
            }
        }
    }
}

#[test]
fn temporary_space_is_that_of_the_unpacked_layers_at_most() {
    let sandbox = Sandbox::new();
    let file = |name, size| Member::file(name, noise(name, size));
    let layers = [
        vec![file("large", 3_000_000), file("small", 100_000)],
        vec![file("small", 50_000)],
    ];
    let image = Image::of_layers(&["app:1"], layers.iter().map(|it| make::tar(it)).collect());
    let unpacked: usize = image.layers.iter().map(Vec::len).sum();
    let source = put(
        &sandbox,
        "in",
        Format::Docker,
        &image.stored_as(Codec::Gzip),
    );
    let export = |sandbox: &Sandbox| {
        let nothing = |_: &mut dyn Write| Ok(());
        let read = |stdout: &mut dyn Read| {
            // Until then, no more than a pipe holds can be written: a part of one file.
            thread::sleep(Duration::from_millis(300));
            let mut bytes = Vec::new();
            stdout.read_to_end(&mut bytes).expect("stdout can be read");
        };
        measure(
            sandbox.restow(&["export", &source]).command(),
            nothing,
            read,
        )
        .2
    };
    let cost = export(&sandbox);
    assert!(cost.memory < MEMORY, "{cost:?}");
    assert!(cost.spool <= unpacked as u64, "{cost:?}");
    let mut kind = Command::new("stat");
    let kind = kind.args(["-f", "-c", "%T"]).arg(sandbox.tmp()).output();
    let kind = kind.map(|it| String::from_utf8_lossy(&it.stdout).into_owned());
    let is_in_memory = kind.is_ok_and(|it| matches!(it.trim(), "tmpfs" | "ramfs"));
    assert_eq!(cost.spool > 0, !is_in_memory, "{cost:?}");
}
