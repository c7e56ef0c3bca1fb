//! Size, time and memory of what carries an image where an older one is.
//!
//! `cargo bench --bench carry` makes two pairs of images (once; they are kept below `target/tmp`):
//! `base` is a small Debian with python3, git, curl and vim, as released and with all updates of
//! the day, which mmdebstrap makes; `app` is five Python wheels and their next patch releases.
//! Each image has one plain layer. The pairs come from the registries of Debian and Python; rows
//! that cannot be run, for want of the network or of a program, are named and left out.
//!
//! The first table has the size of each delta, and of what other programs make of the two layers,
//! with the cost of one run. The second one runs each row in turn with its peer, so that any other
//! load on the machine affects both, and prints medians, ratios, goals and the peak memory of
//! restow. It also checks that `apply` writes what `convert` writes.
//!
//! `--before BINARY` compares with another restow, such as one built before a change, in place of
//! all others. `--json` prints an object instead of the tables.
//!
//! # One run
//!
//! CPU time in seconds, since the machine was busy: a virtual machine with two cores of an x86-64
//! processor that has SHA instructions, with Debian 12; zstd 1.5.4. Sizes are of a day in November
//! 2026: the layers of `base` have 315 MB and 1,032 changed files, those of `app` 123 MB and 185.
//!
//! The sizes are from before `delta` compressed files beside the rest, passed over the equal start
//! of large files, and compared the old layers with their digests. The table after them is later:
//! the best of five, in seconds, since some runs waited for the disk; for `apply`, app, all of them
//! did, and it has the time of the processor. The last two rows are of an earlier version.
//!
//! | output, in MB | base | app | CPU, base | CPU, app |
//! | --- | --- | --- | --- | --- |
//! | `zstd -3` of the layer | 105.0 | 28.0 | 1.89 | 0.67 |
//! | `zstd -19` of the layer | | 20.1 | | 68.8 |
//! | `zstd -3 --patch-from` of the layer (940 and 365 MiB of memory) | 7.9 | 6.2 | 1.46 | 0.71 |
//! | `delta` | 4.72 (4.5 %; goal 5 %) | 2.63 (goal 3.3) | 1.20 | 0.65 |
//! | `delta --level 3` | 4.79 | 2.65 | 1.14 | 0.74 |
//! | `delta --level 12` | 4.52 | 2.48 | 2.40 | 2.09 |
//! | `delta --level 19` (153 and 137 MiB of memory) | 4.27 | 2.31 | 17.8 | 18.4 |
//! | `delta` of gzip layers | 124.9 | 36.3 | 5.10 | 2.03 |
//! | `delta --by-content` of gzip layers | 4.72 | 2.63 | 3.75 | 1.59 |
//!
//! The deltas of today have 4.80 MB (4.6 %) and 2.65 MB.
//!
//! | work | restow | peer | | ratio | goal | peak of memory |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | `delta`, base | 0.52 | 0.45 | `export` of both | 1.14 | 1.5 | 61 MiB |
//! | `delta`, app | 0.23 | 0.18 | `export` of both | 1.28 | 1.5 | 55 MiB |
//! | `apply`, base | 0.28 | 0.20 | `convert` | 1.44 | 2 | 34 MiB |
//! | `apply`, app | 0.18 | 0.13 | `convert` | 1.37 | 2 | 29 MiB |
//! | `convert --without`, base | 0.19 | 0.29 | `convert` | 0.66 | | 9 MiB |
//! | `convert --with`, base | 0.30 | 0.29 | `convert` | 1.03 | | 10 MiB |
//!
//! The cost of twice the entries (25,000, 50,000 and 100,000 small files) and of twice the bytes
//! (100, 200 and 400 MB in 200 files), as the factor of CPU time, and the peak of memory of the
//! largest; medians of two:
//!
//! | work | entries | | peak | bytes | | peak |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | `delta` | 2.03 | 2.13 | 67 MiB | 1.82 | 1.98 | 47 MiB |
//! | `apply` | 2.10 | 2.07 | 63 MiB | 1.54 | 1.96 | 21 MiB |
//! | `convert --without` | 2.14 | 1.68 | 15 MiB | 1.91 | 1.75 | 15 MiB |
//! | `convert --with` | 1.97 | 1.90 | 15 MiB | 1.96 | 2.06 | 15 MiB |

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
    pub(crate) mod measure;
    pub(crate) mod pairs;
    pub(crate) mod script;
}

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, value_parser};
use serde_json::{Value, json};
use tempfile::TempDir;

