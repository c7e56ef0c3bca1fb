//! The cost of the commands that edit images, and of those that read and write folders, over the size
//! of their input.
//!
//! `cargo bench --bench edit` makes three pairs of images whose sizes double, three layouts whose
//! numbers of images double (once; they are kept below `target/tmp`), and what the commands need of
//! them. It runs each command on one size and on the next smaller one in turn, and prints medians,
//! the factor of the time, and the peak memory of the larger one.
//!
//! `--before BINARY` compares with another restow, such as one built before a change, at each size.
//! `--json` prints an object instead of the table.
//!
//! # One run
//!
//! Seconds, one run each, on a virtual machine with two cores (AMD EPYC) and Debian 12. N is 20,000
//! files of about 100 bytes, or 100 MB in 200 files, or 200 images; the peak of memory is that of
//! 4 N.
//!
//! | work | N | 2 N | 4 N | peak | N bytes | 2 N | 4 N | peak |
//! | --- | --- | --- | --- | --- | --- | --- | --- | --- |
//! | `config` | 0.02 | 0.04 | 0.07 | 10 MiB | 0.08 | 0.15 | 0.30 | 10 MiB |
//! | `append`, tar | 0.07 | 0.10 | 0.24 | 29 MiB | 0.19 | 0.31 | 0.65 | 10 MiB |
//! | `append`, folder | 0.23 | 0.50 | 1.09 | 27 MiB | 0.12 | 0.25 | 0.45 | 12 MiB |
//! | `append --only-new` | 0.27 | 0.56 | 0.83 | 47 MiB | 0.41 | 0.77 | 1.38 | 13 MiB |
//! | `append --changed` | 0.25 | 0.52 | 0.99 | 46 MiB | 0.39 | 0.73 | 1.60 | 15 MiB |
//! | `rebase` | 0.21 | 0.37 | 0.72 | 73 MiB | 0.32 | 0.56 | 1.05 | 13 MiB |
//! | `extract` | 0.73 | 1.51 | 3.44 | 24 MiB | 0.10 | 0.17 | 0.31 | 7 MiB |
//! | `import`, folder | 0.26 | 0.38 | 0.94 | 27 MiB | 0.14 | 0.25 | 0.54 | 11 MiB |
//!
//! | work, with a copy of the layout | N images | 2 N | 4 N |
//! | --- | --- | --- | --- |
//! | `config` in place | 0.06 | 0.15 | 0.23 |
//! | `remove` of one image | 0.05 | 0.11 | 0.15 |
//! | `remove` of half of them | 0.09 | 0.10 | 0.24 |

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
    pub(crate) mod script;
}

use std::process::ExitCode;

use clap::{Parser, value_parser};
use tempfile::TempDir;

use support::bench::{Arguments, Bench, Prepared, Result, exit_code};
use support::doubling::{LINEAR, doubled};
use support::many_images::{kept_layout, make_layout};
use support::measure::{Comparison, PLAIN};
use support::pairs::Pair;
use support::script::{shell, temporary};

/// Measure how the cost of editing images grows with their size
#[derive(Parser)]
struct Edit {
    #[command(flatten)]
    arguments: Arguments,
    /// Files of the smallest of the three pairs that show the cost of entries
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = value_parser!(u64).range(100..))]
    files: u64,
    /// Megabytes of the smallest of the three pairs that show the cost of bytes
    #[arg(long, value_name = "MB", default_value_t = 250, value_parser = value_parser!(u64).range(1..))]
    megabytes: u64,
    /// The number of files of the generated pair to make
    #[arg(long, hide = true, requires = "make")]
    make_pair: Option<u64>,
    /// The mean size of these files
    #[arg(long, hide = true, default_value_t = 0)]
    make_mean: u64,
    /// The shape of the layout to make
    #[arg(long, hide = true, requires = "make")]
    make_layout: Option<String>,
    /// Its number of images
    #[arg(long, hide = true, default_value_t = 0)]
    make_count: u64,
}

/// Two rows for a command on `$n`, a folder or layout: for 2 N against N, and for 4 N against 2 N.
macro_rules! doubling {
    ($what:literal, $size:literal, $command:literal) => {
        [
            Comparison {
                what: concat!($what, ", 2 N ", $size),
                restow: concat!("n=$TWICE_N; ", $command),
                against: concat!("N ", $size),
                peer: concat!("n=$N; ", $command),
                goal: Some(LINEAR),
                ..PLAIN
            },
            Comparison {
                what: concat!($what, ", 4 N ", $size),
                restow: concat!("n=$FOUR_TIMES_N; ", $command),
                against: concat!("2 N ", $size),
                peer: concat!("n=$TWICE_N; ", $command),
                goal: Some(LINEAR),
                ..PLAIN
            },
        ]
    };
}

