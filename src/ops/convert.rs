//! `convert`: images from any format to any other.
//!
//! Everything that need not change is copied byte for byte: blobs, configs, manifests,
//! indexes, and `index.json` itself if possible. The content of layers is only hashed;
//! but of a bare root filesystem the headers are read, to warn of entries that engines
//! refuse. If it is compressed, this needs a second decompression.

use crate::error::{ChoiceError, Error, Result};
use crate::event::{Warning, Watch};
use crate::format::joined::JoinedSource;
use crate::format::sink::ImageSink;
use crate::format::source::{Content, ImageSource};
use crate::format::{Format, spend};
use crate::image::Platform;
use crate::limits::DOCUMENTS_MAX;
use crate::ops::Selector;
use crate::ops::choose::item::load_chosen;
use crate::ops::choose::platform::{PlatformChoice, select_platform};
use crate::ops::choose::selector::{Selection, select};
use crate::ops::partial::complete::{Base, put_back};
use crate::ops::partial::inventory::Inventory;
use crate::ops::partial::leave_out::{leave_out, tell};
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
    /// The layers that the other side has, and that are left out: the lowest ones of
    /// each image. Only for a docker archive, which then has no names other than
    /// [`names`](Self::names).
    pub without: Option<Inventory>,
}

/// Implements [`Session::convert`](crate::Session::convert).
pub(crate) fn convert(
    source: &dyn ImageSource,
    sink: Box<dyn ImageSink>,
    options: &ConvertOptions,
    context: Context<'_>,
) -> Result<WriteReport> {
    let Some(inventory) = &options.without else {
        return convert_items(source, sink, options, context, |_| Ok(())).map(|it| it.0);
    };
    if sink.format() != Format::DockerArchive {
        return Err(ChoiceError::PartialFormat(sink.format()).into());
    }
    let container = source.container();
    let (mut report, left_out) = convert_items(source, sink, options, context, |items| {
        leave_out(items, inventory, container, context)
    })?;
    tell(&mut report, left_out);
    Ok(report)
}

/// Implements [`Session::complete`](crate::Session::complete).
pub(crate) fn complete(
    part: &dyn ImageSource,
    bases: &[Base<'_>],
    sink: Box<dyn ImageSink>,
    options: &ConvertOptions,
    context: Context<'_>,
) -> Result<WriteReport> {
    let others: Vec<&dyn ImageSource> = bases.iter().map(|base| base.source).collect();
    let joined = JoinedSource::with_blobs_of(part, &others)?;
    let (mut report, completed) = convert_items(&joined, sink, options, context, |items| {
        put_back(items, bases, &context.watch)
    })?;
    report.completed = Some(completed);
    Ok(report)
}

/// Converts images, after `change` was applied to them.
fn convert_items<T>(
    source: &dyn ImageSource,
    sink: Box<dyn ImageSink>,
    options: &ConvertOptions,
    context: Context<'_>,
    change: impl FnOnce(&mut [TransferItem<'_>]) -> Result<T>,
) -> Result<(WriteReport, T)> {
    if source.format() == Format::Rootfs {
        warn_of_entries(source, &context.watch)?;
    }
    let policy = CompressionPolicy::new(options.compress, sink.format());
    let policy = policy.with_media_types(options.media_types);
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
    let changed = change(&mut items)?;
    let workers = Workers::start(context.jobs).map_err(Error::Thread)?;
    let delivery = Delivery {
        source,
        sink: sink.as_ref(),
        workers: &workers,
        names: &options.names,
        keeps_fields: options.platform.is_none() && !is_part,
        policy,
        context,
    };
    let report = delivery.run(items)?;
    sink.finish(&context.watch)?;
    Ok((report, changed))
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
