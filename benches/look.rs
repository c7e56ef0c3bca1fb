//! Time and memory of the commands that look at an image, of 1.8 GB.
//!
//! `cargo bench --bench look` makes the image of `--bench convert`, and others of generated entries
//! (once; they are kept below `target/tmp`), and runs each command in turn with one that only starts
//! and ends, which is the minimum for any command.
//!
//! `--before BINARY` compares with another restow, such as one built before a change, in place of
//! all others. `--json` prints an object instead of the table.
//!
//! # One run
//!
//! Medians in seconds, on a virtual machine with two cores of an x86-64 processor that has SHA
//! instructions, with Debian 12. Everything is in the page cache. The goals are 50 ms and 16 MiB; for
//! `files` half of the time of its peer, and for `cat` 100 ms.
//!
//! `images`, `files`, `cat` and `waste` were measured later, in five runs on a faster machine (AMD
//! EPYC), and `diff` there in three, where `export` has a peak of 40 MiB.
//!
//! | work | restow | peer | | ratio | peak of memory |
//! | --- | --- | --- | --- | --- | --- |
//! | `verify` | 0.88 | 1.51 | `openssl dgst -sha256` | 0.58 | 40 MiB |
//! | `images` | 0.03 | | | | 7 MiB |
//! | `inspect`, `history`, each | 0.06 | | | | 5 MiB |
//! | the same of gzip layers (1.4 GB in 6 layers) | 0.01 | | | | 6 MiB |
//! | `files` (120,598 entries) | 0.08 | 0.16 | `tar -t` of the layers | 0.48 | 35 MiB |
//! | `cat` of one file | 0.06 | | | | 35 MiB |
//! | `waste`, with 10 plans of squashes | 1.05 | 0.16 | `tar -t` of the layers | 6.6 | 46 MiB |
//! | `diff` of the image and its squash | 1.22 | | | | 49 MiB |
//!
//! The cost over the size of an image, on a similar machine: of 50,000, 100,000 and 200,000 entries,
//! and of 450, 900 and 1,800 MB of which the commands read the files. Medians in seconds, of five
//! runs and of three; the peak of memory is that of the largest image.
//!
//! | work | N | 2 N | 4 N | factors | peak of memory |
//! | --- | --- | --- | --- | --- | --- |
//! | `files`, entries | 0.033 | 0.064 | 0.129 | 1.9, 2.0 | 43 MiB |
//! | `cat`, entries | 0.026 | 0.053 | 0.108 | 2.0, 2.0 | 42 MiB |
//! | `waste`, entries | 0.70 | 1.44 | 2.95 | 2.1, 2.0 | 61 MiB |
//! | `diff`, entries | 0.18 | 0.37 | 0.74 | 2.0, 2.0 | 76 MiB |
//! | `waste`, bytes | 0.54 | 1.08 | 2.11 | 2.0, 2.0 | 53 MiB |
//! | `diff`, bytes | 0.44 | 0.90 | 1.79 | 2.1, 2.0 | 58 MiB |

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
    pub(crate) mod many_entries;
    pub(crate) mod measure;
    pub(crate) mod real_image;
}

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Parser, value_parser};
use serde_json::Value;
use tempfile::TempDir;

use support::bench::{Arguments, Bench, NOTHING, Prepared, Result, exit_code};
use support::doubling::{LINEAR, doubled};
use support::many_entries::{kept_entries, make_entries};
use support::measure::{Comparison, Limit, PLAIN};
use support::real_image::{kept_image, make_image};

/// Time the commands of restow that only look
#[derive(Parser)]
struct Look {
    #[command(flatten)]
    arguments: Arguments,
    /// Entries of the smallest of the three images that show the cost of entries
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = value_parser!(u64).range(1000..))]
    entries: u64,
    /// The entries of the image to make
    #[arg(long, hide = true, requires = "make")]
    make_entries: Option<u64>,
    /// The mean size of its files
    #[arg(long, hide = true, default_value_t = 0)]
    make_mean: u64,
}

