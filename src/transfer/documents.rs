//! The documents of an output: the original ones if nothing changed, and otherwise new
//! ones that describe the changes.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::format::sink::{Documents, OutputImage, OutputLayer};
use crate::format::source::{Content, Image, IndexContent, Layer, LayerBytes};
use crate::image::media_type::{self, Family, LayerType};
use crate::image::{
    Descriptor, Document, DocumentError, ESTARGZ_TOC, Manifest, Platform, View, new_manifest,
};
use crate::stream::{Compression, Hashed};
use crate::transfer::compression::CompressionPolicy;
use crate::transfer::plan::Jobs;
use crate::transfer::report::WrittenImage;

/// Annotations of a layer that describe its compressed bytes: the tables of contents of
/// eStargz and of zstd:chunked. They become invalid when those bytes change.
const COMPRESSION_ANNOTATIONS: [&str; 7] = [
    ESTARGZ_TOC,
    "io.containers.estargz.uncompressed-size",
    "io.github.containers.zstd-chunked.manifest-checksum",
    "io.github.containers.zstd-chunked.manifest-position",
    "io.github.containers.zstd-chunked.tarsplit-position",
    "io.github.containers.zstd-chunked.tarsplit-checksum",
    "io.github.containers.zstd-chunked.manifest-compressed-size",
];

/// The annotation of an image with zstd layers in an index.
const ZSTD_ANNOTATION: &str = "io.github.containers.compression.zstd";
/// The annotation with the digest of an image's config in an index, by Docker 28.
const CONFIG_ANNOTATION: &str = "config.digest";
/// Annotations in an index that describe the manifest or its layers.
pub(crate) const CONTENT_ANNOTATIONS: [&str; 2] = [ZSTD_ANNOTATION, CONFIG_ANNOTATION];

/// Makes documents from the transferred blobs.
#[derive(Debug)]
pub(crate) struct DocumentBuilder<'a> {
    jobs: &'a Jobs,
    written: &'a [Hashed],
    policy: CompressionPolicy,
    /// All documents of the output, by digest, in the order of writing.
    documents: Documents,
    seen: HashSet<Digest>,
}

impl<'a> DocumentBuilder<'a> {
    pub(crate) fn new(jobs: &'a Jobs, written: &'a [Hashed], policy: CompressionPolicy) -> Self {
        Self {
            jobs,
            written,
            policy,
            documents: Vec::new(),
            seen: HashSet::new(),
        }
    }

    /// The finished documents.
    pub(crate) fn into_documents(self) -> Documents {
        self.documents
    }

    /// Makes the documents of an item, and returns the descriptor of the topmost one.
    ///
    /// `descriptor` points to the item in the input; its other fields are kept.
    pub(crate) fn build(
        &mut self,
        content: &Content,
        descriptor: Option<&Descriptor>,
    ) -> Result<Descriptor> {
        match content {
            Content::Image(image) => self.image(image, descriptor),
            Content::Index(index) => self.index(index, descriptor),
            Content::Artifact(artifact) => {
                let manifest = &artifact.manifest;
                let new = || manifest.descriptor(media_type::OCI_MANIFEST);
                let descriptor = descriptor.cloned().unwrap_or_else(new);
                self.put(descriptor.digest(), manifest.bytes());
                Ok(descriptor)
            }
            Content::Opaque { descriptor, .. } => Ok(descriptor.clone()),
        }
    }

    fn put(&mut self, digest: &Digest, bytes: &[u8]) {
        if self.seen.insert(digest.clone()) {
            self.documents.push((digest.clone(), bytes.to_vec()));
        }
    }

    fn put_new<T: View>(&mut self, value: &Value) -> Result<Document<T>> {
        let document = Document::<T>::from_value(value).map_err(own_document)?;
        self.put(document.digest(), document.bytes());
        Ok(document)
    }

