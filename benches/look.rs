//! Time and memory of `images`, `inspect` and `history` on an image of 1.8 GB.
//!
//! `cargo bench --bench look` makes the image of `--bench convert` (once; it is kept below
//! `target/tmp`) and runs each command in turn with one that only starts and ends, which is the
//! minimum for any command.
//!
//! `--before BINARY` compares with another restow, such as one built before a change, in place of
//! all others. `--json` prints an object instead of the table.
//!
//! # One run
//!
//! Medians in seconds, on a virtual machine with two cores of an x86-64 processor that has SHA
//! instructions, with Debian 12. Everything is in the page cache. The goals are 50 ms and 16 MiB.
//!
//! | work | restow | peer | | ratio | peak of memory |
//! | --- | --- | --- | --- | --- | --- |
//! | `verify` | 0.88 | 1.51 | `openssl dgst -sha256` | 0.58 | 40 MiB |
//! | `images`, `inspect`, `history`, each | 0.06 | | | | 5 MiB |
//! | the same of gzip layers (1.4 GB in 6 layers) | 0.01 | | | | 6 MiB |

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its table"
)]

/// Code that the benchmarks share.
mod support {
    pub(crate) mod bench;
    pub(crate) mod docker_archive;
    pub(crate) mod layer;
    pub(crate) mod measure;
    pub(crate) mod real_image;
}

use std::path::Path;
use std::process::{Command, ExitCode};

use clap::Parser;
use tempfile::TempDir;

use support::bench::{Arguments, Bench, NOTHING, Prepared, Result, exit_code};
use support::measure::{Comparison, Limit, PLAIN};
use support::real_image::{kept_image, make_image};

/// Time the commands of restow that only look
#[derive(Parser)]
struct Look {
    #[command(flatten)]
    arguments: Arguments,
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

fn main() -> ExitCode {
    exit_code(run(&Look::parse().arguments))
}

fn run(arguments: &Arguments) -> Result<()> {
    if let Some(path) = &arguments.make {
        return make_image(path, arguments.size);
    }
    let image = match &arguments.image {
        Some(path) => path.canonicalize()?,
        None => kept_image(arguments.size)?,
    };
    let mut bench = Bench::new(arguments, image);
    bench.run(&WORK, |_| Ok(NOTHING));
    bench.run(&PACKED, compress);
    bench.report(&[], "")
}
