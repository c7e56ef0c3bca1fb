//! The old images, and their files.

use std::collections::HashSet;

use crate::digest::Digest;
use crate::error::{ChoiceError, Error, Place, Result};
use crate::format::source::{Content, Image, ImageSource, Layer};
use crate::image::{Descriptor, Document, Platform};
use crate::merge::{Merge, TreeNode};
use crate::ops::Selector;
use crate::ops::choose::image::ChosenImage;
use crate::ops::choose::item::load_chosen;
use crate::ops::choose::platform::{PlatformChoice, select_platform};
use crate::ops::choose::selector::select;
use crate::ops::stack::checks::Checks;
use crate::ops::stack::contents::FilePlaces;
use crate::ops::stack::layer_stack::LayerStack;
use crate::stream::FileSlice;
use crate::tar_diff::{OldFiles, is_usable};
use crate::transfer::Context;

/// An image that a delta is from.
#[derive(Debug)]
pub(in crate::ops) struct OldImage<'a> {
    source: &'a dyn ImageSource,
    chosen: ChosenImage<'a>,
    platform: Option<Platform>,
}

/// Makes the members of a sequential container accessible in any order.
pub(in crate::ops) fn random_access(source: &dyn ImageSource, context: Context<'_>) -> Result<()> {
    let container = source.container();
    if container.is_sequential() {
        container.unpack_to(context.temporary_directory, &context.watch)?;
    }
    Ok(())
}

