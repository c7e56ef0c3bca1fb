//! What `export` and `squash` make of archives that real engines wrote.
//!
//! The trees that they must have are in `testdata/expected`. They were made by
//! another program, and compared with `docker export` of the same images.

use std::path::{Path, PathBuf};

use crate::support::image::{Image, Store};
use crate::support::judge::{FIXTURES, Format};
use crate::support::tree::{expected, facts};
use crate::support::{naive, testdata, tools};

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

/// The images of `../shared/fixtures`, if that is there.
#[track_caller]
fn shared(test: &str) -> Vec<Fixture> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures");
    let Ok(entries) = std::fs::read_dir(&directory) else {
        tools::report(test, "../shared/fixtures is not here");
        return Vec::new();
    };
    let paths = entries.map(|it| it.expect("the directory can be read").path());
    let paths = paths.filter(|it| it.extension().is_some_and(|it| it == "tar"));
    let found = paths.flat_map(|path| {
        let store = Store::open(&path);
        let format = match (store.get("manifest.json"), store.get("oci-layout")) {
            (Some(_), _) => Format::Docker,
            (None, Some(_)) => Format::OciArchive,
            (None, None) => return Vec::new(),
        };
        images(&path, format, &directory.join("expected"))
    });
    found.collect()
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
        let (expected, got) = (expected(&lines), facts(&naive::replay(&fixture.stored)));
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
    let shared = shared("the_naive_replay_makes_the_shared_trees");
    let count = assert_the_naive_replay_agrees(&shared);
    assert!(
        shared.is_empty() || count > 20,
        "{count} of {}",
        shared.len()
    );
}
