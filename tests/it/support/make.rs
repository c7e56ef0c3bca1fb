//! Images made by hand, in the form of each engine and tool.
//!
//! The result is a list of tar members rather than a tar, so that a test can reorder, rename or
//! damage them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::codec::{Codec, digest, hex};
use super::image::Facts;
use super::reference::{familiar, full, split};

/// A member of a tar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    Directory(String),
    File(String, Vec<u8>),
    Symlink(String, String),
    Link(String, String),
}

impl Member {
    /// A regular file.
    pub(crate) fn file(name: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self::File(name.into(), content.into())
    }

    /// The name of the member.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Directory(name)
            | Self::File(name, _)
            | Self::Symlink(name, _)
            | Self::Link(name, _) => name,
        }
    }
}

/// Writes members as a tar, with the same metadata for all of them.
pub(crate) fn tar(members: &[Member]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for member in members {
        append(&mut builder, member, 0o644);
    }
    builder.into_inner().expect("writing to memory cannot fail")
}

fn append(builder: &mut tar::Builder<Vec<u8>>, member: &Member, mode: u32) {
    let because = "writing to memory cannot fail";
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_mtime(1_700_000_000);
    header.set_size(0);
    let set = |header: &mut tar::Header, kind| header.set_entry_type(kind);
    match member {
        Member::Directory(name) => {
            set(&mut header, tar::EntryType::Directory);
            header.set_mode(0o755);
            append_named(builder, &mut header, name, &[]);
        }
        Member::File(name, content) => {
            header.set_size(content.len() as u64);
            append_named(builder, &mut header, name, content);
        }
        Member::Symlink(name, target) => {
            set(&mut header, tar::EntryType::Symlink);
            builder
                .append_link(&mut header, name, target)
                .expect(because);
        }
        Member::Link(name, target) => {
            set(&mut header, tar::EntryType::Link);
            builder
                .append_link(&mut header, name, target)
                .expect(because);
        }
    }
}

/// Appends under a literal name if it fits: `tar` would remove a leading `./`.
fn append_named(
    builder: &mut tar::Builder<Vec<u8>>,
    header: &mut tar::Header,
    name: &str,
    content: &[u8],
) {
    let because = "writing to memory cannot fail";
    let field = &mut header.as_old_mut().name;
    if name.len() <= field.len() {
        field[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(header, content).expect(because);
    } else {
        builder.append_data(header, name, content).expect(because);
    }
}

/// A layer from text, a line per entry:
///
/// ```text
/// dir etc
/// file etc/hosts 127.0.0.1 localhost
/// symlink bin usr/bin
/// link etc/copy etc/hosts
/// file etc/.wh.passwd
/// ```
#[track_caller]
pub(crate) fn layer(text: &str) -> Vec<u8> {
    let member = |line: &str| {
        let mut words = line.trim().splitn(3, ' ');
        let (kind, name) = (words.next(), words.next());
        let name = name
            .unwrap_or_else(|| panic!("`{line}` has no name"))
            .to_owned();
        let rest = words.next().unwrap_or_default().to_owned();
        match kind {
            Some("dir") => Member::Directory(format!("{name}/")),
            Some("file") => Member::file(name, rest),
            Some("symlink") => Member::Symlink(name, rest),
            Some("link") => Member::Link(name, rest),
            _ => panic!("`{line}` is not a line of a layer"),
        }
    };
    let lines = text.lines().filter(|it| !it.trim().is_empty());
    tar(&lines.map(member).collect::<Vec<_>>())
}

/// An image that has not been written yet.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// Familiar references.
    pub(crate) tags: Vec<String>,
    /// The bytes of the config.
    pub(crate) config: Vec<u8>,
    /// The layers as they will be stored.
    pub(crate) layers: Vec<Vec<u8>>,
    /// The digests of the uncompressed layers.
    pub(crate) diff_ids: Vec<String>,
}

impl Image {
    /// An image of uncompressed layers, given as text; its config has fields that are not in OCI.
    #[track_caller]
    pub(crate) fn new(tags: &[&str], layers: &[&str]) -> Self {
        Self::of_layers(tags, layers.iter().map(|it| layer(it)).collect())
    }

