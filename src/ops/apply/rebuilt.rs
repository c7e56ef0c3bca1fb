//! The archive of the new images, whose blobs are made while they are read.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use crate::digest::Digest;
use crate::error::{Error, Place, Result};
use crate::format::source::{Layer, LayerBytes};
use crate::format::{
    Blob, Bytes, Container, Format, INDEX, MARKER, MARKER_CONTENT, Member, blob_path,
};
use crate::image::delta::ORDER;
use crate::image::media_type::{Family, LayerType};
use crate::image::{
    CONTAINERD_NAME, Descriptor, Document, Manifest, REF_NAME, compact, new_index, parse_value,
};
use crate::ops::apply::parts::Delta;
use crate::ops::delta::old_image::OldImage;
use crate::ops::edited::edited_manifest;
use crate::stream::{Compression, Hashed, TeeReader, copy, unpacked};
use crate::tar_diff::{OldFiles, Patched};
use crate::transfer::Context;

/// The origin of a member's bytes.
enum Origin {
    Memory(Vec<u8>),
    /// A member of the old images, or of the delta.
    Old(Member),
    Delta(Member),
    /// A compressed layer of the old images, unpacked.
    Unpacked(Member, Compression),
    /// A tar-diff of the delta, applied.
    Patched(Member, Arc<OldFiles>),
}

/// An archive of images that does not exist as a whole.
pub(super) struct Rebuilt<'a> {
    old: &'a dyn Container,
    delta: &'a dyn Container,
    members: HashMap<String, (Member, Origin)>,
    /// The positions of blobs, by their paths.
    order: HashMap<String, u64>,
    /// The descriptors of the new images, for an archive whose index the delta lacks.
    roots: Vec<Descriptor>,
}

impl fmt::Debug for Rebuilt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rebuilt")
            .field(&self.members.keys())
            .finish()
    }
}

impl<'a> Rebuilt<'a> {
    pub(super) fn new(old: &'a dyn Container, delta: &'a dyn Container) -> Self {
        Self {
            old,
            delta,
            members: HashMap::new(),
            order: HashMap::new(),
            roots: Vec::new(),
        }
    }

    fn put(&mut self, path: String, size: u64, origin: Origin) {
        let position = self.order.get(&path).copied();
        let member = Member {
            position: position.unwrap_or((self.order.len() + self.members.len()) as u64),
            path: path.clone(),
            size,
            origin: 0,
        };
        self.members.entry(path).or_insert((member, origin));
    }

    fn put_blob(&mut self, digest: &Digest, size: u64, origin: Origin) {
        self.put(blob_path(digest), size, origin);
    }

    fn put_document(&mut self, digest: &Digest, bytes: &[u8]) {
        let origin = Origin::Memory(bytes.to_vec());
        self.put_blob(digest, bytes.len() as u64, origin);
    }

    /// Adds the image of a delta.
    pub(super) fn add(
        &mut self,
        delta: &Delta,
        old: &OldImage<'_>,
        files: &Arc<OldFiles>,
        context: Context<'_>,
    ) -> Result<()> {
        let has_index = !delta.files.is_empty() || self.members.contains_key(INDEX);
        if let Some((_, order)) = delta.files.iter().find(|(path, _)| path == ORDER) {
            self.read_order(order);
        }
        for (path, bytes) in delta.files.iter().filter(|(path, _)| path != ORDER) {
            let origin = Origin::Memory(bytes.clone());
            self.put(path.clone(), bytes.len() as u64, origin);
        }
        for (descriptor, member) in &delta.blobs {
            let origin = Origin::Delta(member.clone());
            self.put_blob(descriptor.digest(), member.size, origin);
        }
        let mut replaced = Vec::new();
        let config = delta.config.view();
        for (layer, diff_id) in delta.manifest.view().layers.iter().zip(&config.diff_ids) {
            let new = self.layer(delta, layer, &diff_id.0, old, files, context)?;
            if has_index && new.digest() != layer.digest() {
                return Err(absent(layer, old));
            }
            replaced.push(new);
        }
        self.put_document(delta.config.digest(), delta.config.bytes());
        let manifest = manifest_with(&delta.manifest, &replaced)?;
        self.put_document(manifest.digest(), manifest.bytes());
        let named = delta.named.as_ref();
        let mut root = manifest.descriptor(&delta.manifest_type);
        for key in [REF_NAME, CONTAINERD_NAME] {
            let name = named.and_then(|named| named.annotation(key));
            root = root.with_annotation(key, name.map(str::to_owned));
        }
        self.roots.push(root);
        Ok(())
    }

