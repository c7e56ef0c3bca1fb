//! The reader of a survey: the documents that it met, and its findings.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::finding::{Code, Finding, Findings, Site};
use crate::format::container::{Container, Member, read_document};
use crate::format::control_files::CONTROL_FILES;
use crate::format::reader::{Budget, Reader, Refusal, Schema, digest_of_path};
use crate::format::survey::{Absent, SurveyedBlob, SurveyedImage, lint};
use crate::image::{Config, parse_value};

/// Maximum size of a v1 image's document that is searched for among unreferenced files,
/// in bytes.
const V1_DOCUMENT_MAX: u64 = 1024 * 1024;

/// Reads the documents of an input, and collects the faults.
pub(in crate::format) struct Surveyor<'a> {
    pub(in crate::format) container: &'a dyn Container,
    /// True if `docker load` should accept it: a docker archive, hybrid or not.
    pub(in crate::format) is_for_docker: bool,
    pub(in crate::format) images: Vec<SurveyedImage>,
    blobs: BTreeMap<Digest, SurveyedBlob>,
    findings: Findings,
    /// Files to which something refers.
    used: BTreeSet<String>,
    /// Files that belong to the format although nothing has to refer to them.
    legacy: BTreeSet<String>,
    /// The expected paths of files that were reported missing.
    absent: BTreeSet<String>,
    /// The configs that were checked.
    configs: BTreeSet<Digest>,
    /// The wrong sizes that were reported, and their blobs.
    sizes: BTreeSet<(Option<String>, String)>,
    budget: Budget,
}

impl<'a> Surveyor<'a> {
    pub(in crate::format) fn new(
        container: &'a dyn Container,
        is_for_docker: bool,
        findings: Findings,
    ) -> Self {
        Self {
            container,
            is_for_docker,
            images: Vec::new(),
            blobs: BTreeMap::new(),
            findings,
            used: BTreeSet::new(),
            legacy: BTreeSet::new(),
            absent: BTreeSet::new(),
            configs: BTreeSet::new(),
            sizes: BTreeSet::new(),
            budget: Budget::default(),
        }
    }

    /// The images and blobs, and the findings.
    pub(in crate::format) fn finish(self) -> (Vec<SurveyedImage>, Vec<SurveyedBlob>, Findings) {
        (
            self.images,
            self.blobs.into_values().collect(),
            self.findings,
        )
    }

    pub(in crate::format) fn note(&mut self, code: Code, site: &Site, message: impl Into<String>) {
        self.findings
            .push(Finding::new(code, site.clone(), message));
    }

    /// Records a finding that its code fully describes.
    pub(in crate::format) fn note_code(&mut self, code: Code, site: &Site) {
        self.findings.push(Finding::plain(code, site.clone()));
    }

    /// Records that something is missing, unless that is already recorded.
    pub(in crate::format) fn note_absent(&mut self, absent: Absent) {
        let mut is_new = false;
        for path in absent.paths {
            is_new |= self.absent.insert(path);
        }
        if is_new {
            self.findings.push(absent.finding);
        }
    }

    /// Marks a file as belonging to the format, whether something refers to it or not.
    pub(in crate::format) fn mark_expected(&mut self, path: impl Into<String>) {
        self.legacy.insert(path.into());
    }

    /// Requests that a file is read and compared with a digest, once.
    pub(in crate::format) fn check_blob(&mut self, member: Member, digest: &Digest, site: Site) {
        self.blobs.entry(digest.clone()).or_insert(SurveyedBlob {
            member,
            digest: digest.clone(),
            site,
        });
    }

    /// Checks for images that engines cannot run. In a hybrid this happens where
    /// `manifest.json` lists the image, since an index may be for other engines.
    pub(in crate::format) fn limits(&mut self, config: &Config, layers: usize, site: &Site) {
        for (code, message) in lint::check_limits(config, layers, self.is_for_docker) {
            self.note(code, site, message);
        }
    }

    /// Reports the files to which nothing refers. Those in the folder of blobs must
    /// match their names nevertheless.
    pub(in crate::format) fn unreferenced(&mut self) -> Result<()> {
        for path in self.container.files()? {
            if self.used.contains(&path)
                || self.legacy.contains(&path)
                || CONTROL_FILES.contains(&path.as_str())
            {
                continue;
            }
            let Ok(Some(member)) = self.container.find(&path) else {
                continue;
            };
            // A link to something that is used.
            if self.used.contains(&member.path) && member.path != path {
                continue;
            }
            if !self.is_v1_document(&member) {
                self.note_code(Code::Unreferenced, &Site::file(path.clone()));
            }
            if let Some(digest) = digest_of_path(&path) {
                self.check_blob(member, &digest, Site::file(path));
            }
        }
        Ok(())
    }

    /// Returns true if a blob is the document of a v1 image. Docker's classic store
    /// writes one for each layer since Docker 25, and nothing refers to them.
    fn is_v1_document(&self, member: &Member) -> bool {
        if !self.is_for_docker
            || digest_of_path(&member.path).is_none()
            || member.size > V1_DOCUMENT_MAX
        {
            return false;
        }
        let bytes = read_document(self.container, member).ok();
        let value = bytes.and_then(|bytes| parse_value(&bytes).ok());
        let id = value.as_ref().and_then(|value| value.get("id")?.as_str());
        let is_hex = |id: &str| id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        id.is_some_and(is_hex)
    }
}

impl Reader for Surveyor<'_> {
    fn container(&self) -> &dyn Container {
        self.container
    }

    fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    fn report(&mut self, site: &Site, Refusal { fault, .. }: Refusal) -> Result<()> {
        // A blob has the same size wherever it occurs.
        let said = (site.file.clone(), fault.message.clone());
        if fault.code != Code::SizeMismatch || self.sizes.insert(said) {
            self.findings.push(fault.at(site));
        }
        Ok(())
    }

    /// A file that only a broken link or a path out of the archive leads to does not
    /// exist.
    fn find(&mut self, path: &str) -> Result<Option<Member>> {
        let member = match self.container.find(path) {
            Err(Error::LinkBroken(_) | Error::MemberEscapes(_)) => None,
            found => found?,
        };
        if let Some(member) = &member {
            self.used.insert(member.path.clone());
            self.used
                .insert(path.trim_start_matches(['.', '/']).to_owned());
        }
        Ok(member)
    }

    /// Checks the types of all fields, and, in a document without faults, the other
    /// features that matter to readers. A config is checked once.
    fn document(
        &mut self,
        site: &Site,
        schema: Schema,
        bytes: &[u8],
        value: &Value,
        faults: Vec<Refusal>,
    ) -> Result<()> {
        if schema == Schema::Config && !self.configs.insert(Digest::of(bytes)) {
            return Ok(());
        }
        let wrong = lint::wrong_types(schema, bytes, value);
        for (code, field) in &wrong {
            self.note(*code, site, lint::told(*code, field));
        }
        let is_readable = faults.is_empty();
        for fault in faults {
            if !lint::is_told(&fault, &wrong) {
                self.report(site, fault)?;
            }
        }
        let further = match schema {
            Schema::Graph => lint::check_graph(value).into_iter().collect(),
            Schema::Config if is_readable && !value["rootfs"].is_null() => {
                lint::check_config(value)
            }
            Schema::Config | Schema::DockerManifest => Vec::new(),
        };
        for (code, message) in further {
            self.note(code, site, message);
        }
        Ok(())
    }
}
