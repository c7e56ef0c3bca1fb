//! A layout, looked over without stopping at the first fault.

mod image;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::digest::Digest;
use crate::error::Result;
use crate::finding::{Code, Finding, Site};
use crate::format::container::Member;
use crate::format::control_files::{INDEX, MARKER};
use crate::format::oci_layout::blob_path;
use crate::format::root::Root;
use crate::format::survey::{Absent, Surveyor, UntypedDocument, chain_of, hash};
use crate::image::media_type::{self, DocumentKind, LayerType, is_encrypted};
use crate::image::{
    CONTAINERD_NAME, Descriptor, Document, Platform, REF_NAME, Reference, parse_value, types,
};
use crate::limits::{DESCRIPTORS_MAX, NESTING_MAX};

/// More images than any index has.
const PLATFORMS_MAX: usize = 100;

/// Looks over what `index.json` lists. In a hybrid `oci-layout` may be missing.
pub(in crate::format) fn survey_layout(surveyor: &mut Surveyor<'_>, is_hybrid: bool) -> Result<()> {
    check_marker(surveyor, is_hybrid)?;
    let site = Site::file(INDEX);
    let Some(bytes) = surveyor.read_control_file(INDEX)? else {
        surveyor.report_code(Code::IndexMissing, Site::input());
        return Ok(());
    };
    let index = match Document::<UntypedDocument>::parse(bytes) {
        Ok(index) => index,
        Err(error) => {
            surveyor.report(Code::IndexInvalid, site, chain_of(&error));
            return Ok(());
        }
    };
    let index = &index.view().0;
    if index.get("manifests").is_none() {
        surveyor.report(Code::IndexInvalid, site, "`manifests` is not a list");
        return Ok(());
    }
    check_document(surveyor, index, &site, Some(DocumentKind::Index));
    let descriptors = surveyor.descriptors(index, "manifests", &site);
    if descriptors.is_empty() && !is_hybrid {
        surveyor.report_code(Code::NoImage, site.clone());
    }
    let mut layout = LayoutSurvey {
        surveyor,
        digests: BTreeSet::new(),
        outcomes: BTreeMap::new(),
        sizes: BTreeSet::new(),
        subjects: Vec::new(),
    };
    layout.check_names(&descriptors);
    let mut references = references(&descriptors);
    for descriptor in &descriptors {
        // Under its other names it is met again, and was looked at.
        let Some(references) = references.remove(descriptor.digest()) else {
            continue;
        };
        let target = Target {
            descriptor,
            name: Root::from_index(descriptor).display_name(),
            platform: None,
            references,
            depth: NESTING_MAX,
        };
        let outcome = layout.target(&target)?;
        // Indexes that differ in their attestations alone share their images.
        for at in outcome.images {
            let known = &mut layout.surveyor.images[at].references;
            let new = target.references.iter().filter(|it| !known.contains(it));
            let new: Vec<_> = new.cloned().collect();
            known.extend(new);
        }
        for absent in outcome.missing {
            layout.surveyor.report_absent(absent);
        }
        // One that is listed again and again is looked at once here, but not by all.
        if outcome.documents > DESCRIPTORS_MAX {
            let site = target.site();
            layout.surveyor.report_code(Code::IndexTooLarge, site);
        }
    }
    layout.check_subjects();
    Ok(())
}

fn check_marker(surveyor: &mut Surveyor<'_>, is_hybrid: bool) -> Result<()> {
    let Some(bytes) = surveyor.read_control_file(MARKER)? else {
        if !is_hybrid {
            surveyor.report_code(Code::LayoutMarkerMissing, Site::input());
        }
        return Ok(());
    };
    let mut value = parse_value(&bytes).ok();
    if let Some(value) = &mut value {
        types::LAYOUT_MARKER.fix_keys(value);
    }
    let version = value
        .as_ref()
        .and_then(|value| value.get("imageLayoutVersion"));
    if version != Some(&Value::from("1.0.0")) {
        let version = version.map_or("none".to_owned(), Value::to_string);
        let message = format!("the version is {version}");
        surveyor.report(Code::LayoutVersion, Site::file(MARKER), message);
    }
    Ok(())
}

