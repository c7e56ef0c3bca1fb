//! The plan of a conversion, made before anything is written.

use std::collections::{HashMap, HashSet};

use crate::digest::Digest;
use crate::error::{Error, Place, Result};
use crate::event::{Warning, Watch};
use crate::format::Member;
use crate::format::source::{Content, Image, Layer, LayerBytes, NamedBlob};
use crate::image::Descriptor;
use crate::image::media_type::LayerType;
use crate::stream::{Compression, Encoding, Hashed};
use crate::transfer::blob_job::BlobJob;
use crate::transfer::compression::CompressionPolicy;
use crate::transfer::item::TransferItem;

/// All blobs to transfer, each once, in the order of their first use.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    list: Vec<BlobJob>,
    /// The layers that are left out of the output.
    omitted: Vec<OmittedBlob>,
    by_key: HashMap<Key, usize>,
    by_digest: HashMap<SharedKey, usize>,
}

/// A layer that is left out of the output.
#[derive(Debug)]
struct OmittedBlob {
    /// The number of jobs that come before it.
    before: usize,
    blob: Member,
    digest: Digest,
}

type Key = (Member, Option<Encoding>, Option<Digest>);

/// The digest and size of a blob, and its encoding in the output.
type SharedKey = (Digest, u64, Option<Encoding>);

