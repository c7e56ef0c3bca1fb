//! What a conversion has to do, found out before anything is written.

use std::collections::{HashMap, HashSet};

use crate::digest::Digest;
use crate::error::{Error, Place, Result};
use crate::event::{Warning, Watch};
use crate::format::source::{Artifact, Content, Image, ImageSource, IndexContent, Layer, Root};
use crate::format::{Member, absence};
use crate::image::Descriptor;
use crate::image::media_type::LayerType;
use crate::ops::coding::Coding;
use crate::ops::job::Job;
use crate::ops::select::Selection;
use crate::stream::{Compression, Hashed, Recoding};

/// One thing that goes into the output, under all of its names.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    /// What messages call it.
    pub(super) name: String,
    /// The descriptor that points to it, if it is a blob.
    pub(super) descriptor: Option<Descriptor>,
    /// What it holds.
    pub(super) content: Content,
    /// Digests of what was left out of it.
    pub(super) gone: Vec<Digest>,
    /// Its names in the input.
    pub(super) roots: Vec<&'a Root>,
}

impl<'a> Piece<'a> {
    /// Takes what stands under these roots, which are names of one thing.
    pub(super) fn new(content: Content, roots: Vec<&'a Root>) -> Self {
        Self {
            name: roots[0].display_name(),
            descriptor: roots[0].descriptor.clone(),
            content,
            gone: Vec::new(),
            roots,
        }
    }

    /// Reads what stands under these roots.
    pub(super) fn load(source: &dyn ImageSource, roots: Vec<&'a Root>) -> Result<Self> {
        Ok(Self::new(source.load(roots[0])?, roots))
    }

    /// Reads the one thing that was chosen.
    ///
    /// A part of an index keeps the names of that, if it is an image or an index
    /// itself; a warning says that its attestations are left out.
    pub(super) fn load_chosen(
        source: &dyn ImageSource,
        selection: Selection<'a>,
        watch: &Watch<'_>,
    ) -> Result<Self> {
        let piece = Self::load(source, selection.roots)?;
        match selection.part {
            Some(part) => piece.into_part(&part, watch),
            None => Ok(piece),
        }
    }

    /// Takes a part of an index.
    fn into_part(self, part: &Digest, watch: &Watch<'_>) -> Result<Self> {
        let mut gone = self.digests();
        let Content::Index(index) = self.content else {
            return Err(Error::NoImage);
        };
        let is_attested = has_attestation(&index, part);
        let (content, descriptor) = find_part(*index, part).ok_or(Error::NoImage)?;
        if let Some(absence) = absence(&content, &self.name) {
            return Err(absence);
        }
        let is_image = matches!(content, Content::Image(_) | Content::Index(_));
        if is_attested && is_image {
            watch.warn(Warning::LeftOut {
                what: "the attestations".to_owned(),
                name: self.name.clone(),
                reason: "one part of its index was chosen",
            });
        }
        let mut piece = Self {
            name: format!("{}@{part}", self.name),
            descriptor: Some(descriptor),
            content,
            gone: Vec::new(),
            roots: self.roots,
        };
        // An attestation or a signature was chosen for itself.
        if is_image {
            let kept = piece.digests();
            gone.retain(|digest| !kept.contains(digest));
            piece.gone = gone;
        }
        Ok(piece)
    }

    /// Whether it speaks of something else, as a signature does.
    pub(super) fn is_referrer(&self) -> bool {
        self.content.subject().is_some()
    }

    /// Whether it goes without the names of its roots, which are those of an image: a
    /// part of an index that is not an image.
    pub(super) fn is_nameless_part(&self) -> bool {
        let is_image = matches!(self.content, Content::Image(_) | Content::Index(_));
        let digest = self.descriptor.as_ref().map(Descriptor::digest);
        !is_image && digest != self.roots[0].target_digest()
    }

    /// The digests of all manifests and indexes in it.
    pub(super) fn digests(&self) -> Vec<Digest> {
        let mut digests = Vec::new();
        collect_digests(&self.content, self.descriptor.as_ref(), &mut digests);
        digests
    }
}

/// Whether an index has an attestation of one of its parts.
fn has_attestation(index: &IndexContent, part: &Digest) -> bool {
    let descriptors = &index.index.view().manifests;
    let is_attested = |it: &Descriptor| it.attested().as_ref() == Some(part);
    descriptors.iter().any(is_attested)
        || index.children.iter().any(|child| match child {
            Content::Index(index) => has_attestation(index, part),
            _ => false,
        })
}

