//! All or nothing: what is damaged, cut or interrupted leaves no trace, and writers lose nothing.
//!
//! That a failed run leaves the working directory, `TMPDIR` and `HOME` as they
//! were is checked by the sandbox after every run.

mod files;
mod layouts;

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::thread;

use crate::support::image::{Store, facts};
use crate::support::judge::Format;
use crate::support::make::{self, Image, Member};
use crate::support::{Sandbox, commands, own, sandbox, testdata, tools};

/// A small docker-archive and what is in it.
fn small() -> (Vec<Member>, Image) {
    let layers = ["dir etc\nfile etc/hosts 127.0.0.1 localhost", "file b 2"];
    let image = Image::new(&["app:1"], &layers);
    (make::docker(std::slice::from_ref(&image)), image)
}

/// A run that must not succeed, from a file and through a pipe, to every format.
#[track_caller]
fn assert_refused(sandbox: &Sandbox, input: &[u8], case: &str) {
    sandbox.write("in.tar", input);
    for (number, to) in Format::ALL.into_iter().enumerate() {
        let target = to.at("out");
        // Both ways in turn: there are many inputs.
        let output = if (input.len() / 512 + number).is_multiple_of(2) {
            sandbox.run(&["convert", "in.tar", &target])
        } else {
            let run = sandbox.restow(&["convert", "-", &target]);
            run.stdin_pipe(input.to_vec()).run()
        };
        assert_eq!(output.code, Some(1), "{case} to {to:?}: {output:?}");
        drop(output.refuses());
    }
    for command in MERGES {
        let target = "docker-archive:out";
        let target = if ["export", "extract"].contains(&command[0]) {
            "out"
        } else {
            target
        };
        let arguments = [command, &["in.tar", target]].concat();
        let output = sandbox.run(&arguments);
        assert_eq!(output.code, Some(1), "{case}: {output:?}");
        drop(output.refuses());
    }
}

/// The other commands that read layers and write something.
const MERGES: [&[&str]; 7] = [
    &["squash", "--all"],
    &["squash", "--last", "1", "--compress", "gzip"],
    &["append", "--delete", "b"],
    &["config", "--label", "a=b"],
    &["rebase", "--onto", "in.tar"],
    &["export"],
    &["extract"],
];

/// How much of a docker-archive holds all that its images need: `repositories` is not part of that.
fn needed(members: &[Member]) -> usize {
    let manifest = members.iter().position(|it| it.name() == "manifest.json");
    let manifest = manifest.expect("there is a manifest.json");
    make::tar(&members[..=manifest]).len() - 1024
}

#[test]
fn an_input_that_ends_early_is_refused() {
    let sandbox = Sandbox::new();
    let (members, _) = small();
    let (tar, needed) = (make::tar(&members), needed(&members));
    let cuts = (0..needed).step_by(512);
    for length in cuts.chain([1, 511, 513, needed - 513, needed + 517]) {
        let case = format!("{length} of {} bytes", tar.len());
        assert_refused(&sandbox, &tar[..length], &case);
    }
}

/// Some writers leave the end marker out, and a cut there costs nothing; but it may be a cut.
#[test]
fn an_input_without_an_end_marker_is_taken_with_a_warning_if_all_is_there() {
    let warning = "warning: the tar has no end-of-archive block; it may be truncated, but \
                   all files that its metadata names are present\n";
    let sandbox = Sandbox::new();
    let (members, image) = small();
    let (tar, needed) = (make::tar(&members), needed(&members));
    let whole = tar.len();
    for (length, warning) in [
        (whole - 512, ""),
        (whole - 1024, warning),
        (needed, warning),
    ] {
        let out = format!("{length}.tar");
        sandbox.write("in.tar", &tar[..length]);
        sandbox.run(&["convert", "in.tar", &out]).warns(warning);
        assert_eq!(facts(&own::archive(&sandbox.path(&out))), [image.facts()]);
    }
}

#[test]
fn a_compressed_input_that_ends_early_is_refused() {
    use crate::support::codec::Codec;
    let sandbox = Sandbox::new();
    let tar = make::tar(&small().0);
    for codec in [Codec::Gzip, Codec::Zstd, Codec::Xz, Codec::Bzip2] {
        let whole = codec.compress(&tar);
        for length in (1..8)
            .map(|eighth| whole.len() * eighth / 8)
            .chain([whole.len() - 1])
        {
            assert_refused(
                &sandbox,
                &whole[..length],
                &format!("{codec:?}, {length} bytes"),
            );
        }
    }
}