    /// Reads the order of the blobs.
    fn read_order(&mut self, bytes: &[u8]) {
        let order = parse_value(bytes).unwrap_or_default();
        let digests = order.as_array().into_iter().flatten();
        let digests = digests.filter_map(|digest| digest.as_str()?.parse().ok());
        for (digest, position) in digests.zip(0..) {
            self.order.entry(blob_path(&digest)).or_insert(position);
        }
    }

    /// Adds a layer of the new image, and returns its descriptor: that in the manifest,
    /// unless only its content can be made again.
    fn layer(
        &mut self,
        delta: &Delta,
        layer: &Descriptor,
        diff_id: &Digest,
        old: &OldImage<'_>,
        files: &Arc<OldFiles>,
        context: Context<'_>,
    ) -> Result<Descriptor> {
        let of_digest = delta.differences.iter().find(|it| it.to == *layer.digest());
        if let Some(difference) = of_digest {
            let origin = Origin::Patched(difference.blob.1.clone(), files.clone());
            return self.unpacked(layer, diff_id, origin, context);
        }
        if let Some((descriptor, member)) = delta.whole.get(layer.digest()) {
            let digest = descriptor.digest();
            self.put_blob(digest, member.size, Origin::Delta(member.clone()));
            if digest == layer.digest() {
                return Ok(layer.clone());
            }
            return Ok(layer.pointing_to(descriptor.media_type(), digest, member.size));
        }
        self.reused(layer, diff_id, old, context)
    }

    /// Adds a layer that the old image has.
    fn reused(
        &mut self,
        layer: &Descriptor,
        diff_id: &Digest,
        old: &OldImage<'_>,
        context: Context<'_>,
    ) -> Result<Descriptor> {
        let Some(held) = old.layer(layer.digest(), Some(diff_id)) else {
            let is_foreign = LayerType::of(layer.media_type()).is_some_and(|it| it.is_foreign);
            let may_be_elsewhere = is_foreign || layer.has_urls();
            return if may_be_elsewhere {
                Ok(layer.clone())
            } else {
                Err(absent(layer, old))
            };
        };
        let Some(member) = held.blob() else {
            return Err(absent(layer, old));
        };
        let digest = held.digest().or_else(|| same(layer, held));
        if digest.as_ref() == Some(layer.digest()) {
            let origin = Origin::Old(member.clone());
            self.put_blob(layer.digest(), member.size, origin);
            return Ok(layer.clone());
        }
        let origin = Origin::Unpacked(member.clone(), held.compression);
        self.unpacked(layer, diff_id, origin, context)
    }

    /// Adds the unpacked bytes of a layer, and returns its descriptor: that in the manifest
    /// if these are its stored bytes, which nobody can tell from a `diff_id` of another
    /// algorithm. The bytes in which a layer was compressed cannot be made again.
    fn unpacked(
        &mut self,
        layer: &Descriptor,
        diff_id: &Digest,
        origin: Origin,
        context: Context<'_>,
    ) -> Result<Descriptor> {
        if layer.digest() == diff_id {
            self.put_blob(diff_id, layer.size(), origin);
            return Ok(layer.clone());
        }
        let made = self.made(layer, &origin, context)?;
        if made.digest == *layer.digest() {
            self.put_blob(layer.digest(), made.size, origin);
            return Ok(layer.clone());
        }
        self.put_blob(diff_id, made.size, origin);
        Ok(plain(layer, diff_id, made.size))
    }

    /// The hash of the bytes that can be made for a layer.
    fn made(&self, layer: &Descriptor, origin: &Origin, context: Context<'_>) -> Result<Hashed> {
        let place = Place::Blob(layer.digest().clone());
        let stream = self.open(origin);
        let stream = stream.map_err(|error| error.while_reading(place.clone()))?;
        let mut stream = TeeReader::new(stream);
        let algorithm = layer.digest().algorithm();
        stream.hash(algorithm).map_err(Error::Thread)?;
        let copied = copy(&mut stream, &mut io::sink(), &context.watch);
        copied.map_err(|error| Error::copy(place.clone(), place.clone(), error))?;
        let hashes = stream.finish();
        let hashes = hashes.map_err(|error| Error::from(error).while_reading(place))?;
        Ok(hashes.stored)
    }