/// What every manifest and index has.
fn check_document(
    surveyor: &mut Surveyor<'_>,
    document: &Value,
    site: &Site,
    kind: Option<DocumentKind>,
) {
    let has = |field: &str| document.get(field).is_some_and(|value| !value.is_null());
    if has("manifests") && (has("layers") || has("config")) {
        surveyor.report_code(Code::DocumentAmbiguous, site.clone());
    }
    let of_descriptors = ["config", "layers", "manifests", "subject"];
    for field in types::MANIFEST_OR_INDEX.wrong_fields(document, "") {
        if !of_descriptors.iter().any(|name| field.is_in(name)) {
            surveyor.report(Code::DocumentInvalid, site.clone(), field.to_string());
        }
    }
    let version = &document["schemaVersion"];
    if *version != 2 && (version.is_null() || version.as_i64().is_some()) {
        let message = format!("`schemaVersion` is {version}");
        surveyor.report(Code::SchemaVersion, site.clone(), message);
    }
    let label = document["mediaType"].as_str();
    if let (Some(kind), Some(label)) = (kind, label)
        && DocumentKind::of(label) != kind
    {
        let message = format!("its `mediaType` is `{label}`");
        surveyor.report(Code::MediaTypeMismatch, site.clone(), message);
    }
}

/// The references that an index gives to each digest.
fn references(descriptors: &[Descriptor]) -> BTreeMap<Digest, Vec<Reference>> {
    let mut references: BTreeMap<Digest, Vec<Reference>> = BTreeMap::new();
    for descriptor in descriptors {
        let of_digest = references.entry(descriptor.digest().clone()).or_default();
        of_digest.extend(Root::from_index(descriptor).reference);
    }
    references
}

/// Something that an index points to.
struct Target<'a> {
    descriptor: &'a Descriptor,
    /// What findings call the root.
    name: String,
    /// The platform, where it is one of several.
    platform: Option<Platform>,
    references: Vec<Reference>,
    depth: usize,
}

impl Target<'_> {
    fn site(&self) -> Site {
        Site::image(self.full_name())
    }

    fn full_name(&self) -> String {
        match &self.platform {
            Some(platform) => format!("{} for {platform}", self.name),
            None => self.name.clone(),
        }
    }
}

/// What became of a target: what is missing of it, which is for the caller to judge,
/// and whether it is an image that is all there.
#[derive(Clone, Default)]
struct Outcome {
    missing: Vec<Absent>,
    is_whole_image: bool,
    /// Its images, by their places among all that were met; not all if there are more
    /// than any index has.
    images: BTreeSet<usize>,
    /// How many documents are under it, and itself, those that are there repeatedly
    /// counted each time.
    documents: usize,
}

struct LayoutSurvey<'a, 'b> {
    surveyor: &'a mut Surveyor<'b>,
    /// All that is there, whatever points to it.
    digests: BTreeSet<Digest>,
    /// What became of what was looked at, by digest and media type: indexes may list
    /// one thing again and again.
    outcomes: BTreeMap<(Digest, String), Outcome>,
    /// The blobs of which a wrong size was told.
    sizes: BTreeSet<(String, u64)>,
    /// What attestations and signatures speak of.
    subjects: Vec<(Digest, Site)>,
}

impl LayoutSurvey<'_, '_> {
    /// Looks at the names in `index.json`.
    fn check_names(&mut self, descriptors: &[Descriptor]) {
        let mut seen: BTreeMap<String, &Digest> = BTreeMap::new();
        for descriptor in descriptors {
            let label = descriptor.annotation(REF_NAME);
            let name = descriptor.annotation(CONTAINERD_NAME);
            let parse = |name: &str| name.parse::<Reference>().ok();
            if let Some(label) = label.filter(|label| !is_ref_name(label)) {
                self.wrong_name(REF_NAME, label);
            }
            // What else points to an image there is called by its digest.
            if let Some(name) = name.filter(|name| parse(name).is_none()) {
                self.wrong_name(CONTAINERD_NAME, name);
            }
            // Docker writes bare tags, which two images may share.
            let Some(key) = name.or(label) else {
                continue;
            };
            let other = seen.insert(key.to_owned(), descriptor.digest());
            if other.is_some_and(|other| other != descriptor.digest()) {
                let message = format!("`{key}`");
                self.surveyor
                    .report(Code::TagTwice, Site::file(INDEX), message);
            }
        }
    }

    fn wrong_name(&mut self, annotation: &str, name: &str) {
        let message = format!("`{annotation}` is `{name}`");
        self.surveyor
            .report(Code::NameInvalid, Site::file(INDEX), message);
    }

    /// Looks at something that an index points to, once.
    fn target(&mut self, target: &Target<'_>) -> Result<Outcome> {
        let descriptor = target.descriptor;
        let key = (
            descriptor.digest().clone(),
            descriptor.media_type().to_owned(),
        );
        if let Some(outcome) = self.outcomes.get(&key) {
            return Ok(outcome.clone());
        }
        let mut outcome = self.new_target(target)?;
        outcome.documents += 1;
        self.outcomes.insert(key, outcome.clone());
        Ok(outcome)
    }

