//! The documents of a delta: one artifact for each new image.

use std::collections::{HashMap, HashSet};
use std::io::BufReader;

use serde_json::json;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::format::sink::{Documents, ImageSink, OutputIndex, OutputRoot};
use crate::format::{CapturedSink, ControlFiles, MARKER};
use crate::image::delta::{
    DELTA, DeltaContent, DeltaFacts, EMPTY_CONTENT, ORDER, TAR_DIFF, delta_manifest,
};
use crate::image::media_type::{DocumentKind, LayerType, OCI_CONFIG, OCI_MANIFEST};
use crate::image::{
    CONTAINERD_NAME, Config, Descriptor, Document, Index, Manifest, Platform, REF_NAME, compact,
};
use crate::ops::delta::layers::Way;
use crate::ops::delta::old_image::OldImage;
use crate::ops::delta::report::{DeltaImage, DeltaLayer, DeltaReport, LayerWay};
use crate::stream::{COPY_BUFFER, FileSlice, Hashed, copy};
use crate::transfer::blob::Transfer;
use crate::transfer::blob_job::BlobJob;

/// The media type of blobs and files that only restow reads.
const BYTES: &str = "application/octet-stream";

/// The depth to which indexes are followed.
const DEPTH_MAX: usize = 8;

/// The artifacts of a delta, and the blobs that they name.
pub(super) struct Artifacts<'a> {
    ways: &'a [Vec<Way>],
    index: OutputIndex,
    /// Artifacts under further names.
    again: Vec<OutputRoot>,
    documents: Documents,
    report: Vec<DeltaImage>,
}

/// An image as the index of the new archive lists it.
struct NewImage {
    root: usize,
    /// True for the first of its root.
    is_first: bool,
    platform: Option<Platform>,
    manifest: Document<Manifest>,
    media_type: String,
    config: Document<Config>,
}

/// The documents of the new archive, by their digests.
type Held<'a> = HashMap<&'a Digest, &'a [u8]>;

