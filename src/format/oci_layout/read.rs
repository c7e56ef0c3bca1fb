//! Reading a layout.

use serde_json::Value;

use crate::digest::DiffId;
use crate::error::{Error, Result};
use crate::finding::{Code, Site};
use crate::format::container::{Container, find_document};
use crate::format::control_files::{INDEX, MARKER};
use crate::format::oci_layout::blob_path;
use crate::format::oci_layout::graph::{ConfigPart, Listed, ManifestKind, Part, code_of};
use crate::format::reader::{Opener, Reader, Refusal, Schema, finish};
use crate::format::source::{
    Artifact, Content, Image, IndexContent, Layer, LayerBytes, LayerPosition,
};
use crate::image::{Descriptor, Document, Index, Manifest, parse_value, types};

/// Returns true if there is an `index.json` that could be that of a layout.
pub(in crate::format) fn is_layout(container: &dyn Container) -> Result<bool> {
    if container.find(MARKER)?.is_some() {
        return Ok(true);
    }
    let Some(bytes) = find_document(container, INDEX)? else {
        return Ok(false);
    };
    let value = parse_value(&bytes).ok();
    Ok(value.is_some_and(|value| value.get("manifests").is_some()))
}

/// Refuses a layout of a version other than 1.0.0. Returns true if there is a marker:
/// as in skopeo, a layout can be read without one.
pub(in crate::format) fn check_marker(reader: &mut dyn Reader) -> Result<bool> {
    if reader.find(MARKER)?.is_none() {
        return Ok(false);
    }
    let Some(bytes) = reader.control_file(MARKER)? else {
        return Ok(true);
    };
    let mut value = parse_value(&bytes).unwrap_or_default();
    types::LAYOUT_MARKER.fix_keys(&mut value);
    let version = value.get("imageLayoutVersion");
    if version.is_none_or(|version| version != "1.0.0") {
        let said = version.map_or("none".to_owned(), Value::to_string);
        let version = version.and_then(Value::as_str).unwrap_or("none");
        let error = Error::LayoutVersion(version.to_owned());
        let fault = Refusal::new(Code::LayoutVersion, format!("the version is {said}"), error);
        reader.report(&Site::file(MARKER), fault)?;
    }
    Ok(true)
}

/// Reads `index.json`, if it exists.
pub(crate) fn find_index(container: &dyn Container) -> Result<Option<Document<Index>>> {
    read_index(&mut Opener::new(container))
}

/// Reads `index.json`; `None` if it does not exist, or after a fault that leaves
/// nothing of it.
pub(in crate::format) fn read_index(reader: &mut dyn Reader) -> Result<Option<Document<Index>>> {
    let Some(bytes) = reader.control_file(INDEX)? else {
        return Ok(None);
    };
    let fault = |source| {
        let code = match code_of(&source) {
            Code::DocumentInvalid | Code::DocumentTooLarge => Code::IndexInvalid,
            code => code,
        };
        Refusal::document(code, format!("`{INDEX}`"), source)
    };
    let reading = Document::read(bytes);
    finish(reader, &Site::file(INDEX), Schema::Graph, reading, fault)
}

/// Reads all documents under a descriptor of `index.json`, verifying each.
///
/// `name` is the name of the root in messages.
pub(in crate::format) fn load(
    mut opener: Opener<'_>,
    descriptor: &Descriptor,
    name: String,
) -> Result<Content> {
    let listed = Listed::root(descriptor, 0, Site::file(INDEX), name);
    match load_listed(&mut opener, &listed)? {
        Content::Opaque { blob: None, .. } => Err(Error::MemberAbsent {
            document: format!("`{INDEX}`"),
            name: blob_path(descriptor.digest()),
        }),
        content => Ok(content),
    }
}

fn load_listed(opener: &mut Opener<'_>, listed: &Listed<'_>) -> Result<Content> {
    let (blob, links) = match listed.read(opener)? {
        Some(Part::Index(index)) => {
            let others = listed.others(opener, &index)?;
            let children = listed.children(index.view());
            let children = children.map(|child| load_listed(opener, &child));
            let children = children.collect::<Result<_>>()?;
            return Ok(Content::Index(Box::new(IndexContent {
                index,
                children,
                kept: None,
                others,
            })));
        }
        Some(Part::Manifest(manifest)) => return load_manifest(opener, listed, manifest),
        Some(Part::Blob(member, links)) => (Some(member), links),
        Some(Part::Absent) | None => (None, None),
    };
    let document = |links| listed.document(opener, links);
    Ok(Content::Opaque {
        descriptor: listed.descriptor.clone(),
        blob,
        document: links.map(document).transpose()?.map(Box::new),
    })
}

fn load_manifest(
    opener: &mut Opener<'_>,
    listed: &Listed<'_>,
    manifest: Document<Manifest>,
) -> Result<Content> {
    let view = manifest.view();
    if ManifestKind::of(listed.descriptor, view) == ManifestKind::Image {
        match listed.config(opener, view)? {
            ConfigPart::Read(config) => {
                let layers = listed.layers(opener, &view.layers)?;
                let described = view.layers.iter().zip(&config.view().diff_ids);
                let layers = layers.into_iter().zip(described).enumerate();
                let layer = |(at, ((blob, compression), (descriptor, diff_id)))| Layer {
                    diff_id: DiffId::clone(diff_id),
                    bytes: LayerBytes::described(blob, Descriptor::clone(descriptor)),
                    compression,
                    position: LayerPosition::new(at, view.layers.len()),
                    keeps_compression: false,
                };
                let layers = layers.map(layer).collect();
                let others = listed.others(opener, &manifest)?;
                return Ok(Content::Image(Image {
                    manifest: Some(manifest),
                    config,
                    layers,
                    annotations: Vec::new(),
                    others,
                }));
            }
            ConfigPart::Absent if listed.is_root() => {
                return Err(Error::MemberAbsent {
                    document: format!("the manifest of `{}`", listed.name),
                    name: blob_path(view.config.digest()),
                });
            }
            // Exports omit configs of other platforms, as they do manifests.
            ConfigPart::Absent | ConfigPart::NoRootfs(_) | ConfigPart::Faulty => {}
        }
    }
    let blobs = listed.artifact(opener, &manifest)?;
    Ok(Content::Artifact(Box::new(Artifact { manifest, blobs })))
}

/// The reason why a part of the index named `name` cannot be used, if the input lacks
/// it or its config.
pub(crate) fn absence(part: &Content, name: &str) -> Option<Error> {
    let (document, digest) = match part {
        Content::Opaque {
            descriptor,
            blob: None,
            ..
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
