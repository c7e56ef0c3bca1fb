//! The survey of a layout, which does not stop at the first fault.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::digest::Digest;
use crate::error::Result;
use crate::finding::{Code, Finding, Site};
use crate::format::container::Member;
use crate::format::control_files::INDEX;
use crate::format::oci_layout::graph::{
    ConfigPart, Listed, ManifestKind, Part, check_data, is_encrypted,
};
use crate::format::oci_layout::{blob_path, check_marker, read_index};
use crate::format::partial::left_out_of;
use crate::format::reader::{Budget, Reader, at};
use crate::format::root::Root;
use crate::format::source::NamedBlob;
use crate::format::survey::{Absent, MissingLayers, SurveyedImage, SurveyedLayer, Surveyor};
use crate::image::delta::is_delta;
use crate::image::media_type::{DocumentKind, Family, LayerType};
use crate::image::{
    CONTAINERD_NAME, Config, Descriptor, Document, Index, Manifest, Platform, REF_NAME, Reference,
};
use crate::stream::Compression;

/// Maximum number of images in an index; more than any has.
const PLATFORMS_MAX: usize = 100;

/// Surveys the items in `index.json`. In a hybrid `oci-layout` may be missing.
pub(in crate::format) fn survey_layout(surveyor: &mut Surveyor<'_>, is_hybrid: bool) -> Result<()> {
    if !check_marker(surveyor)? && !is_hybrid {
        surveyor.note_code(Code::LayoutMarkerMissing, &Site::input());
    }
    if surveyor.find(INDEX)?.is_none() {
        surveyor.note_code(Code::IndexMissing, &Site::input());
        return Ok(());
    }
    let Some(index) = read_index(surveyor)? else {
        return Ok(());
    };
    let site = Site::file(INDEX);
    let index = index.view();
    let label = index.media_type.as_deref();
    if let Some(label) = label.filter(|it| DocumentKind::of(it) != DocumentKind::Index) {
        let message = format!("its `mediaType` is `{label}`");
        surveyor.note(Code::MediaTypeMismatch, &site, message);
    }
    if index.manifests.is_empty() && !is_hybrid {
        surveyor.note_code(Code::NoImage, &site);
    }
    check_names(surveyor, &index.manifests);
    let mut layout = LayoutSurvey {
        surveyor,
        references: Vec::new(),
        digests: BTreeSet::new(),
        outcomes: BTreeMap::new(),
        subjects: Vec::new(),
        left_out: index.manifests.iter().flat_map(left_out_of).collect(),
    };
    layout.subject(index.subject.as_ref(), &site)?;
    let mut references = references(&index.manifests);
    for (at, descriptor) in index.manifests.iter().enumerate() {
        // It occurs again under its other names, but was already checked.
        if let Some(references) = references.remove(descriptor.digest()) {
            let name = Root::from_index(descriptor).display_name();
            layout.root(
                &Listed::root(descriptor, at, site.clone(), name),
                references,
            )?;
        }
    }
    layout.check_subjects();
    Ok(())
}

/// Checks the names in `index.json`.
fn check_names(surveyor: &mut Surveyor<'_>, descriptors: &[Descriptor]) {
    let site = Site::file(INDEX);
    let mut wrong_name = |annotation: &str, name: &str| {
        let message = format!("`{annotation}` is `{name}`");
        surveyor.note(Code::NameInvalid, &site, message);
    };
    let mut seen: BTreeMap<String, &Digest> = BTreeMap::new();
    let mut twice = Vec::new();
    for descriptor in descriptors {
        let label = descriptor.annotation(REF_NAME);
        let name = descriptor.annotation(CONTAINERD_NAME);
        if let Some(label) = label.filter(|label| !is_ref_name(label)) {
            wrong_name(REF_NAME, label);
        }
        // Names without a tag have a digest there, so they are references too.
        if let Some(name) = name.filter(|name| name.parse::<Reference>().is_err()) {
            wrong_name(CONTAINERD_NAME, name);
        }
        // Docker writes bare tags, which two images may share.
        let Some(key) = name.or(label) else {
            continue;
        };
        let other = seen.insert(key.to_owned(), descriptor.digest());
        if other.is_some_and(|other| other != descriptor.digest()) {
            twice.push(format!("`{key}`"));
        }
    }
    for message in twice {
        surveyor.note(Code::TagTwice, &site, message);
    }
}