/// Takes a part out of an index, wherever it is in there.
fn find_part(index: IndexContent, part: &Digest) -> Option<(Content, Descriptor)> {
    let descriptors = index.index.view().manifests.clone();
    let mut children = index.children.into_iter().zip(descriptors);
    children.find_map(|(child, descriptor)| match child {
        child if descriptor.digest() == part => Some((child, descriptor)),
        Content::Index(index) => find_part(*index, part),
        _ => None,
    })
}

/// Collects the digests of a manifest, or of an index and all that is under it.
pub(super) fn collect_digests(
    content: &Content,
    descriptor: Option<&Descriptor>,
    digests: &mut Vec<Digest>,
) {
    digests.extend(descriptor.map(|descriptor| descriptor.digest().clone()));
    if let Content::Index(index) = content {
        let descriptors = &index.index.view().manifests;
        for (child, descriptor) in index.children.iter().zip(descriptors) {
            collect_digests(child, Some(descriptor), digests);
        }
    }
}

/// All blobs that have to be moved, each once, in the order in which they are met.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    list: Vec<Job>,
    by_key: HashMap<Key, usize>,
}

/// What was made for the output before, out of layers of the only piece that is an
/// image.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// The new blobs.
    pub(super) blobs: Vec<Digest>,
    /// For each layer of the image where it, or the uppermost that it was made of,
    /// stands in the input, counted from 1.
    pub(super) positions: Vec<usize>,
    /// How many layers the image has in the input.
    pub(super) count: usize,
}

impl Made {
    /// Whether nothing was made.
    pub(super) fn is_empty(&self) -> bool {
        self.blobs.is_empty()
    }

    /// What a message calls a layer: where it stands in the input.
    fn place(&self, at: usize, count: usize, name: &str) -> Place {
        let (position, count) = match self.positions.get(at) {
            Some(position) => (*position, self.count),
            None => (at + 1, count),
        };
        Place::Layer {
            position,
            count,
            image: name.to_owned(),
        }
    }
}

type Key = (Member, Option<Recoding>, Option<Digest>);

