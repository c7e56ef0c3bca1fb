//! Delivery to an output: transfers blobs, makes documents, assigns names.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;

use crate::digest::Digest;
use crate::error::Result;
use crate::event::{Event, Warning};
use crate::format::root::Root;
use crate::format::sink::{Documents, ImageSink, OutputIndex, OutputKind, OutputRoot};
use crate::format::source::{Content, Image, ImageSource, LayerBytes};
use crate::format::{Format, PartialIndex, blob_path, blobs_of_unknown_fields};
use crate::image::{CONTAINERD_NAME, Descriptor, Platform, REF_NAME, Reference};
use crate::stream::{Hashed, Workers};
use crate::transfer::Context;
use crate::transfer::blob::Transfer;
use crate::transfer::blob_job::BlobJob;
use crate::transfer::compression::CompressionPolicy;
use crate::transfer::documents::{CONTENT_ANNOTATIONS, DocumentBuilder};
use crate::transfer::host::image_for_host;
use crate::transfer::item::TransferItem;
use crate::transfer::naming::{Name, Retag, named, remove_repeated, with_label, with_reference};
use crate::transfer::parallel::{STREAMS_MAX, in_parallel};
use crate::transfer::plan::Jobs;
use crate::transfer::referrers::prune;
use crate::transfer::report::{WriteReport, WrittenImage};
use crate::transfer::scanned::ScannedLayers;

/// The same if layers are compressed: each already uses all cores, and a second one
/// fills the gaps during reading.
const ENCODED_STREAMS_MAX: NonZeroUsize = NonZeroUsize::new(2).expect("2 is not 0");

/// Items to deliver to an output.
pub(crate) struct Delivery<'a> {
    /// The source of the items.
    pub(crate) source: &'a dyn ImageSource,
    /// Their destination.
    pub(crate) sink: &'a dyn ImageSink,
    /// The threads that compress layers.
    pub(crate) workers: &'a Workers,
    /// The names in the output, instead of those in the input.
    pub(crate) names: &'a [Name],
    /// Names to replace.
    pub(crate) retag: &'a [Retag],
    /// The platform that a docker archive names of several, instead of the host's.
    pub(crate) preferred: Option<&'a Platform>,
    /// True if the fields of an item in `index.json`, apart from its names, are still
    /// valid.
    pub(crate) keeps_fields: bool,
    /// The rules for layers.
    pub(crate) policy: CompressionPolicy,
    /// The layers that were read before, if any were.
    pub(crate) scanned: Option<&'a ScannedLayers>,
    /// The caller's context.
    pub(crate) context: Context<'a>,
}

