//! Tar: a sequence of members.
//!
//! This is only the syntax: headers, PAX records, GNU long names, sparse files, their
//! limits. The meaning of a member is defined elsewhere: in `format` for the tar around
//! an image, in `layer` for the tar inside it. Both read hostile input, so both use
//! this module.

mod attributes;
mod check;
mod extensions;
#[cfg(test)]
mod fixture;
mod header;
mod input;
#[cfg(test)]
mod judged;
mod pax;
mod reader;
mod sparse;
mod sparse_reader;
mod tail;
mod time;
mod write;

pub(crate) use attributes::Attributes;
pub(crate) use check::{ReadAttributes, TarSummary, check_tar, is_no_tar};
pub use header::TarError;
pub(crate) use header::{BLOCK, EMPTY_BLOCK, display_name, is_tar_header};
pub(crate) use input::{Buffered, Section, Skip, SkipByReading, read_full};
pub(crate) use pax::{PaxRecord, pax_record};
pub(crate) use reader::{Kind, Member, TarReader};
pub(crate) use sparse_reader::SparseReader;
pub(crate) use tail::{Tail, Trailing};
pub(crate) use time::Time;
pub(crate) use write::{NAME_MAX, NewHeader, OCTAL_7_MAX, OCTAL_11_MAX, padding};
