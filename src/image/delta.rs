//! Deltas: artifacts that make an image from another one, as containers/oci-delta writes
//! them ([README.md]).
//!
//! [README.md]: https://github.com/containers/oci-delta#delta-file-format

use serde_json::{Value, json};

use crate::digest::Digest;
use crate::image::media_type::OCI_MANIFEST;
use crate::image::{Descriptor, Document, Manifest};

/// The artifact type of a delta.
pub(crate) const DELTA: &str = "application/vnd.io.github.containers.oci-delta.v1";
/// The kind of a delta, for a message.
pub(crate) const DELTA_KIND: &str = "a delta";
/// The media type of a layer as a tar-diff.
pub(crate) const TAR_DIFF: &str = "application/vnd.tar-diff";
/// The media type of the empty config, and its content.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
pub(crate) const EMPTY_CONTENT: &[u8] = b"{}";

/// The annotation of a layer of a delta with what it is.
const CONTENT: &str = "io.github.containers.delta.content";
/// The digest of the layer that a layer of a delta makes.
const TO: &str = "io.github.containers.delta.to";
const TARGET: &str = "io.github.containers.delta.target";
const SOURCE: &str = "io.github.containers.delta.source";
const SOURCE_CONFIG: &str = "io.github.containers.delta.source-config";
const REUSED: &str = "io.github.containers.delta.reused";
const REUSED_DIFF_ID: &str = "io.github.containers.delta.reused-diff-id";
/// The path of a file of the archive around the images: restow's own, which others
/// ignore.
const PATH: &str = "restow.delta.path";

/// The path of a file that is not in the archive: the digests of its blobs in their order,
/// as a JSON list.
pub(crate) const ORDER: &str = "restow-order.json";

/// The content of a layer of a delta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeltaContent {
    /// The manifest of the new image.
    Manifest,
    /// Its config.
    Config,
    /// The layer with this digest, as it is or as a tar-diff.
    Layer(Digest),
    /// A file of the archive around the new images, such as `index.json`.
    File(String),
    /// A blob of that archive that is no layer.
    Blob,
    /// Anything else, which is to be ignored.
    Other,
}

impl DeltaContent {
    /// Returns the content of a layer of a delta, which its annotations name.
    pub(crate) fn of(layer: &Descriptor) -> Self {
        let to = || layer.annotation(TO)?.parse().ok().map(Self::Layer);
        let path = || Some(Self::File(layer.annotation(PATH)?.to_owned()));
        match layer.annotation(CONTENT) {
            Some("image-manifest") => Self::Manifest,
            Some("image-config") => Self::Config,
            Some("image-layer") => to().unwrap_or(Self::Other),
            Some("restow-file") => path().unwrap_or(Self::Other),
            Some("restow-blob") => Self::Blob,
            _ => Self::Other,
        }
    }

    /// The kind of a layer of a delta, as its annotation names it.
    pub(crate) fn kind(layer: &Descriptor) -> &str {
        layer.annotation(CONTENT).unwrap_or_default()
    }

    /// Annotates a layer of a delta.
    pub(crate) fn annotate(&self, layer: Descriptor) -> Descriptor {
        let (content, more) = match self {
            Self::Manifest => ("image-manifest", None),
            Self::Config => ("image-config", None),
            Self::Layer(to) => ("image-layer", Some((TO, to.to_string()))),
            Self::File(path) => ("restow-file", Some((PATH, path.clone()))),
            Self::Blob => ("restow-blob", None),
            Self::Other => return layer,
        };
        let layer = layer.with_annotation(CONTENT, Some(content.to_owned()));
        match more {
            Some((key, value)) => layer.with_annotation(key, Some(value)),
            None => layer,
        }
    }
}

/// The facts in the manifest of a delta.
#[derive(Clone, Debug)]
pub(crate) struct DeltaFacts {
    /// The manifest of the new image.
    pub(crate) target: Descriptor,
    /// The digest of the old image's manifest, if it has one.
    pub(crate) source: Option<Digest>,
    /// The digest of the old image's config.
    pub(crate) source_config: Digest,
    /// The digests and diff_ids of the new image's layers that the old one has.
    pub(crate) reused: Vec<(Digest, Digest)>,
}

/// Makes the manifest of a delta.
pub(crate) fn delta_manifest(facts: &DeltaFacts, layers: &[Descriptor]) -> Value {
    let empty = EMPTY_CONTENT;
    let config = Descriptor::new(EMPTY, Digest::of(empty), empty.len() as u64);
    let mut annotations = json!({
        TARGET: facts.target.digest().to_string(),
        SOURCE_CONFIG: facts.source_config.to_string(),
    });
    if let Some(source) = &facts.source {
        annotations[SOURCE] = source.to_string().into();
    }
    if !facts.reused.is_empty() {
        let (digests, diff_ids): (Vec<_>, Vec<_>) = facts
            .reused
            .iter()
            .map(|(digest, diff_id)| (digest.to_string(), diff_id.to_string()))
            .unzip();
        annotations[REUSED] = json!(digests).to_string().into();
        annotations[REUSED_DIFF_ID] = json!(diff_ids).to_string().into();
    }
    let layers: Vec<Value> = layers.iter().map(Descriptor::to_json).collect();
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": DELTA,
        "config": config.to_json(),
        "layers": layers,
        "subject": facts.target.to_json(),
        "annotations": annotations,
    })
}

/// True for the manifest of a delta.
pub(crate) fn is_delta(manifest: &Manifest) -> bool {
    manifest.artifact_type.as_deref() == Some(DELTA)
}

/// True for the descriptor of a delta in an `index.json`, as far as it tells.
pub(crate) fn is_delta_artifact(descriptor: &Descriptor) -> bool {
    descriptor.to_json()["artifactType"] == DELTA
}

/// The digest of the config of the old image, according to the manifest of a delta.
pub(crate) fn source_config(manifest: &Document<Manifest>) -> Option<Digest> {
    let value = manifest.value().ok()?;
    value["annotations"][SOURCE_CONFIG].as_str()?.parse().ok()
}
