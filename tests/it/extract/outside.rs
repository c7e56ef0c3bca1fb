//! Nothing outside of the folder is touched, whatever an image holds and whatever happens
//! meanwhile.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::Sandbox;
use crate::support::judge::Format;
use crate::support::layer::stack;
use crate::support::make::Image;
use crate::support::sandbox::tree;
use crate::support::squash::put;

/// The ways out of a folder that were found in Docker (CVE-2014-6407, CVE-2018-15664), umoci
/// (CVE-2021-29136) and containerd (CVE-2021-32760), and others like them.
///
/// `OUTSIDE` is a folder beside the one of the image.
const STACKS: [&str; 20] = [
    "link->OUTSIDE link/planted=1",
    "link->OUTSIDE | link/planted=1",
    "link->../../../../../../../../OUTSIDE | link/planted=1",
    "a->b b->OUTSIDE a/planted=1 | a/planted=2",
    "a/ a/b->OUTSIDE | a/b/c/planted=1",
    "link->OUTSIDE/victim | link=1",
    "link->OUTSIDE/victim link=>link",
    "link->OUTSIDE/victim hard=>link | hard=1",
    "link->OUTSIDE hard=>link/victim",
    "link->OUTSIDE | hard=>link/victim",
    "link->OUTSIDE | .wh.link",
    "link->OUTSIDE | link/.wh.victim",
    "link->OUTSIDE | link/.wh..wh..opq",
    "link->OUTSIDE | link/",
    "link->OUTSIDE | link/(0000,3:4,@9)",
    "./->OUTSIDE planted=1",
    ".->OUTSIDE | planted=1",
    "../planted=1",
    "a/../../planted=1",
    "a/ .wh...=1",
];

#[test]
fn no_layer_leads_out_of_the_folder() {
    for (number, text) in STACKS.iter().enumerate() {
        let sandbox = Sandbox::new();
        fs::create_dir_all(sandbox.path("outside/sub")).expect("a folder can be made");
        sandbox.write("outside/victim", "as it was");
        let outside = sandbox.path("outside");
        let target = outside.display().to_string();
        let layers = stack(&text.replace("OUTSIDE", target.trim_start_matches('/')));
        let image = Image::of_layers(&["app:1"], layers);
        let source = put(&sandbox, "in", Format::Docker, &image);
        let absolute = stack(&text.replace("OUTSIDE", &target));
        let absolute = Image::of_layers(&["app:1"], absolute);
        let second = put(&sandbox, "in2", Format::Docker, &absolute);
        fs::create_dir(sandbox.path("empty")).expect("a folder can be made");
        let (kept, beside) = (state(&outside), names(&sandbox.path("")));
        for source in [&source, &second] {
            for folder in ["new", "empty"] {
                let run = sandbox.run(&["extract", source, folder]);
                let case = format!("{number}: {text}, {folder}: {run:?}");
                assert!(matches!(run.code, Some(0 | 1)), "{case}");
                assert_eq!(state(&outside), kept, "{case}");
                sandbox.remove(folder);
                if folder == "empty" {
                    fs::create_dir(sandbox.path("empty")).expect("a folder can be made");
                }
                assert_eq!(names(&sandbox.path("")), beside, "{case}");
            }
        }
    }
}

/// Everything about a folder, with its times.
fn state(folder: &Path) -> String {
    crate::support::folder::found_in(folder).text()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = tree(folder).into_keys().collect();
    names.retain(|it| !it.trim_end_matches('/').contains('/'));
    names
}

/// The root of an extraction to `out` that runs.
fn running(sandbox: &Sandbox) -> Option<PathBuf> {
    let entries = fs::read_dir(sandbox.path("")).expect("the folder can be read");
    let mut paths = entries.filter_map(|it| Some(it.ok()?.path()));
    let found = paths.find(|it| it.to_string_lossy().contains(".out.restow-"))?;
    Some(found.join("part-root"))
}

