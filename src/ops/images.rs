//! `images`: the content of an input.

use crate::digest::{DiffId, Digest};
use crate::error::{Error, Result};
use crate::format::Format;
use crate::format::root::{Root, Target, targets};
use crate::format::source::{Content, Image, ImageSource, Layer};
use crate::image::{Descriptor, Platform, Reference, ReferencePattern};
use crate::ops::Selector;
use crate::ops::choose::containerd::{blobs_size, containerd_id};
use crate::ops::choose::selector::select;
use crate::ops::stack::size::{LayerSize, Request, SizeChoice, Sizes, Wanted};
use crate::transfer::Context;
use crate::transfer::kind::FoundKind;

/// A filter of the images to list, by default all, and the choice of details.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ImagesOptions {
    /// The one image to list, under the names that are selected.
    pub image: Option<Selector>,
    /// Only those with a name that matches one of these patterns, if there are any.
    pub references: Vec<ReferencePattern>,
    /// Only those without a name (true), or with one (false).
    pub dangling: Option<bool>,
    /// The layers whose size is determined.
    pub sizes: SizeChoice,
}

/// The content of an input.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ImagesReport {
    /// The format of the input.
    pub format: Format,
    /// The number of images, listed or not, however many names they have.
    pub count: usize,
    /// One item for each name, in the order of the input.
    pub listed: Vec<Listed>,
}

/// An image, or something else, under one of its names, or under none.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Listed {
    /// Its number in the input, counted from 1, for [`Selector::Number`].
    pub number: usize,
    /// Its name, if that is a reference with a tag.
    pub reference: Option<Reference>,
    /// Its name in a layout, if it is anything else.
    pub label: Option<String>,
    /// The thing itself.
    pub found: Found,
}

/// An image, or something else, in an input or in an index.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Found {
    /// Its kind.
    pub kind: FoundKind,
    /// The digest of its manifest, or of the index; a docker archive from before Docker
    /// 25 has none.
    pub digest: Option<Digest>,
    /// The id that it gets in Docker's containerd store when the input is loaded there.
    /// `None` if that store does not accept it, or if the id depends on something that
    /// is unknown without unpacking a layer.
    pub containerd_id: Option<Digest>,
    /// Total size of all its blobs as stored, in bytes, including its manifests and
    /// configs, but not indexes. Blobs that the input lacks are not counted.
    pub blobs_size: Option<u64>,
    /// The media type of its manifest or index.
    pub media_type: Option<String>,
    /// The platform, if known.
    pub platform: Option<Platform>,
    /// The digest of the image that an attestation describes.
    pub subject: Option<Digest>,
    /// The facts about an image.
    pub image: Option<FoundImage>,
    /// The content of an index, in its order.
    pub children: Vec<Found>,
}

/// The facts about an image.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FoundImage {
    /// The digest of the config.
    pub id: Digest,
    /// The creation time, exactly as in its config.
    pub created: Option<String>,
    /// The number of layers.
    pub layers: usize,
    /// The diff_ids of the layers, the lowest first.
    pub diff_ids: Vec<DiffId>,
    /// The number of layers that were left out of a partial archive on purpose.
    pub left_out: usize,
    /// Total size of its layers as stored, in bytes. A layer that the input lacks
    /// counts with the size in its descriptor, unless it was left out on purpose.
    pub stored_size: u64,
    /// Total size of the layers unpacked, as far as it is known for each.
    pub size: Option<LayerSize>,
}

/// Implements [`Session::images`](crate::Session::images).
pub(crate) fn images(
    source: &dyn ImageSource,
    options: &ImagesOptions,
    context: Context<'_>,
) -> Result<ImagesReport> {
    let list = List::load(source, options, context)?;
    let sizes = Sizes::find(list.request(), context)?;
    Ok(list.finish(&sizes))
}

