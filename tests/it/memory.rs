//! Merges of much, in little memory: many entries, and a file of gigabytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::codec::{digest, hex, named};
use crate::support::cost::{Cost, MEMORY, measure};
use crate::support::entry::{Entry, Kind, entries, words};
use crate::support::image::Store;
use crate::support::judge::Format;
use crate::support::layer::{Dialect, header, member, set, tar};
use crate::support::make::{self, Image, Layout};
use crate::support::squash::put;
use crate::support::tree::escaped;
use crate::support::{Sandbox, naive};

/// Gives a command an address space of 1 GiB, threads and all: a content that is held
/// does not fit.
const LIMIT: [&str; 4] = ["/bin/sh", "-c", "ulimit -v 1048576; exec \"$@\"", "sh"];

/// Runs the command with nothing on standard input; `read` takes its standard output.
///
/// Returns what `read` returns, and how much temporary space was used.
#[track_caller]
fn run<T: Send>(
    sandbox: &Sandbox,
    arguments: &[&str],
    read: impl FnOnce(&mut dyn Read) -> T + Send,
) -> (T, u64) {
    let run = sandbox.restow(arguments).by(&LIMIT);
    let (result, _, cost) = measure(run.command(), |_: &mut dyn Write| Ok(()), read);
    let Cost { memory, spool } = cost;
    assert!(memory < MEMORY, "{arguments:?}: {memory} bytes of memory");
    sandbox.assert_no_temporaries();
    (result, spool)
}

fn bytes(stdout: &mut dyn Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stdout.read_to_end(&mut bytes).expect("stdout can be read");
    bytes
}

/// Directories with many entries each.
const DIRECTORIES: usize = 100;

/// The names of a directory and of entries in it.
fn in_each(names: &dyn Fn(usize) -> Vec<String>) -> Vec<Entry> {
    let directory = |number| -> Vec<Entry> {
        let names = names(number);
        let entry = |name: &String| {
            let file = Kind::File(Vec::new());
            let is_directory = name.ends_with('/');
            Entry::new(
                name.as_str(),
                if is_directory { Kind::Directory } else { file },
            )
        };
        names.iter().map(entry).collect()
    };
    (0..DIRECTORIES).flat_map(directory).collect()
}

/// A base; 100,000 files in 100 directories; 40,000 whiteouts of them, and 60,000 other files.
#[test]
fn two_hundred_thousand_entries() {
    let directory = |d: usize| format!("directory-{d:03}/");
    let old = |d: usize, n: usize| format!("{}an-old-file-{n:04}", directory(d));
    let new = |d: usize, n: usize| format!("{}a-new-file-{n:04}", directory(d));
    let whiteout = |d: usize, n: usize| format!("{}.wh.an-old-file-{n:04}", directory(d));
    let start = |d: usize| std::iter::once(directory(d));
    let lower = in_each(&|d| start(d).chain((0..1000).map(|n| old(d, n))).collect());
    let upper = in_each(&|d| {
        let whiteouts = (0..400).map(|n| whiteout(d, n));
        start(d)
            .chain(whiteouts)
            .chain((0..600).map(|n| new(d, n)))
            .collect()
    });
    let kept = in_each(&|d| start(d).chain((400..1000).map(|n| old(d, n))).collect());
    let added = in_each(&|d| (0..600).map(|n| new(d, n)).collect());
    assert_eq!(lower.len() + upper.len(), 200_200);
    let base = entries("base");

    let sandbox = Sandbox::new();
    let layers = [&base, &lower, &upper].map(|it| tar(it));
    let image = Image::of_layers(&["app:1"], layers.to_vec());
    drop(layers);
    let source = put(&sandbox, "in", Format::Docker, &image);
    drop(image);

    let all = [base, kept, added].concat();
    let same = |what: &str, got: &[Entry], expected: &[Entry]| {
        let (got, expected) = (words(got), words(expected));
        assert_eq!(
            digest(got.as_bytes()),
            digest(expected.as_bytes()),
            "{what}"
        );
    };
    let (exported, spool) = run(&sandbox, &["export", &source], bytes);
    assert_eq!(spool, 0, "a file needs no temporary");
    same("export", &naive::entries(&exported), &all);
    drop(exported);
    let (_, spool) = run(&sandbox, &["extract", &source, "files"], bytes);
    assert_eq!(spool, 0, "a file needs no temporary");
    let mut names: Vec<String> = all
        .iter()
        .map(|it| format!("files/{}", escaped(&it.name)))
        .collect();
    names.sort();
    let found = sandbox.tree().into_keys();
    let found: Vec<String> = found
        .filter(|it| it.len() > 6 && it.starts_with("files/"))
        .collect();
    assert!(found == names, "{} of {} files", found.len(), names.len());
    sandbox.remove("files");
    verify(&sandbox, &source, "3 layers");
    let (_, spool) = run(&sandbox, &["waste", &source], bytes);
    assert_eq!(spool, 0, "a file needs no temporary");
    for (range, number, expected) in [
        ("1..3", 0, &all[..]),
        ("2..3", 1, &all[1..]),
        ("3", 2, &upper),
    ] {
        let arguments = ["squash", "--layers", range, &source, "docker-archive:-"];
        let (archive, spool) = run(&sandbox, &arguments, bytes);
        let store = Store::from_tar(&archive);
        let stored = store.stored(&store.docker_images()[0]);
        // The name and the size of the new layer stand before it in a stream.
        let size = stored[number].len() as u64;
        assert!(
            spool <= size,
            "{range}: {spool} bytes for a layer of {size}"
        );
        same(range, &naive::entries(&stored[number]), expected);
    }
}

