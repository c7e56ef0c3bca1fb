//! `convert`: images from any format to any other.
//!
//! What need not change is passed on byte for byte: blobs, configs, manifests,
//! indexes, and `index.json` itself where it can be. Layers are never looked
//! into beyond their hashes.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::event::{Event, Warning};
use crate::format::Format;
use crate::format::sink::{ImageSink, OutputIndex, OutputRoot};
use crate::format::source::{Content, Image, ImageSource, Root};
use crate::image::{CONTAINERD_NAME, DOCUMENTS_MAX, Descriptor, Platform, REF_NAME, Reference};
use crate::ops::narrow::{Reason, narrow};
use crate::ops::plan::{Coding, Jobs, Piece, prune, subject};
use crate::ops::rebuild::Rebuilder;
use crate::ops::select::{select, targets, with_target_of};
use crate::ops::transfer::Transfer;
use crate::ops::{Context, Selector};
use crate::stream::{Compression, Hashed, Recoding, Workers};

/// How many blobs are moved at once, at the most: enough for any disk, and few
/// enough that their buffers do not add up.
const STREAMS_MAX: NonZeroUsize = NonZeroUsize::new(8).expect("8 is not 0");

/// The same where layers are compressed: each is spread over all cores already,
/// and a second one fills the gaps that reading leaves.
const RECODED_STREAMS_MAX: NonZeroUsize = NonZeroUsize::new(2).expect("2 is not 0");

/// What to do with the compression of layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compress {
    /// Leave it, so that a layer's bytes and its digest stay.
    #[default]
    Keep,
    /// Change it.
    To {
        /// What it shall be.
        recoding: Recoding,
        /// Whether layers that are so already are compressed once more.
        always: bool,
    },
}

/// A name that an output gives to its image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A reference.
    Reference(Reference),
    /// A name of a layout that is no reference with a tag, written to the letter.
    Label(String),
}

/// What to convert, and how. By default all images with all their names, as they are.
#[derive(Clone, Debug, Default)]
pub struct ConvertOptions {
    /// The one image to take.
    pub image: Option<Selector>,
    /// The one platform to take of each image.
    pub platform: Option<Platform>,
    /// The names of the output, in place of those of the input.
    pub names: Vec<Name>,
    /// What to do with the compression of layers.
    pub compress: Compress,
}

/// Converts images.
///
/// Memory is bounded by the documents of the images and a fixed number of
/// buffers; a layer's content is never held.
///
/// # Errors
///
/// Fails if anything that is read is not what its digest, size or `diff_id` says.
/// Nothing is visible then, but for what standard output has taken.
pub fn convert(
    source: &dyn ImageSource,
    sink: Box<dyn ImageSink>,
    options: &ConvertOptions,
    context: Context<'_>,
) -> Result<()> {
    let result = convert_images(source, sink, options, context);
    result.map_err(|error| error.or_interrupted(&context.watch))
}

fn convert_images(
    source: &dyn ImageSource,
    sink: Box<dyn ImageSink>,
    options: &ConvertOptions,
    context: Context<'_>,
) -> Result<()> {
    let watch = &context.watch;
    let coding = Coding::new(options.compress, sink.format());
    let roots = select(source, options.image.as_ref())?;
    let mut pieces = Vec::new();
    let mut budget = DOCUMENTS_MAX;
    for target in targets(&roots) {
        let named = with_target_of(&roots, target);
        if let Some(piece) = load(source, named, sink.format(), options, context)? {
            budget = spend(budget, &piece)?;
            pieces.push(piece);
        }
    }
    if options.image.is_some() && sink.format() != Format::DockerArchive {
        add_referrers(source, &mut pieces, budget, context)?;
    }
    if pieces.is_empty() {
        return Err(Error::NoImage);
    }
    let count = pieces.iter().filter(|piece| !piece.is_referrer()).count();
    if count > 1 && !options.names.is_empty() {
        return Err(Error::ImagesShareReference { count });
    }
    prune(&mut pieces, coding, watch);
    let mut jobs = Jobs::collect(&pieces, coding, watch)?;
    let workers = Workers::start(context.jobs).map_err(Error::Thread)?;
    let transfer = Transfer {
        container: source.container(),
        sink: sink.as_ref(),
        workers: &workers,
        context,
    };
    if !sink.is_parallel() {
        identify(&mut jobs, &transfer)?;
    }
    let to_read = jobs.list().iter().filter(|job| transfer.reads(job));
    let total: u64 = to_read.map(|job| job.member.size).sum();
    if total > 0 {
        watch.send(Event::Total(total));
    }
    let output = Output {
        source,
        sink: sink.as_ref(),
        pieces: &pieces,
        options,
        coding,
    };
    if let (Some(known), false) = (jobs.known(), sink.is_parallel()) {
        output.put_documents(&jobs, &known, context)?;
        transfer_all(&jobs, &transfer)?;
    } else {
        let written = transfer_all(&jobs, &transfer)?;
        output.put_documents(&jobs, &written, context)?;
    }
    sink.finish(watch)
}

