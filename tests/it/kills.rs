//! `kill -9` at any moment: a layout stays whole, and the next run clears up.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::image::{Facts, Store, facts};
use crate::support::judge::Format;
use crate::support::make::{self, Image};
use crate::support::sandbox::tree;
use crate::support::{Sandbox, Seed, commands, testdata, trials};

/// Kills in the ordinary run of the tests.
const KILLS: usize = 200;

/// The images of a layout, every blob of which is what its name says: `verify` says so,
/// and so does the independent reader.
///
/// What a killed run left may lie there; nothing refers to it.
#[track_caller]
fn assert_valid_layout(sandbox: &Sandbox, path: &Path) -> Vec<Facts> {
    run(sandbox, &["verify", &path.to_string_lossy()]);
    let layout = Store::open(path).layout();
    assert_eq!(layout.missing, BTreeSet::new(), "blobs that are missing");
    let mut found = facts(&layout.host_images());
    found.sort();
    found
}

/// An image of many small layers and one that takes a while: a run has as many things to
/// do as there are.
fn image(tag: &str, layers: usize) -> Image {
    let layer = |number| make::layer(&format!("file {tag}/{number} {number}"));
    let mut layers: Vec<Vec<u8>> = (0..layers).map(layer).collect();
    layers.push(make::tar(&[make::Member::file("big", vec![b'x'; 1 << 18])]));
    Image::of_layers(&[tag], layers)
}

/// Everything that the folder of the outputs has, but blobs.
fn names(folder: &Path) -> Vec<String> {
    let names = tree(folder).into_keys();
    names.filter(|it| !it.contains("/blobs/")).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("the folder can be read") {
        let entry = entry.expect("the folder can be read");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}

/// Runs into a layout until it is killed after some time, and returns whether it was.
fn killed_after(sandbox: &Sandbox, arguments: &[&str], time: Duration) -> bool {
    let mut command = sandbox.restow(arguments).command();
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the command can be started");
    thread::sleep(time);
    child.kill().expect("a child can be killed");
    let status = child.wait().expect("the command can be waited for");
    assert!(
        status.success() || status.signal() == Some(9),
        "{arguments:?}: {status}"
    );
    !status.success()
}

/// Runs into the layout to the end. The sandbox would look at everything each time.
#[track_caller]
fn run(sandbox: &Sandbox, arguments: &[&str]) {
    let output = sandbox.restow(arguments).command().output();
    let output = output.expect("the command can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
}

#[test]
fn a_layout_stays_whole_whenever_a_run_is_killed() {
    let sandbox = Sandbox::new();
    let held = [image("held:1", 3), image("held:2", 5)];
    let new = image("new:1", 24);
    sandbox.write("held.tar", make::tar(&make::docker(&held)));
    sandbox.write(
        "new.tar",
        make::tar(&make::docker(std::slice::from_ref(&new))),
    );
    let base = Image::of_layers(&["base:1"], [&new.layers[..2], &held[0].layers].concat());
    sandbox.write("base.tar", make::tar(&make::docker(&[base])));
    let pristine = sandbox.path("pristine");
    sandbox
        .run(&["convert", "held.tar", "oci:pristine"])
        .silent();
    let held: Vec<Facts> = assert_valid_layout(&sandbox, &pristine);
    fs::create_dir(sandbox.path("outputs")).expect("a folder can be made");
    let (outputs, out) = (sandbox.path("outputs"), sandbox.path("outputs/out"));

    let mut seed = Seed::of("kills");
    let mut kills = 0;
    let wanted = trials(KILLS);
    let first = "docker-archive:held.tar:held:1";
    let delta = ["delta", "-q", first, "new.tar", "delta"];
    sandbox.run(&delta).silent();
    let to = "oci:outputs/out";
    // Each way with true if there is a layout with images before.
    let ways: [(&[&str], bool); 9] = [
        (&["convert", "new.tar", to], true),
        (&["convert", "--compress", "gzip", "new.tar", to], true),
        (&["convert", "new.tar", to], false),
        (&["convert", "new.tar", "base.tar", to], true),
        (
            &["squash", "--last", "12", "--tag", "new:1", "new.tar", to],
            true,
        ),
        (&["append", "--delete", "big", "new.tar", to], true),
        (&["config", "--label", "a=b", "new.tar", to], true),
        (&["rebase", "--onto", "base.tar", "new.tar", to], true),
        (&["apply", first, "delta", to], true),
    ];
    for (arguments, exists) in &ways {
        let start = || {
            if out.exists() {
                fs::remove_dir_all(&out).expect("a folder can be removed");
            }
            if *exists {
                copy(&pristine, &out);
            }
        };
        start();
        let begin = Instant::now();
        run(&sandbox, arguments);
        let whole = begin.elapsed();
        let clean = names(&outputs);
        let after = assert_valid_layout(&sandbox, &out);
        let mut of_this_way = 0;
        while of_this_way < wanted / ways.len() {
            start();
            let micros = usize::try_from(whole.as_micros()).expect("it took no years");
            let time = Duration::from_micros(seed.below(micros) as u64);
            // One that was done before is no kill, and the time was too long.
            of_this_way += usize::from(killed_after(&sandbox, arguments, time));
            let case = format!("{arguments:?}, killed after {time:?}");
            if *exists || out.exists() {
                let found = assert_valid_layout(&sandbox, &out);
                let is_there = |it: &Facts| found.contains(it);
                assert!(!exists || held.iter().all(is_there), "{case}: {found:?}");
            }
            run(&sandbox, arguments);
            assert_eq!(assert_valid_layout(&sandbox, &out), after, "{case}");
            assert_eq!(names(&outputs), clean, "{case}: left behind");
        }
        kills += of_this_way;
    }
    assert!(kills >= wanted / ways.len() * ways.len());
    sandbox.assert_no_temporaries();
}

/// Archives and flat tars, too: a file that no process holds is in the way of none.
#[test]
fn the_next_run_clears_what_a_killed_one_has_left() {
    let tar = make::tar(&make::docker(&[image("app:1", 3)]));
    let targets = Format::ALL.map(|it| it.at("out"));
    let conversions = targets.iter().map(|to| vec!["convert", "-", to]);
    let base = testdata(commands::BASE).display().to_string();
    let others: [&[&str]; 5] = [
        &["export", "-", "out"],
        &["extract", "-", "out"],
        &["append", "--delete", "big", "-", "docker-archive:out"],
        &["config", "--label", "a=b", "-", "oci:out"],
        &["delta", &base, "-", "out"],
    ];
    let others = others.iter().map(|it| it.to_vec());
    for arguments in conversions.chain(others) {
        let sandbox = Sandbox::new();
        let mut command = sandbox.restow(&arguments).command();
        command.stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the command can be started");
        let mut pipe = child.stdin.take().expect("stdin is piped");
        pipe.write_all(&tar[..tar.len() / 2]).expect("it is read");
        while sandbox.tree().is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
        child.kill().expect("a child can be killed");
        child.wait().expect("the command can be waited for");
        assert!(!sandbox.path("out").exists(), "{arguments:?}");
        let run = sandbox.restow(&arguments).stdin_pipe(tar.clone());
        drop(run.run().reports());
        let names = fs::read_dir(sandbox.path("")).expect("the folder can be read");
        let names: Vec<_> = names.map(|it| it.expect("an entry").file_name()).collect();
        assert_eq!(names, ["out"], "{arguments:?}");
    }
}
