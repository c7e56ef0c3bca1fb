//! Two gigabytes through a pipe, in little memory.
//!
//! The archive is made while it is read; neither it nor what the command
//! writes to standard output is ever on disk, unless the command puts it there.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::codec::{digest, hex, named};
use crate::support::cost::{Cost, MEMORY, measure};
use crate::support::{Sandbox, image};

const BLOCK: usize = 1 << 20;

/// One block of the big layer, over and over: neither all zero nor quickly compressed to nothing.
static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    (0..BLOCK)
        .map(|n| if n % 4 == 0 { next() } else { b'x' })
        .collect()
});

/// An archive of one image with a big layer and a small one, as `docker save` orders its members.
struct Big {
    /// The size of the big layer's only file, in blocks.
    blocks: usize,
    diff_ids: [String; 2],
    config: String,
}

const SMALL: &[u8] = &[0; 1024];

impl Big {
    fn new(blocks: usize) -> Self {
        let mut hash = Sha256::new();
        Self::layer(blocks, &mut |bytes| {
            hash.update(bytes);
            Ok(())
        })
        .expect("hashing cannot fail");
        let diff_ids = [named(hash.finalize().as_slice()), digest(SMALL)];
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        Self {
            blocks,
            diff_ids,
            config: config.to_string(),
        }
    }

    /// The size of the big layer: a header, the content, and the end of a tar.
    fn layer_size(blocks: usize) -> usize {
        512 + blocks * BLOCK + 1024
    }

    fn layer(blocks: usize, put: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        put(&header("big", blocks * BLOCK))?;
        for _ in 0..blocks {
            put(&PATTERN)?;
        }
        put(&[0; 1024])
    }

    fn archive(&self, put: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let manifest = json!([{
            "Config": "config.json", "RepoTags": ["big:1"],
            "Layers": ["big/layer.tar", "small/layer.tar"],
        }]);
        put(&header("big/layer.tar", Self::layer_size(self.blocks)))?;
        Self::layer(self.blocks, put)?;
        let padding = [0; 512];
        for (name, content) in [
            ("small/layer.tar", SMALL),
            ("config.json", self.config.as_bytes()),
            ("manifest.json", manifest.to_string().as_bytes()),
        ] {
            put(&header(name, content.len()))?;
            put(content)?;
            put(&padding[..content.len().wrapping_neg() % 512])?;
        }
        put(&[0; 1024])
    }
}

/// A tar header of a regular file.
fn header(name: &str, size: usize) -> [u8; 512] {
    let mut header = tar::Header::new_ustar();
    header.set_path(name).expect("the name is short");
    header.set_size(size as u64);
    header.set_mode(0o644);
    header.set_cksum();
    *header.as_bytes()
}

/// Runs `restow` with a big archive on standard input; `read` takes its standard output.
#[track_caller]
fn run<T: Send>(
    sandbox: &Sandbox,
    big: &Big,
    arguments: &[&str],
    read: impl FnOnce(&mut dyn Read) -> T + Send,
) -> (T, Cost) {
    let archive = |stdin: &mut dyn Write| big.archive(&mut |bytes| stdin.write_all(bytes));
    let run = sandbox.restow(arguments);
    let (result, said, cost) = measure(run.command(), archive, read);
    assert_eq!(said, "");
    (result, cost)
}

/// 2.1 GB, hashed once for all tests.
static BIG: LazyLock<Big> = LazyLock::new(|| Big::new(2_000));