    /// An image of uncompressed layers, given as tars.
    pub(crate) fn of_layers(tags: &[&str], layers: Vec<Vec<u8>>) -> Self {
        let diff_ids: Vec<String> = layers.iter().map(|it| digest(it)).collect();
        let history: Vec<Value> = (1..=layers.len())
            .map(|n| json!({"created": "2024-02-03T04:05:06.789012345Z", "created_by": format!("COPY {n} <&> /")}))
            .collect();
        let config = json!({
            "architecture": "amd64",
            "config": {
                "Cmd": null,
                "Env": ["PATH=/bin:/usr/bin"],
                "Healthcheck": {"Test": ["CMD", "/up"], "Interval": 1_000_000_000},
                "Labels": {"tags": tags.join(" ")},
                "OnBuild": null,
            },
            "created": "2024-02-03T04:05:06.789012345Z",
            "docker_version": "20.10.24",
            "history": history,
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        Self {
            tags: tags.iter().map(|&it| it.to_owned()).collect(),
            config: config.to_string().into_bytes(),
            layers,
            diff_ids,
        }
    }

    /// The image with its layers stored in another form. They must be uncompressed.
    pub(crate) fn stored_as(mut self, codec: Codec) -> Self {
        for layer in &mut self.layers {
            *layer = codec.compress(layer);
        }
        self
    }

    /// The image with its config changed.
    pub(crate) fn with_config(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        let mut config = serde_json::from_slice(&self.config).expect("a config is JSON");
        edit(&mut config);
        self.config = config.to_string().into_bytes();
        self
    }

    /// The image id.
    pub(crate) fn id(&self) -> String {
        digest(&self.config)
    }

    /// The part that no conversion changes, as the reader will report it.
    pub(crate) fn facts(&self) -> Facts {
        let mut tags: Vec<String> = self.tags.iter().map(|it| full(it)).collect();
        tags.sort();
        let config = String::from_utf8(self.config.clone()).expect("a config is UTF-8");
        (tags, config, self.diff_ids.clone())
    }
}

/// An element of `manifest.json`.
fn element(image: &Image, config: &str, layers: &[String]) -> Value {
    let tags = if image.tags.is_empty() {
        Value::Null
    } else {
        json!(image.tags)
    };
    json!({"Config": config, "RepoTags": tags, "Layers": layers})
}

/// `repositories`, with the id that `top` returns for each image.
fn repositories(images: &[Image], top: impl Fn(usize, &Image) -> String) -> Vec<u8> {
    let mut map: BTreeMap<&str, BTreeMap<&str, String>> = BTreeMap::new();
    for (number, image) in images.iter().enumerate() {
        for (repository, tag) in image.tags.iter().filter_map(|it| split(it)) {
            map.entry(repository)
                .or_default()
                .insert(tag, top(number, image));
        }
    }
    format!("{}\n", json!(map)).into_bytes()
}

/// A docker-archive in the form of Docker 1.10 to 24: a repeated layer is a symlink to the first.
pub(crate) fn docker(images: &[Image]) -> Vec<Member> {
    let directory =
        |image: &Image, n: usize| hex(&digest(format!("{}{n}", image.id()).as_bytes())).to_owned();
    let mut first: BTreeMap<&str, String> = BTreeMap::new();
    let mut members = Vec::new();
    let mut manifest = Vec::new();
    for image in images {
        let mut layers = Vec::new();
        for (n, (stored, diff_id)) in image.layers.iter().zip(&image.diff_ids).enumerate() {
            let id = directory(image, n);
            let name = format!("{id}/layer.tar");
            members.push(Member::Directory(format!("{id}/")));
            members.push(Member::file(format!("{id}/VERSION"), "1.0"));
            members.push(Member::file(
                format!("{id}/json"),
                json!({"id": id}).to_string(),
            ));
            match first.get(diff_id.as_str()) {
                Some(other) => members.push(Member::Symlink(name.clone(), format!("../{other}"))),
                None => members.push(Member::file(name.clone(), stored.clone())),
            }
            first.entry(diff_id).or_insert_with(|| name.clone());
            layers.push(name);
        }
        let config = format!("{}.json", hex(&image.id()));
        members.push(Member::file(config.clone(), image.config.clone()));
        manifest.push(element(image, &config, &layers));
    }
    members.push(Member::file(
        "manifest.json",
        format!("{}\n", json!(manifest)),
    ));
    if images.iter().any(|it| !it.tags.is_empty()) {
        let top = |_, image: &Image| directory(image, image.layers.len().wrapping_sub(1));
        members.push(Member::file("repositories", repositories(images, top)));
    }
    members
}

/// A layer unchanged, or with gzip if it is uncompressed.
fn gzipped(stored: &[u8]) -> Vec<u8> {
    match Codec::of(stored) {
        Codec::Plain => Codec::Gzip.compress(stored),
        _ => stored.to_vec(),
    }
}

/// A docker-archive in the form of crane, ko and kaniko.
pub(crate) fn crane(images: &[Image]) -> Vec<Member> {
    let mut members = Vec::new();
    let mut manifest = Vec::new();
    let mut written = BTreeSet::new();
    for image in images {
        members.push(Member::file(image.id(), image.config.clone()));
        let mut layers = Vec::new();
        for stored in &image.layers {
            let stored = gzipped(stored);
            let name = format!("{}.tar.gz", hex(&digest(&stored)));
            if written.insert(name.clone()) {
                members.push(Member::file(name.clone(), stored));
            }
            layers.push(name);
        }
        manifest.push(element(image, &image.id(), &layers));
    }
    members.push(Member::file("manifest.json", json!(manifest).to_string()));
    members
}

/// A docker-archive in the form of jib: one image, keys in lower case.
pub(crate) fn jib(image: &Image) -> Vec<Member> {
    let mut members = Vec::new();
    let mut layers = Vec::new();
    for stored in &image.layers {
        let stored = gzipped(stored);
        let name = format!("{}.tar.gz", hex(&digest(&stored)));
        members.push(Member::file(name.clone(), stored));
        layers.push(name);
    }
    members.push(Member::file("config.json", image.config.clone()));
    let manifest = json!([{"config": "config.json", "repoTags": image.tags, "layers": layers}]);
    members.push(Member::file("manifest.json", manifest.to_string()));
    members
}

/// A docker-archive in the form of Docker 25 and later: a layout with `manifest.json`.
pub(crate) fn hybrid(images: &[Image]) -> Vec<Member> {
    let mut layout = Layout::default();
    let mut manifest = Vec::new();
    for image in images {
        let descriptor = layout.image(image);
        let tags: Vec<&str> = image.tags.iter().map(String::as_str).collect();
        for tag in &tags {
            let (_, bare) = split(tag).expect("a tag");
            let mut named = descriptor.clone();
            named["annotations"] = json!({
                "io.containerd.image.name": full(tag),
                "org.opencontainers.image.ref.name": bare,
            });
            layout.index.push(named);
        }
        let path = |digest: &str| format!("blobs/sha256/{}", hex(digest));
        let layers: Vec<String> = image.layers.iter().map(|it| path(&digest(it))).collect();
        manifest.push(element(image, &path(&image.id()), &layers));
    }
    let mut members = layout.members();
    members.push(Member::file(
        "manifest.json",
        format!("{}\n", json!(manifest)),
    ));
    let top = |_, image: &Image| image.diff_ids.last().map_or("", |it| hex(it)).to_owned();
    members.push(Member::file("repositories", repositories(images, top)));
    members
}

/// A docker-archive in the form of Docker before 1.10: no `manifest.json`, a directory per image.
///
/// `images` are the JSON of each with its layer, and `tags` the reference and id of each tag.
pub(crate) fn v1(images: &[(Value, Vec<u8>)], tags: &[(&str, String)]) -> Vec<Member> {
    let mut members = Vec::new();
    for (image, layer) in images {
        let id = image["id"].as_str().expect("a v1 image has an id");
        members.push(Member::Directory(format!("{id}/")));
        members.push(Member::file(format!("{id}/VERSION"), "1.0"));
        members.push(Member::file(format!("{id}/json"), image.to_string()));
        members.push(Member::file(format!("{id}/layer.tar"), layer.clone()));
    }
    let mut map: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for (reference, id) in tags {
        let (repository, tag) = split(reference).expect("a tag");
        map.entry(repository).or_default().insert(tag, id);
    }
    members.push(Member::file("repositories", json!(map).to_string()));
    members
}

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An OCI layout under construction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    /// The blobs by digest.
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    /// The descriptors of `index.json`.
    pub(crate) index: Vec<Value>,
}

impl Layout {
    /// Adds a blob and returns its descriptor.
    pub(crate) fn put(&mut self, media_type: &str, bytes: impl Into<Vec<u8>>) -> Value {
        let bytes = bytes.into();
        let digest = digest(&bytes);
        let descriptor = json!({"mediaType": media_type, "digest": digest, "size": bytes.len()});
        self.blobs.insert(digest, bytes);
        descriptor
    }

