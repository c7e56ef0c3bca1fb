//! The same input and options give the same bytes, whatever else is different.

use std::fmt::Write;

use crate::support::codec::{Codec, digest, hex};
use crate::support::image::Store;
use crate::support::judge::Format;
use crate::support::listing::{assert_golden, listing, names};
use crate::support::{Sandbox, fixture, make, testdata};

/// One archive of each kind, with what it is read as.
const INPUTS: [(&str, Format); 4] = [
    ("docker20__edge.tar", Format::Docker),
    ("docker29-containerd__edge-deep-multi.tar", Format::Docker),
    ("buildkit__multi.oci.tar", Format::OciArchive),
    ("podman43__edge.oci.tar", Format::OciArchive),
];

/// The conversions whose output is compared.
const CONVERSIONS: [&[&str]; 5] = [
    &["convert"],
    &["convert", "--compress", "none"],
    &["convert", "--compress", "gzip"],
    &["convert", "--compress", "zstd"],
    &[
        "convert",
        "--compress",
        "gzip:9",
        "--tag",
        "x:1",
        "--image",
        "#1",
    ],
];

/// The squashes whose output is compared.
const SQUASHES: [&[&str]; 6] = [
    &["squash", "--all", "--image", "#1"],
    &["squash", "--last", "2", "--image", "#1"],
    &[
        "squash",
        "--layers",
        "2..3",
        "--image",
        "#1",
        "--compress",
        "none",
    ],
    &["squash", "--all", "--image", "#1", "--compress", "gzip"],
    &[
        "squash",
        "--all",
        "--image",
        "#1",
        "--compress",
        "zstd:19",
        "--message",
        "less",
    ],
    &["squash", "--max-layers", "2", "--image", "#1"],
];

/// The bytes of an archive made on standard output, under an environment.
#[track_caller]
fn made(
    sandbox: &Sandbox,
    input: (&str, Format),
    to: Format,
    command: &[&str],
    environment: &Environment,
) -> Vec<u8> {
    let source = input.1.at(testdata(input.0));
    let target = to.at("-");
    let arguments = [
        command,
        platform(command, to),
        &["--jobs", environment.jobs],
        &[&source, &target],
    ];
    let arguments = arguments.concat();
    let run = sandbox.restow(&arguments).umask(environment.umask);
    let run = run
        .env("TZ", environment.zone)
        .directory(environment.directory);
    run.run().reports().0
}

/// The bytes of a rootfs tar made on standard output, under an environment.
#[track_caller]
fn exported(
    sandbox: &Sandbox,
    input: (&str, Format),
    options: &[&str],
    environment: &Environment,
) -> Vec<u8> {
    let source = input.1.at(testdata(input.0));
    let command = ["export", "--image", "#1", "--jobs", environment.jobs];
    let arguments = [
        &command,
        platform(&command, Format::Docker),
        options,
        &[&source],
    ]
    .concat();
    let run = sandbox.restow(&arguments).umask(environment.umask);
    let run = run
        .env("TZ", environment.zone)
        .directory(environment.directory);
    run.run().reports().0
}

/// The goldens are of one platform, whatever machine this is.
fn platform(command: &[&str], to: Format) -> &'static [&'static str] {
    match to {
        Format::Oci | Format::OciArchive if command[0] == "convert" => &[],
        _ => &["--platform", "linux/amd64"],
    }
}

/// What must not matter.
struct Environment {
    jobs: &'static str,
    umask: &'static str,
    zone: &'static str,
    directory: &'static str,
}

const ONE: Environment = Environment {
    jobs: "1",
    umask: "022",
    zone: "UTC",
    directory: "",
};
const OTHER: Environment = Environment {
    jobs: "8",
    umask: "077",
    zone: "Asia/Kathmandu",
    directory: "elsewhere",
};

#[test]
fn jobs_umask_time_zone_and_directory_do_not_matter() {
    let sandbox = Sandbox::new();
    sandbox.write("elsewhere/file", "");
    for input in INPUTS {
        for to in [Format::Docker, Format::OciArchive] {
            for command in CONVERSIONS.into_iter().chain(SQUASHES) {
                let one = digest(&made(&sandbox, input, to, command, &ONE));
                let other = digest(&made(&sandbox, input, to, command, &OTHER));
                assert_eq!(one, other, "{} {to:?} {command:?}", input.0);
            }
        }
        for options in EXPORTS {
            let one = digest(&exported(&sandbox, input, options, &ONE));
            let other = digest(&exported(&sandbox, input, options, &OTHER));
            assert_eq!(one, other, "{} {options:?}", input.0);
        }
    }
}

