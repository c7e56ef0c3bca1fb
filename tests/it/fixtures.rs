//! What `export` and `squash` make of archives that real engines wrote.
//!
//! The trees that they must have are in `testdata/expected`. They were made by
//! another program, and compared with `docker export` of the same images.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use restow::{FilesOptions, Input, PathPattern, Place, Session, Timestamp};
use serde_json::{Value, json};

use crate::support::canonical::{assert_bytes, assert_entries};
use crate::support::codec::{Codec, decompress, digest, hex};
use crate::support::entry::to_hex;
use crate::support::image::{Image, Store};
use crate::support::judge::{FIXTURES, Format};
use crate::support::naive::{entries, replay, replay_for};
use crate::support::squash::{range_argument, squashed};
use crate::support::tree::{Strictness, assert_same, escaped, expected, facts, path_of};
use crate::support::{Sandbox, testdata, tools};

/// An image of a fixture.
struct Fixture {
    /// The archive.
    path: PathBuf,
    /// What it is read as.
    format: Format,
    /// Its number in the archive, from 1.
    number: usize,
    image: Image,
    /// The layers as they are stored.
    stored: Vec<Vec<u8>>,
    /// The file that says what its tree is.
    expected: Option<PathBuf>,
}

/// The images of an archive, and what `directory` says of their trees.
#[track_caller]
fn images(path: &Path, format: Format, directory: &Path) -> Vec<Fixture> {
    let store = Store::open(path);
    let images = match format {
        Format::Docker => store.docker_images(),
        Format::Oci | Format::OciArchive => store.layout().host_images(),
    };
    let name = path.file_stem().expect("a file").to_string_lossy();
    let count = images.len();
    let numbered = images.into_iter().zip(1..);
    numbered
        .map(|(image, number)| {
            let suffix = if count > 1 {
                format!(".{number}")
            } else {
                String::new()
            };
            let expected = directory.join(format!("{name}{suffix}.tree.jsonl"));
            Fixture {
                path: path.to_path_buf(),
                format,
                number,
                stored: store.stored(&image),
                image,
                expected: expected.exists().then_some(expected),
            }
        })
        .collect()
}

/// The images of `testdata/`, in every format that they can be read as.
#[track_caller]
fn fixtures() -> Vec<Fixture> {
    let directory = testdata("expected");
    let images = FIXTURES.map(|(name, format)| images(&testdata(name), format, &directory));
    images.into_iter().flatten().collect()
}

/// The images of a folder beside the repository, if that is there.
#[track_caller]
fn shared(test: &str, name: &str) -> Vec<Fixture> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared")
        .join(name);
    let Ok(entries) = std::fs::read_dir(&directory) else {
        tools::lacks(test, name, "images of many engines");
        return Vec::new();
    };
    let paths = entries.map(|it| it.expect("the directory can be read").path());
    let is_archive = |path: &PathBuf| {
        let extension = path.extension().unwrap_or_default();
        (path.is_dir() && path.join("oci-layout").exists())
            || ["tar", "gz", "xz"].iter().any(|it| extension == *it)
    };
    let found = paths.filter(is_archive).flat_map(|path| {
        let store = Store::open(&path);
        let is_tar = !path.is_dir();
        let format = match (store.get("manifest.json"), store.get("oci-layout")) {
            (Some(_), _) => Format::Docker,
            (None, Some(_)) if is_tar => Format::OciArchive,
            (None, Some(_)) => Format::Oci,
            (None, None) => return Vec::new(),
        };
        images(&path, format, &directory.join("expected"))
    });
    found.collect()
}

impl Fixture {
    /// The fixture in words, for messages.
    fn name(&self) -> String {
        format!("{:?} {} #{}", self.format, self.path.display(), self.number)
    }

    /// Checks a tar of the whole tree: with the replay of the layers, and with what is expected.
    #[track_caller]
    fn assert_tree(&self, tar: Vec<u8>) {
        let name = self.name();
        let (original, got) = (replay(&self.stored), replay(&[tar]));
        assert_same(&original, &got, Strictness::All, &name);
        let Some(path) = &self.expected else { return };
        let lines = std::fs::read_to_string(path).expect("the file can be read");
        let mut got = facts(&got);
        for path in original.implied() {
            got.remove(&escaped(path));
        }
        assert!(got == expected(&lines), "{name} is not as expected");
    }
}

/// The judge is judged first: by trees that were made without it.
#[track_caller]
fn assert_the_naive_replay_agrees(fixtures: &[Fixture]) -> usize {
    let mut count = 0;
    for fixture in fixtures {
        let Some(path) = &fixture.expected else {
            continue;
        };
        let lines = std::fs::read_to_string(path).expect("the file can be read");
        let (expected, got) = (expected(&lines), facts(&replay(&fixture.stored)));
        let keys = |it: &std::collections::BTreeMap<String, _>| -> Vec<String> {
            it.keys().cloned().collect()
        };
        assert_eq!(keys(&got), keys(&expected), "{}", path.display());
        for (name, expected) in &expected {
            assert_eq!(&got[name], expected, "{}: {name}", path.display());
        }
        count += 1;
    }
    count
}

