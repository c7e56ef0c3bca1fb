//! The tar around images, and the documents in it.

pub(super) mod text;

use std::collections::BTreeSet;
use std::io::{self, Cursor, Seek, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::headers::check_repaired;
use crate::error::{Error, Place, Result};
use crate::format::source::Content;
use crate::format::{Format, Input, Output};
use crate::ops::{ConvertOptions, ExportOptions, SquashOptions};
use crate::session::{Images, Session};

/// Uses the bytes as an input of any format: unchanged and with repaired checksums, or,
/// if they are text with `=` at the start, as the archive that `text.rs` makes of it.
///
/// An input has the same content as a file and as a pipe. An archive or a layout
/// converted from it is accepted, has the same image ids and diff_ids, and converts to
/// itself. A squashed image is accepted with one layer, and an exported one is a root
/// filesystem.
pub fn archive(data: &[u8]) {
    if let Some(tar) = text::tar(data, &Arc::default()) {
        return check(&tar);
    }
    check_repaired(data, check);
}

fn check(bytes: &[u8]) {
    let temporary = std::env::temp_dir();
    let machine = Machine {
        temporary: &temporary,
        session: Session::new().jobs(1).temporary_directory(&temporary),
    };
    let Some(images) = machine.check_reading(bytes) else {
        return;
    };
    for format in [Format::DockerArchive, Format::OciArchive] {
        let Ok(converted) = machine.convert(input(bytes), format) else {
            continue;
        };
        let kept = machine
            .check_reading(&converted)
            .expect("what was converted is accepted");
        assert!(kept.is_subset(&images), "{kept:?} was in {images:?}");
        if format == Format::OciArchive {
            assert_eq!(kept, images, "nothing is left out");
            machine.check_layout(bytes, &images);
        }
        machine.check_again(converted, &kept, format);
    }
    machine.check_squash(bytes);
}

/// The digests of an image: of its config, and of its unpacked layers. For anything
/// else that of its manifest, or of its descriptor.
type Facts = Vec<String>;

/// The environment of the checks.
struct Machine<'a> {
    temporary: &'a Path,
    session: Session<'a>,
}

impl Machine<'_> {
    /// Reads an input as a file and as a pipe, and returns its content.
    fn check_reading(&self, bytes: &[u8]) -> Option<BTreeSet<Facts>> {
        let read = |input| images(&self.session.open(input)?);
        let from_file = read(input(bytes));
        let from_pipe = read(pipe(bytes));
        match (from_file, from_pipe) {
            (Ok(one), Ok(other)) => {
                assert_eq!(one, other, "a pipe is read like a file");
                Some(one)
            }
            (Err(one), Err(_)) => {
                assert_message(&one);
                None
            }
            (one, other) => panic!("a pipe is read like a file: {one:?}, {other:?}"),
        }
    }

    fn convert(&self, input: Input, format: Format) -> Result<Vec<u8>> {
        let memory = Memory::default();
        let options = ConvertOptions::default();
        let output = output(format, &memory);
        let result = self.session.convert(input, output, &options);
        let result = result.inspect_err(assert_message);
        result.map(|_| memory.take())
    }

    /// Converts a converted archive again.
    ///
    /// The second time it may lose an entry without a name if the image also has names.
    fn check_again(&self, converted: Vec<u8>, images: &BTreeSet<Facts>, format: Format) {
        let mut last = converted;
        for _ in 0..2 {
            let again = self.convert(pipe(&last), format);
            let again = again.expect("what was converted can be converted");
            if again == last {
                return;
            }
            assert_eq!(self.check_reading(&again).as_ref(), Some(images));
            last = again;
        }
        panic!("it becomes another one at every conversion");
    }

    /// Splits a pipe into a layout, without storing it first.
    fn check_layout(&self, bytes: &[u8], images: &BTreeSet<Facts>) {
        let folder = tempfile::tempdir_in(self.temporary).expect("there is room for it");
        let path = folder.path().join("layout");
        let options = ConvertOptions::default();
        let output = Output::layout(&path);
        let result = self.session.convert(pipe(bytes), output, &options);
        if let Err(error) = result {
            assert_message(&error);
            assert!(!path.exists(), "nothing is visible of what failed");
            return;
        }
        let kept = self.session.open(Input::path(path));
        let kept = kept.expect("what was converted is accepted");
        let kept = self::images(&kept).expect("it can be read");
        assert_eq!(kept, *images, "nothing is left out");
    }

    /// Merges all layers of the only image, and exports it.
    fn check_squash(&self, bytes: &[u8]) {
        let Ok(images) = self.session.open(input(bytes)) else {
            return;
        };
        let memory = Memory::default();
        let archive = output(Format::DockerArchive, &memory);
        let options = SquashOptions::default();
        match self.session.squash(&images, archive, &options) {
            Ok(_) => {
                let squashed = self.check_reading(&memory.take());
                let squashed = squashed.expect("what was squashed is accepted");
                let is_one = |facts: &Facts| facts.len() <= 2;
                assert!(squashed.len() == 1 && squashed.iter().all(is_one));
            }
            Err(error) => assert_message(&error),
        }
        let memory = Memory::default();
        let tree = output(Format::Rootfs, &memory);
        let options = ExportOptions::default();
        match self.session.export(&images, tree, &options) {
            Ok(report) => {
                let tar = memory.take();
                assert_eq!(report.size, tar.len() as u64);
                let rootfs = input(&tar).format(Format::Rootfs);
                let rootfs = self.session.open(rootfs);
                rootfs.expect("what was exported is a root filesystem");
            }
            Err(error) => assert_message(&error),
        }
    }
}

/// The content of an input.
fn images(images: &Images) -> Result<BTreeSet<Facts>> {
    let source = images.source();
    let mut found = BTreeSet::new();
    for root in source.roots()? {
        assert!(!root.display_name().is_empty() || root.label.is_some());
        collect(&source.load(root)?, &mut found);
    }
    Ok(found)
}

fn collect(content: &Content, images: &mut BTreeSet<Facts>) {
    match content {
        Content::Image(image) => {
            let config = image.config.digest().to_string();
            let layers = image.layers.iter().map(|layer| layer.diff_id.to_string());
            images.insert([config].into_iter().chain(layers).collect());
        }
        Content::Index(index) => {
            for child in &index.children {
                collect(child, images);
            }
        }
        Content::Artifact(artifact) => {
            images.insert(vec![artifact.manifest.digest().to_string()]);
        }
        Content::Opaque { descriptor, .. } => {
            images.insert(vec![descriptor.digest().to_string()]);
        }
    }
}

/// Checks that an error has a message at each level, and ends.
pub(super) fn assert_message(error: &Error) {
    let first: &dyn std::error::Error = error;
    for (at, level) in std::iter::successors(Some(first), |it| it.source()).enumerate() {
        assert!(!level.to_string().is_empty());
        assert!(at < 19, "{level}");
    }
}

pub(super) fn input(bytes: &[u8]) -> Input {
    let mut file = tempfile::tempfile().expect("there is a place for temporary files");
    file.write_all(bytes)
        .and_then(|()| file.rewind())
        .expect("there is room for it");
    let place = Place::StandardInput;
    Input::file(file, place)
}

pub(super) fn output(format: Format, memory: &Memory) -> Output {
    Output::stream(format, memory.clone(), Place::StandardOutput)
}

pub(super) fn pipe(bytes: &[u8]) -> Input {
    Input::pipe(Cursor::new(bytes.to_vec()), Place::StandardInput)
}

/// An output that stores the bytes in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().expect("nobody has panicked"))
    }
}

impl Write for Memory {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody has panicked").write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