#[test]
fn two_gigabytes_from_a_pipe_into_a_layout_take_little_memory_and_no_temporary() {
    let sandbox = Sandbox::new();
    let big = &*BIG;
    let (output, cost) = run(&sandbox, big, &["convert", "-", "oci:out"], |stdout| {
        let mut output = Vec::new();
        stdout.read_to_end(&mut output).expect("stdout can be read");
        output
    });
    assert_eq!(output, b"");
    assert!(cost.memory < MEMORY, "{cost:?}");
    assert_eq!(cost.spool, 0, "one pass, without a temporary");
    sandbox.assert_no_temporaries();
    for diff_id in &big.diff_ids {
        let path = sandbox.path(&format!("out/blobs/sha256/{}", hex(diff_id)));
        assert_eq!(hash_of(&path), *diff_id);
    }
    let blobs = fs::read_dir(sandbox.path("out/blobs/sha256"))
        .expect("blobs")
        .count();
    assert_eq!(blobs, 4, "two layers, a config and a manifest");
}

fn hash_of(path: &Path) -> String {
    let mut file = fs::File::open(path).expect("the blob is there");
    hash_stream(&mut file)
}

fn hash_stream(stream: &mut dyn Read) -> String {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BLOCK];
    loop {
        match stream.read(&mut buffer).expect("the stream can be read") {
            0 => return named(hash.finalize().as_slice()),
            length => hash.update(&buffer[..length]),
        }
    }
}

/// Reads a docker-archive as it comes: the digest of each blob is its name; returns `manifest.json`.
fn judge_stream(stdout: &mut dyn Read) -> Value {
    let mut manifest = Value::Null;
    let mut archive = tar::Archive::new(&mut *stdout);
    for entry in archive.entries().expect("a tar") {
        let mut entry = entry.expect("the tar is whole");
        let name = String::from_utf8(entry.path_bytes().to_vec()).expect("a name is text");
        if let Some(blob) = name.strip_prefix("blobs/sha256/") {
            if !blob.is_empty() {
                assert_eq!(hex(&hash_stream(&mut entry)), blob);
            }
        } else if name == "manifest.json" {
            manifest = serde_json::from_reader(&mut entry).expect("manifest.json is JSON");
        }
    }
    io::copy(stdout, &mut io::sink()).expect("stdout can be read");
    manifest
}

#[test]
fn two_gigabytes_from_pipe_to_pipe_take_little_memory_and_are_spooled_once() {
    let sandbox = Sandbox::new();
    let big = &*BIG;
    let tmp = sandbox.tmp();
    let tmp = tmp.to_str().expect("the path is text");
    let arguments = ["convert", "--tmpdir", tmp, "-", "docker-archive:-"];
    let (manifest, cost) = run(&sandbox, big, &arguments, judge_stream);
    assert!(cost.memory < MEMORY, "{cost:?}");
    let size = Big::layer_size(big.blocks) as u64;
    assert!(
        cost.spool < size + size / 20,
        "{cost:?}, and the layer has {size} bytes"
    );
    sandbox.assert_no_temporaries();
    let layers: Vec<String> = big
        .diff_ids
        .iter()
        .map(|it| format!("blobs/sha256/{}", hex(it)))
        .collect();
    assert_eq!(image::strings(&manifest[0]["Layers"]), layers);
    assert_eq!(image::strings(&manifest[0]["RepoTags"]), ["big:1"]);
}

#[test]
fn compression_takes_little_memory() {
    let sandbox = Sandbox::new();
    let big = Big::new(160);
    // As many jobs as use all threads, and all blocks, that there may be.
    for command in [&["convert"][..], &["squash", "--all"]] {
        for compress in ["gzip", "zstd"] {
            let layout = format!("oci:{}-{compress}", command[0]);
            for target in [&layout, "docker-archive:-"] {
                let mut arguments = command.to_vec();
                arguments.extend(["--jobs", "16", "--compress", compress, "-", target]);
                // A squash tells what it did, and zstd layers in a docker-archive come with a
                // warning.
                arguments.push("--quiet");
                let drain = |stdout: &mut dyn Read| io::copy(stdout, &mut io::sink());
                let (copied, cost) = run(&sandbox, &big, &arguments, drain);
                copied.expect("stdout can be read");
                assert!(cost.memory < MEMORY, "{arguments:?}: {cost:?}");
            }
        }
    }
}
