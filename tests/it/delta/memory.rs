//! Deltas and compression of large files, in little memory.

use std::io::{Read, Write};

use crate::support::Sandbox;
use crate::support::cost::{MEMORY, measure};
use crate::support::make::{self, Image, Member};

/// The size of the largest files that are compressed after old ones.
const LARGEST: usize = 32 << 20;

/// Bytes that do not compress.
fn random(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(LARGEST);
    while bytes.len() < LARGEST {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}

/// The same, with a few that change here and there.
fn changed(seed: u64) -> Vec<u8> {
    let mut bytes = random(seed);
    for at in (1_000..LARGEST).step_by(100_000) {
        bytes[at] ^= 1;
    }
    bytes
}

/// Writes an image with three files.
fn write(sandbox: &Sandbox, path: &str, content: impl Fn(u64) -> Vec<u8>) {
    let file = |seed| Member::file(format!("srv/{seed}"), content(seed));
    let layer = make::tar(&[file(1), file(2), file(3)]);
    let image = Image::of_layers(&["app:1"], vec![layer]);
    sandbox.write(path, make::tar(&make::docker(&[image])));
}

/// Runs the command, and returns its output.
#[track_caller]
fn run(sandbox: &Sandbox, arguments: &[&str]) -> Vec<u8> {
    let read = |stdout: &mut dyn Read| {
        let mut bytes = Vec::new();
        stdout.read_to_end(&mut bytes).expect("stdout can be read");
        bytes
    };
    let run = sandbox.restow(arguments);
    let (output, _, cost) = measure(run.command(), |_: &mut dyn Write| Ok(()), read);
    let memory = cost.memory;
    assert!(memory < MEMORY, "{arguments:?}: {memory} bytes of memory");
    output
}

#[test]
fn three_of_the_largest_files_change() {
    let sandbox = Sandbox::new();
    write(&sandbox, "old.tar", random);
    write(&sandbox, "new.tar", changed);
    for jobs in ["1", "8"] {
        let arguments = ["delta", "-q", "--jobs", jobs, "old.tar", "new.tar", "-"];
        let delta = run(&sandbox, &arguments);
        assert!(delta.len() < 200_000, "{}", delta.len());
        sandbox.write("delta", &delta);
    }
    let applied = run(&sandbox, &["apply", "-q", "old.tar", "delta", "-"]);
    let converted = run(&sandbox, &["convert", "-q", "new.tar", "-"]);
    assert!(applied == converted);
}

/// Nothing of the old files is left, so that no frame pays.
#[test]
fn three_of_the_largest_files_are_replaced() {
    let sandbox = Sandbox::new();
    write(&sandbox, "old.tar", random);
    write(&sandbox, "new.tar", |seed| random(seed + 10));
    for jobs in ["1", "8"] {
        let arguments = ["delta", "-q", "--jobs", jobs, "old.tar", "new.tar", "-"];
        sandbox.write("delta", run(&sandbox, &arguments));
    }
    let applied = run(&sandbox, &["apply", "-q", "old.tar", "delta", "-"]);
    let converted = run(&sandbox, &["convert", "-q", "new.tar", "-"]);
    assert!(applied == converted);
}

/// Layers are compressed, and the archive of them once more.
#[test]
fn layers_are_compressed_in_a_compressed_archive() {
    let sandbox = Sandbox::new();
    write(&sandbox, "in.tar", random);
    for compression in ["gzip", "zstd"] {
        for output in ["out.tar.gz", "out.tar.zst"] {
            let options = ["--compress", compression, "--jobs", "8", "-q", "-f"];
            let arguments = [&["convert"], &options[..], &["in.tar", output]].concat();
            run(&sandbox, &arguments);
        }
    }
}
