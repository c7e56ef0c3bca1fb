//! Whole `convert` commands against their peers, as ratios in one run.
//!
//! `cargo bench --bench convert` makes a docker-archive of about 1.8 GB from the files of this
//! machine (once; it is kept below `target/tmp`), runs each of [`WORK`] on it in turn with its
//! peer, so that any other load on the machine affects both, and prints medians, ratios, goals,
//! sizes and the peak memory of restow. A peer that is not installed is named and left out.
//!
//! `--before BINARY` compares with another restow, such as one built before a change, in place of
//! all others. `--json` prints an object instead of the table.
//!
//! # One run
//!
//! Medians of five runs in seconds, on a virtual machine with two cores of an AMD EPYC processor that
//! has SHA instructions, with Debian 12; skopeo 1.22.0 of Debian sid, OpenSSL 3.0. Everything is in
//! the page cache, and the memory for the output is warm.
//!
//! | work | restow | peer | | ratio | processor: restow, peer | sizes |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | docker archive to layout | 0.67 | 0.80 | limit: `openssl dgst -sha256` and `cp` | 0.84 | 1.29, 1.60 | |
//! | the same | 0.67 | 1.60 | skopeo | 0.42 | 1.29, 2.27 | |
//! | the same from a pipe | 1.03 | 0.88 | `cat \| cat` | 1.17 | 1.79, 1.18 | |
//! | pipe to docker archive | 1.33 | 0.90 | `cat \| cat` | 1.48 | 2.17, 1.22 | |
//! | the first, gzip | 4.35 | 6.77 | skopeo | 0.64 | 8.59, 13.16 | 799 MB, 794 MB |
//! | the first, zstd | 2.49 | 4.60 | skopeo | 0.54 | 4.86, 8.50 | 692 MB, 693 MB |
//!
//! On an older machine without warm memory, gzip took 0.60 of the time of skopeo.
//!
//! gzip and zstd output of other inputs, as ratios of time and size, each in one run of a build that
//! stored a little less with gzip, and with zstd took a tenth longer for up to 1 % less: a Debian
//! with container tools, the JDK, the libraries of Python, and documentation with sources.
//!
//! | | Debian, 771 MB | JDK, 588 MB | Python, 699 MB | text, 139 MB |
//! | --- | --- | --- | --- | --- |
//! | gzip | 0.37, 1.010 | 0.62, 1.002 | 0.58, 1.030 | 0.48, 1.004 |
//! | zstd | 0.53, 0.994 | 0.58, 0.998 | 0.50, 1.025 | 0.56, 1.033 |
//!
//! # SHA-256
//!
//! One stream is hashed at 1650 MB/s by the `sha2` crate and by `openssl speed` alike. Streams that
//! are interleaved on one core would use the processor's unit better: a C program with intrinsics
//! hashes one at 1070 MB/s, two at 1595, three at 1990 and four at 2060 together, a quarter more
//! than the best single stream. No crate that does so for streams was found: `sha2` hashes one at a
//! time, and `tape-sha256` takes whole messages.

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
    pub(crate) mod real_image;
}

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use support::bench::{Arguments, Bench, NOTHING, Prepared, Result, exit_code};
use support::doubling::{LINEAR, doubled};
use support::measure::{Comparison, PLAIN, needs_program_of};
use support::real_image::{kept_image, make_image};

/// Compare whole `restow convert` commands with other tools
#[derive(Parser)]
struct Convert {
    #[command(flatten)]
    arguments: Arguments,
}

const TO_OCI: &str = r#""$RESTOW" convert "$IMAGE" "oci:$OUT""#;
const CP: &str = r#"cp "$IMAGE" "$OUT""#;
const CAT: &str = r#"cat "$IMAGE" | cat > "$OUT""#;

