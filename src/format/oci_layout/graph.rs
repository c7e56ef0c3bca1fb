//! From a descriptor to the documents and layers under it, one step at a time.

use std::collections::HashSet;
use std::iter;

use serde_json::Value;

use crate::digest::Digest;
use crate::error::{Error, Place, Result};
use crate::finding::{Code, Site};
use crate::format::container::Member;
use crate::format::oci_layout::blob_path;
use crate::format::oci_layout::links::Links;
use crate::format::reader::{
    Reader, Refusal, Schema, at, config_fault, finish, hash_like, layer_count_fault, too_large,
};
use crate::format::source::{NamedBlob, UnknownDocument};
use crate::image::media_type::{self, DocumentKind, LayerType};
use crate::image::types::Type;
use crate::image::{
    Config, Descriptor, Document, DocumentError, Index, Manifest, Platform, Reading, View,
    parse_value,
};
use crate::limits::{DOCUMENT_MAX, NESTING_MAX};
use crate::stream::Compression;

/// An item in an index.
#[derive(Debug)]
pub(in crate::format) struct Listed<'a> {
    pub(in crate::format) descriptor: &'a Descriptor,
    /// The field with the item, and the site of the document with the field.
    field: (String, Site),
    /// The name of the root in messages.
    pub(in crate::format) name: String,
    /// The platform, if it is one of several.
    pub(in crate::format) platform: Option<Platform>,
    /// The number of further levels of nested indexes that are allowed.
    depth: usize,
}

impl<'a> Listed<'a> {
    /// The item of `index.json` at this place, counted from 0.
    pub(in crate::format) fn root(
        descriptor: &'a Descriptor,
        at: usize,
        index: Site,
        name: String,
    ) -> Self {
        Self {
            descriptor,
            field: (format!("manifests[{at}]"), index),
            name,
            platform: None,
            depth: NESTING_MAX,
        }
    }

    /// The items of this index.
    pub(in crate::format) fn children<'b>(
        &self,
        index: &'b Index,
    ) -> impl Iterator<Item = Listed<'b>> {
        let children = index.manifests.iter().enumerate();
        children.map(|(at, descriptor)| {
            let platform = descriptor.platform().filter(|it| !it.is_unknown());
            Listed {
                descriptor,
                field: (format!("manifests[{at}]"), self.site()),
                name: self.name.clone(),
                platform: platform.or_else(|| self.platform.clone()),
                depth: self.depth - 1,
            }
        })
    }

    pub(in crate::format) fn is_root(&self) -> bool {
        self.depth == NESTING_MAX
    }

    pub(in crate::format) fn site(&self) -> Site {
        Site::image(self.full_name())
    }

    /// The name of the root, and the platform.
    pub(in crate::format) fn full_name(&self) -> String {
        match &self.platform {
            Some(platform) => format!("{} for {platform}", self.name),
            None => self.name.clone(),
        }
    }
}

/// The target of a descriptor in an index.
#[derive(Debug)]
pub(in crate::format) enum Part {
    Index(Document<Index>),
    Manifest(Document<Manifest>),
    /// A blob of an unknown kind, and the links in it if it is JSON.
    Blob(Member, Option<Links>),
    Absent,
}

/// The kind of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::format) enum ManifestKind {
    Image,
    /// An image with an encrypted layer.
    Encrypted,
    /// An image, except for a layer of an unknown type.
    UnknownLayer(usize),
    /// An attestation, a signature, a chart.
    Artifact,
}

impl ManifestKind {
    pub(in crate::format) fn of(descriptor: &Descriptor, manifest: &Manifest) -> Self {
        let platform = descriptor.platform();
        let is_placeholder = platform.is_some_and(|platform| platform.is_unknown());
        if !media_type::is_image_config(manifest.config.media_type()) || is_placeholder {
            return Self::Artifact;
        }
        let is_layer = |it: &Descriptor| LayerType::of(it.media_type()).is_some();
        let layers = &manifest.layers;
        let unknown = layers
            .iter()
            .position(|it| !is_layer(it) && !is_encrypted(it));
        match unknown {
            Some(at) => Self::UnknownLayer(at),
            None if layers.iter().any(is_encrypted) => Self::Encrypted,
            None => Self::Image,
        }
    }
}

/// Returns true if a layer is encrypted, as marked by ocicrypt.
pub(in crate::format) fn is_encrypted(descriptor: &Descriptor) -> bool {
    descriptor.media_type().ends_with("+encrypted")
}

