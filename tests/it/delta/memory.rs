//! Deltas of the largest files that are held in memory, in little of it.

use std::io::{Read, Write};

use crate::support::Sandbox;
use crate::support::cost::{MEMORY, measure};
use crate::support::make::{self, Image, Member};

/// The size of the largest files that are compressed after old ones.
const LARGEST: usize = 32 << 20;

/// Bytes that do not compress. Of a new file, a few change here and there.
fn content(seed: u64, is_new: bool) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(LARGEST);
    while bytes.len() < LARGEST {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    if is_new {
        for at in (1_000..LARGEST).step_by(100_000) {
            bytes[at] ^= 1;
        }
    }
    bytes
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
    for (path, tag, is_new) in [("old.tar", "app:1", false), ("new.tar", "app:2", true)] {
        let file = |seed| Member::file(format!("srv/{seed}"), content(seed, is_new));
        let layer = make::tar(&[file(1), file(2), file(3)]);
        let image = Image::of_layers(&[tag], vec![layer]);
        sandbox.write(path, make::tar(&make::docker(&[image])));
    }
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
