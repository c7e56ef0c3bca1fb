//! Archives of real producers, cut at every block, and with one bit flipped.
//!
//! What is found wrong is refused. What is not, must be what it would have been:
//! the output is that of the whole archive to the byte, or it is what an
//! independent reader finds in the damaged one, after it has compared every
//! digest that there is. The layers of an image have one in any case. No digest
//! covers the tar around them (padding, members that nothing names), the names
//! and paths in `manifest.json`, `repositories` and `index.json`, and the config of
//! a docker-archive unless it is called by its own; the tests know what is covered,
//! and want that found.
//!
//! In the ordinary run some places are tried of each archive, and the same in every run.
//! `RESTOW_TRIALS=2000 cargo test --release damage` flips 2,000 bits in each, and
//! cuts at every block.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::codec::{Codec, decompress, digest, hex};
use crate::support::commands::{COMMANDS, Command, Depth};
use crate::support::entry::Entry;
use crate::support::image::{Facts, Image, Layer, Store, facts};
use crate::support::judge::{FIXTURES, Format};
use crate::support::reference::{is_tagged, split};
use crate::support::tools::succeed;
use crate::support::{Sandbox, Seed, fixture, naive, trials};

/// Places that are tried in the ordinary run, of each archive with each command.
const PLACES: usize = 10;

/// More than any run takes, and less than one would wait for.
const HANG: [&str; 2] = ["timeout", "60"];

/// What a run made of an archive.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It refused, with these words.
    Refused(String),
    /// It has written this.
    Done(Vec<u8>),
}

/// Runs a command on bytes, and checks what holds whatever they are.
#[track_caller]
fn run(
    sandbox: &Sandbox,
    command: Command,
    input: &[u8],
    (format, delta): (Format, &Path),
    case: &str,
) -> Outcome {
    sandbox.write("in.tar", input);
    let arguments = command.arguments(&format.at("in.tar"), format, delta);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = sandbox.restow(&arguments).by(&HANG).command().output();
    let output = output.expect("the command can be started");
    let said = String::from_utf8(output.stderr).expect("stderr is UTF-8");
    sandbox.assert_no_temporaries();
    let out = sandbox.path("out");
    let outcome = match output.status.code() {
        Some(0) => {
            let written = if command.writes_files() {
                packed(&out)
            } else {
                fs::read(&out).unwrap_or_default()
            };
            sandbox.remove("out");
            Outcome::Done(written)
        }
        Some(code) if code == command.failure() => {
            let errors = said.lines().filter(|it| it.starts_with("error: "));
            let errors = errors.count();
            // What only looks may have more than one thing to say.
            let is_clear = errors == 1 || errors > 1 && !command.writes();
            assert!(is_clear, "{case}: {said}");
            Outcome::Refused(said)
        }
        _ => panic!("{case}: {} {said}", output.status),
    };
    let left = fs::read_dir(sandbox.path("")).expect("the folder can be read");
    let left: Vec<_> = left.map(|it| it.expect("an entry").file_name()).collect();
    assert_eq!(left, ["in.tar"], "{case}: left behind");
    outcome
}

/// A folder as a tar.
#[track_caller]
fn packed(folder: &Path) -> Vec<u8> {
    let mut command = process::Command::new("tar");
    command.args(["-c", "--sort=name", "--numeric-owner", "--format=posix"]);
    command.arg("--pax-option=delete=atime,delete=ctime");
    command
        .args(["--xattrs", "--xattrs-include=*", "-C"])
        .arg(folder);
    succeed(command.arg("."))
}

/// The images of an archive, or nothing if anything in it is not what a digest says.
fn judged(input: &[u8], format: Format) -> Option<Vec<Image>> {
    let read = || {
        let store = Store::from_tar(input);
        match format {
            Format::Docker => store.docker_images(),
            Format::Oci | Format::OciArchive => {
                let layout = store.layout();
                layout.found.into_iter().map(|it| it.image).collect()
            }
        }
    };
    panic::catch_unwind(AssertUnwindSafe(read)).ok()
}