#[test]
fn a_changed_byte_is_noticed() {
    let sandbox = Sandbox::new();
    let (_, image) = small();
    let styles = [
        ("docker", make::docker(std::slice::from_ref(&image))),
        ("crane", make::crane(std::slice::from_ref(&image))),
        ("layout", {
            let mut layout = make::Layout::default();
            layout.add(&image);
            layout.members()
        }),
    ];
    for (style, members) in styles {
        for (number, member) in members.iter().enumerate() {
            let Member::File(name, content) = member else {
                continue;
            };
            // In a layout every blob has its digest. In a docker-archive only layers do: a name
            // proves nothing, and a config is what it is.
            let is_vouched_for = match style {
                "layout" => name.starts_with("blobs/"),
                _ => name.contains(".tar"),
            };
            if !is_vouched_for {
                continue;
            }
            for place in [0, content.len() / 2, content.len() - 1] {
                let mut members = members.clone();
                if let Member::File(_, content) = &mut members[number] {
                    content[place] ^= 0x20;
                }
                let case = format!("{style}: byte {place} of {name}");
                assert_refused(&sandbox, &make::tar(&members), &case);
            }
        }
    }
}

#[test]
fn a_config_that_lists_other_layers_is_refused() {
    let sandbox = Sandbox::new();
    let (_, image) = small();
    let swapped = image.clone().with_config(|config| {
        let ids = config["rootfs"]["diff_ids"]
            .as_array_mut()
            .expect("an array");
        ids.reverse();
    });
    let fewer = image.with_config(|config| {
        let ids = config["rootfs"]["diff_ids"]
            .as_array_mut()
            .expect("an array");
        ids.pop();
    });
    for (case, image) in [("swapped", swapped), ("fewer", fewer)] {
        let images = std::slice::from_ref(&image);
        assert_refused(&sandbox, &make::tar(&make::docker(images)), case);
        assert_refused(&sandbox, &make::tar(&make::hybrid(images)), case);
        let mut layout = make::Layout::default();
        layout.add(&image);
        assert_refused(&sandbox, &make::tar(&layout.members()), case);
    }
}

#[test]
fn an_existing_file_survives_a_failure() {
    let sandbox = Sandbox::new();
    let tar = make::tar(&small().0);
    sandbox.write("out", "precious");
    sandbox.write("in.tar", &tar[..tar.len() / 2]);
    for (command, target) in [
        (&["convert"][..], "docker-archive:out"),
        (&["convert"], "oci-archive:out"),
        (&["squash", "--all"], "docker-archive:out"),
        (&["squash", "--all"], "oci-archive:out"),
        (&["append", "--delete", "b"], "docker-archive:out"),
        (&["config", "--label", "a=b"], "oci-archive:out"),
        (&["rebase", "--onto", "in.tar"], "docker-archive:out"),
        (&["delta", "in.tar"], "oci-archive:out"),
        (&["apply", "in.tar"], "docker-archive:out"),
        (&["export"], "out"),
    ] {
        let arguments = [command, &["--force", "in.tar", target]].concat();
        drop(sandbox.run(&arguments).refuses());
        let arguments = [command, &["--force", "-", target]].concat();
        let run = sandbox.restow(&arguments);
        let half = tar[..tar.len() / 2].to_vec();
        drop(run.stdin_pipe(half).run().refuses());
    }
    assert_eq!(sandbox.read("out"), b"precious");
}

