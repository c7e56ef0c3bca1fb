//! The survey of a docker archive, which does not stop at the first fault.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::digest::{DiffId, Digest};
use crate::error::{Cause, Result};
use crate::event::Watch;
use crate::finding::{Code, Finding, Site};
use crate::format::container::Member;
use crate::format::control_files::{INDEX, MANIFEST, REPOSITORIES};
use crate::format::docker_archive::element::{read_config, read_manifest};
use crate::format::docker_archive::manifest_json::Element;
use crate::format::docker_archive::v1;
use crate::format::reader::{Reader, Schema, chain_of, digest_of_path, layer_count_fault};
use crate::format::survey::{Absent, MissingLayers, SurveyedImage, SurveyedLayer, Surveyor, lint};
use crate::image::media_type::LayerType;
use crate::image::{Config, Document, Reference, parse_value, types};
use crate::stream::Compression;

/// Surveys the images in `manifest.json`. In a hybrid they are compared with what the
/// surveyor has already found.
pub(in crate::format) fn survey_docker(surveyor: &mut Surveyor<'_>, is_hybrid: bool) -> Result<()> {
    let site = Site::file(MANIFEST);
    if surveyor.find(MANIFEST)?.is_none() {
        // It exists, or the archive would be of another kind.
        let message = "it is a dangling link";
        surveyor.note(Code::ManifestMissing, &site, message);
        legacy_files(surveyor);
        return Ok(());
    }
    let Some(bytes) = surveyor.control_file(MANIFEST)? else {
        return Ok(());
    };
    let Some(manifest) = read_manifest(surveyor, &bytes)? else {
        return Ok(());
    };
    if manifest.has_trailing_bytes {
        surveyor.note_code(Code::TrailingBytes, &site);
    }
    match &manifest.value {
        Value::Array(elements) if !elements.is_empty() => {}
        Value::Null => surveyor.note(Code::ManifestInvalid, &site, "it is null"),
        _ => surveyor.note_code(Code::NoImage, &site),
    }
    let mut docker = DockerSurvey {
        listed: surveyor.images.clone(),
        matched: BTreeSet::new(),
        is_hybrid,
        tags: BTreeMap::new(),
        surveyor,
    };
    for (at, element) in manifest.elements {
        docker.element(at, &element)?;
    }
    docker.finish()
}

struct DockerSurvey<'a, 'b> {
    surveyor: &'a mut Surveyor<'b>,
    /// The images in `index.json`.
    listed: Vec<SurveyedImage>,
    /// Those of them that `manifest.json` also lists.
    matched: BTreeSet<usize>,
    is_hybrid: bool,
    /// The tags, and the element of each.
    tags: BTreeMap<Reference, usize>,
}

impl DockerSurvey<'_, '_> {
    fn element(&mut self, at: usize, element: &Element) -> Result<()> {
        let name = element.name(at);
        let site = Site::image(name.clone());
        let references = self.references(at, element, &site);
        for path in std::iter::once(&element.config).chain(&element.layers) {
            if path.starts_with('/') || path.starts_with("./") || path.contains("../") {
                let message = format!("`{path}`");
                self.surveyor.note(Code::PathUnusual, &site, message);
            }
        }
        let read = read_config(self.surveyor, element, &site)?;
        if read.is_none() {
            let message = format!("`{}` is missing", element.config);
            self.surveyor.note_absent(Absent {
                paths: vec![element.config.clone()],
                finding: Finding::new(Code::ConfigMissing, site.clone(), message),
            });
        }
        let Some(config) = read.flatten() else {
            if let Some(digest) = digest_of_name(&element.config) {
                self.matched.extend(self.listed_with(&digest));
            }
            return self.layers(element, None, &site).map(drop);
        };
        let mut listed = self.listed_with(config.digest());
        let count = element.layers.len();
        if let Some(fault) = layer_count_fault(&name, count, config.view()) {
            self.surveyor.report(&site, fault)?;
        }
        self.surveyor.limits(config.view(), count, &site);
        self.check_name(&element.config, &config, &site);
        let layers = self.layers(element, Some(config.view()), &site)?;
        // The layers of one config may be uncompressed, gzip and zstd, each in its own
        // manifest.
        let has_these = |at: &usize| blobs(&self.listed[*at].layers).eq(blobs(&layers));
        if listed.iter().any(has_these) {
            listed.retain(has_these);
        } else if self.is_hybrid && !listed.is_empty() {
            self.surveyor.note_code(Code::HybridDiffers, &site);
        }
        self.matched.extend(&listed);
        self.compare(&listed, &references, &site);
        let is_known = self.surveyor.images.iter().any(|image| {
            image.config == *config.digest() && blobs(&image.layers).eq(blobs(&layers))
        });
        if !is_known {
            self.surveyor.images.push(SurveyedImage {
                name,
                references,
                config: config.digest().clone(),
                layers,
            });
        }
        Ok(())
    }

