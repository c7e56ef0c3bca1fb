//! Manifests: a config and the layers.

use serde_json::{Value, json};

use crate::image::index::{descriptors, kept, subject, text};
use crate::image::json::{DocumentError, Node};
use crate::image::media_type::Family;
use crate::image::{Descriptor, View, types};

/// An OCI image manifest, or a Docker one of schema 2.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    /// The media type in the document, if any.
    pub media_type: Option<String>,
    /// The config; anything if it is an artifact other than an image.
    pub config: Descriptor,
    /// The layers, the lowest first.
    pub layers: Vec<Descriptor>,
    /// The artifact type, if it is not an image.
    pub artifact_type: Option<String>,
    /// The document that it refers to, if it is a referrer.
    pub subject: Option<Descriptor>,
}

impl View for Manifest {
    const SCHEMA: types::Type = types::MANIFEST_OR_INDEX;

    fn read(value: &Value, faults: &mut Vec<DocumentError>) -> Option<Self> {
        let root = Node::root(value);
        let mut others = ["config", "layers"].into_iter();
        let other = others.find(|it| root.optional(it).is_some());
        if let (Some(one), Some(_)) = (other, root.optional("manifests")) {
            let other = "manifests";
            faults.push(DocumentError::Ambiguous { one, other });
        }
        let media_type = text(&root, "mediaType", faults);
        let config = root.required("config", "a descriptor");
        let config = kept(config.and_then(|node| Descriptor::from_node(&node)), faults);
        let layers = descriptors(&root, "layers", faults);
        Some(Self {
            media_type,
            config: config?,
            layers,
            artifact_type: text(&root, "artifactType", faults),
            subject: subject(&root, faults),
        })
    }
}

/// Makes a new manifest.
pub(crate) fn new_manifest(family: Family, config: &Descriptor, layers: &[Descriptor]) -> Value {
    let layers: Vec<_> = layers.iter().map(Descriptor::to_json).collect();
    json!({
        "schemaVersion": 2,
        "mediaType": family.manifest(),
        "config": config.to_json(),
        "layers": layers,
    })
}