/// A link is followed: what it leads to is replaced, and the link stays. One that leads
/// nowhere is replaced itself.
#[test]
fn an_output_may_be_a_link() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&small().0));
    sandbox.write("elsewhere/file", "an older output");
    for (link, target) in [("out", "elsewhere/file"), ("dangling", "elsewhere/none")] {
        symlink(target, sandbox.path(link)).expect("a link can be made");
        for (command, to) in [
            (&["convert"][..], format!("docker-archive:{link}")),
            (&["squash", "--all"], format!("oci-archive:{link}")),
            (&["export"], link.to_owned()),
        ] {
            let arguments = [command, &["in.tar", &to]].concat();
            let said = sandbox.run(&arguments).refuses();
            assert!(said.contains("exists"), "{arguments:?}: {said}");
            let arguments = [command, &["--force", "in.tar", &to]].concat();
            drop(sandbox.run(&arguments).reports());
            let is_link = sandbox.path(link).is_symlink();
            assert_eq!(is_link, link == "out", "{arguments:?}");
            assert!(sandbox.read(link).len() > 1024, "{arguments:?}");
        }
    }
    assert_eq!(sandbox.read("out"), sandbox.read("elsewhere/file"));
    assert!(!sandbox.path("elsewhere/none").exists());
}

#[test]
fn an_existing_layout_survives_a_failure() {
    let sandbox = Sandbox::new();
    let (members, image) = small();
    sandbox.write("good.tar", make::tar(&members));
    sandbox.run(&["convert", "good.tar", "oci:out"]).silent();
    let other = Image::new(&["other:1"], &["file other 1", "file b 2"]);
    let members = make::docker(&[other]);
    let tar = make::tar(&members);
    for length in (0..needed(&members)).step_by(512) {
        sandbox.write("in.tar", &tar[..length]);
        drop(sandbox.run(&["convert", "in.tar", "oci:out"]).refuses());
        let run = sandbox.restow(&["convert", "docker-archive:-", "oci:out"]);
        drop(run.stdin_pipe(tar[..length].to_vec()).run().refuses());
    }
    assert_eq!(
        facts(&own::layout(&sandbox.path("out")).host_images()),
        [image.facts()]
    );
}

#[test]
fn what_cannot_be_written_is_not_begun() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&small().0));
    sandbox.write("file", "a file");
    for to in [
        "oci:file",
        "docker-archive:file/out.tar",
        "docker-archive:missing/out.tar",
        "oci-archive:missing/out.tar",
    ] {
        drop(sandbox.run(&["convert", "--force", "in.tar", to]).refuses());
    }
}

#[test]
fn writers_beside_each_other_lose_no_tag() {
    let sandbox = Sandbox::new();
    let shared = "dir etc\nfile etc/hosts h";
    let images: Vec<Image> = (0..8)
        .map(|n| Image::new(&[&format!("app:{n}")], &[shared, &format!("file own {n}")]))
        .collect();
    for (n, image) in images.iter().enumerate() {
        let archive = make::tar(&make::docker(std::slice::from_ref(image)));
        sandbox.write(&format!("{n}.tar"), archive);
    }
    let expected: Vec<_> = images.iter().map(Image::facts).collect();
    // They race; a few rounds are enough to see one of them lose. The folder is there or not.
    for round in 0..20 {
        let out = format!("out-{round}");
        if round % 2 == 0 {
            fs::create_dir(sandbox.path(&out)).expect("a directory can be made");
        }
        let target = Format::Oci.at(&out);
        thread::scope(|scope| {
            for n in 0..images.len() {
                let mut command = sandbox
                    .restow(&["convert", &format!("{n}.tar"), &target])
                    .command();
                scope.spawn(move || {
                    let output = command.output().expect("the command can be started");
                    let stderr = String::from_utf8_lossy(&output.stderr);
                    assert!(
                        output.status.success(),
                        "round {round}, writer {n}: {stderr}"
                    );
                });
            }
        });
        sandbox.assert_no_temporaries();
        let mut got = facts(&own::layout(&sandbox.path(&out)).host_images());
        got.sort();
        assert_eq!(got, expected, "round {round}");
    }
}

/// Starts a run, feeds it half of an archive, sends it a signal, and waits for its end.
fn interrupted(sandbox: &Sandbox, arguments: &[&str], signal: &str) -> ExitStatus {
    let tar = make::tar(&make::docker(&[Image::of_layers(
        &["big:1"],
        vec![vec![0; 4 << 20]],
    )]));
    // No core dump comes into the folder.
    let launcher = ["/bin/sh", "-c", "ulimit -c 0; exec \"$@\"", "sh"];
    let mut command = sandbox.restow(arguments).by(&launcher).command();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("the command can be started");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    // Once this much fits, the command has taken most of it: a pipe holds far less.
    stdin
        .write_all(&tar[..tar.len() / 2])
        .expect("the command reads");
    // Twice at once, as timeout(1) does.
    let process = child.id().to_string();
    drop(tools::tool("kill", &["-s", signal, &process, &process]));
    let status = child.wait().expect("the command can be waited for");
    drop(stdin);
    status
}

