//! What the tool does: one file for each verb, options in, a report out.
//!
//! Here structure and contents meet, and nowhere else.

mod coding;
mod containerd;
pub mod convert;
mod deliver;
pub mod export;
pub mod history;
pub mod images;
pub mod import;
pub mod inspect;
mod job;
mod layer_size;
mod layers;
mod look;
mod naming;
mod narrow;
mod one;
mod parallel;
mod plan;
mod range;
mod rebuild;
mod referrers;
mod select;
pub mod squash;
mod squash_options;
mod squash_report;
mod squashed;
mod transfer;
mod verified;
pub mod verify;
mod write_report;

use std::num::NonZeroUsize;
use std::path::Path;

pub use coding::{Compress, MediaTypes};
pub use convert::{ConvertOptions, convert};
pub use export::{ExportOptions, export};
pub use history::{HistoryReport, HistoryStep, history};
pub use images::{Found, FoundImage, FoundKind, ImagesOptions, ImagesReport, Listed, images};
pub use import::{ImportOptions, config, import};
pub use inspect::{InspectOptions, InspectedLayer, Inspection, RawDocument, inspect, raw_document};
pub use layer_size::LayerSize;
pub use naming::Name;
pub use range::{LayerChoice, LayerName, LayerRangeError};
pub use select::{Selector, SelectorError};
pub use squash::{diff_ids, squash};
pub use squash_options::SquashOptions;
pub use squash_report::{SquashReport, SquashedRange};
pub use verify::{Verification, verify};
pub use write_report::{WriteReport, WrittenImage};

use crate::event::Watch;

/// What every operation needs to work at all.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The caller, who hears of events and may end the operation.
    pub watch: Watch<'a>,
    /// How many blobs are copied at once, and how many blocks compressed.
    pub jobs: NonZeroUsize,
    /// The folder for a temporary file, if an input can only be read from its
    /// beginning and is wanted in another order.
    pub temporary_directory: &'a Path,
}
