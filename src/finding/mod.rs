//! Findings: the problems of an input, each with a code and a place.
//!
//! A finding is not an [`Error`](crate::Error): the check goes on after it. Programs
//! rely on the [`Code`], which never changes its meaning and has one severity. Messages
//! follow the rules for errors (see [`crate::error`]).

mod code;
mod severity;

use std::collections::HashSet;
use std::fmt;

use crate::digest::Digest;

pub use self::code::Code;
pub use self::severity::Severity;

/// The place of a finding, from the file to the entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Site {
    /// A file of the archive or layout.
    pub file: Option<String>,
    /// The image.
    pub image: Option<String>,
    /// The layer, counted from 1, the lowest, and the number of layers.
    pub layer: Option<(usize, usize)>,
    /// The entry of the layer, escaped, and the number of other entries like it.
    pub entry: Option<(String, usize)>,
}

impl Site {
    /// The whole input.
    pub(crate) fn input() -> Self {
        Self::default()
    }

    /// A file.
    pub(crate) fn file(path: impl Into<String>) -> Self {
        Self {
            file: Some(path.into()),
            ..Self::default()
        }
    }

    /// An image.
    pub(crate) fn image(name: impl Into<String>) -> Self {
        Self {
            image: Some(name.into()),
            ..Self::default()
        }
    }

    /// A layer of this image.
    pub(crate) fn at_layer(&self, position: usize, count: usize) -> Self {
        Self {
            layer: Some((position, count)),
            ..self.clone()
        }
    }
}

impl fmt::Display for Site {
    /// ``layer 2 of 4 of `app:1`, entry `a` and 1 more``; nothing for the whole input.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        match (&self.image, self.layer) {
            (Some(image), Some((position, count))) => {
                parts.push(format!("layer {position} of {count} of `{image}`"));
            }
            (Some(image), None) => parts.push(format!("`{image}`")),
            (None, _) => {}
        }
        parts.extend(self.file.as_ref().map(|file| format!("`{file}`")));
        if let Some((entry, others)) = &self.entry {
            let more = match others {
                0 => String::new(),
                others => format!(" and {others} more"),
            };
            parts.push(format!("entry `{entry}`{more}"));
        }
        f.write_str(&parts.join(", "))
    }
}

/// A single finding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Finding {
    /// Its kind.
    pub code: Code,
    /// Its place.
    pub site: Site,
    /// The fault there.
    pub message: String,
}

impl Finding {
    /// A finding with a specific message.
    pub(crate) fn new(code: Code, site: Site, message: impl Into<String>) -> Self {
        Self {
            code,
            site,
            message: message.into(),
        }
    }

    /// A finding whose message is the meaning of its code.
    pub(crate) fn plain(code: Code, site: Site) -> Self {
        Self::new(code, site, code.meaning())
    }
}

/// A finding whose place the caller knows.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// Its kind.
    pub(crate) code: Code,
    /// The first entry of a layer that has it, escaped, and the number of others that
    /// do; absent if it does not concern an entry.
    pub(crate) entry: Option<(String, usize)>,
    /// The fault.
    pub(crate) message: String,
}

impl Fault {
    /// A fault with a specific message.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            entry: None,
            message: message.into(),
        }
    }

    /// A fault whose message is the meaning of its code.
    pub(crate) fn plain(code: Code) -> Self {
        Self::new(code, code.meaning())
    }

    /// Returns the fault for a digest that is not the expected one.
    pub(crate) fn digest(code: Code, expected: &Digest, got: &Digest) -> Self {
        Self::new(code, format!("expected {expected}, got {got}"))
    }

    /// The same fault, of an entry and this many others.
    pub(crate) fn of_entry(self, entry: String, others: usize) -> Self {
        Self {
            entry: Some((entry, others)),
            ..self
        }
    }

    /// The finding in this file, image or layer.
    pub(crate) fn at(self, site: &Site) -> Finding {
        let site = Site {
            entry: self.entry,
            ..site.clone()
        };
        Finding::new(self.code, site, self.message)
    }
}

/// The findings so far, without duplicates: a document may be met under several names,
/// and a layer in several images.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Finding>,
    seen: HashSet<Finding>,
}

impl Findings {
    /// Adds a finding, unless it is already there.
    pub(crate) fn push(&mut self, finding: Finding) {
        if self.seen.insert(finding.clone()) {
            self.list.push(finding);
        }
    }

    /// Keeps the findings that belong to the input.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Finding) -> bool) {
        self.list.retain(keep);
    }

    /// All findings, the worst first, otherwise in the order in which they were found.
    pub(crate) fn into_sorted(mut self) -> Vec<Finding> {
        self.list.sort_by_key(|finding| finding.code.severity());
        self.list
    }
}

impl Extend<Finding> for Findings {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        for finding in findings {
            self.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_reads_from_the_outside_in() {
        let layer = Site::image("app:1").at_layer(2, 4);
        let entry = |others| {
            let fault = Fault::plain(Code::EntryTwice).of_entry("a".to_owned(), others);
            fault.at(&layer).site
        };
        for (site, text) in [
            (Site::input(), ""),
            (Site::file("index.json"), "`index.json`"),
            (Site::image("app:1"), "`app:1`"),
            (layer.clone(), "layer 2 of 4 of `app:1`"),
            (entry(0), "layer 2 of 4 of `app:1`, entry `a`"),
            (entry(2), "layer 2 of 4 of `app:1`, entry `a` and 2 more"),
        ] {
            assert_eq!(site.to_string(), text);
        }
    }
}