#[test]
fn a_signal_leaves_nothing_behind() {
    let base = testdata(commands::BASE).display().to_string();
    let base = base.as_str();
    let others: [&[&str]; 16] = [
        &["export", "-", "out"],
        &["extract", "-", "out"],
        &["import", "rootfs:-", "oci:out"],
        &["append", "--delete", "a", "-", "oci:out"],
        &["append", "--changed", "rootfs:-", base, "out"],
        &["config", "--label", "a=b", "-", "oci:out"],
        &["config", "--label", "a=b", "-", "out"],
        &["rebase", "--onto", base, "-", "oci:out"],
        &["rebase", "--onto", "-", base, "out"],
        &["convert", base, "-", "oci:out"],
        &["convert", "--without", base, "-", "out"],
        &["convert", "--with", "-", base, "oci:out"],
        &["delta", base, "-", "out"],
        &["delta", "-", base, "oci:out"],
        &["apply", base, "-", "out"],
        &["apply", "-", base, "oci:out"],
    ];
    for (signal, number) in [("INT", 2), ("TERM", 15), ("HUP", 1), ("QUIT", 3)] {
        let to = Format::ALL.map(|it| it.at("out"));
        let each = to.iter().map(String::as_str);
        let conversions = each.clone().map(|to| vec!["convert", "-", to]);
        let squashes = each.map(|to| vec!["squash", "--all", "-", to]);
        let others = others.iter().map(|it| it.to_vec());
        for arguments in conversions.chain(squashes).chain(others) {
            let sandbox = Sandbox::new();
            let status = interrupted(&sandbox, &arguments, signal);
            // As the shell expects of a program that was interrupted.
            assert_eq!(status.signal(), Some(number), "{arguments:?}: {status}");
            assert_eq!(
                sandbox.tree(),
                sandbox::Tree::new(),
                "{signal}, {arguments:?}"
            );
            sandbox.assert_no_temporaries();
        }
    }
}

#[test]
fn a_layout_survives_a_kill() {
    let sandbox = Sandbox::new();
    let (members, image) = small();
    sandbox.write("good.tar", make::tar(&members));
    sandbox.run(&["convert", "good.tar", "oci:out"]).silent();
    let before = sandbox.tree();
    let status = interrupted(&sandbox, &["convert", "-", "oci:out"], "KILL");
    assert_eq!(status.signal(), Some(9));
    let after = sandbox.tree();
    for (path, what) in &before {
        assert_eq!(after.get(path), Some(what), "{path}");
    }
    // What was left behind is in nobody's way.
    sandbox.run(&["convert", "good.tar", "oci:out"]).silent();
    let images = Store::open(&sandbox.path("out")).layout().host_images();
    assert_eq!(facts(&images), [image.facts()]);
}

#[test]
fn an_archive_that_does_not_arrive_is_a_failure() {
    let sandbox = Sandbox::new();
    let file = Member::file("file", vec![b'x'; 1 << 20]);
    let image = Image::of_layers(&["big:1"], vec![make::tar(&[file])]);
    sandbox.write("in.tar", make::tar(&make::docker(&[image])));
    for arguments in [
        &["convert", "in.tar", "docker-archive:-"][..],
        &["convert", "in.tar", "oci-archive:-"],
        &["squash", "--layers", "1", "in.tar", "docker-archive:-"],
        &["squash", "--layers", "1", "in.tar", "oci-archive:-"],
        &["export", "in.tar"],
    ] {
        let mut command = sandbox.restow(arguments).command();
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        let output = command.stdout(full.expect("/dev/full is there")).output();
        let output = output.expect("the command can be started");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: a full disk");

        let mut command = sandbox.restow(arguments).command();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command can be started");
        drop(child.stdout.take());
        let status = child.wait().expect("the command can be waited for");
        assert_eq!(
            status.code(),
            Some(1),
            "{arguments:?}: a reader that went away"
        );
    }
    sandbox.assert_no_temporaries();
}
