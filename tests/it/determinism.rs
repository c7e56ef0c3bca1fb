//! The same input and options give the same bytes, whatever else is different.

use std::fmt::Write;

use crate::support::codec::{digest, hex};
use crate::support::judge::Format;
use crate::support::listing::{assert_golden, listing, names};
use crate::support::{Sandbox, fixture, testdata};

/// One archive of each kind, with what it is read as.
const INPUTS: [(&str, Format); 4] = [
    ("docker20__edge.tar", Format::Docker),
    ("docker29-containerd__edge-deep-multi.tar", Format::Docker),
    ("buildkit__multi.oci.tar", Format::OciArchive),
    ("podman43__edge.oci.tar", Format::OciArchive),
];

/// The options whose output is compared.
const OPTIONS: [&[&str]; 5] = [
    &[],
    &["--compress", "none"],
    &["--compress", "gzip"],
    &["--compress", "zstd"],
    &["--compress", "gzip:9", "--tag", "x:1", "--image", "#1"],
];

/// The bytes of an archive made on standard output, under an environment.
#[track_caller]
fn made(
    sandbox: &Sandbox,
    input: (&str, Format),
    to: Format,
    options: &[&str],
    environment: &Environment,
) -> Vec<u8> {
    let source = input.1.at(testdata(input.0));
    let target = to.at("-");
    let mut arguments = vec!["convert", &source, &target, "--jobs", environment.jobs];
    arguments.extend(platform(to));
    arguments.extend(options);
    let run = sandbox.restow(&arguments).umask(environment.umask);
    let run = run
        .env("TZ", environment.zone)
        .directory(environment.directory);
    run.run().data_and_warnings().0
}

/// The goldens are of one platform, whatever machine this is.
fn platform(to: Format) -> &'static [&'static str] {
    match to {
        Format::Docker => &["--platform", "linux/amd64"],
        Format::Oci | Format::OciArchive => &[],
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
            for options in OPTIONS {
                let one = digest(&made(&sandbox, input, to, options, &ONE));
                let other = digest(&made(&sandbox, input, to, options, &OTHER));
                assert_eq!(one, other, "{} {to:?} {options:?}", input.0);
            }
        }
    }
}

#[test]
fn a_file_a_pipe_and_a_directory_get_the_same_bytes() {
    let sandbox = Sandbox::new();
    for options in OPTIONS {
        for (name, from) in INPUTS {
            for to in [Format::Docker, Format::OciArchive] {
                let expected = made(&sandbox, (name, from), to, options, &ONE);
                let (source, target) = (from.at("-"), to.at("-"));
                let arguments = [
                    &["convert", source.as_str(), &target],
                    platform(to),
                    options,
                ]
                .concat();
                let run = sandbox.restow(&arguments).stdin_pipe(fixture(name));
                let (got, _) = run.run().data_and_warnings();
                assert_eq!(names(&got), names(&expected), "{name} {to:?} {options:?}");
                assert_eq!(digest(&got), digest(&expected), "{name} {to:?} {options:?}");
            }
        }
    }
}

#[test]
fn metadata_goes_first_where_all_sizes_are_known() {
    let sandbox = Sandbox::new();
    let metadata = ["oci-layout", "index.json", "manifest.json", "repositories"];
    for input in INPUTS {
        let archive = made(&sandbox, input, Format::Docker, &[], &ONE);
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
            let bytes = made(&sandbox, input, to, &[], &ONE);
            let input = input.0.trim_end_matches(".tar");
            assert_golden(&format!("{input}--{name}.txt"), &listing(&bytes));
        }
    }
}

#[test]
fn archives_have_the_digests_that_the_goldens_say() {
    let sandbox = Sandbox::new();
    let mut text = String::new();
    for input in INPUTS {
        for to in [Format::Docker, Format::OciArchive] {
            for options in OPTIONS {
                let bytes = made(&sandbox, input, to, options, &ONE);
                let digest = digest(&bytes);
                let options = options.join(" ");
                let line = format!("{} {} {to:?} {options}", hex(&digest), input.0);
                writeln!(text, "{}", line.trim_end()).expect("text can grow");
            }
        }
    }
    assert_golden("digests.txt", &text);
}
