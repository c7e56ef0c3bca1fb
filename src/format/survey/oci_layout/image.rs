//! What a manifest lists: the config and layers of an image, or other blobs.

use crate::error::Result;
use crate::finding::{Code, Site};
use crate::format::oci_layout::blob_path;
use crate::format::survey::oci_layout::{LayoutSurvey, Outcome, Target, at};
use crate::format::survey::{MissingLayers, SurveyedImage, SurveyedLayer};
use crate::image::Descriptor;
use crate::image::media_type::{LayerType, is_encrypted};
use crate::stream::Compression;

impl LayoutSurvey<'_, '_> {
    /// An attestation, a signature, a chart: blobs of which nothing else is known.
    pub(super) fn artifact(
        &mut self,
        config: &Descriptor,
        layers: &[Descriptor],
        site: &Site,
    ) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        for descriptor in std::iter::once(config).chain(layers) {
            match self.blob(descriptor, site)? {
                Ok(member) => {
                    let here = at(site, &member);
                    self.surveyor.check_blob(member, descriptor.digest(), here);
                }
                Err(_) if descriptor.data().is_some() || descriptor.has_urls() => {}
                Err(absent) => outcome.missing.push(absent),
            }
        }
        Ok(outcome)
    }

    pub(super) fn image(
        &mut self,
        target: &Target<'_>,
        config: &Descriptor,
        layers: &[Descriptor],
        site: &Site,
    ) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let document = match self.blob(config, site)? {
            Ok(member) => self.read(config, &member, site)?,
            Err(absent) => {
                let data = config.data();
                if data.is_none() {
                    outcome.missing.push(absent);
                }
                data
            }
        };
        let document = document.and_then(|bytes| {
            let parsed = self.surveyor.config(bytes, layers.len(), site);
            parsed.map(|parsed| (parsed.digest().clone(), parsed.view().clone()))
        });
        let view = document.as_ref().map(|(_, view)| view);
        if let Some(view) = view
            && !self.surveyor.is_for_docker
        {
            self.surveyor.limits(view, layers.len(), site);
        }
        let labels = [target.descriptor, config].into_iter().chain(layers);
        // Docker itself writes hybrids with them. For an index they are told once.
        if !self.surveyor.is_for_docker && labels.map(Descriptor::media_type).any(is_docker_type) {
            let site = Site::image(target.name.clone());
            self.surveyor.report_code(Code::DockerMediaType, site);
        }
        if let (Some(said), Some(got)) = (
            target.descriptor.platform(),
            view.and_then(|view| view.platform.as_ref()),
        ) && got.rank_for(&said).is_none()
        {
            let message = format!("the index says {said}, and the config {got}");
            self.surveyor
                .report(Code::PlatformMismatch, site.clone(), message);
        }
        let mut surveyed = Vec::new();
        let mut missing = MissingLayers::default();
        for (at, descriptor) in layers.iter().enumerate() {
            let site = site.at_layer(at + 1, layers.len());
            let diff_id = view.and_then(|view| view.diff_ids.get(at).cloned());
            let mut layer = self.layer(descriptor, &site, &mut missing)?;
            layer.diff_id = diff_id;
            surveyed.push(layer);
        }
        outcome.missing.extend(missing.into_absent());
        outcome.is_whole_image = outcome.missing.is_empty();
        let digest = document.map_or_else(|| config.digest().clone(), |(digest, _)| digest);
        let name = target.full_name();
        let mut known = self.surveyor.images.iter();
        let known = known.position(|image| {
            image.config == digest && image.name == name && image.layers == surveyed
        });
        let images = &self.surveyor.images;
        outcome.images.insert(known.unwrap_or(images.len()));
        if known.is_none() {
            self.surveyor.images.push(SurveyedImage {
                name,
                references: target.references.clone(),
                config: digest,
                layers: surveyed,
            });
        }
        Ok(outcome)
    }

    fn layer(
        &mut self,
        descriptor: &Descriptor,
        site: &Site,
        missing: &mut MissingLayers,
    ) -> Result<SurveyedLayer> {
        let label = LayerType::of(descriptor.media_type());
        let is_foreign = label.is_some_and(|label| label.is_foreign);
        if is_encrypted(descriptor.media_type()) {
            self.surveyor
                .report_code(Code::LayerEncrypted, site.clone());
        }
        let blob = match self.blob(descriptor, site)? {
            Ok(member) => Some(member),
            Err(_) if is_foreign || descriptor.has_urls() => {
                // In a hybrid it is missed where `manifest.json` names it.
                if !self.surveyor.is_for_docker {
                    self.surveyor.report_code(Code::LayerForeign, site.clone());
                }
                None
            }
            Err(absent) => {
                let path = blob_path(descriptor.digest());
                missing.add(path, site, absent.finding.message);
                None
            }
        };
        let compression = match &blob {
            Some(member) => self.surveyor.container.blob(member).compression()?,
            None => Compression::None,
        };
        if let (Some(label), Some(_)) = (label, &blob) {
            if matches!(compression, Compression::Xz | Compression::Bzip2) {
                let message = format!("it is compressed with {compression}");
                self.surveyor
                    .report(Code::CompressionUnusual, site.clone(), message);
            }
            if label.compression != compression {
                let media_type = descriptor.media_type();
                let bytes = match compression {
                    Compression::None => "not compressed".to_owned(),
                    compression => compression.to_string(),
                };
                let message = format!("it is labelled `{media_type}`, and its bytes are {bytes}");
                self.surveyor
                    .report(Code::LayerMislabelled, site.clone(), message);
            }
        }
        Ok(SurveyedLayer {
            is_readable: blob.is_some() && label.is_some(),
            blob,
            compression,
            digest: Some(descriptor.digest().clone()),
            diff_id: None,
        })
    }
}

fn is_docker_type(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.docker.")
}