#[rustfmt::skip] // A table is read in rows.
const WORK: [Comparison; 4] = [
    Comparison { what: "to oci, kept", restow: TO_OCI, against: "limit: openssl sha256 + cp",
        peer: r#"openssl dgst -sha256 "$IMAGE" && cp "$IMAGE" "$OUT""#,
        goal: Some(1.05), is_least: true, ..PLAIN },
    Comparison { what: "pipe to oci, kept", against: "cat | cat", peer: CAT,
        restow: r#"cat "$IMAGE" | "$RESTOW" convert - "oci:$OUT""#,
        goal: Some(1.2), ..PLAIN },
    Comparison { what: "to docker-archive", against: "cp", peer: CP,
        restow: r#""$RESTOW" convert "$IMAGE" "docker-archive:$OUT""#, ..PLAIN },
    Comparison { what: "pipe to docker-archive", against: "cat | cat", peer: CAT,
        restow: r#"cat "$IMAGE" | "$RESTOW" convert - - > "$OUT""#,
        goal: Some(1.5), ..PLAIN },
];

/// `$SKOPEO` runs skopeo, for which files below `$TMPDIR` are where they are for others.
///
/// gzip output may be 1 % larger than skopeo's, as the sizes show, and zstd output no larger.
#[rustfmt::skip]
const AGAINST_SKOPEO: [Comparison; 3] = [
    Comparison { what: "to oci, kept", restow: TO_OCI, against: "skopeo, plain",
        peer: r#"$SKOPEO --insecure-policy copy --dest-oci-accept-uncompressed-layers \
            "docker-archive:$IMAGE" "oci:$OUT:t""#,
        goal: Some(0.45), ..PLAIN },
    Comparison { what: "to oci, gzip", against: "skopeo, gzip",
        restow: r#""$RESTOW" convert --compress gzip "$IMAGE" "oci:$OUT""#,
        peer: r#"$SKOPEO --insecure-policy copy "docker-archive:$IMAGE" "oci:$OUT:t""#,
        goal: Some(0.6), ..PLAIN },
    Comparison { what: "to oci, zstd", against: "skopeo, zstd",
        restow: r#""$RESTOW" convert --compress zstd "$IMAGE" "oci:$OUT""#,
        peer: r#"$SKOPEO --insecure-policy copy --dest-compress-format zstd \
            "docker-archive:$IMAGE" "oci:$OUT:t""#,
        goal: Some(0.6), no_larger: true, ..PLAIN },
];

/// Runs a program in the root with the peers of today, which `.ci/engines` makes.
const INSIDE: &str = "/opt/restow-sid/inside";

/// The skopeo of today if there is one, or else that of this machine.
fn skopeo() -> &'static [&'static str] {
    if Path::new(INSIDE).is_file() {
        &[INSIDE, "skopeo"]
    } else {
        &["skopeo"]
    }
}

/// The variables for [`AGAINST_SKOPEO`].
fn with_skopeo(image: &Path) -> Result<Prepared<()>> {
    needs_program_of(skopeo()[0])?;
    let folder = image.parent().ok_or("the image has no directory")?;
    Ok(Prepared {
        variables: vec![
            ("SKOPEO", skopeo().join(" ").into()),
            ("TMPDIR", folder.into()),
        ],
        kept: (),
    })
}

const KEPT_N: &str = r#""$RESTOW" convert "$N" "oci:$OUT""#;
const KEPT_2N: &str = r#""$RESTOW" convert "$TWICE_N" "oci:$OUT""#;
const KEPT_4N: &str = r#""$RESTOW" convert "$FOUR_TIMES_N" "oci:$OUT""#;
const GZIP_N: &str = r#""$RESTOW" convert --compress gzip "$N" "oci:$OUT""#;
const GZIP_2N: &str = r#""$RESTOW" convert --compress gzip "$TWICE_N" "oci:$OUT""#;
const GZIP_4N: &str = r#""$RESTOW" convert --compress gzip "$FOUR_TIMES_N" "oci:$OUT""#;
const ZSTD_N: &str = r#""$RESTOW" convert --compress zstd "$N" "oci:$OUT""#;
const ZSTD_2N: &str = r#""$RESTOW" convert --compress zstd "$TWICE_N" "oci:$OUT""#;
const ZSTD_4N: &str = r#""$RESTOW" convert --compress zstd "$FOUR_TIMES_N" "oci:$OUT""#;

/// Each ratio is the factor for a doubling. N bytes are a quarter of the image.
#[rustfmt::skip]
const DOUBLING: [Comparison; 6] = [
    Comparison { what: "2 N bytes, kept", restow: KEPT_2N, against: "N bytes", peer: KEPT_N,
        goal: Some(LINEAR), ..PLAIN },
    Comparison { what: "4 N bytes, kept", restow: KEPT_4N, against: "2 N bytes", peer: KEPT_2N,
        goal: Some(LINEAR), ..PLAIN },
    Comparison { what: "2 N bytes, gzip", restow: GZIP_2N, against: "N bytes", peer: GZIP_N,
        goal: Some(LINEAR), ..PLAIN },
    Comparison { what: "4 N bytes, gzip", restow: GZIP_4N, against: "2 N bytes", peer: GZIP_2N,
        goal: Some(LINEAR), ..PLAIN },
    Comparison { what: "2 N bytes, zstd", restow: ZSTD_2N, against: "N bytes", peer: ZSTD_N,
        goal: Some(LINEAR), ..PLAIN },
    Comparison { what: "4 N bytes, zstd", restow: ZSTD_4N, against: "2 N bytes", peer: ZSTD_2N,
        goal: Some(LINEAR), ..PLAIN },
];

fn main() -> ExitCode {
    exit_code(run(&Convert::parse().arguments))
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
    bench.run(&AGAINST_SKOPEO, with_skopeo);
    bench.run(&DOUBLING, |_| {
        doubled(|factor| kept_image(factor * (arguments.size / 4)))
    });
    bench.report(
        &[],
        &[
            &[skopeo(), &["--version"]].concat(),
            &["openssl", "version"],
        ],
        "",
    )
}
