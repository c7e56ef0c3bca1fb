//! What a survey finds: images and blobs, and what is wrong with the documents.
//!
//! Every document is looked at for itself, and what is wrong with it becomes a
//! [`Finding`](crate::finding::Finding), where opening an input follows the documents
//! and fails at the first fault. The layers and blobs that are left are for the caller
//! to read.

use crate::digest::{DiffId, Digest};
use crate::finding::{Code, Finding, Findings, Site};
use crate::format::Format;
use crate::format::container::{Container, Member};
use crate::image::Reference;
use crate::stream::Compression;

/// What an input holds.
#[derive(Debug)]
pub(crate) struct Survey {
    /// What it is.
    pub(crate) format: Format,
    /// Where its files are.
    pub(crate) container: Box<dyn Container>,
    /// Every image, once.
    pub(crate) images: Vec<SurveyedImage>,
    /// Further files that have to be what a digest says.
    pub(crate) blobs: Vec<SurveyedBlob>,
    /// What is wrong with its documents.
    pub(crate) findings: Findings,
}

/// An image for one platform.
#[derive(Clone, Debug)]
pub(crate) struct SurveyedImage {
    /// What findings call it.
    pub(crate) name: String,
    /// Its names that are references.
    pub(in crate::format) references: Vec<Reference>,
    /// The digest of its config.
    pub(in crate::format) config: Digest,
    /// Its layers, the lowest first.
    pub(crate) layers: Vec<SurveyedLayer>,
}

/// A layer, as far as something is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SurveyedLayer {
    /// Its bytes, if they are there.
    pub(crate) blob: Option<Member>,
    /// How they are compressed.
    pub(crate) compression: Compression,
    /// What the bytes must be, if a document or a path says it.
    pub(crate) digest: Option<Digest>,
    /// What they must unpack to.
    pub(crate) diff_id: Option<DiffId>,
    /// Whether they are a tar that can be looked into.
    pub(crate) is_readable: bool,
}

/// A file that has to be what a digest says.
#[derive(Clone, Debug)]
pub(crate) struct SurveyedBlob {
    pub(crate) member: Member,
    pub(crate) digest: Digest,
    pub(crate) site: Site,
}

/// Something that a document names and that is not there.
#[derive(Clone, Debug)]
pub(in crate::format) struct Absent {
    /// Where it should be: one place, or those of several layers of one image.
    pub(in crate::format) paths: Vec<String>,
    pub(in crate::format) finding: Finding,
}

/// Layers of an image that are not there.
#[derive(Debug, Default)]
pub(in crate::format) struct MissingLayers {
    /// Where they should be.
    paths: Vec<String>,
    /// The site of the lowest, and what is said of it.
    first: Option<(Site, String)>,
}

impl MissingLayers {
    pub(in crate::format) fn add(&mut self, paths: Vec<String>, site: &Site, message: String) {
        self.paths.extend(paths);
        self.first.get_or_insert_with(|| (site.clone(), message));
    }

    /// One finding for all of them.
    pub(in crate::format) fn into_absent(self) -> Option<Absent> {
        let (site, message) = self.first?;
        let message = match self.paths.len() - 1 {
            0 => message,
            1 => format!("{message}, and so is 1 more layer"),
            others => format!("{message}, and so are {others} more layers"),
        };
        let finding = Finding::new(Code::LayerMissing, site, message);
        let paths = self.paths;
        Some(Absent { paths, finding })
    }
}
