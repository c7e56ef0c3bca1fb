//! Faults in the documents of an input: an error when it is opened, and a finding when
//! it is checked.
//!
//! The readers of the formats report each fault to a [`Reader`] and go on after it, if
//! that permits. So every rule exists only once.

use serde_json::Value;

use crate::digest::Digest;
use crate::error::{Cause, Error, LimitError, Place, Result};
use crate::finding::{Code, Fault, Site};
use crate::format::container::{Container, Member, read_document, spend};
use crate::image::{Config, Document, DocumentError, Reading};
use crate::limits::{DESCRIPTORS_MAX, DOCUMENTS_MAX};

/// A fault because of which an input cannot be opened.
#[derive(Debug)]
pub(in crate::format) struct Refusal {
    /// The fault as part of a finding.
    pub(in crate::format) fault: Fault,
    pub(in crate::format) error: Error,
}

impl Refusal {
    pub(in crate::format) fn new(code: Code, message: impl Into<String>, error: Error) -> Self {
        let fault = Fault::new(code, message);
        Self { fault, error }
    }

    /// A fault that its code fully describes.
    pub(in crate::format) fn plain(code: Code, error: Error) -> Self {
        Self::new(code, code.meaning(), error)
    }

    /// A fault of the document that messages call `what`.
    pub(in crate::format) fn document(code: Code, what: String, source: DocumentError) -> Self {
        let message = match code {
            Code::DocumentAmbiguous => code.meaning().to_owned(),
            _ => chain_of(&source),
        };
        Self::new(code, message, Error::Document { what, source })
    }

    /// The fault of a blob that does not match its digest.
    pub(in crate::format) fn digest(expected: &Digest, got: Digest, place: Place) -> Self {
        let fault = Fault::digest(Code::DigestMismatch, expected, &got);
        let expected = expected.clone();
        let error = Error::DigestMismatch { expected, got }.while_reading(place);
        Self { fault, error }
    }

    /// The path of the field that is absent or has the wrong type, if that is the
    /// fault.
    pub(in crate::format) fn field(&self) -> Option<&str> {
        match &self.error {
            Error::Document {
                source: DocumentError::Field { field, .. },
                ..
            } => Some(field),
            _ => None,
        }
    }
}

/// The amount of documents that may still be read, under one root or in one docker
/// archive.
#[derive(Debug)]
pub(in crate::format) struct Budget {
    pub(in crate::format) documents: usize,
    pub(in crate::format) bytes: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            documents: DESCRIPTORS_MAX,
            bytes: DOCUMENTS_MAX,
        }
    }
}

/// The fault of too many connected documents.
pub(in crate::format) fn too_large() -> Refusal {
    let limit = DESCRIPTORS_MAX;
    Refusal::plain(Code::IndexTooLarge, LimitError::IndexTooLarge(limit).into())
}

/// The kinds of JSON documents, by their fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::format) enum Schema {
    /// A config.
    Config,
    /// A manifest or an index.
    Graph,
    /// `manifest.json`.
    DockerManifest,
}

/// A reader of an input's documents, which decides what happens to their faults.
pub(in crate::format) trait Reader {
    /// The container of the files.
    fn container(&self) -> &dyn Container;

    fn budget(&mut self) -> &mut Budget;

    /// Receives a fault. An error ends the reading.
    fn report(&mut self, site: &Site, refusal: Refusal) -> Result<()>;

    /// Looks up a file to which something refers.
    fn find(&mut self, path: &str) -> Result<Option<Member>> {
        self.container().find(path)
    }

    /// Receives the faults of a document with these bytes, and with this JSON, if it is
    /// JSON.
    fn document(
        &mut self,
        site: &Site,
        _schema: Schema,
        _bytes: &[u8],
        _value: &Value,
        faults: Vec<Refusal>,
    ) -> Result<()> {
        let mut faults = faults.into_iter();
        faults.try_for_each(|fault| self.report(site, fault))
    }

    /// Claims this many documents from the budget; false if not enough are left.
    fn claim(&mut self, count: usize, site: &Site) -> Result<bool> {
        let left = self.budget().documents.checked_sub(count);
        self.budget().documents = left.unwrap_or(0);
        match left {
            Some(_) => Ok(true),
            None => self.report(site, too_large()).map(|()| false),
        }
    }

