//! What an input holds, right or wrong: read without stopping at the first fault.

mod config;
mod docker_archive;
mod found;
mod oci_layout;
mod surveyor;
mod whole;

pub(in crate::format) use config::wrong_types;
pub(in crate::format) use found::MissingLayers;
pub(crate) use found::{Survey, SurveyedBlob, SurveyedImage, SurveyedLayer};
pub(crate) use surveyor::chain_of;
pub(in crate::format) use surveyor::{Absent, Surveyor, UntypedDocument, digest_of_path, hash};
pub(crate) use whole::survey;