/// The minimum for any command.
const START: &str = r#""$RESTOW" --version"#;

/// The limit of a command for an image of any size.
const LIMIT: Option<Limit> = Some(Limit {
    milliseconds: 50,
    mebibytes: 16,
});

#[rustfmt::skip] // A table is read in rows.
const WORK: [Comparison; 4] = [
    Comparison { what: "images", restow: r#""$RESTOW" images "$IMAGE""#,
        against: "--version", peer: START, limit: LIMIT, ..PLAIN },
    Comparison { what: "inspect", restow: r#""$RESTOW" inspect "$IMAGE""#,
        against: "--version", peer: START, limit: LIMIT, ..PLAIN },
    Comparison { what: "history", restow: r#""$RESTOW" history "$IMAGE""#,
        against: "--version", peer: START, limit: LIMIT, ..PLAIN },
    // This one reads all of the image, and parses what it has hashed.
    Comparison { what: "verify", restow: r#""$RESTOW" verify "$IMAGE""#,
        against: "openssl sha256", peer: r#"openssl dgst -sha256 "$IMAGE""#, ..PLAIN },
];

/// The time and memory for one file of an image of any size.
const CAT_LIMIT: Option<Limit> = Some(Limit {
    milliseconds: 100,
    mebibytes: 128,
});

/// `$UNPACKED` has the layers of `$IMAGE` as files, `$SQUASHED` is the image with one layer, and
/// `$FILE` one of its files.
#[rustfmt::skip]
const INSIDE: [Comparison; 5] = [
    Comparison { what: "files", restow: r#""$RESTOW" files "$IMAGE" > /dev/null"#,
        against: "tar -t, layers",
        peer: r#"for layer in "$UNPACKED"/*/layer.tar; do tar -tf "$layer"; done > /dev/null"#,
        goal: Some(0.5), ..PLAIN },
    Comparison { what: "cat", restow: r#""$RESTOW" cat "$IMAGE" "$FILE" > /dev/null"#,
        against: "--version", peer: START, limit: CAT_LIMIT, ..PLAIN },
    Comparison { what: "waste", restow: r#""$RESTOW" waste "$IMAGE" > /dev/null"#,
        against: "tar -t, layers",
        peer: r#"for layer in "$UNPACKED"/*/layer.tar; do tar -tf "$layer"; done > /dev/null"#, ..PLAIN },
    Comparison { what: "diff of image and squash", restow: r#""$RESTOW" diff "$IMAGE" "$SQUASHED""#,
        against: "openssl sha256 of both",
        peer: r#"openssl dgst -sha256 "$IMAGE" "$SQUASHED" > /dev/null"#, ..PLAIN },
    Comparison { what: "extract", restow: r#""$RESTOW" extract "$IMAGE" "$OUT""#,
        against: "export | tar -xp",
        peer: r#"mkdir "$OUT" && "$RESTOW" export "$IMAGE" | tar -xp -C "$OUT""#, ..PLAIN },
];

/// Of an archive like those of Docker's containerd store, in which all layers are compressed.
#[rustfmt::skip]
const PACKED: [Comparison; 3] = [
    Comparison { what: "images, gzip layers", restow: r#""$RESTOW" images "$PACKED""#,
        against: "--version", peer: START, limit: LIMIT, ..PLAIN },
    Comparison { what: "inspect, gzip layers", restow: r#""$RESTOW" inspect "$PACKED""#,
        against: "--version", peer: START, limit: LIMIT, ..PLAIN },
    Comparison { what: "history, gzip layers", restow: r#""$RESTOW" history "$PACKED""#,
        against: "--version", peer: START, limit: LIMIT, ..PLAIN },
];

const FILES_N: &str = r#""$RESTOW" files "$N""#;
const FILES_2N: &str = r#""$RESTOW" files "$TWICE_N""#;
const FILES_4N: &str = r#""$RESTOW" files "$FOUR_TIMES_N""#;
const CAT_N: &str = r#""$RESTOW" cat "$N" /srv/0/0/10"#;
const CAT_2N: &str = r#""$RESTOW" cat "$TWICE_N" /srv/0/0/10"#;
const CAT_4N: &str = r#""$RESTOW" cat "$FOUR_TIMES_N" /srv/0/0/10"#;
const WASTE_N: &str = r#""$RESTOW" waste "$N""#;
const WASTE_2N: &str = r#""$RESTOW" waste "$TWICE_N""#;
const WASTE_4N: &str = r#""$RESTOW" waste "$FOUR_TIMES_N""#;
const DIFF_N: &str = r#""$RESTOW" diff "$N" "$SQUASHED/1""#;
const DIFF_2N: &str = r#""$RESTOW" diff "$TWICE_N" "$SQUASHED/2""#;
const DIFF_4N: &str = r#""$RESTOW" diff "$FOUR_TIMES_N" "$SQUASHED/4""#;

/// Each ratio is the factor for a doubling. `$SQUASHED` is a folder with the images with one layer.
#[rustfmt::skip]
const ENTRIES: [Comparison; 8] = [
    Comparison { what: "files of 2 N entries", restow: FILES_2N, against: "N entries", peer: FILES_N,
        goal: Some(LINEAR), ..PLAIN },
    Comparison { what: "files of 4 N entries", restow: FILES_4N, against: "2 N entries", peer: FILES_2N,
        goal: Some(LINEAR), ..PLAIN },
    Comparison { what: "cat of 2 N entries", restow: CAT_2N, against: "N entries", peer: CAT_N,
        goal: Some(LINEAR), ..PLAIN },
    Comparison { what: "cat of 4 N entries", restow: CAT_4N, against: "2 N entries", peer: CAT_2N,
        goal: Some(LINEAR), ..PLAIN },
    Comparison { what: "waste of 2 N entries", restow: WASTE_2N, against: "N entries", peer: WASTE_N,
        goal: Some(LINEAR), ..PLAIN },
    Comparison { what: "waste of 4 N entries", restow: WASTE_4N, against: "2 N entries", peer: WASTE_2N,
        goal: Some(LINEAR), ..PLAIN },
    Comparison { what: "diff of 2 N entries", restow: DIFF_2N, against: "N entries", peer: DIFF_N,
        goal: Some(LINEAR), ..PLAIN },
    Comparison { what: "diff of 4 N entries", restow: DIFF_4N, against: "2 N entries", peer: DIFF_2N,
        goal: Some(LINEAR), ..PLAIN },
];

/// The same over bytes, of the commands that read the content of files: N bytes are a quarter of
/// the image.
#[rustfmt::skip]
const BYTES: [Comparison; 4] = [
    Comparison { what: "waste of 2 N bytes", restow: WASTE_2N, against: "N bytes", peer: WASTE_N,
        goal: Some(LINEAR), ..PLAIN },
    Comparison { what: "waste of 4 N bytes", restow: WASTE_4N, against: "2 N bytes", peer: WASTE_2N,
        goal: Some(LINEAR), ..PLAIN },
    Comparison { what: "diff of 2 N bytes", restow: DIFF_2N, against: "N bytes", peer: DIFF_N,
        goal: Some(LINEAR), ..PLAIN },
    Comparison { what: "diff of 4 N bytes", restow: DIFF_4N, against: "2 N bytes", peer: DIFF_2N,
        goal: Some(LINEAR), ..PLAIN },
];

/// The mean size of files for doubled entries: small, so that the entries dominate the cost.
const DOUBLING_MEAN: u64 = 1_000;

/// The images for each doubling, and their squashes.
fn double(beside: &Path, image: impl Fn(u64) -> Result<PathBuf>) -> Result<Prepared<TempDir>> {
    let mut variables = doubled(&image)?.variables;
    let folder = beside.parent().ok_or("the image has no directory")?;
    let folder = tempfile::tempdir_in(folder)?;
    for factor in [1, 2, 4] {
        squash(&image(factor)?, &folder.path().join(factor.to_string()))?;
    }
    variables.push(("SQUASHED", folder.path().into()));
    Ok(Prepared {
        variables,
        kept: folder,
    })
}

/// Merges all layers of an image.
fn squash(image: &Path, squashed: &Path) -> Result<()> {
    let squash = ["squash", "--all", "--quiet", "--to", "docker-archive"].map(OsStr::new);
    restow(&[&squash[..], &[image.as_os_str(), squashed.as_os_str()]].concat())?;
    Ok(())
}

/// Makes an archive of the image with gzip layers.
fn compress(image: &Path) -> Result<Prepared<TempDir>> {
    let folder = image.parent().ok_or("the image has no directory")?;
    let folder = tempfile::tempdir_in(folder)?;
    let packed = folder.path().join("packed.tar");
    let mut convert = Command::new(env!("CARGO_BIN_EXE_restow"));
    convert.args(["--quiet", "convert", "--compress", "gzip:1"]);
    if !convert.arg(image).arg(&packed).status()?.success() {
        return Err("the archive with gzip layers was not made".into());
    }
    Ok(Prepared {
        variables: vec![("PACKED", packed.into())],
        kept: folder,
    })
}

/// Runs restow, whose output is returned.
fn restow(arguments: &[&OsStr]) -> Result<Vec<u8>> {
    let output = Command::new(env!("CARGO_BIN_EXE_restow"))
        .args(arguments)
        .output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!("restow {arguments:?} failed").into())
}

/// Unpacks the layers of the image, squashes it, and chooses a file.
fn look_inside(image: &Path) -> Result<Prepared<TempDir>> {
    let folder = image.parent().ok_or("the image has no directory")?;
    let folder = tempfile::tempdir_in(folder)?;
    let unpacked = Command::new("tar")
        .args(["--wildcards", "-xf"])
        .args([image.as_os_str(), "-C".as_ref(), folder.path().as_os_str()])
        .arg("*/layer.tar")
        .status()?;
    if !unpacked.success() {
        return Err("the layers were not unpacked".into());
    }
    let squashed = folder.path().join("squashed.tar");
    squash(image, &squashed)?;
    let files = restow(&["files".as_ref(), "--json".as_ref(), image.as_os_str()])?;
    let mut files = files.split(|byte| *byte == b'\n');
    let file = files.find_map(|line| {
        let entry: Value = serde_json::from_slice(line).ok()?;
        let path = entry["path"].as_str().filter(|_| entry["type"] == "file")?;
        Some(OsString::from(path))
    });
    Ok(Prepared {
        variables: vec![
            ("UNPACKED", folder.path().into()),
            ("SQUASHED", squashed.into()),
            ("FILE", file.ok_or("the image has no file")?),
        ],
        kept: folder,
    })
}

fn main() -> ExitCode {
    exit_code(run(&Look::parse()))
}

fn run(look: &Look) -> Result<()> {
    let arguments = &look.arguments;
    if let Some(path) = &arguments.make {
        return match look.make_entries {
            Some(entries) => make_entries(path, entries, look.make_mean),
            None => make_image(path, arguments.size),
        };
    }
    let image = match &arguments.image {
        Some(path) => path.canonicalize()?,
        None => kept_image(arguments.size)?,
    };
    let mut bench = Bench::new(arguments, image);
    bench.run(&WORK, |_| Ok(NOTHING));
    bench.run(&PACKED, compress);
    bench.run(&INSIDE, look_inside);
    bench.run(&ENTRIES, |beside| {
        double(beside, |factor| {
            kept_entries(factor * look.entries, DOUBLING_MEAN)
        })
    });
    bench.run(&BYTES, |beside| {
        double(beside, |factor| kept_image(factor * (arguments.size / 4)))
    });
    bench.report(&[], &[], &format!(", N is {}", look.entries))
}