    fn references(&mut self, at: usize, element: &Element, site: &Site) -> Vec<Reference> {
        let mut references = Vec::new();
        for tag in &element.tags {
            let parsed = tag.parse::<Reference>().ok();
            let Some(reference) = parsed.clone().filter(Reference::is_tagged) else {
                let code = if parsed.is_some_and(|it| it.tag().is_some()) {
                    Code::TagDigest
                } else {
                    Code::TagInvalid
                };
                let message = format!("`{tag}`");
                self.surveyor.note(code, site, message);
                continue;
            };
            let other = self.tags.insert(reference.clone(), at);
            if other.is_some_and(|other| other != at) {
                let message = format!("`{reference}`");
                self.surveyor
                    .note(Code::TagTwice, &Site::file(MANIFEST), message);
            }
            references.push(reference);
        }
        references
    }

    /// Checks a config that is named by a digest, which it had when it was named. In
    /// the folder of blobs the digest must match.
    fn check_name(&mut self, path: &str, config: &Document<Config>, site: &Site) {
        let named = digest_of_name(path).filter(|_| digest_of_path(path).is_none());
        if named.is_some_and(|named| named != *config.digest()) {
            let message = format!("`{path}` is {}", config.digest());
            self.surveyor.note(Code::ConfigName, site, message);
        }
    }

    fn layers(
        &mut self,
        element: &Element,
        config: Option<&Config>,
        site: &Site,
    ) -> Result<Vec<SurveyedLayer>> {
        let count = element.layers.len();
        let mut layers = Vec::new();
        let mut missing = MissingLayers::default();
        for (at, path) in element.layers.iter().enumerate() {
            let site = site.at_layer(at + 1, count);
            let diff_id = config.and_then(|config| config.diff_ids.get(at));
            layers.push(self.layer(path, diff_id, element, &site, &mut missing)?);
        }
        if let Some(absent) = missing.into_absent(Code::LayerMissing) {
            self.surveyor.note_absent(absent);
        }
        let is_zstd = |layer: &&SurveyedLayer| layer.compression == Compression::Zstd;
        let packed = layers.iter().filter(is_zstd).count();
        // A hybrid is for engines that support zstd. Without `index.json` it is for
        // older ones.
        if packed > 0 && !self.is_hybrid {
            let message = format!("{packed} of its {count} layers are compressed with zstd");
            self.surveyor.note(Code::CompressionUnusual, site, message);
        }
        Ok(layers)
    }

    fn layer(
        &mut self,
        path: &str,
        diff_id: Option<&DiffId>,
        element: &Element,
        site: &Site,
        missing: &mut MissingLayers,
    ) -> Result<SurveyedLayer> {
        let source = diff_id.and_then(|id| element.source(id));
        let label = source.and_then(|source| LayerType::of(source.media_type()));
        let is_foreign = label.is_some_and(|label| label.is_foreign);
        let mut compression = Compression::None;
        let blob = self.surveyor.find(path)?;
        if let Some(blob) = &blob {
            if let Some(source) = source.filter(|_| !is_foreign)
                && source.size() != blob.size
            {
                let (said, got) = (source.size(), blob.size);
                let message = format!("`LayerSources` says {said} bytes, but it has {got}");
                self.surveyor.note(Code::LayerSource, site, message);
            }
            compression = self.surveyor.container.blob(blob).compression()?;
        } else {
            let message = match path {
                "" => "it has no name: the archive relies on the store of an engine".to_owned(),
                path if is_foreign => {
                    format!("`{path}` is missing, and `docker load` does not fetch it")
                }
                path => format!("`{path}` is missing"),
            };
            missing.add(vec![path.to_owned()], site, message);
        }
        Ok(SurveyedLayer {
            digest: blob.as_ref().and_then(|blob| digest_of_path(&blob.path)),
            compression,
            diff_id: diff_id.cloned(),
            is_readable: blob.is_some(),
            blob,
        })
    }

