//! The library, called as its users do.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use restow::{
    ConvertOptions, DiffKind, DiffOptions, Encoding, Error, ExportOptions, Format, ImportOptions,
    Input, InspectOptions, LayerChoice, Output, PathPattern, Place, Session, SquashOptions,
    TextDifference, WasteOptions, WastePlan,
};

use crate::support::Sandbox;
use crate::support::codec::{self, Codec};
use crate::support::make::{self, Image};
use crate::support::sandbox::Tree;

/// A sandbox with an image of two layers in `in.tar`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let image = Image::new(&["app:1"], &["dir etc\nfile etc/hosts h", "file b 2"]);
    sandbox.write("in.tar", make::tar(&make::docker(&[image])));
    sandbox
}

fn session(sandbox: &Sandbox) -> Session<'_> {
    Session::new().temporary_directory(sandbox.tmp())
}

/// A pipe of which nothing may be read.
struct Unread;

impl Read for Unread {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("it was read for nothing");
    }
}

/// A writer that keeps what it takes.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().expect("nobody has panicked"))
    }
}

impl Write for Memory {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody has panicked").extend(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn pipe(sandbox: &Sandbox) -> Input {
    let file = File::open(sandbox.path("in.tar")).expect("it is there");
    Input::pipe(file, Place::StandardInput)
}

#[test]
fn images_that_are_open_are_read_as_often_as_is_wanted() {
    let sandbox = sandbox();
    let session = session(&sandbox);
    let converted = ["convert", "in.tar", "converted.tar"];
    sandbox.run(&converted).silent();
    let squashed = ["squash", "--all", "in.tar", "squashed.tar"];
    drop(sandbox.run(&squashed).reports());
    let archive = sandbox.read("in.tar");
    for archive in [Codec::Gzip.compress(&archive), archive] {
        let input = Input::pipe(io::Cursor::new(archive), Place::StandardInput);
        let images = session.open(input).expect("it is an archive");
        assert_eq!(images.format(), Format::DockerArchive);
        let inspection = session.inspect(&images, &InspectOptions::default());
        let id = inspection.expect("there is an image").id;
        let output = || Output::archive(sandbox.path("out.tar")).replace(true);

        let report = session.convert(&images, output(), &ConvertOptions::default());
        let report = report.expect("it can be converted");
        assert_eq!(report.images[0].id.as_ref(), Some(&id));
        assert_eq!(sandbox.read("out.tar"), sandbox.read("converted.tar"));

        let options = SquashOptions::default();
        let plan = session.plan_squash(&images, &options);
        let plan = plan.expect("it can be merged");
        assert_eq!((plan.layers_after, plan.written), (1, None));
        let report = session.squash(&images, output(), &options);
        assert_eq!(report.expect("it can be merged").layers_after, 1);
        assert_eq!(sandbox.read("out.tar"), sandbox.read("squashed.tar"));
    }
    sandbox.assert_no_temporaries();
}

#[test]
fn an_output_in_the_way_is_noticed_before_anything_is_read() {
    let sandbox = sandbox();
    let session = session(&sandbox);
    let input = || Input::pipe(Unread, Place::StandardInput);
    let output = || Output::archive(sandbox.path("in.tar"));
    let is_in_the_way = |error| matches!(error, Error::OutputExists(_));
    let converted = session.convert(input(), output(), &ConvertOptions::default());
    assert!(converted.is_err_and(is_in_the_way));
    let squashed = session.squash(input(), output(), &SquashOptions::default());
    assert!(squashed.is_err_and(is_in_the_way));
    let imported = session.import(input(), output(), &ImportOptions::default());
    assert!(imported.is_err_and(is_in_the_way));
    let tree = Output::path(Format::Rootfs, sandbox.path("in.tar"));
    let exported = session.export(input(), tree, &ExportOptions::default());
    assert!(exported.is_err_and(is_in_the_way));
    assert!(session.begin(output()).is_err_and(is_in_the_way));
}