impl<'a> Artifacts<'a> {
    /// Makes the artifacts for an archive whose documents were captured.
    pub(super) fn new(
        captured: &CapturedSink,
        olds: &[OldImage<'_>],
        ways: &'a [Vec<Way>],
        order: &[String],
    ) -> Result<Self> {
        let (index, mut files) = captured.index()?;
        files.push((ORDER, compact(&json!(order))));
        let documents = captured.documents();
        let held: Held<'_> = documents
            .iter()
            .map(|(it, bytes)| (it, bytes.as_slice()))
            .collect();
        let mut images = Vec::new();
        for (root, of_root) in index.roots.iter().enumerate() {
            let first = images.len();
            collect(&of_root.descriptor, 0, root, &held, &mut images);
            if let Some(image) = images.get_mut(first) {
                image.is_first = true;
            }
        }
        let mut artifacts = Self {
            ways,
            index: OutputIndex::default(),
            again: Vec::new(),
            documents: Vec::new(),
            report: Vec::new(),
        };
        let mut told = HashMap::new();
        for image in images {
            let root = &index.roots[image.root];
            let digest = image.manifest.digest().clone();
            let at = told.get(&digest).copied().unwrap_or_else(|| {
                let at = artifacts.report.len();
                told.insert(digest, at);
                let extras = (at == 0).then_some((&files, &documents));
                let old = OldImage::for_platform(olds, image.platform.as_ref());
                artifacts.add(&image, (old, &olds[old]), extras);
                at
            });
            artifacts.name(at, root, &image);
        }
        let again = std::mem::take(&mut artifacts.again);
        artifacts.index.roots.extend(again);
        if artifacts.report.is_empty() {
            return Err(Error::NoImage);
        }
        Ok(artifacts)
    }

    fn document(&mut self, bytes: &[u8]) {
        let digest = Digest::of(bytes);
        if self.documents.iter().all(|(held, _)| *held != digest) {
            self.documents.push((digest, bytes.to_vec()));
        }
    }

    /// Adds the artifact for an image. That of the first also has the parts of the
    /// archive that are not of any image.
    fn add(
        &mut self,
        image: &NewImage,
        (old_at, old): (usize, &OldImage<'_>),
        extras: Option<(&ControlFiles, &Documents)>,
    ) {
        let (manifest, config) = (&image.manifest, &image.config);
        let mut layers = vec![
            DeltaContent::Manifest.annotate(manifest.descriptor(&image.media_type)),
            DeltaContent::Config.annotate(config.descriptor(OCI_CONFIG)),
        ];
        self.document(manifest.bytes());
        self.document(config.bytes());
        if let Some((files, documents)) = extras {
            for (path, bytes) in files.iter().filter(|(path, _)| *path != MARKER) {
                let file = Descriptor::new(BYTES, Digest::of(bytes), bytes.len() as u64);
                layers.push(DeltaContent::File((*path).to_owned()).annotate(file));
                self.document(bytes);
            }
            for (digest, bytes) in documents {
                let blob = Descriptor::new(BYTES, digest.clone(), bytes.len() as u64);
                layers.push(DeltaContent::Blob.annotate(blob));
                if self.documents.iter().all(|(held, _)| held != digest) {
                    self.documents.push((digest.clone(), bytes.clone()));
                }
            }
            let ways = self.ways.iter().flatten();
            for way in ways.filter(|way| way.kind.is_none()) {
                let Hashed { digest, size } = way.blob.clone();
                let blob = Descriptor::new(BYTES, digest, size);
                layers.push(DeltaContent::Blob.annotate(blob));
            }
        }
        let mut reused = Vec::new();
        let mut told = Vec::new();
        let mut listed = HashSet::new();
        for layer in &manifest.view().layers {
            let is_of_old = |way: &&Way| way.kind.is_some() && way.old == Some(old_at);
            let mut ways = self.ways.iter().flatten().filter(is_of_old);
            let way = ways.find(|way| way.blob.digest == *layer.digest());
            told.push(told_layer(layer, way));
            let Some(way) = way.filter(|_| listed.insert(layer.digest().clone())) else {
                continue;
            };
            let to = DeltaContent::Layer(layer.digest().clone());
            match (&way.kind, &way.difference) {
                (Some(LayerWay::Difference), Some(difference)) => {
                    let Hashed { digest, size } = difference.clone();
                    layers.push(to.annotate(Descriptor::new(TAR_DIFF, digest, size)));
                }
                (Some(LayerWay::Reused), _) => {
                    let diff_id = way.diff_id.clone().unwrap_or(layer.digest().clone());
                    reused.push((layer.digest().clone(), diff_id));
                }
                _ => {
                    let blob = way.blob.clone();
                    let blob = Descriptor::new(layer.media_type(), blob.digest, blob.size);
                    layers.push(to.annotate(blob));
                }
            }
        }
        let facts = DeltaFacts {
            target: manifest.descriptor(&image.media_type),
            source: old.manifest().cloned(),
            source_config: old.config().clone(),
            reused,
        };
        self.document(EMPTY_CONTENT);
        let artifact = compact(&delta_manifest(&facts, &layers));
        let digest = Digest::of(&artifact);
        let descriptor = Descriptor::new(OCI_MANIFEST, digest, artifact.len() as u64);
        let descriptor = descriptor.with("artifactType", Some(DELTA.into()));
        self.document(&artifact);
        self.report.push(DeltaImage {
            references: Vec::new(),
            id: config.digest().clone(),
            digest: manifest.digest().clone(),
            old_id: old.config().clone(),
            layers: told,
        });
        self.index.roots.push(OutputRoot {
            descriptor,
            reference: None,
            image: None,
        });
    }

    /// Gives an artifact the name of the root that its image is under.
    fn name(&mut self, at: usize, root: &OutputRoot, image: &NewImage) {
        if !image.is_first {
            return;
        }
        let mut named = self.index.roots[at].descriptor.clone();
        let is_named = named.annotation(REF_NAME).is_some();
        for key in [REF_NAME, CONTAINERD_NAME] {
            let value = root.descriptor.annotation(key).map(str::to_owned);
            named = named.with_annotation(key, value);
        }
        self.report[at].references.extend(root.reference.clone());
        let new = OutputRoot {
            descriptor: named,
            reference: root.reference.clone(),
            image: None,
        };
        if is_named {
            self.again.push(new);
        } else {
            self.index.roots[at] = new;
        }
    }

    /// Writes the delta: the documents, and then all blobs that the old images lack.
    pub(super) fn write(
        self,
        sink: &dyn ImageSink,
        captured: &CapturedSink,
        jobs: &[BlobJob],
        transfer: Transfer<'_>,
    ) -> Result<DeltaReport> {
        let sizes = self.documents.iter().map(|(_, bytes)| bytes.len() as u64);
        let mut size: u64 = sizes.sum();
        sink.put_documents(&self.index, self.documents)?;
        let transfer = Transfer { sink, ..transfer };
        let mut written = HashSet::new();
        for (job, ways) in jobs.iter().zip(self.ways) {
            for way in ways.iter().filter(|it| it.kind != Some(LayerWay::Reused)) {
                let blob = way.difference.as_ref().unwrap_or(&way.blob);
                if !written.insert(blob.digest.clone()) {
                    continue;
                }
                size += blob.size;
                match captured.blob(&blob.digest)? {
                    Some(slice) => put(sink, captured, slice, blob, &transfer)?,
                    None => drop(transfer.run(&as_it_is(job))?),
                }
            }
        }
        Ok(DeltaReport {
            format: sink.format(),
            images: self.report,
            size,
        })
    }
}

/// Copies a blob that was captured.
fn put(
    sink: &dyn ImageSink,
    captured: &CapturedSink,
    slice: FileSlice,
    blob: &Hashed,
    transfer: &Transfer<'_>,
) -> Result<()> {
    let mut writer = sink.begin_blob(Some(blob))?;
    let to = writer.place();
    let mut slice = BufReader::with_capacity(COPY_BUFFER, slice);
    let copied = copy(&mut slice, &mut writer, &transfer.context.watch);
    copied.map_err(|error| Error::copy(captured.place(), to, error))?;
    writer.finish(blob)
}

/// Collects the images under a descriptor.
fn collect(
    descriptor: &Descriptor,
    depth: usize,
    root: usize,
    held: &Held<'_>,
    images: &mut Vec<NewImage>,
) {
    let Some(bytes) = held.get(descriptor.digest()).filter(|_| depth <= DEPTH_MAX) else {
        return;
    };
    if DocumentKind::of(descriptor.media_type()) == DocumentKind::Index {
        let index = Document::<Index>::parse(bytes.to_vec()).ok();
        for child in index.iter().flat_map(|index| &index.view().manifests) {
            collect(child, depth + 1, root, held, images);
        }
        return;
    }
    images.extend(image(descriptor, bytes.to_vec(), root, held));
}

/// The image with a manifest, if it is one.
fn image(
    descriptor: &Descriptor,
    bytes: Vec<u8>,
    root: usize,
    held: &Held<'_>,
) -> Option<NewImage> {
    let manifest = Document::<Manifest>::parse(bytes).ok()?;
    let manifest = manifest.hashed_by(descriptor.digest().algorithm());
    let view = manifest.view();
    let has_type = |layer: &Descriptor| LayerType::of(layer.media_type()).is_some();
    let config = held.get(view.config.digest())?;
    let config = Document::<Config>::parse(config.to_vec()).ok()?;
    let config = config.hashed_by(view.config.digest().algorithm());
    let is_image = view.artifact_type.is_none()
        && descriptor.attested().is_none()
        && view.layers.iter().all(has_type)
        && config.view().diff_ids.len() == view.layers.len();
    let platform = descriptor.platform();
    let platform = platform.or_else(|| config.view().platform.clone());
    is_image.then(|| NewImage {
        root,
        is_first: false,
        platform,
        media_type: descriptor.media_type().to_owned(),
        manifest,
        config,
    })
}

fn told_layer(layer: &Descriptor, way: Option<&Way>) -> DeltaLayer {
    let size = layer.size();
    let difference = way.and_then(|way| way.difference.as_ref());
    let kind = way.and_then(|way| way.kind).unwrap_or(LayerWay::Elsewhere);
    DeltaLayer {
        digest: layer.digest().clone(),
        size,
        way: kind,
        delta_size: match (kind, difference) {
            (LayerWay::Difference, Some(difference)) => difference.size,
            (LayerWay::Whole, _) => size,
            _ => 0,
        },
        by_content_size: way.and_then(|way| way.by_content),
    }
}

/// The job that passes a blob on as it is.
fn as_it_is(job: &BlobJob) -> BlobJob {
    BlobJob {
        encoding: None,
        is_last_use: false,
        ..job.clone()
    }
}
