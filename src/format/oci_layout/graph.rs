//! From a descriptor to the documents and layers under it.

use serde_json::Value;

use crate::digest::Hasher;
use crate::error::{Error, LimitError, Place, Result};
use crate::format::container::{Container, Member, read_document, spend};
use crate::format::oci_layout::blob_path;
use crate::format::source::{
    Artifact, Content, Image, IndexContent, Layer, LayerBytes, LayerPosition,
};
use crate::image::media_type::{self, DocumentKind, LayerType};
use crate::image::{
    Config, Descriptor, Document, DocumentError, Index, Manifest, View, parse_value,
};
use crate::limits::{DESCRIPTORS_MAX, DOCUMENT_MAX, DOCUMENTS_MAX, NESTING_MAX};

/// The blobs of a layout.
#[derive(Clone, Copy, Debug)]
pub(in crate::format) struct DocumentLoader<'a> {
    container: &'a dyn Container,
}

/// How much more may be read under one root.
#[derive(Debug)]
struct Budget {
    documents: usize,
    bytes: u64,
}

impl<'a> DocumentLoader<'a> {
    pub(in crate::format) fn new(container: &'a dyn Container) -> Self {
        Self { container }
    }

    /// Reads all documents under a descriptor, verifying each.
    ///
    /// `name` is what messages call the root.
    pub(in crate::format) fn load(&self, descriptor: &Descriptor, name: &str) -> Result<Content> {
        let mut budget = Budget {
            documents: DESCRIPTORS_MAX,
            bytes: DOCUMENTS_MAX,
        };
        let content = self.load_nested(descriptor, name, NESTING_MAX, &mut budget)?;
        match content {
            Content::Opaque { blob: None, .. } => Err(Error::MemberAbsent {
                document: "`index.json`".to_owned(),
                name: blob_path(descriptor.digest()),
            }),
            content => Ok(content),
        }
    }

    fn load_nested(
        &self,
        descriptor: &Descriptor,
        name: &str,
        depth: usize,
        budget: &mut Budget,
    ) -> Result<Content> {
        let too_large = LimitError::IndexTooLarge {
            limit: DESCRIPTORS_MAX,
        };
        budget.documents = budget.documents.checked_sub(1).ok_or(too_large)?;
        let opaque = |blob| Content::Opaque {
            descriptor: descriptor.clone(),
            blob,
        };
        let kind = DocumentKind::of(descriptor.media_type());
        match kind {
            DocumentKind::Index | DocumentKind::Manifest => {}
            DocumentKind::Schema1 => {
                return Err(Error::Schema1 {
                    name: name.to_owned(),
                });
            }
            DocumentKind::Other => {
                let blob = self.blob(descriptor)?;
                self.check_opaque(descriptor, blob.as_ref(), budget)?;
                return Ok(opaque(blob));
            }
        }
        let Some(bytes) = self.document_bytes(descriptor)? else {
            return Ok(opaque(None));
        };
        budget.bytes = spend(budget.bytes, bytes.len())?;
        if kind == DocumentKind::Manifest {
            return self.manifest(descriptor, bytes, name, depth == NESTING_MAX, budget);
        }
        let index = parse::<Index>(bytes, descriptor)?;
        check_media_type(descriptor, index.view().media_type.as_deref())?;
        let depth = depth.checked_sub(1).ok_or(LimitError::IndexTooLarge {
            limit: DESCRIPTORS_MAX,
        })?;
        let children = index
            .view()
            .manifests
            .iter()
            .map(|child| self.load_nested(child, name, depth, budget))
            .collect::<Result<_>>()?;
        Ok(Content::Index(Box::new(IndexContent {
            index,
            children,
            kept: None,
        })))
    }

    fn manifest(
        &self,
        descriptor: &Descriptor,
        bytes: Vec<u8>,
        name: &str,
        is_root: bool,
        budget: &mut Budget,
    ) -> Result<Content> {
        let manifest = parse::<Manifest>(bytes, descriptor)?;
        let view = manifest.view();
        check_media_type(descriptor, view.media_type.as_deref())?;
        let is_placeholder = descriptor
            .platform()
            .is_some_and(|platform| platform.is_unknown());
        let are_layers = view
            .layers
            .iter()
            .all(|layer| LayerType::of(layer.media_type()).is_some());
        let is_image = media_type::is_image_config(view.config.media_type());
        // Exports leave configs of other platforms out, as they do manifests.
        let has_config =
            is_root || view.config.data().is_some() || self.blob(&view.config)?.is_some();
        if is_image
            && are_layers
            && !is_placeholder
            && has_config
            && let Some(image) = self.image(&manifest, name, budget)?
        {
            return Ok(Content::Image(image));
        }
        self.artifact(manifest)
            .map(|artifact| Content::Artifact(Box::new(artifact)))
    }