/// Implements [`Session::images_of_all`](crate::Session::images_of_all).
pub(crate) fn images_of_all(
    sources: &[(&dyn ImageSource, &ImagesOptions)],
    context: Context<'_>,
) -> Vec<Result<ImagesReport>> {
    let lists = sources.iter();
    let lists = lists.map(|(source, options)| List::load(*source, options, context));
    let lists: Vec<Result<List<'_>>> = lists.collect();
    let requests: Vec<Request<'_>> = lists.iter().flatten().map(List::request).collect();
    let Ok(sizes) = Sizes::find_all(&requests, context) else {
        let interrupted = |_| Err(Error::Interrupted);
        return lists.into_iter().map(interrupted).collect();
    };
    let mut sizes = sizes.into_iter();
    let mut report = |list: List<'_>| list.finish(&sizes.next().unwrap_or_default());
    lists
        .into_iter()
        .map(|list| list.map(&mut report))
        .collect()
}

/// The list of an input, before the sizes of layers are known.
struct List<'a> {
    source: &'a dyn ImageSource,
    choice: SizeChoice,
    count: usize,
    /// The images with their numbers and the names under which they are listed.
    drafts: Vec<(usize, Vec<&'a Root>, Draft)>,
}

impl<'a> List<'a> {
    fn load(
        source: &'a dyn ImageSource,
        options: &ImagesOptions,
        context: Context<'_>,
    ) -> Result<Self> {
        let roots: Vec<&Root> = source.roots()?.iter().collect();
        let meant = select(source, options.image.as_ref())?;
        let is_meant = |root: &&&Root| options.image.is_none() || meant.roots.contains(*root);
        let targets = targets(&roots);
        let count = targets.len();
        let mut drafts = Vec::new();
        for (at, target) in targets.into_iter().enumerate() {
            let named = roots.iter().filter(|root| root.has_target_of(target));
            let named = named.filter(|root| options.want(root) && is_meant(root));
            let named: Vec<&Root> = named.copied().collect();
            if named.is_empty() {
                continue;
            }
            if context.watch.is_interrupted() {
                return Err(Error::Interrupted);
            }
            let mut draft = Draft::load(source, target)?;
            if let Some(part) = &meant.part {
                draft = draft.into_part(part).ok_or(Error::NoImage)?;
            }
            drafts.push((at + 1, named, draft));
        }
        Ok(Self {
            source,
            choice: options.sizes,
            count,
            drafts,
        })
    }

    /// The layers whose sizes are wanted.
    fn request(&self) -> Request<'a> {
        let mut wanted = Vec::new();
        for (_, _, draft) in &self.drafts {
            draft.collect(&mut wanted);
        }
        Request {
            container: self.source.container(),
            wanted,
            choice: self.choice,
        }
    }

    fn finish(self, sizes: &Sizes) -> ImagesReport {
        let mut listed = Vec::new();
        for (number, named, draft) in self.drafts {
            let found = draft.finish(sizes);
            listed.extend(named.into_iter().map(|root| Listed {
                number,
                reference: root.reference.clone(),
                label: root.label.clone().filter(|_| root.reference.is_none()),
                found: found.clone(),
            }));
        }
        ImagesReport {
            format: self.source.format(),
            count: self.count,
            listed,
        }
    }
}

impl ImagesOptions {
    /// Returns true if something with this name is to be listed.
    fn want(&self, root: &Root) -> bool {
        let is_named = root.reference.is_some() || root.label.is_some();
        if self.dangling.is_some_and(|dangling| dangling == is_named) {
            return false;
        }
        let fits = |pattern: &ReferencePattern| match (&root.reference, &root.label) {
            (Some(reference), _) => pattern.matches(reference),
            (None, Some(label)) => pattern.matches_text(label),
            (None, None) => false,
        };
        self.references.is_empty() || self.references.iter().any(fits)
    }
}