/// The references in an index for each digest.
fn references(descriptors: &[Descriptor]) -> BTreeMap<Digest, Vec<Reference>> {
    let mut references: BTreeMap<Digest, Vec<Reference>> = BTreeMap::new();
    for descriptor in descriptors {
        let of_digest = references.entry(descriptor.digest().clone()).or_default();
        of_digest.extend(Root::from_index(descriptor).reference);
    }
    references
}

/// The result for a listed item: its missing parts, which the caller judges, and
/// whether it is a complete image.
#[derive(Clone, Default)]
struct Outcome {
    missing: Vec<Absent>,
    is_whole_image: bool,
    /// Its images, by their places among all images; not all of them if there are more
    /// than in any index.
    images: BTreeSet<usize>,
    /// The number of documents under it, including itself; repeated ones count
    /// repeatedly.
    documents: usize,
}

struct LayoutSurvey<'a, 'b> {
    surveyor: &'a mut Surveyor<'b>,
    /// The names of the root.
    references: Vec<Reference>,
    /// All existing documents, whatever refers to them.
    digests: BTreeSet<Digest>,
    /// The results so far, by digest and media type: indexes may list the same item
    /// repeatedly.
    outcomes: BTreeMap<(Digest, String), Outcome>,
    /// The subjects of attestations and signatures.
    subjects: Vec<(Digest, Site)>,
    /// The layers that were left out of a partial archive on purpose.
    left_out: HashSet<Digest>,
}

impl LayoutSurvey<'_, '_> {
    fn root(&mut self, root: &Listed<'_>, references: Vec<Reference>) -> Result<()> {
        self.references = references;
        *self.surveyor.budget() = Budget::default();
        let outcome = self.listed(root)?;
        // Indexes that differ only in their attestations share their images.
        for at in outcome.images {
            let known = &mut self.surveyor.images[at].references;
            let new = self.references.iter().filter(|it| !known.contains(it));
            let new: Vec<_> = new.cloned().collect();
            known.extend(new);
        }
        for absent in outcome.missing {
            self.surveyor.note_absent(absent);
        }
        Ok(())
    }

    /// Checks an item of an index, once.
    fn listed(&mut self, listed: &Listed<'_>) -> Result<Outcome> {
        let descriptor = listed.descriptor;
        let key = (
            descriptor.digest().clone(),
            descriptor.media_type().to_owned(),
        );
        if let Some(outcome) = self.outcomes.get(&key) {
            let outcome = outcome.clone();
            let site = Site::image(listed.name.clone());
            self.surveyor.claim(outcome.documents, &site)?;
            return Ok(outcome);
        }
        let mut outcome = self.new_listed(listed)?;
        outcome.documents = outcome.documents.saturating_add(1);
        self.outcomes.insert(key, outcome.clone());
        Ok(outcome)
    }

    fn new_listed(&mut self, listed: &Listed<'_>) -> Result<Outcome> {
        let descriptor = listed.descriptor;
        let site = listed.site();
        let part = listed.read(self.surveyor)?;
        if !matches!(part, Some(Part::Absent)) {
            self.digests.insert(descriptor.digest().clone());
        }
        match part {
            Some(Part::Index(index)) => {
                let mut outcome = self.index(listed, &index, &site)?;
                outcome
                    .missing
                    .extend(self.only_embedded(descriptor, &site)?);
                Ok(outcome)
            }
            Some(Part::Manifest(manifest)) => {
                let mut outcome = self.manifest(listed, &manifest, &site)?;
                outcome
                    .missing
                    .extend(self.only_embedded(descriptor, &site)?);
                outcome.is_whole_image &= outcome.missing.is_empty();
                Ok(outcome)
            }
            Some(Part::Blob(member, links)) => {
                let message = format!("its media type is `{}`", descriptor.media_type());
                self.surveyor.note(Code::MediaTypeUnknown, &site, message);
                let here = site.clone();
                self.surveyor.check_blob(member, descriptor.digest(), here);
                let mut outcome = Outcome::default();
                if let Some(links) = links {
                    let document = listed.document(self.surveyor, links)?;
                    self.subject(document.subject.as_ref(), &site)?;
                    self.blobs(document.blobs, &site, &mut outcome);
                }
                Ok(outcome)
            }
            Some(Part::Absent) => Ok(Outcome {
                missing: vec![absent(descriptor, &site)],
                ..Outcome::default()
            }),
            None => Ok(Outcome::default()),
        }
    }

