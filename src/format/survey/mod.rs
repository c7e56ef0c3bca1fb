//! The survey of an input, correct or not, which does not stop at the first fault.

mod docker_archive;
mod found;
mod lint;
mod oci_layout;
mod surveyor;
mod whole;

pub(in crate::format) use found::{Absent, MissingLayers};
pub(crate) use found::{Survey, SurveyedBlob, SurveyedImage, SurveyedLayer};
pub(crate) use lint::LAYERS_MAX;
pub(in crate::format) use surveyor::Surveyor;
pub(crate) use whole::survey;
