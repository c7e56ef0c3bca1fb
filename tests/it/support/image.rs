//! The independent reader: images from tars and layouts, with `tar`, `serde_json` and `sha2`.
//!
//! It verifies every digest, size, `diff_id` and count that it meets, and panics at the first wrong
//! one. It holds everything in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::codec::{Codec, decompress, digest, hex};
use super::reference::{full, split};

/// The files of an archive or a layout by clean name, with links resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Store {
    files: BTreeMap<String, Vec<u8>>,
    /// The literal names of the tar's entries; empty for a directory.
    pub(crate) entries: Vec<String>,
}

/// One image: everything that must survive a conversion, and the storage form of its layers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Image {
    /// Full references, sorted.
    pub(crate) tags: Vec<String>,
    /// The bytes of the config.
    pub(crate) config: String,
    /// The layers, base first.
    pub(crate) layers: Vec<Layer>,
}

/// One layer of an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Layer {
    /// The digest of the uncompressed tar, computed.
    pub(crate) diff_id: String,
    /// The digest of the stored bytes, computed.
    pub(crate) digest: String,
    /// The storage form, according to the magic number.
    pub(crate) codec: Codec,
    /// The media type in a manifest; empty in a docker-archive.
    pub(crate) media_type: String,
}

/// The part of an image that no conversion changes: tags, config, `diff_ids`.
pub(crate) type Facts = (Vec<String>, String, Vec<String>);

impl Image {
    /// The image id, as Docker shows it.
    pub(crate) fn id(&self) -> String {
        digest(self.config.as_bytes())
    }

    /// The part that no conversion changes.
    pub(crate) fn facts(&self) -> Facts {
        (self.tags.clone(), self.config.clone(), self.diff_ids())
    }

    /// The digests of the uncompressed layers, base first.
    pub(crate) fn diff_ids(&self) -> Vec<String> {
        self.layers.iter().map(|it| it.diff_id.clone()).collect()
    }

    /// The digests of the stored layers, base first.
    pub(crate) fn digests(&self) -> Vec<String> {
        self.layers.iter().map(|it| it.digest.clone()).collect()
    }

    /// Checks the config against the stored layers.
    #[track_caller]
    fn new(tags: Vec<String>, config: &[u8], stored: Vec<(&[u8], String)>) -> Self {
        let layers: Vec<Layer> = stored
            .into_iter()
            .map(|(bytes, media_type)| Layer {
                diff_id: digest(&decompress(bytes)),
                digest: digest(bytes),
                codec: Codec::of(bytes),
                media_type,
            })
            .collect();
        // As in every Go program, bytes that are not UTF-8 are some other character.
        let config = String::from_utf8_lossy(config).into_owned();
        let parsed: Value = serde_json::from_str(&config).expect("a config is JSON");
        let image = Self {
            tags,
            config,
            layers,
        };
        assert_eq!(
            strings(&parsed["rootfs"]["diff_ids"]),
            image.diff_ids(),
            "the config's diff_ids are those of the layers"
        );
        image
    }
}

/// The facts of several images, in their order.
pub(crate) fn facts(images: &[Image]) -> Vec<Facts> {
    images.iter().map(Image::facts).collect()
}

impl Store {
    /// Opens a layout directory, or a tar, which may be compressed.
    #[track_caller]
    pub(crate) fn open(path: &Path) -> Self {
        if path.is_dir() {
            let mut files = BTreeMap::new();
            read_directory(path, "", &mut files);
            return Self {
                files,
                entries: Vec::new(),
            };
        }
        let bytes = fs::read(path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        Self::from_tar(&bytes)
    }

    /// Opens a tar, which may be compressed.
    #[track_caller]
    pub(crate) fn from_tar(bytes: &[u8]) -> Self {
        let plain = decompress(bytes);
        let mut files = BTreeMap::new();
        let mut links = Vec::new();
        let mut entries = Vec::new();
        for entry in tar::Archive::new(plain.as_slice())
            .entries()
            .expect("a tar")
        {
            let mut entry = entry.expect("the tar is whole");
            let path = String::from_utf8(entry.path_bytes().to_vec()).expect("a name is UTF-8");
            let name = clean("", &path);
            entries.push(path);
            let target = entry.link_name_bytes().map(std::borrow::Cow::into_owned);
            match (entry.header().entry_type(), target) {
                (tar::EntryType::Symlink, Some(target)) => {
                    let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
                    let target = clean(parent, &String::from_utf8_lossy(&target));
                    links.push((name, target));
                }
                (tar::EntryType::Link, Some(target)) => {
                    links.push((name, clean("", &String::from_utf8_lossy(&target))));
                }
                (tar::EntryType::Directory, _) => {}
                _ => {
                    let mut content = Vec::new();
                    entry.read_to_end(&mut content).expect("the tar is whole");
                    files.insert(name, content);
                }
            }
        }
        // A link may come before its target, and point to another link.
        for _ in 0..links.len() {
            for (name, target) in &links {
                if let Some(content) = files.get(target).cloned() {
                    files.insert(name.clone(), content);
                }
            }
        }
        Self { files, entries }
    }

    /// The names of all files, sorted.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.files.keys().map(String::as_str).collect()
    }

