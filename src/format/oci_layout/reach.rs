//! The blobs that items of an index lead to.

use std::collections::{HashMap, HashSet};

use crate::digest::Digest;
use crate::error::{Place, Result};
use crate::format::container::Directory;
use crate::format::oci_layout::links::{Link, Links, read_links};
use crate::image::{Descriptor, Document, Index};

/// A walk over the documents of a layout, which reads each once.
///
/// It follows every descriptor in a document, known or not, except for the subject: a
/// referrer needs nothing of what it refers to. Memory is bounded by 32 bytes for each digest
/// in the documents.
#[derive(Debug)]
pub(crate) struct Reach {
    container: Directory,
    documents: HashMap<Digest, Below>,
}

/// The first 32 bytes of a digest: no two digests have them in common.
type Key = [u8; 32];

fn key(digest: &Digest) -> Key {
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(digest.hex().as_bytes().chunks(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).unwrap_or_default();
        *byte = u8::try_from(digit(0) * 16 + digit(1)).expect("two digits are a byte");
    }
    key
}

/// A set of blobs.
#[derive(Debug, Default)]
pub(crate) struct Reached(HashSet<Key>);

impl Reached {
    pub(crate) fn contains(&self, digest: &Digest) -> bool {
        self.0.contains(&key(digest))
    }
}

/// The links in a document, with no more than a walk needs.
#[derive(Debug)]
struct Below {
    /// Those to blobs that are documents, or may be.
    documents: Vec<Link>,
    /// The other blobs, by far the most.
    blobs: Box<[Key]>,
    subject: Option<Digest>,
}

impl From<Links> for Below {
    fn from(links: Links) -> Self {
        let (documents, blobs): (Vec<Link>, Vec<Link>) =
            links.needs.into_iter().partition(Link::may_be_document);
        Self {
            documents,
            blobs: blobs.iter().map(|link| key(&link.digest)).collect(),
            subject: links.subject.map(|it| it.digest().clone()),
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

    /// Everything that can be reached from items of an index, and from its fields that no
    /// reader knows. Documents that the layout lacks lead nowhere.
    ///
    /// # Errors
    ///
    /// Fails at a document that cannot be read: nobody knows what it needs.
    pub(crate) fn all_below(
        &mut self,
        index: &Document<Index>,
        entries: &[&Descriptor],
    ) -> Result<Reached> {
        let mut found = Reached::default();
        let unknown = Links::unknown(index.value().unwrap_or_default());
        let listed = entries.iter().map(|entry| Link::of(entry));
        for link in listed.chain(unknown.needs) {
            self.walk(link, &mut found)?;
        }
        Ok(found)
    }

    /// As [`all_below`](Self::all_below), but only from the items, and without what is below
    /// documents that cannot be read.
    pub(crate) fn readable_below(&mut self, entries: &[&Descriptor]) -> Reached {
        let mut found = Reached::default();
        for entry in entries {
            // What was found before the unreadable document remains.
            let _ = self.walk(Link::of(entry), &mut found);
        }
        found
    }

    /// The document that an item of an index refers to, if it is a referrer that can be
    /// read.
    pub(crate) fn subject(&mut self, entry: &Descriptor) -> Option<Digest> {
        let below = self.below(&Link::of(entry));
        let subject = below.ok().and_then(|below| below.subject.clone());
        subject.or_else(|| entry.attested())
    }

    fn walk(&mut self, start: Link, found: &mut Reached) -> Result<()> {
        let mut followed = HashSet::new();
        let mut pending = vec![start];
        while let Some(link) = pending.pop() {
            found.0.insert(key(&link.digest));
            if link.may_be_document() && followed.insert(link.digest.clone()) {
                let below = self.below(&link)?;
                found.0.extend(&below.blobs);
                pending.extend(below.documents.iter().cloned());
            }
        }
        Ok(())
    }

    /// The links of a document; none if it is absent or no document.
    fn below(&mut self, link: &Link) -> Result<&Below> {
        if !self.documents.contains_key(&link.digest) {
            let read = read_links(&self.container, link, true);
            let links = read.map_err(|it| it.while_reading(Place::Blob(link.digest.clone())))?;
            self.documents.insert(link.digest.clone(), links.into());
        }
        Ok(&self.documents[&link.digest])
    }
}
