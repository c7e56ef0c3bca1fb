//! The delivery of one image that an operation has changed.

use serde_json::Value;

use crate::digest::Digest;
use crate::dockerfile::Changes;
use crate::error::{Error, Result};
use crate::event::{Warning, Watch};
use crate::format::sink::ImageSink;
use crate::format::source::{Content, Image, ImageSource};
use crate::image::{Descriptor, Document, DocumentError, Manifest, Platform};
use crate::limits::DOCUMENTS_MAX;
use crate::ops::choose::image::ChosenImage;
use crate::stream::Workers;
use crate::transfer::Context;
use crate::transfer::compression::{CompressionChoice, CompressionPolicy};
use crate::transfer::deliver::Delivery;
use crate::transfer::item::TransferItem;
use crate::transfer::naming::Name;
use crate::transfer::referrers::add_referrers;
use crate::transfer::report::WriteReport;
use crate::transfer::scanned::ScannedLayers;

/// Annotations of a manifest that name the base image (image-spec, annotations.md).
pub(in crate::ops) const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
pub(in crate::ops) const BASE_NAME: &str = "org.opencontainers.image.base.name";

/// The way of one changed item to an output.
pub(in crate::ops) struct Edited<'a> {
    /// The source of the item, and of its blobs.
    pub(in crate::ops) source: &'a dyn ImageSource,
    /// Its destination.
    pub(in crate::ops) sink: Box<dyn ImageSink>,
    /// Its names in the output, instead of those in the input.
    pub(in crate::ops) names: &'a [Name],
    /// The platform that was selected of it, if any.
    pub(in crate::ops) platform: Option<&'a Platform>,
    /// The compression of its layers.
    pub(in crate::ops) compress: CompressionChoice,
    /// The threads that compress layers.
    pub(in crate::ops) workers: &'a Workers,
    /// Its layers that were read before, if any were.
    pub(in crate::ops) scanned: Option<&'a ScannedLayers>,
    /// The caller's context.
    pub(in crate::ops) context: Context<'a>,
}

impl Edited<'_> {
    /// Writes the item with its new content, finishes the output, and returns the report.
    /// Without new content, the item is passed on as it is, with its referrers.
    ///
    /// Referrers of the old manifests, such as signatures and attestations, are about
    /// another image: they are left out, with a warning.
    pub(in crate::ops) fn deliver(
        self,
        item: TransferItem<'_>,
        content: Option<Content>,
    ) -> Result<WriteReport> {
        let keeps_fields = item.left_out.is_empty() && self.platform.is_none();
        let before = digest(&item.content).cloned();
        let is_passed_on = content.is_none() && self.compress == CompressionChoice::Keep;
        let mut items = vec![item];
        add_referrers(self.source, &mut items, DOCUMENTS_MAX, self.context)?;
        if let Some(content) = content {
            let item = &mut items[0];
            let (old, descriptor) = (&item.content, item.descriptor.as_ref());
            find_changed(old, &content, descriptor, &mut item.left_out);
            item.content = content;
        }
        let delivery = Delivery {
            source: self.source,
            sink: self.sink.as_ref(),
            workers: self.workers,
            names: self.names,
            retag: &[],
            preferred: None,
            keeps_fields,
            policy: CompressionPolicy::new(self.compress, self.sink.format()),
            scanned: self.scanned,
            context: self.context,
        };
        let mut report = delivery.run(items)?;
        report.withhold(&self.sink.finish(&self.context.watch)?);
        let mut written = report.images.iter().map(|image| Some(&image.digest));
        let is_written = before.is_some() && written.any(|it| it == before.as_ref());
        report.is_unchanged = is_passed_on || is_written;
        Ok(report)
    }
}

/// The digest of an image or an index, if the input has its document.
fn digest(content: &Content) -> Option<&Digest> {
    match content {
        Content::Image(image) => image.manifest.as_ref().map(Document::digest),
        Content::Index(index) => Some(index.index.digest()),
        Content::Artifact(_) | Content::Opaque { .. } => None,
    }
}

/// Collects the digests of the manifests and indexes that an operation has changed;
/// returns true if this one is one of them.
fn find_changed(
    old: &Content,
    new: &Content,
    descriptor: Option<&Descriptor>,
    changed: &mut Vec<Digest>,
) -> bool {
    let differs = match (old, new) {
        (Content::Image(old), Content::Image(new)) => {
            let manifest = |image: &Image| image.manifest.as_ref().map(|it| it.digest().clone());
            old.config.digest() != new.config.digest()
                || manifest(old) != manifest(new)
                || old.annotations != new.annotations
        }
        (Content::Index(old), Content::Index(new)) => {
            let pairs = old.parts().zip(&new.children);
            pairs.fold(false, |any, ((old, descriptor), new)| {
                find_changed(old, new, Some(descriptor), changed) | any
            })
        }
        _ => false,
    };
    if differs {
        changed.extend(descriptor.map(|descriptor| descriptor.digest().clone()));
    }
    differs
}

impl<'a> From<ChosenImage<'a>> for TransferItem<'a> {
    fn from(chosen: ChosenImage<'a>) -> Self {
        Self {
            name: chosen.name,
            left_out: chosen.left,
            descriptor: chosen.descriptor,
            content: Content::Image(chosen.image),
            roots: chosen.roots,
        }
    }
}

/// Edits a manifest whose digest changes: besides `edit`, it no longer refers to
/// something as the manifest with the old digest did.
pub(in crate::ops) fn edited_manifest(
    manifest: &Document<Manifest>,
    edit: impl FnOnce(&mut Value),
) -> Result<Document<Manifest>> {
    let edited = manifest.edit(|value| {
        if let Some(fields) = value.as_object_mut() {
            fields.shift_remove("subject");
        }
        edit(value);
    });
    edited.map_err(own_document)
}

/// Warns of instructions that probably mean something else.
pub(in crate::ops) fn warn_of_lists(changes: &Changes, watch: &Watch<'_>) {
    for instruction in changes.broken_lists() {
        watch.warn(Warning::NotAList(instruction.to_owned()));
    }
}

/// Removes the annotations of a manifest that name a base, which is not its base any more.
pub(in crate::ops) fn forget_base(manifest: &mut Value) {
    let annotations = manifest
        .get_mut("annotations")
        .and_then(Value::as_object_mut);
    if let Some(annotations) = annotations {
        annotations.shift_remove(BASE_DIGEST);
        annotations.shift_remove(BASE_NAME);
    }
}

/// The error for a document of restow's own that cannot be read, which never happens.
pub(in crate::ops) fn own_document(source: DocumentError) -> Error {
    Error::Document {
        what: "a document of the image".to_owned(),
        source,
    }
}
