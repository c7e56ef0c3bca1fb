//! Faults of the machine: a disk that is full, an input that cannot be read or changes
//! while it is read, a place that cannot be written to.
//!
//! One clear message, nothing half-written, no temporary. The library is called where a
//! reader or a writer has to fail at every byte; the command everywhere else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use restow::{ConvertOptions, Format, Input, Output, Place, Session};

use expect_test::expect;

use crate::support::codec::Codec;
use crate::support::expected::Expected;
use crate::support::make::{self, Image, Member};
use crate::support::sandbox::{Tree, tree};
use crate::support::{Sandbox, commands, judge, testdata, tools};

/// A small docker-archive, whose documents come last.
fn small() -> Vec<u8> {
    make::tar(&make::docker(&[Image::new(
        &["app:1"],
        &["dir etc\nfile etc/hosts h", "file b 2"],
    )]))
}

/// A stream that is all right up to a byte.
struct Failing {
    bytes: Vec<u8>,
    at: usize,
}

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.bytes.len() {
            return Err(io::Error::from_raw_os_error(5));
        }
        let length = buffer.len().min(self.bytes.len() - self.at);
        buffer[..length].copy_from_slice(&self.bytes[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

/// A stream that takes some bytes and no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let length = buffer.len().min(self.0);
        self.0 -= length;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Converts by way of the library.
fn convert(input: Input, output: Output, temporary: &Path) -> restow::Result<()> {
    let session = Session::new().jobs(1).temporary_directory(temporary);
    let report = session.convert(input, output, &ConvertOptions::default());
    report.map(drop)
}

/// The texts of an error and of its causes.
fn chain(error: &restow::Error) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        texts.push(cause.to_string());
        source = cause.source();
    }
    texts
}

const FORMATS: [Format; 3] = [
    Format::DockerArchive,
    Format::OciDirectory,
    Format::OciArchive,
];

#[test]
fn a_pipe_that_fails_at_any_byte() {
    let sandbox = Sandbox::new();
    let archive = small();
    for bytes in [archive.clone(), Codec::Gzip.compress(&archive)] {
        for length in (0..bytes.len()).step_by(211) {
            for format in FORMATS {
                let stream = Failing {
                    bytes: bytes[..length].to_vec(),
                    at: 0,
                };
                let input = Input::pipe(stream, Place::StandardInput);
                let output = Output::path(format, sandbox.path("out"));
                let error = convert(input, output, &sandbox.tmp());
                let said = chain(&error.expect_err("the input failed"));
                let case = format!("{format:?}, byte {length} of {}: {said:?}", bytes.len());
                assert_eq!(
                    said.first().map(String::as_str),
                    Some("cannot read standard input"),
                    "{case}"
                );
                let reason = "Input/output error (os error 5)";
                assert_eq!(said.last().map(String::as_str), Some(reason), "{case}");
                assert_eq!(sandbox.tree(), Tree::new(), "{case}");
                sandbox.assert_no_temporaries();
            }
        }
    }
}

#[test]
fn a_stream_that_takes_no_more_at_any_byte() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", small());
    let input = || Input::path(sandbox.path("in.tar"));
    for format in [Format::DockerArchive, Format::OciArchive] {
        let mut room = 0;
        loop {
            let output = Output::stream(format, Full(room), Place::StandardOutput);
            let Err(error) = convert(input(), output, &sandbox.tmp()) else {
                break;
            };
            let expected = [
                "cannot write standard output",
                &io::Error::from(io::ErrorKind::StorageFull).to_string(),
            ];
            assert_eq!(chain(&error), expected, "{format:?}, {room} bytes");
            sandbox.assert_no_temporaries();
            room += 101;
        }
        assert!(room > 5_000, "{format:?}: {room}");
    }
}