#[test]
fn the_naive_replay_makes_the_trees_that_are_expected() {
    // An archive without expected trees is `buildkit__multi.oci` and `ctr__edge-nomanifest`.
    assert_eq!(assert_the_naive_replay_agrees(&fixtures()), 22);
}

#[test]
fn the_naive_replay_makes_the_shared_trees() {
    let shared = shared("the_naive_replay_makes_the_shared_trees", "fixtures");
    let count = assert_the_naive_replay_agrees(&shared);
    assert!(
        shared.is_empty() || count > 20,
        "{count} of {}",
        shared.len()
    );
}

/// Exports each fixture from a file and through a pipe.
#[track_caller]
fn assert_exports(fixtures: &[Fixture]) {
    for fixture in fixtures {
        let sandbox = Sandbox::new();
        let image = fixture.image.id();
        let source = fixture.format.at(&fixture.path);
        let (tar, _) = sandbox
            .run(&["export", "--image", &image, &source])
            .reports();
        assert_bytes(&tar);
        assert_entries(&entries(&tar), None);

        if fixture.format == Format::Oci {
            fixture.assert_tree(tar);
            continue;
        }
        let bytes = std::fs::read(&fixture.path).expect("the fixture can be read");
        let source = fixture.format.at("-");
        let run = sandbox.restow(&["export", "--image", &image, &source, "out.tar"]);
        let (nothing, _) = run.stdin_pipe(bytes).run().reports();
        assert_eq!(nothing, b"");
        assert!(
            sandbox.read("out.tar") == tar,
            "{}: file and pipe",
            fixture.name()
        );

        fixture.assert_tree(tar);
    }
}

#[test]
fn exports_of_the_fixtures_have_the_trees_that_are_expected() {
    assert_exports(&fixtures());
}

#[test]
fn exports_of_the_shared_fixtures_have_the_trees_that_are_expected() {
    assert_exports(&shared(
        "exports_of_the_shared_fixtures_have_the_trees_that_are_expected",
        "fixtures",
    ));
}

/// The ranges of so many layers that are tried, from 0: all, the ends, the middle, and one layer.
fn ranges(count: usize) -> Vec<std::ops::RangeInclusive<usize>> {
    let last = count - 1;
    let mut ranges = vec![
        0..=last,
        0..=last / 2,
        last / 2..=last,
        last / 3..=last / 2,
        last..=last,
    ];
    ranges.dedup();
    ranges
}

/// Squashes ranges of each fixture, to its own format.
#[track_caller]
fn assert_squashes(fixtures: &[Fixture]) {
    for fixture in fixtures {
        let Fixture {
            format,
            image,
            stored,
            ..
        } = fixture;
        for range in ranges(stored.len()) {
            let what = format!("{range:?} of {}", fixture.name());
            let sandbox = Sandbox::new();
            let layers = range_argument(&range);
            let (id, source) = (image.id(), format.at(&fixture.path));
            let target = format.at("out.tar");
            let arguments = [
                "squash", "--layers", &layers, "--image", &id, &source, &target,
            ];
            let squashed = squashed(&sandbox, sandbox.run(&arguments), "out.tar", *format);
            let (start, end) = (*range.start(), *range.end());
            let (before, after) = (image.digests(), squashed.image.digests());
            assert_eq!(after[..start], before[..start], "{what}: below");
            assert_eq!(after[start + 1..], before[end + 1..], "{what}: above");
            let new = &squashed.stored[start];
            assert_eq!(
                Codec::of(new),
                Codec::of(&stored[end]),
                "{what}: as the highest was"
            );
            assert_bytes(&decompress(new));
            let below = replay(&stored[..start]);
            assert_entries(&entries(new), (start > 0).then_some(&below));
            let strictness = if start == 0 {
                Strictness::All
            } else {
                Strictness::DefinedOnly
            };
            let original = replay_for(stored, std::slice::from_ref(&range));
            assert_same(&original, &replay(&squashed.stored), strictness, &what);
        }
    }
}

#[test]
fn squashed_fixtures_have_the_trees_that_they_had() {
    assert_squashes(&fixtures());
}

#[test]
fn squashed_shared_fixtures_have_the_trees_that_they_had() {
    assert_squashes(&shared(
        "squashed_shared_fixtures_have_the_trees_that_they_had",
        "fixtures",
    ));
}

#[test]
fn exports_of_the_corpus_have_the_trees_of_its_images() {
    let corpus = shared(
        "exports_of_the_corpus_have_the_trees_of_its_images",
        "corpus",
    );
    assert!(corpus.is_empty() || corpus.len() > 10, "{}", corpus.len());
    assert_exports(&corpus);
}

#[test]
fn the_squashed_corpus_has_the_trees_that_it_had() {
    assert_squashes(&shared(
        "the_squashed_corpus_has_the_trees_that_it_had",
        "corpus",
    ));
}