/// An archive, what each command makes of it, and what of it has a digest.
struct Subject {
    name: String,
    format: Format,
    bytes: Vec<u8>,
    images: Vec<Image>,
    whole: Vec<Vec<u8>>,
    /// A sandbox with the delta from the archive to itself.
    aside: Sandbox,
    /// Bytes of all images that a digest covers, and of the first one.
    covered: [Vec<Range<usize>>; 2],
}

impl Subject {
    fn new(sandbox: &Sandbox, name: &str, format: Format) -> Self {
        let bytes = fixture(name);
        let name = format!("{name} as {format:?}");
        let aside = Sandbox::new();
        aside.write("in.tar", &bytes);
        let input = format.at("in.tar");
        drop(aside.run(&["delta", &input, &input, "delta"]).reports());
        let delta = aside.path("delta");
        let whole =
            COMMANDS.map(
                |command| match run(sandbox, command, &bytes, (format, &delta), &name) {
                    Outcome::Done(output) => output,
                    Outcome::Refused(said) => panic!("{name}, {command:?}: {said}"),
                },
            );
        let images = judged(&bytes, format).expect("a fixture is whole");
        Self {
            covered: covered(&bytes, format),
            whole: whole.into(),
            aside,
            images,
            name,
            format,
            bytes,
        }
    }

    /// Whether a digest covers a byte that a command reads. Of an old image only what the delta
    /// lacks is read, so that other bytes of it do not matter.
    fn is_covered(&self, command: Command, place: usize) -> bool {
        let [all, first] = &self.covered;
        let ranges = if command.reads_one() { first } else { all };
        let reads_it = command.depth >= Depth::Blobs && !command.applies();
        reads_it && ranges.iter().any(|range| range.contains(&place))
    }

    /// Checks what a command makes of the archive after it was damaged.
    ///
    /// Returns whether it was refused.
    #[track_caller]
    fn check(&self, sandbox: &Sandbox, number: usize, input: &[u8], case: &str) -> bool {
        let command = COMMANDS[number];
        let case = format!("{}, {case}, {command:?}", self.name);
        let delta = self.aside.path("delta");
        let output = match run(sandbox, command, input, (self.format, &delta), &case) {
            Outcome::Refused(_) => return true,
            Outcome::Done(output) => output,
        };
        let whole = &self.whole[number];
        if output == *whole && command.writes() || command.depth < Depth::Blobs {
            return false;
        }
        let images = judged(input, self.format);
        let images = images.unwrap_or_else(|| panic!("{case}: it is not what it was"));
        if !command.writes() {
            return false;
        }
        if command.keeps_images() {
            let written = judged(&output, self.format).expect("the output is valid");
            let is_same = plain(&written) == plain(&nameable(images, self.format));
            assert!(is_same, "{case}: it is not what was read");
        } else {
            // Only a document without a digest can have changed. It has the time of what no
            // layer has an entry for; all else is in the layers.
            let is_told = documents(input) != documents(&self.bytes);
            let is_said = plain(&images) != plain(&self.images);
            assert!(is_told || is_said, "{case}: it is not what it was");
            if command.writes_delta() {
                return false;
            }
            let is_same = contents(&output) == contents(whole);
            assert!(is_same, "{case}: other entries");
        }
        false
    }
}

/// Images without what an archive calls them and no engine can, of which there is a warning.
fn nameable(mut images: Vec<Image>, format: Format) -> Vec<Image> {
    if format == Format::Docker {
        for image in &mut images {
            // A name without a tag means the tag `latest`.
            for tag in image.tags.iter_mut().filter(|tag| split(tag).is_none()) {
                tag.push_str(":latest");
            }
            image.tags.retain(|tag| is_tagged(tag));
            image.tags.sort();
        }
    }
    images
}

