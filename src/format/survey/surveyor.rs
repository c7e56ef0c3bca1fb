//! Who goes through the documents: what was met, and what was found.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::digest::{Digest, Hasher};
use crate::error::{Cause, Error, LimitError, Result};
use crate::finding::{Code, Finding, Findings, Site};
use crate::format::container::{Container, Member, read_document};
use crate::format::control_files::CONTROL_FILES;
use crate::format::survey::{SurveyedBlob, SurveyedImage, config};
use crate::image::{
    Config, Descriptor, Document, DocumentError, View, json_text, parse_value, types,
};
use crate::limits::DESCRIPTORS_MAX;

/// The largest document of a v1 image that is looked for among what nothing refers to.
const V1_DOCUMENT_MAX: u64 = 1024 * 1024;

/// Something that a document names and that is not there.
#[derive(Clone, Debug)]
pub(in crate::format) struct Absent {
    /// Where it should be: one place, or those of several layers of one image.
    pub(in crate::format) paths: Vec<String>,
    pub(in crate::format) finding: Finding,
}

/// Goes through the documents of an input.
pub(in crate::format) struct Surveyor<'a> {
    pub(in crate::format) container: &'a dyn Container,
    /// Whether `docker load` is to take it: a docker archive, a hybrid or not.
    pub(in crate::format) is_for_docker: bool,
    pub(in crate::format) images: Vec<SurveyedImage>,
    blobs: BTreeMap<Digest, SurveyedBlob>,
    findings: Findings,
    /// Files that something refers to.
    used: BTreeSet<String>,
    /// Files that belong to the format and that nothing has to refer to.
    legacy: BTreeSet<String>,
    /// Where files should be that were said not to be there.
    absent: BTreeSet<String>,
    /// The configs that were looked at, each with the number of layers.
    configs: BTreeSet<(Digest, usize)>,
    documents_left: usize,
}

/// A JSON document whose fields are looked at one by one.
#[derive(Debug)]
pub(in crate::format) struct UntypedDocument(pub(in crate::format) Value);

impl View for UntypedDocument {
    fn from_json(value: &Value) -> Result<Self, DocumentError> {
        Ok(Self(value.clone()))
    }

