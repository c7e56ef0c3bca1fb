//! The entries of a root filesystem that becomes an image, checked like those of a
//! layer.

use std::sync::Arc;

use crate::error::{Error, Remedy, Result};
use crate::event::{Warning, Watch};
use crate::finding::{Code, Fault, Finding, Severity, Site};
use crate::layer::Budget;
use crate::merge::{Ambiguities, Changes, Merge};
use crate::ops::verify::entries::{Entries, Faults, Judge, read_entries};
use crate::tar_stream::Skip;

/// Errors of `verify` that matter to some engines, but not to others, including current
/// ones.
const TAKEN_BY_SOME: [Code; 7] = [
    Code::AttributeForeign,
    Code::AttributeOnLink,
    Code::AttributesLarge,
    Code::EntryTwice,
    Code::TooManyLinks,
    Code::WhiteoutAndEntry,
    Code::WhiteoutTooLong,
];

/// The checks of a root filesystem's tar.
#[derive(Debug)]
pub(in crate::ops) struct BareTar {
    faults: Vec<Fault>,
    /// True if all of it can be read, so that it can be rewritten.
    is_readable: bool,
    /// The remedy in this case, if there is one.
    remedy: Option<Remedy>,
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
        let (mut tar, changes) = Self::alone(entries);
        // Without such links nothing can fail when it is the lowest layer.
        if let Some(changes) = changes.filter(Changes::has_far_links) {
            tar.put(&mut Merge::new(), changes);
        }
        tar
    }

    /// The checks of a new layer by itself, after all of its entries, and its changes,
    /// which are still to be [put on](Self::put_on) the layers below it.
    ///
    /// One that restow packed cannot be mended by making it again.
    pub(in crate::ops) fn of_layer(
        judge: Judge,
        is_gzip: bool,
        is_packed: bool,
    ) -> (Self, Option<Changes>) {
        let (mut tar, changes) = Self::alone(judge.finish(is_gzip));
        // An export would lose the whiteouts.
        tar.remedy = (!is_packed).then_some(Remedy::OnlyNew);
        (tar, changes)
    }

    /// The checks of a new layer that restow made, after all of its entries.
    pub(in crate::ops) fn of_made(judge: Judge) -> Self {
        let (mut tar, _) = Self::alone(judge.finish(false));
        tar.remedy = None;
        tar
    }

    /// Adds the changes to the tree of the layers below, and checks them there.
    pub(in crate::ops) fn put_on(&mut self, tree: &mut Merge, changes: Changes) {
        for (ambiguity, entry, others) in self.put(tree, changes).into_iter() {
            self.faults
                .push(Fault::plain(ambiguity.code()).of_entry(entry, others));
        }
        self.faults.sort_by_key(|fault| fault.code.severity());
    }

    fn alone(entries: Entries) -> (Self, Option<Changes>) {
        let mut faults = entries.faults;
        // A missing end is reported for the tar as a whole.
        faults.retain(|fault| fault.code != Code::TarEndMissing);
        faults.sort_by_key(|fault| fault.code.severity());
        let tar = Self {
            faults,
            is_readable: !entries.has_unreadable,
            remedy: Some(Remedy::Export),
        };
        (tar, entries.changes)
    }

    /// Adds changes to a tree, notes broken links, and returns the ambiguities.
    fn put(&mut self, tree: &mut Merge, changes: Changes) -> Ambiguities {
        let mut more = Faults::default();
        let ambiguities = match tree.put_checked(changes) {
            Ok((ambiguities, broken)) => {
                self.is_readable &= broken.is_empty();
                more.note_broken(broken);
                ambiguities
            }
            Err(error) => {
                self.is_readable = false;
                more.note_error(&error);
                Ambiguities::default()
            }
        };
        self.faults.extend(more.into_list());
        self.faults.sort_by_key(|fault| fault.code.severity());
        ambiguities
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
                remedy: self.remedy(fault),
            });
        }
        self.warn(watch);
        Ok(())
    }

    fn remedy(&self, fault: &Fault) -> Option<Remedy> {
        match fault.code {
            // It would stay.
            Code::NameTooLong | Code::WhiteoutTooLong => None,
            _ if self.is_readable => self.remedy,
            _ => Some(Remedy::Repack),
        }
    }

    /// Warns of entries that an engine refuses or interprets differently.
    pub(in crate::ops) fn warn(&self, watch: &Watch<'_>) {
        for fault in &self.faults {
            if fault.code.severity() != Severity::Note {
                watch.warn(Warning::EntryUnfit {
                    fault: text(fault),
                    remedy: self.remedy(fault),
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
