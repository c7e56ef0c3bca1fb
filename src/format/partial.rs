//! Partial archives: without layers that the other side has.
//!
//! Engines ignore the annotations of their `index.json`. One in each descriptor lists
//! the blobs that were left out on purpose. Those of the index keep the documents of
//! the whole archive, with its names, which an engine must not see: Docker's containerd
//! store would move them to an image that it cannot run.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::error::{Error, LimitError, Place, Result};
use crate::event::Watch;
use crate::format::container::{Blob, Bytes, Container, Member, MemberIndex, TarEnd};
use crate::format::control_files::{INDEX, MANIFEST, REPOSITORIES};
use crate::format::docker_archive::docker_documents;
use crate::format::sink::{OutputImage, OutputIndex};
use crate::format::source::{Content, LayerBytes};
use crate::image::{CONTAINERD_NAME, Descriptor, Document, Index, REF_NAME, new_index};
use crate::limits::DOCUMENT_MAX;

/// The annotation of a descriptor that lists the digests of blobs that were left out,
/// separated by spaces.
const LEFT_OUT: &str = "restow.left-out";

/// The annotations of `index.json` with the documents of the whole archive.
const WHOLE: [(&str, &str); 3] = [
    ("restow.whole.index", INDEX),
    ("restow.whole.manifest", MANIFEST),
    ("restow.whole.repositories", REPOSITORIES),
];

/// The annotation of `index.json` with the digests of the blobs of the whole archive, in
/// their order.
const BLOBS: &str = "restow.whole.blobs";

/// The facts about a partial archive that its `index.json` keeps; empty for any other.
#[derive(Clone, Debug, Default)]
pub(in crate::format) struct Kept {
    /// The blobs that were left out.
    pub(in crate::format) left_out: HashSet<Digest>,
    /// The documents of the whole archive, by their paths.
    documents: Vec<(&'static str, Vec<u8>)>,
    /// The blobs of the whole archive, in their order.
    pub(in crate::format) blob_order: Vec<Digest>,
}

impl Kept {
    /// Reads the annotations of an `index.json`.
    pub(in crate::format) fn read(index: &Document<Index>) -> Self {
        let manifests = &index.view().manifests;
        let left_out: HashSet<Digest> = manifests.iter().flat_map(left_out_of).collect();
        if left_out.is_empty() {
            return Self::default();
        }
        let value = index.value().unwrap_or_default();
        let text = |key: &str| value.get("annotations")?.get(key)?.as_str();
        let document = |(key, path): (&str, &'static str)| {
            let text = text(key)?;
            Some((path, text.as_bytes().to_vec()))
        };
        let documents = WHOLE.into_iter().filter_map(document).collect();
        Self {
            left_out,
            documents,
            blob_order: split(text(BLOBS).unwrap_or_default()),
        }
    }
}

/// The digests in the annotation of a descriptor.
pub(in crate::format) fn left_out_of(descriptor: &Descriptor) -> Vec<Digest> {
    split(descriptor.annotation(LEFT_OUT).unwrap_or_default())
}

/// The parts of the index of a partial archive.
pub(crate) struct PartialIndex<'a> {
    /// The index of the whole archive.
    pub(crate) whole: &'a OutputIndex,
    /// The blobs that are left out of the things with these digests.
    pub(crate) left_out: &'a HashMap<Digest, Vec<Digest>>,
    /// All blobs of the whole archive other than documents, in their order.
    pub(crate) blob_order: &'a [Digest],
    /// True if the caller gave the names. Those of the input are only kept aside.
    pub(crate) is_named: bool,
}

