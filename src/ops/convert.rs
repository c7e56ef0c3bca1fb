//! `convert`: images from any format to any other.
//!
//! Everything that need not change is copied byte for byte: blobs, configs, manifests,
//! indexes, and `index.json` itself if possible. The content of layers is only hashed;
//! but of a bare root filesystem the headers are read, to warn of entries that engines
//! refuse. If it is compressed, this needs a second decompression.

use crate::error::{ChoiceError, Error, Result};
use crate::event::{Warning, Watch};
use crate::format::sink::ImageSink;
use crate::format::source::{Content, ImageSource};
use crate::format::{Format, spend};
use crate::image::Platform;
use crate::limits::DOCUMENTS_MAX;
use crate::ops::Selector;
use crate::ops::choose::item::load_chosen;
use crate::ops::choose::platform::{PlatformChoice, select_platform};
use crate::ops::choose::selector::{Selection, select};
use crate::ops::stack::layer_tar::read_layer;
use crate::ops::verify::BareTar;
use crate::stream::Workers;
use crate::transfer::Context;
use crate::transfer::compression::{CompressionChoice, CompressionPolicy, MediaTypes};
use crate::transfer::deliver::Delivery;
use crate::transfer::item::TransferItem;
use crate::transfer::naming::Name;
use crate::transfer::referrers::add_referrers;
use crate::transfer::report::WriteReport;

/// Selection and changes for a conversion. By default all images with all their names,
/// unchanged.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConvertOptions {
    /// The one image to convert.
    pub image: Option<Selector>,
    /// The one platform to keep of each image.
    pub platform: Option<Platform>,
    /// The names in the output, instead of those in the input.
    pub names: Vec<Name>,
    /// The compression of layers.
    pub compress: CompressionChoice,
    /// The media types of documents and layers.
    pub media_types: MediaTypes,
}

/// Implements [`Session::convert`](crate::Session::convert).
pub(crate) fn convert(
    source: &dyn ImageSource,
    sink: Box<dyn ImageSink>,
    options: &ConvertOptions,
    context: Context<'_>,
) -> Result<WriteReport> {
    if source.format() == Format::Rootfs {
        warn_of_entries(source, &context.watch)?;
    }
    let policy = CompressionPolicy::new(options.compress, sink.format());
    let policy = policy.with_media_types(options.media_types);
    let (items, keeps_fields) = selected_items(source, options, context)?;
    let workers = Workers::start(context.jobs).map_err(Error::Thread)?;
    let delivery = Delivery {
        source,
        sink: sink.as_ref(),
        workers: &workers,
        names: &options.names,
        keeps_fields,
        policy,
        context,
    };
    let report = delivery.run(items)?;
    sink.finish(&context.watch)?;
    Ok(report)
}

/// Loads the items to convert. Also returns true if their fields in `index.json`, apart
/// from names, are still valid.
pub(in crate::ops) fn selected_items<'a>(
    source: &'a dyn ImageSource,
    options: &ConvertOptions,
    context: Context<'_>,
) -> Result<(Vec<TransferItem<'a>>, bool)> {
    let selection = select(source, options.image.as_ref())?;
    let is_part = selection.part.is_some();
    let mut items = Vec::new();
    let mut budget = DOCUMENTS_MAX;
    let mut absent = Vec::new();
    for selection in selection.each() {
        let name = selection.roots[0].display_name();
        match load(source, selection, options, context) {
            Ok(item) => {
                budget = spend(budget, item.content.document_size())?;
                items.push(item);
            }
            // One of several, and not selected by name: the others are copied
            // nevertheless.
            Err(error) => match error.absence().filter(|_| options.image.is_none()) {
                Some(reason) => absent.push((name, reason, error)),
                None => return Err(error),
            },
        }
    }
    if options.image.is_some() {
        add_referrers(source, &mut items, budget, context)?;
    }
    if items.is_empty() {
        let first = absent.into_iter().next();
        return Err(first.map_or(Error::NoImage, |(_, _, error)| error));
    }
    for (name, reason, _) in absent {
        context.watch.warn(Warning::AbsentLeftOut { name, reason });
    }
    let count = items.iter().filter(|item| !item.is_referrer()).count();
    if count > 1 && !options.names.is_empty() {
        return Err(ChoiceError::ImagesShareReference(count).into());
    }
    Ok((items, options.platform.is_none() && !is_part))
}

/// Warns of entries of a bare root filesystem that engines refuse.
fn warn_of_entries(source: &dyn ImageSource, watch: &Watch<'_>) -> Result<()> {
    let container = source.container();
    for root in source.roots()? {
        let Content::Image(image) = source.load(root)? else {
            continue;
        };
        for layer in &image.layers {
            let Some(blob) = layer.blob() else {
                continue;
            };
            // Only copied bytes count as progress.
            let tar = read_layer(container, blob, layer.compression, watch.silent(), |tar| {
                BareTar::read(tar, watch)
            })?;
            tar.warn(watch);
        }
    }
    Ok(())
}

/// Loads everything under the roots of one image, reduced to one platform if that is
/// wanted.
fn load<'a>(
    source: &dyn ImageSource,
    selection: Selection<'a>,
    options: &ConvertOptions,
    context: Context<'_>,
) -> Result<TransferItem<'a>> {
    let item = load_chosen(source, selection, &context.watch)?;
    match &options.platform {
        Some(platform) => select_platform(item, PlatformChoice::Asked(platform), &context.watch),
        None => Ok(item),
    }
}