/// What is left of the budget for documents that are held at once.
fn spend(budget: u64, piece: &Piece<'_>) -> Result<u64> {
    let left = budget.checked_sub(piece.content.document_size());
    left.ok_or(Error::DocumentsTooLarge {
        limit: DOCUMENTS_MAX,
    })
}

/// Reads what is under the roots of one image, and takes one platform of it where
/// that is wanted.
fn load<'a>(
    source: &dyn ImageSource,
    roots: Vec<&'a Root>,
    format: Format,
    options: &ConvertOptions,
    context: Context<'_>,
) -> Result<Option<Piece<'a>>> {
    let root = roots[0];
    let piece = Piece {
        name: root.display_name(),
        descriptor: root.descriptor.clone(),
        content: source.load(root)?,
        gone: Vec::new(),
        roots,
    };
    let is_image = matches!(piece.content, Content::Image(_) | Content::Index(_));
    match &options.platform {
        Some(platform) if is_image => narrow(piece, Reason::Asked(platform), &context.watch),
        _ if format == Format::DockerArchive => narrow(piece, Reason::Format, &context.watch),
        _ => Ok(Some(piece)),
    }
}

/// Adds what speaks of the chosen images, and what speaks of that: it goes where
/// they go.
fn add_referrers<'a>(
    source: &'a dyn ImageSource,
    pieces: &mut Vec<Piece<'a>>,
    mut budget: u64,
    context: Context<'_>,
) -> Result<()> {
    let mut taken: HashSet<Digest> = pieces.iter().flat_map(Piece::digests).collect();
    let all: Vec<&Root> = source.roots()?.iter().collect();
    let mut others = Vec::new();
    for target in targets(&all) {
        if target
            .target_digest()
            .is_none_or(|digest| taken.contains(digest))
        {
            continue;
        }
        match source.load(target) {
            // Only what speaks of something may be wanted, and is held meanwhile.
            Ok(loaded) if subject(&loaded).is_none() => {}
            Ok(loaded) => {
                let piece = Piece {
                    name: target.display_name(),
                    descriptor: target.descriptor.clone(),
                    content: loaded,
                    gone: Vec::new(),
                    roots: with_target_of(&all, target),
                };
                budget = spend(budget, &piece)?;
                others.push(piece);
            }
            Err(_) => context.watch.warn(Warning::Unreadable {
                name: target.display_name(),
            }),
        }
    }
    loop {
        let speaks_of_taken = |piece: &mut Piece<'_>| {
            subject(&piece.content).is_some_and(|subject| taken.contains(subject.digest()))
        };
        let found: Vec<_> = others.extract_if(.., speaks_of_taken).collect();
        if found.is_empty() {
            return Ok(());
        }
        taken.extend(found.iter().flat_map(Piece::digests));
        pieces.extend(found);
    }
}

/// Hashes blobs whose digests no document says, so that they can be named before
/// they are written, and the documents put in front of them.
fn identify(jobs: &mut Jobs, transfer: &Transfer<'_>) -> Result<()> {
    if jobs.list().iter().any(|job| job.recoding.is_some()) {
        return Ok(());
    }
    let mut order: Vec<usize> = (0..jobs.list().len()).collect();
    order.sort_by_key(|at| jobs.list()[*at].member.position);
    for at in order {
        if jobs.list()[at].known().is_none() {
            jobs.list_mut()[at].digest = Some(transfer.identify(&jobs.list()[at])?);
        }
    }
    Ok(())
}