    /// Checks a document's own statements: its subject, and its type, if that differs
    /// from its descriptor.
    fn itself(
        &mut self,
        listed: &Listed<'_>,
        media_type: Option<&str>,
        subject: Option<&Descriptor>,
        site: &Site,
    ) -> Result<()> {
        let label = listed.descriptor.media_type();
        let is_other =
            |got: &&str| *got != label && DocumentKind::of(got) == DocumentKind::of(label);
        if let Some(got) = media_type.filter(is_other) {
            let message = format!("its `mediaType` is `{got}`, but its descriptor says `{label}`");
            self.surveyor.note(Code::MediaTypeDiffers, site, message);
        }
        self.subject(subject, site)
    }

    /// The blob of a document that the layout only has as a copy in its descriptor: no engine
    /// reads that copy.
    fn only_embedded(&mut self, descriptor: &Descriptor, site: &Site) -> Result<Option<Absent>> {
        let path = blob_path(descriptor.digest());
        if descriptor.data().is_none() || self.surveyor.find(&path)?.is_some() {
            return Ok(None);
        }
        let mut absent = absent(descriptor, site);
        let digest = descriptor.digest();
        absent.finding.message =
            format!("{digest} is missing, except for a copy in its descriptor");
        Ok(Some(absent))
    }

    fn subject(&mut self, subject: Option<&Descriptor>, site: &Site) -> Result<()> {
        if let Some(subject) = subject {
            check_data(self.surveyor, subject, ("subject", site))?;
            self.subjects.push((subject.digest().clone(), site.clone()));
        }
        Ok(())
    }

    /// Checks blobs that a document names, and that may be anything.
    fn blobs(&mut self, blobs: Vec<NamedBlob>, site: &Site, outcome: &mut Outcome) {
        for (descriptor, blob) in blobs {
            match blob {
                Some(member) => {
                    let here = at(site, &member);
                    self.surveyor.check_blob(member, descriptor.digest(), here);
                }
                None if descriptor.data().is_some() || descriptor.has_urls() => {}
                None => outcome.missing.push(absent(&descriptor, site)),
            }
        }
    }

    fn index(
        &mut self,
        listed: &Listed<'_>,
        document: &Document<Index>,
        site: &Site,
    ) -> Result<Outcome> {
        let index = document.view();
        self.itself(
            listed,
            index.media_type.as_deref(),
            index.subject.as_ref(),
            site,
        )?;
        let mut outcome = Outcome::default();
        let others = listed.others(self.surveyor, document)?;
        self.blobs(others, site, &mut outcome);
        let mut absent = Vec::new();
        for child in listed.children(index) {
            if let Some(attested) = child.descriptor.attested() {
                self.subjects.push((attested, child.site()));
            }
            let of_child = self.listed(&child)?;
            outcome.is_whole_image |= of_child.is_whole_image;
            if outcome.images.len() < PLATFORMS_MAX {
                outcome.images.extend(of_child.images);
            }
            outcome.documents = outcome.documents.saturating_add(of_child.documents);
            if !of_child.missing.is_empty() {
                absent.push((child.platform, of_child.missing));
            }
        }
        // Exports contain one platform of an index, and omit the blobs of the others.
        if outcome.is_whole_image && !absent.is_empty() {
            let (gone, all) = (absent.len(), index.manifests.len());
            let platforms = absent.iter().filter_map(|(platform, _)| platform.as_ref());
            let platforms: BTreeSet<String> = platforms.map(Platform::to_string).collect();
            let platforms = platforms.into_iter().collect::<Vec<_>>().join(", ");
            let are = if gone == 1 { "is" } else { "are" };
            let of = if platforms.is_empty() { "" } else { ": " };
            let message = format!("{gone} of its {all} manifests {are} missing{of}{platforms}");
            self.surveyor.note(Code::IndexPartAbsent, site, message);
        } else {
            let missing = absent.into_iter().flat_map(|(_, missing)| missing);
            outcome.missing.extend(missing);
        }
        Ok(outcome)
    }

