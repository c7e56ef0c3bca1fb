//! Several opened inputs as one source.
//!
//! The blobs of all are in one container, in which a [`Member`] has the number of its
//! input. So one delivery can take its blobs from different inputs.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use crate::digest::Digest;
use crate::error::{Error, Place, Result};
use crate::event::Watch;
use crate::format::docker_archive::joined_part;
use crate::format::root::{Root, Target};
use crate::format::source::{
    Content, DockerPart, Image, ImageSource, IndexContent, LayerBytes, NamedBlob,
};
use crate::format::{Blob, Container, Format, Member};
use crate::image::{Document, Index};

/// Several sources as one. The roots of the first come first.
///
/// Something that several sources have, by its digest, is taken from the first, and what
/// that lacks of it from the others.
pub(crate) struct JoinedSource<'a> {
    sources: Vec<&'a dyn ImageSource>,
    roots: Vec<Root>,
    /// For each source, the number of its first root.
    starts: Vec<usize>,
    format: Format,
    place: Option<&'a Place>,
    index: Option<&'a Document<Index>>,
    docker_part: Option<DockerPart>,
    blob_order: &'a [Digest],
}

impl<'a> JoinedSource<'a> {
    /// Joins sources, none of which is itself joined.
    ///
    /// # Errors
    ///
    /// Fails if one of them has no roots.
    pub(crate) fn new(sources: Vec<&'a dyn ImageSource>) -> Result<Self> {
        let mut roots = Vec::new();
        let mut starts = Vec::new();
        let mut elements = 0;
        for source in &sources {
            starts.push(roots.len());
            let before = elements;
            for root in source.roots()? {
                let number = match &root.target {
                    Target::Element(number) => Some(before + number),
                    Target::Whole => Some(before),
                    Target::Blob(_) => None,
                };
                elements = elements.max(number.map_or(0, |number| number + 1));
                let target = number.map_or_else(|| root.target.clone(), Target::Element);
                let root = root.clone();
                roots.push(Root { target, ..root });
            }
        }
        let docker_part = joined_part(sources.iter().map(|source| source.docker_part()))?;
        let mut formats = sources.iter().map(|source| source.format());
        let first = formats.next().unwrap_or(Format::DockerArchive);
        let is_one = formats.all(|format| format == first);
        Ok(Self {
            // Names of a docker archive are references, and nothing else.
            format: if is_one { first } else { Format::DockerArchive },
            place: None,
            index: None,
            docker_part,
            blob_order: &[],
            sources,
            roots,
            starts,
        })
    }

    /// A source, together with the blobs of others: an image of it may have layers in
    /// the others, whose numbers start at 1 ([`Image::set_origin`]).
    pub(crate) fn with_blobs_of(
        source: &'a dyn ImageSource,
        others: &[&'a dyn ImageSource],
    ) -> Result<Self> {
        let roots = source.roots()?.to_vec();
        let mut starts = vec![0];
        starts.resize(1 + others.len(), roots.len());
        Ok(Self {
            sources: std::iter::once(source)
                .chain(others.iter().copied())
                .collect(),
            roots,
            starts,
            format: source.format(),
            place: source.place(),
            index: source.index(),
            docker_part: source.docker_part().cloned(),
            blob_order: source.blob_order(),
        })
    }

    /// The roots of the source with this number.
    pub(crate) fn roots_of(&self, origin: usize) -> &[Root] {
        let end = self.starts.get(origin + 1).copied();
        &self.roots[self.starts[origin]..end.unwrap_or(self.roots.len())]
    }

    /// The number of the source of a root of these.
    pub(crate) fn origin_of(&self, root: &Root) -> Option<usize> {
        let at = self.roots.iter().position(|it| std::ptr::eq(it, root));
        let at = at.or_else(|| self.roots.iter().position(|it| it == root))?;
        Some(self.starts.partition_point(|start| *start <= at) - 1)
    }

    /// Reads the documents under a root from the source with this number.
    fn load_from(&self, origin: usize, at: usize) -> Result<Content> {
        let source = self.sources[origin];
        let mut content = source.load(&source.roots()?[at])?;
        content.set_origin(number(origin));
        Ok(content)
    }
}

impl ImageSource for JoinedSource<'_> {
    fn format(&self) -> Format {
        self.format
    }

    fn container(&self) -> &dyn Container {
        self
    }

    fn roots(&self) -> Result<&[Root]> {
        Ok(&self.roots)
    }

    fn load(&self, root: &Root) -> Result<Content> {
        let mut loaded: Option<Content> = None;
        let mut failed = None;
        for origin in 0..self.sources.len() {
            let mut roots = self.roots_of(origin).iter();
            let Some(at) = roots.position(|it| it.has_target_of(root)) else {
                continue;
            };
            match (self.load_from(origin, at), &mut loaded) {
                (Ok(content), Some(loaded)) => complete(loaded, content),
                (Ok(content), None) => loaded = Some(content),
                (Err(error), _) if error.absence().is_some() => {
                    failed.get_or_insert(error);
                }
                (Err(error), _) => return Err(error),
            }
            if loaded.as_ref().is_some_and(is_whole) {
                break;
            }
        }
        match (loaded, failed) {
            (Some(content), _) => Ok(content),
            (None, Some(error)) => Err(error),
            (None, None) => Err(Error::NoImage),
        }
    }

    fn owner(&self, root: &Root) -> Option<&dyn ImageSource> {
        self.origin_of(root).map(|origin| self.sources[origin])
    }

    fn blob_order(&self) -> &[Digest] {
        self.blob_order
    }

    fn place(&self) -> Option<&Place> {
        self.place
    }