impl Jobs {
    /// Collects the blobs of these items that are in the input.
    ///
    /// # Errors
    ///
    /// Fails if an image is incomplete, unless it is one of several in an index and
    /// another one is complete.
    pub(crate) fn collect(
        items: &[TransferItem<'_>],
        policy: CompressionPolicy,
        watch: &Watch<'_>,
    ) -> Result<Self> {
        let mut jobs = Self::default();
        for item in items {
            let mut absent = Absent::default();
            jobs.add(&item.content, &item.name, policy, &mut absent);
            if let Some((place, archive)) = absent.left_out {
                return Err(Error::LayerNotCarried(archive).while_reading(place));
            }
            if let Some(error) = item.content.absence(&item.name) {
                return Err(error);
            }
            if let Some((first, others)) = absent.blobs.split_first() {
                watch.warn(Warning::BlobsAbsent {
                    name: item.name.clone(),
                    first: first.clone(),
                    others: others.len(),
                });
            }
            for media_type in absent.unread {
                let name = item.name.clone();
                watch.warn(Warning::NotFollowed { name, media_type });
            }
            warn_of_labels(&item.content, &item.name, policy, watch);
        }
        let mut readers: HashMap<Member, usize> = HashMap::new();
        for job in &jobs.list {
            *readers.entry(job.member.clone()).or_default() += 1;
        }
        let mut copies: HashMap<Digest, HashSet<Member>> = HashMap::new();
        for job in &jobs.list {
            if let Some(known) = job.known() {
                let copies = copies.entry(known.digest).or_default();
                copies.insert(job.member.clone());
            }
        }
        for job in &mut jobs.list {
            job.is_last_use = readers[&job.member] == 1;
            let known = job.known();
            job.has_other_copy = known.is_some_and(|known| copies[&known.digest].len() > 1);
        }
        Ok(jobs)
    }

    fn add(
        &mut self,
        content: &Content,
        name: &str,
        policy: CompressionPolicy,
        absent: &mut Absent,
    ) {
        match content {
            Content::Image(image) => self.add_image(image, name, policy, absent),
            Content::Index(index) => {
                for child in &index.children {
                    self.add(child, name, policy, absent);
                }
                self.add_blobs(&index.others, absent);
            }
            Content::Artifact(artifact) => self.add_blobs(&artifact.blobs, absent),
            Content::Opaque {
                descriptor,
                blob,
                document,
            } => {
                self.add_blob(descriptor, blob.as_ref(), absent);
                match (document, blob) {
                    (Some(document), _) => self.add_blobs(&document.blobs, absent),
                    (None, Some(_)) => absent.unread.push(descriptor.media_type().to_owned()),
                    (None, None) => {}
                }
            }
        }
    }

    fn add_image(
        &mut self,
        image: &Image,
        name: &str,
        policy: CompressionPolicy,
        absent: &mut Absent,
    ) {
        let is_always_read = image.has_new_layer();
        for layer in &image.layers {
            let place = layer.place(name);
            match &layer.bytes {
                LayerBytes::Input { blob, .. } => self.push(BlobJob {
                    is_always_read,
                    ..BlobJob::of_layer(layer, blob, policy.encoding(layer), place)
                }),
                LayerBytes::Missing(descriptor) => {
                    absent.blobs.push(descriptor.digest().clone());
                }
                LayerBytes::LeftOut(_, archive) => {
                    let archive = archive.clone();
                    absent.left_out.get_or_insert((place, archive));
                }
                LayerBytes::Omitted { blob, descriptor } => self.omitted.push(OmittedBlob {
                    before: self.list.len(),
                    blob: blob.clone(),
                    digest: descriptor.digest().clone(),
                }),
                LayerBytes::Written(_) | LayerBytes::Elsewhere(_) => {}
            }
        }
        self.add_blobs(&image.others, absent);
    }

    fn add_blobs(&mut self, blobs: &[NamedBlob], absent: &mut Absent) {
        for (descriptor, blob) in blobs {
            self.add_blob(descriptor, blob.as_ref(), absent);
        }
    }

    fn add_blob(&mut self, descriptor: &Descriptor, blob: Option<&Member>, absent: &mut Absent) {
        let Some(member) = blob else {
            if !descriptor.has_urls() && descriptor.data().is_none() {
                absent.blobs.push(descriptor.digest().clone());
            }
            return;
        };
        let digest = descriptor.digest();
        self.push(BlobJob {
            digest: Some(digest.clone()),
            ..BlobJob::new(member, Place::Blob(digest.clone()))
        });
    }

    /// Adds a job, or its checks to an existing job that does the same.
    fn push(&mut self, job: BlobJob) {
        let key = (job.member.clone(), job.encoding, job.digest.clone());
        let shared = job.stored_digest();
        let shared = shared.map(|digest| (digest, job.member.size, job.encoding));
        // Of a blob in several sources, the first copy is transferred, and no other is read:
        // nothing of it gets into the output. Of several copies in one source, all are: the
        // first is transferred, the others are compared.
        let in_other_source = || {
            let at = *self.by_digest.get(shared.as_ref()?)?;
            (self.list[at].member.origin != job.member.origin).then_some(at)
        };
        let at = self.by_key.get(&key).copied().or_else(in_other_source);
        if let Some(at) = at {
            self.by_key.insert(key, at);
            let same = &mut self.list[at];
            same.is_always_read |= job.is_always_read;
            if same.diff_ids.is_empty() {
                same.compression = job.compression;
            }
            for expected in job.diff_ids {
                let mut held = same.diff_ids.iter();
                if held.all(|(diff_id, _)| *diff_id != expected.0) {
                    same.diff_ids.push(expected);
                }
            }
        } else {
            let at = self.list.len();
            if let Some(shared) = shared {
                self.by_digest.entry(shared).or_insert(at);
            }
            self.by_key.insert(key, at);
            self.list.push(job);
        }
    }

    pub(crate) fn list(&self) -> &[BlobJob] {
        &self.list
    }

    pub(crate) fn list_mut(&mut self) -> &mut [BlobJob] {
        &mut self.list
    }

    /// The numbers of all jobs, in the order of their blobs in the input, or in an order
    /// of their digests.
    pub(crate) fn in_order(&self, wanted: &[Digest]) -> Vec<usize> {
        let places: HashMap<&Digest, usize> = wanted.iter().zip(0..).collect();
        let mut order: Vec<usize> = (0..self.list.len()).collect();
        order.sort_by_key(|at| {
            let job = &self.list[*at];
            let known = job.known().map(|known| known.digest);
            let digest = job.digest.as_ref().or(known.as_ref());
            let place = digest.and_then(|digest| places.get(digest).copied());
            let member = &job.member;
            (place.unwrap_or(usize::MAX), member.origin, member.position)
        });
        order
    }

    /// The digests of all blobs, given those that are written, as if none were left out:
    /// in the order in which they would be written.
    pub(crate) fn whole_order(&self, written: &[Hashed]) -> Vec<Digest> {
        let jobs = self.list.iter().zip(written).enumerate();
        let jobs = jobs.map(|(at, (job, hashed))| ((at, true), &job.member, &hashed.digest));
        let omitted = self.omitted.iter();
        let omitted = omitted.map(|it| ((it.before, false), &it.blob, &it.digest));
        let mut all: Vec<_> = jobs.chain(omitted).collect();
        all.sort_by_key(|(at, blob, _)| (blob.origin, blob.position, *at));
        let mut seen = HashSet::new();
        all.retain(|(_, _, digest)| seen.insert(*digest));
        all.into_iter().map(|it| it.2.clone()).collect()
    }

    /// The number of the job that transfers a layer.
    pub(crate) fn of_layer(&self, layer: &Layer, policy: CompressionPolicy) -> Option<usize> {
        let digest = layer.descriptor().map(|it| it.digest().clone());
        let key = (layer.blob()?.clone(), policy.encoding(layer), digest);
        self.by_key.get(&key).copied()
    }

    /// The hashes of all blobs that will be written, if they are all known.
    pub(crate) fn known(&self) -> Option<Vec<Hashed>> {
        self.list.iter().map(BlobJob::known).collect()
    }
}

/// The parts that the input lacks, or that cannot be followed.
#[derive(Debug, Default)]
struct Absent {
    blobs: Vec<Digest>,
    /// The first layer that was left out of the input on purpose, and the input.
    left_out: Option<(Place, Place)>,
    /// The types of blobs that are not JSON, and may refer to others nevertheless.
    unread: Vec<String>,
}

/// Warns of layers that are kept although their media type does not match their bytes.
/// In a manifest that changes it is corrected.
fn warn_of_labels(content: &Content, name: &str, policy: CompressionPolicy, watch: &Watch<'_>) {
    match content {
        Content::Index(index) => {
            for child in &index.children {
                warn_of_labels(child, name, policy, watch);
            }
        }
        Content::Image(image) if !policy.changes(image) && !image.has_new_layer() => {
            for layer in &image.layers {
                let label = layer.descriptor().map(Descriptor::media_type);
                let claimed = label.and_then(LayerType::of);
                let is_true =
                    claimed.is_none_or(|claimed| claimed.compression == layer.compression);
                if let (Some(label), false) = (label, is_true) {
                    watch.warn(Warning::Mislabelled {
                        layer: layer.place(name),
                        label: label.to_owned(),
                        bytes: match layer.compression {
                            Compression::None => "not compressed",
                            compression => compression.name(),
                        },
                    });
                }
            }
        }
        _ => {}
    }
}