    fn new_target(&mut self, target: &Target<'_>) -> Result<Outcome> {
        let descriptor = target.descriptor;
        let site = target.site();
        if !self.surveyor.claim_document() {
            self.surveyor
                .report_code(Code::IndexTooLarge, Site::file(INDEX));
            return Ok(Outcome::default());
        }
        let kind = DocumentKind::of(descriptor.media_type());
        let is_document = matches!(kind, DocumentKind::Index | DocumentKind::Manifest);
        let member = match self.blob(descriptor, &site)? {
            Ok(member) => member,
            Err(absent) => {
                // What a descriptor embeds is as good as the blob.
                let embedded = descriptor.data().filter(|_| is_document);
                let Some(bytes) = embedded else {
                    return Ok(Outcome {
                        missing: vec![absent],
                        ..Outcome::default()
                    });
                };
                self.digests.insert(descriptor.digest().clone());
                return self.document(target, kind, bytes, &site);
            }
        };
        self.digests.insert(descriptor.digest().clone());
        match kind {
            DocumentKind::Schema1 => {
                self.surveyor.report_code(Code::Schema1, site);
                Ok(Outcome::default())
            }
            DocumentKind::Other => {
                let message = format!("its media type is `{}`", descriptor.media_type());
                self.surveyor
                    .report(Code::MediaTypeUnknown, site.clone(), message);
                self.surveyor.check_blob(member, descriptor.digest(), site);
                Ok(Outcome::default())
            }
            DocumentKind::Index | DocumentKind::Manifest => {
                let Some(bytes) = self.read(descriptor, &member, &site)? else {
                    return Ok(Outcome::default());
                };
                self.document(target, kind, bytes, &site)
            }
        }
    }

    /// Looks at a manifest or an index.
    fn document(
        &mut self,
        target: &Target<'_>,
        kind: DocumentKind,
        bytes: Vec<u8>,
        site: &Site,
    ) -> Result<Outcome> {
        let document = match Document::<UntypedDocument>::parse(bytes) {
            Ok(document) => document,
            Err(error) => {
                let code = if error.is_excess() {
                    Code::DocumentTooLarge
                } else {
                    Code::DocumentInvalid
                };
                self.surveyor.report(code, site.clone(), chain_of(&error));
                return Ok(Outcome::default());
            }
        };
        let value = &document.view().0;
        let label = target.descriptor.media_type();
        if let Some(got) = value["mediaType"].as_str().filter(|got| *got != label) {
            let code = if DocumentKind::of(got) == kind {
                Code::MediaTypeDiffers
            } else {
                Code::MediaTypeMismatch
            };
            let message = format!("its `mediaType` is `{got}`, and its descriptor says `{label}`");
            self.surveyor.report(code, site.clone(), message);
        }
        check_document(self.surveyor, value, site, None);
        if let Some(subject) = value.get("subject").filter(|subject| !subject.is_null())
            && let Some(subject) = self.surveyor.descriptor(subject, "subject", site)
        {
            self.subjects.push((subject.digest().clone(), site.clone()));
        }
        if kind == DocumentKind::Index {
            self.index(target, value, site)
        } else {
            self.manifest(target, value, site)
        }
    }