/// All whole images of a source, with their layers accessible in any order.
///
/// # Errors
///
/// Fails if there are none.
pub(in crate::ops) fn old_images<'a>(
    source: &'a dyn ImageSource,
    selector: Option<&Selector>,
    platform: Option<&Platform>,
    context: Context<'_>,
) -> Result<Vec<OldImage<'a>>> {
    random_access(source, context)?;
    let watch = context.watch.silent();
    let mut images = Vec::new();
    let mut failure = None;
    for selection in select(source, selector)?.each() {
        let item = load_chosen(source, selection, &watch);
        let item = item.and_then(|item| match platform {
            Some(platform) => select_platform(item, PlatformChoice::Asked(platform), &watch),
            None => Ok(item),
        });
        match item {
            Ok(item) => {
                let descriptor = item.descriptor.clone();
                let unfit = collect(source, &item.name, item.content, descriptor, &mut images);
                failure = failure.or(unfit);
            }
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    let mut seen = HashSet::new();
    images.retain(|image: &OldImage<'_>| seen.insert(image.config().clone()));
    if images.is_empty() {
        return Err(located(source, failure.unwrap_or(Error::NoImage)));
    }
    Ok(images)
}

/// An error while reading a source, with its place. A choice that is not possible there
/// tells what is.
pub(in crate::ops) fn located(source: &dyn ImageSource, error: Error) -> Error {
    let is_complete = match &error {
        Error::Choice(error) => !matches!(error, ChoiceError::ArtifactChosen { .. }),
        _ => false,
    };
    match source.place().filter(|_| !is_complete) {
        Some(place) => error.while_reading(place.clone()),
        None => error,
    }
}

/// Collects the whole images in some content. Returns the reason why the first other item
/// is not a whole image.
fn collect<'a>(
    source: &'a dyn ImageSource,
    name: &str,
    content: Content,
    descriptor: Option<Descriptor>,
    images: &mut Vec<OldImage<'a>>,
) -> Option<Error> {
    match content {
        Content::Image(image) => {
            let absent = image.layers.iter().find(|layer| layer.is_absent());
            if let Some(layer) = absent {
                return Some(layer.absence().while_reading(layer.place(name)));
            }
            images.push(OldImage {
                source,
                platform: image.platform_under(descriptor.as_ref()),
                chosen: ChosenImage {
                    name: name.to_owned(),
                    image,
                    descriptor,
                    left: Vec::new(),
                    roots: Vec::new(),
                },
            });
            None
        }
        Content::Index(index) => {
            let descriptors = match index.kept {
                Some(kept) => kept,
                None => index.index.view().manifests.clone(),
            };
            let mut unfit = None;
            for (child, descriptor) in index.children.into_iter().zip(descriptors) {
                let child = collect(source, name, child, Some(descriptor), images);
                unfit = unfit.or(child);
            }
            unfit
        }
        other => Some(Error::Choice(ChoiceError::ArtifactChosen {
            name: name.to_owned(),
            kind: other.kind(),
        })),
    }
}

impl OldImage<'_> {
    /// The number of the image for a platform: one for the same, else the first.
    pub(super) fn for_platform(images: &[Self], platform: Option<&Platform>) -> usize {
        let is_same = |image: &Self| platform.is_some() && image.platform.as_ref() == platform;
        images.iter().position(is_same).unwrap_or(0)
    }

    /// Its image id: the digest of its config.
    pub(in crate::ops) fn config(&self) -> &Digest {
        self.image().config.digest()
    }

    /// The digest of its manifest, if it has one.
    pub(super) fn manifest(&self) -> Option<&Digest> {
        self.image().manifest.as_ref().map(Document::digest)
    }

    pub(in crate::ops) fn image(&self) -> &Image {
        &self.chosen.image
    }

    /// The input that holds it.
    pub(in crate::ops) fn place(&self) -> Place {
        let place = self.source.place().cloned();
        place.unwrap_or(Place::StandardInput)
    }

    /// Its name and id, for a message.
    pub(in crate::ops) fn display(&self) -> String {
        format!("`{}` is {}", self.chosen.name, self.config())
    }

    /// The layer with this digest, or, if `diff_id` is given, else one with that.
    pub(in crate::ops) fn layer(
        &self,
        digest: &Digest,
        diff_id: Option<&Digest>,
    ) -> Option<&Layer> {
        let mut layers = self.image().layers.iter().filter(|it| it.blob().is_some());
        let same = layers
            .clone()
            .find(|it| it.digest().as_ref() == Some(digest));
        same.or_else(|| layers.find(|layer| Some(&layer.diff_id.0) == diff_id))
    }

    /// The checks of its layers.
    pub(super) fn checks<'c>(&self, context: Context<'c>) -> Checks<'c>
    where
        Self: 'c,
    {
        Checks::new(self.source.container(), context)
    }

    /// Waits until all layers are compared with their digests, after the files were read.
    pub(super) fn finish_checks(&self, checks: &Checks<'_>, context: Context<'_>) -> Result<()> {
        match LayerStack::new(self.source, &self.chosen, context) {
            // Nothing was read.
            Err(Error::WindowsImage(_)) => Ok(()),
            stack => stack?.finish_checks(checks),
        }
    }

    /// The regular files that it shows: all that a tar-diff can use, or only those that
    /// these paths lead to. With checks, the layers are compared with their digests.
    pub(in crate::ops) fn files(
        &self,
        only: Option<&HashSet<Vec<u8>>>,
        checks: Option<&Checks<'_>>,
        context: Context<'_>,
    ) -> Result<OldFiles> {
        if only.is_some_and(HashSet::is_empty) {
            return Ok(OldFiles::default());
        }
        let stack = match LayerStack::new(self.source, &self.chosen, context) {
            // Its layers are no trees, but may be reused as a whole.
            Err(Error::WindowsImage(_)) if only.is_none() => return Ok(OldFiles::default()),
            stack => stack?,
        };
        let stack = match checks {
            Some(checks) => stack.with_checks(checks),
            None => stack.clone(),
        };
        stack.prepare()?;
        let all: Vec<usize> = (0..stack.count()).collect();
        let mut tree = Merge::new();
        stack.merge(&mut tree, &all)?;
        let mut wanted = FilePlaces::new();
        let mut paths = Vec::new();
        let mut add = |path: &[u8], node: TreeNode<'_>| {
            if let Some((_, inode)) = node.file() {
                wanted.insert(inode.place, inode.size());
                paths.push((path.to_vec(), inode.place));
            }
        };
        if let Some(only) = only {
            // Other programs name a file as the layer with it does, which may be through a
            // symbolic link of another layer.
            for path in only {
                if let Ok(entry) = tree.resolve(path, false) {
                    add(path, entry.node);
                }
            }
        } else {
            let usable = tree.entries().filter(|entry| is_usable(&entry.path));
            usable.for_each(|entry| add(&entry.path, entry.node));
        }
        let located = stack.locate(&wanted)?;
        let mut files = OldFiles::default();
        for (path, place) in paths {
            let bytes = &located[&place];
            let bytes = FileSlice::new(bytes.file.clone(), bytes.start, bytes.size);
            files.add(path, bytes);
        }
        Ok(files)
    }
}