    /// Reads an image; `None` if its config says nothing of layers, as with artifacts
    /// of which the config is anything (oras push --config).
    fn image(
        &self,
        manifest: &Document<Manifest>,
        name: &str,
        budget: &mut Budget,
    ) -> Result<Option<Image>> {
        let view = manifest.view();
        let config = self
            .document_bytes(&view.config)?
            .ok_or_else(|| Error::MemberAbsent {
                document: format!("the manifest of `{name}`"),
                name: blob_path(view.config.digest()),
            })?;
        budget.bytes = spend(budget.bytes, config.len())?;
        let config = match parse::<Config>(config.clone(), &view.config) {
            Err(_) if !has_rootfs(&config) => return Ok(None),
            parsed => parsed?,
        };
        let diff_ids = &config.view().diff_ids;
        if diff_ids.len() != view.layers.len() {
            return Err(Error::LayerCount {
                name: name.to_owned(),
                layers: view.layers.len(),
                diff_ids: diff_ids.len(),
            });
        }
        let count = diff_ids.len();
        let layer = |(at, (descriptor, diff_id)): (usize, (&Descriptor, &_))| {
            let blob = self.blob(descriptor)?;
            let compression = match (&blob, LayerType::of(descriptor.media_type())) {
                (Some(blob), _) => self.container.blob(blob).compression()?,
                (None, Some(layer)) => layer.compression,
                (None, None) => unreachable!("an image has nothing but layers"),
            };
            Ok(Layer {
                diff_id: Clone::clone(diff_id),
                bytes: LayerBytes::described(blob, descriptor.clone()),
                compression,
                position: LayerPosition::new(at, count),
            })
        };
        let layers = view
            .layers
            .iter()
            .zip(diff_ids)
            .enumerate()
            .map(layer)
            .collect::<Result<_>>()?;
        Ok(Some(Image {
            manifest: Some(manifest.clone()),
            config,
            layers,
        }))
    }

    fn artifact(&self, manifest: Document<Manifest>) -> Result<Artifact> {
        let view = manifest.view();
        let mut blobs: Vec<(Descriptor, Option<Member>)> = Vec::new();
        for descriptor in std::iter::once(&view.config).chain(&view.layers) {
            if !blobs
                .iter()
                .any(|(seen, _)| seen.digest() == descriptor.digest())
            {
                blobs.push((descriptor.clone(), self.blob(descriptor)?));
            }
        }
        Ok(Artifact { manifest, blobs })
    }

    /// Looks a blob up, and compares its size, and what the descriptor embeds.
    fn blob(&self, descriptor: &Descriptor) -> Result<Option<Member>> {
        if let Some(data) = descriptor.data() {
            verify(descriptor, &data)?;
        }
        let blob = self.container.find(&blob_path(descriptor.digest()))?;
        if let Some(member) = &blob
            && member.size != descriptor.size()
        {
            return Err(wrong_size(descriptor, member.size));
        }
        Ok(blob)
    }

    /// Refuses a manifest or an index that an index calls something else: it would be
    /// passed on alone, without all that it names.
    fn check_opaque(
        &self,
        descriptor: &Descriptor,
        blob: Option<&Member>,
        budget: &mut Budget,
    ) -> Result<()> {
        let Some(member) = blob.filter(|it| it.size <= budget.bytes.min(DOCUMENT_MAX)) else {
            return Ok(());
        };
        budget.bytes -= member.size;
        let bytes = read_document(self.container, member)?;
        let kind = match bytes.trim_ascii_start() {
            [b'{', ..] => parse_value(&bytes).ok().and_then(|it| kind_of(&it)),
            _ => None,
        };
        kind.map_or(Ok(()), |kind| {
            let expected = descriptor.media_type().to_owned();
            let mislabeled = DocumentError::Mislabeled { expected, kind };
            Err(malformed(descriptor, mislabeled))
        })
    }

