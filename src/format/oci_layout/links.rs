//! The descriptors in a document, known or not, and the blobs to which they lead.

use std::collections::HashSet;

use serde_json::Value;

use crate::digest::Digest;
use crate::error::{Cause, Error, Place, Result};
use crate::finding::{Code, Site};
use crate::format::container::{Container, Member, read_document};
use crate::format::oci_layout::blob_path;
use crate::format::reader::{Reader, Refusal, at, chain_of, hash_like};
use crate::format::source::NamedBlob;
use crate::image::media_type::{DocumentKind, is_artifact_manifest};
use crate::image::types::MANIFEST_OR_INDEX;
use crate::image::{Descriptor, Document, DocumentError, Index, Manifest, View, parse_value};
use crate::limits::DOCUMENT_MAX;
use crate::stream::read_head;

/// The number of bytes in which an object begins, after spaces.
const HEAD_LENGTH: u64 = 1024;

/// The part of a document that leads to others.
#[derive(Clone, Debug, Default)]
pub(in crate::format) struct Links {
    /// Everything that it needs.
    pub(super) needs: Vec<Link>,
    /// The document that it refers to, if it is a referrer, which needs nothing of that.
    pub(super) subject: Option<Descriptor>,
}

/// A descriptor in a document, or at least a digest.
#[derive(Clone, Debug)]
pub(in crate::format) struct Link {
    pub(super) digest: Digest,
    media_type: String,
    /// All of it, if it is a descriptor.
    descriptor: Option<Descriptor>,
    /// True if it is in the list of an index, and so may be a document of any type.
    is_listed: bool,
    /// True if the document is not complete without the blob.
    is_required: bool,
}

impl Link {
    /// An item of an index.
    pub(super) fn of(descriptor: &Descriptor) -> Self {
        Self {
            digest: descriptor.digest().clone(),
            media_type: descriptor.media_type().to_owned(),
            descriptor: Some(descriptor.clone()),
            is_listed: true,
            is_required: true,
        }
    }

    /// True if its blob is a document, or may be one.
    pub(super) fn may_be_document(&self) -> bool {
        self.is_listed || self.is_document()
    }

    /// True if its blob is a document according to its media type.
    fn is_document(&self) -> bool {
        let kind = DocumentKind::of(&self.media_type);
        kind != DocumentKind::Other || is_artifact_manifest(&self.media_type)
    }

    /// The embedded blob.
    fn data(&self) -> Option<Vec<u8>> {
        self.descriptor.as_ref().and_then(Descriptor::data)
    }

    /// Its blob, which has this size.
    fn to_descriptor(&self, size: u64) -> Descriptor {
        let new = || Descriptor::new(&self.media_type, self.digest.clone(), size);
        self.descriptor.clone().unwrap_or_else(new)
    }
}

impl Links {
    /// The links in a document of this type.
    pub(super) fn of(mut document: Value, media_type: &str) -> Self {
        let mut links = Self::default();
        MANIFEST_OR_INDEX.fix_keys(&mut document);
        let Some(fields) = document.as_object() else {
            return links;
        };
        for (name, value) in fields {
            if name == "subject" {
                links.subject = Descriptor::from_json(value).ok();
                continue;
            }
            let before = links.needs.len();
            collect(value, name == "manifests", &mut links.needs);
            if name == "blobs" && is_artifact_manifest(media_type) {
                let needs = links.needs[before..].iter_mut();
                needs.for_each(|link| link.is_required = true);
            }
        }
        links
    }

    /// The links in fields that no reader knows of a manifest or an index.
    pub(super) fn unknown(mut document: Value) -> Self {
        MANIFEST_OR_INDEX.fix_keys(&mut document);
        if let Some(fields) = document.as_object_mut() {
            fields.retain(|name, _| !["config", "layers", "manifests"].contains(&name.as_str()));
        }
        Self::of(document, "")
    }

    /// The blobs to which they lead, each once: those that the input has, and those that
    /// it should have.
    pub(super) fn follow(self, reader: &mut dyn Reader, site: &Site) -> Result<Vec<NamedBlob>> {
        let mut blobs = Vec::new();
        let mut seen = HashSet::new();
        let mut followed = HashSet::new();
        let mut pending = self.needs;
        pending.reverse();
        while let Some(link) = pending.pop() {
            let member = reader.find(&blob_path(&link.digest))?;
            if link.may_be_document() && followed.insert(link.digest.clone()) {
                if !reader.claim(1, site)? {
                    break;
                }
                match read_links(reader.container(), &link, false) {
                    Ok(links) => pending.extend(links.needs.into_iter().rev()),
                    Err(error) if error.cause() != Cause::Input => return Err(error),
                    Err(error) => {
                        let here = member.as_ref().map_or(site.clone(), |it| at(site, it));
                        reader.report(&here, unreadable(&link.digest, error))?;
                        continue;
                    }
                }
            }
            let is_wanted = member.is_some() || link.is_required;
            if is_wanted && seen.insert(link.digest.clone()) {
                let bytes = member.as_ref().map_or(0, |member| member.size);
                blobs.push((link.to_descriptor(bytes), member));
            }
        }
        Ok(blobs)
    }
}