/// What writes an image, and what writes a tar.
fn writers() -> Vec<Vec<String>> {
    let words = |words: &[&str]| words.iter().map(|&it| it.to_owned()).collect();
    let mut writers = Vec::new();
    for format in judge::Format::ALL {
        let out = format.at("out");
        for command in [
            &["convert", "in.tar", out.as_str()][..],
            &["convert", "--compress", "zstd", "in.tar", &out],
            &["squash", "--all", "in.tar", &out],
            &["import", "in.tar", &out],
        ] {
            writers.push(words(command));
        }
    }
    writers.push(words(&["export", "in.tar", "out"]));
    writers
}

/// Runs of each writer with less and less that a file may have, down to nothing.
///
/// A run in which a file grows too large fails; those after it do so earlier.
#[test]
fn files_that_may_not_grow() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", small());
    for arguments in writers() {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut failures = 0;
        for blocks in (0..=24).rev() {
            let script = format!("ulimit -f {blocks}; exec \"$@\"");
            let launcher = ["/bin/sh", "-c", &script, "sh"];
            let run = sandbox.restow(&arguments).by(&launcher).run();
            if run.code == Some(0) {
                assert_eq!(failures, 0, "{arguments:?}, {blocks} blocks");
                let out = sandbox.path("out");
                drop(fs::remove_file(&out).or_else(|_| fs::remove_dir_all(&out)));
                drop(run);
                continue;
            }
            failures += 1;
            let said = run.refuses();
            let reason = "  caused by: File too large\n";
            assert!(
                said.ends_with(reason),
                "{arguments:?}, {blocks} blocks: {said}"
            );
            assert!(
                said.contains("error: cannot write "),
                "{arguments:?}: {said}"
            );
            assert!(!said.contains(".restow-"), "a temporary is named: {said}");
        }
        assert!(failures > 0, "{arguments:?}");
    }
}

/// Whether a command can have mounts of its own here.
fn can_mount() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a command while a directory of the sandbox is a file system of its own; returns its
/// exit code, what it said, and what is in the directory after it.
fn mounted(
    sandbox: &Sandbox,
    options: &str,
    directory: &str,
    arguments: &[&str],
) -> (Option<i32>, String, String) {
    let script = "mount -t tmpfs -o \"$1\" tmpfs \"$2\" || exit 99; where=$2; shift 2; \
                  \"$@\"; code=$?; ls -A \"$where\"; exit $code";
    let launcher = [
        "unshare", "--mount", "/bin/sh", "-c", script, "sh", options, directory,
    ];
    let mut command = sandbox.restow(arguments).by(&launcher).command();
    let input = File::open(sandbox.path("in.tar")).expect("the input is there");
    let mut cat = Command::new("cat");
    let mut cat = cat
        .stdin(input)
        .stdout(Stdio::piped())
        .spawn()
        .expect("cat is there");
    command.stdin(cat.stdout.take().expect("it is piped"));
    let output = command.output().expect("the command can be started");
    // It may still want to write, and nobody is left to read.
    drop(command);
    cat.wait().expect("cat can be waited for");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is text");
    (
        output.status.code(),
        text(output.stderr),
        text(output.stdout),
    )
}

/// A layer of 300 kB that does not become smaller.
fn noise(name: &str) -> Vec<u8> {
    let mut seed = crate::support::Seed::of(name);
    let noise = (0..300_000).map(|_| u8::try_from(seed.below(256)).expect("a byte"));
    make::tar(&[Member::file(name, noise.collect::<Vec<u8>>())])
}

fn large() -> Image {
    Image::of_layers(&["app:1"], vec![noise("noise"), make::layer("file b 2")])
}

