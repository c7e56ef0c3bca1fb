//! What the tool does: one file or folder for each verb, options in, a report out.
//!
//! Here structure and contents meet, and nowhere else.

mod choose;
pub mod convert;
pub mod export;
pub mod history;
pub mod images;
pub mod import;
pub mod inspect;
pub mod squash;
mod stack;
pub mod verify;

pub use choose::selector::{Selector, SelectorError};
pub use convert::{ConvertOptions, convert};
pub use export::{ExportOptions, ExportReport, export};
pub use history::{HistoryReport, HistoryStep, history};
pub use images::{Found, FoundImage, ImagesOptions, ImagesReport, Listed, images};
pub use import::{ImageConfig, ImportOptions, config, import};
pub use inspect::{InspectOptions, InspectedLayer, Inspection, RawDocument, inspect, raw_document};
pub use squash::options::SquashOptions;
pub use squash::range::{LayerChoice, LayerName, LayerRangeError};
pub use squash::report::{SquashReport, SquashedRange};
pub use squash::{diff_ids, squash};
pub use stack::size::LayerSize;
pub use verify::{Verification, verify};

pub use crate::transfer::Context;
pub use crate::transfer::compression::{CompressionChoice, MediaTypes};
pub use crate::transfer::kind::FoundKind;
pub use crate::transfer::naming::Name;
pub use crate::transfer::report::{WriteReport, WrittenImage};
