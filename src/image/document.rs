//! A document that keeps the bytes it came in.

use serde_json::Value;

use crate::digest::Digest;
use crate::image::Descriptor;
use crate::image::json::{DocumentError, Node, compact, parse_value};

/// What restow needs to know of a kind of document.
pub(crate) trait View: Sized {
    /// Reads it from the parsed JSON.
    fn from_json(value: &Value) -> Result<Self, DocumentError>;

    /// Gives the keys that it knows the case that it knows them by: Go finds them in
    /// any. By default it knows none.
    fn fix_keys(value: &mut Value) {
        let _ = value;
    }
}

/// A JSON document: its bytes, and what was read from them.
///
/// One that need not change is written as the bytes it came in. One that must
/// is edited with [`Document::edit`], which keeps every field that it does not
/// touch, known or not, in its order.
#[derive(Clone, Debug)]
pub(crate) struct Document<T> {
    bytes: Vec<u8>,
    view: T,
    digest: Digest,
}

impl<T: View> Document<T> {
    /// Parses the bytes, which are kept.
    ///
    /// As in Go, keys are found in any case, of a repeated key the last one counts, and
    /// bytes that are not UTF-8 are read as U+FFFD.
    pub(crate) fn parse(bytes: Vec<u8>) -> Result<Self, DocumentError> {
        let mut value = parse_value(&bytes)?;
        T::fix_keys(&mut value);
        let root = Node::root(&value);
        root.object()?;
        let view = T::from_json(&value)?;
        let digest = Digest::of(&bytes);
        Ok(Self {
            bytes,
            view,
            digest,
        })
    }

    /// Makes a document of a JSON value, written compactly.
    pub(crate) fn from_value(value: &Value) -> Result<Self, DocumentError> {
        Self::parse(compact(value))
    }

    /// Returns a copy that was changed.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut Value)) -> Result<Self, DocumentError> {
        let mut value = self.value()?;
        change(&mut value);
        Self::from_value(&value)
    }

    /// The bytes, as they came or as they were made.
    #[must_use]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The JSON, parsed once more: held parsed, a document takes many times the
    /// memory of its bytes.
    pub(crate) fn value(&self) -> Result<Value, DocumentError> {
        let mut value = parse_value(&self.bytes)?;
        T::fix_keys(&mut value);
        Ok(value)
    }

    /// What was read from it.
    #[must_use]
    pub(crate) fn view(&self) -> &T {
        &self.view
    }

    /// The sha256 digest of the bytes.
    #[must_use]
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// What points to it, as something of this media type.
    #[must_use]
    pub(crate) fn descriptor(&self, media_type: &str) -> Descriptor {
        Descriptor::new(media_type, self.digest.clone(), self.size())
    }

    /// How many bytes it has.
    #[must_use]
    pub(crate) fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use crate::limits::VALUES_MAX;

    use super::*;

    #[derive(Debug)]
    struct Anything;

    impl View for Anything {
        fn from_json(_: &Value) -> Result<Self, DocumentError> {
            Ok(Self)
        }
    }

    #[test]
    fn an_edit_keeps_unknown_fields_their_order_and_numbers_to_the_digit() {
        let text =
            br#"{ "z": 1.10, "unknown": 1e400, "a": {"big": 123456789012345678901234567890} }"#;
        let document = Document::<Anything>::parse(text.to_vec()).unwrap();
        assert_eq!(document.bytes(), text);
        let edited = document
            .edit(|value| value["a"]["new"] = true.into())
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(edited.bytes()),
            r#"{"z":1.10,"unknown":1e+400,"a":{"big":123456789012345678901234567890,"new":true}}"#
        );
    }

    #[test]
    fn a_document_of_too_many_values_is_refused() {
        let text = format!("{{\"a\":[{}0]}}", "[],".repeat(VALUES_MAX / 2));
        let error = Document::<Anything>::parse(text.into_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`the document` has 200002 members, and 200000 are the most that is accepted"
        );
    }

    #[test]
    fn only_an_object_is_a_document() {
        for text in ["[]", "null", "1", "{} {}", "{", "\u{feff}{}"] {
            assert!(Document::<Anything>::parse(text.into()).is_err(), "{text}");
        }
        assert!(Document::<Anything>::parse(b" {\"a\": \"\xff\"}\n".to_vec()).is_ok());
    }
}