/// A directory of 40,000 files, one of them with 60,000 names, which all go at once; and 10,000
/// files that are written again with another mode.
#[test]
fn what_hides_many_files() {
    let file = |name: String, content: &str| Entry::new(name, Kind::File(content.into()));
    let link = |number| {
        let target = Kind::Link(b"gone/file-00000".to_vec());
        Entry::new(format!("gone/name-{number:05}"), target)
    };
    let gone = (0..40_000).map(|it| file(format!("gone/file-{it:05}"), "1"));
    let kept = |number: usize| file(format!("kept/file-{number:05}"), &number.to_string());
    let mut lower: Vec<Entry> = gone.chain((1..60_000).map(link)).collect();
    lower.extend((0..10_000).map(kept));
    let mut upper: Vec<Entry> = (0..10_000).map(kept).collect();
    for entry in &mut upper {
        entry.meta.mode = 0o600;
    }
    upper.push(file(".wh.gone".to_owned(), ""));
    let layers = [&lower, &upper].map(|it| tar(it));
    let sandbox = Sandbox::new();
    let image = Image::of_layers(&["app:1"], layers.to_vec());
    drop(layers);
    let source = put(&sandbox, "in", Format::Docker, &image);
    drop(image);
    let (report, spool) = run(&sandbox, &["waste", "--json", &source], bytes);
    assert_eq!(spool, 0, "a file needs no temporary");
    let report: Value = serde_json::from_slice(&report).expect("it is JSON");
    let mut counts: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for file in report["hidden"].as_array().expect("it is a list") {
        let reason = file["reason"].as_str().expect("it is text");
        let (files, bytes) = counts.entry(reason).or_default();
        *files += 1;
        *bytes += file["size"].as_u64().expect("it is a size");
    }
    // The numbers from 0 to 9,999 have 38,890 digits.
    let expected = [
        ("deleted", (40_000, 40_000)),
        ("metadata-only", (10_000, 38_890)),
    ];
    assert_eq!(counts, BTreeMap::from(expected));
    assert_eq!(report["plans"][0]["frees"], 78_890);
}

/// The delta between two archives, applied to the old one, makes the new one as `convert`
/// writes it.
#[track_caller]
fn assert_comes_back(sandbox: &Sandbox, old: &str, new: &str) {
    let converted = ["convert", new, "docker-archive:-"];
    let (expected, _) = run(sandbox, &converted, hash);
    let ((), _) = run(sandbox, &["delta", old, new, "delta"], |_| ());
    let applied = ["apply", old, "delta", "docker-archive:-"];
    let (made, _) = run(sandbox, &applied, hash);
    assert_eq!(made, expected);
    sandbox.remove("delta");
}