    /// Reads a whole document, within the budget; `None` after a fault.
    fn read(&mut self, member: &Member, site: &Site) -> Result<Option<Vec<u8>>> {
        let read = read_document(self.container(), member).and_then(|bytes| {
            let budget = self.budget();
            budget.bytes = spend(budget.bytes, bytes.len() as u64)?;
            Ok(bytes)
        });
        let error = match read {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(error) if error.cause() != Cause::Input => return Err(error),
            Err(error) => error,
        };
        let code = match error {
            Error::Limit(_) => Code::DocumentTooLarge,
            _ => Code::ArchiveDamaged,
        };
        let refusal = Refusal::new(code, chain_of(&error), error);
        self.report(site, refusal).map(|()| None)
    }

    /// Reads a control file, which does not count: a new budget begins after it. `None`
    /// if it does not exist, or after a fault.
    fn control_file(&mut self, path: &str) -> Result<Option<Vec<u8>>> {
        let Some(member) = self.find(path)? else {
            return Ok(None);
        };
        *self.budget() = Budget::default();
        let bytes = self.read(&member, &Site::file(path));
        *self.budget() = Budget::default();
        bytes
    }
}

/// A reader that opens an input, and stops at the first fault.
#[derive(Debug)]
pub(in crate::format) struct Opener<'a> {
    container: &'a dyn Container,
    budget: Budget,
    /// The faults at which it goes on.
    tolerance: Tolerance,
}

/// The faults that leave an input open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tolerance {
    /// None.
    #[default]
    None,
    /// Layers of a wrong size, for who needs no layer: the documents of their images
    /// can be read.
    LayerSizes,
}

impl<'a> Opener<'a> {
    pub(in crate::format) fn new(container: &'a dyn Container) -> Self {
        Self {
            container,
            budget: Budget::default(),
            tolerance: Tolerance::None,
        }
    }

    /// Goes on at these faults.
    pub(in crate::format) fn tolerating(self, tolerance: Tolerance) -> Self {
        Self { tolerance, ..self }
    }
}

impl Reader for Opener<'_> {
    fn container(&self) -> &dyn Container {
        self.container
    }

    fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    fn report(&mut self, site: &Site, refusal: Refusal) -> Result<()> {
        match self.tolerance {
            Tolerance::LayerSizes
                if site.layer.is_some() && refusal.fault.code == Code::SizeMismatch =>
            {
                Ok(())
            }
            _ => Err(refusal.error),
        }
    }
}

/// Reports the faults of a document, and returns it if it could be read.
pub(in crate::format) fn finish<T>(
    reader: &mut dyn Reader,
    site: &Site,
    schema: Schema,
    mut reading: Reading<T>,
    fault: impl Fn(DocumentError) -> Refusal,
) -> Result<Option<Document<T>>> {
    let faults = reading.faults.drain(..).map(fault).collect();
    reader.document(site, schema, &reading.bytes, &reading.value, faults)?;
    Ok(reading.into_document())
}

/// The fault of a config, which messages call `what`.
pub(in crate::format) fn config_fault(what: &str, source: DocumentError) -> Refusal {
    let code = if source.is_excess() {
        Code::DocumentTooLarge
    } else {
        Code::ConfigInvalid
    };
    Refusal::document(code, what.to_owned(), source)
}

/// The fault of a wrong number of layers in the image `name`, if it is wrong.
pub(in crate::format) fn layer_count_fault(
    name: &str,
    layers: usize,
    config: &Config,
) -> Option<Refusal> {
    let diff_ids = config.diff_ids.len();
    let message = format!("it has {layers} layers, but its config lists {diff_ids} diff_ids");
    let error = Error::LayerCount {
        name: name.to_owned(),
        layers,
        diff_ids,
    };
    (layers != diff_ids).then(|| Refusal::new(Code::LayerCount, message, error))
}

/// A blob of an image.
pub(in crate::format) fn at(site: &Site, member: &Member) -> Site {
    Site {
        file: Some(member.path.clone()),
        ..site.clone()
    }
}

/// The digest in the path of a blob.
pub(in crate::format) fn digest_of_path(path: &str) -> Option<Digest> {
    let rest = path.trim_start_matches(['.', '/']).strip_prefix("blobs/")?;
    let (algorithm, hex) = rest.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}

/// The digest of bytes, with the algorithm of another one.
pub(in crate::format) fn hash_like(digest: &Digest, bytes: &[u8]) -> Digest {
    Digest::by(digest.algorithm(), bytes)
}

/// An error and its causes in one line.
pub(crate) fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