    /// Adds the control files that are not there, and returns the format.
    pub(super) fn finish(&mut self) -> Format {
        let size = MARKER_CONTENT.len() as u64;
        self.put(
            MARKER.to_owned(),
            size,
            Origin::Memory(MARKER_CONTENT.to_vec()),
        );
        let index = compact(&new_index(&self.roots));
        self.put(INDEX.to_owned(), index.len() as u64, Origin::Memory(index));
        if self.members.contains_key("manifest.json") {
            Format::DockerArchive
        } else {
            Format::OciArchive
        }
    }

    fn open<'b>(&'b self, origin: &'b Origin) -> Result<Box<dyn Read + Send + 'b>> {
        let failed = |error| Error::from(error);
        match origin {
            Origin::Memory(bytes) => Ok(Box::new(bytes.as_slice())),
            Origin::Old(member) => self.old.blob(member).open(),
            Origin::Delta(member) => self.delta.blob(member).open(),
            Origin::Unpacked(member, compression) => {
                let stream = unpacked(*compression, self.old.blob(member).open()?);
                Ok(Box::new(stream.map_err(failed)?))
            }
            Origin::Patched(member, files) => {
                let stream = Patched::new(self.delta.blob(member).open()?, files.clone());
                Ok(Box::new(stream.map_err(failed)?))
            }
        }
    }
}

impl Container for Rebuilt<'_> {
    fn find(&self, path: &str) -> Result<Option<Member>> {
        let path = path.trim_start_matches("./").trim_start_matches('/');
        Ok(self.members.get(path).map(|(member, _)| member.clone()))
    }

    fn blob<'b>(&'b self, member: &'b Member) -> Blob<'b> {
        let Some((_, origin)) = self.members.get(&member.path) else {
            return Blob::new(member, Bytes::Memory(&[]));
        };
        match origin {
            Origin::Memory(bytes) => Blob::new(member, Bytes::Memory(bytes)),
            Origin::Old(held) => self.old.blob(held).shared(),
            Origin::Delta(held) => self.delta.blob(held).shared(),
            Origin::Unpacked(..) | Origin::Patched(..) => {
                let open = move || -> Result<Box<dyn Read + Send + 'b>> {
                    let stream = self.open(origin)?;
                    let size = member.size;
                    Ok(Box::new(Exactly {
                        stream,
                        size,
                        read: 0,
                    }))
                };
                let blob = Blob::new(member, Bytes::Stream(Box::new(open)));
                blob.with_compression(Some(Compression::None))
            }
        }
    }

    fn paths(&self) -> Vec<&str> {
        let mut paths: Vec<&str> = self.members.keys().map(String::as_str).collect();
        paths.sort_unstable();
        paths
    }

    /// Each blob may need the content of whole files in memory.
    fn is_sequential(&self) -> bool {
        true
    }
}

/// A stream that fails unless it has the size that is promised, however much could be made.
struct Exactly<R> {
    stream: R,
    size: u64,
    read: u64,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.stream.read(buffer)?;
        self.read += length as u64;
        let is_end = length == 0 && !buffer.is_empty();
        if self.read > self.size || (is_end && self.read < self.size) {
            let error = Error::SizeMismatch {
                expected: self.size,
                got: self.read,
            };
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(length)
    }
}

/// The digest of a layer of the old image that its archive does not tell, if it can only
/// be that of the new one.
fn same(layer: &Descriptor, held: &Layer) -> Option<Digest> {
    let is_input = matches!(held.bytes, LayerBytes::Input { .. });
    let is_same = is_input && held.stored_size() == layer.size();
    is_same.then(|| layer.digest().clone())
}

/// The descriptor of a layer that is not compressed any more.
fn plain(layer: &Descriptor, diff_id: &Digest, size: u64) -> Descriptor {
    let family = Family::of(layer.media_type()).unwrap_or(Family::Oci);
    let media_type = family.layer(LayerType::new(Compression::None));
    Descriptor::new(&media_type.unwrap_or_default(), diff_id.clone(), size)
}

/// A manifest with these layers; unchanged if it has them.
fn manifest_with(
    manifest: &Document<Manifest>,
    layers: &[Descriptor],
) -> Result<Document<Manifest>> {
    if manifest.view().layers == layers {
        return Ok(manifest.clone());
    }
    let layers: Vec<_> = layers.iter().map(Descriptor::to_json).collect();
    edited_manifest(manifest, |value| value["layers"] = layers.into())
}

/// The error for a layer that is nowhere.
fn absent(layer: &Descriptor, old: &OldImage<'_>) -> Error {
    Error::DeltaLayerAbsent {
        layer: layer.digest().clone(),
        old: old.place(),
    }
}
