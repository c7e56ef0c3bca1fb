//! `append`: new layers on top of an image.
//!
//! Whatever a new layer is made of, it arrives as the stream of a tar: its bytes are
//! copied into a blob while its entries are checked, and its changes are added to the
//! tree of the image, in which the paths of later layers are found.

mod appender;
mod compared;
mod deletions;
mod landing;
mod moved;
pub(in crate::ops) mod options;
pub(in crate::ops) mod report;
mod result;
mod source;

use std::cell::OnceCell;

use crate::error::Result;
use crate::event::Warning;
use crate::format::LAYERS_MAX;
use crate::format::root::Root;
use crate::format::sink::ImageSink;
use crate::format::source::{Content, Image, ImageSource};
use crate::image::{Platform, scratch_config};
use crate::ops::append::appender::Appender;
use crate::ops::append::compared::OpenedTar;
use crate::ops::append::options::{AppendOptions, NewLayer};
use crate::ops::append::report::AppendReport;
use crate::ops::append::result::{appended, reported};
use crate::ops::append::source::Source;
use crate::ops::choose::image::{ChosenImage, choose_image};
use crate::ops::choose::platform::PlatformChoice;
use crate::ops::edited::{Edited, own_document, warn_of_lists};
use crate::ops::nothing::Nothing;
use crate::ops::stack::layer_stack::LayerStack;
use crate::transfer::Context;
use crate::transfer::compression::{CompressionChoice, CompressionPolicy};
use crate::transfer::scanned::ScannedLayers;

/// Implements [`Session::append`](crate::Session::append).
pub(crate) fn append(
    source: &dyn ImageSource,
    sink: Box<dyn ImageSink>,
    layers: Vec<NewLayer>,
    options: &AppendOptions,
    context: Context<'_>,
) -> Result<AppendReport> {
    let platform = options.platform.as_ref();
    let reason = platform.map_or(PlatformChoice::OneImage, PlatformChoice::Asked);
    let chosen = choose_image(source, options.image.as_ref(), reason, context)?;
    append_to(source, chosen, sink, layers, options, context)
}

/// Implements [`Session::append_to_scratch`](crate::Session::append_to_scratch).
pub(crate) fn append_to_scratch(
    sink: Box<dyn ImageSink>,
    layers: Vec<NewLayer>,
    options: &AppendOptions,
    context: Context<'_>,
) -> Result<AppendReport> {
    let platform = options.platform.clone();
    let config = scratch_config(&platform.unwrap_or_else(Platform::host));
    let root = Root::whole();
    let chosen = ChosenImage {
        name: "scratch".to_owned(),
        image: Image {
            manifest: None,
            config: config.map_err(own_document)?,
            layers: Vec::new(),
            annotations: Vec::new(),
            others: Vec::new(),
        },
        descriptor: None,
        left: Vec::new(),
        roots: vec![&root],
    };
    append_to(&Nothing, chosen, sink, layers, options, context)
}

fn append_to(
    source: &dyn ImageSource,
    chosen: ChosenImage<'_>,
    sink: Box<dyn ImageSink>,
    layers: Vec<NewLayer>,
    options: &AppendOptions,
    context: Context<'_>,
) -> Result<AppendReport> {
    warn_of_lists(&options.changes, &context.watch);
    let stack = LayerStack::new(source, &chosen, context)?;
    let workers = context.workers_for(sink.as_ref())?;
    let count = stack.count() + layers.len() + usize::from(!options.delete.is_empty());
    let layers = layers.into_iter().map(Source::open);
    let layers: Vec<Source> = layers.collect::<Result<_>>()?;
    let opened: Vec<OnceCell<OpenedTar>> = (0..count).map(|_| OnceCell::new()).collect();
    let policy = CompressionPolicy::new(CompressionChoice::Keep, sink.format());
    let own = &chosen.image.layers;
    let scanned = ScannedLayers::among(own, source.container(), policy);
    let stack = stack.hashing(&scanned);
    let mut appender = Appender::new(&stack, sink.as_ref(), &workers, options, &opened);
    appender.announce(&layers);
    if !options.delete.is_empty() {
        appender.delete()?;
    }
    for layer in layers {
        appender.add(layer)?;
    }
    let (added, unchanged) = appender.finish();
    let layers_before = stack.count();
    let count = layers_before + added.len();
    if count > LAYERS_MAX && !added.is_empty() {
        let max = LAYERS_MAX;
        context.watch.warn(Warning::TooManyLayers { count, max });
    }
    let image = appended(&chosen.image, &added, options, context.created)?;
    let name = chosen.name.clone();
    let edited = Edited {
        source,
        sink,
        names: &options.names,
        platform: options.platform.as_ref(),
        compress: CompressionChoice::Keep,
        workers: &workers,
        scanned: Some(&scanned),
        context,
    };
    let written = edited.deliver(chosen.into(), image.map(Content::Image))?;
    Ok(AppendReport {
        image: name,
        layers_before,
        layers: reported(&added, layers_before),
        unchanged,
        written,
    })
}