    /// The content of a file, if it exists.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// The content of a file.
    #[track_caller]
    pub(crate) fn file(&self, name: &str) -> &[u8] {
        self.get(&clean("", name))
            .unwrap_or_else(|| panic!("no field `{name}`"))
    }

    /// A file as JSON. As in every Go program, bytes that are not UTF-8 are some other character.
    #[track_caller]
    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&String::from_utf8_lossy(self.file(name)))
            .unwrap_or_else(|error| panic!("`{name}` is not JSON: {error}"))
    }

    /// The digests of the existing blobs.
    pub(crate) fn blobs(&self) -> BTreeSet<String> {
        let names = self.files.keys();
        names
            .filter_map(|it| Some(format!("sha256:{}", it.strip_prefix("blobs/sha256/")?)))
            .collect()
    }

    /// The blob of a descriptor, verified; `None` if the blob does not exist.
    #[track_caller]
    pub(crate) fn blob(&self, descriptor: &Value) -> Option<&[u8]> {
        let expected = text(&descriptor["digest"]);
        let bytes = self.get(&format!("blobs/sha256/{}", hex(expected)))?;
        assert_eq!(digest(bytes), expected, "a blob has its digest");
        let size = bytes.len().to_string();
        assert_eq!(size, descriptor["size"].to_string(), "size of {expected}");
        Some(bytes)
    }

    /// The stored layers of an image, base first.
    #[track_caller]
    pub(crate) fn stored(&self, image: &Image) -> Vec<Vec<u8>> {
        let files: BTreeMap<String, &Vec<u8>> =
            self.files.values().map(|it| (digest(it), it)).collect();
        let stored = |layer: &Layer| files[&layer.digest].clone();
        image.layers.iter().map(stored).collect()
    }

    /// The images that `manifest.json` lists, in its order.
    #[track_caller]
    pub(crate) fn docker_images(&self) -> Vec<Image> {
        let manifest = self.json("manifest.json");
        let elements = manifest.as_array().expect("manifest.json is an array");
        let images = elements.iter().map(|element| {
            let mut tags: Vec<String> = strings(field(element, "RepoTags"))
                .iter()
                .map(|it| full(it))
                .collect();
            tags.sort();
            let layers = strings(field(element, "Layers"));
            let stored = layers
                .iter()
                .map(|it| (self.file(it), String::new()))
                .collect();
            Image::new(tags, self.file(text(field(element, "Config"))), stored)
        });
        images.collect()
    }

    /// Everything under `index.json`.
    #[track_caller]
    pub(crate) fn layout(&self) -> Layout {
        let header = self.json("oci-layout");
        assert_eq!(header["imageLayoutVersion"], "1.0.0");
        let mut layout = Layout::default();
        let index = self.json("index.json");
        for root in index["manifests"].as_array().into_iter().flatten() {
            layout.visit(self, root, root, true);
        }
        layout
    }
}

/// Everything under `index.json`.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// Every image manifest, in the order of the indexes, once for each path to it.
    pub(crate) found: Vec<Found>,
    /// The digests of all referenced blobs that exist.
    pub(crate) reachable: BTreeSet<String>,
    /// The digests of all referenced blobs that do not exist.
    pub(crate) missing: BTreeSet<String>,
}

/// An image manifest in a layout.
#[derive(Debug)]
pub(crate) struct Found {
    /// The image; its tags are those of the descriptor in `index.json`.
    pub(crate) image: Image,
    /// The annotations of the descriptor in `index.json`.
    pub(crate) annotations: Value,
    /// The digest of the manifest.
    pub(crate) manifest: String,
    /// The platform in the descriptor of the manifest, as `os/architecture`.
    platform: String,
    /// `index.json` itself points to the manifest.
    is_root: bool,
}