#[test]
fn an_output_that_was_begun_waits_for_what_is_read_before() {
    let sandbox = sandbox();
    let session = session(&sandbox);
    let output = session.begin(Output::archive(sandbox.path("out.tar")));
    let base = session.diff_ids(pipe(&sandbox), None, None);
    let mut options = SquashOptions::default();
    options.layers = LayerChoice::Above(base.expect("it has layers")[..1].to_vec());
    let output = output.expect("nothing is in its way");
    let report = session.squash(pipe(&sandbox), output, &options);
    assert_eq!(report.expect("there is nothing to merge").ranges, []);
    let words = ["convert", "out.tar", "oci:layout"];
    drop(sandbox.run(&words).reports());

    let begun = session.begin(Output::archive(sandbox.path("other.tar")));
    drop(begun.expect("nothing is in its way"));
    assert!(!sandbox.tree().keys().any(|path| path.contains("other")));
}

#[test]
fn a_pipe_that_goes_into_a_layout_needs_no_temporary_file() {
    let sandbox = sandbox();
    let session = Session::new().temporary_directory("/nonexistent");
    let layout = Output::layout(sandbox.path("layout"));
    let options = ConvertOptions::default();
    let report = session.convert(pipe(&sandbox), layout, &options);
    assert_eq!(report.expect("it goes there at once").images.len(), 1);
    let archive = Output::archive(sandbox.path("out.tar"));
    let refused = session.convert(pipe(&sandbox), archive, &options);
    assert!(refused.is_err(), "a pipe that goes elsewhere is kept");
}

#[test]
fn what_was_exported_is_reported() {
    let sandbox = sandbox();
    let session = session(&sandbox);
    let images = session.open(Input::path(sandbox.path("in.tar")));
    let images = images.expect("it is an archive");
    let options = ExportOptions::default();
    for encoding in [Encoding::Plain, Encoding::Gzip(None)] {
        let path = sandbox.path(&format!("{}.tar", encoding.compression()));
        let output = Output::path(Format::Rootfs, &path).compressed(encoding);
        let report = session.export(&images, output, &options);
        let report = report.expect("it has a tree");
        let inspection = session.inspect(&images, &InspectOptions::default());
        let inspection = inspection.expect("it is an image");
        assert_eq!(report.image, "app:1");
        assert_eq!((report.id, report.layers), (inspection.id, 2));
        assert_eq!(report.platform, inspection.platform);
        assert_eq!(report.size, path.metadata().expect("it is there").len());
    }
}

#[test]
fn an_archive_in_a_stream_is_compressed_as_a_whole() {
    let sandbox = sandbox();
    let session = session(&sandbox);
    let options = ConvertOptions::default();
    let convert = |output| {
        let report = session.convert(pipe(&sandbox), output, &options);
        assert!(report.is_ok(), "{report:?}");
    };
    let memory = Memory::default();
    let stream = || Output::stream(Format::OciArchive, memory.clone(), Place::StandardOutput);
    convert(stream());
    let plain = memory.take();
    convert(stream().compressed(Encoding::Gzip(None)));
    let packed = memory.take();
    assert!(packed.len() < plain.len());
    assert_eq!(codec::decompress(&packed), plain);
}

#[test]
fn formats_that_an_operation_does_not_write_are_refused() {
    let sandbox = sandbox();
    let session = session(&sandbox);
    let input = || Input::path(sandbox.path("in.tar"));
    let out = sandbox.path("out");
    let options = ConvertOptions::default();
    let tree = Output::path(Format::Rootfs, &out);
    let stream = Output::stream(
        Format::OciDirectory,
        Memory::default(),
        Place::StandardOutput,
    );
    let packed = Output::layout(&out).compressed(Encoding::Zstd(None));
    for output in [tree, stream, packed] {
        let refused = session.convert(input(), output, &options);
        assert!(matches!(refused, Err(Error::NotWritable(_))), "{refused:?}");
    }
    let refused = session.export(input(), Output::archive(&out), &ExportOptions::default());
    assert!(matches!(refused, Err(Error::NotWritable(_))), "{refused:?}");
    assert!(!Path::new(&out).exists());
}

