//! `rebase`: the lowest layers of an image are replaced by those of another base.
//!
//! No layer is made: the upper layers of the image and the layers of the base keep their
//! bytes. Layers are compared by diff_id, so that compression does not matter.

pub(in crate::ops) mod base;
mod hidden;
mod scratch;

use crate::error::{ChoiceError, Error, Result};
use crate::format::joined::JoinedSource;
use crate::format::sink::ImageSink;
use crate::format::source::{Content, Image, ImageSource, Layer, LayerPosition};
use crate::image::{Config, Document, Platform, rebase_config};
use crate::ops::Selector;
use crate::ops::choose::image::{ChosenImage, choose_image};
use crate::ops::choose::platform::PlatformChoice;
use crate::ops::edited::{
    BASE_DIGEST, BASE_NAME, Edited, edited_manifest, forget_base, own_document,
};
use crate::ops::rebase::base::{BaseFound, OldBase, find_base};
use crate::ops::rebase::hidden::compare_trees;
pub(crate) use crate::ops::rebase::scratch::Scratch;
use crate::transfer::Context;
use crate::transfer::compression::{CompressionChoice, CompressionPolicy};
use crate::transfer::naming::Name;
use crate::transfer::report::WriteReport;
use crate::transfer::scanned::ScannedLayers;

/// The choice of the image and of its bases, and the properties of the result.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RebaseOptions {
    /// The image, if there are several.
    pub image: Option<Selector>,
    /// Its platform; by default the host's.
    pub platform: Option<Platform>,
    /// The new base, if its input holds several images. Of an index the image for the
    /// same platform is taken.
    pub onto: Option<Selector>,
    /// The old base, if its input holds several images.
    pub from: Option<Selector>,
    /// The names in the output, instead of those in the input.
    pub names: Vec<Name>,
    /// The compression of layers; by default they are left as they are.
    pub compress: CompressionChoice,
}

/// The changes that a rebase has made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RebaseReport {
    /// The name of the image in the input.
    pub image: String,
    /// The name of the new base.
    pub base: String,
    /// The way in which the old base was found.
    pub found: BaseFound,
    /// The number of layers of the old base.
    pub layers_before: usize,
    /// The number of layers of the new base.
    pub layers_after: usize,
    /// The number of layers above the base.
    pub layers_kept: usize,
    /// The written image.
    pub written: WriteReport,
}

/// Implements [`Session::rebase`](crate::Session::rebase).
pub(crate) fn rebase(
    source: &dyn ImageSource,
    onto: &dyn ImageSource,
    from: Option<&dyn ImageSource>,
    sink: Box<dyn ImageSink>,
    options: &RebaseOptions,
    context: Context<'_>,
) -> Result<RebaseReport> {
    let reason = options.platform.as_ref();
    let reason = reason.map_or(PlatformChoice::OneImage, PlatformChoice::Asked);
    let joined = JoinedSource::with_blobs_of(source, &[onto])?;
    let source: &dyn ImageSource = &joined;
    let chosen = choose_image(source, options.image.as_ref(), reason, context)?;
    let platform = chosen.image.platform_under(chosen.descriptor.as_ref());
    let wanted = platform.as_ref();
    let wanted = wanted.map_or(PlatformChoice::OneTree, PlatformChoice::Asked);
    // What is left out of the base was never asked for.
    let quiet = Context {
        watch: context.watch.silent(),
        ..context
    };
    let mut base = choose_image(onto, options.onto.as_ref(), wanted, quiet)
        .map_err(|error| for_other(error, &chosen.name))?;
    check_platform(&base, &chosen, platform.as_ref())?;
    let old = match from {
        Some(from) => base::given(from, options.from.as_ref(), wanted, &chosen, context)?,
        None => find_base(&[onto, source], &chosen, &base, wanted, context)?,
    };
    check_present(&base, 0)?;
    check_present(&chosen, old.layers)?;
    base.image.set_origin(1);
    let image = rebased(&chosen, &base, &old)?;
    let policy = CompressionPolicy::new(options.compress, sink.format());
    let container = source.container();
    let scanned = ScannedLayers::among(&image.layers, container, policy);
    compare_trees(
        source,
        &chosen,
        (&image, &base.name),
        (old.layers, base.image.layers.len()),
        &scanned,
        context,
    )?;
    let (name, layers) = (chosen.name.clone(), chosen.image.layers.len());
    let workers = context.workers_for(sink.as_ref())?;
    let edited = Edited {
        source,
        sink,
        names: &options.names,
        platform: options.platform.as_ref(),
        compress: options.compress,
        workers: &workers,
        scanned: Some(&scanned),
        context,
    };
    let written = edited.deliver(chosen.into(), Some(Content::Image(image)))?;
    Ok(RebaseReport {
        image: name,
        base: base.name,
        found: old.found,
        layers_before: old.layers,
        layers_after: base.image.layers.len(),
        layers_kept: layers - old.layers,
        written,
    })
}