/// How exports are stored that are compared.
const EXPORTS: [&[&str]; 3] = [&[], &["--compress", "gzip:1"], &["--compress", "zstd"]];

#[test]
fn a_file_a_pipe_and_a_directory_get_the_same_bytes() {
    let sandbox = Sandbox::new();
    for command in CONVERSIONS.into_iter().chain(SQUASHES) {
        for (name, from) in INPUTS {
            for to in [Format::Docker, Format::OciArchive] {
                let expected = made(&sandbox, (name, from), to, command, &ONE);
                let (source, target) = (from.at("-"), to.at("-"));
                let arguments = [command, platform(command, to), &[&source, &target]].concat();
                let run = sandbox.restow(&arguments).stdin_pipe(fixture(name));
                let (got, _) = run.run().reports();
                assert_eq!(names(&got), names(&expected), "{name} {to:?} {command:?}");
                assert_eq!(digest(&got), digest(&expected), "{name} {to:?} {command:?}");
            }
        }
    }
}

/// Two images that share a layer, with layers that are large enough to be hashed while a
/// pipe is kept, and one that is not.
fn large_layers() -> [make::Image; 2] {
    let large = |name: &str| make::layer(&format!("file {name} {}", name.repeat(70_000)));
    let shared = large("one");
    [
        make::Image::of_layers(
            &["app:1"],
            vec![shared.clone(), large("two"), make::layer("dir d")],
        ),
        make::Image::of_layers(&["app:2"], vec![shared, large("three")]),
    ]
}

#[test]
fn large_layers_from_a_pipe_get_the_same_bytes() {
    let gzipped = large_layers().map(|image| image.stored_as(Codec::Gzip));
    for archive in [
        make::tar(&make::docker(&large_layers())),
        make::tar(&make::hybrid(&large_layers())),
        make::tar(&make::hybrid(&gzipped)),
        make::tar(&make::jib(&large_layers()[0])),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("in.tar", &archive);
        for to in ["docker-archive:", "oci-archive:"] {
            let to = |name: &str| format!("{to}{name}");
            sandbox.run(&["convert", "in.tar", &to("file")]).silent();
            let pipe = |target: &str| {
                let run = sandbox.restow(&["convert", "-", &to(target)]);
                run.stdin_pipe(archive.clone()).run().data("")
            };
            pipe("pipe");
            let streamed = pipe("-");
            let file = sandbox.read("file");
            assert!(sandbox.read("pipe") == file, "{}", to("pipe"));
            assert!(streamed == file, "{}", to("-"));
            for name in ["file", "pipe"] {
                std::fs::remove_file(sandbox.path(name)).expect("it was made");
            }
        }
    }
}

#[test]
fn a_large_layer_that_is_not_what_the_config_says_is_refused_from_a_pipe_too() {
    let [_, mut image] = large_layers();
    let content = image.layers[1].len() / 2;
    image.layers[1][content] ^= 1;
    let expected = format!(
        "error: cannot read layer 2 of 2 of `app:2`\n  caused by: layer does not match its diff_id: expected {}, got {}\n",
        image.diff_ids[1],
        digest(&image.layers[1]),
    );
    let archive = make::tar(&make::docker(&[image]));
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", &archive);
    for to in ["docker-archive:out", "oci-archive:out", "oci:out"] {
        sandbox.run(&["convert", "in.tar", to]).fails(&expected);
        let run = sandbox.restow(&["convert", "-", to]);
        run.stdin_pipe(archive.clone()).run().fails(&expected);
    }
}