/// Somebody swaps a directory for a link while files are written to it.
#[test]
fn a_link_that_takes_the_place_of_a_directory_is_not_followed() {
    let files = |folder: &str| -> String {
        let names = (0..400).map(|n| format!("{folder}/file-{n}={n} other/{folder}-{n}={n}"));
        names.collect::<Vec<_>>().join(" ")
    };
    let text = format!(
        "other/ d/ d/e/ {} {}",
        files("d"),
        files("d/e").replace("other/d/e", "other/e")
    );
    let image = Image::of_layers(&["app:1"], stack(&text));
    let sandbox = Sandbox::new();
    let source = put(&sandbox, "in", Format::Docker, &image);
    fs::create_dir_all(sandbox.path("outside/e")).expect("a folder can be made");
    let outside = sandbox.path("outside");
    let kept = state(&outside);
    let (is_over, mut swaps) = (AtomicBool::new(false), 0);
    thread::scope(|scope| {
        let swapper = scope.spawn(|| {
            let mut swaps = 0;
            while !is_over.load(Ordering::Relaxed) {
                let Some(root) = running(&sandbox) else {
                    continue;
                };
                let (directory, aside) = (root.join("d"), root.join("aside"));
                if fs::rename(&directory, &aside).is_ok() {
                    swaps += usize::from(symlink(&outside, &directory).is_ok());
                    thread::sleep(Duration::from_micros(300));
                    let _ = fs::remove_file(&directory);
                    let _ = fs::rename(&aside, &directory);
                }
            }
            swaps
        });
        for _ in 0..40 {
            let output = sandbox
                .restow(&["extract", &source, "out"])
                .command()
                .output();
            let output = output.expect("the command can be started");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(matches!(output.status.code(), Some(0 | 1)), "{said}");
            sandbox.remove("out");
        }
        is_over.store(true, Ordering::Relaxed);
        swaps = swapper.join().expect("the swapper does not panic");
    });
    assert!(swaps > 0, "nothing was swapped");
    assert_eq!(state(&outside), kept);
}

/// Reading waits for the rest of the archive, so that the run cannot be over.
#[test]
fn a_signal_leaves_nothing() {
    use std::io::Write;
    use std::os::unix::process::ExitStatusExt;
    let text = "d/(0000) d/file=1 e/(0555) e/f=2";
    let mut image = Image::of_layers(&["app:1"], stack(text));
    image
        .layers
        .push(crate::support::layer::tar(&crate::support::entry::entries(
            "x",
        )));
    let image = Image::of_layers(&["app:1"], image.layers);
    for folder in ["new", "empty"] {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path("empty")).expect("a folder can be made");
        put(&sandbox, "in", Format::Docker, &image);
        let archive = sandbox.read("in");
        sandbox.remove("in");
        let before = sandbox.tree();
        let mut command = sandbox.restow(&["extract", "-", folder]).command();
        command.stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the command can be started");
        let mut pipe = child.stdin.take().expect("stdin is piped");
        pipe.write_all(&archive[..archive.len() / 2])
            .expect("it is read");
        while sandbox.tree() == before {
            thread::sleep(Duration::from_millis(1));
        }
        let process = child.id().to_string();
        drop(crate::support::tools::tool(
            "kill",
            &["-s", "TERM", &process],
        ));
        let status = child.wait().expect("the command can be waited for");
        assert_eq!(status.signal(), Some(15), "{status}");
        assert_eq!(sandbox.tree(), before, "{folder}");
        sandbox.assert_no_temporaries();
    }
}

/// Reading waits for the rest of the archive, and so for the swap.
#[test]
fn a_link_that_takes_the_place_of_the_folder_around_is_not_followed() {
    use std::io::Write;
    let image = Image::of_layers(&["app:1"], stack("d/file=1"));
    for folder in ["around/new", "around"] {
        let sandbox = Sandbox::new();
        put(&sandbox, "in", Format::Docker, &image);
        fs::create_dir(sandbox.path("around")).expect("a folder can be made");
        fs::create_dir(sandbox.path("outside")).expect("a folder can be made");
        let (outside, around) = (sandbox.path("outside"), sandbox.path("around"));
        let kept = state(&outside);
        let archive = sandbox.read("in");
        let mut command = sandbox.restow(&["extract", "-", folder]).command();
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command can be started");
        let mut pipe = child.stdin.take().expect("stdin is piped");
        pipe.write_all(&archive[..512]).expect("it is read");
        while tree(&around).is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
        fs::rename(&around, sandbox.path("aside")).expect("the folder can be renamed");
        symlink(&outside, &around).expect("a link can be made");
        pipe.write_all(&archive[512..]).expect("it is read");
        drop(pipe);
        let output = child.wait_with_output().expect("the command ends");
        assert!(output.status.success(), "{folder}: {output:?}");
        assert_eq!(state(&outside), kept, "{folder}");
        let found: Vec<String> = tree(&sandbox.path("aside")).into_keys().collect();
        let expected: &[&str] = match folder {
            "around" => &["d/", "d/file"],
            _ => &["new/", "new/d/", "new/d/file"],
        };
        assert_eq!(found, expected, "{folder}");
    }
}
