//! Into an output: blobs are moved, documents made, names given.

use std::num::NonZeroUsize;

use crate::error::Result;
use crate::event::{Event, Warning};
use crate::format::Format;
use crate::format::sink::{ImageSink, OutputIndex, OutputRoot};
use crate::format::source::{Content, Image, ImageSource, Root};
use crate::image::{CONTAINERD_NAME, Descriptor, REF_NAME, Reference};
use crate::ops::Context;
use crate::ops::coding::Coding;
use crate::ops::naming::{Name, named, remove_repeated, with_label, with_reference};
use crate::ops::parallel::{STREAMS_MAX, in_parallel};
use crate::ops::plan::{Jobs, Made, Piece};
use crate::ops::rebuild::Rebuilder;
use crate::ops::referrers::prune;
use crate::ops::transfer::Transfer;
use crate::stream::{Compression, Hashed, Workers};

/// The same where layers are compressed: each is spread over all cores already,
/// and a second one fills the gaps that reading leaves.
const RECODED_STREAMS_MAX: NonZeroUsize = NonZeroUsize::new(2).expect("2 is not 0");

/// Pieces on their way into an output.
pub(super) struct Delivery<'a> {
    /// Where they come from.
    pub(super) source: &'a dyn ImageSource,
    /// Where they go.
    pub(super) sink: &'a dyn ImageSink,
    /// What compresses layers.
    pub(super) workers: &'a Workers,
    /// The names of the output, in place of those of the input.
    pub(super) names: &'a [Name],
    /// Whether what `index.json` says of a piece beside its names is still true.
    pub(super) keeps_fields: bool,
    /// What becomes of the layers.
    pub(super) coding: Coding,
    /// What was put into the output before.
    pub(super) made: &'a Made,
    /// The caller.
    pub(super) context: Context<'a>,
}

impl Delivery<'_> {
    /// Moves all blobs and writes all documents. What the output holds is not visible
    /// before it is finished.
    pub(super) fn run(&self, mut pieces: Vec<Piece<'_>>) -> Result<()> {
        let watch = &self.context.watch;
        prune(&mut pieces, self.coding, watch);
        let mut jobs = Jobs::collect(&pieces, self.coding, self.made, watch)?;
        let transfer = Transfer {
            container: self.source.container(),
            sink: self.sink,
            workers: self.workers,
            context: self.context,
            was_looked_into: !self.made.is_empty(),
        };
        if !self.sink.is_parallel() {
            identify(&mut jobs, &transfer)?;
        }
        let to_read = jobs.list().iter().filter(|job| transfer.moves_bytes(job));
        let total: u64 = to_read.map(|job| job.member.size).sum();
        if total > 0 && self.made.is_empty() {
            watch.send(Event::Total(total));
        }
        let known = jobs.known().filter(|_| self.made.is_empty());
        if let (Some(known), false) = (known, self.sink.is_parallel()) {
            self.put_documents(&pieces, &jobs, &known, true)?;
            let order = in_input_order(&jobs);
            let in_order: Vec<Hashed> = order.into_iter().map(|at| known[at].clone()).collect();
            let is_reserved = self.sink.reserve(&in_order)?;
            // What lies in temporary files makes room as it goes.
            if is_reserved && !self.source.container().is_own() {
                self.sink.take_room()?;
            }
            transfer_all(&jobs, &transfer, is_reserved)?;
        } else {
            let written = transfer_all(&jobs, &transfer, self.sink.is_parallel())?;
            self.put_documents(&pieces, &jobs, &written, false)?;
        }
        Ok(())
    }

    /// Writes all documents, and says what the output holds: first where blobs
    /// follow, last where they were written.
    fn put_documents(
        &self,
        pieces: &[Piece<'_>],
        jobs: &Jobs,
        written: &[Hashed],
        index_first: bool,
    ) -> Result<()> {
        let mut rebuilder = Rebuilder::new(jobs, written, self.coding);
        let mut index = OutputIndex::default();
        for piece in pieces {
            let descriptor = rebuilder.rebuild(&piece.content, piece.descriptor.as_ref())?;
            let image = match &piece.content {
                Content::Image(image) => {
                    self.warn_of_zstd(image, &piece.name);
                    Some(rebuilder.docker_image(image))
                }
                _ => None,
            };
            for (descriptor, reference) in self.names(&descriptor, piece) {
                index.roots.push(OutputRoot {
                    descriptor,
                    reference,
                    image: image.clone(),
                });
            }
        }
        if !self.keeps_names() {
            remove_repeated(&mut index, &self.context.watch);
        }
        if self.keeps_names() {
            index.base = self.source.index().cloned();
        }
        if index_first {
            self.sink.put_index(&index)?;
            put_all(self.sink, rebuilder)
        } else {
            put_all(self.sink, rebuilder)?;
            self.sink.put_index(&index)
        }
    }

    /// The descriptors of one image in `index.json`, one for each of its names.
    fn names(
        &self,
        descriptor: &Descriptor,
        piece: &Piece<'_>,
    ) -> Vec<(Descriptor, Option<Reference>)> {
        if !self.names.is_empty() && !piece.is_referrer() {
            return named(descriptor, self.names);
        }
        if piece.is_nameless_part() {
            return vec![(descriptor.clone(), None)];
        }
        let of_root = |root: &&Root| {
            if self.keeps_names() {
                return (self.in_place_of(root, descriptor), root.reference.clone());
            }
            if let Some(reference) = &root.reference {
                return with_reference(descriptor, reference);
            }
            let label = root.label.as_deref();
            if let (Some(label), Format::DockerArchive) = (label, self.sink.format()) {
                self.context.watch.warn(Warning::NoRepository {
                    name: label.to_owned(),
                });
            }
            with_label(descriptor, label)
        };
        piece.roots.iter().map(of_root).collect()
    }

    /// Whether names stay as they are to the letter: from one layout to another.
    fn keeps_names(&self) -> bool {
        let is_docker = |format| format == Format::DockerArchive;
        !is_docker(self.source.format()) && !is_docker(self.sink.format())
    }

    /// What a layout that came from a layout lists for a root: all that it listed
    /// before, or, for one platform of several, at least the names.
    fn in_place_of(&self, root: &Root, descriptor: &Descriptor) -> Descriptor {
        let Some(held) = &root.descriptor else {
            return descriptor.clone();
        };
        if self.keeps_fields {
            let (digest, size) = (descriptor.digest(), descriptor.size());
            return held.pointing_to(descriptor.media_type(), digest, size);
        }
        let name = |key| held.annotation(key).map(str::to_owned);
        descriptor
            .clone()
            .with_annotation(REF_NAME, name(REF_NAME))
            .with_annotation(CONTAINERD_NAME, name(CONTAINERD_NAME))
    }

    fn warn_of_zstd(&self, image: &Image, name: &str) {
        let compression = |layer| match self.coding.recoding(layer) {
            Some(recoding) => recoding.compression(),
            None => layer.compression,
        };
        let has_zstd = image
            .layers
            .iter()
            .any(|layer| compression(layer) == Compression::Zstd);
        if has_zstd && self.sink.format() == Format::DockerArchive {
            self.context.watch.warn(Warning::ZstdInDockerArchive {
                name: name.to_owned(),
            });
        }
    }
}