/// The error for a base without an image for the platform of this one.
fn for_other(error: Error, image: &str) -> Error {
    match error {
        Error::Choice(ChoiceError::NoSuchPlatform { name, wanted, have }) if !have.is_empty() => {
            ChoiceError::BaseForOther {
                base: name,
                has: have.join(", "),
                image: image.to_owned(),
                wanted: wanted.to_string(),
            }
            .into()
        }
        error => error,
    }
}

/// Refuses a base for another platform. Its variant may differ.
fn check_platform(
    base: &ChosenImage<'_>,
    of: &ChosenImage<'_>,
    wanted: Option<&Platform>,
) -> Result<()> {
    let has = base.image.platform_under(base.descriptor.as_ref());
    let (Some(has), Some(wanted)) = (has, wanted) else {
        return Ok(());
    };
    let (one, other) = (has.normalized(), wanted.normalized());
    if (one.os, one.architecture) == (other.os, other.architecture) {
        return Ok(());
    }
    Err(ChoiceError::BaseForOther {
        base: base.name.clone(),
        has: has.to_string(),
        image: of.name.clone(),
        wanted: wanted.to_string(),
    }
    .into())
}

/// Refuses an image of which a layer from this number on is missing.
fn check_present(chosen: &ChosenImage<'_>, first: usize) -> Result<()> {
    let mut layers = chosen.image.layers.iter().skip(first);
    match layers.find(|layer| layer.is_absent()) {
        Some(layer) => Err(layer.absence().while_reading(layer.place(&chosen.name))),
        None => Ok(()),
    }
}

/// Makes the image on its new base.
fn rebased(chosen: &ChosenImage<'_>, base: &ChosenImage<'_>, old: &OldBase) -> Result<Image> {
    let own = chosen.image.layers.iter().skip(old.layers);
    let mut layers: Vec<_> = base.image.layers.iter().chain(own).cloned().collect();
    let count = layers.len();
    for (at, layer) in layers.iter_mut().enumerate() {
        layer.position = LayerPosition::new(at, count);
    }
    let config = rebase_config(
        &chosen.image.config,
        old.layers,
        &base.image.config,
        old.config.as_ref(),
    );
    let config = config.map_err(own_document)?;
    let annotations = base_annotations(base);
    if is_same(&chosen.image, &config, &layers, &annotations)? {
        return Ok(chosen.image.clone());
    }
    let manifest = chosen.image.manifest.as_ref();
    let manifest = manifest.map(|manifest| edited_manifest(manifest, forget_base));
    Ok(Image {
        manifest: manifest.transpose()?,
        config,
        layers,
        annotations,
        others: chosen.image.others.clone(),
    })
}

/// True if an image with this config, these layers and these annotations for its base is
/// the same as before.
fn is_same(
    before: &Image,
    config: &Document<Config>,
    layers: &[Layer],
    annotations: &[(String, String)],
) -> Result<bool> {
    let stored = |layers: &[Layer]| -> Vec<_> {
        let stored = layers.iter();
        stored
            .map(|it| (it.digest(), it.descriptor().cloned()))
            .collect()
    };
    let held = before.manifest.as_ref().map(Document::value).transpose();
    let held = held.map_err(own_document)?.unwrap_or_default();
    let has_same = |key: &str| {
        let new = annotations.iter().find(|(name, _)| name == key);
        new.map(|(_, value)| value.as_str()) == held["annotations"][key].as_str()
    };
    Ok(config.digest() == before.config.digest()
        && stored(layers) == stored(&before.layers)
        && has_same(BASE_NAME)
        && has_same(BASE_DIGEST))
}

/// The annotations that name the new base, as far as they are known.
fn base_annotations(base: &ChosenImage<'_>) -> Vec<(String, String)> {
    let name = base.references().first().map(crate::image::Reference::full);
    let digest = base.manifest().map(|it| it.digest().to_string());
    let annotations = [(BASE_NAME, name), (BASE_DIGEST, digest)].into_iter();
    let known = annotations.filter_map(|(key, value)| Some((key.to_owned(), value?)));
    known.collect()
}
