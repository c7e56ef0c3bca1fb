//! The operations: one file or folder for each command, with options as input and a
//! report as result.
//!
//! Only this module uses both the structure of images and the content of layers.

mod cat;
mod choose;
mod convert;
mod diff;
mod edited;
mod export;
mod extract;
mod files;
mod history;
mod images;
mod import;
mod inspect;
mod partial;
mod squash;
mod stack;
mod verify;
mod waste;

pub(crate) use cat::cat;
pub use choose::selector::{Selector, SelectorError};
pub use convert::ConvertOptions;
pub(crate) use convert::{ConvertSource, complete, convert};
pub(crate) use diff::diff;
pub use diff::options::{Aspect, Detail, DiffOptions};
pub use diff::report::{
    ChangeCount, ComparedImage, DiffKind, DiffReport, FieldChange, LinkChange, PathChange,
    XattrChange,
};
pub(crate) use diff::text::diff_text;
pub use diff::text::{TextDiff, TextDifference};
pub(crate) use export::export;
pub use export::{ExportOptions, ExportReport};
pub use extract::{ExtractOptions, ExtractReport};
pub(crate) use extract::{FolderSink, extract};
pub use files::{ChangeKind, FileChange, FileTree, FilesOptions};
pub(crate) use files::{file_changes, files};
pub(crate) use history::history;
pub use history::{HistoryReport, HistoryStep};
pub use images::{Found, FoundImage, ImagesOptions, ImagesReport, Listed};
pub(crate) use images::{images, images_of_all};
pub use import::{ImageConfig, ImportOptions};
pub(crate) use import::{config, import};
pub use inspect::{InspectOptions, InspectedLayer, Inspection, RawDocument};
pub(crate) use inspect::{inspect, raw_document};
pub(crate) use partial::complete::Base;
pub use partial::inventory::Inventory;
pub(crate) use partial::inventory::inventory;
pub use squash::options::SquashOptions;
pub use squash::range::{LayerChoice, LayerName, LayerRangeError};
pub use squash::report::{SquashReport, SquashedRange};
pub(crate) use squash::{diff_ids, squash};
pub use stack::file_entry::{EntryType, FileEntry, FileTime};
pub use stack::size::{LayerSize, SizeChoice};
pub use verify::Verification;
pub(crate) use verify::verify;
pub use waste::WasteOptions;
pub use waste::report::{
    HiddenFile, HiddenReason, WasteLayer, WastePlan, WasteRemedy, WasteReport,
};
pub(crate) use waste::waste;

pub use crate::transfer::compression::{CompressionChoice, MediaTypes};
pub use crate::transfer::kind::FoundKind;
pub use crate::transfer::naming::{Name, Retag, RetagError};
pub use crate::transfer::report::{Completed, LeftOut, LeftOutImage, WriteReport, WrittenImage};
