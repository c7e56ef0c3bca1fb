//! What is read is compared with its digests, however it is read, and what is not needed
//! by the same rule in every run.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use restow::{Event, ExportOptions, Input, Output, Session, Step};

use crate::support::Sandbox;
use crate::support::codec::{Codec, digest, hex};
use crate::support::judge::Format;
use crate::support::make::{self, Image, Layout, Member};
use crate::support::squash::put;

/// The layer of the good copy, and one of the same size.
const GOOD: &str = "file f x";
const BAD: &str = "file f y";

/// The error for a layer that has another diff_id than the good one.
fn mismatch(layer: &str, expected: &str, got: &str) -> String {
    format!(
        "error: cannot read {layer}\n  \
         caused by: layer does not match its diff_id: expected {expected}, got {got}\n"
    )
}

#[test]
fn every_copy_of_a_layer_in_one_input_is_compared() {
    let sandbox = Sandbox::new();
    let images = ["a:1", "b:1"].map(|tag| Image::new(&[tag], &[GOOD]));
    let mut members = make::docker(&images);
    for member in &mut members {
        if let Member::Symlink(name, _) = member {
            *member = Member::file(name.clone(), make::layer(BAD));
        }
    }
    sandbox.write("in.tar", make::tar(&members));
    let [good, bad] = [GOOD, BAD].map(|text| digest(&make::layer(text)));
    for jobs in ["1", "2", "8"] {
        for output in ["out.tar", "oci:out", "-"] {
            let arguments = ["convert", "--jobs", jobs, "in.tar", output];
            let said = sandbox.run(&arguments);
            let expected = mismatch("layer 1 of 1 of `b:1`", &good, &bad);
            assert_eq!((said.code, said.stderr), (Some(1), expected), "{output}");
        }
    }
    sandbox
        .run(&["convert", "--image", "a:1", "in.tar", "oci:out"])
        .silent();
}

/// Writes a layout of an image of one layer, whose blob has these bytes.
fn put_layout(sandbox: &Sandbox, name: &str, content: &str) {
    let image = Image::new(&[&format!("{name}:1")], &[GOOD]);
    put(sandbox, name, Format::Oci, &image);
    let path = format!("{name}/blobs/sha256/{}", hex(&image.diff_ids[0]));
    sandbox.write(&path, make::layer(content));
}

#[test]
fn of_a_layer_in_several_inputs_the_first_copy_is_read() {
    let sandbox = Sandbox::new();
    put_layout(&sandbox, "a", GOOD);
    put_layout(&sandbox, "b", BAD);
    let [good, bad] = [GOOD, BAD].map(|text| digest(&make::layer(text)));
    for jobs in ["1", "8"] {
        let convert = |sources: [&str; 2], output: &str| {
            let mut arguments = vec!["convert", "--force", "--jobs", jobs];
            arguments.extend(sources);
            arguments.push(output);
            sandbox.run(&arguments)
        };
        convert(["oci:a", "oci:b"], "out.tar").silent();
        sandbox.run(&["verify", "-q", "out.tar"]).silent();
        convert(["oci:b", "oci:a"], "other.tar").fails(&format!(
            "error: cannot read layer 1 of 1 of `b:1`\n  \
             caused by: blob does not match its digest: expected {good}, got {bad}\n"
        ));
    }
}

#[test]
fn a_layer_that_stays_in_place_is_compared_if_it_was_read() {
    let wrong = format!("sha256:{}", "0".repeat(64));
    let image = Image::new(&["app:1"], &["file a 1", "file b 2", "file c 3"]);
    let actual = image.diff_ids[0].clone();
    let image = image.stored_as(Codec::Gzip);
    let image = image.with_config(|it| it["rootfs"]["diff_ids"][0] = wrong.clone().into());
    let sandbox = Sandbox::new();
    put(&sandbox, "lay", Format::Oci, &image);
    for command in [
        ["squash", "--layers", "2..3"].as_slice(),
        &["append", "--delete", "/a"],
        &["rebase", "--from", "scratch", "--onto", "scratch"],
    ] {
        let mut arguments = command.to_vec();
        arguments.extend(["-t", "new:1", "oci:lay", "oci:lay"]);
        let expected = mismatch("layer 1 of 3 of `app:1`", &wrong, &actual);
        sandbox.run(&arguments).fails(&expected);
    }
    // Nothing of it is read.
    let arguments = [
        "config", "--label", "a=b", "-t", "new:1", "oci:lay", "oci:lay",
    ];
    sandbox.run(&arguments).silent();
}