/// What makes images the same, however their layers are stored.
fn plain(images: &[Image]) -> Vec<Facts> {
    let mut facts = facts(images);
    facts.sort();
    facts
}

/// The documents that no digest covers.
fn documents(input: &[u8]) -> Vec<Option<Vec<u8>>> {
    let store = Store::from_tar(input);
    let names = ["index.json", "manifest.json", "oci-layout", "repositories"];
    names.map(|it| store.get(it).map(<[u8]>::to_vec)).into()
}

/// The entries of the layers in an output, or of the tar that it is, but for their times.
fn contents(output: &[u8]) -> Vec<Entry> {
    let store = Store::from_tar(output);
    let stored = if store.get("index.json").is_none() {
        vec![output.to_vec()]
    } else {
        // An image is found once for each of its names.
        let mut images: Vec<Image> = store
            .layout()
            .found
            .into_iter()
            .map(|it| it.image)
            .collect();
        images.dedup_by(|one, other| one.config == other.config);
        images.iter().flat_map(|it| store.stored(it)).collect()
    };
    let entries = stored.iter().flat_map(|it| naive::entries(&decompress(it)));
    let timeless = |mut entry: Entry| {
        entry.meta.mtime = 0;
        entry
    };
    entries.map(timeless).collect()
}

/// The bytes of all images that a digest covers, and of the first.
fn covered(bytes: &[u8], format: Format) -> [Vec<Range<usize>>; 2] {
    let store = Store::from_tar(bytes);
    let mut members: BTreeMap<String, Vec<(String, Range<usize>)>> = BTreeMap::new();
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().expect("a tar") {
        let entry = entry.expect("the tar is whole");
        if entry.header().entry_type().is_file() {
            let number = |number: u64| usize::try_from(number).expect("it fits");
            let start = number(entry.raw_file_position());
            let range = start..start + number(entry.size());
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let content = digest(&bytes[range.clone()]);
            members.entry(content).or_default().push((name, range));
        }
    }
    // Of several members with one content it does not matter what becomes of the others.
    let range = |digest: &String, needs_name: bool| match members.get(digest).map(Vec::as_slice) {
        Some([(name, range)]) => {
            let is_named = !needs_name || name.contains(hex(digest));
            is_named.then(|| range.clone())
        }
        _ => None,
    };
    let of_image = |image: &Image| -> Vec<Range<usize>> {
        let is_named = |it: &Layer| it.codec != Codec::Plain;
        let layers = image.layers.iter();
        let layers = layers.filter_map(|it| match format {
            // A name proves nothing but in a layout, which this may be, too.
            Format::Docker if is_named(it) && store.get("index.json").is_none() => None,
            _ => range(&it.digest, is_named(it)),
        });
        // The other names of a config, which look like its digest, bind no reader either.
        let id = image.id();
        let is_blob = store.get(&format!("blobs/sha256/{}", hex(&id))).is_some();
        let config = range(&id, true).filter(|_| is_blob);
        layers.chain(config).collect()
    };
    match format {
        Format::Docker => {
            let images = store.docker_images();
            let all = images.iter().flat_map(of_image).collect();
            [all, of_image(&images[0])]
        }
        Format::Oci | Format::OciArchive => {
            let layout = store.layout();
            let all = layout.reachable.iter().filter_map(|it| range(it, true));
            [all.collect(), of_image(&layout.host_images()[0])]
        }
    }
}

/// Does something with every archive, on as many threads as there are cores.
///
/// A check that fails does not end the others: all that is wrong is wanted at once.
fn with_each(act: impl Fn(&Sandbox, &Subject) + Sync) {
    let failures = AtomicUsize::new(0);
    let next = AtomicUsize::new(0);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let sandbox = Sandbox::new();
                while let Some((name, format)) = FIXTURES.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let subject = Subject::new(&sandbox, name, *format);
                    let act = AssertUnwindSafe(|| act(&sandbox, &subject));
                    let has_failed = panic::catch_unwind(act).is_err();
                    failures.fetch_add(usize::from(has_failed), Ordering::Relaxed);
                }
            });
        }
    });
    let failures = failures.into_inner();
    assert_eq!(
        failures, 0,
        "archives that something is wrong with, see above"
    );
}

