//! Whole `convert` commands against their peers, as ratios in one run.
//!
//! `cargo bench --bench convert` makes a docker-archive of about 1.8 GB from the files of this
//! machine (once; it stays below `target/tmp`), runs each of [`WORK`] on it in turn with its peer,
//! so that whatever else the machine does meets both, and prints medians, ratios, goals, sizes and
//! the peak memory of restow. A peer that is not installed is named and left out.
//!
//! First comes the table of the work, then the runner, then the maker of the image.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its table"
)]

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;
use std::{env, thread};

use clap::{Parser, value_parser};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};
use wait4::Wait4;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const MB: u64 = 1_000_000;

/// Compare whole `restow convert` commands with other tools
#[derive(Parser)]
struct Arguments {
    /// Use this docker-archive instead of one made here; outputs go beside it
    #[arg(long, value_name = "PATH")]
    image: Option<PathBuf>,
    /// Size of the image that is made, in MB
    #[arg(long, value_name = "MB", default_value_t = 1800, value_parser = value_parser!(u64).range(1..))]
    size: u64,
    /// Timed runs of every command, after one that is not timed
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// Print one JSON document instead of the table
    #[arg(long)]
    json: bool,
    /// Make the image at this path, and nothing else; the benchmark calls itself with it
    #[arg(long, hide = true)]
    make: Option<PathBuf>,
    /// Passed by cargo to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// A command of restow and one that it is compared with.
///
/// Both are for the shell, with `$RESTOW`, `$IMAGE` and `$OUT`, which does not exist yet. The goal
/// is a ratio of times; it is met when the output, in MB, is no larger either.
struct Comparison {
    what: &'static str,
    restow: &'static str,
    against: &'static str,
    peer: &'static str,
    goal: Option<f64>,
}

const TO_OCI: &str = r#""$RESTOW" convert "$IMAGE" "oci:$OUT""#;
const CP: &str = r#"cp "$IMAGE" "$OUT""#;
const CAT: &str = r#"cat "$IMAGE" > "$OUT""#;

#[rustfmt::skip] // A table is read in rows.
const WORK: [Comparison; 8] = [
    Comparison { what: "to oci, kept", restow: TO_OCI, against: "cp", peer: CP, goal: Some(1.0) },
    Comparison { what: "to oci, kept", restow: TO_OCI, against: "openssl sha256 + cp", goal: None,
        peer: r#"openssl dgst -sha256 "$IMAGE" && cp "$IMAGE" "$OUT""# },
    Comparison { what: "to oci, kept", restow: TO_OCI, against: "skopeo, plain", goal: Some(0.75),
        peer: r#"skopeo --insecure-policy copy --dest-oci-accept-uncompressed-layers \
            "docker-archive:$IMAGE" "oci:$OUT:t""# },
    Comparison { what: "pipe to oci, kept", against: "cat", peer: CAT, goal: Some(1.3),
        restow: r#"cat "$IMAGE" | "$RESTOW" convert - "oci:$OUT""# },
    Comparison { what: "to oci, gzip", against: "skopeo, gzip", goal: Some(0.6),
        restow: r#""$RESTOW" convert --compress gzip "$IMAGE" "oci:$OUT""#,
        peer: r#"skopeo --insecure-policy copy "docker-archive:$IMAGE" "oci:$OUT:t""# },
    Comparison { what: "to oci, zstd", against: "skopeo, zstd", goal: Some(0.6),
        restow: r#""$RESTOW" convert --compress zstd "$IMAGE" "oci:$OUT""#,
        peer: r#"skopeo --insecure-policy copy --dest-compress-format zstd \
            "docker-archive:$IMAGE" "oci:$OUT:t""# },
    Comparison { what: "to docker-archive", against: "cp", peer: CP, goal: None,
        restow: r#""$RESTOW" convert "$IMAGE" "docker-archive:$OUT""# },
    Comparison { what: "pipe to docker-archive", against: "cat", peer: CAT, goal: None,
        restow: r#"cat "$IMAGE" | "$RESTOW" convert - - > "$OUT""# },
];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.make {
        Some(path) => make_image(path, arguments.size * MB),
        None => compare(&arguments),
    };
    if let Err(error) = result {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Runs all of the work, and prints what came of it; what fails or is left out is noted.
fn compare(arguments: &Arguments) -> Result<()> {
    let image = match &arguments.image {
        Some(path) => path.canonicalize()?,
        None => kept_image(arguments.size)?,
    };
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for work in &WORK {
        let name = format!("{}, against {}", work.what, work.against);
        eprintln!("running: {name}");
        match alternate(work, &image, arguments.runs.max(1)) {
            Ok(row) => rows.push(row),
            Err(error) => notes.push(format!("{name}: {error}")),
        }
    }
    let setting = setting(&image, arguments.runs)?;
    if arguments.json {
        let document = json!({ "setting": setting, "rows": rows, "notes": notes });
        println!("{document:#}");
    } else {
        println!("{setting}\n\n{}\n{}", table(&rows), notes.join("\n"));
    }
    Ok(())
}

/// Says what the figures were measured with.
fn setting(image: &Path, runs: usize) -> Result<String> {
    let cores = thread::available_parallelism()?;
    let size = image.metadata()?.len() / MB;
    let mut text = format!("{cores} cores, image of {size} MB, median of {runs} runs");
    for (program, argument) in [("skopeo", "--version"), ("openssl", "version")] {
        if let Ok(output) = Command::new(program).arg(argument).output() {
            text = format!("{text}, {}", String::from_utf8(output.stdout)?.trim_end());
        }
    }
    Ok(text)
}

/// Runs both sides in turn, the first time only to warm up.
fn alternate(work: &Comparison, image: &Path, runs: usize) -> Result<Value> {
    let program = work.peer.split(' ').next().unwrap_or_default();
    let path = env::var_os("PATH").unwrap_or_default();
    if !env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
        return Err(format!("skipped, since `{program}` is not installed").into());
    }
    let (mut restow, mut peer) = (Vec::new(), Vec::new());
    for _round in 0..=runs {
        restow.push(time(work.restow, image)?);
        peer.push(time(work.peer, image)?);
    }
    Ok(row(
        work,
        &median(&mut restow[1..]),
        &median(&mut peer[1..]),
    ))
}

/// What one run of a command cost and made.
#[derive(Clone, Copy)]
struct Sample {
    seconds: f64,
    peak: u64,
    output_size: u64,
}

/// Times a command; making the directory for its output, and removing it, does not count.
///
/// The disk is idle at the start: what earlier runs left to write would slow this one down.
fn time(command: &str, image: &Path) -> Result<Sample> {
    let folder = tempfile::tempdir_in(image.parent().ok_or("the image has no directory")?)?;
    let (out, messages) = (folder.path().join("out"), folder.path().join("messages"));
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).env("IMAGE", image);
    shell
        .env("OUT", &out)
        .env("RESTOW", env!("CARGO_BIN_EXE_restow"));
    shell.stdout(Stdio::null()).stderr(File::create(&messages)?);
    Command::new("sync").status()?;

    let start = Instant::now();
    let used = shell.spawn()?.wait4()?;
    let seconds = start.elapsed().as_secs_f64();

    if !used.status.success() {
        let messages = fs::read_to_string(&messages)?;
        return Err(format!("`{command}`: {}: {}", used.status, messages.trim_end()).into());
    }
    let (peak, output_size) = (used.rusage.maxrss, size_below(&out)?);
    Ok(Sample {
        seconds,
        peak,
        output_size,
    })
}

fn size_below(path: &Path) -> io::Result<u64> {
    if path.is_file() {
        return Ok(path.metadata()?.len());
    }
    fs::read_dir(path)?.try_fold(0, |sum, entry| Ok(sum + size_below(&entry?.path())?))
}

/// The run of middle time, with the highest peak of all.
fn median(samples: &mut [Sample]) -> Sample {
    samples.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let peak = samples.iter().fold(0, |peak, sample| peak.max(sample.peak));
    Sample {
        peak,
        ..samples[samples.len() / 2]
    }
}

/// A row of the results; its keys are the headings of the table.
fn row(work: &Comparison, restow: &Sample, peer: &Sample) -> Value {
    let ratio = restow.seconds / peer.seconds;
    let (restow_mb, peer_mb) = (restow.output_size / MB, peer.output_size / MB);
    json!({
        "convert": work.what,
        "against": work.against,
        "restow_s": restow.seconds,
        "peer_s": peer.seconds,
        "ratio": ratio,
        "goal": work.goal,
        "met": work.goal.map(|goal| ratio <= goal && restow_mb <= peer_mb),
        "restow_mb": restow_mb,
        "peer_mb": peer_mb,
        "peak_mib": restow.peak >> 20,
    })
}

/// Lays rows out in columns, under their keys.
fn table(rows: &[Value]) -> String {
    let objects: Vec<_> = rows.iter().filter_map(Value::as_object).collect();
    let head = objects
        .iter()
        .take(1)
        .map(|object| object.keys().cloned().collect());
    let body = objects
        .iter()
        .map(|object| object.values().map(cell).collect());
    let lines: Vec<Vec<String>> = head.chain(body).collect();
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].len())
            .max()
            .unwrap_or(0)
    };
    let mut text = String::new();
    for line in &lines {
        for (column, cell) in line.iter().enumerate() {
            let _ = write!(text, "{cell:<width$}  ", width = width(column));
        }
        text = text.trim_end().to_owned() + "\n";
    }
    text
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(is_met) => if *is_met { "yes" } else { "no" }.to_owned(),
        Value::String(text) => text.clone(),
        number if number.is_u64() => number.to_string(),
        number => format!("{:.2}", number.as_f64().unwrap_or(f64::NAN)),
    }
}

/// Sizes of the layers that are made, lowest first, in thousandths of the image.
const LAYERS: [u64; 11] = [70, 330, 35, 140, 100, 12, 115, 85, 60, 50, 3];

/// 100,000 files in 1,800 MB.
const BYTES_FOR_A_FILE: u64 = 18_000;

/// Thousandths of an image that real files make up at most; the rest is generated.
const MOST_REAL: u64 = 950;

/// What is already compressed: it costs a codec most, and gains nothing.
const PACKED: [&str; 10] = [
    "bz2", "gz", "jar", "jmod", "png", "whl", "woff2", "xz", "zip", "zst",
];

/// Thousandths of an image that packed files make up, where a machine has as many.
const MOST_PACKED: u64 = 250;

/// A real file that is larger would be most of a layer.
const LARGEST_FILE: u64 = 32 * MB;

/// The mean size of generated files at most.
const MEAN_GENERATED: u64 = MB;

/// Returns the image of this size, which is made if there is none yet.
///
/// Another process makes it: Linux counts the peak memory of a process to the children that it
/// starts later, and their peak is what is measured. The number in the name is to be raised when
/// the recipe changes.
fn kept_image(size: u64) -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("image-v1-{size}.tar"));
    if !path.exists() {
        eprintln!("making `{}` from the files of this machine", path.display());
        let mut maker = Command::new(env::current_exe()?);
        maker.args([OsStr::new("--make"), path.as_os_str()]);
        maker.args(["--size", &size.to_string()]);
        if !maker.status()?.success() {
            return Err("the image was not made".into());
        }
    }
    Ok(path)
}

/// Writes an archive as `docker save` 20.10 does, layers in the order of their ids.
///
/// Memory holds a path for every file, and the content of one small file.
fn make_image(path: &Path, size: u64) -> Result<()> {
    let folder = path.parent().ok_or("the image has no directory")?;
    let mut archive = tar::Builder::new(tempfile::NamedTempFile::new_in(folder)?);
    let layers = plan(size);
    let ids: Vec<String> = (0..layers.len())
        .map(|number| sha256(&number.to_string()))
        .collect();
    let names: Vec<String> = ids.iter().map(|id| format!("{id}/layer.tar")).collect();
    let mut order: Vec<usize> = (0..layers.len()).collect();
    order.sort_by_key(|&number| &ids[number]);
    let mut diff_ids = vec![String::new(); layers.len()];
    for number in order {
        let id = &ids[number];
        let about = json!({ "id": id, "created": "1970-01-01T00:00:00Z", "os": "linux" });
        put(&mut archive, format!("{id}/VERSION"), "1.0")?;
        put(&mut archive, format!("{id}/json"), about.to_string())?;
        let mut layer = write_layer(folder, &layers, number)?;
        diff_ids[number] = format!("sha256:{}", sha256_of(&mut layer)?);
        let size = layer.stream_position()?;
        layer.rewind()?;
        archive.append_data(&mut header(EntryType::Regular, size), &names[number], layer)?;
    }
    let config = json!({
        "architecture": "amd64",
        "config": { "Env": ["PATH=/usr/bin:/bin"], "Cmd": ["sh"] },
        "created": "2025-01-01T00:00:00Z",
        "history": vec![json!({ "created_by": "make a layer" }); diff_ids.len()],
        "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config_name = format!("{}.json", sha256(&config.to_string()));
    put(&mut archive, &config_name, config.to_string())?;
    let manifest = json!([{ "Config": config_name, "RepoTags": ["bench:1"], "Layers": names }]);
    put(&mut archive, "manifest.json", manifest.to_string())?;
    archive.into_inner()?.persist(path)?;
    Ok(())
}

fn put(
    tar: &mut tar::Builder<impl Write>,
    path: impl AsRef<Path>,
    data: impl AsRef<[u8]>,
) -> io::Result<()> {
    let data = data.as_ref();
    tar.append_data(
        &mut header(EntryType::Regular, data.len() as u64),
        path,
        data,
    )
}

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(if kind.is_dir() { 0o755 } else { 0o644 });
    header.set_size(size);
    header
}

fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// Hashes a file from its start, and leaves it at its end.
fn sha256_of(file: &mut File) -> io::Result<String> {
    file.rewind()?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 256 << 10]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

fn hex(digest: &[u8]) -> String {
    let digits: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// A file or symlink of this machine.
struct RealFile {
    /// Without the leading `/`, as in a layer.
    path: PathBuf,
    size: u64,
}

impl RealFile {
    fn size_in_layer(&self) -> u64 {
        512 + self.size.next_multiple_of(512)
    }

    fn is_packed(&self) -> bool {
        let extension = self.path.extension().and_then(OsStr::to_str);
        extension.is_some_and(|extension| PACKED.contains(&extension))
    }

    /// A number below 1,000 that depends on the path alone (FNV-1a).
    fn draw(&self) -> u64 {
        let bytes = self.path.as_os_str().as_bytes();
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, step) % 1000
    }
}

/// Lists what is below a directory, by name; what cannot be read is left out.
fn real_files(folder: &Path) -> Vec<RealFile> {
    let Ok(entries) = fs::read_dir(folder) else {
        return vec![];
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let files = paths.into_iter().flat_map(|path| {
        let size = match path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => return real_files(&path),
            Ok(metadata) if metadata.is_symlink() => 0,
            Ok(metadata) if metadata.is_file() && File::open(&path).is_ok() => metadata.len(),
            _ => return vec![],
        };
        let path = path.strip_prefix("/").unwrap_or(&path).to_owned();
        Vec::from_iter((size <= LARGEST_FILE).then_some(RealFile { path, size }))
    });
    files.collect()
}

/// What a layer is made of, besides changes of the layer below.
struct LayerPlan {
    real: Vec<RealFile>,
    generated_bytes: u64,
    generated_files: u64,
}

/// Deals programs, libraries and toolchains out in the order of their paths, so that layers differ
/// in character.
fn plan(size: u64) -> Vec<LayerPlan> {
    let home = PathBuf::from(env::var_os("HOME").unwrap_or_default());
    let rustup = env::var_os("RUSTUP_HOME").map_or(home.join(".rustup"), PathBuf::from);
    let roots = [
        PathBuf::from("/usr"),
        PathBuf::from("/opt"),
        rustup.join("toolchains"),
    ];
    let mut files: Vec<RealFile> = roots.iter().flat_map(|root| real_files(root)).collect();

    let mut bytes = [1, 1];
    for file in &files {
        bytes[usize::from(file.is_packed())] += file.size_in_layer();
    }
    let [plain, packed] = bytes;
    let most_packed = packed.min(size * MOST_PACKED / 1000);
    let keep = [
        (size - most_packed) * 1000 / plain,
        most_packed * 1000 / packed,
    ];
    files.retain(|file| file.draw() < keep[usize::from(file.is_packed())]);
    let real_share = ((plain + packed) * 1000 / size).min(MOST_REAL);

    let mut files = files.into_iter();
    LAYERS
        .map(|share| plan_layer(size * share / 1000, real_share, &mut files))
        .into()
}

fn plan_layer(size: u64, real_share: u64, files: &mut impl Iterator<Item = RealFile>) -> LayerPlan {
    let mut left = size * real_share / 1000;
    let mut real = Vec::new();
    while left > MB / 10
        && let Some(file) = files.next()
    {
        // A file too large for what is left is dropped; smaller ones follow.
        if let Some(rest) = left.checked_sub(file.size_in_layer()) {
            left = rest;
            real.push(file);
        }
    }
    let generated_bytes = left + size * (1000 - real_share) / 1000;
    let missing = (size / BYTES_FOR_A_FILE).saturating_sub(real.len() as u64);
    let generated_files = missing.max(1 + generated_bytes / MEAN_GENERATED);
    LayerPlan {
        real,
        generated_bytes,
        generated_files,
    }
}

/// Writes a layer into a temporary file.
fn write_layer(folder: &Path, layers: &[LayerPlan], number: usize) -> io::Result<File> {
    let out = BufWriter::with_capacity(1 << 20, tempfile::tempfile_in(folder)?);
    let mut layer = LayerWriter {
        tar: tar::Builder::new(out),
        folders: HashSet::new(),
    };
    layer.tar.follow_symlinks(false);
    layer.tar.sparse(false);
    if let Some(below) = number.checked_sub(1) {
        layer.changes(&layers[below], below)?;
    }
    for RealFile { path, .. } in &layers[number].real {
        layer.parents(path)?;
        layer
            .tar
            .append_path_with_name(Path::new("/").join(path), path)?;
    }
    layer.generated(&layers[number], number)?;
    Ok(layer.tar.into_inner()?.into_inner()?)
}

/// Appends the entries of one layer, each after its parent directories.
struct LayerWriter<W: Write> {
    tar: tar::Builder<W>,
    folders: HashSet<PathBuf>,
}

impl<W: Write> LayerWriter<W> {
    fn parents(&mut self, path: &Path) -> io::Result<()> {
        let parent = path.parent().unwrap_or(path);
        if parent.as_os_str().is_empty() || self.folders.contains(parent) {
            return Ok(());
        }
        self.parents(parent)?;
        self.folders.insert(parent.to_owned());
        self.tar
            .append_data(&mut header(EntryType::Directory, 0), parent, io::empty())
    }

    fn file(&mut self, path: impl AsRef<Path>, data: impl AsRef<[u8]>) -> io::Result<()> {
        self.parents(path.as_ref())?;
        put(&mut self.tar, path, data)
    }

    /// Removes some files of the layer below, changes some, and empties a directory of it.
    fn changes(&mut self, below: &LayerPlan, number: usize) -> io::Result<()> {
        for RealFile { path, .. } in below.real.iter().step_by(400) {
            let mut name = OsString::from(".wh.");
            name.push(path.file_name().unwrap_or_default());
            self.file(path.with_file_name(name), "")?;
        }
        for RealFile { path, .. } in below.real.iter().skip(1).step_by(700) {
            self.file(path, "changed\n")?;
        }
        self.file(format!("opt/generated/{number}/0/.wh..wh..opq"), "")
    }

    /// Appends the generated files of a plan, of sizes around their mean.
    fn generated(&mut self, plan: &LayerPlan, number: usize) -> io::Result<()> {
        let mean = plan.generated_bytes / plan.generated_files;
        let mut random = Random(number as u64 + 1);
        let mut left = plan.generated_bytes;
        let mut count = 0;
        while left > 0 {
            let size = (random.next() % (2 * mean + 1)).min(left);
            let path = format!("opt/generated/{number}/{}/{count}", count / 200);
            self.file(path, content(&mut random, size))?;
            left = left.saturating_sub(size + 768);
            count += 1;
        }
        Ok(())
    }
}

/// Deterministic numbers (xorshift64*); the seed must not be 0.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }
}

/// Makes the content of a file: of half of them text, of a third records, of the rest noise.
fn content(random: &mut Random, size: u64) -> Vec<u8> {
    let words = [
        "layer", "of", "image", "once", "read", "engine", "that", "seldom\n",
    ];
    let kind = random.next() % 6;
    let mut data = Vec::new();
    while (data.len() as u64) < size {
        let [first, second, third, rest @ ..] = random.next().to_le_bytes();
        match kind {
            0..3 => data.extend(format!("{} {second} ", words[usize::from(first % 8)]).bytes()),
            3..5 => data.extend([first, second, 0, 0, third % 8, 0, 0, 0]),
            _ => data.extend(&rest[..4]),
        }
    }
    data
}