#[test]
fn a_flag_stops_an_operation_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let image = Image::new(&["app:1"], &["file a 1"]);
    let archive = make::tar(&make::docker(&[image]));
    let flag = Arc::new(AtomicBool::new(false));
    let session = session(&sandbox)
        .interrupted_by(flag.clone())
        .on_event(|_| flag.store(true, Ordering::Relaxed));
    let input = Input::pipe(io::Cursor::new(archive), Place::StandardInput);
    let output = Output::layout(sandbox.path("layout"));
    let stopped = session.convert(input, output, &ConvertOptions::default());
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    assert_eq!(sandbox.tree(), Tree::new());
    sandbox.assert_no_temporaries();
}

#[test]
fn two_images_are_compared() {
    let sandbox = Sandbox::new();
    for (name, layers) in [
        ("a", ["file a 1", "file b 1"]),
        ("b", ["file a 1", "file b 2"]),
    ] {
        let image = Image::new(&["app:1"], &layers);
        sandbox.write(name, make::tar(&make::docker(&[image])));
    }
    let session = session(&sandbox);
    let input = |name: &str| Input::path(sandbox.path(name));
    let opened = session.open(input("a")).expect("it can be opened");
    let options = DiffOptions::default();
    let report = session.diff(&opened, input("b"), &options);
    let report = report.expect("they can be compared");
    assert!(!report.is_same());
    assert_eq!((report.shared_layers, report.same), (1, 2));
    let [change] = report.files.as_slice() else {
        panic!("{:?}", report.files);
    };
    assert_eq!((change.path(), change.kind), (&b"b"[..], DiffKind::Content));
    assert!(!(change.mode || change.owner || change.mtime));
    let same = session.diff(&opened, &opened, &options);
    assert!(same.expect("they can be compared").is_same());
    let path = PathPattern::new(b"b");
    let text = session.diff_text(&opened, input("b"), &path, &options);
    let text = text.expect("they can be compared");
    assert!(
        matches!(text.difference, TextDifference::Hunks(_)),
        "{text:?}"
    );
}

#[test]
fn waste_is_reported_with_the_plans_that_free_it() {
    let sandbox = Sandbox::new();
    let layers = [
        "file a 12\nfile b 345",
        "file a 67",
        "file .wh.b\nfile c 8\nfile d 9",
    ];
    let image = Image::new(&["app:1"], &layers);
    sandbox.write("in.tar", make::tar(&make::docker(&[image])));
    let session = session(&sandbox);
    let images = session.open(Input::path(sandbox.path("in.tar")));
    let images = images.expect("it is an archive");
    let report = session.waste(&images, &WasteOptions::default());
    let report = report.expect("it can be read");
    let files: Vec<(&[u8], u64, usize, usize, &str)> = report
        .hidden
        .iter()
        .map(|it| (&*it.path, it.size, it.layer, it.hidden_by, it.reason.name()))
        .collect();
    assert_eq!(
        files,
        [
            (&b"b"[..], 3, 1, 3, "deleted"),
            (&b"a"[..], 2, 1, 2, "overwritten")
        ]
    );
    assert_eq!(report.hidden[1].reason.to_string(), "overwritten");
    let sizes = [
        report.files_size(),
        report.seen_size(),
        report.hidden_size(),
        report.user_files_size(),
        report.user_hidden_size(),
    ];
    assert_eq!(sizes, [9, 4, 5, 4, 5]);
    let layers = report.layers.iter().map(|it| it.stored_size);
    assert_eq!(report.stored_size(), layers.sum::<u64>());
    let freed: Vec<u64> = report.plans.iter().map(WastePlan::freed).collect();
    assert_eq!(freed, [5, 2]);
    for plan in &report.plans {
        let mut options = SquashOptions::default();
        options.layers = plan.layers.into();
        let squash = session.plan_squash(&images, &options);
        assert_eq!(squash.expect("it can be planned"), plan.squash);
    }
}