#[test]
fn a_pipe_takes_no_more_room_than_it_has_and_one_layer() {
    if !can_mount() {
        tools::report(
            "a_pipe_takes_no_more_room_than_it_has_and_one_layer",
            "mounting is not permitted",
        );
        return;
    }
    let sandbox = Sandbox::new();
    let layers: Vec<Vec<u8>> = ["a", "b", "c", "d"].map(noise).into();
    let image = Image::of_layers(&["app:1"], layers);
    let archive = make::tar(&make::docker(std::slice::from_ref(&image)));
    sandbox.write("in.tar", &archive);
    fs::create_dir(sandbox.path("disk")).expect("a folder can be made");
    // Four layers in the pipe, and one of them copied.
    let options = format!("size={}k", archive.len() / 1024 + 400);
    for compress in ["keep", "gzip"] {
        for out in ["docker-archive:disk/out", "oci-archive:disk/out"] {
            let arguments = [
                "convert",
                "--tmpdir",
                "disk",
                "--compress",
                compress,
                "-",
                out,
            ];
            let (code, said, left) = mounted(&sandbox, &options, "disk", &arguments);
            assert_eq!(
                (code, said.as_str(), left.as_str()),
                (Some(0), "", "out\n"),
                "{arguments:?}"
            );
        }
    }
}

#[test]
fn a_disk_without_space() {
    if !can_mount() {
        tools::report("a_disk_without_space", "mounting is not permitted");
        return;
    }
    let sandbox = Sandbox::new();
    let archive = make::tar(&make::docker(&[large()]));
    sandbox.write("in.tar", &archive);
    fs::create_dir(sandbox.path("disk")).expect("a folder can be made");
    drop(
        sandbox
            .run(&["delta", "in.tar", "in.tar", "delta"])
            .reports(),
    );
    let base = testdata(commands::BASE).display().to_string();
    let base = base.as_str();
    let commands: [&[&str]; 19] = [
        &["extract", "in.tar", "disk/out"],
        &["extract", "-", "disk"],
        &["convert", "in.tar", "disk/out.tar"],
        &["convert", "in.tar", "oci:disk/out"],
        &["convert", "-", "oci:disk/out"],
        &["convert", "--compress", "gzip", "-", "oci:disk/out"],
        &["squash", "--all", "in.tar", "oci:disk/out"],
        &["squash", "--all", "-", "docker-archive:disk/out"],
        &["export", "in.tar", "disk/out"],
        &["import", "rootfs:in.tar", "oci:disk/out"],
        &["append", "--delete", "b", "in.tar", "oci:disk/out"],
        &["config", "--label", "a=b", "in.tar", "disk/out"],
        &["config", "--label", "a=b", "-", "oci:disk/out"],
        &["rebase", "--onto", "in.tar", "in.tar", "oci:disk/out"],
        &["convert", "-", base, "oci:disk/out"],
        &["convert", "--without", base, "-", "disk/out"],
        &["convert", "--with", base, "-", "oci:disk/out"],
        &["delta", base, "in.tar", "oci:disk/out"],
        &["apply", "-", "delta", "disk/out"],
    ];
    let reason = "No space left on device\n";
    for arguments in commands {
        for kilobytes in [4, 64, 256, 4096] {
            let options = format!("size={kilobytes}k");
            let (code, said, left) = mounted(&sandbox, &options, "disk", arguments);
            let case = format!("{arguments:?}, {kilobytes} kB: {said}");
            if kilobytes == 4096 {
                assert_eq!(
                    (code, left.as_str().trim()),
                    (Some(0), left.trim()),
                    "{case}"
                );
                let is_there = left.starts_with("out") || arguments.contains(&"disk");
                assert!(is_there, "{case}: {left}");
                continue;
            }
            assert_eq!((code, left.as_str()), (Some(1), ""), "{case}");
            assert!(
                said.ends_with(reason) || said.contains("out of space"),
                "{case}"
            );
        }
    }
    // Where temporaries are is full, and not the place of the output.
    let temporary = sandbox.tmp();
    let temporary = temporary.to_str().expect("a plain path");
    for arguments in [
        &["convert", "-", "docker-archive:out"][..],
        &["squash", "--all", "-", "docker-archive:out"],
        &["export", "-", "out"],
        &["append", "--delete", "b", "-", "out"],
        &["append", "--changed", "rootfs:-", "in.tar", "out"],
        &["config", "--label", "a=b", "-", "out"],
        &["rebase", "--onto", "-", "in.tar", "out"],
        &["convert", "in.tar", "-", "out"],
        &["convert", "--without", "-", "in.tar", "out"],
        &["convert", "--with", "-", "in.tar", "out"],
        &["delta", base, "in.tar", "out"],
        &["apply", "in.tar", "-", "out"],
    ] {
        let (code, said, left) = mounted(&sandbox, "size=64k", temporary, arguments);
        let expected = format!(
            "error: cannot write a temporary file in `{temporary}`\n  caused by: {reason}  hint: choose \
             another folder with `--tmpdir DIR`\n"
        );
        assert_eq!(
            (code, said, left),
            (Some(1), expected, String::new()),
            "{arguments:?}"
        );
    }
}