impl Jobs {
    /// Collects the blobs of these pieces, but for those that were made anew.
    ///
    /// # Errors
    ///
    /// Fails if an image is not whole, unless it is one of several in an index of
    /// which another one is.
    pub(super) fn collect(
        pieces: &[Piece<'_>],
        coding: Coding,
        made: &Made,
        watch: &Watch<'_>,
    ) -> Result<Self> {
        let mut jobs = Self::default();
        for piece in pieces {
            let mut absent = Absent::new(made);
            jobs.add(&piece.content, &piece.name, coding, &mut absent);
            if let (0, Some(place)) = (absent.whole_images, absent.first_layer) {
                return Err(Error::LayerAbsent.while_reading(place));
            }
            if let Some((first, others)) = absent.blobs.split_first() {
                watch.warn(Warning::BlobsAbsent {
                    name: piece.name.clone(),
                    first: first.clone(),
                    others: others.len(),
                });
            }
            // What was made anew has labels that are true.
            if made.is_empty() {
                warn_of_labels(&piece.content, &piece.name, coding, watch);
            }
        }
        let mut readers: HashMap<Member, usize> = HashMap::new();
        for job in &jobs.list {
            *readers.entry(job.member.clone()).or_default() += 1;
        }
        let mut sizes: HashMap<Digest, u64> = HashMap::new();
        let mut disputed: HashSet<Digest> = HashSet::new();
        for known in jobs.list.iter().filter_map(Job::known) {
            let size = *sizes.entry(known.digest.clone()).or_insert(known.size);
            if size != known.size {
                disputed.insert(known.digest);
            }
        }
        for job in &mut jobs.list {
            job.is_only_reader = readers[&job.member] == 1;
            let known = job.known();
            job.is_disputed = known.is_some_and(|known| disputed.contains(&known.digest));
        }
        Ok(jobs)
    }

    fn add(&mut self, content: &Content, name: &str, coding: Coding, absent: &mut Absent<'_>) {
        match content {
            Content::Image(image) => self.add_image(image, name, coding, absent),
            Content::Index(index) => {
                for child in &index.children {
                    self.add(child, name, coding, absent);
                }
            }
            Content::Artifact(artifact) => self.add_artifact(artifact, absent),
            Content::Opaque { descriptor, blob } => {
                self.add_blob(descriptor, blob.as_ref(), absent);
            }
        }
    }

    fn add_image(&mut self, image: &Image, name: &str, coding: Coding, absent: &mut Absent<'_>) {
        absent.whole_images += usize::from(image.is_whole());
        for (at, layer) in image.layers.iter().enumerate() {
            let place = absent.made.place(at, image.layers.len(), name);
            let descriptor = layer.descriptor.as_ref();
            let Some(member) = &layer.blob else {
                if !layer.may_be_absent()
                    && let Some(descriptor) = descriptor
                    && !absent.made.blobs.contains(descriptor.digest())
                {
                    absent.blobs.push(descriptor.digest().clone());
                    absent.first_layer.get_or_insert(place);
                }
                continue;
            };
            self.push(Job::of_layer(layer, member, coding.recoding(layer), place));
        }
    }

    fn add_artifact(&mut self, artifact: &Artifact, absent: &mut Absent<'_>) {
        for (descriptor, blob) in &artifact.blobs {
            self.add_blob(descriptor, blob.as_ref(), absent);
        }
    }

    fn add_blob(
        &mut self,
        descriptor: &Descriptor,
        blob: Option<&Member>,
        absent: &mut Absent<'_>,
    ) {
        let Some(member) = blob else {
            if !descriptor.has_urls() && descriptor.data().is_none() {
                absent.blobs.push(descriptor.digest().clone());
            }
            return;
        };
        self.push(Job {
            member: member.clone(),
            compression: Compression::None,
            recoding: None,
            digest: Some(descriptor.digest().clone()),
            diff_ids: Vec::new(),
            place: Place::Blob(descriptor.digest().clone()),
            is_only_reader: false,
            is_disputed: false,
        });
    }

    /// Adds a job, or what it verifies to one that does the same.
    fn push(&mut self, job: Job) {
        let key = (job.member.clone(), job.recoding, job.digest.clone());
        if let Some(at) = self.by_key.get(&key) {
            let same = &mut self.list[*at];
            if same.diff_ids.is_empty() {
                same.compression = job.compression;
            }
            for expected in job.diff_ids {
                if !same
                    .diff_ids
                    .iter()
                    .any(|(diff_id, _)| *diff_id == expected.0)
                {
                    same.diff_ids.push(expected);
                }
            }
        } else {
            self.by_key.insert(key, self.list.len());
            self.list.push(job);
        }
    }

    pub(super) fn list(&self) -> &[Job] {
        &self.list
    }

    pub(super) fn list_mut(&mut self) -> &mut [Job] {
        &mut self.list
    }

    /// The number of the job that moves a layer.
    pub(super) fn of_layer(&self, layer: &Layer, coding: Coding) -> Option<usize> {
        let digest = layer.descriptor.as_ref().map(|d| d.digest().clone());
        let key = (layer.blob.clone()?, coding.recoding(layer), digest);
        self.by_key.get(&key).copied()
    }

    /// What each job will write, if that is known of all.
    pub(super) fn known(&self) -> Option<Vec<Hashed>> {
        self.list.iter().map(Job::known).collect()
    }
}

/// What the input lacks.
#[derive(Debug)]
struct Absent<'a> {
    /// What the output has all the same.
    made: &'a Made,
    blobs: Vec<Digest>,
    first_layer: Option<Place>,
    whole_images: usize,
}

impl<'a> Absent<'a> {
    fn new(made: &'a Made) -> Self {
        Self {
            made,
            blobs: Vec::new(),
            first_layer: None,
            whole_images: 0,
        }
    }
}

/// Says where the media type of a layer that stays is not what its bytes are.
fn warn_of_labels(content: &Content, name: &str, coding: Coding, watch: &Watch<'_>) {
    match content {
        Content::Index(index) => {
            for child in &index.children {
                warn_of_labels(child, name, coding, watch);
            }
        }
        Content::Image(image) if !coding.changes(image) => {
            for (at, layer) in image.layers.iter().enumerate() {
                let label = layer.descriptor.as_ref().map(Descriptor::media_type);
                let claimed = label.and_then(LayerType::of);
                let is_true =
                    claimed.is_none_or(|claimed| claimed.compression == layer.compression);
                if let (Some(label), false) = (label, is_true) {
                    watch.warn(Warning::Mislabelled {
                        position: at + 1,
                        count: image.layers.len(),
                        name: name.to_owned(),
                        label: label.to_owned(),
                        bytes: match layer.compression {
                            Compression::None => "not compressed",
                            Compression::Gzip => "gzip",
                            Compression::Zstd => "zstd",
                            Compression::Xz => "xz",
                            Compression::Bzip2 => "bzip2",
                        },
                    });
                }
            }
        }
        _ => {}
    }
}
