//! `convert`: images from any format to any other.
//!
//! What need not change is passed on byte for byte: blobs, configs, manifests,
//! indexes, and `index.json` itself where it can be. Layers are never looked
//! into beyond their hashes; only of a bare root filesystem the headers are read, to
//! warn of what engines refuse.

use std::io::BufReader;

use crate::error::{Error, Result};
use crate::event::Watch;
use crate::format::sink::ImageSink;
use crate::format::source::{Content, ImageSource, Root};
use crate::format::{FileSlice, Format};
use crate::image::Platform;
use crate::limits::DOCUMENTS_MAX;
use crate::ops::coding::{Coding, Compress};
use crate::ops::deliver::Delivery;
use crate::ops::naming::Name;
use crate::ops::narrow::{Reason, narrow};
use crate::ops::plan::{Made, Piece};
use crate::ops::referrers::{add_referrers, spend};
use crate::ops::select::{select, targets, with_target_of};
use crate::ops::verify::BareTar;
use crate::ops::{Context, Selector};
use crate::stream::{COPY_BUFFER, Workers};
use crate::tar_stream::{Section, Skippable};

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
    if source.format() == Format::Rootfs {
        warn_of_entries(source, &context.watch)?;
    }
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
    let workers = Workers::start(context.jobs).map_err(Error::Thread)?;
    let delivery = Delivery {
        source,
        sink: sink.as_ref(),
        workers: &workers,
        names: &options.names,
        keeps_fields: options.platform.is_none(),
        coding,
        made: &Made::default(),
        context,
    };
    delivery.run(pieces)?;
    sink.finish(&context.watch)
}

/// Warns of entries of a bare root filesystem that engines refuse.
fn warn_of_entries(source: &dyn ImageSource, watch: &Watch<'_>) -> Result<()> {
    let container = source.container();
    for root in source.roots()? {
        let Content::Image(image) = source.load(root)? else {
            continue;
        };
        for member in image.layers.iter().filter_map(|layer| layer.blob.as_ref()) {
            let tar = if let Some(slice) = container.slice(member)? {
                let FileSlice { file, start, size } = slice;
                BareTar::read(Section::new(file, start, size), watch)?
            } else {
                let stream = container.open(member)?;
                let stream = BufReader::with_capacity(COPY_BUFFER, stream);
                BareTar::read(Skippable(stream), watch)?
            };
            tar.warn(watch);
        }
    }
    Ok(())
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
    let piece = Piece::load(source, roots)?;
    let is_image = matches!(piece.content, Content::Image(_) | Content::Index(_));
    match &options.platform {
        Some(platform) if is_image => narrow(piece, Reason::Asked(platform), &context.watch),
        _ if format == Format::DockerArchive => narrow(piece, Reason::Format, &context.watch),
        _ => Ok(Some(piece)),
    }
}
