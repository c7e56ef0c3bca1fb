//! Whole `convert` commands against their peers, as ratios in one run.
//!
//! `cargo bench --bench convert` makes a docker-archive of about 1.8 GB from the files of this
//! machine (once; it is kept below `target/tmp`), runs each of [`WORK`] on it in turn with its
//! peer, so that any other load on the machine affects both, and prints medians, ratios, goals,
//! sizes and the peak memory of restow. A peer that is not installed is named and left out.

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

use std::process::ExitCode;

use clap::Parser;

use support::bench::{Arguments, Bench, NOTHING, Result, exit_code};
use support::doubling::{LINEAR, doubled};
use support::measure::{Comparison, PLAIN};
use support::real_image::{kept_image, make_image};

/// Compare whole `restow convert` commands with other tools
#[derive(Parser)]
struct Convert {
    #[command(flatten)]
    arguments: Arguments,
}

const TO_OCI: &str = r#""$RESTOW" convert "$IMAGE" "oci:$OUT""#;
const CP: &str = r#"cp "$IMAGE" "$OUT""#;
const CAT: &str = r#"cat "$IMAGE" > "$OUT""#;

#[rustfmt::skip] // A table is read in rows.
const WORK: [Comparison; 8] = [
    Comparison { what: "to oci, kept", restow: TO_OCI, against: "cp", peer: CP,
        goal: Some(1.0), ..PLAIN },
    Comparison { what: "to oci, kept", restow: TO_OCI, against: "openssl sha256 + cp",
        peer: r#"openssl dgst -sha256 "$IMAGE" && cp "$IMAGE" "$OUT""#, ..PLAIN },
    Comparison { what: "to oci, kept", restow: TO_OCI, against: "skopeo, plain",
        peer: r#"skopeo --insecure-policy copy --dest-oci-accept-uncompressed-layers \
            "docker-archive:$IMAGE" "oci:$OUT:t""#,
        goal: Some(0.75), ..PLAIN },
    Comparison { what: "pipe to oci, kept", against: "cat", peer: CAT,
        restow: r#"cat "$IMAGE" | "$RESTOW" convert - "oci:$OUT""#,
        goal: Some(1.3), ..PLAIN },
    Comparison { what: "to oci, gzip", against: "skopeo, gzip",
        restow: r#""$RESTOW" convert --compress gzip "$IMAGE" "oci:$OUT""#,
        peer: r#"skopeo --insecure-policy copy "docker-archive:$IMAGE" "oci:$OUT:t""#,
        goal: Some(0.6), no_larger: true, ..PLAIN },
    Comparison { what: "to oci, zstd", against: "skopeo, zstd",
        restow: r#""$RESTOW" convert --compress zstd "$IMAGE" "oci:$OUT""#,
        peer: r#"skopeo --insecure-policy copy --dest-compress-format zstd \
            "docker-archive:$IMAGE" "oci:$OUT:t""#,
        goal: Some(0.6), no_larger: true, ..PLAIN },
    Comparison { what: "to docker-archive", against: "cp", peer: CP,
        restow: r#""$RESTOW" convert "$IMAGE" "docker-archive:$OUT""#, ..PLAIN },
    Comparison { what: "pipe to docker-archive", against: "cat", peer: CAT,
        restow: r#"cat "$IMAGE" | "$RESTOW" convert - - > "$OUT""#, ..PLAIN },
];

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
    bench.run(&DOUBLING, |_| {
        doubled(|factor| kept_image(factor * (arguments.size / 4)))
    });
    bench.report(&[&["skopeo", "--version"], &["openssl", "version"]], "")
}
