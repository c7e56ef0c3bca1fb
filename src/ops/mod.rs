//! The operations: one file or folder for each command, with options as input and a
//! report as result.
//!
//! Only this module uses both the structure of images and the content of layers.

mod append;
mod apply;
mod cat;
mod choose;
mod config;
mod convert;
mod delta;
mod diff;
mod edited;
mod export;
mod extract;
mod files;
mod history;
mod images;
mod import;
mod inspect;
mod intake;
mod nothing;
mod partial;
mod rebase;
mod remove;
mod squash;
mod stack;
mod verify;
mod waste;

pub use append::options::{AppendOptions, NewLayer};
pub use append::report::{AppendReport, AppendedLayer};
pub(crate) use append::{append, append_to_scratch};
pub(crate) use apply::apply;
pub(crate) use cat::cat;
pub use choose::selector::{Selector, SelectorError};
pub use config::ConfigOptions;
pub(crate) use config::configure;
pub use convert::ConvertOptions;

pub(crate) use convert::{ConvertSource, complete, convert};
pub(crate) use delta::delta;
pub use delta::options::DeltaOptions;
pub use delta::report::{DeltaImage, DeltaLayer, DeltaReport, LayerWay};
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
pub use files::{ChangeKind, FileChange, FileRun, FileTree, FilesOptions};
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
pub use rebase::base::BaseFound;
pub use rebase::{RebaseOptions, RebaseReport};
pub(crate) use rebase::{Scratch, rebase};
pub(crate) use remove::remove;
pub use remove::{RemoveOptions, RemoveReport, RemovedItem};
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