/// 100,000 files, one in ten of which changes; 100,000 others are new.
#[test]
fn a_delta_of_two_hundred_thousand_entries() {
    let name = |d: usize, n: usize| format!("directory-{d:03}/a-file-with-a-name-{n:04}");
    let layer = |files: usize, change: usize| {
        let mut entries = Vec::new();
        for (d, n) in (0..DIRECTORIES).flat_map(|d| (0..files).map(move |n| (d, n))) {
            let changed = if n % 10 == 0 { change } else { 0 };
            let content = format!("{d} {n} {changed}");
            entries.push(Entry::new(name(d, n), Kind::File(content.into())));
        }
        tar(&entries)
    };
    let sandbox = Sandbox::new();
    let put_layer = |file: &str, layer: Vec<u8>| {
        let image = Image::of_layers(&["app:1"], vec![layer]);
        put(&sandbox, file, Format::Docker, &image)
    };
    let old = put_layer("old", layer(1000, 0));
    let new = put_layer("new", layer(2000, 1));
    assert_comes_back(&sandbox, &old, &new);
}

/// Checks that nothing is wrong with an archive.
#[track_caller]
fn verify(sandbox: &Sandbox, source: &str, layers: &str) {
    let (report, spool) = run(sandbox, &["verify", source], bytes);
    let report = String::from_utf8(report).expect("the report is UTF-8");
    let start = format!("docker-archive: 1 image, {layers}, ");
    assert!(report.starts_with(&start), "{report}");
    assert!(report.ends_with(" read: OK\n"), "{report}");
    assert_eq!(spool, 0, "a file needs no temporary");
}

/// The size of the big file.
const BIG: u64 = 3 << 30;

/// Copies a stream of known content into its digest.
fn hash(stream: &mut dyn Read) -> (u64, String) {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        match stream.read(&mut buffer).expect("the stream can be read") {
            0 => return (size, named(hash.finalize().as_slice())),
            length => {
                hash.update(&buffer[..length]);
                size += length as u64;
            }
        }
    }
}

/// A header, without its content.
fn header_of(name: &str, size: u64) -> Vec<u8> {
    let mut header = header(name.as_bytes(), b'0', Dialect::Pax);
    set(&mut header[100..108], 0o644);
    set(&mut header[124..136], size.into());
    set(&mut header[136..148], 1);
    let mut bytes = Vec::new();
    member(&mut bytes, header, b"");
    bytes
}

/// An archive with a layer of one file of zeros, which takes no room on disk, and one of another file.
#[track_caller]
fn put_big(sandbox: &Sandbox, name: &str, size: u64) {
    let start = header_of("big", size);
    let zeros = || io::repeat(0).take(size + 1024);
    let (size, diff_id) = hash(&mut start.as_slice().chain(zeros()));
    let small = tar(&entries("small=1"));
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [diff_id, digest(&small)]},
    });
    let manifest = json!([{
        "Config": "config.json", "RepoTags": ["big:1"], "Layers": ["big.tar", "small.tar"],
    }]);
    let mut end = Vec::new();
    for (name, content) in [
        ("small.tar", small),
        ("config.json", config.to_string().into_bytes()),
        ("manifest.json", manifest.to_string().into_bytes()),
    ] {
        let mut header = header(name.as_bytes(), b'0', Dialect::Pax);
        set(&mut header[100..108], 0o644);
        set(&mut header[124..136], content.len() as i128);
        member(&mut end, header, &content);
    }
    let file = File::create(sandbox.path(name)).expect("a file can be made");
    let because = "a file can be written";
    file.write_all_at(&header_of("big.tar", size), 0)
        .expect(because);
    file.write_all_at(&start, 512).expect(because);
    file.write_all_at(&end, 512 + size).expect(because);
    file.set_len(512 + size + end.len() as u64 + 1024)
        .expect(because);
}

/// A stream that is hashed while something else reads it.
struct Hashing<'a> {
    stream: &'a mut dyn Read,
    hash: Sha256,
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.stream.read(buffer)?;
        self.hash.update(&buffer[..length]);
        Ok(length)
    }
}