    fn fix_keys(value: &mut Value) {
        types::MANIFEST_OR_INDEX.fix_keys(value);
    }
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
            documents_left: DESCRIPTORS_MAX,
        }
    }

    /// What was met, and what was found.
    pub(in crate::format) fn finish(self) -> (Vec<SurveyedImage>, Vec<SurveyedBlob>, Findings) {
        (
            self.images,
            self.blobs.into_values().collect(),
            self.findings,
        )
    }

    pub(in crate::format) fn report(&mut self, code: Code, site: Site, message: impl Into<String>) {
        self.push(Finding::new(code, site, message));
    }

    pub(in crate::format) fn report_code(&mut self, code: Code, site: Site) {
        self.push(Finding::plain(code, site));
    }

    pub(in crate::format) fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Says that something is not there, unless that was said.
    pub(in crate::format) fn report_absent(&mut self, absent: Absent) {
        let mut is_new = false;
        for path in absent.paths {
            is_new |= self.absent.insert(path);
        }
        if is_new {
            self.push(absent.finding);
        }
    }

    /// Looks a file up that something refers to. One that a broken link or a path
    /// out of the archive leads to is not there.
    pub(in crate::format) fn find(&mut self, path: &str) -> Result<Option<Member>> {
        let member = match self.container.find(path) {
            Err(Error::LinkBroken { .. } | Error::MemberEscapes { .. }) => None,
            found => found?,
        };
        if let Some(member) = &member {
            self.used.insert(member.path.clone());
            self.used
                .insert(path.trim_start_matches(['.', '/']).to_owned());
        }
        Ok(member)
    }

    /// Says that a file belongs to the format, whether something refers to it or not.
    pub(in crate::format) fn mark_expected(&mut self, path: impl Into<String>) {
        self.legacy.insert(path.into());
    }

    /// Counts a document; says whether there was one left.
    pub(in crate::format) fn claim_document(&mut self) -> bool {
        let left = self.documents_left.checked_sub(1);
        self.documents_left = left.unwrap_or(0);
        left.is_some()
    }

    /// Reads a document, if it is there and not too large.
    pub(in crate::format) fn read(
        &mut self,
        member: &Member,
        site: &Site,
    ) -> Result<Option<Vec<u8>>> {
        match read_document(self.container, member) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.cause() != Cause::Input => Err(error),
            Err(error @ Error::Limit(LimitError::DocumentTooLarge { .. })) => {
                self.report(Code::DocumentTooLarge, site.clone(), error.to_string());
                Ok(None)
            }
            Err(error) => {
                self.report(Code::ArchiveDamaged, site.clone(), chain_of(&error));
                Ok(None)
            }
        }
    }

    /// Reads a control file.
    pub(in crate::format) fn read_control_file(&mut self, path: &str) -> Result<Option<Vec<u8>>> {
        match self.find(path)? {
            Some(member) => self.read(&member, &Site::file(path)),
            None => Ok(None),
        }
    }

    /// Has a file read and compared with a digest, once.
    pub(in crate::format) fn check_blob(&mut self, member: Member, digest: &Digest, site: Site) {
        self.blobs.entry(digest.clone()).or_insert(SurveyedBlob {
            member,
            digest: digest.clone(),
            site,
        });
    }

    /// Reads the descriptors in a list of a document, of which some may be malformed.
    pub(in crate::format) fn descriptors(
        &mut self,
        document: &Value,
        field: &str,
        site: &Site,
    ) -> Vec<Descriptor> {
        let list = match document.get(field) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(list)) if list.len() <= DESCRIPTORS_MAX => list,
            Some(Value::Array(list)) => {
                let count = list.len();
                let message = format!(
                    "`{field}` has {count} members, and {DESCRIPTORS_MAX} are the most that is accepted"
                );
                self.report(Code::IndexTooLarge, site.clone(), message);
                return Vec::new();
            }
            Some(_) => {
                let message = format!("`{field}` is not a list");
                self.report(Code::DocumentInvalid, site.clone(), message);
                return Vec::new();
            }
        };
        let mut descriptors = Vec::new();
        for (at, value) in list.iter().enumerate() {
            let name = format!("{field}[{at}]");
            descriptors.extend(self.descriptor(value, &name, site));
        }
        descriptors
    }

    /// Reads one descriptor, and compares what it embeds.
    pub(in crate::format) fn descriptor(
        &mut self,
        value: &Value,
        name: &str,
        site: &Site,
    ) -> Option<Descriptor> {
        let wrong = types::DESCRIPTOR.wrong_fields(value, name);
        for field in &wrong {
            self.report(Code::DescriptorInvalid, site.clone(), field.to_string());
        }
        let descriptor = match Descriptor::from_json(value) {
            Ok(descriptor) => descriptor,
            // Its type was said to be wrong.
            Err(DocumentError::Field { .. }) if !wrong.is_empty() => return None,
            Err(error) => {
                let message = format!("`{name}`: {}", chain_of(&error));
                self.report(Code::DescriptorInvalid, site.clone(), message);
                return None;
            }
        };
        if wrong
            .iter()
            .any(|field| field.is_in(&format!("{name}.data")))
        {
            return Some(descriptor);
        }
        if let Some(data) = descriptor.data()
            && (data.len() as u64 != descriptor.size()
                || hash(&descriptor, &data) != *descriptor.digest())
        {
            let message = format!("`{name}.data` is not {}", descriptor.digest());
            self.report(Code::DataMismatch, site.clone(), message);
        }
        Some(descriptor)
    }

    /// Parses a config and looks, once, at all that readers look at. `layers` is how
    /// many the image has.
    pub(in crate::format) fn config(
        &mut self,
        bytes: Vec<u8>,
        layers: usize,
        site: &Site,
    ) -> Option<Document<Config>> {
        if !self.configs.insert((Digest::of(&bytes), layers)) {
            return Document::parse(bytes).ok();
        }
        let mut value = match parse_value(&bytes) {
            Ok(value) => value,
            Err(error) => {
                let code = if error.is_excess() {
                    Code::DocumentTooLarge
                } else {
                    Code::ConfigInvalid
                };
                self.report(code, site.clone(), chain_of(&error));
                return None;
            }
        };
        Config::fix_keys(&mut value);
        let has_wrong_types = self.config_types(&value, &bytes, site);
        if !self.is_for_docker && value.is_object() && value["rootfs"].is_null() {
            self.report_code(Code::RootfsMissing, site.clone());
            return None;
        }
        match Document::<Config>::parse(bytes) {
            Ok(document) => {
                for (code, message) in config::check(&value, document.view(), layers) {
                    self.report(code, site.clone(), message);
                }
                Some(document)
            }
            Err(DocumentError::Field { .. }) if has_wrong_types => None,
            Err(error) => {
                self.report(Code::ConfigInvalid, site.clone(), chain_of(&error));
                None
            }
        }
    }

    /// Looks at what engines cannot run. In a hybrid that is asked where `manifest.json`
    /// lists the image, since an index may be for further engines.
    pub(in crate::format) fn limits(&mut self, config: &Config, layers: usize, site: &Site) {
        for (code, message) in config::check_limits(config, layers, self.is_for_docker) {
            self.report(code, site.clone(), message);
        }
    }

    /// Compares the types of the fields of a config. Says whether one is wrong.
    fn config_types(&mut self, config: &Value, bytes: &[u8], site: &Site) -> bool {
        let text = json_text(bytes).unwrap_or_default();
        let wrong = config::wrong_types(config, &text);
        let has_wrong = !wrong.is_empty();
        for (code, message) in wrong {
            self.report(code, site.clone(), message);
        }
        has_wrong
    }

    /// Notes the files that nothing refers to. Those that lie where blobs do have to
    /// be what their names say all the same.
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
                self.report_code(Code::Unreferenced, Site::file(path.clone()));
            }
            if let Some(digest) = digest_of_path(&path) {
                self.check_blob(member, &digest, Site::file(path));
            }
        }
        Ok(())
    }

    /// Whether a blob is the document of a v1 image. Docker's classic store has written
    /// one for each layer since Docker 25, and nothing refers to them.
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

/// The digest that the path of a blob claims.
pub(in crate::format) fn digest_of_path(path: &str) -> Option<Digest> {
    let rest = path.trim_start_matches(['.', '/']).strip_prefix("blobs/")?;
    let (algorithm, hex) = rest.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}

/// The digest of bytes, by the algorithm of a descriptor.
pub(in crate::format) fn hash(descriptor: &Descriptor, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(descriptor.digest().algorithm());
    hasher.update(bytes);
    hasher.finish()
}

/// An error and its causes in one line.
pub(crate) fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
