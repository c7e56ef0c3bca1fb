//! Whole `export` and `squash` commands against their peers, as ratios in one run.
//!
//! `cargo bench --bench merge` makes the image of `--bench convert`, and others of generated
//! entries (once; they are kept below `target/tmp`), runs each row of the tables below in turn with
//! its peer, so that any other load on the machine affects both, and prints medians, ratios, goals,
//! sizes and the peak memory of restow. Rows that cannot be run here are named and left out.
//!
//! `tar` represents the minimum work of a reader of layers. It extracts all layers from the archive
//! in one pass and writes them one after the other, unverified and unmerged; if nothing is to be
//! written, a second `tar` parses the headers of all of them from a pipe, since in a file it would
//! seek over the data.
//!
//! A `limit` is the time of the processor that the same bytes need for hashing and copying, in the
//! same run, divided by the number of cores.
//!
//! `--before BINARY` compares with another restow, such as one built before a change, in place of
//! all others. `--json` prints an object instead of the table.
//!
//! # One run
//!
//! Medians in seconds, on a virtual machine with two cores of an x86-64 processor that has SHA
//! instructions, with Debian 12; GNU tar 1.34, gzip 1.12, Docker 20.10.24, docker-squash 1.2.2.
//! Everything is in the page cache.
//!
//! | work | restow | peer | | ratio | peak of memory |
//! | --- | --- | --- | --- | --- | --- |
//! | `export` of gzip layers | 6.31 | 11.61 | `gzip -dc` of the layers | 0.54 | 54 MiB |
//! | `export` | 1.66 | 17.65 | `docker create` and `docker export` | 0.09 | 46 MiB |
//! | `squash --all` | 2.21 | 0.54 | `cp` | 4.07 | 46 MiB |
//! | `squash --all` of 62,000 entries, 341 MB | 0.54 | 63.72 | docker-squash | 0.01 | 25 MiB |
//!
//! Later, on a virtual machine with two cores of an AMD EPYC processor, with warm memory; medians of
//! five runs, of one run for gzip layers. The last column is the time of both cores together.
//!
//! | work | restow | peer | | ratio | peak of memory | cores |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | `export` of gzip layers | 2.25 | 7.61 | `gzip -dc` of the layers | 0.30 | 42 MiB | 4.09 |
//! | `export` | 0.77 | 0.72 | limit: `openssl dgst -sha256` and `cp` | 1.08 | 39 MiB | 1.48 |
//! | `squash --all` | 1.33 | 1.23 | limit: the same, hashed twice | 1.08 | 41 MiB | 2.38 |

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
    pub(crate) mod engine;
    pub(crate) mod layer;
    pub(crate) mod many_entries;
    pub(crate) mod measure;
    pub(crate) mod real_image;
}

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use clap::{Parser, value_parser};
use serde_json::Value;
use tempfile::TempDir;

use support::bench::{Arguments, Bench, NOTHING, Prepared, Result, exit_code};
use support::doubling::{LINEAR, doubled};
use support::engine::{Loaded, docker_squash};
use support::many_entries::{kept_entries, make_entries};
use support::measure::{Comparison, PLAIN};
use support::real_image::{kept_image, make_image};

/// Compare whole `restow export` and `restow squash` commands with other tools
#[derive(Parser)]
struct Merge {
    #[command(flatten)]
    arguments: Arguments,
    /// Entries of the smallest of the three images that show the cost of entries
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = value_parser!(u64).range(1000..))]
    entries: u64,
    /// Entries of the image for docker-squash, which needs minutes
    #[arg(long, value_name = "N", default_value_t = 62_000, value_parser = value_parser!(u64).range(1000..))]
    squash_entries: u64,
    /// Install docker-squash with pip below `target/tmp` if it is not on PATH
    #[arg(long)]
    docker_squash: bool,
    /// The entries of the image to make
    #[arg(long, hide = true, requires = "make")]
    make_entries: Option<u64>,
    /// The mean size of its files
    #[arg(long, hide = true, default_value_t = 0)]
    make_mean: u64,
}