/// The config of an image, as far as it could be read.
#[derive(Debug)]
pub(in crate::format) enum ConfigPart {
    Read(Document<Config>),
    /// It has no diff_ids, as with artifacts whose config can be anything (oras push
    /// --config). The fault is that of a config.
    NoRootfs(Refusal),
    Absent,
    /// Its faults leave nothing to read.
    Faulty,
}

impl Listed<'_> {
    /// Reads the target of the descriptor; `None` after a fault that leaves nothing of
    /// it.
    pub(in crate::format) fn read(&self, reader: &mut dyn Reader) -> Result<Option<Part>> {
        let site = self.site();
        let descriptor = self.descriptor;
        if !reader.claim(1, &Site::image(self.name.clone()))? {
            return Ok(None);
        }
        let kind = DocumentKind::of(descriptor.media_type());
        if kind == DocumentKind::Schema1 {
            let name = self.name.clone();
            reader.report(&site, Refusal::plain(Code::Schema1, Error::Schema1(name)))?;
        }
        let blob = find_blob(reader, descriptor, (&self.field.0, &self.field.1), &site)?;
        match (kind, blob) {
            (DocumentKind::Schema1, _) => Ok(None),
            (DocumentKind::Other, Some(member)) => {
                let links = read_unknown(reader, descriptor, &member, &site)?;
                Ok(Some(Part::Blob(member, links)))
            }
            (DocumentKind::Other, None) => Ok(Some(Part::Absent)),
            (_, None) if descriptor.data().is_none() => Ok(Some(Part::Absent)),
            (_, blob) => {
                let Some(bytes) = read_blob(reader, descriptor, blob.as_ref(), &site)? else {
                    return Ok(None);
                };
                if kind == DocumentKind::Manifest {
                    return Ok(self.parse(reader, bytes)?.map(Part::Manifest));
                }
                let index = self.parse(reader, bytes)?;
                if self.depth == 0 {
                    return reader.report(&site, too_large()).map(|()| None);
                }
                Ok(index.map(Part::Index))
            }
        }
    }

    /// Parses the index or the manifest.
    fn parse<T: View>(
        &self,
        reader: &mut dyn Reader,
        bytes: Vec<u8>,
    ) -> Result<Option<Document<T>>> {
        let mut reading = Document::<T>::read(bytes);
        let label = self.descriptor.media_type();
        // Readers do not care whether the name is OCI's or Docker's.
        let is_other = |got: &&str| DocumentKind::of(got) != DocumentKind::of(label);
        if let Some(got) = reading.value["mediaType"].as_str().filter(is_other) {
            let (expected, got) = (label.to_owned(), got.to_owned());
            reading
                .faults
                .push(DocumentError::MediaType { expected, got });
        }
        let fault = |source| malformed(self.descriptor, source);
        let document = finish(reader, &self.site(), Schema::Graph, reading, fault)?;
        let algorithm = self.descriptor.digest().algorithm();
        Ok(document.map(|document| document.hashed_by(algorithm)))
    }

    /// Reads the config of the listed image.
    pub(in crate::format) fn config(
        &self,
        reader: &mut dyn Reader,
        manifest: &Manifest,
    ) -> Result<ConfigPart> {
        let site = self.site();
        let descriptor = &manifest.config;
        let blob = find_blob(reader, descriptor, ("config", &site), &site)?;
        if blob.is_none() && descriptor.data().is_none() {
            return Ok(ConfigPart::Absent);
        }
        let Some(bytes) = read_blob(reader, descriptor, blob.as_ref(), &site)? else {
            return Ok(ConfigPart::Faulty);
        };
        let what = format!("blob {}", descriptor.digest());
        let fault = |source| config_fault(&what, source);
        let mut reading = Document::<Config>::read(bytes);
        if !has_rootfs(&reading)
            && let Some(source) = reading.faults.pop()
        {
            finish(reader, &site, Schema::Config, reading, fault)?;
            return Ok(ConfigPart::NoRootfs(fault(source)));
        }
        let Some(config) = finish(reader, &site, Schema::Config, reading, fault)? else {
            return Ok(ConfigPart::Faulty);
        };
        let layers = manifest.layers.len();
        if let Some(fault) = layer_count_fault(&self.name, layers, config.view()) {
            reader.report(&site, fault)?;
        }
        let algorithm = descriptor.digest().algorithm();
        Ok(ConfigPart::Read(config.hashed_by(algorithm)))
    }

    /// Looks up the layers of the listed image.
    pub(in crate::format) fn layers(
        &self,
        reader: &mut dyn Reader,
        layers: &[Descriptor],
    ) -> Result<Vec<(Option<Member>, Compression)>> {
        let image = self.site();
        let mut found = Vec::new();
        for (at, layer) in layers.iter().enumerate() {
            let site = image.at_layer(at + 1, layers.len());
            let blob = find_blob(reader, layer, (&format!("layers[{at}]"), &image), &site)?;
            let label = LayerType::of(layer.media_type());
            let compression = match &blob {
                Some(member) => reader.container().blob(member).compression()?,
                None => label.map_or(Compression::None, |label| label.compression),
            };
            found.push((blob, compression));
        }
        Ok(found)
    }

    /// Looks up the blobs of the listed artifact, each once. Its layers may be documents
    /// that lead to others.
    pub(in crate::format) fn artifact(
        &self,
        reader: &mut dyn Reader,
        manifest: &Document<Manifest>,
    ) -> Result<Vec<NamedBlob>> {
        let site = self.site();
        let mut blobs: Vec<NamedBlob> = Vec::new();
        let mut seen = HashSet::new();
        let view = manifest.view();
        let layers = view.layers.iter().enumerate();
        let layers = layers.map(|(at, layer)| (format!("layers[{at}]"), layer));
        for (field, it) in iter::once(("config".to_owned(), &view.config)).chain(layers) {
            if seen.insert(it.digest()) {
                let blob = find_blob(reader, it, (&field, &site), &site)?;
                blobs.push((it.clone(), blob));
            }
        }
        let value = manifest.value().unwrap_or_default();
        let further = Links::of(value, self.descriptor.media_type());
        let further = further.follow(reader, &site)?.into_iter();
        blobs.extend(further.filter(|(it, _)| !seen.contains(it.digest())));
        Ok(blobs)
    }

    /// The blobs to which unknown fields of the listed index, or of the manifest of the
    /// listed image, lead.
    pub(in crate::format) fn others<T: View>(
        &self,
        reader: &mut dyn Reader,
        document: &Document<T>,
    ) -> Result<Vec<NamedBlob>> {
        let links = Links::unknown(document.value().unwrap_or_default());
        links.follow(reader, &self.site())
    }

    /// The listed document of an unknown type with these links.
    pub(in crate::format) fn document(
        &self,
        reader: &mut dyn Reader,
        links: Links,
    ) -> Result<UnknownDocument> {
        Ok(UnknownDocument {
            subject: links.subject.clone(),
            blobs: links.follow(reader, &self.site())?,
        })
    }
}