/// Runs `remove lay app:1` after a script has prepared the layout `lay`, with mounts of its own.
/// Returns the exit code and the error.
fn removed_after(sandbox: &Sandbox, script: &str) -> (Option<i32>, String) {
    let script = format!("{script}; \"$@\"");
    let launcher = ["unshare", "--mount", "/bin/sh", "-c", &script, "sh"];
    let run = sandbox.restow(&["remove", "lay", "app:1"]).by(&launcher);
    let output = run.command().output();
    let output = output.expect("the command can be started");
    let said = String::from_utf8(output.stderr).expect("it is text");
    (output.status.code(), said)
}

#[test]
fn blobs_that_cannot_be_removed() {
    if !can_mount() {
        tools::report("blobs_that_cannot_be_removed", "mounting is not permitted");
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&make::docker(&[large()])));
    sandbox.run(&["convert", "in.tar", "oci:lay"]).silent();
    let before = sandbox.tree();
    let full = "mount -t tmpfs -o size=1m tmpfs /mnt && cp -r lay /mnt && \
                mount --bind /mnt/lay lay && dd if=/dev/zero of=/mnt/fill bs=4k 2>/dev/null";
    let said = "error: cannot write `lay`\n  caused by: No space left on device\n  hint: a new \
                `index.json` is written before blobs are deleted: free a few kilobytes first\n";
    assert_eq!(removed_after(&sandbox, full), (Some(1), said.to_owned()));
    assert_eq!(sandbox.tree(), before);
    // The others are deleted, and the next run deletes it.
    let blobs = || tree(&sandbox.path("lay/blobs/sha256"));
    let first = blobs().into_keys().next().expect("there is a blob");
    let blob = format!("lay/blobs/sha256/{first}");
    let busy = format!("mount --bind {blob} {blob}");
    let said = format!(
        "error: cannot write `{blob}`\n  caused by: Device or resource busy\n  hint: the images are \
         no longer listed; `restow remove LAYOUT` deletes the blobs that are left\n"
    );
    assert_eq!(removed_after(&sandbox, &busy), (Some(1), said));
    assert_eq!(blobs().into_keys().collect::<Vec<_>>(), [first]);
    sandbox.run(&["remove", "-q", "lay"]).silent();
    assert_eq!(blobs(), Tree::new());
}

