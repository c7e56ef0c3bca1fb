//! Layouts of many small images and layers, which are the same on every machine.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::bench::Result;
use super::docker_archive::kept;
use super::layer::put;

/// The content of a layout.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// One image of this many layers.
    Layers(u64),
    /// One index of this many images, which share a layer.
    Index(u64),
    /// This many images, which share three layers of 1,500 files each.
    Images(u64),
}

impl Shape {
    /// The shape with this name and number.
    fn new(name: &str, count: u64) -> Option<Self> {
        match name {
            "layers" => Some(Self::Layers(count)),
            "index" => Some(Self::Index(count)),
            "images" => Some(Self::Images(count)),
            _ => None,
        }
    }
}

/// The layout of the shape with this name and number below `target/tmp`, which is made if it does
/// not exist yet; the number in its name must be increased when the recipe changes.
pub(crate) fn kept_layout(shape: &str, count: u64) -> Result<PathBuf> {
    let recipe = ["--make-layout", shape, "--make-count", &count.to_string()];
    kept(&format!("{shape}-v1-{count}"), &recipe)
}

/// Makes the layout.
pub(crate) fn make_layout(path: &Path, shape: &str, count: u64) -> Result<()> {
    let shape = Shape::new(shape, count).ok_or("no such layout")?;
    let unfinished = path.with_extension("unfinished");
    drop(fs::remove_dir_all(&unfinished));
    Layout::new(&unfinished)?.write(shape)?;
    Ok(fs::rename(unfinished, path)?)
}

/// A layout that is being written.
struct Layout {
    blobs: PathBuf,
    items: Vec<Value>,
}

impl Layout {
    fn new(path: &Path) -> Result<Self> {
        let blobs = path.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        fs::write(path.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(Self {
            blobs,
            items: Vec::new(),
        })
    }

    fn write(mut self, shape: Shape) -> Result<()> {
        match shape {
            Shape::Layers(count) => {
                let layers: Result<Vec<_>> = (0..count)
                    .map(|at| layer(&format!("srv/{at}"), 4, 700))
                    .collect();
                let image = self.image(&layers?, "amd64")?;
                self.name(&image, "bench:1");
            }
            Shape::Index(count) => {
                let base = layer("usr", 50, 2000)?;
                let images: Result<Vec<_>> = (0..count)
                    .map(|at| {
                        let layers = [base.clone(), layer(&format!("srv/{at}"), 1, 900)?];
                        let mut image = self.image(&layers, "amd64")?;
                        let platform = json!({
                            "os": "linux", "architecture": "amd64", "variant": format!("v{at}"),
                        });
                        image["platform"] = platform;
                        Ok(image)
                    })
                    .collect();
                let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": images?});
                let index = self.put(INDEX, index.to_string().as_bytes())?;
                self.name(&index, "bench:1");
            }
            Shape::Images(count) => {
                let bases: Result<Vec<_>> = (0..3)
                    .map(|at| layer(&format!("usr/{at}"), 1500, 3000))
                    .collect();
                let bases = bases?;
                for at in 0..count {
                    let own = layer(&format!("srv/{at}"), 8, 20_000)?;
                    let image = self.image(&[&bases[..], &[own]].concat(), "amd64")?;
                    self.name(&image, &format!("bench:{at}"));
                }
            }
        }
        let index = json!({"schemaVersion": 2, "manifests": self.items});
        let folder = self.blobs.ancestors().nth(2).ok_or("no folder")?;
        Ok(fs::write(folder.join("index.json"), index.to_string())?)
    }

    /// Writes a blob, and returns its descriptor.
    fn put(&self, media_type: &str, bytes: &[u8]) -> Result<Value> {
        let digest = digest(bytes);
        let (_, hex) = digest.split_once(':').ok_or("no digest")?;
        fs::write(self.blobs.join(hex), bytes)?;
        Ok(json!({"mediaType": media_type, "digest": digest, "size": bytes.len()}))
    }

    /// Writes an image of these layers, and returns the descriptor of its manifest.
    fn image(&self, layers: &[Vec<u8>], architecture: &str) -> Result<Value> {
        let diff_ids: Vec<String> = layers.iter().map(|it| digest(it)).collect();
        let config = json!({
            "architecture": architecture, "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = self.put(CONFIG, config.to_string().as_bytes())?;
        let layers: Result<Vec<_>> = layers.iter().map(|it| self.put(LAYER, it)).collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers?,
        });
        self.put(MANIFEST, manifest.to_string().as_bytes())
    }

    /// Lists a manifest or index under a name.
    fn name(&mut self, descriptor: &Value, name: &str) {
        let mut item = descriptor.clone();
        item["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        self.items.push(item);
    }
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A layer of this many files of this size in a folder.
fn layer(folder: &str, files: usize, size: usize) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for at in 0..files {
        let mut content = Vec::with_capacity(size + 64);
        while content.len() < size {
            writeln!(content, "line {} of file {at} in {folder}", content.len())?;
        }
        content.truncate(size);
        put(&mut tar, format!("{folder}/{at}"), content)?;
    }
    Ok(tar.into_inner()?)
}

fn digest(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes);
    let digits: Vec<String> = digits.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", digits.concat())
}
