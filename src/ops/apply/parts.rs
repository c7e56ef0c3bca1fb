//! The parts of a delta.

use std::collections::{BTreeSet, HashMap};
use std::io::Read as _;

use crate::digest::Digest;
use crate::error::{Error, LimitError, Place, Result};
use crate::event::{Warning, Watch};
use crate::format::Member;
use crate::format::root::Root;
use crate::format::source::{Artifact, ImageSource};
use crate::image::delta::{DeltaContent, TAR_DIFF, source_config};
use crate::image::{Config, Descriptor, Document, Manifest};
use crate::limits::DOCUMENT_MAX;
use crate::ops::apply::verified::check;

/// The delta of one image.
pub(super) struct Delta {
    /// The digest of the config of the old image.
    pub(super) source_config: Digest,
    /// The descriptor of the artifact, with its names.
    pub(super) named: Option<Descriptor>,
    pub(super) manifest: Document<Manifest>,
    pub(super) manifest_type: String,
    pub(super) config: Document<Config>,
    /// The layers that are tar-diffs.
    pub(super) differences: Vec<Difference>,
    /// The layers that are there as they are, by the digests of the new ones.
    pub(super) whole: HashMap<Digest, (Descriptor, Member)>,
    /// Files of the archive around the images, by their paths.
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// Other blobs of that archive.
    pub(super) blobs: Vec<(Descriptor, Member)>,
}

/// A layer as a tar-diff.
pub(super) struct Difference {
    /// The digest of the layer in the new image.
    pub(super) to: Digest,
    /// The tar-diff.
    pub(super) blob: (Descriptor, Member),
}

/// Reads the documents of a delta. Warns of parts that are not understood.
pub(super) fn read_delta(
    source: &dyn ImageSource,
    root: &Root,
    artifact: Artifact,
    watch: &Watch<'_>,
) -> Result<Delta> {
    let Artifact { manifest, blobs } = artifact;
    warn_of_others(&manifest.view().layers, watch);
    let source_config = source_config(&manifest).ok_or(Error::NotADelta)?;
    let members: HashMap<Digest, Member> = blobs
        .into_iter()
        .filter_map(|(descriptor, member)| Some((descriptor.digest().clone(), member?)))
        .collect();
    let (mut new_manifest, mut new_config) = (None, None);
    let mut differences = Vec::new();
    let mut whole = HashMap::new();
    let (mut files, mut others) = (Vec::new(), Vec::new());
    for layer in &manifest.view().layers {
        let content = DeltaContent::of(layer);
        if content == DeltaContent::Other {
            continue;
        }
        let Some(member) = members.get(layer.digest()).cloned() else {
            return Err(Error::MemberAbsent {
                document: "the manifest of the delta".to_owned(),
                name: layer.digest().to_string(),
            });
        };
        match content {
            DeltaContent::Manifest => {
                new_manifest = Some((layer, document(source, layer, &member)?));
            }
            DeltaContent::Config => new_config = Some(document(source, layer, &member)?),
            DeltaContent::Layer(to) if layer.media_type() == TAR_DIFF => {
                let blob = (layer.clone(), member);
                differences.push(Difference { to, blob });
            }
            DeltaContent::Layer(to) => drop(whole.insert(to, (layer.clone(), member))),
            DeltaContent::File(path) => files.push((path, document(source, layer, &member)?)),
            DeltaContent::Blob => others.push((layer.clone(), member)),
            DeltaContent::Other => {}
        }
    }
    let (Some((described, manifest)), Some(config)) = (new_manifest, new_config) else {
        return Err(Error::NotADelta);
    };
    let failed = |what: &str| {
        let what = format!("the {what} of the new image");
        |source| Error::Document { what, source }
    };
    Ok(Delta {
        source_config,
        named: root.descriptor.clone(),
        manifest_type: described.media_type().to_owned(),
        manifest: Document::parse(manifest).map_err(failed("manifest"))?,
        config: Document::parse(config).map_err(failed("config"))?,
        differences,
        whole,
        files,
        blobs: others,
    })
}

/// Warns of parts of a delta that are not understood, such as signatures: nothing of them
/// is in the output.
fn warn_of_others(layers: &[Descriptor], watch: &Watch<'_>) {
    let others = layers
        .iter()
        .filter(|layer| DeltaContent::of(layer) == DeltaContent::Other);
    let kinds: BTreeSet<&str> = others.clone().map(DeltaContent::kind).collect();
    let parts = others.count();
    if parts > 0 {
        let kinds = kinds
            .iter()
            .map(|kind| format!("`{}`", kind.escape_debug()));
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        watch.warn(Warning::DeltaPartsSkipped { parts, kinds });
    }
}

/// Reads a document, and compares it with its digest.
fn document(source: &dyn ImageSource, layer: &Descriptor, member: &Member) -> Result<Vec<u8>> {
    if member.size > DOCUMENT_MAX {
        return Err(LimitError::DocumentTooLarge {
            what: format!("`{}`", member.path),
            size: member.size,
            limit: DOCUMENT_MAX,
        }
        .into());
    }
    let place = Place::Blob(layer.digest().clone());
    let mut bytes = Vec::new();
    let blob = source.container().blob(member);
    let read = blob.open()?.take(DOCUMENT_MAX).read_to_end(&mut bytes);
    read.map_err(|error| Error::read(place.clone(), error))?;
    check(layer.digest(), &bytes).map_err(|error| error.while_reading(place))?;
    Ok(bytes)
}