#[test]
fn a_place_that_cannot_be_written_to() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", small());
    // Not even root can.
    for (arguments, place) in [
        (
            &["convert", "in.tar", "docker-archive:/proc/out"][..],
            "/proc/out",
        ),
        (&["convert", "in.tar", "oci:/proc/out"], "/proc/out"),
        (&["convert", "in.tar", "oci-archive:/proc/out"], "/proc/out"),
        (
            &["squash", "--all", "in.tar", "docker-archive:/proc/out"],
            "/proc/out",
        ),
        (&["export", "in.tar", "/proc/out"], "/proc/out"),
        (&["import", "in.tar", "oci:/proc/out"], "/proc/out"),
        (
            &["append", "--delete", "b", "in.tar", "/proc/out"],
            "/proc/out",
        ),
        (
            &["config", "--label", "a=b", "in.tar", "oci:/proc/out"],
            "/proc/out",
        ),
        (
            &["rebase", "--onto", "in.tar", "in.tar", "/proc/out"],
            "/proc/out",
        ),
        (&["delta", "in.tar", "in.tar", "oci:/proc/out"], "/proc/out"),
        (&["apply", "in.tar", "in.tar", "/proc/out"], "/proc/out"),
    ] {
        let said = sandbox.run(arguments).refuses();
        let expected = format!("error: cannot write `{place}`\n  caused by: ");
        assert!(said.starts_with(&expected), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 2, "{arguments:?}: {said}");
    }
    if !can_mount() {
        tools::report(
            "a_place_that_cannot_be_written_to",
            "mounting is not permitted",
        );
        return;
    }
    fs::create_dir(sandbox.path("disk")).expect("a folder can be made");
    for arguments in [
        &["convert", "in.tar", "disk/out.tar"][..],
        &["convert", "-", "oci:disk/out"],
        &["squash", "--all", "in.tar", "oci:disk/"],
        &["export", "in.tar", "disk/out.tar"],
    ] {
        let (code, said, left) = mounted(&sandbox, "ro", "disk", arguments);
        assert_eq!(
            (code, left.as_str()),
            (Some(1), ""),
            "{arguments:?}: {said}"
        );
        let reason = "  caused by: Read-only file system\n";
        assert!(said.starts_with("error: cannot write `disk"), "{said}");
        assert!(said.ends_with(reason), "{said}");
    }
}