impl PartialIndex<'_> {
    /// The index of the partial archive.
    ///
    /// # Errors
    ///
    /// Fails if the documents of the whole archive are too large.
    pub(crate) fn index(&self) -> Result<OutputIndex> {
        let mut seen: HashSet<(Digest, Option<OutputImage>)> = HashSet::new();
        let mut roots = Vec::new();
        for root in &self.whole.roots {
            let mut root = root.clone();
            if !self.is_named {
                root.reference = None;
                for name in [REF_NAME, CONTAINERD_NAME] {
                    root.descriptor = root.descriptor.with_annotation(name, None);
                }
                let digest = root.descriptor.digest().clone();
                if !seen.insert((digest, root.image.clone())) {
                    continue;
                }
            }
            if let Some(digests) = self.left_out.get(root.descriptor.digest()) {
                let text = Some(joined(digests));
                root.descriptor = root.descriptor.with_annotation(LEFT_OUT, text);
            }
            roots.push(root);
        }
        let index = OutputIndex {
            roots,
            base: Some(self.annotated()?),
            docker: self.whole.docker.clone(),
        };
        let size = index.bytes()?.len() as u64;
        if size > DOCUMENT_MAX {
            return Err(LimitError::DocumentTooLarge {
                what: format!("`{INDEX}`"),
                size,
                limit: DOCUMENT_MAX,
            }
            .into());
        }
        Ok(index)
    }

    /// The `index.json` of an output, to which the documents of the whole archive are added.
    fn annotated(&self) -> Result<Document<Index>> {
        let whole = self.whole;
        let (manifest, repositories) = docker_documents(whole)?;
        let documents = [Some(whole.bytes()?), Some(manifest), repositories];
        let failed = |source| Error::document(format!("`{INDEX}`"), source);
        let base = match &whole.base {
            Some(base) => base.clone(),
            None => Document::from_value(&new_index(&[])).map_err(failed)?,
        };
        let edited = base.edit(|value| {
            if !value["annotations"].is_object() {
                value["annotations"] = Value::Object(Map::new());
            }
            for ((key, _), bytes) in WHOLE.into_iter().zip(documents) {
                if let Some(bytes) = bytes {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    value["annotations"][key] = text.into();
                }
            }
            value["annotations"][BLOBS] = joined(self.blob_order).into();
        });
        edited.map_err(failed)
    }
}

/// Digests as an annotation, separated by spaces.
fn joined(digests: &[Digest]) -> String {
    let digests: Vec<String> = digests.iter().map(ToString::to_string).collect();
    digests.join(" ")
}

/// The digests in an annotation.
fn split(text: &str) -> Vec<Digest> {
    let digests = text.split(' ').map(str::parse);
    digests.filter_map(Result::ok).collect()
}

/// The files of a partial archive, with the documents of the whole one in their places.
#[derive(Debug)]
pub(in crate::format) struct WithDocuments<'c> {
    inner: Box<dyn Container + 'c>,
    documents: Vec<(&'static str, Vec<u8>)>,
}

impl<'c> WithDocuments<'c> {
    pub(in crate::format) fn new(inner: Box<dyn Container + 'c>, kept: &Kept) -> Self {
        Self {
            inner,
            documents: kept.documents.clone(),
        }
    }

    fn document(&self, path: &str) -> Option<&(&'static str, Vec<u8>)> {
        self.documents.iter().find(|(name, _)| *name == path)
    }
}

impl Container for WithDocuments<'_> {
    fn index(&self) -> Option<&MemberIndex> {
        self.inner.index()
    }

    fn find(&self, path: &str) -> Result<Option<Member>> {
        match self.document(path) {
            Some((path, bytes)) => Ok(Some(Member {
                origin: 0,
                position: 0,
                path: (*path).to_owned(),
                size: bytes.len() as u64,
            })),
            None => self.inner.find(path),
        }
    }

    fn blob<'a>(&'a self, member: &'a Member) -> Blob<'a> {
        match self.document(&member.path) {
            Some((_, bytes)) => Blob::new(member, Bytes::Memory(bytes)),
            None => self.inner.blob(member),
        }
    }

    fn paths(&self) -> Vec<&str> {
        self.inner.paths()
    }

    fn files(&self) -> Result<Vec<String>> {
        self.inner.files()
    }

    fn end(&self) -> TarEnd {
        self.inner.end()
    }

    fn is_sequential(&self) -> bool {
        self.inner.is_sequential()
    }

    fn unpack_to(&self, directory: &Path, watch: &Watch<'_>) -> Result<()> {
        self.inner.unpack_to(directory, watch)
    }
}

impl Content {
    /// Marks layers that the input, at this place, lacks as left out on purpose, if they
    /// are among these.
    pub(in crate::format) fn mark_left_out(&mut self, digests: &HashSet<Digest>, input: &Place) {
        match self {
            Self::Image(image) => {
                for layer in &mut image.layers {
                    if let LayerBytes::Missing(descriptor) = &layer.bytes
                        && digests.contains(descriptor.digest())
                    {
                        layer.bytes = LayerBytes::LeftOut(descriptor.clone(), input.clone());
                    }
                }
            }
            Self::Index(index) => {
                let children = index.children.iter_mut();
                children.for_each(|child| child.mark_left_out(digests, input));
            }
            Self::Artifact(_) | Self::Opaque { .. } => {}
        }
    }
}