/// Of each pair, `old.tar` and `new.tar` are the images; `layer.tar` is the layer of the new one, and
/// `folder` has its files; `stack.tar` is the old image with another layer, and that layer on top.
macro_rules! pairs {
    ($size:literal) => {
        [
            doubling!(
                "config",
                $size,
                r#""$RESTOW" config --label a=b "$n/old.tar" "docker-archive:$OUT""#
            ),
            doubling!(
                "append, tar",
                $size,
                r#""$RESTOW" append "$n/old.tar" "docker-archive:$OUT" "$n/layer.tar""#
            ),
            doubling!(
                "append, folder",
                $size,
                r#""$RESTOW" append scratch "docker-archive:$OUT" "$n/folder""#
            ),
            doubling!(
                "append --only-new",
                $size,
                r#""$RESTOW" append --only-new "$n/old.tar" "docker-archive:$OUT" "$n/layer.tar""#
            ),
            doubling!(
                "append --changed",
                $size,
                r#""$RESTOW" append "$n/old.tar" "docker-archive:$OUT" --changed "$n/layer.tar""#
            ),
            doubling!(
                "rebase",
                $size,
                r#""$RESTOW" rebase "$n/stack.tar" "docker-archive:$OUT" --onto "$n/new.tar" --from "$n/old.tar""#
            ),
            doubling!(
                "extract",
                $size,
                r#""$RESTOW" extract "$n/new.tar" "$OUT""#
            ),
            doubling!(
                "import, folder",
                $size,
                r#""$RESTOW" import "$n/folder" "$OUT""#
            ),
        ]
    };
}

/// Commands that work in place get a copy of the layout, made of hard links. It has three blobs for
/// each image, and three shared layers.
const IMAGES: [[Comparison; 2]; 3] = [
    doubling!(
        "config in place",
        "images",
        r#"cp -al "$n" "$OUT" && "$RESTOW" config --label a=b "oci:$n:bench:7" "oci:$OUT:bench:7""#
    ),
    doubling!(
        "remove",
        "images",
        r#"cp -al "$n" "$OUT" && "$RESTOW" remove "oci:$OUT" bench:7"#
    ),
    doubling!(
        "remove, half of them",
        "images",
        r#"cp -al "$n" "$OUT" && last=$(($(ls "$n/blobs/sha256" | wc -l) / 3 - 2)) &&
        "$RESTOW" remove "oci:$OUT" $(seq -f bench:%.0f 0 2 $last)"#
    ),
];

/// The mean size of the files of a pair with many entries: small, so that the entries dominate
/// the cost.
const SMALL: u64 = 100;

/// The number of files of a pair with many bytes.
const FEW: u64 = 200;

/// The smallest number of images of a layout.
const LAYOUT: u64 = 200;

fn main() -> ExitCode {
    exit_code(run(&Edit::parse()))
}

fn run(edit: &Edit) -> Result<()> {
    let arguments = &edit.arguments;
    if let Some(path) = &arguments.make {
        return match (edit.make_pair, &edit.make_layout) {
            (None, Some(shape)) => make_layout(path, shape, edit.make_count),
            (files, _) => Pair::make(path, files.unwrap_or_default(), edit.make_mean),
        };
    }
    let of_entries = |factor| Pair::Generated {
        files: factor * edit.files,
        mean: SMALL,
    };
    let of_bytes = |factor| Pair::Generated {
        files: FEW,
        mean: factor * edit.megabytes * 1_000_000 / FEW,
    };
    // Outputs are written beside it; it has no other use here.
    let image = of_bytes(1).folder()?;
    let mut bench = Bench::new(arguments, image.join("old.tar"));
    bench.run(pairs!("entries").as_flattened(), |_| generate(of_entries));
    bench.run(pairs!("bytes").as_flattened(), |_| generate(of_bytes));
    bench.run(IMAGES.as_flattened(), |_| {
        doubled(|factor| kept_layout("images", factor * LAYOUT))
    });
    let more = format!(
        ", N is {} entries, {} MB or {LAYOUT} images",
        edit.files, edit.megabytes
    );
    bench.report(&[], &[], &more)
}

/// Makes three generated pairs, and what the commands need of each.
fn generate(pair: impl Fn(u64) -> Pair) -> Result<Prepared<TempDir>> {
    let mut prepared = Prepared {
        variables: doubled(|factor| pair(factor).folder())?.variables,
        kept: temporary()?,
    };
    shell(
        r#"mkdir "$MADE"
        for n in N TWICE_N FOUR_TIMES_N; do
            eval "images=\$$n"
            made="$MADE/$n"
            mkdir "$made" "$made/top"
            echo top > "$made/top/file"
            ln -s "$images/old.tar" "$images/new.tar" "$made"
            "$RESTOW" --quiet export "$made/new.tar" "$made/layer.tar"
            "$RESTOW" --quiet extract "$made/new.tar" "$made/folder"
            "$RESTOW" --quiet append "$made/old.tar" "docker-archive:$made/stack.tar" \
                "$made/top:/top/" "$made/layer.tar"
        done"#,
        &mut prepared,
        &["MADE"],
    )?;
    let made = prepared.kept.path().join("MADE");
    for (name, path) in &mut prepared.variables {
        if *name != "MADE" {
            *path = made.join(name).into_os_string();
        }
    }
    Ok(prepared)
}