/// What the layers are stored in, and how, does not matter to what is made of them.
///
/// `--max-layers` is not asked: it chooses by the sizes of the layers as they are stored.
#[test]
fn a_squash_of_an_archive_and_of_a_layout_are_the_same() {
    for (name, from) in INPUTS {
        let sandbox = Sandbox::new();
        let original = from.at(testdata(name));
        let layouts = ["none", "gzip:1", "zstd:1"].map(|compress| {
            let layout = format!("oci:{}", compress.replace(':', "-"));
            let arguments = [
                "convert",
                "--image",
                "#1",
                "--platform",
                "linux/amd64",
                "--compress",
                compress,
                &original,
                &layout,
            ];
            drop(sandbox.run(&arguments).reports());
            layout
        });
        let sources = layouts.iter().chain([&original]);
        let outcomes = sources.map(|source| {
            let facts = ["--all", "--last=2", "--layers=2..3"].map(|range| {
                let arguments = [
                    "squash",
                    range,
                    "--image",
                    "#1",
                    "--platform",
                    "linux/amd64",
                    "--compress",
                    "none",
                    source,
                    "docker-archive:-",
                ];
                let (archive, _) = sandbox.run(&arguments).reports();
                let image = Store::from_tar(&archive).docker_images().remove(0);
                (image.config.clone(), image.diff_ids())
            });
            let arguments = [
                "export",
                "--image",
                "#1",
                "--platform",
                "linux/amd64",
                source,
            ];
            (facts, digest(&sandbox.run(&arguments).reports().0))
        });
        let outcomes: Vec<_> = outcomes.collect();
        for (source, outcome) in layouts.iter().zip(&outcomes) {
            assert_eq!(outcome, &outcomes[layouts.len()], "{source} of {name}");
        }
    }
}

#[test]
fn metadata_goes_first_where_all_sizes_are_known() {
    let sandbox = Sandbox::new();
    let metadata = ["oci-layout", "index.json", "manifest.json", "repositories"];
    for input in INPUTS {
        let archive = made(&sandbox, input, Format::Docker, &["convert"], &ONE);
        let names = names(&archive);
        let first: Vec<_> = metadata
            .into_iter()
            .filter(|it| names.iter().any(|n| n == it))
            .collect();
        assert_eq!(names[..first.len()], first, "{}", input.0);
    }
}

#[test]
fn a_layout_in_a_directory_has_the_same_modes_as_ever() {
    let sandbox = Sandbox::new();
    let source = testdata("docker20__edge.tar");
    let source = source.to_str().expect("the path is text");
    sandbox.run(&["convert", source, "oci:one"]).silent();
    let tree = sandbox.tree();
    let of_one = tree.iter().filter(|(path, _)| path.starts_with("one/"));
    for (path, what) in of_one {
        let mode = what.split(' ').next();
        let expected = if path.ends_with('/') { "755" } else { "644" };
        assert_eq!(mode, Some(expected), "{path}");
    }
}

#[test]
fn archives_are_listed_as_the_goldens_say() {
    let sandbox = Sandbox::new();
    for (to, name) in [
        (Format::Docker, "docker-archive"),
        (Format::OciArchive, "oci-archive"),
    ] {
        for input in INPUTS {
            let bytes = made(&sandbox, input, to, &["convert"], &ONE);
            let input = input.0.trim_end_matches(".tar");
            assert_golden(&format!("{input}--{name}.txt"), &listing(&bytes));
        }
    }
}

#[test]
fn archives_have_the_digests_that_the_goldens_say() {
    let sandbox = Sandbox::new();
    let mut text = String::new();
    let mut line = |bytes: &[u8], name: &str, to: &str, options: &[&str]| {
        let digest = digest(bytes);
        let line = format!("{} {name} {to} {}", hex(&digest), options.join(" "));
        writeln!(text, "{}", line.trim_end()).expect("text can grow");
    };
    for input in INPUTS {
        for to in [Format::Docker, Format::OciArchive] {
            for command in CONVERSIONS {
                let bytes = made(&sandbox, input, to, command, &ONE);
                line(&bytes, input.0, &format!("{to:?}"), &command[1..]);
            }
        }
    }
    for input in INPUTS {
        for to in [Format::Docker, Format::OciArchive] {
            for command in SQUASHES {
                let bytes = made(&sandbox, input, to, command, &ONE);
                line(&bytes, input.0, &format!("{to:?}"), command);
            }
        }
        for options in EXPORTS {
            let bytes = exported(&sandbox, input, options, &ONE);
            line(&bytes, input.0, "export", options);
        }
    }
    assert_golden("digests.txt", &text);
}