impl Delivery<'_> {
    /// Transfers all blobs, writes all documents, and returns a report of them. No part
    /// of the output is visible before it is finished.
    pub(crate) fn run(&self, mut items: Vec<TransferItem<'_>>) -> Result<WriteReport> {
        let watch = &self.context.watch;
        prune(&mut items, self.policy, watch);
        // No engine accepts a docker archive without an image.
        let is_archive = self.sink.format() == Format::DockerArchive;
        if is_archive && !items.iter().any(TransferItem::has_image) {
            return Err(TransferItem::no_image(&items));
        }
        let mut jobs = Jobs::collect(&items, self.policy, watch)?;
        let transfer = Transfer {
            container: self.source.container(),
            sink: self.sink,
            workers: self.workers,
            scanned: self.scanned,
            context: self.context,
        };
        let is_folder = matches!(self.sink.kind(), OutputKind::Folder { .. });
        if !is_folder {
            identify(&mut jobs, &transfer)?;
        }
        // The code that made a layer has already reported the bytes to read of the
        // image's others.
        let is_to_tell = |job: &&BlobJob| !job.is_always_read && transfer.moves_bytes(job);
        let to_read = jobs.list().iter().filter(is_to_tell);
        let bytes: u64 = to_read.map(|job| job.member.size).sum();
        if bytes > 0 {
            watch.send(Event::Started {
                bytes,
                images: Some(items.iter().flat_map(|item| item.content.configs()).count()),
                steps: Some(jobs.list().len()),
            });
        }
        let known = jobs.known().filter(|_| self.sink.takes_documents_first());
        if let Some(known) = known {
            let report = self.put_documents(&items, &jobs, &known)?;
            let order = jobs.in_order(self.source.blob_order());
            let in_order: Vec<Hashed> = order.into_iter().map(|at| known[at].clone()).collect();
            // Temporary files release their space on the way.
            let preallocate = !jobs.list().iter().any(|job| transfer.frees_space(job));
            let is_reserved = self.sink.reserve(&in_order, preallocate)?;
            transfer_all(&jobs, &transfer, self.source.blob_order(), is_reserved)?;
            Ok(report)
        } else {
            let written = transfer_all(&jobs, &transfer, self.source.blob_order(), is_folder)?;
            self.put_documents(&items, &jobs, &written)
        }
    }

    /// Writes all documents, and returns a report of them.
    pub(crate) fn put_documents(
        &self,
        items: &[TransferItem<'_>],
        jobs: &Jobs,
        written: &[Hashed],
    ) -> Result<WriteReport> {
        let mut builder = DocumentBuilder::new(jobs, written, self.policy);
        let mut roots = Vec::new();
        let mut told = Vec::new();
        let places = self.source.roots()?.iter().map(std::ptr::from_ref);
        let places: HashMap<*const Root, usize> = places.zip(0..).collect();
        for item in items {
            let descriptor = builder.build(&item.content, item.descriptor.as_ref())?;
            told.push(builder.written(&item.content, &descriptor));
            let image = self.named_image(item);
            let image = image.map(|image| builder.docker_image(image));
            for (root, descriptor, reference) in self.names(&descriptor, item) {
                let place = places.get(&std::ptr::from_ref(root)).copied();
                let root = OutputRoot {
                    descriptor,
                    reference,
                    image: image.clone(),
                };
                roots.push((place, root));
            }
        }
        // The names of one image need not be adjacent in the input.
        roots.sort_by_key(|(place, _)| *place);
        let mut index = OutputIndex {
            roots: roots.into_iter().map(|(_, root)| root).collect(),
            base: self.source.index().cloned(),
            docker: self.source.docker_part().cloned(),
        };
        if !self.is_between_layouts(self.source) {
            remove_repeated(&mut index, &self.context.watch);
        }
        self.warn_of_parents(items, &index);
        let left_out = left_out(items, &told, written);
        let documents = builder.into_documents();
        self.warn_of_unknown_fields(&documents, written)?;
        if left_out.is_empty() {
            self.sink.put_documents(&index, documents)?;
            return Ok(WriteReport::new(self.sink.format(), &index, told));
        }
        let partial = PartialIndex {
            whole: &index,
            left_out: &left_out,
            blob_order: &jobs.whole_order(written),
            is_named: !self.names.is_empty(),
        };
        let partial = partial.index()?;
        self.sink.put_documents(&partial, documents)?;
        let whole = WriteReport::new(self.sink.format(), &index, told.clone());
        let report = WriteReport::new(self.sink.format(), &partial, told);
        Ok(report.without_names_of(whole))
    }

    /// The descriptors of one image in `index.json`, one for each of its names, and the
    /// root of the input to which each belongs.
    fn names<'p>(
        &self,
        descriptor: &Descriptor,
        item: &TransferItem<'p>,
    ) -> Vec<(&'p Root, Descriptor, Option<Reference>)> {
        if !self.names.is_empty() && !item.is_referrer() {
            let named = named(descriptor, self.names).into_iter();
            let of_piece = |(descriptor, reference)| (item.roots[0], descriptor, reference);
            return named.map(of_piece).collect();
        }
        if item.is_nameless_part() {
            return vec![(item.roots[0], descriptor.clone(), None)];
        }
        let of_root = |root: &&'p Root| {
            let (descriptor, reference) = self.name(root, item, self.in_place_of(root, descriptor));
            (*root, descriptor, reference)
        };
        let mut names: Vec<_> = item.roots.iter().map(of_root).collect();
        if !self.retag.is_empty() {
            // Two names may have become one.
            let mut seen: Vec<(Descriptor, Option<Reference>)> = Vec::new();
            names.retain(|(_, descriptor, reference)| {
                let name = (descriptor.clone(), reference.clone());
                let is_new = !seen.contains(&name);
                seen.push(name);
                is_new
            });
        }
        names
    }

    /// Gives the descriptor of an item the name of a root.
    fn name(
        &self,
        root: &Root,
        item: &TransferItem<'_>,
        descriptor: Descriptor,
    ) -> (Descriptor, Option<Reference>) {
        if let Some(retag) = self.retag.iter().find(|it| it.is_of(root)) {
            return with_reference(&descriptor, &retag.new);
        }
        let is_docker = self.sink.format() == Format::DockerArchive;
        // Unchanged items also keep their names in a docker archive, if Docker and
        // containerd find them by these.
        let is_kept = root.target_digest() == Some(descriptor.digest());
        if self.keeps_names(root) || (is_docker && is_kept && root.is_named_in_index()) {
            return (descriptor, root.reference.clone());
        }
        if let Some(reference) = &root.reference {
            return with_reference(&descriptor, reference);
        }
        let label = root.label.as_deref();
        // What is found by its name in `index.json`, and never loaded, needs no other name:
        // artifacts, and signatures that are named after the digest of an image.
        let is_loaded = item.has_image() && root.signed().is_none();
        if let (Some(label), true) = (label, is_docker && is_loaded) {
            self.context
                .watch
                .warn(Warning::NoRepository(label.to_owned()));
        }
        with_label(&descriptor, label)
    }

    /// True if a name is kept literally: from one layout to another.
    fn keeps_names(&self, root: &Root) -> bool {
        let owner = self.source.owner(root);
        let source = owner.unwrap_or(self.source);
        self.is_between_layouts(source)
    }

    /// True if a source and the output are both layouts, or the source a root filesystem.
    fn is_between_layouts(&self, source: &dyn ImageSource) -> bool {
        let is_docker = |format| format == Format::DockerArchive;
        !is_docker(source.format()) && !is_docker(self.sink.format())
    }

    /// The descriptor in a layout for a root that came from a layout: with all of its
    /// fields, or, for one platform of several, at least the names.
    fn in_place_of(&self, root: &Root, descriptor: &Descriptor) -> Descriptor {
        let Some(held) = &root.descriptor else {
            return descriptor.clone();
        };
        if self.keeps_fields {
            if held.digest() == descriptor.digest() {
                return held.clone();
            }
            let (digest, size) = (descriptor.digest(), descriptor.size());
            let mut moved = held.pointing_to(descriptor.media_type(), digest, size);
            if let (Some(_), Some(platform)) = (held.platform_json(), descriptor.platform_json()) {
                moved = moved.with("platform", Some(platform.clone()));
            }
            // Annotations about the content must describe the new content.
            for key in CONTENT_ANNOTATIONS {
                if held.annotation(key).is_some() {
                    let value = descriptor.annotation(key).map(str::to_owned);
                    moved = moved.with_annotation(key, value);
                }
            }
            return moved;
        }
        let name = |key| held.annotation(key).map(str::to_owned);
        descriptor
            .clone()
            .with_annotation(REF_NAME, name(REF_NAME))
            .with_annotation(CONTAINERD_NAME, name(CONTAINERD_NAME))
    }

    /// The image that `manifest.json` names for an item, if the output has that file.
    fn named_image<'p>(&self, item: &'p TransferItem<'_>) -> Option<&'p Image> {
        if self.sink.format() != Format::DockerArchive {
            return None;
        }
        let watch = &self.context.watch;
        let image = image_for_host(&item.content, &item.name, self.preferred, watch);
        if let Some(image) = image {
            if self.policy.has_zstd(image) {
                watch.warn(Warning::ZstdInDockerArchive(item.name.clone()));
            }
        } else if item.roots.iter().any(|root| root.reference.is_some()) {
            watch.warn(Warning::NotInManifestJson {
                name: item.name.clone(),
                kind: item.content.kind(),
            });
        }
        image
    }

    /// Warns of blobs that are not copied: only unknown fields of `index.json` name them.
    fn warn_of_unknown_fields(&self, documents: &Documents, written: &[Hashed]) -> Result<()> {
        let Some(index) = self.source.index() else {
            return Ok(());
        };
        let documents = documents.iter().map(|(digest, _)| digest);
        let blobs = written.iter().map(|blob| &blob.digest);
        let written: HashSet<&Digest> = documents.chain(blobs).collect();
        let mut lost = Vec::new();
        for digest in blobs_of_unknown_fields(index) {
            if !written.contains(&digest)
                && self.source.container().find(&blob_path(&digest))?.is_some()
            {
                lost.push(digest);
            }
        }
        let others = lost.len().saturating_sub(1);
        if let Some(first) = lost.into_iter().next() {
            let warning = Warning::BlobsOfUnknownField { first, others };
            self.context.watch.warn(warning);
        }
        Ok(())
    }

    /// Warns that the parents of images are lost.
    fn warn_of_parents(&self, items: &[TransferItem<'_>], index: &OutputIndex) {
        let Some(part) = &index.docker else {
            return;
        };
        let images = index.roots.iter().filter_map(|root| root.image.as_ref());
        let held: HashSet<&Digest> = images.map(|image| &image.config).collect();
        let orphans = part.orphans(&held).into_iter();
        let orphans: HashSet<&Digest> = orphans.map(|at| &part.images[at].config).collect();
        let mut lost = items.iter().filter(|item| {
            let mut configs = item.content.configs();
            configs.any(|config| orphans.contains(config))
        });
        if let Some(first) = lost.next() {
            self.context.watch.warn(Warning::ParentLost {
                name: first.name.clone(),
                others: lost.count(),
            });
        }
    }
}

