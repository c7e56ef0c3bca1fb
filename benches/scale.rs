//! How time grows with the number of layers and images, and how far commands can use many cores.
//!
//! `cargo bench --bench scale` makes small layouts (once; they are kept below `target/tmp`): an
//! image of N layers, an index of N images, and N images that share most of their layers. Each row
//! is compared with the same for half as many, in turn, so that any other load on the machine
//! affects both. A ratio of 2 is linear.
//!
//! The first table counts, since machines of many cores are rare. The image is that of `--bench
//! convert`; each command runs with one job and with sixteen, and the CPU time of each of its
//! threads is read all the while. The time on any number of cores is at least that of the thread
//! with the most, so that the time of all threads over that of this one, `at_most`, is a limit of
//! the speed-up. It is no promise: threads also wait for each other.
//!
//! `--before BINARY` compares with another restow, such as one built before a change. `--json`
//! prints an object instead of the tables.
//!
//! # One run
//!
//! CPU time in seconds with 16 jobs, on a virtual machine with two cores of an x86-64 processor that
//! has SHA instructions, with Debian 12; a docker archive of 443 MB in 9 layers, a third of it in
//! one, and for `delta` a second one of which files in four layers differ. "Seen" checks the limit
//! in other runs: each thread was put in a control group with a sixteenth of a core, so that
//! sixteen threads fit in one, and the time divided by sixteen is that of a machine with a core for
//! each thread. It is the CPU time over that time.
//!
//! | work | CPU | longest thread | at most | seen | peak of memory |
//! | --- | --- | --- | --- | --- | --- |
//! | `convert`, kept | 0.56 | 0.15, copies the largest layer | 3.8 | 5.0 | 21 MiB |
//! | `convert`, gzip | 3.65 | 0.42, one of 8 that compress | 8.7 | 9.4 | 99 MiB |
//! | `convert`, zstd | 2.99 | 0.34, one of 8 that compress | 8.9 | 6.7 | 108 MiB |
//! | `squash --all` | 0.90 | 0.28, hashes the new layer | 3.3 | 3.0 | 21 MiB |
//! | `squash --all`, gzip | 3.76 | 0.36, one of 8 that compress | 10.3 | | 67 MiB |
//! | `export` | 0.59 | 0.25, writes the output | 2.4 | 2.4 | 20 MiB |
//! | `export` of gzip layers | 1.70 | 0.36, writes the output | 4.7 | 2.7 | 23 MiB |
//! | `verify` | 0.41 | 0.10, hashes the largest layer | 4.0 | 3.9 | 22 MiB |
//! | `verify` of gzip layers | 1.54 | 0.38, unpacks the largest layer | 4.1 | | 31 MiB |
//! | `files` | 0.05 | 0.01 | 4.0 | 3.6 | 19 MiB |
//! | `diff` | 0.10 | 0.04, merges | 2.5 | 2.1 | 21 MiB |
//! | `waste` | 0.05 | 0.02, merges | 3.1 | 2.8 | 21 MiB |
//! | `delta` | 1.46 | 0.53, compresses the delta | 2.8 | 2.3 | 118 MiB |
//! | `apply` | 0.74 | 0.40, writes the layers | 1.9 | 1.8 | 58 MiB |
//!
//! `verify` of ten images that share three of four layers took 0.28 s with such cores, and 0.16 s
//! since layers of several images are read beside each other; of 200 images of small layers 0.21
//! and 0.15 s.
//!
//! Time in milliseconds for N, 2 N and 4 N, medians of three:
//!
//! | work | N | 2 N | 4 N |
//! | --- | --- | --- | --- |
//! | `images`, 200 images and more | 29 | | 103 |
//! | `convert`, 200 images and more | 112 | | 308 |
//! | `verify`, 200 images and more | 124 | 211 | 412 |
//! | `convert`, an index of 50 images and more | 13 | 25 | 42 |
//! | `verify`, an index of 50 images and more | 13 | | 47 |
//!
//! An image of 127 layers of a few KB took 19 ms to `convert`, 41 ms to gzip, 8 ms to `export` and
//! 11 ms to `squash`; `--version` takes 1.5 ms, of which 0.5 are those of `true`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its table"
)]

/// Code that the benchmarks share.
mod support {
    pub(crate) mod bench;
    pub(crate) mod docker_archive;
    pub(crate) mod doubling;
    pub(crate) mod layer;
    pub(crate) mod many_images;
    pub(crate) mod measure;
    #[expect(dead_code, reason = "real pairs are for `carry` alone")]
    pub(crate) mod pairs;
    pub(crate) mod real_image;
    pub(crate) mod threads;
}

use std::process::ExitCode;

use clap::Parser;

