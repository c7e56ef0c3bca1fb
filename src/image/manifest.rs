//! Manifests: a config and the layers.

use serde_json::{Value, json};

use crate::image::index::subject;
use crate::image::json::{DocumentError, Node};
use crate::image::media_type::Family;
use crate::image::{Descriptor, View, types};
use crate::limits::DESCRIPTORS_MAX;

/// An OCI image manifest, or a Docker one of schema 2.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    /// What it says of itself, if anything.
    pub media_type: Option<String>,
    /// The config; for an artifact that is no image, anything.
    pub config: Descriptor,
    /// The layers, the lowest first.
    pub layers: Vec<Descriptor>,
    /// What it is, where it is no image.
    pub artifact_type: Option<String>,
    /// What it speaks of, where it is a referrer.
    pub subject: Option<Descriptor>,
}

impl View for Manifest {
    fn from_json(value: &Value) -> Result<Self, DocumentError> {
        let root = Node::root(value);
        if root.optional("manifests").is_some() {
            return Err(DocumentError::Ambiguous {
                one: "config",
                other: "manifests",
            });
        }
        let media_type = root.optional("mediaType");
        Ok(Self {
            media_type: media_type
                .map(|node| node.text().map(str::to_owned))
                .transpose()?,
            config: Descriptor::from_node(&root.required("config", "a descriptor")?)?,
            layers: root
                .list("layers", DESCRIPTORS_MAX)?
                .iter()
                .map(Descriptor::from_node)
                .collect::<Result<_, _>>()?,
            artifact_type: root
                .optional("artifactType")
                .map(|node| node.text().map(str::to_owned))
                .transpose()?,
            subject: subject(&root)?,
        })
    }

    fn fix_keys(value: &mut Value) {
        types::MANIFEST_OR_INDEX.fix_keys(value);
    }
}

/// A new manifest.
#[must_use]
pub(crate) fn new_manifest(family: Family, config: &Descriptor, layers: &[Descriptor]) -> Value {
    let layers: Vec<_> = layers.iter().map(Descriptor::to_json).collect();
    json!({
        "schemaVersion": 2,
        "mediaType": family.manifest(),
        "config": config.to_json(),
        "layers": layers,
    })
}
