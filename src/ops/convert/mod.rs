//! `convert`: images from any format to any other.
//!
//! Everything that need not change is copied byte for byte: blobs, configs, manifests,
//! indexes, and `index.json` itself if possible. The content of layers is only hashed;
//! but of a bare root filesystem the headers are read, to warn of entries that engines
//! refuse. If it is compressed, this needs a second decompression.

mod merged;
mod multi_platform;
mod names;
mod wanted;

use std::collections::HashMap;

use crate::error::{ChoiceError, Error, Result};
use crate::event::{Warning, Watch};
use crate::format::joined::JoinedSource;
use crate::format::root::Root;
use crate::format::sink::ImageSink;
use crate::format::source::{Content, ImageSource, Layer};
use crate::format::{Format, spend};
use crate::image::{Platform, Reference};
use crate::limits::DOCUMENTS_MAX;
use crate::ops::Selector;
use crate::ops::choose::item::load_chosen;
use crate::ops::choose::platform::{PlatformChoice, select_platform, select_platforms};
use crate::ops::choose::selector::Selection;
use crate::ops::convert::merged::{have_one_owner, merge_same};
use crate::ops::convert::multi_platform::MultiPlatform;
use crate::ops::convert::names::check_names;
pub(crate) use crate::ops::convert::wanted::ConvertSource;
use crate::ops::convert::wanted::{Wanted, wanted};
use crate::ops::partial::complete::{Base, put_back, unpack_unordered};
use crate::ops::partial::inventory::Inventory;
use crate::ops::partial::leave_out::{leave_out, tell};
use crate::ops::stack::layer_tar::read_layer;
use crate::ops::verify::BareTar;
use crate::transfer::Context;
use crate::transfer::compression::{CompressionChoice, CompressionPolicy, MediaTypes};
use crate::transfer::deliver::Delivery;
use crate::transfer::item::TransferItem;
use crate::transfer::naming::{Name, Retag};
use crate::transfer::referrers::add_referrers;
use crate::transfer::report::WriteReport;

/// Selection and changes for a conversion. By default all images with all their names,
/// unchanged.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConvertOptions {
    /// The images to convert, each from all sources that have it. By default all.
    pub images: Vec<Selector>,
    /// The platforms to keep. Of one platform, an index becomes the image; of several, it
    /// remains an index of these, and a docker archive names the first for engines that
    /// use one. By default all.
    pub platforms: Vec<Platform>,
    /// The names in the output, instead of those in the input. There must be one image.
    pub names: Vec<Name>,
    /// Names to replace.
    pub retag: Vec<Retag>,
    /// The name of a multi-platform index of all images, which takes the place of their
    /// own names. Attestations in indexes of the input come along.
    pub index: Option<Reference>,
    /// The compression of layers.
    pub compress: CompressionChoice,
    /// The media types of documents and layers.
    pub media_types: MediaTypes,
    /// The layers that the other side has, and that are left out: the lowest ones of
    /// each image. Only for a docker archive, which then has no names other than
    /// [`names`](Self::names).
    pub without: Option<Inventory>,
}