    /// Reads and verifies a blob that is a document; `None` if it is not there.
    ///
    /// A descriptor may embed it, which is as good.
    pub(in crate::format) fn document_bytes(
        &self,
        descriptor: &Descriptor,
    ) -> Result<Option<Vec<u8>>> {
        let bytes = match self.blob(descriptor)? {
            Some(member) => read_document(self.container, &member)?,
            None => match descriptor.data() {
                Some(bytes) => bytes,
                None => return Ok(None),
            },
        };
        verify(descriptor, &bytes)?;
        Ok(Some(bytes))
    }
}

/// Why a part of the index called `name` is of no use, where the input does not hold it,
/// or not its config.
pub(crate) fn absence(part: &Content, name: &str) -> Option<Error> {
    let (document, digest) = match part {
        Content::Opaque {
            descriptor,
            blob: None,
        } => ("the index", descriptor.digest()),
        Content::Artifact(artifact) if artifact.is_image_without_config() => {
            ("the manifest", artifact.manifest.view().config.digest())
        }
        _ => return None,
    };
    Some(Error::MemberAbsent {
        document: format!("{document} of `{name}`"),
        name: blob_path(digest),
    })
}

fn wrong_size(descriptor: &Descriptor, got: u64) -> Error {
    let error = Error::SizeMismatch {
        expected: descriptor.size(),
        got,
    };
    error.while_reading(Place::Blob(descriptor.digest().clone()))
}

/// Compares bytes with their descriptor.
fn verify(descriptor: &Descriptor, bytes: &[u8]) -> Result<()> {
    if bytes.len() as u64 != descriptor.size() {
        return Err(wrong_size(descriptor, bytes.len() as u64));
    }
    let expected = descriptor.digest();
    let mut hasher = Hasher::new(expected.algorithm());
    hasher.update(bytes);
    let got = hasher.finish();
    if got == *expected {
        return Ok(());
    }
    let error = Error::DigestMismatch {
        expected: expected.clone(),
        got,
    };
    Err(error.while_reading(Place::Blob(expected.clone())))
}

fn parse<T: View>(bytes: Vec<u8>, descriptor: &Descriptor) -> Result<Document<T>> {
    Document::parse(bytes).map_err(|source| malformed(descriptor, source))
}

fn malformed(descriptor: &Descriptor, source: DocumentError) -> Error {
    Error::Document {
        what: format!("blob {}", descriptor.digest()),
        source,
    }
}

/// What a document is by what it says of itself, or else by its fields, if that is an
/// index or a manifest.
fn kind_of(value: &Value) -> Option<&'static str> {
    let (index, manifest) = ("an index", "a manifest");
    match value.get("mediaType").and_then(Value::as_str) {
        Some(media_type) => match DocumentKind::of(media_type) {
            DocumentKind::Index => Some(index),
            DocumentKind::Manifest => Some(manifest),
            DocumentKind::Schema1 | DocumentKind::Other => None,
        },
        None if value.get("schemaVersion") != Some(&2.into()) => None,
        None if value.get("manifests").is_some() => Some(index),
        None => value.get("layers").map(|_| manifest),
    }
}

/// Whether a config says what its layers unpack to. One that begins as an object and is
/// none is left to the parser, which says why.
fn has_rootfs(config: &[u8]) -> bool {
    match parse_value(config) {
        Ok(mut value) => {
            Config::fix_keys(&mut value);
            value.get("rootfs").is_some_and(|it| !it.is_null())
        }
        Err(_) => config.trim_ascii_start().starts_with(b"{"),
    }
}

/// The media type in a document must be of the same kind as that of its descriptor.
/// Whether the name is OCI's or Docker's makes no difference to readers.
fn check_media_type(descriptor: &Descriptor, got: Option<&str>) -> Result<()> {
    let kind = DocumentKind::of(descriptor.media_type());
    match got {
        Some(got) if DocumentKind::of(got) != kind => Err(malformed(
            descriptor,
            DocumentError::MediaType {
                expected: descriptor.media_type().to_owned(),
                got: got.to_owned(),
            },
        )),
        _ => Ok(()),
    }
}