#[test]
fn an_uncompressed_layer_that_stays_in_place_is_compared_if_its_headers_were_read() {
    let sandbox = Sandbox::new();
    put_layout(&sandbox, "lay", BAD);
    let [good, bad] = [GOOD, BAD].map(|text| digest(&make::layer(text)));
    for command in [
        ["append", "--delete", "/f"].as_slice(),
        &["rebase", "--from", "scratch", "--onto", "scratch"],
    ] {
        let mut arguments = command.to_vec();
        arguments.extend(["-t", "new:1", "oci:lay", "oci:lay"]);
        sandbox.run(&arguments).fails(&format!(
            "error: cannot read layer 1 of 1 of `lay:1`\n  \
             caused by: blob does not match its digest: expected {good}, got {bad}\n"
        ));
    }
}

#[test]
fn headers_that_change_after_they_were_read_are_noticed() {
    let sandbox = Sandbox::new();
    let image = Image::new(&["app:1"], &["file secret s", "file b 2"]);
    let mut archive = make::tar(&make::docker(&[image]));
    let mut windows = archive.windows(7);
    let name = windows
        .position(|it| it == b"secret\0")
        .expect("it is there");
    let mode = name + 100;
    assert_eq!(&archive[mode..mode + 7], b"0000644");
    // The sum of the header stays.
    archive[mode + 4..mode + 6].copy_from_slice(b"46");
    sandbox.write("in.tar", archive);
    let path = sandbox.path("in.tar");
    let is_restored = AtomicBool::new(false);
    let restore = |event: Event<'_>| {
        // Layer 1 was scanned with the wrong mode, and nothing is hashed yet.
        if let Event::Step(Step::Reading("layer 2 of 2 of `app:1`")) = event
            && !is_restored.swap(true, Ordering::Relaxed)
        {
            // The clock of the file system ticks a few times.
            thread::sleep(Duration::from_millis(50));
            let file = OpenOptions::new().write(true).open(&path);
            let mut file = file.expect("it is there");
            let at = SeekFrom::Start(mode as u64 + 4);
            file.seek(at)
                .and_then(|_| file.write_all(b"64"))
                .expect("it can be written");
        }
    };
    let session = Session::new().jobs(1).temporary_directory(sandbox.tmp());
    let session = session.on_event(restore);
    let images = session.open(Input::path(&path)).expect("it is an archive");
    let output = Output::path(restow::Format::Rootfs, sandbox.path("out.tar"));
    let exported = session.export(&images, output, &ExportOptions::default());
    let error = exported.expect_err("the input has changed");
    let mut causes = vec![error.to_string()];
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    assert_eq!(
        causes,
        [
            "cannot read layer 1 of 2 of `app:1`",
            "the file changed while it was read"
        ]
    );
    assert!(is_restored.load(Ordering::Relaxed));
    assert!(!sandbox.path("out.tar").exists());
}

#[test]
fn a_layer_that_engines_refuse_for_its_end_is_kept_with_a_warning() {
    for (end, size) in [(b"junk!".to_vec(), 5), (vec![0; 100], 100)] {
        let mut image = Image::new(&["app:1"], &["file a 1"]).stored_as(Codec::Gzip);
        image.layers[0].extend(end);
        let sandbox = Sandbox::new();
        put(&sandbox, "lay", Format::Oci, &image);
        let mut layout = Layout::default();
        layout.add(&image);
        let archive = make::tar(&layout.members());
        let warning = format!(
            "warning: {size} bytes follow the end of the compressed stream of layer 1 of 1 of \
             `app:1`: containerd, and Docker without `unpigz`, refuse the image\n  \
             hint: `restow convert --compress gzip:6` writes the layer anew\n"
        );
        for command in [
            ["convert"].as_slice(),
            &["config", "--label", "a=b"],
            &["append", "--delete", "/a"],
            &["rebase", "--from", "scratch", "--onto", "scratch"],
        ] {
            for output in ["out.tar", "oci:out"] {
                let mut arguments = command.to_vec();
                arguments.extend(["oci:lay", output]);
                let (_, said) = sandbox.run(&arguments).reports();
                let said = said.iter().filter(|it| it.contains("compressed stream"));
                let expected = warning.lines().next();
                assert_eq!(
                    said.collect::<Vec<_>>(),
                    Vec::from_iter(expected),
                    "{command:?}"
                );
                sandbox.remove(output.trim_start_matches("oci:"));
            }
        }
        let piped = sandbox.restow(&["convert", "-", "oci:out"]);
        piped.stdin_pipe(archive).run().warns(&warning);
        sandbox
            .run(&["convert", "--compress", "gzip:6", "oci:lay", "new.tar"])
            .silent();
        sandbox.run(&["verify", "-q", "new.tar"]).silent();
    }
}