/// A found thing, before the sizes of its layers are known.
struct Draft {
    found: Found,
    /// The layers of an image.
    layers: Vec<Layer>,
    /// Its name in messages.
    name: String,
    children: Vec<Draft>,
}

impl Draft {
    /// Loads the content of a root. If the input lacks it, the draft has only its
    /// descriptor.
    fn load(source: &dyn ImageSource, root: &Root) -> Result<Self> {
        let descriptor = match &root.target {
            Target::Blob(descriptor) => Some(descriptor),
            Target::Element(_) | Target::Whole => None,
        };
        let name = root.display_name();
        let content = match source.load(root) {
            Ok(content) => content,
            Err(error) if error.absence().is_some() => {
                return Ok(Self::absent(descriptor, &name));
            }
            Err(error) => return Err(error),
        };
        let mut draft = Self::new(source, &content, descriptor, &name);
        if draft.found.kind.has_id() {
            draft.found.containerd_id = containerd_id(source, root, &content);
        }
        Ok(draft)
    }

    /// Something of which only the descriptor is known.
    fn absent(descriptor: Option<&Descriptor>, name: &str) -> Self {
        Self {
            found: Found {
                kind: FoundKind::Absent,
                digest: descriptor.map(|descriptor| descriptor.digest().clone()),
                containerd_id: None,
                blobs_size: None,
                media_type: descriptor.map(|descriptor| descriptor.media_type().to_owned()),
                platform: descriptor.and_then(Descriptor::platform),
                subject: descriptor.and_then(Descriptor::attested),
                image: None,
                children: Vec::new(),
            },
            layers: Vec::new(),
            name: name.to_owned(),
            children: Vec::new(),
        }
    }

    /// The part of an index with this digest, at any depth.
    fn into_part(self, part: &Digest) -> Option<Self> {
        self.children.into_iter().find_map(|child| {
            if child.found.digest.as_ref() == Some(part) {
                Some(child)
            } else {
                child.into_part(part)
            }
        })
    }

    fn new(
        source: &dyn ImageSource,
        content: &Content,
        descriptor: Option<&Descriptor>,
        name: &str,
    ) -> Self {
        let mut draft = Self::absent(descriptor, name);
        draft.found.kind = FoundKind::of(content);
        draft.found.blobs_size = blobs_size(source, content);
        if draft.found.kind.has_id() {
            draft.found.containerd_id.clone_from(&draft.found.digest);
        }
        match content {
            Content::Image(image) => draft.add_image(image),
            Content::Index(index) => {
                let child =
                    |(content, descriptor)| Self::new(source, content, Some(descriptor), name);
                draft.children = index.parts().map(child).collect();
            }
            Content::Artifact(_) | Content::Opaque { .. } => {}
        }
        draft
    }

    fn add_image(&mut self, image: &Image) {
        let found = &mut self.found;
        // The descriptor's platform is optional, but it takes precedence, since it can
        // be requested.
        found.platform = found.platform.take().or_else(|| image.platform().cloned());
        found.image = Some(FoundImage {
            id: image.config.digest().clone(),
            created: image.created(),
            layers: image.layers.len(),
            diff_ids: image.layers.iter().map(|it| it.diff_id.clone()).collect(),
            left_out: image.layers.iter().filter(|it| it.is_left_out()).count(),
            stored_size: image.stored_size(),
            size: None,
        });
        self.layers.clone_from(&image.layers);
    }

    fn collect(&self, wanted: &mut Vec<Wanted>) {
        wanted.extend(Wanted::all(&self.layers, &self.name));
        for child in &self.children {
            child.collect(wanted);
        }
    }

    fn finish(self, sizes: &Sizes) -> Found {
        let mut found = self.found;
        if let Some(image) = &mut found.image {
            image.size = LayerSize::sum(self.layers.iter().map(|layer| sizes.of(layer)));
        }
        let children = self.children.into_iter();
        found.children = children.map(|child| child.finish(sizes)).collect();
        found
    }
}