    /// The images of `index.json` with this config.
    fn listed_with(&self, config: &Digest) -> Vec<usize> {
        let listed = self.listed.iter().enumerate();
        let same = listed.filter(|(_, image)| image.config == *config);
        same.map(|(at, _)| at).collect()
    }

    /// Compares an image with its entries in `index.json`.
    fn compare(&mut self, same: &[usize], references: &[Reference], site: &Site) {
        if !self.is_hybrid {
            return;
        }
        if same.is_empty() {
            let message = format!("only `{MANIFEST}` lists it");
            self.surveyor.note(Code::HybridIncomplete, site, message);
        }
        for at in same {
            let image = &self.listed[*at];
            let (one, other) = (references, image.references.as_slice());
            for (document, names, others) in [(MANIFEST, one, other), (INDEX, other, one)] {
                for reference in names.iter().filter(|it| !others.contains(it)) {
                    let message = format!("only `{document}` names it `{reference}`");
                    self.surveyor.note(Code::HybridIncomplete, site, message);
                }
            }
        }
    }

    fn finish(self) -> Result<()> {
        if self.is_hybrid {
            // An index has images for other platforms, of which a docker archive lists
            // one.
            let is_missing = |name: &str| {
                let with_name = self.listed.iter().enumerate();
                let mut of_root = with_name.filter(|(_, it)| root_name(&it.name) == name);
                !of_root.any(|(at, _)| self.matched.contains(&at))
            };
            let names: BTreeSet<&str> = self.listed.iter().map(|it| root_name(&it.name)).collect();
            for name in names.into_iter().filter(|name| is_missing(name)) {
                let message = "only `index.json` lists it";
                let site = Site::image(name);
                self.surveyor.note(Code::HybridIncomplete, &site, message);
            }
        }
        check_repositories(self.surveyor, &self.tags)?;
        legacy_files(self.surveyor);
        Ok(())
    }
}

/// The digest in the name of a config.
fn digest_of_name(path: &str) -> Option<Digest> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let hex = name.strip_suffix(".json").unwrap_or(name);
    let hex = hex.strip_prefix("sha256:").unwrap_or(hex);
    digest_of_path(path).or_else(|| format!("sha256:{hex}").parse().ok())
}

/// The name of an image of an index without its platform.
fn root_name(name: &str) -> &str {
    name.split_once(" for ").map_or(name, |(root, _)| root)
}

fn blobs(layers: &[SurveyedLayer]) -> impl Iterator<Item = Option<&Member>> {
    layers.iter().map(|layer| layer.blob.as_ref())
}

/// Checks the documents from which the engine makes the config of a v1 image.
fn check_v1_images(surveyor: &mut Surveyor<'_>, element: &Element) -> Result<()> {
    for layer in &element.layers {
        let path = layer.replace("/layer.tar", "/json");
        let Some(bytes) = surveyor.control_file(&path)? else {
            continue;
        };
        let value = parse_value(&bytes).unwrap_or_default();
        for (code, field) in lint::wrong_types(Schema::Config, &bytes, &value) {
            // The engine converts a single string to a list.
            if code != Code::CommandText {
                let message = lint::told(code, &field);
                surveyor.note(code, &Site::file(path.clone()), message);
            }
        }
    }
    Ok(())
}

