//! Writes docker-archives as `docker save` 20.10 does, and keeps them.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use sha2::{Digest, Sha256};
use tar::EntryType;

use super::bench::Result;
use super::layer::{header, put};

/// Returns the image of this name below `target/tmp`, which is made if it does not exist yet.
///
/// Another process makes it, this program with `--make` and the recipe: Linux includes the peak
/// memory of a process in that of children that it starts later, and their peak is measured.
pub(crate) fn kept(name: &str, recipe: &[&str]) -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if !path.exists() {
        eprintln!("making `{}`", path.display());
        let mut maker = Command::new(env::current_exe()?);
        maker.args([OsStr::new("--make"), path.as_os_str()]);
        if !maker.args(recipe).status()?.success() {
            return Err(format!("`{}` was not made", path.display()).into());
        }
    }
    Ok(path)
}

/// Writes an archive of this many layers, in the order of their ids.
///
/// A layer is a temporary file in the folder that `write_layer` receives.
pub(crate) fn write_archive(
    path: &Path,
    layers: usize,
    mut write_layer: impl FnMut(&Path, usize) -> io::Result<File>,
) -> Result<()> {
    let folder = path.parent().ok_or("the image has no directory")?;
    let mut archive = tar::Builder::new(tempfile::NamedTempFile::new_in(folder)?);
    let ids: Vec<String> = (0..layers)
        .map(|number| sha256(&number.to_string()))
        .collect();
    let names: Vec<String> = ids.iter().map(|id| format!("{id}/layer.tar")).collect();
    let mut order: Vec<usize> = (0..layers).collect();
    order.sort_by_key(|&number| &ids[number]);
    let mut diff_ids = vec![String::new(); layers];
    for number in order {
        let id = &ids[number];
        let about = json!({ "id": id, "created": "1970-01-01T00:00:00Z", "os": "linux" });
        put(&mut archive, format!("{id}/VERSION"), "1.0")?;
        put(&mut archive, format!("{id}/json"), about.to_string())?;
        let mut layer = write_layer(folder, number)?;
        diff_ids[number] = format!("sha256:{}", sha256_of(&mut layer)?);
        let size = layer.stream_position()?;
        layer.rewind()?;
        archive.append_data(&mut header(EntryType::Regular, size), &names[number], layer)?;
    }
    let config = json!({
        "architecture": "amd64",
        "config": { "Env": ["PATH=/usr/bin:/bin"], "Cmd": ["sh"] },
        "created": "2025-01-01T00:00:00Z",
        "history": vec![json!({ "created_by": "make a layer" }); layers],
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