/// The blobs that this operation leaves out of each item, by the item's digest. Those
/// that another item needs are in the output nevertheless.
fn left_out(
    items: &[TransferItem<'_>],
    told: &[WrittenImage],
    written: &[Hashed],
) -> HashMap<Digest, Vec<Digest>> {
    let written: HashSet<&Digest> = written.iter().map(|it| &it.digest).collect();
    let mut all = HashMap::new();
    for (item, image) in items.iter().zip(told) {
        let mut omitted = Vec::new();
        collect_omitted(&item.content, &mut omitted);
        omitted.retain(|digest| !written.contains(digest));
        if !omitted.is_empty() {
            all.insert(image.digest.clone(), omitted);
        }
    }
    all
}

/// Collects the blobs that this operation leaves out of some content, each once.
fn collect_omitted(content: &Content, omitted: &mut Vec<Digest>) {
    match content {
        Content::Image(image) => {
            for layer in &image.layers {
                if let LayerBytes::Omitted { descriptor, .. } = &layer.bytes
                    && !omitted.contains(descriptor.digest())
                {
                    omitted.push(descriptor.digest().clone());
                }
            }
        }
        Content::Index(index) => {
            let children = index.children.iter();
            children.for_each(|child| collect_omitted(child, omitted));
        }
        Content::Artifact(_) | Content::Opaque { .. } => {}
    }
}

/// Hashes blobs whose digests are in no document, so that they can be named before they
/// are written, and the documents can precede them.
fn identify(jobs: &mut Jobs, transfer: &Transfer<'_>) -> Result<()> {
    if jobs.list().iter().any(|job| job.encoding.is_some()) {
        return Ok(());
    }
    for at in jobs.in_order(&[]) {
        if jobs.list()[at].known().is_none() {
            jobs.list_mut()[at].digest = Some(transfer.identify(&jobs.list()[at])?);
        }
    }
    Ok(())
}

/// Transfers all blobs, and returns the hash of each as written.
fn transfer_all(
    jobs: &Jobs,
    transfer: &Transfer<'_>,
    wanted: &[Digest],
    is_parallel: bool,
) -> Result<Vec<Hashed>> {
    let list = jobs.list();
    let mut order = jobs.in_order(wanted);
    // Several threads that only copy would wait for each other, for the file that they
    // write or for the disk.
    let is_work = list.iter().any(|job| transfer.looks_at(job));
    let threads = if transfer.container.is_sequential() || !is_parallel || !is_work {
        NonZeroUsize::MIN
    } else {
        // The longest first, so that none is left over when all others are done.
        order.sort_by_key(|at| std::cmp::Reverse(list[*at].member.size));
        let encodes = list.iter().any(|job| job.encoding.is_some());
        let most = if encodes {
            ENCODED_STREAMS_MAX
        } else {
            STREAMS_MAX
        };
        transfer.context.jobs.min(most)
    };
    in_parallel(order, threads, |at| transfer.run(&list[at]))
}
