//! Descriptors: media type, digest, size and optional fields.

use base64::Engine as _;
use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::image::Platform;
use crate::image::json::{DocumentError, Node};

/// A pointer to a blob ([descriptor.md]).
///
/// Fields that are not modelled are kept.
///
/// [descriptor.md]: https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
    fields: Map<String, Value>,
}

impl Descriptor {
    /// Makes a descriptor with the three fields that every descriptor has.
    pub(crate) fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        let mut fields = Map::new();
        fields.insert("mediaType".to_owned(), media_type.into());
        fields.insert("digest".to_owned(), digest.to_string().into());
        fields.insert("size".to_owned(), size.into());
        Self {
            media_type: media_type.to_owned(),
            digest,
            size,
            fields,
        }
    }

    pub(crate) fn from_node(node: &Node<'_>) -> Result<Self, DocumentError> {
        let fields = node.object()?;
        Ok(Self {
            media_type: node.required("mediaType", "a string")?.text()?.to_owned(),
            digest: node.required("digest", "a digest")?.digest()?,
            size: node.required("size", "a number of bytes")?.size()?,
            fields: fields.clone(),
        })
    }

    /// Reads a descriptor outside of any document.
    pub(crate) fn from_json(value: &Value) -> Result<Self, DocumentError> {
        Self::from_node(&Node::root(value))
    }

    /// The media type, exactly as in the descriptor.
    pub(crate) fn media_type(&self) -> &str {
        &self.media_type
    }

    /// The digest of the blob as stored.
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The size of the blob as stored, in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The manifest that an attestation describes, according to `BuildKit`'s annotation
    /// in an index.
    pub(crate) fn attested(&self) -> Option<Digest> {
        self.annotation("vnd.docker.reference.digest")?.parse().ok()
    }

    /// All fields, as JSON.
    pub(crate) fn to_json(&self) -> Value {
        Value::Object(self.fields.clone())
    }

    /// Points to another blob; all other fields are kept.
    pub(crate) fn pointing_to(&self, media_type: &str, digest: &Digest, size: u64) -> Self {
        let mut fields = self.fields.clone();
        fields.insert("mediaType".to_owned(), media_type.into());
        fields.insert("digest".to_owned(), digest.to_string().into());
        fields.insert("size".to_owned(), size.into());
        // The embedded content was that of the former blob.
        fields.shift_remove("data");
        Self {
            media_type: media_type.to_owned(),
            digest: digest.clone(),
            size,
            fields,
        }
    }

    /// Declares another media type for the same blob.
    pub(crate) fn labelled(mut self, media_type: &str) -> Self {
        self.fields
            .insert("mediaType".to_owned(), media_type.into());
        media_type.clone_into(&mut self.media_type);
        self
    }

    /// Sets a field, or removes it if `value` is `None`.
    pub(crate) fn with(mut self, field: &str, value: Option<Value>) -> Self {
        match value {
            Some(value) => drop(self.fields.insert(field.to_owned(), value)),
            None => drop(self.fields.shift_remove(field)),
        }
        self
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.fields.get("annotations")?.get(key)?.as_str()
    }

    /// Sets an annotation, or removes it if `value` is `None`.
    pub(crate) fn with_annotation(mut self, key: &str, value: Option<String>) -> Self {
        let mut annotations = match self.fields.get("annotations") {
            Some(Value::Object(annotations)) => annotations.clone(),
            _ => Map::new(),
        };
        match value {
            Some(value) => drop(annotations.insert(key.to_owned(), value.into())),
            None => drop(annotations.shift_remove(key)),
        }
        let annotations = (!annotations.is_empty()).then_some(Value::Object(annotations));
        self = self.with("annotations", annotations);
        self
    }

    /// The platform, if the descriptor has it.
    pub(crate) fn platform(&self) -> Option<Platform> {
        Platform::from_json(self.fields.get("platform")?)
    }

    /// The platform object, if the descriptor has it.
    pub(crate) fn platform_json(&self) -> Option<&Value> {
        self.fields.get("platform")
    }

    /// True if it lists other locations of the blob, so that an archive need not
    /// contain it.
    pub(crate) fn has_urls(&self) -> bool {
        let urls = self.fields.get("urls").and_then(Value::as_array);
        urls.is_some_and(|urls| !urls.is_empty())
    }

    /// The embedded blob, if there is one. It is not verified, and is empty if it is
    /// not base64.
    pub(crate) fn data(&self) -> Option<Vec<u8>> {
        let data = self.fields.get("data").filter(|data| !data.is_null())?;
        let bytes = data.as_str().and_then(|text| {
            let base64 = base64::engine::general_purpose::STANDARD;
            base64.decode(text).ok()
        });
        Some(bytes.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_fields_stay_when_the_blob_changes() {
        let digest = Digest::of(b"old").to_string();
        let value = json!({
            "mediaType": "a/b", "digest": digest, "size": 3, "data": "b2xk",
            "x": [1], "annotations": {"k": "v"},
        });
        let descriptor = Descriptor::from_json(&value).unwrap();
        assert_eq!(descriptor.to_json(), value);
        assert_eq!(descriptor.data().unwrap(), b"old");
        let new = Digest::of(b"new!");
        let moved = descriptor
            .pointing_to("c/d", &new, 4)
            .with_annotation("k", None)
            .with_annotation("n", Some("w".to_owned()));
        assert_eq!(
            moved.to_json(),
            json!({
                "mediaType": "c/d", "digest": new.to_string(), "size": 4,
                "x": [1], "annotations": {"n": "w"},
            })
        );
    }

    #[test]
    fn an_error_names_the_field() {
        let digest = Digest::of(b"").to_string();
        let cases = [
            (json!([]), "`the document` is not an object"),
            (json!({}), "`mediaType` is not a string"),
            (
                json!({"mediaType": "a", "digest": "sha256:x"}),
                "`digest` is not a digest",
            ),
            (
                json!({"mediaType": "a", "digest": digest, "size": -1}),
                "`size` is not a number of bytes",
            ),
        ];
        for (value, message) in cases {
            let error = Descriptor::from_json(&value).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}