/// Returns true if a config has diff_ids. One that looks like an object but is not one
/// is left to the parser, which reports why.
fn has_rootfs(config: &Reading<Config>) -> bool {
    match &config.value {
        Value::Null => config.bytes.trim_ascii_start().starts_with(b"{"),
        value => value.get("rootfs").is_some_and(|it| !it.is_null()),
    }
}

/// Looks up a blob, and checks its size and the embedded copy in the descriptor.
fn find_blob(
    reader: &mut dyn Reader,
    descriptor: &Descriptor,
    (field, parent): (&str, &Site),
    site: &Site,
) -> Result<Option<Member>> {
    check_data(reader, descriptor, (field, parent))?;
    let blob = reader.find(&blob_path(descriptor.digest()))?;
    if let Some(member) = &blob
        && member.size != descriptor.size()
    {
        let (said, got) = (descriptor.size(), member.size);
        let message = format!("expected {said} bytes, got {got}");
        let fault = Refusal::new(Code::SizeMismatch, message, wrong_size(descriptor, got));
        reader.report(&at(site, member), fault)?;
    }
    Ok(blob)
}

/// Checks the embedded copy in a descriptor, if there is one.
pub(in crate::format) fn check_data(
    reader: &mut dyn Reader,
    descriptor: &Descriptor,
    (field, parent): (&str, &Site),
) -> Result<()> {
    let Some(data) = descriptor.data() else {
        return Ok(());
    };
    let size = data.len() as u64;
    let error = if size == descriptor.size() {
        match hash_like(descriptor.digest(), &data) {
            got if got == *descriptor.digest() => return Ok(()),
            got => wrong_digest(descriptor, got).error,
        }
    } else {
        wrong_size(descriptor, size)
    };
    let name = format!("{field}.data");
    let fields = descriptor.to_json();
    let wrong = Type::Bytes.wrong_fields(&fields["data"], &name);
    let (code, message) = if let Some(field) = wrong.first() {
        (Code::DescriptorInvalid, field.to_string())
    } else {
        let message = format!("`{name}` is not {}", descriptor.digest());
        (Code::DataMismatch, message)
    };
    reader.report(parent, Refusal::new(code, message, error))
}