/// Compares the tags in `repositories` with those of `manifest.json`.
fn check_repositories(
    surveyor: &mut Surveyor<'_>,
    tags: &BTreeMap<Reference, usize>,
) -> Result<()> {
    let Some(bytes) = surveyor.control_file(REPOSITORIES)? else {
        return Ok(());
    };
    let site = Site::file(REPOSITORIES);
    let names = match parse_value(&bytes) {
        Ok(names) => names,
        Err(error) => {
            surveyor.note(Code::RepositoriesInvalid, &site, chain_of(&error));
            return Ok(());
        }
    };
    if let Some(field) = types::REPOSITORIES.wrong_fields(&names, "").first() {
        surveyor.note(Code::RepositoriesInvalid, &site, field.to_string());
        return Ok(());
    }
    let mut listed = BTreeSet::new();
    for (name, its_tags) in names.as_object().into_iter().flatten() {
        for tag in its_tags.as_object().into_iter().flat_map(Map::keys) {
            match format!("{name}:{tag}").parse::<Reference>() {
                Ok(reference) => drop(listed.insert(reference)),
                Err(error) => {
                    let message = error.to_string();
                    surveyor.note(Code::RepositoriesInvalid, &site, message);
                }
            }
        }
    }
    let expected: BTreeSet<Reference> = tags.keys().cloned().collect();
    for reference in listed.symmetric_difference(&expected) {
        let (has, lacks) = if listed.contains(reference) {
            (REPOSITORIES, MANIFEST)
        } else {
            (MANIFEST, REPOSITORIES)
        };
        let message = format!("`{has}` lists `{reference}`, but `{lacks}` does not");
        surveyor.note(Code::RepositoriesDiffer, &site, message);
    }
    Ok(())
}

/// Marks the files that only readers from before Docker 1.10 need as expected.
fn legacy_files(surveyor: &mut Surveyor<'_>) {
    for path in surveyor.container.paths() {
        if let Some((folder, "VERSION" | "json" | "layer.tar")) = path.split_once('/')
            && folder.len() == 64
        {
            surveyor.mark_expected(path);
        }
    }
}

/// Surveys an archive from before Docker 1.10, in which nothing declares the content of
/// a layer.
pub(in crate::format) fn survey_v1(surveyor: &mut Surveyor<'_>, watch: &Watch<'_>) -> Result<()> {
    legacy_files(surveyor);
    if surveyor.container.paths().binary_search(&MANIFEST).is_ok() {
        let site = Site::file(MANIFEST);
        surveyor.note(Code::ManifestInvalid, &site, "it is not a regular file");
    }
    // Docker before 25 wrote both forms: without its `manifest.json` the archive counts
    // as an old one.
    if !v1::is_v1_archive(surveyor.container) {
        surveyor.note_code(Code::ManifestMissing, &Site::input());
        return Ok(());
    }
    surveyor.note_code(Code::V1Archive, &Site::input());
    if surveyor.find(REPOSITORIES)?.is_none() {
        surveyor.note_code(Code::V1RepositoriesMissing, &Site::input());
    }
    let elements = match v1::read_elements(surveyor.container, watch) {
        Ok(elements) => elements,
        Err(error) if error.cause() != Cause::Input => return Err(error),
        Err(error) => {
            surveyor.note(Code::V1Invalid, &Site::input(), chain_of(&error));
            Vec::new()
        }
    };
    for (at, (element, config)) in elements.into_iter().enumerate() {
        check_v1_images(surveyor, &element)?;
        let name = element.name(at);
        let site = Site::image(name.clone());
        let mut docker = DockerSurvey {
            listed: Vec::new(),
            matched: BTreeSet::new(),
            is_hybrid: false,
            tags: BTreeMap::new(),
            surveyor: &mut *surveyor,
        };
        let references = docker.references(at, &element, &site);
        let layers = docker.layers(&element, Some(config.view()), &site)?;
        surveyor.limits(config.view(), layers.len(), &site);
        surveyor.images.push(SurveyedImage {
            name,
            references,
            config: config.digest().clone(),
            layers,
        });
    }
    Ok(())
}
