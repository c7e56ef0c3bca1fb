//! Indexes: lists of manifests, and of further indexes.

use serde_json::{Value, json};

use crate::image::json::{DocumentError, Node};
use crate::image::{Descriptor, View, media_type, types};
use crate::limits::DESCRIPTORS_MAX;

/// An OCI image index, or a Docker manifest list.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// What it says of itself, if anything.
    pub media_type: Option<String>,
    /// What it lists, in its order.
    pub manifests: Vec<Descriptor>,
    /// What it speaks of, where it is a referrer.
    pub subject: Option<Descriptor>,
}

impl View for Index {
    fn from_json(value: &Value) -> Result<Self, DocumentError> {
        let root = Node::root(value);
        // Docker 25.0.0 to 25.0.2 write null where no image has a tag.
        if value.get("manifests").is_none() {
            return Err(root.wrong_field("manifests", "a list"));
        }
        for other in ["layers", "config"] {
            if root.optional(other).is_some() {
                return Err(DocumentError::Ambiguous {
                    one: "manifests",
                    other,
                });
            }
        }
        let media_type = root.optional("mediaType");
        Ok(Self {
            media_type: media_type
                .map(|node| node.text().map(str::to_owned))
                .transpose()?,
            manifests: root
                .list("manifests", DESCRIPTORS_MAX)?
                .iter()
                .map(Descriptor::from_node)
                .collect::<Result<_, _>>()?,
            subject: subject(&root)?,
        })
    }

    fn fix_keys(value: &mut Value) {
        types::MANIFEST_OR_INDEX.fix_keys(value);
    }
}

/// The descriptor of what a manifest or an index speaks of.
pub(super) fn subject(root: &Node<'_>) -> Result<Option<Descriptor>, DocumentError> {
    root.optional("subject")
        .map(|node| Descriptor::from_node(&node))
        .transpose()
}

/// A new index of these descriptors.
#[must_use]
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
            "it has both `manifests` and `layers`, so it cannot be told what it is"
        );
        assert_eq!(
            parse(json!({"schemaVersion": 2})).unwrap_err().to_string(),
            "`manifests` is not a list"
        );
        let many = vec![json!({}); DESCRIPTORS_MAX + 1];
        assert_eq!(
            parse(json!({"manifests": many})).unwrap_err().to_string(),
            "`manifests` has 10001 members, and 10000 are the most that is accepted"
        );
    }
}
