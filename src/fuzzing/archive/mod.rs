//! The tar around images, and the documents in it.

mod text;

use std::collections::BTreeSet;
use std::io::{self, Cursor, Seek, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use super::headers::with_checksums;
use crate::error::{Error, Place, Result};
use crate::event::Watch;
use crate::format::source::{Content, ImageSource};
use crate::format::{self, Format, Input, Opening, Output, RootfsSink};
use crate::ops::{self, ConvertOptions, ExportOptions, SquashOptions};
use crate::transfer::Context;

/// Takes the bytes for an input of any format: as they are and with checksums that
/// hold, or, where they are text with a `=` in front, as what `text.rs` makes of them.
///
/// An input says the same from a file and from a pipe. What is converted to an archive
/// or a layout is accepted there, has the same image ids and diff_ids, and converts to
/// itself. What is squashed is accepted with one layer, and what is exported is a root
/// filesystem.
pub fn archive(data: &[u8]) {
    if let Some(tar) = text::tar(data) {
        return check(&tar);
    }
    check(data);
    let repaired = with_checksums(data);
    if repaired != data {
        check(&repaired);
    }
}

fn check(bytes: &[u8]) {
    let interrupt = AtomicBool::new(false);
    let temporary = std::env::temp_dir();
    let machine = Machine {
        temporary: &temporary,
        watch: Watch::new(&|_| (), &interrupt),
    };
    let Some(images) = machine.check_reading(bytes) else {
        return;
    };
    for format in [Format::DockerArchive, Format::OciArchive] {
        let Ok(converted) = machine.convert(bytes, format) else {
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

/// The digests of an image: of its config, and of its layers unpacked. Of anything else
/// that of its manifest, or what points to it.
type Facts = Vec<String>;

/// Where all of this runs.
struct Machine<'a> {
    temporary: &'a Path,
    watch: Watch<'a>,
}

impl Machine<'_> {
    fn context(&self) -> Context<'_> {
        Context {
            watch: self.watch,
            jobs: NonZeroUsize::MIN,
            temporary_directory: self.temporary,
        }
    }

    fn open(
        &self,
        input: Input,
        format: Option<Format>,
        staging: Option<&Path>,
    ) -> Result<Box<dyn ImageSource>> {
        let opening = Opening {
            format,
            staging,
            temporary_directory: self.temporary,
            measures: staging.is_none(),
            platform: None,
            created: None,
            watch: self.watch,
        };
        format::open(input, &opening)
    }

    /// Reads an input as a file and as a pipe, and returns what is in it.
    fn check_reading(&self, bytes: &[u8]) -> Option<BTreeSet<Facts>> {
        let read = |input| {
            let source = self.open(input, None, None)?;
            images(source.as_ref())
        };
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

    fn convert(&self, bytes: &[u8], format: Format) -> Result<Vec<u8>> {
        let source = self.open(input(bytes), None, None)?;
        let memory = Memory::default();
        let sink = format::create(format, output(&memory), self.temporary)?;
        let options = ConvertOptions::default();
        let result = ops::convert(source.as_ref(), sink, &options, self.context());
        if let Err(error) = &result {
            assert_message(error);
        }
        result.map(|_| memory.take())
    }

    /// Converts what was converted.
    ///
    /// The second time it may lose an entry without a name of what has names too.
    fn check_again(&self, converted: Vec<u8>, images: &BTreeSet<Facts>, format: Format) {
        let mut last = converted;
        for _ in 0..2 {
            let again = self.convert(&last, format);
            let again = again.expect("what was converted can be converted");
            if again == last {
                return;
            }
            assert_eq!(self.check_reading(&again).as_ref(), Some(images));
            last = again;
        }
        panic!("it becomes another one at every conversion");
    }

    /// Takes a pipe apart into a layout, without keeping it first.
    fn check_layout(&self, bytes: &[u8], images: &BTreeSet<Facts>) {
        let folder = tempfile::tempdir_in(self.temporary).expect("there is room for it");
        let path = folder.path().join("layout");
        let convert = || {
            let output = Output::Path {
                path: path.clone(),
                replace: false,
            };
            let sink = format::create(Format::OciDirectory, output, self.temporary)?;
            let source = self.open(pipe(bytes), None, sink.staging())?;
            let options = ConvertOptions::default();
            ops::convert(source.as_ref(), sink, &options, self.context())
        };
        if let Err(error) = convert() {
            assert_message(&error);
            assert!(!path.exists(), "nothing is visible of what failed");
            return;
        }
        let source = self.open(Input::Path(path), None, None);
        let source = source.expect("what was converted is accepted");
        let kept = self::images(source.as_ref()).expect("it can be read");
        assert_eq!(kept, *images, "nothing is left out");
    }

    /// Merges all layers of the one image, and writes what it shows.
    fn check_squash(&self, bytes: &[u8]) {
        let Ok(source) = self.open(input(bytes), None, None) else {
            return;
        };
        let memory = Memory::default();
        let sink = format::create(Format::DockerArchive, output(&memory), self.temporary);
        let sink = sink.expect("memory takes everything");
        let options = SquashOptions::default();
        match ops::squash(source.as_ref(), Some(sink), &options, self.context()) {
            Ok(_) => {
                let squashed = self.check_reading(&memory.take());
                let squashed = squashed.expect("what was squashed is accepted");
                let is_one = |facts: &Facts| facts.len() <= 2;
                assert!(squashed.len() == 1 && squashed.iter().all(is_one));
            }
            Err(error) => assert_message(&error),
        }
        let memory = Memory::default();
        let sink = RootfsSink::create(output(&memory));
        let sink = sink.expect("memory takes everything");
        let options = ExportOptions::default();
        match ops::export(source.as_ref(), sink, &options, self.context()) {
            Ok(()) => {
                let tar = input(&memory.take());
                let rootfs = self.open(tar, Some(Format::Rootfs), None);
                rootfs.expect("what was exported is a root filesystem");
            }
            Err(error) => assert_message(&error),
        }
    }
}

/// What is in an input.
fn images(source: &dyn ImageSource) -> Result<BTreeSet<Facts>> {
    let mut images = BTreeSet::new();
    for root in source.roots()? {
        assert!(!root.display_name().is_empty() || root.label.is_some());
        collect(&source.load(root)?, &mut images);
    }
    Ok(images)
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

/// Checks that an error says something at each level, and ends.
fn assert_message(error: &Error) {
    let mut at: Option<&dyn std::error::Error> = Some(error);
    let mut levels = 0;
    while let Some(error) = at {
        assert!(!error.to_string().is_empty());
        levels += 1;
        assert!(levels < 20, "{error}");
        at = error.source();
    }
}

fn input(bytes: &[u8]) -> Input {
    let mut file = tempfile::tempfile().expect("there is a place for temporary files");
    file.write_all(bytes)
        .and_then(|()| file.rewind())
        .expect("there is room for it");
    let place = Place::StandardInput;
    Input::File { file, place }
}

fn output(memory: &Memory) -> Output {
    Output::Stream {
        stream: Box::new(memory.clone()),
        place: Place::StandardOutput,
    }
}

fn pipe(bytes: &[u8]) -> Input {
    Input::Pipe {
        stream: Box::new(Cursor::new(bytes.to_vec())),
        place: Place::StandardInput,
    }
}

/// An output that keeps what is written to it.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().expect("nobody has panicked"))
    }
}

impl Write for Memory {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("nobody has panicked")
            .extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
