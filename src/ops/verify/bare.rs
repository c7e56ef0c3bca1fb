//! The entries of a root filesystem that becomes an image, checked like those of a
//! layer.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::event::{Warning, Watch};
use crate::finding::{Code, Fault, Finding, Severity, Site};
use crate::layer::Budget;
use crate::merge::{Changes, Merge};
use crate::ops::verify::entries::{Entries, Faults, Judge, read_entries};
use crate::tar_stream::Skip;

/// Errors of `verify` that matter to some engines, but not to others, including current
/// ones.
const TAKEN_BY_SOME: [Code; 6] = [
    Code::AttributeForeign,
    Code::AttributeOnLink,
    Code::AttributesLarge,
    Code::EntryTwice,
    Code::TooManyLinks,
    Code::WhiteoutAndEntry,
];

/// The checks of a root filesystem's tar.
#[derive(Debug)]
pub(in crate::ops) struct BareTar {
    faults: Vec<Fault>,
    /// True if all of it can be read, so that it can be rewritten.
    is_readable: bool,
}

impl BareTar {
    /// Reads all entries. Memory is one record for each.
    ///
    /// # Errors
    ///
    /// Fails only if the caller stops the operation, or the machine cannot read.
    pub(in crate::ops) fn read(input: impl Skip, watch: &Watch<'_>) -> Result<Self> {
        let budget = Arc::new(Budget::default());
        read_entries(input, 0, false, &budget, watch).map(Self::of)
    }

    /// The result of checking a tar, after all of its entries.
    pub(in crate::ops) fn judged(judge: Judge) -> Self {
        Self::of(judge.finish(false))
    }

    fn of(entries: Entries) -> Self {
        let mut faults = entries.faults;
        let mut is_readable = !entries.has_unreadable;
        // Without such links nothing can fail when it is the lowest layer.
        if let Some(changes) = entries.changes.filter(Changes::has_far_links) {
            let mut more = Faults::default();
            match Merge::new().put_checked(changes) {
                Ok((_, broken)) => {
                    is_readable &= broken.is_empty();
                    more.note_broken(broken);
                }
                Err(error) => {
                    is_readable = false;
                    more.note_error(&error);
                }
            }
            faults.extend(more.into_list());
        }
        // A missing end is reported for the tar as a whole.
        faults.retain(|fault| fault.code != Code::TarEndMissing);
        faults.sort_by_key(|fault| fault.code.severity());
        Self {
            faults,
            is_readable,
        }
    }

    /// Refuses entries that every engine refuses, and warns of those that some do.
    ///
    /// # Errors
    ///
    /// Fails at the first entry that no engine accepts.
    pub(in crate::ops) fn refuse(&self, watch: &Watch<'_>) -> Result<()> {
        let is_fatal = |fault: &&Fault| {
            fault.code.severity() == Severity::Error && !TAKEN_BY_SOME.contains(&fault.code)
        };
        if let Some(fault) = self.faults.iter().find(is_fatal) {
            return Err(Error::EntryUnfit {
                fault: text(fault),
                is_readable: self.is_readable,
            });
        }
        self.warn(watch);
        Ok(())
    }

    /// Warns of entries that an engine refuses or interprets differently.
    pub(in crate::ops) fn warn(&self, watch: &Watch<'_>) {
        for fault in &self.faults {
            if fault.code.severity() != Severity::Note {
                watch.warn(Warning::EntryUnfit {
                    fault: text(fault),
                    is_readable: self.is_readable,
                });
            }
        }
    }
}

/// A fault and its consequence, as a text.
fn text(fault: &Fault) -> String {
    let Finding {
        code,
        site,
        message,
    } = fault.clone().at(&Site::input());
    let consequence = code.consequence();
    match site.entry {
        Some(_) => format!("{site}: {message}; {consequence}"),
        None => format!("{message}; {consequence}"),
    }
}
