//! `inspect`: all facts about one image from its documents and headers.

use serde_json::Value;

use crate::digest::{DiffId, Digest};
use crate::error::{Error, Place, Result};
use crate::format::root::Root;
use crate::format::source::{Content, ImageSource, Layer};
use crate::format::{Format, find_index};
use crate::image::{HistoryEntry, Platform, Reference, RunConfig, history};
use crate::ops::Selector;
use crate::ops::choose::containerd::image_containerd_id;
use crate::ops::choose::image::{ChosenImage, choose_image};
use crate::ops::choose::platform::PlatformChoice;
use crate::ops::stack::size::{LayerSize, Request, SizeChoice, Sizes, Wanted};
use crate::stream::Compression;
use crate::transfer::Context;

/// The choice of the image, and of the details.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct InspectOptions {
    /// The image, if there are several.
    pub image: Option<Selector>,
    /// Its platform; by default the host's.
    pub platform: Option<Platform>,
    /// The layers whose size is determined.
    pub sizes: SizeChoice,
}

/// The facts about one image.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// The format of the input.
    pub format: Format,
    /// Its names that are references with a tag.
    pub references: Vec<Reference>,
    /// Its other names, which only a layout has.
    pub labels: Vec<String>,
    /// The digest of the config.
    pub id: Digest,
    /// The digest of the manifest; a docker archive from before Docker 25 has none.
    pub digest: Option<Digest>,
    /// The media type of the manifest.
    pub media_type: Option<String>,
    /// The digest of the index that contains it, if any.
    pub index: Option<Digest>,
    /// The id that the image, or the index that contains it, gets in Docker's
    /// containerd store when the input is loaded there. `None` if that store does not
    /// accept it, or if the id depends on something that is unknown without unpacking a
    /// layer.
    pub containerd_id: Option<Digest>,
    /// The platform, if known.
    pub platform: Option<Platform>,
    /// The creation time, exactly as in the config.
    pub created: Option<String>,
    /// The author.
    pub author: Option<String>,
    /// The complete `config` object of the config.
    pub config: Value,
    /// The same object, parsed.
    pub run: RunConfig,
    /// The layers, the lowest first.
    pub layers: Vec<InspectedLayer>,
    /// The history, the oldest entry first.
    pub history: Vec<HistoryEntry>,
}

/// A layer of an image.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InspectedLayer {
    /// Its diff_id.
    pub diff_id: DiffId,
    /// The digest of its blob, if a document has it.
    pub digest: Option<Digest>,
    /// The media type in the manifest, if there is one.
    pub media_type: Option<String>,
    /// Its compression.
    pub compression: Compression,
    /// True if the input has it.
    pub is_present: bool,
    /// True if it was left out of a partial archive on purpose.
    pub is_left_out: bool,
    /// Its size as stored, in bytes.
    pub stored_size: Option<u64>,
    /// Its size unpacked, as far as it is known.
    pub size: Option<LayerSize>,
}

impl Inspection {
    /// Total size of all layers unpacked, as far as it is known for each.
    #[must_use]
    pub fn size(&self) -> Option<LayerSize> {
        LayerSize::sum(self.layers.iter().map(|layer| layer.size))
    }

    /// Total size of all layers as stored, in bytes, as far as it is known.
    #[must_use]
    pub fn stored_size(&self) -> u64 {
        let sizes = self.layers.iter().filter_map(|layer| layer.stored_size);
        sizes.fold(0, u64::saturating_add)
    }
}

fn choose<'a>(
    source: &'a dyn ImageSource,
    options: &InspectOptions,
    context: Context<'_>,
) -> Result<ChosenImage<'a>> {
    let reason = options.platform.as_ref();
    let reason = reason.map_or(PlatformChoice::OneTree, PlatformChoice::Asked);
    // A warning about other platforms is useless when only one is inspected.
    let context = Context {
        watch: context.watch.silent(),
        ..context
    };
    let mut chosen = choose_image(source, options.image.as_ref(), reason, context)?;
    let named = std::mem::take(&mut chosen.roots);
    let is_named = |root: &&Root| named.iter().any(|it| root.has_target_of(it));
    chosen.roots = source.roots()?.iter().filter(is_named).collect();
    Ok(chosen)
}

/// Implements [`Session::inspect`](crate::Session::inspect).
pub(crate) fn inspect(
    source: &dyn ImageSource,
    options: &InspectOptions,
    context: Context<'_>,
) -> Result<Inspection> {
    let chosen = choose(source, options, context)?;
    let image = &chosen.image;
    let config = image.config.value().map_err(|source| Error::Document {
        what: Place::Config(chosen.name.clone()).to_string(),
        source,
    })?;
    let text = |name: &str| config[name].as_str().map(str::to_owned);
    let request = Request {
        container: source.container(),
        wanted: Wanted::all(&image.layers, &chosen.name),
        choice: options.sizes,
    };
    let sizes = Sizes::find(request, context)?;
    let layer = |layer: &Layer| InspectedLayer {
        diff_id: layer.diff_id.clone(),
        digest: layer.digest(),
        media_type: layer.descriptor().map(|it| it.media_type().to_owned()),
        compression: layer.compression,
        is_present: layer.blob().is_some(),
        is_left_out: layer.is_left_out(),
        stored_size: Some(layer.stored_size()),
        size: sizes.of(layer),
    };
    let descriptor = chosen.manifest();
    let root = chosen.roots.first();
    let target = root.and_then(|root| root.target_digest());
    let digest = descriptor.map(|descriptor| descriptor.digest().clone());
    let containerd_id = root.and_then(|root| image_containerd_id(source, root, image));
    Ok(Inspection {
        format: source.format(),
        references: chosen.references(),
        labels: chosen.labels(),
        id: image.config.digest().clone(),
        index: target
            .filter(|target| digest.as_ref() != Some(*target))
            .cloned(),
        containerd_id,
        digest,
        media_type: descriptor.map(|descriptor| descriptor.media_type().to_owned()),
        platform: image.platform_under(descriptor),
        created: text("created"),
        author: text("author").filter(|author| !author.is_empty()),
        run: RunConfig::from_json(&config["config"]),
        layers: image.layers.iter().map(layer).collect(),
        history: history(&config, image.layers.len()),
        config: config["config"].clone(),
    })
}

/// The documents of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawDocument {
    /// Its manifest.
    Manifest,
    /// Its config.
    Config,
    /// The index that lists its platforms, or else the one that lists the images of the
    /// layout.
    Index,
}

/// Implements [`Session::raw_document`](crate::Session::raw_document).
pub(crate) fn raw_document(
    source: &dyn ImageSource,
    document: RawDocument,
    options: &InspectOptions,
    context: Context<'_>,
) -> Result<Vec<u8>> {
    let chosen = choose(source, options, context)?;
    let (bytes, kind) = match document {
        RawDocument::Config => return Ok(chosen.image.config.bytes().to_vec()),
        RawDocument::Manifest => {
            let manifest = chosen.image.manifest.as_ref();
            (manifest.map(|it| it.bytes().to_vec()), "manifest")
        }
        RawDocument::Index => {
            let root = chosen.roots.first();
            let bytes = match root.map(|root| source.load(root)).transpose()? {
                Some(Content::Index(index)) => Some(index.index.bytes().to_vec()),
                _ => find_index(source.container())?.map(|index| index.bytes().to_vec()),
            };
            (bytes, "index")
        }
    };
    bytes.ok_or(Error::DocumentAbsent {
        name: chosen.name,
        document: kind,
    })
}
