//! The entries of a root filesystem that becomes an image, judged as those of a layer.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::event::{Warning, Watch};
use crate::finding::{Code, Fault, Finding, Severity, Site};
use crate::layer::Budget;
use crate::merge::{Changes, Merge};
use crate::ops::verify::entries::{Entries, Faults, Judge, read_entries};
use crate::tar_stream::Skip;

/// Errors of `verify` that some engines mind, and others, current ones among them, do not.
const TAKEN_BY_SOME: [Code; 6] = [
    Code::AttributeForeign,
    Code::AttributeOnLink,
    Code::AttributesLarge,
    Code::EntryTwice,
    Code::TooManyLinks,
    Code::WhiteoutAndEntry,
];

/// The tar of a root filesystem, judged.
#[derive(Debug)]
pub(in crate::ops) struct BareTar {
    faults: Vec<Fault>,
    /// Whether all of it can be read, so that it can be written anew.
    is_readable: bool,
}

impl BareTar {
    /// Reads all entries. Memory is one record for each.
    ///
    /// # Errors
    ///
    /// Fails only if the caller wants the end, or the machine cannot read.
    pub(in crate::ops) fn read(input: impl Skip, watch: &Watch<'_>) -> Result<Self> {
        let budget = Arc::new(Budget::default());
        read_entries(input, 0, false, &budget, watch).map(Self::of)
    }

    /// Judges the tar of which all entries were looked at.
    pub(in crate::ops) fn judged(judge: Judge) -> Self {
        Self::of(judge.finish(false))
    }

    fn of(entries: Entries) -> Self {
        let mut faults = entries.faults;
        let mut is_readable = !entries.has_unreadable;
        // Without such links nothing can go wrong in putting it on top of nothing.
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
        // That the end is missing is told of the whole tar.
        faults.retain(|fault| fault.code != Code::TarEndMissing);
        faults.sort_by_key(|fault| fault.code.severity());
        Self {
            faults,
            is_readable,
        }
    }

    /// Refuses what every engine refuses, and warns of what some do.
    ///
    /// # Errors
    ///
    /// Fails at the first entry that no engine takes.
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

    /// Warns of what an engine refuses, or takes for something else.
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

/// A fault and what follows from it.
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
