//! The results of a survey: images and blobs, and the faults of the documents.
//!
//! Every document is checked on its own, and its faults become [`Finding`]s, whereas
//! opening an input follows the documents and fails at the first fault. The remaining
//! layers and blobs are read by the caller.

use crate::digest::{DiffId, Digest};
use crate::finding::{Code, Finding, Findings, Site};
use crate::format::Format;
use crate::format::container::{Container, Member};
use crate::image::Reference;
use crate::stream::Compression;

/// The content of an input.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Its format.
    pub(crate) format: Format,
    /// The container of its files.
    pub(crate) container: Box<dyn Container>,
    /// Every image, once.
    pub(crate) images: Vec<SurveyedImage>,
    /// Other files that must match a digest.
    pub(crate) blobs: Vec<SurveyedBlob>,
    /// The faults of its documents.
    pub(crate) findings: Findings,
}

/// An image for one platform.
#[derive(Clone, Debug)]
pub(crate) struct SurveyedImage {
    /// Its name in findings.
    pub(crate) name: String,
    /// Its names that are references.
    pub(in crate::format) references: Vec<Reference>,
    /// The digest of its config.
    pub(in crate::format) config: Digest,
    /// Its layers, the lowest first.
    pub(crate) layers: Vec<SurveyedLayer>,
}

/// A layer, as far as it is described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SurveyedLayer {
    /// Its bytes, if they exist.
    pub(crate) blob: Option<Member>,
    /// Their compression.
    pub(crate) compression: Compression,
    /// The digest that they must have, if a document or a path declares it.
    pub(crate) digest: Option<Digest>,
    /// The diff_id that they must have.
    pub(crate) diff_id: Option<DiffId>,
    /// True if they are a readable tar.
    pub(crate) is_readable: bool,
}

/// A file that must match a digest.
#[derive(Clone, Debug)]
pub(crate) struct SurveyedBlob {
    pub(crate) member: Member,
    pub(crate) digest: Digest,
    pub(crate) site: Site,
}

/// Something that a document names but that does not exist.
#[derive(Clone, Debug)]
pub(in crate::format) struct Absent {
    /// The expected paths: one, or those of several layers of one image.
    pub(in crate::format) paths: Vec<String>,
    pub(in crate::format) finding: Finding,
}

/// Missing layers of an image.
#[derive(Debug, Default)]
pub(in crate::format) struct MissingLayers {
    /// Their expected paths.
    paths: Vec<String>,
    /// The site of the lowest one, and the message about it.
    first: Option<(Site, String)>,
}

impl MissingLayers {
    pub(in crate::format) fn add(&mut self, paths: Vec<String>, site: &Site, message: String) {
        self.paths.extend(paths);
        self.first.get_or_insert_with(|| (site.clone(), message));
    }

    /// One finding with this code for all of them.
    pub(in crate::format) fn into_absent(self, code: Code) -> Option<Absent> {
        let (site, message) = self.first?;
        let message = match self.paths.len() - 1 {
            0 => message,
            1 => format!("{message} (and 1 more layer)"),
            others => format!("{message} (and {others} more layers)"),
        };
        let finding = Finding::new(code, site, message);
        let paths = self.paths;
        Some(Absent { paths, finding })
    }
}