    fn image(&mut self, image: &Image, descriptor: Option<&Descriptor>) -> Result<Descriptor> {
        let family = self.policy.family();
        let config = config_descriptor(image, family);
        self.put(config.digest(), image.config.bytes());
        let layers: Vec<_> = image.layers.iter().map(|layer| self.layer(layer)).collect();
        let relabelled = || -> Vec<Descriptor> {
            let layers = layers.iter().zip(&image.layers);
            let layers = layers.map(|(descriptor, layer)| self.relabelled(descriptor, layer));
            layers.collect()
        };
        if let (Some(manifest), Some(descriptor)) = (&image.manifest, descriptor) {
            let is_same_config = manifest.view().config.digest() == config.digest();
            let is_same = is_same_config && manifest.view().layers == layers;
            let is_same = is_same && image.annotations.is_empty();
            if is_same && !self.policy.changes(image) {
                self.put(descriptor.digest(), manifest.bytes());
                return Ok(descriptor.clone());
            }
            // Its digest changes anyway, so its media types can be corrected.
            let layers: Vec<Value> = relabelled().iter().map(Descriptor::to_json).collect();
            let edited = manifest.edit(|value| {
                value["mediaType"] = family.manifest().into();
                value["config"] = config.to_json();
                value["layers"] = layers.into();
                annotate(value, &image.annotations);
            });
            let edited = edited.map_err(own_document)?;
            self.put(edited.digest(), edited.bytes());
            let moved = descriptor.pointing_to(family.manifest(), edited.digest(), edited.size());
            let moved = match moved.annotation(CONFIG_ANNOTATION) {
                Some(_) => {
                    moved.with_annotation(CONFIG_ANNOTATION, Some(config.digest().to_string()))
                }
                None => moved,
            };
            return Ok(if self.policy.has_zstd(image) {
                moved
            } else {
                marked_as_zstd(moved, false)
            });
        }
        let layers = if self.policy.relabels() {
            relabelled()
        } else {
            layers
        };
        let mut value = new_manifest(family, &config, &layers);
        annotate(&mut value, &image.annotations);
        let manifest: Document<Manifest> = self.put_new(&value)?;
        let new = manifest.descriptor(family.manifest());
        let platform = image.platform().map(Platform::to_json);
        Ok(new.with("platform", platform))
    }

    /// The descriptor of a layer with a media type that matches its bytes.
    fn relabelled(&self, descriptor: &Descriptor, layer: &Layer) -> Descriptor {
        let is_foreign = LayerType::of(descriptor.media_type()).is_some_and(|it| it.is_foreign);
        let label = self.policy.family().layer(LayerType {
            compression: self.policy.compression(layer),
            is_foreign,
        });
        match label {
            Some(label) => descriptor.clone().labelled(&label),
            None => descriptor.clone(),
        }
    }

    /// The descriptor of a layer as written.
    ///
    /// If the bytes are unchanged, so is the descriptor, with all of its fields.
    fn layer(&self, layer: &Layer) -> Descriptor {
        let media_type = || oci_type(self.policy.compression(layer));
        let (descriptor, written) = match &layer.bytes {
            LayerBytes::Input { descriptor, .. } => {
                let job = self.jobs.of_layer(layer, self.policy);
                let job = job.expect("each blob of the input has a job");
                (descriptor.as_ref(), &self.written[job])
            }
            LayerBytes::Written(written) => (None, written),
            LayerBytes::Elsewhere(descriptor)
            | LayerBytes::Missing(descriptor)
            | LayerBytes::LeftOut(descriptor, _)
            | LayerBytes::Omitted { descriptor, .. } => return descriptor.clone(),
        };
        let Hashed { digest, size } = written;
        match descriptor {
            None => Descriptor::new(&media_type(), digest.clone(), *size),
            Some(descriptor) if descriptor.digest() == digest => descriptor.clone(),
            Some(descriptor) => {
                let mut moved = descriptor.pointing_to(&media_type(), digest, *size);
                for key in COMPRESSION_ANNOTATIONS {
                    moved = moved.with_annotation(key, None);
                }
                moved
            }
        }
    }

    fn index(
        &mut self,
        index: &IndexContent,
        descriptor: Option<&Descriptor>,
    ) -> Result<Descriptor> {
        let held = &index.index.view().manifests;
        let children = index.kept.as_ref().unwrap_or(held);
        let mut manifests = Vec::new();
        for (child, descriptor) in index.children.iter().zip(children) {
            manifests.push(self.build(child, Some(descriptor))?);
        }
        let is_same = manifests == *held && !self.policy.changes_index(index.index.view());
        if let (true, Some(descriptor)) = (is_same, descriptor) {
            self.put(descriptor.digest(), index.index.bytes());
            return Ok(descriptor.clone());
        }
        for (child, descriptor) in index.children.iter().zip(&mut manifests) {
            if let Content::Image(image) = child {
                *descriptor = marked_as_zstd(descriptor.clone(), self.policy.has_zstd(image));
            }
        }
        let manifests = without_copies(manifests, children);
        let media_type = self.policy.family().index();
        let edited = index.index.edit(|value| {
            value["mediaType"] = media_type.into();
            value["manifests"] = manifests.iter().map(Descriptor::to_json).collect();
        });
        let edited = edited.map_err(own_document)?;
        self.put(edited.digest(), edited.bytes());
        let new = || edited.descriptor(media_type);
        let base = descriptor.cloned().unwrap_or_else(new);
        Ok(base.pointing_to(media_type, edited.digest(), edited.size()))
    }