use support::bench::{Arguments, Bench, MB, Prepared, Result, exit_code, is_selected};
use support::doubling::{LINEAR, doubled};
use support::measure::{Comparison, PLAIN, Sample, needs_program_of, time};
use support::pairs::Pair;
use support::script::{shell, temporary};

/// Compare what restow writes to carry an image with the output of other programs
#[derive(Parser)]
struct Carry {
    #[command(flatten)]
    arguments: Arguments,
    /// Files of the smallest of the three pairs that show the cost of entries
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = value_parser!(u64).range(100..))]
    files: u64,
    /// Megabytes of the smallest of the three pairs that show the cost of bytes
    #[arg(long, value_name = "MB", default_value_t = 100, value_parser = value_parser!(u64).range(1..))]
    megabytes: u64,
    /// The number of files of the generated pair to make, or 0 for a real one
    #[arg(long, hide = true, requires = "make")]
    make_pair: Option<u64>,
    /// The mean size of these files
    #[arg(long, hide = true, default_value_t = 0)]
    make_mean: u64,
}

/// The binary that is measured.
const RESTOW: &str = env!("CARGO_BIN_EXE_restow");

/// A size, of the file that a command makes of `$OLD` and `$NEW`, the images, or of `$OLD_LAYER`
/// and `$NEW_LAYER`. `$OLD_PACKED` and `$NEW_PACKED` are the images with gzip layers.
struct Size {
    what: &'static str,
    command: &'static str,
    goal: Option<fn(Pair) -> Goal>,
}

/// The maximum of a size.
#[derive(Clone, Copy)]
enum Goal {
    /// A share of the size in the first row.
    Share(f64),
    Megabytes(f64),
}

impl Goal {
    fn of_delta(pair: Pair) -> Self {
        match pair {
            Pair::App => Self::Megabytes(3.3),
            _ => Self::Share(0.05),
        }
    }

    fn is_met(self, megabytes: f64, share: f64) -> bool {
        match self {
            Self::Share(most) => share <= most,
            Self::Megabytes(most) => megabytes <= most,
        }
    }
}

impl Display for Goal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => write!(f, "{share}"),
            Self::Megabytes(megabytes) => write!(f, "{megabytes} MB"),
        }
    }
}

/// bsdiff takes 17 times the size of the old file in memory.
const BSDIFF_MAX: u64 = 200 * MB;

