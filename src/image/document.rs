//! A document that keeps the bytes it came in.

use serde_json::Value;

use crate::digest::Digest;
use crate::image::Descriptor;
use crate::image::json::{DocumentError, Node, compact, parse_value};
use crate::image::types::Type;

/// What restow needs to know of a kind of document.
pub(crate) trait View: Sized {
    /// Its type, by which keys get their case: Go finds them in any. By default it knows
    /// none.
    const SCHEMA: Type = Type::Struct(&[]);

    /// Reads it from the parsed JSON. What is wrong goes to `faults`, the first first;
    /// `None` if that leaves nothing to read.
    fn read(value: &Value, faults: &mut Vec<DocumentError>) -> Option<Self>;
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

/// A document of which something may be wrong.
#[derive(Debug)]
pub(crate) struct Reading<T> {
    /// The bytes as they came.
    pub(crate) bytes: Vec<u8>,
    /// The JSON; null if it is none.
    pub(crate) value: Value,
    /// What could be read, if anything.
    pub(crate) view: Option<T>,
    /// What is wrong, the first first.
    pub(crate) faults: Vec<DocumentError>,
}

impl<T> Reading<T> {
    /// The document, as far as it could be read.
    pub(crate) fn into_document(self) -> Option<Document<T>> {
        let digest = Digest::of(&self.bytes);
        self.view.map(|view| Document {
            bytes: self.bytes,
            view,
            digest,
        })
    }
}

impl<T: View> Document<T> {
    /// Parses the bytes, which are kept.
    ///
    /// As in Go, keys are found in any case, of a repeated key the last one counts, and
    /// bytes that are not UTF-8 are read as U+FFFD.
    ///
    /// # Errors
    ///
    /// Fails with the first thing that is wrong.
    pub(crate) fn parse(bytes: Vec<u8>) -> Result<Self, DocumentError> {
        let mut reading = Self::read(bytes);
        let fault = reading.faults.drain(..).next();
        match (fault, reading.into_document()) {
            (Some(fault), _) => Err(fault),
            (None, Some(document)) => Ok(document),
            (None, None) => unreachable!("what cannot be read has a fault"),
        }
    }

    /// Reads what can be read of the bytes.
    pub(crate) fn read(bytes: Vec<u8>) -> Reading<T> {
        let mut faults = Vec::new();
        let parsed = parse_value(&bytes).map_err(|error| faults.push(error));
        let mut value = parsed.unwrap_or_default();
        T::SCHEMA.fix_keys(&mut value);
        let mut view = None;
        if faults.is_empty() {
            view = match Node::root(&value).object() {
                Ok(_) => T::read(&value, &mut faults),
                Err(error) => {
                    faults.push(error);
                    None
                }
            };
        }
        Reading {
            bytes,
            value,
            view,
            faults,
        }
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
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The JSON, parsed once more: held parsed, a document takes many times the
    /// memory of its bytes.
    pub(crate) fn value(&self) -> Result<Value, DocumentError> {
        let mut value = parse_value(&self.bytes)?;
        T::SCHEMA.fix_keys(&mut value);
        Ok(value)
    }

    /// What was read from it.
    pub(crate) fn view(&self) -> &T {
        &self.view
    }

    /// The sha256 digest of the bytes.
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// What points to it, as something of this media type.
    pub(crate) fn descriptor(&self, media_type: &str) -> Descriptor {
        Descriptor::new(media_type, self.digest.clone(), self.size())
    }

    /// How many bytes it has.
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
        fn read(_: &Value, _: &mut Vec<DocumentError>) -> Option<Self> {
            Some(Self)
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
            "`the document` has 200002 members, more than the limit of 200000"
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
