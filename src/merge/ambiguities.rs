//! The ambiguities of one layer.

use std::collections::BTreeMap;

use crate::layer::{Ambiguity, display_start};

/// The ambiguities of a layer: the first place of each kind, and the number of places.
///
/// A layer may have as many as it has entries, and one line each is enough.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ambiguities(BTreeMap<Ambiguity, (String, usize)>);

impl Ambiguities {
    /// Records one at this path.
    pub(crate) fn note(&mut self, ambiguity: Ambiguity, path: &[u8]) {
        self.0
            .entry(ambiguity)
            .and_modify(|(_, others)| *others += 1)
            .or_insert_with(|| (display(path), 0));
    }

    /// Adds those of another list.
    pub(crate) fn append(&mut self, others: Self) {
        for (ambiguity, (first, more)) in others.0 {
            self.0
                .entry(ambiguity)
                .and_modify(|(_, others)| *others += more + 1)
                .or_insert((first, more));
        }
    }

    /// Each kind, with its first place and the number of others.
    pub(crate) fn into_iter(self) -> impl Iterator<Item = (Ambiguity, String, usize)> {
        let each = self.0.into_iter();
        each.map(|(ambiguity, (first, others))| (ambiguity, first, others))
    }
}

/// A path for display, which is not empty for the root.
fn display(path: &[u8]) -> String {
    match path {
        b"" => "/".to_owned(),
        path => display_start(path),
    }
}