#[rustfmt::skip] // A table is read in rows.
const SIZES: [Size; 11] = [
    Size { what: "zstd -3, layer", goal: None,
        command: r#"zstd -q -3 "$NEW_LAYER" -o "$OUT""# },
    Size { what: "layer", goal: None,
        command: r#"cp "$NEW_LAYER" "$OUT""# },
    Size { what: "zstd -19, layer", goal: None,
        command: r#"zstd -q -19 "$NEW_LAYER" -o "$OUT""# },
    Size { what: "zstd --patch-from, layer", goal: None,
        command: r#"zstd -q -3 --long=31 --patch-from="$OLD_LAYER" "$NEW_LAYER" -o "$OUT""# },
    Size { what: "xdelta3, layer", goal: None,
        command: r#"xdelta3 -e -9 -B 536870912 -s "$OLD_LAYER" "$NEW_LAYER" "$OUT""# },
    Size { what: "bsdiff, layer", goal: None,
        command: r#"bsdiff "$OLD_LAYER" "$NEW_LAYER" "$OUT""# },
    Size { what: "delta", goal: Some(Goal::of_delta),
        command: r#""$RESTOW" delta "$OLD" "$NEW" "$OUT""# },
    Size { what: "delta --level 3", goal: None,
        command: r#""$RESTOW" delta --level 3 "$OLD" "$NEW" "$OUT""# },
    Size { what: "delta --level 12", goal: None,
        command: r#""$RESTOW" delta --level 12 "$OLD" "$NEW" "$OUT""# },
    Size { what: "delta, gzip layers", goal: None,
        command: r#""$RESTOW" delta "$OLD_PACKED" "$NEW_PACKED" "$OUT""# },
    Size { what: "delta --by-content, gzip layers", goal: None,
        command: r#""$RESTOW" delta --by-content "$OLD_PACKED" "$NEW_PACKED" "$OUT""# },
];

/// The rows for a pair. `$DELTA` is the delta of its images; `$OLD_STACK` has the old layer and
/// another one, `$NEW_STACK` a third on top; and `$PART` is that without the first two.
macro_rules! work {
    ($pair:literal) => {
        [
            Comparison {
                what: concat!("delta, ", $pair),
                restow: r#""$RESTOW" delta "$OLD" "$NEW" "$OUT""#,
                against: "export of both",
                peer: r#""$RESTOW" export "$OLD" "$OUT" && "$RESTOW" export "$NEW" "$OUT.new""#,
                goal: Some(1.5),
                ..PLAIN
            },
            Comparison {
                what: concat!("delta, ", $pair),
                restow: r#""$RESTOW" delta "$OLD" "$NEW" "$OUT""#,
                against: "zstd --patch-from",
                peer: r#"zstd -q -3 --long=31 --patch-from="$OLD_LAYER" "$NEW_LAYER" -o "$OUT""#,
                ..PLAIN
            },
            Comparison {
                what: concat!("apply, ", $pair),
                restow: r#""$RESTOW" apply "$OLD" "$DELTA" "docker-archive:$OUT""#,
                against: "convert",
                peer: r#""$RESTOW" convert "$NEW" "docker-archive:$OUT""#,
                goal: Some(2.0),
                ..PLAIN
            },
            Comparison {
                what: concat!("convert --without, ", $pair),
                restow: r#""$RESTOW" convert --without "$OLD_STACK" "$NEW_STACK" "docker-archive:$OUT""#,
                against: "convert",
                peer: r#""$RESTOW" convert "$NEW_STACK" "docker-archive:$OUT""#,
                ..PLAIN
            },
            Comparison {
                what: concat!("convert --with, ", $pair),
                restow: r#""$RESTOW" convert --with "$OLD_STACK" "$PART" "docker-archive:$OUT""#,
                against: "convert",
                peer: r#""$RESTOW" convert "$NEW_STACK" "docker-archive:$OUT""#,
                ..PLAIN
            },
        ]
    };
}

/// The commands for one generated pair, which `$N` and so on are the folders of. `$MADE` is a
/// folder with the delta of each, and with a stack of both layers and that without the old one.
macro_rules! delta {
    ($n:literal) => {
        concat!(
            r#""$RESTOW" delta "$"#,
            $n,
            r#"/old.tar" "$"#,
            $n,
            r#"/new.tar" "$OUT""#
        )
    };
}
macro_rules! apply {
    ($n:literal) => {
        concat!(
            r#""$RESTOW" apply "$"#,
            $n,
            r#"/old.tar" "$MADE/"#,
            $n,
            r#".delta" "docker-archive:$OUT""#
        )
    };
}
macro_rules! without {
    ($n:literal) => {
        concat!(
            r#""$RESTOW" convert --without "$"#,
            $n,
            r#"/old.tar" "$MADE/"#,
            $n,
            r#".tar" "docker-archive:$OUT""#
        )
    };
}
macro_rules! with {
    ($n:literal) => {
        concat!(
            r#""$RESTOW" convert --with "$"#,
            $n,
            r#"/old.tar" "$MADE/"#,
            $n,
            r#".part" "docker-archive:$OUT""#
        )
    };
}

/// Each ratio is the factor for a doubling.
macro_rules! doubling {
    ($what:literal, $size:literal, $command:ident) => {
        [
            Comparison {
                what: concat!($what, ", 2 N ", $size),
                restow: $command!("TWICE_N"),
                against: concat!("N ", $size),
                peer: $command!("N"),
                goal: Some(LINEAR),
                ..PLAIN
            },
            Comparison {
                what: concat!($what, ", 4 N ", $size),
                restow: $command!("FOUR_TIMES_N"),
                against: concat!("2 N ", $size),
                peer: $command!("TWICE_N"),
                goal: Some(LINEAR),
                ..PLAIN
            },
        ]
    };
}

macro_rules! doublings {
    ($size:literal) => {
        [
            doubling!("delta", $size, delta),
            doubling!("apply", $size, apply),
            doubling!("convert --without", $size, without),
            doubling!("convert --with", $size, with),
        ]
    };
}

/// The mean size of the files of a pair with many entries: small, so that the entries dominate
/// the cost.
const SMALL: u64 = 100;

/// The number of files of a pair with many bytes.
const FEW: u64 = 200;

fn main() -> ExitCode {
    exit_code(run(&Carry::parse()))
}

fn run(carry: &Carry) -> Result<()> {
    let arguments = &carry.arguments;
    if let (Some(path), Some(files)) = (&arguments.make, carry.make_pair) {
        return Pair::make(path, files, carry.make_mean);
    }
    let of_entries = |factor| Pair::Generated {
        files: factor * carry.files,
        mean: SMALL,
    };
    let of_bytes = |factor| Pair::Generated {
        files: FEW,
        mean: factor * carry.megabytes * MB / FEW,
    };
    let folder = of_entries(1).folder()?;
    let mut bench = Bench::new(arguments, folder.join("new.tar"));
    let mut sizes = Vec::new();
    for (name, pair) in [("base", Pair::Base), ("app", Pair::App)] {
        sizes.extend(sizes_of(name, pair, arguments));
    }
    bench.run(&work!("base"), |_| prepare(Pair::Base));
    bench.run(&work!("app"), |_| prepare(Pair::App));
    bench.run(doublings!("entries").as_flattened(), |_| {
        generate(of_entries)
    });
    bench.run(doublings!("bytes").as_flattened(), |_| generate(of_bytes));
    let tools: [&[&str]; 2] = [&["zstd", "--version"], &["mmdebstrap", "--version"]];
    let more = format!(", N is {} entries or {} MB", carry.files, carry.megabytes);
    bench.report(&sizes, &tools, &more)
}

/// The rows of the table of sizes for a pair; what cannot be run has a note.
fn sizes_of(name: &str, pair: Pair, arguments: &Arguments) -> Vec<Value> {
    let is_chosen = |size: &&Size| is_selected(&format!("size, {name}, {}", size.what), arguments);
    let chosen: Vec<&Size> = SIZES.iter().filter(is_chosen).collect();
    if chosen.is_empty() {
        return vec![];
    }
    let packed = pack(pair);
    let mut of_zstd = None;
    let mut rows = Vec::new();
    for size in chosen {
        eprintln!("running: {}, {name}", size.what);
        let sample = match &packed {
            Ok(packed) => measure(size, packed),
            Err(error) => Err(error.to_string().into()),
        };
        let megabytes = sample.as_ref().ok().map(|it| bytes_as_mb(it.output_size));
        if size.what == SIZES[0].what {
            of_zstd = megabytes;
        }
        let share = megabytes.zip(of_zstd).map(|(size, whole)| size / whole);
        let goal = size.goal.map(|goal| goal(pair));
        rows.push(json!({
            "pair": name,
            "what": size.what,
            "mb": megabytes,
            "of_zstd_3": share,
            "goal": goal.map(|goal| goal.to_string()),
            "met": goal.zip(megabytes).zip(share).map(|((goal, size), share)| goal.is_met(size, share)),
            "s": sample.as_ref().ok().map(|it| it.seconds),
            "cpu_s": sample.as_ref().ok().map(|it| it.cpu_seconds),
            "peak_mib": sample.as_ref().ok().map(|it| it.peak >> 20),
            "note": sample.err().map(|error| error.to_string()),
        }));
    }
    rows
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn bytes_as_mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn measure(size: &Size, packed: &Prepared<TempDir>) -> Result<Sample> {
    needs_program_of(size.command)?;
    let layer = variable(packed, "NEW_LAYER").metadata()?.len();
    if size.command.starts_with("bsdiff") && layer > BSDIFF_MAX {
        return Err("skipped: bsdiff needs 17 times this layer in memory".into());
    }
    let folder = packed.kept.path();
    time(
        size.command,
        folder,
        &packed.variables,
        Path::new(RESTOW),
        0,
    )
}

/// Compresses the layers of a pair.
fn pack(pair: Pair) -> Result<Prepared<TempDir>> {
    let mut prepared = in_folder(pair)?;
    shell(
        r#"for image in OLD NEW; do
            eval "image=\$$image packed=\$${image}_PACKED"
            "$RESTOW" --quiet convert --compress gzip "$image" "docker-archive:$packed"
        done"#,
        &mut prepared,
        &["OLD_PACKED", "NEW_PACKED"],
    )?;
    Ok(prepared)
}

/// Makes the delta of a pair, and a part of a stack; checks that `apply` gives back the image.
fn prepare(pair: Pair) -> Result<Prepared<TempDir>> {
    let mut prepared = in_folder(pair)?;
    shell(
        r#"mkdir "$TOP" && echo old > "$TOP/old" && echo new > "$TOP/new"
        "$RESTOW" --quiet append "$OLD" "docker-archive:$OLD_STACK" "$TOP/old:/top/"
        "$RESTOW" --quiet append "$OLD_STACK" "docker-archive:$NEW_STACK" "$NEW_LAYER"
        "$RESTOW" --quiet convert --without "$OLD_STACK" "$NEW_STACK" "docker-archive:$PART"
        "$RESTOW" --quiet delta "$OLD" "$NEW" "oci-archive:$DELTA"
        "$RESTOW" --quiet apply "$OLD" "$DELTA" "docker-archive:$APPLIED"
        "$RESTOW" --quiet convert "$NEW" "docker-archive:$CONVERTED"
        cmp "$APPLIED" "$CONVERTED"
        rm "$APPLIED" "$CONVERTED""#,
        &mut prepared,
        &[
            "TOP",
            "OLD_STACK",
            "NEW_STACK",
            "PART",
            "DELTA",
            "APPLIED",
            "CONVERTED",
        ],
    )?;
    Ok(prepared)
}

/// Makes three generated pairs, and what the commands need of each.
fn generate(pair: impl Fn(u64) -> Pair) -> Result<Prepared<TempDir>> {
    let pairs = doubled(|factor| pair(factor).folder())?;
    let mut prepared = Prepared {
        variables: pairs.variables,
        kept: temporary()?,
    };
    shell(
        r#"mkdir "$MADE"
        for n in N TWICE_N FOUR_TIMES_N; do
            eval "folder=\$$n"
            made="$MADE/$n"
            "$RESTOW" --quiet delta "$folder/old.tar" "$folder/new.tar" "$made.delta"
            "$RESTOW" --quiet export "$folder/new.tar" "$made.layer"
            "$RESTOW" --quiet append "$folder/old.tar" "docker-archive:$made.tar" "$made.layer"
            rm "$made.layer"
            "$RESTOW" --quiet convert --without "$folder/old.tar" "$made.tar" "docker-archive:$made.part"
        done"#,
        &mut prepared,
        &["MADE"],
    )?;
    Ok(prepared)
}

/// The variables of a pair, and a folder for more files.
fn in_folder(pair: Pair) -> Result<Prepared<TempDir>> {
    let folder = pair.folder()?;
    let path = |name: &str| folder.join(name).into();
    Ok(Prepared {
        variables: vec![
            ("OLD", path("old.tar")),
            ("NEW", path("new.tar")),
            ("OLD_LAYER", path("old-layer.tar")),
            ("NEW_LAYER", path("new-layer.tar")),
        ],
        kept: temporary()?,
    })
}

fn variable<'a>(prepared: &'a Prepared<TempDir>, name: &str) -> &'a Path {
    let found = prepared.variables.iter().find(|(of, _)| *of == name);
    found.map_or(Path::new(""), |(_, path)| Path::new(path))
}