/// Reads a blob that is a document, and checks its digest; an embedded copy in the
/// descriptor is used in its place.
fn read_blob(
    reader: &mut dyn Reader,
    descriptor: &Descriptor,
    blob: Option<&Member>,
    site: &Site,
) -> Result<Option<Vec<u8>>> {
    let Some(member) = blob else {
        return Ok(descriptor.data());
    };
    let bytes = reader.read(member, site)?;
    let got = bytes
        .as_ref()
        .map(|bytes| hash_like(descriptor.digest(), bytes));
    if let Some(got) = got.filter(|got| got != descriptor.digest()) {
        reader.report(&at(site, member), wrong_digest(descriptor, got))?;
    }
    Ok(bytes)
}

/// Reads the links in a blob of an unknown type, if it is a JSON object.
///
/// Refuses a manifest or an index with another type in the index that lists it: its
/// blobs would not be known as what they are.
fn read_unknown(
    reader: &mut dyn Reader,
    descriptor: &Descriptor,
    member: &Member,
    site: &Site,
) -> Result<Option<Links>> {
    if member.size > reader.budget().bytes.min(DOCUMENT_MAX) {
        return Ok(None);
    }
    let bytes = reader.read(member, site)?.unwrap_or_default();
    let value = match bytes.trim_ascii_start() {
        [b'{', ..] => parse_value(&bytes).ok(),
        _ => None,
    };
    let Some(value) = value else {
        return Ok(None);
    };
    let media_type = descriptor.media_type();
    if let Some(kind) = kind_of(&value) {
        let expected = media_type.to_owned();
        let mislabeled = DocumentError::Mislabeled { expected, kind };
        reader.report(site, malformed(descriptor, mislabeled))?;
    }
    Ok(Some(Links::of(value, media_type)))
}

fn wrong_size(descriptor: &Descriptor, got: u64) -> Error {
    let error = Error::SizeMismatch {
        expected: descriptor.size(),
        got,
    };
    error.while_reading(Place::Blob(descriptor.digest().clone()))
}

fn wrong_digest(descriptor: &Descriptor, got: Digest) -> Refusal {
    let expected = descriptor.digest();
    Refusal::digest(expected, got, Place::Blob(expected.clone()))
}

fn malformed(descriptor: &Descriptor, source: DocumentError) -> Refusal {
    let what = format!("blob {}", descriptor.digest());
    Refusal::document(code_of(&source), what, source)
}

/// The code for a fault of an index or a manifest.
pub(in crate::format) fn code_of(error: &DocumentError) -> Code {
    match error {
        DocumentError::Ambiguous { .. } => Code::DocumentAmbiguous,
        DocumentError::MediaType { .. } | DocumentError::Mislabeled { .. } => {
            Code::MediaTypeMismatch
        }
        error if error.is_excess() => Code::DocumentTooLarge,
        DocumentError::TooMany { .. } => Code::IndexTooLarge,
        DocumentError::Digest { .. } => Code::DescriptorInvalid,
        DocumentError::Field { field, expected } => {
            let is_descriptor = !matches!(*expected, "a list" | "a descriptor");
            if is_descriptor && is_of_descriptors(field) {
                Code::DescriptorInvalid
            } else {
                Code::DocumentInvalid
            }
        }
        _ => Code::DocumentInvalid,
    }
}

/// Returns true if a field of an index or a manifest is a descriptor, a list of
/// descriptors, or below one.
pub(in crate::format) fn is_of_descriptors(field: &str) -> bool {
    let first = field.split(['.', '[']).next();
    ["config", "layers", "manifests", "subject"].contains(&first.unwrap_or_default())
}

/// The kind of a document according to its media type, or else to its fields, if it is
/// an index or a manifest.
pub(super) fn kind_of(value: &Value) -> Option<&'static str> {
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