    fn manifest(
        &mut self,
        listed: &Listed<'_>,
        document: &Document<Manifest>,
        site: &Site,
    ) -> Result<Outcome> {
        let manifest = document.view();
        let media_type = manifest.media_type.as_deref();
        // The image that a delta makes is never beside it.
        let subject = manifest.subject.as_ref().filter(|_| !is_delta(manifest));
        self.itself(listed, media_type, subject, site)?;
        let layers = &manifest.layers;
        match ManifestKind::of(listed.descriptor, manifest) {
            ManifestKind::Image | ManifestKind::Encrypted => {
                let mut outcome = self.image(listed, manifest, site)?;
                let others = listed.others(self.surveyor, document)?;
                self.blobs(others, site, &mut outcome);
                return Ok(outcome);
            }
            ManifestKind::UnknownLayer(at) => {
                let message = format!("its media type is `{}`", layers[at].media_type());
                let site = site.at_layer(at + 1, layers.len());
                self.surveyor.note(Code::MediaTypeUnknown, &site, message);
            }
            ManifestKind::Artifact => {}
        }
        let mut outcome = Outcome::default();
        let blobs = listed.artifact(self.surveyor, document)?;
        self.blobs(blobs, site, &mut outcome);
        Ok(outcome)
    }

    fn image(&mut self, listed: &Listed<'_>, manifest: &Manifest, site: &Site) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let config = match listed.config(self.surveyor, manifest)? {
            ConfigPart::Read(config) => {
                let missing = self.only_embedded(&manifest.config, site)?;
                outcome.missing.extend(missing);
                Some(config)
            }
            ConfigPart::NoRootfs(fault) => {
                if fault.field() == Some("rootfs") && !self.surveyor.is_for_docker {
                    self.surveyor.note_code(Code::RootfsMissing, site);
                } else {
                    self.surveyor.report(site, fault)?;
                }
                None
            }
            ConfigPart::Absent => {
                outcome.missing.push(absent(&manifest.config, site));
                None
            }
            ConfigPart::Faulty => None,
        };
        let view = config.as_ref().map(Document::view);
        self.check_image(listed, manifest, view, site);
        let mut layers = Vec::new();
        let mut missing = MissingLayers::default();
        let mut left_out = MissingLayers::default();
        let found = listed.layers(self.surveyor, &manifest.layers)?;
        for (at, (descriptor, found)) in manifest.layers.iter().zip(found).enumerate() {
            let site = site.at_layer(at + 1, manifest.layers.len());
            let diff_id = view.and_then(|view| view.diff_ids.get(at).cloned());
            let missing = if self.left_out.contains(descriptor.digest()) {
                &mut left_out
            } else {
                &mut missing
            };
            let mut layer = self.layer(descriptor, found, &site, missing);
            layer.diff_id = diff_id;
            layers.push(layer);
        }
        if let Some(absent) = left_out.into_absent(Code::LayerLeftOut) {
            self.surveyor.note_absent(absent);
        }
        outcome
            .missing
            .extend(missing.into_absent(Code::LayerMissing));
        outcome.is_whole_image = outcome.missing.is_empty();
        let digest = config.map_or_else(
            || manifest.config.digest().clone(),
            |config| config.digest().clone(),
        );
        let name = listed.full_name();
        let images = &mut self.surveyor.images;
        let known = images.iter().position(|image| {
            image.config == digest && image.name == name && image.layers == layers
        });
        outcome.images.insert(known.unwrap_or(images.len()));
        if known.is_none() {
            images.push(SurveyedImage {
                name,
                references: self.references.clone(),
                config: digest,
                layers,
            });
        }
        Ok(outcome)
    }

    /// Checks the features of an image that matter to engines, given its config.
    fn check_image(
        &mut self,
        listed: &Listed<'_>,
        manifest: &Manifest,
        config: Option<&Config>,
        site: &Site,
    ) {
        let layers = &manifest.layers;
        let descriptors = [listed.descriptor, &manifest.config].into_iter();
        let mut families = descriptors
            .chain(layers)
            .map(|it| Family::of(it.media_type()));
        if !self.surveyor.is_for_docker {
            if let Some(config) = config {
                self.surveyor.limits(config, layers.len(), site);
            }
            // Docker itself writes hybrids with them. For an index they are reported
            // once.
            if families.any(|family| family == Some(Family::Docker)) {
                let site = Site::image(listed.name.clone());
                self.surveyor.note_code(Code::DockerMediaType, &site);
            }
        }
        if let (Some(said), Some(got)) = (
            listed.descriptor.platform(),
            config.and_then(|config| config.platform.as_ref()),
        ) && got.rank_for(&said).is_none()
        {
            let message = format!("the index says {said}, but the config says {got}");
            self.surveyor.note(Code::PlatformMismatch, site, message);
        }
    }

    fn layer(
        &mut self,
        descriptor: &Descriptor,
        (blob, compression): (Option<Member>, Compression),
        site: &Site,
        missing: &mut MissingLayers,
    ) -> SurveyedLayer {
        let label = LayerType::of(descriptor.media_type());
        let surveyor = &mut *self.surveyor;
        if is_encrypted(descriptor) {
            surveyor.note_code(Code::LayerEncrypted, site);
        }
        if blob.is_none() {
            if label.is_some_and(|label| label.is_foreign) || descriptor.has_urls() {
                // In a hybrid it is reported where `manifest.json` names it.
                if !surveyor.is_for_docker {
                    surveyor.note_code(Code::LayerForeign, site);
                }
            } else {
                let Absent { paths, finding } = absent(descriptor, site);
                missing.add(paths, site, finding.message);
            }
        } else if let Some(label) = label {
            if matches!(compression, Compression::Xz | Compression::Bzip2) {
                let message = format!("it is compressed with {compression}");
                surveyor.note(Code::CompressionUnusual, site, message);
            }
            if label.compression != compression {
                let media_type = descriptor.media_type();
                let bytes = match compression {
                    Compression::None => "not compressed".to_owned(),
                    compression => compression.to_string(),
                };
                let message = format!("it is labelled `{media_type}`, but its content is {bytes}");
                surveyor.note(Code::LayerMislabelled, site, message);
            }
        }
        SurveyedLayer {
            is_readable: blob.is_some() && label.is_some(),
            blob,
            compression,
            digest: Some(descriptor.digest().clone()),
            diff_id: None,
        }
    }

    fn check_subjects(self) {
        for (digest, site) in self.subjects {
            if !self.digests.contains(&digest) {
                let message = format!("its subject is {digest}");
                self.surveyor.note(Code::SubjectMissing, &site, message);
            }
        }
    }
}