    /// Adds a document and returns its descriptor.
    pub(crate) fn document(&mut self, document: &Value) -> Value {
        let media_type = document["mediaType"]
            .as_str()
            .expect("the document says what it is");
        self.put(media_type, document.to_string())
    }

    /// Adds the config, the layers and the manifest of an image, and returns the descriptor of the
    /// manifest.
    pub(crate) fn image(&mut self, image: &Image) -> Value {
        let config = self.put(CONFIG, image.config.clone());
        let layer = |it: &Vec<u8>| {
            let suffix = match Codec::of(it) {
                Codec::Plain => "",
                Codec::Gzip => "+gzip",
                Codec::Zstd => "+zstd",
                Codec::Xz => "+xz",
                Codec::Bzip2 => "+bzip2",
            };
            self.put(&format!("{LAYER}{suffix}"), it.clone())
        };
        let layers: Vec<Value> = image.layers.iter().map(layer).collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers,
        });
        self.document(&manifest)
    }

    /// Adds an image and one descriptor per tag to `index.json`, with names like podman and
    /// `restow`.
    pub(crate) fn add(&mut self, image: &Image) {
        let descriptor = self.image(image);
        if image.tags.is_empty() {
            self.index.push(descriptor.clone());
        }
        for tag in &image.tags {
            self.add_named(&descriptor, &familiar(tag));
        }
    }

    /// Adds a descriptor to `index.json` under a name.
    pub(crate) fn add_named(&mut self, descriptor: &Value, name: &str) {
        let mut descriptor = descriptor.clone();
        descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        self.index.push(descriptor);
    }

    /// Adds an index of manifests and returns its descriptor.
    pub(crate) fn nested(&mut self, manifests: &[Value]) -> Value {
        self.document(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}))
    }

    /// Adds an attestation of a manifest by `BuildKit`, and returns its descriptor for the same
    /// index.
    pub(crate) fn attestation(&mut self, subject: &Value) -> Value {
        let statement = self.put("application/vnd.in-toto+json", r#"{"_type":"statement"}"#);
        let config = json!({
            "architecture": "unknown", "os": "unknown", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [statement["digest"]]},
        });
        let config = self.put(CONFIG, config.to_string());
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [statement],
        });
        let mut descriptor = self.document(&manifest);
        descriptor["annotations"] = json!({
            "vnd.docker.reference.digest": subject["digest"],
            "vnd.docker.reference.type": "attestation-manifest",
        });
        descriptor["platform"] = json!({"architecture": "unknown", "os": "unknown"});
        descriptor
    }

    /// Adds an artifact that refers to a manifest, in the form of cosign and oras.
    pub(crate) fn referrer(&mut self, subject: &Value) -> Value {
        let signature = self.put("application/vnd.example.signature", "signed");
        let config = self.put("application/vnd.oci.empty.v1+json", "{}");
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "artifactType": "application/vnd.example.signature",
            "config": config, "layers": [signature], "subject": subject,
            "annotations": {"org.example.by": "someone"},
        });
        let mut descriptor = self.document(&manifest);
        descriptor["artifactType"] = json!("application/vnd.example.signature");
        descriptor
    }

    /// The layout as the members of a tar, in the order of names.
    pub(crate) fn members(&self) -> Vec<Member> {
        let mut members = vec![
            Member::Directory("blobs/".to_owned()),
            Member::Directory("blobs/sha256/".to_owned()),
        ];
        for (digest, bytes) in &self.blobs {
            members.push(Member::file(
                format!("blobs/sha256/{}", hex(digest)),
                bytes.clone(),
            ));
        }
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": self.index});
        members.push(Member::file("index.json", index.to_string()));
        members.push(Member::file(
            "oci-layout",
            r#"{"imageLayoutVersion": "1.0.0"}"#,
        ));
        members
    }
}
