//! An image of the files of this machine, whose layers differ in character.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::bench::{MB, Result};
use super::docker_archive::{kept, write_archive};
use super::layer::{LayerWriter, Random, content};

/// The image of this many MB; the number in the name must be increased when the recipe changes.
pub(crate) fn kept_image(megabytes: u64) -> Result<PathBuf> {
    let size = megabytes.to_string();
    kept(&format!("image-v1-{size}.tar"), &["--size", &size])
}

/// Makes the image of this many MB.
///
/// Memory is one path for every file, and the content of one small file.
pub(crate) fn make_image(path: &Path, megabytes: u64) -> Result<()> {
    let layers = plan(megabytes * MB);
    write_archive(path, layers.len(), |folder, number| {
        write_layer(folder, &layers, number)
    })
}

/// Sizes of the layers, lowest first, in thousandths of the image.
const LAYERS: [u64; 11] = [70, 330, 35, 140, 100, 12, 115, 85, 60, 50, 3];

/// 100,000 files in 1,800 MB.
const BYTES_FOR_A_FILE: u64 = 18_000;

/// Maximum share of real files in an image, in thousandths; the rest is generated.
const MOST_REAL: u64 = 950;

/// Extensions of files that are already compressed, which cost a codec most without any gain.
const PACKED: [&str; 10] = [
    "bz2", "gz", "jar", "jmod", "png", "whl", "woff2", "xz", "zip", "zst",
];

/// Maximum share of packed files in an image, in thousandths.
const MOST_PACKED: u64 = 250;

/// Maximum size of a real file: a larger one would dominate its layer.
const LARGEST_FILE: u64 = 32 * MB;

/// Maximum mean size of generated files.
const MEAN_GENERATED: u64 = MB;

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

    /// A number below 1,000 that depends only on the path (FNV-1a).
    fn draw(&self) -> u64 {
        let bytes = self.path.as_os_str().as_bytes();
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, step) % 1000
    }
}

/// Lists the files below a directory, by name; unreadable ones are left out.
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

/// The content of a layer, besides changes to the layer below.
struct LayerPlan {
    real: Vec<RealFile>,
    generated_bytes: u64,
    generated_files: u64,
}

/// Distributes programs, libraries and toolchains in the order of their paths, so that layers
/// differ in character.
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
        // A file that is too large for the rest is dropped; smaller ones may follow.
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
    let mut layer = LayerWriter::new(folder)?;
    layer.tar.follow_symlinks(false);
    layer.tar.sparse(false);
    if let Some(below) = number.checked_sub(1) {
        write_changes(&mut layer, &layers[below], below)?;
    }
    for RealFile { path, .. } in &layers[number].real {
        layer.parents(path)?;
        layer
            .tar
            .append_path_with_name(Path::new("/").join(path), path)?;
    }
    write_generated(&mut layer, &layers[number], number)?;
    layer.finish()
}

/// Removes some files of the layer below, changes some, and empties one of its directories.
fn write_changes(layer: &mut LayerWriter, below: &LayerPlan, number: usize) -> io::Result<()> {
    for RealFile { path, .. } in below.real.iter().step_by(400) {
        let mut name = OsString::from(".wh.");
        name.push(path.file_name().unwrap_or_default());
        layer.file(path.with_file_name(name), "")?;
    }
    for RealFile { path, .. } in below.real.iter().skip(1).step_by(700) {
        layer.file(path, "changed\n")?;
    }
    layer.file(format!("opt/generated/{number}/0/.wh..wh..opq"), "")
}

/// Appends the generated files of a plan, of sizes around their mean.
fn write_generated(layer: &mut LayerWriter, plan: &LayerPlan, number: usize) -> io::Result<()> {
    let mean = plan.generated_bytes / plan.generated_files;
    let mut random = Random(number as u64 + 1);
    let mut left = plan.generated_bytes;
    let mut count = 0;
    while left > 0 {
        let size = (random.next() % (2 * mean + 1)).min(left);
        let path = format!("opt/generated/{number}/{}/{count}", count / 200);
        layer.file(path, content(&mut random, size))?;
        left = left.saturating_sub(size + 768);
        count += 1;
    }
    Ok(())
}
