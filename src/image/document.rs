//! A document that keeps its original bytes.

use serde_json::Value;

use crate::digest::{Algorithm, Digest};
use crate::image::Descriptor;
use crate::image::json::{DocumentError, Node, compact, parse_value};
use crate::image::types::Type;

/// The part of a kind of document that restow interprets.
pub(crate) trait View: Sized {
    /// Its type, by which keys get the right case: Go accepts them in any. By default
    /// no keys are known.
    const SCHEMA: Type = Type::Struct(&[]);

    /// Reads it from the parsed JSON. Faults are added to `faults` in their order;
    /// `None` if they leave nothing to read.
    fn read(value: &Value, faults: &mut Vec<DocumentError>) -> Option<Self>;
}

/// A JSON document: its bytes, and the view parsed from them.
///
/// A document that need not change is written with its original bytes. One that must is
/// edited with [`Document::edit`], which keeps every field that it does not touch,
/// known or not, in its order.
#[derive(Clone, Debug)]
pub(crate) struct Document<T> {
    bytes: Vec<u8>,
    view: T,
    digest: Digest,
}

/// A document that may be faulty.
#[derive(Debug)]
pub(crate) struct Reading<T> {
    /// The original bytes.
    pub(crate) bytes: Vec<u8>,
    /// The JSON; null if the bytes are not JSON.
    pub(crate) value: Value,
    /// The view, as far as it could be read.
    pub(crate) view: Option<T>,
    /// The faults, in their order.
    pub(crate) faults: Vec<DocumentError>,
}

impl<T> Reading<T> {
    /// The document, if it could be read.
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
    /// Parses the bytes, and keeps them.
    ///
    /// As in Go, keys are accepted in any case, the last of repeated keys counts, and
    /// bytes that are not UTF-8 are read as U+FFFD.
    ///
    /// # Errors
    ///
    /// Fails with the first fault.
    pub(crate) fn parse(bytes: Vec<u8>) -> Result<Self, DocumentError> {
        let mut reading = Self::read(bytes);
        let fault = reading.faults.drain(..).next();
        match (fault, reading.into_document()) {
            (Some(fault), _) => Err(fault),
            (None, Some(document)) => Ok(document),
            (None, None) => unreachable!("what cannot be read has a fault"),
        }
    }

    /// Reads as much of the bytes as possible.
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

    /// Makes a document from a JSON value, written compactly.
    pub(crate) fn from_value(value: &Value) -> Result<Self, DocumentError> {
        Self::parse(compact(value))
    }

    /// Returns a changed copy; the same bytes if nothing changes.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut Value)) -> Result<Self, DocumentError>
    where
        T: Clone,
    {
        let before = self.value()?;
        let mut value = before.clone();
        change(&mut value);
        if value == before {
            return Ok(self.clone());
        }
        Self::from_value(&value)
    }

    /// The bytes: the original ones, or those of the edited document.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Parses the JSON again: a parsed document needs many times the memory of its
    /// bytes, and is therefore not kept.
    pub(crate) fn value(&self) -> Result<Value, DocumentError> {
        let mut value = parse_value(&self.bytes)?;
        T::SCHEMA.fix_keys(&mut value);
        Ok(value)
    }

    /// The view that was parsed from it.
    pub(crate) fn view(&self) -> &T {
        &self.view
    }

    /// Has its digest by this hash function, by which the input names it.
    pub(crate) fn hashed_by(mut self, algorithm: Algorithm) -> Self {
        if self.digest.algorithm() != algorithm {
            self.digest = Digest::by(algorithm, &self.bytes);
        }
        self
    }

    /// The digest of the bytes: by sha256, unless the input names it by another one.
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// A descriptor of the document, with this media type.
    pub(crate) fn descriptor(&self, media_type: &str) -> Descriptor {
        Descriptor::new(media_type, self.digest.clone(), self.size())
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use crate::limits::VALUES_MAX;

    use super::*;

    #[derive(Clone, Debug)]
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