    /// The report on some content with this new descriptor.
    pub(crate) fn written(&self, content: &Content, descriptor: &Descriptor) -> WrittenImage {
        let layers = match content {
            Content::Image(image) => image.layers.as_slice(),
            _ => &[],
        };
        let stored = |layer: &&Layer| !matches!(layer.bytes, LayerBytes::Omitted { .. });
        let sizes = layers.iter().filter(stored).map(|it| self.layer(it).size());
        WrittenImage::new(content, descriptor, sizes.fold(0, u64::saturating_add))
    }

    /// The facts about an image for `manifest.json`.
    pub(crate) fn docker_image(&self, image: &Image) -> OutputImage {
        let layer = |layer: &Layer| {
            let descriptor = self.layer(layer);
            OutputLayer {
                diff_id: layer.diff_id.clone(),
                digest: descriptor.digest().clone(),
                source: matches!(layer.bytes, LayerBytes::Elsewhere(_))
                    .then(|| descriptor.to_json().to_string()),
            }
        };
        OutputImage {
            config: image.config.digest().clone(),
            layers: image.layers.iter().map(layer).collect(),
        }
    }
}

/// The descriptor of a config, with its digest in the manifest.
fn config_descriptor(image: &Image, family: Family) -> Descriptor {
    match &image.manifest {
        Some(manifest) => {
            let held = manifest.view().config.clone();
            if held.digest() == image.config.digest() {
                return held.labelled(family.config());
            }
            let (digest, size) = (image.config.digest(), image.config.size());
            held.pointing_to(family.config(), digest, size)
        }
        None => image.config.descriptor(family.config()),
    }
}

/// Adds annotations to a manifest.
fn annotate(manifest: &mut Value, annotations: &[(String, String)]) {
    if annotations.is_empty() {
        return;
    }
    if !manifest["annotations"].is_object() {
        manifest["annotations"] = json!({});
    }
    for (key, value) in annotations {
        manifest["annotations"][key] = value.as_str().into();
    }
}

/// Marks in an index whether an image has zstd layers, as skopeo and podman do, which
/// select images by this mark.
fn marked_as_zstd(descriptor: Descriptor, has_zstd: bool) -> Descriptor {
    let held = descriptor.annotation(ZSTD_ANNOTATION);
    match (held, has_zstd) {
        (Some("true"), true) | (None, false) => descriptor,
        _ => descriptor.with_annotation(ZSTD_ANNOTATION, has_zstd.then(|| "true".to_owned())),
    }
}

/// Removes duplicates of images that were different before and are identical now,
/// because they differed only in the compression of their layers.
fn without_copies(after: Vec<Descriptor>, before: &[Descriptor]) -> Vec<Descriptor> {
    let mut kept: Vec<(Descriptor, &Descriptor)> = Vec::new();
    let mut places: HashMap<Digest, Vec<usize>> = HashMap::new();
    for (after, before) in after.into_iter().zip(before) {
        let places = places.entry(after.digest().clone()).or_default();
        let mut others = places.iter().map(|at| &kept[*at]);
        if others.all(|(other, was)| *other != after || *was == before) {
            places.push(kept.len());
            kept.push((after, before));
        }
    }
    kept.into_iter().map(|(descriptor, _)| descriptor).collect()
}

/// The OCI media type of a layer. A layer that is written has a compression with a name
/// in OCI; one that stays outside keeps its descriptor.
fn oci_type(compression: Compression) -> String {
    let media_type = Family::Oci.layer(LayerType::new(compression));
    media_type.unwrap_or_else(|| media_type::OCI_LAYER.to_owned())
}

/// The error for a document of restow's own that cannot be read, which never happens.
fn own_document(source: DocumentError) -> Error {
    Error::Document {
        what: "a document of the output".to_owned(),
        source,
    }
}
