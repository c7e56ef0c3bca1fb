//! `remove` beside writers, and killed at any moment.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{files, index, name};
use crate::support::image::Store;
use crate::support::make::{self, Image};
use crate::support::sandbox::{Sandbox, tree};
use crate::support::{Seed, trials};

/// Two archives of images that share most of their layers.
fn archives(sandbox: &Sandbox) {
    let shared: Vec<Vec<u8>> = (0..12)
        .map(|at| make::layer(&format!("file shared/{at} {at}")))
        .collect();
    for tag in ["a:1", "b:1", "c:1"] {
        let mut layers = shared.clone();
        layers.push(make::layer(&format!("file own {tag}")));
        let image = Image::of_layers(&[tag], layers);
        sandbox.write(
            &format!("{}.tar", &tag[..1]),
            make::tar(&make::docker(&[image])),
        );
    }
}

/// Runs to the end, and returns the exit code and what was said.
fn run(sandbox: &Sandbox, arguments: &[&str]) -> (Option<i32>, String) {
    let output = sandbox.restow(arguments).command().output();
    let output = output.expect("the command can be started");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn a_writer_loses_no_blob_to_a_concurrent_remove() {
    let sandbox = Sandbox::new();
    archives(&sandbox);
    sandbox.run(&["convert", "a.tar", "oci:lay"]).silent();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        // All layers of one are those of the other, which comes and goes.
        let writer = |archive: &'static str, name: &'static str| {
            let (sandbox, is_done) = (&sandbox, &is_done);
            move || {
                for _ in 0..trials(30) {
                    let (code, said) = run(sandbox, &["convert", archive, "oci:lay"]);
                    assert_eq!(code, Some(0), "{said}");
                    let (code, said) = run(sandbox, &["remove", "-q", "lay", name]);
                    assert_eq!(code, Some(0), "{said}");
                }
                is_done.store(true, Ordering::Relaxed);
            }
        };
        scope.spawn(writer("b.tar", "b:1"));
        scope.spawn(writer("c.tar", "c:1"));
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                let (code, said) = run(&sandbox, &["remove", "-q", "lay", "a:1"]);
                assert_eq!(code, Some(0), "{said}");
                let (code, said) = run(&sandbox, &["convert", "a.tar", "oci:lay"]);
                assert_eq!(code, Some(0), "{said}");
                let (code, said) = run(&sandbox, &["convert", "oci:lay:a:1", "oci:out"]);
                assert_eq!(code, Some(0), "{said}");
                fs::remove_dir_all(sandbox.path("out")).expect("it can be removed");
            }
        });
    });
    run(&sandbox, &["convert", "a.tar", "oci:lay"]);
    run(&sandbox, &["remove", "-q", "--untagged", "lay"]);
    let names: Vec<String> = index(&sandbox.path("lay")).iter().map(name).collect();
    assert_eq!(names, ["a:1"]);
    // Thirteen layers, the config and the manifest, and no folder of a writer.
    assert_eq!(files(&sandbox.path("lay")).len(), 16);
    let (code, said) = run(&sandbox, &["verify", "lay"]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_blob_that_a_writer_has_seen_comes_back() {
    let sandbox = Sandbox::new();
    archives(&sandbox);
    sandbox.run(&["convert", "a.tar", "oci:lay"]).silent();
    // The writer has looked for all blobs of the archive when its pipe ends.
    let archive = sandbox.read("b.tar");
    let (from, fifo) = (sandbox.path("b.tar"), sandbox.path("fifo"));
    drop(from);
    let made = sandbox.command("mkfifo".as_ref()).arg(&fifo).status();
    assert!(made.expect("mkfifo runs").success());
    let mut writer = sandbox.restow(&["convert", "fifo", "oci:lay"]).command();
    let mut writer = writer.spawn().expect("it can be started");
    let half = archive.len() / 2;
    let mut pipe = fs::OpenOptions::new()
        .write(true)
        .open(&fifo)
        .expect("a pipe");
    std::io::Write::write_all(&mut pipe, &archive[..half]).expect("it is read");
    run(&sandbox, &["remove", "-q", "lay", "a:1"]);
    std::io::Write::write_all(&mut pipe, &archive[half..]).expect("it is read");
    drop(pipe);
    assert!(writer.wait().expect("it ends").success());
    let (code, said) = run(&sandbox, &["verify", "lay"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(Store::open(&sandbox.path("lay")).layout().missing.len(), 0);
}

/// The message of a removal that was interrupted says what is done.
#[test]
fn an_interrupted_removal_is_completed_by_the_next() {
    let sandbox = Sandbox::new();
    archives(&sandbox);
    sandbox.run(&["convert", "a.tar", "oci:lay"]).silent();
    sandbox.run(&["convert", "b.tar", "oci:lay"]).silent();
    let interrupt = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupt);
    let session = restow::Session::new()
        .interrupted_by(interrupt)
        .on_event(move |event| {
            let is_last = matches!(event, restow::Event::Step(restow::Step::Committing));
            flag.store(is_last, Ordering::Relaxed);
        });
    let mut options = restow::RemoveOptions::default();
    options.images = vec!["a:1".parse().expect("a selector")];
    let before = files(&sandbox.path("lay")).len();
    let error = session.remove(sandbox.path("lay"), &options);
    let error = error.expect_err("it was interrupted");
    assert_eq!(error.to_string(), "interrupted while blobs were deleted");
    assert_eq!(error.cause(), restow::Cause::Interrupted);
    assert_eq!(files(&sandbox.path("lay")).len(), before);
    sandbox
        .run(&["remove", "lay"])
        .warns("freed 6.47kB, 3 blobs\n");
    let names: Vec<String> = index(&sandbox.path("lay")).iter().map(name).collect();
    assert_eq!(names, ["b:1"]);
}

/// Only a wait that takes a while is told.
#[test]
fn a_wait_for_another_process_is_told() {
    let sandbox = Sandbox::new();
    archives(&sandbox);
    sandbox.run(&["convert", "a.tar", "oci:lay"]).silent();
    for arguments in [&["convert", "b.tar", "oci:lay"][..], &["remove", "lay"]] {
        let lock = fs::File::open(sandbox.path("lay")).expect("a folder");
        lock.lock().expect("it can be locked");
        thread::scope(|scope| {
            let waiting = scope.spawn(|| run(&sandbox, arguments));
            thread::sleep(Duration::from_millis(1500));
            drop(lock);
            let (code, said) = waiting.join().expect("it runs");
            let first = said.lines().next().unwrap_or_default();
            let expected = "warning: waiting for another process, which writes to `lay`";
            assert_eq!((code, first), (Some(0), expected), "{arguments:?}");
        });
    }
}

#[test]
fn a_blob_that_cannot_be_linked_is_looked_for_again() {
    let sandbox = Sandbox::new();
    archives(&sandbox);
    sandbox.run(&["convert", "a.tar", "oci:lay"]).silent();
    for path in fs::read_dir(sandbox.path("lay/blobs/sha256")).expect("a folder") {
        let path = path.expect("an entry").path();
        let store = sandbox
            .path("store")
            .join(path.file_name().expect("a name"));
        fs::create_dir_all(sandbox.path("store")).expect("a folder");
        fs::rename(&path, &store).expect("it can be moved");
        std::os::unix::fs::symlink(&store, &path).expect("a link can be made");
    }
    sandbox.run(&["convert", "b.tar", "oci:lay"]).silent();
    drop(sandbox.run(&["verify", "lay"]).data(""));
    // Only the links go.
    let stored = fs::read_dir(sandbox.path("store"))
        .expect("a folder")
        .count();
    sandbox.run(&["remove", "-q", "lay", "a:1", "b:1"]).silent();
    assert_eq!(files(&sandbox.path("lay")).len(), 1);
    assert_eq!(
        fs::read_dir(sandbox.path("store"))
            .expect("a folder")
            .count(),
        stored
    );
}

#[test]
fn a_layout_stays_whole_whenever_remove_is_killed() {
    let sandbox = Sandbox::new();
    archives(&sandbox);
    for archive in ["a.tar", "b.tar", "c.tar"] {
        drop(sandbox.run(&["convert", archive, "oci:whole"]));
    }
    let copy = || {
        sandbox.remove("lay");
        let mut cp = sandbox.command("/bin/cp".as_ref());
        assert!(
            cp.args(["-r", "whole", "lay"])
                .status()
                .expect("cp runs")
                .success()
        );
    };
    copy();
    let begin = Instant::now();
    run(&sandbox, &["remove", "-q", "lay", "b:1", "c:1"]);
    let whole = usize::try_from(begin.elapsed().as_micros()).expect("no years");
    let clean = tree(&sandbox.path("lay"));
    let mut seed = Seed::of("remove");
    let mut kills = 0;
    for _ in 0..trials(60) {
        copy();
        // A killed writer has left a folder, too.
        fs::create_dir_all(sandbox.path("lay/.restow-0123456789abcdef9f9f5111/blobs/sha256"))
            .expect("a folder");
        let mut command = sandbox
            .restow(&["remove", "-q", "lay", "b:1", "c:1"])
            .command();
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it can be started");
        thread::sleep(Duration::from_micros(seed.below(whole + whole / 4) as u64));
        child.kill().expect("a child can be killed");
        let status = child.wait().expect("it can be waited for");
        kills += usize::from(status.signal() == Some(9));
        let (code, said) = run(&sandbox, &["verify", "lay"]);
        assert_eq!(code, Some(0), "{said}");
        let left: Vec<String> = index(&sandbox.path("lay")).iter().map(name).collect();
        assert!([3, 1].contains(&left.len()), "{left:?}");
        if left.len() == 3 {
            run(&sandbox, &["remove", "-q", "lay", "b:1", "c:1"]);
        } else {
            run(&sandbox, &["remove", "-q", "lay"]);
        }
        assert_eq!(tree(&sandbox.path("lay")), clean);
    }
    assert!(kills > 0, "no run was killed");
}