use support::bench::{Arguments, Bench, Prepared, Result, exit_code};
use support::doubling::{LINEAR, doubled};
use support::many_images::{kept_layout, make_layout};
use support::measure::{Comparison, Limit, PLAIN};
use support::pairs::Pair;
use support::real_image::{kept_image, make_image};
use support::threads::count_threads;

/// Time many small layers and images, and count how far commands can use many cores
#[derive(Parser)]
struct Scale {
    #[command(flatten)]
    arguments: Arguments,
    /// The files of the pair to make
    #[arg(long, hide = true, requires = "make")]
    make_pair: Option<u64>,
    /// The mean size of these files
    #[arg(long, hide = true, default_value_t = 0)]
    make_mean: u64,
    /// The shape of the layout to make
    #[arg(long, hide = true, requires = "make")]
    make_layout: Option<String>,
    /// Its number of layers or images
    #[arg(long, hide = true, default_value_t = 0)]
    make_count: u64,
}

/// Two rows for a command: for 2 N against N, and for 4 N against 2 N.
macro_rules! doubling {
    ($what:literal, $command:literal, $rest:literal) => {
        [
            Comparison {
                what: concat!($what, ", 2 N"),
                restow: concat!($command, r#" "oci:$TWICE_N" "#, $rest),
                against: "N",
                peer: concat!($command, r#" "oci:$N" "#, $rest),
                goal: Some(LINEAR),
                ..PLAIN
            },
            Comparison {
                what: concat!($what, ", 4 N"),
                restow: concat!($command, r#" "oci:$FOUR_TIMES_N" "#, $rest),
                against: "2 N",
                peer: concat!($command, r#" "oci:$TWICE_N" "#, $rest),
                goal: Some(LINEAR),
                ..PLAIN
            },
        ]
    };
}

/// N is 30: engines take 127 layers.
const LAYERS: [[Comparison; 2]; 5] = [
    doubling!("convert, layers", r#""$RESTOW" convert"#, r#""$OUT""#),
    doubling!(
        "convert to a layout, layers",
        r#""$RESTOW" convert"#,
        r#""oci:$OUT""#
    ),
    doubling!(
        "convert to gzip, layers",
        r#""$RESTOW" convert --compress gzip"#,
        r#""$OUT""#
    ),
    doubling!("export, layers", r#""$RESTOW" export"#, r#""$OUT""#),
    doubling!("squash, layers", r#""$RESTOW" squash --all"#, r#""$OUT""#),
];

/// N is 50.
const INDEX: [[Comparison; 2]; 3] = [
    doubling!("images, index", r#""$RESTOW" images"#, ""),
    doubling!("convert, index", r#""$RESTOW" convert"#, r#""oci:$OUT""#),
    doubling!("verify, index", r#""$RESTOW" verify"#, ""),
];

/// N is 200.
const IMAGES: [[Comparison; 2]; 3] = [
    doubling!("images, images", r#""$RESTOW" images"#, ""),
    doubling!("convert, images", r#""$RESTOW" convert"#, r#""oci:$OUT""#),
    doubling!("verify, images", r#""$RESTOW" verify"#, ""),
];

/// For one command on a small input.
const START: Option<Limit> = Some(Limit {
    milliseconds: 10,
    mebibytes: 16,
});

/// `$N` is an image of 30 layers.
#[rustfmt::skip] // A table is read in rows.
const STARTING: [Comparison; 2] = [
    Comparison { what: "--version", restow: r#""$RESTOW" --version"#,
        against: "true", peer: "true", limit: START, ..PLAIN },
    Comparison { what: "images, 30 layers", restow: r#""$RESTOW" images "$N""#,
        against: "--version", peer: r#""$RESTOW" --version"#, limit: START, ..PLAIN },
];

fn main() -> ExitCode {
    exit_code(run(&Scale::parse()))
}

fn run(scale: &Scale) -> Result<()> {
    let arguments = &scale.arguments;
    if let Some(path) = &arguments.make {
        return match (scale.make_pair, &scale.make_layout) {
            (Some(files), _) => Pair::make(path, files, scale.make_mean),
            (None, Some(shape)) => make_layout(path, shape, scale.make_count),
            (None, None) => make_image(path, arguments.size),
        };
    }
    let image = match &arguments.image {
        Some(path) => path.canonicalize()?,
        None => kept_image(arguments.size)?,
    };
    let threads = count_threads(arguments, &image)?;
    let mut bench = Bench::new(arguments, image);
    bench.run(&STARTING, |_| of(30, "layers"));
    bench.run(LAYERS.as_flattened(), |_| of(30, "layers"));
    bench.run(INDEX.as_flattened(), |_| of(50, "index"));
    bench.run(IMAGES.as_flattened(), |_| of(200, "images"));
    bench.report(&threads, &[], "")
}

/// The layouts of one, two and four times this number.
fn of(number: u64, shape: &str) -> Result<Prepared<()>> {
    doubled(|factor| kept_layout(shape, factor * number))
}
