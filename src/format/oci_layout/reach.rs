//! The blobs that items of an index lead to.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::digest::Digest;
use crate::error::{Error, Place, Result};
use crate::format::container::{Container, Directory, Member, read_document};
use crate::format::oci_layout::blob_path;
use crate::format::reader::hash_like;
use crate::image::media_type::{ARTIFACT_MANIFEST, DocumentKind};
use crate::image::types::MANIFEST_OR_INDEX;
use crate::image::{Descriptor, Document, DocumentError, Index, Manifest, View, parse_value};
use crate::limits::DOCUMENT_MAX;

/// A walk over the documents of a layout, which reads each once.
///
/// It follows every descriptor in a document, known or not, except for the subject: a
/// referrer needs nothing of what it refers to. Memory is bounded by the digests in all
/// documents.
#[derive(Debug)]
pub(crate) struct Reach {
    container: Directory,
    documents: HashMap<Digest, Links>,
}

/// The part of a document that leads to others.
#[derive(Clone, Debug, Default)]
struct Links {
    /// Everything that it needs.
    needs: Vec<Link>,
    /// The document that it refers to, if it is a referrer.
    subject: Option<Digest>,
}

/// A descriptor in a document.
#[derive(Clone, Debug)]
struct Link {
    digest: Digest,
    media_type: String,
    /// The embedded blob.
    data: Option<Vec<u8>>,
    /// True if it is in the list of an index, and so may be a document of any type.
    is_listed: bool,
}

impl Link {
    fn of(descriptor: &Descriptor) -> Self {
        Self {
            digest: descriptor.digest().clone(),
            media_type: descriptor.media_type().to_owned(),
            data: descriptor.data(),
            is_listed: true,
        }
    }
}

impl Reach {
    pub(crate) fn new(container: Directory) -> Self {
        Self {
            container,
            documents: HashMap::new(),
        }
    }

    /// Everything that can be reached from items of an index. Documents that the layout
    /// lacks lead nowhere.
    ///
    /// # Errors
    ///
    /// Fails at a document that cannot be read: nobody knows what it needs.
    pub(crate) fn all_below(&mut self, entries: &[&Descriptor]) -> Result<HashSet<Digest>> {
        let mut found = HashSet::new();
        for entry in entries {
            self.walk(Link::of(entry), &mut found)?;
        }
        Ok(found)
    }

    /// As [`all_below`](Self::all_below), but without what is below documents that cannot
    /// be read.
    pub(crate) fn readable_below(&mut self, entries: &[&Descriptor]) -> HashSet<Digest> {
        let mut found = HashSet::new();
        for entry in entries {
            // What was found before the unreadable document remains.
            let _ = self.walk(Link::of(entry), &mut found);
        }
        found
    }

    /// The document that an item of an index refers to, if it is a referrer that can be
    /// read.
    pub(crate) fn subject(&mut self, entry: &Descriptor) -> Option<Digest> {
        let links = self.links(&Link::of(entry));
        let subject = links.ok().and_then(|links| links.subject.clone());
        subject.or_else(|| entry.attested())
    }

    fn walk(&mut self, start: Link, found: &mut HashSet<Digest>) -> Result<()> {
        let mut followed = HashSet::new();
        let mut pending = vec![start];
        while let Some(link) = pending.pop() {
            found.insert(link.digest.clone());
            if link.may_be_document() && followed.insert(link.digest.clone()) {
                pending.extend(self.links(&link)?.needs.iter().cloned());
            }
        }
        Ok(())
    }

    /// The links of a document; none if it is absent or no document.
    fn links(&mut self, link: &Link) -> Result<&Links> {
        if !self.documents.contains_key(&link.digest) {
            let read = self.read(link);
            let links = read.map_err(|it| it.while_reading(Place::Blob(link.digest.clone())))?;
            self.documents.insert(link.digest.clone(), links);
        }
        Ok(&self.documents[&link.digest])
    }

    fn read(&self, link: &Link) -> Result<Links> {
        let kind = DocumentKind::of(&link.media_type);
        let is_certain = kind != DocumentKind::Other || link.media_type == ARTIFACT_MANIFEST;
        let bytes = match self.container.find(&blob_path(&link.digest))? {
            Some(member) if !is_certain && !self.begins_as_object(&member)? => None,
            Some(member) => Some(read_document(&self.container, &member)?),
            None => link.data.clone(),
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
        let mut value = match parse_value(&bytes) {
            // A listed blob of an unknown type is followed if it is JSON, whatever its fields: to
            // keep too much is harmless.
            Err(_) if !is_certain => return Ok(Links::default()),
            parsed => parsed.map_err(failed)?,
        };
        match kind {
            DocumentKind::Index => check::<Index>(bytes),
            DocumentKind::Manifest => check::<Manifest>(bytes),
            DocumentKind::Schema1 | DocumentKind::Other => Ok(()),
        }
        .map_err(failed)?;
        MANIFEST_OR_INDEX.fix_keys(&mut value);
        Ok(links_in(&value))
    }

    fn begins_as_object(&self, member: &Member) -> Result<bool> {
        if member.size > DOCUMENT_MAX {
            return Ok(false);
        }
        let bytes = read_document(&self.container, member)?;
        Ok(bytes.trim_ascii_start().starts_with(b"{"))
    }
}

impl Link {
    /// True if its blob is a document, or may be one.
    fn may_be_document(&self) -> bool {
        self.is_listed
            || self.media_type == ARTIFACT_MANIFEST
            || DocumentKind::of(&self.media_type) != DocumentKind::Other
    }
}

/// Finds faults in a document: a malformed descriptor in it may have been meant to lead
/// somewhere.
fn check<T: View>(bytes: Vec<u8>) -> Result<(), DocumentError> {
    Document::<T>::parse(bytes).map(drop)
}

/// The links in a document.
fn links_in(document: &Value) -> Links {
    let mut links = Links::default();
    let Some(fields) = document.as_object() else {
        return links;
    };
    for (name, value) in fields {
        if name == "subject" {
            let subject = Descriptor::from_json(value).ok();
            links.subject = subject.map(|it| it.digest().clone());
        } else {
            collect(value, name == "manifests", &mut links.needs);
        }
    }
    links
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
                    data: Descriptor::from_json(value).ok().and_then(|it| it.data()),
                    is_listed,
                });
            }
            fields.values().for_each(|it| collect(it, false, found));
        }
        _ => {}
    }
}
