//! From `manifest.json` to the configs and layers that it names.

use crate::error::{Place, Result};
use crate::finding::{Code, Site};
use crate::format::control_files::MANIFEST;
use crate::format::docker_archive::manifest_json::{self, Element, ManifestJson};
use crate::format::reader::{Reader, Refusal, Schema, config_fault, digest_of_path, finish};
use crate::image::{Config, Document};

/// Reads `manifest.json`; `None` after a fault that leaves nothing of it.
pub(in crate::format) fn read_manifest(
    reader: &mut dyn Reader,
    bytes: &[u8],
) -> Result<Option<ManifestJson>> {
    let site = Site::file(MANIFEST);
    let what = || format!("`{MANIFEST}`");
    let fault = |source| Refusal::document(Code::ManifestInvalid, what(), source);
    match manifest_json::read(bytes) {
        Ok(mut manifest) => {
            let faults = manifest.faults.drain(..).map(fault).collect();
            let (schema, value) = (Schema::DockerManifest, &manifest.value);
            reader.document(&site, schema, bytes, value, faults)?;
            Ok(Some(manifest))
        }
        Err(error) => reader.report(&site, fault(error)).map(|()| None),
    }
}

/// Reads the config of an element: `None` if it is missing, and `Some(None)` after a
/// fault that leaves nothing of it.
#[expect(
    clippy::option_option,
    reason = "what is not there is for the caller to judge"
)]
pub(in crate::format) fn read_config(
    reader: &mut dyn Reader,
    element: &Element,
    site: &Site,
) -> Result<Option<Option<Document<Config>>>> {
    let Some(member) = reader.find(&element.config)? else {
        return Ok(None);
    };
    let Some(bytes) = reader.read(&member, site)? else {
        return Ok(Some(None));
    };
    let what = format!("the config `{}`", element.config);
    let fault = |source| config_fault(&what, source);
    let reading = Document::<Config>::read(bytes);
    let mut config = finish(reader, site, Schema::Config, reading, fault)?;
    // If it is stored under its digest, as since Docker 25, the digest must match.
    if let Some(expected) = digest_of_path(&element.config) {
        config = config.map(|config| config.hashed_by(expected.algorithm()));
        let got = config.as_ref().map(Document::digest);
        if let Some(got) = got.filter(|got| **got != expected).cloned() {
            let site = Site {
                file: Some(element.config.clone()),
                ..site.clone()
            };
            let place = Place::Member(element.config.clone());
            reader.report(&site, Refusal::digest(&expected, got, place))?;
        }
    }
    Ok(Some(config))
}