impl Layout {
    #[track_caller]
    fn visit(&mut self, store: &Store, root: &Value, descriptor: &Value, is_root: bool) {
        let name = text(&descriptor["digest"]).to_owned();
        let Some(bytes) = store.blob(descriptor) else {
            self.missing.insert(name);
            return;
        };
        self.reachable.insert(name.clone());
        let kind = text(&descriptor["mediaType"]);
        if !kind.contains("manifest") && !kind.contains("index") {
            return;
        }
        let document: Value = serde_json::from_slice(bytes).expect("a manifest is JSON");
        for child in document["manifests"].as_array().into_iter().flatten() {
            self.visit(store, root, child, false);
        }
        let layers = document["layers"].as_array().cloned().unwrap_or_default();
        let config = &document["config"];
        if config.is_null() {
            return;
        }
        let missing_before = self.missing.len();
        for blob in layers.iter().chain([config]) {
            self.visit(store, root, blob, false);
        }
        let is_image = text(&config["mediaType"]).contains("image")
            && document["artifactType"].is_null()
            && descriptor["annotations"]["vnd.docker.reference.type"].is_null();
        if self.missing.len() > missing_before || !is_image {
            return;
        }
        let stored = layers.iter().map(|it| {
            let bytes = store.blob(it).expect("no blob of this image is missing");
            (bytes, text(&it["mediaType"]).to_owned())
        });
        let config = store
            .blob(config)
            .expect("no blob of this image is missing");
        let platform = &descriptor["platform"];
        self.found.push(Found {
            image: Image::new(tags(&root["annotations"]), config, stored.collect()),
            annotations: root["annotations"].clone(),
            manifest: name,
            platform: format!(
                "{}/{}",
                platform["os"].as_str().unwrap_or_default(),
                platform["architecture"].as_str().unwrap_or_default(),
            ),
            is_root,
        });
    }

    /// The images that a docker-archive of this layout has for `platform`, such as `linux/amd64`.
    ///
    /// An image in `index.json` itself is included whatever its platform, since there is no choice.
    /// Several tags of one image become one image, at the place of the first.
    pub(crate) fn images(&self, platform: &str) -> Vec<Image> {
        self.chosen(|it| it.is_root || it.platform == platform)
    }

    /// The images that have the same configs as these.
    pub(crate) fn images_of(&self, images: &[Image]) -> Vec<Image> {
        self.chosen(|it| images.iter().any(|image| image.config == it.image.config))
    }

    /// The chosen images, each once with all its tags.
    fn chosen(&self, is_chosen: impl Fn(&Found) -> bool) -> Vec<Image> {
        let mut images: Vec<(&str, Image)> = Vec::new();
        for found in self.found.iter().filter(|it| is_chosen(it)) {
            let manifest = found.manifest.as_str();
            match images.iter_mut().find(|(it, _)| *it == manifest) {
                None => images.push((manifest, found.image.clone())),
                Some((_, image)) => {
                    image.tags.extend(found.image.tags.iter().cloned());
                    image.tags.sort();
                    image.tags.dedup();
                }
            }
        }
        images.into_iter().map(|(_, image)| image).collect()
    }

    /// The images for this machine.
    pub(crate) fn host_images(&self) -> Vec<Image> {
        self.images(host_platform())
    }
}

/// The platform of this machine, in OCI's terms.
pub(crate) fn host_platform() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "linux/amd64",
        "aarch64" => "linux/arm64",
        other => panic!("the tests do not know how OCI calls {other}"),
    }
}

/// The tags, in full, that a descriptor of `index.json` gives to its image.
///
/// Containerd's annotation takes precedence over OCI's, which is a name only if it has a repository
/// and a tag: `1.0` alone is not.
fn tags(annotations: &Value) -> Vec<String> {
    let name = &annotations["io.containerd.image.name"];
    let reference = &annotations["org.opencontainers.image.ref.name"];
    let mut candidates = [name, reference].into_iter().filter_map(Value::as_str);
    candidates
        .find(|it| split(it).is_some())
        .map(full)
        .into_iter()
        .collect()
}

/// A JSON string.
#[track_caller]
pub(crate) fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("`{value}` is not a string"))
}

/// The strings of a JSON array; none for null.
#[track_caller]
pub(crate) fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.map(|it| text(it).to_owned()).collect()
}

/// A field of an object, whatever the case of its key: Go accepts any, so writers use any.
pub(crate) fn field<'a>(object: &'a Value, name: &str) -> &'a Value {
    let fields = object.as_object().expect("an object");
    let found = fields
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map_or(&Value::Null, |(_, value)| value)
}

/// Resolves `path` against `parent` inside the archive.
fn clean(parent: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let parent = if path.starts_with('/') { "" } else { parent };
    for part in parent.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn read_directory(directory: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(directory).expect("the directory can be read") {
        let path = entry.expect("the directory can be read").path();
        let name = path
            .file_name()
            .expect("an entry has a name")
            .to_string_lossy();
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            read_directory(&path, &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read(&path).expect("the file can be read"));
        }
    }
}