fn put_all(sink: &dyn ImageSink, rebuilder: Rebuilder<'_>) -> Result<()> {
    for (digest, bytes) in rebuilder.into_documents() {
        sink.put_document(&digest, &bytes)?;
    }
    Ok(())
}

/// Hashes blobs whose digests no document says, so that they can be named before
/// they are written, and the documents put in front of them.
fn identify(jobs: &mut Jobs, transfer: &Transfer<'_>) -> Result<()> {
    if jobs.list().iter().any(|job| job.recoding.is_some()) {
        return Ok(());
    }
    for at in in_input_order(jobs) {
        if jobs.list()[at].known().is_none() {
            jobs.list_mut()[at].digest = Some(transfer.identify(&jobs.list()[at])?);
        }
    }
    Ok(())
}

/// Moves all blobs, and returns what each of them became.
fn transfer_all(jobs: &Jobs, transfer: &Transfer<'_>, is_parallel: bool) -> Result<Vec<Hashed>> {
    let list = jobs.list();
    let mut order = in_input_order(jobs);
    // Several threads that only copy would wait for each other, for the file that they
    // write or for the disk.
    let is_work = list.iter().any(|job| transfer.looks_at(job));
    let threads = if transfer.container.is_sequential() || !is_parallel || !is_work {
        NonZeroUsize::MIN
    } else {
        // The longest first, so that none is left over when all others are done.
        order.sort_by_key(|at| std::cmp::Reverse(list[*at].member.size));
        let recodes = list.iter().any(|job| job.recoding.is_some());
        let most = if recodes {
            RECODED_STREAMS_MAX
        } else {
            STREAMS_MAX
        };
        transfer.context.jobs.min(most)
    };
    in_parallel(order, threads, |at| transfer.run(&list[at]))
}

/// The numbers of all jobs, as their blobs lie in the input.
fn in_input_order(jobs: &Jobs) -> Vec<usize> {
    let mut order: Vec<usize> = (0..jobs.list().len()).collect();
    order.sort_by_key(|at| jobs.list()[*at].member.position);
    order
}
