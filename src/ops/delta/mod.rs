//! `delta`: the way from an old image to a new one, as an artifact.
//!
//! Pass 1 reads the headers of the old image. Pass 2 reads each layer of the new one that
//! the old one does not have, verifies it, and writes its tar-diff to a temporary file.
//! Meanwhile, other threads compress changed files, and compare the old layers with their
//! digests.
//! Then the sizes are known: the documents come first, the blobs after them.

mod artifact;
mod layers;
pub(in crate::ops) mod old_image;
pub(in crate::ops) mod options;
pub(in crate::ops) mod report;

use std::collections::HashMap;
use std::num::NonZeroUsize;

use crate::error::Result;
use crate::event::Event;
use crate::format::sink::ImageSink;
use crate::format::source::{Content, ImageSource};
use crate::format::{CapturedSink, Format};
use crate::image::Descriptor;
use crate::ops::CompressionChoice;
use crate::ops::convert::{ConvertOptions, selected_items};
use crate::ops::delta::artifact::Artifacts;
use crate::ops::delta::layers::{LayerMaker, Way};
use crate::ops::delta::old_image::{OldImage, located, old_images, random_access};
use crate::ops::delta::options::DeltaOptions;
use crate::ops::delta::report::DeltaReport;
use crate::stream::Encoding;
use crate::transfer::Context;
use crate::transfer::blob::Transfer;
use crate::transfer::compression::CompressionPolicy;
use crate::transfer::deliver::Delivery;
use crate::transfer::item::TransferItem;
use crate::transfer::plan::Jobs;
use crate::transfer::referrers::prune;
use crate::transfer::scanned::ScannedLayers;

/// Maximum number of threads that compress changed files: the allocator keeps the tables of
/// the largest file for each of them, and two are as fast as the comparison of all files.
const WORKERS_MAX: NonZeroUsize = NonZeroUsize::new(2).expect("2 is not 0");

/// Implements [`Session::delta`](crate::Session::delta).
pub(crate) fn delta(
    old: &dyn ImageSource,
    new: &dyn ImageSource,
    sink: Box<dyn ImageSink>,
    options: &DeltaOptions,
    context: Context<'_>,
) -> Result<DeltaReport> {
    random_access(new, context)?;
    let olds = old_images(
        old,
        options.old.as_ref(),
        options.platform.as_ref(),
        context,
    )?;
    let few = Context {
        jobs: context.jobs.min(WORKERS_MAX),
        ..context
    };
    let workers = few.workers()?;
    let format = match new.format() {
        Format::DockerArchive => Format::DockerArchive,
        _ => Format::OciArchive,
    };
    let captured = CapturedSink::create(format, context.temporary_directory.to_owned())?;
    let mut selected = ConvertOptions::default();
    selected.images.extend(options.new.clone());
    selected.platforms.extend(options.platform.clone());
    if options.by_content {
        selected.compress = CompressionChoice::To {
            encoding: Encoding::Plain,
            always: false,
        };
    }
    let policy = CompressionPolicy::new(selected.compress, format);
    let of_new = |error| located(new, error);
    let (mut items, keeps_fields) = selected_items(new, &selected, context).map_err(of_new)?;
    if !items.iter().any(TransferItem::has_image) {
        return Err(of_new(TransferItem::no_image(&items)));
    }
    prune(&mut items, policy, &context.watch);
    for item in &mut items {
        keep_shared(&mut item.content, item.descriptor.as_ref(), &olds);
    }
    let mut jobs = Jobs::collect(&items, policy, &context.watch).map_err(of_new)?;
    let bytes = jobs.list().iter().map(|job| job.member.size).sum();
    context.watch.send(Event::Started {
        bytes,
        images: None,
        steps: Some(jobs.list().len()),
    });
    let mut from: HashMap<usize, Vec<usize>> = HashMap::new();
    for item in &items {
        let image = &item.content;
        assign(
            image,
            item.descriptor.as_ref(),
            &olds,
            (&jobs, policy),
            &mut from,
        );
    }
    let scanned = ScannedLayers::default();
    let transfer = Transfer {
        container: new.container(),
        sink: &captured,
        workers: &workers,
        scanned: Some(&scanned),
        context,
    };
    let mut order: Vec<usize> = (0..jobs.list().len()).collect();
    order.sort_by_key(|at| jobs.list()[*at].member.position);
    let mut ways: Vec<Vec<Way>> = order.iter().map(|_| Vec::new()).collect();
    LayerMaker::run(old, &olds, transfer, &captured, options, |maker| {
        for at in order.iter().copied() {
            let job = &mut jobs.list_mut()[at];
            ways[at] = match from.get(&at) {
                Some(olds) => maker.make_layer(job, olds)?,
                None => vec![maker.make_other(job)?],
            };
        }
        Ok(())
    })?;
    let written: Vec<_> = ways.iter().map(|ways| ways[0].blob.clone()).collect();
    let order: Vec<String> = order
        .iter()
        .map(|at| written[*at].digest.to_string())
        .collect();
    let delivery = Delivery {
        source: new,
        sink: &captured,
        workers: &workers,
        names: &[],
        retag: &[],
        preferred: selected.platforms.first(),
        keeps_fields,
        policy,
        scanned: None,
        context,
    };
    delivery.put_documents(&items, &jobs, &written)?;
    let artifacts = Artifacts::new(&captured, &olds, &ways, &order)?;
    let report = artifacts.write(sink.as_ref(), &captured, jobs.list(), transfer)?;
    sink.finish(&context.watch)?;
    Ok(report)
}

/// Makes the layers that the old image of a new one has keep their compression.
fn keep_shared(content: &mut Content, descriptor: Option<&Descriptor>, olds: &[OldImage<'_>]) {
    match content {
        Content::Image(image) => {
            let platform = image.platform_under(descriptor);
            let old = &olds[OldImage::for_platform(olds, platform.as_ref())];
            for layer in &mut image.layers {
                let digest = layer.digest();
                layer.keeps_compression = digest.is_some_and(|it| old.layer(&it, None).is_some());
            }
        }
        Content::Index(index) => {
            let descriptors = index.kept.as_ref();
            let descriptors = descriptors.unwrap_or(&index.index.view().manifests);
            for (child, descriptor) in index.children.iter_mut().zip(descriptors) {
                keep_shared(child, Some(descriptor), olds);
            }
        }
        Content::Artifact(_) | Content::Opaque { .. } => {}
    }
}

/// Finds the old images for the layers of each new one.
fn assign(
    content: &Content,
    descriptor: Option<&Descriptor>,
    olds: &[OldImage<'_>],
    (jobs, policy): (&Jobs, CompressionPolicy),
    from: &mut HashMap<usize, Vec<usize>>,
) {
    match content {
        Content::Image(image) => {
            let platform = image.platform_under(descriptor);
            let old = OldImage::for_platform(olds, platform.as_ref());
            for layer in &image.layers {
                if let Some(job) = jobs.of_layer(layer, policy) {
                    let olds = from.entry(job).or_default();
                    if !olds.contains(&old) {
                        olds.push(old);
                    }
                }
            }
        }
        Content::Index(index) => {
            let descriptors = index.kept.as_ref();
            let descriptors = descriptors.unwrap_or(&index.index.view().manifests);
            for (child, descriptor) in index.children.iter().zip(descriptors) {
                assign(child, Some(descriptor), olds, (jobs, policy), from);
            }
        }
        Content::Artifact(_) | Content::Opaque { .. } => {}
    }
}