/// What `look` finds in each file of a tar, by its name.
fn files<T>(stream: &mut dyn Read, mut look: impl FnMut(&mut dyn Read) -> T) -> Vec<(String, T)> {
    let mut files = Vec::new();
    let mut archive = tar::Archive::new(&mut *stream);
    for entry in archive.entries().expect("a tar") {
        let mut entry = entry.expect("the tar is whole");
        let name = String::from_utf8(entry.path_bytes().to_vec()).expect("a name is text");
        if entry.header().entry_type().is_file() {
            files.push((name, look(&mut entry)));
        }
    }
    io::copy(stream, &mut io::sink()).expect("the stream can be read");
    files
}

/// How many bytes there are, if they are all the same, and which.
fn monotony(stream: &mut dyn Read) -> (u64, Option<u8>) {
    let mut buffer = vec![0; 1 << 20];
    let (mut size, mut first, mut is_same) = (0, None, true);
    loop {
        let length = stream.read(&mut buffer).expect("the stream can be read");
        let Some(byte) = buffer[..length].first() else {
            return (size, first.filter(|_| is_same));
        };
        let byte = *first.get_or_insert(*byte);
        size += length as u64;
        // Bytes that are the same as the ones before them, and so all as the first.
        is_same &= buffer[0] == byte && buffer[..length - 1] == buffer[1..length];
    }
}

#[test]
fn a_file_of_three_gigabytes() {
    let sandbox = Sandbox::new();
    put_big(&sandbox, "in.tar", BIG);
    let export = |stdout: &mut dyn Read| {
        let mut hashing = Hashing {
            stream: stdout,
            hash: Sha256::new(),
        };
        let files = files(&mut hashing, monotony);
        (files, named(hashing.hash.finalize().as_slice()))
    };
    let ((exported, tar), spool) = run(&sandbox, &["export", "in.tar"], export);
    let expected = [("big", BIG, b'\0'), ("small", 1, b'1')];
    let expected = expected.map(|(name, size, byte)| (name.to_owned(), (size, Some(byte))));
    assert_eq!(exported, expected);
    assert_eq!(spool, 0, "a file needs no temporary");
    verify(&sandbox, "in.tar", "2 layers");

    let arguments = ["squash", "--all", "in.tar", "docker-archive:-"];
    let (archive, spool) = run(&sandbox, &arguments, |stdout| files(stdout, hash));
    // The name and the size of the new layer stand before it in a stream.
    assert!(spool < BIG + (1 << 20), "{spool} bytes of temporary space");
    let blobs = archive.iter().filter(|(_, (size, _))| *size > BIG);
    let blobs: Vec<(&str, &str)> = blobs
        .map(|(name, (_, it))| (name.as_str(), it.as_str()))
        .collect();
    let name = format!("blobs/sha256/{}", hex(&tar));
    assert_eq!(
        blobs,
        [(name.as_str(), tar.as_str())],
        "the new layer is the export"
    );
}

/// Files that are far larger than the memory that a command may use.
#[test]
fn a_delta_of_large_files() {
    let sandbox = Sandbox::new();
    put_big(&sandbox, "old.tar", BIG / 6);
    put_big(&sandbox, "new.tar", BIG / 6 + 512);
    assert_comes_back(&sandbox, "old.tar", "new.tar");
}

/// Each image costs what its documents are, however many others there are.
#[test]
fn three_thousand_images() {
    let mut layout = Layout::default();
    for number in 0..3000 {
        let layer = format!("file a {number}");
        layout.add(&Image::new(&[&format!("app:{number}")], &[&layer]));
    }
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&layout.members()));
    let (archive, spool) = run(&sandbox, &["convert", "in.tar", "-"], bytes);
    assert_eq!(spool, 0, "a file needs no temporary");
    let images = Store::from_tar(&archive).docker_images();
    assert_eq!(images.len(), 3000);
    sandbox.run(&["convert", "in.tar", "oci:out"]).silent();
    let (image, _) = run(&sandbox, &["convert", "oci:out:app:7", "-"], bytes);
    assert_eq!(Store::from_tar(&image).docker_images(), [images[7].clone()]);
}