/// Temporaries are for what a pipe forces. What needs none does not care for their place.
#[test]
fn a_place_for_temporaries_that_is_not_there() {
    let archive = small();
    for (arguments, needs_one) in [
        (&["convert", "-", "docker-archive:out"][..], true),
        (&["convert", "-", "oci:out"], false),
        (&["convert", "in.tar", "docker-archive:out"], false),
        (&["squash", "--all", "-", "docker-archive:out"], true),
        (&["squash", "--all", "in.tar", "docker-archive:out"], false),
        (&["export", "-", "out"], true),
        (&["export", "in.tar", "out"], false),
        (&["import", "rootfs:in.tar", "docker-archive:out"], false),
        (&["import", "rootfs:-", "docker-archive:out"], false),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("in.tar", &archive);
        let run = sandbox.restow(arguments).env("TMPDIR", "missing");
        let run = run.stdin_pipe(archive.clone()).run();
        if needs_one {
            run.fails(expect![[r#"
                error: cannot write a temporary file in `missing`
                  caused by: No such file or directory
                  hint: choose another folder with `--tmpdir DIR`; a container gets one with `docker run --tmpfs /tmp`
            "#]]);
        } else {
            drop(run.reports());
        }
    }
}

/// A connection that is torn down is a pipe whose end cannot be read.
#[test]
fn an_input_that_cannot_be_read_to_its_end() {
    let archive = small();
    for arguments in [
        &["convert", "-", "docker-archive:out"][..],
        &["convert", "-", "oci:out"],
        &["squash", "--all", "-", "oci:out"],
        &["export", "-", "out"],
        &["import", "-", "oci:out"],
    ] {
        let sandbox = Sandbox::new();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let mut far = TcpStream::connect(address).expect("it listens");
        let (near, _) = listener.accept().expect("it was connected");
        let mut other = near.try_clone().expect("it can be shared");
        let mut command = sandbox.restow(arguments).command();
        command.stdin(OwnedFd::from(near)).stdout(Stdio::null());
        command.stderr(Stdio::piped());
        let child = command.spawn().expect("the command can be started");
        drop(command);
        far.write_all(&archive[..3000]).expect("it is taken");
        thread::sleep(Duration::from_millis(100));
        // Bytes that nobody reads make the end a reset.
        other.write_all(b"unread").expect("it is taken");
        thread::sleep(Duration::from_millis(20));
        drop(far);
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8(output.stderr).expect("stderr is text");
        let expected = expect![[r#"
            error: cannot read standard input
              caused by: Connection reset by peer
        "#]];
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        expected.check(&said, "a torn connection");
        assert_eq!(sandbox.tree(), Tree::new(), "{arguments:?}");
        sandbox.assert_no_temporaries();
    }
}

/// What happens to an input while it is read.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// It is cut off.
    Cut,
    /// A byte of the upper layer changes.
    Byte,
    /// The same, and its time is set back.
    ByteAndTime,
    /// It gets another name, which is no change of its content.
    Name,
}

/// An image whose output does not fit into a pipe: where nobody reads that, the command
/// waits in the middle of the first layer.
fn slow() -> (Vec<u8>, u64) {
    let layer = |name: &str, size| make::tar(&[Member::file(name, vec![b'x'; size])]);
    let layers = vec![layer("low", 8 << 20), layer("high", 4 << 20)];
    let archive = make::tar(&make::docker(&[Image::of_layers(&["app:1"], layers)]));
    // In the content of the upper layer.
    (archive, 11 << 20)
}

#[test]
fn an_input_that_changes_while_it_is_read() {
    let (archive, place) = slow();
    let changes = [Change::Cut, Change::Byte, Change::ByteAndTime, Change::Name];
    for change in changes {
        for arguments in [
            &["convert", "in.tar", "docker-archive:-"][..],
            &["convert", "in.tar", "oci-archive:-"],
            &["squash", "--last", "1", "in.tar", "docker-archive:-"],
            &["export", "in.tar"],
        ] {
            let sandbox = Sandbox::new();
            sandbox.write("in.tar", &archive);
            let mut command = sandbox.restow(arguments).command();
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().expect("the command can be started");
            let mut stdout = child.stdout.take().expect("stdout is piped");
            // It has begun to write, and will wait once the pipe is full.
            let mut start = [0; 512];
            stdout.read_exact(&mut start).expect("it writes something");
            thread::sleep(Duration::from_millis(200));
            let file = OpenOptions::new().write(true).open(sandbox.path("in.tar"));
            let file = file.expect("the input is there");
            // A squash has merged the upper layer by now; the lower one is still to come.
            let place = if arguments[0] == "squash" {
                6 << 20
            } else {
                place
            };
            match change {
                Change::Cut => file.set_len(place).expect("it can be cut"),
                Change::Byte => file.write_all_at(b"y", place).expect("it can be written"),
                Change::ByteAndTime => {
                    let time = file.metadata().and_then(|it| it.modified());
                    file.write_all_at(b"y", place).expect("it can be written");
                    let set = time.and_then(|time| file.set_modified(time));
                    set.expect("its time can be set");
                }
                Change::Name => {
                    let renamed = fs::rename(sandbox.path("in.tar"), sandbox.path("new.tar"));
                    renamed.expect("it can be renamed");
                }
            }
            io::copy(&mut stdout, &mut io::sink()).expect("stdout can be read");
            let output = child.wait_with_output().expect("it ends");
            let said = String::from_utf8(output.stderr).expect("stderr is text");
            let case = format!("{arguments:?}, {change:?}: {said}");
            if matches!(change, Change::Name) {
                assert_eq!(output.status.code(), Some(0), "{case}");
                continue;
            }
            assert_eq!(output.status.code(), Some(1), "{case}");
            let errors = said.lines().filter(|it| it.starts_with("error: "));
            assert_eq!(errors.count(), 1, "{case}");
            assert!(said.contains("error: cannot read layer "), "{case}");
            assert_eq!(tree(&sandbox.path("")).len(), 1, "{case}");
            sandbox.assert_no_temporaries();
        }
    }
}