/// The content of the files of an image, as `cat` prints it, and what `files` says of the entries
/// that layers have: the facts of an expected tree.
#[track_caller]
fn listed(fixture: &Fixture) -> BTreeMap<String, Value> {
    let sandbox = Sandbox::new();
    let source = fixture.format.at(&fixture.path);
    let id = fixture.image.id();
    let run = sandbox.run(&["files", "--json", "--image", &id, &source]);
    let (lines, _) = run.data_and_warnings();
    let lines = String::from_utf8(lines).expect("it is UTF-8");
    let parse = |line: &str| serde_json::from_str(line).expect("each line is an object");
    let entries: Vec<Value> = lines.lines().map(parse).collect();
    let mut names: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for entry in &entries {
        if let Some(inode) = entry["inode"].as_u64() {
            names
                .entry(inode)
                .or_default()
                .push(escaped(&path_of(entry)));
        }
    }
    let contents = contents(fixture, &entries);
    let given = entries.iter().filter(|entry| !entry["mtime"].is_null());
    let facts = given.map(|entry| (escaped(&path_of(entry)), facts_of(entry, &names, &contents)));
    facts.collect()
}

/// The content of each regular file, read by the library.
#[track_caller]
fn contents(fixture: &Fixture, entries: &[Value]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let session = Session::new();
    let input = match fixture.format {
        Format::Docker => Input::path(&fixture.path).format(restow::Format::DockerArchive),
        Format::Oci | Format::OciArchive => Input::path(&fixture.path),
    };
    let images = session.open(input).expect("it can be opened");
    let mut options = FilesOptions::default();
    options.image = Some(fixture.image.id().parse().expect("an id selects"));
    let mut contents = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry["type"] == "file") {
        let path = path_of(entry);
        options.paths = vec![PathPattern::new(&path)];
        let mut content = Vec::new();
        session
            .cat(
                &images,
                None,
                &options,
                &mut content,
                &Place::StandardOutput,
            )
            .unwrap_or_else(|error| panic!("{}: {error}", escaped(&path)));
        contents.insert(path, content);
    }
    contents
}

fn facts_of(
    entry: &Value,
    names: &BTreeMap<u64, Vec<String>>,
    contents: &BTreeMap<Vec<u8>, Vec<u8>>,
) -> Value {
    let bytes = |base64: &Value| {
        let base64 = base64.as_str().expect("it is text");
        STANDARD.decode(base64).expect("it is base64")
    };
    let mode = entry["mode"].as_str().expect("a mode is text");
    let time = entry["mtime"].as_str().expect("a time is text");
    let seconds = time.parse().map_or_else(
        |_| time.trim_start_matches('@').parse().expect("it is seconds"),
        Timestamp::seconds,
    );
    let xattrs = entry["xattrs"].as_object().expect("it is an object");
    let xattrs = xattrs
        .iter()
        .map(|(name, value)| (name.clone(), json!(to_hex(&bytes(value)))));
    let letter = match entry["type"].as_str() {
        Some("directory") => "d",
        Some("file") => "f",
        Some("symlink") => "l",
        Some("char") => "c",
        Some("block") => "b",
        Some("fifo") => "p",
        _ => panic!("{entry} has no type"),
    };
    let mut facts = json!({
        "mode": u32::from_str_radix(mode, 8).expect("it is octal"),
        "uid": entry["uid"],
        "gid": entry["gid"],
        "mtime": seconds,
        "xattr": xattrs.collect::<serde_json::Map<_, _>>(),
        "type": letter,
    });
    match letter {
        "f" => {
            facts["size"] = entry["size"].clone();
            facts["sha"] = json!(hex(&digest(&contents[&path_of(entry)])));
        }
        "l" => {
            facts["to"] = match &entry["target_base64"] {
                Value::Null => entry["target"].clone(),
                base64 => json!(escaped(&bytes(base64))),
            };
        }
        "c" | "b" => facts["dev"] = entry["device"].clone(),
        _ => {}
    }
    if let Some(inode) = entry["inode"].as_u64() {
        facts["links"] = json!(names[&inode]);
    }
    facts
}

/// `files` lists the tree of each fixture, and `cat` prints the content of its files.
#[track_caller]
fn assert_listed(fixtures: &[Fixture]) {
    for fixture in fixtures {
        let got = listed(fixture);
        let name = fixture.name();
        assert_eq!(got, facts(&replay(&fixture.stored)), "{name}");
        if let Some(path) = &fixture.expected {
            let lines = std::fs::read_to_string(path).expect("the file can be read");
            assert!(got == expected(&lines), "{name} is not as expected");
        }
    }
}

#[test]
fn the_files_of_the_fixtures_are_those_that_are_expected() {
    assert_listed(&fixtures());
}

#[test]
fn the_files_of_the_shared_fixtures_are_those_that_are_expected() {
    assert_listed(&shared(
        "the_files_of_the_shared_fixtures_are_those_that_are_expected",
        "fixtures",
    ));
}

#[test]
fn the_files_of_the_corpus_are_those_of_its_images() {
    assert_listed(&shared(
        "the_files_of_the_corpus_are_those_of_its_images",
        "corpus",
    ));
}