const EXPORT: &str = r#""$RESTOW" export "$IMAGE" "$OUT""#;
const EXPORT_NULL: &str = r#""$RESTOW" export "$IMAGE" > /dev/null"#;

/// `$LAYERS` lists the layers of `$IMAGE`, by their names in it.
#[rustfmt::skip] // A table is read in rows.
const AGAINST_READERS: [Comparison; 4] = [
    Comparison { what: "export", restow: EXPORT, against: "undocker, unverified",
        peer: r#"undocker "$IMAGE" "$OUT""#,
        goal: Some(1.0), ..PLAIN },
    Comparison { what: "export to null", restow: EXPORT_NULL, against: "undocker, unverified",
        peer: r#"undocker "$IMAGE" - > /dev/null"#,
        goal: Some(1.25), ..PLAIN },
    Comparison { what: "export", restow: EXPORT, against: "tar -xO, layers",
        peer: r#"tar -xOf "$IMAGE" -T "$LAYERS" > "$OUT""#, ..PLAIN },
    Comparison { what: "export to null", restow: EXPORT_NULL, against: "tar -xO | tar -t, layers",
        peer: r#"tar -xOf "$IMAGE" -T "$LAYERS" | tar -tif - > /dev/null"#, ..PLAIN },
];

/// `$LOADED` is `$IMAGE` in the engine.
#[rustfmt::skip]
const AGAINST_ENGINE: [Comparison; 2] = [
    Comparison { what: "export", restow: EXPORT, against: "docker create + export",
        peer: r#"docker export "$(docker create "$LOADED")" > "$OUT""#, ..PLAIN },
    Comparison { what: "export to null", restow: EXPORT_NULL, against: "docker create + export",
        peer: r#"docker export "$(docker create "$LOADED")" > /dev/null"#, ..PLAIN },
];

/// `$LAYOUT` is `$IMAGE` with gzip layers, and `$LAYERS` lists their paths.
#[rustfmt::skip]
const FROM_GZIP: [Comparison; 2] = [
    Comparison { what: "export of gzip", against: "gzip -dc, layers",
        restow: r#""$RESTOW" export "$LAYOUT" "$OUT""#,
        peer: r#"xargs -d '\n' -a "$LAYERS" gzip -dc > "$OUT""#,
        goal: Some(0.35), ..PLAIN },
    Comparison { what: "export of gzip to null", against: "gzip -dc, layers",
        restow: r#""$RESTOW" export "$LAYOUT" > /dev/null"#,
        peer: r#"xargs -d '\n' -a "$LAYERS" gzip -dc > /dev/null"#,
        goal: Some(0.6), ..PLAIN },
];

const CP: &str = r#"cp "$IMAGE" "$OUT""#;

/// The peers do what cannot be avoided: all bytes are hashed, written, and for a new layer
/// hashed again.
#[rustfmt::skip]
const AGAINST_LIMIT: [Comparison; 2] = [
    Comparison { what: "export", restow: EXPORT, against: "limit: sha256 + cp",
        peer: r#"openssl dgst -sha256 "$IMAGE" && cp "$IMAGE" "$OUT""#,
        goal: Some(1.15), is_least: true, ..PLAIN },
    Comparison { what: "squash --all", against: "limit: 2 sha256 + cp",
        restow: r#""$RESTOW" squash --all "$IMAGE" "docker-archive:$OUT""#,
        peer: r#"openssl dgst -sha256 "$IMAGE" && cp "$IMAGE" "$OUT" && openssl dgst -sha256 "$OUT""#,
        goal: Some(1.1), is_least: true, ..PLAIN },
];

#[rustfmt::skip]
const SQUASH: [Comparison; 2] = [
    Comparison { what: "squash --all", against: "cp", peer: CP,
        restow: r#""$RESTOW" squash --all "$IMAGE" "docker-archive:$OUT""#,
        goal: Some(2.0), ..PLAIN },
    Comparison { what: "squash --last 4", against: "cp", peer: CP,
        restow: r#""$RESTOW" squash --last 4 "$IMAGE" "docker-archive:$OUT""#, ..PLAIN },
];

/// What the peer does is the least that a pipe costs: it hashes nothing, and moves nothing to
/// another place in the file.
#[rustfmt::skip]
const FROM_PIPE: [Comparison; 3] = [
    Comparison { what: "pipe to docker archive", against: "cat | cat", peer: CAT,
        restow: r#"cat "$IMAGE" | "$RESTOW" convert - "docker-archive:$OUT""#,
        goal: Some(1.5), ..PLAIN },
    Comparison { what: "pipe to OCI archive", against: "cat | cat", peer: CAT,
        restow: r#"cat "$IMAGE" | "$RESTOW" convert - "oci-archive:$OUT""#,
        goal: Some(1.5), ..PLAIN },
    Comparison { what: "pipe, squash --all", against: "cat | cat", peer: CAT,
        restow: r#"cat "$IMAGE" | "$RESTOW" squash --all - "docker-archive:$OUT""#, ..PLAIN },
];

const CAT: &str = r#"cat "$IMAGE" | cat > "$OUT""#;

const SQUASH_ENTRIES: &str = r#""$RESTOW" squash --all "$ENTRIES" "docker-archive:$OUT""#;

/// `$ENTRIES` is an image of many entries, and `$LOADED` the same in the engine, from which
/// docker-squash must first save it.
#[rustfmt::skip]
const AGAINST_DOCKER_SQUASH: [Comparison; 2] = [
    Comparison { what: "squash --all, entries", restow: SQUASH_ENTRIES, against: "docker save",
        peer: r#"docker save "$LOADED" > "$OUT""#, ..PLAIN },
    Comparison { what: "squash --all, entries", restow: SQUASH_ENTRIES, against: "docker-squash",
        peer: r#""$DOCKER_SQUASH" --load-image false --tmp-dir "$OUT.tmp" --output-path "$OUT" "$LOADED""#,
        goal: Some(0.02), once: true, ..PLAIN },
];

const SQUASH_N: &str = r#""$RESTOW" squash --all "$N" "docker-archive:$OUT""#;
const SQUASH_2N: &str = r#""$RESTOW" squash --all "$TWICE_N" "docker-archive:$OUT""#;
const SQUASH_4N: &str = r#""$RESTOW" squash --all "$FOUR_TIMES_N" "docker-archive:$OUT""#;

const EXPORT_N: &str = r#""$RESTOW" export "$N" "$OUT""#;
const EXPORT_2N: &str = r#""$RESTOW" export "$TWICE_N" "$OUT""#;
const EXPORT_4N: &str = r#""$RESTOW" export "$FOUR_TIMES_N" "$OUT""#;

/// The ratios of all rows but the first are the factors for a doubling.
#[rustfmt::skip]
const DOUBLING: [Comparison; 5] = [
    Comparison { what: "squash --all, N entries", restow: SQUASH_N, against: "cp",
        peer: r#"cp "$N" "$OUT""#, ..PLAIN },
    Comparison { what: "squash --all, 2 N entries", restow: SQUASH_2N, against: "N entries",
        peer: SQUASH_N, goal: Some(LINEAR), ..PLAIN },
    Comparison { what: "squash --all, 4 N entries", restow: SQUASH_4N, against: "2 N entries",
        peer: SQUASH_2N, goal: Some(LINEAR), ..PLAIN },
    Comparison { what: "export, 2 N entries", restow: EXPORT_2N, against: "N entries",
        peer: EXPORT_N, goal: Some(LINEAR), ..PLAIN },
    Comparison { what: "export, 4 N entries", restow: EXPORT_4N, against: "2 N entries",
        peer: EXPORT_2N, goal: Some(LINEAR), ..PLAIN },
];

/// The mean size of files for docker-squash: 62,000 entries are 350 MB.
const SQUASH_MEAN: u64 = 5_200;

/// The mean size of files for doubled entries: small, so that the entries dominate the cost.
const DOUBLING_MEAN: u64 = 1_000;

fn main() -> ExitCode {
    exit_code(run(&Merge::parse()))
}

fn run(merge: &Merge) -> Result<()> {
    let arguments = &merge.arguments;
    if let Some(path) = &arguments.make {
        return match merge.make_entries {
            Some(entries) => make_entries(path, entries, merge.make_mean),
            None => make_image(path, arguments.size),
        };
    }
    let image = match &arguments.image {
        Some(path) => path.canonicalize()?,
        None => kept_image(arguments.size)?,
    };
    let mut bench = Bench::new(arguments, image);
    bench.run(&AGAINST_READERS, list_layers);
    bench.run(&AGAINST_ENGINE, load);
    bench.run(&FROM_GZIP, compress);
    bench.run(&AGAINST_LIMIT, |_| Ok(NOTHING));
    bench.run(&SQUASH, |_| Ok(NOTHING));
    bench.run(&FROM_PIPE, |_| Ok(NOTHING));
    bench.run(&AGAINST_DOCKER_SQUASH, |_| load_entries(merge));
    bench.run(&DOUBLING, |_| {
        doubled(|factor| kept_entries(factor * merge.entries, DOUBLING_MEAN))
    });
    let more = format!(
        ", N is {}, docker-squash has {} entries",
        merge.entries, merge.squash_entries
    );
    let docker = [
        "docker",
        "version",
        "--format",
        "Docker {{.Server.Version}}",
    ];
    bench.report(
        &[],
        &[&["tar", "--version"], &["gzip", "--version"], &docker],
        &more,
    )
}

fn folder_beside(image: &Path) -> Result<TempDir> {
    let folder = image.parent().ok_or("the image has no directory")?;
    Ok(tempfile::tempdir_in(folder)?)
}

/// Lists the layers of a docker-archive, lowest first.
fn list_layers(image: &Path) -> Result<Prepared<TempDir>> {
    let mut tar = Command::new("tar");
    tar.arg("-xOf")
        .args([image.as_os_str(), OsStr::new("manifest.json")]);
    let manifest: Value = serde_json::from_slice(&tar.output()?.stdout)?;
    let names: Vec<String> = serde_json::from_value(manifest[0]["Layers"].clone())?;

    let folder = folder_beside(image)?;
    let list = folder.path().join("layers");
    fs::write(&list, names.join("\n"))?;
    Ok(Prepared {
        variables: vec![("LAYERS", list.into())],
        kept: folder,
    })
}

fn load(image: &Path) -> Result<Prepared<Loaded>> {
    let loaded = Loaded::new(image)?;
    Ok(Prepared {
        variables: vec![("LOADED", loaded.reference().into())],
        kept: loaded,
    })
}

/// Makes an OCI layout with gzip layers, and lists them.
fn compress(image: &Path) -> Result<Prepared<TempDir>> {
    let folder = folder_beside(image)?;
    let (layout, list) = (folder.path().join("layout"), folder.path().join("layers"));
    let mut convert = Command::new(env!("CARGO_BIN_EXE_restow"));
    convert.args(["--quiet", "convert", "--to", "oci", "--compress", "gzip"]);
    if !convert.arg(image).arg(&layout).status()?.success() {
        return Err("the layout with gzip layers was not made".into());
    }
    fs::write(
        &list,
        oci_layers(&layout)?.join(OsStr::new("\n")).as_bytes(),
    )?;
    Ok(Prepared {
        variables: vec![("LAYOUT", layout.into()), ("LAYERS", list.into())],
        kept: folder,
    })
}

/// The paths of the layers in an OCI layout of one image, lowest first.
fn oci_layers(layout: &Path) -> Result<Vec<OsString>> {
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap_or_default();
        layout.join("blobs").join(digest.replace(':', "/"))
    };
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
    let manifest: Value = serde_json::from_slice(&fs::read(blob(&index["manifests"][0]))?)?;
    let layers = manifest["layers"].as_array().ok_or("no layers")?;
    Ok(layers.iter().map(|layer| blob(layer).into()).collect())
}

/// Finds docker-squash, and gives it an image.
fn load_entries(merge: &Merge) -> Result<Prepared<Loaded>> {
    let program = docker_squash(merge.docker_squash)?;
    let entries = kept_entries(merge.squash_entries, SQUASH_MEAN)?;
    let mut prepared = load(&entries)?;
    prepared.variables.push(("ENTRIES", entries.into()));
    prepared.variables.push(("DOCKER_SQUASH", program.into()));
    Ok(prepared)
}