/// Implements [`Session::convert_all`](crate::Session::convert_all).
pub(crate) fn convert(
    sources: &[ConvertSource<'_>],
    sink: Box<dyn ImageSink>,
    options: &ConvertOptions,
    context: Context<'_>,
) -> Result<WriteReport> {
    for source in sources {
        if source.images.format() == Format::Rootfs {
            warn_of_entries(source.images, &context.watch)?;
        }
    }
    if let [only] = sources {
        let wanted = wanted(sources, |_| only.images.roots(), &options.images)?;
        return deliver(only.images, wanted, sink, options, context);
    }
    let opened = sources.iter().map(|source| source.images);
    let joined = JoinedSource::new(opened.collect())?;
    let mut wanted = wanted(
        sources,
        |origin| Ok(joined.roots_of(origin)),
        &options.images,
    )?;
    let places = joined.roots()?.iter().map(std::ptr::from_ref);
    let places: HashMap<*const Root, usize> = places.zip(0..).collect();
    let place = |root: &Root| places.get(&std::ptr::from_ref(root)).copied();
    wanted.sort_by_key(|it| place(it.selection.roots[0]));
    deliver(&joined, wanted, sink, options, context)
}

/// Implements [`Session::complete`](crate::Session::complete).
pub(crate) fn complete(
    part: ConvertSource<'_>,
    bases: &[Base<'_>],
    sink: Box<dyn ImageSink>,
    options: &ConvertOptions,
    context: Context<'_>,
) -> Result<WriteReport> {
    let others: Vec<&dyn ImageSource> = bases.iter().map(|base| base.source).collect();
    let joined = JoinedSource::with_blobs_of(part.images, &others)?;
    let wanted = wanted(&[part], |_| joined.roots(), &options.images)?;
    let (mut report, completed) =
        deliver_changed(&joined, wanted, sink, options, context, |items| {
            let completed = put_back(items, bases, &context.watch)?;
            let inputs = [&[part.images], &others[..]].concat();
            unpack_unordered(&inputs, items, part.images.blob_order(), context)?;
            Ok(completed)
        })?;
    report.completed = Some(completed);
    Ok(report)
}

/// Loads the wanted images, and transfers them to the output, without the layers that are
/// to be left out.
fn deliver<'a>(
    source: &'a dyn ImageSource,
    wanted: Vec<Wanted<'a>>,
    sink: Box<dyn ImageSink>,
    options: &ConvertOptions,
    context: Context<'_>,
) -> Result<WriteReport> {
    let Some(inventory) = &options.without else {
        let delivered = deliver_changed(source, wanted, sink, options, context, |_| Ok(()));
        return delivered.map(|(report, ())| report);
    };
    if sink.format() != Format::DockerArchive {
        return Err(ChoiceError::PartialFormat.into());
    }
    let container = source.container();
    let (mut report, left_out) =
        deliver_changed(source, wanted, sink, options, context, |items| {
            leave_out(items, inventory, container, context)
        })?;
    tell(&mut report, left_out);
    Ok(report)
}

/// Loads the wanted images, and transfers them to the output after `change` was applied
/// to them.
fn deliver_changed<'a, T>(
    source: &'a dyn ImageSource,
    wanted: Vec<Wanted<'a>>,
    sink: Box<dyn ImageSink>,
    options: &ConvertOptions,
    context: Context<'_>,
    change: impl FnOnce(&mut [TransferItem<'_>]) -> Result<T>,
) -> Result<(WriteReport, T)> {
    let policy = CompressionPolicy::new(options.compress, sink.format());
    let policy = policy.with_media_types(options.media_types);
    let keeps_fields = keeps_fields(&wanted, options);
    let mut items = load_all(source, wanted, options, context)?;
    let mut names = options.names.clone();
    if let Some(name) = &options.index {
        let index = MultiPlatform {
            source,
            name,
            platforms: &options.platforms,
            watch: &context.watch,
        };
        items = index.of(items)?;
        names = vec![Name::Reference(name.clone())];
    }
    let count = items.iter().filter(|item| !item.is_referrer()).count();
    if count > 1 && !names.is_empty() {
        return Err(ChoiceError::ImagesShareReference(count).into());
    }
    if names.is_empty() {
        check_names(source, &items, &options.retag)?;
    }
    let changed = change(&mut items)?;
    let workers = context.workers_for(sink.as_ref())?;
    let delivery = Delivery {
        source,
        sink: sink.as_ref(),
        workers: &workers,
        names: &names,
        retag: &options.retag,
        preferred: options.platforms.first(),
        keeps_fields,
        policy,
        scanned: None,
        context,
    };
    let mut report = delivery.run(items)?;
    report.withhold(&sink.finish(&context.watch)?);
    Ok((report, changed))
}

/// Loads the items that a conversion of one source transfers. Also returns true if their
/// fields in `index.json`, apart from names, are still valid.
pub(in crate::ops) fn selected_items<'a>(
    source: &'a dyn ImageSource,
    options: &ConvertOptions,
    context: Context<'_>,
) -> Result<(Vec<TransferItem<'a>>, bool)> {
    let only = ConvertSource {
        images: source,
        image: None,
    };
    let wanted = wanted(&[only], |_| source.roots(), &options.images)?;
    let keeps_fields = keeps_fields(&wanted, options);
    let items = load_all(source, wanted, options, context)?;
    Ok((items, keeps_fields))
}

/// True if the fields of the images in `index.json`, apart from names, are still valid.
fn keeps_fields(wanted: &[Wanted<'_>], options: &ConvertOptions) -> bool {
    let is_part = wanted.iter().any(|it| it.selection.part.is_some());
    options.platforms.len() != 1 && !is_part
}

/// Loads the wanted images, and what refers to them.
fn load_all<'a>(
    source: &'a dyn ImageSource,
    wanted: Vec<Wanted<'a>>,
    options: &ConvertOptions,
    context: Context<'_>,
) -> Result<Vec<TransferItem<'a>>> {
    let is_chosen = wanted.iter().any(|it| it.is_chosen);
    let mut items = Vec::new();
    let mut budget = DOCUMENTS_MAX;
    let mut absent = Vec::new();
    for wanted in wanted {
        let root = wanted.selection.roots[0];
        match load(source, wanted.selection, options, context) {
            Ok(item) => {
                budget = spend(budget, item.content.document_size())?;
                items.push(item);
            }
            // One of several, and not selected by name: the others are copied
            // nevertheless.
            Err(error) => match error.absence().filter(|_| !wanted.is_chosen) {
                Some(reason) => absent.push((root, reason, error)),
                None => return Err(error),
            },
        }
    }
    let is_of = |root: &Root, item: &TransferItem<'_>| have_one_owner(source, root, item.roots[0]);
    for (root, reason, error) in absent {
        // A source of which nothing can be copied is an error, beside others and alone.
        if !items.iter().any(|item| is_of(root, item)) {
            return Err(error);
        }
        let name = root.display_name();
        context.watch.warn(Warning::AbsentLeftOut { name, reason });
    }
    if items.is_empty() {
        return Err(Error::NoImage);
    }
    merge_same(source, &mut items);
    if is_chosen {
        add_referrers(source, &mut items, budget, context)?;
        return Ok(items);
    }
    without_incomplete(source, items, &context.watch)
}

