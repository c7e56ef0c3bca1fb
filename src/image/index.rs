//! Indexes: lists of manifests and of other indexes.

use serde_json::{Value, json};

use crate::image::json::{DocumentError, Node};
use crate::image::{Descriptor, View, media_type, types};
use crate::limits::DESCRIPTORS_MAX;

/// An OCI image index, or a Docker manifest list.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// The media type in the document, if any.
    pub media_type: Option<String>,
    /// The listed descriptors, in their order.
    pub manifests: Vec<Descriptor>,
    /// The document that it refers to, if it is a referrer.
    pub subject: Option<Descriptor>,
}

impl View for Index {
    const SCHEMA: types::Type = types::MANIFEST_OR_INDEX;

    fn read(value: &Value, faults: &mut Vec<DocumentError>) -> Option<Self> {
        let root = Node::root(value);
        // Docker 25.0.0 to 25.0.2 write null if no image has a tag.
        if value.get("manifests").is_none() {
            faults.push(root.wrong_field("manifests", "a list"));
            return None;
        }
        let mut others = ["layers", "config"].into_iter();
        let other = others.find(|it| root.optional(it).is_some());
        faults.extend(other.map(|other| DocumentError::Ambiguous {
            one: "manifests",
            other,
        }));
        Some(Self {
            media_type: text(&root, "mediaType", faults),
            manifests: descriptors(&root, "manifests", faults),
            subject: subject(&root, faults),
        })
    }
}

/// The value, if it could be read; otherwise the error is added to `faults`.
pub(super) fn kept<T>(
    read: Result<T, DocumentError>,
    faults: &mut Vec<DocumentError>,
) -> Option<T> {
    read.map_err(|error| faults.push(error)).ok()
}

/// An optional text.
pub(super) fn text(root: &Node<'_>, name: &str, faults: &mut Vec<DocumentError>) -> Option<String> {
    kept(root.optional(name)?.text().map(str::to_owned), faults)
}

/// The descriptors in a list, without those that are malformed.
pub(super) fn descriptors(
    root: &Node<'_>,
    name: &str,
    faults: &mut Vec<DocumentError>,
) -> Vec<Descriptor> {
    let nodes = kept(root.list(name, DESCRIPTORS_MAX), faults).unwrap_or_default();
    let nodes = nodes.iter().map(Descriptor::from_node);
    nodes.filter_map(|node| kept(node, faults)).collect()
}

/// The descriptor of the document that a manifest or an index refers to.
pub(super) fn subject(root: &Node<'_>, faults: &mut Vec<DocumentError>) -> Option<Descriptor> {
    kept(Descriptor::from_node(&root.optional("subject")?), faults)
}

/// Makes a new index of these descriptors.
pub(crate) fn new_index(manifests: &[Descriptor]) -> Value {
    let manifests: Vec<_> = manifests.iter().map(Descriptor::to_json).collect();
    json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_INDEX,
        "manifests": manifests,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Document;

    #[test]
    fn an_index_is_not_a_manifest_too() {
        let parse = |value: Value| Document::<Index>::from_value(&value).map(|_| ());
        parse(json!({"manifests": []})).unwrap();
        parse(json!({"manifests": null})).unwrap();
        parse(json!({"manifests": [], "layers": null})).unwrap();
        assert_eq!(
            parse(json!({"manifests": [], "layers": []}))
                .unwrap_err()
                .to_string(),
            "it has both `manifests` and `layers`, so it is ambiguous"
        );
        assert_eq!(
            parse(json!({"schemaVersion": 2})).unwrap_err().to_string(),
            "`manifests` is not a list"
        );
        let many = vec![json!({}); DESCRIPTORS_MAX + 1];
        assert_eq!(
            parse(json!({"manifests": many})).unwrap_err().to_string(),
            "`manifests` has 10001 members, more than the limit of 10000"
        );
    }
}