/// The report of a missing blob.
fn absent(descriptor: &Descriptor, site: &Site) -> Absent {
    let message = format!("{} is missing", descriptor.digest());
    Absent {
        paths: vec![blob_path(descriptor.digest())],
        finding: Finding::new(Code::BlobMissing, site.clone(), message),
    }
}

/// Returns true if a text is a name in a layout (image-spec, annotations.md):
/// components of letters and digits, joined by `-._:@+` or `--`, with `/` between them.
fn is_ref_name(text: &str) -> bool {
    text.split('/').all(|component| {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric();
        let bytes = component.as_bytes();
        let ends = [bytes.first(), bytes.last()];
        ends.iter().all(|byte| byte.is_some_and(is_plain))
            && bytes.split(is_plain).all(|joint| {
                matches!(
                    joint,
                    b"" | b"--" | [b'-' | b'.' | b'_' | b':' | b'@' | b'+']
                )
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_layout_have_a_grammar() {
        for (text, is_name) in [
            ("1.0", true),
            ("latest", true),
            ("localhost/x:1", true),
            ("reg.example:5000/a/b--c@sha256:0", true),
            ("", false),
            ("a//b", false),
            ("-a", false),
            ("a b", false),
            ("a---b", false),
            ("ü", false),
        ] {
            assert_eq!(is_ref_name(text), is_name, "{text}");
        }
    }
}
