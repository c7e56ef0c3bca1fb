//! The blobs that items of an index lead to.

use std::collections::{HashMap, HashSet};

use crate::digest::Digest;
use crate::error::{Place, Result};
use crate::format::container::Directory;
use crate::format::oci_layout::links::{Link, Links, read_links};
use crate::image::Descriptor;

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
        let subject = links.ok().and_then(|links| links.subject.as_ref());
        subject
            .map(|it| it.digest().clone())
            .or_else(|| entry.attested())
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
            let read = read_links(&self.container, link, true);
            let links = read.map_err(|it| it.while_reading(Place::Blob(link.digest.clone())))?;
            self.documents.insert(link.digest.clone(), links);
        }
        Ok(&self.documents[&link.digest])
    }
}