/// Moves all blobs, and returns what each of them became.
fn transfer_all(jobs: &Jobs, transfer: &Transfer<'_>) -> Result<Vec<Hashed>> {
    let list = jobs.list();
    let mut order: Vec<usize> = (0..list.len()).collect();
    let is_one_by_one = transfer.container.is_sequential() || !transfer.sink.is_parallel();
    let threads = if is_one_by_one {
        order.sort_by_key(|at| list[*at].member.position);
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
    let queue = Mutex::new(order.into_iter());
    let results: Vec<Mutex<Option<Result<Hashed>>>> =
        list.iter().map(|_| Mutex::new(None)).collect();
    let has_failed = AtomicBool::new(false);
    let work = || {
        while !has_failed.load(Ordering::Relaxed) {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(at) = next else {
                break;
            };
            let result = transfer.run(&list[at]);
            has_failed.fetch_or(result.is_err(), Ordering::Relaxed);
            *results[at].lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.get().min(list.len()) {
            // Where no more threads may be had, those that are there do it all.
            if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    let results = results
        .into_iter()
        .map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
    // Where one failed, later ones were not begun; the first failure is the answer.
    let results: Vec<Option<Result<Hashed>>> = results.collect();
    let mut written = Vec::new();
    let mut is_complete = true;
    for result in results {
        match result {
            Some(result) => written.push(result?),
            None => is_complete = false,
        }
    }
    if is_complete {
        Ok(written)
    } else {
        Err(Error::Interrupted)
    }
}

/// What the documents of the output are made of.
struct Output<'a> {
    source: &'a dyn ImageSource,
    sink: &'a dyn ImageSink,
    pieces: &'a [Piece<'a>],
    options: &'a ConvertOptions,
    coding: Coding,
}

impl Output<'_> {
    /// Writes all documents, and says what the output holds.
    fn put_documents(&self, jobs: &Jobs, written: &[Hashed], context: Context<'_>) -> Result<()> {
        let mut rebuilder = Rebuilder::new(jobs, written, self.coding);
        let mut index = OutputIndex::default();
        for piece in self.pieces {
            let descriptor = rebuilder.rebuild(&piece.content, piece.descriptor.as_ref())?;
            let image = match &piece.content {
                Content::Image(image) => {
                    self.warn_of_zstd(image, &piece.name, context);
                    Some(rebuilder.docker_image(image))
                }
                _ => None,
            };
            for (descriptor, reference) in self.names(&descriptor, piece, context) {
                index.roots.push(OutputRoot {
                    descriptor,
                    reference,
                    image: image.clone(),
                });
            }
        }
        if !self.keeps_names() {
            remove_repeated(&mut index, context);
        }
        if self.keeps_names() {
            index.base = self.source.index().cloned();
        }
        if !self.sink.is_parallel() && jobs.known().is_some() {
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
        context: Context<'_>,
    ) -> Vec<(Descriptor, Option<Reference>)> {
        if !self.options.names.is_empty() && !piece.is_referrer() {
            let mut distinct: Vec<&Name> = Vec::new();
            for name in &self.options.names {
                if !distinct.contains(&name) {
                    distinct.push(name);
                }
            }
            let named = distinct.into_iter().map(|name| match name {
                Name::Reference(reference) => with_reference(descriptor, reference),
                Name::Label(label) => with_label(descriptor, Some(label)),
            });
            return named.collect();
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
                context.watch.warn(Warning::NoRepository {
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
        if self.options.platform.is_none() {
            let (digest, size) = (descriptor.digest(), descriptor.size());
            return held.pointing_to(descriptor.media_type(), digest, size);
        }
        let name = |key| held.annotation(key).map(str::to_owned);
        descriptor
            .clone()
            .with_annotation(REF_NAME, name(REF_NAME))
            .with_annotation(CONTAINERD_NAME, name(CONTAINERD_NAME))
    }

    fn warn_of_zstd(&self, image: &Image, name: &str, context: Context<'_>) {
        let compression = |layer| match self.coding.recoding(layer) {
            Some(recoding) => recoding.compression(),
            None => layer.compression,
        };
        let has_zstd = image
            .layers
            .iter()
            .any(|layer| compression(layer) == Compression::Zstd);
        if has_zstd && self.sink.format() == Format::DockerArchive {
            context.watch.warn(Warning::ZstdInDockerArchive {
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

/// Names a descriptor for everyone: skopeo and podman by the whole familiar
/// reference, containerd and Docker by the full one.
fn with_reference(
    descriptor: &Descriptor,
    reference: &Reference,
) -> (Descriptor, Option<Reference>) {
    let named = descriptor
        .clone()
        .with_annotation(REF_NAME, Some(reference.to_string()))
        .with_annotation(CONTAINERD_NAME, Some(reference.full()));
    (named, Some(reference.clone()))
}

fn with_label(descriptor: &Descriptor, label: Option<&str>) -> (Descriptor, Option<Reference>) {
    let named = descriptor
        .clone()
        .with_annotation(REF_NAME, label.map(str::to_owned))
        .with_annotation(CONTAINERD_NAME, None);
    (named, None)
}

/// Leaves a reference that two images claim to the later one, as `docker load` does.
fn remove_repeated(index: &mut OutputIndex, context: Context<'_>) {
    for at in 0..index.roots.len() {
        let Some(reference) = index.roots[at].reference.clone() else {
            continue;
        };
        let is_claimed = |root: &OutputRoot| root.reference.as_ref() == Some(&reference);
        if index.roots[at + 1..].iter().any(is_claimed) {
            context.watch.warn(Warning::ReferenceTwice {
                reference: reference.to_string(),
            });
            let root = &mut index.roots[at];
            (root.descriptor, root.reference) = with_label(&root.descriptor, None);
        }
    }
}