/// The items other than images that lack a layer, of which it warns.
///
/// # Errors
///
/// Fails if the source of such an image has no other one. Layers that were left out on
/// purpose are not its concern.
fn without_incomplete<'a>(
    source: &dyn ImageSource,
    items: Vec<TransferItem<'a>>,
    watch: &Watch<'_>,
) -> Result<Vec<TransferItem<'a>>> {
    let (mut others, mut incomplete) = (Vec::new(), Vec::new());
    let absence = |item: &TransferItem<'_>| {
        let mut layers = item.content.images().flat_map(|image| &image.layers);
        if layers.any(Layer::is_left_out) {
            return None;
        }
        item.content.absence(&item.name)
    };
    for item in items {
        match absence(&item) {
            Some(error) => incomplete.push((item, error)),
            None => others.push(item),
        }
    }
    for (item, error) in incomplete {
        let is_beside = |other: &TransferItem<'_>| {
            let mut roots = other.roots.iter();
            other.has_image() && roots.any(|root| have_one_owner(source, item.roots[0], root))
        };
        match error.absence() {
            Some(reason) if others.iter().any(is_beside) => {
                let name = item.name;
                watch.warn(Warning::AbsentLeftOut { name, reason });
            }
            _ => return Err(error),
        }
    }
    Ok(others)
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

/// Loads everything under the roots of one image, reduced to the wanted platforms.
fn load<'a>(
    source: &dyn ImageSource,
    selection: Selection<'a>,
    options: &ConvertOptions,
    context: Context<'_>,
) -> Result<TransferItem<'a>> {
    let item = load_chosen(source, selection, &context.watch)?;
    match options.platforms.as_slice() {
        // The index is made of all images first.
        _ if options.index.is_some() => Ok(item),
        [] => Ok(item),
        [platform] => select_platform(item, PlatformChoice::Asked(platform), &context.watch),
        platforms => select_platforms(item, platforms, &context.watch),
    }
}