    fn index(&self) -> Option<&Document<Index>> {
        self.index
    }

    fn docker_part(&self) -> Option<&DockerPart> {
        self.docker_part.as_ref()
    }
}

impl Container for JoinedSource<'_> {
    fn find(&self, path: &str) -> Result<Option<Member>> {
        for (source, origin) in self.sources.iter().zip(0..) {
            if let Some(member) = source.container().find(path)? {
                return Ok(Some(Member { origin, ..member }));
            }
        }
        Ok(None)
    }

    fn blob<'b>(&'b self, member: &'b Member) -> Blob<'b> {
        let source = usize::try_from(member.origin).unwrap_or_default();
        self.sources[source].container().blob(member)
    }

    fn paths(&self) -> Vec<&str> {
        let sources = self.sources.iter();
        sources.flat_map(|it| it.container().paths()).collect()
    }

    fn files(&self) -> Result<Vec<String>> {
        let mut files = Vec::new();
        for source in &self.sources {
            files.extend(source.container().files()?);
        }
        Ok(files)
    }

    fn is_sequential(&self) -> bool {
        let mut sources = self.sources.iter();
        sources.any(|it| it.container().is_sequential())
    }

    fn unpack_to(&self, directory: &Path, watch: &Watch<'_>) -> Result<()> {
        let mut sources = self.sources.iter();
        sources.try_for_each(|it| it.container().unpack_to(directory, watch))
    }
}

impl fmt::Debug for JoinedSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinedSource").field(&self.sources).finish()
    }
}

/// The number of a source, of which there are fewer than 2³².
fn number(origin: usize) -> u32 {
    u32::try_from(origin).unwrap_or(u32::MAX)
}

impl Content {
    /// Sets the number of the source with its blobs, for a [`JoinedSource`].
    pub(crate) fn set_origin(&mut self, origin: u32) {
        match self {
            Self::Image(image) => image.set_origin(origin),
            Self::Index(index) => {
                set_origin(&mut index.others, origin);
                let children = index.children.iter_mut();
                children.for_each(|child| child.set_origin(origin));
            }
            Self::Artifact(artifact) => set_origin(&mut artifact.blobs, origin),
            Self::Opaque { blob, document, .. } => {
                if let Some(member) = blob {
                    member.origin = origin;
                }
                if let Some(document) = document {
                    set_origin(&mut document.blobs, origin);
                }
            }
        }
    }
}

impl Image {
    /// Sets the number of the source with its layers, for a [`JoinedSource`].
    pub(crate) fn set_origin(&mut self, origin: u32) {
        set_origin(&mut self.others, origin);
        for layer in &mut self.layers {
            if let LayerBytes::Input { blob, .. } = &mut layer.bytes {
                blob.origin = origin;
            }
        }
    }
}

/// Sets the number of the source with these blobs.
fn set_origin(blobs: &mut [NamedBlob], origin: u32) {
    let members = blobs.iter_mut().filter_map(|(_, blob)| blob.as_mut());
    members.for_each(|member| member.origin = origin);
}

/// True if nothing is missing that another source may have.
fn is_whole(content: &Content) -> bool {
    match content {
        Content::Image(image) => image
            .layers
            .iter()
            .all(|layer| matches!(layer.bytes, LayerBytes::Input { .. })),
        Content::Index(index) => index.children.iter().all(is_whole),
        Content::Artifact(artifact) => is_held(&artifact.blobs),
        // Another source may have more of what an unknown document names.
        Content::Opaque { .. } => false,
    }
}

/// True if none of these blobs is missing.
fn is_held(blobs: &[NamedBlob]) -> bool {
    blobs.iter().all(|(_, blob)| blob.is_some())
}

/// Adds what another source has of the same thing.
fn complete(content: &mut Content, other: Content) {
    match (content, other) {
        (Content::Index(index), Content::Index(other)) => complete_index(index, *other),
        (Content::Image(image), Content::Image(other)) => complete_image(image, other),
        (Content::Artifact(artifact), Content::Artifact(other)) => {
            complete_blobs(&mut artifact.blobs, other.blobs);
        }
        (
            Content::Opaque {
                document: Some(document),
                ..
            },
            Content::Opaque {
                document: Some(other),
                ..
            },
        ) => complete_blobs(&mut document.blobs, other.blobs),
        (content @ Content::Opaque { blob: None, .. }, other)
        | (content @ Content::Artifact(_), other @ Content::Image(_)) => *content = other,
        _ => {}
    }
}

fn complete_index(index: &mut IndexContent, other: IndexContent) {
    complete_blobs(&mut index.others, other.others);
    for (child, other) in index.children.iter_mut().zip(other.children) {
        complete(child, other);
    }
}

fn complete_image(image: &mut Image, other: Image) {
    complete_blobs(&mut image.others, other.others);
    for (layer, other) in image.layers.iter_mut().zip(other.layers) {
        let is_held = matches!(layer.bytes, LayerBytes::Input { .. });
        if !is_held && matches!(other.bytes, LayerBytes::Input { .. }) {
            *layer = other;
        }
    }
}

fn complete_blobs(blobs: &mut Vec<NamedBlob>, others: Vec<NamedBlob>) {
    let places = blobs.iter().map(|(it, _)| it.digest().clone()).zip(0..);
    let places: HashMap<Digest, usize> = places.collect();
    for (descriptor, other) in others {
        match places.get(descriptor.digest()) {
            Some(at) if blobs[*at].1.is_none() => blobs[*at].1 = other,
            Some(_) => {}
            None => blobs.push((descriptor, other)),
        }
    }
}