    fn index(&mut self, target: &Target<'_>, index: &Value, site: &Site) -> Result<Outcome> {
        let Some(depth) = target.depth.checked_sub(1) else {
            self.surveyor.report_code(Code::IndexTooLarge, site.clone());
            return Ok(Outcome::default());
        };
        if index.get("manifests").is_none() {
            let message = "`manifests` is not a list";
            self.surveyor
                .report(Code::DocumentInvalid, site.clone(), message);
        }
        let descriptors = self.surveyor.descriptors(index, "manifests", site);
        let mut outcome = Outcome::default();
        let mut absent = Vec::new();
        for descriptor in &descriptors {
            let platform = descriptor.platform().filter(|it| !it.is_unknown());
            let child = Target {
                descriptor,
                name: target.name.clone(),
                platform: platform.or_else(|| target.platform.clone()),
                references: target.references.clone(),
                depth,
            };
            if let Some(attested) = descriptor.attested() {
                self.subjects.push((attested, child.site()));
            }
            let of_child = self.target(&child)?;
            outcome.is_whole_image |= of_child.is_whole_image;
            if outcome.images.len() < PLATFORMS_MAX {
                outcome.images.extend(of_child.images);
            }
            outcome.documents = outcome
                .documents
                .saturating_add(of_child.documents)
                .min(usize::MAX - 1);
            if !of_child.missing.is_empty() {
                absent.push((child.platform, of_child.missing));
            }
        }
        // Exports take one platform of an index, and leave the others' blobs out.
        if outcome.is_whole_image && !absent.is_empty() {
            let (gone, all) = (absent.len(), descriptors.len());
            let platforms = absent.iter().filter_map(|(platform, _)| platform.as_ref());
            let platforms: BTreeSet<String> = platforms.map(Platform::to_string).collect();
            let platforms = platforms.into_iter().collect::<Vec<_>>().join(", ");
            let are = if gone == 1 { "is" } else { "are" };
            let of = if platforms.is_empty() { "" } else { ": " };
            let message = format!("{gone} of its {all} parts {are} not there{of}{platforms}");
            self.surveyor
                .report(Code::IndexPartAbsent, site.clone(), message);
        } else {
            let missing = absent.into_iter().flat_map(|(_, missing)| missing);
            outcome.missing.extend(missing);
        }
        Ok(outcome)
    }

    fn manifest(&mut self, target: &Target<'_>, manifest: &Value, site: &Site) -> Result<Outcome> {
        let layers = self.surveyor.descriptors(manifest, "layers", site);
        let Some(config) = manifest.get("config").filter(|config| !config.is_null()) else {
            let message = "`config` is not a descriptor";
            self.surveyor
                .report(Code::DocumentInvalid, site.clone(), message);
            return Ok(Outcome::default());
        };
        let Some(config) = self.surveyor.descriptor(config, "config", site) else {
            return Ok(Outcome::default());
        };
        let is_placeholder = target
            .descriptor
            .platform()
            .is_some_and(|it| it.is_unknown());
        let is_image = media_type::is_image_config(config.media_type()) && !is_placeholder;
        let is_layer = |it: &Descriptor| {
            LayerType::of(it.media_type()).is_some() || is_encrypted(it.media_type())
        };
        let unknown = layers.iter().position(|layer| !is_layer(layer));
        match unknown {
            None if is_image => return self.image(target, &config, &layers, site),
            Some(at) if is_image => {
                let message = format!("its media type is `{}`", layers[at].media_type());
                let site = site.at_layer(at + 1, layers.len());
                self.surveyor.report(Code::MediaTypeUnknown, site, message);
            }
            _ => {}
        }
        self.artifact(&config, &layers, site)
    }

    /// Reads a document, and compares it with its digest. It is read on if it is another.
    fn read(
        &mut self,
        descriptor: &Descriptor,
        member: &Member,
        site: &Site,
    ) -> Result<Option<Vec<u8>>> {
        let Some(bytes) = self.surveyor.read(member, site)? else {
            return Ok(None);
        };
        let got = hash(descriptor, &bytes);
        if got != *descriptor.digest() {
            let finding = Finding::digest(at(site, member), descriptor.digest(), &got);
            self.surveyor.push(finding);
        }
        Ok(Some(bytes))
    }

    /// Looks a blob up, and compares its size.
    fn blob(
        &mut self,
        descriptor: &Descriptor,
        site: &Site,
    ) -> Result<std::result::Result<Member, Absent>> {
        let path = blob_path(descriptor.digest());
        let Some(member) = self.surveyor.find(&path)? else {
            let message = format!("{} is not there", descriptor.digest());
            let finding = Finding::new(Code::BlobMissing, site.clone(), message);
            let paths = vec![path];
            return Ok(Err(Absent { paths, finding }));
        };
        if member.size != descriptor.size() {
            let (said, got) = (descriptor.size(), member.size);
            let message = format!("its descriptor says {said} bytes, and it has {got}");
            if self.sizes.insert((path, said)) {
                self.surveyor
                    .report(Code::SizeMismatch, at(site, &member), message);
            }
        }
        Ok(Ok(member))
    }

    fn check_subjects(self) {
        for (digest, site) in self.subjects {
            if !self.digests.contains(&digest) {
                let message = format!("it speaks of {digest}");
                self.surveyor.report(Code::SubjectMissing, site, message);
            }
        }
    }
}

/// A blob of an image.
fn at(site: &Site, member: &Member) -> Site {
    Site {
        file: Some(member.path.clone()),
        ..site.clone()
    }
}

/// Whether a text is a name in a layout (image-spec, annotations.md): components of
/// letters and digits, joined by `-._:@+` or `--`, with `/` between them.
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