#[test]
fn what_is_cut_off_is_missed_or_was_not_needed() {
    let refused = AtomicUsize::new(0);
    let runs = AtomicUsize::new(0);
    with_each(|sandbox, subject| {
        let length = subject.bytes.len();
        let blocks = length / 512;
        let mut seed = Seed::of(&subject.name);
        let all: Vec<usize> = match trials(PLACES) {
            some if some < blocks => (0..some).map(|_| seed.below(blocks) * 512).collect(),
            _ => (0..length).step_by(512).collect(),
        };
        for cut in all {
            for number in 0..COMMANDS.len() {
                let case = format!("cut at {cut} of {length}");
                let is_refused = subject.check(sandbox, number, &subject.bytes[..cut], &case);
                refused.fetch_add(usize::from(is_refused), Ordering::Relaxed);
                runs.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    report("cuts", &runs, &refused);
}

#[test]
fn what_is_flipped_is_found_or_changes_nothing() {
    let refused = AtomicUsize::new(0);
    let runs = AtomicUsize::new(0);
    with_each(|sandbox, subject| {
        let mut seed = Seed::of(&subject.name);
        for _ in 0..trials(PLACES) {
            let place = seed.below(subject.bytes.len());
            let bit = seed.below(8);
            let mut input = subject.bytes.clone();
            input[place] ^= 1 << bit;
            for (number, command) in COMMANDS.iter().enumerate() {
                let case = format!("bit {bit} of byte {place}");
                let is_refused = subject.check(sandbox, number, &input, &case);
                let is_covered = subject.is_covered(*command, place);
                assert!(
                    is_refused || !is_covered,
                    "{}, {case}, {command:?}: a digest covers it",
                    subject.name
                );
                refused.fetch_add(usize::from(is_refused), Ordering::Relaxed);
                runs.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    report("flips", &runs, &refused);
}

/// No digest covers what images are called, so each bit of it is tried.
#[test]
fn what_is_flipped_in_a_name_is_another_name_or_none() {
    let writers =
        |number: &usize| COMMANDS[*number].writes() && COMMANDS[*number].depth >= Depth::Blobs;
    let writers: Vec<usize> = (0..COMMANDS.len()).filter(writers).collect();
    let sandbox = Sandbox::new();
    let subject = Subject::new(&sandbox, "podman43__multi-tags.docker.tar", Format::Docker);
    let bytes = &subject.bytes;
    let find = |text: &[u8]| bytes.windows(text.len()).position(|it| it == text);
    let names = find(br#""RepoTags":["#).expect("there are names")
        ..find(br#"],"Layers""#).expect("they end");
    for place in names {
        for bit in 0..8 {
            let mut input = bytes.clone();
            input[place] ^= 1 << bit;
            let case = format!("bit {bit} of byte {place}");
            for number in writers.iter().copied() {
                // One bit in eight is enough where the names are not all that is kept.
                if bit == 0 || COMMANDS[number].keeps_images() {
                    subject.check(&sandbox, number, &input, &case);
                }
            }
        }
    }
}

/// Says how much was done; `cargo test -- --nocapture` shows it.
#[expect(clippy::print_stdout, reason = "it is for a person")]
fn report(what: &str, runs: &AtomicUsize, refused: &AtomicUsize) {
    let [runs, refused] = [runs, refused].map(|it| it.load(Ordering::Relaxed));
    println!("{what}: {runs} runs, {refused} refused");
    assert!(
        refused > runs / 2,
        "{what}: {refused} of {runs} were refused"
    );
}