/// The blobs to which fields of an index lead that no reader knows, each once.
pub(crate) fn blobs_of_unknown_fields(index: &Document<Index>) -> Vec<Digest> {
    let links = Links::unknown(index.value().unwrap_or_default());
    let mut seen = HashSet::new();
    let blobs = links.needs.into_iter().map(|link| link.digest);
    blobs.filter(|it| seen.insert(it.clone())).collect()
}

/// The fault of a document that cannot be followed.
fn unreadable(digest: &Digest, error: Error) -> Refusal {
    let code = match &error {
        Error::DigestMismatch { .. } => Code::DigestMismatch,
        _ => Code::DocumentInvalid,
    };
    let message = chain_of(&error);
    let place = Place::Blob(digest.clone());
    Refusal::new(code, message, error.while_reading(place))
}

/// Reads the links in a document; none if it is absent or no document.
///
/// A listed blob of an unknown type that is JSON beyond the limits is an error if
/// `needs_all` is set, and otherwise no document.
pub(super) fn read_links(container: &dyn Container, link: &Link, needs_all: bool) -> Result<Links> {
    let kind = DocumentKind::of(&link.media_type);
    let is_certain = link.is_document();
    let bytes = match container.find(&blob_path(&link.digest))? {
        Some(member) if !is_certain && !begins_as_object(container, &member)? => None,
        Some(member) if !is_certain && !needs_all && member.size > DOCUMENT_MAX => None,
        Some(member) => Some(read_document(container, &member)?),
        None => link.data(),
    };
    let Some(bytes) = bytes else {
        return Ok(Links::default());
    };
    let got = hash_like(&link.digest, &bytes);
    if is_certain && got != link.digest {
        let expected = link.digest.clone();
        return Err(Error::DigestMismatch { expected, got });
    }
    let failed = |source| Error::document("it", source);
    let value = match parse_value(&bytes) {
        // A listed blob of an unknown type is followed if it is JSON, whatever its fields: to
        // keep too much is harmless.
        Err(error) if !(is_certain || needs_all && error.is_excess()) => {
            return Ok(Links::default());
        }
        parsed => parsed.map_err(failed)?,
    };
    match kind {
        DocumentKind::Index => check::<Index>(bytes),
        DocumentKind::Manifest => check::<Manifest>(bytes),
        DocumentKind::Schema1 | DocumentKind::Other => Ok(()),
    }
    .map_err(failed)?;
    Ok(Links::of(value, &link.media_type))
}

fn begins_as_object(container: &dyn Container, member: &Member) -> Result<bool> {
    let head = read_head(container.blob(member).open()?, HEAD_LENGTH);
    let failed = |error| Error::read(Place::Member(member.path.clone()), error);
    let head = head.map_err(failed)?;
    Ok(head.trim_ascii_start().starts_with(b"{"))
}

/// Finds faults in a document: a malformed descriptor in it may have been meant to lead
/// somewhere.
fn check<T: View>(bytes: Vec<u8>) -> Result<(), DocumentError> {
    Document::<T>::parse(bytes).map(drop)
}

/// Collects the descriptors in a value, at any depth.
fn collect(value: &Value, is_listed: bool, found: &mut Vec<Link>) {
    match value {
        Value::Array(items) => items.iter().for_each(|it| collect(it, is_listed, found)),
        Value::Object(fields) => {
            let text = |name| fields.get(name).and_then(Value::as_str);
            // Layers in a manifest of schema 1 have nothing but a sum.
            let digest = text("digest").or_else(|| text("blobSum"));
            if let Some(digest) = digest.and_then(|it| it.parse().ok()) {
                found.push(Link {
                    digest,
                    media_type: text("mediaType").unwrap_or_default().to_owned(),
                    descriptor: Descriptor::from_json(value).ok(),
                    is_listed,
                    is_required: false,
                });
            }
            fields.values().for_each(|it| collect(it, false, found));
        }
        _ => {}
    }
}
