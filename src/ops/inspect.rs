//! `inspect`: all that documents and headers say of one image.

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
use crate::ops::stack::size::{LayerSize, Sizes, Wanted};
use crate::stream::Compression;
use crate::transfer::Context;

/// Which image, and how much of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InspectOptions {
    /// The image to take, where there are several.
    pub image: Option<Selector>,
    /// The platform to take of it; by default the host's.
    pub platform: Option<Platform>,
    /// Whether to look into the layers for their unpacked sizes.
    pub sizes: bool,
}

impl Default for InspectOptions {
    fn default() -> Self {
        Self {
            image: None,
            platform: None,
            sizes: true,
        }
    }
}

/// One image.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// What the input was read as.
    pub format: Format,
    /// Its names that are references with a tag.
    pub references: Vec<Reference>,
    /// Its names in a layout that are anything else.
    pub labels: Vec<String>,
    /// The digest of the config.
    pub id: Digest,
    /// The digest of the manifest; a docker archive before 25 has none.
    pub digest: Option<Digest>,
    /// The media type of the manifest.
    pub media_type: Option<String>,
    /// The digest of the index that it was taken from, if it was.
    pub index: Option<Digest>,
    /// The id that the image, or the index that it was taken from, has in Docker's
    /// containerd store once the input is loaded there, if that takes it, and all that
    /// the id depends on is known without unpacking a layer.
    pub containerd_id: Option<Digest>,
    /// The platform, where it is known.
    pub platform: Option<Platform>,
    /// When it was made, as the config says it.
    pub created: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// The `config` object of the config, whole.
    pub config: Value,
    /// What that says.
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
    /// What it unpacks to.
    pub diff_id: DiffId,
    /// The digest of its blob, where a document says it.
    pub digest: Option<Digest>,
    /// What the manifest says it is, if there is one.
    pub media_type: Option<String>,
    /// How it is compressed.
    pub compression: Compression,
    /// Whether the input holds it.
    pub is_present: bool,
    /// How many bytes it has as it is stored.
    pub stored_size: Option<u64>,
    /// How large it is unpacked, if that is known.
    pub size: Option<LayerSize>,
}

impl Inspection {
    /// How large all layers are unpacked, if that is known of each.
    #[must_use]
    pub fn size(&self) -> Option<LayerSize> {
        LayerSize::sum(self.layers.iter().map(|layer| layer.size))
    }

    /// How many bytes all layers have as they are stored, as far as it is known.
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
    // That there are other platforms is no news to who looks at one.
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

/// Does what [`Session::inspect`](crate::Session::inspect) says.
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
    let sizes = if options.sizes {
        let wanted = Wanted::all(&image.layers, &chosen.name);
        Sizes::find(source.container(), &wanted, context)?
    } else {
        Sizes::default()
    };
    let layer = |layer: &Layer| InspectedLayer {
        diff_id: layer.diff_id.clone(),
        digest: layer.digest(),
        media_type: layer.descriptor().map(|it| it.media_type().to_owned()),
        compression: layer.compression,
        is_present: layer.blob().is_some(),
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
    /// The index that lists its platforms, or else the one that lists the images of
    /// the layout.
    Index,
}

/// Does what [`Session::raw_document`](crate::Session::raw_document) says.
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
